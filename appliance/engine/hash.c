/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/hash.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

/* Out of memory, or a library without BLAKE2s: there is no way on, and none that leaks a key. */
static void must(int good)
{
	if (!good)
		abort();
}

static EVP_MD *blake2s;
static EVP_MAC *blake2s_mac;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fetch(void)
{
	blake2s = EVP_MD_fetch(NULL, "BLAKE2S-256", NULL);
	blake2s_mac = EVP_MAC_fetch(NULL, "BLAKE2SMAC", NULL);
	must(blake2s && blake2s_mac);
	must(sodium_init() >= 0);
}

void hash_prepare(void)
{
	uint8_t key[HASH_LEN] = { 0 }, out[HASH_LEN];

	hash_kdf(key, "", 0, out, NULL, NULL);
	hash_mac(key, sizeof(key), "", 0, out);
}

void hash_two(const void *a, size_t a_len, const void *b, size_t b_len, uint8_t ret[HASH_LEN])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	pthread_once(&once, fetch);
	must(ctx && EVP_DigestInit_ex(ctx, blake2s, NULL) && EVP_DigestUpdate(ctx, a, a_len) &&
	     EVP_DigestUpdate(ctx, b, b_len) && EVP_DigestFinal_ex(ctx, ret, NULL));
	EVP_MD_CTX_free(ctx);
}

void hash_mac(const void *key, size_t key_len, const void *data, size_t len,
	      uint8_t ret[HASH_MAC_LEN])
{
	size_t size = HASH_MAC_LEN;
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC_CTX *ctx;

	pthread_once(&once, fetch);
	ctx = EVP_MAC_CTX_new(blake2s_mac);
	must(ctx && EVP_MAC_init(ctx, key, key_len, params) && EVP_MAC_update(ctx, data, len) &&
	     EVP_MAC_final(ctx, ret, NULL, HASH_MAC_LEN));
	EVP_MAC_CTX_free(ctx);
}

static void hmac(const uint8_t key[HASH_LEN], const void *data, size_t len, uint8_t ret[HASH_LEN])
{
	pthread_once(&once, fetch);
	must(HMAC(blake2s, key, HASH_LEN, data, len, ret, NULL) != NULL);
}

void hash_kdf(const uint8_t key[HASH_LEN], const void *input, size_t len, uint8_t ret_1[HASH_LEN],
	      uint8_t ret_2[HASH_LEN], uint8_t ret_3[HASH_LEN])
{
	uint8_t *const rets[] = { ret_1, ret_2, ret_3 };
	uint8_t secret[HASH_LEN], block[HASH_LEN + 1];
	size_t used = 0;

	hmac(key, input, len, secret);
	for (int i = 0; i < 3 && rets[i]; i++) {
		block[used] = (uint8_t)(i + 1);
		hmac(secret, block, used + 1, block);
		used = HASH_LEN;
		memcpy(rets[i], block, HASH_LEN);
	}
	sodium_memzero(secret, sizeof(secret));
	sodium_memzero(block, sizeof(block));
}
