/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * This program as it runs, and its file as it is on disk now, which an upgrade may have replaced: which
 * build it is, whether it would do here, and going on as it.
 */
#ifndef NETPAS_INSTALLED_H
#define NETPAS_INSTALLED_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct installed;
struct sd_event;

/* Of the process: first thing in main(), as a file that is replaced later is not the one that runs. */
void installed_remember(char **argv);

/* The first 8 bytes of the SHA-256 of what runs; 0: its file could not be read. */
uint64_t installed_running(void);

/* The same of the file at path. 0 or -errno. */
int installed_hash(const char *path, uint64_t *ret_hash);

/* Go on as the program on disk, in this process, with the same arguments. Returns only -errno. */
int installed_exec(void);

int installed_new(struct sd_event *event, const char *config_dir, const char *run_dir,
		  struct installed **ret_installed);
void installed_free(struct installed *installed);

/* Try it in a child: does it run, and does it take this configuration? True if that is begun. */
bool installed_try(struct installed *installed);

/* It was tried with success, and is the same file still. */
bool installed_good(struct installed *installed);

/* path, version, build, state and error; a new reference. */
json_t *installed_status(struct installed *installed);

#endif
