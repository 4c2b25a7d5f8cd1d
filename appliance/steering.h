/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which way packets to other nodes take: owns the programs in the kernel (programs.h), what they
 * forward by (forwarding.h), the probes (prober.h), and for each other node what is known of its
 * paths and which of them are chosen (path_stats.h, path_choice.h).
 *
 * The kernel acts on a dead path by itself, packet by packet; here is decided ten times a second
 * which order it looks in. If the programs cannot run, or the configuration does not want them,
 * there is no steering: tunnels go their direct way, and that is shown with the reason.
 */
#ifndef NETPAS_STEERING_H
#define NETPAS_STEERING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "beacon.h"
#include "config.h"
#include "role.h"

struct netlink;
struct sd_event;
struct steering;

struct steering_handlers {
	struct role_claim (*self)(void *data); /* what this node says of itself in probes */
	/*
	 * Id of the gateway that is followed at this remote site, and the highest generation that
	 * was seen there. The site may be of a configuration that is not in force yet.
	 */
	uint16_t (*followed)(const struct config_site *site, uint64_t *ret_seen, void *data);
	/* Whether a peer is heard on a lane, by the interface of that index. */
	enum beacon_lane (*lane)(uint16_t peer_id, uint8_t lane, unsigned int ifindex, void *data);
	/* The tunnel's MTU to a gateway that is in force now; 0: there is none yet. */
	uint16_t (*mtu_in_force)(uint16_t node, void *data);
	/* That of steering_mtu() has changed for some gateway. */
	void (*mtu_changed)(void *data);
	void *data;
};

/* route: command socket, borrowed. 0 or -errno. */
int steering_new(struct sd_event *event, struct netlink *route,
		 const struct steering_handlers *handlers, struct steering **ret_steering);

/* Programs and maps go on forwarding. NULL is fine. */
void steering_free(struct steering *steering);

/*
 * Steer by this configuration (borrowed until the next call), or look again at interfaces and
 * routes if it is the same. Never fatal: what is missing is in the status.
 */
void steering_configure(struct steering *steering, const struct config *config);

/*
 * Now and then: repair maps that somebody else has changed, and look at the host's addresses. Maps of
 * very many entries are not looked at.
 */
void steering_check(struct steering *steering);

/* Role, the followed gateway of a site, or a lane has changed: tell programs and peers now. */
void steering_announce(struct steering *steering);

/* What the tunnel's MTU to a gateway should be; 0: as configured, nothing else is known. */
uint16_t steering_mtu(const struct steering *steering, uint16_t node);

/* Why it is that, for people: "configured", "path 3 carries no more", ... */
#define STEERING_REASON_LEN 64
const char *steering_mtu_reason(const struct steering *steering, uint16_t node,
				char buf[static STEERING_REASON_LEN]);

/* Remove programs and maps from the kernel; also those of an earlier daemon. 0 or -errno. */
int steering_down(struct steering *steering);

/* What the fast path has carried, past the counters of the filter. Zeroes where there is none. */
struct steering_count {
	uint64_t packets, bytes;
};
void steering_carried(const struct steering *steering, struct steering_count *ret_to_mesh,
		      struct steering_count *ret_from_mesh);

/* What probes say of this node's own WAN. */
struct steering_wan {
	bool known; /* there are paths, and all of them had the time to be heard on */
	bool stuck; /* on none of them do probes leave the host */
	/*
	 * Remote sites, and relays that probed this node until paths died; those of them with a path
	 * that is alive, or that probe it still. Relays are not looked at while a site is reached.
	 */
	unsigned int ends, ends_alive;
};
void steering_wan(const struct steering *steering, struct steering_wan *ret_wan);

/* A path to this node is alive; it says that it is active, and probes by itself: its daemon lives. */
bool steering_reaches(const struct steering *steering, uint16_t node);
bool steering_hears_active(const struct steering *steering, uint16_t node);

/* Programs are not where they should be, and why, as of the last look. */
bool steering_incomplete(const struct steering *steering, char *reason, size_t size);

/* For `netpas status`, `netpas paths`, `netpas drops`. New references. */
json_t *steering_status(struct steering *steering, json_t *problems);
json_t *steering_paths(struct steering *steering);
json_t *steering_drops(struct steering *steering);

/*
 * Array of {"program", "runs", "seconds"}: what the programs have cost, since they were loaded, if the kernel
 * measures it (sysctl kernel.bpf_stats_enabled); else empty.
 */
json_t *steering_run_times(const struct steering *steering);
/* At a relay: what each node sent to each other one, the most first. */
json_t *steering_relayed(const struct steering *steering);

#endif
