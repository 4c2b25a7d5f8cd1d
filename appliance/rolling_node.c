/* SPDX-License-Identifier: GPL-2.0-only */
#include "rolling_node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <systemd/sd-event.h>

#include "clock.h"
#include "control.h"
#include "daemon.h"
#include "event.h"
#include "event_log.h"
#include "hello.h"
#include "image_node.h"
#include "installed.h"
#include "log.h"
#include "pair_message.h"
#include "status.h"
#include "steering.h"

#define ANSWER_US 50000u /* so long the answer has to get away before the restart */

/* The run that this gateway belongs to, or belonged to and did not see the end of. */
struct lease {
	uint64_t run; /* 0: none */
	uint64_t until_us;
	json_t *hold; /* what it said of itself */
};

struct rolling_node {
	struct daemon *daemon;
	struct installed *installed;
	struct sd_event_source *restart;
	struct lease lease;
	uint64_t instance;
	bool keep_engines;
};

static const char *text_of(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "?";
}

static bool is_draining(const struct daemon *d)
{
	return vrrp_claim(d->vrrp).flags & HELLO_FLAG_DRAINING;
}

static json_t *refusal(const char *reason)
{
	json_t *answer = control_error("refused: %s", reason);

	json_object_set_new(answer, "refused", json_true());
	return answer;
}

/* ---- the lease ---- */

static bool is_held(const struct rolling_node *node)
{
	return node->lease.run && node->lease.until_us > clock_now_us();
}

/* What is known of it and no more, as it is kept; NULL: it is none. */
static json_t *hold_copy(json_t *hold)
{
	const char *kind = text_of(hold, "kind"), *by = text_of(hold, "by");
	uint64_t run, first, second;

	if (pair_number_get(hold, "run", &run) || !run ||
	    pair_number_get(hold, "before_first", &first) ||
	    pair_number_get(hold, "before_second", &second))
		return NULL;
	return json_pack("{s:o, s:s, s:s, s:o, s:o, s:b, s:b}", "run", pair_number_new(run), "kind",
			 strcmp(kind, "upgrade") ? "restart" : kind, "by",
			 strlen(by) < CONFIG_NAME_MAX ? by : "?", "before_first",
			 pair_number_new(first), "before_second", pair_number_new(second),
			 "second_was_active",
			 json_is_true(json_object_get(hold, "second_was_active")), "leaves",
			 json_is_true(json_object_get(hold, "leaves")));
}

/* NULL, or the answer that says who is at it. */
static json_t *take_lease(struct rolling_node *node, json_t *asked)
{
	struct lease *lease = &node->lease;
	json_t *hold = hold_copy(asked);
	char reason[256];
	uint64_t run = 0;

	if (!hold || pair_number_get(hold, "run", &run)) {
		json_decref(hold);
		return control_error("rolling: \"hold\" needs \"run\", \"before_first\" and "
				     "\"before_second\"");
	}
	if (is_held(node) && run != lease->run) {
		snprintf(reason, sizeof(reason),
			 "a rolling %.16s is under way, asked for on %.64s; if nobody runs it any "
			 "more, it is over in %d s",
			 text_of(lease->hold, "kind"), text_of(lease->hold, "by"), ROLLING_LEASE_S);
		json_decref(hold);
		return refusal(reason);
	}
	if (run != lease->run)
		event_info(EVENT_ROLLING, "rolling %.16s: idle -> under way (asked for on %.64s)",
			   text_of(hold, "kind"), text_of(hold, "by"));
	json_decref(lease->hold);
	lease->hold = hold;
	lease->run = run;
	lease->until_us = clock_now_us() + ROLLING_LEASE_S * 1000000ull;
	return NULL;
}

static void drop_lease(struct rolling_node *node)
{
	json_decref(node->lease.hold);
	node->lease = (struct lease){ 0 };
}

static bool has_lease(const struct rolling_node *node, json_t *request)
{
	uint64_t run;

	return is_held(node) && !pair_number_get(request, "run", &run) && run == node->lease.run;
}

/* ---- what there is to know ---- */

/* Of the live remote gateways, those that hear the partner claim: packets for this site go there. */
static void count_remotes(const struct daemon *d, json_t *rolling)
{
	const struct beacon_peer *partner = beacon_partner(d->beacon), *peers;
	unsigned int remotes = 0, agreeing = 0;
	size_t n;

	peers = beacon_peers(d->beacon, &n);
	for (size_t i = 0; i < n; i++) {
		if (!peers[i].alive)
			continue;
		remotes++;
		agreeing += partner && partner->alive && partner->active &&
			    peers[i].flags & HELLO_FLAG_RIVAL && peers[i].rival_generation &&
			    peers[i].rival_generation >= partner->generation;
	}
	json_object_set_new(rolling, "remotes", json_integer(remotes));
	json_object_set_new(rolling, "agreeing", json_integer(agreeing));
	json_object_set_new(rolling, "partner_drained",
			    json_boolean(partner && partner->flags & HELLO_FLAG_DRAINING));
}

/* Of a remote gateway without which a trial here would be judged wrongly, if there is one. */
static void find_far(const struct daemon *d, json_t *rolling)
{
	const struct beacon_peer *partner = beacon_partner(d->beacon), *peers;
	size_t n;

	peers = beacon_peers(d->beacon, &n);
	for (size_t i = 0; i < n; i++) {
		const struct config_site *site = &d->config->mesh.sites[peers[i].site];
		const bool drained = peers[i].flags & HELLO_FLAG_DRAINING;

		if ((partner && peers[i].id == partner->id) || (peers[i].alive && !drained))
			continue;
		json_object_set_new(rolling, "far",
				    json_sprintf("%s of %s is %s",
						 site->gateways[peers[i].gateway].name, site->name,
						 peers[i].alive ? "drained" : "not heard"));
		return;
	}
}

static unsigned int live_paths(const struct daemon *d)
{
	json_t *paths = steering_paths(d->steering), *peer, *path;
	unsigned int alive = 0;
	size_t i, j;

	json_array_foreach(json_object_get(paths, "peers"), i, peer)
		json_array_foreach(json_object_get(peer, "paths"), j, path) alive +=
		json_is_true(json_object_get(path, "alive"));
	json_decref(paths);
	return alive;
}

static json_t *do_rolling(struct daemon *d, json_t *request)
{
	struct rolling_node *node = d->rolling;
	json_t *hold = json_object_get(request, "hold"), *rolling, *image;
	json_t *answer = hold ? take_lease(node, hold) : NULL;

	if (answer)
		return answer;
	rolling = json_pack("{s:o, s:{s:s, s:o}, s:o, s:b, s:i}", "instance",
			    pair_number_new(node->instance), "running", "version", NETPAS_VERSION,
			    "build", pair_number_new(installed_running()), "installed",
			    installed_status(node->installed), "held", (int)is_held(node), "paths",
			    (int)live_paths(d));
	count_remotes(d, rolling);
	find_far(d, rolling);
	image = image_node_status(d);
	if (image)
		json_object_set_new(rolling, "image", image);
	if (node->lease.hold)
		json_object_set(rolling, "record", node->lease.hold);
	return json_pack("{s:b, s:o, s:o}", "ok", 1, "rolling", rolling, "status", status_make(d));
}

static json_t *do_try(struct daemon *d, json_t *request)
{
	(void)request;
	(void)installed_try(d->rolling->installed); /* "rolling" tells what came of it */
	return json_pack("{s:b}", "ok", 1);
}

static json_t *do_release(struct daemon *d, json_t *request)
{
	struct rolling_node *node = d->rolling;

	if (!has_lease(node, request))
		return json_pack("{s:b}", "ok", 1); /* nothing of it is here */
	if (json_is_true(json_object_get(request, "finished"))) {
		event_info(EVENT_ROLLING, "rolling %.16s: under way -> over (asked for on %.64s)",
			   text_of(node->lease.hold, "kind"), text_of(node->lease.hold, "by"));
		drop_lease(node);
	} else {
		const char *why = json_string_value(json_object_get(request, "reason"));

		event_warning(EVENT_ROLLING,
			      "rolling %.16s: under way -> half-way (asked for on %.64s%s%.300s)",
			      text_of(node->lease.hold, "kind"), text_of(node->lease.hold, "by"),
			      why ? "; " : "", why ? why : "");
		node->lease.until_us = 0;
	}
	return json_pack("{s:b}", "ok", 1);
}

/* ---- the restart ---- */

static int restart_due(struct sd_event_source *source, uint64_t usec, void *data)
{
	struct rolling_node *node = data;
	struct daemon *d = node->daemon;
	char why[160];

	(void)source;
	(void)usec;
	log_info("restart: ending keepalived%s; then on as what is installed",
		 node->keep_engines ? "" : " and engines");
	vrrp_stop(d->vrrp, d->config);
	for (size_t i = 0; !node->keep_engines && i < d->applied->n_tunnels; i++) {
		const struct state_tunnel *tunnel = &d->applied->tunnels[i];
		const int rc = tunnel->engine == STATE_ENGINE_USER
				       ? engines_stop(d->kernel.engines, tunnel->ifname)
				       : 0;

		if (rc)
			log_warning("engine %s: %s; it goes on", tunnel->ifname, strerror(-rc));
	}
	snprintf(why, sizeof(why), "rolling %.16s, asked for on %.64s; keepalived%s end and begin",
		 text_of(node->lease.hold, "kind"), text_of(node->lease.hold, "by"),
		 node->keep_engines ? "" : " and engines");
	event_log_restart(why);
	return sd_event_exit(d->event, DAEMON_RESTART);
}

/* NULL, or why customers would notice. */
static const char *stands_by(const struct daemon *d)
{
	const struct beacon_peer *partner = beacon_partner(d->beacon);

	if (!is_draining(d))
		return "this gateway is not drained";
	if (role_holds(vrrp_role(d->vrrp)))
		return "this gateway is active";
	if (!partner || !partner->alive || !partner->active)
		return "the other gateway is not heard to be active";
	return NULL;
}

/* NULL, or why customers would notice, or it would not come back. */
static const char *objection(const struct daemon *d)
{
	const char *why = stands_by(d);

	if (why)
		return why;
	if (!installed_good(d->rolling->installed))
		return "what is installed was not tried, or not with success";
	return NULL;
}

static json_t *do_restart(struct daemon *d, json_t *request)
{
	struct rolling_node *node = d->rolling;
	const char *why = has_lease(node, request) ? objection(d)
						   : "it is not asked for by a run that holds it";

	if (!why && node->restart)
		why = "it restarts already";
	if (why)
		return refusal(why);
	node->keep_engines = json_is_true(json_object_get(request, "keep_engines"));
	if (sd_event_add_time_relative(d->event, &node->restart, CLOCK_MONOTONIC, ANSWER_US, 1000,
				       restart_due, node) < 0)
		return control_error("out of memory");
	return json_pack("{s:b}", "ok", 1);
}

/* ---- the machine's image ---- */

static json_t *do_image(struct daemon *d, json_t *request)
{
	const char *what = json_string_value(json_object_get(request, "request"));
	struct rolling_node *node = d->rolling;
	const char *why = NULL;

	what = what ? what : json_string_value(json_object_get(request, "command"));
	if (!has_lease(node, request))
		why = "it is not asked for by a run that holds it";
	else if (!strcmp(what, "image-put"))
		return image_node_put(d, request);
	else if (!strcmp(what, "image-write"))
		return image_node_write(d, request, node->lease.run);
	else
		why = stands_by(d);
	return why ? refusal(why) : image_node_try(d, request, node->lease.run);
}

bool rolling_node_command(struct daemon *d, const char *command, json_t *request,
			  json_t **ret_answer)
{
	static const struct {
		const char *name;
		json_t *(*handle)(struct daemon *d, json_t *request);
	} commands[] = {
		{ "rolling", do_rolling },	   { "rolling-try", do_try },
		{ "rolling-restart", do_restart }, { "rolling-release", do_release },
		{ "image-put", do_image },	   { "image-write", do_image },
		{ "image-try", do_image },
	};

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(command, commands[i].name))
			continue;
		*ret_answer = d->config->is_relay
				      ? refusal("this is a relay; only gateways are pairs")
				      : commands[i].handle(d, request);
		return true;
	}
	return false;
}

/* ---- status ---- */

void rolling_node_problems(const struct daemon *d, json_t *problems)
{
	const struct rolling_node *node = d->rolling;
	const struct beacon_peer *partner;

	if (d->config->is_relay || !node->lease.run || is_held(node))
		return;
	partner = beacon_partner(d->beacon);
	if (!is_draining(d) && !(partner && partner->flags & HELLO_FLAG_DRAINING))
		return;
	if (json_is_true(json_object_get(node->lease.hold, "leaves"))) {
		json_array_append_new(
			problems, json_sprintf("rolling %.16s: %.64s, which runs it, restarts, and "
					       "goes on with it by itself",
					       text_of(node->lease.hold, "kind"),
					       text_of(node->lease.hold, "by")));
		return;
	}
	json_array_append_new(
		problems,
		json_sprintf(
			"rolling %.16s, asked for on %.64s, has ended half-way; say it again to "
			"go on from there, or end the drain",
			text_of(node->lease.hold, "kind"), text_of(node->lease.hold, "by")));
}

/* ---- start and end ---- */

int rolling_node_new(struct daemon *d, struct rolling_node **ret_node)
{
	struct rolling_node *node = calloc(1, sizeof(*node));
	int rc;

	if (!node)
		return -ENOMEM;
	node->daemon = d;
	if (getrandom(&node->instance, sizeof(node->instance), 0) != sizeof(node->instance)) {
		free(node);
		return -EIO;
	}
	rc = installed_new(d->event, d->paths.config_dir, d->paths.run_dir, &node->installed);
	if (rc) {
		free(node);
		return rc;
	}
	*ret_node = node;
	return 0;
}

void rolling_node_free(struct rolling_node *node)
{
	if (!node)
		return;
	sd_event_source_disable_unref(node->restart);
	installed_free(node->installed);
	json_decref(node->lease.hold);
	free(node);
}
