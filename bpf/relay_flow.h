/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A relay's memory of where it has sent packets between the same addresses and ports, until the
 * kernel's clock ticks again, a few milliseconds: and the short way of those that are like them.
 *
 * What it spares is who the sender is, whether it may, whom it is for, which path is the first that
 * is alive, and how the next hop is reached. None of that changes by the packet, so a change takes
 * effect within a tick, as if it had come that much later. What a packet says of itself and its
 * rate are looked at each time. Whatever is not as it should be goes the long way, which knows the
 * reasons; nothing has been changed or counted then.
 *
 * It asks no hash map unless there is a limit, as one question costs a tenth of what the kernel
 * needs to bring the frame here and away. Therefore a flow counts by itself, and what it has counted
 * is added to the others when the place is written again; who reads them adds the flows.
 *
 * Of two flows that share a place the last one has it.
 */
#ifndef NETPAS_BPF_RELAY_FLOW_H
#define NETPAS_BPF_RELAY_FLOW_H

#include "maps.h"
#include "packet.h"
#include "relay.h"
#include "rewrite.h"

/* The last words of the addresses, and the ports, all as they lie in the packet. */
static __always_inline struct dp_flow *relay_flow_at(__be32 source, __be32 destination,
						     __be16 source_port, __be16 destination_port)
{
	__u32 place =
		source ^ destination * 0x85ebca6b ^ ((__u32)source_port << 16 | destination_port);

	place = place * 0x9e3779b1 >> 24;
	return bpf_map_lookup_elem(&dp_flows, &place);
}

/* hop: that of the packet's path, to which it is going to be sent, rewritten like that. */
static __always_inline void relay_flow_keep(const struct packet *p, __u16 from, __u16 to,
					    const struct rewrite *rewrite, const struct dp_hop *hop)
{
	const __be16 source_port = packet_swap16(p->source_port);
	const __be16 destination_port = packet_swap16(p->destination_port);
	struct dp_flow *flow = relay_flow_at(p->source.word[3], p->destination.word[3], source_port,
					     destination_port);

	if (!flow)
		return;
	/* Those of one tick at most, so 32 bits hold the bytes. */
	if (flow->relayed.packets) {
		relay_count(flow->from, flow->to, flow->relayed.packets, flow->relayed.bytes);
		flow->relayed.packets = 0;
		flow->relayed.bytes = 0;
	}
	flow->source = p->source;
	flow->destination = p->destination;
	flow->new_source = rewrite->source;
	flow->new_destination = rewrite->destination;
	flow->source_port = source_port;
	flow->destination_port = destination_port;
	flow->from = from;
	flow->to = to;
	flow->difference = checksum_fold(rewrite_difference(p, rewrite));
	flow->family = p->family;
	flow->ifindex = hop->ifindex;
	flow->macs[0] = hop->macs[0];
	flow->macs[1] = hop->macs[1];
	flow->macs[2] = hop->macs[2];
	flow->jiffy = hop->jiffy;
}

/* Does the flow hold, and is this a message of the mesh between its ports? */
static __always_inline bool relay_flow_has(const struct dp_flow *flow, __u8 family,
					   const struct udphdr *udp)
{
	return flow->jiffy == bpf_jiffies64() && flow->family == family &&
	       flow->source_port == udp->source && flow->destination_port == udp->dest &&
	       packet_is_message((const void *)(udp + 1), packet_swap16(udp->len) - sizeof(*udp));
}

/* What is the same for both families, when the IP header has been rewritten. */
static __always_inline int relay_flow_send(const struct xdp_md *ctx, struct dp_flow *flow,
					   struct ethhdr *eth, struct udphdr *udp, __u32 bytes)
{
	relay_write_macs(eth, flow->macs);
	udp->check = checksum_update_udp(udp->check, flow->difference);
	flow->relayed.packets++;
	flow->relayed.bytes += bytes;
	return relay_leave(ctx, flow->ifindex);
}

static __always_inline int relay_flow_v4(const struct xdp_md *ctx, struct ethhdr *eth,
					 const void *data_end, const struct dp_config *config)
{
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp = packet_plain_v4(ip, data_end, data_end - (const void *)ip);
	struct dp_flow *flow;

	if (!udp || ip->ttl <= 1)
		return XDP_ABORTED;
	flow = relay_flow_at(ip->saddr, ip->daddr, udp->source, udp->dest);
	if (!flow || flow->source.word[3] != ip->saddr || flow->destination.word[3] != ip->daddr ||
	    !relay_flow_has(flow, 4, udp))
		return XDP_ABORTED;
	if (!relay_admit(flow->from, config, 1, packet_swap16(ip->tot_len)))
		return XDP_DROP;
	ip->saddr = flow->new_source.word[3];
	ip->daddr = flow->new_destination.word[3];
	ip->check = checksum_update(
		ip->check, flow->difference + checksum_difference_ttl(ip->ttl, ip->ttl - 1));
	ip->ttl--;
	return relay_flow_send(ctx, flow, eth, udp, packet_swap16(ip->tot_len));
}

static __always_inline int relay_flow_v6(const struct xdp_md *ctx, struct ethhdr *eth,
					 const void *data_end, const struct dp_config *config)
{
	struct ipv6hdr *ip = (void *)(eth + 1);
	struct udphdr *udp = packet_plain_v6(ip, data_end, data_end - (const void *)ip);
	const struct dp_addr *source = (const void *)&ip->saddr;
	const struct dp_addr *destination = (const void *)&ip->daddr;
	struct dp_flow *flow;
	__u32 bytes;

	if (!udp || ip->hop_limit <= 1)
		return XDP_ABORTED;
	flow = relay_flow_at(source->word[3], destination->word[3], udp->source, udp->dest);
	if (!flow || !packet_addr_equal(&flow->source, source) ||
	    !packet_addr_equal(&flow->destination, destination) || !relay_flow_has(flow, 6, udp))
		return XDP_ABORTED;
	bytes = sizeof(*ip) + packet_swap16(ip->payload_len);
	if (!relay_admit(flow->from, config, 1, bytes))
		return XDP_DROP;
	__builtin_memcpy(&ip->saddr, &flow->new_source, sizeof(ip->saddr));
	__builtin_memcpy(&ip->daddr, &flow->new_destination, sizeof(ip->daddr));
	ip->hop_limit--;
	return relay_flow_send(ctx, flow, eth, udp, bytes);
}

/* As the packet before it; XDP_ABORTED: that cannot be said, and nothing was done. */
static __always_inline int relay_flow_forward(const struct xdp_md *ctx,
					      const struct dp_config *config)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	const void *data_end = (const void *)(long)ctx->data_end;

	if ((const void *)(eth + 1) > data_end)
		return XDP_ABORTED;
	if (eth->h_proto == packet_swap16(ETH_P_IP))
		return relay_flow_v4(ctx, eth, data_end, config);
	if (eth->h_proto == packet_swap16(ETH_P_IPV6))
		return relay_flow_v6(ctx, eth, data_end, config);
	return XDP_ABORTED;
}

#endif
