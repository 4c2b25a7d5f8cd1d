/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between fork and exec only async-signal-safe calls are made: what needs memory (environment) is
 * made ready before. All signals are blocked over the fork, so that no handler of the parent can
 * run in the child before the dispositions are the default ones.
 *
 * The pidfd becomes readable when the process ends, ours or adopted. The exit status is for the
 * parent alone; waitid(P_PIDFD) on an adopted process says ECHILD, and the status is then -1.
 */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include "process.h"

#define CHILD_LOG_MODE 0640
#define CHILD_KILL_MS 5000 /* after SIGKILL: only a process stuck in the kernel takes longer */
#define CHILD_ERROR_FD 3   /* the exec error pipe in the child */
#define CHILD_SETTLE_US (10 * 1000000ull) /* ran that long: the next failure is the first */

struct child {
	pid_t pid;
	int pidfd;
	sd_event_source *source;
	struct process *process; /* NULL: not counted */
	child_exited_fn *exited;
	void *data;
};

/* Take the exit status if there is one to take: as from waitpid(), or -1. */
static int child_reap(const struct child *child)
{
	siginfo_t info = { 0 };
	int ret;

	do {
		ret = waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED | WNOHANG);
	} while (ret < 0 && errno == EINTR);
	if (ret < 0 || !info.si_pid)
		return -1;
	switch (info.si_code) {
	case CLD_EXITED:
		return W_EXITCODE(info.si_status & 0xff, 0);
	case CLD_DUMPED:
		return W_EXITCODE(0, info.si_status) | WCOREFLAG;
	default:
		return W_EXITCODE(0, info.si_status);
	}
}

static int child_on_exit(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct child *child = userdata;
	int status;

	(void)source;
	(void)fd;
	(void)revents;
	process_forget(child->process, true); /* while it can still be looked at */
	child->process = NULL;
	status = child_reap(child);
	child->source = sd_event_source_disable_unref(child->source);
	if (child->exited)
		child->exited(child, status, child->data); /* may free the child */
	return 0;
}

/* Wait until the process has ended. 0, or -ETIMEDOUT. */
static int child_wait(const struct child *child, unsigned int timeout_ms)
{
	struct pollfd pfd = { .fd = child->pidfd, .events = POLLIN };
	struct timespec now;
	int64_t end_ms, left_ms = timeout_ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	end_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + timeout_ms;
	while (poll(&pfd, 1, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms) <= 0) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		left_ms = end_ms - ((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
		if (left_ms <= 0)
			return -ETIMEDOUT;
	}
	return 0;
}

static int child_new(struct sd_event *event, pid_t pid, child_exited_fn *exited, void *data,
		     struct child **ret_child)
{
	struct child *child;
	int ret;

	child = calloc(1, sizeof(*child));
	if (!child)
		return -ENOMEM;
	child->pid = pid;
	child->exited = exited;
	child->data = data;
	child->pidfd = pidfd_open(pid, 0); /* close on exec by itself */
	if (child->pidfd < 0) {
		ret = -errno;
		goto free;
	}
	ret = sd_event_add_io(event, &child->source, child->pidfd, EPOLLIN, child_on_exit, child);
	if (ret < 0)
		goto close;
	child->process = process_watch(pid);
	*ret_child = child;
	return 0;

close:
	close(child->pidfd);
free:
	free(child);
	return ret;
}

static size_t child_name_len(const char *assignment)
{
	return strcspn(assignment, "=");
}

/* environ and env as one list; an entry of env takes the place of environ's. */
static char **child_env_new(const char *const env[])
{
	size_t n_env = 0, n_environ = 0, n = 0;
	char **all;

	while (env && env[n_env])
		n_env++;
	while (environ && environ[n_environ])
		n_environ++;
	all = calloc(n_env + n_environ + 1, sizeof(*all));
	if (!all)
		return NULL;
	for (size_t i = 0; i < n_environ; i++) {
		size_t len = child_name_len(environ[i]), j = 0;

		while (j < n_env &&
		       (child_name_len(env[j]) != len || strncmp(env[j], environ[i], len)))
			j++;
		if (j == n_env)
			all[n++] = environ[i];
	}
	if (n_env)
		memcpy(all + n, env, n_env * sizeof(*env));
	return all;
}

/* In the child. Returns only if it failed, with errno set; error_fd is CHILD_ERROR_FD by then. */
static void child_exec(const char *const argv[], char *const env[], const char *log_path,
		       int error_fd)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;
	int fd;

	if (error_fd != CHILD_ERROR_FD && dup3(error_fd, CHILD_ERROR_FD, O_CLOEXEC) < 0)
		_exit(127);
	for (int signo = 1; signo < NSIG; signo++)
		(void)sigaction(signo, &action, NULL); /* fails for SIGKILL, SIGSTOP, libc's own */
	sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) || setsid() < 0)
		return;
	/* Not close on exec: if 0 to 2 are closed in the parent these may be them. */
	fd = open("/dev/null", O_RDONLY);
	if (fd < 0 || dup2(fd, STDIN_FILENO) < 0)
		return;
	if (log_path) {
		fd = open(log_path, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY, CHILD_LOG_MODE);
		if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
			return;
	}
	if (close_range(CHILD_ERROR_FD + 1, ~0u, 0))
		return;
	/* exec changes neither strings nor list; its prototype is older than const. */
	execvpe(argv[0], (char *const *)(uintptr_t)argv, env);
}

/* pipe2(O_CLOEXEC) whose write end is none of the standard descriptors. */
static int child_pipe(int ret_fds[static 2])
{
	int fds[2], fd;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	fd = fcntl(fds[1], F_DUPFD_CLOEXEC, CHILD_ERROR_FD);
	if (fd < 0) {
		int ret = -errno;

		close(fds[0]);
		close(fds[1]);
		return ret;
	}
	close(fds[1]);
	ret_fds[0] = fds[0];
	ret_fds[1] = fd;
	return 0;
}

/* Fork and exec. Waits until exec has happened or failed; a failed child is reaped. */
static int child_start(const char *const argv[], char *const env[], const char *log_path,
		       pid_t *ret_pid)
{
	int fds[2] = { -1, -1 }, error = 0, ret;
	sigset_t all, before;
	ssize_t got;
	pid_t pid;

	ret = child_pipe(fds);
	if (ret)
		return ret;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (!pid) {
		child_exec(argv, env, log_path, fds[1]);
		error = errno;
		while (write(CHILD_ERROR_FD, &error, sizeof(error)) < 0 && errno == EINTR)
			;
		_exit(127);
	}
	ret = pid < 0 ? -errno : 0;
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(fds[1]);
	if (ret)
		goto close;
	do {
		got = read(fds[0], &error, sizeof(error));
	} while (got < 0 && errno == EINTR);
	if (got == (ssize_t)sizeof(error)) {
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		ret = error ? -error : -EIO;
		goto close;
	}
	*ret_pid = pid;
close:
	close(fds[0]);
	return ret;
}

int child_spawn(struct sd_event *event, const char *const argv[], const char *const env[],
		const char *log_path, child_exited_fn *exited, void *data, struct child **ret_child)
{
	char **all;
	pid_t pid;
	int ret;

	all = child_env_new(env);
	if (!all)
		return -ENOMEM;
	ret = child_start(argv, all, log_path, &pid);
	free(all);
	if (ret)
		return ret;
	ret = child_new(event, pid, exited, data, ret_child);
	if (ret) {
		/* Not reaped by anybody yet, so the pid is still its own. */
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	return ret;
}

int child_adopt(struct sd_event *event, pid_t pid, child_exited_fn *exited, void *data,
		struct child **ret_child)
{
	struct child *child;
	int ret;

	if (pid <= 0)
		return -ESRCH;
	ret = child_new(event, pid, exited, data, &child);
	if (ret)
		return ret;
	/* A process that has ended has a pidfd as long as its parent has not reaped it. */
	if (!child_wait(child, 0)) {
		(void)child_reap(child); /* if it was ours */
		child_free(child);
		return -ESRCH;
	}
	*ret_child = child;
	return 0;
}

pid_t child_pid(const struct child *child)
{
	return child->pid;
}

int child_signal(const struct child *child, int signo)
{
	/* One that has ended but is not reaped yet would take it without a word. */
	if (!child_wait(child, 0))
		return -ESRCH;
	return pidfd_send_signal(child->pidfd, signo, NULL, 0) ? -errno : 0;
}

void child_stop(struct child *child, unsigned int timeout_ms)
{
	if (!child)
		return;
	/* -ESRCH: it has ended; any other failure cannot be mended here, and waiting is bounded. */
	(void)child_signal(child, SIGTERM);
	if (child_wait(child, timeout_ms)) {
		(void)child_signal(child, SIGKILL);
		(void)child_wait(child, CHILD_KILL_MS);
	}
	process_forget(child->process, false); /* while it can still be looked at */
	child->process = NULL;
	(void)child_reap(child);
	child_free(child);
}

void child_free(struct child *child)
{
	if (!child)
		return;
	process_forget(child->process, false);
	sd_event_source_disable_unref(child->source);
	close(child->pidfd);
	free(child);
}

uint64_t child_backoff_delay_us(struct child_backoff *backoff, uint64_t now_us)
{
	static const uint64_t delays_ms[] = { 0, 100, 200, 400, 800, 1600, 3200, 5000 };
	const unsigned int last = sizeof(delays_ms) / sizeof(delays_ms[0]) - 1;
	uint64_t delay_us;

	if (now_us >= backoff->started_us && now_us - backoff->started_us >= CHILD_SETTLE_US)
		backoff->failures = 0;
	if (backoff->failures > last)
		backoff->failures = last;
	delay_us = delays_ms[backoff->failures] * 1000;
	if (backoff->failures < last)
		backoff->failures++;
	/* The next start, so that one that never succeeds is not taken for one that ran long. */
	backoff->started_us = now_us + delay_us;
	return delay_us;
}

void child_program(const char *name, char path[static PATH_MAX])
{
	const ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - 1);
	char *slash = NULL;

	if (len > 0) {
		path[len] = '\0';
		slash = strrchr(path, '/');
	}
	if (slash && (size_t)(slash + 1 - path) + strlen(name) < PATH_MAX) {
		strcpy(slash + 1, name);
		if (!access(path, X_OK))
			return;
	}
	snprintf(path, PATH_MAX, "%s", name);
}

bool child_cmdline_has(pid_t pid, const char *arg)
{
	char path[40], *line = NULL;
	size_t size = 0;
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (!found && getdelim(&line, &size, '\0', file) > 0)
		found = !strcmp(line, arg);
	free(line);
	fclose(file);
	return found;
}
