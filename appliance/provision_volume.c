/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The label is read from the device by libblkid, not asked of udev, which may not have come to it yet. A
 * volume is mounted in a mount namespace of this process alone, read-only, where nothing in it can be run,
 * is a device or gives rights.
 */
#include "provision_volume.h"

#include <blkid/blkid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mount.h>
#include <unistd.h>

static const char *const nocloud_labels[] = { "cidata", NULL };
static const char *const config_labels[] = { "config-2", NULL };
static const char *const seed_types[] = { "vfat", "iso9660", NULL };

const struct provision_volume provision_nocloud = {
	"NoCloud",
	nocloud_labels,
	seed_types,
	provision_seed_read_nocloud,
};

const struct provision_volume provision_config_drive = {
	"ConfigDrive",
	config_labels,
	seed_types,
	provision_seed_read_config_drive,
};

/* Label and type of the file system on a device; false: it has none, or cannot be read. */
static bool probe(const char *path, char label[static 64], char type[static 32])
{
	blkid_probe probe = blkid_new_probe_from_filename(path);
	const char *value;
	bool found = false;

	if (!probe)
		return false;
	(void)blkid_probe_enable_superblocks(probe, 1);
	(void)blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_LABEL | BLKID_SUBLKS_TYPE);
	if (!blkid_do_safeprobe(probe)) {
		*label = *type = '\0';
		if (!blkid_probe_lookup_value(probe, "LABEL", &value, NULL))
			snprintf(label, 64, "%s", value);
		found = !blkid_probe_lookup_value(probe, "TYPE", &value, NULL);
		if (found)
			snprintf(type, 32, "%s", value);
	}
	blkid_free_probe(probe);
	return found;
}

static bool is_one_of(const char *text, const char *const *list)
{
	for (; *list; list++) {
		if (!strcasecmp(text, *list))
			return true;
	}
	return false;
}

static int mount_and_read(const struct provision_volume *volume, const char *device,
			  const char *type, struct provision_seed *seed,
			  char reason[static PROVISION_REASON_LEN])
{
	char dir[] = "/run/netpas-seed.XXXXXX";
	int ret;

	if (!mkdtemp(dir)) {
		ret = -errno;
		goto fail;
	}
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount(device, dir, type, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL)) {
		ret = -errno;
		(void)rmdir(dir); /* left behind it is empty, on a tmpfs */
		goto fail;
	}
	ret = volume->read(dir, seed, reason);
	(void)umount2(dir, MNT_DETACH); /* goes with this process's namespace otherwise */
	(void)rmdir(dir);
	if (ret == -ENODATA)
		snprintf(reason, PROVISION_REASON_LEN, "%.100s has the label, and no user data",
			 device);
	return ret;
fail:
	snprintf(reason, PROVISION_REASON_LEN, "%.100s: cannot mount it as %s: %.60s", device, type,
		 strerror(-ret));
	return ret;
}

int provision_volume_read(const struct provision_volume *volume, const char *sys, const char *dev,
			  struct provision_seed *seed, char reason[static PROVISION_REASON_LEN])
{
	char path[PATH_MAX], label[64], type[32];
	struct dirent **entries;
	int n, ret = -ENODATA;

	snprintf(path, sizeof(path), "%s/class/block", sys);
	n = scandir(path, &entries, NULL, alphasort);
	if (n < 0)
		return errno == ENOENT ? -ENODATA : -errno;
	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;

		if (ret == -ENODATA && *name != '.' && strncmp(name, "loop", 4) &&
		    strncmp(name, "ram", 3)) {
			snprintf(path, sizeof(path), "%s/%s", dev, name);
			if (probe(path, label, type) &&
			    (!volume->labels || is_one_of(label, volume->labels)) &&
			    is_one_of(type, volume->types)) {
				snprintf(seed->source, sizeof(seed->source), "%s volume %.40s",
					 volume->name, name);
				ret = mount_and_read(volume, path, type, seed, reason);
				if (ret == -ENODATA && volume->labels)
					ret = -EINVAL;
			}
		}
		free(entries[i]);
	}
	free(entries);
	return ret;
}
