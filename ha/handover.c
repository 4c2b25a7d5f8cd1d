/* SPDX-License-Identifier: GPL-2.0-only */
#include "handover.h"

#include <stddef.h>

/*
 * The partner needs three adverts and a bit. It may still have the term of a handover before this
 * one, for as long as HOLD: until its netpasd has written the track file, and three adverts later.
 */
#define TIMEOUT_ADVERTS 10
#define TIMEOUT_US 1500000u
#define HOLD_ADVERTS 1
#define HOLD_US 200000u
/* Health would take back at once what was forced; so much time somebody has to do better. */
#define HOLD_FORCED_US 60000000u

#define STATE(s) (1u << HANDOVER_##s)

const char *const handover_state_names[HANDOVER_STATE_MAX] = {
	[HANDOVER_IDLE] = "idle",     [HANDOVER_GIVING] = "giving", [HANDOVER_GIVEN] = "given",
	[HANDOVER_TAKING] = "taking", [HANDOVER_TAKEN] = "taken",
};

const char *const handover_outcome_names[HANDOVER_OUTCOME_MAX] = {
	[HANDOVER_NONE] = "none",
	[HANDOVER_DONE] = "done",
	[HANDOVER_FAILED] = "failed",
};

uint64_t handover_timeout_us(const struct handover *handover)
{
	return TIMEOUT_US + TIMEOUT_ADVERTS * 1000ull * handover->advert_ms;
}

static void action_ask(struct handover *handover, uint64_t now_us)
{
	handover->outcome = HANDOVER_NONE;
	handover->asked_us = now_us;
	handover->deadline_us = now_us + handover_timeout_us(handover);
}

static void action_done(struct handover *handover, uint64_t now_us)
{
	handover->outcome = HANDOVER_DONE;
	handover->took_us = (uint32_t)(now_us - handover->asked_us);
	handover->deadline_us = now_us + (handover->forced ? HOLD_FORCED_US
							   : HOLD_US + HOLD_ADVERTS * 1000ull *
									       handover->advert_ms);
}

static void action_fail(struct handover *handover, uint64_t now_us)
{
	(void)now_us;
	handover->outcome = HANDOVER_FAILED;
	handover->forced = false;
	handover->deadline_us = 0;
}

static void action_end(struct handover *handover, uint64_t now_us)
{
	(void)now_us;
	handover->forced = false;
	handover->deadline_us = 0;
}

/* What is not listed changes nothing. */
static const struct {
	unsigned int states;
	enum handover_event event;
	void (*action)(struct handover *handover, uint64_t now_us);
	enum handover_state next;
} transitions[] = {
	{ STATE(IDLE) | STATE(TAKEN), HANDOVER_ON_GIVE, action_ask, HANDOVER_GIVING },
	{ STATE(IDLE) | STATE(GIVEN), HANDOVER_ON_TAKE, action_ask, HANDOVER_TAKING },
	{ STATE(GIVING), HANDOVER_ON_LOST, action_done, HANDOVER_GIVEN },
	{ STATE(TAKING), HANDOVER_ON_WON, action_done, HANDOVER_TAKEN },
	{ STATE(GIVING) | STATE(TAKING), HANDOVER_ON_EXPIRED, action_fail, HANDOVER_IDLE },
	{ STATE(GIVING) | STATE(TAKING), HANDOVER_ON_CANCEL, action_fail, HANDOVER_IDLE },
	{ STATE(GIVEN) | STATE(TAKEN), HANDOVER_ON_EXPIRED, action_end, HANDOVER_IDLE },
	{ STATE(GIVEN), HANDOVER_ON_WON, action_end, HANDOVER_IDLE },
	{ STATE(TAKEN), HANDOVER_ON_LOST, action_end, HANDOVER_IDLE },
};

bool handover_event(struct handover *handover, enum handover_event event, uint64_t now_us)
{
	for (size_t i = 0; i < sizeof(transitions) / sizeof(transitions[0]); i++) {
		if (transitions[i].event != event ||
		    !(transitions[i].states & 1u << handover->state))
			continue;
		transitions[i].action(handover, now_us);
		handover->state = transitions[i].next;
		return true;
	}
	return false;
}

int handover_term(const struct handover *handover)
{
	const int size = handover->forced ? HANDOVER_TERM_FORCED : HANDOVER_TERM;

	if (handover->draining)
		return -HANDOVER_TERM_DRAIN;
	switch (handover->state) {
	case HANDOVER_GIVING:
	case HANDOVER_GIVEN:
		return -size;
	case HANDOVER_TAKING:
	case HANDOVER_TAKEN:
		return size;
	case HANDOVER_IDLE:
	case HANDOVER_STATE_MAX:
		break;
	}
	return 0;
}
