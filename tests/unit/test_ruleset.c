/* SPDX-License-Identifier: GPL-2.0-only */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ruleset.h"

static struct ip_prefix prefix(const char *text)
{
	struct ip_prefix p;

	assert_int_equal(ip_prefix_parse(text, &p), 0);
	return p;
}

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(text, &a), 0);
	return a;
}

static void add_site(struct ruleset *ruleset, enum ruleset_set set, const char *text, uint32_t mark)
{
	struct ruleset_elem *elem = ruleset_add(ruleset, set);

	assert_non_null(elem);
	elem->prefix = prefix(text);
	elem->mark = mark;
}

static void add_allow(struct ruleset *ruleset, const char *text, uint8_t proto, uint16_t port)
{
	struct ruleset_elem *elem = ruleset_add(ruleset, RULESET_ALLOW4);

	assert_non_null(elem);
	elem->prefix = prefix(text);
	elem->proto = proto;
	elem->port = port;
}

static void assert_sites(const struct ruleset *ruleset, enum ruleset_set set,
			 const char *const *texts, size_t n)
{
	assert_int_equal(ruleset->sets[set].n, n);
	for (size_t i = 0; i < n; i++) {
		char buf[IP_PREFIX_STRLEN];

		assert_string_equal(ip_prefix_format(&ruleset->sets[set].v[i].prefix, buf),
				    texts[i]);
	}
}

static void test_add_zeroes_and_grows(void **state)
{
	struct ruleset *ruleset = ruleset_new();

	(void)state;
	assert_non_null(ruleset);
	for (uint32_t i = 0; i < 1000; i++) {
		struct ruleset_elem *elem = ruleset_add(ruleset, RULESET_CLAMPED);

		assert_non_null(elem);
		assert_int_equal(elem->mark, 0);
		elem->mark = i;
	}
	assert_int_equal(ruleset->sets[RULESET_CLAMPED].n, 1000);
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(ruleset->sets[RULESET_CLAMPED].v[i].mark, i);
	ruleset_free(ruleset);
	ruleset_free(NULL);
}

static void test_sort_orders_every_set(void **state)
{
	static const char *const sorted[] = { "10.1.0.0/16", "10.2.0.0/16", "172.16.1.0/24" };
	struct ruleset *ruleset = ruleset_new();
	struct ruleset_elem *elem;

	(void)state;
	add_site(ruleset, RULESET_SITES4, "172.16.1.0/24", 1);
	add_site(ruleset, RULESET_SITES4, "10.2.0.0/16", 2);
	add_site(ruleset, RULESET_SITES4, "10.1.0.0/16", 1);
	add_site(ruleset, RULESET_SITES6, "fd00:2::/48", 2);
	add_site(ruleset, RULESET_SITES6, "fd00:1::/48", 1);
	elem = ruleset_add(ruleset, RULESET_TUNNELS);
	strcpy(elem->ifname, "np9");
	elem = ruleset_add(ruleset, RULESET_TUNNELS);
	strcpy(elem->ifname, "np10");
	ruleset_sort(ruleset);

	assert_sites(ruleset, RULESET_SITES4, sorted, 3);
	assert_int_equal(ruleset->sets[RULESET_SITES6].v[0].mark, 1);
	assert_string_equal(ruleset->sets[RULESET_TUNNELS].v[0].ifname, "np10");
	ruleset_free(ruleset);
}

static void test_sort_drops_what_is_said_already(void **state)
{
	static const char *const kept[] = { "10.0.0.0/8", "11.0.0.0/16", "11.1.0.0/16" };
	struct ruleset *ruleset = ruleset_new();

	(void)state;
	add_site(ruleset, RULESET_SITES4, "10.1.2.0/24", 1);
	add_site(ruleset, RULESET_SITES4, "10.1.0.0/16", 1);
	add_site(ruleset, RULESET_SITES4, "10.0.0.0/8", 1);
	add_site(ruleset, RULESET_SITES4, "10.255.255.255/32", 1);
	add_site(ruleset, RULESET_SITES4, "11.1.0.0/16", 1);
	add_site(ruleset, RULESET_SITES4, "11.0.0.0/16", 1);
	add_site(ruleset, RULESET_SITES4, "11.0.0.0/16", 1);
	for (int i = 0; i < 3; i++)
		ruleset_add(ruleset, RULESET_NODES4)->prefix = prefix("192.0.2.1/32");
	ruleset_sort(ruleset);
	assert_sites(ruleset, RULESET_SITES4, kept, 3);
	assert_int_equal(ruleset->sets[RULESET_NODES4].n, 1);
	ruleset_free(ruleset);
}

/* Of two sites that claim the same neither may vanish: the kernel's refusal is the better end. */
static void test_sort_keeps_other_marks(void **state)
{
	static const char *const kept[] = { "10.0.0.0/8", "10.1.0.0/16", "12.0.0.0/8",
					    "12.0.0.0/8" };
	struct ruleset *ruleset = ruleset_new();

	(void)state;
	add_site(ruleset, RULESET_SITES4, "10.0.0.0/8", 1);
	add_site(ruleset, RULESET_SITES4, "10.1.0.0/16", 2);
	add_site(ruleset, RULESET_SITES4, "12.0.0.0/8", 2);
	add_site(ruleset, RULESET_SITES4, "12.0.0.0/8", 1);
	ruleset_sort(ruleset);
	assert_sites(ruleset, RULESET_SITES4, kept, 4);
	assert_int_equal(ruleset->sets[RULESET_SITES4].v[2].mark, 1);
	ruleset_free(ruleset);
}

static void test_sort_covers_allow_of_same_service_only(void **state)
{
	static const char *const kept[] = { "192.0.2.0/24", "0.0.0.0/0", "192.0.2.0/25" };
	struct ruleset *ruleset = ruleset_new();

	(void)state;
	add_allow(ruleset, "192.0.2.0/24", IPPROTO_TCP, 443);
	add_allow(ruleset, "192.0.2.0/24", IPPROTO_TCP, 22);
	add_allow(ruleset, "192.0.2.128/25", IPPROTO_TCP, 22);
	add_allow(ruleset, "0.0.0.0/0", IPPROTO_TCP, 443);
	add_allow(ruleset, "192.0.2.0/25", IPPROTO_UDP, 443);
	ruleset_sort(ruleset);
	assert_sites(ruleset, RULESET_ALLOW4, kept, 3);
	ruleset_free(ruleset);
}

/* What one sort leaves another one leaves alone, and the order is total. */
static void test_sort_is_stable_on_random_sets(void **state)
{
	uint32_t seed = 12345;

	(void)state;
	for (int round = 0; round < 50; round++) {
		struct ruleset *ruleset = ruleset_new();
		struct ruleset_elems *elems = &ruleset->sets[RULESET_SITES4];
		size_t n;

		for (int i = 0; i < 200; i++) {
			struct ruleset_elem *elem = ruleset_add(ruleset, RULESET_SITES4);

			seed = seed * 1664525 + 1013904223;
			elem->prefix.addr.family = IP_V4;
			elem->prefix.len = (uint8_t)(8 + (seed >> 20) % 9);
			elem->prefix.addr.bytes[0] = (uint8_t)(10 + (seed >> 8) % 4);
			if (elem->prefix.len == 16)
				elem->prefix.addr.bytes[1] = (uint8_t)(seed >> 16);
			elem->mark = 1;
		}
		ruleset_sort(ruleset);
		n = elems->n;
		for (size_t i = 0; i < n; i++) {
			for (size_t k = 0; k < n; k++) {
				int order = ruleset_elem_compare(RULESET_SITES4, &elems->v[i],
								 &elems->v[k]);

				assert_true(i < k ? order < 0 : i > k ? order > 0 : order == 0);
				assert_true(i == k || !ip_prefix_overlaps(&elems->v[i].prefix,
									  &elems->v[k].prefix));
			}
		}
		ruleset_sort(ruleset);
		assert_int_equal(elems->n, n);
		ruleset_free(ruleset);
	}
}

static void test_compare_by_what_makes_the_key(void **state)
{
	struct ruleset_elem a = { .mark = 1 }, b = { .mark = 2 };

	(void)state;
	a.prefix = b.prefix = prefix("10.0.0.0/8");
	assert_true(ruleset_elem_compare(RULESET_SITES4, &a, &b) < 0);
	assert_true(ruleset_elem_compare(RULESET_SITES4, &b, &a) > 0);
	assert_int_equal(ruleset_elem_compare(RULESET_NODES4, &a, &b), 0);
	assert_int_equal(ruleset_elem_compare(RULESET_ALLOW4, &a, &b), 0);
	b.port = 1;
	assert_true(ruleset_elem_compare(RULESET_ALLOW4, &a, &b) < 0);
	a.proto = 1;
	assert_true(ruleset_elem_compare(RULESET_ALLOW4, &a, &b) > 0);
	assert_true(ruleset_elem_compare(RULESET_CLAMPED, &a, &b) < 0);

	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	strcpy(a.ifname, "np1");
	strcpy(b.ifname, "np1");
	assert_int_equal(ruleset_elem_compare(RULESET_TUNNELS, &a, &b), 0);
	b.mark = 1;
	assert_true(ruleset_elem_compare(RULESET_TUNNELS, &a, &b) < 0);
}

static struct ruleset_params make_params(void)
{
	return (struct ruleset_params){ .lan = "eth1",
					.mark_mask = 0x0fff0000,
					.own_mark = 0x10000,
					.port_first = 16385,
					.port_last = 20479,
					.hello_port = 16384,
					.lan4 = addr("172.16.1.2"),
					.lan6 = addr("fd00::2"),
					.pair4 = addr("172.16.1.3"),
					.pair6 = addr("fd00::3"),
					.pair_outer = addr("172.16.1.3"),
					.pair_link = addr("fe80::2"),
					.pair_port = 16386,
					.pair_ifname = "np2" };
}

static void test_params_equal_sees_each_member(void **state)
{
	const struct ruleset_params params = make_params();
	struct ruleset_params others[15];

	(void)state;
	for (size_t i = 0; i < 15; i++)
		others[i] = make_params();
	assert_true(ruleset_params_equal(&params, &others[0]));
	/* What follows the name's end does not count. */
	others[0].lan[10] = 'x';
	assert_true(ruleset_params_equal(&params, &others[0]));

	strcpy(others[0].lan, "eth2");
	others[1].mark_mask++;
	others[2].own_mark++;
	others[3].port_first++;
	others[4].port_last++;
	others[5].hello_port++;
	others[6].lan4 = addr("172.16.1.9");
	others[7].lan6 = (struct ip_addr){ .family = IP_NONE };
	others[8].pair4 = addr("172.16.1.9");
	others[9].pair6 = addr("fd00::9");
	others[10].pair_outer = addr("fd00::3");
	others[11].pair_link = addr("fe80::3");
	others[12].pair_port++;
	strcpy(others[13].pair_ifname, "np20");
	others[14].drills = true;
	for (size_t i = 0; i < 15; i++)
		assert_false(ruleset_params_equal(&params, &others[i]));
}

static void test_pin_is_one_or_any(void **state)
{
	static const uint8_t one[RULESET_MAC_LEN] = { 2, 0, 0, 0, 0, 1 };
	static const uint8_t two[RULESET_MAC_LEN] = { 2, 0, 0, 0, 0, 2 };
	static const uint8_t *const pins[] = { NULL, one, two, NULL, two, two, NULL, NULL };
	struct ruleset *ruleset = ruleset_new();

	(void)state;
	assert_non_null(ruleset);
	ruleset->params = make_params();
	assert_null(ruleset_pinned(ruleset));
	for (size_t i = 0; i < sizeof(pins) / sizeof(pins[0]); i++) {
		assert_int_equal(ruleset_pin(ruleset, pins[i]), 0);
		ruleset_sort(ruleset);
		assert_int_equal(ruleset->sets[RULESET_PAIR_MAC].n, pins[i] ? 1 : 0);
		assert_int_equal(ruleset->sets[RULESET_PAIR_ANY].n, pins[i] ? 0 : 1);
		if (pins[i])
			assert_memory_equal(ruleset_pinned(ruleset), pins[i], RULESET_MAC_LEN);
		else
			assert_string_equal(ruleset->sets[RULESET_PAIR_ANY].v[0].ifname,
					    ruleset->params.lan);
	}
	ruleset_free(ruleset);
}

static void test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < RULESET_SET_MAX; i++) {
		assert_non_null(ruleset_set_names[i]);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(ruleset_set_names[i], ruleset_set_names[k]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add_zeroes_and_grows),
		cmocka_unit_test(test_sort_orders_every_set),
		cmocka_unit_test(test_sort_drops_what_is_said_already),
		cmocka_unit_test(test_sort_keeps_other_marks),
		cmocka_unit_test(test_sort_covers_allow_of_same_service_only),
		cmocka_unit_test(test_sort_is_stable_on_random_sets),
		cmocka_unit_test(test_compare_by_what_makes_the_key),
		cmocka_unit_test(test_params_equal_sees_each_member),
		cmocka_unit_test(test_pin_is_one_or_any),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("ruleset", tests, NULL, NULL);
}
