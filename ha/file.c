/* SPDX-License-Identifier: GPL-2.0-only */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int file_read(int fd, char *buf, size_t size, size_t *ret_len)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, buf + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		len += (size_t)n;
	}
	*ret_len = len;
	return 0;
}

int file_read_all(int fd, size_t max, char **ret_text, size_t *ret_len)
{
	struct stat st;
	char *text;
	size_t len;
	int rc;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EISDIR;
	if ((uintmax_t)st.st_size > max)
		return -EFBIG;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	rc = file_read(fd, text, (size_t)st.st_size, &len);
	if (rc) {
		free(text);
		return rc;
	}
	text[len] = '\0';
	*ret_text = text;
	*ret_len = len;
	return 0;
}

int file_load(const char *path, int flags, size_t max, char **ret_text, size_t *ret_len)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags);
	int rc;

	if (fd < 0)
		return -errno;
	rc = file_read_all(fd, max, ret_text, ret_len);
	(void)close(fd); /* only read from */
	return rc;
}

int file_write(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

int file_sync_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX] = ".";
	int fd, err = 0;

	if (slash == path)
		strcpy(dir, "/");
	else if (slash)
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0 && errno != EINVAL) /* EINVAL: this file system has no such thing */
		err = -errno;
	(void)close(fd); /* only read from */
	return err;
}

int file_make_directory(const char *path, mode_t mode)
{
	if (mkdir(path, mode) && errno != EEXIST)
		return -errno;
	/* Also if it was there: who made it may have ended before this. */
	return file_sync_directory(path);
}

int file_replace(const char *path, const char *text, size_t len, mode_t mode)
{
	char temp[PATH_MAX];
	int fd, err;

	if ((size_t)snprintf(temp, sizeof(temp), "%s.new", path) >= sizeof(temp))
		return -ENAMETOOLONG;
	/* What a crash has left there may have any mode and any links: never write into it. */
	if (unlink(temp) < 0 && errno != ENOENT)
		return -errno;
	fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return -errno;
	err = file_write(fd, text, len);
	if (!err && fsync(fd) < 0)
		err = -errno;
	if (close(fd) < 0 && !err)
		err = -errno;
	if (!err && rename(temp, path) < 0)
		err = -errno;
	if (!err)
		return file_sync_directory(path);
	(void)unlink(temp); /* the next call removes it too */
	return err;
}
