/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs have counted. A relay's flows count by themselves for a while (relay_flow.h):
 * the maps that they are added to are read first, so what moves meanwhile is missing once, and never
 * there twice.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "steering_nodes.h"

#define RELAYED_SHOWN 1000 /* pairs of nodes */

/* What one node sent to another by this relay. */
struct relayed {
	struct dp_relayed_key key;
	struct steering_count count;
};

struct relayed_list {
	struct relayed *v;
	size_t n, max;
};

static struct dp_count sum_of(const struct dp_count *cpus, int n_cpus)
{
	struct dp_count sum = { 0 };

	for (int c = 0; c < n_cpus; c++) {
		sum.packets += cpus[c].packets;
		sum.bytes += cpus[c].bytes;
	}
	return sum;
}

static int relayed_add(struct relayed_list *list, struct dp_relayed_key key,
		       const struct dp_count *count)
{
	if (list->n == list->max) {
		const size_t max = list->max ? 2 * list->max : 64;
		struct relayed *v = reallocarray(list->v, max, sizeof(*v));

		if (!v)
			return -ENOMEM;
		list->v = v;
		list->max = max;
	}
	list->v[list->n++] = (struct relayed){ key, { count->packets, count->bytes } };
	return 0;
}

static int read_relayed(int fd, struct dp_count *cpus, int n_cpus, struct relayed_list *list)
{
	struct dp_relayed_key key, *before = NULL;
	int rc = 0;

	while (!rc && !bpf_map_get_next_key(fd, before, &key)) {
		if (!bpf_map_lookup_elem(fd, &key, cpus)) {
			const struct dp_count sum = sum_of(cpus, n_cpus);

			rc = relayed_add(list, key, &sum);
		}
		before = &key;
	}
	return rc;
}

/* What flows hold, an entry for each; *list may be NULL. Returns the sum. */
static struct dp_count read_flows(const struct steering *s, struct relayed_list *list, int *ret_rc)
{
	const int n_cpus = libbpf_num_possible_cpus(), fd = programs_map(s->programs, "dp_flows");
	struct dp_flow *cpus = calloc((size_t)n_cpus, sizeof(*cpus));
	struct dp_count sum = { 0 };

	*ret_rc = cpus ? 0 : -ENOMEM;
	for (__u32 i = 0; cpus && i < DP_FLOWS_MAX && !*ret_rc; i++) {
		if (bpf_map_lookup_elem(fd, &i, cpus))
			continue;
		for (int c = 0; c < n_cpus && !*ret_rc; c++) {
			const struct dp_relayed_key key = { cpus[c].from, cpus[c].to };

			if (!cpus[c].relayed.packets)
				continue;
			sum.packets += cpus[c].relayed.packets;
			sum.bytes += cpus[c].relayed.bytes;
			if (list)
				*ret_rc = relayed_add(list, key, &cpus[c].relayed);
		}
	}
	free(cpus);
	return sum;
}

static int by_key(const void *a, const void *b)
{
	const struct dp_relayed_key *x = &((const struct relayed *)a)->key;
	const struct dp_relayed_key *y = &((const struct relayed *)b)->key;

	return x->from != y->from ? (int)x->from - (int)y->from : (int)x->to - (int)y->to;
}

static int by_bytes(const void *a, const void *b)
{
	const struct relayed *x = a, *y = b;

	if (x->count.bytes != y->count.bytes)
		return x->count.bytes < y->count.bytes ? 1 : -1;
	return by_key(a, b);
}

/* One entry for each pair, the most bytes first. */
static void relayed_join(struct relayed_list *list)
{
	size_t n = 0;

	if (!list->n)
		return;
	qsort(list->v, list->n, sizeof(*list->v), by_key);
	for (size_t i = 1; i < list->n; i++) {
		if (by_key(&list->v[n], &list->v[i])) {
			list->v[++n] = list->v[i];
			continue;
		}
		list->v[n].count.packets += list->v[i].count.packets;
		list->v[n].count.bytes += list->v[i].count.bytes;
	}
	list->n = n + 1;
	qsort(list->v, list->n, sizeof(*list->v), by_bytes);
}

json_t *steering_relayed(const struct steering *s)
{
	const int n_cpus = libbpf_num_possible_cpus();
	struct relayed_list list = { 0 };
	struct dp_count *cpus;
	json_t *ret = json_array();
	int rc;

	if (!s->programs || !s->config || n_cpus <= 0)
		return ret;
	cpus = calloc((size_t)n_cpus, sizeof(*cpus));
	rc = cpus ? read_relayed(programs_map(s->programs, "dp_relayed"), cpus, n_cpus, &list)
		  : -ENOMEM;
	if (!rc)
		(void)read_flows(s, &list, &rc);
	if (!rc)
		relayed_join(&list);
	for (size_t i = 0; !rc && i < list.n && i < RELAYED_SHOWN; i++) {
		const struct relayed *relayed = &list.v[i];

		json_array_append_new(
			ret, json_pack("{s:s, s:s, s:I, s:I}", "from",
				       steering_node_name(s->config, relayed->key.from), "to",
				       steering_node_name(s->config, relayed->key.to), "packets",
				       (json_int_t)relayed->count.packets, "bytes",
				       (json_int_t)relayed->count.bytes));
	}
	free(list.v);
	free(cpus);
	return ret;
}

/* Sums over the CPUs, all zero without programs. */
static void read_counts(const struct steering *s, struct steering_count ret[static DP_COUNT_MAX])
{
	const int n_cpus = libbpf_num_possible_cpus();
	struct dp_count *cpus, sum;
	int fd, rc;

	memset(ret, 0, DP_COUNT_MAX * sizeof(*ret));
	if (!s->programs || n_cpus <= 0)
		return;
	fd = programs_map(s->programs, "dp_counts");
	cpus = calloc((size_t)n_cpus, sizeof(*cpus));
	for (__u32 i = 0; cpus && i < DP_COUNT_MAX; i++) {
		if (bpf_map_lookup_elem(fd, &i, cpus))
			continue;
		sum = sum_of(cpus, n_cpus);
		ret[i] = (struct steering_count){ sum.packets, sum.bytes };
	}
	free(cpus);
	sum = read_flows(s, NULL, &rc);
	ret[DP_COUNT_RELAY_FORWARDED].packets += sum.packets;
	ret[DP_COUNT_RELAY_FORWARDED].bytes += sum.bytes;
}

void steering_carried(const struct steering *s, struct steering_count *ret_to_mesh,
		      struct steering_count *ret_from_mesh)
{
	struct steering_count counts[DP_COUNT_MAX];

	read_counts(s, counts);
	*ret_to_mesh = counts[DP_COUNT_LAN_FAST];
	*ret_from_mesh = counts[DP_COUNT_TUNNEL_FAST];
}

json_t *steering_drops(struct steering *s)
{
	static const char *const names[DP_COUNT_MAX] = {
#define DP_COUNT_NAME(ID, NAME) [DP_COUNT_##ID] = NAME,
		DP_COUNTS(DP_COUNT_NAME)
#undef DP_COUNT_NAME
	};
	struct steering_count counts[DP_COUNT_MAX];
	json_t *ret = json_object();

	read_counts(s, counts);
	for (size_t i = 0; s->programs && i < DP_COUNT_MAX; i++)
		json_object_set_new(ret, names[i],
				    json_pack("{s:I, s:I}", "packets",
					      (json_int_t)counts[i].packets, "bytes",
					      (json_int_t)counts[i].bytes));
	return ret;
}
