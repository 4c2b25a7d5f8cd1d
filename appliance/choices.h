/* SPDX-License-Identifier: GPL-2.0-only */
/* Which gateway of each site traffic goes to, from one configuration or daemon to the next. */
#ifndef NETPAS_CHOICES_H
#define NETPAS_CHOICES_H

#include "daemon.h"

/*
 * Those of a new configuration, by its sites: of the daemon's one where the gateway still exists, else
 * the first. NULL: out of memory.
 */
struct daemon_choice *choices_carry(const struct daemon *daemon, const struct config *config);

/* What an earlier daemon left in the routing tables, into choices. */
void choices_adopt(struct kernel *kernel, const struct config *config,
		   struct daemon_choice *choices);

#endif
