/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is this gateway cut off from its LAN? Neighbours are asked in rounds; who sends no answers is gone,
 * and if nobody answers it is us. Pure.
 *
 * Silence of the partner alone proves nothing: one of the two is cut off, and both would say so of
 * themselves. Of the others one counts that has answered before, or that the configuration names.
 * Rounds are counted, not time: a daemon that was held up has asked nobody meanwhile.
 */
#ifndef NETPAS_CENSUS_H
#define NETPAS_CENSUS_H

#include <stdbool.h>
#include <stddef.h>

#define CENSUS_DEAD_ROUNDS 4  /* silent ones in a row */
#define CENSUS_IDLE_ROUNDS 12 /* others are asked so seldom while the partner answers */

struct census_member {
	bool partner;
	bool expected; /* by the configuration; else learned */
	bool seen;     /* has answered before */
	bool answered; /* in this round; set by who hears it */
};

struct census {
	unsigned int round, silent;
	bool partner_answers; /* in the last round */
};

enum census_verdict {
	CENSUS_ALIVE,
	CENSUS_UNSURE, /* nobody answers, and nobody but the partner would */
	CENSUS_DEAD,
};

/* Is this member (number i) to be asked in this round? */
bool census_asks(const struct census *census, const struct census_member *member, size_t i);

/* The round is over: count, forget who has answered, begin the next one. */
enum census_verdict census_count(struct census *census, struct census_member *members, size_t n);

#endif
