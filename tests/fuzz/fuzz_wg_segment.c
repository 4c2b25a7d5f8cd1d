/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any virtio header with any frame: it is refused, or cut into messages that lie one behind the other
 * in exactly the room that was announced, of which all but the last are equally long; what a packet
 * carries is its piece of the frame. The input is the header (10 bytes), the MTU (2) and the frame.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

/* In memory of its own size each, so that a byte too far is seen. */
static uint8_t *block(size_t len)
{
	uint8_t *p = malloc(len ? len : 1);

	check(p);
	return p;
}

static void check_finish(const struct segment_plan *plan, const uint8_t *frame,
			 const struct packet *cut)
{
	uint32_t padded = packet_padded(plan->len, plan->mtu);
	uint8_t *copy = block(padded);
	struct packet p;

	memcpy(copy, frame, plan->len);
	segment_finish(plan, copy, &p);
	check(p.data == copy && p.len == cut->len && p.padded == cut->padded);
	check(!memcmp(copy, cut->data, padded));
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct packet packets[SEGMENT_MAX];
	struct virtio_net_hdr hdr;
	struct segment_plan plan;
	uint8_t *frame, *out;
	uint32_t at, carried = 0;
	uint16_t mtu;

	if (size < sizeof(hdr) + sizeof(mtu))
		return 0;
	memcpy(&hdr, data, sizeof(hdr));
	memcpy(&mtu, data + sizeof(hdr), sizeof(mtu));
	data += sizeof(hdr) + sizeof(mtu);
	size -= sizeof(hdr) + sizeof(mtu);
	frame = block(size);
	memcpy(frame, data, size);
	if (segment_plan(&hdr, frame, size, mtu, &plan)) {
		free(frame);
		return 0;
	}
	check(plan.count && plan.count <= SEGMENT_MAX && plan.total <= SEGMENT_TOTAL_MAX);
	out = block(plan.total);
	segment_split(&plan, frame, out, packets);
	at = plan.header;
	for (uint32_t i = 0; i < plan.count; i++) {
		const struct packet *p = &packets[i];

		check(p->data == out + (size_t)i * plan.stride + PACKET_HEADROOM);
		check(p->padded >= p->len && p->padded - p->len < PACKET_PADDING);
		check(i + 1 == plan.count ? p->padded + PACKET_OVERHEAD <= plan.stride
					  : p->padded + PACKET_OVERHEAD == plan.stride);
		for (uint32_t k = p->len; k < p->padded; k++)
			check(!p->data[k]);
		if (plan.count > 1) {
			check(p->len > plan.header);
			check(packet_inner_len(p->data, p->padded) == p->len);
			check(!memcmp(p->data + plan.header, frame + at, p->len - plan.header));
			at += p->len - plan.header;
		}
		carried += p->padded + PACKET_OVERHEAD;
	}
	check(carried == plan.total);
	if (plan.count == 1)
		check_finish(&plan, frame, &packets[0]);
	else
		check(at == plan.len);
	free(out);
	free(frame);
	return 0;
}
