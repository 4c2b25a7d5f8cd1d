/* SPDX-License-Identifier: GPL-2.0-only */
/* What the sender of a packet is told that goes nowhere, and who is told nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engine/unreachable.h"

#define MS 1000000ULL
#define S (1000 * MS)

enum {
	UDP = 17,
	ICMP = 1,
	ICMP6 = 58,
	FRAGMENT = 44,
	HOP_BY_HOP = 0,
};

static uint8_t packet[65535];

static size_t v4(const char *from, const char *to, uint8_t protocol, size_t len)
{
	for (size_t i = 0; i < sizeof(packet); i++)
		packet[i] = (uint8_t)(i * 7);
	memset(packet, 0, 20);
	packet[0] = 0x45;
	packet[2] = (uint8_t)(len >> 8);
	packet[3] = (uint8_t)len;
	packet[8] = 64;
	packet[9] = protocol;
	assert_int_equal(inet_pton(AF_INET, from, packet + 12), 1);
	assert_int_equal(inet_pton(AF_INET, to, packet + 16), 1);
	return len;
}

static size_t v6(const char *from, const char *to, uint8_t next, size_t len)
{
	for (size_t i = 0; i < sizeof(packet); i++)
		packet[i] = (uint8_t)(i * 7);
	memset(packet, 0, 40);
	packet[0] = 0x60;
	packet[4] = (uint8_t)((len - 40) >> 8);
	packet[5] = (uint8_t)(len - 40);
	packet[6] = next;
	assert_int_equal(inet_pton(AF_INET6, from, packet + 8), 1);
	assert_int_equal(inet_pton(AF_INET6, to, packet + 24), 1);
	return len;
}

/* Two bytes at a time, in the network's order: 0 over what holds its own sum. */
static uint16_t naive_sum(const uint8_t *data, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* The answer of somebody who has answered nobody yet. */
static size_t first_answer(size_t len, uint8_t answer[UNREACHABLE_MAX6])
{
	struct unreachable *unreachable = unreachable_new();
	size_t n;

	assert_non_null(unreachable);
	n = unreachable_answer(unreachable, packet, len, S, answer);
	unreachable_free(unreachable);
	return n;
}

static void host_unreachable(void **state)
{
	const size_t lens[] = { 20, 21, 28, 300, 547, 548, 549, 1420, 65535 };
	uint8_t answer[UNREACHABLE_MAX6];

	(void)state;
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		size_t len = v4("10.0.0.1", "10.9.0.2", UDP, lens[i]);
		size_t quoted = len < 548 ? len : 548, n = first_answer(len, answer);

		assert_int_equal(n, 28 + quoted);
		assert_int_equal(answer[0], 0x45);
		assert_int_equal(answer[2] << 8 | answer[3], n);
		assert_int_equal(answer[9], ICMP);
		assert_int_equal(naive_sum(answer, 20, 0), 0);
		assert_memory_equal(answer + 12, packet + 16, 4);
		assert_memory_equal(answer + 16, packet + 12, 4);
		assert_int_equal(answer[20], 3);
		assert_int_equal(answer[21], 1);
		assert_memory_equal(answer + 24, "\0\0\0\0", 4);
		assert_int_equal(naive_sum(answer + 20, n - 20, 0), 0);
		assert_memory_equal(answer + 28, packet, quoted);
	}
}

static void address_unreachable(void **state)
{
	const size_t lens[] = { 40, 41, 48, 1231, 1232, 1233, 1420, 65535 };
	uint8_t answer[UNREACHABLE_MAX6];

	(void)state;
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		size_t len = v6("fd00::1", "fd00:9::2", UDP, lens[i]);
		size_t quoted = len < 1232 ? len : 1232, n = first_answer(len, answer);
		uint32_t pseudo = (uint32_t)(n - 40) + ICMP6;

		assert_int_equal(n, 48 + quoted);
		assert_int_equal(answer[0] >> 4, 6);
		assert_int_equal((answer[4] << 8 | answer[5]) + 40, n);
		assert_int_equal(answer[6], ICMP6);
		assert_memory_equal(answer + 8, packet + 24, 16);
		assert_memory_equal(answer + 24, packet + 8, 16);
		assert_int_equal(answer[40], 1);
		assert_int_equal(answer[41], 3);
		assert_memory_equal(answer + 44, "\0\0\0\0", 4);
		assert_int_equal(naive_sum(answer + 8, n - 8, pseudo), 0);
		assert_memory_equal(answer + 48, packet, quoted);
	}
}

/* A frame may be longer than its packet, not shorter. */
static void the_length_is_the_headers(void **state)
{
	uint8_t answer[UNREACHABLE_MAX6];

	(void)state;
	v4("10.0.0.1", "10.9.0.2", UDP, 100);
	assert_int_equal(first_answer(120, answer), 128);
	assert_int_equal(first_answer(99, answer), 0);
	packet[0] = 0x4f; /* options, which are there */
	assert_int_equal(first_answer(100, answer), 128);
	v4("10.0.0.1", "10.9.0.2", UDP, 40);
	packet[0] = 0x4f; /* and are not */
	assert_int_equal(first_answer(40, answer), 0);
	packet[0] = 0x44;
	assert_int_equal(first_answer(40, answer), 0);
	packet[0] = 0x75;
	assert_int_equal(first_answer(40, answer), 0);
	v6("fd00::1", "fd00:9::2", UDP, 100);
	assert_int_equal(first_answer(99, answer), 0);
	assert_int_equal(first_answer(39, answer), 0);
	assert_int_equal(first_answer(0, answer), 0);
}

static bool answered4(const char *from, const char *to)
{
	uint8_t answer[UNREACHABLE_MAX6];

	return first_answer(v4(from, to, UDP, 100), answer) > 0;
}

static bool answered6(const char *from, const char *to)
{
	uint8_t answer[UNREACHABLE_MAX6];

	return first_answer(v6(from, to, UDP, 100), answer) > 0;
}

static void some_addresses_are_told_nothing(void **state)
{
	(void)state;
	assert_true(answered4("223.255.255.255", "1.0.0.1"));
	assert_false(answered4("0.0.0.0", "10.9.0.2"));
	assert_false(answered4("127.0.0.1", "10.9.0.2"));
	assert_false(answered4("224.0.0.1", "10.9.0.2"));
	assert_false(answered4("255.255.255.255", "10.9.0.2"));
	assert_false(answered4("10.0.0.1", "224.0.0.5"));
	assert_false(answered4("10.0.0.1", "255.255.255.255"));
	assert_true(answered6("fe80::1", "fd00:9::2"));
	assert_false(answered6("::", "fd00:9::2"));
	assert_false(answered6("::1", "fd00:9::2"));
	assert_false(answered6("ff02::1", "fd00:9::2"));
	assert_false(answered6("fd00::1", "ff02::1"));
}

static void errors_are_not_answered(void **state)
{
	uint8_t answer[UNREACHABLE_MAX6];
	bool error;

	(void)state;
	for (int type = 0; type < 256; type++) {
		size_t len = v4("10.0.0.1", "10.9.0.2", ICMP, 100);

		packet[20] = (uint8_t)type;
		error = type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
		assert_int_equal(first_answer(len, answer) == 0, error);

		len = v6("fd00::1", "fd00:9::2", ICMP6, 100);
		packet[40] = (uint8_t)type;
		error = type < 128 || type == 137;
		assert_int_equal(first_answer(len, answer) == 0, error);

		/* Behind other headers, of 16 and of 8 bytes. */
		len = v6("fd00::1", "fd00:9::2", HOP_BY_HOP, 100);
		packet[40] = FRAGMENT;
		packet[41] = 1;
		packet[56] = ICMP6;
		packet[58] = packet[59] = 0;
		packet[64] = (uint8_t)type;
		assert_int_equal(first_answer(len, answer) == 0, error);
	}
	/* Its type is cut off, or it is behind more headers than anybody needs. */
	assert_int_equal(first_answer(v4("10.0.0.1", "10.9.0.2", ICMP, 20), answer), 0);
	assert_int_equal(first_answer(v6("fd00::1", "fd00:9::2", ICMP6, 40), answer), 0);
	assert_int_equal(first_answer(v6("fd00::1", "fd00:9::2", HOP_BY_HOP, 47), answer), 0);
	v6("fd00::1", "fd00:9::2", HOP_BY_HOP, 200);
	memset(packet + 40, 0, 160);
	assert_int_equal(first_answer(200, answer), 0);
}

static void of_fragments_the_first(void **state)
{
	uint8_t answer[UNREACHABLE_MAX6];

	(void)state;
	v4("10.0.0.1", "10.9.0.2", UDP, 100);
	packet[6] = 0x20; /* more follow */
	assert_true(first_answer(100, answer) > 0);
	packet[6] = 0x40; /* none, and none may be made */
	assert_true(first_answer(100, answer) > 0);
	packet[6] = 0x01;
	assert_int_equal(first_answer(100, answer), 0);
	packet[6] = 0x20;
	packet[7] = 1;
	assert_int_equal(first_answer(100, answer), 0);
	/* The error that a later one may be a part of. */
	v6("fd00::1", "fd00:9::2", FRAGMENT, 100);
	packet[40] = ICMP6;
	packet[42] = 1;
	packet[48] = 128;
	assert_int_equal(first_answer(100, answer), 0);
	packet[40] = UDP;
	assert_true(first_answer(100, answer) > 0);
}

static void one_a_second_six_at_once(void **state)
{
	struct unreachable *unreachable = unreachable_new();
	uint8_t answer[UNREACHABLE_MAX6];
	uint64_t now = 5 * S;
	int told = 0;

	(void)state;
	assert_non_null(unreachable);
	for (int i = 0; i < 100; i++)
		told += unreachable_answer(unreachable, packet,
					   v4("10.0.0.1", "10.9.0.2", UDP, 100), now, answer) > 0;
	assert_int_equal(told, 6);
	assert_true(unreachable_answer(unreachable, packet, v4("10.0.0.3", "10.9.0.2", UDP, 100),
				       now, answer) > 0);
	for (int ms = 0; ms < 10000; ms += 10)
		told += unreachable_answer(unreachable, packet,
					   v4("10.0.0.1", "10.9.0.2", UDP, 100),
					   now + 10 * S + (uint64_t)ms * MS, answer) > 0;
	assert_in_range(told, 6 + 15, 6 + 16);
	unreachable_free(unreachable);
}

/* What is refused for one address is not taken from the others. */
static void a_thousand_a_second_in_all(void **state)
{
	struct unreachable *unreachable = unreachable_new();
	uint8_t answer[UNREACHABLE_MAX6];
	uint64_t now = 5 * S;
	int told = 0;
	size_t len;

	(void)state;
	assert_non_null(unreachable);
	for (int i = 0; i < 1000; i++)
		(void)unreachable_answer(unreachable, packet, v4("10.0.0.1", "10.9.0.2", UDP, 100),
					 now, answer);
	now += S;
	for (int i = 0; i < 20000; i++) {
		len = v4("10.1.0.0", "10.9.0.2", UDP, 28);
		packet[14] = (uint8_t)(i >> 8);
		packet[15] = (uint8_t)i;
		told += unreachable_answer(unreachable, packet, len, now + (uint64_t)i * S / 20000,
					   answer) > 0;
	}
	assert_in_range(told, 1040, 1060);
	unreachable_free(unreachable);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_unreachable),
		cmocka_unit_test(address_unreachable),
		cmocka_unit_test(the_length_is_the_headers),
		cmocka_unit_test(some_addresses_are_told_nothing),
		cmocka_unit_test(errors_are_not_answered),
		cmocka_unit_test(of_fragments_the_first),
		cmocka_unit_test(one_a_second_six_at_once),
		cmocka_unit_test(a_thousand_a_second_in_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
