/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which gateway of a remote site to send to. Pure.
 *
 * Rules, first match wins:
 *	1. of the gateways that are alive and claim active, the one with the highest generation
 *	   (equal generations: the one used now, then the lower id);
 *	2. the one used now, while it is alive;
 *	3. any that is alive, the lower id first;
 *	4. the one used now, dead or not: with no news the last good choice stays;
 *	5. the first.
 */
#ifndef NETPAS_FOLLOW_H
#define NETPAS_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct follow_gateway {
	uint16_t id;
	bool alive;  /* a hello came within the dead interval */
	bool active; /* role in the last hello */
	uint64_t generation;
};

enum follow_reason {
	FOLLOW_ACTIVE,	/* rule 1 */
	FOLLOW_CURRENT, /* rule 2 */
	FOLLOW_ALIVE,	/* rule 3 */
	FOLLOW_LAST,	/* rule 4 */
	FOLLOW_FIRST,	/* rule 5 */
	FOLLOW_REASON_MAX,
};
extern const char *const follow_reason_names[FOLLOW_REASON_MAX];

/* current: index in use, or -1. n >= 1. Returns an index. */
size_t follow_choose(const struct follow_gateway *gateways, size_t n, int current,
		     enum follow_reason *ret_reason);

#endif
