/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Forwarding at a relay: who it is from and whom it is for is in the ports, so it needs no state
 * and changes nothing but the two addresses, the TTL and the MACs. It cannot read what it carries.
 *
 * wan_ingress.h has made sure of the sender before. A packet never goes back to the relay that it
 * came from: two relays that each think that the other one knows the way would otherwise play it
 * to and fro until its TTL ends. Where no path is alive the packet is dropped: a relay is not the
 * only way, and the ends see by their probes that it is none.
 *
 * XDP sends only where the kernel tells the neighbour's MAC at once. It does not if it has to ask
 * for it first, and if `forwarding` is off on the interface. Then the packet goes up as it came,
 * and the tc program forwards it, whose helper waits for the answer. Tagged frames go that way too:
 * their tag belongs to the interface where they came in.
 */
#ifndef NETPAS_BPF_RELAY_H
#define NETPAS_BPF_RELAY_H

#include "bucket.h"
#include "maps.h"
#include "rewrite.h"
#include "select.h"

/* Is it alive, and can a packet of that family take it? */
static __always_inline const struct dp_path *relay_path_alive(__u16 node, __u8 number, __u8 family)
{
	const struct dp_path_key key = { .node = node, .path = number };
	const struct dp_path *path = bpf_map_lookup_elem(&dp_paths, &key);
	const struct dp_path_state *state;

	if (!path || packet_addr_family(&path->remote) != family)
		return NULL;
	state = bpf_map_lookup_elem(&dp_path_states, &key);
	return state && path_alive(path, state) ? path : NULL;
}

static __always_inline bool relay_take(__u16 node, enum dp_bucket_kind kind, __u32 rate,
				       __u32 packets)
{
	const struct dp_bucket_key key = { .node = node, .kind = kind };
	struct dp_bucket full = { 0 }, *bucket = map_get(&dp_buckets, &key, &full);

	return !bucket || bucket_take(bucket, rate, packets, bpf_ktime_get_ns());
}

static __always_inline bool relay_limit(__u16 node, enum dp_bucket_kind kind, __u32 rate,
					__u32 packets)
{
	return !rate || relay_take(node, kind, rate, packets);
}

/* False: its node sends too many, which is counted. */
static __always_inline bool relay_admit(__u16 from, const struct dp_config *config, __u32 packets,
					__u32 bytes)
{
	if (relay_limit(from, DP_BUCKET_RELAY, config->relay_pps, packets))
		return true;
	map_count(DP_COUNT_DROP_RELAY_RATE, packets, bytes);
	return false;
}

/*
 * The path to take and what to write; NULL: ret_reason says why it is dropped. via: the node whose
 * address the packet came from.
 */
static __always_inline const struct dp_path *relay_choose(const struct packet *p, __u16 to,
							  __u16 via, struct rewrite *ret_rewrite,
							  __u32 *ret_reason)
{
	const struct dp_node *node = bpf_map_lookup_elem(&dp_nodes, &to);

	if (!node) {
		*ret_reason = DP_COUNT_DROP_NODE;
		return NULL;
	}
	if (p->ttl <= 1) {
		*ret_reason = DP_COUNT_DROP_RELAY_TTL;
		return NULL;
	}
	for (__u32 i = 0; i < DP_ORDER_MAX && i < node->n_order; i++) {
		const struct dp_path *path = relay_path_alive(to, node->order[i], p->family);

		if (!path || (path->relay && path->relay == via))
			continue;
		ret_rewrite->source = path->local;
		ret_rewrite->destination = path->remote;
		ret_rewrite->ttl = p->ttl - 1;
		return path;
	}
	*ret_reason = DP_COUNT_DROP_RELAY_NO_PATH;
	return NULL;
}

static __always_inline void relay_count(__u16 from, __u16 to, __u32 packets, __u32 bytes)
{
	const struct dp_relayed_key key = { .from = from, .to = to };

	map_count(DP_COUNT_RELAY_FORWARDED, packets, bytes);
	map_count_at(&dp_relayed, &key, packets, bytes);
}

/* As three words; the header is there. */
static __always_inline void relay_write_macs(struct ethhdr *eth, const __u32 macs[3])
{
	__u32 *word = (void *)eth;

	word[0] = macs[0];
	word[1] = macs[1];
	word[2] = macs[2];
}

/* The verdict for a packet that is ready. */
static __always_inline int relay_leave(const struct xdp_md *ctx, __u32 ifindex)
{
	return ifindex == ctx->ingress_ifindex ? XDP_TX : (int)bpf_redirect(ifindex, 0);
}

/* Asks the kernel for the MACs of path's next hop. */
static __always_inline bool relay_ask(struct xdp_md *ctx, const struct dp_path *path,
				      struct dp_hop *hop)
{
	struct bpf_fib_lookup fib = { .ifindex = path->ifindex };

	if (packet_addr_family(&path->next_hop) == 4) {
		fib.family = 2; /* AF_INET */
		fib.ipv4_src = path->local.word[3];
		fib.ipv4_dst = path->next_hop.word[3];
	} else {
		fib.family = 10; /* AF_INET6 */
		__builtin_memcpy(fib.ipv6_src, &path->local, sizeof(fib.ipv6_src));
		__builtin_memcpy(fib.ipv6_dst, &path->next_hop, sizeof(fib.ipv6_dst));
	}
	if (bpf_fib_lookup(ctx, &fib, sizeof(fib), BPF_FIB_LOOKUP_OUTPUT) !=
		    BPF_FIB_LKUP_RET_SUCCESS ||
	    fib.ifindex != path->ifindex)
		return false;
	__builtin_memcpy(hop->macs, fib.dmac, ETH_ALEN);
	__builtin_memcpy((__u8 *)hop->macs + ETH_ALEN, fib.smac, ETH_ALEN);
	return true;
}

/*
 * The MACs for path's next hop; NULL: the kernel has to ask for them first. It is the dearest
 * question of all that a packet raises, and its answer changes rarely, so it is taken to hold until
 * the next tick of the kernel's clock, a few milliseconds. Two neighbours may share a place.
 */
static __always_inline const struct dp_hop *relay_resolve(struct xdp_md *ctx,
							  const struct dp_path *path)
{
	const __u32 mixed = (path->next_hop.word[3] ^ path->ifindex) * 0x9e3779b1;
	const __u64 jiffy = bpf_jiffies64();
	__u32 place = mixed >> 26;
	struct dp_hop *hop = bpf_map_lookup_elem(&dp_hops, &place);

	if (!hop)
		return NULL;
	if (hop->jiffy == jiffy && hop->ifindex == path->ifindex &&
	    packet_addr_equal(&hop->next_hop, &path->next_hop))
		return hop;
	hop->jiffy = 0;
	if (!relay_ask(ctx, path, hop))
		return NULL;
	hop->next_hop = path->next_hop;
	hop->ifindex = path->ifindex;
	hop->jiffy = jiffy;
	return hop;
}

#endif
