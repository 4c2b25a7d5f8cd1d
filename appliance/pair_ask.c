/* SPDX-License-Identifier: GPL-2.0-only */
/* The client's side of the pair channel. */
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "pair_channel.h"
#include "pair_socket.h"

#define PORT_MIN 512
#define CONNECT_MS 5000

/* Wait for events until the deadline. 0 or -errno. */
static int wait_for(int fd, short events, int64_t deadline_ms)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	for (;;) {
		const int64_t left_ms = deadline_ms - clock_now_ms();
		int n;

		if (left_ms <= 0)
			return -ETIMEDOUT;
		n = poll(&pfd, 1, (int)left_ms);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int finish_connect(int fd, int64_t deadline_ms)
{
	socklen_t len = sizeof(int);
	int error = 0, rc = wait_for(fd, POLLOUT, deadline_ms);

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

static int send_text(int fd, const char *text, size_t len, int64_t deadline_ms)
{
	while (len) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		int rc;

		if (n >= 0) {
			text += n;
			len -= (size_t)n;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		rc = wait_for(fd, POLLOUT, deadline_ms);
		if (rc)
			return rc;
	}
	return 0;
}

/* Up to the end of the line. */
static int receive_line(int fd, int64_t deadline_ms, char **ret_line, size_t *ret_len)
{
	size_t len = 0, room = 0;
	char *line = NULL;
	int rc = 0;

	for (;;) {
		ssize_t n;

		if (len == room) {
			char *larger = room < PAIR_LINE_MAX ? realloc(line, room + 65536) : NULL;

			rc = room < PAIR_LINE_MAX ? -ENOMEM : -EBADMSG;
			if (!larger)
				break;
			line = larger;
			room += 65536;
		}
		rc = wait_for(fd, POLLIN, deadline_ms);
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

static int exchange(int fd, json_t *request, int64_t deadline_ms, json_t **ret_answer)
{
	char *text = json_dumps(request, JSON_COMPACT), *line = NULL;
	size_t len;
	int rc;

	if (!text)
		return -ENOMEM;
	len = strlen(text);
	text[len++] = '\n'; /* takes the place of the NUL */
	rc = send_text(fd, text, len, deadline_ms);
	free(text);
	if (!rc)
		rc = receive_line(fd, deadline_ms, &line, &len);
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
