/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Taking everything away: links, routes, rules, the table, and the kernel settings, which go
 * back to the values they had before netpas changed them first (kept in run_dir/sysctls).
 */
#ifndef NETPAS_TEARDOWN_H
#define NETPAS_TEARDOWN_H

#include "daemon.h"
#include "kernel.h"

/* Keep the values of wanted's sysctls, unless some are kept already. 0 or -errno. */
int teardown_remember(const struct state *wanted, const char *run_dir);

/*
 * Remove all that is ours. Goes on after a failure, to leave as little as possible; the first
 * one is described in error and returned.
 */
int teardown(struct kernel *kernel, const char *run_dir, char error[static KERNEL_ERROR_LEN]);

/*
 * The same without a daemon, keepalived and what is in the directories too. -EBUSY: a daemon holds
 * the lock.
 */
int teardown_offline(const struct daemon_paths *paths, char error[static KERNEL_ERROR_LEN]);

#endif
