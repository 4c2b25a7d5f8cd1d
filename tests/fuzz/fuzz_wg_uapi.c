/* SPDX-License-Identifier: GPL-2.0-only */
/* Whatever comes by an engine's configuration socket: a change within its bounds, or an error. */
#include <stdlib.h>

#include "engine/uapi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int good)
{
	if (!good)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct uapi_set set;
	size_t ips = 0;

	if (uapi_set_parse((const char *)data, size, &set))
		return 0;
	for (size_t i = 0; i < set.n_peers; i++) {
		const struct uapi_peer *peer = &set.peers[i];

		check(peer->first_ip == ips);
		ips += peer->n_ips;
		check(!peer->has_endpoint || peer->endpoint.sa.sa_family == AF_INET ||
		      peer->endpoint.sa.sa_family == AF_INET6);
	}
	check(ips == set.n_ips);
	for (size_t i = 0; i < ips; i++)
		check(set.ips[i].ip.cidr <= (set.ips[i].ip.family == ALLOWED_V4 ? 32 : 128));
	uapi_set_fini(&set);
	return 0;
}
