/* SPDX-License-Identifier: GPL-2.0-only */
/* What `netpas status` shows: made by the daemon as JSON, written as text by the command. */
#ifndef NETPAS_STATUS_H
#define NETPAS_STATUS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct daemon;

/* A new reference; NULL if out of memory. Members: docs/man/netpas.8, "status". */
json_t *status_make(struct daemon *daemon);

/* One screen. Colours only if colour is true. Tolerates missing members. */
void status_print(json_t *status, bool colour, FILE *out);

#endif
