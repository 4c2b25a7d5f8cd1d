/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A pair restarted one gateway after the other: which steps, in which order, what each must see
 * before the next one, and when to stop. Pure: what both gateways say and the time come from outside.
 *
 *	for the standby gateway, then for the other one:
 *	drain -> quiet -> restart -> prove -> free
 *
 * or, where the machine's image is replaced, boot -> trial in place of restart: the slot that was written
 * before anything was touched is started, and has to confirm itself (appliance/upgrade.h).
 *
 * Draining the active one hands the role to the gateway that was proven just before. A gateway is
 * drained, on disk, from before it is touched until it is as good as before: whatever dies meanwhile,
 * the other one serves.
 */
#ifndef NETPAS_ROLLING_H
#define NETPAS_ROLLING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROLLING_REASON_LEN 400
#define ROLLING_WORD_LEN 200
#define ROLLING_NAME_LEN 64

#define ROLLING_QUIET_MS 1000 /* so long a gateway carries nothing before it is restarted */

/* ---- what a gateway says ---- */

struct rolling_words {
	char (*v)[ROLLING_WORD_LEN];
	size_t n;
};

int rolling_words_add(struct rolling_words *words, const char *word); /* 0, -ENOMEM */

/* Whether the program on disk, tried, would do on that gateway. */
enum rolling_trial {
	ROLLING_UNTRIED,
	ROLLING_TRYING,
	ROLLING_GOOD,
	ROLLING_BAD,
	ROLLING_TRIAL_MAX,
};
extern const char *const rolling_trial_names[ROLLING_TRIAL_MAX];

struct rolling_build {
	char version[ROLLING_NAME_LEN];
	uint64_t hash; /* of the program's file */
};

/* What it says of the appliance image and its slots. */
struct rolling_image {
	bool known; /* it is one */
	bool trial; /* what runs is not confirmed */
	char version[ROLLING_NAME_LEN];
	char phase[16];			/* of its last upgrade (appliance/upgrade_record.h) */
	char written[ROLLING_NAME_LEN]; /* the version that this was about */
	char reason[ROLLING_WORD_LEN];
	uint64_t job; /* the run that it works for, or did; 0: none */
	char job_name[16];
	char job_state[16]; /* "running", "done", "failed" */
	char job_reason[ROLLING_WORD_LEN];
};

/* Zeroed: it does not answer. */
struct rolling_view {
	bool known;
	char name[ROLLING_NAME_LEN];
	char role[16];
	uint16_t id;
	uint64_t instance; /* of netpasd: each start has another one */
	uint64_t digest;
	struct rolling_build running, installed;
	enum rolling_trial trial;
	char trial_error[ROLLING_WORD_LEN];
	bool active; /* it has the VIPs, and nobody overrules it */
	bool drained;
	bool busy;	    /* a handover is under way */
	bool partner_alive; /* as it hears by the tunnel between the two */
	bool partner_drained;
	unsigned int severity;
	unsigned int remotes,
		agreeing;   /* live remote gateways; those that hear the partner claim */
	unsigned int paths; /* that are alive */
	uint64_t carried;   /* packets, both ways */
	bool lan_answers;
	struct rolling_image image;
	char far[ROLLING_WORD_LEN];    /* a remote gateway that is drained or not heard; "": none */
	struct rolling_words tunnels;  /* that are alive: names of peers, and lanes */
	struct rolling_words programs; /* of the data plane, that run */
	struct rolling_words problems; /* but for those of being drained */
};

void rolling_view_fini(struct rolling_view *view);

/*
 * Is it as good as before? False with the first thing that is not, in words. Before may be what its
 * partner said (alike: it was not seen before itself).
 */
bool rolling_as_good(const struct rolling_view *before, bool alike, const struct rolling_view *now,
		     char reason[static ROLLING_REASON_LEN]);

/* ---- the plan ---- */

enum rolling_step {
	ROLLING_DRAIN,
	ROLLING_QUIET,
	ROLLING_RESTART,
	ROLLING_BOOT,
	ROLLING_TRIAL,
	ROLLING_PROVE,
	ROLLING_FREE,
	ROLLING_RETURN,
	ROLLING_STEP_MAX,
};

struct rolling_rule {
	const char *name;
	const char *doing, *then; /* around the gateway's name: "ending the drain of", "" */
	const char *request;	  /* to it; NULL: none, it is only watched */
	unsigned int deadline_ms;
	bool patient;	   /* how fast a machine starts: that may be told */
	bool other_serves; /* the other gateway has to be active meanwhile, and undisturbed */
	bool drained;	   /* this one has to be drained */
	bool may_undo;	   /* the gateway is as it was but for being drained: that is ended */
	bool must_end;	   /* an interruption waits for the end of the step */
};
extern const struct rolling_rule rolling_rules[ROLLING_STEP_MAX];

#define ROLLING_PLAN_MAX 16

struct rolling_plan {
	struct {
		enum rolling_step step;
		unsigned int gateway; /* 0 or 1 */
	} v[ROLLING_PLAN_MAX];
	size_t n;
	bool resumed; /* what an earlier run left half-way */
};

struct rolling_wish {
	bool upgrade;
	bool hand_back;
	bool different; /* the two gateways may get different software */
	bool older;	/* that version may be older than what runs */
	bool away;	/* gateways of other sites may be drained, or not heard */
	char image
		[ROLLING_NAME_LEN]; /* the version that both are to run; "": it is about netpasd */
};

/* Has its trial ended in the slot that ran before? */
bool rolling_returned(const struct rolling_image *image, const char *wanted);

/* What an earlier run, that did not end well, has left; zeroed: there was none. */
struct rolling_record {
	uint64_t run;
	uint64_t before[2];  /* instances, in the order of the views */
	unsigned int active; /* who was */
	bool kept;	     /* on disk, by the run itself: one that goes on after a restart */
};

enum rolling_verdict {
	ROLLING_WAIT,
	ROLLING_DONE,
	ROLLING_DOUBT, /* also: refused, where nothing was begun */
	ROLLING_VERDICT_MAX,
};

/*
 * ROLLING_DONE: *ret_plan is what is to be done. ROLLING_WAIT: there is nothing to do. ROLLING_DOUBT: the
 * pair cannot take it, or it is not what was asked for. The last two with the reason.
 */
enum rolling_verdict rolling_plan_make(const struct rolling_wish *wish,
				       const struct rolling_view views[static 2],
				       const struct rolling_record *record,
				       struct rolling_plan *ret_plan,
				       char reason[static ROLLING_REASON_LEN]);

/* ---- a step ---- */

struct rolling_watch {
	enum rolling_step step;
	int64_t began_ms;
	unsigned int soak_ms;	  /* how long a proof has to last */
	unsigned int deadline_ms; /* of restart and proof; 0: as the table says */
	uint64_t build;		  /* that has to run after the restart; 0: any */
	const char *image;	  /* that has to run after the trial; NULL: any */
	bool alike;		  /* before is what the partner said */
	/* Kept by rolling_see(); zeroed at first. */
	uint64_t instance; /* after the restart: given on from there to the proof */
	int64_t good_ms;
	bool good, counted;
	uint64_t carried;
};

/*
 * Both gateways as they are now: the one that the step is about, and the other. ROLLING_WAIT and ROLLING_DOUBT
 * come with the reason.
 */
enum rolling_verdict rolling_see(struct rolling_watch *watch, const struct rolling_view *before,
				 const struct rolling_view *now,
				 const struct rolling_view *other_before,
				 const struct rolling_view *other, int64_t now_ms,
				 char reason[static ROLLING_REASON_LEN]);

#endif
