/* SPDX-License-Identifier: GPL-2.0-only */
/* The section "web" of node.yaml: where the page and the metrics are had, and by whom. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_parse.h"

#define N_WORDS(words) (sizeof(words) / sizeof((words)[0]))

static const char default_token[] = "web.token";

void config_web_free(struct config_web *web)
{
	if (!web)
		return;
	free(web->allow);
	free(web->token_file);
	key_wipe(&web->token);
	free(web);
}

bool config_web_same(const struct config_web *a, const struct config_web *b)
{
	if (!a || !b)
		return a == b;
	/* The rest is in the canonical form of the node. */
	return key_equal(&a->token, &b->token);
}

static bool is_loopback(const struct ip_addr *addr)
{
	static const struct ip_addr loopback6 = { .family = IP_V6, .bytes = { [15] = 1 } };

	return (addr->family == IP_V4 && addr->bytes[0] == 127) ||
	       !ip_addr_compare(addr, &loopback6);
}

bool config_web_is_local(const struct config_web *web)
{
	return (web->listen4.family == IP_NONE || is_loopback(&web->listen4)) &&
	       (web->listen6.family == IP_NONE || is_loopback(&web->listen6));
}

static void read_listen(struct config_file *file, const struct tree_node *value, void *object)
{
	const unsigned int refuse = CONFIG_REFUSE_UNSPECIFIED | CONFIG_REFUSE_LINK_LOCAL |
				    CONFIG_REFUSE_MULTICAST | CONFIG_REFUSE_BROADCAST |
				    CONFIG_REFUSE_MAPPED;
	struct config_web *web = object;

	if (!config_read_list(file, value, "listen", 1, 2))
		return;
	for (const struct tree_node *item = value->first; item; item = item->next) {
		struct ip_addr addr, *field;

		if (!config_read_addr(file, item, "address to listen on", refuse, &addr))
			continue;
		field = addr.family == IP_V6 ? &web->listen6 : &web->listen4;
		if (field->family != IP_NONE) {
			config_error(file, &item->place, "one IPv4 and one IPv6 address at most",
				     "this is a second %s address to listen on",
				     addr.family == IP_V6 ? "IPv6" : "IPv4");
			config_note(file, config_mark_find(file, field), "first here");
			continue;
		}
		*field = addr;
		config_mark_add(file, field, item);
	}
}

static void read_interface(struct config_file *file, const struct tree_node *value, void *object)
{
	struct config_web *web = object;

	if (config_read_ifname(file, value, web->interface))
		config_mark_add(file, web->interface, value);
}

static void read_port(struct config_file *file, const struct tree_node *value, void *object)
{
	struct config_web *web = object;
	unsigned int port;

	if (config_read_number(file, value, "port", 1, 65535, &port))
		web->port = (uint16_t)port;
}

static void read_allow(struct config_file *file, const struct tree_node *value, void *object)
{
	const unsigned int refuse = CONFIG_REFUSE_LINK_LOCAL | CONFIG_REFUSE_MULTICAST |
				    CONFIG_REFUSE_BROADCAST | CONFIG_REFUSE_MAPPED;
	struct config_web *web = object;

	if (!config_read_list(file, value, "allow", 1, CONFIG_WEB_ALLOW_MAX) ||
	    value->n > CONFIG_WEB_ALLOW_MAX)
		return;
	web->allow = config_array(file, value->n, sizeof(*web->allow));
	if (!web->allow)
		return;
	for (const struct tree_node *item = value->first; item; item = item->next) {
		struct ip_prefix *prefix = &web->allow[web->n_allow];

		if (!config_read_prefix(file, item, "prefix", refuse, prefix))
			continue;
		config_mark_add(file, prefix, item);
		for (size_t i = 0; i < web->n_allow; i++) {
			if (ip_prefix_compare(prefix, &web->allow[i]))
				continue;
			config_error(file, &item->place, "remove one of them",
				     "this prefix is listed twice");
			config_note(file, config_mark_find(file, &web->allow[i]), "first here");
			break;
		}
		web->n_allow++;
	}
	config_mark_add(file, &web->allow, value);
}

static void read_token(struct config_file *file, const struct tree_node *value, void *object)
{
	struct config_web *web = object;
	const char *text;

	if (!config_read_text(file, value, "token", &text))
		return;
	free(web->token_file);
	web->token_file = strdup(text);
	if (!web->token_file)
		file->no_memory = true;
	config_mark_add(file, &web->token_file, value);
}

static const struct config_word words[] = {
	{ "listen", false, read_listen }, { "interface", false, read_interface },
	{ "port", false, read_port },	  { "allow", true, read_allow },
	{ "token", false, read_token },
};

void config_web_read(struct config_file *file, const struct tree_node *value,
		     struct config_node *node)
{
	struct config_web *web = config_array(file, 1, sizeof(*web));

	if (!web)
		return;
	web->port = CONFIG_WEB_PORT;
	web->token_file = strdup(default_token);
	if (!web->token_file)
		file->no_memory = true;
	config_web_free(node->web);
	node->web = web;
	config_mark_add(file, node->web, value);
	(void)config_read_words(file, value, "web", words, N_WORDS(words), web);
}

static bool allows_family(const struct config_web *web, uint8_t family)
{
	for (size_t i = 0; i < web->n_allow; i++)
		if (web->allow[i].addr.family == family)
			return true;
	return false;
}

/* What was not said, of a node that is in the mesh. */
static void take_defaults(struct config_file *file, const struct config *config)
{
	struct config_web *web = config->node.web;
	const struct config_gateway *self = config_self(config);

	if (web->listen4.family != IP_NONE || web->listen6.family != IP_NONE)
		return;
	if (!self) {
		config_error(file, config_mark_find(file, web),
			     "write 'listen' with an address of a management interface",
			     "'%s' is a relay, and has no LAN address to listen on",
			     config->node.name);
		return;
	}
	if (allows_family(web, IP_V4))
		web->listen4 = self->lan4;
	if (allows_family(web, IP_V6))
		web->listen6 = self->lan6;
	if (web->n_allow && web->listen4.family == IP_NONE && web->listen6.family == IP_NONE)
		config_error(file, config_mark_find(file, &web->allow),
			     "list prefixes of the family that the LAN has",
			     "nobody of these reaches the LAN address of '%s'", config->node.name);
}

static void check_address(struct config_file *file, const struct config *config,
			  const struct ip_addr *addr)
{
	const struct diag_place *place = config_mark_find(file, addr);
	const struct config_web *web = config->node.web;
	const struct config_wan *wans;
	char text[IP_ADDR_STRLEN];
	size_t n;

	if (!place)
		return;
	ip_addr_format(addr, text);
	wans = config_self_wans(config, &n);
	for (size_t i = 0; i < n; i++) {
		if (ip_addr_compare(&wans[i].public_addr, addr) &&
		    ip_addr_compare(&wans[i].private_addr, addr))
			continue;
		config_error(file, place,
			     "write an address of the LAN or of a management interface",
			     "%s is a WAN address, and the page is not for the Internet", text);
		return;
	}
	if (web->n_allow && !allows_family(web, addr->family))
		config_error(file, place, "list such a prefix, or remove the address",
			     "'allow' has no %s prefix, so nobody reaches %s",
			     addr->family == IP_V6 ? "IPv6" : "IPv4", text);
}

static bool is_lan_address(const struct config *config, const struct ip_addr *addr)
{
	const struct config_gateway *self = config_self(config);

	return self && (!ip_addr_compare(addr, &self->lan4) || !ip_addr_compare(addr, &self->lan6));
}

/* By which interface requests come: the LAN's, unless another one is named. */
static void check_interface(struct config_file *file, const struct config *config)
{
	const struct config_node *node = &config->node;
	struct config_web *web = node->web;
	const struct ip_addr *listen[] = { &web->listen4, &web->listen6 };
	const struct diag_place *place = config_mark_find(file, web->interface);
	char text[IP_ADDR_STRLEN];

	for (size_t i = 0; place && i < node->n_wans; i++)
		if (!strcmp(web->interface, node->wans[i]))
			config_error(
				file, place, "name a management interface, or the LAN's",
				"'%s' is a WAN interface, and the page is not for the Internet",
				web->interface);
	if (place || config_web_is_local(web))
		return;
	for (size_t i = 0; i < 2; i++) {
		place = config_mark_find(file, listen[i]);
		if (!place || is_loopback(listen[i]) || is_lan_address(config, listen[i]))
			continue;
		config_error(file, place, "name it: 'interface: eth2'",
			     "%s is no LAN address of this node: by which interface is it reached?",
			     ip_addr_format(listen[i], text));
		return;
	}
	memcpy(web->interface, node->lan, sizeof(web->interface));
}

void config_web_check(struct config_file *file, const struct config *config)
{
	const struct config_web *web = config->node.web;

	take_defaults(file, config);
	check_address(file, config, &web->listen4);
	check_address(file, config, &web->listen6);
	check_interface(file, config);
}

void config_web_token(struct config_file *file, const char *path, const struct key *private_key,
		      struct config_web *web)
{
	const struct diag_place *place = config_mark_find(file, &web->token_file);
	char help[256];
	int rc = key_file_read(path, &web->token);

	if (!place)
		place = config_mark_find(file, web);
	switch (rc) {
	case 0:
		if (key_equal(&web->token, private_key))
			config_error(file, place, "make one of its own: 'netpas keygen web.token'",
				     "%.200s is this node's private key, and browsers are told the "
				     "token",
				     path);
		break;
	case -ENOENT:
		snprintf(help, sizeof(help), "'netpas keygen %.200s' makes one", path);
		config_error(file, place, help, "there is no token file %.200s", path);
		break;
	case -EPERM:
		snprintf(help, sizeof(help), "chmod 600 %.200s", path);
		config_error(file, place, help, "token file %.200s is open to group or others",
			     path);
		break;
	case -EUCLEAN:
		snprintf(help, sizeof(help), "chown root %.200s", path);
		config_error(file, place, help, "token file %.200s belongs to another user", path);
		break;
	case -EINVAL:
		config_error(file, place,
			     "a token file holds 44 characters of base64, as of 'netpas keygen'",
			     "%.200s does not hold a token", path);
		break;
	default:
		config_error(file, place, NULL, "cannot read token file %.200s: %s", path,
			     strerror(-rc));
	}
}
