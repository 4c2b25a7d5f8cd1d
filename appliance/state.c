/* SPDX-License-Identifier: GPL-2.0-only */
#include "state.h"

#include <stdlib.h>
#include <string.h>

#define STATE_FIRST_CAPACITY 8

const char *const state_engine_names[STATE_ENGINE_MAX] = {
	[STATE_ENGINE_KERNEL] = "kernel",
	[STATE_ENGINE_USER] = "user",
	[STATE_ENGINE_BROKEN] = "broken",
};

struct state *state_new(void)
{
	return calloc(1, sizeof(struct state));
}

void state_free(struct state *state)
{
	if (!state)
		return;
	if (state->tunnels)
		explicit_bzero(state->tunnels, state->n_tunnels * sizeof(*state->tunnels));
	free(state->tunnels);
	free(state->addresses);
	free(state->routes);
	free(state->rules);
	free(state->sysctls);
	ruleset_free(state->ruleset);
	free(state);
}

/*
 * Append a zeroed element to a list that has room up to the next power of two, so the length alone
 * tells when it is full. Never realloc(): it would leave copies of keys in freed memory.
 */
static void *list_add(void **list, size_t *n, size_t size)
{
	char *v = *list;

	if (!*n || (*n >= STATE_FIRST_CAPACITY && !(*n & (*n - 1)))) {
		size_t capacity = *n ? *n * 2 : STATE_FIRST_CAPACITY;

		v = reallocarray(NULL, capacity, size);
		if (!v)
			return NULL;
		if (*n) {
			memcpy(v, *list, *n * size);
			explicit_bzero(*list, *n * size);
		}
		free(*list);
		*list = v;
	}
	v += (*n)++ * size;
	return memset(v, 0, size);
}

struct state_tunnel *state_add_tunnel(struct state *state)
{
	void *list = state->tunnels;
	struct state_tunnel *new = list_add(&list, &state->n_tunnels, sizeof(*new));

	state->tunnels = list;
	return new;
}

struct state_address *state_add_address(struct state *state)
{
	void *list = state->addresses;
	struct state_address *new = list_add(&list, &state->n_addresses, sizeof(*new));

	state->addresses = list;
	return new;
}

struct state_route *state_add_route(struct state *state)
{
	void *list = state->routes;
	struct state_route *new = list_add(&list, &state->n_routes, sizeof(*new));

	state->routes = list;
	return new;
}

struct state_rule *state_add_rule(struct state *state)
{
	void *list = state->rules;
	struct state_rule *new = list_add(&list, &state->n_rules, sizeof(*new));

	state->rules = list;
	return new;
}

struct state_sysctl *state_add_sysctl(struct state *state)
{
	void *list = state->sysctls;
	struct state_sysctl *new = list_add(&list, &state->n_sysctls, sizeof(*new));

	state->sysctls = list;
	return new;
}

static int number_compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

int state_tunnel_compare(const struct state_tunnel *a, const struct state_tunnel *b)
{
	return strcmp(a->ifname, b->ifname);
}

int state_address_compare(const struct state_address *a, const struct state_address *b)
{
	int rc = strcmp(a->ifname, b->ifname);

	return rc ? rc : ip_prefix_compare(&a->prefix, &b->prefix);
}

int state_route_compare(const struct state_route *a, const struct state_route *b)
{
	int rc = number_compare(a->table, b->table);

	if (!rc)
		rc = ip_prefix_compare(&a->dst, &b->dst);
	return rc ? rc : number_compare(a->metric, b->metric);
}

int state_rule_compare(const struct state_rule *a, const struct state_rule *b)
{
	int rc = number_compare(a->family, b->family);

	if (!rc)
		rc = number_compare(a->pref, b->pref);
	if (!rc)
		rc = number_compare(a->mark, b->mark);
	if (!rc)
		rc = number_compare(a->mask, b->mask);
	if (!rc)
		rc = number_compare(a->from.len, b->from.len);
	/* "Any source" is the same however its unused address is filled in. */
	if (!rc && a->from.len)
		rc = ip_prefix_compare(&a->from, &b->from);
	if (!rc)
		rc = number_compare(a->ip_proto, b->ip_proto);
	return rc ? rc : number_compare(a->table, b->table);
}

int state_sysctl_compare(const struct state_sysctl *a, const struct state_sysctl *b)
{
	return strcmp(a->path, b->path);
}

bool state_route_equal(const struct state_route *a, const struct state_route *b)
{
	return state_route_compare(a, b) == 0 && a->type == b->type &&
	       strcmp(a->ifname, b->ifname) == 0 && ip_addr_compare(&a->via, &b->via) == 0 &&
	       ip_addr_compare(&a->prefsrc, &b->prefsrc) == 0 && a->mtu == b->mtu;
}

static int tunnel_sort(const void *a, const void *b)
{
	return state_tunnel_compare(a, b);
}

static int address_sort(const void *a, const void *b)
{
	return state_address_compare(a, b);
}

static int route_sort(const void *a, const void *b)
{
	return state_route_compare(a, b);
}

static int rule_sort(const void *a, const void *b)
{
	return state_rule_compare(a, b);
}

static int sysctl_sort(const void *a, const void *b)
{
	return state_sysctl_compare(a, b);
}

static void list_sort(void *list, size_t n, size_t size, int (*compare)(const void *, const void *))
{
	if (n > 1)
		qsort(list, n, size, compare);
}

void state_sort(struct state *state)
{
	list_sort(state->tunnels, state->n_tunnels, sizeof(*state->tunnels), tunnel_sort);
	list_sort(state->addresses, state->n_addresses, sizeof(*state->addresses), address_sort);
	list_sort(state->routes, state->n_routes, sizeof(*state->routes), route_sort);
	list_sort(state->rules, state->n_rules, sizeof(*state->rules), rule_sort);
	list_sort(state->sysctls, state->n_sysctls, sizeof(*state->sysctls), sysctl_sort);
	if (state->ruleset)
		ruleset_sort(state->ruleset);
}
