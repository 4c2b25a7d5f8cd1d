/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/segment.h"

#include "engine/bytes.h"
#include "engine/sum.h"
#include <errno.h>
#include <netinet/in.h>

enum {
	TCP_MIN = 20,
	TCP_SEQ = 4,
	TCP_OFFSET = 12,
	TCP_FLAGS = 13,
	TCP_CHECK = 16,
	TCP_FIN_PSH = 0x09,
	TCP_CWR = 0x80,
	UDP_LEN = 8,
	UDP_CHECK = 6,
};

/* 0 and 0xffff are the same; in UDP 0 means that there is none. */
static void put_check(uint8_t *p, uint32_t sum, bool never_zero)
{
	uint16_t check = (uint16_t)~sum_fold(sum);

	if (!check && never_zero)
		check = 0xffff;
	memcpy(p, &check, sizeof(check));
}

/* The transport header's place; 0: not one that can be cut. */
static uint32_t transport(const struct virtio_net_hdr *hdr, const uint8_t *frame, uint32_t len,
			  uint8_t protocol, bool *ret_addresses)
{
	if (frame[0] >> 4 == 4) {
		uint32_t l4 = (uint32_t)(frame[0] & 15) * 4;

		/* A fragment has no transport header to repeat. */
		if (len < 20 || l4 < 20 || get16(frame + 2) != len || frame[9] != protocol ||
		    get16(frame + 6) & 0x3fff)
			return 0;
		*ret_addresses = true;
		return l4;
	}
	if (frame[0] >> 4 != 6 || len < 40 || get16(frame + 4) + 40u != len)
		return 0;
	*ret_addresses = frame[6] == protocol;
	if (*ret_addresses)
		return 40;
	/*
	 * Extension headers; with one for routing the address of the sum is not that of the header.
	 * The kernel has left the sum in the field.
	 */
	if (!(hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || hdr->csum_start < 48)
		return 0;
	return hdr->csum_start;
}

static int plan_cut(const struct virtio_net_hdr *hdr, const uint8_t *frame,
		    struct segment_plan *plan)
{
	uint32_t payload, len = plan->len;

	switch (hdr->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
	case VIRTIO_NET_HDR_GSO_TCPV6:
		if ((frame[0] >> 4 == 4) !=
		    ((hdr->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) == VIRTIO_NET_HDR_GSO_TCPV4))
			return -EINVAL;
		plan->protocol = IPPROTO_TCP;
		break;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		plan->protocol = IPPROTO_UDP;
		break;
	default:
		return -EOPNOTSUPP;
	}
	plan->l4 = transport(hdr, frame, len, plan->protocol, &plan->addresses);
	if (!plan->l4 || plan->l4 > SEGMENT_L4_MAX || !hdr->gso_size)
		return -EINVAL;
	if (hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM && hdr->csum_start != plan->l4)
		return -EINVAL;
	if (plan->protocol == IPPROTO_TCP) {
		if (plan->l4 + TCP_MIN > len || frame[plan->l4 + TCP_OFFSET] >> 4 < 5)
			return -EINVAL;
		plan->header = plan->l4 + (uint32_t)(frame[plan->l4 + TCP_OFFSET] >> 4) * 4;
		plan->field = (uint16_t)(plan->l4 + TCP_CHECK);
	} else {
		plan->header = plan->l4 + UDP_LEN;
		plan->field = (uint16_t)(plan->l4 + UDP_CHECK);
	}
	if (plan->header > len)
		return -EINVAL;
	payload = len - plan->header;
	plan->size = hdr->gso_size < payload ? hdr->gso_size : payload;
	plan->count = payload ? (payload + plan->size - 1) / plan->size : 1;
	return plan->count > SEGMENT_MAX ? -E2BIG : 0;
}

int segment_plan(const struct virtio_net_hdr *hdr, const uint8_t *frame, size_t len, uint32_t mtu,
		 struct segment_plan *ret_plan)
{
	struct segment_plan plan = { .count = 1, .len = (uint32_t)len, .mtu = mtu };
	uint32_t last;
	int rc;

	if (!len || len > PACKET_MAX)
		return -EINVAL;
	plan.partial = hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
	if (plan.partial) {
		/* The sum is no part of the fixed IP header. */
		if (hdr->csum_start < (frame[0] >> 4 == 6 ? 40 : 20) ||
		    (size_t)hdr->csum_start + hdr->csum_offset + 2 > len)
			return -EINVAL;
		plan.l4 = hdr->csum_start;
		plan.field = (uint16_t)(hdr->csum_start + hdr->csum_offset);
	}
	if (hdr->gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		rc = plan_cut(hdr, frame, &plan);
		if (rc)
			return rc;
	}
	last = plan.len - (plan.count - 1) * plan.size;
	plan.stride = packet_padded(plan.count > 1 ? plan.header + plan.size : last, mtu) +
		      PACKET_OVERHEAD;
	plan.total = (plan.count - 1) * plan.stride + packet_padded(last, mtu) + PACKET_OVERHEAD;
	*ret_plan = plan;
	return 0;
}

/* The sum of the pseudo header without its length. */
static uint32_t pseudo_sum(const struct segment_plan *plan, const uint8_t *frame)
{
	uint32_t sum;
	uint16_t field;

	if (plan->addresses) {
		sum = frame[0] >> 4 == 4 ? sum_of(frame + 12, 8) : sum_of(frame + 8, 32);
		return sum_add(sum, htons(plan->protocol));
	}
	memcpy(&field, frame + plan->field, sizeof(field));
	return sum_add(field, (uint16_t)~htons((uint16_t)(plan->len - plan->l4)));
}

/* Packet number `i` of a frame that is cut: the frame's headers become its own. */
static void headers_finish(const struct segment_plan *plan, uint8_t *packet, uint32_t len,
			   uint32_t i, uint32_t pseudo)
{
	uint8_t *l4 = packet + plan->l4;

	if (packet[0] >> 4 == 4) {
		put16(packet + 2, len);
		put16(packet + 4, get16(packet + 4) + i);
		put16(packet + 10, 0);
		put_check(packet + 10, sum_of(packet, (size_t)(packet[0] & 15) * 4), false);
	} else {
		put16(packet + 4, len - 40);
	}
	if (plan->protocol == IPPROTO_TCP) {
		put32(l4 + TCP_SEQ, get32(l4 + TCP_SEQ) + i * plan->size);
		if (i)
			l4[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
		if (i + 1 < plan->count)
			l4[TCP_FLAGS] &= (uint8_t)~TCP_FIN_PSH;
	} else {
		put16(l4 + 4, len - plan->l4);
	}
	put16(packet + plan->field, 0);
	len -= plan->l4;
	put_check(packet + plan->field,
		  sum_add(sum_add(pseudo, htons((uint16_t)len)), sum_of(l4, len)),
		  plan->protocol == IPPROTO_UDP);
}

static void packet_finish(const struct segment_plan *plan, uint8_t *data, uint32_t len,
			  struct packet *packet)
{
	packet->data = data;
	packet->len = len;
	packet->padded = packet_padded(len, plan->mtu);
	memset(data + len, 0, packet->padded - len);
}

void segment_finish(const struct segment_plan *plan, uint8_t *frame, struct packet *ret_packet)
{
	if (plan->header)
		headers_finish(plan, frame, plan->len, 0, pseudo_sum(plan, frame));
	else if (plan->partial)
		put_check(frame + plan->field, sum_of(frame + plan->l4, plan->len - plan->l4),
			  true);
	packet_finish(plan, frame, plan->len, ret_packet);
}

void segment_split(const struct segment_plan *plan, const uint8_t *frame, uint8_t *out,
		   struct packet *packets)
{
	uint32_t pseudo, left;

	out += PACKET_HEADROOM;
	if (plan->count == 1) {
		memcpy(out, frame, plan->len);
		segment_finish(plan, out, packets);
		return;
	}
	pseudo = pseudo_sum(plan, frame);
	left = plan->len - plan->header;
	for (uint32_t i = 0; i < plan->count; i++, out += plan->stride) {
		uint32_t size = left < plan->size ? left : plan->size;

		memcpy(out, frame, plan->header);
		memcpy(out + plan->header, frame + (plan->len - left), size);
		headers_finish(plan, out, plan->header + size, i, pseudo);
		packet_finish(plan, out, plan->header + size, &packets[i]);
		left -= size;
	}
}
