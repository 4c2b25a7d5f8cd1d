/* SPDX-License-Identifier: GPL-2.0-only */
/* Which steps single differences make, and how they read. */
#include <netinet/in.h>
#include <stdlib.h>

#include "plan.h"
#include "site.h"

static char *print(const struct state *a, const struct state *b)
{
	struct plan *plan;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(plan_make(a, b, &plan), 0);
	plan_print(plan, out);
	assert_int_equal(fclose(out), 0);
	plan_free(plan);
	return text;
}

static void assert_plan(struct state *a, struct state *b, const char *expected)
{
	char *text;

	state_sort(a);
	state_sort(b);
	text = print(a, b);
	assert_string_equal(text, expected);
	free(text);
}

static void from_nothing_and_back(void **unused)
{
	struct state *none = state_new(), *all = site(STATE_ENGINE_USER, 3, 4);
	struct state_sysctl *sysctl = state_add_sysctl(all);

	(void)unused;
	strcpy(sysctl->path, "net/ipv4/ip_forward");
	strcpy(sysctl->value, "1");
	assert_plan(none, all,
		    "~ sysctl net/ipv4/ip_forward = 1\n"
		    "+ link np3 (user)\n"
		    "~ link np3 wireguard port 16387 endpoint 203.0.113.9:16385\n"
		    "~ link np3 mtu 1420\n"
		    "~ link np3 up\n"
		    "+ link np4 (user)\n"
		    "~ link np4 wireguard port 16388 endpoint [2001:db8::9]:16385\n"
		    "~ link np4 mtu 1420\n"
		    "~ link np4 up\n"
		    "+ address fe80::1/64 on np3\n"
		    "+ address fe80::1/64 on np4\n"
		    "+ nft table netpas (2 subnets)\n"
		    "+ route default dev np3 table 10003 metric 10\n"
		    "+ route default dev np4 table 10003 metric 20\n"
		    "+ route unreachable default table 10003 metric 4096\n"
		    "+ route ::/0 dev np3 table 10003 metric 10\n"
		    "+ route ::/0 dev np4 table 10003 metric 20\n"
		    "+ route unreachable ::/0 table 10003 metric 4096\n"
		    "+ rule pref 5000 fwmark 0x30000/0xfff0000 table 10003\n"
		    "+ rule ipv6 pref 5000 fwmark 0x30000/0xfff0000 table 10003\n");
	assert_plan(all, none,
		    "- rule pref 5000 fwmark 0x30000/0xfff0000 table 10003\n"
		    "- rule ipv6 pref 5000 fwmark 0x30000/0xfff0000 table 10003\n"
		    "- route default dev np3 table 10003 metric 10\n"
		    "- route default dev np4 table 10003 metric 20\n"
		    "- route unreachable default table 10003 metric 4096\n"
		    "- route ::/0 dev np3 table 10003 metric 10\n"
		    "- route ::/0 dev np4 table 10003 metric 20\n"
		    "- route unreachable ::/0 table 10003 metric 4096\n"
		    "- nft table netpas\n"
		    "- address fe80::1/64 on np3\n"
		    "- address fe80::1/64 on np4\n"
		    "- link np3 (user)\n"
		    "- link np4 (user)\n");
	state_free(none);
	state_free(all);
}

static void engine_change_in_words(void **unused)
{
	struct state *a = site(STATE_ENGINE_KERNEL, 3, 4), *b = site(STATE_ENGINE_KERNEL, 3, 4);

	(void)unused;
	a->tunnels[1].engine = STATE_ENGINE_BROKEN;
	a->n_addresses--; /* not even the address is there */
	assert_plan(a, b,
		    "- link np4 (broken)\n"
		    "+ link np4 (kernel)\n"
		    "~ link np4 wireguard port 16388 endpoint [2001:db8::9]:16385\n"
		    "~ link np4 mtu 1420\n"
		    "~ link np4 up\n"
		    "+ address fe80::1/64 on np4\n"
		    "+ route default dev np4 table 10003 metric 20\n"
		    "+ route ::/0 dev np4 table 10003 metric 20\n");
	state_free(a);
	state_free(b);
}

static void switchover_replaces_routes_only(void **unused)
{
	struct state *a = site(STATE_ENGINE_USER, 3, 4), *b = site(STATE_ENGINE_USER, 4, 3);

	(void)unused;
	assert_plan(a, b,
		    "~ route default dev np4 table 10003 metric 10\n"
		    "~ route default dev np3 table 10003 metric 20\n"
		    "~ route ::/0 dev np4 table 10003 metric 10\n"
		    "~ route ::/0 dev np3 table 10003 metric 20\n");
	state_free(a);
	state_free(b);
}

/* Each field that WireGuard has, on its own, is noticed. */
static void every_wireguard_field_counts(void **unused)
{
	for (unsigned int field = 0; field < 8; field++) {
		struct state *a = site(STATE_ENGINE_USER, 3, 4), *b = site(STATE_ENGINE_USER, 3, 4);
		struct state_tunnel *tunnel = &a->tunnels[0];
		struct plan *plan;

		(void)unused;
		switch (field) {
		case 0:
			tunnel->listen_port++;
			break;
		case 1:
			tunnel->endpoint_port++;
			break;
		case 2:
			tunnel->keepalive_s++;
			break;
		case 3:
			tunnel->endpoint.bytes[3]++;
			break;
		case 4:
			tunnel->private_key.bytes[31]++;
			break;
		case 5:
			tunnel->peer_key.bytes[0]++;
			break;
		case 6:
			tunnel->allowed_all = false;
			break;
		case 7:
			tunnel->endpoint = (struct ip_addr){ 0 };
			break;
		}
		assert_int_equal(plan_make(a, b, &plan), 0);
		assert_int_equal(plan->n_steps, 1);
		assert_int_equal(plan->steps[0].action, PLAN_LINK_CONFIGURE);
		assert_ptr_equal(plan->steps[0].tunnel, &b->tunnels[0]);
		plan_free(plan);
		state_free(a);
		state_free(b);
	}
}

static void mtu_and_up_leave_wireguard_alone(void **unused)
{
	struct state *a = site(STATE_ENGINE_USER, 3, 4), *b = site(STATE_ENGINE_USER, 3, 4);

	(void)unused;
	b->tunnels[0].mtu = 1380;
	a->tunnels[1].up = false;
	assert_plan(a, b, "~ link np3 mtu 1380\n~ link np4 up\n");
	assert_plan(b, a, "~ link np3 mtu 1420\n~ link np4 down\n");
	state_free(a);
	state_free(b);
}

/* WireGuard cannot forget an endpoint, so asking for none must not be asked for ever. */
static void no_endpoint_wanted_is_any_endpoint(void **unused)
{
	struct state *a = site(STATE_ENGINE_USER, 3, 4), *b = site(STATE_ENGINE_USER, 3, 4);

	(void)unused;
	b->tunnels[0].endpoint = (struct ip_addr){ 0 };
	b->tunnels[0].endpoint_port = 0;
	assert_plan(a, b, "");
	state_free(a);
	state_free(b);
}

static void elements_in_words(void **unused)
{
	struct state *a = site(STATE_ENGINE_USER, 3, 4), *b = site(STATE_ENGINE_USER, 3, 4);
	struct ruleset_elem *e;

	(void)unused;
	e = ruleset_add(b->ruleset, RULESET_SITES4);
	e->prefix = prefix("10.9.0.0/24");
	e->mark = 0x30000;
	assert_plan(a, b, "~ nft sites4 +10.9.0.0/24 mark 0x30000\n");
	e = ruleset_add(a->ruleset, RULESET_SITES4);
	e->prefix = prefix("10.9.0.0/24");
	e->mark = 0x50000;
	e = ruleset_add(b->ruleset, RULESET_ALLOW6);
	e->prefix = prefix("2001:db8::/32");
	e->proto = IPPROTO_UDP;
	e->port = 161;
	e = ruleset_add(a->ruleset, RULESET_NODES4);
	e->prefix = prefix("203.0.113.9/32");
	assert_plan(a, b,
		    "~ nft sites4 -10.9.0.0/24 mark 0x50000 +10.9.0.0/24 mark 0x30000,"
		    " nodes4 -203.0.113.9, allow6 +2001:db8::/32 udp 161\n");
	e = ruleset_add(b->ruleset, RULESET_TUNNELS);
	strcpy(e->ifname, "np7");
	e->mark = 0x70000;
	ruleset_add(b->ruleset, RULESET_CLAMPED)->mark = 0x70000;
	ruleset_add(b->ruleset, RULESET_SITES6)->prefix = prefix("2001:db8:7::/48");
	assert_plan(a, b,
		    "~ nft +2 -1 subnets, +0 -1 nodes, +1 -0 tunnels, +1 -0 clamped sites,"
		    " +1 -0 allowed\n");
	state_free(a);
	state_free(b);
}

static void tables_in_words(void **unused)
{
	struct state *a = site(STATE_ENGINE_USER, 3, 4), *b = site(STATE_ENGINE_USER, 3, 4);

	(void)unused;
	a->ruleset->intact = false;
	assert_plan(a, b, "~ nft table netpas replaced (2 subnets)\n");
	/* Never back to a table that somebody has damaged. */
	assert_plan(b, a, "");
	a->ruleset->intact = true;
	a->ruleset->params.own_mark++;
	assert_plan(a, b, "~ nft table netpas replaced (2 subnets)\n");
	ruleset_free(a->ruleset);
	a->ruleset = NULL;
	assert_plan(a, b, "+ nft table netpas (2 subnets)\n");
	state_free(a);
	state_free(b);
}

static void settings(void **unused)
{
	static const struct {
		const char *runs, *wanted, *only_from;
		bool set;
	} cases[] = {
		{ "0", "1", "", true },	 { "1", "1", "", false },   { "", "1", "", true },
		{ "1", "2", "1", true }, { "0", "2", "1", false },  { "2", "2", "1", false },
		{ NULL, "1", "", true }, { NULL, "2", "1", false }, { "1", "", "", false },
		{ "10", "1", "", true },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct state *a = state_new(), *b = state_new();
		struct state_sysctl *sysctl = state_add_sysctl(b);
		struct plan *plan;

		strcpy(sysctl->path, "net/x");
		strcpy(sysctl->value, cases[i].wanted);
		strcpy(sysctl->only_from, cases[i].only_from);
		if (cases[i].runs) {
			sysctl = state_add_sysctl(a);
			strcpy(sysctl->path, "net/x");
			strcpy(sysctl->value, cases[i].runs);
		}
		assert_int_equal(plan_make(a, b, &plan), 0);
		assert_int_equal(plan->n_steps, cases[i].set);
		plan_free(plan);
		/* What is not wanted is not unset. */
		state_free(b);
		b = state_new();
		assert_int_equal(plan_make(a, b, &plan), 0);
		assert_int_equal(plan->n_steps, 0);
		plan_free(plan);
		state_free(a);
		state_free(b);
	}
}

static void rules_and_routes_in_words(void **unused)
{
	struct state *a = state_new(), *b = state_new();

	(void)unused;
	*state_add_rule(b) = (struct state_rule){
		.family = IP_V4, .pref = 5001, .from = prefix("172.16.1.0/24"), .table = 10001
	};
	*state_add_rule(b) = (struct state_rule){
		.family = IP_V6, .pref = 32800, .ip_proto = IPPROTO_ICMPV6, .table = 10001
	};
	*state_add_route(b) = (struct state_route){ .table = 10001,
						    .metric = 10,
						    .dst = prefix("10.9.0.0/24"),
						    .ifname = "eth1",
						    .via = addr("172.16.1.7"),
						    .prefsrc = addr("172.16.1.2") };
	assert_plan(a, b,
		    "+ route 10.9.0.0/24 via 172.16.1.7 dev eth1 table 10001 metric 10"
		    " src 172.16.1.2\n"
		    "+ rule pref 5001 from 172.16.1.0/24 table 10001\n"
		    "+ rule ipv6 pref 32800 ipproto 58 table 10001\n");
	state_free(a);
	state_free(b);
}

/* Somebody appended routes of our protocol to ours: one stays, the others go. */
static void foreign_duplicates_go(void **unused)
{
	const struct state_route np3 = { .table = 1, .dst = prefix("::/0"), .ifname = "np3" };
	const struct state_route np4 = { .table = 1, .dst = prefix("::/0"), .ifname = "np4" };
	const struct state_route np5 = { .table = 1, .dst = prefix("::/0"), .ifname = "np5" };
	struct state *a = state_new(), *b = state_new(), *none = state_new();

	(void)unused;
	*state_add_route(a) = np3;
	*state_add_route(a) = np4;
	*state_add_route(b) = np4;
	assert_plan(a, b, "- route ::/0 dev np3 table 1 metric 0\n");
	b->routes[0] = np5;
	assert_plan(a, b,
		    "~ route ::/0 dev np5 table 1 metric 0\n"
		    "- route ::/0 dev np3 table 1 metric 0\n"
		    "- route ::/0 dev np4 table 1 metric 0\n");
	assert_plan(a, none,
		    "- route ::/0 dev np3 table 1 metric 0\n"
		    "- route ::/0 dev np4 table 1 metric 0\n");
	*state_add_rule(a) = (struct state_rule){ .family = IP_V4, .pref = 1, .table = 1 };
	*state_add_rule(a) = (struct state_rule){ .family = IP_V4, .pref = 1, .table = 1 };
	*state_add_rule(b) = (struct state_rule){ .family = IP_V4, .pref = 1, .table = 1 };
	b->routes[0] = np4;
	assert_plan(a, b,
		    "- rule pref 1 table 1\n"
		    "- route ::/0 dev np3 table 1 metric 0\n");
	state_free(a);
	state_free(b);
	state_free(none);
}

static void small_buffers(void **unused)
{
	struct state *a = state_new(), *b = site(STATE_ENGINE_USER, 3, 4);
	struct plan *plan;

	(void)unused;
	assert_int_equal(plan_make(a, b, &plan), 0);
	for (size_t i = 0; i < plan->n_steps; i++) {
		char whole[512];

		plan_step_format(plan, &plan->steps[i], whole, sizeof(whole));
		for (size_t size = 0; size < strlen(whole) + 3; size++) {
			char *buf = test_malloc(size + 1);

			buf[size] = '#';
			plan_step_format(plan, &plan->steps[i], buf, size);
			assert_int_equal(buf[size], '#');
			if (size) {
				assert_true(strlen(buf) < size);
				assert_memory_equal(buf, whole, strlen(buf));
			}
			test_free(buf);
		}
	}
	plan_free(plan);
	plan_free(NULL);
	state_free(a);
	state_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_nothing_and_back),
		cmocka_unit_test(engine_change_in_words),
		cmocka_unit_test(switchover_replaces_routes_only),
		cmocka_unit_test(every_wireguard_field_counts),
		cmocka_unit_test(mtu_and_up_leave_wireguard_alone),
		cmocka_unit_test(no_endpoint_wanted_is_any_endpoint),
		cmocka_unit_test(elements_in_words),
		cmocka_unit_test(tables_in_words),
		cmocka_unit_test(settings),
		cmocka_unit_test(rules_and_routes_in_words),
		cmocka_unit_test(foreign_duplicates_go),
		cmocka_unit_test(small_buffers),
	};

	return cmocka_run_group_tests_name("plan_text", tests, NULL, NULL);
}
