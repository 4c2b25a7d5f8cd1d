/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What comes in on a WAN interface, in XDP or, where that cannot be, in tc.
 *
 * wan_judge() decides and is the same for both hooks: it changes nothing in the packet but a probe
 * that becomes its own reply. Who is not known as a sender is dropped by address before anything
 * is computed for it; a node may send as itself, a relay for others; only then the first byte is
 * looked at. Data for this node gets the canonical pair of addresses, whatever path it took, so
 * WireGuard never sees its peer move.
 *
 * A machine may have both hooks at work. XDP leaves a mark in the packet's metadata, and tc does not
 * touch what has it. There are drivers without metadata; there tc would count what passes
 * a second time and take handshakes from the bucket twice, with no other harm. What XDP
 * cannot finish at a relay it leaves to tc untouched, counted there alone.
 */
#ifndef NETPAS_BPF_WAN_INGRESS_H
#define NETPAS_BPF_WAN_INGRESS_H

#include <linux/pkt_cls.h>

#include "maps.h"
#include "packet.h"
#include "probe.h"
#include "relay.h"
#include "relay_flow.h"
#include "rewrite.h"

#define WAN_MARK 0x4e455450 /* in the metadata: XDP is done with it */
#define WAN_LINEAR 96	    /* bytes that tc has at hand before it looks */
#define WAN_PROBE_LINEAR (PACKET_L4_MAX + sizeof(struct udphdr) + DP_PROBE_LEN)

enum wan_verdict {
	WAN_PASS,  /* nothing to do */
	WAN_DROP,  /* likewise */
	WAN_DATA,  /* to WireGuard, with the addresses of rewrite */
	WAN_REPLY, /* back to the sender: difference is that of the payload */
	WAN_RELAY,
	WAN_SHORT, /* a probe, and not all of it is in reach; nothing was counted */
};

struct wan {
	struct packet packet;
	__u32 len;	/* of the frame */
	__u32 gso_size; /* of a batch; else 0 */
	__u32 packets, bytes;
	__u16 from, to, via;
	__u32 difference;
	struct rewrite rewrite;
};

static __always_inline enum wan_verdict wan_drop(const struct wan *w, enum dp_count_id reason)
{
	map_count(reason, w->packets, w->bytes);
	return WAN_DROP;
}

static __always_inline enum wan_verdict wan_pass_other(const struct wan *w)
{
	map_count(DP_COUNT_PASS_OTHER, w->packets, w->bytes);
	return WAN_PASS;
}

/* A batch counts as the packets that it is made of, each with headers of its own. */
static __always_inline void wan_measure(struct wan *w)
{
	const struct packet *p = &w->packet;

	w->packets = 1;
	w->bytes = p->ip_len ? p->ip_len : w->len;
	if (w->gso_size && p->payload > w->gso_size) {
		w->packets = (p->payload + w->gso_size - 1) / w->gso_size;
		w->bytes += (w->packets - 1) * (p->l4 - p->l3 + sizeof(struct udphdr));
	}
}

static __always_inline enum wan_verdict wan_drop_probe(const struct wan *w,
						       enum probe_result result)
{
	switch (result) {
	case PROBE_OK:
	case PROBE_FORM:
		break;
	case PROBE_TAG:
		return wan_drop(w, DP_COUNT_DROP_PROBE_TAG);
	case PROBE_REPLAY:
		return wan_drop(w, DP_COUNT_DROP_PROBE_REPLAY);
	case PROBE_UNASKED:
		return wan_drop(w, DP_COUNT_DROP_PROBE_UNASKED);
	}
	return wan_drop(w, DP_COUNT_DROP_PROBE_FORM);
}

static __always_inline void wan_hear(__u16 from, const struct dp_probe *p, __u64 now_ns)
{
	struct dp_heard none = { 0 };
	struct dp_heard *heard = map_get(&dp_heard, &from, &none);

	if (heard)
		probe_hear(heard, p, now_ns);
}

static __always_inline enum wan_verdict wan_take_request(struct wan *w, struct dp_probe *p,
							 const struct dp_config *config,
							 const struct dp_node *node, __u64 now_ns)
{
	const struct dp_path_key key = { .node = w->from, .path = p->path };
	struct dp_reflection none = { 0 }, *reflection;
	enum probe_result result;
	__u64 before;

	reflection = map_get(&dp_reflections, &key, &none);
	if (!reflection)
		return wan_drop(w, DP_COUNT_DROP_PROBE_FORM);
	result = probe_take_request(reflection, p, now_ns);
	if (result != PROBE_OK)
		return wan_drop_probe(w, result);
	wan_hear(w->from, p, now_ns);
	before = checksum_sum((const __be32 *)p, DP_PROBE_LEN / 4);
	probe_reply(p, config, node->seen_generation, reflection->received, now_ns, node->key);
	w->difference =
		checksum_join(checksum_fold32(checksum_sum((const __be32 *)p, DP_PROBE_LEN / 4)),
			      ~checksum_fold32(before));
	map_count(DP_COUNT_PROBE_REFLECTED, w->packets, w->bytes);
	return WAN_REPLY;
}

static __always_inline enum wan_verdict wan_take_reply(struct wan *w, const struct dp_probe *p,
						       __u64 now_ns)
{
	const struct dp_path_key key = { .node = w->from, .path = p->path };
	struct dp_path_state *state = bpf_map_lookup_elem(&dp_path_states, &key);
	enum probe_result result = PROBE_UNASKED;
	struct dp_sample sample = { 0 };

	if (state)
		result = probe_take_reply(state, p, w->packet.payload, now_ns, &sample);
	if (result != PROBE_OK)
		return wan_drop_probe(w, result);
	wan_hear(w->from, p, now_ns);
	/* A full ring loses the sample; the state has all that matters. */
	(void)bpf_ringbuf_output(&dp_samples, &sample, sizeof(sample), 0);
	return wan_drop(w, DP_COUNT_PROBE_TAKEN);
}

static __always_inline enum wan_verdict wan_take_probe(struct wan *w, void *data,
						       const void *data_end,
						       const struct dp_config *config,
						       const struct dp_node *node)
{
	struct dp_probe *p = data + w->packet.l4 + sizeof(struct udphdr);
	const __u64 now_ns = bpf_ktime_get_ns();
	enum probe_result result;

	if (w->packet.payload < sizeof(*p))
		return wan_drop(w, DP_COUNT_DROP_PROBE_FORM);
	if ((const void *)(p + 1) > data_end)
		return WAN_SHORT;
	result = probe_check(p, w->from, config->id, node->key);
	if (result != PROBE_OK)
		return wan_drop_probe(w, result);
	if (p->type == DP_PROBE_REQUEST)
		return wan_take_request(w, p, config, node, now_ns);
	return wan_take_reply(w, p, now_ns);
}

static __always_inline enum wan_verdict
wan_take_data(struct wan *w, __u8 type, const struct dp_config *config, const struct dp_node *node)
{
	struct dp_arrival_key key = {
		.node = w->from,
		.source = w->packet.source,
		.destination = w->packet.destination,
	};
	const struct dp_arrival *arrival;

	/* The canonical pair cannot be written into a packet of the other family. */
	if (packet_addr_family(&node->canonical_remote) != w->packet.family)
		return wan_drop(w, DP_COUNT_DROP_SOURCE);
	if (type < 4 && !relay_limit(w->from, type == 1 ? DP_BUCKET_HANDSHAKE : DP_BUCKET_RESPONSE,
				     config->handshakes_per_s, w->packets))
		return wan_drop(w, DP_COUNT_DROP_HANDSHAKES);
	arrival = bpf_map_lookup_elem(&dp_arrivals, &key);
	map_count_traffic(w->from, arrival ? arrival->path : DP_NO_PATH, DP_IN, w->packets,
			  w->bytes);
	map_count(DP_COUNT_PASS_DATA, w->packets, w->bytes);
	w->rewrite.source = node->canonical_remote;
	w->rewrite.destination = node->canonical_local;
	w->rewrite.ttl = w->packet.ttl;
	return WAN_DATA;
}

/* For this node or, at a relay, another one; the sender is known by its address. */
static __always_inline enum wan_verdict wan_judge_mesh(struct wan *w, void *data,
						       const void *data_end,
						       const struct dp_config *config,
						       const struct dp_source *source)
{
	const __u8 *head = data + w->packet.l4 + sizeof(struct udphdr);
	__u8 lane = 0, other_lane = 0;
	const struct dp_node *node;
	__u16 from = 0, to = 0;

	if (!packet_port_decode(w->packet.destination_port, config->port_base, config->lanes, &from,
				&lane) ||
	    !packet_port_decode(w->packet.source_port, config->port_base, config->lanes, &to,
				&other_lane) ||
	    lane != other_lane)
		return wan_drop(w, DP_COUNT_DROP_NODE);
	w->from = from;
	w->to = to;
	w->via = source->node;
	if (source->node != from) {
		node = bpf_map_lookup_elem(&dp_nodes, &w->via);
		if (!node || node->kind != DP_KIND_RELAY)
			return wan_drop(w, DP_COUNT_DROP_SOURCE);
	}
	node = bpf_map_lookup_elem(&dp_nodes, &w->from);
	if (!node || (to != config->id && config->kind != DP_KIND_RELAY))
		return wan_drop(w, DP_COUNT_DROP_NODE);
	if (w->packet.flags & (PACKET_LENGTH | PACKET_OPTIONS) || w->packet.payload < 4)
		return wan_drop(w, DP_COUNT_DROP_MALFORMED);
	if ((const void *)(head + 4) > data_end)
		return WAN_SHORT;
	if (!packet_is_message(head,
			       w->gso_size && w->packets > 1 ? w->gso_size : w->packet.payload))
		return wan_drop(w, DP_COUNT_DROP_MALFORMED);
	if (to != config->id)
		return WAN_RELAY;
	if (packet_is_probe(head))
		return wan_take_probe(w, data, data_end, config, node);
	if (config->kind == DP_KIND_RELAY)
		return wan_drop(w, DP_COUNT_DROP_NODE);
	return wan_take_data(w, head[0], config, node);
}

/*
 * Errors about what the mesh sent. Anybody can make them up, as its ports are no secret, and the
 * kernel would believe what one says of the MTU: it would cut data into fragments, which the far
 * end drops. What a path carries is known from its probes.
 */
static __always_inline enum wan_verdict wan_judge_error(const struct wan *w, const void *data,
							const void *data_end,
							const struct dp_config *config)
{
	const __s32 port = packet_error_port(data, data_end, &w->packet);
	__u16 id;
	__u8 lane;

	if (port == 0 ||
	    (port > 0 && packet_port_decode(port, config->port_base, config->lanes, &id, &lane)))
		return wan_drop(w, DP_COUNT_DROP_ICMP);
	return wan_pass_other(w);
}

static __always_inline enum packet_result wan_parse(struct wan *w, const void *data,
						    const void *data_end)
{
	const enum packet_result result = packet_parse(data, data_end, w->len, &w->packet);

	wan_measure(w);
	return result;
}

/* result: of wan_parse() */
static __always_inline enum wan_verdict wan_judge(struct wan *w, enum packet_result result,
						  void *data, const void *data_end,
						  const struct dp_config *config)
{
	const struct packet *p = &w->packet;
	const struct dp_source *source;
	__u16 id;
	__u8 lane;

	if (!config || result == PACKET_FOREIGN)
		return wan_pass_other(w);
	if (result == PACKET_BURIED)
		return wan_drop(w, DP_COUNT_DROP_MALFORMED);
	if (result == PACKET_IP)
		return wan_judge_error(w, data, data_end, config);
	if (result == PACKET_PORTS &&
	    !packet_port_decode(p->destination_port, config->port_base, config->lanes, &id, &lane))
		return wan_pass_other(w);
	if (!bpf_map_lookup_elem(&dp_locals, &p->destination))
		return wan_pass_other(w);
	if (result == PACKET_OPAQUE)
		return wan_drop(w, DP_COUNT_DROP_MALFORMED);
	if (p->flags & PACKET_FRAGMENT)
		return wan_drop(w, DP_COUNT_DROP_FRAGMENT);
	source = bpf_map_lookup_elem(&dp_sources, &p->source);
	if (!source)
		return wan_drop(w, DP_COUNT_DROP_STRANGER);
	return wan_judge_mesh(w, data, data_end, config, source);
}

/* The probe's way back: MACs, addresses and ports change places, which leaves its sums alone. */
static __always_inline bool wan_turn(void *data, const void *data_end, const struct packet *p)
{
	struct ethhdr *eth = data;
	struct udphdr *udp = data + p->l4;
	void *network = data + p->l3;
	__u8 mac[ETH_ALEN];

	if ((const void *)(eth + 1) > data_end || (const void *)(udp + 1) > data_end)
		return false;
	if (p->family == 4) {
		struct iphdr *ip = network;

		if ((const void *)(ip + 1) > data_end)
			return false;
		ip->saddr = p->destination.word[3];
		ip->daddr = p->source.word[3];
		ip->check = checksum_update(ip->check, checksum_difference_ttl(p->ttl, 64));
		ip->ttl = 64;
	} else {
		struct ipv6hdr *ip = network;

		if ((const void *)(ip + 1) > data_end)
			return false;
		__builtin_memcpy(&ip->saddr, &p->destination, sizeof(ip->saddr));
		__builtin_memcpy(&ip->daddr, &p->source, sizeof(ip->daddr));
		ip->hop_limit = 64;
	}
	udp->source = packet_swap16(p->destination_port);
	udp->dest = packet_swap16(p->source_port);
	__builtin_memcpy(mac, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, mac, ETH_ALEN);
	return true;
}

/* -- XDP -- */

static __always_inline int wan_xdp_relay(struct xdp_md *ctx, struct wan *w,
					 const struct dp_config *config)
{
	void *data = (void *)(long)ctx->data;
	const void *data_end = (const void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	const struct dp_path *path;
	const struct dp_hop *hop;
	__u32 reason = 0;

	path = relay_choose(&w->packet, w->to, w->via, &w->rewrite, &reason);
	if (!path) {
		map_count(reason, w->packets, w->bytes);
		return XDP_DROP;
	}
	hop = w->packet.flags & PACKET_TAGGED ? NULL : relay_resolve(ctx, path);
	if (!hop)
		return XDP_PASS;
	relay_flow_keep(&w->packet, w->from, w->to, &w->rewrite, hop);
	if (!relay_admit(w->from, config, w->packets, w->bytes) ||
	    !rewrite_frame(data, data_end, &w->packet, &w->rewrite) ||
	    (const void *)(eth + 1) > data_end)
		return XDP_DROP;
	relay_write_macs(eth, hop->macs);
	relay_count(w->from, w->to, w->packets, w->bytes);
	return relay_leave(ctx, hop->ifindex);
}

/* To the stack, and no second look by tc. */
static __always_inline int wan_xdp_pass(struct xdp_md *ctx)
{
	__u32 *mark;

	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*mark)))
		return XDP_PASS;
	mark = (void *)(long)ctx->data_meta;
	if ((const void *)(mark + 1) <= (const void *)(long)ctx->data)
		*mark = WAN_MARK;
	return XDP_PASS;
}

static __always_inline int wan_xdp_judge(struct xdp_md *ctx, const struct dp_config *config)
{
	void *data = (void *)(long)ctx->data;
	const void *data_end = (const void *)(long)ctx->data_end;
	struct wan w = { .len = data_end - data };
	const enum packet_result result = wan_parse(&w, data, data_end);
	struct udphdr *udp;

	switch (wan_judge(&w, result, data, data_end, config)) {
	case WAN_PASS:
		return wan_xdp_pass(ctx);
	case WAN_DATA:
		if (!rewrite_frame(data, data_end, &w.packet, &w.rewrite))
			return XDP_DROP;
		return wan_xdp_pass(ctx);
	case WAN_REPLY:
		udp = data + w.packet.l4;
		if ((const void *)(udp + 1) > data_end || !wan_turn(data, data_end, &w.packet))
			return XDP_DROP;
		udp->check = checksum_update_udp(udp->check, w.difference);
		return XDP_TX;
	case WAN_RELAY:
		return config ? wan_xdp_relay(ctx, &w, config) : XDP_DROP;
	case WAN_SHORT:
	case WAN_DROP:
		break;
	}
	return XDP_DROP;
}

static __always_inline int wan_xdp_run(struct xdp_md *ctx)
{
	const struct dp_config *config = map_config();
	int verdict = XDP_ABORTED;

	if (config && config->kind == DP_KIND_RELAY)
		verdict = relay_flow_forward(ctx, config);
	return verdict == XDP_ABORTED ? wan_xdp_judge(ctx, config) : verdict;
}

/* -- tc -- */

static __always_inline int wan_tc_relay(struct __sk_buff *skb, struct wan *w,
					const struct dp_config *config)
{
	const struct dp_path *path;
	__u32 reason = 0;

	path = relay_choose(&w->packet, w->to, w->via, &w->rewrite, &reason);
	if (!path) {
		map_count(reason, w->packets, w->bytes);
		return TC_ACT_SHOT;
	}
	if (!relay_admit(w->from, config, w->packets, w->bytes) ||
	    !rewrite_skb(skb, &w->packet, &w->rewrite))
		return TC_ACT_SHOT;
	relay_count(w->from, w->to, w->packets, w->bytes);
	return rewrite_send(path);
}

static __always_inline bool wan_tc_is_done(const struct __sk_buff *skb)
{
	const __u32 *mark = (const void *)(long)skb->data_meta;

	return (const void *)(mark + 1) <= (const void *)(long)skb->data && *mark == WAN_MARK;
}

/* want bytes of the frame, or all of it if it is shorter, can be read then. */
static __always_inline bool wan_tc_pull(struct __sk_buff *skb, __u32 want)
{
	if (want > skb->len)
		want = skb->len;
	return skb->data_end - skb->data >= want || !bpf_skb_pull_data(skb, want);
}

static __always_inline int wan_tc_run(struct __sk_buff *skb)
{
	const struct dp_config *config = map_config();
	struct wan w = { .len = skb->len, .gso_size = skb->gso_size };
	enum packet_result result;
	void *data;

	if (wan_tc_is_done(skb))
		return TC_ACT_OK;
	/* Probes are short, so having one of them in reach costs nothing; of data it is headers. */
	if (!wan_tc_pull(skb, WAN_PROBE_LINEAR))
		return TC_ACT_SHOT;
	data = (void *)(long)skb->data;
	result = wan_parse(&w, data, (const void *)(long)skb->data_end);
	switch (wan_judge(&w, result, data, (const void *)(long)skb->data_end, config)) {
	case WAN_PASS:
		return TC_ACT_OK;
	case WAN_DATA:
		return rewrite_skb(skb, &w.packet, &w.rewrite) ? TC_ACT_OK : TC_ACT_SHOT;
	case WAN_REPLY:
		if (!wan_turn(data, (const void *)(long)skb->data_end, &w.packet) ||
		    bpf_l4_csum_replace(skb, w.packet.l4 + REWRITE_UDP_CHECK, 0, w.difference,
					BPF_F_MARK_MANGLED_0))
			return TC_ACT_SHOT;
		return (int)bpf_redirect(skb->ifindex, 0);
	case WAN_RELAY:
		return config ? wan_tc_relay(skb, &w, config) : TC_ACT_SHOT;
	case WAN_SHORT:
	case WAN_DROP:
		break;
	}
	return TC_ACT_SHOT;
}

#endif
