/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The timers of a peer (WireGuard paper, 6). Workers only note what happened, in a few atomic words;
 * the control thread works out what is due. Nothing that a worker notes is due before TIMERS_LOOK_S, so
 * it is enough to look that often, and to sleep until the earliest deadline. Times are nanoseconds of a
 * clock that does not go back, never 0; a time of 0 means "not".
 */
#ifndef ENGINE_TIMERS_H
#define ENGINE_TIMERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	REKEY_AFTER_TIME_S = 120,
	REJECT_AFTER_TIME_S = 180,
	REKEY_ATTEMPT_TIME_S = 90,
	REKEY_TIMEOUT_S = 5,
	KEEPALIVE_TIMEOUT_S = 10,
	ZERO_AFTER_TIME_S = 3 * REJECT_AFTER_TIME_S,
	REKEY_JITTER_MS = 334,
	HANDSHAKE_ATTEMPTS = REKEY_ATTEMPT_TIME_S / REKEY_TIMEOUT_S,
	/* An initiation counts against a flood of valid ones: at most 50 a second of a peer. */
	INITIATIONS_PER_S = 50,
	TIMERS_LOOK_S = 5,
};

#define REKEY_AFTER_MESSAGES (1ULL << 60)
#define TIMERS_S 1000000000ULL

enum timers_action {
	TIMERS_NOTHING = 0,
	TIMERS_NEW_HANDSHAKE =
		1 << 0, /* data was sent and nothing came: forget its source address too */
	TIMERS_RETRY_HANDSHAKE = 1 << 1, /* no response */
	TIMERS_GIVE_UP = 1 << 2,	 /* none for REKEY_ATTEMPT_TIME: what waits is dropped */
	TIMERS_KEEPALIVE = 1 << 3,
	TIMERS_ZERO_KEYS = 1 << 4,
};

struct timers {
	/* Written by workers. */
	_Atomic uint64_t unanswered_ns; /* data sent, nothing authentic received since */
	_Atomic uint64_t unacked_ns;	/* data received, nothing authentic sent since */
	_Atomic uint64_t traversed_ns;	/* something authentic, either way */
	_Atomic bool
		last_minute; /* a handshake was asked for as the receiving key is about to end */
	/* The control thread's. */
	uint64_t initiation_sent_ns;
	uint64_t retry_ns;
	uint64_t zero_ns;
	uint64_t persistent_ns; /* the last one that was due */
	uint32_t unanswered_jitter_ns;
	unsigned int attempts;
	uint16_t persistent_s; /* 0: off */
};

/* By workers; from the control thread too. `data`: not a keepalive. */
void timers_sent(struct timers *timers, bool data, uint64_t now_ns);
void timers_received(struct timers *timers, bool data, uint64_t now_ns);

/* By the control thread. */
void timers_initiation_sent(struct timers *timers, uint64_t now_ns);
void timers_handshake_complete(struct timers *timers);
void timers_session_derived(struct timers *timers, uint64_t now_ns);
void timers_stop(struct timers *timers);

/* Not within REKEY_TIMEOUT of the last one. */
bool timers_may_initiate(const struct timers *timers, uint64_t now_ns);

/* What is due, as a set of enum timers_action; each is reported once. */
unsigned int timers_expire(struct timers *timers, uint64_t now_ns);

/* When to call timers_expire() next; UINT64_MAX: nothing is awaited. */
uint64_t timers_deadline(const struct timers *timers, uint64_t now_ns);

#endif
