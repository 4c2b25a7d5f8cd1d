/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/timers.h"

#include <sodium.h>

static uint64_t get(const _Atomic uint64_t *time)
{
	return atomic_load_explicit(time, memory_order_relaxed);
}

static void set(_Atomic uint64_t *time, uint64_t value)
{
	if (get(time) != value)
		atomic_store_explicit(time, value, memory_order_relaxed);
}

static uint32_t jitter_ns(void)
{
	return randombytes_uniform(REKEY_JITTER_MS * 1000000U);
}

void timers_sent(struct timers *timers, bool data, uint64_t now_ns)
{
	set(&timers->unacked_ns, 0);
	if (data && !get(&timers->unanswered_ns))
		set(&timers->unanswered_ns, now_ns);
	set(&timers->traversed_ns, now_ns);
}

void timers_received(struct timers *timers, bool data, uint64_t now_ns)
{
	set(&timers->unanswered_ns, 0);
	if (data && !get(&timers->unacked_ns))
		set(&timers->unacked_ns, now_ns);
	set(&timers->traversed_ns, now_ns);
}

bool timers_may_initiate(const struct timers *timers, uint64_t now_ns)
{
	return !timers->initiation_sent_ns ||
	       now_ns >= timers->initiation_sent_ns + REKEY_TIMEOUT_S * TIMERS_S;
}

void timers_initiation_sent(struct timers *timers, uint64_t now_ns)
{
	timers->initiation_sent_ns = now_ns;
	timers->retry_ns = now_ns + REKEY_TIMEOUT_S * TIMERS_S + jitter_ns();
	set(&timers->traversed_ns, now_ns);
}

void timers_handshake_complete(struct timers *timers)
{
	timers->retry_ns = 0;
	timers->attempts = 0;
	atomic_store_explicit(&timers->last_minute, false, memory_order_relaxed);
}

void timers_session_derived(struct timers *timers, uint64_t now_ns)
{
	timers->zero_ns = now_ns + ZERO_AFTER_TIME_S * TIMERS_S;
	timers->unanswered_jitter_ns = jitter_ns();
}

void timers_stop(struct timers *timers)
{
	set(&timers->unanswered_ns, 0);
	set(&timers->unacked_ns, 0);
	set(&timers->traversed_ns, 0);
	atomic_store_explicit(&timers->last_minute, false, memory_order_relaxed);
	timers->initiation_sent_ns = 0;
	timers->retry_ns = 0;
	timers->zero_ns = 0;
	timers->attempts = 0;
}

/* Of data without answer. */
static uint64_t new_handshake_at(const struct timers *timers)
{
	uint64_t since = get(&timers->unanswered_ns);

	return since ? since + (KEEPALIVE_TIMEOUT_S + REKEY_TIMEOUT_S) * TIMERS_S +
			       timers->unanswered_jitter_ns
		     : UINT64_MAX;
}

static uint64_t keepalive_at(const struct timers *timers)
{
	uint64_t since = get(&timers->unacked_ns);

	return since ? since + KEEPALIVE_TIMEOUT_S * TIMERS_S : UINT64_MAX;
}

static uint64_t persistent_at(const struct timers *timers)
{
	uint64_t since = get(&timers->traversed_ns);

	if (!timers->persistent_s)
		return UINT64_MAX;
	if (since < timers->persistent_ns)
		since = timers->persistent_ns;
	return since + timers->persistent_s * TIMERS_S;
}

unsigned int timers_expire(struct timers *timers, uint64_t now_ns)
{
	unsigned int actions = TIMERS_NOTHING;

	if (timers->retry_ns && now_ns >= timers->retry_ns) {
		timers->retry_ns = 0;
		if (timers->attempts >= HANDSHAKE_ATTEMPTS) {
			actions |= TIMERS_GIVE_UP;
			set(&timers->unacked_ns, 0);
			if (!timers->zero_ns)
				timers->zero_ns = now_ns + ZERO_AFTER_TIME_S * TIMERS_S;
		} else {
			timers->attempts++;
			actions |= TIMERS_RETRY_HANDSHAKE;
		}
	}
	if (now_ns >= new_handshake_at(timers)) {
		set(&timers->unanswered_ns, 0);
		timers->unanswered_jitter_ns = jitter_ns();
		actions |= TIMERS_NEW_HANDSHAKE;
	}
	if (now_ns >= keepalive_at(timers)) {
		set(&timers->unacked_ns, 0);
		actions |= TIMERS_KEEPALIVE;
	}
	if (now_ns >= persistent_at(timers)) {
		timers->persistent_ns = now_ns;
		actions |= TIMERS_KEEPALIVE;
	}
	if (timers->zero_ns && now_ns >= timers->zero_ns) {
		timers->zero_ns = 0;
		actions |= TIMERS_ZERO_KEYS;
	}
	return actions;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t timers_deadline(const struct timers *timers, uint64_t now_ns)
{
	const uint64_t look = TIMERS_LOOK_S * TIMERS_S;
	uint64_t at = earlier(new_handshake_at(timers), keepalive_at(timers));

	at = earlier(at, persistent_at(timers));
	if (timers->retry_ns)
		at = earlier(at, timers->retry_ns);
	/* With a session workers may have something to say; all peers are looked at at one time. */
	if (timers->zero_ns)
		at = earlier(earlier(at, timers->zero_ns), (now_ns / look + 1) * look);
	return at;
}
