/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One thread, one event loop. Everything that changes the kernel goes through one of
 *	converge	start, reload, repair: read, compare, apply, roll back on failure
 *	follow		a remote site's active gateway changed: its routes are replaced, nothing else
 * and d->applied always says what the kernel was last brought to.
 */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include "choices.h"
#include "clock.h"
#include "cloud_agent.h"
#include "command.h"
#include "control.h"
#include "drill_agent.h"
#include "engine_setting.h"
#include "event.h"
#include "event_log.h"
#include "health_monitor.h"
#include "identity.h"
#include "log.h"
#include "mtu.h"
#include "pair.h"
#include "partner_mac.h"
#include "realtime.h"
#include "rolling_node.h"
#include "route.h"
#include "rundir.h"
#include "steering.h"
#include "switchover.h"
#include "teardown.h"
#include "usage_agent.h"
#include "wanted.h"
#include "watch.h"
#include "web_agent.h"

#define REPAIR_DELAY_US 20000u	      /* lets a burst of events become one repair */
#define REPAIR_INTERVAL_US 1000000u   /* between two repairs at the least */
#define REPAIR_MAX_DELAY_US 30000000u /* after many failures */
#define CHECK_INTERVAL_US 3000000u    /* between two looks at what changes without an event */

/* A message to hand to somebody else; NULL if out of memory. */
static char *text_new(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static char *text_new(const char *fmt, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	va_end(args);
	return text;
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

/* ---- configuration ---- */

/* *ret_text (may stay NULL): the diagnostics as text. */
static int load_config(const char *dir, struct config **ret_config, char **ret_text)
{
	struct diag_list *diags = diag_list_new();
	size_t size = 0;
	FILE *out;
	int rc;

	if (!diags)
		return -ENOMEM;
	realtime_pause();
	rc = config_load(dir, diags, ret_config);
	realtime_resume();
	if (rc) {
		out = open_memstream(ret_text, &size);
		if (out) {
			diag_print(diags, out);
			fclose(out);
		}
	}
	diag_list_free(diags);
	return rc;
}

static int make_wanted(const struct config *config, const struct daemon_choice *choices,
		       enum state_engine engine, struct state **ret_state)
{
	size_t *gateways = calloc(config->mesh.n_sites, sizeof(*gateways));
	int rc;

	if (!gateways)
		return -ENOMEM;
	for (size_t i = 0; i < config->mesh.n_sites; i++)
		gateways[i] = choices[i].gateway;
	rc = wanted_make(config, gateways, engine, ret_state);
	free(gateways);
	return rc;
}

/* ---- following the active gateway of a remote site ---- */

static void note_applied_route(struct daemon *d, const struct state_route *route)
{
	for (size_t i = 0; i < d->applied->n_routes; i++)
		if (!state_route_compare(&d->applied->routes[i], route))
			d->applied->routes[i] = *route;
}

static void route_site(struct daemon *d, size_t site)
{
	struct state *routes = state_new();
	int rc = routes ? wanted_site_routes(d->config, site, d->choices[site].gateway, routes)
			: -ENOMEM;

	if (!rc)
		mtu_limit(d, d->config, routes);
	for (size_t i = 0; !rc && i < routes->n_routes; i++) {
		note_applied_route(d, &routes->routes[i]);
		if (route_replace(d->kernel.route, &routes->routes[i]))
			daemon_repair_soon(d, "a route could not be replaced");
	}
	if (rc)
		log_error("site %s: %s", d->config->mesh.sites[site].name, strerror(-rc));
	state_free(routes);
}

static void site_changed(size_t site, void *data)
{
	struct daemon *d = data;
	const struct config_site *remote = &d->config->mesh.sites[site];
	struct follow_gateway gateways[2] = { 0 };
	struct daemon_choice *choice = &d->choices[site];
	const size_t before = choice->gateway;
	const struct beacon_peer *peers;
	size_t n;

	peers = beacon_peers(d->beacon, &n);
	for (size_t i = 0; i < n; i++) {
		if (peers[i].site != site)
			continue;
		gateways[peers[i].gateway] = (struct follow_gateway){
			.id = peers[i].id,
			.alive = peers[i].alive,
			.active = peers[i].active,
			.generation = peers[i].generation,
		};
	}
	health_monitor_look(d->health);
	choice->gateway = follow_choose(gateways, remote->n_gateways, (int)before, &choice->reason);
	if (choice->gateway == before)
		return;
	steering_announce(d->steering);
	event_info(EVENT_FOLLOW, "site %s: gateway %s -> %s (%s)", remote->name,
		   remote->gateways[before].name, remote->gateways[choice->gateway].name,
		   follow_reason_names[choice->reason]);
	route_site(d, site);
}

/* ---- role ---- */

/* What this node says of itself, in hellos and in probes. */
static struct role_claim tell_self(void *data)
{
	const struct daemon *d = data;
	struct role_claim claim = vrrp_claim(d->vrrp);

	claim.active = claim.active && !health_monitor_isolated(d->health);
	return claim;
}

void daemon_announce(struct daemon *d)
{
	const struct role *role = vrrp_role(d->vrrp);

	/* One that is overruled still claims, for its own side of the LAN; a cloud has one side. */
	cloud_agent_role(d->cloud,
			 role->state == ROLE_ACTIVE && !health_monitor_isolated(d->health),
			 role->generation);
	if (d->beacon)
		beacon_announce(d->beacon);
	steering_announce(d->steering);
}

static void role_changed(const struct role *role, enum role_state before, void *data)
{
	(void)role;
	(void)before;
	daemon_announce(data);
}

static bool site_has(const struct config_site *site, uint16_t id)
{
	for (size_t i = 0; i < site->n_gateways; i++)
		if (site->gateways[i].id == id)
			return true;
	return false;
}

/* By ids: the site may be one of a configuration that is about to be taken. */
static uint16_t followed(const struct config_site *site, uint64_t *ret_seen, void *data)
{
	const struct daemon *d = data;
	const struct beacon_peer *peers;
	size_t n;

	peers = beacon_peers(d->beacon, &n);
	*ret_seen = 0;
	for (size_t i = 0; i < n; i++)
		if (site_has(site, peers[i].id) && peers[i].generation > *ret_seen)
			*ret_seen = peers[i].generation;
	for (size_t i = 0; i < d->config->mesh.n_sites; i++) {
		const uint16_t id = d->config->mesh.sites[i].gateways[d->choices[i].gateway].id;

		if (site_has(site, id))
			return id;
	}
	return site->gateways[0].id;
}

static enum beacon_lane lane_state(uint16_t peer_id, uint8_t lane, unsigned int ifindex, void *data)
{
	const struct daemon *d = data;

	return beacon_lane(d->beacon, peer_id, lane, ifindex);
}

static void lane_changed(void *data)
{
	const struct daemon *d = data;

	steering_announce(d->steering);
}

static uint16_t tell_mtu(uint16_t node, void *data)
{
	return mtu_in_force(data, node);
}

static void mtu_changed(void *data)
{
	mtu_settle(data);
}

static void generation_seen(uint64_t generation, void *data)
{
	struct daemon *d = data;

	vrrp_seen(d->vrrp, generation);
	switchover_hear(d);
}

/* ---- converging and repairing ---- */

/* What needs links and routes in place: path choice, hellos and VRRP. Called after every successful converge. */
static int configure_services(struct daemon *d, const struct config *config)
{
	int rc = 0;

	steering_configure(d->steering, config);
	web_agent_configure(d->web, config);
	rc = health_monitor_configure(d->health, config);
	if (rc || config->is_relay)
		return rc;
	drill_agent_configure(d->drills, config);
	rc = beacon_configure(d->beacon, config);
	if (rc) {
		log_error("hellos on port %u: %s", config->mesh.port_base, strerror(-rc));
		return rc;
	}
	pair_configure(d, config);
	usage_agent_configure(d->usage, config);
	rc = vrrp_configure(d->vrrp, config);
	if (rc)
		log_error("keepalived: %s", strerror(-rc));
	else
		cloud_agent_configure(d->cloud, config);
	return rc;
}

static int repair(struct daemon *d)
{
	const char *what = d->repaired_us ? "repair" : "start";
	size_t steps = 0;
	int rc;

	d->repaired_us = clock_now_us();
	rc = kernel_converge(&d->kernel, d->applied, d->applied, &steps, d->problem);
	if (!rc) {
		rc = configure_services(d, d->config);
		mtu_settle(d);
		if (rc)
			snprintf(d->problem, sizeof(d->problem), "hellos or VRRP: %s",
				 strerror(-rc));
	}
	if (rc) {
		d->failures++;
		event_error(EVENT_REPAIR, "%s: %s", what, d->problem);
		return rc;
	}
	d->failures = 0;
	d->problem[0] = '\0';
	if (steps)
		event_info(EVENT_REPAIR, "%s: %zu change%s made%s%s", what, steps, plural(steps),
			   d->repair_reason ? ": " : "", d->repair_reason ? d->repair_reason : "");
	d->repair_reason = NULL;
	return 0;
}

static int repair_due(struct sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon *d = data;

	(void)usec;
	d->repair = sd_event_source_unref(source);
	if (repair(d))
		daemon_repair_soon(d, NULL);
	return 0;
}

void daemon_repair_soon(struct daemon *d, const char *reason)
{
	const uint64_t since = clock_now_us() - d->repaired_us;
	uint64_t delay = REPAIR_DELAY_US;

	if (reason)
		log_debug("repair: due (%s)", reason);
	if (reason && !d->repair_reason)
		d->repair_reason = reason;
	if (d->repair)
		return;
	if (since < REPAIR_INTERVAL_US)
		delay = REPAIR_INTERVAL_US - since;
	if (!reason && d->failures)
		delay = REPAIR_INTERVAL_US << (d->failures < 5 ? d->failures : 5);
	if (delay > REPAIR_MAX_DELAY_US)
		delay = REPAIR_MAX_DELAY_US;
	if (sd_event_add_time_relative(d->event, &d->repair, CLOCK_MONOTONIC, delay, 1000,
				       repair_due, d) < 0)
		log_error("repair: out of memory, not done");
}

static void kernel_changed(const char *reason, void *data)
{
	daemon_repair_soon(data, reason);
}

static int check_due(struct sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon *d = data;

	(void)usec;
	if (!d->repair && kernel_drifted(&d->kernel, d->applied))
		daemon_repair_soon(d, "a tunnel or a setting is not as it should be");
	steering_check(d->steering);
	sd_event_source_set_time_relative(source, CHECK_INTERVAL_US);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

static void engine_exited(const char *ifname, int status, void *data)
{
	struct daemon *d = data;

	if (status != -1 && WIFSIGNALED(status))
		event_error(EVENT_ENGINE, "engine %s: killed by signal %d; restarting it", ifname,
			    WTERMSIG(status));
	else
		event_error(EVENT_ENGINE, "engine %s: ended; restarting it", ifname);
	daemon_repair_soon(d, "an engine ended");
}

/* ---- reload ---- */

struct candidate {
	struct config *config;
	struct daemon_choice *choices;
	struct state *wanted;
	struct engine_setting setting;
};

static void candidate_free(struct candidate *candidate)
{
	config_free(candidate->config);
	free(candidate->choices);
	state_free(candidate->wanted);
}

static int candidate_load(struct daemon *d, struct candidate *ret_candidate, char **ret_text)
{
	struct candidate candidate = { 0 };
	const char *error = NULL;
	int rc;

	rc = load_config(d->paths.config_dir, &candidate.config, ret_text);
	if (rc)
		return rc;
	if (d->config && d->config->is_relay != candidate.config->is_relay) {
		rc = -EINVAL;
		error = "a gateway cannot become a relay, nor a relay a gateway, by a reload; "
			"'netpas down' and a new start do that";
		goto err;
	}
	rc = engine_setting_make(&d->kernel, candidate.config, d->paths.state_dir,
				 &candidate.setting, &error);
	if (rc)
		goto err;
	candidate.choices = choices_carry(d, candidate.config);
	rc = -ENOMEM;
	if (!candidate.choices)
		goto err;
	if (!d->config)
		choices_adopt(&d->kernel, candidate.config, candidate.choices);
	rc = make_wanted(candidate.config, candidate.choices, candidate.setting.engine,
			 &candidate.wanted);
	if (!rc)
		rc = partner_mac_carry(d, candidate.config, candidate.wanted);
	if (rc)
		goto err;
	if (d->config)
		mtu_limit(d, candidate.config, candidate.wanted);
	else
		mtu_adopt(&d->kernel, candidate.config, candidate.wanted);
	*ret_candidate = candidate;
	return 0;

err:
	*ret_text = text_new("%s\n", error ? error : strerror(-rc));
	candidate_free(&candidate);
	return rc;
}

/* Which program engines are started with from now on; those that run stay what they are. */
static void engine_program(struct daemon *d, const struct config *config)
{
	engines_choose(d->kernel.engines, config->node.engine == CONFIG_ENGINE_WIREGUARD_GO);
}

/* Said when it is another one, or for another reason. */
static void engine_take(struct daemon *d, const struct engine_setting *setting)
{
	if (*setting->damage)
		event_warning(EVENT_ENGINE,
			      "%s/" ENGINE_RECORD_FILE " is damaged and ignored: %s; 'netpas "
			      "bench engine' makes it again",
			      d->paths.state_dir, setting->damage);
	if (!d->config->is_relay && strcmp(d->engine_reason, setting->reason))
		event_info(EVENT_ENGINE, "engine: %s (%s)", state_engine_names[setting->engine],
			   setting->reason);
	d->engine = setting->engine;
	memcpy(d->engine_reason, setting->reason, sizeof(d->engine_reason));
}

static void candidate_take(struct daemon *d, struct candidate *candidate)
{
	config_free(d->config);
	free(d->choices);
	state_free(d->applied);
	d->config = candidate->config;
	d->choices = candidate->choices;
	d->applied = candidate->wanted;
	engine_take(d, &candidate->setting);
	d->loaded_s = time(NULL);
	d->failures = 0;
	d->problem[0] = '\0';
	watch_set_lan(d->watch, d->config->node.lan);
	malloc_trim(0); /* the trees of a large configuration are gone */
}

static int reload(struct daemon *d, char **ret_text)
{
	char error[KERNEL_ERROR_LEN];
	struct candidate candidate;
	size_t steps = 0;
	bool differs;
	int rc;

	rc = candidate_load(d, &candidate, ret_text);
	if (rc)
		return rc;
	engine_program(d, candidate.config);
	rc = kernel_converge(&d->kernel, candidate.wanted, d->applied, &steps, error);
	if (rc) {
		engine_program(d, d->config);
		*ret_text = text_new("%s\n", error);
		goto err;
	}
	rc = configure_services(d, candidate.config);
	if (rc) {
		engine_program(d, d->config);
		/* Hellos and VRRP of the old configuration, and its data plane. */
		if (configure_services(d, d->config) ||
		    kernel_converge(&d->kernel, d->applied, d->applied, NULL, error))
			daemon_repair_soon(d, "a reload could not be undone at once");
		*ret_text = text_new("hellos or VRRP: %s; rolled back\n", strerror(-rc));
		goto err;
	}
	differs = !config_same(d->config, candidate.config);
	candidate_take(d, &candidate);
	mtu_settle(d);
	*ret_text = steps     ? text_new("%zu change%s applied\n", steps, plural(steps))
		    : differs ? text_new("taken; links, routes and filter are as they were\n")
			      : text_new("nothing changed\n");
	return 0;

err:
	candidate_free(&candidate);
	return rc;
}

int daemon_reload(struct daemon *d, char **ret_text)
{
	const unsigned long long before = d->config->digest;
	char *text = NULL;
	int rc = reload(d, &text);

	if (rc)
		event_error(EVENT_CONFIG, "reload: refused, the configuration in force stays:\n%s",
			    text ? text : strerror(-rc));
	else
		event_info(EVENT_CONFIG, "reload: mesh.yaml: %016llx -> %016llx (%.*s)", before,
			   (unsigned long long)d->config->digest,
			   text ? (int)strcspn(text, "\n") : 0, text ? text : "");
	*ret_text = text;
	return rc;
}

int daemon_plan(struct daemon *d, char **ret_text)
{
	struct candidate candidate;
	struct state *running = NULL;
	struct plan *plan = NULL;
	size_t size;
	FILE *out;
	int rc;

	rc = candidate_load(d, &candidate, ret_text);
	if (rc)
		return rc;
	rc = kernel_read(&d->kernel, candidate.wanted, &running);
	if (!rc)
		rc = plan_make(running, candidate.wanted, &plan);
	if (!rc) {
		out = open_memstream(ret_text, &size);
		if (out) {
			plan_print(plan, out);
			fclose(out);
		}
		plan_free(plan);
	}
	state_free(running);
	candidate_free(&candidate);
	return rc;
}

/* ---- start and end ---- */

int daemon_down(struct daemon *d, char error[static KERNEL_ERROR_LEN])
{
	int rc;

	log_info("down: taking everything away");
	watch_free(d->watch);
	d->watch = NULL;
	d->repair = sd_event_source_disable_unref(d->repair);
	d->check = sd_event_source_disable_unref(d->check);
	health_monitor_free(d->health);
	d->health = NULL;
	beacon_free(d->beacon);
	d->beacon = NULL;
	if (!d->config->is_relay)
		vrrp_stop(d->vrrp, d->config);
	(void)steering_down(d->steering); /* logs what is left; the rest is to go all the same */
	usage_agent_stop(d->usage);	  /* now that nothing counts any more */
	rc = teardown(&d->kernel, d->paths.run_dir, error);
	if (rc)
		event_error(EVENT_DAEMON, "down: %s", error);
	event_log_end("taken down");
	(void)sd_event_exit(d->event, rc ? 1 : 0); /* fails only if the loop is over anyway */
	return rc;
}

int daemon_start(struct sd_event *event, const struct daemon_paths *paths,
		 struct daemon **ret_daemon)
{
	const struct vrrp_paths vrrp_paths = { paths->run_dir, paths->state_dir };
	struct beacon_handlers handlers = {
		.self = tell_self,
		.site_changed = site_changed,
		.seen = generation_seen,
		.partner_mac = partner_mac_told,
		.lane_changed = lane_changed,
	};
	struct steering_handlers steering_handlers = {
		.self = tell_self,
		.followed = followed,
		.lane = lane_state,
		.mtu_in_force = tell_mtu,
		.mtu_changed = mtu_changed,
	};
	struct daemon *d = calloc(1, sizeof(*d));
	char log_dir[4096], *text = NULL;
	struct candidate candidate;
	int rc;

	if (!d)
		return -ENOMEM;
	d->event = event;
	d->paths = *paths;
	handlers.data = d;
	steering_handlers.data = d;
	d->lock = rundir_lock(paths->run_dir, paths->state_dir);
	if (d->lock < 0) {
		rc = d->lock;
		log_error("%s: %s", paths->run_dir,
			  rc == -EBUSY ? "another netpasd is running" : strerror(-rc));
		goto err;
	}
	snprintf(log_dir, sizeof(log_dir), "%s/log", paths->run_dir);
	rc = event_log_new(event, paths->state_dir, &d->events);
	if (rc)
		goto err;
	rc = kernel_open(event, log_dir, engine_exited, d, &d->kernel);
	if (rc) {
		log_error("netlink: %s", strerror(-rc));
		goto err;
	}
	rc = candidate_load(d, &candidate, &text);
	if (rc) {
		event_error(EVENT_CONFIG, "configuration refused, nothing was applied:\n%s",
			    text ? text : "");
		free(text);
		goto err;
	}
	rc = watch_new(event, &d->kernel, kernel_changed, d, &d->watch);
	if (rc) {
		candidate_free(&candidate);
		log_error("watching the kernel: %s", strerror(-rc));
		goto err;
	}
	candidate_take(d, &candidate);
	engine_program(d, d->config);
	rc = beacon_new(event, &handlers, &d->beacon);
	if (!rc)
		rc = vrrp_new(event, d->kernel.route, &vrrp_paths, role_changed, d, &d->vrrp);
	if (!rc)
		rc = cloud_agent_new(event, d->vrrp, paths->run_dir, &d->cloud);
	if (!rc)
		rc = steering_new(event, d->kernel.route, &steering_handlers, &d->steering);
	if (!rc)
		rc = health_monitor_new(d, &d->health);
	if (!rc)
		rc = drill_agent_new(event, paths->run_dir, &d->drills);
	if (!rc)
		rc = rolling_node_new(d, &d->rolling);
	if (!rc)
		rc = web_agent_new(d, &d->web);
	if (!rc)
		rc = usage_agent_new(event, paths->run_dir, paths->state_dir, &d->usage);
	if (!rc)
		rc = teardown_remember(d->applied, paths->run_dir);
	if (!rc)
		rc = control_listen(event, paths->run_dir, command_answer, d, &d->control);
	if (rc >= 0)
		rc = sd_event_add_time_relative(event, &d->check, CLOCK_MONOTONIC,
						CHECK_INTERVAL_US, 0, check_due, d);
	if (rc < 0) {
		log_error("%s: %s", paths->run_dir, strerror(-rc));
		goto err;
	}
	identity_log(d);
	if (repair(d))
		daemon_repair_soon(d, NULL);
	*ret_daemon = d;
	return 0;

err:
	daemon_free(d);
	return rc;
}

void daemon_free(struct daemon *d)
{
	if (!d)
		return;
	control_free(d->control);
	pair_free(d->pair);
	partner_mac_free(d->partner_mac);
	watch_free(d->watch);
	sd_event_source_disable_unref(d->repair);
	sd_event_source_disable_unref(d->check);
	health_monitor_free(d->health);
	drill_agent_free(d->drills);
	rolling_node_free(d->rolling);
	web_agent_free(d->web);
	usage_agent_free(d->usage);
	beacon_free(d->beacon);
	cloud_agent_free(d->cloud);
	vrrp_free(d->vrrp);
	steering_free(d->steering);
	if (d->kernel.route)
		kernel_close(&d->kernel);
	config_free(d->config);
	free(d->choices);
	state_free(d->applied);
	event_log_free(d->events);
	if (d->lock > 0)
		close(d->lock);
	free(d);
}
