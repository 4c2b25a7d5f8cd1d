/* SPDX-License-Identifier: GPL-2.0-only */
#include "slot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "file.h"

#define SIGNATURE "# GRUB Environment Block\n"
#define SECTOR 512 /* which a disk writes whole: all that is said lies in the first one */

const char *const slot_names[SLOT_MAX] = { "a", "b" };
const char *const slot_env_names[SLOT_ENV_FILES] = { "grubenv", "grubenv.bak" };

/* ---- text ---- */

void slot_env_format(const struct slot_state *state, char buf[static SLOT_ENV_SIZE])
{
	/* One letter a value: GRUB changes it where it is, and nothing behind it moves. */
	const int n = snprintf(
		buf, SLOT_ENV_SIZE,
		SIGNATURE "ORDER=%s\nA_OK=%d\nA_TRY=%u\nB_OK=%d\nB_TRY=%u\nTRIAL=%c\n",
		state->first == SLOT_A ? "A B" : "B A", state->slots[SLOT_A].good,
		state->slots[SLOT_A].tries, state->slots[SLOT_B].good, state->slots[SLOT_B].tries,
		state->trial == SLOT_A	 ? 'A'
		: state->trial == SLOT_B ? 'B'
					 : '-');

	memset(buf + n, '#', SLOT_ENV_SIZE - (size_t)n);
}

/* The value of a name among the lines; NULL: it is not there, or longer than one letter. */
static const char *value_of(const char *text, const char *name, size_t wanted)
{
	const size_t len = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, len) || line[len] != '=')
			continue;
		line += len + 1;
		return strcspn(line, "\n") == wanted && line[wanted] ? line : NULL;
	}
	return NULL;
}

static int letter_of(const char *text, const char *name, const char *letters, unsigned int *ret)
{
	const char *value = value_of(text, name, 1), *at = value ? strchr(letters, *value) : NULL;

	if (!at)
		return -EBADMSG;
	*ret = (unsigned int)(at - letters);
	return 0;
}

int slot_env_parse(const char *buf, size_t len, struct slot_state *ret_state)
{
	unsigned int a_good, b_good, trial;
	struct slot_state state;
	char text[SLOT_ENV_SIZE + 1];
	const char *order;

	if (len != SLOT_ENV_SIZE || memchr(buf, '\0', len) ||
	    strncmp(buf, SIGNATURE, sizeof(SIGNATURE) - 1))
		return -EBADMSG;
	memcpy(text, buf, len);
	text[len] = '\0';
	order = value_of(text, "ORDER", 3);
	if (!order || (strncmp(order, "A B", 3) && strncmp(order, "B A", 3)) ||
	    letter_of(text, "A_OK", "01", &a_good) || letter_of(text, "B_OK", "01", &b_good) ||
	    letter_of(text, "A_TRY", "0123", &state.slots[SLOT_A].tries) ||
	    letter_of(text, "B_TRY", "0123", &state.slots[SLOT_B].tries) ||
	    letter_of(text, "TRIAL", "AB-", &trial))
		return -EBADMSG;
	state.first = *order == 'A' ? SLOT_A : SLOT_B;
	state.slots[SLOT_A].good = a_good;
	state.slots[SLOT_B].good = b_good;
	state.trial = (enum slot)trial;
	*ret_state = state;
	return 0;
}

int slot_cmdline_parse(const char *line, enum slot *ret_running, bool *ret_trial)
{
	enum slot running = SLOT_NONE;
	bool trial = false;

	while (*line) {
		const size_t len = strcspn(line, " \n");

		if (len == 13 && !strncmp(line, "netpas.slot=a", len))
			running = SLOT_A;
		if (len == 13 && !strncmp(line, "netpas.slot=b", len))
			running = SLOT_B;
		if (len == 14 && !strncmp(line, "netpas.trial=1", len))
			trial = true;
		line += len;
		line += strspn(line, " \n");
	}
	if (running == SLOT_NONE)
		return -ENOENT;
	*ret_running = running;
	*ret_trial = trial;
	return 0;
}

/* ---- verbs ---- */

void slot_state_init(struct slot_state *state, enum slot running)
{
	*state = (struct slot_state){ .first = running, .trial = SLOT_NONE };
	state->slots[running].good = true;
}

void slot_state_begin(struct slot_state *state, enum slot running)
{
	const enum slot other = slot_other(running);

	state->first = running;
	state->slots[running].good = true;
	state->slots[other].good = false;
	state->slots[other].tries = 0;
	state->trial = SLOT_NONE;
}

void slot_state_try(struct slot_state *state, enum slot slot)
{
	state->trial = slot;
}

void slot_state_confirm(struct slot_state *state, enum slot running)
{
	state->first = running;
	state->slots[running].good = true;
	state->slots[running].tries = 0;
	if (state->trial == running)
		state->trial = SLOT_NONE;
}

/* ---- files ---- */

static int env_path(const char *dir, size_t file, char path[static PATH_MAX])
{
	const int n = snprintf(path, PATH_MAX, "%s/%s", dir, slot_env_names[file]);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int read_one(const char *dir, size_t file, char buf[static SLOT_ENV_SIZE + 1],
		    size_t *ret_len)
{
	char path[PATH_MAX];
	int fd, rc = env_path(dir, file, path);

	if (rc)
		return rc;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	rc = file_read(fd, buf, SLOT_ENV_SIZE + 1, ret_len);
	close(fd);
	return rc;
}

int slot_env_read(const char *dir, struct slot_state *ret_state, unsigned int *ret_bad)
{
	char text[SLOT_ENV_SIZE + 1];
	struct slot_state state, kept;
	unsigned int bad = 0;
	int ret = -EBADMSG;

	for (size_t i = 0; i < SLOT_ENV_FILES; i++) {
		size_t len;
		int rc = read_one(dir, i, text, &len);

		if (!rc)
			rc = slot_env_parse(text, len, &state);
		if (rc) {
			bad |= 1u << i;
			ret = ret && rc != -ENOENT && rc != -EBADMSG ? rc : ret;
		} else if (ret) {
			kept = state;
			ret = 0;
		}
	}
	if (ret_bad)
		*ret_bad = bad;
	if (!ret)
		*ret_state = kept;
	return ret;
}

/* Only the sector that says something, if the other one is as it has to be. */
static int write_one(const struct disk *disk, const char *dir, size_t file,
		     const char text[static SLOT_ENV_SIZE])
{
	char path[PATH_MAX], old[SLOT_ENV_SIZE + 1];
	size_t len = 0;
	bool whole;
	int fd, rc = env_path(dir, file, path);

	if (rc)
		return rc;
	whole = !read_one(dir, file, old, &len) && len == SLOT_ENV_SIZE &&
		!memcmp(old + SECTOR, text + SECTOR, SLOT_ENV_SIZE - SECTOR);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (len > SLOT_ENV_SIZE && ftruncate(fd, SLOT_ENV_SIZE))
		rc = -errno;
	if (!rc)
		rc = disk_write(disk, fd, text, whole ? SECTOR : SLOT_ENV_SIZE, 0);
	if (!rc)
		rc = disk_sync(disk, fd);
	if (close(fd) && !rc)
		rc = -errno;
	return rc || whole ? rc : file_sync_directory(path);
}

int slot_env_write(const struct disk *disk, const char *dir, const struct slot_state *state)
{
	char text[SLOT_ENV_SIZE];
	int rc = 0;

	slot_env_format(state, text);
	for (size_t i = 0; i < SLOT_ENV_FILES && !rc; i++)
		rc = write_one(disk, dir, i, text);
	return rc;
}
