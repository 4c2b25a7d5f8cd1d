/* SPDX-License-Identifier: GPL-2.0-only */
#include "line.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "stream.h"

#define FIRST_ROOM 4096u
#define ANSWER_ROOM 65536u

struct client {
	struct client *next;
	struct line_server *server;
	struct sd_event_source *io, *idle;
	int fd;
	bool answering; /* its request is being handled */
	bool last;	/* to be closed when its answer is away */
	bool skipping;	/* up to the end of a line that was too long */
	char *request;
	size_t len, room;
	char *answer; /* being sent */
	size_t answer_len, sent;
};

struct line_server {
	struct sd_event *event;
	struct line_rules rules;
	void *data;
	struct client *clients;
	unsigned int n_clients;
};

/* ---- server ---- */

int line_server_new(struct sd_event *event, const struct line_rules *rules, void *data,
		    struct line_server **ret_server)
{
	struct line_server *server = calloc(1, sizeof(*server));

	if (!server)
		return -ENOMEM;
	server->event = event;
	server->rules = *rules;
	server->data = data;
	*ret_server = server;
	return 0;
}

static void client_close(struct client *client)
{
	struct client **link = &client->server->clients;

	while (*link != client)
		link = &(*link)->next;
	*link = client->next;
	client->server->n_clients--;
	sd_event_source_disable_unref(client->io);
	sd_event_source_disable_unref(client->idle);
	close(client->fd);
	free(client->request);
	free(client->answer);
	free(client);
}

/* Send what is left; true when all is sent. */
static bool client_flush(struct client *client, int *ret_error)
{
	while (client->sent < client->answer_len) {
		ssize_t n = send(client->fd, client->answer + client->sent,
				 client->answer_len - client->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0) {
			*ret_error = errno == EAGAIN || errno == EINTR ? 0 : -errno;
			return false;
		}
		client->sent += (size_t)n;
	}
	return true;
}

void line_server_close(struct line_server *server)
{
	struct client *next;
	int error;

	for (struct client *client = server->clients; client; client = next) {
		next = client->next;
		if (client->answering) {
			client->last = true;
			continue;
		}
		(void)client_flush(client, &error); /* who does not take it now goes without */
		client_close(client);
	}
}

void line_server_free(struct line_server *server)
{
	if (!server)
		return;
	line_server_close(server);
	while (server->clients)
		client_close(server->clients);
	free(server);
}

static int client_respond(struct client *client, const char *line, size_t len)
{
	json_t *answer;

	client->answering = true;
	answer = client->server->rules.answer(line, len, client->server->data);
	client->answering = false;
	/* A large request is not kept while its answer, and the next request, are waited for. */
	free(client->request);
	client->request = NULL;
	client->len = client->room = 0;
	if (!answer)
		return -ENOMEM;
	client->answer = json_dumps(answer, JSON_COMPACT);
	json_decref(answer);
	if (!client->answer)
		return -ENOMEM;
	client->answer_len = strlen(client->answer);
	client->answer[client->answer_len++] = '\n'; /* takes the place of the NUL */
	client->sent = 0;
	return 0;
}

static int client_make_room(struct client *client)
{
	const size_t most = client->server->rules.line_max;
	size_t room = client->room ? client->room * 2 : FIRST_ROOM;
	char *request;

	if (client->len < client->room)
		return 0;
	if (room > most)
		room = most;
	request = realloc(client->request, room);
	if (!request)
		return -ENOMEM;
	client->request = request;
	client->room = room;
	return 0;
}

/* 0: go on, or -errno: the connection is to be closed. What follows a line is not looked at. */
static int client_receive(struct client *client)
{
	const char *newline;
	ssize_t n;
	int rc = client_make_room(client);

	if (rc)
		return rc;
	n = recv(client->fd, client->request + client->len, client->room - client->len,
		 MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (!n)
		return -ECONNRESET;
	newline = memchr(client->request + client->len, '\n', (size_t)n);
	if (client->skipping) {
		if (!newline)
			return 0;
		newline++;
		n -= newline - client->request;
		memmove(client->request, newline, (size_t)n);
		newline = memchr(client->request, '\n', (size_t)n);
		client->skipping = false;
	}
	client->len += (size_t)n;
	if (newline)
		return client_respond(client, client->request, (size_t)(newline - client->request));
	if (client->len < client->server->rules.line_max)
		return 0;
	client->skipping = true;
	return client_respond(client, NULL, 0);
}

static void client_stays(struct client *client)
{
	if (client->idle)
		sd_event_source_set_time_relative(client->idle,
						  client->server->rules.idle_ms * 1000ull);
}

static int client_ready(struct sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct client *client = data;
	int error = 0;

	(void)fd;
	client_stays(client);
	if (!client->answer) {
		if (client_receive(client))
			goto close;
		if (!client->answer)
			return 0;
		client_stays(client); /* it may have taken long to make */
	} else if (revents & (EPOLLHUP | EPOLLERR)) {
		goto close;
	}
	if (!client_flush(client, &error)) {
		if (error)
			goto close;
		sd_event_source_set_io_events(source, EPOLLOUT);
		return 0;
	}
	if (client->last)
		goto close;
	free(client->answer);
	client->answer = NULL;
	sd_event_source_set_io_events(source, EPOLLIN);
	return 0;

close:
	client_close(client);
	return 0;
}

static int client_idle(struct sd_event_source *source, uint64_t usec, void *data)
{
	(void)source;
	(void)usec;
	client_close(data);
	return 0;
}

static int client_watch(struct client *client)
{
	struct line_server *server = client->server;
	int rc = sd_event_add_io(server->event, &client->io, client->fd, EPOLLIN, client_ready,
				 client);

	if (rc >= 0 && server->rules.idle_ms)
		rc = sd_event_add_time_relative(server->event, &client->idle, CLOCK_MONOTONIC,
						server->rules.idle_ms * 1000ull, 0, client_idle,
						client);
	return rc;
}

void line_server_add(struct line_server *server, int fd)
{
	struct client *client =
		server->n_clients < server->rules.clients_max ? calloc(1, sizeof(*client)) : NULL;

	if (!client) {
		close(fd);
		return;
	}
	client->server = server;
	client->fd = fd;
	client->next = server->clients;
	server->clients = client;
	server->n_clients++;
	if (client_watch(client) < 0)
		client_close(client);
}

/* ---- client ---- */

/* Up to the end of the line. */
static int receive(int fd, size_t most, int64_t deadline_ms, char **ret_line, size_t *ret_len)
{
	size_t len = 0, room = 0;
	char *line = NULL;
	int rc;

	for (;;) {
		ssize_t n;

		if (len == room) {
			char *larger = room < most ? realloc(line, room + ANSWER_ROOM) : NULL;

			rc = room < most ? -ENOMEM : -EBADMSG;
			if (!larger)
				break;
			line = larger;
			room += ANSWER_ROOM;
		}
		rc = stream_wait(fd, POLLIN, deadline_ms);
		if (rc)
			break;
		n = recv(fd, line + len, room - len, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		rc = n < 0 ? -errno : -ECONNABORTED;
		if (n <= 0)
			break;
		len += (size_t)n;
		if (line[len - 1] != '\n')
			continue;
		*ret_line = line;
		*ret_len = len;
		return 0;
	}
	free(line);
	return rc;
}

int line_ask(int fd, json_t *request, size_t answer_max, int64_t deadline_ms, char **ret_line,
	     size_t *ret_len)
{
	char *text = json_dumps(request, JSON_COMPACT);
	size_t len;
	int rc;

	if (!text)
		return -ENOMEM;
	len = strlen(text);
	text[len++] = '\n'; /* takes the place of the NUL */
	rc = stream_send(fd, text, len, deadline_ms);
	free(text);
	return rc ? rc : receive(fd, answer_max, deadline_ms, ret_line, ret_len);
}
