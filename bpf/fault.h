/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Faults that a drill puts on: frames lost as if a line were cut or bad, before anything else has
 * seen them, or after everything has. They end by the clock, whoever has died meanwhile. No fault,
 * which is nearly always, costs one look at one word.
 *
 * Nothing in a frame is trusted: what has no plain header has no address and no port, and is lost
 * with all only.
 */
#ifndef NETPAS_FAULT_H
#define NETPAS_FAULT_H

#include "maps.h"
#include "packet.h"

/* What a fault can be told by. */
struct fault_frame {
	struct dp_addr source, destination; /* all zero: not known */
	__u16 ports[2];			    /* of UDP, host order; 0: none */
};

static __always_inline void fault_ports(const void *at, const void *end, struct fault_frame *ret)
{
	const struct udphdr *udp = at;

	if ((const void *)(udp + 1) > end)
		return;
	ret->ports[0] = packet_swap16(udp->source);
	ret->ports[1] = packet_swap16(udp->dest);
}

static __always_inline void fault_parse(const void *data, const void *end, struct fault_frame *ret)
{
	const struct ethhdr *eth = data;
	const struct iphdr *ip4 = (const void *)(eth + 1);
	const struct ipv6hdr *ip6 = (const void *)(eth + 1);

	if ((const void *)(eth + 1) > end)
		return;
	if (eth->h_proto == packet_swap16(ETH_P_IP) && (const void *)(ip4 + 1) <= end) {
		packet_addr_v4(&ret->source, ip4->saddr);
		packet_addr_v4(&ret->destination, ip4->daddr);
		if (ip4->ihl == 5 && ip4->protocol == PACKET_UDP)
			fault_ports(ip4 + 1, end, ret);
	} else if (eth->h_proto == packet_swap16(ETH_P_IPV6) && (const void *)(ip6 + 1) <= end) {
		__builtin_memcpy(&ret->source, &ip6->saddr, sizeof(ret->source));
		__builtin_memcpy(&ret->destination, &ip6->daddr, sizeof(ret->destination));
		if (ip6->nexthdr == PACKET_UDP)
			fault_ports(ip6 + 1, end, ret);
	}
}

static __always_inline bool fault_any(const struct dp_addr *addr)
{
	return !addr->word[0] && !addr->word[1] && !addr->word[2] && !addr->word[3];
}

static __always_inline bool fault_has(const struct fault_frame *frame, const struct dp_addr *addr)
{
	return fault_any(addr) || packet_addr_equal(addr, &frame->source) ||
	       packet_addr_equal(addr, &frame->destination);
}

/* Whether the frame is the drill's own talk between the gateways of a pair. */
static __always_inline bool fault_spares(const struct dp_faults *faults,
					 const struct fault_frame *frame)
{
	return faults->spared[0] &&
	       ((frame->ports[0] == faults->spared[0] && frame->ports[1] == faults->spared[1]) ||
		(frame->ports[0] == faults->spared[1] && frame->ports[1] == faults->spared[0]));
}

/* chance: 32 random bits. */
static __always_inline bool fault_decides(const struct dp_faults *faults, __u32 ifindex,
					  const struct fault_frame *frame, __u32 chance)
{
	for (__u32 i = 0; i < DP_FAULTS_MAX; i++) {
		const struct dp_fault *fault = &faults->fault[i];

		if (!fault->ifindex || fault->ifindex != ifindex ||
		    !fault_has(frame, &fault->local) || !fault_has(frame, &fault->remote))
			continue;
		if (chance <= fault->lost)
			return true;
	}
	return false;
}

static __always_inline const struct dp_faults *fault_now(void)
{
	const __u32 zero = 0;
	const struct dp_faults *faults = bpf_map_lookup_elem(&dp_faults, &zero);

	return faults && faults->until_ns && bpf_ktime_get_ns() < faults->until_ns ? faults : NULL;
}

static __always_inline bool fault_takes(const struct dp_faults *faults, __u32 ifindex,
					const void *data, const void *end)
{
	struct fault_frame frame = { 0 };

	fault_parse(data, end, &frame);
	if (fault_spares(faults, &frame) ||
	    !fault_decides(faults, ifindex, &frame, bpf_get_prandom_u32()))
		return false;
	map_count(DP_COUNT_DROP_DRILL, 1, (__u32)(end - data));
	return true;
}

static __always_inline bool fault_drops(__u32 ifindex, const void *data, const void *end)
{
	const struct dp_faults *faults = fault_now();

	return faults && fault_takes(faults, ifindex, data, end);
}

static __always_inline bool fault_drops_skb(const struct __sk_buff *skb)
{
	return fault_drops(skb->ifindex, (const void *)(long)skb->data,
			   (const void *)(long)skb->data_end);
}

#endif
