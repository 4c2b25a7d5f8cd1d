/* SPDX-License-Identifier: GPL-2.0-only */
#include "event_writer.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "event_record.h"
#include "event_store.h"

#define SYNC_INTERVAL_MS 1000
#define AGAIN_MS 500 /* after a failure */

struct writer {
	int fd;
	const char *dir;
	struct event_store *store;
	struct event_writer_state state;
	int64_t synced_ms;
	bool dirty;
	bool told; /* the state as it is */
	char line[EVENT_RECORD_MAX];
	size_t len; /* of a record that is not written yet; 0: none */
};

static void tell(struct writer *w, int error, size_t cut)
{
	const bool differs = w->state.error != error;

	w->state.error = error;
	w->state.cut = (uint32_t)cut;
	/* If the daemon does not listen it is gone, or asks for nothing. */
	if (differs || !w->told || cut)
		w->told = send(w->fd, &w->state, sizeof(w->state), MSG_NOSIGNAL | MSG_DONTWAIT) ==
			  sizeof(w->state);
}

static int open_store(struct writer *w)
{
	static const struct event_store_limits limits = { EVENT_STORE_FILES,
							  EVENT_STORE_FILE_SIZE };
	size_t cut = 0;
	int rc;

	if (w->store)
		return 0;
	rc = event_store_open(w->dir, &limits, &w->store, &cut);
	if (!rc && cut)
		tell(w, 0, cut);
	return rc;
}

static void sync_store(struct writer *w)
{
	const int rc = event_store_sync(w->store);

	w->dirty = false;
	w->synced_ms = clock_now_ms();
	if (rc)
		tell(w, -rc, 0);
}

/* True if nothing waits to be written any more. */
static bool flush(struct writer *w)
{
	int rc = open_store(w);

	if (!rc && w->len)
		rc = event_store_append(w->store, w->line, w->len);
	if (!rc && w->len) {
		w->len = 0;
		w->dirty = true;
	}
	tell(w, -rc, 0);
	return !rc;
}

static int patience_ms(const struct writer *w, bool flushed)
{
	int64_t left;

	if (!flushed)
		return AGAIN_MS;
	if (!w->dirty)
		return -1;
	left = w->synced_ms + SYNC_INTERVAL_MS - clock_now_ms();
	return left > 0 ? (int)left : 0;
}

/* False: there will be no more. */
static bool take(struct writer *w)
{
	const ssize_t n = recv(w->fd, w->line, sizeof(w->line), MSG_DONTWAIT);

	if (n > 0)
		w->len = (size_t)n;
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

void event_writer_run(int fd, const char *dir)
{
	struct writer *w = calloc(1, sizeof(*w));

	if (!w)
		return;
	w->fd = fd;
	w->dir = dir;
	w->told = true;
	for (;;) {
		const bool flushed = flush(w);
		/* What is held up does not listen; that the other end has gone is seen all the same. */
		struct pollfd pfd = { .fd = fd, .events = flushed ? POLLIN : 0 };
		const int ready = poll(&pfd, 1, patience_ms(w, flushed));

		if (w->dirty && !patience_ms(w, true))
			sync_store(w);
		if (ready <= 0)
			continue;
		/* With nobody left to ask for room, what waits is given up: it could be for ever. */
		if (!flushed && pfd.revents & (POLLHUP | POLLERR))
			break;
		if (flushed && !take(w))
			break;
	}
	if (w->dirty)
		sync_store(w);
	event_store_close(w->store);
	free(w);
}
