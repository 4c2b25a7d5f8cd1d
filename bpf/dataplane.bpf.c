/* SPDX-License-Identifier: GPL-2.0-only */
/* The programs, by hook; what they do is in the headers. dataplane.h: the contract. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "lan.h"
#include "wan_egress.h"
#include "wan_ingress.h"

SEC("xdp")
int wan_xdp(struct xdp_md *ctx)
{
	return wan_xdp_run(ctx);
}

SEC("tc")
int wan_tc(struct __sk_buff *skb)
{
	return wan_tc_run(skb);
}

SEC("tc")
int wan_egress(struct __sk_buff *skb)
{
	return wan_egress_run(skb);
}

SEC("tc")
int lan_ingress(struct __sk_buff *skb)
{
	return lan_ingress_run(skb);
}

SEC("tc")
int tunnel_ingress(struct __sk_buff *skb)
{
	return tunnel_ingress_run(skb);
}

char _license[] SEC("license") = "GPL";
