/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * This gateway's role and the generation of its claim. Pure but for role_load() and role_save().
 *
 *	             MASTER (generation = max seen + 1)
 *	standby -------------------------------------> active --- OVERRULED ---> overruled
 *	 |  ^ ^                                        |  ^ |  <--- ALONE -------   |
 *	 |  | +-------- BACKUP, STOP, DELETED ---------+  | |   (likewise)          |
 *	 |  | +-------- BACKUP, STOP, DELETED ------------|-|-----------------------+
 *	 |  +-- BACKUP, STOP, DELETED --+                 | |                       |
 *	 |                              |                 | |                       |
 *	 +---------- FAULT ---------> fault --- MASTER ---+ |                       |
 *	                                ^                   |                       |
 *	                                +------ FAULT ------+-----------------------+
 *
 * Overruled: this gateway holds the VIPs, and so does the other one, with a higher generation, and
 * remote sites follow that one. So the LAN is cut between the two. This one goes on serving the
 * hosts on its side of the cut, and gives way as soon as it hears the other one again.
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
	ROLE_OVERRULED,
	ROLE_STATE_MAX,
};
extern const char *const role_state_names[ROLE_STATE_MAX];

/* What drives it: what keepalived says, in the order of enum notify_event, and our own. */
enum role_event {
	ROLE_ON_MASTER = NOTIFY_MASTER,
	ROLE_ON_BACKUP = NOTIFY_BACKUP,
	ROLE_ON_FAULT = NOTIFY_FAULT,
	ROLE_ON_STOP = NOTIFY_STOP,
	ROLE_ON_DELETED = NOTIFY_DELETED,
	ROLE_ON_OVERRULED = NOTIFY_EVENT_MAX, /* the other gateway's claim is higher */
	ROLE_ON_ALONE, /* the other one claims nothing any more, but has claimed a higher one */
	ROLE_EVENT_MAX,
};
extern const char *const role_event_names[ROLE_EVENT_MAX];

struct role {
	enum role_state state;
	uint64_t generation;	  /* of the last claim made; persisted before it is announced */
	uint64_t seen_generation; /* highest of this site known, own claims included */
	uint64_t alone_us;	  /* since when nobody else is known to claim; 0: somebody is */
	uint64_t judged_us;	  /* when the last word of that came */
};

/* It holds the VIPs. */
bool role_holds(const struct role *role);

/* What a gateway says of itself, in hellos and in probes. */
struct role_claim {
	bool active; /* it holds the VIPs; also if it is overruled: its LAN is served */
	uint64_t generation;
	uint8_t severity; /* of what is wrong with it */
	uint8_t flags;	  /* enum hello_flag */
};
struct role_claim role_claim(const struct role *role);

/*
 * The one writer of role->state. Returns true if it, or the claim, changed. A new claim has the
 * generation seen_generation + 1, and the caller saves it before announcing it.
 */
bool role_event(struct role *role, enum role_event event);

/*
 * The other gateway's claim, as remote sites hear it now, has this generation; 0: it claims nothing.
 * Returns the event that follows from it, or ROLE_EVENT_MAX. That nobody else claims is believed
 * after ROLE_ALONE_US without a contrary word: remote sites hear different things.
 */
#define ROLE_ALONE_US 1000000u
enum role_event role_judge(struct role *role, uint64_t rival_generation, uint64_t now_us);

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
