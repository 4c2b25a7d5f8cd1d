/* SPDX-License-Identifier: GPL-2.0-only */
/* The image of a bundle on its way into a slot's partition: steps 2 to 4 of upgrade.h. */
#ifndef NETPAS_SLOT_IMAGE_H
#define NETPAS_SLOT_IMAGE_H

#include "bundle.h"
#include "disk.h"

struct upgrade_progress;

/* By this a squashfs is known; a sector, which a disk writes whole. */
#define SLOT_IMAGE_FIRST 512

struct slot_image {
	const struct disk *disk;
	const struct bundle *bundle;
	const char *path;
	int fd;
	char *buf;
	char first[SLOT_IMAGE_FIRST]; /* is written last */
};

/* All say in words what failed. -EFBIG: the slot has no room for it. */
int slot_image_open(struct slot_image *image, const struct disk *disk, const char *path,
		    const struct bundle *bundle, char reason[static BUNDLE_REASON_LEN]);
void slot_image_close(struct slot_image *image);

/* from: at the image's first byte. -EBADMSG: it is not what the manifest says. */
int slot_image_write(struct slot_image *image, int from, const struct upgrade_progress *progress,
		     char reason[static BUNDLE_REASON_LEN]);

#endif
