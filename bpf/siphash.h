/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SipHash-2-4 of whole 64-bit words ("SipHash: a fast short-input PRF", Aumasson and Bernstein,
 * 2012). Pure. The number of words has to be a constant where it is called: under BPF the loop is
 * unrolled, so the verifier sees none, and the words live in registers and not on the stack.
 */
#ifndef NETPAS_SIPHASH_H
#define NETPAS_SIPHASH_H

#include <linux/types.h>

#ifdef __bpf__
#include <bpf/bpf_helpers.h>
#define SIPHASH_UNROLL _Pragma("unroll")
#else
#define SIPHASH_UNROLL
#endif

struct siphash {
	__u64 a, b, c, d; /* v0 to v3 of the paper */
};

static __always_inline __u64 siphash_rotate(__u64 x, __u32 by)
{
	return x << by | x >> (64 - by);
}

static __always_inline void siphash_round(struct siphash *s)
{
	s->a += s->b;
	s->b = siphash_rotate(s->b, 13) ^ s->a;
	s->a = siphash_rotate(s->a, 32);
	s->c += s->d;
	s->d = siphash_rotate(s->d, 16) ^ s->c;
	s->a += s->d;
	s->d = siphash_rotate(s->d, 21) ^ s->a;
	s->c += s->b;
	s->b = siphash_rotate(s->b, 17) ^ s->c;
	s->c = siphash_rotate(s->c, 32);
}

static __always_inline void siphash_absorb(struct siphash *s, __u64 word)
{
	s->d ^= word;
	siphash_round(s);
	siphash_round(s);
	s->a ^= word;
}

/*
 * Of n words, a message of 8 * n bytes. Words and the two halves of the key are the numbers that a
 * little endian machine loads from the bytes. n < 32.
 */
static __always_inline __u64 siphash24(const __u64 key[2], const __u64 *words, __u32 n)
{
	struct siphash s = {
		.a = key[0] ^ 0x736f6d6570736575, /* "somepseudorandomlygeneratedbytes" */
		.b = key[1] ^ 0x646f72616e646f6d,
		.c = key[0] ^ 0x6c7967656e657261,
		.d = key[1] ^ 0x7465646279746573,
	};

	SIPHASH_UNROLL
	for (__u32 i = 0; i < n; i++)
		siphash_absorb(&s, words[i]);
	/* The padding: no byte is left over, the last one holds the length. */
	siphash_absorb(&s, (__u64)n << 59);
	s.c ^= 0xff;
	siphash_round(&s);
	siphash_round(&s);
	siphash_round(&s);
	siphash_round(&s);
	return s.a ^ s.b ^ s.c ^ s.d;
}

#endif
