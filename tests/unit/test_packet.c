/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading frames, each in memory that ends where it does, so that a sanitizer sees a byte too far. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packet.h"

static const uint8_t v4[] = {
	0x02, 0,    0,	  0,	0,    1,    0x02, 0,	0,  0,	0, 2, 0x08, 0x00, /* Ethernet */
	0x45, 0,    0,	  36,	0x12, 0x34, 0x40, 0,	61, 17, 0, 0, 192,  0,
	2,    1,    10,	  0,	0,    5,		/* IPv4 */
	0x40, 0x07, 0x40, 0x05, 0,    16,   0xab, 0xcd, /* UDP */
	4,    0,    0,	  0,	1,    2,    3,	  4,
};

static const uint8_t
	v6
		[] = {
			0x02, 0,    0,	  0,	0, 1,  0x02, 0,	   0,	 0, 0,	 2,
			0x86, 0xdd, /* Ethernet */
			0x60, 0,    0,	  0,	0, 16, 17,   61,   0x20, 1, 0xd, 0xb8,
			0,    0,    0,	  0,	0, 0,  0,    0,	   0,	 0, 0,	 1, /* IPv6 */
			0x20, 1,    0xd,  0xb8, 0, 0,  0,    0,	   0,	 0, 0,	 0,
			0,    0,    0,	  2,			   /* destination */
			0x40, 0x07, 0x40, 0x05, 0, 16, 0xab, 0xcd, /* UDP */
			4,    0,    0,	  0,	1, 2,  3,    4,
		};

static enum packet_result parse(const uint8_t *frame, size_t len, struct packet *ret)
{
	/* As the kernel places it: IP at a multiple of four. */
	uint8_t *const room = malloc(len + 2), *const exact = room + 2;
	enum packet_result result;

	assert_non_null(room);
	memcpy(exact, frame, len);
	result = packet_parse(exact, exact + len, (uint32_t)len, ret);
	free(room);
	return result;
}

static void assert_addr(const struct dp_addr *addr, const char *text)
{
	struct dp_addr wanted = { { 0, 0, htonl(0xffff), 0 } };

	if (strchr(text, ':'))
		assert_int_equal(inet_pton(AF_INET6, text, &wanted), 1);
	else
		assert_int_equal(inet_pton(AF_INET, text, &wanted.word[3]), 1);
	assert_memory_equal(addr, &wanted, sizeof(wanted));
	assert_true(packet_addr_equal(addr, &wanted));
	assert_int_equal(packet_addr_family(addr), strchr(text, ':') ? 6 : 4);
}

static void assert_common(const struct packet *p, uint8_t l3, uint8_t l4)
{
	assert_int_equal(p->source_port, 0x4007);
	assert_int_equal(p->destination_port, 0x4005);
	assert_int_equal(p->payload, 8);
	assert_int_equal(p->ttl, 61);
	assert_int_equal(p->l3, l3);
	assert_int_equal(p->l4, l4);
}

static void test_plain(void **state)
{
	struct packet p;

	(void)state;
	assert_int_equal(parse(v4, sizeof(v4), &p), PACKET_PORTS);
	assert_common(&p, 14, 34);
	assert_int_equal(p.family, 4);
	assert_int_equal(p.flags, 0);
	assert_int_equal(p.ip_len, 36);
	assert_addr(&p.source, "192.0.2.1");
	assert_addr(&p.destination, "10.0.0.5");

	assert_int_equal(parse(v6, sizeof(v6), &p), PACKET_PORTS);
	assert_common(&p, 14, 54);
	assert_int_equal(p.family, 6);
	assert_int_equal(p.flags, 0);
	assert_int_equal(p.ip_len, 56);
	assert_addr(&p.source, "2001:db8::1");
	assert_addr(&p.destination, "2001:db8::2");
}

static size_t tag(uint8_t *frame, const uint8_t *of, size_t len, unsigned int tags)
{
	memcpy(frame, of, 12);
	for (unsigned int i = 0; i < tags; i++)
		memcpy(frame + 12 + i * 4, i + 1 < tags ? "\x88\xa8\0\x05" : "\x81\0\0\x07", 4);
	memcpy(frame + 12 + tags * 4, of + 12, len - 12);
	return len + tags * 4;
}

static void test_tags(void **state)
{
	uint8_t frame[128];
	struct packet p;

	(void)state;
	for (unsigned int tags = 1; tags <= 2; tags++) {
		assert_int_equal(parse(frame, tag(frame, v4, sizeof(v4), tags), &p), PACKET_PORTS);
		assert_common(&p, (uint8_t)(14 + tags * 4), (uint8_t)(34 + tags * 4));
		assert_int_equal(p.flags, PACKET_TAGGED);
		assert_int_equal(parse(frame, tag(frame, v6, sizeof(v6), tags), &p), PACKET_PORTS);
		assert_common(&p, (uint8_t)(14 + tags * 4), (uint8_t)(54 + tags * 4));
	}
	assert_int_equal(parse(frame, tag(frame, v4, sizeof(v4), 3), &p), PACKET_BURIED);
	assert_int_equal(parse(frame, tag(frame, v6, sizeof(v6), 4), &p), PACKET_BURIED);
}

/* Shorter: never more is known, and what is said of lengths contradicts. Longer: padding. */
static void test_lengths(void **state)
{
	static const struct {
		const uint8_t *frame;
		size_t len, ip, udp;
	} frames[] = { { v4, sizeof(v4), 34, 42 }, { v6, sizeof(v6), 54, 62 } };

	(void)state;
	for (int i = 0; i < 2; i++) {
		uint8_t padded[256] = { 0 };
		struct packet p, untouched;

		for (size_t len = 0; len < frames[i].len; len++) {
			memset(&p, 0x5a, sizeof(p));
			untouched = p;
			if (len < frames[i].ip) {
				assert_int_equal(parse(frames[i].frame, len, &p), PACKET_FOREIGN);
				assert_memory_equal(&p, &untouched, sizeof(p));
			} else if (len < frames[i].udp) {
				assert_int_equal(parse(frames[i].frame, len, &p), PACKET_IP);
				assert_int_equal(p.destination_port, 0);
			} else {
				assert_int_equal(parse(frames[i].frame, len, &p), PACKET_PORTS);
				assert_int_equal(p.flags, PACKET_LENGTH);
				assert_int_equal(p.payload, 0);
			}
		}
		memcpy(padded, frames[i].frame, frames[i].len);
		assert_int_equal(parse(padded, sizeof(padded), &p), PACKET_PORTS);
		assert_int_equal(p.flags, 0);
		assert_int_equal(p.payload, 8);
		/* Of UDP: all but the right one. */
		for (unsigned int len = 0; len < 65536; len++) {
			padded[frames[i].udp - 4] = (uint8_t)(len >> 8);
			padded[frames[i].udp - 3] = (uint8_t)len;
			assert_int_equal(parse(padded, sizeof(padded), &p), PACKET_PORTS);
			assert_int_equal(p.flags, len == 16 ? 0 : PACKET_LENGTH);
		}
	}
}

/* What can be read may be less than the frame is long (tc): the length counts, not the reach. */
static void test_reach(void **state)
{
	uint32_t words[(sizeof(v4) + 5) / 4];
	uint8_t *const frame = (uint8_t *)words + 2;
	struct packet p;

	(void)state;
	memcpy(frame, v4, sizeof(v4));
	assert_int_equal(packet_parse(frame, frame + 42, sizeof(v4), &p), PACKET_PORTS);
	assert_common(&p, 14, 34);
	assert_int_equal(p.flags, 0);
	assert_int_equal(packet_parse(frame, frame + 41, sizeof(v4), &p), PACKET_IP);
}

static void test_v4_options(void **state)
{
	struct packet p;

	(void)state;
	for (uint8_t words = 0; words < 16; words++) {
		uint8_t frame[128] = { 0 };
		const size_t header = words * 4u;

		memcpy(frame, v4, 34);
		frame[14] = 0x40 | words;
		frame[17] = (uint8_t)(header + 16);
		if (words < 5) {
			assert_int_equal(parse(frame, 100, &p), PACKET_FOREIGN);
			continue;
		}
		memcpy(frame + 14 + header, v4 + 34, 16);
		assert_int_equal(parse(frame, 30 + header, &p), PACKET_PORTS);
		assert_common(&p, 14, (uint8_t)(14 + header));
		assert_int_equal(p.flags, words > 5 ? PACKET_OPTIONS : 0);
	}
}

static void test_v4_fragments(void **state)
{
	uint8_t frame[sizeof(v4)];
	struct packet p;

	(void)state;
	memcpy(frame, v4, sizeof(v4));
	for (unsigned int field = 0; field < 65536; field++) {
		const bool later = field & 0x1fff, fragment = later || field & 0x2000;

		frame[20] = (uint8_t)(field >> 8);
		frame[21] = (uint8_t)field;
		assert_int_equal(parse(frame, sizeof(frame), &p), later ? PACKET_IP : PACKET_PORTS);
		assert_int_equal(p.flags, fragment ? PACKET_FRAGMENT : 0);
		assert_int_equal(p.destination_port, later ? 0 : 0x4005);
		assert_int_equal(p.payload, fragment ? 0 : 8);
	}
}

/* Extension headers in front of UDP, by their types; 8 bytes each unless len says otherwise. */
static size_t extend(uint8_t *frame, const uint8_t *types, size_t n, uint8_t len)
{
	size_t at = 54;
	uint8_t *next = frame + 20;

	memset(frame, 0, 1024);
	memcpy(frame, v6, 54);
	for (size_t i = 0; i < n; i++) {
		*next = types[i];
		next = frame + at;
		next[1] = types[i] == 44 ? 0 : len;
		at += types[i] == 44 ? 8 : types[i] == 51 ? (len + 2) * 4u : (len + 1) * 8u;
	}
	*next = 17;
	memcpy(frame + at, v6 + 54, 16);
	at += 16;
	frame[18] = (uint8_t)((at - 54) >> 8);
	frame[19] = (uint8_t)(at - 54);
	return at;
}

static void test_v6_extensions(void **state)
{
	static const uint8_t types[] = { 0, 43, 51, 60 }, fragment[] = { 0, 44, 60 };
	static const uint8_t many[] = { 0, 60, 43, 60, 60 };
	uint8_t frame[1024];
	struct packet p;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(types); i++)
		for (unsigned int size = 0; size < 30; size++) {
			len = extend(frame, types + i, 1, (uint8_t)size);
			if (len - 16 > PACKET_L4_MAX) {
				assert_int_equal(parse(frame, len, &p), PACKET_OPAQUE);
				assert_int_equal(p.destination_port, 0);
				continue;
			}
			assert_int_equal(parse(frame, len, &p), PACKET_PORTS);
			assert_common(&p, 14, (uint8_t)(len - 16));
			assert_int_equal(p.flags, PACKET_OPTIONS);
			/* And cut anywhere. */
			while (len-- > 54)
				assert_int_not_equal(parse(frame, len, &p), PACKET_FOREIGN);
		}
	len = extend(frame, many, 4, 0);
	assert_int_equal(parse(frame, len, &p), PACKET_PORTS);
	assert_common(&p, 14, 86);
	len = extend(frame, many, 5, 0);
	assert_int_equal(parse(frame, len, &p), PACKET_OPAQUE);
	assert_addr(&p.destination, "2001:db8::2");

	len = extend(frame, fragment, 3, 0);
	assert_int_equal(parse(frame, len, &p), PACKET_PORTS);
	assert_int_equal(p.flags, PACKET_FRAGMENT | PACKET_OPTIONS);
	assert_int_equal(p.destination_port, 0x4005);
	frame[65] = 8; /* offset */
	assert_int_equal(parse(frame, len, &p), PACKET_IP);
	assert_int_equal(p.destination_port, 0);
	frame[65] = 1; /* more */
	assert_int_equal(parse(frame, len, &p), PACKET_PORTS);
	assert_int_equal(p.payload, 0);
}

static void test_foreign(void **state)
{
	uint8_t frame[sizeof(v6)];
	struct packet p;

	(void)state;
	memcpy(frame, v4, sizeof(v4));
	for (unsigned int proto = 0; proto < 256; proto++) {
		frame[23] = (uint8_t)proto;
		assert_int_equal(parse(frame, sizeof(v4), &p),
				 proto == 17 ? PACKET_PORTS : PACKET_IP);
	}
	for (unsigned int version = 0; version < 16; version++) {
		memcpy(frame, v4, sizeof(v4));
		frame[14] = (uint8_t)(version << 4 | 5);
		assert_int_equal(parse(frame, sizeof(v4), &p),
				 version == 4 ? PACKET_PORTS : PACKET_FOREIGN);
		memcpy(frame, v6, sizeof(v6));
		frame[14] = (uint8_t)(version << 4);
		assert_int_equal(parse(frame, sizeof(v6), &p),
				 version == 6 ? PACKET_PORTS : PACKET_FOREIGN);
	}
	memcpy(frame, v4, sizeof(v4));
	frame[12] = 0x08;
	frame[13] = 0x06;
	assert_int_equal(parse(frame, sizeof(v4), &p), PACKET_FOREIGN);
}

/* Noise at every length: nothing is read outside, and offsets are inside. */
static void test_noise(void **state)
{
	uint64_t x = 0x9e3779b97f4a7c15;

	(void)state;
	for (int i = 0; i < 300000; i++) {
		uint8_t frame[300];
		size_t len = (size_t)(i % 300);
		struct packet p;

		for (size_t n = 0; n < sizeof(frame); n++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			frame[n] = (uint8_t)(x >> 24);
		}
		memcpy(frame, i % 3 ? v4 : v6, 12 + (x >> 40) % 24);
		if (parse(frame, len, &p) != PACKET_PORTS)
			continue;
		assert_true(p.l3 >= 14 && p.l4 >= p.l3 + 20 && p.l4 <= PACKET_L4_MAX);
		assert_true(p.l4 + 8u <= len);
		assert_true(p.l4 + 8u + p.payload <= len);
	}
}

/* Where the UDP header is, 0: the frame is not plain. In memory like that of parse(). */
static size_t plain(const uint8_t *frame, size_t len)
{
	uint8_t *const room = malloc(len + 2), *const exact = room + 2;
	const uint8_t *const end = exact + len;
	const struct udphdr *udp = NULL;
	size_t l4 = 0;

	assert_non_null(room);
	memcpy(exact, frame, len);
	if (len >= 14 && exact[12] == 0x08 && exact[13] == 0x00)
		udp = packet_plain_v4((void *)(exact + 14), end, (uint32_t)(len - 14));
	else if (len >= 14 && exact[12] == 0x86 && exact[13] == 0xdd)
		udp = packet_plain_v6((void *)(exact + 14), end, (uint32_t)(len - 14));
	if (udp)
		l4 = (size_t)((const uint8_t *)udp - exact);
	free(room);
	return l4;
}

/* The short way agrees with the long one about every frame, good ones with up to three wrong bytes. */
static void test_short_way(void **state)
{
	uint64_t x = 0x9e3779b97f4a7c15;
	int plains[2] = { 0 }, others[2] = { 0 };

	(void)state;
	for (int i = 0; i < 600000; i++) {
		const size_t good = i % 2 ? sizeof(v6) : sizeof(v4);
		/* Cut, whole, or with bytes behind it. */
		const size_t len = i % 5 ? good : (size_t)(i / 10) % (good + 8);
		uint8_t frame[sizeof(v6) + 8] = { 0 };
		enum packet_result result;
		struct packet p = { 0 };
		bool wanted;

		memcpy(frame, i % 2 ? v6 : v4, good);
		for (int n = i / 2 % 4; n > 0; n--) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			/* One bit, or any byte. */
			if (n % 2)
				frame[12 + (x >> 8) % (good - 12)] ^= (uint8_t)(1 << (x >> 40) % 8);
			else
				frame[12 + (x >> 8) % (good - 12)] = (uint8_t)(x >> 40);
		}
		result = parse(frame, len, &p);
		wanted = result == PACKET_PORTS && !p.flags && p.payload >= PACKET_PLAIN &&
			 p.l4 + 8u + PACKET_PLAIN <= len;
		assert_int_equal(plain(frame, len), wanted ? p.l4 : 0);
		++*(wanted ? &plains[i % 2] : &others[i % 2]);
	}
	for (int i = 0; i < 2; i++)
		assert_true(plains[i] > 10000 && others[i] > 10000);
}

static void test_ports(void **state)
{
	(void)state;
	for (uint32_t base = 1024; base < 65536; base += 4099)
		for (uint8_t lanes = 1; lanes <= DP_LANES_MAX; lanes++)
			for (uint32_t port = 0; port < 65536; port += 1 + port % 7) {
				uint16_t id = 0xaaaa;
				uint8_t lane = 0xbb;
				const bool inside =
					port > base && port < base + lanes * DP_LANE_PORTS;

				assert_int_equal(packet_port_decode((uint16_t)port, (uint16_t)base,
								    lanes, &id, &lane),
						 inside);
				if (inside) {
					assert_int_equal(base + id + lane * DP_LANE_PORTS, port);
					assert_true(id <= DP_ID_MAX && lane < lanes);
				} else {
					assert_int_equal(id, 0xaaaa);
					assert_int_equal(lane, 0xbb);
				}
			}
}

static void test_wireguard(void **state)
{
	(void)state;
	for (unsigned int type = 0; type < 256; type++)
		for (uint32_t len = 4; len < 2000; len++) {
			const uint8_t head[4] = { (uint8_t)type };
			const bool wanted = (type == 1 && len == 148) || (type == 2 && len == 92) ||
					    (type == 3 && len == 64) || (type == 4 && len > 31);

			assert_int_equal(packet_is_wireguard(head, len), wanted);
		}
	for (unsigned int i = 1; i < 4; i++) {
		uint8_t head[4] = { 4 };

		head[i] = 0x80;
		assert_false(packet_is_wireguard(head, 32));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),	      cmocka_unit_test(test_tags),
		cmocka_unit_test(test_lengths),	      cmocka_unit_test(test_reach),
		cmocka_unit_test(test_v4_options),    cmocka_unit_test(test_v4_fragments),
		cmocka_unit_test(test_v6_extensions), cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_noise),	      cmocka_unit_test(test_ports),
		cmocka_unit_test(test_wireguard),     cmocka_unit_test(test_short_way),
	};

	return cmocka_run_group_tests_name("packet", tests, NULL, NULL);
}
