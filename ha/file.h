/* SPDX-License-Identifier: GPL-2.0-only */
/* Small files, read whole and written whole or not at all. */
#ifndef NETPAS_FILE_H
#define NETPAS_FILE_H

#include <stddef.h>
#include <sys/types.h>

/* Read up to size bytes, fewer only at the end of the file. 0 or -errno. */
int file_read(int fd, char *buf, size_t size, size_t *ret_len);

/*
 * All of a regular file, which may have at most max bytes, and a NUL after them. What it grows by meanwhile is
 * left. 0; -EISDIR: it is no regular file; -EFBIG; -errno. free() the text.
 */
int file_read_all(int fd, size_t max, char **ret_text, size_t *ret_len);
/* flags: O_NOFOLLOW, or 0. A FIFO or a terminal in its place holds up nobody. */
int file_load(const char *path, int flags, size_t max, char **ret_text, size_t *ret_len);

int file_write(int fd, const char *buf, size_t len);

/* A new or renamed name survives a power cut only when its directory is on disk, too. */
int file_sync_directory(const char *path);

/* So that it is there after a power cut; no error if it was there before. 0 or -errno. */
int file_make_directory(const char *path, mode_t mode);

/*
 * Replace path by this text, or leave it as it was: a temporary file beside it, synced, renamed.
 * What a crash left under the temporary name is removed, never written into. 0 or -errno.
 */
int file_replace(const char *path, const char *text, size_t len, mode_t mode);

#endif
