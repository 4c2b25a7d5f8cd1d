/* SPDX-License-Identifier: GPL-2.0-only */
/* Which neighbour on which device the kernel would send a packet to. */
#ifndef NETPAS_NEXTHOP_H
#define NETPAS_NEXTHOP_H

#include "ip.h"
#include "netlink.h"

struct nexthop {
	unsigned int ifindex;	/* 0: no route */
	struct ip_addr address; /* of the neighbour; the destination itself if it is on link */
};

/*
 * Of a packet of this host from source to destination, policy rules included. 0, -ENETUNREACH if
 * there is no route to another host (or source is not an address of this one), or -errno.
 */
int nexthop_get(struct netlink *nl, const struct ip_addr *source, const struct ip_addr *destination,
		struct nexthop *ret_nexthop);

#endif
