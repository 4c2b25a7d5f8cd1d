/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * JSON on stream sockets: a line asks, a line answers, one request at a time on a connection. Both
 * ends of it: a server in an event loop, and a client that waits.
 */
#ifndef NETPAS_LINE_H
#define NETPAS_LINE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct line_server;
struct sd_event;

/*
 * The answer to a line without its end: a new reference; NULL: out of memory, the connection is
 * closed. line NULL: it is longer than allowed; what follows of it is passed over.
 */
typedef json_t *line_answer_fn(const char *line, size_t len, void *data);

struct line_rules {
	size_t line_max; /* bytes of a request */
	unsigned int clients_max;
	uint32_t idle_ms; /* without a byte either way until it is closed; 0: never */
	line_answer_fn *answer;
};

/* rules are copied. 0 or -ENOMEM. */
int line_server_new(struct sd_event *event, const struct line_rules *rules, void *data,
		    struct line_server **ret_server);
void line_server_free(struct line_server *server);

/* Serve this connection, which does not block, and close it in the end; refused it is closed at once. */
void line_server_add(struct line_server *server, int fd);

/* Send what can be sent, and close all; one whose request is being answered once its answer is away. */
void line_server_close(struct line_server *server);

/*
 * Ask by a connected socket, and wait for the line that answers, at most answer_max bytes with its end.
 * By the deadline (clock_now_ms()). 0 or -errno; -ECONNABORTED: the other end closed before its answer,
 * -EBADMSG: that is too long.
 */
int line_ask(int fd, json_t *request, size_t answer_max, int64_t deadline_ms, char **ret_line,
	     size_t *ret_len);

#endif
