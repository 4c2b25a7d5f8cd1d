/* SPDX-License-Identifier: GPL-2.0-only */
#include "sign.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "adapter.h"

#define MAC_LEN 32

static void to_hex(const unsigned char bytes[static MAC_LEN], char ret_hex[static SIGN_HEX_LEN])
{
	for (size_t i = 0; i < MAC_LEN; i++)
		snprintf(ret_hex + 2 * i, 3, "%02x", bytes[i]);
}

void sign_hash(const void *data, size_t len, char ret_hex[static SIGN_HEX_LEN])
{
	unsigned char digest[EVP_MAX_MD_SIZE] = { 0 };

	/* Fails only without memory; the hash is then wrong, and the request refused. */
	(void)EVP_Digest(data, len, digest, NULL, EVP_sha256(), NULL);
	to_hex(digest, ret_hex);
}

static void mac(const void *key, size_t key_len, const char *text,
		unsigned char ret_mac[static MAC_LEN])
{
	unsigned char result[EVP_MAX_MD_SIZE] = { 0 };

	(void)HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text, strlen(text),
		   result, NULL);
	memcpy(ret_mac, result, MAC_LEN);
	OPENSSL_cleanse(result, sizeof(result));
}

void sign_time_basic(int64_t at_s, char ret_text[static 17])
{
	const time_t at = (time_t)at_s;
	struct tm tm;

	if (!gmtime_r(&at, &tm) || !strftime(ret_text, 17, "%Y%m%dT%H%M%SZ", &tm))
		ret_text[0] = '\0';
}

void sign_time_extended(int64_t at_s, char ret_text[static 21])
{
	const time_t at = (time_t)at_s;
	struct tm tm;

	if (!gmtime_r(&at, &tm) || !strftime(ret_text, 21, "%Y-%m-%dT%H:%M:%SZ", &tm))
		ret_text[0] = '\0';
}

/* The names of the headers with ';' between them. */
static char *signed_headers(const struct sign_request *request)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; i < request->n_headers; i++)
		fprintf(out, "%s%.*s", i ? ";" : "", (int)strcspn(request->headers[i], ":"),
			request->headers[i]);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

/* The hash of the canonical request, in which all three agree. */
static int hash_request(const struct sign_request *request, const char *names,
			char ret_hex[static SIGN_HEX_LEN])
{
	char body[SIGN_HEX_LEN], *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return -1;
	sign_hash(request->body, request->body_len, body);
	fprintf(out, "%s\n%s\n%s\n", request->method, request->path, request->query);
	for (size_t i = 0; i < request->n_headers; i++)
		fprintf(out, "%s\n", request->headers[i]);
	fprintf(out, "\n%s\n%s", names, body);
	if (fclose(out)) {
		free(text);
		return -1;
	}
	sign_hash(text, size, ret_hex);
	OPENSSL_cleanse(text, size); /* holds the session token */
	free(text);
	return 0;
}

/* A key derived step by step: HMAC(...HMAC(prefix + secret, steps[0])..., steps[n - 1]). */
static int derive(const char *prefix, const char *secret, const char *const steps[], size_t n,
		  unsigned char ret_key[static MAC_LEN])
{
	char *first = cloud_text("%s%s", prefix, secret);

	if (!first)
		return -1;
	mac(first, strlen(first), steps[0], ret_key);
	OPENSSL_cleanse(first, strlen(first));
	free(first);
	for (size_t i = 1; i < n; i++)
		mac(ret_key, MAC_LEN, steps[i], ret_key);
	return 0;
}

/* "ALGORITHM Credential=ID/SCOPE, SignedHeaders=..., Signature=..." of AWS and Tencent Cloud. */
static char *sign_scoped(const struct sign_request *request, const struct cloud_keys *keys,
			 const char *algorithm, const char *time, const char *scope,
			 unsigned char key[static MAC_LEN])
{
	char hash[SIGN_HEX_LEN], signature[SIGN_HEX_LEN], *text = NULL, *line = NULL;
	unsigned char result[MAC_LEN];
	char *names = signed_headers(request);

	if (names && !hash_request(request, names, hash))
		text = cloud_text("%s\n%s\n%s\n%s", algorithm, time, scope, hash);
	if (text) {
		mac(key, MAC_LEN, text, result);
		to_hex(result, signature);
		line = cloud_text("%s Credential=%s/%s, SignedHeaders=%s, Signature=%s", algorithm,
				  keys->id, scope, names, signature);
	}
	OPENSSL_cleanse(key, MAC_LEN);
	free(names);
	free(text);
	return line;
}

char *sign_aws4(const struct sign_request *request, const struct cloud_keys *keys,
		const char *region, const char *service, int64_t at_s)
{
	char time[17], date[9], *scope, *line = NULL;
	const char *const steps[] = { date, region, service, "aws4_request" };
	unsigned char key[MAC_LEN];

	sign_time_basic(at_s, time);
	snprintf(date, sizeof(date), "%.8s", time);
	scope = cloud_text("%s/%s/%s/aws4_request", date, region, service);
	if (scope && !derive("AWS4", keys->secret, steps, 4, key))
		line = sign_scoped(request, keys, "AWS4-HMAC-SHA256", time, scope, key);
	free(scope);
	return line;
}

char *sign_tc3(const struct sign_request *request, const struct cloud_keys *keys,
	       const char *service, int64_t at_s)
{
	char extended[21], date[11], time[24], *scope, *line = NULL;
	const char *const steps[] = { date, service, "tc3_request" };
	unsigned char key[MAC_LEN];

	sign_time_extended(at_s, extended);
	snprintf(date, sizeof(date), "%.10s", extended);
	snprintf(time, sizeof(time), "%lld", (long long)at_s);
	scope = cloud_text("%s/%s/tc3_request", date, service);
	if (scope && !derive("TC3", keys->secret, steps, 3, key))
		line = sign_scoped(request, keys, "TC3-HMAC-SHA256", time, scope, key);
	free(scope);
	return line;
}

char *sign_acs3(const struct sign_request *request, const struct cloud_keys *keys)
{
	char hash[SIGN_HEX_LEN], signature[SIGN_HEX_LEN], text[96], *line = NULL;
	char *names = signed_headers(request);
	unsigned char result[MAC_LEN];

	if (names && !hash_request(request, names, hash)) {
		snprintf(text, sizeof(text), "ACS3-HMAC-SHA256\n%s", hash);
		mac(keys->secret, strlen(keys->secret), text, result);
		to_hex(result, signature);
		line = cloud_text("ACS3-HMAC-SHA256 Credential=%s,SignedHeaders=%s,Signature=%s",
				  keys->id, names, signature);
	}
	free(names);
	return line;
}
