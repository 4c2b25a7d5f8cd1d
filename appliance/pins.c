/* SPDX-License-Identifier: GPL-2.0-only */
#include "pins.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PINS_ROOT "/sys/fs/bpf"
#define PINS_SOURCE "netpas" /* by which a mount of ours is known */

static bool mounted(void)
{
	struct statfs fs;

	return !statfs(PINS_ROOT, &fs) && fs.f_type == BPF_FS_MAGIC;
}

int pins_mount(void)
{
	if (!mounted() &&
	    mount(PINS_SOURCE, PINS_ROOT, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700"))
		return -errno;
	return mkdir(DP_PIN_DIR, 0700) && errno != EEXIST ? -errno : 0;
}

int pins_replace(int fd, const char *path)
{
	char temporary[128];
	int rc = 0;

	snprintf(temporary, sizeof(temporary), "%s_new", path);
	if (unlink(temporary) && errno != ENOENT)
		return -errno;
	if (bpf_obj_pin(fd, temporary))
		return -errno;
	if (rename(temporary, path)) {
		rc = -errno;
		(void)unlink(temporary); /* the first error is the one to tell */
	}
	return rc;
}

int pins_each_xdp(void (*cb)(unsigned int ifindex, void *data), void *data)
{
	const struct dirent *entry;
	DIR *dir = opendir(DP_PIN_DIR);

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir))) {
		unsigned int ifindex;
		char rest;

		if (sscanf(entry->d_name, "xdp_%u%c", &ifindex, &rest) == 1)
			cb(ifindex, data);
	}
	closedir(dir);
	return 0;
}

static bool mounted_by_us(void)
{
	struct mntent *entry;
	bool ours = false;
	FILE *mounts;

	mounts = setmntent("/proc/self/mounts", "re");
	if (!mounts)
		return false;
	/* The last one is the one on top. */
	while ((entry = getmntent(mounts)))
		if (!strcmp(entry->mnt_dir, PINS_ROOT))
			ours = !strcmp(entry->mnt_type, "bpf") &&
			       !strcmp(entry->mnt_fsname, PINS_SOURCE);
	endmntent(mounts);
	return ours;
}

/* Names with dots are the kernel's own (maps.debug): nobody else can make such. */
static bool root_is_empty(void)
{
	const struct dirent *entry;
	DIR *dir = opendir(PINS_ROOT);
	bool empty = dir;

	while (dir && (entry = readdir(dir)))
		if (!strchr(entry->d_name, '.'))
			empty = false;
	if (dir)
		closedir(dir);
	return empty;
}

int pins_remove(void)
{
	const struct dirent *entry;
	int rc = 0;
	DIR *dir;

	if (!mounted())
		return 0;
	dir = opendir(DP_PIN_DIR);
	if (!dir && errno != ENOENT)
		return -errno;
	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") &&
		    unlinkat(dirfd(dir), entry->d_name, 0) && !rc)
			rc = -errno;
	if (dir)
		closedir(dir);
	if (rmdir(DP_PIN_DIR) && errno != ENOENT && !rc)
		rc = -errno;
	/* Busy: somebody is using it, and may keep it. */
	if (!rc && mounted_by_us() && root_is_empty() && umount(PINS_ROOT) && errno != EBUSY)
		rc = -errno;
	return rc;
}
