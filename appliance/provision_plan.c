/* SPDX-License-Identifier: GPL-2.0-only */
#include "provision_plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_parse.h"
#include "provision_network.h"
#include "tree.h"

struct planner {
	const struct provision_document *document;
	const struct provision_seed *seed;
	const struct provision_machine *machine;
	struct diag_list *diags;
	struct provision_plan *plan;
	struct config *config; /* NULL: no mesh is given */
	const struct provision_nic *lan, *wans[PROVISION_NICS_MAX];
	size_t n_wans;
	bool chosen;
};

static void complain(struct planner *planner, struct diag_place place, const char *help,
		     const char *message)
{
	diag_error(planner->diags, planner->document->source, place, help, "%s", message);
}

/* "the machine has 1: eth0 52:54:00:12:34:56 virtio_net, link up; 2: ..." */
static void list_nics(const struct provision_machine *machine, char *buf, size_t size)
{
	char text[PROVISION_NIC_STRLEN];
	size_t at;

	if (!machine->n_nics) {
		snprintf(buf, size, "the machine has no network interface");
		return;
	}
	at = (size_t)snprintf(buf, size, "the machine has ");
	for (size_t i = 0; i < machine->n_nics && at < size; i++)
		at += (size_t)snprintf(buf + at, size - at, "%s%s", i ? "; " : "",
				       provision_nic_format(&machine->nics[i], i + 1, text));
}

/* ---- interfaces ---- */

static const struct provision_nic *find_nic(struct planner *planner,
					    const struct provision_pick *pick, const char *what)
{
	const struct provision_machine *machine = planner->machine;
	const struct provision_nic *nic = provision_nic_find(machine->nics, machine->n_nics, pick);
	char help[900], wanted[PROVISION_MAC_STRLEN];

	if (nic || (!pick->by_mac && !pick->order && !*pick->name)) /* wrong, and reported */
		return nic;
	if (pick->by_mac)
		provision_mac_format(pick->mac, wanted);
	else if (pick->order)
		snprintf(wanted, sizeof(wanted), "%u", pick->order);
	else
		strcpy(wanted, pick->name);
	list_nics(machine, help, sizeof(help));
	diag_error(planner->diags, planner->document->source, pick->place, help,
		   "there is no interface %s for the %s", wanted, what);
	return NULL;
}

static void choose_given(struct planner *planner)
{
	const struct provision_document *document = planner->document;
	const struct provision_nic *nic;

	if (document->has_lan)
		planner->lan = find_nic(planner, &document->lan, "LAN");
	for (size_t i = 0; i < document->n_wans; i++) {
		nic = find_nic(planner, &document->wans[i], "WAN");
		if (!nic)
			continue;
		if (nic == planner->lan)
			complain(planner, document->wans[i].place, "they are two networks",
				 "this interface is the LAN's already");
		for (size_t k = 0; k < planner->n_wans; k++) {
			if (planner->wans[k] == nic)
				complain(planner, document->wans[i].place, "remove one of them",
					 "this interface is a WAN interface already");
		}
		planner->wans[planner->n_wans++] = nic;
	}
	planner->chosen = true;
}

/* The name of the node, if its mapping has one. */
static const char *node_name(const struct tree_node *node)
{
	for (const struct tree_node *key = node ? node->first : NULL; key; key = key->next) {
		if (key->kind == TREE_SCALAR && !strcmp(key->text, "node") &&
		    key->value->kind == TREE_SCALAR)
			return key->value->text;
	}
	return "";
}

static const struct tree_node *word_find(const struct tree_node *map, const char *word)
{
	if (!map || map->kind != TREE_MAP)
		return NULL;
	for (const struct tree_node *key = map->first; key; key = key->next) {
		if (key->kind == TREE_SCALAR && !strcmp(key->text, word))
			return key->value;
	}
	return NULL;
}

/* Before the mesh has been read, which needs to know of interfaces, which need to know this. */
static bool is_relay(const struct tree_node *mesh, const char *name)
{
	const struct tree_node *relays = word_find(mesh, "relays"), *value;

	for (const struct tree_node *item = relays && relays->kind == TREE_LIST ? relays->first
										: NULL;
	     item; item = item->next) {
		value = word_find(item, "name");
		if (value && value->kind == TREE_SCALAR && !strcmp(value->text, name))
			return true;
	}
	return false;
}

/* Of names in node.yaml: they are the kernel's, as node.yaml means them. */
static void choose_named(struct planner *planner, const struct tree_node *interfaces)
{
	const struct tree_node *lan = word_find(interfaces, "lan");
	const struct tree_node *wan = word_find(interfaces, "wan");
	struct provision_pick pick = { 0 };
	const struct provision_nic *nic;

	if (lan && lan->kind == TREE_SCALAR && strlen(lan->text) < sizeof(pick.name)) {
		pick.place = lan->place;
		strcpy(pick.name, lan->text);
		planner->lan = find_nic(planner, &pick, "LAN");
	}
	for (const struct tree_node *item = wan && wan->kind == TREE_LIST ? wan->first : NULL;
	     item && planner->n_wans < PROVISION_WANS_MAX; item = item->next) {
		if (item->kind != TREE_SCALAR || strlen(item->text) >= sizeof(pick.name))
			continue;
		pick.place = item->place;
		strcpy(pick.name, item->text);
		nic = find_nic(planner, &pick, "WAN");
		if (nic)
			planner->wans[planner->n_wans++] = nic;
	}
	planner->chosen = true;
}

static void choose_default(struct planner *planner)
{
	const struct provision_machine *machine = planner->machine;
	const struct provision_document *document = planner->document;
	char help[900];

	if (is_relay(document->mesh, node_name(document->node))) {
		for (size_t i = 0; i < machine->n_nics && i < PROVISION_WANS_MAX; i++)
			planner->wans[planner->n_wans++] = &machine->nics[i];
		planner->chosen = planner->n_wans > 0;
	} else if (machine->n_nics == 2) {
		planner->wans[planner->n_wans++] = &machine->nics[0];
		planner->lan = &machine->nics[1];
		planner->chosen = true;
	}
	if (planner->chosen)
		return;
	list_nics(machine, help, sizeof(help));
	complain(
		planner, document->node->place, help,
		"'interfaces' must say which interface is LAN and which WAN: only of two is the first "
		"taken for the WAN and the second for the LAN");
}

static void choose(struct planner *planner)
{
	const struct provision_document *document = planner->document;
	const struct tree_node *named = word_find(document->node, "interfaces");

	if (document->has_interfaces && named)
		complain(planner, named->place, "remove one of them",
			 "'interfaces' are given twice, here and beside 'node'");
	else if (document->has_interfaces)
		choose_given(planner);
	else if (named)
		choose_named(planner, named);
	else if (document->node)
		choose_default(planner);
	/* Without a node, addresses alone need to know whose they are. */
	else if (document->lan_addressing.given || document->n_wan_addressing)
		complain(planner, document->network_place,
			 "{wan: [{order: 1}], lan: {order: 2}} for example",
			 "'network' needs 'interfaces'");
}

/* ---- node and mesh ---- */

/* "interfaces: {lan: eth1, wan: [eth0]}", as if it stood in the node's mapping. */
struct made_node {
	struct tree_node root, key, map, lan_key, lan, wan_key, wan, names[PROVISION_NICS_MAX];
};

static struct tree_node scalar(const struct tree_node *like, const char *text)
{
	return (struct tree_node){ .kind = TREE_SCALAR, .place = like->place, .text = text };
}

static const struct tree_node *with_interfaces(const struct planner *planner,
					       const struct tree_node *node, struct made_node *made)
{
	if (word_find(node, "interfaces"))
		return node;
	made->root = *node;
	made->root.n++;
	made->root.first = &made->key;
	made->key = scalar(node, "interfaces");
	made->key.value = &made->map;
	made->key.next = node->first;
	made->map = (struct tree_node){ .kind = TREE_MAP, .place = node->place, .n = 1 };
	made->map.first = &made->wan_key;
	made->wan_key = scalar(node, "wan");
	made->wan_key.value = &made->wan;
	made->wan = (struct tree_node){ .kind = TREE_LIST, .place = node->place };
	for (size_t i = 0; i < planner->n_wans; i++) {
		made->names[i] = scalar(node, planner->wans[i]->name);
		if (i)
			made->names[i - 1].next = &made->names[i];
	}
	if (!planner->n_wans) { /* reported: the rest is still to be checked */
		made->names[0] = scalar(node, "wan");
		made->wan.n = 1;
	} else {
		made->wan.n = planner->n_wans;
	}
	made->wan.first = &made->names[0];
	if (planner->lan ||
	    (!planner->chosen && !is_relay(planner->document->mesh, node_name(node)))) {
		made->lan_key = scalar(node, "lan");
		made->lan = scalar(node, planner->lan ? planner->lan->name : "lan");
		made->lan_key.value = &made->lan;
		made->wan_key.next = &made->lan_key;
		made->map.n = 2;
	}
	return &made->root;
}

static int read_config(struct planner *planner)
{
	const struct provision_document *document = planner->document;
	struct config_part mesh = { document->source, document->name, document->mesh };
	struct config_part node = { document->source, document->name, NULL };
	struct made_node made;
	int ret;

	if (!document->node || !document->mesh)
		return 0;
	node.root = with_interfaces(planner, document->node, &made);
	ret = config_parse_nodes(&mesh, &node, planner->diags, &planner->config);
	return ret == -EINVAL ? 0 : ret;
}

static const struct key *mesh_key(const struct config *config)
{
	return config->is_relay ? &config->mesh.relays[config->self_relay].public_key
				: &config_self(config)->public_key;
}

/*
 * The key that the box will have, and whether the mesh knows it. Without a document none is made: it may be in
 * one that was bad and comes again. One that was made here, so that it could be put into the mesh, gives way to
 * the document's as long as the box has never had a configuration; after that other nodes know it.
 */
static int plan_key(struct planner *planner)
{
	const struct provision_document *document = planner->document;
	const struct provision_machine *machine = planner->machine;
	struct provision_plan *plan = planner->plan;
	const bool given = document && document->has_private_key;
	struct key key;
	char *text;
	int ret = 0;

	if (!document && !machine->private_key)
		return 0;
	plan->key_replaced = given && machine->private_key && !machine->configured &&
			     !key_equal(machine->private_key, &document->private_key);
	if (machine->private_key && !plan->key_replaced)
		key = *machine->private_key;
	else if (given)
		key = document->private_key;
	else
		key_generate(&key);
	plan->key_made = !machine->private_key && !given;
	key_public(&key, &plan->public_key);
	if (given && !key_equal(&key, &document->private_key))
		complain(planner, document->private_key_place,
			 "remove the word; or /data/netpas/private.key, if it is to be replaced",
			 "this box has another key already, and a configuration with it");
	if (!machine->private_key || plan->key_replaced) {
		text = malloc(KEY_STRLEN + 1);
		if (text) {
			key_format(&key, text);
			text[KEY_STRLEN - 1] = '\n';
		}
		ret = provision_change_add(&plan->change, "netpas/private.key", text, KEY_STRLEN,
					   0600, false);
	}
	if (planner->config && !key_equal(mesh_key(planner->config), &plan->public_key)) {
		plan->key_unknown = true;
		plan->expected_key = *mesh_key(planner->config);
		if (document->has_private_key)
			complain(
				planner, document->private_key_place,
				"'netpas pubkey' prints the public key of a private one",
				"this private key does not belong to the public key that the mesh has "
				"of this node");
	}
	key_wipe(&key);
	return ret;
}

static int plan_text(struct provision_plan *plan, const char *path, const struct config *config,
		     void (*print)(const struct config *config, FILE *out))
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return -ENOMEM;
	fprintf(out, "# By netpas-provision(8) from user data.\n");
	print(config, out);
	if (fclose(out)) {
		free(text);
		return -ENOMEM;
	}
	return provision_change_add(&plan->change, path, text, len, 0600, true);
}

static int plan_token(struct planner *planner)
{
	const struct config_web *web = planner->config->node.web;
	struct key token;
	char *text;

	if (!web || planner->machine->has_web_token || strcmp(web->token_file, "web.token"))
		return 0;
	text = malloc(KEY_STRLEN + 1);
	if (text) {
		key_generate(&token);
		key_format(&token, text);
		text[KEY_STRLEN - 1] = '\n';
		key_wipe(&token);
	}
	return provision_change_add(&planner->plan->change, "netpas/web.token", text, KEY_STRLEN,
				    0600, false);
}

static int plan_config(struct planner *planner)
{
	struct provision_plan *plan = planner->plan;
	int ret;

	if (!planner->config)
		return 0;
	strcpy(plan->node, planner->config->node.name);
	plan->configured = true;
	ret = plan_token(planner);
	if (!ret)
		ret = plan_text(plan, "netpas/mesh.yaml", planner->config, config_print_mesh);
	return ret ? ret : plan_text(plan, "netpas/node.yaml", planner->config, config_print_node);
}

/* ---- network ---- */

static const struct provision_addressing *hint_find(const struct provision_seed *seed,
						    const struct provision_nic *nic)
{
	for (size_t i = 0; i < seed->n_hints; i++) {
		if (!memcmp(seed->hints[i].mac, nic->mac, sizeof(nic->mac)))
			return &seed->hints[i].addressing;
	}
	return NULL;
}

static void add_address(struct provision_addressing *addressing, const struct ip_addr *addr,
			uint8_t len)
{
	if (addr->family && addressing->n_addresses < PROVISION_ADDRESSES_MAX)
		addressing->addresses[addressing->n_addresses++] =
			(struct provision_address){ *addr, len };
}

/* What the document says besides stays. */
static void take_hint(struct provision_addressing *addressing,
		      const struct provision_addressing *hint)
{
	const struct provision_addressing given = *addressing;

	*addressing = *hint;
	if (given.mtu)
		addressing->mtu = given.mtu;
	if (given.n_dns) {
		memcpy(addressing->dns, given.dns, sizeof(given.dns));
		addressing->n_dns = given.n_dns;
	}
	if (given.n_routes) {
		memcpy(addressing->routes, given.routes, sizeof(given.routes));
		addressing->n_routes = given.n_routes;
	}
	if (given.gateway4.family)
		addressing->gateway4 = given.gateway4;
	if (given.gateway6.family)
		addressing->gateway6 = given.gateway6;
}

/* The LAN's addresses are in the mesh. */
static void default_lan(const struct planner *planner, struct provision_addressing *addressing)
{
	const struct provision_addressing *hint = hint_find(planner->seed, planner->lan);
	const struct config *config = planner->config;

	if (config && !config->is_relay) {
		const struct config_gateway *self = config_self(config);
		const struct config_site *site = config_self_site(config);

		add_address(addressing, &self->lan4, site->lan4.len);
		add_address(addressing, &self->lan6, site->lan6.len);
	} else if (hint) {
		take_hint(addressing, hint);
	} else {
		addressing->dhcp = true;
	}
}

/* DHCP gives one address of each family, where the mesh may have more. */
static void default_wan(const struct planner *planner, const struct provision_nic *nic,
			struct provision_addressing *addressing)
{
	const struct provision_addressing *hint = hint_find(planner->seed, nic);
	const struct config_wan *wans;
	size_t n;

	if (hint)
		take_hint(addressing, hint);
	else
		addressing->dhcp = true;
	if (!planner->config || !addressing->dhcp || planner->n_wans != 1)
		return;
	wans = config_self_wans(planner->config, &n);
	for (size_t i = 0; i < n && n > 1; i++)
		add_address(addressing, &wans[i].private_addr,
			    (uint8_t)ip_bits(wans[i].private_addr.family));
}

static int plan_interface(struct planner *planner, const char *path,
			  const struct provision_nic *nic,
			  const struct provision_addressing *addressing, bool is_lan,
			  unsigned int number)
{
	const struct provision_interface interface = { nic->name, is_lan, number, addressing };
	struct provision_plan *plan = planner->plan;
	struct provision_pin *pin = &plan->change.pins[plan->change.n_pins++];
	char *text = provision_network_text(&interface);

	strcpy(pin->name, nic->name);
	memcpy(pin->mac, nic->mac, sizeof(pin->mac));
	return provision_change_add(&plan->change, path, text, text ? strlen(text) : 0, 0644, true);
}

static int plan_network(struct planner *planner)
{
	const struct provision_document *document = planner->document;
	struct provision_addressing addressing;
	char path[PROVISION_PATH_LEN];
	int ret = 0;

	if (!planner->chosen)
		return 0;
	planner->plan->change.has_pins = true;
	planner->plan->has_network = true;
	if (document->n_wan_addressing > planner->n_wans ||
	    (document->n_wan_addressing && document->n_wan_addressing < planner->n_wans))
		complain(planner, document->wan_network_place,
			 "list one addressing for each, in the order of 'interfaces'",
			 "'network' has another number of WAN interfaces than 'interfaces'");
	if (document->lan_addressing.given && !planner->lan)
		complain(planner, document->lan_network_place, "remove it",
			 "there is no LAN interface to give addresses to");
	if (planner->lan) {
		addressing = document->lan_addressing;
		if (!addressing.given)
			default_lan(planner, &addressing);
		addressing.gateway4 = addressing.gateway6 = (struct ip_addr){ 0 };
		ret = plan_interface(planner, "network/20-lan.network", planner->lan, &addressing,
				     true, 0);
	}
	for (size_t i = 0; i < planner->n_wans && i < PROVISION_WANS_MAX && !ret; i++) {
		addressing = i < document->n_wan_addressing ? document->wan_addressing[i]
							    : (struct provision_addressing){ 0 };
		if (!addressing.given)
			default_wan(planner, planner->wans[i], &addressing);
		snprintf(path, sizeof(path), "network/30-wan%zu.network", i + 1);
		ret = plan_interface(planner, path, planner->wans[i], &addressing, false,
				     (unsigned int)i);
	}
	return ret;
}

/* ---- who may log in, and what the machine is called ---- */

static int plan_login(struct planner *planner)
{
	struct provision_plan *plan = planner->plan;
	struct provision_keys keys = { 0 };
	char *text;
	int ret = 0;

	for (size_t i = 0; planner->document && i < planner->document->keys.n && !ret; i++)
		ret = provision_keys_add(&keys, planner->document->keys.lines[i],
					 strlen(planner->document->keys.lines[i]));
	for (size_t i = 0; i < planner->seed->keys.n && !ret; i++)
		ret = provision_keys_add(&keys, planner->seed->keys.lines[i],
					 strlen(planner->seed->keys.lines[i]));
	if (ret == -ENOSPC)
		ret = 0;
	if (!ret && keys.n) {
		text = provision_keys_text(&keys);
		ret = provision_change_add(&plan->change, "ssh/authorized_keys", text,
					   text ? strlen(text) : 0, 0600, true);
	}
	provision_keys_fini(&keys);
	return ret;
}

static int plan_hostname(struct planner *planner)
{
	const struct provision_document *document = planner->document;
	struct provision_plan *plan = planner->plan;
	char *text;

	strcpy(plan->hostname, document && *document->hostname ? document->hostname
			       : *plan->node		       ? plan->node
							       : planner->seed->hostname);
	if (!*plan->hostname)
		return 0;
	if (asprintf(&text, "%s\n", plan->hostname) < 0)
		text = NULL;
	return provision_change_add(&plan->change, "hostname", text, text ? strlen(text) : 0, 0644,
				    true);
}

int provision_plan_make(const struct provision_document *document,
			const struct provision_seed *seed, const struct provision_machine *machine,
			struct diag_list *diags, struct provision_plan *ret_plan)
{
	struct provision_plan plan = { 0 };
	struct planner planner = {
		.document = document,
		.seed = seed,
		.machine = machine,
		.diags = diags,
		.plan = &plan,
	};
	int ret = 0;

	if (document) {
		choose(&planner);
		ret = read_config(&planner);
	}
	if (!ret)
		ret = plan_key(&planner);
	if (!ret)
		ret = plan_login(&planner);
	if (!ret && document)
		ret = plan_network(&planner);
	if (!ret)
		ret = plan_config(&planner);
	if (!ret)
		ret = plan_hostname(&planner);
	config_free(planner.config);
	if (!ret && diag_count(diags))
		ret = -EINVAL;
	if (ret) {
		provision_plan_fini(&plan);
		return ret;
	}
	strcpy(plan.change.source, seed->source);
	strcpy(plan.change.instance, seed->instance);
	*ret_plan = plan;
	return 0;
}

void provision_plan_fini(struct provision_plan *plan)
{
	provision_change_fini(&plan->change);
}
