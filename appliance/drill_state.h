/* SPDX-License-Identifier: GPL-2.0-only */
/* How a gateway is, as drills need to know it: from what its netpasd says, over the wire, as facts. */
#ifndef NETPAS_DRILL_STATE_H
#define NETPAS_DRILL_STATE_H

#include <jansson.h>

#include "config.h"
#include "drill_scenario.h"

/* Of the netpasd of this node; {"answers": false} if it does not answer. site: number. */
json_t *drill_state_make(const struct config *config, const char *run_dir, uint16_t site);
void drill_state_facts(const json_t *state, struct drill_node_facts *ret_facts);

/*
 * What `netpas paths` says, with the "followed" gateway of that site; NULL: no answer. And the
 * changes in it since a time: [{"at_us": clock, "what": text}...].
 */
json_t *drill_state_paths(const struct config *config, const char *run_dir, uint16_t site);
json_t *drill_state_changes(const json_t *paths, uint64_t since_us);

#endif
