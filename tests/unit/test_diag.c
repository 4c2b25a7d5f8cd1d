/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "diag.h"

#define NONE ((struct diag_place){ 0 })
#define AT(l, c, w) ((struct diag_place){ .line = (l), .column = (c), .width = (w) })

static int setup(void **state)
{
	*state = diag_list_new();
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	diag_list_free(*state);
	return 0;
}

static void assert_printed(const struct diag_list *list, const char *expected)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	diag_print(list, out);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text, expected);
	free(text);
}

static int add(struct diag_list *list, const char *name, const char *text)
{
	return diag_source_add(list, name, text, strlen(text));
}

static void test_shape(void **state)
{
	struct diag_list *list = *state;
	int source = add(list, "a.yaml", "one: 1\ntwo: 22\nthree: 333\n");

	assert_int_equal(diag_count(list), 0);
	assert_printed(list, "");
	diag_error(list, source, AT(3, 8, 3), "write %d", "bad %s", "number");
	diag_note(list, source, AT(1, 1, 3), "see %d", 1);
	diag_note(list, source, AT(2, 1, 3), "and %d", 2);
	assert_int_equal(diag_count(list), 1);
	assert_printed(list, "a.yaml:3:8: error: bad number\n"
			     "    3 | three: 333\n"
			     "      |        ^~~\n"
			     "a.yaml:1:1: note: see 1\n"
			     "a.yaml:2:1: note: and 2\n"
			     "help: write %d\n");
}

static void test_order(void **state)
{
	struct diag_list *list = *state;
	int a = add(list, "a", "x\ny\n"), b = add(list, "b", "z");

	diag_error(list, b, AT(1, 1, 1), NULL, "5");
	diag_error(list, a, AT(2, 1, 1), NULL, "3");
	diag_error(list, a, AT(1, 1, 1), NULL, "2");
	diag_error(list, a, NONE, NULL, "1");
	diag_error(list, a, AT(2, 1, 1), NULL, "4");
	assert_printed(list, "a: error: 1\n"
			     "a:1:1: error: 2\n    1 | x\n      | ^\n"
			     "a:2:1: error: 3\n    2 | y\n      | ^\n"
			     "a:2:1: error: 4\n    2 | y\n      | ^\n"
			     "b:1:1: error: 5\n    1 | z\n      | ^\n");
}

/* Carets stand under what is shown, whatever the characters are. */
static void test_characters(void **state)
{
	struct diag_list *list = *state;
	int source = add(list, "a\x1b", "\tx\x01\xc3\xa9\xff\xe2\x80\xae bad # \xc2\x9b\r\nnext");

	diag_error(list, source, AT(1, 8, 3), "h\x07", "m\ts\xff");
	diag_error(list, source, AT(2, 1, 4), NULL, "next");
	assert_printed(list, "a\\x1b:1:8: error: m\\ts\\xff\n"
			     "    1 | \\tx\\x01\xc3\xa9\\xff\\u202e bad # \\x9b\n"
			     "      |                    ^~~\n"
			     "help: h\\x07\n"
			     "a\\x1b:2:1: error: next\n"
			     "    2 | next\n"
			     "      | ^~~~\n");
}

static void test_line_breaks(void **state)
{
	struct diag_list *list = *state;
	int source = add(list, "a", "\xef\xbb\xbfone\rtwo\n\rfour\r\nfive");

	diag_error(list, source, AT(1, 1, 9), NULL, "1");
	diag_error(list, source, AT(2, 1, 1), NULL, "2");
	diag_error(list, source, AT(3, 1, 1), NULL, "3");
	diag_error(list, source, AT(4, 2, 1), NULL, "4");
	diag_error(list, source, AT(5, 5, 1), NULL, "5");
	diag_error(list, source, AT(6, 1, 1), NULL, "6");
	assert_printed(list, "a:1:1: error: 1\n    1 | one\n      | ^~~\n"
			     "a:2:1: error: 2\n    2 | two\n      | ^\n"
			     "a:3:1: error: 3\n    3 | \n      | ^\n"
			     "a:4:2: error: 4\n    4 | four\n      |  ^\n"
			     "a:5:5: error: 5\n    5 | five\n      |     ^\n"
			     "a:6:1: error: 6\n");
}

static void test_long_line(void **state)
{
	struct diag_list *list = *state;
	char *text = malloc(1000), expected[600], part[128];
	int source;

	assert_non_null(text);
	memset(text, 'a', 1000);
	memset(text + 500, 'B', 3);
	memset(part, 'a', sizeof(part));
	source = diag_source_own(list, "a", text, 1000);
	diag_error(list, source, AT(1, 1, 2000), NULL, "begin");
	diag_error(list, source, AT(1, 501, 3), NULL, "middle");
	snprintf(expected, sizeof(expected),
		 "a:1:1: error: begin\n    1 | %.100s...\n      | ^%s\n"
		 "a:1:501: error: middle\n    1 | ...%.59sBBB%.38s...\n      | %62s^~~\n",
		 part,
		 "~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~"
		 "~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~",
		 part, part, "");
	assert_printed(list, expected);
}

static void test_many(void **state)
{
	struct diag_list *list = *state;
	int source = add(list, "a", "x");
	char *text, *line;
	size_t len, lines = 0;
	FILE *out;

	for (int i = 0; i < DIAG_MAX + 7; i++) {
		diag_error(list, source, NONE, "why", "number %d", i);
		diag_note(list, source, NONE, "note %d", i);
	}
	assert_int_equal(diag_count(list), DIAG_MAX + 7);
	out = open_memstream(&text, &len);
	assert_non_null(out);
	diag_print(list, out);
	fclose(out);
	for (line = text; (line = strchr(line, '\n')); line++)
		lines++;
	assert_int_equal(lines, 3 * DIAG_MAX + 1);
	/* Notes of errors that were not kept went nowhere. */
	assert_null(strstr(text, "note 100"));
	assert_non_null(strstr(text, "note 99\nhelp: why\nand 7 more errors\n"));
	free(text);
}

static void test_nothing(void **state)
{
	struct diag_list *list = *state;
	int empty = add(list, "empty", ""), missing = diag_source_own(list, "missing", NULL, 0);

	diag_note(list, empty, NONE, "of no error");
	diag_error(list, empty, AT(1, 1, 1), NULL, "here");
	diag_error(list, empty, AT(9, 9, 1), NULL, "nowhere");
	diag_error(list, missing, AT(1, 1, 1), NULL, "no text");
	diag_error(list, 77, AT(1, 1, 1), NULL, "no source");
	assert_printed(list, "empty:1:1: error: here\n    1 | \n      | ^\n"
			     "empty:9:9: error: nowhere\n"
			     "missing:1:1: error: no text\n"
			     "error: no source\n");
	diag_list_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_shape),	TEST(test_order),     TEST(test_characters),
		TEST(test_line_breaks), TEST(test_long_line), TEST(test_many),
		TEST(test_nothing),
	};

	return cmocka_run_group_tests_name("diag", tests, NULL, NULL);
}
