/* SPDX-License-Identifier: GPL-2.0-only */
#include "usage_view.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "config.h"
#include "file.h"
#include "usage_calendar.h"
#include "usage_rate.h"
#include "usage_recorder.h"
#include "usage_report.h"

#define WRITE_MS 2000
#define REPORT_MS 15000 /* between reports within a slot */
#define SHARE 100	/* of the time, at most one part in so many is for reports */
#define NAMES_MAX (DP_ID_MAX + 1)

struct usage_view {
	const char *record_path, *view_path;
	int64_t written_ms, report_due_ms, report_slot; /* UNIX times */
	json_t *month, *sites, *all, *day;		/* of the last report; NULL: none yet */
	char (*site_names)[32];
};

int usage_view_new(const char *record_path, const char *view_path, struct usage_view **ret_view)
{
	struct usage_view *view = calloc(1, sizeof(*view));

	if (!view)
		return -ENOMEM;
	view->record_path = record_path;
	view->view_path = view_path;
	view->report_slot = -1;
	view->site_names = calloc(NAMES_MAX, sizeof(*view->site_names));
	if (!view->site_names) {
		free(view);
		return -ENOMEM;
	}
	*ret_view = view;
	return 0;
}

static void forget_report(struct usage_view *view)
{
	json_decref(view->month);
	json_decref(view->sites);
	json_decref(view->all);
	json_decref(view->day);
	view->month = view->sites = view->all = view->day = NULL;
}

void usage_view_free(struct usage_view *view)
{
	if (!view)
		return;
	forget_report(view);
	free(view->site_names);
	free(view);
}

/* ---- of the record ---- */

static json_t *make_number(uint64_t number)
{
	return json_integer((json_int_t)number);
}

static json_t *make_site(const struct usage_row *row, const char *name)
{
	json_t *json = json_object();
	const struct {
		const char *name;
		uint64_t value;
		bool rate;
	} members[] = {
		{ "samples", row->samples, false },
		{ "missing", row->missing, false },
		{ "out_bytes", row->sum.out_bytes, false },
		{ "in_bytes", row->sum.in_bytes, false },
		{ "out_packets", row->sum.out_packets, false },
		{ "in_packets", row->sum.in_packets, false },
		{ "p95_bps", row->p95_bps, true },
		{ "p95_out_bps", row->p95_out_bps, true },
		{ "p95_in_bps", row->p95_in_bps, true },
		{ "mean_out_bps", row->mean_out_bps, true },
		{ "mean_in_bps", row->mean_in_bps, true },
		{ "peak_out_bps", row->peak_out_bps, true },
		{ "peak_in_bps", row->peak_in_bps, true },
	};

	json_object_set_new(json, "site", json_string(name));
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		json_object_set_new(json, members[i].name,
				    members[i].rate && !row->samples
					    ? json_null()
					    : make_number(members[i].value));
	return json;
}

static const char *site_name(const struct usage_view *view, uint16_t number, char buf[static 32])
{
	if (!number)
		return "other";
	if (number < NAMES_MAX && *view->site_names[number])
		return view->site_names[number];
	snprintf(buf, 32, "site %u", number);
	return buf;
}

/* All sites together have a percentile of their own. */
static json_t *make_all(const struct usage_view *view, const struct usage_query *by_site)
{
	struct usage_query query = *by_site;
	char error[USAGE_ERROR_LEN];
	struct usage_report *report;
	json_t *all;

	query.by = USAGE_BY_MONTH;
	if (usage_report_make((const char *const *)&view->record_path, 1, &query, &report, error))
		return NULL;
	all = report->n_rows ? make_site(&report->rows[0], "all") : NULL;
	usage_report_free(report);
	return all;
}

static void make_month(struct usage_view *view, int64_t now_s)
{
	const struct usage_query query = {
		.begin = usage_begin(USAGE_MONTH, now_s),
		.end = usage_next(USAGE_MONTH, now_s),
		.by = USAGE_BY_SITE,
	};
	char error[USAGE_ERROR_LEN], text[USAGE_TIME_LEN], name[32];
	struct usage_report *report;

	if (usage_report_make((const char *const *)&view->record_path, 1, &query, &report, error))
		return;
	memcpy(view->site_names, report->site_names, NAMES_MAX * sizeof(*view->site_names));
	view->month = json_string(usage_time_format(USAGE_MONTH, query.begin, text));
	view->sites = json_array();
	for (size_t i = 0; i < report->n_rows; i++)
		json_array_append_new(
			view->sites, make_site(&report->rows[i],
					       site_name(view, report->rows[i].remote_site, name)));
	if (report->n_rows > 1)
		view->all = make_all(view, &query);
	else if (report->n_rows)
		view->all = json_incref(json_array_get(view->sites, 0));
	usage_report_free(report);
}

/* The slots that are over; null: nobody has watched all of it. */
static void make_day(struct usage_view *view, int64_t now_s)
{
	static const char sql[] =
		"SELECT p.slot, sum(l.out_bytes), sum(l.in_bytes), max(p.flags & ?3), min(p.closed)"
		" FROM period p LEFT JOIN line l ON l.period = p.n"
		" WHERE p.slot >= ?1 AND p.slot < ?2 GROUP BY p.slot ORDER BY p.slot";
	const int64_t end = usage_begin(USAGE_SLOT, now_s);
	const int64_t begin = end - USAGE_VIEW_DAY_SLOTS * USAGE_SLOT_S;
	json_t *out = json_array(), *in = json_array();
	sqlite3_stmt *stmt = NULL;
	sqlite3 *db = NULL;

	for (size_t i = 0; i < USAGE_VIEW_DAY_SLOTS; i++) {
		json_array_append_new(out, json_null());
		json_array_append_new(in, json_null());
	}
	if (!sqlite3_open_v2(view->record_path, &db, SQLITE_OPEN_READONLY, NULL) &&
	    !sqlite3_prepare_v2(db, sql, -1, &stmt, NULL)) {
		sqlite3_bind_int64(stmt, 1, begin);
		sqlite3_bind_int64(stmt, 2, end);
		sqlite3_bind_int64(stmt, 3, USAGE_NO_SAMPLE);
		while (sqlite3_step(stmt) == SQLITE_ROW) {
			const size_t i =
				(size_t)((sqlite3_column_int64(stmt, 0) - begin) / USAGE_SLOT_S);
			const uint64_t sums[] = { (uint64_t)sqlite3_column_int64(stmt, 1),
						  (uint64_t)sqlite3_column_int64(stmt, 2) };

			if (sqlite3_column_int64(stmt, 3) || !sqlite3_column_int64(stmt, 4))
				continue;
			json_array_set_new(out, i, make_number(usage_bps(sums[0], USAGE_SLOT_S)));
			json_array_set_new(in, i, make_number(usage_bps(sums[1], USAGE_SLOT_S)));
		}
	}
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	view->day = json_pack("{s:I, s:i, s:o, s:o}", "begin", (json_int_t)begin, "slot_s",
			      USAGE_SLOT_S, "out", out, "in", in);
}

static void make_report(struct usage_view *view, int64_t now_ms)
{
	const int64_t began_ms = clock_now_ms(), slot = usage_begin(USAGE_SLOT, now_ms / 1000);
	int64_t wait_ms;

	if (now_ms < view->report_due_ms && slot == view->report_slot)
		return;
	forget_report(view);
	make_month(view, now_ms / 1000);
	make_day(view, now_ms / 1000);
	wait_ms = (clock_now_ms() - began_ms) * SHARE;
	view->report_due_ms = now_ms + (wait_ms > REPORT_MS ? wait_ms : REPORT_MS);
	view->report_slot = slot;
}

/* ---- of the counters ---- */

/* remote_site and class are of all keys that are one entry; prefixes are of those that are apart. */
static json_t *make_pair(const struct usage_view *view, const struct usage_key *key,
			 const struct usage_counts *counts, bool apart)
{
	char local[IP_PREFIX_STRLEN] = "other", remote[IP_PREFIX_STRLEN] = "other", name[32];

	if (apart) {
		usage_prefix_format(&key->local, key->local_len, local);
		usage_prefix_format(&key->remote, key->remote_len, remote);
	}
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I}", "site",
			 site_name(view, key->remote_site, name), "local", local, "remote", remote,
			 "class",
			 key->class < CONFIG_CLASS_MAX ? config_class_names[key->class] : "?",
			 "out_packets", (json_int_t)counts->out_packets, "out_bytes",
			 (json_int_t)counts->out_bytes, "in_packets",
			 (json_int_t)counts->in_packets, "in_bytes", (json_int_t)counts->in_bytes);
}

static int by_site(const void *a, const void *b)
{
	const struct usage_stored *x = a, *y = b;

	if (x->key.remote_site != y->key.remote_site)
		return x->key.remote_site < y->key.remote_site ? -1 : 1;
	return (int)x->key.class - (int)y->key.class;
}

static void add_others(const struct usage_view *view, json_t *pairs, struct usage_stored *v,
		       size_t n)
{
	if (n)
		qsort(v, n, sizeof(*v), by_site);
	for (size_t i = 0, same; i < n; i += same) {
		struct usage_counts sum = v[i].now;

		for (same = 1; i + same < n && !by_site(&v[i], &v[i + same]); same++) {
			sum.out_packets += v[i + same].now.out_packets;
			sum.out_bytes += v[i + same].now.out_bytes;
			sum.in_packets += v[i + same].now.in_packets;
			sum.in_bytes += v[i + same].now.in_bytes;
		}
		json_array_append_new(pairs, make_pair(view, &v[i].key, &sum, false));
	}
}

static json_t *make_pairs(const struct usage_view *view, const struct usage_recorder *recorder,
			  size_t *ret_apart)
{
	struct usage_stored *v;
	json_t *pairs;
	size_t n, apart = 0, others = 0;

	if (usage_recorder_list(recorder, &v, &n))
		return NULL;
	pairs = json_array();
	for (size_t i = 0; i < n; i++) {
		/* Those that the data plane has not counted apart are not apart here either. */
		if (!v[i].key.local_len || apart == USAGE_VIEW_PAIRS) {
			v[others++] = v[i];
			continue;
		}
		json_array_append_new(pairs, make_pair(view, &v[i].key, &v[i].now, true));
		apart++;
	}
	add_others(view, pairs, v, others);
	free(v);
	*ret_apart = apart;
	return pairs;
}

/* ---- the file ---- */

static void set_if(json_t *json, const char *key, json_t *value)
{
	if (value)
		json_object_set(json, key, value);
}

void usage_view_update(struct usage_view *view, const struct usage_recorder *recorder,
		       int64_t now_ms)
{
	json_t *json, *pairs;
	size_t apart = 0;
	char *text;

	if (now_ms >= view->written_ms && now_ms - view->written_ms < WRITE_MS)
		return;
	view->written_ms = now_ms;
	make_report(view, now_ms);
	json = json_object();
	set_if(json, "month", view->month);
	set_if(json, "sites", view->sites);
	set_if(json, "all", view->all);
	set_if(json, "day", view->day);
	pairs = recorder ? make_pairs(view, recorder, &apart) : NULL;
	if (pairs) {
		json_object_set_new(json, "pairs", pairs);
		json_object_set_new(json, "pairs_apart", make_number(apart));
	}
	text = json_dumps(json, JSON_COMPACT);
	if (text)
		(void)file_replace(view->view_path, text, strlen(text), 0600);
	free(text);
	json_decref(json);
}
