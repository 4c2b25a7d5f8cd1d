/* SPDX-License-Identifier: GPL-2.0-only */
#include "pair_channel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "log.h"
#include "pair_socket.h"

#define FIRST_ROOM 4096u

struct client {
	struct client *next;
	struct pair_channel *channel;
	struct sd_event_source *io, *idle;
	int fd;
	bool answering; /* its request is being handled */
	bool last;	/* to be closed when its answer is away */
	char *request;
	size_t len, room;
	char *answer; /* being sent */
	size_t answer_len, sent;
};

struct pair_channel {
	struct sd_event *event;
	struct sd_event_source *io;
	const struct pair_request *requests;
	size_t n_requests;
	void *data;
	struct client *clients;
	unsigned int n_clients;
	int fd; /* -1: does not listen */
	struct pair_ends ends;
	unsigned int ifindex; /* that it is bound to */
};

int pair_channel_new(struct sd_event *event, const struct pair_request *requests, size_t n_requests,
		     void *data, struct pair_channel **ret_channel)
{
	struct pair_channel *channel = calloc(1, sizeof(*channel));

	if (!channel)
		return -ENOMEM;
	channel->event = event;
	channel->requests = requests;
	channel->n_requests = n_requests;
	channel->data = data;
	channel->fd = -1;
	*ret_channel = channel;
	return 0;
}

static void client_close(struct client *client)
{
	struct client **link = &client->channel->clients;

	while (*link != client)
		link = &(*link)->next;
	*link = client->next;
	client->channel->n_clients--;
	sd_event_source_disable_unref(client->io);
	sd_event_source_disable_unref(client->idle);
	close(client->fd);
	free(client->request);
	free(client->answer);
	free(client);
}

static void channel_close(struct pair_channel *channel)
{
	struct client *next;

	channel->io = sd_event_source_disable_unref(channel->io);
	if (channel->fd >= 0)
		close(channel->fd);
	channel->fd = -1;
	for (struct client *client = channel->clients; client; client = next) {
		next = client->next;
		if (client->answering)
			client->last = true;
		else
			client_close(client);
	}
}

void pair_channel_free(struct pair_channel *channel)
{
	if (!channel)
		return;
	channel_close(channel);
	while (channel->clients)
		client_close(channel->clients);
	free(channel);
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

static int client_respond(struct client *client, size_t line_len)
{
	struct pair_channel *channel = client->channel;
	json_t *answer;

	client->answering = true;
	answer = pair_answer(client->request, line_len, channel->requests, channel->n_requests,
			     channel->data);
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
	size_t room = client->room ? client->room * 2 : FIRST_ROOM;
	char *request;

	if (client->len < client->room)
		return 0;
	if (client->room == PAIR_LINE_MAX)
		return -EMSGSIZE;
	if (room > PAIR_LINE_MAX)
		room = PAIR_LINE_MAX;
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
	client->len += (size_t)n;
	return newline ? client_respond(client, (size_t)(newline - client->request)) : 0;
}

static int client_ready(struct sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct client *client = data;
	int error = 0;

	(void)fd;
	sd_event_source_set_time_relative(client->idle, PAIR_IDLE_MS * 1000u);
	if (!client->answer) {
		error = client_receive(client);
		if (error == -EMSGSIZE)
			log_warning("pair channel: a request longer than %u bytes, closed",
				    PAIR_LINE_MAX);
		if (error)
			goto close;
		if (!client->answer)
			return 0;
		/* It may have taken long to make. */
		sd_event_source_set_time_relative(client->idle, PAIR_IDLE_MS * 1000u);
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

static bool is_welcome(const struct pair_channel *channel, const struct sockaddr_in6 *from)
{
	const struct sockaddr_in6 partner =
		pair_socket_address(channel->ends.partner, 0, channel->ifindex);

	return !memcmp(&from->sin6_addr, &partner.sin6_addr, sizeof(from->sin6_addr)) &&
	       from->sin6_scope_id == channel->ifindex && ntohs(from->sin6_port) <= PAIR_PORT_MAX &&
	       channel->n_clients < PAIR_CLIENTS_MAX;
}

static int channel_accept(struct sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct pair_channel *channel = data;
	struct sockaddr_in6 from = { 0 };
	socklen_t len = sizeof(from);
	struct client *client;
	int conn;

	(void)source;
	(void)revents;
	conn = accept4(fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (conn < 0)
		return 0;
	client = is_welcome(channel, &from) ? calloc(1, sizeof(*client)) : NULL;
	if (!client) {
		close(conn);
		return 0;
	}
	client->channel = channel;
	client->fd = conn;
	client->next = channel->clients;
	channel->clients = client;
	channel->n_clients++;
	pair_socket_keepalive(conn);
	if (sd_event_add_io(channel->event, &client->io, conn, EPOLLIN, client_ready, client) < 0 ||
	    sd_event_add_time_relative(channel->event, &client->idle, CLOCK_MONOTONIC,
				       PAIR_IDLE_MS * 1000u, 0, client_idle, client) < 0)
		client_close(client);
	return 0;
}

static int channel_open(struct pair_channel *channel)
{
	int rc, fd = pair_socket_open(&channel->ends, channel->ifindex, channel->ends.port);

	if (fd < 0)
		return fd;
	if (listen(fd, PAIR_CLIENTS_MAX)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	rc = sd_event_add_io(channel->event, &channel->io, fd, EPOLLIN, channel_accept, channel);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	channel->fd = fd;
	return 0;
}

static bool ends_equal(const struct pair_ends *a, const struct pair_ends *b)
{
	return a->self == b->self && a->partner == b->partner && a->port == b->port &&
	       !strcmp(a->ifname, b->ifname);
}

int pair_channel_listen(struct pair_channel *channel, const struct pair_ends *ends)
{
	const unsigned int ifindex = ends->partner ? if_nametoindex(ends->ifname) : 0;

	if (channel->fd >= 0 && ends_equal(&channel->ends, ends) && channel->ifindex == ifindex)
		return 0;
	channel_close(channel);
	channel->ends = *ends;
	channel->ifindex = ifindex;
	if (!ends->partner)
		return 0;
	return ifindex ? channel_open(channel) : -ENODEV;
}
