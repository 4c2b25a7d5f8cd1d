/* SPDX-License-Identifier: GPL-2.0-only */
/* What can be drilled, what each drill needs, and why one is refused. Pure. */
#ifndef NETPAS_DRILL_SCENARIO_H
#define NETPAS_DRILL_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define DRILL_HOLD_MAX_MS 60000 /* no fault lasts longer, whatever is asked for */
#define DRILL_RATE 1000		/* probes a second each way */
#define DRILL_RATE_MIN 50
#define DRILL_RATE_MAX 10000

enum drill_scenario_id {
	DRILL_PATH_CUT,
	DRILL_BROWN_OUT,
	DRILL_WAN_CUT,
	DRILL_LAN_CUT,
	DRILL_POP_LOSS,
	DRILL_SPLIT_BRAIN,
	DRILL_FREEZE,
	DRILL_DAEMON_KILL,
	DRILL_ENGINE_KILL,
	DRILL_KEEPALIVED_KILL,
	DRILL_POWER_OFF,
	DRILL_SWITCHOVER,
	DRILL_ROLLING_RESTART,
	DRILL_SCENARIO_MAX,
};

/* What the pass limit of an outage is made of. */
enum drill_limit {
	DRILL_LIMIT_NONE,  /* nothing may be lost in a row */
	DRILL_LIMIT_PATH,  /* the data plane leaves a path: 5 fast probes, 50 ms at least */
	DRILL_LIMIT_VRRP,  /* the standby takes the VIP, or hellos end: 4 adverts, 50 ms at least */
	DRILL_LIMIT_HEARD, /* the gateway finds out by itself and gives way: 8 adverts */
	DRILL_LIMIT_LOSS, /* a bad path is noticed by statistics: 5 s, and lost meanwhile its share */
};

enum drill_needs {
	DRILL_NEEDS_PATHS = 1 << 0,    /* a second path from the active gateway */
	DRILL_NEEDS_RELAY = 1 << 1,    /* a relay of the mesh in reach */
	DRILL_NEEDS_PROGRAMS = 1 << 2, /* the data plane's programs, which make the fault */
	DRILL_NEEDS_ENGINE = 1 << 3,   /* an engine in user space */
	DRILL_NEEDS_STANDBY = 1 << 4,  /* a standby that can take over */
};

struct drill_scenario {
	const char *name;
	const char *what;    /* is done */
	const char *expect;  /* what should follow */
	const char *restore; /* how it ends */
	enum drill_limit limit;
	unsigned int needs; /* enum drill_needs */
	uint32_t hold_ms;   /* by default */
	bool both;	    /* at both gateways of the pair */
	bool reversible;    /* else only with --lab */
	bool event; /* happens at an instant: nothing to hold, what was killed is restarted */
};
extern const struct drill_scenario drill_scenarios[DRILL_SCENARIO_MAX];

/* DRILL_SCENARIO_MAX: there is none of this name. */
enum drill_scenario_id drill_scenario_find(const char *name);

/* How a gateway of the pair is; what was not found out is 0, false or "". */
struct drill_node_facts {
	char name[32], role[16], version[64], digest[20], engine[16], problem[200];
	bool answers; /* its agent, and its netpasd behind that */
	unsigned int problems;
	unsigned int tunnels, tunnels_alive;
	unsigned int paths_alive;  /* to the gateway of the measured site that is followed */
	unsigned int relays_alive; /* that paths there go by */
	bool programs;		   /* attached */
	bool busy;		   /* with another drill */
};

struct drill_facts {
	struct drill_node_facts here, partner; /* here: where the drill is run, the standby */
	bool has_partner;
	char site[32]; /* that is measured to; "": there is none */
	char far[32];  /* the gateway there that answers; "": none alive */
	bool far_busy; /* with another drill */
	bool ports;    /* port_base leaves room for the drill's ports */
	bool off;      /* node.yaml of this gateway says so */
	bool lab;      /* --lab was given */
	uint32_t advert_ms, probe_ms;
};

/* Every reason against it, one a line, in order; the number of them. */
size_t drill_refuse(enum drill_scenario_id id, const struct drill_facts *facts, FILE *out);

/* Pass limit of an outage, ms; 0: no packet may be lost. */
uint32_t drill_limit_ms(enum drill_scenario_id id, const struct drill_facts *facts);

/* Longest outage, in ms, after which the drill ends itself. */
uint32_t drill_abort_ms(uint32_t limit_ms);

#endif
