/* SPDX-License-Identifier: GPL-2.0-only */
/* One end of an exchange of probes: what is sent at a steady rate, and what came. */
#ifndef NETPAS_DRILL_STREAM_H
#define NETPAS_DRILL_STREAM_H

#include "drill_key.h"
#include "drill_stats.h"
#include "drill_way.h"

#define DRILL_STREAM_MAX 2000000 /* probes of one drill each way */

struct drill_stream {
	struct drill_way *way;
	const struct config_site *site; /* of the other end */
	struct ip_addr to;
	uint16_t from_port, to_port;
	uint16_t self, peer;
	struct drill_key key;
	uint64_t session;
	uint32_t rate, interval_us, size;
	uint64_t start_us;
	uint64_t lag_us;     /* pauses of the sender that nothing was made up for */
	uint32_t next;	     /* sequence - 1 of the next probe */
	uint32_t *sends;     /* when each was sent, us from start_us */
	uint32_t refused;    /* by the kernel when they were to be sent */
	uint32_t begun_here; /* sent while this gateway had the VIP: nobody forwarded them to it */
	struct drill_track track;
	uint32_t last_sequence; /* the last that came, and when */
	uint64_t last_us;
	struct drill_probe told; /* what the other end said last */
	uint64_t told_us;	 /* when what it has received was last more than before */
	/* Of the fastest round trip: that, and the other end's clock less ours, by half of it. */
	uint32_t rtt_us; /* 0: none yet */
	int64_t offset_us;
};

/* What is set by the caller: way, site, to, ports, ids, key, session. 0, -EINVAL or -ENOMEM. */
int drill_stream_start(struct drill_stream *stream, uint32_t rate, uint32_t duration_ms,
		       uint64_t now_us);
void drill_stream_fini(struct drill_stream *stream);

/* Send what is due; returns when the next one is, UINT64_MAX if all are sent. */
uint64_t drill_stream_send(struct drill_stream *stream, uint64_t now_us);

/* A packet from the other end. False: it is not of this exchange, or not signed well. */
bool drill_stream_take(struct drill_stream *stream, const uint8_t *buf, size_t len,
		       uint64_t now_us);

#endif
