/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * advert SOURCE DESTINATION VRID PRIORITY TTL COUNT INTERVAL-US VIP...: VRRPv3 adverts over IPv4
 * (RFC 9568), in the name of SOURCE. What a replay would send too, as adverts carry nothing that
 * changes.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PROTO_VRRP 112
#define VIPS_MAX 20
#define FIXED_ARGS 8

struct advert {
	struct iphdr ip;
	uint8_t version_type, vrid, priority, n_vips;
	uint16_t interval; /* centiseconds */
	uint16_t checksum;
	uint32_t vips[VIPS_MAX];
};

static uint32_t sum(const void *data, size_t len, uint32_t start)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i + 1 < len; i += 2)
		start += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	return start;
}

static uint32_t address(const char *text)
{
	struct in_addr addr;

	if (inet_pton(AF_INET, text, &addr) != 1) {
		fprintf(stderr, "advert: '%s' is no IPv4 address\n", text);
		exit(2);
	}
	return addr.s_addr;
}

static size_t build(char **argv, int n_vips, struct advert *ret_advert)
{
	struct advert *a = ret_advert;
	const size_t len = offsetof(struct advert, vips) + (size_t)n_vips * 4;
	const size_t payload = len - sizeof(a->ip);
	uint32_t total;

	memset(a, 0, sizeof(*a));
	a->ip.version = 4;
	a->ip.ihl = 5;
	a->ip.tos = 0xc0;
	a->ip.ttl = (uint8_t)atoi(argv[5]);
	a->ip.protocol = PROTO_VRRP;
	a->ip.saddr = address(argv[1]);
	a->ip.daddr = address(argv[2]);
	a->version_type = 0x31;
	a->vrid = (uint8_t)atoi(argv[3]);
	a->priority = (uint8_t)atoi(argv[4]);
	a->n_vips = (uint8_t)n_vips;
	a->interval = htons(10);
	for (int i = 0; i < n_vips; i++)
		a->vips[i] = address(argv[FIXED_ARGS + i]);
	total = sum(&a->ip.saddr, 8, (uint32_t)(PROTO_VRRP + payload));
	total = sum(&a->version_type, payload, total);
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	a->checksum = htons((uint16_t)~total);
	return len;
}

int main(int argc, char **argv)
{
	const int n_vips = argc - FIXED_ARGS;
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct timespec pause = { 0 };
	struct advert advert;
	size_t len;
	int fd;

	if (n_vips < 1 || n_vips > VIPS_MAX) {
		fputs("usage: advert SOURCE DESTINATION VRID PRIORITY TTL COUNT INTERVAL-US VIP...\n",
		      stderr);
		return 2;
	}
	len = build(argv, n_vips, &advert);
	to.sin_addr.s_addr = advert.ip.daddr;
	pause.tv_nsec = atol(argv[7]) * 1000;
	fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	if (fd < 0) {
		perror("advert: socket");
		return 1;
	}
	for (long i = atol(argv[6]); i > 0; i--) {
		if (sendto(fd, &advert, len, 0, (const struct sockaddr *)&to, sizeof(to)) < 0) {
			perror("advert: send");
			return 1;
		}
		nanosleep(&pause, NULL);
	}
	close(fd);
	return 0;
}
