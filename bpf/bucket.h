/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Token buckets without a lock. Pure.
 *
 * Whoever moves last_ns on has earned the tokens of that time and nobody else adds them; time is
 * moved by what was added, rounded up to a nanosecond, so that a flood, which asks more often than
 * a unit takes to accrue, does not lose the fractions and gains none. Tokens are taken first and given back if there were none:
 * another CPU may in that moment be refused although one was left, never granted one too many.
 */
#ifndef NETPAS_BPF_BUCKET_H
#define NETPAS_BPF_BUCKET_H

#include <linux/types.h>
#include <stdbool.h>

#include "packet.h"

#define BUCKET_TOKEN 1024ull
#define BUCKET_SECOND_NS 1000000000ull
/* Units of 1/1024 accrue in (10^9 / 1024) / rate ns; doubled, the constant is whole. */
#define BUCKET_UNIT2_NS 1953125ull

static __always_inline void bucket_fill(struct dp_bucket *bucket, __u32 rate, __u64 now_ns)
{
	const __u64 last = *(volatile __u64 *)&bucket->last_ns;
	const __u64 full = rate * BUCKET_TOKEN;
	__u64 add, until;
	__s64 room;

	if (now_ns <= last)
		return;
	if (now_ns - last >= BUCKET_SECOND_NS) {
		add = full;
		until = now_ns;
	} else {
		add = (now_ns - last) * rate * 2 / BUCKET_UNIT2_NS;
		if (!add)
			return;
		until = last + (add * BUCKET_UNIT2_NS - 1) / (2 * (__u64)rate) + 1;
	}
	if (__sync_val_compare_and_swap(&bucket->last_ns, last, until) != last)
		return;
	room = (__s64)(full - *(volatile __u64 *)&bucket->tokens);
	if (room <= 0)
		return;
	(void)__sync_fetch_and_add(&bucket->tokens, add < (__u64)room ? add : (__u64)room);
}

/* n tokens of a bucket that gains rate (not 0) a second and holds as many. Zeroed: full. */
static __always_inline bool bucket_take(struct dp_bucket *bucket, __u32 rate, __u32 n, __u64 now_ns)
{
	const __u64 cost = n * BUCKET_TOKEN;

	bucket_fill(bucket, rate, now_ns);
	if ((__s64)__sync_fetch_and_add(&bucket->tokens, -cost) >= (__s64)cost)
		return true;
	(void)__sync_fetch_and_add(&bucket->tokens, cost);
	return false;
}

#endif
