/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The answer goes back by the TUN device, so the host routes it, and undoes what its NAT did to the packet.
 * The host would drop a packet of one of its own addresses that came in; the address that was not reached is
 * routed to the device, which also suits a strict reverse path filter.
 */
#include "engine/unreachable.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engine/packet.h"
#include "engine/ratelimit.h"
#include "engine/sum.h"

#define ALL_COST_NS (1000000000ULL / UNREACHABLE_ALL_PER_S)

enum {
	HEADER4 = sizeof(struct ip) + 8, /* of the answer */
	HEADER6 = sizeof(struct ip6_hdr) + 8,
	HOPS = 64,
	EXTENSIONS_MAX = 8, /* headers looked through */
};

struct unreachable {
	struct ratelimit *addresses;
	uint64_t spent_until_ns; /* of what all of them may have */
};

struct unreachable *unreachable_new(void)
{
	struct unreachable *unreachable = calloc(1, sizeof(*unreachable));

	if (!unreachable)
		return NULL;
	unreachable->addresses = ratelimit_new(UNREACHABLE_PER_S, UNREACHABLE_BURST);
	if (unreachable->addresses)
		return unreachable;
	free(unreachable);
	return NULL;
}

void unreachable_free(struct unreachable *unreachable)
{
	if (!unreachable)
		return;
	ratelimit_free(unreachable->addresses);
	free(unreachable);
}

static bool allow(struct unreachable *unreachable, const struct sockaddr *to, uint64_t now_ns)
{
	uint64_t from_ns =
		unreachable->spent_until_ns > now_ns ? unreachable->spent_until_ns : now_ns;

	if (from_ns + ALL_COST_NS > now_ns + ALL_COST_NS * UNREACHABLE_ALL_BURST ||
	    !ratelimit_allow(unreachable->addresses, to, now_ns))
		return false;
	unreachable->spent_until_ns = from_ns + ALL_COST_NS;
	return true;
}

static void put_sum(uint8_t *field, uint32_t sum)
{
	uint16_t word = (uint16_t)~sum_fold(sum);

	memcpy(field, &word, sizeof(word));
}

/* An error itself; also where that cannot be seen. */
static bool is_error4(const uint8_t *packet, size_t len, size_t header)
{
	if (packet[9] != IPPROTO_ICMP)
		return false;
	if (len <= header)
		return true;
	switch (packet[header]) {
	case ICMP_DEST_UNREACH:
	case ICMP_SOURCE_QUENCH:
	case ICMP_REDIRECT:
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETERPROB:
		return true;
	default:
		return false;
	}
}

/* The first byte says the class: 0 this host, 127 itself, from 224 on groups and what is of no use. */
static bool deserves4(const uint8_t *packet, size_t len)
{
	size_t header = (size_t)(packet[0] & 15) * 4;
	const uint8_t *src = packet + 12, *dst = packet + 16;

	return header >= sizeof(struct ip) && len >= header && src[0] && src[0] != 127 &&
	       src[0] < 224 && dst[0] < 224 && !(packet[6] & 0x1f) && !packet[7] &&
	       !is_error4(packet, len, header);
}

/* An error itself, also a redirect; also where the headers before it are cut off or too many. */
static bool is_error6(const uint8_t *packet, size_t len)
{
	uint8_t kind = packet[6], next;
	size_t at = sizeof(struct ip6_hdr);

	for (int i = 0; i < EXTENSIONS_MAX; i++) {
		if (kind == IPPROTO_ICMPV6)
			return at >= len || packet[at] < ICMP6_ECHO_REQUEST ||
			       packet[at] == ND_REDIRECT;
		if (kind != IPPROTO_HOPOPTS && kind != IPPROTO_ROUTING && kind != IPPROTO_DSTOPTS &&
		    kind != IPPROTO_FRAGMENT)
			return false;
		if (at + 8 > len)
			return true;
		next = packet[at];
		/* What follows is in the first fragment only. */
		if (kind == IPPROTO_FRAGMENT && (packet[at + 2] || packet[at + 3] & 0xf8))
			return next == IPPROTO_ICMPV6;
		at += kind == IPPROTO_FRAGMENT ? 8 : ((size_t)packet[at + 1] + 1) * 8;
		kind = next;
	}
	return true;
}

static bool deserves6(const uint8_t *packet, size_t len)
{
	struct in6_addr src, dst;

	memcpy(&src, packet + 8, sizeof(src));
	memcpy(&dst, packet + 24, sizeof(dst));
	return !IN6_IS_ADDR_UNSPECIFIED(&src) && !IN6_IS_ADDR_LOOPBACK(&src) &&
	       !IN6_IS_ADDR_MULTICAST(&src) && !IN6_IS_ADDR_MULTICAST(&dst) &&
	       !is_error6(packet, len);
}

static size_t answer4(const uint8_t *packet, size_t len, uint8_t *answer)
{
	size_t quoted = len < UNREACHABLE_MAX4 - HEADER4 ? len : UNREACHABLE_MAX4 - HEADER4;
	size_t total = HEADER4 + quoted;
	struct ip ip = {
		.ip_v = 4,
		.ip_hl = sizeof(ip) / 4,
		.ip_tos = IPTOS_PREC_INTERNETCONTROL,
		.ip_len = htons((uint16_t)total),
		.ip_off = htons(IP_DF),
		.ip_ttl = HOPS,
		.ip_p = IPPROTO_ICMP,
	};
	uint8_t *icmp = answer + sizeof(ip);

	memcpy(&ip.ip_src, packet + 16, sizeof(ip.ip_src));
	memcpy(&ip.ip_dst, packet + 12, sizeof(ip.ip_dst));
	ip.ip_sum = (uint16_t)~sum_fold(sum_of((const uint8_t *)&ip, sizeof(ip)));
	memcpy(answer, &ip, sizeof(ip));
	memcpy(icmp, (const uint8_t[8]){ ICMP_DEST_UNREACH, ICMP_HOST_UNREACH }, 8);
	memcpy(icmp + 8, packet, quoted);
	put_sum(icmp + 2, sum_of(icmp, total - sizeof(ip)));
	return total;
}

static size_t answer6(const uint8_t *packet, size_t len, uint8_t *answer)
{
	size_t quoted = len < UNREACHABLE_MAX6 - HEADER6 ? len : UNREACHABLE_MAX6 - HEADER6;
	size_t payload = 8 + quoted;
	struct ip6_hdr ip = {
		.ip6_flow = htonl(6U << 28),
		.ip6_plen = htons((uint16_t)payload),
		.ip6_nxt = IPPROTO_ICMPV6,
		.ip6_hlim = HOPS,
	};
	const uint8_t pseudo[8] = { 0, 0, (uint8_t)(payload >> 8), (uint8_t)payload, 0,
				    0, 0, IPPROTO_ICMPV6 };
	uint8_t *icmp = answer + sizeof(ip);
	uint32_t sum;

	memcpy(&ip.ip6_src, packet + 24, sizeof(ip.ip6_src));
	memcpy(&ip.ip6_dst, packet + 8, sizeof(ip.ip6_dst));
	memcpy(answer, &ip, sizeof(ip));
	memcpy(icmp, (const uint8_t[8]){ ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_ADDR }, 8);
	memcpy(icmp + 8, packet, quoted);
	sum = sum_add(sum_of(answer + 8, 32), sum_of(pseudo, sizeof(pseudo)));
	put_sum(icmp + 2, sum_add(sum, sum_of(icmp, payload)));
	return sizeof(ip) + payload;
}

size_t unreachable_answer(struct unreachable *unreachable, const uint8_t *packet, size_t len,
			  uint64_t now_ns, uint8_t ret_answer[UNREACHABLE_MAX6])
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	uint32_t inner = packet_inner_len(packet, (uint32_t)len);

	if (!inner)
		return 0;
	if (packet[0] >> 4 == 4) {
		memcpy(&in.sin_addr, packet + 12, sizeof(in.sin_addr));
		if (!deserves4(packet, inner) ||
		    !allow(unreachable, (const struct sockaddr *)&in, now_ns))
			return 0;
		return answer4(packet, inner, ret_answer);
	}
	memcpy(&in6.sin6_addr, packet + 8, sizeof(in6.sin6_addr));
	if (!deserves6(packet, inner) || !allow(unreachable, (const struct sockaddr *)&in6, now_ns))
		return 0;
	return answer6(packet, inner, ret_answer);
}
