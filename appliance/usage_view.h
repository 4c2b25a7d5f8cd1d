/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What pages and metrics tell of usage, made by netpas-usage and left for netpasd as a file:
 *
 *	{"month": "2026-11",
 *	 "sites": [{"site", "samples", "missing", "out_bytes", "in_bytes", "p95_bps", "p95_out_bps", ...}],
 *	 "all": all sites together, likewise,
 *	 "day": {"begin": UNIX time, "slot_s": 300, "out": [bit/s or null, ...], "in": [...]},
 *	 "pairs": [{"site", "local", "remote", "class", "out_packets", "out_bytes", ...}],
 *	 "pairs_apart": how many of them are not "other"}
 *
 * sites: of the month so far; as `netpas usage`. day: slots that are over, all sites together, oldest
 * first. pairs: what is recorded of the counters' life; the first USAGE_VIEW_PAIRS apart, by their
 * numbers in the record, which stay; what is counted for the others stands for each site and class
 * together, as "other". So no counter goes back while the counters last.
 */
#ifndef NETPAS_USAGE_VIEW_H
#define NETPAS_USAGE_VIEW_H

#include <jansson.h>
#include <stdint.h>

#define USAGE_VIEW_FILE "usage.view" /* in the run directory */
#define USAGE_VIEW_PAIRS 256
#define USAGE_VIEW_DAY_SLOTS 288

struct usage_recorder;
struct usage_view;

/* Both paths are borrowed. 0 or -ENOMEM. */
int usage_view_new(const char *record_path, const char *view_path, struct usage_view **ret_view);
void usage_view_free(struct usage_view *view);

/*
 * After a reading: write the file anew if it is time for it. What of it cannot be made is left out; who
 * reads the file sees by its age when it could not be written.
 */
void usage_view_update(struct usage_view *view, const struct usage_recorder *recorder,
		       int64_t now_ms);

#endif
