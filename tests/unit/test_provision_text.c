/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "provision_ssh.h"
#include "provision_text.h"

#define DOCUMENT "#netpas\nhostname: fra-a\n"

static char *base64(const char *data, size_t len)
{
	char *text = malloc(len / 3 * 4 + 8);

	assert_non_null(text);
	EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)data, (int)len);
	return text;
}

static size_t gzip(const char *data, size_t len, char *out, size_t size)
{
	z_stream stream = { .avail_in = (uInt)len, .avail_out = (uInt)size };

	memcpy(&stream.next_in, &data, sizeof(data));
	stream.next_out = (unsigned char *)out;
	assert_int_equal(
		deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	assert_int_equal(deflateEnd(&stream), Z_OK);
	return stream.total_out;
}

static void check_found(const char *data, size_t len, enum provision_kind kind, const char *text)
{
	char reason[PROVISION_REASON_LEN];
	struct provision_part part;

	assert_int_equal(provision_text_unwrap(data, len, &part, reason), 0);
	assert_int_equal(part.kind, kind);
	assert_string_equal(part.text, text);
	assert_int_equal(part.len, strlen(text));
	provision_part_fini(&part);
}

static void test_wrapped(void **state)
{
	char packed[4096], again[8192], *text;
	size_t len;

	(void)state;
	check_found(DOCUMENT, strlen(DOCUMENT), PROVISION_NETPAS, DOCUMENT);
	check_found("#netpas \r\na: b", 14, PROVISION_NETPAS, "#netpas \r\na: b");
	check_found("#cloud-config\n", 14, PROVISION_CLOUD_CONFIG, "#cloud-config\n");
	text = base64(DOCUMENT, strlen(DOCUMENT));
	check_found(text, strlen(text), PROVISION_NETPAS, DOCUMENT);
	free(text);
	len = gzip(DOCUMENT, strlen(DOCUMENT), packed, sizeof(packed));
	check_found(packed, len, PROVISION_NETPAS, DOCUMENT);
	text = base64(packed, len);
	check_found(text, strlen(text), PROVISION_NETPAS, DOCUMENT);
	len = gzip(text, strlen(text), again, sizeof(again));
	check_found(again, len, PROVISION_NETPAS, DOCUMENT);
	free(text);
}

#define HEAD "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"=b=\"\n\nhello\n"
#define SCRIPT "--=b=\nContent-Type: text/x-shellscript\n\n#!/bin/sh\ntrue\n"
#define CLOUD "--=b=\r\nContent-Type: text/cloud-config\r\n\r\n#cloud-config\nhostname: x\n"

static void test_message(void **state)
{
	char text[4096], *inner = base64(DOCUMENT, strlen(DOCUMENT));
	char reason[PROVISION_REASON_LEN];
	struct provision_part part;

	(void)state;
	/* The better kind, in whatever order. */
	snprintf(text, sizeof(text), "%s", HEAD SCRIPT CLOUD "--=b=\n\n" DOCUMENT "--=b=--\nend");
	check_found(text, strlen(text), PROVISION_NETPAS, DOCUMENT);
	snprintf(text, sizeof(text), "%s", HEAD "--=b=\n\n" DOCUMENT CLOUD "--=b=--\n");
	check_found(text, strlen(text), PROVISION_NETPAS, DOCUMENT);
	snprintf(text, sizeof(text), "%s", HEAD SCRIPT CLOUD "--=b=--\n");
	check_found(text, strlen(text), PROVISION_CLOUD_CONFIG, "#cloud-config\nhostname: x\n");
	snprintf(text, sizeof(text),
		 "Content-Type: multipart/mixed;\n boundary==b=\n\n" SCRIPT
		 "--=b=\nContent-Transfer-Encoding: base64\nContent-Type: text/x\n\n%s\n--=b=--\n",
		 inner);
	assert_int_equal(provision_text_unwrap(text, strlen(text), &part, reason), 0);
	assert_string_equal(part.text, DOCUMENT);
	assert_int_equal(part.number, 2);
	provision_part_fini(&part);
	free(inner);
}

static void test_refused(void **state)
{
	static const struct {
		const char *data, *reason;
	} bad[] = {
		{ "#!/bin/bash\n", "a script" },
		{ "{\"a\": 1}", "JSON" },
		{ "<xml/>", "XML" },
		{ "hostname: x\n", "its first line is 'hostname: x'" },
		{ "\n#netpas\n", "white space before '#netpas'" },
		{ "#netpas2\n", "its first line is '#netpas2'" },
		{ "\xef\xbb\xbf#netpas\n", "byte order mark" },
		{ "\x1f\x8b"
		  "broken",
		  "gzip, and damaged" },
		{ "Content-Type: multipart/mixed\n\n", "without a boundary" },
		{ "Content-Type: multipart/mixed; boundary=b\n\n--b\n"
		  "Content-Transfer-Encoding: base64\n\n***\n--b--\n",
		  "part 1 of the message is said to be base64" },
		{ "\x1b[31mred\n", "its first line is '?[31mred'" },
	};
	char reason[PROVISION_REASON_LEN], *once, *more;
	struct provision_part part;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(
			provision_text_unwrap(bad[i].data, strlen(bad[i].data), &part, reason),
			-EINVAL);
		assert_non_null(strstr(reason, bad[i].reason));
	}
	assert_int_equal(provision_text_unwrap("", 0, &part, reason), -ENODATA);
	assert_int_equal(provision_text_unwrap(" \n\t", 3, &part, reason), -ENODATA);
	once = base64(DOCUMENT, strlen(DOCUMENT));
	for (int i = 0; i < PROVISION_WRAPS_MAX + 1; i++) {
		more = base64(once, strlen(once));
		free(once);
		once = more;
	}
	assert_int_equal(provision_text_unwrap(once, strlen(once), &part, reason), -EINVAL);
	assert_non_null(strstr(reason, "wrapped more than 4 times"));
	free(once);
}

/* A megabyte that becomes a gigabyte. */
static void test_bomb(void **state)
{
	const size_t size = 64u << 20;
	char *zeros = calloc(1, size), *packed = malloc(1u << 20);
	char reason[PROVISION_REASON_LEN];
	struct provision_part part;
	size_t len;

	(void)state;
	assert_true(zeros && packed);
	len = gzip(zeros, size, packed, 1u << 20);
	assert_int_equal(provision_text_unwrap(packed, len, &part, reason), -EINVAL);
	assert_non_null(strstr(reason, "more than 4 MiB"));
	assert_int_equal(provision_text_unwrap(zeros, size, &part, reason), -EINVAL);
	free(zeros);
	free(packed);
}

static void test_mask(void **state)
{
	static const struct {
		const char *text, *masked;
	} cases[] = {
		{ "private_key: abc=\nnext: x", "private_key: ****\nnext: x" },
		{ "{private_key: \"abc\", a: b}", "{private_key: \"***\", *: *}" },
		{ "private_key:\n  abc\nx: y", "private_key:\n  ***\nx: y" },
		{ "typo: hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=",
		  "typo: *******************************************=" },
		{ "public_key: hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=",
		  "public_key: hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=" },
		{ "private_key", "private_key" },
		{ "subnets: [10.1.0.0/16]", "subnets: [10.1.0.0/16]" },
	};
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		strcpy(text, cases[i].text);
		provision_text_mask(text, strlen(text));
		assert_string_equal(text, cases[i].masked);
	}
}

static const char good_key[] =
	"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOZH7fif1pPGvJiYygomC97yhbJvX6qMGe1mkcgfl3eZ admin";

static const char rsa_1024[] =
	"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC8GA7IzNyRzF2Ibp8dZGK7toYEr8L2vT77EZ8mRjNm3nGJ"
	"/2JDSEafyFT/lUBAgeyr+yZNsTUkDdcSnH6LvJ7s4v93K/XpbYDeC0udIJu6EbNLG78t0D2EYCjmIpsWVL0F"
	"nzCC9Ia6c+pNsVukeRhfWjce5m6sME4r7eMqsi2EHQ==";
static const char rsa_2048[] =
	"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDY7HfSBoQYCdyOMpyghoTqKhub7H0tc4GAizZM7KOXlf9j"
	"2MWQslgKrD1+Ii2DFRvxcrvnHpPHRArx3qA8/cHofMmb6+iJamMpIsSyMP0q/1nDasn/cwNEMt2D6xVIoB8p"
	"KckzXDCjQit68fRnLPLrj1n1708rtR25Wv0SVD+VfxbfmmA3YoAPPTFYHlxzDoqIUMpzoCriBen78ahMSUBb"
	"19DdMIvwVA+mpaNZWC9v2/QMrZwXfXiExkmMXvepfQk0uRcHv0PWq9Bvh2uvuLn6FzsFruzm0qZdYM4Lado+"
	"z+PN4PFvf+2zVPs6anaoQ3TSdcovY1yjHVDBB/qLbqpD";
static const char ecdsa_384[] =
	"ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBMQUaOPLZ2uU"
	"6Aw/BUw9VQq5LUCrAA64755iuEB85OYGB6Dm7tERhNFQT2PhMq5ANgFGovsRWu9/D6vMelEnsyQNDYQfbHTN"
	"UDh3eFQ88KnWegaSwmekHWQHQSQB0mhOZg==";

static void test_keys(void **state)
{
	static const char *const bad[] = {
		"",
		"ssh-ed25519",
		"ssh-ed25519 AAAA",
		"ssh-ed25519 !!!!",
		"ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIOZH7fif1pPGvJiYygomC97yhbJvX6qMGe1mkcgfl3eZ",
		"ssh-dss AAAAB3NzaC1kc3MAAAAA",
		"command=\"true\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOZH7fif1pPGvJiYygomC97yhbJv",
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOZH7fif1pPGvJiYygomC97yhbJvX6qMGe1mkcgfl3eZ a\nb",
		"-----BEGIN OPENSSH PRIVATE KEY-----",
		rsa_1024,
		"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ==",
		"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAAA==",
	};
	struct provision_keys keys = { 0 };
	size_t n_bad = 0;
	char *text;

	(void)state;
	assert_null(provision_key_fault(good_key, strlen(good_key)));
	assert_null(provision_key_fault(rsa_2048, strlen(rsa_2048)));
	assert_null(provision_key_fault(ecdsa_384, strlen(ecdsa_384)));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_non_null(provision_key_fault(bad[i], strlen(bad[i])));
		assert_int_equal(provision_keys_add(&keys, bad[i], strlen(bad[i])), -EINVAL);
	}
	assert_int_equal(provision_keys_add(&keys, good_key, strlen(good_key)), 0);
	assert_int_equal(provision_keys_add(&keys, good_key, strlen(good_key)), 0);
	assert_int_equal(keys.n, 1);
	if (asprintf(&text, "# hello\n\n%s\r\nnone\n", good_key) < 0)
		abort();
	assert_int_equal(provision_keys_add_text(&keys, text, &n_bad), 0);
	assert_int_equal(n_bad, 1);
	assert_int_equal(keys.n, 1);
	free(text);
	text = provision_keys_text(&keys);
	assert_memory_equal(text, good_key, strlen(good_key));
	assert_string_equal(text + strlen(good_key), "\n");
	free(text);
	provision_keys_fini(&keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrapped), cmocka_unit_test(test_message),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_mask),	cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests_name("provision_text", tests, NULL, NULL);
}
