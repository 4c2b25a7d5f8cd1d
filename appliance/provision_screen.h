/* SPDX-License-Identifier: GPL-2.0-only */
/* What a console shows of the running machine, beside what `netpas-provision show` says of its files. */
#ifndef NETPAS_PROVISION_SCREEN_H
#define NETPAS_PROVISION_SCREEN_H

#include <stddef.h>

#include "provision_run.h"

/* Product, version, slot, host name, interfaces with their addresses; whole lines. NULL: no memory. */
char *provision_screen_facts(const struct provision_options *options);

/* What to do next; whole lines. NULL: no memory. */
char *provision_screen_next(const struct provision_options *options);

/*
 * A text that is another one when there is something else to show: facts, and which files there are. NULL: no
 * memory.
 */
char *provision_screen_state(const struct provision_options *options);

/* ---- pure ---- */

/* "Netpas gateway 20261122.2123-g8b0ec2191b, slot a, on trial", of /usr/lib/os-release and the kernel's line. */
void provision_screen_title(const char *release, const char *cmdline, char *buf, size_t size);

/* The value of "Name=" in a file of systemd.network(5); "": there is none. */
void provision_screen_name(const char *network, char *buf, size_t size);

#endif
