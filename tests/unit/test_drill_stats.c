/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "drill_stats.h"

#define BASE 1000000000ull
#define SIZE 400

static uint32_t seed;

static uint32_t random_below(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

/* The same, by looking at every pair and every run, slowly. */
static void oracle(const uint32_t *came, uint32_t first, uint32_t last,
		   struct drill_result *ret_result)
{
	struct drill_result r = { 0 };

	for (uint32_t s = first; s <= last; s++) {
		r.sent++;
		r.received += came[s] != 0;
		r.lost += came[s] == 0;
		if (!came[s] && (s == first || came[s - 1]))
			r.gaps++;
		for (uint32_t e = s; e <= last && !came[e]; e++)
			if (e - s + 1 > r.longest.count)
				r.longest = (struct drill_gap){ .first = s, .count = e - s + 1 };
	}
	*ret_result = r;
}

static void counts_agree_with_the_oracle(void **state)
{
	(void)state;
	for (seed = 1; seed < 300; seed++) {
		uint32_t came[SIZE + 2] = { 0 }, first, last;
		struct drill_result result, expected;
		struct drill_track track;
		const uint32_t percent = random_below(100);

		assert_int_equal(drill_track_init(&track, SIZE, BASE), 0);
		for (uint32_t s = 1; s <= SIZE; s++) {
			if (random_below(100) < percent)
				continue;
			came[s] = s * 1000;
			assert_true(drill_track_take(&track, s, 5000 + s * 1000, BASE + came[s]));
		}
		first = 1 + random_below(SIZE);
		last = first + random_below(SIZE - first + 1);
		drill_stats(&track, first, last, &result);
		oracle(came, first, last, &expected);
		assert_int_equal(result.sent, expected.sent);
		assert_int_equal(result.received, expected.received);
		assert_int_equal(result.lost, expected.lost);
		assert_int_equal(result.gaps, expected.gaps);
		assert_int_equal(result.longest.count, expected.longest.count);
		assert_int_equal(result.longest.first, expected.longest.first);
		drill_track_fini(&track);
	}
}

static void an_outage_has_its_times(void **state)
{
	struct drill_result result;
	struct drill_track track;

	(void)state;
	assert_int_equal(drill_track_init(&track, 100, BASE), 0);
	for (uint32_t s = 1; s <= 100; s++)
		if (s <= 40 || s > 75)
			drill_track_take(&track, s, s * 1000, BASE + s * 1000 + 300);
	drill_stats(&track, 1, 100, &result);
	assert_int_equal(result.longest.first, 41);
	assert_int_equal(result.longest.count, 35);
	assert_int_equal(result.longest.from_us, 40301);
	assert_int_equal(result.longest.to_us, 76301);
	assert_int_equal(result.silence_us, 36000);
	assert_int_equal(result.silence_at_us, 40301);
	/* A part that begins within the outage still knows when it began. */
	drill_stats(&track, 50, 100, &result);
	assert_int_equal(result.silence_us, 36000);
	/* One that does not end within has no end. */
	drill_stats(&track, 1, 60, &result);
	assert_int_equal(result.longest.count, 20);
	assert_int_equal(result.longest.to_us, 0);
	drill_track_fini(&track);
}

static void copies_and_order_are_told(void **state)
{
	static const uint32_t order[] = { 1, 2, 4, 3, 4, 4, 6, 5, 7 };
	struct drill_track track;

	(void)state;
	assert_int_equal(drill_track_init(&track, 10, BASE), 0);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		assert_true(drill_track_take(&track, order[i], 1, BASE + i));
	assert_int_equal(track.duplicated, 2);
	assert_int_equal(track.reordered, 2); /* 3 and 5 */
	assert_int_equal(track.received, 7);
	assert_int_equal(track.highest, 7);
	assert_false(drill_track_take(&track, 11, 1, BASE));
	assert_false(drill_track_take(&track, 0, 1, BASE));
	drill_track_fini(&track);
}

static void clocks_that_go_back_break_nothing(void **state)
{
	struct drill_result result;
	struct drill_track track;

	(void)state;
	assert_int_equal(drill_track_init(&track, 3, BASE), 0);
	drill_track_take(&track, 1, 5000, BASE - 7);
	drill_track_take(&track, 2, 10, BASE + (1ull << 40));
	drill_track_take(&track, 3, 20, BASE + 5);
	assert_int_equal(track.marks[0].came, 1);
	assert_int_equal(track.marks[1].came, UINT32_MAX);
	assert_int_equal(track.marks[1].sent, 1);
	drill_stats(&track, 1, 3, &result);
	assert_int_equal(result.lost, 0);
	drill_track_fini(&track);
}

static void a_track_survives_the_wire(void **state)
{
	const struct drill_pack pack = { .sent = 12, .send_gap_us = 3400 };
	struct drill_track track, copy;
	struct drill_pack unpacked;
	uint8_t *bytes;
	size_t len;

	(void)state;
	assert_int_equal(drill_track_init(&track, 50, BASE), 0);
	for (uint32_t s = 1; s <= 30; s += 1 + s % 3)
		drill_track_take(&track, s, 77 + s, BASE + s);
	drill_track_take(&track, 1, 78, BASE + 99);
	bytes = drill_track_pack(&track, &pack, &len);
	assert_non_null(bytes);
	assert_int_equal(drill_track_unpack(bytes, len, &copy, &unpacked), 0);
	assert_int_equal(copy.highest, track.highest);
	assert_int_equal(copy.received, track.received);
	assert_int_equal(copy.duplicated, 1);
	assert_int_equal(copy.origin_us, track.origin_us);
	assert_int_equal(copy.sender_origin_us, track.sender_origin_us);
	assert_memory_equal(copy.marks, track.marks, copy.highest * sizeof(*copy.marks));
	assert_memory_equal(&unpacked, &pack, sizeof(pack));
	drill_track_fini(&copy);
	assert_int_equal(drill_track_unpack(bytes, len - 1, &copy, &unpacked), -EBADMSG);
	assert_int_equal(drill_track_unpack(bytes, DRILL_PACK_LEN - 1, &copy, &unpacked), -EBADMSG);
	bytes[0] = 0xff; /* more marks than there are bytes */
	assert_int_equal(drill_track_unpack(bytes, len, &copy, &unpacked), -EBADMSG);
	free(bytes);
	drill_track_fini(&track);
}

static void spreads_are_of_order(void **state)
{
	uint32_t values[100], sends[] = { 0, 1000, 2000, 5500, 6000 };
	struct drill_spread spread;

	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		values[i] = 100 - i;
	drill_spread(values, 100, &spread);
	assert_int_equal(spread.min, 1);
	assert_int_equal(spread.p50, 50);
	assert_int_equal(spread.p99, 99);
	assert_int_equal(spread.max, 100);
	drill_spread(values, 0, &spread);
	assert_int_equal(spread.n, 0);
	assert_int_equal(drill_send_gaps(sends, 5, &spread), 4);
	assert_int_equal(spread.max, 3500);
	assert_int_equal(spread.min, 500);
	assert_int_equal(drill_send_gaps(sends, 1, &spread), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_agree_with_the_oracle),
		cmocka_unit_test(an_outage_has_its_times),
		cmocka_unit_test(copies_and_order_are_told),
		cmocka_unit_test(clocks_that_go_back_break_nothing),
		cmocka_unit_test(a_track_survives_the_wire),
		cmocka_unit_test(spreads_are_of_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
