/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The short cut between LAN and tunnels. It may only do what the stack and the table "inet netpas"
 * would do too, so the rule is the same everywhere: a packet that it is sure of goes on, every
 * other one goes to the stack as it came, which forwards it, drops and counts it, or answers with
 * the proper ICMP. Nothing is dropped here. For that reason a packet is not touched before all
 * that can fail has succeeded.
 *
 * Sure means: IPv4 without options or IPv6 without extension headers, whole, of consistent length
 * and header checksum, with hops left, between addresses that routers forward, from our site to
 * another (or from the tunnel's site to ours), from and for no address that this node's kernel
 * takes for itself, and not too big for where it goes. Towards sites with MSS clamping SYN segments
 * go to the stack, which clamps.
 *
 * A packet may be a batch (GSO): one that the LAN's driver or GRO has made of many. It is sent on
 * as a batch, and counted as the packets that it will be again, with all their headers: the meter
 * must not depend on how lucky GRO was. Short frames come with the padding of Ethernet, which no
 * IP packet is meant to have; it is cut off.
 *
 * On the LAN a packet has an Ethernet header, which bpf_redirect() takes off for a device that has
 * none. On a tunnel device it begins with IP, and there pkt_type says nothing. bpf_redirect_neigh()
 * drops what has no Ethernet header, only to replace it; so an empty one is put before.
 */
#ifndef NETPAS_LAN_H
#define NETPAS_LAN_H

#include <linux/errno.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/types.h>
#include <stdbool.h>

#include "checksum.h"
#include "dataplane.h"
#include "packet.h"

#define LAN_IP4_PLAIN 0x45     /* version 4, no options */
#define LAN_IP4_NO_FLAG 0xbfff /* of the flags and fragment offset all but "don't fragment" */
#define LAN_TCP_LEN 20
#define LAN_UDP_LEN 8
#define LAN_TCP_SYN 0x02
#define LAN_HEADERS_MAX (sizeof(struct ipv6hdr) + LAN_TCP_LEN) /* what is looked at */

/* What the decisions need of a packet. */
struct lan_packet {
	struct dp_addr source, destination;
	__u32 ports;   /* both, as they stand there; 0: neither TCP nor UDP */
	__u32 len;     /* of the IP packet, as its header says */
	__u16 headers; /* IP and transport header, bytes; 0: neither TCP nor UDP */
	__u8 version;  /* 4 or 6 */
	__u8 dscp;
	__u8 protocol;
	__u8 syn;
};

/* "This" network, loopback, link-local, multicast, reserved and broadcast (RFC 6890). */
static __always_inline bool lan_special4(__be32 addr)
{
	__u32 host = packet_swap32(addr);

	return host >> 24 == 0 || host >> 24 == 127 || host >> 16 == 0xa9fe || host >= 0xe0000000;
}

/* Unspecified, loopback, all that stands for IPv4 in the first /64, link-local and multicast. */
static __always_inline bool lan_special6(const struct dp_addr *addr)
{
	__u32 first = packet_swap32(addr->word[0]);

	return (!first && !addr->word[1]) || first >> 22 == 0xfe80 >> 6 || first >> 24 == 0xff;
}

/* IANA's IPv6 extension header types, but for ESP: behind that there is nothing to be seen. */
static __always_inline bool lan_is_extension(__u8 type)
{
	switch (type) {
	case 0:	  /* hop by hop */
	case 43:  /* routing */
	case 44:  /* fragment */
	case 51:  /* authentication */
	case 60:  /* destination options */
	case 135: /* mobility */
	case 139: /* host identity */
	case 140: /* shim6 */
	case 253: /* experiments */
	case 254:
		return true;
	}
	return false;
}

static __always_inline bool lan_parse_transport(const __u8 *data, const void *end, __u8 protocol,
						__u16 header, struct lan_packet *ret)
{
	__u32 rest = ret->len - header;
	__u32 len;

	ret->headers = 0;
	ret->syn = 0;
	ret->ports = 0;
	ret->protocol = protocol;
	if (protocol == IPPROTO_UDP) {
		ret->headers = header + LAN_UDP_LEN;
		if (rest < LAN_UDP_LEN || (const void *)(data + LAN_UDP_LEN) > end)
			return false;
		ret->ports = *(const __u32 *)(const void *)data;
		return true;
	}
	if (protocol != IPPROTO_TCP)
		return true;
	if ((const void *)(data + LAN_TCP_LEN) > end)
		return false;
	len = (__u32)(data[12] >> 4) * 4;
	if (len < LAN_TCP_LEN || len > rest)
		return false;
	ret->headers = (__u16)(header + len);
	ret->ports = *(const __u32 *)(const void *)data;
	ret->syn = !!(data[13] & LAN_TCP_SYN);
	return true;
}

static __always_inline bool lan_parse4(const void *data, const void *end, __u32 room,
				       struct lan_packet *ret)
{
	const struct iphdr *ip = data;

	if ((const void *)(ip + 1) > end)
		return false;
	ret->version = 4;
	ret->dscp = ip->tos >> 2;
	ret->len = packet_swap16(ip->tot_len);
	packet_addr_v4(&ret->source, ip->saddr);
	packet_addr_v4(&ret->destination, ip->daddr);
	return *(const __u8 *)data == LAN_IP4_PLAIN && ret->len >= sizeof(*ip) &&
	       ret->len <= room && !(ip->frag_off & packet_swap16(LAN_IP4_NO_FLAG)) &&
	       ip->ttl > 1 && checksum_fold(checksum_sum(data, sizeof(*ip) / 4)) == 0xffff &&
	       !lan_special4(ip->saddr) && !lan_special4(ip->daddr) &&
	       lan_parse_transport((const void *)(ip + 1), end, ip->protocol, sizeof(*ip), ret);
}

static __always_inline bool lan_parse6(const void *data, const void *end, __u32 room,
				       struct lan_packet *ret)
{
	const struct ipv6hdr *ip = data;

	if ((const void *)(ip + 1) > end)
		return false;
	ret->version = 6;
	ret->dscp = (__u8)(packet_swap16(*(const __be16 *)data) >> 6 & (DP_DSCPS - 1));
	ret->len = (__u32)sizeof(*ip) + packet_swap16(ip->payload_len);
	__builtin_memcpy(&ret->source, &ip->saddr, sizeof(ret->source));
	__builtin_memcpy(&ret->destination, &ip->daddr, sizeof(ret->destination));
	return *(const __u8 *)data >> 4 == 6 && ret->len <= room && ip->hop_limit > 1 &&
	       !lan_is_extension(ip->nexthdr) && !lan_special6(&ret->source) &&
	       !lan_special6(&ret->destination) &&
	       lan_parse_transport((const void *)(ip + 1), end, ip->nexthdr, sizeof(*ip), ret);
}

/*
 * Of the room bytes from data on (the packet, and what padding there is), those before end can be
 * read: LAN_HEADERS_MAX, or all. True if the packet is a plain one; else *ret is undefined.
 */
static __always_inline bool lan_parse(const void *data, const void *end, __be16 protocol,
				      __u32 room, struct lan_packet *ret)
{
	if (protocol == packet_swap16(ETH_P_IP))
		return lan_parse4(data, end, room, ret);
	if (protocol == packet_swap16(ETH_P_IPV6))
		return lan_parse6(data, end, room, ret);
	return false;
}

/*
 * The batches that we can take apart in thought: of TCP or UDP, and as long as they say. Segments
 * have gso_size bytes of payload each, but the last.
 */
static __always_inline bool lan_batch_ok(const struct lan_packet *packet, __u32 gso_size,
					 __u32 room)
{
	return !gso_size || (packet->headers && packet->len == room);
}

/* Length of the longest IP packet in it. */
static __always_inline __u32 lan_longest(const struct lan_packet *packet, __u32 gso_size)
{
	__u32 len = packet->headers + gso_size;

	return gso_size && len < packet->len ? len : packet->len;
}

/*
 * Packets and bytes that it is when taken apart. gso_segs is not asked: it is 0 where a guest made
 * the batch.
 */
static __always_inline __u32 lan_packets(const struct lan_packet *packet, __u32 gso_size)
{
	if (!gso_size || packet->len <= packet->headers + gso_size)
		return 1;
	return (packet->len - packet->headers + gso_size - 1) / gso_size;
}

static __always_inline __u32 lan_bytes(const struct lan_packet *packet, __u32 packets)
{
	return packet->len + (packets - 1) * packet->headers;
}

/*
 * Of the flow: the same for all its packets on every node, and after every restart (the kernel's
 * own hash is neither, and a TCP sender on this machine changes it). A multiplication for each word
 * and the mixer of SplitMix at the end (Steele, Lea, Flood 2014) spread even neighbours in all.
 */
static __always_inline __u32 lan_flow(const struct lan_packet *packet)
{
	__u64 x = (__u64)packet->ports << 8 | packet->protocol;

#pragma GCC unroll 4
	for (int i = 0; i < 4; i++) {
		x = (x ^ packet->source.word[i]) * 0x9e3779b97f4a7c15;
		x = (x ^ x >> 32 ^ packet->destination.word[i]) * 0xbf58476d1ce4e5b9;
	}
	x = (x ^ x >> 30) * 0x94d049bb133111eb;
	return (__u32)(x ^ x >> 31) ^ (__u32)(x >> 32);
}

/* The lane for a packet: of those of its DSCP's class one for each flow. */
static __always_inline __u8 lan_lane(const struct lan_packet *packet, const struct dp_site *site)
{
	__u32 class = site->class_of_dscp[packet->dscp & (DP_DSCPS - 1)];
	const struct dp_lanes *lanes;
	__u32 slot = 0;

	if (class >= DP_CLASS_MAX)
		return site->lane;
	lanes = &site->lanes[class];
	if (lanes->n > 1)
		slot = (__u32)((__u64)lan_flow(packet) * DP_LANE_SLOTS >> 32);
	return lanes->slot[slot];
}

/* One of the two gateways of a remote site, by what is known without looking at its paths. */
struct lan_gateway {
	__u16 id;
	__u16 active;	  /* it claims to be */
	__u32 ifindex;	  /* of the tunnel to it; 0: it cannot be sent to */
	__u64 generation; /* of its claim */
};

/*
 * Whether the second one is to be asked before the first for a living path: who claims to be
 * active with the highest generation goes first, and whom netpasd follows if that decides nothing.
 */
static __always_inline bool lan_second_first(const struct lan_gateway *first,
					     const struct lan_gateway *second, __u16 current)
{
	if (first->active != second->active)
		return second->active;
	if (first->active && first->generation != second->generation)
		return second->generation > first->generation;
	return second->id == current && first->id != current;
}

#ifdef __bpf__

#include <bpf/bpf_helpers.h>
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>

#include "maps.h"
#include "meter.h"
#include "select.h"

/* As in <sys/socket.h>, which programs cannot include. */
enum {
	LAN_AF_INET = 2,
	LAN_AF_INET6 = 10,
};

static __always_inline int lan_to_stack(const struct __sk_buff *skb, __u32 link, __u32 reason)
{
	map_count(reason, skb->gso_segs ? skb->gso_segs : 1, skb->len - link);
	return TC_ACT_OK;
}

/* link: bytes before the IP header. */
static __always_inline bool lan_load(struct __sk_buff *skb, __u32 link, struct lan_packet *ret)
{
	__u32 want = link + LAN_HEADERS_MAX;
	const void *data, *end;

	if (skb->len < link)
		return false;
	if (want > skb->len)
		want = skb->len;
	data = (const void *)(long)skb->data;
	end = (const void *)(long)skb->data_end;
	if (data + want > end) {
		if (bpf_skb_pull_data(skb, want))
			return false;
		data = (const void *)(long)skb->data;
		end = (const void *)(long)skb->data_end;
	}
	return lan_parse(data + link, end, (__be16)skb->protocol, skb->len - link, ret) &&
	       lan_batch_ok(ret, skb->gso_size, skb->len - link);
}

static __always_inline const struct dp_route *lan_route(__u8 version, const struct dp_addr *addr)
{
	if (version == 4) {
		struct dp_route4_key key = { .prefixlen = 32, .addr = addr->word[3] };

		return bpf_map_lookup_elem(&dp_routes4, &key);
	} else {
		struct dp_route6_key key = { .prefixlen = 128, .addr = *addr };

		return bpf_map_lookup_elem(&dp_routes6, &key);
	}
}

static __always_inline bool lan_is_own(const struct dp_addr *addr)
{
	return bpf_map_lookup_elem(&dp_own, addr);
}

/* A user-space engine that died took its device along; the daemon has not told us yet. */
static __always_inline bool lan_is_device(struct __sk_buff *skb, __u32 ifindex)
{
	__u32 mtu = 0;

	return ifindex && bpf_check_mtu(skb, ifindex, &mtu, 0, 0) != -ENODEV;
}

static __always_inline const struct dp_node *lan_find_gateway(struct __sk_buff *skb, __u16 id,
							      __u32 lane, struct lan_gateway *ret)
{
	const struct dp_node *node = bpf_map_lookup_elem(&dp_nodes, &id);
	const struct dp_heard *heard = bpf_map_lookup_elem(&dp_heard, &id);

	ret->id = id;
	ret->ifindex =
		node && node->n_order && lane < DP_LANES_MAX ? node->tunnel_ifindex[lane] : 0;
	if (!lan_is_device(skb, ret->ifindex))
		ret->ifindex = 0;
	ret->active = heard && heard->role == DP_ROLE_ACTIVE;
	ret->generation = heard ? heard->generation : 0;
	return node;
}

static __always_inline bool lan_is_alive(const struct lan_gateway *gateway,
					 const struct dp_node *node)
{
	if (!gateway->ifindex || !node)
		return false;
	for (__u32 i = 0; i < DP_ORDER_MAX && i < node->n_order; i++) {
		struct dp_path_key key = { .node = gateway->id, .path = node->order[i] };
		const struct dp_path *path = bpf_map_lookup_elem(&dp_paths, &key);
		const struct dp_path_state *state = bpf_map_lookup_elem(&dp_path_states, &key);

		if (path && state && path_alive(path, state))
			return true;
	}
	return false;
}

/*
 * Interface of the tunnel to take towards a site, of its own lane, and the node that it leads to; 0:
 * there is none. Without a living path (nobody probes, or all are dead) the one that netpasd
 * follows stays: to guess would help nobody.
 */
static __always_inline __u32 lan_choose(struct __sk_buff *skb, const struct dp_site *site,
					const struct dp_node **ret_node)
{
	const struct dp_node *node, *other_node;
	struct lan_gateway gateway, other;

	node = lan_find_gateway(skb, site->gateways[0], site->lane, &gateway);
	other_node = lan_find_gateway(skb, site->gateways[1], site->lane, &other);
	if (lan_second_first(&gateway, &other, site->current)) {
		const struct dp_node *first_node = node;
		struct lan_gateway first = gateway;

		gateway = other;
		node = other_node;
		other = first;
		other_node = first_node;
	}
	*ret_node = node;
	if (lan_is_alive(&gateway, node))
		return gateway.ifindex;
	if (lan_is_alive(&other, other_node) ||
	    (other.ifindex && (other.id == site->current || !gateway.ifindex))) {
		*ret_node = other_node;
		return other.ifindex;
	}
	return gateway.ifindex;
}

/* The interface of another lane to the same node, if there is one. */
static __always_inline __u32 lan_other(struct __sk_buff *skb, const struct dp_node *node, __u8 lane)
{
	__u32 ifindex = node ? node->tunnel_ifindex[lane & (DP_LANES_MAX - 1)] : 0;

	return lan_is_device(skb, ifindex) ? ifindex : 0;
}

/*
 * The changes; room: bytes to put before it. False, with an unchanged IP packet, if they cannot be
 * made. That the header can be read has been seen before; only the verifier has forgotten it.
 */
static __always_inline bool lan_hop(struct __sk_buff *skb, __u32 link, __u32 room,
				    const struct lan_packet *packet)
{
	void *data, *end;

	if (link + packet->len < skb->len && bpf_skb_change_tail(skb, link + packet->len, 0))
		return false;
	if (room && bpf_skb_change_head(skb, room, 0))
		return false;
	data = (void *)(long)skb->data + link + room;
	end = (void *)(long)skb->data_end;
	if (packet->version == 4) {
		struct iphdr *ip = data;

		if ((void *)(ip + 1) > end)
			return false;
		ip->check =
			checksum_update(ip->check, checksum_difference_ttl(ip->ttl, ip->ttl - 1));
		ip->ttl--;
	} else {
		struct ipv6hdr *ip = data;

		if ((void *)(ip + 1) > end)
			return false;
		ip->hop_limit--;
	}
	return true;
}

static __always_inline void lan_count(const struct lan_packet *packet, __u32 gso_size, __u32 reason,
				      const struct dp_meter_key *key)
{
	__u32 packets = lan_packets(packet, gso_size);
	__u32 bytes = lan_bytes(packet, packets);

	meter_add(key, packets, bytes);
	map_count(reason, packets, bytes);
}

/* No mark of nftables' goes with it: at egress that would say that the stack has forwarded it. */
static __always_inline void lan_unmark(struct __sk_buff *skb)
{
	if (skb->mark & DP_MARK_MASK)
		skb->mark &= ~DP_MARK_MASK;
}

static __always_inline int lan_ingress_run(struct __sk_buff *skb)
{
	const struct dp_route *source, *destination;
	const struct dp_config *config;
	const struct dp_site *site;
	struct lan_packet packet;
	const struct dp_node *node;
	struct dp_meter_key key;
	__u32 ifindex, other;
	__u16 number;
	__u8 lane, taken;

	if (skb->pkt_type != PACKET_HOST || skb->vlan_present)
		goto slow;
	if (!lan_load(skb, ETH_HLEN, &packet))
		goto slow;

	source = lan_route(packet.version, &packet.source);
	if (!source || !(source->flags & DP_ROUTE_OWN) || lan_is_own(&packet.source))
		goto slow;
	destination = lan_route(packet.version, &packet.destination);
	if (!destination || destination->flags & DP_ROUTE_OWN || lan_is_own(&packet.destination))
		goto slow;
	number = destination->site;
	site = bpf_map_lookup_elem(&dp_sites, &number);
	if (!site || (packet.syn && site->mss_clamp) ||
	    lan_longest(&packet, skb->gso_size) > site->mtu)
		goto slow;
	ifindex = lan_choose(skb, site, &node);
	if (!ifindex)
		goto slow;
	taken = site->lane;
	lane = lan_lane(&packet, site);
	if (lane != site->lane) {
		other = lan_other(skb, node, lane);
		if (other) {
			ifindex = other;
			taken = lane;
		}
	}
	config = map_config();
	if (!config || !lan_hop(skb, ETH_HLEN, 0, &packet))
		goto slow;
	meter_key(&key, source, destination, DP_OUT, meter_class(config, taken));
	lan_count(&packet, skb->gso_size, DP_COUNT_LAN_FAST, &key);
	lan_unmark(skb);
	return (int)bpf_redirect(ifindex, 0);
slow:
	return lan_to_stack(skb, ETH_HLEN, DP_COUNT_LAN_SLOW);
}

/* The neighbour that it goes to. False if the packet's family cannot go to one of the hop's. */
static __always_inline bool lan_next_hop(const struct lan_packet *packet,
					 const struct dp_route *route, struct bpf_redir_neigh *ret)
{
	const struct dp_addr *set = &route->next_hop;
	struct dp_addr hop = packet->destination;

	if (set->word[0] || set->word[1] || set->word[2] || set->word[3])
		hop = *set;
	if (packet_addr_family(&hop) == 4) {
		ret->nh_family = LAN_AF_INET;
		ret->ipv4_nh = hop.word[3];
		return packet->version == 4;
	}
	ret->nh_family = LAN_AF_INET6;
	__builtin_memcpy(ret->ipv6_nh, &hop, sizeof(ret->ipv6_nh));
	return true;
}

/* Whether all of it fits the LAN. The helper also tells the device's MTU, for batches. */
static __always_inline bool lan_fits(struct __sk_buff *skb, __u32 ifindex,
				     const struct lan_packet *packet)
{
	__u32 longest = lan_longest(packet, skb->gso_size);
	__u32 mtu = longest;

	return bpf_check_mtu(skb, ifindex, &mtu, 0, 0) == BPF_MTU_CHK_RET_SUCCESS && longest <= mtu;
}

static __always_inline int tunnel_ingress_run(struct __sk_buff *skb)
{
	const struct dp_route *source, *destination;
	struct bpf_redir_neigh hop = { 0 };
	const struct dp_tunnel *tunnel;
	const struct dp_config *config;
	struct lan_packet packet;
	struct dp_meter_key key;
	__u32 ifindex = skb->ifindex;

	tunnel = bpf_map_lookup_elem(&dp_tunnels, &ifindex);
	config = map_config();
	if (!tunnel || !config || !config->lan_ifindex || !lan_load(skb, 0, &packet))
		goto slow;

	source = lan_route(packet.version, &packet.source);
	if (!source || source->flags & DP_ROUTE_OWN || source->site != tunnel->site)
		goto slow;
	destination = lan_route(packet.version, &packet.destination);
	if (!destination || !(destination->flags & DP_ROUTE_OWN) || lan_is_own(&packet.destination))
		goto slow;
	if (!lan_next_hop(&packet, destination, &hop) ||
	    !lan_fits(skb, config->lan_ifindex, &packet))
		goto slow;

	if (!lan_hop(skb, 0, ETH_HLEN, &packet))
		goto slow;
	meter_key(&key, destination, source, DP_IN, meter_class(config, tunnel->lane));
	lan_count(&packet, skb->gso_size, DP_COUNT_TUNNEL_FAST, &key);
	lan_unmark(skb);
	return (int)bpf_redirect_neigh(config->lan_ifindex, &hop, sizeof(hop), 0);
slow:
	return lan_to_stack(skb, 0, DP_COUNT_TUNNEL_SLOW);
}

/* -- What the stack has forwarded, where it leaves. -- */

/* IP and transport header of a batch, bytes; 0: not one that can be taken apart in thought. */
static __always_inline __u32 lan_batch_headers(struct __sk_buff *skb, __u32 link, __u8 version,
					       __u8 first, __u8 protocol)
{
	__u32 header = version == 4 ? (first & 15) * 4u : sizeof(struct ipv6hdr);
	__u8 words;

	if (protocol == IPPROTO_UDP)
		return header + LAN_UDP_LEN;
	if (protocol != IPPROTO_TCP || bpf_skb_load_bytes(skb, link + header + 12, &words, 1))
		return 0;
	return header + (__u32)(words >> 4) * 4;
}

/*
 * wire_len is the kernel's own sum over the packets of a batch, with their link headers; it is asked
 * where there are headers that we do not look behind.
 */
static __always_inline void lan_forwarded_size(struct __sk_buff *skb, __u32 link, __u32 headers,
					       __u32 *ret_packets, __u32 *ret_bytes)
{
	__u32 len = skb->len - link;

	*ret_packets = 1;
	*ret_bytes = len;
	if (!skb->gso_size)
		return;
	if (headers && headers < len) {
		*ret_packets = (len - headers + skb->gso_size - 1) / skb->gso_size;
		*ret_bytes = len + (*ret_packets - 1) * headers;
	} else if (skb->gso_segs && skb->wire_len > skb->gso_segs * link) {
		*ret_packets = skb->gso_segs;
		*ret_bytes = skb->wire_len - *ret_packets * link;
	}
}

/*
 * A packet that leaves for LAN or tunnel. Counted is what came from the other one and has nftables'
 * mark, and so has passed the filter: the short cut has counted all others of there. What this
 * node itself says came from nowhere.
 */
static __always_inline void lan_meter_stack(struct __sk_buff *skb, __u32 link, __u32 tunnel_ifindex,
					    enum dp_direction direction)
{
	const struct dp_tunnel *tunnel = bpf_map_lookup_elem(&dp_tunnels, &tunnel_ifindex);
	const struct dp_config *config = map_config();
	const struct dp_route *local, *remote;
	struct dp_addr source, destination;
	__u32 packets, bytes, headers;
	struct dp_meter_key key;
	__u8 version = 4, class;

	if (!tunnel || !config)
		return;
	if (direction == DP_OUT && skb->ingress_ifindex != config->lan_ifindex)
		return;
	if (skb->protocol == packet_swap16(ETH_P_IP)) {
		struct iphdr ip;

		if (bpf_skb_load_bytes(skb, link, &ip, sizeof(ip)))
			return;
		packet_addr_v4(&source, ip.saddr);
		packet_addr_v4(&destination, ip.daddr);
		headers = lan_batch_headers(skb, link, 4, *(const __u8 *)&ip, ip.protocol);
	} else {
		struct ipv6hdr ip;

		if (skb->protocol != packet_swap16(ETH_P_IPV6) ||
		    bpf_skb_load_bytes(skb, link, &ip, sizeof(ip)))
			return;
		version = 6;
		__builtin_memcpy(&source, &ip.saddr, sizeof(source));
		__builtin_memcpy(&destination, &ip.daddr, sizeof(destination));
		headers = lan_batch_headers(skb, link, 6, 0, ip.nexthdr);
	}
	lan_forwarded_size(skb, link, headers, &packets, &bytes);
	class = meter_class(config, tunnel->lane);
	local = lan_route(version, direction == DP_OUT ? &source : &destination);
	remote = lan_route(version, direction == DP_OUT ? &destination : &source);
	if (local && remote) {
		meter_key(&key, local, remote, direction, class);
	} else {
		/* A prefix that has just gone: the packet was faster. */
		__builtin_memset(&key, 0, sizeof(key));
		key.remote_site = tunnel->site;
		key.direction = direction;
		key.class = class;
	}
	meter_add(&key, packets, bytes);
}

static __always_inline int tunnel_egress_run(struct __sk_buff *skb)
{
	if (skb->mark & DP_MARK_MASK && skb->ingress_ifindex)
		lan_meter_stack(skb, 0, skb->ifindex, DP_OUT);
	return TC_ACT_OK;
}

static __always_inline int lan_egress_run(struct __sk_buff *skb)
{
	if (skb->mark & DP_MARK_MASK && skb->ingress_ifindex)
		lan_meter_stack(skb, ETH_HLEN, skb->ingress_ifindex, DP_IN);
	return TC_ACT_OK;
}

#endif
#endif
