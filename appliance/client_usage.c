/* SPDX-License-Identifier: GPL-2.0-only */
/* netpas usage: reports from the records, which are read where they lie. */
#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "usage.h"
#include "usage_rate.h"
#include "usage_report.h"
#include "word.h"

struct arguments {
	struct usage_query query;
	enum usage_form form;
	const char *files[USAGE_NODES_MAX];
	size_t n_files;
};

static const struct {
	const char *name;
	enum usage_group group;
} groups[] = {
	{ "site", USAGE_BY_SITE }, { "subnet", USAGE_BY_SUBNET }, { "class", USAGE_BY_CLASS },
	{ "hour", USAGE_BY_HOUR }, { "day", USAGE_BY_DAY },	  { "month", USAGE_BY_MONTH },
};

static const char usage_text[] =
	"usage: netpas usage [--by WORD[,WORD]...] [--from TIME] [--to TIME] [--commit RATE]\n"
	"                    [--json|--csv]\n"
	"       netpas usage merge [the same] FILE...\n"
	"       netpas usage export FILE\n"
	"  --by      site (default), subnet, class, hour, day, month; several make rows of each\n"
	"  --from    2026, 2026-11, 2026-11-22 or 2026-11-22T16:05, UTC (default: this month)\n"
	"  --to      likewise; all of what it names is in (default: as --from, or now)\n"
	"  --commit  bit/s that are paid for anyway: 100M, 1.5G\n";

static int wrong(const char *text, const char *what, const struct word_guess *guess)
{
	fprintf(stderr, "netpas: usage: %s%s%s%s", text, what ? " '" : "", what ? what : "",
		what ? "'" : "");
	if (guess && guess->nearest)
		fprintf(stderr, "; did you mean '%s'?", guess->nearest);
	fprintf(stderr, "\n%s", usage_text);
	return 2;
}

static int take_by(const char *text, unsigned int *ret_by)
{
	unsigned int by = 0, spans;
	char word[16];

	while (*text) {
		const size_t len = strcspn(text, ",");
		struct word_guess guess;
		size_t i = 0;

		snprintf(word, sizeof(word), "%.*s", (int)len, text);
		word_guess_init(&guess, word);
		for (; i < sizeof(groups) / sizeof(groups[0]) && strcmp(word, groups[i].name); i++)
			word_guess_offer(&guess, groups[i].name);
		if (i == sizeof(groups) / sizeof(groups[0]))
			return wrong("cannot tell usage by", word, &guess);
		by |= groups[i].group;
		text += len + (text[len] == ',');
	}
	spans = by & (USAGE_BY_HOUR | USAGE_BY_DAY | USAGE_BY_MONTH);
	if (!by || (spans & (spans - 1)))
		return wrong("--by takes one or more of site, subnet, class, and one of hour, day, "
			     "month",
			     NULL, NULL);
	/* Of a span alone: all sites together is what a bill has. */
	*ret_by = by;
	return 0;
}

/* One option with its value; at: index of it, which moves. -1: good. */
static int take_option(struct arguments *args, int argc, char **argv, int *at, bool *to_given)
{
	static const char *const names[] = {
		"--by", "--from", "--to", "--commit", "--json", "--csv"
	};
	const char *option = argv[*at], *value;
	int64_t begin, end;
	struct word_guess guess;
	int rc;

	if (!strcmp(option, "--json")) {
		args->form = USAGE_FORM_JSON;
		return -1;
	}
	if (!strcmp(option, "--csv")) {
		args->form = USAGE_FORM_CSV;
		return -1;
	}
	word_guess_init(&guess, option);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		word_guess_offer(&guess, names[i]);
	if (strcmp(option, "--by") && strcmp(option, "--from") && strcmp(option, "--to") &&
	    strcmp(option, "--commit"))
		return wrong("unknown option", option, &guess);
	if (*at + 1 >= argc)
		return wrong("a value is missing after", option, NULL);
	value = argv[++*at];
	if (!strcmp(option, "--by")) {
		rc = take_by(value, &args->query.by);
		return rc ? rc : -1;
	}
	if (!strcmp(option, "--commit"))
		return usage_rate_parse(value, &args->query.commit_bps)
			       ? wrong("a rate is like 100M or 1.5G (bit/s), not", value, NULL)
			       : -1;
	if (usage_time_parse(value, &begin, &end))
		return wrong("a time is like 2026-11, 2026-11-22 or 2026-11-22T16:05, not", value,
			     NULL);
	if (!strcmp(option, "--from")) {
		args->query.begin = usage_begin(USAGE_SLOT, begin);
		if (!*to_given)
			args->query.end = end;
	} else {
		args->query.end = end;
		*to_given = true;
	}
	return -1;
}

static int64_t up_to_slot(int64_t t)
{
	const int64_t begin = usage_begin(USAGE_SLOT, t);

	return begin == t ? t : begin + USAGE_SLOT_S;
}

/* 0, or an exit code. */
static int take_arguments(struct arguments *args, int argc, char **argv)
{
	bool to_given = false;

	args->query.by = USAGE_BY_SITE;
	args->query.begin = usage_begin(USAGE_MONTH, time(NULL));
	args->query.end = usage_next(USAGE_MONTH, time(NULL));
	for (int i = 0; i < argc; i++) {
		if (argv[i][0] == '-') {
			const int rc = take_option(args, argc, argv, &i, &to_given);

			if (rc >= 0)
				return rc;
			continue;
		}
		if (args->n_files == USAGE_NODES_MAX)
			return wrong("too many files", NULL, NULL);
		args->files[args->n_files++] = argv[i];
	}
	args->query.end = up_to_slot(args->query.end);
	return 0;
}

static int report(const struct arguments *args)
{
	char error[USAGE_ERROR_LEN];
	struct usage_report *made;
	int rc = usage_report_make(args->files, args->n_files, &args->query, &made, error);

	if (rc) {
		fprintf(stderr, "netpas: usage: %s\n", *error ? error : strerror(-rc));
		return 1;
	}
	rc = usage_report_print(made, args->form, stdout);
	usage_report_free(made);
	return rc ? 1 : 0;
}

/* A file of its own, whole in itself, while the record goes on. */
static int export(const char *record, const char *file)
{
	sqlite3_stmt *stmt = NULL;
	struct stat st;
	sqlite3 *db;
	int rc;

	if (!lstat(file, &st)) {
		fprintf(stderr, "netpas: usage: %s is there already and was left as it is\n", file);
		return 1;
	}
	umask(077);
	rc = sqlite3_open_v2(record, &db, SQLITE_OPEN_READONLY, NULL);
	if (!rc)
		rc = sqlite3_busy_timeout(db, 5000);
	if (!rc)
		rc = sqlite3_prepare_v2(db, "VACUUM INTO ?1", -1, &stmt, NULL);
	if (!rc)
		rc = sqlite3_bind_text(stmt, 1, file, -1, SQLITE_STATIC);
	if (!rc)
		rc = sqlite3_step(stmt) == SQLITE_DONE ? 0 : 1;
	if (rc)
		fprintf(stderr, "netpas: usage: %s: %s\n", record, sqlite3_errmsg(db));
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return rc ? 1 : 0;
}

int client_usage(const struct client_paths *paths, int argc, char **argv)
{
	struct arguments args = { 0 };
	char record[PATH_MAX];
	int rc;

	snprintf(record, sizeof(record), "%s/" USAGE_FILE, paths->state_dir);
	if (argc > 1 && !strcmp(argv[1], "export")) {
		if (argc != 3 || argv[2][0] == '-')
			return wrong("export takes the name of a new file", NULL, NULL);
		return export(record, argv[2]);
	}
	if (argc > 1 && !strcmp(argv[1], "merge")) {
		rc = take_arguments(&args, argc - 2, argv + 2);
		if (!rc && !args.n_files)
			return wrong(
				"merge takes the records of gateways (see 'netpas usage export')",
				NULL, NULL);
		return rc ? rc : report(&args);
	}
	rc = take_arguments(&args, argc - 1, argv + 1);
	if (rc)
		return rc;
	if (args.n_files)
		return wrong("to read other files there is 'merge'; unknown word", args.files[0],
			     NULL);
	if (access(record, F_OK) && errno == ENOENT) {
		fprintf(stderr,
			"netpas: usage: there is no record (%s); netpasd has not run here, "
			"or this is a relay\n",
			record);
		return 1;
	}
	args.files[args.n_files++] = record;
	return report(&args);
}
