/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ENGINE_SUM_H
#define ENGINE_SUM_H
#include <stddef.h>
#include <stdint.h>

/*
 * The one's complement sum of RFC 1071 over 16-bit words as they lie in memory; an odd last byte is
 * followed by a zero. Sums are added with sum_add() in any order, each of an even offset.
 */
uint32_t sum_of(const uint8_t *data, size_t len);

static inline uint32_t sum_add(uint32_t a, uint32_t b)
{
	uint32_t sum = a + b;

	return sum + (sum < a);
}
static inline uint16_t sum_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

#endif
