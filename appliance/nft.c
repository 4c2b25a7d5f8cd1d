/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changing the table inet netpas, its counters, and hearing of others' changes. Every change is one
 * transaction: what the kernel does not take as a whole it does not take at all. Reading back is
 * nft_read.c.
 */
#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "nft_elems.h"
#include "nft_socket.h"
#include "nft_table.h"

#define ANSWER_BUFFER (1 << 20) /* bytes of answers that the kernel keeps for us */
#define OBJECT_ROOM 8192	/* no chain, set or rule of ours takes more */
#define EVENTS_INTERVAL_NS 200000000

int nft_open(struct nft **ret_nft)
{
	struct nft *nft = calloc(1, sizeof(*nft));
	int on = 1, size = ANSWER_BUFFER;
	int rc;

	if (!nft)
		return -ENOMEM;
	nft->timer = -1;
	nft->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!nft->socket)
		goto err_free;
	if (mnl_socket_bind(nft->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		goto err_close;
	/* Only for better messages, and for rare floods of them: old kernels may lack them. */
	(void)mnl_socket_setsockopt(nft->socket, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)mnl_socket_setsockopt(nft->socket, NETLINK_CAP_ACK, &on, sizeof(on));
	(void)setsockopt(mnl_socket_get_fd(nft->socket), SOL_SOCKET, SO_RCVBUFFORCE, &size,
			 sizeof(size));
	*ret_nft = nft;
	return 0;

err_close:
	rc = -errno;
	mnl_socket_close(nft->socket);
	free(nft);
	return rc;
err_free:
	rc = -errno;
	free(nft);
	return rc;
}

void nft_close(struct nft *nft)
{
	if (!nft)
		return;
	mnl_socket_close(nft->socket);
	if (nft->timer >= 0)
		close(nft->timer);
	free(nft);
}

const char *nft_error(const struct nft *nft)
{
	return nft->error;
}

int nft_fd(const struct nft *nft)
{
	return nft->timer >= 0 ? nft->timer : mnl_socket_get_fd(nft->socket);
}

/* -- Changing. -- */

static int add_table(struct nft_batch *batch, uint16_t type, uint16_t flags, const char *verb)
{
	struct nlmsghdr *nlh = nft_batch_add(batch, type, flags, OBJECT_ROOM, "%s table inet %s",
					     verb, RULESET_TABLE);

	if (!nlh)
		return -ENOMEM;
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, RULESET_TABLE);
	return 0;
}

static int add_objects(struct nft_batch *batch, const struct nft_table *table)
{
	struct nlmsghdr *nlh;

	for (enum nft_count i = 0; i < NFT_COUNT_MAX; i++) {
		nlh = nft_batch_add(batch, NFT_MSG_NEWOBJ, NLM_F_CREATE, OBJECT_ROOM,
				    "add counter %s", nft_count_names[i]);
		if (!nlh)
			return -ENOMEM;
		nftnl_obj_nlmsg_build_payload(nlh, table->counters[i]);
	}
	for (enum ruleset_set i = 0; i < RULESET_SET_MAX; i++) {
		nlh = nft_batch_add(batch, NFT_MSG_NEWSET, NLM_F_CREATE, OBJECT_ROOM, "add set %s",
				    ruleset_set_names[i]);
		if (!nlh)
			return -ENOMEM;
		nftnl_set_nlmsg_build_payload(nlh, table->sets[i]);
	}
	return 0;
}

static int add_rules(struct nft_batch *batch, const struct nft_table *table)
{
	struct nlmsghdr *nlh;

	for (enum nft_chain i = 0; i < NFT_CHAIN_MAX; i++) {
		nlh = nft_batch_add(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE, OBJECT_ROOM,
				    "add chain %s", nft_chain_names[i]);
		if (!nlh)
			return -ENOMEM;
		nftnl_chain_nlmsg_build_payload(nlh, table->chains[i]);
	}
	for (size_t i = 0; i < table->n_rules; i++) {
		nlh = nft_batch_add(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND,
				    OBJECT_ROOM, "add rule %zu, in chain %s", i + 1,
				    nftnl_rule_get_str(table->rules[i], NFTNL_RULE_CHAIN));
		if (!nlh)
			return -ENOMEM;
		nftnl_rule_nlmsg_build_payload(nlh, table->rules[i]);
	}
	return 0;
}

/*
 * "Add" of a table that is there does nothing, so that "delete" always has one to delete. The
 * elements come last: for every rule that uses a map the kernel walks all that the map has.
 */
static int fill_replace(struct nft_batch *batch, const struct nft_table *table,
			const struct ruleset *ruleset)
{
	int rc = add_table(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE, "add");

	if (!rc)
		rc = add_table(batch, NFT_MSG_DELTABLE, 0, "delete");
	if (!rc)
		rc = add_table(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE, "add");
	if (!rc)
		rc = add_objects(batch, table);
	if (!rc)
		rc = add_rules(batch, table);
	for (enum ruleset_set i = 0; i < RULESET_SET_MAX && !rc; i++)
		rc = nft_elems_add(batch, i, &ruleset->sets[i]);
	return rc;
}

int nft_replace(struct nft *nft, const struct ruleset *ruleset)
{
	struct nft_table *table;
	struct nft_batch batch;
	size_t size = 0;
	int rc;

	nft->error[0] = '\0';
	rc = nft_table_build(&ruleset->params, &table);
	if (rc)
		return rc;
	for (enum ruleset_set i = 0; i < RULESET_SET_MAX; i++)
		size += nft_elems_size(&ruleset->sets[i]);
	rc = nft_batch_begin(&batch, size);
	if (rc)
		goto out_table;
	rc = fill_replace(&batch, table, ruleset);
	if (!rc)
		rc = nft_batch_commit(nft, &batch);
	nft_batch_free(&batch);
out_table:
	nft_table_free(table);
	return rc;
}

int nft_change(struct nft *nft, const struct ruleset_elems remove[static RULESET_SET_MAX],
	       const struct ruleset_elems add[static RULESET_SET_MAX])
{
	struct nft_batch batch;
	size_t size = 0;
	int rc;

	nft->error[0] = '\0';
	for (enum ruleset_set i = 0; i < RULESET_SET_MAX; i++)
		size += nft_elems_size(&remove[i]) + nft_elems_size(&add[i]);
	rc = nft_batch_begin(&batch, size);
	if (rc)
		return rc;
	/* All removals first: what is added may lie where something was. */
	for (enum ruleset_set i = 0; i < RULESET_SET_MAX && !rc; i++)
		rc = nft_elems_delete(&batch, i, &remove[i]);
	for (enum ruleset_set i = 0; i < RULESET_SET_MAX && !rc; i++)
		rc = nft_elems_add(&batch, i, &add[i]);
	if (!rc)
		rc = nft_batch_commit(nft, &batch);
	nft_batch_free(&batch);
	return rc;
}

int nft_delete(struct nft *nft)
{
	struct nft_batch batch;
	int rc;

	nft->error[0] = '\0';
	rc = nft_batch_begin(&batch, 0);
	if (rc)
		return rc;
	rc = add_table(&batch, NFT_MSG_DELTABLE, 0, "delete");
	if (!rc)
		rc = nft_batch_commit(nft, &batch);
	nft_batch_free(&batch);
	if (rc != -ENOENT)
		return rc;
	nft->error[0] = '\0';
	return 0;
}

/* -- Counters. -- */

struct counters {
	struct nft_counter *v;
	size_t n;
};

static int read_counter(const struct nlmsghdr *nlh, void *data)
{
	struct counters *counters = data;
	struct nftnl_obj *obj = nftnl_obj_alloc();
	struct nft_counter *v;
	int rc = 0;

	if (!obj)
		return -ENOMEM;
	/* The kernel filters by table, but not every one does by type. */
	if (nftnl_obj_nlmsg_parse(nlh, obj) < 0 ||
	    nftnl_obj_get_u32(obj, NFTNL_OBJ_TYPE) != NFT_OBJECT_COUNTER ||
	    strcmp(nftnl_obj_get_str(obj, NFTNL_OBJ_TABLE), RULESET_TABLE) != 0)
		goto out;
	v = reallocarray(counters->v, counters->n + 1, sizeof(*v));
	if (!v) {
		rc = -ENOMEM;
		goto out;
	}
	counters->v = v;
	v = &counters->v[counters->n++];
	*v = (struct nft_counter){ .packets = nftnl_obj_get_u64(obj, NFTNL_OBJ_CTR_PKTS),
				   .bytes = nftnl_obj_get_u64(obj, NFTNL_OBJ_CTR_BYTES) };
	strncpy(v->name, nftnl_obj_get_str(obj, NFTNL_OBJ_NAME), sizeof(v->name) - 1);
out:
	nftnl_obj_free(obj);
	return rc;
}

int nft_counters(struct nft *nft, struct nft_counter **ret_counters, size_t *ret_n)
{
	struct counters counters = { .v = NULL };
	struct nlmsghdr *nlh;
	int rc;

	do {
		free(counters.v);
		counters = (struct counters){ .v = NULL };
		nlh = nft_request(nft, NFT_MSG_GETOBJ, NLM_F_DUMP);
		mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, RULESET_TABLE);
		mnl_attr_put_u32(nlh, NFTA_OBJ_TYPE, htobe32(NFT_OBJECT_COUNTER));
		rc = nft_ask(nft, nlh, read_counter, &counters);
	} while (rc == -EINTR);
	if (rc) {
		free(counters.v);
		return rc;
	}
	*ret_counters = counters.v;
	*ret_n = counters.n;
	return 0;
}

/* -- Events. -- */

/*
 * The kernel would tell of every change by messages to a multicast group (NFNLGRP_NFTABLES). We do
 * not listen there. While anybody does, the kernel makes a message for each element of a change,
 * 4 KB each, and keeps them all until the change is done: with 100,000 subnets it takes 800 MB,
 * and a gateway may not have that. So the generation is looked at, a few times a second.
 */
int nft_events_open(struct nft **ret_events)
{
	const struct itimerspec interval = {
		.it_value = { .tv_nsec = EVENTS_INTERVAL_NS },
		.it_interval = { .tv_nsec = EVENTS_INTERVAL_NS },
	};
	struct nft *events;
	int rc = nft_open(&events);

	if (rc)
		return rc;
	events->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (events->timer < 0 || timerfd_settime(events->timer, 0, &interval, NULL) < 0)
		rc = -errno;
	else
		rc = nft_generation_reset(events);
	if (rc) {
		nft_close(events);
		return rc;
	}
	*ret_events = events;
	return 0;
}

int nft_events_read(struct nft *events)
{
	uint64_t expirations;

	if (read(events->timer, &expirations, sizeof(expirations)) < 0 && errno != EAGAIN &&
	    errno != EINTR)
		return -errno;
	return nft_generation_foreign(events);
}
