/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When to claim, to assert and to look again: what an active gateway does until its provider
 * agrees, and while it does. Pure: no clock, no network, no memory of its own.
 *
 *	            ACTIVE            WRITTEN           MISPLACED
 *	  idle ------------> claiming -------> reading -----------> asserting
 *	   ^                    ^               ^  |  ^                 |
 *	   |                    '- UNCLAIMED ---|--'  '---- WRITTEN ----'
 *	   |                                    |  |
 *	   | STANDBY              TIMER         |  +-- HELD --------> held
 *	 (any state)   held, waiting, overruled-'  +-- OVERRULED ---> overruled
 *	                                           '-- FAILED, or what was done is undone --> waiting
 *
 * - The claim is written first, into a record of this node's own, and everybody's claims are read
 *   after that: of two that claim at once at least one sees the other, and the lower one gives way.
 * - "held" is what the provider said when it was last asked, never what was asked of it. It ends
 *   when it could not be confirmed for three intervals.
 * - A provider that says "done" and has not done it (or whose reads lag behind) is asked again, later
 *   each time.
 * - Equal generations: the node whose name sorts first has it.
 */
#ifndef NETPAS_CLOUD_CLAIM_H
#define NETPAS_CLOUD_CLAIM_H

#include "cloud.h"

enum claim_state {
	CLAIM_IDLE,
	CLAIM_CLAIMING,
	CLAIM_READING,
	CLAIM_ASSERTING,
	CLAIM_HELD,
	CLAIM_OVERRULED, /* somebody else's claim is higher */
	CLAIM_WAITING,	 /* before the next try */
	CLAIM_STATE_MAX,
};
extern const char *const claim_state_names[CLAIM_STATE_MAX];

enum claim_event {
	CLAIM_EVENT_ACTIVE,
	CLAIM_EVENT_STANDBY,
	CLAIM_EVENT_WRITTEN, /* the provider accepted a claim or an assertion */
	CLAIM_EVENT_FAILED,
	CLAIM_EVENT_TIMER,
	CLAIM_EVENT_HELD, /* these four: what was read, by claim_judge() */
	CLAIM_EVENT_MISPLACED,
	CLAIM_EVENT_UNCLAIMED,
	CLAIM_EVENT_OVERRULED,
	CLAIM_EVENT_MAX,
};

#define CLAIM_BACKOFF_MIN_MS 250
#define CLAIM_BACKOFF_MAX_MS 30000
#define CLAIM_SETTLE_MS 1000 /* first look after all was found in place; doubles */
#define CLAIM_LOOK_MS 300000 /* while standby: credentials and permissions are tried */
#define CLAIM_FRESH_MS 5000  /* a view older than this is not acted upon */

struct claim {
	const char *node; /* borrowed */
	uint32_t verify_ms;
	uint64_t random; /* state of the jitter */
	enum claim_state state;
	uint64_t generation; /* of this node's role; 0: never active */
	bool held;	     /* confirmed by the provider, and not too long ago */
	int64_t since_ms;    /* held, or not, since then */
	int64_t confirmed_ms;
	int64_t due_ms;		/* of the timer */
	unsigned int backoff;	/* failures in a row */
	unsigned int looks;	/* confirmations in a row */
	bool claimed, asserted; /* written since the last failure: to find it undone is one */
};

enum claim_work {
	CLAIM_WORK_NONE, /* until *ret_delay_ms have passed */
	CLAIM_WORK_LOOK, /* read, for what can be learned while standby */
	CLAIM_WORK_CLAIM,
	CLAIM_WORK_READ,
	CLAIM_WORK_ASSERT,
};

/* Times are milliseconds of a monotonic clock. seed: makes the jitter of nodes differ. */
void claim_init(struct claim *claim, const char *node, uint32_t verify_ms, uint64_t seed,
		int64_t now_ms);

/* This node's role. A new generation begins anew; the same again changes nothing. */
void claim_role(struct claim *claim, bool active, uint64_t generation, int64_t now_ms);

/* Is there somebody whose claim is above this one? */
bool claim_outranked(const char *node, uint64_t generation, const struct cloud_view *view);

/* What comes of a view. */
enum claim_event claim_judge(const struct claim *claim, const struct cloud_view *view);

/*
 * The one writer of claim->state. wait_ms: the least until the next try, as asked by the provider
 * (0: nothing). Events that do not belong to the state change nothing.
 */
void claim_take(struct claim *claim, enum claim_event event, uint32_t wait_ms, int64_t now_ms);

/* What is to be done now. */
enum claim_work claim_work(struct claim *claim, int64_t now_ms, int64_t *ret_delay_ms);

#endif
