/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a drill has found, as JSON and as a page. Pure.
 *
 * Times of a report are seconds since the drill began, by the clock of who ran it. What was not
 * measured is null or absent, never 0.
 */
#ifndef NETPAS_DRILL_REPORT_H
#define NETPAS_DRILL_REPORT_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "drill_stats.h"

#define DRILL_REPORT_FORMAT 1
#define DRILL_PAGE_FORMAT 2 /* of the page that is made of a report */

/* What comes later than that after it was sent is as good as lost (RFC 7680, 2.5: a threshold). */
#define DRILL_LATE_US 1000000

/* Clocks of the runner, us. */
struct drill_times {
	uint64_t began_us;    /* the first probe */
	uint64_t fault_us;    /* 0: it did not come to that */
	uint64_t restored_us; /* 0: nothing was to be undone */
	uint64_t ended_us;    /* probes after that do not count: they may be on their way */
	uint64_t handed_us;   /* the role was asked back; 0: it was not */
};

/* One direction. */
struct drill_flow {
	const struct drill_track *track;
	const uint32_t *sends; /* of the runner itself, us from start_us; NULL: as the probes say */
	uint64_t start_us;
	uint32_t sent, rate;
	/* Clocks of receiver and sender less the runner's. */
	int64_t receiver_offset_us, sender_offset_us;
	uint32_t send_gap_us; /* longest between two sends */
};

/* Everything of one direction, with a time-line in so many equal parts. NULL: out of memory. */
json_t *drill_report_flow(const struct drill_flow *flow, const struct drill_times *times,
			  uint32_t parts);

/*
 * Set "verdict" (pass, fail, aborted) and "findings", the reasons, of a report that has "limits",
 * "directions", and "aborted" where it was.
 */
void drill_report_judge(json_t *report);

/* What the taker's event says. */
#define DRILL_TAKES_VIP "takes the VIP"

/*
 * From the fault to the role change at the taker, or to the first change that has to do with it where
 * no role moves (failure detection), and from there to the first probe that came again (switching).
 */
void drill_report_phases(json_t *report);

/* One page that needs nothing else. */
void drill_report_page(const json_t *report, FILE *out);

/* What drill_history_make() made, for a terminal. */
void drill_report_spread_text(const json_t *history, FILE *out);

/* Some lines for a terminal. */
void drill_report_text(const json_t *report, FILE *out);

#endif
