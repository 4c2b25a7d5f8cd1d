/* SPDX-License-Identifier: GPL-2.0-only */
#include "choices.h"

#include <stdlib.h>

#include "route.h"
#include "wanted.h"

struct daemon_choice *choices_carry(const struct daemon *d, const struct config *config)
{
	struct daemon_choice *choices = calloc(config->mesh.n_sites, sizeof(*choices));

	for (size_t i = 0; choices && i < config->mesh.n_sites; i++) {
		const struct config_site *site = &config->mesh.sites[i];

		choices[i].reason = FOLLOW_FIRST;
		for (size_t o = 0; d->config && o < d->config->mesh.n_sites; o++) {
			const struct config_site *old = &d->config->mesh.sites[o];
			const uint16_t id = old->gateways[d->choices[o].gateway].id;

			for (size_t g = 0; g < site->n_gateways; g++)
				if (site->gateways[g].id == id)
					choices[i] = (struct daemon_choice){
						.gateway = g,
						.reason = d->choices[o].reason,
					};
		}
	}
	return choices;
}

void choices_adopt(struct kernel *kernel, const struct config *config,
		   struct daemon_choice *choices)
{
	struct state *state = state_new();

	if (!state || route_read(kernel->route, state)) {
		state_free(state);
		return;
	}
	for (size_t i = 0; i < config->mesh.n_sites; i++) {
		const struct config_site *site = &config->mesh.sites[i];
		const uint32_t table = STATE_TABLE_BASE + config_site_number(site);

		for (size_t r = 0; r < state->n_routes; r++) {
			const struct state_route *route = &state->routes[r];

			if (route->table != table || route->metric != STATE_METRIC_ACTIVE)
				continue;
			for (size_t g = 0; g < site->n_gateways; g++)
				if (site->gateways[g].id == wanted_ifname_id(route->ifname))
					choices[i] = (struct daemon_choice){
						.gateway = g,
						.reason = FOLLOW_LAST,
					};
		}
	}
	state_free(state);
}
