/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/intake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/device.h"
#include "engine/runtime.h"
#include "engine/tun.h"
#include "engine/uapi_server.h"
#include "engine/uapi_watch.h"

enum {
	CLIENTS_MAX = 16,
	FDS_MAX = TUN_QUEUES + 1,
	PATIENCE_S = 5,
};

struct client {
	struct runtime_source source;
	struct client *next;
	struct intake *intake;
};

struct intake {
	struct runtime_source source;
	struct runtime *runtime;
	struct client *clients;
	unsigned int n_clients;
};

static const struct sockaddr_un address = { AF_UNIX, UAPI_DIR "/" INTAKE_SOCKET };

static void close_all(const int *fds, int n)
{
	for (int i = 0; i < n; i++)
		close(fds[i]);
}

/* The descriptors of a message; -errno, then there are none. */
static int receive_fds(int fd, int fds[static FDS_MAX])
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(FDS_MAX * sizeof(int))];
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      /* CMSG_SPACE may have room for one more than there is in fds. */
			      .msg_controllen = CMSG_LEN(FDS_MAX * sizeof(int)) };
	const ssize_t len = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int n = 0;

	if (len < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
			n = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
			memcpy(fds, CMSG_DATA(c), (size_t)n * sizeof(int));
		}
	if (len == 1 && !(msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return n;
	close_all(fds, n);
	return len ? -EPROTO : -ECONNRESET;
}

/* A stream socket that listens at the name of this interface. */
static bool is_uapi(int fd, const char *ifname)
{
	struct sockaddr_un at = { 0 };
	socklen_t len = sizeof(at);
	char path[sizeof(at.sun_path)];
	int listens = 0;

	snprintf(path, sizeof(path), UAPI_DIR "/%s.sock", ifname);
	if (getsockname(fd, (struct sockaddr *)&at, &len) || at.sun_family != AF_UNIX ||
	    strncmp(at.sun_path, path, sizeof(path)))
		return false;
	len = sizeof(listens);
	return !getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) && listens;
}

static int take(struct runtime *runtime, const int *fds, int n)
{
	struct tun tun;
	int rc = n == runtime->n_workers + 1 ? tun_adopt(fds, n - 1, &tun) : -EINVAL;

	if (!rc && !is_uapi(fds[n - 1], tun.name))
		rc = -EINVAL;
	if (!rc)
		rc = device_new(runtime, &tun, fds[n - 1]);
	if (!rc)
		runtime_ask_links(runtime);
	return rc;
}

static void client_free(struct client *client)
{
	struct client **at = &client->intake->clients;

	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	client->intake->n_clients--;
	runtime_unwatch(client->intake->runtime, &client->source);
	close(client->source.fd);
	free(client);
}

static void client_ready(struct runtime_source *source, uint32_t events)
{
	struct client *client = (struct client *)source;
	int fds[FDS_MAX], n = receive_fds(source->fd, fds), rc;

	(void)events;
	if (n == -EAGAIN)
		return;
	if (n >= 0) {
		rc = take(client->intake->runtime, fds, n);
		if (rc)
			close_all(fds, n);
		/* Who is gone by then has the interface all the same. */
		(void)send(source->fd, &rc, sizeof(rc), MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	client_free(client);
}

static void intake_ready(struct runtime_source *source, uint32_t events)
{
	struct intake *intake = (struct intake *)source;
	const int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *client;

	(void)events;
	if (fd < 0)
		return;
	client = intake->n_clients < CLIENTS_MAX ? calloc(1, sizeof(*client)) : NULL;
	if (!client) {
		close(fd);
		return;
	}
	client->source.fd = fd;
	client->source.ready = client_ready;
	client->intake = intake;
	client->next = intake->clients;
	intake->clients = client;
	intake->n_clients++;
	if (send(fd, &intake->runtime->n_workers, sizeof(int), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ||
	    runtime_watch(intake->runtime, &client->source, EPOLLIN))
		client_free(client);
}

/* Nobody answers there. */
static bool is_stale(void)
{
	const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const bool stale = fd >= 0 &&
			   connect(fd, (const struct sockaddr *)&address, sizeof(address)) &&
			   errno == ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return stale;
}

int intake_new(struct runtime *runtime, struct intake **ret_intake)
{
	struct intake *intake = calloc(1, sizeof(*intake));
	mode_t mask;
	int rc;

	if (!intake)
		return -ENOMEM;
	intake->runtime = runtime;
	intake->source.ready = intake_ready;
	intake->source.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (intake->source.fd < 0) {
		rc = -errno;
		goto err_free;
	}
	rc = mkdir(UAPI_DIR, 0755) && errno != EEXIST ? -errno : 0;
	if (!rc && is_stale() && unlink(address.sun_path))
		rc = -errno;
	if (rc)
		goto err_close;
	mask = umask(077);
	rc = bind(intake->source.fd, (const struct sockaddr *)&address, sizeof(address)) ? -errno
											 : 0;
	umask(mask);
	if (rc)
		goto err_close;
	rc = listen(intake->source.fd, CLIENTS_MAX) ? -errno : 0;
	/* For interfaces that come when the calls that it takes have been given up. */
	if (!rc && !runtime->uapi_watch)
		(void)uapi_watch_new(runtime, &runtime->uapi_watch);
	if (!rc)
		rc = runtime_watch(runtime, &intake->source, EPOLLIN);
	if (rc)
		goto err_unlink;
	*ret_intake = intake;
	return 0;

err_unlink:
	unlink(address.sun_path);
err_close:
	close(intake->source.fd);
err_free:
	free(intake);
	return rc;
}

void intake_free(struct intake *intake)
{
	if (!intake)
		return;
	while (intake->clients)
		client_free(intake->clients);
	unlink(address.sun_path);
	runtime_unwatch(intake->runtime, &intake->source);
	close(intake->source.fd);
	free(intake);
}

/* ---- who gives ---- */

/* 0 or the taker's answer, or -EPROTO, -ETIMEDOUT. */
static int receive_int(int fd, int *ret_value)
{
	const ssize_t len = recv(fd, ret_value, sizeof(*ret_value), 0);

	if (len < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return len == sizeof(*ret_value) ? 0 : -EPROTO;
}

static int send_fds(int fd, const int *fds, int n)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(FDS_MAX * sizeof(int))] = { 0 };
	char byte = 1;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = CMSG_SPACE((size_t)n * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, (size_t)n * sizeof(int));
	return sendmsg(fd, &msg, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

static int give(int fd, const char *ifname)
{
	int fds[FDS_MAX], queues, answer = -EPROTO, rc = receive_int(fd, &queues);
	struct tun tun;

	if (rc)
		return rc;
	rc = tun_open(ifname, queues, 1420, &tun);
	if (rc)
		return rc;
	memcpy(fds, tun.fd, (size_t)queues * sizeof(int));
	fds[queues] = uapi_listen(tun.name);
	if (fds[queues] < 0) {
		rc = fds[queues];
		goto out;
	}
	rc = send_fds(fd, fds, queues + 1);
	if (!rc)
		rc = receive_int(fd, &answer);
	if (!rc)
		rc = answer;
	if (rc)
		uapi_unlink(tun.name);
	close(fds[queues]);
out:
	tun_close(&tun);
	return rc;
}

int intake_give(const char *ifname)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) ||
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		rc = -errno;
	else
		rc = give(fd, ifname);
	close(fd);
	return rc;
}
