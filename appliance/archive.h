/* SPDX-License-Identifier: GPL-2.0-only */
/* A .tar.gz of texts that are in memory: POSIX ustar headers, zlib around them, nothing on the disk
 * but the archive. */
#ifndef NETPAS_ARCHIVE_H
#define NETPAS_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

#define ARCHIVE_NAME_MAX 99 /* bytes */

struct archive;

/* A new file, for its owner alone. time: of all that is put into it. 0, -EEXIST or -errno. */
int archive_create(const char *path, int64_t time_s, struct archive **ret_archive);

/* 0 or -errno (-ENAMETOOLONG). */
int archive_add(struct archive *archive, const char *name, const char *text, size_t len);

/* Finish it, onto the disk. 0 or -errno; it is freed in any case. */
int archive_close(struct archive *archive);

#endif
