/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A WireGuard device as it is, whichever engine it was read from, and what must change to make it
 * as wanted. Private to wireguard*.c and their tests.
 */
#ifndef NETPAS_WIREGUARD_DEVICE_H
#define NETPAS_WIREGUARD_DEVICE_H

#include "wireguard.h"

struct wireguard_peer {
	struct key public_key;
	bool preshared; /* has a preshared key; ours never have */
	struct ip_addr endpoint;
	uint16_t endpoint_port;
	uint16_t keepalive_s;
	bool allowed4, allowed6; /* 0.0.0.0/0, ::/0 */
	uint16_t allowed_link;	 /* id of the one fe80::<id>/128 in it; 0: none */
	bool allowed_other;	 /* and something else */
	int64_t last_handshake_s;
	uint64_t rx_bytes, tx_bytes;
};

struct wireguard_device {
	struct key private_key;
	uint16_t listen_port;
	uint32_t fwmark;
	struct wireguard_peer *peers;
	size_t n_peers;
};

/* Append a zeroed peer; NULL if out of memory. */
struct wireguard_peer *wireguard_device_add(struct wireguard_device *device);
void wireguard_device_fini(struct wireguard_device *device); /* wipes the key */

/* Note one AllowedIP of the peer. */
void wireguard_peer_allow(struct wireguard_peer *peer, const struct ip_prefix *prefix);

/* The view of wireguard_read(). ret_stats may be NULL. */
void wireguard_device_view(const struct wireguard_device *device, struct state_tunnel *tunnel,
			   struct wireguard_stats *ret_stats);

/*
 * Only what differs is set, for setting is not free of effects: an engine reopens its socket for
 * the port it has already, and to replace AllowedIPs is to have none for an instant. Peers other
 * than the wanted one are removed one by one, so that the wanted one's session survives; they are
 * removed after it has taken over their AllowedIPs.
 */
struct wireguard_change {
	bool any;
	bool private_key, listen_port, fwmark;
	bool peer; /* any of: */
	bool peer_new, preshared, endpoint, keepalive, allowed_replace, allowed_add;
	size_t removals; /* peers whose key is not the wanted one */
};
struct wireguard_change wireguard_device_compare(const struct wireguard_device *device,
						 const struct state_tunnel *tunnel);

/*
 * The text of a UAPI `set=1` request that makes the change; NULL if out of memory. It holds keys:
 * to be wiped and freed.
 */
char *wireguard_uapi_format(const struct wireguard_device *device,
			    const struct state_tunnel *tunnel,
			    const struct wireguard_change *change);

/* Parse a `get=1` answer. To be ended with wireguard_device_fini() if it returns 0. */
int wireguard_uapi_scan(const char *text, size_t len, struct wireguard_device *ret_device);

#endif
