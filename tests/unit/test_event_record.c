/* SPDX-License-Identifier: GPL-2.0-only */
/* Records of events, their times, their rate, and how they look. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "event_rate.h"
#include "event_record.h"

#define NOW 1795191421123 /* 2026-11-20T16:17:01.123Z */

static const char *part(json_t *record, const char *key)
{
	const char *text = json_string_value(json_object_get(record, key));

	return text ? text : "-";
}

static void a_line_is_taken_apart(void **state)
{
	static const struct {
		const char *text, *object, *from, *to, *why;
	} cases[] = {
		{ "role: standby -> active (master, priority 100, generation 7)", "role", "standby",
		  "active", "master, priority 100, generation 7" },
		{ "path 0 to sin-a: good -> dead (no replies)", "path 0 to sin-a", "good", "dead",
		  "no replies" },
		{ "health: lan: suspected -> fault (nobody answers (3 asked))", "health: lan",
		  "suspected", "fault", "nobody answers (3 asked)" },
		{ "drain: off -> on", "drain", "off", "on", "-" },
		{ "cloud: aws generation 3: not agreed -> agreed", "cloud: aws generation 3",
		  "not agreed", "agreed", "-" },
		{ "repair: 3 changes made", "-", "-", "-", "-" },
		{ "reload: refused:\na.yaml:1:2: x -> y", "reload: refused:\na.yaml:1:2", "x", "y",
		  "-" },
		{ "", "-", "-", "-", "-" },
		{ " -> ", "-", "-", "-", "-" },
		{ ": -> ", "-", "-", "-", "-" },
		{ "a:  -> (", "a", "-", "(", "-" },
		{ "a: b -> c (", "a", "b", "c", "-" },
		{ "a: b -> c ()", "a", "b", "c", "-" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *record =
			event_record_new(NOW, EVENT_PATH, LOG_LEVEL_INFO, cases[i].text, NULL);

		assert_non_null(record);
		assert_string_equal(part(record, "time"), "2026-11-20T16:17:01.123Z");
		assert_string_equal(part(record, "kind"), "path");
		assert_string_equal(part(record, "text"), cases[i].text);
		assert_string_equal(part(record, "object"), cases[i].object);
		assert_string_equal(part(record, "from"), cases[i].from);
		assert_string_equal(part(record, "to"), cases[i].to);
		assert_string_equal(part(record, "why"), cases[i].why);
		json_decref(record);
	}
}

static void a_record_survives_its_line(void **state)
{
	char line[EVENT_RECORD_MAX];
	json_t *detail = json_pack("{s:i}", "path", 3), *record, *again;
	size_t len;

	(void)state;
	record = event_record_new(NOW, EVENT_CHOICE, LOG_LEVEL_INFO, "a \"b\"\n\x01 c", detail);
	len = event_record_line(record, line);
	assert_true(len > 1 && line[len - 1] == '\n');
	assert_ptr_equal(memchr(line, '\n', len), line + len - 1);
	again = event_record_parse(line, len - 1);
	assert_true(json_equal(record, again));
	json_decref(again);
	/* Of a torn one no part is a record. */
	for (size_t cut = 0; cut < len - 1; cut++)
		assert_null(event_record_parse(line, cut));
	json_decref(record);
	json_decref(detail);
}

static void what_is_too_long_loses_its_detail(void **state)
{
	static char line[EVENT_RECORD_MAX], much[EVENT_RECORD_MAX], text[EVENT_TEXT_MAX];
	json_t *detail, *record, *again;
	size_t len;

	(void)state;
	memset(much, 'x', sizeof(much) - 1);
	/* The worst that the text can become: each byte six. */
	memset(text, 1, sizeof(text) - 1);
	detail = json_pack("{s:s}", "much", much);
	record = event_record_new(NOW, EVENT_LOG, LOG_LEVEL_INFO, text, detail);
	len = event_record_line(record, line);
	assert_true(len > 0);
	again = event_record_parse(line, len - 1);
	assert_non_null(again);
	assert_null(json_object_get(again, "detail"));
	assert_string_equal(part(again, "text"), text);
	json_decref(again);
	json_decref(record);
	json_decref(detail);
}

static void what_is_no_utf8_is_kept_all_the_same(void **state)
{
	json_t *record =
		event_record_new(NOW, EVENT_LOG, LOG_LEVEL_INFO, "file \xff\xc3: a -> b", NULL);

	(void)state;
	assert_string_equal(part(record, "text"), "file ??: a -> b");
	assert_string_equal(part(record, "object"), "file ??");
	json_decref(record);
}

static void times_are_read_as_they_are_written(void **state)
{
	static const char *const bad[] = { "",
					   "2026",
					   "2026-11-20T16:17:01Z",
					   "2026-11-20T16:17:01.12Z",
					   "2026-11-20T16:17:01.123",
					   "2026-11-20T16:17:01.123Zx" };
	char text[EVENT_TIME_LEN];
	int64_t ms = 0;

	(void)state;
	assert_int_equal(event_time_parse(event_time_format(NOW, text), &ms), 0);
	assert_int_equal(ms, NOW);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(event_time_parse(bad[i], &ms), -EINVAL);
}

static void since_is_ago_or_a_time(void **state)
{
	static const struct {
		const char *text, *time; /* NULL: refused */
	} cases[] = {
		{ "90s", "2026-11-20T16:15:31.123Z" },
		{ "10m", "2026-11-20T16:07:01.123Z" },
		{ "2h", "2026-11-20T14:17:01.123Z" },
		{ "3d", "2026-11-17T16:17:01.123Z" },
		{ "16:10", "2026-11-20T16:10:00.000Z" },
		{ "06:10:05", "2026-11-20T06:10:05.000Z" },
		{ "2026-11-19", "2026-11-19T00:00:00.000Z" },
		{ "2026-11-19T10:00", "2026-11-19T10:00:00.000Z" },
		{ "2026-11-19 10:00:01", "2026-11-19T10:00:01.000Z" },
		{ "2026-11-19T10:00:01Z", "2026-11-19T10:00:01.000Z" },
		{ "", NULL },
		{ "m", NULL },
		{ "10", NULL },
		{ "-3m", NULL },
		{ "10 m", NULL },
		{ "10mm", NULL },
		{ "99999999999999999999d", NULL },
		{ "25:00", NULL },
		{ "2026-13-01", NULL },
		{ "yesterday", NULL },
	};
	char text[EVENT_TIME_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t ms = 0;

		if (event_since_parse(cases[i].text, NOW, &ms))
			assert_null(cases[i].time);
		else
			assert_string_equal(event_time_format(ms, text), cases[i].time);
	}
}

static void no_line_is_wider_than_a_terminal(void **state)
{
	char *out = NULL, day[EVENT_DAY_LEN] = "", text[600];
	size_t size, column = 0;
	FILE *file = open_memstream(&out, &size);
	json_t *record;

	(void)state;
	memset(text, 'w', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (size_t i = 0; i < 300; i += i % 13 + 2)
		text[i] = ' ';
	text[200] = '\033';
	record = event_record_new(NOW, EVENT_KEEPALIVED, LOG_LEVEL_ERROR, text, NULL);
	event_record_print(record, false, day, file);
	event_record_print(record, false, day, file);
	fclose(file);
	assert_string_equal(day, "2026-11-20");
	assert_ptr_equal(strstr(out, "-- 2026-11-20 UTC\n16:17:01.123 keepalived "), out);
	assert_null(strstr(out + 1, "-- 2026"));
	assert_null(strchr(out, '\033'));
	for (size_t i = 0; i < size; i++) {
		column = out[i] == '\n' ? 0 : column + 1;
		assert_true(column <= 80);
	}
	free(out);
	json_decref(record);
}

static void what_flaps_is_counted_and_not_kept(void **state)
{
	struct event_rate rate = { 0 };
	uint64_t now = 1000000;
	unsigned int kept = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		kept += event_rate_admit(&rate, EVENT_PATH, now + (uint64_t)i * 1000);
	assert_int_equal(kept, EVENT_RATE_MAX);
	/* Another kind has room of its own. */
	assert_true(event_rate_admit(&rate, EVENT_ROLE, now));
	assert_int_equal(event_rate_due_us(&rate), now + EVENT_RATE_WINDOW_US);
	assert_int_equal(event_rate_summary(&rate, EVENT_PATH, now + 30000000), 0);
	now += EVENT_RATE_WINDOW_US;
	assert_int_equal(event_rate_summary(&rate, EVENT_PATH, now), 1000 - EVENT_RATE_MAX);
	assert_int_equal(event_rate_summary(&rate, EVENT_PATH, now), 0);
	assert_int_equal(event_rate_due_us(&rate), 0);
	assert_true(event_rate_admit(&rate, EVENT_PATH, now));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_taken_apart),
		cmocka_unit_test(a_record_survives_its_line),
		cmocka_unit_test(what_is_too_long_loses_its_detail),
		cmocka_unit_test(what_is_no_utf8_is_kept_all_the_same),
		cmocka_unit_test(times_are_read_as_they_are_written),
		cmocka_unit_test(since_is_ago_or_a_time),
		cmocka_unit_test(no_line_is_wider_than_a_terminal),
		cmocka_unit_test(what_flaps_is_counted_and_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
