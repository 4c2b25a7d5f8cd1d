/* SPDX-License-Identifier: GPL-2.0-only */
#include "drill_report.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_US 1000000.0

static json_t *milliseconds(double us)
{
	return json_real((double)(int64_t)(us + 0.5) / 1000.0);
}

/* ---- one direction ---- */

/* When sequence 1 was sent, or would have been, by the runner's clock. */
static uint64_t origin(const struct drill_flow *flow)
{
	const struct drill_track *track = flow->track;

	if (flow->sends)
		return flow->start_us;
	for (uint32_t i = 0; i < track->size; i++)
		if (track->marks[i].came)
			return track->sender_origin_us + track->marks[i].sent - 1 -
			       (uint64_t)flow->sender_offset_us -
			       (uint64_t)i * 1000000 / flow->rate;
	return flow->start_us;
}

static uint64_t sent_at(const struct drill_flow *flow, uint64_t origin_us, uint32_t sequence)
{
	const struct drill_mark *mark = &flow->track->marks[sequence - 1];

	if (flow->sends)
		return flow->start_us + flow->sends[sequence - 1];
	if (mark->came)
		return flow->track->sender_origin_us + mark->sent - 1 -
		       (uint64_t)flow->sender_offset_us;
	return origin_us + (uint64_t)(sequence - 1) * 1000000 / flow->rate;
}

static uint64_t came_at(const struct drill_flow *flow, uint32_t came)
{
	return flow->track->origin_us + came - 1 - (uint64_t)flow->receiver_offset_us;
}

/* Sequences sent within a time, as far as the track goes; none: first is above last. */
static void phase(const struct drill_flow *flow, uint64_t from_us, uint64_t to_us,
		  uint32_t *ret_first, uint32_t *ret_last)
{
	const uint64_t origin_us = origin(flow);
	const uint32_t n = flow->sent < flow->track->size ? flow->sent : flow->track->size;

	*ret_first = n + 1;
	*ret_last = 0;
	for (uint32_t sequence = 1; sequence <= n; sequence++) {
		const uint64_t at_us = sent_at(flow, origin_us, sequence);

		if (at_us < from_us || at_us >= to_us)
			continue;
		if (sequence < *ret_first)
			*ret_first = sequence;
		*ret_last = sequence;
	}
}

static json_t *spread_json(const struct drill_spread *spread)
{
	if (!spread->n)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o}", "min", milliseconds(spread->min), "p50",
			 milliseconds(spread->p50), "p99", milliseconds(spread->p99), "max",
			 milliseconds(spread->max));
}

static uint32_t latency(const struct drill_flow *flow, uint64_t origin_us, uint32_t sequence)
{
	const uint64_t sent_us = sent_at(flow, origin_us, sequence);
	const uint64_t came_us = came_at(flow, flow->track->marks[sequence - 1].came);

	return came_us > sent_us ? (uint32_t)(came_us - sent_us) : 0;
}

static json_t *latencies(const struct drill_flow *flow, uint64_t from_us, uint64_t to_us)
{
	const uint64_t origin_us = origin(flow);
	struct drill_spread spread = { 0 };
	uint32_t first, last, n = 0, *values;

	phase(flow, from_us, to_us, &first, &last);
	values = last >= first ? calloc(last - first + 1, sizeof(*values)) : NULL;
	for (uint32_t s = first; values && s <= last; s++)
		if (flow->track->marks[s - 1].came)
			values[n++] = latency(flow, origin_us, s);
	drill_spread(values, n, &spread);
	free(values);
	return spread_json(&spread);
}

static void put_outage(json_t *object, const struct drill_flow *flow,
		       const struct drill_times *times, const struct drill_result *result)
{
	const double interval_us = SECOND_US / flow->rate;
	const double silence_us = result->silence_us - interval_us;
	json_t *at = json_null();

	if (result->longest.count && result->longest.from_us)
		at = json_real(
			((double)came_at(flow, result->longest.from_us) - (double)times->began_us) /
			SECOND_US);
	json_object_set_new(object, "lost", json_integer(result->lost));
	json_object_set_new(object, "lost_in_a_row", json_integer(result->longest.count));
	json_object_set_new(object, "runs", json_integer(result->gaps));
	json_object_set_new(object, "outage_loss_ms",
			    milliseconds(result->longest.count * interval_us));
	json_object_set_new(object, "outage_timestamp_ms",
			    result->received ? milliseconds(silence_us > 0 ? silence_us : 0)
					     : json_null());
	json_object_set_new(object, "outage_at_s", at);
	json_object_set_new(object, "back_at_s",
			    result->longest.to_us
				    ? json_real(((double)came_at(flow, result->longest.to_us) -
						 (double)times->began_us) /
						SECOND_US)
				    : json_null());
}

/* What a part of the time-line holds. */
struct part {
	uint32_t sent, lost, latest; /* longest latency */
};

static json_t *time_line(const struct drill_flow *flow, const struct drill_times *times,
			 uint32_t parts)
{
	const uint64_t origin_us = origin(flow);
	const uint64_t span_us = times->ended_us - times->began_us;
	const uint32_t n = flow->sent < flow->track->size ? flow->sent : flow->track->size;
	struct part *v = calloc(parts, sizeof(*v));
	json_t *lost = json_array(), *late = json_array();

	for (uint32_t s = 1; v && span_us && s <= n; s++) {
		const uint64_t at_us = sent_at(flow, origin_us, s);
		uint64_t index;

		if (at_us < times->began_us || at_us >= times->ended_us)
			continue;
		index = (at_us - times->began_us) * parts / span_us;
		v[index].sent++;
		if (!flow->track->marks[s - 1].came)
			v[index].lost++;
		else if (latency(flow, origin_us, s) > v[index].latest)
			v[index].latest = latency(flow, origin_us, s);
	}
	for (uint32_t i = 0; v && i < parts; i++) {
		json_array_append_new(lost, v[i].sent ? json_integer(v[i].lost) : json_null());
		json_array_append_new(late, v[i].sent > v[i].lost ? milliseconds(v[i].latest)
								  : json_null());
	}
	free(v);
	return json_pack("{s:o, s:f, s:o, s:o}", "part_ms", milliseconds((double)span_us / parts),
			 "sent_per_part", (double)flow->rate * (double)span_us / parts / SECOND_US,
			 "lost", lost, "latency_max_ms", late);
}

/* Take what came too late out. Returns how many. */
static uint32_t forget_late(const struct drill_flow *flow, struct drill_mark *marks)
{
	const uint64_t origin_us = origin(flow);
	uint32_t late = 0;

	for (uint32_t s = 1; s <= flow->track->size && s <= flow->sent; s++) {
		if (!marks[s - 1].came || latency(flow, origin_us, s) <= DRILL_LATE_US)
			continue;
		marks[s - 1].came = 0;
		late++;
	}
	return late;
}

static json_t *flow_json(const struct drill_flow *flow, const struct drill_times *times,
			 uint32_t parts, uint32_t late)
{
	const uint64_t fault_us = times->fault_us ? times->fault_us : times->ended_us;
	const uint64_t until_us = times->handed_us ? times->handed_us : times->ended_us;
	const uint64_t restored_us = times->restored_us ? times->restored_us : until_us;
	json_t *ret = json_object(), *after = json_object(), *back = json_object();
	struct drill_result result;
	uint32_t first, last;

	phase(flow, times->began_us, times->ended_us, &first, &last);
	drill_stats(flow->track, first, last, &result);
	json_object_set_new(ret, "sent", json_integer(result.sent));
	json_object_set_new(ret, "received", json_integer(result.received));
	json_object_set_new(ret, "late", json_integer(late));
	json_object_set_new(ret, "duplicated", json_integer(flow->track->duplicated));
	json_object_set_new(ret, "reordered", json_integer(flow->track->reordered));
	json_object_set_new(ret, "send_gap_max_ms", milliseconds(flow->send_gap_us));
	phase(flow, times->began_us, fault_us, &first, &last);
	drill_stats(flow->track, first, last, &result);
	json_object_set_new(ret, "lost_before", json_integer(result.lost));
	if (times->fault_us) {
		phase(flow, fault_us, until_us, &first, &last);
		drill_stats(flow->track, first, last, &result);
		put_outage(ret, flow, times, &result);
	}
	if (times->fault_us && times->restored_us) {
		phase(flow, restored_us, until_us, &first, &last);
		drill_stats(flow->track, first, last, &result);
		put_outage(after, flow, times, &result);
		json_object_set(ret, "reversion", after);
	}
	json_decref(after);
	if (times->handed_us) {
		phase(flow, times->handed_us, times->ended_us, &first, &last);
		drill_stats(flow->track, first, last, &result);
		put_outage(back, flow, times, &result);
		json_object_set(ret, "hand_back", back);
	}
	json_decref(back);
	json_object_set_new(ret, "latency_ms",
			    json_pack("{s:o, s:o, s:o}", "before",
				      latencies(flow, times->began_us, fault_us), "during",
				      latencies(flow, fault_us, restored_us), "after",
				      latencies(flow, restored_us, until_us)));
	json_object_set_new(ret, "timeline", time_line(flow, times, parts));
	return ret;
}

json_t *drill_report_flow(const struct drill_flow *flow, const struct drill_times *times,
			  uint32_t parts)
{
	struct drill_track track = *flow->track;
	struct drill_flow in_time = *flow;
	json_t *ret;
	uint32_t late;

	track.marks = calloc(track.size ? track.size : 1, sizeof(*track.marks));
	if (!track.marks)
		return NULL;
	memcpy(track.marks, flow->track->marks, track.size * sizeof(*track.marks));
	late = forget_late(flow, track.marks);
	in_time.track = &track;
	ret = flow_json(&in_time, times, parts, late);
	free(track.marks);
	return ret;
}

/* ---- the verdict ---- */

static double number(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

static const char *string(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static void find(json_t *findings, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void find(json_t *findings, const char *fmt, ...)
{
	char text[400];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args); /* cut is good enough */
	va_end(args);
	json_array_append_new(findings, json_string(text));
}

/* True if the direction is within the limits. */
static bool judge_direction(const char *name, const json_t *direction, const json_t *limits,
			    json_t *findings)
{
	const double limit = number(limits, "outage_ms");
	const double by_loss = number(direction, "outage_loss_ms");
	const double by_time = number(direction, "outage_timestamp_ms");
	const double gap = number(direction, "send_gap_max_ms");
	const json_t *lost_max = json_object_get(limits, "lost");
	bool good = true;

	if (!json_object_get(direction, "outage_loss_ms")) {
		find(findings, "%s: not measured", name);
		return false;
	}
	if (by_loss > limit) {
		find(findings, "%s: %.0f packets in a row were lost, %.1f ms; the limit is %.0f ms",
		     name, number(direction, "lost_in_a_row"), by_loss, limit);
		good = false;
	} else if (by_time > limit + gap && number(direction, "lost") > 0) {
		find(findings, "%s: nothing came for %.1f ms; the limit is %.0f ms", name, by_time,
		     limit);
		good = false;
	}
	if (json_is_number(lost_max) && number(direction, "lost") > json_number_value(lost_max)) {
		find(findings, "%s: %.0f packets were lost; the limit is %.0f", name,
		     number(direction, "lost"), json_number_value(lost_max));
		good = false;
	}
	if (number(json_object_get(direction, "hand_back"), "outage_loss_ms") > limit) {
		find(findings,
		     "%s: handing the role back lost %.0f packets in a row; the limit is %.0f ms",
		     name, number(json_object_get(direction, "hand_back"), "lost_in_a_row"), limit);
		good = false;
	}
	if (number(direction, "lost_before") > 0)
		find(findings, "%s: %.0f packets were lost before the fault already", name,
		     number(direction, "lost_before"));
	if (limit > 0 && gap > limit)
		find(findings,
		     "%s: the sender itself paused for %.1f ms, longer than the limit; the machine is "
		     "too busy to tell",
		     name, gap);
	return good;
}

void drill_report_judge(json_t *report)
{
	const json_t *directions = json_object_get(report, "directions");
	const json_t *limits = json_object_get(report, "limits");
	const json_t *hand_back = json_object_get(report, "hand_back");
	const char *aborted = json_string_value(json_object_get(report, "aborted"));
	json_t *findings = json_array();
	bool good;

	good = judge_direction("out", json_object_get(directions, "out"), limits, findings);
	good = judge_direction("in", json_object_get(directions, "in"), limits, findings) && good;
	if (json_is_false(json_object_get(report, "settled"))) {
		find(findings, "the pair was not well again in time: %s",
		     json_string_value(json_object_get(report, "unsettled")));
		good = false;
	}
	if (json_is_false(json_object_get(hand_back, "done"))) {
		find(findings, "the role was not handed back: %s",
		     json_string_value(json_object_get(hand_back, "why")));
		good = false;
	}
	if (aborted)
		find(findings, "aborted: %s", aborted);
	json_object_set_new(report, "verdict",
			    json_string(aborted ? "aborted"
					: good	? "pass"
						: "fail"));
	json_object_set_new(report, "findings", findings);
}

/*
 * When somebody noticed: the role change, if it moved, else the first change of the pair's own; -1:
 * nobody did. What follows handing back is none of it.
 */
static double first_change(const json_t *report, double from, bool *ret_role)
{
	const json_t *handed = json_object_get(json_object_get(report, "hand_back"), "at_s");
	double first = -1, taken = -1;
	json_t *event;
	size_t i;

	json_array_foreach(json_object_get(report, "events"), i, event)
	{
		const char *what = string(event, "what");
		const double at = number(event, "at_s");

		if (!json_is_true(json_object_get(event, "change")) || at < from ||
		    (json_is_number(handed) && at >= json_number_value(handed)))
			continue;
		if (first < 0 || at < first)
			first = at;
		if (!strcmp(what, DRILL_TAKES_VIP) && (taken < 0 || at < taken))
			taken = at;
	}
	*ret_role = taken >= 0;
	return taken < 0 ? first : taken;
}

void drill_report_phases(json_t *report)
{
	const json_t *fault = json_object_get(report, "fault");
	const double at = number(fault, "at_s");
	const char *const names[] = { "out", "in" };
	bool before_back = false;
	double detected;
	size_t i;

	if (!json_is_number(json_object_get(fault, "at_s")))
		return;
	detected = first_change(report, at, &before_back);
	if (detected < 0)
		return;
	/* The kernel leaves a path by itself; what the daemon says of it later is no detection. */
	for (i = 0; i < 2; i++) {
		const json_t *direction =
			json_object_get(json_object_get(report, "directions"), names[i]);
		const json_t *back = json_object_get(direction, "back_at_s");

		if (number(direction, "lost_in_a_row") > 0 &&
		    (!json_is_number(back) || json_number_value(back) >= detected))
			before_back = true;
	}
	json_object_set_new(report, before_back ? "detection_ms" : "logged_ms",
			    milliseconds((detected - at) * SECOND_US));
	if (!before_back)
		return;
	for (i = 0; i < 2; i++) {
		json_t *direction =
			json_object_get(json_object_get(report, "directions"), names[i]);
		const json_t *back = json_object_get(direction, "back_at_s");

		if (json_is_number(back) && json_number_value(back) >= detected)
			json_object_set_new(
				direction, "switching_ms",
				milliseconds((json_number_value(back) - detected) * SECOND_US));
	}
}

/* ---- for a terminal ---- */

static void print_ms(const json_t *object, const char *name, const char *label, FILE *out)
{
	const json_t *value = json_object_get(object, name);

	if (json_is_number(value))
		fprintf(out, "  %s %.1f ms", label, json_number_value(value));
	else
		fprintf(out, "  %s not measured", label);
}

static void print_direction(const json_t *report, const char *name, FILE *out)
{
	const json_t *d = json_object_get(json_object_get(report, "directions"), name);

	if (!d)
		return;
	fprintf(out,
		"  %-4s sent %.0f, lost %.0f (late %.0f), duplicated %.0f, reordered %.0f\n      ",
		name, number(d, "sent"), number(d, "lost"), number(d, "late"),
		number(d, "duplicated"), number(d, "reordered"));
	print_ms(d, "outage_loss_ms", "outage by loss", out);
	print_ms(d, "outage_timestamp_ms", "by time stamps", out);
	print_ms(d, "send_gap_max_ms", "own send gap", out);
	fputc('\n', out);
}

/* "203.3 / 210.0 / 214.1 ms (n 12)" */
static void print_spread(const json_t *spread, const char *label, FILE *out)
{
	if (json_is_object(spread))
		fprintf(out, "  %s %.1f / %.1f / %.1f ms (n %.0f)\n", label, number(spread, "p50"),
			number(spread, "p99"), number(spread, "max"), number(spread, "n"));
	else
		fprintf(out, "  %s not measured\n", label);
}

void drill_report_spread_text(const json_t *history, FILE *out)
{
	const char *const names[] = { "out", "in" };

	if (number(history, "runs") < 1)
		return;
	fprintf(out, "%.0f runs, %.0f passed; median / 99 %% / longest:\n", number(history, "runs"),
		number(history, "passed"));
	print_spread(json_object_get(history, "detection_ms"), "detection           ", out);
	for (size_t i = 0; i < 2; i++) {
		const json_t *of = json_object_get(history, names[i]);

		fprintf(out, " %s\n", names[i]);
		print_spread(json_object_get(of, "outage_loss_ms"), "outage by loss      ", out);
		print_spread(json_object_get(of, "outage_timestamp_ms"), "outage by timestamps",
			     out);
		print_spread(json_object_get(of, "switching_ms"), "of it switching     ", out);
		print_spread(json_object_get(of, "send_gap_max_ms"), "own send gap        ", out);
	}
}

static void print_hand_back(const json_t *report, FILE *out)
{
	const json_t *hand_back = json_object_get(report, "hand_back");
	const json_t *directions = json_object_get(report, "directions");

	if (json_is_true(json_object_get(hand_back, "done")))
		fprintf(out, "  role handed back; lost by that: out %.0f, in %.0f\n",
			number(json_object_get(json_object_get(directions, "out"), "hand_back"),
			       "lost"),
			number(json_object_get(json_object_get(directions, "in"), "hand_back"),
			       "lost"));
	else if (json_is_object(hand_back))
		fprintf(out, "  role not handed back: %s\n", string(hand_back, "why"));
}

static void print_counters(const json_t *report, FILE *out)
{
	const json_t *of = json_object_get(json_object_get(report, "counters"), "reconciled");

	if (json_is_object(of))
		fprintf(out,
			"  counters %s: %.0f probes came there, the pair put %.0f packets into tunnels "
			"and began %.0f itself\n",
			json_is_true(json_object_get(of, "agrees")) ? "agree" : "DO NOT AGREE",
			number(of, "received"), number(of, "to_mesh"), number(of, "begun_here"));
	else
		fputs("  counters not measured of both gateways\n", out);
}

void drill_report_text(const json_t *report, FILE *out)
{
	const json_t *events = json_object_get(report, "events");
	const json_t *fault = json_object_get(report, "fault");
	json_t *entry;
	size_t i;

	fprintf(out, "%s: %s\n  %s on %s: %s\n", string(report, "id"), string(report, "verdict"),
		string(report, "scenario"), string(report, "partner"), string(fault, "what"));
	print_direction(report, "out", out);
	print_direction(report, "in", out);
	if (json_object_get(report, "logged_ms"))
		print_ms(report, "logged_ms", "switched by the data plane, logged after", out);
	else
		print_ms(report, "detection_ms", "detected after", out);
	fprintf(out, "\n  limit %.0f ms\n", number(json_object_get(report, "limits"), "outage_ms"));
	print_hand_back(report, out);
	print_counters(report, out);
	json_array_foreach(events, i, entry)
		fprintf(out, "  %8.3f s  %-12s %s\n", number(entry, "at_s"), string(entry, "node"),
			string(entry, "what"));
	json_array_foreach(json_object_get(report, "findings"), i, entry)
		fprintf(out, "  ! %s\n", json_string_value(entry));
	drill_report_spread_text(json_object_get(report, "repetitions"), out);
}
