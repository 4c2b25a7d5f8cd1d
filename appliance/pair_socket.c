/* SPDX-License-Identifier: GPL-2.0-only */
#include "pair_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ip.h"

#define KEEPALIVE_S 1
#define KEEPALIVES 5

struct sockaddr_in6 pair_socket_address(uint16_t id, uint16_t port, unsigned int ifindex)
{
	const struct ip_addr link = ip_link_local(id);
	struct sockaddr_in6 address = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(port),
		.sin6_scope_id = ifindex,
	};

	memcpy(&address.sin6_addr, link.bytes, sizeof(address.sin6_addr));
	return address;
}

int pair_socket_open(const struct pair_ends *ends, unsigned int ifindex, uint16_t port)
{
	const struct sockaddr_in6 own = pair_socket_address(ends->self, port, ifindex);
	const int on = 1;
	int rc, fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	/* Who listens may take the port of connections that are ending; who asks takes another. */
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, ends->ifname,
		       (socklen_t)strlen(ends->ifname)) ||
	    (port == ends->port && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on))) ||
	    bind(fd, (const struct sockaddr *)&own, sizeof(own))) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

void pair_socket_keepalive(int fd)
{
	const int on = 1, seconds = KEEPALIVE_S, count = KEEPALIVES;
	const unsigned int timeout_ms = KEEPALIVE_S * KEEPALIVES * 1000;

	/* None of these can fail on a TCP socket; without them it would only take longer. */
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof(seconds));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof(seconds));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
}
