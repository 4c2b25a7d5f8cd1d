/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "drill_key.h"
#include "drill_scenario.h"
#include "drill_wire.h"

static const struct drill_probe probe = {
	.from = 0x0102,
	.to = 0x0304,
	.sequence = 0x11121314,
	.session = 0x2122232425262728,
	.sent_us = 0x3132333435363738,
	.echo_sequence = 0x41424344,
	.echo_delay_us = 0x51525354,
	.received = 0x61626364,
	.highest = 0x71727374,
	.duplicated = 0x81828384,
	.reordered = 0x91929394,
};

/* The layout as it is documented, written down a second time. */
static const uint8_t probe_bytes[DRILL_PROBE_SIGNED] = {
	'N',  'P',  'D',  '1',	1,    0,    0,	  0,	0x01, 0x02, 0x03, 0x04, 0x11, 0x12,
	0x13, 0x14, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x31, 0x32, 0x33, 0x34,
	0x35, 0x36, 0x37, 0x38, 0x41, 0x42, 0x43, 0x44, 0x51, 0x52, 0x53, 0x54, 0x61, 0x62,
	0x63, 0x64, 0x71, 0x72, 0x73, 0x74, 0x81, 0x82, 0x83, 0x84, 0x91, 0x92, 0x93, 0x94,
};

static void probes_have_the_documented_layout(void **state)
{
	uint8_t buf[DRILL_PROBE_LEN];
	struct drill_probe decoded;

	(void)state;
	memset(buf, 0xaa, sizeof(buf));
	drill_probe_encode(&probe, buf);
	assert_memory_equal(buf, probe_bytes, sizeof(probe_bytes));
	assert_int_equal(drill_probe_decode(buf, sizeof(buf), &decoded), 0);
	drill_probe_encode(&decoded, buf);
	assert_memory_equal(buf, probe_bytes, sizeof(probe_bytes));
}

static void bad_probes_are_refused(void **state)
{
	uint8_t buf[DRILL_PROBE_LEN + 1] = { 0 };
	struct drill_probe decoded;

	(void)state;
	memcpy(buf, probe_bytes, sizeof(probe_bytes));
	for (size_t len = 0; len <= sizeof(buf); len++)
		assert_int_equal(drill_probe_decode(buf, len, &decoded),
				 len == DRILL_PROBE_LEN ? 0 : -EBADMSG);
	buf[4] = 2;
	assert_int_equal(drill_probe_decode(buf, DRILL_PROBE_LEN, &decoded), -EPROTO);
	buf[4] = 1;
	for (size_t i = 5; i < 8; i++) {
		buf[i] = 1;
		assert_int_equal(drill_probe_decode(buf, DRILL_PROBE_LEN, &decoded), -EBADMSG);
		buf[i] = 0;
	}
	memset(buf + 12, 0, 4); /* sequences begin with 1 */
	assert_int_equal(drill_probe_decode(buf, DRILL_PROBE_LEN, &decoded), -EBADMSG);
}

static size_t encode(enum drill_type type, const uint8_t *body, size_t len, uint8_t *buf)
{
	const struct drill_message message = {
		.type = type,
		.from = 1,
		.to = 2,
		.number = 3,
		.session = 4,
		.cookie = 5,
		.time_us = 6,
		.body = body,
		.body_len = len,
	};

	return drill_message_encode(&message, buf) + DRILL_TAG_LEN;
}

static void messages_come_back(void **state)
{
	uint8_t body[DRILL_BODY_MAX], buf[DRILL_MESSAGE_MAX] = { 0 };
	struct drill_message decoded;

	(void)state;
	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (uint8_t)i;
	for (int type = 0; type < DRILL_TYPE_MAX; type++) {
		for (size_t len = 0; len <= sizeof(body); len += 550) {
			size_t size = encode((enum drill_type)type, body, len, buf);

			assert_int_equal(drill_message_decode(buf, size, &decoded), 0);
			assert_int_equal(decoded.type, type);
			assert_int_equal(decoded.number, 3);
			assert_int_equal(decoded.session, 4);
			assert_int_equal(decoded.cookie, 5);
			assert_int_equal(decoded.time_us, 6);
			assert_int_equal(decoded.body_len, len);
			assert_memory_equal(decoded.body, body, len);
			assert_int_equal(drill_message_decode(buf, size - 1, &decoded), -EBADMSG);
			assert_false(drill_wire_is_probe(buf, size));
		}
		assert_non_null(drill_type_names[type]);
	}
}

static void bad_messages_are_refused(void **state)
{
	uint8_t buf[DRILL_MESSAGE_MAX] = { 0 };
	struct drill_message decoded;
	const size_t size = encode(DRILL_KEEP, NULL, 0, buf);

	(void)state;
	buf[5] = DRILL_TYPE_MAX;
	assert_int_equal(drill_message_decode(buf, size, &decoded), -EBADMSG);
	buf[5] = DRILL_KEEP;
	buf[7] = 1; /* longer than it is */
	assert_int_equal(drill_message_decode(buf, size, &decoded), -EBADMSG);
	buf[7] = 0;
	buf[4] = 9;
	assert_int_equal(drill_message_decode(buf, size, &decoded), -EPROTO);
}

static void orders_are_bounded(void **state)
{
	struct drill_order order = { .scenario = DRILL_BROWN_OUT,
				     .site = 3,
				     .relay = 101,
				     .hold_ms = DRILL_HOLD_MAX_MS,
				     .lost = 1000000 };
	uint8_t buf[DRILL_ORDER_LEN];
	struct drill_order decoded;

	(void)state;
	drill_order_encode(&order, buf);
	assert_int_equal(drill_order_decode(buf, sizeof(buf), &decoded), 0);
	assert_memory_equal(&decoded.hold_ms, &order.hold_ms, 4);
	assert_int_equal(decoded.relay, 101);
	assert_int_equal(drill_order_decode(buf, sizeof(buf) - 1, &decoded), -EBADMSG);
	order.hold_ms++;
	drill_order_encode(&order, buf);
	assert_int_equal(drill_order_decode(buf, sizeof(buf), &decoded), -EBADMSG);
	order.hold_ms = 1;
	order.lost++;
	drill_order_encode(&order, buf);
	assert_int_equal(drill_order_decode(buf, sizeof(buf), &decoded), -EBADMSG);
	order.lost = 0;
	order.scenario = DRILL_SCENARIO_MAX;
	drill_order_encode(&order, buf);
	assert_int_equal(drill_order_decode(buf, sizeof(buf), &decoded), -EBADMSG);
}

/* ---- keys ---- */

static void every_bit_of_what_is_signed_counts(void **state)
{
	const struct drill_key key = { .probe = { 1, 2 }, .message = { 3 } };
	const struct drill_key other = { .probe = { 1, 3 }, .message = { 4 } };
	uint8_t buf[DRILL_MESSAGE_MAX] = { 0 };
	size_t size;

	(void)state;
	memcpy(buf, probe_bytes, sizeof(probe_bytes));
	drill_probe_sign(&key, buf);
	assert_true(drill_probe_verify(&key, buf));
	assert_false(drill_probe_verify(&other, buf));
	for (size_t bit = 0; bit < DRILL_PROBE_LEN * 8; bit++) {
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(drill_probe_verify(&key, buf));
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	size = encode(DRILL_DONE, (const uint8_t *)"12345678text", 12, buf);
	drill_message_sign(&key, buf, size - DRILL_TAG_LEN);
	assert_true(drill_message_verify(&key, buf, size));
	assert_false(drill_message_verify(&other, buf, size));
	for (size_t bit = 0; bit < size * 8; bit++) {
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(drill_message_verify(&key, buf, size));
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_false(drill_message_verify(&key, buf, DRILL_TAG_LEN));
}

static void make_pair(struct config_gateway gateways[2], struct config_site *site,
		      struct config *config, size_t self)
{
	*site = (struct config_site){ .gateways = gateways, .n_gateways = 2 };
	*config = (struct config){ .self_gateway = self };
	config->mesh.sites = site;
	config->mesh.n_sites = 1;
}

static void both_ends_have_the_same_key(void **state)
{
	struct config_gateway gateways[2] = { { .id = 1 }, { .id = 2 } };
	struct config_site sites[2];
	struct config a, b;
	struct drill_key ab, ba, aa;

	(void)state;
	make_pair(gateways, &sites[0], &a, 0);
	make_pair(gateways, &sites[1], &b, 1);
	key_generate(&a.private_key);
	key_generate(&b.private_key);
	key_public(&a.private_key, &gateways[0].public_key);
	key_public(&b.private_key, &gateways[1].public_key);
	assert_int_equal(drill_key_derive(&a, 2, &ab), 0);
	assert_int_equal(drill_key_derive(&b, 1, &ba), 0);
	assert_memory_equal(&ab, &ba, sizeof(ab));
	assert_int_equal(drill_key_derive(&a, 1, &aa), 0);
	assert_memory_not_equal(&ab, &aa, sizeof(ab));
	assert_int_equal(drill_key_derive(&a, 3, &aa), -ENOENT);
}

static void signatures_are_of_the_node(void **state)
{
	uint8_t signature[DRILL_SIGNATURE_LEN], again[DRILL_SIGNATURE_LEN];
	struct key private_key, other, public_key, other_public;

	(void)state;
	key_generate(&private_key);
	key_generate(&other);
	assert_int_equal(drill_sign_public(&private_key, &public_key), 0);
	assert_int_equal(drill_sign_public(&other, &other_public), 0);
	assert_int_equal(drill_sign(&private_key, "text", 4, signature), 0);
	assert_int_equal(drill_sign(&private_key, "text", 4, again), 0);
	assert_memory_equal(signature, again, sizeof(again));
	assert_true(drill_sign_verify(&public_key, "text", 4, signature));
	assert_false(drill_sign_verify(&public_key, "tex_", 4, signature));
	assert_false(drill_sign_verify(&other_public, "text", 4, signature));
	signature[0] ^= 1;
	assert_false(drill_sign_verify(&public_key, "text", 4, signature));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(probes_have_the_documented_layout),
		cmocka_unit_test(bad_probes_are_refused),
		cmocka_unit_test(messages_come_back),
		cmocka_unit_test(bad_messages_are_refused),
		cmocka_unit_test(orders_are_bounded),
		cmocka_unit_test(every_bit_of_what_is_signed_counts),
		cmocka_unit_test(both_ends_have_the_same_key),
		cmocka_unit_test(signatures_are_of_the_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
