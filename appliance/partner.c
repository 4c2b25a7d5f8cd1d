/* SPDX-License-Identifier: GPL-2.0-only */
#include "partner.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon.h"
#include "pair.h"
#include "partner_mac.h"
#include "wanted.h"
#include "wireguard.h"

static json_t *tunnel_status(const struct daemon *d, const char *ifname)
{
	struct state_tunnel tunnel = { .engine = d->engine };
	struct wireguard_stats stats = { 0 };
	char addr[IP_ADDR_STRLEN], endpoint[IP_ADDR_STRLEN + 8];
	json_t *json = json_object();
	int rc;

	snprintf(tunnel.ifname, sizeof(tunnel.ifname), "%s", ifname);
	rc = wireguard_read(&tunnel, &stats);
	json_object_set_new(json, "interface", json_string(ifname));
	if (rc)
		json_object_set_new(json, "error",
				    json_string(rc == -ETIMEDOUT ? "its engine does not answer"
								 : strerror(-rc)));
	ip_addr_format(&stats.endpoint, addr);
	snprintf(endpoint, sizeof(endpoint), stats.endpoint.family == IP_V6 ? "[%s]:%u" : "%s:%u",
		 addr, stats.endpoint_port);
	json_object_set_new(json, "endpoint",
			    stats.endpoint.family ? json_string(endpoint) : json_null());
	json_object_set_new(json, "handshake_age_s",
			    stats.last_handshake_s
				    ? json_integer((json_int_t)time(NULL) - stats.last_handshake_s)
				    : json_null());
	json_object_set_new(json, "rx_bytes", json_integer((json_int_t)stats.rx_bytes));
	json_object_set_new(json, "tx_bytes", json_integer((json_int_t)stats.tx_bytes));
	return json;
}

static void add_problems(const struct beacon_peer *peer, const char *name, json_t *tunnel,
			 json_t *problems)
{
	const char *ifname = json_string_value(json_object_get(tunnel, "interface"));
	const char *error = json_string_value(json_object_get(tunnel, "error"));

	if (error)
		json_array_append_new(problems, json_sprintf("tunnel %s to the partner %s: %s",
							     ifname, name, error));
	else if (!peer->alive)
		json_array_append_new(
			problems,
			json_sprintf("partner %s says no hello on the LAN (by %s%s)", name, ifname,
				     json_is_null(json_object_get(tunnel, "handshake_age_s"))
					     ? ", no handshake yet"
					     : ""));
	if (peer->received && peer->differs)
		json_array_append_new(
			problems,
			json_sprintf("partner %s has another mesh.yaml; 'netpas sync' on the "
				     "gateway whose file is right makes them one",
				     name));
}

json_t *partner_status(struct daemon *d, json_t *problems)
{
	const struct beacon_peer *peer = d->config->is_relay ? NULL : beacon_partner(d->beacon);
	char ifname[CONFIG_IFNAME_LEN], digest[20], mac[PARTNER_MAC_STRLEN];
	const char *name;
	json_t *json;

	if (!peer)
		return json_null();
	name = d->config->mesh.sites[peer->site].gateways[peer->gateway].name;
	wanted_ifname(peer->id, 0, ifname);
	json = tunnel_status(d, ifname);
	add_problems(peer, name, json, problems);
	if (*pair_problem(d->pair))
		json_array_append_new(problems, json_string(pair_problem(d->pair)));
	snprintf(digest, sizeof(digest), "%016llx", (unsigned long long)peer->digest);
	json_object_set_new(json, "name", json_string(name));
	json_object_set_new(json, "id", json_integer(peer->id));
	json_object_set_new(json, "port", json_integer(d->config->mesh.port_base));
	json_object_set_new(json, "alive", json_boolean(peer->alive));
	json_object_set_new(json, "role", json_string(peer->active ? "active" : "standby"));
	json_object_set_new(json, "generation", json_integer((json_int_t)peer->generation));
	json_object_set_new(json, "digest", peer->received ? json_string(digest) : json_null());
	json_object_set_new(json, "config_matches", json_boolean(peer->received && !peer->differs));
	json_object_set_new(json, "vrrp_mac",
			    partner_mac_format(d, mac) ? json_string(mac) : json_null());
	json_object_set_new(json, "rtt_ms",
			    peer->rtt_us ? json_real(peer->rtt_us / 1000.0) : json_null());
	return json;
}
