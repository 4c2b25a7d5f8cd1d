/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netpas-web: the operator's page and the metrics, over HTTP.
 *
 *	netpas-web SOCKET	run by netpasd, which answers "config" and "view" there
 *
 * A process of its own, so that nothing that strangers send is read by who has the keys. It opens its
 * sockets, and then gives up its user, its capabilities and most system calls. All pages share one view a second;
 * who looks makes the daemon work no more than that. It ends with its connection to netpasd.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "web_confine.h"
#include "web_metrics.h"
#include "web_model.h"
#include "web_server.h"

#define VIEW_MAX (64u << 20) /* bytes of an answer; more is none of netpasd's */
#define FRESH_MS 1000	     /* a view that is not older is given to who asks */
#define WATCHED_MS 1000	     /* between views while somebody looks */
#define UNWATCHED_MS 10000   /* else: for the history */
#define PATIENCE_MS 3000     /* then who waits is told that netpasd does not answer */
#define SHARE 10	     /* of the daemon's time, at most one part in so many is ours */
#define CONFIG_TIMEOUT_MS 10000

struct web {
	int fd; /* to netpasd */
	int statm_fd;
	struct web_server *server;
	struct web_model *model;
	char *answer; /* that is coming */
	size_t len, size;
	int64_t asked_ms; /* 0: nothing is asked */
	int64_t came_ms, took_ms;
	bool told;   /* who waits, that there is no answer */
	bool wanted; /* somebody waits for a view */
	bool ended;
};

static int64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- with netpasd ---- */

static int ask(struct web *web, const char *line)
{
	const size_t len = strlen(line);

	/* It is one short line, and nothing else is on its way: it goes whole or not at all. */
	return send(web->fd, line, len, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -EPIPE;
}

/* Read what is there. 1: a line is complete, without its end; 0: not yet; or -errno. */
static int receive(struct web *web)
{
	ssize_t n;

	if (web->size - web->len < 65536) {
		const size_t size = web->size ? web->size * 2 : 262144;
		char *larger = size > VIEW_MAX ? NULL : realloc(web->answer, size);

		if (!larger)
			return -ENOMEM;
		web->answer = larger;
		web->size = size;
	}
	n = recv(web->fd, web->answer + web->len, web->size - web->len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return n < 0 ? -errno : -EPIPE;
	web->len += (size_t)n;
	if (web->answer[web->len - 1] != '\n')
		return 0;
	web->len--;
	return 1;
}

static json_t *take_answer(struct web *web)
{
	json_t *answer = json_loadb(web->answer, web->len, 0, NULL);

	web->len = 0;
	if (json_is_true(json_object_get(answer, "ok")))
		return answer;
	json_decref(answer);
	return NULL;
}

static void view_came(struct web *web)
{
	json_t *view = take_answer(web);
	char *events;

	web->came_ms = clock_now_ms();
	web->took_ms = web->came_ms - web->asked_ms;
	web->asked_ms = 0;
	web->told = false;
	web->wanted = false;
	if (!view) {
		log_error("web: netpasd's answer is not understood");
		web_server_publish(web->server, NULL);
		return;
	}
	web_model_take(web->model, view, wall_ms());
	if (!web_server_viewers(web->server)) {
		web_server_publish(web->server, NULL);
		return;
	}
	events = web_model_events(web->model);
	web_server_publish(web->server, events);
	free(events);
}

/* A daemon that is slow (an engine hangs) is asked more seldom. */
static int64_t interval_ms(const struct web *web)
{
	int64_t interval = web_server_viewers(web->server) ? WATCHED_MS : UNWATCHED_MS;

	if (web->wanted && interval > FRESH_MS)
		interval = FRESH_MS;
	return interval > SHARE * web->took_ms ? interval : SHARE * web->took_ms;
}

/* Ask, if it is time to. Returns in how many ms there is something to do. */
static int64_t ask_in_time(struct web *web)
{
	const int64_t now = clock_now_ms();
	int64_t due = web->came_ms ? web->came_ms + interval_ms(web) : now;

	if (web->asked_ms) {
		if (!web->told && now - web->asked_ms >= PATIENCE_MS) {
			web->told = true;
			web->wanted = false;
			web_server_publish(web->server, "event: gone\ndata: {}\n\n");
		}
		return web->told ? 60000 : web->asked_ms + PATIENCE_MS - now;
	}
	/* Evenly: the time that an answer takes is not added to the interval. */
	due -= web->took_ms < WATCHED_MS / 2 ? web->took_ms : 0;
	if (now < due)
		return due - now;
	if (ask(web, "{\"command\":\"view\"}\n")) {
		web->ended = true;
		return 0;
	}
	web->asked_ms = now;
	return PATIENCE_MS;
}

/* ---- for the server ---- */

static bool is_fresh(void *data)
{
	struct web *web = data;

	/* What a slow daemon has said is good for as long as it is not asked again. */
	if (web_model_view(web->model) && !web->told &&
	    clock_now_ms() - web->came_ms <= FRESH_MS + SHARE * web->took_ms)
		return true;
	web->wanted = true;
	return false;
}

static char *make_view(void *data)
{
	const struct web *web = data;

	return json_dumps(web_model_view(web->model), JSON_INDENT(1));
}

static uint64_t resident_bytes(const struct web *web)
{
	char text[64] = "";
	unsigned long pages = 0;

	if (web->statm_fd < 0 || pread(web->statm_fd, text, sizeof(text) - 1, 0) <= 0 ||
	    sscanf(text, "%*u %lu", &pages) != 1)
		return 0;
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static char *make_metrics(bool open, const struct web_counts *counts, void *data)
{
	const struct web *web = data;
	struct web_counts all = *counts;
	struct rusage usage = { 0 };
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	(void)getrusage(RUSAGE_SELF, &usage); /* cannot fail */
	all.cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		    (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	all.rss_bytes = resident_bytes(web);
	web_metrics_print(web_model_view(web->model), &all, open, out);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

static char *make_first(void *data)
{
	struct web *web = data;

	/* Whoever opens the page sees what is known at once, and what is now soon after. */
	if (clock_now_ms() - web->came_ms > FRESH_MS)
		web->wanted = true;
	return web_model_first(web->model);
}

/* ---- start ---- */

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address))) {
		const int rc = -errno;

		close(fd);
		return rc;
	}
	return fd;
}

/* NULL: none came, which is logged. */
static json_t *get_config(struct web *web)
{
	const int64_t deadline = clock_now_ms() + CONFIG_TIMEOUT_MS;
	int rc = ask(web, "{\"command\":\"config\"}\n");
	json_t *answer, *config;

	while (!rc) {
		struct pollfd pfd = { .fd = web->fd, .events = POLLIN };
		const int64_t left = deadline - clock_now_ms();

		rc = left > 0 && poll(&pfd, 1, (int)left) > 0 ? receive(web) : -ETIMEDOUT;
	}
	if (rc < 0) {
		log_error("web: no configuration from netpasd: %s", strerror(-rc));
		return NULL;
	}
	answer = take_answer(web);
	explicit_bzero(web->answer, web->size); /* the token */
	config = json_object_get(answer, "config");
	if (!config)
		log_error("web: the configuration from netpasd is not understood");
	json_incref(config);
	json_decref(answer);
	return config;
}

static int start(struct web *web, const char *path)
{
	const struct web_handlers handlers = { is_fresh, make_view, make_metrics, make_first, web };
	const char *step;
	json_t *config;
	int rc;

	web->fd = connect_to(path);
	if (web->fd < 0) {
		log_error("web: %s: %s", path, strerror(-web->fd));
		return web->fd;
	}
	config = get_config(web);
	if (!config)
		return -EINVAL;
	web->statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	rc = web_model_new(&web->model);
	if (!rc)
		rc = web_server_new(config, &handlers, &web->server);
	json_decref(config);
	if (rc) {
		log_error("web: %s", strerror(-rc));
		return rc;
	}
	rc = web_confine(&step);
	if (rc)
		log_error("web: giving up privileges (%s): %s", step, strerror(-rc));
	return rc;
}

static void run(struct web *web)
{
	struct pollfd fds[1 + WEB_SERVER_FDS];

	while (!web->ended) {
		int64_t due_ms = ask_in_time(web);
		int timeout_ms, rc = 0;
		nfds_t n;

		fds[0] = (struct pollfd){ .fd = web->fd, .events = POLLIN };
		n = 1 + web_server_fds(web->server, fds + 1, &timeout_ms);
		if (timeout_ms < 0 || due_ms < timeout_ms)
			timeout_ms = (int)due_ms;
		if (poll(fds, n, timeout_ms) < 0 && errno != EINTR)
			break;
		if (fds[0].revents)
			rc = receive(web);
		if (rc < 0 || (rc > 0 && !web->asked_ms))
			break;
		if (rc > 0)
			view_came(web);
		web_server_run(web->server);
	}
}

int main(int argc, char **argv)
{
	struct web web = { .fd = -1, .statm_fd = -1 };

	log_init(false);
	(void)prctl(PR_SET_DUMPABLE, 0); /* no core, and nobody's debugger: there is the token */
	(void)signal(SIGPIPE, SIG_IGN);
	if (argc != 2) {
		fprintf(stderr, "usage: netpas-web SOCKET\nnetpasd runs it\n");
		return 2;
	}
	if (start(&web, argv[1]))
		return 1;
	run(&web);
	return 0; /* netpasd has ended: so does this, with all that it holds */
}
