/* SPDX-License-Identifier: GPL-2.0-only */
#include "probe_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "dataplane.h"

struct probe_socket {
	int fd4, fd6; /* fd6 may be -errno: no IPv6 in this kernel */
};

/* What is behind the signed part. */
static const uint8_t padding[PROBE_PAYLOAD_MAX - DP_PROBE_LEN];

union control {
	char space4[CMSG_SPACE(sizeof(struct in_pktinfo))];
	char space6[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	struct cmsghdr align;
};

union headers {
	struct iphdr v4;
	struct ip6_hdr v6;
};

/* With IPPROTO_RAW the IP header is ours, in both families. */
static int raw_open(int family)
{
	int fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW);

	return fd < 0 ? -errno : fd;
}

int probe_socket_open(struct probe_socket **ret_socket)
{
	struct probe_socket *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	new->fd4 = raw_open(AF_INET);
	new->fd6 = raw_open(AF_INET6);
	if (new->fd4 < 0) {
		const int rc = new->fd4;

		probe_socket_close(new);
		return rc;
	}
	*ret_socket = new;
	return 0;
}

void probe_socket_close(struct probe_socket *probe_socket)
{
	if (!probe_socket)
		return;
	if (probe_socket->fd4 >= 0)
		close(probe_socket->fd4);
	if (probe_socket->fd6 >= 0)
		close(probe_socket->fd6);
	free(probe_socket);
}

/* The kernel fills in the header's checksum and an identification. */
static size_t put_header4(const struct probe_request *request, struct iphdr *header)
{
	*header = (struct iphdr){
		.version = 4,
		.ihl = sizeof(*header) / 4,
		.tot_len = htons(
			(uint16_t)(sizeof(*header) + sizeof(struct udphdr) + request->payload)),
		.frag_off = htons(IP_DF),
		.ttl = IPDEFTTL,
		.protocol = IPPROTO_UDP,
	};
	memcpy(&header->saddr, request->source.bytes, sizeof(header->saddr));
	memcpy(&header->daddr, request->destination.bytes, sizeof(header->daddr));
	return sizeof(*header);
}

static size_t put_header6(const struct probe_request *request, struct ip6_hdr *header)
{
	memset(header, 0, sizeof(*header));
	header->ip6_flow = htonl(6u << 28);
	header->ip6_plen = htons((uint16_t)(sizeof(struct udphdr) + request->payload));
	header->ip6_nxt = IPPROTO_UDP;
	header->ip6_hlim = IPDEFTTL;
	memcpy(&header->ip6_src, request->source.bytes, sizeof(header->ip6_src));
	memcpy(&header->ip6_dst, request->destination.bytes, sizeof(header->ip6_dst));
	return sizeof(*header);
}

/* The device and, for policy rules, the source: by these the route is looked up. */
static void put_route(struct msghdr *msg, const struct probe_request *request)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	struct in6_pktinfo info6 = { .ipi6_ifindex = request->ifindex };
	struct in_pktinfo info4 = { .ipi_ifindex = (int)request->ifindex };

	if (request->source.family == IP_V4) {
		memcpy(&info4.ipi_spec_dst, request->source.bytes, sizeof(info4.ipi_spec_dst));
		cmsg->cmsg_level = IPPROTO_IP;
		cmsg->cmsg_type = IP_PKTINFO;
		cmsg->cmsg_len = CMSG_LEN(sizeof(info4));
		memcpy(CMSG_DATA(cmsg), &info4, sizeof(info4));
		msg->msg_controllen = CMSG_SPACE(sizeof(info4));
	} else {
		memcpy(&info6.ipi6_addr, request->source.bytes, sizeof(info6.ipi6_addr));
		cmsg->cmsg_level = IPPROTO_IPV6;
		cmsg->cmsg_type = IPV6_PKTINFO;
		cmsg->cmsg_len = CMSG_LEN(sizeof(info6));
		memcpy(CMSG_DATA(cmsg), &info6, sizeof(info6));
		msg->msg_controllen = CMSG_SPACE(sizeof(info6));
	}
}

static socklen_t put_name(const struct ip_addr *addr, struct sockaddr_storage *name)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

	memset(name, 0, sizeof(*name));
	if (addr->family == IP_V4) {
		memcpy(&v4.sin_addr, addr->bytes, sizeof(v4.sin_addr));
		memcpy(name, &v4, sizeof(v4));
		return sizeof(v4);
	}
	memcpy(&v6.sin6_addr, addr->bytes, sizeof(v6.sin6_addr));
	memcpy(name, &v6, sizeof(v6));
	return sizeof(v6);
}

int probe_socket_send(struct probe_socket *probe_socket, const struct probe_request *request)
{
	const bool v4 = request->source.family == IP_V4;
	const int fd = v4 ? probe_socket->fd4 : probe_socket->fd6;
	union headers headers;
	struct udphdr udp = {
		.uh_sport = htons(request->source_port),
		.uh_dport = htons(request->destination_port),
		.uh_ulen = htons((uint16_t)(sizeof(udp) + request->payload)),
	};
	struct dp_probe probe = {
		.type = DP_PROBE_REQUEST,
		.version = DP_PROBE_VERSION,
		.path = request->path,
		.from = htons(request->from),
		.to = htons(request->to),
		.loss_ppm = htonl(request->loss_ppm),
	};
	struct sockaddr_storage name;
	union control control = { 0 };
	struct iovec iov[] = {
		{ &headers, 0 },
		{ &udp, sizeof(udp) },
		{ &probe, sizeof(probe) },
		{ (void *)(uintptr_t)padding, 0 },
	};
	struct msghdr msg = {
		.msg_name = &name,
		.msg_iov = iov,
		.msg_iovlen = sizeof(iov) / sizeof(iov[0]),
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	if (request->source.family != request->destination.family ||
	    request->payload < DP_PROBE_LEN || request->payload > PROBE_PAYLOAD_MAX)
		return -EINVAL;
	if (fd < 0)
		return fd;
	iov[0].iov_len = v4 ? put_header4(request, &headers.v4) : put_header6(request, &headers.v6);
	iov[3].iov_len = request->payload - sizeof(probe);
	msg.msg_namelen = put_name(&request->destination, &name);
	put_route(&msg, request);
	return sendmsg(fd, &msg, MSG_DONTWAIT) < 0 ? -errno : 0;
}
