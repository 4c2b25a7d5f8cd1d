/* SPDX-License-Identifier: GPL-2.0-only */
#include "web_metrics.h"

#include <string.h>

#include "metric_writer.h"
#include "web_metrics_usage.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define G METRIC_G
#define C METRIC_C

static const char *const refusal_names[WEB_REFUSAL_MAX] = {
	[WEB_REFUSAL_ADDRESS] = "address", [WEB_REFUSAL_CONNECTIONS] = "connections",
	[WEB_REFUSAL_TOKEN] = "token",	   [WEB_REFUSAL_SLOW] = "slow",
	[WEB_REFUSAL_REQUEST] = "request",
};

static const struct metric_row view_rows[] = {
	G("netpas_generation", "status/generation", 1,
	  "Number of this node's last claim to be active."),
	G("netpas_ha_severity", "status/ha/severity", 1,
	  "How bad this gateway is off for failover; 0 is well."),
	G("netpas_ha_drained", "status/ha/drained", 1,
	  "1 if the gateway is drained for maintenance."),
	G("netpas_ha_realtime", "status/ha/realtime", 1, "1 if keepalived has real-time priority."),
	G("netpas_ha_advert_interval_seconds", "status/ha/advert_ms", MS, "Between VRRP adverts."),
	G("netpas_ha_recent_claims", "status/ha/claims_2min", 1,
	  "How often this gateway became active unasked in two minutes."),
	G("netpas_ha_damping_seconds", "status/ha/held_s", 1,
	  "For how much longer the role is left to the other gateway, as it moved too often."),
	G("netpas_health_severity", "status/health/severity", 1, "Sum of the faults that count."),
	G("netpas_health_isolated", "status/health/isolated", 1,
	  "1 if the gateway cannot reach its LAN."),
	G("netpas_dataplane_on", "status/dataplane/on", 1, "1 if the BPF programs are in use."),
	G("netpas_probe_stretch_ratio", "paths/stretch", 1,
	  "How many times more seldom probes are sent than configured, to bound their cost."),
	G("netpas_cloud_held", "status/cloud/held", 1,
	  "1 if the cloud agrees that what moves is here."),
	G("netpas_cloud_generation", "status/cloud/generation", 1,
	  "Number of the claim at the cloud."),
	G("netpas_cloud_rival_generation", "status/cloud/rival_generation", 1,
	  "Highest claim of another node at the cloud."),
	G("netpas_view_duration_seconds", "took_s", 1, "Time that netpasd took to say all this."),
};

static const struct metric_row partner_rows[] = {
	G("netpas_partner_alive", "alive", 1,
	  "1 if the other gateway of the site is heard on the LAN."),
	G("netpas_partner_config_matches", "config_matches", 1, "1 if it has the same mesh.yaml."),
	G("netpas_partner_generation", "generation", 1, "Number of its last claim."),
	G("netpas_partner_handshake_age_seconds", "handshake_age_s", 1,
	  "Since the last WireGuard handshake with it."),
	G("netpas_partner_rtt_seconds", "rtt_ms", MS, "Round trip of the last hello."),
	C("netpas_partner_received_bytes", "rx_bytes", 1, "WireGuard bytes from it."),
	C("netpas_partner_sent_bytes", "tx_bytes", 1, "WireGuard bytes to it."),
};

static const struct metric_row tunnel_rows[] = {
	G("netpas_tunnel_alive", "alive", 1, "1 if hellos come by the tunnel."),
	G("netpas_tunnel_handshake_age_seconds", "handshake_age_s", 1,
	  "Since the last WireGuard handshake."),
	G("netpas_tunnel_rtt_seconds", "rtt_ms", MS, "Round trip of the last hello."),
	G("netpas_tunnel_mtu_bytes", "mtu", 1, "MTU in force."),
	C("netpas_tunnel_received_bytes", "rx_bytes", 1, "WireGuard bytes received."),
	C("netpas_tunnel_sent_bytes", "tx_bytes", 1, "WireGuard bytes sent."),
	G("netpas_tunnel_peer_generation", "generation", 1, "Number of the peer's last claim."),
	G("netpas_tunnel_config_matches", "config_matches", 1,
	  "1 if the peer has the same mesh.yaml."),
};

static const struct metric_row site_rows[] = {
	G("netpas_site_connected", "connected", 1, "0 if a policy keeps the sites apart."),
	G("netpas_site_subnets", "subnets", 1, "Subnets of the site."),
};

static const struct metric_row peer_rows[] = {
	G("netpas_peer_path", "path", 1, "Number of the path in use to the peer."),
	G("netpas_peer_path_age_seconds", "since_s", 1, "Since that path was taken."),
	G("netpas_peer_mtu_bytes", "mtu/tunnel", 1, "Tunnel MTU that the paths carry."),
};

#define RTT(KEY, STAT)                                                                        \
	{                                                                                     \
		.name = "netpas_path_rtt_seconds",                                            \
		.help = "Round trip: of the last probe, smoothed, and over the last minute.", \
		.path = "rtt_ms/" KEY, .scale = MS, .label = "stat", .text = STAT             \
	}
#define LOSS(WINDOW, DIRECTION)                                                              \
	{                                                                                    \
		.name = "netpas_path_loss_ratio",                                            \
		.help = "Share of probes that was lost, by window and direction.",           \
		.path = "loss_" WINDOW "/" DIRECTION "_percent", .scale = PERCENT,           \
		.label = "window", .text = WINDOW, .label2 = "direction", .text2 = DIRECTION \
	}

static const struct metric_row path_rows[] = {
	G("netpas_path_alive", "alive", 1, "1 if probes are answered on the path."),
	G("netpas_path_in_use", "in_use", 1, "1 for the path in use to the peer."),
	G("netpas_path_order", "order", 1, "Place in the order of paths, 1 first; 0 not in it."),
	G("netpas_path_state_age_seconds", "since_s", 1,
	  "Since the last change of the path's state."),
	RTT("last", "last"),
	RTT("smoothed", "smoothed"),
	RTT("min", "min"),
	RTT("p50", "p50"),
	RTT("p99", "p99"),
	RTT("max", "max"),
	G("netpas_path_jitter_seconds", "rtt_ms/jitter", MS, "Variation of the round trip."),
	LOSS("3s", "out"),
	LOSS("3s", "in"),
	LOSS("60s", "out"),
	LOSS("60s", "in"),
	LOSS("hour", "out"),
	LOSS("hour", "in"),
	G("netpas_path_payload_bytes", "payload", 1,
	  "Longest UDP payload that the path was found to carry; 0 not known."),
	G("netpas_path_probe_interval_seconds", "interval_ms", MS, "Between probes."),
	G("netpas_path_probe_bytes_per_second", "probe_bits_per_s", BITS, "What the probes cost."),
};

static const struct metric_row relayed_rows[] = {
	C("netpas_relayed_packets", "packets", 1, "Passed on by this relay."),
	C("netpas_relayed_bytes", "bytes", 1, "Passed on by this relay."),
};

static const struct metric_row run_rows[] = {
	C("netpas_bpf_runs", "runs", 1, "Runs of the BPF program."),
	C("netpas_bpf_run_seconds", "seconds", 1, "CPU time of the BPF program."),
};

#define OUTAGE(DIRECTION)                                                               \
	{                                                                               \
		.name = "netpas_drill_last_outage_seconds",                             \
		.help = "Outage that the last drill measured, by loss.",                \
		.path = DIRECTION "/outage_loss_ms", .scale = MS, .label = "direction", \
		.text = DIRECTION                                                       \
	}
#define LOST(DIRECTION)                                                                            \
	{                                                                                          \
		.name = "netpas_drill_last_lost_packets",                                          \
		.help = "Probes that the last drill lost.", .path = DIRECTION "/lost", .scale = 1, \
		.label = "direction", .text = DIRECTION                                            \
	}

static const struct metric_row drill_rows[] = {
	G("netpas_drill_last_timestamp_seconds", "began_s", 1,
	  "When the last drill of the scenario began."),
	G("netpas_drill_last_passed", "passed", 1, "1 if it passed."),
	OUTAGE("out"),
	OUTAGE("in"),
	LOST("out"),
	LOST("in"),
};

/* ---- labels ---- */

static const struct metric_key tunnel_keys[] = {
	{ "interface", "interface" }, { "peer", "peer" }, { "site", "site" },
	{ "class", "class" },	      { NULL, NULL },
};
static const struct metric_key partner_keys[] = { { "partner", "name" }, { NULL, NULL } };
static const struct metric_key site_keys[] = { { "site", "name" }, { NULL, NULL } };
static const struct metric_key peer_keys[] = { { "peer", "peer" }, { NULL, NULL } };
/* Of what flat_paths() has made. */
static const struct metric_key path_keys[] = {
	{ "peer", "peer" },	{ "path", "number" }, { "local", "local" },
	{ "remote", "remote" }, { "relay", "relay" }, { NULL, NULL },
};
static const struct metric_key relayed_keys[] = { { "from", "from" },
						  { "to", "to" },
						  { NULL, NULL } };
static const struct metric_key run_keys[] = { { "program", "program" }, { NULL, NULL } };
static const struct metric_key drill_keys[] = { { "scenario", "scenario" }, { NULL, NULL } };
static const struct metric_key process_keys[] = { { "process", "process" }, { NULL, NULL } };

/* ---- what is no table ---- */

/* One sample for each name, 1 for the one that is. */
static void print_choice(struct metric_writer *p, const char *label_name, const char *const *names,
			 size_t n, const char *is)
{
	for (size_t i = 0; i < n; i++) {
		metric_begin(p);
		metric_label(p, label_name, names[i]);
		metric_value(p, !strcmp(names[i], is));
	}
}

static void print_node(struct metric_writer *p, json_t *status)
{
	static const char *const roles[] = { "active", "standby", "fault", "overruled", "relay" };
	static const char *const outcomes[] = { "none", "done", "failed" };
	json_t *ha = json_object_get(status, "ha"), *vip;
	const char *handover = view_text(ha, "handover");
	double number;
	size_t i;

	metric_family(p, "netpas_node_info", METRIC_GAUGE, "What this node is; always 1.");
	metric_begin(p);
	metric_label(p, "node", view_text(status, "node"));
	metric_label(p, "site", view_text(status, "site"));
	metric_label(p, "version", view_text(status, "version"));
	metric_label(p, "engine", view_text(status, "engine"));
	metric_label(p, "config", view_text(json_object_get(status, "config"), "digest"));
	metric_value(p, 1);
	metric_family(p, "netpas_role", METRIC_GAUGE, "1 for the role that the node has.");
	print_choice(p, "role", roles, COUNT(roles), view_text(status, "role"));
	if (ha) {
		metric_family(p, "netpas_ha_last_handover", METRIC_GAUGE,
			      "1 for how the last handover ended.");
		print_choice(p, "outcome", outcomes, COUNT(outcomes),
			     view_text(ha, "last_handover"));
		metric_single(p, "netpas_ha_handover_in_progress", METRIC_GAUGE,
			      "1 while the role is handed over.",
			      *handover && strcmp(handover, "idle"));
	}
	if (view_time(status, "config/loaded", &number))
		metric_single(p, "netpas_config_loaded_timestamp_seconds", METRIC_GAUGE,
			      "When the configuration in force was loaded.", number);
	metric_single(p, "netpas_problems", METRIC_GAUGE, "Problems that the status lists.",
		      (double)json_array_size(json_object_get(status, "problems")));
	if (!json_array_size(json_object_get(status, "vips")))
		return;
	metric_family(p, "netpas_vip_held", METRIC_GAUGE, "1 if the virtual address is here.");
	json_array_foreach(json_object_get(status, "vips"), i, vip)
	{
		metric_begin(p);
		metric_label(p, "address", view_text(vip, "address"));
		metric_value(p, json_is_true(json_object_get(vip, "held")));
	}
}

static void print_faults(struct metric_writer *p, json_t *faults)
{
	static const char *const states[] = { "ok", "suspect", "fault", "recovering" };
	json_t *fault;
	double severity;
	size_t i;

	if (!json_array_size(faults))
		return;
	metric_family(p, "netpas_health_fault_severity", METRIC_GAUGE,
		      "What the fault weighs; 0 while it does not count.");
	json_array_foreach(faults, i, fault)
	{
		metric_begin(p);
		metric_label(p, "fault", view_text(fault, "fault"));
		if (!view_number(fault, "severity", &severity) ||
		    !json_is_true(json_object_get(fault, "counts")))
			severity = 0;
		metric_value(p, severity);
	}
	metric_family(p, "netpas_health_fault_state", METRIC_GAUGE,
		      "1 for the state that the fault is in.");
	json_array_foreach(faults, i, fault) for (size_t s = 0; s < COUNT(states); s++)
	{
		metric_begin(p);
		metric_label(p, "fault", view_text(fault, "fault"));
		metric_label(p, "state", states[s]);
		metric_value(p, !strcmp(states[s], view_text(fault, "state")));
	}
}

static void print_programs(struct metric_writer *p, json_t *programs)
{
	json_t *program;
	size_t i;

	if (!json_array_size(programs))
		return;
	metric_family(p, "netpas_program_info", METRIC_GAUGE,
		      "Which program runs where, and how; always 1.");
	json_array_foreach(programs, i, program)
	{
		metric_begin(p);
		metric_label(p, "program", view_text(program, "program"));
		metric_label(p, "interface", view_text(program, "interface"));
		metric_label(p, "mode", view_text(program, "mode"));
		metric_value(p, 1);
	}
}

static void print_followed(struct metric_writer *p, json_t *sites)
{
	json_t *site;
	size_t i;

	if (!json_array_size(sites))
		return;
	metric_family(p, "netpas_site_gateway_info", METRIC_GAUGE,
		      "Which gateway of the site is followed, and why; always 1.");
	json_array_foreach(sites, i, site)
	{
		if (!*view_text(site, "gateway"))
			continue;
		metric_begin(p);
		metric_label(p, "site", view_text(site, "name"));
		metric_label(p, "gateway", view_text(site, "gateway"));
		metric_label(p, "reason", view_text(site, "reason"));
		metric_value(p, 1);
	}
}

/* Counters by name: those that begin with "drop_", or the others. */
static void print_counters(struct metric_writer *p, json_t *counters, bool drops, const char *name,
			   const char *key, const char *label_name, const char *help)
{
	static const char prefix[] = "drop_";
	const size_t n = sizeof(prefix) - 1;
	const char *counter;
	json_t *object;
	double number;
	bool any = false;

	json_object_foreach(counters, counter, object)
	{
		if (drops != !strncmp(counter, prefix, n) || !view_number(object, key, &number))
			continue;
		if (!any)
			metric_family(p, name, METRIC_COUNTER, help);
		any = true;
		metric_begin(p);
		metric_label(p, label_name, drops ? counter + n : counter);
		metric_value(p, number);
	}
}

static void print_all_counters(struct metric_writer *p, json_t *status, json_t *drops)
{
	json_t *counters = json_object_get(status, "counters");

	print_counters(p, counters, false, "netpas_forwarded_packets", "packets", "direction",
		       "Customers' packets between LAN and mesh.");
	print_counters(p, counters, false, "netpas_forwarded_bytes", "bytes", "direction",
		       "Customers' bytes between LAN and mesh.");
	print_counters(p, counters, true, "netpas_filter_dropped_packets", "packets", "reason",
		       "Dropped by the filter.");
	print_counters(p, counters, true, "netpas_filter_dropped_bytes", "bytes", "reason",
		       "Dropped by the filter.");
	print_counters(p, drops, true, "netpas_dataplane_dropped_packets", "packets", "reason",
		       "Dropped by the BPF programs.");
	print_counters(p, drops, true, "netpas_dataplane_dropped_bytes", "bytes", "reason",
		       "Dropped by the BPF programs.");
	print_counters(p, drops, false, "netpas_dataplane_packets", "packets", "way",
		       "What the BPF programs passed, and which way.");
	print_counters(p, drops, false, "netpas_dataplane_bytes", "bytes", "way",
		       "What the BPF programs passed, and which way.");
}

/* All paths in one list; they know their peer and whether they are used. */
static json_t *flat_paths(json_t *peers)
{
	json_t *list = json_array(), *peer, *path, *copy;
	char number[24];
	size_t i, j;
	double n;

	json_array_foreach(peers, i, peer)
	{
		json_t *used = json_object_get(peer, "path");

		json_array_foreach(json_object_get(peer, "paths"), j, path)
		{
			copy = json_copy(path);
			n = 0;
			(void)view_number(path, "path", &n); /* every path has one */
			snprintf(number, sizeof(number), "%.0f", n);
			json_object_set_new(copy, "number", json_string(number));
			json_object_set(copy, "peer", json_object_get(peer, "peer"));
			json_object_set_new(
				copy, "in_use",
				json_boolean(json_is_integer(used) &&
					     json_equal(used, json_object_get(path, "path"))));
			json_array_append_new(list, copy);
		}
	}
	return list;
}

static void print_path_states(struct metric_writer *p, json_t *paths)
{
	static const char *const states[] = { "unknown", "up", "brown-out", "down" };
	json_t *path;
	size_t i;

	if (!json_array_size(paths))
		return;
	metric_family(p, "netpas_path_state", METRIC_GAUGE, "1 for the state that the path is in.");
	json_array_foreach(paths, i, path) for (size_t s = 0; s < COUNT(states); s++)
	{
		metric_begin(p);
		metric_keys(p, path_keys, path);
		metric_label(p, "state", states[s]);
		metric_value(p, !strcmp(states[s], view_text(path, "state")));
	}
}

/* The newest of each scenario; the list has the newest first. */
static json_t *last_drills(json_t *drills)
{
	json_t *last = json_object(), *list = json_array(), *drill, *copy;
	const char *scenario;
	size_t i;

	json_array_foreach(drills, i, drill)
	{
		scenario = view_text(drill, "scenario");
		if (!*scenario || json_object_get(last, scenario))
			continue;
		json_object_set_new(last, scenario, json_true());
		copy = json_copy(drill);
		json_object_set_new(copy, "passed",
				    json_boolean(!strcmp(view_text(drill, "verdict"), "pass")));
		json_array_append_new(list, copy);
	}
	json_decref(last);
	return list;
}

static json_t *first_of(json_t *array, size_t max)
{
	json_t *list = json_array(), *item;
	size_t i;

	json_array_foreach(array, i, item) if (i < max) json_array_append(list, item);
	return list;
}

static const struct metric_row process_rows[] = {
	G("netpas_processes", "running", 1, "Processes that run, by program."),
	C("netpas_process_unasked_ends", "ended", 1,
	  "Processes that ended without being asked to, and were started again."),
	C("netpas_process_cpu_seconds", "cpu_s", 1, "CPU time, user and system, by program."),
	G("netpas_process_resident_memory_bytes", "rss_bytes", 1, "Resident memory, by program."),
};

/* As netpasd sees them; of itself netpas-web knows as much, and that of now. */
static void print_processes(struct metric_writer *p, json_t *processes,
			    const struct web_counts *counts)
{
	json_t *list = json_array(), *process, *own = NULL;
	size_t i;

	json_array_foreach(processes, i, process)
	{
		json_t *copy = json_copy(process);

		if (!strcmp(view_text(process, "process"), "netpas-web"))
			own = copy;
		json_array_append_new(list, copy);
	}
	if (!own) {
		own = json_pack("{s:s}", "process", "netpas-web");
		json_array_append_new(list, own);
	}
	json_object_set_new(own, "cpu_s", json_real(counts->cpu_s));
	json_object_set_new(own, "rss_bytes", json_integer((json_int_t)counts->rss_bytes));
	metric_rows(p, process_rows, COUNT(process_rows), list, process_keys);
	json_decref(list);
}

static void print_web(struct metric_writer *p, const struct web_counts *counts)
{
	metric_single(p, "netpas_web_requests", METRIC_COUNTER,
		      "Requests answered with what was asked for.", (double)counts->requests);
	metric_single(p, "netpas_web_viewers", METRIC_GAUGE, "Pages that are open.",
		      counts->viewers);
	metric_family(p, "netpas_web_refused", METRIC_COUNTER,
		      "Connections and requests refused, by reason.");
	for (size_t i = 0; i < WEB_REFUSAL_MAX; i++) {
		metric_begin(p);
		metric_label(p, "reason", refusal_names[i]);
		metric_value(p, (double)counts->refused[i]);
	}
}

void web_metrics_print(json_t *view, const struct web_counts *counts, bool open, FILE *out)
{
	struct metric_writer writer = { .out = out, .open = open }, *p = &writer;
	json_t *status = json_object_get(view, "status"), *peers, *paths, *drills, *relayed;

	peers = json_object_get(json_object_get(view, "paths"), "peers");
	paths = flat_paths(peers);
	drills = last_drills(json_object_get(view, "drills"));
	relayed = first_of(json_object_get(status, "relayed"), WEB_METRICS_PAIRS_MAX);

	print_node(p, status);
	metric_object(p, view_rows, COUNT(view_rows), view, NULL);
	print_faults(p, json_object_get(json_object_get(status, "health"), "faults"));
	metric_object(p, partner_rows, COUNT(partner_rows), json_object_get(status, "partner"),
		      partner_keys);
	metric_rows(p, tunnel_rows, COUNT(tunnel_rows), json_object_get(status, "tunnels"),
		    tunnel_keys);
	metric_rows(p, site_rows, COUNT(site_rows), json_object_get(status, "sites"), site_keys);
	print_followed(p, json_object_get(status, "sites"));
	metric_rows(p, peer_rows, COUNT(peer_rows), peers, peer_keys);
	metric_rows(p, path_rows, COUNT(path_rows), paths, path_keys);
	print_path_states(p, paths);
	print_programs(p, json_object_get(json_object_get(status, "dataplane"), "programs"));
	print_all_counters(p, status, json_object_get(view, "drops"));
	metric_rows(p, relayed_rows, COUNT(relayed_rows), relayed, relayed_keys);
	metric_rows(p, run_rows, COUNT(run_rows), json_object_get(view, "run_times"), run_keys);
	metric_rows(p, drill_rows, COUNT(drill_rows), drills, drill_keys);
	web_metrics_usage(p, view);
	print_processes(p, json_object_get(view, "processes"), counts);
	print_web(p, counts);
	if (open)
		fputs("# EOF\n", out);

	json_decref(paths);
	json_decref(drills);
	json_decref(relayed);
}
