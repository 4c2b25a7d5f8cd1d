/* SPDX-License-Identifier: GPL-2.0-only */
#include "boot_check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control.h"
#include "file.h"
#include "rolling_view.h"

#define KEPT "before.json"
#define KEPT_MAX (4 * 1024 * 1024)
#define ASK_MS 5000
#define UNITS "systemctl list-units --failed --plain --no-legend --no-pager 2>/dev/null"
#define STARTED "systemctl --quiet is-active multi-user.target 2>/dev/null"

static bool because(char reason[static ROLLING_REASON_LEN], const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static bool because(char reason[static ROLLING_REASON_LEN], const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(reason, ROLLING_REASON_LEN, fmt, args); /* a cut one is better than none */
	va_end(args);
	return false;
}

/* ---- looking ---- */

static json_t *failed_units(void)
{
	json_t *units = json_array();
	FILE *out = popen(UNITS, "r");
	char line[512];

	while (out && fgets(line, sizeof(line), out)) {
		line[strcspn(line, " \n")] = '\0';
		if (*line)
			json_array_append_new(units, json_string(line));
	}
	if (out)
		(void)pclose(out); /* without systemd no unit fails */
	return units;
}

/* A unit whose start hangs has not failed, and those behind it have not begun. */
static bool still_starting(void)
{
	return !access("/run/systemd/system", F_OK) && system(STARTED) != 0;
}

bool boot_check_configured(const struct client_paths *paths)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s/node.yaml", paths->config_dir) < PATH_MAX &&
	       !access(path, F_OK);
}

static json_t *ask(const struct client_paths *paths, const char *command, json_t *look)
{
	json_t *answer = NULL;
	const char *error;
	const int rc = control_request(paths->run_dir, command, ASK_MS, &answer);

	if (!rc && json_is_true(json_object_get(answer, "ok")))
		return answer;
	error = rc ? strerror(-rc) : json_string_value(json_object_get(answer, "error"));
	json_object_set_new(look, "silence", json_string(error ? error : "it answers nonsense"));
	json_decref(answer);
	return NULL;
}

/* A relay has no partner and so no "rolling": what that would add is put around its status. */
static void make_whole(json_t *answer)
{
	json_t *status = json_object_get(answer, "status");

	if (!json_object_get(answer, "rolling"))
		json_object_set_new(answer, "rolling",
				    json_pack("{s:s, s:{s:s, s:s}, s:{s:s}}", "instance",
					      "0000000000000000", "running", "version", "", "build",
					      "0000000000000000", "installed", "state", "untried"));
	if (!json_is_object(json_object_get(status, "ha")))
		json_object_set_new(status, "ha", json_object());
	if (!json_is_object(json_object_get(status, "partner")))
		json_object_set_new(status, "partner", json_object());
}

json_t *boot_check_look(const struct client_paths *paths)
{
	const bool configured = boot_check_configured(paths);
	json_t *look = json_pack("{s:b, s:b, s:o}", "configured", (int)configured, "starting",
				 (int)still_starting(), "failed_units", failed_units());
	json_t *answer;

	if (!look || !configured)
		return look;
	answer = ask(paths, "rolling", look);
	if (!answer)
		answer = ask(paths, "status", look);
	if (answer) {
		(void)json_object_del(look, "silence"); /* of the other question, if at all */
		json_object_set_new(look, "answer", answer);
	}
	return look;
}

/* ---- keeping ---- */

static int kept_path(const char *dir, char path[static PATH_MAX])
{
	return snprintf(path, PATH_MAX, "%s/" KEPT, dir) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int boot_check_keep(const char *dir, json_t *look)
{
	char path[PATH_MAX], *text = json_dumps(look, JSON_INDENT(1));
	int rc = text ? kept_path(dir, path) : -ENOMEM;

	if (!rc)
		rc = file_make_directory(dir, 0700);
	if (!rc)
		rc = file_replace(path, text, strlen(text), 0600);
	free(text);
	return rc;
}

json_t *boot_check_kept(const char *dir)
{
	char path[PATH_MAX], *text;
	json_t *look;
	size_t len;

	if (kept_path(dir, path) || file_load(path, O_NOFOLLOW, KEPT_MAX, &text, &len))
		return NULL;
	look = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	return look;
}

/* ---- judging ---- */

static bool has_text(json_t *array, const char *text)
{
	json_t *item;
	size_t i;

	json_array_foreach(array, i, item)
	{
		if (json_is_string(item) && !strcmp(json_string_value(item), text))
			return true;
	}
	return false;
}

static bool units_good(json_t *before, json_t *now, char reason[static ROLLING_REASON_LEN])
{
	json_t *unit, *units = json_object_get(before, "failed_units");
	size_t i;

	json_array_foreach(json_object_get(now, "failed_units"), i, unit)
	{
		const char *name = json_string_value(unit);

		if (name && !has_text(units, name))
			return because(reason, "the unit %s has failed", name);
	}
	return true;
}

static bool role_good(const struct rolling_view *view, json_t *answer, bool relay,
		      char reason[static ROLLING_REASON_LEN])
{
	json_t *partner = json_object_get(json_object_get(answer, "status"), "partner");
	const char *role = json_string_value(json_object_get(partner, "role"));

	if (!relay && strcmp(view->role, "active") && strcmp(view->role, "standby"))
		return because(reason, "%s is %s, neither active nor standby", view->name,
			       view->role);
	if (view->active && view->partner_alive && role && !strcmp(role, "active"))
		return because(reason, "%s and the other gateway are both active", view->name);
	return true;
}

static bool view_good(const struct rolling_view *before, const struct rolling_view *now,
		      char reason[static ROLLING_REASON_LEN])
{
	/* Shallow copies: what may differ is made alike. */
	struct rolling_view then = *before, here = *now;

	if (before->digest != now->digest) {
		/* Another mesh.yaml since then, so other tunnels. */
		if (now->severity <= before->severity)
			return true;
		return because(reason, "%s is worse off (severity %u, not %u)", now->name,
			       now->severity, before->severity);
	}
	if (before->programs.n && !now->programs.n)
		return because(reason, "%s runs no program of the data plane", now->name);
	here.partner_alive = now->partner_alive || !before->partner_alive;
	then.paths = 0; /* they come and go; tunnels count */
	if (strcmp(before->running.version, now->running.version))
		then.programs =
			(struct rolling_words){ 0 }; /* another one may name them otherwise */
	return rolling_as_good(&then, false, &here, reason);
}

/* What was wrong before is no fault of the slot. An answer that makes no sense here says nothing. */
static bool compare(json_t *before, json_t *now, const struct rolling_view *here, bool relay,
		    char reason[static ROLLING_REASON_LEN])
{
	struct rolling_view then = { 0 };
	struct rolling_record record;
	char ignored[ROLLING_REASON_LEN];
	bool known, good;

	if (before)
		make_whole(before);
	known = before && !rolling_view_parse(before, &then, &record);
	good = role_good(here, now, relay, reason) ||
	       (known && !role_good(&then, before, relay, ignored));
	good = good && (!known || view_good(&then, here, reason));
	rolling_view_fini(&then);
	return good;
}

static bool answers_good(json_t *before, json_t *now, char reason[static ROLLING_REASON_LEN])
{
	const bool relay = !json_object_get(now, "rolling");
	struct rolling_record record;
	struct rolling_view here;
	bool good;

	make_whole(now);
	if (rolling_view_parse(now, &here, &record))
		return because(reason, "what netpasd answers makes no sense");
	good = compare(before, now, &here, relay, reason);
	rolling_view_fini(&here);
	return good;
}

static bool machine_good(json_t *before, json_t *now, char reason[static ROLLING_REASON_LEN])
{
	const bool configured = json_is_true(json_object_get(now, "configured"));
	json_t *answer = json_object_get(now, "answer"), *then = json_object_get(before, "answer");
	const char *silence = json_string_value(json_object_get(now, "silence"));

	if (!units_good(before, now, reason))
		return false;
	if (!configured)
		return !json_is_true(json_object_get(before, "configured")) ||
		       because(reason, "its configuration is gone: there is no node.yaml");
	if (!json_is_object(answer))
		return because(reason, "netpasd does not answer: %s",
			       silence ? silence : "nothing");
	return answers_good(json_is_object(then) ? then : NULL, answer, reason);
}

bool boot_check_good(json_t *before, json_t *now, char reason[static ROLLING_REASON_LEN])
{
	if (!machine_good(before, now, reason))
		return false;
	return !json_is_true(json_object_get(now, "starting")) ||
	       because(reason, "units are still being started");
}
