/* SPDX-License-Identifier: GPL-2.0-only */
#include "damping.h"

#include <string.h>

size_t damping_count(const struct damping *damping, uint64_t now_us)
{
	const size_t kept = damping->n_claims < DAMPING_CLAIMS ? damping->n_claims : DAMPING_CLAIMS;
	size_t n = 0;

	for (size_t i = 0; i < kept; i++)
		n += damping->claims_us[i] && now_us - damping->claims_us[i] < DAMPING_WINDOW_US;
	return n;
}

bool damping_claim(struct damping *damping, uint64_t now_us)
{
	const bool before = damping->until_us > now_us;

	damping->claims_us[damping->n_claims++ % DAMPING_CLAIMS] = now_us;
	if (damping_count(damping, now_us) < DAMPING_CLAIMS)
		return false;
	damping->until_us = now_us + DAMPING_HOLD_US;
	return !before;
}

void damping_forgive(struct damping *damping, uint64_t now_us)
{
	uint64_t *last;

	if (!damping->n_claims)
		return;
	last = &damping->claims_us[(damping->n_claims - 1) % DAMPING_CLAIMS];
	if (!*last || now_us - *last >= DAMPING_FORGIVE_US)
		return;
	if (damping->until_us == *last + DAMPING_HOLD_US)
		damping->until_us = 0;
	*last = 0;
}

bool damping_held(struct damping *damping, uint64_t now_us, bool *ret_ended)
{
	*ret_ended = damping->until_us && damping->until_us <= now_us;
	if (*ret_ended)
		damping->until_us = 0;
	return damping->until_us > now_us;
}

void damping_clear(struct damping *damping)
{
	memset(damping, 0, sizeof(*damping));
}
