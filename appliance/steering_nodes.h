/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside steering: what is known of each other node. steering_status.c shows it. */
#ifndef NETPAS_STEERING_NODES_H
#define NETPAS_STEERING_NODES_H

#include "forwarding.h"
#include "path.h"
#include "path_choice.h"
#include "path_mtu.h"
#include "path_stats.h"
#include "prober.h"
#include "programs.h"
#include "steering.h"

struct steering_path {
	struct forwarding_way way; /* its interval is what the programs count with */
	uint32_t interval_us;	   /* of the probes that are sent; way's is longer for a while */
	uint64_t shortened_us;	   /* when it was made shorter, until a reply came since; 0: not */
	bool stuck;		   /* requests do not leave the host */
	bool carries;		   /* traffic, to a gateway that is followed, or may at once */
	uint16_t payload;	   /* as path_mtu_update() has it */
	uint64_t searched_us, confirmed_us; /* when the search for that began; 0: it is to begin */
	struct path_stats stats;
	struct path_metrics metrics;
	struct dp_path_state state; /* as last read */
};

/* Another path was taken into use. */
struct steering_change {
	uint64_t at_us;
	uint8_t before, after; /* DP_NO_PATH: none, or gone since */
	enum path_reason why;
};
#define STEERING_CHANGES 16

struct steering_node {
	uint16_t id;
	size_t site; /* of the configuration; SIZE_MAX: a relay */
	bool active; /* relays keep this: a gateway that says so */
	enum config_class class;
	unsigned int lanes;		    /* bits; 0: no tunnel */
	uint8_t lane;			    /* the first of its class */
	unsigned int adopted[DP_LANES_MAX]; /* interfaces that an earlier daemon let be used */
	uint16_t payload;		    /* the longest that its tunnel sends; 0: no tunnel */
	uint16_t carry;			    /* the longest that its paths should carry; 0: any */
	struct steering_path *paths;
	size_t n_paths;
	struct path_choice choice;
	struct path_decision decision;
	struct path_mtu mtu;
	struct steering_change changes[STEERING_CHANGES]; /* a ring */
	uint64_t n_changes;				  /* so far */
};

struct steering {
	struct sd_event *event;
	struct netlink *route;
	struct steering_handlers handlers;
	const struct config *config;
	struct programs *programs; /* NULL: none, for this reason: */
	char reason[PROGRAMS_REASON_LEN];
	char problem[PROGRAMS_REASON_LEN]; /* of the last refresh; "" */
	int devices;			   /* as refreshing the programs ended the last time */
	struct forwarding *forwarding;
	struct prober *prober;
	struct steering_node *nodes;
	size_t n_nodes;
	struct forwarding_site *sites; /* by site of the configuration */
	struct sd_event_source *tick;
	struct role_claim self;
	struct ip_addr *own; /* what the host takes for itself beside the configuration's */
	size_t n_own;
	uint32_t stretch; /* intervals of probes are so many times longer; 0: as 1 */
};

struct steering_lane {
	uint8_t number;
	char ifname[CONFIG_IFNAME_LEN];
	unsigned int ifindex; /* 0: there is no such interface now */
	bool used; /* packets may be sent by it: its peer has it too, as far as is known */
};

const char *steering_node_name(const struct config *config, uint16_t id);

/*
 * The nodes of a configuration. What steering knows of the same ones goes with them; of new ones, what
 * an earlier daemon left in the programs' maps. 0 or -ENOMEM.
 */
int steering_nodes_new(const struct steering *s, const struct config *config,
		       struct steering_node **ret_nodes, size_t *ret_n);
void steering_nodes_free(struct steering_node *nodes, size_t n);

/* The lanes by which a node's tunnels run; returns how many. */
size_t steering_lanes(const struct steering *s, const struct steering_node *node,
		      struct steering_lane ret_lanes[static DP_LANES_MAX]);

/* steering_mtu.c: to be called for each path, for each node after the choice, and at a search's end */
void steering_mtu_search(struct steering *s, struct steering_node *node, size_t number,
			 uint64_t now);
bool steering_mtu_update(struct steering *s, struct steering_node *node, uint64_t now);
void steering_mtu_found(struct steering *s, struct steering_node *node, size_t number,
			uint16_t payload);
/* The longest payload that a path may carry, to rank it by; 0: not known. */
uint16_t steering_mtu_known(const struct steering *s, const struct steering_node *node,
			    size_t number);
uint16_t steering_mtu_of_site(const struct steering *s, size_t site); /* 0: not known */
/* Between two padded probes on a path of which nothing new is found. */
uint64_t steering_mtu_period_us(const struct steering_path *path);

/* steering_event.c: tell that another path is taken into use, and what it was compared with. */
void steering_note_choice(const struct steering *s, const struct steering_node *node,
			  const struct path_decision *decision);

/*
 * steering_own.c: read the host's addresses anew. Returns true if they are others than before. On
 * failure those before stay.
 */
bool steering_own_read(struct steering *s);

/* steering_pace.c: how often probes are sent on a path, and what they cost each way. */
#define STEERING_PROBE_BITS_MAX 10000000u /* a second, of all paths */
/* On a relay: note whether the gateway was active when it spoke last, if that is not long ago. */
void steering_pace_hear(const struct steering *s, struct steering_node *node, uint64_t now_us);
bool steering_pace_carries(const struct steering *s, const struct steering_node *node,
			   size_t number);
uint32_t steering_pace_interval_us(const struct steering *s, const struct steering_node *node,
				   size_t number);
uint32_t steering_pace_stretch(const struct steering *s);
double steering_pace_bits(const struct steering_node *node, const struct steering_path *path);

#endif
