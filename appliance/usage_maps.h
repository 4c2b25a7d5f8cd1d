/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading the data plane's counters from their pinned maps; nothing is ever cleared. */
#ifndef NETPAS_USAGE_MAPS_H
#define NETPAS_USAGE_MAPS_H

#include "usage.h"

struct usage_maps;

/* 0; -ENOENT: there are none (no programs are loaded), or -errno. */
int usage_maps_open(struct usage_maps **ret_maps);
void usage_maps_close(struct usage_maps *maps);

/*
 * Whether these are still those that programs count into: others have their names when the layout
 * has changed, and none after `netpas down`. What was opened can still be read.
 */
bool usage_maps_current(const struct usage_maps *maps);

/* The epoch's id; 0: none yet. */
int usage_maps_epoch(const struct usage_maps *maps, uint64_t *ret_id);
int usage_maps_set_epoch(struct usage_maps *maps, uint64_t id);

/* All counters, in no order, one entry for each key. *readings is used again: zero it at first. */
int usage_maps_read(const struct usage_maps *maps, struct usage_readings *readings);

/* generation, digest and role as the programs have them. */
void usage_maps_describe(const struct usage_maps *maps, struct usage_moment *moment);

#endif
