/* SPDX-License-Identifier: GPL-2.0-only */
#include "web_model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct web_model {
	json_t *view;
	int64_t at_ms;
	json_t *samples; /* oldest first */
	int64_t sampled_ms;
};

/* Members of from, if it has them. */
static void pick(json_t *to, const json_t *from, const char *const keys[])
{
	for (; *keys; keys++) {
		json_t *value = json_object_get(from, *keys);

		if (value)
			json_object_set(to, *keys, value);
	}
}

#define PICK(TO, FROM, ...) pick(TO, FROM, (const char *const[]){ __VA_ARGS__, NULL })

static json_t *first_of(const json_t *array, size_t max)
{
	json_t *list = json_array(), *item;
	size_t i;

	json_array_foreach(array, i, item)
	{
		if (i < max)
			json_array_append(list, item);
	}
	return list;
}

/* ---- samples ---- */

static json_t *round_to(const json_t *value, double unit)
{
	return json_is_number(value)
		       ? json_real((double)(int64_t)(json_number_value(value) / unit + 0.5) * unit)
		       : json_null();
}

static json_t *sample_paths(json_t *peers)
{
	json_t *sample = json_object(), *peer, *path;
	size_t i, j;
	char key[96];

	json_array_foreach(peers, i, peer)
	{
		const char *name = json_string_value(json_object_get(peer, "peer"));

		json_array_foreach(json_object_get(peer, "paths"), j, path)
		{
			const json_t *loss = json_object_get(path, "loss_3s");

			snprintf(key, sizeof(key), "%s/%lld", name ? name : "",
				 (long long)json_integer_value(json_object_get(path, "path")));
			if (!json_is_true(json_object_get(path, "alive"))) {
				json_object_set_new(sample, key, json_null());
				continue;
			}
			json_object_set_new(
				sample, key,
				json_pack("[o, o, o]",
					  round_to(json_object_get(json_object_get(path, "rtt_ms"),
								   "last"),
						   0.01),
					  round_to(json_object_get(loss, "out_percent"), 0.1),
					  round_to(json_object_get(loss, "in_percent"), 0.1)));
		}
	}
	return sample;
}

/* All lanes to a gateway together. */
static json_t *sample_peers(json_t *tunnels)
{
	json_t *sample = json_object(), *tunnel, *sum;
	size_t i;

	json_array_foreach(tunnels, i, tunnel)
	{
		const char *name = json_string_value(json_object_get(tunnel, "peer"));
		json_int_t rx = json_integer_value(json_object_get(tunnel, "rx_bytes"));
		json_int_t tx = json_integer_value(json_object_get(tunnel, "tx_bytes"));

		sum = json_object_get(sample, name ? name : "");
		rx += json_integer_value(json_array_get(sum, 0));
		tx += json_integer_value(json_array_get(sum, 1));
		json_object_set_new(sample, name ? name : "", json_pack("[I, I]", rx, tx));
	}
	return sample;
}

static void take_sample(struct web_model *m)
{
	json_t *status = json_object_get(m->view, "status");
	json_t *peers = json_object_get(json_object_get(m->view, "paths"), "peers");

	if (m->sampled_ms && m->at_ms - m->sampled_ms < WEB_MODEL_INTERVAL_S * 1000 - 500)
		return;
	m->sampled_ms = m->at_ms;
	json_array_append_new(m->samples,
			      json_pack("[f, o, o]", (double)m->at_ms / 1000, sample_paths(peers),
					sample_peers(json_object_get(status, "tunnels"))));
	if (json_array_size(m->samples) > WEB_MODEL_SAMPLES)
		json_array_remove(m->samples, 0);
}

/* ---- what the page shows ---- */

static json_t *page_tunnels(json_t *tunnels)
{
	json_t *list = json_array(), *tunnel, *entry;
	size_t i;

	json_array_foreach(tunnels, i, tunnel)
	{
		entry = json_object();
		PICK(entry, tunnel, "interface", "peer", "site", "class", "alive", "role", "rtt_ms",
		     "mtu", "handshake_age_s", "generation");
		json_array_append_new(list, entry);
	}
	return list;
}

static json_t *page_paths(json_t *paths)
{
	json_t *list = json_array(), *path, *entry;
	size_t i;

	json_array_foreach(paths, i, path)
	{
		const json_t *rtt = json_object_get(path, "rtt_ms");
		const json_t *loss = json_object_get(path, "loss_60s");

		entry = json_object();
		PICK(entry, path, "path", "relay", "local", "remote", "alive", "state", "why",
		     "order", "rank", "payload");
		json_object_set_new(entry, "jitter",
				    round_to(json_object_get(rtt, "jitter"), 0.01));
		json_object_set_new(entry, "p50", round_to(json_object_get(rtt, "p50"), 0.01));
		json_object_set_new(entry, "p99", round_to(json_object_get(rtt, "p99"), 0.01));
		json_object_set_new(entry, "out",
				    round_to(json_object_get(loss, "out_percent"), 0.01));
		json_object_set_new(entry, "in",
				    round_to(json_object_get(loss, "in_percent"), 0.01));
		json_array_append_new(list, entry);
	}
	return list;
}

static json_t *page_peers(json_t *peers)
{
	json_t *list = json_array(), *peer, *entry;
	size_t i;

	json_array_foreach(peers, i, peer)
	{
		entry = json_object();
		PICK(entry, peer, "peer", "class", "path", "second", "reason", "since_s");
		json_object_set_new(entry, "paths", page_paths(json_object_get(peer, "paths")));
		json_array_append_new(list, entry);
	}
	return list;
}

/* Only those that count something. */
static void add_drops(json_t *to, json_t *from)
{
	const char *name;
	json_t *counter;

	json_object_foreach(from, name, counter)
	{
		if (!strncmp(name, "drop_", 5) &&
		    json_integer_value(json_object_get(counter, "packets")))
			json_object_set(to, name + 5, json_object_get(counter, "packets"));
	}
}

static json_t *page_faults(json_t *faults)
{
	json_t *list = json_array(), *fault, *entry;
	size_t i;

	json_array_foreach(faults, i, fault)
	{
		const char *state = json_string_value(json_object_get(fault, "state"));

		if (!state || !strcmp(state, "ok"))
			continue;
		entry = json_object();
		PICK(entry, fault, "title", "state", "severity", "counts", "reason", "since_s");
		json_array_append_new(list, entry);
	}
	return list;
}

static json_int_t bytes_of(const json_t *pair)
{
	return json_integer_value(json_object_get(pair, "out_bytes")) +
	       json_integer_value(json_object_get(pair, "in_bytes"));
}

/* The pairs of subnets with the most bytes, those first. */
static json_t *busiest(const json_t *pairs)
{
	json_t *list = json_array(), *pair;
	size_t i;

	json_array_foreach(pairs, i, pair)
	{
		size_t at = json_array_size(list);

		while (at && bytes_of(json_array_get(list, at - 1)) < bytes_of(pair))
			at--;
		if (at < WEB_MODEL_PAIRS)
			json_array_insert(list, at, pair);
		if (json_array_size(list) > WEB_MODEL_PAIRS)
			json_array_remove(list, WEB_MODEL_PAIRS);
	}
	return list;
}

static json_t *page_usage(const json_t *usage)
{
	json_t *page = json_object();

	PICK(page, usage, "month", "all", "day");
	json_object_set_new(page, "sites",
			    first_of(json_object_get(usage, "sites"), WEB_MODEL_SITES));
	json_object_set_new(page, "pairs", busiest(json_object_get(usage, "pairs")));
	return page;
}

static json_t *make_page(const struct web_model *m)
{
	json_t *status = json_object_get(m->view, "status"), *page = json_object();
	json_t *counters = json_object_get(status, "counters");
	json_t *peers = json_object_get(json_object_get(m->view, "paths"), "peers");
	json_t *drops = json_object(), *forwarded = json_object();

	json_object_set_new(page, "t", json_real((double)m->at_ms / 1000));
	PICK(page, status, "node", "site", "role", "generation", "version", "engine", "ha", "vips",
	     "problems", "sites", "partner", "cloud", "relayed", "config");
	PICK(page, m->view, "mesh", "drills");
	PICK(forwarded, counters, "to_mesh", "from_mesh");
	add_drops(drops, counters);
	add_drops(drops, json_object_get(m->view, "drops"));
	json_object_set_new(page, "drops", drops);
	json_object_set_new(page, "forwarded", forwarded);
	json_object_set_new(
		page, "faults",
		page_faults(json_object_get(json_object_get(status, "health"), "faults")));
	json_object_set_new(page, "tunnels", page_tunnels(json_object_get(status, "tunnels")));
	json_object_set_new(page, "peers", page_peers(peers));
	json_object_set_new(page, "now",
			    json_pack("[o, o]", sample_paths(peers),
				      sample_peers(json_object_get(status, "tunnels"))));
	json_object_set_new(page, "events",
			    first_of(json_object_get(m->view, "events"), WEB_MODEL_EVENTS));
	if (json_object_get(m->view, "usage"))
		json_object_set_new(page, "usage", page_usage(json_object_get(m->view, "usage")));
	return page;
}

/* ---- events ---- */

/* Adds an event to text, which is freed if that fails. A line's end never appears in JSON. */
static char *add_event(char *text, const char *name, const json_t *json)
{
	char *data = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(13)) : NULL;
	char *all = NULL;

	if (data && asprintf(&all, "%sevent: %s\ndata: %s\n\n", text ? text : "", name, data) < 0)
		all = NULL;
	free(data);
	free(text);
	return all;
}

static char *add_page(const struct web_model *m, char *text)
{
	json_t *page = make_page(m);
	char *all = add_event(text, "view", page);

	json_decref(page);
	return all;
}

char *web_model_events(const struct web_model *m)
{
	return m->view ? add_page(m, NULL) : strdup(": nothing yet\n\n");
}

char *web_model_first(const struct web_model *m)
{
	char *text = strdup("retry: 1000\n\n");

	if (text)
		text = add_event(text, "history", m->samples);
	if (text && m->view)
		text = add_page(m, text);
	return text;
}

/* ---- the whole ---- */

void web_model_take(struct web_model *m, json_t *view, int64_t now_ms)
{
	json_decref(m->view);
	m->view = view;
	m->at_ms = now_ms;
	take_sample(m);
}

json_t *web_model_view(const struct web_model *m)
{
	return m->view;
}

int web_model_new(struct web_model **ret_model)
{
	struct web_model *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->samples = json_array();
	if (!m->samples) {
		web_model_free(m);
		return -ENOMEM;
	}
	*ret_model = m;
	return 0;
}

void web_model_free(struct web_model *m)
{
	if (!m)
		return;
	json_decref(m->view);
	json_decref(m->samples);
	free(m);
}
