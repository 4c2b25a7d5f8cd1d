/* SPDX-License-Identifier: GPL-2.0-only */
/* Every table of the command with the longest legal names and the largest numbers: no line is longer than 80 columns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drill_report.h"
#include "event_record.h"
#include "paths_text.h"
#include "status.h"
#include "top.h"
#include "usage_report.h"
#include "wrap.h"

#define NAME "abcdefghijklmnopqrstuvwxyz-0123" /* 31 characters */
#define OTHER "zyxwvutsrqponmlkjihgfedcba-3210"
#define DEVICE "np-abcdefghijkl" /* 15 */
#define ADDRESS "fd00:1111:2222:3333:4444:5555:6666:7777"
#define LARGE "9223372036854775807"
#define LONG "a reason that takes as many words as it likes, since the world is not simple, "

static unsigned int columns_of(const char *line, size_t len)
{
	unsigned int columns = 0;

	for (size_t i = 0; i < len; i++) {
		if (line[i] == '\033')
			while (line[i] != 'm')
				i++;
		else
			columns += (line[i] & 0xc0) != 0x80;
	}
	return columns;
}

static void check_width(const char *text)
{
	for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
		const size_t len = strcspn(line, "\n");

		if (columns_of(line, len) > WRAP_COLUMNS)
			fail_msg("%u columns: %.*s", columns_of(line, len), (int)len, line);
		if (!line[len])
			break;
	}
}

/* All that is no blank, colour or line's end is there, in its order. */
static void check_nothing_lost(const char *before, const char *after)
{
	for (;; before++, after++) {
		before += strspn(before, " \n");
		after += strspn(after, " \n");
		assert_int_equal(*before, *after);
		if (!*before)
			return;
	}
}

static json_t *load(const char *text)
{
	char *copy = strdup(text);
	json_error_t error;
	json_t *json;

	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	json = json_loads(copy, 0, &error);
	if (!json)
		fail_msg("%s at %d", error.text, error.position);
	free(copy);
	return json;
}

typedef void print_fn(json_t *json, FILE *out);

/* Printed, and as it is shown. */
static char *shown(print_fn *print, json_t *json)
{
	char *plain = NULL, *wrapped = NULL;
	size_t size;
	struct wrap wrap;
	FILE *out = open_memstream(&plain, &size);

	assert_non_null(out);
	print(json, out);
	fclose(out);
	out = open_memstream(&wrapped, &size);
	assert_non_null(out);
	assert_non_null(wrap_open(&wrap));
	print(json, wrap.stream);
	wrap_close(&wrap, out);
	fclose(out);
	check_width(wrapped);
	check_nothing_lost(plain, wrapped);
	free(plain);
	json_decref(json);
	return wrapped;
}

static const char status_text[] =
	"{'node': '" NAME "', 'id': 4095, 'site': '" OTHER
	"', 'version': '20261122.2015-g0123456789abcdef-dirty',"
	" 'role': 'overruled', 'generation': " LARGE
	", 'engine': 'kernel', 'config': {'digest': '0123456789abcdef',"
	"  'loaded': '2026-11-22T02:31:07Z'}, 'problems': ['" LONG LONG
	"', 'abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"
	"abcdefghijklmnopqrstuvwxyz/abcdefghijklmnopqrstuvwxyz/abcdefghijklmnopqrstuvwxyz'],"
	" 'vips': [{'address': '" ADDRESS "', 'held': true}, {'address': '" ADDRESS
	"', 'held': false},"
	"  {'address': '255.255.255.255', 'held': false}],"
	" 'ha': {'profile': 'cloud', 'advert_ms': 40950, 'realtime': true, 'drained': true},"
	" 'partner': {'name': '" NAME "', 'alive': true, 'role': 'standby', 'generation': " LARGE
	","
	"  'config_matches': false, 'rtt_ms': 99999.9, 'interface': '" DEVICE "'},"
	" 'cloud': {'provider': 'openstack', 'held': false, 'state': 'overruled', 'since': 1795314667,"
	"  'generation': " LARGE ", 'rival_generation': " LARGE ", 'rival': '" NAME "'},"
	" 'health': {'severity': 99999, 'isolated': true, 'faults': [{'fault': 'keepalived', 'state': 'recovering',"
	"  'since_s': 999999999}, {'fault': 'control-plane', 'state': 'recovering', 'since_s': 999999999},"
	"  {'fault': 'clock', 'state': 'suspect', 'since_s': 999999999}]},"
	" 'tunnels': [{'interface': '" DEVICE "', 'peer': '" NAME
	"', 'class': 'protected', 'alive': true,"
	"  'handshake_age_s': 99999999, 'rx_bytes': " LARGE ", 'tx_bytes': " LARGE
	", 'rtt_ms': 99999.9, 'role': 'overruled',"
	"  'mtu': 65535, 'mtu_reason': '" LONG "', 'endpoint': '[" ADDRESS "]:65535'}],"
	" 'sites': [{'name': '" NAME "', 'subnets': 99999, 'gateway': '" OTHER "', 'reason': '" LONG
	"'}],"
	" 'counters': {'drop_a_reason_of_a_long_name': {'packets': " LARGE ", 'bytes': " LARGE "}},"
	" 'relayed': [{'from': '" NAME "', 'to': '" OTHER "', 'packets': " LARGE ", 'bytes': " LARGE
	"}]}";

static const char paths_text[] =
	"{'on': true, 'probe_bits_per_s_max': 1e15, 'peers': [{'peer': '" NAME
	"', 'class': 'protected', 'reason': '" LONG "',"
	" 'since_s': 1e9, 'lanes': [{'interface': '" DEVICE
	"', 'class': 'protected', 'used': false},"
	"  {'interface': '" DEVICE "', 'class': 'protected', 'used': false}, {'interface': '" DEVICE
	"', 'class': 'bulk', 'used': false}],"
	" 'mtu': {'tunnel': 65535, 'reason': '" LONG
	"'}, 'history': [{'ago_s': 1e9, 'from': 63, 'to': 62, 'why': '" LONG "'}],"
	" 'paths': [{'path': 63, 'order': 64, 'relay': '" OTHER
	"', 'state': 'brown-out', 'why': '" LONG "', 'since_s': 1e9,"
	"  'local': '" ADDRESS "', 'remote': '" ADDRESS
	"', 'payload': 65535, 'interval_ms': 99999, 'probe_bits_per_s': 1e15,"
	"  'rtt_ms': {'min': 9999999, 'p50': 9999999, 'p99': 9999999, 'jitter': 9999999},"
	"  'loss_60s': {'out_percent': 100, 'in_percent': 100},"
	"  'history': [{'ago_s': 1e9, 'from': 'brown-out', 'to': 'unknown', 'why': '" LONG
	"'}]}]}]}";

static void print_coloured(json_t *status, FILE *out)
{
	status_print(status, true, out);
}

static void print_plain(json_t *status, FILE *out)
{
	status_print(status, false, out);
}

static void test_status(void **state)
{
	char *text = shown(print_coloured, load(status_text));

	(void)state;
	assert_non_null(strstr(text, "\033["));
	/* Names stand whole, in whatever line. */
	assert_non_null(strstr(text, DEVICE " " NAME "\n"));
	free(text);
	text = shown(print_plain, load(status_text));
	assert_null(strchr(text, '\033'));
	free(text);
	/* A relay, and one that says nothing. */
	text = strdup(status_text);
	memcpy(strstr(text, "'overruled'"), "'relay'    ", 11);
	free(shown(print_plain, load(text)));
	free(text);
	free(shown(print_plain, load("{}")));
}

static void test_paths(void **state)
{
	char *text = shown(paths_print, load(paths_text));

	(void)state;
	assert_non_null(strstr(text, OTHER));
	free(text);
	free(shown(paths_print, load("{'on': false, 'reason': '" LONG LONG "'}")));
	free(shown(drops_print, load("{'drop_a_reason_of_a_name_so_long_that_it_is_none_of_ours':"
				     " {'packets': " LARGE ", 'bytes': " LARGE "}}")));
}

static void print_report(json_t *report, FILE *out)
{
	drill_report_text(report, out);
}

#define NUMBERS                                                                             \
	"'sent': 999999999, 'lost': 999999999, 'late': 999999999, 'duplicated': 999999999," \
	"'reordered': 999999999, 'outage_loss_ms': 99999999.9, 'outage_timestamp_ms': 99999999.9, 'send_gap_max_ms': 99999999.9"
#define SPREAD "{'p50': 99999999.9, 'p99': 99999999.9, 'max': 99999999.9, 'n': 1000}"

static void test_drill(void **state)
{
	(void)state;
	free(shown(
		print_report,
		load("{'id': '20261122T131500Z-keepalived-kill-" NAME
		     "', 'verdict': 'inconclusive',"
		     " 'scenario': 'keepalived-kill', 'partner': '" NAME
		     "', 'fault': {'what': '" LONG LONG "'},"
		     " 'directions': {'out': {" NUMBERS "}, 'in': {" NUMBERS
		     "}}, 'detection_ms': 99999999.9,"
		     " 'limits': {'outage_ms': 60000}, 'hand_back': {'done': false, 'why': '" LONG
		     "'},"
		     " 'counters': {'reconciled': {'agrees': false, 'received': 1e15, 'to_mesh': 1e15, 'begun_here': 1e15}},"
		     " 'events': [{'at_s': 99999.999, 'node': '" NAME "', 'what': '" LONG "'}],"
		     " 'findings': ['" LONG LONG "'], 'repetitions': {'runs': 1000, 'passed': 1000,"
		     " 'detection_ms': " SPREAD ", 'out': {'outage_loss_ms': " SPREAD
		     "}, 'in': {}}}")));
}

static void test_events(void **state)
{
	json_t *record = event_record_new(1795314667123, EVENT_KEEPALIVED, LOG_LEVEL_ERROR,
					  "path 63 to " NAME ": " NAME " -> " OTHER
					  " (" LONG LONG ADDRESS ADDRESS ADDRESS ")",
					  NULL);
	char day[EVENT_DAY_LEN] = "", *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	event_record_print(record, true, day, out);
	fclose(out);
	check_width(text);
	free(text);
	json_decref(record);
}

static void test_top(void **state)
{
	const struct top_screen screen = { .rows = 24, .columns = 200, .colour = true };
	struct top_sample before = { .at_us = 0 }, now = { .at_us = 1000000 };
	struct top_device devices[2] = { { .name = DEVICE },
					 { .name = DEVICE,
					   .rx_bytes = UINT64_MAX,
					   .rx_packets = UINT64_MAX,
					   .tx_bytes = UINT64_MAX,
					   .tx_packets = UINT64_MAX } };
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	before.status = load(status_text);
	before.devices = &devices[0];
	now.status = load(status_text);
	now.paths = load(paths_text);
	now.events = load(
		"[{'time': '2026-11-22T16:17:01.123Z', 'kind': 'keepalived', 'level': 'error', 'text': '" LONG
			LONG "'}]");
	now.devices = &devices[1];
	before.n_devices = now.n_devices = 1;
	top_render(&before, &now, "16:17:02 UTC", &screen, out);
	fclose(out);
	check_width(text);
	free(text);
	json_decref(before.status);
	json_decref(now.status);
	json_decref(now.paths);
	json_decref(now.events);
}

static void test_usage(void **state)
{
	struct usage_row row = {
		.local_site = 1,
		.remote_site = 2,
		.class = 1,
		.local = ADDRESS "/128",
		.remote = "fd00:1111:2222:3333:4444:5555:6666:8888/128",
		.sum = { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX },
		.has_far = true,
		.samples = 8928,
		.missing = 8928,
		.p95_bps = UINT64_MAX,
		.peak_out_bps = UINT64_MAX,
		.mean_in_bps = UINT64_MAX,
		.over_bps = UINT64_MAX,
	};
	struct usage_report report = {
		.query = { .end = 2678400, .commit_bps = UINT64_MAX },
		.rows = &row,
		.n_rows = 1,
		.nodes = { { .name = NAME }, { .name = OTHER, .far = true } },
		.n_nodes = 2,
		.n_carried = UINT64_MAX,
		.n_unmetered = UINT64_MAX,
		.pause_ms = INT64_MAX,
	};
	static char names[DP_ID_MAX + 1][32];
	static const unsigned int by[] = {
		USAGE_BY_SITE,
		USAGE_BY_SUBNET | USAGE_BY_CLASS | USAGE_BY_HOUR,
		USAGE_BY_SITE | USAGE_BY_CLASS | USAGE_BY_MONTH,
	};

	(void)state;
	strcpy(names[1], NAME);
	strcpy(names[2], OTHER);
	report.site_names = names;
	for (size_t i = 0; i < 2 * sizeof(by) / sizeof(by[0]); i++) {
		char *text = NULL;
		size_t size;
		FILE *out = open_memstream(&text, &size);

		report.query.by = by[i / 2];
		row.has_far = i % 2;
		assert_int_equal(usage_report_print(&report, USAGE_FORM_TABLE, out), 0);
		fclose(out);
		check_width(text);
		assert_non_null(strstr(text, report.query.by & USAGE_BY_SUBNET ? ADDRESS : OTHER));
		free(text);
	}
}

static void test_wrap(void **state)
{
	static const struct {
		const char *text, *wrapped;
	} cases[] = {
		{ "", "" },
		{ "short", "short\n" },
		{ "one two three four\n\nfive", "one two three\n    four\n\nfive\n" },
		{ "vip  aaaa bbbb cccc dd", "vip  aaaa bbbb\n     cccc dd\n" },
		{ "  one two three four five", "  one two three\n      four five\n" },
		{ "abcdefghijklmnopqrstuvwxyz", "abcdefghijklmno\n    pqrstuvwxyz\n" },
		{ "\033[31mone two\033[0m three", "\033[31mone two\033[0m three\n" },
		{ "eins zwei fünf öäü", "eins zwei fünf\n    öäü\n" },
		{ "              x               y", "              x\n    y\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = NULL;
		size_t size;
		FILE *out = open_memstream(&text, &size);

		wrap_print(cases[i].text, 15, out);
		fclose(out);
		assert_string_equal(text, cases[i].wrapped);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrap),   cmocka_unit_test(test_status),
		cmocka_unit_test(test_paths),  cmocka_unit_test(test_drill),
		cmocka_unit_test(test_events), cmocka_unit_test(test_top),
		cmocka_unit_test(test_usage),
	};

	return cmocka_run_group_tests_name("wrap", tests, NULL, NULL);
}
