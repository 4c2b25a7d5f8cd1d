/* SPDX-License-Identifier: GPL-2.0-only */
#include "sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SYSCTL_ROOT "/proc/sys/"

/* Interface names come into paths: none may lead out of /proc/sys. */
static bool sysctl_path_valid(const char *path)
{
	if (*path == '\0' || *path == '/')
		return false;
	for (const char *part = path; part; part = strchr(part, '/')) {
		part += *part == '/';
		if (!strncmp(part, "..", 2) && (part[2] == '/' || part[2] == '\0'))
			return false;
	}
	return true;
}

static int sysctl_open(const char *path, int flags)
{
	char full[PATH_MAX];
	int fd;

	if (!sysctl_path_valid(path))
		return -EINVAL;
	if (snprintf(full, sizeof(full), SYSCTL_ROOT "%s", path) >= (int)sizeof(full))
		return -ENAMETOOLONG;
	fd = open(full, flags | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

int sysctl_read(const char *path, char *ret_value, size_t size)
{
	char buf[4096];
	ssize_t got;
	size_t len;
	int fd, ret;

	fd = sysctl_open(path, O_RDONLY);
	if (fd < 0)
		return fd;
	got = read(fd, buf, sizeof(buf));
	ret = got < 0 ? -errno : 0;
	close(fd);
	if (ret)
		return ret;
	len = (size_t)got;
	while (len && buf[len - 1] == '\n')
		len--;
	if (len >= size)
		return -ENOBUFS;
	memcpy(ret_value, buf, len);
	ret_value[len] = '\0';
	return 0;
}

int sysctl_write(const char *path, const char *value)
{
	size_t len = strlen(value);
	ssize_t put;
	int fd, ret;

	fd = sysctl_open(path, O_WRONLY);
	if (fd < 0)
		return fd;
	put = write(fd, value, len);
	ret = put < 0 ? -errno : (size_t)put != len ? -EIO : 0;
	close(fd);
	return ret;
}
