/* SPDX-License-Identifier: GPL-2.0-only */
/* netpas switchover, netpas drain: asked for here, done by the daemon, and waited for. */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client.h"
#include "clock.h"

#define POLL_MS 10
#define SPARE_MS 5000 /* the daemon itself gives up in time, and says so */

/* --WORD are what the command knows; *ret_set has a bit for each that was given. Else 2. */
static int take_words(int argc, char **argv, const char *const *words, unsigned int *ret_set)
{
	unsigned int set = 0;

	for (int i = 1; i < argc; i++) {
		size_t w = 0;

		while (words[w] && strcmp(argv[i], words[w]))
			w++;
		if (!words[w]) {
			fprintf(stderr, "netpas: %s knows ", argv[0]);
			for (w = 0; words[w]; w++)
				fprintf(stderr, "%s%s", w ? " and " : "only ", words[w]);
			fprintf(stderr, ", got '%s'\n", argv[i]);
			return 2;
		}
		set |= 1u << w;
	}
	*ret_set = set;
	return 0;
}

static const char *text_of(json_t *answer, const char *key)
{
	const char *text = json_string_value(json_object_get(answer, key));

	return text ? text : "-";
}

static bool is(json_t *answer, const char *key, const char *value)
{
	return !strcmp(text_of(answer, key), value);
}

/* Until it is done or has failed; *answer is replaced by the last one. */
static int wait_for_end(const struct client_paths *paths, json_t **answer)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	const int64_t deadline = clock_now_ms() + SPARE_MS +
				 json_integer_value(json_object_get(*answer, "timeout_ms"));
	json_t *request = json_pack("{s:s}", "command", "handover");
	int rc = 0;

	while (!rc && is(*answer, "outcome", "none") && clock_now_ms() < deadline) {
		nanosleep(&pause, NULL);
		json_decref(*answer);
		*answer = NULL;
		rc = client_request(paths, request, answer);
	}
	json_decref(request);
	return rc;
}

static int print_outcome(json_t *answer, const char *what)
{
	const char *node = text_of(answer, "node"), *partner = text_of(answer, "partner");
	const double took_ms = json_number_value(json_object_get(answer, "took_ms"));
	const bool active = is(answer, "role", "active");

	if (!is(answer, "outcome", "done")) {
		fprintf(stderr,
			"netpas: %s: %s did not %s within %" JSON_INTEGER_FORMAT " ms: it is gone, "
			"worse off, drained or held; %s is %s as before%s\n",
			what, partner, active ? "take over" : "give way",
			json_integer_value(json_object_get(answer, "timeout_ms")), node,
			text_of(answer, "role"),
			json_is_true(json_object_get(answer, "drained")) ? ", and drained" : "");
		return CLIENT_UNDONE;
	}
	if (took_ms > 0)
		printf("%s: %s is active, %s is %s; it took %.1f ms\n", what,
		       active ? node : partner, active ? partner : node,
		       active ? "standby" : text_of(answer, "role"), took_ms);
	else
		printf("%s: %s is %s, as before\n", what, node, text_of(answer, "role"));
	return 0;
}

static int ask(const struct client_paths *paths, const char *command, bool force)
{
	json_t *request = json_pack("{s:s, s:b}", "command", command, "force", (int)force);
	json_t *answer = NULL;
	int rc = client_request(paths, request, &answer);

	json_decref(request);
	if (rc)
		return rc;
	rc = wait_for_end(paths, &answer);
	if (!rc)
		rc = print_outcome(answer, command);
	json_decref(answer);
	return rc;
}

int client_switchover(const struct client_paths *paths, int argc, char **argv)
{
	static const char *const words[] = { "--force", NULL };
	unsigned int set;
	int rc = take_words(argc, argv, words, &set);

	return rc ? rc : ask(paths, "switchover", set);
}

static int end_drain(const struct client_paths *paths)
{
	json_t *request = json_pack("{s:s, s:b}", "command", "drain", "end", 1);
	json_t *answer = NULL;
	int rc = client_request(paths, request, &answer);

	json_decref(request);
	if (rc)
		return rc;
	printf("drain: %s; this gateway is %s and stays that\n",
	       json_is_true(json_object_get(answer, "was_drained")) ? "ended" : "there was none",
	       text_of(answer, "role"));
	json_decref(answer);
	return 0;
}

int client_drain(const struct client_paths *paths, int argc, char **argv)
{
	enum {
		END,
		FORCE
	};
	static const char *const words[] = { [END] = "--end", [FORCE] = "--force", NULL };
	unsigned int set;
	int rc = take_words(argc, argv, words, &set);

	if (!rc && set == (1u << END | 1u << FORCE)) {
		fputs("netpas: drain takes --end or --force, not both\n", stderr);
		rc = 2;
	}
	if (rc)
		return rc;
	return set & 1u << END ? end_drain(paths) : ask(paths, "drain", set & 1u << FORCE);
}
