/* SPDX-License-Identifier: GPL-2.0-only */
/* Bundles of small images, and keys to sign them with. */
#ifndef NETPAS_TEST_BUNDLE_MAKER_H
#define NETPAS_TEST_BUNDLE_MAKER_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "bundle.h"

struct made {
	char *text;
	size_t len, image; /* offset of the image */
};

static EVP_PKEY *make_key(void)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

	assert_non_null(key);
	return key;
}

static void write_keys(const char *path, EVP_PKEY *const *keys, size_t n)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(PEM_write_PUBKEY(out, keys[i]), 1);
	assert_int_equal(fclose(out), 0);
}

static void make_signature(EVP_PKEY *key, const char *text, size_t len,
			   uint8_t signature[static BUNDLE_SIGNATURE_LEN])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t size = BUNDLE_SIGNATURE_LEN;

	assert_int_equal(EVP_DigestSignInit(context, NULL, NULL, NULL, key), 1);
	assert_int_equal(EVP_DigestSign(context, signature, &size, (const uint8_t *)text, len), 1);
	EVP_MD_CTX_free(context);
}

/* key NULL: not signed. */
static struct made bundle_of(const char *manifest, EVP_PKEY *key, const char *image, size_t size)
{
	uint8_t signature[BUNDLE_SIGNATURE_LEN] = { 0 };
	const size_t len = strlen(manifest);
	struct made made;
	FILE *out = open_memstream(&made.text, &made.len);

	if (key)
		make_signature(key, manifest, len, signature);
	fprintf(out, "netpas-bundle 1 %08zu\n%s", len, manifest);
	fwrite(signature, 1, sizeof(signature), out);
	fwrite(image, 1, size, out);
	fclose(out);
	made.image = BUNDLE_HEADER_LEN + len + BUNDLE_SIGNATURE_LEN;
	return made;
}

static void manifest_of(const char *product, const char *version, const char *architecture,
			const char *image, size_t size, char text[static 1024])
{
	uint8_t hash[BUNDLE_HASH_LEN];
	char hex[2 * BUNDLE_HASH_LEN + 1];
	struct utsname name;

	assert_int_equal(uname(&name), 0);
	assert_int_equal(EVP_Digest(image, size, hash, NULL, EVP_sha256(), NULL), 1);
	for (size_t i = 0; i < sizeof(hash); i++)
		snprintf(hex + 2 * i, 3, "%02x", hash[i]);
	snprintf(text, 1024,
		 "{\"product\": \"%s\", \"version\": \"%s\", \"architecture\": \"%s\",\n"
		 " \"image\": {\"size\": %zu, \"sha256\": \"%s\"}}\n",
		 product, version, architecture ? architecture : name.machine, size, hex);
}

static struct made make_bundle(const char *version, EVP_PKEY *key, const char *image, size_t size)
{
	char manifest[1024];

	manifest_of("netpas", version, NULL, image, size, manifest);
	return bundle_of(manifest, key, image, size);
}

/* A squashfs as far as GRUB's model looks, with the version in it, the same each time. */
static char *make_image(const char *version, size_t size)
{
	char *image = malloc(size);
	uint32_t x = 2463534242u;

	assert_non_null(image);
	for (const char *c = version; *c; c++)
		x = (x ^ (uint8_t)*c) * 16777619u;
	for (size_t i = 0; i < size; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		image[i] = (char)x;
	}
	memcpy(image, "hsqs", 4);
	strcpy(image + 16, version);
	return image;
}

#endif
