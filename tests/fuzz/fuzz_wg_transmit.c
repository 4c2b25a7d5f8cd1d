/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the host gives to an interface's TUN device, from the virtio header with its frame to datagrams:
 * those of each session have all counters from 0 on, open with its key, and hold what the frames for its
 * peer are cut into, in their order; what has no peer, or cannot be, is not sent. Without a session the
 * last PEER_STAGED_MAX packets wait for one.
 *
 * The input is a byte of options, the MTU (2 bytes), and records: a byte of how, a byte by how many
 * times 256 bytes the frame is longer than what is there, two of length, and the virtio header with
 * as much of a frame.
 */
#include <linux/sock_diag.h>

#include "wg_tunnel.h"

enum {
	FRAMES = 80,
	PACKETS = 4096,
	BYTES = 256 << 10, /* of all frames */
	OPTION_STAGED = 1, /* there is no session yet */
	HOW_LENGTH = 1,	   /* the frame's header states its length */
	HOW_ADDRESS = 2,   /* it is for an address of a peer: */
	HOW_OTHER = 4,	   /* the other one */
	HEAD = 4 + sizeof(struct virtio_net_hdr),
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is to be sent. */
struct wanted {
	uint8_t *bytes;
	uint32_t padded;
	uint8_t ecn;
};

static struct tunnel tunnel;
static struct wanted wanted[TUNNEL_PEERS][PACKETS];
static uint32_t n_wanted[TUNNEL_PEERS];

static void expect(const struct virtio_net_hdr *hdr, const uint8_t *frame, uint32_t len)
{
	static struct packet packets[SEGMENT_MAX];
	struct segment_plan plan;
	uint8_t *out;
	int peer = -1;

	if (len >= 20 && frame[0] >> 4 == 4)
		peer = tunnel_owner(frame + 16, 4);
	if (len >= 40 && frame[0] >> 4 == 6)
		peer = tunnel_owner(frame + 24, 16);
	if (peer < 0 || segment_plan(hdr, frame, len, (uint32_t)tunnel.device->mtu, &plan))
		return;
	check(n_wanted[peer] + plan.count <= PACKETS);
	out = malloc(plan.total);
	check(out);
	segment_split(&plan, frame, out, packets);
	for (uint32_t i = 0; i < plan.count; i++) {
		struct wanted *w = &wanted[peer][n_wanted[peer]++];

		w->padded = packets[i].padded;
		w->ecn = packet_ecn(frame);
		w->bytes = malloc(w->padded);
		check(w->bytes);
		memcpy(w->bytes, packets[i].data, w->padded);
	}
	free(out);
}

/* A frame to the device; how long it was. */
static uint32_t give(const uint8_t *record, uint32_t len)
{
	static uint8_t frame[PACKET_MAX];
	uint32_t filler = record[1] * 256u;
	struct virtio_net_hdr hdr;
	struct iovec iov[2] = { { &hdr, sizeof(hdr) }, { frame, 0 } };

	memcpy(&hdr, record + 4, sizeof(hdr));
	memcpy(frame, record + HEAD, len);
	if (filler > sizeof(frame) - len)
		filler = sizeof(frame) - len;
	for (uint32_t i = 0; i < filler; i++)
		frame[len + i] = (uint8_t)(i + i / 251);
	len += filler;
	if (record[0] & HOW_LENGTH && len >= 40) {
		if (frame[0] >> 4 == 4)
			packets_put16(frame + 2, len);
		else
			packets_put16(frame + 4, len - 40);
	}
	if (record[0] & HOW_ADDRESS && len >= 40) {
		const uint8_t v4[2] = { 10, record[0] & HOW_OTHER ? 2 : 1 };
		const uint8_t v6[4] = { 0xfd, 0, 0, record[0] & HOW_OTHER ? 2 : 1 };

		if (frame[0] >> 4 == 4)
			memcpy(frame + 16, v4, sizeof(v4));
		else
			memcpy(frame + 24, v6, sizeof(v6));
	}
	if (!len)
		return 0;
	iov[1].iov_len = len;
	check(!tun_write(tunnel.host, iov, 2));
	expect(&hdr, frame, len);
	return len;
}

/* Datagrams that found no room at the wire, as the kernel counts them. */
static uint32_t overflowed(void)
{
	uint32_t info[SK_MEMINFO_VARS];
	socklen_t len = sizeof(info);

	check(!getsockopt(tunnel.wire, SOL_SOCKET, SO_MEMINFO, info, &len));
	return info[SK_MEMINFO_DROPS];
}

static uint8_t ecn_of(struct msghdr *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);

	return c && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS ? CMSG_DATA(c)[0] & 3 : 0;
}

/* One datagram is what the session's next ones are, `first` being the first that was not thrown away. */
static void look(uint8_t *bytes, uint32_t len, uint8_t ecn, const uint32_t first[TUNNEL_PEERS],
		 uint64_t next[TUNNEL_PEERS])
{
	struct packet packet = { .data = bytes + PACKET_HEADROOM, .padded = len - PACKET_OVERHEAD };
	struct message_data header;
	const struct wanted *w;
	int peer = 0;

	check(len >= PACKET_OVERHEAD);
	memcpy(&header, bytes, sizeof(header));
	check(header.type == htole32(MESSAGE_DATA));
	while (peer < TUNNEL_PEERS && tunnel.peers[peer].index != le32toh(header.receiver))
		peer++;
	check(peer < TUNNEL_PEERS);
	packet.counter = le64toh(header.counter);
	packet.key = tunnel.peers[peer].keys.receive;
	aead_open(tunnel.aead, &packet, 1);
	check(packet.ok && packet.counter >= next[peer]);
	next[peer] = packet.counter + 1;
	check(first[peer] + packet.counter < n_wanted[peer]);
	w = &wanted[peer][first[peer] + packet.counter];
	check(packet.padded == w->padded && ecn == w->ecn);
	check(!memcmp(packet.data, w->bytes, w->padded));
}

static void wire_read(const uint32_t first[TUNNEL_PEERS], uint32_t overflow)
{
	static uint8_t bytes[PACKET_MAX];
	uint8_t control[CMSG_SPACE(sizeof(int))];
	uint64_t next[TUNNEL_PEERS] = { 0 };
	uint32_t left = 0;

	/* Of an MTU beyond what UDP carries there may be messages that nobody can send. */
	for (int i = 0; i < TUNNEL_PEERS; i++)
		for (uint32_t k = first[i]; k < n_wanted[i]; k++)
			left += wanted[i][k].padded + PACKET_OVERHEAD <= UDP_DATAGRAM_MAX;
	while (left > overflowed() - overflow) {
		struct pollfd ready = { .fd = tunnel.wire, .events = POLLIN };
		struct iovec iov = { bytes, sizeof(bytes) };
		struct msghdr msg = { .msg_iov = &iov,
				      .msg_iovlen = 1,
				      .msg_control = control,
				      .msg_controllen = sizeof(control) };
		ssize_t len;

		check(poll(&ready, 1, TUNNEL_PATIENCE_MS) == 1);
		len = recvmsg(tunnel.wire, &msg, 0);
		check(len > 0);
		look(bytes, (uint32_t)len, ecn_of(&msg), first, next);
		left--;
	}
	check(recv(tunnel.wire, bytes, sizeof(bytes), MSG_DONTWAIT) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t first[TUNNEL_PEERS] = { 0 }, overflow, given = 0;
	bool staged;
	uint16_t mtu;

	if (size < 3)
		return 0;
	if (!tunnel.runtime)
		tunnel_new(&tunnel);
	tunnel_reset(&tunnel, runtime_now());
	staged = data[0] & OPTION_STAGED;
	memcpy(&mtu, data + 1, sizeof(mtu));
	tunnel.device->mtu = mtu;
	data += 3;
	size -= 3;
	memset(n_wanted, 0, sizeof(n_wanted));
	for (int i = 0; i < TUNNEL_PEERS; i++)
		if (staged)
			tunnel.peers[i].peer->current = NULL;
	overflow = overflowed();
	for (int i = 0; i < FRAMES && given < BYTES && size >= HEAD; i++) {
		uint32_t len = (uint32_t)(data[2] | data[3] << 8);

		if (len > size - HEAD)
			len = (uint32_t)(size - HEAD);
		/* As many as the wire holds and a batch may have. */
		if (n_wanted[0] + n_wanted[1] + SEGMENT_MAX > PACKETS)
			break;
		given += give(data, len);
		data += HEAD + len;
		size -= HEAD + len;
	}
	while (worker_serve(tunnel.runtime->workers[0], 0) > 0)
		;
	for (int i = 0; i < TUNNEL_PEERS; i++) {
		struct peer *peer = tunnel.peers[i].peer;

		if (!staged)
			continue;
		check(!peer->tx_bytes);
		check(peer->n_staged ==
		      (n_wanted[i] < PEER_STAGED_MAX ? n_wanted[i] : PEER_STAGED_MAX));
		first[i] = n_wanted[i] - peer->n_staged;
		peer->current = tunnel.peers[i].keypair;
	}
	runtime_drain_events(tunnel.runtime, runtime_now());
	wire_read(first, overflow);
	for (int i = 0; i < TUNNEL_PEERS; i++) {
		uint64_t bytes = 0;

		for (uint32_t k = 0; k < n_wanted[i]; k++) {
			if (k >= first[i])
				bytes += wanted[i][k].padded + PACKET_OVERHEAD;
			free(wanted[i][k].bytes);
		}
		check(tunnel.peers[i].peer->tx_bytes == bytes);
	}
	return 0;
}
