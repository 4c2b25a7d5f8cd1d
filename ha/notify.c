/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * keepalived writes a line for every change (libnotify of 2.2.7: type, "name", state, priority),
 * among them states of its own such as MASTER_RX_LOWER_PRI that are no transitions. Lines are taken
 * as keepalived writes them, to the character; everything else is ignored, because a FIFO can be
 * written by whoever may open it.
 */
#include "notify.h"

#include <string.h>

#include "keepalived.h"

#define NOTIFY_PREFIX "INSTANCE \"" KEEPALIVED_INSTANCE "\" "
#define NOTIFY_PRIORITY_MAX 255

const char *const notify_event_names[NOTIFY_EVENT_MAX] = {
	[NOTIFY_MASTER] = "MASTER", [NOTIFY_BACKUP] = "BACKUP",	  [NOTIFY_FAULT] = "FAULT",
	[NOTIFY_STOP] = "STOP",	    [NOTIFY_DELETED] = "DELETED",
};

/* A decimal number as printed, to the end of the line. */
static int priority_parse(const char *text, size_t len, unsigned int *ret_priority)
{
	unsigned int priority = 0;

	if (len < 1 || len > 3 || (len > 1 && text[0] == '0'))
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		priority = priority * 10 + (unsigned int)(text[i] - '0');
	}
	if (priority > NOTIFY_PRIORITY_MAX)
		return -1;
	*ret_priority = priority;
	return 0;
}

/* Returns the event, or NOTIFY_EVENT_MAX if the line is none. */
static enum notify_event line_parse(const char *line, size_t len, unsigned int *ret_priority)
{
	const size_t prefix = sizeof(NOTIFY_PREFIX) - 1;

	if (len < prefix || memcmp(line, NOTIFY_PREFIX, prefix) != 0)
		return NOTIFY_EVENT_MAX;
	line += prefix;
	len -= prefix;

	for (unsigned int i = 0; i < NOTIFY_EVENT_MAX; i++) {
		size_t word = strlen(notify_event_names[i]);

		if (len > word && memcmp(line, notify_event_names[i], word) == 0 &&
		    line[word] == ' ' &&
		    priority_parse(line + word + 1, len - word - 1, ret_priority) == 0)
			return (enum notify_event)i;
	}
	return NOTIFY_EVENT_MAX;
}

void notify_feed(struct notify_stream *stream, const char *bytes, size_t len,
		 void (*cb)(enum notify_event event, unsigned int priority, void *data), void *data)
{
	for (size_t i = 0; i < len; i++) {
		unsigned int priority;
		enum notify_event event;

		if (bytes[i] != '\n') {
			if (stream->skipping)
				continue;
			if (stream->len == sizeof(stream->buf)) {
				stream->skipping = 1;
				continue;
			}
			stream->buf[stream->len++] = bytes[i];
			continue;
		}
		event = stream->skipping ? NOTIFY_EVENT_MAX
					 : line_parse(stream->buf, stream->len, &priority);
		stream->len = 0;
		stream->skipping = 0;
		if (event != NOTIFY_EVENT_MAX)
			cb(event, priority, data);
	}
}
