/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames that nobody means well with, and what the data plane has to do with each: a reason of
 * bpf/dataplane.h. What random bytes decide is decided from the same bytes here.
 */
#ifndef NETPAS_TESTS_HOSTILE_FRAMES_H
#define NETPAS_TESTS_HOSTILE_FRAMES_H

#include "dataplane.h"
#include "packet.h"

#define FRAME_MAX 1514
#define FRAME_ETH 14
#define FRAME_IP6 40
#define FRAME_UDP 8
#define HOSTILE_ADDRS 4
#define HOSTILE_CAPTURES 256
#define HOSTILE_UNKNOWN 999 /* an id of no node */

/* Instead of a reason: passed or DROP_HANDSHAKES, as the limit of the node has it. */
#define HOSTILE_LIMITED DP_COUNT_MAX

/* What was seen on the wire before. */
enum hostile_capture {
	HOSTILE_REQUEST, /* probes to the gateway */
	HOSTILE_REPLY,
	HOSTILE_OWN, /* requests by the gateway */
	HOSTILE_DATA,
	HOSTILE_CAPTURE_MAX,
};

struct hostile_frame {
	uint8_t data[FRAME_MAX];
	size_t len;
};

struct hostile_taken {
	struct hostile_frame frames[HOSTILE_CAPTURES];
	unsigned int n;
};

struct hostile_node {
	uint16_t id;
	uint32_t addrs[HOSTILE_ADDRS]; /* network order */
	unsigned int n;
};

struct hostile {
	uint8_t mac[6], source_mac[6];
	uint16_t base, self;
	uint32_t local; /* network order, as all addresses */
	uint32_t inner_from, inner_to;
	struct hostile_node peer, relay;
	struct hostile_taken taken[HOSTILE_CAPTURE_MAX];
	uint64_t seed;
};

/* -- chance -- */

static inline uint64_t hostile_noise(struct hostile *h)
{
	h->seed ^= h->seed << 13;
	h->seed ^= h->seed >> 7;
	h->seed ^= h->seed << 17;
	return h->seed * 0x2545f4914f6cdd1dull;
}

/* 0 to n - 1 */
static inline unsigned int hostile_pick(struct hostile *h, unsigned int n)
{
	return (unsigned int)((hostile_noise(h) >> 32) * n >> 32);
}

static inline void hostile_fill(struct hostile *h, uint8_t *at, size_t len)
{
	uint64_t word;

	for (; len >= sizeof(word); at += sizeof(word), len -= sizeof(word)) {
		word = hostile_noise(h);
		memcpy(at, &word, sizeof(word));
	}
	word = hostile_noise(h);
	memcpy(at, &word, len);
}

/* Most are short, as a flood is; one in sixteen is of any length. */
static inline size_t hostile_len(struct hostile *h, size_t max)
{
	return hostile_pick(h, hostile_pick(h, 16) || max < 160 ? 160 : (unsigned int)max);
}

static inline uint32_t hostile_peer_addr(struct hostile *h)
{
	return h->peer.addrs[hostile_pick(h, h->peer.n)];
}

static inline bool hostile_is_node(const struct hostile *h, uint32_t addr)
{
	for (unsigned int i = 0; i < HOSTILE_ADDRS; i++)
		if ((i < h->peer.n && h->peer.addrs[i] == addr) ||
		    (i < h->relay.n && h->relay.addrs[i] == addr))
			return true;
	return false;
}

/* Some address of the Internet; those of the lab's other nodes are none of what is drawn. */
static inline uint32_t hostile_stranger(struct hostile *h)
{
	static const uint8_t nets[] = { 1, 8, 23, 45, 80, 93, 104, 151, 185, 217 };
	uint32_t addr;

	do
		addr = htonl((uint32_t)nets[hostile_pick(h, sizeof(nets))] << 24 |
			     (uint32_t)(hostile_noise(h) >> 40));
	while (hostile_is_node(h, addr));
	return addr;
}

/* -- headers -- */

static inline void hostile_put32(uint8_t *at, uint32_t addr)
{
	memcpy(at, &addr, sizeof(addr));
}

static inline uint8_t *hostile_eth(const struct hostile *h, uint8_t *frame, unsigned int type)
{
	memcpy(frame, h->mac, 6);
	memcpy(frame + 6, h->source_mac, 6);
	packet_put16(frame + 12, type);
	return frame + FRAME_ETH;
}

static inline void hostile_ip_sum(uint8_t *ip)
{
	const size_t header = (ip[0] & 15) * 4u;

	packet_put16(ip + 10, 0);
	packet_put16(ip + 10, packet_sum_fold(packet_sum_add(0, ip, header)));
}

/* With header bytes of IPv4 header, options unset, and len bytes to follow it. */
static inline uint8_t *hostile_ip4(struct hostile *h, uint8_t *ip, size_t header, uint8_t proto,
				   uint32_t from, uint32_t to, size_t len)
{
	memset(ip, 1, header); /* options: no operation */
	memset(ip, 0, 20);
	ip[0] = (uint8_t)(0x40 | header / 4);
	packet_put16(ip + 2, (unsigned int)(header + len));
	packet_put16(ip + 4, hostile_pick(h, 65536));
	ip[8] = 60;
	ip[9] = proto;
	hostile_put32(ip + 12, from);
	hostile_put32(ip + 16, to);
	hostile_ip_sum(ip);
	return ip + header;
}

/* Without a checksum, which IPv4 allows: so the receiver has to look further. */
static inline uint8_t *hostile_udp(uint8_t *udp, unsigned int source, unsigned int destination,
				   size_t len)
{
	packet_put16(udp, source);
	packet_put16(udp + 2, destination);
	packet_put16(udp + 4, (unsigned int)(FRAME_UDP + len));
	packet_put16(udp + 6, 0);
	return udp + FRAME_UDP;
}

static inline unsigned int hostile_port(const struct hostile *h, unsigned int id)
{
	return (unsigned int)h->base + id;
}

/* UDP to a mesh port, from whom, between these ids; returns where the payload begins. */
static inline uint8_t *hostile_mesh(struct hostile *h, uint8_t *frame, uint32_t source,
				    unsigned int from, unsigned int to, size_t len)
{
	uint8_t *at = hostile_eth(h, frame, 0x0800);

	at = hostile_ip4(h, at, 20, IPPROTO_UDP, source, h->local, FRAME_UDP + len);
	return hostile_udp(at, hostile_port(h, to), hostile_port(h, from), len);
}

static inline size_t hostile_mesh_len(size_t payload)
{
	return FRAME_ETH + 20 + FRAME_UDP + payload;
}

/* -- payloads -- */

/* A message of WireGuard's form with nothing in it; returns its length. */
static inline size_t hostile_wireguard(struct hostile *h, uint8_t *at, uint8_t type)
{
	static const uint8_t lens[] = { 0, 148, 92, 64 };
	const size_t len = type < 4 ? lens[type] : 32 + 16 * hostile_pick(h, 8);

	hostile_fill(h, at, len);
	memset(at, 0, 4);
	at[0] = type;
	return len;
}

/* What a payload from a node under its own name is worth. */
static inline unsigned int hostile_worth(const uint8_t *at, size_t len)
{
	if (len < 4)
		return DP_COUNT_DROP_MALFORMED;
	if (at[0] == DP_PROBE_REQUEST || at[0] == DP_PROBE_REPLY)
		return DP_COUNT_DROP_PROBE_FORM; /* chance does not hit the ids */
	if (at[1] || at[2] || at[3])
		return DP_COUNT_DROP_MALFORMED;
	if ((at[0] == 1 && len == 148) || (at[0] == 2 && len == 92) || (at[0] == 3 && len == 64))
		return HOSTILE_LIMITED;
	return at[0] == 4 && len >= 32 ? DP_COUNT_PASS_DATA : DP_COUNT_DROP_MALFORMED;
}

/* -- kinds: each builds a frame and says what has to become of it -- */

static inline size_t hostile_bytes(struct hostile *h, uint8_t *frame, unsigned int *ret_reason)
{
	static const uint16_t types[] = { 0x0800, 0x0800, 0x86dd, 0x88b5, 0x8847, 0x0100 };
	const size_t len = FRAME_ETH + hostile_len(h, FRAME_MAX - FRAME_ETH);

	hostile_fill(h, hostile_eth(h, frame, types[hostile_pick(h, 6)]), len - FRAME_ETH);
	*ret_reason = DP_COUNT_PASS_OTHER;
	return len;
}

static inline size_t hostile_random(struct hostile *h, uint8_t *frame, unsigned int *ret_reason)
{
	const size_t len = hostile_len(h, 1400);
	uint8_t *at = hostile_mesh(h, frame, hostile_peer_addr(h), h->peer.id, h->self, len);

	hostile_fill(h, at, len);
	*ret_reason = hostile_worth(at, len);
	return hostile_mesh_len(len);
}

static inline size_t hostile_types(struct hostile *h, uint8_t *frame, unsigned int *ret_reason)
{
	static const size_t lens[] = { 4, 32, 64, 92, 96, 148, 160, 1452 };
	const size_t len = lens[hostile_pick(h, 8)];
	uint8_t *at = hostile_mesh(h, frame, hostile_peer_addr(h), h->peer.id, h->self, len);

	hostile_fill(h, at, len);
	memset(at, 0, 4);
	at[0] = (uint8_t)(hostile_pick(h, 252) + 4);
	if (at[0] == 4)
		at[0] = 0;
	*ret_reason = hostile_worth(at, len);
	return hostile_mesh_len(len);
}

/* Cut at a header's end, or beside it, or anywhere. */
static inline size_t hostile_truncated(struct hostile *h, uint8_t *frame, unsigned int *ret_reason)
{
	static const uint8_t ends[] = { 14, 15, 33, 34, 35, 41, 42, 43, 45, 46, 47, 73 };
	uint8_t *at = hostile_mesh(h, frame, hostile_peer_addr(h), h->peer.id, h->self, 176);
	size_t len;

	hostile_fill(h, at, 176);
	memcpy(at, (const uint8_t[]){ 4, 0, 0, 0 }, 4);
	len = hostile_pick(h, 2) ? ends[hostile_pick(h, sizeof(ends))] : 14 + hostile_pick(h, 204);
	*ret_reason =
		len < FRAME_ETH + 20 + FRAME_UDP ? DP_COUNT_PASS_OTHER : DP_COUNT_DROP_MALFORMED;
	return len;
}

/* Lengths and versions that contradict the frame, or each other. */
static inline size_t hostile_lengths(struct hostile *h, uint8_t *frame, unsigned int *ret_reason)
{
	uint8_t *at = hostile_mesh(h, frame, hostile_peer_addr(h), h->peer.id, h->self, 160);
	uint8_t *ip = frame + FRAME_ETH, *udp = ip + 20;
	const size_t len = hostile_mesh_len(hostile_wireguard(h, at, 4));
	const unsigned int total = (unsigned int)len - FRAME_ETH;

	packet_put16(ip + 2, total);
	packet_put16(udp + 4, total - 20);
	*ret_reason = DP_COUNT_DROP_MALFORMED;
	switch (hostile_pick(h, 9)) {
	case 0:
		packet_put16(ip + 2, total + 1 + hostile_pick(h, 1000));
		break;
	case 1:
		packet_put16(ip + 2, hostile_pick(h, total));
		break;
	case 2:
		packet_put16(udp + 4, total - 19 + hostile_pick(h, 60000));
		break;
	case 3:
		packet_put16(udp + 4, 8 + hostile_pick(h, total - 28));
		break;
	case 4:
		packet_put16(udp + 4, hostile_pick(h, 8));
		break;
	case 5:
		packet_put16(ip + 2, 65535);
		packet_put16(udp + 4, 65515);
		break;
	case 6:
		packet_put16(ip + 2, 0);
		break;
	case 7:
		ip[0] = (uint8_t)(0x40 | hostile_pick(h, 5));
		*ret_reason = DP_COUNT_PASS_OTHER;
		break;
	case 8:
		ip[0] = (uint8_t)(ip[0] ^ 0x10u << hostile_pick(h, 4));
		*ret_reason = DP_COUNT_PASS_OTHER;
		break;
	}
	if ((ip[0] & 15) >= 5)
		hostile_ip_sum(ip);
	return len;
}

/* First ones, and later ones of which no first one ever gets through. */
static inline size_t hostile_fragments(struct hostile *h, uint8_t *frame, unsigned int *ret_reason)
{
	uint8_t *at = hostile_mesh(h, frame, hostile_peer_addr(h), h->peer.id, h->self, 160);
	const bool first = hostile_pick(h, 2);
	unsigned int offset = first ? 0 : 1 + hostile_pick(h, 8000);

	hostile_fill(h, at, 160);
	memcpy(at, (const uint8_t[]){ 4, 0, 0, 0 }, 4);
	if (first || hostile_pick(h, 2))
		offset |= 0x2000; /* more */
	packet_put16(frame + FRAME_ETH + 6, offset);
	packet_put16(frame + FRAME_ETH + 4, hostile_pick(h, 64)); /* some belong together */
	hostile_ip_sum(frame + FRAME_ETH);
	*ret_reason = first ? DP_COUNT_DROP_FRAGMENT : DP_COUNT_PASS_OTHER;
	return hostile_mesh_len(160);
}

static inline size_t hostile_options(struct hostile *h, uint8_t *frame, unsigned int *ret_reason)
{
	const size_t header = 24 + 4 * hostile_pick(h, 10);
	uint8_t *at = hostile_eth(h, frame, 0x0800);
	size_t len;

	len = hostile_wireguard(h, at + header + FRAME_UDP, (uint8_t)(1 + hostile_pick(h, 4)));
	at = hostile_ip4(h, at, header, IPPROTO_UDP, hostile_peer_addr(h), h->local,
			 FRAME_UDP + len);
	(void)hostile_udp(at, hostile_port(h, h->self), hostile_port(h, h->peer.id), len);
	*ret_reason = DP_COUNT_DROP_MALFORMED;
	return FRAME_ETH + header + FRAME_UDP + len;
}

/*
 * IPv6 with extension headers. mapped: between the nodes' IPv4 addresses in IPv6 form, which are
 * what the data plane's tables hold.
 */
static inline size_t hostile_v6(struct hostile *h, uint8_t *frame, bool mapped,
				unsigned int *ret_reason)
{
	static const uint8_t next[] = { 0, 60, 43, 44 };
	const unsigned int extensions = hostile_pick(h, 2) ? 0 : hostile_pick(h, 7);
	const bool known = !mapped || hostile_pick(h, 4);
	uint8_t *ip = hostile_eth(h, frame, 0x86dd), *at = ip + FRAME_IP6, *last = ip + 6;
	bool fragment = false;
	size_t len;

	memset(ip, 0, FRAME_IP6);
	ip[0] = 0x60;
	ip[7] = 60;
	for (unsigned int i = 0; i < extensions; i++) {
		*last = next[hostile_pick(h, 4)];
		fragment = fragment || *last == 44;
		memset(at, 0, 8);
		if (*last == 44)
			at[3] = 1; /* the first, and more */
		else
			at[2] = 1; /* PadN */
		last = at;
		at += 8;
	}
	*last = IPPROTO_UDP;
	len = hostile_wireguard(h, at + FRAME_UDP, 4);
	at = hostile_udp(at, hostile_port(h, h->self), hostile_port(h, h->peer.id), len);
	len += (size_t)(at - frame);
	packet_put16(ip + 4, (unsigned int)len - FRAME_ETH - FRAME_IP6);
	hostile_fill(h, ip + 8, 32);
	ip[8] = 0x20;
	ip[24] = 0x20;
	*ret_reason = DP_COUNT_PASS_OTHER;
	if (!mapped)
		return len;
	memset(ip + 8, 0, 32);
	memset(ip + 18, 0xff, 2);
	memset(ip + 34, 0xff, 2);
	hostile_put32(ip + 20, known ? hostile_peer_addr(h) : hostile_stranger(h));
	hostile_put32(ip + 36, h->local);
	if (extensions > 4)
		*ret_reason = DP_COUNT_DROP_MALFORMED;
	else if (fragment)
		*ret_reason = DP_COUNT_DROP_FRAGMENT;
	else if (!known)
		*ret_reason = DP_COUNT_DROP_STRANGER;
	else
		*ret_reason = extensions ? DP_COUNT_DROP_MALFORMED : DP_COUNT_DROP_SOURCE;
	return len;
}

static inline size_t hostile_ipv6(struct hostile *h, uint8_t *frame, unsigned int *ret_reason)
{
	return hostile_v6(h, frame, false, ret_reason);
}

static inline size_t hostile_mapped(struct hostile *h, uint8_t *frame, unsigned int *ret_reason)
{
	return hostile_v6(h, frame, true, ret_reason);
}

/* Tags of VLAN 0, of which the kernel takes off any number: one more before tc than before XDP. */
static inline size_t hostile_tagged(struct hostile *h, uint8_t *frame, unsigned int *ret_reason)
{
	static const uint8_t numbers[] = { 1, 2, 4, 5, 6, 7 };
	const unsigned int tags = numbers[hostile_pick(h, sizeof(numbers))];
	const bool known = hostile_pick(h, 2);
	uint8_t inner[FRAME_MAX], *at;
	size_t len;

	at = hostile_mesh(h, inner, known ? hostile_peer_addr(h) : hostile_stranger(h), h->peer.id,
			  h->self, 160);
	hostile_fill(h, at, 160);
	memcpy(at, (const uint8_t[]){ 4, 0, 0, 0 }, 4);
	len = hostile_mesh_len(160) - 12;
	memcpy(frame, inner, 12);
	at = frame + 12;
	for (unsigned int i = 0; i < tags; i++, at += 4) {
		packet_put16(at, hostile_pick(h, 2) ? 0x8100 : 0x88a8);
		packet_put16(at + 2, 0);
	}
	memcpy(at, inner + 12, len);
	if (tags > 2)
		*ret_reason = DP_COUNT_DROP_MALFORMED;
	else
		*ret_reason = known ? DP_COUNT_PASS_DATA : DP_COUNT_DROP_STRANGER;
	return (size_t)(at - frame) + len;
}

/* Right in all but the tag. */
static inline size_t hostile_spoofed(struct hostile *h, uint8_t *frame, unsigned int *ret_reason)
{
	const size_t len = sizeof(struct dp_probe) + hostile_len(h, 1300);
	struct dp_probe p = {
		.type = hostile_pick(h, 2) ? DP_PROBE_REQUEST : DP_PROBE_REPLY,
		.version = DP_PROBE_VERSION,
		.path = (uint8_t)hostile_pick(h, 8),
		.role = DP_ROLE_ACTIVE,
		.from = htons(h->peer.id),
		.to = htons(h->self),
		.sequence = hostile_noise(h),
		.sent_ns = hostile_noise(h),
		.generation = hostile_noise(h),
		.seen_generation = hostile_noise(h),
		.tag = hostile_noise(h),
	};
	uint8_t *at = hostile_mesh(h, frame, hostile_peer_addr(h), h->peer.id, h->self, len);

	if (p.type == DP_PROBE_REPLY)
		p.received_ns = hostile_noise(h) | 1;
	hostile_fill(h, at, len);
	memcpy(at, &p, sizeof(p));
	*ret_reason = DP_COUNT_DROP_PROBE_TAG;
	return hostile_mesh_len(len);
}

static inline size_t hostile_again(struct hostile *h, uint8_t *frame, enum hostile_capture what)
{
	const struct hostile_taken *taken = &h->taken[what];
	const struct hostile_frame *one = &taken->frames[hostile_pick(h, taken->n)];

	memcpy(frame, one->data, one->len);
	return one->len;
}

static inline uint8_t *hostile_payload(uint8_t *frame)
{
	return frame + FRAME_ETH + 20 + FRAME_UDP;
}

/* Probes as they were on the wire. */
static inline size_t hostile_replayed(struct hostile *h, uint8_t *frame, unsigned int *ret_reason)
{
	*ret_reason = DP_COUNT_DROP_PROBE_REPLAY;
	return hostile_again(h, frame, hostile_pick(h, 2) ? HOSTILE_REQUEST : HOSTILE_REPLY);
}

/* With one bit changed, in what only the tag protects. */
static inline size_t hostile_altered(struct hostile *h, uint8_t *frame, unsigned int *ret_reason)
{
	static const uint8_t places[] = { 8, 15, 16, 23, 32, 39, 40, 47, 48, 55, 60, 64, 88, 95 };
	const enum hostile_capture what = hostile_pick(h, 2) ? HOSTILE_REQUEST : HOSTILE_REPLY;
	const size_t len = hostile_again(h, frame, what);

	hostile_payload(frame)[places[hostile_pick(h, sizeof(places))]] ^=
		(uint8_t)(1u << hostile_pick(h, 8));
	packet_put16(frame + FRAME_ETH + 26, 0);
	*ret_reason = DP_COUNT_DROP_PROBE_TAG;
	return len;
}

/* The gateway's own requests, sent back to it as the peer's. */
static inline size_t hostile_mirrored(struct hostile *h, uint8_t *frame, unsigned int *ret_reason)
{
	const size_t len = hostile_again(h, frame, HOSTILE_OWN);
	uint8_t *ip = frame + FRAME_ETH, *udp = ip + 20;

	(void)hostile_eth(h, frame, 0x0800);
	hostile_put32(ip + 12, hostile_peer_addr(h));
	hostile_put32(ip + 16, h->local);
	hostile_ip_sum(ip);
	(void)hostile_udp(udp, hostile_port(h, h->self), hostile_port(h, h->peer.id),
			  len - hostile_mesh_len(0));
	*ret_reason = DP_COUNT_DROP_PROBE_FORM;
	return len;
}

/* Data as it was on the wire, by whatever address of its sender: WireGuard has to know it. */
static inline size_t hostile_data_replayed(struct hostile *h, uint8_t *frame,
					   unsigned int *ret_reason)
{
	const size_t len = hostile_again(h, frame, HOSTILE_DATA);

	hostile_put32(frame + FRAME_ETH + 12, hostile_peer_addr(h));
	hostile_ip_sum(frame + FRAME_ETH);
	packet_put16(frame + FRAME_ETH + 26, 0);
	*ret_reason = DP_COUNT_PASS_DATA;
	return len;
}

static inline size_t hostile_data_altered(struct hostile *h, uint8_t *frame,
					  unsigned int *ret_reason)
{
	const size_t len = hostile_data_replayed(h, frame, ret_reason);
	const unsigned int body = (unsigned int)(len - hostile_mesh_len(4));

	hostile_payload(frame)[4 + hostile_pick(h, body)] ^= (uint8_t)(1u << hostile_pick(h, 8));
	return len;
}

/* Handshakes that look right from outside, from a node's address. */
static inline size_t hostile_handshakes(struct hostile *h, uint8_t *frame, unsigned int *ret_reason)
{
	const uint8_t type = (uint8_t)(1 + hostile_pick(h, 3));
	size_t len = hostile_wireguard(h, hostile_payload(frame), type);

	(void)hostile_mesh(h, frame, hostile_peer_addr(h), h->peer.id, h->self, len);
	*ret_reason = HOSTILE_LIMITED;
	return hostile_mesh_len(len);
}

static inline size_t hostile_strangers(struct hostile *h, uint8_t *frame, unsigned int *ret_reason)
{
	size_t len =
		hostile_wireguard(h, hostile_payload(frame), (uint8_t)(1 + hostile_pick(h, 4)));

	(void)hostile_mesh(h, frame, hostile_stranger(h), h->peer.id, h->self, len);
	*ret_reason = DP_COUNT_DROP_STRANGER;
	return hostile_mesh_len(len);
}

/* Ids that do not exist, are not the sender's, or make no sense. */
static inline size_t hostile_ids(struct hostile *h, uint8_t *frame, unsigned int *ret_reason)
{
	const struct {
		const struct hostile_node *source;
		unsigned int from, to, reason;
	} cases[] = {
		{ &h->peer, HOSTILE_UNKNOWN, h->self, DP_COUNT_DROP_SOURCE },
		{ &h->peer, h->self, h->self, DP_COUNT_DROP_SOURCE },
		{ &h->peer, h->relay.id, h->self, DP_COUNT_DROP_SOURCE },
		{ &h->peer, h->peer.id, h->peer.id, DP_COUNT_DROP_NODE },
		{ &h->peer, h->peer.id, HOSTILE_UNKNOWN, DP_COUNT_DROP_NODE },
		{ &h->peer, h->peer.id, 0, DP_COUNT_DROP_NODE },
		{ &h->peer, h->peer.id, h->self + DP_LANE_PORTS, DP_COUNT_DROP_NODE },
		{ &h->relay, HOSTILE_UNKNOWN, h->self, DP_COUNT_DROP_NODE },
		{ &h->relay, h->self, h->self, DP_COUNT_DROP_NODE },
		{ &h->relay, h->peer.id, h->relay.id, DP_COUNT_DROP_NODE },
	};
	const unsigned int i = hostile_pick(h, 10);
	const size_t len = hostile_wireguard(h, hostile_payload(frame), 4);

	(void)hostile_mesh(h, frame, cases[i].source->addrs[0], cases[i].from, cases[i].to, len);
	*ret_reason = cases[i].reason;
	return hostile_mesh_len(len);
}

/* -- what is not for the mesh's ports: the stack's, and there the filter's -- */

static inline size_t hostile_tcp(struct hostile *h, uint8_t *frame, unsigned int *ret_reason)
{
	uint8_t *at = hostile_eth(h, frame, 0x0800), *ip = at;

	at = hostile_ip4(h, at, 20, IPPROTO_TCP, hostile_stranger(h), h->local, 20);
	hostile_fill(h, at, 20);
	at[12] = 0x50;
	packet_put16(at + 16, 0);
	packet_put16(at + 16, packet_l4_sum(ip, 40));
	*ret_reason = DP_COUNT_PASS_OTHER;
	return FRAME_ETH + 40;
}

static inline size_t hostile_icmp(struct hostile *h, uint8_t *frame, unsigned int *ret_reason)
{
	static const uint8_t types[] = { 8, 8, 8, 0, 9, 10, 13, 17, 18, 42, 255 };
	const size_t len = 8 + hostile_len(h, 1000);
	uint8_t *at = hostile_eth(h, frame, 0x0800), *ip = at;

	at = hostile_ip4(h, at, 20, IPPROTO_ICMP, hostile_stranger(h), h->local, len);
	hostile_fill(h, at, len);
	at[0] = types[hostile_pick(h, sizeof(types))];
	packet_put16(at + 2, 0);
	packet_put16(at + 2, packet_l4_sum(ip, 20 + len));
	*ret_reason = DP_COUNT_PASS_OTHER;
	return FRAME_ETH + 20 + len;
}

/*
 * Somebody says that the way to the peer carries less, or nothing. The kernel reads what such an error
 * is about behind options, too, and after putting fragments together.
 */
static inline size_t hostile_unreachable(struct hostile *h, uint8_t *frame,
					 unsigned int *ret_reason)
{
	static const uint8_t types[] = { 3, 3, 3, 3, 11, 12 };
	static const uint8_t codes[] = { 1, 3, 4, 4, 4, 13 };
	uint8_t *at = hostile_eth(h, frame, 0x0800), *ip = at, *inner;
	const unsigned int how = hostile_pick(h, 6);
	size_t header = 20, len;

	if (how == 1)
		header = 24 + 4 * hostile_pick(h, 10);
	len = 8 + header + FRAME_UDP;
	at = hostile_ip4(h, at, 20, IPPROTO_ICMP, hostile_stranger(h), h->local, len);
	memset(at, 0, 8);
	at[0] = types[hostile_pick(h, sizeof(types))];
	at[1] = codes[hostile_pick(h, sizeof(codes))];
	packet_put16(at + 6, 68 + hostile_pick(h, 1200)); /* the MTU, of one with code 4 */
	inner = hostile_ip4(h, at + 8, header, how == 2 ? IPPROTO_TCP : IPPROTO_UDP, h->local,
			    h->peer.addrs[0], FRAME_UDP + 160);
	(void)hostile_udp(inner, hostile_port(h, h->peer.id), hostile_port(h, h->self), 160);
	packet_put16(at + 2, packet_l4_sum(ip, 20 + len));
	*ret_reason = how == 2 ? DP_COUNT_PASS_OTHER : DP_COUNT_DROP_ICMP;
	if (how == 3) /* more fragments */
		packet_put16(ip + 6, 0x2000);
	if (how == 4) { /* cut off */
		len = 8 + hostile_pick(h, 24);
		packet_put16(ip + 2, (unsigned int)(20 + len));
		packet_put16(at + 2, 0);
		packet_put16(at + 2, packet_l4_sum(ip, 20 + len));
	}
	hostile_ip_sum(ip);
	return FRAME_ETH + 20 + len;
}

/* For a host behind the gateway, as from a host of the other site, without a tunnel. */
static inline size_t hostile_inner(struct hostile *h, uint8_t *frame, unsigned int *ret_reason)
{
	uint8_t *at = hostile_eth(h, frame, 0x0800);

	at = hostile_ip4(h, at, 20, IPPROTO_UDP,
			 hostile_pick(h, 2) ? h->inner_from : hostile_stranger(h), h->inner_to,
			 FRAME_UDP + 64);
	hostile_fill(h, hostile_udp(at, 40000, 7000, 64), 64);
	*ret_reason = DP_COUNT_PASS_OTHER;
	return hostile_mesh_len(64);
}

#endif
