/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Steps of the clock: the time of day against the time since boot, which nobody sets. Pure.
 *
 * A handshake of WireGuard carries the time of day, and a peer takes only what is later than the last
 * one. So after a step back peers refuse our handshakes until the clock is again where it was. Sessions
 * live on, for three minutes; then only handshakes that the peer begins work.
 */
#ifndef NETPAS_TIMEKEEPER_H
#define NETPAS_TIMEKEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMEKEEPER_STEP_US 250000 /* less is slewing, or the time between two readings */

/* Zeroed, nothing was read yet. */
struct timekeeper {
	bool started;
	int64_t offset_us;  /* time of day less time since boot, at the last reading */
	int64_t highest_us; /* the latest time of day that there was */
};

/* Both clocks, read at once. Returns the step since the last reading, 0 if there was none. */
int64_t timekeeper_read(struct timekeeper *keeper, int64_t day_us, int64_t boot_us);

/* How long peers will refuse handshakes from now on; 0: they do not. */
int64_t timekeeper_behind_us(const struct timekeeper *keeper, int64_t day_us);

#endif
