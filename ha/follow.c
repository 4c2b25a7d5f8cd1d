/* SPDX-License-Identifier: GPL-2.0-only */
#include "follow.h"

const char *const follow_reason_names[FOLLOW_REASON_MAX] = {
	[FOLLOW_ACTIVE] = "active",   [FOLLOW_CURRENT] = "current", [FOLLOW_ALIVE] = "alive",
	[FOLLOW_LAST] = "last known", [FOLLOW_FIRST] = "first",
};

/* Both claim active: is gateway i to be followed rather than best? */
static bool claim_beats(const struct follow_gateway *gateways, size_t i, size_t best,
			size_t current)
{
	if (gateways[i].generation != gateways[best].generation)
		return gateways[i].generation > gateways[best].generation;
	if (i == current || best == current)
		return i == current;
	return gateways[i].id < gateways[best].id;
}

size_t follow_choose(const struct follow_gateway *gateways, size_t n, int current,
		     enum follow_reason *ret_reason)
{
	/* n stands for "none"; so does a current index that a reload has cut off. */
	size_t used = current >= 0 && (size_t)current < n ? (size_t)current : n;
	size_t claimant = n, alive = n;

	for (size_t i = 0; i < n; i++) {
		if (!gateways[i].alive)
			continue;
		if (alive == n || gateways[i].id < gateways[alive].id)
			alive = i;
		if (gateways[i].active &&
		    (claimant == n || claim_beats(gateways, i, claimant, used)))
			claimant = i;
	}

	if (claimant != n) {
		*ret_reason = FOLLOW_ACTIVE;
		return claimant;
	}
	if (used != n && gateways[used].alive) {
		*ret_reason = FOLLOW_CURRENT;
		return used;
	}
	if (alive != n) {
		*ret_reason = FOLLOW_ALIVE;
		return alive;
	}
	if (used != n) {
		*ret_reason = FOLLOW_LAST;
		return used;
	}
	*ret_reason = FOLLOW_FIRST;
	return 0;
}
