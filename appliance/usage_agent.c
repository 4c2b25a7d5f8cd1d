/* SPDX-License-Identifier: GPL-2.0-only */
#include "usage_agent.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "clock.h"
#include "event.h"
#include "file.h"
#include "log.h"
#include "usage.h"
#include "usage_view.h"

#define PROGRAM "netpas-usage"
#define STOP_TIMEOUT_MS 3000
#define STALE_S 15 /* without a reading on disk */

struct usage_agent {
	struct sd_event *event;
	struct sd_event_source *restart;
	const char *run_dir, *state_dir;
	struct child *child;
	struct child_backoff backoff;
	char *told;   /* what the file says; NULL: nothing is recorded here */
	bool metered; /* programs are wanted */
	char config_path[PATH_MAX], status_path[PATH_MAX], pid_path[PATH_MAX], log_path[PATH_MAX];
	char view_path[PATH_MAX];
	json_t *view;
	struct timespec view_changed; /* the file, when it was read */
};

static void start(struct usage_agent *agent);

static int restart_due(struct sd_event_source *source, uint64_t usec, void *data)
{
	struct usage_agent *agent = data;

	(void)usec;
	agent->restart = sd_event_source_unref(source);
	start(agent);
	return 0;
}

static void schedule_start(struct usage_agent *agent)
{
	const uint64_t delay = child_backoff_delay_us(&agent->backoff, clock_now_us());

	if (agent->restart || !agent->told)
		return;
	if (sd_event_add_time_relative(agent->event, &agent->restart, CLOCK_MONOTONIC, delay, 1000,
				       restart_due, agent) < 0)
		log_error("usage: out of memory, " PROGRAM " is not restarted");
}

static void exited(struct child *child, int status, void *data)
{
	struct usage_agent *agent = data;

	if (status != -1 && WIFSIGNALED(status))
		event_error(EVENT_USAGE, "usage: " PROGRAM " killed by signal %d; restarting it",
			    WTERMSIG(status));
	else if (status != 0)
		event_error(EVENT_USAGE, "usage: " PROGRAM " ended; restarting it (see %s)",
			    agent->log_path);
	child_free(child);
	agent->child = NULL;
	schedule_start(agent);
}

/* One that an earlier netpasd has started. */
static bool adopt(struct usage_agent *agent)
{
	FILE *file = fopen(agent->pid_path, "re");
	int pid = 0;
	bool found;

	if (!file)
		return false;
	found = fscanf(file, "%d", &pid) == 1 && pid > 1 &&
		child_cmdline_has(pid, agent->run_dir) &&
		child_cmdline_has(pid, agent->state_dir) &&
		!child_adopt(agent->event, pid, exited, agent, &agent->child);
	fclose(file);
	return found;
}

static void start(struct usage_agent *agent)
{
	char program[PATH_MAX];
	const char *const argv[] = { program, agent->run_dir, agent->state_dir, NULL };
	int rc;

	if (adopt(agent)) {
		(void)child_signal(agent->child, SIGHUP); /* it may have ended by itself */
		return;
	}
	child_program(PROGRAM, program);
	agent->backoff.started_us = clock_now_us();
	rc = child_spawn(agent->event, argv, NULL, agent->log_path, exited, agent, &agent->child);
	if (!rc)
		return;
	event_error(EVENT_USAGE, "usage: " PROGRAM " cannot be started: %s", strerror(-rc));
	schedule_start(agent);
}

static char *config_text(const struct config *config)
{
	json_t *sites = json_array(), *json;
	char *text;

	for (size_t i = 0; i < config->mesh.n_sites; i++)
		json_array_append_new(
			sites, json_pack("[i, s]", (int)config_site_number(&config->mesh.sites[i]),
					 config->mesh.sites[i].name));
	json = json_pack("{s:s, s:i, s:s, s:i, s:o}", "version", usage_version, "id",
			 (int)config_self_id(config), "node", config->node.name, "site",
			 (int)config_site_number(config_self_site(config)), "sites", sites);
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	return text;
}

void usage_agent_configure(struct usage_agent *agent, const struct config *config)
{
	char *text;
	int rc = -ENOMEM;

	if (config->is_relay)
		return;
	agent->metered = config->node.dataplane != CONFIG_DATAPLANE_OFF;
	text = config_text(config);
	if (text && agent->told && !strcmp(text, agent->told)) {
		free(text);
		return;
	}
	if (text)
		rc = file_replace(agent->config_path, text, strlen(text), 0600);
	if (rc) {
		log_error("usage: %s: %s", agent->config_path, strerror(-rc));
		free(text);
		return;
	}
	free(agent->told);
	agent->told = text;
	if (agent->child)
		(void)child_signal(agent->child, SIGHUP); /* it may have ended by itself */
	else if (!agent->restart)
		start(agent);
}

void usage_agent_find(struct usage_agent *agent)
{
	(void)adopt(agent); /* if there is none, that is as good */
}

void usage_agent_stop(struct usage_agent *agent)
{
	if (!agent)
		return;
	free(agent->told);
	agent->told = NULL;
	agent->restart = sd_event_source_disable_unref(agent->restart);
	child_stop(agent->child, STOP_TIMEOUT_MS);
	agent->child = NULL;
}

json_t *usage_agent_status(const struct usage_agent *agent, json_t *problems)
{
	json_t *json;
	const char *error, *put_aside;
	json_int_t age_s;
	char text[512] = "";

	if (!agent->told)
		return NULL;
	json = json_load_file(agent->status_path, 0, NULL);
	if (!json_is_object(json)) {
		json_decref(json);
		json = json_object();
	}
	error = json_string_value(json_object_get(json, "error"));
	put_aside = json_string_value(json_object_get(json, "put_aside"));
	age_s = time(NULL) - json_integer_value(json_object_get(json, "recorded_ms")) / 1000;
	json_object_set_new(json, "running", json_boolean(agent->child));
	if (!agent->child)
		snprintf(text, sizeof(text), "usage: " PROGRAM " does not run");
	else if (error && *error)
		snprintf(text, sizeof(text), "usage is not recorded: %.400s", error);
	else if (age_s > STALE_S && json_object_size(json) > 1)
		snprintf(text, sizeof(text), "usage: nothing was recorded for %lld s",
			 (long long)age_s);
	else if (agent->metered && json_is_false(json_object_get(json, "metered")))
		snprintf(text, sizeof(text), "usage is not metered: no programs are loaded");
	if (*text)
		json_array_append_new(problems, json_string(text));
	if (!agent->metered)
		json_object_set_new(json, "off", json_true());
	if (put_aside && *put_aside) {
		snprintf(text, sizeof(text), "usage: the record was damaged, and is kept as %.300s",
			 put_aside);
		json_array_append_new(problems, json_string(text));
	}
	if (json_integer_value(json_object_get(json, "other")) > 0)
		json_array_append_new(
			problems,
			json_string("usage: more pairs of subnets than are counted apart; "
				    "the others are recorded by site, as \"other\""));
	return json;
}

json_t *usage_agent_view(struct usage_agent *agent)
{
	struct stat st;

	if (!agent->told || stat(agent->view_path, &st))
		return NULL;
	if (st.st_mtim.tv_sec == agent->view_changed.tv_sec &&
	    st.st_mtim.tv_nsec == agent->view_changed.tv_nsec)
		return agent->view;
	json_decref(agent->view);
	agent->view = json_load_file(agent->view_path, 0, NULL);
	agent->view_changed = st.st_mtim;
	return agent->view;
}

int usage_agent_new(struct sd_event *event, const char *run_dir, const char *state_dir,
		    struct usage_agent **ret_agent)
{
	struct usage_agent *agent = calloc(1, sizeof(*agent));

	if (!agent)
		return -ENOMEM;
	agent->event = event;
	agent->run_dir = run_dir;
	agent->state_dir = state_dir;
	snprintf(agent->config_path, PATH_MAX, "%s/" USAGE_CONFIG_FILE, run_dir);
	snprintf(agent->status_path, PATH_MAX, "%s/" USAGE_STATUS_FILE, run_dir);
	snprintf(agent->pid_path, PATH_MAX, "%s/" USAGE_PID_FILE, run_dir);
	snprintf(agent->log_path, PATH_MAX, "%s/log/usage.log", run_dir);
	snprintf(agent->view_path, PATH_MAX, "%s/" USAGE_VIEW_FILE, run_dir);
	*ret_agent = agent;
	return 0;
}

void usage_agent_free(struct usage_agent *agent)
{
	if (!agent)
		return;
	sd_event_source_disable_unref(agent->restart);
	child_free(agent->child);
	json_decref(agent->view);
	free(agent->told);
	free(agent);
}
