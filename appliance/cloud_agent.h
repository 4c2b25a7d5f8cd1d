/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netpas-cloud under netpasd: started, told the role, listened to, restarted. Nothing here waits:
 * packets fail over by VRRP and by the data plane, whatever the cloud's API does.
 */
#ifndef NETPAS_CLOUD_AGENT_H
#define NETPAS_CLOUD_AGENT_H

#include <jansson.h>
#include <limits.h>

#include "config.h"
#include "role.h"

#define CLOUD_AGENT_SOCKET "cloud.sock" /* in the run directory */
#define CLOUD_AGENT_RENEW_S 10

struct sd_event;
struct cloud_agent;
struct vrrp;

/*
 * Tells vrrp of claims that are known at the provider. A node that has been active for
 * CLOUD_AGENT_RENEW_S although another's claim is higher has it claim anew: that claim is of an
 * earlier life of the site, or there is a split. That is done once for each time that the node becomes
 * active, so that two gateways do not outbid each other for ever. 0 or -errno.
 */
int cloud_agent_new(struct sd_event *event, struct vrrp *vrrp, const char *run_dir,
		    struct cloud_agent **ret_agent);
void cloud_agent_free(struct cloud_agent *agent); /* the process ends; NULL is legal */

/* Run it as this configuration says, or not at all. What fails is logged, and tried again. */
void cloud_agent_configure(struct cloud_agent *agent, const struct config *config);

/* Whether this node is to have what moves, and the generation of its claim. agent may be NULL. */
void cloud_agent_role(struct cloud_agent *agent, bool active, uint64_t generation);

/* For the status; NULL without a cloud. What is wrong goes to problems, too. */
json_t *cloud_agent_status(const struct cloud_agent *agent, json_t *problems);

#endif
