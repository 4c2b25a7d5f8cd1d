/* SPDX-License-Identifier: GPL-2.0-only */
#include "control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "clock.h"
#include "line.h"

#define ANSWER_MAX (1024u << 20) /* bytes; the status of a large mesh is long */

struct control {
	struct sd_event_source *io;
	struct line_server *server;
	control_handle_fn *handle;
	void *data;
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

static json_t *answer_line(const char *line, size_t len, void *data)
{
	const struct control *control = data;

	if (!line)
		return control_error("a request is at most %u bytes", CONTROL_REQUEST_MAX);
	return control_answer(line, len, control->handle, control->data);
}

static int control_accept(struct sd_event_source *source, int fd, uint32_t revents, void *data)
{
	const struct control *control = data;
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)source;
	(void)revents;
	if (conn >= 0)
		line_server_add(control->server, conn);
	return 0;
}

static int socket_address(const char *run_dir, const char *name, struct sockaddr_un *ret_address)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", run_dir, name);

	if (n < 0 || (size_t)n >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	*ret_address = address;
	return 0;
}

int control_listen_as(struct sd_event *event, const char *run_dir, const char *name,
		      control_handle_fn *handle, void *data, struct control **ret_control)
{
	static const struct line_rules rules = { .line_max = CONTROL_REQUEST_MAX,
						 .clients_max = CONTROL_CLIENTS_MAX,
						 .answer = answer_line };
	struct control *control = calloc(1, sizeof(*control));
	mode_t mask;
	int rc;

	if (!control)
		return -ENOMEM;
	control->handle = handle;
	control->data = data;
	rc = socket_address(run_dir, name, &control->address);
	if (!rc)
		rc = line_server_new(event, &rules, control, &control->server);
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
	line_server_free(control->server);
	free(control);
	return rc;
}

int control_listen(struct sd_event *event, const char *run_dir, control_handle_fn *handle,
		   void *data, struct control **ret_control)
{
	return control_listen_as(event, run_dir, CONTROL_SOCKET, handle, data, ret_control);
}

void control_free(struct control *control)
{
	if (!control)
		return;
	line_server_free(control->server); /* sends the last words of `down` */
	sd_event_source_disable_unref(control->io);
	close(control->fd);
	(void)unlink(control->address.sun_path); /* may be gone with its directory */
	free(control);
}

int control_exchange(const char *run_dir, json_t *request, int timeout_ms, json_t **ret_answer)
{
	const int64_t deadline_ms = clock_now_ms() + timeout_ms;
	struct sockaddr_un address;
	json_t *answer = NULL;
	char *line = NULL;
	size_t len;
	int fd, rc;

	rc = socket_address(run_dir, CONTROL_SOCKET, &address);
	if (rc)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	rc = connect(fd, (struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
	if (!rc)
		rc = line_ask(fd, request, ANSWER_MAX, deadline_ms, &line, &len);
	close(fd);
	if (rc)
		return rc;
	answer = json_loadb(line, len, 0, NULL);
	free(line);
	if (!json_is_object(answer)) {
		json_decref(answer);
		return -EBADMSG;
	}
	*ret_answer = answer;
	return 0;
}

int control_request(const char *run_dir, const char *command, int timeout_ms, json_t **ret_answer)
{
	json_t *request = json_pack("{s:s}", "command", command);
	int rc = request ? control_exchange(run_dir, request, timeout_ms, ret_answer) : -ENOMEM;

	json_decref(request);
	return rc;
}
