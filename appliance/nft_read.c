/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading the table back, and telling whether somebody else had his hands in it. Chains, sets and
 * counters are compared member by member, rules by what libnftnl prints of their expressions, which
 * leaves out handles and what the kernel adds by itself.
 *
 * A ruleset is read in many questions. They belong together if the generation of the kernel's
 * ruleset is the same before and after, else all are asked again. That is not enough by itself: a
 * transaction shows the new generation when it begins to come true (nf_tables_commit()), and some
 * sets follow at its end. So between learning the generation and reading there is an empty
 * transaction, which waits for the one that may be under way and changes nothing.
 */
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nft_elems.h"
#include "nft_socket.h"
#include "nft_table.h"

#define READ_TRIES 20
#define RULE_TEXT 4096 /* no rule of ours is longer; a longer one is foreign */

struct reading {
	const struct nft_table *table; /* what there should be; NULL: only elements matter */
	bool intact;
	bool sets[RULESET_SET_MAX]; /* there, with our key and data: their elements can be read */
	bool chains[NFT_CHAIN_MAX], counters[NFT_COUNT_MAX]; /* seen, and as they should be */
	size_t next_rule[NFT_CHAIN_MAX];		     /* index in table->rules */
};

/* -- One message each. -- */

/* A table may be made dormant, which turns its chains off. */
static int read_table(const struct nlmsghdr *nlh, void *data)
{
	struct reading *reading = data;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == NFTA_TABLE_FLAGS &&
		    mnl_attr_validate(attr, MNL_TYPE_U32) >= 0 && mnl_attr_get_u32(attr))
			reading->intact = false;
	}
	return 0;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_chain(const struct nftnl_chain *a, const struct nftnl_chain *b)
{
	const bool hooked = nftnl_chain_is_set(a, NFTNL_CHAIN_HOOKNUM);

	if (hooked != nftnl_chain_is_set(b, NFTNL_CHAIN_HOOKNUM))
		return false;
	return !hooked || (nftnl_chain_get_u32(a, NFTNL_CHAIN_HOOKNUM) ==
				   nftnl_chain_get_u32(b, NFTNL_CHAIN_HOOKNUM) &&
			   nftnl_chain_get_s32(a, NFTNL_CHAIN_PRIO) ==
				   nftnl_chain_get_s32(b, NFTNL_CHAIN_PRIO) &&
			   nftnl_chain_get_u32(a, NFTNL_CHAIN_POLICY) ==
				   nftnl_chain_get_u32(b, NFTNL_CHAIN_POLICY) &&
			   same_text(nftnl_chain_get_str(a, NFTNL_CHAIN_TYPE),
				     nftnl_chain_get_str(b, NFTNL_CHAIN_TYPE)));
}

static enum nft_chain find_chain(const char *name)
{
	enum nft_chain i = 0;

	while (i < NFT_CHAIN_MAX && !same_text(name, nft_chain_names[i]))
		i++;
	return i;
}

static int read_chain(const struct nlmsghdr *nlh, void *data)
{
	struct reading *reading = data;
	struct nftnl_chain *chain = nftnl_chain_alloc();
	enum nft_chain i;

	if (!chain)
		return -ENOMEM;
	if (nftnl_chain_nlmsg_parse(nlh, chain) < 0) {
		reading->intact = false;
		goto out;
	}
	/* A dump has the chains of all tables. */
	if (!same_text(nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE), RULESET_TABLE))
		goto out;
	i = find_chain(nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME));
	if (i < NFT_CHAIN_MAX && same_chain(chain, reading->table->chains[i]))
		reading->chains[i] = true;
	else
		reading->intact = false;
out:
	nftnl_chain_free(chain);
	return 0;
}

static bool same_rule(const struct nftnl_rule *a, const struct nftnl_rule *b)
{
	char text_a[RULE_TEXT], text_b[RULE_TEXT];
	int len_a = nftnl_rule_snprintf(text_a, sizeof(text_a), a, NFTNL_OUTPUT_DEFAULT, 0);
	int len_b = nftnl_rule_snprintf(text_b, sizeof(text_b), b, NFTNL_OUTPUT_DEFAULT, 0);

	return len_a == len_b && len_a >= 0 && (size_t)len_a < sizeof(text_a) &&
	       strcmp(text_a, text_b) == 0;
}

/* The next of our rules that is in this chain; NULL if there are no more. */
static const struct nftnl_rule *next_rule(struct reading *reading, enum nft_chain chain)
{
	const struct nft_table *table = reading->table;

	for (size_t *i = &reading->next_rule[chain]; *i < table->n_rules;) {
		const struct nftnl_rule *rule = table->rules[(*i)++];

		if (same_text(nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN), nft_chain_names[chain]))
			return rule;
	}
	return NULL;
}

static int read_rule(const struct nlmsghdr *nlh, void *data)
{
	static const uint16_t made_by_kernel[] = { NFTNL_RULE_HANDLE, NFTNL_RULE_POSITION,
						   NFTNL_RULE_ID, NFTNL_RULE_POSITION_ID };
	struct reading *reading = data;
	struct nftnl_rule *rule = nftnl_rule_alloc();
	const struct nftnl_rule *wanted;
	enum nft_chain chain;

	if (!rule)
		return -ENOMEM;
	/* What libnftnl cannot parse we cannot have made. */
	if (nftnl_rule_nlmsg_parse(nlh, rule) < 0) {
		reading->intact = false;
		goto out;
	}
	if (!same_text(nftnl_rule_get_str(rule, NFTNL_RULE_TABLE), RULESET_TABLE))
		goto out;
	for (size_t i = 0; i < sizeof(made_by_kernel) / sizeof(made_by_kernel[0]); i++)
		nftnl_rule_unset(rule, made_by_kernel[i]);
	chain = find_chain(nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN));
	wanted = chain < NFT_CHAIN_MAX ? next_rule(reading, chain) : NULL;
	if (!wanted || !same_rule(rule, wanted))
		reading->intact = false;
out:
	nftnl_rule_free(rule);
	return 0;
}

static bool same_parts(const struct nftnl_set *a, const struct nftnl_set *b)
{
	uint32_t len_a = 0, len_b = 0;
	const void *parts_a = nftnl_set_get_data(a, NFTNL_SET_DESC_CONCAT, &len_a);
	const void *parts_b = nftnl_set_get_data(b, NFTNL_SET_DESC_CONCAT, &len_b);

	if (!parts_a || !parts_b)
		return parts_a == parts_b;
	return len_a == len_b && memcmp(parts_a, parts_b, len_a) == 0;
}

static bool same_set(const struct nftnl_set *a, const struct nftnl_set *b)
{
	static const uint16_t numbers[] = { NFTNL_SET_FLAGS,	 NFTNL_SET_KEY_TYPE,
					    NFTNL_SET_KEY_LEN,	 NFTNL_SET_DATA_TYPE,
					    NFTNL_SET_DATA_LEN,	 NFTNL_SET_OBJ_TYPE,
					    NFTNL_SET_DESC_SIZE, NFTNL_SET_POLICY };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (nftnl_set_get_u32(a, numbers[i]) != nftnl_set_get_u32(b, numbers[i]))
			return false;
	}
	return same_parts(a, b);
}

static int read_set(const struct nlmsghdr *nlh, void *data)
{
	struct reading *reading = data;
	struct nftnl_set *set = nftnl_set_alloc();
	enum ruleset_set i = 0;

	if (!set)
		return -ENOMEM;
	if (nftnl_set_nlmsg_parse(nlh, set) < 0) {
		reading->intact = false;
		goto out;
	}
	if (!same_text(nftnl_set_get_str(set, NFTNL_SET_TABLE), RULESET_TABLE))
		goto out;
	while (i < RULESET_SET_MAX &&
	       !same_text(nftnl_set_get_str(set, NFTNL_SET_NAME), ruleset_set_names[i]))
		i++;
	if (i < RULESET_SET_MAX && same_set(set, reading->table->sets[i]))
		reading->sets[i] = true;
	else
		reading->intact = false;
out:
	nftnl_set_free(set);
	return 0;
}

static int read_object(const struct nlmsghdr *nlh, void *data)
{
	struct reading *reading = data;
	struct nftnl_obj *obj = nftnl_obj_alloc();
	enum nft_count i = 0;

	if (!obj)
		return -ENOMEM;
	if (nftnl_obj_nlmsg_parse(nlh, obj) < 0) {
		reading->intact = false;
		goto out;
	}
	if (!same_text(nftnl_obj_get_str(obj, NFTNL_OBJ_TABLE), RULESET_TABLE))
		goto out;
	while (i < NFT_COUNT_MAX &&
	       !same_text(nftnl_obj_get_str(obj, NFTNL_OBJ_NAME), nft_count_names[i]))
		i++;
	if (i < NFT_COUNT_MAX && nftnl_obj_get_u32(obj, NFTNL_OBJ_TYPE) == NFT_OBJECT_COUNTER)
		reading->counters[i] = true;
	else
		reading->intact = false;
out:
	nftnl_obj_free(obj);
	return 0;
}

/* -- Questions. -- */

/* -ENOENT: there is no table. */
static int ask_table(struct nft *nft, struct reading *reading)
{
	struct nlmsghdr *nlh = nft_request(nft, NFT_MSG_GETTABLE, 0);

	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, RULESET_TABLE);
	return nft_ask(nft, nlh, read_table, reading);
}

static int ask_declarations(struct nft *nft, struct reading *reading)
{
	static const struct {
		uint16_t type, table_attr;
		nft_answer_fn *read;
	} dumps[] = {
		{ NFT_MSG_GETCHAIN, NFTA_CHAIN_TABLE, read_chain },
		{ NFT_MSG_GETRULE, NFTA_RULE_TABLE, read_rule },
		{ NFT_MSG_GETSET, NFTA_SET_TABLE, read_set },
		{ NFT_MSG_GETOBJ, NFTA_OBJ_TABLE, read_object },
	};

	for (size_t i = 0; i < sizeof(dumps) / sizeof(dumps[0]); i++) {
		struct nlmsghdr *nlh = nft_request(nft, dumps[i].type, NLM_F_DUMP);
		int rc;

		mnl_attr_put_strz(nlh, dumps[i].table_attr, RULESET_TABLE);
		rc = nft_ask(nft, nlh, dumps[i].read, reading);
		if (rc)
			return rc;
	}
	return 0;
}

static int ask_elems(struct nft *nft, enum ruleset_set set, struct ruleset *ruleset,
		     bool *ret_intact)
{
	struct nft_elems *elems;
	struct nlmsghdr *nlh;
	int rc = nft_elems_new(set, &elems);

	if (rc)
		return rc;
	nlh = nft_request(nft, NFT_MSG_GETSETELEM, NLM_F_DUMP);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, RULESET_TABLE);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, ruleset_set_names[set]);
	rc = nft_ask(nft, nlh, nft_elems_collect, elems);
	if (!rc)
		rc = nft_elems_finish(elems, ruleset, ret_intact);
	nft_elems_free(elems);
	return rc;
}

int nft_read_set(struct nft *nft, enum ruleset_set set, struct ruleset **ret_ruleset)
{
	struct ruleset *ruleset = ruleset_new();
	bool intact = true;
	int rc = ruleset ? -EINTR : -ENOMEM;

	nft->error[0] = '\0';
	for (int i = 0; i < READ_TRIES && rc == -EINTR; i++) {
		ruleset->sets[set].n = 0;
		rc = ask_elems(nft, set, ruleset, &intact);
	}
	if (rc) {
		ruleset_free(ruleset);
		return rc;
	}
	*ret_ruleset = ruleset;
	return 0;
}

static bool all_seen(struct reading *reading)
{
	for (enum nft_chain i = 0; i < NFT_CHAIN_MAX; i++) {
		if (!reading->chains[i] || next_rule(reading, i))
			return false;
	}
	for (enum ruleset_set i = 0; i < RULESET_SET_MAX; i++) {
		if (!reading->sets[i])
			return false;
	}
	for (enum nft_count i = 0; i < NFT_COUNT_MAX; i++) {
		if (!reading->counters[i])
			return false;
	}
	return true;
}

static int wait_for_others(struct nft *nft)
{
	struct nft_batch batch;
	int rc = nft_batch_begin(&batch, 0);

	if (rc)
		return rc;
	rc = nft_batch_commit(nft, &batch);
	nft_batch_free(&batch);
	return rc;
}

/* -ENOENT: no table; -EINTR: it changed meanwhile. */
static int read_once(struct nft *nft, const struct nft_table *table, struct ruleset *ruleset)
{
	struct reading reading = { .table = table, .intact = true };
	uint32_t before = 0, after = 0;
	int rc = nft_generation_ask(nft, &before);

	if (!rc)
		rc = wait_for_others(nft);
	if (!rc)
		rc = ask_table(nft, &reading);
	if (!rc)
		rc = ask_declarations(nft, &reading);
	for (enum ruleset_set i = 0; i < RULESET_SET_MAX && !rc; i++) {
		if (reading.sets[i])
			rc = ask_elems(nft, i, ruleset, &reading.intact);
	}
	if (rc && rc != -ENOENT)
		return rc;
	if (nft_generation_ask(nft, &after) || before != after)
		return -EINTR;
	ruleset->intact = !rc && reading.intact && all_seen(&reading);
	return rc;
}

int nft_read(struct nft *nft, const struct ruleset *wanted, struct ruleset **ret_ruleset)
{
	static const struct ruleset_params none = { .lan = "" };
	struct ruleset *ruleset = NULL;
	struct nft_table *table;
	int rc;

	nft->error[0] = '\0';
	rc = nft_table_build(wanted ? &wanted->params : &none, &table);
	if (rc)
		return rc;
	rc = -EINTR;
	for (int i = 0; i < READ_TRIES && rc == -EINTR; i++) {
		ruleset_free(ruleset);
		ruleset = ruleset_new();
		rc = ruleset ? read_once(nft, table, ruleset) : -ENOMEM;
	}
	nft_table_free(table);
	if (rc) {
		ruleset_free(ruleset);
		if (rc == -EINTR) {
			snprintf(nft->error, sizeof(nft->error), "the ruleset keeps changing");
			return -EBUSY;
		}
		if (rc != -ENOENT)
			return rc;
		nft->error[0] = '\0';
		*ret_ruleset = NULL;
		return 0;
	}
	if (!wanted)
		ruleset->intact = false;
	if (ruleset->intact)
		ruleset->params = wanted->params;
	ruleset_sort(ruleset);
	*ret_ruleset = ruleset;
	return 0;
}
