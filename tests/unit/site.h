/* SPDX-License-Identifier: GPL-2.0-only */
/* For tests of plans: what one site with the gateways 3 and 4 needs in the kernel. */
#ifndef NETPAS_TESTS_SITE_H
#define NETPAS_TESTS_SITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "state.h"

static inline struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(text, &a), 0);
	return a;
}

static inline struct ip_prefix prefix(const char *text)
{
	struct ip_prefix p;
	int rc = ip_prefix_parse(text, &p);

	assert_true(rc == 0);
	return p;
}

/* An address with its length, host bits kept. */
static inline struct ip_prefix address_prefix(const char *text, uint8_t len)
{
	return (struct ip_prefix){ .addr = addr(text), .len = len };
}

static inline void site_tunnel(struct state *state, unsigned int id, enum state_engine engine)
{
	struct state_tunnel *tunnel = state_add_tunnel(state);
	struct state_address *address = state_add_address(state);

	snprintf(tunnel->ifname, sizeof(tunnel->ifname), "np%u", id);
	tunnel->peer_id = (uint16_t)id;
	tunnel->engine = engine;
	tunnel->up = true;
	tunnel->mtu = 1420;
	tunnel->listen_port = (uint16_t)(16384 + id);
	tunnel->endpoint_port = 16385;
	tunnel->keepalive_s = 25;
	tunnel->endpoint = addr(id == 3 ? "203.0.113.9" : "2001:db8::9");
	memset(tunnel->private_key.bytes, 1, KEY_LEN);
	memset(tunnel->peer_key.bytes, 2, KEY_LEN);
	tunnel->allowed_all = true;
	memcpy(address->ifname, tunnel->ifname, sizeof(address->ifname));
	address->prefix = address_prefix("fe80::1", 64);
}

static inline struct state *site(enum state_engine engine, unsigned int active,
				 unsigned int standby)
{
	struct state *state = state_new();

	site_tunnel(state, 3, engine);
	site_tunnel(state, 4, engine);
	for (unsigned int family = 4; family <= 6; family += 2) {
		for (unsigned int i = 0; i < 3; i++) {
			struct state_route *route = state_add_route(state);

			route->table = 10003;
			route->dst.addr.family = (uint8_t)family;
			route->metric = i == 0 ? 10 : i == 1 ? 20 : 4096;
			route->type = i == 2 ? STATE_ROUTE_UNREACHABLE : STATE_ROUTE_UNICAST;
			if (i < 2)
				snprintf(route->ifname, sizeof(route->ifname), "np%u",
					 i ? standby : active);
		}
		*state_add_rule(state) = (struct state_rule){ .family = (uint8_t)family,
							      .pref = 5000,
							      .mark = 0x30000,
							      .mask = STATE_MARK_MASK,
							      .table = 10003 };
	}
	state->ruleset = ruleset_new();
	state->ruleset->intact = true;
	strcpy(state->ruleset->params.lan, "eth1");
	ruleset_add(state->ruleset, RULESET_SITES4)->prefix = prefix("10.1.0.0/16");
	ruleset_add(state->ruleset, RULESET_SITES6)->prefix = prefix("fd00:10:1::/48");
	state_sort(state);
	return state;
}

#endif
