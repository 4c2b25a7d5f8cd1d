/* SPDX-License-Identifier: GPL-2.0-only */
#include "top.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 80
#define PROBLEMS_MAX 4
#define EVENTS_MIN 3
#define EVENTS_MAX 12
#define LINE_LEN 512

/* ---- what there is ---- */

int top_devices_parse(const char *text, struct top_device **ret_devices, size_t *ret_n)
{
	struct top_device *devices = NULL;
	size_t n = 0;

	for (const char *line = text; line; line = strchr(line, '\n')) {
		struct top_device device, *more;

		line += *line == '\n';
		if (sscanf(line,
			   " %15[^: ]: %" SCNu64 " %" SCNu64 " %*u %*u %*u %*u %*u %*u %" SCNu64
			   " %" SCNu64,
			   device.name, &device.rx_bytes, &device.rx_packets, &device.tx_bytes,
			   &device.tx_packets) != 5)
			continue;
		more = reallocarray(devices, n + 1, sizeof(*devices));
		if (!more) {
			free(devices);
			return -ENOMEM;
		}
		devices = more;
		devices[n++] = device;
	}
	*ret_devices = devices;
	*ret_n = n;
	return 0;
}

void top_sample_fini(struct top_sample *sample)
{
	json_decref(sample->status);
	json_decref(sample->paths);
	json_decref(sample->drops);
	json_decref(sample->events);
	free(sample->devices);
	*sample = (struct top_sample){ 0 };
}

const char *top_number(double value, char buf[static TOP_NUMBER_LEN])
{
	static const char units[] = " kMGTP";
	size_t unit = 0;

	while (value >= 999.5 && unit < sizeof(units) - 2) {
		value /= 1000;
		unit++;
	}
	if (!unit)
		snprintf(buf, TOP_NUMBER_LEN, "%.0f", value);
	else
		snprintf(buf, TOP_NUMBER_LEN, "%.*f%c",
			 value < 9.995	 ? 2
			 : value < 99.95 ? 1
					 : 0,
			 value, units[unit]);
	return buf;
}

static const char *text_of(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "-";
}

static bool is_true(json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

static const struct top_device *find_device(const struct top_sample *sample, const char *name)
{
	for (size_t i = 0; sample && i < sample->n_devices; i++)
		if (!strcmp(sample->devices[i].name, name))
			return &sample->devices[i];
	return NULL;
}

/* ---- the page ---- */

struct page {
	const struct top_sample *before, *now;
	const struct top_screen *screen;
	FILE *out;
	unsigned int lines;
	double seconds; /* between the samples; 0: no rates */
};

static const char good[] = "\033[32m", bad[] = "\033[31m", dim[] = "\033[2m", bold[] = "\033[1m",
		  plain[] = "";

static unsigned int rows_left(const struct page *page)
{
	if (!page->screen->rows)
		return 1000;
	return page->lines < page->screen->rows ? page->screen->rows - page->lines : 0;
}

static void put(struct page *page, const char *colour, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void put(struct page *page, const char *colour, const char *fmt, ...)
{
	const unsigned int columns =
		page->screen->columns < COLUMNS_MAX ? page->screen->columns : COLUMNS_MAX;
	char line[LINE_LEN];
	va_list args;

	if (!rows_left(page))
		return;
	va_start(args, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, args); /* it is cut below anyway */
	va_end(args);
	if (!page->screen->colour)
		colour = plain;
	fprintf(page->out, "%s%.*s%s\n", colour, (int)columns, line, *colour ? "\033[0m" : "");
	page->lines++;
}

/* A rate as text; "-" as long as there is none. */
static const char *rate(const struct page *page, uint64_t before, uint64_t now,
			char buf[static TOP_NUMBER_LEN])
{
	/* An interface that was made anew begins at 0. */
	if (page->seconds <= 0 || now < before)
		return "-";
	return top_number((double)(now - before) / page->seconds, buf);
}

static void put_node(struct page *page, const char *time)
{
	json_t *status = page->now->status;
	json_t *partner = json_object_get(status, "partner"), *vips, *vip;
	const json_int_t severity =
		json_integer_value(json_object_get(json_object_get(status, "health"), "severity"));
	const bool active = !strcmp(text_of(status, "role"), "active");
	char vip_text[64] = "";
	size_t i, held = 0;

	vips = json_object_get(status, "vips");
	json_array_foreach(vips, i, vip) held += is_true(vip, "held");
	put(page, bold, "%-16.16s %-8.8s gen %-6" JSON_INTEGER_FORMAT " %-12.12s  %s",
	    text_of(status, "node"), text_of(status, "role"),
	    json_integer_value(json_object_get(status, "generation")), text_of(status, "site"),
	    time);
	if (json_array_size(vips))
		snprintf(vip_text, sizeof(vip_text), ", %zu of %zu VIPs here", held,
			 json_array_size(vips));
	put(page,
	    severity ? bad
	    : active ? good
		     : plain,
	    "health %s%s%s%.13s%s%.16s%s%.10s", severity ? "bad" : "good", vip_text,
	    partner ? ", partner " : "", partner ? text_of(partner, "name") : "",
	    !partner			? ""
	    : is_true(partner, "alive") ? " alive, "
					: " dead",
	    partner && is_true(partner, "alive") ? text_of(partner, "role") : "",
	    json_object_get(status, "engine") ? ", engine " : "",
	    json_object_get(status, "engine") ? text_of(status, "engine") : "");
}

/* The path in use to a peer; NULL: none is known. */
static json_t *find_path(const struct page *page, json_int_t peer_id, int *ret_number)
{
	json_t *peers = json_object_get(page->now->paths, "peers"), *peer, *number;
	size_t i;

	json_array_foreach(peers, i, peer)
	{
		if (json_integer_value(json_object_get(peer, "id")) != peer_id)
			continue;
		number = json_object_get(peer, "path");
		if (!json_is_integer(number))
			return NULL;
		*ret_number = (int)json_integer_value(number);
		return json_array_get(json_object_get(peer, "paths"), (size_t)*ret_number);
	}
	return NULL;
}

static void put_tunnel(struct page *page, json_t *tunnel)
{
	const char *name = text_of(tunnel, "interface");
	const struct top_device *now = find_device(page->now, name);
	const struct top_device *before = find_device(page->before, name);
	const bool alive = is_true(tunnel, "alive");
	char rx[TOP_NUMBER_LEN], tx[TOP_NUMBER_LEN], rx_packets[TOP_NUMBER_LEN];
	char tx_packets[TOP_NUMBER_LEN], way[32] = "-", rtt[16] = "-", loss[16] = "-";
	const struct top_device none = { 0 };
	int number = 0;
	json_t *path =
		find_path(page, json_integer_value(json_object_get(tunnel, "peer_id")), &number);
	json_t *ms = path ? json_object_get(json_object_get(path, "rtt_ms"), "smoothed")
			  : json_object_get(tunnel, "rtt_ms");

	if (path)
		snprintf(way, sizeof(way), "%d %.16s", number,
			 json_is_string(json_object_get(path, "relay")) ? text_of(path, "relay")
									: "direct");
	if (!alive)
		snprintf(way, sizeof(way), "dead");
	if (json_is_number(ms))
		snprintf(rtt, sizeof(rtt), "%.*f", json_number_value(ms) < 10 ? 2 : 1,
			 json_number_value(ms));
	if (path) {
		json_t *minute = json_object_get(path, "loss_60s");
		const double out = json_number_value(json_object_get(minute, "out_percent"));
		const double in = json_number_value(json_object_get(minute, "in_percent"));

		snprintf(loss, sizeof(loss), "%.1f", out > in ? out : in);
	}
	if (!now || !before)
		now = before = &none;
	put(page, alive ? plain : bad, "%-8.8s %-12.12s %-11.11s %6.6s %5.5s %7s %7s %7s %7s", name,
	    text_of(tunnel, "peer"), way, rtt, loss,
	    now == &none ? "-" : rate(page, before->rx_bytes * 8, now->rx_bytes * 8, rx),
	    now == &none ? "-" : rate(page, before->tx_bytes * 8, now->tx_bytes * 8, tx),
	    now == &none ? "-" : rate(page, before->rx_packets, now->rx_packets, rx_packets),
	    now == &none ? "-" : rate(page, before->tx_packets, now->tx_packets, tx_packets));
}

/* The dead ones first: they are what one looks for. */
static void put_tunnels(struct page *page, unsigned int reserved)
{
	json_t *tunnels = json_object_get(page->now->status, "tunnels"), *tunnel;
	size_t left = json_array_size(tunnels), i;

	if (!left)
		return;
	put(page, dim, "%-8s %-12s %-11s %6s %5s %7s %7s %7s %7s", "tunnel", "peer", "path",
	    "rtt ms", "loss%", "in b/s", "out b/s", "in pkt", "out pkt");
	for (int dead = 1; dead >= 0; dead--) {
		json_array_foreach(tunnels, i, tunnel)
		{
			if (is_true(tunnel, "alive") == dead)
				continue;
			if (left > 1 && rows_left(page) <= reserved + 1) {
				put(page, dim, "and %zu more tunnels", left);
				return;
			}
			put_tunnel(page, tunnel);
			left--;
		}
	}
}

static json_int_t packets_of(json_t *counters, const char *name)
{
	return json_integer_value(json_object_get(json_object_get(counters, name), "packets"));
}

/* Adds what rose to a line; full lines are put. */
static void add_drops(struct page *page, json_t *before, json_t *now, char line[static LINE_LEN])
{
	const char *name;
	json_t *counter;

	json_object_foreach(now, name, counter)
	{
		char number[TOP_NUMBER_LEN], text[80];
		const json_int_t rise = json_integer_value(json_object_get(counter, "packets")) -
					packets_of(before, name);

		if (strncmp(name, "drop_", 5) || rise <= 0 || page->seconds <= 0)
			continue;
		snprintf(text, sizeof(text), " %.40s %s", name + 5,
			 top_number((double)rise / page->seconds, number));
		if (strlen(line) + strlen(text) > COLUMNS_MAX) {
			put(page, plain, "%s", line);
			snprintf(line, LINE_LEN, "       ");
		}
		strncat(line, text, LINE_LEN - strlen(line) - 1);
	}
}

static void put_drops(struct page *page)
{
	char line[LINE_LEN] = "drops/s";

	if (page->before) {
		add_drops(page, page->before->drops, page->now->drops, line);
		add_drops(page, json_object_get(page->before->status, "counters"),
			  json_object_get(page->now->status, "counters"), line);
	}
	put(page, plain, "%s%s", line, strlen(line) == 7 ? " none" : "");
}

static void put_traffic(struct page *page)
{
	static const char *const names[] = { "to_mesh", "from_mesh" };
	char bits[2][TOP_NUMBER_LEN], packets[2][TOP_NUMBER_LEN];
	const char *b[2], *p[2];

	for (int i = 0; i < 2; i++) {
		json_t *now = json_object_get(page->now->status, "counters");
		json_t *before =
			page->before ? json_object_get(page->before->status, "counters") : NULL;
		json_t *bytes_now = json_object_get(json_object_get(now, names[i]), "bytes");
		json_t *bytes_before = json_object_get(json_object_get(before, names[i]), "bytes");

		if (!bytes_now)
			return;
		b[i] = rate(page, (uint64_t)json_integer_value(bytes_before) * 8,
			    (uint64_t)json_integer_value(bytes_now) * 8, bits[i]);
		p[i] = rate(page, (uint64_t)packets_of(before, names[i]),
			    (uint64_t)packets_of(now, names[i]), packets[i]);
	}
	put(page, plain, "customers  to the mesh %s bit/s, %s packets/s, from it %s, %s", b[0],
	    p[0], b[1], p[1]);
}

static void put_problems(struct page *page)
{
	json_t *problems = json_object_get(page->now->status, "problems"), *problem;
	const size_t n = json_array_size(problems);
	size_t i;

	if (!n)
		put(page, good, "no problems");
	json_array_foreach(problems, i, problem)
	{
		if (i == PROBLEMS_MAX - 1 && n > PROBLEMS_MAX) {
			put(page, bad, "and %zu more problems: netpas status", n - i);
			break;
		}
		put(page, bad, "problem: %s", json_string_value(problem));
	}
}

/* One event is one line here; `netpas events` has all of it. */
static void put_events(struct page *page)
{
	const size_t n = json_array_size(page->now->events);
	size_t room = rows_left(page), i;

	if (!n || room < 2)
		return;
	room = room - 1 < EVENTS_MAX ? room - 1 : EVENTS_MAX;
	put(page, dim, "last events, UTC");
	for (i = n > room ? n - room : 0; i < n; i++) {
		json_t *event = json_array_get(page->now->events, i);
		const char *time = text_of(event, "time"), *level = text_of(event, "level");
		char text[COLUMNS_MAX + 1];

		snprintf(text, sizeof(text), "%s", text_of(event, "text"));
		for (char *at = text; *at; at++)
			if ((unsigned char)*at < ' ' || *at == 0x7f)
				*at = ' ';
		put(page,
		    !strcmp(level, "error")	? bad
		    : !strcmp(level, "warning") ? bold
						: plain,
		    "%.12s %-10.10s %s", strlen(time) > 11 ? time + 11 : "", text_of(event, "kind"),
		    text);
	}
}

void top_render(const struct top_sample *before, const struct top_sample *now, const char *time,
		const struct top_screen *screen, FILE *out)
{
	struct page page = { before, now, screen, out, 0, 0 };
	const size_t problems = json_array_size(json_object_get(now->status, "problems"));

	if (before && now->at_us > before->at_us)
		page.seconds = (double)(now->at_us - before->at_us) / 1e6;
	put_node(&page, time);
	put_traffic(&page);
	put_tunnels(&page, (unsigned int)(problems > PROBLEMS_MAX ? PROBLEMS_MAX : problems) + 3 +
				   EVENTS_MIN);
	put_drops(&page);
	put_problems(&page);
	put_events(&page);
}
