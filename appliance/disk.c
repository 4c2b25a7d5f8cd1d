/* SPDX-License-Identifier: GPL-2.0-only */
#include "disk.h"

#include <errno.h>
#include <unistd.h>

static int write_real(int fd, const void *buf, size_t len, off_t at, void *data)
{
	const char *bytes = buf;

	(void)data;
	while (len) {
		const ssize_t n = pwrite(fd, bytes, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENOSPC;
		bytes += n;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int sync_real(int fd, void *data)
{
	(void)data;
	return fsync(fd) ? -errno : 0;
}

const struct disk disk_real = { .write = write_real, .sync = sync_real };

int disk_write(const struct disk *disk, int fd, const void *buf, size_t len, off_t at)
{
	return disk->write(fd, buf, len, at, disk->data);
}

int disk_sync(const struct disk *disk, int fd)
{
	return disk->sync(fd, disk->data);
}
