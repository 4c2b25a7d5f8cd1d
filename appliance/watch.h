/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Notices when somebody else changes what is ours in the kernel: routes, rules, links,
 * addresses, the nftables table. Says so; repairing is the daemon's.
 */
#ifndef NETPAS_WATCH_H
#define NETPAS_WATCH_H

#include "kernel.h"

struct sd_event;
struct watch;

/* reason: one line such as "route deleted by another program". */
typedef void watch_changed_fn(const char *reason, void *data);

/* lan is copied; it may be changed by watch_set_lan(). 0 or -errno. */
int watch_new(struct sd_event *event, const struct kernel *kernel, watch_changed_fn *changed,
	      void *data, struct watch **ret_watch);
void watch_free(struct watch *watch);
void watch_set_lan(struct watch *watch, const char *lan);

#endif
