/* SPDX-License-Identifier: GPL-2.0-only */
/* A directory of a test's own, which goes with all that is in it. */
#ifndef NETPAS_TEST_SCRATCH_H
#define NETPAS_TEST_SCRATCH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH_LEN 64

static inline int scratch_make(char dir[static SCRATCH_LEN])
{
	strcpy(dir, "/tmp/netpas_test.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static inline int scratch_remove(const char *dir)
{
	char command[SCRATCH_LEN + 16];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

#endif
