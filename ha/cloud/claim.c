/* SPDX-License-Identifier: GPL-2.0-only */
#include "claim.h"

#include <string.h>

#define LEASE_INTERVALS 3 /* without confirmation */

const char *const claim_state_names[CLAIM_STATE_MAX] = {
	[CLAIM_IDLE] = "idle",	     [CLAIM_CLAIMING] = "claiming",
	[CLAIM_READING] = "reading", [CLAIM_ASSERTING] = "asserting",
	[CLAIM_HELD] = "held",	     [CLAIM_OVERRULED] = "overruled",
	[CLAIM_WAITING] = "waiting",
};

#define STATE(s) (1u << CLAIM_##s)
#define ANY ((1u << CLAIM_STATE_MAX) - 1)
#define BUSY (STATE(CLAIMING) | STATE(READING) | STATE(ASSERTING))

static void set_held(struct claim *claim, bool held, int64_t now_ms)
{
	if (claim->held != held)
		claim->since_ms = now_ms;
	claim->held = held;
}

/* xorshift64*, for jitter alone. */
static uint64_t random_next(struct claim *claim)
{
	claim->random ^= claim->random >> 12;
	claim->random ^= claim->random << 25;
	claim->random ^= claim->random >> 27;
	return claim->random * 0x2545f4914f6cdd1d;
}

/* Half of it, and any part of the other half. */
static int64_t jitter(struct claim *claim, int64_t ms)
{
	return ms / 2 + (int64_t)(random_next(claim) % (uint64_t)(ms / 2 + 1));
}

static void on_begin(struct claim *claim, uint32_t wait_ms, int64_t now_ms)
{
	(void)wait_ms;
	claim->backoff = 0;
	claim->looks = 0;
	claim->claimed = false;
	claim->asserted = false;
	set_held(claim, false, now_ms);
}

static void on_idle(struct claim *claim, uint32_t wait_ms, int64_t now_ms)
{
	on_begin(claim, wait_ms, now_ms);
	claim->due_ms = now_ms + jitter(claim, CLAIM_LOOK_MS);
}

static void on_wait(struct claim *claim, uint32_t wait_ms, int64_t now_ms)
{
	int64_t delay = CLAIM_BACKOFF_MAX_MS;

	if (claim->backoff < 7)
		delay = (int64_t)CLAIM_BACKOFF_MIN_MS << claim->backoff;
	if (delay > CLAIM_BACKOFF_MAX_MS)
		delay = CLAIM_BACKOFF_MAX_MS;
	claim->backoff++;
	claim->looks = 0;
	claim->claimed = false;
	claim->asserted = false;
	delay = jitter(claim, delay);
	claim->due_ms = now_ms + (delay > wait_ms ? delay : wait_ms);
}

static void on_claimed(struct claim *claim, uint32_t wait_ms, int64_t now_ms)
{
	(void)wait_ms;
	(void)now_ms;
	claim->claimed = true;
}

static void on_asserted(struct claim *claim, uint32_t wait_ms, int64_t now_ms)
{
	(void)wait_ms;
	(void)now_ms;
	claim->asserted = true;
}

static void on_held(struct claim *claim, uint32_t wait_ms, int64_t now_ms)
{
	int64_t delay = claim->verify_ms;

	(void)wait_ms;
	if (claim->looks < 16 && ((int64_t)CLAIM_SETTLE_MS << claim->looks) < delay)
		delay = (int64_t)CLAIM_SETTLE_MS << claim->looks;
	claim->looks++;
	claim->backoff = 0;
	claim->claimed = false;
	claim->asserted = false;
	claim->confirmed_ms = now_ms;
	set_held(claim, true, now_ms);
	claim->due_ms = now_ms + delay;
}

static void on_lost(struct claim *claim, uint32_t wait_ms, int64_t now_ms)
{
	(void)wait_ms;
	claim->looks = 0;
	set_held(claim, false, now_ms);
}

static void on_overruled(struct claim *claim, uint32_t wait_ms, int64_t now_ms)
{
	on_lost(claim, wait_ms, now_ms);
	claim->due_ms = now_ms + claim->verify_ms;
}

static void on_nothing(struct claim *claim, uint32_t wait_ms, int64_t now_ms)
{
	(void)claim;
	(void)wait_ms;
	(void)now_ms;
}

/* What is read of a claim or an item that was just written and is not there: first match wins. */
static bool is_first(const struct claim *claim, enum claim_event event)
{
	return event == CLAIM_EVENT_UNCLAIMED ? !claim->claimed : !claim->asserted;
}

static bool is_any(const struct claim *claim, enum claim_event event)
{
	(void)claim;
	(void)event;
	return true;
}

static const struct {
	unsigned int states;
	enum claim_event event;
	bool (*guard)(const struct claim *claim, enum claim_event event);
	void (*action)(struct claim *claim, uint32_t wait_ms, int64_t now_ms);
	enum claim_state next;
} transitions[] = {
	{ ANY, CLAIM_EVENT_ACTIVE, is_any, on_begin, CLAIM_CLAIMING },
	{ ANY & ~STATE(IDLE), CLAIM_EVENT_STANDBY, is_any, on_idle, CLAIM_IDLE },
	{ STATE(CLAIMING), CLAIM_EVENT_WRITTEN, is_any, on_claimed, CLAIM_READING },
	{ STATE(ASSERTING), CLAIM_EVENT_WRITTEN, is_any, on_asserted, CLAIM_READING },
	{ STATE(READING), CLAIM_EVENT_HELD, is_any, on_held, CLAIM_HELD },
	{ STATE(READING), CLAIM_EVENT_OVERRULED, is_any, on_overruled, CLAIM_OVERRULED },
	{ STATE(READING), CLAIM_EVENT_UNCLAIMED, is_first, on_lost, CLAIM_CLAIMING },
	{ STATE(READING), CLAIM_EVENT_UNCLAIMED, is_any, on_wait, CLAIM_WAITING },
	{ STATE(READING), CLAIM_EVENT_MISPLACED, is_first, on_lost, CLAIM_ASSERTING },
	{ STATE(READING), CLAIM_EVENT_MISPLACED, is_any, on_wait, CLAIM_WAITING },
	{ BUSY, CLAIM_EVENT_FAILED, is_any, on_wait, CLAIM_WAITING },
	{ STATE(WAITING) | STATE(HELD) | STATE(OVERRULED), CLAIM_EVENT_TIMER, is_any, on_nothing,
	  CLAIM_READING },
	{ STATE(IDLE), CLAIM_EVENT_TIMER, is_any, on_idle, CLAIM_IDLE },
};

void claim_take(struct claim *claim, enum claim_event event, uint32_t wait_ms, int64_t now_ms)
{
	for (size_t i = 0; i < sizeof(transitions) / sizeof(transitions[0]); i++) {
		if (transitions[i].event != event ||
		    !(transitions[i].states & 1u << claim->state) ||
		    !transitions[i].guard(claim, event))
			continue;
		transitions[i].action(claim, wait_ms, now_ms);
		claim->state = transitions[i].next;
		return;
	}
}

void claim_init(struct claim *claim, const char *node, uint32_t verify_ms, uint64_t seed,
		int64_t now_ms)
{
	*claim = (struct claim){
		.node = node,
		.verify_ms = verify_ms,
		.random = seed * 2 + 1, /* never 0 */
		.state = CLAIM_IDLE,
		.since_ms = now_ms,
		.due_ms = now_ms, /* look at once: what others claim is to be known before */
	};
}

void claim_role(struct claim *claim, bool active, uint64_t generation, int64_t now_ms)
{
	if (!active) {
		claim_take(claim, CLAIM_EVENT_STANDBY, 0, now_ms);
		return;
	}
	if (claim->state != CLAIM_IDLE && claim->generation == generation)
		return;
	claim->generation = generation;
	claim_take(claim, CLAIM_EVENT_ACTIVE, 0, now_ms);
}

bool claim_outranked(const char *node, uint64_t generation, const struct cloud_view *view)
{
	return *view->rival &&
	       (view->rival_generation > generation ||
		(view->rival_generation == generation && strcmp(view->rival, node) < 0));
}

enum claim_event claim_judge(const struct claim *claim, const struct cloud_view *view)
{
	if (claim_outranked(claim->node, claim->generation, view))
		return CLAIM_EVENT_OVERRULED;
	if (view->own_generation != claim->generation)
		return CLAIM_EVENT_UNCLAIMED;
	return view->misplaced ? CLAIM_EVENT_MISPLACED : CLAIM_EVENT_HELD;
}

enum claim_work claim_work(struct claim *claim, int64_t now_ms, int64_t *ret_delay_ms)
{
	const int64_t lease = (int64_t)claim->verify_ms * LEASE_INTERVALS;
	int64_t until = claim->due_ms;

	*ret_delay_ms = 0;
	if (claim->held && now_ms - claim->confirmed_ms >= lease)
		set_held(claim, false, now_ms);
	switch (claim->state) {
	case CLAIM_CLAIMING:
		return CLAIM_WORK_CLAIM;
	case CLAIM_READING:
		return CLAIM_WORK_READ;
	case CLAIM_ASSERTING:
		return CLAIM_WORK_ASSERT;
	case CLAIM_IDLE:
	case CLAIM_HELD:
	case CLAIM_OVERRULED:
	case CLAIM_WAITING:
		break;
	case CLAIM_STATE_MAX:
		return CLAIM_WORK_NONE;
	}
	if (now_ms >= claim->due_ms) {
		const bool idle = claim->state == CLAIM_IDLE;

		claim_take(claim, CLAIM_EVENT_TIMER, 0, now_ms);
		return idle ? CLAIM_WORK_LOOK : CLAIM_WORK_READ;
	}
	if (claim->held && claim->confirmed_ms + lease < until)
		until = claim->confirmed_ms + lease;
	*ret_delay_ms = until - now_ms;
	return CLAIM_WORK_NONE;
}
