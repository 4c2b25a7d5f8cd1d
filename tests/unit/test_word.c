/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "word.h"

static void test_guess(void **state)
{
	static const char *const words[] = { "gateways", "subnets", "name", "lan",
					     "vrrp",	 "status",  "plan" };
	static const struct {
		const char *text, *nearest;
	} cases[] = {
		{ "gatways", "gateways" },
		{ "gateway", "gateways" },
		{ "Gateways", "gateways" },
		{ "sbunets", "subnets" },
		{ "nmae", "name" },
		{ "lna", "lan" },
		{ "stauts", "status" },
		{ "pan", "lan" },
		{ "vrp", "vrrp" },
		{ "vrrrp", "vrrp" },
		{ "x", NULL },
		{ "", NULL },
		{ "frobnicate", NULL },
		{ "ab", NULL },
		{ "networks", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct word_guess guess;

		word_guess_init(&guess, cases[i].text);
		for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++)
			word_guess_offer(&guess, words[w]);
		if (!cases[i].nearest)
			assert_null(guess.nearest);
		else
			assert_string_equal(guess.nearest, cases[i].nearest);
	}
}

static void test_distance(void **state)
{
	static const struct {
		const char *a, *b;
		size_t distance;
	} cases[] = {
		{ "interfaces", "interfaces", 0 }, { "interfaces", "INTERFACES", 0 },
		{ "interfaces", "interaces", 1 },  { "interfaces", "interffaces", 1 },
		{ "interfaces", "intrefaces", 1 }, { "interfaces", "intarfecas", 3 },
		{ "interfaces", "itnerfacse", 2 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct word_guess there, back;

		word_guess_init(&there, cases[i].a);
		word_guess_offer(&there, cases[i].b);
		word_guess_init(&back, cases[i].b);
		word_guess_offer(&back, cases[i].a);
		assert_int_equal(there.distance, cases[i].distance);
		assert_int_equal(back.distance, cases[i].distance);
	}
}

static void test_long(void **state)
{
	char text[4096];
	struct word_guess guess;

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	word_guess_init(&guess, text);
	word_guess_offer(&guess, text);
	word_guess_offer(&guess, "aaa");
	assert_null(guess.nearest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guess),
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests_name("word", tests, NULL, NULL);
}
