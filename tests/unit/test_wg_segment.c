/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames of the TUN device cut into packets: each packet is compared with what an oracle says, one
 * that knows nothing of batches and sums a byte at a time. And packets joined again, cut again: the
 * same packets, in the order of their flows.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>

#include "engine/coalesce.h"
#include "engine/segment.h"
#include "engine/sum.h"

enum {
	MTU = 1420,
	ROOM = 1 << 20,
	PACKETS = 400
};

static uint32_t noise(void)
{
	static uint64_t x = 88172645463325252ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 16);
}

/* A byte at a time, in the network's order. */
static uint16_t naive_sum(const uint8_t *data, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? data[i] : (uint32_t)data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static uint32_t naive_pseudo(const uint8_t *packet, uint32_t l4, uint32_t len, uint8_t protocol)
{
	uint32_t sum =
		packet[0] >> 4 == 4 ? naive_sum(packet + 12, 8, 0) : naive_sum(packet + 8, 32, 0);

	return sum + protocol + (len - l4);
}

static uint32_t l4_of(const uint8_t *packet)
{
	return packet[0] >> 4 == 4 ? (packet[0] & 15) * 4u : 40;
}

static uint8_t protocol_of(const uint8_t *packet)
{
	return packet[0] >> 4 == 4 ? packet[9] : packet[6];
}

static void assert_good(const uint8_t *packet, uint32_t len)
{
	uint32_t l4 = l4_of(packet);

	assert_int_equal(packet_inner_len(packet, len), len);
	if (packet[0] >> 4 == 4)
		assert_int_equal(naive_sum(packet, l4, 0), 0xffff);
	assert_int_equal(naive_sum(packet + l4, len - l4,
				   naive_pseudo(packet, l4, len, protocol_of(packet))),
			 0xffff);
}

/* A packet with everything right, as a host would send it. */
struct shape {
	int version;
	uint8_t protocol;
	uint32_t payload, options, seq;
	uint16_t id, port;
	uint8_t flags, tos;
	bool df;
};

static uint32_t make(const struct shape *s, uint8_t *p)
{
	uint32_t l4 = s->version == 4 ? 20 : 40;
	uint32_t header = s->protocol == IPPROTO_TCP ? 20 + s->options : 8;
	uint32_t len = l4 + header + s->payload;
	uint16_t sum;

	memset(p, 0, l4 + header);
	if (s->version == 4) {
		p[0] = 0x45;
		p[1] = s->tos;
		put16(p + 2, len);
		put16(p + 4, s->id);
		p[6] = s->df ? 0x40 : 0;
		p[8] = 64;
		p[9] = s->protocol;
		memcpy(p + 12, (const uint8_t[]){ 10, 1, 0, 1, 10, 2, 0, 2 }, 8);
		put16(p + 10, (uint16_t)~naive_sum(p, 20, 0));
	} else {
		p[0] = 0x60 | s->tos >> 4;
		p[1] = (uint8_t)(s->tos << 4);
		put16(p + 4, len - 40);
		p[6] = s->protocol;
		p[7] = 64;
		for (int i = 8; i < 40; i++)
			p[i] = (uint8_t)(i * 7);
	}
	put16(p + l4, s->port);
	put16(p + l4 + 2, 443);
	for (uint32_t i = 0; i < s->payload; i++)
		p[l4 + header + i] = (uint8_t)noise();
	if (s->protocol == IPPROTO_TCP) {
		put16(p + l4 + 4, s->seq >> 16);
		put16(p + l4 + 6, s->seq);
		put16(p + l4 + 8, 0x1234);
		p[l4 + 12] = (uint8_t)(header / 4 << 4);
		p[l4 + 13] = s->flags;
		put16(p + l4 + 14, 501);
		for (uint32_t i = 0; i < s->options; i++)
			p[l4 + 20 + i] = (uint8_t)(i + 1);
		sum = (uint16_t)~naive_sum(p + l4, len - l4, naive_pseudo(p, l4, len, s->protocol));
		put16(p + l4 + 16, sum);
	} else {
		put16(p + l4 + 4, len - l4);
		sum = (uint16_t)~naive_sum(p + l4, len - l4, naive_pseudo(p, l4, len, s->protocol));
		put16(p + l4 + 6, sum ? sum : 0xffff);
	}
	return len;
}

/* The frame that the kernel would hand out for it. */
static uint32_t make_frame(const struct shape *s, uint16_t size, uint8_t *frame,
			   struct virtio_net_hdr *hdr)
{
	uint32_t l4 = s->version == 4 ? 20 : 40, len = make(s, frame);
	bool tcp = s->protocol == IPPROTO_TCP;

	*hdr = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = !tcp	      ? VIRTIO_NET_HDR_GSO_UDP_L4
			    : s->version == 4 ? VIRTIO_NET_HDR_GSO_TCPV4
					      : VIRTIO_NET_HDR_GSO_TCPV6,
		.hdr_len = (uint16_t)(len - s->payload),
		.gso_size = size,
		.csum_start = (uint16_t)l4,
		.csum_offset = tcp ? 16 : 6,
	};
	put16(frame + l4 + hdr->csum_offset,
	      naive_sum(NULL, 0, naive_pseudo(frame, l4, len, s->protocol)));
	return len;
}

static uint8_t frame[65536 + 64], out[ROOM];
static struct packet packets[SEGMENT_MAX];

/* The oracle: the payload's pieces, each made a packet of its own from nothing. */
static void check_cut(const struct shape *s, uint16_t size)
{
	static uint8_t want[65536];
	struct virtio_net_hdr hdr;
	struct segment_plan plan;
	uint32_t len = make_frame(s, size, frame, &hdr), header = len - s->payload, at = 0;

	assert_int_equal(segment_plan(&hdr, frame, len, MTU, &plan), 0);
	assert_int_equal(plan.count, s->payload ? (s->payload + size - 1) / size : 1);
	assert_true(plan.total < sizeof(out));
	memset(out, 0xee, plan.total + 1);
	segment_split(&plan, frame, out, packets);
	for (uint32_t i = 0; i < plan.count; i++) {
		const struct packet *p = &packets[i];
		struct shape one = *s;

		one.payload = s->payload - at < size ? s->payload - at : size;
		one.seq += at;
		one.id = (uint16_t)(one.id + i);
		if (i)
			one.flags &= (uint8_t)~0x80;
		if (i + 1 < plan.count)
			one.flags &= (uint8_t)~0x09;
		assert_int_equal(p->len, header + one.payload);
		assert_ptr_equal(p->data, out + (size_t)i * plan.stride + PACKET_HEADROOM);
		assert_int_equal(p->padded, packet_padded(p->len, MTU));
		for (uint32_t pad = p->len; pad < p->padded; pad++)
			assert_int_equal(p->data[pad], 0);
		assert_good(p->data, p->len);
		make(&one, want);
		/* make() has a payload of its own; sums are checked above. */
		memcpy(want + header, frame + header + at, one.payload);
		memcpy(want + hdr.csum_start + hdr.csum_offset,
		       p->data + hdr.csum_start + hdr.csum_offset, 2);
		assert_memory_equal(p->data, want, p->len);
		at += one.payload;
	}
	assert_int_equal(at, s->payload);
	assert_ptr_equal(packets[plan.count - 1].data + packets[plan.count - 1].padded +
				 PACKET_TAILROOM,
			 out + plan.total);
	assert_int_equal(out[plan.total], 0xee);
}

static void test_cut(void **state)
{
	(void)state;
	for (int version = 4; version <= 6; version += 2) {
		struct shape s = { .version = version,
				   .protocol = IPPROTO_TCP,
				   .options = 12,
				   .seq = 0xfffff000,
				   .id = 0xfffe,
				   .port = 9,
				   .df = true };

		for (int i = 0; i < 300; i++) {
			s.payload = noise() % 65000;
			s.flags = (uint8_t)(0x10 | (noise() & 0xc9));
			check_cut(&s, (uint16_t)(100 + noise() % 1300));
		}
		s.payload = 0;
		check_cut(&s, 1000);
		s.protocol = IPPROTO_UDP;
		for (int i = 0; i < 300; i++) {
			s.payload = 1 + noise() % (64 * 500);
			check_cut(&s, (uint16_t)(500 + noise() % 900));
		}
	}
}

static void test_whole(void **state)
{
	struct shape s = { .version = 4, .protocol = IPPROTO_UDP, .payload = 101, .port = 5 };
	struct virtio_net_hdr hdr;
	struct segment_plan plan;
	struct packet p;
	uint32_t len = make_frame(&s, 0, frame, &hdr);

	(void)state;
	hdr.gso_type = VIRTIO_NET_HDR_GSO_NONE;
	assert_int_equal(segment_plan(&hdr, frame, len, MTU, &plan), 0);
	assert_int_equal(plan.count, 1);
	assert_int_equal(plan.total, 144 + 32);
	segment_split(&plan, frame, out, packets);
	assert_good(packets[0].data, len);
	segment_finish(&plan, frame, &p);
	assert_memory_equal(p.data, packets[0].data, p.padded);
	/* Without a sum to be made nothing is touched. */
	memset(&hdr, 0, sizeof(hdr));
	frame[27] ^= 1;
	assert_int_equal(segment_plan(&hdr, frame, len, MTU, &plan), 0);
	segment_split(&plan, frame, out, packets);
	assert_memory_equal(packets[0].data, frame, len);
	/* Padding stops at the MTU. */
	assert_int_equal(packet_padded(1420, 1420), 1420);
	assert_int_equal(packet_padded(1409, 1420), 1420);
	assert_int_equal(packet_padded(1408, 1420), 1408);
	assert_int_equal(packet_padded(0, 1420), 0);
}

static void test_malformed(void **state)
{
	struct shape s = { .version = 4, .protocol = IPPROTO_TCP, .payload = 5000, .port = 5 };
	struct virtio_net_hdr good, hdr;
	struct segment_plan plan;
	uint32_t len = make_frame(&s, 1000, frame, &good);

	(void)state;
	assert_int_equal(segment_plan(&good, frame, len, MTU, &plan), 0);
#define REFUSED(error, change)                                                       \
	do {                                                                         \
		hdr = good;                                                          \
		(void)make_frame(&s, 1000, frame, &good);                            \
		change;                                                              \
		assert_int_equal(segment_plan(&hdr, frame, len, MTU, &plan), error); \
	} while (0)
	REFUSED(-EINVAL, hdr.gso_size = 0);
	REFUSED(-E2BIG, hdr.gso_size = 1);
	REFUSED(-EINVAL, hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV6);
	REFUSED(-EINVAL, hdr.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4);
	REFUSED(-EOPNOTSUPP, hdr.gso_type = VIRTIO_NET_HDR_GSO_UDP);
	REFUSED(-EINVAL, hdr.csum_start = 24);
	REFUSED(-EINVAL, hdr.csum_start = 0xffff);
	REFUSED(-EINVAL, (hdr.gso_type = VIRTIO_NET_HDR_GSO_NONE, hdr.csum_start = 18));
	REFUSED(-EINVAL, frame[0] = 0x44);
	REFUSED(-EINVAL, frame[0] = 0x4f);
	REFUSED(-EINVAL, frame[0] = 0x60);
	REFUSED(-EINVAL, frame[3] ^= 1);
	REFUSED(-EINVAL, frame[6] = 0x20);
	REFUSED(-EINVAL, frame[7] = 1);
	REFUSED(-EINVAL, frame[9] = IPPROTO_UDP);
	REFUSED(-EINVAL, frame[32] = 0x40);
	assert_int_equal(segment_plan(&good, frame, 0, MTU, &plan), -EINVAL);
	assert_int_equal(segment_plan(&good, frame, 65536, MTU, &plan), -EINVAL);
	for (uint32_t cut = 1; cut < len; cut++)
		assert_int_equal(segment_plan(&good, frame, cut, MTU, &plan), -EINVAL);
}

/* The longest headers there may be, in front of pieces of any size: the room that was promised is enough. */
static void test_room(void **state)
{
	const uint32_t l4 = SEGMENT_L4_MAX, len = PACKET_MAX, payload = len - l4 - SEGMENT_TCP_MAX;
	struct virtio_net_hdr hdr = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				      .gso_type = VIRTIO_NET_HDR_GSO_TCPV6,
				      .csum_start = (uint16_t)l4,
				      .csum_offset = 16 };
	struct segment_plan plan;
	uint32_t most = 0;

	(void)state;
	memset(frame, 0, len);
	frame[0] = 0x60;
	put16(frame + 4, len - 40);
	frame[l4 + 12] = 0xf0;
	for (hdr.gso_size = 1; hdr.gso_size < 1000; hdr.gso_size++) {
		int rc = segment_plan(&hdr, frame, len, MTU, &plan);

		assert_int_equal(rc, payload > SEGMENT_MAX * hdr.gso_size ? -E2BIG : 0);
		if (rc)
			continue;
		assert_true(plan.total <= SEGMENT_TOTAL_MAX);
		out[plan.total] = 0xee;
		segment_split(&plan, frame, out, packets);
		assert_int_equal(out[plan.total], 0xee);
		most = plan.count > most ? plan.count : most;
	}
	assert_true(most > SEGMENT_MAX - 30);
	hdr.csum_start += 8;
	assert_int_equal(segment_plan(&hdr, frame, len, MTU, &plan), -EINVAL);
}

struct sink {
	struct packet got[PACKETS];
	uint32_t n, frames, joined;
};

/* Cuts what was joined again; `out` holds it all. */
static void cut_again(void *ctx, const struct iovec *iov, int n, uint32_t count, uint32_t bytes)
{
	static uint8_t whole[65536];
	static uint8_t *at;
	struct sink *sink = ctx;
	struct virtio_net_hdr hdr;
	struct segment_plan plan;
	size_t len = 0;

	if (!sink->n)
		at = out;
	assert_int_equal(iov[0].iov_len, sizeof(hdr));
	memcpy(&hdr, iov[0].iov_base, sizeof(hdr));
	for (int i = 1; i < n; i++) {
		assert_true(len + iov[i].iov_len <= PACKET_MAX);
		memcpy(whole + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	assert_int_equal(len, bytes);
	assert_int_equal(segment_plan(&hdr, whole, len, MTU, &plan), 0);
	assert_int_equal(plan.count, count);
	assert_true(sink->n + count <= PACKETS && at + plan.total <= out + sizeof(out));
	segment_split(&plan, whole, at, &sink->got[sink->n]);
	at += plan.total;
	sink->n += count;
	sink->frames++;
	sink->joined += count > 1 ? count : 0;
}

static uint8_t world[PACKETS][2048], copy[PACKETS][2048];
static uint32_t lens[PACKETS];

/* The packets of every flow (by port) must come out as they went in, in order. */
static void check_join(uint32_t n, struct sink *sink)
{
	struct coalesce *c;
	bool taken[PACKETS] = { 0 };

	memset(sink, 0, sizeof(*sink));
	c = coalesce_new(true, cut_again, sink);
	memcpy(copy, world, sizeof(copy));
	for (uint32_t i = 0; i < n; i++)
		coalesce_add(c, world[i], lens[i]);
	coalesce_flush(c);
	coalesce_free(c);
	assert_int_equal(sink->n, n);
	for (uint32_t i = 0; i < n; i++) {
		const struct packet *p = &sink->got[i];
		uint32_t l4 = l4_of(p->data), k = 0;

		while (k < n && (taken[k] || l4_of(copy[k]) != l4 ||
				 memcmp(copy[k] + l4, p->data + l4, 2) != 0))
			k++;
		assert_true(k < n);
		taken[k] = true;
		assert_int_equal(p->len, lens[k]);
		assert_memory_equal(p->data, copy[k], lens[k]);
	}
}

static void test_join(void **state)
{
	struct sink sink;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct shape flows[6];
		uint32_t n = 1 + noise() % PACKETS, size = 100 + noise() % 1200;

		for (int f = 0; f < 6; f++)
			flows[f] = (struct shape){ .version = f & 1 ? 6 : 4,
						   .protocol = f < 4 ? IPPROTO_TCP : IPPROTO_UDP,
						   .options = f & 2 ? 12 : 0,
						   .seq = noise(),
						   .id = (uint16_t)noise(),
						   .port = (uint16_t)(1000 + f),
						   .flags = 0x10,
						   .df = f < 4 };
		for (uint32_t i = 0; i < n; i++) {
			struct shape *s = &flows[noise() % 6], one;
			uint32_t odd = noise() % 100;

			s->payload = size;
			one = *s;
			if (odd < 3)
				one.payload = noise() % size;
			else if (odd < 6)
				one.flags |= 0x08;
			else if (odd == 6)
				one.flags |= 0x01;
			else if (odd == 7)
				one.flags |= (uint8_t)(noise() & 0xe6);
			else if (odd == 8)
				one.seq ^= 1;
			else if (odd == 9)
				one.id ^= 5;
			else if (odd == 10)
				one.tos = 2;
			else if (odd == 11)
				one.payload = size + 1;
			lens[i] = make(&one, world[i]);
			if (odd == 12)
				world[i][lens[i] - 1] ^= 1; /* a bad checksum stays one */
			else if (odd == 13 && one.version == 4)
				world[i][10] ^= 1;
			s->seq += one.payload;
			s->id++;
		}
		check_join(n, &sink);
	}
}

/* Bulk flows become few frames. */
static void test_join_bulk(void **state)
{
	struct sink sink;

	(void)state;
	for (int kind = 0; kind < 4; kind++) {
		struct shape s = { .version = kind & 1 ? 6 : 4,
				   .protocol = kind & 2 ? IPPROTO_UDP : IPPROTO_TCP,
				   .payload = 1300,
				   .port = 7,
				   .flags = 0x10,
				   .df = true };

		for (uint32_t i = 0; i < 90; i++) {
			lens[i] = make(&s, world[i]);
			s.seq += s.payload;
			s.id++;
		}
		check_join(90, &sink);
		assert_int_equal(sink.frames, 2); /* 49 or 50 make 64 KiB */
	}
}

static void count_frames(void *ctx, const struct iovec *iov, int n, uint32_t count, uint32_t bytes)
{
	uint32_t *frames = ctx;

	(void)iov;
	(void)n;
	(void)count;
	(void)bytes;
	++*frames;
}

/* Identifications that stay the same where they mean nothing; UDP where the device takes none. */
static void test_join_kinds(void **state)
{
	struct shape s = { .version = 4, .protocol = IPPROTO_UDP, .payload = 800, .port = 7 };

	(void)state;
	for (int kind = 0; kind < 3; kind++) {
		uint32_t frames = 0;
		struct coalesce *c = coalesce_new(kind != 2, count_frames, &frames);

		s.df = kind != 1;
		for (uint32_t i = 0; i < 40; i++)
			coalesce_add(c, world[i], make(&s, world[i]));
		coalesce_flush(c);
		coalesce_free(c);
		assert_int_equal(frames, kind ? 40 : 1);
	}
}

static void test_sum(void **state)
{
	uint8_t data[300];

	(void)state;
	for (uint32_t i = 0; i < 20000; i++) {
		uint32_t at = noise() % 40, len = noise() % 260;
		uint16_t sum;

		for (uint32_t k = 0; k < sizeof(data); k++)
			data[k] = i & 1 ? 0xff : (uint8_t)noise();
		sum = sum_fold(sum_of(data + at, len));
		assert_int_equal(ntohs(sum) % 0xffff, naive_sum(data + at, len, 0) % 0xffff);
	}
}

static void test_ecn(void **state)
{
	struct shape s = { .version = 4, .protocol = IPPROTO_UDP, .payload = 9, .port = 7 };

	(void)state;
	for (s.version = 4; s.version <= 6; s.version += 2) {
		for (uint8_t ecn = 0; ecn < 4; ecn++) {
			uint8_t p[100];
			uint32_t len;

			s.tos = 0xb8 | ecn;
			len = make(&s, p);
			assert_int_equal(packet_ecn(p), ecn == 3 ? 2 : ecn);
			packet_set_ce(p, len);
			assert_good(p, len);
			assert_int_equal((s.version == 4 ? p[1] : p[0] << 4 | p[1] >> 4) & 0xff,
					 0xb8 | (ecn ? 3 : 0));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut),	  cmocka_unit_test(test_whole),
		cmocka_unit_test(test_malformed), cmocka_unit_test(test_join),
		cmocka_unit_test(test_join_bulk), cmocka_unit_test(test_join_kinds),
		cmocka_unit_test(test_sum),	  cmocka_unit_test(test_ecn),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
