/* SPDX-License-Identifier: GPL-2.0-only */
/* Every timer of the paper's section 6, with a clock of the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/keypair.h"
#include "engine/timers.h"

#define S TIMERS_S
#define T0 (1000 * S)
#define JITTER (REKEY_JITTER_MS * 1000000ULL)

/* The first time at which something is due, as the control thread finds it; 0: nothing until `end`. */
static uint64_t run(struct timers *timers, uint64_t from, uint64_t end, unsigned int *ret_actions)
{
	uint64_t now = from;

	for (;;) {
		uint64_t at = timers_deadline(timers, now);

		if (at > end)
			return 0;
		now = at > now ? at : now;
		*ret_actions = timers_expire(timers, now);
		if (*ret_actions)
			return now;
		assert_true(timers_deadline(timers, now) > now);
	}
}

static void idle_peers_have_no_deadline(void **state)
{
	struct timers timers = { 0 };

	(void)state;
	assert_true(timers_deadline(&timers, T0) == UINT64_MAX);
	assert_int_equal(timers_expire(&timers, T0), TIMERS_NOTHING);
	assert_true(timers_may_initiate(&timers, T0));
}

static void an_initiation_is_repeated_for_90_s(void **state)
{
	struct timers timers = { 0 };
	uint64_t now = T0, before = T0, sent = 1;
	unsigned int actions;

	(void)state;
	timers_initiation_sent(&timers, now);
	assert_false(timers_may_initiate(&timers, now + 5 * S - 1));
	assert_true(timers_may_initiate(&timers, now + 5 * S));
	for (;; before = now) {
		now = run(&timers, now, now + 100 * S, &actions);
		assert_in_range(now - before, 5 * S, 5 * S + JITTER);
		if (actions == TIMERS_GIVE_UP)
			break;
		assert_int_equal(actions, TIMERS_RETRY_HANDSHAKE);
		timers_initiation_sent(&timers, now);
		sent++;
	}
	assert_int_equal(sent, 1 + HANDSHAKE_ATTEMPTS);
	assert_in_range(now - T0, 90 * S, 95 * S + 19 * JITTER);
	/* Keys, if any, go after three times 180 s. */
	now = run(&timers, now, now + 1000 * S, &actions);
	assert_int_equal(actions, TIMERS_ZERO_KEYS);
	assert_true(timers_deadline(&timers, now) == UINT64_MAX);
}

static void an_answer_ends_the_repetition(void **state)
{
	struct timers timers = { 0 };
	unsigned int actions;

	(void)state;
	timers_initiation_sent(&timers, T0);
	timers_received(&timers, false, T0 + S);
	timers_session_derived(&timers, T0 + S);
	timers_handshake_complete(&timers);
	assert_true(run(&timers, T0 + S, T0 + 2000 * S, &actions) == T0 + S + 540 * S);
	assert_int_equal(actions, TIMERS_ZERO_KEYS);
}

static void data_that_comes_is_acknowledged_after_10_s(void **state)
{
	struct timers timers = { 0 };
	uint64_t now = T0;
	unsigned int actions;

	(void)state;
	timers_session_derived(&timers, T0);
	timers_received(&timers, true, T0);
	now = run(&timers, T0, T0 + 100 * S, &actions);
	assert_true(now == T0 + 10 * S);
	assert_int_equal(actions, TIMERS_KEEPALIVE);
	timers_sent(&timers, false, now);
	assert_true(run(&timers, now, T0 + 500 * S, &actions) == 0);
	/* One answers what came meanwhile, too. */
	timers_received(&timers, true, T0 + 100 * S);
	timers_received(&timers, true, T0 + 103 * S);
	now = run(&timers, T0 + 103 * S, T0 + 200 * S, &actions);
	assert_true(now == T0 + 110 * S);
	timers_sent(&timers, false, now);
	assert_true(run(&timers, now, T0 + 500 * S, &actions) == 0);
}

static void what_is_sent_acknowledges(void **state)
{
	struct timers timers = { 0 };
	unsigned int actions;

	(void)state;
	timers_session_derived(&timers, T0);
	timers_received(&timers, true, T0);
	timers_sent(&timers, false, T0 + 9 * S);
	assert_true(run(&timers, T0 + 9 * S, T0 + 500 * S, &actions) == 0);
	/* A keepalive that comes wants nothing. */
	timers_received(&timers, false, T0 + 100 * S);
	assert_true(run(&timers, T0 + 100 * S, T0 + 500 * S, &actions) == 0);
}

static void data_without_answer_asks_for_a_handshake_after_15_s(void **state)
{
	struct timers timers = { 0 };
	uint64_t now;
	unsigned int actions;

	(void)state;
	timers_session_derived(&timers, T0);
	timers_sent(&timers, true, T0 + S);
	timers_sent(&timers, true, T0 + 8 * S);
	now = run(&timers, T0 + 8 * S, T0 + 100 * S, &actions);
	assert_in_range(now - T0, 16 * S, 16 * S + JITTER);
	assert_int_equal(actions, TIMERS_NEW_HANDSHAKE);
	/* Once, until data is sent again. */
	assert_true(run(&timers, now, T0 + 500 * S, &actions) == 0);
	timers_sent(&timers, true, T0 + 100 * S);
	timers_received(&timers, false, T0 + 114 * S);
	assert_true(run(&timers, T0 + 114 * S, T0 + 500 * S, &actions) == 0);
	/* Keepalives need no answer. */
	timers_sent(&timers, false, T0 + 200 * S);
	assert_true(run(&timers, T0 + 200 * S, T0 + 500 * S, &actions) == 0);
}

static void persistent_keepalives_follow_silence(void **state)
{
	struct timers timers = { .persistent_s = 25 };
	uint64_t now = T0;
	unsigned int actions;

	(void)state;
	timers_sent(&timers, false, T0);
	for (int i = 1; i < 5; i++) {
		now = run(&timers, now, T0 + 500 * S, &actions);
		assert_true(now == T0 + (uint64_t)i * 25 * S);
		assert_int_equal(actions, TIMERS_KEEPALIVE);
		/* Whether it could be sent or not. */
		if (i % 2)
			timers_sent(&timers, false, now);
	}
	timers_received(&timers, false, now + 20 * S);
	assert_true(run(&timers, now + 20 * S, T0 + 500 * S, &actions) == now + 45 * S);
	timers.persistent_s = 0;
	assert_true(run(&timers, now + 45 * S, T0 + 5000 * S, &actions) == 0);
}

/* What workers note is found in time though nobody woke the control thread. */
static void a_look_is_never_too_late(void **state)
{
	struct timers timers = { 0 };
	uint64_t now = T0, look;

	(void)state;
	timers_session_derived(&timers, now);
	for (int i = 0; i < 100; i++) {
		look = timers_deadline(&timers, now);
		assert_true(look > now && look - now <= TIMERS_LOOK_S * S);
		now = look;
		assert_int_equal(timers_expire(&timers, now), TIMERS_NOTHING);
	}
	assert_true(TIMERS_LOOK_S < KEEPALIVE_TIMEOUT_S);
}

static void sessions_age(void **state)
{
	static struct keypair keypair;

	(void)state;
	keypair.created_ns = T0;
	keypair.initiator = true;
	assert_true(keypair_sends(&keypair, T0 + 180 * S - 1));
	assert_false(keypair_sends(&keypair, T0 + 180 * S));
	assert_false(keypair_expired(&keypair, T0 + 180 * S - 1));
	assert_true(keypair_expired(&keypair, T0 + 180 * S));
	assert_false(keypair_sent_enough(&keypair, T0 + 120 * S - 1));
	assert_true(keypair_sent_enough(&keypair, T0 + 120 * S));
	assert_false(keypair_received_late(&keypair, T0 + 165 * S - 1));
	assert_true(keypair_received_late(&keypair, T0 + 165 * S));
	/* Who answered leaves the renewal to the other, but for a session used up. */
	keypair.initiator = false;
	assert_false(keypair_sent_enough(&keypair, T0 + 179 * S));
	assert_false(keypair_received_late(&keypair, T0 + 179 * S));
	atomic_store(&keypair.counter, REKEY_AFTER_MESSAGES + 1);
	assert_true(keypair_sent_enough(&keypair, T0));
	assert_true(keypair_sends(&keypair, T0));
	atomic_store(&keypair.counter, REPLAY_COUNTER_MAX);
	assert_false(keypair_sends(&keypair, T0));
	assert_false(keypair_sends(NULL, T0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(idle_peers_have_no_deadline),
		cmocka_unit_test(an_initiation_is_repeated_for_90_s),
		cmocka_unit_test(an_answer_ends_the_repetition),
		cmocka_unit_test(data_that_comes_is_acknowledged_after_10_s),
		cmocka_unit_test(what_is_sent_acknowledges),
		cmocka_unit_test(data_without_answer_asks_for_a_handshake_after_15_s),
		cmocka_unit_test(persistent_keepalives_follow_silence),
		cmocka_unit_test(a_look_is_never_too_late),
		cmocka_unit_test(sessions_age),
	};

	return cmocka_run_group_tests_name("wg_timers", tests, NULL, NULL);
}
