/* SPDX-License-Identifier: GPL-2.0-only */
/* The configuration of an adapter: its words, what a provider takes, its way to netpas-cloud. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "adapter.h"

const char *const cloud_provider_names[CLOUD_PROVIDER_MAX] = {
	[CLOUD_AWS] = "aws",	     [CLOUD_AZURE] = "azure",	  [CLOUD_GCP] = "gcp",
	[CLOUD_ALIBABA] = "alibaba", [CLOUD_TENCENT] = "tencent", [CLOUD_OPENSTACK] = "openstack",
};

const char *const cloud_word_names[CLOUD_WORD_MAX] = {
	[CLOUD_WORD_REGION] = "region",
	[CLOUD_WORD_SUBSCRIPTION] = "subscription",
	[CLOUD_WORD_GROUP] = "group",
	[CLOUD_WORD_PROJECT] = "project",
	[CLOUD_WORD_NETWORK] = "network",
	[CLOUD_WORD_INTERFACE] = "interface",
	[CLOUD_WORD_PARTNER] = "partner",
	[CLOUD_WORD_FENCE] = "fence",
	[CLOUD_WORD_IDENTITY] = "identity",
	[CLOUD_WORD_ENDPOINT] = "endpoint",
	[CLOUD_WORD_METADATA] = "metadata",
	[CLOUD_WORD_CREDENTIALS] = "credentials",
	[CLOUD_WORD_CA] = "ca",
};

const char *const cloud_kind_names[CLOUD_KIND_MAX] = {
	[CLOUD_ROUTE] = "routes",
	[CLOUD_ADDRESS] = "addresses",
	[CLOUD_PUBLIC] = "public",
	[CLOUD_HAVIP] = "havips",
};

#define WORD(w) (1u << CLOUD_WORD_##w)
#define KIND(k) (1u << CLOUD_##k)
#define ALWAYS (WORD(ENDPOINT) | WORD(METADATA) | WORD(CREDENTIALS) | WORD(CA))

const struct cloud_rules cloud_rules[CLOUD_PROVIDER_MAX] = {
	[CLOUD_AWS] = {
		.required = WORD(REGION) | WORD(INTERFACE),
		.allowed = WORD(REGION) | WORD(INTERFACE) | WORD(FENCE) | ALWAYS,
		.kinds = KIND(ROUTE) | KIND(ADDRESS) | KIND(PUBLIC),
		.ipv6_routes = true,
		.table_prefix = "rtb-",
		.interface_prefix = "eni-",
		.public_prefix = "eipalloc-",
	},
	[CLOUD_AZURE] = {
		.required = WORD(SUBSCRIPTION) | WORD(GROUP),
		.allowed = WORD(SUBSCRIPTION) | WORD(GROUP) | WORD(IDENTITY) | ALWAYS,
		.kinds = KIND(ROUTE),
		.ipv6_routes = true,
	},
	[CLOUD_GCP] = {
		.required = WORD(PROJECT) | WORD(NETWORK),
		.allowed = WORD(PROJECT) | WORD(NETWORK) | WORD(ENDPOINT) | WORD(METADATA) | WORD(CA),
		.kinds = KIND(ROUTE),
	},
	[CLOUD_ALIBABA] = {
		.required = WORD(REGION) | WORD(INTERFACE),
		.allowed = WORD(REGION) | WORD(INTERFACE) | WORD(PARTNER) | WORD(FENCE) | ALWAYS,
		.kinds = KIND(ROUTE) | KIND(HAVIP),
		.ipv6_routes = true,
		.table_prefix = "vtb-",
		.interface_prefix = "eni-",
		.havip_prefix = "havip-",
	},
	[CLOUD_TENCENT] = {
		.required = WORD(REGION) | WORD(INTERFACE) | WORD(PARTNER),
		.allowed = WORD(REGION) | WORD(INTERFACE) | WORD(PARTNER) | ALWAYS,
		.kinds = KIND(ROUTE) | KIND(ADDRESS) | KIND(HAVIP),
		.table_prefix = "rtb-",
		.interface_prefix = "eni-",
		.havip_prefix = "havip-",
	},
	[CLOUD_OPENSTACK] = {
		.required = WORD(IDENTITY) | WORD(CREDENTIALS) | WORD(INTERFACE) | WORD(PARTNER),
		.allowed = WORD(IDENTITY) | WORD(CREDENTIALS) | WORD(INTERFACE) | WORD(PARTNER) |
			   WORD(REGION) | WORD(ENDPOINT) | WORD(CA),
		.kinds = KIND(ADDRESS),
	},
};

const char *cloud_string(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

void cloud_config_free(struct cloud_config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < CLOUD_WORD_MAX; i++)
		free(config->words[i]);
	for (size_t i = 0; i < config->n_items; i++) {
		free(config->items[i].id);
		free(config->items[i].prefix);
	}
	free(config->items);
	free(config->next_hop4);
	free(config->next_hop6);
	free(config);
}

json_t *cloud_config_pack(const struct cloud_config *config)
{
	json_t *words = json_object(), *items = json_array();

	for (size_t i = 0; i < CLOUD_WORD_MAX; i++)
		if (config->words[i])
			json_object_set_new(words, cloud_word_names[i],
					    json_string(config->words[i]));
	for (size_t i = 0; i < config->n_items; i++)
		json_array_append_new(items, json_pack("{s:s, s:s?, s:s?}", "kind",
						       cloud_kind_names[config->items[i].kind],
						       "id", config->items[i].id, "prefix",
						       config->items[i].prefix));
	return json_pack("{s:s, s:o, s:o, s:i, s:s, s:s, s:s?, s:s?}", "provider",
			 cloud_provider_names[config->provider], "words", words, "items", items,
			 "verify_ms", (int)config->verify_ms, "site", config->site, "node",
			 config->node, "next_hop4", config->next_hop4, "next_hop6",
			 config->next_hop6);
}

static int find_name(const char *const names[], size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return (int)i;
	return -1;
}

/* false: there is a value and no memory for it. */
static bool copy(json_t *json, const char *key, char **ret_text)
{
	const char *text = json_string_value(json_object_get(json, key));

	*ret_text = text ? strdup(text) : NULL;
	return !text || *ret_text;
}

static int unpack_items(json_t *items, struct cloud_config *config)
{
	const size_t n = json_array_size(items);

	if (!n || n > CLOUD_ITEMS_MAX)
		return -EBADMSG;
	config->items = calloc(n, sizeof(*config->items));
	if (!config->items)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		json_t *item = json_array_get(items, i);
		const int kind =
			find_name(cloud_kind_names, CLOUD_KIND_MAX, cloud_string(item, "kind"));

		if (kind < 0)
			return -EBADMSG;
		config->items[i].kind = (enum cloud_kind)kind;
		config->n_items++;
		if (!copy(item, "id", &config->items[i].id) ||
		    !copy(item, "prefix", &config->items[i].prefix))
			return -ENOMEM;
		if (kind == CLOUD_ROUTE ? !config->items[i].prefix : !config->items[i].id)
			return -EBADMSG;
	}
	return 0;
}

int cloud_config_unpack(json_t *json, struct cloud_config **ret_config)
{
	struct cloud_config *config = calloc(1, sizeof(*config));
	const int provider =
		find_name(cloud_provider_names, CLOUD_PROVIDER_MAX, cloud_string(json, "provider"));
	const json_int_t verify_ms = json_integer_value(json_object_get(json, "verify_ms"));
	const char *site = cloud_string(json, "site"), *node = cloud_string(json, "node");
	bool good;
	int rc;

	if (!config)
		return -ENOMEM;
	rc = -EBADMSG;
	if (provider < 0 || verify_ms < 1000 || verify_ms > 3600000 || !*site || !*node ||
	    strlen(site) >= CLOUD_NAME_MAX || strlen(node) >= CLOUD_NAME_MAX)
		goto err;
	config->provider = (enum cloud_provider)provider;
	config->verify_ms = (uint32_t)verify_ms;
	strcpy(config->site, site);
	strcpy(config->node, node);
	good = copy(json, "next_hop4", &config->next_hop4) &&
	       copy(json, "next_hop6", &config->next_hop6);
	for (size_t i = 0; good && i < CLOUD_WORD_MAX; i++)
		good = copy(json_object_get(json, "words"), cloud_word_names[i], &config->words[i]);
	rc = good ? unpack_items(json_object_get(json, "items"), config) : -ENOMEM;
	for (size_t i = 0; !rc && i < CLOUD_WORD_MAX; i++)
		if ((cloud_rules[provider].required >> i & 1) && !config->words[i])
			rc = -EBADMSG;
	if (rc)
		goto err;
	*ret_config = config;
	return 0;

err:
	cloud_config_free(config);
	return rc;
}
