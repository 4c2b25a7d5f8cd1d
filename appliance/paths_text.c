/* SPDX-License-Identifier: GPL-2.0-only */
/* `netpas paths` and `netpas drops` as text, out of the daemon's JSON. */
#include <string.h>

#include "paths_text.h"

static const char *text_of(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "-";
}

static void print_ms(json_t *object, const char *key, FILE *out)
{
	json_t *value = json_object_get(object, key);

	if (json_is_number(value))
		fprintf(out, " %8.2f", json_number_value(value));
	else
		fprintf(out, " %8s", "-");
}

static void print_path(json_t *path, FILE *out)
{
	json_t *rtt = json_object_get(path, "rtt_ms"), *loss = json_object_get(path, "loss_60s");
	const int order = (int)json_integer_value(json_object_get(path, "order"));
	const char *relay = json_string_value(json_object_get(path, "relay"));
	const double since = json_number_value(json_object_get(path, "since_s"));
	char place[16] = "-";

	if (order)
		snprintf(place, sizeof(place), order == 1 ? "in use" : "%d", order);
	fprintf(out, "  %3d %-15s %-15s %-10s %-7s %-9s",
		(int)json_integer_value(json_object_get(path, "path")), text_of(path, "local"),
		text_of(path, "remote"), relay ? relay : "direct", place, text_of(path, "state"));
	print_ms(rtt, "min", out);
	print_ms(rtt, "p50", out);
	print_ms(rtt, "p99", out);
	print_ms(rtt, "jitter", out);
	fprintf(out, " %6.2f %6.2f %7d  %.0f s: %s\n",
		json_number_value(json_object_get(loss, "out_percent")),
		json_number_value(json_object_get(loss, "in_percent")),
		(int)json_integer_value(json_object_get(path, "payload")), since,
		text_of(path, "why"));
}

/* One lane is nothing to be told. */
static void print_lanes(json_t *lanes, FILE *out)
{
	json_t *lane;
	size_t i;

	if (json_array_size(lanes) < 2)
		return;
	fputs("  lanes:", out);
	json_array_foreach(lanes, i, lane) fprintf(
		out, "%s %s %s%s", i ? "," : "", text_of(lane, "interface"), text_of(lane, "class"),
		json_is_true(json_object_get(lane, "used")) ? "" : " (not used)");
	fputc('\n', out);
}

void paths_print(json_t *paths, FILE *out)
{
	json_t *peers = json_object_get(paths, "peers"), *peer, *path;
	double bits = 0;
	size_t i, p;

	if (!json_is_true(json_object_get(paths, "on"))) {
		fprintf(out, "no paths: the data plane is off (%s)\n", text_of(paths, "reason"));
		return;
	}
	json_array_foreach(peers, i, peer)
	{
		fprintf(out, "%sto %s, class %s: %s, since %.0f s\n", i ? "\n" : "",
			text_of(peer, "peer"), text_of(peer, "class"), text_of(peer, "reason"),
			json_number_value(json_object_get(peer, "since_s")));
		print_lanes(json_object_get(peer, "lanes"), out);
		fprintf(out, "  %3s %-15s %-15s %-10s %-7s %-9s %8s %8s %8s %8s %6s %6s %7s  %s\n",
			"#", "local", "remote", "by", "order", "state", "rtt min", "p50", "p99",
			"jitter", "out %", "in %", "payload", "since");
		json_array_foreach(json_object_get(peer, "paths"), p, path)
		{
			print_path(path, out);
			bits += json_number_value(json_object_get(path, "probe_bits_per_s"));
		}
	}
	fprintf(out, "\nround trips in ms and loss over the last minute; probes cost %.0f kbit/s\n",
		bits / 1000);
}

void drops_print(json_t *drops, FILE *out)
{
	const char *name;
	json_t *count;

	json_object_foreach(drops, name, count)
	{
		const json_int_t packets = json_integer_value(json_object_get(count, "packets"));

		if (packets)
			fprintf(out,
				"%-24s %14" JSON_INTEGER_FORMAT " packets %16" JSON_INTEGER_FORMAT
				" bytes\n",
				name, packets, json_integer_value(json_object_get(count, "bytes")));
	}
}
