/* SPDX-License-Identifier: GPL-2.0-only */
#include "rolling_view.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pair_message.h"

#define LAN_FRESH_S 5.0 /* an answer of the LAN that is older says nothing of now */

static const char *text_of(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static bool truth_of(json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

static uint64_t number_of(json_t *object, const char *key)
{
	const json_int_t number = json_integer_value(json_object_get(object, key));

	return number > 0 ? (uint64_t)number : 0;
}

static int read_build(json_t *build, struct rolling_build *ret_build)
{
	snprintf(ret_build->version, sizeof(ret_build->version), "%s", text_of(build, "version"));
	return pair_number_get(build, "build", &ret_build->hash);
}

static int read_software(json_t *rolling, struct rolling_view *view)
{
	json_t *installed = json_object_get(rolling, "installed");
	const char *state = text_of(installed, "state");

	while (view->trial < ROLLING_TRIAL_MAX && strcmp(state, rolling_trial_names[view->trial]))
		view->trial++;
	if (view->trial == ROLLING_TRIAL_MAX)
		return -EBADMSG;
	snprintf(view->trial_error, sizeof(view->trial_error), "%s", text_of(installed, "error"));
	if (pair_number_get(rolling, "instance", &view->instance) ||
	    read_build(json_object_get(rolling, "running"), &view->running))
		return -EBADMSG;
	/* There may be no file. */
	(void)read_build(installed, &view->installed);
	return 0;
}

static int read_tunnels(json_t *tunnels, struct rolling_view *view)
{
	char word[ROLLING_WORD_LEN];
	json_t *tunnel;
	size_t i;
	int rc = 0;

	json_array_foreach(tunnels, i, tunnel)
	{
		if (!truth_of(tunnel, "alive") ||
		    json_is_null(json_object_get(tunnel, "handshake_age_s")))
			continue;
		snprintf(word, sizeof(word), "%s (lane %u)", text_of(tunnel, "peer"),
			 (unsigned int)number_of(tunnel, "lane"));
		rc = rc ? rc : rolling_words_add(&view->tunnels, word);
	}
	return rc;
}

static int read_programs(json_t *programs, struct rolling_view *view)
{
	char word[ROLLING_WORD_LEN];
	json_t *program;
	size_t i;
	int rc = 0;

	json_array_foreach(programs, i, program)
	{
		if (!strcmp(text_of(program, "mode"), "none"))
			continue;
		snprintf(word, sizeof(word), "%s on %s (%s)", text_of(program, "program"),
			 text_of(program, "interface"), text_of(program, "mode"));
		rc = rc ? rc : rolling_words_add(&view->programs, word);
	}
	return rc;
}

/* That a gateway is drained, and that this was left half-way, is what is being done to it. */
static int read_problems(json_t *problems, struct rolling_view *view)
{
	json_t *problem;
	size_t i;
	int rc = 0;

	json_array_foreach(problems, i, problem)
	{
		const char *text = json_string_value(problem);

		if (text && strncmp(text, "drained", 7) && strncmp(text, "rolling", 7) && !rc)
			rc = rolling_words_add(&view->problems, text);
	}
	return rc;
}

static bool read_lan(json_t *neighbours)
{
	json_t *neighbour;
	size_t i;

	json_array_foreach(neighbours, i, neighbour)
	{
		json_t *answered = json_object_get(neighbour, "answered_s");

		if (json_is_number(answered) && json_number_value(answered) < LAN_FRESH_S)
			return true;
	}
	return false;
}

static uint64_t read_carried(json_t *counters)
{
	return number_of(json_object_get(counters, "to_mesh"), "packets") +
	       number_of(json_object_get(counters, "from_mesh"), "packets");
}

static int read_status(json_t *status, struct rolling_view *view)
{
	json_t *ha = json_object_get(status, "ha"), *partner = json_object_get(status, "partner");
	const char *handover = text_of(ha, "handover");
	int rc;

	if (!json_is_object(ha) || !json_is_object(partner) ||
	    pair_number_get(json_object_get(status, "config"), "digest", &view->digest))
		return -EBADMSG;
	snprintf(view->name, sizeof(view->name), "%s", text_of(status, "node"));
	snprintf(view->role, sizeof(view->role), "%s", text_of(status, "role"));
	view->id = (uint16_t)number_of(status, "id");
	view->active = !strcmp(view->role, "active");
	view->drained = truth_of(ha, "drained");
	view->busy = !strcmp(handover, "giving") || !strcmp(handover, "taking");
	view->severity = (unsigned int)number_of(ha, "severity");
	view->partner_alive = truth_of(partner, "alive");
	view->lan_answers =
		read_lan(json_object_get(json_object_get(status, "health"), "lan_neighbours"));
	view->carried = read_carried(json_object_get(status, "counters"));
	rc = read_tunnels(json_object_get(status, "tunnels"), view);
	if (!rc)
		rc = read_programs(
			json_object_get(json_object_get(status, "dataplane"), "programs"), view);
	return rc ? rc : read_problems(json_object_get(status, "problems"), view);
}

static void take(json_t *object, const char *key, char *buf, size_t size)
{
	snprintf(buf, size, "%s", text_of(object, key));
}

static void read_image(json_t *json, struct rolling_image *image)
{
	json_t *job = json_object_get(json, "job");

	if (!json_is_object(json))
		return;
	image->known = true;
	image->trial = truth_of(json, "trial");
	take(json, "version", image->version, sizeof(image->version));
	take(json, "phase", image->phase, sizeof(image->phase));
	take(json, "written", image->written, sizeof(image->written));
	take(json, "reason", image->reason, sizeof(image->reason));
	if (!json_is_object(job) || pair_number_get(job, "run", &image->job))
		return;
	take(job, "job", image->job_name, sizeof(image->job_name));
	take(job, "state", image->job_state, sizeof(image->job_state));
	take(job, "reason", image->job_reason, sizeof(image->job_reason));
}

static void read_record(json_t *json, struct rolling_record *ret_record)
{
	struct rolling_record record = { 0 };

	if (!json_is_object(json) || pair_number_get(json, "run", &record.run) ||
	    pair_number_get(json, "before_first", &record.before[0]) ||
	    pair_number_get(json, "before_second", &record.before[1]))
		record.run = 0;
	record.active = truth_of(json, "second_was_active") ? 1 : 0;
	*ret_record = record;
}

int rolling_view_parse(json_t *answer, struct rolling_view *ret_view,
		       struct rolling_record *ret_record)
{
	json_t *rolling = json_object_get(answer, "rolling");
	struct rolling_view view = { .known = true };
	int rc = json_is_object(rolling) ? read_software(rolling, &view) : -EBADMSG;

	if (!rc)
		rc = read_status(json_object_get(answer, "status"), &view);
	if (rc) {
		rolling_view_fini(&view);
		return rc;
	}
	view.partner_drained = truth_of(rolling, "partner_drained");
	view.remotes = (unsigned int)number_of(rolling, "remotes");
	view.agreeing = (unsigned int)number_of(rolling, "agreeing");
	view.paths = (unsigned int)number_of(rolling, "paths");
	read_image(json_object_get(rolling, "image"), &view.image);
	take(rolling, "far", view.far, sizeof(view.far));
	read_record(json_object_get(rolling, "record"), ret_record);
	*ret_view = view;
	return 0;
}
