/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The maps (dataplane.h says what is in them and who writes), and counting into them.
 *
 * Those that grow with nodes times paths are not allocated beforehand: most nodes of a mesh know
 * few paths. An update of such a map can fail for want of memory; then a count or a reflection
 * is lost, never a packet of data.
 */
#ifndef NETPAS_BPF_MAPS_H
#define NETPAS_BPF_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "dataplane.h"

#define MAP_HASH(NAME, KEY, VALUE, MAX)               \
	struct {                                      \
		__uint(type, BPF_MAP_TYPE_HASH);      \
		__uint(max_entries, MAX);             \
		__uint(map_flags, BPF_F_NO_PREALLOC); \
		__uint(pinning, LIBBPF_PIN_BY_NAME);  \
		__type(key, KEY);                     \
		__type(value, VALUE);                 \
	} NAME SEC(".maps")

#define MAP_PERCPU(NAME, KEY, MAX)                      \
	struct {                                        \
		__uint(type, BPF_MAP_TYPE_PERCPU_HASH); \
		__uint(max_entries, MAX);               \
		__uint(map_flags, BPF_F_NO_PREALLOC);   \
		__uint(pinning, LIBBPF_PIN_BY_NAME);    \
		__type(key, KEY);                       \
		__type(value, struct dp_count);         \
	} NAME SEC(".maps")

#define MAP_PREFIXES(NAME, KEY)                       \
	struct {                                      \
		__uint(type, BPF_MAP_TYPE_LPM_TRIE);  \
		__uint(max_entries, DP_ROUTES_MAX);   \
		__uint(map_flags, BPF_F_NO_PREALLOC); \
		__uint(pinning, LIBBPF_PIN_BY_NAME);  \
		__type(key, KEY);                     \
		__type(value, struct dp_route);       \
	} NAME SEC(".maps")

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct dp_config);
} dp_config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct dp_faults);
} dp_faults SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DP_COUNT_MAX);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct dp_count);
} dp_counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DP_HOPS_MAX);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct dp_hop);
} dp_hops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DP_FLOWS_MAX);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct dp_flow);
} dp_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DP_DIRECTION_MAX);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct dp_count);
} dp_meter_rest SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct dp_meter_epoch);
} dp_meter_epoch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20); /* bytes; 20,000 samples */
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} dp_samples SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct dp_capture);
} dp_capture SEC(".maps");

struct capture_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* that of a capture is larger */
};

/* Empty unless there is a capture: who captures brings the memory. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__array(values, struct capture_ring);
} dp_capture_rings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DP_PLACE_MAX);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct dp_capture_scratch);
} dp_capture_scratch SEC(".maps");

MAP_HASH(dp_nodes, __u16, struct dp_node, DP_NODES_MAX);
MAP_HASH(dp_paths, struct dp_path_key, struct dp_path, DP_NODES_MAX *DP_PATHS_MAX);
MAP_HASH(dp_path_states, struct dp_path_key, struct dp_path_state, DP_NODES_MAX *DP_PATHS_MAX);
MAP_HASH(dp_reflections, struct dp_path_key, struct dp_reflection, DP_NODES_MAX *DP_PATHS_MAX);
MAP_HASH(dp_arrivals, struct dp_arrival_key, struct dp_arrival, DP_NODES_MAX *DP_PATHS_MAX * 2);
MAP_HASH(dp_locals, struct dp_addr, struct dp_local, 256);
MAP_HASH(dp_sources, struct dp_addr, struct dp_source, DP_NODES_MAX * 8);
MAP_HASH(dp_heard, __u16, struct dp_heard, DP_NODES_MAX);
MAP_HASH(dp_buckets, struct dp_bucket_key, struct dp_bucket, DP_NODES_MAX * 2);
MAP_HASH(dp_own, struct dp_addr, __u32, 4096);
MAP_HASH(dp_sites, __u16, struct dp_site, DP_NODES_MAX);
MAP_HASH(dp_tunnels, __u32, struct dp_tunnel, DP_NODES_MAX *DP_LANES_MAX);
MAP_PERCPU(dp_traffic, struct dp_traffic_key, DP_NODES_MAX *(DP_PATHS_MAX + 1) * DP_DIRECTION_MAX);
MAP_PERCPU(dp_relayed, struct dp_relayed_key, 1 << 18);
MAP_PERCPU(dp_meters, struct dp_meter_key, DP_METERS_MAX);
MAP_PERCPU(dp_meters_other, struct dp_meter_key, DP_METERS_OTHER_MAX);
MAP_PREFIXES(dp_routes4, struct dp_route4_key);
MAP_PREFIXES(dp_routes6, struct dp_route6_key);

static __always_inline void map_count(__u32 id, __u32 packets, __u32 bytes)
{
	struct dp_count *count = bpf_map_lookup_elem(&dp_counts, &id);

	if (!count)
		return;
	count->packets += packets;
	count->bytes += bytes;
}

/* The value of key, made of none if it is missing; NULL: no memory, or the map is full. */
static __always_inline void *map_get(void *map, const void *key, const void *none)
{
	void *value = bpf_map_lookup_elem(map, key);

	if (value)
		return value;
	/* It fails where another CPU was faster, which is as good. */
	(void)bpf_map_update_elem(map, key, none, BPF_NOEXIST);
	return bpf_map_lookup_elem(map, key);
}

static __always_inline void map_count_at(void *map, const void *key, __u32 packets, __u32 bytes)
{
	struct dp_count none = { 0 };
	struct dp_count *count = map_get(map, key, &none);

	if (!count)
		return;
	count->packets += packets;
	count->bytes += bytes;
}

static __always_inline void map_count_traffic(__u16 node, __u8 path, enum dp_direction direction,
					      __u32 packets, __u32 bytes)
{
	struct dp_traffic_key key = { .node = node, .path = path, .direction = direction };

	map_count_at(&dp_traffic, &key, packets, bytes);
}

static __always_inline const struct dp_config *map_config(void)
{
	__u32 zero = 0;
	const struct dp_config *config = bpf_map_lookup_elem(&dp_config, &zero);

	return config && config->version == DP_VERSION ? config : NULL;
}

#endif
