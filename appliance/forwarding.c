/* SPDX-License-Identifier: GPL-2.0-only */
#include "forwarding.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "forwarding_tables.h"
#include "probe_key.h"

/* A path is dead after this many tenths of the interval of its probes. */
#define DEAD_TENTHS 35

const struct forwarding_table_kind forwarding_table_kinds[FORWARDING_TABLE_MAX] = {
#define KIND(MAP, KEY, VALUE)                   \
	{                                       \
		MAP, sizeof(KEY), sizeof(VALUE) \
	}
	[FORWARDING_LOCALS] = KIND("dp_locals", struct dp_addr, struct dp_local),
	[FORWARDING_SOURCES] = KIND("dp_sources", struct dp_addr, struct dp_source),
	[FORWARDING_STATES] = KIND("dp_path_states", struct dp_path_key, struct dp_path_state),
	[FORWARDING_PATHS] = KIND("dp_paths", struct dp_path_key, struct dp_path),
	[FORWARDING_NODES] = KIND("dp_nodes", uint16_t, struct dp_node),
	[FORWARDING_ARRIVALS] = KIND("dp_arrivals", struct dp_arrival_key, struct dp_arrival),
	[FORWARDING_TUNNELS] = KIND("dp_tunnels", uint32_t, struct dp_tunnel),
	[FORWARDING_SITES] = KIND("dp_sites", uint16_t, struct dp_site),
	[FORWARDING_OWN] = KIND("dp_own", struct dp_addr, uint32_t),
	[FORWARDING_ROUTES4] = KIND("dp_routes4", struct dp_route4_key, struct dp_route),
	[FORWARDING_ROUTES6] = KIND("dp_routes6", struct dp_route6_key, struct dp_route),
	[FORWARDING_CONFIG] = KIND("dp_config", uint32_t, struct dp_config),
#undef KIND
};

static const enum forwarding_table_id constant_tables[] = {
	FORWARDING_LOCALS,
	FORWARDING_SOURCES,
	FORWARDING_ROUTES4,
	FORWARDING_ROUTES6,
};

static const enum forwarding_table_id moving_tables[] = {
	FORWARDING_STATES,  FORWARDING_PATHS, FORWARDING_NODES, FORWARDING_ARRIVALS,
	FORWARDING_TUNNELS, FORWARDING_SITES, FORWARDING_OWN,	FORWARDING_CONFIG,
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct content {
	struct rows rows[FORWARDING_TABLE_MAX];
};

static void content_init(struct content *content)
{
	for (size_t i = 0; i < FORWARDING_TABLE_MAX; i++)
		content->rows[i] = (struct rows){
			.key_size = forwarding_table_kinds[i].key_size,
			.value_size = forwarding_table_kinds[i].value_size,
		};
}

static void content_fini(struct content *content)
{
	for (size_t i = 0; i < FORWARDING_TABLE_MAX; i++)
		rows_fini(&content->rows[i]);
}

static int content_add(struct content *content, enum forwarding_table_id id, const void *key,
		       const void *value)
{
	return rows_add(&content->rows[id], key, value);
}

static struct dp_addr addr_of(const struct ip_addr *addr)
{
	struct dp_addr ret = { 0 };

	switch (addr->family) {
	case IP_V4:
		memset((uint8_t *)&ret + 10, 0xff, 2);
		memcpy((uint8_t *)&ret + 12, addr->bytes, 4);
		break;
	case IP_V6:
		memcpy(&ret, addr->bytes, sizeof(ret));
		break;
	}
	return ret;
}

/* ---- what the configuration alone says ---- */

/* As WireGuard is configured (wanted.c), and as path number 0 (path.h). */
static void set_canonical(const struct config *config, const struct config_wan *wans, size_t n_wans,
			  struct forwarding_member *member)
{
	size_t n_own;
	const struct config_wan *own = config_self_wans(config, &n_own);

	for (size_t i = 0; i < n_wans; i++) {
		for (size_t o = 0; o < n_own; o++) {
			if (own[o].private_addr.family != wans[i].public_addr.family)
				continue;
			member->canonical_remote = addr_of(&wans[i].public_addr);
			member->canonical_local = addr_of(&own[o].private_addr);
			return;
		}
	}
}

struct member_config {
	uint16_t id, site;
	size_t site_index;
	const struct key *key;
	const struct config_wan *wans;
	size_t n_wans;
};

static int add_member(struct forwarding *forwarding, struct content *content,
		      const struct member_config *from)
{
	const struct config *config = forwarding->config;
	struct forwarding_member member = {
		.id = from->id,
		.site = from->site,
		.site_index = from->site_index,
		.kind = from->site ? DP_KIND_GATEWAY : DP_KIND_RELAY,
	};
	int rc;

	if (from->id == config_self_id(config))
		return 0;
	rc = probe_key_derive(&config->private_key, from->key, config_self_id(config), from->id,
			      member.key);
	if (rc == -EKEYREJECTED) {
		forwarding->refused[forwarding->n_refused++] = from->id;
		return 0;
	}
	if (rc)
		return rc;
	set_canonical(config, from->wans, from->n_wans, &member);
	forwarding->members[forwarding->n_members++] = member;
	explicit_bzero(&member, sizeof(member));
	for (size_t i = 0; i < from->n_wans && !rc; i++) {
		const struct dp_addr addr = addr_of(&from->wans[i].public_addr);
		const struct dp_source source = { .node = from->id, .wan = (uint16_t)i };

		rc = content_add(content, FORWARDING_SOURCES, &addr, &source);
	}
	return rc;
}

static int compare_members(const void *a, const void *b)
{
	const struct forwarding_member *member_a = a, *member_b = b;

	return (int)member_a->id - (int)member_b->id;
}

static int add_members(struct forwarding *forwarding, struct content *content)
{
	const struct config_mesh *mesh = &forwarding->config->mesh;
	size_t n = mesh->n_relays;
	int rc = 0;

	for (size_t i = 0; i < mesh->n_sites; i++)
		n += mesh->sites[i].n_gateways;
	forwarding->members = calloc(n, sizeof(*forwarding->members));
	forwarding->refused = calloc(n, sizeof(*forwarding->refused));
	if (!forwarding->members || !forwarding->refused)
		return -ENOMEM;
	for (size_t i = 0; i < mesh->n_sites; i++) {
		const struct config_site *site = &mesh->sites[i];

		for (size_t g = 0; g < site->n_gateways && !rc; g++) {
			const struct config_gateway *gateway = &site->gateways[g];

			rc = add_member(forwarding, content,
					&(struct member_config){
						.id = gateway->id,
						.site = config_site_number(site),
						.site_index = i,
						.key = &gateway->public_key,
						.wans = gateway->wans,
						.n_wans = gateway->n_wans,
					});
		}
	}
	for (size_t i = 0; i < mesh->n_relays && !rc; i++)
		rc = add_member(forwarding, content,
				&(struct member_config){
					.id = mesh->relays[i].id,
					.key = &mesh->relays[i].public_key,
					.wans = mesh->relays[i].wans,
					.n_wans = mesh->relays[i].n_wans,
				});
	qsort(forwarding->members, forwarding->n_members, sizeof(*forwarding->members),
	      compare_members);
	return rc;
}

static int add_locals(const struct config *config, struct content *content)
{
	size_t n;
	const struct config_wan *wans = config_self_wans(config, &n);
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++) {
		const struct dp_addr addr = addr_of(&wans[i].private_addr);
		const struct dp_local local = { .wan = (uint32_t)i };

		rc = content_add(content, FORWARDING_LOCALS, &addr, &local);
	}
	return rc;
}

static int add_route(struct content *content, const struct ip_prefix *prefix,
		     const struct dp_route *to)
{
	struct dp_route4_key key4 = { .prefixlen = prefix->len };
	struct dp_route6_key key6 = { .prefixlen = prefix->len };
	struct dp_route value = *to;
	const struct dp_route *route = &value;

	value.prefix = addr_of(&prefix->addr);
	value.prefix_len = (uint8_t)(prefix->len + (prefix->addr.family == IP_V4 ? 96 : 0));
	switch (prefix->addr.family) {
	case IP_V4:
		memcpy(&key4.addr, prefix->addr.bytes, sizeof(key4.addr));
		return content_add(content, FORWARDING_ROUTES4, &key4, route);
	case IP_V6:
		memcpy(&key6.addr, prefix->addr.bytes, sizeof(key6.addr));
		return content_add(content, FORWARDING_ROUTES6, &key6, route);
	default:
		return 0;
	}
}

static bool on_segment(const struct config_site *site, const struct ip_prefix *prefix)
{
	const struct ip_prefix *lan = prefix->addr.family == IP_V4 ? &site->lan4 : &site->lan6;

	return lan->len && lan->len <= prefix->len && ip_prefix_overlaps(lan, prefix);
}

/* The next hops are those of the routes of our own site's table, see wanted.c. */
static int add_routes(const struct config_site *site, bool own, struct content *content)
{
	const struct ip_prefix *lans[] = { &site->lan4, &site->lan6 };
	struct dp_route route = {
		.site = config_site_number(site),
		.flags = own ? DP_ROUTE_OWN : 0,
	};
	int rc = 0;

	for (size_t i = 0; i < COUNT(lans) && !rc; i++)
		if (lans[i]->len)
			rc = add_route(content, lans[i], &route);
	for (size_t i = 0; i < site->n_subnets && !rc; i++) {
		const struct config_subnet *subnet = &site->subnets[i];
		const struct ip_addr *via = &subnet->via;

		if (via->family == IP_NONE && !on_segment(site, &subnet->prefix))
			via = subnet->prefix.addr.family == IP_V4 ? &site->router4 : &site->router6;
		if (own)
			route.next_hop = addr_of(via);
		rc = add_route(content, &subnet->prefix, &route);
	}
	return rc;
}

static int add_all_routes(const struct config *config, struct content *content)
{
	int rc = 0;

	for (size_t i = 0; i < config->mesh.n_sites && !rc && !config->is_relay; i++)
		if (i == config->self_site || config_policy_with(config, i).connect)
			rc = add_routes(&config->mesh.sites[i], i == config->self_site, content);
	return rc;
}

/* Give the content's rows of these tables to forwarding; all of them or none. */
static int take(struct forwarding *forwarding, struct content *content,
		const enum forwarding_table_id ids[], size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++)
		rc = rows_sort(&content->rows[ids[i]]);
	for (size_t i = 0; i < n && !rc; i++) {
		struct forwarding_table *table = &forwarding->tables[ids[i]];

		if (table->known && !table->changed)
			table->held = table->rows;
		else
			rows_fini(&table->rows);
		table->rows = content->rows[ids[i]];
		content->rows[ids[i]].v = NULL;
		table->changed = true;
	}
	content_fini(content);
	return rc;
}

int forwarding_new(const struct config *config, struct forwarding **ret_forwarding)
{
	struct forwarding *forwarding = calloc(1, sizeof(*forwarding));
	struct content content;
	int rc;

	if (!forwarding)
		return -ENOMEM;
	forwarding->config = config;
	content_init(&content);
	for (size_t i = 0; i < FORWARDING_TABLE_MAX; i++)
		forwarding->tables[i].rows = forwarding->tables[i].held = content.rows[i];
	rc = add_members(forwarding, &content);
	if (!rc)
		rc = add_locals(config, &content);
	if (!rc)
		rc = add_all_routes(config, &content);
	if (rc) {
		content_fini(&content);
		goto err;
	}
	rc = take(forwarding, &content, constant_tables, COUNT(constant_tables));
	if (rc)
		goto err;
	*ret_forwarding = forwarding;
	return 0;

err:
	forwarding_free(forwarding);
	return rc;
}

void forwarding_free(struct forwarding *forwarding)
{
	if (!forwarding)
		return;
	for (size_t i = 0; i < FORWARDING_TABLE_MAX; i++) {
		rows_fini(&forwarding->tables[i].rows);
		rows_fini(&forwarding->tables[i].held);
	}
	if (forwarding->members)
		explicit_bzero(forwarding->members,
			       forwarding->n_members * sizeof(*forwarding->members));
	free(forwarding->members);
	free(forwarding->refused);
	free(forwarding);
}

const uint16_t *forwarding_refused(const struct forwarding *forwarding, size_t *ret_n)
{
	*ret_n = forwarding->n_refused;
	return forwarding->refused;
}

/* ---- what moves ---- */

uint64_t forwarding_dead_ns(uint32_t interval_us)
{
	return (uint64_t)interval_us * 1000 * DEAD_TENTHS / 10;
}

uint32_t forwarding_interval_us(uint64_t dead_ns)
{
	const uint64_t interval_us = dead_ns / (DEAD_TENTHS * 100);

	return interval_us <= UINT32_MAX ? (uint32_t)interval_us : 0;
}

/* The lane of a class: the first that has it, or lane 0. */
static uint8_t lane_of(const struct forwarding_now *now, enum config_class class)
{
	for (uint8_t i = 0; i < now->lanes && i < DP_LANES_MAX; i++)
		if (now->lane_class[i] == class)
			return i;
	return 0;
}

static uint8_t class_number(enum config_class class)
{
	switch (class) {
	case CONFIG_CLASS_PROTECTED:
		return DP_CLASS_PROTECTED;
	case CONFIG_CLASS_BULK:
		return DP_CLASS_BULK;
	case CONFIG_CLASS_BEST:
	case CONFIG_CLASS_MAX:
		break;
	}
	return DP_CLASS_BEST;
}

static int add_config(const struct config *config, const struct forwarding_now *now,
		      struct content *content)
{
	const uint32_t key = 0;
	struct dp_config value = {
		.version = DP_VERSION,
		.id = config_self_id(config),
		.port_base = config->mesh.port_base,
		.kind = config->is_relay ? DP_KIND_RELAY : DP_KIND_GATEWAY,
		.role = (uint8_t)now->role,
		.lanes = now->lanes,
		.generation = now->generation,
		.digest = config->digest,
		.lan_ifindex = now->lan_ifindex,
		.handshakes_per_s = FORWARDING_HANDSHAKES_PER_S,
		.relay_pps =
			config->is_relay ? config->mesh.relays[config->self_relay].limit_pps : 0,
	};

	for (size_t i = 0; i < now->lanes && i < DP_LANES_MAX; i++)
		value.lane_class[i] = class_number(now->lane_class[i]);
	return content_add(content, FORWARDING_CONFIG, &key, &value);
}

/* The addresses of a relay from which what it forwards may come, of the family of the path. */
static int add_relay_arrivals(const struct config *config, const struct forwarding_way *way,
			      struct content *content)
{
	const struct dp_arrival value = { .path = way->path.number };
	struct dp_arrival_key key = {
		.node = way->path.peer,
		.destination = addr_of(&way->path.local),
	};
	int rc = 0;

	for (size_t i = 0; i < config->mesh.n_relays; i++) {
		const struct config_relay *relay = &config->mesh.relays[i];

		if (relay->id != way->path.relay)
			continue;
		for (size_t w = 0; w < relay->n_wans && !rc; w++) {
			if (relay->wans[w].public_addr.family != way->path.local.family)
				continue;
			key.source = addr_of(&relay->wans[w].public_addr);
			rc = content_add(content, FORWARDING_ARRIVALS, &key, &value);
		}
	}
	return rc;
}

static int add_arrivals(const struct config *config, const struct forwarding_way *way,
			struct content *content)
{
	const struct dp_arrival value = { .path = way->path.number };
	const struct dp_arrival_key key = {
		.node = way->path.peer,
		.source = addr_of(&way->path.remote),
		.destination = addr_of(&way->path.local),
	};

	if (way->path.relay)
		return add_relay_arrivals(config, way, content);
	return content_add(content, FORWARDING_ARRIVALS, &key, &value);
}

static int add_way(const struct config *config, const struct forwarding_way *way,
		   struct content *content)
{
	const struct dp_path_key key = { .node = way->path.peer, .path = way->path.number };
	const struct dp_path value = {
		.local = addr_of(&way->path.local),
		.remote = addr_of(&way->path.remote),
		.next_hop = addr_of(&way->hop.address),
		.ifindex = way->hop.ifindex,
		.relay = way->path.relay,
		.local_wan = way->path.local_wan,
		.remote_wan = way->path.remote_wan,
		.dead_ns = forwarding_dead_ns(way->interval_us),
	};
	const struct dp_path_state state = { 0 };
	int rc = content_add(content, FORWARDING_PATHS, &key, &value);

	if (!rc)
		rc = content_add(content, FORWARDING_STATES, &key, &state);
	return rc ? rc : add_arrivals(config, way, content);
}

static const struct forwarding_node *find_node(const struct forwarding_now *now, uint16_t id)
{
	for (size_t i = 0; i < now->n_nodes; i++)
		if (now->nodes[i].id == id)
			return &now->nodes[i];
	return NULL;
}

static void set_order(const struct forwarding_node *node, struct dp_node *value)
{
	memset(value->order, DP_NO_PATH, sizeof(value->order));
	memset(value->second, DP_NO_PATH, sizeof(value->second));
	for (size_t i = 0; node && i < node->n_order && i < DP_ORDER_MAX; i++) {
		/* A path that is not there would be one that never lives. */
		if (node->order[i] >= node->n_ways)
			continue;
		value->order[value->n_order] = node->order[i];
		if (node->spread >> i & 1)
			value->spread |= (uint8_t)(1u << value->n_order);
		if (node->second[i] < node->n_ways)
			value->second[value->n_order] = node->second[i];
		value->n_order++;
	}
}

static int add_node(const struct forwarding *forwarding, const struct forwarding_now *now,
		    const struct forwarding_member *member, struct content *content)
{
	const struct forwarding_node *node = find_node(now, member->id);
	struct dp_node value = {
		.kind = member->kind,
		.site = member->site,
		.canonical_remote = member->canonical_remote,
		.canonical_local = member->canonical_local,
		.key = { member->key[0], member->key[1] },
	};
	int rc = 0;

	set_order(node, &value);
	if (member->site && now->sites)
		value.seen_generation = now->sites[member->site_index].seen_generation;
	for (size_t i = 0; i < now->n_tunnels; i++)
		if (now->tunnels[i].node == member->id && now->tunnels[i].lane < DP_LANES_MAX &&
		    !now->tunnels[i].mute)
			value.tunnel_ifindex[now->tunnels[i].lane] = now->tunnels[i].ifindex;
	for (size_t i = 0; node && i < node->n_ways && !rc; i++)
		rc = add_way(forwarding->config, &node->ways[i], content);
	if (!rc)
		rc = content_add(content, FORWARDING_NODES, &member->id, &value);
	explicit_bzero(&value, sizeof(value));
	return rc;
}

static const struct forwarding_member *find_member(const struct forwarding *forwarding, uint16_t id)
{
	const struct forwarding_member key = { .id = id };

	return bsearch(&key, forwarding->members, forwarding->n_members, sizeof(key),
		       compare_members);
}

static int add_tunnels(const struct forwarding *forwarding, const struct forwarding_now *now,
		       struct content *content)
{
	int rc = 0;

	for (size_t i = 0; i < now->n_tunnels && !rc; i++) {
		const struct forwarding_tunnel *tunnel = &now->tunnels[i];
		const struct forwarding_member *member = find_member(forwarding, tunnel->node);
		const uint32_t key = tunnel->ifindex;
		struct dp_tunnel value = { .node = tunnel->node, .lane = tunnel->lane };

		if (!member || !key)
			continue;
		value.site = member->site;
		rc = content_add(content, FORWARDING_TUNNELS, &key, &value);
	}
	return rc;
}

/* Those of a class; what has none of its own takes the site pair's. */
static void set_slots(const struct forwarding_now *now, enum config_class class, uint8_t other,
		      struct dp_lanes *lanes)
{
	uint8_t of_class[DP_LANES_MAX] = { other };

	for (uint8_t i = 0; i < now->lanes && i < DP_LANES_MAX; i++)
		if (now->lane_class[i] == class)
			of_class[lanes->n++] = i;
	for (size_t i = 0; i < COUNT(lanes->slot); i++)
		lanes->slot[i] = of_class[lanes->n ? i % lanes->n : 0];
}

/* Which lanes a packet may take, by its DSCP. */
static void set_lanes(const struct forwarding_now *now, const struct config_policy *policy,
		      struct dp_site *site)
{
	site->lane = lane_of(now, policy->class);
	for (unsigned int i = 0; i < COUNT(site->class_of_dscp); i++)
		site->class_of_dscp[i] = class_number(config_policy_class(policy, i));
	for (enum config_class class = 0; class < CONFIG_CLASS_MAX; class ++)
		set_slots(now, class, site->lane, &site->lanes[class_number(class)]);
}

static int add_site(const struct forwarding *forwarding, const struct forwarding_now *now,
		    size_t index, struct content *content)
{
	const struct config_site *site = &forwarding->config->mesh.sites[index];
	const struct config_policy policy = config_policy_with(forwarding->config, index);
	const uint16_t key = config_site_number(site);
	struct dp_site value = {
		.current = now->sites[index].current,
		.mtu = now->sites[index].mtu ? now->sites[index].mtu : policy.mtu,
		.mss_clamp = policy.mss_clamp,
	};

	if (!policy.connect)
		return 0;
	for (size_t i = 0; i < site->n_gateways && i < COUNT(value.gateways); i++)
		value.gateways[i] = site->gateways[i].id;
	set_lanes(now, &policy, &value);
	return content_add(content, FORWARDING_SITES, &key, &value);
}

static int add_own_addr(struct content *content, const struct ip_addr *addr)
{
	const struct dp_addr key = addr_of(addr);
	const uint32_t value = 1;

	if (addr->family == IP_NONE)
		return 0;
	return content_add(content, FORWARDING_OWN, &key, &value);
}

static int add_own(const struct config *config, const struct forwarding_now *now,
		   struct content *content)
{
	const struct config_site *site = config_self_site(config);
	const struct config_gateway *self = config_self(config);
	int rc = 0;

	for (size_t i = 0; i < now->n_own && !rc; i++)
		rc = add_own_addr(content, &now->own[i]);
	if (!site || rc)
		return rc;
	rc = add_own_addr(content, &self->lan4);
	if (!rc)
		rc = add_own_addr(content, &self->lan6);
	for (size_t i = 0; i < site->n_vips && !rc; i++)
		rc = add_own_addr(content, &site->vips[i]);
	/* Both broadcast addresses of the segment; with /31 and /32 there are none (RFC 3021). */
	if (!rc && site->lan4.len && site->lan4.len < 31) {
		const struct ip_addr last = ip_prefix_last(&site->lan4);

		rc = add_own_addr(content, &site->lan4.addr);
		if (!rc)
			rc = add_own_addr(content, &last);
	}
	return rc;
}

int forwarding_set(struct forwarding *forwarding, const struct forwarding_now *now)
{
	const struct config *config = forwarding->config;
	struct content content;
	int rc;

	content_init(&content);
	rc = add_config(config, now, &content);
	for (size_t i = 0; i < forwarding->n_members && !rc; i++)
		rc = add_node(forwarding, now, &forwarding->members[i], &content);
	if (!rc)
		rc = add_tunnels(forwarding, now, &content);
	for (size_t i = 0; i < config->mesh.n_sites && !rc && now->sites; i++)
		if (i != config->self_site)
			rc = add_site(forwarding, now, i, &content);
	if (!rc)
		rc = add_own(config, now, &content);
	if (rc) {
		content_fini(&content);
		return rc;
	}
	return take(forwarding, &content, moving_tables, COUNT(moving_tables));
}

int forwarding_resolve(struct netlink *nl, const unsigned int wans[], size_t n_wans,
		       struct forwarding_way ways[], size_t n_ways)
{
	for (size_t i = 0; i < n_ways; i++) {
		struct nexthop hop = { 0 };
		bool ours = false;
		int rc = nexthop_get(nl, &ways[i].path.local, &ways[i].path.remote, &hop);

		if (rc && rc != -ENETUNREACH)
			return rc;
		for (size_t w = 0; w < n_wans; w++)
			ours = ours || hop.ifindex == wans[w];
		ways[i].hop = ours ? hop : (struct nexthop){ 0 };
	}
	return 0;
}
