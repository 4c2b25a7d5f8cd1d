/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <signal.h>

#include "role.h"

struct fixture {
	char dir[64], path[96], temp[96];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	strcpy(f->dir, "/tmp/netpas-role-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/generation", f->dir);
	snprintf(f->temp, sizeof(f->temp), "%s/generation.new", f->dir);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	(void)unlink(f->path); /* not every test makes them */
	(void)unlink(f->temp);
	if (rmdir(f->dir))
		return -1;
	free(f);
	return 0;
}

static void write_file(const char *path, const char *bytes, size_t len)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void assert_file(const char *path, const char *expected)
{
	FILE *file = fopen(path, "r");
	char buf[128] = "";

	assert_non_null(file);
	assert_int_equal(fread(buf, 1, sizeof(buf) - 1, file), strlen(expected));
	assert_string_equal(buf, expected);
	fclose(file);
}

/* Every state with every event, as the diagram says. */
static void all_transitions(void **state)
{
	static const enum role_state next[ROLE_STATE_MAX][ROLE_EVENT_MAX] = {
		[ROLE_STANDBY] = { ROLE_ACTIVE, ROLE_STANDBY, ROLE_FAULT, ROLE_STANDBY,
				   ROLE_STANDBY, ROLE_STANDBY, ROLE_STANDBY },
		[ROLE_ACTIVE] = { ROLE_ACTIVE, ROLE_STANDBY, ROLE_FAULT, ROLE_STANDBY, ROLE_STANDBY,
				  ROLE_OVERRULED, ROLE_ACTIVE },
		[ROLE_FAULT] = { ROLE_ACTIVE, ROLE_STANDBY, ROLE_FAULT, ROLE_STANDBY, ROLE_STANDBY,
				 ROLE_FAULT, ROLE_FAULT },
		[ROLE_OVERRULED] = { ROLE_OVERRULED, ROLE_STANDBY, ROLE_FAULT, ROLE_STANDBY,
				     ROLE_STANDBY, ROLE_OVERRULED, ROLE_ACTIVE },
	};

	(void)state;
	for (unsigned int from = 0; from < ROLE_STATE_MAX; from++)
		for (unsigned int event = 0; event < ROLE_EVENT_MAX; event++) {
			struct role role = { .state = (enum role_state)from,
					     .generation = 5,
					     .seen_generation = 9 };
			enum role_state to = next[from][event];
			/* Becoming active, and being it alone after all. */
			bool claims = to == ROLE_ACTIVE &&
				      (from != ROLE_ACTIVE || event == ROLE_ON_ALONE);

			assert_int_equal(role_event(&role, (enum role_event)event),
					 to != from || claims);
			assert_int_equal(role.state, to);
			assert_int_equal(role.generation, claims ? 10 : 5);
			assert_int_equal(role.seen_generation, claims ? 10 : 9);
		}
}

static void who_holds_and_claims(void **state)
{
	static const bool holds[ROLE_STATE_MAX] = { [ROLE_ACTIVE] = true, [ROLE_OVERRULED] = true };

	(void)state;
	for (unsigned int i = 0; i < ROLE_STATE_MAX; i++) {
		const struct role role = { .state = (enum role_state)i, .generation = 7 };

		assert_int_equal(role_holds(&role), holds[i]);
		assert_int_equal(role_claim(&role).active, holds[i]);
		assert_int_equal(role_claim(&role).generation, 7);
		assert_non_null(role_state_names[i]);
	}
	for (unsigned int i = 0; i < ROLE_EVENT_MAX; i++)
		assert_non_null(role_event_names[i]);
}

#define S 1000000u

static void judge(struct role *role, uint64_t rival, uint64_t now_us, enum role_event expected)
{
	const enum role_event event = role_judge(role, rival, now_us);

	assert_int_equal(event, expected);
	if (event != ROLE_EVENT_MAX)
		assert_true(role_event(role, event));
}

/* Only the lower of two claims yields, at once, and comes back only when the other is gone. */
static void overruled_and_alone(void **state)
{
	struct role role = { .state = ROLE_ACTIVE, .generation = 5, .seen_generation = 6 };

	(void)state;
	judge(&role, 4, 1 * S, ROLE_EVENT_MAX);
	judge(&role, 5, 1 * S, ROLE_EVENT_MAX);
	judge(&role, 6, 1 * S, ROLE_ON_OVERRULED);
	assert_int_equal(role.state, ROLE_OVERRULED);
	assert_int_equal(role.generation, 5);
	for (uint64_t us = 1 * S; us < 5 * S; us += S / 10)
		judge(&role, 6, us, ROLE_EVENT_MAX);
	/* One word of silence, and the rival again. */
	judge(&role, 0, 5 * S, ROLE_EVENT_MAX);
	judge(&role, 6, 5 * S + S / 2, ROLE_EVENT_MAX);
	for (uint64_t us = 6 * S; us < 7 * S; us += S / 10)
		judge(&role, 0, us, ROLE_EVENT_MAX);
	judge(&role, 0, 7 * S, ROLE_ON_ALONE);
	assert_int_equal(role.state, ROLE_ACTIVE);
	assert_int_equal(role.generation, 7);
}

/* It was frozen, the other one claimed and gave way: the active one has the highest claim again. */
static void outdated(void **state)
{
	struct role role = { .state = ROLE_ACTIVE, .generation = 5, .seen_generation = 5 };

	(void)state;
	for (uint64_t us = 1 * S; us < 5 * S; us += S / 10)
		judge(&role, 0, us, ROLE_EVENT_MAX);
	role_seen(&role, 8);
	judge(&role, 0, 5 * S, ROLE_ON_ALONE);
	assert_int_equal(role.generation, 9);
	judge(&role, 0, 5 * S + S / 10, ROLE_EVENT_MAX);
}

/* A standby has nothing to say in this. */
static void standby_is_not_judged(void **state)
{
	struct role role = { .state = ROLE_STANDBY, .generation = 5, .seen_generation = 9 };

	(void)state;
	judge(&role, 9, 1 * S, ROLE_EVENT_MAX);
	for (uint64_t us = 1 * S; us < 5 * S; us += S / 10)
		judge(&role, 0, us, ROLE_EVENT_MAX);
}

/* What was said before it became active, and silence, are no second of being alone. */
static void being_alone_takes_a_second(void **state)
{
	struct role role = { .state = ROLE_STANDBY, .generation = 5, .seen_generation = 5 };

	(void)state;
	for (uint64_t us = 1 * S; us < 5 * S; us += S / 10)
		judge(&role, 0, us, ROLE_EVENT_MAX);
	assert_true(role_event(&role, ROLE_ON_MASTER));
	role_seen(&role, 9);
	for (uint64_t us = 5 * S; us < 6 * S; us += S / 10)
		judge(&role, 0, us, ROLE_EVENT_MAX);
	/* Nobody was heard for an hour. */
	judge(&role, 0, 3600 * S, ROLE_EVENT_MAX);
	judge(&role, 0, 3600 * S + S / 2, ROLE_EVENT_MAX);
	judge(&role, 0, 3601 * S, ROLE_ON_ALONE);
}

/*
 * Two with a cut between them, and remote sites that hear both: the claims do not rise, and in the
 * end the one with the higher one is active.
 */
static void no_race_of_claims(void **state)
{
	struct role a = { .state = ROLE_ACTIVE, .generation = 5, .seen_generation = 5 };
	struct role b = { .state = ROLE_STANDBY, .generation = 3, .seen_generation = 5 };

	(void)state;
	assert_true(role_event(&b, ROLE_ON_MASTER));
	for (uint64_t us = 1 * S; us < 60 * S; us += S / 10) {
		const struct role_claim ca = role_claim(&a), cb = role_claim(&b);
		enum role_event ea, eb;

		role_seen(&a, cb.generation);
		role_seen(&b, ca.generation);
		ea = role_judge(&a, cb.active ? cb.generation : 0, us);
		eb = role_judge(&b, ca.active ? ca.generation : 0, us);
		(void)role_event(&a, ea); /* ROLE_EVENT_MAX changes nothing */
		(void)role_event(&b, eb);
	}
	assert_int_equal(a.state, ROLE_OVERRULED);
	assert_int_equal(a.generation, 5);
	assert_int_equal(b.state, ROLE_ACTIVE);
	assert_int_equal(b.generation, 6);
}

static void unknown_event_changes_nothing(void **state)
{
	struct role role = { .state = ROLE_ACTIVE, .generation = 5, .seen_generation = 9 };

	(void)state;
	assert_false(role_event(&role, ROLE_EVENT_MAX));
	assert_int_equal(role.state, ROLE_ACTIVE);
}

static void generations_only_grow(void **state)
{
	struct role role = { .state = ROLE_STANDBY };

	(void)state;
	role_event(&role, ROLE_ON_MASTER);
	assert_int_equal(role.generation, 1);
	role_seen(&role, 0);
	assert_int_equal(role.seen_generation, 1);
	role_seen(&role, 40);
	assert_int_equal(role.generation, 1);
	role_seen(&role, 39);
	assert_int_equal(role.seen_generation, 40);
	role_event(&role, ROLE_ON_MASTER);
	assert_int_equal(role.generation, 1);
	role_event(&role, ROLE_ON_BACKUP);
	role_event(&role, ROLE_ON_MASTER);
	assert_int_equal(role.generation, 41);

	/* The highest number there is must not become the lowest. */
	role_seen(&role, UINT64_MAX);
	role_event(&role, ROLE_ON_FAULT);
	role_event(&role, ROLE_ON_MASTER);
	assert_int_equal(role.generation, UINT64_MAX);
	assert_int_equal(role.seen_generation, UINT64_MAX);
}

static void survives_a_restart(void **state)
{
	static const uint64_t generations[] = { 0, 1, 9, 10, 4711, UINT64_MAX };
	const struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(generations) / sizeof(generations[0]); i++) {
		struct role saved = { .state = ROLE_ACTIVE, .generation = generations[i] };
		struct role loaded = { .state = ROLE_STANDBY };
		struct stat st;

		assert_int_equal(role_save(f->path, &saved), 0);
		assert_int_equal(role_load(f->path, &loaded), 0);
		assert_int_equal(loaded.generation, generations[i]);
		assert_int_equal(loaded.seen_generation, generations[i]);
		assert_int_equal(loaded.state, ROLE_STANDBY);
		assert_int_equal(stat(f->path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		assert_int_equal(access(f->temp, F_OK), -1);
	}
	assert_file(f->path, "generation 18446744073709551615\n");
}

static void loading_keeps_what_was_seen(void **state)
{
	const struct fixture *f = *state;
	struct role role = { .generation = 3 };

	assert_int_equal(role_save(f->path, &role), 0);
	role = (struct role){ .seen_generation = 12 };
	assert_int_equal(role_load(f->path, &role), 0);
	assert_int_equal(role.generation, 3);
	assert_int_equal(role.seen_generation, 12);
}

static void missing_file_is_generation_zero(void **state)
{
	const struct fixture *f = *state;
	struct role role = { .generation = 5 };

	assert_int_equal(role_load(f->path, &role), 0);
	assert_int_equal(role.generation, 0);
}

static void damaged_files_are_told(void **state)
{
	static const char *const texts[] = {
		"",
		"\n",
		"generation",
		"generation ",
		"generation \n",
		"generation 5",
		"generation 5\n\n",
		"generation 5 \n",
		"generation 5\r\n",
		"generation  5\n",
		"generation 05\n",
		"generation +5\n",
		"generation -5\n",
		"generation 0x5\n",
		"generation 5\ngeneration 6\n",
		"Generation 5\n",
		" generation 5\n",
		"generation 18446744073709551616\n",
		"generation 99999999999999999999999999999999999999\n",
		"generation 999999999999999999999999999999999999999999999999999999999999999999999\n",
		"\xff\xfe\xfd",
	};
	const struct fixture *f = *state;
	static char zeros[4096];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct role role = { .generation = 77, .seen_generation = 78 };

		write_file(f->path, texts[i], strlen(texts[i]));
		assert_int_equal(role_load(f->path, &role), -EBADMSG);
		assert_int_equal(role.generation, 77);
		assert_int_equal(role.seen_generation, 78);
	}
	/* What a file system leaves after a power cut. */
	for (size_t len = 1; len <= sizeof(zeros); len *= 2) {
		struct role role = { .generation = 77 };

		write_file(f->path, zeros, len);
		assert_int_equal(role_load(f->path, &role), -EBADMSG);
	}
	/* And it can be written again. */
	assert_int_equal(role_save(f->path, &(struct role){ .generation = 6 }), 0);
	assert_file(f->path, "generation 6\n");
}

static void unreadable_is_an_error(void **state)
{
	const struct fixture *f = *state;
	struct role role = { .generation = 77 };

	assert_int_equal(role_load(f->dir, &role), -EISDIR);
	assert_int_equal(role_load("/dev/null/generation", &role), -ENOTDIR);
	assert_int_equal(role.generation, 77);
}

static void a_leftover_is_replaced(void **state)
{
	const struct fixture *f = *state;
	struct stat st;

	write_file(f->temp, "half", 4);
	assert_int_equal(chmod(f->temp, 0444), 0);
	assert_int_equal(role_save(f->path, &(struct role){ .generation = 8 }), 0);
	assert_file(f->path, "generation 8\n");
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

/* A link in the place of the temporary file must not lead the writer elsewhere. */
static void a_link_is_not_followed(void **state)
{
	const struct fixture *f = *state;
	char victim[96];

	snprintf(victim, sizeof(victim), "%s/victim", f->dir);
	write_file(victim, "precious", 8);
	assert_int_equal(symlink(victim, f->temp), 0);
	assert_int_equal(role_save(f->path, &(struct role){ .generation = 8 }), 0);
	assert_file(victim, "precious");
	assert_file(f->path, "generation 8\n");
	assert_int_equal(unlink(victim), 0);
}

static void a_failure_keeps_the_old_file(void **state)
{
	const struct fixture *f = *state;
	struct rlimit before, none;

	assert_int_equal(role_save(f->path, &(struct role){ .generation = 8 }), 0);

	/* No byte can be written, as on a full disk. */
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = before.rlim_max };
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(role_save(f->path, &(struct role){ .generation = 9 }), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_file(f->path, "generation 8\n");
	assert_int_equal(access(f->temp, F_OK), -1);

	if (geteuid() == 0)
		return; /* root writes anywhere; unwritable_directory has the other way */
	assert_int_equal(chmod(f->dir, 0500), 0);
	assert_int_equal(role_save(f->path, &(struct role){ .generation = 9 }), -EACCES);
	assert_int_equal(chmod(f->dir, 0700), 0);
	assert_file(f->path, "generation 8\n");
}

static void unwritable_directory(void **state)
{
	(void)state;
	assert_int_equal(role_save("/proc/self/generation", &(struct role){ .generation = 1 }),
			 -ENOENT);
	assert_int_equal(role_save("/nonexistent/generation", &(struct role){ .generation = 1 }),
			 -ENOENT);
	assert_int_equal(role_save("/dev/null/generation", &(struct role){ .generation = 1 }),
			 -ENOTDIR);
}

static void path_that_cannot_be_replaced(void **state)
{
	const struct fixture *f = *state;

	assert_int_equal(mkdir(f->path, 0700), 0);
	assert_int_equal(role_save(f->path, &(struct role){ .generation = 1 }), -EISDIR);
	assert_int_equal(access(f->temp, F_OK), -1);
	assert_int_equal(rmdir(f->path), 0);
}

static void path_too_long(void **state)
{
	static char path[8192];

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	assert_int_equal(role_save(path, &(struct role){ .generation = 1 }), -ENAMETOOLONG);
}

static void relative_path(void **state)
{
	const struct fixture *f = *state;
	char cwd[4096];

	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(chdir(f->dir), 0);
	assert_int_equal(role_save("generation", &(struct role){ .generation = 2 }), 0);
	assert_int_equal(chdir(cwd), 0);
	assert_file(f->path, "generation 2\n");
}

#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_transitions),
		cmocka_unit_test(who_holds_and_claims),
		cmocka_unit_test(overruled_and_alone),
		cmocka_unit_test(outdated),
		cmocka_unit_test(standby_is_not_judged),
		cmocka_unit_test(being_alone_takes_a_second),
		cmocka_unit_test(no_race_of_claims),
		cmocka_unit_test(unknown_event_changes_nothing),
		cmocka_unit_test(generations_only_grow),
		FILE_TEST(survives_a_restart),
		FILE_TEST(loading_keeps_what_was_seen),
		FILE_TEST(missing_file_is_generation_zero),
		FILE_TEST(damaged_files_are_told),
		FILE_TEST(unreadable_is_an_error),
		FILE_TEST(a_leftover_is_replaced),
		FILE_TEST(a_link_is_not_followed),
		FILE_TEST(a_failure_keeps_the_old_file),
		cmocka_unit_test(unwritable_directory),
		FILE_TEST(path_that_cannot_be_replaced),
		cmocka_unit_test(path_too_long),
		FILE_TEST(relative_path),
	};

	return cmocka_run_group_tests_name("role", tests, NULL, NULL);
}
