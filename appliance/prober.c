/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Time is a grid for each path: its interval, shifted by its phase. Phases come from the golden
 * ratio, so any number of paths is spread about evenly, and one that is added moves no other. The
 * paths lie in a heap by the time of their next probe; one timer waits for its top.
 */
#include "prober.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "clock.h"
#include "probe_socket.h"

#define MERGE_US 50u /* what is due so soon after is sent in the same turn of the loop */
#define TURN_MAX 256 /* requests in one turn */
#define NEVER UINT64_MAX

enum search_state {
	SEARCH_NONE,
	SEARCH_KNOWN,  /* what was found the last time */
	SEARCH_WHOLE,  /* the most that is wanted */
	SEARCH_NEXT,   /* one more than what was found: mostly the border is where it was */
	SEARCH_LEAST,  /* does anything padded arrive? */
	SEARCH_HALVES, /* low arrived, high did not */
};

struct search {
	enum search_state state;
	bool confirm; /* if what is known arrives, that is all */
	uint16_t least, most;
	uint16_t low, high; /* 0: nothing arrived yet, or failed */
	uint16_t trying;
	unsigned int tries;
	uint64_t next_us;
	uint64_t progress_us; /* of the path's last normal reply when the try was sent */
};

struct probed {
	struct prober_path is;
	uint64_t phase; /* fraction of the interval, in 1/2^32 */
	uint64_t due_us;
	size_t place; /* in the heap */
	uint64_t sent, failed;
	int error;
	uint64_t padded;     /* number of the padded request that is on its way; 0: none */
	uint32_t unanswered; /* those that a later one's reply has overtaken */
	uint32_t rtt_us, loss_ppm;
	uint64_t tried_us; /* when the last normal request was sent, or refused; 0: never */
	bool stuck;
	uint64_t replied_us; /* when the last normal reply was seen; 0: never */
	uint16_t payload;
	struct search search;
};

struct prober {
	struct sd_event *event;
	struct sd_event_source *timer, *io;
	struct ring_buffer *ring;
	struct probe_socket *sockets;
	struct prober_handlers handlers;
	uint16_t self;
	struct probed *paths; /* sorted by node and number */
	struct probed **heap;
	size_t n;
	uint32_t phases; /* given so far */
	uint64_t begun_ns;
};

/* ---- the heap ---- */

static uint64_t path_due(const struct probed *path)
{
	return path->search.state != SEARCH_NONE && path->search.next_us < path->due_us
		       ? path->search.next_us
		       : path->due_us;
}

static void heap_set(struct prober *prober, size_t place, struct probed *path)
{
	prober->heap[place] = path;
	path->place = place;
}

/* Put a path whose time has changed where it belongs. */
static void heap_move(struct prober *prober, struct probed *path)
{
	const uint64_t due = path_due(path);
	size_t place = path->place;

	while (place && path_due(prober->heap[(place - 1) / 2]) > due) {
		heap_set(prober, place, prober->heap[(place - 1) / 2]);
		place = (place - 1) / 2;
	}
	for (;;) {
		size_t child = place * 2 + 1;

		if (child >= prober->n)
			break;
		if (child + 1 < prober->n &&
		    path_due(prober->heap[child + 1]) < path_due(prober->heap[child]))
			child++;
		if (path_due(prober->heap[child]) >= due)
			break;
		heap_set(prober, place, prober->heap[child]);
		place = child;
	}
	heap_set(prober, place, path);
}

/* ---- paths ---- */

static int path_compare(const struct prober_path *a, const struct prober_path *b)
{
	return a->node != b->node ? (int)a->node - (int)b->node : (int)a->number - (int)b->number;
}

static int path_compare_cb(const void *a, const void *b)
{
	return path_compare(&((const struct probed *)a)->is, &((const struct probed *)b)->is);
}

static struct probed *path_find(const struct prober *prober, uint16_t node, uint8_t number)
{
	const struct probed key = { .is = { .node = node, .number = number } };

	if (!prober->n)
		return NULL;
	return bsearch(&key, prober->paths, prober->n, sizeof(key), path_compare_cb);
}

/* The first time on the path's grid that is later than now. */
static void path_schedule(struct probed *path, uint64_t now)
{
	const uint64_t interval = path->is.interval_us;
	uint64_t shift;

	if (!interval || !path->is.ifindex) {
		path->due_us = NEVER;
		return;
	}
	shift = path->phase * interval >> 32;
	path->due_us = (now + interval - shift) / interval * interval + shift;
	if (path->due_us <= now)
		path->due_us += interval;
}

static int send_request(struct prober *prober, struct probed *path, uint16_t payload)
{
	const struct probe_request request = {
		.source = path->is.local,
		.destination = path->is.remote,
		.source_port = path->is.source_port,
		.destination_port = path->is.destination_port,
		.ifindex = path->is.ifindex,
		.path = path->is.number,
		.from = prober->self,
		.to = path->is.node,
		.payload = payload,
		.loss_ppm = path->loss_ppm,
	};
	const int rc =
		path->is.ifindex ? probe_socket_send(prober->sockets, &request) : -ENETUNREACH;

	if (!rc) {
		path->sent++;
	} else if (rc != -EMSGSIZE) { /* which is an answer */
		path->failed++;
		path->error = rc;
	}
	return rc;
}

/* ---- searching the longest payload ---- */

static void search_end(struct prober *prober, struct probed *path, uint16_t payload)
{
	path->search.state = SEARCH_NONE;
	path->payload = payload;
	if (prober->handlers.payload)
		prober->handlers.payload(path->is.node, path->is.number, payload,
					 prober->handlers.data);
}

static void search_try(struct probed *path, enum search_state state, uint16_t payload, uint64_t now)
{
	path->search.state = state;
	path->search.trying = payload;
	path->search.tries = 0;
	path->search.next_us = now;
}

/* The border is not known yet: after this length has arrived, or not, what next? */
static void search_next(struct prober *prober, struct probed *path, bool arrived, uint64_t now)
{
	const struct search *search = &path->search;

	switch (search->state) {
	case SEARCH_NONE:
		return;
	case SEARCH_KNOWN:
		if (arrived) {
			search_try(path, SEARCH_WHOLE, search->most, now);
			return;
		}
		break;
	case SEARCH_WHOLE:
		if (search->low) {
			search_try(path, SEARCH_NEXT, (uint16_t)(search->low + 1), now);
			return;
		}
		break;
	case SEARCH_LEAST:
		if (!arrived) {
			search_end(prober, path, 0);
			return;
		}
		break;
	case SEARCH_NEXT:
	case SEARCH_HALVES:
		break;
	}
	if (!search->low)
		search_try(path, SEARCH_LEAST, search->least, now);
	else
		search_try(path, SEARCH_HALVES,
			   (uint16_t)(search->low + (search->high - search->low) / 2), now);
}

static void search_result(struct prober *prober, struct probed *path, bool arrived, uint64_t now)
{
	struct search *search = &path->search;

	if (arrived)
		search->low = search->trying;
	else
		search->high = search->trying;
	if (search->low == search->most ||
	    (search->state == SEARCH_KNOWN && search->confirm && arrived) ||
	    (search->low && search->high && search->high - search->low <= 1))
		search_end(prober, path, search->low);
	else
		search_next(prober, path, arrived, now);
}

/* How long to wait for a reply: as long as the pace, or two round trips where they are longer. */
static uint64_t search_wait(const struct probed *path)
{
	const uint64_t trips = (uint64_t)path->rtt_us * 2;

	return trips > PROBER_MTU_PACE_US ? trips : PROBER_MTU_PACE_US;
}

/* A normal probe has been answered since the last try was sent. */
static bool path_answers(const struct probed *path)
{
	return path->replied_us > path->search.progress_us;
}

/*
 * One was sent. Its number is known from the state, as requests are numbered on their way out: only
 * the replies to later ones tell that it is lost, not those that were on their way before it.
 */
static void padded_sent(const struct prober *prober, struct probed *path)
{
	const struct dp_path_key key = { .node = path->is.node, .path = path->is.number };
	struct dp_path_state state;

	if (path->padded)
		path->unanswered++;
	path->padded = 0;
	if (prober->handlers.states > 0 &&
	    !bpf_map_lookup_elem(prober->handlers.states, &key, &state))
		path->padded = state.sequence;
	else
		path->unanswered++;
}

static void padded_settle(struct probed *path, const struct dp_sample *sample)
{
	const bool padded = sample->payload > DP_PROBE_LEN;

	if (padded && sample->sequence != path->padded && path->unanswered) {
		path->unanswered--; /* late */
	} else if (path->padded && sample->sequence >= path->padded) {
		path->unanswered += !padded;
		path->padded = 0;
	}
}

static void search_due(struct prober *prober, struct probed *path, uint64_t now)
{
	struct search *search = &path->search;
	int rc;

	search->next_us = now + search_wait(path);
	if (search->tries && !path_answers(path))
		return; /* it is down: nothing is known of this length */
	if (search->tries ==
	    (search->state == SEARCH_KNOWN ? PROBER_MTU_KNOWN_TRIES : PROBER_MTU_TRIES)) {
		search_result(prober, path, false, now);
		return;
	}
	search->progress_us = path->replied_us;
	rc = send_request(prober, path, search->trying);
	if (!rc) {
		search->tries++;
		padded_sent(prober, path);
	} else if (rc == -EMSGSIZE) {
		/* The device's own limit needs no second try. */
		search_result(prober, path, false, now);
	}
}

/* ---- the timer ---- */

/*
 * Did the last request leave? It is numbered on its way out, so the state tells; one that waits for
 * a neighbour has not. Only asked of paths that are silent.
 */
static void check_leaving(struct prober *prober, struct probed *path, uint64_t now)
{
	const struct dp_path_key key = { .node = path->is.node, .path = path->is.number };
	struct dp_path_state state;
	bool stuck;

	if (!prober->handlers.leaving || prober->handlers.states <= 0 || !path->tried_us)
		return;
	if (!path->stuck && now - path->replied_us <= 2 * (uint64_t)path->is.interval_us)
		return;
	if (bpf_map_lookup_elem(prober->handlers.states, &key, &state))
		return; /* the programs do not know this path yet */
	stuck = state.last_sent_ns / 1000 + 1 < path->tried_us;
	if (stuck == path->stuck)
		return;
	path->stuck = stuck;
	prober->handlers.leaving(path->is.node, path->is.number, !stuck, prober->handlers.data);
}

static void path_turn(struct prober *prober, struct probed *path, uint64_t now)
{
	if (path->search.state != SEARCH_NONE && path->search.next_us <= now + MERGE_US)
		search_due(prober, path, now);
	if (path->due_us <= now + MERGE_US) {
		check_leaving(prober, path, now);
		/* A refusal is counted, and found by check_leaving() next time. */
		(void)send_request(prober, path, DP_PROBE_LEN);
		path->tried_us = now;
		path_schedule(path, path->due_us > now ? path->due_us : now);
	}
	heap_move(prober, path);
}

static void timer_set(struct prober *prober)
{
	const uint64_t due = prober->n ? path_due(prober->heap[0]) : NEVER;

	/* These fail for sources that are not there. */
	if (due == NEVER) {
		(void)sd_event_source_set_enabled(prober->timer, SD_EVENT_OFF);
		return;
	}
	(void)sd_event_source_set_time(prober->timer, due);
	(void)sd_event_source_set_enabled(prober->timer, SD_EVENT_ONESHOT);
}

static int timer_due(struct sd_event_source *source, uint64_t usec, void *data)
{
	struct prober *prober = data;
	const uint64_t now = clock_now_us();

	(void)source;
	(void)usec;
	for (unsigned int i = 0; i < TURN_MAX && prober->n; i++) {
		struct probed *path = prober->heap[0];

		if (path_due(path) > now + MERGE_US)
			break;
		path_turn(prober, path, now);
	}
	timer_set(prober);
	return 0;
}

/* ---- samples ---- */

static void take_padded(struct prober *prober, struct probed *path, const struct dp_sample *sample)
{
	if (path->search.state != SEARCH_NONE && sample->payload == path->search.trying) {
		search_result(prober, path, true, clock_now_us());
		/* Not at once: slowly. */
		path->search.next_us = clock_now_us() + PROBER_MTU_PACE_US;
		path->search.progress_us = path->replied_us;
	}
	heap_move(prober, path);
	timer_set(prober);
}

static int take_sample(void *data, void *record, size_t size)
{
	struct prober *prober = data;
	struct dp_sample sample;
	struct probed *path;

	if (size < sizeof(sample))
		return 0;
	memcpy(&sample, record, sizeof(sample));
	path = path_find(prober, sample.node, (uint8_t)sample.path);
	if (!path || sample.path >= DP_PATHS_MAX || sample.at_ns < prober->begun_ns)
		return 0;
	padded_settle(path, &sample);
	if (sample.payload > DP_PROBE_LEN)
		take_padded(prober, path, &sample);
	else
		path->replied_us = sample.at_ns / 1000;
	path->rtt_us = sample.rtt_us;
	sample.sent -= path->unanswered;
	if (prober->handlers.sample)
		prober->handlers.sample(&sample, prober->handlers.data);
	return 0;
}

static int ring_readable(struct sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct prober *prober = data;

	(void)source;
	(void)fd;
	(void)revents;
	/* It fails if a callback does, and ours does not. */
	(void)ring_buffer__consume(prober->ring);
	return 0;
}

/* ---- verbs ---- */

int prober_new(struct sd_event *event, int samples, const struct prober_handlers *handlers,
	       struct prober **ret_prober)
{
	struct prober *prober = calloc(1, sizeof(*prober));
	int rc;

	if (!prober)
		return -ENOMEM;
	prober->event = event;
	prober->handlers = *handlers;
	prober->begun_ns = clock_now_us() * 1000;
	rc = probe_socket_open(&prober->sockets);
	if (rc)
		goto err;
	prober->ring = ring_buffer__new(samples, take_sample, prober, NULL);
	if (!prober->ring) {
		rc = -errno;
		goto err;
	}
	rc = sd_event_add_io(event, &prober->io, ring_buffer__epoll_fd(prober->ring), EPOLLIN,
			     ring_readable, prober);
	if (rc < 0)
		goto err;
	rc = sd_event_add_time(event, &prober->timer, CLOCK_MONOTONIC, NEVER, 1, timer_due, prober);
	if (rc < 0)
		goto err;
	timer_set(prober);
	*ret_prober = prober;
	return 0;

err:
	prober_free(prober);
	return rc;
}

void prober_free(struct prober *prober)
{
	if (!prober)
		return;
	sd_event_source_disable_unref(prober->timer);
	sd_event_source_disable_unref(prober->io);
	ring_buffer__free(prober->ring);
	probe_socket_close(prober->sockets);
	free(prober->paths);
	free(prober->heap);
	free(prober);
}

static bool same_path(const struct prober_path *a, const struct prober_path *b)
{
	return a->node == b->node && a->number == b->number &&
	       !ip_addr_compare(&a->local, &b->local) && !ip_addr_compare(&a->remote, &b->remote);
}

int prober_configure(struct prober *prober, uint16_t self, const struct prober_path *paths,
		     size_t n)
{
	struct probed *new = calloc(n ? n : 1, sizeof(*new));
	struct probed **heap = calloc(n ? n : 1, sizeof(struct probed *));
	const uint64_t now = clock_now_us();

	if (!new || !heap) {
		free(new);
		free(heap);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		const struct probed *old = path_find(prober, paths[i].node, paths[i].number);

		if (old && same_path(&old->is, &paths[i])) {
			new[i] = *old;
		} else {
			prober->phases += 0x9e3779b9u; /* 2^32 / golden ratio */
			new[i].phase = prober->phases;
		}
		new[i].is = paths[i];
		path_schedule(&new[i], now);
	}
	qsort(new, n, sizeof(*new), path_compare_cb);
	free(prober->paths);
	free(prober->heap);
	prober->paths = new;
	prober->heap = heap;
	prober->self = self;
	/* One is put in after the other; those that are not in yet are not looked at. */
	prober->n = 0;
	for (size_t i = 0; i < n; i++) {
		prober->n++;
		heap_set(prober, i, &new[i]);
		heap_move(prober, &new[i]);
	}
	timer_set(prober);
	return 0;
}

int prober_tune(struct prober *prober, uint16_t node, uint8_t number, uint32_t interval_us,
		uint32_t loss_ppm)
{
	struct probed *path = path_find(prober, node, number);

	if (!path)
		return -ENOENT;
	path->loss_ppm = loss_ppm;
	if (path->is.interval_us == interval_us)
		return 0;
	path->is.interval_us = interval_us;
	path_schedule(path, clock_now_us());
	heap_move(prober, path);
	timer_set(prober);
	return 0;
}

void prober_announce(struct prober *prober)
{
	/* The grid stays: these are additional. */
	for (size_t i = 0; i < prober->n; i++)
		if (prober->paths[i].is.ifindex)
			(void)send_request(prober, &prober->paths[i], DP_PROBE_LEN);
}

static void search_begin(struct prober *prober, struct probed *path, const struct search *search)
{
	const uint16_t known = path->payload;
	const bool usable = known >= search->least && known <= search->most;

	path->search = *search;
	search_try(path, usable ? SEARCH_KNOWN : SEARCH_WHOLE, usable ? known : search->most,
		   clock_now_us());
	heap_move(prober, path);
	timer_set(prober);
}

int prober_search_mtu(struct prober *prober, uint16_t node, uint8_t number, uint16_t least,
		      uint16_t most)
{
	const struct search search = { .least = least, .most = most };
	struct probed *path = path_find(prober, node, number);

	if (!path)
		return -ENOENT;
	if (least <= DP_PROBE_LEN || least > most || most > PROBE_PAYLOAD_MAX)
		return -EINVAL;
	search_begin(prober, path, &search);
	return 0;
}

int prober_confirm_mtu(struct prober *prober, uint16_t node, uint8_t number)
{
	struct probed *path = path_find(prober, node, number);
	struct search search = { .confirm = true };

	if (!path)
		return -ENOENT;
	if (path->search.state != SEARCH_NONE || !path->payload)
		return 0;
	search.least = path->search.least;
	search.most = path->search.most;
	search_begin(prober, path, &search);
	return 0;
}

int prober_get(const struct prober *prober, uint16_t node, uint8_t number,
	       struct prober_status *ret_status)
{
	const struct probed *path = path_find(prober, node, number);

	if (!path)
		return -ENOENT;
	*ret_status = (struct prober_status){
		.sent = path->sent,
		.failed = path->failed,
		.error = path->error,
		.searching = path->search.state != SEARCH_NONE,
		.stuck = path->stuck,
		.payload = path->payload,
		.limit = path->search.state != SEARCH_NONE && path->search.high
				 ? (uint16_t)(path->search.high - 1)
				 : 0,
		.unanswered = path->unanswered,
	};
	return 0;
}
