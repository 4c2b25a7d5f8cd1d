/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests of the control socket: the parsing, and a real socket with a real loop. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include <cmocka.h>

#include "control.h"

#define LARGE 3000000 /* bytes of an answer that needs many writes */

static json_t *handle(const char *command, json_t *request, void *data)
{
	(void)request;
	if (!strcmp(command, "large")) {
		char *text = malloc(LARGE + 1);
		json_t *answer;

		memset(text, 'x', LARGE);
		text[LARGE] = '\0';
		answer = json_pack("{s:b, s:s}", "ok", 1, "text", text);
		free(text);
		return answer;
	}
	if (!strcmp(command, "stop"))
		sd_event_exit(data, 0);
	return json_pack("{s:b, s:s}", "ok", 1, "echo", command);
}

static void assert_error(const char *line, const char *part)
{
	json_t *answer = control_answer(line, strlen(line), handle, NULL);
	const char *error = json_string_value(json_object_get(answer, "error"));

	assert_false(json_is_true(json_object_get(answer, "ok")));
	assert_non_null(error);
	assert_non_null(strstr(error, part));
	json_decref(answer);
}

static void test_bad_requests(void **state)
{
	(void)state;
	assert_error("", "not JSON");
	assert_error("status", "not JSON");
	assert_error("{\"command\":\"a\",\"command\":\"b\"}", "not JSON");
	assert_error("[]", "an object");
	assert_error("{}", "an object");
	assert_error("{\"command\":7}", "an object");
}

static void test_good_request(void **state)
{
	static const char line[] = "{\"command\":\"hello\"}";
	json_t *answer = control_answer(line, sizeof(line) - 1, handle, NULL);

	(void)state;
	assert_true(json_is_true(json_object_get(answer, "ok")));
	assert_string_equal(json_string_value(json_object_get(answer, "echo")), "hello");
	json_decref(answer);
}

struct server {
	char dir[64];
	struct sd_event *event;
	struct control *control;
	pthread_t thread;
};

static void *serve(void *data)
{
	struct server *server = data;

	sd_event_loop(server->event);
	return NULL;
}

static int server_start(void **state)
{
	struct server *server = calloc(1, sizeof(*server));

	strcpy(server->dir, "/tmp/netpas-control-XXXXXX");
	if (!mkdtemp(server->dir) || sd_event_new(&server->event) < 0 ||
	    control_listen(server->event, server->dir, handle, server->event, &server->control))
		return -1;
	*state = server;
	return pthread_create(&server->thread, NULL, serve, server);
}

static int server_stop(void **state)
{
	struct server *server = *state;
	json_t *answer = NULL;
	int rc = control_request(server->dir, "stop", 5000, &answer);

	json_decref(answer);
	pthread_join(server->thread, NULL);
	control_free(server->control);
	sd_event_unref(server->event);
	rc |= rmdir(server->dir); /* the socket is gone with its owner */
	free(server);
	return rc;
}

static int dial(const struct server *server)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/" CONTROL_SOCKET, server->dir);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void test_socket_mode(void **state)
{
	const struct server *server = *state;
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/" CONTROL_SOCKET, server->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_large_answer(void **state)
{
	const struct server *server = *state;
	json_t *answer;

	assert_int_equal(control_request(server->dir, "large", 20000, &answer), 0);
	assert_int_equal(json_string_length(json_object_get(answer, "text")), LARGE);
	json_decref(answer);
}

static void assert_answer(int fd, const char *part)
{
	char answer[256];
	ssize_t n = recv(fd, answer, sizeof(answer) - 1, 0);

	assert_true(n > 0);
	answer[n] = '\0';
	if (!strstr(answer, part))
		fail_msg("'%s' is not in: %s", part, answer);
}

/* A line that does not end is answered with an error, not kept; what comes after it is a request. */
static void test_endless_request(void **state)
{
	static const char rest[] = "{{{{\n{\"command\":\"hello\"}\n";
	char line[CONTROL_REQUEST_MAX];
	int fd = dial(*state);

	memset(line, '{', sizeof(line));
	assert_int_equal(send(fd, line, sizeof(line), MSG_NOSIGNAL), sizeof(line));
	assert_answer(fd, "at most 4096 bytes");
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(send(fd, line, sizeof(line), MSG_NOSIGNAL), sizeof(line));
	assert_int_equal(send(fd, rest, strlen(rest), MSG_NOSIGNAL), strlen(rest));
	assert_answer(fd, "hello");
	close(fd);
}

/* Clients that hang up in the middle, and more of them than are served, hurt nobody else. */
static void test_rude_clients(void **state)
{
	const struct server *server = *state;
	int fds[3 * CONTROL_CLIENTS_MAX];
	json_t *answer;

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		fds[i] = dial(server);
		(void)send(fds[i], "{\"comm", 7, MSG_NOSIGNAL);
	}
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		close(fds[i]);
	assert_int_equal(control_request(server->dir, "hello", 5000, &answer), 0);
	json_decref(answer);
}

static void test_no_daemon(void **state)
{
	json_t *answer = NULL;

	(void)state;
	assert_int_equal(control_request("/nonexistent", "status", 100, &answer), -ENOENT);
	assert_null(answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_good_request),
		cmocka_unit_test_setup_teardown(test_socket_mode, server_start, server_stop),
		cmocka_unit_test_setup_teardown(test_large_answer, server_start, server_stop),
		cmocka_unit_test_setup_teardown(test_endless_request, server_start, server_stop),
		cmocka_unit_test_setup_teardown(test_rude_clients, server_start, server_stop),
		cmocka_unit_test(test_no_daemon),
	};

	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
