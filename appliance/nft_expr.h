/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Appending expressions to a rule: one function for each kind that the table uses. Values are
 * compared and looked up in NFT_REG_1. If memory runs out the builder remembers it.
 */
#ifndef NETPAS_NFT_EXPR_H
#define NETPAS_NFT_EXPR_H

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdbool.h>
#include <stdint.h>

#include <libnftnl/rule.h>

#include "ruleset.h"

struct nft_builder {
	const struct ruleset_params *params;
	struct nftnl_rule *rule;
	bool failed;
};

void nft_expr_meta(struct nft_builder *b, enum nft_meta_keys key, uint32_t reg);
void nft_expr_payload(struct nft_builder *b, enum nft_payload_bases base, uint32_t offset,
		      uint32_t len, uint32_t reg);
void nft_expr_cmp(struct nft_builder *b, enum nft_cmp_ops op, const void *data, uint32_t len);
void nft_expr_mask(struct nft_builder *b, uint32_t reg, const void *bits, uint32_t len);
void nft_expr_immediate(struct nft_builder *b, const void *data, uint32_t len);

/* A member of the set continues; of a map, NFT_REG_1 becomes its data. */
void nft_expr_lookup(struct nft_builder *b, enum ruleset_set set);
void nft_expr_lookup_not(struct nft_builder *b, enum ruleset_set set);
void nft_expr_map(struct nft_builder *b, enum ruleset_set set);

void nft_expr_set_mark(struct nft_builder *b);
void nft_expr_ct_state(struct nft_builder *b);
void nft_expr_limit(struct nft_builder *b, unsigned int per_second);
void nft_expr_write(struct nft_builder *b, uint32_t offset, uint32_t len,
		    enum nft_payload_csum_types csum, uint32_t csum_offset);
void nft_expr_clamp_mss(struct nft_builder *b);
void nft_expr_notrack(struct nft_builder *b);
void nft_expr_counter(struct nft_builder *b, const char *name);
void nft_expr_verdict(struct nft_builder *b, int code, const char *chain);

#endif
