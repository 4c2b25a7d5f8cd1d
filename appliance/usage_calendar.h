/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Times of usage records: UTC, seconds since 1970. A slot is five minutes from a full one on; days
 * and months are those of UTC, whatever the machine's time zone is. Pure.
 */
#ifndef NETPAS_USAGE_CALENDAR_H
#define NETPAS_USAGE_CALENDAR_H

#include <stdint.h>

#define USAGE_SLOT_S 300
#define USAGE_TIME_LEN 24

enum usage_span {
	USAGE_SLOT,
	USAGE_HOUR,
	USAGE_DAY,
	USAGE_MONTH,
	USAGE_SPAN_MAX,
};

/* Begin of the span that t is in, and of the next one. t may be before 1970. */
int64_t usage_begin(enum usage_span span, int64_t t);
int64_t usage_next(enum usage_span span, int64_t t);

/* "2026-11-22T16:05Z", "...T16Z", "2026-11-22", "2026-11". Returns buf. */
const char *usage_time_format(enum usage_span span, int64_t t, char buf[static USAGE_TIME_LEN]);

/*
 * "2026", "2026-11", "2026-11-22", "2026-11-22T16:05" (a 'Z' may follow): the time that it begins
 * at, and the one that it ends before. 0 or -EINVAL.
 */
int usage_time_parse(const char *text, int64_t *ret_begin, int64_t *ret_end);

#endif
