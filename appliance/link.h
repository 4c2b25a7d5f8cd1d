/* SPDX-License-Identifier: GPL-2.0-only */
/* rtnetlink links, by name. All return 0 or -errno; see netlink_error() for the kernel's words. */
#ifndef NETPAS_LINK_H
#define NETPAS_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "netlink.h"

struct link_info {
	unsigned int index;
	char name[16];
	char kind[16]; /* IFLA_INFO_KIND: "wireguard", "tun", "veth", ...; "" for physical ones */
	uint32_t mtu;
	bool up;      /* IFF_UP */
	bool running; /* IFF_RUNNING: carrier */
};

/* Give every link to cb; a non-zero return of cb stops and is returned. */
int link_dump(struct netlink *nl, int (*cb)(const struct link_info *info, void *data), void *data);
int link_get(struct netlink *nl, const char *name, struct link_info *ret_info); /* -ENODEV */
int link_get_index(struct netlink *nl, unsigned int index,
		   struct link_info *ret_info);		      /* -ENODEV */
int link_add_wireguard(struct netlink *nl, const char *name); /* -EOPNOTSUPP: not in this kernel */
/* A cable from here to the network namespace that the descriptor is of. */
int link_add_veth(struct netlink *nl, const char *name, int peer_ns, const char *peer);
int link_delete(struct netlink *nl, const char *name);
int link_set_mtu(struct netlink *nl, const char *name, uint32_t mtu);
int link_set_up(struct netlink *nl, const char *name, bool up);
int link_set_multicast(struct netlink *nl, const char *name, bool multicast);

#endif
