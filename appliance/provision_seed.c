/* SPDX-License-Identifier: GPL-2.0-only */
#include "provision_seed.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diag.h"
#include "file.h"
#include "tree.h"

void provision_seed_fini(struct provision_seed *seed)
{
	provision_keys_fini(&seed->keys);
	if (seed->user_data)
		explicit_bzero(seed->user_data, seed->user_data_len);
	free(seed->user_data);
	free(seed->network_config);
	*seed = (struct provision_seed){ 0 };
}

void provision_seed_instance(struct provision_seed *seed, const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++) {
		if (text[i] <= ' ' || text[i] > '~')
			return;
	}
	if (len < sizeof(seed->instance))
		strcpy(seed->instance, text);
}

void provision_seed_hostname(struct provision_seed *seed, const char *text)
{
	if (provision_hostname_good(text))
		strcpy(seed->hostname, text);
}

/* ---- NoCloud ---- */

static int take_key(struct provision_seed *seed, const char *text)
{
	int ret = provision_keys_add(&seed->keys, text, strlen(text));

	if (ret == -ENOMEM)
		return ret;
	seed->bad_keys += !!ret;
	return 0;
}

static int nocloud_keys(struct provision_seed *seed, const struct tree_node *value)
{
	const struct tree_node *text;
	int ret = 0;

	if (value->kind == TREE_SCALAR)
		return *value->text ? take_key(seed, value->text) : 0;
	/* A list, or a mapping of names to keys. */
	for (const struct tree_node *item = value->first; item && !ret; item = item->next) {
		text = value->kind == TREE_MAP ? item->value : item;
		if (text->kind == TREE_SCALAR)
			ret = take_key(seed, text->text);
	}
	return ret;
}

static int nocloud_words(struct provision_seed *seed, const struct tree_node *root)
{
	int ret = 0;

	if (root->kind != TREE_MAP)
		return -EINVAL;
	for (const struct tree_node *key = root->first; key && !ret; key = key->next) {
		const struct tree_node *value = key->value;

		if (key->kind != TREE_SCALAR)
			continue;
		if (!strcmp(key->text, "public-keys") || !strcmp(key->text, "public_keys"))
			ret = nocloud_keys(seed, value);
		else if (value->kind != TREE_SCALAR)
			continue;
		else if (!strcmp(key->text, "instance-id"))
			provision_seed_instance(seed, value->text);
		else if (!strcmp(key->text, "local-hostname") || !strcmp(key->text, "hostname"))
			provision_seed_hostname(seed, value->text);
	}
	return ret;
}

int provision_seed_nocloud(const char *text, size_t len, struct provision_seed *seed)
{
	struct diag_list *diags = diag_list_new();
	struct tree *tree = NULL;
	int source, ret = -ENOMEM;

	if (!diags)
		return -ENOMEM;
	source = diag_source_add(diags, "meta-data", text, len);
	if (source >= 0)
		ret = tree_parse(text, len, diags, source, &tree);
	if (!ret)
		ret = nocloud_words(seed, tree_root(tree));
	tree_free(tree);
	diag_list_free(diags);
	return ret;
}

/* ---- OpenStack ---- */

static const char *member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static int openstack_keys(struct provision_seed *seed, json_t *keys)
{
	const char *name;
	json_t *value;
	size_t i;
	int ret = 0;

	json_object_foreach(keys, name, value) if (!ret && json_is_string(value)) ret =
		provision_keys_add_text(&seed->keys, json_string_value(value), &seed->bad_keys);
	json_array_foreach(keys, i, value) if (!ret && json_is_string(value)) ret =
		provision_keys_add_text(&seed->keys, json_string_value(value), &seed->bad_keys);
	return ret;
}

int provision_seed_openstack(const char *text, size_t len, struct provision_seed *seed)
{
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	int ret;

	if (!json_is_object(root)) {
		json_decref(root);
		return -EINVAL;
	}
	provision_seed_instance(seed, member(root, "uuid"));
	provision_seed_hostname(seed, member(root, "hostname"));
	ret = openstack_keys(seed, json_object_get(root, "public_keys"));
	json_decref(root);
	return ret;
}

int provision_mask_parse(const char *text, const struct ip_addr *addr, uint8_t *ret_len)
{
	struct ip_addr mask;
	unsigned int len = 0;
	unsigned long number;
	bool ended = false;
	char *end;

	number = strtoul(text, &end, 10);
	if (*text && !*end) {
		if (!number || number > ip_bits(addr->family))
			return -EINVAL;
		*ret_len = (uint8_t)number;
		return 0;
	}
	if (ip_addr_parse(text, &mask) || mask.family != addr->family)
		return -EINVAL;
	for (unsigned int i = 0; i < ip_bits(mask.family); i++) {
		const bool bit = mask.bytes[i / 8] >> (7 - i % 8) & 1;

		if (bit && ended)
			return -EINVAL;
		ended = !bit;
		len += bit;
	}
	if (!len)
		return -EINVAL;
	*ret_len = (uint8_t)len;
	return 0;
}

static void network_dns(struct provision_addressing *addressing, const json_t *server)
{
	struct ip_addr addr;

	if (!ip_addr_parse(member(server, "address"), &addr) &&
	    addressing->n_dns < PROVISION_DNS_MAX)
		addressing->dns[addressing->n_dns++] = addr;
}

static void network_route(struct provision_addressing *addressing, const json_t *json)
{
	struct provision_route route = { 0 };
	struct ip_addr to;

	if (ip_addr_parse(member(json, "network"), &to) ||
	    ip_addr_parse(member(json, "gateway"), &route.via) || route.via.family != to.family)
		return;
	route.to.addr = to;
	/* A netmask of zeros is the default route. */
	if (provision_mask_parse(member(json, "netmask"), &to, &route.to.len)) {
		for (size_t i = 0; i < sizeof(to.bytes); i++) {
			if (to.bytes[i])
				return;
		}
		if (to.family == IP_V4)
			addressing->gateway4 = route.via;
		else
			addressing->gateway6 = route.via;
		return;
	}
	if (addressing->n_routes < PROVISION_ROUTES_MAX)
		addressing->routes[addressing->n_routes++] = route;
}

/* One entry of "networks": what it adds to the interface. */
static void network_add(struct provision_addressing *addressing, const json_t *network)
{
	const char *type = member(network, "type"), *address = member(network, "ip_address");
	const json_t *list;
	struct provision_address parsed;
	json_t *value;
	size_t i;

	if (!strncmp(type, "ipv4_dhcp", 9) || !strncmp(type, "ipv6_dhcp", 9) ||
	    !strncmp(type, "ipv6_slaac", 10)) {
		addressing->given = true;
		addressing->dhcp = true;
		return;
	}
	if ((strchr(address, '/') && !provision_address_parse(address, &parsed)) ||
	    (!ip_addr_parse(address, &parsed.addr) &&
	     !provision_mask_parse(member(network, "netmask"), &parsed.addr, &parsed.len))) {
		addressing->given = true;
		if (addressing->n_addresses < PROVISION_ADDRESSES_MAX)
			addressing->addresses[addressing->n_addresses++] = parsed;
	}
	list = json_object_get(network, "routes");
	json_array_foreach(list, i, value) network_route(addressing, value);
	list = json_object_get(network, "services");
	json_array_foreach(list, i, value) if (!strcmp(member(value, "type"), "dns"))
		network_dns(addressing, value);
}

int provision_seed_network(const char *text, size_t len, struct provision_seed *seed)
{
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *links, *networks, *services;
	struct provision_hint *hint;
	json_t *link, *value;
	size_t i, k;

	if (!json_is_object(root)) {
		json_decref(root);
		return -EINVAL;
	}
	links = json_object_get(root, "links");
	networks = json_object_get(root, "networks");
	services = json_object_get(root, "services");
	json_array_foreach(links, i, link)
	{
		hint = &seed->hints[seed->n_hints];
		*hint = (struct provision_hint){ 0 };
		if (provision_mac_parse(member(link, "ethernet_mac_address"), hint->mac) ||
		    !*member(link, "id"))
			continue;
		json_array_foreach(networks, k,
				   value) if (!strcmp(member(value, "link"), member(link, "id")))
			network_add(&hint->addressing, value);
		json_array_foreach(services, k, value) if (!strcmp(member(value, "type"), "dns"))
			network_dns(&hint->addressing, value);
		if (hint->addressing.given && ++seed->n_hints == PROVISION_HINTS_MAX)
			break;
	}
	json_decref(root);
	return 0;
}

/* ---- directories ---- */

int provision_file_read(const char *path, char **ret_text, size_t *ret_len)
{
	return file_load(path, 0, PROVISION_TEXT_MAX, ret_text, ret_len);
}

/* 0, also if the file is not there, or -errno with a reason. */
static int read_with(const char *dir, const char *name,
		     int (*parse)(const char *text, size_t len, struct provision_seed *seed),
		     struct provision_seed *seed, char reason[static PROVISION_REASON_LEN])
{
	char path[PATH_MAX], *text;
	size_t len;
	int ret;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	ret = provision_file_read(path, &text, &len);
	if (ret == -ENOENT)
		return 0;
	if (ret) {
		snprintf(reason, PROVISION_REASON_LEN, "%s: %s", name, strerror(-ret));
		return ret;
	}
	ret = parse(text, len, seed);
	free(text);
	if (ret == -EINVAL)
		snprintf(reason, PROVISION_REASON_LEN, "%s is damaged", name);
	else if (ret)
		snprintf(reason, PROVISION_REASON_LEN, "%s: %s", name, strerror(-ret));
	return ret;
}

/* Likewise. */
static int read_text(const char *dir, const char *name, char **text, size_t *len,
		     char reason[static PROVISION_REASON_LEN])
{
	char path[PATH_MAX];
	int ret;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	ret = provision_file_read(path, text, len);
	if (ret && ret != -ENOENT)
		snprintf(reason, PROVISION_REASON_LEN, "%s: %s", name, strerror(-ret));
	return ret == -ENOENT ? 0 : ret;
}

static bool has_file(const char *dir, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return !access(path, F_OK);
}

int provision_seed_read_nocloud(const char *dir, struct provision_seed *seed,
				char reason[static PROVISION_REASON_LEN])
{
	int ret;

	if (!has_file(dir, "user-data") && !has_file(dir, "meta-data"))
		return -ENODATA;
	ret = read_text(dir, "user-data", &seed->user_data, &seed->user_data_len, reason);
	if (!ret)
		ret = read_text(dir, "network-config", &seed->network_config,
				&seed->network_config_len, reason);
	if (ret)
		return ret;
	/* What is in it is nice to have; the user data counts. */
	return read_with(dir, "meta-data", provision_seed_nocloud, seed, reason) == -ENOMEM
		       ? -ENOMEM
		       : 0;
}

int provision_seed_read_config_drive(const char *dir, struct provision_seed *seed,
				     char reason[static PROVISION_REASON_LEN])
{
	char sub[PATH_MAX - 32];
	int ret;

	snprintf(sub, sizeof(sub), "%s/openstack/latest", dir);
	if (!has_file(sub, "meta_data.json") && !has_file(sub, "user_data"))
		return -ENODATA;
	ret = read_text(sub, "user_data", &seed->user_data, &seed->user_data_len, reason);
	if (!ret)
		ret = read_with(sub, "meta_data.json", provision_seed_openstack, seed, reason);
	if (!ret)
		ret = read_with(sub, "network_data.json", provision_seed_network, seed, reason);
	return ret;
}
