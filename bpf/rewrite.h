/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Other addresses and another TTL for a packet, with its checksums, in XDP and in tc.
 *
 * In XDP a frame is bytes. In tc the checksum of UDP may be in three states, which the helpers
 * know and programs do not: final; the pseudo header's sum for the device to complete; or final
 * with a sum over the packet from the receiving device beside it, that has to remain true. The
 * last one is why IPv6 addresses are stored with BPF_F_RECOMPUTE_CSUM: bpf_l4_csum_replace() takes
 * the difference out of the device's sum as IPv4 needs it, whose header sums up to nothing.
 *
 * Batches (gso_size) always hold the pseudo header's sum, but do not always say so: where the
 * device has no checksum offload the helper would take it for a final one. So it is moved here.
 */
#ifndef NETPAS_BPF_REWRITE_H
#define NETPAS_BPF_REWRITE_H

#include <linux/bpf.h>
#include <stddef.h>

#include <bpf/bpf_helpers.h>

#include "checksum.h"
#include "packet.h"

struct rewrite {
	struct dp_addr source, destination;
	__u8 ttl;
};

#define REWRITE_V4_CHECK offsetof(struct iphdr, check)
#define REWRITE_V4_SOURCE offsetof(struct iphdr, saddr)
#define REWRITE_V6_SOURCE offsetof(struct ipv6hdr, saddr)
#define REWRITE_UDP_CHECK offsetof(struct udphdr, check)

static __always_inline __u32 rewrite_difference(const struct packet *p, const struct rewrite *to)
{
	return checksum_join(
		checksum_difference_addr(&p->source, &to->source, p->family),
		checksum_difference_addr(&p->destination, &to->destination, p->family));
}

/* False, with nothing changed: the headers are not there. */
static __always_inline bool rewrite_frame(void *data, const void *data_end, const struct packet *p,
					  const struct rewrite *to)
{
	const __u32 difference = rewrite_difference(p, to);
	void *network = data + p->l3;
	struct udphdr *udp = data + p->l4;

	if ((const void *)(udp + 1) > data_end)
		return false;
	if (p->family == 4) {
		struct iphdr *ip = network;

		if ((const void *)(ip + 1) > data_end)
			return false;
		ip->saddr = to->source.word[3];
		ip->daddr = to->destination.word[3];
		ip->check = checksum_update(
			ip->check,
			checksum_join(difference, checksum_difference_ttl(p->ttl, to->ttl)));
		ip->ttl = to->ttl;
	} else {
		struct ipv6hdr *ip = network;

		if ((const void *)(ip + 1) > data_end)
			return false;
		__builtin_memcpy(&ip->saddr, &to->source, sizeof(ip->saddr));
		__builtin_memcpy(&ip->daddr, &to->destination, sizeof(ip->daddr));
		ip->hop_limit = to->ttl;
	}
	udp->check = checksum_update_udp(udp->check, difference);
	return true;
}

static __always_inline bool rewrite_skb_udp(struct __sk_buff *skb, __u32 at, __u32 difference)
{
	__u16 check;

	if (!skb->gso_size)
		return !bpf_l4_csum_replace(skb, at, 0, difference,
					    BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0);
	if (bpf_skb_load_bytes(skb, at, &check, sizeof(check)))
		return false;
	check = checksum_move_pseudo(check, difference);
	return !bpf_skb_store_bytes(skb, at, &check, sizeof(check), 0);
}

/* False: the packet is no longer whole and must be dropped. Pointers into it are void. */
static __always_inline bool rewrite_skb(struct __sk_buff *skb, const struct packet *p,
					const struct rewrite *to)
{
	const __u32 difference = rewrite_difference(p, to);
	const __u32 l3 = p->l3;
	long err;

	if (p->family == 4) {
		const __be32 addrs[] = { to->source.word[3], to->destination.word[3] };

		err = bpf_skb_store_bytes(skb, l3 + REWRITE_V4_SOURCE, addrs, sizeof(addrs), 0);
		if (p->ttl != to->ttl)
			err |= bpf_skb_store_bytes(skb, l3 + offsetof(struct iphdr, ttl), &to->ttl,
						   1, 0);
		err |= bpf_l3_csum_replace(
			skb, l3 + REWRITE_V4_CHECK, 0,
			checksum_join(difference, checksum_difference_ttl(p->ttl, to->ttl)), 0);
	} else {
		err = bpf_skb_store_bytes(skb, l3 + REWRITE_V6_SOURCE, &to->source,
					  sizeof(to->source) + sizeof(to->destination),
					  BPF_F_RECOMPUTE_CSUM);
		if (p->ttl != to->ttl)
			err |= bpf_skb_store_bytes(skb, l3 + offsetof(struct ipv6hdr, hop_limit),
						   &to->ttl, 1, BPF_F_RECOMPUTE_CSUM);
	}
	return !err && rewrite_skb_udp(skb, p->l4 + REWRITE_UDP_CHECK, difference);
}

/* Sends by the neighbour's MAC, which the kernel knows or asks for. The verdict for tc. */
static __always_inline int rewrite_send(const struct dp_path *path)
{
	struct bpf_redir_neigh hop = { 0 };

	if (packet_addr_family(&path->next_hop) == 4) {
		hop.nh_family = 2; /* AF_INET, of <sys/socket.h> */
		hop.ipv4_nh = path->next_hop.word[3];
	} else {
		hop.nh_family = 10; /* AF_INET6 */
		__builtin_memcpy(hop.ipv6_nh, &path->next_hop, sizeof(hop.ipv6_nh));
	}
	return (int)bpf_redirect_neigh(path->ifindex, &hop, sizeof(hop), 0);
}

#endif
