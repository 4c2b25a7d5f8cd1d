/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "damping.h"
#include "handover.h"
#include "keepalived.h"

#define S 1000000u

/* Every state with every event, as the diagram says. */
static void all_transitions(void **state)
{
	enum {
		IDLE = HANDOVER_IDLE,
		GIVING = HANDOVER_GIVING,
		GIVEN = HANDOVER_GIVEN,
		TAKING = HANDOVER_TAKING,
		TAKEN = HANDOVER_TAKEN,
	};
	/* GIVE, TAKE, WON, LOST, EXPIRED, CANCEL */
	static const unsigned int next[HANDOVER_STATE_MAX][HANDOVER_EVENT_MAX] = {
		[HANDOVER_IDLE] = { GIVING, TAKING, IDLE, IDLE, IDLE, IDLE },
		[HANDOVER_GIVING] = { GIVING, GIVING, GIVING, GIVEN, IDLE, IDLE },
		[HANDOVER_GIVEN] = { GIVEN, TAKING, IDLE, GIVEN, IDLE, GIVEN },
		[HANDOVER_TAKING] = { TAKING, TAKING, TAKEN, TAKING, IDLE, IDLE },
		[HANDOVER_TAKEN] = { GIVING, TAKEN, TAKEN, IDLE, IDLE, TAKEN },
	};

	(void)state;
	for (unsigned int from = 0; from < HANDOVER_STATE_MAX; from++) {
		assert_non_null(handover_state_names[from]);
		for (unsigned int event = 0; event < HANDOVER_EVENT_MAX; event++) {
			struct handover handover = { .state = (enum handover_state)from,
						     .advert_ms = 100 };

			assert_int_equal(
				handover_event(&handover, (enum handover_event)event, 5 * S),
				next[from][event] != from);
			assert_int_equal(handover.state, next[from][event]);
			/* Whatever waits has an end. */
			assert_int_equal(handover.deadline_us > 5 * S,
					 handover.state != HANDOVER_IDLE &&
						 next[from][event] != from);
		}
	}
}

static void is_timed(void **state)
{
	struct handover handover = { .advert_ms = 100 };

	(void)state;
	assert_true(handover_event(&handover, HANDOVER_ON_GIVE, 5 * S));
	assert_int_equal(handover.outcome, HANDOVER_NONE);
	assert_int_equal(handover.deadline_us, 5 * S + handover_timeout_us(&handover));
	assert_true(handover_event(&handover, HANDOVER_ON_LOST, 5 * S + 312345));
	assert_int_equal(handover.outcome, HANDOVER_DONE);
	assert_int_equal(handover.took_us, 312345);
	/* The term stays a while, and ends. */
	assert_true(handover_term(&handover) < 0);
	assert_true(handover_event(&handover, HANDOVER_ON_EXPIRED, handover.deadline_us));
	assert_int_equal(handover.outcome, HANDOVER_DONE);
	assert_int_equal(handover.deadline_us, 0);
	assert_int_equal(handover_term(&handover), 0);

	assert_true(handover_event(&handover, HANDOVER_ON_TAKE, 9 * S));
	assert_int_equal(handover.outcome, HANDOVER_NONE);
	assert_true(handover_event(&handover, HANDOVER_ON_EXPIRED, handover.deadline_us));
	assert_int_equal(handover.outcome, HANDOVER_FAILED);
	assert_int_equal(handover_term(&handover), 0);
}

/* What a slow site needs: three adverts of the partner, after its own hold. */
static void slow_sites_have_time(void **state)
{
	static const uint32_t adverts[] = { 10, 100, 1000, 40950 };

	(void)state;
	for (size_t i = 0; i < sizeof(adverts) / sizeof(adverts[0]); i++) {
		struct handover handover = { .advert_ms = adverts[i] };
		uint64_t hold_us;

		(void)handover_event(&handover, HANDOVER_ON_GIVE, 0);
		(void)handover_event(&handover, HANDOVER_ON_LOST, 0);
		hold_us = handover.deadline_us;
		assert_true(handover_timeout_us(&handover) > hold_us + 4000ull * adverts[i]);
	}
}

static int priority(unsigned int second, bool holds, int term)
{
	const int wanted = KEEPALIVED_PRIORITY - (int)second +
			   KEEPALIVED_STICKY_WEIGHT * keepalived_track(holds, term);

	/* As keepalived bounds it; but for what it takes for a fault, which must not come up. */
	assert_true(KEEPALIVED_STICKY_WEIGHT * keepalived_track(holds, term) > -254);
	return wanted > 254 ? 254 : wanted < 1 ? 1 : wanted;
}

static int term_of(enum handover_state at, bool forced, bool draining)
{
	const struct handover handover = { .state = at, .forced = forced, .draining = draining };

	assert_int_equal(handover_term(&handover) & 1, 0);
	return handover_term(&handover);
}

/*
 * Priorities of keepalived: what is asked for moves, whichever gateway is the first; what follows does
 * not move it back, however late the partner writes its own track file; and a partner that is worse
 * off does not get it.
 */
static void moves_and_stays(void **state)
{
	const int giving = term_of(HANDOVER_GIVING, false, false);
	const int given = term_of(HANDOVER_GIVEN, false, false);
	const int taking = term_of(HANDOVER_TAKING, false, false);
	const int taken = term_of(HANDOVER_TAKEN, false, false);

	(void)state;
	for (unsigned int me = 0; me < 2; me++) {
		const unsigned int it = 1 - me;

		assert_true(priority(me, true, giving) < priority(it, false, 0));
		assert_true(priority(me, false, given) < priority(it, true, 0));
		assert_true(priority(me, false, given) < priority(it, false, 0));
		assert_true(priority(me, false, 0) < priority(it, true, 0));

		assert_true(priority(me, false, taking) > priority(it, true, 0));
		assert_true(priority(me, true, taken) > priority(it, true, 0));
		assert_true(priority(me, true, taken) > priority(it, false, 0));

		/* A severity of 2 in who is to get it. */
		assert_true(priority(me, true, giving) > priority(it, false, -2));
		assert_true(priority(me, false, taking - 2) < priority(it, true, 0));
	}
}

static void force_moves_what_is_worse(void **state)
{
	const int giving = term_of(HANDOVER_GIVING, true, false);
	const int taking = term_of(HANDOVER_TAKING, true, false);

	(void)state;
	for (unsigned int me = 0; me < 2; me++) {
		assert_true(priority(me, true, giving) <
			    priority(1 - me, false, -KEEPALIVED_SEVERITY_MAX));
		assert_true(priority(me, false, taking - KEEPALIVED_SEVERITY_MAX) >
			    priority(1 - me, true, 0));
	}
}

/* Drained: after any partner, but one that has the worst severity. */
static void drained_comes_last(void **state)
{
	const int worst = -KEEPALIVED_SEVERITY_MAX;

	(void)state;
	for (unsigned int me = 0; me < 2; me++) {
		for (unsigned int s = 0; s < HANDOVER_STATE_MAX; s++) {
			const int drained = term_of((enum handover_state)s, false, true);

			assert_true(priority(me, true, drained) <
				    priority(1 - me, false, worst + 4));
			assert_true(priority(me, true, drained) > priority(1 - me, false, worst));
			assert_true(priority(me, false, drained) <
				    priority(1 - me, true, worst + 4));
			assert_true(priority(me, false, drained) <
				    priority(1 - me, true, -DAMPING_TERM));
		}
	}
}

/* The lowest bit tells who was active, whatever is added. */
static void parity(void **state)
{
	(void)state;
	for (int term = -500; term <= 500; term += 2) {
		assert_int_equal(keepalived_track(true, term) & 1, 1);
		assert_int_equal(keepalived_track(false, term) & 1, 0);
	}
}

static void damps_what_flaps(void **state)
{
	struct damping damping = { 0 };
	uint64_t now = 10; /* just after boot */
	bool ended;

	(void)state;
	/* As often as it takes, but slowly. */
	for (int i = 0; i < 50; i++, now += DAMPING_WINDOW_US / (DAMPING_CLAIMS - 1))
		assert_false(damping_claim(&damping, now));
	now += DAMPING_WINDOW_US;
	assert_int_equal(damping_count(&damping, now), 0);
	for (int i = 1; i < DAMPING_CLAIMS; i++)
		assert_false(damping_claim(&damping, ++now));
	assert_false(damping_held(&damping, now, &ended));
	assert_true(damping_claim(&damping, ++now));
	assert_int_equal(damping_count(&damping, now), DAMPING_CLAIMS);
	assert_true(damping_held(&damping, now, &ended));
	assert_false(ended);
	/* Once more: held for longer, which is no news. */
	assert_false(damping_claim(&damping, ++now));
	assert_true(damping_held(&damping, now + DAMPING_HOLD_US - 1, &ended));
	assert_false(ended);
	assert_false(damping_held(&damping, now + DAMPING_HOLD_US, &ended));
	assert_true(ended);
	assert_false(damping_held(&damping, now + DAMPING_HOLD_US + 1, &ended));
	assert_false(ended);
}

static void forgives_what_was_asked_for(void **state)
{
	struct damping damping = { 0 };
	uint64_t now = 100 * S;
	bool ended;

	(void)state;
	damping_forgive(&damping, now);
	for (int i = 0; i < 100; i++) {
		now += S;
		assert_false(damping_claim(&damping, now));
		damping_forgive(&damping, now + 1000);
		damping_forgive(&damping, now + 2000); /* told twice, forgiven once */
	}
	assert_int_equal(damping_count(&damping, now), 0);
	for (int i = 1; i < DAMPING_CLAIMS; i++)
		(void)damping_claim(&damping, now += 3 * S);
	assert_true(damping_claim(&damping, now += S));
	damping_forgive(&damping, now + DAMPING_FORGIVE_US);
	assert_true(damping_held(&damping, now, &ended));
	damping_forgive(&damping, now + DAMPING_FORGIVE_US - 1);
	assert_false(damping_held(&damping, now, &ended));
	(void)damping_claim(&damping, now += S);
	damping_clear(&damping);
	assert_int_equal(damping_count(&damping, now), 0);
	assert_false(damping_held(&damping, now, &ended));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_transitions),
		cmocka_unit_test(is_timed),
		cmocka_unit_test(slow_sites_have_time),
		cmocka_unit_test(moves_and_stays),
		cmocka_unit_test(force_moves_what_is_worse),
		cmocka_unit_test(drained_comes_last),
		cmocka_unit_test(parity),
		cmocka_unit_test(damps_what_flaps),
		cmocka_unit_test(forgives_what_was_asked_for),
	};

	return cmocka_run_group_tests_name("handover", tests, NULL, NULL);
}
