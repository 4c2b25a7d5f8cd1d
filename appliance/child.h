/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs that netpasd keeps running and that outlive it: user-space engines and keepalived.
 * A child is started detached (own session, no death signal), so netpasd's end does not end it;
 * a later netpasd adopts it by pid. Both kinds are watched through a pidfd.
 */
#ifndef NETPAS_CHILD_H
#define NETPAS_CHILD_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sd_event;
struct child;

/* exited: it is gone; status is as from waitpid(), or -1 if it was adopted and is not our child. */
typedef void child_exited_fn(struct child *child, int status, void *data);

/* Where a program of ours is: beside this one, else by its name in PATH. */
void child_program(const char *name, char path[static PATH_MAX]);

/*
 * argv[0] is looked up in PATH. env: NULL-terminated additions to the environment, may be NULL.
 * Output goes to log_path (appended; NULL: inherited). 0 or -errno (also of exec, by a pipe).
 */
int child_spawn(struct sd_event *event, const char *const argv[], const char *const env[],
		const char *log_path, child_exited_fn *exited, void *data,
		struct child **ret_child);

/* Watch a running process that somebody else started. -ESRCH if it is gone. */
int child_adopt(struct sd_event *event, pid_t pid, child_exited_fn *exited, void *data,
		struct child **ret_child);

pid_t child_pid(const struct child *child);

/* Signal through the pidfd: never a recycled pid. -ESRCH: it has ended. 0 only asks. */
int child_signal(const struct child *child, int signo);

/*
 * SIGTERM, wait up to timeout_ms, then SIGKILL and wait. Does not call exited. Frees.
 */
void child_stop(struct child *child, unsigned int timeout_ms);

/* Forget without stopping it. */
void child_free(struct child *child);

/*
 * Restart delays: 0, 100 ms, 200 ms ... 5 s; back to 0 after 10 s of running. Zeroed at first.
 * Ask when it has ended or could not be started; started_us is then set to when the delay is over.
 */
struct child_backoff {
	unsigned int failures;
	uint64_t started_us; /* CLOCK_MONOTONIC; may be set to the real time of the start */
};
uint64_t child_backoff_delay_us(struct child_backoff *backoff, uint64_t now_us);

/* True if /proc/PID/cmdline has argument arg (exact), the process is alive. For adoption. */
bool child_cmdline_has(pid_t pid, const char *arg);

#endif
