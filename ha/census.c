/* SPDX-License-Identifier: GPL-2.0-only */
#include "census.h"

bool census_asks(const struct census *census, const struct census_member *member, size_t i)
{
	return member->partner || !census->partner_answers ||
	       census->round % CENSUS_IDLE_ROUNDS == i % CENSUS_IDLE_ROUNDS;
}

enum census_verdict census_count(struct census *census, struct census_member *members, size_t n)
{
	bool anybody = false, others = false;

	census->partner_answers = false;
	for (size_t i = 0; i < n; i++) {
		struct census_member *member = &members[i];

		anybody = anybody || member->answered;
		member->seen = member->seen || member->answered;
		if (member->partner)
			census->partner_answers = census->partner_answers || member->answered;
		else
			others = others || member->expected || member->seen;
		member->answered = false;
	}
	census->round++;
	census->silent = anybody ? 0 : census->silent + 1;
	if (!n || census->silent < CENSUS_DEAD_ROUNDS)
		return CENSUS_ALIVE;
	census->silent = CENSUS_DEAD_ROUNDS;
	return others ? CENSUS_DEAD : CENSUS_UNSURE;
}
