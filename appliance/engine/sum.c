/* SPDX-License-Identifier: GPL-2.0-only */
/* As vectors; the compiler makes of them what the CPU that it is told of has. */
#include "engine/sum.h"

#include <stdbool.h>
#include <string.h>

typedef uint64_t lanes4 __attribute__((vector_size(32)));
typedef uint64_t lanes8 __attribute__((vector_size(64)));

static inline uint64_t halves(uint64_t word)
{
	return (word & 0xffffffff) + (word >> 32);
}

static inline __attribute__((always_inline)) uint32_t sum_rest(const uint8_t *data, size_t len,
							       uint64_t sum)
{
	uint64_t word;
	uint32_t half;
	uint16_t quarter;

	for (; len >= 8; data += 8, len -= 8) {
		memcpy(&word, data, 8);
		sum += halves(word);
	}
	if (len & 4) {
		memcpy(&half, data, 4);
		sum += half;
		data += 4;
	}
	if (len & 2) {
		memcpy(&quarter, data, 2);
		sum += quarter;
		data += 2;
	}
	if (len & 1) {
		quarter = 0;
		memcpy(&quarter, data, 1);
		sum += quarter;
	}
	return (uint32_t)halves(halves(sum));
}

/* Two vectors a step, so that additions need not wait for each other. */
#define SUM_VECTORS(lanes)                                                  \
	do {                                                                \
		for (; len >= 2 * sizeof(lanes);                            \
		     data += 2 * sizeof(lanes), len -= 2 * sizeof(lanes)) { \
			lanes a_, b_;                                       \
			memcpy(&a_, data, sizeof(a_));                      \
			memcpy(&b_, data + sizeof(a_), sizeof(b_));         \
			acc += (a_ & 0xffffffff) + (a_ >> 32);              \
			acc2 += (b_ & 0xffffffff) + (b_ >> 32);             \
		}                                                           \
		acc += acc2;                                                \
	} while (0)

#ifdef __x86_64__
__attribute__((target("avx512f"))) static uint32_t sum_avx512(const uint8_t *data, size_t len)
{
	lanes8 acc = { 0 }, acc2 = { 0 };

	SUM_VECTORS(lanes8);
	return sum_rest(data, len,
			acc[0] + acc[1] + acc[2] + acc[3] + acc[4] + acc[5] + acc[6] + acc[7]);
}

__attribute__((target("avx2"))) static uint32_t sum_avx2(const uint8_t *data, size_t len)
{
	lanes4 acc = { 0 }, acc2 = { 0 };

	SUM_VECTORS(lanes4);
	return sum_rest(data, len, acc[0] + acc[1] + acc[2] + acc[3]);
}
#endif

static uint32_t sum_plain(const uint8_t *data, size_t len)
{
	lanes4 acc = { 0 }, acc2 = { 0 };

	SUM_VECTORS(lanes4);
	return sum_rest(data, len, acc[0] + acc[1] + acc[2] + acc[3]);
}

uint32_t sum_of(const uint8_t *data, size_t len)
{
	if (len < 64)
		return sum_rest(data, len, 0);
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx512f"))
		return sum_avx512(data, len);
	if (__builtin_cpu_supports("avx2"))
		return sum_avx2(data, len);
#endif
	return sum_plain(data, len);
}
