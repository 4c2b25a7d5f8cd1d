/* SPDX-License-Identifier: GPL-2.0-only */
/* What must not leave a machine in an archive for support, and what must. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "key.h"
#include "redact.h"

#define PUBLIC "9bQzBnRhPpVLfmDHOGw1KvBPpzPuwZLXpNLnBlEt+Hs="
#define PRIVATE "WAmgVYXkbT2bCtdcDwolI88/iVi/aV3/PHcUBTQSYmo="
#define HEX "58099aa095e46d3d9b0ad75c0f0a2523cf3f8958bf695dff3c7714053412626a"

static const char *const public_keys[] = { PUBLIC };
static const struct redact_known known = { public_keys, 1 };

/* secret NULL: nothing of it is one. */
static void check(const char *before, const char *secret)
{
	char *text = strdup(before);
	const size_t found = redact(text, strlen(text), &known);

	if (!secret) {
		assert_string_equal(text, before);
		assert_int_equal(found, 0);
	} else {
		const char *at = strstr(before, secret);

		assert_true(found > 0);
		assert_null(strstr(text, secret));
		assert_int_equal(strlen(text), strlen(before));
		/* What stands before it is as it was. */
		assert_memory_equal(text, before, (size_t)(at - before));
	}
	free(text);
}

static void keys_go_wherever_they_stand(void **state)
{
	static const char *const where[] = {
		"%s",	 "%s\n", "key %s.", "\"%s\"",	 "{\"k\":\"%s\"}", "key=%s\n", "a\n%s\nb",
		"\\n%s", "[%s]", "(%s)",    "x: '%s' #", "wg set key %s",  "\t%s\t",   "k=%s;\r\n"
	};
	char text[256], secret[64];

	(void)state;
	for (size_t i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(text, sizeof(text), where[i], PRIVATE);
		snprintf(secret, sizeof(secret), "%.43s", PRIVATE);
		check(text, secret);
		/* Without its padding, as tokens are written. */
		snprintf(text, sizeof(text), where[i], secret);
		check(text, secret);
		snprintf(text, sizeof(text), where[i], HEX);
		check(text, HEX);
#pragma GCC diagnostic pop
	}
}

/* Any key at all, not only the one above: those with '/' and '+' in any place, too. */
static void every_key_is_known_by_its_form(void **state)
{
	struct key key;
	char text[KEY_STRLEN], line[128], secret[44];

	(void)state;
	for (int i = 0; i < 2000; i++) {
		key_generate(&key);
		key_format(&key, text);
		snprintf(line, sizeof(line), "  private: %s\n", text);
		snprintf(secret, sizeof(secret), "%.43s", text);
		check(line, secret);
	}
}

static void words_hide_what_follows(void **state)
{
	(void)state;
	check("token: abc\n", "abc");
	check("http:\n  api_token: 'abc def'\n", "abc def");
	check("{\"secret_key\": \"a\\\"bc\", \"x\": 1}", "a\\\"bc");
	check("PASSWORD=hunter2", "hunter2");
	check("    auth_pass 1234\n", "1234");
	check("Authorization: Bearer abcdef\n", "Bearer abcdef");
	check("-----BEGIN PRIVATE KEY-----\nMC4CAQAw\n-----END PRIVATE KEY-----\n", "MC4CAQAw");
	check("-----BEGIN EC PRIVATE KEY-----\nMC4CAQAw\n", "MC4CAQAw");
	check("x: 1\ntoken:\nnext: abc\n", NULL);
}

static void what_is_none_stays(void **state)
{
	(void)state;
	check("public_key: " PUBLIC "\n", NULL);
	check("key: private.key\n", NULL);
	check("drop_handshakes 12 tokens\n", NULL);
	check("config 0123456789abcdef\n", NULL);
	check("subnet 10.1.0.0/16 of site fra\n", NULL);
	check("fd00:0010:0001:0001:0000:0000:0000:0002/128\n", NULL);
	check("/usr/lib/x86_64-linux-gnu/libbpf.so.1.1.2 and some words more than that\n", NULL);
	check("", NULL);
	check("tag 9f86d081884c7d65", NULL);
}

/* The rest of an archive is not to suffer from one secret. */
static void only_the_secret_goes(void **state)
{
	char text[] = "{\"a\":1,\"token\":\"abc\",\"b\":2}\nnext line " PUBLIC "\n";

	(void)state;
	assert_int_equal(redact(text, strlen(text), &known), 1);
	assert_string_equal(text, "{\"a\":1,\"token\":\"***\",\"b\":2}\nnext line " PUBLIC "\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_go_wherever_they_stand),
		cmocka_unit_test(every_key_is_known_by_its_form),
		cmocka_unit_test(words_hide_what_follows),
		cmocka_unit_test(what_is_none_stays),
		cmocka_unit_test(only_the_secret_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
