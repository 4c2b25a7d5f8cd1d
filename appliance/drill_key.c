/* SPDX-License-Identifier: GPL-2.0-only */
#include "drill_key.h"

#include <endian.h>
#include <errno.h>
#include <linux/types.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>

#include "dataplane.h"
#include "packet.h"
#include "probe_key.h"
#include "siphash.h"

#define HASH_LEN 32

static const char talk_label[] = "netpas drill key 1";
static const char report_label[] = "netpas report key 1";

static const struct config_gateway *gateway_find(const struct config *config, uint16_t id)
{
	for (size_t s = 0; s < config->mesh.n_sites; s++)
		for (size_t g = 0; g < config->mesh.sites[s].n_gateways; g++)
			if (config->mesh.sites[s].gateways[g].id == id)
				return &config->mesh.sites[s].gateways[g];
	return NULL;
}

static int expand(const void *secret, size_t len, const char *label,
		  uint8_t ret_bytes[static HASH_LEN])
{
	char digest[] = "SHA256", info[32];
	uint8_t copy[KEY_LEN];
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, copy, len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, strlen(label)),
		OSSL_PARAM_construct_end(),
	};
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_HKDF, NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	int ret = -ENOTSUP;

	memcpy(copy, secret, len);
	memcpy(info, label, strlen(label));
	if (ctx && EVP_KDF_derive(ctx, ret_bytes, HASH_LEN, params) > 0)
		ret = 0;
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	explicit_bzero(copy, sizeof(copy));
	return ret;
}

int drill_key_derive(const struct config *config, uint16_t id, struct drill_key *ret_key)
{
	const struct config_gateway *gateway = gateway_find(config, id);
	const uint16_t own = config_self_id(config);
	uint8_t bytes[HASH_LEN];
	uint64_t shared[2];
	int rc;

	if (!gateway)
		return -ENOENT;
	if (id == own) {
		rc = expand(config->private_key.bytes, KEY_LEN, talk_label, bytes);
	} else {
		rc = probe_key_derive(&config->private_key, &gateway->public_key, own, id, shared);
		if (!rc) {
			shared[0] = htole64(shared[0]);
			shared[1] = htole64(shared[1]);
			rc = expand(shared, sizeof(shared), talk_label, bytes);
		}
		explicit_bzero(shared, sizeof(shared));
	}
	if (!rc) {
		memcpy(ret_key->probe, bytes, sizeof(ret_key->probe));
		memcpy(ret_key->message, bytes + 16, sizeof(ret_key->message));
	}
	explicit_bzero(bytes, sizeof(bytes));
	return rc;
}

static uint64_t probe_tag(const struct drill_key *key, const uint8_t *buf)
{
	const __u64 words_key[2] = { le64toh(key->probe[0]), le64toh(key->probe[1]) };
	__u64 words[DRILL_PROBE_SIGNED / 8];

	memcpy(words, buf, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		words[i] = le64toh(words[i]);
	return siphash24(words_key, words, sizeof(words) / sizeof(words[0]));
}

void drill_probe_sign(const struct drill_key *key, uint8_t buf[static DRILL_PROBE_LEN])
{
	const uint64_t tag = htole64(probe_tag(key, buf));

	memcpy(buf + DRILL_PROBE_SIGNED, &tag, sizeof(tag));
}

bool drill_probe_verify(const struct drill_key *key, const uint8_t buf[static DRILL_PROBE_LEN])
{
	const uint64_t tag = htole64(probe_tag(key, buf));

	return !CRYPTO_memcmp(buf + DRILL_PROBE_SIGNED, &tag, sizeof(tag));
}

static bool message_tag(const struct drill_key *key, const uint8_t *buf, size_t len,
			uint8_t ret_tag[static HASH_LEN])
{
	unsigned int size = HASH_LEN;

	return HMAC(EVP_sha256(), key->message, sizeof(key->message), buf, len, ret_tag, &size) &&
	       size == HASH_LEN;
}

void drill_message_sign(const struct drill_key *key, uint8_t *buf, size_t len)
{
	uint8_t tag[HASH_LEN] = { 0 };

	/* It fails only without memory; then nobody believes the message. */
	(void)message_tag(key, buf, len, tag);
	memcpy(buf + len, tag, DRILL_TAG_LEN);
}

bool drill_message_verify(const struct drill_key *key, const uint8_t *buf, size_t len)
{
	uint8_t tag[HASH_LEN];

	return len > DRILL_TAG_LEN && message_tag(key, buf, len - DRILL_TAG_LEN, tag) &&
	       !CRYPTO_memcmp(buf + len - DRILL_TAG_LEN, tag, DRILL_TAG_LEN);
}

static EVP_PKEY *signing_key(const struct key *private_key)
{
	uint8_t seed[HASH_LEN];
	EVP_PKEY *pkey = NULL;

	if (!expand(private_key->bytes, KEY_LEN, report_label, seed))
		pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof(seed));
	explicit_bzero(seed, sizeof(seed));
	return pkey;
}

int drill_sign_public(const struct key *private_key, struct key *ret_public)
{
	EVP_PKEY *pkey = signing_key(private_key);
	size_t len = KEY_LEN;
	int rc = -ENOTSUP;

	if (pkey && EVP_PKEY_get_raw_public_key(pkey, ret_public->bytes, &len) > 0)
		rc = 0;
	EVP_PKEY_free(pkey);
	return rc;
}

int drill_sign(const struct key *private_key, const void *text, size_t len,
	       uint8_t ret_signature[static DRILL_SIGNATURE_LEN])
{
	EVP_PKEY *pkey = signing_key(private_key);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t size = DRILL_SIGNATURE_LEN;
	int rc = -ENOTSUP;

	if (pkey && ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) > 0 &&
	    EVP_DigestSign(ctx, ret_signature, &size, text, len) > 0 && size == DRILL_SIGNATURE_LEN)
		rc = 0;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	return rc;
}

bool drill_sign_verify(const struct key *public_key, const void *text, size_t len,
		       const uint8_t signature[static DRILL_SIGNATURE_LEN])
{
	EVP_PKEY *pkey =
		EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key->bytes, KEY_LEN);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good;

	good = pkey && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) > 0 &&
	       EVP_DigestVerify(ctx, signature, DRILL_SIGNATURE_LEN, text, len) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	return good;
}
