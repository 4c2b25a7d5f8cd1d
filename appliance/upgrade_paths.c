/* SPDX-License-Identifier: GPL-2.0-only */
#include "upgrade_paths.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define VARIABLE "NETPAS_MACHINE"

enum machine_file {
	MACHINE_GRUB,
	MACHINE_SLOT_A,
	MACHINE_SLOT_B,
	MACHINE_STATE,
	MACHINE_KEYS,
	MACHINE_RELEASE,
	MACHINE_CMDLINE,
	MACHINE_LOCK,
	MACHINE_BOOT_ID,
	MACHINE_MAX,
};

const struct upgrade_paths *upgrade_paths_here(void)
{
	static const char *const files[MACHINE_MAX] = { "grub",	   "slot-a", "slot-b",
							"upgrade", "keys",   "os-release",
							"cmdline", "lock",   "boot-id" };
	static char names[MACHINE_MAX][PATH_MAX];
	static const struct upgrade_paths made = {
		.env_dir = names[MACHINE_GRUB],
		.slots = { names[MACHINE_SLOT_A], names[MACHINE_SLOT_B] },
		.state_dir = names[MACHINE_STATE],
		.keys = names[MACHINE_KEYS],
		.os_release = names[MACHINE_RELEASE],
		.cmdline = names[MACHINE_CMDLINE],
		.lock = names[MACHINE_LOCK],
		.boot_id = names[MACHINE_BOOT_ID],
	};
	const char *dir = getenv(VARIABLE);

	if (!dir || !*dir)
		return &upgrade_paths_real;
	for (size_t i = 0; i < MACHINE_MAX; i++)
		(void)snprintf(names[i], sizeof(names[i]), "%s/%s", dir, files[i]);
	return &made;
}
