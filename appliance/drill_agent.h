/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The end of drills that is at every gateway: it exchanges probes with whoever runs one, makes
 * faults for the other gateway of its own pair, and unmakes them.
 *
 * netpasd only listens. A signed hello makes it fork an agent, which takes the socket over and
 * lives while the drill does: so probes do not wait for netpasd, and what freezes or kills netpasd
 * does not freeze or kill what undoes that. An agent that has made a fault has a guard, a process
 * that undoes it when the agent dies. What neither is left to undo the next netpasd does.
 */
#ifndef NETPAS_DRILL_AGENT_H
#define NETPAS_DRILL_AGENT_H

#include "config.h"

struct sd_event;
struct drill_agent;

/* Undoes what drills left, if no agent lives. run_dir is borrowed. 0 or -ENOMEM. */
int drill_agent_new(struct sd_event *event, const char *run_dir, struct drill_agent **ret_agent);
void drill_agent_free(struct drill_agent *agent);

/* Listen as this configuration says (borrowed until the next call). Any number of times. */
void drill_agent_configure(struct drill_agent *agent, const struct config *config);

#endif
