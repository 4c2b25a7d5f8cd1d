/* SPDX-License-Identifier: GPL-2.0-only */
/* The words of node.yaml's section "cloud". Which of them there are depends on the provider. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/cloud.h"
#include "config_parse.h"

#define N_WORDS(words) (sizeof(words) / sizeof((words)[0]))
#define ID_MAX 128
#define TEXT_MAX 512

struct cloud_reader {
	struct cloud_config *cloud;
	const struct cloud_rules *rules; /* NULL: the provider is not known */
	const struct tree_node *section;
};

/* What may be in words that are identifiers; nothing of it has a meaning in a URL or in JSON. */
static bool is_id(const char *text)
{
	const size_t len = strlen(text);

	return len && len <= ID_MAX &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       len &&
	       *text != '.' && *text != '-';
}

/* Keys go there, so it is encrypted, or does not leave this machine; or is plain where that is usual. */
static bool is_url(const char *text, bool plain)
{
	static const char *const local[] = { "127.0.0.1", "[::1]" };
	const size_t len = strlen(text);
	const char *host;

	if (len > TEXT_MAX || strcspn(text, "\"'<>\\^`{|}?#@%") != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] <= 0x20 || (unsigned char)text[i] >= 0x7f)
			return false;
	if (!strncmp(text, "https://", 8))
		return text[8] && text[8] != '/';
	if (strncmp(text, "http://", 7))
		return false;
	host = text + 7;
	for (size_t i = 0; i < N_WORDS(local) && !plain; i++)
		plain = !strncmp(host, local[i], strlen(local[i])) &&
			strchr(":/", host[strlen(local[i])]);
	return plain && *host && *host != '/';
}

static bool read_copy(struct config_file *file, const struct tree_node *value, const char *text,
		      char **field)
{
	char *copy = strdup(text);

	if (!copy) {
		file->no_memory = true;
		return false;
	}
	free(*field);
	*field = copy;
	config_mark_add(file, field, value);
	return true;
}

static bool read_id(struct config_file *file, const struct tree_node *value, const char *what,
		    const char *prefix, char **field)
{
	const char *text;
	char help[96];

	if (!config_read_text(file, value, what, &text))
		return false;
	if (!is_id(text)) {
		config_error(file, &value->place,
			     "letters, digits, '.', '_' and '-' are used there",
			     "%s " CONFIG_QUOTE " is not an identifier", what, text);
		return false;
	}
	if (prefix && strncmp(text, prefix, strlen(prefix))) {
		snprintf(help, sizeof(help), "it begins with '%s'", prefix);
		config_error(file, &value->place, help,
			     "%s " CONFIG_QUOTE " is not one of this provider's", what, text);
		return false;
	}
	return read_copy(file, value, text, field);
}

static void list_words(unsigned int words, char *buf, size_t size)
{
	size_t at = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < CLOUD_WORD_MAX && at < size; i++)
		if (words >> i & 1)
			at += (size_t)snprintf(buf + at, size - at, "%s%s", at ? ", " : "",
					       cloud_word_names[i]);
}

static void read_word(struct config_file *file, const struct tree_node *value,
		      struct cloud_reader *reader, enum cloud_word word)
{
	const char *what = cloud_word_names[word], *text;
	char **field = &reader->cloud->words[word];
	char help[256];

	if (reader->rules && !(reader->rules->allowed >> word & 1)) {
		list_words(reader->rules->allowed, help, sizeof(help));
		config_error(file, &value->place, help, "provider %s has no '%s'",
			     cloud_provider_names[reader->cloud->provider], what);
		return;
	}
	switch (word) {
	case CLOUD_WORD_IDENTITY:
	case CLOUD_WORD_ENDPOINT:
	case CLOUD_WORD_METADATA:
		if (!config_read_text(file, value, what, &text))
			return;
		if (!is_url(text, word == CLOUD_WORD_METADATA)) {
			config_error(file, &value->place,
				     word == CLOUD_WORD_METADATA
					     ? "such as http://169.254.169.254"
					     : "such as https://api.example.net",
				     "%s " CONFIG_QUOTE " is not a URL that can be used here", what,
				     text);
			return;
		}
		(void)read_copy(file, value, text, field);
		if (*field && (*field)[strlen(*field) - 1] == '/')
			(*field)[strlen(*field) - 1] = '\0';
		return;
	case CLOUD_WORD_CREDENTIALS:
	case CLOUD_WORD_CA:
		if (!config_read_text(file, value, what, &text))
			return;
		if (*text != '/' || strlen(text) > TEXT_MAX) {
			config_error(file, &value->place, "write the whole path, from '/' on",
				     "%s " CONFIG_QUOTE " is not an absolute path", what, text);
			return;
		}
		(void)read_copy(file, value, text, field);
		return;
	case CLOUD_WORD_INTERFACE:
	case CLOUD_WORD_PARTNER:
		(void)read_id(file, value, what,
			      reader->rules ? reader->rules->interface_prefix : NULL, field);
		return;
	case CLOUD_WORD_REGION:
	case CLOUD_WORD_SUBSCRIPTION:
	case CLOUD_WORD_GROUP:
	case CLOUD_WORD_PROJECT:
	case CLOUD_WORD_NETWORK:
	case CLOUD_WORD_FENCE:
	case CLOUD_WORD_MAX:
		break;
	}
	(void)read_id(file, value, what, NULL, field);
}

#define READER(name, word)                                                               \
	static void read_##name(struct config_file *file, const struct tree_node *value, \
				void *object)                                            \
	{                                                                                \
		read_word(file, value, object, CLOUD_WORD_##word);                       \
	}

READER(region, REGION)
READER(subscription, SUBSCRIPTION)
READER(group, GROUP)
READER(project, PROJECT)
READER(network, NETWORK)
READER(interface, INTERFACE)
READER(partner, PARTNER)
READER(fence, FENCE)
READER(identity, IDENTITY)
READER(endpoint, ENDPOINT)
READER(metadata, METADATA)
READER(credentials, CREDENTIALS)
READER(ca, CA)

static void read_provider(struct config_file *file, const struct tree_node *value, void *object)
{
	struct cloud_reader *reader = object;
	unsigned int choice;

	if (!config_read_choice(file, value, "provider", cloud_provider_names, CLOUD_PROVIDER_MAX,
				&choice))
		return;
	reader->cloud->provider = choice;
	reader->rules = &cloud_rules[choice];
}

/* ---- what is moved ---- */

static void read_table(struct config_file *file, const struct tree_node *value, void *object)
{
	struct cloud_item *item = object;

	(void)read_id(file, value, "table", NULL, &item->id);
}

static void read_prefix(struct config_file *file, const struct tree_node *value, void *object)
{
	struct cloud_item *item = object;
	char text[IP_PREFIX_STRLEN];
	struct ip_prefix prefix;

	if (config_read_prefix(file, value, "prefix", CONFIG_REFUSE_ALL, &prefix))
		(void)read_copy(file, value, ip_prefix_format(&prefix, text), &item->prefix);
}

static const struct config_word table_words[] = {
	{ "table", true, read_table },
	{ "prefix", true, read_prefix },
};

static const struct config_word prefix_words[] = {
	{ "prefix", true, read_prefix },
};

static void read_route(struct config_file *file, const struct tree_node *node,
		       const struct cloud_reader *reader, struct cloud_item *item)
{
	const bool tables = !reader->rules || reader->cloud->provider != CLOUD_GCP;
	const char *prefix = reader->rules ? reader->rules->table_prefix : NULL;
	const struct diag_place *place;
	char help[64];

	(void)config_read_words(file, node, "entry of 'routes'",
				tables ? table_words : prefix_words, tables ? 2 : 1, item);
	place = config_mark_find(file, &item->id);
	if (place && prefix && strncmp(item->id, prefix, strlen(prefix))) {
		snprintf(help, sizeof(help), "it begins with '%s'", prefix);
		config_error(file, place, help,
			     "table " CONFIG_QUOTE " is not one of this provider's", item->id);
	}
	place = config_mark_find(file, &item->prefix);
	if (place && strchr(item->prefix, ':') && reader->rules && !reader->rules->ipv6_routes)
		config_error(file, place, NULL, "provider %s moves no IPv6 routes",
			     cloud_provider_names[reader->cloud->provider]);
}

static void read_address(struct config_file *file, const struct tree_node *node,
			 struct cloud_item *item)
{
	char text[IP_ADDR_STRLEN];
	struct ip_addr addr;

	if (!config_read_addr(file, node, "address", CONFIG_REFUSE_ALL, &addr))
		return;
	if (addr.family != IP_V4)
		config_error(file, &node->place, NULL, "address %s is IPv6; clouds move IPv4 ones",
			     ip_addr_format(&addr, text));
	else
		(void)read_copy(file, node, ip_addr_format(&addr, text), &item->id);
}

static void read_items(struct config_file *file, const struct tree_node *value,
		       struct cloud_reader *reader, enum cloud_kind kind)
{
	const char *what = cloud_kind_names[kind];
	struct cloud_config *cloud = reader->cloud;

	if (reader->rules && !(reader->rules->kinds >> kind & 1)) {
		config_error(file, &value->place, NULL, "provider %s does not move '%s'",
			     cloud_provider_names[cloud->provider], what);
		return;
	}
	if (!config_read_list(file, value, what, 1, CLOUD_ITEMS_MAX) || value->n > CLOUD_ITEMS_MAX)
		return;
	if (cloud->n_items + value->n > CLOUD_ITEMS_MAX) {
		config_error(file, &value->place, NULL, "more than %d things to move",
			     CLOUD_ITEMS_MAX);
		return;
	}
	for (const struct tree_node *node = value->first; node; node = node->next) {
		struct cloud_item *item = &cloud->items[cloud->n_items++];

		item->kind = kind;
		switch (kind) {
		case CLOUD_ROUTE:
			read_route(file, node, reader, item);
			break;
		case CLOUD_ADDRESS:
			read_address(file, node, item);
			break;
		case CLOUD_PUBLIC:
			(void)read_id(file, node, "public address",
				      reader->rules ? reader->rules->public_prefix : NULL,
				      &item->id);
			break;
		case CLOUD_HAVIP:
			(void)read_id(file, node, "HaVip",
				      reader->rules ? reader->rules->havip_prefix : NULL,
				      &item->id);
			break;
		case CLOUD_KIND_MAX:
			break;
		}
	}
}

static void read_routes(struct config_file *file, const struct tree_node *value, void *object)
{
	read_items(file, value, object, CLOUD_ROUTE);
}

static void read_addresses(struct config_file *file, const struct tree_node *value, void *object)
{
	read_items(file, value, object, CLOUD_ADDRESS);
}

static void read_public(struct config_file *file, const struct tree_node *value, void *object)
{
	read_items(file, value, object, CLOUD_PUBLIC);
}

static void read_havips(struct config_file *file, const struct tree_node *value, void *object)
{
	read_items(file, value, object, CLOUD_HAVIP);
}

static void read_verify(struct config_file *file, const struct tree_node *value, void *object)
{
	struct cloud_reader *reader = object;
	unsigned int ms;

	if (config_read_duration(file, value, "verify", 1000, 600000, 1, &ms))
		reader->cloud->verify_ms = ms;
}

/* The provider first: it says what the others may be. */
static const struct config_word cloud_words[] = {
	{ "provider", true, read_provider },
	{ "region", false, read_region },
	{ "subscription", false, read_subscription },
	{ "group", false, read_group },
	{ "project", false, read_project },
	{ "network", false, read_network },
	{ "interface", false, read_interface },
	{ "partner", false, read_partner },
	{ "fence", false, read_fence },
	{ "identity", false, read_identity },
	{ "endpoint", false, read_endpoint },
	{ "metadata", false, read_metadata },
	{ "credentials", false, read_credentials },
	{ "ca", false, read_ca },
	{ "routes", false, read_routes },
	{ "addresses", false, read_addresses },
	{ "public", false, read_public },
	{ "havips", false, read_havips },
	{ "verify", false, read_verify },
};

static bool mentions(const struct tree_node *section, const char *word)
{
	for (const struct tree_node *key = section->first; key; key = key->next)
		if (key->kind == TREE_SCALAR && !strcmp(key->text, word))
			return true;
	return false;
}

static void check_required(struct config_file *file, const struct cloud_reader *reader)
{
	unsigned int kinds = 0, listed = 0;
	char help[128];
	size_t at = 0;

	for (size_t i = 0; i < CLOUD_WORD_MAX; i++)
		if ((reader->rules->required >> i & 1) &&
		    !mentions(reader->section, cloud_word_names[i]))
			config_error(file, &reader->section->place, NULL,
				     "cloud of provider %s lacks '%s'",
				     cloud_provider_names[reader->cloud->provider],
				     cloud_word_names[i]);
	for (size_t i = 0; i < CLOUD_KIND_MAX; i++) {
		if (mentions(reader->section, cloud_kind_names[i]))
			listed |= 1u << i;
		if (!(reader->rules->kinds >> i & 1))
			continue;
		kinds |= 1u << i;
		at += (size_t)snprintf(help + at, sizeof(help) - at, "%s%s", at ? ", " : "list ",
				       cloud_kind_names[i]);
	}
	if (!listed)
		config_error(file, &reader->section->place, help, "cloud has nothing to move");
	else if (listed == 1u << CLOUD_ADDRESS &&
		 (reader->rules->allowed >> CLOUD_WORD_FENCE & 1) &&
		 !mentions(reader->section, cloud_word_names[CLOUD_WORD_FENCE]))
		config_error(
			file, &reader->section->place,
			"name a resource that can be tagged, such as the subnet, and the same on "
			"both gateways",
			"cloud with addresses alone lacks 'fence'");
}

static bool item_same(const struct cloud_item *a, const struct cloud_item *b)
{
	return a->kind == b->kind && !strcmp(a->id ? a->id : "", b->id ? b->id : "") &&
	       !strcmp(a->prefix ? a->prefix : "", b->prefix ? b->prefix : "");
}

/* NULL: not all of it is there, or good. */
static const struct diag_place *item_place(struct config_file *file, const struct cloud_item *item)
{
	return item->kind == CLOUD_ROUTE ? config_mark_find(file, &item->prefix)
					 : config_mark_find(file, &item->id);
}

static void check_twice(struct config_file *file, const struct cloud_config *cloud)
{
	for (size_t i = 0; i < cloud->n_items; i++) {
		const struct diag_place *place = item_place(file, &cloud->items[i]);

		for (size_t j = 0; place && j < i; j++) {
			if (!item_place(file, &cloud->items[j]) ||
			    !item_same(&cloud->items[i], &cloud->items[j]))
				continue;
			config_error(file, place, "remove one of them", "this is listed twice");
			config_note(file, item_place(file, &cloud->items[j]), "first here");
			break;
		}
	}
}

void config_cloud_read(struct config_file *file, const struct tree_node *value,
		       struct config_node *node)
{
	struct cloud_config *cloud = calloc(1, sizeof(*cloud));
	struct cloud_reader reader = { .cloud = cloud, .section = value };

	if (cloud)
		cloud->items = calloc(CLOUD_ITEMS_MAX, sizeof(*cloud->items));
	if (!cloud || !cloud->items) {
		free(cloud);
		file->no_memory = true;
		return;
	}
	cloud->verify_ms = CLOUD_VERIFY_MS;
	cloud_config_free(node->cloud); /* of a key that was there twice, and reported */
	node->cloud = cloud;
	if (!config_read_words(file, value, "cloud", cloud_words, N_WORDS(cloud_words), &reader) ||
	    !reader.rules)
		return;
	check_required(file, &reader);
	check_twice(file, cloud);
}

static bool is_vip(const struct config_site *site, const char *text)
{
	struct ip_addr addr;

	if (ip_addr_parse(text, &addr))
		return false;
	for (size_t i = 0; i < site->n_vips; i++)
		if (!ip_addr_compare(&site->vips[i], &addr))
			return true;
	return false;
}

void config_cloud_check(struct config_file *file, struct config *config)
{
	struct cloud_config *cloud = config->node.cloud;
	const struct config_site *site = config_self_site(config);
	const struct config_gateway *self = config_self(config);
	char text[IP_ADDR_STRLEN];

	snprintf(cloud->site, sizeof(cloud->site), "%s", site->name);
	snprintf(cloud->node, sizeof(cloud->node), "%s", config->node.name);
	if (self->lan4.family)
		cloud->next_hop4 = strdup(ip_addr_format(&self->lan4, text));
	if (self->lan6.family)
		cloud->next_hop6 = strdup(ip_addr_format(&self->lan6, text));
	if ((self->lan4.family && !cloud->next_hop4) || (self->lan6.family && !cloud->next_hop6))
		file->no_memory = true;
	for (size_t i = 0; i < cloud->n_items; i++) {
		const struct cloud_item *item = &cloud->items[i];
		const struct diag_place *place = item_place(file, item);

		if (item->kind == CLOUD_ADDRESS && place && !is_vip(site, item->id))
			config_error(file, place,
				     "write one of the 'vips' of the site, or add it there",
				     "address %s is not a VIP of site '%s'", item->id, site->name);
		if (item->kind == CLOUD_ROUTE && place && item->prefix &&
		    !(strchr(item->prefix, ':') ? self->lan6.family : self->lan4.family))
			config_error(
				file, place, NULL,
				"route %s has no next hop: '%s' has no LAN address of its family",
				item->prefix, config->node.name);
	}
}
