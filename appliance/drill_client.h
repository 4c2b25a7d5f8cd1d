/* SPDX-License-Identifier: GPL-2.0-only */
/* netpas drill list|plan|run|report|history|key. As the commands of client.h. */
#ifndef NETPAS_DRILL_CLIENT_H
#define NETPAS_DRILL_CLIENT_H

#include "client.h"

int drill_client(const struct client_paths *paths, int argc, char **argv);

#endif
