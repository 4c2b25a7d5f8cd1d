/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Overlap of prefixes. Two prefixes overlap only if one covers the other, and in sorted order
 * whatever covers a prefix comes before it, with nothing between that lies outside. So one pass
 * with a stack of the prefixes that cover the current one finds every overlap.
 *
 * A site's subnets may cover its own LAN (they often are one VPC), nothing else may overlap: not
 * subnets or LANs of two sites, not two subnets of one, and no WAN address lies in any of them,
 * for then the tunnel's own packets would be routed into the tunnel. The exception is a private
 * address behind a public one: it may lie in a subnet of its own site (again: one VPC), since
 * nobody sends the tunnel's packets to it.
 */
#include <stdlib.h>
#include <string.h>

#include "config_parse.h"

enum item_kind {
	ITEM_LAN,
	ITEM_SUBNET,
	ITEM_WAN,
	ITEM_WAN_PRIVATE, /* behind a public one */
};

static const char *const kind_names[] = {
	[ITEM_LAN] = "LAN",
	[ITEM_SUBNET] = "subnet",
	[ITEM_WAN] = "WAN address",
	[ITEM_WAN_PRIVATE] = "WAN address",
};

struct item {
	struct ip_prefix prefix;
	enum item_kind kind;
	const struct config_site *site; /* NULL: WAN of a relay */
	const void *field;
	struct diag_place place;
};

struct items {
	struct item *array;
	size_t n;
};

static void item_add(struct config_file *file, struct items *items, enum item_kind kind,
		     const struct config_site *site, const void *field, struct ip_prefix prefix)
{
	const struct diag_place *place = config_mark_find(file, field);

	if (place)
		items->array[items->n++] = (struct item){ prefix, kind, site, field, *place };
}

static bool is_before(const struct diag_place *a, const struct diag_place *b)
{
	return a->line != b->line ? a->line < b->line : a->column < b->column;
}

/* Equal prefixes: what covers comes first, WAN addresses last, then as in the file. */
static int item_compare(const void *a, const void *b)
{
	const struct item *l = a, *r = b;
	int ret = ip_prefix_compare(&l->prefix, &r->prefix);

	if (ret)
		return ret;
	if (l->kind != r->kind)
		return (int)l->kind - (int)r->kind;
	return is_before(&l->place, &r->place) ? -1 : is_before(&r->place, &l->place);
}

static void report_wan(struct config_file *file, const struct item *wan, const struct item *cover)
{
	char addr[IP_ADDR_STRLEN], prefix[IP_PREFIX_STRLEN];

	config_error(file, &wan->place,
		     "addresses of the WAN do not go through the tunnel; list smaller subnets",
		     "WAN address %s is inside %s %s of site '%s'",
		     ip_addr_format(&wan->prefix.addr, addr), kind_names[cover->kind],
		     ip_prefix_format(&cover->prefix, prefix), cover->site->name);
	config_note(file, &cover->place, "which is here");
}

static void report_overlap(struct config_file *file, const struct item *a, const struct item *b)
{
	const struct item *later = is_before(&a->place, &b->place) ? b : a;
	const struct item *first = later == a ? b : a;
	char later_text[IP_PREFIX_STRLEN], first_text[IP_PREFIX_STRLEN];

	ip_prefix_format(&later->prefix, later_text);
	ip_prefix_format(&first->prefix, first_text);
	if (first->site != later->site)
		config_error(file, &later->place,
			     "a prefix belongs to one site; remove it from one",
			     "%s %s overlaps %s %s of site '%s'", kind_names[later->kind],
			     later_text, kind_names[first->kind], first_text, first->site->name);
	else if (!ip_prefix_compare(&a->prefix, &b->prefix))
		config_error(file, &later->place, "remove one of them", "subnet %s is listed twice",
			     later_text);
	else
		config_error(file, &later->place, "remove the smaller one, the other covers it",
			     "subnet %s overlaps %s of the same site", later_text, first_text);
	config_note(file, &first->place, "which is here");
}

/* The innermost prefix that covers the item and must not. stack holds indices. */
static void check_item(struct config_file *file, const struct items *items, const size_t *stack,
		       size_t depth, const struct item *item)
{
	while (depth--) {
		const struct item *cover = &items->array[stack[depth]];

		if (item->kind == ITEM_WAN_PRIVATE && cover->kind == ITEM_SUBNET &&
		    cover->site == item->site)
			continue;
		if (item->kind >= ITEM_WAN) {
			report_wan(file, item, cover);
			return;
		}
		if (cover->site != item->site || cover->kind == item->kind) {
			report_overlap(file, item, cover);
			return;
		}
	}
}

static void check_items(struct config_file *file, struct items *items)
{
	size_t *stack, depth = 0;

	qsort(items->array, items->n, sizeof(*items->array), item_compare);
	stack = config_array(file, items->n, sizeof(*stack));
	if (!stack)
		return;
	for (size_t i = 0; i < items->n; i++) {
		const struct item *item = &items->array[i];

		while (depth && !ip_prefix_has_addr(&items->array[stack[depth - 1]].prefix,
						    &item->prefix.addr))
			depth--;
		check_item(file, items, stack, depth, item);
		if (item->kind < ITEM_WAN)
			stack[depth++] = i;
	}
	free(stack);
}

void config_prefixes_check(struct config_file *file, const struct config_mesh *mesh)
{
	struct config_member *members;
	struct items items = { 0 };
	size_t n_members, n = 2 * mesh->n_sites;

	if (config_members(mesh, &members, &n_members)) {
		file->no_memory = true;
		return;
	}
	for (size_t s = 0; s < mesh->n_sites; s++)
		n += mesh->sites[s].n_subnets;
	for (size_t m = 0; m < n_members; m++)
		n += 2 * *members[m].n_wans;
	items.array = config_array(file, n, sizeof(*items.array));
	if (!items.array)
		goto free_members;
	for (size_t s = 0; s < mesh->n_sites; s++) {
		const struct config_site *site = &mesh->sites[s];

		item_add(file, &items, ITEM_LAN, site, &site->lan4, site->lan4);
		item_add(file, &items, ITEM_LAN, site, &site->lan6, site->lan6);
		for (size_t i = 0; i < site->n_subnets; i++)
			item_add(file, &items, ITEM_SUBNET, site, &site->subnets[i].prefix,
				 site->subnets[i].prefix);
	}
	for (size_t m = 0; m < n_members; m++) {
		for (size_t w = 0; w < *members[m].n_wans; w++) {
			const struct config_wan *wan = &(*members[m].wans)[w];

			item_add(file, &items, ITEM_WAN, members[m].site, &wan->public_addr,
				 ip_prefix_host(&wan->public_addr));
			item_add(file, &items, ITEM_WAN_PRIVATE, members[m].site,
				 &wan->private_addr, ip_prefix_host(&wan->private_addr));
		}
	}
	check_items(file, &items);
	free(items.array);
free_members:
	free(members);
}
