/* SPDX-License-Identifier: GPL-2.0-only */
#include "wanted.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drill_wire.h"

static const uint8_t families[] = { IP_V4, IP_V6 };

void wanted_ifname(uint16_t peer_id, uint8_t lane, char ret_ifname[static CONFIG_IFNAME_LEN])
{
	if (lane)
		snprintf(ret_ifname, CONFIG_IFNAME_LEN, STATE_LINK_PREFIX "%u-%u", peer_id, lane);
	else
		snprintf(ret_ifname, CONFIG_IFNAME_LEN, STATE_LINK_PREFIX "%u", peer_id);
}

uint16_t wanted_ifname_id(const char *ifname)
{
	char again[CONFIG_IFNAME_LEN];
	unsigned long id, lane = 0;
	char *end;

	if (strncmp(ifname, STATE_LINK_PREFIX, strlen(STATE_LINK_PREFIX)))
		return 0;
	id = strtoul(ifname + strlen(STATE_LINK_PREFIX), &end, 10);
	if (*end == '-')
		lane = strtoul(end + 1, NULL, 10);
	if (id < 1 || id > CONFIG_ID_MAX || lane >= CONFIG_LANES_MAX)
		return 0;
	/* Only the form that we write ourselves: no sign, no leading zero, nothing behind it. */
	wanted_ifname((uint16_t)id, (uint8_t)lane, again);
	return strcmp(again, ifname) ? 0 : (uint16_t)id;
}

static uint32_t site_mark(const struct config_site *site)
{
	return (uint32_t)config_site_number(site) << STATE_MARK_SHIFT;
}

static uint32_t site_table(const struct config_site *site)
{
	return STATE_TABLE_BASE + config_site_number(site);
}

/*
 * The first WAN address of the peer in a family that this node has too. There is one: sites that
 * are connected share a family.
 */
static const struct config_wan *peer_wan(const struct config_gateway *self,
					 const struct config_gateway *peer)
{
	for (size_t i = 0; i < peer->n_wans; i++)
		for (size_t o = 0; o < self->n_wans; o++)
			if (peer->wans[i].public_addr.family == self->wans[o].private_addr.family)
				return &peer->wans[i];
	return &peer->wans[0];
}

/* What tunnels of every kind have in common. */
static int add_link(const struct config *config, const struct config_gateway *peer, uint8_t lane,
		    enum state_engine engine, struct state *state, struct state_tunnel **ret_tunnel)
{
	const unsigned int base = config->mesh.port_base + lane * CONFIG_LANE_PORTS;
	const struct config_gateway *self = config_self(config);
	struct state_tunnel *tunnel = state_add_tunnel(state);
	struct state_address *address = state_add_address(state);

	if (!tunnel || !address)
		return -ENOMEM;
	wanted_ifname(peer->id, lane, tunnel->ifname);
	tunnel->peer_id = peer->id;
	tunnel->engine = engine;
	tunnel->up = true;
	tunnel->listen_port = (uint16_t)(base + peer->id);
	tunnel->endpoint_port = (uint16_t)(base + self->id);
	/* One end begins: initiations that cross make both ends wait five seconds for the next. */
	tunnel->keepalive_s = self->id < peer->id ? config->mesh.keepalive_s : 0;
	tunnel->private_key = config->private_key;
	tunnel->peer_key = peer->public_key;

	memcpy(address->ifname, tunnel->ifname, sizeof(address->ifname));
	address->prefix = (struct ip_prefix){ .addr = ip_link_local(self->id), .len = 64 };
	*ret_tunnel = tunnel;
	return 0;
}

static int add_tunnel(const struct config *config, const struct config_gateway *peer, uint8_t lane,
		      const struct config_policy *policy, enum state_engine engine,
		      struct state *state)
{
	struct state_tunnel *tunnel;
	int rc = add_link(config, peer, lane, engine, state, &tunnel);

	if (rc)
		return rc;
	tunnel->mtu = policy->mtu;
	tunnel->endpoint = peer_wan(config_self(config), peer)->public_addr;
	tunnel->allowed_all = true;
	return 0;
}

/* Where the partner is on the LAN. A VIP's family is one that both gateways have. */
static const struct ip_addr *partner_lan(const struct config *config,
					 const struct config_gateway *partner)
{
	return partner->lan4.family && config_self(config)->lan4.family ? &partner->lan4
									: &partner->lan6;
}

/*
 * To the other gateway of the site, by the LAN and outside the data plane: for what the two have to
 * tell each other, never for packets of customers.
 */
static int add_partner_tunnel(const struct config *config, enum state_engine engine,
			      struct state *state)
{
	const struct config_gateway *partner = config_partner(config);
	struct state_tunnel *tunnel;
	int rc;

	if (!partner)
		return 0;
	rc = add_link(config, partner, 0, engine, state, &tunnel);
	if (rc)
		return rc;
	tunnel->mtu = CONFIG_MTU_MIN; /* fits any LAN, and carries no more than talk */
	tunnel->endpoint = *partner_lan(config, partner);
	tunnel->allowed_link = true;
	return 0;
}

/* One for each lane between the two sites. */
static int add_tunnels(const struct config *config, const struct config_gateway *peer,
		       const struct config_policy *policy, enum state_engine engine,
		       struct state *state)
{
	const unsigned int lanes = config_policy_lanes(&config->mesh, policy);
	int rc = 0;

	for (uint8_t lane = 0; lane < CONFIG_LANES_MAX && !rc; lane++)
		if (lanes >> lane & 1)
			rc = add_tunnel(config, peer, lane, policy, engine, state);
	return rc;
}

static int add_route(struct state *state, const struct state_route *route)
{
	struct state_route *new = state_add_route(state);

	if (!new)
		return -ENOMEM;
	*new = *route;
	return 0;
}

static int add_unreachable(struct state *state, uint32_t table, uint8_t family)
{
	return add_route(state, &(struct state_route){
					.table = table,
					.metric = STATE_METRIC_LAST,
					.type = STATE_ROUTE_UNREACHABLE,
					.dst = { .addr = { .family = family } },
				});
}

int wanted_site_routes(const struct config *config, size_t site, size_t choice, struct state *state)
{
	const struct config_site *remote = &config->mesh.sites[site];
	const struct config_policy policy = config_policy_with(config, site);
	const uint8_t lane = config_policy_lane(&config->mesh, &policy);
	int rc;

	for (size_t f = 0; f < sizeof(families); f++) {
		struct state_route route = {
			.table = site_table(remote),
			.dst = { .addr = { .family = families[f] } },
		};

		/* The preferred one first: replaced in this order there is always a route. */
		for (size_t i = 0; i < remote->n_gateways; i++) {
			size_t gateway = (choice + i) % remote->n_gateways;

			route.metric = i ? STATE_METRIC_STANDBY : STATE_METRIC_ACTIVE;
			wanted_ifname(remote->gateways[gateway].id, lane, route.ifname);
			rc = add_route(state, &route);
			if (rc)
				return rc;
		}
		rc = add_unreachable(state, route.table, families[f]);
		if (rc)
			return rc;
	}
	return 0;
}

void wanted_limit_mtu(struct state *state, uint16_t peer_id, uint16_t mtu)
{
	for (size_t i = 0; i < state->n_tunnels; i++)
		if (state->tunnels[i].peer_id == peer_id)
			state->tunnels[i].mtu = mtu < CONFIG_MTU_MIN ? CONFIG_MTU_MIN : mtu;
	for (size_t i = 0; i < state->n_routes; i++)
		if (wanted_ifname_id(state->routes[i].ifname) == peer_id)
			state->routes[i].mtu = mtu < CONFIG_MTU_MIN ? mtu : 0;
}

/* The own site's table: the segment itself, what has its own next hop, the rest by the router. */
static int add_own_routes(const struct config *config, struct state *state)
{
	const struct config_site *site = config_self_site(config);
	const uint32_t table = site_table(site);
	int rc;

	for (size_t f = 0; f < sizeof(families); f++) {
		const struct ip_prefix *lan = families[f] == IP_V4 ? &site->lan4 : &site->lan6;
		const struct ip_addr *router =
			families[f] == IP_V4 ? &site->router4 : &site->router6;
		struct state_route route = { .table = table, .metric = STATE_METRIC_ACTIVE };

		if (!lan->len)
			continue;
		memcpy(route.ifname, config->node.lan, sizeof(route.ifname));
		route.dst = *lan;
		rc = add_route(state, &route);
		if (rc)
			return rc;
		route.dst = (struct ip_prefix){ .addr = { .family = families[f] } };
		route.via = *router;
		rc = add_route(state, &route);
		if (rc)
			return rc;
	}
	for (size_t i = 0; i < site->n_subnets; i++) {
		struct state_route route = { .table = table, .metric = STATE_METRIC_ACTIVE };

		if (site->subnets[i].via.family == IP_NONE)
			continue;
		memcpy(route.ifname, config->node.lan, sizeof(route.ifname));
		route.dst = site->subnets[i].prefix;
		route.via = site->subnets[i].via;
		rc = add_route(state, &route);
		if (rc)
			return rc;
	}
	return 0;
}

static int add_rule(struct state *state, const struct state_rule *rule)
{
	struct state_rule *new = state_add_rule(state);

	if (!new)
		return -ENOMEM;
	*new = *rule;
	return 0;
}

static int add_mark_rules(const struct config_site *site, struct state *state)
{
	int rc = 0;

	for (size_t f = 0; f < sizeof(families) && !rc; f++)
		rc = add_rule(state, &(struct state_rule){
					     .family = families[f],
					     .pref = STATE_RULE_PREF,
					     .mark = site_mark(site),
					     .mask = STATE_MARK_MASK,
					     .table = site_table(site),
				     });
	return rc;
}

/* What this node says itself from its LAN addresses, and ICMP errors that main cannot route. */
static int add_own_rules(const struct config *config, struct state *state)
{
	const struct config_site *site = config_self_site(config);
	int rc = add_mark_rules(site, state);

	for (size_t f = 0; f < sizeof(families) && !rc; f++) {
		const struct ip_prefix *lan = families[f] == IP_V4 ? &site->lan4 : &site->lan6;
		const uint8_t icmp = families[f] == IP_V4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;

		if (!lan->len)
			continue;
		rc = add_rule(state, &(struct state_rule){
					     .family = families[f],
					     .pref = STATE_RULE_PREF_FROM,
					     .from = *lan,
					     .table = site_table(site),
				     });
		if (rc)
			break;
		rc = add_rule(state, &(struct state_rule){
					     .family = families[f],
					     .pref = STATE_RULE_PREF_LAST,
					     .ip_proto = icmp,
					     .table = site_table(site),
				     });
	}
	return rc;
}

static int add_sysctl(struct state *state, const char *value, const char *only_from,
		      const char *fmt, const char *ifname)
{
	struct state_sysctl *sysctl = state_add_sysctl(state);

	if (!sysctl)
		return -ENOMEM;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(sysctl->path, sizeof(sysctl->path), fmt, ifname); /* fmt is from the table below */
#pragma GCC diagnostic pop
	snprintf(sysctl->value, sizeof(sysctl->value), "%s", value);
	snprintf(sysctl->only_from, sizeof(sysctl->only_from), "%s", only_from);
	return 0;
}

static int add_sysctls(const struct config *config, struct state *state)
{
	enum scope {
		GLOBAL,
		LAN,
		WAN,
		RELAY, /* its WAN */
		WANS   /* of any node, if there are several */
	};
	static const struct {
		enum scope scope;
		const char *fmt, *value, *only_from;
	} table[] = {
		{ GLOBAL, "net/ipv4/ip_forward", "1", "" },
		{ GLOBAL, "net/ipv6/conf/all/forwarding", "1", "" },
		/* A route back by the main table proves nothing here: the ruleset checks sources. */
		{ GLOBAL, "net/ipv4/conf/all/rp_filter", "0", "" },
		{ LAN, "net/ipv4/conf/%s/rp_filter", "0", "" },
		{ GLOBAL, "net/ipv4/conf/all/send_redirects", "0", "" },
		{ LAN, "net/ipv4/conf/%s/send_redirects", "0", "" },
		/* Forwarding turns router advertisements off where a cloud's WAN depends on them. */
		{ WAN, "net/ipv6/conf/%s/accept_ra", "2", "1" },
		/* The kernel tells XDP no neighbour on an interface that does not forward. */
		{ RELAY, "net/ipv4/conf/%s/forwarding", "1", "" },
		{ RELAY, "net/ipv6/conf/%s/forwarding", "1", "" },
		{ RELAY, "net/ipv6/conf/%s/accept_ra", "2", "1" },
		/* What arrives by one line may have its way back by another. */
		{ WANS, "net/ipv4/conf/%s/rp_filter", "2", "1" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const enum scope scope = table[i].scope;
		const bool wan = scope == WAN || scope == RELAY || scope == WANS;
		const size_t n = wan ? config->node.n_wans : 1;

		if (scope == WANS ? n < 2 : config->is_relay != (scope == RELAY))
			continue;
		for (size_t w = 0; w < n; w++) {
			const char *ifname = wan ? config->node.wans[w] : config->node.lan;
			int rc = add_sysctl(state, table[i].value, table[i].only_from, table[i].fmt,
					    ifname);

			if (rc)
				return rc;
		}
	}
	return 0;
}

static struct ruleset_elem *add_elem(struct state *state, enum ruleset_set set4,
				     enum ruleset_set set6, uint8_t family)
{
	return ruleset_add(state->ruleset, family == IP_V4 ? set4 : set6);
}

static int add_site_prefix(const struct config_site *site, const struct ip_prefix *prefix,
			   struct state *state)
{
	struct ruleset_elem *elem =
		add_elem(state, RULESET_SITES4, RULESET_SITES6, prefix->addr.family);

	if (!elem)
		return -ENOMEM;
	elem->prefix = *prefix;
	elem->mark = site_mark(site);
	return 0;
}

static bool covers(const struct ip_prefix *outer, const struct ip_prefix *inner)
{
	return outer->len && outer->len <= inner->len && ip_prefix_overlaps(outer, inner);
}

/*
 * A site's subnets and its LAN, from which its gateways and its router send ICMP errors. The two
 * may cover each other; an interval map takes the larger one only.
 */
static int add_subnets(const struct config_site *site, struct state *state)
{
	const struct ip_prefix *lans[] = { &site->lan4, &site->lan6 };
	bool covered[] = { !site->lan4.len, !site->lan6.len };
	int rc = 0;

	for (size_t i = 0; i < site->n_subnets && !rc; i++) {
		const struct ip_prefix *prefix = &site->subnets[i].prefix;

		covered[0] = covered[0] || covers(prefix, lans[0]);
		covered[1] = covered[1] || covers(prefix, lans[1]);
		if ((covers(lans[0], prefix) && !covers(prefix, lans[0])) ||
		    (covers(lans[1], prefix) && !covers(prefix, lans[1])))
			continue;
		rc = add_site_prefix(site, prefix, state);
	}
	for (size_t i = 0; i < 2 && !rc; i++)
		if (!covered[i])
			rc = add_site_prefix(site, lans[i], state);
	return rc;
}

static int add_nodes(const struct config_wan *wans, size_t n_wans, struct state *state)
{
	for (size_t i = 0; i < n_wans; i++) {
		struct ruleset_elem *elem =
			add_elem(state, RULESET_NODES4, RULESET_NODES6, wans[i].public_addr.family);

		if (!elem)
			return -ENOMEM;
		elem->prefix = ip_prefix_host(&wans[i].public_addr);
	}
	return 0;
}

static int add_tunnel_elems(const struct config_site *site, uint16_t peer_id, unsigned int lanes,
			    struct state *state)
{
	for (uint8_t lane = 0; lane < CONFIG_LANES_MAX; lane++) {
		struct ruleset_elem *elem;

		if (!(lanes >> lane & 1))
			continue;
		elem = ruleset_add(state->ruleset, RULESET_TUNNELS);
		if (!elem)
			return -ENOMEM;
		wanted_ifname(peer_id, lane, elem->ifname);
		elem->mark = site_mark(site);
	}
	return 0;
}

static int add_remote_elems(const struct config *config, const struct config_site *site,
			    const struct config_policy *policy, struct state *state)
{
	const unsigned int lanes = config_policy_lanes(&config->mesh, policy);
	struct ruleset_elem *elem;
	int rc = add_subnets(site, state);

	for (size_t i = 0; i < site->n_gateways && !rc; i++) {
		rc = add_nodes(site->gateways[i].wans, site->gateways[i].n_wans, state);
		if (!rc)
			rc = add_tunnel_elems(site, site->gateways[i].id, lanes, state);
	}
	if (rc || !policy->mss_clamp)
		return rc;
	elem = ruleset_add(state->ruleset, RULESET_CLAMPED);
	if (!elem)
		return -ENOMEM;
	elem->mark = site_mark(site);
	return 0;
}

/* A hole inside a larger one is none of its own, and an interval set takes no overlaps. */
static bool allow_covered(const struct config_node *node, size_t index)
{
	const struct config_allow *allow = &node->allow[index];

	for (size_t i = 0; i < node->n_allow; i++) {
		const struct config_allow *other = &node->allow[i];

		if (i != index && other->proto == allow->proto && other->port == allow->port &&
		    other->from.len < allow->from.len &&
		    ip_prefix_overlaps(&other->from, &allow->from))
			return true;
	}
	return false;
}

static int add_allow(const struct config *config, struct state *state)
{
	for (size_t i = 0; i < config->node.n_allow; i++) {
		const struct config_allow *allow = &config->node.allow[i];
		struct ruleset_elem *elem;

		if (allow_covered(&config->node, i))
			continue;
		elem = add_elem(state, RULESET_ALLOW4, RULESET_ALLOW6, allow->from.addr.family);
		if (!elem)
			return -ENOMEM;
		elem->prefix = allow->from;
		elem->proto = allow->proto == CONFIG_PROTO_TCP ? IPPROTO_TCP : IPPROTO_UDP;
		elem->port = allow->port;
	}
	return 0;
}

/* Loopback needs no hole. */
static int add_web(const struct config_web *web, struct state *state)
{
	struct ruleset_params *params = &state->ruleset->params;

	if (config_web_is_local(web))
		return 0;
	params->web4 = web->listen4;
	params->web6 = web->listen6;
	memcpy(params->web_ifname, web->interface, sizeof(params->web_ifname));
	for (size_t i = 0; i < web->n_allow; i++) {
		struct ruleset_elem *elem =
			add_elem(state, RULESET_WEB4, RULESET_WEB6, web->allow[i].addr.family);

		if (!elem)
			return -ENOMEM;
		elem->prefix = web->allow[i];
		elem->proto = IPPROTO_TCP;
		elem->port = web->port;
	}
	return 0;
}

/* Of whom this node is, and what it carries itself. */
static int add_gateway_ruleset(const struct config *config, struct state *state)
{
	const struct config_site *site = config_self_site(config);
	const struct config_gateway *self = config_self(config);
	const struct config_gateway *partner = config_partner(config);
	struct ruleset_params *params = &state->ruleset->params;

	memcpy(params->lan, config->node.lan, sizeof(params->lan));
	params->own_mark = site_mark(site);
	params->lan4 = self->lan4;
	params->lan6 = self->lan6;
	if (partner) {
		params->pair4 = partner->lan4;
		params->pair6 = partner->lan6;
		params->pair_outer = *partner_lan(config, partner);
		params->pair_link = ip_link_local(partner->id);
		params->pair_port = (uint16_t)(config->mesh.port_base + partner->id);
		wanted_ifname(partner->id, 0, params->pair_ifname);
		if (ruleset_pin(state->ruleset, NULL))
			return -ENOMEM;
	}
	params->drills =
		config->node.drills != CONFIG_DRILLS_OFF &&
		config->mesh.port_base + DRILL_PORT_PROBE * CONFIG_LANE_PORTS <= UINT16_MAX;
	return add_subnets(site, state);
}

/* A relay carries nothing here, its programs do: what is left of the table is default deny. */
static int add_relay_ruleset(const struct config *config, struct state *state)
{
	int rc = 0;

	state->ruleset->params.own_mark = (uint32_t)config_self_id(config) << STATE_MARK_SHIFT;
	for (size_t i = 0; i < config->mesh.n_sites; i++) {
		const struct config_site *site = &config->mesh.sites[i];

		for (size_t g = 0; g < site->n_gateways && !rc; g++)
			rc = add_nodes(site->gateways[g].wans, site->gateways[g].n_wans, state);
	}
	return rc;
}

static int add_ruleset(const struct config *config, struct state *state)
{
	struct ruleset_params *params;
	int rc;

	state->ruleset = ruleset_new();
	if (!state->ruleset)
		return -ENOMEM;
	state->ruleset->intact = true;
	params = &state->ruleset->params;
	params->mark_mask = STATE_MARK_MASK;
	params->port_first = (uint16_t)(config->mesh.port_base + 1);
	params->port_last = (uint16_t)(config->mesh.port_base + CONFIG_ID_MAX +
				       (config->mesh.n_lanes - 1) * CONFIG_LANE_PORTS);
	params->hello_port = config->mesh.port_base;

	rc = config->is_relay ? add_relay_ruleset(config, state)
			      : add_gateway_ruleset(config, state);
	for (size_t i = 0; i < config->mesh.n_relays && !rc; i++)
		if (!config->is_relay || i != config->self_relay)
			rc = add_nodes(config->mesh.relays[i].wans, config->mesh.relays[i].n_wans,
				       state);
	if (!rc)
		rc = add_allow(config, state);
	if (!rc && config->node.web)
		rc = add_web(config->node.web, state);
	return rc;
}

int wanted_make(const struct config *config, const size_t *choices, enum state_engine engine,
		struct state **ret_state)
{
	struct state *state = state_new();
	int rc;

	if (!state)
		return -ENOMEM;
	rc = add_ruleset(config, state);
	if (!rc)
		rc = add_sysctls(config, state);
	if (config->is_relay)
		goto done;
	if (!rc)
		rc = add_own_routes(config, state);
	if (!rc)
		rc = add_own_rules(config, state);
	if (!rc)
		rc = add_partner_tunnel(config, engine, state);
	for (size_t i = 0; i < config->mesh.n_sites && !rc; i++) {
		const struct config_site *site = &config->mesh.sites[i];
		const struct config_policy policy = config_policy_with(config, i);

		if (i == config->self_site || !policy.connect)
			continue;
		for (size_t g = 0; g < site->n_gateways && !rc; g++)
			rc = add_tunnels(config, &site->gateways[g], &policy, engine, state);
		if (!rc)
			rc = add_remote_elems(config, site, &policy, state);
		if (!rc)
			rc = wanted_site_routes(config, i, choices[i], state);
		if (!rc)
			rc = add_mark_rules(site, state);
	}

done:
	if (rc) {
		state_free(state);
		return rc;
	}
	state_sort(state);
	*ret_state = state;
	return 0;
}
