/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The events' log on disk: lines in files NNNNNNNNNN.jsonl of a directory, numbered upwards. A file
 * that has its size is left for the next number, and the oldest ones go: nothing is ever renamed or
 * rewritten, so a crash at any moment leaves whole files, and at most one line that is not whole, the
 * last one. Who reads needs no lock, and skips what is no record.
 *
 * Not SQLite: what is written once, in order, and read from its end needs no index; a line that is
 * torn costs that line; and `tail`, `grep` and `jq` read it when nothing else works any more.
 */
#ifndef NETPAS_EVENT_STORE_H
#define NETPAS_EVENT_STORE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define EVENT_STORE_DIR "events" /* in the state directory */
#define EVENT_STORE_FILES 8
#define EVENT_STORE_FILE_SIZE (1024 * 1024)

struct event_store;

struct event_store_limits {
	unsigned int files; /* that are kept, at least 2 */
	size_t size;	    /* of one, bytes; a line may go beyond */
};

/*
 * Make the directory if there is none, wait until no other process writes there, and go on at the
 * end. *ret_cut (may be NULL) tells how many bytes were taken off that are not a record. 0 or -errno.
 */
int event_store_open(const char *dir, const struct event_store_limits *limits,
		     struct event_store **ret_store, size_t *ret_cut);
void event_store_close(struct event_store *store);

/*
 * Write a line, which ends with a newline, whole or not at all. 0 or -errno: then all is as it was, and
 * nothing older was given up for it.
 */
int event_store_append(struct event_store *store, const char *line, size_t len);

/* What was appended is on the disk then. 0 or -errno. */
int event_store_sync(struct event_store *store);

/* ---- reading, by anybody ---- */

struct event_reader;

/* -ENOENT: there is no such directory. */
int event_reader_open(const char *dir, struct event_reader **ret_reader);
void event_reader_close(struct event_reader *reader);

/*
 * The next record, the oldest first; 0: a new reference, -EAGAIN: there is no more now, ask again
 * later; or -errno.
 */
int event_reader_next(struct event_reader *reader, json_t **ret_record);

/* Lines that were no records, so far. */
size_t event_reader_bad(const struct event_reader *reader);

#endif
