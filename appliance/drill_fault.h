/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Faults on this node, made and unmade. Losses are made by the data plane's programs and end by
 * the kernel's clock; what is stopped goes on by the hand of whoever is left of: the agent, its
 * guard, and the next netpasd.
 */
#ifndef NETPAS_DRILL_FAULT_H
#define NETPAS_DRILL_FAULT_H

#include <jansson.h>
#include <sys/types.h>

#include "config.h"
#include "drill_scenario.h"
#include "drill_wire.h"

#define DRILL_TEXT_LEN 200
#define DRILL_STOPPED_MAX 64

struct drill_fault {
	const struct config *config;
	const char *run_dir;
	pid_t stopped[DRILL_STOPPED_MAX];
	size_t n_stopped;
};

/*
 * Do it. paths: what `netpas paths` says now, with the name of the gateway that
 * is "followed". What was done, or why not,
 * in words. 0 or -errno; nothing is done then.
 */
int drill_fault_make(struct drill_fault *fault, const struct drill_order *order,
		     const json_t *paths, char text[static DRILL_TEXT_LEN]);

/* Undo what can be undone. Any number of times. */
void drill_fault_end(struct drill_fault *fault);

/* What a drill that nobody is left of has made: for a netpasd that starts. */
void drill_fault_clean(const struct config *config, const char *run_dir);

#endif
