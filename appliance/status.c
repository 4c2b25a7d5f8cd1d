/* SPDX-License-Identifier: GPL-2.0-only */
#include "status.h"

#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cloud_agent.h"
#include "daemon.h"
#include "event_log.h"
#include "health_monitor.h"
#include "link.h"
#include "mtu.h"
#include "nft_table.h"
#include "partner.h"
#include "rolling_node.h"
#include "steering.h"
#include "switchover.h"
#include "usage_agent.h"
#include "wanted.h"
#include "web_agent.h"
#include "wireguard.h"

#define ENGINE_PATIENCE_MS 200 /* who asks for the status waits, and everything else with it */
#define HANDSHAKE_STALE_S 180  /* WireGuard's Reject-After-Time: no session is older */

static void add_problem(json_t *problems, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void add_problem(json_t *problems, const char *fmt, ...)
{
	char text[640];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args); /* a cut message is better than none */
	va_end(args);
	json_array_append_new(problems, json_string(text));
}

static json_t *make_vips(const struct daemon *d, json_t *problems)
{
	const struct config_site *site = config_self_site(d->config);
	const bool active = role_holds(vrrp_role(d->vrrp));
	json_t *vips = json_array();
	char text[IP_ADDR_STRLEN];

	for (size_t i = 0; i < site->n_vips; i++) {
		const bool held = vrrp_holds(d->vrrp, &site->vips[i]);

		ip_addr_format(&site->vips[i], text);
		json_array_append_new(vips, json_pack("{s:s, s:b}", "address", text, "held", held));
		if (held != active)
			add_problem(problems, "vip %s is %s although this gateway is %s", text,
				    held ? "held" : "not held",
				    role_state_names[vrrp_role(d->vrrp)->state]);
	}
	return vips;
}

static json_t *make_tunnel(struct daemon *d, const struct beacon_peer *peer, uint8_t lane,
			   json_t *problems)
{
	const struct config_policy policy = config_policy_with(d->config, peer->site);
	const bool first = lane == config_policy_lane(&d->config->mesh, &policy);
	const struct config_site *site = &d->config->mesh.sites[peer->site];
	const char *name = site->gateways[peer->gateway].name;
	struct state_tunnel tunnel = { .engine = d->engine };
	struct wireguard_stats stats = { 0 };
	char endpoint[IP_ADDR_STRLEN + 8], addr[IP_ADDR_STRLEN];
	json_t *age = NULL, *rtt = NULL;
	int64_t seconds = 0;
	bool alive;
	int rc;

	wanted_ifname(peer->id, lane, tunnel.ifname);
	alive = peer->alive &&
		(first || beacon_lane(d->beacon, peer->id, lane, if_nametoindex(tunnel.ifname)) ==
				  BEACON_LANE_WORKS);
	rc = d->engine == STATE_ENGINE_USER &&
			     !wireguard_uapi_answers(tunnel.ifname, ENGINE_PATIENCE_MS)
		     ? -ETIMEDOUT
		     : wireguard_read(&tunnel, &stats);
	if (rc)
		add_problem(problems, "tunnel %s to %s: %s", tunnel.ifname, name,
			    rc == -ETIMEDOUT ? "its engine does not answer" : strerror(-rc));
	if (stats.last_handshake_s) {
		seconds = (int64_t)time(NULL) - stats.last_handshake_s;
		age = json_integer(seconds);
	}
	if (!rc && (!stats.last_handshake_s || seconds > HANDSHAKE_STALE_S))
		add_problem(problems, "tunnel %s to %s: no handshake%s", tunnel.ifname, name,
			    stats.last_handshake_s ? " for three minutes" : " yet");
	else if (!rc && !peer->alive && first)
		add_problem(problems, "peer %s says no hello (is its netpasd running?)", name);
	else if (!rc && peer->alive && !alive)
		add_problem(problems, "tunnel %s to %s: no hello by it; lane %u is not used",
			    tunnel.ifname, name, lane);
	if (first && peer->received && peer->digest != d->config->digest)
		add_problem(problems, "peer %s has another mesh.yaml", name);
	if (peer->rtt_us)
		rtt = json_real(peer->rtt_us / 1000.0);
	ip_addr_format(&stats.endpoint, addr);
	snprintf(endpoint, sizeof(endpoint), stats.endpoint.family == IP_V6 ? "[%s]:%u" : "%s:%u",
		 addr, stats.endpoint_port);
	return json_pack(
		"{s:s, s:s, s:i, s:s, s:i, s:s, s:s?, s:o?, s:I, s:I, s:b, s:s, s:I, s:o?, "
		"s:b}",
		"interface", tunnel.ifname, "peer", name, "peer_id", (int)peer->id, "site",
		site->name, "lane", (int)lane, "class",
		config_class_names[d->config->mesh.lanes[lane]], "endpoint",
		stats.endpoint.family ? endpoint : NULL, "handshake_age_s", age ? age : json_null(),
		"rx_bytes", (json_int_t)stats.rx_bytes, "tx_bytes", (json_int_t)stats.tx_bytes,
		"alive", alive, "role", peer->active ? "active" : "standby", "generation",
		(json_int_t)peer->generation, "rtt_ms", rtt ? rtt : json_null(), "config_matches",
		peer->digest == d->config->digest);
}

/* What runs it, where that is a process. */
static void add_program(const struct daemon *d, json_t *tunnel)
{
	char name[ENGINE_NAME_LEN];

	engines_program(d->kernel.engines, json_string_value(json_object_get(tunnel, "interface")),
			name);
	if (*name)
		json_object_set_new(tunnel, "program", json_string(name));
}

static void add_mtu(const struct daemon *d, uint16_t peer_id, json_t *tunnel)
{
	char reason[STEERING_REASON_LEN];

	json_object_set_new(tunnel, "mtu", json_integer(mtu_in_force(d, peer_id)));
	json_object_set_new(tunnel, "mtu_reason",
			    json_string(steering_mtu_reason(d->steering, peer_id, reason)));
}

static json_t *make_tunnels(struct daemon *d, json_t *problems)
{
	const struct beacon_peer *peers;
	json_t *tunnels = json_array();
	size_t n;

	peers = beacon_peers(d->beacon, &n);
	for (size_t i = 0; i < n; i++) {
		const struct config_policy policy = config_policy_with(d->config, peers[i].site);
		const unsigned int lanes = config_policy_lanes(&d->config->mesh, &policy);

		for (uint8_t lane = 0; lane < CONFIG_LANES_MAX; lane++) {
			json_t *tunnel;

			if (!(lanes >> lane & 1))
				continue;
			tunnel = make_tunnel(d, &peers[i], lane, problems);
			add_mtu(d, peers[i].id, tunnel);
			add_program(d, tunnel);
			json_array_append_new(tunnels, tunnel);
		}
	}
	return tunnels;
}

/* A site of which no gateway is alive gets nothing through. */
static bool site_alive(const struct daemon *d, size_t site)
{
	const struct beacon_peer *peers;
	size_t n;

	peers = beacon_peers(d->beacon, &n);
	for (size_t i = 0; i < n; i++)
		if (peers[i].site == site && peers[i].alive)
			return true;
	return false;
}

static json_t *make_sites(const struct daemon *d, json_t *problems)
{
	json_t *sites = json_array();

	for (size_t i = 0; i < d->config->mesh.n_sites; i++) {
		const struct config_site *site = &d->config->mesh.sites[i];
		const struct daemon_choice *choice = &d->choices[i];
		const bool connect = config_policy_with(d->config, i).connect;

		if (d->config->is_relay || i == d->config->self_site)
			continue;
		json_array_append_new(
			sites,
			json_pack("{s:s, s:I, s:b, s:s?, s:s}", "name", site->name, "subnets",
				  (json_int_t)site->n_subnets, "connected", connect, "gateway",
				  connect ? site->gateways[choice->gateway].name : NULL, "reason",
				  connect ? follow_reason_names[choice->reason] : "not connected"));
		if (connect && !site_alive(d, i))
			add_problem(problems, "site %s: none of its gateways is alive", site->name);
	}
	return sites;
}

/* What the fast path carries never meets the filter; it counts as what it would have been there. */
static json_t *make_counters(struct daemon *d, json_t *problems)
{
	struct steering_count to_mesh, from_mesh;
	json_t *counters = json_object();
	struct nft_counter *list = NULL;
	size_t n = 0;
	int rc = nft_counters(d->kernel.nft, &list, &n);

	if (rc)
		add_problem(problems, "nftables counters: %s", strerror(-rc));
	steering_carried(d->steering, &to_mesh, &from_mesh);
	for (size_t i = 0; i < n; i++) {
		struct steering_count fast = { 0 };

		if (!strcmp(list[i].name, nft_count_names[NFT_COUNT_TO_MESH]))
			fast = to_mesh;
		else if (!strcmp(list[i].name, nft_count_names[NFT_COUNT_FROM_MESH]))
			fast = from_mesh;
		json_object_set_new(counters, list[i].name,
				    json_pack("{s:I, s:I}", "packets",
					      (json_int_t)(list[i].packets + fast.packets), "bytes",
					      (json_int_t)(list[i].bytes + fast.bytes)));
	}
	free(list);
	return counters;
}

static void check_links(struct daemon *d, json_t *problems)
{
	struct link_info info;

	for (size_t i = 0; i < d->config->node.n_wans + 1; i++) {
		const char *name = i ? d->config->node.wans[i - 1] : d->config->node.lan;
		const char *what = i ? "WAN" : "LAN";

		if (!i && d->config->is_relay)
			continue;
		if (link_get(d->kernel.route, name, &info))
			add_problem(problems, "%s interface %s does not exist", what, name);
		else if (!info.up)
			add_problem(problems, "%s interface %s is down", what, name);
		else if (!info.running)
			add_problem(problems, "%s interface %s has no carrier", what, name);
	}
}

json_t *status_make(struct daemon *d)
{
	const bool relay = d->config->is_relay;
	const struct role *role = vrrp_role(d->vrrp);
	const bool vrrp = !relay && vrrp_running(d->vrrp);
	json_t *ret, *problems = json_array(), *ha, *vips, *partner, *tunnels, *sites, *dataplane,
		     *counters, *health, *cloud, *usage;
	char digest[20], loaded[32];
	const time_t at = (time_t)d->loaded_s;
	struct tm tm;

	snprintf(digest, sizeof(digest), "%016llx", (unsigned long long)d->config->digest);
	strftime(loaded, sizeof(loaded), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&at, &tm));
	if (*d->problem)
		add_problem(problems, "%s", d->problem);
	if (!relay && !vrrp)
		add_problem(problems, "keepalived is not running");
	check_links(d, problems);
	event_log_check(d->events, problems);
	ha = relay ? NULL : switchover_status(d, problems);
	vips = vrrp ? make_vips(d, problems) : json_array();
	partner = partner_status(d, problems);
	tunnels = make_tunnels(d, problems);
	sites = make_sites(d, problems);
	dataplane = steering_status(d->steering, problems);
	counters = make_counters(d, problems);
	health = health_monitor_status(d->health, problems);
	cloud = cloud_agent_status(d->cloud, problems);
	rolling_node_problems(d, problems);
	web_agent_problems(d->web, problems);
	usage = usage_agent_status(d->usage, problems);
	ret = json_pack("{s:s, s:i, s:s?, s:s, s:s, s:I, s:s, s:{s:s, s:s}, s:o, s:o, s:o, s:o, "
			"s:o, s:o}",
			"node", d->config->node.name, "id", (int)config_self_id(d->config), "site",
			relay ? NULL : config_self_site(d->config)->name, "version", NETPAS_VERSION,
			"role", relay ? "relay" : role_state_names[role->state], "generation",
			(json_int_t)role->generation, "engine",
			relay ? "none" : state_engine_names[d->engine], "config", "digest", digest,
			"loaded", loaded, "vips", vips, "tunnels", tunnels, "sites", sites,
			"dataplane", dataplane, "counters", counters, "problems", problems);
	if (relay) {
		json_object_set_new(ret, "relayed", steering_relayed(d->steering));
	} else {
		json_object_set_new(ret, "ha", ha);
		json_object_set_new(ret, "engine_reason", json_string(d->engine_reason));
	}
	json_object_set_new(ret, "health", health);
	if (cloud)
		json_object_set_new(ret, "cloud", cloud);
	if (usage)
		json_object_set_new(ret, "usage", usage);
	if (partner)
		json_object_set_new(ret, "partner", partner);
	return ret;
}
