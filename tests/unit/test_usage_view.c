/* SPDX-License-Identifier: GPL-2.0-only */
/* What pages and metrics are told of usage: bounded, whole, and with counters that never go back. */
#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scratch.h"
#include "usage_recorder.h"
#include "usage_store.h"
#include "usage_view.h"

#define T0 1795737600000ll /* 2026-11-27T00:00Z in ms */
#define KEYS_MAX 2000

static char directory[SCRATCH_LEN], record[96], view_path[96];
static struct usage_store *store;
static struct usage_recorder *recorder;
static struct usage_reading readings[KEYS_MAX];
static int64_t at_ms = T0;

static int set_up(void **state)
{
	const struct usage_moment moment = { .real_ms = T0, .metered = true };
	char error[USAGE_ERROR_LEN];
	uint64_t epoch;

	(void)state;
	if (scratch_make(directory))
		return -1;
	snprintf(record, sizeof(record), "%s/usage.db", directory);
	snprintf(view_path, sizeof(view_path), "%s/usage.view", directory);
	return usage_store_open(record, &store, error) || usage_store_begin(store) ||
	       usage_store_set_node(store, 1, "fra-a", 1) ||
	       usage_store_set_site(store, 3, "sin") || usage_store_set_site(store, 4, "nyc") ||
	       usage_store_commit(store) || usage_recorder_new(store, &recorder) ||
	       usage_recorder_attach(recorder, 0, 7, "boot", &moment, &epoch);
}

static int tear_down(void **state)
{
	(void)state;
	usage_recorder_free(recorder);
	usage_store_close(store);
	return scratch_remove(directory);
}

/* The first n keys with so many bytes each, and their number more. */
static void take(size_t n, uint64_t bytes)
{
	const struct usage_moment moment = { .real_ms = at_ms, .mono_ms = at_ms, .metered = true };
	struct usage_readings all = { readings, n, KEYS_MAX };

	for (size_t i = 0; i < n; i++) {
		struct usage_reading *r = &readings[i];

		memset(r, 0, sizeof(*r));
		r->key.local.word[2] = r->key.remote.word[2] = htobe32(0xffff);
		/* Not in their order: those that come later lie between. */
		r->key.local.word[3] = htobe32(0x0a000000 | (uint32_t)(i * 7919 % 4096) << 8);
		r->key.remote.word[3] = htobe32(0x0b000000);
		r->key.local_len = r->key.remote_len = 120;
		r->key.local_site = 1;
		r->key.remote_site = i % 2 ? 4 : 3;
		r->counts = (struct usage_counts){ 1, bytes + i, 2, 2 * bytes };
	}
	assert_int_equal(usage_recorder_take(recorder, &moment, &all), 0);
	at_ms += 1000;
}

static json_t *look(struct usage_view *view)
{
	json_t *json;

	unlink(view_path);
	usage_view_update(view, recorder, at_ms);
	at_ms += 3000;
	json = json_load_file(view_path, 0, NULL);
	assert_non_null(json);
	return json;
}

static uint64_t sum_of(json_t *json, const char *key)
{
	uint64_t sum = 0;
	json_t *pair;
	size_t i;

	json_array_foreach(json_object_get(json, "pairs"), i, pair) sum +=
		(uint64_t)json_integer_value(json_object_get(pair, key));
	return sum;
}

static uint64_t expected(size_t n, uint64_t bytes)
{
	return n * bytes + n * (n - 1) / 2;
}

/* No entry of before is less than it was. */
static void check_grows(json_t *before, json_t *after)
{
	const char *const keys[] = { "site", "local", "remote", "class" };
	json_t *pair, *now;
	size_t i, j;

	json_array_foreach(json_object_get(before, "pairs"), i, pair)
	{
		bool found = false;

		json_array_foreach(json_object_get(after, "pairs"), j, now)
		{
			bool same = true;

			for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
				same = same && json_equal(json_object_get(pair, keys[k]),
							  json_object_get(now, keys[k]));
			if (!same)
				continue;
			assert_false(found);
			found = true;
			assert_true(json_integer_value(json_object_get(now, "out_bytes")) >=
				    json_integer_value(json_object_get(pair, "out_bytes")));
		}
		assert_true(found);
	}
}

static void test_pairs(void **state)
{
	struct usage_view *view;
	json_t *few, *many, *more;

	(void)state;
	assert_int_equal(usage_view_new(record, view_path, &view), 0);
	take(3, 1000);
	few = look(view);
	assert_int_equal(json_array_size(json_object_get(few, "pairs")), 3);
	assert_int_equal(json_integer_value(json_object_get(few, "pairs_apart")), 3);
	assert_int_equal(sum_of(few, "out_bytes"), expected(3, 1000));
	assert_int_equal(sum_of(few, "in_bytes"), 3 * 2000);

	take(1000, 2000);
	many = look(view);
	/* "other" of two sites. */
	assert_int_equal(json_array_size(json_object_get(many, "pairs")), USAGE_VIEW_PAIRS + 2);
	assert_int_equal(json_integer_value(json_object_get(many, "pairs_apart")),
			 USAGE_VIEW_PAIRS);
	assert_int_equal(sum_of(many, "out_bytes"), expected(1000, 2000));
	check_grows(few, many);

	take(KEYS_MAX, 3000);
	more = look(view);
	assert_int_equal(json_array_size(json_object_get(more, "pairs")), USAGE_VIEW_PAIRS + 2);
	assert_int_equal(sum_of(more, "out_bytes"), expected(KEYS_MAX, 3000));
	check_grows(many, more);
	json_decref(few);
	json_decref(many);
	json_decref(more);

	/* Another process, later: the same ones stand apart. */
	usage_view_free(view);
	assert_int_equal(usage_view_new(record, view_path, &view), 0);
	few = look(view);
	take(KEYS_MAX, 4000);
	many = look(view);
	check_grows(few, many);
	json_decref(few);
	json_decref(many);
	usage_view_free(view);
}

/*
 * Who makes reports of a record that it also writes keeps its locks: another process that has looked
 * at it does not take itself for the last one, and the write-ahead log away from who writes to it.
 */
static void test_locks(void **state)
{
	struct usage_view *view;
	char log[112], command[160];

	(void)state;
	assert_int_equal(usage_view_new(record, view_path, &view), 0);
	take(3, 10);
	json_decref(look(view));
	usage_view_free(view);
	snprintf(log, sizeof(log), "%s-wal", record);
	snprintf(command, sizeof(command), "sqlite3 %s 'SELECT * FROM period' >/dev/null", record);
	assert_int_equal(system(command), 0);
	assert_int_equal(access(log, F_OK), 0);
}

/* A slot that is over is a sample of the month and of the day. */
static void test_month(void **state)
{
	struct usage_view *view;
	json_t *json, *all, *day;

	(void)state;
	assert_int_equal(usage_view_new(record, view_path, &view), 0);
	while (at_ms < T0 + 301000)
		take(KEYS_MAX, 5000);
	json = look(view);
	all = json_object_get(json, "all");
	day = json_object_get(json, "day");
	assert_string_equal(json_string_value(json_object_get(json, "month")), "2026-11");
	assert_int_equal(json_array_size(json_object_get(json, "sites")), 2);
	assert_int_equal(json_integer_value(json_object_get(all, "samples")), 1);
	assert_int_equal(json_integer_value(json_object_get(all, "out_bytes")),
			 expected(KEYS_MAX, 5000));
	assert_int_equal(json_integer_value(json_object_get(all, "p95_out_bps")),
			 expected(KEYS_MAX, 5000) * 8 / 300);
	assert_int_equal(json_array_size(json_object_get(day, "out")), USAGE_VIEW_DAY_SLOTS);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(day, "out"),
							   USAGE_VIEW_DAY_SLOTS - 1)),
			 expected(KEYS_MAX, 5000) * 8 / 300);
	assert_true(json_is_null(json_array_get(json_object_get(day, "in"), 0)));
	json_decref(json);
	usage_view_free(view);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_locks),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_month),
	};

	return cmocka_run_group_tests_name("usage_view", tests, set_up, tear_down);
}
