/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files that become new as one: a process that commits is killed before each of its system calls in turn, and
 * what is found then and after recovery is either all old or all new.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "provision_store.h"

static char dir[64];

static int setup(void **state)
{
	(void)state;
	/* In memory, if there is such a place: thousands of files are synced. */
	strcpy(dir, access("/dev/shm", W_OK) ? "/tmp/netpas-test-store.XXXXXX"
					     : "/dev/shm/netpas-test-store.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static char *content(const char *name)
{
	char *text;
	size_t len;

	return provision_file_read(path_of(name), &text, &len) ? NULL : text;
}

static void check_content(const char *name, const char *expected)
{
	char *text = content(name);

	if (!expected)
		assert_null(text);
	else if (!text)
		fail_msg("%s is missing", name);
	else
		assert_string_equal(text, expected);
	free(text);
}

static void write_content(const char *name, const char *text)
{
	FILE *file = fopen(path_of(name), "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void add(struct provision_change *change, const char *path, const char *text)
{
	assert_int_equal(provision_change_add(change, path, strdup(text), strlen(text), 0600, true),
			 0);
}

static const char *const names[] = { "netpas/node.yaml", "netpas/mesh.yaml", "hostname" };

static int commit(const char *generation, bool with_wan)
{
	struct provision_change change = { .source = "test", .digest = "d", .has_pins = true };
	struct provision_record record;
	int ret;

	strcpy(change.instance, generation);
	for (size_t i = 0; i < 3; i++)
		add(&change, names[i], generation);
	if (with_wan)
		add(&change, "network/30-wan1.network", generation);
	ret = provision_record_read(dir, &record);
	if (!ret)
		ret = provision_store_commit(dir, &record, &change);
	provision_record_fini(&record);
	provision_change_fini(&change);
	return ret;
}

static void test_commit(void **state)
{
	struct provision_record record;
	char edited[512];
	struct stat st;

	(void)state;
	assert_int_equal(commit("one", true), 0);
	for (size_t i = 0; i < 3; i++)
		check_content(names[i], "one");
	assert_int_equal(stat(path_of("netpas"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(provision_record_read(dir, &record), 0);
	assert_true(record.exists);
	assert_string_equal(record.instance, "one");
	assert_false(provision_record_changed(dir, &record, edited, sizeof(edited)));
	provision_record_fini(&record);
	/* What is not there any more goes, what was edited is kept. */
	write_content("netpas/mesh.yaml", "edited");
	write_content("network/30-wan1.network", "edited too");
	write_content("network/70-own.network", "the operator's own");
	assert_int_equal(provision_record_read(dir, &record), 0);
	assert_true(provision_record_changed(dir, &record, edited, sizeof(edited)));
	assert_non_null(strstr(edited, "netpas/mesh.yaml"));
	assert_non_null(strstr(edited, "network/30-wan1.network"));
	assert_null(strstr(edited, "node.yaml"));
	provision_record_fini(&record);
	assert_int_equal(commit("two", false), 0);
	check_content("netpas/mesh.yaml", "two");
	check_content("provision/replaced/mesh.yaml", "edited");
	check_content("network/30-wan1.network", NULL);
	check_content("provision/replaced/30-wan1.network", "edited too");
	check_content("network/70-own.network", "the operator's own");
	check_content("provision/replaced/node.yaml", NULL);
	assert_int_not_equal(access(path_of("provision/commit"), F_OK), 0);
	assert_int_not_equal(access(path_of("provision/next"), F_OK), 0);
}

/* Files that nobody has written before are the operator's, too. */
static void test_edited(void **state)
{
	struct provision_record record = { 0 };
	struct provision_change change = { 0 };
	char edited[512];

	(void)state;
	assert_int_equal(mkdir(path_of("netpas"), 0700), 0);
	add(&change, "netpas/mesh.yaml", "new");
	assert_false(provision_record_edited(dir, &record, &change, edited, sizeof(edited)));
	write_content("netpas/mesh.yaml", "own");
	assert_true(provision_record_edited(dir, &record, &change, edited, sizeof(edited)));
	assert_string_equal(edited, "netpas/mesh.yaml");
	write_content("netpas/mesh.yaml", "new"); /* and to the same end */
	assert_false(provision_record_edited(dir, &record, &change, edited, sizeof(edited)));
	provision_change_fini(&change);
}

/* What lies there and is not ours, or was damaged, is neither followed nor in the way. */
static void test_damaged(void **state)
{
	static const char *const lists[] = {
		"",
		"{",
		"{\"files\": [{\"path\": \"../../etc/x\", \"mode\": 384}]}",
		"{\"files\": [{\"path\": \"netpas/../x\", \"mode\": 384}]}",
		"{\"files\": [{\"path\": \"netpas/x\", \"mode\": 384}]}", /* there is no file 0 */
		"{\"files\": [7]}",
	};

	(void)state;
	assert_int_equal(commit("one", true), 0);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		assert_int_equal(mkdir(path_of("provision/commit"), 0700), 0);
		write_content("provision/commit/list.json", lists[i]);
		assert_int_equal(provision_store_recover(dir), 0);
		assert_int_not_equal(access(path_of("provision/commit"), F_OK), 0);
		check_content("netpas/node.yaml", "one");
	}
	write_content("provision/record.json", "{\"files\": 3, \"interfaces\": {\"eth0\": 7}}");
	assert_int_equal(commit("two", true), 0);
	check_content("netpas/node.yaml", "two");
}

/*
 * A child that commits (or recovers, if generation is NULL) and is killed at its stop number `stops`; false: it
 * came to its end.
 */
static bool kill_at(const char *generation, bool with_wan, unsigned int stops)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) || raise(SIGSTOP))
			_exit(2);
		_exit((generation ? commit(generation, with_wan) : provision_store_recover(dir))
			      ? 1
			      : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSTOPPED(status));
	for (unsigned int i = 0; i < stops; i++) {
		assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			return false;
		}
		assert_true(WIFSTOPPED(status));
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	return true;
}

/* All of one generation, and its record. */
static bool is_whole(const char *generation, bool with_wan)
{
	struct provision_record record;
	bool same;
	char *text;

	assert_int_equal(provision_record_read(dir, &record), 0);
	same = record.exists && !strcmp(record.instance, generation);
	provision_record_fini(&record);
	for (size_t i = 0; i < 3; i++) {
		text = content(names[i]);
		assert_non_null(text);
		if (same)
			assert_string_equal(text, generation);
		else
			assert_string_not_equal(text, generation);
		free(text);
	}
	if (same)
		check_content("network/30-wan1.network", with_wan ? generation : NULL);
	return same;
}

static void test_killed(void **state)
{
	unsigned int killed = 0, old = 0, taken = 0;
	char generation[16];
	bool going = true;

	(void)state;
	assert_int_equal(commit("start", true), 0);
	for (unsigned int stops = 1; going; stops++) {
		const bool with_wan = stops % 3;

		snprintf(generation, sizeof(generation), "g%u", stops);
		going = kill_at(generation, with_wan, stops);
		/* Recovery may die, too, and early or late. */
		for (unsigned int again = 0; again < stops % 4; again++)
			(void)kill_at(NULL, false, stops % (31 * again + 7) * 3 + 1);
		assert_int_equal(provision_store_recover(dir), 0);
		if (is_whole(generation, with_wan))
			taken++;
		else
			old++;
		killed += going;
		assert_int_not_equal(access(path_of("provision/commit"), F_OK), 0);
		assert_int_not_equal(access(path_of("provision/next"), F_OK), 0);
	}
	/* Both ends are seen, or this has tested nothing. */
	assert_true(killed > 50);
	assert_true(old > 20);
	assert_true(taken > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_commit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_edited, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
	};

	return cmocka_run_group_tests_name("provision_store", tests, NULL, NULL);
}
