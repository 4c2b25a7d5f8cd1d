/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sends probe requests (struct dp_probe) on every path, and takes the samples that replies make.
 * The programs do the rest: wan_egress numbers, stamps and signs what is sent here, wan_xdp
 * answers, takes replies and keeps the paths' states. If this stops, so does the clock by which
 * paths die, and the last choice stays.
 *
 * Each path has its interval, and its place in it: paths are spread so that there are no bursts.
 * What was missed, as the process was held up, is left out and not made up for.
 *
 * Padded probes find what a path carries: the reply is as long as the request, so one that comes
 * tells of both directions. What was found the last time is tried first, then the longest; if it
 * fails three times (what was found, five times: that it holds is asked often, and a path that
 * loses packets is not narrow), the border is searched by halves. A path that is silent altogether says nothing
 * about lengths, so tries wait while normal probes are not answered either.
 */
#ifndef NETPAS_PROBER_H
#define NETPAS_PROBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane.h"
#include "ip.h"

struct prober;
struct sd_event;

#define PROBER_MTU_TRIES 3
#define PROBER_MTU_KNOWN_TRIES 5
#define PROBER_MTU_PACE_US 200000u /* between two tries, and how long a reply may take at least */

struct prober_path {
	uint16_t node;
	uint8_t number;
	struct ip_addr local, remote; /* of one family */
	unsigned int ifindex;	      /* 0: no route, nothing is sent */
	uint16_t source_port, destination_port;
	uint32_t interval_us; /* 0: none are sent by time */
};

struct prober_handlers {
	/*
	 * For each reply. Padded probes that were not answered are taken out of `sent` (but they
	 * have numbers in `sequence`): a search of the MTU loses packets that the path is not to
	 * blame for.
	 */
	void (*sample)(const struct dp_sample *sample, void *data);
	/* A search ended: the longest UDP payload, in bytes; 0: not even the least one arrived. */
	void (*payload)(uint16_t node, uint8_t path, uint16_t payload, void *data);
	/*
	 * Requests on this path do not leave the host any more, or do again: no carrier, no
	 * answer to ARP, no route. Then the programs' clock for this path stands still, and it
	 * would live for ever: tell them that it has no way (forwarding_way's hop.ifindex 0), but
	 * leave prober_path's ifindex, so that it is noticed when requests leave again. Needs the map dp_path_states; may be NULL.
	 */
	void (*leaving)(uint16_t node, uint8_t path, bool leaves, void *data);
	int states; /* map dp_path_states, borrowed; 0: none */
	void *data;
};

/*
 * Handlers must not call prober_configure() or prober_free().
 * samples: map dp_samples, borrowed. What is in it already is of nobody's interest.
 * 0 or -errno.
 */
int prober_new(struct sd_event *event, int samples, const struct prober_handlers *handlers,
	       struct prober **ret_prober);
void prober_free(struct prober *prober);

/*
 * The paths, of node `self`. Those that stay (by node, number and addresses) keep their time and
 * their search. 0 or -ENOMEM (then those before stay).
 */
int prober_configure(struct prober *prober, uint16_t self, const struct prober_path *paths,
		     size_t n);

/*
 * A path's interval (it carries traffic now, or no more), and what the next requests say of the
 * other direction, in millionths (dataplane.h). -ENOENT.
 */
int prober_tune(struct prober *prober, uint16_t node, uint8_t path, uint32_t interval_us,
		uint32_t loss_ppm);

/* One on every path at once: a role change should not wait. */
void prober_announce(struct prober *prober);

/*
 * Find the longest payload from `least` to `most` that the path carries, slowly. A search that is
 * under way begins anew. 0, -ENOENT, -EINVAL.
 */
int prober_search_mtu(struct prober *prober, uint16_t node, uint8_t path, uint16_t least,
		      uint16_t most);

/*
 * Does the path still carry what the last search found? One padded probe if it does; else the
 * search is done again. Nothing if one is under way, or none has ended with a length. -ENOENT.
 */
int prober_confirm_mtu(struct prober *prober, uint16_t node, uint8_t path);

struct prober_status {
	uint64_t sent, failed; /* requests; sends that the kernel refused */
	int error;	       /* of the last refusal, -errno; 0: none */
	bool searching;
	bool stuck;	     /* requests do not leave the host */
	uint16_t payload;    /* found by the last search that ended; 0: none */
	uint16_t limit;	     /* by the search under way: it carries no more than this; 0: it may */
	uint32_t unanswered; /* padded requests that were lost: no loss of the path's */
};

/* -ENOENT */
int prober_get(const struct prober *prober, uint16_t node, uint8_t path,
	       struct prober_status *ret_status);

#endif
