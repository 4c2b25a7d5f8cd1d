/* SPDX-License-Identifier: GPL-2.0-only */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "steering_nodes.h"
#include "wanted.h"

static json_t *make_programs(const struct steering *s)
{
	json_t *list = json_array();
	const struct programs_entry *entries;
	size_t n;

	entries = programs_list(s->programs, &n);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "program",
						      programs_place_names[entries[i].place],
						      "interface", entries[i].ifname, "mode",
						      hook_mode_names[entries[i].mode], "reason",
						      entries[i].reason));
	return list;
}

/* Some of what goes to it is of class protected. */
static bool is_protected(const struct steering *s, const struct steering_node *node)
{
	return node->lanes & config_class_lanes(&s->config->mesh, CONFIG_CLASS_PROTECTED);
}

static void add_problem(json_t *problems, const char *text)
{
	json_array_append_new(problems, json_string(text));
}

static void find_problems(const struct steering *s, json_t *problems)
{
	char text[256], reason[STEERING_REASON_LEN];
	const uint16_t *refused;
	size_t n;

	refused = forwarding_refused(s->forwarding, &n);
	for (size_t i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "node %s: its public key is no key; it is left out",
			 steering_node_name(s->config, refused[i]));
		add_problem(problems, text);
	}
	for (size_t i = 0; i < s->n_nodes; i++) {
		const struct steering_node *node = &s->nodes[i];
		const char *name = steering_node_name(s->config, node->id);

		if (!node->n_paths)
			continue;
		if (node->mtu.mtu && node->mtu.mtu < PATH_MTU_DEVICE_MIN) {
			snprintf(
				text, sizeof(text),
				"to %s: its tunnel carries %u bytes only (%s): IPv6 packets that are "
				"not TCP are lost from there to %d",
				name, (unsigned int)node->mtu.mtu,
				steering_mtu_reason(s, node->id, reason), PATH_MTU_DEVICE_MIN);
			add_problem(problems, text);
		}
		if (!node->decision.n_order ||
		    !node->paths[node->decision.order[0]].metrics.alive) {
			snprintf(text, sizeof(text), "no path to %s is alive", name);
			add_problem(problems, text);
		} else if (is_protected(s, node) && node->decision.second[0] == DP_NO_PATH) {
			snprintf(text, sizeof(text),
				 "to %s: class protected, but no path is disjoint from the one in "
				 "use; packets are sent once",
				 name);
			add_problem(problems, text);
		}
	}
}

json_t *steering_status(struct steering *s, json_t *problems)
{
	const bool on = s->programs && s->config;

	if (*s->problem)
		add_problem(problems, s->problem);
	if (on)
		find_problems(s, problems);
	if (on && s->stretch > 1) {
		char text[160];

		snprintf(
			text, sizeof(text),
			"probes of all paths would cost more than %u Mbit/s; they are sent %u times "
			"more seldom, and deaths are noticed so much later",
			STEERING_PROBE_BITS_MAX / 1000000, s->stretch);
		add_problem(problems, text);
	}
	return json_pack("{s:b, s:s, s:o}", "on", on, "reason", s->reason, "programs",
			 on ? make_programs(s) : json_array());
}

static json_t *make_ms(uint32_t us)
{
	return us ? json_real(us / 1000.0) : json_null();
}

static json_t *make_address(const struct ip_addr *addr)
{
	char text[IP_ADDR_STRLEN];

	ip_addr_format(addr, text);
	return json_string(text);
}

/* 1: the one in use; 0: not in the order. */
static int rank_of(const struct steering_node *node, size_t number)
{
	for (int i = 0; i < node->decision.n_order; i++)
		if (node->decision.order[i] == number)
			return i + 1;
	return 0;
}

static json_t *make_loss(const struct path_stats *stats, uint64_t now, enum path_window window)
{
	struct path_loss loss;

	path_stats_loss(stats, now, window, &loss);
	return json_pack("{s:I, s:f, s:f}", "probes", (json_int_t)loss.sent, "out_percent",
			 loss.out_ppm / 10000.0, "in_percent", loss.in_ppm / 10000.0);
}

static json_t *make_rtt(const struct path_stats *stats, uint64_t now, enum path_window window)
{
	struct path_rtt rtt;

	path_stats_rtt(stats, now, window, &rtt);
	return json_pack("{s:o, s:o, s:o, s:o}", "min", make_ms(rtt.min_us), "p50",
			 make_ms(rtt.p50_us), "p99", make_ms(rtt.p99_us), "max",
			 make_ms(rtt.max_us));
}

/* The time of day of a moment of the past, and how long it is ago. */
static void add_time(json_t *object, uint64_t at_us, uint64_t now)
{
	const uint64_t ago_us = now > at_us ? now - at_us : 0;
	const time_t at = time(NULL) - (time_t)(ago_us / 1000000);
	char text[32];
	struct tm tm;

	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&at, &tm));
	json_object_set_new(object, "at", json_string(text));
	json_object_set_new(object, "ago_s", json_real((double)ago_us / 1e6));
}

/* Newest first. */
static json_t *make_changes(const struct path_stats *stats, uint64_t now)
{
	json_t *list = json_array();
	const struct path_change *change;

	for (size_t i = 0; (change = path_stats_change(stats, i)); i++) {
		json_t *entry = json_pack(
			"{s:s, s:s, s:s}", "from", path_state_names[change->before], "to",
			path_state_names[change->after], "why", path_event_names[change->why]);

		add_time(entry, change->at_us, now);
		json_array_append_new(list, entry);
	}
	return list;
}

static json_t *make_number(uint8_t number)
{
	return number < DP_PATHS_MAX ? json_integer(number) : json_null();
}

/* Which path was taken into use, newest first. */
static json_t *make_choices(const struct steering_node *node, uint64_t now)
{
	json_t *list = json_array();

	for (uint64_t i = 1; i <= node->n_changes && i <= STEERING_CHANGES; i++) {
		const struct steering_change *change =
			&node->changes[(node->n_changes - i) % STEERING_CHANGES];
		json_t *entry = json_pack("{s:o, s:o, s:s}", "from", make_number(change->before),
					  "to", make_number(change->after), "why",
					  path_reason_names[change->why]);

		add_time(entry, change->at_us, now);
		json_array_append_new(list, entry);
	}
	return list;
}

static json_t *make_path(const struct steering *s, const struct steering_node *node, size_t number,
			 uint64_t now)
{
	const struct steering_path *path = &node->paths[number];
	const struct path_stats *stats = &path->stats;
	const uint16_t relay = path->way.path.relay;
	json_t *rtt = make_rtt(stats, now, PATH_WINDOW_MINUTE);

	json_object_set_new(rtt, "last", make_ms(path->state.rtt_us));
	json_object_set_new(rtt, "smoothed", make_ms(path_stats_srtt_us(stats)));
	json_object_set_new(rtt, "jitter", make_ms(path_stats_jitter_us(stats)));
	return json_pack(
		"{s:i, s:s?, s:o, s:o, s:b, s:s, s:s, s:f, s:i, s:s, s:o, s:o,"
		" s:o, s:o, s:o, s:i, s:b, s:f, s:f, s:o}",
		"path", (int)number, "relay", relay ? steering_node_name(s->config, relay) : NULL,
		"local", make_address(&path->way.path.local), "remote",
		make_address(&path->way.path.remote), "alive", path->metrics.alive, "state",
		path_state_names[stats->state], "why", path_event_names[stats->why], "since_s",
		stats->since_us ? (double)(now - stats->since_us) / 1e6 : 0.0, "order",
		rank_of(node, number), "rank", path_rank_names[node->choice.memory[number].rank],
		"rtt_ms", rtt, "rtt_hour_ms", make_rtt(stats, now, PATH_WINDOW_HOUR), "loss_3s",
		make_loss(stats, now, PATH_WINDOW_SHORT), "loss_60s",
		make_loss(stats, now, PATH_WINDOW_MINUTE), "loss_hour",
		make_loss(stats, now, PATH_WINDOW_HOUR), "payload",
		path->payload > 1 ? (int)path->payload : 0, "routed", path->way.hop.ifindex != 0,
		"interval_ms", path->interval_us / 1000.0, "probe_bits_per_s",
		steering_pace_bits(node, path), "history", make_changes(stats, now));
}

static json_t *make_mtu(const struct steering *s, const struct steering_node *node)
{
	char reason[STEERING_REASON_LEN];

	if (!node->payload)
		return json_null();
	return json_pack("{s:i, s:i, s:o, s:s}", "tunnel", node->mtu.mtu, "configured",
			 node->mtu.configured, "path",
			 node->mtu.path < DP_PATHS_MAX ? json_integer(node->mtu.path) : json_null(),
			 "reason", steering_mtu_reason(s, node->id, reason));
}

static json_t *make_lanes(const struct steering *s, const struct steering_node *node)
{
	struct steering_lane lanes[DP_LANES_MAX];
	const size_t n = steering_lanes(s, node, lanes);
	json_t *made = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			made,
			json_pack("{s:i, s:s, s:s, s:b}", "lane", (int)lanes[i].number, "class",
				  config_class_names[s->config->mesh.lanes[lanes[i].number]],
				  "interface", lanes[i].ifname, "used", lanes[i].used));
	return made;
}

json_t *steering_paths(struct steering *s)
{
	const uint64_t now = clock_now_us();
	json_t *peers = json_array();

	for (size_t i = 0; i < s->n_nodes; i++) {
		const struct steering_node *node = &s->nodes[i];
		const struct path_decision *decision = &node->decision;
		json_t *paths = json_array();

		if (!node->n_paths) {
			json_decref(paths);
			continue;
		}
		for (size_t p = 0; p < node->n_paths; p++)
			json_array_append_new(paths, make_path(s, node, p, now));
		json_array_append_new(
			peers, json_pack("{s:s, s:i, s:s, s:o, s:o, s:o, s:s, s:f, s:o, s:o, s:o}",
					 "peer", steering_node_name(s->config, node->id), "id",
					 (int)node->id, "class", config_class_names[node->class],
					 "lanes", make_lanes(s, node), "path",
					 decision->n_order ? json_integer(decision->order[0])
							   : json_null(),
					 "second",
					 decision->n_order && decision->second[0] != DP_NO_PATH
						 ? json_integer(decision->second[0])
						 : json_null(),
					 "reason", path_reason_names[node->choice.reason],
					 "since_s", (double)(now - node->choice.since_us) / 1e6,
					 "mtu", make_mtu(s, node), "paths", paths, "history",
					 make_choices(node, now)));
	}
	return json_pack("{s:b, s:s, s:f, s:i, s:o}", "on", s->programs != NULL, "reason",
			 s->reason, "probe_bits_per_s_max", (double)STEERING_PROBE_BITS_MAX,
			 "stretch", (int)(s->stretch ? s->stretch : 1), "peers", peers);
}
