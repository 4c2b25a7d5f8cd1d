/* SPDX-License-Identifier: GPL-2.0-only */
#include "web_metrics_usage.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define G METRIC_G

#define WAY(NAME, HELP, PATH, SCALE, DIRECTION)                                                 \
	{                                                                                       \
		.name = NAME, .help = HELP, .path = PATH, .scale = SCALE, .label = "direction", \
		.text = DIRECTION                                                               \
	}
#define BOTH(NAME, HELP, STEM, UNIT, SCALE)              \
	WAY(NAME, HELP, STEM "out_" UNIT, SCALE, "out"), \
		WAY(NAME, HELP, STEM "in_" UNIT, SCALE, "in")

/* By site; of the month so far, as `netpas usage` has it. */
static const struct metric_row site_rows[] = {
	BOTH("netpas_usage_month_bytes", "Customers' bytes this month (UTC).", "", "bytes", 1),
	BOTH("netpas_usage_month_packets", "Customers' packets this month (UTC).", "", "packets",
	     1),
	BOTH("netpas_usage_month_p95_bytes_per_second",
	     "95th percentile of five-minute rates this month; the larger direction is billed.",
	     "p95_", "bps", BITS),
	BOTH("netpas_usage_month_mean_bytes_per_second", "Mean rate of this month's samples.",
	     "mean_", "bps", BITS),
	BOTH("netpas_usage_month_peak_bytes_per_second", "Highest rate of five minutes this month.",
	     "peak_", "bps", BITS),
	G("netpas_usage_month_samples", "samples", 1,
	  "Slots of five minutes that were watched whole this month."),
	G("netpas_usage_month_missing_samples", "missing", 1,
	  "Slots of this month that are over and were not watched whole."),
};

static const struct metric_row record_rows[] = {
	G("netpas_usage_recording", "running", 1, "1 if netpas-usage runs."),
	G("netpas_usage_metered", "metered", 1, "1 if there are counters to record."),
	G("netpas_usage_recorded_timestamp_seconds", "recorded_ms", MS,
	  "When the counters were last recorded on disk."),
	G("netpas_usage_record_duration_seconds", "commit_us", 1e-6, "Time that it took."),
	G("netpas_usage_pairs", "pairs", 1, "Pairs of subnets and class that are counted."),
	G("netpas_usage_other_pairs", "other", 1,
	  "Of those, pairs of sites and class whose subnets the data plane does not count apart."),
};

static const struct metric_row view_rows[] = {
	G("netpas_usage_series_pairs", "pairs_apart", 1,
	  "Pairs of subnets and class that have series of their own here."),
};

static const struct metric_key site_keys[] = { { "site", "site" }, { NULL, NULL } };
static const struct metric_key pair_keys[] = {
	{ "site", "site" },   { "local", "local" }, { "remote", "remote" },
	{ "class", "class" }, { NULL, NULL },
};

static void print_pairs(struct metric_writer *p, json_t *pairs, const char *name, const char *out,
			const char *in, const char *help)
{
	json_t *pair;
	size_t i;

	if (!json_array_size(pairs))
		return;
	metric_family(p, name, METRIC_COUNTER, help);
	json_array_foreach(pairs, i, pair) for (int way = 0; way < 2; way++)
	{
		double number;

		if (!view_number(pair, way ? in : out, &number))
			continue;
		metric_begin(p);
		metric_keys(p, pair_keys, pair);
		metric_label(p, "direction", way ? "in" : "out");
		metric_value(p, number);
	}
}

void web_metrics_usage(struct metric_writer *p, json_t *view)
{
	json_t *usage = json_object_get(view, "usage"), *pairs = json_object_get(usage, "pairs");

	metric_object(p, record_rows, COUNT(record_rows),
		      json_object_get(json_object_get(view, "status"), "usage"), NULL);
	metric_object(p, view_rows, COUNT(view_rows), usage, NULL);
	metric_rows(p, site_rows, COUNT(site_rows), json_object_get(usage, "sites"), site_keys);
	print_pairs(p, pairs, "netpas_usage_bytes", "out_bytes", "in_bytes",
		    "Customers' bytes as recorded, by pair of subnets and class.");
	print_pairs(p, pairs, "netpas_usage_packets", "out_packets", "in_packets",
		    "Customers' packets as recorded, by pair of subnets and class.");
}
