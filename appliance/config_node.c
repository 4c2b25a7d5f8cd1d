/* SPDX-License-Identifier: GPL-2.0-only */
/* The words of node.yaml, and whether this node is one of the mesh. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_parse.h"
#include "word.h"

#define N_WORDS(words) (sizeof(words) / sizeof((words)[0]))

const char *const config_dataplane_names[CONFIG_DATAPLANE_MAX] = {
	[CONFIG_DATAPLANE_AUTO] = "auto",	[CONFIG_DATAPLANE_NATIVE] = "native",
	[CONFIG_DATAPLANE_GENERIC] = "generic", [CONFIG_DATAPLANE_TC] = "tc",
	[CONFIG_DATAPLANE_OFF] = "off",
};
const char *const config_drills_names[CONFIG_DRILLS_MAX] = {
	[CONFIG_DRILLS_REVERSIBLE] = "reversible",
	[CONFIG_DRILLS_ALL] = "all",
	[CONFIG_DRILLS_OFF] = "off",
};

/* The node that is being read, and what it is, as far as its name has told. */
struct node_reader {
	struct config *config;
	struct config_node *node;
	bool is_gateway, is_relay; /* neither: not known */
};

/* Finds this node in the mesh by its name. */
static bool find_self(struct config *config)
{
	const struct config_mesh *mesh = &config->mesh;
	const char *name = config->node.name;

	if (!*name)
		return false;
	for (size_t s = 0; s < mesh->n_sites; s++) {
		const struct config_site *site = &mesh->sites[s];

		for (size_t g = 0; g < site->n_gateways; g++) {
			if (strcmp(site->gateways[g].name, name))
				continue;
			config->self_site = s;
			config->self_gateway = g;
			return true;
		}
	}
	for (size_t r = 0; r < mesh->n_relays; r++) {
		if (strcmp(mesh->relays[r].name, name))
			continue;
		config->is_relay = true;
		config->self_relay = r;
		config->self_site = SIZE_MAX; /* none: equal to no site */
		config->self_gateway = SIZE_MAX;
		return true;
	}
	return false;
}

static void read_name(struct config_file *file, const struct tree_node *value, void *object)
{
	struct node_reader *reader = object;

	if (!config_read_name(file, value, "node name", reader->node->name) ||
	    !find_self(reader->config))
		return;
	reader->is_relay = reader->config->is_relay;
	reader->is_gateway = !reader->is_relay;
}

static void read_key(struct config_file *file, const struct tree_node *value, void *object)
{
	const struct node_reader *reader = object;
	struct config_node *node = reader->node;
	const char *text;
	char *copy;

	if (!config_read_text(file, value, "key", &text))
		return;
	copy = strdup(text);
	if (!copy) {
		file->no_memory = true;
		return;
	}
	free(node->key_file);
	node->key_file = copy;
	config_mark_add(file, &node->key_file, value);
}

static void read_interface_lan(struct config_file *file, const struct tree_node *value,
			       void *object)
{
	const struct node_reader *reader = object;

	if (reader->is_relay)
		config_error(file, &value->place,
			     "remove 'lan': a relay passes tunnels on from WAN to WAN, unread",
			     "'%s' is a relay, and a relay has no LAN", reader->node->name);
	else
		(void)config_read_ifname(file, value, reader->node->lan);
}

/* More interfaces than any machine has: what follows compares each with each. */
#define WANS_MAX 64

static void read_interface_wan(struct config_file *file, const struct tree_node *value,
			       void *object)
{
	const struct node_reader *reader = object;
	struct config_node *node = reader->node;

	if (!config_read_list(file, value, "wan", 1, WANS_MAX) || value->n > WANS_MAX)
		return;
	node->wans = config_array(file, value->n, sizeof(*node->wans));
	if (!node->wans)
		return;
	for (const struct tree_node *item = value->first; item; item = item->next) {
		char *name = node->wans[node->n_wans++];

		if (!config_read_ifname(file, item, name))
			continue;
		if (!strcmp(name, node->lan)) {
			config_error(file, &item->place, "they are two networks",
				     "interface '%s' is both LAN and WAN", name);
			config_note(file, config_mark_find(file, node->lan), "the LAN here");
			continue;
		}
		for (size_t i = 0; i + 1 < node->n_wans; i++) {
			if (strcmp(name, node->wans[i]))
				continue;
			config_error(file, &item->place, "remove one of them",
				     "interface '%s' is listed twice", name);
			config_note(file, config_mark_find(file, node->wans[i]), "first here");
			break;
		}
	}
}

static const struct config_word interface_words[] = {
	{ "lan", false, read_interface_lan },
	{ "wan", true, read_interface_wan },
};

static const struct config_word gateway_interface_words[] = {
	{ "lan", true, read_interface_lan },
	{ "wan", true, read_interface_wan },
};

static void read_interfaces(struct config_file *file, const struct tree_node *value, void *object)
{
	const struct node_reader *reader = object;

	(void)config_read_words(file, value, "interfaces",
				reader->is_gateway ? gateway_interface_words : interface_words,
				N_WORDS(interface_words), object);
}

static void read_engine(struct config_file *file, const struct tree_node *value, void *object)
{
	const struct node_reader *reader = object;
	unsigned int choice;

	if (reader->is_relay)
		config_error(file, &value->place, "remove 'engine': no tunnel ends at a relay",
			     "'%s' is a relay, and a relay has no engine", reader->node->name);
	else if (config_read_choice(file, value, "engine", config_engine_names, CONFIG_ENGINE_MAX,
				    &choice))
		reader->node->engine = choice;
}

static void read_dataplane(struct config_file *file, const struct tree_node *value, void *object)
{
	const struct node_reader *reader = object;
	unsigned int choice;

	if (!config_read_choice(file, value, "dataplane", config_dataplane_names,
				CONFIG_DATAPLANE_MAX, &choice))
		return;
	if (reader->is_relay && choice == CONFIG_DATAPLANE_OFF)
		config_error(file, &value->place, "stop netpasd on it, or take it out of the mesh",
			     "'%s' is a relay, and would pass nothing on without a data plane",
			     reader->node->name);
	else
		reader->node->dataplane = choice;
}

static void read_drills(struct config_file *file, const struct tree_node *value, void *object)
{
	const struct node_reader *reader = object;
	unsigned int choice;

	if (reader->is_relay)
		config_error(file, &value->place, "remove 'drills'",
			     "'%s' is a relay, and only gateways are drilled", reader->node->name);
	else if (config_read_choice(file, value, "drills", config_drills_names, CONFIG_DRILLS_MAX,
				    &choice))
		reader->node->drills = choice;
}

static void read_allow_from(struct config_file *file, const struct tree_node *value, void *object)
{
	struct config_allow *allow = object;
	const unsigned int refuse = CONFIG_REFUSE_LOOPBACK | CONFIG_REFUSE_MULTICAST |
				    CONFIG_REFUSE_BROADCAST | CONFIG_REFUSE_MAPPED;

	if (config_read_prefix(file, value, "source", refuse, &allow->from))
		config_mark_add(file, &allow->from, value);
}

static void read_allow_port(struct config_file *file, const struct tree_node *value,
			    struct config_allow *allow, enum config_proto proto)
{
	unsigned int number;

	if (!config_read_number(file, value, proto == CONFIG_PROTO_TCP ? "tcp port" : "udp port", 1,
				65535, &number))
		return;
	allow->proto = proto;
	allow->port = (uint16_t)number;
	config_mark_add(file, &allow->port, value);
}

static void read_allow_tcp(struct config_file *file, const struct tree_node *value, void *object)
{
	read_allow_port(file, value, object, CONFIG_PROTO_TCP);
}

static void read_allow_udp(struct config_file *file, const struct tree_node *value, void *object)
{
	read_allow_port(file, value, object, CONFIG_PROTO_UDP);
}

static const struct config_word allow_words[] = {
	{ "from", true, read_allow_from },
	{ "tcp", false, read_allow_tcp },
	{ "udp", false, read_allow_udp },
};

/* One of tcp and udp, not both, not none. */
static void check_allow_proto(struct config_file *file, const struct tree_node *item)
{
	const struct tree_node *seen = NULL;

	for (const struct tree_node *key = item->first; key; key = key->next) {
		if (key->kind != TREE_SCALAR ||
		    (strcmp(key->text, "tcp") && strcmp(key->text, "udp")))
			continue;
		if (seen && strcmp(key->text, seen->text)) {
			config_error(file, &key->place, "write an entry for each",
				     "both 'tcp' and 'udp' in one entry of 'allow'");
			return;
		}
		seen = key;
	}
	if (!seen)
		config_error(file, &item->place, "say which port, such as 'tcp: 22'",
			     "entry of 'allow' lacks 'tcp' or 'udp'");
}

static void read_allow(struct config_file *file, const struct tree_node *value, void *object)
{
	const struct node_reader *reader = object;
	struct config_node *node = reader->node;

	if (!config_read_list(file, value, "allow", 0, SIZE_MAX))
		return;
	node->allow = config_array(file, value->n, sizeof(*node->allow));
	if (!node->allow)
		return;
	for (const struct tree_node *item = value->first; item; item = item->next) {
		if (config_read_words(file, item, "entry of 'allow'", allow_words,
				      N_WORDS(allow_words), &node->allow[node->n_allow++]))
			check_allow_proto(file, item);
	}
}

static void read_lan_probe(struct config_file *file, const struct tree_node *value, void *object)
{
	const struct node_reader *reader = object;
	struct config_node *node = reader->node;

	if (reader->is_relay) {
		config_error(file, &value->place, "remove 'lan_probe'",
			     "'%s' is a relay, and a relay has no LAN", reader->node->name);
		return;
	}
	if (!config_read_list(file, value, "lan_probe", 0, CONFIG_LAN_PROBES_MAX) ||
	    value->n > CONFIG_LAN_PROBES_MAX)
		return;
	node->lan_probes = config_array(file, value->n, sizeof(*node->lan_probes));
	if (!node->lan_probes)
		return;
	for (const struct tree_node *item = value->first; item; item = item->next) {
		struct ip_addr *addr = &node->lan_probes[node->n_lan_probes++];

		if (config_read_addr(file, item, "address to probe", CONFIG_REFUSE_ALL, addr))
			config_mark_add(file, addr, item);
	}
}

static void read_cloud(struct config_file *file, const struct tree_node *value, void *object)
{
	const struct node_reader *reader = object;

	if (reader->is_relay)
		config_error(file, &value->place, "remove 'cloud': a relay has no role",
			     "'%s' is a relay, and nothing moves to it", reader->node->name);
	else
		config_cloud_read(file, value, reader->node);
}

static void read_web(struct config_file *file, const struct tree_node *value, void *object)
{
	const struct node_reader *reader = object;

	config_web_read(file, value, reader->node);
}

/* In this order: the name tells what the rest may be; WAN interfaces are compared with the LAN's. */
static const struct config_word node_words[] = {
	{ "node", true, read_name },
	{ "key", false, read_key },
	{ "interfaces", true, read_interfaces },
	{ "engine", false, read_engine },
	{ "dataplane", false, read_dataplane },
	{ "drills", false, read_drills },
	{ "allow", false, read_allow },
	{ "lan_probe", false, read_lan_probe },
	{ "cloud", false, read_cloud },
	{ "web", false, read_web },
};

void config_node_read(struct config_file *file, const struct tree_node *root,
		      const struct config_file *mesh_file, struct config *config)
{
	struct node_reader reader = {
		.config = config,
		.node = &config->node,
		/* A node of any other name, or of none, is a gateway where there are no relays. */
		.is_gateway = !mesh_file->broken && !config->mesh.n_relays,
	};

	file->broken = !config_read_words(file, root, "the file", node_words, N_WORDS(node_words),
					  &reader);
}

static int allow_compare(const void *a, const void *b)
{
	const struct config_allow *const *l = a, *const *r = b;
	int ret = ip_prefix_compare(&(*l)->from, &(*r)->from);

	if (!ret)
		ret = (int)(*l)->proto - (int)(*r)->proto;
	if (!ret)
		ret = (int)(*l)->port - (int)(*r)->port;
	if (!ret)
		ret = *l < *r ? -1 : *l > *r;
	return ret;
}

static void check_allow(struct config_file *file, const struct config_node *node)
{
	const struct config_allow **sorted;
	size_t n = 0;

	sorted = config_array(file, node->n_allow, sizeof(*sorted));
	if (!sorted)
		return;
	for (size_t i = 0; i < node->n_allow; i++) {
		if (config_mark_find(file, &node->allow[i].from) &&
		    config_mark_find(file, &node->allow[i].port))
			sorted[n++] = &node->allow[i];
	}
	qsort(sorted, n, sizeof(*sorted), allow_compare);
	for (size_t i = 1; i < n; i++) {
		if (ip_prefix_compare(&sorted[i]->from, &sorted[i - 1]->from) ||
		    sorted[i]->proto != sorted[i - 1]->proto ||
		    sorted[i]->port != sorted[i - 1]->port)
			continue;
		config_error(file, config_mark_find(file, &sorted[i]->from), "remove one of them",
			     "this is allowed already");
		config_note(file, config_mark_find(file, &sorted[i - 1]->from), "first here");
	}
	free(sorted);
}

/* An address that proves nothing about the LAN, or that is asked anyway: why; else NULL. */
static const char *useless_probe(const struct config *config, const struct ip_addr *addr)
{
	const struct config_site *site = config_self_site(config);
	const struct config_gateway *self = config_self(config);

	if (!ip_addr_compare(addr, &self->lan4) || !ip_addr_compare(addr, &self->lan6))
		return "it is this gateway's own address";
	for (size_t i = 0; i < site->n_vips; i++)
		if (!ip_addr_compare(addr, &site->vips[i]))
			return "it is a VIP, which this gateway may hold itself";
	for (size_t i = 0; i < site->n_gateways; i++)
		if (!ip_addr_compare(addr, &site->gateways[i].lan4) ||
		    !ip_addr_compare(addr, &site->gateways[i].lan6))
			return "the other gateway is asked anyway";
	return NULL;
}

static void check_lan_probes(struct config_file *file, struct config_file *mesh_file,
			     const struct config *config)
{
	const struct config_site *site = config_self_site(config);
	const struct config_node *node = &config->node;
	char text[IP_ADDR_STRLEN];

	for (size_t i = 0; i < node->n_lan_probes; i++) {
		const struct ip_addr *addr = &node->lan_probes[i];
		const struct ip_prefix *lan = addr->family == IP_V6 ? &site->lan6 : &site->lan4;
		const struct diag_place *place = config_mark_find(file, addr);
		const char *why;

		if (!place)
			continue;
		ip_addr_format(addr, text);
		why = useless_probe(config, addr);
		if (why)
			config_error(file, place, "remove it, or write another host of the LAN",
				     "address to probe %s: %s", text, why);
		else if (config_mark_find(mesh_file, lan) && !ip_prefix_has_addr(lan, addr))
			config_error(file, place, "only what is on the LAN itself tells of it",
				     "address to probe %s is not on the LAN of site '%s'", text,
				     site->name);
		for (size_t o = 0; o < i; o++) {
			if (ip_addr_compare(&node->lan_probes[o], addr))
				continue;
			config_error(file, place, "remove one of them", "%s is listed twice", text);
			config_note(file, config_mark_find(file, &node->lan_probes[o]),
				    "first here");
			break;
		}
	}
}

static void unknown_node(struct config_file *file, struct config_file *mesh_file,
			 const struct config_mesh *mesh, const struct config_node *node)
{
	struct config_member *members;
	struct word_guess guess;
	char help[80];
	size_t n;

	if (config_members(mesh, &members, &n)) {
		file->no_memory = true;
		return;
	}
	word_guess_init(&guess, node->name);
	for (size_t i = 0; i < n; i++) {
		/* A node whose own name is wrong may be the one that is meant. */
		if (!config_mark_find(mesh_file, members[i].name))
			goto free_members;
		word_guess_offer(&guess, members[i].name);
	}
	if (guess.nearest)
		snprintf(help, sizeof(help), "did you mean '%s'?", guess.nearest);
	else
		snprintf(help, sizeof(help),
			 "write the name of one of the mesh's gateways or relays");
	config_error(file, config_mark_find(file, node->name), help,
		     "%s has no gateway or relay '%s'", mesh_file->name, node->name);
free_members:
	free(members);
}

/* Where the key file is: relative to dir ("" or with a '/' at its end) if it is not absolute. */
static char *key_path(const char *dir, const char *file)
{
	char *path;

	if (asprintf(&path, "%s%s", *file == '/' ? "" : dir, file) < 0)
		return NULL;
	return path;
}

static void key_error(struct config_file *file, const struct diag_place *place, const char *path,
		      int error)
{
	char help[256];

	switch (error) {
	case -ENOENT:
		config_error(file, place, "'netpas keygen' makes one",
			     "there is no key file %.200s", path);
		break;
	case -EPERM:
		snprintf(help, sizeof(help), "chmod 600 %.200s", path);
		config_error(file, place, help, "key file %.200s is open to group or others", path);
		break;
	case -EUCLEAN:
		snprintf(help, sizeof(help), "chown root %.200s", path);
		config_error(file, place, help, "key file %.200s belongs to another user", path);
		break;
	case -EINVAL:
		config_error(file, place,
			     "a key file holds 44 characters of base64, as of 'netpas keygen'",
			     "%.200s does not hold a private key", path);
		break;
	default:
		config_error(file, place, NULL, "cannot read key file %.200s: %s", path,
			     strerror(-error));
	}
}

/*
 * Does the private key belong to the public one that the mesh has of this node? That is NULL if
 * the mesh does not have this node.
 */
static void check_key(struct config_file *file, struct config_file *mesh_file, const char *key_dir,
		      const struct key *expected, struct config *config)
{
	const struct diag_place *place = config_mark_find(file, &config->node.key_file);
	const struct diag_place *public_place = NULL;
	char text[KEY_STRLEN], help[KEY_STRLEN + 64];
	struct key public_key;
	char *path;
	int ret;

	path = key_path(key_dir, config->node.key_file);
	if (!path) {
		file->no_memory = true;
		return;
	}
	ret = key_file_read(path, &config->private_key);
	if (ret) {
		key_error(file, place, path, ret);
		goto free_path;
	}
	if (expected)
		public_place = config_mark_find(mesh_file, expected);
	if (!public_place)
		goto free_path;
	key_public(&config->private_key, &public_key);
	if (key_equal(expected, &config->private_key)) {
		snprintf(help, sizeof(help), "its public key is %s", key_format(&public_key, text));
		config_error(mesh_file, public_place, help,
			     "this is the private key of '%s': make a new one", config->node.name);
	} else if (!key_equal(expected, &public_key)) {
		snprintf(help, sizeof(help), "the public key of that file is %s",
			 key_format(&public_key, text));
		config_error(mesh_file, public_place, help,
			     "public key of '%s' does not belong to its key file %.200s",
			     config->node.name, path);
	}
free_path:
	free(path);
}

static void check_token(struct config_file *file, const char *key_dir,
			const struct key *private_key, struct config_web *web)
{
	char *path = web->token_file ? key_path(key_dir, web->token_file) : NULL;

	if (path)
		config_web_token(file, path, private_key, web);
	else
		file->no_memory = true;
	free(path);
}

void config_node_check(struct config_file *file, struct config_file *mesh_file, const char *key_dir,
		       struct config *config)
{
	const struct config_mesh *mesh = &config->mesh;
	const struct key *public_key = NULL;

	check_allow(file, &config->node);
	if (find_self(config) && !config->is_relay && config->node.cloud)
		config_cloud_check(file, config);
	if (find_self(config) && config->node.web)
		config_web_check(file, config);
	if (find_self(config))
		public_key = config->is_relay ? &mesh->relays[config->self_relay].public_key
					      : &config_self(config)->public_key;
	if (public_key && !config->is_relay)
		check_lan_probes(file, mesh_file, config);
	if (key_dir)
		check_key(file, mesh_file, key_dir, public_key, config);
	if (key_dir && config->node.web)
		check_token(file, key_dir, &config->private_key, config->node.web);
	if (public_key || !*config->node.name || mesh_file->broken || !mesh->n_sites)
		return;
	for (size_t s = 0; s < mesh->n_sites; s++) {
		if (!mesh->sites[s].n_gateways)
			return; /* reported, and this node may be one of them */
	}
	unknown_node(file, mesh_file, mesh, &config->node);
}
