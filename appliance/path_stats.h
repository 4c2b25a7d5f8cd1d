/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is known of one path: round trips, jitter, loss of each direction, and its state. Fed with
 * a sample for each probe that was answered, and with ticks. Memory is bounded (about 16 KB).
 *
 *	          REPLY            LOSS_OUT, LOSS_IN
 *	unknown ---------> up -----------------------> brown-out --+
 *	   |               | ^                          |  |  ^    | LOSS_OUT, LOSS_IN
 *	   |         SILENT| |REPLY      CLEAR          |  |  +----+ (the other direction)
 *	   |               v | up <---------------------+  |
 *	   +------------> down <---------------------------+
 *	       SILENT                     SILENT
 *
 * Loss. Counters are compared between samples, so that no sample is needed for each probe: the
 * sequence number counts what was sent, remote_received what reached the peer of that, replies
 * what came back. A reply speaks of all up to its own request, so requests under way are not taken
 * for lost. The difference of counters makes restarts visible: a peer that has received more than
 * was sent has begun again at 0.
 *
 * Brown-out. 2 % loss over 3 s is six probes of 300. On a path that always loses 0.5 % that many
 * are lost by chance every few minutes, and no rule that looks at 300 probes only can tell this
 * from 5 %: a path would flap for nothing. Therefore loss must also be more than chance makes of
 * what the path has lost before (the last minute, but at most 1 %, so that nothing becomes used to
 * bad). A clean path that begins to lose 5 % is brown after 0.8 s in the mean and within 3 s; one
 * that has always lost 0.5 %, after 1.5 s in the mean, and in a few cases later than 3 s. It ends
 * with 300 probes in a row that are not lost: 3 s at 100 probes a second, but minutes at two a
 * second. So paths that are brown should be probed fast.
 */
#ifndef NETPAS_PATH_STATS_H
#define NETPAS_PATH_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All times in us. */
#define PATH_STATS_SRTT_GAIN 42	   /* of 256: RFC 9616 */
#define PATH_STATS_JITTER_GAIN 16  /* one in: RFC 3550, section 6.4.1 */
#define PATH_STATS_BROWN_PPM 20000 /* this much is brown-out, if it is not chance */
/* So many probes in a row without loss end it; with 2 % one run of 400 is so long. */
#define PATH_STATS_CLEAR_PROBES 300
#define PATH_STATS_BROWN_MIN_US 3000000 /* and it lasts this long at least */
#define PATH_STATS_USUAL_MAX_PPM 10000	/* more than this is never taken for usual */
#define PATH_STATS_PRIOR_PPM 5000	/* what is taken for usual, as if seen on so many probes */
#define PATH_STATS_PRIOR_PROBES 1000
#define PATH_STATS_PROBES_MIN 100    /* a window of fewer says nothing about 1 % */
#define PATH_STATS_SOUND_PROBES 1000 /* enough for a preference */
#define PATH_STATS_SILENT_US 100000  /* dead for so long is down: a late reply is not */
#define PATH_STATS_WAIT_US 3000000   /* for a first reply */

#define PATH_STATS_BUCKETS 176 /* of round trips: eight to the octave, up to 16.7 s */

enum path_window {
	PATH_WINDOW_SHORT,  /* 3 s; loss only */
	PATH_WINDOW_MINUTE, /* 60 s */
	PATH_WINDOW_LONG,   /* 10 minutes */
	PATH_WINDOW_HOUR,
	PATH_WINDOW_MAX,
};
#define PATH_SHORT_SLOTS 30
#define PATH_SHORT_SLOT_US 100000
#define PATH_MINUTE_SLOTS 12
#define PATH_MINUTE_SLOT_US 5000000
#define PATH_LONG_SLOTS 10
#define PATH_LONG_SLOT_US 60000000
#define PATH_HOUR_SLOTS 12
#define PATH_HOUR_SLOT_US 300000000

#define PATH_STATS_CHANGES 16 /* of the state that are remembered */

enum path_state {
	PATH_UNKNOWN,
	PATH_UP,
	PATH_BROWN,
	PATH_DOWN,
	PATH_STATE_MAX,
};
extern const char *const path_state_names[PATH_STATE_MAX]; /* "unknown", "up", "brown-out", ... */

/* What made the state what it is. */
enum path_event {
	PATH_EVENT_NONE,     /* nothing yet */
	PATH_EVENT_REPLY,    /* a probe was answered */
	PATH_EVENT_LOSS_OUT, /* towards the peer */
	PATH_EVENT_LOSS_IN,  /* from it */
	PATH_EVENT_CLEAR,    /* loss has gone */
	PATH_EVENT_SILENT,   /* probes are not answered */
	PATH_EVENT_MAX,
};
extern const char *const path_event_names[PATH_EVENT_MAX]; /* texts for people */

/* Of a struct dp_sample; at_us is its at_ns / 1000. */
struct path_sample {
	uint64_t at_us;
	uint64_t sequence; /* of the request that was answered */
	uint32_t rtt_us;
	uint32_t replies, remote_received; /* wrap */
	uint32_t payload;		   /* bytes */
};

/*
 * Probes sent; those of them that reached the peer; those of them that were answered; by how many
 * places a reply came late, at most.
 */
struct path_count {
	uint32_t sent, reached, answered, late;
};

/* A slot of a window; epoch is its time in slots, and tells whether it is of the past. */
struct path_slot {
	uint64_t epoch;
	struct path_count live, dead; /* while the path was alive, and while it was down */
};

struct path_rtt_slot {
	uint64_t epoch;
	uint32_t n, min_us, max_us, payload_max;
	uint16_t buckets[PATH_STATS_BUCKETS];
};

struct path_change {
	uint64_t at_us;
	enum path_state before, after;
	enum path_event why;
};

struct path_stats {
	enum path_state state;
	enum path_event why;
	uint64_t since_us;		    /* of the state */
	uint64_t alive_since_us;	    /* of up or brown-out; 0: neither */
	uint32_t run_out, run_in;	    /* probes since the last lost one */
	uint32_t late;			    /* by how many places the last late reply was */
	bool brown_out, brown_in;	    /* the directions that are brown */
	uint64_t brown_out_us, brown_in_us; /* since when */
	uint64_t silent_us; /* since when the kernel has it for dead; 0: it has not */
	bool started;	    /* there was a tick or a sample, at: */
	uint64_t started_us;
	uint64_t accounted; /* the sequence up to which windows know of requests */
	bool based;	    /* the newest sample is kept: */
	uint64_t sequence;
	uint32_t replies, remote_received;
	uint32_t rtt_us;   /* of the last sample; 0: none since the path was down */
	uint64_t srtt_256; /* in 1/256 us; 0: none */
	uint64_t jitter_16;
	struct path_slot short_slots[PATH_SHORT_SLOTS];
	struct path_slot minute_slots[PATH_MINUTE_SLOTS];
	struct path_slot long_slots[PATH_LONG_SLOTS];
	struct path_rtt_slot minute_rtts[PATH_MINUTE_SLOTS];
	struct path_rtt_slot long_rtts[PATH_LONG_SLOTS];
	struct path_slot hour_slots[PATH_HOUR_SLOTS];
	struct path_rtt_slot hour_rtts[PATH_HOUR_SLOTS];
	struct path_change changes[PATH_STATS_CHANGES]; /* a ring */
	uint64_t n_changes;				/* so far, those that are forgotten too */
};

void path_stats_init(struct path_stats *stats);

/* A reply came. Times do not go back. Returns true if the state changed. */
bool path_stats_sample(struct path_stats *stats, const struct path_sample *sample);

/*
 * Some time has passed; ten times a second is enough. sequence is that of the last request sent
 * (0: none), alive what the kernel says of the path (path_alive() of bpf/select.h). Returns true
 * if the state changed.
 */
bool path_stats_tick(struct path_stats *stats, uint64_t now_us, uint64_t sequence, bool alive);

/* Loss in ppm. Of requests that were lost while the path was down too. */
struct path_loss {
	uint32_t sent; /* requests that this is about */
	uint32_t out_ppm, in_ppm;
};
void path_stats_loss(const struct path_stats *stats, uint64_t now_us, enum path_window window,
		     struct path_loss *ret_loss);

/*
 * Round trips; not of PATH_WINDOW_SHORT. Quantiles are right to 1/8. All 0 without samples.
 * payload_max: the longest UDP payload that was answered.
 */
struct path_rtt {
	uint32_t n;
	uint32_t min_us, p50_us, p99_us, max_us;
	uint32_t payload_max;
};
void path_stats_rtt(const struct path_stats *stats, uint64_t now_us, enum path_window window,
		    struct path_rtt *ret_rtt);

/* The change of the state that was the last but so many (0: the last); NULL: it is not known. */
const struct path_change *path_stats_change(const struct path_stats *stats, size_t back);

uint32_t path_stats_srtt_us(const struct path_stats *stats); /* 0: not known */
uint32_t path_stats_jitter_us(const struct path_stats *stats);

/* What paths are compared by (path_choice.h). */
struct path_metrics {
	bool alive;
	bool brown;	  /* loses what is sent; that the peer's packets are lost is its matter */
	uint32_t srtt_us; /* 0: not measured */
	uint32_t jitter_us;
	uint32_t loss_out_ppm, loss_in_ppm;
	uint32_t loss_probes;	 /* on how many that rests */
	uint16_t mtu;		 /* longest UDP payload that the path carries; 0: not known */
	uint64_t alive_since_us; /* a change of it tells of a death between two looks */
};

/*
 * Loss is that of the last minute, or of ten minutes where a minute has too few probes, and not
 * that of the time when the path was down, for which it is held down. mtu is 0: to be filled in
 * by who searches for it.
 */
void path_stats_metrics(const struct path_stats *stats, uint64_t now_us,
			struct path_metrics *ret_metrics);

#endif
