/* SPDX-License-Identifier: GPL-2.0-only */
/* The tunnel's MTU by what paths carry: when it falls, when it rises, whose word counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "path_mtu.h"

#define S UINT64_C(1000000)
#define N_PATHS 4
#define CONFIGURED 1420
#define WHOLE (CONFIGURED + PATH_MTU_OVERHEAD)

/* Path 0 is in use, 1 and 2 are next, 3 is in the order; 1 is the partner of 0. */
struct world {
	struct path_mtu mtu;
	struct path_decision decision;
	struct path_metrics metrics[N_PATHS];
	uint16_t payloads[N_PATHS];
	bool bulk;
	uint16_t configured;
	uint64_t now_us;
};

static void world_init(struct world *w)
{
	*w = (struct world){
		.decision = { .n_order = 4,
			      .n_near = 3,
			      .order = { 0, 1, 2, 3 },
			      .second = { 1, DP_NO_PATH, DP_NO_PATH, DP_NO_PATH } },
		.configured = CONFIGURED,
		.now_us = 1000 * S,
	};
	path_mtu_init(&w->mtu);
	for (size_t i = 0; i < N_PATHS; i++)
		w->metrics[i].alive = true;
}

static bool update(struct world *w, uint64_t after_us)
{
	w->now_us += after_us;
	return path_mtu_update(&w->mtu, &w->decision, w->metrics, w->payloads, N_PATHS, w->bulk,
			       w->configured, w->now_us);
}

static void expect(struct world *w, uint16_t mtu, uint8_t path)
{
	assert_int_equal(w->mtu.mtu, mtu);
	assert_int_equal(w->mtu.path, path);
}

static void what_is_not_known_limits_nothing(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	assert_true(update(&w, 0)); /* the first decision */
	expect(&w, CONFIGURED, DP_NO_PATH);
	for (size_t i = 0; i < N_PATHS; i++)
		w.payloads[i] = WHOLE;
	assert_false(update(&w, S));
	expect(&w, CONFIGURED, DP_NO_PATH);
}

static void whose_word_counts(void **state)
{
	struct world w;

	(void)state;
	/* The one in use, its partner, the third: yes. Others, unless flows are spread over them: no. */
	for (unsigned int bulk = 0; bulk < 2; bulk++) {
		for (uint8_t i = 0; i < N_PATHS; i++) {
			const bool counts = i < 3 || bulk;

			world_init(&w);
			w.bulk = bulk;
			update(&w, 0);
			w.payloads[i] = 1352;
			assert_int_equal(update(&w, S), counts);
			expect(&w, counts ? 1320 : CONFIGURED, counts ? i : DP_NO_PATH);
		}
	}
	/* Flows are spread over candidates, as long as one of them lives; over all others then. */
	world_init(&w);
	w.bulk = true;
	w.decision.spread = 1;
	w.payloads[3] = 1352;
	update(&w, 0);
	expect(&w, CONFIGURED, DP_NO_PATH);
	w.metrics[0].alive = false;
	update(&w, S);
	expect(&w, 1320, 3);
	/* The partner counts wherever it is. */
	world_init(&w);
	w.decision.second[0] = 3;
	w.payloads[3] = 1352;
	update(&w, 0);
	expect(&w, 1320, 3);
	/* A dead one does not. */
	world_init(&w);
	w.metrics[1].alive = false;
	w.payloads[1] = 1352;
	update(&w, 0);
	expect(&w, CONFIGURED, DP_NO_PATH);
}

static void less_at_once_more_after_a_minute(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	update(&w, 0);
	w.payloads[0] = 1400;
	assert_true(update(&w, 1));
	expect(&w, 1368, 0);
	w.payloads[1] = 1350;
	assert_true(update(&w, 1));
	expect(&w, 1318, 1);
	/* Wider for a minute but for one moment. */
	w.payloads[1] = WHOLE;
	assert_false(update(&w, 1));
	assert_false(update(&w, PATH_MTU_HOLD_US - 1));
	w.payloads[1] = 1350;
	assert_false(update(&w, 1));
	w.payloads[1] = WHOLE;
	assert_false(update(&w, 1));
	assert_false(update(&w, PATH_MTU_HOLD_US - 1));
	expect(&w, 1318, 1);
	/* To the least of what held all that time. */
	assert_true(update(&w, 1));
	expect(&w, 1368, 0);
	w.payloads[0] = WHOLE;
	assert_false(update(&w, 0));
	w.payloads[0] = 1410;
	assert_false(update(&w, S));
	w.payloads[0] = WHOLE;
	assert_false(update(&w, S));
	assert_true(update(&w, PATH_MTU_HOLD_US));
	assert_int_equal(w.mtu.mtu, 1378);
	assert_false(update(&w, S));
	assert_true(update(&w, PATH_MTU_HOLD_US));
	expect(&w, CONFIGURED, DP_NO_PATH);
}

static void below_what_a_device_can(void **state)
{
	struct world w;

	(void)state;
	/* 1,296 bytes outside: 1236 inside, of which 1232 are a multiple of 16. */
	assert_int_equal(path_mtu_of(1296 - 28), 1232);
	assert_int_equal(path_mtu_of(1280 + PATH_MTU_OVERHEAD), 1280);
	assert_int_equal(path_mtu_of(1281 + PATH_MTU_OVERHEAD), 1281);
	assert_int_equal(path_mtu_of(1279 + PATH_MTU_OVERHEAD), 1264);
	for (unsigned int payload = 1; payload <= WHOLE; payload++) {
		const uint16_t mtu = path_mtu_of((uint16_t)payload);

		assert_true(mtu >= 512);
		if (payload < PATH_MTU_PAYLOAD_MIN)
			continue;
		/* What WireGuard makes of it at most fits. */
		if (mtu < PATH_MTU_DEVICE_MIN)
			assert_true((mtu + 15) / 16 * 16 + PATH_MTU_OVERHEAD <= (int)payload);
		else
			assert_int_equal(mtu + PATH_MTU_OVERHEAD, payload);
	}
	world_init(&w);
	w.payloads[0] = 1; /* nothing at all */
	update(&w, 0);
	expect(&w, 512, 0);
}

static void the_configuration_at_once(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	update(&w, 0);
	w.configured = 1300;
	assert_true(update(&w, S));
	expect(&w, 1300, DP_NO_PATH);
	w.configured = 1400;
	assert_true(update(&w, S));
	expect(&w, 1400, DP_NO_PATH);
	/* But not past what a path carries. */
	w.payloads[2] = 1350;
	update(&w, S);
	w.configured = CONFIGURED;
	assert_false(update(&w, S));
	expect(&w, 1318, 2);
}

static void adopted_and_renumbered(void **state)
{
	uint8_t map[DP_PATHS_MAX];
	struct world w;

	(void)state;
	world_init(&w);
	path_mtu_adopt(&w.mtu, 1318, CONFIGURED);
	assert_false(update(&w, 0));
	expect(&w, 1318, DP_NO_PATH);
	/* The search finds it again before the minute is over. */
	w.payloads[1] = 1350;
	assert_false(update(&w, 10 * S));
	expect(&w, 1318, 1);
	memset(map, DP_NO_PATH, sizeof(map));
	map[1] = 0;
	path_mtu_renumber(&w.mtu, map);
	expect(&w, 1318, 0);
	map[0] = DP_NO_PATH;
	path_mtu_renumber(&w.mtu, map);
	expect(&w, 1318, DP_NO_PATH);
	/* Nothing limits: after the minute. */
	world_init(&w);
	path_mtu_adopt(&w.mtu, 1318, CONFIGURED);
	assert_false(update(&w, 0));
	assert_true(update(&w, PATH_MTU_HOLD_US));
	expect(&w, CONFIGURED, DP_NO_PATH);
	path_mtu_adopt(&w.mtu, 9000, CONFIGURED);
	expect(&w, CONFIGURED, DP_NO_PATH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_known_limits_nothing),
		cmocka_unit_test(whose_word_counts),
		cmocka_unit_test(less_at_once_more_after_a_minute),
		cmocka_unit_test(below_what_a_device_can),
		cmocka_unit_test(the_configuration_at_once),
		cmocka_unit_test(adopted_and_renumbered),
	};

	return cmocka_run_group_tests_name("path_mtu", tests, NULL, NULL);
}
