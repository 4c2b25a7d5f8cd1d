/* SPDX-License-Identifier: GPL-2.0-only */
#include "path_stats.h"

#include <string.h>

#define PPM 1000000u

/*
 * A step of the sequence that no loss explains: the counters of this node were made anew (a new
 * state begins with the UNIX time, shifted by 32).
 */
#define SEQUENCE_STEP_MAX (UINT64_C(1) << 32)

#define STATE(s) (1u << PATH_##s)

const char *const path_state_names[PATH_STATE_MAX] = {
	[PATH_UNKNOWN] = "unknown",
	[PATH_UP] = "up",
	[PATH_BROWN] = "brown-out",
	[PATH_DOWN] = "down",
};

const char *const path_event_names[PATH_EVENT_MAX] = {
	[PATH_EVENT_NONE] = "not probed yet",
	[PATH_EVENT_REPLY] = "probes are answered",
	[PATH_EVENT_LOSS_OUT] = "loss towards the peer",
	[PATH_EVENT_LOSS_IN] = "loss from the peer",
	[PATH_EVENT_CLEAR] = "loss has gone",
	[PATH_EVENT_SILENT] = "probes are not answered",
};

static const struct {
	unsigned int states;
	enum path_event event;
	enum path_state next;
} transitions[] = {
	{ STATE(UNKNOWN) | STATE(DOWN), PATH_EVENT_REPLY, PATH_UP },
	{ STATE(UP) | STATE(BROWN), PATH_EVENT_LOSS_OUT, PATH_BROWN },
	{ STATE(UP) | STATE(BROWN), PATH_EVENT_LOSS_IN, PATH_BROWN },
	{ STATE(BROWN), PATH_EVENT_CLEAR, PATH_UP },
	{ STATE(UNKNOWN) | STATE(UP) | STATE(BROWN), PATH_EVENT_SILENT, PATH_DOWN },
};

static bool is_alive(enum path_state state)
{
	return state == PATH_UP || state == PATH_BROWN;
}

/* The one writer of stats->state. Returns true if it changed. */
static bool state_event(struct path_stats *stats, enum path_event event, uint64_t now_us)
{
	for (size_t i = 0; i < sizeof(transitions) / sizeof(transitions[0]); i++) {
		enum path_state old = stats->state, next = transitions[i].next;

		if (transitions[i].event != event || !(transitions[i].states & 1u << old))
			continue;
		stats->state = next;
		stats->why = event;
		if (next == old)
			return false;
		stats->since_us = now_us;
		stats->changes[stats->n_changes++ % PATH_STATS_CHANGES] =
			(struct path_change){ now_us, old, next, event };
		if (!is_alive(next))
			stats->alive_since_us = 0;
		else if (!is_alive(old))
			stats->alive_since_us = now_us;
		return true;
	}
	return false;
}

void path_stats_init(struct path_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
}

/* -- Windows: rings of slots, in which a slot is of the past if its epoch is too far back. -- */

struct window {
	const struct path_slot *slots;
	const struct path_rtt_slot *rtts; /* NULL: none */
	unsigned int n;
	uint64_t slot_us;
};

static struct window window_of(const struct path_stats *stats, enum path_window window)
{
	switch (window) {
	case PATH_WINDOW_SHORT:
		return (struct window){ stats->short_slots, NULL, PATH_SHORT_SLOTS,
					PATH_SHORT_SLOT_US };
	case PATH_WINDOW_MINUTE:
		return (struct window){ stats->minute_slots, stats->minute_rtts, PATH_MINUTE_SLOTS,
					PATH_MINUTE_SLOT_US };
	case PATH_WINDOW_HOUR:
		return (struct window){ stats->hour_slots, stats->hour_rtts, PATH_HOUR_SLOTS,
					PATH_HOUR_SLOT_US };
	case PATH_WINDOW_LONG:
	case PATH_WINDOW_MAX:
		break;
	}
	return (struct window){ stats->long_slots, stats->long_rtts, PATH_LONG_SLOTS,
				PATH_LONG_SLOT_US };
}

/* Epochs begin at 1: a slot of zeros is of none. */
static uint64_t epoch_at(uint64_t at_us, uint64_t slot_us)
{
	return at_us / slot_us + 1;
}

static bool is_within(uint64_t epoch, uint64_t now_epoch, unsigned int n)
{
	return epoch && epoch <= now_epoch && now_epoch - epoch < n;
}

static void count_add(struct path_count *sum, const struct path_count *count)
{
	sum->sent += count->sent;
	sum->reached += count->reached;
	sum->answered += count->answered;
	if (count->late > sum->late)
		sum->late = count->late;
}

static void slot_add(struct path_slot *slots, unsigned int n, uint64_t epoch, bool live,
		     const struct path_count *count)
{
	struct path_slot *slot = &slots[epoch % n];

	if (slot->epoch != epoch)
		*slot = (struct path_slot){ .epoch = epoch };
	count_add(live ? &slot->live : &slot->dead, count);
}

static void windows_add(struct path_stats *stats, uint64_t at_us, bool live,
			const struct path_count *count)
{
	slot_add(stats->short_slots, PATH_SHORT_SLOTS, epoch_at(at_us, PATH_SHORT_SLOT_US), live,
		 count);
	slot_add(stats->minute_slots, PATH_MINUTE_SLOTS, epoch_at(at_us, PATH_MINUTE_SLOT_US), live,
		 count);
	slot_add(stats->long_slots, PATH_LONG_SLOTS, epoch_at(at_us, PATH_LONG_SLOT_US), live,
		 count);
	slot_add(stats->hour_slots, PATH_HOUR_SLOTS, epoch_at(at_us, PATH_HOUR_SLOT_US), live,
		 count);
}

static struct path_count window_sum(const struct path_stats *stats, uint64_t now_us,
				    enum path_window window, bool with_dead)
{
	const struct window w = window_of(stats, window);
	const uint64_t now_epoch = epoch_at(now_us, w.slot_us);
	struct path_count sum = { 0 };

	for (unsigned int i = 0; i < w.n; i++) {
		if (!is_within(w.slots[i].epoch, now_epoch, w.n))
			continue;
		count_add(&sum, &w.slots[i].live);
		if (with_dead)
			count_add(&sum, &w.slots[i].dead);
	}
	return sum;
}

/* -- Round trips -- */

/* Up to 15 each value has its bucket; from there each octave has eight. */
static unsigned int bucket_of(uint32_t rtt_us)
{
	unsigned int octave, bucket;

	if (rtt_us < 16)
		return rtt_us;
	octave = 31u - (unsigned int)__builtin_clz(rtt_us);
	bucket = (octave - 2) * 8 + (rtt_us >> (octave - 3) & 7);
	return bucket < PATH_STATS_BUCKETS ? bucket : PATH_STATS_BUCKETS - 1;
}

static uint32_t bucket_low(unsigned int bucket)
{
	return bucket < 16 ? bucket : (8 + bucket % 8) << (bucket / 8 - 1);
}

static void rtt_slot_add(struct path_rtt_slot *slots, unsigned int n, uint64_t epoch,
			 const struct path_sample *sample)
{
	struct path_rtt_slot *slot = &slots[epoch % n];
	uint16_t *bucket;

	if (slot->epoch != epoch) {
		memset(slot, 0, sizeof(*slot));
		slot->epoch = epoch;
		slot->min_us = UINT32_MAX;
	}
	if (sample->rtt_us < slot->min_us)
		slot->min_us = sample->rtt_us;
	if (sample->rtt_us > slot->max_us)
		slot->max_us = sample->rtt_us;
	if (sample->payload > slot->payload_max)
		slot->payload_max = sample->payload;
	bucket = &slot->buckets[bucket_of(sample->rtt_us)];
	if (*bucket < UINT16_MAX) {
		(*bucket)++;
		slot->n++;
	}
}

static void rtt_smooth(struct path_stats *stats, uint32_t rtt_us)
{
	const int64_t rtt_256 = (int64_t)rtt_us << 8;
	int64_t srtt_256 = (int64_t)stats->srtt_256;

	if (!srtt_256)
		srtt_256 = rtt_256;
	srtt_256 += (rtt_256 - srtt_256) * PATH_STATS_SRTT_GAIN / 256;
	stats->srtt_256 = srtt_256 > 0 ? (uint64_t)srtt_256 : 1;
	if (stats->rtt_us) {
		uint32_t d =
			rtt_us > stats->rtt_us ? rtt_us - stats->rtt_us : stats->rtt_us - rtt_us;

		/* J += (|D| - J) / 16, kept times 16. */
		stats->jitter_16 += d - stats->jitter_16 / PATH_STATS_JITTER_GAIN;
	}
	stats->rtt_us = rtt_us ? rtt_us : 1;
}

/* -- Brown-out -- */

/* Lost of sent, in one direction. */
struct loss {
	uint32_t sent, lost;
};

static struct loss loss_of(const struct path_count *count, bool out)
{
	uint32_t sent = out ? count->sent : count->reached;
	uint32_t got = out ? count->reached : count->answered;

	return (struct loss){ sent, got < sent ? sent - got : 0 };
}

/*
 * Where replies overtake each other, as many as the latest was late by may be under way still. In
 * the other direction there is no such doubt: the peer's count comes with its request.
 */
static struct loss loss_sure(const struct path_count *count, bool out)
{
	struct loss loss = loss_of(count, out);

	if (!out)
		loss.lost -= count->late < loss.lost ? count->late : loss.lost;
	return loss;
}

static uint32_t loss_ppm(const struct loss *loss)
{
	return loss->sent ? (uint32_t)((uint64_t)loss->lost * PPM / loss->sent) : 0;
}

/* What the path loses at other times: the last minute but for the last seconds. */
static uint32_t usual_ppm(const struct path_count *minute, const struct path_count *latest,
			  bool out)
{
	struct loss all = loss_of(minute, out), last = loss_of(latest, out);
	uint64_t sent = all.sent > last.sent ? all.sent - last.sent : 0;
	uint64_t lost = all.lost > last.lost ? all.lost - last.lost : 0;
	const uint64_t prior = (uint64_t)PATH_STATS_PRIOR_PPM * PATH_STATS_PRIOR_PROBES;
	uint64_t ppm = (lost * PPM + prior) / (sent + PATH_STATS_PRIOR_PROBES);

	return ppm < PATH_STATS_USUAL_MAX_PPM ? (uint32_t)ppm : PATH_STATS_USUAL_MAX_PPM;
}

/*
 * More than chance makes where m losses are usual: lost >= m + 5.2 sqrt(m) + 2.2, which a Poisson
 * variable reaches with a probability of 1e-6 to 1e-5 for any m. At least 3, and once in some hours
 * at 100 probes a second.
 */
static bool is_unusual(const struct loss *loss, uint32_t ppm)
{
	double m = (double)loss->sent * ppm / PPM;
	double above = loss->lost - m - 2.2;

	return above >= 0 && above * above >= 5.2 * 5.2 * m;
}

static bool is_brown(const struct loss *loss, uint32_t usual)
{
	return loss_ppm(loss) >= PATH_STATS_BROWN_PPM && is_unusual(loss, usual);
}

/* Windows from 1 s to the whole short one that end now, and the last minute. */
static bool is_losing(const struct path_stats *stats, uint64_t now_us,
		      const struct path_count *latest, const struct path_count *minute, bool out)
{
	const uint32_t usual = usual_ppm(minute, latest, out);
	const uint64_t now_epoch = epoch_at(now_us, PATH_SHORT_SLOT_US);
	struct path_count sum = { 0 };
	struct loss loss;

	for (unsigned int back = 0; back < PATH_SHORT_SLOTS && back < now_epoch; back++) {
		uint64_t epoch = now_epoch - back;
		const struct path_slot *slot = &stats->short_slots[epoch % PATH_SHORT_SLOTS];

		if (slot->epoch == epoch)
			count_add(&sum, &slot->live);
		if (back < PATH_SHORT_SLOTS / 3)
			continue;
		loss = loss_sure(&sum, out);
		if (is_brown(&loss, usual))
			return true;
	}
	/* A path that has just come back is not judged by what it lost before it died. */
	if (latest->sent < PATH_STATS_PROBES_MIN && minute->sent / 20 >= PATH_STATS_PROBES_MIN)
		return false;
	loss = loss_sure(minute, out);
	return is_brown(&loss, usual);
}

static void judge_direction(const struct path_stats *stats, uint64_t now_us,
			    const struct path_count *latest, const struct path_count *minute,
			    bool out, bool *brown, uint64_t *since_us)
{
	if ((out ? stats->run_out : stats->run_in) >= PATH_STATS_CLEAR_PROBES) {
		if (now_us - *since_us >= PATH_STATS_BROWN_MIN_US)
			*brown = false;
	} else if (!*brown && is_losing(stats, now_us, latest, minute, out)) {
		*brown = true;
		*since_us = now_us;
	}
}

static bool judge(struct path_stats *stats, uint64_t now_us)
{
	struct path_count latest, minute;

	if (!is_alive(stats->state))
		return false;
	latest = window_sum(stats, now_us, PATH_WINDOW_SHORT, false);
	minute = window_sum(stats, now_us, PATH_WINDOW_MINUTE, false);
	judge_direction(stats, now_us, &latest, &minute, true, &stats->brown_out,
			&stats->brown_out_us);
	judge_direction(stats, now_us, &latest, &minute, false, &stats->brown_in,
			&stats->brown_in_us);
	if (stats->brown_out)
		return state_event(stats, PATH_EVENT_LOSS_OUT, now_us);
	if (stats->brown_in)
		return state_event(stats, PATH_EVENT_LOSS_IN, now_us);
	return state_event(stats, PATH_EVENT_CLEAR, now_us);
}

/* -- Input -- */

static void start(struct path_stats *stats, uint64_t now_us, uint64_t sequence)
{
	if (stats->started)
		return;
	stats->started = true;
	stats->started_us = now_us;
	stats->accounted = sequence;
}

/* Far forward or, if the clock was wrong, far back. */
static bool is_anew(uint64_t sequence, uint64_t before)
{
	uint64_t step = sequence > before ? sequence - before : before - sequence;

	return step >= SEQUENCE_STEP_MAX;
}

/* Requests up to this one are known of; returns how many are new. */
static uint32_t account(struct path_stats *stats, uint64_t sequence)
{
	bool anew = is_anew(sequence, stats->accounted);
	uint64_t step = sequence - stats->accounted;

	if (sequence <= stats->accounted && !anew)
		return 0;
	stats->accounted = sequence;
	return anew ? 0 : (uint32_t)step;
}

static uint32_t run_longer(uint32_t run, uint32_t n)
{
	return run < PATH_STATS_CLEAR_PROBES ? run + n : run;
}

/* The counters' way from the newest sample to this one, which becomes the newest. */
static void count_sample(struct path_stats *stats, const struct path_sample *sample, bool live)
{
	const uint64_t step = sample->sequence - stats->sequence;
	const bool based = stats->based && !is_anew(sample->sequence, stats->sequence);
	uint32_t reached = sample->remote_received - stats->remote_received;
	uint32_t answered = sample->replies - stats->replies;
	struct path_count count = { 0 };

	/* Late: the counters of the next sample will speak of it. */
	if (based && sample->sequence <= stats->sequence) {
		count.late = (uint32_t)(stats->sequence - sample->sequence);
		stats->late = count.late;
		windows_add(stats, sample->at_us, live, &count);
		return;
	}
	count.sent = account(stats, sample->sequence);
	stats->based = true;
	stats->sequence = sample->sequence;
	stats->replies = sample->replies;
	stats->remote_received = sample->remote_received;
	if (!based || (int32_t)answered < 0)
		return;
	/* More than was sent: the peer has begun again at 0. */
	if (reached > step)
		reached = sample->remote_received < step ? sample->remote_received : (uint32_t)step;
	count.reached = reached;
	count.answered = answered;
	stats->run_out = count.sent > reached ? 0 : run_longer(stats->run_out, count.sent);
	/* As in loss_sure(): some may be under way still. */
	stats->run_in = reached > answered && reached - answered > stats->late
				? 0
				: run_longer(stats->run_in, reached);
	windows_add(stats, sample->at_us, live, &count);
}

bool path_stats_sample(struct path_stats *stats, const struct path_sample *sample)
{
	const bool live = is_alive(stats->state);
	bool changed;

	start(stats, sample->at_us, sample->sequence);
	stats->silent_us = 0;
	count_sample(stats, sample, live);
	rtt_slot_add(stats->minute_rtts, PATH_MINUTE_SLOTS,
		     epoch_at(sample->at_us, PATH_MINUTE_SLOT_US), sample);
	rtt_slot_add(stats->long_rtts, PATH_LONG_SLOTS, epoch_at(sample->at_us, PATH_LONG_SLOT_US),
		     sample);
	rtt_slot_add(stats->hour_rtts, PATH_HOUR_SLOTS, epoch_at(sample->at_us, PATH_HOUR_SLOT_US),
		     sample);
	rtt_smooth(stats, sample->rtt_us);
	changed = state_event(stats, PATH_EVENT_REPLY, sample->at_us);
	return judge(stats, sample->at_us) || changed;
}

bool path_stats_tick(struct path_stats *stats, uint64_t now_us, uint64_t sequence, bool alive)
{
	struct path_count count = { 0 };

	if (!sequence)
		return false;
	start(stats, now_us, sequence);
	if (alive) {
		bool changed = state_event(stats, PATH_EVENT_REPLY, now_us);

		stats->silent_us = 0;
		return judge(stats, now_us) || changed;
	}
	/*
	 * With one probe lost and the next one late a path is dead for some milliseconds, in which the
	 * kernel avoids it. That is no reason to hold it down.
	 */
	if (!stats->silent_us)
		stats->silent_us = now_us;
	if (now_us - stats->silent_us < PATH_STATS_SILENT_US)
		return false;
	/* A first reply may be under way. */
	if (stats->state == PATH_UNKNOWN && now_us - stats->started_us < PATH_STATS_WAIT_US)
		return false;
	/* Nothing will be heard of these before the path is back, if ever. */
	count.sent = account(stats, sequence);
	windows_add(stats, now_us, false, &count);
	stats->brown_out = false;
	stats->brown_in = false;
	stats->run_out = 0;
	stats->run_in = 0;
	stats->late = 0;
	/* A path that comes back may be another one: its round trips begin anew. */
	stats->rtt_us = 0;
	stats->srtt_256 = 0;
	return state_event(stats, PATH_EVENT_SILENT, now_us);
}

/* -- Output -- */

void path_stats_loss(const struct path_stats *stats, uint64_t now_us, enum path_window window,
		     struct path_loss *ret_loss)
{
	struct path_count sum = window_sum(stats, now_us, window, true);
	struct loss out = loss_of(&sum, true), in = loss_of(&sum, false);

	*ret_loss = (struct path_loss){ sum.sent, loss_ppm(&out), loss_ppm(&in) };
}

/* The value of the given rank (from 1), interpolated within its bucket. */
static uint32_t quantile(const uint32_t buckets[static PATH_STATS_BUCKETS], uint64_t rank,
			 const struct path_rtt *rtt)
{
	for (unsigned int i = 0; i < PATH_STATS_BUCKETS; i++) {
		uint64_t low = bucket_low(i), width = bucket_low(i + 1) - low, value;

		if (rank > buckets[i]) {
			rank -= buckets[i];
			continue;
		}
		value = low + width * (2 * rank - 1) / (2 * (uint64_t)buckets[i]);
		if (value < rtt->min_us)
			value = rtt->min_us;
		return value < rtt->max_us ? (uint32_t)value : rtt->max_us;
	}
	return rtt->max_us;
}

void path_stats_rtt(const struct path_stats *stats, uint64_t now_us, enum path_window window,
		    struct path_rtt *ret_rtt)
{
	const struct window w = window_of(stats, window);
	const uint64_t now_epoch = epoch_at(now_us, w.slot_us);
	struct path_rtt rtt = { .min_us = UINT32_MAX };
	uint32_t buckets[PATH_STATS_BUCKETS] = { 0 };

	for (unsigned int i = 0; w.rtts && i < w.n; i++) {
		const struct path_rtt_slot *slot = &w.rtts[i];

		if (!is_within(slot->epoch, now_epoch, w.n))
			continue;
		rtt.n += slot->n;
		if (slot->min_us < rtt.min_us)
			rtt.min_us = slot->min_us;
		if (slot->max_us > rtt.max_us)
			rtt.max_us = slot->max_us;
		if (slot->payload_max > rtt.payload_max)
			rtt.payload_max = slot->payload_max;
		for (unsigned int b = 0; b < PATH_STATS_BUCKETS; b++)
			buckets[b] += slot->buckets[b];
	}
	if (!rtt.n) {
		*ret_rtt = (struct path_rtt){ 0 };
		return;
	}
	rtt.p50_us = quantile(buckets, ((uint64_t)rtt.n * 50 + 99) / 100, &rtt);
	rtt.p99_us = quantile(buckets, ((uint64_t)rtt.n * 99 + 99) / 100, &rtt);
	*ret_rtt = rtt;
}

const struct path_change *path_stats_change(const struct path_stats *stats, size_t back)
{
	if (back >= PATH_STATS_CHANGES || back >= stats->n_changes)
		return NULL;
	return &stats->changes[(stats->n_changes - 1 - back) % PATH_STATS_CHANGES];
}

uint32_t path_stats_srtt_us(const struct path_stats *stats)
{
	uint64_t srtt_us = (stats->srtt_256 + 128) / 256;

	return stats->srtt_256 && !srtt_us ? 1 : (uint32_t)srtt_us;
}

uint32_t path_stats_jitter_us(const struct path_stats *stats)
{
	return (uint32_t)(stats->jitter_16 / PATH_STATS_JITTER_GAIN);
}

void path_stats_metrics(const struct path_stats *stats, uint64_t now_us,
			struct path_metrics *ret_metrics)
{
	struct path_count sum = window_sum(stats, now_us, PATH_WINDOW_MINUTE, false);
	struct loss out, in;

	if (sum.sent < PATH_STATS_SOUND_PROBES)
		sum = window_sum(stats, now_us, PATH_WINDOW_LONG, false);
	out = loss_of(&sum, true);
	in = loss_of(&sum, false);
	*ret_metrics = (struct path_metrics){
		.alive = is_alive(stats->state),
		.brown = stats->brown_out,
		.srtt_us = path_stats_srtt_us(stats),
		.jitter_us = path_stats_jitter_us(stats),
		.loss_out_ppm = loss_ppm(&out),
		.loss_in_ppm = loss_ppm(&in),
		.loss_probes = sum.sent,
		.alive_since_us = stats->alive_since_us,
	};
}
