/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is a slot that is tried as good as what ran before? What the machine looked like is kept before its
 * restart; afterwards it has to look like that again, and stay so. Judging is pure.
 */
#ifndef NETPAS_BOOT_CHECK_H
#define NETPAS_BOOT_CHECK_H

#include <jansson.h>
#include <stdbool.h>

#include "client.h"
#include "rolling.h"

bool boot_check_configured(const struct client_paths *paths); /* there is a node.yaml */

/*
 * Of now, by the daemon and systemd: {"configured": true, "failed_units": [...], "answer": {...}} or
 * with "silence": "why" in place of the answer. A new reference; NULL: out of memory.
 */
json_t *boot_check_look(const struct client_paths *paths);

/* Kept in dir (/data/upgrade), and read; NULL: it is not known how it was. */
int boot_check_keep(const char *dir, json_t *look);
json_t *boot_check_kept(const char *dir);

/* before may be NULL. False with the first thing that is not in order. */
bool boot_check_good(json_t *before, json_t *now, char reason[static ROLLING_REASON_LEN]);

#endif
