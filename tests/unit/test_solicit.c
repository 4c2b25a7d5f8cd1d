/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "solicit.h"

static const uint8_t own_mac[6] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t other_mac[6] = { 2, 0, 0, 0, 0, 9 };
static const uint8_t own4[4] = { 172, 16, 1, 2 }, other4[4] = { 172, 16, 1, 3 };

static const uint8_t *address6(const char *text)
{
	static uint8_t bytes[2][16];
	static int next;

	next = !next;
	assert_int_equal(inet_pton(AF_INET6, text, bytes[next]), 1);
	return bytes[next];
}

/* Taken from a wire: arping's question, and what Linux answers. */
static void arp_is_as_on_the_wire(void **state)
{
	static const uint8_t wire[] = { 0,   1,	 8, 0, 6, 4, 0, 1, 2, 0, 0,   0,  0, 1,
					172, 16, 1, 2, 0, 0, 0, 0, 0, 0, 172, 16, 1, 3 };
	static const uint8_t reply[] = { 0,   1,  8, 0, 6, 4, 0, 2, 2, 0, 0,   0,  0, 9,
					 172, 16, 1, 3, 2, 0, 0, 0, 0, 1, 172, 16, 1, 2 };
	uint8_t frame[SOLICIT_ARP_LEN], bad[sizeof(reply)];
	struct solicit_answer answer;

	(void)state;
	solicit_arp(own_mac, own4, other4, frame);
	assert_memory_equal(frame, wire, sizeof(wire));
	assert_int_equal(solicit_parse_arp(frame, sizeof(frame), own4, &answer), -EBADMSG);

	assert_int_equal(solicit_parse_arp(reply, sizeof(reply), own4, &answer), 0);
	assert_int_equal(answer.family, 4);
	assert_memory_equal(answer.address, other4, 4);
	assert_memory_equal(answer.mac, other_mac, 6);
	/* to somebody else; every length that is too short; every byte of the fixed ones wrong */
	assert_int_equal(solicit_parse_arp(reply, sizeof(reply), other4, &answer), -EBADMSG);
	for (size_t len = 0; len < sizeof(reply); len++)
		assert_int_equal(solicit_parse_arp(reply, len, own4, &answer), -EBADMSG);
	for (size_t i = 0; i < 8; i++) {
		memcpy(bad, reply, sizeof(bad));
		bad[i] ^= 0x40;
		assert_int_equal(solicit_parse_arp(bad, sizeof(bad), own4, &answer), -EBADMSG);
	}
}

/* The sum of a whole message with its checksum in it, in other words than the code's. */
static uint16_t sum6(const uint8_t *packet, size_t len)
{
	uint64_t sum = 58 + len - 40;

	for (size_t i = 8; i + 1 < len; i += 2)
		sum += (uint64_t)packet[i] * 256 + packet[i + 1];
	return (uint16_t)(sum % 0xffff);
}

static void nd_asks_the_group_or_the_target(void **state)
{
	const uint8_t *own = address6("fd00:16:1::2"), *target = address6("fd00:16:1::1:2:3");
	uint8_t frame[SOLICIT_ND_LEN], mac[6];

	(void)state;
	solicit_nd(own_mac, own, target, NULL, frame, mac);
	assert_memory_equal(mac, ((uint8_t[]){ 0x33, 0x33, 0xff, 2, 0, 3 }), 6);
	assert_memory_equal(frame + 24, address6("ff02::1:ff02:3"), 16);
	assert_int_equal(frame[7], 255);
	assert_int_equal(frame[40], 135);
	assert_memory_equal(frame + 66, own_mac, 6);
	assert_int_equal(sum6(frame, sizeof(frame)), 0);

	own = address6("fd00:16:1::2");
	target = address6("fd00:16:1::1:2:3");
	solicit_nd(own_mac, own, target, other_mac, frame, mac);
	assert_memory_equal(mac, other_mac, 6);
	assert_memory_equal(frame + 24, target, 16);
	assert_memory_equal(frame + 48, target, 16);
	assert_int_equal(sum6(frame, sizeof(frame)), 0);
}

/* An advertisement made of our own solicitation: the same fields, another type. */
static size_t make_advert(const uint8_t *to, const uint8_t *target, uint8_t frame[static 128])
{
	uint8_t mac[6];
	uint16_t sum;

	solicit_nd(other_mac, target, to, own_mac, frame, mac);
	frame[40] = 136;
	memcpy(frame + 48, target, 16);
	frame[64] = 2;
	frame[42] = frame[43] = 0;
	sum = (uint16_t)(0xffff - sum6(frame, SOLICIT_ND_LEN));
	frame[42] = (uint8_t)(sum >> 8);
	frame[43] = (uint8_t)sum;
	return SOLICIT_ND_LEN;
}

static void nd_takes_answers_only(void **state)
{
	uint8_t own[16], target[16], frame[128], bad[128];
	struct solicit_answer answer;
	size_t len;

	(void)state;
	memcpy(own, address6("fd00:16:1::2"), 16);
	memcpy(target, address6("fd00:16:1::1"), 16);
	len = make_advert(own, target, frame);
	assert_int_equal(solicit_parse_nd(frame, len, own, &answer), 0);
	assert_int_equal(answer.family, 6);
	assert_memory_equal(answer.address, target, 16);
	assert_memory_equal(answer.mac, other_mac, 6);

	for (size_t i = 0; i < len; i++)
		assert_int_equal(solicit_parse_nd(frame, i, own, &answer), -EBADMSG);
	assert_int_equal(solicit_parse_nd(frame, len, target, &answer), -EBADMSG);
	/* Every bit that is not of the first four bytes but the version (class, label) matters. */
	for (size_t bit = 0; bit < len * 8; bit++) {
		if (bit >= 4 && bit < 32)
			continue;
		memcpy(bad, frame, len);
		bad[bit / 8] ^= (uint8_t)(1u << (7 - bit % 8));
		assert_int_equal(solicit_parse_nd(bad, len, own, &answer), -EBADMSG);
	}
	/* Padding of the link after it does not. */
	memset(frame + len, 0xee, sizeof(frame) - len);
	assert_int_equal(solicit_parse_nd(frame, sizeof(frame), own, &answer), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arp_is_as_on_the_wire),
		cmocka_unit_test(nd_asks_the_group_or_the_target),
		cmocka_unit_test(nd_takes_answers_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
