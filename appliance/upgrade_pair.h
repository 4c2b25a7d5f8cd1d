/* SPDX-License-Identifier: GPL-2.0-only */
/* A gateway of a pair asks about the other one before it is upgraded: never are both on trial. */
#ifndef NETPAS_UPGRADE_PAIR_H
#define NETPAS_UPGRADE_PAIR_H

#include <jansson.h>
#include <stdbool.h>

#include "client.h"
#include "rolling.h"

/*
 * True if nothing is known that speaks against it: there is no pair, or the other gateway does not answer, or
 * is not on trial. False with the reason.
 */
bool upgrade_pair_free(const struct client_paths *paths, char reason[static ROLLING_REASON_LEN]);

/* Of what both gateways answer to "rolling"; there may be NULL. Pure. */
bool upgrade_pair_judge(json_t *here, json_t *there, char reason[static ROLLING_REASON_LEN]);

#endif
