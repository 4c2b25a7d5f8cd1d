/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/uapi_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <sodium.h>

#include "engine/device.h"
#include "engine/runtime.h"
#include "engine/uapi.h"
#include "engine/uapi_watch.h"

enum {
	CLIENTS_MAX = 64,
};

struct client {
	struct runtime_source source;
	struct client *next;
	struct uapi_server *server;
	struct text in, out;
	size_t out_sent;
};

struct uapi_server {
	struct runtime_source source;
	struct device *device;
	struct sockaddr_un address;
	dev_t dev; /* of the socket's file */
	ino_t ino;
	struct client *clients;
	unsigned int n_clients;
};

static void client_free(struct client *client)
{
	struct uapi_server *server = client->server;
	struct client **at = &server->clients;

	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	server->n_clients--;
	runtime_unwatch(server->device->runtime, &client->source);
	close(client->source.fd);
	text_free(&client->in);
	text_free(&client->out);
	free(client);
}

/* What was asked for is in client->out before it, if anything was. */
static int answer(struct client *client, int rc)
{
	char status[32];
	int n = snprintf(status, sizeof(status), "errno=%d\n\n", rc);

	return text_append(&client->out, status, (size_t)n);
}

static int answer_get(struct client *client)
{
	size_t before = client->out.used;
	int rc = uapi_format(client->server->device, &client->out);

	if (rc)
		client->out.used = before;
	return answer(client, rc);
}

static int answer_set(struct client *client, const char *lines, size_t len)
{
	struct uapi_set set;
	int rc = uapi_set_parse(lines, len, &set);

	if (!rc) {
		rc = device_apply(client->server->device, &set);
		uapi_set_fini(&set);
	}
	return answer(client, rc);
}

/* One request with its empty line; the errors of a line are answered, those of the framing end it. */
static int answer_request(struct client *client, const char *request, size_t len)
{
	static const char get[] = "get=1\n", set[] = "set=1\n";

	if (len == sizeof(get) && !memcmp(request, get, sizeof(get) - 1))
		return answer_get(client);
	if (len >= sizeof(set) && !memcmp(request, set, sizeof(set) - 1))
		return answer_set(client, request + sizeof(set) - 1, len - sizeof(set));
	(void)answer(client, -EINVAL);
	return -EPROTO;
}

/* What the client has sent as a whole so far. */
static int answer_all(struct client *client)
{
	for (;;) {
		char *end = client->in.used ? memmem(client->in.bytes, client->in.used, "\n\n", 2)
					    : NULL;
		size_t len;
		int rc;

		if (!end)
			return client->in.used >= UAPI_REQUEST_MAX ? -E2BIG : 0;
		len = (size_t)(end - client->in.bytes) + 2;
		rc = answer_request(client, client->in.bytes, len);
		text_drop(&client->in, len);
		if (rc)
			return rc;
	}
}

/* 0, 1: more to send when there is room, -errno. */
static int client_send(struct client *client)
{
	while (client->out_sent < client->out.used) {
		ssize_t n = send(client->source.fd, client->out.bytes + client->out_sent,
				 client->out.used - client->out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0)
			return errno == EAGAIN ? 1 : -errno;
		client->out_sent += (size_t)n;
	}
	text_free(&client->out);
	client->out_sent = 0;
	return 0;
}

static int client_read(struct client *client)
{
	char part[16384];
	ssize_t n = recv(client->source.fd, part, sizeof(part), MSG_DONTWAIT);
	int rc;

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (!n)
		return -ECONNRESET;
	rc = text_append(&client->in, part, (size_t)n);
	sodium_memzero(part, (size_t)n);
	return rc ? rc : answer_all(client);
}

static void client_ready(struct runtime_source *source, uint32_t events)
{
	struct client *client = (struct client *)source;
	int rc = 0, waits = 0;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !client->out.used)
		rc = client_read(client);
	if (client->out.used) {
		waits = client_send(client);
		if (waits < 0)
			rc = waits;
	}
	if (rc < 0) {
		client_free(client);
		return;
	}
	if (runtime_watch(client->server->device->runtime, source, waits ? EPOLLOUT : EPOLLIN))
		client_free(client);
}

static void server_ready(struct runtime_source *source, uint32_t events)
{
	struct uapi_server *server = (struct uapi_server *)source;
	int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *client;

	(void)events;
	if (fd < 0)
		return;
	client = server->n_clients < CLIENTS_MAX ? calloc(1, sizeof(*client)) : NULL;
	if (!client) {
		close(fd);
		return;
	}
	client->source.fd = fd;
	client->source.ready = client_ready;
	client->server = server;
	client->next = server->clients;
	server->clients = client;
	server->n_clients++;
	if (runtime_watch(server->device->runtime, &client->source, EPOLLIN))
		client_free(client);
}

/* Of a process that is gone. -EADDRINUSE: it is not. */
static int remove_stale(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (!connect(fd, (const struct sockaddr *)address, sizeof(*address)) || errno == EAGAIN)
		rc = -EADDRINUSE;
	else if (errno == ECONNREFUSED)
		rc = unlink(address->sun_path) ? -errno : 0;
	close(fd);
	return rc;
}

static struct sockaddr_un address_of(const char *ifname)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), UAPI_DIR "/%s.sock", ifname);
	return address;
}

int uapi_listen(const char *ifname)
{
	const struct sockaddr_un address = address_of(ifname);
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t mask;
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (mkdir(UAPI_DIR, 0755) && errno != EEXIST)
		rc = -errno;
	if (!rc)
		rc = remove_stale(&address);
	if (rc)
		goto err_close;
	mask = umask(077);
	rc = bind(fd, (const struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
	umask(mask);
	if (rc)
		goto err_close;
	if (!listen(fd, CLIENTS_MAX))
		return fd;
	rc = -errno;
	unlink(address.sun_path);
err_close:
	close(fd);
	return rc;
}

void uapi_unlink(const char *ifname)
{
	const struct sockaddr_un address = address_of(ifname);

	(void)unlink(address.sun_path); /* or it is replaced by the next one */
}

static int note_file(struct uapi_server *server)
{
	struct stat file;

	if (lstat(server->address.sun_path, &file))
		return -errno;
	server->dev = file.st_dev;
	server->ino = file.st_ino;
	return 0;
}

bool uapi_server_removed(const struct uapi_server *server)
{
	struct stat file;

	if (lstat(server->address.sun_path, &file))
		return errno == ENOENT;
	return file.st_dev != server->dev || file.st_ino != server->ino;
}

int uapi_server_new(struct device *device, int fd, struct uapi_server **ret_server)
{
	struct uapi_server *server = calloc(1, sizeof(*server));
	int rc;

	if (!server)
		return -ENOMEM;
	server->device = device;
	server->address = address_of(device->name);
	server->source.ready = server_ready;
	server->source.fd = fd;
	rc = note_file(server);
	/* The system lets a user have 128 of them: one that has none is ended in the other ways. */
	if (!rc && !device->runtime->uapi_watch)
		(void)uapi_watch_new(device->runtime, &device->runtime->uapi_watch);
	if (!rc)
		rc = runtime_watch(device->runtime, &server->source, EPOLLIN);
	if (rc) {
		free(server);
		return rc;
	}
	*ret_server = server;
	return 0;
}

void uapi_server_free(struct uapi_server *server)
{
	if (!server)
		return;
	while (server->clients)
		client_free(server->clients);
	if (!uapi_server_removed(server))
		unlink(server->address.sun_path);
	runtime_unwatch(server->device->runtime, &server->source);
	close(server->source.fd);
	free(server);
}
