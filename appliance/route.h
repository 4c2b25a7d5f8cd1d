/* SPDX-License-Identifier: GPL-2.0-only */
/* rtnetlink routes and policy rules of protocol STATE_PROTOCOL. */
#ifndef NETPAS_ROUTE_H
#define NETPAS_ROUTE_H

#include "netlink.h"
#include "state.h"

/* Append every route (rule) that is ours to the state. 0 or -errno. */
int route_read(struct netlink *nl, struct state *state);
int route_replace(struct netlink *nl, const struct state_route *route); /* adds if not there */
int route_delete(struct netlink *nl, const struct state_route *route);

int rule_read(struct netlink *nl, struct state *state);
int rule_add(struct netlink *nl, const struct state_rule *rule);
int rule_delete(struct netlink *nl, const struct state_rule *rule);

#endif
