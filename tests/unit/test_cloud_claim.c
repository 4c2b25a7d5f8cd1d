/* SPDX-License-Identifier: GPL-2.0-only */
/* When a gateway claims, asserts and looks again, with a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/claim.h"

#define VERIFY_MS 10000

static struct claim begin(bool active, uint64_t generation)
{
	struct claim claim;
	int64_t delay;

	claim_init(&claim, "b", VERIFY_MS, 1, 0);
	assert_int_equal(claim_work(&claim, 0, &delay), CLAIM_WORK_LOOK);
	if (active)
		claim_role(&claim, true, generation, 0);
	return claim;
}

static enum claim_work work_at(struct claim *claim, int64_t now_ms)
{
	int64_t delay;

	return claim_work(claim, now_ms, &delay);
}

static void test_way_up(void **state)
{
	struct claim claim = begin(true, 7);
	int64_t delay;

	(void)state;
	assert_int_equal(work_at(&claim, 0), CLAIM_WORK_CLAIM);
	claim_take(&claim, CLAIM_EVENT_WRITTEN, 0, 10);
	assert_int_equal(work_at(&claim, 10), CLAIM_WORK_READ);
	claim_take(&claim, CLAIM_EVENT_MISPLACED, 0, 20);
	assert_int_equal(work_at(&claim, 20), CLAIM_WORK_ASSERT);
	claim_take(&claim, CLAIM_EVENT_WRITTEN, 0, 30);
	assert_int_equal(work_at(&claim, 30), CLAIM_WORK_READ);
	assert_false(claim.held);
	claim_take(&claim, CLAIM_EVENT_HELD, 0, 40);
	assert_true(claim.held);
	assert_int_equal(claim.since_ms, 40);
	/* Looks again soon at first, for what was on its way, and then every interval. */
	assert_int_equal(claim_work(&claim, 40, &delay), CLAIM_WORK_NONE);
	assert_int_equal(delay, CLAIM_SETTLE_MS);
	for (int64_t now = 40, wait = CLAIM_SETTLE_MS;; wait *= 2) {
		now += wait < VERIFY_MS ? wait : VERIFY_MS;
		assert_int_equal(work_at(&claim, now), CLAIM_WORK_READ);
		claim_take(&claim, CLAIM_EVENT_HELD, 0, now);
		assert_int_equal(claim.since_ms, 40);
		if (wait > 8 * VERIFY_MS)
			break;
	}
}

static void test_same_role_again(void **state)
{
	struct claim claim = begin(true, 7);

	(void)state;
	claim_take(&claim, CLAIM_EVENT_WRITTEN, 0, 0);
	claim_take(&claim, CLAIM_EVENT_HELD, 0, 0);
	claim_role(&claim, true, 7, 1);
	assert_int_equal(claim.state, CLAIM_HELD);
	claim_role(&claim, true, 8, 2);
	assert_int_equal(claim.state, CLAIM_CLAIMING);
	assert_false(claim.held);
	claim_role(&claim, false, 8, 3);
	assert_int_equal(claim.state, CLAIM_IDLE);
	claim_role(&claim, true, 8, 4);
	assert_int_equal(claim.state, CLAIM_CLAIMING);
}

/* While standby nothing is written, whatever comes. */
static void test_idle(void **state)
{
	(void)state;
	for (unsigned int event = 0; event < CLAIM_EVENT_MAX; event++) {
		struct claim claim = begin(false, 0);

		if (event == CLAIM_EVENT_ACTIVE)
			continue;
		claim_take(&claim, event, 0, 1);
		assert_int_equal(claim.state, CLAIM_IDLE);
		assert_int_equal(work_at(&claim, 1), CLAIM_WORK_NONE);
		assert_int_equal(work_at(&claim, CLAIM_LOOK_MS + 1), CLAIM_WORK_LOOK);
	}
}

static void test_judge(void **state)
{
	struct claim claim = begin(true, 7);
	static const struct {
		struct cloud_view view;
		enum claim_event event;
	} cases[] = {
		{ { .own_generation = 7 }, CLAIM_EVENT_HELD },
		{ { .own_generation = 7, .misplaced = 1 }, CLAIM_EVENT_MISPLACED },
		{ { .own_generation = 6 }, CLAIM_EVENT_UNCLAIMED },
		{ { .own_generation = 9 }, CLAIM_EVENT_UNCLAIMED },
		{ { .own_generation = 7, .rival_generation = 6, .rival = "a" }, CLAIM_EVENT_HELD },
		{ { .own_generation = 7, .rival_generation = 8, .rival = "c" },
		  CLAIM_EVENT_OVERRULED },
		{ { .own_generation = 7, .rival_generation = 8, .rival = "a", .misplaced = 1 },
		  CLAIM_EVENT_OVERRULED },
		/* Equal: by name, and this node is "b". */
		{ { .own_generation = 7, .rival_generation = 7, .rival = "a" },
		  CLAIM_EVENT_OVERRULED },
		{ { .own_generation = 7, .rival_generation = 7, .rival = "c" }, CLAIM_EVENT_HELD },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(claim_judge(&claim, &cases[i].view), cases[i].event);
}

/* Later each time, never later than the maximum, and not all at the same time. */
static void test_backoff(void **state)
{
	struct claim claim = begin(true, 7);
	int64_t now = 0, delay, most = CLAIM_BACKOFF_MIN_MS;
	bool differs = false;

	(void)state;
	for (int i = 0; i < 20; i++) {
		claim_take(&claim, CLAIM_EVENT_FAILED, 0, now);
		assert_int_equal(claim.state, CLAIM_WAITING);
		assert_int_equal(claim_work(&claim, now, &delay), CLAIM_WORK_NONE);
		assert_true(delay >= most / 2 && delay <= most);
		differs |= delay != most;
		now += delay;
		assert_int_equal(work_at(&claim, now), CLAIM_WORK_READ);
		most = most * 2 < CLAIM_BACKOFF_MAX_MS ? most * 2 : CLAIM_BACKOFF_MAX_MS;
	}
	assert_true(differs);
	/* What the provider asks for counts if it is more. */
	claim_take(&claim, CLAIM_EVENT_FAILED, 90000, now);
	assert_int_equal(claim_work(&claim, now, &delay), CLAIM_WORK_NONE);
	assert_int_equal(delay, 90000);
}

static void test_lies(void **state)
{
	struct claim claim = begin(true, 7);

	(void)state;
	claim_take(&claim, CLAIM_EVENT_WRITTEN, 0, 0);
	claim_take(&claim, CLAIM_EVENT_MISPLACED, 0, 0);
	claim_take(&claim, CLAIM_EVENT_WRITTEN, 0, 0);
	claim_take(&claim, CLAIM_EVENT_MISPLACED, 0, 0);
	assert_int_equal(claim.state, CLAIM_WAITING);
	assert_false(claim.held);
	/* Then asked for again, since it may have been undone by somebody else. */
	assert_int_equal(work_at(&claim, 1000), CLAIM_WORK_READ);
	claim_take(&claim, CLAIM_EVENT_MISPLACED, 0, 1000);
	assert_int_equal(claim.state, CLAIM_ASSERTING);
	claim_take(&claim, CLAIM_EVENT_WRITTEN, 0, 1000);
	claim_take(&claim, CLAIM_EVENT_UNCLAIMED, 0, 1000);
	assert_int_equal(claim.state, CLAIM_CLAIMING);
	claim_take(&claim, CLAIM_EVENT_WRITTEN, 0, 1000);
	claim_take(&claim, CLAIM_EVENT_UNCLAIMED, 0, 1000);
	assert_int_equal(claim.state, CLAIM_WAITING);
}

/* What was confirmed is believed for three intervals without news, not longer. */
static void test_lease(void **state)
{
	struct claim claim = begin(true, 7);
	int64_t now = 0, delay;

	(void)state;
	claim_take(&claim, CLAIM_EVENT_WRITTEN, 0, 0);
	claim_take(&claim, CLAIM_EVENT_HELD, 0, 0);
	while (now < 3 * VERIFY_MS) {
		assert_true(claim.held);
		if (claim_work(&claim, now, &delay) == CLAIM_WORK_READ)
			claim_take(&claim, CLAIM_EVENT_FAILED, 0, now);
		(void)claim_work(&claim, now, &delay);
		assert_true(delay > 0 && now + delay <= 3 * VERIFY_MS);
		now += delay;
	}
	(void)claim_work(&claim, now, &delay);
	assert_int_equal(now, 3 * VERIFY_MS);
	assert_false(claim.held);
	assert_int_equal(claim.since_ms, 3 * VERIFY_MS);
}

/* ---- two of them and a provider, every step of which may come between any two of the other ---- */

struct provider {
	uint64_t record[2];
	int owner;
};

struct node {
	struct claim claim;
	struct cloud_view view;
};

/* One step of a node's work. Reading is two: the items, then the claims. */
static void step(struct node *nodes, int self, struct provider *provider, bool *reading,
		 int64_t now_ms)
{
	static const char *const names[] = { "a", "b" };
	struct node *node = &nodes[self];
	enum claim_event event;
	int64_t delay;

	if (reading[self]) {
		reading[self] = false;
		node->view.own_generation = provider->record[self];
		node->view.rival_generation = provider->record[!self];
		strcpy(node->view.rival, provider->record[!self] ? names[!self] : "");
		event = claim_judge(&node->claim, &node->view);
		claim_take(&node->claim, event, 0, now_ms);
		/* To believe that it holds means that no higher claim was on record just now. */
		if (event == CLAIM_EVENT_HELD)
			assert_true(provider->record[!self] <= node->claim.generation);
		return;
	}
	switch (claim_work(&node->claim, now_ms, &delay)) {
	case CLAIM_WORK_NONE:
	case CLAIM_WORK_LOOK:
		break;
	case CLAIM_WORK_CLAIM:
		provider->record[self] = node->claim.generation;
		claim_take(&node->claim, CLAIM_EVENT_WRITTEN, 0, now_ms);
		break;
	case CLAIM_WORK_READ:
		memset(&node->view, 0, sizeof(node->view));
		node->view.misplaced = provider->owner != self;
		reading[self] = true;
		break;
	case CLAIM_WORK_ASSERT:
		provider->owner = self;
		claim_take(&node->claim, CLAIM_EVENT_WRITTEN, 0, now_ms);
		break;
	}
}

static void test_race(void **state)
{
	uint64_t random = 42;

	(void)state;
	for (int round = 0; round < 5000; round++) {
		struct provider provider = { { 0 }, -1 };
		bool reading[2] = { false, false };
		struct node nodes[2];
		int high, steps = 0;

		random = random * 6364136223846793005u + 1442695040888963407u;
		high = (int)(random >> 33 & 1);
		claim_init(&nodes[0].claim, "a", VERIFY_MS, random, 0);
		claim_init(&nodes[1].claim, "b", VERIFY_MS, random + 1, 0);
		claim_role(&nodes[high].claim, true, 8, 0);
		claim_role(&nodes[!high].claim, true, 7, 0);
		while (steps < 400) {
			random = random * 6364136223846793005u + 1442695040888963407u;
			step(nodes, (int)(random >> 40 & 1), &provider, reading, steps++ * 200);
		}
		assert_int_equal(nodes[high].claim.state == CLAIM_HELD || nodes[high].claim.held,
				 1);
		assert_false(nodes[!high].claim.held);
		assert_int_equal(provider.owner, high);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_way_up),	cmocka_unit_test(test_same_role_again),
		cmocka_unit_test(test_idle),	cmocka_unit_test(test_judge),
		cmocka_unit_test(test_backoff), cmocka_unit_test(test_lies),
		cmocka_unit_test(test_lease),	cmocka_unit_test(test_race),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
