/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any packets, joined and cut again, are the same packets, those of a flow in the order in which they
 * came. The input is records: a byte of how, a byte of length, and so many bytes of the packet; the
 * record before gives what is not there.
 */
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/coalesce.h"
#include "engine/segment.h"
#include "engine/sum.h"

enum {
	PACKETS = 200,
	LEN = 320,
	ROOM = PACKETS * 512,
};

/* How a packet comes from its record. */
enum {
	FOLLOW = 1, /* the one before, with its sequence number and identification moved on */
	LENGTH = 2, /* its header states its length */
	SUMS = 4,   /* its checksums are right */
	UDP = 8,    /* the device takes UDP (of the first record) */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static uint8_t sent[PACKETS][LEN];
static uint32_t lens[PACKETS], n_sent, n_got;
static bool taken[PACKETS];

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static void put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static uint32_t l4_of(const uint8_t *p)
{
	return p[0] >> 4 == 6 ? 40 : (p[0] & 15) * 4u;
}

static uint8_t protocol_of(const uint8_t *p)
{
	return p[0] >> 4 == 6 ? p[6] : p[9];
}

/* Of IPv4 and TCP, or of UDP; 0: none. */
static uint32_t check_field(const uint8_t *p, uint32_t len)
{
	uint32_t field = l4_of(p) + (protocol_of(p) == IPPROTO_TCP ? 16 : 6);

	if (protocol_of(p) != IPPROTO_TCP && protocol_of(p) != IPPROTO_UDP)
		return 0;
	return field + 2 <= len ? field : 0;
}

static void sums_make(uint8_t *p, uint32_t len)
{
	uint32_t l4 = l4_of(p), field = check_field(p, len), sum;
	uint16_t value;

	if (p[0] >> 4 == 4 && l4 >= 20 && l4 <= len) {
		put16(p + 10, 0);
		value = (uint16_t)~sum_fold(sum_of(p, l4));
		memcpy(p + 10, &value, 2);
	}
	if (!field || l4 < 20)
		return;
	put16(p + field, 0);
	sum = p[0] >> 4 == 4 ? sum_of(p + 12, 8) : sum_of(p + 8, 32);
	sum = sum_add(sum, (uint32_t)htons(protocol_of(p)) + htons((uint16_t)(len - l4)));
	value = (uint16_t)~sum_fold(sum_add(sum, sum_of(p + l4, len - l4)));
	memcpy(p + field, &value, 2);
}

/* 0 and 0xffff are one sum; of IPv4 packets that are not to be fragmented no identification counts. */
static bool same(const uint8_t *a, const uint8_t *b, uint32_t len)
{
	uint8_t x[2][LEN];

	memcpy(x[0], a, len);
	memcpy(x[1], b, len);
	for (int i = 0; i < 2; i++) {
		uint8_t *p = x[i];
		uint32_t field = check_field(p, len);

		if (field && get16(p + field) == 0xffff)
			put16(p + field, 0);
		if (p[0] >> 4 != 4)
			continue;
		if (get16(p + 10) == 0xffff)
			put16(p + 10, 0);
		if (get16(x[0] + 4) != get16(x[1] + 4) && a[6] & 0x40 && b[6] & 0x40)
			put16(p + 10, 0);
	}
	if (x[0][0] >> 4 == 4 && get16(x[0] + 4) != get16(x[1] + 4) && a[6] & 0x40 && b[6] & 0x40)
		memcpy(x[0] + 4, x[1] + 4, 2);
	return !memcmp(x[0], x[1], len);
}

static bool same_flow(const uint8_t *a, uint32_t la, const uint8_t *b, uint32_t lb)
{
	uint32_t l4 = a[0] >> 4 == 6 ? 40 : 20;

	if (a[0] != b[0] && a[0] >> 4 != 6)
		return false;
	if (a[0] >> 4 != b[0] >> 4 || protocol_of(a) != protocol_of(b) || la < l4 + 4 ||
	    lb < l4 + 4)
		return false;
	return !memcmp(a + (l4 == 40 ? 8 : 12), b + (l4 == 40 ? 8 : 12), l4 == 40 ? 36 : 12);
}

static void got(const uint8_t *p, uint32_t len)
{
	uint32_t k = 0;

	while (k < n_sent && (taken[k] || !(same_flow(p, len, sent[k], lens[k]) ||
					    (len == lens[k] && same(p, sent[k], len)))))
		k++;
	check(k < n_sent && len == lens[k] && same(p, sent[k], len));
	taken[k] = true;
	n_got++;
}

static void cut_again(void *ctx, const struct iovec *iov, int n, uint32_t count, uint32_t bytes)
{
	static uint8_t whole[PACKET_MAX], out[ROOM];
	static struct packet packets[SEGMENT_MAX];
	struct virtio_net_hdr hdr;
	struct segment_plan plan;
	size_t len = 0;

	(void)ctx;
	memcpy(&hdr, iov[0].iov_base, sizeof(hdr));
	for (int i = 1; i < n; i++) {
		check(len + iov[i].iov_len <= sizeof(whole));
		memcpy(whole + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	check(len == bytes && count);
	if (count == 1) {
		check(!hdr.flags && hdr.gso_type == VIRTIO_NET_HDR_GSO_NONE);
		got(whole, (uint32_t)len);
		return;
	}
	check(!segment_plan(&hdr, whole, len, 1420, &plan));
	check(plan.count == count && plan.total <= sizeof(out));
	segment_split(&plan, whole, out, packets);
	for (uint32_t i = 0; i < count; i++)
		got(packets[i].data, packets[i].len);
}

/* The next packet: the record's bytes over those of the packet before. */
static void make(uint32_t i, uint8_t how, const uint8_t *bytes, uint32_t len)
{
	uint8_t *p = sent[i];
	uint32_t l4, header;

	memset(p, 0, LEN);
	lens[i] = len;
	if (how & FOLLOW && i) {
		uint32_t seq;

		memcpy(p, sent[i - 1], LEN);
		lens[i] = lens[i - 1];
		l4 = l4_of(p);
		header = l4 + (p[l4 + 12] >> 4) * 4u;
		memcpy(&seq, p + l4 + 4, 4);
		seq = htonl(ntohl(seq) + (lens[i] > header ? lens[i] - header : 0));
		if (protocol_of(p) == IPPROTO_TCP)
			memcpy(p + l4 + 4, &seq, 4);
		if (p[0] >> 4 == 4)
			put16(p + 4, get16(p + 4) + 1);
		/* The record's bytes from the end. */
		if (len > lens[i])
			len = lens[i];
		memcpy(p + lens[i] - len, bytes, len);
	} else {
		memcpy(p, bytes, len);
	}
	l4 = l4_of(p);
	if (how & LENGTH && p[0] >> 4 == 4)
		put16(p + 2, lens[i]);
	else if (how & LENGTH && lens[i] >= 40)
		put16(p + 4, lens[i] - 40);
	if (how & LENGTH && protocol_of(p) == IPPROTO_UDP && lens[i] >= l4 + 8)
		put16(p + l4 + 4, lens[i] - l4);
	if (how & SUMS && lens[i] >= 40)
		sums_make(p, lens[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copies[PACKETS];
	struct coalesce *c;

	if (!size)
		return 0;
	c = coalesce_new(data[0] & UDP, cut_again, NULL);
	check(c);
	n_sent = n_got = 0;
	memset(taken, 0, sizeof(taken));
	while (n_sent < PACKETS && size >= 2) {
		uint8_t how = data[0];
		uint32_t len = data[1], room = (uint32_t)size - 2;

		if (len > room)
			len = room;
		make(n_sent, how, data + 2, len);
		data += 2 + len;
		size -= 2 + len;
		/* What the engine drops before. */
		if (packet_inner_len(sent[n_sent], lens[n_sent]) != lens[n_sent] || !lens[n_sent])
			continue;
		n_sent++;
	}
	for (uint32_t i = 0; i < n_sent; i++) {
		/* In memory of its own size, so that a byte too far is seen. */
		copies[i] = malloc(lens[i]);
		check(copies[i]);
		memcpy(copies[i], sent[i], lens[i]);
		coalesce_add(c, copies[i], lens[i]);
	}
	coalesce_flush(c);
	check(n_got == n_sent);
	for (uint32_t i = 0; i < n_sent; i++)
		free(copies[i]);
	coalesce_free(c);
	return 0;
}
