/* SPDX-License-Identifier: GPL-2.0-only */
/* IP addresses and prefixes of both families, without socket headers. */
#ifndef NETPAS_IP_H
#define NETPAS_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ip_family {
	IP_NONE = 0, /* "no address": what a zeroed struct holds */
	IP_V4 = 4,
	IP_V6 = 6,
};

/* Longest text forms, with the terminating NUL. */
#define IP_ADDR_STRLEN 46
#define IP_PREFIX_STRLEN (IP_ADDR_STRLEN + 4)

/* An address in network order; IPv4 uses the first four bytes, the rest are zero. */
struct ip_addr {
	uint8_t family; /* enum ip_family */
	uint8_t bytes[16];
};

/* A prefix; bits of addr beyond len are zero in every prefix that passed ip_prefix_parse(). */
struct ip_prefix {
	struct ip_addr addr;
	uint8_t len; /* 0..32 or 0..128 */
};

/* Width of the family in bits: 32, 128, or 0 for IP_NONE. */
unsigned int ip_bits(uint8_t family);

/* Parse a bare address (no prefix length, no zone). Returns 0 or -EINVAL. */
int ip_addr_parse(const char *text, struct ip_addr *ret_addr);

/* Canonical text (RFC 5952 for IPv6); "-" for IP_NONE. Returns buf. */
const char *ip_addr_format(const struct ip_addr *addr, char buf[static IP_ADDR_STRLEN]);

/* Total order: family, then bytes. <0, 0, >0. */
int ip_addr_compare(const struct ip_addr *a, const struct ip_addr *b);

/*
 * Parse "address/length". Returns 0, -EINVAL (not a prefix), -ERANGE (length too large) or -EDOM
 * (host bits are set; *ret_prefix then holds the prefix with them cleared, which is what the
 * writer most likely meant).
 */
int ip_prefix_parse(const char *text, struct ip_prefix *ret_prefix);

/* The address as a prefix of full length (/32 or /128). */
struct ip_prefix ip_prefix_host(const struct ip_addr *addr);

const char *ip_prefix_format(const struct ip_prefix *prefix, char buf[static IP_PREFIX_STRLEN]);

/* Total order: family, bytes, length (shorter first), so that a covering prefix sorts first. */
int ip_prefix_compare(const struct ip_prefix *a, const struct ip_prefix *b);

bool ip_prefix_has_addr(const struct ip_prefix *prefix, const struct ip_addr *addr);

/* True if one of the two covers the other (prefixes cannot overlap in any other way). */
bool ip_prefix_overlaps(const struct ip_prefix *a, const struct ip_prefix *b);

/* fe80::<id>, by which the two ends of a tunnel know each other. */
struct ip_addr ip_link_local(uint16_t id);

/* Last address that the prefix covers. */
struct ip_addr ip_prefix_last(const struct ip_prefix *prefix);

#endif
