/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A client of a TURN server (RFC 8656) without credentials: an allocation, with a channel to one
 * peer, for others to send through.
 *
 * usage: turn_client FROM SERVER PEER
 *
 * All three are address:port, IPv4. When ChannelData of channel 0x4000 from FROM to SERVER gets to
 * PEER, it prints the relayed address; then it keeps that up until standard input ends.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

/* RFC 8489 section 5, RFC 8656 sections 17 and 18. */
#define STUN_COOKIE 0x2112a442u
#define STUN_SUCCESS 0x0100
#define STUN_CLASS 0x0110
#define TURN_ALLOCATE 0x0003
#define TURN_REFRESH 0x0004
#define TURN_CHANNEL_BIND 0x0009
#define ATTR_ERROR_CODE 0x0009
#define ATTR_CHANNEL_NUMBER 0x000c
#define ATTR_LIFETIME 0x000d
#define ATTR_XOR_PEER_ADDRESS 0x0012
#define ATTR_XOR_RELAYED_ADDRESS 0x0016
#define ATTR_REQUESTED_TRANSPORT 0x0019
#define FAMILY_IPV4 1

#define CHANNEL 0x4000
#define KEEP_MS 60000 /* a permission lives for five minutes, the rest for ten */
#define RETRY_MS 500  /* doubles with each of TRIES */
#define TRIES 6

struct stun {
	uint16_t type;
	uint16_t length; /* behind this head */
	uint32_t cookie;
	uint8_t id[12];
	uint8_t attributes[512];
};

#define STUN_HEAD offsetof(struct stun, attributes)

struct stun_address {
	uint8_t reserved;
	uint8_t family;
	uint16_t port;
	uint32_t addr;
};

static int sock = -1;

static void die(const char *what, const char *why)
{
	fprintf(stderr, "turn_client: %s: %s\n", what, why);
	exit(1);
}

static struct sockaddr_in parse_end(const char *text)
{
	struct sockaddr_in end = { .sin_family = AF_INET };
	const char *colon = strchr(text, ':');
	char addr[INET_ADDRSTRLEN];

	if (!colon || (size_t)(colon - text) >= sizeof(addr))
		die(text, "no address:port");
	memcpy(addr, text, (size_t)(colon - text));
	addr[colon - text] = '\0';
	if (inet_pton(AF_INET, addr, &end.sin_addr) != 1)
		die(text, "no address:port");
	end.sin_port = htons((uint16_t)atoi(colon + 1));
	return end;
}

/* -- Messages. -- */

static void request_init(struct stun *message, uint16_t type)
{
	memset(message, 0, sizeof(*message));
	message->type = htons(type);
	message->cookie = htonl(STUN_COOKIE);
	if (getrandom(message->id, sizeof(message->id), 0) != sizeof(message->id))
		die("getrandom", strerror(errno));
}

/* Values here are of 4 or 8 bytes: none needs padding. */
static void request_add(struct stun *message, uint16_t type, const void *value, uint16_t len)
{
	const uint16_t used = ntohs(message->length), head[2] = { htons(type), htons(len) };

	memcpy(message->attributes + used, head, sizeof(head));
	memcpy(message->attributes + used + sizeof(head), value, len);
	message->length = htons((uint16_t)(used + sizeof(head) + len));
}

/* The value of an attribute, NULL where it is missing. */
static const uint8_t *answer_find(const struct stun *message, uint16_t type, uint16_t len)
{
	const uint16_t used = ntohs(message->length);
	uint16_t head[2];

	for (size_t at = 0; at + sizeof(head) <= used;) {
		memcpy(head, message->attributes + at, sizeof(head));
		at += sizeof(head);
		if (at + ntohs(head[1]) > used)
			break;
		if (ntohs(head[0]) == type && ntohs(head[1]) >= len)
			return message->attributes + at;
		at += (ntohs(head[1]) + 3u) & ~3u;
	}
	return NULL;
}

static int answers(const struct stun *answer, size_t len, const struct stun *request)
{
	return len >= STUN_HEAD && len - STUN_HEAD == ntohs(answer->length) &&
	       answer->cookie == request->cookie &&
	       !memcmp(answer->id, request->id, sizeof(answer->id)) &&
	       (ntohs(answer->type) & ~STUN_CLASS) == ntohs(request->type) &&
	       (ntohs(answer->type) & STUN_SUCCESS);
}

/* Sends until it is answered; ends the program where the answer is an error. */
static void request_do(const char *name, const struct stun *request, struct stun *ret_answer)
{
	struct pollfd in = { .fd = sock, .events = POLLIN };
	const uint8_t *error;
	char code[8];
	ssize_t len;

	for (int i = 0; i < TRIES; i++) {
		if (send(sock, request, STUN_HEAD + ntohs(request->length), 0) < 0)
			die(name, strerror(errno));
		while (poll(&in, 1, RETRY_MS << i) > 0) {
			len = recv(sock, ret_answer, sizeof(*ret_answer), 0);
			if (len < 0 || !answers(ret_answer, (size_t)len, request))
				continue;
			if (ntohs(ret_answer->type) == (ntohs(request->type) | STUN_SUCCESS))
				return;
			error = answer_find(ret_answer, ATTR_ERROR_CODE, 4);
			snprintf(code, sizeof(code), "%d", error ? error[2] * 100 + error[3] : 0);
			die(name, code);
		}
	}
	die(name, "no answer");
}

/* -- What a client asks for. -- */

static void allocate(void)
{
	const uint8_t transport[4] = { IPPROTO_UDP };
	struct stun request, answer;
	struct stun_address relayed;
	char text[INET_ADDRSTRLEN];
	const uint8_t *value;

	request_init(&request, TURN_ALLOCATE);
	request_add(&request, ATTR_REQUESTED_TRANSPORT, transport, sizeof(transport));
	request_do("allocate", &request, &answer);
	value = answer_find(&answer, ATTR_XOR_RELAYED_ADDRESS, sizeof(relayed));
	if (!value)
		die("allocate", "no relayed address");
	memcpy(&relayed, value, sizeof(relayed));
	relayed.addr ^= htonl(STUN_COOKIE);
	snprintf(text, sizeof(text), "%s", inet_ntoa((struct in_addr){ relayed.addr }));
	printf("%s:%d\n", text, ntohs(relayed.port) ^ STUN_COOKIE >> 16);
}

static void bind_channel(const struct sockaddr_in *peer)
{
	const struct stun_address to = { .family = FAMILY_IPV4,
					 .port = peer->sin_port ^ htons(STUN_COOKIE >> 16),
					 .addr = peer->sin_addr.s_addr ^ htonl(STUN_COOKIE) };
	const uint16_t channel[2] = { htons(CHANNEL) };
	struct stun request, answer;

	request_init(&request, TURN_CHANNEL_BIND);
	request_add(&request, ATTR_CHANNEL_NUMBER, channel, sizeof(channel));
	request_add(&request, ATTR_XOR_PEER_ADDRESS, &to, sizeof(to));
	request_do("bind channel", &request, &answer);
}

static void refresh(uint32_t seconds)
{
	const uint32_t lifetime = htonl(seconds);
	struct stun request, answer;

	request_init(&request, TURN_REFRESH);
	request_add(&request, ATTR_LIFETIME, &lifetime, sizeof(lifetime));
	request_do("refresh", &request, &answer);
}

int main(int argc, char **argv)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	struct sockaddr_in from, server, peer;
	char byte;
	int rc;

	if (argc != 4) {
		fprintf(stderr, "usage: turn_client FROM SERVER PEER\n");
		return 2;
	}
	from = parse_end(argv[1]);
	server = parse_end(argv[2]);
	peer = parse_end(argv[3]);
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0 || bind(sock, (struct sockaddr *)&from, sizeof(from)))
		die(argv[1], strerror(errno));
	if (connect(sock, (struct sockaddr *)&server, sizeof(server)))
		die(argv[2], strerror(errno));
	allocate();
	bind_channel(&peer);
	fflush(stdout);
	while ((rc = poll(&in, 1, KEEP_MS)) >= 0) {
		if (rc && read(STDIN_FILENO, &byte, 1) <= 0)
			break;
		if (!rc) {
			refresh(600);
			bind_channel(&peer);
		}
	}
	refresh(0);
	return 0;
}
