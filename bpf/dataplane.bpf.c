/* SPDX-License-Identifier: GPL-2.0-only */
/* The programs, by hook; what they do is in the headers. dataplane.h: the contract. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "capture.h"
#include "fault.h"
#include "lan.h"
#include "wan_egress.h"
#include "wan_ingress.h"

static __always_inline int run_wan_xdp(struct xdp_md *ctx)
{
	if (fault_drops(ctx->ingress_ifindex, (const void *)(long)ctx->data,
			(const void *)(long)ctx->data_end))
		return XDP_DROP;
	return wan_xdp_run(ctx);
}

static __always_inline int run_wan_tc(struct __sk_buff *skb)
{
	/* What XDP has let pass had its luck there. */
	if (!wan_tc_is_done(skb) && fault_drops_skb(skb))
		return TC_ACT_SHOT;
	return wan_tc_run(skb);
}

static __always_inline int run_wan_egress(struct __sk_buff *skb)
{
	const int verdict = wan_egress_run(skb);

	/* As it is now it leaves: on its path, and counted as sent. */
	return verdict == TC_ACT_OK && fault_drops_skb(skb) ? TC_ACT_SHOT : verdict;
}

static __always_inline int run_lan_ingress(struct __sk_buff *skb)
{
	return fault_drops_skb(skb) ? TC_ACT_SHOT : lan_ingress_run(skb);
}

static __always_inline int run_lan_egress(struct __sk_buff *skb)
{
	return fault_drops_skb(skb) ? TC_ACT_SHOT : lan_egress_run(skb);
}

SEC("xdp")
int wan_xdp(struct xdp_md *ctx)
{
	capture_xdp_begins(ctx);
	return capture_xdp_ends(ctx, run_wan_xdp(ctx));
}

SEC("tc")
int wan_tc(struct __sk_buff *skb)
{
	capture_begins(skb, DP_PLACE_WAN_TC);
	return capture_ends(skb, DP_PLACE_WAN_TC, run_wan_tc(skb));
}

SEC("tc")
int wan_egress(struct __sk_buff *skb)
{
	capture_begins(skb, DP_PLACE_WAN_EGRESS);
	return capture_ends(skb, DP_PLACE_WAN_EGRESS, run_wan_egress(skb));
}

SEC("tc")
int lan_ingress(struct __sk_buff *skb)
{
	capture_begins(skb, DP_PLACE_LAN_INGRESS);
	return capture_ends(skb, DP_PLACE_LAN_INGRESS, run_lan_ingress(skb));
}

SEC("tc")
int lan_egress(struct __sk_buff *skb)
{
	capture_begins(skb, DP_PLACE_LAN_EGRESS);
	return capture_ends(skb, DP_PLACE_LAN_EGRESS, run_lan_egress(skb));
}

SEC("tc")
int tunnel_ingress(struct __sk_buff *skb)
{
	capture_begins(skb, DP_PLACE_TUNNEL_INGRESS);
	return capture_ends(skb, DP_PLACE_TUNNEL_INGRESS, tunnel_ingress_run(skb));
}

SEC("tc")
int tunnel_egress(struct __sk_buff *skb)
{
	return tunnel_egress_run(skb);
}

char _license[] SEC("license") = "GPL";
