/* SPDX-License-Identifier: GPL-2.0-only */
#include "rolling.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const rolling_trial_names[ROLLING_TRIAL_MAX] = {
	[ROLLING_UNTRIED] = "untried",
	[ROLLING_TRYING] = "trying",
	[ROLLING_GOOD] = "good",
	[ROLLING_BAD] = "bad",
};

const struct rolling_rule rolling_rules[ROLLING_STEP_MAX] = {
	[ROLLING_DRAIN] = {
		.name = "drain",
		.doing = "draining",
		.then = "",
		.request = "drain",
		.deadline_ms = 30000,
	},
	[ROLLING_QUIET] = {
		.name = "quiet",
		.doing = "waiting until",
		.then = " carries nothing any more",
		.deadline_ms = 20000,
		.other_serves = true,
		.drained = true,
		.may_undo = true,
	},
	[ROLLING_RESTART] = {
		.name = "restart",
		.doing = "restarting",
		.then = "",
		.request = "rolling-restart",
		.deadline_ms = 60000,
		.patient = true,
		.other_serves = true,
		.drained = true,
		.must_end = true,
	},
	[ROLLING_BOOT] = {
		.name = "boot",
		.doing = "restarting the machine of",
		.then = " for its trial",
		.request = "image-try",
		.deadline_ms = 600000,
		.patient = true,
		.other_serves = true,
		.drained = true,
		.must_end = true,
	},
	[ROLLING_TRIAL] = {
		.name = "trial",
		.doing = "waiting until",
		.then = " has confirmed its trial",
		.deadline_ms = 900000,
		.patient = true,
		.other_serves = true,
		.drained = true,
		.must_end = true,
	},
	[ROLLING_PROVE] = {
		.name = "prove",
		.doing = "waiting until",
		.then = " is as good as before, and stays so",
		.deadline_ms = 60000,
		.patient = true,
		.other_serves = true,
		.drained = true,
		.must_end = true,
	},
	[ROLLING_FREE] = {
		.name = "free",
		.doing = "ending the drain of",
		.then = "",
		.request = "drain",
		.deadline_ms = 10000,
		.must_end = true,
	},
	[ROLLING_RETURN] = {
		.name = "return",
		.doing = "handing the role back to",
		.then = "",
		.request = "switchover",
		.deadline_ms = 30000,
	},
};

/* ---- words ---- */

int rolling_words_add(struct rolling_words *words, const char *word)
{
	char(*v)[ROLLING_WORD_LEN] = reallocarray(words->v, words->n + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	words->v = v;
	snprintf(v[words->n++], ROLLING_WORD_LEN, "%s", word);
	return 0;
}

static void words_free(struct rolling_words *words)
{
	free(words->v);
	*words = (struct rolling_words){ 0 };
}

/* Numbers in a text do not count: how long something lasts, how often it was seen. */
static bool is_alike(const char *a, const char *b)
{
	for (;;) {
		while (isdigit((unsigned char)*a))
			a++;
		while (isdigit((unsigned char)*b))
			b++;
		if (*a != *b)
			return false;
		if (!*a)
			return true;
		a++;
		b++;
	}
}

static bool is_same(const char *a, const char *b)
{
	return !strcmp(a, b);
}

/* The first of a that is not in b; NULL: none. */
static const char *missing(const struct rolling_words *a, const struct rolling_words *b,
			   bool (*equal)(const char *a, const char *b))
{
	for (size_t i = 0; i < a->n; i++) {
		size_t j = 0;

		while (j < b->n && !equal(a->v[i], b->v[j]))
			j++;
		if (j == b->n)
			return a->v[i];
	}
	return NULL;
}

static bool because(char reason[static ROLLING_REASON_LEN], const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static bool because(char reason[static ROLLING_REASON_LEN], const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(reason, ROLLING_REASON_LEN, fmt, args); /* a cut one is better than none */
	va_end(args);
	return false;
}

/* ---- as good as before ---- */

void rolling_view_fini(struct rolling_view *view)
{
	words_free(&view->tunnels);
	words_free(&view->programs);
	words_free(&view->problems);
	*view = (struct rolling_view){ 0 };
}

bool rolling_as_good(const struct rolling_view *before, bool alike, const struct rolling_view *now,
		     char reason[static ROLLING_REASON_LEN])
{
	const char *word;

	if (now->digest != before->digest)
		return because(reason, "%s has another mesh.yaml in force", now->name);
	if (!now->partner_alive)
		return because(reason, "%s does not hear the other gateway", now->name);
	if (now->severity > before->severity)
		return because(reason, "%s is worse off (severity %u, not %u)", now->name,
			       now->severity, before->severity);
	word = missing(&before->tunnels, &now->tunnels, is_same);
	if (word)
		return because(reason, "%s has no live tunnel to %s", now->name, word);
	word = alike ? NULL : missing(&before->programs, &now->programs, is_same);
	if (word)
		return because(reason, "%s does not run the program %s", now->name, word);
	if (before->lan_answers && !now->lan_answers)
		return because(reason, "nobody on the LAN answers %s", now->name);
	if (!alike && now->paths < before->paths)
		return because(reason, "%s has %u live paths, not %u", now->name, now->paths,
			       before->paths);
	word = missing(&now->problems, &before->problems, is_alike);
	if (word)
		return because(reason, "%s has a problem: %s", now->name, word);
	return true;
}

/* ---- the plan ---- */

static bool can_begin(const struct rolling_wish *wish, const struct rolling_view views[static 2],
		      const struct rolling_record *record, char reason[static ROLLING_REASON_LEN])
{
	for (size_t i = 0; i < 2; i++) {
		const struct rolling_view *view = &views[i], *other = &views[1 - i];

		if (view->active == other->active)
			return because(reason, "%s is %s and %s is %s: one has to be active",
				       view->name, view->role, other->name, other->role);
		if (!view->active && strcmp(view->role, "standby"))
			return because(reason, "%s is %s, not standby", view->name, view->role);
		if (view->busy)
			return because(reason, "%s has a handover under way", view->name);
		/* It was on trial when the gateway that led the run died. */
		if (view->drained && view->active && !(record->kept && *wish->image))
			return because(reason, "%s is drained, and active all the same",
				       view->name);
		if (view->drained && !record->run)
			return because(reason,
				       "%s is drained, and not by a rolling restart that is known "
				       "of; 'netpas drain --end' there ends that",
				       view->name);
		if (!view->partner_alive)
			return because(reason, "%s does not hear %s by the tunnel between the two",
				       view->name, other->name);
	}
	if (views[0].digest != views[1].digest)
		return because(reason, "%s and %s have different mesh.yaml in force; 'netpas sync'",
			       views[0].name, views[1].name);
	return true;
}

/* Neither may lack what the other one has: it would be what customers have meanwhile. */
static bool are_alike(const struct rolling_view views[static 2],
		      char reason[static ROLLING_REASON_LEN])
{
	for (size_t i = 0; i < 2; i++) {
		const struct rolling_view *view = &views[i], *other = &views[1 - i];
		const char *word = missing(&other->tunnels, &view->tunnels, is_same);

		if (view->drained)
			continue; /* half-way: it is proven later */
		if (view->severity > other->severity && !other->drained)
			return because(reason, "%s is worse off than %s (severity %u, not %u)",
				       view->name, other->name, view->severity, other->severity);
		if (word && !other->drained)
			return because(reason, "%s has no live tunnel to %s, and %s has",
				       view->name, word, other->name);
	}
	return true;
}

bool rolling_returned(const struct rolling_image *image, const char *wanted)
{
	return image->known && !image->trial && strcmp(image->version, wanted) &&
	       !strcmp(image->written, wanted) && !strcmp(image->phase, "returned");
}

static bool is_image_allowed(const struct rolling_wish *wish,
			     const struct rolling_view views[static 2],
			     const struct rolling_record *record,
			     char reason[static ROLLING_REASON_LEN])
{
	for (size_t i = 0; i < 2; i++) {
		const struct rolling_view *view = &views[i];
		const bool wanted = view->image.known && !strcmp(view->image.version, wish->image);

		if (!view->image.known)
			return because(reason,
				       "%s is not the appliance image, or its netpasd knows "
				       "nothing of that",
				       view->name);
		if (view->image.trial && !(wanted && view->drained))
			return because(reason, "%s runs %s for its trial, not confirmed yet",
				       view->name, view->image.version);
		if (!strcmp(view->image.phase, "armed") && !wanted)
			return because(reason,
				       "%s is set for a trial of %s; restart it, or 'netpas "
				       "upgrade rollback' there",
				       view->name, view->image.written);
		if (strverscmp(wish->image, view->image.version) < 0 && !wish->older &&
		    !record->kept)
			return because(reason,
				       "%s is older than what %s runs, %s; --force-older takes it "
				       "all the same",
				       wish->image, view->name, view->image.version);
		if (*view->far && !wish->away && !record->kept)
			return because(reason,
				       "%s: %s; is an upgrade under way there? A trial is judged "
				       "by tunnels to all gateways. Wait for it, or say "
				       "--allow-away",
				       view->name, view->far);
	}
	return true;
}

static bool is_allowed(const struct rolling_wish *wish, const struct rolling_view views[static 2],
		       char reason[static ROLLING_REASON_LEN])
{
	const struct rolling_build *a = &views[0].installed, *b = &views[1].installed;

	for (size_t i = 0; i < 2; i++) {
		const struct rolling_view *view = &views[i];

		if (view->trial != ROLLING_GOOD)
			return because(
				reason, "what is installed on %s was tried and does not do: %s",
				view->name, *view->trial_error ? view->trial_error : "no answer");
		if (!wish->upgrade && view->installed.hash != view->running.hash)
			return because(
				reason,
				"%s runs %s, and another build (%s) is installed there: a "
				"restart would change it; 'netpas rolling upgrade' is for that",
				view->name, view->running.version, view->installed.version);
	}
	if (wish->upgrade && !wish->different && a->hash != b->hash)
		return because(reason,
			       "%s has %s installed and %s has %s, another build; install the same "
			       "on both, or say --allow-different",
			       views[0].name, a->version, views[1].name, b->version);
	return true;
}

static void add_step(struct rolling_plan *plan, enum rolling_step step, unsigned int gateway)
{
	plan->v[plan->n].step = step;
	plan->v[plan->n++].gateway = gateway;
}

static void add_gateway(struct rolling_plan *plan, bool restart, bool image, bool drained,
			unsigned int gateway)
{
	if (!restart && !drained)
		return;
	if (restart && !drained)
		add_step(plan, ROLLING_DRAIN, gateway);
	if (restart) {
		add_step(plan, ROLLING_QUIET, gateway);
		add_step(plan, image ? ROLLING_BOOT : ROLLING_RESTART, gateway);
	}
	if (image)
		add_step(plan, ROLLING_TRIAL, gateway);
	add_step(plan, ROLLING_PROVE, gateway);
	add_step(plan, ROLLING_FREE, gateway);
}

enum rolling_verdict rolling_plan_make(const struct rolling_wish *wish,
				       const struct rolling_view views[static 2],
				       const struct rolling_record *record,
				       struct rolling_plan *ret_plan,
				       char reason[static ROLLING_REASON_LEN])
{
	const unsigned int active = views[0].active ? 0 : 1, standby = 1 - active;
	struct rolling_plan plan = { .resumed = views[standby].drained };
	unsigned int was_active = plan.resumed || record->kept ? record->active : active,
		     will = active;
	const bool image = *wish->image;
	bool restart[2];

	if (!can_begin(wish, views, record, reason) || !are_alike(views, reason) ||
	    !(image ? is_image_allowed(wish, views, record, reason)
		    : is_allowed(wish, views, reason)))
		return ROLLING_DOUBT;
	for (size_t i = 0; i < 2; i++)
		restart[i] = image	     ? strcmp(views[i].image.version, wish->image)
			     : wish->upgrade ? views[i].running.hash != views[i].installed.hash
			     : plan.resumed  ? views[i].instance == record->before[i]
					     : true;
	if (views[active].drained)
		add_step(&plan, ROLLING_FREE, active);
	add_gateway(&plan, restart[standby], image, views[standby].drained, standby);
	add_gateway(&plan, restart[active], image, false, active);
	if (image && !plan.n && !(wish->hand_back && record->kept && active != record->active)) {
		because(reason, "both gateways run %s; there is nothing to do", wish->image);
		return ROLLING_WAIT;
	}
	if (!image && !plan.n) {
		because(reason, "both gateways run what is installed, %s; there is nothing to do",
			views[0].running.version);
		return ROLLING_WAIT;
	}
	if (restart[active])
		will = standby;
	if (wish->hand_back && will != was_active)
		add_step(&plan, ROLLING_RETURN, was_active);
	*ret_plan = plan;
	return ROLLING_DONE;
}

/* ---- a step ---- */

/* Nothing of that can get well by waiting. */
static bool is_undoubted(const struct rolling_watch *watch, const struct rolling_view *before,
			 const struct rolling_view *now, const struct rolling_view *other_before,
			 const struct rolling_view *other, char reason[static ROLLING_REASON_LEN])
{
	const struct rolling_rule *rule = &rolling_rules[watch->step];

	if (now->known && rule->other_serves && now->active)
		return because(reason, "%s has become active although it is drained: is %s gone?",
			       before->name, other_before->name);
	if (now->known && rule->drained && !now->drained)
		return because(reason, "somebody has ended the drain of %s", before->name);
	if (now->known && watch->instance && now->instance != watch->instance)
		return because(reason, "netpasd of %s has ended once more by itself", before->name);
	if (!other->known)
		return true;
	if (rule->other_serves && !other->active)
		return because(reason, "%s is %s, and should be active", other->name, other->role);
	if (rule->other_serves && other->severity > other_before->severity)
		return because(reason,
			       "%s, which serves, is worse off than before (severity %u, "
			       "not %u)",
			       other->name, other->severity, other_before->severity);
	if (other->instance != other_before->instance)
		return because(reason, "netpasd of %s was started anew meanwhile", other->name);
	if (other->digest != other_before->digest)
		return because(reason, "%s has got another mesh.yaml meanwhile", other->name);
	return true;
}

static bool is_quiet(struct rolling_watch *watch, const struct rolling_view *now,
		     char reason[static ROLLING_REASON_LEN])
{
	const uint64_t before = watch->carried;
	const bool first = !watch->counted;

	watch->carried = now->carried;
	watch->counted = true;
	if (now->agreeing < now->remotes)
		return because(reason,
			       "%u of %u remote gateways do not hear the other gateway's claim yet",
			       now->remotes - now->agreeing, now->remotes);
	if (first || now->carried != before)
		return because(reason, "%s carries packets still", now->name);
	return true;
}

static bool is_restarted(struct rolling_watch *watch, const struct rolling_view *before,
			 const struct rolling_view *now, char reason[static ROLLING_REASON_LEN])
{
	if (now->instance == before->instance)
		return because(reason, "%s has not restarted yet", before->name);
	watch->instance = now->instance;
	return true;
}

static bool is_confirmed(struct rolling_watch *watch, const struct rolling_view *now,
			 char reason[static ROLLING_REASON_LEN])
{
	const struct rolling_image *image = &now->image;

	if (!image->known || image->trial || (watch->image && strcmp(image->version, watch->image)))
		return because(reason, "%s runs %s%s", now->name,
			       image->known ? image->version : "no image that it knows of",
			       image->trial ? " for its trial, not confirmed yet" : "");
	watch->instance = now->instance;
	return true;
}

/* True if the step has what it is for; else what it waits for. */
static bool is_good(struct rolling_watch *watch, const struct rolling_view *before,
		    const struct rolling_view *now, const struct rolling_view *other_before,
		    const struct rolling_view *other, char reason[static ROLLING_REASON_LEN])
{
	if (!now->known)
		return because(reason, "%s does not answer", before->name);
	if (watch->step == ROLLING_RESTART || watch->step == ROLLING_BOOT)
		return is_restarted(watch, before, now, reason);
	if (watch->step == ROLLING_TRIAL)
		return is_confirmed(watch, now, reason);
	if (!other->known)
		return because(reason, "%s does not answer", other_before->name);
	switch (watch->step) {
	case ROLLING_DRAIN:
		if (!now->drained || strcmp(now->role, "standby") || !other->active)
			return because(reason, "%s is %s, %s is %s", now->name, now->role,
				       other->name, other->role);
		return true;
	case ROLLING_QUIET:
		return is_quiet(watch, now, reason);
	case ROLLING_PROVE:
		if (watch->image && strcmp(now->image.version, watch->image))
			return because(reason, "%s runs %s, not %s", now->name, now->image.version,
				       watch->image);
		if (watch->build && now->running.hash != watch->build)
			return because(reason, "%s runs %s, which is not what was installed",
				       now->name, now->running.version);
		return rolling_as_good(before, watch->alike, now, reason) &&
		       rolling_as_good(other_before, false, other, reason);
	case ROLLING_FREE:
		if (now->drained || other->partner_drained)
			return because(reason,
				       "%s has not heard yet that %s is not drained any more",
				       other->name, now->name);
		return true;
	case ROLLING_RETURN:
		if (!now->active || other->active)
			return because(reason, "%s is %s, %s is %s", now->name, now->role,
				       other->name, other->role);
		return true;
	case ROLLING_RESTART:
	case ROLLING_BOOT:
	case ROLLING_TRIAL:
	case ROLLING_STEP_MAX:
		break;
	}
	return false;
}

static unsigned int hold_ms(const struct rolling_watch *watch)
{
	return watch->step == ROLLING_PROVE   ? watch->soak_ms
	       : watch->step == ROLLING_QUIET ? ROLLING_QUIET_MS
					      : 0;
}

static unsigned int deadline_ms(const struct rolling_watch *watch)
{
	const struct rolling_rule *rule = &rolling_rules[watch->step];

	return rule->patient && watch->deadline_ms ? watch->deadline_ms : rule->deadline_ms;
}

/* The daemon takes a drain back whose role nobody took. */
static bool has_failed(const struct rolling_watch *watch, const struct rolling_view *before,
		       const struct rolling_view *now, const struct rolling_view *other_before,
		       char reason[static ROLLING_REASON_LEN])
{
	if (!now->known || now->busy)
		return false;
	if (watch->step == ROLLING_DRAIN && !now->drained) {
		because(reason, "%s did not take the role over", other_before->name);
		return true;
	}
	if ((watch->step == ROLLING_BOOT || watch->step == ROLLING_TRIAL) && watch->image &&
	    now->instance != before->instance && rolling_returned(&now->image, watch->image)) {
		because(reason, "%s has come back to %s: %s", now->name, now->image.version,
			now->image.reason);
		return true;
	}
	if (watch->step == ROLLING_BOOT && !strcmp(now->image.job_name, "try") &&
	    !strcmp(now->image.job_state, "failed")) {
		because(reason, "%s: %s", now->name, now->image.job_reason);
		return true;
	}
	return false;
}

enum rolling_verdict rolling_see(struct rolling_watch *watch, const struct rolling_view *before,
				 const struct rolling_view *now,
				 const struct rolling_view *other_before,
				 const struct rolling_view *other, int64_t now_ms,
				 char reason[static ROLLING_REASON_LEN])
{
	if (!is_undoubted(watch, before, now, other_before, other, reason) ||
	    has_failed(watch, before, now, other_before, reason))
		return ROLLING_DOUBT;
	if (is_good(watch, before, now, other_before, other, reason)) {
		if (!watch->good)
			watch->good_ms = now_ms;
		watch->good = true;
		if (now_ms - watch->good_ms >= hold_ms(watch))
			return ROLLING_DONE;
		because(reason, "it has to stay so for %u ms", hold_ms(watch));
		return ROLLING_WAIT;
	}
	watch->good = false;
	return now_ms - watch->began_ms < deadline_ms(watch) ? ROLLING_WAIT : ROLLING_DOUBT;
}
