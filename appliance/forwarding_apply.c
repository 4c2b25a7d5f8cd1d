/* SPDX-License-Identifier: GPL-2.0-only */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "forwarding_tables.h"
#include "programs.h"

#define BATCH 4096 /* entries read or written at a time */
#define BATCH_MAX (1u << 20)
#define SEQUENCE_STEP (1u << 20) /* more than probes under way */
#define ENOTSUPP_KERNEL 524	 /* which the C library does not know */

/* ---- maps as rows ---- */

/* One by one: for kernels that cannot read this kind of map in batches. */
static int read_slowly(int fd, struct rows *rows, void *keys, void *values)
{
	uint8_t *key = keys, *next = key + rows->key_size;
	void *last = NULL;

	while (!bpf_map_get_next_key(fd, last, next)) {
		/* Gone meanwhile: cannot be, nobody else deletes; the values matter to nobody. */
		if (!bpf_map_lookup_elem(fd, next, values) && rows_add(rows, next, values))
			return -ENOMEM;
		memcpy(key, next, rows->key_size);
		last = key;
	}
	return errno == ENOENT ? 0 : -errno;
}

static int read_batches(int fd, struct rows *rows, uint8_t *keys, uint8_t *values, uint32_t size)
{
	uint64_t token[8] = { 0 }, next[8] = { 0 }; /* a bucket's number or a key */
	void *in = NULL;
	int rc = 0;

	while (!rc) {
		uint32_t n = size;

		rc = bpf_map_lookup_batch(fd, in, next, keys, values, &n, NULL);
		if (rc && rc != -ENOENT)
			return rc;
		for (uint32_t i = 0; i < n; i++)
			if (rows_add(rows, keys + (size_t)i * rows->key_size,
				     values + (size_t)i * rows->value_size))
				return -ENOMEM;
		memcpy(token, next, sizeof(token));
		in = token;
	}
	return 0; /* -ENOENT: that was all */
}

/* All of a map, sorted. */
static int read_map(int fd, struct rows *rows)
{
	int rc = -ENOSPC;

	/* -ENOSPC: one bucket of the hash has more entries than there is room for. */
	for (uint32_t size = BATCH; rc == -ENOSPC && size <= BATCH_MAX; size *= 4) {
		uint8_t *keys = calloc(size, rows->key_size);
		uint8_t *values = calloc(size, rows->value_size);

		rows_fini(rows);
		rc = -ENOMEM;
		if (keys && values)
			rc = read_batches(fd, rows, keys, values, size);
		if (keys && values && (rc == -EINVAL || rc == -ENOTSUP || rc == -ENOTSUPP_KERNEL)) {
			rows_fini(rows);
			rc = read_slowly(fd, rows, keys, values);
		}
		if (values)
			explicit_bzero(values, (size_t)size * rows->value_size);
		free(keys);
		free(values);
	}
	return rc ? rc : rows_sort(rows);
}

static int delete_rows(int fd, const struct rows *gone, size_t *changes)
{
	int rc = 0;

	for (size_t i = 0; i < gone->n; i++) {
		if (!bpf_map_delete_elem(fd, rows_key(gone, i)))
			++*changes;
		else if (errno != ENOENT && !rc)
			rc = -errno;
	}
	return rc;
}

static int put_one(int fd, const struct rows *rows, size_t i, size_t *changes)
{
	if (bpf_map_update_elem(fd, rows_key(rows, i), rows_value(rows, i), BPF_ANY))
		return -errno;
	++*changes;
	return 0;
}

static int put_slowly(int fd, const struct rows *rows, size_t begin, size_t *changes)
{
	int rc = 0;

	for (size_t i = begin; i < rows->n && !rc; i++)
		rc = put_one(fd, rows, i, changes);
	return rc;
}

/* Many prefixes: a system call for each batch, and not for each of them. */
static int put_rows(int fd, const struct rows *rows, size_t *changes)
{
	uint8_t *keys, *values;
	size_t done = 0;
	int rc = 0;

	if (rows->n < 64)
		return put_slowly(fd, rows, 0, changes);
	keys = calloc(BATCH, rows->key_size);
	values = calloc(BATCH, rows->value_size);
	if (!keys || !values)
		rc = -ENOMEM;
	while (!rc && done < rows->n) {
		uint32_t n = rows->n - done < BATCH ? (uint32_t)(rows->n - done) : BATCH;

		for (uint32_t i = 0; i < n; i++) {
			memcpy(keys + (size_t)i * rows->key_size, rows_key(rows, done + i),
			       rows->key_size);
			memcpy(values + (size_t)i * rows->value_size, rows_value(rows, done + i),
			       rows->value_size);
		}
		rc = bpf_map_update_batch(fd, keys, values, &n, NULL);
		if (rc)
			break;
		done += n;
		*changes += n;
	}
	if (values)
		explicit_bzero(values, (size_t)BATCH * rows->value_size);
	free(keys);
	free(values);
	/* What a batch has done before it failed is not told reliably; doing it again harms not. */
	return rc ? put_slowly(fd, rows, done, changes) : 0;
}

/* ---- applying ---- */

struct apply {
	struct forwarding *forwarding;
	const struct programs *programs;
	int fds[FORWARDING_TABLE_MAX];
	struct rows put[FORWARDING_TABLE_MAX], gone[FORWARDING_TABLE_MAX];
	size_t changes;
	int rc; /* first error */
};

static void note(struct apply *apply, int rc)
{
	if (rc && !apply->rc)
		apply->rc = rc;
}

static int compute(struct apply *apply, enum forwarding_table_id id)
{
	struct forwarding_table *table = &apply->forwarding->tables[id];
	int rc;

	if (!table->known) {
		rc = read_map(apply->fds[id], &table->held);
		if (rc)
			return rc;
		table->known = true;
		table->changed = true;
	}
	if (!table->changed)
		return 0;
	return rows_diff(&table->held, &table->rows, &apply->put[id], &apply->gone[id]);
}

/* The same addresses and the same relay: what was seen of it still holds. */
static bool same_way(const struct dp_path *a, const struct dp_path *b)
{
	return !memcmp(&a->local, &b->local, sizeof(a->local)) &&
	       !memcmp(&a->remote, &b->remote, sizeof(a->remote)) && a->relay == b->relay;
}

/*
 * What a state begins with. Sequences only grow, or the other end takes probes for replays: if the
 * clock was set back, or this is the second change within a second, then the old one says more.
 */
static struct dp_path_state new_state(const struct apply *apply, const void *key)
{
	struct dp_path_state state = { .sequence = (uint64_t)time(NULL) << 32 }, old;

	if (!bpf_map_lookup_elem(apply->fds[FORWARDING_STATES], key, &old) &&
	    old.sequence >= state.sequence)
		state.sequence = old.sequence + SEQUENCE_STEP;
	return state;
}

/*
 * States that must begin anew: there is none yet, or it is of other addresses. All the others are
 * the programs' own, and stay.
 */
static int compute_states(struct apply *apply)
{
	const struct forwarding_table *paths = &apply->forwarding->tables[FORWARDING_PATHS];
	const struct forwarding_table *states = &apply->forwarding->tables[FORWARDING_STATES];
	struct rows *put = &apply->put[FORWARDING_STATES];
	int rc = 0;

	rows_fini(put); /* rows_diff() would exchange whatever has counted something */
	for (size_t i = 0; i < states->rows.n && states->changed && !rc; i++) {
		const void *key = rows_key(&states->rows, i);
		const void *before = rows_find(&paths->held, key);
		struct dp_path_state state;
		struct dp_path path, old;

		/* Both tables have the same keys. */
		memcpy(&path, rows_value(&paths->rows, i), sizeof(path));
		if (before)
			memcpy(&old, before, sizeof(old));
		if (before && same_way(&path, &old) && rows_find(&states->held, key))
			continue;
		state = new_state(apply, key);
		rc = rows_add(put, key, &state);
	}
	return rc;
}

/* What was seen of a node that is gone, or is another one now: its claims would outlive it. */
static void forget_node(struct apply *apply, uint16_t id)
{
	const struct {
		const char *map;
		uint16_t count;
	} seen[] = { { "dp_reflections", DP_PATHS_MAX }, { "dp_buckets", 2 } };
	int fd = programs_map(apply->programs, "dp_heard");

	/* Nothing to delete is as well as deleted, in all of these. */
	if (fd >= 0)
		(void)bpf_map_delete_elem(fd, &id);
	for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++) {
		fd = programs_map(apply->programs, seen[i].map);
		for (uint16_t p = 0; fd >= 0 && p < seen[i].count; p++) {
			const struct dp_path_key key = { .node = id, .path = p };

			(void)bpf_map_delete_elem(fd, &key);
		}
	}
}

static void forget_nodes(struct apply *apply)
{
	const struct rows *held = &apply->forwarding->tables[FORWARDING_NODES].held;
	const struct rows *put = &apply->put[FORWARDING_NODES];
	const struct rows *gone = &apply->gone[FORWARDING_NODES];
	uint16_t id;

	for (size_t i = 0; i < gone->n; i++) {
		memcpy(&id, rows_key(gone, i), sizeof(id));
		forget_node(apply, id);
	}
	for (size_t i = 0; i < put->n; i++) {
		const void *before = rows_find(held, rows_key(put, i));
		struct dp_node node, old;

		if (!before)
			continue;
		memcpy(&old, before, sizeof(old));
		memcpy(&node, rows_value(put, i), sizeof(node));
		if (memcmp(node.key, old.key, sizeof(node.key))) {
			memcpy(&id, rows_key(put, i), sizeof(id));
			forget_node(apply, id);
		}
		explicit_bzero(&old, sizeof(old));
		explicit_bzero(&node, sizeof(node));
	}
}

static void put_table(struct apply *apply, enum forwarding_table_id id)
{
	int rc = put_rows(apply->fds[id], &apply->put[id], &apply->changes);

	/* Full: room must be made first. */
	if (rc == -E2BIG || rc == -ENOSPC) {
		note(apply, delete_rows(apply->fds[id], &apply->gone[id], &apply->changes));
		rc = put_rows(apply->fds[id], &apply->put[id], &apply->changes);
	}
	note(apply, rc);
}

/* The map is as wanted. */
static void settle(struct forwarding_table *table)
{
	rows_fini(&table->held);
	table->known = true;
	table->changed = false;
}

int forwarding_apply(struct forwarding *forwarding, const struct programs *programs,
		     size_t *ret_changes)
{
	struct apply apply = { .forwarding = forwarding, .programs = programs };
	enum forwarding_table_id id;

	for (id = 0; id < FORWARDING_TABLE_MAX; id++) {
		apply.put[id] = apply.gone[id] = (struct rows){
			.key_size = forwarding_table_kinds[id].key_size,
			.value_size = forwarding_table_kinds[id].value_size,
		};
		apply.fds[id] = programs_map(programs, forwarding_table_kinds[id].map);
		if (apply.fds[id] < 0)
			return apply.fds[id];
	}
	for (id = 0; id < FORWARDING_TABLE_MAX; id++)
		note(&apply, compute(&apply, id));
	if (!apply.rc)
		note(&apply, compute_states(&apply));
	if (apply.rc)
		goto out;
	for (id = 0; id < FORWARDING_TABLE_MAX; id++)
		put_table(&apply, id);
	/* The array of one has nothing to delete; if additions failed, what goes may be needed. */
	for (id = FORWARDING_CONFIG; !apply.rc && id-- > 0;)
		note(&apply, delete_rows(apply.fds[id], &apply.gone[id], &apply.changes));
	if (!apply.rc)
		forget_nodes(&apply);
out:
	for (id = 0; id < FORWARDING_TABLE_MAX; id++) {
		rows_fini(&apply.put[id]);
		rows_fini(&apply.gone[id]);
		if (!apply.rc)
			settle(&forwarding->tables[id]);
	}
	if (apply.rc)
		forwarding_forget(forwarding, SIZE_MAX);
	if (ret_changes)
		*ret_changes = apply.changes;
	return apply.rc;
}

void forwarding_forget(struct forwarding *forwarding, size_t max_entries)
{
	for (size_t i = 0; i < FORWARDING_TABLE_MAX; i++)
		if (forwarding->tables[i].rows.n <= max_entries)
			forwarding->tables[i].known = false;
}

size_t forwarding_adopt_order(const struct programs *programs, uint16_t node,
			      uint8_t ret_order[static DP_ORDER_MAX])
{
	const int fd = programs_map(programs, "dp_nodes");
	struct dp_node value;
	size_t n = 0;

	if (fd < 0 || bpf_map_lookup_elem(fd, &node, &value))
		return 0;
	for (; n < value.n_order && n < DP_ORDER_MAX; n++)
		ret_order[n] = value.order[n];
	explicit_bzero(&value, sizeof(value));
	return n;
}

uint32_t forwarding_adopt_interval(const struct programs *programs, uint16_t node, uint8_t number)
{
	const struct dp_path_key key = { .node = node, .path = number };
	const int fd = programs_map(programs, "dp_paths");
	struct dp_path path;

	if (fd < 0 || bpf_map_lookup_elem(fd, &key, &path))
		return 0;
	return forwarding_interval_us(path.dead_ns);
}

unsigned int forwarding_adopt_tunnel(const struct programs *programs, uint16_t node, uint8_t lane)
{
	const int fd = programs_map(programs, "dp_nodes");
	struct dp_node value;
	unsigned int ifindex;

	if (fd < 0 || lane >= DP_LANES_MAX || bpf_map_lookup_elem(fd, &node, &value))
		return 0;
	ifindex = value.tunnel_ifindex[lane];
	explicit_bzero(&value, sizeof(value));
	return ifindex;
}
