/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a program did with a packet, for `netpas capture`: it is asked at its beginning and at its end
 * whether somebody wants to know. Nobody does, nearly always, and that costs a look at one word
 * each time. It is looked up twice, and not kept, so that the verifier has not to follow two kinds of
 * runs through all of the program.
 *
 * Why it did that is told by the counters that rose meanwhile. A program runs to its end on its CPU,
 * and counts for that CPU, so nothing else makes them rise. The one exception is wan_egress, which runs
 * inside of itself for the copy of 1+1: the original has the counter of the copy, too.
 */
#ifndef NETPAS_BPF_CAPTURE_H
#define NETPAS_BPF_CAPTURE_H

#include <linux/bpf.h>

#include "maps.h"

static __always_inline struct dp_capture *capture_on(void)
{
	const __u32 zero = 0;
	struct dp_capture *capture = bpf_map_lookup_elem(&dp_capture, &zero);

	return capture && capture->until_ns ? capture : NULL;
}

static __always_inline struct dp_capture_scratch *
capture_wanted(struct dp_capture *capture, __u32 place, __u32 ifindex, __u64 now_ns)
{
	if (now_ns >= capture->until_ns) {
		capture->until_ns = 0; /* who has asked is dead */
		return NULL;
	}
	if (!(capture->places >> (place & 31) & 1) ||
	    (capture->ifindex && capture->ifindex != ifindex))
		return NULL;
	return bpf_map_lookup_elem(&dp_capture_scratch, &place);
}

/* Bytes of the frame that are wanted. */
static __always_inline __u32 capture_length(const struct dp_capture *capture, __u32 len)
{
	__u32 n = capture->snap < len ? capture->snap : len;

	return n < DP_CAPTURE_MAX ? n : DP_CAPTURE_MAX;
}

static __always_inline void capture_load_xdp(struct dp_capture_scratch *s,
					     const struct dp_capture *capture, struct xdp_md *ctx)
{
	const __u32 len = ctx->data_end - ctx->data, n = capture_length(capture, len);

	s->record.len = len;
	s->record.caplen = 0;
	if (n && !bpf_xdp_load_bytes(ctx, 0, s->record.data, n))
		s->record.caplen = (__u16)n;
}

static __always_inline void capture_load_skb(struct dp_capture_scratch *s,
					     const struct dp_capture *capture,
					     struct __sk_buff *skb)
{
	const __u32 n = capture_length(capture, skb->len);

	s->record.len = skb->len;
	s->record.caplen = 0;
	if (n && !bpf_skb_load_bytes(skb, 0, s->record.data, n))
		s->record.caplen = (__u16)n;
}

static __always_inline void capture_count(struct dp_capture_scratch *s)
{
	for (__u32 i = 0; i < DP_COUNT_MAX; i++) {
		const __u32 id = i;
		const struct dp_count *count = bpf_map_lookup_elem(&dp_counts, &id);

		s->packets[i & (DP_CAPTURE_COUNTS_MAX - 1)] = count ? count->packets : 0;
	}
}

static __always_inline void capture_compare(struct dp_capture_scratch *s)
{
	s->record.counts = 0;
	for (__u32 i = 0; i < DP_COUNT_MAX; i++) {
		const __u32 id = i;
		const struct dp_count *count = bpf_map_lookup_elem(&dp_counts, &id);

		if (count && count->packets != s->packets[i & (DP_CAPTURE_COUNTS_MAX - 1)])
			s->record.counts |= 1ull << i;
	}
}

static __always_inline void capture_start(struct dp_capture_scratch *s, __u32 ifindex, __u64 now_ns)
{
	s->running = 1;
	s->record.ifindex = ifindex;
	s->record.at_ns = now_ns;
	capture_count(s);
}

static __always_inline void capture_emit(struct dp_capture_scratch *s, __u32 place, int verdict)
{
	const __u32 zero = 0;
	void *ring = bpf_map_lookup_elem(&dp_capture_rings, &zero);
	__u64 len = DP_CAPTURED_HEAD + s->record.caplen;

	s->running = 0;
	s->record.place = (__u16)place;
	s->record.verdict = verdict;
	capture_compare(s);
	if (len > sizeof(s->record))
		len = sizeof(s->record);
	if (!ring || bpf_ringbuf_output(ring, &s->record, len, 0))
		s->lost++;
}

static __noinline int capture_begin_xdp(struct xdp_md *ctx, struct dp_capture *capture)
{
	const __u64 now_ns = bpf_ktime_get_ns();
	struct dp_capture_scratch *s;

	if (!capture)
		return 0;
	s = capture_wanted(capture, DP_PLACE_WAN_XDP, ctx->ingress_ifindex, now_ns);
	if (!s)
		return 0;
	capture_start(s, ctx->ingress_ifindex, now_ns);
	if (!(capture->after >> DP_PLACE_WAN_XDP & 1))
		capture_load_xdp(s, capture, ctx);
	return 0;
}

static __noinline int capture_end_xdp(struct xdp_md *ctx, struct dp_capture *capture, int verdict)
{
	struct dp_capture_scratch *s;

	if (!capture)
		return 0;
	s = capture_wanted(capture, DP_PLACE_WAN_XDP, ctx->ingress_ifindex, bpf_ktime_get_ns());
	if (!s || !s->running)
		return 0;
	if (capture->after >> DP_PLACE_WAN_XDP & 1)
		capture_load_xdp(s, capture, ctx);
	capture_emit(s, DP_PLACE_WAN_XDP, verdict);
	return 0;
}

static __noinline int capture_begin_skb(struct __sk_buff *skb, struct dp_capture *capture,
					__u32 place)
{
	const __u64 now_ns = bpf_ktime_get_ns();
	struct dp_capture_scratch *s;

	if (!capture)
		return 0;
	s = capture_wanted(capture, place, skb->ifindex, now_ns);
	if (!s)
		return 0;
	capture_start(s, skb->ifindex, now_ns);
	if (!(capture->after >> (place & 31) & 1))
		capture_load_skb(s, capture, skb);
	return 0;
}

static __noinline int capture_end_skb(struct __sk_buff *skb, struct dp_capture *capture,
				      __u32 place, int verdict)
{
	struct dp_capture_scratch *s;

	if (!capture)
		return 0;
	s = capture_wanted(capture, place, skb->ifindex, bpf_ktime_get_ns());
	if (!s || !s->running)
		return 0;
	if (capture->after >> (place & 31) & 1)
		capture_load_skb(s, capture, skb);
	capture_emit(s, place, verdict);
	return 0;
}

static __always_inline void capture_xdp_begins(struct xdp_md *ctx)
{
	struct dp_capture *capture = capture_on();

	if (__builtin_expect(!!capture, 0))
		(void)capture_begin_xdp(ctx, capture);
}

static __always_inline int capture_xdp_ends(struct xdp_md *ctx, int verdict)
{
	struct dp_capture *capture = capture_on();

	if (__builtin_expect(!!capture, 0))
		(void)capture_end_xdp(ctx, capture, verdict);
	return verdict;
}

static __always_inline void capture_begins(struct __sk_buff *skb, __u32 place)
{
	struct dp_capture *capture = capture_on();

	if (__builtin_expect(!!capture, 0))
		(void)capture_begin_skb(skb, capture, place);
}

static __always_inline int capture_ends(struct __sk_buff *skb, __u32 place, int verdict)
{
	struct dp_capture *capture = capture_on();

	if (__builtin_expect(!!capture, 0))
		(void)capture_end_skb(skb, capture, place, verdict);
	return verdict;
}

#endif
