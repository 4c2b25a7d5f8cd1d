/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netpas-usage RUN_DIR STATE_DIR: reads the data plane's counters every second, and records them.
 *
 * A process of its own, so that a slow or full disk holds up no hello. netpasd starts it and it
 * outlives netpasd, as the data plane does that it meters: the next netpasd finds it by its pid
 * file. What it has to know it reads from files: names from usage.json (again after SIGHUP), all
 * else from the maps. It tells how it is in usage.status.
 *
 * Killed at any moment it loses nothing: the counters are in the kernel, and what is on disk are
 * readings of them. A power cut takes what was counted since the last one.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "log.h"
#include "usage.h"
#include "usage_calendar.h"
#include "usage_maps.h"
#include "usage_recorder.h"
#include "usage_store.h"
#include "usage_view.h"

#define INTERVAL_MS 1000
#define NICE 5

struct process {
	char config_path[PATH_MAX], status_path[PATH_MAX], pid_path[PATH_MAX], db_path[PATH_MAX];
	char view_path[PATH_MAX];
	struct usage_view *view;
	struct usage_store *store;
	struct usage_recorder *recorder;
	struct usage_maps *maps;
	struct usage_readings readings;
	bool attached, attached_metered;
	bool named; /* the record knows whose it is */
	char boot[40];
	char error[USAGE_ERROR_LEN];	 /* "" all is well */
	char put_aside[USAGE_ERROR_LEN]; /* a damaged record; "" none */
	int64_t recorded_ms;		 /* UNIX time of the last reading on disk; 0: none */
	uint64_t commit_us;		 /* how long that took */
	size_t n_other;			 /* site pairs with subnets that are not counted apart */
};

static int64_t real_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- one of us ---- */

/* Locked while we live; -EBUSY: another one lives. The descriptor stays open. */
static int take_pid_file(const struct process *process)
{
	const int fd = open(process->pid_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char text[16];
	int len;

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	len = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) || write(fd, text, (size_t)len) != len)
		return -errno;
	return 0;
}

static void read_boot(char boot[static 40])
{
	const int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	size_t len = 0;

	boot[0] = '\0';
	if (fd < 0)
		return;
	if (!file_read(fd, boot, 39, &len))
		boot[len] = '\0';
	boot[strcspn(boot, "\n")] = '\0';
	close(fd);
}

/* ---- what netpasd says ---- */

/* -ESTALE: it is of another version, and wants a program of that. */
static int take_config(struct process *process)
{
	json_t *json = json_load_file(process->config_path, JSON_REJECT_DUPLICATES, NULL);
	const char *version, *name;
	json_int_t id, number;
	json_t *sites, *site;
	size_t i;
	int rc = 0;

	if (json_unpack(json, "{s:s, s:I, s:s, s:I, s:o}", "version", &version, "id", &id, "node",
			&name, "site", &number, "sites", &sites)) {
		json_decref(json);
		return -EINVAL;
	}
	/* One that has just been started is what there is: it records, whatever it is. */
	if (strcmp(version, usage_version) && process->recorded_ms) {
		log_info("usage: netpasd is of version %s now, this is %s: ending", version,
			 usage_version);
		json_decref(json);
		return -ESTALE;
	}
	rc = usage_store_begin(process->store);
	if (!rc)
		rc = usage_store_set_node(process->store, (uint16_t)id, name, (uint16_t)number);
	json_array_foreach(sites, i, site)
	{
		const char *site_name;

		if (!rc && !json_unpack(site, "[I, s]", &number, &site_name))
			rc = usage_store_set_site(process->store, (uint16_t)number, site_name);
	}
	if (!rc)
		rc = usage_store_commit(process->store);
	if (rc)
		usage_store_rollback(process->store);
	else
		process->named = true;
	json_decref(json);
	return rc;
}

static void tell(const struct process *process)
{
	json_t *json = json_pack(
		"{s:s, s:s, s:b, s:I, s:I, s:I, s:I}", "error", process->error, "put_aside",
		process->put_aside, "metered", (int)(process->maps != NULL), "recorded_ms",
		(json_int_t)process->recorded_ms, "commit_us", (json_int_t)process->commit_us,
		"pairs", (json_int_t)process->readings.n, "other", (json_int_t)process->n_other);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	/* It is looked at with its age; one that cannot be written grows old. */
	if (text)
		(void)file_replace(process->status_path, text, strlen(text), 0600);
	free(text);
	json_decref(json);
}

static void set_error(struct process *process, const char *what, const char *why)
{
	char error[USAGE_ERROR_LEN];

	snprintf(error, sizeof(error), "%s%s%.250s", what, why ? ": " : "", why ? why : "");
	if (*error && strcmp(error, process->error))
		log_error("usage: %s", error);
	else if (!*error && *process->error)
		log_info("usage: recording again");
	memcpy(process->error, error, sizeof(error));
}

/* ---- the record ---- */

static void close_record(struct process *process)
{
	usage_recorder_free(process->recorder);
	process->recorder = NULL;
	usage_store_close(process->store);
	process->store = NULL;
	process->attached = false;
	process->named = false;
}

/* What is damaged is put aside, and a new record begun. */
static void set_damaged_aside(struct process *process, const char *error)
{
	int rc;

	log_error("usage: %s cannot be read: %s", process->db_path, error);
	rc = usage_store_put_aside(process->db_path, real_ms() / 1000, process->put_aside);
	if (rc) {
		log_error("usage: it cannot be put aside either: %s", strerror(-rc));
		process->put_aside[0] = '\0';
		return;
	}
	log_error("usage: it is kept as %s; a new record begins now", process->put_aside);
}

static int open_record(struct process *process)
{
	char error[USAGE_ERROR_LEN] = "";
	int rc = usage_store_open(process->db_path, &process->store, error);

	if (rc == -EBADMSG) {
		set_damaged_aside(process, error);
		rc = usage_store_open(process->db_path, &process->store, error);
	}
	if (!rc)
		rc = usage_recorder_new(process->store, &process->recorder);
	if (rc) {
		set_error(process, process->db_path, *error ? error : strerror(-rc));
		close_record(process);
		return rc;
	}
	return 0;
}

static int attach(struct process *process, const struct usage_moment *moment)
{
	uint64_t epoch = 0, named = 0, random = 0;
	int rc = 0;

	if (process->maps)
		rc = usage_maps_epoch(process->maps, &epoch);
	if (!rc && getrandom(&random, sizeof(random), 0) != sizeof(random))
		rc = -EIO;
	random &= INT64_MAX;
	if (!rc)
		rc = usage_recorder_attach(process->recorder, epoch, random, process->boot, moment,
					   &named);
	if (!rc && named != epoch)
		rc = usage_maps_set_epoch(process->maps, named);
	if (rc)
		return rc;
	process->attached = true;
	process->attached_metered = moment->metered;
	return 0;
}

static int take(struct process *process, struct usage_moment *moment)
{
	const uint64_t begun = clock_now_us();
	int rc = 0;

	moment->metered = process->maps;
	process->readings.n = 0;
	if (!process->attached || process->attached_metered != moment->metered)
		rc = attach(process, moment);
	if (!rc && process->maps) {
		rc = usage_maps_read(process->maps, &process->readings);
		usage_maps_describe(process->maps, moment);
	}
	if (!rc)
		rc = usage_recorder_take(process->recorder, moment, &process->readings);
	if (rc)
		return rc;
	process->n_other = 0;
	for (size_t i = 0; i < process->readings.n; i++)
		process->n_other += !process->readings.v[i].key.local_len;
	process->recorded_ms = moment->real_ms;
	process->commit_us = clock_now_us() - begun;
	return 0;
}

/* Others have come in place of these maps, or none: once more these, then those. */
static void change_maps(struct process *process, struct usage_moment *moment)
{
	int rc;

	if (process->maps && !usage_maps_current(process->maps)) {
		if (process->attached)
			(void)take(process,
				   moment); /* the last of it; a disk that is full has lost it */
		usage_maps_close(process->maps);
		process->maps = NULL;
		process->attached = false;
	}
	if (process->maps)
		return;
	rc = usage_maps_open(&process->maps);
	if (rc && rc != -ENOENT)
		set_error(process, "the data plane's counters", strerror(-rc));
	if (!rc)
		process->attached = false;
}

/* -ESTALE: this program is not the one that is wanted. */
static int tick(struct process *process)
{
	struct usage_moment moment = { .real_ms = real_ms(), .mono_ms = clock_now_ms() };
	int rc, config = 0;

	if (!process->store && open_record(process))
		return 0;
	/* Counters are recorded in any case; whose they are can be told later. */
	if (!process->named)
		config = take_config(process);
	change_maps(process, &moment);
	rc = take(process, &moment);
	if (!rc) {
		set_error(process, config == -EINVAL ? process->config_path : "",
			  config == -EINVAL ? "is not what netpasd writes" : NULL);
		return config;
	}
	if (rc == -EBADMSG) {
		char error[USAGE_ERROR_LEN];

		snprintf(error, sizeof(error), "%s", usage_store_error(process->store));
		close_record(process);
		set_damaged_aside(process, error);
		return 0;
	}
	set_error(process, process->db_path,
		  *usage_store_error(process->store) ? usage_store_error(process->store)
						     : strerror(-rc));
	return config;
}

/* ---- the loop ---- */

/* A second, or the end of the slot if that is sooner: its last reading is then its own. */
static struct timespec wait_time(void)
{
	const int64_t now = real_ms();
	const int64_t end = usage_next(USAGE_SLOT, now / 1000) * 1000;
	const int64_t wait = end - now < INTERVAL_MS ? end - now + 1 : INTERVAL_MS;

	return (struct timespec){ wait / 1000, wait % 1000 * 1000000 };
}

static int run(struct process *process, const sigset_t *signals)
{
	for (;;) {
		struct timespec wait;
		int signal_number, rc = tick(process);

		tell(process);
		usage_view_update(process->view, process->recorder, real_ms());
		if (rc == -ESTALE)
			return 0;
		wait = wait_time();
		signal_number = sigtimedwait(signals, NULL, &wait);
		if (signal_number == SIGHUP)
			process->named = false;
		if (signal_number == SIGTERM || signal_number == SIGINT) {
			(void)tick(process); /* the last reading */
			tell(process);
			return 0;
		}
	}
}

int main(int argc, char **argv)
{
	struct process process = { 0 };
	sigset_t signals;
	int rc;

	if (argc != 3) {
		fputs("usage: netpas-usage RUN_DIR STATE_DIR (netpasd runs it)\n", stderr);
		return 2;
	}
	log_init(false);
	umask(077);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	(void)setpriority(PRIO_PROCESS, 0, NICE); /* lowering is always allowed */
	snprintf(process.config_path, PATH_MAX, "%s/" USAGE_CONFIG_FILE, argv[1]);
	snprintf(process.status_path, PATH_MAX, "%s/" USAGE_STATUS_FILE, argv[1]);
	snprintf(process.pid_path, PATH_MAX, "%s/" USAGE_PID_FILE, argv[1]);
	snprintf(process.db_path, PATH_MAX, "%s/" USAGE_FILE, argv[2]);
	snprintf(process.view_path, PATH_MAX, "%s/" USAGE_VIEW_FILE, argv[1]);
	rc = take_pid_file(&process);
	if (rc) {
		log_error("usage: %s: %s", process.pid_path,
			  rc == -EBUSY ? "another one is running" : strerror(-rc));
		return 1;
	}
	rc = usage_view_new(process.db_path, process.view_path, &process.view);
	if (rc) {
		log_error("usage: %s", strerror(-rc));
		return 1;
	}
	read_boot(process.boot);
	rc = run(&process, &signals);
	close_record(&process);
	usage_view_free(process.view);
	usage_maps_close(process.maps);
	free(process.readings.v);
	return rc;
}
