/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `netpas switchover` and `netpas drain` in the daemon: asks whether the other gateway can take the
 * active role, moves it by the track file (ha/handover.h), and damps a pair whose roles flap
 * (ha/damping.h). That a gateway is drained is kept on disk.
 */
#ifndef NETPAS_SWITCHOVER_H
#define NETPAS_SWITCHOVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "role.h"

struct daemon;
struct sd_event;
struct switchover;
struct vrrp;

int switchover_new(struct sd_event *event, struct vrrp *vrrp, const char *state_dir,
		   struct switchover **ret_switchover);
void switchover_free(struct switchover *switchover);

/* The VRRP interval, which is the measure of how long things take. */
void switchover_set_advert(struct switchover *switchover, uint32_t advert_ms);

/* What is added to the number in the track file now, and what hellos say of it. */
int switchover_term(const struct switchover *switchover, uint8_t *ret_flags);

void switchover_role_changed(struct switchover *switchover, enum role_state before,
			     enum role_state now);

/* A hello came: what it says of the other gateway. */
void switchover_hear(struct daemon *daemon);

/* True if the command is one of ours; *ret_answer is a new reference then. */
bool switchover_command(struct daemon *daemon, const char *command, json_t *request,
			json_t **ret_answer);

/* For the status. A new reference. */
json_t *switchover_status(const struct daemon *daemon, json_t *problems);

#endif
