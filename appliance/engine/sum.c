/* SPDX-License-Identifier: GPL-2.0-only */
/* 32 bytes a step, as vectors; the compiler makes of them what the CPU that it is told of has. */
#include "engine/sum.h"

#include <stdbool.h>
#include <string.h>

typedef uint64_t lanes __attribute__((vector_size(32)));

static inline __attribute__((always_inline)) uint32_t sum_body(const uint8_t *data, size_t len)
{
	lanes acc = { 0 }, acc2 = { 0 };
	uint64_t sum, word = 0;

	for (; len >= 64; data += 64, len -= 64) {
		lanes a, b;

		memcpy(&a, data, sizeof(a));
		memcpy(&b, data + 32, sizeof(b));
		acc += (a & 0xffffffff) + (a >> 32);
		acc2 += (b & 0xffffffff) + (b >> 32);
	}
	acc += acc2;
	sum = acc[0] + acc[1] + acc[2] + acc[3];
	for (; len >= 8; data += 8, len -= 8) {
		memcpy(&word, data, 8);
		sum += (word & 0xffffffff) + (word >> 32);
	}
	if (len) {
		word = 0;
		memcpy(&word, data, len);
		sum += (word & 0xffffffff) + (word >> 32);
	}
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (uint32_t)((sum & 0xffffffff) + (sum >> 32));
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static uint32_t sum_avx2(const uint8_t *data, size_t len)
{
	return sum_body(data, len);
}
#endif

uint32_t sum_of(const uint8_t *data, size_t len)
{
#ifdef __x86_64__
	if (len >= 64 && __builtin_cpu_supports("avx2"))
		return sum_avx2(data, len);
#endif
	return sum_body(data, len);
}
