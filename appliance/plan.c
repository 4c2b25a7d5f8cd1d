/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every list of a state is sorted by identity, so a difference is a merge of two lists. plan_make()
 * merges them once for every kind of step, in the order of enum plan_action: first all that adds,
 * from the bottom up, then all that removes, from the top down.
 *
 * The exception is a tunnel whose engine changes: the same interface name has to go before it can
 * come, and addresses and routes go with it. Such tunnels are replaced between the two halves, when
 * everything else that is new carries packets, and one after the other: each is whole again, with
 * its addresses and routes, before the next one is touched. A site is reached through two tunnels,
 * so one of them is always there.
 */
#include "plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct builder {
	struct plan *plan;
	size_t capacity;
	const struct state *running, *wanted;
	bool failed; /* out of memory: steps are missing */
};

/* Append a step to fill in; a spare one if there is no memory, so that callers need not care. */
static struct plan_step *step_add(struct builder *builder, enum plan_action action)
{
	static struct plan_step spare;
	struct plan *plan = builder->plan;

	if (plan->n_steps == builder->capacity) {
		size_t capacity = builder->capacity ? builder->capacity * 2 : 64;
		struct plan_step *steps = reallocarray(plan->steps, capacity, sizeof(*plan->steps));

		if (!steps) {
			builder->failed = true;
			return &spare;
		}
		plan->steps = steps;
		builder->capacity = capacity;
	}
	plan->steps[plan->n_steps] = (struct plan_step){ .action = action };
	return &plan->steps[plan->n_steps++];
}

/* Give cb each identity that is in either list; NULL for the one that does not have it. */
static void merge(struct builder *builder, const void *running, size_t n_running,
		  const void *wanted, size_t n_wanted, size_t size,
		  int (*compare)(const void *a, const void *b),
		  void (*cb)(struct builder *builder, const void *running, const void *wanted))
{
	const char *r = running, *w = wanted;

	while (n_running || n_wanted) {
		int order = !n_running ? 1 : !n_wanted ? -1 : compare(r, w);

		cb(builder, order <= 0 ? r : NULL, order >= 0 ? w : NULL);
		if (order <= 0) {
			r += size;
			n_running--;
		}
		if (order >= 0) {
			w += size;
			n_wanted--;
		}
	}
}

static int tunnel_order(const void *a, const void *b)
{
	return state_tunnel_compare(a, b);
}

static int address_order(const void *a, const void *b)
{
	return state_address_compare(a, b);
}

static int rule_order(const void *a, const void *b)
{
	return state_rule_compare(a, b);
}

static int sysctl_order(const void *a, const void *b)
{
	return state_sysctl_compare(a, b);
}

/* -- Settings. -- */

static void sysctl_set(struct builder *builder, const void *running, const void *wanted)
{
	const struct state_sysctl *r = running, *w = wanted;

	/* No value: it could not be read when this state was, so there is none to go back to. */
	if (!w || !w->value[0] || (r && strcmp(r->value, w->value) == 0))
		return;
	if (w->only_from[0] && (!r || strcmp(r->value, w->only_from) != 0))
		return;
	step_add(builder, PLAN_SYSCTL_SET)->sysctl = w;
}

/* -- Tunnels. -- */

static const struct state_tunnel *tunnel_find(const struct state *state, const char *ifname)
{
	struct state_tunnel key = { .up = false };

	if (!state->n_tunnels)
		return NULL;
	memcpy(key.ifname, ifname, sizeof(key.ifname));
	return bsearch(&key, state->tunnels, state->n_tunnels, sizeof(key), tunnel_order);
}

/* The tunnel stays by name, but as another interface. */
static bool tunnel_replaced(const struct builder *builder, const char *ifname)
{
	const struct state_tunnel *r = tunnel_find(builder->running, ifname);
	const struct state_tunnel *w = tunnel_find(builder->wanted, ifname);

	return r && w && r->engine != w->engine;
}

static bool wireguard_differs(const struct state_tunnel *r, const struct state_tunnel *w)
{
	/* WireGuard cannot forget an endpoint: with none wanted any will do. */
	bool endpoint = w->endpoint.family != IP_NONE &&
			(ip_addr_compare(&r->endpoint, &w->endpoint) != 0 ||
			 r->endpoint_port != w->endpoint_port);

	return endpoint || r->listen_port != w->listen_port || r->keepalive_s != w->keepalive_s ||
	       (w->allowed_all && !r->allowed_all) || (w->allowed_link && !r->allowed_link) ||
	       !key_equal(&r->private_key, &w->private_key) ||
	       !key_equal(&r->peer_key, &w->peer_key);
}

static void tunnel_add(struct builder *builder, const struct state_tunnel *tunnel)
{
	step_add(builder, PLAN_LINK_ADD)->tunnel = tunnel;
	step_add(builder, PLAN_LINK_CONFIGURE)->tunnel = tunnel;
	step_add(builder, PLAN_LINK_MTU)->tunnel = tunnel;
	if (tunnel->up)
		step_add(builder, PLAN_LINK_UP)->tunnel = tunnel;
}

static void tunnel_add_or_change(struct builder *builder, const void *running, const void *wanted)
{
	const struct state_tunnel *r = running, *w = wanted;

	if (!w)
		return;
	if (!r) {
		tunnel_add(builder, w);
		return;
	}
	if (r->engine != w->engine)
		return;
	if (wireguard_differs(r, w))
		step_add(builder, PLAN_LINK_CONFIGURE)->tunnel = w;
	if (r->mtu != w->mtu)
		step_add(builder, PLAN_LINK_MTU)->tunnel = w;
	if (r->up != w->up)
		step_add(builder, PLAN_LINK_UP)->tunnel = w;
}

static void tunnel_replace(struct builder *builder, const void *running, const void *wanted)
{
	const struct state_tunnel *r = running, *w = wanted;

	if (!r || !w || r->engine == w->engine)
		return;
	step_add(builder, PLAN_LINK_DELETE)->tunnel = r;
	tunnel_add(builder, w);
	for (size_t i = 0; i < builder->wanted->n_addresses; i++) {
		const struct state_address *address = &builder->wanted->addresses[i];

		if (strcmp(address->ifname, w->ifname) == 0)
			step_add(builder, PLAN_ADDRESS_ADD)->address = address;
	}
	for (size_t i = 0; i < builder->wanted->n_routes; i++) {
		const struct state_route *route = &builder->wanted->routes[i];

		if (strcmp(route->ifname, w->ifname) == 0)
			step_add(builder, PLAN_ROUTE_REPLACE)->route = route;
	}
}

static void tunnel_delete(struct builder *builder, const void *running, const void *wanted)
{
	if (!wanted)
		step_add(builder, PLAN_LINK_DELETE)->tunnel = running;
}

/* -- Addresses and rules: nothing but identity. -- */

static void address_add(struct builder *builder, const void *running, const void *wanted)
{
	const struct state_address *w = wanted;

	if (!running && !tunnel_replaced(builder, w->ifname))
		step_add(builder, PLAN_ADDRESS_ADD)->address = w;
}

static void address_delete(struct builder *builder, const void *running, const void *wanted)
{
	const struct state_address *r = running;

	if (!wanted && !tunnel_replaced(builder, r->ifname))
		step_add(builder, PLAN_ADDRESS_DELETE)->address = r;
}

static void rule_add(struct builder *builder, const void *running, const void *wanted)
{
	if (!running)
		step_add(builder, PLAN_RULE_ADD)->rule = wanted;
}

static void rule_delete(struct builder *builder, const void *running, const void *wanted)
{
	if (!wanted)
		step_add(builder, PLAN_RULE_DELETE)->rule = running;
}

/* -- Routes. -- */

/*
 * The kernel lets others append routes of the same identity to ours, so what runs may have several
 * where one is wanted. A replacement overwrites one of them: whichever it was, the others go.
 */
static void routes_merge(struct builder *builder,
			 void (*cb)(struct builder *builder, const struct state_route *running,
				    size_t n_running, const struct state_route *wanted))
{
	const struct state_route *r = builder->running->routes, *w = builder->wanted->routes;
	size_t n_r = builder->running->n_routes, n_w = builder->wanted->n_routes;

	while (n_r || n_w) {
		int order = !n_r ? 1 : !n_w ? -1 : state_route_compare(r, w);
		size_t same = 0;

		if (order <= 0)
			for (same = 1; same < n_r && state_route_compare(r, r + same) == 0;)
				same++;
		cb(builder, r, same, order >= 0 ? w : NULL);
		if (same) {
			r += same;
			n_r -= same;
		}
		if (order >= 0) {
			w++;
			n_w--;
		}
	}
}

static bool route_runs(const struct state_route *running, size_t n_running,
		       const struct state_route *wanted)
{
	for (size_t i = 0; i < n_running; i++)
		if (state_route_equal(&running[i], wanted))
			return true;
	return false;
}

static void route_replace(struct builder *builder, const struct state_route *running,
			  size_t n_running, const struct state_route *wanted)
{
	struct plan_step *step;

	if (!wanted || route_runs(running, n_running, wanted) ||
	    tunnel_replaced(builder, wanted->ifname))
		return;
	step = step_add(builder, PLAN_ROUTE_REPLACE);
	step->route = wanted;
	step->existed = n_running;
}

static void route_delete(struct builder *builder, const struct state_route *running,
			 size_t n_running, const struct state_route *wanted)
{
	if (wanted && n_running == 1)
		return;
	for (size_t i = 0; i < n_running; i++) {
		if (wanted && state_route_equal(&running[i], wanted))
			continue;
		if (!tunnel_replaced(builder, running[i].ifname))
			step_add(builder, PLAN_ROUTE_DELETE)->route = &running[i];
	}
}

/* -- The filter. -- */

static int elem_copy(struct ruleset_elems *elems, const struct ruleset_elem *elem)
{
	if (elems->n == elems->capacity) {
		size_t capacity = elems->capacity ? elems->capacity * 2 : 16;
		struct ruleset_elem *v = reallocarray(elems->v, capacity, sizeof(*v));

		if (!v)
			return -ENOMEM;
		elems->v = v;
		elems->capacity = capacity;
	}
	elems->v[elems->n++] = *elem;
	return 0;
}

static int elems_merge(enum ruleset_set set, const struct ruleset_elems *running,
		       const struct ruleset_elems *wanted, struct ruleset_elems *ret_remove,
		       struct ruleset_elems *ret_add)
{
	size_t r = 0, w = 0;
	int err = 0;

	while (!err && (r < running->n || w < wanted->n)) {
		int order = r == running->n ? 1
			    : w == wanted->n
				    ? -1
				    : ruleset_elem_compare(set, &running->v[r], &wanted->v[w]);

		if (order < 0)
			err = elem_copy(ret_remove, &running->v[r]);
		else if (order > 0)
			err = elem_copy(ret_add, &wanted->v[w]);
		r += order <= 0;
		w += order >= 0;
	}
	return err;
}

static void nft_set(struct builder *builder)
{
	const struct ruleset *r = builder->running->ruleset, *w = builder->wanted->ruleset;
	struct plan *plan = builder->plan;
	struct plan_step *step;
	bool differs = false;

	/* A table that somebody damaged is no state to go back to. */
	if (!w || !w->intact)
		return;
	if (!r || !r->intact || !ruleset_params_equal(&r->params, &w->params)) {
		step = step_add(builder, PLAN_NFT_REPLACE);
		step->ruleset = w;
		step->existed = r;
		return;
	}
	for (unsigned int set = 0; set < RULESET_SET_MAX; set++) {
		if (elems_merge((enum ruleset_set)set, &r->sets[set], &w->sets[set],
				&plan->remove[set], &plan->add[set]))
			builder->failed = true;
		differs |= plan->remove[set].n || plan->add[set].n;
	}
	if (differs)
		step_add(builder, PLAN_NFT_CHANGE)->ruleset = w;
}

static void nft_delete(struct builder *builder)
{
	if (builder->running->ruleset && !builder->wanted->ruleset)
		step_add(builder, PLAN_NFT_DELETE)->ruleset = builder->running->ruleset;
}

int plan_make(const struct state *running, const struct state *wanted, struct plan **ret_plan)
{
	const struct state *r = running, *w = wanted;
	struct builder builder = { .running = running, .wanted = wanted };
	struct builder *b = &builder;

	b->plan = calloc(1, sizeof(*b->plan));
	if (!b->plan)
		return -ENOMEM;

	merge(b, r->sysctls, r->n_sysctls, w->sysctls, w->n_sysctls, sizeof(*w->sysctls),
	      sysctl_order, sysctl_set);
	merge(b, r->tunnels, r->n_tunnels, w->tunnels, w->n_tunnels, sizeof(*w->tunnels),
	      tunnel_order, tunnel_add_or_change);
	merge(b, r->addresses, r->n_addresses, w->addresses, w->n_addresses, sizeof(*w->addresses),
	      address_order, address_add);
	nft_set(b);
	routes_merge(b, route_replace);
	merge(b, r->rules, r->n_rules, w->rules, w->n_rules, sizeof(*w->rules), rule_order,
	      rule_add);

	merge(b, r->tunnels, r->n_tunnels, w->tunnels, w->n_tunnels, sizeof(*w->tunnels),
	      tunnel_order, tunnel_replace);

	merge(b, r->rules, r->n_rules, w->rules, w->n_rules, sizeof(*w->rules), rule_order,
	      rule_delete);
	routes_merge(b, route_delete);
	nft_delete(b);
	merge(b, r->addresses, r->n_addresses, w->addresses, w->n_addresses, sizeof(*w->addresses),
	      address_order, address_delete);
	merge(b, r->tunnels, r->n_tunnels, w->tunnels, w->n_tunnels, sizeof(*w->tunnels),
	      tunnel_order, tunnel_delete);

	if (b->failed) {
		plan_free(b->plan);
		return -ENOMEM;
	}
	*ret_plan = b->plan;
	return 0;
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	for (unsigned int set = 0; set < RULESET_SET_MAX; set++) {
		free(plan->remove[set].v);
		free(plan->add[set].v);
	}
	free(plan->steps);
	free(plan);
}

/* -- In words. -- */

#define ELEMS_NAMED_MAX 4 /* more elements than that are only counted */
#define PROTO_TCP 6	  /* IPPROTO_TCP, without a socket header */

struct text {
	char *buf;
	size_t size, len;
};

__attribute__((format(printf, 2, 3))) static void text_add(struct text *text, const char *fmt, ...)
{
	va_list args;
	int n;

	if (text->len >= text->size)
		return;
	va_start(args, fmt);
	n = vsnprintf(text->buf + text->len, text->size - text->len, fmt, args);
	va_end(args);
	if (n > 0)
		text->len += (size_t)n;
}

static void sysctl_format(struct text *text, const struct state_sysctl *sysctl)
{
	text_add(text, "~ sysctl %s = %s", sysctl->path, sysctl->value);
}

static void wireguard_format(struct text *text, const struct state_tunnel *tunnel)
{
	bool v6 = tunnel->endpoint.family == IP_V6;
	char addr[IP_ADDR_STRLEN];

	text_add(text, "~ link %s wireguard port %u", tunnel->ifname, tunnel->listen_port);
	if (tunnel->endpoint.family != IP_NONE)
		text_add(text, " endpoint %s%s%s:%u", v6 ? "[" : "",
			 ip_addr_format(&tunnel->endpoint, addr), v6 ? "]" : "",
			 tunnel->endpoint_port);
}

static void address_format(struct text *text, char sign, const struct state_address *address)
{
	char prefix[IP_PREFIX_STRLEN];

	text_add(text, "%c address %s on %s", sign, ip_prefix_format(&address->prefix, prefix),
		 address->ifname);
}

static void route_format(struct text *text, char sign, const struct state_route *route)
{
	bool is_default = !route->dst.len && route->dst.addr.family == IP_V4;
	char prefix[IP_PREFIX_STRLEN], addr[IP_ADDR_STRLEN];

	text_add(text, "%c route %s%s", sign,
		 route->type == STATE_ROUTE_UNREACHABLE ? "unreachable " : "",
		 is_default ? "default" : ip_prefix_format(&route->dst, prefix));
	if (route->via.family != IP_NONE)
		text_add(text, " via %s", ip_addr_format(&route->via, addr));
	if (route->ifname[0])
		text_add(text, " dev %s", route->ifname);
	text_add(text, " table %u metric %u", route->table, route->metric);
	if (route->prefsrc.family != IP_NONE)
		text_add(text, " src %s", ip_addr_format(&route->prefsrc, addr));
	if (route->mtu)
		text_add(text, " mtu %u", route->mtu);
}

static void rule_format(struct text *text, char sign, const struct state_rule *rule)
{
	char prefix[IP_PREFIX_STRLEN];

	text_add(text, "%c rule %spref %u", sign, rule->family == IP_V6 ? "ipv6 " : "", rule->pref);
	if (rule->from.len)
		text_add(text, " from %s", ip_prefix_format(&rule->from, prefix));
	if (rule->mask)
		text_add(text, " fwmark %#x/%#x", rule->mark, rule->mask);
	if (rule->ip_proto)
		text_add(text, " ipproto %u", rule->ip_proto);
	text_add(text, " table %u", rule->table);
}

static void elem_format(struct text *text, enum ruleset_set set, char sign,
			const struct ruleset_elem *elem)
{
	char prefix[IP_PREFIX_STRLEN];

	text_add(text, " %c", sign);
	switch (set) {
	case RULESET_SITES4:
	case RULESET_SITES6:
		text_add(text, "%s mark %#x", ip_prefix_format(&elem->prefix, prefix), elem->mark);
		break;
	case RULESET_NODES4:
	case RULESET_NODES6:
		text_add(text, "%s", ip_addr_format(&elem->prefix.addr, prefix));
		break;
	case RULESET_TUNNELS:
		text_add(text, "%s mark %#x", elem->ifname, elem->mark);
		break;
	case RULESET_PAIR_MAC:
		text_add(text, "%02x:%02x:%02x:%02x:%02x:%02x", elem->mac[0], elem->mac[1],
			 elem->mac[2], elem->mac[3], elem->mac[4], elem->mac[5]);
		break;
	case RULESET_PAIR_ANY:
		text_add(text, "%s", elem->ifname);
		break;
	case RULESET_CLAMPED:
		text_add(text, "mark %#x", elem->mark);
		break;
	case RULESET_ALLOW4:
	case RULESET_ALLOW6:
	case RULESET_WEB4:
	case RULESET_WEB6:
		text_add(text, "%s %s %u", ip_prefix_format(&elem->prefix, prefix),
			 elem->proto == PROTO_TCP ? "tcp" : "udp", elem->port);
		break;
	case RULESET_SET_MAX:
		break;
	}
}

static void elems_name(struct text *text, const struct plan *plan)
{
	const char *separator = "";

	for (unsigned int set = 0; set < RULESET_SET_MAX; set++) {
		const struct ruleset_elems *remove = &plan->remove[set], *add = &plan->add[set];

		if (!remove->n && !add->n)
			continue;
		text_add(text, "%s %s", separator, ruleset_set_names[set]);
		for (size_t i = 0; i < remove->n; i++)
			elem_format(text, (enum ruleset_set)set, '-', &remove->v[i]);
		for (size_t i = 0; i < add->n; i++)
			elem_format(text, (enum ruleset_set)set, '+', &add->v[i]);
		separator = ",";
	}
}

/* Both families together, in the words of the configuration. */
static void elems_count(struct text *text, const struct plan *plan)
{
	static const struct {
		const char *noun;
		enum ruleset_set first, last;
	} groups[] = {
		{ "subnets", RULESET_SITES4, RULESET_SITES6 },
		{ "nodes", RULESET_NODES4, RULESET_NODES6 },
		{ "tunnels", RULESET_TUNNELS, RULESET_TUNNELS },
		{ "clamped sites", RULESET_CLAMPED, RULESET_CLAMPED },
		{ "allowed", RULESET_ALLOW4, RULESET_WEB6 },
		{ "sources of VRRP", RULESET_PAIR_MAC, RULESET_PAIR_ANY },
	};
	const char *separator = "";

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		size_t add = 0, remove = 0;

		for (unsigned int set = groups[i].first; set <= groups[i].last; set++) {
			add += plan->add[set].n;
			remove += plan->remove[set].n;
		}
		if (!add && !remove)
			continue;
		text_add(text, "%s +%zu -%zu %s", separator, add, remove, groups[i].noun);
		separator = ",";
	}
}

static void nft_format(struct text *text, const struct plan *plan)
{
	size_t n = 0;

	for (unsigned int set = 0; set < RULESET_SET_MAX; set++)
		n += plan->remove[set].n + plan->add[set].n;
	text_add(text, "~ nft");
	if (n <= ELEMS_NAMED_MAX)
		elems_name(text, plan);
	else
		elems_count(text, plan);
}

void plan_step_format(const struct plan *plan, const struct plan_step *step, char *buf, size_t size)
{
	struct text text = { .buf = buf, .size = size };

	if (size)
		buf[0] = '\0';
	switch (step->action) {
	case PLAN_SYSCTL_SET:
		sysctl_format(&text, step->sysctl);
		break;
	case PLAN_LINK_ADD:
	case PLAN_LINK_DELETE:
		text_add(&text, "%c link %s (%s)", step->action == PLAN_LINK_ADD ? '+' : '-',
			 step->tunnel->ifname, state_engine_names[step->tunnel->engine]);
		break;
	case PLAN_LINK_CONFIGURE:
		wireguard_format(&text, step->tunnel);
		break;
	case PLAN_LINK_MTU:
		text_add(&text, "~ link %s mtu %u", step->tunnel->ifname, step->tunnel->mtu);
		break;
	case PLAN_LINK_UP:
		text_add(&text, "~ link %s %s", step->tunnel->ifname,
			 step->tunnel->up ? "up" : "down");
		break;
	case PLAN_ADDRESS_ADD:
		address_format(&text, '+', step->address);
		break;
	case PLAN_NFT_REPLACE:
		text_add(&text, "%c nft table %s %s(%zu subnets)", step->existed ? '~' : '+',
			 RULESET_TABLE, step->existed ? "replaced " : "",
			 step->ruleset->sets[RULESET_SITES4].n +
				 step->ruleset->sets[RULESET_SITES6].n);
		break;
	case PLAN_NFT_CHANGE:
		nft_format(&text, plan);
		break;
	case PLAN_ROUTE_REPLACE:
		route_format(&text, step->existed ? '~' : '+', step->route);
		break;
	case PLAN_RULE_ADD:
		rule_format(&text, '+', step->rule);
		break;
	case PLAN_RULE_DELETE:
		rule_format(&text, '-', step->rule);
		break;
	case PLAN_ROUTE_DELETE:
		route_format(&text, '-', step->route);
		break;
	case PLAN_NFT_DELETE:
		text_add(&text, "- nft table %s", RULESET_TABLE);
		break;
	case PLAN_ADDRESS_DELETE:
		address_format(&text, '-', step->address);
		break;
	case PLAN_ACTION_MAX:
		break;
	}
}

void plan_print(const struct plan *plan, FILE *out)
{
	char line[512];

	for (size_t i = 0; i < plan->n_steps; i++) {
		plan_step_format(plan, &plan->steps[i], line, sizeof(line));
		fprintf(out, "%s\n", line);
	}
}
