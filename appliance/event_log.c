/* SPDX-License-Identifier: GPL-2.0-only */
#include "event_log.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "event_rate.h"
#include "event_record.h"
#include "event_store.h"
#include "event_writer.h"

#define QUEUE_BYTES (1024 * 1024) /* of the socket: thousands of records */
#define AGAIN_US 1000000u	  /* before a writer that died is started anew */
/* What a daemon that ends in order has come to. */
#define STOPPED "stopped"
#define RESTARTING "restarting"

struct event_log {
	struct sd_event *event;
	struct sd_event_source *io, *again, *summary;
	char dir[PATH_MAX];
	int fd; /* to the writer; -1: there is none */
	struct event_rate rate;
	json_t *recent;
	const char *before;   /* the last record before this daemon says so; NULL: it does not */
	bool first;	      /* there was no record */
	unsigned long lost;   /* records that found no place, not told yet */
	unsigned int waiting; /* errno of what holds the writer up */
	unsigned long count;  /* of records, those before the start too */
};

/* ---- the writer ---- */

static void schedule_again(struct event_log *log);

static _Noreturn void become_writer(struct event_log *log, int fd)
{
	(void)prctl(PR_SET_NAME, "netpas-events");
	event_set_sink(NULL, NULL);
	/* It may hang with its disk for longer than this daemon lives: nothing of ours stays open. */
	if (dup2(fd, 3) == 3 && !close_range(4, ~0u, 0))
		event_writer_run(3, log->dir);
	_exit(0);
}

static void writer_gone(struct event_log *log)
{
	log->io = sd_event_source_disable_unref(log->io);
	close(log->fd);
	log->fd = -1;
	log->waiting = 0;
	schedule_again(log);
}

static void take_state(struct event_log *log, const struct event_writer_state *state)
{
	const unsigned int before = log->waiting;

	log->waiting = (unsigned int)state->error;
	if (state->cut)
		event_warning(EVENT_LOG,
			      "events: %u bytes at the end of the log were no whole record, "
			      "and were cut off",
			      state->cut);
	if (log->waiting && log->waiting != before)
		log_error("events: %s: %s; records wait", log->dir, strerror((int)log->waiting));
	else if (!log->waiting && before)
		event_warning(EVENT_LOG, "events: held up -> written again (it was: %s)",
			      strerror((int)before));
}

static int writer_says(struct sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct event_log *log = data;
	struct event_writer_state state;
	const ssize_t n = recv(fd, &state, sizeof(state), MSG_DONTWAIT);

	(void)source;
	(void)revents;
	if (n == sizeof(state)) {
		take_state(log, &state);
	} else if (n >= 0 || (errno != EAGAIN && errno != EINTR)) {
		log_error("events: the process that writes them has ended; restarting it");
		writer_gone(log);
	}
	return 0;
}

static int start_writer(struct event_log *log)
{
	const int queue = QUEUE_BYTES;
	int fds[2], rc;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return -errno;
	/* With less than that it works as well, and tells what it loses. */
	if (setsockopt(fds[0], SOL_SOCKET, SO_SNDBUFFORCE, &queue, sizeof(queue)))
		(void)setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &queue, sizeof(queue));
	/* A child of nobody: this process may go on as another program, which would not wait for it. */
	pid = fork();
	if (!pid) {
		if (setsid() < 0 || fork())
			_exit(0);
		become_writer(log, fds[1]);
	}
	rc = pid < 0 ? -errno : 0;
	close(fds[1]);
	if (pid > 0)
		(void)waitpid(pid, NULL, 0); /* it ends at once */
	if (!rc)
		rc = sd_event_add_io(log->event, &log->io, fds[0], EPOLLIN, writer_says, log);
	if (rc < 0) {
		close(fds[0]);
		return rc;
	}
	log->fd = fds[0];
	return 0;
}

static int again_due(struct sd_event_source *source, uint64_t usec, void *data)
{
	struct event_log *log = data;

	(void)usec;
	log->again = sd_event_source_unref(source);
	if (start_writer(log))
		schedule_again(log);
	return 0;
}

static void schedule_again(struct event_log *log)
{
	if (!log->again && sd_event_add_time_relative(log->event, &log->again, CLOCK_MONOTONIC,
						      AGAIN_US, 0, again_due, log) < 0)
		log_error("events: out of memory, they are not written any more");
}

/* ---- records ---- */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool send_record(const struct event_log *log, const json_t *record)
{
	char line[EVENT_RECORD_MAX];
	const size_t len = event_record_line(record, line);

	return log->fd >= 0 && len &&
	       send(log->fd, line, len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len;
}

static void remember(struct event_log *log, json_t *record)
{
	if (json_array_size(log->recent) >= EVENT_LOG_RECENT)
		json_array_remove(log->recent, 0);
	json_array_append(log->recent, record);
	log->count++;
}

static void record_now(struct event_log *log, enum event_kind kind, enum log_level level,
		       const char *text, json_t *detail)
{
	json_t *record = event_record_new(now_ms(), kind, level, text, detail);

	if (!record)
		return;
	remember(log, record);
	if (!send_record(log, record))
		log->lost++;
	json_decref(record);
}

/* As soon as there is a place again. */
static void tell_lost(struct event_log *log)
{
	char text[128];
	json_t *record;

	if (!log->lost)
		return;
	snprintf(text, sizeof(text), "events: %lu records found no place and are lost", log->lost);
	record = event_record_new(now_ms(), EVENT_LOG, LOG_LEVEL_WARNING, text, NULL);
	if (record && send_record(log, record)) {
		log->lost = 0;
		remember(log, record);
	}
	json_decref(record);
}

static void tell_summaries(struct event_log *log)
{
	const uint64_t now = clock_now_us();

	for (enum event_kind kind = 0; kind < EVENT_KIND_MAX; kind++) {
		const unsigned int n = event_rate_summary(&log->rate, kind, now);
		char text[128];

		if (!n)
			continue;
		snprintf(text, sizeof(text),
			 "%s: %u more of these within a minute, which were not kept",
			 event_kind_names[kind], n);
		record_now(log, kind, LOG_LEVEL_WARNING, text, NULL);
	}
}

static void schedule_summary(struct event_log *log);

static int summary_due(struct sd_event_source *source, uint64_t usec, void *data)
{
	struct event_log *log = data;

	(void)usec;
	log->summary = sd_event_source_unref(source);
	tell_summaries(log);
	schedule_summary(log);
	return 0;
}

static void schedule_summary(struct event_log *log)
{
	const uint64_t due = event_rate_due_us(&log->rate);

	/* Without a timer the summary comes with the next record. */
	if (due && !log->summary)
		(void)sd_event_add_time(log->event, &log->summary, CLOCK_MONOTONIC, due, 1000,
					summary_due, log);
}

static void take_event(enum event_kind kind, enum log_level level, const char *text, json_t *detail,
		       void *data)
{
	struct event_log *log = data;

	if (level == LOG_LEVEL_DEBUG)
		return;
	tell_lost(log);
	tell_summaries(log);
	if (event_rate_admit(&log->rate, kind, clock_now_us()))
		record_now(log, kind, level, text, detail);
	else
		schedule_summary(log);
}

/* ---- start and end ---- */

/* The last records of the daemons before. */
static void read_recent(struct event_log *log)
{
	struct event_reader *reader;
	json_t *record, *last;
	const char *to;

	if (event_reader_open(log->dir, &reader))
		return;
	while (!event_reader_next(reader, &record)) {
		remember(log, record);
		json_decref(record);
	}
	event_reader_close(reader);
	last = json_array_get(log->recent, json_array_size(log->recent) - 1);
	log->first = !last;
	if (!last || strcmp(json_string_value(json_object_get(last, "kind")),
			    event_kind_names[EVENT_DAEMON]))
		return;
	to = json_string_value(json_object_get(last, "to"));
	log->before = !to			? NULL
		      : !strcmp(to, STOPPED)	? STOPPED
		      : !strcmp(to, RESTARTING) ? RESTARTING
						: NULL;
}

static void begin(const struct event_log *log)
{
	if (log->first || log->before)
		event_info(EVENT_DAEMON,
			   "daemon: %s -> running (netpas " NETPAS_VERSION ", pid %d)",
			   log->before ? log->before : STOPPED, (int)getpid());
	else
		event_warning(EVENT_DAEMON,
			      "daemon: dead -> running (netpas " NETPAS_VERSION
			      ", pid %d; the one before has not said that it stops)",
			      (int)getpid());
}

int event_log_new(struct sd_event *event, const char *state_dir, struct event_log **ret_log)
{
	struct event_log *log = calloc(1, sizeof(*log));
	int rc = -ENOMEM;

	if (!log)
		return -ENOMEM;
	log->event = event;
	log->fd = -1;
	log->first = true;
	log->recent = json_array();
	if (!log->recent)
		goto err;
	rc = -ENAMETOOLONG;
	if ((size_t)snprintf(log->dir, sizeof(log->dir), "%s/" EVENT_STORE_DIR, state_dir) >=
	    sizeof(log->dir))
		goto err;
	read_recent(log);
	rc = start_writer(log);
	if (rc)
		goto err;
	event_set_sink(take_event, log);
	begin(log);
	*ret_log = log;
	return 0;

err:
	log_error("events: %s: %s", state_dir, strerror(-rc));
	event_log_free(log);
	return rc;
}

void event_log_free(struct event_log *log)
{
	if (!log)
		return;
	event_set_sink(NULL, NULL);
	sd_event_source_disable_unref(log->io);
	sd_event_source_disable_unref(log->again);
	sd_event_source_disable_unref(log->summary);
	if (log->fd >= 0)
		close(log->fd);
	json_decref(log->recent);
	free(log);
}

json_t *event_log_recent(const struct event_log *log)
{
	return json_incref(log->recent);
}

unsigned long event_log_count(const struct event_log *log)
{
	return log->count;
}

void event_log_check(const struct event_log *log, json_t *problems)
{
	char text[PATH_MAX + 128];

	if (log->waiting)
		snprintf(text, sizeof(text), "events are not written: %s: %s", log->dir,
			 strerror((int)log->waiting));
	else if (log->fd < 0)
		snprintf(text, sizeof(text), "events are not written: no process for it");
	else
		return;
	json_array_append_new(problems, json_string(text));
}

void event_log_end(const char *why)
{
	event_info(EVENT_DAEMON, "daemon: running -> " STOPPED " (%s)", why);
}

void event_log_restart(const char *why)
{
	event_info(EVENT_DAEMON, "daemon: running -> " RESTARTING " (%s)", why);
}
