/* SPDX-License-Identifier: GPL-2.0-only */
#include "event_rate.h"

bool event_rate_admit(struct event_rate *rate, enum event_kind kind, uint64_t now_us)
{
	if (!rate->kinds[kind].begun_us ||
	    now_us - rate->kinds[kind].begun_us >= EVENT_RATE_WINDOW_US) {
		rate->kinds[kind].begun_us = now_us;
		rate->kinds[kind].kept = 0;
	}
	if (rate->kinds[kind].kept < EVENT_RATE_MAX) {
		rate->kinds[kind].kept++;
		return true;
	}
	rate->kinds[kind].dropped++;
	return false;
}

unsigned int event_rate_summary(struct event_rate *rate, enum event_kind kind, uint64_t now_us)
{
	const unsigned int dropped = rate->kinds[kind].dropped;

	if (!dropped || now_us - rate->kinds[kind].begun_us < EVENT_RATE_WINDOW_US)
		return 0;
	rate->kinds[kind].dropped = 0;
	return dropped;
}

uint64_t event_rate_due_us(const struct event_rate *rate)
{
	uint64_t due = 0;

	for (int kind = 0; kind < EVENT_KIND_MAX; kind++) {
		const uint64_t end = rate->kinds[kind].begun_us + EVENT_RATE_WINDOW_US;

		if (rate->kinds[kind].dropped && (!due || end < due))
			due = end;
	}
	return due;
}
