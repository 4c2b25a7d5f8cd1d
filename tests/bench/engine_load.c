/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * engine_load send ADDRESS PORT LEN SECONDS RATE	datagrams one by one, RATE a second (0: any)
 * engine_load recv PORT SECONDS			how many came, a second: {"packets":N,"pps":N}
 * engine_load hostile IF COUNT RATE			what was heard on IF for a second, and what is
 *	made of it and of nothing, COUNT times: {"sent":N,"seconds":N,"kinds":{...}}
 *
 * What hostile sends again is data of WireGuard: as it was (replayed), with a bit of another value,
 * cut off, with another receiver or counter; and messages of the four types, and of none, of random
 * bytes. All of it goes to where the recorded data went, from where that came.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	BATCH = 32,
	HEARD = 512,
	FRAME = 1600,
	HEADERS = sizeof(struct ip) + sizeof(struct udphdr),
	ETHER = sizeof(struct ether_header),
	DATA_MIN = 32,
	BUFFER = 32 << 20,
};

static void die(const char *what)
{
	fprintf(stderr, "engine_load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* this clock is always there */
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static uint32_t noise(void)
{
	static uint64_t x = 88172645463325252ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 16);
}

/* Waits until `sent` of `rate` a second may have been sent. */
static void pace(double start, double sent, double rate)
{
	double ahead = rate > 0 ? start + sent / rate - now() : 0;
	struct timespec ts = { .tv_nsec = (long)(ahead * 1e9) };

	if (ahead > 0 && ahead < 1)
		(void)nanosleep(&ts, NULL); /* a signal ends the program */
}

static int send_all(const char *address, int port, size_t len, double seconds, double rate)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	static uint8_t payload[FRAME];
	struct iovec iov = { payload, len };
	struct mmsghdr messages[BATCH] = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	double start = now(), sent = 0;

	if (fd < 0 || inet_pton(AF_INET, address, &to.sin_addr) != 1 || len > sizeof(payload) ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die("send");
	for (int i = 0; i < BATCH; i++)
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1 };
	while (now() - start < seconds) {
		int n = sendmmsg(fd, messages, BATCH, 0);

		if (n > 0)
			sent += n;
		pace(start, sent, rate);
	}
	printf("{\"sent\": %.0f, \"pps\": %.0f}\n", sent, sent / (now() - start));
	return 0;
}

/* How long the datagrams are that came as one. */
static size_t datagram_len(struct msghdr *msg, size_t len)
{
	int size;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
			memcpy(&size, CMSG_DATA(c), sizeof(size));
			return size > 0 ? (size_t)size : len;
		}
	return len;
}

static int receive_all(int port, double seconds)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	const struct timeval patience = { .tv_usec = 200000 };
	static uint8_t data[65536];
	uint8_t control[CMSG_SPACE(sizeof(int))];
	int on = 1, buffer = BUFFER, fd = socket(AF_INET, SOCK_DGRAM, 0);
	double first = 0, last = 0, packets = 0, start = now();

	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) ||
	    setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		die("recv");
	while (now() - start < seconds) {
		struct iovec iov = { data, sizeof(data) };
		struct msghdr msg = { .msg_iov = &iov,
				      .msg_iovlen = 1,
				      .msg_control = control,
				      .msg_controllen = sizeof(control) };
		ssize_t len = recvmsg(fd, &msg, 0);
		size_t size;

		if (len <= 0)
			continue;
		size = datagram_len(&msg, (size_t)len);
		packets += (double)(((size_t)len + size - 1) / size);
		last = now();
		if (first == 0)
			first = last;
	}
	printf("{\"packets\": %.0f, \"pps\": %.0f}\n", packets,
	       last > first ? packets / (last - first) : 0);
	return 0;
}

struct heard {
	uint8_t frame[FRAME];
	size_t len;
};
static struct heard heard[HEARD];
static size_t n_heard;

/* Data of WireGuard that leaves by the interface. */
static void listen_to(int fd)
{
	const struct timeval patience = { .tv_usec = 100000 };
	struct sockaddr_ll from;
	double start = now();

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		die("listen");
	while (n_heard < HEARD && now() - start < 5) {
		struct heard *h = &heard[n_heard];
		socklen_t from_len = sizeof(from);
		ssize_t len = recvfrom(fd, h->frame, sizeof(h->frame), MSG_TRUNC,
				       (struct sockaddr *)&from, &from_len);

		if (len < ETHER + HEADERS + DATA_MIN || len > FRAME ||
		    from.sll_pkttype != PACKET_OUTGOING || h->frame[12] != 8 || h->frame[13] ||
		    h->frame[ETHER] != 0x45 || h->frame[ETHER + 9] != IPPROTO_UDP ||
		    h->frame[ETHER + HEADERS] != 4)
			continue;
		h->len = (size_t)len;
		n_heard++;
	}
	if (!n_heard) {
		errno = ENODATA;
		die("listen");
	}
}

enum kind {
	REPLAYED,
	ALTERED,
	TRUNCATED,
	STRANGER,
	COUNTER,
	HANDSHAKE,
	RANDOM,
	KINDS
};
static const char *const kind_names[] = { "replayed", "altered",   "truncated", "stranger",
					  "counter",  "handshake", "random" };

static void fill(uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)noise();
}

/* The frame's UDP has no checksum: IPv4 allows it. */
static size_t lengths_set(uint8_t *frame, size_t payload)
{
	struct ip *ip = (void *)(frame + ETHER);
	uint8_t *udp = frame + ETHER + sizeof(*ip);
	uint32_t sum = 0;
	uint16_t word;

	ip->ip_len = htons((uint16_t)(HEADERS + payload));
	ip->ip_sum = 0;
	for (size_t i = 0; i < sizeof(*ip); i += 2) {
		memcpy(&word, frame + ETHER + i, 2);
		sum += word;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	ip->ip_sum = (uint16_t) ~(sum + (sum >> 16));
	word = htons((uint16_t)(sizeof(struct udphdr) + payload));
	memcpy(udp + 4, &word, 2);
	memset(udp + 6, 0, 2);
	return ETHER + HEADERS + payload;
}

static size_t build(uint8_t *frame, enum kind kind)
{
	static const size_t handshakes[] = { 148, 92, 64 };
	const struct heard *h = &heard[noise() % n_heard];
	uint8_t *message = frame + ETHER + HEADERS;
	size_t payload = h->len - ETHER - HEADERS;

	memcpy(frame, h->frame, h->len);
	switch (kind) {
	case REPLAYED:
		break;
	case ALTERED:
		message[16 + noise() % (payload - 16)] ^= (uint8_t)(1 << noise() % 8);
		break;
	case TRUNCATED:
		payload = noise() % payload;
		break;
	case STRANGER:
		fill(message + 4, 4);
		break;
	case COUNTER:
		fill(message + 8, 8);
		break;
	case HANDSHAKE:
		message[0] = (uint8_t)(1 + noise() % 3);
		payload = handshakes[message[0] - 1];
		fill(message + 4, payload - 4);
		break;
	case RANDOM:
		payload = noise() % 1400;
		fill(message, payload);
		break;
	case KINDS:
		break;
	}
	return lengths_set(frame, payload);
}

static int hostile(const char *name, double count, double rate)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = (int)if_nametoindex(name) };
	static uint8_t frames[BATCH][FRAME];
	struct mmsghdr messages[BATCH] = { 0 };
	struct iovec iov[BATCH];
	double kinds[KINDS] = { 0 }, sent = 0, start;
	int on = 1, fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)))
		die(name);
	listen_to(fd);
	close(fd);
	/* Another one, which hears nothing of what it sends. */
	at.sll_protocol = 0;
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)))
		die(name);
	start = now();
	while (sent < count) {
		int n;

		for (int i = 0; i < BATCH; i++) {
			enum kind kind = (enum kind)(noise() % KINDS);

			iov[i] = (struct iovec){ frames[i], build(frames[i], kind) };
			messages[i].msg_hdr =
				(struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
			kinds[kind]++;
		}
		n = sendmmsg(fd, messages, BATCH, 0);
		if (n < 0 && errno != ENOBUFS && errno != EAGAIN)
			die("send");
		sent += n > 0 ? n : 0;
		pace(start, sent, rate);
	}
	printf("{\"sent\": %.0f, \"seconds\": %.3f, \"kinds\": {", sent, now() - start);
	for (int i = 0; i < KINDS; i++)
		printf("%s\"%s\": %.0f", i ? ", " : "", kind_names[i], kinds[i]);
	printf("}}\n");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 7 && !strcmp(argv[1], "send"))
		return send_all(argv[2], atoi(argv[3]), strtoul(argv[4], NULL, 10),
				strtod(argv[5], NULL), strtod(argv[6], NULL));
	if (argc == 4 && !strcmp(argv[1], "recv"))
		return receive_all(atoi(argv[2]), strtod(argv[3], NULL));
	if (argc == 5 && !strcmp(argv[1], "hostile"))
		return hostile(argv[2], strtod(argv[3], NULL), strtod(argv[4], NULL));
	fprintf(stderr, "usage: engine_load send ADDRESS PORT LEN SECONDS RATE | recv PORT SECONDS "
			"| hostile IF COUNT RATE\n");
	return 2;
}
