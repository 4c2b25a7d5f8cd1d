/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A YAML document as a tree with places. The subset that configuration needs: one document of
 * mappings, lists and scalars, all of them text. No anchors, aliases, tags or complex keys.
 * (Not called yaml.h: that is libyaml's own header, and yaml_free() its own symbol.)
 */
#ifndef NETPAS_TREE_H
#define NETPAS_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "diag.h"

/* More nodes in one document are refused. */
#define TREE_NODES_MAX (2u << 20)

enum tree_kind {
	TREE_SCALAR,
	TREE_LIST,
	TREE_MAP,
	TREE_BROKEN, /* an error has been reported for it: to be passed over in silence */
};

struct tree_node {
	enum tree_kind kind;
	bool quoted; /* a scalar that is not plain: "" is a value, nothing at all is none */
	struct diag_place place;
	size_t n;		       /* items of a list, pairs of a map */
	const char *text;	       /* of a scalar; UTF-8 without NUL */
	const struct tree_node *first; /* item of a list, key of a map */
	const struct tree_node *next;  /* item or key */
	const struct tree_node *value; /* of a key */
};

struct tree;

/*
 * Errors go to diags under the given source number. Returns 0 and a tree to tree_free(); -EINVAL
 * after errors that leave nothing to look at (the syntax is broken, not UTF-8, empty); -ENOMEM.
 * With 0 there may have been errors too, of single nodes.
 */
int tree_parse(const char *text, size_t len, struct diag_list *diags, int source,
	       struct tree **ret_tree);
const struct tree_node *tree_root(const struct tree *tree);
void tree_free(struct tree *tree);

#endif
