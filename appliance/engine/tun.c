/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Linux 6.2; not in the headers of older systems. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

enum {
	HEADER_LEN = sizeof(struct virtio_net_hdr),
};

static int queue_open(const char *name, short flags)
{
	struct ifreq ifr = { .ifr_flags = flags };
	int rc, fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	(void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0) {
		rc = -errno;
		(void)close(fd); /* nothing was written */
		return rc;
	}
	return fd;
}

/* The most of it that the kernel takes; checksums at least come with every kernel that has TUN. */
static int offload_set(struct tun *tun, int fd)
{
	const unsigned int tso = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;

	tun->tso = true;
	tun->uso = !ioctl(fd, TUNSETOFFLOAD, tso | TUN_F_USO4 | TUN_F_USO6);
	if (tun->uso || !ioctl(fd, TUNSETOFFLOAD, tso))
		return 0;
	tun->tso = false;
	return ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM) ? -errno : 0;
}

static int mtu_ioctl(const struct tun *tun, unsigned long request, struct ifreq *ifr)
{
	int rc = 0, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	(void)snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", tun->name);
	if (ioctl(fd, request, ifr) < 0)
		rc = -errno;
	(void)close(fd); /* nothing was written */
	return rc;
}

int tun_get_mtu(const struct tun *tun)
{
	struct ifreq ifr = { 0 };
	int rc = mtu_ioctl(tun, SIOCGIFMTU, &ifr);

	return rc ? rc : ifr.ifr_mtu;
}

bool tun_gone(const struct tun *tun)
{
	struct ifreq ifr = { 0 };

	return ioctl(tun->fd[0], TUNGETIFF, &ifr) < 0 && errno == EBADFD;
}

int tun_open(const char *name, int queues, int mtu, struct tun *ret_tun)
{
	const short flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE;
	struct ifreq ifr = { .ifr_mtu = mtu };
	struct tun tun = { 0 };
	int rc, fd, header = HEADER_LEN;

	if (queues < 1 || queues > TUN_QUEUES || strlen(name) >= sizeof(tun.name))
		return -EINVAL;
	(void)snprintf(tun.name, sizeof(tun.name), "%s", name);
	/*
	 * No IFF_TUN_EXCL, as wireguard-go: a persistent device is taken over, one that another process
	 * holds with a queue can be told by nothing but its flags.
	 */
	for (; tun.queues < queues; tun.queues++) {
		fd = queue_open(name, flags);
		if (fd < 0) {
			rc = fd;
			goto close_queues;
		}
		tun.fd[tun.queues] = fd;
		if (tun.queues)
			continue;
		if (ioctl(fd, TUNSETVNETHDRSZ, &header) < 0) {
			rc = -errno;
			tun.queues++;
			goto close_queues;
		}
	}
	rc = offload_set(&tun, tun.fd[0]);
	if (rc)
		goto close_queues;
	tun.ifindex = if_nametoindex(name);
	if (!tun.ifindex) {
		rc = -errno;
		goto close_queues;
	}
	rc = mtu ? mtu_ioctl(&tun, SIOCSIFMTU, &ifr) : 0;
	if (rc)
		goto close_queues;
	*ret_tun = tun;
	return 0;

close_queues:
	tun_close(&tun);
	return rc;
}

int tun_adopt(const int *fds, int queues, struct tun *ret_tun)
{
	const short flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE;
	struct tun tun = { .queues = queues };
	int header = 0, rc;

	if (queues < 1 || queues > TUN_QUEUES)
		return -EINVAL;
	for (int i = 0; i < queues; i++) {
		struct ifreq ifr = { 0 };

		if (ioctl(fds[i], TUNGETIFF, &ifr) < 0 ||
		    ioctl(fds[i], TUNGETVNETHDRSZ, &header) < 0 || header != HEADER_LEN ||
		    (ifr.ifr_flags & (flags | IFF_TAP)) != flags ||
		    (i && strncmp(ifr.ifr_name, tun.name, sizeof(tun.name))))
			return -EINVAL;
		(void)snprintf(tun.name, sizeof(tun.name), "%.*s", (int)sizeof(tun.name) - 1,
			       ifr.ifr_name);
		tun.fd[i] = fds[i];
	}
	rc = offload_set(&tun, tun.fd[0]);
	if (rc)
		return rc;
	tun.ifindex = if_nametoindex(tun.name);
	if (!tun.ifindex)
		return -errno;
	*ret_tun = tun;
	return 0;
}

void tun_close(struct tun *tun)
{
	while (tun->queues > 0)
		(void)close(tun->fd[--tun->queues]); /* the device goes with the last */
}

ssize_t tun_read(int fd, struct virtio_net_hdr *ret_hdr, void *buf, size_t room)
{
	struct iovec iov[2] = {
		{ .iov_base = ret_hdr, .iov_len = HEADER_LEN },
		{ .iov_base = buf, .iov_len = room },
	};
	ssize_t n;

	do
		n = readv(fd, iov, 2);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	return n <= HEADER_LEN ? -EIO : n - HEADER_LEN;
}

int tun_write(int fd, const struct iovec *iov, int n)
{
	ssize_t rc;

	do
		rc = writev(fd, iov, n);
	while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : 0;
}
