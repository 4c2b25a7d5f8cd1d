/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The process that writes the events' log. It takes one record from its socket at a time, and looks
 * after itself: a full disk holds it up until there is room again, while records wait in the socket;
 * and when all is written, it syncs at most once a second, so a power cut costs the last second.
 */
#ifndef NETPAS_EVENT_WRITER_H
#define NETPAS_EVENT_WRITER_H

#include <stdint.h>

/* What it tells about itself, each time that it changes. */
struct event_writer_state {
	int32_t error; /* errno of what holds it up; 0: nothing does */
	uint32_t cut;  /* bytes at the end that were no whole record; once, at its start */
};

/* Write what comes by the socket into the store at dir, until the other end is closed. */
void event_writer_run(int fd, const char *dir);

#endif
