/* SPDX-License-Identifier: GPL-2.0-only */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/cloud.h"
#include "config_parse.h"
#include "file.h"

void config_free(struct config *config)
{
	struct config_mesh *mesh;

	if (!config)
		return;
	mesh = &config->mesh;
	for (size_t s = 0; s < mesh->n_sites; s++) {
		struct config_site *site = &mesh->sites[s];

		for (size_t g = 0; g < site->n_gateways; g++)
			free(site->gateways[g].wans);
		free(site->gateways);
		free(site->subnets);
		free(site->vips);
	}
	for (size_t r = 0; r < mesh->n_relays; r++)
		free(mesh->relays[r].wans);
	free(mesh->sites);
	free(mesh->relays);
	free(mesh->policies);
	free(config->node.key_file);
	free(config->node.wans);
	free(config->node.allow);
	free(config->node.lan_probes);
	cloud_config_free(config->node.cloud);
	config_web_free(config->node.web);
	key_wipe(&config->private_key);
	free(config);
}

static struct config *config_new(void)
{
	struct config *config = calloc(1, sizeof(*config));

	if (!config)
		return NULL;
	strcpy(config->mesh.name, "mesh");
	config->mesh.port_base = CONFIG_PORT_BASE;
	config->mesh.engine = CONFIG_ENGINE_AUTO;
	config->mesh.mtu = CONFIG_MTU;
	config->mesh.keepalive_s = CONFIG_KEEPALIVE_S;
	config->mesh.probe_fast_ms = CONFIG_PROBE_FAST_MS;
	config->mesh.probe_slow_ms = CONFIG_PROBE_SLOW_MS;
	config->node.key_file = strdup("private.key");
	if (!config->node.key_file) {
		free(config);
		return NULL;
	}
	return config;
}

/* FNV-1a, 64 bits, over all that is written. */
static ssize_t digest_write(void *cookie, const char *buf, size_t size)
{
	uint64_t *hash = cookie;

	for (size_t i = 0; i < size; i++)
		*hash = (*hash ^ (uint8_t)buf[i]) * 0x100000001b3;
	return (ssize_t)size;
}

static int config_digest(const struct config *config,
			 void (*print)(const struct config *config, FILE *out),
			 uint64_t *ret_digest)
{
	const cookie_io_functions_t functions = { .write = digest_write };
	uint64_t hash = 0xcbf29ce484222325;
	FILE *out;

	out = fopencookie(&hash, "w", functions);
	if (!out)
		return -ENOMEM;
	print(config, out);
	if (fclose(out))
		return -ENOMEM;
	*ret_digest = hash;
	return 0;
}

bool config_same(const struct config *a, const struct config *b)
{
	uint64_t node_a, node_b;

	return a->digest == b->digest && !config_digest(a, config_print_node, &node_a) &&
	       !config_digest(b, config_print_node, &node_b) && node_a == node_b &&
	       !memcmp(&a->private_key, &b->private_key, sizeof(a->private_key)) &&
	       config_web_same(a->node.web, b->node.web);
}

static int subnet_compare(const void *a, const void *b)
{
	const struct config_subnet *l = a, *r = b;

	return ip_prefix_compare(&l->prefix, &r->prefix);
}

static int policy_compare(const void *a, const void *b)
{
	const struct config_policy *l = a, *r = b;

	if (l->site_a != r->site_a)
		return l->site_a < r->site_a ? -1 : 1;
	return (l->site_b > r->site_b) - (l->site_b < r->site_b);
}

/* Bring what has no order of its own into one, when no place is looked up any more. */
static void config_sort(struct config_mesh *mesh)
{
	for (size_t s = 0; s < mesh->n_sites; s++)
		qsort(mesh->sites[s].subnets, mesh->sites[s].n_subnets,
		      sizeof(*mesh->sites[s].subnets), subnet_compare);
	if (mesh->n_policies)
		qsort(mesh->policies, mesh->n_policies, sizeof(*mesh->policies), policy_compare);
}

/* The two files as sources of diags; text NULL: could not be read, which has been reported. */
struct input {
	int source;
	const char *name;
	const char *text;
	size_t len;
	const struct tree_node
		*root; /* not NULL: a part of a tree that the caller has made of text */
};

static struct config_file file_of(const struct input *input, struct diag_list *diags)
{
	return (struct config_file){
		.diags = diags,
		.source = input->source,
		.name = input->name,
		.broken = true,
	};
}

/* Returns 0 with or without a tree, or -ENOMEM. */
static int parse_tree(const struct input *input, struct diag_list *diags, struct tree **ret_tree)
{
	int ret;

	if (!input->text || input->root)
		return 0;
	ret = tree_parse(input->text, input->len, diags, input->source, ret_tree);
	return ret == -ENOMEM ? ret : 0;
}

/*
 * A file that cannot be made a tree of does not keep the other one from being checked. key_dir
 * NULL: the key is not looked at.
 */
static int parse_inputs(const struct input *mesh_input, const struct input *node_input,
			const char *key_dir, struct diag_list *diags, struct config **ret_config)
{
	struct config_file mesh_file = file_of(mesh_input, diags);
	struct config_file node_file = file_of(node_input, diags);
	size_t before = diag_count(diags);
	struct tree *tree = NULL;
	struct config *config;
	int ret;

	config = config_new();
	if (!config)
		return -ENOMEM;
	ret = parse_tree(mesh_input, diags, &tree);
	if (ret)
		goto free_config;
	if (tree || mesh_input->root) {
		config_mesh_read(&mesh_file, tree ? tree_root(tree) : mesh_input->root,
				 &config->mesh);
		tree_free(tree);
		tree = NULL;
		config_mesh_check(&mesh_file, &config->mesh);
		config_prefixes_check(&mesh_file, &config->mesh);
	}
	config->node.engine = config->mesh.engine;
	ret = parse_tree(node_input, diags, &tree);
	if (ret)
		goto free_config;
	if (tree || node_input->root) {
		config_node_read(&node_file, tree ? tree_root(tree) : node_input->root, &mesh_file,
				 config);
		tree_free(tree);
		config_node_check(&node_file, &mesh_file, key_dir, config);
	}
	ret = -ENOMEM;
	if (mesh_file.no_memory || node_file.no_memory)
		goto free_config;
	ret = -EINVAL;
	if (!mesh_input->text || !node_input->text || diag_count(diags) > before)
		goto free_config;
	config_sort(&config->mesh);
	config_lanes_default(&config->mesh);
	ret = config_digest(config, config_print_mesh, &config->digest);
	if (ret)
		goto free_config;
	config_file_fini(&mesh_file);
	config_file_fini(&node_file);
	*ret_config = config;
	return 0;
free_config:
	config_file_fini(&mesh_file);
	config_file_fini(&node_file);
	config_free(config);
	return ret;
}

/* The directory that a file is in; free() it. */
static char *dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? strndup(path, (size_t)(slash - path) + 1) : strdup("");
}

int config_parse(const char *mesh_name, const char *mesh, size_t mesh_len, const char *node_name,
		 const char *node, size_t node_len, bool no_key, struct diag_list *diags,
		 struct config **ret_config)
{
	struct input mesh_input = { .name = mesh_name, .text = mesh ? mesh : "", .len = mesh_len };
	struct input node_input = { .name = node_name, .text = node ? node : "", .len = node_len };
	char *key_dir = NULL;
	int ret = -ENOMEM;

	mesh_input.source = diag_source_add(diags, mesh_name, mesh, mesh_len);
	node_input.source = diag_source_add(diags, node_name, node, node_len);
	if (mesh_input.source < 0 || node_input.source < 0)
		return -ENOMEM;
	if (!no_key) {
		key_dir = dir_of(node_name);
		if (!key_dir)
			return -ENOMEM;
	}
	ret = parse_inputs(&mesh_input, &node_input, key_dir, diags, ret_config);
	free(key_dir);
	return ret;
}

int config_parse_nodes(const struct config_part *mesh, const struct config_part *node,
		       struct diag_list *diags, struct config **ret_config)
{
	struct input mesh_input = { mesh->source, mesh->name, "", 0, mesh->root };
	struct input node_input = { node->source, node->name, "", 0, node->root };

	return parse_inputs(&mesh_input, &node_input, NULL, diags, ret_config);
}

/* "DIR/NAME" without "./" before it; free() it. */
static char *path_join(const char *dir, const char *name)
{
	size_t len;
	char *path;

	while (!strncmp(dir, "./", 2)) {
		dir++;
		dir += strspn(dir, "/");
	}
	if (!strcmp(dir, "."))
		dir = "";
	len = strlen(dir);
	if (asprintf(&path, "%s%s%s", dir, !len || dir[len - 1] == '/' ? "" : "/", name) < 0)
		return NULL;
	return path;
}

/* Read a file and register it with diags. Returns 0, also after a reported error, or -ENOMEM. */
static int input_load(struct input *input, const char *help, struct diag_list *diags)
{
	const struct diag_place nowhere = { 0 };
	char *text = NULL;
	size_t len = 0;
	int ret;

	ret = file_load(input->name, 0, CONFIG_FILE_MAX, &text, &len);
	if (ret == -ENOMEM)
		return ret;
	input->source = diag_source_own(diags, input->name, text, len);
	if (input->source < 0)
		return -ENOMEM;
	if (ret == -EFBIG)
		diag_error(diags, input->source, nowhere, NULL, "the file is larger than %u MiB",
			   CONFIG_FILE_MAX >> 20);
	else if (ret == -EISDIR)
		diag_error(diags, input->source, nowhere, NULL, "not a regular file");
	else if (ret)
		diag_error(diags, input->source, nowhere, ret == -ENOENT ? help : NULL,
			   "cannot read it: %s", strerror(-ret));
	if (ret)
		return 0;
	input->text = text;
	input->len = len;
	return 0;
}

int config_load(const char *dir, struct diag_list *diags, struct config **ret_config)
{
	char *mesh_path = path_join(dir, "mesh.yaml"), *node_path = path_join(dir, "node.yaml");
	char *key_dir = path_join(dir, "");
	struct input mesh_input = { .name = mesh_path }, node_input = { .name = node_path };
	int ret = -ENOMEM;

	if (!mesh_path || !node_path || !key_dir)
		goto free_paths;
	ret = input_load(&mesh_input, "it describes the mesh, the same on every node", diags);
	if (!ret)
		ret = input_load(&node_input, "it says which node of the mesh this is", diags);
	if (!ret)
		ret = parse_inputs(&mesh_input, &node_input, key_dir, diags, ret_config);
free_paths:
	free(mesh_path);
	free(node_path);
	free(key_dir);
	return ret;
}

int config_load_with(const char *dir, const char *mesh_name, const char *mesh, size_t mesh_len,
		     struct diag_list *diags, struct config **ret_config)
{
	struct input mesh_input = { .name = mesh_name, .text = mesh, .len = mesh_len };
	char *node_path = path_join(dir, "node.yaml"), *key_dir = path_join(dir, "");
	struct input node_input = { .name = node_path };
	int ret = -ENOMEM;

	mesh_input.source = diag_source_add(diags, mesh_name, mesh, mesh_len);
	if (!node_path || !key_dir || mesh_input.source < 0)
		goto free_paths;
	ret = input_load(&node_input, "it says which node of the mesh this is", diags);
	if (!ret)
		ret = parse_inputs(&mesh_input, &node_input, key_dir, diags, ret_config);
free_paths:
	free(node_path);
	free(key_dir);
	return ret;
}

const struct config_site *config_self_site(const struct config *config)
{
	return config->is_relay ? NULL : &config->mesh.sites[config->self_site];
}

const struct config_gateway *config_self(const struct config *config)
{
	const struct config_site *site = config_self_site(config);

	return site ? &site->gateways[config->self_gateway] : NULL;
}

const struct config_gateway *config_partner(const struct config *config)
{
	const struct config_site *site = config_self_site(config);

	return site && site->n_gateways > 1 ? &site->gateways[1 - config->self_gateway] : NULL;
}

static const struct config_relay *self_relay(const struct config *config)
{
	return &config->mesh.relays[config->self_relay];
}

uint16_t config_self_id(const struct config *config)
{
	return config->is_relay ? self_relay(config)->id : config_self(config)->id;
}

const struct config_wan *config_self_wans(const struct config *config, size_t *ret_n)
{
	const struct config_wan *wans;

	if (config->is_relay) {
		*ret_n = self_relay(config)->n_wans;
		wans = self_relay(config)->wans;
	} else {
		*ret_n = config_self(config)->n_wans;
		wans = config_self(config)->wans;
	}
	return wans;
}

struct config_policy config_policy_with(const struct config *config, size_t site)
{
	size_t self = config->self_site;
	struct config_policy policy = {
		.site_a = site < self ? site : self,
		.site_b = site < self ? self : site,
		.connect = true,
		.mtu = config->mesh.mtu,
		.mss_clamp = true,
		.class = CONFIG_CLASS_BEST,
	};

	config_dscp_clear(&policy);
	for (size_t i = 0; i < config->mesh.n_policies; i++) {
		if (!policy_compare(&config->mesh.policies[i], &policy))
			return config->mesh.policies[i];
	}
	return policy;
}

/* Whoever takes over says so at once, so they need not be as fast as adverts are. */
uint32_t config_site_hello_ms(const struct config_site *site)
{
	return site->advert_ms > CONFIG_HELLO_MIN_MS ? site->advert_ms : CONFIG_HELLO_MIN_MS;
}

uint16_t config_site_number(const struct config_site *site)
{
	uint16_t number = CONFIG_ID_MAX;

	for (size_t i = 0; i < site->n_gateways; i++) {
		if (site->gateways[i].id < number)
			number = site->gateways[i].id;
	}
	return number;
}
