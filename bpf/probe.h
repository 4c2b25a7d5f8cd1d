/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Probes: sign, check, answer, take. Pure: packets are parsed and states looked up by the caller,
 * who also gives the time.
 *
 * What an attacker can do. Without the key: nothing, a probe of any other content has no valid
 * tag. Type, ends and path are signed, so a probe is good on one path in one direction only; one
 * that is sent back to its maker names the wrong ends. What was captured can be sent again: each
 * sequence counts once (the window below), and replies to requests of an earlier life of the path
 * are refused. What is held back and delivered late measures late, which is the truth. A request
 * and its reply have one length, so nothing is amplified.
 *
 * Several CPUs. Requests or replies of one path come with one 5-tuple and so nearly always on one
 * CPU, but nothing guarantees it, and different paths of one node do come on different CPUs.
 * There are no locks. Counters are added to atomically. Times only grow. The window is kept such
 * that a race takes one sequence twice at worst, and does not refuse what is genuine (but for a CPU
 * that stands still between two instructions while 64 probes pass). Of values that describe the
 * newest probe an older one may stay until the next probe.
 * Compare and swap and the fetching operations need -mcpu=v3 of the BPF compiler (Linux 5.12).
 */
#ifndef NETPAS_PROBE_H
#define NETPAS_PROBE_H

#include <linux/types.h>
#include <stdbool.h>

#include "dataplane.h"
#include "siphash.h"

enum probe_result {
	PROBE_OK,
	PROBE_FORM,    /* no probe of this version, or not between those that the ports say */
	PROBE_TAG,     /* not signed with this key */
	PROBE_REPLAY,  /* taken before, or so old that nobody knows */
	PROBE_UNASKED, /* a reply to what was never sent */
};

#define PROBE_WINDOW 64 /* sequences, of which the highest is one */
#define PROBE_WORDS ((DP_PROBE_LEN - 8) / 8)

/*
 * A path's sequences begin at UNIX seconds << 32, so those of two lives of one path are at least
 * this far apart, and those of one life never.
 */
#define PROBE_LIFE (1ull << 31)

/* After this silence a node may have lost its memory, and may claim less than before. */
#define PROBE_SILENCE_NS (60 * 1000000000ull)

/* -- Byte order. Swapping is its own inverse, so each does both ways. -- */

static __always_inline __u16 probe_be16(__u16 x)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap16(x);
#else
	return x;
#endif
}

static __always_inline __u32 probe_be32(__u32 x)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap32(x);
#else
	return x;
#endif
}

static __always_inline __u64 probe_be64(__u64 x)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap64(x);
#else
	return x;
#endif
}

static __always_inline __u64 probe_le64(__u64 x)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return x;
#else
	return __builtin_bswap64(x);
#endif
}

/* -- The tag: a number, and so big endian in the probe like all others. -- */

static __always_inline __u64 probe_tag(const struct dp_probe *p, const __u64 key[2])
{
	__u64 words[PROBE_WORDS];

	__builtin_memcpy(words, p, sizeof(words));
	SIPHASH_UNROLL
	for (int i = 0; i < PROBE_WORDS; i++)
		words[i] = probe_le64(words[i]);
	return siphash24(key, words, PROBE_WORDS);
}

static __always_inline void probe_sign(struct dp_probe *p, const __u64 key[2])
{
	p->tag = probe_be64(probe_tag(p, key));
}

/*
 * Is this a probe from node from to node self, as the ports say, signed with the key of the two?
 * PROBE_OK, PROBE_FORM (found first, as it is cheap) or PROBE_TAG. Beyond that a request knows no
 * time of reception, a reply does, and no path has a number above all paths.
 */
static __always_inline enum probe_result probe_check(const struct dp_probe *p, __u16 from,
						     __u16 self, const __u64 key[2])
{
	__u8 rest = 0;

	if (p->type != DP_PROBE_REQUEST && p->type != DP_PROBE_REPLY)
		return PROBE_FORM;
	if (p->version != DP_PROBE_VERSION || p->role > DP_ROLE_RELAY || p->path >= DP_PATHS_MAX)
		return PROBE_FORM;
	if (p->from != probe_be16(from) || p->to != probe_be16(self))
		return PROBE_FORM;
	if ((p->type == DP_PROBE_REQUEST) != (p->received_ns == 0))
		return PROBE_FORM;
	SIPHASH_UNROLL
	for (__u32 i = 0; i < sizeof(p->reserved); i++)
		rest |= p->reserved[i];
	if (rest)
		return PROBE_FORM;
	return probe_be64(p->tag) == probe_tag(p, key) ? PROBE_OK : PROBE_TAG;
}

/* -- The window against replays. -- */

/*
 * Bit (sequence mod 64) of the window tells whether it was taken, for the 64 sequences that end
 * with the highest (after RFC 6479: places do not move when the highest does). All zero is a good
 * beginning: sequence 0 is the highest and was not taken.
 *
 * To advance, the places between the old and the new highest are emptied first, then the highest
 * is swapped in, so that it never goes back, and last the own place is filled: who finds it full
 * already was second. A CPU that loses the race for the highest tries again; it has at worst
 * emptied places that others had filled, which lets those sequences pass once more. Who loses
 * four times in a row is refused unless the others left it behind by less than the window.
 *
 * Returns whether it is taken; ret_newest: whether it is higher than all before.
 */
static __always_inline bool probe_window_take(__u64 *highest, __u64 *window, __u64 sequence,
					      bool *ret_newest)
{
	__u64 place = 1ull << (sequence & 63);
	bool newest = false;
	__u64 top;

	SIPHASH_UNROLL
	for (int i = 0; i < 4; i++) {
		__u64 passed = ~0ull;
		__u64 ahead;

		top = *(volatile __u64 *)highest;
		if (sequence <= top)
			break;
		ahead = sequence - top;
		if (ahead < PROBE_WINDOW) {
			__u32 by = (top + 1) & 63;

			passed = (1ull << ahead) - 1;
			passed = passed << by | passed >> ((64 - by) & 63);
		}
		__sync_fetch_and_and(window, ~passed);
		if (__sync_val_compare_and_swap(highest, top, sequence) == top) {
			newest = true;
			break;
		}
	}
	top = *(volatile __u64 *)highest;
	if (top - sequence >= PROBE_WINDOW)
		return false;
	if (__sync_fetch_and_or(window, place) & place)
		return false;
	*ret_newest = newest;
	return true;
}

/* To the latest, whatever the order in which CPUs come. Four times overtaken: it is later already. */
static __always_inline void probe_time_grow(__u64 *ns, __u64 now_ns)
{
	SIPHASH_UNROLL
	for (int i = 0; i < 4; i++) {
		__u64 held = *(volatile __u64 *)ns;

		if (now_ns <= held || __sync_val_compare_and_swap(ns, held, now_ns) == held)
			return;
	}
}

/* -- The reflector: a request that was checked. -- */

/* PROBE_OK or PROBE_REPLAY. */
static __always_inline enum probe_result probe_take_request(struct dp_reflection *reflection,
							    const struct dp_probe *p, __u64 now_ns)
{
	bool newest;

	if (!probe_window_take(&reflection->highest, &reflection->window, probe_be64(p->sequence),
			       &newest))
		return PROBE_REPLAY;
	__sync_fetch_and_add(&reflection->received, 1);
	probe_time_grow(&reflection->last_ns, now_ns);
	if (newest) {
		reflection->rtt_us = probe_be32(p->rtt_us);
		reflection->loss_ppm = probe_be32(p->loss_ppm);
	}
	return PROBE_OK;
}

/* Turns the request into its reply, in place. Path, sequence and the requester's time stay. */
static __always_inline void probe_reply(struct dp_probe *p, const struct dp_config *self,
					__u64 seen_generation, __u32 received, __u64 now_ns,
					const __u64 key[2])
{
	__be16 requester = p->from;

	p->type = DP_PROBE_REPLY;
	p->role = self->role;
	p->from = p->to;
	p->to = requester;
	p->received_ns = probe_be64(now_ns);
	p->generation = probe_be64(self->generation);
	p->seen_generation = probe_be64(seen_generation);
	p->digest = probe_be64(self->digest);
	p->received = probe_be32(received);
	probe_sign(p, key);
}

/* -- The requester. -- */

/* Fills all but path, from and to, which are there already, and signs with the node's key. */
static __always_inline void probe_request(struct dp_probe *p, const struct dp_config *self,
					  const struct dp_node *node, __u64 sequence, __u32 rtt_us,
					  __u32 loss_ppm, __u64 now_ns)
{
	p->type = DP_PROBE_REQUEST;
	p->version = DP_PROBE_VERSION;
	p->role = self->role;
	p->sequence = probe_be64(sequence);
	p->sent_ns = probe_be64(now_ns);
	p->received_ns = 0;
	p->generation = probe_be64(self->generation);
	p->seen_generation = probe_be64(node->seen_generation);
	p->digest = probe_be64(self->digest);
	p->received = 0;
	p->rtt_us = probe_be32(rtt_us);
	p->loss_ppm = probe_be32(loss_ppm);
	__builtin_memset(p->reserved, 0, sizeof(p->reserved));
	probe_sign(p, node->key);
}

/* 1 us to 71 minutes: 0 stands for "none yet" everywhere. */
static __always_inline __u32 probe_rtt_us(__u64 ns)
{
	__u64 us = ns / 1000;

	if (us == 0)
		return 1;
	return us > 0xffffffff ? 0xffffffff : (__u32)us;
}

/*
 * A reply that was checked, with the length of its UDP payload. PROBE_OK, PROBE_UNASKED or
 * PROBE_REPLAY. What tells of the newest reply (the reflector's count, round trip, clocks) is not
 * overwritten by one that was overtaken; the sample has its own round trip and, like all samples,
 * the counters as they are now.
 */
static __always_inline enum probe_result probe_take_reply(struct dp_path_state *state,
							  const struct dp_probe *p, __u32 payload,
							  __u64 now_ns,
							  struct dp_sample *ret_sample)
{
	__u64 sequence = probe_be64(p->sequence), sent_ns = probe_be64(p->sent_ns);
	__u64 asked = *(volatile __u64 *)&state->sequence;
	__u32 rtt_us, min_us, replies;
	bool newest;

	if (sequence > asked || asked - sequence >= PROBE_LIFE || sent_ns > now_ns)
		return PROBE_UNASKED;
	if (!probe_window_take(&state->reply_highest, &state->reply_window, sequence, &newest))
		return PROBE_REPLAY;

	/* First what keeps the path alive. */
	probe_time_grow(&state->last_reply_ns, now_ns);
	rtt_us = probe_rtt_us(now_ns - sent_ns);
	replies = __sync_fetch_and_add(&state->replies, 1) + 1;
	__sync_fetch_and_add(&state->rtt_sum_us, rtt_us);
	if (newest) {
		__u64 middle = sent_ns + (now_ns - sent_ns) / 2;

		state->remote_received = probe_be32(p->received);
		state->rtt_us = rtt_us;
		state->clock_offset_ns = (__s64)(probe_be64(p->received_ns) - middle);
	}
	min_us = state->rtt_min_us;
	if (min_us == 0 || rtt_us < min_us)
		state->rtt_min_us = rtt_us;
	if (rtt_us > state->rtt_max_us)
		state->rtt_max_us = rtt_us;
	if (payload > state->payload_max)
		state->payload_max = payload;

	ret_sample->at_ns = now_ns;
	ret_sample->sequence = sequence;
	ret_sample->rtt_us = rtt_us;
	ret_sample->sent = state->sent;
	ret_sample->replies = replies;
	ret_sample->remote_received = state->remote_received;
	ret_sample->payload = payload;
	ret_sample->node = probe_be16(p->from);
	ret_sample->path = p->path;
	return PROBE_OK;
}

/* -- Both: what a node says of itself, in a probe that was checked and taken. -- */

/*
 * Claims only grow. A word of a lower generation is an old one (it came by a slow path, or was held
 * back inside the window): it shows that the node lives, no more. A higher generation is taken
 * with its role. At the same generation the word that came last counts: giving way keeps the
 * generation, so the role has to follow. An active word that a slower path delivers after the
 * standby one is possible and harmless: whoever took over claims a higher generation, and the next
 * probe by the fast path corrects it.
 *
 * A node that was installed anew has forgotten its generation and speaks lower ones until it has
 * learned. It was silent for long then, which is the exception: after PROBE_SILENCE_NS any word
 * counts, and if that one was an old one the next word of the node is higher and wins.
 *
 * The highest claim of our site that it has seen cannot become less by an old word either.
 */
static __always_inline void probe_hear(struct dp_heard *heard, const struct dp_probe *p,
				       __u64 now_ns)
{
	__u64 generation = probe_be64(p->generation);
	__u64 seen_generation = probe_be64(p->seen_generation);
	__u64 last_ns = *(volatile __u64 *)&heard->last_ns;
	__u64 held = *(volatile __u64 *)&heard->generation;
	bool silent = now_ns > last_ns && now_ns - last_ns > PROBE_SILENCE_NS;

	probe_time_grow(&heard->last_ns, now_ns);
	if (seen_generation > *(volatile __u64 *)&heard->seen_generation)
		heard->seen_generation = seen_generation;
	if (generation < held && !silent)
		return;
	/* An equal one is not written again: that could undo what another CPU just raised. */
	if (generation != held)
		heard->generation = generation;
	heard->role = p->role;
	heard->digest = probe_be64(p->digest);
}

#endif
