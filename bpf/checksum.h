/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Internet checksums (RFC 1071) and their incremental update (RFC 1624, equation 3). Pure.
 *
 * A difference is what has to be added, in one's complement, to a sum when words of the packet
 * change. Words are taken as they lie in memory: the sum does not care for byte order as long as
 * all are taken alike. A difference has 32 bits, of which only the value modulo 0xffff matters;
 * so it can be given to the kernel's helpers as it is.
 *
 * A stored checksum is the complement of the sum of everything. A packet whose sum the device
 * completes (CHECKSUM_PARTIAL, and batches to be segmented) holds the plain sum of the pseudo
 * header alone instead: that is moved by checksum_move_pseudo().
 */
#ifndef NETPAS_BPF_CHECKSUM_H
#define NETPAS_BPF_CHECKSUM_H

#include "packet.h"

static __always_inline __u32 checksum_fold32(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	return sum;
}

static __always_inline __u16 checksum_fold(__u64 sum)
{
	sum = checksum_fold32(sum);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static __always_inline __u32 checksum_difference32(__be32 before, __be32 after)
{
	return checksum_fold32((__u64)(__u32)~before + after);
}

static __always_inline __u32 checksum_difference16(__u16 before, __u16 after)
{
	return (__u32)(__u16)~before + after;
}

static __always_inline __u32 checksum_join(__u32 a, __u32 b)
{
	return checksum_fold32((__u64)a + b);
}

/* Of one address: only the last word of an IPv4 one is in the packet. */
static __always_inline __u32 checksum_difference_addr(const struct dp_addr *before,
						      const struct dp_addr *after, __u8 family)
{
	__u64 sum = (__u64)(__u32)~before->word[3] + after->word[3];

	if (family == 6)
		for (int i = 0; i < 3; i++)
			sum += (__u64)(__u32)~before->word[i] + after->word[i];
	return checksum_fold32(sum);
}

/* The TTL is the first byte of its word, the protocol the second. */
static __always_inline __u32 checksum_difference_ttl(__u8 before, __u8 after)
{
	return checksum_difference16(packet_swap16(before << 8), packet_swap16(after << 8));
}

/* A sum of n words; the caller knows that they are there. */
static __always_inline __u64 checksum_sum(const __be32 *words, __u32 n)
{
	__u64 sum = 0;

	for (__u32 i = 0; i < n; i++)
		sum += words[i];
	return sum;
}

/* A stored checksum after the difference. */
static __always_inline __u16 checksum_update(__u16 check, __u32 difference)
{
	return ~checksum_fold((__u64)(__u16)~check + difference);
}

/* Of UDP: 0 says that there is none, so it stays, and no other one becomes it (RFC 768, 8200). */
static __always_inline __u16 checksum_update_udp(__u16 check, __u32 difference)
{
	if (!check)
		return 0;
	check = checksum_update(check, difference);
	return check ? check : 0xffff;
}

static __always_inline __u16 checksum_move_pseudo(__u16 pseudo, __u32 difference)
{
	return checksum_fold((__u64)pseudo + difference);
}

/* The pseudo header's sum of a UDP packet with len bytes of header and payload. */
static __always_inline __u64 checksum_sum_pseudo(const struct dp_addr *source,
						 const struct dp_addr *destination, __u8 family,
						 __u16 len)
{
	__u64 sum = (__u64)source->word[3] + destination->word[3];

	if (family == 6)
		for (int i = 0; i < 3; i++)
			sum += (__u64)source->word[i] + destination->word[i];
	return sum + packet_swap16(PACKET_UDP) + packet_swap16(len);
}

/* What is stored for a complete sum of UDP. */
static __always_inline __u16 checksum_finish_udp(__u64 sum)
{
	const __u16 check = ~checksum_fold(sum);

	return check ? check : 0xffff;
}

#endif
