/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The difference between two states as a list of steps, in the order in which they can be done
 * without a packet lost: what is new comes first and from the bottom up (settings, links,
 * addresses, filter, routes, rules), what goes is removed after that from the top down.
 * Pure: apply.h does the steps.
 */
#ifndef NETPAS_PLAN_H
#define NETPAS_PLAN_H

#include <stdio.h>

#include "state.h"

enum plan_action {
	PLAN_SYSCTL_SET,
	PLAN_LINK_ADD,	     /* create the interface; a user-space engine is started */
	PLAN_LINK_CONFIGURE, /* WireGuard: keys, port, peer */
	PLAN_LINK_MTU,
	PLAN_LINK_UP,
	PLAN_ADDRESS_ADD,
	PLAN_NFT_REPLACE, /* the whole table, one transaction */
	PLAN_NFT_CHANGE,  /* elements only, one transaction */
	PLAN_ROUTE_REPLACE,
	PLAN_RULE_ADD,
	PLAN_RULE_DELETE,
	PLAN_ROUTE_DELETE,
	PLAN_NFT_DELETE,
	PLAN_ADDRESS_DELETE,
	PLAN_LINK_DELETE,
	PLAN_ACTION_MAX,
};

struct plan_step {
	enum plan_action action;
	union { /* into the wanted state, or for removals into the running one */
		const struct state_sysctl *sysctl;
		const struct state_tunnel *tunnel;
		const struct state_address *address;
		const struct state_route *route;
		const struct state_rule *rule;
		const struct ruleset *ruleset;
	};
	bool existed; /* route or table replaced: one of its identity runs already */
};

struct plan {
	struct plan_step *steps;
	size_t n_steps;
	/* For PLAN_NFT_CHANGE. */
	struct ruleset_elems remove[RULESET_SET_MAX], add[RULESET_SET_MAX];
};

/*
 * Both states must be sorted and must outlive the plan. An engine change of a tunnel is a removal
 * (first) and an addition. Returns 0 or -ENOMEM.
 */
int plan_make(const struct state *running, const struct state *wanted, struct plan **ret_plan);
void plan_free(struct plan *plan);

/* One line a step, such as "+ route default dev np3 table 10003 metric 10"; keys never appear. */
void plan_print(const struct plan *plan, FILE *out);
/* The same without newline, cut off if buf is too small. */
void plan_step_format(const struct plan *plan, const struct plan_step *step, char *buf,
		      size_t size);

#endif
