/* SPDX-License-Identifier: GPL-2.0-only */
/* What netpasd does when `netpas` asks, by the control socket (control.h). To add one: a line in the table. */
#ifndef NETPAS_COMMAND_H
#define NETPAS_COMMAND_H

#include <jansson.h>

/* A control_handle_fn; data is the daemon. */
json_t *command_answer(const char *command, json_t *request, void *data);

#endif
