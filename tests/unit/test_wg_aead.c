/* SPDX-License-Identifier: GPL-2.0-only */
/* Every provider against a known answer, against libsodium and against what must not be opened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "engine/aead.h"

enum {
	ROOM = 4096
};

static uint32_t noise(void)
{
	static uint64_t x = 88172645463325252ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 16);
}

static void fill(uint8_t *data, size_t len)
{
	while (len--)
		*data++ = (uint8_t)noise();
}

static size_t unhex(const char *hex, uint8_t *data)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		const char byte[3] = { hex[2 * i], hex[2 * i + 1], 0 };

		data[i] = (uint8_t)strtoul(byte, NULL, 16);
	}
	return n;
}

#define EACH_PROVIDER(aead)                                                              \
	for (const struct aead_provider *const *at_ = aead_providers; *at_; at_++)       \
		for (struct aead *aead = (*at_)->usable() ? aead_new(*at_) : NULL; aead; \
		     aead_free(aead), aead = NULL)

/*
 * The text and key of RFC 8439, 2.8.2, without its additional data and with four zeros in the nonce:
 * computed by an implementation of the RFC's text that gives the RFC's own tag for its own input.
 */
static void test_known_answer(void **state)
{
	static const char text[] =
		"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for "
		"the future, sunscreen would be it.";
	static const char sealed[] =
		"a479cb54628946d6f4042a8e384ef4bd2fbc7330b8be55eb2d8dc18aaa51d66a8ec1f8d3619a258db0ac56"
		"956015b7b4937e9b8e6aa957b3dc0214d803d77660aabc913092971da8f207171ce7843608162e2e759d8e"
		"fc25d8d0936990af63c820ba87e8a955b5c8274ef7d10f6fafd04647"
		"fa6775577a1a250dcc2df37e95e46c4a";
	uint8_t key[32], want[ROOM], data[ROOM], empty[16];
	size_t n = unhex(sealed, want);

	(void)state;
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(0x80 + i);
	EACH_PROVIDER(aead)
	{
		struct packet p[2] = {
			{ .data = data,
			  .padded = sizeof(text) - 1,
			  .counter = 0x4746454443424140,
			  .key = key },
			{ .data = empty, .counter = 0x4746454443424140, .key = key }
		};

		memcpy(data, text, sizeof(text));
		aead_seal(aead, p, 2);
		assert_int_equal(p[0].padded + 16, n);
		assert_memory_equal(data, want, n);
		assert_int_equal(unhex("5a700f88e787fe1c1ef664e601ba935f", want + n), 16);
		assert_memory_equal(empty, want + n, 16);
		aead_open(aead, p, 2);
		assert_true(p[0].ok && p[1].ok);
		assert_memory_equal(data, text, sizeof(text) - 1);
	}
}

/* All lengths, batches of different keys and counters, in both directions. */
static void test_against_sodium(void **state)
{
	enum {
		BATCH = 150
	};
	static uint8_t data[BATCH][ROOM], plain[BATCH][ROOM], want[ROOM];
	uint8_t keys[BATCH][32], nonce[12] = { 0 };
	struct packet p[BATCH];

	(void)state;
	assert_true(sodium_init() >= 0);
	EACH_PROVIDER(aead)
	{
		for (uint32_t round = 0; round < 30; round++) {
			for (uint32_t i = 0; i < BATCH; i++) {
				p[i] = (struct packet){
					.data = data[i],
					.padded = round < 15 ? round * BATCH + i
							     : noise() % (ROOM - 16),
					.counter = (uint64_t)noise() << 32 | noise(),
					.key = keys[i],
				};
				if (p[i].padded > ROOM - 16)
					p[i].padded = ROOM - 16;
				fill(keys[i], 32);
				fill(data[i], p[i].padded);
				memcpy(plain[i], data[i], p[i].padded);
			}
			aead_seal(aead, p, BATCH);
			for (uint32_t i = 0; i < BATCH; i++) {
				for (int b = 0; b < 8; b++)
					nonce[4 + b] = (uint8_t)(p[i].counter >> 8 * b);
				crypto_aead_chacha20poly1305_ietf_encrypt(want, NULL, plain[i],
									  p[i].padded, NULL, 0,
									  NULL, nonce, keys[i]);
				assert_memory_equal(data[i], want, p[i].padded + 16);
			}
			aead_open(aead, p, BATCH);
			for (uint32_t i = 0; i < BATCH; i++) {
				assert_true(p[i].ok);
				assert_memory_equal(data[i], plain[i], p[i].padded);
			}
		}
	}
}

/* One bit anywhere, another key, counter or length: not opened, and the others of the batch are. */
static void test_refused(void **state)
{
	static uint8_t data[3][ROOM], sealed[3][ROOM];
	uint8_t key[32], other[32];

	(void)state;
	fill(key, sizeof(key));
	memcpy(other, key, sizeof(key));
	other[31] ^= 0x80;
	EACH_PROVIDER(aead)
	{
		struct packet p[3], again[3];

		for (uint32_t len = 0; len < 200; len += 33) {
			for (int i = 0; i < 3; i++) {
				p[i] = (struct packet){ .data = data[i],
							.padded = len,
							.counter = 7u + (uint32_t)i,
							.key = key };
				fill(data[i], len);
			}
			aead_seal(aead, p, 3);
			memcpy(sealed, data, sizeof(sealed));
			memcpy(again, p, sizeof(again));
			for (uint32_t bit = 0; bit < (len + 16) * 8; bit++) {
				memcpy(data, sealed, sizeof(data));
				data[1][bit / 8] ^= (uint8_t)(1 << bit % 8);
				aead_open(aead, p, 3);
				assert_true(p[0].ok && !p[1].ok && p[2].ok);
			}
			for (int what = 0; what < 4; what++) {
				memcpy(data, sealed, sizeof(data));
				memcpy(p, again, sizeof(p));
				if (what == 0)
					p[1].key = other;
				else if (what == 1)
					p[1].counter ^= 1ull << 63;
				else if (what == 2)
					p[1].padded++;
				else if (len)
					p[1].padded--;
				else
					continue;
				aead_open(aead, p, 3);
				assert_true(p[0].ok && !p[1].ok && p[2].ok);
			}
			memcpy(p, again, sizeof(p));
		}
	}
}

static void test_choice(void **state)
{
	size_t n = 0;

	(void)state;
	while (aead_providers[n])
		n++;
	assert_true(n >= 1 && aead_providers[n - 1]->usable());
	assert_string_equal(aead_providers[n - 1]->name, "openssl");
	assert_true(aead_best()->usable());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_answer),
		cmocka_unit_test(test_against_sodium),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_choice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
