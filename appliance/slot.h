/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two slots of the appliance image, and what is said of them: by us in two files on the ESP, which
 * GRUB reads and counts in (firmware-image/grub.cfg), and on the kernel's command line, which it makes.
 *
 * Who changes something reads, changes the struct by one of the verbs and writes: the first file, then
 * the second one, each synced. A power cut leaves at most one of them unreadable, and both say the same
 * or differ by one verb; each verb is such that either is good then.
 */
#ifndef NETPAS_SLOT_H
#define NETPAS_SLOT_H

#include <stdbool.h>
#include <stddef.h>

#include "disk.h"

enum slot {
	SLOT_A,
	SLOT_B,
	SLOT_MAX,
	SLOT_NONE = SLOT_MAX,
};
extern const char *const slot_names[SLOT_MAX]; /* "a", "b" */

static inline enum slot slot_other(enum slot slot)
{
	return slot == SLOT_A ? SLOT_B : SLOT_A;
}

#define SLOT_TRIES \
	3 /* starts of a good slot without a confirmation, until the other one is taken */

struct slot_state {
	enum slot first; /* that is preferred */
	struct {
		bool good;
		unsigned int tries; /* 0 to SLOT_TRIES */
	} slots[SLOT_MAX];
	enum slot trial; /* is started once; SLOT_NONE */
};

/* ---- as GRUB has it ---- */

#define SLOT_ENV_SIZE 1024 /* of a file */
#define SLOT_ENV_FILES 2
extern const char *const slot_env_names[SLOT_ENV_FILES];

/* 0; -EBADMSG: not an environment of GRUB's, or values that nobody writes. */
int slot_env_parse(const char *buf, size_t len, struct slot_state *ret_state);
void slot_env_format(const struct slot_state *state, char buf[static SLOT_ENV_SIZE]);

/*
 * The first file that is good: GRUB counts in it. *ret_bad (may be NULL) has bit i for each that is not.
 * 0, -EBADMSG: neither is, or -errno.
 */
int slot_env_read(const char *dir, struct slot_state *ret_state, unsigned int *ret_bad);

/* Both files, one after the other, in place and synced. 0 or -errno of the first that failed. */
int slot_env_write(const struct disk *disk, const char *dir, const struct slot_state *state);

/* ---- verbs ---- */

/* What is known when the files say nothing: this one runs. */
void slot_state_init(struct slot_state *state, enum slot running);
/* The other one is going to be written: it is never started until further notice. */
void slot_state_begin(struct slot_state *state, enum slot running);
void slot_state_try(struct slot_state *state, enum slot slot);
/* It runs, and that is good. */
void slot_state_confirm(struct slot_state *state, enum slot running);

/* ---- as the kernel was told ---- */

/* 0; -ENOENT: no netpas.slot= there. The line may end in a newline. */
int slot_cmdline_parse(const char *line, enum slot *ret_running, bool *ret_trial);

#endif
