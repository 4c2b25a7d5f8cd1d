/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The oracle is a stupid kernel: a struct state that steps are done on one by one, and that refuses
 * what a kernel refuses. A plan from a to b, done on a, has to give b.
 */
#include <netinet/in.h>
#include <stdlib.h>

#include "plan.h"
#include "site.h"

#define SEED 0x6e657470617331u
#define PAIRS 4000

static uint64_t random_state;

static unsigned int below(unsigned int n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned int)(random_state >> 33) % n;
}

/* -- The model. -- */

static struct state_tunnel *model_tunnel(struct state *model, const char *ifname)
{
	for (size_t i = 0; i < model->n_tunnels; i++)
		if (strcmp(model->tunnels[i].ifname, ifname) == 0)
			return &model->tunnels[i];
	return NULL;
}

static bool model_link_exists(struct state *model, const char *ifname)
{
	return strcmp(ifname, "eth1") == 0 || model_tunnel(model, ifname);
}

#define REMOVE_AT(list, n, i)                                                             \
	do {                                                                              \
		memmove(&(list)[i], &(list)[(i) + 1], (--(n) - (i)) * sizeof((list)[0])); \
	} while (0)

static void model_link_delete(struct state *model, const char *ifname)
{
	struct state_tunnel *tunnel = model_tunnel(model, ifname);
	size_t at;

	assert_non_null(tunnel);
	at = (size_t)(tunnel - model->tunnels);
	REMOVE_AT(model->tunnels, model->n_tunnels, at);
	for (size_t i = model->n_addresses; i-- > 0;)
		if (strcmp(model->addresses[i].ifname, ifname) == 0)
			REMOVE_AT(model->addresses, model->n_addresses, i);
	for (size_t i = model->n_routes; i-- > 0;)
		if (strcmp(model->routes[i].ifname, ifname) == 0)
			REMOVE_AT(model->routes, model->n_routes, i);
}

static void model_route_replace(struct state *model, const struct state_route *route)
{
	struct state_route *slot = NULL;

	if (route->type == STATE_ROUTE_UNICAST)
		assert_true(model_link_exists(model, route->ifname));
	for (size_t i = 0; i < model->n_routes && !slot; i++)
		if (state_route_compare(&model->routes[i], route) == 0)
			slot = &model->routes[i];
	if (!slot)
		slot = state_add_route(model);
	*slot = *route;
}

static void model_elem_delete(struct state *model, enum ruleset_set set,
			      const struct ruleset_elem *elem)
{
	struct ruleset_elems *elems = &model->ruleset->sets[set];

	for (size_t i = 0; i < elems->n; i++)
		if (ruleset_elem_compare(set, &elems->v[i], elem) == 0) {
			REMOVE_AT(elems->v, elems->n, i);
			return;
		}
	fail_msg("an element is removed that is not there");
}

static void model_elem_add(struct state *model, enum ruleset_set set,
			   const struct ruleset_elem *elem)
{
	struct ruleset_elem *new;

	for (size_t i = 0; i < model->ruleset->sets[set].n; i++)
		assert_int_not_equal(
			ruleset_elem_compare(set, &model->ruleset->sets[set].v[i], elem), 0);
	new = ruleset_add(model->ruleset, set);
	assert_non_null(new);
	*new = *elem;
}

static struct ruleset *ruleset_copy(const struct ruleset *ruleset)
{
	struct ruleset *copy = ruleset_new();

	assert_non_null(copy);
	copy->params = ruleset->params;
	copy->intact = ruleset->intact;
	for (unsigned int set = 0; set < RULESET_SET_MAX; set++)
		for (size_t i = 0; i < ruleset->sets[set].n; i++)
			*ruleset_add(copy, (enum ruleset_set)set) = ruleset->sets[set].v[i];
	return copy;
}

static void model_sysctl_set(struct state *model, const struct state_sysctl *sysctl)
{
	for (size_t i = 0; i < model->n_sysctls; i++)
		if (strcmp(model->sysctls[i].path, sysctl->path) == 0) {
			strcpy(model->sysctls[i].value, sysctl->value);
			return;
		}
	*state_add_sysctl(model) = *sysctl;
}

static void model_apply(struct state *model, const struct plan *plan, const struct plan_step *step)
{
	struct state_tunnel *tunnel;
	size_t i;

	switch (step->action) {
	case PLAN_SYSCTL_SET:
		model_sysctl_set(model, step->sysctl);
		break;
	case PLAN_LINK_ADD:
		assert_null(model_tunnel(model, step->tunnel->ifname));
		tunnel = state_add_tunnel(model);
		memcpy(tunnel->ifname, step->tunnel->ifname, sizeof(tunnel->ifname));
		tunnel->peer_id = step->tunnel->peer_id;
		tunnel->engine = step->tunnel->engine;
		tunnel->mtu = 1420;
		break;
	case PLAN_LINK_CONFIGURE: {
		struct state_tunnel before;

		tunnel = model_tunnel(model, step->tunnel->ifname);
		assert_non_null(tunnel);
		before = *tunnel;
		*tunnel = *step->tunnel;
		tunnel->engine = before.engine;
		tunnel->up = before.up;
		tunnel->mtu = before.mtu;
		break;
	}
	case PLAN_LINK_MTU:
		tunnel = model_tunnel(model, step->tunnel->ifname);
		assert_non_null(tunnel);
		tunnel->mtu = step->tunnel->mtu;
		break;
	case PLAN_LINK_UP:
		tunnel = model_tunnel(model, step->tunnel->ifname);
		assert_non_null(tunnel);
		tunnel->up = step->tunnel->up;
		break;
	case PLAN_ADDRESS_ADD:
		assert_true(model_link_exists(model, step->address->ifname));
		for (i = 0; i < model->n_addresses; i++)
			assert_int_not_equal(
				state_address_compare(&model->addresses[i], step->address), 0);
		*state_add_address(model) = *step->address;
		break;
	case PLAN_NFT_REPLACE:
		ruleset_free(model->ruleset);
		model->ruleset = ruleset_copy(step->ruleset);
		break;
	case PLAN_NFT_CHANGE:
		assert_non_null(model->ruleset);
		for (unsigned int set = 0; set < RULESET_SET_MAX; set++) {
			for (i = 0; i < plan->remove[set].n; i++)
				model_elem_delete(model, (enum ruleset_set)set,
						  &plan->remove[set].v[i]);
			for (i = 0; i < plan->add[set].n; i++)
				model_elem_add(model, (enum ruleset_set)set, &plan->add[set].v[i]);
		}
		break;
	case PLAN_ROUTE_REPLACE:
		model_route_replace(model, step->route);
		break;
	case PLAN_RULE_ADD:
		for (i = 0; i < model->n_rules; i++)
			assert_int_not_equal(state_rule_compare(&model->rules[i], step->rule), 0);
		*state_add_rule(model) = *step->rule;
		break;
	case PLAN_RULE_DELETE:
		for (i = 0; i < model->n_rules; i++)
			if (state_rule_compare(&model->rules[i], step->rule) == 0)
				break;
		assert_true(i < model->n_rules);
		REMOVE_AT(model->rules, model->n_rules, i);
		break;
	case PLAN_ROUTE_DELETE:
		for (i = 0; i < model->n_routes; i++)
			if (state_route_equal(&model->routes[i], step->route))
				break;
		assert_true(i < model->n_routes);
		REMOVE_AT(model->routes, model->n_routes, i);
		break;
	case PLAN_NFT_DELETE:
		assert_non_null(model->ruleset);
		ruleset_free(model->ruleset);
		model->ruleset = NULL;
		break;
	case PLAN_ADDRESS_DELETE:
		for (i = 0; i < model->n_addresses; i++)
			if (state_address_compare(&model->addresses[i], step->address) == 0)
				break;
		assert_true(i < model->n_addresses);
		REMOVE_AT(model->addresses, model->n_addresses, i);
		break;
	case PLAN_LINK_DELETE:
		model_link_delete(model, step->tunnel->ifname);
		break;
	case PLAN_ACTION_MAX:
		fail();
	}
}

/* -- Comparing. -- */

static bool tunnel_equal(const struct state_tunnel *a, const struct state_tunnel *b)
{
	return strcmp(a->ifname, b->ifname) == 0 && a->engine == b->engine && a->up == b->up &&
	       a->mtu == b->mtu && a->listen_port == b->listen_port &&
	       a->endpoint_port == b->endpoint_port && a->keepalive_s == b->keepalive_s &&
	       ip_addr_compare(&a->endpoint, &b->endpoint) == 0 &&
	       key_equal(&a->private_key, &b->private_key) &&
	       key_equal(&a->peer_key, &b->peer_key) && a->allowed_all == b->allowed_all &&
	       a->allowed_link == b->allowed_link;
}

static void assert_rulesets_equal(const struct ruleset *a, const struct ruleset *b)
{
	assert_int_equal(!a, !b);
	if (!a)
		return;
	assert_true(ruleset_params_equal(&a->params, &b->params));
	assert_true(a->intact && b->intact);
	for (unsigned int set = 0; set < RULESET_SET_MAX; set++) {
		assert_int_equal(a->sets[set].n, b->sets[set].n);
		for (size_t i = 0; i < a->sets[set].n; i++)
			assert_int_equal(ruleset_elem_compare((enum ruleset_set)set,
							      &a->sets[set].v[i],
							      &b->sets[set].v[i]),
					 0);
	}
}

/* Everything but settings, which a plan never takes back. */
static void assert_states_equal(const struct state *a, const struct state *b)
{
	assert_int_equal(a->n_tunnels, b->n_tunnels);
	for (size_t i = 0; i < a->n_tunnels; i++)
		assert_true(tunnel_equal(&a->tunnels[i], &b->tunnels[i]));
	assert_int_equal(a->n_addresses, b->n_addresses);
	for (size_t i = 0; i < a->n_addresses; i++)
		assert_int_equal(state_address_compare(&a->addresses[i], &b->addresses[i]), 0);
	assert_int_equal(a->n_routes, b->n_routes);
	for (size_t i = 0; i < a->n_routes; i++)
		assert_true(state_route_equal(&a->routes[i], &b->routes[i]));
	assert_int_equal(a->n_rules, b->n_rules);
	for (size_t i = 0; i < a->n_rules; i++)
		assert_int_equal(state_rule_compare(&a->rules[i], &b->rules[i]), 0);
	assert_rulesets_equal(a->ruleset, b->ruleset);
}

static const struct state_sysctl *sysctl_of(const struct state *state, const char *path)
{
	for (size_t i = 0; i < state->n_sysctls; i++)
		if (strcmp(state->sysctls[i].path, path) == 0)
			return &state->sysctls[i];
	return NULL;
}

static void assert_sysctls(const struct state *before, const struct state *after,
			   const struct state *wanted)
{
	for (size_t i = 0; i < before->n_sysctls; i++) {
		const char *path = before->sysctls[i].path, *was = before->sysctls[i].value;
		const struct state_sysctl *w = sysctl_of(wanted, path);
		bool set = w && (!w->only_from[0] || strcmp(w->only_from, was) == 0);

		assert_string_equal(sysctl_of(after, path)->value, set ? w->value : was);
	}
}

/* -- Random states. -- */

static void random_key(struct key *key)
{
	memset(key->bytes, 1 + (int)below(2), sizeof(key->bytes));
}

static void random_tunnel(struct state *state, unsigned int id, bool running)
{
	struct state_tunnel *tunnel = state_add_tunnel(state);

	assert_non_null(tunnel);
	snprintf(tunnel->ifname, sizeof(tunnel->ifname), "np%u", id);
	tunnel->peer_id = (uint16_t)id;
	tunnel->engine = (enum state_engine)below(running ? STATE_ENGINE_MAX : STATE_ENGINE_BROKEN);
	tunnel->up = below(8);
	tunnel->mtu = below(4) ? 1420 : 1380;
	tunnel->listen_port = (uint16_t)(16384 + below(2));
	tunnel->endpoint_port = (uint16_t)(16384 + below(2));
	tunnel->keepalive_s = (uint16_t)(25 + below(2));
	tunnel->endpoint = addr(below(2) ? "203.0.113.1" : "2001:db8::1");
	random_key(&tunnel->private_key);
	random_key(&tunnel->peer_key);
	/* The fifth of them is the partner, if it is there. */
	*(id == 5 ? &tunnel->allowed_link : &tunnel->allowed_all) = !running || below(8);
}

static void random_route(struct state *state, uint32_t table, const char *dst, uint32_t metric)
{
	unsigned int link = below((unsigned int)state->n_tunnels + 2);
	struct state_route *route = state_add_route(state);

	assert_non_null(route);
	route->table = table;
	route->metric = metric;
	route->dst = prefix(dst);
	if (link == state->n_tunnels + 1) {
		route->type = STATE_ROUTE_UNREACHABLE;
		return;
	}
	strcpy(route->ifname, link == state->n_tunnels ? "eth1" : state->tunnels[link].ifname);
	if (below(3) == 0)
		route->via = addr(route->dst.addr.family == IP_V4 ? "172.16.1.1" : "fe80::7");
	if (below(3) == 0)
		route->prefsrc = addr(route->dst.addr.family == IP_V4 ? "172.16.1.2" : "fd00::2");
}

static struct ruleset *random_ruleset(bool running)
{
	static const char *const subnets[] = { "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/24" };
	struct ruleset *ruleset;

	if (below(6) == 0)
		return NULL;
	ruleset = ruleset_new();
	assert_non_null(ruleset);
	ruleset->intact = !running || below(6);
	strcpy(ruleset->params.lan, "eth1");
	ruleset->params.own_mark = below(6) ? 0x10000 : 0x20000;
	for (size_t i = 0; i < 3; i++)
		for (uint32_t mark = 0x10000; mark <= 0x20000; mark += 0x10000)
			if (below(3) == 0) {
				struct ruleset_elem *e = ruleset_add(ruleset, RULESET_SITES4);

				e->prefix = prefix(subnets[i]);
				e->mark = mark;
				break;
			}
	for (unsigned int i = 1; i < 4; i++) {
		struct ruleset_elem *e;

		if (below(2))
			continue;
		e = ruleset_add(ruleset, RULESET_TUNNELS);
		snprintf(e->ifname, sizeof(e->ifname), "np%u", i);
		e->mark = 0x10000;
		ruleset_add(ruleset, RULESET_CLAMPED)->mark = i << 16;
		e = ruleset_add(ruleset, RULESET_ALLOW6);
		e->prefix = prefix("2001:db8::/32");
		e->proto = IPPROTO_TCP;
		e->port = (uint16_t)i;
	}
	return ruleset;
}

static void random_sysctls(struct state *state, bool running)
{
	for (unsigned int i = 0; i < 5; i++) {
		struct state_sysctl *sysctl;

		if (!running && below(3) == 0)
			continue;
		sysctl = state_add_sysctl(state);
		snprintf(sysctl->path, sizeof(sysctl->path), "net/ipv4/%u", i);
		snprintf(sysctl->value, sizeof(sysctl->value), "%u", below(3));
		if (!running && below(2))
			snprintf(sysctl->only_from, sizeof(sysctl->only_from), "%u", below(3));
	}
}

static struct state *random_make(bool running)
{
	static const char *const dsts[] = { "0.0.0.0/0", "::/0", "10.9.0.0/24" };
	static const uint32_t metrics[] = { 10, 20, 4096 };
	struct state *state = state_new();

	assert_non_null(state);
	for (unsigned int id = 1; id <= 5; id++)
		if (below(3))
			random_tunnel(state, id, running);
	for (size_t i = 0; i < state->n_tunnels; i++)
		for (unsigned int k = 1; k <= 2; k++)
			if (below(3)) {
				struct state_address *address = state_add_address(state);

				memcpy(address->ifname, state->tunnels[i].ifname,
				       sizeof(address->ifname));
				address->prefix =
					address_prefix(k == 1 ? "fe80::1" : "fe80::2", 64);
			}
	for (uint32_t table = 10001; table <= 10002; table++)
		for (size_t d = 0; d < 3; d++)
			for (size_t m = 0; m < 3; m++)
				if (below(2))
					random_route(state, table, dsts[d], metrics[m]);
	for (unsigned int i = 0; i < 16; i++)
		if (below(2))
			*state_add_rule(state) = (struct state_rule){
				.family = i & 1 ? IP_V4 : IP_V6,
				.pref = 5000 + (i >> 1 & 1),
				.mark = (i >> 2 & 1) << 16,
				.mask = STATE_MARK_MASK,
				.table = 10001 + (i >> 3),
			};
	random_sysctls(state, running);
	state->ruleset = random_ruleset(running);
	state_sort(state);
	return state;
}

static struct state *state_copy(const struct state *state)
{
	struct state *copy = state_new();

	assert_non_null(copy);
	for (size_t i = 0; i < state->n_tunnels; i++)
		*state_add_tunnel(copy) = state->tunnels[i];
	for (size_t i = 0; i < state->n_addresses; i++)
		*state_add_address(copy) = state->addresses[i];
	for (size_t i = 0; i < state->n_routes; i++)
		*state_add_route(copy) = state->routes[i];
	for (size_t i = 0; i < state->n_rules; i++)
		*state_add_rule(copy) = state->rules[i];
	for (size_t i = 0; i < state->n_sysctls; i++)
		*state_add_sysctl(copy) = state->sysctls[i];
	if (state->ruleset)
		copy->ruleset = ruleset_copy(state->ruleset);
	return copy;
}

/* -- Properties over random pairs. -- */

static void apply(struct state *model, const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_steps; i++)
		model_apply(model, plan, &plan->steps[i]);
	state_sort(model);
}

/* What adds comes before what removes, but for the deletion that begins a replacement. */
static void assert_order(const struct plan *plan)
{
	bool removing = false;

	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct plan_step *step = &plan->steps[i];
		bool begins = step->action == PLAN_LINK_DELETE && i + 1 < plan->n_steps &&
			      step[1].action == PLAN_LINK_ADD &&
			      strcmp(step->tunnel->ifname, step[1].tunnel->ifname) == 0;

		if (step->action >= PLAN_RULE_DELETE && !begins)
			removing = true;
		else
			assert_false(removing);
	}
}

/* A tunnel that is the same in both is not named in any step about links. */
static void assert_untouched(const struct plan *plan, const struct state *a, const struct state *b)
{
	for (size_t t = 0; t < a->n_tunnels; t++)
		for (size_t u = 0; u < b->n_tunnels; u++) {
			if (!tunnel_equal(&a->tunnels[t], &b->tunnels[u]))
				continue;
			for (size_t i = 0; i < plan->n_steps; i++) {
				enum plan_action action = plan->steps[i].action;

				if ((action >= PLAN_LINK_ADD && action <= PLAN_LINK_UP) ||
				    action == PLAN_LINK_DELETE)
					assert_string_not_equal(plan->steps[i].tunnel->ifname,
								a->tunnels[t].ifname);
			}
		}
}

static void assert_printable(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_steps; i++) {
		char line[512];

		memset(line, 'x', sizeof(line));
		plan_step_format(plan, &plan->steps[i], line, sizeof(line));
		assert_non_null(memchr(line, '\0', sizeof(line)));
		assert_non_null(strchr("+-~", line[0]));
		assert_int_equal(line[1], ' ');
		assert_null(strchr(line, '\n'));
		assert_null(strstr(line, "AQEB")); /* base64 of the keys used here */
		assert_null(strstr(line, "AgIC"));
	}
}

static void random_pairs(void **unused)
{
	size_t steps = 0;

	(void)unused;
	random_state = SEED;
	print_message("seed %#llx, %u pairs\n", (unsigned long long)SEED, PAIRS);
	for (unsigned int i = 0; i < PAIRS; i++) {
		struct state *a = random_make(true), *b = random_make(false);
		struct state *model = state_copy(a);
		struct plan *plan;

		assert_int_equal(plan_make(a, b, &plan), 0);
		assert_order(plan);
		assert_untouched(plan, a, b);
		assert_printable(plan);
		apply(model, plan);
		assert_states_equal(model, b);
		assert_sysctls(a, model, b);
		steps += plan->n_steps;
		plan_free(plan);

		/* Once there, nothing is left to do. */
		assert_int_equal(plan_make(model, b, &plan), 0);
		assert_int_equal(plan->n_steps, 0);
		plan_free(plan);
		assert_int_equal(plan_make(a, a, &plan), 0);
		assert_int_equal(plan->n_steps, 0);
		plan_free(plan);

		state_free(a);
		state_free(b);
		state_free(model);
	}
	assert_true(steps > PAIRS);
}

/* A plan broken off after any of its steps leads back, and also forward again. */
static void rollback_from_every_step(void **unused)
{
	(void)unused;
	random_state = SEED + 1;
	for (unsigned int i = 0; i < PAIRS / 40; i++) {
		struct state *a = random_make(false), *b = random_make(false);
		struct plan *plan, *again;

		assert_int_equal(plan_make(a, b, &plan), 0);
		for (size_t stop = 0; stop <= plan->n_steps; stop++) {
			struct state *model = state_copy(a);
			const struct state *goals[] = { a, b };

			for (size_t s = 0; s < stop; s++)
				model_apply(model, plan, &plan->steps[s]);
			state_sort(model);
			for (size_t g = 0; g < 2; g++) {
				struct state *copy = state_copy(model);

				assert_int_equal(plan_make(model, goals[g], &again), 0);
				apply(copy, again);
				assert_states_equal(copy, goals[g]);
				plan_free(again);
				state_free(copy);
			}
			state_free(model);
		}
		plan_free(plan);
		state_free(a);
		state_free(b);
	}
}

/* -- One site with two gateways, and what may not happen to it. -- */

/* After every step, either family has a route by way of a tunnel that is up and configured. */
static void assert_always_reachable(const struct state *a, const struct plan *plan)
{
	struct state *model = state_copy(a);

	for (size_t s = 0; s < plan->n_steps; s++) {
		model_apply(model, plan, &plan->steps[s]);
		for (unsigned int family = 4; family <= 6; family += 2) {
			const struct state_route *best = NULL;

			for (size_t i = 0; i < model->n_routes; i++)
				if (model->routes[i].dst.addr.family == family &&
				    (!best || model->routes[i].metric < best->metric))
					best = &model->routes[i];
			assert_non_null(best);
			assert_int_equal(best->type, STATE_ROUTE_UNICAST);
			assert_true(model_tunnel(model, best->ifname)->up);
			assert_false(key_is_zero(&model_tunnel(model, best->ifname)->peer_key));
		}
	}
	state_free(model);
}

static void replacing_engines_never_cuts_a_site_off(void **unused)
{
	static const unsigned int choices[][2] = { { 3, 4 }, { 4, 3 } };

	(void)unused;
	for (size_t from = 0; from < 2; from++)
		for (size_t to = 0; to < 2; to++)
			for (unsigned int engine = 0; engine < 2; engine++) {
				struct state *a = site(STATE_ENGINE_KERNEL, choices[from][0],
						       choices[from][1]);
				struct state *b = site((enum state_engine)engine, choices[to][0],
						       choices[to][1]);
				struct plan *plan;

				assert_int_equal(plan_make(a, b, &plan), 0);
				assert_always_reachable(a, plan);
				plan_free(plan);
				state_free(a);
				state_free(b);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_pairs),
		cmocka_unit_test(rollback_from_every_step),
		cmocka_unit_test(replacing_engines_never_cuts_a_site_off),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
