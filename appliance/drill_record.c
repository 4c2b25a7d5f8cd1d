/* SPDX-License-Identifier: GPL-2.0-only */
#include "drill_record.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "drill_counters.h"
#include "drill_history.h"
#include "drill_key.h"
#include "drill_store.h"

#define PARTS_MAX 800 /* of the time-line: more cannot be told apart on a page */
#define PART_MIN_US 10000
#define BASE64_LEN (DRILL_SIGNATURE_LEN * 4 / 3 + 8)

char *drill_record_roles(const struct drill_facts *facts)
{
	char *text = NULL;

	if (asprintf(&text, "%s %s, %s %s", facts->partner.name,
		     *facts->partner.role ? facts->partner.role : "silent", facts->here.name,
		     *facts->here.role ? facts->here.role : "silent") < 0)
		return NULL;
	return text;
}

/* ---- times and events ---- */

static double seconds(const struct drill_run *run, uint64_t at_us)
{
	return ((double)at_us - (double)run->times.began_us) / 1e6;
}

/* What another node saw of its paths, which is told afterwards, by its own clock. */
static void add_changes(struct drill_run *run, const json_t *changes, const char *node,
			int64_t offset_us)
{
	json_t *change;
	size_t i;

	json_array_foreach(changes, i, change)
	{
		const char *what = json_string_value(json_object_get(change, "what"));
		const uint64_t at_us =
			(uint64_t)(json_integer_value(json_object_get(change, "at_us")) -
				   offset_us);

		if (what && at_us >= run->times.began_us)
			drill_runner_event(&run->runner, at_us, node, "%s", what);
	}
}

static int compare_events(const void *a, const void *b)
{
	const struct drill_event *x = a, *y = b;

	return x->at_us < y->at_us ? -1 : x->at_us > y->at_us;
}

/* What is a change of the pair's own, and not something that the drill has done. */
static bool is_change(const struct drill_run *run, const struct drill_event *event)
{
	static const char *const done[] = { "fault", "restored", "hands the role back" };

	for (size_t i = 0; i < sizeof(done) / sizeof(done[0]); i++)
		if (!strncmp(event->what, done[i], strlen(done[i])))
			return false;
	return event->node != run->runner.peers[DRILL_FAR].gateway->name;
}

static json_t *make_events(struct drill_run *run)
{
	const struct drill_peer *peers = run->runner.peers;
	json_t *events = json_array();

	add_changes(run, run->changes, peers[DRILL_PARTNER].gateway->name,
		    peers[DRILL_PARTNER].offset_us);
	add_changes(run, run->far_changes, peers[DRILL_FAR].gateway->name,
		    run->runner.stream.offset_us);
	qsort(run->runner.events, run->runner.n_events, sizeof(run->runner.events[0]),
	      compare_events);
	for (size_t i = 0; i < run->runner.n_events; i++) {
		const struct drill_event *event = &run->runner.events[i];

		json_array_append_new(events, json_pack("{s:f, s:s, s:s, s:b}", "at_s",
							seconds(run, event->at_us), "node",
							event->node, "what", event->what, "change",
							is_change(run, event)));
	}
	return events;
}

/* ---- directions ---- */

static uint32_t parts(const struct drill_run *run)
{
	const uint64_t n = (run->times.ended_us - run->times.began_us) / PART_MIN_US;

	return n < 1 ? 1 : n > PARTS_MAX ? PARTS_MAX : (uint32_t)n;
}

static json_t *make_directions(const struct drill_run *run)
{
	const struct drill_stream *stream = &run->runner.stream;
	struct drill_spread gaps;
	const struct drill_flow out = {
		.track = &run->far_track,
		.sends = stream->sends,
		.start_us = stream->start_us,
		.sent = stream->next,
		.rate = run->wish.rate,
		.receiver_offset_us = stream->offset_us,
	};
	const struct drill_flow in = {
		.track = &stream->track,
		.start_us = stream->start_us,
		.sent = run->far_pack.sent ? run->far_pack.sent : stream->track.highest,
		.rate = run->wish.rate,
		.sender_offset_us = stream->offset_us,
		.send_gap_us = run->far_pack.send_gap_us,
	};
	struct drill_flow whole = out;
	struct drill_track padded = { 0 };
	json_t *directions = json_object();

	(void)drill_send_gaps(stream->sends, stream->next, &gaps);
	whole.send_gap_us = gaps.max;
	/* What came after the last that came is lost, too; the far end cannot know of it. */
	if (run->far_track.marks && !drill_track_init(&padded, stream->next, 0)) {
		const uint32_t n = run->far_track.highest < stream->next ? run->far_track.highest
									 : stream->next;
		struct drill_mark *marks = padded.marks;

		memcpy(marks, run->far_track.marks, n * sizeof(*marks));
		padded = run->far_track;
		padded.marks = marks;
		padded.size = stream->next;
		whole.track = &padded;
		json_object_set_new(directions, "out",
				    drill_report_flow(&whole, &run->times, parts(run)));
		free(marks);
	}
	json_object_set_new(directions, "in", drill_report_flow(&in, &run->times, parts(run)));
	return directions;
}

/* ---- the report ---- */

static json_t *string_or_null(const char *text)
{
	return text && *text ? json_string(text) : json_null();
}

static json_t *make_preconditions(const struct drill_run *run)
{
	const struct drill_facts *f = &run->facts;
	json_t *list = json_array();
	char text[200];

	snprintf(text, sizeof(text), "%s is standby, %s is active; both answer and have no problem",
		 f->here.name, f->partner.name);
	json_array_append_new(list, json_string(text));
	snprintf(text, sizeof(text), "all %u tunnels of %s and %u of %s are alive", f->here.tunnels,
		 f->here.name, f->partner.tunnels, f->partner.name);
	json_array_append_new(list, json_string(text));
	snprintf(text, sizeof(text), "%s has %u paths to the other site that are alive",
		 f->partner.name, f->partner.paths_alive);
	json_array_append_new(list, json_string(text));
	json_array_append_new(list,
			      json_string("both have the same mesh.yaml; no other drill runs"));
	json_array_append_new(list, json_string("probes pass both ways"));
	return list;
}

static json_t *make_not_covered(const struct drill_run *run)
{
	json_t *list = json_array();
	char text[300];

	json_array_append_new(
		list,
		json_string(
			"customer packets themselves: probes of the gateways went the same way"));
	snprintf(
		text, sizeof(text),
		"the customer's router and switches: %s stands for them on the LAN, and learns by ARP "
		"where the VIP is",
		run->facts.here.name);
	json_array_append_new(list, json_string(text));
	snprintf(
		text, sizeof(text),
		"the way into %s by its LAN while it has the VIP itself: its probes begin behind that",
		run->facts.here.name);
	json_array_append_new(list, json_string(text));
	return list;
}

static json_t *make_limits(const struct drill_run *run)
{
	json_t *limits = json_pack("{s:I, s:I}", "outage_ms", (json_int_t)run->limit_ms, "abort_ms",
				   (json_int_t)drill_abort_ms(run->limit_ms));

	/* A bad path is to be left within 5 s: its share of as many seconds, and once as much. */
	if (drill_scenarios[run->wish.scenario].limit == DRILL_LIMIT_LOSS)
		json_object_set_new(limits, "lost",
				    json_integer((json_int_t)run->wish.rate * 5 *
						 (json_int_t)run->wish.lost / 1000000 * 2));
	return limits;
}

static json_t *make_clocks(const struct drill_run *run)
{
	const struct drill_peer *partner = &run->runner.peers[DRILL_PARTNER];

	/* CLOCK_MONOTONIC begins with the machine: offsets say nothing but how they were mapped. */
	return json_pack("{s:s, s:f, s:f}", "of", run->facts.here.name, "partner_uncertain_ms",
			 partner->rtt_us / 2000.0, "far_uncertain_ms",
			 run->runner.stream.rtt_us / 2000.0);
}

static json_t *make_fault(const struct drill_run *run)
{
	const struct drill_times *t = &run->times;

	return json_pack(
		"{s:o, s:o, s:o, s:I, s:o}", "what", string_or_null(run->fault), "at_s",
		t->fault_us ? json_real(seconds(run, t->fault_us)) : json_null(), "restored_s",
		t->restored_us ? json_real(seconds(run, t->restored_us)) : json_null(), "hold_ms",
		(json_int_t)run->wish.hold_ms, "ended", string_or_null(run->ended));
}

static void put_time(json_t *report, const char *name, time_t at)
{
	char text[32];
	struct tm tm;

	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&at, &tm));
	json_object_set_new(report, name, json_string(text));
}

/* Null: the role was not moved. */
static json_t *make_hand_back(const struct drill_run *run)
{
	const struct drill_times *t = &run->times;
	const bool asked = t->handed_us || *run->kept;

	if (!asked)
		return json_null();
	return json_pack("{s:o, s:o, s:o}", "done",
			 run->wish.stay ? json_null() : json_boolean(run->handed_back), "at_s",
			 t->handed_us ? json_real(seconds(run, t->handed_us)) : json_null(), "why",
			 string_or_null(run->kept));
}

/* What earlier runs have shown, and what those of this series have, this one included. */
static void put_history(const struct drill_run *run, const char *dir, json_t *report)
{
	const char *scenario = drill_scenarios[run->wish.scenario].name;
	json_t *reports = drill_store_reports(dir, scenario, NULL);

	json_object_set_new(report, "history", drill_history_make(reports));
	json_decref(reports);
	if (!run->wish.series)
		return;
	json_object_set_new(report, "series",
			    json_pack("{s:s, s:I, s:I}", "id", run->wish.series, "run",
				      (json_int_t)run->wish.run, "runs",
				      (json_int_t)run->wish.runs));
	reports = drill_store_reports(dir, scenario, run->wish.series);
	json_array_append(reports, report);
	json_object_set_new(report, "repetitions", drill_history_make(reports));
	json_decref(reports);
}

static json_t *make_report(struct drill_run *run, const char *id, const char *dir)
{
	const struct drill_scenario *scenario = &drill_scenarios[run->wish.scenario];
	char hypothesis[400];
	json_t *report;

	snprintf(hypothesis, sizeof(hypothesis),
		 "When %s, then %s; no direction is interrupted for more than %u ms.",
		 scenario->what, scenario->expect, run->limit_ms);
	report = json_pack(
		"{s:i, s:s, s:s, s:s, s:s, s:o, s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:f, s:b}",
		"format", DRILL_REPORT_FORMAT, "id", id, "scenario", scenario->name, "what",
		scenario->what, "hypothesis", hypothesis, "operator",
		string_or_null(run->wish.operator_name), "approval",
		string_or_null(run->wish.approval), "node", run->facts.here.name, "partner",
		run->facts.partner.name, "far", run->facts.far, "site", run->facts.site, "version",
		run->facts.here.version, "digest", run->facts.here.digest, "rate",
		(json_int_t)run->wish.rate, "resolution_ms", 1000.0 / run->wish.rate, "realtime",
		run->runner.realtime);
	if (!report)
		return NULL;
	json_object_set_new(report, "page", json_integer(DRILL_PAGE_FORMAT));
	json_object_set_new(report, "partner_version", json_string(run->facts.partner.version));
	put_time(report, "began", run->wall);
	put_time(report, "ended",
		 run->wall + (time_t)((run->times.ended_us - run->times.began_us) / 1000000));
	json_object_set_new(report, "limits", make_limits(run));
	json_object_set_new(report, "preconditions", make_preconditions(run));
	json_object_set_new(report, "fault", make_fault(run));
	json_object_set_new(report, "clocks", make_clocks(run));
	json_object_set_new(report, "events", make_events(run));
	json_object_set_new(report, "roles_before", string_or_null(run->roles_before));
	json_object_set_new(report, "roles_after", string_or_null(run->roles_after));
	json_object_set_new(report, "settled", json_boolean(run->settled));
	json_object_set_new(report, "unsettled", string_or_null(run->unsettled));
	json_object_set_new(report, "aborted", string_or_null(run->aborted));
	json_object_set_new(report, "directions", make_directions(run));
	json_object_set_new(report, "not_covered", make_not_covered(run));
	json_object_set_new(report, "hand_back", make_hand_back(run));
	json_object_set_new(report, "counters", drill_counters_make(run));
	drill_report_phases(report);
	drill_report_judge(report);
	drill_counters_judge(report);
	put_history(run, dir, report);
	return report;
}

/* ---- the signature ---- */

/* All of it but the signature, in the one form that there is. To free. */
static char *signed_text(const json_t *report)
{
	json_t *copy = json_deep_copy(report);
	char *text;

	(void)json_object_del(copy, "signature"); /* it may not be there yet */
	text = json_dumps(copy, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(copy);
	return text;
}

static int sign(json_t *report, const struct key *private_key)
{
	uint8_t signature[DRILL_SIGNATURE_LEN];
	char base64[BASE64_LEN], text_key[KEY_STRLEN];
	char *text = signed_text(report);
	struct key public_key;
	int rc = -ENOMEM;

	if (text)
		rc = drill_sign(private_key, text, strlen(text), signature);
	free(text);
	if (!rc)
		rc = drill_sign_public(private_key, &public_key);
	if (rc)
		return rc;
	EVP_EncodeBlock((unsigned char *)base64, signature, sizeof(signature));
	json_object_set_new(report, "signature",
			    json_pack("{s:s, s:s, s:s}", "algorithm", "ed25519", "key",
				      key_format(&public_key, text_key), "value", base64));
	return 0;
}

bool drill_record_verify(const json_t *report, const char *key)
{
	const json_t *signature = json_object_get(report, "signature");
	const char *value = json_string_value(json_object_get(signature, "value"));
	const char *named = json_string_value(json_object_get(signature, "key"));
	unsigned char bytes[BASE64_LEN];
	struct key public_key;
	char *text;
	bool good;

	if (!value || !named || strcmp(named, key) || key_parse(key, &public_key) ||
	    strlen(value) != (DRILL_SIGNATURE_LEN + 2) / 3 * 4 ||
	    EVP_DecodeBlock(bytes, (const unsigned char *)value, (int)strlen(value)) <
		    DRILL_SIGNATURE_LEN)
		return false;
	text = signed_text(report);
	good = text && drill_sign_verify(&public_key, text, strlen(text), bytes);
	free(text);
	return good;
}

int drill_record_make(struct drill_run *run, const char *dir, json_t **ret_report)
{
	char id[DRILL_ID_LEN];
	json_t *report;
	int rc;

	drill_store_id(run->wall, drill_scenarios[run->wish.scenario].name, run->facts.here.name,
		       id);
	report = make_report(run, id, dir);
	if (!report)
		return -ENOMEM;
	rc = sign(report, &run->config->private_key);
	if (!rc)
		rc = drill_store_put(dir, id, report, time(NULL));
	if (rc)
		json_decref(report);
	else
		*ret_report = report;
	return rc;
}
