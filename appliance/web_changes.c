/* SPDX-License-Identifier: GPL-2.0-only */
#include "web_changes.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct finder {
	web_changes_fn *found;
	void *data;
};

static void say(const struct finder *f, const char *kind, const char *what, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static void say(const struct finder *f, const char *kind, const char *what, const char *fmt, ...)
{
	char text[400];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args); /* a cut text is better than none */
	va_end(args);
	f->found(kind, what, text, f->data);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* The member of an array whose key says the same as in like. */
static json_t *find_like(json_t *array, const char *key, const json_t *like)
{
	const json_t *wanted = json_object_get(like, key);
	json_t *item;
	size_t i;

	json_array_foreach(array, i, item)
	{
		if (wanted && json_equal(json_object_get(item, key), wanted))
			return item;
	}
	return NULL;
}

static bool differs(const json_t *a, const json_t *b, const char *key)
{
	const json_t *was = json_object_get(a, key), *is = json_object_get(b, key);

	return (was || is) && !json_equal(was, is);
}

static bool is_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

static void find_role(const struct finder *f, const json_t *before, const json_t *after)
{
	const char *role = text_of(after, "role");

	if (differs(before, after, "role"))
		say(f, !strcmp(role, "active") || !strcmp(role, "standby") ? "note" : "bad", "role",
		    "%s: %s, was %s (generation %lld)", text_of(after, "node"), role,
		    text_of(before, "role"),
		    (long long)json_integer_value(json_object_get(after, "generation")));
	if (differs(json_object_get(before, "config"), json_object_get(after, "config"), "loaded"))
		say(f, "note", "config", "configuration %s is in force",
		    text_of(json_object_get(after, "config"), "digest"));
}

/* Another gateway: alive or not, and its role. */
static void find_peer(const struct finder *f, const char *name, const json_t *before,
		      const json_t *after)
{
	if (differs(before, after, "alive"))
		say(f, is_true(after, "alive") ? "good" : "bad", "peer", "%s %s", name,
		    is_true(after, "alive") ? "is heard again" : "is not heard any more");
	if (differs(before, after, "role"))
		say(f, "note", "role", "%s: %s, was %s", name, text_of(after, "role"),
		    text_of(before, "role"));
}

static void find_peers(const struct finder *f, json_t *before, json_t *after)
{
	json_t *tunnels = json_object_get(after, "tunnels"), *tunnel, *old;
	json_t *partner = json_object_get(after, "partner");
	size_t i;

	json_array_foreach(tunnels, i, tunnel)
	{
		old = find_like(json_object_get(before, "tunnels"), "interface", tunnel);
		/* Of several lanes to a gateway the first one tells. */
		if (old && find_like(tunnels, "peer", tunnel) == tunnel)
			find_peer(f, text_of(tunnel, "peer"), old, tunnel);
	}
	if (json_is_object(partner) && json_is_object(json_object_get(before, "partner")))
		find_peer(f, text_of(partner, "name"), json_object_get(before, "partner"), partner);
}

static void find_sites(const struct finder *f, json_t *before, json_t *after)
{
	json_t *site, *old;
	size_t i;

	json_array_foreach(json_object_get(after, "sites"), i, site)
	{
		old = find_like(json_object_get(before, "sites"), "name", site);
		if (old && differs(old, site, "gateway") && *text_of(site, "gateway"))
			say(f, "note", "site", "site %s is reached by %s, was %s (%s)",
			    text_of(site, "name"), text_of(site, "gateway"),
			    text_of(old, "gateway"), text_of(site, "reason"));
	}
}

static const char *path_text(const json_t *path, char buf[static 160])
{
	const char *relay = text_of(path, "relay");

	snprintf(buf, 160, "%s to %s%s%s", text_of(path, "local"), text_of(path, "remote"),
		 *relay ? " via " : "", relay);
	return buf;
}

static void find_path_states(const struct finder *f, const char *peer, json_t *before,
			     json_t *after)
{
	json_t *path, *old;
	char text[160];
	size_t i;

	json_array_foreach(after, i, path)
	{
		const char *state = text_of(path, "state"), *was;

		old = find_like(before, "path", path);
		was = text_of(old, "state");
		if (!old || !strcmp(state, was) || !strcmp(was, "unknown"))
			continue;
		say(f, !strcmp(state, "up") ? "good" : "bad", "path", "%s, path %s: %s (%s)", peer,
		    path_text(path, text), state, text_of(path, "why"));
	}
}

static void find_paths(const struct finder *f, json_t *before, json_t *after)
{
	json_t *peer, *old, *used;
	char text[160];
	size_t i;

	json_array_foreach(json_object_get(after, "peers"), i, peer)
	{
		old = find_like(json_object_get(before, "peers"), "peer", peer);
		if (!old)
			continue;
		find_path_states(f, text_of(peer, "peer"), json_object_get(old, "paths"),
				 json_object_get(peer, "paths"));
		used = json_array_get(json_object_get(peer, "paths"),
				      (size_t)json_integer_value(json_object_get(peer, "path")));
		if (differs(old, peer, "path") && used &&
		    !json_is_null(json_object_get(old, "path")))
			say(f, "note", "path", "%s goes by %s (%s)", text_of(peer, "peer"),
			    path_text(used, text), text_of(peer, "reason"));
	}
}

static bool lists(json_t *problems, const json_t *problem)
{
	json_t *item;
	size_t i;

	json_array_foreach(problems, i, item)
	{
		if (json_equal(item, problem))
			return true;
	}
	return false;
}

static void find_problems(const struct finder *f, json_t *before, json_t *after)
{
	json_t *problem;
	size_t i;

	json_array_foreach(after, i, problem)
	{
		if (json_is_string(problem) && !lists(before, problem))
			say(f, "bad", "problem", "%s", json_string_value(problem));
	}
	if (json_array_size(before) && !json_array_size(after))
		say(f, "good", "problem", "no problem is left");
}

static void find_drills(const struct finder *f, json_t *before, json_t *after)
{
	json_t *drill = json_array_get(after, 0);

	if (drill && json_array_size(before) && !find_like(before, "id", drill))
		say(f, !strcmp(text_of(drill, "verdict"), "pass") ? "good" : "bad", "drill",
		    "drill %s: %s", text_of(drill, "scenario"), text_of(drill, "verdict"));
}

void web_changes_find(json_t *before, json_t *after, web_changes_fn *found, void *data)
{
	const struct finder finder = { found, data };
	json_t *was = json_object_get(before, "status"), *is = json_object_get(after, "status");

	if (!json_is_object(was) || !json_is_object(is))
		return;
	find_role(&finder, was, is);
	find_peers(&finder, was, is);
	find_sites(&finder, was, is);
	find_paths(&finder, json_object_get(before, "paths"), json_object_get(after, "paths"));
	find_problems(&finder, json_object_get(was, "problems"), json_object_get(is, "problems"));
	find_drills(&finder, json_object_get(before, "drills"), json_object_get(after, "drills"));
}
