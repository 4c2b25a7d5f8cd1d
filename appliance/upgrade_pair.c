/* SPDX-License-Identifier: GPL-2.0-only */
#include "upgrade_pair.h"

#include <stdio.h>
#include <string.h>

#include "control.h"
#include "pair_channel.h"

#define ASK_MS 5000

static const char *text_of(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static bool is_true(json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

static bool is_held(json_t *answer, char reason[static ROLLING_REASON_LEN])
{
	json_t *rolling = json_object_get(answer, "rolling");
	json_t *record = json_object_get(rolling, "record");

	if (!is_true(rolling, "held"))
		return false;
	snprintf(reason, ROLLING_REASON_LEN, "a rolling %.16s is under way, asked for on %.64s",
		 text_of(record, "kind"), text_of(record, "by"));
	return true;
}

bool upgrade_pair_judge(json_t *here, json_t *there, char reason[static ROLLING_REASON_LEN])
{
	json_t *image = json_object_get(json_object_get(there, "rolling"), "image");
	const char *name = text_of(json_object_get(there, "status"), "node");
	const bool armed = !strcmp(text_of(image, "phase"), "armed");

	if (is_held(here, reason) || is_held(there, reason))
		return false;
	if (!is_true(image, "trial") && !armed)
		return true;
	snprintf(reason, ROLLING_REASON_LEN, "the other gateway, %.64s, %s of %.64s", name,
		 armed ? "is set for its trial" : "is in its trial", text_of(image, "written"));
	return false;
}

static json_t *ask_partner(json_t *here)
{
	json_t *status = json_object_get(here, "status"), *answer = NULL;
	json_t *partner = json_object_get(status, "partner"), *request;
	struct pair_ends ends = {
		.self = (uint16_t)json_integer_value(json_object_get(status, "id")),
		.partner = (uint16_t)json_integer_value(json_object_get(partner, "id")),
		.port = (uint16_t)json_integer_value(json_object_get(partner, "port")),
	};

	if (!ends.partner)
		return NULL;
	snprintf(ends.ifname, sizeof(ends.ifname), "%s", text_of(partner, "interface"));
	request = pair_request_new("rolling");
	if (request && pair_channel_ask(&ends, request, ASK_MS, &answer))
		answer = NULL;
	json_decref(request);
	return answer;
}

bool upgrade_pair_free(const struct client_paths *paths, char reason[static ROLLING_REASON_LEN])
{
	json_t *here = NULL, *there;
	bool good;

	if (control_request(paths->run_dir, "rolling", ASK_MS, &here))
		return true; /* no netpasd, or a relay */
	there = ask_partner(here);
	good = upgrade_pair_judge(here, there, reason);
	json_decref(here);
	json_decref(there);
	return good;
}
