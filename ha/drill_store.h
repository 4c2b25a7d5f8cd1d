/* SPDX-License-Identifier: GPL-2.0-only */
/* Reports on disk: DIR/ID.json and DIR/ID.html, a year of them and so many at most. */
#ifndef NETPAS_DRILL_STORE_H
#define NETPAS_DRILL_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#define DRILL_STORE_MAX 1000
#define DRILL_STORE_DAYS 366
#define DRILL_ID_LEN 96
#define DRILL_ID_TIME_LEN 16 /* 20261122T131500Z, with which every id begins */

/* "20261122T131500Z-path-cut-fra-b" */
void drill_store_id(time_t at, const char *scenario, const char *node,
		    char buf[static DRILL_ID_LEN]);

/* True if the text is an id and so a file name that leads nowhere else; *ret_at: its time. */
bool drill_store_parse(const char *id, time_t *ret_at);

/* Which of n ids, sorted, are to go: the first so many. */
size_t drill_store_expired(const char *const ids[], size_t n, time_t now);

/* Sorted ids of what is there; free each and the list. 0 or -errno; none is no error. */
int drill_store_list(const char *dir, char ***ret_ids, size_t *ret_n);

/* Whole or not at all; what has expired is removed. 0 or -errno. */
int drill_store_put(const char *dir, const char *id, const json_t *report, time_t now);
/* NULL: it is not there, or no report. */
json_t *drill_store_get(const char *dir, const char *id);

/* All that are kept of a scenario, and of one series of it unless that is NULL; the oldest first. */
json_t *drill_store_reports(const char *dir, const char *scenario, const char *series);

/* The larger of the two directions' outages, ms; -1: none was measured. */
double drill_store_outage(const json_t *report);

#endif
