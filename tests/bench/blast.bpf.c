/* SPDX-License-Identifier: GPL-2.0-only */
/* The programs of blast.c: they make the frames, send them back, and count them. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>

#include <bpf/bpf_helpers.h>

#include "blast.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct blast);
} blast_values SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct blast_counted);
} blast_counted SEC(".maps");

/* The page of a frame is used again as its last receiver left it: what was changed is put right. */
SEC("xdp")
int blast_send(struct xdp_md *ctx)
{
	__u64 *word = (void *)(long)ctx->data;
	__u32 zero = 0;
	const struct blast *blast = bpf_map_lookup_elem(&blast_values, &zero);

	if (!blast || (void *)(word + BLAST_WORDS) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	for (int i = 0; i < BLAST_WORDS; i++)
		word[i] = blast->word[i];
	return XDP_TX;
}

/* Ours end here; what else is on the wire (probes, ARP) goes its way. */
SEC("xdp")
int blast_count(struct xdp_md *ctx)
{
	const __u64 *word = (void *)(long)ctx->data;
	const struct iphdr *ip = (void *)(long)ctx->data + ETH_HLEN;
	__u32 zero = 0;
	const struct blast *blast = bpf_map_lookup_elem(&blast_values, &zero);
	struct blast_counted *counted;

	if (!blast || (const void *)(word + BLAST_WORDS) > (void *)(long)ctx->data_end ||
	    word[BLAST_MARK_WORD] != blast->word[BLAST_MARK_WORD])
		return XDP_PASS;
	counted = bpf_map_lookup_elem(&blast_counted, &zero);
	if (!counted || ip->daddr != blast->wanted)
		return XDP_DROP;
	if (counted->packets % BLAST_STAMP == 0) {
		counted->last_ns = bpf_ktime_get_ns();
		if (!counted->first_ns)
			counted->first_ns = counted->last_ns;
	}
	counted->packets++;
	return XDP_DROP;
}

SEC("xdp")
int blast_bare(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_TX;
}

SEC("xdp")
int blast_pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
