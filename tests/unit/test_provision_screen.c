/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "provision_screen.h"

static void test_title(void **state)
{
	static const struct {
		const char *release, *cmdline, *title;
	} cases[] = {
		{ "ID=debian\nIMAGE_VERSION=20261122.2123-g8b0ec2191b\n",
		  "BOOT_IMAGE=x ro netpas.slot=a\n",
		  "Netpas gateway 20261122.2123-g8b0ec2191b, slot a" },
		{ "IMAGE_VERSION=\"1\"", "netpas.slot=b netpas.trial=1 ro",
		  "Netpas gateway 1, slot b, on trial" },
		{ "XIMAGE_VERSION=1\n", "ro", "Netpas gateway" },
		{ "", "netpas.slot=a", "Netpas gateway, slot a" },
	};
	char title[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		provision_screen_title(cases[i].release, cases[i].cmdline, title, sizeof(title));
		assert_string_equal(title, cases[i].title);
	}
}

static void test_name(void **state)
{
	char name[16];

	(void)state;
	provision_screen_name("[Match]\nName=eth1\n[Link]\nName=other\n", name, sizeof(name));
	assert_string_equal(name, "eth1");
	provision_screen_name("[Match]\n#Name=eth1\n", name, sizeof(name));
	assert_string_equal(name, "");
	/* Longer than a name may be: none. */
	provision_screen_name("Name=eth0 eth1 eth2 eth3 eth4 eth5\n", name, sizeof(name));
	assert_string_equal(name, "");
}

static void test_next(void **state)
{
	const struct provision_options options = { .data = "/nowhere", .run = "/nowhere" };
	char *text = provision_screen_next(&options);

	(void)state;
	assert_non_null(text);
	assert_non_null(strstr(text, "answer questions here"));
	/* No key was made yet, and nobody may log in. */
	assert_null(strstr(text, "public key"));
	assert_null(strstr(text, "ssh"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_title),
		cmocka_unit_test(test_name),
		cmocka_unit_test(test_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
