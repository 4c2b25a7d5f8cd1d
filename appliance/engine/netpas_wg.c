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

#include "engine/runtime.h"
#include "engine/sandbox.h"

enum {
	WORKERS_DEFAULT_MAX = 8
};

static const char usage[] =
	"usage: netpas-wg [-f] [-j WORKERS] [-a PROVIDER] IFNAME...\n"
	"       netpas-wg --version\n"
	"\n"
	"  -f, --foreground        stay in the foreground\n"
	"  -j, --workers=N         packet workers, each on a core (default: cores, at most 8)\n"
	"  -a, --aead=NAME         ChaCha20-Poly1305 of this library (default: the fastest)\n";

struct options {
	bool foreground;
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
	if (!*options.names)
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

static int serve(const struct options *options, int ready_fd)
{
	struct runtime *runtime;
	struct signals signals;
	struct device *device;
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
		rc = device_new(runtime, *name, &device);
		if (rc)
			fail(*name, rc);
	}
	if (rc)
		goto out;
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

int main(int argc, char **argv)
{
	struct options options;

	if (options_parse(argc, argv, &options)) {
		fputs(usage, stderr);
		return 2;
	}
	return options.foreground ? serve(&options, -1) : serve_in_background(&options);
}
