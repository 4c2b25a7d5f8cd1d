/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stream sockets, by a deadline of the monotonic clock in milliseconds (clock_now_ms()). 0 or
 * -errno; -ETIMEDOUT: it is past.
 */
#ifndef NETPAS_STREAM_H
#define NETPAS_STREAM_H

#include <stddef.h>
#include <stdint.h>

/* Until one of the events (poll(2)), an error or the other end's closing is there. */
int stream_wait(int fd, short events, int64_t deadline_ms);
int stream_send(int fd, const char *text, size_t len, int64_t deadline_ms);

#endif
