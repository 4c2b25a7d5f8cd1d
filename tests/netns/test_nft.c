/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table in the kernel: written and read back, changed, spoilt by others, refused. What the
 * rules do to packets is test_packets.c. In a network namespace of its own; nft (the program)
 * plays the others.
 */
#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "nft.h"
#include "nft_table.h"
#include "params.h"

#define OWN 0x00010000u
#define SITE2 0x00020000u
#define SITE3 0x00030000u

static struct nft *nft;

/* -- Rulesets. -- */

/* With adjacent prefixes, first and last addresses of all, and both ends of prefix lengths. */
static struct ruleset *make_ruleset(void)
{
	struct ruleset *ruleset = ruleset_new();
	struct ruleset_params *params;

	assert_non_null(ruleset);
	ruleset->intact = true;
	params = &ruleset->params;
	*params = (struct ruleset_params){ .lan = "lan0",
					   .mark_mask = 0x0fff0000,
					   .own_mark = OWN,
					   .port_first = 16385,
					   .port_last = 20479,
					   .hello_port = 16384 };
	params_addresses(params);

	add(ruleset, RULESET_SITES4, "10.1.0.0/16", OWN);
	add(ruleset, RULESET_SITES4, "10.2.0.0/16", SITE2);
	add(ruleset, RULESET_SITES4, "10.3.0.0/16", SITE2);
	add(ruleset, RULESET_SITES4, "10.4.0.0/24", SITE3);
	add(ruleset, RULESET_SITES4, "192.0.2.7/32", SITE3);
	add(ruleset, RULESET_SITES4, "0.0.0.0/8", SITE3);
	add(ruleset, RULESET_SITES4, "255.255.255.0/24", SITE3);
	add(ruleset, RULESET_SITES6, "fd00:1::/48", OWN);
	add(ruleset, RULESET_SITES6, "fd00:2::/48", SITE2);
	add(ruleset, RULESET_SITES6, "fd00:2:1::/48", SITE3);
	add(ruleset, RULESET_SITES6, "2001:db8::1/128", SITE3);
	add(ruleset, RULESET_SITES6, "ff00::/8", SITE3);
	add(ruleset, RULESET_NODES4, "198.51.100.7/32", 0);
	add(ruleset, RULESET_NODES4, "198.51.100.8/32", 0);
	add(ruleset, RULESET_NODES6, "2001:db8:7::7/128", 0);
	strcpy(add(ruleset, RULESET_TUNNELS, NULL, SITE2)->ifname, "np3");
	strcpy(add(ruleset, RULESET_TUNNELS, NULL, SITE3)->ifname, "np4095");
	add(ruleset, RULESET_CLAMPED, NULL, SITE2);
	add_allow(ruleset, RULESET_ALLOW4, "192.0.2.0/24", IPPROTO_TCP, 22);
	add_allow(ruleset, RULESET_ALLOW4, "0.0.0.0/0", IPPROTO_UDP, 161);
	add_allow(ruleset, RULESET_WEB4, "192.0.2.9/32", IPPROTO_UDP, 65535);
	add_allow(ruleset, RULESET_ALLOW6, "::/0", IPPROTO_TCP, 443);
	add_allow(ruleset, RULESET_WEB6, "2001:db8::/32", IPPROTO_TCP, 22);
	add_allow(ruleset, RULESET_ALLOW6, "2001:db8::/32", IPPROTO_TCP, 22);
	add_pair(ruleset, "lan0", 3);
	ruleset_sort(ruleset);
	return ruleset;
}

static void assert_same_elems(const struct ruleset *a, const struct ruleset *b)
{
	for (enum ruleset_set set = 0; set < RULESET_SET_MAX; set++) {
		if (a->sets[set].n != b->sets[set].n)
			fail_msg("%s: %zu elements, not %zu", ruleset_set_names[set],
				 a->sets[set].n, b->sets[set].n);
		for (size_t i = 0; i < a->sets[set].n; i++) {
			if (ruleset_elem_compare(set, &a->sets[set].v[i], &b->sets[set].v[i]))
				fail_msg("%s: element %zu is another", ruleset_set_names[set], i);
		}
	}
}

static struct ruleset *read_back(const struct ruleset *wanted)
{
	struct ruleset *ruleset;

	if (nft_read(nft, wanted, &ruleset))
		fail_msg("nft_read: %s", nft_error(nft));
	return ruleset;
}

static void assert_holds(const struct ruleset *wanted)
{
	struct ruleset *back = read_back(wanted);

	assert_non_null(back);
	assert_true(back->intact);
	assert_true(ruleset_params_equal(&back->params, &wanted->params));
	assert_same_elems(back, wanted);
	ruleset_free(back);
}

static void replace(const struct ruleset *ruleset)
{
	if (nft_replace(nft, ruleset))
		fail_msg("nft_replace: %s", nft_error(nft));
}

/* -- The others. -- */

static void run(const char *command)
{
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

static char *output(const char *command)
{
	FILE *in = popen(command, "r");
	char *text = NULL;
	size_t size = 0;

	assert_non_null(in);
	assert_true(getdelim(&text, &size, '\0', in) > 0);
	assert_int_equal(pclose(in), 0);
	return text;
}

static char *handles(void)
{
	return output("nft -s -a list table inet netpas | grep -v -e 'elements = ' -e '^\t\t\t '");
}

static int setup(void **state)
{
	(void)state;
	return nft_open(&nft);
}

static int teardown(void **state)
{
	(void)state;
	nft_close(nft);
	return 0;
}

/* -- Tests. -- */

static void test_no_table(void **state)
{
	struct ruleset *ruleset = make_ruleset();
	struct nft_counter *counters;
	size_t n;

	(void)state;
	assert_null(read_back(ruleset));
	assert_null(read_back(NULL));
	assert_int_equal(nft_delete(nft), 0);
	assert_string_equal(nft_error(nft), "");
	assert_int_equal(nft_counters(nft, &counters, &n), 0);
	assert_int_equal(n, 0);
	free(counters);
	ruleset_free(ruleset);
}

static void test_round_trip(void **state)
{
	struct ruleset *ruleset = make_ruleset(), *back;

	(void)state;
	replace(ruleset);
	assert_holds(ruleset);
	replace(ruleset);
	assert_holds(ruleset);

	back = read_back(NULL);
	assert_false(back->intact);
	assert_same_elems(back, ruleset);
	ruleset_free(back);

	assert_int_equal(nft_delete(nft), 0);
	assert_null(read_back(ruleset));
	ruleset_free(ruleset);
}

static void test_everything_is_a_prefix_too(void **state)
{
	struct ruleset *ruleset = make_ruleset();

	(void)state;
	ruleset->sets[RULESET_SITES4].n = 0;
	ruleset->sets[RULESET_SITES6].n = 0;
	add(ruleset, RULESET_SITES4, "0.0.0.0/0", OWN);
	add(ruleset, RULESET_SITES6, "::/0", OWN);
	replace(ruleset);
	assert_holds(ruleset);
	ruleset_free(ruleset);
}

static void test_addresses_may_be_missing(void **state)
{
	struct ruleset *ruleset = make_ruleset();
	struct ip_addr *const addrs[] = { &ruleset->params.lan4,       &ruleset->params.lan6,
					  &ruleset->params.pair4,      &ruleset->params.pair6,
					  &ruleset->params.pair_outer, &ruleset->params.pair_link };
	const struct ruleset_params params = ruleset->params;

	(void)state;
	for (unsigned int missing = 0; missing < 64; missing++) {
		ruleset->params = params;
		for (size_t i = 0; i < 6; i++)
			if (missing & 1u << i)
				*addrs[i] = (struct ip_addr){ .family = IP_NONE };
		replace(ruleset);
		assert_holds(ruleset);
	}
	ruleset_free(ruleset);
}

/* Each member of params that is another makes rules that are. */
static void test_params_show(void **state)
{
	struct ruleset *ruleset = make_ruleset();
	const struct ruleset_params params = ruleset->params;

	(void)state;
	replace(ruleset);
	for (int i = 0; i < 16; i++) {
		struct ruleset_params *p = &ruleset->params;
		struct ruleset *back;

		*p = params;
		p->lan[0] += i == 0;
		p->mark_mask <<= i == 1;
		p->own_mark <<= i == 2;
		p->port_first += i == 3;
		p->port_last += i == 4;
		p->hello_port += i == 5;
		p->lan4.bytes[3] += i == 6;
		p->lan6.bytes[15] += i == 7;
		p->pair4.bytes[3] += i == 8;
		p->pair6.family = i == 9 ? IP_NONE : IP_V6;
		p->pair_outer.bytes[0] += i == 10;
		p->pair_outer.family = i == 11 ? IP_V6 : IP_V4;
		p->pair_link.bytes[15] += i == 12;
		p->pair_port += i == 13;
		p->pair_ifname[2] += i == 14;
		p->drills = i != 15;
		back = read_back(ruleset);
		assert_false(back->intact);
		assert_string_equal(back->params.lan, "");
		ruleset_free(back);
	}
	ruleset_free(ruleset);
}

/* Only what is told is touched: rules keep their handles, counters their counts. */
static void test_change(void **state)
{
	struct ruleset *ruleset = make_ruleset(), *removed = make_ruleset(), *added = ruleset_new();
	char *before, *after;

	(void)state;
	replace(ruleset);
	before = handles();
	for (size_t i = 0; i < RULESET_SET_MAX; i++)
		removed->sets[i].n = 1;
	add(added, RULESET_SITES4, "10.9.0.0/16", SITE2);
	add(added, RULESET_SITES6, "fd00:9::/48", SITE2);
	add(added, RULESET_NODES4, "198.51.100.9/32", 0);
	add(added, RULESET_NODES6, "2001:db8:7::9/128", 0);
	strcpy(add(added, RULESET_TUNNELS, NULL, SITE2)->ifname, "np9");
	add(added, RULESET_CLAMPED, NULL, SITE3);
	for (enum ruleset_set i = RULESET_ALLOW4; i <= RULESET_WEB6; i++)
		add_allow(added, i, (i - RULESET_ALLOW4) % 2 ? "2001:db9::/32" : "192.0.3.0/24",
			  IPPROTO_TCP, 22);
	add_pair(added, "lan1", 4);
	assert_int_equal(nft_change(nft, removed->sets, added->sets), 0);
	after = handles();
	assert_string_equal(before, after);

	for (enum ruleset_set i = 0; i < RULESET_SET_MAX; i++) {
		struct ruleset_elems *elems = &ruleset->sets[i];

		memmove(&elems->v[0], &elems->v[1], --elems->n * sizeof(elems->v[0]));
		*ruleset_add(ruleset, i) = added->sets[i].v[0];
	}
	ruleset_sort(ruleset);
	assert_holds(ruleset);
	/* And back. */
	assert_int_equal(nft_change(nft, added->sets, removed->sets), 0);
	ruleset_free(ruleset);
	ruleset = make_ruleset();
	assert_holds(ruleset);
	free(before);
	free(after);
	ruleset_free(removed);
	ruleset_free(added);
	ruleset_free(ruleset);
}

/* The same subnet, another site: a removal and an addition of one key in one transaction. */
static void test_move_between_sites(void **state)
{
	struct ruleset *ruleset = make_ruleset(), *removed = ruleset_new(), *added = ruleset_new();
	static const struct {
		enum ruleset_set set;
		const char *prefix;
		uint32_t from, to;
	} table[] = {
		{ RULESET_SITES4, "10.2.0.0/16", SITE2, SITE3 },
		{ RULESET_SITES4, "0.0.0.0/8", SITE3, SITE2 },
		{ RULESET_SITES4, "255.255.255.0/24", SITE3, SITE2 },
		{ RULESET_SITES6, "fd00:2:1::/48", SITE3, SITE2 },
		{ RULESET_SITES6, "ff00::/8", SITE3, SITE2 },
	};

	(void)state;
	replace(ruleset);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		add(removed, table[i].set, table[i].prefix, table[i].from);
		add(added, table[i].set, table[i].prefix, table[i].to);
	}
	assert_int_equal(nft_change(nft, removed->sets, added->sets), 0);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct ruleset_elems *elems = &ruleset->sets[table[i].set];
		struct ip_prefix prefix;

		assert_int_equal(ip_prefix_parse(table[i].prefix, &prefix), 0);
		for (size_t k = 0; k < elems->n; k++) {
			if (ip_prefix_compare(&elems->v[k].prefix, &prefix) == 0)
				elems->v[k].mark = table[i].to;
		}
	}
	assert_holds(ruleset);
	ruleset_free(removed);
	ruleset_free(added);
	ruleset_free(ruleset);
}

/* A prefix becomes its halves, and the halves it: they lie over each other in one transaction. */
static void test_split_and_join(void **state)
{
	struct ruleset *whole = make_ruleset(), *halves = make_ruleset();
	struct ruleset *one = ruleset_new(), *two = ruleset_new();

	(void)state;
	add(one, RULESET_SITES4, "10.64.0.0/16", SITE2);
	add(two, RULESET_SITES4, "10.64.0.0/17", SITE3);
	add(two, RULESET_SITES4, "10.64.128.0/17", SITE2);
	add(whole, RULESET_SITES4, "10.64.0.0/16", SITE2);
	add(halves, RULESET_SITES4, "10.64.0.0/17", SITE3);
	add(halves, RULESET_SITES4, "10.64.128.0/17", SITE2);
	ruleset_sort(whole);
	ruleset_sort(halves);
	replace(whole);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(nft_change(nft, one->sets, two->sets), 0);
		assert_holds(halves);
		assert_int_equal(nft_change(nft, two->sets, one->sets), 0);
		assert_holds(whole);
	}
	ruleset_free(whole);
	ruleset_free(halves);
	ruleset_free(one);
	ruleset_free(two);
}

/* Neighbours go one by one, in any order, and come back. */
static void test_adjacent_one_by_one(void **state)
{
	static const size_t order[] = { 3, 0, 7, 4, 1, 6, 2, 5 };
	struct ruleset *ruleset = make_ruleset(), *none = ruleset_new();
	struct ruleset_elem row[8];
	bool there[8];

	(void)state;
	for (unsigned int i = 0; i < 8; i++) {
		row[i] = *add(ruleset, RULESET_SITES4, "10.128.0.0/24", i % 2 ? SITE2 : SITE3);
		row[i].prefix.addr.bytes[2] = (uint8_t)i;
		ruleset->sets[RULESET_SITES4].n--;
		there[i] = false;
	}
	replace(ruleset);
	for (int round = 0; round < 4; round++) {
		for (size_t i = 0; i < 8; i++) {
			const size_t k = order[round % 2 ? 7 - i : i];
			struct ruleset_elems one[RULESET_SET_MAX] = {
				[RULESET_SITES4] = { .v = &row[k], .n = 1, .capacity = 1 },
			};
			struct ruleset *wanted = make_ruleset();

			assert_int_equal(there[k] ? nft_change(nft, one, none->sets)
						  : nft_change(nft, none->sets, one),
					 0);
			there[k] = !there[k];
			for (size_t n = 0; n < 8; n++) {
				if (there[n])
					*ruleset_add(wanted, RULESET_SITES4) = row[n];
			}
			ruleset_sort(wanted);
			assert_holds(wanted);
			ruleset_free(wanted);
		}
	}
	ruleset_free(ruleset);
	ruleset_free(none);
}

/* What the kernel refuses leaves the old table as it was, and is said. */
static void test_refused(void **state)
{
	struct ruleset *ruleset = make_ruleset(), *bad = make_ruleset(), *change = ruleset_new();
	struct ruleset *none = ruleset_new();
	char *before, *after;

	(void)state;
	replace(ruleset);
	before = output("nft -a list table inet netpas");

	add(bad, RULESET_SITES4, "10.1.2.0/24", SITE2); /* inside 10.1.0.0/16 of another */
	assert_true(nft_replace(nft, bad) < 0);
	assert_non_null(strstr(nft_error(nft), "add elements of set sites4"));
	assert_non_null(strstr(nft_error(nft), "10.1.2.0"));

	/* One of these is not there; no part is done. */
	add(change, RULESET_SITES4, "10.2.0.0/16", SITE2);
	add(change, RULESET_NODES4, "203.0.113.99/32", 0);
	assert_int_equal(nft_change(nft, change->sets, none->sets), -ENOENT);
	assert_non_null(strstr(nft_error(nft), "delete elements of set nodes4"));
	assert_non_null(strstr(nft_error(nft), "203.0.113.99"));

	add(none, RULESET_SITES6, "fd00:2::/32", SITE3); /* over fd00:2::/48 */
	change->sets[RULESET_NODES4].n = 0;
	assert_true(nft_change(nft, change->sets, none->sets) < 0);
	assert_non_null(strstr(nft_error(nft), "sites6"));

	after = output("nft -a list table inet netpas");
	assert_string_equal(before, after);
	assert_holds(ruleset);
	assert_string_equal(nft_error(nft), "");

	/* A change of a table that is not there. */
	assert_int_equal(nft_delete(nft), 0);
	assert_true(nft_change(nft, change->sets, change->sets) < 0);
	assert_null(read_back(ruleset));
	free(before);
	free(after);
	ruleset_free(ruleset);
	ruleset_free(bad);
	ruleset_free(change);
	ruleset_free(none);
}

/* Whatever somebody does to the table by hand is seen, and mended. */
static void test_foreign_changes_are_seen(void **state)
{
	static const char *const commands[] = {
		"nft flush chain inet netpas input",
		"nft delete rule inet netpas input handle $(nft -a list chain inet netpas input |"
		" sed -n 's/.*# handle //p' | tail -n 1)",
		"nft add rule inet netpas input accept",
		"nft insert rule inet netpas input accept",
		"nft insert rule inet netpas prerouting ip daddr 1.2.3.4 drop",
		"nft add rule inet netpas forward ip daddr '{ 1.2.3.4, 1.2.3.5 }' accept",
		"nft replace rule inet netpas from_lan_stranger handle $(nft -a list chain inet"
		" netpas from_lan_stranger | sed -n '/mark/s/.*# handle //p') meta mark set 0x1",
		"nft replace rule inet netpas from_lan_stranger handle $(nft -a list chain inet"
		" netpas from_lan_stranger | sed -n '/mark/s/.*# handle //p')"
		" meta mark set 0x0 comment mine",
		"nft chain inet netpas forward '{ policy accept; }'",
		"nft add chain inet netpas mine",
		"nft add chain inet netpas mine"
		" '{ type filter hook forward priority -1; policy accept; }'",
		"nft add set inet netpas mine '{ type ipv4_addr; }'",
		"nft add counter inet netpas mine",
		"nft add quota inet netpas mine over 1 mbytes",
		"nft add table inet netpas '{ flags dormant; }'",
		"nft add element inet netpas sites4 '{ 10.77.0.1-10.77.0.6 : 0x20000 }'",
		"nft add element inet netpas allow4 '{ 10.77.0.1-10.77.0.6 . tcp . 22 }'",
		"nft add element inet netpas allow4 '{ 10.77.0.0/24 . tcp . 22-23 }'",
		"nft delete table inet netpas && nft add table inet netpas",
		"nft list table inet netpas > /dev/null && nft flush table inet netpas",
	};
	struct ruleset *ruleset = make_ruleset();

	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		struct ruleset *back;

		replace(ruleset);
		assert_holds(ruleset);
		run(commands[i]);
		back = read_back(ruleset);
		assert_non_null(back);
		if (back->intact)
			fail_msg("not seen: %s", commands[i]);
		assert_string_equal(back->params.lan, "");
		ruleset_free(back);
	}
	replace(ruleset);
	assert_holds(ruleset);
	ruleset_free(ruleset);
}

/* An element that somebody adds or removes is no damage: it shows as an element. */
static void test_foreign_elements_are_elements(void **state)
{
	struct ruleset *ruleset = make_ruleset(), *wanted = make_ruleset();

	(void)state;
	replace(ruleset);
	run("nft add element inet netpas sites4 '{ 10.77.0.0/24 : 0x20000 }'");
	run("nft add element inet netpas nodes6 '{ 2001:db8:7::77 }'");
	run("nft add element inet netpas tunnels '{ \"np77\" . 0x20000 }'");
	run("nft add element inet netpas clamped '{ 0x30000 }'");
	run("nft add element inet netpas allow6 '{ 2001:db8:77::/48 . udp . 53 }'");
	run("nft delete element inet netpas nodes4 '{ 198.51.100.8 }'");
	add(wanted, RULESET_SITES4, "10.77.0.0/24", SITE2);
	add(wanted, RULESET_NODES6, "2001:db8:7::77/128", 0);
	strcpy(add(wanted, RULESET_TUNNELS, NULL, SITE2)->ifname, "np77");
	add(wanted, RULESET_CLAMPED, NULL, SITE3);
	add_allow(wanted, RULESET_ALLOW6, "2001:db8:77::/48", IPPROTO_UDP, 53);
	wanted->sets[RULESET_NODES4].n--;
	ruleset_sort(wanted);
	assert_holds(wanted);
	ruleset_free(ruleset);
	ruleset_free(wanted);
}

/* Others' tables are neither read nor touched. */
static void test_other_tables(void **state)
{
	struct ruleset *ruleset = make_ruleset();
	char *before, *after;

	(void)state;
	run("nft -f - <<'END'\n"
	    "add table inet other\n"
	    "add chain inet other input { type filter hook input priority 0; }\n"
	    "add rule inet other input accept\n"
	    "add set inet other nodes4 { type ipv4_addr; elements = { 9.9.9.9 }; }\n"
	    "add counter inet other drop_input\n"
	    "add table ip netpas\n"
	    "add chain ip netpas input\n"
	    "add rule ip netpas input accept\n"
	    "END");
	before = output("nft -a list table inet other; nft -a list table ip netpas");
	replace(ruleset);
	assert_holds(ruleset);
	assert_int_equal(nft_delete(nft), 0);
	assert_null(read_back(ruleset));
	after = output("nft -a list table inet other; nft -a list table ip netpas");
	assert_string_equal(before, after);
	run("nft delete table inet other; nft delete table ip netpas");
	free(before);
	free(after);
	ruleset_free(ruleset);
}

/* What nft prints nft takes back, and it is the same table then. */
static void test_nft_prints_it(void **state)
{
	static const char *const lines[] = {
		"type ipv4_addr : mark",
		"type ifname . mark",
		"10.2.0.0/16 : 0x00020000",
		"255.255.255.0/24 : 0x00030000",
		"\"np3\" . 0x00020000",
		"192.0.2.0/24 . tcp . 22",
		"::/0 . tcp . 443",
		"meta mark set ip saddr map @sites4",
		"iifname . meta mark != @tunnels counter name \"drop_tunnel_source\" drop",
		"type filter hook forward priority filter; policy drop;",
	};
	struct ruleset *ruleset = make_ruleset();
	char *before, *after;

	(void)state;
	replace(ruleset);
	before = output("nft list table inet netpas");
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (!strstr(before, lines[i]))
			fail_msg("nft does not print: %s", lines[i]);
	}
	run("nft list table inet netpas | "
	    "{ echo 'delete table inet netpas'; cat; } >/tmp/netpas-test-nft.$PPID && "
	    "nft -f /tmp/netpas-test-nft.$PPID; rc=$?; rm /tmp/netpas-test-nft.$PPID; exit $rc");
	after = output("nft list table inet netpas");
	assert_string_equal(before, after);
	free(before);
	free(after);
	ruleset_free(ruleset);
}

static void test_counters_are_listed(void **state)
{
	struct ruleset *ruleset = make_ruleset();
	struct nft_counter *counters;
	size_t n, found = 0;

	(void)state;
	replace(ruleset);
	assert_int_equal(nft_counters(nft, &counters, &n), 0);
	assert_int_equal(n, NFT_COUNT_MAX);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < n; k++)
			found += !strcmp(counters[i].name, nft_count_names[k]);
	}
	assert_int_equal(found, n);
	free(counters);
	ruleset_free(ruleset);
}

/* Half IPv4, half IPv6, neighbours of different sites. */
static struct ruleset *make_large(size_t n)
{
	struct ruleset *ruleset = make_ruleset();

	ruleset->sets[RULESET_SITES4].n = 0;
	ruleset->sets[RULESET_SITES6].n = 0;
	for (size_t i = 0; i < n; i++) {
		const bool v4 = i % 2;
		const uint32_t first4 = htobe32((10u << 24) + (uint32_t)i * 16);
		const uint32_t first6 = htobe32((uint32_t)i);
		struct ruleset_elem *elem = add(ruleset, v4 ? RULESET_SITES4 : RULESET_SITES6, NULL,
						i % 4 < 2 ? SITE2 : SITE3);

		elem->prefix.addr.family = v4 ? IP_V4 : IP_V6;
		elem->prefix.len = v4 ? 28 : 48;
		elem->prefix.addr.bytes[0] = 0xfd;
		memcpy(elem->prefix.addr.bytes + (v4 ? 0 : 2), v4 ? &first4 : &first6, 4);
	}
	ruleset_sort(ruleset);
	return ruleset;
}

static void test_large(void **state)
{
	struct ruleset *ruleset = make_large(100000), *half = make_large(50000);
	struct ruleset *back, *change = ruleset_new(), *none = ruleset_new();
	struct nft *events;

	(void)state;
	assert_int_equal(nft_events_open(&events), 0);
	replace(ruleset);
	assert_holds(ruleset);
	assert_int_equal(nft_events_read(events), 0);

	/* The second half goes by elements. */
	for (enum ruleset_set set = RULESET_SITES4; set <= RULESET_SITES6; set++) {
		for (size_t i = half->sets[set].n; i < ruleset->sets[set].n; i++)
			*ruleset_add(change, set) = ruleset->sets[set].v[i];
	}
	assert_int_equal(nft_change(nft, change->sets, none->sets), 0);
	assert_holds(half);
	assert_int_equal(nft_change(nft, none->sets, change->sets), 0);
	back = read_back(ruleset);
	assert_same_elems(back, ruleset);
	assert_int_equal(nft_events_read(events), 0);
	nft_close(events);
	ruleset_free(back);
	ruleset_free(change);
	ruleset_free(none);
	ruleset_free(half);
	ruleset_free(ruleset);
}

/* A reader in the middle of others' changes gets a whole table or none, never half of two. */
static void test_reading_while_others_write(void **state)
{
	struct ruleset *a = make_large(2000), *b = make_large(1000);
	pid_t pid;
	int status;

	(void)state;
	replace(a);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct nft *other;
		int rc = nft_open(&other);

		for (int i = 0; i < 100 && !rc; i++)
			rc = nft_replace(other, i % 2 ? a : b);
		_exit(rc ? 1 : 0);
	}
	for (int i = 0; i < 50; i++) {
		struct ruleset *back;
		int rc = nft_read(nft, a, &back);

		if (rc == -EBUSY) /* they were always faster */
			continue;
		assert_int_equal(rc, 0);
		assert_non_null(back);
		assert_true(back->intact);
		assert_same_elems(
			back, back->sets[RULESET_SITES4].n == a->sets[RULESET_SITES4].n ? a : b);
		ruleset_free(back);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_holds(a);
	ruleset_free(a);
	ruleset_free(b);
}

static void test_events(void **state)
{
	struct ruleset *ruleset = make_ruleset(), *none = ruleset_new(), *added = ruleset_new();
	struct pollfd pfd = { .events = POLLIN };
	struct nft *events;

	(void)state;
	assert_int_equal(nft_events_open(&events), 0);
	pfd.fd = nft_fd(events);
	assert_int_equal(nft_events_read(events), 0);

	replace(ruleset);
	add(added, RULESET_SITES4, "10.77.0.0/24", SITE2);
	assert_int_equal(nft_change(nft, none->sets, added->sets), 0);
	assert_int_equal(nft_events_read(events), 0);

	run("nft add element inet netpas nodes4 '{ 9.9.9.9 }'");
	assert_int_equal(poll(&pfd, 1, 3000), 1);
	assert_int_equal(nft_events_read(events), 1);
	assert_int_equal(poll(&pfd, 1, 0), 0);
	assert_int_equal(nft_events_read(events), 0);

	/* Ours and theirs mixed. */
	run("nft delete element inet netpas nodes4 '{ 9.9.9.9 }'");
	assert_int_equal(nft_change(nft, added->sets, none->sets), 0);
	assert_int_equal(nft_events_read(events), 1);

	assert_int_equal(nft_delete(nft), 0);
	assert_int_equal(nft_events_read(events), 0);
	nft_close(events);
	ruleset_free(ruleset);
	ruleset_free(none);
	ruleset_free(added);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_table),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_everything_is_a_prefix_too),
		cmocka_unit_test(test_addresses_may_be_missing),
		cmocka_unit_test(test_params_show),
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_move_between_sites),
		cmocka_unit_test(test_split_and_join),
		cmocka_unit_test(test_adjacent_one_by_one),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_foreign_changes_are_seen),
		cmocka_unit_test(test_foreign_elements_are_elements),
		cmocka_unit_test(test_other_tables),
		cmocka_unit_test(test_nft_prints_it),
		cmocka_unit_test(test_counters_are_listed),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_reading_while_others_write),
		cmocka_unit_test(test_events),
	};

	if (unshare(CLONE_NEWNET)) {
		printf("1..0 # SKIP no network namespace for nft: %s\n", strerror(errno));
		return 0;
	}
	return cmocka_run_group_tests_name("nft", tests, setup, teardown);
}
