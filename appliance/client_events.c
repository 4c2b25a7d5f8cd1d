/* SPDX-License-Identifier: GPL-2.0-only */
/* netpas events: read from the disk, so it works without the daemon. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "event_record.h"
#include "event_store.h"
#include "word.h"
#include "wrap.h"

#define LAST_DEFAULT 50
#define LAST_MAX 1000000
#define FOLLOW_US 100000

struct wish {
	int64_t since_ms;   /* 0: from the beginning */
	unsigned int kinds; /* bits; 0: all */
	size_t last;	    /* at most so many; 0: all */
	bool follow, json;
};

struct view {
	const struct wish *wish;
	bool colour;
	char day[EVENT_DAY_LEN];
};

_Static_assert(EVENT_KIND_MAX <= 32, "kinds are bits");

static int kinds_parse(char *text, unsigned int *ret_kinds)
{
	struct word_guess guess;

	for (char *word = strtok(text, ","); word; word = strtok(NULL, ",")) {
		int kind = 0;

		while (kind < EVENT_KIND_MAX && strcmp(word, event_kind_names[kind]))
			kind++;
		if (kind < EVENT_KIND_MAX) {
			*ret_kinds |= 1u << kind;
			continue;
		}
		word_guess_init(&guess, word);
		fprintf(stderr, "netpas: no event is of the kind '%s'; there are", word);
		for (kind = 0; kind < EVENT_KIND_MAX; kind++) {
			fprintf(stderr, "%s %s", kind ? "," : "", event_kind_names[kind]);
			word_guess_offer(&guess, event_kind_names[kind]);
		}
		if (guess.nearest)
			fprintf(stderr, "; did you mean '%s'?", guess.nearest);
		fputc('\n', stderr);
		return -EINVAL;
	}
	return 0;
}

static int64_t now_ms(void)
{
	return (int64_t)time(NULL) * 1000;
}

static int last_parse(const char *text, size_t *ret_last)
{
	char *end;
	const unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n > LAST_MAX) {
		fprintf(stderr, "netpas: --last takes a number up to %d (0: all), got '%s'\n",
			LAST_MAX, text);
		return -EINVAL;
	}
	*ret_last = n;
	return 0;
}

/* 0, or 2 after a message. */
static int wish_parse(int argc, char **argv, struct wish *ret_wish)
{
	static const struct option options[] = {
		{ "since", required_argument, NULL, 's' }, { "kind", required_argument, NULL, 'k' },
		{ "last", required_argument, NULL, 'n' },  { "follow", no_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' },	   { 0 },
	};
	bool last = false;
	int option;

	optind = 1;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		switch (option) {
		case 's':
			if (event_since_parse(optarg, now_ms(), &ret_wish->since_ms)) {
				fprintf(stderr,
					"netpas: --since takes 90s, 10m, 2h, 3d, a time of today "
					"(16:30), or 2026-11-22T16:30 (UTC), got '%s'\n",
					optarg);
				return 2;
			}
			break;
		case 'k':
			if (kinds_parse(optarg, &ret_wish->kinds))
				return 2;
			break;
		case 'n':
			if (last_parse(optarg, &ret_wish->last))
				return 2;
			last = true;
			break;
		case 'f':
			ret_wish->follow = true;
			break;
		case 'j':
			ret_wish->json = true;
			break;
		case ':':
			fprintf(stderr, "netpas: %s wants a value\n", argv[optind - 1]);
			return 2;
		default:
			fprintf(stderr,
				"netpas: events knows --since, --kind, --last, --follow and --json, "
				"got '%s'\n",
				argv[optind - 1]);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "netpas: events takes no argument, got '%s'\n", argv[optind]);
		return 2;
	}
	if (!last)
		ret_wish->last = ret_wish->since_ms ? 0 : LAST_DEFAULT;
	return 0;
}

static bool is_wanted(const struct wish *wish, json_t *record)
{
	const char *kind = json_string_value(json_object_get(record, "kind"));
	int64_t at;

	if (event_time_parse(json_string_value(json_object_get(record, "time")), &at) ||
	    at < wish->since_ms)
		return false;
	for (int i = 0; wish->kinds && i < EVENT_KIND_MAX; i++)
		if (!strcmp(kind, event_kind_names[i]))
			return wish->kinds >> i & 1;
	return !wish->kinds;
}

static void show(struct view *view, json_t *record)
{
	if (view->wish->json) {
		json_dumpf(record, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		event_record_print(record, view->colour, view->day, stdout);
	}
}

static int read_error(const char *dir, int rc)
{
	fprintf(stderr, "netpas: %s: %s\n", dir, strerror(-rc));
	return 1;
}

/* Those that are there now, the last ones of them. */
static int show_past(struct view *view, struct event_reader *reader)
{
	json_t *kept = json_array(), *record;
	size_t i;
	int rc;

	while (!(rc = event_reader_next(reader, &record))) {
		if (is_wanted(view->wish, record)) {
			if (view->wish->last && json_array_size(kept) == view->wish->last)
				json_array_remove(kept, 0);
			json_array_append(kept, record);
		}
		json_decref(record);
	}
	json_array_foreach(kept, i, record) show(view, record);
	json_decref(kept);
	return rc == -EAGAIN ? 0 : rc;
}

static int show_future(struct view *view, struct event_reader *reader)
{
	json_t *record;
	int rc;

	for (;;) {
		rc = event_reader_next(reader, &record);
		if (!rc) {
			if (is_wanted(view->wish, record))
				show(view, record);
			json_decref(record);
			continue;
		}
		if (rc != -EAGAIN)
			return rc;
		if (fflush(stdout) || ferror(stdout))
			return 0; /* main says why */
		usleep(FOLLOW_US);
	}
}

int client_events(const struct client_paths *paths, int argc, char **argv)
{
	struct wish wish = { 0 };
	struct view view = { .wish = &wish, .colour = wrap_colour() };
	struct event_reader *reader;
	char dir[PATH_MAX];
	int rc = wish_parse(argc, argv, &wish);

	if (rc)
		return rc;
	snprintf(dir, sizeof(dir), "%s/" EVENT_STORE_DIR, paths->state_dir);
	rc = event_reader_open(dir, &reader);
	if (rc == -ENOENT) {
		fprintf(stderr,
			"netpas: there are no events: no %s; netpasd makes it, or give its "
			"directory with -s\n",
			dir);
		return 1;
	}
	if (rc)
		return read_error(dir, rc);
	rc = show_past(&view, reader);
	if (!rc && wish.follow)
		rc = show_future(&view, reader);
	if (event_reader_bad(reader))
		fprintf(stderr, "netpas: %zu line%s in %s no record, and left out\n",
			event_reader_bad(reader), event_reader_bad(reader) == 1 ? " is" : "s are",
			dir);
	event_reader_close(reader);
	return rc ? read_error(dir, rc) : 0;
}
