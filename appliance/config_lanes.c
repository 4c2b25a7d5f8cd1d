/* SPDX-License-Identifier: GPL-2.0-only */
/* Lanes, and which class packets ask for by their DSCP. */
#include <stdio.h>
#include <string.h>

#include "config_parse.h"

/* RFC 2474, 2597, 3246, 5865, 8622; assured forwarding and class selectors are made up below. */
static const struct {
	const char *name;
	uint8_t dscp;
} dscp_names[] = {
	{ "df", 0 },
	{ "le", 1 },
	{ "va", 44 },
	{ "ef", 46 },
};

static bool parse_dscp_name(const char *text, unsigned int *ret_dscp)
{
	for (size_t i = 0; i < sizeof(dscp_names) / sizeof(dscp_names[0]); i++) {
		if (!strcmp(text, dscp_names[i].name)) {
			*ret_dscp = dscp_names[i].dscp;
			return true;
		}
	}
	if (!strncmp(text, "cs", 2) && text[2] >= '0' && text[2] <= '7' && !text[3]) {
		*ret_dscp = 8u * (unsigned int)(text[2] - '0');
		return true;
	}
	if (!strncmp(text, "af", 2) && text[2] >= '1' && text[2] <= '4' && text[3] >= '1' &&
	    text[3] <= '3' && !text[4]) {
		*ret_dscp = 8u * (unsigned int)(text[2] - '0') + 2u * (unsigned int)(text[3] - '0');
		return true;
	}
	return false;
}

void config_dscp_clear(struct config_policy *policy)
{
	memset(policy->dscp, CONFIG_CLASS_MAX, sizeof(policy->dscp));
}

void config_dscp_read(struct config_file *file, const struct tree_node *value,
		      struct config_policy *policy)
{
	const struct tree_node *seen[CONFIG_DSCP_MAX + 1] = { NULL };

	if (value->kind != TREE_MAP) {
		config_error(file, &value->place, "write it as {46: protected, 8: bulk}",
			     "dscp must be a mapping of DSCPs to classes");
		return;
	}
	for (const struct tree_node *key = value->first; key; key = key->next) {
		unsigned int dscp, class;

		if (key->kind != TREE_SCALAR)
			continue; /* reported when the tree was built */
		if (!parse_dscp_name(key->text, &dscp) &&
		    !config_read_number(file, key, "DSCP", 0, CONFIG_DSCP_MAX, &dscp))
			continue;
		if (seen[dscp]) {
			config_error(file, &key->place, "keep one of them",
				     "DSCP %u is given twice", dscp);
			config_note(file, &seen[dscp]->place, "first here");
			continue;
		}
		seen[dscp] = key;
		if (!config_read_choice(file, key->value, "class", config_class_names,
					CONFIG_CLASS_MAX, &class))
			continue;
		policy->dscp[dscp] = (uint8_t) class;
		config_mark_add(file, &policy->dscp[dscp], key->value);
	}
}

void config_lanes_read(struct config_file *file, const struct tree_node *value,
		       struct config_mesh *mesh)
{
	enum config_class lanes[CONFIG_LANES_MAX];
	unsigned int class;
	size_t n = 0;

	if (!config_read_list(file, value, "lanes", 1, CONFIG_LANES_MAX))
		return;
	for (const struct tree_node *item = value->first; item; item = item->next)
		if (config_read_choice(file, item, "lanes", config_class_names, CONFIG_CLASS_MAX,
				       &class) &&
		    n < CONFIG_LANES_MAX)
			lanes[n++] = class;
	/* With one that is not understood nothing can be said of what is missing. */
	if (n != value->n)
		return;
	memcpy(mesh->lanes, lanes, n * sizeof(*lanes));
	mesh->n_lanes = n;
	config_mark_add(file, &mesh->lanes, value);
}

unsigned int config_class_lanes(const struct config_mesh *mesh, enum config_class class)
{
	unsigned int lanes = 0;

	for (size_t i = 0; i < mesh->n_lanes; i++)
		if (mesh->lanes[i] == class)
			lanes |= 1u << i;
	return lanes;
}

enum config_class config_policy_class(const struct config_policy *policy, unsigned int dscp)
{
	return policy->dscp[dscp] == CONFIG_CLASS_MAX ? policy->class : policy->dscp[dscp];
}

unsigned int config_policy_lanes(const struct config_mesh *mesh, const struct config_policy *policy)
{
	unsigned int lanes = config_class_lanes(mesh, policy->class);

	for (size_t i = 0; i <= CONFIG_DSCP_MAX; i++)
		if (policy->dscp[i] != CONFIG_CLASS_MAX)
			lanes |= config_class_lanes(mesh, policy->dscp[i]);
	return lanes;
}

uint8_t config_policy_lane(const struct config_mesh *mesh, const struct config_policy *policy)
{
	const unsigned int lanes = config_class_lanes(mesh, policy->class);

	return lanes ? (uint8_t)__builtin_ctz(lanes) : 0;
}

/* Classes that are asked for, as bits. Two sites without a policy ask for the best path. */
static unsigned int classes_used(const struct config_mesh *mesh, size_t n_good)
{
	unsigned int used =
		n_good < mesh->n_sites * (mesh->n_sites - 1) / 2 ? 1u << CONFIG_CLASS_BEST : 0;

	for (size_t i = 0; i < mesh->n_policies; i++) {
		const struct config_policy *policy = &mesh->policies[i];

		if (!policy->connect)
			continue;
		used |= 1u << policy->class;
		for (size_t d = 0; d <= CONFIG_DSCP_MAX; d++)
			if (policy->dscp[d] != CONFIG_CLASS_MAX)
				used |= 1u << policy->dscp[d];
	}
	return used ? used : 1u << CONFIG_CLASS_BEST;
}

void config_lanes_default(struct config_mesh *mesh)
{
	const unsigned int used = classes_used(mesh, mesh->n_policies);

	if (mesh->n_lanes)
		return;
	for (enum config_class class = 0; class < CONFIG_CLASS_MAX; class ++)
		if (used >> class & 1)
			mesh->lanes[mesh->n_lanes++] = class;
}

static void no_lane(struct config_file *file, const struct config_mesh *mesh,
		    const struct diag_place *place, enum config_class class)
{
	config_error(file, place, "add it to 'lanes'", "there is no lane of class '%s'",
		     config_class_names[class]);
	config_note(file, config_mark_find(file, &mesh->lanes), "lanes are here");
}

static void check_policy(struct config_file *file, const struct config_mesh *mesh,
			 const struct config_policy *policy)
{
	const struct diag_place *place = config_mark_find(file, &policy->class);
	unsigned int said = 0;

	if (!policy->connect)
		return;
	if (!config_class_lanes(mesh, policy->class)) {
		/* Without the word it is the default's. */
		no_lane(file, mesh, place ? place : config_mark_find(file, &policy->site_a),
			policy->class);
		said |= 1u << policy->class;
	}
	for (size_t i = 0; i <= CONFIG_DSCP_MAX; i++) {
		const uint8_t class = policy->dscp[i];

		if (class == CONFIG_CLASS_MAX || said >> class & 1 ||
		    config_class_lanes(mesh, class))
			continue;
		no_lane(file, mesh, config_mark_find(file, &policy->dscp[i]), class);
		said |= 1u << class;
	}
}

/* The first two sites that have no policy; false if there are none, or if it is not known. */
static bool find_pair(struct config_file *file, const struct config_mesh *mesh,
		      const struct config_policy *const *sorted, size_t n, size_t *ret_a,
		      size_t *ret_b)
{
	size_t i = 0;

	if (file->broken || n != mesh->n_policies ||
	    !config_mark_find(file, &mesh->policies) != !config_mark_find(file, &mesh->n_policies))
		return false;
	for (size_t a = 0; a < mesh->n_sites; a++) {
		for (size_t b = a + 1; b < mesh->n_sites; b++, i++) {
			if (i < n && sorted[i]->site_a == a && sorted[i]->site_b == b)
				continue;
			*ret_a = a;
			*ret_b = b;
			return true;
		}
	}
	return false;
}

/* The last port of the last lane must be one. The default of port_base leaves room for all. */
static void check_ports(struct config_file *file, const struct config_mesh *mesh, size_t n_lanes)
{
	const struct diag_place *place = config_mark_find(file, &mesh->port_base);
	const unsigned int most = 65536 - (unsigned int)n_lanes * CONFIG_LANE_PORTS;
	char help[96];

	if (!place || mesh->port_base <= most)
		return;
	snprintf(help, sizeof(help), "at most %u: a lane takes %u ports", most, CONFIG_LANE_PORTS);
	config_error(file, place, help, "port_base %u leaves no room for %zu lanes",
		     mesh->port_base, n_lanes);
	config_note(file, config_mark_find(file, &mesh->lanes), "lanes are here");
}

void config_lanes_check(struct config_file *file, const struct config_mesh *mesh,
			const struct config_policy *const *sorted, size_t n)
{
	const struct diag_place *place = config_mark_find(file, &mesh->lanes);
	size_t a, b;

	check_ports(file, mesh,
		    mesh->n_lanes ? mesh->n_lanes
				  : (size_t)__builtin_popcount(classes_used(mesh, n)));
	if (!place)
		return;
	for (size_t i = 0; i < n; i++)
		check_policy(file, mesh, sorted[i]);
	if (!config_class_lanes(mesh, CONFIG_CLASS_BEST) &&
	    find_pair(file, mesh, sorted, n, &a, &b))
		config_error(file, place, "add 'best', or a policy between them",
			     "'%s' and '%s' have no policy, so they need a lane of class 'best'",
			     mesh->sites[a].name, mesh->sites[b].name);
}
