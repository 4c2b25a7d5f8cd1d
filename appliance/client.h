/* SPDX-License-Identifier: GPL-2.0-only */
/* The commands of netpas that talk to the daemon, or do what it does without it. */
#ifndef NETPAS_CLIENT_H
#define NETPAS_CLIENT_H

#include <jansson.h>

struct client_paths {
	const char *config_dir, *run_dir, *state_dir;
};

/*
 * argv[0] is the command's name, argv[1..argc-1] its own options and arguments; -c, -r and -s
 * have been taken out. Return the exit code: 0 good, 1 error, 2 wrong usage. Messages go to stderr.
 */
int client_status(const struct client_paths *paths, int argc, char **argv);
int client_paths(const struct client_paths *paths, int argc, char **argv);
int client_drops(const struct client_paths *paths, int argc, char **argv);
int client_events(const struct client_paths *paths, int argc, char **argv);
int client_top(const struct client_paths *paths, int argc, char **argv);
int client_support(const struct client_paths *paths, int argc, char **argv);
int client_capture(const struct client_paths *paths, int argc, char **argv);
int client_plan(const struct client_paths *paths, int argc, char **argv);
int client_reload(const struct client_paths *paths, int argc, char **argv);
int client_sync(const struct client_paths *paths, int argc, char **argv);
int client_setup(const struct client_paths *paths, int argc, char **argv);
int client_cloud(const struct client_paths *paths, int argc, char **argv);
int client_usage(const struct client_paths *paths, int argc, char **argv);
int client_bench(const struct client_paths *paths, int argc, char **argv);
int client_down(const struct client_paths *paths, int argc, char **argv);

int client_switchover(const struct client_paths *paths, int argc, char **argv);
int client_drain(const struct client_paths *paths, int argc, char **argv);
int client_rolling(const struct client_paths *paths, int argc, char **argv);
int client_upgrade(const struct client_paths *paths, int argc, char **argv);

/* More exit codes. */
#define CLIENT_REFUSED 3 /* the daemon did nothing, and said why */
#define CLIENT_UNDONE 4	 /* it was tried, and everything is as before, or it is said what is not */

/* Send a request (borrowed). If there is no good answer it is said why, and that is the exit code. */
int client_request(const struct client_paths *paths, json_t *request, json_t **ret_answer);

#endif
