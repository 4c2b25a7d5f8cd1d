/* SPDX-License-Identifier: GPL-2.0-only */
#include "drill_serve.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "drill_fault.h"
#include "drill_state.h"
#include "drill_stream.h"

#define IDLE_US 10000000 /* without a word from anybody: the end */
#define BUSY_US 3000000	 /* a session that was heard so long ago may be replaced */
#define KEEP_US 2000000	 /* without a word from who runs the drill: what was made is undone */
#define GUARD_EXTRA_MS 1000
#define PRIORITY 10 /* real time, above nothing of ours: keepalived has 50 */
#define BLOB_MAX (DRILL_STREAM_MAX * (size_t)DRILL_MARK_LEN)

struct serve {
	const struct config *config;
	const char *run_dir;
	int fd;
	struct drill_keys keys;
	uint64_t cookie;
	uint64_t heard_us; /* anybody */
	bool over;	   /* who runs the drill says so */

	/* The drill that is served. */
	uint16_t runner; /* id; 0: none yet */
	uint64_t session;
	uint64_t session_us; /* its last command */
	uint64_t session_began_us;
	uint32_t number; /* of that */
	uint8_t answer[DRILL_MESSAGE_MAX];
	size_t answer_len;
	struct drill_stream stream;
	struct drill_way way;
	bool way_open;
	uint8_t *blob;
	size_t blob_len;

	struct drill_fault fault;
	bool faulty;
	uint64_t restore_us;
	int guard; /* socket to it; -1 */
};

const struct drill_key *drill_keys_get(struct drill_keys *keys, uint16_t id)
{
	struct drill_key key;

	for (size_t i = 0; i < DRILL_KEYS; i++)
		if (keys->v[i].id == id && id)
			return &keys->v[i].key;
	if (!id || drill_key_derive(keys->config, id, &key))
		return NULL;
	keys->next = (keys->next + 1) % DRILL_KEYS;
	keys->v[keys->next].id = id;
	keys->v[keys->next].key = key;
	explicit_bzero(&key, sizeof(key));
	return &keys->v[keys->next].key;
}

int drill_serve_read(struct drill_keys *keys, const struct drill_packet *packet,
		     struct drill_message *ret_message)
{
	const struct drill_key *key;
	int rc;

	rc = drill_message_decode(packet->buf, packet->len, ret_message);
	if (rc)
		return rc;
	if (ret_message->to != config_self_id(keys->config))
		return -EBADMSG;
	key = drill_keys_get(keys, ret_message->from);
	return key && drill_message_verify(key, packet->buf, packet->len) ? 0 : -EBADMSG;
}

/* ---- who and where ---- */

static const struct config_gateway *gateway_of(const struct config *config, uint16_t id,
					       const struct config_site **ret_site)
{
	for (size_t s = 0; s < config->mesh.n_sites; s++) {
		const struct config_site *site = &config->mesh.sites[s];

		for (size_t g = 0; g < site->n_gateways; g++) {
			if (site->gateways[g].id != id)
				continue;
			*ret_site = site;
			return &site->gateways[g];
		}
	}
	return NULL;
}

static uint16_t port(const struct serve *serve, unsigned int which)
{
	return (uint16_t)(serve->config->mesh.port_base + which * CONFIG_LANE_PORTS);
}

/* 0 or -errno; it is opened once, when it is needed first. */
static int open_way(struct serve *serve, const struct config_site *site,
		    const struct config_gateway *gateway)
{
	int family, rc;

	if (serve->way_open)
		return 0;
	family = drill_way_family(serve->config, config_self_site(serve->config),
				  config_self(serve->config), site, gateway);
	rc = drill_way_open(serve->config, family, &serve->way);
	serve->way_open = !rc;
	return rc;
}

/* ---- answers ---- */

/* To a gateway of this site as its packet came, to another one as customers would. */
static void send_answer(struct serve *serve, const struct drill_packet *packet, uint16_t to)
{
	const struct config_site *site = NULL;
	const struct config_gateway *gateway = gateway_of(serve->config, to, &site);

	/* What is lost is asked for again. */
	if (!gateway || site == config_self_site(serve->config)) {
		(void)sendto(serve->fd, serve->answer, serve->answer_len, MSG_CONFIRM,
			     (const struct sockaddr *)&packet->from, sizeof(packet->from));
		return;
	}
	if (open_way(serve, site, gateway))
		return;
	(void)drill_way_send(&serve->way, site,
			     serve->way.own.family == IP_V4 ? &gateway->lan4 : &gateway->lan6,
			     port(serve, DRILL_PORT_AGENT), port(serve, DRILL_PORT_RUNNER),
			     serve->answer, serve->answer_len);
}

static void make_answer(struct serve *serve, const struct drill_message *command,
			enum drill_type type, uint64_t time_us, const uint8_t *body, size_t len)
{
	const struct drill_message answer = {
		.type = type,
		.from = config_self_id(serve->config),
		.to = command->from,
		.number = command->number,
		.session = command->session,
		.cookie = serve->cookie,
		.time_us = time_us,
		.body = body,
		.body_len = len,
	};
	const struct drill_key *key = drill_keys_get(&serve->keys, command->from);

	serve->answer_len = drill_message_encode(&answer, serve->answer);
	drill_message_sign(key, serve->answer, serve->answer_len);
	serve->answer_len += DRILL_TAG_LEN;
}

static void make_done(struct serve *serve, const struct drill_message *command, int rc,
		      uint32_t value, uint64_t time_us, const char *text)
{
	uint8_t body[8 + DRILL_TEXT_LEN];
	const size_t len = strnlen(text, DRILL_TEXT_LEN - 1);

	drill_put32(body, (uint32_t)rc);
	drill_put32(body + 4, value);
	memcpy(body + 8, text, len);
	make_answer(serve, command, DRILL_DONE, time_us, body, 8 + len);
}

/* ---- faults ---- */

static void end_fault(struct serve *serve)
{
	if (!serve->faulty)
		return;
	drill_fault_end(&serve->fault);
	serve->faulty = false;
	if (serve->guard >= 0)
		close(serve->guard);
	serve->guard = -1;
}

/* Undoes everything when the agent dies, or when it has not by the time it said. */
static void guard(const struct serve *serve, int fd, uint32_t hold_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	(void)prctl(PR_SET_NAME, "netpas-guard");
	(void)poll(&pfd, 1, (int)hold_ms + GUARD_EXTRA_MS);
	drill_fault_clean(serve->config, serve->run_dir);
	_exit(0);
}

static int start_guard(struct serve *serve, uint32_t hold_ms)
{
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return -errno;
	pid = fork();
	if (!pid) {
		close(ends[0]);
		close(serve->fd);
		guard(serve, ends[1], hold_ms);
	}
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return -errno;
	}
	serve->guard = ends[0];
	return 0;
}

static void inject(struct serve *serve, const struct drill_message *command)
{
	const struct config_site *site = NULL;
	char text[DRILL_TEXT_LEN] = "";
	struct drill_order order;
	json_t *paths;
	uint64_t at_us;
	int rc;

	(void)gateway_of(serve->config, command->from, &site);
	if (site != config_self_site(serve->config) ||
	    drill_order_decode(command->body, command->body_len, &order)) {
		make_done(serve, command, -EPERM, 0, clock_now_us(),
			  "only the gateways of a pair make faults for each other");
		return;
	}
	if (!drill_scenarios[order.scenario].reversible &&
	    serve->config->node.drills != CONFIG_DRILLS_ALL) {
		make_done(serve, command, -EPERM, 0, clock_now_us(),
			  "its node.yaml does not say 'drills: all'");
		return;
	}
	end_fault(serve);
	paths = drill_state_paths(serve->config, serve->run_dir, order.site);
	rc = start_guard(serve, order.hold_ms);
	at_us = clock_now_us();
	if (!rc) {
		serve->faulty = true;
		rc = drill_fault_make(&serve->fault, &order, paths, text);
	}
	if (rc)
		end_fault(serve);
	serve->restore_us = at_us + (uint64_t)order.hold_ms * 1000;
	json_decref(paths);
	make_done(serve, command, rc, 0, at_us, *text || !rc ? text : strerror(-rc));
}

/* ---- probes ---- */

static void stop_stream(struct serve *serve)
{
	drill_stream_fini(&serve->stream);
}

static void start_stream(struct serve *serve, const struct drill_message *command)
{
	const struct config_site *site = NULL;
	const struct config_gateway *gateway = gateway_of(serve->config, command->from, &site);
	uint32_t rate, duration_ms;
	int rc = -EINVAL;

	if (command->body_len != 8 || site == config_self_site(serve->config)) {
		make_done(serve, command, rc, 0, clock_now_us(), "no such exchange");
		return;
	}
	rate = drill_get32(command->body);
	duration_ms = drill_get32(command->body + 4);
	stop_stream(serve);
	rc = open_way(serve, site, gateway);
	if (!rc) {
		serve->stream = (struct drill_stream){
			.way = &serve->way,
			.site = site,
			.to = serve->way.own.family == IP_V4 ? gateway->lan4 : gateway->lan6,
			.from_port = port(serve, DRILL_PORT_PROBE),
			.to_port = port(serve, DRILL_PORT_RUNNER),
			.self = config_self_id(serve->config),
			.peer = command->from,
			.key = *drill_keys_get(&serve->keys, command->from),
			.session = command->session,
		};
		rc = drill_stream_start(&serve->stream, rate, duration_ms, clock_now_us());
	}
	make_done(serve, command, rc, 0, clock_now_us(), rc ? strerror(-rc) : "");
}

/* ---- snapshots ---- */

static uint8_t *pack_track(const struct serve *serve, size_t *ret_len)
{
	struct drill_pack pack = { .sent = serve->stream.next };
	struct drill_spread gaps;

	(void)drill_send_gaps(serve->stream.sends, serve->stream.next, &gaps);
	pack.send_gap_us = gaps.max;
	return drill_track_pack(&serve->stream.track, &pack, ret_len);
}

static void snapshot(struct serve *serve, const struct drill_message *command)
{
	json_t *view = NULL, *paths = NULL;
	size_t len = 0;
	uint16_t site;

	free(serve->blob);
	serve->blob = NULL;
	serve->blob_len = 0;
	if (command->body_len != 4 || command->body[0] >= DRILL_BLOB_MAX) {
		make_done(serve, command, -EINVAL, 0, clock_now_us(), "no such view");
		return;
	}
	site = (uint16_t)drill_get32(command->body);
	switch ((enum drill_blob)command->body[0]) {
	case DRILL_BLOB_STATE:
		view = drill_state_make(serve->config, serve->run_dir, site);
		break;
	case DRILL_BLOB_TRACK:
		serve->blob = pack_track(serve, &len);
		break;
	case DRILL_BLOB_PATHS:
		paths = drill_state_paths(serve->config, serve->run_dir, site);
		view = paths ? drill_state_changes(paths, serve->session_began_us) : json_array();
		break;
	case DRILL_BLOB_MAX:
		break;
	}
	if (view) {
		serve->blob = (uint8_t *)json_dumps(view, JSON_COMPACT);
		len = serve->blob ? strlen((char *)serve->blob) : 0;
	}
	json_decref(paths);
	json_decref(view);
	serve->blob_len = serve->blob ? len : 0;
	make_done(serve, command, serve->blob ? 0 : -ENOMEM, (uint32_t)serve->blob_len,
		  clock_now_us(), "");
}

static void fetch(struct serve *serve, const struct drill_message *command)
{
	uint8_t body[DRILL_BODY_MAX];
	size_t offset, len;

	offset = command->body_len == 4 ? drill_get32(command->body) : SIZE_MAX;
	if (offset >= serve->blob_len) {
		make_done(serve, command, -ERANGE, 0, clock_now_us(), "nothing is there");
		return;
	}
	len = serve->blob_len - offset;
	if (len > sizeof(body) - 4)
		len = sizeof(body) - 4;
	drill_put32(body, (uint32_t)offset);
	memcpy(body + 4, serve->blob + offset, len);
	make_answer(serve, command, DRILL_DATA, clock_now_us(), body, 4 + len);
}

/* ---- commands ---- */

/* A session that others are in is not taken from them. */
static bool is_taken(const struct serve *serve, const struct drill_message *command,
		     uint64_t now_us)
{
	return serve->runner && serve->session != command->session && serve->session_us &&
	       now_us - serve->session_us < BUSY_US;
}

static void hello(struct serve *serve, const struct drill_message *command, uint64_t now_us)
{
	if (serve->session != command->session || serve->runner != command->from) {
		end_fault(serve);
		stop_stream(serve);
		serve->session_began_us = now_us;
		serve->session_us = 0;
		serve->number = 0;
	}
	serve->runner = command->from;
	serve->session = command->session;
	make_done(serve, command, 0, 0, now_us, "");
}

static void obey(struct serve *serve, const struct drill_message *command)
{
	switch (command->type) {
	case DRILL_START:
		start_stream(serve, command);
		return;
	case DRILL_STOP:
		serve->stream.size = serve->stream.next; /* what came is kept */
		break;
	case DRILL_INJECT:
		inject(serve, command);
		return;
	case DRILL_RESTORE:
		end_fault(serve);
		break;
	case DRILL_SNAPSHOT:
		snapshot(serve, command);
		return;
	case DRILL_FETCH:
		fetch(serve, command);
		return;
	case DRILL_BYE:
		end_fault(serve);
		serve->over = true;
		break;
	case DRILL_KEEP:
		break;
	case DRILL_HELLO:
	case DRILL_DONE:
	case DRILL_DATA:
	case DRILL_TYPE_MAX:
		make_done(serve, command, -EINVAL, 0, clock_now_us(), "no command");
		return;
	}
	make_done(serve, command, 0, 0, clock_now_us(), "");
}

/* The answer that is kept is that of the last command of the session that is served. */
static void refuse(struct serve *serve, const struct drill_message *command,
		   const struct drill_packet *packet)
{
	uint8_t kept[DRILL_MESSAGE_MAX];
	const size_t len = serve->answer_len;

	memcpy(kept, serve->answer, len);
	make_done(serve, command, -EBUSY, 0, clock_now_us(), "in another drill");
	send_answer(serve, packet, command->from);
	memcpy(serve->answer, kept, len);
	serve->answer_len = len;
}

static void take_message(struct serve *serve, const struct drill_packet *packet)
{
	const uint64_t now_us = clock_now_us();
	struct drill_message message;

	if (drill_serve_read(&serve->keys, packet, &message))
		return;
	serve->heard_us = now_us;
	if (message.type == DRILL_HELLO) {
		if (is_taken(serve, &message, now_us)) {
			refuse(serve, &message, packet);
			return;
		}
		hello(serve, &message, now_us);
	} else if (message.cookie == serve->cookie && message.type == DRILL_FETCH &&
		   message.from == serve->runner && message.session == serve->session) {
		/* Changes nothing, and many are on the way at once. */
		serve->session_us = now_us;
		serve->number = message.number > serve->number ? message.number : serve->number;
		fetch(serve, &message);
	} else {
		if (message.cookie != serve->cookie || message.from != serve->runner ||
		    message.session != serve->session || message.number < serve->number)
			return;
		serve->session_us = now_us;
		/* Asked again, as the answer was lost: it is not done twice. */
		if (message.number > serve->number) {
			serve->number = message.number;
			obey(serve, &message);
		}
	}
	send_answer(serve, packet, message.from);
}

static void take_packets(struct serve *serve)
{
	for (int i = 0; i < 64; i++) {
		struct drill_packet packet = { 0 };
		socklen_t from_len = sizeof(packet.from);
		ssize_t n = recvfrom(serve->fd, packet.buf, sizeof(packet.buf), MSG_DONTWAIT,
				     (struct sockaddr *)&packet.from, &from_len);

		if (n <= 0)
			return;
		packet.len = (size_t)n;
		if (drill_wire_is_probe(packet.buf, packet.len)) {
			if (drill_stream_take(&serve->stream, packet.buf, packet.len,
					      clock_now_us()))
				serve->heard_us = clock_now_us();
			continue;
		}
		take_message(serve, &packet);
	}
}

/* ---- the loop ---- */

static bool over(const struct serve *serve, uint64_t now_us)
{
	return serve->over || (!serve->faulty && now_us - serve->heard_us > IDLE_US);
}

/* Undo what its time, or the silence of who asked for it, ends. */
static void check_fault(struct serve *serve, uint64_t now_us)
{
	if (serve->faulty && (now_us >= serve->restore_us || now_us - serve->session_us > KEEP_US))
		end_fault(serve);
}

static void wait_for(struct serve *serve, uint64_t next_us)
{
	struct pollfd pfds[3] = {
		{ .fd = serve->fd, .events = POLLIN },
		{ .fd = serve->way_open ? drill_way_fd(&serve->way) : -1, .events = POLLIN },
		{ .fd = serve->guard, .events = POLLIN },
	};
	const uint64_t now_us = clock_now_us();
	uint64_t wait_us = next_us > now_us ? next_us - now_us : 0;
	struct timespec wait;

	if (wait_us > 100000)
		wait_us = 100000;
	wait = (struct timespec){ .tv_nsec = (long)wait_us * 1000 };
	(void)ppoll(pfds, 3, &wait, NULL); /* woken for nothing, it looks and comes back */
	if (pfds[1].revents)
		drill_way_events(&serve->way);
	if (pfds[2].revents)
		end_fault(serve); /* the guard has died: nothing is left to chance */
}

static void run_first(void)
{
	const struct sched_param param = { .sched_priority = PRIORITY };

	/* Without it probes are sent less evenly, which the report shows. */
	(void)sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param);
	(void)prctl(PR_SET_TIMERSLACK, 1);
}

void drill_serve(const struct config *config, const char *run_dir, int fd,
		 const struct drill_packet *first)
{
	struct serve serve = {
		.config = config,
		.run_dir = run_dir,
		.fd = fd,
		.keys = { .config = config },
		.fault = { .config = config, .run_dir = run_dir },
		.guard = -1,
		.heard_us = clock_now_us(),
	};

	if (getrandom(&serve.cookie, sizeof(serve.cookie), 0) != sizeof(serve.cookie))
		return;
	serve.cookie |= 1;
	run_first();
	take_message(&serve, first);
	while (!over(&serve, clock_now_us())) {
		uint64_t next_us = UINT64_MAX;

		take_packets(&serve);
		if (serve.stream.size)
			next_us = drill_stream_send(&serve.stream, clock_now_us());
		check_fault(&serve, clock_now_us());
		wait_for(&serve, next_us);
	}
	end_fault(&serve);
}
