/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * initiators peers COUNT				the `wg addconf` lines that let them in
 * initiators rise COUNT NET ADDRESS PORT KEY SECONDS	COUNT peers, the n-th from the n-th address of
 *	NET (a /16), begin a handshake at the same moment and try again as WireGuard does, every 5 s, with
 *	a cookie if they were given one, until all of them have a session. Each then sends four keepalives,
 *	a second apart: {"up":N,"seconds":N,"initiations":N,"cookies":N}; not more than SECONDS are waited.
 * initiators flood ADDRESS PORT KEY SECONDS PAUSE	initiations with the right mac1 and nothing else
 *	right, as fast as they can be sent but for a pause of PAUSE ms behind 2,048 of them, until SIGTERM:
 *	how many, and how many cookie replies came:
 *	{"sent":N,"cookies":N}
 *
 * KEY is the responder's. The peers' private keys follow from their numbers.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include <sodium.h>

#include "engine/aead.h"
#include "engine/cookie.h"
#include "engine/noise.h"

#define NS_PER_S 1000000000ULL

enum {
	COUNT_MAX = 10000,
	RETRY_S = 5,
	RETRY_JITTER_MS = 333,
	KEEPALIVES = 4,
	BATCH = 64,
	BURST = 2048,
};

struct initiator {
	int fd;
	bool up;
	uint64_t due_ns; /* of the next initiation, or the next keepalive */
	unsigned int keepalives;
	uint32_t receiver;
	struct noise_identity identity;
	struct noise_handshake handshake;
	struct cookie_maker cookie;
	struct noise_keys keys;
	struct message_initiation message;
};

struct totals {
	unsigned int up, done, initiations, cookies;
};

static volatile sig_atomic_t stopped;

static void on_signal(int signo)
{
	(void)signo;
	stopped = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "initiators: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* this clock is always there */
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static unsigned int count_of(const char *text)
{
	unsigned long count = strtoul(text, NULL, 10);

	if (!count || count > COUNT_MAX) {
		errno = ERANGE;
		die(text);
	}
	return (unsigned int)count;
}

static void key_of(const char *text, uint8_t ret_key[MESSAGE_KEY_LEN])
{
	size_t len;

	if (sodium_base642bin(ret_key, MESSAGE_KEY_LEN, text, strlen(text), NULL, &len, NULL,
			      sodium_base64_VARIANT_ORIGINAL) ||
	    len != MESSAGE_KEY_LEN) {
		errno = EINVAL;
		die(text);
	}
}

static struct sockaddr_in address_of(const char *address, const char *port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };

	if (inet_pton(AF_INET, address, &in.sin_addr) != 1) {
		errno = EINVAL;
		die(address);
	}
	return in;
}

static void identity_of(unsigned int number, struct noise_identity *ret_identity)
{
	uint8_t seed[16] = "initiator", key[MESSAGE_KEY_LEN];

	memcpy(seed + 12, &number, sizeof(number));
	hash_two(seed, sizeof(seed), NULL, 0, key);
	noise_identity_set(ret_identity, key);
}

static int peers(unsigned int count)
{
	char text[sodium_base64_ENCODED_LEN(MESSAGE_KEY_LEN, sodium_base64_VARIANT_ORIGINAL)];
	struct noise_identity identity;

	for (unsigned int i = 0; i < count; i++) {
		identity_of(i, &identity);
		sodium_bin2base64(text, sizeof(text), identity.public_key, MESSAGE_KEY_LEN,
				  sodium_base64_VARIANT_ORIGINAL);
		printf("[Peer]\nPublicKey = %s\nAllowedIPs = 10.66.%u.%u/32\n", text, i / 256,
		       i % 256);
	}
	return 0;
}

static void initiation_make(struct initiator *initiator, unsigned int number)
{
	uint8_t timestamp[MESSAGE_TIMESTAMP_LEN];

	noise_timestamp(timestamp);
	if (noise_initiation_create(&initiator->handshake, &initiator->identity, number + 1,
				    timestamp, &initiator->message))
		die("initiation");
	cookie_sign(&initiator->cookie, &initiator->message, sizeof(initiator->message), now_ns());
}

static void initiation_send(struct initiator *initiator, struct totals *totals)
{
	/* What has no room is lost on the way, and tried again. */
	(void)send(initiator->fd, &initiator->message, sizeof(initiator->message), 0);
	totals->initiations++;
	initiator->due_ns = now_ns() + RETRY_S * NS_PER_S +
			    randombytes_uniform(RETRY_JITTER_MS) * (NS_PER_S / 1000);
}

static void keepalive_send(struct initiator *initiator, struct aead *aead)
{
	uint8_t bytes[PACKET_OVERHEAD];
	struct message_data header = {
		.type = htole32(MESSAGE_DATA),
		.receiver = htole32(initiator->receiver),
		.counter = htole64(initiator->keepalives),
	};
	struct packet packet = {
		.data = bytes + PACKET_HEADROOM,
		.counter = initiator->keepalives,
		.key = initiator->keys.send,
	};

	memcpy(bytes, &header, sizeof(header));
	aead_seal(aead, &packet, 1);
	/* One of several. */
	(void)send(initiator->fd, bytes, sizeof(bytes), 0);
	initiator->keepalives++;
	initiator->due_ns = now_ns() + NS_PER_S;
}

static void receive(struct initiator *initiator, struct aead *aead, struct totals *totals)
{
	uint8_t bytes[2048];
	struct message_response response;
	struct message_cookie cookie;
	ssize_t len = recv(initiator->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (len == sizeof(cookie) && bytes[0] == MESSAGE_COOKIE) {
		memcpy(&cookie, bytes, sizeof(cookie));
		totals->cookies += !cookie_accept(&initiator->cookie, &cookie, now_ns());
	} else if (len == sizeof(response) && bytes[0] == MESSAGE_RESPONSE && !initiator->up) {
		memcpy(&response, bytes, sizeof(response));
		if (noise_response_accept(&initiator->handshake, &initiator->identity, &response))
			return;
		initiator->receiver = initiator->handshake.remote_index;
		if (noise_keys_derive(&initiator->handshake, &initiator->keys))
			die("keys");
		initiator->up = true;
		totals->up++;
		keepalive_send(initiator, aead);
	}
}

static void act(struct initiator *initiator, unsigned int number, struct aead *aead,
		struct totals *totals)
{
	if (now_ns() < initiator->due_ns || initiator->keepalives >= KEEPALIVES)
		return;
	if (!initiator->up) {
		initiation_make(initiator, number);
		initiation_send(initiator, totals);
		return;
	}
	keepalive_send(initiator, aead);
	totals->done += initiator->keepalives == KEEPALIVES;
}

static void open_from(struct initiator *initiator, struct sockaddr_in net, unsigned int number,
		      const struct sockaddr_in *to)
{
	net.sin_addr.s_addr = htonl(ntohl(net.sin_addr.s_addr) + number + 1);
	net.sin_port = 0;
	initiator->fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (initiator->fd < 0 || bind(initiator->fd, (struct sockaddr *)&net, sizeof(net)) ||
	    connect(initiator->fd, (const struct sockaddr *)to, sizeof(*to)))
		die("socket");
}

static int rise(unsigned int count, char **argv)
{
	const struct sockaddr_in net = address_of(argv[0], "0"), to = address_of(argv[1], argv[2]);
	const struct rlimit files = { COUNT_MAX + 64, COUNT_MAX + 64 };
	struct initiator *all = calloc(count, sizeof(*all));
	struct pollfd *polled = calloc(count, sizeof(*polled));
	struct aead *aead = aead_new(NULL);
	struct totals totals = { 0 };
	uint8_t key[MESSAGE_KEY_LEN];
	uint64_t start, up_ns = 0, end;

	key_of(argv[3], key);
	if (!all || !polled || !aead || setrlimit(RLIMIT_NOFILE, &files))
		die("start");
	for (unsigned int i = 0; i < count; i++) {
		identity_of(i, &all[i].identity);
		noise_handshake_init(&all[i].handshake, &all[i].identity, key);
		cookie_maker_init(&all[i].cookie, key);
		open_from(&all[i], net, i, &to);
		polled[i] = (struct pollfd){ .fd = all[i].fd, .events = POLLIN };
		initiation_make(&all[i], i);
	}
	start = now_ns();
	end = start + (uint64_t)(strtod(argv[4], NULL) * (double)NS_PER_S);
	for (unsigned int i = 0; i < count; i++)
		initiation_send(&all[i], &totals);
	while (totals.done < count && now_ns() < end) {
		if (poll(polled, count, 10) < 0)
			die("poll");
		for (unsigned int i = 0; i < count; i++) {
			if (polled[i].revents)
				receive(&all[i], aead, &totals);
			act(&all[i], i, aead, &totals);
		}
		if (totals.up == count && !up_ns)
			up_ns = now_ns();
	}
	printf("{\"up\":%u,\"seconds\":%.3f,\"initiations\":%u,\"cookies\":%u}\n", totals.up,
	       (double)((up_ns ? up_ns : now_ns()) - start) / 1e9, totals.initiations,
	       totals.cookies);
	return totals.up < count;
}

static int flood(char **argv)
{
	const struct sockaddr_in to = address_of(argv[0], argv[1]);
	struct message_initiation message = { .type = htole32(MESSAGE_INITIATION) };
	struct cookie_maker maker;
	uint8_t key[MESSAGE_KEY_LEN], reply[2048];
	unsigned long tried = 0, sent = 0, cookies = 0;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	uint64_t end = now_ns() + (uint64_t)(strtod(argv[3], NULL) * (double)NS_PER_S);
	int pause_ms = atoi(argv[4]);

	(void)signal(SIGTERM, on_signal); /* it takes this number */
	key_of(argv[2], key);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)))
		die("socket");
	randombytes_buf(&message.sender, offsetof(struct message_initiation, macs) -
						 offsetof(struct message_initiation, sender));
	cookie_maker_init(&maker, key);
	cookie_sign(&maker, &message, sizeof(message), now_ns());
	while (!stopped && now_ns() < end) {
		ssize_t len;

		if (pause_ms && tried && tried % BURST == 0)
			(void)poll(NULL, 0, pause_ms); /* a signal ends it */
		for (int i = 0; i < BATCH; i++, tried++)
			sent += send(fd, &message, sizeof(message), 0) == sizeof(message);
		while ((len = recv(fd, reply, sizeof(reply), MSG_DONTWAIT)) >= 0)
			cookies +=
				len == sizeof(struct message_cookie) && reply[0] == MESSAGE_COOKIE;
	}
	printf("{\"sent\":%lu,\"cookies\":%lu}\n", sent, cookies);
	return 0;
}

int main(int argc, char **argv)
{
	hash_prepare();
	if (argc == 3 && !strcmp(argv[1], "peers"))
		return peers(count_of(argv[2]));
	if (argc == 8 && !strcmp(argv[1], "rise"))
		return rise(count_of(argv[2]), argv + 3);
	if (argc == 7 && !strcmp(argv[1], "flood"))
		return flood(argv + 2);
	fprintf(stderr, "usage: initiators peers COUNT | rise COUNT NET ADDRESS PORT KEY SECONDS | "
			"flood ADDRESS PORT KEY SECONDS PAUSE\n");
	return 2;
}
