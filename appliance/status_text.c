/* SPDX-License-Identifier: GPL-2.0-only */
/* One screen out of the daemon's JSON. */
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "status.h"

#define RELAYED_PRINTED 20 /* pairs of nodes */

struct style {
	const char *good, *bad, *dim, *end;
};

static const struct style plain = { "", "", "", "" };
static const struct style coloured = { "\033[32m", "\033[31m", "\033[2m", "\033[0m" };

static const char *text_of(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "-";
}

static json_int_t number_of(json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const char *bytes_text(json_int_t bytes, char buf[static 24])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit < sizeof(units) / sizeof(units[0]) - 1) {
		value /= 1024;
		unit++;
	}
	snprintf(buf, 24, "%.*f %s", unit && value < 99.95, value, units[unit]);
	return buf;
}

static const char *age_text(json_t *age, char buf[static 24])
{
	const json_int_t s = json_integer_value(age);

	if (!json_is_integer(age))
		return "never";
	if (s < 120)
		snprintf(buf, 24, "%" JSON_INTEGER_FORMAT " s", s);
	else if (s < 7200)
		snprintf(buf, 24, "%" JSON_INTEGER_FORMAT " min", s / 60);
	else
		snprintf(buf, 24, "%" JSON_INTEGER_FORMAT " h", s / 3600);
	return buf;
}

/* A cell of so many columns, of which before are to its left; a longer text has the rest of its line. */
static void print_cell(const char *text, int width, int before, FILE *out)
{
	if ((int)strlen(text) <= width)
		fprintf(out, "%-*s ", width, text);
	else
		fprintf(out, "%s\n%*s", text, before + width + 1, "");
}

static void print_ha(json_t *ha, FILE *out)
{
	if (!json_is_object(ha))
		return;
	fprintf(out, "failover  profile %s, adverts every %" JSON_INTEGER_FORMAT " ms%s%s\n",
		text_of(ha, "profile"), number_of(ha, "advert_ms"),
		json_is_true(json_object_get(ha, "realtime")) ? ", real-time priority" : "",
		json_is_true(json_object_get(ha, "drained")) ? ", drained" : "");
}

static void print_vips(json_t *vips, FILE *out)
{
	json_t *vip;
	size_t i;

	fputs("vip       ", out);
	json_array_foreach(vips, i, vip)
		fprintf(out, "%s%s (%s)", i ? ", " : "", text_of(vip, "address"),
			json_is_true(json_object_get(vip, "held")) ? "held here" : "not held");
	fputc('\n', out);
}

static void print_partner(json_t *partner, const struct style *style, FILE *out)
{
	const bool alive = json_is_true(json_object_get(partner, "alive"));
	json_t *rtt = json_object_get(partner, "rtt_ms");

	if (!json_is_object(partner))
		return;
	fprintf(out, "partner   %s: %s%s%s", text_of(partner, "name"),
		alive ? style->good : style->bad, alive ? "alive" : "dead", style->end);
	if (alive)
		fprintf(out, ", %s (generation %" JSON_INTEGER_FORMAT ")\n          %s mesh.yaml",
			text_of(partner, "role"), number_of(partner, "generation"),
			json_is_true(json_object_get(partner, "config_matches")) ? "same"
										 : "another");
	if (alive && json_is_number(rtt))
		fprintf(out, ", rtt %.1f ms", json_number_value(rtt));
	fprintf(out, " (by %s)\n", text_of(partner, "interface"));
}

/* What the cloud was asked, and since when it agrees, or why it does not. */
static void print_cloud(json_t *cloud, const struct style *style, FILE *out)
{
	const bool held = json_is_true(json_object_get(cloud, "held"));
	const time_t since = (time_t)number_of(cloud, "since");
	char when[32] = "-";
	struct tm tm;

	if (!json_is_object(cloud))
		return;
	if (since)
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&since, &tm));
	fprintf(out, "cloud     %s, %s%s%s since %s", text_of(cloud, "provider"),
		held ? style->good : "", held ? "agrees" : text_of(cloud, "state"), style->end,
		when);
	if (number_of(cloud, "generation"))
		fprintf(out, " (generation %" JSON_INTEGER_FORMAT ")",
			number_of(cloud, "generation"));
	if (number_of(cloud, "rival_generation"))
		fprintf(out, ", %s claims %" JSON_INTEGER_FORMAT, text_of(cloud, "rival"),
			number_of(cloud, "rival_generation"));
	fputc('\n', out);
}

static void print_tunnels(json_t *tunnels, const struct style *style, FILE *out)
{
	json_t *tunnel, *rtt;
	size_t i;

	fprintf(out, "\n%-8s %-12s %-9s %-5s %7s %8s %8s %8s %s\n", "tunnel", "peer", "class",
		"state", "session", "in", "out", "rtt", "role");
	json_array_foreach(tunnels, i, tunnel)
	{
		const bool alive = json_is_true(json_object_get(tunnel, "alive"));
		char age[24], rx[24], tx[24], ms[24] = "-";

		rtt = json_object_get(tunnel, "rtt_ms");
		if (json_is_number(rtt))
			snprintf(ms, sizeof(ms), "%.1f ms", json_number_value(rtt));
		fprintf(out, "%-8s ", text_of(tunnel, "interface"));
		print_cell(text_of(tunnel, "peer"), 12, 9, out);
		fprintf(out, "%-9s %s%-5s%s %7s %8s %8s %8s %s\n", text_of(tunnel, "class"),
			alive ? style->good : style->bad, alive ? "alive" : "dead", style->end,
			age_text(json_object_get(tunnel, "handshake_age_s"), age),
			bytes_text(number_of(tunnel, "rx_bytes"), rx),
			bytes_text(number_of(tunnel, "tx_bytes"), tx), ms,
			alive ? text_of(tunnel, "role") : "-");
	}
	json_array_foreach(tunnels, i, tunnel)
	{
		if (json_is_string(json_object_get(tunnel, "endpoint")))
			fprintf(out, "%-8s sends to %s\n", text_of(tunnel, "interface"),
				text_of(tunnel, "endpoint"));
	}
}

/* Of those tunnels whose MTU is not just what was configured. */
static void print_mtus(json_t *tunnels, FILE *out)
{
	json_t *tunnel;
	size_t i;

	json_array_foreach(tunnels, i, tunnel)
	{
		if (strcmp(text_of(tunnel, "mtu_reason"), "configured"))
			fprintf(out, "%-8s mtu %" JSON_INTEGER_FORMAT " (%s)\n",
				text_of(tunnel, "interface"), number_of(tunnel, "mtu"),
				text_of(tunnel, "mtu_reason"));
	}
}

static void print_sites(json_t *sites, FILE *out)
{
	json_t *site;
	size_t i;

	fprintf(out, "\n%-16s %8s  %-16s %s\n", "site", "subnets", "served by", "because");
	json_array_foreach(sites, i, site)
	{
		print_cell(text_of(site, "name"), 16, 0, out);
		fprintf(out, "%8" JSON_INTEGER_FORMAT "  ", number_of(site, "subnets"));
		print_cell(text_of(site, "gateway"), 16, 27, out);
		fprintf(out, "%s\n", text_of(site, "reason"));
	}
}

/* What passed, and drops only where there were any. */
static void print_counters(json_t *counters, const struct style *style, FILE *out)
{
	const char *name;
	json_t *counter;
	char bytes[24];

	fputc('\n', out);
	json_object_foreach(counters, name, counter)
	{
		const json_int_t packets = number_of(counter, "packets");
		const bool drop = !strncmp(name, "drop_", 5);

		if (drop && !packets)
			continue;
		fprintf(out, "%s%-24s%s %12" JSON_INTEGER_FORMAT " packets %12s\n",
			drop ? style->dim : "", name, drop ? style->end : "", packets,
			bytes_text(number_of(counter, "bytes"), bytes));
	}
}

/* What counts, and what does not yet; the reasons of faults are among the problems. */
static void print_health(json_t *health, const struct style *style, FILE *out)
{
	json_t *faults = json_object_get(health, "faults"), *fault;
	const json_int_t severity = number_of(health, "severity");
	const char *before = " (";
	size_t i;

	if (!health)
		return;
	fprintf(out, "health    %s", severity ? style->bad : style->good);
	if (severity)
		fprintf(out, "severity %" JSON_INTEGER_FORMAT, severity);
	else
		fputs("good", out);
	fputs(style->end, out);
	json_array_foreach(faults, i, fault)
	{
		if (!strcmp(text_of(fault, "state"), "ok"))
			continue;
		fprintf(out, "%s%s: %s for %.0f s", before, text_of(fault, "fault"),
			text_of(fault, "state"),
			json_number_value(json_object_get(fault, "since_s")));
		before = ", ";
	}
	fputs(*before == ',' ? ")\n" : "\n", out);
	if (json_is_true(json_object_get(health, "isolated")))
		fprintf(out,
			"          %scut off from its LAN: claims nothing towards other sites%s\n",
			style->bad, style->end);
}

/* At a relay. */
static void print_relayed(json_t *relayed, FILE *out)
{
	const size_t n = json_array_size(relayed);
	json_t *pair;
	char bytes[24];
	size_t i;

	if (n)
		fprintf(out, "\n%-18s %-18s %20s\n", "from", "to", "relayed");
	json_array_foreach(relayed, i, pair)
	{
		if (i == RELAYED_PRINTED)
			break;
		print_cell(text_of(pair, "from"), 18, 0, out);
		print_cell(text_of(pair, "to"), 18, 19, out);
		fprintf(out, "%12" JSON_INTEGER_FORMAT " packets %12s\n",
			number_of(pair, "packets"), bytes_text(number_of(pair, "bytes"), bytes));
	}
	if (n > RELAYED_PRINTED)
		fprintf(out, "and %zu pairs more (--json)\n", n - RELAYED_PRINTED);
}

/* With the program, where it is one: that of the first tunnel; and why that engine. */
static void print_engine(json_t *status, FILE *out)
{
	const json_t *tunnel = json_array_get(json_object_get(status, "tunnels"), 0);
	const char *program = json_string_value(json_object_get(tunnel, "program"));

	const char *reason = json_string_value(json_object_get(status, "engine_reason"));

	fprintf(out, "engine    %s%s%s%s%s%s\n", text_of(status, "engine"), program ? " (" : "",
		program ? program : "", program ? ")" : "", reason ? ": " : "",
		reason ? reason : "");
}

static void print_node(json_t *status, const struct style *style, FILE *out)
{
	const bool relay = !strcmp(text_of(status, "role"), "relay");

	fprintf(out, "%-9s %s (id %" JSON_INTEGER_FORMAT ")", relay ? "relay" : "gateway",
		text_of(status, "node"), number_of(status, "id"));
	if (!relay)
		fprintf(out, " of site %s", text_of(status, "site"));
	fprintf(out, ", netpas %s\n", text_of(status, "version"));
	if (relay) {
		print_health(json_object_get(status, "health"), style, out);
		return;
	}
	fprintf(out, "role      %s%s%s (generation %" JSON_INTEGER_FORMAT ")\n",
		strcmp(text_of(status, "role"), "active") ? "" : style->good,
		text_of(status, "role"), style->end, number_of(status, "generation"));
	print_ha(json_object_get(status, "ha"), out);
	print_vips(json_object_get(status, "vips"), out);
	print_partner(json_object_get(status, "partner"), style, out);
	print_health(json_object_get(status, "health"), style, out);
	print_cloud(json_object_get(status, "cloud"), style, out);
	print_engine(status, out);
	if (json_is_true(json_object_get(json_object_get(status, "usage"), "off")))
		fprintf(out, "usage     not metered: 'dataplane: off' in node.yaml\n");
}

void status_print(json_t *status, bool colour, FILE *out)
{
	const struct style *style = colour ? &coloured : &plain;
	json_t *problems = json_object_get(status, "problems"), *problem;
	size_t i;

	print_node(status, style, out);
	fprintf(out, "config    %s, loaded %s\n",
		text_of(json_object_get(status, "config"), "digest"),
		text_of(json_object_get(status, "config"), "loaded"));
	print_tunnels(json_object_get(status, "tunnels"), style, out);
	print_mtus(json_object_get(status, "tunnels"), out);
	print_sites(json_object_get(status, "sites"), out);
	print_counters(json_object_get(status, "counters"), style, out);
	print_relayed(json_object_get(status, "relayed"), out);
	fputc('\n', out);
	if (!json_array_size(problems))
		fprintf(out, "%sno problems%s\n", style->good, style->end);
	json_array_foreach(problems, i, problem)
		fprintf(out, "%sproblem%s   %s\n", style->bad, style->end,
			json_string_value(problem) ? json_string_value(problem) : "-");
}
