/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ways by which an outer packet can go from this node to another one.
 *
 * What two paths share is asked for the sake of 1+1 (class protected): no single WAN address and
 * no single node may carry both copies. What a path touches is
 *
 *	direct:		its local and its remote WAN address;
 *	by a relay:	its local WAN address, the relay, and one remote WAN address, which the
 *			relay chooses by its own probes and changes when that address dies.
 *
 * Two paths with the same local address, the same relay, or, both being direct, the same remote
 * address, are never disjoint. If one of them goes by a relay, then the copies may meet at a
 * remote address, and the sender cannot know. Where the peer has one address of the family they
 * surely meet there, and nothing is left when it dies: not disjoint. Where it has more, the copies
 * may meet at an address for a time, but when that dies the relay takes another one within its
 * own dead interval, while a direct path that uses another address has lost nothing: such a pair
 * has PATH_APART_HEALS. It protects as 1+1 against all but the death of one remote address, and
 * against that as a switch-over does. Direct pairs that differ at both ends have PATH_APART, and
 * so do paths of different families, as a relay keeps the family. Of one node, addresses count,
 * not lines: the mesh does not say which addresses share a line.
 */
#ifndef NETPAS_PATH_H
#define NETPAS_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "dataplane.h"
#include "ip.h"

struct path {
	uint16_t peer;	/* id */
	uint16_t relay; /* id; 0: direct */
	uint8_t number; /* its place in the list */
	uint8_t kind;	/* of the peer, enum dp_kind */
	/* Indices into the nodes' WAN addresses. By a relay, remote_wan is the peer's first. */
	uint8_t local_wan, remote_wan;
	uint8_t remote_wans;   /* how many the peer has of this family */
	struct ip_addr local;  /* private: what this node's interface holds */
	struct ip_addr remote; /* public: the peer's, or the relay's first of this family */
};

enum path_apart {
	PATH_APART_NOT,	  /* one failure takes both */
	PATH_APART_HEALS, /* one failure may take both, until a relay has chosen again */
	PATH_APART,	  /* no failure of a WAN address or a node takes both */
};

/*
 * All paths to a peer (a gateway or a relay), number i at index i; returns how many. Number 0 is
 * the canonical one, which WireGuard uses by itself: direct, to the peer's first WAN address of a
 * family that this node has too, from the own first of that family. Then the other direct pairs,
 * then those by relays, which join gateways only, in the order of the relays' ids: so the order of
 * relays in the file is nothing, and one that is added last has the last numbers. 0 for this node
 * itself, for an id that is not in the mesh, and where there is no family in common.
 *
 * If there are more than DP_PATHS_MAX then direct pairs leave half of the places to relays, and
 * each relay has its path from the first own address before any has one from the next.
 * path_count() tells how many there would be.
 */
size_t path_list(const struct config *config, uint16_t peer,
		 struct path ret_paths[static DP_PATHS_MAX]);
size_t path_count(const struct config *config, uint16_t peer);

/* Of two paths to the same peer. */
enum path_apart path_apart(const struct path *a, const struct path *b);

/*
 * How many things two paths to the same peer share: the local address, the way between (the same
 * relay; or both direct), the remote address (of direct ones). For where apartness does not decide.
 */
unsigned int path_common(const struct path *a, const struct path *b);

/* The number of the same way (addresses and relay) in another list, or DP_NO_PATH. */
uint8_t path_find(const struct path *paths, size_t n, const struct path *like);

#endif
