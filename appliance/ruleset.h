/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table "inet netpas" as data. Its chains and rules depend only on struct ruleset_params;
 * everything that grows or changes with the configuration is an element of a named set, so that
 * a reload touches elements and leaves rules alone. Pure: no socket headers.
 *
 * Sets (all in table inet netpas):
 *	sites4, sites6	interval map: subnet -> mark of the site it belongs to (own site included)
 *	nodes4, nodes6	set: addresses that mesh traffic may come from (public, of other nodes)
 *	tunnels		concatenated set: tunnel interface name . mark of the peer's site
 *	clamped		set: marks of the remote sites towards which the TCP MSS is clamped
 *	allow4, allow6	concatenated interval set: source . protocol . port (management)
 *	web4, web6	likewise, for the page and the metrics alone: by their interface, to their address
 *	pair_mac	set: the MAC from which alone the other gateway's VRRP comes
 *	pair_any	set: the LAN interface, while that MAC is not known for sure; one of both is empty
 */
#ifndef NETPAS_RULESET_H
#define NETPAS_RULESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ip.h"

#define RULESET_IFNAME_LEN 16 /* IFNAMSIZ */
#define RULESET_TABLE "netpas"
#define RULESET_MAC_LEN 6

enum ruleset_set {
	RULESET_SITES4,
	RULESET_SITES6,
	RULESET_NODES4,
	RULESET_NODES6,
	RULESET_TUNNELS,
	RULESET_CLAMPED,
	RULESET_ALLOW4,
	RULESET_ALLOW6,
	RULESET_WEB4,
	RULESET_WEB6,
	RULESET_PAIR_MAC,
	RULESET_PAIR_ANY,
	RULESET_SET_MAX,
};
extern const char *const ruleset_set_names[RULESET_SET_MAX];

/* What the rules themselves depend on. Compared as a whole: a difference replaces the table. */
struct ruleset_params {
	char lan[RULESET_IFNAME_LEN];
	uint32_t mark_mask;		/* our bits of the packet mark */
	uint32_t own_mark;		/* of this node's site */
	uint16_t port_first, port_last; /* UDP ports of the mesh, of all lanes */
	uint16_t hello_port;		/* UDP inside tunnels, between link-local addresses */
	struct ip_addr lan4, lan6;	/* this node's LAN addresses: sources of ICMP errors */
	struct ip_addr pair4, pair6;	/* the other gateway's: VRRP comes from there only */
	/* The tunnel to the other gateway. IP_NONE, "" and 0 where there is none. */
	struct ip_addr pair_outer; /* its end on the LAN, from which alone it comes */
	struct ip_addr pair_link;  /* who speaks in it: fe80::<id> */
	uint16_t pair_port;	   /* UDP, of its own end */
	char pair_ifname[RULESET_IFNAME_LEN];
	bool drills; /* their ports are open */
	/* Where page and metrics are had; IP_NONE: not in that family. */
	struct ip_addr web4, web6;
	char web_ifname[RULESET_IFNAME_LEN];
};

/* An element. Which fields mean something depends on the set. 48 bytes; 100,000 are usual. */
struct ruleset_elem {
	union {
		struct ip_prefix prefix;	 /* sites, nodes (host prefix), allow */
		char ifname[RULESET_IFNAME_LEN]; /* tunnels, pair_any */
		uint8_t mac[RULESET_MAC_LEN];	 /* pair_mac */
	};
	uint8_t proto; /* allow, web: IPPROTO_TCP or IPPROTO_UDP */
	uint16_t port; /* likewise */
	uint32_t mark; /* sites: data of the map; tunnels: second part of the key; clamped */
};

struct ruleset_elems {
	struct ruleset_elem *v; /* sorted by ruleset_elem_compare() after ruleset_sort() */
	size_t n, capacity;
};

struct ruleset {
	struct ruleset_params params;
	bool intact; /* read back: chains, rules, sets are those that params make; wanted: true */
	struct ruleset_elems sets[RULESET_SET_MAX];
};

struct ruleset *ruleset_new(void);
void ruleset_free(struct ruleset *ruleset);

/* Append a zeroed element to fill in; NULL if out of memory. */
struct ruleset_elem *ruleset_add(struct ruleset *ruleset, enum ruleset_set set);

/*
 * Sort every set, and leave out what another element says already: duplicates, and prefixes inside
 * one of the same site (service). The kernel takes no intervals that overlap.
 */
void ruleset_sort(struct ruleset *ruleset);

/* Total order on identity within one set (the key; of a map also the data: a changed mark is a
 * removal and an addition in one transaction). */
int ruleset_elem_compare(enum ruleset_set set, const struct ruleset_elem *a,
			 const struct ruleset_elem *b);

/* Take the other gateway's VRRP from this MAC alone; NULL: from any. 0 or -ENOMEM. */
int ruleset_pin(struct ruleset *ruleset, const uint8_t *mac);

/* That MAC; NULL: any. */
const uint8_t *ruleset_pinned(const struct ruleset *ruleset);

bool ruleset_params_equal(const struct ruleset_params *a, const struct ruleset_params *b);

#endif
