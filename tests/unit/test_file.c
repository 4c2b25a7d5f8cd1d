/* SPDX-License-Identifier: GPL-2.0-only */
/* Small files: what is read of them, and what is not taken for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "scratch.h"

static char dir[SCRATCH_LEN];

static int setup(void **state)
{
	(void)state;
	return scratch_make(dir);
}

static int teardown(void **state)
{
	(void)state;
	return scratch_remove(dir);
}

static const char *path_of(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

/* What file_load() says to it; the outputs stay as they are unless it is 0. */
static int load(const char *name, int flags, size_t max, const char *expected)
{
	char untouched, *text = &untouched;
	size_t len = 4711;
	const int rc = file_load(path_of(name), flags, max, &text, &len);

	if (rc) {
		assert_ptr_equal(text, &untouched);
		assert_int_equal(len, 4711);
		return rc;
	}
	assert_int_equal(len, strlen(expected));
	assert_string_equal(text, expected);
	free(text);
	return 0;
}

static void test_load(void **state)
{
	char target[PATH_MAX];

	(void)state;
	assert_int_equal(load("none", 0, 10, NULL), -ENOENT);
	assert_int_equal(file_replace(path_of("ten"), "0123456789", 10, 0600), 0);
	assert_int_equal(load("ten", 0, 10, "0123456789"), 0);
	assert_int_equal(load("ten", 0, 9, NULL), -EFBIG);
	assert_int_equal(file_replace(path_of("empty"), "", 0, 0600), 0);
	assert_int_equal(load("empty", 0, 0, ""), 0);
	strcpy(target, path_of("ten"));
	assert_int_equal(symlink(target, path_of("link")), 0);
	assert_int_equal(load("link", 0, 10, "0123456789"), 0);
	assert_int_equal(load("link", O_NOFOLLOW, 10, NULL), -ELOOP);
}

/* Neither may hold up the reader, nor be read. */
static void test_no_file(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
	assert_int_equal(load("fifo", 0, 10, NULL), -EISDIR);
	assert_int_equal(load(".", 0, 1 << 20, NULL), -EISDIR);
	assert_int_equal(file_load("/dev/null", 0, 10, NULL, NULL), -EISDIR);
}

static void test_directory(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(file_make_directory(path_of("a"), 0700), 0);
	assert_int_equal(file_make_directory(path_of("a"), 0755), 0);
	assert_int_equal(stat(path_of("a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(file_make_directory(path_of("none/b"), 0700), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_load, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_directory, setup, teardown),
	};

	return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
