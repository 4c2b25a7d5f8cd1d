/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A record that is read for a report, wherever it comes from: another gateway's, by way of somebody's
 * mail. Nothing in it is believed: tables are compared with what this program makes, and every value
 * with what may be there. What does not fit is said with its place, and then there is no report: a bill
 * of which a part was skipped is wrong, and looks right.
 *
 * All of it is read in one state, however much is recorded meanwhile.
 */
#ifndef NETPAS_USAGE_SOURCE_H
#define NETPAS_USAGE_SOURCE_H

#include "ip.h"
#include "usage.h"

struct usage_source;

struct usage_source_node {
	uint16_t id, site;
	char name[32];
	int64_t last_ms; /* UNIX time of its last reading; 0: there is none */
};

struct usage_source_pair {
	uint16_t local_site, remote_site;
	int class;						/* -1: there is no such pair */
	char local[IP_PREFIX_STRLEN], remote[IP_PREFIX_STRLEN]; /* or "other" */
};

struct usage_source_period {
	int64_t slot, since_ms, gap_ms;
	unsigned int flags; /* enum usage_flag */
	bool closed;
};

/* What went in a slot, or in a day. */
struct usage_source_row {
	int64_t slot;
	size_t pair;			  /* of a line: 0 */
	uint16_t local_site, remote_site; /* of a line */
	struct usage_counts counts;
};

/* 0; -EINVAL or -errno, and error says of which file what is wrong. */
int usage_source_open(const char *file, struct usage_source **ret_source,
		      char error[static USAGE_ERROR_LEN]);
void usage_source_close(struct usage_source *source);

/* Whose record it is. */
const struct usage_source_node *usage_source_node(const struct usage_source *source);

/*
 * The following say what is wrong as usage_source_open() does, in the same place. take: 0, or what
 * is to be returned.
 */
int usage_source_each_site(struct usage_source *source,
			   int (*take)(void *data, uint16_t number, const char *name), void *data);

/* By number, from 0 on (which is none). Valid until the source is closed. */
int usage_source_pairs(struct usage_source *source, const struct usage_source_pair **ret_pairs,
		       size_t *ret_n);

/* Names of the counters that have something in slots of the time. */
int usage_source_each_epoch(struct usage_source *source, int64_t begin, int64_t end,
			    int (*take)(void *data, uint64_t id), void *data);

/* Slots of the time, and later ones that hold or tell something of it. */
int usage_source_each_period(struct usage_source *source, int64_t begin, int64_t end,
			     int (*take)(void *data, const struct usage_source_period *period),
			     void *data);

/* By slot and remote site; by slot and pair; by day and pair. */
typedef int usage_source_take_row(void *data, const struct usage_source_row *row);
int usage_source_each_line(struct usage_source *source, int64_t begin, int64_t end,
			   usage_source_take_row *take, void *data);
int usage_source_each_usage(struct usage_source *source, int64_t begin, int64_t end,
			    usage_source_take_row *take, void *data);
int usage_source_each_day(struct usage_source *source, int64_t begin, int64_t end,
			  usage_source_take_row *take, void *data);

/* The first day of which there are slots by pair; 0: of all. */
int usage_source_first_day(struct usage_source *source, int64_t *ret_day);

#endif
