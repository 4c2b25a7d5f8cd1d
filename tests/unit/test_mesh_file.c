/* SPDX-License-Identifier: GPL-2.0-only */
/* mesh.yaml replaced: as a whole, by what it was, also if the machine ends in the middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file.h"
#include "mesh_file.h"

#define OLD "mesh: old\n"
#define NEW "mesh: new, and longer than the old one\n"
#define OLDER "mesh: older\n"

static char dir[] = "/tmp/test_mesh_file.XXXXXX";

static const char *path_of(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void put(const char *name, const char *text)
{
	assert_int_equal(file_replace(path_of(name), text, strlen(text), 0640), 0);
}

static void assert_file(const char *name, const char *text)
{
	char buf[256];
	size_t len;
	int fd = open(path_of(name), O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(file_read(fd, buf, sizeof(buf) - 1, &len), 0);
	close(fd);
	buf[len] = '\0';
	assert_string_equal(buf, text);
}

static bool holds(const char *text)
{
	struct mesh_file file;
	bool same;

	assert_int_equal(mesh_file_read(dir, &file), 0);
	same = file.hash == mesh_file_hash(text, strlen(text));
	mesh_file_fini(&file);
	return same;
}

static size_t count_files(void)
{
	DIR *d = opendir(dir);
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static int setup(void **state)
{
	(void)state;
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	put(MESH_FILE, OLD);
	return 0;
}

static int teardown(void **state)
{
	DIR *d = opendir(dir);
	struct dirent *entry;

	(void)state;
	while (d && (entry = readdir(d)))
		if (entry->d_name[0] != '.')
			unlink(path_of(entry->d_name));
	if (d)
		closedir(d);
	return rmdir(dir);
}

static int store(void)
{
	return mesh_file_store(dir, NEW, strlen(NEW), mesh_file_hash(OLD, strlen(OLD)));
}

static void test_store(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(chmod(path_of(MESH_FILE), 0604), 0);
	if (!geteuid())
		assert_int_equal(chown(path_of(MESH_FILE), 1234, 4321), 0);
	put(MESH_FILE_OLD, OLDER);
	assert_int_equal(store(), 0);
	assert_file(MESH_FILE, NEW);
	assert_file(MESH_FILE_OLD, OLD);
	assert_int_equal(count_files(), 2);
	assert_int_equal(stat(path_of(MESH_FILE), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0604);
	assert_int_equal(st.st_uid, geteuid() ? geteuid() : 1234);
	assert_int_equal(st.st_gid, geteuid() ? getegid() : 4321);
}

/* Somebody else has been there. */
static void test_stale(void **state)
{
	(void)state;
	put(MESH_FILE, OLDER);
	assert_int_equal(store(), -ESTALE);
	assert_file(MESH_FILE, OLDER);
	assert_int_equal(count_files(), 1);
	assert_int_equal(mesh_file_restore(dir, mesh_file_hash(NEW, strlen(NEW))), -ESTALE);
	assert_file(MESH_FILE, OLDER);
}

static void test_restore(void **state)
{
	(void)state;
	assert_int_equal(store(), 0);
	assert_int_equal(mesh_file_restore(dir, mesh_file_hash(NEW, strlen(NEW))), 0);
	assert_file(MESH_FILE, OLD);
	assert_int_equal(count_files(), 1);
	/* Once only. */
	assert_int_equal(mesh_file_restore(dir, mesh_file_hash(OLD, strlen(OLD))), -ENOENT);
	assert_file(MESH_FILE, OLD);
}

static void test_no_plain_file(void **state)
{
	struct mesh_file file;
	char moved[PATH_MAX];

	(void)state;
	strcpy(moved, path_of("moved"));
	assert_int_equal(rename(path_of(MESH_FILE), moved), 0);
	assert_int_equal(mesh_file_read(dir, &file), -ENOENT);
	assert_int_equal(store(), -ENOENT);
	assert_int_equal(symlink(moved, path_of(MESH_FILE)), 0);
	assert_int_equal(mesh_file_read(dir, &file), -ELOOP);
	assert_int_equal(store(), -ELOOP);
	unlink(path_of(MESH_FILE));
	assert_int_equal(mkfifo(path_of(MESH_FILE), 0600), 0);
	assert_int_equal(store(), -EISDIR);
	unlink(path_of(MESH_FILE));
	assert_int_equal(rename(moved, path_of(MESH_FILE)), 0);
	assert_int_equal(store(), 0);
}

/* A link under the temporary name is removed, not followed. */
static void test_left_link(void **state)
{
	char victim[PATH_MAX];

	(void)state;
	put("victim", OLDER);
	strcpy(victim, path_of("victim"));
	assert_int_equal(symlink(victim, path_of(MESH_FILE ".new")), 0);
	assert_int_equal(symlink(victim, path_of(MESH_FILE_OLD ".new")), 0);
	assert_int_equal(store(), 0);
	assert_file("victim", OLDER);
	assert_file(MESH_FILE, NEW);
	assert_file(MESH_FILE_OLD, OLD);
	assert_int_equal(count_files(), 3);
}

/* The write fails half-way. */
static void test_no_room(void **state)
{
	struct rlimit limit = { .rlim_cur = 8 }, before;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit.rlim_max = before.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(store(), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_file(MESH_FILE, OLD);
	assert_int_equal(count_files(), 1);
}

/* A child that stores, killed when it has entered or left n system calls. True: it was too late. */
static bool killed_at(unsigned int n)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(77);
		raise(SIGSTOP);
		_exit(store() ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip(); /* where nobody may trace */
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			return true;
		}
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return false;
}

/* kill -9 at each system call of it: the file is the old or the new one, and the next call works. */
static void test_killed_anywhere(void **state)
{
	unsigned int stops = 0, old = 0, new = 0;
	bool late;

	(void)state;
	do {
		put(MESH_FILE, OLD);
		late = killed_at(++stops);
		if (holds(OLD)) {
			old++;
			assert_int_equal(store(), 0);
		} else {
			new ++;
			assert_file(MESH_FILE_OLD, OLD);
		}
		assert_file(MESH_FILE, NEW);
		put(MESH_FILE_OLD, OLDER);
		put(MESH_FILE, OLD);
		assert_int_equal(store(), 0);
		assert_file(MESH_FILE, NEW);
		assert_file(MESH_FILE_OLD, OLD);
		assert_int_equal(count_files(), 2);
	} while (!late);
	/* It was killed before and after the moment. */
	assert_true(stops > 20 && old > 10 && new > 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_store, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stale, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restore, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_plain_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_left_link, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_room, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed_anywhere, setup, teardown),
	};

	return cmocka_run_group_tests_name("mesh_file", tests, NULL, NULL);
}
