/* SPDX-License-Identifier: GPL-2.0-only */
/* rtnetlink addresses. */
#ifndef NETPAS_ADDRESS_H
#define NETPAS_ADDRESS_H

#include "netlink.h"
#include "state.h"

/* Every address of the host: cb(entry, data); a non-zero return of cb stops and is returned. */
int address_dump(struct netlink *nl, int (*cb)(const struct state_address *address, void *data),
		 void *data);
int address_add(struct netlink *nl, const struct state_address *address);
int address_delete(struct netlink *nl, const struct state_address *address);

#endif
