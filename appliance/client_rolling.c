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

#include "client.h"
#include "clock.h"
#include "control.h"
#include "pair_channel.h"
#include "rolling.h"
#include "rolling_view.h"

#define LOOK_MS 2000 /* for an answer */
#define ASK_MS 5000
#define POLL_MS 100
#define TRIAL_MS 25000
#define PATIENCE_MS 3000 /* after which it is said what is waited for */
#define SOAK_S 10	 /* health has settled by then */
#define SECONDS_MAX 86400

struct gateway {
	bool here, alike, restarted;
	struct rolling_view before, now;
	char name[ROLLING_NAME_LEN];
	char silence[256]; /* why it does not answer */
};

struct rolling {
	const struct client_paths *paths;
	struct rolling_wish wish;
	bool check, keep_engines;
	unsigned int soak_ms, deadline_ms;
	struct pair_ends ends;
	struct gateway gateways[2];
	struct rolling_record record; /* of this run, with what it goes on from */
	bool holds, touched, overtaken;
	int64_t began_ms;
	uint64_t instance; /* of the gateway that was restarted last */
};

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

static const char *kind(const struct rolling *r)
{
	return r->wish.upgrade ? "upgrade" : "restart";
}

static void say(const struct rolling *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void say(const struct rolling *r, const char *fmt, ...)
{
	const int64_t ms = clock_now_ms() - r->began_ms;
	va_list args;

	printf("%3" PRId64 ".%" PRId64 " s  ", ms / 1000, ms % 1000 / 100);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

static void complain(const struct rolling *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void complain(const struct rolling *r, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "netpas: rolling %s: ", kind(r));
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

/* ---- asking ---- */

static const char *silence_of(int rc)
{
	switch (rc) {
	case -EACCES:
		return "only root may ask";
	case -ENODEV:
		return "there is no tunnel to it now";
	case -ENOENT:
	case -ECONNREFUSED:
		return "no netpasd listens there";
	case -EHOSTUNREACH:
		return "it does not answer on the LAN";
	case -EPROTO:
		return "it speaks another version of the pair channel";
	case -EBADMSG:
		return "its answer makes no sense";
	}
	return strerror(-rc);
}

/* It may have been done or not. */
static bool is_lost(int rc)
{
	return rc == -ECONNABORTED || rc == -ECONNRESET || rc == -ETIMEDOUT || rc == -EPIPE;
}

/*
 * Takes the members. 0: *ret_answer is a good one; else why not, in words, in the gateway's silence:
 * -EPERM it refuses, -ENOTSUP or -errno.
 */
static int ask(struct rolling *r, struct gateway *g, const char *what, json_t *members,
	       int timeout_ms, json_t **ret_answer)
{
	json_t *request = g->here ? json_pack("{s:s}", "command", what) : pair_request_new(what);
	json_t *answer = NULL;
	const char *error;
	int rc = request && members && !json_object_update(request, members) ? 0 : -ENOMEM;

	if (!rc)
		rc = g->here ? control_exchange(r->paths->run_dir, request, timeout_ms, &answer)
			     : pair_channel_ask(&r->ends, request, timeout_ms, &answer);
	json_decref(request);
	json_decref(members);
	if (rc) {
		snprintf(g->silence, sizeof(g->silence), "%s", silence_of(rc));
		return rc;
	}
	if (json_is_true(json_object_get(answer, "ok"))) {
		*ret_answer = answer;
		return 0;
	}
	error = json_string_value(json_object_get(answer, "error"));
	snprintf(g->silence, sizeof(g->silence), "%s", error ? error : "it fails");
	rc = json_is_true(json_object_get(answer, "refused")) ? -EPERM : -ENOTSUP;
	json_decref(answer);
	return rc;
}

static json_t *hold_members(const struct rolling *r)
{
	const struct gateway *here = &r->gateways[r->gateways[0].here ? 0 : 1];

	if (!r->holds)
		return json_object();
	return json_pack("{s:{s:o, s:s, s:s, s:o, s:o, s:b}}", "hold", "run",
			 pair_number_new(r->record.run), "kind", kind(r), "by", here->name,
			 "before_first", pair_number_new(r->record.before[0]), "before_second",
			 pair_number_new(r->record.before[1]), "second_was_active",
			 (int)r->record.active);
}

/* What it says now. 0 or -errno, then it is unknown. */
static int look(struct rolling *r, struct gateway *g, struct rolling_record *ret_record)
{
	struct rolling_view view;
	json_t *answer = NULL;
	int rc = ask(r, g, "rolling", hold_members(r), LOOK_MS, &answer);

	r->overtaken = r->overtaken || (r->holds && rc == -EPERM);
	rolling_view_fini(&g->now);
	if (rc)
		return rc;
	rc = rolling_view_parse(answer, &view, ret_record);
	if (rc)
		snprintf(g->silence, sizeof(g->silence), "%s", silence_of(rc));
	else
		g->now = view;
	json_decref(answer);
	return rc;
}

static void look_at_both(struct rolling *r)
{
	struct rolling_record record;

	for (size_t i = 0; i < 2; i++)
		(void)look(r, &r->gateways[i], &record); /* unknown then */
}

/* Of the daemon here: who the two are, and where the other one is reached. Exit code. */
static int learn(struct rolling *r)
{
	json_t *request = json_pack("{s:s}", "command", "status"), *answer, *status, *partner;
	struct gateway *here, *there;
	const char *name, *ifname;
	int rc = client_request(r->paths, request, &answer);

	json_decref(request);
	if (rc)
		return rc;
	status = json_object_get(answer, "status");
	partner = json_object_get(status, "partner");
	ifname = json_string_value(json_object_get(partner, "interface"));
	r->ends.self = (uint16_t)json_integer_value(json_object_get(status, "id"));
	r->ends.partner = (uint16_t)json_integer_value(json_object_get(partner, "id"));
	r->ends.port = (uint16_t)json_integer_value(json_object_get(partner, "port"));
	if (!ifname || !r->ends.partner) {
		complain(r, "refused: this is no gateway of a pair");
		json_decref(answer);
		return CLIENT_REFUSED;
	}
	snprintf(r->ends.ifname, sizeof(r->ends.ifname), "%s", ifname);
	here = &r->gateways[r->ends.self > r->ends.partner];
	there = &r->gateways[r->ends.self < r->ends.partner];
	here->here = true;
	name = json_string_value(json_object_get(status, "node"));
	snprintf(here->name, sizeof(here->name), "%s", name ? name : "?");
	name = json_string_value(json_object_get(partner, "name"));
	snprintf(there->name, sizeof(there->name), "%s", name ? name : "?");
	json_decref(answer);
	return 0;
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
		const int rc = look(r, g, &records[i]);

		if (!rc)
			continue;
		complain(r, "refused: %s: %s%s", g->name, g->silence,
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
		int rc = ask(r, g, "rolling-try", json_object(), ASK_MS, &answer);

		json_decref(answer);
		if (rc) {
			complain(r, "refused: %s: %s", g->name, g->silence);
			return CLIENT_REFUSED;
		}
	}
	do {
		pause_ms(POLL_MS);
		look_at_both(r);
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
		complain(r, "refused: %s: %s", r->gateways[i].name, r->gateways[i].silence);
		return CLIENT_REFUSED;
	}
	if (rolling_plan_make(&r->wish, views, record, ret_plan, reason) == ROLLING_DONE)
		return 0;
	complain(r, "refused: %s", reason);
	return CLIENT_REFUSED;
}

static void print_plan(const struct rolling *r, const struct rolling_plan *plan)
{
	for (size_t i = 0; i < 2; i++) {
		const struct rolling_view *view = &r->gateways[i].now;

		printf("%s: %s%s, runs %s", view->name, view->role,
		       view->drained ? ", drained" : "", view->running.version);
		if (view->running.hash != view->installed.hash)
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
		(void)ask(r, &r->gateways[i], "rolling-release",
			  json_pack("{s:o, s:b}", "run", pair_number_new(r->record.run), "finished",
				    (int)finished),
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

	if (getrandom(&r->record.run, sizeof(r->record.run), 0) != sizeof(r->record.run)) {
		complain(r, "no random numbers: %s", strerror(errno));
		return 1;
	}
	for (size_t i = 0; i < 2; i++)
		r->record.before[i] = plan->resumed ? left->before[i] : r->gateways[i].now.instance;
	r->record.active = plan->resumed ? left->active : r->gateways[1].now.active;
	r->holds = true;
	for (size_t i = 0; i < 2; i++) {
		struct gateway *g = &r->gateways[i];

		if (!look(r, g, &record))
			continue;
		complain(r, "%s%s: %s", r->overtaken ? "" : "refused: ", g->name, g->silence);
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
		if (look(r, other, &record)) {
			complain(r, "refused: %s: %s", other->name, other->silence);
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
	case ROLLING_DRAIN:
	case ROLLING_QUIET:
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

		look_at_both(r);
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
		if (is_interrupted(w->step)) {
			snprintf(reason, ROLLING_REASON_LEN, "interrupted");
			return OUTCOME_INTERRUPTED;
		}
		if (strcmp(said, reason) && clock_now_ms() - since_ms > PATIENCE_MS) {
			say(r, "  %s", reason);
			since_ms = clock_now_ms();
			snprintf(said, sizeof(said), "%s", reason);
		}
		pause_ms(POLL_MS);
	}
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
				   .alike = g->alike };
	int rc = 0;

	say(r, "%s %s%s", rule->doing, g->name, rule->then);
	if (step == ROLLING_PROVE && r->wish.upgrade)
		w.build = g->before.installed.hash;
	if (rule->request) {
		json_t *answer = NULL;

		rc = ask(r, g, rule->request, members_of(r, step), ASK_MS, &answer);
		json_decref(answer);
	}
	if (rc && !is_lost(rc)) {
		snprintf(reason, ROLLING_REASON_LEN, "%s: %s", g->name, g->silence);
		return OUTCOME_REFUSED;
	}
	r->touched = true;
	w.began_ms = clock_now_ms();
	switch (watch(r, &w, g, other, reason)) {
	case OUTCOME_DONE:
		break;
	case OUTCOME_INTERRUPTED:
		return OUTCOME_INTERRUPTED;
	case OUTCOME_REFUSED:
	case OUTCOME_STOPPED:
		return OUTCOME_STOPPED;
	}
	if (step == ROLLING_RESTART) {
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
	complain(r, "%s stays drained: %s", g->name, reason);
	return false;
}

static void tell_end(struct rolling *r)
{
	look_at_both(r);
	for (size_t i = 0; i < 2; i++) {
		const struct gateway *g = &r->gateways[i];

		if (g->now.known)
			say(r, "%s is %s%s, runs %s", g->name, g->now.role,
			    g->now.drained ? " and drained" : "", g->now.running.version);
		else
			say(r, "%s: %s", g->name, g->silence);
	}
}

static void advise(struct rolling *r, const struct gateway *g)
{
	bool drained = false;

	for (size_t i = 0; i < 2; i++)
		drained = drained || !r->gateways[i].now.known || r->gateways[i].now.drained;
	if (!drained)
		complain(r,
			 "both gateways are free; say 'netpas rolling %s' again when the cause "
			 "is gone",
			 kind(r));
	else
		complain(r,
			 "%s stays drained, so that nothing comes to it as long as the other one "
			 "lives. Look at 'netpas status' and the log there; when the cause is "
			 "gone say 'netpas rolling %s' again, which goes on from here, or "
			 "'netpas drain --end' there",
			 g->name, kind(r));
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
	return step == ROLLING_DRAIN && outcome == OUTCOME_INTERRUPTED;
}

static int stop(struct rolling *r, enum rolling_step step, struct gateway *g, enum outcome outcome,
		const char *reason)
{
	complain(r, "stopped: %s", reason);
	if (r->touched && !r->overtaken && can_undo(step, outcome, g))
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
		return stop(r, step, g, outcome, reason);
	}
	tell_end(r);
	say(r, "the rolling %s is done", kind(r));
	return 0;
}

static int roll(struct rolling *r)
{
	struct rolling_record left;
	struct rolling_plan plan, again;
	int rc = learn(r);

	if (!rc)
		rc = look_first(r, &left);
	if (!rc)
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
	rc = make_plan(r, &left, &again);
	if (!rc && !plans_equal(&plan, &again)) {
		complain(r, "refused: the pair has changed meanwhile; say it again");
		rc = CLIENT_REFUSED;
	}
	if (!rc)
		rc = keep_before(r, &plan);
	if (!rc)
		rc = carry_out(r, &plan);
	release(r, !rc || (!r->touched && !plan.resumed));
	return rc;
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

static int take_options(struct rolling *r, int argc, char **argv)
{
	const struct {
		const char *name;
		bool *value;
	} words[] = {
		{ "--check", &r->check },
		{ "--hand-back", &r->wish.hand_back },
		{ "--keep-engines", &r->keep_engines },
		{ "--allow-different", &r->wish.different },
	};
	const size_t n = sizeof(words) / sizeof(words[0]);

	if (argc < 2 || (strcmp(argv[1], "restart") && strcmp(argv[1], "upgrade"))) {
		fprintf(stderr, "netpas: 'netpas rolling restart' and 'netpas rolling upgrade' are "
				"what there is\n");
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
		if (w == n) {
			fprintf(stderr,
				"netpas: rolling %s knows --check, --soak SECONDS, "
				"--deadline SECONDS, --hand-back, --keep-engines and --allow-different, got "
				"'%s'\n",
				argv[1], argv[i]);
			return 2;
		}
		*words[w].value = true;
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
	int rc = take_options(&r, argc, argv);

	if (rc)
		return rc;
	take_signals();
	rc = roll(&r);
	for (size_t i = 0; i < 2; i++) {
		rolling_view_fini(&r.gateways[i].before);
		rolling_view_fini(&r.gateways[i].now);
	}
	return rc;
}
