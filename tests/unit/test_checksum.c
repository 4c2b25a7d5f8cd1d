/* SPDX-License-Identifier: GPL-2.0-only */
/* Incremental sums against the sum of everything, computed anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "checksum.h"

/* The one's complement sum of words, as RFC 1071 begins: one at a time. */
static uint16_t naive(const uint8_t *data, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2) {
		uint16_t word;

		memcpy(&word, data + i, 2);
		sum += word;
		if (sum > 0xffff)
			sum -= 0xffff;
	}
	return (uint16_t)sum;
}

/* 0 and 0xffff are the same number. */
static bool same(uint16_t a, uint16_t b)
{
	return a % 0xffff == b % 0xffff;
}

static uint32_t noise(void)
{
	static uint64_t x = 88172645463325252ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	/* Words of all zeros and all ones are where one's complement is odd. */
	switch (x >> 60) {
	case 0:
		return 0;
	case 1:
		return 0xffffffff;
	case 2:
		return (uint32_t)x | 0xffff;
	case 3:
		return (uint32_t)x & 0xffff0000;
	}
	return (uint32_t)(x >> 8);
}

static void test_fold(void **state)
{
	(void)state;
	for (int i = 0; i < 1000000; i++) {
		const uint32_t words[] = { noise(), noise(), noise(), noise(), noise(), noise() };

		assert_true(same(checksum_fold(checksum_sum(words, 6)),
				 naive((const uint8_t *)words, sizeof(words))));
	}
	assert_int_equal(checksum_fold(~0ull), 0xffff);
	assert_int_equal(checksum_fold(0), 0);
	assert_int_equal(checksum_fold32(~0ull), 0xffffffff);
}

/* A header of ten words: one stays right when address and TTL change. */
static void test_update(void **state)
{
	(void)state;
	for (int i = 0; i < 1000000; i++) {
		uint32_t header[5] = { noise(), noise(), noise(), noise(), noise() };
		uint8_t *const bytes = (uint8_t *)header;
		const uint32_t before = header[3];
		const uint8_t ttl = bytes[8];
		uint16_t check = 0;
		uint32_t difference;

		memcpy(bytes + 10, &check, 2);
		check = (uint16_t)~naive(bytes, sizeof(header));
		header[3] = noise();
		bytes[8] = (uint8_t)noise();
		difference = checksum_join(checksum_difference32(before, header[3]),
					   checksum_difference_ttl(ttl, bytes[8]));
		check = checksum_update(check, difference);
		memcpy(bytes + 10, &check, 2);
		assert_true(same(naive(bytes, sizeof(header)), 0xffff));
	}
}

/* The example of RFC 1624, section 4: eqn. 3 gives 0x0000 where eqn. 2 gave 0xffff. */
static void test_rfc1624(void **state)
{
	(void)state;
	assert_int_equal(checksum_update(0xdd2f, checksum_difference16(0x5555, 0x3285)), 0x0000);
}

static void test_addr(void **state)
{
	(void)state;
	for (int i = 0; i < 200000; i++)
		for (uint8_t family = 4; family <= 6; family += 2) {
			struct dp_addr addrs[2] = {
				{ { noise(), noise(), noise(), noise() } },
				{ { noise(), noise(), noise(), noise() } },
			};
			const struct dp_addr *const old = &addrs[0], *const new = &addrs[1];
			const uint16_t difference =
				checksum_fold(checksum_difference_addr(old, new, family));
			const size_t from = family == 6 ? 0 : 12;
			uint32_t wanted;

			wanted = naive((const uint8_t *)new + from, 16 - from) +
				 (uint16_t)~naive((const uint8_t *)old + from, 16 - from);
			assert_true(same(difference, (uint16_t)(wanted % 0xffff)));
		}
}

/* Every sum that there is, with every kind of difference: never 0 but from 0. */
static void test_udp(void **state)
{
	(void)state;
	for (uint32_t check = 0; check <= 0xffff; check++)
		for (int i = 0; i < 20; i++) {
			const uint32_t difference = i == 0 ? check : i == 1 ? ~check : noise();
			const uint16_t now = checksum_update_udp((uint16_t)check, difference);

			if (!check) {
				assert_int_equal(now, 0);
				continue;
			}
			assert_int_not_equal(now, 0);
			/* The sum behind it has moved by the difference. */
			assert_true(same((uint16_t)~now,
					 checksum_fold((uint64_t)(uint16_t)~check + difference)));
			assert_true(same(checksum_move_pseudo((uint16_t)check, difference),
					 checksum_fold((uint64_t)check + difference)));
		}
}

static void test_pseudo(void **state)
{
	(void)state;
	for (int i = 0; i < 200000; i++)
		for (uint8_t family = 4; family <= 6; family += 2) {
			uint8_t udp[64] = { 0 }, whole[40 + sizeof(udp)];
			const struct dp_addr source = { { noise(), noise(), noise(), noise() } };
			const struct dp_addr destination = { { noise(), noise(), noise(),
							       noise() } };
			const size_t from = family == 6 ? 0 : 12, len = 16 - from;
			uint32_t words[16];
			uint64_t sum;
			uint16_t check;

			for (size_t n = 2; n < 16; n++)
				words[n] = noise();
			words[0] = noise();
			words[1] = packet_swap32(64 << 16);
			memcpy(udp, words, sizeof(udp));
			sum = checksum_sum_pseudo(&source, &destination, family, sizeof(udp)) +
			      checksum_sum(words, 16);
			check = checksum_finish_udp(sum);
			assert_int_not_equal(check, 0);
			memcpy(udp + 6, &check, 2);
			/* RFC 8200, section 8.1. */
			memset(whole, 0, sizeof(whole));
			memcpy(whole, (const uint8_t *)&source + from, len);
			memcpy(whole + len, (const uint8_t *)&destination + from, len);
			whole[2 * len + 3] = sizeof(udp);
			whole[2 * len + 7] = 17;
			memcpy(whole + 2 * len + 8, udp, sizeof(udp));
			assert_true(same(naive(whole, 2 * len + 8 + sizeof(udp)), 0xffff));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fold),	cmocka_unit_test(test_update),
		cmocka_unit_test(test_rfc1624), cmocka_unit_test(test_addr),
		cmocka_unit_test(test_udp),	cmocka_unit_test(test_pseudo),
	};

	return cmocka_run_group_tests_name("checksum", tests, NULL, NULL);
}
