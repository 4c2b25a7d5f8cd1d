/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ten times a second the states of all paths are read, the choice is made anew, and what differs
 * goes to the programs. Samples of probes come in between.
 */
#include "steering.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "clock.h"
#include "event.h"
#include "image.h"
#include "log.h"
#include "select.h"
#include "steering_nodes.h"
#include "wanted.h"

#define TICK_US 100000
#define CHECK_ENTRIES_MAX 4096 /* of a map, read in some milliseconds */

static struct steering_path *find_path(struct steering *s, uint16_t node, uint16_t path)
{
	for (size_t i = 0; i < s->n_nodes; i++)
		if (s->nodes[i].id == node)
			return path < s->nodes[i].n_paths ? &s->nodes[i].paths[path] : NULL;
	return NULL;
}

/* ---- to the programs ---- */

static void tell_sites(struct steering *s)
{
	for (size_t i = 0; i < s->config->mesh.n_sites; i++) {
		struct forwarding_site *site = &s->sites[i];

		*site = (struct forwarding_site){ 0 };
		if (!s->config->is_relay && i != s->config->self_site)
			site->current =
				s->handlers.followed(&s->config->mesh.sites[i],
						     &site->seen_generation, s->handlers.data);
		site->mtu = steering_mtu_of_site(s, i);
	}
}

static void fill_node(const struct steering_node *node, struct forwarding_way *ways,
		      struct forwarding_node *ret_node)
{
	*ret_node = (struct forwarding_node){
		.id = node->id,
		.ways = ways,
		.n_ways = node->n_paths,
		.n_order = node->decision.n_order,
	};
	for (size_t i = 0; i < node->n_paths; i++) {
		ways[i] = node->paths[i].way;
		if (node->paths[i].stuck)
			ways[i].hop.ifindex = 0;
	}
	memcpy(ret_node->order, node->decision.order, sizeof(ret_node->order));
	memcpy(ret_node->second, node->decision.second, sizeof(ret_node->second));
	ret_node->spread = node->decision.spread;
}

static size_t find_tunnels(const struct steering *s, struct forwarding_tunnel *tunnels)
{
	struct steering_lane lanes[DP_LANES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < s->n_nodes; i++) {
		const size_t n_lanes = steering_lanes(s, &s->nodes[i], lanes);

		for (size_t l = 0; l < n_lanes; l++)
			if (lanes[l].ifindex)
				tunnels[n++] = (struct forwarding_tunnel){
					.node = s->nodes[i].id,
					.lane = lanes[l].number,
					.mute = !lanes[l].used,
					.ifindex = lanes[l].ifindex,
				};
	}
	return n;
}

/* *ret_changes (may be NULL): entries of maps. */
static int apply(struct steering *s, size_t *ret_changes)
{
	struct forwarding_now now = { .n_nodes = s->n_nodes };
	struct forwarding_tunnel *tunnels = calloc(s->n_nodes * DP_LANES_MAX + 1, sizeof(*tunnels));
	struct forwarding_node *nodes = calloc(s->n_nodes + 1, sizeof(*nodes));
	struct forwarding_way *ways;
	size_t n_ways = 1, at = 0;
	int rc = -ENOMEM;

	for (size_t i = 0; i < s->n_nodes; i++)
		n_ways += s->nodes[i].n_paths;
	ways = calloc(n_ways, sizeof(*ways));
	if (!tunnels || !nodes || !ways)
		goto done;
	for (size_t i = 0; i < s->n_nodes; i++) {
		fill_node(&s->nodes[i], ways + at, &nodes[i]);
		at += s->nodes[i].n_paths;
	}
	tell_sites(s);
	s->self = s->handlers.self(s->handlers.data);
	now.role = s->config->is_relay ? DP_ROLE_RELAY
		   : s->self.active    ? DP_ROLE_ACTIVE
				       : DP_ROLE_STANDBY;
	now.generation = s->self.generation;
	now.lan_ifindex = *s->config->node.lan ? if_nametoindex(s->config->node.lan) : 0;
	now.lanes = (uint8_t)s->config->mesh.n_lanes;
	for (size_t i = 0; i < s->config->mesh.n_lanes; i++)
		now.lane_class[i] = s->config->mesh.lanes[i];
	now.nodes = nodes;
	now.tunnels = tunnels;
	now.n_tunnels = find_tunnels(s, tunnels);
	now.sites = s->config->is_relay ? NULL : s->sites;
	now.own = s->own;
	now.n_own = s->n_own;
	rc = forwarding_set(s->forwarding, &now);
	if (!rc)
		rc = forwarding_apply(s->forwarding, s->programs, ret_changes);
	if (rc)
		event_error(EVENT_DATAPLANE, "data plane: maps: %s", strerror(-rc));

done:
	free(tunnels);
	free(nodes);
	free(ways);
	return rc;
}

/* ---- ten times a second ---- */

/* Requests that were too long for the path have their numbers too, but are none of its losses. */
static uint32_t padded_lost(const struct steering *s, uint16_t node, size_t path)
{
	struct prober_status status;

	return prober_get(s->prober, node, (uint8_t)path, &status) ? 0 : status.unanswered;
}

static void read_state(struct steering *s, struct steering_node *node, size_t number, uint64_t now)
{
	const struct dp_path_key key = { .node = node->id, .path = (uint16_t)number };
	struct steering_path *path = &node->paths[number];
	const struct dp_path as_known = {
		.ifindex = path->stuck ? 0 : path->way.hop.ifindex,
		.dead_ns = forwarding_dead_ns(path->way.interval_us),
	};
	const enum path_state before = path->stats.state;

	if (bpf_map_lookup_elem(programs_map(s->programs, "dp_path_states"), &key, &path->state))
		return; /* not there before the first apply */
	if (path_stats_tick(&path->stats, now,
			    path->state.sequence - padded_lost(s, node->id, number),
			    path_alive(&as_known, &path->state)))
		event_info(EVENT_PATH, "path %u to %s: %s -> %s (%s)", (unsigned int)number,
			   steering_node_name(s->config, node->id), path_state_names[before],
			   path_state_names[path->stats.state], path_event_names[path->stats.why]);
}

static void measure(struct steering *s, struct steering_node *node, uint64_t now)
{
	for (size_t i = 0; i < node->n_paths; i++) {
		read_state(s, node, i, now);
		path_stats_metrics(&node->paths[i].stats, now, &node->paths[i].metrics);
		node->paths[i].metrics.mtu = steering_mtu_known(s, node, i);
	}
}

/* True if the programs have to be told. */
static bool choose(struct steering *s, struct steering_node *node, uint64_t now)
{
	struct path_decision decision;
	struct path paths[DP_PATHS_MAX];
	struct path_metrics metrics[DP_PATHS_MAX];
	bool differs;

	for (size_t i = 0; i < node->n_paths; i++) {
		paths[i] = node->paths[i].way.path;
		metrics[i] = node->paths[i].metrics;
	}
	path_choice_update(&node->choice, paths, metrics, node->n_paths, node->carry, now,
			   &decision);
	if (decision.changed) {
		node->changes[node->n_changes++ % STEERING_CHANGES] =
			(struct steering_change){ now, decision.before, decision.order[0],
						  decision.reason };
		steering_note_choice(s, node, &decision);
	}
	differs = decision.n_order != node->decision.n_order ||
		  decision.spread != node->decision.spread ||
		  memcmp(decision.order, node->decision.order, decision.n_order) ||
		  memcmp(decision.second, node->decision.second, decision.n_order);
	node->decision = decision;
	return differs;
}

/* What we lose of the peer's packets: it is to be told. */
static uint32_t loss_in(const struct steering_path *path, uint64_t now)
{
	struct path_loss loss;

	path_stats_loss(&path->stats, now, PATH_WINDOW_MINUTE, &loss);
	return loss.in_ppm;
}

/*
 * The programs must never count with a shorter interval than that of the probes: a longer one is
 * told them first, a shorter one after a reply to probes that came at it.
 */
static bool set_interval(struct steering *s, struct steering_node *node, size_t number,
			 uint64_t now)
{
	struct steering_path *path = &node->paths[number];
	const uint32_t wanted = steering_pace_interval_us(s, node, number);

	path->carries = steering_pace_carries(s, node, number);

	if (wanted != path->interval_us) {
		path->shortened_us = wanted < path->way.interval_us ? now : 0;
		path->interval_us = wanted;
		if (wanted < path->way.interval_us)
			(void)prober_tune(s->prober, node->id, (uint8_t)number, wanted,
					  loss_in(path, now));
	}
	/* With a longer one a path that died just now would count as alive again for a while. */
	if (wanted > path->way.interval_us && path->metrics.alive) {
		path->way.interval_us = wanted;
		return true;
	}
	if (path->shortened_us && path->state.last_reply_ns / 1000 > path->shortened_us) {
		path->shortened_us = 0;
		path->way.interval_us = wanted;
		return true;
	}
	return false;
}

static bool self_changed(struct steering *s)
{
	const struct role_claim before = s->self;

	s->self = s->handlers.self(s->handlers.data);
	return s->self.active != before.active || s->self.generation != before.generation;
}

/* Look at everything; tell the programs if anything differs, or if they are to be told anyway. */
static void look(struct steering *s, bool tell)
{
	const uint64_t now = clock_now_us();
	bool mtu = false;

	tell = self_changed(s) || tell;
	for (size_t i = 0; i < s->n_nodes; i++) {
		measure(s, &s->nodes[i], now);
		steering_pace_hear(s, &s->nodes[i], now);
		if (!s->nodes[i].n_paths)
			continue;
		tell = choose(s, &s->nodes[i], now) || tell;
		mtu = steering_mtu_update(s, &s->nodes[i], now) || mtu;
	}
	if (mtu)
		s->handlers.mtu_changed(s->handlers.data);
	s->stretch = steering_pace_stretch(s);
	tell = tell || mtu;
	for (size_t i = 0; i < s->n_nodes; i++) {
		for (size_t p = 0; p < s->nodes[i].n_paths; p++) {
			tell = set_interval(s, &s->nodes[i], p, now) || tell;
			steering_mtu_search(s, &s->nodes[i], p, now);
		}
	}
	if (tell && apply(s, NULL))
		return;
	/* What was made longer: now that the programs know. */
	for (size_t i = 0; i < s->n_nodes; i++)
		for (size_t p = 0; p < s->nodes[i].n_paths; p++)
			(void)prober_tune(s->prober, s->nodes[i].id, (uint8_t)p,
					  s->nodes[i].paths[p].interval_us,
					  loss_in(&s->nodes[i].paths[p], now));
}

static int tick_due(struct sd_event_source *source, uint64_t usec, void *data)
{
	struct steering *s = data;

	look(s, false);
	sd_event_source_set_time(source, usec + TICK_US > clock_now_us()
						 ? usec + TICK_US
						 : clock_now_us() + TICK_US);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

static void sample_taken(const struct dp_sample *sample, void *data)
{
	struct steering *s = data;
	struct steering_path *path = find_path(s, sample->node, sample->path);
	const struct path_sample taken = {
		.at_us = sample->at_ns / 1000,
		.sequence = sample->sequence - padded_lost(s, sample->node, sample->path),
		.rtt_us = sample->rtt_us,
		.replies = sample->replies,
		.remote_received = sample->remote_received,
		.payload = sample->payload,
	};

	if (path)
		(void)path_stats_sample(&path->stats, &taken); /* the tick tells of a change */
}

/* Without a carrier, or an answer to ARP, requests do not even get to the programs. */
static void path_leaving(uint16_t node, uint8_t number, bool leaves, void *data)
{
	struct steering *s = data;
	struct steering_path *path = find_path(s, node, number);

	if (!path || path->stuck == !leaves)
		return;
	path->stuck = !leaves;
	event_info(EVENT_PATH, "path %u to %s: probes %s", number,
		   steering_node_name(s->config, node),
		   leaves ? "leave again" : "do not leave (no carrier, no neighbour, no route)");
	(void)apply(s, NULL); /* logs */
}

static void payload_found(uint16_t node, uint8_t path, uint16_t payload, void *data)
{
	struct steering *s = data;

	for (size_t i = 0; i < s->n_nodes; i++)
		if (s->nodes[i].id == node && path < s->nodes[i].n_paths)
			steering_mtu_found(s, &s->nodes[i], path, payload);
}

/* ---- start, configuration, end ---- */

static void stop(struct steering *s)
{
	s->tick = sd_event_source_disable_unref(s->tick);
	prober_free(s->prober);
	s->prober = NULL;
	forwarding_free(s->forwarding);
	s->forwarding = NULL;
	programs_close(s->programs);
	s->programs = NULL;
	steering_nodes_free(s->nodes, s->n_nodes);
	s->nodes = NULL;
	s->n_nodes = 0;
	free(s->sites);
	s->sites = NULL;
	free(s->own);
	s->own = NULL;
	s->n_own = 0;
	s->config = NULL;
}

static int start(struct steering *s, const struct config *config)
{
	const struct programs_params params = {
		.image = dataplane_image,
		.image_len = dataplane_image_len,
		.mode = config->node.dataplane,
	};
	struct prober_handlers handlers = {
		.sample = sample_taken,
		.payload = payload_found,
		.leaving = path_leaving,
		.data = s,
	};
	const char *why_not = "";
	int rc;

	rc = programs_open(&params, &s->programs, s->reason);
	if (rc) {
		s->programs = NULL;
		return rc;
	}
	if (programs_adopted(s->programs, &why_not))
		event_info(EVENT_DATAPLANE, "data plane: adopted from an earlier daemon");
	else if (*why_not)
		event_info(EVENT_DATAPLANE,
			   "data plane: begun anew, that of the earlier daemon is of no use: %s",
			   why_not);
	handlers.states = programs_map(s->programs, "dp_path_states");
	rc = prober_new(s->event, programs_map(s->programs, "dp_samples"), &handlers, &s->prober);
	if (!rc)
		rc = sd_event_add_time_relative(s->event, &s->tick, CLOCK_MONOTONIC, TICK_US, 1000,
						tick_due, s);
	if (rc < 0)
		snprintf(s->reason, sizeof(s->reason), "probes: %s", strerror(-rc));
	return rc < 0 ? rc : 0;
}

/* The nodes and maps of a new configuration. */
static int take(struct steering *s, const struct config *config)
{
	struct forwarding_site *sites = calloc(config->mesh.n_sites + 1, sizeof(*sites));
	struct forwarding *forwarding = NULL;
	struct steering_node *nodes = NULL;
	size_t n = 0;
	int rc = sites ? steering_nodes_new(s, config, &nodes, &n) : -ENOMEM;

	if (!rc)
		rc = forwarding_new(config, &forwarding);
	if (rc) {
		steering_nodes_free(nodes, n);
		free(sites);
		snprintf(s->reason, sizeof(s->reason), "%s", strerror(-rc));
		return rc;
	}
	forwarding_free(s->forwarding);
	s->forwarding = forwarding;
	steering_nodes_free(s->nodes, s->n_nodes);
	s->nodes = nodes;
	s->n_nodes = n;
	free(s->sites);
	s->sites = sites;
	s->config = config;
	return 0;
}

static int refresh_devices(struct steering *s)
{
	char(*tunnels)[CONFIG_IFNAME_LEN] = calloc(s->n_nodes * DP_LANES_MAX + 1, sizeof(*tunnels));
	struct programs_devices devices = {
		.wans = (const char(*)[CONFIG_IFNAME_LEN])s->config->node.wans,
		.n_wans = s->config->node.n_wans,
		.lan = s->config->node.lan,
		.tunnels = (const char(*)[CONFIG_IFNAME_LEN])tunnels,
	};
	size_t changes = 0;
	int rc;

	if (!tunnels)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_nodes; i++)
		for (uint8_t lane = 0; lane < DP_LANES_MAX; lane++)
			if (s->nodes[i].lanes >> lane & 1)
				wanted_ifname(s->nodes[i].id, lane, tunnels[devices.n_tunnels++]);
	rc = programs_refresh(s->programs, &devices, &changes);
	free(tunnels);
	if (changes)
		event_info(EVENT_DATAPLANE, "data plane: %zu program%s attached or detached",
			   changes, changes == 1 ? "" : "s");
	return rc;
}

static int resolve(struct steering *s)
{
	unsigned int wans[16];
	size_t n_wans = 0;
	int rc = 0;

	for (size_t i = 0; i < s->config->node.n_wans && n_wans < 16; i++)
		wans[n_wans++] = if_nametoindex(s->config->node.wans[i]);
	for (size_t i = 0; i < s->n_nodes && !rc; i++)
		for (size_t p = 0; p < s->nodes[i].n_paths && !rc; p++)
			rc = forwarding_resolve(s->route, wans, n_wans, &s->nodes[i].paths[p].way,
						1);
	return rc;
}

static int configure_prober(struct steering *s)
{
	const uint16_t base = s->config->mesh.port_base, self = config_self_id(s->config);
	struct prober_path *paths;
	size_t n = 0, max = 1;
	int rc;

	for (size_t i = 0; i < s->n_nodes; i++)
		max += s->nodes[i].n_paths;
	paths = calloc(max, sizeof(*paths));
	if (!paths)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_nodes; i++) {
		for (size_t p = 0; p < s->nodes[i].n_paths; p++) {
			const struct steering_path *path = &s->nodes[i].paths[p];

			paths[n++] = (struct prober_path){
				.node = s->nodes[i].id,
				.number = (uint8_t)p,
				.local = path->way.path.local,
				.remote = path->way.path.remote,
				.ifindex = path->way.hop.ifindex,
				.source_port = (uint16_t)(base + s->nodes[i].id),
				.destination_port = (uint16_t)(base + self),
				.interval_us = path->interval_us,
			};
		}
	}
	rc = prober_configure(s->prober, self, paths, n);
	free(paths);
	return rc;
}

int steering_new(struct sd_event *event, struct netlink *route,
		 const struct steering_handlers *handlers, struct steering **ret_steering)
{
	struct steering *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->event = event;
	s->route = route;
	s->handlers = *handlers;
	*ret_steering = s;
	return 0;
}

void steering_free(struct steering *s)
{
	if (!s)
		return;
	stop(s);
	free(s);
}

static bool has_pins(void)
{
	return !access(DP_PIN_DIR, F_OK);
}

void steering_configure(struct steering *s, const struct config *config)
{
	int rc = 0;

	if (config->node.dataplane == CONFIG_DATAPLANE_OFF) {
		if (s->programs || has_pins())
			(void)steering_down(s); /* logs */
		snprintf(s->reason, sizeof(s->reason), "the configuration says so");
		return;
	}
	if (s->config && s->config != config && s->config->node.dataplane != config->node.dataplane)
		stop(s);
	if (!s->programs)
		rc = start(s, config);
	if (!rc && s->config != config)
		rc = take(s, config);
	if (rc) {
		event_error(EVENT_DATAPLANE,
			    "data plane: not used, tunnels take their direct paths: %s", s->reason);
		stop(s);
		return;
	}
	s->reason[0] = '\0';
	s->problem[0] = '\0';
	rc = resolve(s);
	if (!rc)
		rc = configure_prober(s);
	(void)steering_own_read(s); /* all is told below */
	look(s, true);		    /* before new programs come: they find their maps filled */
	if (!rc)
		rc = refresh_devices(s);
	if (rc) {
		snprintf(s->problem, sizeof(s->problem), "data plane: %s", strerror(-rc));
		event_error(EVENT_DATAPLANE, "%s", s->problem);
	}
}

/* Somebody may have taken programs away, or something in their way has gone. */
static void check_devices(struct steering *s)
{
	const int rc = refresh_devices(s);

	if (rc && rc != s->devices)
		event_error(EVENT_DATAPLANE, "data plane: programs: %s", strerror(-rc));
	s->devices = rc;
}

void steering_check(struct steering *s)
{
	size_t changes = 0;

	if (!s->programs || !s->config)
		return;
	check_devices(s);
	(void)steering_own_read(s);
	if (apply(s, NULL)) /* what is new of our own; it logs */
		return;
	forwarding_forget(s->forwarding, CHECK_ENTRIES_MAX);
	if (!apply(s, &changes) && changes)
		event_info(EVENT_REPAIR, "data plane: %zu entr%s of maps repaired", changes,
			   changes == 1 ? "y" : "ies");
}

void steering_announce(struct steering *s)
{
	if (!s || !s->programs || !s->config)
		return;
	look(s, true);
	prober_announce(s->prober);
}

int steering_down(struct steering *s)
{
	char reason[PROGRAMS_REASON_LEN];
	int rc;

	if (s)
		stop(s);
	rc = programs_down(reason);
	if (rc)
		event_error(EVENT_DATAPLANE, "data plane: %s", reason);
	return rc;
}
