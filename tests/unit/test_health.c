/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "health.h"
#include "keepalived.h"

#define MS 1000u
#define FOREVER (1000000u * MS)

static bool see(struct health *health, enum health_fault fault, bool bad, uint64_t now)
{
	return health_see(health, fault, bad, "the reason", now);
}

/* A fault counts from the end of its onset to the end of its clearing, for each of them. */
static void each_fault_holds_as_long_as_its_rule_says(void **state)
{
	(void)state;
	for (enum health_fault f = 0; f < HEALTH_FAULT_MAX; f++) {
		const struct health_rule *rule = &health_rules[f];
		const uint64_t start = 77 * MS, onset = rule->onset_ms * MS;
		const uint64_t clear = rule->clear_ms * MS;
		const bool active = !rule->shared;
		struct health health = { 0 };

		assert_true(see(&health, f, true, start));
		assert_false(see(&health, f, true, start));
		if (onset)
			assert_false(health_wait(&health, active, start + onset - 1));
		assert_false(health_counts(&health, f));
		assert_true(health_wait(&health, active, start + onset));
		assert_int_equal(health_severity(&health), rule->severity);
		assert_string_equal(health.entries[f].reason, "the reason");
		assert_int_equal(health.entries[f].since_us, start);

		assert_true(see(&health, f, false, start + onset + MS));
		assert_true(health_counts(&health, f));
		assert_int_equal(health.entries[f].state, HEALTH_RECOVERING);
		/* Bad again meanwhile: it begins anew. */
		assert_true(see(&health, f, true, start + onset + 2 * MS));
		assert_true(see(&health, f, false, start + onset + 3 * MS));
		assert_false(health_wait(&health, true, start + onset + clear + 3 * MS - 1));
		assert_true(health_wait(&health, true, start + onset + clear + 3 * MS));
		assert_int_equal(health_severity(&health), 0);
		assert_int_equal(health.entries[f].state, HEALTH_OK);
	}
}

static void what_passes_before_its_onset_never_counts(void **state)
{
	struct health health = { 0 };
	uint64_t now = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		now += 900 * MS;
		see(&health, HEALTH_PROGRAMS, true, now);
		assert_false(health_wait(&health, false, now += 900 * MS));
		see(&health, HEALTH_PROGRAMS, false, now += 900 * MS);
		assert_int_equal(health_severity(&health), 0);
	}
}

static void severities_are_even_and_bounded(void **state)
{
	struct health health = { 0 };

	(void)state;
	for (enum health_fault f = 0; f < HEALTH_FAULT_MAX; f++) {
		assert_int_equal(health_rules[f].severity % 2, 0);
		assert_in_range(health_rules[f].severity, 2, KEEPALIVED_SEVERITY_MAX);
		assert_non_null(health_rules[f].name);
		see(&health, f, true, 1);
	}
	health_wait(&health, true, FOREVER);
	assert_int_equal(health_severity(&health), KEEPALIVED_SEVERITY_MAX);
}

/* What keepalived does with both severities, in the arithmetic of keepalived.h. */
static int priority(bool second, bool active, unsigned int severity)
{
	return KEEPALIVED_PRIORITY - second +
	       KEEPALIVED_STICKY_WEIGHT * ((int)active - (int)severity);
}

static void the_better_one_wins_and_equal_ones_stay(void **state)
{
	(void)state;
	for (unsigned int a = 0; a <= KEEPALIVED_SEVERITY_MAX; a += 2)
		for (unsigned int b = 0; b <= KEEPALIVED_SEVERITY_MAX; b += 2)
			for (int active = 0; active <= 1; active++) {
				const int first = priority(false, !active, a);
				const int second = priority(true, active, b);

				assert_in_range(first, 1, 254);
				assert_in_range(second, 1, 254);
				if (a != b)
					assert_int_equal(second > first, b < a);
				else
					assert_int_equal(second > first, active);
			}
}

/*
 * Both lose a far site, one of them later by up to what a pair may differ, in either order, and get it back likewise.
 * The one with the VIPs is never worse off than its partner for longer than a look takes.
 */
static void shared_faults_never_favour_the_partner(void **state)
{
	const uint64_t advert = 100 * MS;

	(void)state;
	for (enum health_fault f = 0; f < HEALTH_FAULT_MAX; f++) {
		if (!health_rules[f].shared)
			continue;
		for (int64_t lag = -(int64_t)(2 * advert); lag <= (int64_t)(2 * advert);
		     lag += 10 * (int64_t)MS) {
			struct health active = { .advert_ms = 100 }, other = { .advert_ms = 100 };
			const uint64_t lost = 5000 * MS, back = 60000 * MS;

			for (uint64_t now = 0; now < 120000 * MS; now += 10 * MS) {
				const uint64_t late = (uint64_t)((int64_t)now - lag);

				see(&active, f, now >= lost && now < back, now);
				see(&other, f, now >= 1000 * MS && late >= lost && late < back,
				    now);
				health_wait(&active, true, now);
				health_wait(&other, false, now);
				assert_true(health_severity(&active) <= health_severity(&other));
			}
			assert_int_equal(health_severity(&other), 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_fault_holds_as_long_as_its_rule_says),
		cmocka_unit_test(what_passes_before_its_onset_never_counts),
		cmocka_unit_test(severities_are_even_and_bounded),
		cmocka_unit_test(the_better_one_wins_and_equal_ones_stay),
		cmocka_unit_test(shared_faults_never_favour_the_partner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
