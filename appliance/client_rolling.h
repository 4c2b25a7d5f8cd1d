/* SPDX-License-Identifier: GPL-2.0-only */
/* A rolling run as the command has it. Private to client_rolling.c and rolling_image.c. */
#ifndef NETPAS_CLIENT_ROLLING_H
#define NETPAS_CLIENT_ROLLING_H

#include <jansson.h>

#include "client.h"
#include "pair_channel.h"
#include "rolling.h"
#include "rolling_view.h"

struct rolling_run;

struct gateway {
	bool here, alike, restarted;
	struct rolling_view before, now;
	char name[ROLLING_NAME_LEN];
	char silence[256]; /* why it does not answer */
};

struct rolling {
	const struct client_paths *paths;
	struct rolling_wish wish;
	bool check, keep_engines;
	struct rolling_run *run; /* of an upgrade of the image; else NULL */
	unsigned int soak_ms, deadline_ms;
	struct pair_ends ends;
	struct gateway gateways[2];
	struct rolling_record record; /* of this run, with what it goes on from */
	bool holds, touched, overtaken;
	bool back;   /* a trial has ended in the old slot: that is what has to be good */
	bool leaves; /* this gateway restarts for its trial now */
	int64_t began_ms;
	char reason[ROLLING_REASON_LEN]; /* why it has stopped */
	uint64_t instance;		 /* of the gateway that was restarted last */
};

const char *rolling_kind(const struct rolling *r);
void rolling_say(const struct rolling *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void rolling_complain(const struct rolling *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Takes the members. 0: *ret_answer is a good one; else why not, in words, in the gateway's silence:
 * -EPERM it refuses, -ENOTSUP or -errno.
 */
int rolling_ask(struct rolling *r, struct gateway *g, const char *what, json_t *members,
		int timeout_ms, json_t **ret_answer);

/* After an error of that: it may have been done or not. */
bool rolling_is_lost(int rc);

/* Of the daemon here: who the two are, and where the other one is reached. The exit code. */
int rolling_learn(struct rolling *r);

/* What it says now. 0 or -errno, then it is unknown. */
int rolling_look_at(struct rolling *r, struct gateway *g, struct rolling_record *ret_record);

/* What both say now; who does not answer is unknown. It keeps both for this run. */
void rolling_look(struct rolling *r);

/* Somebody wants it to end. */
bool rolling_interrupted(void);

#endif
