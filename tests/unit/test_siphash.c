/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "siphash.h"

#define MAX_WORDS 11 /* of a probe */

/*
 * The reference implementation's vectors (vectors_sip64: key 00 01 .. 0f, message 00 01 ..) of
 * whole words, byte by byte as published; the one of 88 bytes is OpenSSL's.
 */
static const struct {
	uint32_t words;
	uint8_t tag[8];
} vectors[] = {
	{ 0, { 0x31, 0x0e, 0x0e, 0xdd, 0x47, 0xdb, 0x6f, 0x72 } },
	{ 1, { 0x62, 0x24, 0x93, 0x9a, 0x79, 0xf5, 0xf5, 0x93 } },
	{ 2, { 0xdb, 0x9b, 0xc2, 0x57, 0x7f, 0xcc, 0x2a, 0x3f } },
	{ 3, { 0x94, 0xaf, 0x49, 0xf6, 0xc6, 0x50, 0xad, 0xb8 } },
	{ 4, { 0xce, 0x7c, 0xf2, 0x72, 0x2f, 0x51, 0x27, 0x71 } },
	{ 5, { 0xd0, 0xa7, 0x04, 0x53, 0x6b, 0xa9, 0x3e, 0x0e } },
	{ 6, { 0x51, 0xa9, 0xcb, 0x9e, 0xcb, 0xa3, 0x12, 0xe6 } },
	{ 7, { 0xbd, 0x83, 0x8d, 0x3a, 0xaf, 0xbf, 0x8d, 0xb7 } },
	{ 11, { 0x62, 0xa2, 0x82, 0x59, 0x42, 0xc7, 0x6b, 0xbb } },
};

static __u64 load(const uint8_t bytes[8])
{
	__u64 word = 0;

	for (int i = 7; i >= 0; i--)
		word = word << 8 | bytes[i];
	return word;
}

/* The published key and the beginning of the published message. */
static void prepare(__u64 key[2], __u64 words[MAX_WORDS])
{
	uint8_t bytes[8 * MAX_WORDS];

	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	for (int i = 0; i < MAX_WORDS; i++)
		words[i] = load(bytes + 8 * i);
	key[0] = words[0];
	key[1] = words[1];
}

static void the_published_vectors(void **state)
{
	__u64 key[2], words[MAX_WORDS];

	(void)state;
	prepare(key, words);
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		assert_true(siphash24(key, words, vectors[i].words) == load(vectors[i].tag));
}

/* A flipped bit of key or message flips about half of the tag, and the length counts. */
static void every_bit_counts(void **state)
{
	__u64 key[2], words[MAX_WORDS], tag, other;
	unsigned int flipped = 0, n = 64 * (2 + MAX_WORDS);

	(void)state;
	prepare(key, words);
	tag = siphash24(key, words, MAX_WORDS);
	for (unsigned int bit = 0; bit < n; bit++) {
		__u64 *word = bit < 128 ? &key[bit / 64] : &words[bit / 64 - 2];

		*word ^= 1ull << bit % 64;
		other = siphash24(key, words, MAX_WORDS);
		*word ^= 1ull << bit % 64;
		assert_true(other != tag);
		flipped += (unsigned int)__builtin_popcountll(other ^ tag);
	}
	assert_in_range(flipped, 31 * n, 33 * n);
	words[3] = 0;
	assert_true(siphash24(key, words, 3) != siphash24(key, words, 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_published_vectors),
		cmocka_unit_test(every_bit_counts),
	};

	return cmocka_run_group_tests_name("siphash", tests, NULL, NULL);
}
