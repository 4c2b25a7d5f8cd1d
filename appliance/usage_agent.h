/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netpas-usage under netpasd: started or found running, told the names, looked after. It outlives
 * netpasd; `netpas down` ends it.
 */
#ifndef NETPAS_USAGE_AGENT_H
#define NETPAS_USAGE_AGENT_H

#include <jansson.h>

#include "config.h"

struct sd_event;
struct usage_agent;

/* Directories are borrowed. 0 or -ENOMEM. */
int usage_agent_new(struct sd_event *event, const char *run_dir, const char *state_dir,
		    struct usage_agent **ret_agent);
void usage_agent_free(struct usage_agent *agent); /* the process goes on; NULL is legal */

/* Have it record what this configuration names; a relay has nothing to record. Any number of times. */
void usage_agent_configure(struct usage_agent *agent, const struct config *config);

/* For `netpas down` without a daemon: take over the process that runs. */
void usage_agent_find(struct usage_agent *agent);

/* It takes a last reading, and ends. */
void usage_agent_stop(struct usage_agent *agent);

/* For the status; NULL on a relay. What is wrong goes to problems, too. */
json_t *usage_agent_status(const struct usage_agent *agent, json_t *problems);

/* What netpas-usage has left for pages and metrics (usage_view.h): borrowed. NULL: nothing yet. */
json_t *usage_agent_view(struct usage_agent *agent);

#endif
