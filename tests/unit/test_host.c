/* SPDX-License-Identifier: GPL-2.0-only */
/* What health knows of the host: its memory, and its clock, which is a fake one here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "memory.h"
#include "timekeeper.h"

#define S 1000000ll

static void memory_is_short_where_little_is_available(void **state)
{
	static const struct {
		uint64_t total, available; /* KiB */
		bool is_short;
	} cases[] = {
		{ 1000000, 39999, true },   { 1000000, 40000, false },	 { 4000000, 131071, true },
		{ 4000000, 131072, false }, { 64000000, 140000, false }, { 64000000, 131071, true },
		{ 4000000, 0, true },	    { 1000000, 1000000, false },
	};
	char text[200], reason[160];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text),
			 "MemTotal:       %llu kB\nMemFree:        5 kB\nMemAvailable:   %llu kB\n"
			 "Buffers:        1 kB\n",
			 (unsigned long long)cases[i].total,
			 (unsigned long long)cases[i].available);
		assert_int_equal(memory_short(text, NULL, reason, sizeof(reason)),
				 cases[i].is_short);
	}
	assert_true(memory_short("MemAvailable: 10240 kB\nMemTotal: 4194304 kB\n", NULL, reason,
				 sizeof(reason)));
	assert_string_equal(reason, "10 MiB of 4096 available");
}

static void memory_is_short_where_everybody_waits_for_it(void **state)
{
	char reason[160];

	(void)state;
	assert_false(memory_short(NULL,
				  "some avg10=99.00 avg60=0.00 avg300=0.00 total=0\n"
				  "full avg10=19.99 avg60=0.00 avg300=0.00 total=0\n",
				  reason, sizeof(reason)));
	assert_true(memory_short(NULL,
				 "some avg10=99.00 avg60=0.00 avg300=0.00 total=0\n"
				 "full avg10=20.00 avg60=0.00 avg300=0.00 total=0\n",
				 reason, sizeof(reason)));
	assert_string_equal(reason, "all tasks waited for memory 20.00 % of the last ten seconds");
}

static void nonsense_is_no_evidence(void **state)
{
	static const char *const texts[] = {
		"",
		"\n",
		"MemTotal:",
		"MemTotal: x kB\nMemAvailable: y kB\n",
		"full",
		"full avg10=",
		"full avg10=99",
		"full avg10=-1.00 ",
		"xMemTotal: 1 kB\n xMemAvailable: 0 kB\n",
	};
	char reason[160];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(memory_short(texts[i], texts[i], reason, sizeof(reason)));
	assert_false(memory_short(NULL, NULL, reason, sizeof(reason)));
}

/* A fake clock: seconds pass for both, and steps are made of the time of day. */
struct fake {
	struct timekeeper keeper;
	int64_t day_us, boot_us;
};

static int64_t pass(struct fake *fake, int64_t us, int64_t step_us)
{
	fake->boot_us += us;
	fake->day_us += us + step_us;
	return timekeeper_read(&fake->keeper, fake->day_us, fake->boot_us);
}

static int64_t behind(const struct fake *fake)
{
	return timekeeper_behind_us(&fake->keeper, fake->day_us);
}

static void a_clock_that_runs_is_not_stepped(void **state)
{
	struct fake fake = { .day_us = 1700000000 * S, .boot_us = 5 * S };

	(void)state;
	assert_int_equal(pass(&fake, 0, 0), 0);
	/* Slewed by 500 ppm either way, the most that NTP does, and held up for an hour. */
	for (int i = 0; i < 100000; i++)
		assert_int_equal(pass(&fake, S / 10, i % 2000 < 1000 ? 50 : -50), 0);
	assert_int_equal(pass(&fake, 3600 * S, 0), 0);
	assert_int_equal(behind(&fake), 0);
}

static void a_step_forward_is_told_and_harms_nobody(void **state)
{
	struct fake fake = { .day_us = 10 * S, .boot_us = 5 * S };

	(void)state;
	pass(&fake, S, 0);
	assert_int_equal(pass(&fake, S, 1700000000 * S), 1700000000 * S);
	assert_int_equal(pass(&fake, S, 0), 0);
	assert_int_equal(behind(&fake), 0);
}

static void a_step_back_locks_out_until_the_time_is_reached_again(void **state)
{
	struct fake fake = { .day_us = 1700000000 * S, .boot_us = 5 * S };

	(void)state;
	pass(&fake, S, 0);
	assert_int_equal(pass(&fake, S, -3600 * S), -3600 * S);
	assert_int_equal(behind(&fake), 3599 * S);
	assert_int_equal(pass(&fake, 1800 * S, 0), 0);
	assert_int_equal(behind(&fake), 1799 * S);
	/* a second one, and back to where it should be */
	assert_int_equal(pass(&fake, S, -600 * S), -600 * S);
	assert_int_equal(behind(&fake), 2398 * S);
	assert_int_equal(pass(&fake, S, 4200 * S), 4200 * S);
	assert_int_equal(behind(&fake), 0);

	pass(&fake, S, -60 * S);
	assert_true(behind(&fake) > 0);
	pass(&fake, 60 * S, 0);
	assert_int_equal(behind(&fake), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_short_where_little_is_available),
		cmocka_unit_test(memory_is_short_where_everybody_waits_for_it),
		cmocka_unit_test(nonsense_is_no_evidence),
		cmocka_unit_test(a_clock_that_runs_is_not_stepped),
		cmocka_unit_test(a_step_forward_is_told_and_harms_nobody),
		cmocka_unit_test(a_step_back_locks_out_until_the_time_is_reached_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
