/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writes that have to be on the disk in a certain order. Behind a struct of functions, so that a test can
 * cut the power between any two of them, with what was not synced lost or torn.
 */
#ifndef NETPAS_DISK_H
#define NETPAS_DISK_H

#include <stddef.h>
#include <sys/types.h>

struct disk {
	/* All of it, or -errno. */
	int (*write)(int fd, const void *buf, size_t len, off_t at, void *data);
	int (*sync)(int fd, void *data);
	void *data;
};

/* The machine's. */
extern const struct disk disk_real;

int disk_write(const struct disk *disk, int fd, const void *buf, size_t len, off_t at);
int disk_sync(const struct disk *disk, int fd);

#endif
