/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A binary trie with paths compressed, its nodes in one array and linked by their places in it: so a
 * copy is one memcpy. A node without peer is where two paths part, or was emptied; a copy of a table
 * with many of the latter is built anew. Places 0 and 1 are the roots, ::/0 of both families, that
 * are always there.
 */
#include "engine/allowed_ips.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct node {
	uint64_t bits[2]; /* the prefix, from the most significant bit on */
	struct peer *peer;
	uint32_t child[2]; /* 0: none */
	uint8_t cidr;
	uint8_t family;
};

struct allowed_ips {
	struct node *nodes;
	size_t used, room;
	size_t emptied;
};

enum {
	FIRST_ROOM = 16
};

static uint8_t family_bits(enum allowed_family family)
{
	return family == ALLOWED_V4 ? 32 : 128;
}

static uint64_t load(const uint8_t *bytes, int n)
{
	uint64_t word = 0;

	for (int i = 0; i < 8; i++)
		word = word << 8 | (i < n ? bytes[i] : 0);
	return word;
}

static void address_load(enum allowed_family family, const uint8_t *address, uint64_t ret[2])
{
	ret[0] = load(address, family == ALLOWED_V4 ? 4 : 8);
	ret[1] = family == ALLOWED_V4 ? 0 : load(address + 8, 8);
}

static uint64_t mask(unsigned int bits)
{
	return bits ? ~0ULL << (64 - bits) : 0;
}

static void address_mask(uint64_t bits[2], unsigned int cidr)
{
	bits[0] &= mask(cidr > 64 ? 64 : cidr);
	bits[1] &= mask(cidr > 64 ? cidr - 64 : 0);
}

static unsigned int bit_at(const uint64_t bits[2], unsigned int at)
{
	return (unsigned int)(bits[at / 64] >> (63 - at % 64)) & 1;
}

/* Leading bits that both have. */
static unsigned int common(const uint64_t a[2], const uint64_t b[2])
{
	if (a[0] != b[0])
		return (unsigned int)__builtin_clzll(a[0] ^ b[0]);
	if (a[1] != b[1])
		return 64 + (unsigned int)__builtin_clzll(a[1] ^ b[1]);
	return 128;
}

struct allowed_ips *allowed_ips_new(void)
{
	struct allowed_ips *ips = calloc(1, sizeof(*ips));

	if (!ips)
		return NULL;
	ips->nodes = calloc(FIRST_ROOM, sizeof(*ips->nodes));
	if (!ips->nodes) {
		free(ips);
		return NULL;
	}
	ips->room = FIRST_ROOM;
	ips->used = 2;
	ips->nodes[ALLOWED_V6].family = ALLOWED_V6;
	return ips;
}

void allowed_ips_free(struct allowed_ips *ips)
{
	if (!ips)
		return;
	free(ips->nodes);
	free(ips);
}

static struct allowed_ips *rebuild(const struct allowed_ips *from)
{
	struct allowed_ips *ips = allowed_ips_new();
	struct allowed_ip ip;

	for (size_t cursor = 0; ips && allowed_ips_next(from, NULL, &cursor, &ip);) {
		if (!allowed_ips_insert(ips, &ip, from->nodes[cursor - 1].peer))
			continue;
		allowed_ips_free(ips);
		ips = NULL;
	}
	return ips;
}

struct allowed_ips *allowed_ips_copy(const struct allowed_ips *from)
{
	struct allowed_ips *ips;

	if (from->emptied > from->used / 2)
		return rebuild(from);
	ips = calloc(1, sizeof(*ips));
	if (!ips)
		return NULL;
	*ips = *from;
	ips->nodes = calloc(ips->room, sizeof(*ips->nodes));
	if (!ips->nodes) {
		free(ips);
		return NULL;
	}
	memcpy(ips->nodes, from->nodes, from->used * sizeof(*ips->nodes));
	return ips;
}

/* Room for two more nodes, so that an insertion cannot stop half way. */
static int reserve(struct allowed_ips *ips)
{
	struct node *nodes;

	if (ips->used + 2 <= ips->room)
		return 0;
	nodes = reallocarray(ips->nodes, ips->room * 2, sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	ips->nodes = nodes;
	ips->room *= 2;
	return 0;
}

static uint32_t node_add(struct allowed_ips *ips, const uint64_t bits[2], uint8_t cidr,
			 uint8_t family, struct peer *peer)
{
	struct node *node = &ips->nodes[ips->used];

	memset(node, 0, sizeof(*node));
	node->bits[0] = bits[0];
	node->bits[1] = bits[1];
	address_mask(node->bits, cidr);
	node->cidr = cidr;
	node->family = family;
	node->peer = peer;
	return (uint32_t)ips->used++;
}

int allowed_ips_insert(struct allowed_ips *ips, const struct allowed_ip *ip, struct peer *peer)
{
	uint32_t at = ip->family, next, fork;
	uint64_t bits[2];
	unsigned int same;
	int rc;

	if (ip->cidr > family_bits(ip->family))
		return -EINVAL;
	rc = reserve(ips);
	if (rc)
		return rc;
	address_load(ip->family, ip->address, bits);
	address_mask(bits, ip->cidr);
	for (;;) {
		struct node *node = &ips->nodes[at];
		unsigned int side;

		if (node->cidr == ip->cidr) {
			node->peer = peer;
			return 0;
		}
		side = bit_at(bits, node->cidr);
		next = node->child[side];
		if (!next) {
			node->child[side] = node_add(ips, bits, ip->cidr, ip->family, peer);
			return 0;
		}
		same = common(bits, ips->nodes[next].bits);
		if (same > ip->cidr)
			same = ip->cidr;
		if (same < ips->nodes[next].cidr)
			break;
		at = next;
	}
	/* The new prefix, or what it has in common with the next node, comes between. */
	fork = node_add(ips, bits, (uint8_t)same, ip->family, same == ip->cidr ? peer : NULL);
	ips->nodes[at].child[bit_at(bits, ips->nodes[at].cidr)] = fork;
	ips->nodes[fork].child[bit_at(ips->nodes[next].bits, same)] = next;
	if (same < ip->cidr)
		ips->nodes[fork].child[bit_at(bits, same)] =
			node_add(ips, bits, ip->cidr, ip->family, peer);
	return 0;
}

void allowed_ips_remove(struct allowed_ips *ips, const struct allowed_ip *ip,
			const struct peer *peer)
{
	uint32_t at = ip->family;
	uint64_t bits[2];

	if (ip->cidr > family_bits(ip->family))
		return;
	address_load(ip->family, ip->address, bits);
	address_mask(bits, ip->cidr);
	while (ips->nodes[at].cidr < ip->cidr) {
		at = ips->nodes[at].child[bit_at(bits, ips->nodes[at].cidr)];
		if (!at)
			return;
	}
	if (ips->nodes[at].cidr == ip->cidr && common(bits, ips->nodes[at].bits) == 128 &&
	    ips->nodes[at].peer == peer) {
		ips->nodes[at].peer = NULL;
		ips->emptied++;
	}
}

void allowed_ips_remove_peer(struct allowed_ips *ips, const struct peer *peer)
{
	for (size_t i = 0; i < ips->used; i++)
		if (peer && ips->nodes[i].peer == peer) {
			ips->nodes[i].peer = NULL;
			ips->emptied++;
		}
}

struct peer *allowed_ips_find(const struct allowed_ips *ips, enum allowed_family family,
			      const uint8_t *address)
{
	const unsigned int width = family_bits(family);
	struct peer *found = NULL;
	uint32_t at = family;
	uint64_t bits[2];

	address_load(family, address, bits);
	do {
		const struct node *node = &ips->nodes[at];

		if (common(bits, node->bits) < node->cidr)
			break;
		if (node->peer)
			found = node->peer;
		if (node->cidr == width)
			break;
		at = node->child[bit_at(bits, node->cidr)];
	} while (at);
	return found;
}

static struct peer *find(const struct allowed_ips *ips, const uint8_t *packet, size_t len,
			 size_t at4, size_t at6)
{
	if (len >= 20 && packet[0] >> 4 == 4)
		return allowed_ips_find(ips, ALLOWED_V4, packet + at4);
	if (len >= 40 && packet[0] >> 4 == 6)
		return allowed_ips_find(ips, ALLOWED_V6, packet + at6);
	return NULL;
}

struct peer *allowed_ips_find_dst(const struct allowed_ips *ips, const uint8_t *packet, size_t len)
{
	return find(ips, packet, len, 16, 24);
}

struct peer *allowed_ips_find_src(const struct allowed_ips *ips, const uint8_t *packet, size_t len)
{
	return find(ips, packet, len, 12, 8);
}

bool allowed_ips_next(const struct allowed_ips *ips, const struct peer *peer, size_t *cursor,
		      struct allowed_ip *ret_ip)
{
	for (; *cursor < ips->used; (*cursor)++) {
		const struct node *node = &ips->nodes[*cursor];

		if (!node->peer || (peer && node->peer != peer))
			continue;
		ret_ip->family = node->family;
		ret_ip->cidr = node->cidr;
		for (int i = 0; i < 16; i++)
			ret_ip->address[i] = (uint8_t)(node->bits[i / 8] >> (56 - i % 8 * 8));
		(*cursor)++;
		return true;
	}
	return false;
}
