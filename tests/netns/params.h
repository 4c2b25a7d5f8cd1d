/* SPDX-License-Identifier: GPL-2.0-only */
/* For tests of the table: elements, and the addresses of a gateway with id 1 and its partner with id 2. */
#ifndef NETPAS_TESTS_PARAMS_H
#define NETPAS_TESTS_PARAMS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "ruleset.h"

static inline void params_addresses(struct ruleset_params *params)
{
	assert_int_equal(ip_addr_parse("172.16.1.2", &params->lan4), 0);
	assert_int_equal(ip_addr_parse("fd00:16:1::2", &params->lan6), 0);
	assert_int_equal(ip_addr_parse("172.16.1.3", &params->pair4), 0);
	assert_int_equal(ip_addr_parse("fd00:16:1::3", &params->pair6), 0);
	params->pair_outer = params->pair4;
	params->pair_link = ip_link_local(2);
	params->pair_port = 16386;
	strcpy(params->pair_ifname, "np2");
	params->drills = true;
}

static inline struct ruleset_elem *add(struct ruleset *ruleset, enum ruleset_set set,
				       const char *text, uint32_t mark)
{
	struct ruleset_elem *elem = ruleset_add(ruleset, set);

	assert_non_null(elem);
	elem->mark = mark;
	if (text)
		assert_int_equal(ip_prefix_parse(text, &elem->prefix), 0);
	return elem;
}

static inline void add_allow(struct ruleset *ruleset, enum ruleset_set set, const char *text,
			     uint8_t proto, uint16_t port)
{
	struct ruleset_elem *elem = add(ruleset, set, text, 0);

	elem->proto = proto;
	elem->port = port;
}

/* Both of what a gateway has one of, so that there is something in every set. */
static inline void add_pair(struct ruleset *ruleset, const char *ifname, uint8_t mac)
{
	strcpy(add(ruleset, RULESET_PAIR_ANY, NULL, 0)->ifname, ifname);
	add(ruleset, RULESET_PAIR_MAC, NULL, 0)->mac[5] = mac;
}

#endif
