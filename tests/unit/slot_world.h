/* SPDX-License-Identifier: GPL-2.0-only */
/* An appliance's disk as files of a directory: two slots, the ESP's grub directory, the data partition. */
#ifndef NETPAS_TEST_SLOT_WORLD_H
#define NETPAS_TEST_SLOT_WORLD_H

#include <sys/stat.h>
#include <unistd.h>

#include "bundle_maker.h"
#include "upgrade.h"

#define WORLD_IMAGE (24 * BUNDLE_BLOCK)
#define WORLD_SLOT (32 * BUNDLE_BLOCK)

struct world {
	char dir[64];
	char names[8][96];
	struct upgrade_paths paths;
	EVP_PKEY *key;
};

static void world_put(const char *path, const char *text, size_t len)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, len, out), len);
	assert_int_equal(fclose(out), 0);
}

/* The machine has started that slot, with that version in it. */
static void world_boot(const struct world *w, enum slot slot, bool trial, const char *version)
{
	char text[256];

	snprintf(text, sizeof(text), "root=PARTLABEL=slot-%s ro netpas.slot=%s%s\n",
		 slot_names[slot], slot_names[slot], trial ? " netpas.trial=1" : "");
	world_put(w->paths.cmdline, text, strlen(text));
	snprintf(text, sizeof(text), "ID=debian\nIMAGE_ID=netpas\nIMAGE_VERSION=\"%s\"\n", version);
	world_put(w->paths.os_release, text, strlen(text));
}

static void world_fill(const struct world *w, enum slot slot, const char *version)
{
	char *image = make_image(version, WORLD_SLOT);

	world_put(w->paths.slots[slot], image, WORLD_SLOT);
	free(image);
}

/* As it comes from the factory: slot a has this version, slot b is empty. */
static void world_make(struct world *w, const char *version)
{
	static const char *const files[] = { "grub", "slot-a",	   "slot-b",  "upgrade",
					     "keys", "os-release", "cmdline", "lock" };
	struct slot_state state;

	/* In memory if that can be: a disk takes its time for each sync. */
	snprintf(w->dir, sizeof(w->dir), "%s/test_upgrade.XXXXXX",
		 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	assert_non_null(mkdtemp(w->dir));
	for (size_t i = 0; i < 8; i++)
		snprintf(w->names[i], sizeof(w->names[i]), "%s/%s", w->dir, files[i]);
	w->paths = (struct upgrade_paths){
		.env_dir = w->names[0],
		.slots = { w->names[1], w->names[2] },
		.state_dir = w->names[3],
		.keys = w->names[4],
		.os_release = w->names[5],
		.cmdline = w->names[6],
		.lock = w->names[7],
	};
	assert_int_equal(mkdir(w->names[0], 0700), 0);
	slot_state_init(&state, SLOT_A);
	assert_int_equal(slot_env_write(&disk_real, w->names[0], &state), 0);
	world_fill(w, SLOT_A, version);
	world_fill(w, SLOT_B, version);
	assert_int_equal(truncate(w->names[2], 0), 0);
	assert_int_equal(truncate(w->names[2], WORLD_SLOT), 0);
	w->key = make_key();
	write_keys(w->names[4], &w->key, 1);
	world_boot(w, SLOT_A, false, version);
}

static void world_remove(struct world *w)
{
	char command[128];

	EVP_PKEY_free(w->key);
	snprintf(command, sizeof(command), "rm -rf %s", w->dir);
	assert_int_equal(system(command), 0);
}

/* Whether the slot begins with all of this version's image. */
static bool world_has(const struct world *w, enum slot slot, const char *version)
{
	char *wanted = make_image(version, WORLD_IMAGE), *got = malloc(WORLD_IMAGE);
	FILE *in = fopen(w->paths.slots[slot], "r");
	bool same;

	assert_non_null(in);
	same = fread(got, 1, WORLD_IMAGE, in) == WORLD_IMAGE && !memcmp(got, wanted, WORLD_IMAGE);
	fclose(in);
	free(wanted);
	free(got);
	return same;
}

/* What GRUB starts now, by the real grub.cfg. SLOT_NONE: nothing. */
static enum slot world_start(const struct world *w, bool *ret_trial)
{
	char command[192], line[64] = "";
	FILE *out;

	snprintf(command, sizeof(command), "tests/unit/grub %s 2>/dev/null", w->dir);
	out = popen(command, "r");
	assert_non_null(out);
	assert_non_null(fgets(line, sizeof(line), out));
	assert_int_equal(pclose(out), 0);
	line[strcspn(line, "\n")] = '\0';
	*ret_trial = strstr(line, " trial");
	return !strncmp(line, "a", 1) ? SLOT_A : !strncmp(line, "b", 1) ? SLOT_B : SLOT_NONE;
}

/* The same, and the machine comes up in it; the version is what the slot has. */
static enum slot world_restart(const struct world *w, bool *ret_trial,
			       char version[static BUNDLE_VERSION_LEN])
{
	const enum slot slot = world_start(w, ret_trial);
	FILE *in;

	assert_int_not_equal(slot, SLOT_NONE);
	in = fopen(w->paths.slots[slot], "r");
	assert_non_null(in);
	assert_int_equal(fseek(in, 16, SEEK_SET), 0);
	assert_non_null(fgets(version, BUNDLE_VERSION_LEN, in));
	fclose(in);
	world_boot(w, slot, *ret_trial, version);
	return slot;
}

/* An open file with these bytes, at its beginning. */
static int world_file(const struct world *w, const char *text, size_t len)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/bundle", w->dir);
	world_put(path, text, len);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static int world_bundle(const struct world *w, const char *version)
{
	char *image = make_image(version, WORLD_IMAGE);
	struct made made = make_bundle(version, w->key, image, WORLD_IMAGE);
	const int fd = world_file(w, made.text, made.len);

	free(made.text);
	free(image);
	return fd;
}

#endif
