/* SPDX-License-Identifier: GPL-2.0-only */
#include "drill_client.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "drill_history.h"
#include "drill_key.h"
#include "drill_record.h"
#include "drill_run.h"
#include "drill_store.h"
#include "word.h"
#include "wrap.h"

#define LOST_DEFAULT 100000 /* of a million */
#define PERCENT 10000
#define REPEAT_MAX 300
#define AGAIN_S 400	    /* a damped pair is held for five minutes */
#define FREEZE_MAX_MS 20000 /* after 30 s the service manager's watchdog ends netpasd */

struct options {
	struct drill_wish wish;
	const char *word; /* the first argument: a scenario or an id */
	const char *key, *file;
	bool json, html, verify, if_standby;
	bool has_hold;
};

static int usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int usage(const char *fmt, ...)
{
	va_list args;

	fputs("netpas: drill: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return 2;
}

/* A whole number within limits; false after saying what is wrong. */
static bool read_number(const char *option, const char *text, uint32_t min, uint32_t max,
			uint32_t *ret_number)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || end == text || *text == '-' || value < min || value > max) {
		(void)usage("%s is a number from %u to %u, not '%s'", option, min, max, text);
		return false;
	}
	*ret_number = (uint32_t)value;
	return true;
}

/* Takes the value from argv[*i + 1]; false: there is none, or it is no good. */
static bool take_value(struct options *options, int argc, char **argv, int *i)
{
	static const char *const known[] = { "--site", "--rate",  "--hold",	"--limit",
					     "--loss", "--relay", "--approval", "--key",
					     "--file", "--repeat" };
	const char *option = argv[*i], *value = *i + 1 < argc ? argv[*i + 1] : NULL;
	struct drill_wish *wish = &options->wish;
	struct word_guess guess;
	uint32_t percent;
	size_t which;

	for (which = 0; which < sizeof(known) / sizeof(known[0]); which++)
		if (!strcmp(option, known[which]))
			break;
	if (which == sizeof(known) / sizeof(known[0])) {
		static const char *const flags[] = { "--json", "--html",       "--verify",
						     "--lab",  "--if-standby", "--stay" };

		word_guess_init(&guess, option);
		for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
			word_guess_offer(&guess, known[k]);
		for (size_t k = 0; k < sizeof(flags) / sizeof(flags[0]); k++)
			word_guess_offer(&guess, flags[k]);
		(void)usage("unknown option '%s'%s%s%s", option,
			    guess.nearest ? "; did you mean '" : "",
			    guess.nearest ? guess.nearest : "", guess.nearest ? "'?" : "");
		return false;
	}
	if (!value) {
		(void)usage("%s needs a value", option);
		return false;
	}
	++*i;
	switch (which) {
	case 0:
		wish->site = value;
		return true;
	case 1:
		return read_number(option, value, DRILL_RATE_MIN, DRILL_RATE_MAX, &wish->rate);
	case 2:
		options->has_hold = true;
		return read_number(option, value, 100, DRILL_HOLD_MAX_MS, &wish->hold_ms);
	case 3:
		return read_number(option, value, 0, 60000, &wish->limit_ms);
	case 4:
		if (!read_number(option, value, 1, 100, &percent))
			return false;
		wish->lost = percent * PERCENT;
		return true;
	case 5:
		wish->relay = value;
		return true;
	case 6:
		wish->approval = value;
		return true;
	case 7:
		options->key = value;
		return true;
	case 8:
		options->file = value;
		return true;
	case 9:
		return read_number(option, value, 1, REPEAT_MAX, &wish->runs);
	}
	return false;
}

static bool take_options(struct options *options, int argc, char **argv)
{
	for (int i = 2; i < argc; i++) {
		if (!strcmp(argv[i], "--json"))
			options->json = true;
		else if (!strcmp(argv[i], "--html"))
			options->html = true;
		else if (!strcmp(argv[i], "--verify"))
			options->verify = true;
		else if (!strcmp(argv[i], "--lab"))
			options->wish.lab = true;
		else if (!strcmp(argv[i], "--stay"))
			options->wish.stay = true;
		else if (!strcmp(argv[i], "--if-standby"))
			options->if_standby = true;
		else if (*argv[i] == '-') {
			if (!take_value(options, argc, argv, &i))
				return false;
		} else if (!options->word) {
			options->word = argv[i];
		} else {
			(void)usage("one argument is enough, and there is another: '%s'", argv[i]);
			return false;
		}
	}
	return true;
}

/* Load, or say what is wrong. */
static struct config *load(const struct client_paths *paths)
{
	struct diag_list *diags = diag_list_new();
	struct config *config = NULL;
	int rc = diags ? config_load(paths->config_dir, diags, &config) : -ENOMEM;

	if (rc == -EINVAL)
		diag_print(diags, stderr);
	else if (rc)
		fprintf(stderr, "netpas: cannot load the configuration: %s\n", strerror(-rc));
	diag_list_free(diags);
	if (config && config->is_relay) {
		fputs("netpas: drill: this is a relay; drills are run from a gateway\n", stderr);
		config_free(config);
		return NULL;
	}
	return config;
}

static void drills_dir(const struct client_paths *paths, char buf[static PATH_MAX])
{
	snprintf(buf, PATH_MAX, "%s/drills", paths->state_dir);
}

/* ---- list ---- */

static int run_list(const struct client_paths *paths, const struct options *options)
{
	json_t *list = json_array();

	(void)paths;
	for (int i = 0; i < DRILL_SCENARIO_MAX; i++) {
		const struct drill_scenario *s = &drill_scenarios[i];

		if (!options->json)
			printf("%-16s %s%s\n", s->name, s->what, s->reversible ? "" : " (--lab)");
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:b, s:i}", "name",
						      s->name, "what", s->what, "expect", s->expect,
						      "restore", s->restore, "reversible",
						      s->reversible, "hold_ms", (int)s->hold_ms));
	}
	if (options->json) {
		json_dumpf(list, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(list);
	return 0;
}

/* ---- plan and run ---- */

static bool find_scenario(struct options *options)
{
	struct word_guess guess;

	if (!options->word) {
		(void)usage("which scenario? 'netpas drill list' says what there is");
		return false;
	}
	options->wish.scenario = drill_scenario_find(options->word);
	if (options->wish.scenario < DRILL_SCENARIO_MAX)
		return true;
	word_guess_init(&guess, options->word);
	for (int i = 0; i < DRILL_SCENARIO_MAX; i++)
		word_guess_offer(&guess, drill_scenarios[i].name);
	(void)usage("there is no scenario '%s'%s%s%s", options->word,
		    guess.nearest ? "; did you mean '" : "", guess.nearest ? guess.nearest : "",
		    guess.nearest ? "'?" : "");
	return false;
}

static bool check_relay(const struct config *config, const struct drill_wish *wish)
{
	for (size_t i = 0; i < config->mesh.n_relays; i++)
		if (!wish->relay || !strcmp(config->mesh.relays[i].name, wish->relay))
			return true;
	if (!wish->relay)
		return true;
	(void)usage("there is no relay '%s' in mesh.yaml", wish->relay);
	return false;
}

static const char *operator_name(void)
{
	static const char *const variables[] = { "NETPAS_OPERATOR", "SUDO_USER", "LOGNAME",
						 "USER" };

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		const char *name = getenv(variables[i]);

		if (name && *name)
			return name;
	}
	return "root";
}

static int exit_code(enum drill_end end, const struct options *options)
{
	if (end == DRILL_END_PASS)
		return 0;
	return end == DRILL_END_ACTIVE && options->if_standby ? 0 : 1;
}

static double now_s(void)
{
	return (double)clock_now_us() / 1e6;
}

/*
 * A pair may need a while to be as it was, longest one that is damped (ha/damping.h). False: it is not,
 * or it was interrupted.
 */
static bool await_pair(const struct config *config, const struct client_paths *paths,
		       const struct drill_wish *wish, FILE *out)
{
	const double until = now_s() + AGAIN_S;
	char *reasons = NULL;
	size_t len = 0;
	FILE *quiet;

	for (;;) {
		enum drill_end end;

		quiet = open_memstream(&reasons, &len);
		if (!quiet)
			return false;
		end = drill_plan(config, paths, wish, quiet);
		fclose(quiet);
		if (end == DRILL_END_PASS || now_s() > until)
			break;
		free(reasons);
		reasons = NULL;
		if (sleep(2))
			return false;
	}
	if (now_s() > until && reasons)
		fputs(reasons, out);
	free(reasons);
	return now_s() <= until;
}

/* One after the other, until one is refused or aborted. *ret_report: the last. */
static enum drill_end run_series(const struct config *config, const struct client_paths *paths,
				 struct drill_wish *wish, FILE *out, json_t **ret_report)
{
	enum drill_end end = DRILL_END_PASS, worst = DRILL_END_PASS;
	char series[32];
	const time_t now = time(NULL);
	struct tm tm;

	strftime(series, sizeof(series), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
	wish->series = series;
	for (wish->run = 1; wish->run <= wish->runs; wish->run++) {
		json_t *report = NULL;

		fprintf(out, "run %u of %u\n", wish->run, wish->runs);
		if (wish->run > 1 && !await_pair(config, paths, wish, out)) {
			end = DRILL_END_REFUSED;
		} else {
			end = drill_run(config, paths, wish, out, &report);
		}
		worst = end > worst ? end : worst;
		if (!report) {
			fprintf(out, "ended before run %u\n", wish->run);
			break;
		}
		json_decref(*ret_report);
		*ret_report = report;
		if (json_is_string(json_object_get(report, "aborted")))
			break;
	}
	wish->series = NULL;
	return worst;
}

static void print_report(const json_t *report, void (*print)(const json_t *report, FILE *out))
{
	struct wrap wrap;

	if (wrap_open(&wrap))
		print(report, wrap.stream);
	wrap_close(&wrap, stdout);
}

static enum drill_end print_plan(const struct config *config, const struct client_paths *paths,
				 const struct drill_wish *wish)
{
	struct wrap wrap;
	enum drill_end end =
		drill_plan(config, paths, wish, wrap_open(&wrap) ? wrap.stream : stdout);

	wrap_close(&wrap, stdout);
	return end;
}

static int run_wish(const struct client_paths *paths, struct options *options, bool really)
{
	struct drill_wish *wish = &options->wish;
	json_t *report = NULL;
	struct config *config;
	enum drill_end end;

	if (!find_scenario(options))
		return 2;
	if (!options->has_hold)
		wish->hold_ms = drill_scenarios[wish->scenario].hold_ms;
	if (wish->scenario == DRILL_FREEZE && wish->hold_ms > FREEZE_MAX_MS)
		return usage("a freeze lasts %u ms at most: then the watchdog would end it",
			     FREEZE_MAX_MS);
	if (wish->runs > 1 && wish->stay)
		return usage("--repeat needs the role back after each run; --stay keeps it");
	if (wish->runs > 1 && !drill_scenarios[wish->scenario].reversible)
		return usage("%s cannot be repeated: nobody undoes it",
			     drill_scenarios[wish->scenario].name);
	wish->operator_name = operator_name();
	config = load(paths);
	if (!config)
		return 1;
	if (!check_relay(config, wish)) {
		config_free(config);
		return 2;
	}
	if (!really)
		end = print_plan(config, paths, wish);
	else if (wish->runs > 1)
		end = run_series(config, paths, wish, options->json ? stderr : stdout, &report);
	else
		end = drill_run(config, paths, wish, options->json ? stderr : stdout, &report);
	if (report && options->json) {
		json_dumpf(report, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (report) {
		print_report(report, drill_report_text);
	}
	json_decref(report);
	config_free(config);
	return exit_code(end, options);
}

/* ---- report, history, key ---- */

static char *last_id(const char *dir)
{
	char **ids = NULL, *last = NULL;
	size_t n = 0;

	if (drill_store_list(dir, &ids, &n))
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (i + 1 == n)
			last = ids[i];
		else
			free(ids[i]);
	}
	free(ids);
	return last;
}

/* The one that is meant: a file's, an id's, or the last. */
static json_t *find_report(const char *dir, const struct options *options)
{
	json_t *report;
	char *id;

	if (options->file)
		return json_load_file(options->file, JSON_REJECT_DUPLICATES, NULL);
	if (options->word)
		return drill_store_get(dir, options->word);
	id = last_id(dir);
	report = id ? drill_store_get(dir, id) : NULL;
	free(id);
	return report;
}

/* Of this node, from its own key; 0 or an exit code. */
static int own_key(const struct client_paths *paths, char buf[static KEY_STRLEN])
{
	struct config *config = load(paths);
	struct key public_key;
	int rc;

	if (!config)
		return 1;
	rc = drill_sign_public(&config->private_key, &public_key);
	config_free(config);
	if (rc) {
		fprintf(stderr, "netpas: drill: the key: %s\n", strerror(-rc));
		return 1;
	}
	key_format(&public_key, buf);
	return 0;
}

/* The page that is kept says what the report says: it is made of that and nothing else. */
static bool page_agrees(const char *dir, const json_t *report)
{
	const char *id = json_string_value(json_object_get(report, "id"));
	char *path = NULL, *text = NULL, *kept = NULL;
	size_t len = 0, size = 0;
	FILE *out, *file;
	bool same = false;
	time_t at;

	if (!id || !drill_store_parse(id, &at) || asprintf(&path, "%s/%s.html", dir, id) < 0)
		return false;
	file = fopen(path, "re");
	out = file ? open_memstream(&text, &len) : NULL;
	if (out) {
		drill_report_page(report, out);
		fclose(out);
		same = getdelim(&kept, &size, '\0', file) == (ssize_t)len &&
		       !memcmp(kept, text, len);
	}
	if (file)
		fclose(file);
	free(path);
	free(text);
	free(kept);
	return same;
}

static int verify(const struct client_paths *paths, const char *dir, const struct options *options,
		  const json_t *report)
{
	char key[KEY_STRLEN];

	if (!options->key && own_key(paths, key))
		return 1;
	if (!drill_record_verify(report, options->key ? options->key : key)) {
		printf("bad: the report is not signed by %s, or was changed since\n",
		       options->key ? options->key : "this node");
		return 1;
	}
	if (json_integer_value(json_object_get(report, "page")) != DRILL_PAGE_FORMAT) {
		printf("good: signed by %s; the page beside it was made by another version, and is not "
		       "compared\n",
		       options->key ? options->key : key);
		return 0;
	}
	if (!options->file && !page_agrees(dir, report)) {
		puts("bad: the report is good, but the page beside it says something else");
		return 1;
	}
	printf("good: signed by %s\n", options->key ? options->key : key);
	return 0;
}

static int run_report(const struct client_paths *paths, struct options *options)
{
	char dir[PATH_MAX];
	json_t *report;
	int rc = 0;

	drills_dir(paths, dir);
	report = find_report(dir, options);
	if (!json_is_object(report)) {
		fprintf(stderr,
			"netpas: drill: no report %s%s; 'netpas drill history' says which there are\n",
			options->word || options->file ? "of " : "is there yet",
			options->file	? options->file
			: options->word ? options->word
					: "");
		json_decref(report);
		return 1;
	}
	if (options->verify)
		rc = verify(paths, dir, options, report);
	else if (options->html)
		drill_report_page(report, stdout);
	else if (options->json)
		json_dumpf(report, stdout, JSON_INDENT(2));
	else
		print_report(report, drill_report_text);
	json_decref(report);
	return rc;
}

static const char *member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "?";
}

static int run_history(const struct client_paths *paths, struct options *options)
{
	json_t *rows = json_array();
	char dir[PATH_MAX], **ids = NULL;
	size_t n = 0;
	int rc;

	drills_dir(paths, dir);
	rc = drill_store_list(dir, &ids, &n);
	if (rc) {
		fprintf(stderr, "netpas: drill: %s: %s\n", dir, strerror(-rc));
		json_decref(rows);
		return 1;
	}
	for (size_t i = 0; i < n; i++) {
		json_t *report = drill_store_get(dir, ids[i]);
		const double outage = drill_store_outage(report);

		if (!options->word || !strcmp(member(report, "scenario"), options->word)) {
			if (!options->json)
				printf("%-8s %8.1f ms  %-20s %s\n", member(report, "verdict"),
				       outage < 0 ? 0.0 : outage, member(report, "began"), ids[i]);
			json_array_append_new(
				rows, json_pack("{s:s, s:s, s:s, s:s, s:o, s:s}", "id", ids[i],
						"scenario", member(report, "scenario"), "verdict",
						member(report, "verdict"), "began",
						member(report, "began"), "outage_ms",
						outage < 0 ? json_null() : json_real(outage),
						"partner", member(report, "partner")));
		}
		json_decref(report);
		free(ids[i]);
	}
	free(ids);
	if (options->word && !options->json) {
		json_t *reports = drill_store_reports(dir, options->word, NULL);
		json_t *history = drill_history_make(reports);

		print_report(history, drill_report_spread_text);
		json_decref(history);
		json_decref(reports);
	}
	if (options->json) {
		json_dumpf(rows, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(rows);
	return 0;
}

static int run_key(const struct client_paths *paths)
{
	char key[KEY_STRLEN];
	const int rc = own_key(paths, key);

	if (!rc)
		puts(key);
	return rc;
}

int drill_client(const struct client_paths *paths, int argc, char **argv)
{
	static const char *const verbs[] = { "list", "plan", "run", "report", "history", "key" };
	struct options options = {
		.wish = { .rate = DRILL_RATE, .limit_ms = UINT32_MAX, .lost = LOST_DEFAULT },
	};
	struct word_guess guess;

	if (argc < 2)
		return usage("list, plan, run, report, history or key?");
	if (!take_options(&options, argc, argv))
		return 2;
	if (!strcmp(argv[1], "list"))
		return run_list(paths, &options);
	if (!strcmp(argv[1], "plan"))
		return run_wish(paths, &options, false);
	if (!strcmp(argv[1], "run"))
		return run_wish(paths, &options, true);
	if (!strcmp(argv[1], "report"))
		return run_report(paths, &options);
	if (!strcmp(argv[1], "history"))
		return run_history(paths, &options);
	if (!strcmp(argv[1], "key"))
		return run_key(paths);
	word_guess_init(&guess, argv[1]);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		word_guess_offer(&guess, verbs[i]);
	return usage("there is no '%s'%s%s%s", argv[1], guess.nearest ? "; did you mean '" : "",
		     guess.nearest ? guess.nearest : "", guess.nearest ? "'?" : "");
}
