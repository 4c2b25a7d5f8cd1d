/* SPDX-License-Identifier: GPL-2.0-only */
/* netpas bench engine: what this machine's WireGuard engines carry, for `engine: auto` to go by. */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "control.h"
#include "engine.h"
#include "engine_bench.h"
#include "engine_choice.h"
#include "link.h"
#include "wanted.h"

#define TRIALS 5
#define SECONDS 2
#define SECONDS_MAX 30
#define PATIENCE_MS 5000

struct wish {
	struct engine_bench bench;
	bool force, json;
};

static int usage(const char *argument)
{
	fprintf(stderr,
		"netpas: 'netpas bench engine [--trials 1..%d] [--seconds 1..%d] [--force] "
		"[--json]' is what there is%s%s%s\n",
		ENGINE_TRIALS_MAX, SECONDS_MAX, argument ? ", got '" : "", argument ? argument : "",
		argument ? "'" : "");
	return 2;
}

static bool parse_number(const char *text, unsigned long max, unsigned long *ret_number)
{
	char *end;

	if (!text || *text < '0' || *text > '9')
		return false;
	*ret_number = strtoul(text, &end, 10);
	return !*end && *ret_number >= 1 && *ret_number <= max;
}

static int parse(int argc, char **argv, struct wish *ret_wish)
{
	struct wish wish = { .bench = { .trials = TRIALS, .seconds = SECONDS } };
	unsigned long number;

	if (argc < 2 || strcmp(argv[1], "engine"))
		return usage(argc < 2 ? NULL : argv[1]);
	for (int i = 2; i < argc; i++) {
		if (!strcmp(argv[i], "--force"))
			wish.force = true;
		else if (!strcmp(argv[i], "--json"))
			wish.json = true;
		else if (!strcmp(argv[i], "--trials") &&
			 parse_number(argv[i + 1], ENGINE_TRIALS_MAX, &number) && ++i)
			wish.bench.trials = (unsigned int)number;
		else if (!strcmp(argv[i], "--seconds") &&
			 parse_number(argv[i + 1], SECONDS_MAX, &number) && ++i)
			wish.bench.seconds = (double)number;
		else
			return usage(argv[i]);
	}
	*ret_wish = wish;
	return 0;
}

static int find_tunnel(const struct link_info *info, void *data)
{
	(void)data;
	return wanted_ifname_id(info->name) != 0;
}

/* Tunnels outlive the daemon. */
static bool has_tunnels(void)
{
	struct netlink *route;
	int found;

	if (netlink_open(NETLINK_ROUTE, 0, &route))
		return false; /* then nothing can be measured either, and that says why */
	found = link_dump(route, find_tunnel, NULL);
	netlink_close(route);
	return found != 0;
}

/* Whether this node carries traffic: an active gateway, a relay. One that does not say what it is may. */
static bool carries(const struct client_paths *paths, char text[static 64])
{
	json_t *answer = NULL;
	const char *role;
	int rc = control_request(paths->run_dir, "status", PATIENCE_MS, &answer);

	if (rc == -ENOENT || rc == -ECONNREFUSED) {
		snprintf(text, 64, "its daemon does not run, its tunnels are there");
		return has_tunnels();
	}
	role = json_string_value(json_object_get(json_object_get(answer, "status"), "role"));
	snprintf(text, 64, "%s", role ? role : "its daemon does not say what it is");
	json_decref(answer);
	return strcmp(text, "standby") != 0;
}

static void print_row(const char *engine, const struct engine_trials *trials)
{
	static const struct {
		double unit;
		int digits;
	} columns[ENGINE_FIGURE_MAX] = {
		[ENGINE_BULK] = { 1e9, 2 },
		[ENGINE_SMALL] = { 1e3, 1 },
		[ENGINE_PING] = { 1e3, 2 },
	};

	printf("%-14s", engine);
	for (int i = 0; i < ENGINE_FIGURE_MAX; i++)
		printf(" %9.*f %9.*f", columns[i].digits,
		       engine_trials_median(trials, (enum engine_figure)i) / columns[i].unit,
		       columns[i].digits,
		       engine_trials_worst(trials, (enum engine_figure)i) / columns[i].unit);
	putchar('\n');
}

/* The setting that takes the engine: `auto` never takes wireguard-go where there is another one. */
static const char *setting(const struct engine_record *record, enum engine_kind best)
{
	return best == ENGINE_WIREGUARD_GO && (record->engines[ENGINE_KERNEL].n ||
					       record->engines[ENGINE_NETPAS_WG].n)
		       ? "wireguard-go"
		       : "auto";
}

static void print_text(const struct engine_record *record, enum engine_kind best,
		       const char *reason)
{
	printf("%-14s %19s %19s %19s\n%-14s", "", "bulk Gbit/s", "small kpackets/s", "ping p99 ms",
	       "engine");
	for (int i = 0; i < ENGINE_FIGURE_MAX; i++)
		printf(" %9s %9s", "median", "worst");
	putchar('\n');
	for (int kind = 0; kind < ENGINE_KIND_MAX; kind++)
		if (record->engines[kind].n)
			print_row(engine_kind_names[kind], &record->engines[kind]);
	printf("\nbest: %s; %s\nsetting: engine: %s\n", engine_kind_names[best], reason,
	       setting(record, best));
}

static int print_json(const struct engine_record *record, enum engine_kind best, const char *reason)
{
	json_t *json = engine_record_json(record);

	if (!json ||
	    json_object_set_new(json, "best",
				json_pack("{s:s, s:s, s:s}", "engine", engine_kind_names[best],
					  "reason", reason, "setting", setting(record, best))))
		return -ENOMEM;
	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(json);
	return 0;
}

static void say_plan(const struct engine_bench *bench)
{
	const char *separator = "";

	fputs("measuring ", stderr);
	for (int kind = 0; kind < ENGINE_KIND_MAX; kind++)
		if (bench->there[kind]) {
			fprintf(stderr, "%s%s", separator, engine_kind_names[kind]);
			separator = ", ";
		}
	fprintf(stderr, " in turns, %u trial%s each: all processors are busy for about %u s\n",
		bench->trials, bench->trials == 1 ? "" : "s", engine_bench_lasts(bench));
}

static int fail(const char *what, int rc)
{
	fprintf(stderr, "netpas: bench: %s: %s\n", what, strerror(-rc));
	return 1;
}

static int measure(const struct wish *wish, struct engine_record *ret_record)
{
	struct engine_record record = { .measured_s = time(NULL) };
	char path[PATH_MAX], words[ENGINE_RECORD_WORDS];
	struct engine_bench bench = wish->bench;
	int rc = engine_bench_prepare(&bench);

	if (rc)
		return fail("network namespaces", rc);
	if (!bench.there[ENGINE_KERNEL] && !bench.there[ENGINE_NETPAS_WG] &&
	    !bench.there[ENGINE_WIREGUARD_GO])
		return fail("no engine is here", -ENOENT);
	engine_machine_read(bench.there[ENGINE_NETPAS_WG] && engines_installed(ENGINE_PROGRAM, path)
				    ? path
				    : NULL,
			    &record.machine);
	say_plan(&bench);
	rc = engine_bench_run(&bench, &record, words);
	if (rc)
		return fail(words, rc);
	*ret_record = record;
	return 0;
}

int client_bench(const struct client_paths *paths, int argc, char **argv)
{
	char role[64], reason[ENGINE_REASON_LEN];
	struct engine_record record;
	enum engine_kind best;
	struct wish wish;
	int rc = parse(argc, argv, &wish);

	if (rc)
		return rc;
	if (geteuid())
		return fail("not root", -EPERM);
	if (!wish.force && carries(paths, role)) {
		fprintf(stderr,
			"netpas: bench: this node carries traffic (%s), and all processors would "
			"be busy; measure on a standby, or give --force\n",
			role);
		return CLIENT_REFUSED;
	}
	rc = measure(&wish, &record);
	if (rc)
		return rc;
	best = engine_record_best(&record, reason);
	/* Before it is printed: who reads may have gone. */
	rc = engine_record_write(paths->state_dir, &record);
	if (wish.json && print_json(&record, best, reason))
		return fail("the result", -ENOMEM);
	if (!wish.json)
		print_text(&record, best, reason);
	return rc ? fail("keeping the result", rc) : 0;
}
