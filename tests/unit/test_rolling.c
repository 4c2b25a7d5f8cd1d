/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "rolling.h"
#include "rolling_view.h"

/* ---- two gateways that are well ---- */

static const char answer_text[] =
	"{\"ok\": true, \"rolling\": {\"instance\": \"%016x\","
	" \"running\": {\"version\": \"v1\", \"build\": \"00000000000000a1\"},"
	" \"installed\": {\"path\": \"/usr/sbin/netpasd\", \"version\": \"v1\","
	"  \"build\": \"00000000000000a1\", \"state\": \"good\", \"error\": \"\"},"
	" \"paths\": 8, \"remotes\": 2, \"agreeing\": 2, \"partner_drained\": false},"
	" \"status\": {\"node\": \"fra-%c\", \"id\": %d, \"role\": \"%s\","
	"  \"config\": {\"digest\": \"00000000000000d1\"},"
	"  \"ha\": {\"drained\": false, \"handover\": \"idle\", \"severity\": 0},"
	"  \"partner\": {\"alive\": true},"
	"  \"health\": {\"lan_neighbours\": [{\"answered_s\": 0.4}, {\"answered_s\": null}]},"
	"  \"counters\": {\"to_mesh\": {\"packets\": 7}, \"from_mesh\": {\"packets\": 5}},"
	"  \"tunnels\": [{\"peer\": \"sin-a\", \"lane\": 0, \"alive\": true, \"handshake_age_s\": 3},"
	"   {\"peer\": \"sin-b\", \"lane\": 0, \"alive\": true, \"handshake_age_s\": 3}],"
	"  \"dataplane\": {\"programs\": [{\"program\": \"wan_egress\", \"interface\": \"wan0\","
	"   \"mode\": \"tc\"}, {\"program\": \"wan_xdp\", \"interface\": \"wan0\", \"mode\": \"none\"}]},"
	"  \"problems\": [\"drained: active only if fra-a is gone; 'netpas drain --end'\","
	"   \"path 3 is brown for 17 s\"]}}";

static json_t *answer_new(int which, const char *role)
{
	char text[2048];
	json_t *answer;

	snprintf(text, sizeof(text), answer_text, 0x10u + (unsigned int)which, 'a' + which,
		 which + 1, role);
	answer = json_loads(text, 0, NULL);
	assert_non_null(answer);
	return answer;
}

struct pair {
	struct rolling_view before[2], now[2]; /* 0: standby, 1: active */
	struct rolling_record record;
};

static struct rolling_view view_new(int which, const char *role)
{
	struct rolling_view view;
	struct rolling_record record;
	json_t *answer = answer_new(which, role);

	assert_int_equal(rolling_view_parse(answer, &view, &record), 0);
	assert_int_equal(record.run, 0);
	json_decref(answer);
	return view;
}

static void pair_init(struct pair *pair)
{
	static const char *const roles[] = { "standby", "active" };

	*pair = (struct pair){ 0 };
	for (int i = 0; i < 2; i++) {
		pair->before[i] = view_new(i, roles[i]);
		pair->now[i] = view_new(i, roles[i]);
	}
}

static void pair_fini(struct pair *pair)
{
	for (int i = 0; i < 2; i++) {
		rolling_view_fini(&pair->before[i]);
		rolling_view_fini(&pair->now[i]);
	}
}

static void says(const char *reason, const char *part)
{
	if (!strstr(reason, part))
		fail_msg("no '%s' in: %s", part, reason);
}

/* ---- what a gateway says ---- */

static void answer_is_read(void **state)
{
	struct rolling_view view = view_new(0, "standby");

	(void)state;
	assert_true(view.known);
	assert_string_equal(view.name, "fra-a");
	assert_int_equal(view.id, 1);
	assert_int_equal(view.instance, 0x10);
	assert_int_equal(view.running.hash, 0xa1);
	assert_string_equal(view.installed.version, "v1");
	assert_int_equal(view.trial, ROLLING_GOOD);
	assert_false(view.active);
	assert_int_equal(view.carried, 12);
	assert_true(view.lan_answers);
	assert_int_equal(view.paths, 8);
	assert_int_equal(view.tunnels.n, 2);
	assert_string_equal(view.tunnels.v[1], "sin-b (lane 0)");
	/* What does not run is none, and that it is drained is no problem of its own. */
	assert_int_equal(view.programs.n, 1);
	assert_int_equal(view.problems.n, 1);
	rolling_view_fini(&view);
}

static void other_answers_are_refused(void **state)
{
	static const char *const members[] = { "rolling", "status" };
	static const char *const parts[][2] = {
		{ "rolling", "instance" }, { "rolling", "running" }, { "rolling", "installed" },
		{ "status", "ha" },	   { "status", "partner" },  { "status", "config" },
	};
	struct rolling_record record;
	struct rolling_view view;

	(void)state;
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		json_t *answer = answer_new(0, "standby");

		json_object_del(answer, members[i]);
		assert_int_not_equal(rolling_view_parse(answer, &view, &record), 0);
		json_decref(answer);
	}
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		json_t *answer = answer_new(0, "standby");

		json_object_del(json_object_get(answer, parts[i][0]), parts[i][1]);
		assert_int_not_equal(rolling_view_parse(answer, &view, &record), 0);
		json_decref(answer);
	}
}

static void record_is_read(void **state)
{
	json_t *answer = answer_new(0, "standby"), *record_json;
	struct rolling_record record;
	struct rolling_view view;

	(void)state;
	record_json = json_pack("{s:s, s:s, s:s, s:b}", "run", "0000000000000077", "before_first",
				"0000000000000010", "before_second", "0000000000000011",
				"second_was_active", 1);
	json_object_set_new(json_object_get(answer, "rolling"), "record", record_json);
	assert_int_equal(rolling_view_parse(answer, &view, &record), 0);
	assert_int_equal(record.run, 0x77);
	assert_int_equal(record.before[0], 0x10);
	assert_int_equal(record.before[1], 0x11);
	assert_int_equal(record.active, 1);
	rolling_view_fini(&view);
	/* Half of one is none. */
	json_object_del(record_json, "before_first");
	assert_int_equal(rolling_view_parse(answer, &view, &record), 0);
	assert_int_equal(record.run, 0);
	rolling_view_fini(&view);
	json_decref(answer);
}

/* ---- as good as before ---- */

static void drop_tunnel(struct rolling_view *view)
{
	view->tunnels.n--;
}

static void drop_program(struct rolling_view *view)
{
	view->programs.n--;
}

static void add_problem(struct rolling_view *view)
{
	assert_int_equal(rolling_words_add(&view->problems, "engine np3 hangs"), 0);
}

static void be_worse(struct rolling_view *view)
{
	view->severity = 2;
}

static void lose_partner(struct rolling_view *view)
{
	view->partner_alive = false;
}

static void lose_lan(struct rolling_view *view)
{
	view->lan_answers = false;
}

static void lose_path(struct rolling_view *view)
{
	view->paths--;
}

static void change_digest(struct rolling_view *view)
{
	view->digest++;
}

/* Each thing that may be worse after the restart. */
static const struct {
	void (*spoil)(struct rolling_view *view);
	const char *says;
	bool own; /* compared with what the gateway itself said before only */
} spoils[] = {
	{ drop_tunnel, "no live tunnel to sin-b", false },
	{ drop_program, "does not run the program wan_egress", true },
	{ add_problem, "engine np3 hangs", false },
	{ be_worse, "worse off", false },
	{ lose_partner, "does not hear", false },
	{ lose_lan, "nobody on the LAN", false },
	{ lose_path, "7 live paths, not 8", true },
	{ change_digest, "another mesh.yaml", false },
};

#define N_SPOILS (sizeof(spoils) / sizeof(spoils[0]))

static void worse_is_seen(void **state)
{
	char reason[ROLLING_REASON_LEN] = "";

	(void)state;
	for (size_t i = 0; i < N_SPOILS; i++) {
		struct pair pair;

		pair_init(&pair);
		assert_true(rolling_as_good(&pair.before[0], false, &pair.now[0], reason));
		spoils[i].spoil(&pair.now[0]);
		assert_false(rolling_as_good(&pair.before[0], false, &pair.now[0], reason));
		says(reason, spoils[i].says);
		assert_int_equal(rolling_as_good(&pair.before[0], true, &pair.now[0], reason),
				 spoils[i].own);
		/* What was so before is no doubt. */
		spoils[i].spoil(&pair.before[0]);
		if (spoils[i].spoil != lose_partner)
			assert_true(rolling_as_good(&pair.before[0], false, &pair.now[0], reason));
		pair_fini(&pair);
	}
}

static void numbers_in_problems_do_not_count(void **state)
{
	char reason[ROLLING_REASON_LEN];
	struct pair pair;

	(void)state;
	pair_init(&pair);
	snprintf(pair.now[0].problems.v[0], ROLLING_WORD_LEN, "path 3 is brown for 2117 s");
	assert_true(rolling_as_good(&pair.before[0], false, &pair.now[0], reason));
	snprintf(pair.now[0].problems.v[0], ROLLING_WORD_LEN, "path 3 is dead for 17 s");
	assert_false(rolling_as_good(&pair.before[0], false, &pair.now[0], reason));
	pair_fini(&pair);
}

/* ---- the plan ---- */

/* Steps as letters, the gateway's number behind each. */
static const char *plan_text(const struct rolling_plan *plan)
{
	static const char letters[ROLLING_STEP_MAX] = { 'D', 'Q', 'R', 'T', 'C', 'P', 'F', 'B' };
	static char text[ROLLING_PLAN_MAX * 2 + 1];

	for (size_t i = 0; i < plan->n; i++)
		snprintf(&text[2 * i], 3, "%c%u", letters[plan->v[i].step], plan->v[i].gateway);
	return text;
}

static enum rolling_verdict make(const struct rolling_wish *wish, const struct pair *pair,
				 struct rolling_plan *ret_plan, char *reason)
{
	return rolling_plan_make(wish, pair->now, &pair->record, ret_plan, reason);
}

static void standby_comes_first(void **state)
{
	struct rolling_wish wish = { 0 };
	char reason[ROLLING_REASON_LEN] = "";
	struct rolling_plan plan;
	struct pair pair;

	(void)state;
	pair_init(&pair);
	assert_int_equal(make(&wish, &pair, &plan, reason), ROLLING_DONE);
	assert_string_equal(plan_text(&plan), "D0Q0R0P0F0D1Q1R1P1F1");
	wish.hand_back = true;
	assert_int_equal(make(&wish, &pair, &plan, reason), ROLLING_DONE);
	assert_string_equal(plan_text(&plan), "D0Q0R0P0F0D1Q1R1P1F1B1");
	assert_true(plan.n <= ROLLING_PLAN_MAX);
	pair_fini(&pair);
}

static void only_old_ones_are_upgraded(void **state)
{
	struct rolling_wish wish = { .upgrade = true, .hand_back = true };
	char reason[ROLLING_REASON_LEN] = "";
	struct rolling_plan plan;
	struct pair pair;

	(void)state;
	pair_init(&pair);
	assert_int_equal(make(&wish, &pair, &plan, reason), ROLLING_WAIT);
	says(reason, "nothing to do");
	pair.now[0].installed.hash = pair.now[1].installed.hash = 0xb2;
	assert_int_equal(make(&wish, &pair, &plan, reason), ROLLING_DONE);
	assert_string_equal(plan_text(&plan), "D0Q0R0P0F0D1Q1R1P1F1B1");
	/* One has it already. */
	pair.now[1].running.hash = 0xb2;
	assert_int_equal(make(&wish, &pair, &plan, reason), ROLLING_DONE);
	assert_string_equal(plan_text(&plan), "D0Q0R0P0F0");
	pair.now[1].running.hash = 0xa1;
	pair.now[0].running.hash = 0xb2;
	assert_int_equal(make(&wish, &pair, &plan, reason), ROLLING_DONE);
	assert_string_equal(plan_text(&plan), "D1Q1R1P1F1B1");
	pair_fini(&pair);
}

static void half_way_is_gone_on_from(void **state)
{
	struct rolling_wish wish = { .hand_back = true };
	char reason[ROLLING_REASON_LEN] = "";
	struct rolling_plan plan;
	struct pair pair;

	(void)state;
	pair_init(&pair);
	pair.record = (struct rolling_record){ .run = 7, .before = { 0x10, 0x11 }, .active = 1 };
	pair.now[0].drained = true;
	/* Drained, and no more. */
	assert_int_equal(make(&wish, &pair, &plan, reason), ROLLING_DONE);
	assert_true(plan.resumed);
	assert_string_equal(plan_text(&plan), "Q0R0P0F0D1Q1R1P1F1B1");
	/* Restarted: it may be ill still. */
	pair.now[0].instance = 0x99;
	drop_tunnel(&pair.now[0]);
	be_worse(&pair.now[0]);
	assert_int_equal(make(&wish, &pair, &plan, reason), ROLLING_DONE);
	assert_string_equal(plan_text(&plan), "P0F0D1Q1R1P1F1B1");
	/* The second one, when the first one has been done. */
	pair.record.active = 0;
	pair.now[1].instance = 0x98;
	assert_int_equal(make(&wish, &pair, &plan, reason), ROLLING_DONE);
	assert_string_equal(plan_text(&plan), "P0F0B0");
	pair_fini(&pair);
}

static void not_there(struct pair *pair)
{
	pair->now[0].active = true;
	snprintf(pair->now[0].role, sizeof(pair->now[0].role), "active");
}

static void faulty(struct pair *pair)
{
	snprintf(pair->now[0].role, sizeof(pair->now[0].role), "fault");
}

static void busy(struct pair *pair)
{
	pair->now[1].busy = true;
}

static void drained(struct pair *pair)
{
	pair->now[0].drained = true;
}

static void drained_and_active(struct pair *pair)
{
	pair->now[1].drained = true;
	pair->record.run = 7;
}

static void deaf(struct pair *pair)
{
	pair->now[1].partner_alive = false;
}

static void differ(struct pair *pair)
{
	pair->now[1].digest++;
}

static void standby_ill(struct pair *pair)
{
	pair->now[0].severity = 4;
}

static void active_ill(struct pair *pair)
{
	pair->now[1].severity = 4;
}

static void tunnel_dead(struct pair *pair)
{
	pair->now[0].tunnels.n--;
}

static void tunnel_dead_there(struct pair *pair)
{
	pair->now[1].tunnels.n--;
}

static void untried(struct pair *pair)
{
	pair->now[1].trial = ROLLING_TRYING;
}

static void bad(struct pair *pair)
{
	pair->now[1].trial = ROLLING_BAD;
	snprintf(pair->now[1].trial_error, ROLLING_WORD_LEN, "exit code 127");
}

static void replaced(struct pair *pair)
{
	pair->now[0].installed.hash = 0xb2;
}

static const struct {
	void (*spoil)(struct pair *pair);
	const char *says;
} refusals[] = {
	{ not_there, "one has to be active" },
	{ faulty, "fault, not standby" },
	{ busy, "handover under way" },
	{ drained, "netpas drain --end" },
	{ drained_and_active, "active all the same" },
	{ deaf, "does not hear" },
	{ differ, "netpas sync" },
	{ standby_ill, "worse off" },
	{ active_ill, "worse off" },
	{ tunnel_dead, "no live tunnel to sin-b" },
	{ tunnel_dead_there, "no live tunnel to sin-b" },
	{ untried, "no answer" },
	{ bad, "exit code 127" },
	{ replaced, "rolling upgrade" },
};

static void doubts_before_the_first_step(void **state)
{
	const struct rolling_wish wish = { 0 };
	char reason[ROLLING_REASON_LEN] = "";
	struct rolling_plan plan;

	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct pair pair;

		pair_init(&pair);
		refusals[i].spoil(&pair);
		assert_int_equal(make(&wish, &pair, &plan, reason), ROLLING_DOUBT);
		says(reason, refusals[i].says);
		pair_fini(&pair);
	}
}

static void both_get_the_same(void **state)
{
	struct rolling_wish wish = { .upgrade = true };
	char reason[ROLLING_REASON_LEN] = "";
	struct rolling_plan plan;
	struct pair pair;

	(void)state;
	pair_init(&pair);
	pair.now[0].installed.hash = 0xb2;
	pair.now[1].installed.hash = 0xc3;
	assert_int_equal(make(&wish, &pair, &plan, reason), ROLLING_DOUBT);
	says(reason, "--allow-different");
	wish.different = true;
	assert_int_equal(make(&wish, &pair, &plan, reason), ROLLING_DONE);
	assert_int_equal(plan.n, 10);
	pair_fini(&pair);
}

/* ---- steps ---- */

static enum rolling_verdict see(struct rolling_watch *w, struct pair *pair, int64_t now_ms,
				char *reason)
{
	return rolling_see(w, &pair->before[0], &pair->now[0], &pair->before[1], &pair->now[1],
			   now_ms, reason);
}

static void drain_step(void **state)
{
	struct rolling_watch w = { .step = ROLLING_DRAIN };
	char reason[ROLLING_REASON_LEN];
	struct pair pair;

	(void)state;
	pair_init(&pair);
	/* The active one: it hands over, and is drained then. */
	snprintf(pair.now[0].role, sizeof(pair.now[0].role), "active");
	pair.now[0].active = pair.now[0].drained = pair.now[0].busy = true;
	pair.now[1].active = false;
	assert_int_equal(see(&w, &pair, 10, reason), ROLLING_WAIT);
	snprintf(pair.now[0].role, sizeof(pair.now[0].role), "standby");
	pair.now[0].active = pair.now[0].busy = false;
	pair.now[1].active = true;
	assert_int_equal(see(&w, &pair, 20, reason), ROLLING_DONE);
	/* The daemon has taken the drain back. */
	pair.now[0].drained = false;
	assert_int_equal(see(&w, &pair, 30, reason), ROLLING_DOUBT);
	says(reason, "did not take the role");
	pair_fini(&pair);
}

static void quiet_step(void **state)
{
	struct rolling_watch w = { .step = ROLLING_QUIET };
	char reason[ROLLING_REASON_LEN];
	struct pair pair;
	int64_t ms = 0;

	(void)state;
	pair_init(&pair);
	pair.now[0].drained = true;
	/* As long as anything passes it is not restarted. */
	for (; ms < (int64_t)rolling_rules[ROLLING_QUIET].deadline_ms - 100; ms += 100) {
		pair.now[0].carried++;
		assert_int_equal(see(&w, &pair, ms, reason), ROLLING_WAIT);
	}
	for (int i = 0; i < 10; i++, ms += 100)
		assert_int_equal(see(&w, &pair, ms, reason), ROLLING_WAIT);
	assert_int_equal(see(&w, &pair, ms, reason), ROLLING_DONE);
	/* Nor as long as a remote gateway does not follow the other one. */
	w = (struct rolling_watch){ .step = ROLLING_QUIET };
	pair.now[0].agreeing = 1;
	assert_int_equal(see(&w, &pair, 0, reason), ROLLING_WAIT);
	says(reason, "1 of 2 remote gateways");
	assert_int_equal(see(&w, &pair, rolling_rules[ROLLING_QUIET].deadline_ms, reason),
			 ROLLING_DOUBT);
	pair_fini(&pair);
}

static void restart_step(void **state)
{
	struct rolling_watch w = { .step = ROLLING_RESTART };
	char reason[ROLLING_REASON_LEN];
	struct pair pair;

	(void)state;
	pair_init(&pair);
	pair.now[0].drained = true;
	assert_int_equal(see(&w, &pair, 10, reason), ROLLING_WAIT); /* the old one answers still */
	pair.now[0].known = false;
	pair.now[1].known = false; /* it is reached by this one's tunnel */
	assert_int_equal(see(&w, &pair, 20, reason), ROLLING_WAIT);
	assert_int_equal(see(&w, &pair, rolling_rules[ROLLING_RESTART].deadline_ms, reason),
			 ROLLING_DOUBT);
	says(reason, "does not answer");
	pair.now[0].known = true;
	pair.now[0].instance = 0x99;
	assert_int_equal(see(&w, &pair, 30, reason), ROLLING_DONE);
	assert_int_equal(w.instance, 0x99);
	pair_fini(&pair);
}

static void prove_begin(struct pair *pair, struct rolling_watch *w)
{
	pair_init(pair);
	*w = (struct rolling_watch){ .step = ROLLING_PROVE, .soak_ms = 3000, .instance = 0x99 };
	pair->now[0].drained = true;
	pair->now[0].instance = 0x99;
}

static void prove_step(void **state)
{
	const unsigned int deadline_ms = rolling_rules[ROLLING_PROVE].deadline_ms;
	char reason[ROLLING_REASON_LEN];
	struct rolling_watch w;
	struct pair pair;

	(void)state;
	prove_begin(&pair, &w);
	assert_int_equal(see(&w, &pair, 0, reason), ROLLING_WAIT);
	assert_int_equal(see(&w, &pair, 2999, reason), ROLLING_WAIT);
	assert_int_equal(see(&w, &pair, 3000, reason), ROLLING_DONE);
	pair_fini(&pair);
	/* On either gateway, whatever is worse: waited for, the soak begins anew, and not for ever. */
	for (size_t i = 0; i < 2 * N_SPOILS; i++) {
		prove_begin(&pair, &w);
		assert_int_equal(see(&w, &pair, 0, reason), ROLLING_WAIT);
		spoils[i / 2].spoil(&pair.now[i % 2]);
		if (i % 2 &&
		    (spoils[i / 2].spoil == be_worse || spoils[i / 2].spoil == change_digest)) {
			/* The one that serves: at once. */
			assert_int_equal(see(&w, &pair, 2000, reason), ROLLING_DOUBT);
			pair_fini(&pair);
			continue;
		}
		assert_int_equal(see(&w, &pair, 2000, reason), ROLLING_WAIT);
		says(reason, spoils[i / 2].says);
		assert_int_equal(see(&w, &pair, 3500, reason), ROLLING_WAIT);
		assert_int_equal(see(&w, &pair, deadline_ms, reason), ROLLING_DOUBT);
		says(reason, spoils[i / 2].says);
		pair_fini(&pair);
	}
}

static void proof_is_of_what_was_installed(void **state)
{
	char reason[ROLLING_REASON_LEN];
	struct rolling_watch w;
	struct pair pair;

	(void)state;
	prove_begin(&pair, &w);
	w.build = 0xb2;
	assert_int_equal(see(&w, &pair, 0, reason), ROLLING_WAIT);
	says(reason, "not what was installed");
	pair.now[0].running.hash = 0xb2;
	assert_int_equal(see(&w, &pair, 100, reason), ROLLING_WAIT);
	assert_int_equal(see(&w, &pair, 3100, reason), ROLLING_DONE);
	pair_fini(&pair);
}

static void became_active(struct pair *pair)
{
	not_there(pair);
}

static void was_undrained(struct pair *pair)
{
	pair->now[0].drained = false;
}

static void ended_again(struct pair *pair)
{
	pair->now[0].instance++;
}

static void server_gave_way(struct pair *pair)
{
	pair->now[1].active = false;
	snprintf(pair->now[1].role, sizeof(pair->now[1].role), "fault");
}

static void server_restarted(struct pair *pair)
{
	pair->now[1].instance++;
}

static const struct {
	void (*spoil)(struct pair *pair);
	const char *says;
} doubts[] = {
	{ became_active, "is fra-b gone" },	{ was_undrained, "somebody has ended the drain" },
	{ ended_again, "once more by itself" }, { server_gave_way, "fra-b is fault" },
	{ server_restarted, "started anew" },	{ active_ill, "which serves, is worse off" },
	{ differ, "another mesh.yaml" },
};

/* What waiting does not mend stops it at once, in every step that it matters in. */
static void doubts_half_way(void **state)
{
	static const enum rolling_step steps[] = { ROLLING_QUIET, ROLLING_RESTART, ROLLING_PROVE };
	char reason[ROLLING_REASON_LEN];
	struct rolling_watch w;
	struct pair pair;

	(void)state;
	for (size_t i = 0; i < sizeof(doubts) / sizeof(doubts[0]); i++) {
		for (size_t j = 0; j < sizeof(steps) / sizeof(steps[0]); j++) {
			prove_begin(&pair, &w);
			w.step = steps[j];
			if (doubts[i].spoil == ended_again && steps[j] == ROLLING_RESTART)
				w.instance = 0x99; /* it was seen already */
			doubts[i].spoil(&pair);
			assert_int_equal(see(&w, &pair, 1, reason), ROLLING_DOUBT);
			says(reason, doubts[i].says);
			pair_fini(&pair);
		}
	}
}

static void free_and_return_steps(void **state)
{
	struct rolling_watch w = { .step = ROLLING_FREE };
	char reason[ROLLING_REASON_LEN];
	struct pair pair;

	(void)state;
	pair_init(&pair);
	pair.now[1].partner_drained = true;
	assert_int_equal(see(&w, &pair, 0, reason), ROLLING_WAIT);
	pair.now[1].partner_drained = false;
	assert_int_equal(see(&w, &pair, 100, reason), ROLLING_DONE);
	w = (struct rolling_watch){ .step = ROLLING_RETURN };
	assert_int_equal(see(&w, &pair, 0, reason), ROLLING_WAIT);
	assert_int_equal(see(&w, &pair, rolling_rules[ROLLING_RETURN].deadline_ms, reason),
			 ROLLING_DOUBT);
	pair.now[0].active = true;
	pair.now[1].active = false;
	assert_int_equal(see(&w, &pair, 100, reason), ROLLING_DONE);
	pair_fini(&pair);
}

/* Every step has an end. */
static void table_is_whole(void **state)
{
	(void)state;
	for (enum rolling_step step = 0; step < ROLLING_STEP_MAX; step++) {
		assert_non_null(rolling_rules[step].name);
		assert_non_null(rolling_rules[step].doing);
		assert_non_null(rolling_rules[step].then);
		assert_true(rolling_rules[step].deadline_ms > 0);
	}
	assert_null(rolling_rules[ROLLING_QUIET].request);
	assert_null(rolling_rules[ROLLING_PROVE].request);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answer_is_read),
		cmocka_unit_test(other_answers_are_refused),
		cmocka_unit_test(record_is_read),
		cmocka_unit_test(worse_is_seen),
		cmocka_unit_test(numbers_in_problems_do_not_count),
		cmocka_unit_test(standby_comes_first),
		cmocka_unit_test(only_old_ones_are_upgraded),
		cmocka_unit_test(half_way_is_gone_on_from),
		cmocka_unit_test(doubts_before_the_first_step),
		cmocka_unit_test(both_get_the_same),
		cmocka_unit_test(drain_step),
		cmocka_unit_test(quiet_step),
		cmocka_unit_test(restart_step),
		cmocka_unit_test(prove_step),
		cmocka_unit_test(proof_is_of_what_was_installed),
		cmocka_unit_test(doubts_half_way),
		cmocka_unit_test(free_and_return_steps),
		cmocka_unit_test(table_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
