/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Asks neighbours on the LAN whether they are there (ha/solicit.h), and judges by their silence whether
 * this gateway is cut off (ha/census.h): the other gateway, the site's routers, what node.yaml says,
 * and neighbours that the kernel knows where those are few.
 */
#ifndef NETPAS_HEALTH_LAN_H
#define NETPAS_HEALTH_LAN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "netlink.h"

struct health_lan;
struct sd_event;

/* nl is borrowed. 0 or -errno. */
int health_lan_new(struct sd_event *event, struct netlink *nl, struct health_lan **ret_lan);
void health_lan_free(struct health_lan *lan);

/* Of a gateway (borrowed until the next call). What is known of neighbours that stay is kept. */
int health_lan_configure(struct health_lan *lan, const struct config *config);

/* Nobody answers, and somebody would; then why, in words. */
bool health_lan_dead(const struct health_lan *lan, char *reason, size_t size);

/* Who is asked, and how long ago each answered: a new reference. */
json_t *health_lan_status(const struct health_lan *lan);

#endif
