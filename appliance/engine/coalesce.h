/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ENGINE_COALESCE_H
#define ENGINE_COALESCE_H
#include "engine/packet.h"
#include <linux/virtio_net.h>
#include <sys/uio.h>

/*
 * Inner packets joined into the frames that the kernel would have made of them by GRO: segments of a
 * TCP flow that follow each other, datagrams of a UDP flow. What segment_split() would make of a frame
 * are the packets that went into it, byte for byte. Order within a flow is kept. Pure: frames go to a
 * function of the caller's, as a virtio header and pieces of the packets, which stay where they are.
 */
enum {
	COALESCE_FLOWS = 16,   /* frames open at a time */
	COALESCE_PIECES = 128, /* packets in a frame */
};

/* iov[0] is the struct virtio_net_hdr; `packets` inner packets of `bytes` in all are in the frame. */
typedef void (*coalesce_write_fn)(void *ctx, const struct iovec *iov, int n, uint32_t packets,
				  uint32_t bytes);

struct coalesce;
/* udp: the TUN device takes VIRTIO_NET_HDR_GSO_UDP_L4. NULL: no memory. */
struct coalesce *coalesce_new(bool udp, coalesce_write_fn write, void *ctx);
void coalesce_free(struct coalesce *coalesce);
/*
 * The packet must stay until the next coalesce_flush(), and the first of a frame has its headers
 * rewritten. Its length must be that of its own header (packet_inner_len()).
 */
void coalesce_add(struct coalesce *coalesce, uint8_t *data, uint32_t len);
/* Writes all that is open, in the order in which it was begun. */
void coalesce_flush(struct coalesce *coalesce);

#endif
