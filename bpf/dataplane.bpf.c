/* SPDX-License-Identifier: GPL-2.0-only */
/* The programs, by hook; what they do is in the headers. dataplane.h: the contract. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "fault.h"
#include "lan.h"
#include "wan_egress.h"
#include "wan_ingress.h"

SEC("xdp")
int wan_xdp(struct xdp_md *ctx)
{
	if (fault_drops(ctx->ingress_ifindex, (const void *)(long)ctx->data,
			(const void *)(long)ctx->data_end))
		return XDP_DROP;
	return wan_xdp_run(ctx);
}

SEC("tc")
int wan_tc(struct __sk_buff *skb)
{
	/* What XDP has let pass had its luck there. */
	if (!wan_tc_is_done(skb) && fault_drops_skb(skb))
		return TC_ACT_SHOT;
	return wan_tc_run(skb);
}

SEC("tc")
int wan_egress(struct __sk_buff *skb)
{
	const int verdict = wan_egress_run(skb);

	/* As it is now it leaves: on its path, and counted as sent. */
	return verdict == TC_ACT_OK && fault_drops_skb(skb) ? TC_ACT_SHOT : verdict;
}

SEC("tc")
int lan_ingress(struct __sk_buff *skb)
{
	return fault_drops_skb(skb) ? TC_ACT_SHOT : lan_ingress_run(skb);
}

SEC("tc")
int lan_egress(struct __sk_buff *skb)
{
	return fault_drops_skb(skb) ? TC_ACT_SHOT : lan_egress_run(skb);
}

SEC("tc")
int tunnel_ingress(struct __sk_buff *skb)
{
	return tunnel_ingress_run(skb);
}

SEC("tc")
int tunnel_egress(struct __sk_buff *skb)
{
	return tunnel_egress_run(skb);
}

char _license[] SEC("license") = "GPL";
