/* SPDX-License-Identifier: GPL-2.0-only */
/* A view (web_view.h) as text for Prometheus. Pure. */
#ifndef NETPAS_WEB_METRICS_H
#define NETPAS_WEB_METRICS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define WEB_METRICS_PAIRS_MAX 256 /* of nodes that a relay carries between */

/* What the server counts of itself. */
enum web_refusal {
	WEB_REFUSAL_ADDRESS,	 /* not in the list */
	WEB_REFUSAL_CONNECTIONS, /* too many */
	WEB_REFUSAL_TOKEN,
	WEB_REFUSAL_SLOW,    /* did not say it in time, or does not read */
	WEB_REFUSAL_REQUEST, /* no such path or method, too large */
	WEB_REFUSAL_MAX,
};

struct web_counts {
	uint64_t requests; /* answered with what was asked for */
	uint64_t refused[WEB_REFUSAL_MAX];
	unsigned int viewers;
	double cpu_s;
	uint64_t rss_bytes;
};

/*
 * open: OpenMetrics 1.0, else the text format 0.0.4. They differ in the names of counters' families and
 * in how they end. Members that the view lacks are left out.
 */
void web_metrics_print(json_t *view, const struct web_counts *counts, bool open, FILE *out);

#endif
