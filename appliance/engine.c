/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "clock.h"
#include "event.h"
#include "log.h"
#include "realtime.h"
#include "state.h"
#include "wireguard.h"

#define START_DEADLINE_MS 5000
#define START_POLL_MS 2
#define STOP_TIMEOUT_MS 2000

struct engine {
	struct engine *next;
	struct engines *engines;
	struct child *child;
	char ifname[CONFIG_IFNAME_LEN];
};

struct engines {
	struct sd_event *event;
	char *log_dir;
	engines_exited_fn *exited;
	void *data;
	struct engine *list;
	char program[PATH_MAX];
};

bool engines_installed(const char *name, char path[static PATH_MAX])
{
	const char *dirs = getenv("PATH");

	child_program(name, path);
	if (strchr(path, '/'))
		return true;
	for (size_t len; dirs && *dirs; dirs += len + (dirs[len] == ':')) {
		len = strcspn(dirs, ":");
		if (snprintf(path, PATH_MAX, "%.*s/%s", (int)len, dirs, name) < PATH_MAX &&
		    !access(path, X_OK))
			return true;
	}
	return false;
}

void engines_choose(struct engines *engines, bool fallback)
{
	if (fallback || !engines_installed(ENGINE_PROGRAM, engines->program))
		snprintf(engines->program, sizeof(engines->program), "%s", ENGINE_FALLBACK);
}

int engines_new(struct sd_event *event, const char *log_dir, engines_exited_fn *exited, void *data,
		struct engines **ret_engines)
{
	struct engines *engines = calloc(1, sizeof(*engines));

	if (!engines)
		return -ENOMEM;
	engines->log_dir = strdup(log_dir);
	if (!engines->log_dir) {
		free(engines);
		return -ENOMEM;
	}
	engines->event = event;
	engines->exited = exited;
	engines->data = data;
	engines_choose(engines, false);
	*ret_engines = engines;
	return 0;
}

static struct engine **engine_find(struct engines *engines, const char *ifname)
{
	struct engine **engine = &engines->list;

	while (*engine && strcmp((*engine)->ifname, ifname))
		engine = &(*engine)->next;
	return engine;
}

static void engine_unlink(struct engine **engine)
{
	struct engine *gone = *engine;

	*engine = gone->next;
	free(gone);
}

void engines_free(struct engines *engines)
{
	if (!engines)
		return;
	while (engines->list) {
		child_free(engines->list->child);
		engine_unlink(&engines->list);
	}
	free(engines->log_dir);
	free(engines);
}

static void engine_exited(struct child *child, int status, void *data)
{
	struct engine *engine = data;
	struct engines *engines = engine->engines;
	char ifname[CONFIG_IFNAME_LEN];

	memcpy(ifname, engine->ifname, sizeof(ifname));
	child_free(child);
	engine_unlink(engine_find(engines, ifname));
	engines->exited(ifname, status, engines->data);
}

static struct engine *engine_new(struct engines *engines, const char *ifname)
{
	struct engine *engine = calloc(1, sizeof(*engine));

	if (!engine)
		return NULL;
	engine->engines = engines;
	snprintf(engine->ifname, sizeof(engine->ifname), "%s", ifname);
	return engine;
}

static void engine_link(struct engine *engine)
{
	engine->next = engine->engines->list;
	engine->engines->list = engine;
}

/* Until its socket answers. The process dying meanwhile is an answer too. */
static int engine_await(struct engine *engine)
{
	const struct timespec pause = { .tv_nsec = START_POLL_MS * 1000000L };
	const uint64_t deadline_us = clock_now_us() + START_DEADLINE_MS * 1000ULL;
	struct state_tunnel tunnel = { .engine = STATE_ENGINE_USER };

	memcpy(tunnel.ifname, engine->ifname, sizeof(tunnel.ifname));
	do {
		int rc = wireguard_uapi_read(&tunnel, NULL);

		if (!rc)
			return 0;
		if (child_signal(engine->child, 0) < 0)
			return -ECHILD;
		nanosleep(&pause, NULL);
	} while (clock_now_us() < deadline_us);
	return -ETIMEDOUT;
}

/*
 * As SCHED_BATCH, which children inherit: a thread that is woken then does not take the CPU from
 * the one that wakes it. The stages of the engine thus hand over more packets at a time, and
 * keepalived and netpasd get their turn before it.
 */
static int spawn_as_batch(struct engine *engine, const char *const argv[], const char *const env[],
			  const char *log_path)
{
	const struct sched_param param = { 0 };
	bool set;
	int rc;

	realtime_pause();
	set = sched_getscheduler(0) == SCHED_OTHER && !sched_setscheduler(0, SCHED_BATCH, &param);
	rc = child_spawn(engine->engines->event, argv, env, log_path, engine_exited, engine,
			 &engine->child);
	if (set && sched_setscheduler(0, SCHED_OTHER, &param))
		log_warning("netpasd stays in the batch class: %s", strerror(errno));
	realtime_resume();
	return rc;
}

int engines_start(struct engines *engines, const char *ifname)
{
	const char *const argv[] = { engines->program, "-f", ifname, NULL };
	const char *const env[] = { "WG_PROCESS_FOREGROUND=1", "LOG_LEVEL=error", NULL };
	char log_path[4096];
	struct engine *engine;
	int rc;

	if (*engine_find(engines, ifname)) {
		/* Killed: its device went at once, the news of its end is on the way. */
		event_error(EVENT_ENGINE, "engine %s: has lost its device; restarting it", ifname);
		(void)engines_stop(engines, ifname);
	}
	engine = engine_new(engines, ifname);
	if (!engine)
		return -ENOMEM;
	snprintf(log_path, sizeof(log_path), "%s/%s.log", engines->log_dir, ifname);
	rc = spawn_as_batch(engine, argv, env, log_path);
	if (rc)
		goto err_free;
	rc = engine_await(engine);
	if (rc)
		goto err_stop;
	engine_link(engine);
	return 0;

err_stop:
	child_stop(engine->child, STOP_TIMEOUT_MS);
err_free:
	event_error(EVENT_ENGINE, "engine %s: %s: %s; %s may say more", ifname, engines->program,
		    rc == -ECHILD      ? "ended at once"
		    : rc == -ETIMEDOUT ? "does not answer"
				       : strerror(-rc),
		    log_path);
	free(engine);
	return rc;
}

void engines_program(struct engines *engines, const char *ifname,
		     char ret_name[static ENGINE_NAME_LEN])
{
	struct engine *engine = *engine_find(engines, ifname);
	char path[64];
	FILE *file;

	ret_name[0] = '\0';
	if (!engine)
		return;
	snprintf(path, sizeof(path), "/proc/%d/comm", child_pid(engine->child));
	file = fopen(path, "re");
	if (!file)
		return; /* it has just ended */
	if (fgets(ret_name, ENGINE_NAME_LEN, file))
		ret_name[strcspn(ret_name, "\n")] = '\0';
	fclose(file);
}

int engines_adopt(struct engines *engines, const char *ifname)
{
	struct engine *engine;
	pid_t pid;
	int rc;

	if (*engine_find(engines, ifname))
		return 0;
	pid = wireguard_uapi_owner(ifname);
	if (pid <= 0)
		return -ESRCH;
	engine = engine_new(engines, ifname);
	if (!engine)
		return -ENOMEM;
	rc = child_adopt(engines->event, pid, engine_exited, engine, &engine->child);
	if (rc) {
		free(engine);
		return rc;
	}
	engine_link(engine);
	return 0;
}

int engines_stop(struct engines *engines, const char *ifname)
{
	struct engine **engine;
	int rc = engines_adopt(engines, ifname);

	if (rc == -ESRCH)
		return 0;
	if (rc)
		return rc;
	engine = engine_find(engines, ifname);
	child_stop((*engine)->child, STOP_TIMEOUT_MS);
	engine_unlink(engine);
	return 0;
}

int engines_kill(struct engines *engines, const char *ifname)
{
	int rc = engines_adopt(engines, ifname);

	if (!rc)
		rc = child_signal((*engine_find(engines, ifname))->child, SIGKILL);
	return rc == -ESRCH ? 0 : rc;
}

pid_t engines_pid(const struct engines *engines, const char *ifname)
{
	for (const struct engine *engine = engines->list; engine; engine = engine->next)
		if (!strcmp(engine->ifname, ifname))
			return child_pid(engine->child);
	return 0;
}
