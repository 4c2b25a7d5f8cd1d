/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/buffers.h"

#include <stdint.h>
#include <sys/mman.h>

enum {
	HUGE = 2 << 20,
};

static size_t rounded(size_t size)
{
	return (size + HUGE - 1) & ~(size_t)(HUGE - 1);
}

void *buffers_map(size_t size, enum buffers_kind *ret_kind)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	enum buffers_kind kind = BUFFERS_HUGE;
	uint8_t *map, *start;

	size = rounded(size);
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_HUGETLB | MAP_POPULATE, -1, 0);
	if (map == MAP_FAILED) {
		/* One huge page more than needed, to begin at one. */
		map = mmap(NULL, size + HUGE, PROT_READ | PROT_WRITE, flags, -1, 0);
		if (map == MAP_FAILED)
			return NULL;
		start = map + (HUGE - ((uintptr_t)map & (HUGE - 1))) % HUGE;
		if (start > map)
			(void)munmap(map, (size_t)(start - map)); /* what stays is not used */
		(void)munmap(start + size, HUGE - (size_t)(start - map));
		map = start;
		kind = madvise(map, size, MADV_HUGEPAGE) ? BUFFERS_SMALL : BUFFERS_TRANSPARENT;
	}
	(void)madvise(map, size, MADV_DONTDUMP); /* core dumps are off in any case */
	if (ret_kind)
		*ret_kind = kind;
	return map;
}

void buffers_unmap(void *buffers, size_t size)
{
	if (!buffers)
		return;
	buffers_use(buffers, rounded(size), rounded(size));
	(void)munmap(buffers, rounded(size)); /* fails for no mapping of ours */
}
