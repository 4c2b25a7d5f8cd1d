/* SPDX-License-Identifier: GPL-2.0-only */
/* `netpas rolling restart`, run beside the probes of a drill. */
#ifndef NETPAS_DRILL_ROLLING_H
#define NETPAS_DRILL_ROLLING_H

#include <stdbool.h>
#include <sys/types.h>

#include "client.h"

/*
 * A process of its own, in its own process group: who interrupts a drill lets it end its step. What it
 * says goes to standard error. 0 or -errno.
 */
int drill_rolling_start(const struct client_paths *paths, bool hand_back, pid_t *ret_pid);

/* Has it ended, and with what exit status (128 and more: by a signal)? */
bool drill_rolling_ended(pid_t pid, int *ret_status);

/* Have it end its step and stop, and wait for that. The exit status as above. */
int drill_rolling_stop(pid_t pid);

#endif
