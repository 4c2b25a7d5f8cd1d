/* SPDX-License-Identifier: GPL-2.0-only */
/* `netpas paths` and `netpas drops` as text, out of the daemon's JSON. */
#include <stdlib.h>
#include <string.h>

#include "paths_text.h"

static const char *text_of(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "-";
}

#define COLUMNS_MAX 80
#define EVENTS_MAX 10 /* of each peer; the JSON has more */

static double number_of(json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

/* A span of time in its largest unit. */
static const char *span_text(double s, char buf[static 16])
{
	if (s < 120)
		snprintf(buf, 16, "%.0f s", s);
	else if (s < 7200)
		snprintf(buf, 16, "%.0f min", s / 60);
	else if (s < 172800)
		snprintf(buf, 16, "%.0f h", s / 3600);
	else
		snprintf(buf, 16, "%.0f d", s / 86400);
	return buf;
}

static void print_ms(json_t *object, const char *key, FILE *out)
{
	json_t *value = json_object_get(object, key);
	const double ms = json_number_value(value);

	if (json_is_number(value))
		fprintf(out, " %7.*f", ms < 1000 ? 2 : 0, ms);
	else
		fprintf(out, " %7s", "-");
}

/* What was measured over one window. */
static void print_window(const char *name, json_t *rtt, json_t *loss, FILE *out)
{
	fprintf(out, " %-6s", name);
	print_ms(rtt, "min", out);
	print_ms(rtt, "p50", out);
	print_ms(rtt, "p99", out);
	print_ms(rtt, "jitter", out);
	fprintf(out, " %6.2f %6.2f\n", number_of(loss, "out_percent"),
		number_of(loss, "in_percent"));
}

static void print_path(json_t *path, FILE *out)
{
	const int order = (int)json_integer_value(json_object_get(path, "order"));
	const char *relay = json_string_value(json_object_get(path, "relay"));
	char place[16] = "-";

	if (order)
		snprintf(place, sizeof(place), order == 1 ? "use" : "%d", order);
	fprintf(out, "%2d %-3s %-10.10s %-9s",
		(int)json_integer_value(json_object_get(path, "path")), place,
		relay ? relay : "direct", text_of(path, "state"));
	print_window("minute", json_object_get(path, "rtt_ms"), json_object_get(path, "loss_60s"),
		     out);
	fprintf(out, "%2s %-3s %-10s %-9s", "", "", "", "");
	print_window("hour", json_object_get(path, "rtt_hour_ms"),
		     json_object_get(path, "loss_hour"), out);
}

/* From where to where, since when it is what it is and why. */
static void print_way(json_t *path, FILE *out)
{
	const int payload = (int)json_integer_value(json_object_get(path, "payload"));
	const char *relay = json_string_value(json_object_get(path, "relay"));
	char line[160], rest[96], span[16];

	snprintf(line, sizeof(line), "%2d %s -> %s%s%s",
		 (int)json_integer_value(json_object_get(path, "path")), text_of(path, "local"),
		 text_of(path, "remote"), relay ? " via " : "", relay ? relay : "");
	if (payload)
		snprintf(rest, sizeof(rest), ", carries %d, probed every %.0f ms", payload,
			 number_of(path, "interval_ms"));
	else
		snprintf(rest, sizeof(rest), ", probed every %.0f ms",
			 number_of(path, "interval_ms"));
	fputs(line, out);
	if (strlen(line) + strlen(rest) > COLUMNS_MAX)
		fputs(",\n  ", out);
	fprintf(out, "%s\n   %s for %s: %s\n", rest + (strlen(line) + strlen(rest) > COLUMNS_MAX),
		text_of(path, "state"), span_text(number_of(path, "since_s"), span),
		text_of(path, "why"));
}

/* One lane is nothing to be told. */
static void print_lanes(json_t *lanes, FILE *out)
{
	json_t *lane;
	size_t i;

	if (json_array_size(lanes) < 2)
		return;
	fputs("lanes:", out);
	json_array_foreach(lanes, i, lane) fprintf(
		out, "%s %s %s%s", i ? "," : "", text_of(lane, "interface"), text_of(lane, "class"),
		json_is_true(json_object_get(lane, "used")) ? "" : " (not used)");
	fputc('\n', out);
}

/* One of what happened; the text of it is made when its turn has come. */
struct event {
	json_t *entry;
	int path; /* -1: another one was taken into use */
};

static int event_compare(const void *a, const void *b)
{
	const double ago_a = number_of(((const struct event *)a)->entry, "ago_s");
	const double ago_b = number_of(((const struct event *)b)->entry, "ago_s");

	return (ago_a > ago_b) - (ago_a < ago_b);
}

static const char *path_text(json_t *number, char buf[static 16])
{
	if (json_is_integer(number))
		snprintf(buf, 16, "%d", (int)json_integer_value(number));
	else
		snprintf(buf, 16, "-");
	return buf;
}

static void print_event(const struct event *event, FILE *out)
{
	char span[16], from[16], to[16];

	fprintf(out, "%7s ago  ", span_text(number_of(event->entry, "ago_s"), span));
	if (event->path < 0)
		fprintf(out, "in use: %s -> %s (%s)\n",
			path_text(json_object_get(event->entry, "from"), from),
			path_text(json_object_get(event->entry, "to"), to),
			text_of(event->entry, "why"));
	else
		fprintf(out, "path %d: %s -> %s (%s)\n", event->path, text_of(event->entry, "from"),
			text_of(event->entry, "to"), text_of(event->entry, "why"));
}

static void print_events(json_t *peer, FILE *out)
{
	json_t *paths = json_object_get(peer, "paths"), *path, *entry;
	size_t n = json_array_size(json_object_get(peer, "history")), p, i;
	struct event *events;

	json_array_foreach(paths, p, path) n += json_array_size(json_object_get(path, "history"));
	events = calloc(n ? n : 1, sizeof(*events));
	if (!events)
		return;
	n = 0;
	json_array_foreach(json_object_get(peer, "history"), i, entry) events[n++] =
		(struct event){ entry, -1 };
	json_array_foreach(paths, p, path)
	{
		json_array_foreach(json_object_get(path, "history"), i, entry) events[n++] =
			(struct event){ entry, (int)p };
	}
	qsort(events, n, sizeof(*events), event_compare);
	for (i = 0; i < n && i < EVENTS_MAX; i++)
		print_event(&events[i], out);
	free(events);
}

static void print_peer(json_t *peer, FILE *out)
{
	json_t *paths = json_object_get(peer, "paths"), *mtu = json_object_get(peer, "mtu"), *path;
	char span[16];
	size_t p;

	fprintf(out, "to %s, class %s: %s, for %s\n", text_of(peer, "peer"), text_of(peer, "class"),
		text_of(peer, "reason"), span_text(number_of(peer, "since_s"), span));
	print_lanes(json_object_get(peer, "lanes"), out);
	if (json_is_object(mtu))
		fprintf(out, "tunnel MTU %d (%s)\n",
			(int)json_integer_value(json_object_get(mtu, "tunnel")),
			text_of(mtu, "reason"));
	fprintf(out, "%2s %-3s %-10s %-9s %-6s %7s %7s %7s %7s %6s %6s\n", "#", "", "by", "state",
		"", "rtt min", "p50", "p99", "jitter", "out %", "in %");
	json_array_foreach(paths, p, path) print_path(path, out);
	json_array_foreach(paths, p, path) print_way(path, out);
	print_events(peer, out);
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
		if (i)
			fputc('\n', out);
		print_peer(peer, out);
		json_array_foreach(json_object_get(peer, "paths"), p, path) bits +=
			number_of(path, "probe_bits_per_s");
	}
	fprintf(out, "\nround trips in ms; probes cost %.0f kbit/s each way, and at most %.0f\n",
		bits / 1000, number_of(paths, "probe_bits_per_s_max") / 1000);
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
