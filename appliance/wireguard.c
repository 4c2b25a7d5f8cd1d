/* SPDX-License-Identifier: GPL-2.0-only */
#include "wireguard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wireguard_device.h"

struct wireguard_backend {
	int (*read)(struct state_tunnel *tunnel, struct wireguard_stats *ret_stats);
	int (*apply)(const struct state_tunnel *tunnel);
};

static const struct wireguard_backend *wireguard_backend(enum state_engine engine)
{
	static const struct wireguard_backend kernel = { wireguard_kernel_read,
							 wireguard_kernel_apply };
	static const struct wireguard_backend user = { wireguard_uapi_read, wireguard_uapi_apply };

	switch (engine) {
	case STATE_ENGINE_KERNEL:
		return &kernel;
	case STATE_ENGINE_USER:
		return &user;
	case STATE_ENGINE_BROKEN:
	case STATE_ENGINE_MAX:
		break;
	}
	return NULL;
}

int wireguard_read(struct state_tunnel *tunnel, struct wireguard_stats *ret_stats)
{
	const struct wireguard_backend *backend = wireguard_backend(tunnel->engine);

	return backend ? backend->read(tunnel, ret_stats) : -ENODEV;
}

int wireguard_apply(const struct state_tunnel *tunnel)
{
	const struct wireguard_backend *backend = wireguard_backend(tunnel->engine);

	if (key_is_zero(&tunnel->private_key) || key_is_zero(&tunnel->peer_key))
		return -EINVAL;
	return backend ? backend->apply(tunnel) : -ENODEV;
}

struct wireguard_peer *wireguard_device_add(struct wireguard_device *device)
{
	struct wireguard_peer *peers;

	peers = reallocarray(device->peers, device->n_peers + 1, sizeof(*peers));
	if (!peers)
		return NULL;
	device->peers = peers;
	return memset(&peers[device->n_peers++], 0, sizeof(*peers));
}

void wireguard_device_fini(struct wireguard_device *device)
{
	key_wipe(&device->private_key);
	free(device->peers);
	device->peers = NULL;
	device->n_peers = 0;
}

/* The id in fe80::<id>/128, or 0. */
static uint16_t link_local_id(const struct ip_prefix *prefix)
{
	const uint16_t id = (uint16_t)(prefix->addr.bytes[14] << 8 | prefix->addr.bytes[15]);
	const struct ip_addr addr = ip_link_local(id);

	return prefix->len == 128 && !ip_addr_compare(&prefix->addr, &addr) ? id : 0;
}

void wireguard_peer_allow(struct wireguard_peer *peer, const struct ip_prefix *prefix)
{
	const uint16_t link = link_local_id(prefix);

	if (link && (!peer->allowed_link || peer->allowed_link == link))
		peer->allowed_link = link;
	else if (prefix->len)
		peer->allowed_other = true;
	else if (prefix->addr.family == IP_V4)
		peer->allowed4 = true;
	else
		peer->allowed6 = true;
}

void wireguard_device_view(const struct wireguard_device *device, struct state_tunnel *tunnel,
			   struct wireguard_stats *ret_stats)
{
	static const struct wireguard_peer none;
	const struct wireguard_peer *peer = device->n_peers == 1 ? device->peers : &none;
	const bool clean = !peer->allowed_other && !peer->preshared && !device->fwmark;

	tunnel->private_key = device->private_key;
	tunnel->listen_port = device->listen_port;
	tunnel->peer_key = peer->public_key;
	tunnel->endpoint = peer->endpoint;
	tunnel->endpoint_port = peer->endpoint_port;
	tunnel->keepalive_s = peer->keepalive_s;
	tunnel->allowed_all = clean && peer->allowed4 && peer->allowed6 && !peer->allowed_link;
	tunnel->allowed_link = clean && !peer->allowed4 && !peer->allowed6 && peer->allowed_link &&
			       peer->allowed_link == tunnel->peer_id;
	if (ret_stats)
		*ret_stats = (struct wireguard_stats){
			.last_handshake_s = peer->last_handshake_s,
			.rx_bytes = peer->rx_bytes,
			.tx_bytes = peer->tx_bytes,
			.endpoint = peer->endpoint,
			.endpoint_port = peer->endpoint_port,
		};
}

static bool wireguard_endpoint_differs(const struct wireguard_peer *peer,
				       const struct state_tunnel *tunnel)
{
	if (tunnel->endpoint.family ==
	    IP_NONE) /* not ours to say: it is where the peer calls from */
		return false;
	return peer->endpoint_port != tunnel->endpoint_port ||
	       ip_addr_compare(&peer->endpoint, &tunnel->endpoint);
}

/* Whether there is what must not be, and whether something lacks. */
static void wireguard_allowed_compare(const struct wireguard_peer *peer,
				      const struct state_tunnel *tunnel,
				      struct wireguard_change *change)
{
	if (tunnel->allowed_link) {
		change->allowed_replace =
			peer->allowed_other || peer->allowed4 || peer->allowed6 ||
			(peer->allowed_link && peer->allowed_link != tunnel->peer_id);
		change->allowed_add = change->allowed_replace || !peer->allowed_link;
	} else {
		change->allowed_replace = peer->allowed_other || peer->allowed_link;
		change->allowed_add = change->allowed_replace || !peer->allowed4 || !peer->allowed6;
	}
}

struct wireguard_change wireguard_device_compare(const struct wireguard_device *device,
						 const struct state_tunnel *tunnel)
{
	static const struct wireguard_peer none;
	const struct wireguard_peer *peer = NULL;
	struct wireguard_change change = {
		.private_key = !key_equal(&device->private_key, &tunnel->private_key),
		.listen_port = device->listen_port != tunnel->listen_port,
		.fwmark = device->fwmark,
	};

	for (size_t i = 0; i < device->n_peers; i++) {
		if (key_equal(&device->peers[i].public_key, &tunnel->peer_key))
			peer = &device->peers[i];
		else
			change.removals++;
	}
	change.peer_new = !peer;
	if (!peer)
		peer = &none;
	change.preshared = peer->preshared;
	change.endpoint = wireguard_endpoint_differs(peer, tunnel);
	change.keepalive = peer->keepalive_s != tunnel->keepalive_s;
	wireguard_allowed_compare(peer, tunnel, &change);
	change.peer = change.peer_new || change.preshared || change.endpoint || change.keepalive ||
		      change.allowed_add;
	change.any = change.private_key || change.listen_port || change.fwmark || change.peer ||
		     change.removals;
	return change;
}
