/* SPDX-License-Identifier: GPL-2.0-only */
/* What several runs of a scenario have in common: distributions over their reports. Pure. */
#ifndef NETPAS_DRILL_HISTORY_H
#define NETPAS_DRILL_HISTORY_H

#include <jansson.h>

/*
 * Of an array of reports: {"runs", "passed", "detection_ms": D, "out": {"outage_loss_ms": D,
 * "outage_timestamp_ms": D, "switching_ms": D, "send_gap_max_ms": D}, "in": likewise}, where D is {"n",
 * "p50", "p99", "max"}, with n the runs that measured it, or null if none did. With n below 100 p99
 * is the largest.
 */
json_t *drill_history_make(const json_t *reports);

#endif
