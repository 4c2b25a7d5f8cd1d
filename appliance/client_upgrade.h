/* SPDX-License-Identifier: GPL-2.0-only */
/* netpas upgrade, on a machine that a test may make up. */
#ifndef NETPAS_CLIENT_UPGRADE_H
#define NETPAS_CLIENT_UPGRADE_H

#include "client.h"
#include "upgrade.h"

struct upgrade_machine {
	const struct client_paths *client;
	const struct upgrade_paths *paths;
	const struct disk *disk;
	char *const *reboot;	  /* argv; of two words */
	unsigned int event_tries; /* a second apart, for netpasd to take news */
	unsigned int up_s;	  /* since it was started, when this program was: its pace */
};

/* argv[0] is "upgrade". The exit code. */
int upgrade_command(const struct upgrade_machine *machine, int argc, char **argv);

/* A job of netpasd's (image_job.h), and what it takes of the command: set the other slot, restart. */
int upgrade_job(const struct upgrade_machine *machine);
int upgrade_try(const struct upgrade_machine *machine, struct upgrade *upgrade);

#endif
