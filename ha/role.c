/* SPDX-License-Identifier: GPL-2.0-only */
#include "role.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "file.h"

#define STATE(s) (1u << ROLE_##s)
#define ANY (STATE(STANDBY) | STATE(ACTIVE) | STATE(FAULT) | STATE(OVERRULED))

const char *const role_state_names[ROLE_STATE_MAX] = {
	[ROLE_STANDBY] = "standby",
	[ROLE_ACTIVE] = "active",
	[ROLE_FAULT] = "fault",
	[ROLE_OVERRULED] = "overruled",
};

const char *const role_event_names[ROLE_EVENT_MAX] = {
	[ROLE_ON_MASTER] = "VRRP MASTER",
	[ROLE_ON_BACKUP] = "VRRP BACKUP",
	[ROLE_ON_FAULT] = "VRRP FAULT",
	[ROLE_ON_STOP] = "VRRP STOP",
	[ROLE_ON_DELETED] = "VRRP DELETED",
	[ROLE_ON_OVERRULED] = "the other gateway claims a higher generation",
	[ROLE_ON_ALONE] = "the other gateway does not claim any more",
};

/* A higher number cannot be; two gateways that both got there are told apart by their ids. */
static void action_claim(struct role *role)
{
	if (role->seen_generation < UINT64_MAX)
		role->seen_generation++;
	role->generation = role->seen_generation;
}

static void action_none(struct role *role)
{
	(void)role;
}

/*
 * What is not listed changes nothing: keepalived repeats its state when it is reloaded, and a
 * repeated MASTER must not make a new claim.
 */
static const struct {
	unsigned int states;
	enum role_event event;
	void (*action)(struct role *role);
	enum role_state next;
} transitions[] = {
	{ STATE(STANDBY) | STATE(FAULT), ROLE_ON_MASTER, action_claim, ROLE_ACTIVE },
	{ ANY, ROLE_ON_BACKUP, action_none, ROLE_STANDBY },
	{ ANY, ROLE_ON_FAULT, action_none, ROLE_FAULT },
	{ ANY, ROLE_ON_STOP, action_none, ROLE_STANDBY },
	{ ANY, ROLE_ON_DELETED, action_none, ROLE_STANDBY },
	{ STATE(ACTIVE), ROLE_ON_OVERRULED, action_none, ROLE_OVERRULED },
	{ STATE(ACTIVE) | STATE(OVERRULED), ROLE_ON_ALONE, action_claim, ROLE_ACTIVE },
};

bool role_event(struct role *role, enum role_event event)
{
	for (size_t i = 0; i < sizeof(transitions) / sizeof(transitions[0]); i++) {
		const struct role old = *role;

		if (transitions[i].event != event || !(transitions[i].states & 1u << old.state))
			continue;
		transitions[i].action(role);
		role->state = transitions[i].next;
		if (role->state != old.state)
			role->alone_us = 0; /* words about that are still on the way */
		return role->state != old.state || role->generation != old.generation;
	}
	return false;
}

bool role_holds(const struct role *role)
{
	return role->state == ROLE_ACTIVE || role->state == ROLE_OVERRULED;
}

/*
 * Two that claim tell each other by remote sites which claim is higher. Only the lower one acts, and
 * what it does never raises its own: two that raised theirs in turn would drag the remote sites to
 * and fro. A claim is raised only when nobody else claims, so that the gateway that holds the VIPs
 * has the highest again: the other one may have claimed while this one was frozen, and given way.
 */
enum role_event role_judge(struct role *role, uint64_t rival_generation, uint64_t now_us)
{
	const bool gap = now_us - role->judged_us >= ROLE_ALONE_US;

	role->judged_us = now_us;
	if (rival_generation) {
		role->alone_us = 0;
		return role->state == ROLE_ACTIVE && rival_generation > role->generation
			       ? ROLE_ON_OVERRULED
			       : ROLE_EVENT_MAX;
	}
	if (!role->alone_us || gap)
		role->alone_us = now_us;
	if (now_us - role->alone_us < ROLE_ALONE_US || !role_holds(role))
		return ROLE_EVENT_MAX;
	return role->state == ROLE_OVERRULED || role->seen_generation > role->generation
		       ? ROLE_ON_ALONE
		       : ROLE_EVENT_MAX;
}

struct role_claim role_claim(const struct role *role)
{
	return (struct role_claim){ .active = role_holds(role), .generation = role->generation };
}

void role_seen(struct role *role, uint64_t generation)
{
	if (generation > role->seen_generation)
		role->seen_generation = generation;
}

/* The text has one form only, so whatever differs from that was not written by role_save(). */
static int generation_format(uint64_t generation, char *buf, size_t size)
{
	return snprintf(buf, size, "generation %" PRIu64 "\n", generation);
}

static int generation_parse(const char *text, size_t len, uint64_t *ret_generation)
{
	static const char prefix[] = "generation ";
	uint64_t generation = 0;
	char again[48];
	size_t i;

	if (len < sizeof(prefix) || memcmp(text, prefix, sizeof(prefix) - 1) != 0)
		return -EBADMSG;
	for (i = sizeof(prefix) - 1; i < len && text[i] >= '0' && text[i] <= '9'; i++)
		if (__builtin_mul_overflow(generation, 10, &generation) ||
		    __builtin_add_overflow(generation, text[i] - '0', &generation))
			return -EBADMSG;
	if ((size_t)generation_format(generation, again, sizeof(again)) != len ||
	    memcmp(text, again, len) != 0)
		return -EBADMSG;
	*ret_generation = generation;
	return 0;
}

int role_load(const char *path, struct role *role)
{
	uint64_t generation = 0;
	char buf[64];
	size_t len = 0;
	int fd, err;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno != ENOENT)
		return -errno;
	if (fd >= 0) {
		err = file_read(fd, buf, sizeof(buf), &len);
		(void)close(fd); /* only read from */
		if (!err)
			err = generation_parse(buf, len, &generation);
		if (err)
			return err;
	}
	role->generation = generation;
	role_seen(role, generation);
	return 0;
}

int role_save(const char *path, const struct role *role)
{
	char text[48];
	int len = generation_format(role->generation, text, sizeof(text));

	return file_replace(path, text, (size_t)len, 0600);
}
