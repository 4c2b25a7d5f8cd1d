/* SPDX-License-Identifier: GPL-2.0-only */
/* Token buckets against exact arithmetic, and with several threads at one bucket. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bucket.h"

#define START 5000000000ull /* a second and more since boot */

/* Asked every step ns for a while, it grants its burst and rate, as exact as one token. */
static void test_rate(void **state)
{
	static const uint32_t rates[] = { 1, 2, 3, 7, 10, 999, 1000, 200000, 100000000 };
	static const uint64_t steps[] = { 1, 3, 100, 977, 12345, 1000003, 333333333 };

	(void)state;
	for (size_t r = 0; r < sizeof(rates) / sizeof(rates[0]); r++)
		for (size_t s = 0; s < sizeof(steps) / sizeof(steps[0]); s++) {
			struct dp_bucket bucket = { 0 };
			uint64_t granted = 0, asked = 0, now = START, wanted;

			for (; asked < 300000 && now < START + 20000000000ull; asked++) {
				granted += bucket_take(&bucket, rates[r], 1, now);
				now += steps[s];
			}
			wanted = rates[r] +
				 (now - steps[s] - START) * (__uint128_t)rates[r] / 1000000000;
			if (wanted > asked)
				wanted = asked;
			assert_true(granted <= wanted);
			/* A nanosecond may be lost each time. */
			assert_true(granted + 1 + asked * rates[r] / 1000000000 >= wanted);
		}
}

static void test_full(void **state)
{
	struct dp_bucket bucket = { 0 };

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_true(bucket_take(&bucket, 5, 1, START));
	assert_false(bucket_take(&bucket, 5, 1, START));
	assert_false(bucket_take(&bucket, 5, 1, START + 199999999));
	assert_true(bucket_take(&bucket, 5, 1, START + 200000001));
	/* After years it holds no more than its burst. */
	for (int i = 0; i < 5; i++)
		assert_true(bucket_take(&bucket, 5, 1, START << 20));
	assert_false(bucket_take(&bucket, 5, 1, START << 20));
	/* A clock of another CPU that is behind adds nothing. */
	assert_false(bucket_take(&bucket, 5, 1, START));
}

static void test_many(void **state)
{
	struct dp_bucket bucket = { 0 };

	(void)state;
	assert_true(bucket_take(&bucket, 100, 64, START));
	assert_false(bucket_take(&bucket, 100, 64, START));
	assert_true(bucket_take(&bucket, 100, 36, START));
	assert_false(bucket_take(&bucket, 100, 1, START));
}

/* A lowered rate: what was saved for the higher one is still there, and no more comes. */
static void test_lowered(void **state)
{
	struct dp_bucket bucket = { 0 };
	int granted = 0;

	(void)state;
	assert_true(bucket_take(&bucket, 1000, 1, START));
	for (int i = 0; i < 2000; i++)
		granted += bucket_take(&bucket, 1, 1, START + 10000000000ull);
	assert_int_equal(granted, 999);
}

struct taker {
	struct dp_bucket *bucket;
	uint64_t granted;
};

static void *take(void *arg)
{
	struct taker *taker = arg;

	for (uint64_t i = 0; i < 200000; i++)
		taker->granted += bucket_take(taker->bucket, 1000, 1, START + i * 1000);
	return NULL;
}

static void test_threads(void **state)
{
	struct dp_bucket bucket = { 0 };
	struct taker takers[4];
	pthread_t threads[4];
	uint64_t granted = 0;

	(void)state;
	for (int i = 0; i < 4; i++) {
		takers[i] = (struct taker){ .bucket = &bucket };
		assert_int_equal(pthread_create(&threads[i], NULL, take, &takers[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		granted += takers[i].granted;
	}
	/* The burst and 0.2 s of rate; never more. */
	assert_true(granted <= 1200);
	assert_true(granted >= 1150);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate),	cmocka_unit_test(test_full),
		cmocka_unit_test(test_many),	cmocka_unit_test(test_lowered),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests_name("bucket", tests, NULL, NULL);
}
