/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netpas sync: the partner gets this gateway's mesh.yaml.
 *
 *	check here -> check there -> show the difference -> store there -> reload there
 *	-> reload here, if the daemon here has another one in force -> both digests are asked for
 *
 * There first: if the new file has other keys, ports or addresses for the pair, the tunnel between
 * the two works only as long as both have the old one in force, and then again when both have the
 * new one. For the same reason a reload whose answer does not come is no failure yet.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "clock.h"
#include "config.h"
#include "control.h"
#include "difference.h"
#include "mesh_file.h"
#include "pair_channel.h"

#define ASK_MS 10000	 /* what needs no work */
#define CHECK_MS 60000	 /* of a large file */
#define RELOAD_MS 120000 /* and slow engines */
#define CONFIRM_MS 30000 /* handshakes anew, with WireGuard's pause after a failed one */
#define RETRY_MS 200

struct sync {
	const struct client_paths *paths;
	bool dry_run, yes;
	char self[CONFIG_NAME_MAX], partner[CONFIG_NAME_MAX];
	struct pair_ends ends;
	uint64_t in_force; /* digest here */
	bool agreed;	   /* the partner's last hello had that one too */
	struct mesh_file file;
	uint64_t digest; /* of that file */
};

/* "netpas: sync: MESSAGE" to stderr. Returns 1, the exit code. */
static int complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int complain(const char *fmt, ...)
{
	va_list args;

	fputs("netpas: sync: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return 1;
}

/* ---- this node ---- */

static int check_here(struct sync *s)
{
	struct diag_list *diags = diag_list_new();
	struct config *config = NULL;
	char path[512];
	int rc;

	snprintf(path, sizeof(path), "%s/" MESH_FILE, s->paths->config_dir);
	rc = diags ? mesh_file_read(s->paths->config_dir, &s->file) : -ENOMEM;
	if (rc) {
		complain("%s: %s; nothing was changed", path,
			 rc == -ELOOP ? "is a symbolic link" : strerror(-rc));
		goto out;
	}
	rc = config_load_with(s->paths->config_dir, path, s->file.text, s->file.len, diags,
			      &config);
	if (rc) {
		diag_print(diags, stderr);
		complain("%s is wrong for this node already; nothing was changed", path);
		goto out;
	}
	s->digest = config->digest;
	config_free(config);
out:
	diag_list_free(diags);
	return rc;
}

/* The answer of the daemon here; says itself what is wrong. */
static int ask_here(const struct sync *s, const char *command, json_t **ret_answer)
{
	json_t *answer = NULL;
	const char *error;
	int rc = control_request(s->paths->run_dir, command, RELOAD_MS, &answer);

	if (rc == -ENOENT || rc == -ECONNREFUSED)
		return complain("netpasd is not running here; start it");
	if (rc)
		return complain("%s here: %s", command, strerror(-rc));
	if (!json_is_true(json_object_get(answer, "ok"))) {
		error = json_string_value(json_object_get(answer, "error"));
		complain("%s here: %s", command, error ? error : "failed");
		json_decref(answer);
		return 1;
	}
	*ret_answer = answer;
	return 0;
}

static void copy_name(json_t *object, const char *key, char ret_name[static CONFIG_NAME_MAX])
{
	const char *name = json_string_value(json_object_get(object, key));

	snprintf(ret_name, CONFIG_NAME_MAX, "%s", name ? name : "?");
}

/* Of this node's status: where the partner is, and what is in force. */
static int learn(struct sync *s)
{
	json_t *answer, *status, *partner;
	const char *ifname;
	int rc = ask_here(s, "status", &answer);

	if (rc)
		return rc;
	status = json_object_get(answer, "status");
	partner = json_object_get(status, "partner");
	ifname = json_string_value(json_object_get(partner, "interface"));
	copy_name(status, "node", s->self);
	copy_name(partner, "name", s->partner);
	s->ends.self = (uint16_t)json_integer_value(json_object_get(status, "id"));
	s->ends.partner = (uint16_t)json_integer_value(json_object_get(partner, "id"));
	s->ends.port = (uint16_t)json_integer_value(json_object_get(partner, "port"));
	snprintf(s->ends.ifname, sizeof(s->ends.ifname), "%s", ifname ? ifname : "");
	s->agreed = json_is_true(json_object_get(partner, "config_matches"));
	rc = pair_number_get(json_object_get(status, "config"), "digest", &s->in_force);
	if (!ifname || !s->ends.partner)
		rc = complain("there is no other gateway at this site; a mesh.yaml goes to other "
			      "sites by other means");
	else if (rc)
		rc = complain("the netpasd here is of another version than this command");
	json_decref(answer);
	return rc;
}

/* ---- the partner ---- */

static const char *reason(int rc)
{
	switch (rc) {
	case -EACCES:
		return "only root may ask";
	case -ENODEV:
		return "there is no tunnel to it now";
	case -ECONNREFUSED:
		return "no netpasd listens there";
	case -EHOSTUNREACH:
		return "it does not answer on the LAN; 'netpas status' tells more, and if the two "
		       "files differ in keys, ids, LAN addresses or port_base of this pair, copy "
		       "the file by hand";
	case -ECONNABORTED:
	case -ECONNRESET:
	case -ETIMEDOUT:
		return "no answer came";
	case -EPROTO:
		return "it speaks another version; upgrade the older of the two";
	case -EBADMSG:
		return "its answer makes no sense";
	}
	return strerror(-rc);
}

/* The request may have been done or not. */
static bool is_lost(int rc)
{
	return rc == -ECONNABORTED || rc == -ECONNRESET || rc == -ETIMEDOUT || rc == -EPIPE;
}

/* Takes the request. 0, also for an answer that is an error, or -errno. */
static int ask(const struct sync *s, json_t *request, int timeout_ms, json_t **ret_answer)
{
	int rc = request ? pair_channel_ask(&s->ends, request, timeout_ms, ret_answer) : -ENOMEM;

	json_decref(request);
	return rc;
}

static bool is_good(json_t *answer)
{
	return json_is_true(json_object_get(answer, "ok"));
}

/* What the partner said was wrong. */
static void print_refusal(const struct sync *s, const char *what, json_t *answer)
{
	const char *error = json_string_value(json_object_get(answer, "error"));
	const char *diagnostics = json_string_value(json_object_get(answer, "diagnostics"));

	if (diagnostics)
		fprintf(stderr, "%s says:\n%s", s->partner, diagnostics);
	complain("%s on %s: %s", what, s->partner, error ? error : "failed");
}

/* 0; 1 with a message; -errno without, if no answer came that could be told from silence. */
static int demand(const struct sync *s, const char *what, json_t *request, int timeout_ms,
		  json_t **ret_answer)
{
	json_t *answer = NULL;
	int rc = ask(s, request, timeout_ms, &answer);

	if (rc && is_lost(rc))
		return rc;
	if (rc)
		return complain("%s on %s: %s", what, s->partner, reason(rc));
	if (!is_good(answer)) {
		print_refusal(s, what, answer);
		json_decref(answer);
		return 1;
	}
	*ret_answer = answer;
	return 0;
}

/* Its file, as the partner has it now. */
struct remote {
	char *path;
	struct mesh_file file;
	uint64_t in_force;
};

static void remote_fini(struct remote *remote)
{
	free(remote->path);
	mesh_file_fini(&remote->file);
}

static int remote_take(json_t *answer, struct remote *ret_remote)
{
	const char *path = json_string_value(json_object_get(answer, "path"));
	json_t *mesh = json_object_get(answer, "mesh");
	struct remote remote = { .file.len = json_string_length(mesh) };

	if (!path || !(json_is_string(mesh) || json_is_null(mesh)) ||
	    pair_number_get(answer, "hash", &remote.file.hash) ||
	    pair_number_get(answer, "digest", &remote.in_force))
		return -EBADMSG;
	remote.path = strdup(path);
	remote.file.text = malloc(remote.file.len + 1);
	if (!remote.path || !remote.file.text) {
		remote_fini(&remote);
		return -ENOMEM;
	}
	if (remote.file.len)
		memcpy(remote.file.text, json_string_value(mesh), remote.file.len);
	*ret_remote = remote;
	return 0;
}

static int remote_read(const struct sync *s, struct remote *ret_remote)
{
	json_t *answer;
	int rc = demand(s, "mesh.yaml", pair_request_new("mesh"), ASK_MS, &answer);

	if (rc)
		return rc < 0 ? complain("mesh.yaml of %s: %s", s->partner, reason(rc)) : rc;
	rc = remote_take(answer, ret_remote);
	json_decref(answer);
	return rc ? complain("mesh.yaml of %s: %s", s->partner, reason(rc)) : 0;
}

static json_t *mesh_request(const struct sync *s, const char *name)
{
	json_t *request = pair_request_new(name);

	/* It was checked here, so it is UTF-8. */
	if (request &&
	    json_object_set_new(request, "mesh", json_stringn(s->file.text, s->file.len))) {
		json_decref(request);
		return NULL;
	}
	return request;
}

static json_t *with_hash(json_t *request, const char *key, uint64_t hash)
{
	if (request && json_object_set_new(request, key, pair_number_new(hash))) {
		json_decref(request);
		return NULL;
	}
	return request;
}

static int check_there(const struct sync *s)
{
	json_t *answer;
	int rc = demand(s, "check", mesh_request(s, "check"), CHECK_MS, &answer);

	if (rc)
		return rc < 0 ? complain("check on %s: %s", s->partner, reason(rc)) : rc;
	json_decref(answer);
	return 0;
}

static int show_difference(const struct sync *s, const struct remote *remote)
{
	char from[600], to[600];
	int rc;

	snprintf(from, sizeof(from), "%s:%s", s->partner, remote->path);
	snprintf(to, sizeof(to), "%s:%s/" MESH_FILE, s->self, s->paths->config_dir);
	rc = difference_print(
		&(struct difference_text){ from, remote->file.text, remote->file.len },
		&(struct difference_text){ to, s->file.text, s->file.len }, stdout);
	return rc ? complain("%s", strerror(-rc)) : 0;
}

/* 0: yes, 1: no. */
static int confirm(const struct sync *s)
{
	char answer[16] = "";

	if (s->yes)
		return 0;
	printf("Give %s this file, and have it reloaded? [y/N] ", s->partner);
	fflush(stdout);
	if (fgets(answer, sizeof(answer), stdin) && (*answer == 'y' || *answer == 'Y'))
		return 0;
	return complain("nothing was changed");
}

static void pause_ms(long ms)
{
	const struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	(void)nanosleep(&time, NULL); /* a shorter pause is good too */
}

/* Ask for its file until there is an answer, without words. */
static int remote_wait(const struct sync *s, struct remote *ret_remote)
{
	const int64_t deadline = clock_now_ms() + CONFIRM_MS;
	json_t *answer;
	int rc;

	while ((rc = ask(s, pair_request_new("mesh"), ASK_MS, &answer)) != 0) {
		if (clock_now_ms() > deadline)
			return rc;
		pause_ms(RETRY_MS);
	}
	rc = is_good(answer) ? remote_take(answer, ret_remote) : -EBADMSG;
	json_decref(answer);
	return rc;
}

/* Its netpasd ended, or the tunnel, while it was at it: which file is there now? */
static int store_lost(const struct sync *s, int why)
{
	struct remote remote;
	bool stored;
	int rc = remote_wait(s, &remote);

	if (rc)
		return complain("store on %s: %s, nor since (%s); its mesh.yaml is the old one or "
				"the new one, and whole. Say 'netpas sync' again when it answers",
				s->partner, reason(why), reason(rc));
	stored = remote.file.hash == s->file.hash;
	remote_fini(&remote);
	if (stored)
		return 0;
	return complain("store on %s: %s; it has the old file. Nothing was changed", s->partner,
			reason(why));
}

static int store_there(const struct sync *s, const struct remote *remote)
{
	json_t *request = with_hash(mesh_request(s, "store"), "replaces", remote->file.hash);
	json_t *answer;
	int rc;

	if (remote->file.hash == s->file.hash)
		return 0; /* it has the file, and only another one in force */
	rc = demand(s, "store", request, CHECK_MS, &answer);
	if (rc < 0)
		return store_lost(s, rc);
	if (rc)
		return complain("nothing was changed");
	json_decref(answer);
	return 0;
}

/* After a reload that failed. The daemon there has the old one in force anyhow, or gets it back. */
static int take_back(const struct sync *s, const struct remote *remote, bool reload)
{
	json_t *answer = NULL;
	int rc = 0;

	if (remote->file.hash != s->file.hash) {
		rc = demand(s, "restore",
			    with_hash(pair_request_new("restore"), "stored", s->file.hash), ASK_MS,
			    &answer);
		json_decref(answer);
		answer = NULL;
	}
	if (!rc && reload) {
		rc = demand(s, "reload", pair_request_new("reload"), RELOAD_MS, &answer);
		json_decref(answer);
	}
	if (rc)
		return complain("%s keeps the new file; its old one is " MESH_FILE_OLD
				" beside it. Correct the cause and say 'netpas sync' again",
				s->partner);
	return complain("%s has its old file again; nothing was changed", s->partner);
}

/* *ret_silent: it was asked for, and no answer came. */
static int reload_there(const struct sync *s, const struct remote *remote, bool *ret_silent)
{
	json_t *answer;
	const char *text;
	int rc = demand(s, "reload", pair_request_new("reload"), RELOAD_MS, &answer);

	*ret_silent = rc < 0;
	if (rc < 0)
		return 0;
	if (rc)
		return take_back(s, remote, false);
	text = json_string_value(json_object_get(answer, "text"));
	printf("%s: stored and reloaded: %s", s->partner, text ? text : "\n");
	json_decref(answer);
	return 0;
}

static int reload_here(struct sync *s, const struct remote *remote)
{
	json_t *answer;
	const char *text;

	if (s->in_force == s->digest)
		return 0;
	if (ask_here(s, "reload", &answer))
		return take_back(s, remote, true);
	text = json_string_value(json_object_get(answer, "text"));
	printf("%s: reloaded: %s", s->self, text ? text : "\n");
	json_decref(answer);
	return learn(s); /* the pair may meet elsewhere now */
}

/* Until the partner says that it has this configuration in force. */
static int confirm_there(const struct sync *s)
{
	const int64_t deadline = clock_now_ms() + CONFIRM_MS;
	uint64_t digest = 0;
	int rc;

	for (;;) {
		json_t *answer = NULL;

		rc = ask(s, pair_request_new("status"), ASK_MS, &answer);
		if (!rc &&
		    pair_number_get(json_object_get(json_object_get(answer, "status"), "config"),
				    "digest", &digest))
			rc = -EBADMSG;
		json_decref(answer);
		if (!rc && digest == s->digest)
			return 0;
		if (clock_now_ms() > deadline)
			break;
		pause_ms(RETRY_MS);
	}
	if (rc)
		return complain("%s was given the file and does not say that it has it in force: "
				"%s. Look at 'netpas status' there",
				s->partner, reason(rc));
	return complain("%s has another mesh.yaml in force (%016" PRIx64 ", not %016" PRIx64
			"); 'netpas reload' there says why",
			s->partner, digest, s->digest);
}

/* And until it is heard here too: who asks for alarms next finds none. */
static int confirm_here(struct sync *s)
{
	const int64_t deadline = clock_now_ms() + CONFIRM_MS;
	int rc = learn(s);

	while (!rc && !s->agreed && clock_now_ms() < deadline) {
		pause_ms(RETRY_MS);
		rc = learn(s);
	}
	if (rc)
		return rc;
	if (s->in_force != s->digest)
		return complain("%s here has another mesh.yaml in force than its file", s->self);
	if (!s->agreed)
		return complain("%s has the file in force, but says no hello of it", s->partner);
	return 0;
}

static int finish(struct sync *s, const struct remote *remote)
{
	bool silent;
	int rc = store_there(s, remote);

	if (!rc)
		rc = reload_there(s, remote, &silent);
	if (!rc)
		rc = reload_here(s, remote);
	if (!rc)
		rc = confirm_there(s);
	if (!rc)
		rc = confirm_here(s);
	if (!rc)
		printf("%s and %s have the same mesh.yaml in force (%016" PRIx64 ")\n", s->self,
		       s->partner, s->digest);
	return rc;
}

static int sync_with(struct sync *s, const struct remote *remote)
{
	int rc;

	if (remote->file.hash == s->file.hash && remote->in_force == s->digest &&
	    s->in_force == s->digest) {
		printf("%s and %s have the same mesh.yaml in force (%016" PRIx64
		       "); nothing to do\n",
		       s->self, s->partner, s->digest);
		return 0;
	}
	rc = check_there(s);
	if (rc)
		return complain("nothing was changed");
	rc = show_difference(s, remote);
	if (rc)
		return rc;
	if (remote->in_force != s->digest && remote->file.hash == s->file.hash)
		printf("%s has this file, but another one in force: it is to be reloaded\n",
		       s->partner);
	if (s->in_force != s->digest)
		printf("%s has another one in force than this file: it is to be reloaded too\n",
		       s->self);
	if (s->dry_run)
		return 0;
	rc = confirm(s);
	return rc ? rc : finish(s, remote);
}

static int take_options(int argc, char **argv, struct sync *s)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--dry-run")) {
			s->dry_run = true;
		} else if (!strcmp(argv[i], "--yes")) {
			s->yes = true;
		} else {
			fprintf(stderr, "netpas: sync knows --dry-run and --yes, got '%s'\n",
				argv[i]);
			return 2;
		}
	}
	if (s->yes || s->dry_run || isatty(STDIN_FILENO))
		return 0;
	fputs("netpas: sync: nobody can be asked here; say --yes, or --dry-run to see what it "
	      "would do\n",
	      stderr);
	return 2;
}

int client_sync(const struct client_paths *paths, int argc, char **argv)
{
	struct sync s = { .paths = paths };
	struct remote remote;
	int rc = take_options(argc, argv, &s);

	if (rc)
		return rc;
	if (!check_here(&s) && !learn(&s) && !remote_read(&s, &remote)) {
		rc = sync_with(&s, &remote);
		remote_fini(&remote);
	} else {
		rc = 1;
	}
	mesh_file_fini(&s.file);
	return rc ? 1 : 0;
}
