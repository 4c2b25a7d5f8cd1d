/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * User-space WireGuard engines: one process an interface, found by its UAPI socket. They outlive
 * netpasd, are adopted by the next one, and their death is reported at once.
 */
#ifndef NETPAS_ENGINE_H
#define NETPAS_ENGINE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define ENGINE_PROGRAM "netpas-wg"
#define ENGINE_FALLBACK "wireguard-go"
#define ENGINE_NAME_LEN 16

struct sd_event;
struct engines;

/* An engine that nobody asked to stop is gone, and its interface with it. */
typedef void engines_exited_fn(const char *ifname, int status, void *data);

int engines_new(struct sd_event *event, const char *log_dir, engines_exited_fn *exited, void *data,
		struct engines **ret_engines);
void engines_free(struct engines *engines); /* leaves the processes running */

/* Where an engine's program is: beside this one, or in PATH. False: not installed. */
bool engines_installed(const char *name, char path[static PATH_MAX]);

/* Which program engines_start() starts: netpas-wg where it is installed, unless `fallback`. */
void engines_choose(struct engines *engines, bool fallback);
/* The name of the program that an engine is; "" if there is none. */
void engines_program(struct engines *engines, const char *ifname,
		     char ret_name[static ENGINE_NAME_LEN]);

/*
 * Start the engine of an interface, which is not there, and wait until it answers: 5 s, and 2 s more for a question
 * that is open then.
 * An older one is ended first. -ETIMEDOUT, or -errno of starting it.
 */
int engines_start(struct engines *engines, const char *ifname);

/* Watch the engine that an earlier netpasd started; 0 also if it is watched already. -ESRCH. */
int engines_adopt(struct engines *engines, const char *ifname);

/* End the engine of an interface, known or found by its socket; 0 if there is none. */
int engines_stop(struct engines *engines, const char *ifname);

/* End one that hangs, now: its end is reported as any other. 0 if there is none; else -errno. */
int engines_kill(struct engines *engines, const char *ifname);

/* The pid behind an interface, 0 if none is watched. */
pid_t engines_pid(const struct engines *engines, const char *ifname);

#endif
