/* SPDX-License-Identifier: GPL-2.0-only */
/* The client's side of the pair channel. */
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "line.h"
#include "pair_channel.h"
#include "pair_socket.h"
#include "stream.h"

#define PORT_MIN 512
#define CONNECT_MS 5000

static int finish_connect(int fd, int64_t deadline_ms)
{
	socklen_t len = sizeof(int);
	int error = 0, rc = stream_wait(fd, POLLOUT, deadline_ms);

	if (!rc && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len))
		rc = -errno;
	return rc ? rc : -error;
}

/* From one port, which may be taken, or still remember an earlier connection. */
static int connect_from(const struct pair_ends *ends, unsigned int ifindex, uint16_t port,
			int64_t deadline_ms)
{
	const struct sockaddr_in6 to = pair_socket_address(ends->partner, ends->port, ifindex);
	int rc = 0, fd = pair_socket_open(ends, ifindex, port);

	if (fd < 0)
		return fd;
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)))
		rc = errno == EINPROGRESS ? finish_connect(fd, deadline_ms) : -errno;
	if (rc) {
		close(fd);
		return rc;
	}
	pair_socket_keepalive(fd);
	return fd;
}

static int connect_to(const struct pair_ends *ends, int64_t deadline_ms)
{
	const unsigned int ifindex = if_nametoindex(ends->ifname);
	/* Two that begin at once should not look at the same ports in the same order. */
	const unsigned int n = PAIR_PORT_MAX - PORT_MIN + 1, first = (unsigned int)getpid() % n;
	int rc = -EADDRINUSE;

	if (!ifindex)
		return -ENODEV;
	for (unsigned int i = 0; i < n && (rc == -EADDRINUSE || rc == -EADDRNOTAVAIL); i++)
		rc = connect_from(ends, ifindex, (uint16_t)(PORT_MIN + (first + i) % n),
				  deadline_ms);
	return rc;
}

static int exchange(int fd, json_t *request, int64_t deadline_ms, json_t **ret_answer)
{
	char *line;
	size_t len;
	int rc = line_ask(fd, request, PAIR_LINE_MAX, deadline_ms, &line, &len);

	if (rc)
		return rc;
	rc = pair_answer_parse(line, len, ret_answer);
	free(line);
	return rc;
}

int pair_channel_ask(const struct pair_ends *ends, json_t *request, int timeout_ms,
		     json_t **ret_answer)
{
	const int64_t now_ms = clock_now_ms();
	int rc, fd = connect_to(ends, now_ms + (timeout_ms < CONNECT_MS ? timeout_ms : CONNECT_MS));

	if (fd < 0)
		return fd == -ETIMEDOUT ? -EHOSTUNREACH : fd;
	rc = exchange(fd, request, now_ms + timeout_ms, ret_answer);
	close(fd);
	return rc;
}
