/* SPDX-License-Identifier: GPL-2.0-only */
#include "usage_source.h"

#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config.h"
#include "usage_answer.h"
#include "usage_calendar.h"
#include "usage_store.h"

#define FLAGS_MAX 255

/* What of a pair has been counted already. */
struct counted {
	int64_t epoch, period;
	struct usage_counts until;
};

struct usage_source {
	struct usage_record record;
	struct usage_source_node node;
	struct usage_source_pair *pairs; /* by number; NULL: not read yet */
	struct counted *counted;	 /* likewise */
	size_t n_pairs;
};

/* ---- whose it is ---- */

/* As mesh.yaml has names; also what a terminal may be shown. */
static void name_of(struct usage_answer *answer, int column, char ret_name[static 32])
{
	const char *text = usage_answer_text(answer, column);
	const size_t len = strlen(text);

	_Static_assert(CONFIG_NAME_MAX == 32, "names have another length");
	if (!len || len >= CONFIG_NAME_MAX || *text == '-' ||
	    strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") != len) {
		usage_answer_misfit(answer, column, "a name of at most 31 of a-z, 0-9 and -");
		return;
	}
	memcpy(ret_name, text, len + 1);
}

static int read_node(struct usage_source *source)
{
	struct usage_source_node *node = &source->node;
	struct usage_answer answer;
	size_t n = 0;
	int rc = usage_answer_ask(&source->record, "node", "id",
				  "SELECT id, name, site FROM node LIMIT 2", &answer);

	if (rc)
		return rc;
	while (usage_answer_next(&answer)) {
		node->id = (uint16_t)usage_answer_number(&answer, 0, 1, DP_ID_MAX);
		name_of(&answer, 1, node->name);
		node->site = (uint16_t)usage_answer_number(&answer, 2, 1, DP_ID_MAX);
		n++;
	}
	rc = usage_answer_finish(&answer, 0);
	if (!rc && n != 1)
		rc = usage_answer_refuse(&source->record,
					 n ? "says of several gateways that it is their record"
					   : "says of no gateway that it is its record");
	if (!rc)
		rc = usage_answer_ask(&source->record, "period", "last_ms",
				      "SELECT last_ms FROM period ORDER BY n DESC LIMIT 1",
				      &answer);
	if (rc)
		return rc;
	if (usage_answer_next(&answer))
		node->last_ms = usage_answer_number(&answer, 0, 0, USAGE_TIME_MAX_MS);
	return usage_answer_finish(&answer, 0);
}

/* ---- whether it is one ---- */

static int check_application(struct usage_source *source)
{
	int64_t application = 0, version = 0;
	struct usage_answer answer;
	int rc = usage_answer_ask(&source->record, "", "",
				  "SELECT a.application_id, v.user_version"
				  " FROM pragma_application_id() a, pragma_user_version() v",
				  &answer);

	if (rc)
		return rc;
	if (usage_answer_next(&answer)) {
		application = sqlite3_column_int64(answer.stmt, 0);
		version = sqlite3_column_int64(answer.stmt, 1);
	}
	rc = usage_answer_finish(&answer, 0);
	if (rc)
		return rc;
	if (application != USAGE_STORE_APPLICATION)
		return usage_answer_refuse(
			&source->record,
			"is no usage record, but a database of another program (those of "
			"gateways are called " USAGE_FILE "; 'netpas usage export' copies them)");
	if (version != USAGE_STORE_VERSION)
		return usage_answer_refuse(&source->record,
					   "is of version %" PRId64
					   ", this program knows %d; use the "
					   "netpas of the gateway it is of",
					   version, USAGE_STORE_VERSION);
	return 0;
}

static int check_table(struct usage_source *source, const char *name, const char *sql)
{
	struct usage_answer answer;
	bool same = false;
	int rc = usage_answer_ask(
		&source->record, "sqlite_schema", "name",
		"SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1", &answer);

	if (rc)
		return rc;
	sqlite3_bind_text(answer.stmt, 1, name, -1, SQLITE_STATIC);
	if (usage_answer_next(&answer))
		same = !strcmp(usage_answer_text(&answer, 0), sql);
	rc = usage_answer_finish(&answer, 0);
	return rc || same ? rc
			  : usage_answer_refuse(&source->record,
						"table %s is not there, or not as netpas makes it; "
						"somebody has changed this record",
						name);
}

/* The same tables as in a record that is made now: no views in their place, nothing computed. */
static int check_tables(struct usage_source *source)
{
	sqlite3_stmt *stmt = NULL;
	sqlite3 *db;
	int rc = -ENOMEM;

	if (sqlite3_open(":memory:", &db) ||
	    sqlite3_exec(db, usage_store_schema, NULL, NULL, NULL) ||
	    sqlite3_prepare_v2(db, "SELECT name, sql FROM sqlite_schema WHERE type = 'table'", -1,
			       &stmt, NULL))
		goto out;
	rc = 0;
	while (!rc && sqlite3_step(stmt) == SQLITE_ROW)
		rc = check_table(source, (const char *)sqlite3_column_text(stmt, 0),
				 (const char *)sqlite3_column_text(stmt, 1));
out:
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return rc;
}

/* What has no whole number for its slot or period would be in no report, and nobody would know. */
static int check_keys(struct usage_source *source)
{
	static const struct {
		const char *table, *key, *sql;
	} checks[] = {
		{ "period", "n", "SELECT n, slot FROM period WHERE slot >= '' LIMIT 1" },
		{ "usage", "period",
		  "SELECT period, period FROM usage WHERE period >= '' LIMIT 1" },
		{ "line", "period", "SELECT period, period FROM line WHERE period >= '' LIMIT 1" },
		{ "total", "span", "SELECT span, span FROM total WHERE span >= '' LIMIT 1" },
		{ "total", "span",
		  "SELECT span, begin FROM total WHERE span = 2 AND begin >= '' LIMIT 1" },
	};
	struct usage_answer answer;
	int rc = 0;

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]) && !rc; i++) {
		rc = usage_answer_ask(&source->record, checks[i].table, checks[i].key,
				      checks[i].sql, &answer);
		if (rc)
			break;
		if (usage_answer_next(&answer))
			(void)usage_answer_number(&answer, 1, 0,
						  INT64_MAX); /* is none, and says so */
		rc = usage_answer_finish(&answer, 0);
	}
	return rc;
}

/* Rows of periods that are not there. */
static int check_ends(struct usage_source *source)
{
	static const char *const tables[] = { "usage", "line" };
	struct usage_answer answer;
	char sql[160];
	int rc = 0;

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]) && !rc; i++) {
		snprintf(sql, sizeof(sql),
			 "SELECT (SELECT max(period) FROM %s) AS last"
			 " WHERE last > coalesce((SELECT max(n) FROM period), 0)",
			 tables[i]);
		rc = usage_answer_ask(&source->record, tables[i], "period", sql, &answer);
		if (rc)
			break;
		if (usage_answer_next(&answer))
			usage_answer_misfit(&answer, 0, "one that is in the table period");
		rc = usage_answer_finish(&answer, 0);
	}
	return rc;
}

/* What SQLite would say of it in fewer words, or not at all. */
static int check_file(struct usage_source *source)
{
	struct stat st;
	int rc;

	if (stat(source->record.file, &st)) {
		rc = -errno;
		(void)usage_answer_refuse(&source->record, "%s", strerror(-rc));
		return rc;
	}
	if (!S_ISREG(st.st_mode))
		return usage_answer_refuse(&source->record, "is no file");
	if (!st.st_size)
		return usage_answer_refuse(&source->record,
					   "is empty; copy it again, by 'netpas usage export'");
	return 0;
}

/*
 * The last page of a file that is cut off within it reads as if the rest of it were empty. It is
 * looked at by SQLite's own descriptor: who closes another one of a record that this process also
 * writes loses all its locks on that (https://www.sqlite.org/howtocorrupt.html, 2.2).
 */
static int check_last_page(struct usage_source *source)
{
	sqlite3_file *file = NULL;
	sqlite3_int64 size;
	uint8_t header[18];
	uint32_t page;

	if (sqlite3_file_control(source->record.db, "main", SQLITE_FCNTL_FILE_POINTER, &file) ||
	    !file || !file->pMethods || file->pMethods->xFileSize(file, &size) ||
	    file->pMethods->xRead(file, header, sizeof(header), 0) ||
	    memcmp(header, "SQLite format 3", 16) != 0)
		return 0; /* SQLite says what it is */
	page = (uint32_t)header[16] << 8 | header[17];
	if (page == 1)
		page = 65536;
	if (page && size % page == 0)
		return 0;
	return usage_answer_refuse(&source->record,
				   "is damaged or cut off (it ends within a page); copy it again, "
				   "by 'netpas usage export'");
}

int usage_source_open(const char *file, struct usage_source **ret_source,
		      char error[static USAGE_ERROR_LEN])
{
	struct usage_source *source = calloc(1, sizeof(*source));
	int rc;

	if (!source)
		return -ENOMEM;
	source->record.file = file;
	source->record.error = error;
	rc = check_file(source);
	if (rc)
		goto err;
	if (sqlite3_open_v2(file, &source->record.db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX,
			    NULL)) {
		rc = usage_answer_fail(&source->record);
		goto err;
	}
	rc = check_last_page(source);
	if (rc)
		goto err;
	sqlite3_busy_timeout(source->record.db, 5000);
	(void)sqlite3_db_config(source->record.db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(source->record.db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	/* Faster; and looks closer at what may be damaged. */
	(void)sqlite3_exec(source->record.db,
			   "PRAGMA mmap_size = 17179869184; PRAGMA cell_size_check = 1", NULL, NULL,
			   NULL);
	if (sqlite3_exec(source->record.db, "BEGIN", NULL, NULL, NULL))
		rc = usage_answer_fail(&source->record);
	if (!rc)
		rc = check_application(source);
	if (!rc)
		rc = check_tables(source);
	if (!rc)
		rc = check_keys(source);
	if (!rc)
		rc = check_ends(source);
	if (!rc)
		rc = read_node(source);
	if (rc)
		goto err;
	*ret_source = source;
	return 0;

err:
	usage_source_close(source);
	return rc;
}

void usage_source_close(struct usage_source *source)
{
	if (!source)
		return;
	sqlite3_close(source->record.db);
	free(source->pairs);
	free(source->counted);
	free(source);
}

const struct usage_source_node *usage_source_node(const struct usage_source *source)
{
	return &source->node;
}

/* ---- names ---- */

int usage_source_each_site(struct usage_source *source,
			   int (*take)(void *data, uint16_t number, const char *name), void *data)
{
	struct usage_answer answer;
	int rc = usage_answer_ask(&source->record, "site", "number",
				  "SELECT number, name FROM site", &answer);

	if (rc)
		return rc;
	while (!rc && usage_answer_next(&answer)) {
		const uint16_t number = (uint16_t)usage_answer_number(&answer, 0, 1, DP_ID_MAX);
		char name[32];

		name_of(&answer, 1, name);
		if (!answer.rc)
			rc = take(data, number, name);
	}
	return usage_answer_finish(&answer, rc);
}

int usage_source_each_epoch(struct usage_source *source, int64_t begin, int64_t end,
			    int (*take)(void *data, uint64_t id), void *data)
{
	struct usage_answer answer;
	int rc = usage_answer_ask_time(&source->record, "epoch", "n",
				       "SELECT n, id FROM epoch WHERE n IN"
				       " (SELECT epoch FROM period WHERE slot >= ?1 AND slot < ?2)",
				       begin, end, &answer);

	if (rc)
		return rc;
	while (!rc && usage_answer_next(&answer)) {
		const char *text = usage_answer_text(&answer, 1);

		if (strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
			usage_answer_misfit(&answer, 1, "a name of 16 hexadecimal digits");
		if (!answer.rc)
			rc = take(data, strtoull(text, NULL, 16));
	}
	return usage_answer_finish(&answer, rc);
}

static void prefix_of(struct usage_answer *answer, int column,
		      char ret_text[static IP_PREFIX_STRLEN])
{
	const char *text = usage_answer_text(answer, column);
	struct ip_prefix prefix;

	if (!strcmp(text, "other")) {
		strcpy(ret_text, text);
		return;
	}
	if (ip_prefix_parse(text, &prefix) || strcmp(ip_prefix_format(&prefix, ret_text), text))
		usage_answer_misfit(answer, column, "a subnet or 'other'");
}

/* Numbers go from 1 to how many there are: none is ever taken out. */
static int count_pairs(struct usage_source *source)
{
	struct usage_answer answer;
	int64_t n = 0;
	int rc = usage_answer_ask(&source->record, "pair", "n",
				  "SELECT max(n), count(*) FROM pair HAVING count(*)", &answer);

	if (rc)
		return rc;
	if (usage_answer_next(&answer)) {
		n = usage_answer_number(&answer, 1, 0, INT32_MAX);
		(void)usage_answer_number(&answer, 0, n, n);
	}
	rc = usage_answer_finish(&answer, 0);
	if (rc)
		return rc;
	source->n_pairs = (size_t)n + 1;
	source->pairs = calloc(source->n_pairs, sizeof(*source->pairs));
	source->counted = calloc(source->n_pairs, sizeof(*source->counted));
	return source->pairs && source->counted ? 0 : -ENOMEM;
}

static void read_pair(struct usage_answer *answer, struct usage_source_pair *pair)
{
	pair->local_site = (uint16_t)usage_answer_number(answer, 1, 0, DP_ID_MAX);
	pair->remote_site = (uint16_t)usage_answer_number(answer, 2, 0, DP_ID_MAX);
	pair->class = (int)usage_answer_number(answer, 3, 0, CONFIG_CLASS_MAX - 1);
	prefix_of(answer, 4, pair->local);
	prefix_of(answer, 5, pair->remote);
}

static int read_pairs(struct usage_source *source)
{
	struct usage_answer answer;
	int rc = source->pairs ? 0 : count_pairs(source);

	if (rc)
		return rc;
	for (size_t i = 0; i < source->n_pairs; i++)
		source->pairs[i].class = -1;
	rc = usage_answer_ask(&source->record, "pair", "n",
			      "SELECT n, local_site, remote_site, class, local, remote FROM pair",
			      &answer);
	if (rc)
		return rc;
	while (usage_answer_next(&answer))
		read_pair(&answer, &source->pairs[usage_answer_number(
					   &answer, 0, 1, (int64_t)source->n_pairs - 1)]);
	return usage_answer_finish(&answer, 0);
}

int usage_source_pairs(struct usage_source *source, const struct usage_source_pair **ret_pairs,
		       size_t *ret_n)
{
	const int rc = source->pairs ? 0 : read_pairs(source);

	if (rc)
		return rc;
	*ret_pairs = source->pairs;
	*ret_n = source->n_pairs;
	return 0;
}

/* The number of a pair that there is; 0: there is none. */
static size_t pair_of(const struct usage_source *source, struct usage_answer *answer, int column)
{
	const int64_t n = sqlite3_column_int64(answer->stmt, column);

	if (n > 0 && (size_t)n < source->n_pairs && source->pairs[n].class >= 0 &&
	    sqlite3_column_type(answer->stmt, column) == SQLITE_INTEGER)
		return (size_t)n;
	usage_answer_misfit(answer, column, "the number of a pair in the table pair");
	return 0;
}

/* ---- slots ---- */

int usage_source_each_period(struct usage_source *source, int64_t begin, int64_t end,
			     int (*take)(void *data, const struct usage_source_period *period),
			     void *data)
{
	struct usage_answer answer;
	int rc = usage_answer_ask_time(&source->record, "period", "n",
				       "SELECT n, slot, since_ms, flags, gap_ms, closed FROM period"
				       " WHERE slot >= ?1 AND (slot < ?2 OR"
				       " (flags & 129 AND since_ms < ?2 * 1000))",
				       begin, end, &answer);

	if (rc)
		return rc;
	while (!rc && usage_answer_next(&answer)) {
		const struct usage_source_period period = {
			.slot = usage_answer_time(&answer, 1, USAGE_SLOT),
			.since_ms = usage_answer_number(&answer, 2, 0, USAGE_TIME_MAX_MS),
			.flags = (unsigned int)usage_answer_number(&answer, 3, 0, FLAGS_MAX),
			.gap_ms = usage_answer_number(&answer, 4, 0, USAGE_TIME_MAX_MS),
			.closed = usage_answer_number(&answer, 5, 0, 1),
		};

		if (!answer.rc)
			rc = take(data, &period);
	}
	return usage_answer_finish(&answer, rc);
}

int usage_source_each_line(struct usage_source *source, int64_t begin, int64_t end,
			   usage_source_take_row *take, void *data)
{
	struct usage_answer answer;
	int rc = usage_answer_ask_time(
		&source->record, "line", "period",
		"SELECT p.n, p.slot, l.local_site, l.remote_site, l.out_packets,"
		" l.out_bytes, l.in_packets, l.in_bytes"
		" FROM period p CROSS JOIN line l ON l.period = p.n"
		" WHERE p.slot >= ?1 AND p.slot < ?2 ORDER BY p.slot",
		begin, end, &answer);

	if (rc)
		return rc;
	while (!rc && usage_answer_next(&answer)) {
		const struct usage_source_row row = {
			.slot = usage_answer_time(&answer, 1, USAGE_SLOT),
			.local_site = (uint16_t)usage_answer_number(&answer, 2, 0, DP_ID_MAX),
			.remote_site = (uint16_t)usage_answer_number(&answer, 3, 0, DP_ID_MAX),
			.counts = usage_answer_counts(&answer, 4),
		};

		if (!answer.rc)
			rc = take(data, &row);
	}
	return usage_answer_finish(&answer, rc);
}

static bool reaches(const struct usage_counts *now, const struct usage_counts *base)
{
	return now->out_packets >= base->out_packets && now->out_bytes >= base->out_bytes &&
	       now->in_packets >= base->in_packets && now->in_bytes >= base->in_bytes;
}

/*
 * Readings of a pair's counters go on from period to period; one that goes back would bill again what
 * is billed already.
 */
static int check_order(struct usage_source *source, size_t pair, const struct counted *row,
		       const struct usage_counts *base)
{
	const struct counted *before = &source->counted[pair];

	if (!reaches(&row->until, base))
		return usage_answer_refuse(&source->record,
					   "table usage, period %" PRId64
					   ", pair %zu: it ends with lower "
					   "counts than it begins with",
					   row->period, pair);
	if (before->period && before->epoch == row->epoch && !reaches(base, &before->until))
		return usage_answer_refuse(
			&source->record,
			"table usage, period %" PRId64 ", pair %zu: it counts again "
			"what period %" PRId64 " has; that would be billed twice",
			row->period, pair, before->period);
	source->counted[pair] = *row;
	return 0;
}

/* Millions of rows: of a count that is not 0 the type is not asked for, as text would be 0. */
static uint64_t reading_of(struct usage_answer *answer, int column)
{
	const int64_t value = sqlite3_column_int64(answer->stmt, column);

	return value > 0 ? (uint64_t)value : usage_answer_count(answer, column);
}

static struct usage_counts readings_of(struct usage_answer *answer, int column)
{
	return (struct usage_counts){
		.out_packets = reading_of(answer, column),
		.out_bytes = reading_of(answer, column + 1),
		.in_packets = reading_of(answer, column + 2),
		.in_bytes = reading_of(answer, column + 3),
	};
}

/* counted: of which period; slot: that it is of. */
static int take_period_usage(struct usage_source *source, struct usage_answer *answer,
			     const struct counted *counted, int64_t slot,
			     usage_source_take_row *take, void *data)
{
	int rc = 0;

	while (!rc && usage_answer_next(answer)) {
		struct usage_source_row row = { .slot = slot, .pair = pair_of(source, answer, 1) };
		const struct usage_counts base = readings_of(answer, 2);
		struct counted now = *counted;

		now.until = readings_of(answer, 6);
		rc = answer->rc ? answer->rc : check_order(source, row.pair, &now, &base);
		if (rc)
			return rc;
		row.counts.out_packets = now.until.out_packets - base.out_packets;
		row.counts.out_bytes = now.until.out_bytes - base.out_bytes;
		row.counts.in_packets = now.until.in_packets - base.in_packets;
		row.counts.in_bytes = now.until.in_bytes - base.in_bytes;
		rc = take(data, &row);
	}
	if (!rc && sqlite3_reset(answer->stmt))
		rc = usage_answer_fail(&source->record);
	return rc;
}

/* In the order of periods: that of slots goes back where the clock did, and readings with it. */
int usage_source_each_usage(struct usage_source *source, int64_t begin, int64_t end,
			    usage_source_take_row *take, void *data)
{
	struct usage_answer periods, usage;
	int rc = usage_answer_ask_time(
		&source->record, "period", "n",
		"SELECT n, slot, epoch FROM period WHERE slot >= ?1 AND slot < ?2"
		" ORDER BY n",
		begin, end, &periods);

	if (rc)
		return rc;
	rc = usage_answer_ask(
		&source->record, "usage", "period",
		"SELECT period, pair, out_packets0, out_bytes0,"
		" in_packets0, in_bytes0, out_packets, out_bytes, in_packets, in_bytes"
		" FROM usage WHERE period = ?1",
		&usage);
	while (!rc && usage_answer_next(&periods)) {
		const struct counted counted = {
			.period = usage_answer_number(&periods, 0, 1, INT64_MAX),
			.epoch = usage_answer_number(&periods, 2, 0, INT64_MAX),
		};
		const int64_t slot = usage_answer_time(&periods, 1, USAGE_SLOT);

		sqlite3_bind_int64(usage.stmt, 1, counted.period);
		if (!periods.rc)
			rc = take_period_usage(source, &usage, &counted, slot, take, data);
	}
	rc = usage_answer_finish(&usage, rc);
	return usage_answer_finish(&periods, rc);
}

int usage_source_each_day(struct usage_source *source, int64_t begin, int64_t end,
			  usage_source_take_row *take, void *data)
{
	struct usage_answer answer;
	int rc = usage_answer_ask_time(
		&source->record, "total", "begin",
		"SELECT begin, pair, out_packets, out_bytes, in_packets, in_bytes"
		" FROM total WHERE span = 2 AND begin >= ?1 AND begin < ?2"
		" ORDER BY begin",
		begin, end, &answer);

	if (rc)
		return rc;
	while (!rc && usage_answer_next(&answer)) {
		const struct usage_source_row row = {
			.slot = usage_answer_time(&answer, 0, USAGE_DAY),
			.pair = pair_of(source, &answer, 1),
			.counts = usage_answer_counts(&answer, 2),
		};

		if (!answer.rc)
			rc = take(data, &row);
	}
	return usage_answer_finish(&answer, rc);
}

int usage_source_first_day(struct usage_source *source, int64_t *ret_day)
{
	struct usage_answer answer;
	int64_t slot = 0;
	int rc = usage_answer_ask(
		&source->record, "period", "slot",
		"SELECT slot FROM period WHERE n = (SELECT min(period) FROM usage)", &answer);

	if (rc)
		return rc;
	if (usage_answer_next(&answer))
		slot = usage_answer_time(&answer, 0, USAGE_SLOT);
	rc = usage_answer_finish(&answer, 0);
	if (!rc)
		*ret_day = usage_begin(USAGE_DAY, slot);
	return rc;
}
