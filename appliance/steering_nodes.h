/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside steering: what is known of each other node. steering_status.c shows it. */
#ifndef NETPAS_STEERING_NODES_H
#define NETPAS_STEERING_NODES_H

#include "forwarding.h"
#include "path.h"
#include "path_choice.h"
#include "path_stats.h"
#include "prober.h"
#include "programs.h"
#include "steering.h"

struct steering_path {
	struct forwarding_way way; /* its interval is what the programs count with */
	uint32_t interval_us;	   /* of the probes that are sent; way's is longer for a while */
	uint64_t shortened_us;	   /* when it was made shorter, until a reply came since; 0: not */
	bool stuck;		   /* requests do not leave the host */
	struct path_stats stats;
	struct path_metrics metrics;
	struct dp_path_state state; /* as last read */
};

struct steering_node {
	uint16_t id;
	size_t site; /* of the configuration; SIZE_MAX: a relay */
	enum config_class class;
	unsigned int lanes;		    /* bits; 0: no tunnel */
	uint8_t lane;			    /* the first of its class */
	unsigned int adopted[DP_LANES_MAX]; /* interfaces that an earlier daemon let be used */
	uint16_t payload;		    /* the longest that its tunnel sends; 0: no tunnel */
	struct steering_path *paths;
	size_t n_paths;
	struct path_choice choice;
	struct path_decision decision;
};

struct steering {
	struct sd_event *event;
	struct netlink *route;
	struct steering_handlers handlers;
	const struct config *config;
	struct programs *programs; /* NULL: none, for this reason: */
	char reason[PROGRAMS_REASON_LEN];
	char problem[PROGRAMS_REASON_LEN]; /* of the last refresh; "" */
	struct forwarding *forwarding;
	struct prober *prober;
	struct steering_node *nodes;
	size_t n_nodes;
	struct forwarding_site *sites; /* by site of the configuration */
	struct sd_event_source *tick;
	struct steering_self self;
};

/* Whether packets may be sent by a lane: its peer has it too, as far as is known. */
bool steering_lane_used(const struct steering *steering, const struct steering_node *node,
			uint8_t lane, unsigned int ifindex);

const char *steering_node_name(const struct config *config, uint16_t id);

#endif
