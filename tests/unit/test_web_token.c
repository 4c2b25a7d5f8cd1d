/* SPDX-License-Identifier: GPL-2.0-only */
/* The token of the page, in each of the ways in which it comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "web_token.h"

#define NOW 1800000000u

static const char text[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
static struct key token, other;

static int set_up(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < KEY_LEN; i++)
		token.bytes[i] = i;
	other = token;
	other.bytes[KEY_LEN - 1] ^= 1;
	return 0;
}

static void test_bearer(void **state)
{
	char header[128];

	(void)state;
	snprintf(header, sizeof(header), "Bearer %s", text);
	assert_true(web_token_bearer(&token, header));
	assert_false(web_token_bearer(&other, header));
	snprintf(header, sizeof(header), "bearer   %s  ", text);
	assert_true(web_token_bearer(&token, header));
	snprintf(header, sizeof(header), "Bearer %sx", text);
	assert_false(web_token_bearer(&token, header));
	snprintf(header, sizeof(header), "Basic %s", text);
	assert_false(web_token_bearer(&token, header));
	assert_false(web_token_bearer(&token, NULL));
	assert_false(web_token_bearer(&token, ""));
	assert_false(web_token_bearer(&token, "Bearer"));
	assert_false(web_token_bearer(&token, "Bearer "));
	assert_false(web_token_bearer(&token, text));
}

/* Every single wrong character is noticed. */
static void test_each_character(void **state)
{
	char wrong[sizeof(text)];

	(void)state;
	assert_true(web_token_matches(&token, text, strlen(text)));
	for (size_t i = 0; i < strlen(text); i++) {
		memcpy(wrong, text, sizeof(text));
		wrong[i] = wrong[i] == 'Z' ? 'Y' : 'Z';
		assert_false(web_token_matches(&token, wrong, strlen(wrong)));
		wrong[i] = '\0';
		assert_false(web_token_matches(&token, wrong, strlen(text)));
	}
	assert_false(web_token_matches(&token, text, strlen(text) - 1));
}

static void test_cookie(void **state)
{
	char value[WEB_TOKEN_COOKIE_LEN], header[300];

	(void)state;
	web_token_cookie(&token, NOW + 100, value);
	assert_int_equal(strlen(value), WEB_TOKEN_COOKIE_LEN - 1);
	snprintf(header, sizeof(header), "netpas=%s", value);
	assert_true(web_token_cookie_good(&token, header, NOW));
	assert_true(web_token_cookie_good(&token, header, NOW + 99));
	assert_false(web_token_cookie_good(&token, header, NOW + 100));
	assert_false(web_token_cookie_good(&other, header, NOW));
	snprintf(header, sizeof(header), "a=b; netpas=; netpas=%s; c=d", value);
	assert_true(web_token_cookie_good(&token, header, NOW));
	snprintf(header, sizeof(header), "xnetpas=%s", value);
	assert_false(web_token_cookie_good(&token, header, NOW));
	snprintf(header, sizeof(header), "netpas=%s0", value);
	assert_false(web_token_cookie_good(&token, header, NOW));
	assert_false(web_token_cookie_good(&token, "netpas", NOW));
	assert_false(web_token_cookie_good(&token, "", NOW));
	assert_false(web_token_cookie_good(&token, NULL, NOW));
}

/* Neither the time nor the MAC can be changed. */
static void test_cookie_forged(void **state)
{
	char value[WEB_TOKEN_COOKIE_LEN], header[300];

	(void)state;
	for (size_t i = 0; i < WEB_TOKEN_COOKIE_LEN - 1; i++) {
		web_token_cookie(&token, NOW + 100, value);
		value[i] = value[i] == '1' ? '2' : '1';
		snprintf(header, sizeof(header), "netpas=%s", value);
		assert_false(web_token_cookie_good(&token, header, NOW));
	}
	/* Longer than sessions are: nobody was given that. */
	web_token_cookie(&token, NOW + WEB_TOKEN_SESSION_S + 1, value);
	snprintf(header, sizeof(header), "netpas=%s", value);
	assert_false(web_token_cookie_good(&token, header, NOW));
}

static void check_form(const char *body, bool good)
{
	assert_int_equal(web_token_form(&token, body, strlen(body)), good);
}

static void test_form(void **state)
{
	(void)state;
	check_form("token=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", true);
	check_form("token=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8%3D", true);
	check_form("token=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8%3d%0d%0a&x=y", true);
	check_form("token=++AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8%3D+", true);
	check_form("token=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", false);
	check_form("token=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8%3", false);
	check_form("token=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8%zz", false);
	check_form("token=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8%00", false);
	check_form("token=", false);
	check_form("token", false);
	check_form("", false);
	check_form("x=y&token=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bearer), cmocka_unit_test(test_each_character),
		cmocka_unit_test(test_cookie), cmocka_unit_test(test_cookie_forged),
		cmocka_unit_test(test_form),
	};

	return cmocka_run_group_tests_name("web_token", tests, set_up, NULL);
}
