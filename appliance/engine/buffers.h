/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ENGINE_BUFFERS_H
#define ENGINE_BUFFERS_H
#include <sanitizer/asan_interface.h>
#include <stdbool.h>
#include <stddef.h>

enum buffers_kind {
	BUFFERS_HUGE,	     /* MAP_HUGETLB */
	BUFFERS_TRANSPARENT, /* madvise(MADV_HUGEPAGE) */
	BUFFERS_SMALL,
};

/*
 * Zeroed memory for packets, in huge pages where there are any, never in a core dump. `size` is rounded
 * up to huge pages. NULL: no memory. ret_kind may be NULL.
 */
void *buffers_map(size_t size, enum buffers_kind *ret_kind);
void buffers_unmap(void *buffers, size_t size);

/* Of `size` bytes the first `used` are in use: the rest is out of bounds where ASan looks. */
static inline void buffers_use(const void *buffer, size_t used, size_t size)
{
	ASAN_UNPOISON_MEMORY_REGION(buffer, used);
	ASAN_POISON_MEMORY_REGION((const char *)buffer + used, size - used);
}

#endif
