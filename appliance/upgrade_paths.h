/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the appliance's slots and records are: the machine's, or a test's in one directory. */
#ifndef NETPAS_UPGRADE_PATHS_H
#define NETPAS_UPGRADE_PATHS_H

#include "upgrade.h"

/* With NETPAS_MACHINE in the environment: files of that directory, as in tests/netns/image.sh. */
const struct upgrade_paths *upgrade_paths_here(void);

#endif
