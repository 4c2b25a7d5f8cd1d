/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is wrong with this gateway, and how much it counts against it. Pure: the evidence and the
 * time come from outside.
 *
 *	         bad            held for the onset
 *	 ok ------------> suspect ---------------> fault <----------+
 *	 ^ ^               |                         |              | bad
 *	 | +---------------+                         | good         |
 *	 |       good                                v              |
 *	 +---------------------------------------- recovering ------+
 *	          held for the clearing
 *
 * A fault counts while it is in fault or recovering. The node with the lower sum of severities gets
 * the VIPs, and equal sums move nothing (ha/keepalived.c): a fault moves them only if the partner
 * does not have it too.
 *
 * Some faults both gateways have at once, as the cause is not theirs: the far site is dead, the
 * provider of both is. They do not notice it in the same instant, and for the time between one would
 * be better off. So the one that has the VIPs waits longer until such a fault counts, and less
 * until it is gone: it is never worse than its partner for that reason alone.
 */
#ifndef NETPAS_HEALTH_H
#define NETPAS_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEALTH_REASON_LEN 160

/* What this order says: from what costs customers everything to what costs nothing yet. */
enum health_fault {
	HEALTH_LAN,	   /* nobody on the LAN answers, the partner neither */
	HEALTH_WAN,	   /* no path to anybody is alive, and that is not the others' doing */
	HEALTH_ENGINE,	   /* the engine of a tunnel hangs, or was ended as it did */
	HEALTH_TUNNEL,	   /* one that is needed is silent although its paths are alive */
	HEALTH_REMOTE,	   /* no remote gateway is heard through a tunnel */
	HEALTH_PROGRAMS,   /* programs of the data plane are missing */
	HEALTH_REPAIR,	   /* the kernel cannot be brought to what the configuration says */
	HEALTH_MEMORY,	   /* short of it */
	HEALTH_KEEPALIVED, /* it does not run, or ends again and again */
	HEALTH_CLOCK,	   /* stepped back: peers refuse our handshakes */
	HEALTH_DISK,	   /* the state directory cannot be written */
	HEALTH_FAULT_MAX,
};

enum health_state {
	HEALTH_OK,
	HEALTH_SUSPECT, /* bad, and does not count yet */
	HEALTH_BAD,
	HEALTH_RECOVERING, /* good, and counts still */
	HEALTH_STATE_MAX,
};
extern const char *const health_state_names[HEALTH_STATE_MAX]; /* "ok", "suspect", "fault", ... */

struct health_rule {
	const char *name;      /* "lan" */
	const char *title;     /* for people */
	unsigned int severity; /* even; see keepalived.h */
	uint32_t onset_ms, clear_ms;
	bool shared; /* both gateways may have it for the same cause */
};
extern const struct health_rule health_rules[HEALTH_FAULT_MAX];

struct health_entry {
	enum health_state state;
	uint64_t held_us;  /* when the state began */
	uint64_t since_us; /* when it began to be bad; of ok: when it was so again, 0: always */
	char reason[HEALTH_REASON_LEN]; /* of the last bad evidence */
};

struct health {
	struct health_entry entries[HEALTH_FAULT_MAX];
	uint32_t advert_ms; /* of the site: so long may the two differ in what they see */
};

/* Zeroed, all is well. Times are of one clock that does not go back, in us. */

/*
 * What was seen of a fault just now; reason is not looked at if it is not bad. True if the state
 * changed.
 */
bool health_see(struct health *health, enum health_fault fault, bool bad, const char *reason,
		uint64_t now_us);

/* Time has passed; active: this node has the VIPs. True if a state changed. */
bool health_wait(struct health *health, bool active, uint64_t now_us);

bool health_counts(const struct health *health, enum health_fault fault);

/* The sum of what counts, at most KEEPALIVED_SEVERITY_MAX. */
unsigned int health_severity(const struct health *health);

#endif
