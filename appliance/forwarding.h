/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the BPF programs forward by: the maps of dataplane.h that netpasd writes, computed from the
 * configuration, the paths and their order, the routes, and brought into the kernel as a
 * difference. What the programs have seen (states of paths, counters) is never overwritten, but
 * begins anew where it would be another thing's: a path whose addresses have changed, a node whose
 * key has.
 *
 *	forwarding_new		of one configuration: prefixes, addresses, keys
 *	forwarding_set		what changes while that stays
 *	forwarding_apply	writes
 *
 * Additions come before removals, and what is referred to before what refers to it: at no moment
 * a wanted entry is missing, or one leads to nowhere.
 *
 * A path is alive while the last probe sent is not later than the last reply by more than 3.5 of
 * its intervals. So before the interval of a path is made longer forwarding_set() and _apply()
 * must know it, and when it was made shorter then they must hear of it only after the next reply:
 * always have in force here the longer of the two intervals while probes change over.
 */
#ifndef NETPAS_FORWARDING_H
#define NETPAS_FORWARDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "dataplane.h"
#include "nexthop.h"
#include "path.h"

struct forwarding;
struct programs;

/* Handshake initiations a second, and burst, that the programs let in from each node. */
#define FORWARDING_HANDSHAKES_PER_S 20

struct forwarding_way {
	struct path path;
	struct nexthop hop;   /* ifindex 0: none, the path counts as dead */
	uint32_t interval_us; /* of probes */
};

/* Ways to another node, and the order in which to take them (path_choice.h). */
struct forwarding_node {
	uint16_t id;
	const struct forwarding_way *ways; /* way i is path number i */
	size_t n_ways;			   /* at most DP_PATHS_MAX */
	uint8_t n_order;		   /* 0: nothing is sent to it but probes */
	uint8_t order[DP_ORDER_MAX], second[DP_ORDER_MAX];
	uint8_t spread; /* bits: positions over which flows are spread */
};

struct forwarding_tunnel {
	uint16_t node;
	uint8_t lane;
	bool mute; /* what comes out of it is the node's, but nothing is sent by it */
	unsigned int ifindex;
};

/* Of a remote site. */
struct forwarding_site {
	uint16_t current; /* id of the gateway that is followed */
	uint16_t mtu;	  /* 0: that of the policy */
	uint64_t seen_generation;
};

struct forwarding_now {
	enum dp_role role;
	uint64_t generation;
	unsigned int lan_ifindex; /* 0: none */
	uint8_t lanes;		  /* 1..DP_LANES_MAX */
	enum config_class lane_class[DP_LANES_MAX];
	const struct forwarding_node *nodes;
	size_t n_nodes;
	const struct forwarding_tunnel *tunnels;
	size_t n_tunnels;
	const struct forwarding_site *sites; /* by site of the configuration; of relays NULL */
	const struct ip_addr
		*own; /* addresses of the host's that the configuration does not know */
	size_t n_own;
};

/*
 * config is borrowed until the next forwarding_new() or _free(). 0, -ENOMEM, -ENOTSUP (no
 * cryptography).
 */
int forwarding_new(const struct config *config, struct forwarding **ret_forwarding);
void forwarding_free(struct forwarding *forwarding);

/* Ids of nodes that are left out, as their public keys are no keys (probe_key.h). */
const uint16_t *forwarding_refused(const struct forwarding *forwarding, size_t *ret_n);

/* How long after the last reply a path is dead whose probes have this interval. */
uint64_t forwarding_dead_ns(uint32_t interval_us);
uint32_t forwarding_interval_us(uint64_t dead_ns); /* the reverse; 0 if there is none */

/* now is not needed after the call. 0 or -ENOMEM (then what was set before stays). */
int forwarding_set(struct forwarding *forwarding, const struct forwarding_now *now);

/*
 * Bring the maps to what was set. The first time they are read; then it is known what is in them,
 * as nobody else writes there. *ret_changes (may be NULL) counts entries. 0 or the first -errno;
 * after an error they are read again next time.
 */
int forwarding_apply(struct forwarding *forwarding, const struct programs *programs,
		     size_t *ret_changes);

/*
 * Read the maps again at the next forwarding_apply(), and repair what is not as it should be. Those
 * in which more than so many entries are wanted are left: reading them holds up the probes.
 */
void forwarding_forget(struct forwarding *forwarding, size_t max_entries);

/*
 * The order that is in force for a node, as an earlier daemon left it: the last good choice. Returns
 * its length, 0 if there is none.
 */
size_t forwarding_adopt_order(const struct programs *programs, uint16_t node,
			      uint8_t ret_order[static DP_ORDER_MAX]);

/*
 * The interval in us that the programs count with for the probes of a path, as an earlier daemon
 * left it; 0: none.
 */
uint32_t forwarding_adopt_interval(const struct programs *programs, uint16_t node, uint8_t number);

/* Interface of the tunnel of a lane by which things were sent to a node until now; 0: none. */
unsigned int forwarding_adopt_tunnel(const struct programs *programs, uint16_t node, uint8_t lane);

/*
 * The next hops of ways (path set, hop to be filled in). A way that leaves by none of these
 * devices has no hop: our programs are not there. 0 or -errno.
 */
int forwarding_resolve(struct netlink *nl, const unsigned int wans[], size_t n_wans,
		       struct forwarding_way ways[], size_t n_ways);

#endif
