/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon: one gateway's configuration, kept true in the kernel. */
#ifndef NETPAS_DAEMON_H
#define NETPAS_DAEMON_H

#include <stdbool.h>
#include <stdint.h>

#include "beacon.h"
#include "config.h"
#include "engine_choice.h"
#include "follow.h"
#include "kernel.h"
#include "vrrp.h"

struct cloud_agent;
struct control;
struct drill_agent;
struct event_log;
struct health_monitor;
struct pair;
struct partner_mac;
struct rolling_node;
struct sd_event;
struct sd_event_source;
struct steering;
struct usage_agent;
struct watch;
struct web_agent;

/* Exit code of the event loop: go on as the program on disk (installed.h). */
#define DAEMON_RESTART 100

struct daemon_paths {
	const char *config_dir, *run_dir, *state_dir;
};

/* Which gateway of a site traffic goes to. */
struct daemon_choice {
	size_t gateway;
	enum follow_reason reason;
};

struct daemon {
	struct sd_event *event;
	struct daemon_paths paths;
	struct config *config;
	struct state *applied;	       /* what the kernel was last brought to */
	struct daemon_choice *choices; /* by site of config */
	enum state_engine engine;
	char engine_reason[ENGINE_REASON_LEN]; /* why that one */
	struct kernel kernel;
	struct vrrp *vrrp;
	struct beacon *beacon;
	struct pair *pair;		 /* NULL: not begun yet */
	struct partner_mac *partner_mac; /* NULL: nothing was waited for yet */
	struct steering *steering;
	struct health_monitor *health;
	struct control *control;
	struct drill_agent *drills;
	struct usage_agent *usage;
	struct watch *watch;
	struct cloud_agent *cloud;
	struct rolling_node *rolling;
	struct web_agent *web;
	struct event_log *events;
	struct sd_event_source *repair; /* pending */
	struct sd_event_source *check;	/* for what changes without an event */
	unsigned int failures;		/* repairs that failed in a row */
	uint64_t repaired_us;		/* CLOCK_MONOTONIC of the last one */
	const char *repair_reason;	/* what asked for the next one first; NULL: nothing */
	int64_t loaded_s;		/* UNIX time of the configuration in force */
	char problem[KERNEL_ERROR_LEN]; /* of the last repair or reload; "" none */
	int lock;
};

/*
 * Load the configuration, adopt or build what it asks for, and serve the control socket.
 * Errors are logged where they are found. 0, -EINVAL (the configuration is refused) or -errno.
 */
int daemon_start(struct sd_event *event, const struct daemon_paths *paths,
		 struct daemon **ret_daemon);

/* Free, leaving the data plane, the engines and keepalived as they are. */
void daemon_free(struct daemon *daemon);

/*
 * Load the configuration again and apply the difference. On any error nothing changes; *ret_text
 * (to free) then says why, else what was done.
 */
int daemon_reload(struct daemon *daemon, char **ret_text);

/* What a reload would do, one step a line (*ret_text, to free). */
int daemon_plan(struct daemon *daemon, char **ret_text);

/* Bring the kernel back to what is wanted, soon; any number of calls make one repair. */
void daemon_repair_soon(struct daemon *daemon, const char *reason);

/* What this node claims has changed: tell it in hellos and probes, and the cloud. */
void daemon_announce(struct daemon *daemon);

/* Take everything away and leave the event loop with exit code 0. */
int daemon_down(struct daemon *daemon, char error[static KERNEL_ERROR_LEN]);

#endif
