/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * supervisor [-1] [-w USEC] BASE COMMAND...: what a service manager does for one service.
 *
 * Starts the command, with NOTIFY_SOCKET set, and again 100 ms after every failure (-1: not); an
 * exit with 0 and an end by SIGTERM, SIGINT, SIGHUP or SIGPIPE are none, and end the supervisor.
 * With -w there is WATCHDOG_USEC too: a service that does not say WATCHDOG=1 in that time gets
 * SIGABRT, and SIGKILL if that does not end it. SIGTERM: the service gets it, SIGKILL after 20 s,
 * then the supervisor ends. Only the service itself is ever signalled, as with KillMode=process.
 *
 * BASE.pid		pid of the service
 * BASE.supervisor	own pid
 * BASE.log		output of the service
 * BASE.events		one line each: seconds since the machine's start, start PID, notify TEXT,
 *			watchdog, exit CODE, killed SIGNAL
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RESTART_MS 100
#define STOP_MS 20000
#define ABORT_MS 1000 /* for what not even SIGABRT ends: a stopped process */

struct service {
	const char *base;
	char *const *argv;
	uint64_t watchdog_us;
	uint64_t watchdog_at; /* 0: not armed */
	uint64_t start_at;    /* 0: running */
	uint64_t kill_at;     /* 0: not stopping */
	pid_t pid;
	bool once, stopping;
	FILE *events;
	int notify_fd;
};

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

__attribute__((format(printf, 2, 3))) static void event_log(struct service *service,
							    const char *fmt, ...)
{
	va_list ap;

	fprintf(service->events, "%.3f ", (double)now_us() / 1e6);
	va_start(ap, fmt);
	vfprintf(service->events, fmt, ap);
	va_end(ap);
	fputc('\n', service->events);
	fflush(service->events);
}

static int pid_write(const char *base, const char *suffix, pid_t pid)
{
	char path[512], temporary[520];
	FILE *file;

	snprintf(path, sizeof(path), "%s.%s", base, suffix);
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	file = fopen(temporary, "we");
	if (!file)
		return -errno;
	fprintf(file, "%d\n", pid);
	if (fclose(file) != 0 || rename(temporary, path) != 0)
		return -errno;
	return 0;
}

static int notify_open(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const int on = 1;
	socklen_t len;
	int fd;

	/* An abstract name of our own network namespace. */
	len = (socklen_t)(sizeof(address.sun_family) + 1 +
			  (size_t)snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1,
					   "supervisor-%d", getpid()));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&address, len) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0) {
		close(fd);
		return -errno;
	}
	return fd;
}

static void service_start(struct service *service)
{
	char path[512], value[64];
	sigset_t none;
	int log_fd;

	service->pid = fork();
	if (service->pid < 0) {
		event_log(service, "fork: %s", strerror(errno));
		service->pid = 0;
		return;
	}
	if (service->pid == 0) {
		snprintf(path, sizeof(path), "%s.log", service->base);
		log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
		if (log_fd >= 0) {
			(void)dup2(log_fd, STDOUT_FILENO); /* else the output is the parent's */
			(void)dup2(log_fd, STDERR_FILENO);
		}
		snprintf(value, sizeof(value), "@supervisor-%d", getppid());
		setenv("NOTIFY_SOCKET", value, 1);
		if (service->watchdog_us != 0) {
			snprintf(value, sizeof(value), "%llu",
				 (unsigned long long)service->watchdog_us);
			setenv("WATCHDOG_USEC", value, 1);
			snprintf(value, sizeof(value), "%d", getpid());
			setenv("WATCHDOG_PID", value, 1);
		}
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		setsid(); /* of its own: the scheduler shares the CPU between sessions */
		execvp(service->argv[0], service->argv);
		fprintf(stderr, "supervisor: %s: %s\n", service->argv[0], strerror(errno));
		_exit(127);
	}
	service->start_at = 0;
	service->watchdog_at = service->watchdog_us ? now_us() + service->watchdog_us : 0;
	event_log(service, "start %d", service->pid);
	if (pid_write(service->base, "pid", service->pid) < 0)
		event_log(service, "cannot write the pid file");
}

static bool ended_well(int status)
{
	static const int polite[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE };
	size_t i;

	if (WIFEXITED(status))
		return WEXITSTATUS(status) == 0;
	for (i = 0; i < sizeof(polite) / sizeof(polite[0]); i++)
		if (WTERMSIG(status) == polite[i])
			return true;
	return false;
}

/* All that was said until now. */
static void notify_read(struct service *service)
{
	char buf[4096], control[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) - 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	char *line, *save = NULL;
	ssize_t len;

	while ((len = recvmsg(service->notify_fd, &msg, 0)) > 0) {
		buf[len] = '\0';
		for (line = strtok_r(buf, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
			if (strcmp(line, "WATCHDOG=1") == 0 && service->watchdog_us != 0)
				service->watchdog_at = now_us() + service->watchdog_us;
			event_log(service, "notify %s", line);
		}
		msg.msg_controllen = sizeof(control);
	}
}

/* Returns true when there is nothing left to supervise. */
static bool service_reap(struct service *service)
{
	int status;

	if (service->pid == 0 || waitpid(service->pid, &status, WNOHANG) != service->pid)
		return false;
	notify_read(service); /* its last words */
	if (WIFEXITED(status))
		event_log(service, "exit %d", WEXITSTATUS(status));
	else
		event_log(service, "killed %d", WTERMSIG(status));
	service->pid = 0;
	service->watchdog_at = 0;
	service->kill_at = 0;
	if (service->stopping || service->once || ended_well(status))
		return true;
	service->start_at = now_us() + RESTART_MS * 1000;
	return false;
}

static void service_stop(struct service *service)
{
	service->stopping = true;
	service->start_at = 0;
	if (service->pid == 0)
		return;
	kill(service->pid, SIGTERM);
	service->kill_at = now_us() + STOP_MS * 1000;
}

static int timeout_ms(const struct service *service)
{
	const uint64_t at[] = { service->start_at, service->watchdog_at, service->kill_at };
	uint64_t now = now_us(), first = 0;
	size_t i;

	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		if (at[i] != 0 && (first == 0 || at[i] < first))
			first = at[i];
	if (first == 0)
		return -1;
	return first > now ? (int)((first - now) / 1000) + 1 : 0;
}

static void service_timers(struct service *service)
{
	uint64_t now = now_us();

	if (service->start_at != 0 && service->start_at <= now)
		service_start(service);
	if (service->watchdog_at != 0 && service->watchdog_at <= now && service->pid != 0) {
		event_log(service, "watchdog");
		kill(service->pid, SIGABRT);
		service->watchdog_at = 0;
		service->kill_at = now + ABORT_MS * 1000;
	}
	if (service->kill_at != 0 && service->kill_at <= now && service->pid != 0) {
		event_log(service, "does not stop");
		kill(service->pid, SIGKILL);
		service->kill_at = 0;
	}
}

static int supervise(struct service *service)
{
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };
	struct signalfd_siginfo info;
	bool done = false;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* A service manager never inherits an ignored SIGCHLD. */
	signal(SIGCHLD, SIG_DFL);
	fds[0].fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	fds[1].fd = service->notify_fd = notify_open();
	if (fds[0].fd < 0 || fds[1].fd < 0) {
		fprintf(stderr, "supervisor: no notify socket or signals\n");
		return 1;
	}
	service_start(service);
	while (!done) {
		if (poll(fds, 2, timeout_ms(service)) < 0 && errno != EINTR)
			return 1;
		while (read(fds[0].fd, &info, sizeof(info)) == sizeof(info))
			if (info.ssi_signo == SIGTERM)
				service_stop(service);
		if (fds[1].revents & POLLIN)
			notify_read(service);
		done = service_reap(service) || (service->stopping && service->pid == 0);
		if (!done)
			service_timers(service);
	}
	close(fds[0].fd);
	close(fds[1].fd);
	return 0;
}

int main(int argc, char **argv)
{
	struct service service = { 0 };
	char path[512];
	int opt, ret;

	while ((opt = getopt(argc, argv, "+1w:")) != -1) {
		switch (opt) {
		case '1':
			service.once = true;
			break;
		case 'w':
			service.watchdog_us = strtoull(optarg, NULL, 10);
			break;
		default:
			return 2;
		}
	}
	if (argc - optind < 2) {
		fprintf(stderr, "usage: supervisor [-1] [-w USEC] BASE COMMAND...\n");
		return 2;
	}
	service.base = argv[optind];
	service.argv = &argv[optind + 1];
	snprintf(path, sizeof(path), "%s.events", service.base);
	service.events = fopen(path, "ae");
	if (!service.events || pid_write(service.base, "supervisor", getpid()) < 0) {
		fprintf(stderr, "supervisor: %s: %s\n", path, strerror(errno));
		return 1;
	}
	ret = supervise(&service);
	fclose(service.events);
	return ret;
}
