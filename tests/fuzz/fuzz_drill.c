/* SPDX-License-Identifier: GPL-2.0-only */
/* What drills say to each other: probes, messages, orders, tracks. What is taken is like itself. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "drill_stats.h"
#include "drill_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition)
{
	if (!condition)
		abort();
}

static void take_track(const uint8_t *data, size_t size)
{
	struct drill_result result;
	struct drill_track track;
	struct drill_pack pack;
	uint8_t *again;
	size_t len;

	if (drill_track_unpack(data, size, &track, &pack))
		return;
	drill_stats(&track, 1, track.size, &result);
	check(result.sent == track.size && result.sent == result.received + result.lost);
	check(result.longest.count <= result.lost && result.gaps <= result.lost);
	again = drill_track_pack(&track, &pack, &len);
	check(again && len == size && !memcmp(again, data, size));
	free(again);
	drill_track_fini(&track);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t buf[DRILL_MESSAGE_MAX];
	struct drill_message message;
	struct drill_probe probe;
	struct drill_order order;

	if (!drill_probe_decode(data, size, &probe)) {
		check(drill_wire_is_probe(data, size));
		drill_probe_encode(&probe, buf);
		check(!memcmp(buf, data, DRILL_PROBE_SIGNED));
	}
	if (!drill_message_decode(data, size, &message)) {
		check(drill_message_encode(&message, buf) + DRILL_TAG_LEN == size);
		check(!memcmp(buf, data, size - DRILL_TAG_LEN));
		take_track(message.body, message.body_len);
		if (!drill_order_decode(message.body, message.body_len, &order)) {
			drill_order_encode(&order, buf);
			check(!memcmp(buf, message.body, DRILL_ORDER_LEN));
		}
	}
	take_track(data, size);
	return 0;
}
