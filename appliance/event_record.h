/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A record of the events' log: one JSON object a line.
 *
 *	{"time":"2026-11-22T16:17:01.123Z","kind":"path","level":"info","text":"path 0 to sin-a: ...",
 *	 "object":"path 0 to sin-a","from":"good","to":"dead","why":"...","detail":{...}}
 *
 * object, from, to and why are there where the text is of the form "OBJECT: BEFORE -> AFTER (WHY)".
 */
#ifndef NETPAS_EVENT_RECORD_H
#define NETPAS_EVENT_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "event.h"

#define EVENT_RECORD_MAX 8192 /* bytes of a line, its end included */
#define EVENT_TIME_LEN 32

/* Milliseconds since 1970 as UTC: "2026-11-22T16:17:01.123Z". */
const char *event_time_format(int64_t at_ms, char buf[static EVENT_TIME_LEN]);
/* 0, or -EINVAL for what event_time_format() does not make. */
int event_time_parse(const char *text, int64_t *ret_ms);

/*
 * What --since takes: "90s", "10m", "2h", "3d" before now; "16:30" or "16:30:05" of today;
 * "2026-11-22", with 'T' or a blank and a time behind it. All UTC. 0 or -EINVAL.
 */
int event_since_parse(const char *text, int64_t now_ms, int64_t *ret_ms);

/* A new reference; NULL: out of memory. What is no UTF-8 in the text is replaced by '?'. */
json_t *event_record_new(int64_t at_ms, enum event_kind kind, enum log_level level,
			 const char *text, json_t *detail);

/*
 * As a line with its newline. A detail that makes it longer than EVENT_RECORD_MAX is left out. Returns
 * its length; 0: it cannot be made.
 */
size_t event_record_line(const json_t *record, char buf[static EVENT_RECORD_MAX]);

/* One line without its newline; NULL if it is no record. */
json_t *event_record_parse(const char *line, size_t len);

/* For people, at most 80 columns. last_day: of the record before ("" at first), by which a new day
 * gets a line of its own; it is brought up to date. */
#define EVENT_DAY_LEN 16
void event_record_print(json_t *record, bool colour, char last_day[static EVENT_DAY_LEN],
			FILE *out);

#endif
