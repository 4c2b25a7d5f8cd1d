/* SPDX-License-Identifier: GPL-2.0-only */
/* What pages are told of views, and that it is bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "web_model.h"

#define START_MS 1800000000000

static json_t *make_view(const char *role, int path, const char *state, const char *problem)
{
	json_t *problems = json_array();

	if (problem)
		json_array_append_new(problems, json_string(problem));
	return json_pack(
		"{s:{s:s, s:s, s:i, s:o, s:[{s:s, s:s, s:b, s:s, s:i, s:i}], s:[{s:s, s:s, s:s}],"
		" s:{s:s}, s:{s:{s:i}, s:{s:i}}},"
		" s:{s:[{s:s, s:i, s:s, s:[{s:i, s:s, s:s, s:b, s:s, s:s, s:{s:f}, s:{s:f, s:f}},"
		"  {s:i, s:s, s:s, s:s, s:b, s:s}]}]}, s:{s:{s:i}, s:{s:i}}, s:[]}",
		"status", "node", "fra-a", "role", role, "generation", 3, "problems", problems,
		"tunnels", "interface", "np3", "peer", "sin-a", "alive", 1, "role", "active",
		"rx_bytes", 1000, "tx_bytes", 2000, "sites", "name", "sin", "gateway", "sin-a",
		"reason", "active", "config", "digest", "d", "counters", "to_mesh", "packets", 5,
		"drop_input", "packets", 7, "paths", "peers", "peer", "sin-a", "path", path,
		"reason", "the one before died", "paths", "path", 0, "local", "10.0.0.1", "remote",
		"10.0.0.2", "alive", !strcmp(state, "up"), "state", state, "why",
		"probes are not answered", "rtt_ms", "last", 62.12345, "loss_3s", "out_percent",
		1.26, "in_percent", 0.0, "path", 1, "local", "10.0.0.1", "remote", "10.0.0.3",
		"relay", "pop1", "alive", 1, "state", "up", "drops", "drop_source", "packets", 4,
		"drop_node", "packets", 0, "drills");
}

/* The JSON of the last event of that name in a text of events. */
static json_t *event_of(const char *text, const char *name)
{
	char mark[40];
	const char *at, *last = NULL;
	json_t *json;

	snprintf(mark, sizeof(mark), "event: %s\ndata: ", name);
	for (at = text; (at = strstr(at, mark)); at += strlen(mark))
		last = at + strlen(mark);
	if (!last)
		return NULL;
	json = json_loadb(last, strcspn(last, "\n"), 0, NULL);
	assert_non_null(json);
	assert_string_not_equal(strstr(last, "\n\n"), "");
	return json;
}

static json_t *page_of(const struct web_model *model)
{
	char *text = web_model_events(model);
	json_t *page = event_of(text, "view");

	free(text);
	return page;
}

static void add_events(json_t *view, size_t n)
{
	json_t *events = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(events,
				      json_pack("{s:s, s:i}", "kind", "role", "number", (int)i));
	json_object_set_new(view, "events", events);
}

/* The newest, which stand first. */
static void test_events(void **state)
{
	json_t *view = make_view("standby", 0, "up", NULL), *page, *events;
	struct web_model *model;

	(void)state;
	assert_int_equal(web_model_new(&model), 0);
	add_events(view, 3);
	web_model_take(model, view, START_MS);
	page = page_of(model);
	assert_int_equal(json_array_size(json_object_get(page, "events")), 3);
	json_decref(page);

	view = make_view("standby", 0, "up", NULL);
	add_events(view, 200);
	web_model_take(model, view, START_MS + 1000);
	page = page_of(model);
	events = json_object_get(page, "events");
	assert_int_equal(json_array_size(events), WEB_MODEL_EVENTS);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(events, 0), "number")),
			 0);
	json_decref(page);
	web_model_free(model);
}

/* The busiest pairs, and no more of them than are looked at. */
static void test_usage(void **state)
{
	json_t *view = make_view("active", 0, "up", NULL), *pairs = json_array(), *page, *usage;
	struct web_model *model;

	(void)state;
	for (int i = 0; i < 100; i++)
		json_array_append_new(pairs, json_pack("{s:i, s:i, s:i}", "number", i, "out_bytes",
						       i * 37 % 100, "in_bytes", 1));
	json_object_set_new(view, "usage",
			    json_pack("{s:s, s:o, s:[{s:s}], s:{s:i}}", "month", "2026-11", "pairs",
				      pairs, "sites", "site", "sin", "all", "p95_bps", 5));
	assert_int_equal(web_model_new(&model), 0);
	web_model_take(model, view, START_MS);
	page = page_of(model);
	usage = json_object_get(page, "usage");
	pairs = json_object_get(usage, "pairs");
	assert_int_equal(json_array_size(pairs), WEB_MODEL_PAIRS);
	for (size_t i = 0; i < WEB_MODEL_PAIRS; i++)
		assert_int_equal(
			json_integer_value(json_object_get(json_array_get(pairs, i), "out_bytes")),
			99 - (int)i);
	assert_int_equal(json_array_size(json_object_get(usage, "sites")), 1);
	assert_non_null(json_object_get(usage, "all"));
	json_decref(page);
	web_model_free(model);
}

static void test_page(void **state)
{
	struct web_model *model;
	json_t *page, *now;

	(void)state;
	assert_int_equal(web_model_new(&model), 0);
	web_model_take(model, make_view("active", 0, "up", NULL), START_MS);
	page = page_of(model);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(page, "drops"), "source")), 4);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(page, "drops"), "input")), 7);
	assert_null(json_object_get(json_object_get(page, "drops"), "node"));
	assert_null(json_object_get(page, "usage"));
	now = json_array_get(json_object_get(page, "now"), 0);
	now = json_object_get(now, "sin-a/0");
	assert_true(json_number_value(json_array_get(now, 0)) > 62.11 &&
		    json_number_value(json_array_get(now, 0)) < 62.13);
	json_decref(page);
	web_model_free(model);
}

static void test_bounds(void **state)
{
	struct web_model *model;
	json_t *history;
	char *text;

	(void)state;
	assert_int_equal(web_model_new(&model), 0);
	for (int i = 0; i < 3000; i++)
		web_model_take(model, make_view(i % 2 ? "active" : "standby", 0, "up", NULL),
			       START_MS + i * 1000);
	text = web_model_first(model);
	history = event_of(text, "history");
	assert_int_equal(json_array_size(history), WEB_MODEL_SAMPLES);
	/* Evenly, and up to now. */
	for (size_t i = 1; i < WEB_MODEL_SAMPLES; i++)
		assert_true(json_number_value(json_array_get(json_array_get(history, i), 0)) -
				    json_number_value(
					    json_array_get(json_array_get(history, i - 1), 0)) ==
			    WEB_MODEL_INTERVAL_S);
	json_decref(history);
	free(text);
	web_model_free(model);
}

/* Views of other versions: nothing is asked of them. */
static void test_odd_views(void **state)
{
	static const char *const views[] = {
		"{}",
		"[]",
		"{\"status\": {}}",
		"{\"status\": 1, \"paths\": [], \"drills\": {}}",
		"{\"status\": {\"tunnels\": [1, null, {}], \"sites\": [[]], \"problems\": [1, {}]},"
		" \"usage\": {\"pairs\": [1, {}], \"sites\": {}}, \"events\": {\"x\": 1},"
		" \"paths\": {\"peers\": [1, {\"paths\": [null, {\"path\": \"x\"}]}]}, \"drills\": [1]}",
	};
	struct web_model *model;
	char *text;

	(void)state;
	assert_int_equal(web_model_new(&model), 0);
	text = web_model_first(model);
	assert_non_null(strstr(text, "data: []\n\n"));
	free(text);
	for (size_t round = 0; round < 2; round++) {
		for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
			web_model_take(model, json_loads(views[i], 0, NULL), START_MS + (int64_t)i);
			text = web_model_first(model);
			assert_non_null(text);
			free(text);
		}
		web_model_take(model, make_view("active", 0, "up", NULL), START_MS + 10);
	}
	web_model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events),	  cmocka_unit_test(test_usage),
		cmocka_unit_test(test_page),	  cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_odd_views),
	};

	return cmocka_run_group_tests_name("web_model", tests, NULL, NULL);
}
