/* SPDX-License-Identifier: GPL-2.0-only */
/* Counting what customers' packets went; dataplane.h says where to. */
#ifndef NETPAS_BPF_METER_H
#define NETPAS_BPF_METER_H

#include "dataplane.h"
#include "maps.h"

static __always_inline __u8 meter_class(const struct dp_config *config, __u32 lane)
{
	return config->lane_class[lane & (DP_LANES_MAX - 1)];
}

static __always_inline void meter_key(struct dp_meter_key *ret, const struct dp_route *local,
				      const struct dp_route *remote, __u8 direction, __u8 class)
{
	ret->local = local->prefix;
	ret->remote = remote->prefix;
	ret->local_site = local->site;
	ret->remote_site = remote->site;
	ret->local_len = local->prefix_len;
	ret->remote_len = remote->prefix_len;
	ret->direction = direction;
	ret->class = class;
}

/* No room for the pair: under its sites; not even that: under the direction alone. */
static __noinline void meter_add_other(const struct dp_meter_key *of, __u32 packets, __u32 bytes)
{
	const struct dp_count none = { 0 };
	struct dp_meter_key key = { 0 };
	struct dp_count *count;
	__u32 direction;

	if (!of)
		return;
	key.local_site = of->local_site;
	key.remote_site = of->remote_site;
	key.direction = of->direction;
	key.class = of->class;
	direction = key.direction;
	count = map_get(&dp_meters_other, &key, &none);
	if (!count)
		count = bpf_map_lookup_elem(&dp_meter_rest, &direction);
	if (!count)
		return;
	count->packets += packets;
	count->bytes += bytes;
}

static __always_inline void meter_add(const struct dp_meter_key *key, __u32 packets, __u32 bytes)
{
	const struct dp_count none = { 0 };
	struct dp_count *count = NULL;

#ifdef METER_OFF /* only tests/bench, to tell what it costs */
	return;
#endif
	if (key->local_len | key->remote_len)
		count = map_get(&dp_meters, key, &none);
	if (!count) {
		meter_add_other(key, packets, bytes);
		return;
	}
	count->packets += packets;
	count->bytes += bytes;
}

#endif
