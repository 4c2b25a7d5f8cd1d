/* SPDX-License-Identifier: GPL-2.0-only */
#include "provision_document.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_parse.h"
#include "hex.h"
#include "tree.h"

#define N_WORDS(words) (sizeof(words) / sizeof((words)[0]))

bool provision_hostname_good(const char *text)
{
	size_t len = strlen(text), label = 0;

	if (!len || len > PROVISION_HOSTNAME_LEN)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '.' ? !label || text[i - 1] == '-' || i + 1 == len
				   : !isalnum((unsigned char)text[i]) && (text[i] != '-' || !label))
			return false;
		label = text[i] == '.' ? 0 : label + 1;
		if (label > 63)
			return false;
	}
	return text[len - 1] != '-';
}

int provision_mac_parse(const char *text, uint8_t ret_mac[static PROVISION_MAC_LEN])
{
	uint8_t mac[PROVISION_MAC_LEN];

	if (strlen(text) != PROVISION_MAC_LEN * 3 - 1)
		return -EINVAL;
	for (size_t i = 0; i < PROVISION_MAC_LEN; i++) {
		const char *at = text + 3 * i;
		int high = hex_digit(at[0]), low = hex_digit(at[1]);

		if (high < 0 || low < 0 || (at[2] && at[2] != ':' && at[2] != '-'))
			return -EINVAL;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(ret_mac, mac, sizeof(mac));
	return 0;
}

int provision_address_parse(const char *text, struct provision_address *ret_address)
{
	const char *slash = strchr(text, '/');
	char addr[IP_ADDR_STRLEN];
	struct provision_address address;
	unsigned long len;
	char *end;

	if (!slash || (size_t)(slash - text) >= sizeof(addr) || !isdigit((unsigned char)slash[1]))
		return -EINVAL;
	memcpy(addr, text, (size_t)(slash - text));
	addr[slash - text] = '\0';
	len = strtoul(slash + 1, &end, 10);
	if (*end || ip_addr_parse(addr, &address.addr) || !len ||
	    len > ip_bits(address.addr.family))
		return -EINVAL;
	address.len = (uint8_t)len;
	*ret_address = address;
	return 0;
}

/* ---- words ---- */

static void read_hostname(struct config_file *file, const struct tree_node *value, void *object)
{
	struct provision_document *document = object;
	const char *text;

	if (!config_read_text(file, value, "hostname", &text))
		return;
	if (provision_hostname_good(text))
		strcpy(document->hostname, text);
	else
		config_error(file, &value->place, "letters, digits and '-', with dots between",
			     "hostname " CONFIG_QUOTE " is none", text);
}

static void read_keys(struct config_file *file, const struct tree_node *value, void *object)
{
	struct provision_document *document = object;
	const char *text, *fault;
	int ret;

	if (!config_read_list(file, value, "ssh_authorized_keys", 0, PROVISION_KEYS_MAX))
		return;
	for (const struct tree_node *item = value->first; item; item = item->next) {
		if (!config_read_text(file, item, "SSH key", &text))
			continue;
		ret = provision_keys_add(&document->keys, text, strlen(text));
		fault = provision_key_fault(text, strlen(text));
		if (ret == -EINVAL)
			config_error(file, &item->place, fault, "this is no SSH public key");
		else if (ret == -ENOMEM)
			file->no_memory = true;
	}
}

/* Object: a struct provision_pick. */
static void read_pick_mac(struct config_file *file, const struct tree_node *value, void *object)
{
	struct provision_pick *pick = object;
	const char *text;

	if (!config_read_text(file, value, "mac", &text))
		return;
	if (!provision_mac_parse(text, pick->mac))
		pick->by_mac = true;
	else
		config_error(file, &value->place, "write it as \"52:54:00:12:34:56\"",
			     CONFIG_QUOTE " is not a MAC address", text);
}

static void read_pick_order(struct config_file *file, const struct tree_node *value, void *object)
{
	struct provision_pick *pick = object;

	(void)config_read_number(file, value, "order", 1, 64, &pick->order);
}

static void read_pick_name(struct config_file *file, const struct tree_node *value, void *object)
{
	struct provision_pick *pick = object;

	(void)config_read_ifname(file, value, pick->name);
}

static const struct config_word pick_words[] = {
	{ "mac", false, read_pick_mac },
	{ "order", false, read_pick_order },
	{ "name", false, read_pick_name },
};

static void read_pick(struct config_file *file, const struct tree_node *value,
		      struct provision_pick *pick)
{
	pick->place = value->place;
	if (!config_read_words(file, value, "interface", pick_words, N_WORDS(pick_words), pick))
		return;
	if (value->n != 1)
		config_error(file, &value->place,
			     "{mac: \"52:54:00:12:34:56\"}, {order: 1} or {name: eth0}",
			     "an interface is given by one of 'mac', 'order' and 'name'");
}

static void read_interface_lan(struct config_file *file, const struct tree_node *value,
			       void *object)
{
	struct provision_document *document = object;

	document->has_lan = true;
	read_pick(file, value, &document->lan);
}

static void read_interface_wan(struct config_file *file, const struct tree_node *value,
			       void *object)
{
	struct provision_document *document = object;

	/* One interface is what most have: no need of a list. */
	if (value->kind == TREE_MAP) {
		read_pick(file, value, &document->wans[document->n_wans++]);
		return;
	}
	if (!config_read_list(file, value, "wan", 1, PROVISION_WANS_MAX))
		return;
	for (const struct tree_node *item = value->first;
	     item && document->n_wans < PROVISION_WANS_MAX; item = item->next)
		read_pick(file, item, &document->wans[document->n_wans++]);
}

static const struct config_word interface_words[] = {
	{ "lan", false, read_interface_lan },
	{ "wan", true, read_interface_wan },
};

static void read_interfaces(struct config_file *file, const struct tree_node *value, void *object)
{
	struct provision_document *document = object;

	document->interfaces_place = value->place;
	document->has_interfaces = config_read_words(file, value, "interfaces", interface_words,
						     N_WORDS(interface_words), object);
}

/* ---- addressing: the object is one ---- */

static void read_dhcp(struct config_file *file, const struct tree_node *value, void *object)
{
	static const char *const choices[] = { "no", "yes" };
	struct provision_addressing *addressing = object;
	unsigned int choice;

	if (config_read_choice(file, value, "dhcp", choices, 2, &choice))
		addressing->dhcp = choice;
}

static void read_addresses(struct config_file *file, const struct tree_node *value, void *object)
{
	struct provision_addressing *addressing = object;
	struct provision_address address;
	struct tree_node bare;
	const char *text;
	char *slash, copy[IP_PREFIX_STRLEN];

	if (!config_read_list(file, value, "addresses", 1, PROVISION_ADDRESSES_MAX))
		return;
	for (const struct tree_node *item = value->first; item; item = item->next) {
		if (!config_read_text(file, item, "address", &text))
			continue;
		if (provision_address_parse(text, &address)) {
			config_error(file, &item->place,
				     "write address/length, such as 192.0.2.10/24",
				     "address " CONFIG_QUOTE " is none", text);
			continue;
		}
		/* For what it says of addresses that make no sense. */
		snprintf(copy, sizeof(copy), "%s", text);
		slash = strchr(copy, '/');
		*slash = '\0';
		bare = (struct tree_node){ .kind = TREE_SCALAR,
					   .place = item->place,
					   .text = copy };
		if (config_read_addr(file, &bare, "address", CONFIG_REFUSE_ALL, &address.addr) &&
		    addressing->n_addresses < PROVISION_ADDRESSES_MAX)
			addressing->addresses[addressing->n_addresses++] = address;
	}
}

static void add_gateway(struct config_file *file, const struct tree_node *item,
			struct provision_addressing *addressing)
{
	struct ip_addr addr, *slot;

	/* A link-local gateway is usual with IPv6. */
	if (!config_read_addr(file, item, "gateway", CONFIG_REFUSE_ALL & ~CONFIG_REFUSE_LINK_LOCAL,
			      &addr))
		return;
	slot = addr.family == IP_V4 ? &addressing->gateway4 : &addressing->gateway6;
	if (slot->family)
		config_error(file, &item->place, "keep one",
			     "a second default gateway of the same family");
	else
		*slot = addr;
}

static void read_gateway(struct config_file *file, const struct tree_node *value, void *object)
{
	if (value->kind == TREE_SCALAR) {
		add_gateway(file, value, object);
		return;
	}
	if (!config_read_list(file, value, "gateway", 1, 2))
		return;
	for (const struct tree_node *item = value->first; item; item = item->next)
		add_gateway(file, item, object);
}

static void read_dns(struct config_file *file, const struct tree_node *value, void *object)
{
	struct provision_addressing *addressing = object;

	if (!config_read_list(file, value, "dns", 0, PROVISION_DNS_MAX))
		return;
	for (const struct tree_node *item = value->first;
	     item && addressing->n_dns < PROVISION_DNS_MAX; item = item->next) {
		if (config_read_addr(file, item, "DNS server",
				     CONFIG_REFUSE_ALL & ~CONFIG_REFUSE_LINK_LOCAL,
				     &addressing->dns[addressing->n_dns]))
			addressing->n_dns++;
	}
}

static void read_route_to(struct config_file *file, const struct tree_node *value, void *object)
{
	struct provision_route *route = object;

	(void)config_read_prefix(file, value, "destination",
				 CONFIG_REFUSE_ALL & ~CONFIG_REFUSE_LINK_LOCAL, &route->to);
}

static void read_route_via(struct config_file *file, const struct tree_node *value, void *object)
{
	struct provision_route *route = object;

	(void)config_read_addr(file, value, "next hop",
			       CONFIG_REFUSE_ALL & ~CONFIG_REFUSE_LINK_LOCAL, &route->via);
}

static const struct config_word route_words[] = {
	{ "to", true, read_route_to },
	{ "via", true, read_route_via },
};

static void read_routes(struct config_file *file, const struct tree_node *value, void *object)
{
	struct provision_addressing *addressing = object;
	struct provision_route *route;

	if (!config_read_list(file, value, "routes", 0, PROVISION_ROUTES_MAX))
		return;
	for (const struct tree_node *item = value->first;
	     item && addressing->n_routes < PROVISION_ROUTES_MAX; item = item->next) {
		route = &addressing->routes[addressing->n_routes];
		if (!config_read_words(file, item, "route", route_words, N_WORDS(route_words),
				       route) ||
		    !route->to.addr.family || !route->via.family)
			continue;
		if (route->to.addr.family != route->via.family)
			config_error(file, &item->place, NULL,
				     "destination and next hop are of different families");
		else
			addressing->n_routes++;
	}
}

static void read_mtu(struct config_file *file, const struct tree_node *value, void *object)
{
	struct provision_addressing *addressing = object;
	unsigned int number;

	if (config_read_number(file, value, "mtu", 1280, 9216, &number))
		addressing->mtu = (uint16_t)number;
}

static const struct config_word addressing_words[] = {
	{ "dhcp", false, read_dhcp },	    { "addresses", false, read_addresses },
	{ "gateway", false, read_gateway }, { "dns", false, read_dns },
	{ "routes", false, read_routes },   { "mtu", false, read_mtu },
};

static void read_addressing(struct config_file *file, const struct tree_node *value,
			    struct provision_addressing *addressing)
{
	addressing->given = true;
	if (value->kind == TREE_SCALAR && !strcmp(value->text, "dhcp")) {
		addressing->dhcp = true;
		return;
	}
	if (value->kind == TREE_SCALAR) {
		config_error(file, &value->place, "write 'dhcp', or {addresses: [192.0.2.10/24]}",
			     CONFIG_QUOTE " does not say how an interface gets addresses",
			     value->text);
		return;
	}
	if (!config_read_words(file, value, "addressing", addressing_words,
			       N_WORDS(addressing_words), addressing))
		return;
	for (const struct tree_node *key = value->first; key; key = key->next) {
		if (key->kind == TREE_SCALAR &&
		    (!strcmp(key->text, "addresses") || !strcmp(key->text, "dhcp")))
			return;
	}
	/* MTU, DNS or routes alone leave the way to addresses to the default. */
	addressing->given = false;
}

static void read_network_lan(struct config_file *file, const struct tree_node *value, void *object)
{
	struct provision_document *document = object;

	document->lan_network_place = value->place;
	read_addressing(file, value, &document->lan_addressing);
	if (document->lan_addressing.gateway4.family || document->lan_addressing.gateway6.family)
		config_error(file, &value->place,
			     "write 'routes' for what is behind the LAN; sites' subnets need none",
			     "there is no default route by the LAN");
}

static void read_network_wan(struct config_file *file, const struct tree_node *value, void *object)
{
	struct provision_document *document = object;

	document->wan_network_place = value->place;
	if (value->kind != TREE_LIST) {
		read_addressing(file, value, &document->wan_addressing[0]);
		document->n_wan_addressing = 1;
		return;
	}
	document->wan_is_list = true;
	if (!config_read_list(file, value, "wan", 1, PROVISION_WANS_MAX))
		return;
	for (const struct tree_node *item = value->first;
	     item && document->n_wan_addressing < PROVISION_WANS_MAX; item = item->next)
		read_addressing(file, item,
				&document->wan_addressing[document->n_wan_addressing++]);
}

static const struct config_word network_words[] = {
	{ "lan", false, read_network_lan },
	{ "wan", false, read_network_wan },
};

static void read_network(struct config_file *file, const struct tree_node *value, void *object)
{
	struct provision_document *document = object;

	document->network_place = value->place;
	(void)config_read_words(file, value, "network", network_words, N_WORDS(network_words),
				object);
}

/* What is in them is for config_parse_nodes(). */
static bool is_mapping(struct config_file *file, const struct tree_node *value, const char *word)
{
	if (value->kind == TREE_MAP)
		return true;
	if (value->kind != TREE_BROKEN)
		config_error(file, &value->place,
			     "indent the lines of the file below the word, without '|'",
			     "'%s' must be a mapping: the content of %s.yaml", word, word);
	return false;
}

static void read_node(struct config_file *file, const struct tree_node *value, void *object)
{
	struct provision_document *document = object;

	if (is_mapping(file, value, "node"))
		document->node = value;
}

static void read_mesh(struct config_file *file, const struct tree_node *value, void *object)
{
	struct provision_document *document = object;

	if (is_mapping(file, value, "mesh"))
		document->mesh = value;
}

static void read_private_key(struct config_file *file, const struct tree_node *value, void *object)
{
	struct provision_document *document = object;
	const char *text;
	struct key key;

	if (!config_read_text(file, value, "private_key", &text))
		return;
	if (key_parse(text, &key) || key_is_zero(&key)) {
		config_error(file, &value->place,
			     "'netpas keygen' makes one; without it the box makes its own",
			     "not a private key: 44 characters of base64 are");
		return;
	}
	document->private_key = key;
	document->has_private_key = true;
	document->private_key_place = value->place;
	key_wipe(&key);
}

static const struct config_word document_words[] = {
	{ "hostname", false, read_hostname },
	{ "ssh_authorized_keys", false, read_keys },
	{ "interfaces", false, read_interfaces },
	{ "network", false, read_network },
	{ "node", false, read_node },
	{ "mesh", false, read_mesh },
	{ "private_key", false, read_private_key },
};

static void read_netpas(struct config_file *file, const struct tree_node *root,
			struct provision_document *document)
{
	const struct tree_node *word = NULL;

	if (!config_read_words(file, root, "the document", document_words, N_WORDS(document_words),
			       document))
		return;
	for (const struct tree_node *key = root->first; key; key = key->next) {
		if (key->kind == TREE_SCALAR &&
		    (!strcmp(key->text, "node") || !strcmp(key->text, "mesh")))
			word = key;
	}
	if (word && !document->node != !document->mesh)
		config_error(file, &word->place,
			     "give both, or neither and the files later over SSH",
			     "'node' and 'mesh' come together");
}

/* Of what cloud-init knows, what makes a machine reachable; the rest is not for an appliance. */
static void read_cloud_config(struct config_file *file, const struct tree_node *root,
			      struct provision_document *document)
{
	size_t at = 0;

	if (root->kind != TREE_MAP) {
		config_error(file, &root->place, NULL, "a cloud-config is a mapping");
		return;
	}
	for (const struct tree_node *key = root->first; key; key = key->next) {
		if (key->kind != TREE_SCALAR)
			continue;
		if (!strcmp(key->text, "hostname"))
			read_hostname(file, key->value, document);
		else if (!strcmp(key->text, "ssh_authorized_keys"))
			read_keys(file, key->value, document);
		else if (at + strlen(key->text) + 3 < sizeof(document->ignored))
			at += (size_t)snprintf(document->ignored + at,
					       sizeof(document->ignored) - at, "%s%s",
					       at ? ", " : "", key->text);
	}
}

int provision_document_parse(struct provision_part *part, struct diag_list *diags,
			     struct provision_document **ret_document)
{
	struct provision_document *document = calloc(1, sizeof(*document));
	struct config_file file = { .diags = diags };
	int ret = -ENOMEM;

	if (!document)
		return -ENOMEM;
	if (part->number)
		snprintf(document->name, sizeof(document->name), "user data, part %u",
			 part->number);
	else
		strcpy(document->name, "user data");
	document->source = diag_source_add(diags, document->name, part->text, part->len);
	if (document->source < 0)
		goto fail;
	ret = tree_parse(part->text, part->len, diags, document->source, &document->tree);
	provision_text_mask(part->text, part->len); /* the tree has a copy, messages quote this */
	if (ret)
		goto fail;
	file.source = document->source;
	file.name = document->name;
	if (part->kind == PROVISION_NETPAS)
		read_netpas(&file, tree_root(document->tree), document);
	else
		read_cloud_config(&file, tree_root(document->tree), document);
	config_file_fini(&file);
	ret = -ENOMEM;
	if (file.no_memory)
		goto fail;
	*ret_document = document;
	return 0;
fail:
	provision_document_free(document);
	return ret;
}

void provision_document_free(struct provision_document *document)
{
	if (!document)
		return;
	provision_keys_fini(&document->keys);
	tree_free(document->tree);
	key_wipe(&document->private_key);
	free(document);
}
