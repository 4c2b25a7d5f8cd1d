/* SPDX-License-Identifier: GPL-2.0-only */
#include "command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "daemon.h"
#include "event.h"
#include "event_log.h"
#include "rolling_node.h"
#include "status.h"
#include "steering.h"
#include "switchover.h"

static json_t *answer_text(int rc, char *text)
{
	json_t *answer = rc ? control_error("%s", text ? text : strerror(-rc))
			    : json_pack("{s:b, s:s}", "ok", 1, "text", text ? text : "");

	free(text);
	return answer;
}

static json_t *do_status(struct daemon *d)
{
	return json_pack("{s:b, s:o}", "ok", 1, "status", status_make(d));
}

static json_t *do_paths(struct daemon *d)
{
	return json_pack("{s:b, s:o}", "ok", 1, "paths", steering_paths(d->steering));
}

static json_t *do_drops(struct daemon *d)
{
	return json_pack("{s:b, s:o}", "ok", 1, "drops", steering_drops(d->steering));
}

static json_t *do_events(struct daemon *d)
{
	return json_pack("{s:b, s:o}", "ok", 1, "events", event_log_recent(d->events));
}

static json_t *do_reload(struct daemon *d)
{
	char *text = NULL;
	int rc = daemon_reload(d, &text);

	return answer_text(rc, text);
}

static json_t *do_plan(struct daemon *d)
{
	char *text = NULL;
	int rc = daemon_plan(d, &text);

	return answer_text(rc, text);
}

static json_t *do_down(struct daemon *d)
{
	char error[KERNEL_ERROR_LEN] = "";

	if (daemon_down(d, error))
		return control_error("%s", error);
	return json_pack("{s:b, s:s}", "ok", 1, "text", "everything is taken down\n");
}

/* What the boot check of the appliance image has found, for `netpas events`. */
static json_t *do_upgrade_event(json_t *request)
{
	const char *text = json_string_value(json_object_get(request, "text"));

	if (!text)
		return control_error("upgrade-event: \"text\" is missing");
	if (json_is_true(json_object_get(request, "good")))
		event_info(EVENT_UPGRADE, "%s", text);
	else
		event_warning(EVENT_UPGRADE, "%s", text);
	return json_pack("{s:b}", "ok", 1);
}

json_t *command_answer(const char *command, json_t *request, void *data)
{
	static const struct {
		const char *name;
		json_t *(*handle)(struct daemon *d);
	} commands[] = {
		{ "status", do_status }, { "paths", do_paths }, { "drops", do_drops },
		{ "reload", do_reload }, { "plan", do_plan },	{ "down", do_down },
		{ "events", do_events },
	};
	json_t *answer;

	if (switchover_command(data, command, request, &answer) ||
	    rolling_node_command(data, command, request, &answer))
		return answer;
	if (!strcmp(command, "upgrade-event"))
		return do_upgrade_event(request);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(command, commands[i].name))
			return commands[i].handle(data);
	return control_error(
		"unknown command '%s'; known are status, paths, drops, events, reload, plan, down, "
		"switchover, drain, handover, rolling",
		command);
}
