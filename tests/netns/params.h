/* SPDX-License-Identifier: GPL-2.0-only */
/* For tests of the table: the addresses of a gateway with id 1 and its partner with id 2. */
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
}

#endif
