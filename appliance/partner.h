/* SPDX-License-Identifier: GPL-2.0-only */
/* What the status says of the other gateway of this node's site. */
#ifndef NETPAS_PARTNER_H
#define NETPAS_PARTNER_H

#include <jansson.h>

struct daemon;

/* A new reference; null if there is none. What is wrong is appended to problems. */
json_t *partner_status(struct daemon *daemon, json_t *problems);

#endif
