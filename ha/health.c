/* SPDX-License-Identifier: GPL-2.0-only */
#include "health.h"

#include <stdio.h>

#include "keepalived.h"

/* By so much more than the two can differ the one with the VIPs waits, or its partner. */
#define SHARED_ONSET_MS 200
#define SHARED_CLEAR_MS 2000
#define SHARED_ADVERTS 2

const char *const health_state_names[HEALTH_STATE_MAX] = {
	[HEALTH_OK] = "ok",
	[HEALTH_SUSPECT] = "suspect",
	[HEALTH_BAD] = "fault",
	[HEALTH_RECOVERING] = "recovering",
};

/*
 * Whom the faults hit, and whether both have them:
 *
 * lan		This gateway serves nobody. Its own: a LAN that is dead for both parts them, and then
 *		severities reach nobody.
 * wan		Likewise. The provider of both may be dead, so it is taken for shared.
 * engine	One site or more is not reached from here, until another engine has a session. Its own.
 * tunnel	Likewise, and nobody knows whose fault it is; the partner's tunnel ends in other engines
 *		at both ends. What is only out of order is repaired before it counts.
 * remote	Goes with a dead WAN; alone it is a far site that is dead, for both.
 * programs	No choice of paths, or the slow way through the stack.
 * repair	Something is not as the configuration says.
 * memory	Packets pass, until something needs memory.
 * keepalived	Cannot hold on to the VIPs.
 * clock	Sessions live on for three minutes, and peers may begin new ones. A time server that is
 *		wrong sets both back.
 * disk		A claim cannot be written down; a restart would forget it.
 */
const struct health_rule health_rules[HEALTH_FAULT_MAX] = {
	[HEALTH_LAN] = { "lan", "LAN dead", 60, 0, 2000, false },
	[HEALTH_WAN] = { "wan", "WAN dead", 40, 0, 3000, true },
	[HEALTH_ENGINE] = { "engine", "tunnel engine hung", 30, 0, 5000, false },
	[HEALTH_TUNNEL] = { "tunnel", "tunnel silent", 24, 4000, 5000, true },
	[HEALTH_REMOTE] = { "remote", "no remote gateway heard", 20, 0, 1000, true },
	[HEALTH_PROGRAMS] = { "programs", "data plane programs missing", 14, 2000, 5000, false },
	[HEALTH_REPAIR] = { "repair", "kernel not as configured", 12, 3000, 5000, false },
	[HEALTH_MEMORY] = { "memory", "memory short", 10, 5000, 30000, false },
	[HEALTH_KEEPALIVED] = { "keepalived", "keepalived fails", 8, 3000, 60000, false },
	[HEALTH_CLOCK] = { "clock", "clock stepped back", 6, 0, 10000, true },
	[HEALTH_DISK] = { "disk", "state cannot be written", 4, 0, 30000, false },
};

enum event {
	EVENT_BAD,
	EVENT_GOOD,
	EVENT_HELD, /* the state lasts for as long as its rule says */
};

#define STATE(s) (1u << HEALTH_##s)

static const struct {
	unsigned int states;
	enum event event;
	enum health_state next;
} transitions[] = {
	{ STATE(OK), EVENT_BAD, HEALTH_SUSPECT },     { STATE(SUSPECT), EVENT_GOOD, HEALTH_OK },
	{ STATE(SUSPECT), EVENT_HELD, HEALTH_BAD },   { STATE(BAD), EVENT_GOOD, HEALTH_RECOVERING },
	{ STATE(RECOVERING), EVENT_BAD, HEALTH_BAD }, { STATE(RECOVERING), EVENT_HELD, HEALTH_OK },
};

/* The one writer of entry->state. */
static bool change(struct health_entry *entry, enum event event, uint64_t now_us)
{
	for (size_t i = 0; i < sizeof(transitions) / sizeof(transitions[0]); i++) {
		if (transitions[i].event != event || !(transitions[i].states & 1u << entry->state))
			continue;
		if (entry->state == HEALTH_OK || transitions[i].next == HEALTH_OK)
			entry->since_us = now_us;
		entry->state = transitions[i].next;
		entry->held_us = now_us;
		return true;
	}
	return false;
}

bool health_see(struct health *health, enum health_fault fault, bool bad, const char *reason,
		uint64_t now_us)
{
	struct health_entry *entry = &health->entries[fault];

	if (bad)
		snprintf(entry->reason, sizeof(entry->reason), "%s", reason);
	return change(entry, bad ? EVENT_BAD : EVENT_GOOD, now_us);
}

/* How long the state of a fault is to last before the next one. */
static uint64_t hold_us(const struct health *health, enum health_fault fault, bool active)
{
	const struct health_rule *rule = &health_rules[fault];
	const bool onset = health->entries[fault].state == HEALTH_SUSPECT;
	uint64_t ms = onset ? rule->onset_ms : rule->clear_ms;

	if (rule->shared && onset == active)
		ms += (onset ? SHARED_ONSET_MS : SHARED_CLEAR_MS) +
		      SHARED_ADVERTS * (uint64_t)health->advert_ms;
	return ms * 1000;
}

bool health_wait(struct health *health, bool active, uint64_t now_us)
{
	bool changed = false;

	for (enum health_fault fault = 0; fault < HEALTH_FAULT_MAX; fault++) {
		struct health_entry *entry = &health->entries[fault];

		if (now_us - entry->held_us >= hold_us(health, fault, active))
			changed = change(entry, EVENT_HELD, now_us) || changed;
	}
	return changed;
}

bool health_counts(const struct health *health, enum health_fault fault)
{
	const enum health_state state = health->entries[fault].state;

	return state == HEALTH_BAD || state == HEALTH_RECOVERING;
}

unsigned int health_severity(const struct health *health)
{
	unsigned int sum = 0;

	for (enum health_fault fault = 0; fault < HEALTH_FAULT_MAX; fault++)
		if (health_counts(health, fault))
			sum += health_rules[fault].severity;
	return sum < KEEPALIVED_SEVERITY_MAX ? sum : KEEPALIVED_SEVERITY_MAX;
}
