/* SPDX-License-Identifier: GPL-2.0-only */
/* What the gateways have counted while a drill ran, and whether that agrees with its probes. */
#ifndef NETPAS_DRILL_COUNTERS_H
#define NETPAS_DRILL_COUNTERS_H

#include "drill_record.h"

/*
 * {"nodes": [{"node", "counters": {name: {"before", "after", "packets"}}, "role_before", "role_after",
 * "follows_before", "follows_after"}], "probes_begun_here"}; "counters" is null of a node that did not
 * answer twice, and "packets" of a counter that began anew.
 */
json_t *drill_counters_make(const struct drill_run *run);

/*
 * Set "reconciled" in the counters: each probe that came to the other site was put into a tunnel by one
 * of the pair, so the two have counted as many, or more if others sent too. A finding if they have not.
 */
void drill_counters_judge(json_t *report);

#endif
