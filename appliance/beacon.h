/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hellos to and from every peer, through every tunnel (ha/hello.h): liveness, role, generation
 * and configuration digest of the remote gateways, and the round trip. One UDP socket, bound to
 * the hello port; the interface that a datagram came in by says who sent it, since WireGuard let
 * only that peer's packets through it.
 *
 * The same hello goes by every lane. A peer lives, and is what it says, by the lane that the stack
 * uses too: the first of the site pair's class. On the others it only tells that there is a
 * session, which the peer may not have yet, or not any more, while files are changed on one node
 * after the other. A lane is silent only if hellos are missing on it that came by the first one,
 * so a daemon that is gone changes nothing.
 *
 * The other gateway of this node's own site, its partner, is greeted likewise through the tunnel to
 * it on the LAN. It is none of the peers: nobody is followed to it.
 */
#ifndef NETPAS_BEACON_H
#define NETPAS_BEACON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "hello.h"
#include "role.h"

struct sd_event;
struct beacon;

#define BEACON_DEAD_INTERVALS 3 /* a peer is dead after this many of its intervals in silence */

#define BEACON_SILENT_HELLOS 5 /* a lane is silent after so many that came by the first lane only */

enum beacon_lane {
	BEACON_LANE_NONE,    /* there is no such lane to that peer, or it has no interface */
	BEACON_LANE_UNKNOWN, /* nothing was heard on it yet */
	BEACON_LANE_WORKS,
	BEACON_LANE_SILENT,
};

struct beacon_peer {
	uint16_t id;
	size_t site, gateway; /* in config->mesh.sites */
	bool alive;
	bool active; /* its role in its last hello */
	uint64_t generation;
	uint8_t severity, flags; /* of its last hello (ha/hello.h) */
	uint64_t rival_generation;
	uint64_t digest;
	bool differs;	      /* its last hello had another digest than this node has */
	uint32_t rtt_us;      /* of the last answered hello; 0: none yet */
	uint64_t received_us; /* CLOCK_MONOTONIC of its last hello; 0: none yet */
	uint64_t received;    /* hellos */
};

struct beacon_handlers {
	/* What this node says of itself; asked before every hello. */
	struct role_claim (*self)(void *data);
	/* Liveness, role or generation of a gateway of this remote site changed. */
	void (*site_changed)(size_t site, void *data);
	/* Somebody says that this generation was claimed by this node's own site. */
	void (*seen)(uint64_t generation, void *data);
	/* The partner says hello, and this is its LAN's MAC (ha/hello.h). */
	void (*partner_mac)(const uint8_t mac[static HELLO_MAC_LEN], void *data);
	/* beacon_lane() has changed for a lane. */
	void (*lane_changed)(void *data);
	void *data;
};

int beacon_new(struct sd_event *event, const struct beacon_handlers *handlers,
	       struct beacon **ret_beacon);
void beacon_free(struct beacon *beacon);

/* Talk to the peers of this configuration (borrowed). What is known of peers that stay is kept. */
int beacon_configure(struct beacon *beacon, const struct config *config);

/* Say hello to everybody at once, out of turn: a role change should not wait for the timer. */
void beacon_announce(struct beacon *beacon);

/* What is known of a lane to a peer, through the interface of that index. */
enum beacon_lane beacon_lane(const struct beacon *beacon, uint16_t id, uint8_t lane,
			     unsigned int ifindex);

const struct beacon_peer *beacon_peers(const struct beacon *beacon, size_t *ret_n);

/* The other gateway of this site; NULL: there is none. */
const struct beacon_peer *beacon_partner(const struct beacon *beacon);

/*
 * The highest generation that the other gateway of this node's site claims now, as those say that hear
 * it; 0: it claims nothing. False if nobody who is alive tells.
 */
bool beacon_rival(const struct beacon *beacon, uint64_t *ret_generation);

#endif
