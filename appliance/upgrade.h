/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The appliance's other slot written from a bundle, tried once, and kept or left.
 *
 *	1. the other slot is marked bad, in both files of the ESP
 *	2. its first sector, by which GRUB and the kernel know a squashfs, is wiped
 *	3. the rest is written and hashed, compared with the signed manifest, synced, read back
 *	   past the cache and compared again
 *	4. the first sector is written, synced, read back
 *	5. the slot is set for one trial, in both files
 *	6. restart: GRUB strikes the trial off, then starts it
 *	7. the boot check (boot_check.h) confirms the slot, in both files, or restarts into the old one
 *
 * Power may fail anywhere: until 7 the slot that ran before is the one that is good, and it is not
 * written to. What is half-written is not started: neither is it marked good nor, were both
 * files lost, is it a squashfs.
 */
#ifndef NETPAS_UPGRADE_H
#define NETPAS_UPGRADE_H

#include <stdbool.h>
#include <stdint.h>

#include "bundle.h"
#include "disk.h"
#include "slot.h"
#include "upgrade_record.h"

struct upgrade_paths {
	const char *env_dir;	     /* of GRUB's state, on the ESP */
	const char *slots[SLOT_MAX]; /* devices */
	const char *state_dir;	     /* of the record, on the data partition */
	const char *keys;	     /* public ones, that bundles are checked with */
	const char *os_release;
	const char *cmdline;
	const char *lock;
	const char *boot_id; /* another one at each start */
};
extern const struct upgrade_paths upgrade_paths_real;

/* Also the command's exit codes. */
enum upgrade_outcome {
	UPGRADE_DONE = 0,
	UPGRADE_ERROR = 1,
	UPGRADE_REFUSED = 3, /* nothing was changed */
	UPGRADE_UNDONE =
		4, /* the other slot is of no use now; the one that runs is what is started */
};

struct upgrade {
	const struct upgrade_paths *paths;
	const struct disk *disk;
	int lock;
	enum slot running;
	bool trial;			  /* this start is one */
	char version[BUNDLE_VERSION_LEN]; /* that runs */
	bool env_lost;			  /* both files; state is made up */
	unsigned int env_bad;		  /* files that have to be written anew, bits */
	struct slot_state state;
	struct upgrade_record record;
	char reason[UPGRADE_REASON_LEN]; /* of all that is not UPGRADE_DONE */
};

/* For looking only: no lock is taken. All later calls but _close() need one. */
enum upgrade_outcome upgrade_look(struct upgrade *upgrade, const struct upgrade_paths *paths,
				  const struct disk *disk);
enum upgrade_outcome upgrade_open(struct upgrade *upgrade, const struct upgrade_paths *paths,
				  const struct disk *disk);
void upgrade_close(struct upgrade *upgrade);

/* This start is a trial that nobody has confirmed yet. */
bool upgrade_is_trial(const struct upgrade *upgrade);

struct upgrade_progress {
	void (*tell)(const char *doing, uint64_t done, uint64_t of, void *data);
	void *data;
};

/*
 * 1 to 4 with the bundle that fd is at the beginning of. older: may be older than what runs, or the
 * same.
 */
enum upgrade_outcome upgrade_write(struct upgrade *upgrade, int fd, bool older,
				   const struct upgrade_progress *progress);

/* 5, after upgrade_write(). */
enum upgrade_outcome upgrade_arm(struct upgrade *upgrade);

/* 5, with the other slot as it is; or, if one is set for a trial, that it is not any more. */
enum upgrade_outcome upgrade_roll_back(struct upgrade *upgrade);

/*
 * At each start, in order: what became of the last upgrade is taken down, damaged files are mended,
 * and unless this is a trial the slot that runs has come up.
 */
enum upgrade_outcome upgrade_settle(struct upgrade *upgrade);

/* 7 */
enum upgrade_outcome upgrade_confirm(struct upgrade *upgrade);
enum upgrade_outcome upgrade_fail(struct upgrade *upgrade, const char *reason);

/* The words for what has ended; "" if there is nothing to tell. Then it was told. */
void upgrade_news(const struct upgrade *upgrade, char text[static 2 * UPGRADE_REASON_LEN]);
enum upgrade_outcome upgrade_told(struct upgrade *upgrade);

#endif
