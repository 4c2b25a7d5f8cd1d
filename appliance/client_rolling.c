/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netpas rolling restart, netpas rolling upgrade: what ha/rolling.h decides, asked for and watched. Both
 * daemons belong to this run as long as they hear of it; they keep what a later run needs to go on
 * from where this one was killed.
 *
 * Gateways are numbered by id, the lower one first, whichever this command runs on.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "client_rolling.h"
#include "clock.h"
#include "control.h"
#include "rolling_image.h"

#define LOOK_MS 2000 /* for an answer */
#define ASK_MS 5000
#define POLL_MS 100
#define TRIAL_MS 25000
#define PATIENCE_MS 3000 /* after which it is said what is waited for */
#define SOAK_S 10	 /* health has settled by then */
#define SECONDS_MAX 86400
#define AWAIT_MS 900000	 /* for both gateways, after a restart */
#define ROLLING_LEAVES 5 /* exit code: this gateway restarts, and goes on then */

static volatile sig_atomic_t interruptions;

static void interrupt(int signo)
{
	(void)signo;
	interruptions++;
}

/* A lost terminal is no reason to stop between two gateways. */
static void take_signals(void)
{
	const struct sigaction count = { .sa_handler = interrupt };
	const struct sigaction ignore = { .sa_handler = SIG_IGN };

	(void)sigaction(SIGINT, &count, NULL); /* none of these can fail */
	(void)sigaction(SIGTERM, &count, NULL);
	(void)sigaction(SIGHUP, &ignore, NULL);
	(void)sigaction(SIGPIPE, &ignore, NULL);
}

const char *rolling_kind(const struct rolling *r)
{
	return r->wish.upgrade ? "upgrade" : "restart";
}

void rolling_say(const struct rolling *r, const char *fmt, ...)
{
	const int64_t ms = clock_now_ms() - r->began_ms;
	char line[ROLLING_REASON_LEN + 64];
	va_list args;
	int n = snprintf(line, sizeof(line), "%3" PRId64 ".%" PRId64 " s  ", ms / 1000,
			 ms % 1000 / 100);
	va_start(args, fmt);
	(void)vsnprintf(line + n, sizeof(line) - (size_t)n, fmt,
			args); /* a cut one is better than none */
	va_end(args);
	puts(line);
	fflush(stdout);
	rolling_image_log(r, line);
}

void rolling_complain(const struct rolling *r, const char *fmt, ...)
{
	char line[2 * ROLLING_REASON_LEN];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, args); /* a cut one is better than none */
	va_end(args);
	fprintf(stderr, "netpas: rolling %s: %s\n", rolling_kind(r), line);
	rolling_image_log(r, line);
}

bool rolling_interrupted(void)
{
	return interruptions;
}

static void pause_ms(long ms)
{
	const struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	(void)nanosleep(&time, NULL); /* a shorter pause is good too */
}

/* ---- before anything is touched ---- */

/* What an earlier run has left: who serves has not been restarted since. */
static int look_first(struct rolling *r, struct rolling_record *ret_record)
{
	struct rolling_record records[2] = { 0 };

	for (size_t i = 0; i < 2; i++) {
		struct gateway *g = &r->gateways[i];
		const int rc = rolling_look_at(r, g, &records[i]);

		if (!rc)
			continue;
		rolling_complain(
			r, "refused: %s: %s%s", g->name, g->silence,
			rc == -ENOTSUP || rc == -EBADMSG
				? "; a version that knows no rolling restart is upgraded by hand"
				: "");
		return CLIENT_REFUSED;
	}
	*ret_record = records[r->gateways[0].now.active ? 0 : 1].run
			      ? records[r->gateways[0].now.active ? 0 : 1]
			      : records[r->gateways[0].now.active ? 1 : 0];
	return 0;
}

static int try_installed(struct rolling *r)
{
	const int64_t deadline = clock_now_ms() + TRIAL_MS;

	for (size_t i = 0; i < 2; i++) {
		struct gateway *g = &r->gateways[i];
		json_t *answer = NULL;
		int rc = rolling_ask(r, g, "rolling-try", json_object(), ASK_MS, &answer);

		json_decref(answer);
		if (rc) {
			rolling_complain(r, "refused: %s: %s", g->name, g->silence);
			return CLIENT_REFUSED;
		}
	}
	do {
		pause_ms(POLL_MS);
		rolling_look(r);
	} while ((r->gateways[0].now.trial == ROLLING_TRYING ||
		  r->gateways[1].now.trial == ROLLING_TRYING) &&
		 clock_now_ms() < deadline && !interruptions);
	return 0;
}

/* 0, or the exit code with a message. */
static int make_plan(struct rolling *r, const struct rolling_record *record,
		     struct rolling_plan *ret_plan)
{
	const struct rolling_view views[2] = { r->gateways[0].now, r->gateways[1].now };
	char reason[ROLLING_REASON_LEN];

	for (size_t i = 0; i < 2; i++) {
		if (views[i].known)
			continue;
		rolling_complain(r, "refused: %s: %s", r->gateways[i].name, r->gateways[i].silence);
		return CLIENT_REFUSED;
	}
	if (rolling_plan_make(&r->wish, views, record, ret_plan, reason) == ROLLING_DONE)
		return 0;
	rolling_complain(r, "refused: %s", reason);
	return CLIENT_REFUSED;
}

static const char *version_of(const struct rolling_view *view)
{
	return view->image.known ? view->image.version : view->running.version;
}

static void print_plan(const struct rolling *r, const struct rolling_plan *plan)
{
	for (size_t i = 0; i < 2; i++) {
		const struct rolling_view *view = &r->gateways[i].now;

		printf("%s: %s%s, runs %s", view->name, view->role,
		       view->drained ? ", drained" : "", version_of(view));
		if (*r->wish.image && strcmp(version_of(view), r->wish.image))
			printf(", gets %s", r->wish.image);
		else if (view->running.hash != view->installed.hash)
			printf(", installed is %s", view->installed.version);
		putchar('\n');
	}
	if (plan->resumed)
		puts("going on from where an earlier run has ended:");
	for (size_t i = 0; i < plan->n; i++) {
		const struct rolling_rule *rule = &rolling_rules[plan->v[i].step];

		printf("%2zu. %s %s%s", i + 1, rule->doing, r->gateways[plan->v[i].gateway].name,
		       rule->then);
		if (plan->v[i].step == ROLLING_PROVE)
			printf(" for %g s", r->soak_ms / 1000.0);
		if (plan->v[i].step == ROLLING_DRAIN && r->gateways[plan->v[i].gateway].now.active)
			printf(": %s takes the role", r->gateways[1 - plan->v[i].gateway].name);
		putchar('\n');
	}
	fflush(stdout);
}

static void release(struct rolling *r, bool finished)
{
	if (!r->holds)
		return;
	for (size_t i = 0; i < 2; i++) {
		json_t *answer = NULL;

		/* Who does not hear it is free when it has heard nothing for a while. */
		(void)rolling_ask(r, &r->gateways[i], "rolling-release",
				  json_pack("{s:o, s:b, s:s}", "run",
					    pair_number_new(r->record.run), "finished",
					    (int)finished, "reason", r->reason),
				  LOOK_MS, &answer);
		json_decref(answer);
	}
	r->holds = false;
}

/* Both daemons, the lower id first: of two runs that begin at once one gets there first. */
static int take_both(struct rolling *r, const struct rolling_record *left,
		     const struct rolling_plan *plan)
{
	struct rolling_record record;

	if (left->kept) {
		r->record = *left;
	} else if (getrandom(&r->record.run, sizeof(r->record.run), 0) != sizeof(r->record.run)) {
		rolling_complain(r, "no random numbers: %s", strerror(errno));
		return 1;
	}
	for (size_t i = 0; i < 2 && !left->kept; i++)
		r->record.before[i] = plan->resumed ? left->before[i] : r->gateways[i].now.instance;
	if (!left->kept)
		r->record.active = plan->resumed ? left->active : r->gateways[1].now.active;
	r->holds = true;
	for (size_t i = 0; i < 2; i++) {
		struct gateway *g = &r->gateways[i];

		if (!rolling_look_at(r, g, &record))
			continue;
		rolling_complain(r, "%s%s: %s", r->overtaken ? "" : "refused: ", g->name,
				 g->silence);
		release(r, !plan->resumed);
		return CLIENT_REFUSED;
	}
	return 0;
}

static bool plans_equal(const struct rolling_plan *a, const struct rolling_plan *b)
{
	if (a->n != b->n || a->resumed != b->resumed)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].step != b->v[i].step || a->v[i].gateway != b->v[i].gateway)
			return false;
	return true;
}

/* What it is to be compared with later. One that is half-way was not seen whole: its partner was. */
static int keep_before(struct rolling *r, const struct rolling_plan *plan)
{
	struct rolling_record record;

	for (size_t i = 0; i < 2; i++) {
		struct gateway *g = &r->gateways[i];

		g->alike = plan->resumed && g->now.drained;
		g->before = g->now;
		g->now = (struct rolling_view){ 0 };
	}
	for (size_t i = 0; i < 2; i++) {
		struct gateway *g = &r->gateways[i], *other = &r->gateways[1 - i];
		struct rolling_view own;

		if (!g->alike)
			continue;
		if (rolling_look_at(r, other, &record)) {
			rolling_complain(r, "refused: %s: %s", other->name, other->silence);
			return CLIENT_REFUSED;
		}
		own = g->before;
		g->before = other->now;
		other->now = (struct rolling_view){ 0 };
		g->before.instance = own.instance;
		g->before.running = own.running;
		g->before.installed = own.installed;
		snprintf(g->before.name, sizeof(g->before.name), "%s", own.name);
		rolling_view_fini(&own);
	}
	return 0;
}

/* ---- the steps ---- */

static json_t *members_of(const struct rolling *r, enum rolling_step step)
{
	switch (step) {
	case ROLLING_FREE:
		return json_pack("{s:b}", "end", 1);
	case ROLLING_RESTART:
		return json_pack("{s:o, s:b}", "run", pair_number_new(r->record.run),
				 "keep_engines", (int)r->keep_engines);
	case ROLLING_BOOT:
		return json_pack("{s:o, s:s}", "run", pair_number_new(r->record.run), "image",
				 r->wish.image);
	case ROLLING_DRAIN:
	case ROLLING_QUIET:
	case ROLLING_TRIAL:
	case ROLLING_PROVE:
	case ROLLING_RETURN:
	case ROLLING_STEP_MAX:
		break;
	}
	return json_object();
}

enum outcome {
	OUTCOME_DONE,
	OUTCOME_REFUSED, /* the gateway did not do it */
	OUTCOME_STOPPED,
	OUTCOME_INTERRUPTED,
	OUTCOME_LEFT, /* this machine goes down for its trial */
};

static bool is_interrupted(enum rolling_step step)
{
	return interruptions > 1 || (interruptions && !rolling_rules[step].must_end);
}

static enum outcome watch(struct rolling *r, struct rolling_watch *w, struct gateway *g,
			  struct gateway *other, char reason[static ROLLING_REASON_LEN])
{
	char said[ROLLING_REASON_LEN] = "";
	int64_t since_ms = w->began_ms;

	for (;;) {
		enum rolling_verdict verdict;

		rolling_look(r);
		if (r->overtaken) {
			snprintf(reason, ROLLING_REASON_LEN,
				 "another run has taken over, as this one was silent for long");
			return OUTCOME_STOPPED;
		}
		verdict = rolling_see(w, &g->before, &g->now, &other->before, &other->now,
				      clock_now_ms(), reason);
		if (verdict == ROLLING_DONE)
			return OUTCOME_DONE;
		if (verdict == ROLLING_DOUBT)
			return OUTCOME_STOPPED;
		if (r->leaves && interruptions)
			return OUTCOME_LEFT;
		if (is_interrupted(w->step)) {
			snprintf(reason, ROLLING_REASON_LEN, "interrupted");
			return OUTCOME_INTERRUPTED;
		}
		if (strcmp(said, reason) && clock_now_ms() - since_ms > PATIENCE_MS) {
			rolling_say(r, "  %s", reason);
			since_ms = clock_now_ms();
			snprintf(said, sizeof(said), "%s", reason);
		}
		pause_ms(POLL_MS);
	}
}

/* The other gateway hears of it, and the record has it, before nothing can be said any more. */
static void leave(struct rolling *r)
{
	r->leaves = true;
	rolling_say(r,
		    "  which is this one: it goes on by itself then, see 'netpas rolling status'");
	rolling_image_enter(r, ROLLING_LEAVING, "");
	rolling_look(r);
}

static void stay(struct rolling *r)
{
	r->leaves = false;
	rolling_image_enter(r, ROLLING_RUNNING, "");
}

static enum outcome do_step(struct rolling *r, enum rolling_step step, struct gateway *g,
			    char reason[static ROLLING_REASON_LEN])
{
	const struct rolling_rule *rule = &rolling_rules[step];
	struct gateway *other = g == &r->gateways[0] ? &r->gateways[1] : &r->gateways[0];
	struct rolling_watch w = { .step = step,
				   .soak_ms = r->soak_ms,
				   .deadline_ms = r->deadline_ms,
				   .instance = r->instance,
				   .image = *r->wish.image && !r->back ? r->wish.image : NULL,
				   .alike = g->alike };
	enum outcome outcome;
	int rc = 0;

	rolling_say(r, "%s %s%s", rule->doing, g->name, rule->then);
	if (step == ROLLING_BOOT && g->here)
		leave(r);
	if (step == ROLLING_PROVE && r->wish.upgrade && !r->run)
		w.build = g->before.installed.hash;
	if (rule->request) {
		json_t *answer = NULL;

		rc = rolling_ask(r, g, rule->request, members_of(r, step), ASK_MS, &answer);
		json_decref(answer);
	}
	if (rc && !rolling_is_lost(rc)) {
		snprintf(reason, ROLLING_REASON_LEN, "%s: %s", g->name, g->silence);
		return OUTCOME_REFUSED;
	}
	r->touched = true;
	w.began_ms = clock_now_ms();
	outcome = watch(r, &w, g, other, reason);
	if (outcome != OUTCOME_DONE)
		return outcome;
	if (step == ROLLING_RESTART || step == ROLLING_TRIAL) {
		g->restarted = true;
		r->instance = w.instance;
	}
	if (step == ROLLING_FREE) {
		/* From here on it is compared with what it is now. */
		r->instance = 0;
		g->alike = false;
		g->before.instance = g->now.instance;
	}
	return OUTCOME_DONE;
}

/* The gateway was drained and not touched otherwise. True if it is free again. */
static bool undo(struct rolling *r, struct gateway *g)
{
	char reason[ROLLING_REASON_LEN];

	if (do_step(r, ROLLING_FREE, g, reason) == OUTCOME_DONE)
		return true;
	rolling_complain(r, "%s stays drained: %s", g->name, reason);
	return false;
}

/* Its trial has ended in the slot that ran before: if that is as good as it was, it is free again. */
static void come_back(struct rolling *r, struct gateway *g)
{
	char reason[ROLLING_REASON_LEN];

	r->back = true;
	r->instance = 0;
	if (do_step(r, ROLLING_PROVE, g, reason) != OUTCOME_DONE ||
	    do_step(r, ROLLING_FREE, g, reason) != OUTCOME_DONE)
		rolling_complain(r, "%s stays drained: %s", g->name, reason);
}

static void tell_end(struct rolling *r)
{
	rolling_look(r);
	for (size_t i = 0; i < 2; i++) {
		const struct gateway *g = &r->gateways[i];

		if (g->now.known)
			rolling_say(r, "%s is %s%s, runs %s", g->name, g->now.role,
				    g->now.drained ? " and drained" : "", version_of(&g->now));
		else
			rolling_say(r, "%s: %s", g->name, g->silence);
	}
}

static void advise(struct rolling *r, const struct gateway *g)
{
	bool drained = false;

	for (size_t i = 0; i < 2; i++)
		drained = drained || !r->gateways[i].now.known || r->gateways[i].now.drained;
	if (!drained)
		rolling_complain(
			r,
			"both gateways are free; say 'netpas rolling %s' again when the cause "
			"is gone",
			rolling_kind(r));
	else
		rolling_complain(
			r,
			"%s stays drained, so that nothing comes to it as long as the other one "
			"lives. Look at 'netpas status' and the log there; when the cause is "
			"gone say 'netpas rolling %s' again, which goes on from here, or "
			"'netpas drain --end' there",
			g->name, rolling_kind(r));
}

/* Whether the gateway of the step that did not end well is drained, and only that. */
static bool can_undo(enum rolling_step step, enum outcome outcome, const struct gateway *g)
{
	if (g->alike || (g->now.known && !g->now.drained))
		return false;
	if (rolling_rules[step].may_undo)
		return true;
	if (step == ROLLING_RESTART)
		return outcome == OUTCOME_REFUSED;
	if (step == ROLLING_BOOT)
		return outcome == OUTCOME_REFUSED || (g->now.known && !g->now.image.trial &&
						      g->now.instance == g->before.instance &&
						      !strcmp(g->now.image.job_state, "failed"));
	return step == ROLLING_DRAIN && outcome == OUTCOME_INTERRUPTED;
}

static int stop(struct rolling *r, enum rolling_step step, struct gateway *g, enum outcome outcome,
		const char *reason)
{
	rolling_complain(r, "stopped: %s", reason);
	snprintf(r->reason, sizeof(r->reason), "%s", reason);
	if (r->leaves)
		stay(r);
	if (r->run && r->touched && rolling_returned(&g->now.image, r->wish.image))
		come_back(r, g);
	else if (r->touched && !r->overtaken && can_undo(step, outcome, g))
		(void)undo(r, g); /* says so */
	tell_end(r);
	if (r->touched)
		advise(r, g);
	return r->touched ? CLIENT_UNDONE : CLIENT_REFUSED;
}

static int carry_out(struct rolling *r, const struct rolling_plan *plan)
{
	char reason[ROLLING_REASON_LEN] = "interrupted";
	enum outcome outcome;

	for (size_t i = 0; i < plan->n; i++) {
		const enum rolling_step step = plan->v[i].step;
		struct gateway *g = &r->gateways[plan->v[i].gateway];

		outcome = is_interrupted(step) ? OUTCOME_INTERRUPTED : do_step(r, step, g, reason);
		if (outcome == OUTCOME_DONE)
			continue;
		if (outcome == OUTCOME_LEFT)
			return ROLLING_LEAVES;
		return stop(r, step, g, outcome, reason);
	}
	tell_end(r);
	rolling_say(r, "the rolling %s is done", rolling_kind(r));
	return 0;
}

/*
 * After a restart: until both gateways answer and can be planned for. 0: *ret_plan is what is left to do, or has
 * nothing, with the reason; or the exit code with the reason.
 */
static int await_pair(struct rolling *r, const struct rolling_record *left,
		      struct rolling_plan *ret_plan, char reason[static ROLLING_REASON_LEN])
{
	const int64_t deadline = clock_now_ms() + AWAIT_MS;
	enum rolling_verdict verdict = ROLLING_DOUBT;
	json_t *answer;

	*ret_plan = (struct rolling_plan){ 0 };
	snprintf(reason, ROLLING_REASON_LEN, "netpasd does not answer here");
	for (; verdict == ROLLING_DOUBT && clock_now_ms() < deadline; pause_ms(5 * POLL_MS)) {
		if (interruptions)
			return ROLLING_LEAVES; /* the next start goes on */
		answer = NULL;
		if (control_request(r->paths->run_dir, "status", LOOK_MS, &answer))
			continue;
		json_decref(answer);
		if (!r->ends.partner && rolling_learn(r))
			continue;
		rolling_look(r);
		for (size_t i = 0; i < 2; i++)
			if (!r->gateways[i].now.known)
				snprintf(reason, ROLLING_REASON_LEN, "%.63s: %.300s",
					 r->gateways[i].name, r->gateways[i].silence);
		if (!r->gateways[0].now.known || !r->gateways[1].now.known)
			continue;
		verdict = rolling_plan_make(
			&r->wish,
			(const struct rolling_view[]){ r->gateways[0].now, r->gateways[1].now },
			left, ret_plan, reason);
	}
	return verdict == ROLLING_DOUBT ? CLIENT_UNDONE : 0;
}

static int has_come_back(struct rolling *r, const struct rolling_record *left, struct gateway *g)
{
	const struct rolling_plan plan = { .resumed = true };
	int rc = take_both(r, left, &plan);

	snprintf(r->reason, sizeof(r->reason), "%.63s has come back to %.63s: %.190s", g->name,
		 g->now.image.version, g->now.image.reason);
	rolling_complain(r, "stopped: %s", r->reason);
	if (!rc && g->now.drained)
		rc = keep_before(r, &plan);
	if (!rc) {
		if (g->alike)
			come_back(r, g);
		tell_end(r);
		advise(r, g);
	}
	return CLIENT_UNDONE;
}

static int finish(struct rolling *r, bool resumed, int rc)
{
	if (rc == ROLLING_LEAVES)
		return rc; /* both stay as they are */
	release(r, !rc || (!r->touched && !resumed));
	rolling_image_enter(r, rc ? ROLLING_STOPPED : ROLLING_OVER, r->reason);
	return rc;
}

/* What this machine's restart has interrupted. */
static int go_on(struct rolling *r)
{
	struct rolling_record left;
	struct rolling_plan plan;
	char reason[ROLLING_REASON_LEN] = "";
	int rc;

	if (!rolling_image_load(r, &left, reason)) {
		puts(reason);
		return 0;
	}
	printf("going on with the rolling upgrade to %s\n", r->wish.image);
	rc = await_pair(r, &left, &plan, reason);
	if (rc == ROLLING_LEAVES)
		return rc;
	for (size_t i = 0; i < 2; i++)
		if (rolling_returned(&r->gateways[i].now.image, r->wish.image))
			return finish(r, true, has_come_back(r, &left, &r->gateways[i]));
	if (rc || !plan.n) {
		snprintf(r->reason, sizeof(r->reason), "%s", reason);
		rolling_complain(r, "%s%s", rc ? "stopped: " : "", reason);
		return finish(r, true, rc);
	}
	print_plan(r, &plan);
	rc = take_both(r, &left, &plan);
	rolling_image_enter(r, ROLLING_RUNNING, "");
	if (!rc)
		rc = keep_before(r, &plan);
	if (!rc)
		rc = carry_out(r, &plan);
	return finish(r, true, rc);
}

static int roll(struct rolling *r, const char *file)
{
	struct rolling_record left;
	struct rolling_plan plan, again;
	int rc = file ? rolling_image_open(r, file) : 0;

	if (!rc)
		rc = rolling_learn(r);
	if (!rc)
		rc = look_first(r, &left);
	if (!rc && !file)
		rc = try_installed(r);
	if (!rc)
		rc = make_plan(r, &left, &plan);
	if (rc)
		return rc;
	print_plan(r, &plan);
	if (r->check) {
		puts("the pair can take it");
		return 0;
	}
	rc = take_both(r, &left, &plan);
	if (rc)
		return rc;
	if (file) {
		rolling_image_enter(r, ROLLING_RUNNING, "");
		rc = rolling_image_spread(r);
	}
	if (!rc)
		rc = make_plan(r, &left, &again);
	if (!rc && !plans_equal(&plan, &again)) {
		rolling_complain(r, "refused: the pair has changed meanwhile; say it again");
		rc = CLIENT_REFUSED;
	}
	if (!rc)
		rc = keep_before(r, &plan);
	if (!rc)
		rc = carry_out(r, &plan);
	return finish(r, plan.resumed, rc);
}

/* ---- the command line ---- */

static int take_seconds(const char *option, const char *text, unsigned int *ret_ms)
{
	char *end;
	double seconds = text ? strtod(text, &end) : -1;

	if (!text || end == text || *end || !(seconds >= 0 && seconds <= SECONDS_MAX)) {
		fprintf(stderr, "netpas: rolling: %s takes seconds, 0 to %d, got '%s'\n", option,
			SECONDS_MAX, text ? text : "nothing");
		return 2;
	}
	*ret_ms = (unsigned int)(seconds * 1000);
	return 0;
}

static int take_options(struct rolling *r, int argc, char **argv, const char **ret_file)
{
	const struct {
		const char *name;
		bool *value;
	} words[] = {
		{ "--check", &r->check },
		{ "--hand-back", &r->wish.hand_back },
		{ "--keep-engines", &r->keep_engines },
		{ "--allow-different", &r->wish.different },
		{ "--allow-away", &r->wish.away },
		{ "--force-older", &r->wish.older },
	};
	const size_t n = sizeof(words) / sizeof(words[0]);

	if (argc < 2 || (strcmp(argv[1], "restart") && strcmp(argv[1], "upgrade"))) {
		fprintf(stderr,
			"netpas: 'netpas rolling restart', 'netpas rolling upgrade [BUNDLE]' and "
			"'netpas rolling status' are what there is\n");
		return 2;
	}
	r->wish.upgrade = !strcmp(argv[1], "upgrade");
	for (int i = 2; i < argc; i++) {
		size_t w = 0;

		if (!strcmp(argv[i], "--soak") || !strcmp(argv[i], "--deadline")) {
			if (take_seconds(argv[i], i + 1 < argc ? argv[i + 1] : NULL,
					 argv[i][2] == 's' ? &r->soak_ms : &r->deadline_ms))
				return 2;
			i++;
			continue;
		}
		while (w < n && strcmp(argv[i], words[w].name))
			w++;
		if (w == n && argv[i][0] != '-' && r->wish.upgrade && !*ret_file) {
			*ret_file = argv[i];
			continue;
		}
		if (w == n) {
			fprintf(stderr,
				"netpas: rolling %s knows --check, --soak SECONDS, --deadline SECONDS, "
				"--hand-back, --keep-engines, --allow-different, and with a bundle "
				"--allow-away and --force-older, got '%s'\n",
				argv[1], argv[i]);
			return 2;
		}
		*words[w].value = true;
	}
	if (*ret_file ? r->wish.different || r->keep_engines : r->wish.away || r->wish.older) {
		fputs("netpas: rolling: --allow-away and --force-older belong to an upgrade with a "
		      "bundle, --allow-different and --keep-engines to all others\n",
		      stderr);
		return 2;
	}
	if (r->wish.different && !r->wish.upgrade) {
		fputs("netpas: rolling restart changes no software; --allow-different belongs to "
		      "rolling upgrade\n",
		      stderr);
		return 2;
	}
	return 0;
}

int client_rolling(const struct client_paths *paths, int argc, char **argv)
{
	struct rolling r = { .paths = paths, .soak_ms = SOAK_S * 1000, .began_ms = clock_now_ms() };
	const char *file = NULL;
	int rc;

	if (argc >= 2 && !strcmp(argv[1], "status"))
		return rolling_image_show(argc > 2 && !strcmp(argv[2], "--json"));
	r.wish.upgrade = argc == 2 && !strcmp(argv[1], "resume");
	rc = r.wish.upgrade ? 0 : take_options(&r, argc, argv, &file);
	if (rc)
		return rc;
	take_signals();
	rc = r.wish.upgrade && !file && !strcmp(argv[1], "resume") ? go_on(&r) : roll(&r, file);
	rolling_image_free(&r);
	for (size_t i = 0; i < 2; i++) {
		rolling_view_fini(&r.gateways[i].before);
		rolling_view_fini(&r.gateways[i].now);
	}
	return rc;
}
