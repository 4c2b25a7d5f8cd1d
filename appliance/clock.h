/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NETPAS_CLOCK_H
#define NETPAS_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC, microseconds. */
uint64_t clock_now_us(void);

/* The same in milliseconds, to count with deadlines. */
int64_t clock_now_ms(void);

#endif
