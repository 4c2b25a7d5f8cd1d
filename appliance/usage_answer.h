/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a record answers when it is asked, with nothing believed. SQLite keeps any value in any column,
 * whatever type that has been declared with: what is no whole number would silently be read as 0. So
 * each value is looked at, and the first that does not fit ends the answer, saying which it is.
 */
#ifndef NETPAS_USAGE_ANSWER_H
#define NETPAS_USAGE_ANSWER_H

#include <sqlite3.h>

#include "usage.h"
#include "usage_calendar.h"

/* The highest count, and the highest sum of counts: what a JSON integer holds. */
#define USAGE_COUNT_MAX INT64_MAX
#define USAGE_TIME_MAX 253402300799 /* the end of the year 9999 */
#define USAGE_TIME_MAX_MS (USAGE_TIME_MAX * 1000)

struct usage_record {
	const char *file;
	char *error; /* [USAGE_ERROR_LEN] */
	sqlite3 *db;
};

struct usage_answer {
	struct usage_record *record;
	sqlite3_stmt *stmt;
	const char *table, *key; /* key: what the first column is, by which a row is known */
	int rc;			 /* of what was met so far */
};

/* Say what is wrong with the record; -EINVAL. Or, what SQLite says of it; -EINVAL or -ENOMEM. */
int usage_answer_refuse(struct usage_record *record, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int usage_answer_fail(struct usage_record *record);

/* 0, or as usage_answer_fail(). begin and end: for ?1 and ?2. */
int usage_answer_ask(struct usage_record *record, const char *table, const char *key,
		     const char *sql, struct usage_answer *ret_answer);
int usage_answer_ask_time(struct usage_record *record, const char *table, const char *key,
			  const char *sql, int64_t begin, int64_t end,
			  struct usage_answer *ret_answer);

/* There is another row, and nothing was wrong so far. */
bool usage_answer_next(struct usage_answer *answer);

/* The end of it. rc (of the caller) if that is not 0; or what was wrong. */
int usage_answer_finish(struct usage_answer *answer, int rc);

/* This value is not what it should be. Only the first one that is wrong is told. */
void usage_answer_misfit(struct usage_answer *answer, int column, const char *should);

/* Values of a row; something harmless if they do not fit, and answer->rc. */
int64_t usage_answer_number(struct usage_answer *answer, int column, int64_t min, int64_t max);
uint64_t usage_answer_count(struct usage_answer *answer, int column);
struct usage_counts usage_answer_counts(struct usage_answer *answer, int column);
const char *usage_answer_text(struct usage_answer *answer, int column);
int64_t usage_answer_time(struct usage_answer *answer, int column, enum usage_span span);

#endif
