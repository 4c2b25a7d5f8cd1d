/* SPDX-License-Identifier: GPL-2.0-only */
/* Bundles that are what they say, and all that are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundle.h"
#include "bundle_maker.h"
#include "scratch.h"

#define IMAGE (3 * BUNDLE_BLOCK)

static char dir[SCRATCH_LEN], keys_path[128], path[128];
static EVP_PKEY *key, *other;
static char *image;

static int setup(void **state)
{
	(void)state;
	if (scratch_make(dir))
		return -1;
	snprintf(keys_path, sizeof(keys_path), "%s/upgrade.pub", dir);
	snprintf(path, sizeof(path), "%s/bundle", dir);
	key = make_key();
	other = make_key();
	image = make_image("20261122.1530-gaaaaaaa", IMAGE);
	write_keys(keys_path, &key, 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
	free(image);
	return scratch_remove(dir);
}

static int open_made(const struct made *made, size_t len, struct bundle *ret_bundle, int *ret_fd,
		     char reason[static BUNDLE_REASON_LEN])
{
	const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int rc;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, made->text, len), len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	rc = bundle_open(fd, keys_path, ret_bundle, reason);
	if (ret_fd && !rc)
		*ret_fd = fd;
	else
		close(fd);
	return rc;
}

static void expect(struct made made, size_t len, int wanted, const char *words)
{
	struct bundle bundle = { .size = 4711 };
	char reason[BUNDLE_REASON_LEN] = "";
	const int rc = open_made(&made, len, &bundle, NULL, reason);

	if (rc != wanted || !strstr(reason, words))
		fail_msg("%d, '%s'; wanted are %d, '%s'", rc, reason, wanted, words);
	if (rc)
		assert_int_equal(bundle.size, 4711);
	free(made.text);
}

static void expect_whole(struct made made, int wanted, const char *words)
{
	expect(made, made.len, wanted, words);
}

static void test_a_good_one(void **state)
{
	struct made made = make_bundle("20261122.1530-gaaaaaaa", key, image, IMAGE);
	char reason[BUNDLE_REASON_LEN] = "";
	struct bundle bundle;
	int fd;

	(void)state;
	assert_int_equal(open_made(&made, made.len, &bundle, &fd, reason), 0);
	assert_string_equal(bundle.version, "20261122.1530-gaaaaaaa");
	assert_int_equal(bundle.size, IMAGE);
	assert_int_equal(bundle.offset, made.image);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), made.image);
	close(fd);
	free(made.text);
}

static void test_any_of_several_keys(void **state)
{
	EVP_PKEY *rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
	EVP_PKEY *keys[] = { rsa, other, key };

	(void)state;
	write_keys(keys_path, keys, 3);
	expect_whole(make_bundle("1", key, image, IMAGE), 0, "");
	expect_whole(make_bundle("1", other, image, IMAGE), 0, "");
	write_keys(keys_path, keys, 1);
	expect_whole(make_bundle("1", key, image, IMAGE), -EBADMSG, "no Ed25519 public key");
	assert_int_equal(truncate(keys_path, 0), 0);
	expect_whole(make_bundle("1", key, image, IMAGE), -EBADMSG, "no Ed25519 public key");
	assert_int_equal(unlink(keys_path), 0);
	expect_whole(make_bundle("1", key, image, IMAGE), -ENOENT, keys_path);
	write_keys(keys_path, &key, 1);
	EVP_PKEY_free(rsa);
}

static void test_signatures(void **state)
{
	struct made made;

	(void)state;
	expect_whole(make_bundle("1", NULL, image, IMAGE), -EKEYREJECTED, "not signed");
	expect_whole(make_bundle("1", other, image, IMAGE), -EKEYREJECTED, "not by the key");
	/* Each bit of manifest and signature counts. */
	for (size_t i = 0;; i++) {
		char reason[BUNDLE_REASON_LEN] = "";
		struct bundle bundle;

		made = make_bundle("1", key, image, IMAGE);
		if (BUNDLE_HEADER_LEN + i >= made.image)
			break;
		made.text[BUNDLE_HEADER_LEN + i] ^= (char)(1 << i % 8);
		assert_int_equal(open_made(&made, made.len, &bundle, NULL, reason), -EKEYREJECTED);
		free(made.text);
	}
	free(made.text);
}

static void test_truncated_anywhere(void **state)
{
	struct made made = make_bundle("1", key, image, IMAGE);

	(void)state;
	for (size_t len = 0; len < made.len; len += len < made.image + 8 ? 1 : 977) {
		char reason[BUNDLE_REASON_LEN] = "";
		struct bundle bundle;

		assert_int_equal(open_made(&made, len, &bundle, NULL, reason), -EBADMSG);
		assert_non_null(strstr(reason, len < 14 ? "no bundle" : "truncated"));
	}
	free(made.text);
}

static void test_more_behind(void **state)
{
	struct made made = make_bundle("1", key, image, IMAGE);

	(void)state;
	made.text = realloc(made.text, made.len + 1);
	made.text[made.len++] = 'x';
	expect_whole(made, -EBADMSG, "1 bytes behind its end");
}

static void test_headers(void **state)
{
	static const struct {
		const char *header, *words;
	} headers[] = {
		{ "hsqs\1\2\3\4                     ", "no bundle" },
		{ "netpas-bundlx 1 00000312\n", "no bundle" },
		{ "netpas-bundle 2 00000312\n", "another format" },
		{ "netpas-bundle 10 0000312\n", "another format" },
		{ "netpas-bundle 1 0000031x\n", "damaged" },
		{ "netpas-bundle 1 000003120", "damaged" },
		{ "netpas-bundle 1 00000000\n", "0 bytes" },
		{ "netpas-bundle 1 00065537\n", "65537 bytes" },
		{ "netpas-bundle 1 99999999\n", "99999999 bytes" },
		{ "netpas-bundle 1 ", "truncated" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		char reason[BUNDLE_REASON_LEN] = "";
		size_t len = 4711;

		assert_int_equal(bundle_header_parse(headers[i].header, strlen(headers[i].header),
						     &len, reason),
				 -EBADMSG);
		assert_int_equal(len, 4711);
		if (!strstr(reason, headers[i].words))
			fail_msg("'%s': '%s'", headers[i].header, reason);
	}
}

#define HASH "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\""
#define IMAGE_OF(size, hash) "\"image\":{\"size\":" size ",\"sha256\":" hash "}"
#define HEAD "\"product\":\"netpas\",\"version\":\"1\",\"architecture\":\"x86_64\","

static void test_manifests(void **state)
{
	static const struct {
		const char *text, *words;
	} manifests[] = {
		{ "", "no JSON" },
		{ "{", "no JSON" },
		{ "[]", "no product" },
		{ "{}", "no product" },
		{ "{\"product\":\"netpas\",\"product\":\"netpas\"}", "no JSON" },
		{ "{\"product\":\"other\"}", "for the product 'other'" },
		{ "{\"product\":\"netpas\"}", "\"version\"" },
		{ "{\"product\":\"netpas\",\"version\":\"\"}", "\"version\"" },
		{ "{\"product\":\"netpas\",\"version\":\"v1\"}", "\"version\"" },
		{ "{\"product\":\"netpas\",\"version\":\"1/../2\"}", "\"version\"" },
		{ "{\"product\":\"netpas\",\"version\":\"1\\n2\"}", "\"version\"" },
		{ "{\"product\":\"netpas\",\"version\":\"1234567890123456789012345678901234567890"
		  "123456789012345678901234\"}",
		  "\"version\"" },
		{ "{\"product\":\"netpas\",\"version\":\"1\"}", "\"architecture\"" },
		{ "{" HEAD "\"image\":7}", "\"size\"" },
		{ "{" HEAD IMAGE_OF("0", HASH) "}", "\"size\"" },
		{ "{" HEAD IMAGE_OF("-4096", HASH) "}", "\"size\"" },
		{ "{" HEAD IMAGE_OF("4097", HASH) "}", "\"size\"" },
		{ "{" HEAD IMAGE_OF("4096.0", HASH) "}", "\"size\"" },
		{ "{" HEAD IMAGE_OF("99999999999999999999", HASH) "}", "no JSON" },
		{ "{" HEAD IMAGE_OF("4096", "\"0123\"") "}", "\"sha256\"" },
		{ "{" HEAD IMAGE_OF("4096", "7") "}", "\"sha256\"" },
	};
	struct bundle bundle = { .size = 4711 };
	char reason[BUNDLE_REASON_LEN];
	static const char good[] = "{" HEAD IMAGE_OF("8192", HASH) ",\"later\":[1]}";

	(void)state;
	for (size_t i = 0; i < sizeof(manifests) / sizeof(manifests[0]); i++) {
		*reason = '\0';
		assert_int_equal(bundle_manifest_parse(manifests[i].text, strlen(manifests[i].text),
						       &bundle, reason),
				 -EBADMSG);
		assert_int_equal(bundle.size, 4711);
		if (!strstr(reason, manifests[i].words))
			fail_msg("'%s': '%s'", manifests[i].text, reason);
	}
	assert_int_equal(bundle_manifest_parse(good, strlen(good), &bundle, reason), 0);
	assert_int_equal(bundle.size, 8192);
	assert_int_equal(bundle.hash[0], 0x01);
	assert_int_equal(bundle.hash[31], 0xef);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_good_one),  cmocka_unit_test(test_any_of_several_keys),
		cmocka_unit_test(test_signatures),  cmocka_unit_test(test_truncated_anywhere),
		cmocka_unit_test(test_more_behind), cmocka_unit_test(test_headers),
		cmocka_unit_test(test_manifests),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
