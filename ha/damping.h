/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Against a pair that hands the active role to and fro: a gateway that has become active too often
 * lets the other one be it for a while. It still takes over from one that is gone, as nothing damps
 * that. Pure.
 */
#ifndef NETPAS_DAMPING_H
#define NETPAS_DAMPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DAMPING_CLAIMS 5	     /* so many that nobody asked for, ... */
#define DAMPING_WINDOW_US 120000000u /* in so long: ... */
#define DAMPING_HOLD_US 300000000u   /* held from the last of them on for so long */

/*
 * Taken off the number in the track file of one that is held and is not active. Even, as
 * handover_term(); what it outweighs is a severity.
 */
#define DAMPING_TERM 20

struct damping {
	uint64_t claims_us[DAMPING_CLAIMS]; /* when it became active, a ring */
	size_t n_claims;		    /* in all */
	uint64_t until_us;		    /* 0: not held */
};

/* Became active by itself. Returns true if it is held from now on, and was not before. */
bool damping_claim(struct damping *damping, uint64_t now_us);

/*
 * The last claim, if it was made in the last DAMPING_FORGIVE_US, was asked for after all: the other
 * gateway says so, later than it handed over.
 */
#define DAMPING_FORGIVE_US 2000000u
void damping_forgive(struct damping *damping, uint64_t now_us);

/* Held now? *ret_ended: that has just come to its end. */
bool damping_held(struct damping *damping, uint64_t now_us, bool *ret_ended);

/* Somebody wants it otherwise. */
void damping_clear(struct damping *damping);

/* Claims in the window, for people. */
size_t damping_count(const struct damping *damping, uint64_t now_us);

#endif
