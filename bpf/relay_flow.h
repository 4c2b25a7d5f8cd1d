/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A relay's memory of where it has sent packets between the same addresses and ports, until the
 * kernel's clock ticks again, a few milliseconds.
 *
 * What it spares is who the sender is, whether it may, whom it is for, which path is the first, and
 * how the next hop is reached: all of that is written by the daemon or known to the kernel, and
 * does not change by the packet. So a change takes effect within a tick, as if the daemon had made it
 * that much later. What a packet says of itself, its rate and whether the path is alive is looked at
 * each time. Whatever is not as it should be goes the long way, which knows the reasons.
 *
 * Of two flows that share a place the last one has it.
 */
#ifndef NETPAS_BPF_RELAY_FLOW_H
#define NETPAS_BPF_RELAY_FLOW_H

#include "maps.h"
#include "packet.h"
#include "select.h"

static __always_inline struct dp_flow *relay_flow_at(const struct packet *p)
{
	__u32 place = p->source.word[3] ^ p->destination.word[3] * 0x85ebca6b ^
		      ((__u32)p->source_port << 16 | p->destination_port);

	place = place * 0x9e3779b1 >> 24;
	return bpf_map_lookup_elem(&dp_flows, &place);
}

/* NULL: none that holds, or its path is dead. */
static __always_inline const struct dp_flow *relay_flow_find(const struct packet *p)
{
	const struct dp_flow *flow = relay_flow_at(p);
	const struct dp_path_state *state;
	struct dp_path_key key;
	struct dp_path path;

	if (!flow || flow->jiffy != bpf_jiffies64() || flow->source_port != p->source_port ||
	    flow->destination_port != p->destination_port ||
	    !packet_addr_equal(&flow->source, &p->source) ||
	    !packet_addr_equal(&flow->destination, &p->destination))
		return NULL;
	key.node = flow->to;
	key.path = flow->path;
	state = bpf_map_lookup_elem(&dp_path_states, &key);
	path.ifindex = flow->ifindex;
	path.dead_ns = flow->dead_ns;
	return state && path_alive(&path, state) ? flow : NULL;
}

static __always_inline void relay_flow_keep(const struct packet *p, __u16 from, __u16 to,
					    __u8 number, const struct dp_path *path,
					    const struct dp_hop *hop)
{
	struct dp_flow *flow = relay_flow_at(p);

	if (!flow)
		return;
	flow->source = p->source;
	flow->destination = p->destination;
	flow->new_source = path->local;
	flow->new_destination = path->remote;
	flow->source_port = p->source_port;
	flow->destination_port = p->destination_port;
	flow->from = from;
	flow->to = to;
	flow->path = number;
	flow->ifindex = path->ifindex;
	flow->dead_ns = path->dead_ns;
	__builtin_memcpy(flow->destination_mac, hop->destination_mac, ETH_ALEN);
	__builtin_memcpy(flow->source_mac, hop->source_mac, ETH_ALEN);
	flow->jiffy = hop->jiffy;
}

#endif
