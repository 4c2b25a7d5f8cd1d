/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <stdlib.h>

#include <libnftnl/udata.h>

#include "nft_table.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *const nft_chain_names[NFT_CHAIN_MAX] = {
	[NFT_CHAIN_PREROUTING] = "prerouting",
	[NFT_CHAIN_FROM_LAN] = "from_lan",
	[NFT_CHAIN_FROM_LAN_OWN] = "from_lan_own",
	[NFT_CHAIN_FROM_LAN_STRANGER] = "from_lan_stranger",
	[NFT_CHAIN_FROM_TUNNEL] = "from_tunnel",
	[NFT_CHAIN_FORWARD] = "forward",
	[NFT_CHAIN_TO_TUNNEL] = "to_tunnel",
	[NFT_CHAIN_DROP_LAN] = "drop_lan",
	[NFT_CHAIN_INPUT] = "input",
	[NFT_CHAIN_INPUT_TUNNEL] = "input_tunnel",
	[NFT_CHAIN_INPUT_PAIR] = "input_pair",
	[NFT_CHAIN_INPUT_VRRP] = "input_vrrp",
	[NFT_CHAIN_ICMP_ERROR] = "icmp_error",
	[NFT_CHAIN_OUTPUT] = "output",
	[NFT_CHAIN_OUTPUT_OTHER] = "output_other",
	[NFT_CHAIN_OUTPUT_ERROR4] = "output_error4",
	[NFT_CHAIN_OUTPUT_ERROR6] = "output_error6",
};

const char *const nft_count_names[NFT_COUNT_MAX] = {
	[NFT_COUNT_TO_MESH] = "to_mesh",
	[NFT_COUNT_FROM_MESH] = "from_mesh",
	[NFT_COUNT_DROP_LAN_SOURCE] = "drop_lan_source",
	[NFT_COUNT_DROP_LAN_DESTINATION] = "drop_lan_destination",
	[NFT_COUNT_DROP_TUNNEL_SOURCE] = "drop_tunnel_source",
	[NFT_COUNT_DROP_TUNNEL_DESTINATION] = "drop_tunnel_destination",
	[NFT_COUNT_DROP_TUNNEL_LINK] = "drop_tunnel_link",
	[NFT_COUNT_DROP_FORWARD] = "drop_forward",
	[NFT_COUNT_DROP_MESH_STRANGER] = "drop_mesh_stranger",
	[NFT_COUNT_DROP_VRRP] = "drop_vrrp",
	[NFT_COUNT_DROP_VRRP_MAC] = "drop_vrrp_mac",
	[NFT_COUNT_DROP_INPUT] = "drop_input",
};

/* The chains that hang on a hook. */
static const struct {
	enum nft_chain chain;
	const char *type;
	uint32_t hook;
	int32_t priority;
	uint32_t policy;
} hooks[] = {
	{ NFT_CHAIN_PREROUTING, "filter", NF_INET_PRE_ROUTING, NF_IP_PRI_RAW, NF_ACCEPT },
	{ NFT_CHAIN_FORWARD, "filter", NF_INET_FORWARD, NF_IP_PRI_FILTER, NF_DROP },
	{ NFT_CHAIN_INPUT, "filter", NF_INET_LOCAL_IN, NF_IP_PRI_FILTER, NF_DROP },
	{ NFT_CHAIN_OUTPUT, "route", NF_INET_LOCAL_OUT, NF_IP_PRI_RAW, NF_ACCEPT },
};

/* nft's own numbers of types and byte orders; a concatenation has six bits for each part. */
enum {
	TYPE_IPV4 = 7,
	TYPE_IPV6 = 8,
	TYPE_ETHER = 9,
	TYPE_PROTO = 12,
	TYPE_PORT = 13,
	TYPE_MARK = 19,
	TYPE_IFNAME = 41,
};
enum {
	ORDER_NONE = 0,
	ORDER_HOST = 1,
	ORDER_NETWORK = 2,
};
#define CONCAT(a, b) ((a) << 6 | (b))

static const struct {
	uint32_t flags, type, len, order; /* of the key */
	uint8_t parts[3];		  /* lengths, of a concatenation of intervals */
} set_table[RULESET_SET_MAX] = {
	[RULESET_SITES4] = { NFT_SET_INTERVAL | NFT_SET_MAP, TYPE_IPV4, 4, ORDER_NETWORK, { 0 } },
	[RULESET_SITES6] = { NFT_SET_INTERVAL | NFT_SET_MAP, TYPE_IPV6, 16, ORDER_NETWORK, { 0 } },
	[RULESET_NODES4] = { 0, TYPE_IPV4, 4, ORDER_NETWORK, { 0 } },
	[RULESET_NODES6] = { 0, TYPE_IPV6, 16, ORDER_NETWORK, { 0 } },
	[RULESET_TUNNELS] = { 0, CONCAT(TYPE_IFNAME, TYPE_MARK), 20, ORDER_NONE, { 0 } },
	[RULESET_CLAMPED] = { 0, TYPE_MARK, 4, ORDER_HOST, { 0 } },
	[RULESET_ALLOW4] = { NFT_SET_INTERVAL | NFT_SET_CONCAT,
			     CONCAT(CONCAT(TYPE_IPV4, TYPE_PROTO), TYPE_PORT),
			     12,
			     ORDER_NONE,
			     { 4, 1, 2 } },
	[RULESET_ALLOW6] = { NFT_SET_INTERVAL | NFT_SET_CONCAT,
			     CONCAT(CONCAT(TYPE_IPV6, TYPE_PROTO), TYPE_PORT),
			     24,
			     ORDER_NONE,
			     { 16, 1, 2 } },
	[RULESET_WEB4] = { NFT_SET_INTERVAL | NFT_SET_CONCAT,
			   CONCAT(CONCAT(TYPE_IPV4, TYPE_PROTO), TYPE_PORT),
			   12,
			   ORDER_NONE,
			   { 4, 1, 2 } },
	[RULESET_WEB6] = { NFT_SET_INTERVAL | NFT_SET_CONCAT,
			   CONCAT(CONCAT(TYPE_IPV6, TYPE_PROTO), TYPE_PORT),
			   24,
			   ORDER_NONE,
			   { 16, 1, 2 } },
	[RULESET_PAIR_MAC] = { 0, TYPE_ETHER, RULESET_MAC_LEN, ORDER_NETWORK, { 0 } },
	[RULESET_PAIR_ANY] = { 0, TYPE_IFNAME, RULESET_IFNAME_LEN, ORDER_HOST, { 0 } },
};

static int build_chains(struct nft_table *table)
{
	for (enum nft_chain i = 0; i < NFT_CHAIN_MAX; i++) {
		struct nftnl_chain *chain = nftnl_chain_alloc();

		if (!chain)
			return -ENOMEM;
		table->chains[i] = chain;
		nftnl_chain_set_u32(chain, NFTNL_CHAIN_FAMILY, NFPROTO_INET);
		if (nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, RULESET_TABLE) < 0 ||
		    nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, nft_chain_names[i]) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i < COUNT(hooks); i++) {
		struct nftnl_chain *chain = table->chains[hooks[i].chain];

		nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, hooks[i].hook);
		nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, hooks[i].priority);
		nftnl_chain_set_u32(chain, NFTNL_CHAIN_POLICY, hooks[i].policy);
		if (nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, hooks[i].type) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* For nft, which without it would take marks for big-endian numbers. */
static int set_orders(struct nftnl_set *set, uint32_t key, bool map)
{
	struct nftnl_udata_buf *orders = nftnl_udata_buf_alloc(64);
	int rc = -ENOMEM;

	if (!orders)
		return -ENOMEM;
	if (nftnl_udata_put_u32(orders, NFTNL_UDATA_SET_KEYBYTEORDER, key) &&
	    (!map || nftnl_udata_put_u32(orders, NFTNL_UDATA_SET_DATABYTEORDER, ORDER_HOST)) &&
	    nftnl_set_set_data(set, NFTNL_SET_USERDATA, nftnl_udata_buf_data(orders),
			       nftnl_udata_buf_len(orders)) == 0)
		rc = 0;
	nftnl_udata_buf_free(orders);
	return rc;
}

static int build_sets(struct nft_table *table)
{
	for (enum ruleset_set i = 0; i < RULESET_SET_MAX; i++) {
		struct nftnl_set *set = nftnl_set_alloc();
		const bool map = set_table[i].flags & NFT_SET_MAP;
		uint32_t n_parts = 0;

		if (!set)
			return -ENOMEM;
		table->sets[i] = set;
		nftnl_set_set_u32(set, NFTNL_SET_FAMILY, NFPROTO_INET);
		nftnl_set_set_u32(set, NFTNL_SET_ID, i + 1);
		nftnl_set_set_u32(set, NFTNL_SET_FLAGS, set_table[i].flags);
		nftnl_set_set_u32(set, NFTNL_SET_KEY_TYPE, set_table[i].type);
		nftnl_set_set_u32(set, NFTNL_SET_KEY_LEN, set_table[i].len);
		if (map) {
			nftnl_set_set_u32(set, NFTNL_SET_DATA_TYPE, TYPE_MARK);
			nftnl_set_set_u32(set, NFTNL_SET_DATA_LEN, sizeof(uint32_t));
		}
		while (n_parts < COUNT(set_table[i].parts) && set_table[i].parts[n_parts])
			n_parts++;
		if ((n_parts && nftnl_set_set_data(set, NFTNL_SET_DESC_CONCAT, set_table[i].parts,
						   n_parts) < 0) ||
		    nftnl_set_set_str(set, NFTNL_SET_TABLE, RULESET_TABLE) < 0 ||
		    nftnl_set_set_str(set, NFTNL_SET_NAME, ruleset_set_names[i]) < 0 ||
		    set_orders(set, set_table[i].order, map) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int build_counters(struct nft_table *table)
{
	for (enum nft_count i = 0; i < NFT_COUNT_MAX; i++) {
		struct nftnl_obj *counter = nftnl_obj_alloc();

		if (!counter)
			return -ENOMEM;
		table->counters[i] = counter;
		nftnl_obj_set_u32(counter, NFTNL_OBJ_FAMILY, NFPROTO_INET);
		nftnl_obj_set_u32(counter, NFTNL_OBJ_TYPE, NFT_OBJECT_COUNTER);
		nftnl_obj_set_str(counter, NFTNL_OBJ_TABLE, RULESET_TABLE);
		nftnl_obj_set_str(counter, NFTNL_OBJ_NAME, nft_count_names[i]);
		nftnl_obj_set_u64(counter, NFTNL_OBJ_CTR_PKTS, 0);
		nftnl_obj_set_u64(counter, NFTNL_OBJ_CTR_BYTES, 0);
	}
	return 0;
}

int nft_table_build(const struct ruleset_params *params, struct nft_table **ret_table)
{
	struct nft_table *table = calloc(1, sizeof(*table));
	int rc;

	if (!table)
		return -ENOMEM;
	rc = build_chains(table);
	if (!rc)
		rc = build_sets(table);
	if (!rc)
		rc = build_counters(table);
	if (!rc)
		rc = nft_rules_build(params, table);
	if (rc) {
		nft_table_free(table);
		return rc;
	}
	*ret_table = table;
	return 0;
}

void nft_table_free(struct nft_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < COUNT(table->chains); i++) {
		if (table->chains[i])
			nftnl_chain_free(table->chains[i]);
	}
	for (size_t i = 0; i < COUNT(table->sets); i++) {
		if (table->sets[i])
			nftnl_set_free(table->sets[i]);
	}
	for (size_t i = 0; i < COUNT(table->counters); i++) {
		if (table->counters[i])
			nftnl_obj_free(table->counters[i]);
	}
	for (size_t i = 0; i < table->n_rules; i++)
		nftnl_rule_free(table->rules[i]);
	free(table->rules);
	free(table);
}
