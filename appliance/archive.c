/* SPDX-License-Identifier: GPL-2.0-only */
#include "archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define BLOCK 512

/* POSIX.1-1988 (ustar); numbers are octal text. */
struct header {
	char name[100];
	char mode[8], uid[8], gid[8];
	char size[12], mtime[12], checksum[8];
	char type;
	char linkname[100];
	char magic[6], version[2];
	char uname[32], gname[32];
	char devmajor[8], devminor[8];
	char prefix[155];
	char padding[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "ustar header");

struct archive {
	gzFile gz;
	int fd; /* another one of the same file, to sync it */
	int64_t time_s;
};

int archive_create(const char *path, int64_t time_s, struct archive **ret_archive)
{
	struct archive *archive = calloc(1, sizeof(*archive));
	int fd, rc;

	if (!archive)
		return -ENOMEM;
	archive->fd = -1;
	archive->time_s = time_s;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		rc = -errno;
		goto err;
	}
	archive->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	archive->gz = archive->fd < 0 ? NULL : gzdopen(fd, "wb6");
	if (!archive->gz) {
		rc = archive->fd < 0 ? -errno : -ENOMEM;
		close(fd);
		goto err;
	}
	*ret_archive = archive;
	return 0;

err:
	if (archive->fd >= 0)
		close(archive->fd);
	free(archive);
	return rc;
}

static int put(struct archive *archive, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len) {
		const unsigned int part = len > 1 << 20 ? 1 << 20 : (unsigned int)len;

		errno = 0;
		if (gzwrite(archive->gz, at, part) != (int)part)
			return errno ? -errno : -EIO;
		at += part;
		len -= part;
	}
	return 0;
}

static void sign(struct header *header)
{
	const unsigned char *bytes = (const unsigned char *)header;
	unsigned int sum = 0;

	memset(header->checksum, ' ', sizeof(header->checksum));
	for (size_t i = 0; i < sizeof(*header); i++)
		sum += bytes[i];
	snprintf(header->checksum, sizeof(header->checksum), "%06o", sum);
}

int archive_add(struct archive *archive, const char *name, const char *text, size_t len)
{
	static const char zeros[BLOCK];
	struct header header = { .type = '0' };
	int rc;

	if (strlen(name) > ARCHIVE_NAME_MAX)
		return -ENAMETOOLONG;
	if (len >= 1ull << 33) /* eleven octal digits */
		return -EFBIG;
	strcpy(header.name, name);
	memcpy(header.magic, "ustar", 6);
	memcpy(header.version, "00", 2);
	snprintf(header.mode, sizeof(header.mode), "%07o", 0600u);
	snprintf(header.uid, sizeof(header.uid), "%07o", 0u);
	snprintf(header.gid, sizeof(header.gid), "%07o", 0u);
	snprintf(header.size, sizeof(header.size), "%011llo", (unsigned long long)len);
	snprintf(header.mtime, sizeof(header.mtime), "%011llo",
		 (unsigned long long)archive->time_s);
	sign(&header);
	rc = put(archive, &header, sizeof(header));
	if (!rc)
		rc = put(archive, text, len);
	if (!rc && len % BLOCK)
		rc = put(archive, zeros, BLOCK - len % BLOCK);
	return rc;
}

int archive_close(struct archive *archive)
{
	static const char zeros[2 * BLOCK];
	int rc = put(archive, zeros, sizeof(zeros)), end;

	errno = 0;
	end = gzclose(archive->gz);
	if (!rc && end != Z_OK)
		rc = errno ? -errno : -EIO;
	if (!rc && fsync(archive->fd))
		rc = -errno;
	close(archive->fd);
	free(archive);
	return rc;
}
