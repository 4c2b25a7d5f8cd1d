/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inner packets out of a fuzzer's input, and what is the same of two of them; and a TUN frame of the
 * engine's taken to pieces again.
 */
#ifndef FUZZ_WG_PACKETS_H
#define FUZZ_WG_PACKETS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/segment.h"
#include "engine/sum.h"

enum {
	PACKETS_LEN = 320,
};

/* How a packet comes from its record. */
enum packets_how {
	PACKETS_FOLLOW = 1, /* the one before, its sequence number and identification moved on */
	PACKETS_LENGTH = 2, /* its header states its length */
	PACKETS_SUMS = 4,   /* its checksums are right */
};

/* Not inline, so that the trace of a failure says which it was. */
static __attribute__((noinline, unused)) void check(bool good)
{
	if (!good)
		abort();
}

static inline uint32_t packets_get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static inline void packets_put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static inline uint32_t packets_l4(const uint8_t *p)
{
	return p[0] >> 4 == 6 ? 40 : (p[0] & 15) * 4u;
}

static inline uint8_t packets_protocol(const uint8_t *p)
{
	return p[0] >> 4 == 6 ? p[6] : p[9];
}

/* Of IPv4 and TCP, or of UDP; 0: none. */
static inline uint32_t packets_check_field(const uint8_t *p, uint32_t len)
{
	uint32_t field = packets_l4(p) + (packets_protocol(p) == IPPROTO_TCP ? 16 : 6);

	if (packets_protocol(p) != IPPROTO_TCP && packets_protocol(p) != IPPROTO_UDP)
		return 0;
	return field + 2 <= len ? field : 0;
}

static inline void packets_sum(uint8_t *p, uint32_t len)
{
	uint32_t l4 = packets_l4(p), field = packets_check_field(p, len), sum;
	uint16_t value;

	if (p[0] >> 4 == 4 && l4 >= 20 && l4 <= len) {
		packets_put16(p + 10, 0);
		value = (uint16_t)~sum_fold(sum_of(p, l4));
		memcpy(p + 10, &value, 2);
	}
	if (!field || l4 < 20)
		return;
	packets_put16(p + field, 0);
	sum = p[0] >> 4 == 4 ? sum_of(p + 12, 8) : sum_of(p + 8, 32);
	sum = sum_add(sum, (uint32_t)htons(packets_protocol(p)) + htons((uint16_t)(len - l4)));
	value = (uint16_t)~sum_fold(sum_add(sum, sum_of(p + l4, len - l4)));
	memcpy(p + field, &value, 2);
}

/*
 * The next packet, `len` bytes of a record over those of the packet before (NULL: none), into
 * PACKETS_LEN bytes. Its length. `len` is no more than PACKETS_LEN.
 */
static inline uint32_t packets_make(uint8_t *p, const uint8_t *before, uint32_t len_before,
				    uint8_t how, const uint8_t *bytes, uint32_t len)
{
	uint32_t l4, header, seq;

	memset(p, 0, PACKETS_LEN);
	if (how & PACKETS_FOLLOW && before) {
		memcpy(p, before, PACKETS_LEN);
		l4 = packets_l4(p);
		header = l4 + (p[l4 + 12] >> 4) * 4u;
		memcpy(&seq, p + l4 + 4, 4);
		seq = htonl(ntohl(seq) + (len_before > header ? len_before - header : 0));
		if (packets_protocol(p) == IPPROTO_TCP)
			memcpy(p + l4 + 4, &seq, 4);
		if (p[0] >> 4 == 4)
			packets_put16(p + 4, packets_get16(p + 4) + 1);
		/* The record's bytes from the end. */
		if (len > len_before)
			len = len_before;
		memcpy(p + len_before - len, bytes, len);
		len = len_before;
	} else {
		memcpy(p, bytes, len);
	}
	l4 = packets_l4(p);
	if (how & PACKETS_LENGTH && p[0] >> 4 == 4)
		packets_put16(p + 2, len);
	else if (how & PACKETS_LENGTH && len >= 40)
		packets_put16(p + 4, len - 40);
	if (how & PACKETS_LENGTH && packets_protocol(p) == IPPROTO_UDP && len >= l4 + 8)
		packets_put16(p + l4 + 4, len - l4);
	if (how & PACKETS_SUMS && len >= 40)
		packets_sum(p, len);
	return len;
}

/* 0 and 0xffff are one sum; of IPv4 packets that are not to be fragmented no identification counts. */
static inline bool packets_same(const uint8_t *a, const uint8_t *b, uint32_t len)
{
	uint8_t x[2][PACKETS_LEN];

	memcpy(x[0], a, len);
	memcpy(x[1], b, len);
	for (int i = 0; i < 2; i++) {
		uint8_t *p = x[i];
		uint32_t field = packets_check_field(p, len);

		if (field && packets_get16(p + field) == 0xffff)
			packets_put16(p + field, 0);
		if (p[0] >> 4 != 4)
			continue;
		if (packets_get16(p + 10) == 0xffff)
			packets_put16(p + 10, 0);
		if (packets_get16(x[0] + 4) != packets_get16(x[1] + 4) && a[6] & 0x40 &&
		    b[6] & 0x40)
			packets_put16(p + 10, 0);
	}
	if (x[0][0] >> 4 == 4 && packets_get16(x[0] + 4) != packets_get16(x[1] + 4) &&
	    a[6] & 0x40 && b[6] & 0x40)
		memcpy(x[0] + 4, x[1] + 4, 2);
	return !memcmp(x[0], x[1], len);
}

static inline bool packets_same_flow(const uint8_t *a, uint32_t la, const uint8_t *b, uint32_t lb)
{
	uint32_t l4 = a[0] >> 4 == 6 ? 40 : 20;

	if (a[0] != b[0] && a[0] >> 4 != 6)
		return false;
	if (a[0] >> 4 != b[0] >> 4 || packets_protocol(a) != packets_protocol(b) || la < l4 + 4 ||
	    lb < l4 + 4)
		return false;
	return !memcmp(a + (l4 == 40 ? 8 : 12), b + (l4 == 40 ? 8 : 12), l4 == 40 ? 36 : 12);
}

/* What is to come out: each once, those of a flow in their order. */
struct packets_expected {
	uint8_t bytes[PACKETS_LEN];
	uint32_t len;
	bool seen;
};

static inline void packets_seen(struct packets_expected *expected, uint32_t n, const uint8_t *p,
				uint32_t len)
{
	uint32_t k = 0;

	while (k < n && (expected[k].seen ||
			 !(packets_same_flow(p, len, expected[k].bytes, expected[k].len) ||
			   (len == expected[k].len && packets_same(p, expected[k].bytes, len)))))
		k++;
	check(k < n && len == expected[k].len && packets_same(p, expected[k].bytes, len));
	expected[k].seen = true;
}

/* A frame for the TUN device, cut again. How many packets it was. */
static inline uint32_t packets_cut(struct packets_expected *expected, uint32_t n,
				   const struct virtio_net_hdr *hdr, const uint8_t *frame,
				   uint32_t len)
{
	static uint8_t out[4 * PACKET_MAX];
	static struct packet packets[SEGMENT_MAX];
	struct segment_plan plan;

	if (hdr->gso_type == VIRTIO_NET_HDR_GSO_NONE) {
		check(!hdr->flags && len <= PACKETS_LEN);
		packets_seen(expected, n, frame, len);
		return 1;
	}
	check(!segment_plan(hdr, frame, len, 1420, &plan));
	check(plan.count > 1 && plan.total <= sizeof(out));
	segment_split(&plan, frame, out, packets);
	for (uint32_t i = 0; i < plan.count; i++)
		packets_seen(expected, n, packets[i].data, packets[i].len);
	return plan.count;
}

#endif
