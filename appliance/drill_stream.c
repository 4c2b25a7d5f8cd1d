/* SPDX-License-Identifier: GPL-2.0-only */
#include "drill_stream.h"

#include <errno.h>
#include <stdlib.h>

#include "clock.h"
#include "drill_scenario.h"

#define BURST_MAX 32	 /* sent at once after a pause: what comes is looked at between */
#define LAG_MAX_US 20000 /* after a longer one nothing is made up for: that would be a flood */

int drill_stream_start(struct drill_stream *stream, uint32_t rate, uint32_t duration_ms,
		       uint64_t now_us)
{
	const uint64_t size = (uint64_t)rate * duration_ms / 1000;

	if (rate < DRILL_RATE_MIN || rate > DRILL_RATE_MAX || !size || size > DRILL_STREAM_MAX)
		return -EINVAL;
	stream->rate = rate;
	stream->interval_us = 1000000 / rate;
	stream->size = (uint32_t)size;
	stream->start_us = now_us;
	stream->told_us = now_us;
	stream->sends = calloc(stream->size, sizeof(*stream->sends));
	if (!stream->sends)
		return -ENOMEM;
	return drill_track_init(&stream->track, stream->size, now_us);
}

void drill_stream_fini(struct drill_stream *stream)
{
	free(stream->sends);
	stream->sends = NULL;
	drill_track_fini(&stream->track);
	stream->size = 0;
	stream->next = 0;
}

static void send_one(struct drill_stream *stream)
{
	const uint64_t now_us = clock_now_us();
	const struct drill_probe probe = {
		.from = stream->self,
		.to = stream->peer,
		.sequence = stream->next + 1,
		.session = stream->session,
		.sent_us = now_us,
		.echo_sequence = stream->last_sequence,
		.echo_delay_us = stream->last_us ? (uint32_t)(now_us - stream->last_us) : 0,
		.received = stream->track.received,
		.highest = stream->track.highest,
		.duplicated = stream->track.duplicated,
		.reordered = stream->track.reordered,
	};
	uint8_t buf[DRILL_PROBE_LEN];

	drill_probe_encode(&probe, buf);
	drill_probe_sign(&stream->key, buf);
	stream->begun_here += stream->way->held;
	stream->sends[stream->next++] = (uint32_t)(now_us - stream->start_us);
	/* What the kernel does not take is lost like anything else; only the report tells it apart. */
	if (drill_way_send(stream->way, stream->site, &stream->to, stream->from_port,
			   stream->to_port, buf, sizeof(buf)))
		stream->refused++;
}

uint64_t drill_stream_send(struct drill_stream *stream, uint64_t now_us)
{
	for (int burst = 0; stream->next < stream->size; burst++) {
		const uint64_t due = stream->start_us + stream->lag_us +
				     (uint64_t)stream->next * 1000000 / stream->rate;

		if (now_us > due + LAG_MAX_US)
			stream->lag_us += now_us - due;
		if (due > now_us || burst == BURST_MAX)
			return due;
		send_one(stream);
	}
	return UINT64_MAX;
}

/* The longer of the two ways is taken for as long as the shorter: nothing here can tell. */
static void take_clock(struct drill_stream *stream, const struct drill_probe *probe,
		       uint64_t now_us)
{
	uint64_t sent_us, there_us, rtt_us;

	if (!probe->echo_sequence || probe->echo_sequence > stream->next)
		return;
	sent_us = stream->start_us + stream->sends[probe->echo_sequence - 1];
	there_us = probe->sent_us - probe->echo_delay_us;
	if (now_us < sent_us + probe->echo_delay_us)
		return;
	rtt_us = now_us - sent_us - probe->echo_delay_us;
	if (rtt_us > 60000000 || (stream->rtt_us && rtt_us >= stream->rtt_us))
		return;
	stream->rtt_us = rtt_us ? (uint32_t)rtt_us : 1;
	stream->offset_us =
		((int64_t)(there_us - sent_us) + (int64_t)(probe->sent_us - now_us)) / 2;
}

bool drill_stream_take(struct drill_stream *stream, const uint8_t *buf, size_t len, uint64_t now_us)
{
	struct drill_probe probe;

	if (!stream->size || drill_probe_decode(buf, len, &probe) || probe.from != stream->peer ||
	    probe.to != stream->self || probe.session != stream->session ||
	    !drill_probe_verify(&stream->key, buf) ||
	    !drill_track_take(&stream->track, probe.sequence, probe.sent_us, now_us))
		return false;
	take_clock(stream, &probe, now_us);
	stream->last_sequence = probe.sequence;
	stream->last_us = now_us;
	if (probe.received > stream->told.received)
		stream->told_us = now_us;
	if (probe.sequence == stream->track.highest)
		stream->told = probe;
	return true;
}
