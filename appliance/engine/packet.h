/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ENGINE_PACKET_H
#define ENGINE_PACKET_H
#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * An inner packet inside the data message that carries it (WireGuard paper, 5.4.6): header, packet,
 * zeros up to a multiple of 16, tag. A message is built and opened where it lies: whoever writes the
 * inner packet leaves PACKET_HEADROOM bytes before it and PACKET_TAILROOM after its padding.
 */
enum {
	PACKET_HEADROOM = 16, /* type, three zeros, receiver's index, counter */
	PACKET_TAILROOM = 16, /* the tag */
	PACKET_OVERHEAD = PACKET_HEADROOM + PACKET_TAILROOM,
	PACKET_PADDING = 16,
	PACKET_MAX = 65535, /* of a frame from or to the TUN device */
};

struct packet {
	uint8_t *data;	    /* first byte of the inner packet, of its ciphertext */
	uint32_t len;	    /* inner packet without padding */
	uint32_t padded;    /* with it: what is sealed, or opened; the tag follows */
	uint64_t counter;   /* the nonce */
	const uint8_t *key; /* 32 bytes */
	void *owner;	    /* of whoever made the batch: a keypair, a peer */
	bool ok;	    /* aead_open(): the tag was right, data holds the packet */
};

/* What is sealed of a packet of `len` bytes: padded to 16, never beyond the MTU, as the kernel does. */
static inline uint32_t packet_padded(uint32_t len, uint32_t mtu)
{
	uint32_t padded = (len + PACKET_PADDING - 1) & ~(uint32_t)(PACKET_PADDING - 1);

	return padded > mtu && len <= mtu ? mtu : padded;
}

/* The length that an inner packet's own header states; 0: neither IPv4 nor IPv6, or longer than `room`. */
static inline uint32_t packet_inner_len(const uint8_t *data, uint32_t room)
{
	uint32_t len = 0;

	if (room >= 20 && data[0] >> 4 == 4) {
		len = (uint32_t)data[2] << 8 | data[3];
		if (len < 20)
			return 0;
	} else if (room >= 40 && data[0] >> 4 == 6) {
		len = ((uint32_t)data[4] << 8 | data[5]) + 40;
	}
	return len <= room ? len : 0;
}

/*
 * ECN over a tunnel (RFC 6040, as the kernel's WireGuard): nothing of the traffic class but ECN shows
 * outside, and CE only as ECT(0).
 */
static inline uint8_t packet_ecn(const uint8_t *data)
{
	uint8_t ecn = (data[0] >> 4 == 4 ? data[1] : data[1] >> 4) & 3;

	return ecn == 3 ? 2 : ecn;
}
/* The outer packet came with CE: the inner one that can bear it gets CE too. */
void packet_set_ce(uint8_t *data, uint32_t len);

#endif
