/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changes of the active gateway that somebody asked for. What moves mastership is a term that this
 * gateway adds to the number in keepalived's track file; this says which, and when it ends. Pure:
 * the caller brings the time.
 *
 *	        GIVE                  LOST
 *	idle ---------> giving ----------------> given --- EXPIRED --> idle
 *	 | |               '--- EXPIRED, CANCEL --> idle
 *	 | |     TAKE                 WON
 *	 | '----------> taking ----------------> taken --- EXPIRED --> idle
 *	 |                 '--- EXPIRED, CANCEL --> idle
 *
 * WON and LOST are this gateway's becoming active and no longer being it, whoever caused that:
 * given --- WON --> idle, taken --- LOST --> idle. In "given" and "taken" the term stays for as long
 * as the other end may need to write its own track file: until then each would lead the other's
 * priority the wrong way, and what was handed over would come back.
 *
 * Draining stands beside that: a term by which the partner is preferred whatever its state, as long
 * as it is there.
 */
#ifndef NETPAS_HANDOVER_H
#define NETPAS_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

enum handover_state {
	HANDOVER_IDLE,
	HANDOVER_GIVING, /* active, and asked to be it no more */
	HANDOVER_GIVEN,
	HANDOVER_TAKING, /* standby, and asked to become active */
	HANDOVER_TAKEN,
	HANDOVER_STATE_MAX,
};
extern const char *const handover_state_names[HANDOVER_STATE_MAX];

enum handover_event {
	HANDOVER_ON_GIVE,
	HANDOVER_ON_TAKE,
	HANDOVER_ON_WON,
	HANDOVER_ON_LOST,
	HANDOVER_ON_EXPIRED,
	HANDOVER_ON_CANCEL,
	HANDOVER_EVENT_MAX,
};

/* Of the last one that was asked for. */
enum handover_outcome {
	HANDOVER_NONE, /* there was none, or it is under way */
	HANDOVER_DONE,
	HANDOVER_FAILED, /* mastership did not move in time, or somebody cancelled */
	HANDOVER_OUTCOME_MAX,
};
extern const char *const handover_outcome_names[HANDOVER_OUTCOME_MAX];

/*
 * Terms are even: the lowest bit of the number in the track file tells whether this node is active.
 * A severity of 2 in either gateway outweighs an ordinary handover, none a forced one.
 */
#define HANDOVER_TERM 2
#define HANDOVER_TERM_FORCED 124
#define HANDOVER_TERM_DRAIN 98 /* only the worst severity, 100, comes after it */

struct handover {
	enum handover_state state;
	enum handover_outcome outcome;
	bool forced; /* whatever the health of both */
	bool draining;
	uint32_t advert_ms; /* VRRP interval: how long things take */
	uint64_t asked_us;
	uint64_t deadline_us; /* of the state; 0: none */
	uint32_t took_us;     /* from asked to WON or LOST, of the last one that was done */
};

/* The one writer of handover->state. Returns true if it changed. */
bool handover_event(struct handover *handover, enum handover_event event, uint64_t now_us);

/* How long one may take before it counts as failed. */
uint64_t handover_timeout_us(const struct handover *handover);

/* What this node adds to its number in the track file. */
int handover_term(const struct handover *handover);

#endif
