/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine_bench.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_load.h"
#include "bench_network.h"
#include "engine.h"
#include "link.h"

#define AWAIT_S 15 /* of a handshake; one that is lost is tried again after five */
#define PROBE_IFNAME "wg0"

struct outcome {
	int rc;
	char words[ENGINE_RECORD_WORDS];
	struct engine_trials engines[ENGINE_KIND_MAX];
};

int engine_bench_prepare(struct engine_bench *bench)
{
	char path[PATH_MAX];
	struct netlink *route;
	int rc;

	bench->there[ENGINE_NETPAS_WG] = engines_installed(ENGINE_PROGRAM, path);
	bench->there[ENGINE_WIREGUARD_GO] = engines_installed(ENGINE_FALLBACK, path);
	if (unshare(CLONE_NEWNET | CLONE_NEWPID))
		return -errno;
	rc = netlink_open(NETLINK_ROUTE, 0, &route);
	if (rc)
		return rc;
	bench->there[ENGINE_KERNEL] = !link_add_wireguard(route, PROBE_IFNAME);
	netlink_close(route);
	return 0;
}

static unsigned int engines_there(const struct engine_bench *bench)
{
	unsigned int n = 0;

	for (int kind = 0; kind < ENGINE_KIND_MAX; kind++)
		n += bench->there[kind];
	return n;
}

/* Bulk, up to six rates of small packets, and what it takes to begin each. */
unsigned int engine_bench_lasts(const struct engine_bench *bench)
{
	return (unsigned int)(bench->trials * engines_there(bench) * (2.25 * bench->seconds + 1.5));
}

/* ---- the child ---- */

static int trial(const struct engine_bench *bench, struct bench_network *network,
		 enum engine_kind kind, struct outcome *outcome)
{
	struct engine_trials *trials = &outcome->engines[kind];
	double values[ENGINE_FIGURE_MAX];
	const char *what = "does not start";
	int rc = bench_network_up(network, kind);

	if (!rc) {
		what = "no packet comes through its tunnel";
		rc = bench_load_await(network, AWAIT_S);
	}
	if (!rc) {
		what = "TCP";
		rc = bench_load_bulk(network, bench->seconds, &values[ENGINE_BULK],
				     &values[ENGINE_PING]);
	}
	if (!rc) {
		what = "small packets";
		rc = bench_load_small(network, bench->seconds, &values[ENGINE_SMALL]);
	}
	bench_network_down(network);
	if (rc) {
		snprintf(outcome->words, sizeof(outcome->words), "%s: %s", engine_kind_names[kind],
			 what);
		return rc;
	}
	for (int figure = 0; figure < ENGINE_FIGURE_MAX; figure++)
		trials->values[figure][trials->n] = values[figure];
	trials->n++;
	return 0;
}

static int measure(const struct engine_bench *bench, struct outcome *outcome)
{
	struct bench_network *network;
	const char *what = "mounts of its own";
	int rc = unshare(CLONE_NEWNS) ? -errno : bench_network_new(&network, &what);

	if (rc) {
		snprintf(outcome->words, sizeof(outcome->words), "%s", what);
		return rc;
	}
	for (unsigned int i = 0; !rc && i < bench->trials; i++)
		for (unsigned int turn = 0; !rc && turn < ENGINE_KIND_MAX; turn++) {
			const enum engine_kind kind =
				(enum engine_kind)((i + turn) % ENGINE_KIND_MAX);

			if (bench->there[kind])
				rc = trial(bench, network, kind, outcome);
		}
	bench_network_free(network);
	return rc;
}

/* The first process of a pid namespace: with it all others in it end. */
static void child(const struct engine_bench *bench, struct outcome *outcome, int parent)
{
	struct pollfd pfd = { .fd = parent, .events = POLLIN };

	/* The parent may have ended before this was said. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || poll(&pfd, 1, 0))
		_exit(1);
	outcome->rc = measure(bench, outcome);
	_exit(0);
}

int engine_bench_run(const struct engine_bench *bench, struct engine_record *record,
		     char words[static ENGINE_RECORD_WORDS])
{
	struct outcome *outcome = mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int parent, status, rc;
	pid_t pid;

	snprintf(words, ENGINE_RECORD_WORDS, "a process of its own");
	if (outcome == MAP_FAILED)
		return -errno;
	parent = pidfd_open(getpid(), 0);
	pid = parent < 0 ? -1 : fork();
	rc = pid < 0 ? -errno : 0;
	if (!pid)
		child(bench, outcome, parent);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid > 0 && (!WIFEXITED(status) || WEXITSTATUS(status)))
		rc = -ECHILD;
	if (!rc && outcome->rc) {
		rc = outcome->rc;
		snprintf(words, ENGINE_RECORD_WORDS, "%s", outcome->words);
	}
	if (!rc)
		memcpy(record->engines, outcome->engines, sizeof(record->engines));
	if (parent >= 0)
		close(parent);
	munmap(outcome, sizeof(*outcome));
	return rc;
}
