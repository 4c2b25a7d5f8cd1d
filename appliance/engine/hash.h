/* SPDX-License-Identifier: GPL-2.0-only */
/* BLAKE2s as the protocol uses it (WireGuard paper, 5.4): plain, keyed, HMAC and the KDF of it. */
#ifndef ENGINE_HASH_H
#define ENGINE_HASH_H

#include <stddef.h>
#include <stdint.h>

enum {
	HASH_LEN = 32,
	HASH_MAC_LEN = 16,
};

/* BLAKE2s-256 of two pieces, the second of which may be empty. ret may be one of them. */
void hash_two(const void *a, size_t a_len, const void *b, size_t b_len, uint8_t ret[HASH_LEN]);

/* BLAKE2s-128 keyed with 1 to 32 bytes. */
void hash_mac(const void *key, size_t key_len, const void *data, size_t len,
	      uint8_t ret[HASH_MAC_LEN]);

/* KDF1 to KDF3 of the paper; second and third may be NULL, and any may be the key. */
void hash_kdf(const uint8_t key[HASH_LEN], const void *input, size_t len, uint8_t ret_1[HASH_LEN],
	      uint8_t ret_2[HASH_LEN], uint8_t ret_3[HASH_LEN]);

/* Load what the others need, so that nothing is opened later. */
void hash_prepare(void);

#endif
