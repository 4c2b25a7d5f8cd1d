/* SPDX-License-Identifier: GPL-2.0-only */
/* The BPF file system, and what is ours in it: maps and XDP links under DP_PIN_DIR. */
#ifndef NETPAS_PINS_H
#define NETPAS_PINS_H

#include "dataplane.h"

#define PINS_XDP_FORMAT DP_PIN_DIR "/xdp_%u" /* index of the device */

/* Mount the file system where there is none, and make our directory. 0 or -errno. */
int pins_mount(void);

/* Pin at path, in one step in place of what is there. 0 or -errno. */
int pins_replace(int fd, const char *path);

/* Call cb with the index of every pinned XDP link; cb may remove it. 0 or -errno. */
int pins_each_xdp(void (*cb)(unsigned int ifindex, void *data), void *data);

/*
 * Remove every pin and the directory, and the mount if it was pins_mount() that made it and nobody
 * else uses it. 0, also if there is nothing, or -errno.
 */
int pins_remove(void);

#endif
