/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which paths to a peer are used, for one class of traffic. Preference, not liveness: the kernel
 * leaves a dead path by itself, within the dead interval; here the order is made in which it
 * looks, calmly.
 *
 * Cost, in us, bounded in each part, so that a path which is bad because we load it does not look
 * infinitely worse than the one that we would then load (as RFC 9616 does):
 *	best, protected:	srtt + 2 jitter + 60 ms for each 1 % of loss
 *	bulk:			srtt * sqrt(loss / 0.01 %): the time that a TCP flow takes, whose
 *				rate is proportional to 1 / (rtt sqrt(p)) (Mathis et al., 1997)
 * Loss is counted of our direction, and a quarter of the other one: whoever sends there chooses by
 * himself.
 * Between two paths a difference of loss counts as far as it is more than chance: a path that is
 * probed twice a second has often lost nothing in a minute, for no merit of its own.
 *
 * Paths are ranked first (enum path_rank), then compared by cost. The first one is left at once
 * if it is brown, dead, too narrow or gone (then for the first that is any good of those that were
 * next, of which the news are fresh: the programs are there already); for a better one only if
 * that is better by the margin all through the hold time, and is a candidate. A path that fell (died or went brown) is held
 * down until it has been good for 10 s; each further fall doubles this up to 160 s, and each five
 * minutes without one halve it. A path that is held down is still taken before a bad one.
 */
#ifndef NETPAS_PATH_CHOICE_H
#define NETPAS_PATH_CHOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "path.h"
#include "path_stats.h"

/* All constants of the choice; times in us. */
#define PATH_CHOICE_JITTER 2		 /* times jitter */
#define PATH_CHOICE_DELAY_MAX_US 1000000 /* srtt and jitter count no further */
#define PATH_CHOICE_LOSS_US_PER_PERCENT 60000
#define PATH_CHOICE_LOSS_MAX_PPM 100000	   /* loss counts no further */
#define PATH_CHOICE_LOSS_IN_PART 4	   /* one in so many of the loss of the other direction */
#define PATH_CHOICE_BULK_FLOOR_PPM 100	   /* less loss is not told from none */
#define PATH_CHOICE_MARGIN_PERCENT 10	   /* better by this, */
#define PATH_CHOICE_BULK_MARGIN_PERCENT 30 /* as loss is never known well */
#define PATH_CHOICE_MARGIN_US 2000	   /* and by this, */
#define PATH_CHOICE_HOLD_US 3000000	   /* for so long */
#define PATH_CHOICE_CHANCE_Z2 6.0 /* squared standard errors: up to here a difference is chance, */
#define PATH_CHOICE_SURE_Z2 20.0  /* from here on it is none */
#define PATH_CHOICE_DOWN_US 10000000 /* hold-down after a fall, */
#define PATH_CHOICE_DOWN_MAX_US 160000000
#define PATH_CHOICE_DECAY_US 300000000 /* halved after each of these without a fall */
#define PATH_CHOICE_NEXT 2 /* places after the first that are given to what shares least with it */

/* Best first. */
enum path_rank {
	PATH_RANK_CANDIDATE,
	PATH_RANK_HELD,	  /* fell lately */
	PATH_RANK_NARROW, /* does not carry the largest packets, so the tunnel must do with less */
	PATH_RANK_BROWN,
	PATH_RANK_DEAD,
	PATH_RANK_MAX,
};
extern const char *const path_rank_names[PATH_RANK_MAX];

/* Why the first path is what it is. */
enum path_reason {
	PATH_REASON_NONE,    /* nothing was chosen yet */
	PATH_REASON_INITIAL, /* nothing was alive before */
	PATH_REASON_ADOPTED, /* found in use */
	PATH_REASON_BETTER,
	PATH_REASON_BROWN, /* the one before was */
	PATH_REASON_NARROW,
	PATH_REASON_DEAD,
	PATH_REASON_GONE, /* from the configuration */
	PATH_REASON_MAX,
};
extern const char *const path_reason_names[PATH_REASON_MAX]; /* texts for people */

/* What is remembered of one path. */
struct path_memory {
	bool good; /* alive and not brown, when last looked at */
	uint64_t good_since_us;
	uint64_t alive_since_us;  /* as then */
	uint64_t fell_us;	  /* the last time; 0: never */
	uint64_t hold_us;	  /* hold-down of the last fall */
	uint64_t better_since_us; /* than the first, by the margin; 0: it is not */
	enum path_rank rank;
};

struct path_choice {
	enum dp_class class;
	bool settled;			/* the first was chosen among living ones */
	bool gone;			/* the first of the last decision is no path any more */
	uint8_t n_order;		/* of all paths */
	uint8_t order[DP_PATHS_MAX];	/* the whole one, best first */
	uint8_t next[PATH_CHOICE_NEXT]; /* after the first, of the last decision; or DP_NO_PATH */
	enum path_reason reason;
	uint64_t since_us;			 /* the first is first */
	struct path_memory memory[DP_PATHS_MAX]; /* by number */
};

struct path_decision {
	uint8_t n_order; /* 0: there is no path */
	uint8_t n_near;	 /* of the order: the one in use and those that follow at once if it dies */
	uint8_t order[DP_ORDER_MAX];
	/* The partner of each, disjoint from it and not always in the order; DP_NO_PATH: none. */
	uint8_t second[DP_ORDER_MAX];
	uint8_t spread; /* bits: positions of those that are candidates, for flows to be spread */
	bool changed;	/* another first one than before (never at the first decision) */
	uint8_t before; /* the first one before; DP_NO_PATH: none, or gone */
	enum path_reason reason; /* for the first one */
};

void path_choice_init(struct path_choice *choice, enum dp_class class);

/* Begin with what the kernel uses (dp_node.order), after a restart of the daemon. */
void path_choice_adopt(struct path_choice *choice, const uint8_t *order, size_t n, uint64_t now_us);

/*
 * The list of paths has changed: what was number i is now number map[i], DP_NO_PATH if it is gone
 * (path_find()).
 */
void path_choice_renumber(struct path_choice *choice, const uint8_t map[static DP_PATHS_MAX]);

/*
 * Decide; ten times a second and when a path's state changes. paths as path_list() gives them,
 * metrics[i] is of paths[i]. mtu: the UDP payload that a path has to carry; 0: any will do.
 *
 * In the order are paths that are alive before those that are dead, the best first; but the
 * partner of the first one comes second if it is good at all, and is in it in any case while it is
 * alive: so one failure never takes all of them, nor those that are probed fast. In the third
 * place, and in the second if there is no partner, is of the good ones that which shares least with
 * those before it: so two failures at once are survived as fast as one.
 */
void path_choice_update(struct path_choice *choice, const struct path *paths,
			const struct path_metrics *metrics, size_t n, uint16_t mtu, uint64_t now_us,
			struct path_decision *ret_decision);

/*
 * True if a decision's path carries traffic now, or will as soon as another one dies: the near
 * ones and the first one's partner.
 */
bool path_decision_is_near(const struct path_decision *decision, uint8_t number);

/* For people: 0 if srtt is not measured. */
uint64_t path_choice_cost_us(enum dp_class class, const struct path_metrics *metrics);

#endif
