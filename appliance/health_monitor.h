/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Collects the evidence for ha/health.h from whoever has it, ten times a second, and acts on the
 * verdict: VRRP's severity, whether this gateway may claim to be active, a line in the log for each
 * change, what `netpas status` shows.
 */
#ifndef NETPAS_HEALTH_MONITOR_H
#define NETPAS_HEALTH_MONITOR_H

#include <jansson.h>
#include <stdbool.h>

#include "config.h"

struct daemon;
struct health_monitor;

/* Of a gateway or relay; the daemon outlives it. 0 or -errno. */
int health_monitor_new(struct daemon *daemon, struct health_monitor **ret_monitor);
void health_monitor_free(struct health_monitor *monitor);

int health_monitor_configure(struct health_monitor *monitor, const struct config *config);

/* Something has changed that evidence rests on: look now. */
void health_monitor_look(struct health_monitor *monitor);

/* Cut off from its LAN: it must not claim to be active, whatever VRRP says. NULL: it is not. */
bool health_monitor_isolated(const struct health_monitor *monitor);

/* New reference. What counts is added to problems. */
json_t *health_monitor_status(const struct health_monitor *monitor, json_t *problems);

#endif
