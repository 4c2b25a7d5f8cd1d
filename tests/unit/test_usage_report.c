/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reports from records that were written by SQL and not by the recorder: percentiles as another
 * program has them, tables of the longest names, and records that are wrong: each of them is refused
 * with its own words, and nothing is billed twice.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "scratch.h"
#include "usage_report.h"
#include "usage_store.h"

#define S0 1700000100 /* a slot */

static char directory[SCRATCH_LEN], path[96], second[96], error[USAGE_ERROR_LEN];

static int setup(void **state)
{
	(void)state;
	if (scratch_make(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/usage.db", directory);
	snprintf(second, sizeof(second), "%s/second.db", directory);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return scratch_remove(directory);
}

static void change(const char *file, const char *sql)
{
	char *why = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(file, &db), 0);
	if (sqlite3_exec(db, sql, NULL, NULL, &why))
		fail_msg("%s: %s", sql, why);
	assert_int_equal(sqlite3_close(db), 0);
}

/* An empty record, and what is to be in it. */
static void make(const char *file, const char *sql)
{
	struct usage_store *store;

	(void)unlink(file); /* there may be none */
	assert_int_equal(usage_store_open(file, &store, error), 0);
	usage_store_close(store);
	change(file, sql);
}

/* Three slots with two pairs. */
static const char good[] =
	"INSERT INTO node VALUES(1, 'fra-a', 1);"
	"INSERT INTO site VALUES(1, 'fra'), (3, 'sin');"
	"INSERT INTO epoch VALUES(1, '00000000000000e1', 'b', 0);"
	"INSERT INTO pair VALUES(1, 1, 3, 0, '10.1.1.0/24', '10.2.1.0/24'),"
	" (2, 1, 3, 0, 'other', 'fd00::/64');"
	"INSERT INTO period VALUES(1, 1, 1700000100, 0, 5, 0, 300, 1000, 1, '0', 1, 32, 1),"
	" (2, 1, 1700000400, 0, 6, 0, 300, 1000, 1, '0', 1, 0, 1),"
	" (3, 1, 1700000700, 0, 7, 0, 300, 1000, 1, '0', 1, 0, 1);"
	"INSERT INTO usage VALUES(1, 1, 0, 0, 0, 0, 1, 100, 2, 200), (1, 2, 0, 0, 0, 0, 1, 5, 1, 7),"
	" (2, 1, 1, 100, 2, 200, 5, 500, 6, 600), (3, 1, 5, 500, 6, 600, 7, 700, 8, 800);"
	"INSERT INTO line VALUES(1, 1, 3, 2, 105, 3, 207), (2, 1, 3, 4, 400, 4, 400),"
	" (3, 1, 3, 2, 200, 2, 200);"
	"INSERT INTO total VALUES(2, 1699920000, 1, 7, 700, 8, 800);";

static int try_files(const char *first, const char *other, unsigned int by)
{
	const struct usage_query query = { .begin = S0, .end = S0 + 900, .by = by };
	const char *const files[] = { first, other };
	struct usage_report *report;
	const int rc = usage_report_make(files, other ? 2 : 1, &query, &report, error);

	if (!rc)
		usage_report_free(report);
	else
		assert_true(*error);
	return rc;
}

static void refused(const char *sql, const char *message)
{
	if (!strstr(error, message) || strncmp(error, directory, strlen(directory)) != 0)
		fail_msg("%s: '%s', and not '%s'", sql, error, message);
}

static void test_bad_values(void **state)
{
	static const struct {
		const char *sql, *message;
	} cases[] = {
		{ "UPDATE usage SET out_bytes = 'many' WHERE period = 2 AND pair = 1",
		  "table usage, period 2: out_bytes is 'many', and not a whole number from 0 to "
		  "9223372036854775807" },
		{ "UPDATE usage SET out_bytes0 = 'few' WHERE period = 2", "out_bytes0 is 'few'" },
		{ "UPDATE usage SET in_bytes = 0.5 WHERE period = 2", "in_bytes is 0.5" },
		{ "UPDATE usage SET in_packets = -1 WHERE period = 2", "in_packets is -1" },
		{ "UPDATE usage SET in_packets = x'00' WHERE period = 2", "in_packets is a blob" },
		{ "UPDATE usage SET out_packets = x'1b' || 'x' WHERE period = 2",
		  "out_packets is '?x'" },
		{ "UPDATE usage SET out_bytes = 99 WHERE period = 2",
		  "period 2, pair 1: it ends with lower counts than it begins with" },
		{ "UPDATE usage SET out_bytes0 = 99 WHERE period = 2",
		  "period 2, pair 1: it counts again what period 1 has; that would be billed twice" },
		{ "UPDATE usage SET in_packets0 = 0 WHERE period = 3",
		  "period 3, pair 1: it counts again what period 2 has" },
		{ "UPDATE usage SET pair = 7 WHERE period = 3",
		  "pair is 7, and not the number of a pair" },
		{ "UPDATE usage SET pair = '1x' WHERE period = 3", "pair is '1x', and not" },
		{ "UPDATE usage SET period = 'last' WHERE period = 3",
		  "table usage, period 'last': period is 'last'" },
		{ "UPDATE usage SET period = 4 WHERE period = 3",
		  "table usage, period 4: last is 4, and not one that is in the table period" },
		{ "UPDATE line SET period = 4 WHERE period = 3", "table line, period 4" },
		{ "UPDATE usage SET out_bytes = 9223372036854775807, in_bytes = 9223372036854775807"
		  " WHERE period = 3; UPDATE usage SET in_bytes = 9223372036854775807 WHERE pair = 2",
		  "are no usage" },
		{ "UPDATE line SET out_bytes = 9223372036854775807", "are no usage" },
		{ "UPDATE line SET in_bytes = 'x'", "table line, period 1: in_bytes is 'x'" },
		{ "UPDATE line SET remote_site = 70000 WHERE period = 1", "remote_site is 70000" },
		{ "UPDATE period SET slot = 'then' WHERE n = 2",
		  "table period, n 2: slot is 'then'" },
		{ "UPDATE period SET slot = 1700000401 WHERE n = 2",
		  "slot is 1700000401, and not full five minutes" },
		{ "UPDATE period SET flags = 4096 WHERE n = 2", "flags is 4096" },
		{ "UPDATE period SET flags = 'CUT' WHERE n = 2", "flags is 'CUT'" },
		{ "UPDATE period SET closed = 2 WHERE n = 2", "closed is 2" },
		{ "UPDATE period SET last_ms = 9223372036854775807 WHERE n = 3", "last_ms is" },
		{ "UPDATE period SET gap_ms = 'x' WHERE n = 3", "gap_ms is 'x'" },
		{ "UPDATE pair SET n = 1000000000000 WHERE n = 2",
		  "table pair, n 1000000000000: max(n) is 1000000000000, and not" },
		{ "UPDATE pair SET class = 9 WHERE n = 2", "class is 9" },
		{ "UPDATE pair SET local = '10.1.1.1/24' WHERE n = 1",
		  "local is '10.1.1.1/24', and not a subnet or 'other'" },
		{ "UPDATE pair SET remote = x'ff' WHERE n = 1",
		  "remote is a blob, and not a text" },
		{ "UPDATE pair SET local_site = -1 WHERE n = 1", "local_site is -1" },
		{ "UPDATE node SET name = x'1b'", "name is a blob" },
		{ "UPDATE node SET name = char(27) || '[2J'", "name is '?[2J', and not a name" },
		{ "UPDATE node SET name = 'a-name-of-more-than-31-characters'", "name is 'a-name" },
		{ "UPDATE node SET id = 4096", "id is 4096" },
		{ "UPDATE node SET site = 0", "site is 0" },
		{ "INSERT INTO node VALUES(2, 'fra-b', 1)", "says of several gateways" },
		{ "DELETE FROM node", "says of no gateway" },
		{ "UPDATE site SET name = 'Fra, 1' WHERE number = 1", "name is 'Fra, 1'" },
		{ "UPDATE site SET number = 5000 WHERE number = 1", "number is 5000" },
		{ "UPDATE epoch SET id = 'e1'", "id is 'e1', and not a name of 16" },
		{ "PRAGMA user_version = 2", "is of version 2, this program knows 1" },
		{ "PRAGMA application_id = 7", "a database of another program" },
		{ "DROP TABLE line", "table line is not there" },
		{ "DROP TABLE line; CREATE VIEW line AS SELECT 1 AS period, 1 AS local_site,"
		  " 3 AS remote_site, 9 AS out_packets, 9 AS out_bytes, 9 AS in_packets, 9 AS in_bytes",
		  "table line is not there, or not as netpas makes it" },
		{ "ALTER TABLE usage ADD COLUMN more INTEGER", "table usage is not there, or not" },
	};

	(void)state;
	make(path, good);
	assert_int_equal(try_files(path, NULL, USAGE_BY_SITE), 0);
	assert_int_equal(try_files(path, NULL, USAGE_BY_SUBNET), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static const unsigned int by[] = { USAGE_BY_SITE, USAGE_BY_SUBNET, USAGE_BY_CLASS };
		int n_refused = 0;

		make(path, good);
		change(path, cases[i].sql);
		for (size_t k = 0; k < 3; k++) {
			if (!try_files(path, NULL, by[k]))
				continue;
			refused(cases[i].sql, cases[i].message);
			n_refused++;
		}
		if (!n_refused)
			fail_msg("%s is taken", cases[i].sql);
	}
	/* Days, of which there are no slots any more. */
	make(path, good);
	change(path, "UPDATE total SET begin = 1699920001");
	change(path, "UPDATE period SET slot = slot + 86400 WHERE n = 1");
	change(path, "DELETE FROM usage WHERE period > 1");
	{
		const struct usage_query query = { .begin = 1699920000,
						   .end = 1699920000 + 2 * 86400,
						   .by = USAGE_BY_SUBNET };
		const char *const files[] = { path };
		struct usage_report *report;

		assert_int_equal(usage_report_make(files, 1, &query, &report, error), -EINVAL);
		refused("total", "begin is 1699920001, and not the begin of a day");
	}
}

static void put(const char *file, const void *bytes, size_t len)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

/* What is no record at all, and one that ends anywhere: refused, or as long as it says it is. */
static void test_bad_files(void **state)
{
	char *bytes;
	size_t len;
	FILE *f;

	(void)state;
	assert_int_equal(try_files(path, NULL, USAGE_BY_SITE), -ENOENT);
	refused("none", "No such file");
	assert_int_equal(try_files(directory, NULL, USAGE_BY_SITE), -EINVAL);
	refused("directory", "is no file");
	assert_int_equal(mkfifo(second, 0600), 0);
	assert_int_equal(try_files(second, NULL, USAGE_BY_SITE), -EINVAL);
	refused("pipe", "is no file");
	assert_int_equal(unlink(second), 0);
	put(path, "", 0);
	assert_int_equal(try_files(path, NULL, USAGE_BY_SITE), -EINVAL);
	refused("empty", "is empty");
	put(path, "begin,end,local_site\n", 21);
	assert_int_equal(try_files(path, NULL, USAGE_BY_SITE), -EINVAL);
	refused("csv", "is no usage record and no other database");
	(void)unlink(path);
	change(path, "CREATE TABLE mine(x)");
	assert_int_equal(try_files(path, NULL, USAGE_BY_SITE), -EINVAL);
	refused("other", "a database of another program");

	/* As an export is: one file, that no other one belongs to. */
	make(second, good);
	(void)unlink(path);
	snprintf(error, sizeof(error), "VACUUM INTO '%s'", path);
	change(second, error);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	len = (size_t)ftell(f);
	bytes = malloc(len);
	assert_non_null(bytes);
	rewind(f);
	assert_int_equal(fread(bytes, 1, len, f), len);
	(void)fclose(f);
	assert_int_equal(try_files(path, NULL, USAGE_BY_SUBNET), 0);
	for (size_t cut = 512; cut < len; cut += 512) {
		put(path, bytes, cut);
		assert_int_equal(try_files(path, NULL, USAGE_BY_SUBNET), -EINVAL);
		refused("cut off", "is damaged or cut off");
	}
	free(bytes);
}

/* The same gateway, the same counters: whatever they are called. */
static void test_twice(void **state)
{
	char command[300];

	(void)state;
	make(path, good);
	assert_int_equal(try_files(path, path, USAGE_BY_SITE), -EINVAL);
	refused("same file", "a record of fra-a is there already; each gateway counts once");
	snprintf(command, sizeof(command), "cp %s %s", path, second);
	assert_int_equal(system(command), 0);
	assert_int_equal(try_files(path, second, USAGE_BY_SITE), -EINVAL);
	refused("copy", "a record of fra-a is there already");
	/* A gateway made from the disk of another one. */
	change(second, "UPDATE node SET id = 2, name = 'fra-b'");
	assert_int_equal(try_files(path, second, USAGE_BY_SITE), -EINVAL);
	refused("clone", "one is a copy of the other, with the same counters");
	/* Which has gone its own way since then. */
	change(second,
	       "INSERT INTO epoch VALUES(2, '00000000000000e2', 'b', 0);"
	       "UPDATE period SET epoch = 2; UPDATE period SET epoch = 1, slot = slot - 3000"
	       " WHERE n = 1");
	assert_int_equal(try_files(path, second, USAGE_BY_SITE), 0);
	/* The far end's may not be it either. */
	change(second, "UPDATE node SET site = 3; UPDATE period SET epoch = 1");
	assert_int_equal(try_files(path, second, USAGE_BY_SITE), -EINVAL);
	refused("clone", "one is a copy of the other");
}

static struct usage_report *report_of(unsigned int by, int64_t begin, int64_t end)
{
	const struct usage_query query = { .begin = begin, .end = end, .by = by };
	const char *const files[] = { path };
	struct usage_report *report;

	if (usage_report_make(files, 1, &query, &report, error))
		fail_msg("%s", error);
	return report;
}

static int64_t other_program(const char *command)
{
	FILE *pipe = popen(command, "r");
	long long value = -1;

	assert_non_null(pipe);
	assert_int_equal(fscanf(pipe, "%lld", &value), 1);
	assert_int_equal(pclose(pipe), 0);
	return value;
}

/* A year of slots, written by SQL and not by the recorder, and judged by sort and awk. */
static void test_percentile(void **state)
{
	static const char fill[] =
		"INSERT INTO node VALUES(1, 'fra-a', 1);"
		"INSERT INTO epoch VALUES(1, '00000000000000e1', 'b', 0);"
		"INSERT INTO pair VALUES(1, 1, 3, 0, '10.1.1.0/24', '10.2.1.0/24');"
		"INSERT INTO pair VALUES(2, 1, 3, 0, '10.1.1.0/24', '10.2.2.0/24');"
		"WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 105120)"
		" INSERT INTO period SELECT n, n, 1700000100 + 300 * n, 0, 0, 0, 300, 1000, 1, '0', 1, 0, 1"
		" FROM s WHERE n % 97 <> 5;"
		"INSERT INTO usage SELECT n, p.column1, 0, 1000, 0, 77, 5,"
		" 1000 + (n * 7919 + p.column1 * 104729) % 1000003 * (n % 13), 5,"
		" 77 + (n * 6101 + p.column1) % 700001 * (n % 17) FROM period, (VALUES(1), (2)) p;"
		"INSERT INTO line SELECT period, 1, 3, 5, sum(out_bytes - out_bytes0), 5,"
		" sum(in_bytes - in_bytes0) FROM usage GROUP BY period;";
	char command[700];
	struct usage_report *report;
	const int64_t first = S0 + 300, end = S0 + 105121 * 300ll;

	(void)state;
	make(path, fill);
	for (int by = 0; by < 2; by++) {
		report = report_of(by ? USAGE_BY_SUBNET : USAGE_BY_SITE, first, end);
		assert_int_equal(report->n_rows, by ? 2 : 1);
		for (size_t i = 0; i < report->n_rows; i++) {
			const struct usage_row *row = &report->rows[i];
			static const char *const columns[] = { "out", "in" };

			assert_int_equal(row->samples + row->missing, 105120);
			for (int c = 0; c < 2; c++) {
				snprintf(
					command, sizeof(command),
					"sqlite3 -separator ' ' %s \"SELECT sum(%s_bytes - %s_bytes0) FROM usage "
					"JOIN pair ON pair.n = pair WHERE %s GROUP BY period\" | sort -n | "
					"awk '{ v[NR] = $1 } END { printf \"%%d\\n\", int(v[NR - int(NR * 5 / 100)] * 8 / 300) }'",
					path, columns[c], columns[c],
					!by ? "1"
					: i ? "remote = '10.2.2.0/24'"
					    : "remote = '10.2.1.0/24'");
				assert_int_equal(c ? row->p95_in_bps : row->p95_out_bps,
						 other_program(command));
			}
		}
		usage_report_free(report);
	}
}

/* The longest names, the largest counts, a year that is not whole. */
static void test_widths(void **state)
{
	static const char wide[] =
		"INSERT INTO node VALUES(1, 'a-name-that-has-31-characters-a', 1);"
		"INSERT INTO site VALUES(1, 'b-name-that-has-31-characters-b'),"
		" (3, 'c-name-that-has-31-characters-c');"
		"INSERT INTO epoch VALUES(1, '00000000000000e1', 'b', 0);"
		"INSERT INTO pair VALUES(1, 1, 3, 1, 'fd00:1111:2222:3333:4444:5555:6666:7777/128',"
		" 'fd00:8888:9999:aaaa:bbbb:cccc:dddd:eeee/128');"
		"WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 105000)"
		" INSERT INTO period SELECT n, n, 1700000100 + 300 * n, 0, 0, 0, 300, 90000, 1, '0', 1,"
		" 255 * (n % 5000 = 0), 1 FROM s;"
		"INSERT INTO usage VALUES(1, 1, 0, 0, 0, 0, 9007199254740992, 9223372036854775807,"
		" 9007199254740992, 9223372036854775807);"
		"INSERT INTO line VALUES(1, 1, 3, 9007199254740992, 9223372036854775807,"
		" 9007199254740992, 9223372036854775807);";
	static const unsigned int by[] = { USAGE_BY_SITE,
					   USAGE_BY_SITE | USAGE_BY_CLASS | USAGE_BY_HOUR,
					   USAGE_BY_SUBNET | USAGE_BY_CLASS | USAGE_BY_HOUR };

	(void)state;
	make(path, wide);
	make(second, good);
	change(second,
	       "UPDATE node SET id = 2, site = 3; UPDATE epoch SET id = '00000000000000e2';"
	       "UPDATE pair SET local_site = 3, remote_site = 1; UPDATE line SET local_site = 3,"
	       " remote_site = 1");
	for (size_t i = 0; i < sizeof(by) / sizeof(by[0]); i++) {
		const struct usage_query query = { .begin = S0,
						   .end = S0 + 105120 * 300ll,
						   .by = by[i],
						   .commit_bps = UINT64_MAX };
		const char *const files[] = { path, second };
		struct usage_report *report;
		char *text = NULL, *line;
		size_t len;
		FILE *out;

		if (usage_report_make(files, 2, &query, &report, error))
			fail_msg("%s", error);
		out = open_memstream(&text, &len);
		assert_non_null(out);
		assert_int_equal(usage_report_print(report, USAGE_FORM_TABLE, out), 0);
		(void)fclose(out);
		line = text;
		for (char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
			if (end - line > 80)
				fail_msg("%zd columns: %.*s", end - line, (int)(end - line), line);
			assert_null(memchr(line, '\033', (size_t)(end - line)));
		}
		free(text);
		usage_report_free(report);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bad_values, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_widths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_percentile, setup, teardown),
	};

	return cmocka_run_group_tests_name("usage report", tests, NULL, NULL);
}
