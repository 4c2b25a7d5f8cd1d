/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's WireGuard, through the embeddable library (whose wireguard.h is not ours). */
#include "wireguard.h"

#include <embeddable-wg-library/wireguard.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wireguard_device.h"

_Static_assert(sizeof(wg_key) == KEY_LEN, "both are Curve25519 keys");

/* The library frees what it has read without wiping. */
static void kernel_device_free(wg_device *wg)
{
	wg_peer *peer;

	explicit_bzero(wg->private_key, sizeof(wg->private_key));
	for (peer = wg->first_peer; peer; peer = peer->next_peer)
		explicit_bzero(peer->preshared_key, sizeof(peer->preshared_key));
	wg_free_device(wg);
}

static void kernel_endpoint_get(const wg_peer *wg, struct wireguard_peer *peer)
{
	switch (wg->endpoint.addr.sa_family) {
	case AF_INET:
		peer->endpoint.family = IP_V4;
		memcpy(peer->endpoint.bytes, &wg->endpoint.addr4.sin_addr, 4);
		peer->endpoint_port = ntohs(wg->endpoint.addr4.sin_port);
		break;
	case AF_INET6:
		peer->endpoint.family = IP_V6;
		memcpy(peer->endpoint.bytes, &wg->endpoint.addr6.sin6_addr, 16);
		peer->endpoint_port = ntohs(wg->endpoint.addr6.sin6_port);
		break;
	}
}

static void kernel_endpoint_set(const struct state_tunnel *tunnel, wg_peer *wg)
{
	switch (tunnel->endpoint.family) {
	case IP_V4:
		wg->endpoint.addr4.sin_family = AF_INET;
		memcpy(&wg->endpoint.addr4.sin_addr, tunnel->endpoint.bytes, 4);
		wg->endpoint.addr4.sin_port = htons(tunnel->endpoint_port);
		break;
	case IP_V6:
		wg->endpoint.addr6.sin6_family = AF_INET6;
		memcpy(&wg->endpoint.addr6.sin6_addr, tunnel->endpoint.bytes, 16);
		wg->endpoint.addr6.sin6_port = htons(tunnel->endpoint_port);
		break;
	}
}

static void kernel_allowed_copy(const wg_peer *from, struct wireguard_peer *peer)
{
	const wg_allowedip *allowed;

	for (allowed = from->first_allowedip; allowed; allowed = allowed->next_allowedip) {
		struct ip_prefix prefix = { .len = allowed->cidr };

		prefix.addr.family = allowed->family == AF_INET ? IP_V4 : IP_V6;
		memcpy(prefix.addr.bytes, &allowed->ip6, allowed->family == AF_INET ? 4 : 16);
		wireguard_peer_allow(peer, &prefix);
	}
}

static int kernel_device_copy(const wg_device *wg, struct wireguard_device *device)
{
	const wg_peer *from;

	memcpy(device->private_key.bytes, wg->private_key, KEY_LEN);
	device->listen_port = wg->listen_port;
	device->fwmark = wg->fwmark;
	for (from = wg->first_peer; from; from = from->next_peer) {
		struct wireguard_peer *peer = wireguard_device_add(device);

		if (!peer)
			return -ENOMEM;
		memcpy(peer->public_key.bytes, from->public_key, KEY_LEN);
		peer->preshared = from->flags & WGPEER_HAS_PRESHARED_KEY;
		peer->keepalive_s = from->persistent_keepalive_interval;
		peer->last_handshake_s = from->last_handshake_time.tv_sec;
		peer->rx_bytes = from->rx_bytes;
		peer->tx_bytes = from->tx_bytes;
		kernel_endpoint_get(from, peer);
		kernel_allowed_copy(from, peer);
	}
	return 0;
}

/* -ENODEV: no interface, one of another kind, or a kernel without WireGuard. */
static int kernel_device_read(const char *ifname, struct wireguard_device *ret_device)
{
	struct wireguard_device device = { 0 };
	wg_device *wg = NULL;
	int ret;

	ret = wg_get_device(&wg, ifname);
	if (!wg) {
		if (ret >= 0) /* it could not open its socket, and lost the reason */
			return -ENODEV;
		return ret == -EOPNOTSUPP || ret == -EPROTONOSUPPORT || ret == -ENOENT ? -ENODEV
										       : ret;
	}
	ret = kernel_device_copy(wg, &device);
	kernel_device_free(wg);
	if (ret)
		wireguard_device_fini(&device);
	else
		*ret_device = device;
	key_wipe(&device.private_key);
	return ret;
}

int wireguard_kernel_read(struct state_tunnel *tunnel, struct wireguard_stats *ret_stats)
{
	struct wireguard_device device;
	int ret;

	ret = kernel_device_read(tunnel->ifname, &device);
	if (ret)
		return ret;
	wireguard_device_view(&device, tunnel, ret_stats);
	wireguard_device_fini(&device);
	return 0;
}

static void kernel_peer_change(wg_peer *peer, const struct state_tunnel *tunnel,
			       const struct wireguard_change *change,
			       wg_allowedip allowed[static 2])
{
	memcpy(peer->public_key, tunnel->peer_key.bytes, KEY_LEN);
	peer->flags = WGPEER_HAS_PUBLIC_KEY;
	if (change->preshared)
		peer->flags |= WGPEER_HAS_PRESHARED_KEY; /* all zero: none */
	if (change->endpoint)
		kernel_endpoint_set(tunnel, peer);
	if (change->keepalive) {
		peer->flags |= WGPEER_HAS_PERSISTENT_KEEPALIVE_INTERVAL;
		peer->persistent_keepalive_interval = tunnel->keepalive_s;
	}
	if (change->allowed_replace)
		peer->flags |= WGPEER_REPLACE_ALLOWEDIPS;
	if (change->allowed_add && tunnel->allowed_link) {
		const struct ip_addr link = ip_link_local(tunnel->peer_id);

		allowed[0] = (wg_allowedip){ .family = AF_INET6, .cidr = 128 };
		memcpy(&allowed[0].ip6, link.bytes, sizeof(allowed[0].ip6));
		peer->first_allowedip = &allowed[0];
		peer->last_allowedip = &allowed[0];
	} else if (change->allowed_add) {
		allowed[0] = (wg_allowedip){ .family = AF_INET, .next_allowedip = &allowed[1] };
		allowed[1] = (wg_allowedip){ .family = AF_INET6 };
		peer->first_allowedip = &allowed[0];
		peer->last_allowedip = &allowed[1];
	}
}

/* peers has room for the wanted one and all removals. */
static int kernel_device_change(const struct wireguard_device *device,
				const struct state_tunnel *tunnel,
				const struct wireguard_change *change, wg_peer *peers)
{
	wg_allowedip allowed[2];
	wg_device wg = { 0 };
	size_t n = 0;
	int ret;

	memcpy(wg.name, tunnel->ifname, sizeof(wg.name));
	if (change->private_key) {
		wg.flags |= WGDEVICE_HAS_PRIVATE_KEY;
		memcpy(wg.private_key, tunnel->private_key.bytes, KEY_LEN);
	}
	if (change->listen_port) {
		wg.flags |= WGDEVICE_HAS_LISTEN_PORT;
		wg.listen_port = tunnel->listen_port;
	}
	if (change->fwmark)
		wg.flags |= WGDEVICE_HAS_FWMARK;
	if (change->peer)
		kernel_peer_change(&peers[n++], tunnel, change, allowed);
	for (size_t i = 0; i < device->n_peers; i++) {
		const struct key *key = &device->peers[i].public_key;

		if (key_equal(key, &tunnel->peer_key))
			continue;
		memcpy(peers[n].public_key, key->bytes, KEY_LEN);
		peers[n++].flags = WGPEER_HAS_PUBLIC_KEY | WGPEER_REMOVE_ME;
	}
	for (size_t i = 0; i < n; i++)
		peers[i].next_peer = i + 1 < n ? &peers[i + 1] : NULL;
	if (n) {
		wg.first_peer = &peers[0];
		wg.last_peer = &peers[n - 1];
	}
	ret = wg_set_device(&wg);
	explicit_bzero(wg.private_key, sizeof(wg.private_key));
	return ret;
}

int wireguard_kernel_apply(const struct state_tunnel *tunnel)
{
	struct wireguard_device device;
	struct wireguard_change change;
	wg_peer *peers;
	int ret;

	ret = kernel_device_read(tunnel->ifname, &device);
	if (ret)
		return ret;
	change = wireguard_device_compare(&device, tunnel);
	if (!change.any)
		goto fini;
	peers = calloc(change.removals + 1, sizeof(*peers));
	if (!peers) {
		ret = -ENOMEM;
		goto fini;
	}
	ret = kernel_device_change(&device, tunnel, &change, peers);
	free(peers);
fini:
	wireguard_device_fini(&device);
	return ret;
}
