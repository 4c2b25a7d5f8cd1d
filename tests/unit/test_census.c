/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "census.h"

enum {
	PARTNER,
	ROUTER,
	HOST,
	MEMBERS,
};

static const struct census_member begin[MEMBERS] = {
	[PARTNER] = { .partner = true, .expected = true },
	[ROUTER] = { .expected = true },
	[HOST] = { 0 },
};

/* One round in which those of `answers` (bits) that are asked answer. */
static enum census_verdict round_of(struct census *census, struct census_member *members, size_t n,
				    unsigned int answers)
{
	for (size_t i = 0; i < n; i++)
		members[i].answered = answers >> i & 1 && census_asks(census, &members[i], i);
	return census_count(census, members, n);
}

static enum census_verdict rounds(struct census *census, struct census_member *members, size_t n,
				  unsigned int answers, unsigned int count)
{
	enum census_verdict verdict = CENSUS_ALIVE;

	while (count--)
		verdict = round_of(census, members, n, answers);
	return verdict;
}

#define P (1u << PARTNER)
#define R (1u << ROUTER)
#define H (1u << HOST)

static void anybody_who_answers_will_do(void **state)
{
	struct census_member members[MEMBERS];
	struct census census = { 0 };

	(void)state;
	for (unsigned int answers = 1; answers < 8; answers++) {
		for (size_t i = 0; i < MEMBERS; i++)
			members[i] = begin[i];
		for (unsigned int i = 0; i < 100; i++)
			assert_int_equal(round_of(&census, members, MEMBERS, answers),
					 CENSUS_ALIVE);
	}
}

static void silence_of_all_is_death_after_four_rounds(void **state)
{
	struct census_member members[MEMBERS] = { begin[0], begin[1], begin[2] };
	struct census census = { 0 };

	(void)state;
	assert_int_equal(rounds(&census, members, MEMBERS, P | R | H, 50), CENSUS_ALIVE);
	assert_int_equal(rounds(&census, members, MEMBERS, 0, CENSUS_DEAD_ROUNDS - 1),
			 CENSUS_ALIVE);
	assert_int_equal(round_of(&census, members, MEMBERS, 0), CENSUS_DEAD);
	assert_int_equal(rounds(&census, members, MEMBERS, 0, 10000), CENSUS_DEAD);
	assert_int_equal(round_of(&census, members, MEMBERS, H), CENSUS_ALIVE);
}

/* A gateway that is switched on in a LAN that is cut must not think that it is well. */
static void who_never_heard_anybody_is_dead_if_a_router_is_expected(void **state)
{
	struct census_member members[MEMBERS] = { begin[0], begin[1], begin[2] };
	struct census census = { 0 };

	(void)state;
	assert_int_equal(rounds(&census, members, MEMBERS, 0, CENSUS_DEAD_ROUNDS), CENSUS_DEAD);
}

static void the_partner_alone_proves_nothing(void **state)
{
	struct census_member members[] = { begin[PARTNER], begin[HOST] };
	struct census census = { 0 };

	(void)state;
	assert_int_equal(rounds(&census, members, 2, P, 50), CENSUS_ALIVE);
	assert_int_equal(rounds(&census, members, 2, 0, 50), CENSUS_UNSURE);
	/* A host that was heard once does. */
	assert_int_equal(rounds(&census, members, 2, 2, 1), CENSUS_ALIVE);
	assert_int_equal(rounds(&census, members, 2, 0, 50), CENSUS_DEAD);
	assert_int_equal(rounds(&census, members, 1, 0, 50), CENSUS_UNSURE);
	assert_int_equal(census_count(&census, NULL, 0), CENSUS_ALIVE);
}

static void others_are_asked_seldom_while_the_partner_answers(void **state)
{
	struct census_member members[MEMBERS] = { begin[0], begin[1], begin[2] };
	struct census census = { 0 };
	unsigned int asked[MEMBERS] = { 0 };

	(void)state;
	rounds(&census, members, MEMBERS, P, 1);
	for (unsigned int i = 0; i < 10 * CENSUS_IDLE_ROUNDS; i++) {
		for (size_t m = 0; m < MEMBERS; m++)
			asked[m] += census_asks(&census, &members[m], m);
		round_of(&census, members, MEMBERS, P | R | H);
	}
	assert_int_equal(asked[PARTNER], 10 * CENSUS_IDLE_ROUNDS);
	assert_int_equal(asked[ROUTER], 10);
	assert_int_equal(asked[HOST], 10);
	assert_true(members[ROUTER].seen && members[HOST].seen);
	round_of(&census, members, MEMBERS, 0);
	assert_true(census_asks(&census, &members[HOST], HOST));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(anybody_who_answers_will_do),
		cmocka_unit_test(silence_of_all_is_death_after_four_rounds),
		cmocka_unit_test(who_never_heard_anybody_is_dead_if_a_router_is_expected),
		cmocka_unit_test(the_partner_alone_proves_nothing),
		cmocka_unit_test(others_are_asked_seldom_while_the_partner_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
