/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What came of numbered probes in one direction. Pure.
 *
 * Terms: outage by loss is the longest run of lost probes times their interval, outage by time
 * stamps the longest silence between two arrivals at the receiver, less one interval (RFC 6414,
 * 3.5, "loss-based" and "timestamp-based" methods). Reordered as in RFC 4737: a probe whose
 * number is lower than one that came before.
 */
#ifndef NETPAS_DRILL_STATS_H
#define NETPAS_DRILL_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One probe. Times are of the clock named, in us since the track's origins, plus 1; 0: not. */
struct drill_mark {
	uint32_t sent; /* the sender's clock, as the probe says */
	uint32_t came; /* the receiver's clock */
};
#define DRILL_MARK_LEN 8 /* on the wire: both, big endian */

struct drill_track {
	struct drill_mark *marks; /* by sequence - 1 */
	uint32_t size;
	uint32_t highest;  /* sequence received */
	uint32_t received; /* distinct */
	uint32_t duplicated, reordered;
	uint64_t came_us; /* the last one, the receiver's clock */
	/* Clocks at 1: the receiver's when the track was begun, the sender's of the first probe. */
	uint64_t origin_us, sender_origin_us;
};

/* -ENOMEM. */
int drill_track_init(struct drill_track *track, uint32_t size, uint64_t now_us);
void drill_track_fini(struct drill_track *track);

/* False: a sequence beyond the track; it is not counted. */
bool drill_track_take(struct drill_track *track, uint32_t sequence, uint64_t sent_us,
		      uint64_t now_us);

/*
 * A track as bytes, with what else its owner knows, and back. All big endian: highest, duplicated,
 * reordered, probes sent the other way, longest gap between those in us, 0; clocks at 1 (8 bytes
 * each); then for each sequence up to the highest both marks.
 */
#define DRILL_PACK_LEN 40
struct drill_pack {
	uint32_t sent, send_gap_us;
};
/* To free; NULL: out of memory. */
uint8_t *drill_track_pack(const struct drill_track *track, const struct drill_pack *pack,
			  size_t *ret_len);
/* 0, -EBADMSG or -ENOMEM; drill_track_fini() it. */
int drill_track_unpack(const uint8_t *bytes, size_t len, struct drill_track *ret_track,
		       struct drill_pack *ret_pack);

/* A run of lost probes. */
struct drill_gap {
	uint32_t first, count;	 /* sequences */
	uint32_t from_us, to_us; /* arrivals before and after, from the origin; to 0: none after */
};

struct drill_result {
	uint32_t sent, received, lost;
	uint32_t gaps;		  /* runs of lost probes */
	struct drill_gap longest; /* count 0: nothing was lost */
	uint32_t silence_us;	  /* longest between two arrivals in sequence */
	uint32_t silence_at_us;	  /* when it began, from the origin */
};

/* Of the sequences first to last, both included, that the sender says to have sent. */
void drill_stats(const struct drill_track *track, uint32_t first, uint32_t last,
		 struct drill_result *ret_result);

/* Distribution of values in us. Sorts them. n may be 0: all 0. */
struct drill_spread {
	uint32_t n, min, p50, p99, max;
};
void drill_spread(uint32_t *values, uint32_t n, struct drill_spread *ret_spread);

/* Distances between sends (us, by sequence - 1), which limit what can be seen. Returns the number. */
uint32_t drill_send_gaps(const uint32_t *sends, uint32_t n, struct drill_spread *ret_spread);

#endif
