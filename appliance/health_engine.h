/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is it the engine? A user-space engine may hang and take its tunnel along, while its process lives.
 * Tunnels that are silent although their paths are alive are named here; their engines are then asked,
 * without waiting for them, and those that do not answer, or have sent nothing although they were
 * given packets all the time, are ended: who watches them starts them again.
 */
#ifndef NETPAS_HEALTH_ENGINE_H
#define NETPAS_HEALTH_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine.h"

struct health_engine;
struct sd_event;

/* engines is borrowed. 0 or -errno. */
int health_engine_new(struct sd_event *event, struct engines *engines,
		      struct health_engine **ret_health);
void health_engine_free(struct health_engine *health);

/* Now and then: is the tunnel silent? */
void health_engine_see(struct health_engine *health, const char *ifname, bool silent);
/* All tunnels have been named since `since_us` of the monotonic clock: there are no others any more. */
void health_engine_forget(struct health_engine *health, uint64_t since_us);

/* An engine was found to hang and its tunnel has not been heard since; why, in words. */
bool health_engine_hung(const struct health_engine *health, char *reason, size_t size);

#endif
