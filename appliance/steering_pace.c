/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Probes are fast on the near paths (path_choice.h) to a gateway that is followed, if this node is
 * active: these carry traffic, or will as soon as another one dies; and on a path that loses
 * packets, to see when it is good again. They are a tenth as fast on the same paths to and from
 * gateways that stand by, and slow on all others. Relays probe active gateways fast: two relays
 * that look like disjoint paths may both reach a gateway by the same one of its addresses, and then
 * nothing but their own next choice helps.
 *
 * Fast means 100 kbit/s for each path. With a hundred sites that is more than many a line has to
 * spare, and more than a daemon does beside its work; so all together have a bound, and if they
 * would exceed it, each is sent so many times more seldom.
 */
#include "steering_nodes.h"

#include <bpf/bpf.h>

#define MIDDLE_INTERVALS 10 /* times the fast one: where failing over would lead */
#define HEARD_US 5000000    /* what a gateway says holds for so long */

void steering_pace_hear(const struct steering *s, struct steering_node *node, uint64_t now)
{
	const int fd = programs_map(s->programs, "dp_heard");
	struct dp_heard heard;

	if (s->config->is_relay && node->site != SIZE_MAX)
		node->active = !bpf_map_lookup_elem(fd, &node->id, &heard) &&
			       heard.role == DP_ROLE_ACTIVE &&
			       now < heard.last_ns / 1000 + HEARD_US;
}

/* Carries traffic to this peer, or will as soon as the one that does dies; or is to recover. */
static bool is_near(const struct steering_node *node, size_t number)
{
	if (node->site == SIZE_MAX)
		return false;
	return path_decision_is_near(&node->decision, (uint8_t)number) ||
	       node->choice.memory[number].rank == PATH_RANK_BROWN;
}

bool steering_pace_carries(const struct steering *s, const struct steering_node *node,
			   size_t number)
{
	if (!is_near(node, number))
		return false;
	if (s->config->is_relay)
		return node->active;
	return s->self.active && s->sites[node->site].current == node->id;
}

static uint32_t wanted_us(const struct steering *s, const struct steering_node *node, size_t number)
{
	const struct config_mesh *mesh = &s->config->mesh;
	const uint32_t middle_ms = mesh->probe_fast_ms * MIDDLE_INTERVALS;
	uint32_t ms = mesh->probe_slow_ms;

	if (steering_pace_carries(s, node, number))
		ms = mesh->probe_fast_ms;
	else if (is_near(node, number) && middle_ms < ms)
		ms = middle_ms;
	return ms * 1000;
}

uint32_t steering_pace_interval_us(const struct steering *s, const struct steering_node *node,
				   size_t number)
{
	return wanted_us(s, node, number) * (s->stretch ? s->stretch : 1);
}

/* With IP and UDP, without what the line adds. */
static uint32_t packet_bits(const struct steering_path *path, uint32_t payload)
{
	const uint32_t headers = path->way.path.local.family == IP_V6 ? 48 : 28;

	return (payload + headers) * 8;
}

double steering_pace_bits(const struct steering_node *node, const struct steering_path *path)
{
	const double padded =
		node->carry ? packet_bits(path, path->payload > 1 ? path->payload : node->carry)
			    : 0;

	return packet_bits(path, DP_PROBE_LEN) * 1e6 / path->interval_us +
	       padded * 1e6 / (double)steering_mtu_period_us(path);
}

uint32_t steering_pace_stretch(const struct steering *s)
{
	double bits = 0;
	uint32_t stretch;

	for (size_t i = 0; i < s->n_nodes; i++)
		for (size_t p = 0; p < s->nodes[i].n_paths; p++)
			bits += packet_bits(&s->nodes[i].paths[p], DP_PROBE_LEN) * 1e6 /
				wanted_us(s, &s->nodes[i], p);
	stretch = (uint32_t)(bits / STEERING_PROBE_BITS_MAX) + 1;
	/* Back only with room: at the border it would go to and fro with each change of a path. */
	if (stretch < s->stretch && bits > (s->stretch - 1) * 0.9 * STEERING_PROBE_BITS_MAX)
		stretch = s->stretch;
	return stretch;
}
