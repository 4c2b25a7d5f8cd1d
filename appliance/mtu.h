/* SPDX-License-Identifier: GPL-2.0-only */
/* The measured MTU of tunnels (path_mtu.h), in what the daemon wants and in the kernel. */
#ifndef NETPAS_MTU_H
#define NETPAS_MTU_H

#include "daemon.h"

/* Wanted tunnels and routes, as measured so far. */
void mtu_limit(const struct daemon *daemon, const struct config *config, struct state *wanted);

/*
 * At the start nothing is measured: what an earlier daemon left in the kernel is taken, if it is
 * less than the configuration says.
 */
void mtu_adopt(struct kernel *kernel, const struct config *config, struct state *wanted);

/* To the kernel what is measured, where it differs from what was applied last. */
void mtu_settle(struct daemon *daemon);

/* What was applied last for the tunnel to a gateway; 0: there is none. */
uint16_t mtu_in_force(const struct daemon *daemon, uint16_t peer_id);

#endif
