/* SPDX-License-Identifier: GPL-2.0-only */
/* What both ends of the pair channel need of sockets. Private to pair_*.c. */
#ifndef NETPAS_PAIR_SOCKET_H
#define NETPAS_PAIR_SOCKET_H

#include <netinet/in.h>
#include <stdint.h>

#include "pair_channel.h"

/* [fe80::<id>%interface]:port */
struct sockaddr_in6 pair_socket_address(uint16_t id, uint16_t port, unsigned int ifindex);

/* A TCP socket that does not wait, of this node's own address, bound to the tunnel; or -errno. */
int pair_socket_open(const struct pair_ends *ends, unsigned int ifindex, uint16_t port);

/*
 * The other kernel answers also while its netpasd is busy for long. If it does not, the tunnel or
 * the machine is gone, which is known after five seconds.
 */
void pair_socket_keepalive(int fd);

#endif
