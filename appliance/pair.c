/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests of the partner. To add one: a function, and a line in the table. They run in the
 * daemon's only thread, so one that takes long holds everything else up.
 */
#include "pair.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "daemon.h"
#include "event.h"
#include "mesh_file.h"
#include "pair_channel.h"
#include "rolling_node.h"
#include "status.h"
#include "switchover.h"
#include "wanted.h"

struct pair {
	struct pair_channel *channel;
	char problem[128];
};

/* ---- requests ---- */

static json_t *do_status(json_t *request, void *data)
{
	(void)request;
	return json_pack("{s:b, s:o}", "ok", 1, "status", status_make(data));
}

static json_t *file_error(const struct daemon *d, const char *what, int rc)
{
	const char *why = strerror(-rc);

	switch (rc) {
	case -ESTALE:
		why = "it was changed meanwhile; ask for it again";
		break;
	case -ELOOP:
		why = "it is a symbolic link, which is not replaced; put a file there";
		break;
	case -EISDIR:
		why = "it is no regular file";
		break;
	case -EFBIG:
		why = "it is too large";
		break;
	case -EROFS:
		why = "read-only file system (does the unit let netpasd write there?)";
		break;
	}
	return control_error("%s %s/" MESH_FILE ": %s", what, d->paths.config_dir, why);
}

static json_t *do_mesh(json_t *request, void *data)
{
	const struct daemon *d = data;
	struct mesh_file file;
	json_t *text = NULL, *answer;
	char path[512];
	int rc = mesh_file_read(d->paths.config_dir, &file);

	(void)request;
	if (rc)
		return file_error(d, "cannot read", rc);
	/* A file that is damaged is not shown, but is replaced like any other. */
	if (!memchr(file.text, '\0', file.len))
		text = json_stringn(file.text, file.len);
	snprintf(path, sizeof(path), "%s/" MESH_FILE, d->paths.config_dir);
	answer = json_pack("{s:b, s:s, s:o, s:o, s:o}", "ok", 1, "path", path, "mesh",
			   text ? text : json_null(), "hash", pair_number_new(file.hash), "digest",
			   pair_number_new(d->config->digest));
	mesh_file_fini(&file);
	return answer;
}

/* What the request has of a mesh.yaml; NULL: nothing. Borrowed. */
static const char *mesh_of(json_t *request, size_t *ret_len)
{
	json_t *mesh = json_object_get(request, "mesh");

	*ret_len = json_string_length(mesh);
	return json_string_value(mesh);
}

static json_t *refusal(const char *text)
{
	json_t *diagnostics = json_string(text);

	return json_pack("{s:b, s:s, s:o}", "ok", 0, "error", "it is refused here", "diagnostics",
			 diagnostics ? diagnostics : json_string("(not UTF-8)"));
}

/* 0, or the answer that says what is wrong with this mesh.yaml on this node. */
static int check_mesh(const struct daemon *d, const char *mesh, size_t len,
		      struct config **ret_config, json_t **ret_answer)
{
	struct diag_list *diags = diag_list_new();
	char *text = NULL;
	size_t size;
	FILE *out;
	int rc = -ENOMEM;

	if (diags)
		rc = config_load_with(d->paths.config_dir, MESH_FILE, mesh, len, diags, ret_config);
	out = rc == -EINVAL ? open_memstream(&text, &size) : NULL;
	if (out) {
		diag_print(diags, out);
		fclose(out);
	}
	if (rc)
		*ret_answer = text ? refusal(text) : control_error("%s", strerror(-rc));
	free(text);
	diag_list_free(diags);
	return rc;
}

static json_t *do_check(json_t *request, void *data)
{
	const struct daemon *d = data;
	struct config *config = NULL;
	json_t *answer = NULL;
	size_t len;
	const char *mesh = mesh_of(request, &len);

	if (!mesh)
		return control_error("check: there is no string \"mesh\"");
	if (check_mesh(d, mesh, len, &config, &answer))
		return answer;
	if (config->is_relay)
		answer = refusal("error: in it this gateway is a relay, which it cannot become "
				 "without 'netpas down'\n");
	else
		answer =
			json_pack("{s:b, s:o}", "ok", 1, "digest", pair_number_new(config->digest));
	config_free(config);
	return answer;
}

static json_t *do_store(json_t *request, void *data)
{
	const struct daemon *d = data;
	struct config *config = NULL;
	json_t *answer = NULL;
	uint64_t replaces;
	size_t len;
	const char *mesh = mesh_of(request, &len);
	int rc;

	if (!mesh || pair_number_get(request, "replaces", &replaces))
		return control_error("store: \"mesh\" and \"replaces\" are asked for");
	/* Whoever asks has checked it. A file that this node refuses is not for it all the same. */
	if (check_mesh(d, mesh, len, &config, &answer))
		return answer;
	config_free(config);
	rc = mesh_file_store(d->paths.config_dir, mesh, len, replaces);
	if (rc)
		return file_error(d, "cannot replace", rc);
	event_info(EVENT_SYNC,
		   "%s/" MESH_FILE
		   ": replaced by the partner's (%zu bytes), the old one is " MESH_FILE_OLD,
		   d->paths.config_dir, len);
	return json_pack("{s:b}", "ok", 1);
}

static json_t *do_restore(json_t *request, void *data)
{
	const struct daemon *d = data;
	uint64_t stored;
	int rc;

	if (pair_number_get(request, "stored", &stored))
		return control_error("restore: \"stored\" is asked for");
	rc = mesh_file_restore(d->paths.config_dir, stored);
	if (rc)
		return file_error(d, "cannot put back", rc);
	event_info(EVENT_SYNC, "%s/" MESH_FILE ": the old one is back", d->paths.config_dir);
	return json_pack("{s:b}", "ok", 1);
}

static json_t *do_reload(json_t *request, void *data)
{
	struct daemon *d = data;
	char *text = NULL;
	int rc = daemon_reload(d, &text);
	json_t *answer;

	(void)request;
	if (rc)
		answer = control_error("%s", text ? text : strerror(-rc));
	else
		answer = json_pack("{s:b, s:s, s:o}", "ok", 1, "text", text ? text : "", "digest",
				   pair_number_new(d->config->digest));
	free(text);
	return answer;
}

/* What this gateway's own command may ask for too. */
static json_t *do_command(json_t *request, void *data)
{
	const char *name = json_string_value(json_object_get(request, "request"));
	json_t *answer;

	if (switchover_command(data, name, request, &answer) ||
	    rolling_node_command(data, name, request, &answer))
		return answer;
	return control_error("%s: not known here", name);
}

static const struct pair_request requests[] = {
	{ "status", do_status },
	{ "mesh", do_mesh },
	{ "check", do_check },
	{ "store", do_store },
	{ "restore", do_restore },
	{ "reload", do_reload },
	{ "drain", do_command },
	{ "switchover", do_command },
	{ "handover", do_command },
	{ "rolling", do_command },
	{ "rolling-try", do_command },
	{ "rolling-restart", do_command },
	{ "rolling-release", do_command },
	{ "image-put", do_command },
	{ "image-write", do_command },
	{ "image-try", do_command },
};

/* ---- where it listens ---- */

static int listen_at(struct daemon *d, const struct config *config)
{
	const struct config_gateway *partner = config_partner(config);
	struct pair_ends ends = { .self = config_self_id(config) };
	int rc = 0;

	if (!d->pair->channel)
		rc = pair_channel_new(d->event, requests, sizeof(requests) / sizeof(requests[0]), d,
				      &d->pair->channel);
	if (rc)
		return rc;
	if (partner) {
		ends.partner = partner->id;
		ends.port = config->mesh.port_base;
		wanted_ifname(partner->id, 0, ends.ifname);
	}
	return pair_channel_listen(d->pair->channel, &ends);
}

void pair_configure(struct daemon *d, const struct config *config)
{
	char problem[sizeof(d->pair->problem)] = "";
	int rc;

	if (!d->pair)
		d->pair = calloc(1, sizeof(*d->pair));
	rc = d->pair ? listen_at(d, config) : -ENOMEM;
	if (rc)
		snprintf(problem, sizeof(problem), "cannot listen to the partner: %s",
			 strerror(-rc));
	if (!d->pair || !strcmp(problem, d->pair->problem))
		return;
	if (rc)
		event_error(EVENT_SYNC, "pair channel: %s", problem);
	memcpy(d->pair->problem, problem, sizeof(problem));
}

void pair_free(struct pair *pair)
{
	if (!pair)
		return;
	pair_channel_free(pair->channel);
	free(pair);
}

const char *pair_problem(const struct pair *pair)
{
	return pair ? pair->problem : "";
}
