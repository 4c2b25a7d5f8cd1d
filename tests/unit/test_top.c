/* SPDX-License-Identifier: GPL-2.0-only */
/* The page of `netpas top`: rates, widths, and what is left out first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "top.h"

static const char dev_text[] =
	"Inter-|   Receive                                                |  Transmit\n"
	" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs "
	"drop fifo colls carrier compressed\n"
	"    lo:       0       0    0    0    0     0          0         0        0       0    0    "
	"0    0     0       0          0\n"
	"   np3: 1250000    1000    0    0    0     0          0         0  2500000    2000    0    "
	"0    0     0       0          0\n"
	"averyveryverylongname: 1 2 3\n"
	"wan0:18446744073709551615 7 0 0 0 0 0 0 9 8 0 0 0 0 0 0";

static void devices_are_read(void **state)
{
	struct top_device *devices = NULL;
	size_t n = 0;

	(void)state;
	assert_int_equal(top_devices_parse(dev_text, &devices, &n), 0);
	assert_int_equal(n, 3);
	assert_string_equal(devices[1].name, "np3");
	assert_int_equal(devices[1].rx_bytes, 1250000);
	assert_int_equal(devices[1].rx_packets, 1000);
	assert_int_equal(devices[1].tx_bytes, 2500000);
	assert_int_equal(devices[1].tx_packets, 2000);
	assert_string_equal(devices[2].name, "wan0");
	assert_true(devices[2].rx_bytes == UINT64_MAX);
	free(devices);
}

static void numbers_are_short(void **state)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {
		{ 0, "0" },	    { 999.4, "999" },  { 999.6, "1.00k" },  { 1234, "1.23k" },
		{ 99940, "99.9k" }, { 99960, "100k" }, { 999600, "1.00M" }, { 12.3e6, "12.3M" },
		{ 1e12, "1.00T" },  { 1e18, "1000P" },
	};
	char text[TOP_NUMBER_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(top_number(cases[i].value, text), cases[i].text);
}

static json_t *make_tunnel(const char *interface, int peer, bool alive)
{
	return json_pack("{s:s, s:s, s:i, s:b, s:f}", "interface", interface, "peer", "sin-a",
			 "peer_id", peer, "alive", alive, "rtt_ms", 12.5);
}

static void make_sample(struct top_sample *ret, unsigned int scale, size_t n_tunnels)
{
	json_t *tunnels = json_array(), *events = json_array();

	json_array_append_new(tunnels, make_tunnel("np3", 3, true));
	for (size_t i = 1; i < n_tunnels; i++)
		json_array_append_new(tunnels, make_tunnel("np4", 4, i != n_tunnels - 1));
	for (int i = 0; i < 40; i++)
		json_array_append_new(events,
				      json_pack("{s:s, s:s, s:s, s:s}", "time",
						"2026-11-22T16:17:01.123Z", "kind", "path", "level",
						"error", "text",
						"path 0 to sin-a:\ngood -> dead (a reason that is "
						"longer than there is room for in one line)"));
	*ret = (struct top_sample){
		.at_us = scale * 2000000ull,
		.status = json_pack(
			"{s:s, s:s, s:s, s:i, s:s, s:o, s:{s:{s:i, s:i}, s:{s:i, s:i}, s:{s:i}},"
			" s:[s], s:[{s:b}], s:{s:i}, s:{s:s, s:b, s:s}}",
			"node", "fra-a", "role", "active", "site", "fra", "generation", 7, "engine",
			"user", "tunnels", tunnels, "counters", "to_mesh", "packets", scale * 200,
			"bytes", scale * 25000, "from_mesh", "packets", scale * 20, "bytes",
			scale * 2500, "drop_policy", "packets", scale * 4, "problems", "one",
			"vips", "held", 1, "health", "severity", 0, "partner", "name", "fra-b",
			"alive", 1, "role", "standby"),
		.paths = json_pack("{s:[{s:i, s:i, s:[{}, {s:s, s:{s:f}, s:{s:f, s:f}}]}]}",
				   "peers", "id", 3, "path", 1, "paths", "relay", "pop1", "rtt_ms",
				   "smoothed", 62.5, "loss_60s", "out_percent", 0.0, "in_percent",
				   1.5),
		.drops = json_pack("{s:{s:i}, s:{s:i}, s:{s:i}}", "drop_stranger", "packets",
				   scale * 10, "pass_data", "packets", scale * 99, "drop_tag",
				   "packets", 5),
		.events = events,
	};
	assert_non_null(ret->status);
	assert_non_null(ret->paths);
	assert_non_null(ret->drops);
	assert_int_equal(top_devices_parse(dev_text, &ret->devices, &ret->n_devices), 0);
	for (size_t i = 0; i < ret->n_devices; i++) {
		ret->devices[i].rx_bytes = scale * 250000;
		ret->devices[i].tx_packets = scale * 2000;
	}
}

static char *render(unsigned int rows, unsigned int columns, size_t n_tunnels, bool first)
{
	const struct top_screen screen = { rows, columns, false };
	struct top_sample before, now;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	make_sample(&before, 1, n_tunnels);
	make_sample(&now, 2, n_tunnels);
	top_render(first ? NULL : &before, &now, "2026-11-22 16:17:01 UTC", &screen, out);
	fclose(out);
	top_sample_fini(&before);
	top_sample_fini(&now);
	return text;
}

static unsigned int lines_of(const char *text, size_t *ret_widest)
{
	unsigned int lines = 0;

	*ret_widest = 0;
	for (const char *line = text; *line; lines++) {
		const size_t len = strcspn(line, "\n");

		if (len > *ret_widest)
			*ret_widest = len;
		line += len + 1;
	}
	return lines;
}

static void rates_are_those_of_the_time_between(void **state)
{
	char *text = render(0, 80, 2, false);

	(void)state;
	assert_non_null(strstr(text, "to the mesh 100k bit/s, 100 packets/s, from it 10.0k, 10\n"));
	assert_non_null(strstr(text, "np3      sin-a        1 pop1        62.5   1.5   1.00M"));
	assert_non_null(strstr(text, "drops/s stranger 5 policy 2\n"));
	assert_non_null(strstr(text, "problem: one"));
	assert_non_null(strstr(text, "1 of 1 VIPs here, partner fra-b alive, standby"));
	free(text);
}

static void without_a_sample_before_there_are_none(void **state)
{
	char *text = render(0, 80, 2, true);

	(void)state;
	assert_non_null(strstr(text, "to the mesh - bit/s"));
	assert_non_null(strstr(text, "drops/s none"));
	free(text);
}

static void it_fits_every_screen(void **state)
{
	static const unsigned int columns[] = { 20, 40, 80, 200 };

	(void)state;
	for (unsigned int rows = 1; rows < 60; rows++) {
		for (size_t c = 0; c < 4; c++) {
			char *text = render(rows, columns[c], 30, false);
			size_t widest;

			assert_true(lines_of(text, &widest) <= rows);
			assert_true(widest <= (columns[c] < 80 ? columns[c] : 80));
			free(text);
		}
	}
}

/* One of thirty is dead, and it is the last of the list. */
static void what_is_dead_is_seen(void **state)
{
	char *text = render(24, 80, 30, false);

	(void)state;
	assert_non_null(strstr(text, " dead "));
	assert_non_null(strstr(text, "more tunnels"));
	assert_non_null(strstr(text, "problem: one"));
	assert_non_null(strstr(text, "path 0 to sin-a: good"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices_are_read),
		cmocka_unit_test(numbers_are_short),
		cmocka_unit_test(rates_are_those_of_the_time_between),
		cmocka_unit_test(without_a_sample_before_there_are_none),
		cmocka_unit_test(it_fits_every_screen),
		cmocka_unit_test(what_is_dead_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
