/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Private to config*.c: from a tree to the struct, and what the checks share.
 *
 * Nothing in struct config knows where it was written. So reading records, for every field that
 * it has filled in, the field's address and its place. A field without a place was not given, or
 * was wrong and has been reported: checks pass it over. Hence no array of a struct config that is
 * being read may move; each is allocated once, with as many elements as the file lists.
 */
#ifndef NETPAS_CONFIG_PARSE_H
#define NETPAS_CONFIG_PARSE_H

#include "config.h"
#include "tree.h"

struct config_mark {
	const void *field;
	struct diag_place place;
};

/* One file that is being read. */
struct config_file {
	struct diag_list *diags;
	int source; /* in diags */
	const char *name;
	bool broken; /* its syntax is wrong: what it does not say means nothing */
	bool no_memory;
	struct config_mark *marks;
	size_t n_marks, marks_size;
	bool marks_sorted;
};

void config_file_fini(struct config_file *file);
void config_mark_add(struct config_file *file, const void *field, const struct tree_node *node);
/* The place of a field, or NULL. */
const struct diag_place *config_mark_find(struct config_file *file, const void *field);

/* An error of this file. help may be NULL. */
void config_error(struct config_file *file, const struct diag_place *place, const char *help,
		  const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void config_note(struct config_file *file, const struct diag_place *place, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Readers. Each reports what is wrong with the node (what names the value in messages) and returns
 * false, or sets *ret_value and returns true. Names and keys are marked; marking other fields is
 * left to the caller.
 */
struct config_word {
	const char *word;
	bool required;
	void (*read)(struct config_file *file, const struct tree_node *value, void *object);
};

/* A mapping. The values are read in the order of the table, whatever the file's is. */
bool config_read_words(struct config_file *file, const struct tree_node *node, const char *what,
		       const struct config_word *words, size_t n_words, void *object);
/* A list of min..max items. */
bool config_read_list(struct config_file *file, const struct tree_node *node, const char *what,
		      size_t min, size_t max);
/* `- fd00::` is a mapping of "fd00:" to nothing: to be read as a single value, which says so. */
bool config_is_bare_ipv6(const struct tree_node *node);
bool config_read_text(struct config_file *file, const struct tree_node *node, const char *what,
		      const char **ret_text);
bool config_read_number(struct config_file *file, const struct tree_node *node, const char *what,
			unsigned int min, unsigned int max, unsigned int *ret_number);
/* All in milliseconds. */
bool config_read_duration(struct config_file *file, const struct tree_node *node, const char *what,
			  unsigned int min, unsigned int max, unsigned int step,
			  unsigned int *ret_ms);
bool config_read_choice(struct config_file *file, const struct tree_node *node, const char *what,
			const char *const *choices, size_t n_choices, unsigned int *ret_choice);
bool config_read_name(struct config_file *file, const struct tree_node *node, const char *what,
		      char ret_name[static CONFIG_NAME_MAX]);
bool config_read_ifname(struct config_file *file, const struct tree_node *node,
			char ret_ifname[static CONFIG_IFNAME_LEN]);
bool config_read_key(struct config_file *file, const struct tree_node *node, struct key *ret_key);

/* Kinds of addresses that are refused where they make no sense; bits. */
enum config_refuse {
	CONFIG_REFUSE_UNSPECIFIED = 1 << 0,
	CONFIG_REFUSE_LOOPBACK = 1 << 1,
	CONFIG_REFUSE_LINK_LOCAL = 1 << 2,
	CONFIG_REFUSE_MULTICAST = 1 << 3,
	CONFIG_REFUSE_BROADCAST = 1 << 4,
	CONFIG_REFUSE_MAPPED = 1 << 5,
	CONFIG_REFUSE_DEFAULT = 1 << 6, /* a prefix of length 0 */
	CONFIG_REFUSE_ALL = (1 << 7) - 1,
};

bool config_read_addr(struct config_file *file, const struct tree_node *node, const char *what,
		      unsigned int refuse, struct ip_addr *ret_addr);
bool config_read_prefix(struct config_file *file, const struct tree_node *node, const char *what,
			unsigned int refuse, struct ip_prefix *ret_prefix);

/* n zeroed elements; NULL without memory (noted in the file) or if n is 0. */
void *config_array(struct config_file *file, size_t n, size_t size);

/* Text of user files in messages is cut to this many bytes. */
#define CONFIG_QUOTE "'%.60s'"

/* Sites in the order of their names, to look names up in. */
struct config_index {
	const struct config_site **sites;
	size_t n_sites;
};

int config_index_init(struct config_index *index, const struct config_mesh *mesh);
void config_index_fini(struct config_index *index);
/* NULL if there is no site of that name. */
const struct config_site *config_index_find(const struct config_index *index, const char *name);

/* What gateways and relays have in common, to read and check them alike. */
struct config_member {
	char *name;
	uint16_t *id;
	struct key *public_key;
	struct config_wan **wans;
	size_t *n_wans;
	const struct config_site *site; /* NULL: a relay */
	struct config_gateway *gateway; /* likewise */
	struct config_relay *relay;	/* NULL: a gateway */
};

/* All gateways, site by site, and then all relays. free() the array. */
int config_members(const struct config_mesh *mesh, struct config_member **ret_members,
		   size_t *ret_n_members);

void config_mesh_read(struct config_file *file, const struct tree_node *root,
		      struct config_mesh *mesh);
void config_mesh_check(struct config_file *file, const struct config_mesh *mesh);
/* sorted: n policies that are good, by their sites, each pair once. */
void config_lanes_check(struct config_file *file, const struct config_mesh *mesh,
			const struct config_policy *const *sorted, size_t n);
/* Of a mesh without errors that lists none: one lane for each class that is asked for. */
void config_lanes_default(struct config_mesh *mesh);
void config_lanes_read(struct config_file *file, const struct tree_node *value,
		       struct config_mesh *mesh);
void config_dscp_read(struct config_file *file, const struct tree_node *value,
		      struct config_policy *policy);
void config_dscp_clear(struct config_policy *policy);
void config_prefixes_check(struct config_file *file, const struct config_mesh *mesh);
/* What a node may say depends on what it is, so the mesh must have been read. */
void config_node_read(struct config_file *file, const struct tree_node *root,
		      const struct config_file *mesh_file, struct config *config);
/* The section "cloud" of a gateway, and what of it needs the mesh to have been read. */
void config_cloud_read(struct config_file *file, const struct tree_node *value,
		       struct config_node *node);
void config_cloud_check(struct config_file *file, struct config *config);
/* Likewise the section "web", and its token, of any node. */
void config_web_read(struct config_file *file, const struct tree_node *value,
		     struct config_node *node);
void config_web_check(struct config_file *file, const struct config *config);
void config_web_token(struct config_file *file, const char *path, const struct key *private_key,
		      struct config_web *web);
void config_web_free(struct config_web *web);
bool config_web_same(const struct config_web *a, const struct config_web *b);
/*
 * Finds this node in the mesh, and reads its key: relative to key_dir, which is "" or ends in '/'.
 * With NULL the key is not looked at.
 */
void config_node_check(struct config_file *file, struct config_file *mesh_file, const char *key_dir,
		       struct config *config);

#endif
