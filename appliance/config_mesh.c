/* SPDX-License-Identifier: GPL-2.0-only */
/* The words of mesh.yaml. What values must be to each other is checked in config_check.c. */
#include <stdlib.h>
#include <string.h>

#include "config_parse.h"
#include "word.h"

#define N_WORDS(words) (sizeof(words) / sizeof((words)[0]))

const char *const config_engine_names[CONFIG_ENGINE_MAX] = {
	[CONFIG_ENGINE_AUTO] = "auto",
	[CONFIG_ENGINE_KERNEL] = "kernel",
	[CONFIG_ENGINE_USER] = "user",
	[CONFIG_ENGINE_WIREGUARD_GO] = "wireguard-go",
};

const char *const config_profile_names[CONFIG_PROFILE_MAX] = {
	[CONFIG_PROFILE_CLOUD] = "cloud",
	[CONFIG_PROFILE_FAST] = "fast",
	[CONFIG_PROFILE_PATIENT] = "patient",
};
const uint32_t config_profile_advert_ms[CONFIG_PROFILE_MAX] = {
	[CONFIG_PROFILE_CLOUD] = 100,
	[CONFIG_PROFILE_FAST] = 10,
	[CONFIG_PROFILE_PATIENT] = 1000,
};
const char *const config_class_names[CONFIG_CLASS_MAX] = {
	[CONFIG_CLASS_BEST] = "best",
	[CONFIG_CLASS_PROTECTED] = "protected",
	[CONFIG_CLASS_BULK] = "bulk",
};

static void read_addr(struct config_file *file, const struct tree_node *node, const char *what,
		      struct ip_addr *field)
{
	if (config_read_addr(file, node, what, CONFIG_REFUSE_ALL, field))
		config_mark_add(file, field, node);
}

/* The one of a family that a list has given already, or a slot for it. */
static bool take_family(struct config_file *file, const char *what, const struct tree_node *item,
			uint8_t family, const struct tree_node *taken[static 2])
{
	size_t slot = family == IP_V6;

	if (!taken[slot]) {
		taken[slot] = item;
		return true;
	}
	config_error(file, &item->place, "there is one per address family", "second %s %s",
		     slot ? "IPv6" : "IPv4", what);
	config_note(file, &taken[slot]->place, "first here");
	return false;
}

static void read_addr_pair(struct config_file *file, const struct tree_node *value,
			   const char *list, const char *what, struct ip_addr *v4,
			   struct ip_addr *v6)
{
	const struct tree_node *taken[2] = { NULL, NULL };
	struct ip_addr addr;

	if (!config_read_list(file, value, list, 1, SIZE_MAX))
		return;
	for (const struct tree_node *item = value->first; item; item = item->next) {
		struct ip_addr *field;

		if (!config_read_addr(file, item, what, CONFIG_REFUSE_ALL, &addr) ||
		    !take_family(file, what, item, addr.family, taken))
			continue;
		field = addr.family == IP_V6 ? v6 : v4;
		*field = addr;
		config_mark_add(file, field, item);
	}
}

static void read_lan_prefixes(struct config_file *file, const struct tree_node *value, void *object)
{
	struct config_site *site = object;
	const struct tree_node *taken[2] = { NULL, NULL };
	struct ip_prefix prefix;

	if (!config_read_list(file, value, "prefixes", 1, SIZE_MAX))
		return;
	for (const struct tree_node *item = value->first; item; item = item->next) {
		struct ip_prefix *field;

		if (!config_read_prefix(file, item, "LAN prefix", CONFIG_REFUSE_ALL, &prefix) ||
		    !take_family(file, "LAN prefix", item, prefix.addr.family, taken))
			continue;
		field = prefix.addr.family == IP_V6 ? &site->lan6 : &site->lan4;
		*field = prefix;
		config_mark_add(file, field, item);
	}
}

static void read_lan_routers(struct config_file *file, const struct tree_node *value, void *object)
{
	struct config_site *site = object;

	if (value->kind == TREE_LIST && !value->n)
		return;
	read_addr_pair(file, value, "routers", "router", &site->router4, &site->router6);
}

static void read_lan_vips(struct config_file *file, const struct tree_node *value, void *object)
{
	struct config_site *site = object;

	if (!config_read_list(file, value, "vips", 1, CONFIG_VIPS_MAX) ||
	    value->n > CONFIG_VIPS_MAX)
		return;
	site->vips = config_array(file, value->n, sizeof(*site->vips));
	if (!site->vips)
		return;
	for (const struct tree_node *item = value->first; item; item = item->next)
		read_addr(file, item, "VIP", &site->vips[site->n_vips++]);
}

static const struct config_word lan_words[] = {
	{ "prefixes", true, read_lan_prefixes },
	{ "routers", false, read_lan_routers },
	{ "vips", true, read_lan_vips },
};

static void read_vrrp_id(struct config_file *file, const struct tree_node *value, void *object)
{
	struct config_site *site = object;
	unsigned int number;

	if (config_read_number(file, value, "VRRP id", 1, 255, &number))
		site->vrid = (uint8_t)number;
}

/* Before the interval, which is the profile's unless it is given. */
static void read_vrrp_profile(struct config_file *file, const struct tree_node *value, void *object)
{
	struct config_site *site = object;
	unsigned int choice;

	if (!config_read_choice(file, value, "profile", config_profile_names, CONFIG_PROFILE_MAX,
				&choice))
		return;
	site->profile = (enum config_profile)choice;
	site->advert_ms = config_profile_advert_ms[choice];
}

static void read_vrrp_advert(struct config_file *file, const struct tree_node *value, void *object)
{
	struct config_site *site = object;
	unsigned int ms;

	if (config_read_duration(file, value, "advert", 10, 40950, 10, &ms))
		site->advert_ms = ms;
}

static const struct config_word vrrp_words[] = {
	{ "id", false, read_vrrp_id },
	{ "profile", false, read_vrrp_profile },
	{ "advert", false, read_vrrp_advert },
};

static void read_subnet_prefix(struct config_file *file, const struct tree_node *value,
			       void *object)
{
	struct config_subnet *subnet = object;

	if (config_read_prefix(file, value, "subnet", CONFIG_REFUSE_ALL, &subnet->prefix))
		config_mark_add(file, &subnet->prefix, value);
}

static void read_subnet_via(struct config_file *file, const struct tree_node *value, void *object)
{
	struct config_subnet *subnet = object;

	read_addr(file, value, "next hop", &subnet->via);
}

static const struct config_word subnet_words[] = {
	{ "prefix", true, read_subnet_prefix },
	{ "via", false, read_subnet_via },
};

static void read_wan_public(struct config_file *file, const struct tree_node *value, void *object)
{
	struct config_wan *wan = object;

	read_addr(file, value, "WAN address", &wan->public_addr);
	wan->private_addr = wan->public_addr;
}

static void read_wan_private(struct config_file *file, const struct tree_node *value, void *object)
{
	struct config_wan *wan = object;

	read_addr(file, value, "private WAN address", &wan->private_addr);
}

/* In this order: the private address is the public one unless it is given. */
static const struct config_word wan_words[] = {
	{ "public", true, read_wan_public },
	{ "private", false, read_wan_private },
};

static void read_member_name(struct config_file *file, const struct tree_node *value, void *object)
{
	const struct config_member *member = object;

	(void)config_read_name(file, value, member->gateway ? "gateway name" : "relay name",
			       member->name);
}

static void read_member_id(struct config_file *file, const struct tree_node *value, void *object)
{
	const struct config_member *member = object;
	unsigned int number;

	if (!config_read_number(file, value, "id", 1, CONFIG_ID_MAX, &number))
		return;
	*member->id = (uint16_t)number;
	config_mark_add(file, member->id, value);
}

static void read_member_key(struct config_file *file, const struct tree_node *value, void *object)
{
	const struct config_member *member = object;

	(void)config_read_key(file, value, member->public_key);
}

static void read_member_wan(struct config_file *file, const struct tree_node *value, void *object)
{
	const struct config_member *member = object;
	struct config_wan *wans;

	if (!config_read_list(file, value, "wan", 1, SIZE_MAX))
		return;
	wans = config_array(file, value->n, sizeof(*wans));
	if (!wans)
		return;
	*member->wans = wans;
	*member->n_wans = value->n;
	for (const struct tree_node *item = value->first; item; item = item->next, wans++) {
		if (item->kind == TREE_MAP && !config_is_bare_ipv6(item))
			(void)config_read_words(file, item, "WAN address", wan_words,
						N_WORDS(wan_words), wans);
		else
			read_wan_public(file, item, wans);
	}
}

static void read_member_lan(struct config_file *file, const struct tree_node *value, void *object)
{
	const struct config_member *member = object;

	read_addr_pair(file, value, "lan", "LAN address", &member->gateway->lan4,
		       &member->gateway->lan6);
}

static const struct config_word gateway_words[] = {
	{ "name", true, read_member_name },	 { "id", true, read_member_id },
	{ "public_key", true, read_member_key }, { "lan", true, read_member_lan },
	{ "wan", true, read_member_wan },
};

static void read_relay_limit(struct config_file *file, const struct tree_node *value, void *object)
{
	const struct config_member *member = object;
	unsigned int number = 0;

	if ((value->kind == TREE_SCALAR && !strcmp(value->text, "0")) ||
	    config_read_number(file, value, "limit", 1000, 100000000, &number))
		member->relay->limit_pps = number;
}

static const struct config_word relay_words[] = {
	{ "name", true, read_member_name },	 { "id", true, read_member_id },
	{ "public_key", true, read_member_key }, { "wan", true, read_member_wan },
	{ "limit", false, read_relay_limit },
};

static void read_site_name(struct config_file *file, const struct tree_node *value, void *object)
{
	struct config_site *site = object;

	(void)config_read_name(file, value, "site name", site->name);
}

static void read_site_lan(struct config_file *file, const struct tree_node *value, void *object)
{
	(void)config_read_words(file, value, "lan", lan_words, N_WORDS(lan_words), object);
}

static void read_site_vrrp(struct config_file *file, const struct tree_node *value, void *object)
{
	(void)config_read_words(file, value, "vrrp", vrrp_words, N_WORDS(vrrp_words), object);
}

static void read_site_subnets(struct config_file *file, const struct tree_node *value, void *object)
{
	struct config_site *site = object;
	struct config_subnet *subnet;

	if (!config_read_list(file, value, "subnets", 1, SIZE_MAX))
		return;
	site->subnets = config_array(file, value->n, sizeof(*site->subnets));
	if (!site->subnets)
		return;
	site->n_subnets = value->n;
	subnet = site->subnets;
	for (const struct tree_node *item = value->first; item; item = item->next, subnet++) {
		if (item->kind == TREE_MAP && !config_is_bare_ipv6(item))
			(void)config_read_words(file, item, "subnet", subnet_words,
						N_WORDS(subnet_words), subnet);
		else
			read_subnet_prefix(file, item, subnet);
	}
}

static void read_site_gateways(struct config_file *file, const struct tree_node *value,
			       void *object)
{
	struct config_site *site = object;

	if (!config_read_list(file, value, "gateways", 1, 2))
		return;
	site->gateways = config_array(file, value->n, sizeof(*site->gateways));
	if (!site->gateways)
		return;
	for (const struct tree_node *item = value->first; item; item = item->next) {
		struct config_gateway *gateway = &site->gateways[site->n_gateways++];
		struct config_member member = {
			.name = gateway->name,
			.id = &gateway->id,
			.public_key = &gateway->public_key,
			.wans = &gateway->wans,
			.n_wans = &gateway->n_wans,
			.gateway = gateway,
		};

		(void)config_read_words(file, item, "gateway", gateway_words,
					N_WORDS(gateway_words), &member);
	}
}

static const struct config_word site_words[] = {
	{ "name", true, read_site_name },	  { "lan", true, read_site_lan },
	{ "vrrp", false, read_site_vrrp },	  { "subnets", true, read_site_subnets },
	{ "gateways", true, read_site_gateways },
};

/* A policy with the mesh it is of. */
struct policy_reader {
	struct config_mesh *mesh;
	const struct config_index *index;
	struct config_policy *policy;
};

static void unknown_site(struct config_file *file, const struct tree_node *node,
			 const struct config_mesh *mesh)
{
	struct word_guess guess;
	char help[80];

	if (diag_count(file->diags) >= DIAG_MAX) {
		config_error(file, &node->place, NULL, "there is no such site");
		return;
	}
	word_guess_init(&guess, node->text);
	/* A site whose own name is wrong may be the one that is meant. */
	for (size_t i = 0; i < mesh->n_sites; i++) {
		if (!*mesh->sites[i].name)
			return;
		word_guess_offer(&guess, mesh->sites[i].name);
	}
	if (guess.nearest)
		snprintf(help, sizeof(help), "did you mean '%s'?", guess.nearest);
	config_error(file, &node->place, guess.nearest ? help : NULL,
		     "there is no site " CONFIG_QUOTE, node->text);
}

static void read_policy_between(struct config_file *file, const struct tree_node *value,
				void *object)
{
	const struct policy_reader *reader = object;
	const struct config_mesh *mesh = reader->mesh;
	size_t found[2], n = 0;
	const char *text;

	if (!config_read_list(file, value, "between", 2, 2))
		return;
	for (const struct tree_node *item = value->first; item; item = item->next) {
		const struct config_site *site;

		if (!config_read_text(file, item, "site name", &text))
			continue;
		site = config_index_find(reader->index, text);
		if (!site)
			unknown_site(file, item, mesh);
		else if (n < 2)
			found[n++] = (size_t)(site - mesh->sites);
	}
	if (n != 2 || value->n != 2)
		return;
	if (found[0] == found[1]) {
		config_error(file, &value->first->next->place, "name two sites",
			     "a policy of site '%s' with itself", mesh->sites[found[0]].name);
		return;
	}
	reader->policy->site_a = found[0] < found[1] ? found[0] : found[1];
	reader->policy->site_b = found[0] < found[1] ? found[1] : found[0];
	config_mark_add(file, &reader->policy->site_a, value);
}

static void read_policy_connect(struct config_file *file, const struct tree_node *value,
				void *object)
{
	static const char *const choices[] = { "no", "yes", "false", "true" };
	const struct policy_reader *reader = object;
	unsigned int choice;

	if (config_read_choice(file, value, "connect", choices, N_WORDS(choices), &choice))
		reader->policy->connect = choice % 2;
}

static bool read_mtu(struct config_file *file, const struct tree_node *value, uint16_t *mtu)
{
	unsigned int number;

	if (!config_read_number(file, value, "mtu", CONFIG_MTU_MIN, CONFIG_MTU_MAX, &number))
		return false;
	*mtu = (uint16_t)number;
	return true;
}

static void read_policy_mtu(struct config_file *file, const struct tree_node *value, void *object)
{
	const struct policy_reader *reader = object;

	(void)read_mtu(file, value, &reader->policy->mtu);
}

static void read_policy_mss(struct config_file *file, const struct tree_node *value, void *object)
{
	static const char *const choices[] = { "keep", "clamp" };
	const struct policy_reader *reader = object;
	unsigned int choice;

	if (config_read_choice(file, value, "mss", choices, N_WORDS(choices), &choice))
		reader->policy->mss_clamp = choice;
}

static void read_policy_class(struct config_file *file, const struct tree_node *value, void *object)
{
	const struct policy_reader *reader = object;
	unsigned int choice;

	if (!config_read_choice(file, value, "class", config_class_names, CONFIG_CLASS_MAX,
				&choice))
		return;
	reader->policy->class = choice;
	config_mark_add(file, &reader->policy->class, value);
}

static void read_policy_dscp(struct config_file *file, const struct tree_node *value, void *object)
{
	const struct policy_reader *reader = object;

	config_dscp_read(file, value, reader->policy);
}

static const struct config_word policy_words[] = {
	{ "between", true, read_policy_between }, { "connect", false, read_policy_connect },
	{ "mtu", false, read_policy_mtu },	  { "mss", false, read_policy_mss },
	{ "class", false, read_policy_class },	  { "dscp", false, read_policy_dscp },
};

static void read_mesh_name(struct config_file *file, const struct tree_node *value, void *object)
{
	struct config_mesh *mesh = object;

	(void)config_read_name(file, value, "mesh name", mesh->name);
}

static void read_mesh_port_base(struct config_file *file, const struct tree_node *value,
				void *object)
{
	struct config_mesh *mesh = object;
	unsigned int number;

	/* Port P + id must be a port for every id. */
	if (!config_read_number(file, value, "port_base", 1024, 65535 - CONFIG_ID_MAX, &number))
		return;
	mesh->port_base = (uint16_t)number;
	config_mark_add(file, &mesh->port_base, value);
}

static void read_mesh_engine(struct config_file *file, const struct tree_node *value, void *object)
{
	struct config_mesh *mesh = object;
	unsigned int choice;

	if (config_read_choice(file, value, "engine", config_engine_names, CONFIG_ENGINE_MAX,
			       &choice))
		mesh->engine = choice;
}

static void read_mesh_lanes(struct config_file *file, const struct tree_node *value, void *object)
{
	config_lanes_read(file, value, object);
}

static void read_mesh_mtu(struct config_file *file, const struct tree_node *value, void *object)
{
	struct config_mesh *mesh = object;

	(void)read_mtu(file, value, &mesh->mtu);
}

static void read_mesh_keepalive(struct config_file *file, const struct tree_node *value,
				void *object)
{
	struct config_mesh *mesh = object;
	unsigned int ms;

	if (config_read_duration(file, value, "keepalive", 1000, 120000, 1000, &ms))
		mesh->keepalive_s = (uint16_t)(ms / 1000);
}

#define PROBE_MIN_MS 5

static void read_probe_fast(struct config_file *file, const struct tree_node *value, void *object)
{
	struct config_mesh *mesh = object;
	unsigned int ms = PROBE_MIN_MS; /* if it is wrong nothing of slow can be less */

	if (config_read_duration(file, value, "fast", PROBE_MIN_MS, 1000, 1, &ms))
		config_mark_add(file, &mesh->probe_fast_ms, value);
	mesh->probe_fast_ms = ms;
}

static void read_probe_slow(struct config_file *file, const struct tree_node *value, void *object)
{
	struct config_mesh *mesh = object;
	unsigned int ms;

	if (!config_read_duration(file, value, "slow", PROBE_MIN_MS, 10000, 1, &ms))
		return;
	mesh->probe_slow_ms = ms;
	config_mark_add(file, &mesh->probe_slow_ms, value);
}

static const struct config_word probe_words[] = {
	{ "fast", false, read_probe_fast },
	{ "slow", false, read_probe_slow },
};

static void read_mesh_probes(struct config_file *file, const struct tree_node *value, void *object)
{
	struct config_mesh *mesh = object;
	const struct diag_place *fast, *slow;
	char help[64];

	(void)config_read_words(file, value, "probes", probe_words, N_WORDS(probe_words), mesh);
	if (mesh->probe_slow_ms >= mesh->probe_fast_ms)
		return;
	fast = config_mark_find(file, &mesh->probe_fast_ms);
	slow = config_mark_find(file, &mesh->probe_slow_ms);
	if (!slow) {
		mesh->probe_slow_ms = mesh->probe_fast_ms;
		return;
	}
	snprintf(help, sizeof(help), "'fast' is %dms unless it is given", CONFIG_PROBE_FAST_MS);
	config_error(file, slow, fast ? "paths in use are probed more often than the others" : help,
		     "slow %ums is less than fast %ums", mesh->probe_slow_ms, mesh->probe_fast_ms);
	config_note(file, fast, "which is here");
}

static void read_mesh_sites(struct config_file *file, const struct tree_node *value, void *object)
{
	struct config_mesh *mesh = object;

	if (!config_read_list(file, value, "sites", 1, SIZE_MAX))
		return;
	mesh->sites = config_array(file, value->n, sizeof(*mesh->sites));
	if (!mesh->sites)
		return;
	for (const struct tree_node *item = value->first; item; item = item->next) {
		struct config_site *site = &mesh->sites[mesh->n_sites++];

		site->vrid = CONFIG_VRID;
		site->advert_ms = config_profile_advert_ms[site->profile];
		(void)config_read_words(file, item, "site", site_words, N_WORDS(site_words), site);
	}
}

static void read_mesh_relays(struct config_file *file, const struct tree_node *value, void *object)
{
	struct config_mesh *mesh = object;

	if (!config_read_list(file, value, "relays", 0, SIZE_MAX))
		return;
	mesh->relays = config_array(file, value->n, sizeof(*mesh->relays));
	if (!mesh->relays)
		return;
	for (const struct tree_node *item = value->first; item; item = item->next) {
		struct config_relay *relay = &mesh->relays[mesh->n_relays++];
		struct config_member member = {
			.name = relay->name,
			.id = &relay->id,
			.public_key = &relay->public_key,
			.wans = &relay->wans,
			.n_wans = &relay->n_wans,
			.relay = relay,
		};

		(void)config_read_words(file, item, "relay", relay_words, N_WORDS(relay_words),
					&member);
	}
}

static void read_mesh_policies(struct config_file *file, const struct tree_node *value,
			       void *object)
{
	struct config_mesh *mesh = object;
	struct config_index index;

	config_mark_add(file, &mesh->policies, value);
	if (!config_read_list(file, value, "policies", 0, SIZE_MAX))
		return;
	config_mark_add(file, &mesh->n_policies, value);
	mesh->policies = config_array(file, value->n, sizeof(*mesh->policies));
	if (!mesh->policies)
		return;
	if (config_index_init(&index, mesh)) {
		file->no_memory = true;
		return;
	}
	for (const struct tree_node *item = value->first; item; item = item->next) {
		struct config_policy *policy = &mesh->policies[mesh->n_policies++];
		struct policy_reader reader = { .mesh = mesh, .index = &index, .policy = policy };

		*policy = (struct config_policy){
			.connect = true,
			.mtu = mesh->mtu,
			.mss_clamp = true,
			.class = CONFIG_CLASS_BEST,
		};
		config_dscp_clear(policy);
		(void)config_read_words(file, item, "policy", policy_words, N_WORDS(policy_words),
					&reader);
	}
	config_index_fini(&index);
}

/* In this order: policies name sites and take their MTU from the mesh. */
static const struct config_word mesh_words[] = {
	{ "mesh", false, read_mesh_name },     { "port_base", false, read_mesh_port_base },
	{ "engine", false, read_mesh_engine }, { "lanes", false, read_mesh_lanes },
	{ "mtu", false, read_mesh_mtu },       { "keepalive", false, read_mesh_keepalive },
	{ "probes", false, read_mesh_probes }, { "sites", true, read_mesh_sites },
	{ "relays", false, read_mesh_relays }, { "policies", false, read_mesh_policies },
};

void config_mesh_read(struct config_file *file, const struct tree_node *root,
		      struct config_mesh *mesh)
{
	file->broken =
		!config_read_words(file, root, "the file", mesh_words, N_WORDS(mesh_words), mesh);
	/* A node that is not in the file may be a relay in a list that could not be read. */
	for (const struct tree_node *key = root->first; !file->broken && key; key = key->next) {
		if (key->kind == TREE_SCALAR && !strcmp(key->text, "relays"))
			file->broken = key->value->kind != TREE_LIST;
	}
}
