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

#include "line.h"
#include "log.h"
#include "pair_socket.h"

struct pair_channel {
	struct sd_event *event;
	struct sd_event_source *io;
	const struct pair_request *requests;
	size_t n_requests;
	void *data;
	struct line_server *server;
	int fd; /* -1: does not listen */
	struct pair_ends ends;
	unsigned int ifindex; /* that it is bound to */
};

static json_t *answer_line(const char *line, size_t len, void *data)
{
	const struct pair_channel *channel = data;

	if (!line) {
		log_warning("pair channel: a request longer than %u bytes", PAIR_LINE_MAX);
		return pair_answer_too_long();
	}
	return pair_answer(line, len, channel->requests, channel->n_requests, channel->data);
}

int pair_channel_new(struct sd_event *event, const struct pair_request *requests, size_t n_requests,
		     void *data, struct pair_channel **ret_channel)
{
	static const struct line_rules rules = { .line_max = PAIR_LINE_MAX,
						 .clients_max = PAIR_CLIENTS_MAX,
						 .idle_ms = PAIR_IDLE_MS,
						 .answer = answer_line };
	struct pair_channel *channel = calloc(1, sizeof(*channel));

	if (!channel || line_server_new(event, &rules, channel, &channel->server)) {
		free(channel);
		return -ENOMEM;
	}
	channel->event = event;
	channel->requests = requests;
	channel->n_requests = n_requests;
	channel->data = data;
	channel->fd = -1;
	*ret_channel = channel;
	return 0;
}

static void channel_close(struct pair_channel *channel)
{
	channel->io = sd_event_source_disable_unref(channel->io);
	if (channel->fd >= 0)
		close(channel->fd);
	channel->fd = -1;
	line_server_close(channel->server);
}

void pair_channel_free(struct pair_channel *channel)
{
	if (!channel)
		return;
	channel_close(channel);
	line_server_free(channel->server);
	free(channel);
}

static bool is_welcome(const struct pair_channel *channel, const struct sockaddr_in6 *from)
{
	const struct sockaddr_in6 partner =
		pair_socket_address(channel->ends.partner, 0, channel->ifindex);

	return !memcmp(&from->sin6_addr, &partner.sin6_addr, sizeof(from->sin6_addr)) &&
	       from->sin6_scope_id == channel->ifindex && ntohs(from->sin6_port) <= PAIR_PORT_MAX;
}

static int channel_accept(struct sd_event_source *source, int fd, uint32_t revents, void *data)
{
	const struct pair_channel *channel = data;
	struct sockaddr_in6 from = { 0 };
	socklen_t len = sizeof(from);
	int conn = accept4(fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)source;
	(void)revents;
	if (conn < 0)
		return 0;
	if (!is_welcome(channel, &from)) {
		close(conn);
		return 0;
	}
	pair_socket_keepalive(conn);
	line_server_add(channel->server, conn);
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
