/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

static struct ip_prefix prefix(const char *text)
{
	struct ip_prefix p;

	assert_int_equal(ip_prefix_parse(text, &p), 0);
	return p;
}

/* Enough to grow several times; what is there must stay, what is new must be zero. */
static void lists_grow(void **unused)
{
	struct state *state = state_new();

	(void)unused;
	assert_non_null(state);
	for (uint32_t i = 0; i < 5000; i++) {
		struct state_tunnel *tunnel = state_add_tunnel(state);
		struct state_address *address = state_add_address(state);
		struct state_route *route = state_add_route(state);
		struct state_rule *rule = state_add_rule(state);
		struct state_sysctl *sysctl = state_add_sysctl(state);

		assert_true(tunnel && address && route && rule && sysctl);
		assert_true(key_is_zero(&tunnel->private_key));
		assert_int_equal(tunnel->ifname[0], 0);
		assert_int_equal(address->prefix.len, 0);
		assert_int_equal(route->table, 0);
		assert_int_equal(rule->table, 0);
		assert_int_equal(sysctl->path[0], 0);

		snprintf(tunnel->ifname, sizeof(tunnel->ifname), "np%u", i);
		memset(tunnel->private_key.bytes, (int)(i | 1) & 0xff, KEY_LEN);
		snprintf(address->ifname, sizeof(address->ifname), "np%u", i);
		route->table = rule->table = i;
		snprintf(sysctl->path, sizeof(sysctl->path), "net/%u", i);
	}
	assert_int_equal(state->n_tunnels, 5000);
	for (uint32_t i = 0; i < 5000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "np%u", i);
		assert_string_equal(state->tunnels[i].ifname, name);
		assert_int_equal(state->tunnels[i].private_key.bytes[31], (i | 1) & 0xff);
		assert_string_equal(state->addresses[i].ifname, name);
		assert_int_equal(state->routes[i].table, i);
		assert_int_equal(state->rules[i].table, i);
		snprintf(name, sizeof(name), "net/%u", i);
		assert_string_equal(state->sysctls[i].path, name);
	}
	state_free(state);
}

static void empty_is_fine(void **unused)
{
	struct state *state = state_new();

	(void)unused;
	assert_non_null(state);
	state_sort(state);
	state_free(state);
	state_free(NULL);
}

/* A total order: reflexive, antisymmetric and transitive over a list that is sorted by hand. */
#define ASSERT_ORDER(list, compare)                                                 \
	for (size_t i = 0; i < sizeof(list) / sizeof((list)[0]); i++)               \
		for (size_t j = 0; j < sizeof(list) / sizeof((list)[0]); j++) {     \
			int order = compare(&(list)[i], &(list)[j]);                \
			int expected = i < j ? -1 : i > j;                          \
			if ((order > 0) - (order < 0) != expected)                  \
				fail_msg(#compare "(%zu, %zu) is %d", i, j, order); \
		}

static void orders(void **unused)
{
	const struct state_tunnel tunnels[] = { { .ifname = "np1" },
						{ .ifname = "np10" },
						{ .ifname = "np2" } };
	const struct state_address addresses[] = {
		{ .ifname = "np1", .prefix = prefix("10.0.0.0/8") },
		{ .ifname = "np1", .prefix = prefix("10.0.0.0/9") },
		{ .ifname = "np1", .prefix = prefix("fe80::/64") },
		{ .ifname = "np2", .prefix = prefix("10.0.0.0/8") },
	};
	const struct state_route routes[] = {
		{ .table = 1, .dst = prefix("0.0.0.0/0"), .metric = 10 },
		{ .table = 1, .dst = prefix("0.0.0.0/0"), .metric = 20 },
		{ .table = 1, .dst = prefix("10.0.0.0/8"), .metric = 10 },
		{ .table = 1, .dst = prefix("::/0"), .metric = 5 },
		{ .table = 0x80000000, .dst = prefix("0.0.0.0/0"), .metric = 10 },
	};
	const struct state_rule rules[] = {
		{ .family = 4, .pref = 1, .table = 9 },
		{ .family = 4, .pref = 1, .table = 10 },
		{ .family = 4, .pref = 1, .ip_proto = 1, .table = 9 },
		{ .family = 4, .pref = 1, .from = prefix("10.0.0.0/8") },
		{ .family = 4, .pref = 1, .from = prefix("11.0.0.0/8") },
		{ .family = 4, .pref = 1, .mask = 1 },
		{ .family = 4, .pref = 1, .mark = 1, .mask = 1 },
		{ .family = 4, .pref = 2 },
		{ .family = 6, .pref = 1 },
	};
	const struct state_sysctl sysctls[] = { { .path = "net/ipv4/a" },
						{ .path = "net/ipv6/a" } };

	(void)unused;
	ASSERT_ORDER(tunnels, state_tunnel_compare);
	ASSERT_ORDER(addresses, state_address_compare);
	ASSERT_ORDER(routes, state_route_compare);
	ASSERT_ORDER(rules, state_rule_compare);
	ASSERT_ORDER(sysctls, state_sysctl_compare);
}

/* Who reads rules back fills in the family of "any source", who wants them need not. */
static void any_source_is_any_source(void **unused)
{
	const struct state_rule a = { .family = 4, .pref = 1 };
	struct state_rule b = a;

	(void)unused;
	b.from = prefix("0.0.0.0/0");
	assert_int_equal(state_rule_compare(&a, &b), 0);
}

static void content_is_not_identity(void **unused)
{
	const struct state_route a = { .table = 1, .ifname = "np1", .dst = prefix("0.0.0.0/0") };
	struct state_route b = a;

	(void)unused;
	assert_true(state_route_equal(&a, &b));
	strcpy(b.ifname, "np2");
	assert_false(state_route_equal(&a, &b));
	assert_int_equal(state_route_compare(&a, &b), 0);
	b = a;
	b.type = STATE_ROUTE_UNREACHABLE;
	assert_false(state_route_equal(&a, &b));
	b = a;
	assert_int_equal(ip_addr_parse("10.0.0.1", &b.via), 0);
	assert_false(state_route_equal(&a, &b));
	b = a;
	assert_int_equal(ip_addr_parse("10.0.0.1", &b.prefsrc), 0);
	assert_false(state_route_equal(&a, &b));
	assert_int_equal(state_route_compare(&a, &b), 0);
	b = a;
	b.metric = 1;
	assert_false(state_route_equal(&a, &b));
}

static void sorting(void **unused)
{
	struct state *state = state_new();

	(void)unused;
	assert_non_null(state);
	for (unsigned int i = 0; i < 100; i++) {
		unsigned int k = i * 37 % 100;
		struct state_tunnel *tunnel = state_add_tunnel(state);
		struct state_address *address = state_add_address(state);
		struct state_route *route = state_add_route(state);
		struct state_rule *rule = state_add_rule(state);
		struct state_sysctl *sysctl = state_add_sysctl(state);

		assert_true(tunnel && address && route && rule && sysctl);
		snprintf(tunnel->ifname, sizeof(tunnel->ifname), "np%02u", k);
		snprintf(address->ifname, sizeof(address->ifname), "np%02u", k);
		route->table = k;
		rule->pref = k;
		snprintf(sysctl->path, sizeof(sysctl->path), "net/%02u", k);
	}
	state_sort(state);
	for (unsigned int i = 0; i < 100; i++) {
		char text[16];

		snprintf(text, sizeof(text), "np%02u", i);
		assert_string_equal(state->tunnels[i].ifname, text);
		assert_string_equal(state->addresses[i].ifname, text);
		assert_int_equal(state->routes[i].table, i);
		assert_int_equal(state->rules[i].pref, i);
		snprintf(text, sizeof(text), "net/%02u", i);
		assert_string_equal(state->sysctls[i].path, text);
	}
	state_free(state);
}

static void sorts_the_ruleset_too(void **unused)
{
	struct state *state = state_new();

	(void)unused;
	assert_non_null(state);
	state->ruleset = ruleset_new();
	assert_non_null(state->ruleset);
	for (unsigned int i = 3; i > 0; i--) {
		struct ruleset_elem *elem = ruleset_add(state->ruleset, RULESET_CLAMPED);

		assert_non_null(elem);
		elem->mark = i;
	}
	state_sort(state);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(state->ruleset->sets[RULESET_CLAMPED].v[i].mark, i + 1);
	state_free(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_grow),
		cmocka_unit_test(empty_is_fine),
		cmocka_unit_test(orders),
		cmocka_unit_test(any_source_is_any_source),
		cmocka_unit_test(content_is_not_identity),
		cmocka_unit_test(sorting),
		cmocka_unit_test(sorts_the_ruleset_too),
	};

	return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
