/* SPDX-License-Identifier: GPL-2.0-only */
/* Properties of every order, over random paths and random metrics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "path_choice.h"

#define S UINT64_C(1000000)

struct sim {
	struct path_choice choice;
	struct path_decision decision;
	struct path paths[DP_PATHS_MAX];
	size_t n;
	uint64_t now_us;
};

static uint64_t splitmix(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void random_paths(uint64_t *seed, struct path *paths, size_t n)
{
	uint8_t remote_wans = (uint8_t)(1 + splitmix(seed) % 3);

	for (size_t i = 0; i < n; i++) {
		uint64_t r = splitmix(seed);

		paths[i] = (struct path){ .peer = 2,
					  .number = (uint8_t)i,
					  .relay = r % 2 ? (uint16_t)(100 + r / 2 % 8) : 0,
					  .local_wan = (uint8_t)(r / 16 % 3),
					  .remote_wan = (uint8_t)(r / 64 % remote_wans),
					  .remote_wans = remote_wans,
					  .local = { .family = IP_V4 },
					  .remote = { .family = IP_V4 } };
	}
}

static void random_metrics(uint64_t *seed, struct path_metrics *metrics, size_t n, uint64_t now_us)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t r = splitmix(seed);
		struct path_metrics *m = &metrics[i];

		if (r % 3)
			continue;
		m->alive = r / 4 % 4;
		m->brown = r / 16 % 4 == 0;
		m->srtt_us = r / 64 % 8 ? (uint32_t)(r >> 32) % 200000 : 0;
		m->jitter_us = (uint32_t)(r >> 40) % 5000;
		m->loss_out_ppm = r / 512 % 2 ? (uint32_t)(r >> 20) % 50000 : 0;
		m->loss_probes = (uint32_t)(r >> 30) % 6000;
		m->mtu = r / 1024 % 4 ? 0 : 1268;
		m->alive_since_us = m->alive ? now_us - r % 3 : 0;
	}
}

static enum path_rank rank_of(const struct sim *sim, uint8_t number)
{
	enum path_rank rank = sim->choice.memory[number].rank;

	return rank == PATH_RANK_HELD ? PATH_RANK_CANDIDATE : rank;
}

static void check_partner(const struct sim *sim, uint8_t of, uint8_t second)
{
	enum path_apart apart = PATH_APART_NOT;

	if (second != DP_NO_PATH) {
		assert_in_range(second, 0, sim->n - 1);
		apart = path_apart(&sim->paths[of], &sim->paths[second]);
		assert_true(path_apart(&sim->paths[of], &sim->paths[second]) != PATH_APART_NOT);
	}
	for (uint8_t i = 0; i < sim->n; i++) {
		enum path_apart other = path_apart(&sim->paths[of], &sim->paths[i]);

		if (other == PATH_APART_NOT)
			continue;
		assert_int_not_equal(second, DP_NO_PATH);
		assert_true(rank_of(sim, second) < rank_of(sim, i) ||
			    (rank_of(sim, second) == rank_of(sim, i) && apart >= other));
	}
}

/* After the first and its partner, no good path shares less with those before than the next one. */
static void check_near(const struct sim *sim)
{
	const struct path_decision *d = &sim->decision;
	const uint8_t partner = d->second[0];

	assert_in_range(d->n_near, d->n_order < 2 ? d->n_order : 2, d->n_order);
	for (uint8_t at = 1; at < 3 && at < d->n_near; at++) {
		unsigned int common = 0;

		if (rank_of(sim, d->order[at]) != PATH_RANK_CANDIDATE)
			continue;
		if (at == 1 && d->order[1] == partner)
			continue;
		for (uint8_t t = 0; t < at; t++)
			common += path_common(&sim->paths[d->order[t]], &sim->paths[d->order[at]]);
		for (uint8_t i = 0; i < sim->n; i++) {
			unsigned int other = 0;

			for (uint8_t t = 0; t < at; t++)
				other += path_common(&sim->paths[d->order[t]], &sim->paths[i]);
			assert_true(other >= common || memchr(d->order, i, at) ||
				    rank_of(sim, i) != PATH_RANK_CANDIDATE);
		}
	}
}

static void check_decision(const struct sim *sim, const struct path_metrics *metrics)
{
	const struct path_decision *d = &sim->decision;
	bool seen[DP_PATHS_MAX] = { false }, whole[DP_PATHS_MAX] = { false }, dead = false;
	bool any_alive = false;

	assert_int_equal(d->n_order, sim->n < DP_ORDER_MAX ? sim->n : DP_ORDER_MAX);
	assert_int_equal(sim->choice.n_order, sim->n);
	for (size_t i = 0; i < sim->n; i++) {
		any_alive |= metrics[i].alive;
		assert_false(whole[sim->choice.order[i]]);
		whole[sim->choice.order[i]] = true;
	}
	for (uint8_t i = 0; i < d->n_order; i++) {
		assert_in_range(d->order[i], 0, sim->n - 1);
		assert_false(seen[d->order[i]]);
		seen[d->order[i]] = true;
		/* The dead at the end. */
		assert_false(dead && metrics[d->order[i]].alive);
		dead |= !metrics[d->order[i]].alive;
		check_partner(sim, d->order[i], d->second[i]);
		assert_int_equal(d->spread >> i & 1,
				 sim->choice.memory[d->order[i]].rank == PATH_RANK_CANDIDATE);
	}
	check_near(sim);
	assert_true(metrics[d->order[0]].alive || !any_alive);
	/* No path that is worse by its rank than another, but for one that fell. */
	for (uint8_t i = 0; i < sim->n; i++)
		assert_true(rank_of(sim, d->order[0]) <= rank_of(sim, i));
	if (d->second[0] != DP_NO_PATH && metrics[d->second[0]].alive)
		assert_true(seen[d->second[0]]);
}

static void properties(void **state)
{
	uint64_t seed = 9;

	(void)state;
	for (unsigned int round = 0; round < 600; round++) {
		struct sim *sim = calloc(1, sizeof(*sim));
		struct path_metrics metrics[DP_PATHS_MAX] = { 0 };

		assert_non_null(sim);
		path_choice_init(&sim->choice, (enum dp_class)(round % DP_CLASS_MAX));
		sim->now_us = 1000 * S;
		sim->n = 1 + splitmix(&seed) % DP_PATHS_MAX;
		random_paths(&seed, sim->paths, sim->n);
		for (unsigned int step = 0; step < 200; step++) {
			const uint8_t first = sim->decision.order[0];

			sim->now_us += splitmix(&seed) % (4 * S);
			random_metrics(&seed, metrics, sim->n, sim->now_us);
			path_choice_update(&sim->choice, sim->paths, metrics, sim->n, 1452,
					   sim->now_us, &sim->decision);
			check_decision(sim, metrics);
			if (!step)
				continue;
			assert_int_equal(sim->decision.before, first);
			assert_int_equal(sim->decision.changed, sim->decision.order[0] != first);
		}
		free(sim);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(properties),
	};

	return cmocka_run_group_tests_name("path_order", tests, NULL, NULL);
}
