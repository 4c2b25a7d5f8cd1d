/* SPDX-License-Identifier: GPL-2.0-only */
#include "identity.h"

#include "daemon.h"
#include "event.h"
#include "state.h"

void identity_log(const struct daemon *d)
{
	if (d->config->is_relay)
		event_info(EVENT_CONFIG, "relay %s (id %u), mesh.yaml %016llx",
			   d->config->node.name, config_self_id(d->config),
			   (unsigned long long)d->config->digest);
	else
		event_info(
			EVENT_CONFIG,
			"gateway %s (id %u) of site %s: engine %s, %zu tunnel%s, mesh.yaml %016llx",
			d->config->node.name, config_self_id(d->config),
			config_self_site(d->config)->name,
			d->engine == STATE_ENGINE_KERNEL ? "kernel" : "user", d->applied->n_tunnels,
			d->applied->n_tunnels == 1 ? "" : "s",
			(unsigned long long)d->config->digest);
}
