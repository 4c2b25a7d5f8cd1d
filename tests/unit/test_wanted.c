/* SPDX-License-Identifier: GPL-2.0-only */
/* From a configuration to the state that it asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config.h"
#include "wanted.h"

static const char mesh[] =
	"sites:\n"
	"  - name: fra\n"
	"    lan:\n"
	"      prefixes: [172.16.1.0/24, 'fd00:16:1::/64']\n"
	"      routers: [172.16.1.1]\n"
	"      vips: [172.16.1.254]\n"
	"    subnets: [10.1.0.0/16, 172.16.1.64/28, {prefix: 10.9.0.0/24, via: 172.16.1.7}]\n"
	"    gateways:\n"
	"      - {name: fra-a, id: 1, public_key: AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,\n"
	"         lan: [172.16.1.2, 'fd00:16:1::2'], wan: [{public: 203.0.113.1, private: 10.200.1.2}]}\n"
	"      - {name: fra-b, id: 2, public_key: AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,\n"
	"         lan: [172.16.1.3, 'fd00:16:1::3'], wan: [203.0.113.3]}\n"
	"  - name: sin\n"
	"    lan: {prefixes: [172.16.2.0/24, 'fd10:0:2::/64'], vips: [172.16.2.254]}\n"
	"    subnets: [10.2.0.0/16, 'fd10::/32']\n"
	"    gateways:\n"
	"      - {name: sin-a, id: 4000, public_key: AwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,\n"
	"         lan: [172.16.2.2, 'fd10:0:2::2'], wan: [198.51.100.1, 198.51.100.2]}\n"
	"      - {name: sin-b, id: 30, public_key: BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,\n"
	"         lan: [172.16.2.3, 'fd10:0:2::3'], wan: [198.51.100.3]}\n"
	"  - name: nyc\n"
	"    lan: {prefixes: [172.16.3.0/24], vips: [172.16.3.254]}\n"
	"    subnets: [10.3.0.0/16]\n"
	"    gateways:\n"
	"      - {name: nyc-a, id: 5, public_key: BQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,\n"
	"         lan: [172.16.3.2], wan: [192.0.2.5]}\n"
	"policies:\n"
	"  - {between: [fra, sin], mtu: 1300}\n"
	"  - {between: [nyc, fra], connect: no}\n";

static const char node[] = "node: fra-a\n"
			   "interfaces: {lan: eth1, wan: [eth0]}\n"
			   "allow: [{from: 192.0.2.0/24, tcp: 22}, {from: 192.0.2.7/32, tcp: 22}]\n"
			   "web: {port: 443, allow: [192.0.2.0/24, 192.0.2.128/25]}\n";

static const char relays[] =
	"relays:\n"
	"  - {name: pop1, id: 101, public_key: ZQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,\n"
	"     wan: [192.0.2.101, 192.0.2.102]}\n";

static const char relay_node[] = "node: pop1\ninterfaces: {wan: [eth0, eth2]}\n";

struct fixture {
	struct config *config;
	struct state *state;
};

static int make(const char *mesh_text, const char *node_text, void **state)
{
	static struct fixture fixture;
	const size_t choices[] = { 0, 1, 0 };
	struct diag_list *diags = diag_list_new();
	int rc;

	rc = config_parse("mesh.yaml", mesh_text, strlen(mesh_text), "node.yaml", node_text,
			  strlen(node_text), true, diags, &fixture.config);
	if (rc)
		diag_print(diags, stderr);
	diag_list_free(diags);
	if (!rc)
		rc = wanted_make(fixture.config, choices, STATE_ENGINE_USER, &fixture.state);
	*state = &fixture;
	return rc;
}

static int setup(void **state)
{
	return make(mesh, node, state);
}

/* The site pair is bulk, which has two lanes; DSCP 8 has another. */
static int setup_lanes(void **state)
{
	const char *cut = strstr(mesh, "mtu: 1300");
	char text[4096];

	snprintf(text, sizeof(text),
		 "lanes: [best, protected, bulk, bulk]\n%.*sclass: bulk, dscp: {8: best}%s"
		 "  - {between: [sin, nyc], connect: no}\n",
		 (int)(cut - mesh), mesh, cut + strlen("mtu: 1300"));
	return make(text, node, state);
}

static int setup_relay(void **state)
{
	char both[sizeof(mesh) + sizeof(relays)];

	snprintf(both, sizeof(both), "%s%s", mesh, relays);
	return make(both, relay_node, state);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	state_free(fixture->state);
	config_free(fixture->config);
	return 0;
}

static const struct state_route *route_find(const struct state *state, uint32_t table,
					    uint32_t metric, const char *dst)
{
	struct ip_prefix prefix;

	assert_int_equal(ip_prefix_parse(dst, &prefix), 0);
	for (size_t i = 0; i < state->n_routes; i++)
		if (state->routes[i].table == table && state->routes[i].metric == metric &&
		    !ip_prefix_compare(&state->routes[i].dst, &prefix))
			return &state->routes[i];
	return NULL;
}

static void test_tunnels(void **state)
{
	const struct state *s = ((struct fixture *)*state)->state;
	const struct state_tunnel *tunnel = NULL;
	char text[IP_ADDR_STRLEN];

	/* One a gateway of every connected site, one to the partner, none to nyc. */
	assert_int_equal(s->n_tunnels, 3);
	for (size_t i = 0; i < s->n_tunnels; i++)
		if (s->tunnels[i].peer_id == 4000)
			tunnel = &s->tunnels[i];
	assert_non_null(tunnel);
	assert_string_equal(tunnel->ifname, "np4000");
	assert_int_equal(tunnel->listen_port, 16384 + 4000);
	assert_int_equal(tunnel->endpoint_port, 16384 + 1);
	assert_string_equal(ip_addr_format(&tunnel->endpoint, text), "198.51.100.1");
	assert_int_equal(tunnel->mtu, 1300);
	assert_true(tunnel->allowed_all);
	assert_int_equal(s->n_addresses, 3);
	assert_string_equal(ip_addr_format(&s->addresses[0].prefix.addr, text), "fe80::1");
}

/* By the LAN, for the two gateways' own talk: no site, no route, no lane leads there. */
static void test_partner(void **state)
{
	const struct fixture *fixture = *state;
	const struct state *s = fixture->state;
	const struct ruleset_params *params = &s->ruleset->params;
	const struct state_tunnel *tunnel = NULL;
	char text[IP_ADDR_STRLEN];

	for (size_t i = 0; i < s->n_tunnels; i++) {
		if (s->tunnels[i].peer_id == 2) {
			assert_null(tunnel);
			tunnel = &s->tunnels[i];
		}
	}
	assert_non_null(tunnel);
	assert_string_equal(tunnel->ifname, "np2");
	assert_int_equal(tunnel->listen_port, 16384 + 2);
	assert_int_equal(tunnel->endpoint_port, 16384 + 1);
	assert_string_equal(ip_addr_format(&tunnel->endpoint, text), "172.16.1.3");
	assert_int_equal(tunnel->keepalive_s, CONFIG_KEEPALIVE_S);
	assert_int_equal(tunnel->mtu, CONFIG_MTU_MIN);
	assert_true(tunnel->allowed_link);
	assert_false(tunnel->allowed_all);
	assert_true(key_equal(&tunnel->peer_key, &config_partner(fixture->config)->public_key));
	for (size_t i = 0; i < s->n_routes; i++)
		assert_string_not_equal(s->routes[i].ifname, "np2");
	for (size_t i = 0; i < s->ruleset->sets[RULESET_TUNNELS].n; i++)
		assert_string_not_equal(s->ruleset->sets[RULESET_TUNNELS].v[i].ifname, "np2");
	assert_string_equal(ip_addr_format(&params->pair_outer, text), "172.16.1.3");
	assert_string_equal(ip_addr_format(&params->pair_link, text), "fe80::2");
	assert_int_equal(params->pair_port, 16384 + 2);
	assert_string_equal(params->pair_ifname, "np2");
}

/* The LAN has one family only; and the gateway with the higher id does not begin. */
static int setup_partner6(void **state)
{
	char text[sizeof(mesh)], *at;

	strcpy(text, mesh);
	while ((at = strstr(text, "172.16.1.2, ")) || (at = strstr(text, "172.16.1.3, ")) ||
	       (at = strstr(text, "172.16.1.0/24, ")) || (at = strstr(text, "172.16.1.64/28, ")))
		memmove(at, strchr(at, ' ') + 1, strlen(strchr(at, ' ')));
	at = strstr(text, "routers: [172.16.1.1]");
	memcpy(at, "routers: []          ", strlen("routers: [172.16.1.1]"));
	at = strstr(text, "172.16.1.254");
	memcpy(at, "fd00:16:1::e", strlen("172.16.1.254"));
	at = strstr(text, "10.1.0.0/16");
	memcpy(at, "fd00:1::/32", strlen("10.1.0.0/16"));
	at = strstr(text, ", {prefix: 10.9.0.0/24, via: 172.16.1.7}");
	memset(at, ' ', strlen(", {prefix: 10.9.0.0/24, via: 172.16.1.7}"));
	return make(text, "node: fra-b\ninterfaces: {lan: eth1, wan: [eth0]}\n", state);
}

static void test_partner6(void **state)
{
	const struct fixture *fixture = *state;
	const struct state *s = fixture->state;
	char text[IP_ADDR_STRLEN];

	for (size_t i = 0; i < s->n_tunnels; i++) {
		if (s->tunnels[i].peer_id != 1)
			continue;
		assert_string_equal(ip_addr_format(&s->tunnels[i].endpoint, text), "fd00:16:1::2");
		assert_int_equal(s->tunnels[i].keepalive_s, 0);
		assert_string_equal(ip_addr_format(&s->ruleset->params.pair_outer, text),
				    "fd00:16:1::2");
		return;
	}
	fail_msg("there is no tunnel to the partner");
}

/* A site with one gateway has nobody to talk to. */
static int setup_alone(void **state)
{
	return make(mesh, "node: nyc-a\ninterfaces: {lan: eth1, wan: [eth0]}\n", state);
}

static void test_alone(void **state)
{
	const struct fixture *fixture = *state;
	const struct ruleset_params *params = &fixture->state->ruleset->params;

	assert_null(config_partner(fixture->config));
	for (size_t i = 0; i < fixture->state->n_tunnels; i++)
		assert_false(fixture->state->tunnels[i].allowed_link);
	assert_int_equal(params->pair_outer.family, IP_NONE);
	assert_int_equal(params->pair_link.family, IP_NONE);
	assert_int_equal(params->pair_port, 0);
	assert_string_equal(params->pair_ifname, "");
}

static void test_remote_routes(void **state)
{
	const struct state *s = ((struct fixture *)*state)->state;
	/* The site's number is the lowest id of its gateways. */
	const uint32_t table = STATE_TABLE_BASE + 30;

	assert_string_equal(route_find(s, table, STATE_METRIC_ACTIVE, "0.0.0.0/0")->ifname, "np30");
	assert_string_equal(route_find(s, table, STATE_METRIC_STANDBY, "0.0.0.0/0")->ifname,
			    "np4000");
	assert_string_equal(route_find(s, table, STATE_METRIC_ACTIVE, "::/0")->ifname, "np30");
	assert_int_equal(route_find(s, table, STATE_METRIC_LAST, "::/0")->type,
			 STATE_ROUTE_UNREACHABLE);
	assert_null(route_find(s, STATE_TABLE_BASE + 5, STATE_METRIC_ACTIVE, "0.0.0.0/0"));
}

static void test_own_routes(void **state)
{
	const struct state *s = ((struct fixture *)*state)->state;
	const uint32_t table = STATE_TABLE_BASE + 1;
	char text[IP_ADDR_STRLEN];
	const struct state_route *route;

	route = route_find(s, table, STATE_METRIC_ACTIVE, "10.9.0.0/24");
	assert_non_null(route);
	assert_string_equal(ip_addr_format(&route->via, text), "172.16.1.7");
	route = route_find(s, table, STATE_METRIC_ACTIVE, "0.0.0.0/0");
	assert_string_equal(ip_addr_format(&route->via, text), "172.16.1.1");
	/* No IPv6 router: everything is on link. */
	route = route_find(s, table, STATE_METRIC_ACTIVE, "::/0");
	assert_int_equal(route->via.family, IP_NONE);
	assert_string_equal(route->ifname, "eth1");
}

static void test_ruleset(void **state)
{
	const struct ruleset *ruleset = ((struct fixture *)*state)->state->ruleset;
	char text[IP_PREFIX_STRLEN];

	assert_int_equal(ruleset->params.own_mark, 1u << STATE_MARK_SHIFT);
	assert_int_equal(ruleset->params.hello_port, 16384);
	assert_int_equal(ruleset->params.port_first, 16385);
	assert_int_equal(ruleset->params.port_last, 16384 + 4095);
	assert_string_equal(ip_addr_format(&ruleset->params.pair4, text), "172.16.1.3");
	/*
	 * Own: 10.1.0.0/16, 10.9.0.0/24 and the LAN; 172.16.1.64/28 is inside that. Of sin:
	 * 10.2.0.0/16, which covers nothing, and the LAN. nyc is not connected.
	 */
	assert_int_equal(ruleset->sets[RULESET_SITES4].n, 5);
	/* sin's /32 covers its IPv6 LAN; fra's LAN. */
	assert_int_equal(ruleset->sets[RULESET_SITES6].n, 2);
	assert_int_equal(ruleset->sets[RULESET_SITES6].v[1].mark, 30u << STATE_MARK_SHIFT);
	/* All WAN addresses of sin's gateways, not those of nyc, not the own pair's. */
	assert_int_equal(ruleset->sets[RULESET_NODES4].n, 3);
	assert_int_equal(ruleset->sets[RULESET_TUNNELS].n, 2);
	assert_int_equal(ruleset->sets[RULESET_ALLOW4].n, 1);
	assert_int_equal(ruleset->sets[RULESET_ALLOW4].v[0].port, 22);
	/* The page: by the LAN, to its address, from a prefix that covers the other. */
	assert_int_equal(ruleset->sets[RULESET_WEB4].n, 1);
	assert_int_equal(ruleset->sets[RULESET_WEB4].v[0].port, 443);
	assert_int_equal(ruleset->sets[RULESET_WEB6].n, 0);
	assert_string_equal(ruleset->params.web_ifname, ruleset->params.lan);
	assert_int_equal(ip_addr_compare(&ruleset->params.web4, &ruleset->params.lan4), 0);
	assert_int_equal(ruleset->params.web6.family, IP_NONE);
}

static void test_rules(void **state)
{
	const struct state *s = ((struct fixture *)*state)->state;
	size_t marks = 0, from = 0, last = 0;

	for (size_t i = 0; i < s->n_rules; i++) {
		marks += s->rules[i].pref == STATE_RULE_PREF;
		from += s->rules[i].pref == STATE_RULE_PREF_FROM;
		last += s->rules[i].pref == STATE_RULE_PREF_LAST;
	}
	assert_int_equal(marks, 4); /* fra and sin, in each family */
	assert_int_equal(from, 2);
	assert_int_equal(last, 2);
}

/* For each gateway of sin the three lanes that the two sites use. */
static void test_lanes(void **state)
{
	const struct state *s = ((struct fixture *)*state)->state;
	static const char *const names[] = { "np30",   "np30-2",   "np30-3",
					     "np4000", "np4000-2", "np4000-3" };
	const uint32_t table = STATE_TABLE_BASE + 30;

	assert_int_equal(s->n_tunnels, 7);
	assert_int_equal(s->n_addresses, 7);
	assert_int_equal(s->ruleset->sets[RULESET_TUNNELS].n, 6);
	for (size_t i = 0; i < 6; i++) {
		/* The first one is the partner's, which has no lanes. */
		const struct state_tunnel *tunnel = &s->tunnels[i + 1];
		const unsigned int base = 16384 + 4096 * (i % 3 ? i % 3 + 1 : 0);

		assert_string_equal(tunnel->ifname, names[i]);
		assert_int_equal(tunnel->peer_id, i < 3 ? 30 : 4000);
		assert_int_equal(tunnel->listen_port, base + tunnel->peer_id);
		assert_int_equal(tunnel->endpoint_port, base + 1);
		assert_string_equal(s->addresses[i + 1].ifname, names[i]);
		assert_string_equal(s->ruleset->sets[RULESET_TUNNELS].v[i].ifname, names[i]);
		assert_int_equal(s->ruleset->sets[RULESET_TUNNELS].v[i].mark,
				 30u << STATE_MARK_SHIFT);
	}
	/* The stack's way is that of the class of the pair. */
	assert_string_equal(route_find(s, table, STATE_METRIC_ACTIVE, "0.0.0.0/0")->ifname,
			    "np30-2");
	assert_string_equal(route_find(s, table, STATE_METRIC_STANDBY, "::/0")->ifname, "np4000-2");
	assert_int_equal(s->ruleset->params.port_first, 16385);
	assert_int_equal(s->ruleset->params.port_last, 16384 + 4095 + 3 * 4096);
}

/* No tunnel, no route; but XDP forwards only where the interface does. */
static void test_relay(void **state)
{
	static const char *const paths[] = {
		"net/ipv4/conf/eth0/forwarding", "net/ipv4/conf/eth0/rp_filter",
		"net/ipv4/conf/eth2/forwarding", "net/ipv4/conf/eth2/rp_filter",
		"net/ipv6/conf/eth0/accept_ra",	 "net/ipv6/conf/eth0/forwarding",
		"net/ipv6/conf/eth2/accept_ra",	 "net/ipv6/conf/eth2/forwarding",
	};
	const struct state *s = ((struct fixture *)*state)->state;

	assert_int_equal(s->n_tunnels, 0);
	assert_int_equal(s->n_routes, 0);
	assert_int_equal(s->n_sysctls, sizeof(paths) / sizeof(paths[0]));
	for (size_t i = 0; i < s->n_sysctls; i++) {
		assert_string_equal(s->sysctls[i].path, paths[i]);
		assert_string_equal(s->sysctls[i].value,
				    strstr(paths[i], "forwarding") ? "1" : "2");
	}
}

/* Devices keep 1280 bytes; what is less is said by the routes, and taken back. */
static void test_limited_mtu(void **state)
{
	const struct fixture *f = *state;
	static const struct {
		uint16_t mtu, device, route;
	} table[] = {
		{ 1298, 1298, 0 }, { 1280, 1280, 0 }, { 1232, 1280, 1232 }, { 1300, 1300, 0 }
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		size_t routes = 0;

		wanted_limit_mtu(f->state, 4000, table[i].mtu);
		for (size_t t = 0; t < f->state->n_tunnels; t++)
			assert_int_equal(f->state->tunnels[t].mtu,
					 f->state->tunnels[t].peer_id == 4000 ? table[i].device
					 : f->state->tunnels[t].peer_id == 2  ? CONFIG_MTU_MIN
									      : 1300);
		for (size_t r = 0; r < f->state->n_routes; r++) {
			const bool to_it = !strcmp(f->state->routes[r].ifname, "np4000");

			routes += to_it;
			assert_int_equal(f->state->routes[r].mtu, to_it ? table[i].route : 0);
		}
		assert_int_equal(routes, 2);
	}
}

static size_t count_sysctls(const struct state *s, const char *path, const char *value)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_sysctls; i++)
		n += !strcmp(s->sysctls[i].path, path) && !strcmp(s->sysctls[i].value, value) &&
		     !strcmp(s->sysctls[i].only_from, "1");
	return n;
}

/* Strict source checks are in the way where there are several lines, and only there. */
static void test_several_wans(void **state)
{
	static const char several[] = "node: fra-a\ninterfaces: {lan: eth1, wan: [eth0, eth2]}\n";
	const struct fixture *f = *state;
	const size_t choices[] = { 0, 1, 0 };
	struct diag_list *diags = diag_list_new();
	struct config *config;
	struct state *s;

	assert_int_equal(count_sysctls(f->state, "net/ipv4/conf/eth0/rp_filter", "2"), 0);
	assert_int_equal(config_parse("mesh.yaml", mesh, sizeof(mesh) - 1, "node.yaml", several,
				      sizeof(several) - 1, true, diags, &config),
			 0);
	assert_int_equal(wanted_make(config, choices, STATE_ENGINE_USER, &s), 0);
	assert_int_equal(count_sysctls(s, "net/ipv4/conf/eth0/rp_filter", "2"), 1);
	assert_int_equal(count_sysctls(s, "net/ipv4/conf/eth2/rp_filter", "2"), 1);
	state_free(s);
	config_free(config);
	diag_list_free(diags);
}

static void test_ifname(void **state)
{
	static const char *const foreign[] = { "np1-",	 "np1-0",   "np1-4",	    "np1-01",
					       "np1-1x", "np1--1",  "np0-1",	    "np1-1-",
					       "np1+1",	 "np0",	    "np4096",	    "np01",
					       "np1a",	 "np",	    "np-1",	    "eth0",
					       "np 1",	 "npprobe", "np99999999999" };

	(void)state;
	assert_int_equal(wanted_ifname_id("np1"), 1);
	assert_int_equal(wanted_ifname_id("np4095"), 4095);
	assert_int_equal(wanted_ifname_id("np1-1"), 1);
	assert_int_equal(wanted_ifname_id("np4095-3"), 4095);
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		assert_int_equal(wanted_ifname_id(foreign[i]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_tunnels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_partner, setup, teardown),
		cmocka_unit_test_setup_teardown(test_partner6, setup_partner6, teardown),
		cmocka_unit_test_setup_teardown(test_alone, setup_alone, teardown),
		cmocka_unit_test_setup_teardown(test_remote_routes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own_routes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ruleset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lanes, setup_lanes, teardown),
		cmocka_unit_test_setup_teardown(test_relay, setup_relay, teardown),
		cmocka_unit_test_setup_teardown(test_limited_mtu, setup, teardown),
		cmocka_unit_test_setup_teardown(test_several_wans, setup, teardown),
		cmocka_unit_test(test_ifname),
	};

	return cmocka_run_group_tests_name("wanted", tests, NULL, NULL);
}
