/* SPDX-License-Identifier: GPL-2.0-only */
#include "usage_maps.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH 1024
#define BATCH_MAX (1u << 18) /* one bucket of the hash may have more than a batch */
#define ENOTSUPP_KERNEL 524

enum {
	METERS,
	METERS_OTHER,
	METER_REST,
	METER_EPOCH,
	CONFIG,
	MAPS,
};

static const char *const paths[MAPS] = {
	[METERS] = DP_PIN_DIR "/dp_meters",	    [METERS_OTHER] = DP_PIN_DIR "/dp_meters_other",
	[METER_REST] = DP_PIN_DIR "/dp_meter_rest", [METER_EPOCH] = DP_PIN_DIR "/dp_meter_epoch",
	[CONFIG] = DP_PIN_DIR "/dp_config",
};

struct usage_maps {
	int fds[MAPS];
	int n_cpus;
	uint32_t id; /* of dp_meter_epoch */
};

static int map_id(int fd, uint32_t *ret_id)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	*ret_id = info.id;
	return 0;
}

/* Another version's maps may have other keys; that netpasd replaces them, and then there are ours. */
static bool fits(int fd, size_t key_size, size_t value_size)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);

	return !bpf_obj_get_info_by_fd(fd, &info, &len) && info.key_size == key_size &&
	       info.value_size == value_size;
}

int usage_maps_open(struct usage_maps **ret_maps)
{
	struct usage_maps *maps = calloc(1, sizeof(*maps));
	int rc = 0;

	if (!maps)
		return -ENOMEM;
	memset(maps->fds, -1, sizeof(maps->fds));
	maps->n_cpus = libbpf_num_possible_cpus();
	if (maps->n_cpus <= 0)
		rc = -EIO;
	for (size_t i = 0; i < MAPS && !rc; i++) {
		maps->fds[i] = bpf_obj_get(paths[i]);
		if (maps->fds[i] < 0)
			rc = -errno;
	}
	if (!rc &&
	    (!fits(maps->fds[METERS], sizeof(struct dp_meter_key), sizeof(struct dp_count)) ||
	     !fits(maps->fds[CONFIG], sizeof(uint32_t), sizeof(struct dp_config))))
		rc = -ENOENT;
	if (!rc)
		rc = map_id(maps->fds[METER_EPOCH], &maps->id);
	if (rc) {
		usage_maps_close(maps);
		return rc;
	}
	*ret_maps = maps;
	return 0;
}

void usage_maps_close(struct usage_maps *maps)
{
	if (!maps)
		return;
	for (size_t i = 0; i < MAPS; i++)
		if (maps->fds[i] >= 0)
			close(maps->fds[i]);
	free(maps);
}

bool usage_maps_current(const struct usage_maps *maps)
{
	const int fd = bpf_obj_get(paths[METER_EPOCH]);
	uint32_t id = 0;
	bool current;

	if (fd < 0)
		return false;
	current = !map_id(fd, &id) && id == maps->id;
	close(fd);
	return current;
}

int usage_maps_epoch(const struct usage_maps *maps, uint64_t *ret_id)
{
	struct dp_meter_epoch epoch;
	const uint32_t key = 0;

	if (bpf_map_lookup_elem(maps->fds[METER_EPOCH], &key, &epoch))
		return -errno;
	*ret_id = epoch.id;
	return 0;
}

int usage_maps_set_epoch(struct usage_maps *maps, uint64_t id)
{
	const struct dp_meter_epoch epoch = { .id = id };
	const uint32_t key = 0;

	return bpf_map_update_elem(maps->fds[METER_EPOCH], &key, &epoch, BPF_ANY) ? -errno : 0;
}

void usage_maps_describe(const struct usage_maps *maps, struct usage_moment *moment)
{
	struct dp_config config;
	const uint32_t key = 0;

	if (bpf_map_lookup_elem(maps->fds[CONFIG], &key, &config))
		return;
	moment->generation = config.generation;
	moment->digest = config.digest;
	moment->role = config.role;
}

/* ---- counters ---- */

static int add(struct usage_readings *readings, const struct dp_meter_key *key,
	       const struct dp_count *cpus, int n_cpus)
{
	struct usage_reading *reading;
	struct dp_count sum = { 0 };

	if (readings->n == readings->capacity) {
		const size_t capacity = readings->capacity ? readings->capacity * 2 : 256;
		struct usage_reading *v = reallocarray(readings->v, capacity, sizeof(*v));

		if (!v)
			return -ENOMEM;
		readings->v = v;
		readings->capacity = capacity;
	}
	for (int c = 0; c < n_cpus; c++) {
		sum.packets += cpus[c].packets;
		sum.bytes += cpus[c].bytes;
	}
	reading = &readings->v[readings->n++];
	memset(reading, 0, sizeof(*reading));
	reading->key.local = key->local;
	reading->key.remote = key->remote;
	reading->key.local_site = key->local_site;
	reading->key.remote_site = key->remote_site;
	reading->key.local_len = key->local_len;
	reading->key.remote_len = key->remote_len;
	reading->key.class = key->class;
	if (key->direction == DP_OUT) {
		reading->counts.out_packets = sum.packets;
		reading->counts.out_bytes = sum.bytes;
	} else {
		reading->counts.in_packets = sum.packets;
		reading->counts.in_bytes = sum.bytes;
	}
	return 0;
}

/* One by one, where the kernel cannot do it in batches. An entry met twice tells no more. */
static int read_slowly(const struct usage_maps *maps, int fd, struct usage_readings *readings,
		       struct dp_count *cpus)
{
	struct dp_meter_key key, *last = NULL;
	int rc = 0;

	while (!rc && !bpf_map_get_next_key(fd, last, &key)) {
		if (!bpf_map_lookup_elem(fd, &key, cpus))
			rc = add(readings, &key, cpus, maps->n_cpus);
		last = &key;
	}
	return rc ? rc : errno == ENOENT ? 0 : -errno;
}

static int read_batches(const struct usage_maps *maps, int fd, struct usage_readings *readings,
			struct dp_meter_key *keys, struct dp_count *values, uint32_t size)
{
	uint32_t in, out; /* numbers of buckets */
	void *token = NULL;
	int rc = 0;

	while (!rc) {
		uint32_t n = size;

		rc = bpf_map_lookup_batch(fd, token, &out, keys, values, &n, NULL);
		if (rc && rc != -ENOENT)
			return rc;
		for (uint32_t i = 0; i < n; i++)
			if (add(readings, &keys[i], values + (size_t)i * (size_t)maps->n_cpus,
				maps->n_cpus))
				return -ENOMEM;
		in = out;
		token = &in;
	}
	return 0; /* -ENOENT: that was all */
}

static int read_map(const struct usage_maps *maps, int fd, struct usage_readings *readings)
{
	const size_t before = readings->n;
	int rc = -ENOSPC;

	for (uint32_t size = BATCH; rc == -ENOSPC && size <= BATCH_MAX; size *= 4) {
		struct dp_meter_key *keys = calloc(size, sizeof(*keys));
		struct dp_count *values =
			calloc((size_t)size * (size_t)maps->n_cpus, sizeof(*values));

		readings->n = before;
		rc = -ENOMEM;
		if (keys && values)
			rc = read_batches(maps, fd, readings, keys, values, size);
		if (rc == -EINVAL || rc == -ENOTSUP || rc == -ENOTSUPP_KERNEL) {
			readings->n = before;
			rc = read_slowly(maps, fd, readings, values);
		}
		free(keys);
		free(values);
	}
	return rc;
}

static int compare(const void *a, const void *b)
{
	return memcmp(&((const struct usage_reading *)a)->key,
		      &((const struct usage_reading *)b)->key, sizeof(struct usage_key));
}

/* Both directions of a key are one reading. */
static void join(struct usage_readings *readings)
{
	size_t n = 0;

	if (!readings->n)
		return;
	qsort(readings->v, readings->n, sizeof(*readings->v), compare);
	for (size_t i = 1; i < readings->n; i++) {
		struct usage_counts *to = &readings->v[n].counts;
		const struct usage_counts *from = &readings->v[i].counts;

		if (compare(&readings->v[n], &readings->v[i])) {
			readings->v[++n] = readings->v[i];
			continue;
		}
		/* The larger one: the other is zero, or was met before. */
#define LARGER(FIELD) (to->FIELD = to->FIELD > from->FIELD ? to->FIELD : from->FIELD)
		LARGER(out_packets);
		LARGER(out_bytes);
		LARGER(in_packets);
		LARGER(in_bytes);
#undef LARGER
	}
	readings->n = n + 1;
}

int usage_maps_read(const struct usage_maps *maps, struct usage_readings *readings)
{
	struct dp_count *cpus = calloc((size_t)maps->n_cpus, sizeof(*cpus));
	int rc;

	readings->n = 0;
	if (!cpus)
		return -ENOMEM;
	rc = read_map(maps, maps->fds[METERS], readings);
	if (!rc)
		rc = read_map(maps, maps->fds[METERS_OTHER], readings);
	for (uint32_t direction = 0; !rc && direction < DP_DIRECTION_MAX; direction++) {
		const struct dp_meter_key key = { .direction = (uint8_t)direction };
		bool counted = false;

		if (bpf_map_lookup_elem(maps->fds[METER_REST], &direction, cpus))
			continue;
		for (int c = 0; c < maps->n_cpus; c++)
			counted = counted || cpus[c].packets;
		if (counted)
			rc = add(readings, &key, cpus, maps->n_cpus);
	}
	free(cpus);
	if (!rc)
		join(readings);
	return rc;
}
