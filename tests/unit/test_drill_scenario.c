/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drill_scenario.h"

/* A pair that can take everything. */
static struct drill_facts good(void)
{
	struct drill_facts facts = {
		.here = { .name = "b", .role = "standby", .digest = "d", .engine = "user" },
		.partner = { .name = "a", .role = "active", .digest = "d", .engine = "user" },
		.has_partner = true,
		.site = "sin",
		.far = "sin-b",
		.ports = true,
		.lab = true,
		.advert_ms = 100,
		.probe_ms = 10,
	};
	struct drill_node_facts *nodes[] = { &facts.here, &facts.partner };

	for (size_t i = 0; i < 2; i++) {
		nodes[i]->answers = true;
		nodes[i]->tunnels = nodes[i]->tunnels_alive = 2;
		nodes[i]->paths_alive = 6;
		nodes[i]->relays_alive = 2;
		nodes[i]->programs = true;
	}
	return facts;
}

/* What is said; static. */
static const char *refusal(enum drill_scenario_id id, const struct drill_facts *facts,
			   size_t *ret_n)
{
	static char text[2000];
	FILE *out = fmemopen(text, sizeof(text), "w");

	memset(text, 0, sizeof(text));
	*ret_n = drill_refuse(id, facts, out);
	fclose(out);
	return text;
}

static void a_good_pair_can_take_all(void **state)
{
	const struct drill_facts facts = good();
	size_t n;

	(void)state;
	for (int id = 0; id < DRILL_SCENARIO_MAX; id++) {
		assert_string_equal(refusal((enum drill_scenario_id)id, &facts, &n), "");
		assert_int_equal(n, 0);
	}
}

struct refused {
	size_t offset; /* of a bool, or of the first character of a text, in struct drill_facts */
	enum {
		CLEAR,
		SET,
		TWO
	} how;
	const char *because;
	unsigned int needs; /* only scenarios that need one of these; 0: all */
};

#define FACT(MEMBER) offsetof(struct drill_facts, MEMBER)

static const struct refused table[] = {
	{ FACT(ports), CLEAR, "port_base leaves no ports", 0 },
	{ FACT(off), SET, "drills: off", 0 },
	{ FACT(has_partner), CLEAR, "one gateway", 0 },
	{ FACT(site), CLEAR, "no other site", 0 },
	{ FACT(far), CLEAR, "no gateway there is alive", 0 },
	{ FACT(far_busy), SET, "sin-b is in another drill", 0 },
	{ FACT(here.answers), CLEAR, "b does not answer", 0 },
	{ FACT(partner.answers), CLEAR, "a does not answer", 0 },
	{ FACT(here.busy), SET, "b is in another drill", 0 },
	{ FACT(partner.busy), SET, "a is in another drill", 0 },
	{ FACT(here.problems), SET, "b has a problem", 0 },
	{ FACT(partner.problems), SET, "a has a problem", 0 },
	{ FACT(here.tunnels_alive), SET, "b has tunnels that are not alive", 0 },
	{ FACT(partner.tunnels_alive), SET, "a has tunnels that are not alive", 0 },
	{ FACT(partner.programs), CLEAR, "a runs no programs", DRILL_NEEDS_PROGRAMS },
	{ FACT(here.programs), CLEAR, "b runs no programs", DRILL_NEEDS_PROGRAMS },
	{ FACT(partner.paths_alive), SET, "no second path", DRILL_NEEDS_PATHS },
	{ FACT(partner.relays_alive), CLEAR, "no path by a relay", DRILL_NEEDS_RELAY },
	{ FACT(partner.engine), CLEAR, "engine in the kernel", DRILL_NEEDS_ENGINE },
	{ FACT(here.role), CLEAR, "b is not standby", 0 },
	{ FACT(partner.role), CLEAR, "a is not active", 0 },
	{ FACT(partner.digest), CLEAR, "different mesh.yaml", 0 },
};

static void each_lack_is_refused_where_it_matters(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		for (int id = 0; id < DRILL_SCENARIO_MAX; id++) {
			const unsigned int needs = drill_scenarios[id].needs;
			struct drill_facts facts = good();
			const char *said;
			size_t n;

			*((uint8_t *)&facts + table[i].offset) = table[i].how == CLEAR ? 0 : 1;
			said = refusal((enum drill_scenario_id)id, &facts, &n);
			if (table[i].needs && !(needs & table[i].needs)) {
				assert_string_equal(said, "");
				continue;
			}
			assert_int_equal(n, 1);
			assert_non_null(strstr(said, table[i].because));
		}
	}
}

static void only_what_can_be_undone_goes_without_a_lab(void **state)
{
	struct drill_facts facts = good();
	size_t n;

	(void)state;
	facts.lab = false;
	for (int id = 0; id < DRILL_SCENARIO_MAX; id++) {
		const char *said = refusal((enum drill_scenario_id)id, &facts, &n);

		assert_int_equal(n, drill_scenarios[id].reversible ? 0 : 1);
		if (n)
			assert_non_null(strstr(said, "--lab"));
	}
	assert_false(drill_scenarios[DRILL_POWER_OFF].reversible);
}

static void the_active_one_says_where_to_go(void **state)
{
	struct drill_facts facts = good();
	size_t n;

	(void)state;
	strcpy(facts.here.role, "active");
	strcpy(facts.partner.role, "standby");
	assert_non_null(strstr(refusal(DRILL_PATH_CUT, &facts, &n), "run it on a"));
	assert_int_equal(n, 1);
}

static void names_are_found(void **state)
{
	(void)state;
	for (int id = 0; id < DRILL_SCENARIO_MAX; id++) {
		const struct drill_scenario *s = &drill_scenarios[id];

		assert_int_equal(drill_scenario_find(s->name), id);
		assert_non_null(s->what);
		assert_non_null(s->expect);
		assert_non_null(s->restore);
		assert_true(s->hold_ms && s->hold_ms <= DRILL_HOLD_MAX_MS);
	}
	assert_int_equal(drill_scenario_find("nothing"), DRILL_SCENARIO_MAX);
}

static void limits_go_by_the_profile(void **state)
{
	struct drill_facts facts = good();

	(void)state;
	assert_int_equal(drill_limit_ms(DRILL_POWER_OFF, &facts), 400);
	assert_int_equal(drill_limit_ms(DRILL_PATH_CUT, &facts), 50);
	assert_int_equal(drill_limit_ms(DRILL_WAN_CUT, &facts), 800);
	assert_int_equal(drill_limit_ms(DRILL_DAEMON_KILL, &facts), 0);
	facts.advert_ms = 10;
	assert_int_equal(drill_limit_ms(DRILL_POWER_OFF, &facts), 50);
	assert_int_equal(drill_abort_ms(50), 5000);
	assert_int_equal(drill_abort_ms(4000), 16000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_pair_can_take_all),
		cmocka_unit_test(each_lack_is_refused_where_it_matters),
		cmocka_unit_test(only_what_can_be_undone_goes_without_a_lab),
		cmocka_unit_test(the_active_one_says_where_to_go),
		cmocka_unit_test(names_are_found),
		cmocka_unit_test(limits_go_by_the_profile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
