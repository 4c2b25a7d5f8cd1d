/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One way to configure and read a WireGuard interface, two ways below it: the kernel through
 * Debian's embeddable library, a user-space engine through its UAPI socket
 * (the "cross-platform userspace implementation" protocol, /run/wireguard/NAME.sock).
 */
#ifndef NETPAS_WIREGUARD_H
#define NETPAS_WIREGUARD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "state.h"

/* Counters of the one peer of an interface. */
struct wireguard_stats {
	int64_t last_handshake_s; /* UNIX time; 0: never */
	uint64_t rx_bytes, tx_bytes;
	struct ip_addr endpoint; /* where it is now */
	uint16_t endpoint_port;
};

/*
 * Fill in what WireGuard knows of tunnel->ifname, by tunnel->engine: ports, keys, endpoint,
 * keepalive, allowed_all, allowed_link. Leaves ifname, peer_id, engine, up and mtu alone.
 * ret_stats may be NULL. -ENODEV: no such interface or no engine listens.
 */
int wireguard_read(struct state_tunnel *tunnel, struct wireguard_stats *ret_stats);

/*
 * Set key, port and the one peer as tunnel says; other peers are removed. A session that is up
 * survives unless its keys changed. 0 or -errno.
 */
int wireguard_apply(const struct state_tunnel *tunnel);

/* -- The two implementations, and what tests of them need. -- */
int wireguard_kernel_read(struct state_tunnel *tunnel, struct wireguard_stats *ret_stats);
int wireguard_kernel_apply(const struct state_tunnel *tunnel);
int wireguard_uapi_read(struct state_tunnel *tunnel, struct wireguard_stats *ret_stats);
int wireguard_uapi_apply(const struct state_tunnel *tunnel);

/* The pid of the process that listens on NAME's UAPI socket (SO_PEERCRED), or -errno. */
pid_t wireguard_uapi_owner(const char *ifname);

/*
 * Send `get=1` without waiting for anything: a descriptor to read the answer from, or -errno
 * (-EAGAIN: the engine takes no more questions). The answer holds a private key: wipe it.
 */
int wireguard_uapi_ask(const char *ifname);

/* Does the engine begin to answer within so many milliseconds? */
bool wireguard_uapi_answers(const char *ifname, int ms);

/* Parse the text of a UAPI `get=1` answer. -EBADMSG if it is not one; -errno it reported. */
int wireguard_uapi_parse(const char *text, size_t len, struct state_tunnel *tunnel,
			 struct wireguard_stats *ret_stats);

#endif
