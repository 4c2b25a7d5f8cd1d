/* SPDX-License-Identifier: GPL-2.0-only */
/* Sockets of netpas-web: who may connect, and from where a connection comes. */
#ifndef NETPAS_WEB_LISTEN_H
#define NETPAS_WEB_LISTEN_H

#include <stdint.h>
#include <sys/socket.h>

#include "ip.h"

/* The address need not be there yet. Returns a socket that does not block, or -errno. */
int web_listen_open(const struct ip_addr *addr, uint16_t port);

/* Accept one. Returns a socket that does not block; -EAGAIN: none waits; or -errno. */
int web_listen_accept(int fd, struct sockaddr_storage *ret_from, socklen_t *ret_len,
		      struct ip_addr *ret_addr);

#endif
