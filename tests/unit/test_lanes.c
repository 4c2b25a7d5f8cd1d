/* SPDX-License-Identifier: GPL-2.0-only */
/* Which lanes there are, and which of them two sites use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "config.h"

#define MESH                                                                                        \
	"sites:\n"                                                                                  \
	"  - name: fra\n"                                                                           \
	"    lan: {prefixes: [172.16.1.0/24], vips: [172.16.1.254]}\n"                              \
	"    subnets: [10.1.0.0/16]\n"                                                              \
	"    gateways: [{name: fra-a, id: 1, lan: [172.16.1.2], wan: [203.0.113.1, 203.0.113.2],\n" \
	"      public_key: AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=}]\n"                        \
	"  - name: sin\n"                                                                           \
	"    lan: {prefixes: [172.16.2.0/24], vips: [172.16.2.254]}\n"                              \
	"    subnets: [10.2.0.0/16]\n"                                                              \
	"    gateways: [{name: sin-a, id: 3, lan: [172.16.2.2], wan: [192.0.2.1, 192.0.2.2],\n"     \
	"      public_key: AwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=}]\n"
#define NYC                                                                             \
	"  - name: nyc\n"                                                               \
	"    lan: {prefixes: [172.16.3.0/24], vips: [172.16.3.254]}\n"                  \
	"    subnets: [10.3.0.0/16]\n"                                                  \
	"    gateways: [{name: nyc-a, id: 5, lan: [172.16.3.2], wan: [198.51.100.1],\n" \
	"      public_key: BQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=}]\n"

static struct config *parse(const char *mesh)
{
	static const char node[] = "node: fra-a\ninterfaces: {lan: eth1, wan: [eth0]}\n";
	struct diag_list *diags = diag_list_new();
	struct config *config = NULL;

	assert_non_null(diags);
	if (config_parse("mesh.yaml", mesh, strlen(mesh), "node.yaml", node, sizeof(node) - 1, true,
			 diags, &config))
		diag_print(diags, stderr);
	diag_list_free(diags);
	assert_non_null(config);
	return config;
}

static void test_lanes(void **state)
{
	static const struct {
		const char *text;
		unsigned int n, lanes, first; /* of fra and sin */
		enum config_class classes[CONFIG_LANES_MAX];
	} cases[] = {
		{ "", 1, 1, 0, { CONFIG_CLASS_BEST } },
		{ "policies: [{between: [fra, sin], class: bulk}]\n",
		  1,
		  1,
		  0,
		  { CONFIG_CLASS_BULK } },
		{ "policies: [{between: [fra, sin], connect: no, class: bulk}]\n",
		  1,
		  0,
		  0,
		  { CONFIG_CLASS_BEST } },
		{ "policies: [{between: [fra, sin], class: bulk, dscp: {46: best}}]\n",
		  2,
		  3,
		  1,
		  { CONFIG_CLASS_BEST, CONFIG_CLASS_BULK } },
		{ "lanes: [bulk, protected, best, bulk]\n"
		  "policies: [{between: [fra, sin], dscp: {8: bulk}}]\n",
		  4,
		  13,
		  2,
		  { CONFIG_CLASS_BULK, CONFIG_CLASS_PROTECTED, CONFIG_CLASS_BEST,
		    CONFIG_CLASS_BULK } },
		{ "lanes: [protected, best]\n",
		  2,
		  2,
		  1,
		  { CONFIG_CLASS_PROTECTED, CONFIG_CLASS_BEST } },
		/* A third site that no policy names wants the best path to both. */
		{ NYC "policies: [{between: [fra, sin], class: bulk}]\n",
		  2,
		  2,
		  1,
		  { CONFIG_CLASS_BEST, CONFIG_CLASS_BULK } },
		{ NYC "policies:\n"
		      "  - {between: [fra, sin], class: bulk}\n"
		      "  - {between: [fra, nyc], connect: no}\n"
		      "  - {between: [sin, nyc], class: protected, connect: no}\n",
		  1,
		  1,
		  0,
		  { CONFIG_CLASS_BULK } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[4096];
		struct config *config;
		struct config_policy policy;

		snprintf(text, sizeof(text), "%s%s", MESH, cases[i].text);
		config = parse(text);
		policy = config_policy_with(config, 1);
		assert_int_equal(config->mesh.n_lanes, cases[i].n);
		assert_memory_equal(config->mesh.lanes, cases[i].classes,
				    cases[i].n * sizeof(cases[i].classes[0]));
		/* Of sites that are not connected nobody asks. */
		if (policy.connect) {
			assert_int_equal(config_policy_lanes(&config->mesh, &policy),
					 cases[i].lanes);
			assert_int_equal(config_policy_lane(&config->mesh, &policy),
					 cases[i].first);
		}
		config_free(config);
	}
}

static void test_dscp(void **state)
{
	struct config *config = parse(
		MESH "policies: [{between: [fra, sin], class: bulk, dscp: {ef: best, 0: bulk}}]\n");
	struct config_policy policy = config_policy_with(config, 1);

	(void)state;
	for (unsigned int i = 0; i <= CONFIG_DSCP_MAX; i++)
		assert_int_equal(config_policy_class(&policy, i),
				 i == 46 ? CONFIG_CLASS_BEST : CONFIG_CLASS_BULK);
	assert_int_equal(policy.dscp[0], CONFIG_CLASS_BULK);
	assert_int_equal(policy.dscp[1], CONFIG_CLASS_MAX);
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lanes),
		cmocka_unit_test(test_dscp),
	};

	return cmocka_run_group_tests_name("lanes", tests, NULL, NULL);
}
