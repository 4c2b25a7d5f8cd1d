/* SPDX-License-Identifier: GPL-2.0-only */
#include "web_view.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "config.h"
#include "daemon.h"
#include "drill_store.h"
#include "event_log.h"
#include "process.h"
#include "status.h"
#include "steering.h"
#include "usage_agent.h"

struct web_view {
	json_t *drills;
	struct timespec drills_changed; /* the directory, when it was looked at */
	json_t *events;			/* newest first */
	unsigned long events_count;
};

int web_view_new(struct web_view **ret_view)
{
	struct web_view *view = calloc(1, sizeof(*view));

	if (!view)
		return -ENOMEM;
	view->drills = json_array();
	view->events = json_array();
	if (!view->drills || !view->events) {
		web_view_free(view);
		return -ENOMEM;
	}
	*ret_view = view;
	return 0;
}

void web_view_free(struct web_view *view)
{
	if (!view)
		return;
	json_decref(view->drills);
	json_decref(view->events);
	free(view);
}

/* ---- drills ---- */

static json_t *make_direction(const json_t *report, const char *name)
{
	const json_t *from = json_object_get(json_object_get(report, "directions"), name);
	const char *const keys[] = { "outage_loss_ms", "outage_timestamp_ms", "sent", "lost" };
	json_t *to = json_object();

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *value = json_object_get(from, keys[i]);

		json_object_set_new(to, keys[i], value ? json_incref(value) : json_null());
	}
	return to;
}

/* The short form of a drill's report. */
static json_t *short_drill(const char *id, const json_t *report)
{
	const char *const keys[] = { "scenario", "began", "verdict", "operator", "what" };
	json_t *drill = json_object();
	time_t at = 0;

	(void)drill_store_parse(id, &at); /* who listed it has looked */
	json_object_set_new(drill, "id", json_string(id));
	json_object_set_new(drill, "began_s", json_integer(at));
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *value = json_object_get(report, keys[i]);

		json_object_set_new(drill, keys[i], value ? json_incref(value) : json_null());
	}
	json_object_set_new(drill, "out", make_direction(report, "out"));
	json_object_set_new(drill, "in", make_direction(report, "in"));
	return drill;
}

static json_t *find_drill(json_t *drills, const char *id)
{
	json_t *drill;
	size_t i;

	json_array_foreach(drills, i,
			   drill) if (!strcmp(json_string_value(json_object_get(drill, "id")),
					      id)) return drill;
	return NULL;
}

/*
 * Reports are read when the directory has changed, and one a time: they are long, and the daemon has
 * other things to do. Returns whether all are read.
 */
static bool read_drills(struct web_view *view, const char *dir)
{
	json_t *drills = json_array();
	bool read = false, all = true;
	char **ids = NULL;
	size_t n = 0;

	if (drill_store_list(dir, &ids, &n)) {
		json_decref(drills);
		return true;
	}
	for (size_t i = n; i-- > 0;) {
		json_t *drill = json_array_size(drills) < WEB_VIEW_DRILLS
					? json_incref(find_drill(view->drills, ids[i]))
					: NULL;

		if (!drill && json_array_size(drills) < WEB_VIEW_DRILLS) {
			json_t *report = read ? NULL : drill_store_get(dir, ids[i]);

			if (report)
				drill = short_drill(ids[i], report);
			all = all && !read;
			read = true;
			json_decref(report);
		}
		if (drill)
			json_array_append_new(drills, drill);
		free(ids[i]);
	}
	free(ids);
	json_decref(view->drills);
	view->drills = drills;
	return all;
}

static void look_for_drills(struct web_view *view, const char *state_dir)
{
	struct stat st;
	char dir[PATH_MAX];

	snprintf(dir, sizeof(dir), "%s/drills", state_dir);
	if (stat(dir, &st) || (st.st_mtim.tv_sec == view->drills_changed.tv_sec &&
			       st.st_mtim.tv_nsec == view->drills_changed.tv_nsec))
		return;
	if (read_drills(view, dir))
		view->drills_changed = st.st_mtim;
}

/* ---- the rest ---- */

static json_t *make_mesh(const struct config_mesh *mesh)
{
	json_t *sites = json_array(), *relays = json_array();

	for (size_t s = 0; s < mesh->n_sites; s++) {
		json_t *gateways = json_array();

		for (size_t g = 0; g < mesh->sites[s].n_gateways; g++)
			json_array_append_new(gateways,
					      json_string(mesh->sites[s].gateways[g].name));
		json_array_append_new(sites, json_pack("{s:s, s:o}", "name", mesh->sites[s].name,
						       "gateways", gateways));
	}
	for (size_t r = 0; r < mesh->n_relays; r++)
		json_array_append_new(relays, json_string(mesh->relays[r].name));
	return json_pack("{s:s, s:o, s:o}", "name", mesh->name, "sites", sites, "relays", relays);
}

/* Without what fits no line: scores of paths are long, and netpas-web asks often. */
static json_t *make_event(const json_t *record)
{
	const char *const keys[] = {
		"time", "kind", "level", "text", "object", "from", "to", "why"
	};
	json_t *event = json_object();

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *value = json_object_get(record, keys[i]);

		if (value)
			json_object_set(event, keys[i], value);
	}
	return event;
}

static void look_for_events(struct web_view *view, const struct event_log *log)
{
	json_t *recent, *record;
	size_t i;

	if (event_log_count(log) == view->events_count)
		return;
	recent = event_log_recent(log);
	json_array_clear(view->events);
	json_array_foreach(recent, i, record)
		json_array_insert_new(view->events, 0, make_event(record));
	json_decref(recent);
	view->events_count = event_log_count(log);
}

json_t *web_view_make(struct web_view *view, struct daemon *d)
{
	const uint64_t began = clock_now_us();
	json_t *ret;

	look_for_drills(view, d->paths.state_dir);
	look_for_events(view, d->events);
	ret = json_pack("{s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:O, s:O, s:O?}", "ok", 1, "status",
			status_make(d), "paths", steering_paths(d->steering), "drops",
			steering_drops(d->steering), "mesh", make_mesh(&d->config->mesh),
			"processes", process_list(), "run_times", steering_run_times(d->steering),
			"drills", view->drills, "events", view->events, "usage",
			usage_agent_view(d->usage));
	if (ret)
		json_object_set_new(ret, "took_s",
				    json_real((double)(clock_now_us() - began) / 1e6));
	return ret;
}
