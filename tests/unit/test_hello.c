/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "hello.h"

static const struct hello example = {
	.from = 0x0102,
	.to = 0x0304,
	.role = HELLO_ROLE_ACTIVE,
	.severity = 0x71,
	.flags = 0x72,
	.generation = 0x1112131415161718,
	.seen_generation = 0x2122232425262728,
	.digest = 0x3132333435363738,
	.rival_generation = 0x8182838485868788,
	.sequence = 0x41424344,
	.echo_sequence = 0x51525354,
	.echo_delay_us = 0x61626364,
	.lan_mac = { 0x02, 0x91, 0x92, 0x93, 0x94, 0x95 },
};

/* The layout as it is documented, written down a second time. */
static const uint8_t example_bytes[HELLO_LEN] = {
	'N',  'P',  'H',  '1',	1,    1,    0x71, 0x72, 0x01, 0x02, 0x03, 0x04, 0x41,
	0x42, 0x43, 0x44, 0x51, 0x52, 0x53, 0x54, 0x61, 0x62, 0x63, 0x64, 0x11, 0x12,
	0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27,
	0x28, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x81, 0x82, 0x83, 0x84,
	0x85, 0x86, 0x87, 0x88, 0x02, 0x91, 0x92, 0x93, 0x94, 0x95,
};

static void assert_hello_equal(const struct hello *a, const struct hello *b)
{
	assert_int_equal(a->from, b->from);
	assert_int_equal(a->to, b->to);
	assert_int_equal(a->role, b->role);
	assert_int_equal(a->severity, b->severity);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->rival_generation, b->rival_generation);
	assert_int_equal(a->generation, b->generation);
	assert_int_equal(a->seen_generation, b->seen_generation);
	assert_int_equal(a->digest, b->digest);
	assert_int_equal(a->sequence, b->sequence);
	assert_int_equal(a->echo_sequence, b->echo_sequence);
	assert_int_equal(a->echo_delay_us, b->echo_delay_us);
	assert_memory_equal(a->lan_mac, b->lan_mac, HELLO_MAC_LEN);
}

static void encodes_the_documented_layout(void **state)
{
	uint8_t buf[HELLO_LEN];

	(void)state;
	memset(buf, 0xaa, sizeof(buf));
	hello_encode(&example, buf);
	assert_memory_equal(buf, example_bytes, HELLO_LEN);
}

static void decodes_the_documented_layout(void **state)
{
	struct hello hello;

	(void)state;
	assert_int_equal(hello_decode(example_bytes, HELLO_LEN, &hello), 0);
	assert_hello_equal(&hello, &example);
}

static void extremes_survive(void **state)
{
	static const struct hello extremes[] = {
		{ .from = 1, .to = 4095 },
		{ .from = 4095,
		  .to = 1,
		  .role = HELLO_ROLE_ACTIVE,
		  .severity = UINT8_MAX,
		  .flags = UINT8_MAX,
		  .rival_generation = UINT64_MAX,
		  .generation = UINT64_MAX,
		  .seen_generation = UINT64_MAX,
		  .digest = UINT64_MAX,
		  .sequence = UINT32_MAX,
		  .echo_sequence = UINT32_MAX,
		  .echo_delay_us = UINT32_MAX },
	};
	uint8_t buf[HELLO_LEN];
	struct hello hello;

	(void)state;
	for (size_t i = 0; i < sizeof(extremes) / sizeof(extremes[0]); i++) {
		hello_encode(&extremes[i], buf);
		assert_int_equal(hello_decode(buf, sizeof(buf), &hello), 0);
		assert_hello_equal(&hello, &extremes[i]);
	}
}

/* Each a single change to the example. */
static void rejects_what_is_no_hello(void **state)
{
	static const struct {
		size_t offset;
		uint8_t value;
		int err;
	} cases[] = {
		{ 0, 'n', -EBADMSG },	{ 1, 0, -EBADMSG },    { 2, 0xff, -EBADMSG },
		{ 3, '2', -EBADMSG },	{ 4, 0, -EPROTO },     { 4, 2, -EPROTO },
		{ 4, 0xff, -EPROTO },	{ 5, 2, -EBADMSG },    { 5, 0xff, -EBADMSG },
		{ 8, 0x10, -EBADMSG },	{ 8, 0xff, -EBADMSG }, { 10, 0x10, -EBADMSG },
		{ 10, 0xff, -EBADMSG }, { 5, 0, 0 },	       { 6, 0xff, 0 },
		{ 7, 0xff, 0 },		{ 48, 0xff, 0 },       { 55, 0xff, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t buf[HELLO_LEN];
		struct hello hello = { .from = 77 };

		memcpy(buf, example_bytes, sizeof(buf));
		buf[cases[i].offset] = cases[i].value;
		assert_int_equal(hello_decode(buf, sizeof(buf), &hello), cases[i].err);
		if (cases[i].err)
			assert_int_equal(hello.from, 77);
	}
}

static void rejects_id_zero(void **state)
{
	struct hello hello = example;
	uint8_t buf[HELLO_LEN];

	(void)state;
	hello.from = 0;
	hello_encode(&hello, buf);
	assert_int_equal(hello_decode(buf, sizeof(buf), &hello), -EBADMSG);
	hello = example;
	hello.to = 0;
	hello_encode(&hello, buf);
	assert_int_equal(hello_decode(buf, sizeof(buf), &hello), -EBADMSG);
}

/* The heap block has exactly the length given, so that a sanitizer sees one byte too far. */
static void every_length(void **state)
{
	static const uint8_t none[HELLO_MAC_LEN];

	(void)state;
	for (size_t len = 0; len <= HELLO_LEN + 100; len++) {
		uint8_t *buf = test_malloc(len + 1);
		uint8_t *end = buf + 1;
		struct hello hello, expected = example;

		memset(buf, 0, len + 1);
		memcpy(end, example_bytes, len < HELLO_LEN ? len : HELLO_LEN);
		assert_int_equal(hello_decode(end, len, &hello),
				 len < HELLO_LEN_MIN ? -EBADMSG : 0);
		/* Part of a MAC is none, as none is what older versions tell. */
		memcpy(expected.lan_mac, len < HELLO_LEN ? none : example.lan_mac, HELLO_MAC_LEN);
		if (len >= HELLO_LEN_MIN)
			assert_hello_equal(&hello, &expected);
		if (len > 4) {
			end[4] = HELLO_VERSION + 1;
			assert_int_equal(hello_decode(end, len, &hello), -EPROTO);
		}
		test_free(buf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodes_the_documented_layout),
		cmocka_unit_test(decodes_the_documented_layout),
		cmocka_unit_test(extremes_survive),
		cmocka_unit_test(rejects_what_is_no_hello),
		cmocka_unit_test(rejects_id_zero),
		cmocka_unit_test(every_length),
	};

	return cmocka_run_group_tests_name("hello", tests, NULL, NULL);
}
