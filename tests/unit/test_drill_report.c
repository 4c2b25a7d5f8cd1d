/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drill_history.h"
#include "drill_report.h"
#include "drill_store.h"

#define BEGAN 5000000ull
#define RATE 1000
#define SENT 10000 /* ten seconds */

static double number(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	assert_true(json_is_number(value));
	return json_number_value(value);
}

/*
 * Ten seconds with a fault after two and its end after six: lost from 2.000 s for so many ms, and
 * each packet is 20 ms on its way. The receiver's clock is 3 s ahead, the sender's 1 s behind.
 */
static json_t *make_flow(uint32_t lost, uint32_t lost_before, uint32_t lost_after, bool sends_known)
{
	const struct drill_times times = { BEGAN, BEGAN + 2000000, BEGAN + 6000000,
					   BEGAN + 10000000, 0 };
	static uint32_t sends[SENT];
	struct drill_track track;
	struct drill_flow flow = {
		.track = &track,
		.sends = sends_known ? sends : NULL,
		.start_us = BEGAN,
		.sent = SENT,
		.rate = RATE,
		.receiver_offset_us = 3000000,
		.sender_offset_us = sends_known ? 0 : -1000000,
		.send_gap_us = 1500,
	};
	json_t *json;

	assert_int_equal(drill_track_init(&track, SENT, BEGAN + 3000000), 0);
	for (uint32_t s = 1; s <= SENT; s++) {
		const uint32_t ms = s - 1;
		const uint64_t at = BEGAN + ms * 1000ull;

		sends[s - 1] = ms * 1000;
		if ((ms >= 2000 && ms < 2000 + lost) || (ms >= 1000 && ms < 1000 + lost_before) ||
		    (ms >= 7000 && ms < 7000 + lost_after))
			continue;
		drill_track_take(&track, s, at - 1000000, at + 3000000 + 20000);
	}
	json = drill_report_flow(&flow, &times, 100);
	drill_track_fini(&track);
	assert_non_null(json);
	return json;
}

static void a_flow_is_measured(void **state)
{
	(void)state;
	for (int known = 0; known < 2; known++) {
		json_t *flow = make_flow(35, 3, 7, known);
		const json_t *latency = json_object_get(flow, "latency_ms");
		const json_t *timeline = json_object_get(flow, "timeline");

		assert_int_equal(number(flow, "sent"), SENT);
		assert_int_equal(number(flow, "lost"), 42);
		assert_int_equal(number(flow, "lost_before"), 3);
		assert_int_equal(number(flow, "lost_in_a_row"), 35);
		assert_int_equal(number(flow, "runs"), 2);
		assert_float_equal(number(flow, "outage_loss_ms"), 35, 0.001);
		assert_float_equal(number(flow, "outage_timestamp_ms"), 35, 0.01);
		assert_float_equal(number(flow, "back_at_s"), 2.055, 0.001);
		assert_int_equal(number(json_object_get(flow, "reversion"), "lost"), 7);
		assert_float_equal(number(json_object_get(latency, "before"), "p50"), 20, 0.01);
		assert_float_equal(number(json_object_get(latency, "during"), "max"), 20, 0.01);
		assert_int_equal(json_array_size(json_object_get(timeline, "lost")), 100);
		assert_int_equal(
			json_integer_value(json_array_get(json_object_get(timeline, "lost"), 20)),
			35);
		json_decref(flow);
	}
}

static void what_is_late_is_lost(void **state)
{
	const struct drill_times times = { BEGAN, BEGAN + 100000, 0, BEGAN + 4000000, 0 };
	struct drill_track track;
	struct drill_flow flow = { .track = &track, .start_us = BEGAN, .sent = 3000, .rate = RATE };
	json_t *json;

	(void)state;
	assert_int_equal(drill_track_init(&track, 3000, BEGAN), 0);
	for (uint32_t s = 1; s <= 3000; s++) {
		const uint64_t at = BEGAN + s * 1000ull;

		/* What was sent from 0.2 to 0.5 s waited in a queue for three seconds. */
		drill_track_take(&track, s, at, s > 200 && s <= 500 ? at + 3000000 : at + 10);
	}
	json = drill_report_flow(&flow, &times, 10);
	assert_int_equal(number(json, "late"), 300);
	assert_int_equal(number(json, "lost"), 300);
	assert_float_equal(number(json, "outage_loss_ms"), 300, 0.001);
	assert_int_equal(track.received, 3000); /* the track itself is as it was */
	json_decref(json);
	drill_track_fini(&track);
}

static json_t *make_report(uint32_t lost_out, uint32_t lost_in, uint32_t limit)
{
	json_t *report = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:{s:i, s:i}, s:{s:o, s:o}, s:b, s:{s:f, s:f, s:s},"
		" s:[{s:f, s:s, s:s, s:b}]}",
		"id", "20260101T000000Z-path-cut-b", "scenario", "path-cut", "partner", "a",
		"began", "2026-01-01T00:00:00Z", "hypothesis", "<script>&\"", "limits", "outage_ms",
		limit, "abort_ms", 5000, "directions", "out", make_flow(lost_out, 0, 0, true), "in",
		make_flow(lost_in, 0, 0, false), "settled", 1, "fault", "at_s", 2.0, "restored_s",
		6.0, "what", "path <1>", "events", "at_s", 2.03, "node", "a", "what", "path 1 -> 2",
		"change", 1);

	assert_non_null(report);
	drill_report_phases(report);
	drill_report_judge(report);
	return report;
}

static const char *verdict(const json_t *report)
{
	return json_string_value(json_object_get(report, "verdict"));
}

static void the_limit_decides(void **state)
{
	static const struct {
		uint32_t out, in, limit;
		const char *verdict;
	} table[] = {
		{ 35, 35, 50, "pass" }, { 50, 50, 50, "pass" }, { 51, 0, 50, "fail" },
		{ 0, 51, 50, "fail" },	{ 0, 0, 0, "pass" },	{ 1, 0, 0, "fail" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		json_t *report = make_report(table[i].out, table[i].in, table[i].limit);

		assert_string_equal(verdict(report), table[i].verdict);
		assert_int_equal(json_array_size(json_object_get(report, "findings")) > 0,
				 !strcmp(table[i].verdict, "fail"));
		json_decref(report);
	}
}

static void what_was_not_measured_does_not_pass(void **state)
{
	json_t *report = make_report(0, 0, 50);

	(void)state;
	json_object_del(json_object_get(report, "directions"), "out");
	drill_report_judge(report);
	assert_string_equal(verdict(report), "fail");
	json_object_set_new(report, "aborted", json_string("signal 2"));
	drill_report_judge(report);
	assert_string_equal(verdict(report), "aborted");
	json_decref(report);
}

static void a_pair_that_stays_ill_does_not_pass(void **state)
{
	json_t *report = make_report(0, 0, 50);

	(void)state;
	json_object_set_new(report, "settled", json_false());
	json_object_set_new(report, "unsettled", json_string("a is not active but fault"));
	drill_report_judge(report);
	assert_string_equal(verdict(report), "fail");
	json_decref(report);
}

static void detection_and_switching_are_apart(void **state)
{
	json_t *report = make_report(60, 0, 100);
	const json_t *out = json_object_get(json_object_get(report, "directions"), "out");

	(void)state;
	assert_float_equal(number(report, "detection_ms"), 30, 0.01);
	assert_float_equal(number(out, "switching_ms"), 50, 1.1); /* 2.060 s and 20 ms on the way */
	json_decref(report);
	/* Told when it was over: that is no detection. */
	report = make_report(5, 5, 100);
	assert_null(json_object_get(report, "detection_ms"));
	assert_float_equal(number(report, "logged_ms"), 30, 0.01);
	json_decref(report);
}

/* Where a role moves, it is noticed when the taker has it, and not when somebody misses a path. */
static void detection_is_the_role_change(void **state)
{
	json_t *report = make_report(300, 300, 400);
	json_t *events = json_object_get(report, "events");

	(void)state;
	json_array_append_new(events, json_pack("{s:f, s:s, s:s, s:b}", "at_s", 2.21, "node", "b",
						"what", DRILL_TAKES_VIP, "change", 1));
	/* What the role's way back brings is none of it. */
	json_array_append_new(events, json_pack("{s:f, s:s, s:s, s:b}", "at_s", 2.1, "node", "b",
						"what", "restored", "change", 0));
	drill_report_phases(report);
	assert_float_equal(number(report, "detection_ms"), 210, 0.01);
	json_object_set_new(report, "hand_back", json_pack("{s:b, s:f}", "done", 1, "at_s", 2.2));
	drill_report_phases(report);
	assert_float_equal(number(report, "detection_ms"), 30, 0.01);
	json_decref(report);
}

/* Lost while the role goes back is told apart from what the fault lost, and judged like it. */
static void handing_back_is_apart(void **state)
{
	const struct drill_times times = { BEGAN, BEGAN + 1000000, BEGAN + 2000000, BEGAN + 5000000,
					   BEGAN + 3000000 };
	struct drill_track track;
	struct drill_flow flow = { .track = &track, .start_us = BEGAN, .sent = 5000, .rate = RATE };
	json_t *json, *report;

	(void)state;
	assert_int_equal(drill_track_init(&track, 5000, BEGAN), 0);
	for (uint32_t s = 1; s <= 5000; s++)
		if (!(s > 1200 && s <= 1230) && !(s > 4000 && s <= 4070))
			drill_track_take(&track, s, BEGAN + s * 1000ull, BEGAN + s * 1000ull + 10);
	json = drill_report_flow(&flow, &times, 10);
	assert_int_equal(number(json, "lost"), 30);
	assert_int_equal(number(json_object_get(json, "reversion"), "lost"), 0);
	assert_int_equal(number(json_object_get(json, "hand_back"), "lost"), 70);
	report = json_pack("{s:{s:i}, s:{s:O, s:O}}", "limits", "outage_ms", 70, "directions",
			   "out", json, "in", json);
	drill_report_judge(report);
	assert_string_equal(verdict(report), "pass");
	json_object_set_new(report, "hand_back", json_pack("{s:b, s:s}", "done", 0, "why", "x"));
	drill_report_judge(report);
	assert_string_equal(verdict(report), "fail");
	json_object_set_new(report, "hand_back", json_pack("{s:n, s:s}", "done", "why", "--stay"));
	drill_report_judge(report);
	assert_string_equal(verdict(report), "pass");
	json_object_set_new(json_object_get(report, "limits"), "outage_ms", json_integer(69));
	drill_report_judge(report);
	assert_string_equal(verdict(report), "fail");
	json_decref(report);
	json_decref(json);
	drill_track_fini(&track);
}

static void distributions_say_how_many(void **state)
{
	static const struct {
		size_t n;
		double p50, p99, max;
	} table[] = { { 1, 1, 1, 1 },	  { 2, 1, 2, 2 },	{ 3, 2, 3, 3 },
		      { 99, 50, 99, 99 }, { 100, 50, 99, 100 }, { 300, 150, 297, 300 } };

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		json_t *reports = json_array(), *history;
		const json_t *spread;

		/* 1 to n, the largest first, and one that measured nothing. */
		for (size_t k = table[i].n; k > 0; k--)
			json_array_append_new(reports, json_pack("{s:s, s:f}", "verdict",
								 k % 2 ? "pass" : "fail",
								 "detection_ms", (double)k));
		json_array_append_new(reports, json_pack("{s:s}", "verdict", "aborted"));
		history = drill_history_make(reports);
		spread = json_object_get(history, "detection_ms");
		assert_int_equal(number(history, "runs"), table[i].n + 1);
		assert_int_equal(number(history, "passed"), (table[i].n + 1) / 2);
		assert_int_equal(number(spread, "n"), table[i].n);
		assert_float_equal(number(spread, "p50"), table[i].p50, 0.001);
		assert_float_equal(number(spread, "p99"), table[i].p99, 0.001);
		assert_float_equal(number(spread, "max"), table[i].max, 0.001);
		assert_true(json_is_null(
			json_object_get(json_object_get(history, "in"), "outage_loss_ms")));
		json_decref(history);
		json_decref(reports);
	}
}

static char *page_of(const json_t *report)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	drill_report_page(report, out);
	fclose(out);
	return text;
}

static void the_page_is_whole_and_asks_nobody(void **state)
{
	static const char *const outside[] = { "http:", "https:",  "src=",   "href=",
					       "url(",	"@import", "<script" };
	json_t *report = make_report(35, 20, 50);
	char *page, *again;

	(void)state;
	json_object_del(json_object_get(json_object_get(report, "directions"), "in"), "duplicated");
	page = page_of(report);
	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
		assert_null(strstr(page, outside[i]));
	assert_non_null(strstr(page, "&lt;script&gt;&amp;&quot;"));
	assert_non_null(strstr(page, "<svg"));
	assert_non_null(strstr(page, "prefers-color-scheme:dark"));
	assert_non_null(strstr(page, "path &lt;1&gt;"));
	assert_non_null(strstr(page, "</html>"));
	assert_non_null(strstr(page, "not measured"));
	again = page_of(report);
	assert_string_equal(page, again);
	free(page);
	free(again);
	json_decref(report);
}

/* ---- the store ---- */

static void ids_lead_nowhere_else(void **state)
{
	static const char *const bad[] = { "",
					   "../20260101T000000Z-x",
					   "20260101T000000Z",
					   "20260101T000000Z-../x",
					   "20261301T000000Z-x",
					   "20260101T000000Z_x",
					   "20260101T000000Z-x.json",
					   "x20260101T000000Z-x" };
	char id[DRILL_ID_LEN];
	time_t at;

	(void)state;
	drill_store_id(1767225600, "path-cut", "fra-a", id);
	assert_string_equal(id, "20260101T000000Z-path-cut-fra-a");
	assert_true(drill_store_parse(id, &at));
	assert_int_equal(at, 1767225600);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(drill_store_parse(bad[i], &at));
}

static void a_year_is_kept(void **state)
{
	static char text[DRILL_STORE_MAX + 50][DRILL_ID_LEN];
	const char *ids[DRILL_STORE_MAX + 50];
	const time_t now = 1767225600, day = 86400;

	(void)state;
	for (int i = 0; i < 10; i++) {
		drill_store_id(now - (370 - i) * day, "path-cut", "a", text[i]);
		ids[i] = text[i];
	}
	assert_int_equal(drill_store_expired(ids, 10, now), 4); /* 370 to 367 days old */
	assert_int_equal(drill_store_expired(ids, 10, now - 30 * day), 0);
	assert_int_equal(drill_store_expired(ids, 0, now), 0);
	for (int i = 0; i < DRILL_STORE_MAX + 50; i++) {
		drill_store_id(now - day + i, "path-cut", "a", text[i]);
		ids[i] = text[i];
	}
	assert_int_equal(drill_store_expired(ids, DRILL_STORE_MAX + 50, now), 50);
	assert_int_equal(drill_store_expired(ids, DRILL_STORE_MAX, now), 0);
}

static void reports_are_kept_and_found(void **state)
{
	char dir[] = "/tmp/test_drill.XXXXXX", path[200], id[DRILL_ID_LEN], **ids;
	json_t *history, *report, *reports, *found, *spread;
	struct stat st;
	size_t n;

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (int i = 0; i < 3; i++) {
		report = make_report(10 * (uint32_t)i, 5, 15);
		drill_store_id(1767225600 + i, "path-cut", "b", id);
		assert_int_equal(drill_store_put(dir, id, report, 1767225700), 0);
		json_decref(report);
	}
	assert_int_equal(drill_store_list(dir, &ids, &n), 0);
	assert_int_equal(n, 3);
	found = drill_store_get(dir, ids[2]);
	assert_float_equal(drill_store_outage(found), 20, 0.001);
	json_decref(found);
	reports = drill_store_reports(dir, "path-cut", NULL);
	assert_int_equal(json_array_size(reports), 3);
	history = drill_history_make(reports);
	json_decref(reports);
	reports = drill_store_reports(dir, "path-cut", "another series");
	assert_int_equal(json_array_size(reports), 0);
	json_decref(reports);
	reports = drill_store_reports(dir, "lan-cut", NULL);
	assert_int_equal(json_array_size(reports), 0);
	json_decref(reports);
	assert_int_equal(number(history, "runs"), 3);
	assert_int_equal(number(history, "passed"), 2);
	spread = json_object_get(json_object_get(history, "out"), "outage_loss_ms");
	assert_int_equal(number(spread, "n"), 3);
	assert_float_equal(number(spread, "p50"), 10, 0.001);
	assert_float_equal(number(spread, "p99"), 20, 0.001);
	assert_float_equal(number(spread, "max"), 20, 0.001);
	json_decref(history);
	snprintf(path, sizeof(path), "%s/%s.html", dir, ids[0]);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* A year later all are gone when the next one comes. */
	report = make_report(0, 0, 15);
	drill_store_id(1767225600 + 400 * 86400, "path-cut", "b", id);
	assert_int_equal(drill_store_put(dir, id, report, 1767225600 + 400 * 86400), 0);
	json_decref(report);
	assert_int_equal(stat(path, &st), -1);
	for (size_t i = 0; i < n; i++)
		free(ids[i]);
	free(ids);
	assert_int_equal(drill_store_list(dir, &ids, &n), 0);
	assert_int_equal(n, 1);
	free(ids[0]);
	free(ids);
	snprintf(path, sizeof(path), "%s/%s.html", dir, id);
	unlink(path);
	snprintf(path, sizeof(path), "%s/%s.json", dir, id);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
}

static void nothing_there_is_no_error(void **state)
{
	char **ids = NULL;
	size_t n = 1;

	(void)state;
	assert_int_equal(drill_store_list("/nonexistent/drills", &ids, &n), 0);
	assert_int_equal(n, 0);
	assert_null(drill_store_get("/nonexistent", "20260101T000000Z-x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flow_is_measured),
		cmocka_unit_test(what_is_late_is_lost),
		cmocka_unit_test(the_limit_decides),
		cmocka_unit_test(what_was_not_measured_does_not_pass),
		cmocka_unit_test(a_pair_that_stays_ill_does_not_pass),
		cmocka_unit_test(detection_and_switching_are_apart),
		cmocka_unit_test(detection_is_the_role_change),
		cmocka_unit_test(handing_back_is_apart),
		cmocka_unit_test(distributions_say_how_many),
		cmocka_unit_test(the_page_is_whole_and_asks_nobody),
		cmocka_unit_test(ids_lead_nowhere_else),
		cmocka_unit_test(a_year_is_kept),
		cmocka_unit_test(reports_are_kept_and_found),
		cmocka_unit_test(nothing_there_is_no_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
