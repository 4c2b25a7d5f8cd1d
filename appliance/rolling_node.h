/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A gateway's part in a rolling restart (ha/rolling.h), asked for on the control socket or by the partner:
 *
 *	rolling		what there is to know: {"rolling": {...}, "status": {...}}. With "hold", an object, it
 *			belongs to one run for LEASE seconds, and refuses all others; what the object says
 *			is kept for a run that goes on from there
 *	rolling-try	try the program on disk, in a child
 *	rolling-restart	if it is drained, standby, and the program is good: end keepalived and the engines, and
 *			go on as that program
 *	rolling-release	end of the run; "finished" or not
 *
 * The daemon takes nobody's word for it that a restart harms nobody: it looks itself.
 */
#ifndef NETPAS_ROLLING_NODE_H
#define NETPAS_ROLLING_NODE_H

#include <jansson.h>
#include <stdbool.h>

struct daemon;
struct rolling_node;

#define ROLLING_LEASE_S 6

int rolling_node_new(struct daemon *daemon, struct rolling_node **ret_node);
void rolling_node_free(struct rolling_node *node);

/* True if the command is one of ours; *ret_answer is a new reference then. */
bool rolling_node_command(struct daemon *daemon, const char *command, json_t *request,
			  json_t **ret_answer);

/* For the status: a run that ended half-way. */
void rolling_node_problems(const struct daemon *daemon, json_t *problems);

#endif
