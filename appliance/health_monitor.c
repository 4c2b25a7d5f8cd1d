/* SPDX-License-Identifier: GPL-2.0-only */
#include "health_monitor.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "daemon.h"
#include "event.h"
#include "file.h"
#include "health.h"
#include "health_disk.h"
#include "health_engine.h"
#include "health_lan.h"
#include "log.h"
#include "memory.h"
#include "steering.h"
#include "timekeeper.h"
#include "wanted.h"

#define LOOK_US 100000u
#define MEMORY_US 2000000u
#define LANES_US 1000000u
#define YIELD_US 2500000u

/*
 * From the start until so much later nothing is taken for dead that was not heard yet, and what an
 * earlier daemon had found goes on counting: it may still be so.
 */
#define SETTLE_US 5000000u
#define FAILURES_MANY 2 /* repairs that failed in a row */

struct health_monitor {
	struct daemon *daemon;
	const struct config *config;
	struct sd_event_source *timer;
	struct health health;
	struct health_lan *lan;
	struct health_engine *engine;
	struct health_disk *disk;
	struct timekeeper clock;
	uint64_t started_us, memory_us, lanes_us;
	bool heard; /* any remote gateway since the start */
	bool memory_short;
	bool isolated;
	char memory_reason[HEALTH_REASON_LEN];
};

static bool settled(const struct health_monitor *m, uint64_t now)
{
	return now - m->started_us >= SETTLE_US;
}

/* ---- evidence: true if it is bad, with the reason ---- */

static bool lan_bad(struct health_monitor *m, uint64_t now, char reason[static HEALTH_REASON_LEN])
{
	(void)now;
	return !m->config->is_relay && health_lan_dead(m->lan, reason, HEALTH_REASON_LEN);
}

/*
 * Nobody who is reached by several ways is dead at once; but one far site may be, and then its partner
 * says nothing about us. HEALTH_REMOTE counts that.
 */
static bool wan_bad(struct health_monitor *m, uint64_t now, char reason[static HEALTH_REASON_LEN])
{
	struct steering_wan wan;

	(void)now;
	steering_wan(m->daemon->steering, &wan);
	if (!wan.known || wan.ends_alive)
		return false;
	if (wan.stuck) {
		snprintf(reason, HEALTH_REASON_LEN,
			 "probes do not leave (no carrier, neighbour, route or program)");
		return true;
	}
	snprintf(reason, HEALTH_REASON_LEN, "none of %u sites and relays is reached or heard",
		 wan.ends);
	return wan.ends > 1;
}

static bool peer_silent(const struct health_monitor *m, const struct beacon_peer *peer)
{
	return !peer->alive && (peer->received || settled(m, clock_now_us())) &&
	       (m->config->node.dataplane == CONFIG_DATAPLANE_OFF ||
		steering_reaches(m->daemon->steering, peer->id));
}

/* Every lane is a tunnel with an engine of its own; but by the first one the peer lives. */
static void suspect_engines(struct health_monitor *m, const struct beacon_peer *peer, bool all)
{
	const struct config_policy policy = config_policy_with(m->config, peer->site);
	const unsigned int lanes = config_policy_lanes(&m->config->mesh, &policy);
	const uint8_t first = config_policy_lane(&m->config->mesh, &policy);

	for (uint8_t lane = 0; lane < CONFIG_LANES_MAX; lane++) {
		char ifname[CONFIG_IFNAME_LEN];
		bool silent = peer_silent(m, peer);

		if (!(lanes >> lane & 1) || (lane != first && !all))
			continue;
		wanted_ifname(peer->id, lane, ifname);
		if (lane != first)
			silent = beacon_lane(m->daemon->beacon, peer->id, lane,
					     if_nametoindex(ifname)) == BEACON_LANE_SILENT;
		health_engine_see(m->engine, ifname, silent);
	}
}

static const char *peer_name(const struct health_monitor *m, const struct beacon_peer *peer)
{
	return m->config->mesh.sites[peer->site].gateways[peer->gateway].name;
}

static bool engine_bad(struct health_monitor *m, uint64_t now,
		       char reason[static HEALTH_REASON_LEN])
{
	const bool all = now - m->lanes_us >= LANES_US;
	const struct beacon_peer *peers;
	size_t n;

	if (m->config->is_relay || m->daemon->engine != STATE_ENGINE_USER)
		return false;
	if (all)
		m->lanes_us = now;
	peers = beacon_peers(m->daemon->beacon, &n);
	for (size_t i = 0; i < n; i++)
		suspect_engines(m, &peers[i], all);
	if (all)
		health_engine_forget(m->engine, now);
	return health_engine_hung(m->engine, reason, HEALTH_REASON_LEN);
}

/*
 * Packets for a site go to the gateway that claims to be active, so its tunnel is needed. Both ends see
 * that it is silent, and one of them giving its VIPs up is enough: the one with the higher id
 * waits for the other's claim to end.
 */
static bool tunnel_bad(struct health_monitor *m, uint64_t now,
		       char reason[static HEALTH_REASON_LEN])
{
	const struct beacon_peer *peers;
	size_t n;

	if (m->config->is_relay)
		return false;
	peers = beacon_peers(m->daemon->beacon, &n);
	for (size_t i = 0; i < n; i++) {
		const bool yields = config_self_id(m->config) > peers[i].id;

		if (!peer_silent(m, &peers[i]) ||
		    (yields && now - peers[i].received_us < YIELD_US) ||
		    !steering_hears_active(m->daemon->steering, peers[i].id))
			continue;
		snprintf(reason, HEALTH_REASON_LEN,
			 "no hello by the tunnel to %s, which is active and probes this gateway",
			 peer_name(m, &peers[i]));
		return true;
	}
	return false;
}

static bool remote_bad(struct health_monitor *m, uint64_t now,
		       char reason[static HEALTH_REASON_LEN])
{
	const struct beacon_peer *peers;
	bool alive = false;
	size_t n;

	if (m->config->is_relay)
		return false;
	peers = beacon_peers(m->daemon->beacon, &n);
	for (size_t i = 0; i < n; i++)
		alive = alive || peers[i].alive;
	m->heard = m->heard || alive;
	snprintf(reason, HEALTH_REASON_LEN, "none of %zu remote gateways says hello", n);
	return n && !alive && (m->heard || settled(m, now));
}

static bool programs_bad(struct health_monitor *m, uint64_t now,
			 char reason[static HEALTH_REASON_LEN])
{
	(void)now;
	return m->config->node.dataplane != CONFIG_DATAPLANE_OFF &&
	       steering_incomplete(m->daemon->steering, reason, HEALTH_REASON_LEN);
}

static bool repair_bad(struct health_monitor *m, uint64_t now,
		       char reason[static HEALTH_REASON_LEN])
{
	(void)now;
	snprintf(reason, HEALTH_REASON_LEN, "%.150s", m->daemon->problem);
	return m->daemon->failures >= FAILURES_MANY;
}

static bool read_text(const char *path, char *buf, size_t size)
{
	FILE *file = fopen(path, "re");
	size_t len;

	if (!file)
		return false;
	len = fread(buf, 1, size - 1, file);
	buf[len] = '\0';
	fclose(file);
	return len > 0;
}

static bool memory_bad(struct health_monitor *m, uint64_t now,
		       char reason[static HEALTH_REASON_LEN])
{
	char info[4096], pressure[512];

	if (now - m->memory_us >= MEMORY_US) {
		const bool has_info = read_text("/proc/meminfo", info, sizeof(info));
		/* Kernels without it do not have the file, or nothing in it. */
		const bool has_pressure =
			read_text("/proc/pressure/memory", pressure, sizeof(pressure));

		m->memory_us = now;
		m->memory_short =
			memory_short(has_info ? info : NULL, has_pressure ? pressure : NULL,
				     m->memory_reason, sizeof(m->memory_reason));
	}
	memcpy(reason, m->memory_reason, HEALTH_REASON_LEN);
	return m->memory_short;
}

static bool keepalived_bad(struct health_monitor *m, uint64_t now,
			   char reason[static HEALTH_REASON_LEN])
{
	(void)now;
	return !m->config->is_relay && vrrp_fails(m->daemon->vrrp, reason, HEALTH_REASON_LEN);
}

static int64_t read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static bool clock_bad(struct health_monitor *m, uint64_t now, char reason[static HEALTH_REASON_LEN])
{
	const int64_t boot_us = read_clock(CLOCK_BOOTTIME), day_us = read_clock(CLOCK_REALTIME);
	const int64_t step_us = timekeeper_read(&m->clock, day_us, boot_us);
	const int64_t behind_us = timekeeper_behind_us(&m->clock, day_us);

	(void)now;
	if (step_us)
		event_warning(EVENT_CLOCK, "clock: stepped by %+.3f s", (double)step_us / 1e6);
	snprintf(reason, HEALTH_REASON_LEN,
		 "stepped back; peers refuse our handshakes for %lld s from then",
		 (long long)(behind_us / 1000000));
	return behind_us > 0;
}

static bool disk_bad(struct health_monitor *m, uint64_t now, char reason[static HEALTH_REASON_LEN])
{
	(void)now;
	return health_disk_fails(m->disk, reason, HEALTH_REASON_LEN);
}

static bool (*const evidence[HEALTH_FAULT_MAX])(struct health_monitor *m, uint64_t now,
						char reason[static HEALTH_REASON_LEN]) = {
	[HEALTH_LAN] = lan_bad,
	[HEALTH_WAN] = wan_bad,
	[HEALTH_ENGINE] = engine_bad,
	[HEALTH_TUNNEL] = tunnel_bad,
	[HEALTH_REMOTE] = remote_bad,
	[HEALTH_PROGRAMS] = programs_bad,
	[HEALTH_REPAIR] = repair_bad,
	[HEALTH_MEMORY] = memory_bad,
	[HEALTH_KEEPALIVED] = keepalived_bad,
	[HEALTH_CLOCK] = clock_bad,
	[HEALTH_DISK] = disk_bad,
};

/* ---- verdict ---- */

static void log_change(const struct health_monitor *m, enum health_fault fault,
		       enum health_state before)
{
	const struct health_entry *entry = &m->health.entries[fault];
	const char *name = health_rules[fault].name;

	if (entry->state == before)
		return;
	if (entry->state == HEALTH_BAD)
		event_warning(EVENT_HEALTH, "health: %s: %s -> fault (%s)", name,
			      health_state_names[before], entry->reason);
	else if (entry->state == HEALTH_RECOVERING || before == HEALTH_RECOVERING)
		event_info(EVENT_HEALTH, "health: %s: %s -> %s", name, health_state_names[before],
			   health_state_names[entry->state]);
	else
		log_debug("health: %s: %s -> %s (%s)", name, health_state_names[before],
			  health_state_names[entry->state], entry->reason);
}

static bool isolate(struct health_monitor *m)
{
	const bool before = m->isolated;

	m->isolated = health_counts(&m->health, HEALTH_LAN);
	if (m->isolated == before)
		return false;
	event_warning(EVENT_ROLE, "role: %s",
		      m->isolated ? "not claimed towards other sites: the LAN is dead"
				  : "claimed again as VRRP has it: the LAN is back");
	return true;
}

static void act(struct health_monitor *m, uint64_t now)
{
	const unsigned int severity = health_severity(&m->health);

	if (m->config->is_relay)
		return;
	if (settled(m, now) || severity >= vrrp_severity(m->daemon->vrrp))
		vrrp_set_severity(m->daemon->vrrp, severity);
	if (!isolate(m))
		return;
	daemon_announce(m->daemon);
}

void health_monitor_look(struct health_monitor *m)
{
	enum health_state before[HEALTH_FAULT_MAX];
	const uint64_t now = clock_now_us();
	bool active;

	if (!m || !m->config)
		return;
	active = vrrp_role(m->daemon->vrrp)->state == ROLE_ACTIVE;
	for (enum health_fault fault = 0; fault < HEALTH_FAULT_MAX; fault++) {
		char reason[HEALTH_REASON_LEN] = "";
		const bool bad = evidence[fault](m, now, reason);

		before[fault] = m->health.entries[fault].state;
		(void)health_see(&m->health, fault, bad, reason, now); /* told below */
	}
	(void)health_wait(&m->health, active, now);
	for (enum health_fault fault = 0; fault < HEALTH_FAULT_MAX; fault++)
		log_change(m, fault, before[fault]);
	act(m, now);
}

static int look_due(struct sd_event_source *source, uint64_t usec, void *data)
{
	(void)usec;
	health_monitor_look(data);
	sd_event_source_set_time_relative(source, LOOK_US);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

bool health_monitor_isolated(const struct health_monitor *m)
{
	return m && m->isolated;
}

/* ---- start, configuration, end ---- */

int health_monitor_configure(struct health_monitor *m, const struct config *config)
{
	m->config = config;
	if (config->is_relay)
		return 0;
	m->health.advert_ms = config_self_site(config)->advert_ms;
	return health_lan_configure(m->lan, config);
}

int health_monitor_new(struct daemon *daemon, struct health_monitor **ret_monitor)
{
	struct health_monitor *m = calloc(1, sizeof(*m));
	int rc;

	if (!m)
		return -ENOMEM;
	m->daemon = daemon;
	m->started_us = clock_now_us();
	rc = health_lan_new(daemon->event, daemon->kernel.route, &m->lan);
	if (!rc)
		rc = health_engine_new(daemon->event, daemon->kernel.engines, &m->engine);
	if (!rc)
		rc = health_disk_new(daemon->event, daemon->paths.state_dir, &m->disk);
	if (!rc)
		rc = sd_event_add_time_relative(daemon->event, &m->timer, CLOCK_MONOTONIC, LOOK_US,
						1000, look_due, m);
	if (rc < 0) {
		health_monitor_free(m);
		return rc;
	}
	*ret_monitor = m;
	return 0;
}

void health_monitor_free(struct health_monitor *m)
{
	if (!m)
		return;
	sd_event_source_disable_unref(m->timer);
	health_lan_free(m->lan);
	health_engine_free(m->engine);
	health_disk_free(m->disk);
	free(m);
}

/* ---- status ---- */

static json_t *make_fault(const struct health_monitor *m, enum health_fault fault, uint64_t now)
{
	const struct health_entry *entry = &m->health.entries[fault];
	const struct health_rule *rule = &health_rules[fault];
	const uint64_t since_us = entry->since_us ?: m->started_us;
	const time_t at = time(NULL) - (time_t)((now - since_us) / 1000000);
	char text[32];
	struct tm tm;

	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&at, &tm));
	return json_pack("{s:s, s:s, s:s, s:i, s:b, s:s, s:f, s:s}", "fault", rule->name, "title",
			 rule->title, "state", health_state_names[entry->state], "severity",
			 (int)rule->severity, "counts", health_counts(&m->health, fault), "since",
			 text, "since_s", (double)(now - since_us) / 1e6, "reason",
			 entry->state == HEALTH_OK ? "" : entry->reason);
}

json_t *health_monitor_status(const struct health_monitor *m, json_t *problems)
{
	const uint64_t now = clock_now_us();
	json_t *faults = json_array();

	for (enum health_fault fault = 0; fault < HEALTH_FAULT_MAX; fault++) {
		const struct health_entry *entry = &m->health.entries[fault];
		char text[HEALTH_REASON_LEN + 64];

		json_array_append_new(faults, make_fault(m, fault, now));
		if (entry->state != HEALTH_BAD)
			continue;
		snprintf(text, sizeof(text), "%s: %s", health_rules[fault].title, entry->reason);
		json_array_append_new(problems, json_string(text));
	}
	return json_pack("{s:i, s:b, s:o, s:o}", "severity", (int)health_severity(&m->health),
			 "isolated", m->isolated, "faults", faults, "lan_neighbours",
			 !m->config || m->config->is_relay ? json_array()
							   : health_lan_status(m->lan));
}
