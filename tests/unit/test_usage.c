/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Usage records without a data plane: readings and clocks are made up, the disk is real. What is
 * recorded is compared with what was made up, and percentiles with those of another program.
 */
#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "scratch.h"
#include "usage_calendar.h"
#include "usage_rate.h"
#include "usage_recorder.h"
#include "usage_report.h"
#include "usage_store.h"

#define T0 1795737600000ll /* 2026-11-27T00:00Z in ms */

static char directory[SCRATCH_LEN], path[96], error[USAGE_ERROR_LEN];

/* -- Times, rates. -- */

static void test_times(void **state)
{
	static const struct {
		const char *text;
		int64_t begin, end; /* 0, 0: wrong */
	} cases[] = {
		{ "2026", 1767225600, 1798761600 },
		{ "2026-11", 1793491200, 1796083200 },
		{ "2024-02", 1706745600, 1709251200 },
		{ "2024-02-29", 1709164800, 1709251200 },
		{ "2026-11-22T16:05", 1795363500, 1795363560 },
		{ "2026-11-22T16:05Z", 1795363500, 1795363560 },
		{ "2026-02-29", 0, 0 },
		{ "2026-13", 0, 0 },
		{ "2026-0", 0, 0 },
		{ "2026-11-00", 0, 0 },
		{ "2026-11-22T24:00", 0, 0 },
		{ "2026-11-22T16", 0, 0 },
		{ "2026-11-22 ", 0, 0 },
		{ "1969", 0, 0 },
		{ "26", 0, 0 },
		{ "", 0, 0 },
		{ "-1", 0, 0 },
		{ "2026-11-22T16:05ZZ", 0, 0 },
	};
	char buf[USAGE_TIME_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t begin = 0, end = 0;
		const int rc = usage_time_parse(cases[i].text, &begin, &end);

		if (rc != (cases[i].end ? 0 : -EINVAL) || begin != cases[i].begin ||
		    end != cases[i].end)
			fail_msg("%s: %d, %lld to %lld", cases[i].text, rc, (long long)begin,
				 (long long)end);
	}
	assert_int_equal(usage_begin(USAGE_SLOT, 1795363599), 1795363500);
	assert_int_equal(usage_begin(USAGE_SLOT, -1), -300);
	assert_int_equal(usage_begin(USAGE_DAY, 1795363599), 1795305600);
	assert_int_equal(usage_begin(USAGE_MONTH, 1795363599), 1793491200);
	assert_int_equal(usage_next(USAGE_MONTH, 1795363599), 1796083200);
	assert_string_equal(usage_time_format(USAGE_SLOT, 1795363500, buf), "2026-11-22T16:05Z");
	assert_string_equal(usage_time_format(USAGE_MONTH, 1795363500, buf), "2026-11");
}

static int by_size(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void test_rates(void **state)
{
	uint64_t bytes[8640], bps = 7;
	char buf[USAGE_RATE_LEN];

	(void)state;
	/* 30 days: the top 432 go, the 8208th lowest counts. */
	for (size_t i = 0; i < 8640; i++)
		bytes[i] = (i * 7919) % 8640 + 1;
	assert_int_equal(usage_p95_bytes(bytes, 8640), 8208);
	bytes[0] = 5;
	assert_int_equal(usage_p95_bytes(bytes, 1), 5);
	assert_int_equal(usage_p95_bytes(bytes, 0), 0);
	for (size_t i = 0; i < 20; i++)
		bytes[i] = 20 - i;
	assert_int_equal(usage_p95_bytes(bytes, 20), 19);
	for (size_t i = 0; i < 19; i++)
		bytes[i] = i;
	assert_int_equal(usage_p95_bytes(bytes, 19), 18);
	/* Against sorting, with many equal ones. */
	for (unsigned int round = 0; round < 2000; round++) {
		const size_t n = 1 + round % 211;
		uint64_t sorted[211];

		for (size_t i = 0; i < n; i++)
			bytes[i] = sorted[i] = (i * 7919 + round * 104729) % (1 + round % 53);
		qsort(sorted, n, sizeof(*sorted), by_size);
		assert_int_equal(usage_p95_bytes(bytes, n), sorted[n - n / 20 - 1]);
	}
	assert_int_equal(usage_bps(37500, 300), 1000);
	assert_int_equal(usage_bps(UINT64_MAX, 8), UINT64_MAX);
	assert_int_equal(usage_bps(1, 0), 0);

	assert_int_equal(usage_rate_parse("1.5G", &bps), 0);
	assert_int_equal(bps, 1500000000);
	assert_int_equal(usage_rate_parse("100Mbit/s", &bps), 0);
	assert_int_equal(bps, 100000000);
	assert_int_equal(usage_rate_parse("64000", &bps), 0);
	assert_int_equal(bps, 64000);
	assert_int_equal(usage_rate_parse("-1", &bps), -EINVAL);
	assert_int_equal(usage_rate_parse("", &bps), -EINVAL);
	assert_int_equal(usage_rate_parse("nan", &bps), -EINVAL);
	assert_int_equal(usage_rate_parse("1e30", &bps), -EINVAL);
	assert_int_equal(usage_rate_parse("100m", &bps), -EINVAL);
	assert_int_equal(bps, 64000);
	assert_string_equal(usage_number_format(0, buf), "0");
	assert_string_equal(usage_number_format(999, buf), "999");
	assert_string_equal(usage_number_format(1000, buf), "1.00k");
	assert_string_equal(usage_number_format(99940000, buf), "99.9M");
	assert_string_equal(usage_number_format(999900, buf), "1.00M");
	assert_string_equal(usage_number_format(UINT64_MAX, buf), "18.4E");
}

/* -- A record. -- */

static struct usage_report *report_of(unsigned int by, int64_t begin_ms, int64_t end_ms);

static struct usage_store *store;
static struct usage_recorder *recorder;
static struct usage_reading reading[2];
static uint64_t epoch;

static int setup(void **state)
{
	(void)state;
	if (scratch_make(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/usage.db", directory);
	memset(reading, 0, sizeof(reading));
	for (int i = 0; i < 2; i++) {
		reading[i].key.local.word[2] = reading[i].key.remote.word[2] = htobe32(0xffff);
		reading[i].key.local.word[3] = htobe32(0x0a010100u);
		reading[i].key.remote.word[3] = htobe32(i ? 0x0a020200u : 0x0a020100u);
		reading[i].key.local_len = reading[i].key.remote_len = 96 + 24;
		reading[i].key.local_site = 1;
		reading[i].key.remote_site = 3;
	}
	epoch = 0;
	return 0;
}

/* As a process that ends. */
static void finish(void)
{
	usage_recorder_free(recorder);
	usage_store_close(store);
	recorder = NULL;
	store = NULL;
}

static int teardown(void **state)
{
	(void)state;
	finish();
	return scratch_remove(directory);
}

/* As a process that starts, with what the map holds. */
static void begin(int64_t at_ms)
{
	const struct usage_moment moment = { .real_ms = at_ms, .mono_ms = 0, .metered = true };
	static uint64_t random;
	uint64_t named;

	finish();
	assert_int_equal(usage_store_open(path, &store, error), 0);
	assert_int_equal(usage_recorder_new(store, &recorder), 0);
	assert_int_equal(usage_store_set_node(store, 1, "fra-a", 1), 0);
	assert_int_equal(usage_recorder_attach(recorder, epoch, ++random, "boot", &moment, &named),
			 0);
	assert_int_not_equal(named, 0);
	epoch = named;
}

static int try_take(int64_t at_ms, int64_t mono_ms)
{
	const struct usage_moment moment = { .real_ms = at_ms,
					     .mono_ms = mono_ms,
					     .metered = true };
	const struct usage_readings readings = { .v = reading, .n = 2 };

	return usage_recorder_take(recorder, &moment, &readings);
}

static void take(int64_t at_ms)
{
	assert_int_equal(try_take(at_ms, at_ms - T0 + 1000000), 0);
}

static void carry(int pair, uint64_t packets, uint64_t bytes)
{
	reading[pair].counts.out_packets += packets;
	reading[pair].counts.out_bytes += bytes;
	reading[pair].counts.in_packets += packets * 2;
	reading[pair].counts.in_bytes += bytes * 2;
}

static int64_t ask(const char *sql)
{
	sqlite3_stmt *stmt;
	int64_t value = -1;

	assert_int_equal(sqlite3_prepare_v2(usage_store_sqlite(store), sql, -1, &stmt, NULL), 0);
	if (sqlite3_step(stmt) == SQLITE_ROW)
		value = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return value;
}

static int64_t out_of(int64_t slot_ms)
{
	char sql[200];

	snprintf(
		sql, sizeof(sql),
		"SELECT sum(u.out_bytes - u.out_bytes0) FROM period p JOIN usage u ON u.period = p.n "
		"WHERE p.slot = %lld",
		(long long)slot_ms / 1000);
	return ask(sql);
}

static int64_t flags_of(int64_t slot_ms)
{
	char sql[100];

	snprintf(sql, sizeof(sql), "SELECT flags FROM period WHERE slot = %lld ORDER BY n DESC",
		 (long long)slot_ms / 1000);
	return ask(sql);
}

static void check_sums(void)
{
	const int64_t out = (int64_t)(reading[0].counts.out_bytes + reading[1].counts.out_bytes);

	assert_int_equal(ask("SELECT sum(out_bytes - out_bytes0) FROM usage"), out);
	assert_int_equal(ask("SELECT sum(in_bytes - in_bytes0) FROM usage"), 2 * out);
	assert_int_equal(ask("SELECT sum(out_bytes) FROM line"), out);
	assert_int_equal(ask("SELECT sum(in_packets) FROM line"),
			 (int64_t)(reading[0].counts.in_packets + reading[1].counts.in_packets));
}

static void test_slots(void **state)
{
	(void)state;
	begin(T0);
	for (int64_t t = T0; t <= T0 + 900000; t += 1000) {
		take(t); /* what a slot begins with belongs to the one before */
		carry(0, 1, 100);
		if (t < T0 + 300000)
			carry(1, 3, 7);
	}

	assert_int_equal(out_of(T0), 300 * 107);
	assert_int_equal(out_of(T0 + 300000), 300 * 100);
	assert_int_equal(flags_of(T0), USAGE_FLAG_BEGIN);
	assert_int_equal(flags_of(T0 + 300000), 0);
	assert_int_equal(ask("SELECT count(*) FROM period"), 4);
	assert_int_equal(ask("SELECT count(*) FROM period WHERE closed"), 3);
	assert_int_equal(ask("SELECT count(*) FROM usage WHERE period = 2"), 1);
	assert_int_equal(ask("SELECT max(gap_ms) FROM period"), 1000);
	assert_int_equal(ask("SELECT sum(out_bytes) FROM total WHERE span = 1"), 300 * 307);
	assert_int_equal(ask("SELECT sum(out_bytes) FROM total WHERE span = 2"), 300 * 307);
	take(T0 + 901000);
	check_sums();
}

/* At any moment, any number of times; the same reading twice is the same record. */
static void test_killed(void **state)
{
	(void)state;
	for (int64_t t = T0; t < T0 + 900000; t += 700) {
		if (t % 1100 == 0 || t == T0)
			begin(t);
		take(t);
		if (t % 3 == 0)
			take(t);
		carry(t % 5 == 0, 1, (uint64_t)(t % 1400));
	}
	take(T0 + 900000);
	check_sums();
	assert_int_equal(ask("SELECT count(*) FROM epoch"), 1);
	assert_int_equal(ask("SELECT count(*) FROM period WHERE flags & ~32"), 0);
	assert_int_equal(ask("SELECT count(*) FROM period"), 4);
}

/* Nobody recorded for an hour, while packets went. */
static void test_away(void **state)
{
	(void)state;
	begin(T0);
	take(T0);
	carry(0, 1, 100);
	take(T0 + 10000);
	carry(0, 1, 1000);
	begin(T0 + 3600000);
	take(T0 + 3600000);
	carry(0, 1, 10);
	take(T0 + 3610000);
	check_sums();
	assert_int_equal(out_of(T0), 100);
	assert_int_equal(out_of(T0 + 3600000), 1010);
	assert_int_equal(flags_of(T0), USAGE_FLAG_BEGIN | USAGE_FLAG_TAIL);
	assert_int_equal(flags_of(T0 + 3600000), USAGE_FLAG_CARRIED);
	assert_int_equal(ask("SELECT since_ms FROM period WHERE flags & 1"), T0 + 10000);
	/* Within a slot a pause harms nothing. */
	begin(T0 + 3700000);
	take(T0 + 3700000);
	assert_int_equal(flags_of(T0 + 3600000), USAGE_FLAG_CARRIED);
	assert_int_equal(ask("SELECT count(*) FROM period"), 2);
	assert_int_equal(ask("SELECT max(gap_ms) FROM period"), 90000);
}

/* Nobody recorded for an hour, and nothing went: that is known, and no slot is missing. */
static void test_idle(void **state)
{
	struct usage_report *report;

	(void)state;
	begin(1700000100000);
	take(1700000100000);
	carry(0, 1, 37500);
	take(1700000101000);
	begin(1700000100000 + 3600000);
	take(1700000100000 + 3600000);
	take(1700000100000 + 3900000);
	assert_int_equal(flags_of(1700000100000), USAGE_FLAG_BEGIN);
	assert_int_equal(flags_of(1700000100000 + 3600000), USAGE_FLAG_IDLE);
	report = report_of(USAGE_BY_SITE, 1700000100000, 1700000100000 + 3900000);
	assert_int_equal(report->rows[0].samples, 13);
	assert_int_equal(report->rows[0].missing, 0);
	assert_int_equal(report->rows[0].p95_out_bps, 1000);
	usage_report_free(report);
}

static void test_power_cut(void **state)
{
	(void)state;
	begin(T0);
	take(T0);
	carry(0, 10, 1000);
	take(T0 + 1000);
	/* The counters are gone, and with them what came after the last reading. */
	reading[0].counts = (struct usage_counts){ 0 };
	epoch = 0;
	begin(T0 + 60000);
	carry(0, 1, 50);
	take(T0 + 60000);
	carry(0, 1, 50);
	take(T0 + 61000);
	assert_int_equal(out_of(T0), 1100);
	assert_int_equal(ask("SELECT flags FROM period WHERE n = 1"),
			 USAGE_FLAG_BEGIN | USAGE_FLAG_CUT);
	assert_int_equal(ask("SELECT flags FROM period WHERE n = 2"), USAGE_FLAG_BEGIN);
	assert_int_equal(ask("SELECT count(*) FROM epoch"), 2);
}

static void test_clock(void **state)
{
	int64_t mono = 1000000;

	(void)state;
	begin(T0);
	assert_int_equal(try_take(T0, mono), 0);
	carry(0, 1, 100);
	/* An hour forward in a second. */
	assert_int_equal(try_take(T0 + 3600000, mono += 1000), 0);
	assert_int_equal(out_of(T0), 100);
	assert_int_equal(flags_of(T0), USAGE_FLAG_BEGIN | USAGE_FLAG_CLOCK);
	assert_int_equal(flags_of(T0 + 3600000), USAGE_FLAG_CLOCK);
	carry(0, 1, 100);
	/* And back: the same slot again. */
	assert_int_equal(try_take(T0 + 2000, mono += 1000), 0);
	carry(0, 1, 100);
	assert_int_equal(try_take(T0 + 3000, mono += 1000), 0);
	check_sums();
	assert_int_equal(out_of(T0), 200);
	assert_true(flags_of(T0) & USAGE_FLAG_CLOCK);
	for (int64_t t = T0 + 4000; t < T0 + 3900000; t += 1000) {
		carry(0, 1, 1);
		assert_int_equal(try_take(t, mono += 1000), 0);
	}
	check_sums();
	/* Until it is past where it has been. */
	assert_int_equal(ask("SELECT count(*) FROM period WHERE NOT flags & 4"), 0);
	carry(0, 1, 1);
	assert_int_equal(try_take(T0 + 3900000, mono += 1000), 0);
	assert_int_equal(flags_of(T0 + 3900000), 0);
}

/* A disk that takes no more: a limit of files, which SQLite sees as a full disk. */
static void test_disk_full(void **state)
{
	struct rlimit before, none;

	(void)state;
	begin(T0);
	take(T0);
	carry(0, 1, 100);
	take(T0 + 1000);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	none = before;
	none.rlim_cur = 1;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	for (int64_t t = T0 + 2000; t < T0 + 20000; t += 1000) {
		int rc;

		carry(0, 1, 100);
		carry(1, 1, 100);
		rc = try_take(t, t - T0 + 1000000);
		assert_true(rc == -EIO || rc == -ENOSPC);
	}
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	take(T0 + 20000);
	check_sums();
	assert_int_equal(out_of(T0), 100 + 2 * 1800);
	assert_int_equal(ask("SELECT gap_ms FROM period"), 19000);
}

static void write_at(const char *file, long offset, const char *text)
{
	FILE *f = fopen(file, "r+");

	assert_non_null(f);
	assert_int_equal(fseek(f, offset, SEEK_SET), 0);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* Damaged, or somebody else's: kept, never written to. */
static void test_damaged(void **state)
{
	char name[USAGE_ERROR_LEN], second[USAGE_ERROR_LEN];
	struct stat st;

	(void)state;
	begin(T0);
	carry(0, 5, 500);
	take(T0);
	finish();
	write_at(path, 0, "this is no database, and never was");
	assert_int_equal(usage_store_open(path, &store, error), -EBADMSG);
	store = NULL;
	assert_int_equal(usage_store_put_aside(path, T0 / 1000, name), 0);
	assert_int_equal(stat(name, &st), 0);
	assert_non_null(strstr(name, "usage.db.damaged-20261127T000000Z"));
	/* The counters go on: what the kept file has is not recorded again. */
	begin(T0 + 5000);
	take(T0 + 5000);
	carry(0, 1, 100);
	take(T0 + 6000);
	assert_int_equal(ask("SELECT sum(out_bytes - out_bytes0) FROM usage"), 100);
	assert_int_equal(flags_of(T0), USAGE_FLAG_BEGIN | USAGE_FLAG_NEW_RECORD);
	/* A second one in the same second has another name. */
	assert_int_equal(usage_store_put_aside(path, T0 / 1000, second), 0);
	assert_string_not_equal(name, second);
	/* Another program's. */
	{
		sqlite3 *db;

		assert_int_equal(sqlite3_open(path, &db), 0);
		assert_int_equal(sqlite3_exec(db, "CREATE TABLE mine(x)", NULL, NULL, NULL), 0);
		sqlite3_close(db);
	}
	finish();
	assert_int_equal(usage_store_open(path, &store, error), -EBADMSG);
	store = NULL;
	assert_non_null(strstr(error, "another program"));
}

/* Killed after the counters of a lost record are taken over, and before their first reading. */
static void test_adopted(void **state)
{
	struct rlimit before, none;

	(void)state;
	begin(T0);
	carry(0, 5, 500);
	take(T0);
	finish();
	assert_int_equal(unlink(path), 0);
	begin(T0 + 1000);
	begin(T0 + 2000);
	/* Nor does a first reading count that a full disk has not taken. */
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	none = before;
	none.rlim_cur = 1;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_not_equal(try_take(T0 + 2000, 1), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(ask("SELECT count(*) FROM epoch"), 0);
	begin(T0 + 3000);
	take(T0 + 3000);
	carry(0, 1, 100);
	take(T0 + 4000);
	begin(T0 + 5000);
	carry(0, 1, 10);
	take(T0 + 5000);
	assert_int_equal(ask("SELECT sum(out_bytes - out_bytes0) FROM usage"), 110);
	assert_int_equal(ask("SELECT sum(out_bytes) FROM line"), 110);
	assert_int_equal(ask("SELECT count(*) FROM epoch"), 1);
	assert_int_equal(flags_of(T0), USAGE_FLAG_BEGIN | USAGE_FLAG_NEW_RECORD);
}

static void attach(bool metered, int64_t at_ms)
{
	const struct usage_moment moment = { .real_ms = at_ms, .metered = metered };
	uint64_t named;

	assert_int_equal(usage_recorder_attach(recorder, epoch, 4711 + (uint64_t)at_ms % 9973,
					       "boot", &moment, &named),
			 0);
	epoch = named;
}

/* dataplane: off, and on again: what went meanwhile is nowhere, and the slot says so. */
static void test_off_and_on(void **state)
{
	const struct usage_readings nothing = { 0 };
	struct usage_moment moment = { .real_ms = T0 + 3000, .mono_ms = 1003000 };
	struct usage_report *report;

	(void)state;
	begin(T0);
	carry(0, 1, 100);
	take(T0);
	carry(0, 1, 20);
	take(T0 + 2000); /* the last of these counters */
	epoch = 0;
	attach(false, T0 + 3000);
	assert_int_equal(usage_recorder_take(recorder, &moment, &nothing), 0);
	moment.real_ms += 1000;
	moment.mono_ms += 1000;
	assert_int_equal(usage_recorder_take(recorder, &moment, &nothing), 0);
	memset(&reading[0].counts, 0, sizeof(reading[0].counts));
	epoch = 0;
	attach(true, T0 + 5000);
	carry(0, 1, 7);
	take(T0 + 5000);
	for (int64_t t = T0 + 6000; t <= T0 + 600000; t += 1000)
		take(t);
	assert_int_equal(ask("SELECT sum(out_bytes - out_bytes0) FROM usage"), 127);
	assert_int_equal(ask("SELECT count(*) FROM period WHERE flags & 8"), 0);
	assert_int_equal(ask("SELECT flags FROM period WHERE n = 2"), USAGE_FLAG_UNMETERED);
	report = report_of(USAGE_BY_SITE, T0, T0 + 600000);
	assert_int_equal(report->n_unmetered, 1);
	assert_int_equal(report->rows[0].sum.out_bytes, 127);
	assert_int_equal(report->rows[0].samples, 1);
	usage_report_free(report);
}

static void test_prune(void **state)
{
	const int64_t day = 86400000;

	(void)state;
	begin(T0);
	for (int64_t t = T0; t < T0 + 3 * day; t += 300000) {
		carry(0, 1, 100);
		take(t);
	}
	take(T0 + 3 * day);
	assert_int_equal(ask("SELECT sum(out_bytes - out_bytes0) FROM usage"), 3 * 288 * 100);
	/* Too large: the oldest day of slots goes; what days have carried stays. */
	assert_int_equal(usage_store_begin(store), 0);
	assert_int_equal(usage_store_prune(store, (T0 + 3 * day) / 1000, 1), 0);
	assert_int_equal(usage_store_commit(store), 0);
	assert_int_equal(ask("SELECT sum(out_bytes - out_bytes0) FROM usage"), 2 * 288 * 100);
	assert_int_equal(ask("SELECT sum(out_bytes) FROM total WHERE span = 2"), 3 * 288 * 100);
	assert_int_equal(ask("SELECT sum(out_bytes) FROM line"), 3 * 288 * 100);
	/* Years later. */
	assert_int_equal(usage_store_prune(store, (T0 + 500 * day) / 1000, INT64_MAX), 0);
	assert_int_equal(
		ask("SELECT count(*) FROM usage JOIN period p ON p.n = period WHERE closed"), 0);
	assert_int_equal(ask("SELECT sum(out_bytes) FROM line"), 3 * 288 * 100);
}

/* -- Reports. -- */

static struct usage_report *report_of(unsigned int by, int64_t begin_ms, int64_t end_ms)
{
	const struct usage_query query = {
		.begin = begin_ms / 1000, .end = end_ms / 1000, .by = by, .commit_bps = 1000
	};
	const char *const files[] = { path };
	struct usage_report *report;

	if (usage_report_make(files, 1, &query, &report, error))
		fail_msg("%s", error);
	return report;
}

/* Missing samples are missing; what was carried while nobody looked is in totals alone. */
static void test_missing(void **state)
{
	struct usage_report *report;
	const struct usage_row *row;

	(void)state;
	begin(1700000100000);
	/* 40 slots at 3750 bytes (100 bit/s out), the 20th with nothing, then away, then 5 more. */
	for (int64_t slot = 0; slot < 40; slot++) {
		take(1700000100000 + slot * 300000);
		if (slot != 20)
			carry(0, 1, 3750);
		assert_int_equal(try_take(1700000100000 + slot * 300000 + 299000,
					  1700000100000 + slot * 300000 + 299000 - T0 + 1000000),
				 0);
	}
	take(1700000100000 + 40 * 300000);
	carry(0, 1, 9000000);
	begin(1700000100000 + 50 * 300000);
	take(1700000100000 + 50 * 300000);
	for (int64_t slot = 50; slot < 56; slot++) {
		carry(0, 1, 3750);
		take(1700000100000 + slot * 300000 + 299000);
		take(1700000100000 + (slot + 1) * 300000);
	}
	report = report_of(USAGE_BY_SITE, 1700000100000, 1700000100000 + 56 * 300000);
	assert_int_equal(report->n_rows, 1);
	row = &report->rows[0];
	assert_int_equal(row->sum.out_bytes, 39 * 3750 + 9000000 + 6 * 3750);
	assert_int_equal(row->samples, 40 + 5);
	assert_int_equal(row->missing, 11);
	assert_int_equal(row->p95_out_bps, 100);
	assert_int_equal(row->p95_in_bps, 200);
	assert_int_equal(row->p95_bps, 200);
	assert_int_equal(row->peak_out_bps, 100);
	assert_int_equal(row->mean_out_bps, 100 * 44 / 45);
	assert_int_equal(row->over_bps, 0);
	assert_int_equal(report->n_carried, 1);
	usage_report_free(report);
}

/* Two gateways of a site and the two of another; what one has not recorded is a residual. */
static void test_merge(void **state)
{
	const struct usage_query query = { .begin = T0 / 1000,
					   .end = T0 / 1000 + 300,
					   .by = USAGE_BY_SITE | USAGE_BY_SUBNET };
	char files[3][128];
	const char *list[] = { files[0], files[1], files[2] };
	struct usage_report *report;
	const struct usage_row *row;

	(void)state;
	for (uint16_t n = 0; n < 3; n++) {
		const bool far = n == 2;

		snprintf(path, sizeof(path), "%s/%u.db", directory, n);
		strcpy(files[n], path);
		epoch = 0;
		reading[0].counts = reading[1].counts = (struct usage_counts){ 0 };
		begin(T0);
		assert_int_equal(usage_store_set_node(store, (uint16_t)(n + 1),
						      far ? "sin-a"
						      : n ? "fra-b"
							  : "fra-a",
						      far ? 3 : 1),
				 0);
		take(T0);
		if (far) {
			const struct usage_key key = reading[0].key;

			reading[0].key.local = key.remote;
			reading[0].key.remote = key.local;
			reading[0].key.local_site = 3;
			reading[0].key.remote_site = 1;
			reading[0].counts = (struct usage_counts){ 6, 2940, 3, 230 };
		} else {
			reading[0].counts = n ? (struct usage_counts){ 2, 200, 4, 1960 }
					      : (struct usage_counts){ 1, 100, 2, 980 };
		}
		take(T0 + 1000);
	}
	if (usage_report_make(list, 3, &query, &report, error))
		fail_msg("%s", error);
	assert_int_equal(report->n_rows, 1);
	row = &report->rows[0];
	assert_string_equal(row->local, "10.1.1.0/24");
	assert_string_equal(row->remote, "10.2.1.0/24");
	assert_int_equal(row->sum.out_bytes, 300);
	assert_int_equal(row->sum.in_bytes, 2940);
	assert_true(row->has_far);
	assert_int_equal(row->far.out_bytes, 230);
	assert_int_equal(row->far.in_bytes, 2940);
	usage_report_free(report);
	list[1] = files[0];
	assert_int_equal(usage_report_make(list, 2, &query, &report, error), -EINVAL);
	assert_non_null(strstr(error, "each gateway counts once"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_rates),
		cmocka_unit_test_setup_teardown(test_slots, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_away, setup, teardown),
		cmocka_unit_test_setup_teardown(test_idle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_power_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clock, setup, teardown),
		cmocka_unit_test_setup_teardown(test_disk_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_adopted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_off_and_on, setup, teardown),
		cmocka_unit_test_setup_teardown(test_prune, setup, teardown),
		cmocka_unit_test_setup_teardown(test_missing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_merge, setup, teardown),
	};

	return cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
