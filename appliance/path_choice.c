/* SPDX-License-Identifier: GPL-2.0-only */
#include "path_choice.h"

#include <limits.h>
#include <string.h>

const char *const path_rank_names[PATH_RANK_MAX] = {
	[PATH_RANK_CANDIDATE] = "candidate", [PATH_RANK_HELD] = "held down",
	[PATH_RANK_BROWN] = "brown-out",     [PATH_RANK_NARROW] = "too narrow",
	[PATH_RANK_DEAD] = "dead",
};

const char *const path_reason_names[PATH_REASON_MAX] = {
	[PATH_REASON_NONE] = "nothing to choose from",
	[PATH_REASON_INITIAL] = "first choice",
	[PATH_REASON_ADOPTED] = "found in use",
	[PATH_REASON_BETTER] = "better than the one before",
	[PATH_REASON_BROWN] = "the one before lost packets",
	[PATH_REASON_NARROW] = "the one before did not carry large packets",
	[PATH_REASON_DEAD] = "the one before died",
	[PATH_REASON_GONE] = "the one before is no longer configured",
};

/* All that one decision is made from. */
struct view {
	struct path_choice *choice;
	const struct path *paths;
	const struct path_metrics *metrics;
	size_t n;
	uint64_t now_us;
};

/* -- Cost -- */

static uint64_t square_root(uint64_t value)
{
	uint64_t root = 0;

	for (uint64_t bit = UINT64_C(1) << 31; bit; bit >>= 1)
		if ((root | bit) * (root | bit) <= value)
			root |= bit;
	return root;
}

static double loss_of(const struct path_metrics *metrics)
{
	return metrics->loss_out_ppm + (double)metrics->loss_in_ppm / PATH_CHOICE_LOSS_IN_PART;
}

static uint64_t cost_with_loss(enum dp_class class, const struct path_metrics *metrics, double ppm)
{
	uint64_t delay = metrics->srtt_us, loss = (uint64_t)ppm;

	if (loss > PATH_CHOICE_LOSS_MAX_PPM)
		loss = PATH_CHOICE_LOSS_MAX_PPM;
	if (class != DP_CLASS_BULK)
		delay += (uint64_t)PATH_CHOICE_JITTER * metrics->jitter_us;
	if (delay > PATH_CHOICE_DELAY_MAX_US)
		delay = PATH_CHOICE_DELAY_MAX_US;
	if (class != DP_CLASS_BULK)
		return delay + loss * PATH_CHOICE_LOSS_US_PER_PERCENT / 10000;
	if (loss < PATH_CHOICE_BULK_FLOOR_PPM)
		loss = PATH_CHOICE_BULK_FLOOR_PPM;
	/* The root of 1024 squared times the quotient keeps ten bits of its fraction. */
	return delay * square_root((loss << 20) / PATH_CHOICE_BULK_FLOOR_PPM) >> 10;
}

uint64_t path_choice_cost_us(enum dp_class class, const struct path_metrics *metrics)
{
	return metrics->srtt_us ? cost_with_loss(class, metrics, loss_of(metrics)) : 0;
}

/*
 * How much of a difference of loss is more than chance, 0 to 1: by the standard error that both
 * samples would have if they were of one and the same loss. Between "chance" and "sure" there is
 * no edge on which a decision could tip to and fro.
 */
static double certainty(const struct path_metrics *a, const struct path_metrics *b)
{
	double n_a = a->loss_probes, n_b = b->loss_probes;
	double p_a = loss_of(a) / 1e6, p_b = loss_of(b) / 1e6;
	double pool, variance, z2;

	if (!a->loss_probes || !b->loss_probes)
		return 0;
	pool = (p_a * n_a + p_b * n_b) / (n_a + n_b);
	variance = pool * (1 - pool) * (1 / n_a + 1 / n_b);
	if (variance <= 0)
		return p_a > p_b || p_b > p_a;
	z2 = (p_a - p_b) * (p_a - p_b) / variance;
	if (z2 <= PATH_CHOICE_CHANCE_Z2)
		return 0;
	if (z2 >= PATH_CHOICE_SURE_Z2)
		return 1;
	return (z2 - PATH_CHOICE_CHANCE_Z2) / (PATH_CHOICE_SURE_Z2 - PATH_CHOICE_CHANCE_Z2);
}

/* By how much the cost of a is less than that of b; and that of b. Both have been measured. */
static int64_t gain(enum dp_class class, const struct path_metrics *a, const struct path_metrics *b,
		    uint64_t *ret_cost_b)
{
	double p_a = loss_of(a), p_b = loss_of(b), sure = certainty(a, b);

	if (p_a > p_b)
		p_a = p_b + (p_a - p_b) * sure;
	else
		p_b = p_a + (p_b - p_a) * sure;
	*ret_cost_b = cost_with_loss(class, b, p_b);
	return (int64_t)*ret_cost_b - (int64_t)cost_with_loss(class, a, p_a);
}

/* Returns the gain if a is better than b by the margin, else 0. */
static int64_t gain_by_margin(enum dp_class class, const struct path_metrics *a,
			      const struct path_metrics *b)
{
	int64_t margin, better;
	uint64_t cost;

	if (!a->srtt_us || !b->srtt_us)
		return 0;
	better = gain(class, a, b, &cost);
	margin = (int64_t)(cost *
			   (class == DP_CLASS_BULK ? PATH_CHOICE_BULK_MARGIN_PERCENT
						   : PATH_CHOICE_MARGIN_PERCENT) /
			   100);
	if (margin < PATH_CHOICE_MARGIN_US)
		margin = PATH_CHOICE_MARGIN_US;
	return better >= margin ? better : 0;
}

/* -- Memory -- */

void path_choice_init(struct path_choice *choice, enum dp_class class)
{
	memset(choice, 0, sizeof(*choice));
	memset(choice->next, DP_NO_PATH, sizeof(choice->next));
	choice->class = class;
}

static void order_append(struct path_choice *choice, uint8_t number)
{
	if (choice->n_order < DP_PATHS_MAX && number < DP_PATHS_MAX &&
	    !memchr(choice->order, number, choice->n_order))
		choice->order[choice->n_order++] = number;
}

void path_choice_adopt(struct path_choice *choice, const uint8_t *order, size_t n, uint64_t now_us)
{
	path_choice_init(choice, choice->class);
	for (size_t i = 0; i < n; i++)
		order_append(choice, order[i]);
	if (!choice->n_order)
		return;
	for (unsigned int i = 0; i < PATH_CHOICE_NEXT && i + 1u < choice->n_order; i++)
		choice->next[i] = choice->order[i + 1];
	choice->settled = true;
	choice->reason = PATH_REASON_ADOPTED;
	choice->since_us = now_us;
}

void path_choice_renumber(struct path_choice *choice, const uint8_t map[static DP_PATHS_MAX])
{
	const struct path_choice old = *choice;

	memset(choice->memory, 0, sizeof(choice->memory));
	choice->n_order = 0;
	for (unsigned int i = 0; i < old.n_order; i++) {
		uint8_t from = old.order[i], to = map[from];

		if (to >= DP_PATHS_MAX) {
			if (!i)
				choice->gone = true;
			continue;
		}
		choice->memory[to] = old.memory[from];
		order_append(choice, to);
	}
	for (unsigned int i = 0; i < PATH_CHOICE_NEXT; i++)
		if (old.next[i] < DP_PATHS_MAX)
			choice->next[i] = map[old.next[i]];
	/* All that was better, was better than the first one. */
	if (choice->gone)
		for (unsigned int i = 0; i < DP_PATHS_MAX; i++)
			choice->memory[i].better_since_us = 0;
}

/* Hold-down as it is now: halved for each period since the fall. */
static uint64_t hold_now(const struct path_memory *memory, uint64_t now_us)
{
	uint64_t halvings = (now_us - memory->fell_us) / PATH_CHOICE_DECAY_US;

	return halvings < 32 ? memory->hold_us >> halvings : 0;
}

static void memory_fall(struct path_memory *memory, uint64_t now_us)
{
	uint64_t hold_us = 2 * hold_now(memory, now_us);

	if (hold_us < PATH_CHOICE_DOWN_US)
		hold_us = PATH_CHOICE_DOWN_US;
	if (hold_us > PATH_CHOICE_DOWN_MAX_US)
		hold_us = PATH_CHOICE_DOWN_MAX_US;
	memory->hold_us = hold_us;
	memory->fell_us = now_us;
}

static void memory_update(struct path_memory *memory, const struct path_metrics *metrics,
			  uint16_t mtu, uint64_t now_us)
{
	bool good = metrics->alive && !metrics->brown;
	bool died = good && memory->good && metrics->alive_since_us != memory->alive_since_us;

	if (memory->good && (!good || died))
		memory_fall(memory, now_us);
	if (good && (!memory->good || died))
		memory->good_since_us = now_us;
	memory->good = good;
	if (metrics->alive)
		memory->alive_since_us = metrics->alive_since_us;

	if (!metrics->alive)
		memory->rank = PATH_RANK_DEAD;
	else if (metrics->brown)
		memory->rank = PATH_RANK_BROWN;
	else if (mtu && metrics->mtu && metrics->mtu < mtu)
		memory->rank = PATH_RANK_NARROW;
	else if (memory->fell_us && now_us - memory->good_since_us < memory->hold_us)
		memory->rank = PATH_RANK_HELD;
	else
		memory->rank = PATH_RANK_CANDIDATE;
}

/* -- The order -- */

static enum path_rank rank_of(const struct view *view, uint8_t number)
{
	return view->choice->memory[number].rank;
}

/* Whether a belongs before b, which is before it now. */
static bool is_before(const struct view *view, uint8_t a, uint8_t b)
{
	enum path_rank rank_a = rank_of(view, a), rank_b = rank_of(view, b);
	const struct path_metrics *m_a = &view->metrics[a], *m_b = &view->metrics[b];
	uint64_t cost;

	if (rank_a != rank_b)
		return rank_a < rank_b;
	if (rank_a == PATH_RANK_DEAD)
		return false;
	if (!m_a->srtt_us || !m_b->srtt_us)
		return m_a->srtt_us && !m_b->srtt_us;
	/* Before anything is settled there is no order to be kept. */
	if (!view->choice->settled)
		return gain(view->choice->class, m_a, m_b, &cost) > 0;
	return gain_by_margin(view->choice->class, m_a, m_b) > 0;
}

/*
 * By insertion into what the order was: a path passes another one only for a reason. With margins
 * being before is not transitive; insertion ends nevertheless, and moves nothing without need.
 * Ranks are transitive and come first, so that no path hides behind one of a lower rank.
 */
static void order_sort(const struct view *view)
{
	uint8_t *order = view->choice->order;

	for (unsigned int i = 1; i < view->choice->n_order; i++) {
		uint8_t number = order[i];
		unsigned int at = i;

		for (; at && is_before(view, number, order[at - 1]); at--)
			order[at] = order[at - 1];
		order[at] = number;
	}
}

static void order_front(struct path_choice *choice, uint8_t number)
{
	unsigned int at = 0;

	while (choice->order[at] != number)
		at++;
	memmove(choice->order + 1, choice->order, at);
	choice->order[0] = number;
}

/* Which of the others is to take the place of first, which will do: first itself if none is. */
static uint8_t find_better(const struct view *view, uint8_t first)
{
	enum path_rank rank = rank_of(view, first);
	int64_t best_gain = 0;
	uint8_t best = first;

	/* One that is held down is passed by candidates only. */
	if (rank == PATH_RANK_HELD)
		rank = PATH_RANK_CANDIDATE;
	for (uint8_t number = 0; number < view->n; number++) {
		struct path_memory *memory = &view->choice->memory[number];
		int64_t better = 0;

		if (number != first && rank != PATH_RANK_DEAD && memory->rank <= rank)
			better = gain_by_margin(view->choice->class, &view->metrics[number],
						&view->metrics[first]);
		if (!better) {
			memory->better_since_us = 0;
			continue;
		}
		if (!memory->better_since_us)
			memory->better_since_us = view->now_us;
		if (view->now_us - memory->better_since_us >= PATH_CHOICE_HOLD_US &&
		    better > best_gain) {
			best_gain = better;
			best = number;
		}
	}
	return best;
}

static enum path_reason reason_to_leave(enum path_rank rank)
{
	switch (rank) {
	case PATH_RANK_BROWN:
		return PATH_REASON_BROWN;
	case PATH_RANK_NARROW:
		return PATH_REASON_NARROW;
	case PATH_RANK_DEAD:
		return PATH_REASON_DEAD;
	case PATH_RANK_CANDIDATE:
	case PATH_RANK_HELD:
	case PATH_RANK_MAX:
		break;
	}
	return PATH_REASON_NONE;
}

/* The best partner of a path: by rank, as far as it makes a difference, apartness, order. */
static uint8_t find_partner(const struct view *view, uint8_t of)
{
	const struct path_choice *choice = view->choice;
	enum path_apart best_apart = PATH_APART_NOT;
	enum path_rank best_rank = PATH_RANK_MAX;
	uint8_t best = DP_NO_PATH;

	for (unsigned int i = 0; i < choice->n_order; i++) {
		uint8_t number = choice->order[i];
		enum path_apart apart = path_apart(&view->paths[of], &view->paths[number]);
		enum path_rank rank = rank_of(view, number);

		/* A copy by a path that fell lately is as good as another. */
		if (rank == PATH_RANK_HELD)
			rank = PATH_RANK_CANDIDATE;
		if (number == of || apart == PATH_APART_NOT ||
		    !(rank < best_rank || (rank == best_rank && apart > best_apart)))
			continue;
		best = number;
		best_rank = rank;
		best_apart = apart;
	}
	return best;
}

/*
 * What shares least with those that are in the order already, if it is good; DP_NO_PATH: no more
 * are. What kills several at once often kills those that resemble them.
 */
static uint8_t find_unlike(const struct view *view, const uint8_t *taken, unsigned int n_taken)
{
	unsigned int best_common = UINT_MAX;
	uint8_t best = DP_NO_PATH;

	for (unsigned int i = 0; i < view->choice->n_order; i++) {
		uint8_t number = view->choice->order[i];
		unsigned int common = 0;

		if (rank_of(view, number) > PATH_RANK_HELD || memchr(taken, number, n_taken))
			continue;
		for (unsigned int t = 0; t < n_taken; t++)
			common += path_common(&view->paths[taken[t]], &view->paths[number]);
		if (common >= best_common)
			continue;
		best = number;
		best_common = common;
	}
	return best;
}

/*
 * Where to go from a first one that is bad: to one of those that were next, although others may
 * look better. They were probed as fast, and share little with what killed the first; of the others
 * the last news are old.
 */
static uint8_t find_fresh(const struct view *view, uint8_t first, uint8_t best)
{
	const struct path_choice *choice = view->choice;
	uint8_t partner;

	for (unsigned int i = 0; i < PATH_CHOICE_NEXT; i++)
		if (choice->next[i] < view->n && choice->next[i] != first &&
		    rank_of(view, choice->next[i]) <= PATH_RANK_HELD)
			return choice->next[i];
	partner = find_partner(view, first);
	return partner != DP_NO_PATH && rank_of(view, partner) <= PATH_RANK_HELD ? partner : best;
}

/* The first of the order, the rest of which is sorted; first is what it was, or DP_NO_PATH. */
static uint8_t choose_first(const struct view *view, uint8_t first, enum path_reason *ret_reason)
{
	struct path_choice *choice = view->choice;
	uint8_t best = choice->order[0];
	enum path_reason reason;

	if (first == DP_NO_PATH || !choice->settled) {
		*ret_reason = choice->settled ? PATH_REASON_GONE : PATH_REASON_INITIAL;
		return best;
	}
	reason = reason_to_leave(rank_of(view, first));
	if (reason != PATH_REASON_NONE && rank_of(view, best) < rank_of(view, first)) {
		*ret_reason = reason;
		return find_fresh(view, first, best);
	}
	best = find_better(view, first);
	if (best != first)
		*ret_reason = PATH_REASON_BETTER;
	return best;
}

/*
 * Of the whole order, with the first one's partner in the second place: what kills the first
 * often kills those that resemble it, and is noticed there only later, as they are not probed as
 * fast. Once it is dead, all are compared again.
 */
static void fill_decision(const struct view *view, struct path_decision *decision)
{
	struct path_choice *choice = view->choice;
	const uint8_t partner = find_partner(view, choice->order[0]);
	const bool alive = partner != DP_NO_PATH && rank_of(view, partner) != PATH_RANK_DEAD;
	uint8_t n = 0;

	decision->order[n++] = choice->order[0];
	if (partner != DP_NO_PATH && rank_of(view, partner) <= PATH_RANK_HELD)
		decision->order[n++] = partner;
	while (n <= PATH_CHOICE_NEXT) {
		const uint8_t unlike = find_unlike(view, decision->order, n);

		if (unlike == DP_NO_PATH)
			break;
		decision->order[n++] = unlike;
	}
	decision->n_near = n;
	for (unsigned int i = 1; i < choice->n_order && n < DP_ORDER_MAX; i++)
		if (!memchr(decision->order, choice->order[i], n))
			decision->order[n++] = choice->order[i];
	/* Of those that are not good the next one may be taken at any time all the same. */
	if (decision->n_near < 2 && n > 1)
		decision->n_near = 2;
	if (n == DP_ORDER_MAX && alive && !memchr(decision->order, partner, n))
		decision->order[n - 1] = partner;
	decision->n_order = n;
	for (uint8_t i = 0; i < n; i++) {
		decision->second[i] = find_partner(view, decision->order[i]);
		if (rank_of(view, decision->order[i]) == PATH_RANK_CANDIDATE)
			decision->spread |= (uint8_t)(1u << i);
	}
	for (uint8_t i = 0; i < PATH_CHOICE_NEXT; i++)
		choice->next[i] = i + 1 < decision->n_near ? decision->order[i + 1] : DP_NO_PATH;
}

bool path_decision_is_near(const struct path_decision *decision, uint8_t number)
{
	return memchr(decision->order, number, decision->n_near) ||
	       (decision->n_order && decision->second[0] == number);
}

/* What is no path any more, and what is new. */
static void order_adjust(struct path_choice *choice, size_t n)
{
	const struct path_choice old = *choice;

	choice->n_order = 0;
	for (unsigned int i = 0; i < old.n_order; i++) {
		if (old.order[i] < n)
			order_append(choice, old.order[i]);
		else if (!i)
			choice->gone = true;
	}
	for (size_t i = 0; i < n; i++)
		order_append(choice, (uint8_t)i);
	for (size_t i = n; i < DP_PATHS_MAX; i++)
		memset(&choice->memory[i], 0, sizeof(choice->memory[i]));
}

void path_choice_update(struct path_choice *choice, const struct path *paths,
			const struct path_metrics *metrics, size_t n, uint16_t mtu, uint64_t now_us,
			struct path_decision *ret_decision)
{
	const struct view view = { choice, paths, metrics, n, now_us };
	struct path_decision decision = { .before = DP_NO_PATH };
	enum path_reason reason;
	bool had_order = choice->n_order > 0 || choice->gone;
	uint8_t first;

	order_adjust(choice, n);
	for (size_t i = 0; i < n; i++)
		memory_update(&choice->memory[i], &metrics[i], mtu, now_us);
	if (!n) {
		choice->reason = PATH_REASON_NONE;
		choice->settled = false;
		choice->gone = false;
		memset(choice->next, DP_NO_PATH, sizeof(choice->next));
		*ret_decision = decision;
		return;
	}
	if (had_order && !choice->gone)
		decision.before = choice->order[0];
	order_sort(&view);
	reason = choice->reason;
	first = choose_first(&view, decision.before, &reason);
	order_front(choice, first);
	decision.changed = had_order && first != decision.before;
	if (first != decision.before) {
		choice->since_us = now_us;
		for (size_t i = 0; i < n; i++)
			choice->memory[i].better_since_us = 0;
	}
	choice->reason = reason;
	choice->gone = false;
	if (rank_of(&view, first) != PATH_RANK_DEAD)
		choice->settled = true;
	decision.reason = reason;
	fill_decision(&view, &decision);
	*ret_decision = decision;
}
