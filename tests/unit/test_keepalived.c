/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "keepalived.h"

static const struct keepalived_vip vips[] = {
	{ "fd00:16:1::fe/128", 6 },
	{ "172.16.1.254/32", 4 },
	{ "172.16.1.253/32", 4 },
	{ "fd00:16:1::fd/128", 6 },
};

static const struct keepalived example = {
	.router_id = "fra-a",
	.interface = "eth1",
	.own = "172.16.1.2",
	.peer = "172.16.1.3",
	.vrid = 51,
	.priority = KEEPALIVED_PRIORITY,
	.advert_ms = 100,
	.vips = vips,
	.n_vips = 4,
	.fifo_path = "/run/netpas/keepalived.fifo",
	.track_path = "/run/netpas/sticky",
};

static char *render(const struct keepalived *keepalived)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	keepalived_render(keepalived, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

/* Everything, to the letter: a change here is a change on every gateway. */
static void whole_text(void **state)
{
	char *text = render(&example);

	(void)state;
	assert_string_equal(text, "# Written by netpasd at every start; do not edit.\n"
				  "global_defs {\n"
				  "\trouter_id fra-a\n"
				  "\tvrrp_version 3\n"
				  "\tvrrp_startup_delay 1.5\n"
				  "\tscript_user root\n"
				  "\tenable_script_security\n"
				  "\tvrrp_notify_fifo \"/run/netpas/keepalived.fifo\"\n"
				  "\tvrrp_garp_master_delay 1\n"
				  "\tvrrp_garp_master_repeat 5\n"
				  "\tvrrp_garp_master_refresh 30\n"
				  "\tvrrp_garp_master_refresh_repeat 1\n"
				  "\tvrrp_garp_lower_prio_delay 0\n"
				  "\tvrrp_garp_lower_prio_repeat 1\n"
				  "\tvrrp_higher_prio_send_advert true\n"
				  "}\n"
				  "\n"
				  "track_file sticky {\n"
				  "\tfile \"/run/netpas/sticky\"\n"
				  "\tweight 2\n"
				  "}\n"
				  "\n"
				  "vrrp_instance netpas {\n"
				  "\tstate BACKUP\n"
				  "\tinterface eth1\n"
				  "\tvirtual_router_id 51\n"
				  "\tpriority 251\n"
				  "\tadvert_int 0.10\n"
				  "\tunicast_src_ip 172.16.1.2\n"
				  "\tunicast_ttl 255\n"
				  "\tcheck_unicast_src\n"
				  "\tunicast_peer {\n"
				  "\t\t172.16.1.3 min_ttl 255 max_ttl 255\n"
				  "\t}\n"
				  "\ttrack_file {\n"
				  "\t\tsticky\n"
				  "\t}\n"
				  "\tvirtual_ipaddress {\n"
				  "\t\t172.16.1.254/32 dev eth1\n"
				  "\t\t172.16.1.253/32 dev eth1\n"
				  "\t}\n"
				  "\tvirtual_ipaddress_excluded {\n"
				  "\t\tfd00:16:1::fe/128 dev eth1\n"
				  "\t\tfd00:16:1::fd/128 dev eth1\n"
				  "\t}\n"
				  "}\n");
	free(text);
}

static void assert_has(const struct keepalived *keepalived, const char *part)
{
	char *text = render(keepalived);

	if (!strstr(text, part))
		fail_msg("no \"%s\" in:\n%s", part, text);
	free(text);
}

static void assert_has_not(const struct keepalived *keepalived, const char *part)
{
	char *text = render(keepalived);

	if (strstr(text, part))
		fail_msg("\"%s\" in:\n%s", part, text);
	free(text);
}

static void family_of_the_adverts(void **state)
{
	struct keepalived v6 = example;

	(void)state;
	strcpy(v6.own, "fd00:16:1::2");
	strcpy(v6.peer, "fd00:16:1::3");
	assert_has(&v6, "\tunicast_src_ip fd00:16:1::2\n");
	assert_has(&v6, "\t\tfd00:16:1::3 min_ttl 255 max_ttl 255\n");
	assert_has(&v6, "\tvirtual_ipaddress {\n"
			"\t\tfd00:16:1::fe/128 dev eth1\n"
			"\t\tfd00:16:1::fd/128 dev eth1\n"
			"\t}\n"
			"\tvirtual_ipaddress_excluded {\n"
			"\t\t172.16.1.254/32 dev eth1\n"
			"\t\t172.16.1.253/32 dev eth1\n"
			"\t}\n");
	v6.n_vips = 1;
	assert_has_not(&v6, "virtual_ipaddress_excluded");
}

/* Without a peer keepalived would multicast onto the customer's LAN. */
static void alone(void **state)
{
	struct keepalived single = example;

	(void)state;
	single.peer[0] = '\0';
	assert_has(&single, "\tunicast_peer {\n\t\t172.16.1.2 min_ttl 255 max_ttl 255\n\t}\n");
}

static void intervals(void **state)
{
	static const struct {
		uint32_t ms;
		const char *text;
	} cases[] = {
		{ 10, "\tadvert_int 0.01\n" },	   { 90, "\tadvert_int 0.09\n" },
		{ 1000, "\tadvert_int 1.00\n" },   { 1230, "\tadvert_int 1.23\n" },
		{ 40950, "\tadvert_int 40.95\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct keepalived keepalived = example;

		keepalived.advert_ms = cases[i].ms;
		assert_has(&keepalived, cases[i].text);
	}
}

/* Profile fast; the others say nothing of it. */
static void real_time(void **state)
{
	struct keepalived fast = example;

	(void)state;
	fast.advert_ms = 10;
	fast.realtime = true;
	assert_has(&fast, "\tvrrp_higher_prio_send_advert true\n"
			  "\tvrrp_rt_priority 50\n"
			  "\tvrrp_rlimit_rttime 1000000\n"
			  "\tvrrp_no_swap\n"
			  "}\n");
	assert_has(&fast, "\tadvert_int 0.01\n");
}

/* Decisions that are easily undone by somebody who means well. */
static void absences(void **state)
{
	static const char *const words[] = {
		"nopreempt",	"use_vmac",	    "sync_group",	  "bfd",
		"state MASTER", "vrrp_rt_priority", "dynamic_interfaces", "vrrp_strict",
		"rttime",	"no_swap",	    "down_timer",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		assert_has_not(&example, words[i]);
}

/*
 * Weights so chosen that: a master (+1) beats a neutral other whoever is first, one that yields (-1)
 * loses to a neutral other, two in the same position are told apart, and 255 is never reached.
 */
static void weights(void **state)
{
	const int w = KEEPALIVED_STICKY_WEIGHT;
	const int first = KEEPALIVED_PRIORITY, second = KEEPALIVED_PRIORITY - 1;

	(void)state;
	assert_true(second + w > first);
	assert_true(first - w < second);
	assert_true(first + w > second + w);
	assert_true(first + w < 255);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_text), cmocka_unit_test(family_of_the_adverts),
		cmocka_unit_test(alone),      cmocka_unit_test(intervals),
		cmocka_unit_test(real_time),  cmocka_unit_test(absences),
		cmocka_unit_test(weights),
	};

	return cmocka_run_group_tests_name("keepalived", tests, NULL, NULL);
}
