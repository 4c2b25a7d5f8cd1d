/* SPDX-License-Identifier: GPL-2.0-only */
#include "path.h"

#include <string.h>

/* Addresses beyond have no number; nobody has so many. */
#define WANS_MAX UINT8_MAX

/* One end, or a relay. */
struct node {
	uint16_t id;
	uint8_t kind;
	const struct config_wan *wans;
	size_t n_wans;
};

/* Where paths go to; those that have no room are counted only. */
struct list {
	struct path *paths;
	size_t n, max, all;
};

static bool node_find(const struct config_mesh *mesh, uint16_t id, struct node *ret_node)
{
	for (size_t s = 0; s < mesh->n_sites; s++) {
		for (size_t g = 0; g < mesh->sites[s].n_gateways; g++) {
			const struct config_gateway *gateway = &mesh->sites[s].gateways[g];

			if (gateway->id != id)
				continue;
			*ret_node = (struct node){ id, DP_KIND_GATEWAY, gateway->wans,
						   gateway->n_wans };
			return true;
		}
	}
	for (size_t r = 0; r < mesh->n_relays; r++) {
		const struct config_relay *relay = &mesh->relays[r];

		if (relay->id != id)
			continue;
		*ret_node = (struct node){ id, DP_KIND_RELAY, relay->wans, relay->n_wans };
		return true;
	}
	return false;
}

static size_t n_usable(const struct node *node)
{
	return node->n_wans < WANS_MAX ? node->n_wans : WANS_MAX;
}

static uint8_t family_at(const struct node *node, size_t wan)
{
	return node->wans[wan].public_addr.family;
}

/* How many addresses of the family, and the first of them. */
static size_t family_count(const struct node *node, uint8_t family, size_t *ret_first)
{
	size_t n = 0;

	for (size_t i = n_usable(node); i-- > 0;) {
		if (family_at(node, i) != family)
			continue;
		*ret_first = i;
		n++;
	}
	return n;
}

static void list_add(struct list *list, const struct node *self, size_t local,
		     const struct node *peer, size_t remote, const struct node *relay,
		     size_t relay_wan)
{
	size_t first;

	list->all++;
	if (list->n >= list->max)
		return;
	list->paths[list->n] = (struct path){
		.peer = peer->id,
		.relay = relay ? relay->id : 0,
		.number = (uint8_t)list->n,
		.kind = peer->kind,
		.local_wan = (uint8_t)local,
		.remote_wan = (uint8_t)remote,
		.remote_wans = (uint8_t)family_count(peer, family_at(peer, remote), &first),
		.local = self->wans[local].private_addr,
		.remote =
			relay ? relay->wans[relay_wan].public_addr : peer->wans[remote].public_addr,
	};
	list->n++;
}

static bool find_canonical(const struct node *self, const struct node *peer, size_t *ret_local,
			   size_t *ret_remote)
{
	for (size_t r = 0; r < n_usable(peer); r++) {
		if (!family_count(self, family_at(peer, r), ret_local))
			continue;
		*ret_remote = r;
		return true;
	}
	return false;
}

static void add_direct(struct list *list, const struct node *self, const struct node *peer,
		       size_t canonical_local, size_t canonical_remote)
{
	list_add(list, self, canonical_local, peer, canonical_remote, NULL, 0);
	for (size_t l = 0; l < n_usable(self); l++) {
		for (size_t r = 0; r < n_usable(peer); r++) {
			if (family_at(self, l) != family_at(peer, r) ||
			    (l == canonical_local && r == canonical_remote))
				continue;
			list_add(list, self, l, peer, r, NULL, 0);
		}
	}
}

/* The paths by one relay, of its own addresses number from to number to - 1 that can be used. */
static size_t add_relayed(struct list *list, const struct node *self, const struct node *peer,
			  const struct node *relay, size_t from, size_t to)
{
	size_t n = 0;

	for (size_t l = 0; l < n_usable(self); l++) {
		size_t remote, relay_wan;

		if (!family_count(peer, family_at(self, l), &remote) ||
		    !family_count(relay, family_at(self, l), &relay_wan))
			continue;
		if (n >= from && n < to)
			list_add(list, self, l, peer, remote, relay, relay_wan);
		n++;
	}
	return n;
}

/* The relay with the lowest id above this one. */
static bool next_relay(const struct config_mesh *mesh, uint16_t after, struct node *ret_relay)
{
	const struct config_relay *best = NULL;

	for (size_t r = 0; r < mesh->n_relays; r++) {
		const struct config_relay *relay = &mesh->relays[r];

		if (relay->id > after && (!best || relay->id < best->id))
			best = relay;
	}
	if (!best)
		return false;
	*ret_relay = (struct node){ best->id, DP_KIND_RELAY, best->wans, best->n_wans };
	return true;
}

/*
 * Relay by relay, so that a new one with a high id moves no number of another. If not all fit,
 * then rather more relays than more own addresses to each: rounds of one address.
 */
static void add_all_relayed(struct list *list, const struct config_mesh *mesh,
			    const struct node *self, const struct node *peer, size_t n_relayed)
{
	bool fits = list->n + n_relayed <= list->max;
	size_t step = fits ? SIZE_MAX : 1, from = 0;
	struct node relay;
	bool more;

	do {
		more = false;
		for (uint16_t id = 0; next_relay(mesh, id, &relay); id = relay.id)
			if (add_relayed(list, self, peer, &relay, from, from + step) > from + step)
				more = true;
		from += step;
	} while (!fits && more);
}

static void list_fill(struct list *list, const struct config *config, uint16_t peer_id)
{
	struct node self = { .id = config_self_id(config) }, peer, relay;
	struct list none = { 0 };
	size_t local, remote, n_relayed = 0;
	const size_t max = list->max;

	self.wans = config_self_wans(config, &self.n_wans);
	if (peer_id == self.id || !node_find(&config->mesh, peer_id, &peer) ||
	    !find_canonical(&self, &peer, &local, &remote))
		return;
	if (!config->is_relay && peer.kind == DP_KIND_GATEWAY)
		for (uint16_t id = 0; next_relay(&config->mesh, id, &relay); id = relay.id)
			n_relayed += add_relayed(&none, &self, &peer, &relay, 0, 0);
	list->max = max - (n_relayed < max / 2 ? n_relayed : max / 2);
	add_direct(list, &self, &peer, local, remote);
	list->max = max;
	if (n_relayed)
		add_all_relayed(list, &config->mesh, &self, &peer, n_relayed);
}

size_t path_list(const struct config *config, uint16_t peer,
		 struct path ret_paths[static DP_PATHS_MAX])
{
	struct list list = { .paths = ret_paths, .max = DP_PATHS_MAX };

	list_fill(&list, config, peer);
	return list.n;
}

size_t path_count(const struct config *config, uint16_t peer)
{
	struct path paths[DP_PATHS_MAX];
	struct list list = { .paths = paths, .max = DP_PATHS_MAX };

	list_fill(&list, config, peer);
	return list.all;
}

enum path_apart path_apart(const struct path *a, const struct path *b)
{
	if (a->local_wan == b->local_wan)
		return PATH_APART_NOT;
	if (a->relay && a->relay == b->relay)
		return PATH_APART_NOT;
	if (!a->relay && !b->relay)
		return a->remote_wan == b->remote_wan ? PATH_APART_NOT : PATH_APART;
	if (a->local.family != b->local.family)
		return PATH_APART;
	return a->remote_wans > 1 ? PATH_APART_HEALS : PATH_APART_NOT;
}

unsigned int path_common(const struct path *a, const struct path *b)
{
	return (a->local_wan == b->local_wan) + (a->relay == b->relay) +
	       (!a->relay && !b->relay && a->remote_wan == b->remote_wan);
}

uint8_t path_find(const struct path *paths, size_t n, const struct path *like)
{
	for (size_t i = 0; i < n; i++)
		if (paths[i].peer == like->peer && paths[i].relay == like->relay &&
		    !ip_addr_compare(&paths[i].local, &like->local) &&
		    !ip_addr_compare(&paths[i].remote, &like->remote))
			return paths[i].number;
	return DP_NO_PATH;
}
