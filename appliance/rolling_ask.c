/* SPDX-License-Identifier: GPL-2.0-only */
/* What a rolling run asks both gateways: this one on its control socket, the other by the pair channel. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client_rolling.h"
#include "control.h"
#include "pair_message.h"

#define LOOK_MS 2000 /* for an answer */

static const char *silence_of(int rc)
{
	switch (rc) {
	case -EACCES:
		return "only root may ask";
	case -ENODEV:
		return "there is no tunnel to it now";
	case -ENOENT:
	case -ECONNREFUSED:
		return "no netpasd listens there";
	case -EHOSTUNREACH:
		return "it does not answer on the LAN";
	case -EPROTO:
		return "it speaks another version of the pair channel";
	case -EBADMSG:
		return "its answer makes no sense";
	}
	return strerror(-rc);
}

/* It may have been done or not. */
bool rolling_is_lost(int rc)
{
	return rc == -ECONNABORTED || rc == -ECONNRESET || rc == -ETIMEDOUT || rc == -EPIPE;
}

/*
 * Takes the members. 0: *ret_answer is a good one; else why not, in words, in the gateway's silence:
 * -EPERM it refuses, -ENOTSUP or -errno.
 */
int rolling_ask(struct rolling *r, struct gateway *g, const char *what, json_t *members,
		int timeout_ms, json_t **ret_answer)
{
	json_t *request = g->here ? json_pack("{s:s}", "command", what) : pair_request_new(what);
	json_t *answer = NULL;
	const char *error;
	int rc = request && members && !json_object_update(request, members) ? 0 : -ENOMEM;

	if (!rc)
		rc = g->here ? control_exchange(r->paths->run_dir, request, timeout_ms, &answer)
			     : pair_channel_ask(&r->ends, request, timeout_ms, &answer);
	json_decref(request);
	json_decref(members);
	if (rc) {
		snprintf(g->silence, sizeof(g->silence), "%s", silence_of(rc));
		return rc;
	}
	if (json_is_true(json_object_get(answer, "ok"))) {
		*ret_answer = answer;
		return 0;
	}
	error = json_string_value(json_object_get(answer, "error"));
	snprintf(g->silence, sizeof(g->silence), "%s", error ? error : "it fails");
	rc = json_is_true(json_object_get(answer, "refused")) ? -EPERM : -ENOTSUP;
	json_decref(answer);
	return rc;
}

static json_t *hold_members(const struct rolling *r)
{
	const struct gateway *here = &r->gateways[r->gateways[0].here ? 0 : 1];

	if (!r->holds)
		return json_object();
	return json_pack("{s:{s:o, s:s, s:s, s:o, s:o, s:b, s:b}}", "hold", "run",
			 pair_number_new(r->record.run), "kind", rolling_kind(r), "by", here->name,
			 "before_first", pair_number_new(r->record.before[0]), "before_second",
			 pair_number_new(r->record.before[1]), "second_was_active",
			 (int)r->record.active, "leaves", (int)r->leaves);
}

/* What it says now. 0 or -errno, then it is unknown. */
int rolling_look_at(struct rolling *r, struct gateway *g, struct rolling_record *ret_record)
{
	struct rolling_view view;
	json_t *answer = NULL;
	int rc = rolling_ask(r, g, "rolling", hold_members(r), LOOK_MS, &answer);

	r->overtaken = r->overtaken || (r->holds && rc == -EPERM);
	rolling_view_fini(&g->now);
	if (rc)
		return rc;
	rc = rolling_view_parse(answer, &view, ret_record);
	if (rc)
		snprintf(g->silence, sizeof(g->silence), "%s", silence_of(rc));
	else
		g->now = view;
	json_decref(answer);
	return rc;
}

void rolling_look(struct rolling *r)
{
	struct rolling_record record;

	for (size_t i = 0; i < 2; i++)
		(void)rolling_look_at(r, &r->gateways[i], &record); /* unknown then */
}

/* Of the daemon here: who the two are, and where the other one is reached. Exit code. */
int rolling_learn(struct rolling *r)
{
	json_t *request = json_pack("{s:s}", "command", "status"), *answer, *status, *partner;
	struct gateway *here, *there;
	const char *name, *ifname;
	int rc = client_request(r->paths, request, &answer);

	json_decref(request);
	if (rc)
		return rc;
	status = json_object_get(answer, "status");
	partner = json_object_get(status, "partner");
	ifname = json_string_value(json_object_get(partner, "interface"));
	r->ends.self = (uint16_t)json_integer_value(json_object_get(status, "id"));
	r->ends.partner = (uint16_t)json_integer_value(json_object_get(partner, "id"));
	r->ends.port = (uint16_t)json_integer_value(json_object_get(partner, "port"));
	if (!ifname || !r->ends.partner) {
		rolling_complain(r, "refused: this is no gateway of a pair");
		json_decref(answer);
		return CLIENT_REFUSED;
	}
	snprintf(r->ends.ifname, sizeof(r->ends.ifname), "%s", ifname);
	here = &r->gateways[r->ends.self > r->ends.partner];
	there = &r->gateways[r->ends.self < r->ends.partner];
	here->here = true;
	name = json_string_value(json_object_get(status, "node"));
	snprintf(here->name, sizeof(here->name), "%s", name ? name : "?");
	name = json_string_value(json_object_get(partner, "name"));
	snprintf(there->name, sizeof(there->name), "%s", name ? name : "?");
	json_decref(answer);
	return 0;
}
