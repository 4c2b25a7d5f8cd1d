/* SPDX-License-Identifier: GPL-2.0-only */
/* What steering knows that tells of this node's own health. */
#include <bpf/bpf.h>
#include <stdio.h>

#include "clock.h"
#include "steering_nodes.h"

/*
 * Gateways are asked every ten fast intervals at the least (steering_pace.c), so a node that was
 * silent for so many has no daemon, or no way.
 */
#define ASKED_INTERVALS 40

/* So many slow intervals without a probe, and a relay that probed a standby does no more. */
#define RELAY_INTERVALS 4
#define RELAY_LATELY_US 10000000u /* it probed this node so shortly before paths died */

static const struct steering_node *find_node(const struct steering *s, uint16_t id)
{
	for (size_t i = 0; i < s->n_nodes; i++)
		if (s->nodes[i].id == id)
			return &s->nodes[i];
	return NULL;
}

static bool is_alive(const struct steering_node *node)
{
	for (size_t i = 0; i < node->n_paths; i++)
		if (node->paths[i].metrics.alive)
			return true;
	return false;
}

/* The gateways of a site are one end: they may die together. */
static bool counts_already(const struct steering *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s->nodes[n].site != SIZE_MAX && s->nodes[i].site == s->nodes[n].site &&
		    s->nodes[i].n_paths)
			return true;
	return false;
}

static bool end_alive(const struct steering *s, size_t n)
{
	for (size_t i = n; i < s->n_nodes; i++)
		if ((i == n ||
		     (s->nodes[n].site != SIZE_MAX && s->nodes[i].site == s->nodes[n].site)) &&
		    is_alive(&s->nodes[i]))
			return true;
	return false;
}

/* When a node last sent a probe by itself, not in answer to ours; 0: never. */
static uint64_t asked_us(const struct steering *s, uint16_t id)
{
	struct dp_reflection reflection;
	uint64_t last_ns = 0;

	for (uint16_t path = 0; path < DP_PATHS_MAX; path++) {
		const struct dp_path_key key = { .node = id, .path = path };

		if (!bpf_map_lookup_elem(programs_map(s->programs, "dp_reflections"), &key,
					 &reflection) &&
		    reflection.last_ns > last_ns)
			last_ns = reflection.last_ns;
	}
	return last_ns / 1000;
}

static uint64_t fast_us(const struct steering *s)
{
	return ASKED_INTERVALS * 1000ull * s->config->mesh.probe_fast_ms;
}

/* Relays probe gateways fast that are active, and other ones slowly. */
static void add_relays(const struct steering *s, uint64_t died_us, struct steering_wan *wan)
{
	const uint64_t slow_us = RELAY_INTERVALS * 1000ull * s->config->mesh.probe_slow_ms;
	const uint64_t window_us = s->self.active ? fast_us(s) : slow_us;
	const uint64_t now = clock_now_us();

	for (size_t i = 0; i < s->n_nodes; i++) {
		uint64_t last_us;

		if (s->nodes[i].site != SIZE_MAX || s->nodes[i].n_paths)
			continue;
		last_us = asked_us(s, s->nodes[i].id);
		if (!last_us || last_us + RELAY_LATELY_US < died_us)
			continue;
		wan->ends++;
		wan->ends_alive += now < last_us + window_us;
	}
}

void steering_wan(const struct steering *s, struct steering_wan *ret_wan)
{
	struct steering_wan wan = { .known = true, .stuck = true };
	uint64_t died_us = 0;

	for (size_t i = 0; i < s->n_nodes; i++) {
		const struct steering_node *node = &s->nodes[i];

		for (size_t p = 0; p < node->n_paths; p++) {
			if (node->paths[p].stats.state == PATH_UNKNOWN)
				wan.known = false;
			if (!node->paths[p].stuck)
				wan.stuck = false;
			if (node->paths[p].stats.since_us > died_us)
				died_us = node->paths[p].stats.since_us;
		}
		if (!node->n_paths || counts_already(s, i))
			continue;
		wan.ends++;
		wan.ends_alive += end_alive(s, i);
	}
	wan.known = wan.known && s->programs && s->config && wan.ends;
	wan.stuck = wan.stuck && wan.ends;
	if (wan.known && !wan.ends_alive)
		add_relays(s, died_us, &wan);
	*ret_wan = wan;
}

bool steering_reaches(const struct steering *s, uint16_t id)
{
	const struct steering_node *node = find_node(s, id);

	return node && is_alive(node);
}

bool steering_hears_active(const struct steering *s, uint16_t id)
{
	struct dp_heard heard;

	return s->programs && s->config &&
	       !bpf_map_lookup_elem(programs_map(s->programs, "dp_heard"), &id, &heard) &&
	       heard.role == DP_ROLE_ACTIVE && clock_now_us() < asked_us(s, id) + fast_us(s);
}

bool steering_incomplete(const struct steering *s, char *reason, size_t size)
{
	const struct programs_entry *entries;
	size_t n;

	if (!s->programs || !s->config) {
		snprintf(reason, size, "programs do not run: %s", s->reason);
		return true;
	}
	entries = programs_list(s->programs, &n);
	for (size_t i = 0; i < n; i++) {
		/* tc does what XDP would, where that is missing. */
		if (!entries[i].ifindex || entries[i].mode != HOOK_NONE ||
		    entries[i].place == PROGRAMS_WAN_XDP)
			continue;
		snprintf(reason, size, "%s is not on %s: %s",
			 programs_place_names[entries[i].place], entries[i].ifname,
			 entries[i].reason);
		return true;
	}
	return false;
}
