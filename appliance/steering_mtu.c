/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What paths carry is searched when they come up and every half minute, and confirmed with one
 * padded probe every two seconds where packets go by or may go by at once: a path that begins to
 * swallow long packets says nothing. What follows for the tunnels is path_mtu.h's.
 */
#include <stdio.h>
#include <string.h>

#include "event.h"
#include "steering_nodes.h"

#define SEARCH_US 30000000u /* narrow ones may have become wider; others, narrower */
#define CONFIRM_US 2000000u

uint64_t steering_mtu_period_us(const struct steering_path *path)
{
	return path->carries ? CONFIRM_US : SEARCH_US;
}

void steering_mtu_search(struct steering *s, struct steering_node *node, size_t number,
			 uint64_t now)
{
	struct steering_path *path = &node->paths[number];
	const uint64_t alive_us = path->stats.alive_since_us;
	struct prober_status status;

	if (!node->carry || !path->metrics.alive ||
	    prober_get(s->prober, node->id, (uint8_t)number, &status))
		return;
	if (path->searched_us && status.searching)
		return;
	if (!path->searched_us || path->searched_us < alive_us ||
	    now - path->searched_us >= SEARCH_US) {
		path->searched_us = path->confirmed_us = now;
		(void)prober_search_mtu(s->prober, node->id, (uint8_t)number, PATH_MTU_PAYLOAD_MIN,
					node->carry);
	} else if (path->carries && now - path->confirmed_us >= CONFIRM_US) {
		path->confirmed_us = now;
		(void)prober_confirm_mtu(s->prober, node->id, (uint8_t)number);
	}
}

uint16_t steering_mtu_known(const struct steering *s, const struct steering_node *node,
			    size_t number)
{
	const uint16_t payload = node->paths[number].payload;
	struct prober_status status;

	/* What a search has seen fail is known before the search ends. */
	if (!prober_get(s->prober, node->id, (uint8_t)number, &status) && status.limit &&
	    (!payload || status.limit < payload))
		return status.limit;
	return payload;
}

void steering_mtu_found(struct steering *s, struct steering_node *node, size_t number,
			uint16_t payload)
{
	struct steering_path *path = &node->paths[number];
	const uint16_t before = path->payload;
	const char *name = steering_node_name(s->config, node->id);

	path->payload = payload ? payload : 1; /* 0 would be: not known */
	if (path->payload == before)
		return;
	if (!payload)
		event_info(EVENT_MTU, "path %zu to %s: carries not even %u bytes of UDP payload",
			   number, name, PATH_MTU_PAYLOAD_MIN);
	else if (payload < node->carry || (before && before < node->carry))
		event_info(EVENT_MTU,
			   "path %zu to %s: carries %u bytes of UDP payload, %u are wanted", number,
			   name, payload, node->carry);
}

/* Whether one of the tunnels to it spreads its flows. */
static bool spreads(const struct steering *s, const struct steering_node *node)
{
	for (unsigned int lane = 0; lane < CONFIG_LANES_MAX; lane++)
		if (node->lanes >> lane & 1 && s->config->mesh.lanes[lane] == CONFIG_CLASS_BULK)
			return true;
	return false;
}

bool steering_mtu_update(struct steering *s, struct steering_node *node, uint64_t now)
{
	struct path_metrics metrics[DP_PATHS_MAX];
	uint16_t payloads[DP_PATHS_MAX];
	const uint16_t before = node->mtu.mtu;
	char why[48] = "the configuration";

	if (!node->payload)
		return false;
	for (size_t i = 0; i < node->n_paths; i++) {
		metrics[i] = node->paths[i].metrics;
		payloads[i] = node->paths[i].payload;
	}
	if (!path_mtu_update(&node->mtu, &node->decision, metrics, payloads, node->n_paths,
			     spreads(s, node), (uint16_t)(node->payload - PATH_MTU_OVERHEAD), now))
		return false;
	if (node->mtu.path != DP_NO_PATH)
		snprintf(why, sizeof(why), "path %u carries no more", node->mtu.path);
	if (before)
		event_info(EVENT_MTU, "to %s: tunnel MTU %u -> %u (%s)",
			   steering_node_name(s->config, node->id), before, node->mtu.mtu, why);
	return true;
}

uint16_t steering_mtu(const struct steering *s, uint16_t node)
{
	for (size_t i = 0; s && s->programs && i < s->n_nodes; i++)
		if (s->nodes[i].id == node)
			return s->nodes[i].mtu.mtu;
	return 0;
}

const char *steering_mtu_reason(const struct steering *s, uint16_t node,
				char buf[static STEERING_REASON_LEN])
{
	const struct path_mtu *mtu = NULL;

	for (size_t i = 0; s && s->programs && i < s->n_nodes; i++)
		if (s->nodes[i].id == node && s->nodes[i].mtu.mtu)
			mtu = &s->nodes[i].mtu;
	if (!mtu || mtu->mtu >= mtu->configured)
		snprintf(buf, STEERING_REASON_LEN, "configured");
	else if (mtu->more)
		snprintf(buf, STEERING_REASON_LEN, "%u would do since less than a minute",
			 mtu->more);
	else if (mtu->path == DP_NO_PATH)
		snprintf(buf, STEERING_REASON_LEN, "found in force");
	else
		snprintf(buf, STEERING_REASON_LEN, "path %u carries no more", mtu->path);
	return buf;
}

/* The least of a site's gateways: what is longer goes to the stack, where the route says more. */
uint16_t steering_mtu_of_site(const struct steering *s, size_t site)
{
	uint16_t least = 0;

	for (size_t i = 0; i < s->n_nodes; i++) {
		const uint16_t mtu = s->nodes[i].mtu.mtu;

		if (s->nodes[i].site == site && s->nodes[i].payload && mtu &&
		    (!least || mtu < least))
			least = mtu;
	}
	return least;
}
