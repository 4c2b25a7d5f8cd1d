/* SPDX-License-Identifier: GPL-2.0-only */
/* What GRUB reads of the slots, and what is left of it when a write was torn. */
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
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"
#include "slot.h"

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

static void put(size_t file, const char *text, size_t len)
{
	char path[128];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", dir, slot_env_names[file]);
	out = fopen(path, "w");
	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, len, out), len);
	assert_int_equal(fclose(out), 0);
}

static void get(size_t file, char text[static SLOT_ENV_SIZE])
{
	char path[128];
	FILE *in;

	snprintf(path, sizeof(path), "%s/%s", dir, slot_env_names[file]);
	in = fopen(path, "r");
	assert_non_null(in);
	assert_int_equal(fread(text, 1, SLOT_ENV_SIZE, in), SLOT_ENV_SIZE);
	assert_int_equal(fgetc(in), EOF);
	fclose(in);
}

static bool same(const struct slot_state *a, const struct slot_state *b)
{
	return a->first == b->first && a->trial == b->trial &&
	       a->slots[SLOT_A].good == b->slots[SLOT_A].good &&
	       a->slots[SLOT_B].good == b->slots[SLOT_B].good &&
	       a->slots[SLOT_A].tries == b->slots[SLOT_A].tries &&
	       a->slots[SLOT_B].tries == b->slots[SLOT_B].tries;
}

/* The i-th of all states there are. */
static struct slot_state state_of(unsigned int i)
{
	struct slot_state state = { .first = i % 2 ? SLOT_B : SLOT_A };

	state.slots[SLOT_A].good = i / 2 % 2;
	state.slots[SLOT_B].good = i / 4 % 2;
	state.slots[SLOT_A].tries = i / 8 % 4;
	state.slots[SLOT_B].tries = i / 32 % 4;
	state.trial = (enum slot)(i / 128 % 3);
	return state;
}
#define STATES 384

static void test_every_state_is_read_back(void **unused)
{
	char text[SLOT_ENV_SIZE], first[SLOT_ENV_SIZE];
	struct slot_state state, again;

	(void)unused;
	state = state_of(0);
	slot_env_format(&state, first);
	for (unsigned int i = 0; i < STATES; i++) {
		size_t letters = 0;

		state = state_of(i);
		slot_env_format(&state, text);
		assert_int_equal(slot_env_parse(text, sizeof(text), &again), 0);
		assert_true(same(&state, &again));
		/* No line moves, whatever changes: only the letters of the values differ. */
		for (size_t j = 0; j < sizeof(text); j++) {
			assert_int_equal(text[j] == '\n', first[j] == '\n');
			assert_int_equal(text[j] == '=', first[j] == '=');
			letters += text[j] != first[j];
			if (j >= 512)
				assert_int_equal(text[j], '#');
		}
		assert_true(letters <= 7);
	}
}

static void test_the_images_file_is_one(void **unused)
{
	char text[SLOT_ENV_SIZE + 1], wanted[SLOT_ENV_SIZE];
	struct slot_state state;
	FILE *in;
	size_t len;

	(void)unused;
	in = fopen("firmware-image/grubenv", "r");
	assert_non_null(in);
	len = fread(text, 1, sizeof(text), in);
	fclose(in);
	assert_int_equal(slot_env_parse(text, len, &state), 0);
	assert_true(state.first == SLOT_A && state.slots[SLOT_A].good &&
		    !state.slots[SLOT_B].good && state.trial == SLOT_NONE);
	slot_env_format(&state, wanted);
	assert_memory_equal(text, wanted, sizeof(wanted));
}

static void test_bad_text_is_refused(void **unused)
{
	static const struct {
		const char *from, *to;
	} changes[] = {
		{ "# GRUB", "# grub" },	      { "ORDER=A B", "ORDER=A A" },
		{ "ORDER=A B", "ORDER=AB " }, { "A_OK=1", "A_OK=2" },
		{ "A_OK=1", "A_OK=" },	      { "B_OK=0", "B_NO=0" },
		{ "A_TRY=0", "A_TRY=4" },     { "B_TRY=0", "B_TRY=x" },
		{ "TRIAL=-", "TRIAL=C" },     { "TRIAL=-", "#######" },
		{ "TRIAL=-", "TRIAL=" },      { "A_OK=1", "A_OK=11" },
	};
	struct slot_state state, untouched;
	char good[SLOT_ENV_SIZE + 8], text[SLOT_ENV_SIZE + 8];

	(void)unused;
	slot_state_init(&state, SLOT_A);
	slot_env_format(&state, good);
	untouched = state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		const size_t to = strlen(changes[i].to), from = strlen(changes[i].from);
		char *at;

		memset(text, '#', sizeof(text));
		memcpy(text, good, SLOT_ENV_SIZE);
		at = memmem(text, SLOT_ENV_SIZE, changes[i].from, from);
		assert_non_null(at);
		memmove(at + to, at + from, (size_t)(text + SLOT_ENV_SIZE - (at + from)));
		memcpy(at, changes[i].to, to);
		assert_int_equal(slot_env_parse(text, SLOT_ENV_SIZE, &state), -EBADMSG);
	}
	assert_int_equal(slot_env_parse(good, SLOT_ENV_SIZE - 1, &state), -EBADMSG);
	assert_int_equal(slot_env_parse(good, SLOT_ENV_SIZE + 1, &state), -EBADMSG);
	assert_int_equal(slot_env_parse(good, 0, &state), -EBADMSG);
	memcpy(text, good, SLOT_ENV_SIZE);
	text[40] = '\0';
	assert_int_equal(slot_env_parse(text, SLOT_ENV_SIZE, &state), -EBADMSG);
	assert_true(same(&state, &untouched));
}

static void test_files(void **unused)
{
	struct slot_state state, other, got;
	char text[SLOT_ENV_SIZE], texts[2][SLOT_ENV_SIZE];
	unsigned int bad;

	(void)unused;
	slot_state_init(&state, SLOT_B);
	assert_int_equal(slot_env_read(dir, &got, &bad), -EBADMSG);
	assert_int_equal(bad, 3);
	assert_int_equal(slot_env_write(&disk_real, dir, &state), 0);
	assert_int_equal(slot_env_read(dir, &got, &bad), 0);
	assert_int_equal(bad, 0);
	assert_true(same(&state, &got));
	get(0, texts[0]);
	get(1, texts[1]);
	assert_memory_equal(texts[0], texts[1], SLOT_ENV_SIZE);

	/* The first one damaged, cut off, or longer; the second one counts. */
	for (unsigned int i = 0; i < 3; i++) {
		char damaged[SLOT_ENV_SIZE + 100];

		memset(damaged, '#', sizeof(damaged));
		memcpy(damaged, texts[0], SLOT_ENV_SIZE);
		if (!i)
			memset(damaged + 30, 'x', 20);
		put(0, damaged, i == 0 ? SLOT_ENV_SIZE : i == 1 ? 700 : sizeof(damaged));
		assert_int_equal(slot_env_read(dir, &got, &bad), 0);
		assert_int_equal(bad, 1);
		assert_true(same(&state, &got));
		assert_int_equal(slot_env_write(&disk_real, dir, &state), 0);
		get(0, text);
		assert_memory_equal(text, texts[0], SLOT_ENV_SIZE);
	}

	/* Both good and not the same: the first one is the newer one. */
	other = state;
	slot_state_begin(&other, SLOT_B);
	slot_state_try(&other, SLOT_A);
	slot_env_format(&other, text);
	put(0, text, sizeof(text));
	assert_int_equal(slot_env_read(dir, &got, &bad), 0);
	assert_int_equal(bad, 0);
	assert_true(same(&other, &got));

	put(0, "nothing", 7);
	put(1, "nothing", 7);
	assert_int_equal(slot_env_read(dir, &got, &bad), -EBADMSG);
	assert_int_equal(bad, 3);
}

static void test_verbs(void **unused)
{
	struct slot_state state;

	(void)unused;
	slot_state_init(&state, SLOT_A);
	slot_state_begin(&state, SLOT_A);
	assert_true(state.first == SLOT_A && state.slots[SLOT_A].good &&
		    !state.slots[SLOT_B].good && state.trial == SLOT_NONE);
	slot_state_try(&state, SLOT_B);
	assert_true(state.trial == SLOT_B && state.first == SLOT_A && !state.slots[SLOT_B].good);
	state.trial = SLOT_NONE; /* GRUB */
	slot_state_confirm(&state, SLOT_B);
	assert_true(state.first == SLOT_B && state.slots[SLOT_B].good && state.slots[SLOT_A].good &&
		    state.trial == SLOT_NONE);
}

static void test_kernel_line(void **unused)
{
	static const struct {
		const char *line;
		int rc;
		enum slot slot;
		bool trial;
	} lines[] = {
		{ "root=PARTLABEL=slot-a ro netpas.slot=a quiet\n", 0, SLOT_A, false },
		{ "netpas.slot=b netpas.trial=1\n", 0, SLOT_B, true },
		{ "netpas.trial=1 netpas.slot=b", 0, SLOT_B, true },
		{ "netpas.slot=b netpas.trial=0", 0, SLOT_B, false },
		{ "netpas.slot=c\n", -ENOENT, SLOT_NONE, false },
		{ "xnetpas.slot=a netpas.slot=ab netpas.trial=1", -ENOENT, SLOT_NONE, false },
		{ "", -ENOENT, SLOT_NONE, false },
		{ "\n", -ENOENT, SLOT_NONE, false },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		enum slot slot = SLOT_NONE;
		bool trial = false;

		assert_int_equal(slot_cmdline_parse(lines[i].line, &slot, &trial), lines[i].rc);
		assert_int_equal(slot, lines[i].slot);
		assert_int_equal(trial, lines[i].trial);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_state_is_read_back),
		cmocka_unit_test(test_the_images_file_is_one),
		cmocka_unit_test(test_bad_text_is_refused),
		cmocka_unit_test_setup_teardown(test_files, setup, teardown),
		cmocka_unit_test(test_verbs),
		cmocka_unit_test(test_kernel_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
