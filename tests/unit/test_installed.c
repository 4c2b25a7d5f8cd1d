/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include <cmocka.h>

#include "installed.h"
#include "log.h"

#define DEADLINE_US 10000000u

struct world {
	char dir[64], program[80], next[80];
	struct sd_event *event;
	struct installed *installed;
};

static void write_program(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0755), 0);
}

/* As a package does it. */
static void install(const struct world *w, const char *text)
{
	write_program(w->next, text);
	assert_int_equal(rename(w->next, w->program), 0);
}

static int set_up(void **state)
{
	static char *argv[] = { NULL, NULL };
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	strcpy(w->dir, "/tmp/netpas-installed-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->program, sizeof(w->program), "%s/netpasd", w->dir);
	snprintf(w->next, sizeof(w->next), "%s/log", w->dir);
	assert_int_equal(mkdir(w->next, 0700), 0);
	snprintf(w->next, sizeof(w->next), "%s/next", w->dir);
	install(w, "#!/bin/sh\necho netpasd v1\n");
	free(argv[0]);
	argv[0] = strdup(w->program);
	installed_remember(argv);
	assert_true(sd_event_new(&w->event) >= 0);
	assert_int_equal(installed_new(w->event, "/nowhere", w->dir, &w->installed), 0);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	char path[120];

	installed_free(w->installed);
	sd_event_unref(w->event);
	snprintf(path, sizeof(path), "%s/log/trial.log", w->dir);
	(void)unlink(path);
	(void)unlink(w->program);
	snprintf(path, sizeof(path), "%s/log", w->dir);
	(void)rmdir(path);
	(void)rmdir(w->dir);
	free(w);
	return 0;
}

static bool is(json_t *status, const char *key, const char *value)
{
	return !strcmp(json_string_value(json_object_get(status, key)), value);
}

/* Until it has been tried. The status is the caller's. */
static json_t *tried(struct world *w)
{
	json_t *status = NULL;

	(void)installed_try(w->installed);
	for (int i = 0; i < 100; i++) {
		json_decref(status);
		status = installed_status(w->installed);
		assert_non_null(status);
		if (!is(status, "state", "trying"))
			return status;
		assert_true(sd_event_run(w->event, DEADLINE_US) >= 0);
	}
	fail_msg("the trial has no end");
	return NULL;
}

static void file_is_hashed(void **state)
{
	struct world *w = *state;
	uint64_t hash;

	install(w, "abc");
	assert_int_equal(installed_hash(w->program, &hash), 0);
	assert_int_equal(hash, 0xba7816bf8f01cfea); /* FIPS 180-2, B.1 */
	assert_true(installed_hash(w->next, &hash) < 0);
	/* What runs is this test, not the file that it was told. */
	assert_int_equal(installed_hash("/proc/self/exe", &hash), 0);
	assert_int_equal(installed_running(), hash);
}

static void good_one_is_good_until_replaced(void **state)
{
	struct world *w = *state;
	json_t *status;

	assert_false(installed_good(w->installed));
	install(w, "#!/bin/sh\n[ \"$*\" = '-t -c /nowhere' ] && echo netpasd v2 && exit\nexit 9\n");
	status = tried(w);
	assert_true(is(status, "state", "good"));
	assert_true(is(status, "version", "v2"));
	assert_true(is(status, "path", w->program));
	json_decref(status);
	assert_true(installed_good(w->installed));
	install(w, "#!/bin/sh\necho netpasd v3\n");
	assert_false(installed_good(w->installed));
	status = installed_status(w->installed);
	assert_true(is(status, "state", "untried"));
	json_decref(status);
	assert_int_equal(unlink(w->program), 0);
	assert_false(installed_good(w->installed));
}

static void bad_ones_say_why(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "#!/bin/sh\necho netpasd v2\necho 'mesh.yaml:3:1: no' >&2\nexit 78\n",
		  "exit code 78: mesh.yaml:3:1: no" },
		{ "#!/bin/sh\nkill -SEGV $$\n", "signal 11" },
		{ "#!/bin/sh\necho hello\n", "it says hello" },
		{ "#!/bin/sh\n", "it says nothing" },
		{ "#!/nowhere\n", "No such file" },
		{ "#!/bin/sh\nprintf 'netpasd v2\\n\\377\\033[2J\\n'\nexit 1\n",
		  "exit code 1: ??[2J" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *status;

		install(w, bad[i].text);
		status = tried(w);
		assert_true(is(status, "state", "bad"));
		if (!strstr(json_string_value(json_object_get(status, "error")), bad[i].says))
			fail_msg("no '%s' in: %s", bad[i].says,
				 json_string_value(json_object_get(status, "error")));
		assert_false(installed_good(w->installed));
		json_decref(status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(file_is_hashed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(good_one_is_good_until_replaced, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bad_ones_say_why, set_up, tear_down),
	};

	log_init(false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
