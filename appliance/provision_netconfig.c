/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Both versions become the same: addressings, each of one interface. What else cloud-init knows is an error if
 * it would change where packets go (bonds, bridges, VLANs), and left aside if not (set-name, search, renderer).
 */
#include "provision_netconfig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_parse.h"
#include "tree.h"

#define N_WORDS(words) (sizeof(words) / sizeof((words)[0]))
#define LIST_MAX 64
#define REFUSE (CONFIG_REFUSE_ALL & ~(unsigned int)CONFIG_REFUSE_LINK_LOCAL)

struct reader {
	const struct provision_nic *nics;
	size_t n_nics;
	struct provision_seed *seed;
	size_t first; /* of the hints that are ours */
	unsigned int version;
	const struct tree_node *ethernets, *config;
	struct ip_addr dns[PROVISION_DNS_MAX]; /* of all interfaces */
	size_t n_dns;
};

/* One interface of version 2, or one entry of version 1. */
struct entry {
	struct reader *reader;
	const struct tree_node *node, *type, *name, *mac, *subnets, *servers;
	struct provision_addressing addressing;
};

#define KEYS_MAX 64

/* Programs write "subnets:" and "config:" also when nothing follows: a word without a value is none here. */
static bool read_words(struct config_file *file, const struct tree_node *node, const char *what,
		       const struct config_word *words, size_t n_words, void *object)
{
	struct tree_node map = *node, keys[KEYS_MAX];
	size_t n = 0;

	if (node->kind != TREE_MAP || node->n > KEYS_MAX)
		return config_read_words(file, node, what, words, n_words, object);
	map.first = NULL;
	for (const struct tree_node *key = node->first; key; key = key->next) {
		const struct tree_node *value = key->value;

		if (value && value->kind == TREE_SCALAR && !value->quoted &&
		    (!*value->text || !strcmp(value->text, "~") || !strcmp(value->text, "null")))
			continue;
		keys[n] = *key;
		keys[n].next = NULL;
		if (n)
			keys[n - 1].next = &keys[n];
		n++;
	}
	map.n = n;
	map.first = n ? &keys[0] : NULL;
	return config_read_words(file, &map, what, words, n_words, object);
}

/* ---- values ---- */

static void ignore(struct config_file *file, const struct tree_node *value, void *object)
{
	(void)file;
	(void)value;
	(void)object;
}

static bool read_bool(struct config_file *file, const struct tree_node *value, const char *what)
{
	static const char *const choices[] = { "false", "true", "no", "yes", "off", "on" };
	unsigned int choice;

	return config_read_choice(file, value, what, choices, N_WORDS(choices), &choice) &&
	       choice % 2;
}

static void add_address(struct config_file *file, const struct tree_node *value,
			const struct provision_address *address,
			struct provision_addressing *addressing)
{
	addressing->given = true;
	if (addressing->n_addresses == PROVISION_ADDRESSES_MAX)
		config_error(file, &value->place, NULL, "more than %d addresses",
			     PROVISION_ADDRESSES_MAX);
	else
		addressing->addresses[addressing->n_addresses++] = *address;
}

static void add_gateway(struct config_file *file, const struct tree_node *value,
			const struct ip_addr *gateway, struct provision_addressing *addressing)
{
	struct ip_addr *slot =
		gateway->family == IP_V4 ? &addressing->gateway4 : &addressing->gateway6;

	if (slot->family && ip_addr_compare(slot, gateway))
		config_error(file, &value->place, "keep one",
			     "a second default gateway of the same family");
	else
		*slot = *gateway;
}

static void add_dns(struct config_file *file, const struct tree_node *value, struct ip_addr *list,
		    size_t *n)
{
	if (*n == PROVISION_DNS_MAX)
		config_error(file, &value->place, NULL, "more than %d name servers",
			     PROVISION_DNS_MAX);
	else if (config_read_addr(file, value, "name server", REFUSE, &list[*n]))
		(*n)++;
}

/* One, or a list of them. */
static void read_dns(struct config_file *file, const struct tree_node *value, struct ip_addr *list,
		     size_t *n)
{
	if (value->kind == TREE_SCALAR) {
		add_dns(file, value, list, n);
		return;
	}
	if (!config_read_list(file, value, "name servers", 0, PROVISION_DNS_MAX))
		return;
	for (const struct tree_node *item = value->first; item; item = item->next)
		add_dns(file, item, list, n);
}

static void read_mtu(struct config_file *file, const struct tree_node *value, void *object)
{
	struct entry *entry = object;
	unsigned int number;

	if (config_read_number(file, value, "mtu", 1280, 9216, &number))
		entry->addressing.mtu = (uint16_t)number;
}

/* ---- routes of both versions ---- */

struct route {
	const struct tree_node *to, *via, *mask;
};

static void read_route_to(struct config_file *file, const struct tree_node *value, void *object)
{
	(void)file;
	((struct route *)object)->to = value;
}

static void read_route_via(struct config_file *file, const struct tree_node *value, void *object)
{
	(void)file;
	((struct route *)object)->via = value;
}

static void read_route_mask(struct config_file *file, const struct tree_node *value, void *object)
{
	(void)file;
	((struct route *)object)->mask = value;
}

static const struct config_word route2_words[] = {
	{ "to", true, read_route_to },
	{ "via", true, read_route_via },
	{ "metric", false, ignore },
	{ "on-link", false, ignore },
};

static const struct config_word route1_words[] = {
	{ "network", false, read_route_to },  { "destination", false, read_route_to },
	{ "gateway", true, read_route_via },  { "netmask", false, read_route_mask },
	{ "prefix", false, read_route_mask }, { "metric", false, ignore },
};

static bool is_default(const char *text)
{
	return !strcmp(text, "default") || !strcmp(text, "0.0.0.0/0") || !strcmp(text, "::/0");
}

/* An address with a mask beside it. */
static bool masked_prefix(struct config_file *file, const struct tree_node *to,
			  const struct tree_node *mask, struct ip_prefix *ret_prefix)
{
	struct tree_node joined = *to;
	char text[2 * IP_PREFIX_STRLEN];
	struct ip_addr addr;
	uint8_t len;

	if (ip_addr_parse(to->text, &addr) || mask->kind != TREE_SCALAR ||
	    provision_mask_parse(mask->text, &addr, &len)) {
		config_error(file, &mask->place, "255.255.255.0 or 24 for example",
			     "this is no netmask of the destination");
		return false;
	}
	snprintf(text, sizeof(text), "%.50s/%u", to->text, len);
	joined.text = text;
	return config_read_prefix(file, &joined, "destination", REFUSE, ret_prefix);
}

static void read_route(struct config_file *file, const struct tree_node *node,
		       const struct config_word *words, size_t n_words,
		       struct provision_addressing *addressing)
{
	struct provision_route parsed = { 0 };
	struct route route = { 0 };
	bool everywhere;

	if (!read_words(file, node, "route", words, n_words, &route) || !route.via ||
	    !config_read_addr(file, route.via, "next hop", REFUSE, &parsed.via))
		return;
	if (!route.to || route.to->kind != TREE_SCALAR) {
		config_error(file, &node->place, "a prefix, or 'default'",
			     "the route has no destination");
		return;
	}
	everywhere = is_default(route.to->text) ||
		     (route.mask && route.mask->kind == TREE_SCALAR &&
		      (!strcmp(route.to->text, "0.0.0.0") || !strcmp(route.to->text, "::")) &&
		      (!strcmp(route.mask->text, "0.0.0.0") || !strcmp(route.mask->text, "0")));
	if (everywhere) {
		add_gateway(file, route.to, &parsed.via, addressing);
		return;
	}
	if (route.mask ? !masked_prefix(file, route.to, route.mask, &parsed.to)
		       : !config_read_prefix(file, route.to, "destination", REFUSE, &parsed.to))
		return;
	if (parsed.to.addr.family != parsed.via.family)
		config_error(file, &node->place, NULL,
			     "destination and next hop are of different families");
	else if (addressing->n_routes == PROVISION_ROUTES_MAX)
		config_error(file, &node->place, NULL, "more than %d routes", PROVISION_ROUTES_MAX);
	else
		addressing->routes[addressing->n_routes++] = parsed;
}

static void read_routes(struct config_file *file, const struct tree_node *value,
			const struct config_word *words, size_t n_words,
			struct provision_addressing *addressing)
{
	if (!config_read_list(file, value, "routes", 0, PROVISION_ROUTES_MAX))
		return;
	for (const struct tree_node *item = value->first; item; item = item->next)
		read_route(file, item, words, n_words, addressing);
}

/* ---- which interface ---- */

/* NULL after an error. */
static const struct provision_nic *find_nic(struct config_file *file, const struct entry *entry)
{
	const struct reader *reader = entry->reader;
	const struct tree_node *node = entry->mac ? entry->mac : entry->name;
	uint8_t mac[PROVISION_MAC_LEN];

	if (!node || node->kind != TREE_SCALAR) {
		config_error(file, node ? &node->place : &entry->node->place,
			     "macaddress: \"52:54:00:12:34:56\", or the name that the kernel gives",
			     "it is not said which interface this is");
		return NULL;
	}
	if (entry->mac && provision_mac_parse(node->text, mac)) {
		config_error(file, &node->place, "write it as \"52:54:00:12:34:56\"",
			     CONFIG_QUOTE " is not a MAC address", node->text);
		return NULL;
	}
	for (size_t i = 0; i < reader->n_nics; i++) {
		const struct provision_nic *nic = &reader->nics[i];

		if (entry->mac ? !memcmp(nic->mac, mac, sizeof(mac))
			       : !strcmp(nic->name, node->text))
			return nic;
	}
	config_error(file, &node->place, "'netpas-provision nics' lists those that there are",
		     "the machine has no interface " CONFIG_QUOTE, node->text);
	return NULL;
}

/* What it says of the interface: once only. */
static void add_hint(struct config_file *file, const struct entry *entry)
{
	const struct provision_nic *nic = find_nic(file, entry);
	struct provision_seed *seed = entry->reader->seed;

	if (!nic)
		return;
	for (size_t i = entry->reader->first; i < seed->n_hints; i++) {
		if (!memcmp(seed->hints[i].mac, nic->mac, sizeof(nic->mac))) {
			config_error(file, &entry->node->place, "make one of them",
				     "interface %s is there twice", nic->name);
			return;
		}
	}
	/* Of one with nothing but a name or an MTU the way to addresses is the default. */
	if (!entry->addressing.given || seed->n_hints == PROVISION_HINTS_MAX)
		return;
	memcpy(seed->hints[seed->n_hints].mac, nic->mac, sizeof(nic->mac));
	seed->hints[seed->n_hints++].addressing = entry->addressing;
}

/* ---- version 2 ---- */

static void read_macaddress(struct config_file *file, const struct tree_node *value, void *object)
{
	(void)file;
	((struct entry *)object)->mac = value;
}

static void read_match_name(struct config_file *file, const struct tree_node *value, void *object)
{
	if (value->kind == TREE_SCALAR && strpbrk(value->text, "*?["))
		config_error(file, &value->place, "one name, or 'macaddress'",
			     CONFIG_QUOTE " is a pattern", value->text);
	else
		((struct entry *)object)->name = value;
}

static const struct config_word match_words[] = {
	{ "macaddress", false, read_macaddress },
	{ "name", false, read_match_name },
	{ "driver", false, ignore },
};

static void read_match(struct config_file *file, const struct tree_node *value, void *object)
{
	(void)read_words(file, value, "match", match_words, N_WORDS(match_words), object);
}

static void read_dhcp(struct config_file *file, const struct tree_node *value, void *object)
{
	struct entry *entry = object;

	if (!read_bool(file, value, "dhcp"))
		return;
	entry->addressing.given = true;
	entry->addressing.dhcp = true;
}

static void read_addresses(struct config_file *file, const struct tree_node *value, void *object)
{
	struct entry *entry = object;
	struct provision_address address;
	const char *text;

	if (!config_read_list(file, value, "addresses", 0, PROVISION_ADDRESSES_MAX))
		return;
	for (const struct tree_node *item = value->first; item; item = item->next) {
		if (!config_read_text(file, item, "address", &text))
			continue;
		if (provision_address_parse(text, &address))
			config_error(file, &item->place,
				     "write address/length, such as 192.0.2.10/24",
				     "address " CONFIG_QUOTE " is none", text);
		else
			add_address(file, item, &address, &entry->addressing);
	}
}

static void read_gateway_of(struct config_file *file, const struct tree_node *value,
			    struct entry *entry, enum ip_family family, const char *what)
{
	struct ip_addr gateway;

	if (!config_read_addr(file, value, what, REFUSE, &gateway))
		return;
	if (family && gateway.family != family)
		config_error(file, &value->place, family == IP_V4 ? "gateway6" : "gateway4",
			     "%s is of the other family", what);
	else
		add_gateway(file, value, &gateway, &entry->addressing);
}

static void read_gateway4(struct config_file *file, const struct tree_node *value, void *object)
{
	read_gateway_of(file, value, object, IP_V4, "gateway4");
}

static void read_gateway6(struct config_file *file, const struct tree_node *value, void *object)
{
	read_gateway_of(file, value, object, IP_V6, "gateway6");
}

static void read_routes2(struct config_file *file, const struct tree_node *value, void *object)
{
	struct entry *entry = object;

	read_routes(file, value, route2_words, N_WORDS(route2_words), &entry->addressing);
}

static void read_servers(struct config_file *file, const struct tree_node *value, void *object)
{
	struct entry *entry = object;

	read_dns(file, value, entry->addressing.dns, &entry->addressing.n_dns);
}

static const struct config_word nameserver_words[] = {
	{ "addresses", false, read_servers },
	{ "search", false, ignore },
};

static void read_nameservers(struct config_file *file, const struct tree_node *value, void *object)
{
	(void)read_words(file, value, "nameservers", nameserver_words, N_WORDS(nameserver_words),
			 object);
}

static const struct config_word ethernet_words[] = {
	{ "match", false, read_match },
	{ "set-name", false, ignore },
	{ "dhcp4", false, read_dhcp },
	{ "dhcp6", false, read_dhcp },
	{ "addresses", false, read_addresses },
	{ "gateway4", false, read_gateway4 },
	{ "gateway6", false, read_gateway6 },
	{ "routes", false, read_routes2 },
	{ "nameservers", false, read_nameservers },
	{ "mtu", false, read_mtu },
	{ "accept-ra", false, ignore },
	{ "critical", false, ignore },
	{ "dhcp-identifier", false, ignore },
	{ "dhcp4-overrides", false, ignore },
	{ "dhcp6-overrides", false, ignore },
	{ "link-local", false, ignore },
	{ "optional", false, ignore },
	{ "renderer", false, ignore },
	{ "wakeonlan", false, ignore },
};

static void read_version2(struct config_file *file, struct reader *reader)
{
	const struct tree_node *list = reader->ethernets;

	if (!list)
		return;
	if (list->kind != TREE_MAP) {
		config_error(file, &list->place, "eth0: {dhcp4: true} for example",
			     "'ethernets' must be a mapping");
		return;
	}
	for (const struct tree_node *key = list->first; key; key = key->next) {
		struct entry entry = { .reader = reader, .node = key, .name = key };

		if (key->kind == TREE_SCALAR &&
		    read_words(file, key->value, "interface", ethernet_words,
			       N_WORDS(ethernet_words), &entry))
			add_hint(file, &entry);
	}
}

/* ---- version 1 ---- */

struct subnet {
	struct entry *entry;
	const struct tree_node *type, *address, *mask;
};

static void read_subnet_type(struct config_file *file, const struct tree_node *value, void *object)
{
	(void)file;
	((struct subnet *)object)->type = value;
}

static void read_subnet_address(struct config_file *file, const struct tree_node *value,
				void *object)
{
	(void)file;
	((struct subnet *)object)->address = value;
}

static void read_subnet_mask(struct config_file *file, const struct tree_node *value, void *object)
{
	(void)file;
	((struct subnet *)object)->mask = value;
}

static void read_subnet_gateway(struct config_file *file, const struct tree_node *value,
				void *object)
{
	read_gateway_of(file, value, ((struct subnet *)object)->entry, IP_NONE, "gateway");
}

static void read_subnet_dns(struct config_file *file, const struct tree_node *value, void *object)
{
	read_servers(file, value, ((struct subnet *)object)->entry);
}

static void read_subnet_routes(struct config_file *file, const struct tree_node *value,
			       void *object)
{
	struct subnet *subnet = object;

	read_routes(file, value, route1_words, N_WORDS(route1_words), &subnet->entry->addressing);
}

static const struct config_word subnet_words[] = {
	{ "type", true, read_subnet_type },
	{ "address", false, read_subnet_address },
	{ "netmask", false, read_subnet_mask },
	{ "gateway", false, read_subnet_gateway },
	{ "dns_nameservers", false, read_subnet_dns },
	{ "routes", false, read_subnet_routes },
	{ "dns_search", false, ignore },
	{ "broadcast", false, ignore },
	{ "control", false, ignore },
	{ "ipv4", false, ignore },
	{ "ipv6", false, ignore },
	{ "metric", false, ignore },
};

static void read_static(struct config_file *file, const struct subnet *subnet,
			const struct tree_node *node)
{
	struct provision_address address;
	const char *text;

	if (!subnet->address) {
		config_error(file, &node->place, "address: 192.0.2.10/24",
			     "a static subnet needs an address");
		return;
	}
	if (!config_read_text(file, subnet->address, "address", &text))
		return;
	if (!provision_address_parse(text, &address) ||
	    (!ip_addr_parse(text, &address.addr) && subnet->mask &&
	     subnet->mask->kind == TREE_SCALAR &&
	     !provision_mask_parse(subnet->mask->text, &address.addr, &address.len)))
		add_address(file, subnet->address, &address, &subnet->entry->addressing);
	else
		config_error(file, &subnet->address->place,
			     "write address/length, such as 192.0.2.10/24, or a netmask beside it",
			     "address " CONFIG_QUOTE " is none", text);
}

static void read_subnet(struct config_file *file, const struct tree_node *node, struct entry *entry)
{
	static const char *const types[] = { "static", "static6",
					     "dhcp",   "dhcp4",
					     "dhcp6",  "ipv6_slaac",
					     "manual", "ipv6_dhcpv6-stateful",
					     "none",   "ipv6_dhcpv6-stateless" };
	struct subnet subnet = { .entry = entry };
	unsigned int type;

	if (!read_words(file, node, "subnet", subnet_words, N_WORDS(subnet_words), &subnet) ||
	    !subnet.type ||
	    !config_read_choice(file, subnet.type, "type", types, N_WORDS(types), &type))
		return;
	if (type < 2)
		read_static(file, &subnet, node);
	else if (strcmp(types[type], "manual") && strcmp(types[type], "none"))
		entry->addressing.given = entry->addressing.dhcp = true;
}

static void read_type(struct config_file *file, const struct tree_node *value, void *object)
{
	(void)file;
	((struct entry *)object)->type = value;
}

static void read_name(struct config_file *file, const struct tree_node *value, void *object)
{
	(void)file;
	((struct entry *)object)->name = value;
}

static void read_subnets(struct config_file *file, const struct tree_node *value, void *object)
{
	(void)file;
	((struct entry *)object)->subnets = value;
}

static void read_address(struct config_file *file, const struct tree_node *value, void *object)
{
	(void)file;
	((struct entry *)object)->servers = value;
}

static const struct config_word entry_words[] = {
	{ "type", true, read_type },
	{ "name", false, read_name },
	{ "mac_address", false, read_macaddress },
	{ "mtu", false, read_mtu },
	{ "subnets", false, read_subnets },
	{ "address", false, read_address },
	{ "search", false, ignore },
	{ "accept-ra", false, ignore },
	{ "id", false, ignore },
	{ "interface", false, ignore },
	{ "keep_configuration", false, ignore },
};

static void read_entry(struct config_file *file, const struct tree_node *node,
		       struct reader *reader)
{
	static const char *const types[] = { "physical", "nameserver", "loopback" };
	struct entry entry = { .reader = reader, .node = node };
	unsigned int type;

	if (!read_words(file, node, "entry", entry_words, N_WORDS(entry_words), &entry) ||
	    !entry.type ||
	    !config_read_choice(file, entry.type, "type", types, N_WORDS(types), &type))
		return;
	if (type == 1 && entry.servers)
		read_dns(file, entry.servers, reader->dns, &reader->n_dns);
	if (type)
		return;
	if (entry.subnets && config_read_list(file, entry.subnets, "subnets", 0, LIST_MAX)) {
		for (const struct tree_node *item = entry.subnets->first; item; item = item->next)
			read_subnet(file, item, &entry);
	}
	add_hint(file, &entry);
}

static void read_version1(struct config_file *file, struct reader *reader)
{
	struct provision_seed *seed = reader->seed;

	if (!reader->config || !config_read_list(file, reader->config, "config", 0, LIST_MAX))
		return;
	for (const struct tree_node *item = reader->config->first; item; item = item->next)
		read_entry(file, item, reader);
	for (size_t i = reader->first; i < seed->n_hints && reader->n_dns; i++) {
		struct provision_addressing *addressing = &seed->hints[i].addressing;

		if (addressing->n_dns)
			continue;
		memcpy(addressing->dns, reader->dns, sizeof(addressing->dns));
		addressing->n_dns = reader->n_dns;
	}
}

/* ---- the document ---- */

static void read_version(struct config_file *file, const struct tree_node *value, void *object)
{
	struct reader *reader = object;

	(void)config_read_number(file, value, "version", 1, 2, &reader->version);
}

static void read_ethernets(struct config_file *file, const struct tree_node *value, void *object)
{
	(void)file;
	((struct reader *)object)->ethernets = value;
}

static void read_config(struct config_file *file, const struct tree_node *value, void *object)
{
	(void)file;
	((struct reader *)object)->config = value;
}

static void refuse(struct config_file *file, const struct tree_node *value, void *object)
{
	(void)object;
	config_error(file, &value->place, "describe plain interfaces below 'ethernets'",
		     "a gateway has no bonds, bridges, VLANs or radio");
}

static const struct config_word words[] = {
	{ "version", true, read_version }, { "ethernets", false, read_ethernets },
	{ "config", false, read_config },  { "renderer", false, ignore },
	{ "bonds", false, refuse },	   { "bridges", false, refuse },
	{ "vlans", false, refuse },	   { "wifis", false, refuse },
};

/* It may stand below "network", as in netplan's files. */
static const struct tree_node *unwrap(const struct tree_node *root)
{
	const struct tree_node *key = root->kind == TREE_MAP ? root->first : NULL;

	return key && !key->next && key->kind == TREE_SCALAR && !strcmp(key->text, "network")
		       ? key->value
		       : root;
}

int provision_netconfig_parse(const char *text, size_t len, const struct provision_nic *nics,
			      size_t n_nics, struct diag_list *diags, struct provision_seed *seed)
{
	struct config_file file = { .diags = diags, .name = "network-config" };
	struct reader reader = {
		.nics = nics, .n_nics = n_nics, .seed = seed, .first = seed->n_hints
	};
	const size_t before = diag_count(diags);
	struct tree *tree = NULL;
	int ret;

	file.source = diag_source_add(diags, file.name, text, len);
	if (file.source < 0)
		return -ENOMEM;
	ret = tree_parse(text, len, diags, file.source, &tree);
	if (ret)
		return ret;
	if (read_words(&file, unwrap(tree_root(tree)), "network-config", words, N_WORDS(words),
		       &reader)) {
		if (reader.version == 2)
			read_version2(&file, &reader);
		else if (reader.version == 1)
			read_version1(&file, &reader);
	}
	tree_free(tree);
	ret = file.no_memory ? -ENOMEM : diag_count(diags) > before ? -EINVAL : 0;
	config_file_fini(&file);
	if (ret)
		seed->n_hints = reader.first;
	return ret;
}
