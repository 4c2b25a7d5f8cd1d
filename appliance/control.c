/* SPDX-License-Identifier: GPL-2.0-only */
#include "control.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "clock.h"

struct client {
	struct client *next;
	struct control *control;
	struct sd_event_source *io;
	int fd;
	char request[CONTROL_REQUEST_MAX];
	size_t len;
	char *answer; /* being sent */
	size_t answer_len, sent;
};

struct control {
	struct sd_event *event;
	struct sd_event_source *io;
	control_handle_fn *handle;
	void *data;
	struct client *clients;
	unsigned int n_clients;
	int fd;
	struct sockaddr_un address;
};

json_t *control_error(const char *fmt, ...)
{
	char text[2048];
	json_t *string;
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args); /* a cut message is better than none */
	va_end(args);
	string = json_string(text);
	if (!string) /* cut within a character, or a file name that is no UTF-8 */
		string = json_string("(an error whose text is not UTF-8; see the daemon's log)");
	return json_pack("{s:b, s:o}", "ok", 0, "error", string);
}

json_t *control_answer(const char *line, size_t len, control_handle_fn *handle, void *data)
{
	json_error_t error;
	json_t *request, *answer;
	const char *command;

	request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	if (!request)
		return control_error("the request is not JSON: %s", error.text);
	command = json_string_value(json_object_get(request, "command"));
	if (command)
		answer = handle(command, request, data);
	else
		answer = control_error("a request is an object with a string \"command\"");
	json_decref(request);
	return answer;
}

static void client_close(struct client *client)
{
	struct client **link = &client->control->clients;

	while (*link != client)
		link = &(*link)->next;
	*link = client->next;
	client->control->n_clients--;
	sd_event_source_disable_unref(client->io);
	close(client->fd);
	free(client->answer);
	free(client);
}

/* Send what is left; true when all is sent. */
static bool client_flush(struct client *client, int *ret_error)
{
	while (client->sent < client->answer_len) {
		ssize_t n = send(client->fd, client->answer + client->sent,
				 client->answer_len - client->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0) {
			*ret_error = errno == EAGAIN || errno == EINTR ? 0 : -errno;
			return false;
		}
		client->sent += (size_t)n;
	}
	return true;
}

static int client_respond(struct client *client, size_t line_len)
{
	struct control *control = client->control;
	json_t *answer;

	answer = control_answer(client->request, line_len, control->handle, control->data);
	if (!answer)
		return -ENOMEM;
	client->answer = json_dumps(answer, JSON_COMPACT);
	json_decref(answer);
	if (!client->answer)
		return -ENOMEM;
	client->answer_len = strlen(client->answer);
	client->answer[client->answer_len++] = '\n'; /* takes the place of the NUL */
	client->sent = 0;
	return 0;
}

/* One request at a time: what follows the line waits until its answer is away. */
static int client_ready(struct sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct client *client = data;
	const char *newline;
	int error = 0;
	ssize_t n;

	if (!client->answer) {
		n = recv(fd, client->request + client->len, sizeof(client->request) - client->len,
			 MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n <= 0)
			goto close;
		client->len += (size_t)n;
		newline = memchr(client->request, '\n', client->len);
		if (!newline && client->len < sizeof(client->request))
			return 0;
		if (client_respond(client,
				   newline ? (size_t)(newline - client->request) : client->len))
			goto close;
		client->len = 0;
	} else if (revents & (EPOLLHUP | EPOLLERR)) {
		goto close;
	}
	if (!client_flush(client, &error)) {
		if (error)
			goto close;
		sd_event_source_set_io_events(source, EPOLLOUT);
		return 0;
	}
	free(client->answer);
	client->answer = NULL;
	sd_event_source_set_io_events(source, EPOLLIN);
	return 0;

close:
	client_close(client);
	return 0;
}

static int control_accept(struct sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct control *control = data;
	struct client *client;
	int conn;

	(void)source;
	(void)revents;
	conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (conn < 0)
		return 0;
	client = control->n_clients < CONTROL_CLIENTS_MAX ? calloc(1, sizeof(*client)) : NULL;
	if (!client) {
		close(conn);
		return 0;
	}
	client->control = control;
	client->fd = conn;
	if (sd_event_add_io(control->event, &client->io, conn, EPOLLIN, client_ready, client) < 0) {
		close(conn);
		free(client);
		return 0;
	}
	client->next = control->clients;
	control->clients = client;
	control->n_clients++;
	return 0;
}

static int socket_address(const char *run_dir, struct sockaddr_un *ret_address)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/" CONTROL_SOCKET, run_dir);

	if (n < 0 || (size_t)n >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	*ret_address = address;
	return 0;
}

int control_listen(struct sd_event *event, const char *run_dir, control_handle_fn *handle,
		   void *data, struct control **ret_control)
{
	struct control *control = calloc(1, sizeof(*control));
	mode_t mask;
	int rc;

	if (!control)
		return -ENOMEM;
	control->event = event;
	control->handle = handle;
	control->data = data;
	rc = socket_address(run_dir, &control->address);
	if (rc)
		goto err_free;
	control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (control->fd < 0) {
		rc = -errno;
		goto err_free;
	}
	/* The caller holds the lock of the run directory: what lies here is of a dead daemon. */
	(void)unlink(control->address.sun_path);
	mask = umask(0177);
	rc = bind(control->fd, (struct sockaddr *)&control->address, sizeof(control->address));
	umask(mask);
	if (rc || listen(control->fd, CONTROL_CLIENTS_MAX)) {
		rc = -errno;
		goto err_close;
	}
	rc = sd_event_add_io(event, &control->io, control->fd, EPOLLIN, control_accept, control);
	if (rc < 0)
		goto err_close;
	*ret_control = control;
	return 0;

err_close:
	close(control->fd);
err_free:
	free(control);
	return rc;
}

void control_free(struct control *control)
{
	if (!control)
		return;
	while (control->clients) {
		int error;

		(void)client_flush(control->clients, &error); /* the last words of `down` */
		client_close(control->clients);
	}
	sd_event_source_disable_unref(control->io);
	close(control->fd);
	(void)unlink(control->address.sun_path); /* may be gone with its directory */
	free(control);
}

/* Everything up to the end of the line, by the deadline. */
static int receive_line(int fd, int64_t deadline, char **ret_line)
{
	char *line = NULL;
	size_t len = 0, size = 0;
	int rc;

	for (;;) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		const int64_t left = deadline - clock_now_ms();
		ssize_t n;

		if (len == size) {
			char *larger = realloc(line, size + 65536);

			rc = -ENOMEM;
			if (!larger)
				goto err;
			line = larger;
			size += 65536;
		}
		rc = -ETIMEDOUT;
		if (left <= 0 || !poll(&pfd, 1, (int)left))
			goto err;
		n = recv(fd, line + len, size - len, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		rc = n < 0 ? -errno : -EPIPE;
		if (n <= 0)
			goto err;
		len += (size_t)n;
		if (line[len - 1] == '\n')
			break;
	}
	line[len - 1] = '\0';
	*ret_line = line;
	return 0;

err:
	free(line);
	return rc;
}

int control_exchange(const char *run_dir, json_t *request, int timeout_ms, json_t **ret_answer)
{
	const int64_t deadline = clock_now_ms() + timeout_ms;
	struct sockaddr_un address;
	char *text, *line = NULL;
	json_t *answer;
	size_t len;
	int fd, rc;

	rc = socket_address(run_dir, &address);
	if (rc)
		return rc;
	text = json_dumps(request, JSON_COMPACT);
	if (!text)
		return -ENOMEM;
	len = strlen(text);
	text[len++] = '\n'; /* takes the place of the NUL */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		rc = -errno;
		free(text);
		return rc;
	}
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    send(fd, text, len, MSG_NOSIGNAL) != (ssize_t)len) {
		rc = -errno;
		goto out;
	}
	rc = receive_line(fd, deadline, &line);
	if (rc)
		goto out;
	answer = json_loads(line, 0, NULL);
	free(line);
	if (!json_is_object(answer)) {
		json_decref(answer);
		rc = -EBADMSG;
		goto out;
	}
	*ret_answer = answer;
out:
	close(fd);
	free(text);
	return rc;
}

int control_request(const char *run_dir, const char *command, int timeout_ms, json_t **ret_answer)
{
	json_t *request = json_pack("{s:s}", "command", command);
	int rc = request ? control_exchange(run_dir, request, timeout_ms, ret_answer) : -ENOMEM;

	json_decref(request);
	return rc;
}
