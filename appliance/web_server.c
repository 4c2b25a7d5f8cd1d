/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One thread. libmicrohttpd (MHD) has an epoll descriptor of its own, and is run when that is readable.
 * Connections are accepted here and given to it, so that addresses, numbers and deadlines are looked at
 * here; MHD's own time limit begins anew with every byte.
 *
 * A connection that has nothing to do (waits for a view, or for the next event) is suspended: MHD then does
 * not look at it, and whoever has news resumes it. MHD closes it, after which web_connection is gone.
 */
#include "web_server.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "web_listen.h"
#include "web_page.h"
#include "web_token.h"

#define MEMORY_EACH (16u << 10) /* for a request: what is longer is refused by MHD */
#define EVENT_BLOCK (32u << 10)
#define BODY_MAX (64u << 10) /* of a request that has none; then it is closed */
#define LISTENS_MAX 2
#define BIND_TRIES 40 /* of 50 ms: an earlier netpas-web is ending */

/* Events on their way, shared by all who read them. */
struct events {
	unsigned int users;
	size_t len;
	char text[];
};

struct web_connection {
	struct web_connection *next, *prev;
	struct web_server *server;
	struct MHD_Connection *mhd;
	int fd;
	struct ip_addr from;
	int64_t deadline_ms; /* 0: none */
	bool waiting;	     /* suspended, for a view */
	bool waited;
	bool viewer, idle; /* idle: suspended, for events */
	struct events *events, *next_events;
	size_t sent; /* of events */
	char body[WEB_TOKEN_FORM_MAX];
	size_t body_len, skipped;
};

struct web_server {
	struct MHD_Daemon *mhd;
	struct web_handlers handlers;
	struct web_connection *connections;
	struct web_counts counts;
	unsigned int n_connections;
	int listens[LISTENS_MAX];
	size_t n_listens;
	struct ip_prefix *allow;
	size_t n_allow;
	struct key token;
	int64_t refused_ms; /* when a bad token was logged */
};

/* ---- events ---- */

static struct events *events_new(const char *text, size_t len)
{
	struct events *events = malloc(sizeof(*events) + len);

	if (!events)
		return NULL;
	events->users = 1;
	events->len = len;
	memcpy(events->text, text, len);
	return events;
}

static void events_drop(struct events *events)
{
	if (events && !--events->users)
		free(events);
}

/* ---- connections ---- */

static void connection_wake(struct web_connection *c)
{
	if (c->waiting || c->idle)
		MHD_resume_connection(c->mhd);
	c->waiting = false;
	c->idle = false;
}

static void connection_free(struct web_connection *c)
{
	struct web_server *s = c->server;

	if (c->prev)
		c->prev->next = c->next;
	else
		s->connections = c->next;
	if (c->next)
		c->next->prev = c->prev;
	s->n_connections--;
	if (c->viewer)
		s->counts.viewers--;
	events_drop(c->events);
	events_drop(c->next_events);
	explicit_bzero(c->body, sizeof(c->body));
	free(c);
}

/* Called by MHD in MHD_add_connection(), and when it has closed the connection. */
static void connection_notify(void *data, struct MHD_Connection *mhd, void **context,
			      enum MHD_ConnectionNotificationCode code)
{
	struct web_server *s = data;
	const union MHD_ConnectionInfo *info;
	struct web_connection *c;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (*context)
			connection_free(*context);
		*context = NULL;
		return;
	}
	c = calloc(1, sizeof(*c));
	*context = c; /* without memory: NULL, and its request is refused */
	if (!c)
		return;
	c->server = s;
	c->mhd = mhd;
	c->fd = -1;
	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (info)
		c->fd = info->connect_fd;
	c->deadline_ms = clock_now_ms() + WEB_SERVER_REQUEST_MS;
	c->next = s->connections;
	if (c->next)
		c->next->prev = c;
	s->connections = c;
	s->n_connections++;
}

static struct web_connection *connection_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static unsigned int connections_from(const struct web_server *s, const struct ip_addr *addr)
{
	unsigned int n = 0;

	for (const struct web_connection *c = s->connections; c; c = c->next)
		n += !ip_addr_compare(&c->from, addr);
	return n;
}

static bool is_allowed(const struct web_server *s, const struct ip_addr *addr)
{
	for (size_t i = 0; i < s->n_allow; i++)
		if (ip_prefix_has_addr(&s->allow[i], addr))
			return true;
	return false;
}

static void accept_all(struct web_server *s, int listen)
{
	struct sockaddr_storage from;
	struct ip_addr addr;
	socklen_t len;
	int fd;

	while ((fd = web_listen_accept(listen, &from, &len, &addr)) >= 0) {
		enum web_refusal refusal = WEB_REFUSAL_MAX;

		if (!is_allowed(s, &addr))
			refusal = WEB_REFUSAL_ADDRESS;
		else if (s->n_connections >= WEB_SERVER_CONNECTIONS ||
			 connections_from(s, &addr) >= WEB_SERVER_CONNECTIONS_EACH)
			refusal = WEB_REFUSAL_CONNECTIONS;
		if (refusal != WEB_REFUSAL_MAX) {
			s->counts.refused[refusal]++;
			close(fd);
			continue;
		}
		/* It closes the socket if it fails. */
		if (MHD_add_connection(s->mhd, fd, (const struct sockaddr *)&from, len) ==
			    MHD_YES &&
		    s->connections && s->connections->fd == fd)
			s->connections->from = addr;
	}
}

/* MHD sees its end, and closes it. */
static void check_deadlines(struct web_server *s)
{
	const int64_t now = clock_now_ms();

	for (struct web_connection *c = s->connections; c; c = c->next) {
		if (!c->deadline_ms || now < c->deadline_ms)
			continue;
		c->deadline_ms = 0;
		s->counts.refused[WEB_REFUSAL_SLOW]++;
		(void)shutdown(c->fd, SHUT_RDWR); /* may be gone already */
		connection_wake(c);
	}
}

/* ---- answers ---- */

static const char *const plain = "text/plain; charset=utf-8";

static enum MHD_Result respond(struct web_connection *c, unsigned int code,
			       struct MHD_Response *response, const char *type)
{
	enum MHD_Result rc;

	if (!response)
		return MHD_NO;
	/* None of these can fail but without memory, and then the answer is the stricter for it. */
	(void)MHD_add_response_header(response, "Content-Type", type);
	(void)MHD_add_response_header(response, "Connection", "close");
	(void)MHD_add_response_header(response, "Cache-Control", "no-store");
	(void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	(void)MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
	rc = MHD_add_response_header(response, "Content-Security-Policy", web_page_policy());
	c->deadline_ms = clock_now_ms() + WEB_SERVER_ANSWER_MS;
	if (rc == MHD_YES)
		rc = MHD_queue_response(c->mhd, code, response);
	MHD_destroy_response(response);
	return rc;
}

static enum MHD_Result respond_text(struct web_connection *c, unsigned int code, const char *text)
{
	return respond(c, code,
		       MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text,
						       MHD_RESPMEM_PERSISTENT),
		       plain);
}

/* text: freed when it is sent; NULL is none. */
static enum MHD_Result respond_made(struct web_connection *c, char *text, const char *type)
{
	if (!text)
		return respond_text(c, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
	c->server->counts.requests++;
	return respond(c, MHD_HTTP_OK,
		       MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE),
		       type);
}

static enum MHD_Result refuse(struct web_connection *c, unsigned int code, const char *text)
{
	c->server->counts.refused[WEB_REFUSAL_REQUEST]++;
	return respond_text(c, code, text);
}

static const char *header_of(struct web_connection *c, const char *name)
{
	return MHD_lookup_connection_value(c->mhd, MHD_HEADER_KIND, name);
}

static bool is_authorized(struct web_connection *c)
{
	const struct key *token = &c->server->token;

	return web_token_bearer(token, header_of(c, "Authorization")) ||
	       web_token_cookie_good(token, header_of(c, "Cookie"), (uint64_t)time(NULL));
}

/* Somebody may be trying: once a minute is enough to know. */
static void note_bad_token(struct web_connection *c)
{
	struct web_server *s = c->server;
	const int64_t now = clock_now_ms();
	char text[IP_ADDR_STRLEN];

	s->counts.refused[WEB_REFUSAL_TOKEN]++;
	if (s->refused_ms && now - s->refused_ms < 60000)
		return;
	s->refused_ms = now;
	log_warning("web: a wrong token from %s (%llu so far)", ip_addr_format(&c->from, text),
		    (unsigned long long)s->counts.refused[WEB_REFUSAL_TOKEN]);
}

static enum MHD_Result respond_login(struct web_connection *c, bool failed)
{
	size_t len;
	const char *text = web_page_login(failed, &len);
	struct MHD_Response *response = MHD_create_response_from_buffer(
		len, (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);

	if (response)
		(void)MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
	return respond(c, MHD_HTTP_UNAUTHORIZED, response, "text/html; charset=utf-8");
}

static enum MHD_Result unauthorized(struct web_connection *c)
{
	struct MHD_Response *response;
	static char text[] = "401: the token is needed, as 'Authorization: Bearer TOKEN'\n";

	if (header_of(c, "Authorization"))
		note_bad_token(c);
	response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_PERSISTENT);
	if (response)
		(void)MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
	return respond(c, MHD_HTTP_UNAUTHORIZED, response, plain);
}

static enum MHD_Result get_page(struct web_connection *c)
{
	const char *text;
	size_t len;

	if (!is_authorized(c)) {
		if (header_of(c, "Authorization"))
			note_bad_token(c);
		return respond_login(c, false);
	}
	c->server->counts.requests++;
	text = web_page_text(&len);
	return respond(c, MHD_HTTP_OK,
		       MHD_create_response_from_buffer(len, (void *)(uintptr_t)text,
						       MHD_RESPMEM_PERSISTENT),
		       "text/html; charset=utf-8");
}

/* True: suspended until there is a view; the request is handled again then. */
static bool wait_for_view(struct web_connection *c)
{
	const struct web_server *s = c->server;

	if (s->handlers.fresh(s->handlers.data) || c->waited)
		return false;
	c->waiting = true;
	c->waited = true;
	MHD_suspend_connection(c->mhd);
	return true;
}

static enum MHD_Result no_view(struct web_connection *c)
{
	return respond_text(c, MHD_HTTP_SERVICE_UNAVAILABLE, "503: netpasd does not answer\n");
}

static bool wants_open_metrics(struct web_connection *c)
{
	const char *accept = header_of(c, "Accept");

	return accept && strstr(accept, "application/openmetrics-text");
}

static enum MHD_Result get_metrics(struct web_connection *c)
{
	struct web_server *s = c->server;
	const bool open = wants_open_metrics(c);

	if (!is_authorized(c))
		return unauthorized(c);
	if (wait_for_view(c))
		return MHD_YES;
	if (!s->handlers.fresh(s->handlers.data))
		return no_view(c);
	return respond_made(c, s->handlers.metrics(open, &s->counts, s->handlers.data),
			    open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
				 : "text/plain; version=0.0.4; charset=utf-8");
}

static enum MHD_Result get_view(struct web_connection *c)
{
	struct web_server *s = c->server;

	if (!is_authorized(c))
		return unauthorized(c);
	if (wait_for_view(c))
		return MHD_YES;
	if (!s->handlers.fresh(s->handlers.data))
		return no_view(c);
	return respond_made(c, s->handlers.view(s->handlers.data), "application/json");
}

/* MHD asks for more to send. */
static ssize_t read_events(void *data, uint64_t position, char *buf, size_t max)
{
	struct web_connection *c = data;
	size_t n;

	(void)position;
	if (c->events && c->sent == c->events->len) {
		events_drop(c->events);
		c->events = NULL;
	}
	if (!c->events) {
		c->events = c->next_events;
		c->next_events = NULL;
		c->sent = 0;
	}
	if (!c->events) {
		c->deadline_ms = 0;
		c->idle = true;
		MHD_suspend_connection(c->mhd);
		return 0;
	}
	c->deadline_ms = clock_now_ms() + WEB_SERVER_STALL_MS;
	n = c->events->len - c->sent;
	if (n > max)
		n = max;
	memcpy(buf, c->events->text + c->sent, n);
	c->sent += n;
	return (ssize_t)n;
}

static enum MHD_Result get_events(struct web_connection *c)
{
	struct web_server *s = c->server;
	struct MHD_Response *response;
	enum MHD_Result rc;
	char *text;

	if (!is_authorized(c))
		return unauthorized(c);
	text = s->handlers.first(s->handlers.data);
	c->events = text ? events_new(text, strlen(text)) : NULL;
	free(text);
	if (!c->events)
		return respond_text(c, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, EVENT_BLOCK, read_events, c,
						     NULL);
	s->counts.requests++;
	rc = respond(c, MHD_HTTP_OK, response, "text/event-stream");
	if (rc == MHD_YES) {
		c->viewer = true;
		s->counts.viewers++;
	}
	return rc;
}

/* To the page, with this cookie. */
static enum MHD_Result redirect(struct web_connection *c, const char *value, unsigned int max_age_s)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
	char cookie[WEB_TOKEN_COOKIE_LEN + 96];

	snprintf(cookie, sizeof(cookie),
		 WEB_TOKEN_COOKIE "=%s; Path=/; Max-Age=%u; HttpOnly; SameSite=Strict", value,
		 max_age_s);
	if (response && (MHD_add_response_header(response, "Location", "/") != MHD_YES ||
			 MHD_add_response_header(response, "Set-Cookie", cookie) != MHD_YES)) {
		MHD_destroy_response(response);
		response = NULL;
	}
	return respond(c, MHD_HTTP_SEE_OTHER, response, plain);
}

static enum MHD_Result post_login(struct web_connection *c)
{
	char value[WEB_TOKEN_COOKIE_LEN];

	if (c->skipped || !web_token_form(&c->server->token, c->body, c->body_len)) {
		note_bad_token(c);
		return respond_login(c, true);
	}
	c->server->counts.requests++;
	web_token_cookie(&c->server->token, (uint64_t)time(NULL) + WEB_TOKEN_SESSION_S, value);
	return redirect(c, value, WEB_TOKEN_SESSION_S);
}

static enum MHD_Result post_logout(struct web_connection *c)
{
	return redirect(c, "", 0);
}

static enum MHD_Result route(struct web_connection *c, const char *method, const char *path)
{
	static const struct {
		const char *path;
		bool post;
		enum MHD_Result (*handle)(struct web_connection *c);
	} routes[] = {
		{ "/", false, get_page },	    { "/events", false, get_events },
		{ "/metrics", false, get_metrics }, { "/view.json", false, get_view },
		{ "/login", true, post_login },	    { "/logout", true, post_logout },
	};
	const bool post = !strcmp(method, "POST");

	if (!post && strcmp(method, "GET") && strcmp(method, "HEAD"))
		return refuse(c, MHD_HTTP_METHOD_NOT_ALLOWED, "405: only GET, HEAD and POST\n");
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (strcmp(path, routes[i].path))
			continue;
		if (post != routes[i].post)
			return refuse(c, MHD_HTTP_METHOD_NOT_ALLOWED, "405: not by this method\n");
		return routes[i].handle(c);
	}
	return refuse(c, MHD_HTTP_NOT_FOUND, "404: there is /, /metrics and /view.json\n");
}

/* Called with the header, with each part of a body, and at its end. MHD_NO closes the connection. */
static enum MHD_Result handle(void *data, struct MHD_Connection *mhd, const char *path,
			      const char *method, const char *version, const char *body,
			      size_t *body_len, void **context)
{
	struct web_connection *c = connection_of(mhd);

	(void)data;
	(void)version;
	if (!c)
		return MHD_NO;
	if (!*context) {
		*context = c;
		return MHD_YES;
	}
	if (*body_len) {
		size_t n = sizeof(c->body) - c->body_len;

		if (n > *body_len)
			n = *body_len;
		memcpy(c->body + c->body_len, body, n);
		c->body_len += n;
		c->skipped += *body_len - n;
		*body_len = 0;
		if (c->skipped <= BODY_MAX)
			return MHD_YES;
		c->server->counts.refused[WEB_REFUSAL_REQUEST]++;
		return MHD_NO;
	}
	return route(c, method, path);
}

/* Paths are compared as they came: what is encoded in them is no path of ours. */
static size_t keep_encoded(void *data, struct MHD_Connection *mhd, char *text)
{
	(void)data;
	(void)mhd;
	return strlen(text);
}

/* ---- the whole ---- */

static int open_listens(struct web_server *s, const json_t *config)
{
	const uint16_t port = (uint16_t)json_integer_value(json_object_get(config, "port"));
	const json_t *listen = json_object_get(config, "listen"), *item;
	size_t i;

	json_array_foreach(listen, i, item)
	{
		const char *text = json_string_value(item);
		struct ip_addr addr;
		int fd = -EINVAL;

		if (text && !ip_addr_parse(text, &addr) && s->n_listens < LISTENS_MAX)
			fd = web_listen_open(&addr, port);
		for (int tries = 0; fd == -EADDRINUSE && tries < BIND_TRIES; tries++) {
			usleep(50000);
			fd = web_listen_open(&addr, port);
		}
		if (fd < 0) {
			log_error("web: cannot listen on %s port %u: %s", text ? text : "?", port,
				  strerror(-fd));
			return fd;
		}
		s->listens[s->n_listens++] = fd;
	}
	return s->n_listens ? 0 : -EINVAL;
}

static int read_allow(struct web_server *s, const json_t *config)
{
	const json_t *allow = json_object_get(config, "allow"), *item;
	size_t i;

	s->allow = calloc(json_array_size(allow) + 1, sizeof(*s->allow));
	if (!s->allow)
		return -ENOMEM;
	json_array_foreach(allow, i, item)
	{
		const char *text = json_string_value(item);

		if (!text || ip_prefix_parse(text, &s->allow[s->n_allow++]))
			return -EINVAL;
	}
	return 0;
}

int web_server_new(const json_t *config, const struct web_handlers *handlers,
		   struct web_server **ret_server)
{
	const char *token = json_string_value(json_object_get(config, "token"));
	struct web_server *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	s->handlers = *handlers;
	rc = token ? key_parse(token, &s->token) : -EINVAL;
	if (!rc)
		rc = read_allow(s, config);
	if (!rc)
		rc = web_page_init();
	if (!rc)
		rc = open_listens(s, config);
	if (rc)
		goto err;
	s->mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME |
					  MHD_USE_NO_LISTEN_SOCKET,
				  0, NULL, NULL, handle, s, MHD_OPTION_NOTIFY_CONNECTION,
				  connection_notify, s, MHD_OPTION_CONNECTION_LIMIT,
				  WEB_SERVER_CONNECTIONS + 8u, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				  (size_t)MEMORY_EACH, MHD_OPTION_STRICT_FOR_CLIENT, 1,
				  MHD_OPTION_UNESCAPE_CALLBACK, keep_encoded, NULL, MHD_OPTION_END);
	rc = -EIO;
	if (!s->mhd) {
		log_error("web: libmicrohttpd does not start");
		goto err;
	}
	*ret_server = s;
	return 0;

err:
	/* The process is about to end, and its sockets with it. */
	free(s->allow);
	key_wipe(&s->token);
	free(s);
	return rc;
}

size_t web_server_fds(const struct web_server *s, struct pollfd *fds, int *ret_timeout_ms)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	MHD_UNSIGNED_LONG_LONG timeout;
	size_t n = 0;

	for (size_t i = 0; i < s->n_listens; i++)
		fds[n++] = (struct pollfd){ .fd = s->listens[i], .events = POLLIN };
	if (info)
		fds[n++] = (struct pollfd){ .fd = info->epoll_fd, .events = POLLIN };
	*ret_timeout_ms = s->connections ? 500 : -1;
	if (MHD_get_timeout(s->mhd, &timeout) == MHD_YES && timeout < 500)
		*ret_timeout_ms = (int)timeout;
	return n;
}

void web_server_run(struct web_server *s)
{
	for (size_t i = 0; i < s->n_listens; i++)
		accept_all(s, s->listens[i]);
	(void)MHD_run(s->mhd); /* fails only on a daemon with threads */
	check_deadlines(s);
}

void web_server_publish(struct web_server *s, const char *text)
{
	struct events *events = text ? events_new(text, strlen(text)) : NULL;

	for (struct web_connection *c = s->connections; c; c = c->next) {
		if (c->viewer && events) {
			events_drop(c->next_events);
			events->users++;
			c->next_events = events;
			if (c->idle)
				c->deadline_ms = clock_now_ms() + WEB_SERVER_STALL_MS;
			connection_wake(c);
		} else if (c->waiting) {
			connection_wake(c);
		}
	}
	events_drop(events);
}

unsigned int web_server_viewers(const struct web_server *s)
{
	return s->counts.viewers;
}
