/* SPDX-License-Identifier: GPL-2.0-only */
#include "probe_key.h"

#include <endian.h>
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>

static const char probe_key_label[] = "netpas probe key 1";

#define INFO_LEN (sizeof(probe_key_label) - 1 + 4)

static int derive_shared(const struct key *own_private, const struct key *peer_public,
			 uint8_t ret_secret[static KEY_LEN])
{
	EVP_PKEY *own, *peer;
	EVP_PKEY_CTX *ctx = NULL;
	size_t len = KEY_LEN;
	int ret = -ENOTSUP;

	own = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, own_private->bytes, KEY_LEN);
	peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, peer_public->bytes, KEY_LEN);
	if (own && peer)
		ctx = EVP_PKEY_CTX_new(own, NULL);
	if (!ctx || EVP_PKEY_derive_init(ctx) <= 0 || EVP_PKEY_derive_set_peer(ctx, peer) <= 0)
		goto out;
	/* Fails for one reason: the result is all zero, as RFC 7748 section 6.1 lets one refuse. */
	ret = EVP_PKEY_derive(ctx, ret_secret, &len) > 0 && len == KEY_LEN ? 0 : -EKEYREJECTED;
out:
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(own); /* wiped there */
	EVP_PKEY_free(peer);
	return ret;
}

static int expand(uint8_t secret[static KEY_LEN], uint8_t info[static INFO_LEN],
		  uint8_t ret_bytes[static 16])
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret, KEY_LEN),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, INFO_LEN),
		OSSL_PARAM_construct_end(),
	};
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_HKDF, NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	int ret = -ENOTSUP;

	if (ctx && EVP_KDF_derive(ctx, ret_bytes, 16, params) > 0)
		ret = 0;
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return ret;
}

int probe_key_derive(const struct key *own_private, const struct key *peer_public, uint16_t own_id,
		     uint16_t peer_id, uint64_t ret_key[static 2])
{
	const uint16_t low = own_id < peer_id ? own_id : peer_id;
	const uint16_t high = own_id < peer_id ? peer_id : own_id;
	uint8_t secret[KEY_LEN], bytes[16], info[INFO_LEN];
	uint64_t word;
	int ret;

	if (own_id == peer_id)
		return -EINVAL;
	memcpy(info, probe_key_label, INFO_LEN - 4);
	info[INFO_LEN - 4] = (uint8_t)(low >> 8);
	info[INFO_LEN - 3] = (uint8_t)low;
	info[INFO_LEN - 2] = (uint8_t)(high >> 8);
	info[INFO_LEN - 1] = (uint8_t)high;
	ret = derive_shared(own_private, peer_public, secret);
	if (!ret)
		ret = expand(secret, info, bytes);
	for (unsigned int i = 0; !ret && i < 2; i++) {
		memcpy(&word, bytes + 8 * i, sizeof(word));
		ret_key[i] = le64toh(word);
	}
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(bytes, sizeof(bytes));
	explicit_bzero(&word, sizeof(word));
	return ret;
}
