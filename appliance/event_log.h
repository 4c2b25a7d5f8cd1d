/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The daemon's side of the events' log. The daemon never waits for the disk: records go through a
 * socket to a process that does nothing but write them (event_writer.h). What that has not taken yet
 * is in the socket, so a daemon that is killed loses nothing that it has said.
 */
#ifndef NETPAS_EVENT_LOG_H
#define NETPAS_EVENT_LOG_H

#include <jansson.h>
#include <stddef.h>

#define EVENT_LOG_RECENT 64 /* are kept in memory, those before the start too */

struct event_log;
struct sd_event;

/*
 * From now on event_write() is kept below state_dir. The first record tells that the daemon runs, and
 * whether the one before has ended in order. 0 or -errno; logs.
 */
int event_log_new(struct sd_event *event, const char *state_dir, struct event_log **ret_log);

/* The writer ends when it has written what it was given; nobody waits for it. NULL is fine. */
void event_log_free(struct event_log *log);

/* The last ones, newest last: for `netpas top` and others who ask often. A new reference. */
json_t *event_log_recent(const struct event_log *log);
unsigned long event_log_count(const struct event_log *log); /* changes with them */

/* What is wrong with it, for `netpas status`. */
void event_log_check(const struct event_log *log, json_t *problems);

/* The daemon ends in order; or it goes on as the program on disk, which is no end. */
void event_log_end(const char *why);
void event_log_restart(const char *why);

#endif
