/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From what the operator wants and what the machine has to the files that are written. Pure, but for what
 * it is told of the machine.
 */
#ifndef NETPAS_PROVISION_PLAN_H
#define NETPAS_PROVISION_PLAN_H

#include "provision_nic.h"
#include "provision_seed.h"
#include "provision_store.h"

struct provision_machine {
	const struct provision_nic *nics;
	size_t n_nics;
	const struct key *private_key; /* that is on it already; NULL: none */
	bool has_web_token;
	bool configured; /* there is a node.yaml */
};

struct provision_plan {
	struct provision_change change;
	char hostname[PROVISION_HOSTNAME_LEN + 1]; /* "": as it is */
	bool configured;			   /* node.yaml and mesh.yaml are among the files */
	bool has_network;
	char node[CONFIG_NAME_MAX];
	struct key public_key; /* of the box, afterwards; zeros: it has none */
	bool key_unknown;      /* the mesh has another key of this node: expected_key */
	struct key expected_key;
	bool key_made;
	bool key_replaced; /* one that was made here, by the document's */
};

/*
 * What is to be written. Errors go to diags, where there may be some of the document already. document may be NULL: SSH keys and host name of the seed alone. 0 and
 * a plan for provision_plan_fini(); -EINVAL after errors: nothing is to be written; -ENOMEM.
 */
int provision_plan_make(const struct provision_document *document,
			const struct provision_seed *seed, const struct provision_machine *machine,
			struct diag_list *diags, struct provision_plan *ret_plan);
void provision_plan_fini(struct provision_plan *plan);

#endif
