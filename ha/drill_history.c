/* SPDX-License-Identifier: GPL-2.0-only */
#include "drill_history.h"

#include <stdlib.h>
#include <string.h>

static const char *const directions[] = { "out", "in" };
static const char *const measures[] = { "outage_loss_ms", "outage_timestamp_ms", "switching_ms",
					"send_gap_max_ms" };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The value at a share of a hundred: the least that so many of them do not exceed. */
static double at_percent(const double *sorted, size_t n, size_t percent)
{
	return sorted[(n * percent + 99) / 100 - 1];
}

static json_t *distribution(double *values, size_t n)
{
	if (!n)
		return json_null();
	qsort(values, n, sizeof(*values), compare);
	return json_pack("{s:I, s:f, s:f, s:f}", "n", (json_int_t)n, "p50",
			 at_percent(values, n, 50), "p99", at_percent(values, n, 99), "max",
			 values[n - 1]);
}

/* Of one number of each report: of the report itself, or of a direction of it. */
static json_t *collect(const json_t *reports, const char *direction, const char *name)
{
	double *values = calloc(json_array_size(reports) + 1, sizeof(*values));
	json_t *report, *ret;
	size_t i, n = 0;

	if (!values)
		return json_null();
	json_array_foreach(reports, i, report)
	{
		const json_t *of = report, *value;

		if (direction)
			of = json_object_get(json_object_get(report, "directions"), direction);
		value = json_object_get(of, name);
		if (json_is_number(value))
			values[n++] = json_number_value(value);
	}
	ret = distribution(values, n);
	free(values);
	return ret;
}

json_t *drill_history_make(const json_t *reports)
{
	json_t *ret = json_object(), *report;
	json_int_t passed = 0;
	size_t i;

	json_array_foreach(reports, i, report)
	{
		const char *verdict = json_string_value(json_object_get(report, "verdict"));

		passed += verdict && !strcmp(verdict, "pass");
	}
	json_object_set_new(ret, "runs", json_integer((json_int_t)json_array_size(reports)));
	json_object_set_new(ret, "passed", json_integer(passed));
	json_object_set_new(ret, "detection_ms", collect(reports, NULL, "detection_ms"));
	for (size_t d = 0; d < COUNT(directions); d++) {
		json_t *of = json_object();

		for (size_t m = 0; m < COUNT(measures); m++)
			json_object_set_new(of, measures[m],
					    collect(reports, directions[d], measures[m]));
		json_object_set_new(ret, directions[d], of);
	}
	return ret;
}
