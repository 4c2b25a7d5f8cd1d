/* SPDX-License-Identifier: GPL-2.0-only */
#include "usage_answer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 2, 3))) int usage_answer_refuse(struct usage_record *record,
							      const char *format, ...)
{
	va_list args;
	const int len = snprintf(record->error, USAGE_ERROR_LEN, "%.150s: ", record->file);

	va_start(args, format);
	vsnprintf(record->error + len, (size_t)(USAGE_ERROR_LEN - len), format, args);
	va_end(args);
	/* SQLite quotes what it has read. */
	for (char *c = record->error + len; *c; c++)
		if (*c < ' ' || *c == 0x7f)
			*c = '?';
	return -EINVAL;
}

int usage_answer_fail(struct usage_record *record)
{
	const char *text = sqlite3_errmsg(record->db);

	switch (sqlite3_errcode(record->db)) {
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_NOTADB:
		return usage_answer_refuse(
			record, "is no usage record and no other database (those of gateways are "
				"called " USAGE_FILE "; 'netpas usage export' copies them)");
	case SQLITE_CORRUPT:
		return usage_answer_refuse(
			record,
			"is damaged or cut off (%.60s); copy it again, by 'netpas "
			"usage export'",
			text);
	case SQLITE_CANTOPEN:
		return usage_answer_refuse(
			record,
			"was copied while it was written to, and cannot be read here "
			"(%.60s); copy it by 'netpas usage export'",
			text);
	default:
		return usage_answer_refuse(record, "%.120s", text);
	}
}

int usage_answer_ask(struct usage_record *record, const char *table, const char *key,
		     const char *sql, struct usage_answer *ret_answer)
{
	*ret_answer = (struct usage_answer){ .record = record, .table = table, .key = key };
	if (sqlite3_prepare_v2(record->db, sql, -1, &ret_answer->stmt, NULL))
		return usage_answer_fail(record);
	return 0;
}

int usage_answer_ask_time(struct usage_record *record, const char *table, const char *key,
			  const char *sql, int64_t begin, int64_t end,
			  struct usage_answer *ret_answer)
{
	const int rc = usage_answer_ask(record, table, key, sql, ret_answer);

	if (rc)
		return rc;
	sqlite3_bind_int64(ret_answer->stmt, 1, begin);
	sqlite3_bind_int64(ret_answer->stmt, 2, end);
	return 0;
}

bool usage_answer_next(struct usage_answer *answer)
{
	return !answer->rc && sqlite3_step(answer->stmt) == SQLITE_ROW;
}

int usage_answer_finish(struct usage_answer *answer, int rc)
{
	if (!rc)
		rc = answer->rc;
	if (sqlite3_finalize(answer->stmt) && !rc)
		rc = usage_answer_fail(answer->record);
	return rc;
}

/* Of a value that may be anything, what can be printed. */
static const char *describe(sqlite3_stmt *stmt, int column, char buf[static 40])
{
	const unsigned char *text;
	size_t len = 0;

	switch (sqlite3_column_type(stmt, column)) {
	case SQLITE_NULL:
		return "nothing";
	case SQLITE_BLOB:
		return "a blob";
	case SQLITE_TEXT:
		buf[len++] = '\'';
		text = sqlite3_column_text(stmt, column);
		for (; text && *text && len < 32; text++)
			buf[len++] = *text >= ' ' && *text < 0x7f ? (char)*text : '?';
		snprintf(buf + len, 40 - len, "%s'", text && *text ? "..." : "");
		return buf;
	case SQLITE_FLOAT:
		snprintf(buf, 40, "%.17g", sqlite3_column_double(stmt, column));
		return buf;
	default:
		snprintf(buf, 40, "%lld", sqlite3_column_int64(stmt, column));
		return buf;
	}
}

void usage_answer_misfit(struct usage_answer *answer, int column, const char *should)
{
	char value[40], key[40];

	if (answer->rc)
		return;
	answer->rc = usage_answer_refuse(answer->record, "table %s, %s %s: %.20s is %s, and not %s",
					 answer->table, answer->key, describe(answer->stmt, 0, key),
					 sqlite3_column_name(answer->stmt, column),
					 describe(answer->stmt, column, value), should);
}

int64_t usage_answer_number(struct usage_answer *answer, int column, int64_t min, int64_t max)
{
	const int64_t value = sqlite3_column_int64(answer->stmt, column);
	char should[80];

	if (sqlite3_column_type(answer->stmt, column) == SQLITE_INTEGER && value >= min &&
	    value <= max)
		return value;
	snprintf(should, sizeof(should), "a whole number from %" PRId64 " to %" PRId64, min, max);
	usage_answer_misfit(answer, column, should);
	return min;
}

uint64_t usage_answer_count(struct usage_answer *answer, int column)
{
	const int64_t value = sqlite3_column_int64(answer->stmt, column);

	if (value < 0 || sqlite3_column_type(answer->stmt, column) != SQLITE_INTEGER)
		return (uint64_t)usage_answer_number(answer, column, 0, USAGE_COUNT_MAX);
	return (uint64_t)value;
}

struct usage_counts usage_answer_counts(struct usage_answer *answer, int column)
{
	return (struct usage_counts){
		.out_packets = usage_answer_count(answer, column),
		.out_bytes = usage_answer_count(answer, column + 1),
		.in_packets = usage_answer_count(answer, column + 2),
		.in_bytes = usage_answer_count(answer, column + 3),
	};
}

const char *usage_answer_text(struct usage_answer *answer, int column)
{
	if (sqlite3_column_type(answer->stmt, column) == SQLITE_TEXT)
		return (const char *)sqlite3_column_text(answer->stmt, column);
	usage_answer_misfit(answer, column, "a text");
	return "";
}

int64_t usage_answer_time(struct usage_answer *answer, int column, enum usage_span span)
{
	const int64_t value = usage_answer_number(answer, column, 0, USAGE_TIME_MAX);

	if (usage_begin(span, value) == value)
		return value;
	usage_answer_misfit(answer, column,
			    span == USAGE_DAY ? "the begin of a day" : "full five minutes");
	return 0;
}
