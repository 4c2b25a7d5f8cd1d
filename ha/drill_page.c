/* SPDX-License-Identifier: GPL-2.0-only */
/* The page of a report: text, two plots as SVG, tables. It asks nobody for anything. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "drill_report.h"

#define PLOT_WIDTH 900
#define PATHS_SHOWN 8 /* changes of paths; more are folded away */
#define PLOT_HEIGHT 120
#define PLOT_LEFT 60
#define PLOT_TOP 34 /* room for two lines of labels */

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width\">\n"
	"<meta name=\"color-scheme\" content=\"light dark\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
	"'unsafe-inline'\">\n<style>\n"
	":root{--bg:#fff;--fg:#1b1f24;--dim:#59636e;--line:#d1d9e0;--lost:#cf222e;--late:#0969da;"
	"--mark:#9a6700;--good:#1a7f37}\n"
	"@media(prefers-color-scheme:dark){:root{--bg:#0d1117;--fg:#e6edf3;--dim:#9198a1;"
	"--line:#3d444d;--lost:#f85149;--late:#4493f8;--mark:#d29922;--good:#3fb950}}\n"
	"body{background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif;max-width:60em;"
	"margin:2em auto;padding:0 1em}\n"
	"h1{font-size:1.4em}h2{font-size:1.15em;margin-top:2em}h3{font-size:1em}\n"
	"table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid var(--line);"
	"padding:.25em .6em;text-align:left;vertical-align:top}td.n,th.n{text-align:right;"
	"font-variant-numeric:tabular-nums}\n"
	".verdict{font-weight:600;padding:.1em .6em;border:2px solid;border-radius:.4em}\n"
	".pass{color:var(--good)}.fail,.aborted{color:var(--lost)}.dim{color:var(--dim)}\n"
	"svg{width:100%;height:auto}svg text{fill:var(--dim);font-size:11px}\n"
	".axis{stroke:var(--line)}.lost{fill:var(--lost);shape-rendering:crispEdges}.late{fill:none;stroke:var(--late);"
	"stroke-width:1.2}.mark{stroke:var(--mark);stroke-dasharray:3 3}\n"
	"code{overflow-wrap:anywhere}.sum{font-size:1.1em}summary{cursor:pointer;margin:.6em 0}\n</style>\n";

static void escape(const char *text, FILE *out)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			fputc(*text, out);
		}
	}
}

static const char *string(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static double number(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

static void row(const char *label, const char *text, FILE *out)
{
	if (!*text)
		return;
	fputs("<tr><th>", out);
	escape(label, out);
	fputs("</th><td>", out);
	escape(text, out);
	fputs("</td></tr>\n", out);
}

/* A cell with a number; with what it is not, "not measured". */
static void cell(const json_t *value, const char *format, FILE *out)
{
	if (!json_is_number(value)) {
		fputs("<td class=\"n dim\">not measured</td>", out);
		return;
	}
	fputs("<td class=\"n\">", out);
	if (json_is_integer(value))
		fprintf(out, "%lld", (long long)json_integer_value(value));
	else if (!strcmp(format, "ms"))
		fprintf(out, "%.1f ms", json_number_value(value));
	else
		fprintf(out, "%.3f s", json_number_value(value));
	fputs("</td>", out);
}

static void compare_row(const char *label, const json_t *report, const char *part, const char *name,
			const char *format, FILE *out)
{
	const json_t *directions = json_object_get(report, "directions");
	const char *const names[] = { "out", "in" };

	fprintf(out, "<tr><th>%s</th>", label);
	for (size_t i = 0; i < 2; i++) {
		const json_t *direction = json_object_get(directions, names[i]);

		if (*part)
			direction = json_object_get(direction, part);
		cell(json_object_get(direction, name), format, out);
	}
	fputs("</tr>\n", out);
}

static void latency_row(const char *label, const json_t *report, const char *when, FILE *out)
{
	const json_t *directions = json_object_get(report, "directions");
	const char *const names[] = { "out", "in" };

	fprintf(out, "<tr><th>latency %s: median / 99 %% / longest</th>", label);
	for (size_t i = 0; i < 2; i++) {
		const json_t *d = json_object_get(directions, names[i]);
		const json_t *l = json_object_get(json_object_get(d, "latency_ms"), when);

		if (json_is_object(l))
			fprintf(out, "<td class=\"n\">%.1f / %.1f / %.1f ms</td>", number(l, "p50"),
				number(l, "p99"), number(l, "max"));
		else
			fputs("<td class=\"n dim\">not measured</td>", out);
	}
	fputs("</tr>\n", out);
}

static void measures(const json_t *report, FILE *out)
{
	fputs("<h2>Measured</h2>\n<table><tr><th></th><th class=\"n\">out, to the other site</th>"
	      "<th class=\"n\">in, from the other site</th></tr>\n",
	      out);
	compare_row("sent", report, "", "sent", "", out);
	compare_row("received", report, "", "received", "", out);
	compare_row("lost since the fault (failover packet loss)", report, "", "lost", "", out);
	compare_row("of all, late: more than a second, counted as lost", report, "", "late", "",
		    out);
	compare_row("lost in a row", report, "", "lost_in_a_row", "", out);
	compare_row("failover time, loss-based method", report, "", "outage_loss_ms", "ms", out);
	compare_row("failover time, timestamp-based method", report, "", "outage_timestamp_ms",
		    "ms", out);
	compare_row("of it switching, from the role change or first notice on", report, "",
		    "switching_ms", "ms", out);
	compare_row("reversion packet loss", report, "reversion", "lost", "", out);
	compare_row("reversion time, loss-based method", report, "reversion", "outage_loss_ms",
		    "ms", out);
	if (json_is_true(json_object_get(json_object_get(report, "hand_back"), "done"))) {
		compare_row("lost by handing the role back", report, "hand_back", "lost", "", out);
		compare_row("outage by that, loss-based method", report, "hand_back",
			    "outage_loss_ms", "ms", out);
	}
	compare_row("duplicated", report, "", "duplicated", "", out);
	compare_row("reordered", report, "", "reordered", "", out);
	compare_row("lost before the fault", report, "", "lost_before", "", out);
	compare_row("sender's own longest pause", report, "", "send_gap_max_ms", "ms", out);
	latency_row("before", report, "before", out);
	latency_row("during", report, "during", out);
	latency_row("after", report, "after", out);
	fputs("</table>\n", out);
}

/* ---- plots ---- */

static double largest(const json_t *list)
{
	double most = 0;
	json_t *value;
	size_t i;

	json_array_foreach(list, i, value) if (json_number_value(value) > most) most =
		json_number_value(value);
	return most;
}

static void bars(const json_t *lost, double full, FILE *out)
{
	const double width = (double)PLOT_WIDTH / (double)json_array_size(lost);
	json_t *value;
	size_t i;

	json_array_foreach(lost, i, value)
	{
		double height = full > 0 ? json_number_value(value) / full * PLOT_HEIGHT : 0;

		if (height <= 0)
			continue;
		if (height > PLOT_HEIGHT)
			height = PLOT_HEIGHT;
		fprintf(out,
			"<rect class=\"lost\" x=\"%.1f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\"/>",
			PLOT_LEFT + (double)i * width, PLOT_TOP + PLOT_HEIGHT - height,
			width < 1 ? 1 : width, height);
	}
}

/* A line that is broken where nothing came. */
static void line(const json_t *values, double full, FILE *out)
{
	const double step = (double)PLOT_WIDTH / (double)json_array_size(values);
	bool drawing = false;
	json_t *value;
	size_t i;

	fputs("<path class=\"late\" d=\"", out);
	json_array_foreach(values, i, value)
	{
		if (!json_is_number(value)) {
			drawing = false;
			continue;
		}
		fprintf(out, "%c%.1f %.1f", drawing ? 'L' : 'M',
			PLOT_LEFT + ((double)i + .5) * step,
			PLOT_TOP + PLOT_HEIGHT -
				(full > 0 ? json_number_value(value) / full * PLOT_HEIGHT : 0));
		drawing = true;
	}
	fputs("\"/>", out);
}

static void mark(double at, double span, const char *label, int level, FILE *out)
{
	const double x = PLOT_LEFT + (span > 0 ? at / span * PLOT_WIDTH : 0);

	fprintf(out,
		"<line class=\"mark\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>"
		"<text x=\"%.1f\" y=\"%d\">%s</text>",
		x, x, PLOT_TOP - 20 + 12 * level, PLOT_TOP + PLOT_HEIGHT, x + 3,
		PLOT_TOP - 16 + 12 * level, label);
}

static void plot(const json_t *report, const char *name, const char *title, FILE *out)
{
	const json_t *direction = json_object_get(json_object_get(report, "directions"), name);
	const json_t *timeline = json_object_get(direction, "timeline");
	const json_t *lost = json_object_get(timeline, "lost");
	const json_t *late = json_object_get(timeline, "latency_max_ms");
	const json_t *fault = json_object_get(report, "fault");
	const json_t *hand_back = json_object_get(report, "hand_back");
	const double span = number(timeline, "part_ms") * (double)json_array_size(lost) / 1000;
	const double most = largest(late) > 0 ? largest(late) : 1;

	if (!json_array_size(lost))
		return;
	fprintf(out,
		"<h3>%s</h3><svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s: lost packets and "
		"latency over time\">",
		title, PLOT_LEFT + PLOT_WIDTH + 10, PLOT_TOP + PLOT_HEIGHT + 30, title);
	fprintf(out, "<line class=\"axis\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>", PLOT_LEFT,
		PLOT_LEFT + PLOT_WIDTH, PLOT_TOP + PLOT_HEIGHT, PLOT_TOP + PLOT_HEIGHT);
	bars(lost, number(timeline, "sent_per_part"), out);
	line(late, most, out);
	if (json_is_number(json_object_get(fault, "at_s")))
		mark(number(fault, "at_s"), span, "fault", 0, out);
	if (json_is_number(json_object_get(fault, "restored_s")))
		mark(number(fault, "restored_s"), span, "restored", 0, out);
	if (json_is_number(json_object_get(report, "detection_ms")))
		mark(number(fault, "at_s") + number(report, "detection_ms") / 1000, span,
		     "detected", 1, out);
	if (json_is_number(json_object_get(hand_back, "at_s")))
		mark(number(hand_back, "at_s"), span, "role handed back", 0, out);
	fprintf(out,
		"<text x=\"0\" y=\"%d\">%.1f ms</text><text x=\"0\" y=\"%d\">0</text>"
		"<text x=\"%d\" y=\"%d\">0 s</text><text x=\"%d\" y=\"%d\">%.1f s</text></svg>\n",
		PLOT_TOP + 10, most, PLOT_TOP + PLOT_HEIGHT, PLOT_LEFT, PLOT_TOP + PLOT_HEIGHT + 16,
		PLOT_LEFT + PLOT_WIDTH - 40, PLOT_TOP + PLOT_HEIGHT + 16, span);
}

/* ---- the rest ---- */

static void plots(const json_t *report, FILE *out)
{
	fputs("<h2>Time-line</h2>\n", out);
	plot(report, "out", "out, to the other site", out);
	plot(report, "in", "in, from the other site", out);
	fputs("<p class=\"dim\">Bars: share of packets lost (full height: all). Line: longest latency. "
	      "One-way latencies take the fastest round trip as the same both ways.</p>\n",
	      out);
}

static bool is_path_change(const json_t *event)
{
	const char *what = string(event, "what");

	return !strncmp(what, "path ", 5) || strstr(what, ": path ");
}

/* Returns how many. */
static size_t event_rows(const json_t *report, bool of_paths, FILE *out)
{
	json_t *event;
	size_t i, n = 0;

	json_array_foreach(json_object_get(report, "events"), i, event)
	{
		if (is_path_change(event) != of_paths)
			continue;
		n++;
		if (!out)
			continue;
		fprintf(out, "<tr><td class=\"n\">%.3f s</td><td>", number(event, "at_s"));
		escape(string(event, "node"), out);
		fputs("</td><td>", out);
		escape(string(event, "what"), out);
		fputs("</td></tr>\n", out);
	}
	return n;
}

/* A cut WAN moves dozens of paths: they are there, but not in the way. */
static void events(const json_t *report, FILE *out)
{
	static const char head_row[] =
		"<table><tr><th class=\"n\">at</th><th>node</th><th>what</th></tr>\n";
	const size_t n_paths = event_rows(report, true, NULL);

	fprintf(out, "<h2>What happened</h2>\n%s", head_row);
	(void)event_rows(report, false, out); /* how many they are says nothing */
	fputs("</table>\n", out);
	if (!n_paths)
		return;
	fprintf(out, "<details%s><summary>%zu changes of paths</summary>\n%s",
		n_paths <= PATHS_SHOWN ? " open" : "", n_paths, head_row);
	(void)event_rows(report, true, out); /* likewise */
	fputs("</table></details>\n", out);
}

static void list(const char *title, const json_t *items, FILE *out)
{
	json_t *item;
	size_t i;

	if (!json_array_size(items))
		return;
	fprintf(out, "<h2>%s</h2>\n<ul>\n", title);
	json_array_foreach(items, i, item)
	{
		fputs("<li>", out);
		escape(json_string_value(item) ? json_string_value(item) : "", out);
		fputs("</li>\n", out);
	}
	fputs("</ul>\n", out);
}

static void limits(const json_t *report, FILE *out)
{
	const json_t *set = json_object_get(report, "limits");
	char text[160];

	snprintf(text, sizeof(text), "outage %.0f ms each way; aborted after %.0f ms",
		 number(set, "outage_ms"), number(set, "abort_ms"));
	row("limits, set before", text, out);
	snprintf(text, sizeof(text),
		 "%.0f a second each way, so %.2f ms is the finest that can be seen",
		 number(report, "rate"), number(report, "resolution_ms"));
	row("probes", text, out);
}

static void spread_cell(const json_t *spread, FILE *out)
{
	if (json_is_object(spread))
		fprintf(out,
			"<td class=\"n\">%.1f / %.1f / %.1f ms <span class=\"dim\">n %.0f</span></td>",
			number(spread, "p50"), number(spread, "p99"), number(spread, "max"),
			number(spread, "n"));
	else
		fputs("<td class=\"n dim\">not measured</td>", out);
}

/* What several runs have in common; nothing for none. */
static void spreads(const char *title, const json_t *of, FILE *out)
{
	static const struct {
		const char *label, *name;
	} rows[] = {
		{ "failover time, loss-based method", "outage_loss_ms" },
		{ "failover time, timestamp-based method", "outage_timestamp_ms" },
		{ "of it switching", "switching_ms" },
		{ "sender's own longest pause", "send_gap_max_ms" },
	};

	if (number(of, "runs") < 1)
		return;
	fprintf(out,
		"<h2>%s: %.0f runs, %.0f passed</h2>\n<table><tr><th>median / 99 %% / longest</th>"
		"<th class=\"n\">out</th><th class=\"n\">in</th></tr>\n<tr><th>failure detection time</th>",
		title, number(of, "runs"), number(of, "passed"));
	spread_cell(json_object_get(of, "detection_ms"), out);
	fputs("<td class=\"n dim\">the same</td></tr>\n", out);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fprintf(out, "<tr><th>%s</th>", rows[i].label);
		spread_cell(json_object_get(json_object_get(of, "out"), rows[i].name), out);
		spread_cell(json_object_get(json_object_get(of, "in"), rows[i].name), out);
		fputs("</tr>\n", out);
	}
	fputs("</table>\n", out);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/*
 * The names of an object, sorted, as it is kept: what is read back has another order than what was made,
 * and the page is compared. To free; NULL: none.
 */
static const char **names_of(json_t *object, size_t *ret_n)
{
	const char **names = calloc(json_object_size(object) + 1, sizeof(*names)), *name;
	json_t *value;
	size_t n = 0;

	if (names)
		json_object_foreach(object, name, value) names[n++] = name;
	if (n)
		qsort(names, n, sizeof(*names), compare_names);
	*ret_n = n;
	return names;
}

static void follows_text(json_t *follows, char *buf, size_t size)
{
	size_t len = 0, n_sites;
	const char **sites = names_of(follows, &n_sites);

	buf[0] = '\0';
	for (size_t i = 0; i < n_sites; i++) {
		const char *gateway = string(follows, sites[i]);
		const int n = snprintf(buf + len, size - len, "%s%s of %s", len ? ", " : "",
				       gateway, sites[i]);

		if (n < 0 || (size_t)n >= size - len)
			break;
		len += (size_t)n;
	}
	free(sites);
}

/* Role and followed gateways of one node, before and after. */
static void node_states(const json_t *node, FILE *out)
{
	static const char *const members[][2] = { { "role_before", "follows_before" },
						  { "role_after", "follows_after" } };
	char text[300];

	fputs("<tr><th>", out);
	escape(string(node, "node"), out);
	fputs("</th>", out);
	for (size_t i = 0; i < 2; i++) {
		const char *role = string(node, members[i][0]);

		follows_text(json_object_get(node, members[i][1]), text, sizeof(text));
		fputs(*role ? "<td>" : "<td class=\"dim\">not measured", out);
		escape(role, out);
		if (*text) {
			fputs("; uses ", out);
			escape(text, out);
		}
		fputs("</td>", out);
	}
	fputs("</tr>\n", out);
}

static void node_counters(json_t *counters, const char *name, FILE *out)
{
	const char **names;
	size_t n;

	if (!json_is_object(counters)) {
		fputs("<tr><th>", out);
		escape(name, out);
		fputs("</th><td class=\"dim\" colspan=\"4\">not measured</td></tr>\n", out);
		return;
	}
	names = names_of(counters, &n);
	for (size_t i = 0; i < n; i++) {
		const json_t *value = json_object_get(counters, names[i]);

		fputs("<tr><th>", out);
		escape(name, out);
		fputs("</th><td><code>", out);
		escape(names[i], out);
		fputs("</code></td>", out);
		cell(json_object_get(value, "before"), "", out);
		cell(json_object_get(value, "after"), "", out);
		cell(json_object_get(value, "packets"), "", out);
		fputs("</tr>\n", out);
	}
	free(names);
}

static void counters(const json_t *report, FILE *out)
{
	const json_t *of = json_object_get(report, "counters");
	const json_t *sum = json_object_get(of, "reconciled");
	json_t *node;
	size_t i;

	if (!json_is_object(of))
		return;
	fputs("<h2>Gateways before and after</h2>\n<table><tr><th></th><th>before</th><th>after</th>"
	      "</tr>\n",
	      out);
	json_array_foreach(json_object_get(of, "nodes"), i, node) node_states(node, out);
	fputs("</table>\n<h2>Counters</h2>\n<p>", out);
	if (json_is_object(sum))
		fprintf(out,
			"%.0f probes came to the other site. The pair put %.0f packets into tunnels, and "
			"%.0f probes began at the gateway that measured while it had the VIP: "
			"<b class=\"%s\">%s</b>. What is more was sent by others, or was lost later.",
			number(sum, "received"), number(sum, "to_mesh"), number(sum, "begun_here"),
			json_is_true(json_object_get(sum, "agrees")) ? "pass" : "fail",
			json_is_true(json_object_get(sum, "agrees")) ? "this agrees"
								     : "this does not agree");
	else
		fputs("Not reconciled: not measured of both gateways of the pair.", out);
	fputs("</p>\n<table><tr><th>gateway</th><th>packets</th><th class=\"n\">before</th>"
	      "<th class=\"n\">after</th><th class=\"n\">meanwhile</th></tr>\n",
	      out);
	json_array_foreach(json_object_get(of, "nodes"), i, node)
		node_counters(json_object_get(node, "counters"), string(node, "node"), out);
	fputs("</table>\n", out);
}

static void hand_back(const json_t *report, FILE *out)
{
	const json_t *of = json_object_get(report, "hand_back");
	char text[300];

	if (json_is_true(json_object_get(of, "done")))
		snprintf(text, sizeof(text), "by the planned switchover, at %.3f s",
			 number(of, "at_s"));
	else if (json_is_object(of))
		snprintf(text, sizeof(text), "no: %s", string(of, "why"));
	else
		snprintf(text, sizeof(text), "nothing to hand back: it had not moved");
	row("role handed back", text, out);
}

static void series(const json_t *report, FILE *out)
{
	const json_t *of = json_object_get(report, "series");
	char text[100];

	if (!json_is_object(of))
		return;
	snprintf(text, sizeof(text), "run %.0f of %.0f, series %s", number(of, "run"),
		 number(of, "runs"), string(of, "id"));
	row("repetition", text, out);
}

static void sum_direction(const json_t *report, const char *name, const char *label, FILE *out)
{
	const json_t *direction = json_object_get(json_object_get(report, "directions"), name);
	const json_t *outage = json_object_get(direction, "outage_loss_ms");

	if (json_is_number(outage))
		fprintf(out, "<b>%.1f ms</b> %s (%.0f lost), ", json_number_value(outage), label,
			number(direction, "lost"));
	else
		fprintf(out, "not measured %s, ", label);
}

/* What somebody who reads one line has to know. */
static void summary(const json_t *report, FILE *out)
{
	const json_t *detection = json_object_get(report, "detection_ms");

	fputs("<p class=\"sum\">Outage: ", out);
	sum_direction(report, "out", "out", out);
	sum_direction(report, "in", "in", out);
	fprintf(out, "limit %.0f ms.", number(json_object_get(report, "limits"), "outage_ms"));
	if (json_is_number(detection))
		fprintf(out, " Detected after %.1f ms.", json_number_value(detection));
	fputs("</p>\n", out);
}

void drill_report_page(const json_t *report, FILE *out)
{
	const json_t *fault = json_object_get(report, "fault");
	const json_t *signature = json_object_get(report, "signature");
	const char *verdict = string(report, "verdict");
	char text[128];

	fputs(head, out);
	fputs("<title>Drill ", out);
	escape(string(report, "id"), out);
	fputs("</title></head><body>\n<h1>Drill: ", out);
	escape(string(report, "scenario"), out);
	fprintf(out, " <span class=\"verdict %s\">%s</span></h1>\n<p>", verdict, verdict);
	escape(string(report, "hypothesis"), out);
	fputs("</p>\n", out);
	summary(report, out);
	list("Findings", json_object_get(report, "findings"), out);
	fputs("<table>\n", out);
	row("id", string(report, "id"), out);
	row("begun", string(report, "began"), out);
	row("operator", string(report, "operator"), out);
	row("approved", string(report, "approval"), out);
	row("measured from", string(report, "node"), out);
	row("disturbed", string(report, "partner"), out);
	row("answered by", string(report, "far"), out);
	row("what was done", string(report, "what"), out);
	row("to what", string(fault, "what"), out);
	row("how it ended", string(fault, "ended"), out);
	limits(report, out);
	if (json_is_number(json_object_get(report, "detection_ms"))) {
		snprintf(text, sizeof(text), "%.1f ms after the fault",
			 number(report, "detection_ms"));
		row("failure detection time", text, out);
	}
	if (json_is_number(json_object_get(report, "logged_ms"))) {
		snprintf(text, sizeof(text),
			 "%.1f ms after the fault, when the data plane had switched",
			 number(report, "logged_ms"));
		row("logged", text, out);
	}
	row("roles before", string(report, "roles_before"), out);
	row("roles after", string(report, "roles_after"), out);
	hand_back(report, out);
	series(report, out);
	row("software", string(report, "version"), out);
	row("configuration", string(report, "digest"), out);
	fputs("</table>\n", out);
	plots(report, out);
	measures(report, out);
	spreads("Over the repetitions", json_object_get(report, "repetitions"), out);
	spreads("Earlier runs here", json_object_get(report, "history"), out);
	events(report, out);
	counters(report, out);
	list("Checked before", json_object_get(report, "preconditions"), out);
	list("Not covered", json_object_get(report, "not_covered"), out);
	if (json_is_object(signature)) {
		fputs("<h2>Signature</h2>\n<p>Of the JSON report, Ed25519, key <code>", out);
		escape(string(signature, "key"), out);
		fputs("</code>: <code>", out);
		escape(string(signature, "value"), out);
		fputs("</code></p>\n", out);
	}
	fputs("<p class=\"dim\">Terms after RFC 6201 and RFC 6414. Probe, not customer, packets were "
	      "counted.</p>\n</body></html>\n",
	      out);
}
