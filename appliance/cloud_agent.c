/* SPDX-License-Identifier: GPL-2.0-only */
#include "cloud_agent.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "child.h"
#include "clock.h"
#include "cloud/cloud.h"
#include "event.h"
#include "log.h"
#include "vrrp.h"

#define STOP_TIMEOUT_MS 1000
#define LINE_LEN 4096

struct cloud_agent {
	struct sd_event *event;
	struct sd_event_source *listen_io, *io, *restart, *renew;
	struct vrrp *vrrp; /* borrowed */
	struct child *child;
	struct child_backoff backoff;
	char *config; /* the line for the process; NULL: no cloud */
	const char *provider;
	int listen_fd, fd;
	char line[LINE_LEN];
	size_t len;
	bool active, renewed;
	uint64_t generation;
	json_t *status; /* as told last; NULL: nothing yet */
	char socket_path[PATH_MAX], log_path[PATH_MAX];
};

static void start(struct cloud_agent *agent);

static void say(struct cloud_agent *agent, const char *text, size_t len)
{
	if (agent->fd < 0)
		return;
	/* It reads at once and lines are short: a full socket is a process that hangs. */
	if (send(agent->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len &&
	    agent->child) {
		event_error(EVENT_CLOUD, "cloud: netpas-cloud does not listen; restarting it");
		(void)child_signal(agent->child, SIGKILL); /* it may have ended by itself */
	}
}

static void say_role(struct cloud_agent *agent)
{
	char text[96];
	const int len = snprintf(text, sizeof(text), "{\"active\":%s,\"generation\":%lld}\n",
				 agent->active ? "true" : "false", (long long)agent->generation);

	say(agent, text, (size_t)len);
}

static const char *text_of(json_t *status, const char *key)
{
	const char *text = json_string_value(json_object_get(status, key));

	return text ? text : "";
}

static bool is_overruled(const struct cloud_agent *agent)
{
	return agent->active && !strcmp(text_of(agent->status, "state"), "overruled");
}

static int renew_due(struct sd_event_source *source, uint64_t usec, void *data)
{
	struct cloud_agent *agent = data;

	(void)usec;
	agent->renew = sd_event_source_unref(source);
	if (!is_overruled(agent) || agent->renewed)
		return 0;
	agent->renewed = true;
	event_warning(
		EVENT_CLOUD,
		"cloud: active, but %s has the higher claim %lld for %d s: claiming anew",
		text_of(agent->status, "rival"),
		(long long)json_integer_value(json_object_get(agent->status, "rival_generation")),
		CLOUD_AGENT_RENEW_S);
	vrrp_renew(agent->vrrp);
	return 0;
}

static void log_changes(struct cloud_agent *agent, json_t *status)
{
	const bool held = json_is_true(json_object_get(status, "held"));
	const char *error = text_of(status, "error"), *state = text_of(status, "state");

	if (held != json_is_true(json_object_get(agent->status, "held")))
		event_info(EVENT_CLOUD, "cloud: %s generation %lld: %s", agent->provider,
			   (long long)json_integer_value(json_object_get(status, "generation")),
			   held ? "not agreed -> agreed" : "agreed -> not agreed");
	if (!strcmp(state, "overruled") && strcmp(text_of(agent->status, "state"), state))
		event_warning(
			EVENT_CLOUD, "cloud: overruled by %s (generation %lld)",
			text_of(status, "rival"),
			(long long)json_integer_value(json_object_get(status, "rival_generation")));
	if (*error && strcmp(error, text_of(agent->status, "error")))
		event_warning(EVENT_CLOUD, "cloud: %s", error);
	else if (!*error && *text_of(agent->status, "error"))
		event_info(EVENT_CLOUD, "cloud: works again");
}

static void take_status(struct cloud_agent *agent, const char *line, size_t len)
{
	json_error_t where;
	json_t *status = json_loadb(line, len, 0, &where);
	const json_int_t highest = json_integer_value(json_object_get(status, "highest"));

	if (!json_is_object(status)) {
		json_decref(status);
		return;
	}
	log_changes(agent, status);
	json_decref(agent->status);
	agent->status = status;
	if (highest > 0)
		vrrp_seen(agent->vrrp, (uint64_t)highest);
	if (!is_overruled(agent))
		agent->renew = sd_event_source_disable_unref(agent->renew);
	else if (!agent->renew && !agent->renewed &&
		 sd_event_add_time_relative(agent->event, &agent->renew, CLOCK_MONOTONIC,
					    CLOUD_AGENT_RENEW_S * UINT64_C(1000000), 0, renew_due,
					    agent) < 0)
		log_error("cloud: out of memory");
}

static void disconnect(struct cloud_agent *agent)
{
	agent->io = sd_event_source_disable_unref(agent->io);
	if (agent->fd >= 0)
		close(agent->fd);
	agent->fd = -1;
	agent->len = 0;
}

static int readable(struct sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct cloud_agent *agent = data;
	char *newline;
	ssize_t n;

	(void)source;
	(void)revents;
	n = recv(fd, agent->line + agent->len, sizeof(agent->line) - agent->len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		disconnect(agent);
		return 0;
	}
	agent->len += (size_t)n;
	while ((newline = memchr(agent->line, '\n', agent->len))) {
		const size_t len = (size_t)(newline - agent->line);

		take_status(agent, agent->line, len);
		agent->len -= len + 1;
		memmove(agent->line, newline + 1, agent->len);
	}
	if (agent->len == sizeof(agent->line))
		disconnect(agent);
	return 0;
}

static int connected(struct sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct cloud_agent *agent = data;
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)source;
	(void)revents;
	if (conn < 0)
		return 0;
	disconnect(agent);
	if (!agent->config ||
	    sd_event_add_io(agent->event, &agent->io, conn, EPOLLIN, readable, agent) < 0) {
		close(conn);
		return 0;
	}
	agent->fd = conn;
	say(agent, agent->config, strlen(agent->config));
	say_role(agent);
	return 0;
}

static int restart_due(struct sd_event_source *source, uint64_t usec, void *data)
{
	struct cloud_agent *agent = data;

	(void)usec;
	agent->restart = sd_event_source_unref(source);
	start(agent);
	return 0;
}

static void schedule_start(struct cloud_agent *agent)
{
	const uint64_t delay = child_backoff_delay_us(&agent->backoff, clock_now_us());

	if (agent->restart)
		return;
	if (sd_event_add_time_relative(agent->event, &agent->restart, CLOCK_MONOTONIC, delay, 1000,
				       restart_due, agent) < 0)
		log_error("cloud: out of memory, netpas-cloud is not restarted");
}

static void exited(struct child *child, int status, void *data)
{
	struct cloud_agent *agent = data;

	if (status != -1 && WIFSIGNALED(status))
		event_error(EVENT_CLOUD, "cloud: netpas-cloud killed by signal %d; restarting it",
			    WTERMSIG(status));
	else
		event_error(EVENT_CLOUD, "cloud: netpas-cloud ended; restarting it (see %s)",
			    agent->log_path);
	child_free(child);
	agent->child = NULL;
	disconnect(agent);
	json_decref(agent->status);
	agent->status = NULL;
	schedule_start(agent);
}

static void start(struct cloud_agent *agent)
{
	char program[PATH_MAX];
	const char *const argv[] = { program, "agent", agent->socket_path, NULL };
	int rc;

	child_program("netpas-cloud", program);
	agent->backoff.started_us = clock_now_us();
	rc = child_spawn(agent->event, argv, NULL, agent->log_path, exited, agent, &agent->child);
	if (!rc)
		return;
	event_error(EVENT_CLOUD, "cloud: netpas-cloud cannot be started: %s", strerror(-rc));
	schedule_start(agent);
}

static void stop(struct cloud_agent *agent)
{
	agent->restart = sd_event_source_disable_unref(agent->restart);
	agent->renew = sd_event_source_disable_unref(agent->renew);
	disconnect(agent);
	if (agent->child)
		child_stop(agent->child, STOP_TIMEOUT_MS);
	agent->child = NULL;
	json_decref(agent->status);
	agent->status = NULL;
	free(agent->config);
	agent->config = NULL;
}

/* The line that tells the process its configuration; NULL if out of memory. */
static char *config_line(const struct cloud_config *config)
{
	json_t *json = json_pack("{s:o}", "config", cloud_config_pack(config));
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL, *line = NULL;

	json_decref(json);
	if (text && asprintf(&line, "%s\n", text) < 0)
		line = NULL;
	free(text);
	return line;
}

static int open_socket(struct cloud_agent *agent)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int rc;

	if (strlen(agent->socket_path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, agent->socket_path);
	agent->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (agent->listen_fd < 0)
		return -errno;
	(void)unlink(
		agent->socket_path); /* of an earlier netpasd; bind() tells if it is still there */
	if (fchmod(agent->listen_fd, 0600) ||
	    bind(agent->listen_fd, (const struct sockaddr *)&address, sizeof(address)) ||
	    listen(agent->listen_fd, 1)) {
		rc = -errno;
		goto err;
	}
	rc = sd_event_add_io(agent->event, &agent->listen_io, agent->listen_fd, EPOLLIN, connected,
			     agent);
	if (rc >= 0)
		return 0;
err:
	close(agent->listen_fd);
	agent->listen_fd = -1;
	return rc;
}

void cloud_agent_configure(struct cloud_agent *agent, const struct config *config)
{
	const struct cloud_config *cloud = config->node.cloud;
	char *line = cloud ? config_line(cloud) : NULL;
	int rc = cloud && !line ? -ENOMEM : 0;

	if (!rc && (line ? agent->config && !strcmp(line, agent->config) : !agent->config)) {
		free(line);
		return;
	}
	if (!rc && line && agent->listen_fd < 0)
		rc = open_socket(agent);
	if (rc) {
		log_error("cloud: %s: %s", agent->socket_path, strerror(-rc));
		free(line);
		return;
	}
	stop(agent);
	agent->config = line;
	if (!line)
		return;
	agent->provider = cloud_provider_names[cloud->provider];
	agent->backoff = (struct child_backoff){ 0 };
	start(agent);
}

void cloud_agent_role(struct cloud_agent *agent, bool active, uint64_t generation)
{
	if (!agent)
		return;
	agent->active = active;
	agent->generation = generation;
	if (!agent->active)
		agent->renewed = false;
	agent->renew = sd_event_source_disable_unref(agent->renew);
	say_role(agent);
}

json_t *cloud_agent_status(const struct cloud_agent *agent, json_t *problems)
{
	const char *error = text_of(agent->status, "error");
	const bool held = json_is_true(json_object_get(agent->status, "held"));
	char text[512];
	json_t *json;

	if (!agent->config)
		return NULL;
	if (!agent->status)
		snprintf(text, sizeof(text), "cloud %s: netpas-cloud does not run",
			 agent->provider);
	else if (is_overruled(agent))
		snprintf(text, sizeof(text), "cloud %s: overruled by %s", agent->provider,
			 text_of(agent->status, "rival"));
	else if (*error)
		snprintf(text, sizeof(text), "cloud %s: %.400s", agent->provider, error);
	else if (agent->active && !held)
		snprintf(text, sizeof(text), "cloud %s: does not agree yet", agent->provider);
	else
		text[0] = '\0';
	if (*text)
		json_array_append_new(problems, json_string(text));
	json = agent->status ? json_deep_copy(agent->status) : json_object();
	json_object_set_new(json, "provider", json_string(agent->provider));
	return json;
}

int cloud_agent_new(struct sd_event *event, struct vrrp *vrrp, const char *run_dir,
		    struct cloud_agent **ret_agent)
{
	struct cloud_agent *agent = calloc(1, sizeof(*agent));

	if (!agent)
		return -ENOMEM;
	agent->event = event;
	agent->vrrp = vrrp;
	agent->listen_fd = -1;
	agent->fd = -1;
	snprintf(agent->socket_path, PATH_MAX, "%s/" CLOUD_AGENT_SOCKET, run_dir);
	snprintf(agent->log_path, PATH_MAX, "%s/log/cloud.log", run_dir);
	*ret_agent = agent;
	return 0;
}

void cloud_agent_free(struct cloud_agent *agent)
{
	if (!agent)
		return;
	stop(agent);
	sd_event_source_disable_unref(agent->listen_io);
	if (agent->listen_fd >= 0)
		close(agent->listen_fd);
	free(agent);
}
