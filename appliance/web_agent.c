/* SPDX-License-Identifier: GPL-2.0-only */
#include "web_agent.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "child.h"
#include "clock.h"
#include "config.h"
#include "control.h"
#include "daemon.h"
#include "event.h"
#include "log.h"
#include "web_view.h"

#define STOP_TIMEOUT_MS 1000
#define STABLE_US 3000000u /* who ends sooner than that has not served */

struct web_agent {
	struct daemon *daemon; /* borrowed */
	struct control *control;
	struct web_view *view;
	struct child *child;
	struct child_backoff backoff;
	struct sd_event_source *restart;
	json_t *config; /* for the process; NULL: it is not to run */
	uint64_t started_us;
	bool failing;
	char log_path[PATH_MAX];
};

static void start(struct web_agent *agent);

static int restart_due(struct sd_event_source *source, uint64_t usec, void *data)
{
	struct web_agent *agent = data;

	(void)usec;
	agent->restart = sd_event_source_unref(source);
	start(agent);
	return 0;
}

static void schedule_start(struct web_agent *agent)
{
	const uint64_t delay = child_backoff_delay_us(&agent->backoff, clock_now_us());

	if (agent->restart)
		return;
	if (sd_event_add_time_relative(agent->daemon->event, &agent->restart, CLOCK_MONOTONIC,
				       delay, 1000, restart_due, agent) < 0)
		log_error("web: out of memory, netpas-web is not restarted");
}

static void exited(struct child *child, int status, void *data)
{
	struct web_agent *agent = data;

	if (status != -1 && WIFSIGNALED(status))
		event_error(EVENT_WEB, "web: netpas-web killed by signal %d; restarting it",
			    WTERMSIG(status));
	else
		event_error(EVENT_WEB, "web: netpas-web ended; restarting it (see %s)",
			    agent->log_path);
	agent->failing = clock_now_us() - agent->started_us < STABLE_US;
	child_free(child);
	agent->child = NULL;
	schedule_start(agent);
}

static void start(struct web_agent *agent)
{
	char program[PATH_MAX], path[PATH_MAX];
	const char *const argv[] = { program, path, NULL };
	int rc;

	child_program("netpas-web", program);
	snprintf(path, sizeof(path), "%s/" WEB_AGENT_SOCKET, agent->daemon->paths.run_dir);
	agent->started_us = clock_now_us();
	agent->backoff.started_us = agent->started_us;
	rc = child_spawn(agent->daemon->event, argv, NULL, agent->log_path, exited, agent,
			 &agent->child);
	if (!rc)
		return;
	/* It is tried again and again: what it is like is told once. */
	if (!agent->failing)
		event_error(EVENT_WEB, "web: netpas-web cannot be started: %s", strerror(-rc));
	agent->failing = true;
	schedule_start(agent);
}

static void stop(struct web_agent *agent)
{
	agent->restart = sd_event_source_disable_unref(agent->restart);
	if (agent->child)
		child_stop(agent->child, STOP_TIMEOUT_MS);
	agent->child = NULL;
	agent->failing = false;
	json_decref(agent->config);
	agent->config = NULL;
}

static json_t *handle(const char *command, json_t *request, void *data)
{
	struct web_agent *agent = data;

	(void)request;
	if (!strcmp(command, "config") && agent->config)
		return json_pack("{s:b, s:O}", "ok", 1, "config", agent->config);
	if (!strcmp(command, "view"))
		return web_view_make(agent->view, agent->daemon);
	return control_error("only 'config' and 'view' are answered here");
}

static json_t *make_addresses(const struct config_web *web)
{
	const struct ip_addr *listen[] = { &web->listen4, &web->listen6 };
	char text[IP_ADDR_STRLEN];
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof(listen) / sizeof(listen[0]); i++)
		if (listen[i]->family != IP_NONE)
			json_array_append_new(list, json_string(ip_addr_format(listen[i], text)));
	return list;
}

static json_t *make_config(const struct config_web *web)
{
	char text[IP_PREFIX_STRLEN], token[KEY_STRLEN];
	json_t *allow = json_array(), *config;

	for (size_t i = 0; i < web->n_allow; i++)
		json_array_append_new(allow, json_string(ip_prefix_format(&web->allow[i], text)));
	config = json_pack("{s:o, s:i, s:o, s:s}", "listen", make_addresses(web), "port",
			   (int)web->port, "allow", allow, "token", key_format(&web->token, token));
	explicit_bzero(token, sizeof(token));
	return config;
}

void web_agent_configure(struct web_agent *agent, const struct config *config)
{
	const struct config_web *web = config->node.web;
	json_t *wanted = web ? make_config(web) : NULL;

	if (web && !wanted) {
		log_error("web: out of memory");
		return;
	}
	if (wanted == agent->config || json_equal(wanted, agent->config)) {
		json_decref(wanted);
		return;
	}
	if (wanted && !agent->control) {
		int rc = control_listen_as(agent->daemon->event, agent->daemon->paths.run_dir,
					   WEB_AGENT_SOCKET, handle, agent, &agent->control);

		if (rc < 0) {
			log_error("web: %s/" WEB_AGENT_SOCKET ": %s", agent->daemon->paths.run_dir,
				  strerror(-rc));
			json_decref(wanted);
			return;
		}
	}
	stop(agent);
	agent->config = wanted;
	if (!wanted)
		return;
	agent->backoff = (struct child_backoff){ 0 };
	start(agent);
}

void web_agent_problems(const struct web_agent *agent, json_t *problems)
{
	if (agent && agent->failing)
		json_array_append_new(
			problems, json_sprintf("netpas-web does not run: no page and no metrics "
					       "(see %s)",
					       agent->log_path));
}

int web_agent_new(struct daemon *daemon, struct web_agent **ret_agent)
{
	struct web_agent *agent = calloc(1, sizeof(*agent));
	int rc;

	if (!agent)
		return -ENOMEM;
	agent->daemon = daemon;
	snprintf(agent->log_path, sizeof(agent->log_path), "%s/log/web.log", daemon->paths.run_dir);
	rc = web_view_new(&agent->view);
	if (rc) {
		free(agent);
		return rc;
	}
	*ret_agent = agent;
	return 0;
}

void web_agent_free(struct web_agent *agent)
{
	if (!agent)
		return;
	stop(agent);
	control_free(agent->control);
	web_view_free(agent->view);
	free(agent);
}
