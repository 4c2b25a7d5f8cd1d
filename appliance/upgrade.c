/* SPDX-License-Identifier: GPL-2.0-only */
#include "upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "file.h"
#include "slot_image.h"

#define LINE_MAX_BYTES 4096
#define RELEASE_MAX_BYTES 8192

const struct upgrade_paths upgrade_paths_real = {
	.env_dir = "/efi/grub",
	.slots = { "/dev/disk/by-partlabel/slot-a", "/dev/disk/by-partlabel/slot-b" },
	.state_dir = "/data/upgrade",
	.keys = "/usr/lib/netpas/upgrade.pub",
	.os_release = "/usr/lib/os-release",
	.cmdline = "/proc/cmdline",
	.lock = "/run/netpas-upgrade.lock",
	.boot_id = "/proc/sys/kernel/random/boot_id",
};

static enum upgrade_outcome end(struct upgrade *upgrade, enum upgrade_outcome outcome,
				const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static enum upgrade_outcome end(struct upgrade *upgrade, enum upgrade_outcome outcome,
				const char *fmt, ...)
{
	char text[UPGRADE_REASON_LEN]; /* the arguments may be in the reason */
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args); /* a cut one is better than none */
	va_end(args);
	strcpy(upgrade->reason, text);
	return outcome;
}

/* ---- what there is ---- */

static int read_text(const char *path, char *buf, size_t size)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	int rc;

	if (fd < 0)
		return -errno;
	rc = file_read(fd, buf, size - 1, &len);
	close(fd);
	if (!rc)
		buf[len] = '\0';
	return rc;
}

/* NAME=VALUE or NAME="VALUE". */
static bool release_value(const char *text, const char *name, char *value, size_t size)
{
	const size_t len = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		size_t n;

		line += *line == '\n';
		if (strncmp(line, name, len) || line[len] != '=')
			continue;
		line += len + 1;
		line += *line == '"';
		n = strcspn(line, "\"\n");
		if (!n || n >= size)
			return false;
		memcpy(value, line, n);
		value[n] = '\0';
		return true;
	}
	return false;
}

static enum upgrade_outcome look_at_image(struct upgrade *upgrade)
{
	const struct upgrade_paths *paths = upgrade->paths;
	char text[RELEASE_MAX_BYTES], id[32] = "";
	int rc = read_text(paths->cmdline, text, LINE_MAX_BYTES);

	if (!rc)
		rc = slot_cmdline_parse(text, &upgrade->running, &upgrade->trial);
	if (rc)
		return end(upgrade, UPGRADE_REFUSED,
			   "this is not the appliance image: no netpas.slot= in %s; elsewhere "
			   "packages are upgraded",
			   paths->cmdline);
	rc = read_text(paths->os_release, text, sizeof(text));
	if (rc || !release_value(text, "IMAGE_ID", id, sizeof(id)) || strcmp(id, "netpas") ||
	    !release_value(text, "IMAGE_VERSION", upgrade->version, sizeof(upgrade->version)) ||
	    bundle_version_check(upgrade->version))
		return end(upgrade, UPGRADE_REFUSED,
			   "this is not the appliance image: %s has no IMAGE_ID=netpas with an "
			   "IMAGE_VERSION",
			   paths->os_release);
	return UPGRADE_DONE;
}

enum upgrade_outcome upgrade_look(struct upgrade *upgrade, const struct upgrade_paths *paths,
				  const struct disk *disk)
{
	enum upgrade_outcome outcome;
	int rc;

	*upgrade = (struct upgrade){ .paths = paths, .disk = disk, .lock = -1 };
	outcome = look_at_image(upgrade);
	if (outcome)
		return outcome;
	rc = slot_env_read(paths->env_dir, &upgrade->state, &upgrade->env_bad);
	if (rc && rc != -EBADMSG)
		return end(upgrade, UPGRADE_ERROR, "%s: %s", paths->env_dir, strerror(-rc));
	upgrade->env_lost = rc;
	if (rc)
		slot_state_init(&upgrade->state, upgrade->running);
	upgrade_record_load(paths->state_dir, &upgrade->record);
	strcpy(upgrade->record.versions[upgrade->running], upgrade->version);
	return UPGRADE_DONE;
}

enum upgrade_outcome upgrade_open(struct upgrade *upgrade, const struct upgrade_paths *paths,
				  const struct disk *disk)
{
	const int lock = open(paths->lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	enum upgrade_outcome outcome = UPGRADE_DONE;

	*upgrade = (struct upgrade){ .lock = -1 };
	if (lock < 0)
		return end(upgrade, UPGRADE_ERROR, "%s: %s", paths->lock, strerror(errno));
	if (flock(lock, LOCK_EX | LOCK_NB))
		outcome = errno == EWOULDBLOCK
				  ? end(upgrade, UPGRADE_REFUSED, "another upgrade is under way")
				  : end(upgrade, UPGRADE_ERROR, "%s: %s", paths->lock,
					strerror(errno));
	if (!outcome)
		outcome = upgrade_look(upgrade, paths, disk);
	if (outcome) {
		close(lock);
		return outcome;
	}
	upgrade->lock = lock;
	return UPGRADE_DONE;
}

void upgrade_close(struct upgrade *upgrade)
{
	if (upgrade->lock >= 0)
		close(upgrade->lock);
	upgrade->lock = -1;
}

bool upgrade_is_trial(const struct upgrade *upgrade)
{
	return upgrade->trial && upgrade->state.first != upgrade->running;
}

static int write_env(struct upgrade *upgrade)
{
	const int rc = slot_env_write(upgrade->disk, upgrade->paths->env_dir, &upgrade->state);

	if (rc)
		(void)end(upgrade, UPGRADE_ERROR, "%s/%s: %s", upgrade->paths->env_dir,
			  slot_env_names[0], strerror(-rc));
	else
		upgrade->env_bad = 0;
	return rc;
}

/* The record is for people: what cannot be written of it stops nothing. */
static void enter(struct upgrade *upgrade, enum upgrade_phase phase, const char *reason)
{
	upgrade->record.last.phase = phase;
	upgrade->record.last.told = false;
	upgrade->record.last.at_s = (int64_t)time(NULL);
	if (reason != upgrade->record.last.reason)
		snprintf(upgrade->record.last.reason, sizeof(upgrade->record.last.reason), "%s",
			 reason);
	(void)upgrade_record_store(upgrade->paths->state_dir, &upgrade->record);
}

/* ---- writing ---- */

static enum upgrade_outcome check_pending(struct upgrade *upgrade)
{
	if (upgrade_is_trial(upgrade))
		return end(upgrade, UPGRADE_REFUSED,
			   "slot %s runs for its trial and is not confirmed yet",
			   slot_names[upgrade->running]);
	if (upgrade->state.trial != SLOT_NONE)
		return end(upgrade, UPGRADE_REFUSED,
			   "slot %s is set for its trial; restart, or take that back with "
			   "'netpas upgrade rollback'",
			   slot_names[upgrade->state.trial]);
	return UPGRADE_DONE;
}

static enum upgrade_outcome check_bundle(struct upgrade *upgrade, const struct bundle *bundle,
					 bool older)
{
	const int order = strverscmp(bundle->version, upgrade->version);
	struct utsname name;

	if (!uname(&name) && strcmp(bundle->architecture, name.machine))
		return end(upgrade, UPGRADE_REFUSED, "it is for %s; this machine is %s",
			   bundle->architecture, name.machine);
	if (!order && !older)
		return end(upgrade, UPGRADE_REFUSED, "%s is what runs already", bundle->version);
	if (order < 0 && !older)
		return end(upgrade, UPGRADE_REFUSED,
			   "%s is older than what runs, %s; --force-older takes it all the same",
			   bundle->version, upgrade->version);
	return UPGRADE_DONE;
}

static enum upgrade_outcome write_slot(struct upgrade *upgrade, int fd, struct slot_image *image,
				       const struct upgrade_progress *progress)
{
	const enum slot other = slot_other(upgrade->running);
	int rc;

	slot_state_begin(&upgrade->state, upgrade->running);
	/* What it fails to write it may have written: that is for the better. */
	if (write_env(upgrade))
		return UPGRADE_ERROR;
	upgrade->record.versions[other][0] = '\0';
	enter(upgrade, UPGRADE_WRITING, "");
	rc = slot_image_write(image, fd, progress, upgrade->reason);
	if (rc) {
		enter(upgrade, UPGRADE_BROKEN, upgrade->reason);
		return UPGRADE_UNDONE;
	}
	return UPGRADE_DONE;
}

enum upgrade_outcome upgrade_write(struct upgrade *upgrade, int fd, bool older,
				   const struct upgrade_progress *progress)
{
	const enum slot other = slot_other(upgrade->running);
	struct upgrade_record *record = &upgrade->record;
	enum upgrade_outcome outcome = check_pending(upgrade);
	struct slot_image image;
	struct bundle bundle;
	int rc;

	if (outcome)
		return outcome;
	rc = bundle_open(fd, upgrade->paths->keys, &bundle, upgrade->reason);
	if (rc)
		return rc == -EBADMSG || rc == -EKEYREJECTED ? UPGRADE_REFUSED : UPGRADE_ERROR;
	outcome = check_bundle(upgrade, &bundle, older);
	if (outcome)
		return outcome;
	rc = slot_image_open(&image, upgrade->disk, upgrade->paths->slots[other], &bundle,
			     upgrade->reason);
	if (rc)
		return rc == -EFBIG ? UPGRADE_REFUSED : UPGRADE_ERROR;
	record->last.rollback = false;
	record->last.slot = other;
	strcpy(record->last.version, bundle.version);
	strcpy(record->last.from, upgrade->version);
	outcome = write_slot(upgrade, fd, &image, progress);
	slot_image_close(&image);
	if (!outcome) {
		strcpy(record->versions[other], bundle.version);
		enter(upgrade, UPGRADE_WRITTEN, "");
	}
	return outcome;
}

enum upgrade_outcome upgrade_arm(struct upgrade *upgrade)
{
	/* The record first: it may say "armed" of what is not, but never keep quiet of a trial. */
	enter(upgrade, UPGRADE_ARMED, "");
	slot_state_try(&upgrade->state, slot_other(upgrade->running));
	return write_env(upgrade) ? UPGRADE_UNDONE : UPGRADE_DONE;
}

static enum upgrade_outcome cancel(struct upgrade *upgrade)
{
	slot_state_try(&upgrade->state, SLOT_NONE);
	if (write_env(upgrade))
		return UPGRADE_ERROR;
	enter(upgrade, UPGRADE_CANCELLED, "taken back before its trial");
	return UPGRADE_DONE;
}

enum upgrade_outcome upgrade_roll_back(struct upgrade *upgrade)
{
	const enum slot other = slot_other(upgrade->running);
	struct upgrade_record *record = &upgrade->record;

	if (upgrade_is_trial(upgrade))
		return end(upgrade, UPGRADE_REFUSED,
			   "slot %s runs for its trial: restart, and slot %s runs again",
			   slot_names[upgrade->running], slot_names[other]);
	if (upgrade->state.trial != SLOT_NONE)
		return cancel(upgrade);
	if (!upgrade->state.slots[other].good)
		return end(upgrade, UPGRADE_REFUSED, "slot %s has nothing that was ever confirmed",
			   slot_names[other]);
	record->last.rollback = true;
	record->last.slot = other;
	strcpy(record->last.version, record->versions[other]);
	strcpy(record->last.from, upgrade->version);
	return upgrade_arm(upgrade);
}

/* ---- after a start ---- */

static void settle_record(struct upgrade *upgrade)
{
	struct upgrade_record *record = &upgrade->record;
	const bool new = upgrade->running == record->last.slot;
	/* Power failed between the two: the state is what counts. */
	const bool kept =
		new && !upgrade_is_trial(upgrade) && upgrade->state.slots[upgrade->running].good;

	switch (record->last.phase) {
	case UPGRADE_WRITING:
		enter(upgrade, UPGRADE_BROKEN, "the machine was restarted while it was written");
		break;
	case UPGRADE_ARMED:
		if (kept)
			enter(upgrade, UPGRADE_CONFIRMED, "");
		else if (new && upgrade->trial)
			enter(upgrade, UPGRADE_TRYING, "");
		else if (!new && upgrade->state.trial == SLOT_NONE)
			enter(upgrade, UPGRADE_RETURNED,
			      "it did not come up: it hung, panicked or lost power before its "
			      "check began");
		break;
	case UPGRADE_TRYING:
		if (kept)
			enter(upgrade, UPGRADE_CONFIRMED, "");
		else if (!new)
			enter(upgrade, UPGRADE_RETURNED,
			      "it came up, and hung, panicked or lost power before its check "
			      "was over");
		break;
	case UPGRADE_FAILED:
		if (!new)
			enter(upgrade, UPGRADE_RETURNED, record->last.reason);
		break;
	case UPGRADE_NONE:
	case UPGRADE_WRITTEN:
	case UPGRADE_BROKEN:
	case UPGRADE_CANCELLED:
	case UPGRADE_CONFIRMED:
	case UPGRADE_RETURNED:
	case UPGRADE_PHASE_MAX:
		break;
	}
	/* With the version that runs, which may be new to it. */
	(void)upgrade_record_store(upgrade->paths->state_dir, record);
}

enum upgrade_outcome upgrade_settle(struct upgrade *upgrade)
{
	const enum slot running = upgrade->running, other = slot_other(running);
	struct slot_state *state = &upgrade->state;

	if (upgrade->trial && state->trial == running)
		state->trial = SLOT_NONE; /* struck off in the file that GRUB could read */
	if (!upgrade->trial && state->slots[running].good) {
		/* GRUB took this one as the other one did not come up in all its tries. */
		if (state->first != running && state->slots[other].tries >= SLOT_TRIES) {
			state->first = running;
			state->slots[other].tries = 0;
		}
		state->slots[running].tries = 0;
	}
	settle_record(upgrade);
	return write_env(upgrade) ? UPGRADE_ERROR : UPGRADE_DONE;
}

enum upgrade_outcome upgrade_confirm(struct upgrade *upgrade)
{
	slot_state_confirm(&upgrade->state, upgrade->running);
	if (write_env(upgrade))
		return UPGRADE_ERROR;
	if (upgrade->record.last.phase != UPGRADE_NONE &&
	    upgrade->record.last.phase != UPGRADE_CONFIRMED &&
	    upgrade->record.last.slot == upgrade->running)
		enter(upgrade, UPGRADE_CONFIRMED, "");
	return UPGRADE_DONE;
}

enum upgrade_outcome upgrade_fail(struct upgrade *upgrade, const char *reason)
{
	enter(upgrade, UPGRADE_FAILED, reason);
	return UPGRADE_DONE;
}

void upgrade_news(const struct upgrade *upgrade, char text[static 2 * UPGRADE_REASON_LEN])
{
	const struct upgrade_record *record = &upgrade->record;
	const char *what = record->last.rollback ? "rollback" : "upgrade";

	*text = '\0';
	if (record->last.told)
		return;
	switch (record->last.phase) {
	case UPGRADE_CONFIRMED:
		snprintf(text, 2 * UPGRADE_REASON_LEN,
			 "%s to %s in slot %s: trial -> confirmed (from %s)", what,
			 record->last.version, slot_names[record->last.slot], record->last.from);
		break;
	case UPGRADE_BROKEN:
	case UPGRADE_FAILED:
	case UPGRADE_RETURNED:
		snprintf(text, 2 * UPGRADE_REASON_LEN, "%s to %s in slot %s: %s -> %s (%s)", what,
			 record->last.version, slot_names[record->last.slot],
			 record->last.phase == UPGRADE_BROKEN ? "writing" : "trial",
			 upgrade_phase_names[record->last.phase], record->last.reason);
		break;
	case UPGRADE_NONE:
	case UPGRADE_WRITING:
	case UPGRADE_WRITTEN:
	case UPGRADE_ARMED:
	case UPGRADE_CANCELLED:
	case UPGRADE_TRYING:
	case UPGRADE_PHASE_MAX:
		break;
	}
}

enum upgrade_outcome upgrade_told(struct upgrade *upgrade)
{
	upgrade->record.last.told = true;
	return upgrade_record_store(upgrade->paths->state_dir, &upgrade->record) ? UPGRADE_ERROR
										 : UPGRADE_DONE;
}
