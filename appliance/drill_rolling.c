/* SPDX-License-Identifier: GPL-2.0-only */
#include "drill_rolling.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOAK_S "2" /* the probes watch as well */

/* In the child. */
static void execute(const struct client_paths *paths, bool hand_back)
{
	(void)setpgid(0, 0);
	if (dup2(STDERR_FILENO, STDOUT_FILENO) >= 0)
		(void)execl("/proc/self/exe", "netpas", "-c", paths->config_dir, "-r",
			    paths->run_dir, "-s", paths->state_dir, "rolling", "restart", "--soak",
			    SOAK_S, hand_back ? "--hand-back" : (char *)NULL, (char *)NULL);
	_exit(127);
}

int drill_rolling_start(const struct client_paths *paths, bool hand_back, pid_t *ret_pid)
{
	const pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid)
		execute(paths, hand_back);
	*ret_pid = pid;
	return 0;
}

static int exit_status(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool wait_child(pid_t pid, int options, int *ret_status)
{
	int status;
	pid_t ended;

	do
		ended = waitpid(pid, &status, options);
	while (ended < 0 && errno == EINTR);
	if (ended == pid)
		*ret_status = exit_status(status);
	return ended == pid;
}

bool drill_rolling_ended(pid_t pid, int *ret_status)
{
	return wait_child(pid, WNOHANG, ret_status);
}

int drill_rolling_stop(pid_t pid)
{
	int status = -1;

	(void)kill(pid, SIGTERM); /* may just have ended */
	(void)wait_child(pid, 0, &status);
	return status;
}
