/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Can the state directory be written? A few bytes are, every ten seconds, down to the disk. By a child:
 * a disk that hangs must not hold up the daemon.
 */
#ifndef NETPAS_HEALTH_DISK_H
#define NETPAS_HEALTH_DISK_H

#include <stdbool.h>
#include <stddef.h>

struct health_disk;
struct sd_event;

#define HEALTH_DISK_FILE "health" /* in the state directory */

/* The directory is borrowed. 0 or -errno. */
int health_disk_new(struct sd_event *event, const char *dir, struct health_disk **ret_disk);
void health_disk_free(struct health_disk *disk);

/* The last try failed, or does not end; why, in words. */
bool health_disk_fails(const struct health_disk *disk, char *reason, size_t size);

#endif
