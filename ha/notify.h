/* SPDX-License-Identifier: GPL-2.0-only */
/* Lines of keepalived's notify FIFO: INSTANCE "netpas" MASTER 251 */
#ifndef NETPAS_NOTIFY_H
#define NETPAS_NOTIFY_H

#include <stddef.h>

enum notify_event {
	NOTIFY_MASTER,
	NOTIFY_BACKUP,
	NOTIFY_FAULT,
	NOTIFY_STOP,
	NOTIFY_DELETED,
	NOTIFY_EVENT_MAX,
};
extern const char *const notify_event_names[NOTIFY_EVENT_MAX]; /* keepalived's words */

/* A byte stream cut into lines; lines longer than the buffer are skipped whole. */
struct notify_stream {
	char buf[256];
	size_t len;
	unsigned int skipping : 1;
};

/*
 * Feed bytes; cb is called for every event of the VRRP instance KEEPALIVED_INSTANCE, in order.
 * Lines of other instances and groups, and what is not a notify line, are ignored.
 */
void notify_feed(struct notify_stream *stream, const char *bytes, size_t len,
		 void (*cb)(enum notify_event event, unsigned int priority, void *data),
		 void *data);

#endif
