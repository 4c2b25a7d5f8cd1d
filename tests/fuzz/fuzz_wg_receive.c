/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What comes by an interface's socket, from the datagram to the TUN device: each packet that a peer may
 * send, and none else, comes out, once, those of a flow in their order; handshake messages reach the
 * queue; bytes are counted, and the peer is where its packets came from.
 *
 * The input is a byte of options and records: a byte of how, a byte of amount, a byte of length, and so
 * many bytes, which are an inner packet (see packets_make()), or a datagram.
 */
#include "engine/coalesce.h"
#include "engine/replay.h"
#include "wg_tunnel.h"

enum {
	RECORDS = 64,
	DATAGRAM = PACKETS_LEN + PACKET_OVERHEAD,
};

enum option {
	OPTION_UDP = 1,	    /* the TUN device takes UDP */
	OPTION_EXPIRED = 2, /* the sessions are too old */
	OPTION_NEXT = 4,    /* and not confirmed */
	OPTION_MOVED = 8,   /* peers send from elsewhere */
	OPTION_LATE = 16,   /* counters begin where they may soon end */
	OPTION_CE = 32,	    /* congestion was met on the way */
};

/* Beyond packets_make()'s. */
enum how {
	HOW_OTHER = 8,	  /* of the other peer */
	HOW_ADDRESS = 16, /* from an address of its peer */
	HOW_JOIN = 32,	  /* in one call with the one before, if of one size */
	HOW_KIND = 192,
	KIND_AHEAD = 0, /* the counter is ahead by amount^2 + 1 */
	KIND_BACK = 64, /* back by amount^2 */
	KIND_BROKEN =
		128, /* byte number `amount` is another, or if that is large so many are missing */
	KIND_RAW = 192, /* any datagram */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct datagram {
	uint8_t bytes[DATAGRAM];
	uint32_t len;
	bool joins;
};

static struct tunnel tunnel;
static int elsewhere;
static struct datagram datagrams[RECORDS];
static struct packets_expected expected[RECORDS];
static uint32_t n_datagrams, n_expected, n_handshakes;
static uint64_t counters[TUNNEL_PEERS], accepted_bytes[TUNNEL_PEERS];

/* What was accepted, as a list. */
static struct {
	int peer;
	uint64_t counter;
} accepted[RECORDS];
static uint32_t n_accepted;

static bool fresh(int peer, uint64_t counter)
{
	uint64_t greatest = 0;

	if (counter >= REPLAY_COUNTER_MAX)
		return false;
	for (uint32_t i = 0; i < n_accepted; i++) {
		if (accepted[i].peer != peer)
			continue;
		if (accepted[i].counter == counter)
			return false;
		if (accepted[i].counter > greatest)
			greatest = accepted[i].counter;
	}
	return counter > greatest || greatest - counter < REPLAY_WINDOW;
}

/* Less than it, 0: the header states more, or nothing that can be. */
static uint32_t stated(const uint8_t *p, uint32_t len)
{
	uint32_t says = 0;

	if (len >= 20 && p[0] >> 4 == 4 && packets_get16(p + 2) >= 20)
		says = packets_get16(p + 2);
	if (len >= 40 && p[0] >> 4 == 6)
		says = packets_get16(p + 4) + 40;
	return says > len ? 0 : says;
}

static void expect(int peer, uint64_t counter, const uint8_t *inner, uint32_t padded,
		   uint8_t options)
{
	struct packets_expected *e = &expected[n_expected];
	bool v4 = inner[0] >> 4 == 4;

	if (options & OPTION_EXPIRED || !fresh(peer, counter))
		return;
	accepted[n_accepted].peer = peer;
	accepted[n_accepted++].counter = counter;
	accepted_bytes[peer] += padded + PACKET_OVERHEAD;
	e->len = stated(inner, padded);
	if (!e->len || tunnel_owner(inner + (v4 ? 12 : 8), v4 ? 4 : 16) != peer)
		return;
	memset(e->bytes, 0, sizeof(e->bytes));
	memcpy(e->bytes, inner, e->len);
	if (options & OPTION_CE)
		packet_set_ce(e->bytes, e->len);
	e->seen = false;
	n_expected++;
}

static void expect_handshake(const struct datagram *d)
{
	uint32_t type;

	if (d->len < sizeof(type))
		return;
	memcpy(&type, d->bytes, sizeof(type));
	type = le32toh(type);
	n_handshakes += (type == 1 && d->len == 148) || (type == 2 && d->len == 92) ||
			(type == 3 && d->len == 64);
}

/* The inner packet in its message, as its peer seals it. */
static void seal(struct datagram *d, int peer, const uint8_t *inner, uint32_t len, uint64_t counter)
{
	const struct tunnel_peer *p = &tunnel.peers[peer];
	const struct message_data header = {
		.type = htole32(MESSAGE_DATA),
		.receiver = htole32(p->keypair->local_index),
		.counter = htole64(counter),
	};
	struct packet packet = {
		.data = d->bytes + PACKET_HEADROOM,
		.padded = packet_padded(len, PACKETS_LEN),
		.counter = counter,
		.key = p->keys.send,
	};

	memset(d->bytes, 0, sizeof(d->bytes));
	memcpy(d->bytes, &header, sizeof(header));
	memcpy(packet.data, inner, len);
	aead_seal(tunnel.aead, &packet, 1);
	check(packet.ok);
	d->len = packet.padded + PACKET_OVERHEAD;
}

static void address_put(uint8_t *p, int peer)
{
	const uint8_t v4[2] = { 10, (uint8_t)(1 + peer) };
	const uint8_t v6[4] = { 0xfd, 0, 0, (uint8_t)(1 + peer) };

	if (p[0] >> 4 == 4)
		memcpy(p + 12, v4, sizeof(v4));
	else
		memcpy(p + 8, v6, sizeof(v6));
}

/* One record: a datagram, and what is to come of it. */
static void make(uint8_t options, uint8_t how, uint8_t amount, const uint8_t *bytes, uint32_t len)
{
	static uint8_t inner[PACKETS_LEN], before[PACKETS_LEN];
	static uint32_t len_before;
	struct datagram *d = &datagrams[n_datagrams++];
	int peer = !!(how & HOW_OTHER);
	uint64_t counter = counters[peer];

	d->joins = how & HOW_JOIN;
	if ((how & HOW_KIND) == KIND_RAW) {
		memcpy(d->bytes, bytes, len);
		d->len = len;
		expect_handshake(d);
		return;
	}
	if (n_datagrams == 1)
		len_before = 0;
	len = packets_make(inner, len_before ? before : NULL, len_before,
			   how & (PACKETS_FOLLOW | PACKETS_LENGTH), bytes, len);
	if (how & HOW_ADDRESS)
		address_put(inner, peer);
	if (how & PACKETS_SUMS && len >= 40)
		packets_sum(inner, len);
	memcpy(before, inner, sizeof(before));
	len_before = len;
	if ((how & HOW_KIND) == KIND_BACK)
		counter -= (uint64_t)amount * amount;
	else if ((how & HOW_KIND) == KIND_AHEAD)
		counter = counters[peer] += (uint64_t)amount * amount + 1;
	else
		counter = ++counters[peer];
	seal(d, peer, inner, len, counter);
	if ((how & HOW_KIND) != KIND_BROKEN) {
		uint8_t padded[PACKETS_LEN] = { 0 };

		memcpy(padded, inner, len);
		expect(peer, counter, padded, packet_padded(len, PACKETS_LEN), options);
		return;
	}
	if (amount < 128)
		d->bytes[amount % d->len] ^= (uint8_t)(1 << amount % 8);
	else
		d->len -= 1 + (amount - 128u) % d->len;
	expect_handshake(d);
}

/* Those from `first` on that go in one call. */
static uint32_t send_run(int wire, uint32_t first)
{
	static uint8_t together[RECORDS * DATAGRAM];
	uint8_t control[CMSG_SPACE(sizeof(uint16_t))] = { 0 };
	struct iovec iov = { .iov_base = together };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	uint16_t size = (uint16_t)datagrams[first].len;
	uint32_t end = first;
	struct cmsghdr *c;

	do {
		memcpy(together + iov.iov_len, datagrams[end].bytes, datagrams[end].len);
		iov.iov_len += datagrams[end++].len;
	} while (end < n_datagrams && datagrams[end].joins && datagrams[end].len &&
		 datagrams[end].len <= size && datagrams[end - 1].len == size);
	if (end - first > 1) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = IPPROTO_UDP;
		c->cmsg_type = UDP_SEGMENT;
		c->cmsg_len = CMSG_LEN(sizeof(size));
		memcpy(CMSG_DATA(c), &size, sizeof(size));
	}
	check(sendmsg(wire, &msg, 0) == (ssize_t)iov.iov_len);
	return end;
}

static uint32_t host_read(void)
{
	static uint8_t frame[PACKET_MAX];
	struct virtio_net_hdr hdr;
	uint32_t n = 0;
	ssize_t len;

	while ((len = tun_read(tunnel.host, &hdr, frame, sizeof(frame))) > 0)
		n += packets_cut(expected, n_expected, &hdr, frame, (uint32_t)len);
	check(!len);
	return n;
}

/* Is what came last to the queue this one? */
static bool last_is(const struct runtime *runtime, const uint8_t *last)
{
	uint32_t at = runtime->queue_head + runtime->queue_count - 1;

	return !memcmp(runtime->queue[at % RUNTIME_QUEUE].bytes, last,
		       sizeof(struct message_cookie));
}

static void receive(int wire)
{
	static const uint8_t last[sizeof(struct message_cookie)] = { MESSAGE_COOKIE, [63] = 63 };
	uint32_t came = 0;

	for (uint32_t i = 0; i < n_datagrams;)
		i = send_run(wire, i);
	check(send(wire, last, sizeof(last), 0) == sizeof(last));
	/* Behind all else; an input may have the same bytes before. */
	while (tunnel.runtime->queue_count <= n_handshakes) {
		check(worker_serve(tunnel.runtime->workers[0], TUNNEL_PATIENCE_MS) > 0);
		came += host_read();
	}
	check(came == n_expected);
	check(tunnel.runtime->queue_count == n_handshakes + 1 && last_is(tunnel.runtime, last));
	tunnel.runtime->queue_count = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t now_ns = runtime_now();
	uint8_t options;
	int wire, tos;

	if (size < 1)
		return 0;
	if (!tunnel.runtime) {
		tunnel_new(&tunnel);
		elsewhere = tunnel_wire(&tunnel.address);
	}
	options = *data++;
	size--;
	tunnel_reset(&tunnel,
		     options & OPTION_EXPIRED ? now_ns - REJECT_AFTER_TIME_S * TIMERS_S : now_ns);
	n_datagrams = n_expected = n_handshakes = n_accepted = 0;
	for (int i = 0; i < TUNNEL_PEERS; i++) {
		struct tunnel_peer *p = &tunnel.peers[i];

		counters[i] = options & OPTION_LATE ? REPLAY_COUNTER_MAX - 1000 : 100000;
		accepted_bytes[i] = 0;
		if (options & OPTION_NEXT) {
			p->peer->next_keypair = p->keypair;
			p->peer->current = NULL;
		}
	}
	while (n_datagrams < RECORDS && size >= 3) {
		uint32_t len = data[2] < size - 3 ? data[2] : (uint32_t)size - 3;

		make(options, data[0], data[1], data + 3, len);
		data += 3 + len;
		size -= 3 + len;
	}
	tunnel.device->tun.uso = options & OPTION_UDP;
	wire = options & OPTION_MOVED ? elsewhere : tunnel.wire;
	tos = options & OPTION_CE ? 3 : 0;
	check(!setsockopt(wire, IPPROTO_IP, IP_TOS, &tos, sizeof(tos)));
	receive(wire);
	for (int i = 0; i < TUNNEL_PEERS; i++) {
		struct peer *peer = tunnel.peers[i].peer;
		struct endpoint at = tunnel_endpoint(accepted_bytes[i] ? wire : tunnel.wire);
		const struct endpoint *is = &atomic_load(&peer->endpoint)->endpoint;

		check(peer->rx_bytes == accepted_bytes[i]);
		check(is->in.sin_port == at.in.sin_port &&
		      is->in.sin_addr.s_addr == at.in.sin_addr.s_addr);
		check(!(options & OPTION_NEXT) ||
		      (peer->current == tunnel.peers[i].keypair) == !!accepted_bytes[i]);
	}
	runtime_drain_events(tunnel.runtime, now_ns);
	return 0;
}
