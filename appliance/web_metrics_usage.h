/* SPDX-License-Identifier: GPL-2.0-only */
/* The part of web_metrics.h that is of usage. Pure. */
#ifndef NETPAS_WEB_METRICS_USAGE_H
#define NETPAS_WEB_METRICS_USAGE_H

#include "metric_writer.h"

/*
 * Series of pairs are bounded by USAGE_VIEW_PAIRS (usage_view.h), twice two each; what is left is
 * one for each other site and class.
 */
void web_metrics_usage(struct metric_writer *p, json_t *view);

#endif
