/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Power fails at any write of an upgrade, of its boot check, or of GRUB: with what was not synced lost, on
 * the disk, or torn, sector by sector. Whatever GRUB starts then, by the real grub.cfg, has to be whole
 * and to be what was good before, or the one trial of what was written whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

#include "slot_world.h"

#define SECTOR 512
#define CUT 42
#define STEPS_MAX 4096

static struct world w;
static unsigned int seed = 20261122;
static bool whole_sectors; /* none is torn */

static unsigned int dice(unsigned int sides)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 16) % sides;
}

/* ---- a disk that keeps back what is not synced ---- */

struct pending {
	struct pending *next;
	int fd;
	off_t at;
	size_t len;
	char bytes[];
};

struct cut_disk {
	struct pending *first;
	unsigned int left; /* writes and syncs until the power fails; 0: it does not */
	unsigned int count;
};

/* What is under way is there or not, or a sector of it has become nothing: only one, as only one is
 * being written. */
static _Noreturn void cut_power(struct cut_disk *disk)
{
	bool torn = false;

	for (struct pending *p = disk->first; p; p = p->next) {
		for (size_t at = 0; at < p->len; at += SECTOR) {
			const size_t len = p->len - at < SECTOR ? p->len - at : SECTOR;
			char sector[SECTOR];
			size_t good = len;

			if (dice(2))
				continue;
			memcpy(sector, p->bytes + at, len);
			if (!torn && !whole_sectors && !dice(8)) {
				torn = true;
				good = dice(SECTOR) % len;
				memset(sector + good, '?', len - good);
			}
			if (pwrite(p->fd, sector, len, p->at + (off_t)at) != (ssize_t)len)
				_exit(1);
		}
	}
	_exit(CUT);
}

static void count(struct cut_disk *disk)
{
	disk->count++;
	if (disk->left && !--disk->left)
		cut_power(disk);
}

static int write_later(int fd, const void *buf, size_t len, off_t at, void *data)
{
	struct cut_disk *disk = data;
	struct pending *p = malloc(sizeof(*p) + len);

	*p = (struct pending){ disk->first, fd, at, len };
	memcpy(p->bytes, buf, len);
	disk->first = p;
	count(disk);
	return 0;
}

static int sync_now(int fd, void *data)
{
	struct cut_disk *disk = data;
	struct pending **link = &disk->first;
	int rc = 0;

	count(disk);
	/* The newest first in the list: the oldest first to the disk. */
	while (*link) {
		struct pending **last = NULL;

		for (struct pending **p = &disk->first; *p; p = &(*p)->next)
			if ((*p)->fd == fd)
				last = p;
		if (!last)
			break;
		rc = disk_real.write(fd, (*last)->bytes, (*last)->len, (*last)->at, NULL);
		link = last;
		struct pending *done = *link;
		*link = done->next;
		free(done);
		link = &disk->first;
	}
	count(disk); /* also right behind it */
	return rc;
}

/* ---- what the machine does ---- */

enum deed {
	DEED_SETTLE,  /* a usual start, or one of a trial that hangs */
	DEED_CONFIRM, /* a trial that is good */
	DEED_FAIL,    /* one that is bad */
	DEED_UPGRADE,
};

static int do_deed(enum deed deed, const char *version, const struct disk *disk)
{
	struct upgrade upgrade;
	int rc = (int)upgrade_open(&upgrade, &w.paths, disk);

	if (rc)
		return rc;
	switch (deed) {
	case DEED_SETTLE:
		rc = (int)upgrade_settle(&upgrade);
		break;
	case DEED_CONFIRM:
		rc = (int)upgrade_settle(&upgrade);
		if (!rc)
			rc = (int)upgrade_confirm(&upgrade);
		break;
	case DEED_FAIL:
		rc = (int)upgrade_settle(&upgrade);
		if (!rc)
			rc = (int)upgrade_fail(&upgrade, "bad");
		break;
	case DEED_UPGRADE: {
		const int fd = world_bundle(&w, version);

		rc = (int)upgrade_write(&upgrade, fd, false, NULL);
		if (!rc)
			rc = (int)upgrade_arm(&upgrade);
		close(fd);
		break;
	}
	}
	upgrade_close(&upgrade);
	return rc;
}

/* In a child, as the power takes all memory with it. CUT: it failed after so many writes and syncs. */
static int deed_until(enum deed deed, const char *version, unsigned int left,
		      unsigned int *ret_count)
{
	struct cut_disk cut = { .left = left };
	const struct disk disk = { write_later, sync_now, &cut };
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	seed++; /* or each child would throw the same */
	pid = fork();
	if (!pid) {
		const int rc = do_deed(deed, version, &disk);

		(void)!write(fds[1], &cut.count, sizeof(cut.count));
		_exit(rc);
	}
	close(fds[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (ret_count && WEXITSTATUS(status) != CUT)
		assert_int_equal(read(fds[0], ret_count, sizeof(*ret_count)), sizeof(*ret_count));
	close(fds[0]);
	return WEXITSTATUS(status);
}

/* GRUB loses power while it writes: its file's sector is torn, and it has started nothing. */
static void tear_env(void)
{
	char path[128], text[SLOT_ENV_SIZE];
	const size_t good = dice(SECTOR);
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", w.paths.env_dir, slot_env_names[0]);
	file = fopen(path, "r+");
	assert_non_null(file);
	assert_int_equal(fread(text, 1, sizeof(text), file), sizeof(text));
	memset(text + good, '?', SECTOR - good);
	rewind(file);
	assert_int_equal(fwrite(text, 1, sizeof(text), file), sizeof(text));
	assert_int_equal(fclose(file), 0);
}

/* What is started: it is whole, and good, or the trial of the version that was written. */
struct start {
	enum slot slot;
	bool trial;
	char version[BUNDLE_VERSION_LEN];
};

static struct start start_up(const char *good, const char *new, const char *what)
{
	struct start start;

	start.slot = world_restart(&w, &start.trial, start.version);
	if (!world_has(&w, start.slot, start.version))
		fail_msg("%s: slot %s with %s is started, and is not whole", what,
			 slot_names[start.slot], start.version);
	if (strcmp(start.version, start.trial ? new : good))
		fail_msg("%s: %s of %s; good is %s, new is %s", what,
			 start.trial ? "the trial" : "a start", start.version, good, new);
	return start;
}

static int setup(void **state)
{
	(void)state;
	world_make(&w, "20260000");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_remove(&w);
	return 0;
}

/* ---- each write and sync of an upgrade and of its confirmation, each several times ---- */

#define THROWS 3 /* at what is torn */

static void test_at_each_write(void **state)
{
	char good[BUNDLE_VERSION_LEN] = "20260000", new[BUNDLE_VERSION_LEN];
	unsigned int cuts = 0, trials = 0, n = 0;

	(void)state;
	for (unsigned int at = 1; at < STEPS_MAX; at++) {
		int rc = CUT;

		for (unsigned int i = 0; i < THROWS && rc == CUT; i++) {
			struct start start = start_up(good, good, "a usual start");

			assert_false(start.trial);
			assert_int_equal(deed_until(DEED_SETTLE, NULL, 0, NULL), 0);
			snprintf(new, sizeof(new), "2026%04u", ++n);
			rc = deed_until(DEED_UPGRADE, new, at, NULL);
			if (rc != CUT) {
				assert_int_equal(rc, 0);
				break;
			}
			cuts++;
			start = start_up(good, new, "power cut while writing");
			trials += start.trial;
			/* Once more, and its trial does not come back. */
			start = start_up(good, "", "after that");
			assert_false(start.trial);
			assert_int_equal(deed_until(DEED_SETTLE, NULL, 0, NULL), 0);
		}
		if (rc != CUT)
			break;
		assert_true(at < STEPS_MAX - 1);
	}
	/* The last one was written to its end: now its confirmation. */
	for (unsigned int at = 1; at < STEPS_MAX; at++) {
		struct start start = start_up(good, new, "the trial");
		int rc;

		assert_true(start.trial);
		rc = deed_until(DEED_CONFIRM, NULL, at, NULL);
		if (!rc) {
			strcpy(good, new);
			break;
		}
		assert_int_equal(rc, CUT);
		cuts++;
		/* Either way is right, but it has to be one, and to stay. */
		start.slot = world_restart(&w, &start.trial, start.version);
		assert_false(start.trial);
		assert_true(!strcmp(start.version, good) || !strcmp(start.version, new));
		strcpy(good, start.version);
		(void)start_up(good, "", "after a cut confirmation");
		assert_int_equal(deed_until(DEED_SETTLE, NULL, 0, NULL), 0);
		snprintf(new, sizeof(new), "2026%04u", ++n);
		assert_int_equal(deed_until(DEED_UPGRADE, new, 0, NULL), 0);
	}
	(void)start_up(good, "", "the new one");
	print_message("%u power cuts, %u trials\n", cuts, trials);
	assert_true(cuts > 60 && trials > 0);
}

/* ---- histories ---- */

static void test_histories(void **state)
{
	char good[BUNDLE_VERSION_LEN] = "20260000", new[BUNDLE_VERSION_LEN] = "";
	unsigned int cuts = 0, kept = 0, returned = 0, steps = 0;
	/* The second file says "trial" until somebody has come up: it is read if the first one is torn. */
	bool armed = true, torn = false, stale = true;

	(void)state;
	assert_int_equal(deed_until(DEED_UPGRADE, "20260001", 0, &steps), 0);
	strcpy(new, "20260001");
	for (unsigned int i = 2; i < 400; i++) {
		const struct start start = start_up(good, new, "history");
		int rc;

		if (start.trial)
			assert_true(armed || (torn && stale));
		armed = false;
		if (!dice(8)) { /* GRUB wrote and lost power; with the trial it had struck off */
			tear_env();
			torn = true;
			cuts++;
			continue;
		}
		if (start.trial && !dice(4))
			continue; /* it hangs */
		if (start.trial && !dice(4)) {
			rc = deed_until(DEED_FAIL, NULL, dice(3) ? 0 : 1 + dice(8), NULL);
			cuts += rc == CUT;
			stale = stale && rc;
			returned++;
			continue;
		}
		if (start.trial) {
			rc = deed_until(DEED_CONFIRM, NULL, dice(2) ? 0 : 1 + dice(12), NULL);
			cuts += rc == CUT;
			if (rc == CUT) {
				struct start next;

				next.slot = world_restart(&w, &next.trial, next.version);
				assert_false(next.trial);
				assert_true(world_has(&w, next.slot, next.version));
				if (!strcmp(next.version, new))
					strcpy(good, new);
				continue;
			}
			assert_int_equal(rc, 0);
			strcpy(good, new);
			stale = false;
			kept++;
			continue;
		}
		rc = deed_until(DEED_SETTLE, NULL, dice(4) ? 0 : 1 + dice(8), NULL);
		cuts += rc == CUT;
		if (rc == CUT)
			continue;
		assert_int_equal(rc, 0);
		snprintf(new, sizeof(new), "2026%04u", i);
		rc = deed_until(DEED_UPGRADE, new, dice(2) ? 0 : 1 + dice(steps), NULL);
		assert_true(rc == 0 || rc == CUT);
		cuts += rc == CUT;
		armed = stale = true;
		torn = false;
	}
	print_message("%u power cuts, %u upgrades kept, %u returned\n", cuts, kept, returned);
	assert_true(cuts > 50 && kept > 10 && returned > 0);
}

/* ---- both files gone, wherever the upgrade was ---- */

static void test_nothing_on_the_esp(void **state)
{
	unsigned int steps = 0, n = 0;
	struct slot_state env;
	char path[128], new[BUNDLE_VERSION_LEN];

	(void)state;
	/* What runs is slot b here, so that the first one to be looked at is the half-written one. */
	assert_int_equal(deed_until(DEED_UPGRADE, "20260001", 0, &steps), 0);
	assert_true(start_up("20260000", "20260001", "trial").trial);
	assert_int_equal(deed_until(DEED_CONFIRM, NULL, 0, NULL), 0);
	whole_sectors = true;
	for (unsigned int at = 1; at < steps; at++) {
		bool trial;
		enum slot slot;

		slot_state_init(&env, SLOT_B);
		assert_int_equal(slot_env_write(&disk_real, w.paths.env_dir, &env), 0);
		world_boot(&w, SLOT_B, false, "20260001");
		snprintf(new, sizeof(new), "2027%04u", ++n);
		assert_int_equal(deed_until(DEED_UPGRADE, new, at, NULL), CUT);
		for (size_t i = 0; i < SLOT_ENV_FILES; i++) {
			snprintf(path, sizeof(path), "%s/%s", w.paths.env_dir, slot_env_names[i]);
			assert_int_equal(unlink(path), 0);
		}
		slot = world_start(&w, &trial);
		assert_int_not_equal(slot, SLOT_NONE);
		assert_false(trial);
		if (slot == SLOT_B)
			assert_true(world_has(&w, SLOT_B, "20260001"));
		else if (!world_has(&w, SLOT_A, new) && !world_has(&w, SLOT_A, "20260000"))
			fail_msg("after %u of %u steps: slot a is neither old nor new", at, steps);
		world_fill(&w, SLOT_A, "20260000");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_at_each_write, setup, teardown),
		cmocka_unit_test_setup_teardown(test_histories, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_on_the_esp, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
