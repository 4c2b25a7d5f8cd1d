/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control socket: a Unix stream socket in the run directory, mode 0600. One JSON object a
 * line each way: {"command": "status"} is answered by {"ok": true, ...} or by
 * {"ok": false, "error": "why"}.
 */
#ifndef NETPAS_CONTROL_H
#define NETPAS_CONTROL_H

#include <jansson.h>
#include <stddef.h>

#define CONTROL_SOCKET "netpasd.sock" /* in the run directory */
#define CONTROL_REQUEST_MAX 4096      /* bytes of a request line */
#define CONTROL_CLIENTS_MAX 16

struct sd_event;
struct control;

/* Returns the answer (a new reference); the request is borrowed. */
typedef json_t *control_handle_fn(const char *command, json_t *request, void *data);

int control_listen(struct sd_event *event, const char *run_dir, control_handle_fn *handle,
		   void *data, struct control **ret_control);
/* Another socket of that kind and mode, with this name. */
int control_listen_as(struct sd_event *event, const char *run_dir, const char *name,
		      control_handle_fn *handle, void *data, struct control **ret_control);
void control_free(struct control *control);

/* The answer to one request line; never NULL but when out of memory. For the socket and fuzzing. */
json_t *control_answer(const char *line, size_t len, control_handle_fn *handle, void *data);

json_t *control_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * The client's side: send a request (borrowed), or a command that needs no more than its name, and
 * wait for the answer (timeout_ms). 0 or -errno
 * (-ENOENT, -ECONNREFUSED: no daemon; -EBADMSG: not an answer).
 */
int control_exchange(const char *run_dir, json_t *request, int timeout_ms, json_t **ret_answer);
int control_request(const char *run_dir, const char *command, int timeout_ms, json_t **ret_answer);

#endif
