/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state that a configuration asks for. Pure.
 *
 * Steering in short: nftables marks a customer's packet with the number of the site that its
 * destination belongs to; a rule sends each mark to a table of its own; that table holds a
 * default route through the tunnel to the site's active gateway, a second one with a higher
 * metric through the other tunnel, and an unreachable one. So moving a site to its other gateway
 * is one route replaced in each family, whatever the number of subnets.
 */
#ifndef NETPAS_WANTED_H
#define NETPAS_WANTED_H

#include "config.h"
#include "state.h"

/* choices[i]: index of the gateway of site i to prefer (see ha/follow.h). 0 or -ENOMEM. */
int wanted_make(const struct config *config, const size_t *choices, enum state_engine engine,
		struct state **ret_state);

/* Only the routes of one remote site's table, appended in the order in which to replace them. */
int wanted_site_routes(const struct config *config, size_t site, size_t choice,
		       struct state *state);

/*
 * Let a state's tunnels and routes to a peer carry packets of this length and no longer. A device
 * has 1280 bytes at least, or it would have no IPv6; then the routes say what is less.
 */
void wanted_limit_mtu(struct state *state, uint16_t peer_id, uint16_t mtu);

/* Name of the tunnel interface of a lane to a peer: np<id> of lane 0, np<id>-<lane> of others. */
void wanted_ifname(uint16_t peer_id, uint8_t lane, char ret_ifname[static CONFIG_IFNAME_LEN]);

/* The id in a tunnel interface's name, or 0 if it is not one of ours. */
uint16_t wanted_ifname_id(const char *ifname);

#endif
