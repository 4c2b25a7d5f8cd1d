/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any file as a gateway's usage record, and any values in the tables of one: a report, or words that say
 * why there is none; and never the same one twice. The first byte says which. Values are written as SQL
 * that is made here, as no input may be: a bit of it takes a table, others what goes into its columns.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "usage_report.h"
#include "usage_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BEGIN 1700000100

static char path[64], copy[64];

static void check(int good)
{
	if (!good)
		abort();
}

static void remove_files(void)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };
	char name[80];

	for (size_t i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		(void)unlink(name);
		snprintf(name, sizeof(name), "%s%s", copy, suffixes[i]);
		(void)unlink(name);
	}
}

static void put(const char *name, const uint8_t *data, size_t size)
{
	FILE *file = fopen(name, "w");

	check(file && fwrite(data, 1, size, file) == size && !fclose(file));
}

/* What a terminal may be shown, in 80 columns. */
static void check_table(const char *text, size_t len)
{
	size_t column = 0;

	for (size_t i = 0; i < len; i++) {
		check(text[i] == '\n' || (text[i] >= ' ' && text[i] < 0x7f));
		column = text[i] == '\n' ? 0 : column + 1;
		check(column <= 80);
	}
}

static int report(const char *const files[], size_t n, unsigned int by)
{
	const struct usage_query query = {
		.begin = BEGIN - 3000, .end = BEGIN + 86400, .by = by, .commit_bps = 1000
	};
	char error[USAGE_ERROR_LEN] = "", *text = NULL;
	struct usage_report *made;
	const int rc = usage_report_make(files, n, &query, &made, error);
	size_t len;

	if (rc) {
		check(*error != '\0');
		for (const char *c = error; *c; c++)
			check(*c >= ' ' && *c < 0x7f);
		return rc;
	}
	for (int form = USAGE_FORM_TABLE; form <= USAGE_FORM_CSV; form++) {
		FILE *out = open_memstream(&text, &len);

		check(out && !usage_report_print(made, (enum usage_form)form, out) && !fclose(out));
		if (form == USAGE_FORM_TABLE)
			check_table(text, len);
		free(text);
	}
	usage_report_free(made);
	return 0;
}

static void try_file(const uint8_t *data, size_t size)
{
	static const unsigned int by[] = { USAGE_BY_SITE | USAGE_BY_DAY,
					   USAGE_BY_SUBNET | USAGE_BY_CLASS | USAGE_BY_HOUR };
	const char *const files[] = { path, copy };

	remove_files();
	put(path, data, size);
	put(copy, data, size);
	for (size_t i = 0; i < 2; i++)
		if (!report(files, 1, by[i]))
			check(report(files, 2, by[i]) != 0);
}

/* ---- values ---- */

static const char *const tables[] = { "node",	"site",	 "epoch", "pair",
				      "period", "usage", "line",  "total" };
static const int columns[] = { 3, 2, 4, 6, 13, 10, 7, 7 };

static void bind(sqlite3_stmt *stmt, int column, uint8_t value, const uint8_t **data,
		 const uint8_t *end)
{
	static const char *const texts[] = { "fra-a",
					     "other",
					     "10.1.1.0/24",
					     "fd00:10::/64",
					     "00000000000000e1",
					     "a-name-that-has-31-characters--",
					     "\033[2J",
					     "12" };
	static const int64_t numbers[] = { 0,	      1,	   2,		3,
					   BEGIN,     BEGIN + 300, BEGIN + 600, 1699920000,
					   INT64_MAX, INT64_MIN,   1ll << 40,	-1 };
	int64_t number = 0;

	switch (value % 6) {
	case 0:
		sqlite3_bind_text(stmt, column, texts[value / 6 % 8], -1, SQLITE_STATIC);
		return;
	case 1:
		sqlite3_bind_blob(stmt, column, "\377\0x", 3, SQLITE_STATIC);
		return;
	case 2:
		sqlite3_bind_double(stmt, column, value * 1e17 / 3);
		return;
	case 3:
	case 4:
		sqlite3_bind_int64(stmt, column, numbers[value / 6 % 12]);
		return;
	default:
		for (int i = 0; i < 2 && *data < end; i++)
			number = number << 8 | *(*data)++;
		sqlite3_bind_int64(stmt, column, number);
	}
}

static void add_row(sqlite3 *db, const uint8_t **data, const uint8_t *end)
{
	const size_t table = *(*data)++ % 8;
	sqlite3_stmt *stmt;
	char sql[120];
	int len = snprintf(sql, sizeof(sql), "INSERT OR REPLACE INTO %s VALUES(?1", tables[table]);

	for (int c = 2; c <= columns[table]; c++)
		len += snprintf(sql + len, sizeof(sql) - (size_t)len, ",?%d", c);
	snprintf(sql + len, sizeof(sql) - (size_t)len, ")");
	check(!sqlite3_prepare_v2(db, sql, -1, &stmt, NULL));
	for (int c = 1; c <= columns[table] && *data < end; c++) {
		const uint8_t value = *(*data)++;

		bind(stmt, c, value, data, end);
	}
	(void)sqlite3_step(stmt); /* not all goes into every column */
	sqlite3_finalize(stmt);
}

static void try_values(const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size;
	unsigned char *file;
	sqlite3_int64 len;
	char sql[96];
	sqlite3 *db;

	check(!sqlite3_open(":memory:", &db));
	check(!sqlite3_exec(db, "PRAGMA page_size = 512", NULL, NULL, NULL));
	check(!sqlite3_exec(db, usage_store_schema, NULL, NULL, NULL));
	snprintf(sql, sizeof(sql), "PRAGMA application_id = %d; PRAGMA user_version = %d; BEGIN",
		 USAGE_STORE_APPLICATION, USAGE_STORE_VERSION);
	check(!sqlite3_exec(db, sql, NULL, NULL, NULL));
	check(!sqlite3_exec(
		db,
		"INSERT INTO node VALUES(1, 'fra-a', 1);"
		"INSERT INTO epoch VALUES(1, '00000000000000e2', 'b', 0);"
		"INSERT INTO pair VALUES(1, 1, 3, 0, '10.1.1.0/24', '10.2.1.0/24');"
		"INSERT INTO period VALUES(1, 1, 1700000100, 0, 5, 0, 9, 9, 1, '0', 1, 32, 1)",
		NULL, NULL, NULL));
	while (data < end)
		add_row(db, &data, end);
	check(!sqlite3_exec(db, "COMMIT", NULL, NULL, NULL));
	file = sqlite3_serialize(db, "main", &len, 0);
	check(file != NULL);
	try_file(file, (size_t)len);
	sqlite3_free(file);
	check(!sqlite3_close(db));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!*path) {
		snprintf(path, sizeof(path), "/dev/shm/netpas-fuzz-%d-a", (int)getpid());
		snprintf(copy, sizeof(copy), "/dev/shm/netpas-fuzz-%d-b", (int)getpid());
		atexit(remove_files);
	}
	if (!size)
		return 0;
	if (data[0] & 1)
		try_values(data + 1, size - 1);
	else
		try_file(data + 1, size - 1);
	return 0;
}
