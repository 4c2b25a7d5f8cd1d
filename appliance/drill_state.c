/* SPDX-License-Identifier: GPL-2.0-only */
#include "drill_state.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "control.h"

#define TIMEOUT_MS 2000

static const struct config_site *find_site(const struct config *config, uint16_t number)
{
	for (size_t i = 0; i < config->mesh.n_sites; i++)
		if (config_site_number(&config->mesh.sites[i]) == number)
			return &config->mesh.sites[i];
	return NULL;
}

/* A new reference; NULL: no good answer. */
static json_t *ask(const char *run_dir, const char *command)
{
	json_t *answer = NULL, *view;

	if (control_request(run_dir, command, TIMEOUT_MS, &answer))
		return NULL;
	view = json_incref(json_object_get(answer, command));
	json_decref(answer);
	return view;
}

static const char *member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* The gateway of the site that the status says is used. */
static const char *followed_in(const json_t *status, const struct config_site *site)
{
	json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(status, "sites"), i, entry)
	{
		if (site && !strcmp(member(entry, "name"), site->name))
			return member(entry, "gateway");
	}
	return "";
}

static void count_tunnels(const json_t *status, json_t *state)
{
	json_int_t n = 0, alive = 0;
	json_t *tunnel;
	size_t i;

	json_array_foreach(json_object_get(status, "tunnels"), i, tunnel)
	{
		n++;
		alive += json_is_true(json_object_get(tunnel, "alive"));
	}
	json_object_set_new(state, "tunnels", json_integer(n));
	json_object_set_new(state, "tunnels_alive", json_integer(alive));
}

static void count_paths(const json_t *paths, const char *followed, json_t *state)
{
	json_int_t alive = 0, relays = 0;
	json_t *peer, *path;
	size_t i, j;

	json_array_foreach(json_object_get(paths, "peers"), i, peer)
	{
		if (strcmp(member(peer, "peer"), followed))
			continue;
		json_array_foreach(json_object_get(peer, "paths"), j, path)
		{
			if (!json_is_true(json_object_get(path, "alive")))
				continue;
			alive++;
			relays += json_is_string(json_object_get(path, "relay"));
		}
	}
	json_object_set_new(state, "paths_alive", json_integer(alive));
	json_object_set_new(state, "relays_alive", json_integer(relays));
}

/* Which gateway of each other site is used: {"site": "gateway"}. */
static json_t *make_follows(const json_t *status)
{
	json_t *follows = json_object(), *entry;
	size_t i;

	json_array_foreach(json_object_get(status, "sites"), i, entry)
	{
		if (*member(entry, "gateway"))
			json_object_set_new(follows, member(entry, "name"),
					    json_string(member(entry, "gateway")));
	}
	return follows;
}

/* Packets by what became of them: what the filter counts, and what the programs drop. */
static json_t *make_counters(const json_t *status, const char *run_dir)
{
	json_t *counters = json_object(), *drops = ask(run_dir, "drops"), *value;
	const char *name;

	json_object_foreach(json_object_get(status, "counters"), name, value)
		json_object_set(counters, name, json_object_get(value, "packets"));
	json_object_foreach(drops, name, value)
	{
		if (!strncmp(name, "drop_", 5))
			json_object_set(counters, name, json_object_get(value, "packets"));
	}
	json_decref(drops);
	return counters;
}

json_t *drill_state_make(const struct config *config, const char *run_dir, uint16_t site)
{
	json_t *status = ask(run_dir, "status");
	json_t *paths = status ? ask(run_dir, "paths") : NULL;
	json_t *state, *problems, *dataplane;

	if (!status)
		return json_pack("{s:b, s:s}", "answers", 0, "node", config->node.name);
	problems = json_object_get(status, "problems");
	dataplane = json_object_get(status, "dataplane");
	state = json_pack("{s:b, s:s, s:s, s:s, s:I, s:s, s:s, s:I, s:s, s:b, s:s}", "answers", 1,
			  "node", member(status, "node"), "role", member(status, "role"), "version",
			  member(status, "version"), "generation",
			  json_integer_value(json_object_get(status, "generation")), "digest",
			  member(json_object_get(status, "config"), "digest"), "engine",
			  member(status, "engine"), "problems",
			  (json_int_t)json_array_size(problems), "problem",
			  json_array_size(problems) ? json_string_value(json_array_get(problems, 0))
						    : "",
			  "programs", json_is_true(json_object_get(dataplane, "on")), "followed",
			  followed_in(status, find_site(config, site)));
	if (state) {
		count_tunnels(status, state);
		count_paths(paths, member(state, "followed"), state);
		json_object_set_new(state, "counters", make_counters(status, run_dir));
		json_object_set_new(state, "follows", make_follows(status));
	}
	json_decref(status);
	json_decref(paths);
	return state;
}

static void copy(const json_t *state, const char *name, char *buf, size_t size)
{
	snprintf(buf, size, "%s", member(state, name));
}

static unsigned int number(const json_t *state, const char *name)
{
	const json_int_t value = json_integer_value(json_object_get(state, name));

	return value > 0 && value < 100000 ? (unsigned int)value : 0;
}

void drill_state_facts(const json_t *state, struct drill_node_facts *ret_facts)
{
	*ret_facts = (struct drill_node_facts){
		.answers = json_is_true(json_object_get(state, "answers")),
		.problems = number(state, "problems"),
		.tunnels = number(state, "tunnels"),
		.tunnels_alive = number(state, "tunnels_alive"),
		.paths_alive = number(state, "paths_alive"),
		.relays_alive = number(state, "relays_alive"),
		.programs = json_is_true(json_object_get(state, "programs")),
	};
	copy(state, "node", ret_facts->name, sizeof(ret_facts->name));
	copy(state, "role", ret_facts->role, sizeof(ret_facts->role));
	copy(state, "version", ret_facts->version, sizeof(ret_facts->version));
	copy(state, "digest", ret_facts->digest, sizeof(ret_facts->digest));
	copy(state, "engine", ret_facts->engine, sizeof(ret_facts->engine));
	copy(state, "problem", ret_facts->problem, sizeof(ret_facts->problem));
}

json_t *drill_state_paths(const struct config *config, const char *run_dir, uint16_t site)
{
	json_t *status = ask(run_dir, "status");
	json_t *paths = status ? ask(run_dir, "paths") : NULL;

	if (paths)
		json_object_set_new(paths, "followed",
				    json_string(followed_in(status, find_site(config, site))));
	json_decref(status);
	return paths;
}

/* Append a change, if it is not older. ago_s is as of now. */
static void add_change(json_t *changes, const json_t *entry, uint64_t now_us, uint64_t since_us,
		       const char *what)
{
	const double ago_s = json_number_value(json_object_get(entry, "ago_s"));
	const uint64_t ago_us = ago_s > 0 ? (uint64_t)(ago_s * 1e6) : 0;
	const uint64_t at_us = now_us > ago_us ? now_us - ago_us : 0;

	if (at_us >= since_us)
		json_array_append_new(
			changes, json_pack("{s:I, s:s}", "at_us", (json_int_t)at_us, "what", what));
}

static void add_path_changes(json_t *changes, const json_t *peer, const json_t *path,
			     uint64_t now_us, uint64_t since_us)
{
	const char *relay = member(path, "relay");
	char what[256];
	json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(path, "history"), i, entry)
	{
		snprintf(what, sizeof(what), "path %lld to %s (%s): %s -> %s (%s)",
			 (long long)json_integer_value(json_object_get(path, "path")),
			 member(peer, "peer"), *relay ? relay : member(path, "remote"),
			 member(entry, "from"), member(entry, "to"), member(entry, "why"));
		add_change(changes, entry, now_us, since_us, what);
	}
}

json_t *drill_state_changes(const json_t *paths, uint64_t since_us)
{
	const uint64_t now_us = clock_now_us();
	json_t *changes = json_array();
	json_t *peer, *path, *entry;
	char what[256];
	size_t i, j;

	json_array_foreach(json_object_get(paths, "peers"), i, peer)
	{
		json_array_foreach(json_object_get(peer, "history"), j, entry)
		{
			snprintf(what, sizeof(what), "to %s: path %lld -> %lld (%s)",
				 member(peer, "peer"),
				 (long long)json_integer_value(json_object_get(entry, "from")),
				 (long long)json_integer_value(json_object_get(entry, "to")),
				 member(entry, "why"));
			add_change(changes, entry, now_us, since_us, what);
		}
		json_array_foreach(json_object_get(peer, "paths"), j, path)
			add_path_changes(changes, peer, path, now_us, since_us);
	}
	return changes;
}
