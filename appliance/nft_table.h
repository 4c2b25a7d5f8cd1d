/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The declared part of the table "inet netpas": chains, rules, sets without their elements, and
 * counters, as libnftnl objects made from struct ruleset_params. nft.c sends them, nft_read.c
 * compares them with what the kernel holds.
 */
#ifndef NETPAS_NFT_TABLE_H
#define NETPAS_NFT_TABLE_H

#include <libnftnl/chain.h>
#include <libnftnl/object.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>

#include "ruleset.h"

enum nft_chain {
	NFT_CHAIN_PREROUTING,
	NFT_CHAIN_FROM_LAN,
	NFT_CHAIN_FROM_LAN_OWN,
	NFT_CHAIN_FROM_LAN_STRANGER,
	NFT_CHAIN_FROM_TUNNEL,
	NFT_CHAIN_FORWARD,
	NFT_CHAIN_TO_TUNNEL,
	NFT_CHAIN_DROP_LAN,
	NFT_CHAIN_INPUT,
	NFT_CHAIN_INPUT_TUNNEL,
	NFT_CHAIN_INPUT_PAIR,
	NFT_CHAIN_INPUT_VRRP,
	NFT_CHAIN_ICMP_ERROR,
	NFT_CHAIN_OUTPUT,
	NFT_CHAIN_OUTPUT_OTHER,
	NFT_CHAIN_OUTPUT_ERROR4,
	NFT_CHAIN_OUTPUT_ERROR6,
	NFT_CHAIN_MAX,
};
extern const char *const nft_chain_names[NFT_CHAIN_MAX];

enum nft_count {
	NFT_COUNT_TO_MESH,
	NFT_COUNT_FROM_MESH,
	NFT_COUNT_DROP_LAN_SOURCE,
	NFT_COUNT_DROP_LAN_DESTINATION,
	NFT_COUNT_DROP_TUNNEL_SOURCE,
	NFT_COUNT_DROP_TUNNEL_DESTINATION,
	NFT_COUNT_DROP_TUNNEL_LINK,
	NFT_COUNT_DROP_FORWARD,
	NFT_COUNT_DROP_MESH_STRANGER,
	NFT_COUNT_DROP_VRRP,
	NFT_COUNT_DROP_VRRP_MAC,
	NFT_COUNT_DROP_INPUT,
	NFT_COUNT_MAX,
};
extern const char *const nft_count_names[NFT_COUNT_MAX];

struct nft_table {
	struct nftnl_chain *chains[NFT_CHAIN_MAX];
	struct nftnl_set *sets[RULESET_SET_MAX];
	struct nftnl_obj *counters[NFT_COUNT_MAX];
	struct nftnl_rule **rules; /* of one chain in their order */
	size_t n_rules;
};

/* 0 or -ENOMEM. */
int nft_table_build(const struct ruleset_params *params, struct nft_table **ret_table);
void nft_table_free(struct nft_table *table);

/* The rules alone (nft_rules.c); `table` frees what it got also after a failure. */
int nft_rules_build(const struct ruleset_params *params, struct nft_table *table);

#endif
