/* SPDX-License-Identifier: GPL-2.0-only */
#include "event_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "event_record.h"

#define TAIL_MAX (64 * 1024) /* in which the end of the last whole record is looked for */

/* ---- names ---- */

static void file_name(uint64_t number, char buf[static 32])
{
	snprintf(buf, 32, "%010llu.jsonl", (unsigned long long)number);
}

static bool file_number(const char *name, uint64_t *ret_number)
{
	char same[32];

	*ret_number = strtoull(name, NULL, 10);
	file_name(*ret_number, same);
	return !strcmp(name, same);
}

/* The lowest number of a file that is not below from, and the highest of all. False: there is none. */
static bool find_files(int dir_fd, uint64_t from, uint64_t *ret_low, uint64_t *ret_high)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	uint64_t number;
	bool any = false;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while ((entry = readdir(dir))) {
		if (!file_number(entry->d_name, &number) || number < from)
			continue;
		if (!any || number < *ret_low)
			*ret_low = number;
		if (!any || number > *ret_high)
			*ret_high = number;
		any = true;
	}
	closedir(dir);
	return any;
}

/* ---- writing ---- */

struct event_store {
	struct event_store_limits limits;
	int dir_fd, fd;
	uint64_t number;
	off_t size;
	bool torn; /* what is behind size could not be taken off yet */
};

static int open_file(struct event_store *store, uint64_t number)
{
	struct stat st;
	char name[32];
	int fd;

	file_name(number, name);
	fd = openat(store->dir_fd, name, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
		    0600);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st)) {
		const int rc = -errno;

		close(fd);
		return rc;
	}
	if (store->fd >= 0)
		close(store->fd);
	store->fd = fd;
	store->number = number;
	store->size = st.st_size;
	store->torn = false;
	return 0;
}

/*
 * How much of it is whole records. After a crash the last line may be cut, after a power cut there may be
 * nothing but zeros. SIZE_MAX: none in reach; such a file is left as it is.
 */
static size_t whole(const char *text, size_t len)
{
	while (len) {
		const char *before = len > 1 ? memrchr(text, '\n', len - 1) : NULL;
		const size_t begin = before ? (size_t)(before - text) + 1 : 0;
		json_t *record = NULL;

		if (text[len - 1] == '\n')
			record = event_record_parse(text + begin, len - 1 - begin);
		json_decref(record);
		if (record)
			return len;
		len = begin;
	}
	return SIZE_MAX;
}

static int recover(struct event_store *store, size_t *ret_cut)
{
	const off_t from = store->size > TAIL_MAX ? store->size - TAIL_MAX : 0;
	char *text = malloc(TAIL_MAX);
	ssize_t n;
	size_t keep;

	if (!text)
		return -ENOMEM;
	n = pread(store->fd, text, TAIL_MAX, from);
	if (n < 0) {
		free(text);
		return -errno;
	}
	keep = whole(text, (size_t)n);
	free(text);
	if (keep == SIZE_MAX && from)
		return open_file(store, store->number + 1);
	if (keep == SIZE_MAX)
		keep = 0;
	*ret_cut = (size_t)n - keep;
	if (!*ret_cut)
		return 0;
	if (ftruncate(store->fd, from + (off_t)keep))
		return -errno;
	store->size = from + (off_t)keep;
	return 0;
}

int event_store_open(const char *dir, const struct event_store_limits *limits,
		     struct event_store **ret_store, size_t *ret_cut)
{
	struct event_store *store = calloc(1, sizeof(*store));
	uint64_t low, high = 1;
	size_t cut = 0;
	int rc;

	if (!store)
		return -ENOMEM;
	store->limits = *limits;
	store->fd = store->dir_fd = -1;
	rc = mkdir(dir, 0700) && errno != EEXIST ? -errno : 0;
	if (!rc)
		store->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (!rc && store->dir_fd < 0)
		rc = -errno;
	while (!rc && flock(store->dir_fd, LOCK_EX))
		rc = errno == EINTR ? 0 : -errno;
	if (!rc) {
		(void)find_files(store->dir_fd, 0, &low, &high);
		rc = open_file(store, high);
	}
	if (!rc)
		rc = recover(store, &cut);
	if (!rc)
		(void)fsync(
			store->dir_fd); /* the name of a new file; it is tried again with the next */
	if (rc) {
		event_store_close(store);
		return rc;
	}
	if (ret_cut)
		*ret_cut = cut;
	*ret_store = store;
	return 0;
}

void event_store_close(struct event_store *store)
{
	if (!store)
		return;
	if (store->fd >= 0)
		close(store->fd);
	if (store->dir_fd >= 0)
		close(store->dir_fd);
	free(store);
}

/* The next file is there before an old one goes. */
static int rotate(struct event_store *store)
{
	uint64_t low, high;
	char name[32];
	int rc = event_store_sync(store);

	if (!rc)
		rc = open_file(store, store->number + 1);
	if (rc)
		return rc;
	while (find_files(store->dir_fd, 0, &low, &high) &&
	       low + store->limits.files <= store->number) {
		file_name(low, name);
		if (unlinkat(store->dir_fd, name, 0))
			break; /* it will be tried again; nothing is lost but room */
	}
	(void)fsync(store->dir_fd); /* the names; records are synced by themselves */
	return 0;
}

int event_store_append(struct event_store *store, const char *line, size_t len)
{
	ssize_t n;
	int rc;

	if (store->torn && ftruncate(store->fd, store->size))
		return -errno;
	store->torn = false;
	if (store->size && (size_t)store->size + len > store->limits.size) {
		rc = rotate(store);
		if (rc)
			return rc;
	}
	do
		n = write(store->fd, line, len);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)len) {
		store->size += n;
		return 0;
	}
	rc = n < 0 ? -errno : -ENOSPC; /* a short write to a file is a disk that is full */
	store->torn = n > 0 && ftruncate(store->fd, store->size);
	return rc;
}

int event_store_sync(struct event_store *store)
{
	return fdatasync(store->fd) ? -errno : 0;
}

/* ---- reading ---- */

struct event_reader {
	int dir_fd, fd;	 /* -1: no file is open */
	uint64_t number; /* of that, or of the one before the next */
	size_t bad;
	size_t begin, end; /* of what is in the buffer and not told yet */
	char buf[2 * EVENT_RECORD_MAX];
};

int event_reader_open(const char *dir, struct event_reader **ret_reader)
{
	struct event_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return -ENOMEM;
	reader->fd = -1;
	reader->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (reader->dir_fd < 0) {
		const int rc = -errno;

		free(reader);
		return rc;
	}
	*ret_reader = reader;
	return 0;
}

void event_reader_close(struct event_reader *reader)
{
	if (!reader)
		return;
	if (reader->fd >= 0)
		close(reader->fd);
	close(reader->dir_fd);
	free(reader);
}

/* A writer that found the end torn has cut it: what was read of that is not there any more. */
static void follow_cut(struct event_reader *reader)
{
	const off_t at = lseek(reader->fd, 0, SEEK_CUR);
	struct stat st;

	if (at <= 0 || fstat(reader->fd, &st) || st.st_size >= at)
		return;
	(void)lseek(reader->fd, st.st_size, SEEK_SET); /* it could be asked for its place */
	reader->end = reader->begin;
}

/* Read on; 1: there is more now, 0: not. Files that are gone meanwhile are passed over. */
static int read_on(struct event_reader *reader)
{
	uint64_t low, high;
	char name[32];
	ssize_t n;

	if (reader->fd >= 0)
		follow_cut(reader);
	memmove(reader->buf, reader->buf + reader->begin, reader->end - reader->begin);
	reader->end -= reader->begin;
	reader->begin = 0;
	if (reader->end == sizeof(reader->buf)) {
		reader->bad++; /* nothing that ends is as long as this */
		reader->end = 0;
	}
	for (;;) {
		bool later;

		/* Asked before the file is read: what is there then was written to this one before. */
		later = find_files(reader->dir_fd, reader->number + 1, &low, &high);
		if (reader->fd >= 0) {
			n = read(reader->fd, reader->buf + reader->end,
				 sizeof(reader->buf) - reader->end);
			if (n < 0)
				return -errno;
			reader->end += (size_t)n;
			if (n)
				return 1;
		}
		if (!later)
			return 0;
		if (reader->fd >= 0) {
			close(reader->fd);
			reader->fd = -1;
			reader->bad += reader->end > 0; /* a line without an end */
			reader->end = 0;
		}
		reader->number = low;
		file_name(low, name);
		reader->fd = openat(reader->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (reader->fd < 0 && errno != ENOENT)
			return -errno;
	}
}

int event_reader_next(struct event_reader *reader, json_t **ret_record)
{
	for (;;) {
		const char *begin = reader->buf + reader->begin;
		const char *end = memchr(begin, '\n', reader->end - reader->begin);
		json_t *record;
		int rc;

		if (!end) {
			rc = read_on(reader);
			if (rc < 0)
				return rc;
			if (!rc)
				return -EAGAIN;
			continue;
		}
		reader->begin += (size_t)(end - begin) + 1;
		record = event_record_parse(begin, (size_t)(end - begin));
		if (record) {
			*ret_record = record;
			return 0;
		}
		reader->bad++;
	}
}

size_t event_reader_bad(const struct event_reader *reader)
{
	return reader->bad;
}
