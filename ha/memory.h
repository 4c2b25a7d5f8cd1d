/* SPDX-License-Identifier: GPL-2.0-only */
/* Is the machine short of memory? From /proc/meminfo and /proc/pressure/memory. Pure. */
#ifndef NETPAS_MEMORY_H
#define NETPAS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Short: less than 4 % available (or than 128 MiB, where that is less), so that the next burst of
 * buffers ends in the kernel's choice of a victim; or every task stood still for a fifth of the last
 * ten seconds, waiting for memory.
 */
#define MEMORY_AVAILABLE_PERCENT 4
#define MEMORY_AVAILABLE_ENOUGH_KIB (128 * 1024)
#define MEMORY_STALL_PERCENT 20

/* The texts may be NULL: not to be had, no evidence. True with a reason if memory is short. */
bool memory_short(const char *info, const char *pressure, char *reason, size_t size);

#endif
