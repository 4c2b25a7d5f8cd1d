/* SPDX-License-Identifier: GPL-2.0-only */
#include "drill_runner.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "drill_report.h"

#define AGAIN_US 100000 /* unanswered commands are sent again */
#define KEEP_US 200000
#define PRIORITY 10
#define CHUNK (DRILL_BODY_MAX - 4)
#define WINDOW 32 /* chunks asked for at once */
#define BLOB_MAX (64u << 20)

static volatile sig_atomic_t caught;

static void take_signal(int signo)
{
	caught = signo;
}

void drill_runner_catch(void)
{
	struct sigaction action = { .sa_handler = take_signal };

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGHUP, &action, NULL);
}

void drill_runner_event(struct drill_runner *runner, uint64_t at_us, const char *node,
			const char *fmt, ...)
{
	struct drill_event *event = &runner->events[runner->n_events];
	va_list args;

	if (runner->n_events == DRILL_EVENTS_MAX)
		return;
	runner->n_events++;
	event->at_us = at_us;
	event->node = node;
	va_start(args, fmt);
	(void)vsnprintf(event->what, sizeof(event->what), fmt, args); /* cut is good enough */
	va_end(args);
}

static void vip_moved(bool held, void *data)
{
	struct drill_runner *runner = data;

	drill_runner_event(runner, clock_now_us(), runner->config->node.name,
			   held ? DRILL_TAKES_VIP : "gives the VIP up");
}

static uint16_t port(const struct drill_runner *runner, unsigned int which)
{
	return (uint16_t)(runner->config->mesh.port_base + which * CONFIG_LANE_PORTS);
}

static const struct ip_addr *lan_of(const struct drill_runner *runner,
				    const struct drill_peer *peer)
{
	return runner->way.own.family == IP_V4 ? &peer->gateway->lan4 : &peer->gateway->lan6;
}

int drill_runner_open(struct drill_runner *runner)
{
	const struct drill_peer *far = &runner->peers[DRILL_FAR];
	const struct sched_param param = { .sched_priority = PRIORITY };
	const int buffer = 4 << 20;
	struct sockaddr_storage own = { 0 };
	unsigned int len;
	int rc;

	runner->fd = -1;
	runner->keys.config = runner->config;
	rc = drill_way_open(runner->config,
			    drill_way_family(runner->config, config_self_site(runner->config),
					     config_self(runner->config), far->site, far->gateway),
			    &runner->way);
	if (rc)
		return rc;
	runner->way.moved = vip_moved;
	runner->way.data = runner;
	if (getrandom(&runner->session, sizeof(runner->session), 0) != sizeof(runner->session))
		return -EIO;
	runner->fd = socket(runner->way.own.family == IP_V4 ? AF_INET : AF_INET6,
			    SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	len = drill_way_sockaddr(&runner->way.own, port(runner, DRILL_PORT_RUNNER), &own);
	if (runner->fd < 0 || bind(runner->fd, (const struct sockaddr *)&own, len))
		return -errno;
	if (setsockopt(runner->fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)))
		(void)setsockopt(runner->fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	runner->realtime = !sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param);
	(void)prctl(PR_SET_TIMERSLACK, 1); /* the default would be 50 us late */
	return 0;
}

void drill_runner_close(struct drill_runner *runner)
{
	const struct sched_param param = { 0 };

	if (runner->realtime)
		(void)sched_setscheduler(0, SCHED_OTHER, &param);
	drill_way_close(&runner->way);
	drill_stream_fini(&runner->stream);
	if (runner->fd >= 0)
		close(runner->fd);
	explicit_bzero(&runner->keys, sizeof(runner->keys));
	runner->fd = -1;
}

/* ---- what comes ---- */

static int part_of(const struct drill_runner *runner, uint16_t id)
{
	for (int part = 0; part < DRILL_PART_MAX; part++)
		if (runner->peers[part].gateway && runner->peers[part].gateway->id == id)
			return part;
	return -1;
}

static void take_done(struct drill_runner *runner, const struct drill_message *message)
{
	struct drill_peer *peer = &runner->peers[runner->asked];
	struct drill_reply *reply = &runner->reply;
	const size_t text_len = message->body_len - 8;

	if (!peer->cookie)
		peer->cookie = message->cookie;
	reply->rc = (int)drill_get32(message->body);
	reply->value = drill_get32(message->body + 4);
	reply->time_us = message->time_us;
	snprintf(reply->text, sizeof(reply->text), "%.*s",
		 (int)(text_len < DRILL_TEXT_LEN ? text_len : DRILL_TEXT_LEN - 1),
		 (const char *)message->body + 8);
	runner->answered = true;
}

static void take_data(struct drill_runner *runner, const struct drill_message *message)
{
	const size_t offset = drill_get32(message->body);
	const size_t len = message->body_len - 4;

	if (!runner->blob || offset % CHUNK || offset + len > runner->blob_len)
		return;
	memcpy(runner->blob + offset, message->body + 4, len);
	runner->chunks[offset / CHUNK] = 1;
}

static void take_message(struct drill_runner *runner, const struct drill_packet *packet)
{
	struct drill_message message;
	int part;

	if (drill_serve_read(&runner->keys, packet, &message) || message.session != runner->session)
		return;
	part = part_of(runner, message.from);
	if (part != (int)runner->asked ||
	    (runner->peers[part].cookie && runner->peers[part].cookie != message.cookie))
		return;
	if (message.type == DRILL_DATA && message.body_len > 4)
		take_data(runner, &message);
	else if (message.type == DRILL_DONE && message.body_len >= 8 &&
		 message.number == runner->asked_number)
		take_done(runner, &message);
}

static void take_packets(struct drill_runner *runner)
{
	for (int i = 0; i < 64; i++) {
		struct drill_packet packet = { 0 };
		ssize_t n = recv(runner->fd, packet.buf, sizeof(packet.buf), MSG_DONTWAIT);

		if (n <= 0)
			return;
		packet.len = (size_t)n;
		if (drill_wire_is_probe(packet.buf, packet.len))
			(void)drill_stream_take(&runner->stream, packet.buf, packet.len,
						clock_now_us());
		else
			take_message(runner, &packet);
	}
}

/* ---- what goes ---- */

static void send_command(struct drill_runner *runner, struct drill_peer *peer, enum drill_type type,
			 const uint8_t *body, size_t len)
{
	const struct drill_message message = {
		.type = type,
		.from = config_self_id(runner->config),
		.to = peer->gateway->id,
		.number = peer->number,
		.session = runner->session,
		.cookie = type == DRILL_HELLO ? 0 : peer->cookie,
		.time_us = clock_now_us(),
		.body = body,
		.body_len = len,
	};
	const struct drill_key *key = drill_keys_get(&runner->keys, peer->gateway->id);
	const struct ip_addr *to = lan_of(runner, peer);
	struct sockaddr_storage address = { 0 };
	uint8_t buf[DRILL_MESSAGE_MAX];
	size_t size;

	if (!key)
		return;
	size = drill_message_encode(&message, buf);
	drill_message_sign(key, buf, size);
	size += DRILL_TAG_LEN;
	/* What does not get away is sent again, as it is not answered. */
	if (peer->site == config_self_site(runner->config))
		(void)sendto(runner->fd, buf, size, MSG_CONFIRM, (struct sockaddr *)&address,
			     drill_way_sockaddr(to, port(runner, DRILL_PORT_AGENT), &address));
	else
		(void)drill_way_send(&runner->way, peer->site, to, port(runner, DRILL_PORT_RUNNER),
				     port(runner, DRILL_PORT_AGENT), buf, size);
}

static void send_keeps(struct drill_runner *runner, uint64_t now_us)
{
	if (now_us < runner->keep_us)
		return;
	runner->keep_us = now_us + KEEP_US;
	for (int part = 0; part < DRILL_PART_MAX; part++) {
		struct drill_peer *peer = &runner->peers[part];

		/* Not while another command is waited for: that says the same. */
		if (!peer->cookie || part == DRILL_FAR ||
		    (!runner->answered && part == (int)runner->asked))
			continue;
		peer->number++;
		send_command(runner, peer, DRILL_KEEP, NULL, 0);
	}
}

/* ---- the loop ---- */

static void check_limits(struct drill_runner *runner, uint64_t now_us)
{
	const struct drill_stream *stream = &runner->stream;

	if (*runner->aborted)
		return;
	if (caught) {
		snprintf(runner->aborted, sizeof(runner->aborted), "signal %d", (int)caught);
		return;
	}
	if (!runner->abort_us || !stream->size)
		return;
	if (now_us > stream->track.came_us + runner->abort_us)
		snprintf(runner->aborted, sizeof(runner->aborted),
			 "nothing came from the other site for %llu ms",
			 (unsigned long long)(runner->abort_us / 1000));
	else if (now_us > stream->told_us + runner->abort_us)
		snprintf(runner->aborted, sizeof(runner->aborted),
			 "nothing went to the other site for %llu ms",
			 (unsigned long long)(runner->abort_us / 1000));
}

/* One turn, which waits until something comes, or is due, or it is that time. */
static void turn(struct drill_runner *runner, uint64_t until_us)
{
	struct pollfd pfds[2] = {
		{ .fd = runner->fd, .events = POLLIN },
		{ .fd = drill_way_fd(&runner->way), .events = POLLIN },
	};
	uint64_t next_us = until_us, due_us, now_us;
	struct timespec wait;

	take_packets(runner);
	if (runner->stream.size) {
		due_us = drill_stream_send(&runner->stream, clock_now_us());
		next_us = due_us < next_us ? due_us : next_us;
	}
	now_us = clock_now_us();
	send_keeps(runner, now_us);
	check_limits(runner, now_us);
	next_us = next_us > now_us ? next_us - now_us : 0;
	if (next_us > 50000)
		next_us = 50000;
	wait = (struct timespec){ .tv_nsec = (long)next_us * 1000 };
	(void)ppoll(pfds, 2, &wait, NULL); /* woken for nothing, the next turn comes sooner */
	if (pfds[1].revents)
		drill_way_events(&runner->way);
}

void drill_runner_pass(struct drill_runner *runner, uint64_t until_us)
{
	do
		turn(runner, until_us);
	while (clock_now_us() < until_us && !*runner->aborted);
}

int drill_runner_ask(struct drill_runner *runner, enum drill_part part, enum drill_type type,
		     const uint8_t *body, size_t len, uint32_t timeout_ms,
		     struct drill_reply *ret_reply)
{
	const uint64_t until_us = clock_now_us() + (uint64_t)timeout_ms * 1000;
	struct drill_peer *peer = &runner->peers[part];
	uint64_t now_us;

	runner->asked = part;
	runner->asked_number = ++peer->number;
	runner->answered = false;
	runner->reply = (struct drill_reply){ .rc = -ETIMEDOUT, .text = "no answer" };
	for (;;) {
		const uint64_t sent_us = clock_now_us();
		uint64_t again_us = sent_us + AGAIN_US;

		send_command(runner, peer, type, body, len);
		if (again_us > until_us)
			again_us = until_us;
		do
			turn(runner, again_us);
		while (!runner->answered && clock_now_us() < again_us);
		now_us = clock_now_us();
		/* Of what is answered at once. */
		if (runner->answered && type == DRILL_KEEP &&
		    (!peer->rtt_us || now_us - sent_us < peer->rtt_us)) {
			peer->rtt_us = (uint32_t)(now_us - sent_us) + 1;
			peer->offset_us = (int64_t)(runner->reply.time_us - sent_us) -
					  (int64_t)(now_us - sent_us) / 2;
		}
		if (runner->answered || now_us >= until_us)
			break;
	}
	runner->answered = true; /* nothing is waited for any more */
	if (ret_reply)
		*ret_reply = runner->reply;
	return runner->reply.rc;
}

/* ---- snapshots ---- */

static bool ask_missing(struct drill_runner *runner, struct drill_peer *peer, size_t n)
{
	unsigned int window = WINDOW;

	for (size_t i = 0; i < n && window; i++) {
		uint8_t body[4];

		if (runner->chunks[i])
			continue;
		drill_put32(body, (uint32_t)(i * CHUNK));
		send_command(runner, peer, DRILL_FETCH, body, sizeof(body));
		window--;
	}
	return window < WINDOW;
}

static size_t have(const struct drill_runner *runner, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += runner->chunks[i];
	return count;
}

static int fetch_chunks(struct drill_runner *runner, struct drill_peer *peer, size_t n,
			uint32_t timeout_ms)
{
	const uint64_t until_us = clock_now_us() + (uint64_t)timeout_ms * 1000;

	while (ask_missing(runner, peer, n)) {
		const uint64_t again_us = clock_now_us() + AGAIN_US + 2 * (uint64_t)peer->rtt_us;
		const size_t left = n - have(runner, n);
		const size_t want = have(runner, n) + (left < WINDOW ? left : WINDOW);

		if (clock_now_us() > until_us)
			return -ETIMEDOUT;
		while (have(runner, n) < want && clock_now_us() < again_us)
			turn(runner, again_us);
	}
	return 0;
}

int drill_runner_fetch(struct drill_runner *runner, enum drill_part part, enum drill_blob kind,
		       uint32_t timeout_ms, uint8_t **ret_blob, size_t *ret_len)
{
	const struct drill_peer *far = &runner->peers[DRILL_FAR];
	struct drill_peer *peer = &runner->peers[part];
	struct drill_reply reply;
	uint8_t body[4];
	size_t n;
	int rc;

	drill_put32(body, (uint32_t)kind << 24 | (far->site ? config_site_number(far->site) : 0));
	rc = drill_runner_ask(runner, part, DRILL_SNAPSHOT, body, sizeof(body), timeout_ms, &reply);
	if (rc)
		return rc;
	if (reply.value > BLOB_MAX)
		return -EMSGSIZE;
	n = (reply.value + CHUNK - 1) / CHUNK;
	runner->blob_len = reply.value;
	runner->blob = calloc(1, runner->blob_len + 1);
	runner->chunks = calloc(n ? n : 1, 1);
	peer->number++;
	rc = runner->blob && runner->chunks ? fetch_chunks(runner, peer, n, timeout_ms) : -ENOMEM;
	free(runner->chunks);
	runner->chunks = NULL;
	if (rc) {
		free(runner->blob);
	} else {
		*ret_blob = runner->blob;
		*ret_len = runner->blob_len;
	}
	runner->blob = NULL;
	return rc;
}

json_t *drill_runner_fetch_json(struct drill_runner *runner, enum drill_part part,
				enum drill_blob kind, uint32_t timeout_ms)
{
	uint8_t *blob = NULL;
	size_t len = 0;
	json_t *json;

	if (drill_runner_fetch(runner, part, kind, timeout_ms, &blob, &len))
		return NULL;
	json = json_loadb((char *)blob, len, JSON_REJECT_DUPLICATES, NULL);
	free(blob);
	return json;
}
