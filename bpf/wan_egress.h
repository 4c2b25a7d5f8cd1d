/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What goes out on a WAN interface: data as WireGuard made it gets its path here; requests of
 * probes get their time and their tag.
 *
 * Data is known by the canonical pair of addresses. Once it has others it passes: so a packet that
 * went to another path, and comes by here again on its way out, is not looked at twice. A packet
 * keeps its canonical addresses where only the interface differs, and a copy (1+1) begins with
 * them. Those carry a mark that says which path was chosen for them, until they are on its
 * interface. The mark is cleared then: what WireGuard had set there was for its route alone.
 *
 * The copy is made before the original is changed, as bpf_clone_redirect() gives a clone that
 * shares its bytes. It is sent to this same interface, that is to this program, where the mark
 * tells it apart: a clone cannot be given to a neighbour by any helper, but the program can do it
 * for the packet that it is looking at.
 *
 * Probes go by the interface that the daemon chose. With no path alive data takes the first of the
 * order. A packet of a node without an order goes as WireGuard made it.
 */
#ifndef NETPAS_BPF_WAN_EGRESS_H
#define NETPAS_BPF_WAN_EGRESS_H

#include <linux/pkt_cls.h>

#include "maps.h"
#include "packet.h"
#include "probe.h"
#include "relay.h"
#include "rewrite.h"
#include "select.h"
#include "wan_ingress.h"

#define EGRESS_MARK 0x4e500000 /* and the direction << 8 and the path; the upper 16 bits tell */
#define EGRESS_MARK_MASK 0xffff0000

struct egress {
	struct wan w; /* from is this node */
	const struct dp_node *node;
	enum dp_direction direction;
	__u8 lane;
	enum dp_count_id reason; /* of a packet that has to be rewritten */
};

static __always_inline int egress_send(struct __sk_buff *skb, struct egress *e, __u8 number)
{
	const struct dp_path_key key = { .node = e->w.to, .path = number };
	const struct dp_path *path = bpf_map_lookup_elem(&dp_paths, &key);
	enum dp_count_id reason = e->reason;
	bool canonical;

	if (!path || !path->ifindex || packet_addr_family(&path->remote) != e->w.packet.family) {
		if (e->direction == DP_OUT_COPY)
			return TC_ACT_SHOT;
		map_count(DP_COUNT_EGRESS_NO_PATH, e->w.packets, e->w.bytes);
		return TC_ACT_OK;
	}
	canonical = packet_addr_equal(&path->local, &e->w.packet.source) &&
		    packet_addr_equal(&path->remote, &e->w.packet.destination);
	if (canonical && path->ifindex != skb->ifindex) {
		skb->mark = EGRESS_MARK | e->direction << 8 | number;
		return rewrite_send(path);
	}
	if (canonical && reason == DP_COUNT_EGRESS_PATH)
		reason = DP_COUNT_EGRESS_CANONICAL;
	map_count(reason, e->w.packets, e->w.bytes);
	map_count_traffic(e->w.to, number, e->direction, e->w.packets, e->w.bytes);
	if (canonical)
		return TC_ACT_OK;
	e->w.rewrite.source = path->local;
	e->w.rewrite.destination = path->remote;
	e->w.rewrite.ttl = e->w.packet.ttl;
	if (!rewrite_skb(skb, &e->w.packet, &e->w.rewrite))
		return TC_ACT_SHOT;
	return rewrite_send(path);
}

/* Position in the order; -1: none is alive. */
static __always_inline int egress_choose(struct __sk_buff *skb, const struct egress *e,
					 enum dp_class class)
{
	const struct dp_node *node = e->node;
	__u32 alive = 0;

	for (__u32 i = 0; i < DP_ORDER_MAX && i < node->n_order; i++) {
		if (!relay_path_alive(e->w.to, node->order[i], e->w.packet.family))
			continue;
		if (class != DP_CLASS_BULK)
			return (int)i;
		alive |= 1 << i;
	}
	if (!alive)
		return -1;
	if (alive & node->spread)
		alive &= node->spread;
	/* The kernel's WireGuard leaves the hash of the packet inside; see select_lane_hash(). */
	return select_flow(node->order, node->n_order, alive,
			   skb->hash ? skb->hash : select_lane_hash(e->lane));
}

/* The copy comes back to egress_send() by way of this program, inside of the call. */
static __always_inline void egress_copy(struct __sk_buff *skb, const struct egress *e, __u32 chosen)
{
	const __u8 second = e->node->second[chosen & (DP_ORDER_MAX - 1)];
	const __u32 mark = skb->mark;

	if (second == DP_NO_PATH || !relay_path_alive(e->w.to, second, e->w.packet.family))
		return;
	skb->mark = EGRESS_MARK | DP_OUT_COPY << 8 | second;
	/* A copy that cannot be made is not made; the original goes anyway. */
	(void)bpf_clone_redirect(skb, skb->ifindex, 0);
	skb->mark = mark;
}

static __always_inline int egress_data(struct __sk_buff *skb, struct egress *e, enum dp_class class)
{
	int chosen;

	if ((skb->mark & EGRESS_MARK_MASK) == EGRESS_MARK) {
		const __u32 mark = skb->mark;

		skb->mark = 0;
		if ((mark >> 8 & 0xff) == DP_OUT_COPY) {
			e->direction = DP_OUT_COPY;
			e->reason = DP_COUNT_EGRESS_COPY;
		}
		return egress_send(skb, e, mark & 0xff);
	}
	if (!e->node->n_order) {
		map_count(DP_COUNT_EGRESS_NO_PATH, e->w.packets, e->w.bytes);
		return TC_ACT_OK;
	}
	chosen = egress_choose(skb, e, class);
	if (chosen < 0) {
		chosen = 0;
		e->reason = DP_COUNT_EGRESS_NO_PATH;
	} else if (class == DP_CLASS_PROTECTED) {
		egress_copy(skb, e, (__u32)chosen);
	}
	return egress_send(skb, e, e->node->order[chosen & (DP_ORDER_MAX - 1)]);
}

/*
 * The daemon has filled path, from and to, and the loss that it sees; the rest is for us. Padding
 * is zero, so it adds nothing to the checksum but length.
 */
static __always_inline int egress_probe(struct __sk_buff *skb, struct egress *e,
					const struct dp_config *config)
{
	const struct packet *packet = &e->w.packet;
	const __u64 now_ns = bpf_ktime_get_ns();
	const void *data_end;
	const struct dp_path *path;
	struct dp_path_state *state;
	struct dp_path_key key;
	struct udphdr *udp;
	struct dp_probe *p;
	__u64 sequence, sum;

	if (packet->payload < sizeof(*p) || !wan_tc_pull(skb, WAN_PROBE_LINEAR))
		goto drop;
	data_end = (const void *)(long)skb->data_end;
	udp = (void *)(long)skb->data + packet->l4;
	p = (struct dp_probe *)(udp + 1);
	if ((const void *)(p + 1) > data_end)
		goto drop;
	key.node = e->w.to;
	key.path = p->path;
	state = bpf_map_lookup_elem(&dp_path_states, &key);
	path = bpf_map_lookup_elem(&dp_paths, &key);
	if (!state || !path || p->version != DP_PROBE_VERSION ||
	    p->from != packet_swap16(config->id) || p->to != packet_swap16(e->w.to))
		goto drop;

	sequence = __sync_fetch_and_add(&state->sequence, 1) + 1;
	(void)__sync_fetch_and_add(&state->sent, 1);
	path_resume(path, state, now_ns);
	state->last_sent_ns = now_ns;
	probe_request(p, config, e->node, sequence, state->rtt_us, packet_swap32(p->loss_ppm),
		      now_ns);
	udp->check = 0;
	sum = checksum_sum_pseudo(&packet->source, &packet->destination, packet->family,
				  packet->payload + sizeof(*udp));
	sum += checksum_sum((const __be32 *)udp, (sizeof(*udp) + DP_PROBE_LEN) / 4);
	udp->check = checksum_finish_udp(sum);
	map_count(DP_COUNT_PROBE_SENT, e->w.packets, e->w.bytes);
	return TC_ACT_OK;
drop:
	map_count(DP_COUNT_DROP_PROBE_FORM, e->w.packets, e->w.bytes);
	return TC_ACT_SHOT;
}

static __always_inline int wan_egress_run(struct __sk_buff *skb)
{
	struct egress e = {
		.w = { .len = skb->len, .gso_size = skb->gso_size },
		.direction = DP_OUT,
		.reason = DP_COUNT_EGRESS_PATH,
	};
	const struct dp_config *config = map_config();
	const struct packet *p = &e.w.packet;
	__u8 other_lane = 0, type = 0;

	if (!config || !wan_tc_pull(skb, WAN_LINEAR))
		return TC_ACT_OK;
	if (packet_parse((const void *)(long)skb->data, (const void *)(long)skb->data_end, e.w.len,
			 &e.w.packet) != PACKET_PORTS ||
	    p->flags & (PACKET_FRAGMENT | PACKET_LENGTH | PACKET_OPTIONS) || !p->payload)
		return TC_ACT_OK;
	if (!packet_port_decode(p->source_port, config->port_base, config->lanes, &e.w.to,
				&e.lane) ||
	    !packet_port_decode(p->destination_port, config->port_base, config->lanes, &e.w.from,
				&other_lane) ||
	    e.lane != other_lane || e.w.from != config->id)
		return TC_ACT_OK;
	e.node = bpf_map_lookup_elem(&dp_nodes, &e.w.to);
	if (!e.node || bpf_skb_load_bytes(skb, p->l4 + sizeof(struct udphdr), &type, 1))
		return TC_ACT_OK;
	wan_measure(&e.w);
	if (type == DP_PROBE_REQUEST)
		return egress_probe(skb, &e, config);
	if (type < 1 || type > 4 || !packet_addr_equal(&p->source, &e.node->canonical_local) ||
	    !packet_addr_equal(&p->destination, &e.node->canonical_remote))
		return TC_ACT_OK;
	return egress_data(skb, &e, config->lane_class[e.lane & (DP_LANES_MAX - 1)]);
}

#endif
