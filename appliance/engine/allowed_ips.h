/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which peer an inner address belongs to: the longest prefix that holds it (WireGuard paper, 2). One
 * prefix belongs to one peer. A table that workers read is never written: it is copied, changed, and
 * put in its place.
 */
#ifndef ENGINE_ALLOWED_IPS_H
#define ENGINE_ALLOWED_IPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct peer;
struct allowed_ips;

enum allowed_family {
	ALLOWED_V4,
	ALLOWED_V6,
};

struct allowed_ip {
	enum allowed_family family;
	uint8_t cidr;
	uint8_t address[16]; /* the first 4 of an IPv4 address */
};

/* NULL: no memory, of all three. */
struct allowed_ips *allowed_ips_new(void);
struct allowed_ips *allowed_ips_copy(const struct allowed_ips *ips);
void allowed_ips_free(struct allowed_ips *ips);

/* The bits behind the prefix are cleared; whose it was loses it. 0, -EINVAL, -ENOMEM. */
int allowed_ips_insert(struct allowed_ips *ips, const struct allowed_ip *ip, struct peer *peer);
void allowed_ips_remove(struct allowed_ips *ips, const struct allowed_ip *ip,
			const struct peer *peer);
void allowed_ips_remove_peer(struct allowed_ips *ips, const struct peer *peer);

/* 4 or 16 bytes; NULL: nobody's. */
struct peer *allowed_ips_find(const struct allowed_ips *ips, enum allowed_family family,
			      const uint8_t *address);
/* By the destination or source of a packet with a whole IPv4 or IPv6 header. */
struct peer *allowed_ips_find_dst(const struct allowed_ips *ips, const uint8_t *packet, size_t len);
struct peer *allowed_ips_find_src(const struct allowed_ips *ips, const uint8_t *packet, size_t len);

/* The prefixes of a peer (NULL: all) one after the other, from *cursor 0 on; false: no more. */
bool allowed_ips_next(const struct allowed_ips *ips, const struct peer *peer, size_t *cursor,
		      struct allowed_ip *ret_ip);

#endif
