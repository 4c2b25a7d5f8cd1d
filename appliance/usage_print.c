/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "usage_rate.h"
#include "usage_report.h"
#include "wrap.h"

#define NAME_COLUMNS 30
#define COLUMNS 80
#define SAMPLES_COLUMNS 9

static const char *site_name(const struct usage_report *report, uint16_t site, char buf[static 32])
{
	if (!site)
		return "?";
	if (*report->site_names[site])
		return report->site_names[site];
	snprintf(buf, 32, "site %u", site);
	return buf;
}

static const char *class_name(int class)
{
	return class >= 0 && class < CONFIG_CLASS_MAX ? config_class_names[class] : "?";
}

static enum usage_span span_of(const struct usage_query *query)
{
	return query->by & USAGE_BY_HOUR  ? USAGE_HOUR
	       : query->by & USAGE_BY_DAY ? USAGE_DAY
					  : USAGE_MONTH;
}

static bool has_span(const struct usage_query *query)
{
	return query->by & (USAGE_BY_HOUR | USAGE_BY_DAY | USAGE_BY_MONTH);
}

static void name_row(const struct usage_report *report, const struct usage_row *row, char *buf,
		     size_t size)
{
	const struct usage_query *query = &report->query;
	char at[USAGE_TIME_LEN], local[32], remote[32];
	size_t len = 0;

	buf[0] = '\0';
	if (has_span(query))
		len += (size_t)snprintf(buf + len, size - len, "%s ",
					usage_time_format(span_of(query), row->begin, at));
	if (query->by & USAGE_BY_SUBNET && len < size)
		len += (size_t)snprintf(buf + len, size - len, "%s - %s%s", row->local, row->remote,
					query->by & USAGE_BY_CLASS ? " " : "");
	else if (query->by & USAGE_BY_SITE && len < size)
		len += (size_t)snprintf(buf + len, size - len, "%s - %s%s",
					site_name(report, row->local_site, local),
					site_name(report, row->remote_site, remote),
					query->by & USAGE_BY_CLASS ? " " : "");
	if (query->by & USAGE_BY_CLASS && len < size)
		len += (size_t)snprintf(buf + len, size - len, "%s", class_name(row->class));
	if (!*buf)
		snprintf(buf, size, "all");
}

/* ---- table ---- */

/* Long names have lines of their own: two, if even that is too wide. */
static void print_name(const char *name, FILE *out)
{
	const char *middle = strstr(name, " - ");

	if (strlen(name) <= NAME_COLUMNS)
		fprintf(out, "%-*s", NAME_COLUMNS, name);
	else if (strlen(name) <= COLUMNS || !middle)
		fprintf(out, "%s\n%-*s", name, NAME_COLUMNS, "");
	else
		fprintf(out, "%.*s -\n  %s\n%-*s", (int)(middle - name), name, middle + 3,
			NAME_COLUMNS, "");
}

static void print_rates(const struct usage_report *report, const struct usage_row *row, FILE *out)
{
	const uint64_t mean =
		row->mean_out_bps > row->mean_in_bps ? row->mean_out_bps : row->mean_in_bps;
	const uint64_t peak =
		row->peak_out_bps > row->peak_in_bps ? row->peak_out_bps : row->peak_in_bps;
	char text[USAGE_RATE_LEN], samples[48];

	if (row->no_rates) {
		fprintf(out, " %7s %7s %7s %9s\n", "-", "-", "-", "totals");
		return;
	}
	snprintf(samples, sizeof(samples), row->missing ? "%" PRIu64 "/%" PRIu64 : "%" PRIu64,
		 row->samples, row->samples + row->missing);
	fprintf(out, " %7s",
		usage_number_format(report->query.commit_bps ? row->over_bps : mean, text));
	fprintf(out, " %7s", row->samples ? usage_number_format(peak, text) : "-");
	fprintf(out, " %7s", row->samples ? usage_number_format(row->p95_bps, text) : "-");
	if (strlen(samples) <= SAMPLES_COLUMNS) {
		fprintf(out, " %9s\n", samples);
		return;
	}
	fprintf(out, " %9" PRIu64 "\n", row->samples); /* of a year */
	fprintf(out, "%*s\n", COLUMNS, samples);
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static void print_far(const struct usage_row *row, FILE *out)
{
	const struct usage_counts *near = &row->sum, *far = &row->far;
	char text[USAGE_RATE_LEN];

	if (!row->has_far) {
		fprintf(out, "  %-28s no record of the far end\n", "");
		return;
	}
	fprintf(out, "  %-28s %7s", "far end", usage_number_format(far->out_bytes, text));
	fprintf(out, " %7s\n", usage_number_format(far->in_bytes, text));
	fprintf(out, "  %-28s %7" PRIu64 " %7" PRIu64 " bytes\n", "unbilled (differs)",
		distance(near->out_bytes, far->out_bytes), distance(near->in_bytes, far->in_bytes));
}

static void print_notes(const struct usage_report *report, FILE *out)
{
	const struct {
		uint64_t n;
		const char *text;
	} notes[] = {
		{ report->n_cut, "reboot or power cut; up to a second is not recorded" },
		{ report->n_carried, "holds traffic of before; in totals, no sample" },
		{ report->n_clock, "the clock was set; in totals, no sample" },
		{ report->n_unmetered, "not metered for a time (dataplane: off, or no BPF)" },
		{ report->n_new_record, "a new record began; what was before is elsewhere" },
	};

	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
		if (notes[i].n)
			fprintf(out, "note: %" PRIu64 " slot%s: %s\n", notes[i].n,
				notes[i].n == 1 ? "" : "s", notes[i].text);
	if (report->pause_ms > 2000)
		fprintf(out, "note: longest time between two readings of a slot: %.1f s\n",
			(double)report->pause_ms / 1000);
}

static bool any_far(const struct usage_report *report)
{
	for (size_t i = 0; i < report->n_nodes; i++)
		if (report->nodes[i].far)
			return true;
	return false;
}

static void print_table(const struct usage_report *report, FILE *out)
{
	char begin[USAGE_TIME_LEN], end[USAGE_TIME_LEN], name[2 * IP_PREFIX_STRLEN + 64];
	const bool far = any_far(report);

	fprintf(out, "%s to %s\n", usage_time_format(USAGE_SLOT, report->query.begin, begin),
		usage_time_format(USAGE_SLOT, report->query.end, end));
	for (size_t i = 0; i < report->n_nodes; i++)
		fprintf(out, "%s of %s%s\n", i ? "      " : "record", report->nodes[i].name,
			report->nodes[i].far ? " (far end)" : "");
	fputs("bytes of IP packets on the LAN; bit/s over 5 minutes, larger of out and in\n\n",
	      out);
	fprintf(out, "%-*s %7s %7s %7s %7s %7s %9s\n", NAME_COLUMNS, "", "OUT", "IN",
		report->query.commit_bps ? "OVER" : "MEAN", "PEAK", "P95", "SAMPLES");
	for (size_t i = 0; i < report->n_rows; i++) {
		const struct usage_row *row = &report->rows[i];
		char text[USAGE_RATE_LEN];

		name_row(report, row, name, sizeof(name));
		print_name(name, out);
		fprintf(out, " %7s", usage_number_format(row->sum.out_bytes, text));
		fprintf(out, " %7s", usage_number_format(row->sum.in_bytes, text));
		print_rates(report, row, out);
		if (far)
			print_far(row, out);
	}
	if (!report->n_rows)
		fputs("nothing was carried\n", out);
	if (report->query.commit_bps) {
		char text[USAGE_RATE_LEN];

		fprintf(out, "\ncommit %sbit/s; OVER is what P95 is above it\n",
			usage_number_format(report->query.commit_bps, text));
	}
	print_notes(report, out);
}

/* ---- for machines ---- */

static json_t *counts_json(const struct usage_counts *counts)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "out_packets", (json_int_t)counts->out_packets,
			 "out_bytes", (json_int_t)counts->out_bytes, "in_packets",
			 (json_int_t)counts->in_packets, "in_bytes", (json_int_t)counts->in_bytes);
}

static json_t *row_json(const struct usage_report *report, const struct usage_row *row)
{
	char at[USAGE_TIME_LEN], end[USAGE_TIME_LEN], name[32];
	json_t *json = counts_json(&row->sum);

	json_object_set_new(json, "begin",
			    json_string(usage_time_format(USAGE_SLOT, row->begin, at)));
	json_object_set_new(json, "end", json_string(usage_time_format(USAGE_SLOT, row->end, end)));
	if (report->query.by & (USAGE_BY_SITE | USAGE_BY_SUBNET)) {
		json_object_set_new(json, "local_site",
				    json_string(site_name(report, row->local_site, name)));
		json_object_set_new(json, "remote_site",
				    json_string(site_name(report, row->remote_site, name)));
	}
	if (report->query.by & USAGE_BY_SUBNET) {
		json_object_set_new(json, "local", json_string(row->local));
		json_object_set_new(json, "remote", json_string(row->remote));
	}
	if (report->query.by & USAGE_BY_CLASS)
		json_object_set_new(json, "class", json_string(class_name(row->class)));
	if (row->has_far) {
		json_object_set_new(json, "far", counts_json(&row->far));
		json_object_set_new(json, "unbilled_out_bytes",
				    json_integer((json_int_t)row->sum.out_bytes -
						 (json_int_t)row->far.out_bytes));
		json_object_set_new(json, "unbilled_in_bytes",
				    json_integer((json_int_t)row->far.in_bytes -
						 (json_int_t)row->sum.in_bytes));
	}
	json_object_set_new(json, "samples", json_integer((json_int_t)row->samples));
	json_object_set_new(json, "missing", json_integer((json_int_t)row->missing));
#define RATE(FIELD)                       \
	json_object_set_new(json, #FIELD, \
			    row->samples ? json_integer((json_int_t)row->FIELD) : json_null())
	RATE(p95_bps);
	RATE(p95_out_bps);
	RATE(p95_in_bps);
	RATE(peak_out_bps);
	RATE(peak_in_bps);
	RATE(mean_out_bps);
	RATE(mean_in_bps);
	if (report->query.commit_bps)
		RATE(over_bps);
#undef RATE
	return json;
}

static int print_json(const struct usage_report *report, FILE *out)
{
	char begin[USAGE_TIME_LEN], end[USAGE_TIME_LEN];
	json_t *rows = json_array(), *nodes = json_array(), *json;
	int rc;

	for (size_t i = 0; i < report->n_nodes; i++)
		json_array_append_new(nodes,
				      json_pack("{s:s, s:i, s:b}", "name", report->nodes[i].name,
						"id", (int)report->nodes[i].id, "far",
						(int)report->nodes[i].far));
	for (size_t i = 0; i < report->n_rows; i++)
		json_array_append_new(rows, row_json(report, &report->rows[i]));
	json = json_pack("{s:s, s:s, s:o, s:o, s:{s:I, s:I, s:I, s:I, s:I}, s:I}", "begin",
			 usage_time_format(USAGE_SLOT, report->query.begin, begin), "end",
			 usage_time_format(USAGE_SLOT, report->query.end, end), "nodes", nodes,
			 "rows", rows, "slots", "cut", (json_int_t)report->n_cut, "carried",
			 (json_int_t)report->n_carried, "clock_set", (json_int_t)report->n_clock,
			 "unmetered", (json_int_t)report->n_unmetered, "new_record",
			 (json_int_t)report->n_new_record, "longest_pause_ms",
			 (json_int_t)report->pause_ms);
	if (json && report->query.commit_bps)
		json_object_set_new(json, "commit_bps",
				    json_integer((json_int_t)report->query.commit_bps));
	rc = json && !json_dumpf(json, out, JSON_INDENT(2)) ? 0 : -ENOMEM;
	fputc('\n', out);
	json_decref(json);
	return rc;
}

static void print_rate_csv(const struct usage_row *row, uint64_t value, FILE *out)
{
	if (row->samples)
		fprintf(out, ",%" PRIu64, value);
	else
		fputc(',', out);
}

/* What is not known is empty, not 0. No field has a comma or a quote in it. */
static void print_csv(const struct usage_report *report, FILE *out)
{
	char begin[USAGE_TIME_LEN], end[USAGE_TIME_LEN], local[32], remote[32];

	fputs("begin,end,local_site,remote_site,local,remote,class,out_packets,out_bytes,"
	      "in_packets,in_bytes,far_out_bytes,far_in_bytes,samples,missing,p95_bps,p95_out_bps,"
	      "p95_in_bps,peak_out_bps,peak_in_bps,mean_out_bps,mean_in_bps,over_bps\n",
	      out);
	for (size_t i = 0; i < report->n_rows; i++) {
		const struct usage_row *row = &report->rows[i];
		const uint64_t rates[] = { row->p95_bps,      row->p95_out_bps, row->p95_in_bps,
					   row->peak_out_bps, row->peak_in_bps, row->mean_out_bps,
					   row->mean_in_bps };

		fprintf(out, "%s,%s,%s,%s,%s,%s,%s",
			usage_time_format(USAGE_SLOT, row->begin, begin),
			usage_time_format(USAGE_SLOT, row->end, end),
			row->local_site ? site_name(report, row->local_site, local) : "",
			row->remote_site ? site_name(report, row->remote_site, remote) : "",
			row->local, row->remote, row->class >= 0 ? class_name(row->class) : "");
		fprintf(out, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, row->sum.out_packets,
			row->sum.out_bytes, row->sum.in_packets, row->sum.in_bytes);
		if (row->has_far)
			fprintf(out, ",%" PRIu64 ",%" PRIu64, row->far.out_bytes,
				row->far.in_bytes);
		else
			fputs(",,", out);
		fprintf(out, ",%" PRIu64 ",%" PRIu64, row->samples, row->missing);
		for (size_t r = 0; r < sizeof(rates) / sizeof(rates[0]); r++)
			print_rate_csv(row, rates[r], out);
		if (report->query.commit_bps)
			print_rate_csv(row, row->over_bps, out);
		else
			fputc(',', out);
		fputc('\n', out);
	}
}

int usage_report_print(const struct usage_report *report, enum usage_form form, FILE *out)
{
	struct wrap wrap;

	switch (form) {
	case USAGE_FORM_TABLE:
		if (!wrap_open(&wrap))
			return -ENOMEM;
		print_table(report, wrap.stream);
		wrap_close(&wrap, out);
		return 0;
	case USAGE_FORM_JSON:
		return print_json(report, out);
	case USAGE_FORM_CSV:
		print_csv(report, out);
		return 0;
	}
	return -EINVAL;
}
