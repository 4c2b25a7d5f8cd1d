/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An interface of the engine's with a worker that runs in the caller's thread, two peers, and a session
 * with each, made by real handshakes over the loopback. A socket pair stands for its TUN device.
 *
 * Peer 0 has 10.0.0.0/8 and fd00::/16, peer 1 of these 10.2.0.0/16 and fd00:2::/32.
 */
#ifndef FUZZ_WG_TUNNEL_H
#define FUZZ_WG_TUNNEL_H

#include <arpa/inet.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/handshake.h"
#include "engine/runtime.h"
#include "engine/uapi.h"
#include "engine/worker.h"
#include "wg_packets.h"

enum {
	TUNNEL_PEERS = 2,
	TUNNEL_PATIENCE_MS = 5000,
};

struct tunnel_peer {
	struct noise_identity identity;
	struct peer *peer;
	struct keypair *keypair; /* the engine's */
	struct noise_keys keys;	 /* and its peer's */
	uint32_t index;		 /* by which the peer knows the session */
};

struct tunnel {
	struct runtime *runtime;
	struct device *device;
	int host;		    /* the other end of the TUN device */
	int wire;		    /* the peers' socket, connected to the interface's */
	struct sockaddr_in address; /* of the interface */
	struct aead *aead;
	struct tunnel_peer peers[TUNNEL_PEERS];
};

static inline int tunnel_wire(const struct sockaddr_in *to)
{
	const struct sockaddr_in any = { .sin_family = AF_INET,
					 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct timeval patience = { .tv_sec = TUNNEL_PATIENCE_MS / 1000 };
	const int on = 1, bytes = 16 << 20;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	check(fd >= 0 && !bind(fd, (const struct sockaddr *)&any, sizeof(any)) &&
	      !connect(fd, (const struct sockaddr *)to, sizeof(*to)));
	check(!setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof(on)) &&
	      !setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)));
	/* Who is not root has less; then what is lost is counted. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	return fd;
}

static inline struct endpoint tunnel_endpoint(int wire)
{
	struct endpoint endpoint = { 0 };
	socklen_t len = sizeof(endpoint.in);

	check(!getsockname(wire, &endpoint.sa, &len));
	return endpoint;
}

static inline struct uapi_allowed_ip tunnel_prefix(const char *address, uint8_t cidr)
{
	struct uapi_allowed_ip ip = { .ip.cidr = cidr, .ip.family = ALLOWED_V6 };

	if (!strchr(address, ':'))
		ip.ip.family = ALLOWED_V4;
	check(inet_pton(strchr(address, ':') ? AF_INET6 : AF_INET, address, ip.ip.address) == 1);
	return ip;
}

/* A handshake that this peer begins. */
static inline void tunnel_shake_hands(struct tunnel *t, struct tunnel_peer *p, uint32_t index)
{
	static const uint8_t timestamp[MESSAGE_TIMESTAMP_LEN] = { 0x40, 1 };
	struct runtime_message message = { .device = t->device };
	struct message_initiation initiation;
	struct message_response response;
	struct noise_handshake handshake;
	struct cookie_maker maker;

	memset(&handshake, 0, sizeof(handshake));
	noise_handshake_init(&handshake, &p->identity, t->device->identity.public_key);
	check(!noise_initiation_create(&handshake, &p->identity, index, timestamp, &initiation));
	cookie_maker_init(&maker, t->device->identity.public_key);
	cookie_sign(&maker, &initiation, sizeof(initiation), runtime_now());
	message.from = tunnel_endpoint(t->wire);
	message.len = sizeof(initiation);
	memcpy(message.bytes, &initiation, sizeof(initiation));
	handshake_receive(&message, false, runtime_now());
	check(recv(t->wire, &response, sizeof(response), 0) == sizeof(response));
	check(!noise_response_accept(&handshake, &p->identity, &response));
	check(!noise_keys_derive(&handshake, &p->keys));
	p->index = index;
	p->keypair = device_find_keypair(t->device, le32toh(response.sender));
	check(p->keypair && p->keypair->peer == p->peer);
	peer_promote(p->peer, p->keypair);
}

static inline void tunnel_new(struct tunnel *t)
{
	const uint8_t our_key[32] = { 7, 7 };
	struct uapi_allowed_ip ips[] = {
		tunnel_prefix("10.0.0.0", 8),
		tunnel_prefix("fd00::", 16),
		tunnel_prefix("10.2.0.0", 16),
		tunnel_prefix("fd00:2::", 32),
	};
	struct uapi_peer peers[TUNNEL_PEERS] = { { .n_ips = 2 }, { .first_ip = 2, .n_ips = 2 } };
	struct uapi_set set = {
		.has_private_key = true,
		.has_port = true,
		.peers = peers,
		.n_peers = TUNNEL_PEERS,
		.ips = ips,
		.n_ips = 4,
	};
	const int bytes = 16 << 20;
	struct device *device = calloc(1, sizeof(*device));
	int pair[2];

	check(device && !runtime_new(0, NULL, &t->runtime));
	check(!worker_new(t->runtime, 0, NULL, &t->runtime->workers[0]));
	t->runtime->n_workers = t->runtime->retire.n_workers = 1;
	check(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair));
	for (int i = 0; i < 2; i++)
		(void)setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
	t->host = pair[1];
	t->device = device;
	t->aead = aead_new(NULL);
	check(t->aead);
	device->runtime = t->runtime;
	check(!pthread_mutex_init(&device->checker_lock, NULL));
	device->tun.queues = 1;
	device->tun.fd[0] = pair[0];
	device->mtu = 1420;
	device->link_up = true;
	device->allowed_ips = allowed_ips_new();
	device->indices = index_table_new(DEVICE_FIRST_INDICES);
	atomic_store(&t->runtime->devices[0], device);
	t->runtime->n_devices = 1;
	memcpy(set.private_key, our_key, sizeof(our_key));
	for (int i = 0; i < TUNNEL_PEERS; i++) {
		const uint8_t key[32] = { 9, (uint8_t)(9 + i) };

		noise_identity_set(&t->peers[i].identity, key);
		memcpy(peers[i].public_key, t->peers[i].identity.public_key, 32);
	}
	check(!device_apply(device, &set) && device->up && device->udp[0].fd4 >= 0);
	t->address = (struct sockaddr_in){ .sin_family = AF_INET,
					   .sin_port = htons(device->port),
					   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	t->wire = tunnel_wire(&t->address);
	for (int i = 0; i < TUNNEL_PEERS; i++) {
		t->peers[i].peer = device_find_peer(device, peers[i].public_key);
		check(t->peers[i].peer);
		tunnel_shake_hands(t, &t->peers[i], (uint32_t)i + 5);
	}
}

/* Sessions as they were at first, created at this time; peers at the wire. */
static inline void tunnel_reset(struct tunnel *t, uint64_t created_ns)
{
	const struct endpoint wire = tunnel_endpoint(t->wire);

	for (int i = 0; i < TUNNEL_PEERS; i++) {
		struct tunnel_peer *p = &t->peers[i];

		p->keypair->counter = 0;
		p->keypair->created_ns = created_ns;
		memset(&p->keypair->replay, 0, sizeof(p->keypair->replay));
		p->peer->current = p->keypair;
		p->peer->next_keypair = NULL;
		p->peer->previous = NULL;
		p->peer->rx_bytes = p->peer->tx_bytes = 0;
		timers_stop(&p->peer->timers);
		peer_drop_staged(p->peer);
		peer_set_endpoint(p->peer, &wire);
	}
	retire_collect(&t->runtime->retire);
}

/* Whose an address of 4 or 16 bytes is, or -1. */
static inline int tunnel_owner(const uint8_t *address, size_t len)
{
	if (len == 4)
		return address[0] != 10 ? -1 : address[1] == 2;
	if (address[0] != 0xfd || address[1])
		return -1;
	return !address[2] && address[3] == 2;
}

#endif
