/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Freeing what workers read without a lock. A worker is inside a section while it handles a batch; an
 * object is unlinked first, and freed when every worker has been outside since. Only the control thread
 * waits and frees; workers hand it what they have replaced.
 */
#ifndef ENGINE_RETIRE_H
#define ENGINE_RETIRE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
	RETIRE_WORKERS = 64
};

/* The first member of what is retired. */
struct retired {
	struct retired *next;
	void (*unlink)(struct retired *retired); /* NULL: nothing is left to unlink */
	void (*free)(struct retired *retired);
};

struct retire {
	int n_workers;
	struct retired *_Atomic list;
	struct {
		_Alignas(64) _Atomic uint64_t sections; /* odd: inside */
	} workers[RETIRE_WORKERS];
};

static inline void retire_enter(struct retire *retire, int worker)
{
	atomic_fetch_add(&retire->workers[worker].sections, 1);
}

static inline void retire_leave(struct retire *retire, int worker)
{
	atomic_fetch_add_explicit(&retire->workers[worker].sections, 1, memory_order_release);
}

/* By any thread. */
void retire_add(struct retire *retire, struct retired *retired);

/* The control thread: wait until every worker has left the section it is in. */
void retire_synchronize(struct retire *retire);

/* The control thread: unlink, wait, free; returns at once if there is nothing. */
void retire_collect(struct retire *retire);

#endif
