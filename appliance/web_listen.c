/* SPDX-License-Identifier: GPL-2.0-only */
#include "web_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 128
#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78
#endif

static socklen_t make_address(const struct ip_addr *addr, uint16_t port,
			      struct sockaddr_storage *ret_address)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)ret_address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret_address;

	memset(ret_address, 0, sizeof(*ret_address));
	if (addr->family == IP_V6) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		memcpy(&in6->sin6_addr, addr->bytes, sizeof(in6->sin6_addr));
		return sizeof(*in6);
	}
	in4->sin_family = AF_INET;
	in4->sin_port = htons(port);
	memcpy(&in4->sin_addr, addr->bytes, sizeof(in4->sin_addr));
	return sizeof(*in4);
}

int web_listen_open(const struct ip_addr *addr, uint16_t port)
{
	const bool v6 = addr->family == IP_V6;
	struct sockaddr_storage address;
	const socklen_t len = make_address(addr, port, &address);
	const int on = 1;
	int rc, fd;

	fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    (v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on))) ||
	    setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_FREEBIND : IP_FREEBIND, &on,
		       sizeof(on)) ||
	    bind(fd, (const struct sockaddr *)&address, len) || listen(fd, BACKLOG)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

int web_listen_accept(int fd, struct sockaddr_storage *ret_from, socklen_t *ret_len,
		      struct ip_addr *ret_addr)
{
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)ret_from;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ret_from;
	const int on = 1;
	int conn;

	*ret_len = sizeof(*ret_from);
	conn = accept4(fd, (struct sockaddr *)ret_from, ret_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (conn < 0)
		return -errno;
	memset(ret_addr, 0, sizeof(*ret_addr));
	if (ret_from->ss_family == AF_INET6) {
		ret_addr->family = IP_V6;
		memcpy(ret_addr->bytes, &in6->sin6_addr, sizeof(in6->sin6_addr));
	} else {
		ret_addr->family = IP_V4;
		memcpy(ret_addr->bytes, &in4->sin_addr, sizeof(in4->sin_addr));
	}
	(void)setsockopt(conn, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* only slower without */
	return conn;
}
