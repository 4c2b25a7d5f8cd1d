/* SPDX-License-Identifier: GPL-2.0-only */
/* Statistics of a path, fed by a simulated one, against what really happened on that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "path_stats.h"

#define MS UINT64_C(1000)
#define S (1000 * MS)
#define PENDING 256
#define FIRST_SEQUENCE (UINT64_C(1700000000) << 32)
#define N(array) (sizeof(array) / sizeof((array)[0]))

/* What became of a probe. */
struct probe {
	bool reached, answered;
};

/* A reply under way. */
struct reply {
	uint64_t at_us, sequence;
	uint32_t rtt_us, remote_received;
};

/* A path with a reflector at its end, and what the kernel counts of it. */
struct sim {
	struct path_stats stats;
	uint64_t seed, now_us, next_probe_us, next_tick_us;
	uint64_t interval_us, rtt_us, spread_us, dead_us;
	uint32_t loss_out_ppm, loss_in_ppm;
	uint64_t sequence, highest, last_sent_us, last_reply_us;
	uint32_t replies, remote, remote_seen;
	uint32_t payload;
	struct reply pending[PENDING];
	size_t n_pending;
	/* For oracles. */
	struct probe *probes; /* by sequence - FIRST_SEQUENCE - 1 */
	struct path_sample *samples;
	size_t n_samples, max;
	unsigned int browns, downs, changes;
};

static uint64_t sim_random(struct sim *sim)
{
	/* splitmix64 */
	uint64_t z = sim->seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static bool sim_chance(struct sim *sim, uint32_t ppm)
{
	return sim_random(sim) % 1000000 < ppm;
}

static struct sim *sim_new(uint64_t seed, uint64_t interval_us, size_t max)
{
	struct sim *sim = calloc(1, sizeof(*sim));

	assert_non_null(sim);
	path_stats_init(&sim->stats);
	sim->seed = seed;
	sim->now_us = sim->next_probe_us = sim->next_tick_us = 1000 * S;
	sim->interval_us = interval_us;
	sim->dead_us = interval_us * 7 / 2;
	sim->rtt_us = 60 * MS;
	sim->sequence = FIRST_SEQUENCE;
	sim->payload = 96;
	sim->max = max;
	if (max) {
		sim->probes = calloc(max, sizeof(*sim->probes));
		sim->samples = calloc(max, sizeof(*sim->samples));
		assert_non_null(sim->probes);
		assert_non_null(sim->samples);
	}
	return sim;
}

static void sim_free(struct sim *sim)
{
	free(sim->probes);
	free(sim->samples);
	free(sim);
}

static void sim_changed(struct sim *sim, bool changed)
{
	if (!changed)
		return;
	sim->changes++;
	sim->browns += sim->stats.state == PATH_BROWN;
	sim->downs += sim->stats.state == PATH_DOWN;
	assert_int_equal(sim->stats.since_us, sim->now_us);
}

static void sim_send(struct sim *sim)
{
	struct reply reply = { .sequence = ++sim->sequence };
	struct probe probe = { 0 };

	probe.reached = !sim_chance(sim, sim->loss_out_ppm);
	if (probe.reached) {
		reply.remote_received = ++sim->remote;
		probe.answered = !sim_chance(sim, sim->loss_in_ppm);
	}
	if (probe.answered) {
		reply.rtt_us = (uint32_t)sim->rtt_us;
		if (sim->spread_us)
			reply.rtt_us += (uint32_t)(sim_random(sim) % sim->spread_us);
		reply.at_us = sim->now_us + reply.rtt_us;
		assert_true(sim->n_pending < PENDING);
		sim->pending[sim->n_pending++] = reply;
	}
	if (sim->max) {
		assert_true(sim->sequence - FIRST_SEQUENCE <= sim->max);
		sim->probes[sim->sequence - FIRST_SEQUENCE - 1] = probe;
	}
	sim->last_sent_us = sim->now_us;
	sim->next_probe_us += sim->interval_us;
}

static void sim_receive(struct sim *sim, size_t which)
{
	struct reply reply = sim->pending[which];
	struct path_sample sample = { .at_us = reply.at_us,
				      .sequence = reply.sequence,
				      .rtt_us = reply.rtt_us,
				      .payload = sim->payload };

	sim->pending[which] = sim->pending[--sim->n_pending];
	sim->replies++;
	if (reply.sequence > sim->highest) {
		sim->highest = reply.sequence;
		sim->remote_seen = reply.remote_received;
	}
	sim->last_reply_us = reply.at_us;
	sample.replies = sim->replies;
	sample.remote_received = sim->remote_seen;
	if (sim->max)
		sim->samples[sim->n_samples++] = sample;
	sim_changed(sim, path_stats_sample(&sim->stats, &sample));
}

static void sim_tick(struct sim *sim)
{
	bool alive = sim->last_reply_us && sim->last_sent_us <= sim->last_reply_us + sim->dead_us;

	sim->next_tick_us += 100 * MS;
	if (sim->sequence == FIRST_SEQUENCE)
		return;
	sim_changed(sim, path_stats_tick(&sim->stats, sim->now_us, sim->sequence, alive));
}

static void sim_run(struct sim *sim, uint64_t us)
{
	const uint64_t end_us = sim->now_us + us;

	for (;;) {
		uint64_t next_us = end_us;
		size_t which = SIZE_MAX;

		for (size_t i = 0; i < sim->n_pending; i++) {
			if (sim->pending[i].at_us > next_us)
				continue;
			next_us = sim->pending[i].at_us;
			which = i;
		}
		if (sim->next_probe_us < next_us || sim->next_tick_us < next_us)
			which = SIZE_MAX;
		if (which != SIZE_MAX) {
			sim->now_us = next_us;
			sim_receive(sim, which);
		} else if (sim->next_probe_us <= sim->next_tick_us && sim->next_probe_us < end_us) {
			sim->now_us = sim->next_probe_us;
			sim_send(sim);
		} else if (sim->next_tick_us < end_us) {
			sim->now_us = sim->next_tick_us;
			sim_tick(sim);
		} else {
			sim->now_us = end_us;
			return;
		}
	}
}

/* About 3 s of probes: the last slot has just begun. */
static void assert_loss(const struct sim *sim, uint32_t out_ppm, uint32_t in_ppm)
{
	const uint64_t n = 3 * S / sim->interval_us;
	struct path_loss loss;

	path_stats_loss(&sim->stats, sim->now_us, PATH_WINDOW_SHORT, &loss);
	assert_in_range(loss.sent, n - n / 25 - 1, n);
	assert_int_equal(loss.out_ppm, out_ppm);
	assert_int_equal(loss.in_ppm, in_ppm);
}

/* -- Round trips and loss against all that happened -- */

static const uint64_t window_us[PATH_WINDOW_MAX] = { 3 * S, 60 * S, 600 * S, 3600 * S };
static const uint64_t slot_us[PATH_WINDOW_MAX] = { 100 * MS, 5 * S, 60 * S, 300 * S };

/* When a window begins: whole slots, of which the last one is under way. */
static uint64_t window_start(const struct sim *sim, unsigned int window)
{
	const uint64_t end = sim->now_us / slot_us[window] * slot_us[window] + slot_us[window];

	return end > window_us[window] ? end - window_us[window] : 0;
}

static int compare_u32(const void *a, const void *b)
{
	const uint32_t *l = a, *r = b;

	return (*l > *r) - (*l < *r);
}

static void check_rtt(const struct sim *sim, enum path_window window)
{
	uint32_t *rtts = calloc(sim->n_samples + 1, sizeof(*rtts)), n = 0;
	struct path_rtt rtt;

	assert_non_null(rtts);
	for (size_t i = 0; i < sim->n_samples; i++)
		if (sim->samples[i].at_us >= window_start(sim, window))
			rtts[n++] = sim->samples[i].rtt_us;
	qsort(rtts, n, sizeof(*rtts), compare_u32);
	path_stats_rtt(&sim->stats, sim->now_us, window, &rtt);
	assert_int_equal(rtt.n, n);
	if (n) {
		const uint32_t p50 = rtts[(n * 50 + 99) / 100 - 1];
		const uint32_t p99 = rtts[(n * 99 + 99) / 100 - 1];

		assert_int_equal(rtt.min_us, rtts[0]);
		assert_int_equal(rtt.max_us, rtts[n - 1]);
		assert_in_range(rtt.p50_us, p50 - p50 / 8, p50 + p50 / 8);
		assert_in_range(rtt.p99_us, p99 - p99 / 8, p99 + p99 / 8);
	}
	free(rtts);
}

/*
 * Without reordering: the window is about the probes after the last one answered before it, up to
 * the last one answered in it.
 */
static void check_loss(const struct sim *sim, enum path_window window)
{
	uint32_t sent = 0, reached = 0, answered = 0;
	uint64_t from = 0, to = 0;
	struct path_loss loss;

	for (size_t i = 0; i < sim->n_samples; i++) {
		to = sim->samples[i].sequence;
		if (!i || sim->samples[i].at_us < window_start(sim, window))
			from = to;
	}
	for (uint64_t sequence = from + 1; sequence <= to; sequence++) {
		const struct probe *probe = &sim->probes[sequence - FIRST_SEQUENCE - 1];

		sent++;
		reached += probe->reached;
		answered += probe->answered;
	}
	path_stats_loss(&sim->stats, sim->now_us, window, &loss);
	assert_int_equal(loss.sent, sent);
	if (sent)
		assert_int_equal(loss.out_ppm, (sent - reached) * UINT64_C(1000000) / sent);
	if (reached)
		assert_int_equal(loss.in_ppm, (reached - answered) * UINT64_C(1000000) / reached);
}

static void all_against_the_full_list(void **state)
{
	static const uint32_t losses[][2] = {
		{ 0, 0 }, { 10000, 0 }, { 0, 150000 }, { 3000, 4000 }, { 300000, 300000 }
	};

	(void)state;
	for (uint64_t round = 0; round < 30; round++) {
		struct sim *sim = sim_new(round, round % 3 ? 20 * MS : 50 * MS, 200000);

		/* So that the kernel's counters wrap on the way, and no reply overtakes another. */
		sim->replies = UINT32_MAX - 1000;
		sim->remote = UINT32_MAX - 2000;
		sim->dead_us = 10 * S;
		for (unsigned int step = 0; step < 12; step++) {
			const uint32_t *loss = losses[sim_random(sim) % N(losses)];

			sim->loss_out_ppm = loss[0];
			sim->loss_in_ppm = loss[1];
			sim->rtt_us = 1 + sim_random(sim) % (round % 2 ? 300 * MS : 100);
			sim->spread_us = sim_random(sim) % 19000;
			if (round % 3 && step % 4 == 3)
				sim_run(sim, 130 * S);
			/* The next step may not overtake this one. */
			sim_run(sim, 1 * S + sim_random(sim) % (20 * S));
			sim->loss_out_ppm = 1000000;
			sim_run(sim, 400 * MS);
			for (unsigned int w = 0; w < PATH_WINDOW_MAX; w++) {
				check_loss(sim, (enum path_window)w);
				if (w != PATH_WINDOW_SHORT)
					check_rtt(sim, (enum path_window)w);
			}
		}
		sim_free(sim);
	}
}

static void smoothing_as_in_the_rfcs(void **state)
{
	struct sim *sim = sim_new(7, 10 * MS, 5000);
	double srtt = 0, jitter = 0;

	(void)state;
	sim->spread_us = 40 * MS;
	sim_run(sim, 30 * S);
	for (size_t i = 0; i < sim->n_samples; i++) {
		double rtt = sim->samples[i].rtt_us;

		srtt = i ? srtt + (rtt - srtt) * 42 / 256 : rtt;
		if (i) {
			double d = rtt - sim->samples[i - 1].rtt_us;

			jitter += ((d < 0 ? -d : d) - jitter) / 16;
		}
	}
	assert_in_range(path_stats_srtt_us(&sim->stats), (uint64_t)srtt - 2, (uint64_t)srtt + 2);
	assert_in_range(path_stats_jitter_us(&sim->stats), (uint64_t)jitter - 2,
			(uint64_t)jitter + 2);
	sim_free(sim);
}

/* Replies that overtake each other are not lost, but for those under way now. */
static void reordering_is_no_loss(void **state)
{
	struct sim *sim = sim_new(8, 10 * MS, 0);
	struct path_loss loss;

	(void)state;
	sim->spread_us = 200 * MS;
	sim->dead_us = 500 * MS;
	sim_run(sim, 120 * S);
	assert_int_equal(sim->changes, 1);
	assert_int_equal(sim->stats.state, PATH_UP);
	path_stats_loss(&sim->stats, sim->now_us, PATH_WINDOW_MINUTE, &loss);
	assert_in_range(loss.sent, 5400, 6000);
	assert_int_equal(loss.out_ppm, 0);
	assert_in_range(loss.in_ppm, 0, 20 * 1000000 / 5400);
	sim_free(sim);
}

static void long_round_trips_are_no_loss(void **state)
{
	struct sim *sim = sim_new(9, 10 * MS, 0);

	(void)state;
	sim->rtt_us = 2 * S;
	sim_run(sim, 30 * S);
	assert_int_equal(sim->stats.state, PATH_UP);
	assert_loss(sim, 0, 0);
	sim_free(sim);
}

static void no_samples_no_numbers(void **state)
{
	struct path_stats stats;
	struct path_metrics metrics;
	struct path_rtt rtt;
	struct path_loss loss;

	(void)state;
	path_stats_init(&stats);
	for (unsigned int w = 0; w < PATH_WINDOW_MAX; w++) {
		path_stats_loss(&stats, 5 * S, (enum path_window)w, &loss);
		path_stats_rtt(&stats, 5 * S, (enum path_window)w, &rtt);
		assert_int_equal(loss.sent + loss.out_ppm + loss.in_ppm, 0);
		assert_int_equal(rtt.n + rtt.min_us + rtt.p50_us + rtt.p99_us + rtt.max_us, 0);
	}
	path_stats_metrics(&stats, 5 * S, &metrics);
	assert_false(metrics.alive);
	assert_int_equal(metrics.srtt_us, 0);
	assert_false(path_stats_tick(&stats, 10 * S, 0, false));
	assert_false(path_stats_tick(&stats, 100 * S, 0, false));
	assert_int_equal(stats.state, PATH_UNKNOWN);
	assert_int_equal(stats.why, PATH_EVENT_NONE);
}

static void windows_forget(void **state)
{
	struct sim *sim = sim_new(10, 10 * MS, 0);
	struct path_rtt rtt;

	(void)state;
	sim->payload = 1400;
	sim_run(sim, 10 * S);
	sim->payload = 96;
	path_stats_rtt(&sim->stats, sim->now_us, PATH_WINDOW_MINUTE, &rtt);
	assert_int_equal(rtt.payload_max, 1400);
	sim->rtt_us = 30 * MS;
	sim_run(sim, 70 * S);
	path_stats_rtt(&sim->stats, sim->now_us, PATH_WINDOW_MINUTE, &rtt);
	assert_int_equal(rtt.max_us, 30 * MS);
	assert_int_equal(rtt.payload_max, 96);
	path_stats_rtt(&sim->stats, sim->now_us, PATH_WINDOW_LONG, &rtt);
	assert_int_equal(rtt.max_us, 60 * MS);
	assert_int_equal(rtt.payload_max, 1400);
	/* Nothing is fed for a long time. */
	path_stats_rtt(&sim->stats, sim->now_us + 601 * S, PATH_WINDOW_LONG, &rtt);
	assert_int_equal(rtt.n, 0);
	path_stats_rtt(&sim->stats, sim->now_us + 601 * S, PATH_WINDOW_HOUR, &rtt);
	assert_int_equal(rtt.max_us, 60 * MS);
	assert_true(rtt.n > 7900);
	path_stats_rtt(&sim->stats, sim->now_us + 3601 * S, PATH_WINDOW_HOUR, &rtt);
	assert_int_equal(rtt.n, 0);
	sim_free(sim);
}

/* The last changes of the state, and no more than there is room for. */
static void changes_are_remembered(void **state)
{
	static const struct path_sample sample = { .sequence = 1, .rtt_us = 1000 };
	struct path_stats stats;
	uint64_t at_us = 10 * S;

	(void)state;
	path_stats_init(&stats);
	assert_null(path_stats_change(&stats, 0));
	for (unsigned int i = 0; i < 20; i++) {
		struct path_sample reply = sample;
		const struct path_change *change;

		reply.at_us = at_us;
		reply.sequence += i;
		assert_true(path_stats_sample(&stats, &reply));
		change = path_stats_change(&stats, 0);
		assert_int_equal(change->at_us, at_us);
		assert_int_equal(change->before, i ? PATH_DOWN : PATH_UNKNOWN);
		assert_int_equal(change->after, PATH_UP);
		assert_int_equal(change->why, PATH_EVENT_REPLY);
		at_us += S;
		path_stats_tick(&stats, at_us, reply.sequence, false);
		at_us += S;
		assert_true(path_stats_tick(&stats, at_us, reply.sequence, false));
		assert_int_equal(path_stats_change(&stats, 0)->after, PATH_DOWN);
		assert_int_equal(path_stats_change(&stats, 0)->why, PATH_EVENT_SILENT);
		assert_int_equal(path_stats_change(&stats, 1)->after, PATH_UP);
		assert_true(path_stats_change(&stats, 1)->at_us < at_us);
		at_us += S;
	}
	assert_non_null(path_stats_change(&stats, PATH_STATS_CHANGES - 1));
	assert_null(path_stats_change(&stats, PATH_STATS_CHANGES));
}

/* -- Restarts -- */

static void a_restarted_peer_is_no_loss(void **state)
{
	struct sim *sim = sim_new(11, 10 * MS, 0);

	(void)state;
	sim_run(sim, 20 * S);
	/* At once, as when only its counters were made anew. */
	sim->remote = 0;
	sim_run(sim, 20 * S);
	assert_int_equal(sim->changes, 1);
	assert_int_equal(sim->stats.state, PATH_UP);
	assert_loss(sim, 0, 0);
	sim_free(sim);
}

/* Here too what was sent while it was away did not arrive. */
static void a_peer_that_was_away_lost_that(void **state)
{
	struct sim *sim = sim_new(12, 10 * MS, 0);
	struct path_loss loss;

	(void)state;
	sim_run(sim, 20 * S);
	sim->loss_out_ppm = 1000000;
	sim_run(sim, 5 * S);
	assert_int_equal(sim->stats.state, PATH_DOWN);
	sim->loss_out_ppm = 0;
	sim->remote = 0;
	sim_run(sim, 20 * S);
	assert_int_equal(sim->stats.state, PATH_UP);
	assert_int_equal(sim->browns, 0);
	path_stats_loss(&sim->stats, sim->now_us, PATH_WINDOW_MINUTE, &loss);
	assert_in_range(loss.out_ppm * (uint64_t)loss.sent / 1000000, 495, 505);
	assert_in_range(loss.in_ppm * (uint64_t)loss.sent / 1000000, 0, 8);
	sim_free(sim);
}

static void own_counters_made_anew(void **state)
{
	struct sim *sim = sim_new(13, 10 * MS, 0);

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		sim_run(sim, 20 * S);
		/* Forward by ten seconds, and back by ten when the clock was wrong. */
		sim->sequence = FIRST_SEQUENCE + ((i ? UINT64_C(0) : UINT64_C(10)) << 32);
		sim->highest = 0;
		sim->replies = 0;
		sim->n_pending = 0;
		sim_run(sim, 20 * S);
		assert_int_equal(sim->stats.state, PATH_UP);
		assert_loss(sim, 0, 0);
	}
	assert_int_equal(sim->browns + sim->downs, 0);
	sim_free(sim);
}

/* -- States -- */

static void every_state(void **state)
{
	struct sim *sim = sim_new(14, 10 * MS, 0);
	struct path_metrics metrics;
	uint64_t alive_since_us;

	(void)state;
	sim_run(sim, 50 * MS);
	assert_int_equal(sim->stats.state, PATH_UNKNOWN);
	sim_run(sim, 20 * MS);
	assert_int_equal(sim->stats.state, PATH_UP);
	assert_int_equal(sim->stats.why, PATH_EVENT_REPLY);
	alive_since_us = sim->stats.alive_since_us;
	assert_int_equal(alive_since_us, sim->stats.since_us);

	sim_run(sim, 70 * S);
	sim->loss_in_ppm = 100000;
	sim_run(sim, 5 * S);
	assert_int_equal(sim->stats.state, PATH_BROWN);
	assert_int_equal(sim->stats.why, PATH_EVENT_LOSS_IN);
	path_stats_metrics(&sim->stats, sim->now_us, &metrics);
	assert_true(metrics.alive);
	assert_false(metrics.brown);
	sim->loss_out_ppm = 100000;
	sim_run(sim, 5 * S);
	assert_int_equal(sim->stats.state, PATH_BROWN);
	assert_int_equal(sim->stats.why, PATH_EVENT_LOSS_OUT);
	assert_int_equal(sim->browns, 1);
	path_stats_metrics(&sim->stats, sim->now_us, &metrics);
	assert_true(metrics.brown);
	assert_int_equal(metrics.alive_since_us, alive_since_us);
	assert_int_equal(sim->stats.alive_since_us, alive_since_us);

	sim->loss_in_ppm = sim->loss_out_ppm = 0;
	sim_run(sim, 5 * S);
	assert_int_equal(sim->stats.state, PATH_UP);
	assert_int_equal(sim->stats.why, PATH_EVENT_CLEAR);
	assert_int_equal(sim->stats.alive_since_us, alive_since_us);

	sim->loss_in_ppm = 1000000;
	sim_run(sim, 1 * S);
	assert_int_equal(sim->stats.state, PATH_DOWN);
	assert_int_equal(sim->stats.why, PATH_EVENT_SILENT);
	assert_int_equal(sim->stats.alive_since_us, 0);
	path_stats_metrics(&sim->stats, sim->now_us, &metrics);
	assert_false(metrics.alive);
	assert_int_equal(metrics.srtt_us, 0);
	sim_run(sim, 4 * S);
	assert_loss(sim, 1000000, 0);

	/* It is back, and is known to have lost in one direction only. */
	sim->loss_in_ppm = 0;
	sim->rtt_us = 20 * MS;
	sim_run(sim, 100 * MS);
	assert_int_equal(sim->stats.state, PATH_UP);
	assert_int_equal(path_stats_srtt_us(&sim->stats), 20 * MS);
	path_stats_metrics(&sim->stats, sim->now_us, &metrics);
	assert_true(metrics.alive);
	assert_in_range(metrics.alive_since_us, sim->now_us - 100 * MS, sim->now_us);
	sim_run(sim, 60 * S);
	assert_int_equal(sim->stats.state, PATH_UP);
	sim_free(sim);
}

static void never_answered_is_down(void **state)
{
	struct sim *sim = sim_new(15, 10 * MS, 0);

	(void)state;
	sim->loss_out_ppm = 1000000;
	sim_run(sim, 2900 * MS);
	assert_int_equal(sim->stats.state, PATH_UNKNOWN);
	sim_run(sim, 300 * MS);
	assert_int_equal(sim->stats.state, PATH_DOWN);
	assert_int_equal(sim->stats.why, PATH_EVENT_SILENT);
	sim_free(sim);
}

/* Ticks alone, as after a restart of the daemon, before any sample. */
static void alive_by_what_the_kernel_says(void **state)
{
	struct path_stats stats;

	(void)state;
	path_stats_init(&stats);
	assert_true(path_stats_tick(&stats, 1 * S, FIRST_SEQUENCE + 5, true));
	assert_int_equal(stats.state, PATH_UP);
	assert_false(path_stats_tick(&stats, 2 * S, FIRST_SEQUENCE + 105, true));
	/* One late reply is nothing. */
	assert_false(path_stats_tick(&stats, 3 * S, FIRST_SEQUENCE + 205, false));
	assert_false(path_stats_tick(&stats, 3 * S + 50 * MS, FIRST_SEQUENCE + 210, true));
	assert_false(path_stats_tick(&stats, 3 * S + 100 * MS, FIRST_SEQUENCE + 215, false));
	assert_int_equal(stats.state, PATH_UP);
	assert_true(path_stats_tick(&stats, 3 * S + 200 * MS, FIRST_SEQUENCE + 225, false));
	assert_int_equal(stats.state, PATH_DOWN);
}

static void seldom_probed_paths_too(void **state)
{
	struct sim *sim = sim_new(16, 500 * MS, 0);

	(void)state;
	sim_run(sim, 120 * S);
	assert_int_equal(sim->changes, 1);
	sim->loss_out_ppm = 300000;
	sim_run(sim, 60 * S);
	assert_int_equal(sim->stats.state, PATH_BROWN);
	sim->loss_out_ppm = 0;
	sim_run(sim, 140 * S);
	assert_int_equal(sim->stats.state, PATH_BROWN);
	sim_run(sim, 15 * S);
	assert_int_equal(sim->stats.state, PATH_UP);
	assert_loss(sim, 0, 0);
	sim_free(sim);
}

/* The time until brown-out of paths that begin to lose 5 %. */
static unsigned int onset(uint32_t usual_ppm, bool out, unsigned int seeds, uint64_t limit_us,
			  uint64_t *ret_mean_us)
{
	unsigned int in_time = 0;
	uint64_t sum_us = 0;

	for (uint64_t seed = 0; seed < seeds; seed++) {
		struct sim *sim = sim_new(1000 + seed, 10 * MS, 0);
		uint64_t from_us;

		*(out ? &sim->loss_out_ppm : &sim->loss_in_ppm) = usual_ppm;
		sim_run(sim, 70 * S);
		assert_int_equal(sim->stats.state, PATH_UP);
		*(out ? &sim->loss_out_ppm : &sim->loss_in_ppm) = 50000;
		from_us = sim->now_us;
		while (sim->stats.state != PATH_BROWN) {
			sim_run(sim, 10 * MS);
			assert_true(sim->now_us - from_us < 10 * S);
		}
		in_time += sim->now_us - from_us <= limit_us;
		sum_us += sim->now_us - from_us;
		sim_free(sim);
	}
	*ret_mean_us = sum_us / seeds;
	return in_time;
}

static void loss_is_seen_in_time(void **state)
{
	uint64_t mean_us;

	(void)state;
	assert_int_equal(onset(0, true, 300, 3 * S, &mean_us), 300);
	print_message("# clean path, 5 %% loss: brown-out after %u ms in the mean\n",
		      (unsigned int)(mean_us / MS));
	assert_int_equal(onset(0, false, 100, 3 * S, &mean_us), 100);
	/* What is usual hides what is new: see the essay in path_stats.h. */
	assert_in_range(onset(5000, true, 100, 3 * S, &mean_us), 80, 100);
	print_message("# path of 0.5 %% loss: after %u ms\n", (unsigned int)(mean_us / MS));
}

/* Hours at 100 probes a second. */
static void usual_loss_is_no_brown_out(void **state)
{
	static const uint32_t usual[] = { 0, 1000, 5000 };

	(void)state;
	for (size_t i = 0; i < N(usual); i++) {
		unsigned int browns = 0;

		for (uint64_t seed = 0; seed < 4; seed++) {
			struct sim *sim = sim_new(500 + seed, 10 * MS, 0);

			sim->loss_out_ppm = usual[i];
			sim->spread_us = 8 * MS;
			/* Twice in a hundred hours four replies in a row are lost. */
			sim->dead_us = 95 * MS;
			sim_run(sim, 1800 * S);
			browns += sim->browns;
			assert_int_equal(sim->stats.state, PATH_UP);
			sim_free(sim);
		}
		assert_in_range(browns, 0, 1);
	}
}

/* Nothing becomes used to bad: 3 % stay brown-out, and get there when they come slowly. */
static void bad_is_never_usual(void **state)
{
	struct sim *sim = sim_new(17, 10 * MS, 0);

	(void)state;
	for (uint32_t ppm = 0; ppm <= 30000; ppm += 100) {
		sim->loss_out_ppm = ppm;
		sim_run(sim, 1 * S);
	}
	sim_run(sim, 60 * S);
	assert_int_equal(sim->stats.state, PATH_BROWN);
	for (unsigned int i = 0; i < 600; i++) {
		sim_run(sim, 1 * S);
		assert_int_equal(sim->stats.state, PATH_BROWN);
	}
	sim_free(sim);
}

/* A single gap shorter than the dead interval, once. */
static void three_lost_are_no_brown_out(void **state)
{
	struct sim *sim = sim_new(18, 10 * MS, 0);

	(void)state;
	sim_run(sim, 70 * S);
	sim->loss_out_ppm = 1000000;
	sim_run(sim, 30 * MS);
	sim->loss_out_ppm = 0;
	sim_run(sim, 10 * S);
	assert_int_equal(sim->changes, 1);
	sim_free(sim);
}

static void every_name(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < PATH_STATE_MAX; i++)
		assert_non_null(path_state_names[i]);
	for (unsigned int i = 0; i < PATH_EVENT_MAX; i++)
		assert_non_null(path_event_names[i]);
	assert_true(sizeof(struct path_stats) < 17 * 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_against_the_full_list),
		cmocka_unit_test(smoothing_as_in_the_rfcs),
		cmocka_unit_test(reordering_is_no_loss),
		cmocka_unit_test(long_round_trips_are_no_loss),
		cmocka_unit_test(no_samples_no_numbers),
		cmocka_unit_test(windows_forget),
		cmocka_unit_test(changes_are_remembered),
		cmocka_unit_test(a_restarted_peer_is_no_loss),
		cmocka_unit_test(a_peer_that_was_away_lost_that),
		cmocka_unit_test(own_counters_made_anew),
		cmocka_unit_test(every_state),
		cmocka_unit_test(never_answered_is_down),
		cmocka_unit_test(alive_by_what_the_kernel_says),
		cmocka_unit_test(seldom_probed_paths_too),
		cmocka_unit_test(loss_is_seen_in_time),
		cmocka_unit_test(usual_loss_is_no_brown_out),
		cmocka_unit_test(bad_is_never_usual),
		cmocka_unit_test(three_lost_are_no_brown_out),
		cmocka_unit_test(every_name),
	};

	return cmocka_run_group_tests_name("path_stats", tests, NULL, NULL);
}
