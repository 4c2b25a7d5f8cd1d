/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which path a packet takes, from what the kernel knows at this moment. Pure.
 *
 * A path is alive by evidence alone: the last valid reply against the last request. Nothing here
 * looks at the clock, so when nobody sends probes any more (netpasd is gone) the verdicts stay as
 * they were.
 */
#ifndef NETPAS_SELECT_H
#define NETPAS_SELECT_H

#include <linux/types.h>
#include <stdbool.h>

#include "dataplane.h"

#ifdef __bpf__
#include <bpf/bpf_helpers.h>
#define SELECT_UNROLL _Pragma("unroll")
#else
#define SELECT_UNROLL
#endif

/*
 * No request or no reply ever, or no route: not alive. A difference and no sum is compared: a sum
 * could pass the end of the 64 bits if dead_ns is "forever".
 */
static __always_inline bool path_alive(const struct dp_path *path,
				       const struct dp_path_state *state)
{
	/* Other CPUs write these; each is read once, the request first: a reply in between helps. */
	__u64 sent = *(const volatile __u64 *)&state->last_sent_ns;
	__u64 reply = *(const volatile __u64 *)&state->last_reply_ns;

	if (path->ifindex == 0 || sent == 0 || reply == 0)
		return false;
	return sent <= reply || sent - reply <= path->dead_ns;
}

/*
 * Before a request goes out. If requests have paused, as the daemon was away, the silence of that
 * time says nothing: a path that was alive has as long for the first reply as ever.
 */
static __always_inline void path_resume(const struct dp_path *path, struct dp_path_state *state,
					__u64 now_ns)
{
	if (now_ns - state->last_sent_ns > path->dead_ns && path_alive(path, state))
		state->last_reply_ns = now_ns + (__u64)state->rtt_us * 1000;
}

/*
 * The same bits, but unknown to the verifier, given some number that it does not know. Else it would
 * follow every one of the 2^n values that the caller's branches can give alive to the end of the
 * program, and give up. (x * (x + 1) is even, which neither it nor, past the barrier, clang knows.)
 */
static __always_inline __u32 select_blur(__u32 alive, __u32 unknown)
{
#ifdef __bpf__
	__u32 even = unknown * (unknown + 1);

	barrier_var(even);
	alive ^= 0 - (even & 1);
#else
	(void)unknown;
#endif
	return alive;
}

/*
 * Index in order[] of the first that is alive (bit i: order[i]), -1: none. An entry DP_NO_PATH is
 * never alive, so this takes a node's second[] too. More than DP_ORDER_MAX are not looked at.
 */
static __always_inline int select_first(const __u8 *order, __u32 n, __u32 alive)
{
	alive = select_blur(alive, order[0]);
	SELECT_UNROLL
	for (__u32 i = 0; i < DP_ORDER_MAX; i++) {
		if (i < n && alive >> i & 1 && order[i] != DP_NO_PATH)
			return (int)i;
	}
	return -1;
}

/* What a path bids for the flow: a mixer of 64 bits (Steele, Lea, Flood 2014: SplitMix). */
static __always_inline __u64 select_weight(__u32 hash, __u32 path)
{
	__u64 x = ((__u64)(path + 1) << 32 | hash) * 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/*
 * The position of one of the alive ones for this flow, -1: none. Rendezvous hashing (Thaler and
 * Ravishankar 1998): the highest bid wins, and as a bid depends on the flow and the path's number
 * alone, wherever it stands in the order, a path that dies moves its own flows only, and gets the
 * same ones back. n up to DP_ORDER_MAX.
 */
static __always_inline int select_flow(const __u8 *order, __u32 n, __u32 alive, __u32 hash)
{
	__u64 best = 0;
	int index = -1;

	alive = select_blur(alive, hash);
	SELECT_UNROLL
	for (__u32 i = 0; i < DP_ORDER_MAX; i++) {
		__u64 weight = select_weight(hash, order[i]);

		if (i < n && alive >> i & 1 && (index < 0 || weight > best)) {
			best = weight;
			index = (int)i;
		}
	}
	return index;
}

/*
 * What stands for the flow if none is known: a user-space engine sends all packets of a lane from one
 * socket, and nothing of the packets inside is left. So the lane itself is the flow. The number is
 * one of those for which, of up to eight paths, four lanes take four where there are as many, also
 * when any one of them has died.
 */
static __always_inline __u32 select_lane_hash(__u8 lane)
{
	return (lane + 1u) * 0x80f831c3;
}

#endif
