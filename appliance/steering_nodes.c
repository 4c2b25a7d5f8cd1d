/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is known of each other node goes with it from one configuration to the next, and is taken up
 * from the programs when netpasd begins.
 */
#include "steering_nodes.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "wanted.h"

const char *steering_node_name(const struct config *config, uint16_t id)
{
	for (size_t i = 0; i < config->mesh.n_relays; i++)
		if (config->mesh.relays[i].id == id)
			return config->mesh.relays[i].name;
	for (size_t i = 0; i < config->mesh.n_sites; i++)
		for (size_t g = 0; g < config->mesh.sites[i].n_gateways; g++)
			if (config->mesh.sites[i].gateways[g].id == id)
				return config->mesh.sites[i].gateways[g].name;
	return "?";
}

void steering_nodes_free(struct steering_node *nodes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(nodes[i].paths);
	free(nodes);
}

static enum dp_class class_of(enum config_class class)
{
	static const enum dp_class classes[CONFIG_CLASS_MAX] = {
		[CONFIG_CLASS_BEST] = DP_CLASS_BEST,
		[CONFIG_CLASS_PROTECTED] = DP_CLASS_PROTECTED,
		[CONFIG_CLASS_BULK] = DP_CLASS_BULK,
	};

	return classes[class];
}

static uint8_t renumber(const uint8_t map[static DP_PATHS_MAX], uint8_t number)
{
	return number < DP_PATHS_MAX ? map[number] : DP_NO_PATH;
}

/* What was known of the same paths goes with them to their new numbers. */
static void node_inherit(struct steering_node *node, const struct steering_node *old)
{
	struct path before[DP_PATHS_MAX], now[DP_PATHS_MAX];
	uint8_t map[DP_PATHS_MAX];

	for (size_t i = 0; i < old->n_paths; i++)
		before[i] = old->paths[i].way.path;
	for (size_t i = 0; i < node->n_paths; i++)
		now[i] = node->paths[i].way.path;
	memset(map, DP_NO_PATH, sizeof(map));
	for (size_t i = 0; i < old->n_paths; i++)
		map[i] = path_find(now, node->n_paths, &before[i]);
	for (size_t i = 0; i < old->n_paths; i++) {
		if (map[i] == DP_NO_PATH)
			continue;
		node->paths[map[i]] = old->paths[i];
		node->paths[map[i]].way.path = now[map[i]];
	}
	node->mtu = old->mtu;
	path_mtu_renumber(&node->mtu, map);
	node->n_changes = old->n_changes;
	for (size_t i = 0; i < STEERING_CHANGES; i++) {
		const struct steering_change *change = &old->changes[i];

		node->changes[i] = *change;
		node->changes[i].before = renumber(map, change->before);
		node->changes[i].after = renumber(map, change->after);
	}
	/* What was the most that was asked for says nothing if more is asked for. */
	for (size_t i = 0; i < node->n_paths && node->carry != old->carry; i++) {
		if (node->paths[i].payload >= old->carry)
			node->paths[i].payload = 0;
		node->paths[i].searched_us = 0;
	}
	if (node->choice.class != old->choice.class)
		return;
	node->choice = old->choice;
	node->decision = old->decision;
	path_choice_renumber(&node->choice, map);
}

/* A relay forwards what any two sites send to each other: it should choose ways that carry it. */
static uint16_t relay_carry(const struct config *config)
{
	uint16_t mtu = config->mesh.mtu;

	for (size_t i = 0; i < config->mesh.n_policies; i++)
		if (config->mesh.policies[i].mtu > mtu)
			mtu = config->mesh.policies[i].mtu;
	return (uint16_t)(mtu + PATH_MTU_OVERHEAD);
}

/*
 * What the programs have of an earlier daemon's. Intervals too: those of paths in use are the short
 * ones, and with a long one at first their death would be noticed late.
 */
static void node_adopt(const struct steering *s, const struct config *config,
		       struct steering_node *node)
{
	uint8_t order[DP_ORDER_MAX];
	size_t n_order;

	for (uint8_t l = 0; l < DP_LANES_MAX; l++)
		node->adopted[l] = forwarding_adopt_tunnel(s->programs, node->id, l);
	n_order = forwarding_adopt_order(s->programs, node->id, order);
	if (n_order)
		path_choice_adopt(&node->choice, order, n_order, clock_now_us());
	for (size_t i = 0; i < node->n_paths; i++) {
		const uint32_t interval_us =
			forwarding_adopt_interval(s->programs, node->id, (uint8_t)i);

		if (interval_us < config->mesh.probe_fast_ms * 1000 ||
		    interval_us > config->mesh.probe_slow_ms * 1000)
			continue;
		node->paths[i].way.interval_us = interval_us;
		node->paths[i].interval_us = interval_us;
	}
}

static int node_init(const struct steering *s, const struct config *config, uint16_t id,
		     size_t site, struct steering_node *node)
{
	struct path paths[DP_PATHS_MAX];
	uint16_t in_force;

	*node = (struct steering_node){ .id = id, .site = site };
	/* A gateway and a relay have nothing to say to each other but by the relay's probes. */
	if (config->is_relay || site != SIZE_MAX)
		node->n_paths = path_list(config, id, paths);
	node->paths = calloc(node->n_paths + 1, sizeof(*node->paths));
	if (!node->paths)
		return -ENOMEM;
	for (size_t i = 0; i < node->n_paths; i++) {
		node->paths[i].way.path = paths[i];
		node->paths[i].way.interval_us = config->mesh.probe_slow_ms * 1000;
		node->paths[i].interval_us = config->mesh.probe_slow_ms * 1000;
		path_stats_init(&node->paths[i].stats);
	}
	if (site != SIZE_MAX && !config->is_relay) {
		const struct config_policy policy = config_policy_with(config, site);

		node->class = policy.class;
		node->lanes = config_policy_lanes(&config->mesh, &policy);
		node->lane = config_policy_lane(&config->mesh, &policy);
		node->payload = (uint16_t)(policy.mtu + PATH_MTU_OVERHEAD);
		node->carry = node->payload;
	} else if (site != SIZE_MAX) {
		node->carry = relay_carry(config);
	}
	path_choice_init(&node->choice, class_of(node->class));
	path_mtu_init(&node->mtu);
	in_force = node->payload ? s->handlers.mtu_in_force(id, s->handlers.data) : 0;
	if (in_force)
		path_mtu_adopt(&node->mtu, in_force, (uint16_t)(node->payload - PATH_MTU_OVERHEAD));
	for (size_t i = 0; i < s->n_nodes; i++) {
		if (s->nodes[i].id == id) {
			memcpy(node->adopted, s->nodes[i].adopted, sizeof(node->adopted));
			node_inherit(node, &s->nodes[i]);
			return 0;
		}
	}
	node_adopt(s, config, node);
	return 0;
}

int steering_nodes_new(const struct steering *s, const struct config *config,
		       struct steering_node **ret_nodes, size_t *ret_n)
{
	size_t max = config->mesh.n_relays + 2 * config->mesh.n_sites, n = 0;
	struct steering_node *nodes = calloc(max ? max : 1, sizeof(*nodes));
	int rc = nodes ? 0 : -ENOMEM;

	for (size_t i = 0; i < config->mesh.n_sites && !rc; i++) {
		const struct config_site *site = &config->mesh.sites[i];

		if (!config->is_relay &&
		    (i == config->self_site || !config_policy_with(config, i).connect))
			continue;
		for (size_t g = 0; g < site->n_gateways && !rc; g++)
			rc = node_init(s, config, site->gateways[g].id, i, &nodes[n++]);
	}
	for (size_t i = 0; i < config->mesh.n_relays && !rc; i++)
		if (!config->is_relay || i != config->self_relay)
			rc = node_init(s, config, config->mesh.relays[i].id, SIZE_MAX, &nodes[n++]);
	if (rc) {
		steering_nodes_free(nodes, n);
		return rc;
	}
	*ret_nodes = nodes;
	*ret_n = n;
	return 0;
}

/* ---- lanes ---- */

/* The first lane is the stack's too: there is nothing to take instead. */
static bool lane_used(const struct steering *s, const struct steering_node *node, uint8_t lane,
		      unsigned int ifindex)
{
	if (lane == node->lane)
		return true;
	switch (s->handlers.lane(node->id, lane, ifindex, s->handlers.data)) {
	case BEACON_LANE_WORKS:
		return true;
	case BEACON_LANE_SILENT:
		return false;
	case BEACON_LANE_NONE:
	case BEACON_LANE_UNKNOWN:
		break;
	}
	return ifindex && node->adopted[lane] == ifindex;
}

size_t steering_lanes(const struct steering *s, const struct steering_node *node,
		      struct steering_lane ret_lanes[static DP_LANES_MAX])
{
	size_t n = 0;

	for (uint8_t number = 0; number < DP_LANES_MAX; number++) {
		struct steering_lane *lane = &ret_lanes[n];

		if (!(node->lanes >> number & 1))
			continue;
		lane->number = number;
		wanted_ifname(node->id, number, lane->ifname);
		lane->ifindex = if_nametoindex(lane->ifname);
		lane->used = lane->ifindex && lane_used(s, node, number, lane->ifindex);
		n++;
	}
	return n;
}
