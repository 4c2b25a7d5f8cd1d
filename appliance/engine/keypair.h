/* SPDX-License-Identifier: GPL-2.0-only */
/* A session: what a handshake leaves behind. Workers use it without a lock, but for the window. */
#ifndef ENGINE_KEYPAIR_H
#define ENGINE_KEYPAIR_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/message.h"
#include "engine/replay.h"
#include "engine/retire.h"
#include "engine/timers.h"

struct peer;

struct keypair {
	struct retired retired;
	struct peer *peer;
	uint32_t local_index;
	uint32_t remote_index;
	bool initiator;
	uint64_t created_ns;
	uint8_t send_key[MESSAGE_KEY_LEN];
	uint8_t receive_key[MESSAGE_KEY_LEN];
	_Atomic bool dead; /* the interface has another key: send no more with it */
	_Alignas(64) _Atomic uint64_t counter; /* of the next packet sent */
	_Alignas(64) pthread_mutex_t lock;     /* of replay */
	struct replay replay;
};

static inline bool keypair_expired(const struct keypair *keypair, uint64_t now_ns)
{
	return now_ns >= keypair->created_ns + REJECT_AFTER_TIME_S * TIMERS_S;
}

/* Packets may still be sent with it. */
static inline bool keypair_sends(struct keypair *keypair, uint64_t now_ns)
{
	return keypair && !keypair_expired(keypair, now_ns) &&
	       !atomic_load_explicit(&keypair->dead, memory_order_relaxed) &&
	       atomic_load_explicit(&keypair->counter, memory_order_relaxed) < REPLAY_COUNTER_MAX;
}

/* After sending: a new session is due. */
static inline bool keypair_sent_enough(struct keypair *keypair, uint64_t now_ns)
{
	return (keypair->initiator &&
		now_ns >= keypair->created_ns + REKEY_AFTER_TIME_S * TIMERS_S) ||
	       atomic_load_explicit(&keypair->counter, memory_order_relaxed) > REKEY_AFTER_MESSAGES;
}

/* After receiving: its last minute, in which what we would answer is lost with it. */
static inline bool keypair_received_late(const struct keypair *keypair, uint64_t now_ns)
{
	return keypair->initiator &&
	       now_ns >= keypair->created_ns +
				 (REJECT_AFTER_TIME_S - KEEPALIVE_TIMEOUT_S - REKEY_TIMEOUT_S) *
					 TIMERS_S;
}

#endif
