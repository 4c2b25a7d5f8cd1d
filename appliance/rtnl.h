/* SPDX-License-Identifier: GPL-2.0-only */
/* What the rtnetlink families share: IP addresses as attributes, growing lists of a dump. */
#ifndef NETPAS_RTNL_H
#define NETPAS_RTNL_H

#include <stddef.h>
#include <stdint.h>

#include "ip.h"
#include "netlink.h"

#define RTNL_DUMP_TRIES 16 /* interrupted dumps in a row before -EINTR is the answer */

/* AF_INET, AF_INET6, or AF_UNSPEC for IP_NONE; and back (IP_NONE for all others). */
uint8_t rtnl_family(uint8_t ip_family);
uint8_t rtnl_ip_family(uint8_t family);

void rtnl_put_addr(struct nlmsghdr *nlh, uint16_t type, const struct ip_addr *addr);

/* -EBADMSG if the attribute's size is not the family's. */
int rtnl_get_addr(const struct nlattr *attr, uint8_t ip_family, struct ip_addr *ret_addr);

/* The number in an attribute of four bytes, 0 if it has another size. */
uint32_t rtnl_get_u32(const struct nlattr *attr);

/* Entries of one dump. They are given to nobody before the dump has proved consistent. */
struct rtnl_list {
	void *v;
	size_t n, capacity, size; /* size: of one entry, bytes */
};

/* Append one zeroed entry; NULL (errno ENOMEM) if out of memory. */
void *rtnl_list_add(struct rtnl_list *list);

/*
 * Dump into list: request(nl, data) builds the request, cb gets the list as its data. The list is
 * emptied and the dump made again when it was interrupted. 0 or -errno.
 */
int rtnl_dump(struct netlink *nl, struct nlmsghdr *(*request)(struct netlink *nl, uint8_t family),
	      uint8_t family, mnl_cb_t cb, struct rtnl_list *list);

#endif
