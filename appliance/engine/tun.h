/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ENGINE_TUN_H
#define ENGINE_TUN_H
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

enum {
	TUN_QUEUES = 64,
};

/* A multi-queue TUN device with virtio-net headers of 10 bytes; it goes when its queues are closed. */
struct tun {
	char name[IFNAMSIZ];
	unsigned int ifindex;
	int queues;
	int fd[TUN_QUEUES]; /* non-blocking */
	bool tso;
	bool uso; /* Linux 6.2 and later */
};

/* -errno; -EBUSY: the name is taken. */
int tun_open(const char *name, int queues, int mtu, struct tun *ret_tun);
/* Queues that another process has opened so. Theirs when it fails. -EINVAL: they are none of one such device. */
int tun_adopt(const int *fds, int queues, struct tun *ret_tun);
void tun_close(struct tun *tun);
bool tun_gone(const struct tun *tun);	/* deleted: its queues lead nowhere */
int tun_get_mtu(const struct tun *tun); /* or -errno */

/*
 * A frame into buf, its header into ret_hdr: its length, 0 when there is none now, -errno. Frames of
 * what the device was asked for have up to PACKET_MAX bytes; one of more than `room` is cut, and lost.
 */
ssize_t tun_read(int fd, struct virtio_net_hdr *ret_hdr, void *buf, size_t room);
/* iov[0] is the header. 0 or -errno: -EAGAIN when the device's queue is full. */
int tun_write(int fd, const struct iovec *iov, int n);

#endif
