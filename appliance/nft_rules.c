/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rules, as data: each is a list of terms. A term is a function that appends its expressions,
 * with an argument; a packet meets the terms of a rule in order, and the first that it does not
 * match ends the rule. They are the very expressions that nft makes of the same words, so that
 * `nft list table inet netpas` can print them.
 *
 * The packet mark is the scratch register of the table, as nft's language has no other: the rule
 * "meta mark set ip saddr map @sites4" ends where the map does not have the address, and leaves
 * the mark as it was. In prerouting the mark ends as that of the site which a packet is for, 0 if
 * for none, and policy routing goes by it. After prerouting others may use the bits outside our
 * mask, and only ours are looked at.
 *
 * Nothing that the mesh carries is tracked: neither what goes from LAN to tunnel and back, nor the
 * outer packets. What this node itself says and hears is.
 */
#include <endian.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "drill_wire.h"
#include "nft_expr.h"
#include "nft_table.h"
#include "state.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define RULE_TERMS 6
#define ECHOS_PER_SECOND 100 /* and as many in a burst; answered to others than the LAN */

/* What <netinet/in.h>, <netinet/icmp6.h> lack. */
#define PROTO_VRRP 112
#define MLD2_REPORT 143

/* Offsets in the headers, bytes. */
enum {
	ETHER_SOURCE = 6,
	IP4_TTL = 8,
	IP4_PROTO = 9,
	IP4_CHECKSUM = 10,
	IP4_SOURCE = 12,
	IP4_DEST = 16,
	IP6_NEXT = 6,
	IP6_HOPS = 7,
	IP6_SOURCE = 8,
	IP6_DEST = 24,
	PORT_SOURCE = 0,
	PORT_DEST = 2,
	TCP_FLAGS = 13,
};

/* -- What several terms need. -- */

static void load_network(struct nft_builder *b, uint32_t offset, uint32_t len)
{
	nft_expr_payload(b, NFT_PAYLOAD_NETWORK_HEADER, offset, len, NFT_REG_1);
}

static void load_transport(struct nft_builder *b, uint32_t offset, uint32_t len)
{
	nft_expr_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, offset, len, NFT_REG_1);
}

static void is_byte(struct nft_builder *b, uint8_t value)
{
	nft_expr_cmp(b, NFT_CMP_EQ, &value, sizeof(value));
}

static void is_port(struct nft_builder *b, enum nft_cmp_ops op, uint16_t port)
{
	uint16_t value = htobe16(port);

	nft_expr_cmp(b, op, &value, sizeof(value));
}

static void is_family(struct nft_builder *b, uint8_t family)
{
	nft_expr_meta(b, NFT_META_NFPROTO, NFT_REG_1);
	is_byte(b, family);
}

static void is_l4proto(struct nft_builder *b, uint8_t proto)
{
	nft_expr_meta(b, NFT_META_L4PROTO, NFT_REG_1);
	is_byte(b, proto);
}

static void is_interface(struct nft_builder *b, enum nft_meta_keys key, enum nft_cmp_ops op,
			 const char *name)
{
	char padded[IFNAMSIZ] = "";

	memcpy(padded, name, strnlen(name, sizeof(padded) - 1));
	nft_expr_meta(b, key, NFT_REG_1);
	nft_expr_cmp(b, op, padded, sizeof(padded));
}

static void is_mark(struct nft_builder *b, enum nft_cmp_ops op, uint32_t mark)
{
	nft_expr_meta(b, NFT_META_MARK, NFT_REG_1);
	nft_expr_cmp(b, op, &mark, sizeof(mark));
}

static void load_our_mark(struct nft_builder *b, uint32_t reg)
{
	nft_expr_meta(b, NFT_META_MARK, reg);
	nft_expr_mask(b, reg, &b->params->mark_mask, sizeof(b->params->mark_mask));
}

/* -- Terms: interfaces and marks. -- */

static void iif_lan(struct nft_builder *b, unsigned int arg)
{
	(void)arg;
	is_interface(b, NFT_META_IIFNAME, NFT_CMP_EQ, b->params->lan);
}

static void iif_web(struct nft_builder *b, unsigned int arg)
{
	(void)arg;
	is_interface(b, NFT_META_IIFNAME, NFT_CMP_EQ, b->params->web_ifname);
}

static void iif_loopback(struct nft_builder *b, unsigned int arg)
{
	(void)arg;
	is_interface(b, NFT_META_IIFNAME, NFT_CMP_EQ, "lo");
}

static void iif_tunnel(struct nft_builder *b, unsigned int arg)
{
	(void)arg;
	nft_expr_meta(b, NFT_META_IIFNAME, NFT_REG_1);
	nft_expr_cmp(b, NFT_CMP_EQ, STATE_LINK_PREFIX, strlen(STATE_LINK_PREFIX));
}

static void oif_lan(struct nft_builder *b, unsigned int arg)
{
	(void)arg;
	is_interface(b, NFT_META_OIFNAME, NFT_CMP_EQ, b->params->lan);
}

static void mark_none(struct nft_builder *b, unsigned int arg)
{
	(void)arg;
	is_mark(b, NFT_CMP_EQ, 0);
}

static void mark_some(struct nft_builder *b, unsigned int arg)
{
	(void)arg;
	is_mark(b, NFT_CMP_NEQ, 0);
}

static void mark_own(struct nft_builder *b, unsigned int arg)
{
	(void)arg;
	is_mark(b, NFT_CMP_EQ, b->params->own_mark);
}

static void mark_not_own(struct nft_builder *b, unsigned int arg)
{
	(void)arg;
	is_mark(b, NFT_CMP_NEQ, b->params->own_mark);
}

static void our_mark_none(struct nft_builder *b, unsigned int arg)
{
	const uint32_t none = 0;

	(void)arg;
	load_our_mark(b, NFT_REG_1);
	nft_expr_cmp(b, NFT_CMP_EQ, &none, sizeof(none));
}

static void our_mark_own(struct nft_builder *b, unsigned int arg)
{
	(void)arg;
	load_our_mark(b, NFT_REG_1);
	nft_expr_cmp(b, NFT_CMP_EQ, &b->params->own_mark, sizeof(b->params->own_mark));
}

static void our_mark_clamped(struct nft_builder *b, unsigned int arg)
{
	(void)arg;
	load_our_mark(b, NFT_REG_1);
	nft_expr_lookup(b, RULESET_CLAMPED);
}

/* The tunnel that the packet leaves by is one to the site that its mark says. */
static void oif_tunnel_of_mark(struct nft_builder *b, unsigned int arg)
{
	(void)arg;
	nft_expr_meta(b, NFT_META_OIFNAME, NFT_REG_1);
	load_our_mark(b, NFT_REG_2);
	nft_expr_lookup(b, RULESET_TUNNELS);
}

static void iif_not_tunnel_of_mark(struct nft_builder *b, unsigned int arg)
{
	(void)arg;
	nft_expr_meta(b, NFT_META_IIFNAME, NFT_REG_1);
	nft_expr_meta(b, NFT_META_MARK, NFT_REG_2);
	nft_expr_lookup_not(b, RULESET_TUNNELS);
}

static void clear_mark(struct nft_builder *b, unsigned int arg)
{
	const uint32_t none = 0;

	(void)arg;
	nft_expr_immediate(b, &none, sizeof(none));
	nft_expr_set_mark(b);
}

static void mark_site4(struct nft_builder *b, unsigned int offset)
{
	is_family(b, NFPROTO_IPV4);
	load_network(b, offset, 4);
	nft_expr_map(b, RULESET_SITES4);
	nft_expr_set_mark(b);
}

static void mark_site6(struct nft_builder *b, unsigned int offset)
{
	is_family(b, NFPROTO_IPV6);
	load_network(b, offset, 16);
	nft_expr_map(b, RULESET_SITES6);
	nft_expr_set_mark(b);
}

/* -- Terms: addresses. -- */

static void to_lan4(struct nft_builder *b, unsigned int arg)
{
	(void)arg;
	is_family(b, NFPROTO_IPV4);
	load_network(b, IP4_DEST, 4);
	nft_expr_cmp(b, NFT_CMP_EQ, b->params->lan4.bytes, 4);
}

static void to_lan6(struct nft_builder *b, unsigned int arg)
{
	(void)arg;
	is_family(b, NFPROTO_IPV6);
	load_network(b, IP6_DEST, 16);
	nft_expr_cmp(b, NFT_CMP_EQ, b->params->lan6.bytes, 16);
}

static void to_web4(struct nft_builder *b, unsigned int arg)
{
	(void)arg;
	is_family(b, NFPROTO_IPV4);
	load_network(b, IP4_DEST, 4);
	nft_expr_cmp(b, NFT_CMP_EQ, b->params->web4.bytes, 4);
}

static void to_web6(struct nft_builder *b, unsigned int arg)
{
	(void)arg;
	is_family(b, NFPROTO_IPV6);
	load_network(b, IP6_DEST, 16);
	nft_expr_cmp(b, NFT_CMP_EQ, b->params->web6.bytes, 16);
}

static void from_link(struct nft_builder *b, unsigned int arg)
{
	static const uint8_t bits[16] = { 0xff, 0xc0 };
	static const uint8_t prefix[16] = { 0xfe, 0x80 };

	(void)arg;
	is_family(b, NFPROTO_IPV6);
	load_network(b, IP6_SOURCE, 16);
	nft_expr_mask(b, NFT_REG_1, bits, sizeof(bits));
	nft_expr_cmp(b, NFT_CMP_EQ, prefix, sizeof(prefix));
}

static void from_node4(struct nft_builder *b, unsigned int arg)
{
	(void)arg;
	is_family(b, NFPROTO_IPV4);
	load_network(b, IP4_SOURCE, 4);
	nft_expr_lookup(b, RULESET_NODES4);
}

static void from_node6(struct nft_builder *b, unsigned int arg)
{
	(void)arg;
	is_family(b, NFPROTO_IPV6);
	load_network(b, IP6_SOURCE, 16);
	nft_expr_lookup(b, RULESET_NODES6);
}

/*
 * The parts of a concatenated key are put side by side into 32-bit registers. The protocol comes
 * from the header, as kernels of today refuse what nft 1.0.6 makes of "meta l4proto" here.
 */
static void allowed4(struct nft_builder *b, unsigned int set)
{
	is_family(b, NFPROTO_IPV4);
	load_network(b, IP4_SOURCE, 4);
	nft_expr_payload(b, NFT_PAYLOAD_NETWORK_HEADER, IP4_PROTO, 1, NFT_REG32_01);
	nft_expr_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, PORT_DEST, 2, NFT_REG32_02);
	nft_expr_lookup(b, (enum ruleset_set)set);
}

static void allowed6(struct nft_builder *b, unsigned int set)
{
	is_family(b, NFPROTO_IPV6);
	load_network(b, IP6_SOURCE, 16);
	nft_expr_payload(b, NFT_PAYLOAD_NETWORK_HEADER, IP6_NEXT, 1, NFT_REG_2);
	nft_expr_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, PORT_DEST, 2, NFT_REG32_05);
	nft_expr_lookup(b, (enum ruleset_set)set);
}

/* VRRP from where it must come, and that no router has passed on (RFC 9568, 5.1.1.3, 5.1.2.3). */
static void vrrp_of_pair4(struct nft_builder *b, unsigned int arg)
{
	(void)arg;
	is_family(b, NFPROTO_IPV4);
	load_network(b, IP4_TTL, 1);
	is_byte(b, 255);
	load_network(b, IP4_PROTO, 1);
	is_byte(b, PROTO_VRRP);
	load_network(b, IP4_SOURCE, 4);
	nft_expr_cmp(b, NFT_CMP_EQ, b->params->pair4.bytes, 4);
}

static void vrrp_of_pair6(struct nft_builder *b, unsigned int arg)
{
	(void)arg;
	is_family(b, NFPROTO_IPV6);
	load_network(b, IP6_NEXT, 1);
	is_byte(b, PROTO_VRRP);
	load_network(b, IP6_HOPS, 1);
	is_byte(b, 255);
	load_network(b, IP6_SOURCE, 16);
	nft_expr_cmp(b, NFT_CMP_EQ, b->params->pair6.bytes, 16);
}

static void iif_any_mac(struct nft_builder *b, unsigned int arg)
{
	(void)arg;
	nft_expr_meta(b, NFT_META_IIFNAME, NFT_REG_1);
	nft_expr_lookup(b, RULESET_PAIR_ANY);
}

static void from_pair_mac(struct nft_builder *b, unsigned int arg)
{
	const uint16_t ethernet = ARPHRD_ETHER;

	(void)arg;
	nft_expr_meta(b, NFT_META_IIFTYPE, NFT_REG_1);
	nft_expr_cmp(b, NFT_CMP_EQ, &ethernet, sizeof(ethernet));
	nft_expr_payload(b, NFT_PAYLOAD_LL_HEADER, ETHER_SOURCE, RULESET_MAC_LEN, NFT_REG_1);
	nft_expr_lookup(b, RULESET_PAIR_MAC);
}

/* The tunnel to the other gateway, as it comes on the LAN. */
static void udp_of_pair(struct nft_builder *b, unsigned int arg)
{
	const bool v6 = b->params->pair_outer.family == IP_V6;

	(void)arg;
	is_family(b, v6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
	is_l4proto(b, IPPROTO_UDP);
	load_network(b, v6 ? IP6_SOURCE : IP4_SOURCE, v6 ? 16 : 4);
	nft_expr_cmp(b, NFT_CMP_EQ, b->params->pair_outer.bytes, v6 ? 16 : 4);
	load_transport(b, PORT_DEST, 2);
	is_port(b, NFT_CMP_EQ, b->params->pair_port);
}

/* What the other gateway itself says in that tunnel. */
static void from_pair(struct nft_builder *b, unsigned int arg)
{
	(void)arg;
	is_interface(b, NFT_META_IIFNAME, NFT_CMP_EQ, b->params->pair_ifname);
	is_family(b, NFPROTO_IPV6);
	load_network(b, IP6_SOURCE, 16);
	nft_expr_cmp(b, NFT_CMP_EQ, b->params->pair_link.bytes, 16);
}

static void source_is_lan4(struct nft_builder *b, unsigned int arg)
{
	(void)arg;
	is_family(b, NFPROTO_IPV4);
	nft_expr_immediate(b, b->params->lan4.bytes, 4);
	nft_expr_write(b, IP4_SOURCE, 4, NFT_PAYLOAD_CSUM_INET, IP4_CHECKSUM);
}

static void source_is_lan6(struct nft_builder *b, unsigned int arg)
{
	(void)arg;
	is_family(b, NFPROTO_IPV6);
	nft_expr_immediate(b, b->params->lan6.bytes, 16);
	nft_expr_write(b, IP6_SOURCE, 16, NFT_PAYLOAD_CSUM_NONE, 0);
}

/* -- Terms: protocols. -- */

static void proto(struct nft_builder *b, unsigned int number)
{
	is_l4proto(b, (uint8_t)number);
}

static void udp_mesh(struct nft_builder *b, unsigned int offset)
{
	is_l4proto(b, IPPROTO_UDP);
	load_transport(b, offset, 2);
	is_port(b, NFT_CMP_GTE, b->params->port_first);
	is_port(b, NFT_CMP_LTE, b->params->port_last);
}

static void udp_to(struct nft_builder *b, unsigned int port)
{
	is_l4proto(b, IPPROTO_UDP);
	load_transport(b, PORT_DEST, 2);
	is_port(b, NFT_CMP_EQ, (uint16_t)port);
}

static void udp_hello(struct nft_builder *b, unsigned int arg)
{
	(void)arg;
	udp_to(b, b->params->hello_port);
}

/* The pair channel; TCP and UDP of the mesh's first port are both for talk between nodes. */
static void tcp_pair(struct nft_builder *b, unsigned int arg)
{
	(void)arg;
	is_l4proto(b, IPPROTO_TCP);
	load_transport(b, PORT_DEST, 2);
	is_port(b, NFT_CMP_EQ, b->params->hello_port);
}

/* What drills say to each other. Ports of lanes with id 0: no tunnel has them. */
static void udp_drill(struct nft_builder *b, unsigned int lane)
{
	udp_to(b, b->params->hello_port + lane * CONFIG_LANE_PORTS);
}

static void icmp4(struct nft_builder *b, unsigned int type)
{
	is_family(b, NFPROTO_IPV4);
	is_l4proto(b, IPPROTO_ICMP);
	load_transport(b, 0, 1);
	is_byte(b, (uint8_t)type);
}

static void icmp6(struct nft_builder *b, unsigned int type)
{
	is_family(b, NFPROTO_IPV6);
	is_l4proto(b, IPPROTO_ICMPV6);
	load_transport(b, 0, 1);
	is_byte(b, (uint8_t)type);
}

static void tcp_syn(struct nft_builder *b, unsigned int arg)
{
	static const uint8_t bits = TH_SYN | TH_RST;

	(void)arg;
	is_l4proto(b, IPPROTO_TCP);
	load_transport(b, TCP_FLAGS, 1);
	nft_expr_mask(b, NFT_REG_1, &bits, sizeof(bits));
	is_byte(b, TH_SYN);
}

static void clamp_mss(struct nft_builder *b, unsigned int arg)
{
	(void)arg;
	nft_expr_clamp_mss(b);
}

static void limited(struct nft_builder *b, unsigned int per_second)
{
	nft_expr_limit(b, per_second);
}

/* An answer to what this node has sent. */
static void answer(struct nft_builder *b, unsigned int arg)
{
	const uint32_t none = 0;
	const uint32_t states = NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED);

	(void)arg;
	nft_expr_ct_state(b);
	nft_expr_mask(b, NFT_REG_1, &states, sizeof(states));
	nft_expr_cmp(b, NFT_CMP_NEQ, &none, sizeof(none));
}

/* -- Terms: what becomes of the packet. -- */

static void untracked(struct nft_builder *b, unsigned int arg)
{
	(void)arg;
	nft_expr_notrack(b);
}

static void count(struct nft_builder *b, unsigned int counter)
{
	nft_expr_counter(b, nft_count_names[counter]);
}

static void verdict(struct nft_builder *b, unsigned int code)
{
	nft_expr_verdict(b, (int)code, NULL);
}

static void go(struct nft_builder *b, unsigned int chain)
{
	nft_expr_verdict(b, NFT_GOTO, nft_chain_names[chain]);
}

static void jump(struct nft_builder *b, unsigned int chain)
{
	nft_expr_verdict(b, NFT_JUMP, nft_chain_names[chain]);
}

/* -- The rules. -- */

struct rule {
	enum nft_chain chain;
	struct {
		void (*add)(struct nft_builder *b, unsigned int arg);
		unsigned int arg;
	} terms[RULE_TERMS];
	size_t needs; /* offset in params of what there has to be for such a rule */
};

#define RULE(CHAIN, ...)                              \
	{                                             \
		NFT_CHAIN_##CHAIN, { __VA_ARGS__ }, 0 \
	}
#define RULE_IF(MEMBER, CHAIN, ...)                                                         \
	{                                                                                   \
		NFT_CHAIN_##CHAIN, { __VA_ARGS__ }, offsetof(struct ruleset_params, MEMBER) \
	}
#define GO(CHAIN)                     \
	{                             \
		go, NFT_CHAIN_##CHAIN \
	}
#define COUNTED(NAME)                   \
	{                               \
		count, NFT_COUNT_##NAME \
	}
#define ACCEPT                     \
	{                          \
		verdict, NF_ACCEPT \
	}
#define DROP(REASON)             \
	COUNTED(DROP_##REASON),  \
	{                        \
		verdict, NF_DROP \
	}
#define RETURN                                    \
	{                                         \
		verdict, (unsigned int)NFT_RETURN \
	}

/* clang-format off */
static const struct rule rules[] = {
	RULE(PREROUTING, { iif_lan, 0 }, GO(FROM_LAN)),
	RULE(PREROUTING, { iif_tunnel, 0 }, GO(FROM_TUNNEL)),
	RULE(PREROUTING, { udp_mesh, PORT_DEST }, { untracked, 0 }),

	/* From the LAN to the mesh goes what comes from our site and is for another. */
	RULE(FROM_LAN, { clear_mark, 0 }),
	RULE(FROM_LAN, { mark_site4, IP4_SOURCE }),
	RULE(FROM_LAN, { mark_site6, IP6_SOURCE }),
	RULE(FROM_LAN, { mark_not_own, 0 }, GO(FROM_LAN_STRANGER)),
	RULE(FROM_LAN, { clear_mark, 0 }),
	RULE(FROM_LAN, { mark_site4, IP4_DEST }),
	RULE(FROM_LAN, { mark_site6, IP6_DEST }),
	RULE(FROM_LAN, { mark_none, 0 }, RETURN),
	RULE(FROM_LAN, { mark_own, 0 }, GO(FROM_LAN_OWN)),
	RULE(FROM_LAN, { untracked, 0 }),

	RULE_IF(pair_outer, FROM_LAN_OWN, { udp_of_pair, 0 }, { untracked, 0 }),

	/* Not of our site: may be for this node itself (VRRP, ssh); forward drops the rest. */
	RULE(FROM_LAN_STRANGER, { clear_mark, 0 }),

	/*
	 * A tunnel brings what its peer's own site says to ours. Link-local addresses (hellos) the
	 * kernel does not forward. Packets to the LAN address are tracked: answers to this node.
	 */
	RULE(FROM_TUNNEL, { clear_mark, 0 }),
	RULE(FROM_TUNNEL, { from_link, 0 }, RETURN),
	RULE(FROM_TUNNEL, { mark_site4, IP4_SOURCE }),
	RULE(FROM_TUNNEL, { mark_site6, IP6_SOURCE }),
	RULE(FROM_TUNNEL, { iif_not_tunnel_of_mark, 0 }, DROP(TUNNEL_SOURCE)),
	RULE(FROM_TUNNEL, { clear_mark, 0 }),
	RULE(FROM_TUNNEL, { mark_site4, IP4_DEST }),
	RULE(FROM_TUNNEL, { mark_site6, IP6_DEST }),
	RULE(FROM_TUNNEL, { mark_not_own, 0 }, DROP(TUNNEL_DESTINATION)),
	RULE_IF(lan4, FROM_TUNNEL, { to_lan4, 0 }, RETURN),
	RULE_IF(lan6, FROM_TUNNEL, { to_lan6, 0 }, RETURN),
	RULE(FROM_TUNNEL, { untracked, 0 }),

	RULE(FORWARD, { iif_lan, 0 }, { oif_tunnel_of_mark, 0 }, GO(TO_TUNNEL)),
	RULE(FORWARD, { iif_tunnel, 0 }, { oif_lan, 0 }, { our_mark_own, 0 }, COUNTED(FROM_MESH),
	     ACCEPT),
	RULE(FORWARD, { iif_lan, 0 }, { our_mark_none, 0 }, GO(DROP_LAN)),
	RULE(FORWARD, DROP(FORWARD)),

	RULE(TO_TUNNEL, { our_mark_clamped, 0 }, { tcp_syn, 0 }, { clamp_mss, 0 }),
	RULE(TO_TUNNEL, COUNTED(TO_MESH), ACCEPT),

	/* Only to say why; the mark goes with the packet. */
	RULE(DROP_LAN, { clear_mark, 0 }),
	RULE(DROP_LAN, { mark_site4, IP4_SOURCE }),
	RULE(DROP_LAN, { mark_site6, IP6_SOURCE }),
	RULE(DROP_LAN, { mark_not_own, 0 }, DROP(LAN_SOURCE)),
	RULE(DROP_LAN, DROP(LAN_DESTINATION)),

	/* First what comes most by far: the outer packets of the tunnels. */
	RULE(INPUT, { udp_mesh, PORT_DEST }, { from_node4, 0 }, ACCEPT),
	RULE(INPUT, { udp_mesh, PORT_DEST }, { from_node6, 0 }, ACCEPT),
	RULE(INPUT, { iif_loopback, 0 }, ACCEPT),
	RULE(INPUT, { iif_tunnel, 0 }, GO(INPUT_TUNNEL)),
	RULE_IF(pair_outer, INPUT, { iif_lan, 0 }, { udp_of_pair, 0 }, ACCEPT),
	/* Signed; who may say what is looked at there. Before the mesh's ports, as lanes span these. */
	RULE_IF(drills, INPUT, { iif_lan, 0 }, { udp_drill, DRILL_PORT_AGENT }, ACCEPT),
	RULE_IF(drills, INPUT, { iif_lan, 0 }, { udp_drill, DRILL_PORT_RUNNER }, ACCEPT),
	RULE(INPUT, { udp_mesh, PORT_DEST }, DROP(MESH_STRANGER)),
	RULE_IF(pair4, INPUT, { iif_lan, 0 }, { vrrp_of_pair4, 0 }, GO(INPUT_VRRP)),
	RULE_IF(pair6, INPUT, { iif_lan, 0 }, { vrrp_of_pair6, 0 }, GO(INPUT_VRRP)),
	RULE(INPUT, { proto, PROTO_VRRP }, DROP(VRRP)),
	/* Before the answers: a stranger's echos after the first belong to a connection. */
	RULE(INPUT, { iif_lan, 0 }, { icmp4, ICMP_ECHO }, ACCEPT),
	RULE(INPUT, { iif_lan, 0 }, { icmp6, ICMP6_ECHO_REQUEST }, ACCEPT),
	RULE(INPUT, { icmp4, ICMP_ECHO }, { limited, ECHOS_PER_SECOND }, ACCEPT),
	RULE(INPUT, { icmp4, ICMP_ECHO }, DROP(INPUT)),
	RULE(INPUT, { icmp6, ICMP6_ECHO_REQUEST }, { limited, ECHOS_PER_SECOND }, ACCEPT),
	RULE(INPUT, { icmp6, ICMP6_ECHO_REQUEST }, DROP(INPUT)),
	RULE(INPUT, { answer, 0 }, ACCEPT),
	RULE(INPUT, { jump, NFT_CHAIN_ICMP_ERROR }),
	RULE(INPUT, { icmp6, ND_ROUTER_ADVERT }, ACCEPT),
	RULE(INPUT, { icmp6, ND_NEIGHBOR_SOLICIT }, ACCEPT),
	RULE(INPUT, { icmp6, ND_NEIGHBOR_ADVERT }, ACCEPT),
	RULE(INPUT, { icmp6, MLD_LISTENER_QUERY }, ACCEPT),
	RULE(INPUT, { icmp6, MLD_LISTENER_REPORT }, ACCEPT),
	RULE(INPUT, { icmp6, MLD_LISTENER_REDUCTION }, ACCEPT),
	RULE(INPUT, { icmp6, MLD2_REPORT }, ACCEPT),
	RULE(INPUT, { udp_to, 68 }, ACCEPT),			/* DHCP */
	RULE(INPUT, { from_link, 0 }, { udp_to, 546 }, ACCEPT), /* DHCPv6 */
	RULE(INPUT, { allowed4, RULESET_ALLOW4 }, ACCEPT),
	RULE(INPUT, { allowed6, RULESET_ALLOW6 }, ACCEPT),
	RULE_IF(web4, INPUT, { iif_web, 0 }, { to_web4, 0 }, { allowed4, RULESET_WEB4 }, ACCEPT),
	RULE_IF(web6, INPUT, { iif_web, 0 }, { to_web6, 0 }, { allowed6, RULESET_WEB6 }, ACCEPT),
	RULE(INPUT, DROP(INPUT)),

	RULE(INPUT_TUNNEL, { jump, NFT_CHAIN_ICMP_ERROR }),
	RULE(INPUT_TUNNEL, { icmp4, ICMP_ECHO }, ACCEPT),
	RULE(INPUT_TUNNEL, { icmp4, ICMP_ECHOREPLY }, ACCEPT),
	RULE(INPUT_TUNNEL, { icmp6, ICMP6_ECHO_REQUEST }, ACCEPT),
	RULE(INPUT_TUNNEL, { icmp6, ICMP6_ECHO_REPLY }, ACCEPT),
	RULE(INPUT_TUNNEL, { from_link, 0 }, { udp_hello, 0 }, ACCEPT),
	RULE_IF(pair_link, INPUT_TUNNEL, { from_pair, 0 }, GO(INPUT_PAIR)),
	RULE(INPUT_TUNNEL, { from_link, 0 }, DROP(TUNNEL_LINK)),
	RULE_IF(drills, INPUT_TUNNEL, { udp_drill, DRILL_PORT_AGENT }, ACCEPT),
	RULE_IF(drills, INPUT_TUNNEL, { udp_drill, DRILL_PORT_RUNNER }, ACCEPT),
	RULE(INPUT_TUNNEL, { answer, 0 }, ACCEPT),
	RULE(INPUT_TUNNEL, { allowed4, RULESET_ALLOW4 }, ACCEPT),
	RULE(INPUT_TUNNEL, { allowed6, RULESET_ALLOW6 }, ACCEPT),
	RULE(INPUT_TUNNEL, DROP(INPUT)),

	RULE(INPUT_PAIR, { tcp_pair, 0 }, ACCEPT),
	RULE(INPUT_PAIR, { answer, 0 }, ACCEPT),
	RULE(INPUT_PAIR, DROP(TUNNEL_LINK)),

	/* In the other gateway's name: a stranger may say so too, but not in frames of that gateway. */
	RULE(INPUT_VRRP, { iif_any_mac, 0 }, ACCEPT),
	RULE(INPUT_VRRP, { from_pair_mac, 0 }, ACCEPT),
	RULE(INPUT_VRRP, DROP(VRRP_MAC)),

	RULE(ICMP_ERROR, { icmp4, ICMP_DEST_UNREACH }, ACCEPT),
	RULE(ICMP_ERROR, { icmp4, ICMP_TIME_EXCEEDED }, ACCEPT),
	RULE(ICMP_ERROR, { icmp4, ICMP_PARAMETERPROB }, ACCEPT),
	RULE(ICMP_ERROR, { icmp6, ICMP6_DST_UNREACH }, ACCEPT),
	RULE(ICMP_ERROR, { icmp6, ICMP6_PACKET_TOO_BIG }, ACCEPT),
	RULE(ICMP_ERROR, { icmp6, ICMP6_TIME_EXCEEDED }, ACCEPT),
	RULE(ICMP_ERROR, { icmp6, ICMP6_PARAM_PROB }, ACCEPT),

	/* What this node says with an address of its site goes the way of the site's packets. */
	RULE(OUTPUT, { udp_mesh, PORT_SOURCE }, { untracked, 0 }, RETURN),
	RULE(OUTPUT, { mark_some, 0 }, RETURN),
	RULE(OUTPUT, { mark_site4, IP4_SOURCE }),
	RULE(OUTPUT, { mark_site6, IP6_SOURCE }),
	RULE(OUTPUT, { mark_not_own, 0 }, GO(OUTPUT_OTHER)),
	RULE(OUTPUT, { clear_mark, 0 }),
	RULE(OUTPUT, { mark_site4, IP4_DEST }),
	RULE(OUTPUT, { mark_site6, IP6_DEST }),
	RULE(OUTPUT, { mark_own, 0 }, { clear_mark, 0 }),

	/*
	 * ICMP errors about the mesh's packets, for which the kernel took the address of the way
	 * to the Internet: no gateway of the other site would let that in.
	 */
	RULE(OUTPUT_OTHER, { clear_mark, 0 }),
	RULE_IF(lan4, OUTPUT_OTHER, { icmp4, ICMP_DEST_UNREACH }, GO(OUTPUT_ERROR4)),
	RULE_IF(lan4, OUTPUT_OTHER, { icmp4, ICMP_TIME_EXCEEDED }, GO(OUTPUT_ERROR4)),
	RULE_IF(lan4, OUTPUT_OTHER, { icmp4, ICMP_PARAMETERPROB }, GO(OUTPUT_ERROR4)),
	RULE_IF(lan6, OUTPUT_OTHER, { icmp6, ICMP6_DST_UNREACH }, GO(OUTPUT_ERROR6)),
	RULE_IF(lan6, OUTPUT_OTHER, { icmp6, ICMP6_PACKET_TOO_BIG }, GO(OUTPUT_ERROR6)),
	RULE_IF(lan6, OUTPUT_OTHER, { icmp6, ICMP6_TIME_EXCEEDED }, GO(OUTPUT_ERROR6)),
	RULE_IF(lan6, OUTPUT_OTHER, { icmp6, ICMP6_PARAM_PROB }, GO(OUTPUT_ERROR6)),

	RULE_IF(lan4, OUTPUT_ERROR4, { mark_site4, IP4_DEST }),
	RULE_IF(lan4, OUTPUT_ERROR4, { mark_some, 0 }, { source_is_lan4, 0 }),
	RULE_IF(lan4, OUTPUT_ERROR4, { mark_own, 0 }, { clear_mark, 0 }),

	RULE_IF(lan6, OUTPUT_ERROR6, { mark_site6, IP6_DEST }),
	RULE_IF(lan6, OUTPUT_ERROR6, { mark_some, 0 }, { source_is_lan6, 0 }),
	RULE_IF(lan6, OUTPUT_ERROR6, { mark_own, 0 }, { clear_mark, 0 }),
};
/* clang-format on */

static bool rule_applies(const struct rule *rule, const struct ruleset_params *params)
{
	/* An address begins with its family, and IP_NONE is 0. The first member is nothing of the kind. */
	const uint8_t *needed = (const uint8_t *)params + rule->needs;

	return !rule->needs || *needed;
}

static int build_rule(const struct rule *rule, struct nft_builder *b, struct nft_table *table)
{
	b->rule = nftnl_rule_alloc();
	if (!b->rule)
		return -ENOMEM;
	table->rules[table->n_rules++] = b->rule;

	nftnl_rule_set_u32(b->rule, NFTNL_RULE_FAMILY, NFPROTO_INET);
	if (nftnl_rule_set_str(b->rule, NFTNL_RULE_TABLE, RULESET_TABLE) < 0 ||
	    nftnl_rule_set_str(b->rule, NFTNL_RULE_CHAIN, nft_chain_names[rule->chain]) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < COUNT(rule->terms) && rule->terms[i].add; i++)
		rule->terms[i].add(b, rule->terms[i].arg);
	return b->failed ? -ENOMEM : 0;
}

int nft_rules_build(const struct ruleset_params *params, struct nft_table *table)
{
	struct nft_builder builder = { .params = params };

	table->rules = calloc(COUNT(rules), sizeof(table->rules[0]));
	if (!table->rules)
		return -ENOMEM;
	for (size_t i = 0; i < COUNT(rules); i++) {
		int rc;

		if (!rule_applies(&rules[i], params))
			continue;
		rc = build_rule(&rules[i], &builder, table);
		if (rc)
			return rc;
	}
	return 0;
}
