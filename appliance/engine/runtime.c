/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/runtime.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "engine/handshake.h"
#include "engine/hash.h"
#include "engine/link.h"
#include "engine/uapi_watch.h"
#include "engine/worker.h"

enum {
	EVENTS = 64,
	HANDSHAKES_AT_A_TIME = 64, /* then the others get their turn */
	DRAIN_NS = 1000000000,	   /* under load is taken to last so long */
};

uint64_t runtime_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * TIMERS_S + (uint64_t)now.tv_nsec;
}

static void wake(struct runtime *runtime)
{
	const uint64_t one = 1;

	/* Full means that it is awake. */
	(void)!write(runtime->wake_fd, &one, sizeof(one));
}

void runtime_queue_message(struct runtime *runtime, struct device *device,
			   const struct endpoint *from, const uint8_t *bytes, uint32_t len)
{
	unsigned int count = atomic_load_explicit(&runtime->queue_count, memory_order_relaxed);
	struct runtime_message *message;
	bool first = false;

	if (count >= RUNTIME_QUEUE)
		return;
	if (count >= RUNTIME_QUEUE_OPEN &&
	    !handshake_shows_cookie(device, from, bytes, len, runtime_now()))
		return;
	pthread_mutex_lock(&runtime->queue_lock);
	if (runtime->queue_count < RUNTIME_QUEUE) {
		first = runtime->queue_count == 0;
		message = &runtime->queue[(runtime->queue_head + runtime->queue_count++) %
					  RUNTIME_QUEUE];
		message->device = device;
		message->from = *from;
		message->len = len;
		memcpy(message->bytes, bytes, len);
	}
	pthread_mutex_unlock(&runtime->queue_lock);
	if (first)
		wake(runtime);
}

static bool queue_take(struct runtime *runtime, struct runtime_message *ret_message)
{
	bool taken = false;

	pthread_mutex_lock(&runtime->queue_lock);
	if (runtime->queue_count) {
		*ret_message = runtime->queue[runtime->queue_head];
		runtime->queue_head = (runtime->queue_head + 1) % RUNTIME_QUEUE;
		runtime->queue_count--;
		taken = true;
	}
	pthread_mutex_unlock(&runtime->queue_lock);
	return taken;
}

void runtime_forget_device(struct runtime *runtime, const struct device *device)
{
	pthread_mutex_lock(&runtime->queue_lock);
	for (unsigned int i = 0; i < runtime->queue_count; i++) {
		struct runtime_message *message =
			&runtime->queue[(runtime->queue_head + i) % RUNTIME_QUEUE];

		if (message->device == device)
			message->device = NULL;
	}
	pthread_mutex_unlock(&runtime->queue_lock);
}

static void handshakes(struct runtime *runtime)
{
	struct runtime_message message;

	for (int i = 0; i < HANDSHAKES_AT_A_TIME && queue_take(runtime, &message); i++) {
		uint64_t now_ns = runtime_now();

		if (atomic_load(&runtime->queue_count) >= RUNTIME_UNDER_LOAD)
			runtime->loaded_until_ns = now_ns + DRAIN_NS;
		if (message.device)
			handshake_receive(&message, now_ns < runtime->loaded_until_ns, now_ns);
	}
}

void runtime_queue_peer(struct runtime *runtime, struct peer *peer)
{
	struct peer *head = atomic_load_explicit(&runtime->events, memory_order_relaxed);

	do
		peer->event_next = head;
	while (!atomic_compare_exchange_weak(&runtime->events, &head, peer));
	if (!head)
		wake(runtime);
}

void runtime_drain_events(struct runtime *runtime, uint64_t now_ns)
{
	struct peer *list = atomic_exchange(&runtime->events, NULL), *next;

	for (; list; list = next) {
		/* From then on it may be in the list again. */
		next = list->event_next;
		peer_handle_events(list, now_ns);
	}
}

static void heap_put(struct runtime *runtime, int at, struct peer *peer)
{
	runtime->heap[at] = peer;
	peer->heap_at = at;
}

static void heap_up(struct runtime *runtime, int at)
{
	struct peer *peer = runtime->heap[at];

	while (at > 0 && runtime->heap[(at - 1) / 2]->deadline_ns > peer->deadline_ns) {
		heap_put(runtime, at, runtime->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	heap_put(runtime, at, peer);
}

static void heap_down(struct runtime *runtime, int at)
{
	struct peer *peer = runtime->heap[at];

	for (;;) {
		int child = 2 * at + 1;

		if (child >= runtime->heap_used)
			break;
		if (child + 1 < runtime->heap_used &&
		    runtime->heap[child + 1]->deadline_ns < runtime->heap[child]->deadline_ns)
			child++;
		if (runtime->heap[child]->deadline_ns >= peer->deadline_ns)
			break;
		heap_put(runtime, at, runtime->heap[child]);
		at = child;
	}
	heap_put(runtime, at, peer);
}

static void heap_remove(struct runtime *runtime, struct peer *peer)
{
	int at = peer->heap_at;
	struct peer *last = runtime->heap[--runtime->heap_used];

	peer->heap_at = PEER_NO_DEADLINE;
	if (last == peer)
		return;
	heap_put(runtime, at, last);
	heap_up(runtime, at);
	heap_down(runtime, last->heap_at);
}

void runtime_heap_update(struct runtime *runtime, struct peer *peer, uint64_t deadline_ns)
{
	if (peer->heap_at != PEER_NO_DEADLINE) {
		if (peer->deadline_ns == deadline_ns)
			return;
		heap_remove(runtime, peer);
	}
	if (deadline_ns == UINT64_MAX)
		return;
	if (runtime->heap_used == runtime->heap_room) {
		int room = runtime->heap_room ? 2 * runtime->heap_room : 64;
		struct peer **heap =
			reallocarray(runtime->heap, (size_t)room, sizeof(struct peer *));

		/* Without memory a peer's timers wait for its next event. */
		if (!heap)
			return;
		runtime->heap = heap;
		runtime->heap_room = room;
	}
	peer->deadline_ns = deadline_ns;
	heap_put(runtime, runtime->heap_used, peer);
	heap_up(runtime, runtime->heap_used++);
}

static void timers(struct runtime *runtime)
{
	uint64_t now_ns = runtime_now();

	while (runtime->heap_used && runtime->heap[0]->deadline_ns <= now_ns) {
		struct peer *peer = runtime->heap[0];

		heap_remove(runtime, peer);
		peer_handle_timers(peer, now_ns);
	}
}

/* Milliseconds until the next deadline, rounded up; -1: none. */
static int patience(const struct runtime *runtime)
{
	uint64_t now_ns, wait_ms;

	if (atomic_load(&runtime->queue_count))
		return 0;
	if (!runtime->heap_used)
		return -1;
	now_ns = runtime_now();
	if (runtime->heap[0]->deadline_ns <= now_ns)
		return 0;
	wait_ms = (runtime->heap[0]->deadline_ns - now_ns + 999999) / 1000000;
	return wait_ms > 60000 ? 60000 : (int)wait_ms;
}

static void link_told(const struct link_news *news, void *data)
{
	struct runtime *runtime = data;
	struct device *device = NULL;

	for (int i = 0; i < RUNTIME_DEVICES && !device; i++) {
		device = atomic_load(&runtime->devices[i]);
		if (device && device->tun.ifindex != news->ifindex)
			device = NULL;
	}
	if (!device)
		return;
	if (news->gone) {
		device_free(device);
		return;
	}
	if (news->mtu > 0)
		atomic_store(&device->mtu, news->mtu);
	/* Without sockets it stays down until the next news, or another port. */
	device->link_up = news->up;
	(void)device_set_up(device, news->up);
}

static void netlink_ready(struct runtime *runtime)
{
	bool lost = false;

	/* Once some are lost all are, until the socket has been empty. */
	while (link_read(runtime->netlink_fd, link_told, runtime) == -ENOBUFS)
		lost = true;
	if (!lost)
		return;
	/* To ask tells of what there is; workers would look at the queues of what is not for ever. */
	for (int i = 0; i < RUNTIME_DEVICES; i++) {
		struct device *device = atomic_load(&runtime->devices[i]);

		if (device && tun_gone(&device->tun))
			device_free(device);
	}
	(void)link_ask(runtime->netlink_fd);
}

int runtime_watch(struct runtime *runtime, struct runtime_source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	if (!epoll_ctl(runtime->epoll_fd, EPOLL_CTL_MOD, source->fd, &event))
		return 0;
	return epoll_ctl(runtime->epoll_fd, EPOLL_CTL_ADD, source->fd, &event) ? -errno : 0;
}

void runtime_unwatch(struct runtime *runtime, struct runtime_source *source)
{
	(void)epoll_ctl(runtime->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
}

void runtime_stop(struct runtime *runtime)
{
	runtime->stopping = true;
}

/* One event at a time: what it does may end other sources. */
static void serve(struct runtime *runtime, int timeout_ms)
{
	struct runtime_source *source;
	struct epoll_event event;
	uint64_t ignored;

	if (epoll_wait(runtime->epoll_fd, &event, 1, timeout_ms) <= 0)
		return;
	source = event.data.ptr;
	if (source) {
		source->ready(source, event.events);
		return;
	}
	(void)!read(runtime->wake_fd, &ignored, sizeof(ignored));
	netlink_ready(runtime);
}

void runtime_ask_links(struct runtime *runtime)
{
	(void)link_ask(runtime->netlink_fd); /* else the next change tells */
}

int runtime_run(struct runtime *runtime)
{
	runtime_ask_links(runtime);
	while (!runtime->stopping && (runtime->n_devices || runtime->stays)) {
		serve(runtime, patience(runtime));
		handshakes(runtime);
		runtime_drain_events(runtime, runtime_now());
		timers(runtime);
		retire_collect(&runtime->retire);
	}
	return 0;
}

static int open_all(struct runtime *runtime)
{
	struct epoll_event event = { .events = EPOLLIN };

	runtime->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	runtime->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	runtime->netlink_fd = link_open();
	if (runtime->epoll_fd < 0 || runtime->wake_fd < 0)
		return -errno;
	if (runtime->netlink_fd < 0)
		return runtime->netlink_fd;
	if (epoll_ctl(runtime->epoll_fd, EPOLL_CTL_ADD, runtime->wake_fd, &event) ||
	    epoll_ctl(runtime->epoll_fd, EPOLL_CTL_ADD, runtime->netlink_fd, &event))
		return -errno;
	return 0;
}

int runtime_new(int n_workers, const struct aead_provider *provider, struct runtime **ret_runtime)
{
	struct runtime *runtime = aligned_alloc(_Alignof(struct runtime), sizeof(*runtime));
	int rc;

	if (!runtime)
		return -ENOMEM;
	memset(runtime, 0, sizeof(*runtime));
	hash_prepare();
	runtime->epoll_fd = runtime->wake_fd = runtime->netlink_fd = -1;
	pthread_mutex_init(&runtime->queue_lock, NULL);
	runtime->queue = calloc(RUNTIME_QUEUE, sizeof(*runtime->queue));
	runtime->aead = aead_new(provider);
	runtime->ratelimit = ratelimit_new(HANDSHAKE_PER_S, HANDSHAKE_BURST);
	rc = -ENOMEM;
	if (!runtime->queue || !runtime->aead || !runtime->ratelimit)
		goto err_free;
	rc = open_all(runtime);
	if (rc)
		goto err_free;
	for (int i = 0; i < n_workers; i++) {
		rc = worker_new(runtime, i, provider, &runtime->workers[i]);
		if (rc)
			goto err_free;
		runtime->n_workers = runtime->retire.n_workers = i + 1;
		rc = worker_start(runtime->workers[i]);
		if (rc)
			goto err_free;
	}
	*ret_runtime = runtime;
	return 0;

err_free:
	runtime_free(runtime);
	return rc;
}

void runtime_free(struct runtime *runtime)
{
	if (!runtime)
		return;
	for (int i = 0; i < RUNTIME_DEVICES; i++)
		device_free(atomic_load(&runtime->devices[i]));
	atomic_store(&runtime->workers_stop, true);
	for (int i = 0; i < runtime->n_workers; i++)
		worker_free(runtime->workers[i]);
	runtime->retire.n_workers = 0;
	retire_collect(&runtime->retire);
	uapi_watch_free(runtime->uapi_watch);
	if (runtime->epoll_fd >= 0)
		close(runtime->epoll_fd);
	if (runtime->wake_fd >= 0)
		close(runtime->wake_fd);
	if (runtime->netlink_fd >= 0)
		close(runtime->netlink_fd);
	aead_free(runtime->aead);
	ratelimit_free(runtime->ratelimit);
	pthread_mutex_destroy(&runtime->queue_lock);
	free(runtime->queue);
	free(runtime->heap);
	free(runtime);
}
