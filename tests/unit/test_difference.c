/* SPDX-License-Identifier: GPL-2.0-only */
/* Differences: as diff -u prints them, right (applied they give the other text) and the shortest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "difference.h"

static char *difference(const char *a, const char *b)
{
	const struct difference_text from = { "a", a, strlen(a) }, to = { "b", b, strlen(b) };
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(difference_print(&from, &to, out), 0);
	fclose(out);
	return text;
}

static void test_known(void **state)
{
	static const struct {
		const char *a, *b, *text;
	} table[] = {
		{ "", "", "" },
		{ "x\n", "x\n", "" },
		{ "", "x\n", "--- a\n+++ b\n@@ -0,0 +1 @@\n+x\n" },
		{ "x\n", "", "--- a\n+++ b\n@@ -1 +0,0 @@\n-x\n" },
		{ "x\n", "y\n", "--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n" },
		{ "x\n", "x", "--- a\n+++ b\n@@ -1 +1 @@\n-x\n+x\n\\ No newline at end of file\n" },
		{ "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n",
		  "--- a\n+++ b\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n" },
		/* Six equal lines between two changes: one hunk; seven: two. */
		{ "x\n1\n2\n3\n4\n5\n6\nx\n", "y\n1\n2\n3\n4\n5\n6\ny\n",
		  "--- a\n+++ b\n@@ -1,8 +1,8 @@\n-x\n+y\n 1\n 2\n 3\n 4\n 5\n 6\n-x\n+y\n" },
		{ "x\n1\n2\n3\n4\n5\n6\n7\nx\n", "y\n1\n2\n3\n4\n5\n6\n7\ny\n",
		  "--- a\n+++ b\n@@ -1,4 +1,4 @@\n-x\n+y\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n"
		  " 5\n 6\n 7\n-x\n+y\n" },
		/* What would move the cursor of who reads it. */
		{ "a\x1b[2Jb\tc\r\n", "", "--- a\n+++ b\n@@ -1 +0,0 @@\n-a\\x1b[2Jb\tc\\x0d\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char *text = difference(table[i].a, table[i].b);

		assert_string_equal(text, table[i].text);
		free(text);
	}
}

/* The texts are of lines of one letter. */
static char *random_text(unsigned int *seed)
{
	const unsigned int n = (unsigned int)rand_r(seed) % 24;
	const unsigned int letters = 1 + (unsigned int)rand_r(seed) % 6;
	char *text = calloc(2 * n + 1, 1);

	assert_non_null(text);
	for (unsigned int i = 0; i < n; i++) {
		text[2 * i] = (char)('a' + (unsigned int)rand_r(seed) % letters);
		text[2 * i + 1] = '\n';
	}
	return text;
}

/* Apply a difference to a text, and insist on every line and number of it. Returns the edits. */
static size_t apply(const char *a, const char *diff, char *ret_b)
{
	size_t x = 0, y = 0, edits = 0;
	const char *at = diff;

	if (*at) {
		assert_int_equal(strncmp(at, "--- a\n+++ b\n", 12), 0);
		at += 12;
	}
	while (*at) {
		unsigned int ax, an = 1, by, bn = 1;
		size_t removed = 0, added = 0;

		assert_int_equal(sscanf(at, "@@ -%u", &ax), 1);
		(void)sscanf(at, "@@ -%*u,%u", &an);
		assert_int_equal(sscanf(strchr(at, '+'), "+%u", &by), 1);
		(void)sscanf(strchr(at, '+'), "+%*u,%u", &bn);
		for (at = strchr(at, '\n') + 1; x < ax - (an ? 1 : 0); x++, y++)
			memcpy(ret_b + 2 * y, a + 2 * x, 2);
		assert_int_equal(y, by - (bn ? 1 : 0));
		for (; *at && *at != '@'; at += 3) {
			if (*at != '+') {
				assert_memory_equal(at + 1, a + 2 * x, 2);
				x++;
				removed++;
			}
			if (*at != '-') {
				memcpy(ret_b + 2 * y++, at + 1, 2);
				added++;
			}
			edits += *at != ' ';
		}
		assert_int_equal(removed, an);
		assert_int_equal(added, bn);
	}
	strcpy(ret_b + 2 * y, a + 2 * x);
	return edits;
}

/* Lines less those of the longest common subsequence, by the table that everybody knows. */
static size_t fewest_edits(const char *a, const char *b)
{
	const size_t n = strlen(a) / 2, m = strlen(b) / 2;
	size_t common[32][32] = { 0 };

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < m; k++)
			common[i + 1][k + 1] = a[2 * i] == b[2 * k] ? common[i][k] + 1
					       : common[i][k + 1] > common[i + 1][k]
						       ? common[i][k + 1]
						       : common[i + 1][k];
	return n + m - 2 * common[n][m];
}

static void test_random(void **state)
{
	unsigned int seed = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		char *a = random_text(&seed), *b = random_text(&seed);
		char *diff = difference(a, b), got[128];

		assert_int_equal(apply(a, diff, got), fewest_edits(a, b));
		assert_string_equal(got, b);
		free(a);
		free(b);
		free(diff);
	}
}

/* Longer than anybody reads: not the shortest, but right and at once. */
static void test_long(void **state)
{
	const size_t n = 20000;
	char *a = calloc(n, 4), *b = calloc(n, 4), *diff, *line;
	size_t removed = 0, added = 0;

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	for (size_t i = 0; i < n - 1; i++) {
		memcpy(a + 3 * i, i % 2 ? "xa\n" : "ya\n", 3);
		memcpy(b + 3 * i, i % 2 ? "xb\n" : "yb\n", 3);
	}
	diff = difference(a, b);
	for (line = strchr(strchr(diff, '\n') + 1, '\n'); line && line[1];
	     line = strchr(line + 1, '\n')) {
		removed += line[1] == '-';
		added += line[1] == '+';
	}
	assert_int_equal(removed, n - 1);
	assert_int_equal(added, n - 1);
	free(a);
	free(b);
	free(diff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests_name("difference", tests, NULL, NULL);
}
