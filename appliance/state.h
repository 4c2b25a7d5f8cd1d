/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What netpas keeps in the kernel, as data: the same struct describes what is wanted (wanted.h
 * computes it from the configuration) and what is running (running.h reads it back).
 * plan.h computes the difference. Pure: no socket headers here.
 *
 * Ownership, so that nothing of others is ever touched:
 *	links		named "np<peer id>", "np<peer id>-<lane>"
 *	addresses	on those links
 *	routes, rules	rtnetlink protocol STATE_PROTOCOL
 *	nftables	the table "inet netpas"
 *	sysctls		the few listed by wanted.c
 */
#ifndef NETPAS_STATE_H
#define NETPAS_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "ip.h"
#include "key.h"
#include "ruleset.h"

#define STATE_PROTOCOL 78	    /* rtnetlink protocol of our routes and rules */
#define STATE_LINK_PREFIX "np"	    /* and the peer's id in decimal, and - and the lane */
#define STATE_TABLE_BASE 10000	    /* routing table of a site: this + its number */
#define STATE_RULE_PREF 5000	    /* preference of our rules, before main's 32766 */
#define STATE_RULE_PREF_FROM 5001   /* from the LAN prefix: answers of this node itself */
#define STATE_RULE_PREF_LAST 32800  /* after main: ICMP errors where main has no route */
#define STATE_MARK_SHIFT 16	    /* mark of a site: its number << this */
#define STATE_MARK_MASK 0x0fff0000u /* the bits of the packet mark that are ours */
#define STATE_METRIC_ACTIVE 10	    /* by way of the gateway that is active at the site */
#define STATE_METRIC_STANDBY 20	    /* by way of the other one, when the first link is gone */
#define STATE_METRIC_LAST 4096	    /* unreachable: never fall through to the main table */

enum state_engine {
	STATE_ENGINE_KERNEL,
	STATE_ENGINE_USER,
	STATE_ENGINE_BROKEN, /* running only: the interface is there, but nothing behind it answers */
	STATE_ENGINE_MAX,
};
extern const char *const state_engine_names[STATE_ENGINE_MAX];

/*
 * One WireGuard interface with its one peer. AllowedIPs are 0.0.0.0/0 and ::/0, or, to the other
 * gateway of this node's own site, its link-local address alone.
 */
struct state_tunnel {
	char ifname[CONFIG_IFNAME_LEN];
	uint16_t peer_id;
	enum state_engine engine;
	bool up;
	uint16_t mtu;
	uint16_t listen_port;
	uint16_t endpoint_port;
	uint16_t keepalive_s;
	struct ip_addr endpoint; /* IP_NONE: none set */
	struct key private_key;
	struct key peer_key; /* zero: no peer, or more than one (never wanted) */
	bool allowed_all;    /* the peer's AllowedIPs are exactly both default routes, and nothing
			      * that is not ours is set: no preshared key, no firewall mark */
	bool allowed_link;   /* likewise, but exactly fe80::<peer_id>/128 */
};

struct state_address {
	char ifname[CONFIG_IFNAME_LEN];
	struct ip_prefix prefix; /* address with its length; host bits kept */
};

enum state_route_type {
	STATE_ROUTE_UNICAST,
	STATE_ROUTE_UNREACHABLE,
};

struct state_route {
	uint32_t table;
	uint32_t metric;
	enum state_route_type type;
	struct ip_prefix dst;		/* addr.family says which FIB; len 0: default */
	char ifname[CONFIG_IFNAME_LEN]; /* "" for unreachable */
	struct ip_addr via;		/* IP_NONE: on link */
	struct ip_addr prefsrc;		/* IP_NONE: the kernel chooses */
	uint16_t mtu;			/* 0: the device's */
};

struct state_rule {
	uint8_t family; /* enum ip_family */
	uint32_t pref;
	uint32_t mark, mask;   /* mask 0: any mark */
	struct ip_prefix from; /* len 0: any source */
	uint8_t ip_proto;      /* IPPROTO_*; 0: any */
	uint32_t table;
};

struct state_sysctl {
	char path[72]; /* below /proc/sys */
	char value[12];
	char only_from[12]; /* wanted: change only this value; "": any */
};

struct state {
	struct state_tunnel *tunnels; /* sorted by ifname */
	size_t n_tunnels;
	struct state_address *addresses;
	size_t n_addresses;
	struct state_route *routes;
	size_t n_routes;
	struct state_rule *rules;
	size_t n_rules;
	struct state_sysctl *sysctls;
	size_t n_sysctls;
	struct ruleset *ruleset; /* NULL: no table */
};

struct state *state_new(void);
void state_free(struct state *state); /* wipes keys */

/* Append; return the new zeroed element to fill in, or NULL if out of memory. */
struct state_tunnel *state_add_tunnel(struct state *state);
struct state_address *state_add_address(struct state *state);
struct state_route *state_add_route(struct state *state);
struct state_rule *state_add_rule(struct state *state);
struct state_sysctl *state_add_sysctl(struct state *state);

/* Sort every list into the order that the difference needs. */
void state_sort(struct state *state);

/*
 * Total orders on identity (what makes two entries the same object): a tunnel's name; an
 * address's link and prefix; a route's table, destination and metric; all of a rule; a sysctl's
 * path. Entries with the same identity may still differ in content.
 */
int state_tunnel_compare(const struct state_tunnel *a, const struct state_tunnel *b);
int state_address_compare(const struct state_address *a, const struct state_address *b);
int state_route_compare(const struct state_route *a, const struct state_route *b);
int state_rule_compare(const struct state_rule *a, const struct state_rule *b);
int state_sysctl_compare(const struct state_sysctl *a, const struct state_sysctl *b);

/* Same content. Tunnels: everything but `up` and `mtu` is WireGuard's, see plan.c. */
bool state_route_equal(const struct state_route *a, const struct state_route *b);

#endif
