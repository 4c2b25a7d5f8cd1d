/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How many records of a kind are kept in a minute: what flaps must not fill the log, nor push out
 * what happened before. What is not kept is counted, and the count is told when the minute is over.
 */
#ifndef NETPAS_EVENT_RATE_H
#define NETPAS_EVENT_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "event.h"

#define EVENT_RATE_MAX 60	       /* records of one kind in one minute */
#define EVENT_RATE_WINDOW_US 60000000u /* that minute, from its first record */

struct event_rate {
	struct {
		uint64_t begun_us; /* 0: no window is open */
		unsigned int kept, dropped;
	} kinds[EVENT_KIND_MAX];
};

/* now_us: CLOCK_MONOTONIC. True if the record is to be kept. Ask event_rate_summary() before. */
bool event_rate_admit(struct event_rate *rate, enum event_kind kind, uint64_t now_us);

/* How many were dropped in a window that is over; told once. 0: none, or it is not over. */
unsigned int event_rate_summary(struct event_rate *rate, enum event_kind kind, uint64_t now_us);

/* When the next window ends in which something was dropped; 0: there is none. */
uint64_t event_rate_due_us(const struct event_rate *rate);

#endif
