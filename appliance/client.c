/* SPDX-License-Identifier: GPL-2.0-only */
/* The commands that talk to the daemon. */
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "cloud_agent.h"
#include "control.h"
#include "paths_text.h"
#include "status.h"
#include "teardown.h"
#include "wrap.h"

/* Reloads of large configurations and slow engines take their time. */
#define TIMEOUT_MS 120000

static bool daemon_absent(int rc)
{
	return rc == -ENOENT || rc == -ECONNREFUSED;
}

int client_request(const struct client_paths *paths, json_t *request, json_t **ret_answer)
{
	const char *command = json_string_value(json_object_get(request, "command"));
	json_t *answer = NULL;
	int rc = control_exchange(paths->run_dir, request, TIMEOUT_MS, &answer);

	if (daemon_absent(rc)) {
		fprintf(stderr,
			"netpas: netpasd is not running (nothing listens on %s/" CONTROL_SOCKET ");"
			" start it, or give its run directory with -r\n",
			paths->run_dir);
		return 1;
	}
	if (rc) {
		fprintf(stderr, "netpas: asking netpasd: %s\n", strerror(-rc));
		return 1;
	}
	if (!json_is_true(json_object_get(answer, "ok"))) {
		const char *error = json_string_value(json_object_get(answer, "error"));
		const bool refused = json_is_true(json_object_get(answer, "refused"));

		fprintf(stderr, "netpas: %s: %s", command, error ? error : "failed");
		if (!error || !*error || error[strlen(error) - 1] != '\n')
			fputc('\n', stderr);
		json_decref(answer);
		return refused ? CLIENT_REFUSED : 1;
	}
	*ret_answer = answer;
	return 0;
}

static int request(const struct client_paths *paths, const char *command, json_t **ret_answer)
{
	json_t *object = json_pack("{s:s}", "command", command);
	int rc = object ? client_request(paths, object, ret_answer) : 1;

	json_decref(object);
	return rc;
}

/* A command without arguments whose answer is a text. */
static int text_command(const struct client_paths *paths, const char *command, int argc,
			char **argv)
{
	json_t *answer;
	const char *text;

	if (argc > 1) {
		fprintf(stderr, "netpas: %s takes no argument, got '%s'\n", command, argv[1]);
		return 2;
	}
	if (request(paths, command, &answer))
		return 1;
	text = json_string_value(json_object_get(answer, "text"));
	fputs(text ? text : "", stdout);
	json_decref(answer);
	return 0;
}

/* A view: as JSON with --json, else as text. */
static int view_command(const struct client_paths *paths, const char *command, int argc,
			char **argv, void (*print)(json_t *view, FILE *out))
{
	const bool json = argc == 2 && !strcmp(argv[1], "--json");
	json_t *answer, *view;

	if (argc > 1 && !json) {
		fprintf(stderr, "netpas: %s knows only --json, got '%s'\n", command, argv[1]);
		return 2;
	}
	if (request(paths, command, &answer))
		return 1;
	view = json_object_get(answer, command);
	if (json) {
		json_dumpf(view, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		struct wrap wrap;

		if (wrap_open(&wrap))
			print(view, wrap.stream);
		wrap_close(&wrap, stdout);
	}
	json_decref(answer);
	return 0;
}

static void print_status(json_t *status, FILE *out)
{
	status_print(status, wrap_colour(), out);
}

int client_status(const struct client_paths *paths, int argc, char **argv)
{
	return view_command(paths, "status", argc, argv, print_status);
}

int client_paths(const struct client_paths *paths, int argc, char **argv)
{
	return view_command(paths, "paths", argc, argv, paths_print);
}

int client_drops(const struct client_paths *paths, int argc, char **argv)
{
	return view_command(paths, "drops", argc, argv, drops_print);
}

int client_plan(const struct client_paths *paths, int argc, char **argv)
{
	return text_command(paths, "plan", argc, argv);
}

int client_reload(const struct client_paths *paths, int argc, char **argv)
{
	return text_command(paths, "reload", argc, argv);
}

int client_cloud(const struct client_paths *paths, int argc, char **argv)
{
	char program[PATH_MAX];

	if (argc != 2 || strcmp(argv[1], "check")) {
		fprintf(stderr, "netpas: 'netpas cloud check' is what there is\n");
		return 2;
	}
	child_program("netpas-cloud", program);
	execlp(program, program, "check", paths->config_dir, NULL);
	fprintf(stderr, "netpas: %s: %s\n", program, strerror(errno));
	return 1;
}

int client_setup(const struct client_paths *paths, int argc, char **argv)
{
	char program[PATH_MAX];

	(void)paths; /* it writes to the data partition, wherever that is seen */
	if (argc != 1) {
		fprintf(stderr, "netpas: setup takes no argument, got '%s'\n", argv[1]);
		return 2;
	}
	child_program("netpas-provision", program);
	execlp(program, program, "setup", NULL);
	fprintf(stderr, "netpas: %s: %s\n", program, strerror(errno));
	return 1;
}

int client_down(const struct client_paths *paths, int argc, char **argv)
{
	const struct daemon_paths daemon_paths = { paths->config_dir, paths->run_dir,
						   paths->state_dir };
	char error[KERNEL_ERROR_LEN] = "";
	json_t *answer = NULL;
	int rc;

	if (argc > 1) {
		fprintf(stderr, "netpas: down takes no argument, got '%s'\n", argv[1]);
		return 2;
	}
	/* Asked first: with a daemon there, it takes itself down; else it is done from here. */
	rc = control_request(paths->run_dir, "ping", TIMEOUT_MS, &answer);
	json_decref(answer);
	if (!daemon_absent(rc))
		return text_command(paths, "down", argc, argv);
	if (argc > 1) {
		fprintf(stderr, "netpas: down takes no argument, got '%s'\n", argv[1]);
		return 2;
	}
	rc = teardown_offline(&daemon_paths, error);
	if (rc) {
		fprintf(stderr, "netpas: down: %s\n", *error ? error : strerror(-rc));
		return 1;
	}
	return 0;
}
