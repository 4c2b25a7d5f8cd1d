/* SPDX-License-Identifier: GPL-2.0-only */
#include "clock.h"

#include <time.h>

uint64_t clock_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

int64_t clock_now_ms(void)
{
	return (int64_t)(clock_now_us() / 1000);
}
