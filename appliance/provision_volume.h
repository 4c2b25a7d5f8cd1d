/* SPDX-License-Identifier: GPL-2.0-only */
/* Volumes that may hold user data: found by their label, mounted, read, unmounted. */
#ifndef NETPAS_PROVISION_VOLUME_H
#define NETPAS_PROVISION_VOLUME_H

#include "provision_seed.h"

/* Reads what is in the directory: as provision_seed_read_nocloud(). */
typedef int provision_read_fn(const char *dir, struct provision_seed *seed,
			      char reason[static PROVISION_REASON_LEN]);

struct provision_volume {
	const char *name;	   /* "NoCloud" */
	const char *const *labels; /* NULL at the end, any case; NULL: any label */
	const char *const *types;  /* of file systems, NULL at the end */
	provision_read_fn *read;
};

extern const struct provision_volume provision_nocloud, provision_config_drive;

/*
 * Look through the disks below dev that sys lists. 0 and a seed; -ENODATA: there is no such volume; -errno
 * with a reason that names the device: there is one, and it cannot be read.
 */
int provision_volume_read(const struct provision_volume *volume, const char *sys, const char *dev,
			  struct provision_seed *seed, char reason[static PROVISION_REASON_LEN]);

#endif
