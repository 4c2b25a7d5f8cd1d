/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reports from the records of one gateway, or of several: those of the first one's site are the
 * near side and are added up (each has recorded what it forwarded itself), those of other sites
 * are the far ends, with which what the near side says is compared.
 *
 * A sample is a slot that is over and that some near gateway has watched whole, unless another one
 * has missed a part of it. All else is missing.
 */
#ifndef NETPAS_USAGE_REPORT_H
#define NETPAS_USAGE_REPORT_H

#include <stdio.h>

#include "ip.h"
#include "usage.h"
#include "usage_calendar.h"

#define USAGE_NODES_MAX 32

enum usage_group {
	USAGE_BY_SITE = 1,
	USAGE_BY_CLASS = 2,
	USAGE_BY_SUBNET = 4,
	USAGE_BY_HOUR = 8,
	USAGE_BY_DAY = 16,
	USAGE_BY_MONTH = 32,
};

struct usage_query {
	int64_t begin, end;  /* UNIX times, of full slots */
	unsigned int by;     /* enum usage_group, at most one of hour, day, month */
	uint64_t commit_bps; /* 0: none */
};

struct usage_row {
	int64_t begin, end;					/* of the span, within the query */
	uint16_t local_site, remote_site;			/* 0: all, or unknown */
	int class;						/* -1: all */
	char local[IP_PREFIX_STRLEN], remote[IP_PREFIX_STRLEN]; /* ""; "other" */
	struct usage_counts sum;
	struct usage_counts far; /* as the far end saw it: its in is in out */
	bool has_far;
	bool no_rates;		   /* of some days there are only totals any more */
	uint64_t samples, missing; /* slots; of those that are over */
	uint64_t p95_out_bps, p95_in_bps, p95_bps, peak_out_bps, peak_in_bps;
	uint64_t mean_out_bps, mean_in_bps;
	uint64_t over_bps; /* p95 above the commit */
};

struct usage_node {
	uint16_t id, site;
	char name[32];
	bool far;
	int64_t last_ms; /* UNIX time of its last reading; 0: there is none */
};

struct usage_report {
	struct usage_query query;
	struct usage_row *rows;
	size_t n_rows;
	struct usage_node nodes[USAGE_NODES_MAX];
	size_t n_nodes;
	char (*site_names)[32]; /* by number; "" unknown */
	/* Periods of the near side that say something of the kind. */
	uint64_t n_carried, n_cut, n_clock, n_unmetered, n_new_record;
	int64_t pause_ms; /* the longest between two readings of a slot */
};

/* 0; -EINVAL or -errno with error in words. Files are opened to be read only. */
int usage_report_make(const char *const files[], size_t n_files, const struct usage_query *query,
		      struct usage_report **ret_report, char error[static USAGE_ERROR_LEN]);
void usage_report_free(struct usage_report *report);

enum usage_form {
	USAGE_FORM_TABLE,
	USAGE_FORM_JSON,
	USAGE_FORM_CSV,
};

/* 0 or -ENOMEM. */
int usage_report_print(const struct usage_report *report, enum usage_form form, FILE *out);

#endif
