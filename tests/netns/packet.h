/* SPDX-License-Identifier: GPL-2.0-only */
/* Small packets from a few words, with right checksums, and looking at packets. For tests. */
#ifndef NETPAS_TESTS_PACKET_H
#define NETPAS_TESTS_PACKET_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PACKET_VRRP 112

/* What a packet of the corpus is made of. 0: the usual one. */
struct packet {
	const char *from, *to;
	uint8_t proto;
	uint16_t port;	 /* UDP, TCP: destination */
	uint8_t type;	 /* ICMP, ICMPv6 */
	uint8_t ttl;	 /* 64 */
	uint16_t source; /* UDP, TCP: 40000 */
};

static inline uint32_t packet_sum_add(uint32_t sum, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
	return sum;
}

static inline uint16_t packet_sum_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static inline void packet_put16(uint8_t *at, unsigned int value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline size_t packet_header_len(const uint8_t *ip)
{
	return ip[0] >> 4 == 4 ? 20 : 40;
}

static inline uint8_t packet_header_proto(const uint8_t *ip)
{
	return ip[0] >> 4 == 4 ? ip[9] : ip[6];
}

/* Of the whole packet: 0 if the sum that it has is right. */
static inline uint16_t packet_l4_sum(const uint8_t *ip, size_t len)
{
	const size_t header = packet_header_len(ip);
	const uint8_t proto = packet_header_proto(ip);
	uint32_t sum = 0;

	if (proto != IPPROTO_ICMP) {
		sum = ip[0] >> 4 == 4 ? packet_sum_add(0, ip + 12, 8)
				      : packet_sum_add(0, ip + 8, 32);
		sum += proto + (uint32_t)(len - header);
	}
	return packet_sum_fold(packet_sum_add(sum, ip + header, len - header));
}

static inline size_t packet_build_l4(uint8_t *l4, const struct packet *packet, size_t *ret_sum)
{
	switch (packet->proto) {
	case IPPROTO_UDP:
		packet_put16(l4, packet->source ? packet->source : 40000);
		packet_put16(l4 + 2, packet->port);
		packet_put16(l4 + 4, 16);
		*ret_sum = 6;
		return 16;
	case IPPROTO_TCP:
		packet_put16(l4, packet->source ? packet->source : 40000);
		packet_put16(l4 + 2, packet->port);
		l4[12] = 6 << 4;
		l4[13] = 0x02; /* SYN */
		packet_put16(l4 + 14, 65535);
		memcpy(l4 + 20, (const uint8_t[]){ 2, 4, 1460 >> 8, 1460 & 0xff }, 4);
		*ret_sum = 16;
		return 24;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		l4[0] = packet->type;
		*ret_sum = 2;
		return 32;
	default:
		*ret_sum = 6;
		return 20;
	}
}

/* Into a buffer of 256 bytes; returns the length. */
static inline size_t packet_build(uint8_t *ip, const struct packet *packet)
{
	const bool v4 = !strchr(packet->from, ':');
	const size_t header = v4 ? 20 : 40;
	size_t len, sum_at;

	memset(ip, 0, 256);
	len = header + packet_build_l4(ip + header, packet, &sum_at);
	if (v4) {
		ip[0] = 0x45;
		packet_put16(ip + 2, (unsigned int)len);
		ip[8] = packet->ttl ? packet->ttl : 64;
		ip[9] = packet->proto;
		(void)inet_pton(AF_INET, packet->from, ip + 12); /* literals of the test */
		(void)inet_pton(AF_INET, packet->to, ip + 16);
		packet_put16(ip + 10, packet_sum_fold(packet_sum_add(0, ip, header)));
	} else {
		ip[0] = 0x60;
		packet_put16(ip + 4, (unsigned int)(len - header));
		ip[6] = packet->proto;
		ip[7] = packet->ttl ? packet->ttl : 64;
		(void)inet_pton(AF_INET6, packet->from, ip + 8);
		(void)inet_pton(AF_INET6, packet->to, ip + 24);
	}
	packet_put16(ip + header + sum_at, packet_l4_sum(ip, len));
	return len;
}

static inline bool packet_has_addr(const uint8_t *at, const char *text)
{
	uint8_t addr[16];
	const int family = strchr(text, ':') ? AF_INET6 : AF_INET;

	return inet_pton(family, text, addr) == 1 &&
	       memcmp(at, addr, family == AF_INET6 ? 16 : 4) == 0;
}

static inline socklen_t packet_sockaddr(const char *text, uint16_t port,
					struct sockaddr_storage *ret)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
		memcpy(ret, &v4, sizeof(v4));
		return sizeof(v4);
	}
	(void)inet_pton(AF_INET6, text, &v6.sin6_addr);
	memcpy(ret, &v6, sizeof(v6));
	return sizeof(v6);
}

/* A UDP socket of this node, bound; -1 if that cannot be. */
static inline int packet_socket(const char *from, uint16_t port)
{
	struct sockaddr_storage addr;
	const socklen_t len = packet_sockaddr(from, port, &addr);
	int fd = socket(addr.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&addr, len) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static inline bool packet_send(int fd, const char *to, uint16_t port)
{
	struct sockaddr_storage addr;
	const socklen_t len = packet_sockaddr(to, port, &addr);

	return sendto(fd, "x", 1, 0, (struct sockaddr *)&addr, len) == 1;
}

#endif
