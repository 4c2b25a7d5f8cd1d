/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames of the WAN: where the headers are, who sends to whom, by which ports. Pure: compiled for
 * the programs and for the host.
 *
 * Offsets are bytes, so that a verifier that has lost sight of one still knows that it is below
 * 256; a UDP header that begins further back is not looked for. Headers that the mesh never sends
 * (IPv4 options, IPv6 extension headers) are walked nevertheless: otherwise whoever adds one to
 * a packet would get past the programs, and its address would get to WireGuard.
 */
#ifndef NETPAS_BPF_PACKET_H
#define NETPAS_BPF_PACKET_H

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <stdbool.h>

#include "dataplane.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

/* Between host and network order, either way. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define packet_swap16(x) __builtin_bswap16(x)
#define packet_swap32(x) __builtin_bswap32(x)
#else
#define packet_swap16(x) ((__u16)(x))
#define packet_swap32(x) ((__u32)(x))
#endif

#define PACKET_TAGS_MAX 2
#define PACKET_EXTENSIONS_MAX 4
#define PACKET_L4_MAX 240 /* offset of the UDP header */

enum packet_proto {
	PACKET_HOPOPTS = 0,
	PACKET_ICMP = 1,
	PACKET_UDP = 17,
	PACKET_ROUTING = 43,
	PACKET_FRAGMENT_HEADER = 44,
	PACKET_AH = 51,
	PACKET_ICMPV6 = 58,
	PACKET_DSTOPTS = 60,
};

enum packet_flag {
	PACKET_TAGGED = 1 << 0,	  /* there are VLAN tags in the frame */
	PACKET_OPTIONS = 1 << 1,  /* IPv4 options, or IPv6 extension headers */
	PACKET_FRAGMENT = 1 << 2, /* of a fragmented packet, the first fragment if it has ports */
	PACKET_LENGTH = 1 << 3,	  /* lengths of frame, IP and UDP contradict each other */
};

enum packet_result {
	PACKET_FOREIGN, /* not IP, or too short for that */
	PACKET_BURIED,	/* behind VLAN tags too many */
	PACKET_IP,	/* addresses are known: not UDP, or a later fragment */
	PACKET_OPAQUE,	/* likewise, but what it carries lies behind headers too many */
	PACKET_PORTS,	/* all is known */
};

struct packet {
	struct dp_addr source, destination;
	__u16 source_port, destination_port; /* host order */
	__u16 ip_len;			     /* IP header and all behind it */
	__u16 payload;			     /* of UDP; nothing if PACKET_LENGTH or a fragment */
	__u8 l3, l4;			     /* offsets in the frame */
	__u8 family;			     /* 4, 6 */
	__u8 ttl;
	__u8 flags;
	__u8 proto; /* behind all headers of IP; 0: a later fragment */
	__u8 reserved[2];
};

struct packet_tag {
	__be16 id;
	__be16 next;
};

struct packet_extension {
	__u8 next;
	__u8 len;
	__be16 fragment; /* offset in eights, two reserved bits, more */
};

static __always_inline __be32 packet_mapped(void)
{
	return packet_swap32(0x0000ffff);
}

static __always_inline void packet_addr_v4(struct dp_addr *ret_addr, __be32 addr)
{
	ret_addr->word[0] = 0;
	ret_addr->word[1] = 0;
	ret_addr->word[2] = packet_mapped();
	ret_addr->word[3] = addr;
}

static __always_inline int packet_addr_family(const struct dp_addr *addr)
{
	return !addr->word[0] && !addr->word[1] && addr->word[2] == packet_mapped() ? 4 : 6;
}

static __always_inline bool packet_addr_equal(const struct dp_addr *a, const struct dp_addr *b)
{
	return a->word[0] == b->word[0] && a->word[1] == b->word[1] && a->word[2] == b->word[2] &&
	       a->word[3] == b->word[3];
}

/* Behind the extension headers. next: the protocol there, on entry that of the IPv6 header. */
static __always_inline enum packet_result packet_walk(const void *data, const void *data_end,
						      __u8 *l4, __u8 *flags, __u8 *next)
{
	__u32 at = *l4;

	for (int i = 0; i < PACKET_EXTENSIONS_MAX; i++) {
		const struct packet_extension *extension = data + at;
		__u32 len;

		if (*next != PACKET_HOPOPTS && *next != PACKET_ROUTING && *next != PACKET_AH &&
		    *next != PACKET_DSTOPTS && *next != PACKET_FRAGMENT_HEADER)
			return PACKET_PORTS;
		if ((const void *)(extension + 1) > data_end)
			return PACKET_IP;
		if (*next == PACKET_FRAGMENT_HEADER) {
			*flags |= PACKET_FRAGMENT;
			if (extension->fragment & packet_swap16(0xfff8))
				return PACKET_IP;
			len = 8;
		} else {
			*flags |= PACKET_OPTIONS;
			len = *next == PACKET_AH ? (extension->len + 2) * 4
						 : (extension->len + 1) * 8;
		}
		*next = extension->next;
		at += len;
		if (at > PACKET_L4_MAX)
			return PACKET_OPAQUE;
		*l4 = at;
	}
	return *next == PACKET_UDP ? PACKET_PORTS : PACKET_OPAQUE;
}

static __always_inline enum packet_result packet_parse_v6(const void *data, const void *data_end,
							  struct packet *p, __u8 *ret_proto)
{
	const struct ipv6hdr *ip = data + p->l3;
	enum packet_result result;
	__u8 next, l4, flags = 0;

	if ((const void *)(ip + 1) > data_end || ip->version != 6)
		return PACKET_FOREIGN;
	__builtin_memcpy(&p->source, &ip->saddr, sizeof(p->source));
	__builtin_memcpy(&p->destination, &ip->daddr, sizeof(p->destination));
	p->ip_len = packet_swap16(ip->payload_len) + sizeof(*ip);
	if (packet_swap16(ip->payload_len) > 0xffff - sizeof(*ip))
		p->flags |= PACKET_LENGTH;
	p->ttl = ip->hop_limit;
	next = ip->nexthdr;
	l4 = p->l3 + sizeof(*ip);
	result = packet_walk(data, data_end, &l4, &flags, &next);
	p->l4 = l4;
	p->flags |= flags;
	*ret_proto = next;
	return result;
}

static __always_inline enum packet_result packet_parse_v4(const void *data, const void *data_end,
							  struct packet *p, __u8 *ret_proto)
{
	const struct iphdr *ip = data + p->l3;
	__u32 header;

	if ((const void *)(ip + 1) > data_end || ip->version != 4 || ip->ihl < 5)
		return PACKET_FOREIGN;
	packet_addr_v4(&p->source, ip->saddr);
	packet_addr_v4(&p->destination, ip->daddr);
	p->ip_len = packet_swap16(ip->tot_len);
	p->ttl = ip->ttl;
	header = ip->ihl * 4;
	p->l4 = p->l3 + header;
	if (header > sizeof(*ip))
		p->flags |= PACKET_OPTIONS;
	if (ip->frag_off & packet_swap16(0x3fff))
		p->flags |= PACKET_FRAGMENT;
	if (ip->frag_off & packet_swap16(0x1fff))
		return PACKET_IP;
	*ret_proto = ip->protocol;
	return PACKET_PORTS;
}

/*
 * An Ethernet frame of len bytes, of which those up to data_end can be read. Of a packet that is
 * not PACKET_PORTS ports and payload are 0, of a PACKET_FOREIGN or PACKET_BURIED one ret_packet is
 * not touched.
 */
static __always_inline enum packet_result packet_parse(const void *data, const void *data_end,
						       __u32 len, struct packet *ret_packet)
{
	const struct ethhdr *eth = data;
	struct packet p = { .l3 = sizeof(*eth) };
	enum packet_result result;
	const struct udphdr *udp;
	__u32 udp_len;
	__u8 proto = 0;
	__be16 type;

	if ((const void *)(eth + 1) > data_end)
		return PACKET_FOREIGN;
	type = eth->h_proto;
#pragma GCC unroll 2
	for (int i = 0; i < PACKET_TAGS_MAX; i++) {
		const struct packet_tag *tag = data + p.l3;

		if (type != packet_swap16(ETH_P_8021Q) && type != packet_swap16(ETH_P_8021AD))
			break;
		if ((const void *)(tag + 1) > data_end)
			return PACKET_FOREIGN;
		type = tag->next;
		p.l3 += sizeof(*tag);
		p.flags |= PACKET_TAGGED;
	}
	/* The kernel takes off any number of tags of VLAN 0. */
	if (type == packet_swap16(ETH_P_8021Q) || type == packet_swap16(ETH_P_8021AD))
		return PACKET_BURIED;
	if (type == packet_swap16(ETH_P_IP)) {
		p.family = 4;
		result = packet_parse_v4(data, data_end, &p, &proto);
	} else if (type == packet_swap16(ETH_P_IPV6)) {
		p.family = 6;
		result = packet_parse_v6(data, data_end, &p, &proto);
	} else {
		return PACKET_FOREIGN;
	}
	if (result == PACKET_FOREIGN)
		return PACKET_FOREIGN;
	p.proto = proto;
	udp = data + p.l4;
	if (result == PACKET_PORTS && (proto != PACKET_UDP || (const void *)(udp + 1) > data_end))
		result = PACKET_IP;
	if (result == PACKET_PORTS) {
		p.source_port = packet_swap16(udp->source);
		p.destination_port = packet_swap16(udp->dest);
		udp_len = packet_swap16(udp->len);
		if ((__u32)p.l3 + p.ip_len > len || udp_len < sizeof(*udp) ||
		    (__u32)p.l4 - p.l3 + udp_len != p.ip_len)
			p.flags |= PACKET_LENGTH;
		if (!(p.flags & (PACKET_LENGTH | PACKET_FRAGMENT)))
			p.payload = udp_len - sizeof(*udp);
	}
	*ret_packet = p;
	return result;
}

/*
 * The UDP header of a packet as nearly all of them are: packet_parse() would say PACKET_PORTS with
 * no flag and PACKET_PLAIN bytes of payload or more, and so many can be read. NULL: some of that is
 * not so. For those who have only nanoseconds and leave the others to packet_parse(). len: of the
 * frame from the IP header on.
 */
#define PACKET_PLAIN 4

static __always_inline struct udphdr *packet_plain_v4(struct iphdr *ip, const void *data_end,
						      __u32 len)
{
	struct udphdr *udp = (void *)(ip + 1);

	if ((const void *)(udp + 1) + PACKET_PLAIN > data_end || ip->version != 4 || ip->ihl != 5 ||
	    ip->protocol != PACKET_UDP || ip->frag_off & packet_swap16(0x3fff) ||
	    packet_swap16(ip->tot_len) > len ||
	    packet_swap16(udp->len) < sizeof(*udp) + PACKET_PLAIN ||
	    packet_swap16(udp->len) + sizeof(*ip) != packet_swap16(ip->tot_len))
		return NULL;
	return udp;
}

static __always_inline struct udphdr *packet_plain_v6(struct ipv6hdr *ip, const void *data_end,
						      __u32 len)
{
	struct udphdr *udp = (void *)(ip + 1);

	if ((const void *)(udp + 1) + PACKET_PLAIN > data_end || ip->version != 6 ||
	    ip->nexthdr != PACKET_UDP || packet_swap16(ip->payload_len) + sizeof(*ip) > len ||
	    packet_swap16(udp->len) < sizeof(*udp) + PACKET_PLAIN || udp->len != ip->payload_len)
		return NULL;
	return udp;
}

/*
 * About a packet from which UDP port is this ICMP error? -1: it is no error, or about none of UDP;
 * 0: that cannot be told, as headers are cut off, unusual, or in another fragment.
 */
static __always_inline __s32 packet_error_port(const void *data, const void *data_end,
					       const struct packet *p)
{
	const __u8 *icmp = data + p->l4;
	const struct iphdr *ip4 = (const void *)(icmp + 8);
	const struct ipv6hdr *ip6 = (const void *)(icmp + 8);
	const struct udphdr *udp;
	__u8 next;

	if (p->proto != (p->family == 4 ? PACKET_ICMP : PACKET_ICMPV6) ||
	    (const void *)(icmp + 1) > data_end)
		return -1;
	/* RFC 792: unreachable, quench, redirect, time exceeded, parameter; RFC 4443: below 128 */
	if (p->family == 4
		    ? icmp[0] != 3 && icmp[0] != 4 && icmp[0] != 5 && icmp[0] != 11 && icmp[0] != 12
		    : icmp[0] >= 128)
		return -1;
	if (p->flags & PACKET_FRAGMENT)
		return 0;
	if (p->family == 4) {
		if ((const void *)(ip4 + 1) > data_end || ip4->version != 4 || ip4->ihl != 5)
			return 0;
		next = ip4->protocol;
		udp = (const void *)(ip4 + 1);
	} else {
		if ((const void *)(ip6 + 1) > data_end || ip6->version != 6)
			return 0;
		next = ip6->nexthdr;
		udp = (const void *)(ip6 + 1);
		if (next == PACKET_HOPOPTS || next == PACKET_ROUTING || next == PACKET_AH ||
		    next == PACKET_DSTOPTS || next == PACKET_FRAGMENT_HEADER)
			return 0;
	}
	if (next != PACKET_UDP)
		return -1;
	return (const void *)(udp + 1) > data_end ? 0 : packet_swap16(udp->source);
}

/*
 * What an id and a lane make of a port, and back. False if the port is none of the mesh's. An id
 * of 0 (the ports at the seams between lanes) is given back like any other: no node has it.
 */
static __always_inline bool packet_port_decode(__u16 port, __u16 base, __u8 lanes, __u16 *ret_id,
					       __u8 *ret_lane)
{
	const __u32 offset = (__u32)port - base;

	if (port <= base || offset > DP_ID_MAX + DP_LANE_PORTS * ((__u32)lanes - 1))
		return false;
	*ret_id = offset % DP_LANE_PORTS;
	*ret_lane = offset / DP_LANE_PORTS;
	return true;
}

/* Is this the beginning of a WireGuard message of that length? (WireGuard paper, section 5.4) */
static __always_inline bool packet_is_wireguard(const __u8 head[4], __u32 len)
{
	if (head[1] || head[2] || head[3])
		return false;
	switch (head[0]) {
	case 1:
		return len == 148;
	case 2:
		return len == 92;
	case 3:
		return len == 64;
	case 4:
		return len >= 32; /* padded to 16, but not beyond the tunnel's MTU */
	}
	return false;
}

static __always_inline bool packet_is_probe(const __u8 head[4])
{
	return head[0] == DP_PROBE_REQUEST || head[0] == DP_PROBE_REPLY;
}

/* What the mesh sends, by the first bytes and the length of the payload. */
static __always_inline bool packet_is_message(const __u8 head[4], __u32 len)
{
	return packet_is_probe(head) || packet_is_wireguard(head, len);
}

#endif
