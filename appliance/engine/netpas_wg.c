/* SPDX-License-Identifier: GPL-2.0-only */
/* netpas-wg: WireGuard in user space. The command line is wireguard-go's. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "engine/device.h"
#include "engine/intake.h"
#include "engine/runtime.h"
#include "engine/sandbox.h"
#include "engine/uapi_server.h"

enum {
	WORKERS_DEFAULT_MAX = 8
};

static const char usage[] =
	"usage: netpas-wg [-f] [-j WORKERS] [-a PROVIDER] [--all] IFNAME...\n"
	"       netpas-wg --add IFNAME...\n"
	"       netpas-wg --version\n"
	"\n"
	"  -f, --foreground        stay in the foreground\n"
	"  -j, --workers=N         packet workers, each on a core (default: cores, at most 8)\n"
	"  -a, --aead=NAME         ChaCha20-Poly1305 of this library (default: the fastest)\n"
	"      --all               stay for interfaces that --add gives, without any as well\n"
	"      --add               give them to the process that was started with --all\n";

struct options {
	bool foreground, all, add;
	int workers;
	const struct aead_provider *provider;
	char **names;
};

struct signals {
	struct runtime_source source;
	struct runtime *runtime;
};

static int fail(const char *what, int rc)
{
	fprintf(stderr, "netpas-wg: %s: %s\n", what, strerror(-rc));
	return EXIT_FAILURE;
}

static int cores(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	return sched_getaffinity(0, sizeof(set), &set) ? 1 : CPU_COUNT(&set);
}

static const struct aead_provider *provider_named(const char *name)
{
	for (int i = 0; aead_providers[i]; i++)
		if (!strcmp(aead_providers[i]->name, name) && aead_providers[i]->usable())
			return aead_providers[i];
	return NULL;
}

static int options_parse(int argc, char **argv, struct options *ret_options)
{
	static const struct option longs[] = {
		{ "foreground", no_argument, NULL, 'f' },
		{ "workers", required_argument, NULL, 'j' },
		{ "aead", required_argument, NULL, 'a' },
		{ "all", no_argument, NULL, 'A' },
		{ "add", no_argument, NULL, 'D' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *foreground = getenv("WG_PROCESS_FOREGROUND");
	struct options options = { .workers = cores() };
	char *end;
	int c;

	if (options.workers > WORKERS_DEFAULT_MAX)
		options.workers = WORKERS_DEFAULT_MAX;
	options.foreground = foreground && !strcmp(foreground, "1");
	while ((c = getopt_long(argc, argv, "fj:a:h", longs, NULL)) != -1) {
		switch (c) {
		case 'f':
			options.foreground = true;
			break;
		case 'j':
			options.workers = (int)strtol(optarg, &end, 10);
			if (*end || options.workers < 1 || options.workers > TUN_QUEUES)
				return -EINVAL;
			break;
		case 'a':
			options.provider = provider_named(optarg);
			if (!options.provider)
				return -EINVAL;
			break;
		case 'A':
			options.all = true;
			break;
		case 'D':
			options.add = true;
			break;
		case 'V':
			puts("netpas-wg " NETPAS_VERSION);
			exit(EXIT_SUCCESS);
		case 'h':
			fputs(usage, stdout);
			exit(EXIT_SUCCESS);
		default:
			return -EINVAL;
		}
	}
	options.names = argv + optind;
	if ((!*options.names && !options.all) || (options.all && options.add))
		return -EINVAL;
	*ret_options = options;
	return 0;
}

static void signals_ready(struct runtime_source *source, uint32_t events)
{
	struct signals *signals = (struct signals *)source;

	(void)events;
	runtime_stop(signals->runtime);
}

static int signals_open(struct runtime *runtime, struct signals *ret_signals)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	ret_signals->runtime = runtime;
	ret_signals->source.ready = signals_ready;
	ret_signals->source.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (ret_signals->source.fd < 0)
		return -errno;
	return runtime_watch(runtime, &ret_signals->source, EPOLLIN);
}

/* Whoever started us may go on; who reads what we print would wait for our end. */
static void leave(int ready_fd, int null_fd)
{
	for (int fd = STDIN_FILENO; null_fd >= 0 && fd <= STDERR_FILENO; fd++)
		(void)dup2(null_fd, fd); /* if not, it stays as it was */
	if (null_fd > STDERR_FILENO)
		close(null_fd);
	(void)!write(ready_fd, "1", 1); /* nobody waits any more */
	close(ready_fd);
}

/* Its TUN device and its UAPI socket, and what serves them. */
static int open_device(struct runtime *runtime, const char *name)
{
	struct tun tun;
	int rc = tun_open(name, runtime->n_workers, 1420, &tun), fd;

	if (rc)
		return rc;
	fd = uapi_listen(tun.name);
	rc = fd < 0 ? fd : device_new(runtime, &tun, fd);
	if (!rc)
		return 0;
	if (fd >= 0) {
		uapi_unlink(tun.name);
		close(fd);
	}
	tun_close(&tun);
	return rc;
}

static int serve(const struct options *options, int ready_fd)
{
	struct intake *intake = NULL;
	struct runtime *runtime;
	struct signals signals;
	int rc = sandbox_before(), null_fd;

	if (rc)
		return fail("protection of memory", rc);
	rc = runtime_new(options->workers, options->provider, &runtime);
	if (rc)
		return fail("start", rc);
	rc = signals_open(runtime, &signals);
	if (rc) {
		fail("signals", rc);
		goto out;
	}
	for (char **name = options->names; *name && !rc; name++) {
		rc = open_device(runtime, *name);
		if (rc)
			fail(*name, rc);
	}
	if (rc)
		goto out;
	if (options->all) {
		runtime->stays = true;
		rc = intake_new(runtime, &intake);
		if (rc) {
			fail(rc == -EADDRINUSE ? "another one runs with --all" : "--all", rc);
			goto out;
		}
	}
	null_fd = ready_fd < 0 ? -1 : open("/dev/null", O_RDWR | O_CLOEXEC);
	rc = sandbox_enter();
	if (rc) {
		fail("sandbox", rc);
		goto out;
	}
	if (ready_fd >= 0)
		leave(ready_fd, null_fd);
	rc = runtime_run(runtime);
out:
	intake_free(intake);
	runtime_free(runtime);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* The parent ends when the interfaces are there, or with the child's failure. */
static int serve_in_background(const struct options *options)
{
	char ready;
	int fds[2];
	pid_t pid;

	if (pipe(fds))
		return fail("pipe", -errno);
	pid = fork();
	if (pid < 0)
		return fail("fork", -errno);
	if (pid) {
		close(fds[1]);
		return read(fds[0], &ready, 1) == 1 ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	close(fds[0]);
	if (setsid() < 0 || chdir("/"))
		return fail("background", -errno);
	return serve(options, fds[1]);
}

/* To the process that has --all. Those before one that fails stay with it. */
static int give_all(char **names)
{
	for (int rc; *names; names++) {
		rc = intake_give(*names);
		if (rc == -ENOENT || rc == -ECONNREFUSED)
			return fail("none runs with --all", rc);
		if (rc)
			return fail(*names, rc);
	}
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct options options;

	if (options_parse(argc, argv, &options)) {
		fputs(usage, stderr);
		return 2;
	}
	if (options.add)
		return give_all(options.names);
	return options.foreground ? serve(&options, -1) : serve_in_background(&options);
}
