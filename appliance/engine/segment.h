/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ENGINE_SEGMENT_H
#define ENGINE_SEGMENT_H
#include "engine/packet.h"
#include <linux/virtio_net.h>

/*
 * Frames that the TUN device hands out, cut into inner packets with finished headers and checksums.
 * Pure functions over memory. Fields of struct virtio_net_hdr are in the host's byte order.
 */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

enum {
	SEGMENT_MAX = 1536,   /* inner packets from one frame; a frame of more is refused */
	SEGMENT_L4_MAX = 512, /* bytes before the transport header of one that is cut; likewise */
	SEGMENT_TCP_MAX = 60, /* bytes of that header */
	/* Room that no frame's messages exceed: its payload, and what each packet has of its own. */
	SEGMENT_TOTAL_MAX = PACKET_MAX + SEGMENT_MAX * (SEGMENT_L4_MAX + SEGMENT_TCP_MAX +
							PACKET_PADDING - 1 + PACKET_OVERHEAD),
};

struct segment_plan {
	uint32_t count;	 /* inner packets, 1 to SEGMENT_MAX */
	uint32_t stride; /* from one message to the next, all but the last are this long */
	uint32_t total;	 /* bytes of all the messages, up to SEGMENT_TOTAL_MAX */
	/* For segment_split(). */
	uint32_t len, mtu;
	uint32_t l4;	  /* where the transport header begins; where to sum from */
	uint32_t header;  /* bytes before the payload, 0 when there is nothing to cut */
	uint32_t size;	  /* payload of a packet */
	uint16_t field;	  /* where the checksum goes */
	uint8_t protocol; /* of what is cut */
	bool partial;	  /* the field holds the sum of the pseudo header */
	bool addresses;	  /* that sum is made anew from the addresses */
};

/*
 * What becomes of a frame; it is read no further than its headers. -EINVAL: the frame or its header is
 * malformed; -E2BIG: more than SEGMENT_MAX; -EOPNOTSUPP: a kind of segmentation that was not asked for.
 */
int segment_plan(const struct virtio_net_hdr *hdr, const uint8_t *frame, size_t len, uint32_t mtu,
		 struct segment_plan *ret_plan);
/*
 * Writes plan->count messages one behind the other from `out`, which has plan->total bytes and does not
 * overlap the frame, each with PACKET_HEADROOM left to be filled, padding zeroed, PACKET_TAILROOM left.
 * Sets data, len and padded of packets[0..count), nothing else of them.
 */
void segment_split(const struct segment_plan *plan, const uint8_t *frame, uint8_t *out,
		   struct packet *packets);
/*
 * The same where plan->count is 1 and the frame lies where it shall stay, with the room before and
 * behind: nothing is copied.
 */
void segment_finish(const struct segment_plan *plan, uint8_t *frame, struct packet *ret_packet);

#endif
