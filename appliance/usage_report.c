/* SPDX-License-Identifier: GPL-2.0-only */
#include "usage_report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "usage_answer.h"
#include "usage_rate.h"
#include "usage_source.h"

#define SLOTS_MAX (20 * 366 * 288) /* twenty years */

/* What went in a slot. Slots in which nothing went have none. */
struct sample {
	uint32_t slot; /* from the begin of the query */
	uint64_t out, in;
};

struct samples {
	struct sample *v;
	size_t n, capacity;
};

/* What rows are made of; by the hash of the first four fields. */
struct group {
	int64_t begin;
	uint16_t local_site, remote_site;
	int class;
	const char *local, *remote; /* interned: equal pointers are equal text */
	struct usage_counts sum, far;
	bool has_far, no_rates;
	struct samples samples;
};

struct pair {
	uint16_t local_site, remote_site;
	int class;
	const char *local, *remote;
};

struct text {
	struct text *next;
	char text[];
};

enum slot_bits {
	SLOT_SEEN = 1,
	SLOT_SPOILT = 2,
	SLOT_OVER = 4, /* cannot get more */
};

/* The name of counters, and whose they are. */
struct epoch {
	uint64_t id;
	const char *file;
};

struct making {
	struct usage_report *report;
	const char *file; /* that is being read */
	bool far;
	uint8_t *slots; /* enum slot_bits */
	size_t n_slots;
	struct group *groups; /* open addressing on table */
	size_t n_groups, groups_capacity;
	uint32_t *table; /* index + 1 */
	size_t table_size;
	struct pair *pairs; /* by number */
	size_t n_pairs;
	struct text *texts[1024];
	struct epoch *epochs;
	size_t n_epochs, epochs_capacity;
	char *error;
};

/* ---- small things ---- */

static const char none[] = "";

static const char *intern(struct making *m, const char *text)
{
	uint32_t hash = 2166136261u;
	struct text *t;

	for (const char *c = text; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 16777619u;
	for (t = m->texts[hash % 1024]; t; t = t->next)
		if (!strcmp(t->text, text))
			return t->text;
	t = malloc(sizeof(*t) + strlen(text) + 1);
	if (!t)
		return NULL;
	strcpy(t->text, text);
	t->next = m->texts[hash % 1024];
	m->texts[hash % 1024] = t;
	return t->text;
}

static bool same_group(const struct group *a, const struct group *b)
{
	return a->begin == b->begin && a->local_site == b->local_site &&
	       a->remote_site == b->remote_site && a->class == b->class && a->local == b->local &&
	       a->remote == b->remote;
}

static size_t hash_group(const struct group *g)
{
	uint64_t x = (uint64_t)g->begin * 0x9e3779b97f4a7c15;

	x = (x ^ (uintptr_t)g->local) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 29 ^ (uintptr_t)g->remote) * 0x94d049bb133111eb;
	x ^= ((uint64_t)g->local_site << 32 | (uint64_t)g->remote_site << 8 | (uint8_t)g->class) *
	     0x9e3779b97f4a7c15;
	return (size_t)(x ^ x >> 31);
}

static int table_grow(struct making *m)
{
	const size_t size = m->table_size ? m->table_size * 2 : 1024;
	uint32_t *table = calloc(size, sizeof(*table));

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < m->n_groups; i++) {
		size_t at = hash_group(&m->groups[i]) & (size - 1);

		while (table[at])
			at = (at + 1) & (size - 1);
		table[at] = (uint32_t)i + 1;
	}
	free(m->table);
	m->table = table;
	m->table_size = size;
	return 0;
}

/* NULL: no memory. Valid until the next call. */
static struct group *group_get(struct making *m, const struct group *like)
{
	size_t at;

	if (m->n_groups * 2 >= m->table_size && table_grow(m))
		return NULL;
	at = hash_group(like) & (m->table_size - 1);
	for (; m->table[at]; at = (at + 1) & (m->table_size - 1))
		if (same_group(&m->groups[m->table[at] - 1], like))
			return &m->groups[m->table[at] - 1];
	if (m->n_groups == m->groups_capacity) {
		const size_t capacity = m->groups_capacity ? m->groups_capacity * 2 : 256;
		struct group *groups = reallocarray(m->groups, capacity, sizeof(*groups));

		if (!groups)
			return NULL;
		m->groups = groups;
		m->groups_capacity = capacity;
	}
	m->groups[m->n_groups] = *like;
	m->table[at] = (uint32_t)++m->n_groups;
	return &m->groups[m->n_groups - 1];
}

static int sample_add(struct samples *samples, uint32_t slot, uint64_t out, uint64_t in)
{
	struct sample *last = samples->n ? &samples->v[samples->n - 1] : NULL;

	if (last && last->slot == slot) {
		last->out += out;
		last->in += in;
		return 0;
	}
	if (samples->n == samples->capacity) {
		const size_t capacity = samples->capacity ? samples->capacity * 2 : 64;
		struct sample *v = reallocarray(samples->v, capacity, sizeof(*v));

		if (!v)
			return -ENOMEM;
		samples->v = v;
		samples->capacity = capacity;
	}
	samples->v[samples->n++] = (struct sample){ slot, out, in };
	return 0;
}

static bool count_add(uint64_t *to, uint64_t count)
{
	return !__builtin_add_overflow(*to, count, to) && *to <= USAGE_COUNT_MAX;
}

/* false: that is more than can be told. */
static bool counts_add(struct usage_counts *to, const struct usage_counts *from, bool turned)
{
	return count_add(&to->out_packets, turned ? from->in_packets : from->out_packets) &&
	       count_add(&to->out_bytes, turned ? from->in_bytes : from->out_bytes) &&
	       count_add(&to->in_packets, turned ? from->out_packets : from->in_packets) &&
	       count_add(&to->in_bytes, turned ? from->out_bytes : from->in_bytes);
}

/* ---- from a record ---- */

static int64_t span_begin(const struct usage_query *query, int64_t t)
{
	const int64_t begin = query->by & USAGE_BY_HOUR	   ? usage_begin(USAGE_HOUR, t)
			      : query->by & USAGE_BY_DAY   ? usage_begin(USAGE_DAY, t)
			      : query->by & USAGE_BY_MONTH ? usage_begin(USAGE_MONTH, t)
							   : query->begin;

	return begin < query->begin ? query->begin : begin;
}

/* The row's group; of a far end's with the ends exchanged. */
static struct group *group_of(struct making *m, const struct pair *pair, int64_t t)
{
	const unsigned int by = m->report->query.by;
	const bool sites = by & (USAGE_BY_SITE | USAGE_BY_SUBNET), subnets = by & USAGE_BY_SUBNET;
	const struct group like = {
		.begin = span_begin(&m->report->query, t),
		.local_site = !sites   ? 0
			      : m->far ? pair->remote_site
				       : pair->local_site,
		.remote_site = !sites	? 0
			       : m->far ? pair->local_site
					: pair->remote_site,
		.class = by & USAGE_BY_CLASS ? pair->class : -1,
		.local = !subnets ? none
			 : m->far ? pair->remote
				  : pair->local,
		.remote = !subnets ? none
			  : m->far ? pair->local
				   : pair->remote,
	};

	return group_get(m, &like);
}

static int too_much(struct making *m)
{
	snprintf(m->error, USAGE_ERROR_LEN,
		 "%.150s: counts that together are more than %" PRId64 " are no usage", m->file,
		 USAGE_COUNT_MAX);
	return -EINVAL;
}

static int take_counts(struct making *m, const struct pair *pair, int64_t slot,
		       const struct usage_counts *counts, bool rates)
{
	const uint16_t near = m->report->nodes[0].site;
	struct group *group;

	/* Of a far end only what it has to do with the near side. */
	if (m->far && pair->remote_site != near)
		return 0;
	group = group_of(m, pair, slot);
	if (!group)
		return -ENOMEM;
	if (!counts_add(m->far ? &group->far : &group->sum, counts, m->far))
		return too_much(m);
	group->has_far = group->has_far || m->far;
	if (m->far)
		return 0;
	group->no_rates = group->no_rates || !rates;
	return rates ? sample_add(&group->samples,
				  (uint32_t)((slot - m->report->query.begin) / USAGE_SLOT_S),
				  counts->out_bytes, counts->in_bytes)
		     : 0;
}

static int take_line(void *data, const struct usage_source_row *row)
{
	const struct pair pair = { .local_site = row->local_site, .remote_site = row->remote_site };

	return take_counts(data, &pair, row->slot, &row->counts, true);
}

static int take_usage(void *data, const struct usage_source_row *row)
{
	struct making *m = data;

	return take_counts(m, &m->pairs[row->pair], row->slot, &row->counts, true);
}

static int take_day(void *data, const struct usage_source_row *row)
{
	struct making *m = data;

	return take_counts(m, &m->pairs[row->pair], row->slot, &row->counts, false);
}

static int take_site(void *data, uint16_t number, const char *name)
{
	struct making *m = data;

	if (!m->far || !*m->report->site_names[number])
		snprintf(m->report->site_names[number], sizeof(m->report->site_names[number]), "%s",
			 name);
	return 0;
}

static int take_epoch(void *data, uint64_t id)
{
	struct making *m = data;

	if (m->n_epochs == m->epochs_capacity) {
		const size_t capacity = m->epochs_capacity ? m->epochs_capacity * 2 : 64;
		struct epoch *epochs = reallocarray(m->epochs, capacity, sizeof(*epochs));

		if (!epochs)
			return -ENOMEM;
		m->epochs = epochs;
		m->epochs_capacity = capacity;
	}
	m->epochs[m->n_epochs++] = (struct epoch){ id, m->file };
	return 0;
}

static int by_epoch(const void *a, const void *b)
{
	const struct epoch *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* No counters are two gateways': a disk was copied, with the record on it. */
static int check_epochs(struct making *m)
{
	if (m->n_epochs)
		qsort(m->epochs, m->n_epochs, sizeof(*m->epochs), by_epoch);
	for (size_t i = 1; i < m->n_epochs; i++) {
		const struct epoch *one = &m->epochs[i - 1], *other = &m->epochs[i];

		if (one->id != other->id)
			continue;
		snprintf(m->error, USAGE_ERROR_LEN,
			 "%.110s and %.110s: one is a copy of the other, with the same counters; "
			 "they would be billed twice",
			 one->file, other->file);
		return -EINVAL;
	}
	return 0;
}

static int take_node(struct making *m, const struct usage_source_node *from)
{
	struct usage_report *report = m->report;
	struct usage_node *node = &report->nodes[report->n_nodes];

	for (size_t i = 0; i < report->n_nodes; i++)
		if (report->nodes[i].id == from->id) {
			snprintf(
				m->error, USAGE_ERROR_LEN,
				"%.150s: a record of %s is there already; each gateway counts once",
				m->file, from->name);
			return -EINVAL;
		}
	node->id = from->id;
	node->site = from->site;
	node->last_ms = from->last_ms;
	snprintf(node->name, sizeof(node->name), "%s", from->name);
	node->far = report->n_nodes && node->site != report->nodes[0].site;
	m->far = node->far;
	report->n_nodes++;
	return 0;
}

static int read_pairs(struct making *m, struct usage_source *source)
{
	const struct usage_source_pair *pairs;
	int rc = usage_source_pairs(source, &pairs, &m->n_pairs);

	if (rc)
		return rc;
	free(m->pairs);
	m->pairs = calloc(m->n_pairs, sizeof(*m->pairs));
	for (size_t i = 0; i < m->n_pairs; i++) {
		struct pair *pair = m->pairs ? &m->pairs[i] : NULL;

		if (!pair)
			return -ENOMEM;
		pair->local_site = pairs[i].local_site;
		pair->remote_site = pairs[i].remote_site;
		pair->class = pairs[i].class;
		pair->local = intern(m, pairs[i].local);
		pair->remote = intern(m, pairs[i].remote);
		if (!pair->local || !pair->remote)
			return -ENOMEM;
	}
	return 0;
}

static void mark(struct making *m, int64_t slot, unsigned int bits)
{
	const struct usage_query *query = &m->report->query;

	if (slot >= query->begin && slot < query->end)
		m->slots[(slot - query->begin) / USAGE_SLOT_S] |= (uint8_t)bits;
}

static int take_period(void *data, const struct usage_source_period *period)
{
	struct making *m = data;
	struct usage_report *report = m->report;
	const int64_t begin = report->query.begin, slot = period->slot;
	const int64_t end = slot < report->query.end ? slot : report->query.end;
	const int64_t since = period->since_ms / 1000;
	const unsigned int flags = period->flags;

	report->n_cut += !!(flags & USAGE_FLAG_CUT);
	report->n_carried += !!(flags & USAGE_FLAG_CARRIED);
	report->n_clock += !!(flags & USAGE_FLAG_CLOCK);
	report->n_unmetered += !!(flags & USAGE_FLAG_UNMETERED);
	report->n_new_record += !!(flags & USAGE_FLAG_NEW_RECORD);
	if (period->gap_ms > report->pause_ms)
		report->pause_ms = period->gap_ms;
	mark(m, slot,
	     SLOT_SEEN | (period->closed ? SLOT_OVER : 0) |
		     (flags & USAGE_NO_SAMPLE ? SLOT_SPOILT : 0));
	if (flags & (USAGE_FLAG_CARRIED | USAGE_FLAG_IDLE) && since < slot)
		for (int64_t s = since < begin ? begin : usage_begin(USAGE_SLOT, since); s < end;
		     s += USAGE_SLOT_S)
			mark(m, s,
			     flags & USAGE_FLAG_IDLE ? SLOT_SEEN | SLOT_OVER
						     : SLOT_SPOILT | SLOT_OVER);
	return 0;
}

static int read_counts(struct making *m, struct usage_source *source)
{
	const int64_t end = m->report->query.end;
	int64_t begin = m->report->query.begin, first = 0;
	int rc;

	if (!(m->report->query.by & (USAGE_BY_SUBNET | USAGE_BY_CLASS)))
		return usage_source_each_line(source, begin, end, take_line, m);
	rc = read_pairs(m, source);
	/* Slots go by whole days. */
	if (!rc)
		rc = usage_source_first_day(source, &first);
	if (!rc && first > begin) {
		rc = usage_source_each_day(source, begin, first < end ? first : end, take_day, m);
		begin = first;
	}
	return rc ? rc : usage_source_each_usage(source, begin, end, take_usage, m);
}

static int read_record(struct making *m, const char *file)
{
	struct usage_source *source;
	int rc = usage_source_open(file, &source, m->error);

	if (rc)
		return rc;
	m->file = file;
	rc = take_node(m, usage_source_node(source));
	if (!rc)
		rc = usage_source_each_site(source, take_site, m);
	if (!rc)
		rc = usage_source_each_epoch(source, m->report->query.begin, m->report->query.end,
					     take_epoch, m);
	/* Of a far end's slots nothing is told. */
	if (!rc && !m->far)
		rc = usage_source_each_period(source, m->report->query.begin, m->report->query.end,
					      take_period, m);
	if (!rc)
		rc = read_counts(m, source);
	usage_source_close(source);
	return rc;
}

/* ---- rows ---- */

static int by_slot(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	return (x->slot > y->slot) - (x->slot < y->slot);
}

/* Several gateways' samples of a slot become one. */
static void join(struct samples *samples)
{
	bool sorted = true;
	size_t n = 0;

	for (size_t i = 1; i < samples->n && sorted; i++)
		sorted = samples->v[i - 1].slot < samples->v[i].slot;
	if (sorted)
		return; /* a single record's are */
	qsort(samples->v, samples->n, sizeof(*samples->v), by_slot);
	for (size_t i = 1; i < samples->n; i++) {
		if (samples->v[i].slot != samples->v[n].slot) {
			samples->v[++n] = samples->v[i];
			continue;
		}
		samples->v[n].out += samples->v[i].out;
		samples->v[n].in += samples->v[i].in;
	}
	samples->n = n + 1;
}

static bool is_sample(uint8_t bits)
{
	return (bits & (SLOT_SEEN | SLOT_OVER | SLOT_SPOILT)) == (SLOT_SEEN | SLOT_OVER);
}

static int64_t span_end(const struct usage_query *query, int64_t begin)
{
	const int64_t end = query->by & USAGE_BY_HOUR	 ? usage_next(USAGE_HOUR, begin)
			    : query->by & USAGE_BY_DAY	 ? usage_next(USAGE_DAY, begin)
			    : query->by & USAGE_BY_MONTH ? usage_next(USAGE_MONTH, begin)
							 : query->end;

	return end > query->end ? query->end : end;
}

/* Slots without traffic are samples of 0, and slots that were not watched are none. */
static int rate(const struct making *m, struct group *group, struct usage_row *row)
{
	const struct usage_query *query = &m->report->query;
	const size_t first = (size_t)((row->begin - query->begin) / USAGE_SLOT_S);
	const size_t end = (size_t)((row->end - query->begin) / USAGE_SLOT_S);
	const int64_t now = time(NULL);
	uint64_t *out, *in, out_sum = 0, in_sum = 0, out_max = 0, in_max = 0, seconds;
	size_t n = 0, at = 0;

	out = calloc(end - first + 1, sizeof(*out));
	in = calloc(end - first + 1, sizeof(*in));
	if (!out || !in) {
		free(out);
		free(in);
		return -ENOMEM;
	}
	join(&group->samples);
	for (size_t s = first; s < end; s++) {
		while (at < group->samples.n && group->samples.v[at].slot < s)
			at++;
		if (!is_sample(m->slots[s])) {
			/* The slot of now is not missing, it is not over. */
			row->missing += query->begin + (int64_t)(s + 1) * USAGE_SLOT_S <= now;
			continue;
		}
		if (at < group->samples.n && group->samples.v[at].slot == s) {
			out[n] = group->samples.v[at].out;
			in[n] = group->samples.v[at].in;
		}
		out_sum += out[n];
		in_sum += in[n];
		out_max = out[n] > out_max ? out[n] : out_max;
		in_max = in[n] > in_max ? in[n] : in_max;
		n++;
	}
	seconds = (uint64_t)n * USAGE_SLOT_S;
	row->samples = n;
	row->p95_out_bps = usage_bps(usage_p95_bytes(out, n), USAGE_SLOT_S);
	row->p95_in_bps = usage_bps(usage_p95_bytes(in, n), USAGE_SLOT_S);
	row->p95_bps = row->p95_out_bps > row->p95_in_bps ? row->p95_out_bps : row->p95_in_bps;
	row->peak_out_bps = usage_bps(out_max, USAGE_SLOT_S);
	row->peak_in_bps = usage_bps(in_max, USAGE_SLOT_S);
	row->mean_out_bps = usage_bps(out_sum, seconds);
	row->mean_in_bps = usage_bps(in_sum, seconds);
	if (query->commit_bps && row->p95_bps > query->commit_bps)
		row->over_bps = row->p95_bps - query->commit_bps;
	free(out);
	free(in);
	return 0;
}

static int by_row(const void *a, const void *b)
{
	const struct usage_row *x = a, *y = b;
	int d;

	if (x->begin != y->begin)
		return x->begin < y->begin ? -1 : 1;
	if (x->remote_site != y->remote_site)
		return (int)x->remote_site - (int)y->remote_site;
	if (x->class != y->class)
		return x->class - y->class;
	d = strcmp(x->local, y->local);
	return d ? d : strcmp(x->remote, y->remote);
}

static int make_rows(struct making *m)
{
	struct usage_report *report = m->report;
	int rc = 0;

	report->rows = calloc(m->n_groups + 1, sizeof(*report->rows));
	if (!report->rows)
		return -ENOMEM;
	for (size_t i = 0; i < m->n_groups && !rc; i++) {
		struct group *group = &m->groups[i];
		struct usage_row *row = &report->rows[report->n_rows++];

		row->begin = group->begin;
		row->end = span_end(&report->query, group->begin);
		row->local_site = group->local_site;
		row->remote_site = group->remote_site;
		row->class = group->class;
		snprintf(row->local, sizeof(row->local), "%s", group->local);
		snprintf(row->remote, sizeof(row->remote), "%s", group->remote);
		row->sum = group->sum;
		row->far = group->far;
		row->has_far = group->has_far;
		row->no_rates = group->no_rates;
		if (!row->no_rates)
			rc = rate(m, group, row);
	}
	if (report->n_rows)
		qsort(report->rows, report->n_rows, sizeof(*report->rows), by_row);
	return rc;
}

static void making_fini(struct making *m)
{
	for (size_t i = 0; i < m->n_groups; i++)
		free(m->groups[i].samples.v);
	for (size_t i = 0; i < sizeof(m->texts) / sizeof(m->texts[0]); i++) {
		while (m->texts[i]) {
			struct text *next = m->texts[i]->next;

			free(m->texts[i]);
			m->texts[i] = next;
		}
	}
	free(m->groups);
	free(m->table);
	free(m->pairs);
	free(m->slots);
	free(m->epochs);
}

int usage_report_make(const char *const files[], size_t n_files, const struct usage_query *query,
		      struct usage_report **ret_report, char error[static USAGE_ERROR_LEN])
{
	struct making m = { .error = error };
	int rc = 0;

	error[0] = '\0';
	if (query->end <= query->begin || (query->end - query->begin) / USAGE_SLOT_S > SLOTS_MAX) {
		snprintf(error, USAGE_ERROR_LEN,
			 "the time asked for is empty, or over twenty years");
		return -EINVAL;
	}
	if (n_files > USAGE_NODES_MAX) {
		snprintf(error, USAGE_ERROR_LEN, "more than %d records at once", USAGE_NODES_MAX);
		return -EINVAL;
	}
	m.report = calloc(1, sizeof(*m.report));
	if (!m.report)
		return -ENOMEM;
	m.report->query = *query;
	m.report->site_names = calloc(DP_ID_MAX + 1, sizeof(*m.report->site_names));
	m.n_slots = (size_t)((query->end - query->begin) / USAGE_SLOT_S);
	m.slots = calloc(m.n_slots, 1);
	if (!m.slots || !m.report->site_names)
		rc = -ENOMEM;
	for (size_t i = 0; i < n_files && !rc; i++)
		rc = read_record(&m, files[i]);
	if (!rc)
		rc = check_epochs(&m);
	if (!rc)
		rc = make_rows(&m);
	making_fini(&m);
	if (rc) {
		usage_report_free(m.report);
		return rc;
	}
	*ret_report = m.report;
	return 0;
}

void usage_report_free(struct usage_report *report)
{
	if (!report)
		return;
	free(report->rows);
	free(report->site_names);
	free(report);
}
