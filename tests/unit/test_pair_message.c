/* SPDX-License-Identifier: GPL-2.0-only */
/* The words of the pair channel: what is understood, and what is said to what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "pair_message.h"

static int calls;

static json_t *do_echo(json_t *request, void *data)
{
	calls++;
	assert_ptr_equal(data, &calls);
	return json_pack("{s:b, s:O}", "ok", 1, "said", json_object_get(request, "say"));
}

static json_t *do_refuse(json_t *request, void *data)
{
	(void)request;
	(void)data;
	return control_error("not today");
}

static json_t *do_nothing(json_t *request, void *data)
{
	(void)request;
	(void)data;
	return NULL;
}

static const struct pair_request requests[] = {
	{ "echo", do_echo },
	{ "refuse", do_refuse },
	{ "nothing", do_nothing },
};

/* From the heap and without a terminator, so that a sanitizer sees any read beyond the end. */
static json_t *answer_to(const char *line)
{
	const size_t len = strlen(line);
	char *copy = malloc(len ? len : 1);
	json_t *answer;

	assert_non_null(copy);
	memcpy(copy, line, len);
	answer = pair_answer(copy, len, requests, 3, &calls);
	free(copy);
	return answer;
}

static void test_answer(void **state)
{
	json_t *answer;

	(void)state;
	calls = 0;
	answer = answer_to("{\"version\":1,\"request\":\"echo\",\"say\":[7],\"later\":{}}");
	assert_int_equal(calls, 1);
	assert_int_equal(json_integer_value(json_object_get(answer, "version")), 1);
	assert_true(json_is_true(json_object_get(answer, "ok")));
	assert_true(json_is_array(json_object_get(answer, "said")));
	json_decref(answer);
	assert_null(answer_to("{\"version\":1,\"request\":\"nothing\"}"));
}

static void test_refused(void **state)
{
	static const struct {
		const char *line, *why;
	} table[] = {
		{ "", "not JSON" },
		{ "{", "not JSON" },
		{ "{} {}", "not JSON" },
		{ "\xff", "not JSON" },
		{ "{\"version\":1,\"version\":1,\"request\":\"echo\"}", "not JSON" },
		{ "{\"version\":1,\"request\":\"echo\",\"say\":\"\\u0000\"}", "not JSON" },
		{ "[]", "number \"version\"" },
		{ "{}", "number \"version\"" },
		{ "{\"version\":\"1\",\"request\":\"echo\"}", "number \"version\"" },
		{ "{\"version\":2,\"request\":\"echo\"}", "version 2 is not known here" },
		{ "{\"version\":-1,\"request\":\"echo\"}", "upgrade the older" },
		{ "{\"version\":1}", "string \"request\"" },
		{ "{\"version\":1,\"request\":1}", "string \"request\"" },
		{ "{\"version\":1,\"request\":\"\"}", "known are echo, refuse, nothing" },
		{ "{\"version\":1,\"request\":\"Echo\"}", "unknown request 'Echo'" },
		{ "{\"version\":1,\"request\":\"refuse\"}", "not today" },
	};

	(void)state;
	calls = 0;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		json_t *answer = answer_to(table[i].line);
		const char *error = json_string_value(json_object_get(answer, "error"));

		assert_true(json_is_false(json_object_get(answer, "ok")));
		assert_int_equal(json_integer_value(json_object_get(answer, "version")), 1);
		assert_non_null(error);
		if (!strstr(error, table[i].why))
			fail_msg("'%s' instead of '%s'", error, table[i].why);
		json_decref(answer);
	}
	assert_int_equal(calls, 0);
}

static void test_request_new(void **state)
{
	json_t *request = pair_request_new("refuse"), *answer;
	char *line = json_dumps(request, JSON_COMPACT);

	(void)state;
	assert_string_equal(line, "{\"version\":1,\"request\":\"refuse\"}");
	answer = answer_to(line);
	assert_string_equal(json_string_value(json_object_get(answer, "error")), "not today");
	json_decref(answer);
	json_decref(request);
	free(line);
}

static void test_answer_parse(void **state)
{
	static const struct {
		const char *line;
		int rc;
	} table[] = {
		{ "{\"version\":1,\"ok\":true}", 0 },
		{ "{\"version\":1,\"ok\":true}\n", 0 },
		{ "{\"version\":1,\"ok\":false}", 0 },
		/* It does not know ours: its words say so. */
		{ "{\"version\":2,\"ok\":false,\"error\":\"version 1 is not known here\"}", 0 },
		{ "{\"version\":2,\"ok\":true}", -EPROTO },
		{ "{\"ok\":true}", -EBADMSG },
		{ "{\"version\":1}", -EBADMSG },
		{ "{\"version\":1,\"ok\":1}", -EBADMSG },
		{ "[]", -EBADMSG },
		{ "", -EBADMSG },
		{ "\n", -EBADMSG },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		json_t *answer = NULL;

		assert_int_equal(pair_answer_parse(table[i].line, strlen(table[i].line), &answer),
				 table[i].rc);
		assert_int_equal(!answer, !!table[i].rc);
		json_decref(answer);
	}
}

static void test_numbers(void **state)
{
	static const uint64_t numbers[] = { 0, 1, 0x8000000000000000, UINT64_MAX,
					    0x0123456789abcdef };
	static const char *const bad[] = { "",
					   "0",
					   "000000000000000",
					   "00000000000000000",
					   "0x00000000000001",
					   "000000000000000g",
					   "-000000000000001" };
	json_t *object = json_object();
	uint64_t number = 5;

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		json_object_set_new(object, "n", pair_number_new(numbers[i]));
		assert_int_equal(pair_number_get(object, "n", &number), 0);
		assert_true(number == numbers[i]);
	}
	number = 5;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_object_set_new(object, "n", json_string(bad[i]));
		assert_int_equal(pair_number_get(object, "n", &number), -EBADMSG);
	}
	json_object_set_new(object, "n", json_integer(7));
	assert_int_equal(pair_number_get(object, "n", &number), -EBADMSG);
	assert_int_equal(pair_number_get(object, "m", &number), -EBADMSG);
	assert_int_equal(pair_number_get(NULL, "m", &number), -EBADMSG);
	assert_int_equal(number, 5);
	json_decref(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer),	    cmocka_unit_test(test_refused),
		cmocka_unit_test(test_request_new), cmocka_unit_test(test_answer_parse),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests_name("pair_message", tests, NULL, NULL);
}
