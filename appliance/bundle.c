/* SPDX-License-Identifier: GPL-2.0-only */
#include "bundle.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "hex.h"

#define MAGIC "netpas-bundle "
#define FORMAT "1"
#define DIGITS 8
#define KEYS_MAX 65536 /* bytes of the file */

static int because(char reason[static BUNDLE_REASON_LEN], const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static int because(char reason[static BUNDLE_REASON_LEN], const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(reason, BUNDLE_REASON_LEN, fmt, args); /* a cut one is better than none */
	va_end(args);
	return -EBADMSG;
}

/* ---- header ---- */

int bundle_header_parse(const char *buf, size_t len, size_t *ret_manifest_len,
			char reason[static BUNDLE_REASON_LEN])
{
	const char *at = buf + sizeof(MAGIC) - 1;
	size_t manifest_len = 0;

	if (len < sizeof(MAGIC) - 1 || memcmp(buf, MAGIC, sizeof(MAGIC) - 1))
		return because(reason, "it is no bundle: it does not begin with '" MAGIC "'");
	if (len < BUNDLE_HEADER_LEN)
		return because(reason, "it is truncated, within its first line");
	if (at[0] != FORMAT[0] || at[1] != ' ')
		return because(reason, "it is a bundle of another format than " FORMAT
				       ", the only one that this version knows");
	at += 2;
	for (size_t i = 0; i < DIGITS; i++) {
		if (!isdigit((unsigned char)at[i]))
			return because(reason, "its first line is damaged");
		manifest_len = manifest_len * 10 + (size_t)(at[i] - '0');
	}
	if (at[DIGITS] != '\n')
		return because(reason, "its first line is damaged");
	if (!manifest_len || manifest_len > BUNDLE_MANIFEST_MAX)
		return because(reason, "its manifest would have %zu bytes, not 1 to %d",
			       manifest_len, BUNDLE_MANIFEST_MAX);
	*ret_manifest_len = manifest_len;
	return 0;
}

/* ---- manifest ---- */

int bundle_version_check(const char *version)
{
	const size_t len = strlen(version);

	if (!isdigit((unsigned char)*version) || len >= BUNDLE_VERSION_LEN)
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)version[i]) && !strchr(".-+~", version[i]))
			return -EINVAL;
	return 0;
}

static int hash_parse(const char *text, uint8_t hash[static BUNDLE_HASH_LEN])
{
	if (!text || strlen(text) != 2 * BUNDLE_HASH_LEN)
		return -EINVAL;
	for (size_t i = 0; i < BUNDLE_HASH_LEN; i++) {
		const int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		hash[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

static int read_manifest(json_t *root, struct bundle *bundle, char reason[static BUNDLE_REASON_LEN])
{
	const char *product, *version, *architecture, *hash;
	json_t *image;
	json_int_t size;

	product = json_string_value(json_object_get(root, "product"));
	if (!product)
		return because(reason, "its manifest names no product");
	if (strcmp(product, "netpas"))
		return because(reason, "it is for the product '%.64s', not for 'netpas'", product);
	version = json_string_value(json_object_get(root, "version"));
	if (!version || bundle_version_check(version))
		return because(reason,
			       "its manifest has no \"version\" such as 20261122.1530-g1234abc");
	architecture = json_string_value(json_object_get(root, "architecture"));
	if (!architecture || strlen(architecture) >= sizeof(bundle->architecture))
		return because(reason, "its manifest has no \"architecture\" such as x86_64");
	image = json_object_get(root, "image");
	size = json_integer_value(json_object_get(image, "size"));
	if (size <= 0 || size % BUNDLE_BLOCK)
		return because(reason,
			       "its image has no \"size\", or one that is no multiple of %d",
			       BUNDLE_BLOCK);
	hash = json_string_value(json_object_get(image, "sha256"));
	if (hash_parse(hash, bundle->hash))
		return because(reason, "its image has no \"sha256\" of 64 hexadecimal digits");
	strcpy(bundle->version, version);
	strcpy(bundle->architecture, architecture);
	bundle->size = (uint64_t)size;
	return 0;
}

int bundle_manifest_parse(const char *text, size_t len, struct bundle *ret_bundle,
			  char reason[static BUNDLE_REASON_LEN])
{
	struct bundle bundle = { .offset = BUNDLE_HEADER_LEN + len + BUNDLE_SIGNATURE_LEN };
	json_error_t error;
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	int rc;

	if (!root)
		return because(reason, "its manifest is no JSON: line %d: %s", error.line,
			       error.text);
	rc = read_manifest(root, &bundle, reason);
	json_decref(root);
	if (!rc)
		*ret_bundle = bundle;
	return rc;
}

/* ---- signature ---- */

static bool is_signed_by(EVP_PKEY *key, const char *manifest, size_t len,
			 const uint8_t signature[static BUNDLE_SIGNATURE_LEN])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good;

	good = context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
	       EVP_DigestVerify(context, signature, BUNDLE_SIGNATURE_LEN,
				(const unsigned char *)manifest, len) == 1;
	EVP_MD_CTX_free(context);
	return good;
}

int bundle_verify(const char *keys, size_t keys_len, const char *keys_name, const char *manifest,
		  size_t len, const uint8_t signature[static BUNDLE_SIGNATURE_LEN],
		  char reason[static BUNDLE_REASON_LEN])
{
	static const uint8_t none[BUNDLE_SIGNATURE_LEN];
	BIO *bio = BIO_new_mem_buf(keys, (int)keys_len);
	unsigned int n_keys = 0;
	bool good = false;
	EVP_PKEY *key;

	if (!bio)
		return -ENOMEM;
	while (!good && (key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL))) {
		/* Other kinds verify other things: of a signature that is longer, or of a digest. */
		if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519) {
			n_keys++;
			good = is_signed_by(key, manifest, len, signature);
		}
		EVP_PKEY_free(key);
	}
	BIO_free(bio);
	ERR_clear_error();
	if (good)
		return 0;
	if (!n_keys)
		return because(reason, "%s has no Ed25519 public key in PEM", keys_name);
	if (!memcmp(signature, none, sizeof(none)))
		(void)because(reason, "it is not signed");
	else
		(void)because(reason,
			      "its signature is not by %s of %s, or its manifest was changed since",
			      n_keys == 1 ? "the key" : "a key", keys_name);
	return -EKEYREJECTED;
}

/* ---- files ---- */

static int read_keys(const char *path, char **ret_text, size_t *ret_len,
		     char reason[static BUNDLE_REASON_LEN])
{
	const int rc = file_load(path, 0, KEYS_MAX, ret_text, ret_len);

	if (rc)
		(void)because(reason, "%s: %s", path, strerror(-rc));
	return rc;
}

static int read_all(int fd, void *buf, size_t size, const char *what,
		    char reason[static BUNDLE_REASON_LEN])
{
	size_t len = 0;
	int rc = file_read(fd, buf, size, &len);

	if (rc)
		(void)because(reason, "it cannot be read: %s", strerror(-rc));
	else if (len < size)
		rc = because(reason, "it is truncated, within %s", what);
	return rc;
}

static int check_length(int fd, const struct bundle *bundle, char reason[static BUNDLE_REASON_LEN])
{
	const uint64_t wanted = bundle->offset + bundle->size;
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || (uint64_t)st.st_size == wanted)
		return 0;
	if ((uint64_t)st.st_size < wanted)
		return because(reason, "it is truncated: it has %jd of %" PRIu64 " bytes",
			       (intmax_t)st.st_size, wanted);
	return because(reason, "it has %" PRIu64 " bytes behind its end",
		       (uint64_t)st.st_size - wanted);
}

static int open_with(int fd, const char *keys, size_t keys_len, const char *keys_path,
		     char manifest[static BUNDLE_MANIFEST_MAX], struct bundle *ret_bundle,
		     char reason[static BUNDLE_REASON_LEN])
{
	uint8_t signature[BUNDLE_SIGNATURE_LEN];
	char header[BUNDLE_HEADER_LEN];
	struct bundle bundle = { 0 };
	size_t len = 0;
	int rc = file_read(fd, header, sizeof(header), &len);

	if (rc)
		(void)because(reason, "it cannot be read: %s", strerror(-rc));
	if (!rc)
		rc = bundle_header_parse(header, len, &len, reason);
	if (!rc)
		rc = read_all(fd, manifest, len, "its manifest", reason);
	if (!rc)
		rc = read_all(fd, signature, sizeof(signature), "its signature", reason);
	if (!rc)
		rc = bundle_verify(keys, keys_len, keys_path, manifest, len, signature, reason);
	if (!rc)
		rc = bundle_manifest_parse(manifest, len, &bundle, reason);
	if (!rc)
		rc = check_length(fd, &bundle, reason);
	if (!rc)
		*ret_bundle = bundle;
	return rc;
}

int bundle_open(int fd, const char *keys_path, struct bundle *ret_bundle,
		char reason[static BUNDLE_REASON_LEN])
{
	char *manifest = malloc(BUNDLE_MANIFEST_MAX), *keys = NULL;
	size_t keys_len = 0;
	int rc = manifest ? read_keys(keys_path, &keys, &keys_len, reason)
			  : because(reason, "out of memory");

	if (!rc)
		rc = open_with(fd, keys, keys_len, keys_path, manifest, ret_bundle, reason);
	free(keys);
	free(manifest);
	return rc;
}
