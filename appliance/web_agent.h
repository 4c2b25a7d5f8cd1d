/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netpas-web under netpasd: started, told what it serves, asked by it, restarted. It asks by a socket of
 * its own, on which there is nothing to be had but "config" and "view".
 */
#ifndef NETPAS_WEB_AGENT_H
#define NETPAS_WEB_AGENT_H

#include <jansson.h>

#define WEB_AGENT_SOCKET "web.sock" /* in the run directory */

struct config;
struct daemon;
struct web_agent;

int web_agent_new(struct daemon *daemon, struct web_agent **ret_agent);
void web_agent_free(struct web_agent *agent); /* the process ends; NULL is legal */

/* Run it as this configuration says, or not at all. What fails is logged, and tried again. */
void web_agent_configure(struct web_agent *agent, const struct config *config);

/* What is wrong with it, to problems. agent may be NULL. */
void web_agent_problems(const struct web_agent *agent, json_t *problems);

#endif
