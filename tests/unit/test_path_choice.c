/* SPDX-License-Identifier: GPL-2.0-only */
/* The choice among simulated paths, for hours of simulated time. test_path_order.c: its properties. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "path_choice.h"

#define MS UINT64_C(1000)
#define S (1000 * MS)
#define MIN (60 * S)
#define PENDING 1024
#define FIRST_SEQUENCE (UINT64_C(1700000000) << 32)
#define START_US (1000 * S)
#define N(array) (sizeof(array) / sizeof((array)[0]))

/* -- A peer with several paths, each probed -- */

struct reply {
	uint64_t at_us, sent_us, sequence;
	uint32_t remote_received;
};

struct sim_path {
	struct path_stats stats;
	uint64_t interval_us, next_us;
	uint64_t rtt_us, tail_us; /* heavy tail: tail_us / u, up to tail_max_us */
	uint64_t tail_max_us;
	uint32_t loss_ppm;
	uint64_t sequence, last_sent_us, last_reply_us, free_us;
	uint32_t replies, remote;
	struct reply pending[PENDING]; /* in order of arrival: no reply overtakes another */
	unsigned int head, n;
};

struct sim {
	struct path_choice choice;
	struct path_decision decision;
	struct path paths[DP_PATHS_MAX];
	struct sim_path path[8];
	size_t n;
	uint64_t seed, now_us;
	bool slow;		 /* those that are not first are probed twice a second only */
	unsigned int changes;	 /* of the first path */
	uint64_t last_change_us; /* the time of that */
};

static uint64_t splitmix(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Direct paths, number i from own address i to the peer's address i: all disjoint. */
static struct sim *sim_new(uint64_t seed, enum dp_class class, size_t n)
{
	struct sim *sim = calloc(1, sizeof(*sim));

	assert_non_null(sim);
	path_choice_init(&sim->choice, class);
	sim->n = n;
	sim->seed = seed;
	sim->now_us = START_US;
	for (size_t i = 0; i < n; i++) {
		struct sim_path *path = &sim->path[i];

		sim->paths[i] = (struct path){ .peer = 2,
					       .number = (uint8_t)i,
					       .kind = DP_KIND_GATEWAY,
					       .local_wan = (uint8_t)i,
					       .remote_wan = (uint8_t)i,
					       .remote_wans = (uint8_t)n,
					       .local = { .family = IP_V4 },
					       .remote = { .family = IP_V4 } };
		path_stats_init(&path->stats);
		path->interval_us = 10 * MS;
		path->rtt_us = 50 * MS;
		path->sequence = FIRST_SEQUENCE;
		path->next_us = START_US + i * MS;
	}
	return sim;
}

static void sim_probe(struct sim *sim, struct sim_path *path)
{
	struct reply *reply;
	uint64_t tail_us = 0;

	path->sequence++;
	path->last_sent_us = sim->now_us;
	path->next_us += path->interval_us;
	if (splitmix(&sim->seed) % 1000000 < path->loss_ppm)
		return;
	path->remote++;
	assert_true(path->n < PENDING);
	reply = &path->pending[(path->head + path->n++) % PENDING];
	if (path->tail_us)
		tail_us = path->tail_us * 1000 / (1 + splitmix(&sim->seed) % 1000);
	if (tail_us > path->tail_max_us)
		tail_us = path->tail_max_us;
	*reply = (struct reply){ sim->now_us + path->rtt_us + tail_us, sim->now_us, path->sequence,
				 path->remote };
	if (reply->at_us < path->free_us)
		reply->at_us = path->free_us;
	path->free_us = reply->at_us;
}

static void sim_receive(struct sim *sim, struct sim_path *path)
{
	while (path->n && path->pending[path->head].at_us <= sim->now_us) {
		const struct reply *reply = &path->pending[path->head];
		struct path_sample sample = {
			.at_us = reply->at_us,
			.sequence = reply->sequence,
			.rtt_us = (uint32_t)(reply->at_us - reply->sent_us),
			.replies = ++path->replies,
			.remote_received = reply->remote_received,
			.payload = 96,
		};

		path->head = (path->head + 1) % PENDING;
		path->n--;
		path->last_reply_us = sample.at_us;
		path_stats_sample(&path->stats, &sample);
	}
}

static bool sim_alive(const struct sim_path *path)
{
	return path->last_reply_us &&
	       path->last_sent_us <= path->last_reply_us + path->interval_us * 7 / 2;
}

static void sim_decide(struct sim *sim)
{
	struct path_metrics metrics[DP_PATHS_MAX];

	for (size_t i = 0; i < sim->n; i++) {
		struct sim_path *path = &sim->path[i];

		if (path->sequence != FIRST_SEQUENCE)
			path_stats_tick(&path->stats, sim->now_us, path->sequence, sim_alive(path));
		path_stats_metrics(&path->stats, sim->now_us, &metrics[i]);
	}
	path_choice_update(&sim->choice, sim->paths, metrics, sim->n, 0, sim->now_us,
			   &sim->decision);
	if (sim->decision.changed) {
		sim->changes++;
		sim->last_change_us = sim->now_us;
		assert_int_not_equal(sim->decision.before, sim->decision.order[0]);
	}
	for (size_t i = 0; sim->slow && i < sim->n; i++)
		sim->path[i].interval_us = sim->decision.order[0] == i ? 10 * MS : 500 * MS;
}

static void sim_run(struct sim *sim, uint64_t us)
{
	for (const uint64_t end_us = sim->now_us + us; sim->now_us < end_us; sim->now_us += MS) {
		for (size_t i = 0; i < sim->n; i++) {
			struct sim_path *path = &sim->path[i];

			if (path->next_us > sim->now_us + path->interval_us)
				path->next_us = sim->now_us + path->interval_us;
			if (sim->now_us >= path->next_us)
				sim_probe(sim, path);
			sim_receive(sim, path);
		}
		if (sim->now_us % (100 * MS) == 0)
			sim_decide(sim);
	}
}

static uint8_t sim_first(const struct sim *sim)
{
	return sim->decision.order[0];
}

/* -- Time -- */

static void noise_changes_nothing(void **state)
{
	static const uint64_t rtt_ms[] = { 62, 60, 60, 75, 90, 180 };
	unsigned int total = 0;

	(void)state;
	for (unsigned int round = 0; round < 4; round++) {
		struct sim *sim = sim_new(round, round / 2 ? DP_CLASS_BULK : DP_CLASS_BEST, 6);
		unsigned int initial;

		sim->slow = round % 2;
		for (size_t i = 0; i < sim->n; i++) {
			sim->path[i].rtt_us = rtt_ms[i] * MS;
			sim->path[i].tail_us = 300;
			sim->path[i].tail_max_us = 20 * MS;
			sim->path[i].loss_ppm = 5000;
		}
		sim_run(sim, 1 * S);
		initial = sim->changes;
		sim_run(sim, 60 * MIN);
		assert_in_range(sim->changes - initial, 0, 1);
		assert_in_range(sim_first(sim), 0, 2);
		total += sim->changes - initial;
		free(sim);
	}
	print_message("# %u changes in 4 hours of noise\n", total);
}

static void loss_is_left_within_3_s(void **state)
{
	uint64_t worst_us = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 100; seed++) {
		struct sim *sim = sim_new(seed, DP_CLASS_BEST, 3);
		uint64_t from_us;

		sim->slow = seed % 2;
		sim->path[0].rtt_us = 40 * MS;
		sim->path[1].rtt_us = 80 * MS;
		sim->path[2].rtt_us = 90 * MS;
		sim_run(sim, 70 * S);
		assert_int_equal(sim_first(sim), 0);
		sim->path[0].loss_ppm = 50000;
		from_us = sim->now_us;
		while (!sim_first(sim)) {
			sim_run(sim, 100 * MS);
			assert_true(sim->now_us - from_us <= 3 * S);
		}
		if (sim->now_us - from_us > worst_us)
			worst_us = sim->now_us - from_us;
		assert_int_equal(sim_first(sim), 1);
		assert_int_equal(sim->decision.reason, PATH_REASON_BROWN);
		assert_int_equal(sim->decision.before, 0);
		free(sim);
	}
	print_message("# 5 %% loss left after %u ms at worst\n", (unsigned int)(worst_us / MS));
}

/* As long as a path loses, it is not returned to. */
static void loss_that_stays_is_left_once(void **state)
{
	static const uint32_t losses[] = { 50000, 300000 };

	(void)state;
	for (unsigned int round = 0; round < 8; round++) {
		struct sim *sim = sim_new(round, DP_CLASS_BEST, 2);
		unsigned int initial;

		sim->slow = round % 2;
		sim->path[0].rtt_us = 40 * MS;
		sim->path[1].rtt_us = 80 * MS;
		sim_run(sim, 70 * S);
		initial = sim->changes;
		sim->path[0].loss_ppm = losses[round / 2 % 2];
		sim_run(sim, 30 * MIN);
		assert_int_equal(sim_first(sim), 1);
		assert_int_equal(sim->changes - initial, 1);
		free(sim);
	}
}

static void death_and_return(void **state)
{
	struct sim *sim = sim_new(3, DP_CLASS_BEST, 3);
	uint64_t at_us;
	uint8_t first;

	(void)state;
	sim->path[0].rtt_us = 40 * MS;
	sim->path[1].rtt_us = 80 * MS;
	sim->path[2].rtt_us = 60 * MS;
	sim_run(sim, 70 * S);
	assert_int_equal(sim_first(sim), 0);
	assert_int_equal(sim->decision.order[1], 2);
	assert_int_equal(sim->decision.second[0], 2);
	assert_int_equal(sim->decision.second[1], 0);

	sim->path[0].loss_ppm = 1000000;
	at_us = sim->now_us;
	sim_run(sim, 500 * MS);
	assert_int_equal(sim_first(sim), 2);
	assert_int_equal(sim->decision.reason, PATH_REASON_DEAD);
	assert_in_range(sim->last_change_us, at_us, at_us + 400 * MS);
	assert_int_equal(sim->decision.order[2], 0);
	assert_int_equal(sim->decision.second[0], 1);
	assert_int_equal(sim->choice.memory[0].rank, PATH_RANK_DEAD);

	/* Back: held down for 10 s, then better for 3 s. */
	sim->path[0].loss_ppm = 0;
	at_us = sim->now_us;
	sim_run(sim, 9900 * MS);
	assert_int_equal(sim->choice.memory[0].rank, PATH_RANK_HELD);
	sim_run(sim, 10 * S);
	assert_int_equal(sim_first(sim), 0);
	assert_int_equal(sim->decision.reason, PATH_REASON_BETTER);
	assert_in_range(sim->last_change_us, at_us + 13 * S, at_us + 13400 * MS);
	assert_int_equal(sim->choice.since_us, sim->last_change_us);

	/* All die: the last good choice stays. */
	for (size_t i = 0; i < sim->n; i++)
		sim->path[i].loss_ppm = 1000000;
	sim_run(sim, 1 * S);
	first = sim_first(sim);
	sim_run(sim, 10 * S);
	assert_int_equal(sim_first(sim), first);
	/* The first to return is taken, held down or not. */
	sim->path[(first + 1) % 3].loss_ppm = 0;
	sim_run(sim, 1 * S);
	assert_int_equal(sim_first(sim), (first + 1) % 3);
	free(sim);
}

/* A better path takes the first place after the hold time, a slightly better one never. */
static void only_for_the_better(void **state)
{
	struct sim *sim = sim_new(4, DP_CLASS_BEST, 2);
	unsigned int initial;
	uint64_t at_us;

	(void)state;
	sim->path[0].rtt_us = 60 * MS;
	sim->path[1].rtt_us = 100 * MS;
	sim_run(sim, 20 * S);
	initial = sim->changes;
	sim->path[1].rtt_us = 55 * MS;
	sim_run(sim, 10 * MIN);
	assert_int_equal(sim->changes, initial);
	/* Shorter than the hold time. */
	sim->path[1].rtt_us = 30 * MS;
	sim_run(sim, 2500 * MS);
	sim->path[1].rtt_us = 55 * MS;
	sim_run(sim, 60 * S);
	assert_int_equal(sim->changes, initial);
	sim->path[1].rtt_us = 30 * MS;
	at_us = sim->now_us;
	sim_run(sim, 10 * S);
	assert_int_equal(sim_first(sim), 1);
	assert_in_range(sim->last_change_us, at_us + 3 * S, at_us + 3500 * MS);
	/* On short paths two milliseconds, not a tenth. */
	sim->path[1].rtt_us = 2 * MS;
	sim->path[0].rtt_us = 500;
	initial = sim->changes;
	sim_run(sim, 60 * S);
	assert_int_equal(sim->changes, initial);
	free(sim);
}

static void flapping_is_held_down(void **state)
{
	struct sim *sim = sim_new(5, DP_CLASS_BEST, 2);
	unsigned int initial, falls = 0;
	uint64_t hold_us = 0;

	(void)state;
	sim->path[0].rtt_us = 40 * MS;
	sim->path[1].rtt_us = 80 * MS;
	sim_run(sim, 70 * S);
	initial = sim->changes;
	/* Dies every 25 s, for one: an hour would make 288 changes. */
	for (; falls < 144; falls++) {
		sim->path[0].loss_ppm = 1000000;
		sim_run(sim, 1 * S);
		sim->path[0].loss_ppm = 0;
		sim_run(sim, 24 * S);
		assert_true(sim->choice.memory[0].hold_us >= hold_us);
		hold_us = sim->choice.memory[0].hold_us;
		if (falls < 5)
			assert_int_equal(hold_us, (10 * S) << falls);
	}
	assert_int_equal(hold_us, PATH_CHOICE_DOWN_MAX_US);
	assert_in_range(sim->changes - initial, 1, 6);
	assert_int_equal(sim_first(sim), 1);
	/* It is good at last, and is trusted again. */
	sim_run(sim, 170 * S);
	assert_int_equal(sim_first(sim), 0);
	/* After 20 minutes a fall is held for no longer than at first. */
	sim_run(sim, 25 * MIN);
	sim->path[0].loss_ppm = 1000000;
	sim_run(sim, 1 * S);
	assert_int_equal(sim->choice.memory[0].hold_us, 10 * S);
	free(sim);
}

/* -- Cost -- */

static struct path_metrics metric(uint32_t srtt_ms, uint32_t loss_ppm)
{
	return (struct path_metrics){ .alive = true,
				      .srtt_us = srtt_ms * 1000,
				      .loss_out_ppm = loss_ppm,
				      .loss_probes = 6000,
				      .alive_since_us = 1 * S };
}

static void cost_weighs(void **state)
{
	const struct path_metrics clean = metric(60, 0), lossy = metric(10, 10000);
	struct path_metrics a, b;

	(void)state;
	/* 1 % of loss outweighs 50 ms. */
	assert_int_equal(path_choice_cost_us(DP_CLASS_BEST, &clean), 60 * MS);
	assert_true(path_choice_cost_us(DP_CLASS_BEST, &clean) <
		    path_choice_cost_us(DP_CLASS_BEST, &lossy));
	/* For bulk 1 % at 10 ms is worse than 90 ms without: 1/(rtt sqrt(p)). */
	a = metric(90, 0);
	assert_true(path_choice_cost_us(DP_CLASS_BULK, &a) <
		    path_choice_cost_us(DP_CLASS_BULK, &lossy));
	a = metric(50, 10000);
	b = metric(100, 2500);
	assert_int_equal(path_choice_cost_us(DP_CLASS_BULK, &a),
			 path_choice_cost_us(DP_CLASS_BULK, &b));
	/* Bounded, and never less for more. */
	for (unsigned int class = 0; class < DP_CLASS_MAX; class ++) {
		uint64_t before = 0, cost;

		for (uint32_t ppm = 0; ppm <= 1000000; ppm += 500) {
			a = metric(80, ppm);
			cost = path_choice_cost_us((enum dp_class) class, &a);
			assert_true(cost >= before);
			before = cost;
		}
		a.srtt_us = a.jitter_us = a.loss_in_ppm = UINT32_MAX;
		assert_true(path_choice_cost_us((enum dp_class) class, &a) < 100 * S);
	}
	a = metric(0, 0);
	assert_int_equal(path_choice_cost_us(DP_CLASS_BEST, &a), 0);
}

/* Decides until the hold time is over, with what is given. */
static void settle(struct path_choice *choice, const struct path *paths,
		   const struct path_metrics *metrics, size_t n, uint16_t mtu, uint64_t *now_us,
		   struct path_decision *ret_decision)
{
	for (unsigned int i = 0; i < 40; i++, *now_us += 100 * MS)
		path_choice_update(choice, paths, metrics, n, mtu, *now_us, ret_decision);
}

/* A clean minute of two probes a second is no merit against 0.1 % of six thousand. */
static void chance_is_no_merit(void **state)
{
	struct sim *sim = sim_new(0, DP_CLASS_BULK, 2);
	struct path_metrics metrics[2] = { metric(60, 3000), metric(60, 0) };
	uint64_t now_us = START_US;

	(void)state;
	path_choice_adopt(&sim->choice, (const uint8_t[]){ 0, 1 }, 2, now_us);
	metrics[1].loss_probes = 120;
	settle(&sim->choice, sim->paths, metrics, 2, 0, &now_us, &sim->decision);
	assert_int_equal(sim_first(sim), 0);
	assert_int_equal(sim->decision.reason, PATH_REASON_ADOPTED);
	metrics[1].loss_probes = 6000;
	settle(&sim->choice, sim->paths, metrics, 2, 0, &now_us, &sim->decision);
	assert_int_equal(sim_first(sim), 1);
	free(sim);
}

static void narrow_paths_are_left(void **state)
{
	struct sim *sim = sim_new(0, DP_CLASS_BEST, 2);
	struct path_metrics metrics[2] = { metric(20, 0), metric(90, 0) };
	uint64_t now_us = START_US;

	(void)state;
	settle(&sim->choice, sim->paths, metrics, 2, 1452, &now_us, &sim->decision);
	assert_int_equal(sim_first(sim), 0);
	metrics[0].mtu = 1268;
	path_choice_update(&sim->choice, sim->paths, metrics, 2, 1452, now_us, &sim->decision);
	assert_int_equal(sim_first(sim), 1);
	assert_int_equal(sim->decision.reason, PATH_REASON_NARROW);
	/* With less to carry it will do. */
	settle(&sim->choice, sim->paths, metrics, 2, 1268, &now_us, &sim->decision);
	assert_int_equal(sim_first(sim), 0);
	free(sim);
}

/* -- Several at once -- */

/* Two addresses at each end, all pairs, and two relays from each: as with two providers. */
static void fill_mesh(struct path *paths)
{
	for (uint8_t i = 0; i < 8; i++)
		paths[i] = (struct path){
			.peer = 2,
			.number = i,
			.kind = DP_KIND_GATEWAY,
			.relay = i < 4 ? 0 : (uint16_t)(100 + i / 6),
			.local_wan = i < 4 ? i / 2 : i % 2,
			.remote_wan = i < 4 ? i % 2 : 0,
			.remote_wans = 2,
			.local = { .family = IP_V4 },
			.remote = { .family = IP_V4 },
		};
}

/* All direct paths die at once; the two by which the kernel tries them are next to the relay. */
static void two_failures_at_once(void **state)
{
	struct sim *sim = sim_new(0, DP_CLASS_BEST, 8);
	struct path_metrics metrics[8];
	uint64_t now_us = START_US;
	uint8_t third;

	(void)state;
	fill_mesh(sim->paths);
	for (uint8_t i = 0; i < 8; i++)
		metrics[i] = metric(i < 4 ? 20u + i : 80u + i, 0);
	settle(&sim->choice, sim->paths, metrics, 8, 0, &now_us, &sim->decision);
	assert_int_equal(sim->decision.order[0], 0);
	assert_int_equal(sim->decision.order[1], 3);
	assert_int_equal(sim->decision.second[0], 3);
	/* By a relay, the cheapest: it has one address in common with each pair of the direct ones. */
	third = sim->decision.order[2];
	assert_int_equal(third, 4);
	assert_int_equal(sim->decision.n_near, 3);
	for (uint8_t i = 0; i < 8; i++)
		assert_int_equal(path_decision_is_near(&sim->decision, i),
				 i == 0 || i == 3 || i == third);

	/* Known to be dead so far are those that are probed fast; 1 and 2 look alive and better. */
	metrics[0].alive = metrics[3].alive = false;
	path_choice_update(&sim->choice, sim->paths, metrics, 8, 0, now_us, &sim->decision);
	assert_int_equal(sim_first(sim), third);
	assert_int_equal(sim->decision.reason, PATH_REASON_DEAD);

	/* The same after a restart of the daemon, which finds the order in the kernel. */
	path_choice_init(&sim->choice, DP_CLASS_BEST);
	path_choice_adopt(&sim->choice, (const uint8_t[]){ 0, 3, 4, 1, 2 }, 5, now_us);
	path_choice_update(&sim->choice, sim->paths, metrics, 8, 0, now_us, &sim->decision);
	assert_int_equal(sim_first(sim), 4);

	/* The third is no longer good: another one by a relay, never the second best direct one. */
	for (uint8_t i = 0; i < 4; i++)
		metrics[i] = metric(20u + i, 0);
	path_choice_init(&sim->choice, DP_CLASS_BEST);
	metrics[4].brown = true;
	settle(&sim->choice, sim->paths, metrics, 8, 0, &now_us, &sim->decision);
	assert_int_equal(sim->decision.order[2], 5);
	free(sim);
}

/* One address at this end: nothing is disjoint, but a relay shares less than another address. */
static void the_least_alike_without_a_partner(void **state)
{
	struct sim *sim = sim_new(0, DP_CLASS_BEST, 3);
	struct path_metrics metrics[3] = { metric(20, 0), metric(21, 0), metric(80, 0) };
	uint64_t now_us = START_US;

	(void)state;
	for (uint8_t i = 0; i < 3; i++) {
		sim->paths[i].local_wan = 0;
		sim->paths[i].remote_wans = 2;
	}
	sim->paths[2].relay = 100;
	sim->paths[2].remote_wan = 0;
	settle(&sim->choice, sim->paths, metrics, 3, 0, &now_us, &sim->decision);
	assert_int_equal(sim->decision.second[0], DP_NO_PATH);
	assert_memory_equal(sim->decision.order, ((const uint8_t[]){ 0, 2, 1 }), 3);
	assert_int_equal(sim->decision.n_near, 3);
	metrics[0].alive = false;
	path_choice_update(&sim->choice, sim->paths, metrics, 3, 0, now_us, &sim->decision);
	assert_int_equal(sim_first(sim), 2);
	free(sim);
}

/* A narrow path that loses nothing is better than a wide one that does. */
static void narrow_before_brown(void **state)
{
	struct sim *sim = sim_new(0, DP_CLASS_BEST, 2);
	struct path_metrics metrics[2] = { metric(20, 0), metric(90, 0) };
	uint64_t now_us = START_US;

	(void)state;
	metrics[1].mtu = 1268;
	settle(&sim->choice, sim->paths, metrics, 2, 1452, &now_us, &sim->decision);
	assert_int_equal(sim_first(sim), 0);
	metrics[0].brown = true;
	path_choice_update(&sim->choice, sim->paths, metrics, 2, 1452, now_us, &sim->decision);
	assert_int_equal(sim_first(sim), 1);
	assert_int_equal(sim->decision.reason, PATH_REASON_BROWN);
	/* The next one to be taken is near in any case. */
	assert_int_equal(sim->decision.n_near, 2);
	free(sim);
}

/* -- Lists that change -- */

static void a_path_that_is_gone(void **state)
{
	struct sim *sim = sim_new(0, DP_CLASS_BEST, 3);
	struct path_metrics metrics[3] = { metric(90, 0), metric(20, 0), metric(50, 0) };
	uint8_t map[DP_PATHS_MAX];
	uint64_t now_us = START_US;

	(void)state;
	settle(&sim->choice, sim->paths, metrics, 3, 0, &now_us, &sim->decision);
	assert_int_equal(sim_first(sim), 1);
	assert_int_equal(sim->decision.reason, PATH_REASON_INITIAL);
	/* Number 1 is taken out, number 2 becomes number 1. */
	memset(map, DP_NO_PATH, sizeof(map));
	map[0] = 0;
	map[2] = 1;
	path_choice_renumber(&sim->choice, map);
	metrics[1] = metrics[2];
	path_choice_update(&sim->choice, sim->paths, metrics, 2, 0, now_us, &sim->decision);
	assert_int_equal(sim_first(sim), 1);
	assert_true(sim->decision.changed);
	assert_int_equal(sim->decision.before, DP_NO_PATH);
	assert_int_equal(sim->decision.reason, PATH_REASON_GONE);
	path_choice_update(&sim->choice, sim->paths, metrics, 2, 0, now_us, &sim->decision);
	assert_false(sim->decision.changed);
	/* It moves, and is still the first. */
	map[0] = 1;
	map[1] = 0;
	path_choice_renumber(&sim->choice, map);
	metrics[0] = metric(50, 0);
	metrics[1] = metric(90, 0);
	path_choice_update(&sim->choice, sim->paths, metrics, 2, 0, now_us, &sim->decision);
	assert_int_equal(sim_first(sim), 0);
	assert_int_equal(sim->decision.before, 0);
	assert_false(sim->decision.changed);
	/* A shorter list without a word takes the same way. */
	metrics[0] = metric(90, 0);
	metrics[1] = metric(20, 0);
	settle(&sim->choice, sim->paths, metrics, 2, 0, &now_us, &sim->decision);
	assert_int_equal(sim_first(sim), 1);
	path_choice_update(&sim->choice, sim->paths, metrics, 1, 0, now_us, &sim->decision);
	assert_int_equal(sim_first(sim), 0);
	assert_int_equal(sim->decision.reason, PATH_REASON_GONE);
	/* None at all. */
	path_choice_update(&sim->choice, sim->paths, metrics, 0, 0, now_us, &sim->decision);
	assert_int_equal(sim->decision.n_order, 0);
	assert_int_equal(sim->decision.reason, PATH_REASON_NONE);
	free(sim);
}

static void a_death_between_two_looks(void **state)
{
	struct sim *sim = sim_new(0, DP_CLASS_BEST, 2);
	struct path_metrics metrics[2] = { metric(20, 0), metric(90, 0) };
	uint64_t now_us = START_US;

	(void)state;
	settle(&sim->choice, sim->paths, metrics, 2, 0, &now_us, &sim->decision);
	assert_int_equal(sim->choice.memory[0].rank, PATH_RANK_CANDIDATE);
	metrics[0].alive_since_us = now_us - 50 * MS;
	path_choice_update(&sim->choice, sim->paths, metrics, 2, 0, now_us, &sim->decision);
	assert_int_equal(sim->choice.memory[0].rank, PATH_RANK_HELD);
	/* It is in use and lives: nothing is won by leaving it now. */
	assert_int_equal(sim_first(sim), 0);
	free(sim);
}

static void every_name(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < PATH_RANK_MAX; i++)
		assert_non_null(path_rank_names[i]);
	for (unsigned int i = 0; i < PATH_REASON_MAX; i++)
		assert_non_null(path_reason_names[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(noise_changes_nothing),
		cmocka_unit_test(loss_is_left_within_3_s),
		cmocka_unit_test(loss_that_stays_is_left_once),
		cmocka_unit_test(death_and_return),
		cmocka_unit_test(only_for_the_better),
		cmocka_unit_test(flapping_is_held_down),
		cmocka_unit_test(cost_weighs),
		cmocka_unit_test(chance_is_no_merit),
		cmocka_unit_test(narrow_paths_are_left),
		cmocka_unit_test(two_failures_at_once),
		cmocka_unit_test(the_least_alike_without_a_partner),
		cmocka_unit_test(narrow_before_brown),
		cmocka_unit_test(a_path_that_is_gone),
		cmocka_unit_test(a_death_between_two_looks),
		cmocka_unit_test(every_name),
	};

	return cmocka_run_group_tests_name("path_choice", tests, NULL, NULL);
}
