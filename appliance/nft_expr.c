/* SPDX-License-Identifier: GPL-2.0-only */
#include <netinet/tcp.h>
#include <stdio.h>

#include <libnftnl/expr.h>

#include "nft_expr.h"

static struct nftnl_expr *expr_add(struct nft_builder *b, const char *name)
{
	struct nftnl_expr *expr = nftnl_expr_alloc(name);

	if (expr)
		nftnl_rule_add_expr(b->rule, expr);
	else
		b->failed = true;
	return expr;
}

static void put_u32(struct nftnl_expr *expr, uint16_t attr, uint32_t value)
{
	if (expr)
		nftnl_expr_set_u32(expr, attr, value);
}

static void put_data(struct nft_builder *b, struct nftnl_expr *expr, uint16_t attr,
		     const void *data, uint32_t len)
{
	if (expr && nftnl_expr_set(expr, attr, data, len) < 0)
		b->failed = true;
}

static void put_str(struct nft_builder *b, struct nftnl_expr *expr, uint16_t attr, const char *str)
{
	if (expr && nftnl_expr_set_str(expr, attr, str) < 0)
		b->failed = true;
}

void nft_expr_meta(struct nft_builder *b, enum nft_meta_keys key, uint32_t reg)
{
	struct nftnl_expr *expr = expr_add(b, "meta");

	put_u32(expr, NFTNL_EXPR_META_KEY, key);
	put_u32(expr, NFTNL_EXPR_META_DREG, reg);
}

void nft_expr_payload(struct nft_builder *b, enum nft_payload_bases base, uint32_t offset,
		      uint32_t len, uint32_t reg)
{
	struct nftnl_expr *expr = expr_add(b, "payload");

	put_u32(expr, NFTNL_EXPR_PAYLOAD_DREG, reg);
	put_u32(expr, NFTNL_EXPR_PAYLOAD_BASE, base);
	put_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	put_u32(expr, NFTNL_EXPR_PAYLOAD_LEN, len);
}

void nft_expr_cmp(struct nft_builder *b, enum nft_cmp_ops op, const void *data, uint32_t len)
{
	struct nftnl_expr *expr = expr_add(b, "cmp");

	put_u32(expr, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	put_u32(expr, NFTNL_EXPR_CMP_OP, op);
	put_data(b, expr, NFTNL_EXPR_CMP_DATA, data, len);
}

void nft_expr_mask(struct nft_builder *b, uint32_t reg, const void *bits, uint32_t len)
{
	static const uint8_t zeros[16];
	struct nftnl_expr *expr = expr_add(b, "bitwise");

	put_u32(expr, NFTNL_EXPR_BITWISE_SREG, reg);
	put_u32(expr, NFTNL_EXPR_BITWISE_DREG, reg);
	put_u32(expr, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
	put_u32(expr, NFTNL_EXPR_BITWISE_LEN, len);
	put_data(b, expr, NFTNL_EXPR_BITWISE_MASK, bits, len);
	put_data(b, expr, NFTNL_EXPR_BITWISE_XOR, zeros, len);
}

void nft_expr_immediate(struct nft_builder *b, const void *data, uint32_t len)
{
	struct nftnl_expr *expr = expr_add(b, "immediate");

	put_u32(expr, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
	put_data(b, expr, NFTNL_EXPR_IMM_DATA, data, len);
}

static struct nftnl_expr *lookup_add(struct nft_builder *b, enum ruleset_set set, uint32_t flags)
{
	struct nftnl_expr *expr = expr_add(b, "lookup");

	put_u32(expr, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	put_str(b, expr, NFTNL_EXPR_LOOKUP_SET, ruleset_set_names[set]);
	/* Also 0: read back it is always there, and rules are compared. */
	put_u32(expr, NFTNL_EXPR_LOOKUP_FLAGS, flags);
	return expr;
}

void nft_expr_lookup(struct nft_builder *b, enum ruleset_set set)
{
	(void)lookup_add(b, set, 0); /* complete as it is */
}

void nft_expr_lookup_not(struct nft_builder *b, enum ruleset_set set)
{
	(void)lookup_add(b, set, NFT_LOOKUP_F_INV); /* likewise */
}

void nft_expr_map(struct nft_builder *b, enum ruleset_set set)
{
	put_u32(lookup_add(b, set, 0), NFTNL_EXPR_LOOKUP_DREG, NFT_REG_1);
}

void nft_expr_set_mark(struct nft_builder *b)
{
	struct nftnl_expr *expr = expr_add(b, "meta");

	put_u32(expr, NFTNL_EXPR_META_KEY, NFT_META_MARK);
	put_u32(expr, NFTNL_EXPR_META_SREG, NFT_REG_1);
}

void nft_expr_ct_state(struct nft_builder *b)
{
	struct nftnl_expr *expr = expr_add(b, "ct");

	put_u32(expr, NFTNL_EXPR_CT_KEY, NFT_CT_STATE);
	put_u32(expr, NFTNL_EXPR_CT_DREG, NFT_REG_1);
}

void nft_expr_limit(struct nft_builder *b, unsigned int per_second)
{
	struct nftnl_expr *expr = expr_add(b, "limit");

	if (!expr)
		return;
	nftnl_expr_set_u64(expr, NFTNL_EXPR_LIMIT_RATE, per_second);
	nftnl_expr_set_u64(expr, NFTNL_EXPR_LIMIT_UNIT, 1);
	put_u32(expr, NFTNL_EXPR_LIMIT_BURST, per_second);
	put_u32(expr, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
	put_u32(expr, NFTNL_EXPR_LIMIT_FLAGS, 0);
}

void nft_expr_write(struct nft_builder *b, uint32_t offset, uint32_t len,
		    enum nft_payload_csum_types csum, uint32_t csum_offset)
{
	struct nftnl_expr *expr = expr_add(b, "payload");

	put_u32(expr, NFTNL_EXPR_PAYLOAD_SREG, NFT_REG_1);
	put_u32(expr, NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
	put_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	put_u32(expr, NFTNL_EXPR_PAYLOAD_LEN, len);
	put_u32(expr, NFTNL_EXPR_PAYLOAD_CSUM_TYPE, csum);
	put_u32(expr, NFTNL_EXPR_PAYLOAD_CSUM_OFFSET, csum_offset);
	put_u32(expr, NFTNL_EXPR_PAYLOAD_FLAGS, NFT_PAYLOAD_L4CSUM_PSEUDOHDR);
}

/* The kernel only ever lowers the option, to what the route takes. */
void nft_expr_clamp_mss(struct nft_builder *b)
{
	struct nftnl_expr *expr = expr_add(b, "rt");

	put_u32(expr, NFTNL_EXPR_RT_KEY, NFT_RT_TCPMSS);
	put_u32(expr, NFTNL_EXPR_RT_DREG, NFT_REG_1);

	expr = expr_add(b, "byteorder");
	put_u32(expr, NFTNL_EXPR_BYTEORDER_SREG, NFT_REG_1);
	put_u32(expr, NFTNL_EXPR_BYTEORDER_DREG, NFT_REG_1);
	put_u32(expr, NFTNL_EXPR_BYTEORDER_OP, NFT_BYTEORDER_HTON);
	put_u32(expr, NFTNL_EXPR_BYTEORDER_LEN, 2);
	put_u32(expr, NFTNL_EXPR_BYTEORDER_SIZE, 2);

	expr = expr_add(b, "exthdr");
	if (!expr)
		return;
	put_u32(expr, NFTNL_EXPR_EXTHDR_SREG, NFT_REG_1);
	nftnl_expr_set_u8(expr, NFTNL_EXPR_EXTHDR_TYPE, TCPOPT_MAXSEG);
	put_u32(expr, NFTNL_EXPR_EXTHDR_OP, NFT_EXTHDR_OP_TCPOPT);
	put_u32(expr, NFTNL_EXPR_EXTHDR_OFFSET, 2); /* behind kind and length */
	put_u32(expr, NFTNL_EXPR_EXTHDR_LEN, 2);
}

void nft_expr_notrack(struct nft_builder *b)
{
	(void)expr_add(b, "notrack"); /* has no attributes */
}

void nft_expr_counter(struct nft_builder *b, const char *name)
{
	struct nftnl_expr *expr = expr_add(b, "objref");

	put_u32(expr, NFTNL_EXPR_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
	put_str(b, expr, NFTNL_EXPR_OBJREF_IMM_NAME, name);
}

void nft_expr_verdict(struct nft_builder *b, int code, const char *chain)
{
	struct nftnl_expr *expr = expr_add(b, "immediate");

	put_u32(expr, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	put_u32(expr, NFTNL_EXPR_IMM_VERDICT, (uint32_t)code);
	if (chain)
		put_str(b, expr, NFTNL_EXPR_IMM_CHAIN, chain);
}
