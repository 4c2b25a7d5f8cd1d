/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cookie.h"
#include "engine/noise.h"

#include "noise_vector.h"

#define S 1000000000ULL

/* What ephemeral keys are made of when the test says so. */
static const uint8_t *fixed_random;

static const char *fixed_name(void)
{
	return "fixed";
}

static void fixed_buf(void *const buf, const size_t size)
{
	uint8_t *bytes = buf;

	if (fixed_random && size == 32) {
		memcpy(buf, fixed_random, size);
		return;
	}
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)rand();
}

static uint32_t fixed_one(void)
{
	return (uint32_t)rand();
}

static struct randombytes_implementation fixed = {
	.implementation_name = fixed_name,
	.random = fixed_one,
	.buf = fixed_buf,
};

struct pair {
	struct noise_identity a, b;
	struct noise_handshake to_b, to_a;
};

static void pair_init(struct pair *pair)
{
	memset(pair, 0, sizeof(*pair));
	noise_identity_set(&pair->a, vector_initiator);
	noise_identity_set(&pair->b, vector_responder);
	memcpy(pair->to_a.psk, vector_psk, 32);
	memcpy(pair->to_b.psk, vector_psk, 32);
	noise_handshake_init(&pair->to_b, &pair->a, pair->b.public_key);
	noise_handshake_init(&pair->to_a, &pair->b, pair->a.public_key);
}

static void initiate(struct pair *pair, struct message_initiation *ret)
{
	fixed_random = vector_ephemeral_i;
	assert_int_equal(
		noise_initiation_create(&pair->to_b, &pair->a, 0x11223344, vector_timestamp, ret),
		0);
	fixed_random = NULL;
}

static int accept_it(struct pair *pair, const struct message_initiation *message)
{
	struct noise_opening opening;
	int rc = noise_initiation_open(&pair->b, message, &opening);

	if (rc)
		return rc;
	assert_memory_equal(opening.remote_static, pair->a.public_key, 32);
	return noise_initiation_accept(&pair->to_a, &opening, message);
}

static void respond(struct pair *pair, struct message_response *ret)
{
	fixed_random = vector_ephemeral_r;
	assert_int_equal(noise_response_create(&pair->to_a, 0x55667788, ret), 0);
	fixed_random = NULL;
}

/* Byte by byte what an independent reading of the paper gives. */
static void the_known_handshake(void **state)
{
	struct message_initiation initiation;
	struct message_response response;
	struct cookie_maker maker;
	struct noise_keys a, b;
	struct pair pair;

	(void)state;
	pair_init(&pair);
	initiate(&pair, &initiation);
	cookie_maker_init(&maker, pair.b.public_key);
	cookie_sign(&maker, &initiation, sizeof(initiation), S);
	assert_memory_equal(&initiation, vector_initiation, sizeof(initiation));
	assert_int_equal(accept_it(&pair, &initiation), 0);
	assert_int_equal(pair.to_a.remote_index, 0x11223344);
	respond(&pair, &response);
	cookie_maker_init(&maker, pair.a.public_key);
	cookie_sign(&maker, &response, sizeof(response), S);
	assert_memory_equal(&response, vector_response, sizeof(response));
	assert_int_equal(noise_response_accept(&pair.to_b, &pair.a, &response), 0);
	assert_int_equal(pair.to_b.remote_index, 0x55667788);
	assert_int_equal(noise_keys_derive(&pair.to_b, &a), 0);
	assert_int_equal(noise_keys_derive(&pair.to_a, &b), 0);
	assert_true(a.initiator && !b.initiator);
	assert_memory_equal(a.send, vector_send, 32);
	assert_memory_equal(a.receive, vector_receive, 32);
	assert_memory_equal(b.receive, vector_send, 32);
	assert_memory_equal(b.send, vector_receive, 32);
	/* And nothing is left of it. */
	assert_true(sodium_is_zero(pair.to_b.ephemeral, 32));
	assert_true(sodium_is_zero(pair.to_b.chaining, 32));
	assert_int_equal(noise_keys_derive(&pair.to_b, &a), -EPROTO);
}

static void every_bit_of_an_initiation_counts(void **state)
{
	struct message_initiation message, broken;
	struct pair pair;

	(void)state;
	pair_init(&pair);
	initiate(&pair, &message);
	for (size_t bit = 64; bit < 8 * offsetof(struct message_initiation, macs); bit++) {
		broken = message;
		((uint8_t *)&broken)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(accept_it(&pair, &broken), 0);
		assert_int_equal(pair.to_a.state, NOISE_ZEROED);
	}
	assert_int_equal(accept_it(&pair, &message), 0);
}

static void every_bit_of_a_response_counts(void **state)
{
	struct message_initiation initiation;
	struct message_response message, broken;
	struct pair pair;

	(void)state;
	pair_init(&pair);
	initiate(&pair, &initiation);
	assert_int_equal(accept_it(&pair, &initiation), 0);
	respond(&pair, &message);
	for (size_t bit = 96; bit < 8 * offsetof(struct message_response, macs); bit++) {
		broken = message;
		((uint8_t *)&broken)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(noise_response_accept(&pair.to_b, &pair.a, &broken), 0);
	}
	assert_int_equal(noise_response_accept(&pair.to_b, &pair.a, &message), 0);
	/* Once. */
	assert_int_equal(noise_response_accept(&pair.to_b, &pair.a, &message), -EPROTO);
}

static void an_initiation_is_taken_once(void **state)
{
	uint8_t later[MESSAGE_TIMESTAMP_LEN], sooner[MESSAGE_TIMESTAMP_LEN];
	struct message_initiation message;
	struct pair pair;

	(void)state;
	pair_init(&pair);
	initiate(&pair, &message);
	assert_int_equal(accept_it(&pair, &message), 0);
	assert_int_equal(accept_it(&pair, &message), -EALREADY);
	memcpy(sooner, vector_timestamp, sizeof(sooner));
	sooner[7]--;
	assert_int_equal(noise_initiation_create(&pair.to_b, &pair.a, 9, sooner, &message), 0);
	assert_int_equal(accept_it(&pair, &message), -EALREADY);
	memcpy(later, vector_timestamp, sizeof(later));
	later[11]++;
	assert_int_equal(noise_initiation_create(&pair.to_b, &pair.a, 9, later, &message), 0);
	assert_int_equal(accept_it(&pair, &message), 0);
}

static void another_psk_is_refused(void **state)
{
	struct message_initiation initiation;
	struct message_response response;
	struct pair pair;

	(void)state;
	pair_init(&pair);
	pair.to_a.psk[31] ^= 1;
	initiate(&pair, &initiation);
	assert_int_equal(accept_it(&pair, &initiation), 0);
	respond(&pair, &response);
	assert_int_equal(noise_response_accept(&pair.to_b, &pair.a, &response), -EBADMSG);
}

static void points_of_small_order_are_refused(void **state)
{
	static const uint8_t points[][32] = { { 0 }, { 1 } };
	struct message_initiation message;
	struct noise_opening opening;
	struct pair pair;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		pair_init(&pair);
		noise_handshake_init(&pair.to_b, &pair.a, points[i]);
		assert_int_equal(
			noise_initiation_create(&pair.to_b, &pair.a, 1, vector_timestamp, &message),
			-EINVAL);
		memset(&message, 0, sizeof(message));
		memcpy(message.ephemeral, points[i], 32);
		assert_int_equal(noise_initiation_open(&pair.b, &message, &opening), -EINVAL);
	}
}

static void without_identity_nothing_goes(void **state)
{
	static const uint8_t none[32];
	struct message_initiation message;
	struct noise_opening opening;
	struct pair pair;

	(void)state;
	pair_init(&pair);
	initiate(&pair, &message);
	noise_identity_set(&pair.b, none);
	assert_false(pair.b.set);
	assert_int_equal(noise_initiation_open(&pair.b, &message, &opening), -ENOKEY);
	noise_identity_set(&pair.a, none);
	assert_int_equal(
		noise_initiation_create(&pair.to_b, &pair.a, 1, vector_timestamp, &message),
		-ENOKEY);
}

static void cookies_go_round(void **state)
{
	struct message_initiation message;
	struct cookie_checker checker;
	struct cookie_maker maker;
	struct message_cookie reply, broken;
	struct pair pair;
	uint64_t now = 1000 * S;

	(void)state;
	pair_init(&pair);
	initiate(&pair, &message);
	cookie_checker_init(&checker, pair.b.public_key);
	assert_true(cookie_expired(&checker, now));
	cookie_renew(&checker, now);
	assert_false(cookie_expired(&checker, now + 119 * S));
	assert_true(cookie_expired(&checker, now + 120 * S));
	cookie_maker_init(&maker, pair.b.public_key);
	cookie_reply(&checker, &message, sizeof(message), "addr01", 6, &reply);
	/* Not asked for. */
	assert_int_equal(cookie_accept(&maker, &reply, now), -EPROTO);
	cookie_sign(&maker, &message, sizeof(message), now);
	assert_int_equal(cookie_check(&checker, &message, sizeof(message), "addr01", 6, now),
			 COOKIE_MAC1);
	cookie_reply(&checker, &message, sizeof(message), "addr01", 6, &reply);
	assert_int_equal(reply.receiver, message.sender);
	for (size_t bit = 64; bit < 8 * sizeof(reply); bit++) {
		broken = reply;
		((uint8_t *)&broken)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(cookie_accept(&maker, &broken, now), -EBADMSG);
	}
	assert_int_equal(cookie_accept(&maker, &reply, now), 0);
	assert_int_equal(cookie_accept(&maker, &reply, now), -EPROTO);
	cookie_sign(&maker, &message, sizeof(message), now);
	assert_int_equal(cookie_check(&checker, &message, sizeof(message), "addr01", 6, now),
			 COOKIE_MAC1_AND_MAC2);
	/* From elsewhere, with another mac2, another mac1. */
	assert_int_equal(cookie_check(&checker, &message, sizeof(message), "addr02", 6, now),
			 COOKIE_MAC1);
	message.macs.mac2[3] ^= 4;
	assert_int_equal(cookie_check(&checker, &message, sizeof(message), "addr01", 6, now),
			 COOKIE_MAC1);
	message.macs.mac1[3] ^= 4;
	assert_int_equal(cookie_check(&checker, &message, sizeof(message), "addr01", 6, now),
			 COOKIE_INVALID);
	/* A secret lives 120 s, a cookie 115 s. */
	cookie_sign(&maker, &message, sizeof(message), now + 114 * S);
	assert_int_equal(
		cookie_check(&checker, &message, sizeof(message), "addr01", 6, now + 114 * S),
		COOKIE_MAC1_AND_MAC2);
	assert_int_equal(
		cookie_check(&checker, &message, sizeof(message), "addr01", 6, now + 120 * S),
		COOKIE_MAC1);
	cookie_sign(&maker, &message, sizeof(message), now + 115 * S);
	assert_true(sodium_is_zero(message.macs.mac2, sizeof(message.macs.mac2)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_known_handshake),
		cmocka_unit_test(every_bit_of_an_initiation_counts),
		cmocka_unit_test(every_bit_of_a_response_counts),
		cmocka_unit_test(an_initiation_is_taken_once),
		cmocka_unit_test(another_psk_is_refused),
		cmocka_unit_test(points_of_small_order_are_refused),
		cmocka_unit_test(without_identity_nothing_goes),
		cmocka_unit_test(cookies_go_round),
	};

	randombytes_set_implementation(&fixed);
	return cmocka_run_group_tests_name("wg_noise", tests, NULL, NULL);
}
