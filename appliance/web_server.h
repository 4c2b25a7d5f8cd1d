/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HTTP for netpas-web: connections, who may ask, and what is where.
 *
 *	GET /		the page, or the form that asks for the token
 *	GET /events	the page's events (text/event-stream)
 *	GET /metrics	for Prometheus
 *	GET /view.json	all that is known, as JSON
 *	POST /login, /logout
 *
 * libmicrohttpd reads requests and writes answers. A connection carries one request, by a deadline; what
 * does not read its answer is closed.
 */
#ifndef NETPAS_WEB_SERVER_H
#define NETPAS_WEB_SERVER_H

#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "web_metrics.h"

#define WEB_SERVER_CONNECTIONS 256
#define WEB_SERVER_CONNECTIONS_EACH 96 /* of one address */
#define WEB_SERVER_REQUEST_MS 5000     /* until all of a request is there */
#define WEB_SERVER_ANSWER_MS 20000     /* until all of an answer is read */
#define WEB_SERVER_STALL_MS 10000      /* until a viewer has read an event */
#define WEB_SERVER_FDS 3

struct web_server;

/* All texts are the server's to free. NULL: out of memory. */
struct web_handlers {
	/* What is known is not older than a second. Else it is asked for, and web_server_publish() follows. */
	bool (*fresh)(void *data);
	char *(*view)(void *data);
	char *(*metrics)(bool open, const struct web_counts *counts, void *data);
	char *(*first)(void *data); /* events for a page that has just been opened */
	void *data;
};

/* config: of web_agent.h. Opens the sockets. 0; or -errno, which is logged. */
int web_server_new(const json_t *config, const struct web_handlers *handlers,
		   struct web_server **ret_server);

/* What to wait for, at most WEB_SERVER_FDS. *ret_timeout_ms: -1 for ever. */
size_t web_server_fds(const struct web_server *server, struct pollfd *fds, int *ret_timeout_ms);
void web_server_run(struct web_server *server);

/* There is news: events for all viewers (copied), and an answer to who waits. NULL: there is none to be had. */
void web_server_publish(struct web_server *server, const char *events);

unsigned int web_server_viewers(const struct web_server *server);

#endif
