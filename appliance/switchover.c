/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The answer to a request says at once whether it is begun or refused; the client then asks
 * ("handover") until it is over. So no request holds up the event loop.
 */
#include "switchover.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "clock.h"
#include "control.h"
#include "daemon.h"
#include "damping.h"
#include "event.h"
#include "file.h"
#include "handover.h"
#include "hello.h"
#include "log.h"

#define REASON_LEN 200

struct switchover {
	struct sd_event *event;
	struct sd_event_source *timer;
	struct vrrp *vrrp;
	struct handover handover;
	struct damping damping;
	bool holds;	  /* this gateway has the VIPs */
	bool drain_began; /* by the handover that is under way: undone if that fails */
	char drain_path[PATH_MAX];
};

/* ---- what follows from the state ---- */

static bool held(const struct switchover *s)
{
	return s->damping.until_us && !s->holds && s->handover.state != HANDOVER_TAKING;
}

int switchover_term(const struct switchover *s, uint8_t *ret_flags)
{
	*ret_flags = (s->handover.draining ? HELLO_FLAG_DRAINING : 0) |
		     (s->handover.state != HANDOVER_IDLE ? HELLO_FLAG_HANDING_OVER : 0);
	return handover_term(&s->handover) - (held(s) ? DAMPING_TERM : 0);
}

static int timer_due(struct sd_event_source *source, uint64_t usec, void *data);

static void set_timer(struct switchover *s)
{
	uint64_t next = s->handover.deadline_us;

	if (s->damping.until_us && (!next || s->damping.until_us < next))
		next = s->damping.until_us;
	s->timer = sd_event_source_disable_unref(s->timer);
	if (next &&
	    sd_event_add_time(s->event, &s->timer, CLOCK_MONOTONIC, next, 1000, timer_due, s) < 0)
		log_error("switchover: out of memory, what was asked for has no end");
}

static void apply(struct switchover *s)
{
	uint8_t flags;
	const int term = switchover_term(s, &flags);

	set_timer(s);
	vrrp_set_term(s->vrrp, term, flags);
}

/* ---- being drained, on disk ---- */

static int save_drain(const struct switchover *s)
{
	static const char text[] = "drained\n";

	if (s->handover.draining)
		return file_replace(s->drain_path, text, sizeof(text) - 1, 0600);
	if (unlink(s->drain_path) && errno != ENOENT)
		return -errno;
	return file_sync_directory(s->drain_path);
}

/* The file first: a gateway that says that it is drained is so after a power cut, too. */
static int set_drain(struct switchover *s, bool draining)
{
	const bool before = s->handover.draining;
	int rc;

	s->handover.draining = draining;
	rc = save_drain(s);
	if (rc) {
		log_error("%s: %s", s->drain_path, strerror(-rc));
		s->handover.draining = before;
	} else if (draining != before) {
		event_info(EVENT_DRAIN, "drain: %s", draining ? "off -> on" : "on -> off");
	}
	return rc;
}

/* ---- events ---- */

static void feed(struct switchover *s, enum handover_event event)
{
	const enum handover_state before = s->handover.state;

	if (!handover_event(&s->handover, event, clock_now_us()))
		return;
	event_info(EVENT_HANDOVER, "handover: %s -> %s", handover_state_names[before],
		   handover_state_names[s->handover.state]);
	if (s->handover.state != HANDOVER_IDLE || before == HANDOVER_GIVEN ||
	    before == HANDOVER_TAKEN)
		return;
	event_warning(EVENT_HANDOVER, "handover: the other gateway did not %s within %u ms",
		      before == HANDOVER_GIVING ? "take over" : "give way",
		      (unsigned int)(handover_timeout_us(&s->handover) / 1000));
	if (s->drain_began)
		(void)set_drain(s, false); /* logs; then it stays drained, and the status says so */
}

static int timer_due(struct sd_event_source *source, uint64_t usec, void *data)
{
	struct switchover *s = data;
	const uint64_t now = clock_now_us();
	bool ended;

	(void)source;
	(void)usec;
	if (s->handover.deadline_us && s->handover.deadline_us <= now)
		feed(s, HANDOVER_ON_EXPIRED);
	(void)damping_held(&s->damping, now, &ended);
	if (ended)
		event_info(EVENT_DAMPING, "flap damping: held -> free");
	apply(s);
	return 0;
}

static void count_claim(struct switchover *s)
{
	if (s->handover.state == HANDOVER_TAKING || !damping_claim(&s->damping, clock_now_us()))
		return;
	event_warning(
		EVENT_DAMPING,
		"flap damping: free -> held (became active %d times in %u s, and nobody asked "
		"for it); once standby, this gateway leaves the role to the other one for %u s "
		"if that is there",
		DAMPING_CLAIMS, DAMPING_WINDOW_US / 1000000, DAMPING_HOLD_US / 1000000);
}

void switchover_role_changed(struct switchover *s, enum role_state before, enum role_state now)
{
	const struct role then = { .state = before }, is = { .state = now };

	s->holds = role_holds(&is);
	if (s->holds != role_holds(&then)) {
		if (s->holds)
			count_claim(s);
		feed(s, s->holds ? HANDOVER_ON_WON : HANDOVER_ON_LOST);
	}
	apply(s);
}

void switchover_hear(struct daemon *d)
{
	const struct beacon_peer *partner = beacon_partner(d->beacon);
	struct switchover *s = vrrp_switchover(d->vrrp);
	uint64_t rival;

	if (beacon_rival(d->beacon, &rival))
		vrrp_judge(d->vrrp, rival);
	if (!partner || !partner->alive || !(partner->flags & HELLO_FLAG_HANDING_OVER))
		return;
	damping_forgive(&s->damping, clock_now_us());
	apply(s);
}

/* ---- requests ---- */

static const char *partner_name(const struct daemon *d)
{
	const struct config_site *site = config_self_site(d->config);

	return site->n_gateways > 1 ? site->gateways[1 - d->config->self_gateway].name : NULL;
}

static bool refuse(char reason[static REASON_LEN], const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static bool refuse(char reason[static REASON_LEN], const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(reason, REASON_LEN, fmt, args); /* a cut message is better than none */
	va_end(args);
	return false;
}

/* Nothing helps against these. */
static bool is_possible(const struct daemon *d, char reason[static REASON_LEN])
{
	const struct switchover *s = vrrp_switchover(d->vrrp);

	if (!partner_name(d))
		return refuse(reason, "site %s has no other gateway",
			      config_self_site(d->config)->name);
	if (!vrrp_running(d->vrrp))
		return refuse(reason, "keepalived is not running");
	if (vrrp_role(d->vrrp)->state == ROLE_OVERRULED)
		return refuse(reason,
			      "%s is active too, and is not heard by VRRP: the LAN between the two "
			      "is cut, and they settle it themselves once it is not",
			      partner_name(d));
	if (s->handover.state == HANDOVER_GIVING || s->handover.state == HANDOVER_TAKING)
		return refuse(reason, "a handover is under way");
	return true;
}

/* What is known of the other gateway, if it is the one that is to be active. */
static bool partner_can(const struct daemon *d, char reason[static REASON_LEN])
{
	const struct beacon_peer *partner = beacon_partner(d->beacon);
	const unsigned int severity = vrrp_severity(d->vrrp);

	if (!partner)
		return true; /* if it is not there it will not take over, and nothing changes */
	if (!partner->alive)
		return refuse(reason, "%s is not heard", partner_name(d));
	if (partner->flags & HELLO_FLAG_DRAINING)
		return refuse(reason, "%s is drained; 'netpas drain --end' there ends that",
			      partner_name(d));
	if (partner->severity > severity)
		return refuse(reason, "%s is worse off than this gateway (severity %u, here %u)",
			      partner_name(d), partner->severity, severity);
	if (partner->digest != d->config->digest)
		return refuse(reason, "%s has another mesh.yaml", partner_name(d));
	return true;
}

static bool self_can(const struct daemon *d, char reason[static REASON_LEN])
{
	const struct beacon_peer *partner = beacon_partner(d->beacon);
	const unsigned int severity = vrrp_severity(d->vrrp);

	if (vrrp_role(d->vrrp)->state == ROLE_FAULT)
		return refuse(reason, "this gateway's LAN interface is down");
	if (severity > (partner && partner->alive ? partner->severity : 0))
		return refuse(reason, "this gateway is worse off than %s (severity %u)",
			      partner_name(d), severity);
	if (partner && partner->alive && partner->digest != d->config->digest)
		return refuse(reason, "%s has another mesh.yaml", partner_name(d));
	return true;
}

static json_t *refusal(const char *reason)
{
	json_t *answer = control_error("refused: %s", reason);

	json_object_set_new(answer, "refused", json_true());
	return answer;
}

static json_t *progress(const struct daemon *d)
{
	const struct switchover *s = vrrp_switchover(d->vrrp);
	const struct handover *h = &s->handover;

	return json_pack("{s:b, s:s, s:s, s:f, s:I, s:b, s:s, s:s?, s:s}", "ok", 1, "state",
			 handover_state_names[h->state], "outcome",
			 handover_outcome_names[h->outcome], "took_ms", h->took_us / 1000.0,
			 "timeout_ms", (json_int_t)(handover_timeout_us(h) / 1000), "drained",
			 (int)h->draining, "node", d->config->node.name, "partner", partner_name(d),
			 "role", role_state_names[vrrp_role(d->vrrp)->state]);
}

static bool wants(json_t *request, const char *key)
{
	return json_is_true(json_object_get(request, key));
}

static void begin(struct switchover *s, bool forced, bool drain)
{
	damping_clear(&s->damping);
	s->drain_began = drain;
	s->handover.forced = forced;
	feed(s, s->holds ? HANDOVER_ON_GIVE : HANDOVER_ON_TAKE);
	apply(s);
}

static json_t *do_switchover(struct daemon *d, json_t *request)
{
	struct switchover *s = vrrp_switchover(d->vrrp);
	const bool forced = wants(request, "force");
	char reason[REASON_LEN];

	if (!is_possible(d, reason))
		return refusal(reason);
	if (!s->holds && s->handover.draining)
		return refusal("this gateway is drained; 'netpas drain --end' ends that");
	if (!forced && !(s->holds ? partner_can(d, reason) : self_can(d, reason)))
		return refusal(reason);
	event_info(EVENT_HANDOVER, "switchover: asked for%s, to %s", forced ? " by force" : "",
		   s->holds ? partner_name(d) : d->config->node.name);
	begin(s, forced, false);
	return progress(d);
}

static json_t *end_drain(struct daemon *d)
{
	struct switchover *s = vrrp_switchover(d->vrrp);
	const bool was = s->handover.draining;
	int rc = set_drain(s, false);

	if (rc)
		return control_error("%s: %s", s->drain_path, strerror(-rc));
	s->drain_began = false;
	feed(s, HANDOVER_ON_CANCEL);
	apply(s);
	return json_pack("{s:b, s:b, s:s}", "ok", 1, "was_drained", (int)was, "role",
			 role_state_names[vrrp_role(d->vrrp)->state]);
}

/*
 * Active, it hands over first, and is not drained if the other one does not take the role; by force
 * it is drained all the same, and hands over as soon as the other one is there.
 */
static json_t *do_drain(struct daemon *d, json_t *request)
{
	struct switchover *s = vrrp_switchover(d->vrrp);
	const bool forced = wants(request, "force");
	char reason[REASON_LEN];
	int rc;

	if (wants(request, "end"))
		return end_drain(d);
	if (!is_possible(d, reason))
		return refusal(reason);
	if (s->holds && !forced && !partner_can(d, reason))
		return refusal(reason);
	rc = set_drain(s, true);
	if (rc)
		return control_error("%s: %s; nothing was changed", s->drain_path, strerror(-rc));
	if (s->holds) {
		begin(s, false, !forced);
	} else {
		s->handover.outcome = HANDOVER_DONE;
		s->handover.took_us = 0;
		apply(s);
	}
	return progress(d);
}

static json_t *do_progress(struct daemon *d, json_t *request)
{
	(void)request;
	return progress(d);
}

bool switchover_command(struct daemon *d, const char *command, json_t *request, json_t **ret_answer)
{
	static const struct {
		const char *name;
		json_t *(*handle)(struct daemon *d, json_t *request);
	} commands[] = {
		{ "switchover", do_switchover },
		{ "drain", do_drain },
		{ "handover", do_progress },
	};

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(command, commands[i].name))
			continue;
		*ret_answer = d->config->is_relay
				      ? refusal("this is a relay; only gateways have a role")
				      : commands[i].handle(d, request);
		return true;
	}
	return false;
}

/* ---- status ---- */

static void add_problem(json_t *problems, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void add_problem(json_t *problems, const char *fmt, ...)
{
	char text[320];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args); /* a cut message is better than none */
	va_end(args);
	json_array_append_new(problems, json_string(text));
}

static void tell_problems(const struct daemon *d, uint64_t held_us, json_t *problems)
{
	const struct switchover *s = vrrp_switchover(d->vrrp);
	const char *partner = partner_name(d);

	if (vrrp_role(d->vrrp)->state == ROLE_OVERRULED)
		add_problem(
			problems,
			"overruled: %s is active too, and remote sites follow it; is the LAN cut "
			"between the two? This gateway serves what is on its side",
			partner ? partner : "another gateway");
	if (s->handover.draining && s->holds)
		add_problem(problems, "drained, and active all the same: %s has not taken over",
			    partner ? partner : "the other gateway");
	else if (s->handover.draining)
		add_problem(problems, "drained: active only if %s is gone; 'netpas drain --end'",
			    partner ? partner : "the other gateway");
	if (held_us)
		add_problem(problems,
			    "roles flap: this gateway became active %d times in %u s or less; it "
			    "leaves the role to the other one for %u s yet",
			    DAMPING_CLAIMS, DAMPING_WINDOW_US / 1000000,
			    (unsigned int)(held_us / 1000000) + 1);
}

json_t *switchover_status(const struct daemon *d, json_t *problems)
{
	const struct switchover *s = vrrp_switchover(d->vrrp);
	const struct config_site *site = config_self_site(d->config);
	const uint64_t now = clock_now_us();
	const uint64_t held_us = s->damping.until_us > now ? s->damping.until_us - now : 0;

	tell_problems(d, held_us, problems);
	return json_pack("{s:s, s:i, s:b, s:i, s:b, s:s, s:s, s:i, s:i}", "profile",
			 config_profile_names[site->profile], "advert_ms", (int)site->advert_ms,
			 "realtime", (int)vrrp_realtime(d->vrrp), "severity",
			 (int)vrrp_severity(d->vrrp), "drained", (int)s->handover.draining,
			 "handover", handover_state_names[s->handover.state], "last_handover",
			 handover_outcome_names[s->handover.outcome], "claims_2min",
			 (int)damping_count(&s->damping, now), "held_s",
			 (int)((held_us + 999999) / 1000000));
}

/* ---- start and end ---- */

void switchover_set_advert(struct switchover *s, uint32_t advert_ms)
{
	s->handover.advert_ms = advert_ms;
}

int switchover_new(struct sd_event *event, struct vrrp *vrrp, const char *state_dir,
		   struct switchover **ret_switchover)
{
	struct switchover *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->event = event;
	s->vrrp = vrrp;
	if ((size_t)snprintf(s->drain_path, sizeof(s->drain_path), "%s/drained", state_dir) >=
	    sizeof(s->drain_path)) {
		free(s);
		return -ENAMETOOLONG;
	}
	s->handover.draining = !access(s->drain_path, F_OK);
	if (s->handover.draining)
		event_info(EVENT_DRAIN, "drain: on, as before the restart");
	*ret_switchover = s;
	return 0;
}

void switchover_free(struct switchover *s)
{
	if (!s)
		return;
	sd_event_source_disable_unref(s->timer);
	free(s);
}
