/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/retire.h"

#include <sched.h>
#include <time.h>

enum {
	YIELDS = 32
};

void retire_add(struct retire *retire, struct retired *retired)
{
	struct retired *head = atomic_load_explicit(&retire->list, memory_order_relaxed);

	do
		retired->next = head;
	while (!atomic_compare_exchange_weak(&retire->list, &head, retired));
}

void retire_synchronize(struct retire *retire)
{
	const struct timespec pause = { .tv_nsec = 50000 };

	atomic_thread_fence(memory_order_seq_cst);
	for (int i = 0; i < retire->n_workers; i++) {
		uint64_t seen = atomic_load(&retire->workers[i].sections);

		for (int tries = 0; seen % 2 && atomic_load(&retire->workers[i].sections) == seen;
		     tries++)
			if (tries < YIELDS)
				sched_yield();
			else
				nanosleep(&pause, NULL);
	}
}

void retire_collect(struct retire *retire)
{
	struct retired *list = atomic_exchange(&retire->list, NULL), *next;

	if (!list)
		return;
	for (struct retired *retired = list; retired; retired = retired->next)
		if (retired->unlink)
			retired->unlink(retired);
	retire_synchronize(retire);
	for (; list; list = next) {
		next = list->next;
		list->free(list);
	}
}
