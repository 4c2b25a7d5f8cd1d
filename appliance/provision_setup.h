/* SPDX-License-Identifier: GPL-2.0-only */
/* The questions on a terminal that take the place of user data, and what a console shows. */
#ifndef NETPAS_PROVISION_SETUP_H
#define NETPAS_PROVISION_SETUP_H

#include "provision_run.h"

/* Exit codes: 0; 1: nothing was written, for a reason that was told; 130: the input has ended. */
int provision_setup(const struct provision_options *options);

/* Until the input ends. */
int provision_console(const struct provision_options *options);

#endif
