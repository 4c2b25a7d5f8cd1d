/* SPDX-License-Identifier: GPL-2.0-only */
#include "usage_recorder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "usage_calendar.h"

#define CLOCK_STEP_MS 2000 /* between two readings; less is slewed, or a machine that was busy */
#define SITES_MAX (DP_ID_MAX + 1)
#define EPOCH_ADOPTED (-2) /* not on disk yet; -1 would be any */

/* What is known of a key. base and now are as on disk. */
struct entry {
	struct usage_key key;
	int64_t pair;  /* 0: not on disk */
	bool new_pair; /* of the transaction that runs */
	bool used;
	bool in_period; /* has a row */
	struct usage_counts base, now, next;
};

struct usage_recorder {
	struct usage_store *store;
	struct entry *entries; /* open addressing; capacity is a power of two, never full */
	size_t n, capacity;
	int64_t epoch;	   /* 0: of no counters; EPOCH_ADOPTED */
	bool base_unknown; /* the record begins in the middle of the counters' life */
	uint64_t adopted;  /* name of an epoch that goes on disk with its first reading */
	char boot[40];	   /* for that */
	bool begun;	   /* attached once */
	struct usage_period period;
	int64_t last_slot; /* of all that are on disk */
	int64_t last_real_ms,
		last_mono_ms; /* of the last reading on disk; mono -1: not of this process */
	int64_t last_day;
	struct usage_counts *lines; /* by remote site */
	bool *line_changed;
};

int usage_recorder_new(struct usage_store *store, struct usage_recorder **ret_recorder)
{
	struct usage_recorder *recorder = calloc(1, sizeof(*recorder));

	if (!recorder)
		return -ENOMEM;
	recorder->store = store;
	recorder->last_mono_ms = -1;
	recorder->lines = calloc(SITES_MAX, sizeof(*recorder->lines));
	recorder->line_changed = calloc(SITES_MAX, sizeof(*recorder->line_changed));
	if (!recorder->lines || !recorder->line_changed) {
		usage_recorder_free(recorder);
		return -ENOMEM;
	}
	*ret_recorder = recorder;
	return 0;
}

void usage_recorder_free(struct usage_recorder *recorder)
{
	if (!recorder)
		return;
	free(recorder->entries);
	free(recorder->lines);
	free(recorder->line_changed);
	free(recorder);
}

/* ---- what is known of each key ---- */

static uint64_t hash_of(const struct usage_key *key)
{
	const uint8_t *bytes = (const void *)key;
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < sizeof(*key); i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3;
	return hash ^ hash >> 32;
}

static struct entry *place(struct entry *entries, size_t capacity, const struct usage_key *key)
{
	size_t at = hash_of(key) & (capacity - 1);

	while (entries[at].used && memcmp(&entries[at].key, key, sizeof(*key)))
		at = (at + 1) & (capacity - 1);
	return &entries[at];
}

static int grow(struct usage_recorder *recorder)
{
	const size_t capacity = recorder->capacity ? recorder->capacity * 2 : 256;
	struct entry *entries = calloc(capacity, sizeof(*entries));

	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < recorder->capacity; i++)
		if (recorder->entries[i].used)
			*place(entries, capacity, &recorder->entries[i].key) = recorder->entries[i];
	free(recorder->entries);
	recorder->entries = entries;
	recorder->capacity = capacity;
	return 0;
}

/* NULL: no memory. */
static struct entry *find(struct usage_recorder *recorder, const struct usage_key *key)
{
	struct entry *entry;

	if (recorder->n * 2 >= recorder->capacity && grow(recorder))
		return NULL;
	entry = place(recorder->entries, recorder->capacity, key);
	if (!entry->used) {
		*entry = (struct entry){ .key = *key, .used = true };
		recorder->n++;
	}
	return entry;
}

static int take_stored(const struct usage_stored *stored, void *data)
{
	struct entry *entry = find(data, &stored->key);

	if (!entry)
		return -ENOMEM;
	entry->pair = stored->pair;
	entry->in_period = stored->in_period;
	entry->base = stored->in_period ? stored->base : stored->now;
	entry->now = entry->next = stored->now;
	return 0;
}

static int by_pair(const void *a, const void *b)
{
	const struct usage_stored *x = a, *y = b;

	return (x->pair > y->pair) - (x->pair < y->pair);
}

int usage_recorder_list(const struct usage_recorder *recorder, struct usage_stored **ret_list,
			size_t *ret_n)
{
	struct usage_stored *list = calloc(recorder->n + 1, sizeof(*list));
	size_t n = 0;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < recorder->capacity; i++) {
		const struct entry *entry = &recorder->entries[i];

		if (entry->used && entry->pair)
			list[n++] = (struct usage_stored){ .key = entry->key,
							   .pair = entry->pair,
							   .base = entry->base,
							   .now = entry->now,
							   .in_period = entry->in_period };
	}
	qsort(list, n, sizeof(*list), by_pair);
	*ret_list = list;
	*ret_n = n;
	return 0;
}

static void forget_entries(struct usage_recorder *recorder)
{
	free(recorder->entries);
	recorder->entries = NULL;
	recorder->n = recorder->capacity = 0;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static bool same(const struct usage_counts *a, const struct usage_counts *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* next of all entries; what was not read stays as it was. */
static int stage(struct usage_recorder *recorder, const struct usage_readings *readings)
{
	for (size_t i = 0; i < readings->n; i++) {
		const struct usage_counts *counts = &readings->v[i].counts;
		struct entry *entry = find(recorder, &readings->v[i].key);

		if (!entry)
			return -ENOMEM;
		entry->next = (struct usage_counts){
			.out_packets = larger(counts->out_packets, entry->now.out_packets),
			.out_bytes = larger(counts->out_bytes, entry->now.out_bytes),
			.in_packets = larger(counts->in_packets, entry->now.in_packets),
			.in_bytes = larger(counts->in_bytes, entry->now.in_bytes),
		};
	}
	return 0;
}

/* ---- writing ---- */

static void line_add(struct usage_recorder *recorder, const struct entry *entry,
		     const struct usage_counts *base)
{
	const uint16_t site = entry->key.remote_site <= DP_ID_MAX ? entry->key.remote_site : 0;
	struct usage_counts *line = &recorder->lines[site];

	line->out_packets += entry->next.out_packets - base->out_packets;
	line->out_bytes += entry->next.out_bytes - base->out_bytes;
	line->in_packets += entry->next.in_packets - base->in_packets;
	line->in_bytes += entry->next.in_bytes - base->in_bytes;
}

/*
 * The rows of a period, of what has changed since they were written. carried: its base is what is
 * on disk (now), and not the one that is set.
 */
static int put_rows(struct usage_recorder *recorder, int64_t period, bool carried)
{
	uint16_t own = 0;
	int rc = 0;

	memset(recorder->lines, 0, SITES_MAX * sizeof(*recorder->lines));
	memset(recorder->line_changed, 0, SITES_MAX * sizeof(*recorder->line_changed));
	for (size_t i = 0; i < recorder->capacity && !rc; i++) {
		struct entry *entry = &recorder->entries[i];
		const struct usage_counts *base = carried ? &entry->now : &entry->base;

		if (!entry->used || same(base, &entry->next))
			continue;
		line_add(recorder, entry, base);
		if (entry->key.local_site)
			own = entry->key.local_site;
		if (!carried && entry->in_period && same(&entry->now, &entry->next))
			continue;
		if (!entry->pair) {
			rc = usage_store_pair(recorder->store, &entry->key, &entry->pair);
			entry->new_pair = !rc;
		}
		if (!rc)
			rc = usage_store_put_usage(recorder->store, period, entry->pair, base,
						   &entry->next);
		recorder->line_changed[entry->key.remote_site <= DP_ID_MAX ? entry->key.remote_site
									   : 0] = true;
	}
	for (uint16_t site = 0; site < SITES_MAX && !rc; site++)
		if (recorder->line_changed[site])
			rc = usage_store_put_line(recorder->store, period, site ? own : 0, site,
						  &recorder->lines[site]);
	return rc;
}

static bool any_change(const struct usage_recorder *recorder)
{
	for (size_t i = 0; i < recorder->capacity; i++)
		if (!same(&recorder->entries[i].now, &recorder->entries[i].next))
			return true;
	return false;
}

enum step {
	STEP_ON,    /* the same period */
	STEP_NEXT,  /* the last reading of the old one, and a new one from there */
	STEP_CARRY, /* a new one from what is on disk */
	STEP_BEGIN, /* the first of these counters */
};

/* It is on disk: entries are as there. */
static void settle(struct usage_recorder *recorder, enum step step)
{
	for (size_t i = 0; i < recorder->capacity; i++) {
		struct entry *entry = &recorder->entries[i];

		if (!entry->used)
			continue;
		entry->new_pair = false;
		switch (step) {
		case STEP_ON:
			break;
		case STEP_NEXT:
			entry->base = entry->next;
			break;
		case STEP_CARRY:
			entry->base = entry->now;
			break;
		case STEP_BEGIN:
			entry->base =
				recorder->base_unknown ? entry->next : (struct usage_counts){ 0 };
			break;
		}
		entry->now = entry->next;
		entry->in_period = !same(&entry->base, &entry->now);
	}
}

static void unsettle(struct usage_recorder *recorder)
{
	for (size_t i = 0; i < recorder->capacity; i++) {
		struct entry *entry = &recorder->entries[i];

		entry->next = entry->now;
		if (entry->new_pair)
			entry->pair = 0;
		entry->new_pair = false;
	}
}

static int close_old(struct usage_recorder *recorder, struct usage_period *old)
{
	if (!old->n || old->closed)
		return 0;
	old->closed = true;
	return usage_store_close_period(recorder->store, old);
}

/* ---- a reading ---- */

struct pause {
	bool clock_set;
	int64_t ms;
};

/* Across processes only the wall clock tells. */
static struct pause pause_of(const struct usage_recorder *recorder,
			     const struct usage_moment *moment)
{
	const int64_t real = moment->real_ms - recorder->last_real_ms;
	int64_t mono;

	if (recorder->last_mono_ms < 0)
		return (struct pause){ real < -CLOCK_STEP_MS, real < 0 ? 0 : real };
	mono = moment->mono_ms - recorder->last_mono_ms;
	return (struct pause){ llabs(real - mono) > CLOCK_STEP_MS, mono };
}

static void see(struct usage_period *period, const struct usage_moment *moment, int64_t pause_ms)
{
	period->last_ms = moment->real_ms;
	period->samples++;
	if (pause_ms > period->gap_ms)
		period->gap_ms = pause_ms;
	period->generation = moment->generation;
	period->digest = moment->digest;
	period->role = moment->role;
	if (!moment->metered)
		period->flags |= USAGE_FLAG_UNMETERED;
}

static struct usage_period begin_period(const struct usage_recorder *recorder,
					const struct usage_moment *moment, int64_t slot)
{
	struct usage_period period = {
		.epoch = recorder->epoch,
		.slot = slot,
		.first_ms = moment->real_ms,
		.since_ms = moment->real_ms,
	};

	/* A slot again that is recorded already: the clock was set back. */
	if (slot < recorder->last_slot || (slot == recorder->last_slot && recorder->period.n &&
					   recorder->period.epoch == recorder->epoch))
		period.flags |= USAGE_FLAG_CLOCK;
	see(&period, moment, 0);
	return period;
}

static enum step step_of(const struct usage_recorder *recorder, int64_t slot, struct pause pause)
{
	const struct usage_period *period = &recorder->period;

	if (!period->n || period->epoch != recorder->epoch)
		return STEP_BEGIN;
	if (!period->closed && period->slot == slot)
		return STEP_ON;
	/* Back with the clock set back: how long it was away nobody knows. */
	if (recorder->last_mono_ms < 0 && pause.clock_set)
		return STEP_CARRY;
	return !period->closed && pause.ms <= USAGE_PAUSE_MS ? STEP_NEXT : STEP_CARRY;
}

/* Within a transaction. *ret_period: the one that goes on. */
static int write_step(struct usage_recorder *recorder, enum step step,
		      const struct usage_moment *moment, struct pause pause,
		      struct usage_period *ret_period)
{
	const int64_t slot =
		usage_begin(USAGE_SLOT, moment->real_ms >= 0 ? moment->real_ms / 1000 : 0);
	struct usage_period old = recorder->period, period = { 0 };
	int rc = 0;

	if (pause.clock_set)
		old.flags |= USAGE_FLAG_CLOCK;
	switch (step) {
	case STEP_ON:
		see(&old, moment, pause.ms);
		rc = usage_store_put_period(recorder->store, &old);
		*ret_period = old;
		return rc ? rc : put_rows(recorder, old.n, false);
	case STEP_NEXT:
		see(&old, moment, pause.ms);
		rc = usage_store_put_period(recorder->store, &old);
		if (!rc)
			rc = put_rows(recorder, old.n, false);
		if (!rc)
			rc = close_old(recorder, &old);
		period = begin_period(recorder, moment, slot);
		break;
	case STEP_CARRY:
		period = begin_period(recorder, moment, slot);
		if (pause.ms > USAGE_PAUSE_MS || pause.clock_set) {
			const bool idle =
				moment->metered && !pause.clock_set && !any_change(recorder);

			old.flags |= idle ? 0 : USAGE_FLAG_TAIL;
			period.flags |= idle ? USAGE_FLAG_IDLE : USAGE_FLAG_CARRIED;
			period.since_ms = recorder->last_real_ms;
		}
		rc = usage_store_put_period(recorder->store, &old);
		if (!rc)
			rc = close_old(recorder, &old);
		break;
	case STEP_BEGIN:
		rc = close_old(recorder, &old);
		period = begin_period(recorder, moment, slot);
		period.flags |= recorder->epoch ? USAGE_FLAG_BEGIN : 0;
		if (recorder->base_unknown)
			period.flags |= USAGE_FLAG_NEW_RECORD;
		break;
	}
	if (pause.clock_set)
		period.flags |= USAGE_FLAG_CLOCK;
	if (!rc)
		rc = usage_store_put_period(recorder->store, &period);
	if (!rc && (step == STEP_CARRY || (step == STEP_BEGIN && !recorder->base_unknown)))
		rc = put_rows(recorder, period.n, true);
	*ret_period = period;
	return rc;
}

/* Once a day. What fails is tried again tomorrow; only the disk's room depends on it. */
static void prune(struct usage_recorder *recorder, int64_t now_s)
{
	const int64_t day = usage_begin(USAGE_DAY, now_s);

	if (day == recorder->last_day)
		return;
	recorder->last_day = day;
	if (usage_store_begin(recorder->store) ||
	    usage_store_prune(recorder->store, now_s, USAGE_SIZE_MAX) ||
	    usage_store_commit(recorder->store))
		usage_store_rollback(recorder->store);
}

int usage_recorder_take(struct usage_recorder *recorder, const struct usage_moment *moment,
			const struct usage_readings *readings)
{
	const int64_t slot = usage_begin(USAGE_SLOT, moment->real_ms / 1000);
	struct pause pause = pause_of(recorder, moment);
	const enum step step = step_of(recorder, slot, pause);
	const bool adopting = recorder->epoch == EPOCH_ADOPTED;
	struct usage_period period;
	int rc = stage(recorder, readings);

	if (step == STEP_BEGIN)
		pause = (struct pause){ 0 }; /* since the readings of other counters */
	if (!rc)
		rc = usage_store_begin(recorder->store);
	if (!rc && adopting)
		rc = usage_store_add_epoch(recorder->store, recorder->adopted, recorder->boot,
					   moment->real_ms, &recorder->epoch);
	if (!rc)
		rc = write_step(recorder, step, moment, pause, &period);
	if (!rc)
		rc = usage_store_commit(recorder->store);
	if (rc) {
		usage_store_rollback(recorder->store);
		unsettle(recorder);
		if (adopting)
			recorder->epoch = EPOCH_ADOPTED;
		return rc;
	}
	settle(recorder, step);
	recorder->period = period;
	recorder->base_unknown = false;
	recorder->last_real_ms = moment->real_ms;
	recorder->last_mono_ms = moment->mono_ms;
	if (slot > recorder->last_slot)
		recorder->last_slot = slot;
	if (step != STEP_ON)
		prune(recorder, moment->real_ms / 1000);
	return 0;
}

/* ---- beginning ---- */

/* The last period of other counters: they ended unseen, unless this process has read them last. */
static int close_other(struct usage_recorder *recorder)
{
	struct usage_period old;
	int rc = usage_store_last_period(recorder->store, -1, &old);

	if (rc || !old.n || old.epoch == recorder->epoch)
		return rc;
	if (!recorder->begun && old.epoch)
		old.flags |= USAGE_FLAG_CUT;
	if (!old.closed)
		return close_old(recorder, &old);
	return recorder->begun ? 0 : usage_store_put_period(recorder->store, &old);
}

/* Of an epoch that is known: what is on disk. */
static int load(struct usage_recorder *recorder)
{
	int rc = usage_store_last_period(recorder->store, recorder->epoch, &recorder->period);

	if (!rc && recorder->period.n && recorder->epoch)
		rc = usage_store_each(recorder->store, recorder->epoch,
				      recorder->period.closed ? 0 : recorder->period.n, take_stored,
				      recorder);
	recorder->last_real_ms = recorder->period.last_ms;
	recorder->last_mono_ms = -1;
	return rc;
}

/*
 * Counters that have a name already, which this record does not know: how far they had come is known
 * with the first reading. A name on disk without that would have them begin at 0, and count twice
 * what the record before has.
 */
static int name_epoch(struct usage_recorder *recorder, uint64_t epoch, uint64_t random,
		      const char *boot, const struct usage_moment *moment, uint64_t *ret_epoch)
{
	int rc = 0;

	recorder->epoch = 0;
	recorder->base_unknown = false;
	*ret_epoch = epoch;
	if (!moment->metered)
		return 0;
	if (!epoch)
		*ret_epoch = random ? random : 1;
	else
		rc = usage_store_find_epoch(recorder->store, epoch, &recorder->epoch);
	if (rc || recorder->epoch)
		return rc;
	if (!epoch)
		return usage_store_add_epoch(recorder->store, *ret_epoch, boot, moment->real_ms,
					     &recorder->epoch);
	recorder->base_unknown = true;
	recorder->epoch = EPOCH_ADOPTED;
	recorder->adopted = epoch;
	snprintf(recorder->boot, sizeof(recorder->boot), "%s", boot);
	return 0;
}

int usage_recorder_attach(struct usage_recorder *recorder, uint64_t epoch, uint64_t random,
			  const char *boot, const struct usage_moment *moment, uint64_t *ret_epoch)
{
	uint64_t name = 0;
	int rc;

	forget_entries(recorder);
	recorder->period = (struct usage_period){ 0 };
	rc = usage_store_begin(recorder->store);
	if (!rc)
		rc = name_epoch(recorder, epoch, random, boot, moment, &name);
	if (!rc)
		rc = close_other(recorder);
	if (!rc)
		rc = usage_store_last_slot(recorder->store, &recorder->last_slot);
	if (!rc)
		rc = load(recorder);
	if (!rc)
		rc = usage_store_commit(recorder->store);
	if (rc) {
		usage_store_rollback(recorder->store);
		return rc;
	}
	recorder->begun = true;
	*ret_epoch = name;
	return 0;
}
