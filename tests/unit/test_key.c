/* SPDX-License-Identifier: GPL-2.0-only */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "key.h"

/* RFC 7748, section 6.1: Alice's. */
static const struct key alice = { { 0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d,
				    0x3c, 0x16, 0xc1, 0x72, 0x51, 0xb2, 0x66, 0x45,
				    0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0, 0x99, 0x2a,
				    0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a } };
#define ALICE_TEXT "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo="
#define ALICE_PUBLIC "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="

static char dir[64], path[128];

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/netpas-test-key.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/private.key", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(dir); /* fails if anything is left behind */
}

static void write_file(const char *text, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void test_text(void **state)
{
	static const char *const bad[] = {
		"",
		"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo",
		"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=\n",
		"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCp=", /* a bit too many */
		"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCoA",
		"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LC==",
		"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25L-o=",
		" wdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=",
	};
	struct key key = alice;
	char text[KEY_STRLEN];

	(void)state;
	assert_string_equal(key_format(&alice, text), ALICE_TEXT);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (key_parse(bad[i], &key) != -EINVAL)
			fail_msg("'%s' was taken", bad[i]);
		assert_memory_equal(&key, &alice, sizeof(key));
	}
	memset(&key, 0, sizeof(key));
	assert_true(key_is_zero(&key));
	assert_int_equal(key_parse(ALICE_TEXT, &key), 0);
	assert_true(key_equal(&key, &alice));
	assert_false(key_is_zero(&key));
	key.bytes[31] ^= 1;
	assert_false(key_equal(&key, &alice));
	key_wipe(&key);
	assert_true(key_is_zero(&key));
}

static void test_public(void **state)
{
	char text[KEY_STRLEN];
	struct key public_key;

	(void)state;
	key_public(&alice, &public_key);
	assert_string_equal(key_format(&public_key, text), ALICE_PUBLIC);
}

static void test_generate(void **state)
{
	struct key a, b;

	(void)state;
	key_generate(&a);
	key_generate(&b);
	assert_false(key_equal(&a, &b));
	assert_int_equal(a.bytes[0] & 7, 0); /* clamped, RFC 7748 section 5 */
	assert_int_equal(a.bytes[31] & 0xc0, 0x40);
}

static void test_create(void **state)
{
	struct key key;
	struct stat st;

	(void)state;
	assert_int_equal(key_file_create(path, &alice), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(st.st_size, KEY_STRLEN);
	assert_int_equal(key_file_read(path, &key), 0);
	assert_true(key_equal(&key, &alice));
	key_generate(&key);
	assert_int_equal(key_file_create(path, &key), -EEXIST);
	assert_int_equal(key_file_read(path, &key), 0);
	assert_true(key_equal(&key, &alice));
}

static void test_create_nowhere(void **state)
{
	char nowhere[sizeof(dir) + 16];

	(void)state;
	snprintf(nowhere, sizeof(nowhere), "%s/no/key", dir);
	assert_int_equal(key_file_create(nowhere, &alice), -ENOENT);
}

static void test_read_content(void **state)
{
	static const struct {
		const char *text;
		int ret;
	} cases[] = {
		{ ALICE_TEXT, 0 },
		{ ALICE_TEXT "\n", 0 },
		{ ALICE_TEXT "\r\n", 0 },
		{ ALICE_TEXT " \n\n", 0 },
		{ "", -EINVAL },
		{ "\n", -EINVAL },
		{ "\n" ALICE_TEXT, -EINVAL },
		{ ALICE_TEXT "\n" ALICE_TEXT "\n", -EINVAL },
		{ ALICE_TEXT "           \n", -EINVAL },
		{ "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", -EINVAL },
		{ "no key", -EINVAL },
	};
	struct key key;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int ret;

		memset(&key, 0x55, sizeof(key));
		write_file(cases[i].text, strlen(cases[i].text), 0600);
		ret = key_file_read(path, &key);
		if (ret != cases[i].ret)
			fail_msg("case %zu: %d, not %d", i, ret, cases[i].ret);
		if (!ret)
			assert_true(key_equal(&key, &alice));
		else
			assert_int_equal(key.bytes[7], 0x55);
	}
	write_file(ALICE_TEXT "\0", KEY_STRLEN, 0600);
	assert_int_equal(key_file_read(path, &key), -EINVAL);
}

static void test_read_mode(void **state)
{
	static const struct {
		mode_t mode;
		int ret;
	} cases[] = {
		{ 0600, 0 },	  { 0400, 0 },	    { 0700, 0 },      { 0640, -EPERM },
		{ 0620, -EPERM }, { 0604, -EPERM }, { 0601, -EPERM }, { 0644, -EPERM },
	};
	struct key key;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_file(ALICE_TEXT, KEY_STRLEN - 1, cases[i].mode);
		assert_int_equal(key_file_read(path, &key), cases[i].ret);
		(void)unlink(path);
	}
	assert_int_equal(key_file_read(path, &key), -ENOENT);
	write_file(ALICE_TEXT, KEY_STRLEN - 1, 0600);
	/* Only root can give a file away. */
	if (!geteuid()) {
		assert_int_equal(chown(path, 1, 1), 0);
		assert_int_equal(key_file_read(path, &key), -EUCLEAN);
	}
}

/* Neither hangs nor reads. */
static void test_read_other_kinds(void **state)
{
	struct key key;

	(void)state;
	assert_int_equal(key_file_read(dir, &key), -EINVAL);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(key_file_read(path, &key), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_public),
		cmocka_unit_test(test_generate),
		cmocka_unit_test_setup_teardown(test_create, setup, teardown),
		cmocka_unit_test_setup_teardown(test_create_nowhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_content, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_mode, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_other_kinds, setup, teardown),
	};

	return cmocka_run_group_tests_name("key", tests, NULL, NULL);
}
