/* SPDX-License-Identifier: GPL-2.0-only */
/* rtnetlink neighbours: ARP and neighbour discovery. */
#ifndef NETPAS_NEIGHBOUR_H
#define NETPAS_NEIGHBOUR_H

#include "ip.h"
#include "netlink.h"

/*
 * Ask for the link-layer address of a neighbour, unless it is known. The question also tells the
 * neighbour, and the switches between, where this host is now. Does not wait. 0 or -errno.
 */
int neighbour_resolve(struct netlink *nl, const char *ifname, const struct ip_addr *addr);

/*
 * Give every neighbour on an interface whose link-layer address the kernel believes to know to cb, in
 * no order; a non-zero return of cb stops and is returned. Else 0 or -errno.
 */
int neighbour_dump(struct netlink *nl, const char *ifname,
		   int (*cb)(const struct ip_addr *addr, void *data), void *data);

#endif
