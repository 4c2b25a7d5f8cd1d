/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As the kernel's GRO, and stricter: the window too must be the same, so that nothing of a packet is
 * lost. The one thing that is: identifications of IPv4 packets that must not be fragmented, when the
 * sender gives all of them the same (RFC 6864 lets them mean nothing).
 *
 * Checksums are looked at only when a second packet joins, as the kernel looks at those of packets that
 * come alone; the tunnel's tag says that the peer sent a packet, not that it was good when it came there.
 */
#include "engine/coalesce.h"

#include "engine/bytes.h"
#include "engine/segment.h"
#include "engine/sum.h"
#include <netinet/in.h>
#include <stdlib.h>

enum {
	TCP_ACK_NUMBER = 8,
	TCP_OFFSET = 12,
	TCP_FLAGS = 13,
	TCP_WINDOW = 14,
	TCP_CHECK = 16,
	TCP_FIN = 0x01,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_ECE = 0x40,
	TCP_LAST = TCP_FIN | TCP_PSH, /* what the last of a frame may have beyond the others */
	UDP_CHECK = 6,
};

/* Addresses and ports as they lie in the packet, zeros behind: compared as a whole. */
struct flow {
	uint8_t version, protocol;
	uint8_t addresses[32];
	uint8_t ports[4];
};

struct seen {
	struct flow flow;
	uint8_t *data;
	uint32_t len, l4, header, payload;
	bool joins; /* may be a frame's second or later */
	bool ends;  /* nothing joins behind it */
};

enum kind {
	KIND_FLOW,
	KIND_OTHER,   /* of none of the flows looked at */
	KIND_UNKNOWN, /* perhaps of one of them */
};

struct frame {
	struct seen first;
	uint32_t count, bytes;
	bool checked; /* the first one's checksums */
	bool same_id;
	uint8_t last_flags;
	struct virtio_net_hdr hdr;
	struct iovec iov[1 + COALESCE_PIECES];
};

struct coalesce {
	bool udp;
	coalesce_write_fn write;
	void *ctx;
	uint32_t n;
	struct frame *
		open[COALESCE_FLOWS]; /* in the order in which they were begun; behind: free ones */
	struct frame frames[COALESCE_FLOWS];
};

struct coalesce *coalesce_new(bool udp, coalesce_write_fn write, void *ctx)
{
	struct coalesce *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->udp = udp;
	c->write = write;
	c->ctx = ctx;
	for (uint32_t i = 0; i < COALESCE_FLOWS; i++)
		c->open[i] = &c->frames[i];
	return c;
}

void coalesce_free(struct coalesce *coalesce)
{
	free(coalesce);
}

static uint32_t pseudo_sum(const struct seen *p, uint32_t l4_len)
{
	const uint8_t *data = p->data;
	uint32_t sum = p->flow.version == 4 ? sum_of(data + 12, 8) : sum_of(data + 8, 32);

	return sum_add(sum, (uint32_t)htons(p->flow.protocol) + htons((uint16_t)l4_len));
}

static bool checksums_good(const struct seen *p)
{
	uint32_t l4_len = p->len - p->l4;

	if (p->flow.version == 4 && sum_fold(sum_of(p->data, p->l4)) != 0xffff)
		return false;
	return sum_fold(sum_add(pseudo_sum(p, l4_len), sum_of(p->data + p->l4, l4_len))) == 0xffff;
}

static enum kind look_transport(struct seen *p, bool udp)
{
	const uint8_t *l4 = p->data + p->l4;
	uint32_t room = p->len - p->l4;

	if (p->flow.protocol == IPPROTO_TCP) {
		uint32_t header;

		if (room < 20)
			return KIND_UNKNOWN;
		header = (uint32_t)(l4[TCP_OFFSET] >> 4) * 4;
		if (header < 20 || header > room)
			return KIND_UNKNOWN;
		p->header = p->l4 + header;
		p->payload = p->len - p->header;
		/* No SYN, RST, URG, CWR; nothing of the reserved bits. */
		p->joins = p->payload && !(l4[TCP_OFFSET] & 15) &&
			   (l4[TCP_FLAGS] & ~(TCP_LAST | TCP_ECE)) == TCP_ACK;
		p->ends = !p->joins || l4[TCP_FLAGS] & TCP_LAST;
	} else if (p->flow.protocol == IPPROTO_UDP) {
		if (room < 8)
			return KIND_UNKNOWN;
		p->header = p->l4 + 8;
		p->payload = p->len - p->header;
		p->joins = udp && p->payload && get16(l4 + 4) == room && get16(l4 + UDP_CHECK);
		p->ends = !p->joins;
	} else {
		return KIND_OTHER;
	}
	memcpy(p->flow.ports, l4, 4);
	return KIND_FLOW;
}

static enum kind look(uint8_t *data, uint32_t len, bool udp, struct seen *p)
{
	memset(&p->flow, 0, sizeof(p->flow));
	p->data = data;
	p->len = len;
	if (len < 20)
		return KIND_UNKNOWN;
	p->flow.version = data[0] >> 4;
	if (p->flow.version == 4) {
		/* No options, no fragment; bit 15 is reserved, and not kept by a frame. */
		if (data[0] != 0x45 || get16(data + 2) != len || get16(data + 6) & ~0x4000)
			return KIND_UNKNOWN;
		p->l4 = 20;
		p->flow.protocol = data[9];
		memcpy(p->flow.addresses, data + 12, 8);
	} else if (p->flow.version == 6) {
		if (len < 40 || get16(data + 4) + 40u != len)
			return KIND_UNKNOWN;
		p->l4 = 40;
		p->flow.protocol = data[6];
		memcpy(p->flow.addresses, data + 8, 32);
		/* ICMP is of no flow here, extension headers may hide one. */
		if (p->flow.protocol == IPPROTO_ICMPV6)
			return KIND_OTHER;
		if (p->flow.protocol != IPPROTO_TCP && p->flow.protocol != IPPROTO_UDP)
			return KIND_UNKNOWN;
	} else {
		return KIND_UNKNOWN;
	}
	return look_transport(p, udp);
}

/* All that must be the same, and the numbers that must follow. */
static bool follows(const struct frame *f, const struct seen *p, bool *ret_same_id)
{
	const uint8_t *a = f->first.data, *b = p->data;
	const uint8_t *ta = a + f->first.l4, *tb = b + p->l4;

	if (p->header != f->first.header || p->payload > f->first.payload ||
	    f->count == COALESCE_PIECES || f->bytes + p->payload > PACKET_MAX)
		return false;
	*ret_same_id = false;
	if (p->flow.version == 4) {
		uint16_t id = get16(a + 4), next = get16(b + 4);
		bool sequential = next == (uint16_t)(id + f->count);

		/* TOS, DF, TTL */
		if (a[1] != b[1] || a[6] != b[6] || a[8] != b[8])
			return false;
		*ret_same_id = next == id && a[6] & 0x40;
		if (f->count > 1 ? (f->same_id ? !*ret_same_id : !sequential)
				 : !sequential && !*ret_same_id)
			return false;
	} else if (memcmp(a, b, 4) != 0 || a[7] != b[7]) {
		return false;
	}
	if (p->flow.protocol == IPPROTO_UDP)
		return true;
	/* Acknowledgement, window and urgent pointer, options; flags but for those of a last one. */
	return get32(tb + 4) == get32(ta + 4) + f->count * f->first.payload &&
	       !memcmp(ta + TCP_ACK_NUMBER, tb + TCP_ACK_NUMBER, 4) &&
	       (ta[TCP_FLAGS] | TCP_LAST) == (tb[TCP_FLAGS] | TCP_LAST) &&
	       !memcmp(ta + TCP_WINDOW, tb + TCP_WINDOW, 2) &&
	       !memcmp(ta + TCP_CHECK + 2, tb + TCP_CHECK + 2, p->header - p->l4 - TCP_CHECK - 2);
}

static void frame_headers(struct frame *f)
{
	uint8_t *data = f->first.data, *l4 = data + f->first.l4;
	bool tcp = f->first.flow.protocol == IPPROTO_TCP;
	uint32_t l4_len = f->bytes - f->first.l4;
	uint16_t sum;

	f->hdr = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4,
		.hdr_len = (uint16_t)f->first.header,
		.gso_size = (uint16_t)f->first.payload,
		.csum_start = (uint16_t)f->first.l4,
		.csum_offset = tcp ? TCP_CHECK : UDP_CHECK,
	};
	if (f->first.flow.version == 4) {
		put16(data + 2, f->bytes);
		put16(data + 10, 0);
		sum = (uint16_t)~sum_fold(sum_of(data, 20));
		memcpy(data + 10, &sum, sizeof(sum));
		if (tcp)
			f->hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	} else {
		put16(data + 4, f->bytes - 40);
		if (tcp)
			f->hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
	}
	if (tcp)
		l4[TCP_FLAGS] = f->last_flags;
	else
		put16(l4 + 4, l4_len);
	/* Of the pseudo header alone: the rest is the kernel's, or the NIC's. */
	sum = sum_fold(pseudo_sum(&f->first, l4_len));
	memcpy(l4 + f->hdr.csum_offset, &sum, sizeof(sum));
}

static void write_one(struct coalesce *c, uint8_t *data, uint32_t len)
{
	struct virtio_net_hdr hdr = { 0 };
	struct iovec iov[2] = { { &hdr, sizeof(hdr) }, { data, len } };

	c->write(c->ctx, iov, 2, 1, len);
}

static void frame_write(struct coalesce *c, uint32_t at)
{
	struct frame *f = c->open[at];

	c->n--;
	memmove(&c->open[at], &c->open[at + 1], (c->n - at) * sizeof(c->open[0]));
	c->open[c->n] = f;
	if (f->count == 1) {
		write_one(c, f->first.data, f->first.len);
		return;
	}
	frame_headers(f);
	f->iov[0] = (struct iovec){ &f->hdr, sizeof(f->hdr) };
	c->write(c->ctx, f->iov, (int)f->count + 1, f->count, f->bytes);
}

void coalesce_flush(struct coalesce *coalesce)
{
	while (coalesce->n)
		frame_write(coalesce, 0);
}

static void frame_begin(struct coalesce *c, const struct seen *p)
{
	struct frame *f;

	if (c->n == COALESCE_FLOWS)
		frame_write(c, 0);
	f = c->open[c->n++];
	f->first = *p;
	f->count = 1;
	f->bytes = p->len;
	f->checked = false;
	f->iov[1] = (struct iovec){ p->data, p->len };
}

/* False: the packet does not belong there. */
static bool frame_join(struct coalesce *c, uint32_t at, const struct seen *p)
{
	struct frame *f = c->open[at];
	bool same_id;

	if (!p->joins || !follows(f, p, &same_id))
		return false;
	if (!f->checked) {
		f->checked = checksums_good(&f->first);
		if (!f->checked)
			return false;
	}
	if (!checksums_good(p))
		return false;
	f->same_id = same_id;
	if (p->flow.protocol == IPPROTO_TCP)
		f->last_flags = p->data[p->l4 + TCP_FLAGS];
	f->count++;
	f->bytes += p->payload;
	f->iov[f->count] = (struct iovec){ p->data + p->header, p->payload };
	if (p->ends || p->payload < f->first.payload)
		frame_write(c, at);
	return true;
}

void coalesce_add(struct coalesce *coalesce, uint8_t *data, uint32_t len)
{
	struct seen p = { 0 };

	switch (look(data, len, coalesce->udp, &p)) {
	case KIND_UNKNOWN:
		coalesce_flush(coalesce);
		break;
	case KIND_OTHER:
		break;
	case KIND_FLOW:
		for (uint32_t i = 0; i < coalesce->n; i++) {
			if (memcmp(&coalesce->open[i]->first.flow, &p.flow, sizeof(p.flow)) != 0)
				continue;
			if (frame_join(coalesce, i, &p))
				return;
			frame_write(coalesce, i);
			break;
		}
		if (!p.ends) {
			frame_begin(coalesce, &p);
			return;
		}
		break;
	}
	write_one(coalesce, data, len);
}
