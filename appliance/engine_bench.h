/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Engines of this machine measured beside each other. All that it makes belongs to a child in namespaces of its
 * own, which ends with this process, however that ends: nothing is left behind.
 */
#ifndef NETPAS_ENGINE_BENCH_H
#define NETPAS_ENGINE_BENCH_H

#include "engine_record.h"

struct engine_bench {
	unsigned int trials; /* of each engine, 1 to ENGINE_TRIALS_MAX */
	double seconds;	     /* of each measurement */
	bool there[ENGINE_KIND_MAX];
};

/*
 * Which engines are here. The process leaves its network namespace for a new one, and its next child is the
 * first of a pid namespace. -errno; -EPERM: it may not.
 */
int engine_bench_prepare(struct engine_bench *bench);

/* How long it takes about, in seconds. */
unsigned int engine_bench_lasts(const struct engine_bench *bench);

/*
 * Measure; the engines take turns, and each trial begins with another one. 0 or -errno, and words say what failed.
 */
int engine_bench_run(const struct engine_bench *bench, struct engine_record *record,
		     char words[static ENGINE_RECORD_WORDS]);

#endif
