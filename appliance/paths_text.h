/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NETPAS_PATHS_TEXT_H
#define NETPAS_PATHS_TEXT_H

#include <jansson.h>
#include <stdio.h>

/* What steering_paths() and steering_drops() made. Missing members are tolerated. */
void paths_print(json_t *paths, FILE *out);
void drops_print(json_t *drops, FILE *out);

#endif
