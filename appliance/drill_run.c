/* SPDX-License-Identifier: GPL-2.0-only */
#include "drill_run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "control.h"
#include "drill_record.h"
#include "drill_rolling.h"
#include "drill_runner.h"
#include "drill_state.h"
#include "drill_store.h"

#define SECOND_US 1000000u
#define ANSWER_MS 6000	    /* an agent asks its netpasd twice, for two seconds each */
#define STREAM_MS 170000    /* longest exchange of probes */
#define FIRST_US 5000000u   /* within this the first probes have to come through */
#define BEFORE_LOST_MAX 5   /* percent; with more there is no fault */
#define BEFORE_US 2000000u  /* measured before the fault */
#define AFTER_US 2000000u   /* and after all is well again */
#define LATE_US 700000u	    /* what is on the way may come until then */
#define SETTLE_US 40000000u /* for all to be as before */
#define RESTORE_MS 3000
#define REFUSED_US 10000000u /* a partner that is back may not be fit to take the role yet */
#define BUSY_US 4000000u     /* an agent that was left is free before that */
#define BYE_MS 1000
#define CLOCK_ROUNDS 8 /* questions for the partner's clock; the fastest answer counts */

static const struct config_site *wanted_site(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->mesh.n_sites; i++) {
		if (i == config->self_site || !config_policy_with(config, i).connect)
			continue;
		if (!name || !strcmp(config->mesh.sites[i].name, name))
			return &config->mesh.sites[i];
	}
	return NULL;
}

/*
 * The gateway of the site that answers: the one that is not followed, so that packets pass the
 * LAN and the VIP there, too; the other one where that is dead, or there is one only.
 */
static const struct config_gateway *choose_far(const struct config_site *site, const json_t *state)
{
	const char *followed = json_string_value(json_object_get(state, "followed"));
	const struct config_gateway *far = &site->gateways[0];

	for (size_t i = 0; i < site->n_gateways; i++)
		if (!followed || strcmp(site->gateways[i].name, followed))
			far = &site->gateways[i];
	return far;
}

static int find_parts(const struct config *config, const struct client_paths *paths,
		      const struct drill_wish *wish, struct drill_run *run)
{
	const struct config_site *self = config_self_site(config);
	struct drill_peer *peers = run->runner.peers;
	json_t *state;

	run->paths = paths;
	run->runner.config = config;
	run->runner.fd = -1;
	run->facts.ports =
		config->mesh.port_base + DRILL_PORT_PROBE * CONFIG_LANE_PORTS <= UINT16_MAX;
	run->facts.lab = wish->lab;
	run->facts.off = config->node.drills == CONFIG_DRILLS_OFF;
	run->facts.advert_ms = self->advert_ms;
	run->facts.probe_ms = config->mesh.probe_fast_ms;
	run->facts.has_partner = self->n_gateways > 1;
	peers[DRILL_HERE] = (struct drill_peer){ .gateway = config_self(config), .site = self };
	if (self->n_gateways > 1)
		peers[DRILL_PARTNER] = (struct drill_peer){
			.gateway = &self->gateways[1 - config->self_gateway],
			.site = self,
		};
	run->site = wanted_site(config, wish->site);
	if (!run->site)
		return wish->site ? -ENOENT : 0;
	snprintf(run->facts.site, sizeof(run->facts.site), "%s", run->site->name);
	state = drill_state_make(config, paths->run_dir, config_site_number(run->site));
	peers[DRILL_FAR] =
		(struct drill_peer){ .gateway = choose_far(run->site, state), .site = run->site };
	json_decref(state);
	return 0;
}

/* *state, if not NULL, is what was answered, in place of what was before. */
static void ask_state(struct drill_run *run, enum drill_part part,
		      struct drill_node_facts *ret_facts, json_t **ret_state)
{
	const struct drill_peer *peer = &run->runner.peers[part];
	json_t *state;

	state = peer->cookie
			? drill_runner_fetch_json(&run->runner, part, DRILL_BLOB_STATE, ANSWER_MS)
			: NULL;
	drill_state_facts(state, ret_facts);
	json_decref(*ret_state);
	*ret_state = state;
	if (!*ret_facts->name && peer->gateway)
		snprintf(ret_facts->name, sizeof(ret_facts->name), "%s", peer->gateway->name);
}

/* One that was left without a good-bye is free again after a while. */
static int say_hello(struct drill_run *run, enum drill_part part)
{
	const uint64_t until_us = clock_now_us() + BUSY_US;
	int rc;

	for (;;) {
		rc = drill_runner_ask(&run->runner, part, DRILL_HELLO, NULL, 0,
				      part == DRILL_FAR ? ANSWER_MS : 2000, NULL);
		if (rc != -EBUSY || clock_now_us() > until_us)
			return rc;
		run->runner.peers[part].cookie = 0;
		drill_runner_pass(&run->runner, clock_now_us() + SECOND_US / 4);
	}
}

static void say_goodbye(struct drill_run *run)
{
	for (int part = 0; part < DRILL_PART_MAX; part++)
		if (run->runner.peers[part].cookie)
			(void)drill_runner_ask(&run->runner, (enum drill_part)part, DRILL_BYE, NULL,
					       0, BYE_MS, NULL); /* else they end by themselves */
}

/* All agents, so that they have no more to be started for. */
static void greet(struct drill_run *run)
{
	struct drill_node_facts *facts[] = { &run->facts.here, &run->facts.partner }, far;

	for (int part = 0; part < DRILL_PART_MAX; part++) {
		struct drill_peer *peer = &run->runner.peers[part];
		int rc;

		if (!peer->gateway)
			continue;
		rc = say_hello(run, (enum drill_part)part);
		if (rc)
			peer->cookie = 0;
		if (part < DRILL_FAR) {
			ask_state(run, (enum drill_part)part, facts[part], &run->before[part]);
			facts[part]->busy = rc == -EBUSY;
			facts[part]->answers = facts[part]->answers || rc == -EBUSY;
		} else if (!rc || rc == -EBUSY) {
			run->facts.far_busy = rc == -EBUSY;
			snprintf(run->facts.far, sizeof(run->facts.far), "%s", peer->gateway->name);
			if (!rc)
				ask_state(run, DRILL_FAR, &far, &run->before[DRILL_FAR]);
		}
	}
	run->roles_before = drill_record_roles(&run->facts);
}

/* Everything up to the point where nothing has been changed. */
static enum drill_end prepare(const struct config *config, const struct client_paths *paths,
			      const struct drill_wish *wish, struct drill_run *run, FILE *out)
{
	size_t n;
	int rc;

	run->wish = *wish;
	run->config = config;
	if (find_parts(config, paths, wish, run)) {
		fprintf(out, "there is no site '%s' that this one is connected to\n", wish->site);
		return DRILL_END_ERROR;
	}
	if (run->facts.has_partner && run->facts.ports && !run->facts.off && run->site) {
		rc = drill_runner_open(&run->runner);
		if (rc) {
			drill_runner_close(&run->runner);
			fprintf(out,
				rc == -EADDRINUSE ? "another drill is running here\n"
						  : "the probes' sockets: %s\n",
				strerror(-rc));
			return DRILL_END_ERROR;
		}
		run->opened = true;
		greet(run);
	}
	run->limit_ms = wish->limit_ms != UINT32_MAX ? wish->limit_ms
						     : drill_limit_ms(wish->scenario, &run->facts);
	n = drill_refuse(wish->scenario, &run->facts, out);
	if (!n)
		return DRILL_END_PASS;
	return n == 1 && !strcmp(run->facts.here.role, "active") ? DRILL_END_ACTIVE
								 : DRILL_END_REFUSED;
}

static void run_fini(struct drill_run *run)
{
	if (run->opened) {
		say_goodbye(run);
		drill_runner_close(&run->runner);
	}
	drill_track_fini(&run->far_track);
	json_decref(run->changes);
	json_decref(run->far_changes);
	for (int part = 0; part < DRILL_PART_MAX; part++) {
		json_decref(run->before[part]);
		json_decref(run->after[part]);
	}
	free(run->roles_before);
	free(run->roles_after);
}

/* Whether the role can end up here, and can be given back. */
static bool may_move(const struct drill_scenario *scenario)
{
	return scenario->reversible && scenario->needs & DRILL_NEEDS_STANDBY;
}

static void print_plan(const struct drill_run *run, FILE *out)
{
	const struct drill_scenario *scenario = &drill_scenarios[run->wish.scenario];

	fprintf(out,
		"%s: %s\n"
		"  disturbed  %s%s%s\n"
		"  expected   %s\n"
		"  for        %.1f s\n"
		"  then       %s\n"
		"  limit      %u ms of outage each way; aborted after %u ms\n"
		"  measured   from %s to %s of site %s and back, %u probes a second\n",
		scenario->name, scenario->what, run->facts.partner.name,
		scenario->both ? " and " : "", scenario->both ? run->facts.here.name : "",
		scenario->expect, run->wish.hold_ms / 1000.0, scenario->restore, run->limit_ms,
		drill_abort_ms(run->limit_ms), run->facts.here.name, run->facts.far,
		run->facts.site, run->wish.rate);
	if (may_move(scenario))
		fprintf(out, "  role       %s\n",
			run->wish.stay
				? "stays where it ends up (--stay)"
				: "handed back as by 'netpas switchover', if it moved and the pair "
				  "is well");
}

enum drill_end drill_plan(const struct config *config, const struct client_paths *paths,
			  const struct drill_wish *wish, FILE *out)
{
	struct drill_run *run = calloc(1, sizeof(*run));
	enum drill_end end = DRILL_END_ERROR;
	char *reasons = NULL;
	size_t len;
	FILE *why;

	why = run ? open_memstream(&reasons, &len) : NULL;
	if (why) {
		end = prepare(config, paths, wish, run, why);
		fclose(why);
		if (end != DRILL_END_ERROR)
			print_plan(run, out);
		if (end == DRILL_END_PASS)
			fprintf(out, "the pair can take it\n");
		else
			fprintf(out, "refused:\n%s", reasons);
		free(reasons);
		run_fini(run);
	}
	free(run);
	return end;
}

/* ---- the drill ---- */

static int start_probes(struct drill_run *run)
{
	struct drill_runner *runner = &run->runner;
	const struct drill_peer *far = &runner->peers[DRILL_FAR];
	const struct config_gateway *gateway = far->gateway;
	uint8_t body[8];
	int rc;

	drill_put32(body, run->wish.rate);
	drill_put32(body + 4, STREAM_MS);
	rc = drill_runner_ask(runner, DRILL_FAR, DRILL_START, body, sizeof(body), ANSWER_MS, NULL);
	if (rc)
		return rc;
	runner->stream = (struct drill_stream){
		.way = &runner->way,
		.site = far->site,
		.to = runner->way.own.family == IP_V4 ? gateway->lan4 : gateway->lan6,
		.from_port = (uint16_t)(run->config->mesh.port_base +
					DRILL_PORT_PROBE * CONFIG_LANE_PORTS),
		.to_port = (uint16_t)(run->config->mesh.port_base +
				      DRILL_PORT_AGENT * CONFIG_LANE_PORTS),
		.self = config_self_id(run->config),
		.peer = gateway->id,
		.key = *drill_keys_get(&runner->keys, gateway->id),
		.session = runner->session,
	};
	return drill_stream_start(&runner->stream, run->wish.rate, STREAM_MS, clock_now_us());
}

/* Until probes have come through both ways. */
static bool probes_pass(struct drill_run *run)
{
	struct drill_runner *runner = &run->runner;
	const uint64_t until_us = clock_now_us() + FIRST_US;
	const uint32_t enough = run->wish.rate / 10;

	while (clock_now_us() < until_us && !*runner->aborted) {
		drill_runner_pass(runner, clock_now_us() + 50000);
		if (runner->stream.track.received > enough && runner->stream.told.received > enough)
			return true;
	}
	return false;
}

static uint16_t relay_id(const struct drill_run *run)
{
	for (size_t i = 0; run->wish.relay && i < run->config->mesh.n_relays; i++)
		if (!strcmp(run->config->mesh.relays[i].name, run->wish.relay))
			return run->config->mesh.relays[i].id;
	return 0;
}

static int inject_at(struct drill_run *run, enum drill_part part)
{
	const struct drill_order order = {
		.scenario = (uint8_t)run->wish.scenario,
		.site = config_site_number(run->site),
		.relay = relay_id(run),
		.hold_ms = run->wish.hold_ms,
		.lost = run->wish.scenario == DRILL_BROWN_OUT ? run->wish.lost : 0,
	};
	struct drill_peer *peer = &run->runner.peers[part];
	uint8_t body[DRILL_ORDER_LEN];
	struct drill_reply reply;
	uint64_t at_us;
	int rc;

	/* One that is switched off does not say that it was. */
	bool silent = run->wish.scenario == DRILL_POWER_OFF;

	for (int i = 0; i < CLOCK_ROUNDS; i++)
		(void)drill_runner_ask(&run->runner, part, DRILL_KEEP, NULL, 0, ANSWER_MS, NULL);
	drill_order_encode(&order, body);
	at_us = clock_now_us();
	peer->keep = true;
	rc = drill_runner_ask(&run->runner, part, DRILL_INJECT, body, sizeof(body),
			      silent ? 150 : ANSWER_MS, &reply);
	silent = silent && rc == -ETIMEDOUT;
	if (silent)
		rc = 0;
	else
		at_us = reply.time_us - (uint64_t)peer->offset_us;
	if (!run->times.fault_us || at_us < run->times.fault_us)
		run->times.fault_us = at_us;
	snprintf(run->fault, sizeof(run->fault), "%s", silent ? "without a word" : reply.text);
	drill_runner_event(&run->runner, at_us, peer->gateway->name, "fault: %s %s",
			   drill_scenarios[run->wish.scenario].name, run->fault);
	return rc;
}

/* Of the netpasd here: it takes the role, or gives it away. error: why not. */
static int ask_switchover(const struct drill_run *run, char *error, size_t size)
{
	json_t *request = json_pack("{s:s}", "command", "switchover"), *answer = NULL;
	int rc = control_exchange(run->paths->run_dir, request, ANSWER_MS, &answer);

	json_decref(request);
	if (rc)
		snprintf(error, size, "%s", strerror(-rc));
	if (!rc && !json_is_true(json_object_get(answer, "ok"))) {
		const char *why = json_string_value(json_object_get(answer, "error"));

		snprintf(error, size, "%s", why ? why : "refused");
		rc = -EPERM;
	}
	json_decref(answer);
	return rc;
}

/* It is the standby that runs the drill, and that asks for the role. */
static int hand_over(struct drill_run *run)
{
	int rc;

	run->times.fault_us = clock_now_us();
	rc = ask_switchover(run, run->fault, sizeof(run->fault));
	if (!rc)
		drill_runner_event(&run->runner, run->times.fault_us,
				   run->runner.peers[DRILL_HERE].gateway->name,
				   "switchover is asked for");
	return rc;
}

static int inject(struct drill_run *run)
{
	int rc;

	if (run->wish.scenario == DRILL_SWITCHOVER)
		return hand_over(run);
	rc = inject_at(run, DRILL_PARTNER);
	if (!rc && drill_scenarios[run->wish.scenario].both)
		rc = inject_at(run, DRILL_HERE);
	return rc;
}

static void hold(struct drill_run *run)
{
	struct drill_runner *runner = &run->runner;
	const int rc = inject(run);

	if (rc)
		snprintf(runner->aborted, sizeof(runner->aborted), "no fault: %.120s",
			 *run->fault ? run->fault : strerror(-rc));
	else
		drill_runner_pass(runner, run->times.fault_us + (uint64_t)run->wish.hold_ms * 1000);
}

static void say_here(struct drill_run *run, const char *what)
{
	drill_runner_event(&run->runner, clock_now_us(),
			   run->runner.peers[DRILL_HERE].gateway->name, "%s", what);
}

/* Until it has ended; one that takes longer than the drill may is stopped, and that is no success. */
static void roll(struct drill_run *run)
{
	struct drill_runner *runner = &run->runner;
	const uint64_t until_us = clock_now_us() + (uint64_t)run->wish.hold_ms * 1000;
	bool ended = false;
	int status, rc;
	pid_t pid;

	run->times.fault_us = clock_now_us();
	rc = drill_rolling_start(run->paths, !run->wish.stay, &pid);
	if (rc) {
		snprintf(runner->aborted, sizeof(runner->aborted), "no rolling restart: %s",
			 strerror(-rc));
		return;
	}
	say_here(run, "rolling restart begins");
	while (!ended && !*runner->aborted && clock_now_us() < until_us) {
		drill_runner_pass(runner, clock_now_us() + SECOND_US / 4);
		ended = drill_rolling_ended(pid, &status);
	}
	if (!ended) {
		fputs("stopping the rolling restart\n", stderr);
		status = drill_rolling_stop(pid);
	}
	say_here(run, ended && !status ? "rolling restart is done" : "rolling restart has stopped");
	if (!*runner->aborted && (!ended || status))
		snprintf(runner->aborted, sizeof(runner->aborted),
			 ended ? "the rolling restart stopped with exit status %d"
			       : "the rolling restart took too long, and was stopped (%d)",
			 status);
}

/* By command; where that does not get through, the agents do it by themselves, and a bit later. */
static void restore(struct drill_run *run)
{
	const struct drill_scenario *scenario = &drill_scenarios[run->wish.scenario];
	struct drill_runner *runner = &run->runner;

	run->ended = run->times.fault_us ? "by command" : "not: there was none";
	if (!scenario->reversible) {
		run->ended = "not: it cannot be undone from here";
		return;
	}
	for (int part = 0; part < DRILL_FAR; part++) {
		struct drill_peer *peer = &runner->peers[part];

		if (!peer->keep)
			continue;
		peer->keep = false;
		if (drill_runner_ask(runner, (enum drill_part)part, DRILL_RESTORE, NULL, 0,
				     RESTORE_MS, NULL))
			run->ended = "by itself: the command to end it was not answered";
	}
	if (scenario->event && run->times.fault_us)
		run->ended = scenario->restore;
	if (!scenario->event) {
		run->times.restored_us = clock_now_us();
		drill_runner_event(runner, run->times.restored_us,
				   runner->peers[DRILL_PARTNER].gateway->name, "restored %s",
				   run->ended);
	}
}

static bool is_well(struct drill_run *run)
{
	struct drill_facts now = run->facts;
	char *reasons = NULL, *newline;
	size_t len, n;
	FILE *out;

	ask_state(run, DRILL_HERE, &now.here, &run->after[DRILL_HERE]);
	ask_state(run, DRILL_PARTNER, &now.partner, &run->after[DRILL_PARTNER]);
	free(run->roles_after);
	run->roles_after = drill_record_roles(&now);
	out = open_memstream(&reasons, &len);
	if (!out)
		return false;
	/* Roles may have changed places: that is what is drilled. */
	run->moved = !strcmp(now.here.role, "active") && !strcmp(now.partner.role, "standby");
	if (run->moved) {
		const struct drill_node_facts here = now.here;

		now.here = now.partner;
		now.partner = here;
	}
	n = drill_refuse(run->wish.scenario, &now, out);
	fclose(out);
	newline = strchr(reasons, '\n');
	if (newline)
		*newline = '\0';
	snprintf(run->unsettled, sizeof(run->unsettled), "%s", n ? reasons : "");
	free(reasons);
	return !n;
}

static void settle(struct drill_run *run)
{
	const uint64_t until_us = clock_now_us() + SETTLE_US;

	if (!drill_scenarios[run->wish.scenario].reversible) {
		run->settled = true;
		return;
	}
	while (!run->settled && clock_now_us() < until_us) {
		run->settled = is_well(run);
		if (!run->settled)
			drill_runner_pass(&run->runner, clock_now_us() + SECOND_US / 4);
	}
}

/*
 * The role goes back to who had it: by the planned switchover, which loses nothing, and only from a
 * pair that is well.
 */
static void hand_back(struct drill_run *run)
{
	const char *here = run->runner.peers[DRILL_HERE].gateway->name;
	const uint64_t refused_us = clock_now_us() + REFUSED_US;
	uint64_t until_us;
	int rc;

	if (!run->moved)
		return;
	if (run->wish.stay || !run->settled || *run->runner.aborted || *run->aborted) {
		snprintf(run->kept, sizeof(run->kept), "%s",
			 run->wish.stay	 ? "--stay was given"
			 : !run->settled ? "the pair is not well"
					 : "the drill was aborted");
		return;
	}
	do {
		run->times.handed_us = clock_now_us();
		rc = ask_switchover(run, run->kept, sizeof(run->kept));
		if (rc)
			drill_runner_pass(&run->runner, clock_now_us() + SECOND_US / 2);
	} while (rc && clock_now_us() < refused_us && !*run->runner.aborted);
	if (rc) {
		run->times.handed_us = 0;
		return;
	}
	drill_runner_event(&run->runner, run->times.handed_us, here, "hands the role back");
	until_us = clock_now_us() + SETTLE_US;
	while (!run->handed_back && clock_now_us() < until_us && !*run->runner.aborted) {
		run->handed_back = is_well(run) && !run->moved;
		if (!run->handed_back)
			drill_runner_pass(&run->runner, clock_now_us() + SECOND_US / 4);
	}
	snprintf(run->kept, sizeof(run->kept), "%s",
		 run->handed_back ? "" : "the other gateway has not taken it");
}

static int collect(struct drill_run *run)
{
	struct drill_runner *runner = &run->runner;
	struct drill_node_facts unused;
	uint8_t *blob = NULL;
	size_t len = 0;
	int rc;

	runner->abort_us = 0;
	run->times.ended_us = clock_now_us();
	runner->stream.size = runner->stream.next ? runner->stream.next : 1;
	drill_runner_pass(runner, clock_now_us() + LATE_US);
	(void)drill_runner_ask(runner, DRILL_FAR, DRILL_STOP, NULL, 0, ANSWER_MS, NULL);
	rc = drill_runner_fetch(runner, DRILL_FAR, DRILL_BLOB_TRACK, 30000, &blob, &len);
	if (!rc)
		rc = drill_track_unpack(blob, len, &run->far_track, &run->far_pack);
	free(blob);
	if (drill_scenarios[run->wish.scenario].reversible)
		run->changes =
			drill_runner_fetch_json(runner, DRILL_PARTNER, DRILL_BLOB_PATHS, ANSWER_MS);
	run->far_changes = drill_runner_fetch_json(runner, DRILL_FAR, DRILL_BLOB_PATHS, ANSWER_MS);
	for (int part = 0; part < DRILL_PART_MAX; part++)
		if (part != DRILL_PARTNER || drill_scenarios[run->wish.scenario].reversible)
			ask_state(run, (enum drill_part)part, &unused, &run->after[part]);
	return rc;
}

/* Lost of what was sent up to the last that came, in percent. */
static uint32_t percent_lost(uint32_t received, uint32_t highest)
{
	return highest ? (uint32_t)((uint64_t)(highest - received) * 100 / highest) : 100;
}

/* Where packets are lost anyway nothing can be learned, and the fault would be in vain. */
static void refuse_loss(struct drill_run *run)
{
	struct drill_runner *runner = &run->runner;
	const struct drill_stream *stream = &runner->stream;
	const uint32_t in = percent_lost(stream->track.received, stream->track.highest);
	const uint32_t out = percent_lost(stream->told.received, stream->told.highest);

	if (!*runner->aborted && (in > BEFORE_LOST_MAX || out > BEFORE_LOST_MAX))
		snprintf(
			runner->aborted, sizeof(runner->aborted),
			"no fault was made: %u %% of the probes out and %u %% of those in are lost "
			"without one; a lower --rate may help",
			out, in);
}

static void measure(struct drill_run *run, FILE *out)
{
	struct drill_runner *runner = &run->runner;

	run->times.began_us = clock_now_us();
	runner->abort_us = (uint64_t)drill_abort_ms(run->limit_ms) * 1000;
	fprintf(out, "measuring before the fault\n");
	drill_runner_pass(runner, run->times.began_us + BEFORE_US);
	refuse_loss(run);
	if (!*runner->aborted) {
		fprintf(out, "fault: %s\n", drill_scenarios[run->wish.scenario].what);
		if (run->wish.scenario == DRILL_ROLLING_RESTART)
			roll(run);
		else
			hold(run);
	}
	restore(run);
	fprintf(out, "restored: %s; waiting for the pair\n", run->ended);
	snprintf(run->aborted, sizeof(run->aborted), "%s", runner->aborted);
	runner->abort_us = 0;
	runner->aborted[0] = '\0';
	settle(run);
	if (!*run->aborted && !*runner->aborted)
		drill_runner_pass(runner, clock_now_us() + AFTER_US);
	hand_back(run);
	if (run->times.handed_us && !*runner->aborted)
		drill_runner_pass(runner, clock_now_us() + AFTER_US);
	if (!*run->aborted)
		snprintf(run->aborted, sizeof(run->aborted), "%s", runner->aborted);
	runner->aborted[0] = '\0';
}

static int take_lock(const struct client_paths *paths)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/drills", paths->state_dir);
	if (mkdir(path, 0700) && errno != EEXIST)
		return -errno;
	snprintf(path, sizeof(path), "%s/drills/lock", paths->state_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return fd;
	close(fd);
	return -EBUSY;
}

static enum drill_end conduct(struct drill_run *run, const struct client_paths *paths, FILE *out,
			      json_t **ret_report)
{
	char dir[PATH_MAX];
	int rc;

	drill_runner_catch();
	rc = start_probes(run);
	if (rc || !probes_pass(run)) {
		fprintf(out, "refused:\nno probes pass to %s and back%s%s\n", run->facts.far,
			rc ? ": " : "", rc ? strerror(-rc) : "");
		return DRILL_END_REFUSED;
	}
	run->wall = time(NULL);
	measure(run, out);
	rc = collect(run);
	if (rc)
		fprintf(out, "what %s has counted is not known: %s\n", run->facts.far,
			strerror(-rc));
	snprintf(dir, sizeof(dir), "%s/drills", paths->state_dir);
	rc = drill_record_make(run, dir, ret_report);
	if (rc) {
		fprintf(out, "the report: %s\n", strerror(-rc));
		return DRILL_END_ERROR;
	}
	return !strcmp(json_string_value(json_object_get(*ret_report, "verdict")), "pass")
		       ? DRILL_END_PASS
		       : DRILL_END_FAIL;
}

enum drill_end drill_run(const struct config *config, const struct client_paths *paths,
			 const struct drill_wish *wish, FILE *out, json_t **ret_report)
{
	struct drill_run *run;
	enum drill_end end;
	char *reasons = NULL;
	size_t len;
	FILE *why;
	const int lock = take_lock(paths);

	if (lock < 0) {
		fprintf(out, lock == -EBUSY ? "another drill is running here\n" : "%s: %s\n",
			paths->state_dir, strerror(-lock));
		return DRILL_END_ERROR;
	}
	run = calloc(1, sizeof(*run));
	why = run ? open_memstream(&reasons, &len) : NULL;
	if (!why) {
		free(run);
		close(lock);
		return DRILL_END_ERROR;
	}
	end = prepare(config, paths, wish, run, why);
	fclose(why);
	if (end == DRILL_END_PASS) {
		print_plan(run, out);
		fflush(out);
		end = conduct(run, paths, out, ret_report);
	} else {
		fprintf(out, "refused:\n%s", reasons);
	}
	free(reasons);
	run_fini(run);
	free(run);
	close(lock);
	return end;
}
