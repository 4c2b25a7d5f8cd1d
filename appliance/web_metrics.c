/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Families are rows of tables: name, type, help, and where in an object of the view the value is. All samples of a
 * family stand together, as the format wants it: so rows are the outer loop, objects the inner one.
 */
#include "web_metrics.h"

#include <math.h>
#include <string.h>
#include <time.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *const web_refusal_names[WEB_REFUSAL_MAX] = {
	[WEB_REFUSAL_ADDRESS] = "address", [WEB_REFUSAL_CONNECTIONS] = "connections",
	[WEB_REFUSAL_TOKEN] = "token",	   [WEB_REFUSAL_SLOW] = "slow",
	[WEB_REFUSAL_REQUEST] = "request",
};

enum type {
	GAUGE,
	COUNTER,
};

struct printer {
	FILE *out;
	bool open;
	const char *name; /* of the family that is being printed */
	enum type type;
	unsigned int n_labels;
};

/* ---- text ---- */

/* name: without "_total". */
static void family(struct printer *p, const char *name, enum type type, const char *help)
{
	const char *suffix = type == COUNTER && !p->open ? "_total" : "";

	p->name = name;
	p->type = type;
	p->n_labels = 0;
	fprintf(p->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, suffix, help, name, suffix,
		type == COUNTER ? "counter" : "gauge");
}

static void begin(struct printer *p)
{
	fprintf(p->out, "%s%s", p->name, p->type == COUNTER ? "_total" : "");
	p->n_labels = 0;
}

static void label(struct printer *p, const char *name, const char *value)
{
	fprintf(p->out, "%c%s=\"", p->n_labels++ ? ',' : '{', name);
	for (; value && *value; value++) {
		if (*value == '\n')
			fputs("\\n", p->out);
		else if (*value == '"' || *value == '\\')
			fprintf(p->out, "\\%c", *value);
		else
			putc(*value, p->out);
	}
	putc('"', p->out);
}

static void value(struct printer *p, double number)
{
	if (p->n_labels)
		putc('}', p->out);
	if (number == floor(number) && fabs(number) < 9e15)
		fprintf(p->out, " %.0f\n", number);
	else
		fprintf(p->out, " %.9g\n", number);
}

static void single(struct printer *p, const char *name, enum type type, const char *help,
		   double number)
{
	family(p, name, type, help);
	begin(p);
	value(p, number);
}

/* ---- the view ---- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* "a/b": member b of member a. */
static const json_t *member(const json_t *object, const char *path)
{
	char key[48];

	for (;;) {
		const size_t len = strcspn(path, "/");

		if (len >= sizeof(key))
			return NULL;
		memcpy(key, path, len);
		key[len] = '\0';
		object = json_object_get(object, key);
		if (!path[len])
			return object;
		path += len + 1;
	}
}

/* False if there is none: null and absent are "not known". */
static bool number_at(const json_t *object, const char *path, double *ret_number)
{
	const json_t *found = member(object, path);

	if (json_is_boolean(found))
		*ret_number = json_is_true(found);
	else if (json_is_number(found))
		*ret_number = json_number_value(found);
	else
		return false;
	return isfinite(*ret_number);
}

/* A time of the view, "2026-11-22T02:31:07Z". */
static bool time_at(const json_t *object, const char *path, double *ret_s)
{
	const char *text = json_string_value(member(object, path));
	struct tm tm = { 0 };
	const char *end = text ? strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm) : NULL;

	if (!end || *end)
		return false;
	*ret_s = (double)timegm(&tm);
	return true;
}

/* ---- tables ---- */

struct row {
	const char *name; /* the same as before: more samples of it */
	enum type type;
	const char *help;
	const char *path;
	double scale;		  /* of the value, into the unit that the name says */
	const char *label, *text; /* one more label; NULL: none */
	const char *label2, *text2;
};

#define MS 1e-3
#define PERCENT 1e-2
#define BITS 0.125

/* One sample an object: a gauge, a counter. */
#define G(NAME, PATH, SCALE, HELP)                                     \
	{                                                              \
		NAME, GAUGE, HELP, PATH, SCALE, NULL, NULL, NULL, NULL \
	}
#define C(NAME, PATH, SCALE, HELP)                                       \
	{                                                                \
		NAME, COUNTER, HELP, PATH, SCALE, NULL, NULL, NULL, NULL \
	}

typedef void label_fn(struct printer *p, const json_t *object);

static void print_row(struct printer *p, const struct row *row, const json_t *object,
		      label_fn *labels)
{
	double number;

	if (!number_at(object, row->path, &number))
		return;
	begin(p);
	if (labels)
		labels(p, object);
	if (row->label)
		label(p, row->label, row->text);
	if (row->label2)
		label(p, row->label2, row->text2);
	value(p, number * row->scale);
}

static bool any_has(const json_t *array, const struct row *rows, size_t n)
{
	const json_t *object;
	double number;
	size_t i;

	for (size_t r = 0; r < n; r++)
		json_array_foreach(array, i, object)
		{
			if (number_at(object, rows[r].path, &number))
				return true;
		}
	return false;
}

/* All rows for all objects of an array. */
static void print_rows(struct printer *p, const struct row *rows, size_t n, json_t *array,
		       label_fn *labels)
{
	const json_t *object;
	size_t i;

	for (size_t r = 0, same; r < n; r += same) {
		for (same = 1; r + same < n && !strcmp(rows[r].name, rows[r + same].name); same++)
			;
		if (!any_has(array, rows + r, same))
			continue;
		family(p, rows[r].name, rows[r].type, rows[r].help);
		for (size_t s = r; s < r + same; s++)
			json_array_foreach(array, i, object)
			{
				print_row(p, &rows[s], object, labels);
			}
	}
}

/* Of one object. */
static void print_object(struct printer *p, const struct row *rows, size_t n, json_t *object,
			 label_fn *labels)
{
	json_t *array = json_array();

	if (object)
		json_array_append(array, object);
	print_rows(p, rows, n, array, labels);
	json_decref(array);
}

static const struct row view_rows[] = {
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

static const struct row partner_rows[] = {
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

static const struct row tunnel_rows[] = {
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

static const struct row site_rows[] = {
	G("netpas_site_connected", "connected", 1, "0 if a policy keeps the sites apart."),
	G("netpas_site_subnets", "subnets", 1, "Subnets of the site."),
};

static const struct row peer_rows[] = {
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

static const struct row path_rows[] = {
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

static const struct row relayed_rows[] = {
	C("netpas_relayed_packets", "packets", 1, "Passed on by this relay."),
	C("netpas_relayed_bytes", "bytes", 1, "Passed on by this relay."),
};

static const struct row run_rows[] = {
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

static const struct row drill_rows[] = {
	G("netpas_drill_last_timestamp_seconds", "began_s", 1,
	  "When the last drill of the scenario began."),
	G("netpas_drill_last_passed", "passed", 1, "1 if it passed."),
	OUTAGE("out"),
	OUTAGE("in"),
	LOST("out"),
	LOST("in"),
};

/* ---- labels ---- */

static void label_tunnel(struct printer *p, const json_t *tunnel)
{
	label(p, "interface", text_of(tunnel, "interface"));
	label(p, "peer", text_of(tunnel, "peer"));
	label(p, "site", text_of(tunnel, "site"));
	label(p, "class", text_of(tunnel, "class"));
}

static void label_partner(struct printer *p, const json_t *partner)
{
	label(p, "partner", text_of(partner, "name"));
}

static void label_site(struct printer *p, const json_t *site)
{
	label(p, "site", text_of(site, "name"));
}

static void label_peer(struct printer *p, const json_t *peer)
{
	label(p, "peer", text_of(peer, "peer"));
}

/* Of what flat_paths() has made. */
static void label_path(struct printer *p, const json_t *path)
{
	char number[24];
	double n = 0;

	(void)number_at(path, "path", &n); /* every path has one */
	snprintf(number, sizeof(number), "%.0f", n);
	label(p, "peer", text_of(path, "peer"));
	label(p, "path", number);
	label(p, "local", text_of(path, "local"));
	label(p, "remote", text_of(path, "remote"));
	label(p, "relay", text_of(path, "relay"));
}

static void label_relayed(struct printer *p, const json_t *relayed)
{
	label(p, "from", text_of(relayed, "from"));
	label(p, "to", text_of(relayed, "to"));
}

static void label_run(struct printer *p, const json_t *run)
{
	label(p, "program", text_of(run, "program"));
}

static void label_drill(struct printer *p, const json_t *drill)
{
	label(p, "scenario", text_of(drill, "scenario"));
}

/* ---- what is no table ---- */

/* One sample for each name, 1 for the one that is. */
static void print_choice(struct printer *p, const char *label_name, const char *const *names,
			 size_t n, const char *is)
{
	for (size_t i = 0; i < n; i++) {
		begin(p);
		label(p, label_name, names[i]);
		value(p, !strcmp(names[i], is));
	}
}

static void print_node(struct printer *p, json_t *status)
{
	static const char *const roles[] = { "active", "standby", "fault", "overruled", "relay" };
	static const char *const outcomes[] = { "none", "done", "failed" };
	json_t *ha = json_object_get(status, "ha"), *vip;
	const char *handover = text_of(ha, "handover");
	double number;
	size_t i;

	family(p, "netpas_node_info", GAUGE, "What this node is; always 1.");
	begin(p);
	label(p, "node", text_of(status, "node"));
	label(p, "site", text_of(status, "site"));
	label(p, "version", text_of(status, "version"));
	label(p, "engine", text_of(status, "engine"));
	label(p, "config", text_of(json_object_get(status, "config"), "digest"));
	value(p, 1);
	family(p, "netpas_role", GAUGE, "1 for the role that the node has.");
	print_choice(p, "role", roles, COUNT(roles), text_of(status, "role"));
	if (ha) {
		family(p, "netpas_ha_last_handover", GAUGE, "1 for how the last handover ended.");
		print_choice(p, "outcome", outcomes, COUNT(outcomes), text_of(ha, "last_handover"));
		single(p, "netpas_ha_handover_in_progress", GAUGE,
		       "1 while the role is handed over.", *handover && strcmp(handover, "idle"));
	}
	if (time_at(status, "config/loaded", &number))
		single(p, "netpas_config_loaded_timestamp_seconds", GAUGE,
		       "When the configuration in force was loaded.", number);
	single(p, "netpas_problems", GAUGE, "Problems that the status lists.",
	       (double)json_array_size(json_object_get(status, "problems")));
	if (!json_array_size(json_object_get(status, "vips")))
		return;
	family(p, "netpas_vip_held", GAUGE, "1 if the virtual address is here.");
	json_array_foreach(json_object_get(status, "vips"), i, vip)
	{
		begin(p);
		label(p, "address", text_of(vip, "address"));
		value(p, json_is_true(json_object_get(vip, "held")));
	}
}

static void print_faults(struct printer *p, json_t *faults)
{
	static const char *const states[] = { "ok", "suspect", "fault", "recovering" };
	json_t *fault;
	double severity;
	size_t i;

	if (!json_array_size(faults))
		return;
	family(p, "netpas_health_fault_severity", GAUGE,
	       "What the fault weighs; 0 while it does not count.");
	json_array_foreach(faults, i, fault)
	{
		begin(p);
		label(p, "fault", text_of(fault, "fault"));
		if (!number_at(fault, "severity", &severity) ||
		    !json_is_true(json_object_get(fault, "counts")))
			severity = 0;
		value(p, severity);
	}
	family(p, "netpas_health_fault_state", GAUGE, "1 for the state that the fault is in.");
	json_array_foreach(faults, i, fault) for (size_t s = 0; s < COUNT(states); s++)
	{
		begin(p);
		label(p, "fault", text_of(fault, "fault"));
		label(p, "state", states[s]);
		value(p, !strcmp(states[s], text_of(fault, "state")));
	}
}

static void print_programs(struct printer *p, json_t *programs)
{
	json_t *program;
	size_t i;

	if (!json_array_size(programs))
		return;
	family(p, "netpas_program_info", GAUGE, "Which program runs where, and how; always 1.");
	json_array_foreach(programs, i, program)
	{
		begin(p);
		label(p, "program", text_of(program, "program"));
		label(p, "interface", text_of(program, "interface"));
		label(p, "mode", text_of(program, "mode"));
		value(p, 1);
	}
}

static void print_followed(struct printer *p, json_t *sites)
{
	json_t *site;
	size_t i;

	if (!json_array_size(sites))
		return;
	family(p, "netpas_site_gateway_info", GAUGE,
	       "Which gateway of the site is followed, and why; always 1.");
	json_array_foreach(sites, i, site)
	{
		if (!*text_of(site, "gateway"))
			continue;
		begin(p);
		label(p, "site", text_of(site, "name"));
		label(p, "gateway", text_of(site, "gateway"));
		label(p, "reason", text_of(site, "reason"));
		value(p, 1);
	}
}

/* Counters by name: those that begin with "drop_", or the others. */
static void print_counters(struct printer *p, json_t *counters, bool drops, const char *name,
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
		if (drops != !strncmp(counter, prefix, n) || !number_at(object, key, &number))
			continue;
		if (!any)
			family(p, name, COUNTER, help);
		any = true;
		begin(p);
		label(p, label_name, drops ? counter + n : counter);
		value(p, number);
	}
}

static void print_all_counters(struct printer *p, json_t *status, json_t *drops)
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
	size_t i, j;

	json_array_foreach(peers, i, peer)
	{
		json_t *used = json_object_get(peer, "path");

		json_array_foreach(json_object_get(peer, "paths"), j, path)
		{
			copy = json_copy(path);
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

static void print_path_states(struct printer *p, json_t *paths)
{
	static const char *const states[] = { "unknown", "up", "brown-out", "down" };
	json_t *path;
	size_t i;

	if (!json_array_size(paths))
		return;
	family(p, "netpas_path_state", GAUGE, "1 for the state that the path is in.");
	json_array_foreach(paths, i, path) for (size_t s = 0; s < COUNT(states); s++)
	{
		begin(p);
		label_path(p, path);
		label(p, "state", states[s]);
		value(p, !strcmp(states[s], text_of(path, "state")));
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
		scenario = text_of(drill, "scenario");
		if (!*scenario || json_object_get(last, scenario))
			continue;
		json_object_set_new(last, scenario, json_true());
		copy = json_copy(drill);
		json_object_set_new(copy, "passed",
				    json_boolean(!strcmp(text_of(drill, "verdict"), "pass")));
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

static void print_processes(struct printer *p, json_t *process, const struct web_counts *counts)
{
	double cpu_s, rss_bytes;
	const bool known =
		number_at(process, "cpu_s", &cpu_s) && number_at(process, "rss_bytes", &rss_bytes);

	family(p, "netpas_process_cpu_seconds", COUNTER, "CPU time, user and system.");
	for (int i = known ? 0 : 1; i < 2; i++) {
		begin(p);
		label(p, "process", i ? "netpas-web" : "netpasd");
		value(p, i ? counts->cpu_s : cpu_s);
	}
	family(p, "netpas_process_resident_memory_bytes", GAUGE, "Resident memory.");
	for (int i = known ? 0 : 1; i < 2; i++) {
		begin(p);
		label(p, "process", i ? "netpas-web" : "netpasd");
		value(p, i ? (double)counts->rss_bytes : rss_bytes);
	}
}

static void print_web(struct printer *p, const struct web_counts *counts)
{
	single(p, "netpas_web_requests", COUNTER, "Requests answered with what was asked for.",
	       (double)counts->requests);
	single(p, "netpas_web_viewers", GAUGE, "Pages that are open.", counts->viewers);
	family(p, "netpas_web_refused", COUNTER, "Connections and requests refused, by reason.");
	for (size_t i = 0; i < WEB_REFUSAL_MAX; i++) {
		begin(p);
		label(p, "reason", web_refusal_names[i]);
		value(p, (double)counts->refused[i]);
	}
}

void web_metrics_print(json_t *view, const struct web_counts *counts, bool open, FILE *out)
{
	struct printer printer = { .out = out, .open = open }, *p = &printer;
	json_t *status = json_object_get(view, "status"), *peers, *paths, *drills, *relayed;

	peers = json_object_get(json_object_get(view, "paths"), "peers");
	paths = flat_paths(peers);
	drills = last_drills(json_object_get(view, "drills"));
	relayed = first_of(json_object_get(status, "relayed"), WEB_METRICS_PAIRS_MAX);

	print_node(p, status);
	print_object(p, view_rows, COUNT(view_rows), view, NULL);
	print_faults(p, json_object_get(json_object_get(status, "health"), "faults"));
	print_object(p, partner_rows, COUNT(partner_rows), json_object_get(status, "partner"),
		     label_partner);
	print_rows(p, tunnel_rows, COUNT(tunnel_rows), json_object_get(status, "tunnels"),
		   label_tunnel);
	print_rows(p, site_rows, COUNT(site_rows), json_object_get(status, "sites"), label_site);
	print_followed(p, json_object_get(status, "sites"));
	print_rows(p, peer_rows, COUNT(peer_rows), peers, label_peer);
	print_rows(p, path_rows, COUNT(path_rows), paths, label_path);
	print_path_states(p, paths);
	print_programs(p, json_object_get(json_object_get(status, "dataplane"), "programs"));
	print_all_counters(p, status, json_object_get(view, "drops"));
	print_rows(p, relayed_rows, COUNT(relayed_rows), relayed, label_relayed);
	print_rows(p, run_rows, COUNT(run_rows), json_object_get(view, "run_times"), label_run);
	print_rows(p, drill_rows, COUNT(drill_rows), drills, label_drill);
	print_processes(p, json_object_get(view, "process"), counts);
	print_web(p, counts);
	if (open)
		fputs("# EOF\n", out);

	json_decref(paths);
	json_decref(drills);
	json_decref(relayed);
}
