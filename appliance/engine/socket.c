/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/socket.h"

#include "engine/buffers.h"
#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BUFFER_BYTES = 7 << 20, /* holds what comes while a worker is not scheduled */
	SEND_BATCH = 64,	/* datagrams in one sendmmsg() without UDP_SEGMENT */
};

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	if (a->sa.sa_family != b->sa.sa_family || a->src_ifindex != b->src_ifindex)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_port == b->in.sin_port &&
		       a->in.sin_addr.s_addr == b->in.sin_addr.s_addr &&
		       a->src4.s_addr == b->src4.s_addr;
	return a->in6.sin6_port == b->in6.sin6_port &&
	       a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
	       !memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 16) && !memcmp(&a->src6, &b->src6, 16);
}

void endpoint_clear_src(struct endpoint *endpoint)
{
	memset(&endpoint->src6, 0, sizeof(endpoint->src6));
	endpoint->src_ifindex = 0;
}

static bool has_src(const struct endpoint *endpoint)
{
	static const struct in6_addr none;

	return endpoint->src_ifindex || memcmp(&endpoint->src6, &none, sizeof(none)) != 0;
}

static int option_set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

static void buffer_set(int fd, int force, int name)
{
	if (option_set(fd, SOL_SOCKET, force, BUFFER_BYTES))
		(void)option_set(fd, SOL_SOCKET, name, BUFFER_BYTES); /* as much as is allowed */
}

/* One socket, bound to *port of any address; *port 0 is set. */
static int socket_open(int family, bool shared, uint32_t fwmark, uint16_t *port)
{
	struct endpoint any = { 0 };
	socklen_t len = family == AF_INET ? sizeof(any.in) : sizeof(any.in6);
	int rc, fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	rc = shared ? option_set(fd, SOL_SOCKET, SO_REUSEPORT, 1) : 0;
	if (!rc && fwmark)
		rc = option_set(fd, SOL_SOCKET, SO_MARK, (int)fwmark);
	if (!rc && family == AF_INET) {
		/* Fragments where a path is narrower than was thought, as the kernel's own engine. */
		rc = option_set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
		if (!rc)
			rc = option_set(fd, IPPROTO_IP, IP_PKTINFO, 1);
		if (!rc)
			rc = option_set(fd, IPPROTO_IP, IP_RECVTOS, 1);
		any.in.sin_family = AF_INET;
		any.in.sin_port = htons(*port);
	} else if (!rc) {
		rc = option_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
		if (!rc)
			rc = option_set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
		if (!rc)
			rc = option_set(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
		any.in6.sin6_family = AF_INET6;
		any.in6.sin6_port = htons(*port);
	}
	if (rc)
		goto close_fd;
	if (bind(fd, &any.sa, len) || getsockname(fd, &any.sa, &len)) {
		rc = -errno;
		goto close_fd;
	}
	*port = ntohs(family == AF_INET ? any.in.sin_port : any.in6.sin6_port);
	buffer_set(fd, SO_RCVBUFFORCE, SO_RCVBUF);
	buffer_set(fd, SO_SNDBUFFORCE, SO_SNDBUF);
	return fd;

close_fd:
	(void)close(fd); /* nothing was written */
	return rc;
}

static bool no_family(int rc)
{
	return rc == -EAFNOSUPPORT || rc == -EPROTONOSUPPORT || rc == -EADDRNOTAVAIL;
}

/* Sockets of other processes or devices on the port: seen without SO_REUSEPORT only. */
static int port_probe(uint16_t *port)
{
	int fd4, fd6, rc = 0;

	fd4 = socket_open(AF_INET, false, 0, port);
	if (fd4 < 0 && !no_family(fd4))
		return fd4;
	fd6 = socket_open(AF_INET6, false, 0, port);
	if (fd6 < 0 && (!no_family(fd6) || fd4 < 0))
		rc = fd6;
	if (fd4 >= 0)
		(void)close(fd4); /* nothing was written */
	if (fd6 >= 0)
		(void)close(fd6);
	return rc;
}

int udp_probe(uint16_t port)
{
	return port_probe(&port);
}

static void offload_probe(struct udp *udp)
{
	const int fd[2] = { udp->fd4, udp->fd6 };

	udp->gso = true;
	udp->gro = true;
	for (int i = 0; i < 2; i++) {
		if (fd[i] < 0)
			continue;
		/* The option itself stays off: the size comes with each call. */
		if (option_set(fd[i], IPPROTO_UDP, UDP_SEGMENT, 0))
			udp->gso = false;
		if (option_set(fd[i], IPPROTO_UDP, UDP_GRO, 1))
			udp->gro = false;
	}
}

int udp_open(uint16_t *port, uint32_t fwmark, struct udp *ret_udp, int n)
{
	uint16_t chosen = *port;
	int rc, opened = 0;

	/* Any port: one that is free in IPv4 may not be in IPv6. */
	for (int tries = 0; tries < 100; tries++) {
		chosen = *port;
		rc = port_probe(&chosen);
		if (rc != -EADDRINUSE || *port)
			break;
	}
	if (rc)
		return rc;
	for (; opened < n; opened++) {
		struct udp *udp = &ret_udp[opened];

		udp->fd4 = socket_open(AF_INET, true, fwmark, &chosen);
		udp->fd6 = udp->fd4 >= 0 || no_family(udp->fd4)
				   ? socket_open(AF_INET6, true, fwmark, &chosen)
				   : -1;
		rc = udp->fd4 < 0 && !no_family(udp->fd4)		      ? udp->fd4
		     : udp->fd6 < 0 && (!no_family(udp->fd6) || udp->fd4 < 0) ? udp->fd6
									      : 0;
		udp->fd4 = udp->fd4 < 0 ? -1 : udp->fd4;
		udp->fd6 = udp->fd6 < 0 ? -1 : udp->fd6;
		if (rc) {
			udp_close(ret_udp, opened + 1);
			return rc;
		}
		offload_probe(udp);
	}
	*port = chosen;
	return 0;
}

void udp_close(struct udp *udp, int n)
{
	for (int i = 0; i < n; i++) {
		if (udp[i].fd4 >= 0)
			(void)close(udp[i].fd4); /* datagrams: nothing is left to be written */
		if (udp[i].fd6 >= 0)
			(void)close(udp[i].fd6);
		udp[i].fd4 = udp[i].fd6 = -1;
	}
}

int udp_set_fwmark(const struct udp *udp, int n, uint32_t fwmark)
{
	int rc = 0;

	for (int i = 0; i < n; i++) {
		if (udp[i].fd4 >= 0 && !rc)
			rc = option_set(udp[i].fd4, SOL_SOCKET, SO_MARK, (int)fwmark);
		if (udp[i].fd6 >= 0 && !rc)
			rc = option_set(udp[i].fd6, SOL_SOCKET, SO_MARK, (int)fwmark);
	}
	return rc;
}

union rx_control {
	struct cmsghdr header;
	uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + 2 * CMSG_SPACE(sizeof(int))];
};

struct udp_rx {
	uint8_t *buffers;
	struct udp_rx_entry entries[UDP_RX_BATCH];
	struct mmsghdr messages[UDP_RX_BATCH];
	struct iovec iov[UDP_RX_BATCH];
	union rx_control control[UDP_RX_BATCH];
};

struct udp_rx *udp_rx_new(void)
{
	struct udp_rx *rx = calloc(1, sizeof(*rx));

	if (!rx)
		return NULL;
	rx->buffers = buffers_map((size_t)UDP_RX_BATCH * UDP_RX_BUFFER, NULL);
	if (!rx->buffers) {
		free(rx);
		return NULL;
	}
	for (int i = 0; i < UDP_RX_BATCH; i++) {
		rx->entries[i].data = rx->buffers + (size_t)i * UDP_RX_BUFFER;
		rx->iov[i] = (struct iovec){ rx->entries[i].data, UDP_RX_BUFFER };
		rx->messages[i].msg_hdr.msg_iov = &rx->iov[i];
		rx->messages[i].msg_hdr.msg_iovlen = 1;
		rx->messages[i].msg_hdr.msg_name = &rx->entries[i].from.sa;
		rx->messages[i].msg_hdr.msg_control = &rx->control[i];
	}
	return rx;
}

void udp_rx_free(struct udp_rx *rx)
{
	if (!rx)
		return;
	buffers_unmap(rx->buffers, (size_t)UDP_RX_BATCH * UDP_RX_BUFFER);
	free(rx);
}

static void entry_fill(struct udp_rx_entry *entry, struct msghdr *msg)
{
	struct in6_pktinfo info6;
	struct in_pktinfo info4;
	int size;

	entry->ecn = 0;
	entry->size = entry->len;
	endpoint_clear_src(&entry->from);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
			memcpy(&size, CMSG_DATA(c), sizeof(size));
			if (size > 0 && (uint32_t)size < entry->len)
				entry->size = (uint32_t)size;
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&info4, CMSG_DATA(c), sizeof(info4));
			entry->from.src4 = info4.ipi_spec_dst;
			entry->from.src_ifindex = (uint32_t)info4.ipi_ifindex;
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
			entry->ecn = CMSG_DATA(c)[0] & 3;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&info6, CMSG_DATA(c), sizeof(info6));
			entry->from.src6 = info6.ipi6_addr;
			/* Of a link-local address alone, as the kernel does. */
			if (entry->from.in6.sin6_scope_id)
				entry->from.src_ifindex = info6.ipi6_ifindex;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
			memcpy(&size, CMSG_DATA(c), sizeof(size));
			entry->ecn = size & 3;
		}
	}
}

int udp_recv(struct udp_rx *rx, int fd, struct udp_rx_entry **ret_entries)
{
	int n;

	for (int i = 0; i < UDP_RX_BATCH; i++) {
		struct msghdr *msg = &rx->messages[i].msg_hdr;

		msg->msg_namelen = sizeof(struct sockaddr_in6);
		msg->msg_controllen = sizeof(rx->control[i]);
		buffers_use(rx->entries[i].data, UDP_RX_BUFFER, UDP_RX_BUFFER);
	}
	do
		n = recvmmsg(fd, rx->messages, UDP_RX_BATCH, MSG_DONTWAIT, NULL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		rx->entries[i].len = rx->messages[i].msg_len;
		buffers_use(rx->entries[i].data, rx->entries[i].len, UDP_RX_BUFFER);
		entry_fill(&rx->entries[i], &rx->messages[i].msg_hdr);
	}
	*ret_entries = rx->entries;
	return n;
}

union tx_control {
	struct cmsghdr header;
	uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int)) +
		      CMSG_SPACE(sizeof(uint16_t))];
};

static void control_add(struct msghdr *msg, int level, int type, const void *data, size_t len)
{
	struct cmsghdr *c = (void *)((uint8_t *)msg->msg_control + msg->msg_controllen);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	msg->msg_controllen += CMSG_SPACE(len);
}

/* size 0: no segmentation by the kernel. `control` is zeroed room. */
static void message_fill(struct msghdr *msg, union tx_control *control, struct endpoint *to,
			 uint8_t ecn, uint16_t size)
{
	bool v4 = to->sa.sa_family == AF_INET;
	int tos = ecn;

	msg->msg_name = &to->sa;
	msg->msg_namelen = v4 ? sizeof(to->in) : sizeof(to->in6);
	msg->msg_control = control->bytes;
	msg->msg_controllen = 0;
	if (has_src(to)) {
		if (v4) {
			struct in_pktinfo info = { .ipi_spec_dst = to->src4 };

			control_add(msg, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
		} else {
			struct in6_pktinfo info = { .ipi6_addr = to->src6,
						    .ipi6_ifindex = to->src_ifindex };

			control_add(msg, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
		}
	}
	if (ecn)
		control_add(msg, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS, &tos,
			    sizeof(tos));
	if (size)
		control_add(msg, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size));
	if (!msg->msg_controllen)
		msg->msg_control = NULL;
}

/* Bytes of the datagrams sent, or -errno. */
static ssize_t send_segmented(int fd, struct endpoint *to, uint8_t ecn, uint8_t *data, size_t len,
			      size_t size)
{
	size_t most = UDP_DATAGRAM_MAX / size;
	union tx_control control = { 0 };
	struct iovec iov = { data, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (most > UDP_SEND_SEGMENTS)
		most = UDP_SEND_SEGMENTS;
	if (iov.iov_len > most * size)
		iov.iov_len = most * size;
	message_fill(&msg, &control, to, ecn, iov.iov_len > size ? (uint16_t)size : 0);
	return sendmsg(fd, &msg, MSG_DONTWAIT) < 0 ? -errno : (ssize_t)iov.iov_len;
}

static ssize_t send_singly(int fd, struct endpoint *to, uint8_t ecn, uint8_t *data, size_t len,
			   size_t size)
{
	struct mmsghdr messages[SEND_BATCH] = { 0 };
	struct iovec iov[SEND_BATCH];
	union tx_control control = { 0 };
	size_t sent = 0;
	int rc;
	unsigned int n = 0;

	for (size_t at = 0; at < len && n < SEND_BATCH; at += size, n++) {
		iov[n] = (struct iovec){ data + at, len - at < size ? len - at : size };
		if (n)
			messages[n].msg_hdr = messages[0].msg_hdr;
		else
			message_fill(&messages[0].msg_hdr, &control, to, ecn, 0);
		messages[n].msg_hdr.msg_iov = &iov[n];
		messages[n].msg_hdr.msg_iovlen = 1;
	}
	rc = sendmmsg(fd, messages, n, MSG_DONTWAIT);
	if (rc < 0)
		return -errno;
	for (int i = 0; i < rc; i++)
		sent += iov[i].iov_len;
	return (ssize_t)sent;
}

/* The address or the interface is no longer ours, or no route leads from it. */
static bool source_gone(int rc)
{
	return rc == -EINVAL || rc == -ENETUNREACH || rc == -EADDRNOTAVAIL || rc == -ENODEV;
}

int udp_send(struct udp *udp, struct endpoint *to, uint8_t ecn, const uint8_t *data, size_t len,
	     size_t size, size_t *ret_sent)
{
	int fd = to->sa.sa_family == AF_INET ? udp->fd4 : udp->fd6;
	uint8_t *at = (uint8_t *)(uintptr_t)data; /* an iovec is for reading and writing */
	size_t left = len;
	bool too_long = false;
	ssize_t n = 0;

	if (fd < 0)
		return -EAFNOSUPPORT;
	while (left) {
		bool segmented = udp->gso && left > size && size <= UDP_DATAGRAM_MAX;

		n = segmented ? send_segmented(fd, to, ecn, at, left, size)
			      : send_singly(fd, to, ecn, at, left, size);
		if (n == -EINTR)
			continue;
		/*
		 * EIO: before 6.11, of a device without checksums. EINVAL, later EMSGSIZE: a segment
		 * above its MTU; the next may be smaller.
		 */
		if (segmented && (n == -EIO || n == -EINVAL || n == -EMSGSIZE)) {
			if (n == -EIO)
				udp->gso = false;
			n = send_singly(fd, to, ecn, at, left, size);
		}
		if (source_gone((int)n) && has_src(to)) {
			endpoint_clear_src(to);
			continue;
		}
		/* The first of them; the last may be shorter. */
		if (n == -EMSGSIZE) {
			n = (ssize_t)(left < size ? left : size);
			too_long = true;
		}
		if (n < 0)
			break;
		at += n;
		left -= (size_t)n;
	}
	if (ret_sent)
		*ret_sent = len - left;
	return n < 0 ? (int)n : too_long ? -EMSGSIZE : 0;
}
