/* SPDX-License-Identifier: GPL-2.0-only */
#include "drill_counters.h"

#include <string.h>

static json_t *difference(const json_t *before, json_t *after)
{
	json_t *counters = json_object(), *value;
	const char *name;

	json_object_foreach(after, name, value)
	{
		const json_t *was = json_object_get(before, name);
		const json_int_t packets = json_integer_value(value) - json_integer_value(was);

		/* What stayed as it was says nothing; what is less began anew with its table. */
		if (!packets && strcmp(name, "to_mesh") && strcmp(name, "from_mesh"))
			continue;
		json_object_set_new(
			counters, name,
			json_pack("{s:I, s:I, s:o}", "before", json_integer_value(was), "after",
				  json_integer_value(value), "packets",
				  packets < 0 || !was ? json_null() : json_integer(packets)));
	}
	return counters;
}

static json_t *member(const json_t *state, const char *name)
{
	json_t *value = json_object_get(state, name);

	return value ? json_incref(value) : json_null();
}

static json_t *make_node(const struct drill_run *run, int part)
{
	const json_t *before = run->before[part], *after = run->after[part];
	const json_t *was = json_object_get(before, "counters");
	json_t *is = json_object_get(after, "counters");

	return json_pack(
		"{s:s, s:o, s:o, s:o, s:o, s:o}", "node", run->runner.peers[part].gateway->name,
		"counters", was && is ? difference(was, is) : json_null(), "role_before",
		member(before, "role"), "role_after", member(after, "role"), "follows_before",
		member(before, "follows"), "follows_after", member(after, "follows"));
}

json_t *drill_counters_make(const struct drill_run *run)
{
	json_t *nodes = json_array();

	for (int part = 0; part < DRILL_PART_MAX; part++)
		if (run->runner.peers[part].gateway)
			json_array_append_new(nodes, make_node(run, part));
	return json_pack("{s:o, s:I}", "nodes", nodes, "probes_begun_here",
			 (json_int_t)run->runner.stream.begun_here);
}

/* What the pair has put into tunnels; false: not known of both. The far end is the last. */
static bool forwarded(const json_t *nodes, json_int_t *ret_packets)
{
	json_int_t sum = 0;

	for (size_t i = 0; i < DRILL_FAR; i++) {
		const json_t *counters = json_object_get(json_array_get(nodes, i), "counters");
		const json_t *packets =
			json_object_get(json_object_get(counters, "to_mesh"), "packets");

		if (!json_is_integer(packets))
			return false;
		sum += json_integer_value(packets);
	}
	*ret_packets = sum;
	return true;
}

void drill_counters_judge(json_t *report)
{
	json_t *counters = json_object_get(report, "counters");
	const json_t *out = json_object_get(json_object_get(report, "directions"), "out");
	const json_t *received = json_object_get(out, "received");
	json_int_t sum, begun, came;

	if (!json_is_integer(received) || !forwarded(json_object_get(counters, "nodes"), &sum)) {
		json_object_set_new(counters, "reconciled", json_null());
		return;
	}
	begun = json_integer_value(json_object_get(counters, "probes_begun_here"));
	came = json_integer_value(received);
	json_object_set_new(counters, "reconciled",
			    json_pack("{s:b, s:I, s:I, s:I}", "agrees", sum + begun >= came,
				      "to_mesh", sum, "begun_here", begun, "received", came));
	if (sum + begun < came)
		json_array_append_new(
			json_object_get(report, "findings"),
			json_sprintf(
				"counters do not agree: %lld probes came to the other site, of which "
				"this gateway began %lld itself, and the pair forwarded %lld packets",
				(long long)came, (long long)begun, (long long)sum));
}
