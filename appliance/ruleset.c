/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ruleset.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *const ruleset_set_names[RULESET_SET_MAX] = {
	[RULESET_SITES4] = "sites4",	 [RULESET_SITES6] = "sites6",
	[RULESET_NODES4] = "nodes4",	 [RULESET_NODES6] = "nodes6",
	[RULESET_TUNNELS] = "tunnels",	 [RULESET_CLAMPED] = "clamped",
	[RULESET_ALLOW4] = "allow4",	 [RULESET_ALLOW6] = "allow6",
	[RULESET_PAIR_MAC] = "pair_mac", [RULESET_PAIR_ANY] = "pair_any",
	[RULESET_WEB4] = "web4",	 [RULESET_WEB6] = "web6",
};

struct ruleset *ruleset_new(void)
{
	return calloc(1, sizeof(struct ruleset));
}

void ruleset_free(struct ruleset *ruleset)
{
	if (!ruleset)
		return;
	for (size_t i = 0; i < COUNT(ruleset->sets); i++)
		free(ruleset->sets[i].v);
	free(ruleset);
}

struct ruleset_elem *ruleset_add(struct ruleset *ruleset, enum ruleset_set set)
{
	struct ruleset_elems *elems = &ruleset->sets[set];

	if (elems->n == elems->capacity) {
		size_t capacity = elems->capacity ? 2 * elems->capacity : 16;
		struct ruleset_elem *v = reallocarray(elems->v, capacity, sizeof(*v));

		if (!v)
			return NULL;
		elems->v = v;
		elems->capacity = capacity;
	}
	memset(&elems->v[elems->n], 0, sizeof(elems->v[0]));
	return &elems->v[elems->n++];
}

static int compare_numbers(uint32_t a, uint32_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_site(const struct ruleset_elem *a, const struct ruleset_elem *b)
{
	int order = ip_prefix_compare(&a->prefix, &b->prefix);

	return order ? order : compare_numbers(a->mark, b->mark);
}

static int compare_node(const struct ruleset_elem *a, const struct ruleset_elem *b)
{
	return ip_prefix_compare(&a->prefix, &b->prefix);
}

static int compare_tunnel(const struct ruleset_elem *a, const struct ruleset_elem *b)
{
	int order = strncmp(a->ifname, b->ifname, sizeof(a->ifname));

	return order ? order : compare_numbers(a->mark, b->mark);
}

static int compare_clamped(const struct ruleset_elem *a, const struct ruleset_elem *b)
{
	return compare_numbers(a->mark, b->mark);
}

/* The service first: entries of which one may cover the other are then neighbours. */
static int compare_allow(const struct ruleset_elem *a, const struct ruleset_elem *b)
{
	int order = compare_numbers(a->proto, b->proto);

	if (!order)
		order = compare_numbers(a->port, b->port);
	return order ? order : ip_prefix_compare(&a->prefix, &b->prefix);
}

static int compare_mac(const struct ruleset_elem *a, const struct ruleset_elem *b)
{
	return memcmp(a->mac, b->mac, sizeof(a->mac));
}

static int compare_interface(const struct ruleset_elem *a, const struct ruleset_elem *b)
{
	return strncmp(a->ifname, b->ifname, sizeof(a->ifname));
}

static bool prefix_covers(const struct ruleset_elem *a, const struct ruleset_elem *b)
{
	return a->prefix.len <= b->prefix.len && ip_prefix_overlaps(&a->prefix, &b->prefix);
}

static bool site_covers(const struct ruleset_elem *a, const struct ruleset_elem *b)
{
	return a->mark == b->mark && prefix_covers(a, b);
}

static bool allow_covers(const struct ruleset_elem *a, const struct ruleset_elem *b)
{
	return a->proto == b->proto && a->port == b->port && prefix_covers(a, b);
}

typedef int elem_compare(const struct ruleset_elem *a, const struct ruleset_elem *b);

static elem_compare *const compares[RULESET_SET_MAX] = {
	[RULESET_SITES4] = compare_site,    [RULESET_SITES6] = compare_site,
	[RULESET_NODES4] = compare_node,    [RULESET_NODES6] = compare_node,
	[RULESET_TUNNELS] = compare_tunnel, [RULESET_CLAMPED] = compare_clamped,
	[RULESET_ALLOW4] = compare_allow,   [RULESET_ALLOW6] = compare_allow,
	[RULESET_WEB4] = compare_allow,	    [RULESET_WEB6] = compare_allow,
	[RULESET_PAIR_MAC] = compare_mac,   [RULESET_PAIR_ANY] = compare_interface,
};

int ruleset_elem_compare(enum ruleset_set set, const struct ruleset_elem *a,
			 const struct ruleset_elem *b)
{
	return compares[set](a, b);
}

static int compare_for_qsort(const void *a, const void *b, void *set)
{
	return compares[*(const enum ruleset_set *)set](a, b);
}

static bool elem_says(enum ruleset_set set, const struct ruleset_elem *a,
		      const struct ruleset_elem *b)
{
	switch (set) {
	case RULESET_SITES4:
	case RULESET_SITES6:
		return site_covers(a, b);
	case RULESET_ALLOW4:
	case RULESET_ALLOW6:
	case RULESET_WEB4:
	case RULESET_WEB6:
		return allow_covers(a, b);
	case RULESET_NODES4:
	case RULESET_NODES6:
	case RULESET_TUNNELS:
	case RULESET_CLAMPED:
	case RULESET_PAIR_MAC:
	case RULESET_PAIR_ANY:
	case RULESET_SET_MAX:
		break;
	}
	return compares[set](a, b) == 0;
}

static bool is_sorted(enum ruleset_set set, const struct ruleset_elems *elems)
{
	for (size_t i = 1; i < elems->n; i++) {
		if (compares[set](&elems->v[i - 1], &elems->v[i]) > 0)
			return false;
	}
	return true;
}

void ruleset_sort(struct ruleset *ruleset)
{
	for (enum ruleset_set set = 0; set < RULESET_SET_MAX; set++) {
		struct ruleset_elems *elems = &ruleset->sets[set];
		size_t kept = 0;

		if (!is_sorted(set, elems))
			qsort_r(elems->v, elems->n, sizeof(elems->v[0]), compare_for_qsort, &set);
		/* What covers another sorts before it, with nothing but covered ones between. */
		for (size_t i = 0; i < elems->n; i++) {
			if (!kept || !elem_says(set, &elems->v[kept - 1], &elems->v[i]))
				elems->v[kept++] = elems->v[i];
		}
		elems->n = kept;
	}
}

int ruleset_pin(struct ruleset *ruleset, const uint8_t *mac)
{
	struct ruleset_elem *elem;

	ruleset->sets[RULESET_PAIR_MAC].n = ruleset->sets[RULESET_PAIR_ANY].n = 0;
	elem = ruleset_add(ruleset, mac ? RULESET_PAIR_MAC : RULESET_PAIR_ANY);
	if (!elem)
		return -ENOMEM;
	if (mac)
		memcpy(elem->mac, mac, sizeof(elem->mac));
	else
		memcpy(elem->ifname, ruleset->params.lan, sizeof(elem->ifname));
	return 0;
}

const uint8_t *ruleset_pinned(const struct ruleset *ruleset)
{
	const struct ruleset_elems *macs = &ruleset->sets[RULESET_PAIR_MAC];

	return macs->n ? macs->v[0].mac : NULL;
}

bool ruleset_params_equal(const struct ruleset_params *a, const struct ruleset_params *b)
{
	return strncmp(a->lan, b->lan, sizeof(a->lan)) == 0 && a->mark_mask == b->mark_mask &&
	       a->own_mark == b->own_mark && a->port_first == b->port_first &&
	       a->port_last == b->port_last && a->hello_port == b->hello_port &&
	       ip_addr_compare(&a->lan4, &b->lan4) == 0 &&
	       ip_addr_compare(&a->lan6, &b->lan6) == 0 &&
	       ip_addr_compare(&a->pair4, &b->pair4) == 0 &&
	       ip_addr_compare(&a->pair6, &b->pair6) == 0 &&
	       ip_addr_compare(&a->pair_outer, &b->pair_outer) == 0 &&
	       ip_addr_compare(&a->pair_link, &b->pair_link) == 0 && a->pair_port == b->pair_port &&
	       a->drills == b->drills &&
	       strncmp(a->pair_ifname, b->pair_ifname, sizeof(a->pair_ifname)) == 0 &&
	       ip_addr_compare(&a->web4, &b->web4) == 0 &&
	       ip_addr_compare(&a->web6, &b->web6) == 0 &&
	       strncmp(a->web_ifname, b->web_ifname, sizeof(a->web_ifname)) == 0;
}
