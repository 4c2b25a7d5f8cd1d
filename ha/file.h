/* SPDX-License-Identifier: GPL-2.0-only */
/* Small files, read whole and written whole or not at all. */
#ifndef NETPAS_FILE_H
#define NETPAS_FILE_H

#include <stddef.h>
#include <sys/types.h>

/* Read up to size bytes, fewer only at the end of the file. 0 or -errno. */
int file_read(int fd, char *buf, size_t size, size_t *ret_len);
int file_write(int fd, const char *buf, size_t len);

/* A new or renamed name survives a power cut only when its directory is on disk, too. */
int file_sync_directory(const char *path);

/*
 * Replace path by this text, or leave it as it was: a temporary file beside it, synced, renamed.
 * What a crash left under the temporary name is removed, never written into. 0 or -errno.
 */
int file_replace(const char *path, const char *text, size_t len, mode_t mode);

#endif
