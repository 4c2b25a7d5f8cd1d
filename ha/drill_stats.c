/* SPDX-License-Identifier: GPL-2.0-only */
#include "drill_stats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "drill_wire.h"

int drill_track_init(struct drill_track *track, uint32_t size, uint64_t now_us)
{
	*track = (struct drill_track){ .size = size, .origin_us = now_us };
	track->marks = calloc(size ? size : 1, sizeof(*track->marks));
	return track->marks ? 0 : -ENOMEM;
}

void drill_track_fini(struct drill_track *track)
{
	free(track->marks);
	track->marks = NULL;
	track->size = 0;
}

/* Since an origin, plus 1; at the ends of what 32 bits hold it stays there. */
static uint32_t since(uint64_t us, uint64_t origin_us)
{
	if (us <= origin_us)
		return 1;
	return us - origin_us < UINT32_MAX - 1 ? (uint32_t)(us - origin_us) + 1 : UINT32_MAX;
}

bool drill_track_take(struct drill_track *track, uint32_t sequence, uint64_t sent_us,
		      uint64_t now_us)
{
	struct drill_mark *mark;

	if (!sequence || sequence > track->size)
		return false;
	mark = &track->marks[sequence - 1];
	track->came_us = now_us;
	if (mark->came) {
		track->duplicated++;
		return true;
	}
	if (!track->received)
		track->sender_origin_us = sent_us;
	mark->came = since(now_us, track->origin_us);
	mark->sent = since(sent_us, track->sender_origin_us);
	track->received++;
	if (sequence < track->highest)
		track->reordered++;
	else
		track->highest = sequence;
	return true;
}

uint8_t *drill_track_pack(const struct drill_track *track, const struct drill_pack *pack,
			  size_t *ret_len)
{
	const size_t len = DRILL_PACK_LEN + (size_t)track->highest * DRILL_MARK_LEN;
	uint8_t *bytes = calloc(1, len), *at;

	if (!bytes)
		return NULL;
	drill_put32(bytes, track->highest);
	drill_put32(bytes + 4, track->duplicated);
	drill_put32(bytes + 8, track->reordered);
	drill_put32(bytes + 12, pack->sent);
	drill_put32(bytes + 16, pack->send_gap_us);
	drill_put32(bytes + 24, (uint32_t)(track->origin_us >> 32));
	drill_put32(bytes + 28, (uint32_t)track->origin_us);
	drill_put32(bytes + 32, (uint32_t)(track->sender_origin_us >> 32));
	drill_put32(bytes + 36, (uint32_t)track->sender_origin_us);
	at = bytes + DRILL_PACK_LEN;
	for (uint32_t i = 0; i < track->highest; i++, at += DRILL_MARK_LEN) {
		drill_put32(at, track->marks[i].sent);
		drill_put32(at + 4, track->marks[i].came);
	}
	*ret_len = len;
	return bytes;
}

int drill_track_unpack(const uint8_t *bytes, size_t len, struct drill_track *ret_track,
		       struct drill_pack *ret_pack)
{
	struct drill_track track;
	uint32_t highest;
	int rc;

	if (len < DRILL_PACK_LEN || drill_get32(bytes + 20))
		return -EBADMSG;
	highest = drill_get32(bytes);
	if ((len - DRILL_PACK_LEN) / DRILL_MARK_LEN != highest ||
	    (len - DRILL_PACK_LEN) % DRILL_MARK_LEN)
		return -EBADMSG;
	rc = drill_track_init(&track, highest,
			      (uint64_t)drill_get32(bytes + 24) << 32 | drill_get32(bytes + 28));
	if (rc)
		return rc;
	track.highest = highest;
	track.duplicated = drill_get32(bytes + 4);
	track.reordered = drill_get32(bytes + 8);
	track.sender_origin_us = (uint64_t)drill_get32(bytes + 32) << 32 | drill_get32(bytes + 36);
	for (uint32_t i = 0; i < highest; i++) {
		const uint8_t *at = bytes + DRILL_PACK_LEN + (size_t)i * DRILL_MARK_LEN;

		track.marks[i].sent = drill_get32(at);
		track.marks[i].came = drill_get32(at + 4);
		track.received += track.marks[i].came != 0;
	}
	ret_pack->sent = drill_get32(bytes + 12);
	ret_pack->send_gap_us = drill_get32(bytes + 16);
	*ret_track = track;
	return 0;
}

void drill_stats(const struct drill_track *track, uint32_t first, uint32_t last,
		 struct drill_result *ret_result)
{
	struct drill_result result = { 0 };
	struct drill_gap gap = { 0 };
	uint32_t before = 0;

	if (last > track->size)
		last = track->size;
	/* A silence begins with the last one that came, also when that was before. */
	for (uint32_t sequence = first; sequence-- > 1 && sequence <= track->size && !before;)
		before = track->marks[sequence - 1].came;
	for (uint32_t sequence = first ? first : 1; sequence <= last; sequence++) {
		const uint32_t came = track->marks[sequence - 1].came;

		result.sent++;
		if (!came) {
			result.lost++;
			if (!gap.count++) {
				gap.first = sequence;
				gap.from_us = before;
				result.gaps++;
			}
			if (gap.count > result.longest.count)
				result.longest = gap;
			continue;
		}
		result.received++;
		if (gap.count && result.longest.first == gap.first)
			result.longest.to_us = came;
		gap.count = 0;
		if (before && came > before && came - before > result.silence_us) {
			result.silence_us = came - before;
			result.silence_at_us = before;
		}
		if (came > before)
			before = came;
	}
	*ret_result = result;
}

static int compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

void drill_spread(uint32_t *values, uint32_t n, struct drill_spread *ret_spread)
{
	*ret_spread = (struct drill_spread){ .n = n };
	if (!n)
		return;
	qsort(values, n, sizeof(*values), compare);
	ret_spread->min = values[0];
	ret_spread->p50 = values[(n - 1) / 2];
	ret_spread->p99 = values[(uint32_t)((uint64_t)(n - 1) * 99 / 100)];
	ret_spread->max = values[n - 1];
}

uint32_t drill_send_gaps(const uint32_t *sends, uint32_t n, struct drill_spread *ret_spread)
{
	uint32_t *gaps = n > 1 ? calloc(n - 1, sizeof(*gaps)) : NULL;

	*ret_spread = (struct drill_spread){ 0 };
	if (!gaps)
		return 0;
	for (uint32_t i = 1; i < n; i++)
		gaps[i - 1] = sends[i] > sends[i - 1] ? sends[i] - sends[i - 1] : 0;
	drill_spread(gaps, n - 1, ret_spread);
	free(gaps);
	return n - 1;
}
