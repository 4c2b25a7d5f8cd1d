/* SPDX-License-Identifier: GPL-2.0-only */
/* How often probes are sent: by what a path is for, and with a bound for all together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "steering_nodes.h"

#define PATHS 4
#define NODES_MAX 200
#define PROBE_BITS ((DP_PROBE_LEN + 28) * 8)

static struct world {
	struct config config;
	struct steering s;
	struct steering_node nodes[NODES_MAX];
	struct steering_path paths[NODES_MAX][PATHS];
	struct forwarding_site sites[NODES_MAX];
} world;

/* One followed gateway at each of n sites; of four paths three are near, the last is brown. */
static struct steering *world_init(size_t n)
{
	struct world *w = &world;

	memset(w, 0, sizeof(*w));
	w->config.mesh.probe_fast_ms = 10;
	w->config.mesh.probe_slow_ms = 500;
	w->s = (struct steering){
		.config = &w->config,
		.nodes = w->nodes,
		.n_nodes = n,
		.sites = w->sites,
		.self.active = true,
	};
	for (size_t i = 0; i < n; i++) {
		struct steering_node *node = &w->nodes[i];

		node->id = (uint16_t)(i + 2);
		node->site = i;
		node->carry = 1452;
		node->paths = w->paths[i];
		node->n_paths = PATHS;
		node->decision = (struct path_decision){
			.n_order = 4, .n_near = 2, .order = { 0, 1, 2, 3 }, .second = { 1, 0, 0, 0 }
		};
		for (size_t p = 0; p < PATHS; p++) {
			w->paths[i][p].way.path.local.family = IP_V4;
			w->paths[i][p].interval_us = 500000;
		}
		w->sites[i].current = node->id;
	}
	return &w->s;
}

static void fast_where_it_matters(void **state)
{
	struct steering *s = world_init(2);
	struct steering_node *node = &s->nodes[0];

	(void)state;
	node->choice.memory[3].rank = PATH_RANK_BROWN;
	for (size_t p = 0; p < PATHS; p++) {
		assert_int_equal(steering_pace_interval_us(s, node, p), p == 2 ? 500000 : 10000);
		assert_int_equal(steering_pace_carries(s, node, p), p != 2);
	}
	/* A gateway that is not followed, and from one that stands by. */
	s->sites[0].current = 99;
	assert_int_equal(steering_pace_interval_us(s, node, 0), 100000);
	assert_int_equal(steering_pace_interval_us(s, node, 2), 500000);
	assert_false(steering_pace_carries(s, node, 0));
	s->sites[0].current = node->id;
	s->self.active = false;
	assert_int_equal(steering_pace_interval_us(s, node, 0), 100000);
	/* To relays. */
	s->self.active = true;
	node->site = SIZE_MAX;
	assert_int_equal(steering_pace_interval_us(s, node, 0), 500000);
	node->site = 0;
	/* From relays to gateways that say that they are active, and to others. */
	world.config.is_relay = true;
	assert_int_equal(steering_pace_interval_us(s, node, 0), 100000);
	node->active = true;
	assert_int_equal(steering_pace_interval_us(s, node, 0), 10000);
	assert_int_equal(steering_pace_interval_us(s, node, 2), 500000);
}

static double cost(const struct steering *s)
{
	double bits = 0;

	for (size_t i = 0; i < s->n_nodes; i++)
		for (size_t p = 0; p < PATHS; p++)
			bits += PROBE_BITS * 1e6 / steering_pace_interval_us(s, &s->nodes[i], p);
	return bits;
}

static void all_together_have_a_bound(void **state)
{
	(void)state;
	for (size_t n = 1; n <= NODES_MAX; n++) {
		struct steering *s = world_init(n);
		const double wanted = cost(s);

		s->stretch = steering_pace_stretch(s);
		assert_true(cost(s) <= STEERING_PROBE_BITS_MAX);
		/* No more than is needed. */
		assert_true(s->stretch == 1 ||
			    wanted > (s->stretch - 1.0) * STEERING_PROBE_BITS_MAX);
	}
}

/* At the border it does not go to and fro. */
static void back_with_room(void **state)
{
	struct steering *s = world_init(NODES_MAX);
	size_t n = 1;

	(void)state;
	while (s->n_nodes = n, steering_pace_stretch(s) == 1)
		n++;
	s->stretch = 2;
	s->n_nodes = n - 1;
	assert_int_equal(steering_pace_stretch(s), 2);
	s->n_nodes = n * 8 / 10;
	assert_int_equal(steering_pace_stretch(s), 1);
}

static void what_is_shown(void **state)
{
	struct steering *s = world_init(1);
	struct steering_path *path = &s->nodes[0].paths[0];

	(void)state;
	path->interval_us = 10000;
	path->carries = true;
	path->payload = 1452;
	/* 100 of 124 bytes, and one of 1480 every two seconds. */
	assert_true(steering_pace_bits(&s->nodes[0], path) - (99200 + 5920) < 0.01);
	assert_true((99200 + 5920) - steering_pace_bits(&s->nodes[0], path) < 0.01);
	/* To a relay there is no tunnel. */
	s->nodes[0].carry = 0;
	assert_true(steering_pace_bits(&s->nodes[0], path) - 99200 < 0.01);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fast_where_it_matters),
		cmocka_unit_test(all_together_have_a_bound),
		cmocka_unit_test(back_with_room),
		cmocka_unit_test(what_is_shown),
	};

	return cmocka_run_group_tests_name("steering_pace", tests, NULL, NULL);
}
