/* SPDX-License-Identifier: GPL-2.0-only */
#include "mtu.h"

#include <string.h>

#include "link.h"
#include "log.h"
#include "route.h"
#include "steering.h"
#include "wanted.h"

static uint16_t mtu_of(const struct daemon *d, const struct config *config, size_t site,
		       uint16_t peer_id)
{
	const uint16_t configured = config_policy_with(config, site).mtu;
	const uint16_t measured = steering_mtu(d->steering, peer_id);

	return measured && measured < configured ? measured : configured;
}

/* The gateways that there are tunnels to: number i of them, or NULL. */
static const struct config_gateway *peer_at(const struct config *config, size_t i, size_t *ret_site)
{
	for (size_t s = 0; s < config->mesh.n_sites && !config->is_relay; s++) {
		const struct config_site *site = &config->mesh.sites[s];

		if (s == config->self_site || !config_policy_with(config, s).connect)
			continue;
		if (i < site->n_gateways) {
			*ret_site = s;
			return &site->gateways[i];
		}
		i -= site->n_gateways;
	}
	return NULL;
}

void mtu_limit(const struct daemon *d, const struct config *config, struct state *wanted)
{
	const struct config_gateway *peer;
	size_t site;

	for (size_t i = 0; (peer = peer_at(config, i, &site)); i++)
		wanted_limit_mtu(wanted, peer->id, mtu_of(d, config, site, peer->id));
}

void mtu_adopt(struct kernel *kernel, const struct config *config, struct state *wanted)
{
	struct state *running = state_new();

	if (config->node.dataplane == CONFIG_DATAPLANE_OFF || !running ||
	    route_read(kernel->route, running)) {
		state_free(running);
		return;
	}
	for (size_t i = 0; i < wanted->n_tunnels; i++) {
		const struct state_tunnel *tunnel = &wanted->tunnels[i];
		struct link_info info;

		if (!link_get(kernel->route, tunnel->ifname, &info) && info.mtu >= CONFIG_MTU_MIN &&
		    info.mtu < tunnel->mtu)
			wanted_limit_mtu(wanted, tunnel->peer_id, (uint16_t)info.mtu);
	}
	for (size_t i = 0; i < running->n_routes; i++) {
		const struct state_route *route = &running->routes[i];

		if (route->mtu && route->mtu < CONFIG_MTU_MIN && wanted_ifname_id(route->ifname))
			wanted_limit_mtu(wanted, wanted_ifname_id(route->ifname), route->mtu);
	}
	state_free(running);
}

uint16_t mtu_in_force(const struct daemon *d, uint16_t peer_id)
{
	uint16_t mtu = 0;

	for (size_t i = 0; i < d->applied->n_tunnels; i++)
		if (d->applied->tunnels[i].peer_id == peer_id)
			mtu = d->applied->tunnels[i].mtu;
	for (size_t i = 0; i < d->applied->n_routes; i++)
		if (d->applied->routes[i].mtu &&
		    wanted_ifname_id(d->applied->routes[i].ifname) == peer_id)
			mtu = d->applied->routes[i].mtu;
	return mtu;
}

static int apply(struct daemon *d, uint16_t peer_id, uint16_t before, uint16_t mtu)
{
	int rc = 0;

	for (size_t i = 0; i < d->applied->n_tunnels && !rc; i++)
		if (d->applied->tunnels[i].peer_id == peer_id)
			rc = link_set_mtu(d->kernel.route, d->applied->tunnels[i].ifname,
					  d->applied->tunnels[i].mtu);
	if (before >= CONFIG_MTU_MIN && mtu >= CONFIG_MTU_MIN)
		return rc; /* the routes say nothing */
	for (size_t i = 0; i < d->applied->n_routes && !rc; i++)
		if (wanted_ifname_id(d->applied->routes[i].ifname) == peer_id)
			rc = route_replace(d->kernel.route, &d->applied->routes[i]);
	return rc;
}

void mtu_settle(struct daemon *d)
{
	const struct config_gateway *peer;
	size_t site;

	for (size_t i = 0; (peer = peer_at(d->config, i, &site)); i++) {
		const uint16_t before = mtu_in_force(d, peer->id);
		const uint16_t mtu = mtu_of(d, d->config, site, peer->id);

		if (!before || before == mtu)
			continue;
		wanted_limit_mtu(d->applied, peer->id, mtu);
		if (apply(d, peer->id, before, mtu))
			daemon_repair_soon(d, "a tunnel's MTU could not be set");
	}
}
