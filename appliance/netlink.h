/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A netlink socket with extended ack and strict checking, over libmnl, and what every rtnetlink
 * family needs: one request with its ack, a dump that is made again when interrupted.
 */
#ifndef NETPAS_NETLINK_H
#define NETPAS_NETLINK_H

#include <libmnl/libmnl.h>
#include <stdint.h>

#define NETLINK_BUFFER 32768

struct netlink;

/* bus: NETLINK_ROUTE... groups: multicast groups mask for an event socket, 0 for commands. */
int netlink_open(int bus, uint32_t groups, struct netlink **ret_netlink);
void netlink_close(struct netlink *netlink);
int netlink_fd(const struct netlink *netlink);

/* The socket's own port: the nlmsg_pid in notifications of what was changed through it. */
unsigned int netlink_port(const struct netlink *netlink);

/* Start a request in the socket's own buffer; the caller appends header and attributes. */
struct nlmsghdr *netlink_request(struct netlink *netlink, uint16_t type, uint16_t flags);

/* Send the request and wait for its ack (or for its one answer, given to cb). 0 or -errno. */
int netlink_ack(struct netlink *netlink, struct nlmsghdr *nlh);
int netlink_get(struct netlink *netlink, struct nlmsghdr *nlh, mnl_cb_t cb, void *data);

/* Send a dump request, give every message to cb. -EINTR: inconsistent; the caller starts again. */
int netlink_dump(struct netlink *netlink, struct nlmsghdr *nlh, mnl_cb_t cb, void *data);

/*
 * Give every message that waits on an event socket to cb, without blocking. 0, -ENOBUFS (events
 * were lost: read everything again) or -errno.
 */
int netlink_events(struct netlink *netlink, mnl_cb_t cb, void *data);

/* What the kernel said about the last failure (NLMSGERR_ATTR_MSG), or "". */
const char *netlink_error(const struct netlink *netlink);

#endif
