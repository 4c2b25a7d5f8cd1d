/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Links, addresses, routes and rules against the kernel, in a network namespace of its own. iproute2 is the other witness: what these functions say is there must be there for it too.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "address.h"
#include "link.h"
#include "neighbour.h"
#include "netlink.h"
#include "route.h"
#include "sysctl.h"

#define TABLE 10003

static struct netlink *nl;

static const char *run(const char *command)
{
	static char buf[65536];
	FILE *pipe = popen(command, "r");
	size_t len;

	assert_non_null(pipe);
	len = fread(buf, 1, sizeof(buf) - 1, pipe);
	buf[len] = '\0';
	if (pclose(pipe))
		fail_msg("failed: %s", command);
	return buf;
}

static unsigned int lines(const char *text)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static struct ip_addr addr_of(const char *text)
{
	struct ip_addr addr = { 0 };

	if (text)
		assert_int_equal(ip_addr_parse(text, &addr), 0);
	return addr;
}

static struct ip_prefix prefix_of(const char *addr, uint8_t len)
{
	return (struct ip_prefix){ .addr = addr_of(addr), .len = len };
}

static int setup(void **state)
{
	(void)state;
	if (netlink_open(NETLINK_ROUTE, 0, &nl))
		return -1;
	run("ip link set lo up; for i in 1 2 3; do ip link add v$i mtu 1500 type veth peer p$i; "
	    "ip link set v$i up; ip link set p$i up; done");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	run("for i in 1 2 3; do ip link del v$i; done");
	netlink_close(nl);
	return 0;
}

/* -- Links -- */

static int count_link(const struct link_info *info, void *data)
{
	unsigned int *n = data;

	assert_true(info->index > 0);
	assert_true(info->name[0]);
	*n += !strncmp(info->name, "v", 1) && !strcmp(info->kind, "veth");
	return 0;
}

static int stop_link(const struct link_info *info, void *data)
{
	(void)info;
	return ++*(unsigned int *)data == 2 ? 77 : 0;
}

static void test_links(void **state)
{
	struct link_info info, by_index, untouched;
	unsigned int n = 0;

	(void)state;
	assert_int_equal(link_get(nl, "v1", &info), 0);
	assert_string_equal(info.name, "v1");
	assert_string_equal(info.kind, "veth");
	assert_int_equal(info.mtu, 1500);
	assert_true(info.up);
	assert_true(info.running);
	assert_int_equal(link_get_index(nl, info.index, &by_index), 0);
	assert_string_equal(by_index.name, "v1");
	assert_int_equal(link_get(nl, "lo", &info), 0);
	assert_string_equal(info.kind, "");

	assert_int_equal(link_dump(nl, count_link, &n), 0);
	assert_int_equal(n, 3);
	n = 0;
	assert_int_equal(link_dump(nl, stop_link, &n), 77);
	assert_int_equal(n, 2);

	memset(&untouched, 0x5a, sizeof(untouched));
	info = untouched;
	assert_int_equal(link_get(nl, "none", &info), -ENODEV);
	assert_int_equal(link_get(nl, "", &info), -ENODEV);
	assert_int_equal(link_get(nl, "a-name-of-sixteen", &info), -ENODEV);
	assert_int_equal(link_get_index(nl, 0x7ffffff0, &info), -ENODEV);
	assert_memory_equal(&info, &untouched, sizeof(info));
}

static void test_link_changes(void **state)
{
	struct link_info info;

	(void)state;
	run("ip link add w1 type veth peer name w2");
	assert_int_equal(link_set_mtu(nl, "w1", 1380), 0);
	assert_int_equal(link_set_up(nl, "w1", true), 0);
	assert_int_equal(link_get(nl, "w1", &info), 0);
	assert_int_equal(info.mtu, 1380);
	assert_true(info.up);
	assert_false(info.running); /* the other end is down */
	assert_int_equal(link_set_up(nl, "w2", true), 0);
	assert_int_equal(link_get(nl, "w1", &info), 0);
	assert_true(info.running);
	assert_int_equal(link_set_up(nl, "w1", false), 0);
	assert_int_equal(link_get(nl, "w1", &info), 0);
	assert_false(info.up);

	assert_int_equal(link_set_mtu(nl, "w1", 10000000), -EINVAL);
	assert_non_null(strstr(netlink_error(nl), "mtu")); /* the kernel's words */
	assert_int_equal(link_set_mtu(nl, "w1", 1400), 0);
	assert_string_equal(netlink_error(nl), "");
	assert_int_equal(link_set_mtu(nl, "none", 1400), -ENODEV);
	assert_int_equal(link_set_up(nl, "none", true), -ENODEV);

	/* Another's alternative name is not a name. */
	run("ip link property add dev w1 altname np77");
	assert_int_equal(link_get(nl, "np77", &info), -ENODEV);
	assert_int_equal(link_delete(nl, "np77"), 0);
	assert_int_equal(link_get(nl, "w1", &info), 0);

	assert_int_equal(link_delete(nl, "w1"), 0);
	assert_int_equal(link_get(nl, "w2", &info), -ENODEV);
	assert_int_equal(link_delete(nl, "w1"), 0);
	assert_int_equal(link_delete(nl, ""), 0);
}

static void test_link_wireguard(void **state)
{
	struct link_info info;
	int ret;

	(void)state;
	assert_int_equal(link_add_wireguard(nl, ""), -EINVAL);
	assert_int_equal(link_add_wireguard(nl, "v1"), -EEXIST);
	ret = link_add_wireguard(nl, "np9");
	if (ret == -EOPNOTSUPP) {
		print_message("no WireGuard in this kernel\n");
		assert_int_equal(link_get(nl, "np9", &info), -ENODEV);
		return;
	}
	assert_int_equal(ret, 0);
	assert_int_equal(link_add_wireguard(nl, "np9"), 0); /* there already */
	assert_int_equal(link_get(nl, "np9", &info), 0);
	assert_string_equal(info.kind, "wireguard");
	assert_int_equal(link_delete(nl, "np9"), 0);
}

/* -- Addresses -- */

struct find_address {
	const struct state_address *wanted;
	unsigned int n;
};

static int find_address(const struct state_address *address, void *data)
{
	struct find_address *find = data;

	find->n += !state_address_compare(address, find->wanted);
	return 0;
}

static unsigned int addresses_like(const struct state_address *address)
{
	struct find_address find = { .wanted = address };

	assert_int_equal(address_dump(nl, find_address, &find), 0);
	return find.n;
}

static int stop_address(const struct state_address *address, void *data)
{
	(void)data;
	return address->ifname[0] ? 55 : 0;
}

static void test_addresses(void **state)
{
	static const struct {
		const char *addr;
		uint8_t len;
	} table[] = { { "10.1.2.3", 24 },
		      { "169.254.0.3", 32 },
		      { "fd00::3", 64 },
		      { "fe80::3", 64 },
		      { "fd00:1::3", 128 } };
	char command[128];

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct state_address address = { .ifname = "v1",
						 .prefix = prefix_of(table[i].addr, table[i].len) };

		assert_int_equal(address_delete(nl, &address), 0); /* not there */
		assert_int_equal(addresses_like(&address), 0);
		assert_int_equal(address_add(nl, &address), 0);
		assert_int_equal(addresses_like(&address), 1);
		assert_int_equal(address_add(nl, &address), 0);
		assert_int_equal(addresses_like(&address), 1);
		/* Usable at once: no duplicate address detection. */
		assert_non_null(strstr(run("ip addr show dev v1"), table[i].addr));
		snprintf(command, sizeof(command), "ip -6 addr show dev v1 tentative to %s",
			 strchr(table[i].addr, ':') ? table[i].addr : "::1");
		assert_int_equal(lines(run(command)), 0);
		snprintf(address.ifname, sizeof(address.ifname), "v2");
		assert_int_equal(addresses_like(&address), 0);
		snprintf(address.ifname, sizeof(address.ifname), "v1");
	}
	assert_int_equal(lines(run("ip -6 route show fd00::/64 dev v1")), 1); /* prefix route */
	assert_int_equal(address_dump(nl, stop_address, NULL), 55);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct state_address address = { .ifname = "v1",
						 .prefix = prefix_of(table[i].addr, table[i].len) };

		assert_int_equal(address_delete(nl, &address), 0);
		assert_int_equal(addresses_like(&address), 0);
		assert_int_equal(address_delete(nl, &address), 0);
		snprintf(address.ifname, sizeof(address.ifname), "none");
		assert_int_equal(address_delete(nl, &address), 0);
		assert_int_equal(address_add(nl, &address), -ENODEV);
	}
	assert_int_equal(address_add(nl, &(struct state_address){ .ifname = "v1" }), -EINVAL);
}

static void test_address_error(void **state)
{
	struct state_address address = { .ifname = "v1", .prefix = prefix_of("fd00::9", 64) };

	(void)state;
	assert_int_equal(sysctl_write("net/ipv6/conf/v1/disable_ipv6", "1"), 0);
	assert_int_equal(address_add(nl, &address), -EACCES);
	assert_non_null(strstr(netlink_error(nl), "IPv6 is disabled"));
	assert_int_equal(sysctl_write("net/ipv6/conf/v1/disable_ipv6", "0"), 0);
}

/* -- Routes -- */

static const char *const zeros[] = { [IP_V4] = "0.0.0.0", [IP_V6] = "::" };
static const uint8_t families[] = { IP_V4, IP_V6 };

#define FAMILIES (sizeof(families) / sizeof(families[0]))

static struct state_route route_of(uint8_t family, uint32_t metric, const char *ifname)
{
	struct state_route route = {
		.table = TABLE,
		.metric = metric,
		.type = ifname ? STATE_ROUTE_UNICAST : STATE_ROUTE_UNREACHABLE,
		.dst = prefix_of(zeros[family], 0),
	};

	if (ifname)
		snprintf(route.ifname, sizeof(route.ifname), "%s", ifname);
	return route;
}

/* How many routes of ours are there, and how many of them are exactly this one. */
static unsigned int routes_like(const struct state_route *wanted, unsigned int *ret_all)
{
	struct state *state = state_new();
	unsigned int n = 0;

	assert_non_null(state);
	assert_int_equal(route_read(nl, state), 0);
	for (size_t i = 0; wanted && i < state->n_routes; i++) {
		const struct state_route *route = &state->routes[i];

		n += !state_route_compare(route, wanted) && route->type == wanted->type &&
		     !strcmp(route->ifname, wanted->ifname) &&
		     !ip_addr_compare(&route->via, &wanted->via) &&
		     !ip_addr_compare(&route->prefsrc, &wanted->prefsrc);
	}
	*ret_all = (unsigned int)state->n_routes;
	state_free(state);
	return n;
}

static void assert_routes(const struct state_route *wanted, unsigned int n, unsigned int all)
{
	unsigned int got_all;

	assert_int_equal(routes_like(wanted, &got_all), n);
	assert_int_equal(got_all, all);
}

/* As iproute2 sees the table. */
static unsigned int table_lines(uint8_t family)
{
	char command[64];

	snprintf(command, sizeof(command), "ip -%d route show table %d", family, TABLE);
	return lines(run(command));
}

static void replace(const struct state_route *route)
{
	int ret = route_replace(nl, route);

	if (ret)
		fail_msg("route_replace: %s: %s", strerror(-ret), netlink_error(nl));
}

/* The product's own case: the active gateway changes while standby and backstop stay. */
static void test_routes_active(void **state)
{
	(void)state;
	for (size_t f = 0; f < FAMILIES; f++) {
		struct state_route standby = route_of(families[f], 20, "v3");
		struct state_route last = route_of(families[f], 4096, NULL);
		struct state_route active;

		assert_routes(NULL, 0, 0);
		replace(&last);
		replace(&standby);
		for (unsigned int i = 0; i < 20; i++) {
			active = route_of(families[f], 10, i % 2 ? "v2" : "v1");
			replace(&active);
			assert_routes(&active, 1, 3);
			assert_routes(&standby, 1, 3);
			assert_routes(&last, 1, 3);
			assert_int_equal(table_lines(families[f]), 3);
		}
		replace(&active); /* again the same */
		replace(&last);
		assert_routes(&active, 1, 3);
		assert_int_equal(route_delete(nl, &active), 0);
		assert_routes(&standby, 1, 2);
		assert_int_equal(route_delete(nl, &active), 0);
		assert_int_equal(route_delete(nl, &standby), 0);
		assert_routes(&last, 1, 1);
		assert_int_equal(route_delete(nl, &last), 0);
		assert_int_equal(route_delete(nl, &last), 0);
		assert_routes(NULL, 0, 0);
		assert_int_equal(table_lines(families[f]), 0);
	}
}

/* Every kind of route replaces every other kind, and never stands beside it. */
static void test_routes_replace(void **state)
{
	static const char *const vias[] = { [IP_V4] = "192.0.2.9", [IP_V6] = "2001:db8::9" };

	(void)state;
	run("ip addr add 192.0.2.1/24 dev v1; ip addr add 2001:db8::1/64 dev v1 nodad");
	for (size_t f = 0; f < FAMILIES; f++) {
		struct state_route kinds[6] = {
			route_of(families[f], 10, "v1"), route_of(families[f], 10, "v2"),
			route_of(families[f], 10, NULL), route_of(families[f], 10, "v1"),
			route_of(families[f], 10, "v1"), route_of(families[f], 10, "v1"),
		};
		struct state_route other = route_of(families[f], 20, "v3");

		kinds[3].via = addr_of(vias[families[f]]);
		kinds[4].prefsrc = addr_of(families[f] == IP_V4 ? "192.0.2.1" : "2001:db8::1");
		kinds[5].mtu = 1232;
		replace(&other);
		for (size_t from = 0; from < 6; from++) {
			for (size_t to = 0; to < 6; to++) {
				replace(&kinds[from]);
				assert_routes(&kinds[from], 1, 2);
				replace(&kinds[to]);
				assert_routes(&kinds[to], 1, 2);
				assert_int_equal(table_lines(families[f]), 2);
			}
		}
		/* What is not as it was is not deleted in its stead. */
		assert_int_equal(route_delete(nl, &kinds[1]), 0);
		assert_routes(&kinds[5], 1, 2);
		assert_int_equal(route_delete(nl, &kinds[5]), 0);
		assert_int_equal(route_delete(nl, &other), 0);
		assert_routes(NULL, 0, 0);
	}
	run("ip addr flush dev v1 scope global");
}

static int note_route(const struct nlmsghdr *nlh, void *data)
{
	unsigned int *seen = data;

	if (nlh->nlmsg_type == RTM_NEWROUTE || nlh->nlmsg_type == RTM_DELROUTE)
		seen[nlh->nlmsg_type == RTM_DELROUTE]++;
	return MNL_CB_OK;
}

/* A replacement is one event: there is no moment without the route. */
static void test_routes_no_gap(void **state)
{
	static const uint32_t groups[] = {
		[IP_V4] = RTMGRP_IPV4_ROUTE, [IP_V6] = RTMGRP_IPV6_ROUTE
	};

	(void)state;
	for (size_t f = 0; f < FAMILIES; f++) {
		struct state_route a = route_of(families[f], 10, "v1");
		struct state_route b = route_of(families[f], 10, "v2");
		struct state_route c = route_of(families[f], 10, NULL);
		unsigned int seen[2] = { 0 };
		struct netlink *events;

		replace(&a);
		assert_int_equal(netlink_open(NETLINK_ROUTE, groups[families[f]], &events), 0);
		assert_int_equal(netlink_events(events, note_route, seen), 0);
		assert_int_equal(seen[0] + seen[1], 0);
		replace(&b);
		replace(&c);
		replace(&a);
		assert_int_equal(netlink_events(events, note_route, seen), 0);
		assert_int_equal(seen[0], 3);
		assert_int_equal(seen[1], 0);
		assert_int_equal(route_delete(nl, &a), 0);
		assert_int_equal(netlink_events(events, note_route, seen), 0);
		assert_int_equal(seen[1], 1);
		netlink_close(events);
	}
}

static void test_routes_prefixes(void **state)
{
	static const struct {
		const char *addr;
		uint8_t len;
	} table[] = { { "10.1.0.0", 16 }, { "10.9.0.0", 24 }, { "192.0.2.7", 32 },
		      { "fd00:1::", 48 }, { "fd00:2::", 64 }, { "2001:db8::7", 128 } };
	const unsigned int n = sizeof(table) / sizeof(table[0]);

	(void)state;
	for (unsigned int i = 0; i < n; i++) {
		struct state_route route = {
			.table = i % 2 ? TABLE : 200, /* both ends of the header's byte */
			.metric = 7,
			.dst = prefix_of(table[i].addr, table[i].len),
			.ifname = "v1",
		};

		replace(&route);
		assert_routes(&route, 1, 1);
		assert_int_equal(route_delete(nl, &route), 0);
		assert_routes(&route, 0, 0);
	}
}

static void test_routes_foreign(void **state)
{
	(void)state;
	for (size_t f = 0; f < FAMILIES; f++) {
		struct state_route own = route_of(families[f], 10, "v1");
		struct state_route foreign = route_of(families[f], 99, "v2");
		char command[160];

		snprintf(command, sizeof(command),
			 "ip -%d route add default dev v2 proto 99 metric 99 table %d && "
			 "ip -%d route add unreachable default proto static metric 98 table %d",
			 families[f], TABLE, families[f], TABLE);
		run(command);
		replace(&own);
		assert_routes(&own, 1, 1);
		assert_int_equal(table_lines(families[f]), 3);
		assert_int_equal(route_delete(nl, &foreign), 0); /* not ours: not there */
		foreign = route_of(families[f], 98, NULL);
		assert_int_equal(route_delete(nl, &foreign), 0);
		assert_int_equal(table_lines(families[f]), 3);
		assert_int_equal(route_delete(nl, &own), 0);
		assert_int_equal(table_lines(families[f]), 2);
		assert_routes(NULL, 0, 0);
		snprintf(command, sizeof(command), "ip -%d route flush table %d", families[f],
			 TABLE);
		run(command);
	}
}

/* What others have made of our routes is read as it is, and mended. */
static void test_routes_mended(void **state)
{
	struct state_route a = route_of(IP_V4, 10, "v1"), b = route_of(IP_V4, 10, "v2");
	struct state_route c = route_of(IP_V4, 10, "v3");

	(void)state;
	/* Three of one identity: the wanted one is behind the others. */
	replace(&a);
	run("ip route append default dev v2 proto 78 metric 10 table 10003 && "
	    "ip route append default dev v3 proto 78 metric 10 table 10003");
	assert_routes(&b, 1, 3);
	assert_routes(&c, 1, 3);
	replace(&c);
	assert_routes(&c, 1, 1);
	assert_int_equal(route_delete(nl, &c), 0);

	/* Multipath: every hop is seen. */
	run("ip route add default proto 78 metric 10 table 10003 "
	    "nexthop dev v1 nexthop dev v2");
	assert_routes(&a, 1, 2);
	assert_routes(&b, 1, 2);
	replace(&a);
	assert_routes(&a, 1, 1);
	assert_int_equal(route_delete(nl, &a), 0);

	run("ip addr add 2001:db8::1/64 dev v1 nodad; "
	    "ip -6 route add default proto 78 metric 10 table 10003 "
	    "nexthop via 2001:db8::8 dev v1 nexthop via 2001:db8::9 dev v1");
	a = route_of(IP_V6, 10, "v1");
	b = a;
	a.via = addr_of("2001:db8::8");
	b.via = addr_of("2001:db8::9");
	assert_routes(&a, 1, 2);
	assert_routes(&b, 1, 2);
	replace(&b);
	assert_routes(&b, 1, 1);
	assert_int_equal(route_delete(nl, &b), 0);
	run("ip addr flush dev v1 scope global");
	assert_routes(NULL, 0, 0);
}

static void test_routes_errors(void **state)
{
	struct state_route route = route_of(IP_V4, 10, "v1");

	(void)state;
	route.prefsrc = addr_of("198.51.100.77"); /* no address of this host */
	assert_int_equal(route_replace(nl, &route), -EINVAL);
	assert_string_equal(netlink_error(nl), "Invalid prefsrc address");
	route = route_of(IP_V4, 10, "none");
	assert_int_equal(route_replace(nl, &route), -ENODEV);
	assert_int_equal(route_delete(nl, &route), 0); /* gone with its link */
	route = route_of(IP_V4, 10, "v1");
	route.dst.addr.family = IP_NONE;
	assert_int_equal(route_replace(nl, &route), -EINVAL);
	route = route_of(IP_V6, 10, "v1");
	run("ip link set v1 down");
	assert_int_equal(route_replace(nl, &route), -ENETDOWN);
	assert_true(netlink_error(nl)[0] != '\0');
	run("ip link set v1 up");
	assert_routes(NULL, 0, 0);
}

/* -- Rules -- */

static unsigned int rules_like(const struct state_rule *wanted, unsigned int *ret_all)
{
	struct state *state = state_new();
	unsigned int n = 0;

	assert_non_null(state);
	assert_int_equal(rule_read(nl, state), 0);
	for (size_t i = 0; wanted && i < state->n_rules; i++)
		n += !state_rule_compare(&state->rules[i], wanted);
	*ret_all = (unsigned int)state->n_rules;
	state_free(state);
	return n;
}

static void assert_rules(const struct state_rule *wanted, unsigned int n, unsigned int all)
{
	unsigned int got_all;

	assert_int_equal(rules_like(wanted, &got_all), n);
	assert_int_equal(got_all, all);
}

static unsigned int rule_lines(uint8_t family)
{
	return lines(run(family == IP_V4 ? "ip -4 rule show" : "ip -6 rule show"));
}

static void test_rules(void **state)
{
	(void)state;
	for (size_t f = 0; f < FAMILIES; f++) {
		bool v4 = families[f] == IP_V4;
		struct state_rule rules[] = {
			{ .pref = 5000, .mark = 0x30000, .mask = 0xfff0000, .table = TABLE },
			{ .pref = 5000, .mark = 0x40000, .mask = 0xfff0000, .table = TABLE },
			{ .pref = 5000, .mark = 0, .mask = 0xfff0000, .table = 200 },
			{ .pref = 5001,
			  .from = prefix_of(v4 ? "172.16.1.0" : "fd00:16:1::", v4 ? 24 : 64),
			  .table = TABLE },
			{ .pref = 5001,
			  .from = prefix_of(v4 ? "172.16.1.2" : "fd00:16:1::2", v4 ? 32 : 128),
			  .table = TABLE + 1 },
			{ .pref = 32800, .ip_proto = v4 ? 1 : 58, .table = TABLE },
			{ .pref = 32800, .table = TABLE + 2 },
		};
		const unsigned int n = sizeof(rules) / sizeof(rules[0]);
		unsigned int before = rule_lines(families[f]);

		for (unsigned int i = 0; i < n; i++) {
			rules[i].family = families[f];
			assert_rules(&rules[i], 0, i);
			assert_int_equal(rule_delete(nl, &rules[i]), 0); /* not there */
			assert_int_equal(rule_add(nl, &rules[i]), 0);
			assert_rules(&rules[i], 1, i + 1);
			assert_int_equal(rule_add(nl, &rules[i]), 0);
			assert_rules(&rules[i], 1, i + 1);
			assert_int_equal(rule_lines(families[f]), before + i + 1);
		}
		for (unsigned int i = n; i-- > 0;) {
			assert_int_equal(rule_delete(nl, &rules[i]), 0);
			assert_rules(&rules[i], 0, i);
			assert_int_equal(rule_delete(nl, &rules[i]), 0);
			assert_rules(&rules[i], 0, i);
		}
		assert_int_equal(rule_lines(families[f]), before);
	}
	assert_int_equal(rule_add(nl, &(struct state_rule){ .pref = 1, .table = 1 }), -EINVAL);
}

/* A rule of another protocol that says the same is neither taken for ours nor removed. */
static void test_rules_foreign(void **state)
{
	(void)state;
	for (size_t f = 0; f < FAMILIES; f++) {
		struct state_rule rule = { .family = families[f],
					   .pref = 5000,
					   .mark = 0x30000,
					   .mask = 0xfff0000,
					   .table = TABLE };
		unsigned int before = rule_lines(families[f]);
		char command[128];

		snprintf(command, sizeof(command),
			 "ip -%d rule add pref 5000 fwmark 0x30000/0xfff0000 table %d protocol 99",
			 families[f], TABLE);
		run(command);
		assert_rules(NULL, 0, 0);
		assert_int_equal(rule_delete(nl, &rule), 0);
		assert_int_equal(rule_lines(families[f]), before + 1);
		assert_int_equal(rule_add(nl, &rule), 0);
		assert_rules(&rule, 1, 1);
		assert_int_equal(rule_add(nl, &rule), 0);
		assert_rules(&rule, 1, 1);
		assert_int_equal(rule_lines(families[f]), before + 2);
		assert_int_equal(rule_delete(nl, &rule), 0);
		assert_rules(NULL, 0, 0);
		assert_int_equal(rule_lines(families[f]), before + 1);
		snprintf(command, sizeof(command), "ip -%d rule del pref 5000", families[f]);
		run(command);
	}
}

/* -- Neighbours -- */

struct neighbours {
	unsigned int n, known;
};

static int count_neighbour(const struct ip_addr *addr, void *data)
{
	static const char *const known[] = { "192.0.2.1", "192.0.2.2", "2001:db8::1" };
	struct neighbours *neighbours = data;

	neighbours->n++;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		const struct ip_addr expected = addr_of(known[i]);

		neighbours->known += !ip_addr_compare(addr, &expected);
	}
	return 0;
}

static int stop_neighbour(const struct ip_addr *addr, void *data)
{
	(void)addr;
	return ++*(unsigned int *)data == 2 ? 77 : 0;
}

/* Those with an address of theirs, on that link; not those that do not answer. */
static void test_neighbours(void **state)
{
	struct neighbours neighbours = { 0 };
	unsigned int n = 0;

	(void)state;
	run("ip neigh add 192.0.2.1 lladdr 02:00:00:00:00:11 dev v1 nud reachable; "
	    "ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:12 dev v1 nud stale; "
	    "ip neigh add 2001:db8::1 lladdr 02:00:00:00:00:13 dev v1 nud stale; "
	    "ip neigh add 192.0.2.3 dev v1 nud failed; "
	    "ip neigh add 192.0.2.4 lladdr 02:00:00:00:00:14 dev v2 nud stale");
	assert_int_equal(neighbour_dump(nl, "v1", count_neighbour, &neighbours), 0);
	assert_int_equal(neighbours.known, 3);
	assert_int_equal(neighbours.n, 3);
	assert_int_equal(neighbour_dump(nl, "v1", stop_neighbour, &n), 77);
	assert_int_equal(neighbour_dump(nl, "v9", count_neighbour, &neighbours), -ENODEV);
	assert_int_equal(neighbours.n, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_links),		cmocka_unit_test(test_link_changes),
		cmocka_unit_test(test_link_wireguard),	cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_address_error),	cmocka_unit_test(test_routes_active),
		cmocka_unit_test(test_routes_replace),	cmocka_unit_test(test_routes_no_gap),
		cmocka_unit_test(test_routes_prefixes), cmocka_unit_test(test_routes_foreign),
		cmocka_unit_test(test_routes_mended),	cmocka_unit_test(test_routes_errors),
		cmocka_unit_test(test_rules),		cmocka_unit_test(test_rules_foreign),
		cmocka_unit_test(test_neighbours),
	};

	if (unshare(CLONE_NEWNET)) {
		printf("1..0 # SKIP no network namespace for rtnetlink: %s\n", strerror(errno));
		return 0;
	}
	return cmocka_run_group_tests_name("rtnetlink", tests, setup, teardown);
}
