/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "follow.h"

/* The rules of follow.h, one filter each, and the best of what passes it. */
static bool passes(unsigned int rule, const struct follow_gateway *g, size_t i, int current)
{
	switch (rule) {
	case FOLLOW_ACTIVE:
		return g[i].alive && g[i].active;
	case FOLLOW_CURRENT:
		return g[i].alive && (int)i == current;
	case FOLLOW_ALIVE:
		return g[i].alive;
	case FOLLOW_LAST:
		return (int)i == current;
	default:
		return i == 0;
	}
}

static bool better(unsigned int rule, const struct follow_gateway *g, size_t a, size_t b,
		   int current)
{
	if (rule == FOLLOW_ACTIVE && g[a].generation != g[b].generation)
		return g[a].generation > g[b].generation;
	if (rule == FOLLOW_ACTIVE && ((int)a == current || (int)b == current))
		return (int)a == current;
	return g[a].id < g[b].id;
}

static size_t oracle(const struct follow_gateway *g, size_t n, int current,
		     enum follow_reason *ret_reason)
{
	for (unsigned int rule = 0;; rule++)
		for (size_t i = 0; i < n; i++) {
			bool best = passes(rule, g, i, current);

			for (size_t j = 0; j < n && best; j++)
				if (j != i && passes(rule, g, j, current))
					best = better(rule, g, i, j, current);
			if (best) {
				*ret_reason = (enum follow_reason)rule;
				return i;
			}
		}
}

/* Up to three gateways, in any order of ids, in any condition, with any current one. */
static void agrees_with_the_rules_everywhere(void **state)
{
	static const uint16_t ids[6][3] = { { 1, 2, 3 }, { 1, 3, 2 }, { 2, 1, 3 },
					    { 2, 3, 1 }, { 3, 1, 2 }, { 3, 2, 1 } };
	unsigned int reached = 0;

	(void)state;
	for (size_t n = 1; n <= 3; n++) {
		unsigned int combinations = 1;

		for (size_t i = 0; i < n; i++)
			combinations *= 12; /* alive, active, generation 0..2 */
		for (unsigned int order = 0; order < 6; order++)
			for (unsigned int c = 0; c < combinations; c++)
				for (int current = -1; current <= (int)n + 1; current++) {
					struct follow_gateway g[3];
					enum follow_reason reason, expected_reason;
					unsigned int rest = c;
					size_t expected;

					for (size_t i = 0; i < n; i++, rest /= 12)
						g[i] = (struct follow_gateway){
							.id = ids[order][i],
							.alive = rest % 2,
							.active = rest / 2 % 2,
							.generation = rest / 4 % 3,
						};
					expected = oracle(g, n, current, &expected_reason);
					assert_int_equal(follow_choose(g, n, current, &reason),
							 expected);
					assert_int_equal(reason, expected_reason);
					reached |= 1u << reason;
				}
	}
	assert_int_equal(reached, (1u << FOLLOW_REASON_MAX) - 1);
}

static void planned_switchover(void **state)
{
	struct follow_gateway g[2] = {
		{ .id = 3, .alive = true, .active = true, .generation = 7 },
		{ .id = 4, .alive = true },
	};
	enum follow_reason reason;

	(void)state;
	assert_int_equal(follow_choose(g, 2, -1, &reason), 0);
	/* Both claim for a moment: the newer claim wins, although the older one is in use. */
	g[1].active = true;
	g[1].generation = 8;
	assert_int_equal(follow_choose(g, 2, 0, &reason), 1);
	assert_int_equal(reason, FOLLOW_ACTIVE);
	/* It dies; the old one has stepped down by now. */
	g[0].active = false;
	g[1].alive = false;
	assert_int_equal(follow_choose(g, 2, 1, &reason), 0);
	assert_int_equal(reason, FOLLOW_ALIVE);
	/* All silent: stay. */
	g[0].alive = false;
	assert_int_equal(follow_choose(g, 2, 0, &reason), 0);
	assert_int_equal(reason, FOLLOW_LAST);
}

static void reasons_have_names(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < FOLLOW_REASON_MAX; i++)
		assert_true(follow_reason_names[i] && strlen(follow_reason_names[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_rules_everywhere),
		cmocka_unit_test(planned_switchover),
		cmocka_unit_test(reasons_have_names),
	};

	return cmocka_run_group_tests_name("follow", tests, NULL, NULL);
}
