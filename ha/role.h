/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * This gateway's role and the generation of its claim. Pure but for role_load() and role_save().
 *
 *	             MASTER (generation = max seen + 1)
 *	standby -------------------------------------> active
 *	 |  ^ ^                                        |  ^ |
 *	 |  | +-------- BACKUP, STOP, DELETED ---------+  | |
 *	 |  |                                             | |
 *	 |  +-- BACKUP, STOP, DELETED --+                 | |
 *	 |                              |                 | |
 *	 +---------- FAULT ---------> fault --- MASTER ---+ |
 *	                                ^                   |
 *	                                +------ FAULT ------+
 */
#ifndef NETPAS_ROLE_H
#define NETPAS_ROLE_H

#include <stdbool.h>
#include <stdint.h>

#include "notify.h"

enum role_state {
	ROLE_STANDBY,
	ROLE_ACTIVE,
	ROLE_FAULT, /* keepalived sees its interface down */
	ROLE_STATE_MAX,
};
extern const char *const role_state_names[ROLE_STATE_MAX];

struct role {
	enum role_state state;
	uint64_t generation;	  /* of the last claim made; persisted before it is announced */
	uint64_t seen_generation; /* highest of this site known, own claims included */
};

/* What a gateway says of itself, in hellos and in probes. */
struct role_claim {
	bool active;
	uint64_t generation;
};
struct role_claim role_claim(const struct role *role);

/*
 * The one writer of role->state. Returns true if the state changed. On becoming active the
 * generation becomes seen_generation + 1 and the caller saves it before announcing it.
 */
bool role_event(struct role *role, enum notify_event event);

/* A remote gateway says it has seen this generation claimed by this site. */
void role_seen(struct role *role, uint64_t generation);

/*
 * The generation survives restarts in a small text file, written whole or not at all (rename)
 * and synced. A missing file is generation 0; a damaged one is -EBADMSG (caller: log, go on with
 * 0; remote gateways teach the highest generation back).
 */
int role_load(const char *path, struct role *role);
int role_save(const char *path, const struct role *role);

#endif
