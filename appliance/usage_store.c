/* SPDX-License-Identifier: GPL-2.0-only */
#include "usage_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ip.h"
#include "usage_calendar.h"

#define BUSY_MS 5000 /* readers hold nobody up in WAL mode; a checkpoint may */

struct usage_store {
	sqlite3 *db;
	sqlite3_stmt *put_usage, *put_line;
	char error[USAGE_ERROR_LEN];
};

const char usage_store_schema[] =
	"CREATE TABLE node(id INTEGER PRIMARY KEY, name TEXT NOT NULL, site INTEGER NOT NULL);"
	"CREATE TABLE site(number INTEGER PRIMARY KEY, name TEXT NOT NULL);"
	"CREATE TABLE epoch(n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, boot TEXT NOT NULL,"
	" begun_ms INTEGER NOT NULL);"
	"CREATE TABLE pair(n INTEGER PRIMARY KEY, local_site INTEGER NOT NULL,"
	" remote_site INTEGER NOT NULL, class INTEGER NOT NULL, local TEXT NOT NULL,"
	" remote TEXT NOT NULL, UNIQUE(local_site, remote_site, class, local, remote));"
	"CREATE TABLE period(n INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, slot INTEGER NOT NULL,"
	" first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, since_ms INTEGER NOT NULL,"
	" samples INTEGER NOT NULL, gap_ms INTEGER NOT NULL, generation INTEGER NOT NULL,"
	" digest TEXT NOT NULL, role INTEGER NOT NULL, flags INTEGER NOT NULL,"
	" closed INTEGER NOT NULL);"
	"CREATE INDEX period_slot ON period(slot);"
	"CREATE TABLE usage(period INTEGER NOT NULL, pair INTEGER NOT NULL,"
	" out_packets0 INTEGER NOT NULL, out_bytes0 INTEGER NOT NULL,"
	" in_packets0 INTEGER NOT NULL, in_bytes0 INTEGER NOT NULL,"
	" out_packets INTEGER NOT NULL, out_bytes INTEGER NOT NULL,"
	" in_packets INTEGER NOT NULL, in_bytes INTEGER NOT NULL,"
	" PRIMARY KEY(period, pair)) WITHOUT ROWID;"
	"CREATE TABLE line(period INTEGER NOT NULL, local_site INTEGER NOT NULL,"
	" remote_site INTEGER NOT NULL, out_packets INTEGER NOT NULL, out_bytes INTEGER NOT NULL,"
	" in_packets INTEGER NOT NULL, in_bytes INTEGER NOT NULL,"
	" PRIMARY KEY(period, local_site, remote_site)) WITHOUT ROWID;"
	"CREATE TABLE counter(epoch INTEGER NOT NULL, pair INTEGER NOT NULL,"
	" out_packets INTEGER NOT NULL, out_bytes INTEGER NOT NULL,"
	" in_packets INTEGER NOT NULL, in_bytes INTEGER NOT NULL,"
	" PRIMARY KEY(epoch, pair)) WITHOUT ROWID;"
	"CREATE TABLE total(span INTEGER NOT NULL, begin INTEGER NOT NULL, pair INTEGER NOT NULL,"
	" out_packets INTEGER NOT NULL, out_bytes INTEGER NOT NULL,"
	" in_packets INTEGER NOT NULL, in_bytes INTEGER NOT NULL,"
	" PRIMARY KEY(span, begin, pair)) WITHOUT ROWID;";

/* ---- statements ---- */

static int fail(struct usage_store *store, int code)
{
	snprintf(store->error, sizeof(store->error), "%s", sqlite3_errmsg(store->db));
	switch (code & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EBADMSG;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

/* i: int64_t, s: const char * (copied). */
static void bind(sqlite3_stmt *stmt, const char *types, va_list args)
{
	for (int i = 0; types[i]; i++) {
		if (types[i] == 'i')
			sqlite3_bind_int64(stmt, i + 1, va_arg(args, int64_t));
		else
			sqlite3_bind_text(stmt, i + 1, va_arg(args, const char *), -1,
					  SQLITE_TRANSIENT);
	}
}

static int step(struct usage_store *store, sqlite3_stmt *stmt)
{
	const int code = sqlite3_step(stmt);

	return code == SQLITE_ROW ? 1 : code == SQLITE_DONE ? 0 : fail(store, code);
}

/* One statement without rows. */
static int run(struct usage_store *store, const char *sql, const char *types, ...)
{
	sqlite3_stmt *stmt;
	va_list args;
	int rc = sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL);

	if (rc)
		return fail(store, rc);
	va_start(args, types);
	bind(stmt, types, args);
	va_end(args);
	rc = step(store, stmt);
	sqlite3_finalize(stmt);
	return rc > 0 ? 0 : rc;
}

/* The first row's first column; 0 if there is none. */
static int ask(struct usage_store *store, int64_t *ret, const char *sql, const char *types, ...)
{
	sqlite3_stmt *stmt;
	va_list args;
	int rc = sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL);

	if (rc)
		return fail(store, rc);
	va_start(args, types);
	bind(stmt, types, args);
	va_end(args);
	rc = step(store, stmt);
	*ret = rc > 0 ? sqlite3_column_int64(stmt, 0) : 0;
	sqlite3_finalize(stmt);
	return rc > 0 ? 0 : rc;
}

/* A statement that is kept. */
static int again(struct usage_store *store, sqlite3_stmt **stmt, const char *sql)
{
	int rc;

	if (*stmt) {
		sqlite3_reset(*stmt);
		return 0;
	}
	rc = sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL);
	return rc ? fail(store, rc) : 0;
}

static void bind_counts(sqlite3_stmt *stmt, int at, const struct usage_counts *counts)
{
	sqlite3_bind_int64(stmt, at, (int64_t)counts->out_packets);
	sqlite3_bind_int64(stmt, at + 1, (int64_t)counts->out_bytes);
	sqlite3_bind_int64(stmt, at + 2, (int64_t)counts->in_packets);
	sqlite3_bind_int64(stmt, at + 3, (int64_t)counts->in_bytes);
}

static struct usage_counts column_counts(sqlite3_stmt *stmt, int at)
{
	return (struct usage_counts){
		.out_packets = (uint64_t)sqlite3_column_int64(stmt, at),
		.out_bytes = (uint64_t)sqlite3_column_int64(stmt, at + 1),
		.in_packets = (uint64_t)sqlite3_column_int64(stmt, at + 2),
		.in_bytes = (uint64_t)sqlite3_column_int64(stmt, at + 3),
	};
}

/* ---- the file ---- */

static int make(struct usage_store *store)
{
	int64_t application = 0, version = 0, objects = 0;
	char sql[96];
	int rc = ask(store, &application, "PRAGMA application_id", "");

	if (!rc)
		rc = ask(store, &version, "PRAGMA user_version", "");
	if (!rc)
		rc = ask(store, &objects, "SELECT count(*) FROM sqlite_schema", "");
	if (rc)
		return rc;
	if (application == USAGE_STORE_APPLICATION && version == USAGE_STORE_VERSION)
		return 0;
	if (application || version || objects) {
		snprintf(
			store->error, sizeof(store->error),
			application == USAGE_STORE_APPLICATION
				? "it is of version %lld, this program knows %d"
				: "it is a database of another program (%lld), no usage record (%d)",
			application == USAGE_STORE_APPLICATION ? (long long)version
							       : (long long)application,
			application == USAGE_STORE_APPLICATION ? USAGE_STORE_VERSION
							       : USAGE_STORE_APPLICATION);
		return -EBADMSG;
	}
	rc = sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (!rc)
		rc = sqlite3_exec(store->db, usage_store_schema, NULL, NULL, NULL);
	snprintf(sql, sizeof(sql), "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
		 USAGE_STORE_APPLICATION, USAGE_STORE_VERSION);
	if (!rc)
		rc = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
	return rc ? fail(store, rc) : 0;
}

int usage_store_open(const char *path, struct usage_store **ret_store,
		     char error[static USAGE_ERROR_LEN])
{
	struct usage_store *store = calloc(1, sizeof(*store));
	int64_t foreign;
	int fd, rc;

	if (!store)
		return -ENOMEM;
	/* Made by us, for its mode; the files beside it take it over. */
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		rc = -errno;
		snprintf(error, USAGE_ERROR_LEN, "%s", strerror(-rc));
		free(store);
		return rc;
	}
	close(fd);
	rc = sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc) {
		rc = fail(store, rc);
		goto err;
	}
	sqlite3_extended_result_codes(store->db, 1);
	sqlite3_busy_timeout(store->db, BUSY_MS);
	rc = run(store, "PRAGMA journal_mode=WAL", "");
	if (!rc)
		rc = run(store, "PRAGMA synchronous=FULL", "");
	if (!rc)
		rc = make(store);
	/* Looks at the tables' roots; damage further in is met when it is read. */
	if (!rc)
		rc = ask(
			store, &foreign,
			"SELECT (SELECT count(*) FROM node) + (SELECT max(n) FROM epoch) +"
			" (SELECT max(n) FROM period) + (SELECT max(period) FROM usage) +"
			" (SELECT max(n) FROM pair) + (SELECT max(begin) FROM total WHERE span = 2)",
			"");
	if (rc)
		goto err;
	*ret_store = store;
	return 0;

err:
	snprintf(error, USAGE_ERROR_LEN, "%s", store->error);
	usage_store_close(store);
	return rc;
}

void usage_store_close(struct usage_store *store)
{
	if (!store)
		return;
	sqlite3_finalize(store->put_usage);
	sqlite3_finalize(store->put_line);
	sqlite3_close(store->db);
	free(store);
}

sqlite3 *usage_store_sqlite(struct usage_store *store)
{
	return store->db;
}

const char *usage_store_error(const struct usage_store *store)
{
	return store->error;
}

int usage_store_put_aside(const char *path, int64_t now_s, char ret_name[static USAGE_ERROR_LEN])
{
	static const char *const beside[] = { "-wal", "-shm" };
	char from[USAGE_ERROR_LEN + 8], to[USAGE_ERROR_LEN + 8], at[32];
	const time_t now = (time_t)now_s;
	struct stat st;
	struct tm tm;
	int n = 0;

	strftime(at, sizeof(at), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
	do {
		if (snprintf(ret_name, USAGE_ERROR_LEN, n ? "%s.damaged-%s-%d" : "%s.damaged-%s",
			     path, at, n) >= USAGE_ERROR_LEN)
			return -ENAMETOOLONG;
	} while (!lstat(ret_name, &st) && ++n < 1000);
	if (rename(path, ret_name))
		return -errno;
	/* With it goes what it has not taken over yet. */
	for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++) {
		snprintf(from, sizeof(from), "%s%s", path, beside[i]);
		snprintf(to, sizeof(to), "%s%s", ret_name, beside[i]);
		if (rename(from, to) && errno != ENOENT)
			return -errno;
	}
	return 0;
}

int usage_store_begin(struct usage_store *store)
{
	return run(store, "BEGIN IMMEDIATE", "");
}

int usage_store_commit(struct usage_store *store)
{
	return run(store, "COMMIT", "");
}

void usage_store_rollback(struct usage_store *store)
{
	char error[USAGE_ERROR_LEN];

	/* Some errors have rolled it back already. The error that led here is the one to tell. */
	memcpy(error, store->error, sizeof(error));
	if (!sqlite3_get_autocommit(store->db))
		(void)run(store, "ROLLBACK", "");
	memcpy(store->error, error, sizeof(error));
}

/* ---- names ---- */

int usage_store_set_node(struct usage_store *store, uint16_t id, const char *name, uint16_t site)
{
	int rc = run(store, "DELETE FROM node WHERE id <> ?1", "i", (int64_t)id);

	return rc ? rc
		  : run(store, "INSERT OR REPLACE INTO node VALUES(?1, ?2, ?3)", "isi", (int64_t)id,
			name, (int64_t)site);
}

int usage_store_set_site(struct usage_store *store, uint16_t number, const char *name)
{
	return run(store, "INSERT OR REPLACE INTO site VALUES(?1, ?2)", "is", (int64_t)number,
		   name);
}

static void hex(uint64_t value, char text[static 17])
{
	snprintf(text, 17, "%016llx", (unsigned long long)value);
}

int usage_store_find_epoch(struct usage_store *store, uint64_t id, int64_t *ret_n)
{
	char text[17];

	hex(id, text);
	return ask(store, ret_n, "SELECT n FROM epoch WHERE id = ?1", "s", text);
}

int usage_store_add_epoch(struct usage_store *store, uint64_t id, const char *boot, int64_t now_ms,
			  int64_t *ret_n)
{
	char text[17];
	int rc;

	hex(id, text);
	rc = run(store, "INSERT INTO epoch(id, boot, begun_ms) VALUES(?1, ?2, ?3)", "ssi", text,
		 boot, now_ms);
	if (!rc)
		*ret_n = sqlite3_last_insert_rowid(store->db);
	return rc;
}

void usage_prefix_format(const struct dp_addr *addr, uint8_t len,
			 char text[static IP_PREFIX_STRLEN])
{
	struct ip_prefix prefix = { 0 };

	if (!len) {
		strcpy(text, "other");
		return;
	}
	prefix.addr.family = IP_V6;
	prefix.len = len;
	memcpy(prefix.addr.bytes, addr, 16);
	if (len >= 96 && !addr->word[0] && !addr->word[1] &&
	    !memcmp((const uint8_t *)addr + 8, "\0\0\xff\xff", 4)) {
		prefix = (struct ip_prefix){ .addr.family = IP_V4, .len = (uint8_t)(len - 96) };
		memcpy(prefix.addr.bytes, &addr->word[3], 4);
	}
	ip_prefix_format(&prefix, text);
}

static void parse_prefix(const char *text, struct dp_addr *ret_addr, uint8_t *ret_len)
{
	struct ip_prefix prefix;

	memset(ret_addr, 0, sizeof(*ret_addr));
	*ret_len = 0;
	if (ip_prefix_parse(text, &prefix))
		return; /* "other" */
	if (prefix.addr.family == IP_V6) {
		memcpy(ret_addr, prefix.addr.bytes, 16);
		*ret_len = prefix.len;
		return;
	}
	memset((uint8_t *)ret_addr + 10, 0xff, 2);
	memcpy(&ret_addr->word[3], prefix.addr.bytes, 4);
	*ret_len = (uint8_t)(prefix.len + 96);
}

int usage_store_pair(struct usage_store *store, const struct usage_key *key, int64_t *ret_n)
{
	char local[IP_PREFIX_STRLEN], remote[IP_PREFIX_STRLEN];
	int64_t n;
	int rc;

	usage_prefix_format(&key->local, key->local_len, local);
	usage_prefix_format(&key->remote, key->remote_len, remote);
	rc = ask(store, &n,
		 "SELECT n FROM pair WHERE local_site = ?1 AND remote_site = ?2 AND class = ?3"
		 " AND local = ?4 AND remote = ?5",
		 "iiiss", (int64_t)key->local_site, (int64_t)key->remote_site, (int64_t)key->class,
		 local, remote);
	if (rc)
		return rc;
	if (!n) {
		rc = run(store,
			 "INSERT INTO pair(local_site, remote_site, class, local, remote)"
			 " VALUES(?1, ?2, ?3, ?4, ?5)",
			 "iiiss", (int64_t)key->local_site, (int64_t)key->remote_site,
			 (int64_t)key->class, local, remote);
		n = sqlite3_last_insert_rowid(store->db);
	}
	if (!rc)
		*ret_n = n;
	return rc;
}

/* ---- periods ---- */

static int read_period(struct usage_store *store, int64_t epoch, const char *sql,
		       struct usage_period *ret_period)
{
	sqlite3_stmt *stmt;
	int rc = sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL);

	if (rc)
		return fail(store, rc);
	sqlite3_bind_int64(stmt, 1, epoch);
	rc = step(store, stmt);
	*ret_period = (struct usage_period){ 0 };
	if (rc > 0)
		*ret_period = (struct usage_period){
			.n = sqlite3_column_int64(stmt, 0),
			.epoch = sqlite3_column_int64(stmt, 1),
			.slot = sqlite3_column_int64(stmt, 2),
			.first_ms = sqlite3_column_int64(stmt, 3),
			.last_ms = sqlite3_column_int64(stmt, 4),
			.since_ms = sqlite3_column_int64(stmt, 5),
			.samples = sqlite3_column_int64(stmt, 6),
			.gap_ms = sqlite3_column_int64(stmt, 7),
			.generation = (uint64_t)sqlite3_column_int64(stmt, 8),
			.digest = strtoull((const char *)sqlite3_column_text(stmt, 9), NULL, 16),
			.role = (uint8_t)sqlite3_column_int64(stmt, 10),
			.flags = (unsigned int)sqlite3_column_int64(stmt, 11),
			.closed = sqlite3_column_int64(stmt, 12),
		};
	sqlite3_finalize(stmt);
	return rc > 0 ? 0 : rc;
}

int usage_store_last_period(struct usage_store *store, int64_t epoch,
			    struct usage_period *ret_period)
{
	return read_period(store, epoch,
			   "SELECT * FROM period WHERE ?1 IN (-1, epoch) ORDER BY n DESC LIMIT 1",
			   ret_period);
}

int usage_store_last_slot(struct usage_store *store, int64_t *ret_slot)
{
	return ask(store, ret_slot, "SELECT max(slot) FROM period", "");
}

int usage_store_put_period(struct usage_store *store, struct usage_period *period)
{
	char digest[17];
	int rc;

	hex(period->digest, digest);
	if (!period->n) {
		rc = ask(store, &period->n, "SELECT max(n) FROM period", "");
		if (rc)
			return rc;
		period->n++;
	}
	return run(store,
		   "INSERT OR REPLACE INTO period"
		   " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
		   "iiiiiiiiisiii", period->n, period->epoch, period->slot, period->first_ms,
		   period->last_ms, period->since_ms, period->samples, period->gap_ms,
		   (int64_t)period->generation, digest, (int64_t)period->role,
		   (int64_t)period->flags, (int64_t)period->closed);
}

int usage_store_put_usage(struct usage_store *store, int64_t period, int64_t pair,
			  const struct usage_counts *base, const struct usage_counts *now)
{
	int rc = again(store, &store->put_usage,
		       "INSERT OR REPLACE INTO usage"
		       " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)");

	if (rc)
		return rc;
	sqlite3_bind_int64(store->put_usage, 1, period);
	sqlite3_bind_int64(store->put_usage, 2, pair);
	bind_counts(store->put_usage, 3, base);
	bind_counts(store->put_usage, 7, now);
	rc = step(store, store->put_usage);
	sqlite3_reset(store->put_usage);
	return rc;
}

int usage_store_put_line(struct usage_store *store, int64_t period, uint16_t local_site,
			 uint16_t remote_site, const struct usage_counts *sum)
{
	int rc = again(store, &store->put_line,
		       "INSERT OR REPLACE INTO line VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)");

	if (rc)
		return rc;
	sqlite3_bind_int64(store->put_line, 1, period);
	sqlite3_bind_int64(store->put_line, 2, local_site);
	sqlite3_bind_int64(store->put_line, 3, remote_site);
	bind_counts(store->put_line, 4, sum);
	rc = step(store, store->put_line);
	sqlite3_reset(store->put_line);
	return rc;
}

int usage_store_each(struct usage_store *store, int64_t epoch, int64_t period,
		     int (*take)(const struct usage_stored *stored, void *data), void *data)
{
	sqlite3_stmt *stmt;
	int rc = sqlite3_prepare_v2(
		store->db,
		"SELECT pair.n, local_site, remote_site, class, local, remote,"
		" coalesce(u.out_packets0, c.out_packets), coalesce(u.out_bytes0, c.out_bytes),"
		" coalesce(u.in_packets0, c.in_packets), coalesce(u.in_bytes0, c.in_bytes),"
		" coalesce(u.out_packets, c.out_packets), coalesce(u.out_bytes, c.out_bytes),"
		" coalesce(u.in_packets, c.in_packets), coalesce(u.in_bytes, c.in_bytes),"
		" u.pair IS NOT NULL"
		" FROM pair LEFT JOIN usage u ON u.period = ?2 AND u.pair = pair.n"
		" LEFT JOIN counter c ON c.epoch = ?1 AND c.pair = pair.n"
		" WHERE u.pair IS NOT NULL OR c.pair IS NOT NULL",
		-1, &stmt, NULL);

	if (rc)
		return fail(store, rc);
	sqlite3_bind_int64(stmt, 1, epoch);
	sqlite3_bind_int64(stmt, 2, period);
	while ((rc = step(store, stmt)) > 0) {
		struct usage_stored stored = {
			.pair = sqlite3_column_int64(stmt, 0),
			.key = { .local_site = (uint16_t)sqlite3_column_int64(stmt, 1),
				 .remote_site = (uint16_t)sqlite3_column_int64(stmt, 2),
				 .class = (uint8_t)sqlite3_column_int64(stmt, 3) },
			.base = column_counts(stmt, 6),
			.now = column_counts(stmt, 10),
			.in_period = sqlite3_column_int64(stmt, 14),
		};

		parse_prefix((const char *)sqlite3_column_text(stmt, 4), &stored.key.local,
			     &stored.key.local_len);
		parse_prefix((const char *)sqlite3_column_text(stmt, 5), &stored.key.remote,
			     &stored.key.remote_len);
		rc = take(&stored, data);
		if (rc)
			break;
	}
	sqlite3_finalize(stmt);
	return rc;
}

int usage_store_close_period(struct usage_store *store, const struct usage_period *period)
{
	const int64_t hour = usage_begin(USAGE_HOUR, period->slot);
	const int64_t day = usage_begin(USAGE_DAY, period->slot);
	int rc = run(store,
		     "INSERT OR REPLACE INTO counter SELECT ?1, pair, out_packets, out_bytes,"
		     " in_packets, in_bytes FROM usage WHERE period = ?2",
		     "ii", period->epoch, period->n);

	if (!rc)
		rc = run(store, "UPDATE period SET closed = 1, flags = ?2 WHERE n = ?1", "ii",
			 period->n, (int64_t)period->flags);
	if (!rc)
		rc = run(store,
			 "INSERT OR REPLACE INTO total SELECT ?1, ?2, u.pair,"
			 " sum(u.out_packets - u.out_packets0), sum(u.out_bytes - u.out_bytes0),"
			 " sum(u.in_packets - u.in_packets0), sum(u.in_bytes - u.in_bytes0)"
			 " FROM period p JOIN usage u ON u.period = p.n"
			 " WHERE p.slot >= ?2 AND p.slot < ?3 GROUP BY u.pair",
			 "iii", (int64_t)USAGE_HOUR, hour, hour + 3600);
	if (!rc)
		rc = run(store,
			 "INSERT OR REPLACE INTO total SELECT ?1, ?2, pair, sum(out_packets),"
			 " sum(out_bytes), sum(in_packets), sum(in_bytes) FROM total"
			 " WHERE span = ?4 AND begin >= ?2 AND begin < ?3 GROUP BY pair",
			 "iiii", (int64_t)USAGE_DAY, day, day + 86400, (int64_t)USAGE_HOUR);
	return rc;
}

static int prune_usage(struct usage_store *store, int64_t before)
{
	int rc = run(store,
		     "DELETE FROM usage WHERE period IN"
		     " (SELECT n FROM period WHERE slot < ?1 AND closed)",
		     "i", before);

	return rc ? rc
		  : run(store, "DELETE FROM total WHERE span = ?1 AND begin < ?2", "ii",
			(int64_t)USAGE_HOUR, before);
}

int usage_store_prune(struct usage_store *store, int64_t now_s, int64_t size_max)
{
	const int64_t day = usage_begin(USAGE_DAY, now_s);
	int64_t pages = 0, unused = 0, page_size = 0, oldest = 0;
	int rc = prune_usage(store, day - USAGE_RAW_DAYS * 86400);

	/* The counters of past epochs are compared with nothing any more. */
	if (!rc)
		rc = run(store, "DELETE FROM counter WHERE epoch < (SELECT max(n) FROM epoch)", "");
	if (!rc)
		rc = run(store,
			 "DELETE FROM line WHERE period IN (SELECT n FROM period WHERE slot < ?1)",
			 "i", day - USAGE_LINE_DAYS * 86400);
	if (!rc)
		rc = run(store, "DELETE FROM period WHERE slot < ?1", "i",
			 day - USAGE_LINE_DAYS * 86400);
	if (!rc)
		rc = run(store, "DELETE FROM total WHERE begin < ?1", "i",
			 day - USAGE_LINE_DAYS * 86400);
	if (!rc)
		rc = ask(store, &pages, "PRAGMA page_count", "");
	if (!rc)
		rc = ask(store, &unused, "PRAGMA freelist_count", "");
	if (!rc)
		rc = ask(store, &page_size, "PRAGMA page_size", "");
	if (rc || (pages - unused) * page_size <= size_max)
		return rc;
	rc = ask(store, &oldest,
		 "SELECT slot FROM period WHERE n = (SELECT min(period) FROM usage)", "");
	if (!rc && oldest && usage_begin(USAGE_DAY, oldest) < day)
		rc = prune_usage(store, usage_begin(USAGE_DAY, oldest) + 86400);
	return rc;
}
