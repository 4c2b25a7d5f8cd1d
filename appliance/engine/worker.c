/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/worker.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "engine/buffers.h"
#include "engine/coalesce.h"
#include "engine/runtime.h"
#include "engine/sandbox.h"
#include "engine/segment.h"
#include "engine/unreachable.h"

enum {
	EVENTS = 64,
	TX_PACKETS = 256,		   /* no further frame is read when a batch has as many */
	TX_BYTES = 256 * 1024,		   /* or as many bytes */
	TX_ALL = TX_PACKETS + SEGMENT_MAX, /* the last frame is always taken whole */
	TX_AREA = TX_BYTES + SEGMENT_TOTAL_MAX,
	TX_UNSENT = 16, /* or as many frames are left behind: to stage one may take 47 copies */
	RX_ALL = UDP_RX_BATCH * UDP_SEND_SEGMENTS,
	BULK_PACKETS = 32,    /* where a batch has as many, the next one is not far */
	LINGER_US = 100,      /* for it */
	SEND_PATIENCE_MS = 5, /* for room in a socket's buffer */
	KINDS = 4,
};

/* What epoll tells of: the device's place and which of its descriptors. */
enum source_kind {
	SOURCE_TUN,
	SOURCE_UDP4,
	SOURCE_UDP6,
	SOURCE_STOP,
};

struct worker {
	struct runtime *runtime;
	int number;
	int epoll_fd, stop_fd;
	bool started;
	bool bulk;	/* the last events brought a batch of BULK_PACKETS */
	bool impatient; /* a wait of this batch was in vain */
	sem_t confined; /* the thread has given up what it does not need */
	pthread_t thread;
	struct aead *aead;
	struct unreachable *unreachable;
	struct udp_rx *rx;
	struct coalesce *coalesce, *coalesce_tcp; /* the second where the device takes no USO */
	int tun_fd;				  /* of the batch that is being written */

	uint8_t *frame; /* as read */
	uint8_t *out;	/* messages */
	struct packet tx[TX_ALL];
	uint8_t tx_ecn[TX_ALL];
	struct packet in[RX_ALL];
	uint8_t in_entry[RX_ALL];
};

static uint64_t source_data(const struct device *device, enum source_kind kind)
{
	return (uint64_t)device->slot * KINDS + kind;
}

static int watch(struct worker *worker, const struct device *device, enum source_kind kind, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = source_data(device, kind) };

	if (fd < 0)
		return 0;
	return epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

int worker_watch(struct worker *worker, const struct device *device)
{
	const struct udp *udp = &device->udp[worker->number];
	int rc = watch(worker, device, SOURCE_TUN, device->tun.fd[worker->number]);

	if (!rc)
		rc = watch(worker, device, SOURCE_UDP4, udp->fd4);
	if (!rc)
		rc = watch(worker, device, SOURCE_UDP6, udp->fd6);
	return rc;
}

void worker_unwatch(struct worker *worker, const struct device *device)
{
	const struct udp *udp = &device->udp[worker->number];

	/* One that was not there, as its family is not, is none to take away. */
	(void)epoll_ctl(worker->epoll_fd, EPOLL_CTL_DEL, device->tun.fd[worker->number], NULL);
	(void)epoll_ctl(worker->epoll_fd, EPOLL_CTL_DEL, udp->fd4, NULL);
	(void)epoll_ctl(worker->epoll_fd, EPOLL_CTL_DEL, udp->fd6, NULL);
}

/* The frame goes nowhere; its sender is told. */
static void refuse_frame(struct worker *worker, const struct device *device, size_t len,
			 uint64_t now_ns)
{
	struct virtio_net_hdr header = { 0 };
	uint8_t answer[UNREACHABLE_MAX6];
	struct iovec iov[2] = {
		{ .iov_base = &header, .iov_len = sizeof(header) },
		{ .iov_base = answer },
	};

	iov[1].iov_len =
		unreachable_answer(worker->unreachable, worker->frame, len, now_ns, answer);
	/* Lost where the queue is full, as any answer may be. */
	if (iov[1].iov_len)
		(void)tun_write(device->tun.fd[worker->number], iov, 2);
}

enum frame {
	FRAME_NONE,   /* there is no more to read now */
	FRAME_UNSENT, /* refused, dropped, or waits for a session */
	FRAME_SENT,
};

/* One frame read into the batch. */
static enum frame read_frame(struct worker *worker, struct device *device, size_t *n, size_t *used,
			     uint64_t now_ns)
{
	struct virtio_net_hdr header;
	struct segment_plan plan;
	struct keypair *keypair;
	struct peer *peer;
	ssize_t len = tun_read(device->tun.fd[worker->number], &header, worker->frame, PACKET_MAX);
	uint8_t ecn;

	if (len <= 0)
		return FRAME_NONE;
	peer = allowed_ips_find_dst(
		atomic_load_explicit(&device->allowed_ips, memory_order_acquire), worker->frame,
		(size_t)len);
	if (!peer || !atomic_load_explicit(&peer->endpoint, memory_order_relaxed)) {
		refuse_frame(worker, device, (size_t)len, now_ns);
		return FRAME_UNSENT;
	}
	if (segment_plan(&header, worker->frame, (size_t)len,
			 (uint32_t)atomic_load_explicit(&device->mtu, memory_order_relaxed), &plan))
		return FRAME_UNSENT;
	/* Both have room for any plan; nothing is written behind them even so. */
	if (plan.total > TX_AREA - *used || *n + plan.count > TX_ALL)
		return FRAME_UNSENT;
	ecn = packet_ecn(worker->frame);
	segment_split(&plan, worker->frame, worker->out + *used, worker->tx + *n);
	keypair = atomic_load_explicit(&peer->current, memory_order_acquire);
	if (!keypair_sends(keypair, now_ns)) {
		for (size_t i = 0; i < plan.count; i++)
			peer_stage(peer, &worker->tx[*n + i]);
		return FRAME_UNSENT;
	}
	for (size_t i = 0; i < plan.count; i++) {
		worker->tx[*n + i].owner = keypair;
		worker->tx[*n + i].key = keypair->send_key;
		worker->tx_ecn[*n + i] = ecn;
	}
	*n += plan.count;
	*used += plan.total;
	return FRAME_SENT;
}

/* Packets from `first` on with one session: the counters are taken at once. */
static size_t number_run(struct worker *worker, size_t first, size_t n)
{
	struct keypair *keypair = worker->tx[first].owner;
	size_t end = first + 1;
	uint64_t counter;

	while (end < n && worker->tx[end].owner == keypair)
		end++;
	counter = atomic_fetch_add_explicit(&keypair->counter, end - first, memory_order_relaxed);
	for (size_t i = first; i < end; i++) {
		const struct message_data header = {
			.type = htole32(MESSAGE_DATA),
			.receiver = htole32(keypair->remote_index),
			.counter = htole64(counter),
		};

		memcpy(worker->tx[i].data - PACKET_HEADROOM, &header, sizeof(header));
		worker->tx[i].counter = counter++;
	}
	return end;
}

/*
 * What finds no room is lost. A batch waits in vain once at most: it has up to TX_PACKETS runs, and other interfaces
 * wait with it.
 */
static void send_patiently(struct worker *worker, struct device *device, struct endpoint *to,
			   uint8_t ecn, const uint8_t *data, size_t len, size_t size)
{
	struct udp *udp = &device->udp[worker->number];
	struct pollfd room = { .events = POLLOUT };
	size_t sent = 0;

	room.fd = to->sa.sa_family == AF_INET ? udp->fd4 : udp->fd6;
	while (len && udp_send(udp, to, ecn, data, len, size, &sent) == -EAGAIN) {
		data += sent;
		len -= sent;
		if (worker->impatient || poll(&room, 1, SEND_PATIENCE_MS) <= 0) {
			worker->impatient = true;
			return;
		}
	}
}

/* Messages from `first` on that go out as one: one session, one size, the last may be shorter. */
static size_t send_run(struct worker *worker, struct device *device, size_t first, size_t n,
		       uint64_t now_ns)
{
	const struct packet *packets = worker->tx;
	struct keypair *keypair = packets[first].owner;
	struct peer *peer = keypair->peer;
	struct peer_endpoint *endpoint;
	uint32_t size = PACKET_OVERHEAD + packets[first].padded;
	const uint8_t *data = packets[first].data - PACKET_HEADROOM;
	size_t len = size, end = first + 1;
	struct endpoint to;

	while (end < n && packets[end].owner == keypair &&
	       packets[end].data - PACKET_HEADROOM == data + len &&
	       worker->tx_ecn[end] == worker->tx_ecn[first] &&
	       packets[end].padded <= packets[first].padded &&
	       packets[end - 1].padded == packets[first].padded)
		len += PACKET_OVERHEAD + packets[end++].padded;
	endpoint = atomic_load_explicit(&peer->endpoint, memory_order_acquire);
	if (!endpoint || packets[end - 1].counter >= REPLAY_COUNTER_MAX)
		return end;
	to = endpoint->endpoint;
	send_patiently(worker, device, &to, worker->tx_ecn[first], data, len, size);
	peer_change_endpoint(peer, endpoint, &to);
	atomic_fetch_add_explicit(&peer->tx_bytes, len, memory_order_relaxed);
	timers_sent(&peer->timers, true, now_ns);
	if (keypair_sent_enough(keypair, now_ns))
		peer_notify(peer, PEER_WANTS_REKEY);
	return end;
}

static void transmit(struct worker *worker, struct device *device)
{
	uint64_t now_ns = runtime_now();
	size_t n = 0, used = 0;
	enum frame frame = FRAME_SENT;

	for (int unsent = 0; frame && n < TX_PACKETS && used < TX_BYTES && unsent < TX_UNSENT;) {
		frame = read_frame(worker, device, &n, &used, now_ns);
		unsent += frame == FRAME_UNSENT;
	}
	for (size_t i = 0; i < n;)
		i = number_run(worker, i, n);
	worker->bulk |= n >= BULK_PACKETS;
	worker->impatient = false;
	if (n)
		aead_seal(worker->aead, worker->tx, n);
	for (size_t i = 0; i < n;)
		i = send_run(worker, device, i, n, now_ns);
}

/* One datagram: into the batch, or to the control thread. */
static size_t sort_datagram(struct worker *worker, struct device *device,
			    const struct udp_rx_entry *entry, uint8_t number, uint8_t *data,
			    uint32_t len, size_t n, uint64_t now_ns)
{
	struct message_data header;
	struct keypair *keypair;

	if (len < PACKET_OVERHEAD)
		return n;
	memcpy(&header, data, sizeof(header));
	if (le32toh(header.type) != MESSAGE_DATA) {
		if (message_is_handshake(le32toh(header.type), len))
			runtime_queue_message(worker->runtime, device, &entry->from, data, len);
		return n;
	}
	keypair = device_find_keypair(device, le32toh(header.receiver));
	if (!keypair || keypair_expired(keypair, now_ns))
		return n;
	worker->in[n] = (struct packet){
		.data = data + PACKET_HEADROOM,
		.padded = len - PACKET_OVERHEAD,
		.counter = le64toh(header.counter),
		.key = keypair->receive_key,
		.owner = keypair,
	};
	worker->in_entry[n] = number;
	return n + 1;
}

/* An opened packet that is new. */
static void deliver(struct device *device, struct coalesce *coalesce, struct packet *packet,
		    uint8_t outer_ecn)
{
	const struct keypair *keypair = packet->owner;
	uint32_t len = packet_inner_len(packet->data, packet->padded);

	if (!len ||
	    allowed_ips_find_src(atomic_load_explicit(&device->allowed_ips, memory_order_acquire),
				 packet->data, len) != keypair->peer)
		return;
	if (outer_ecn == 3)
		packet_set_ce(packet->data, len);
	coalesce_add(coalesce, packet->data, len);
}

/* What the packets of a run, all of one session, say of their peer. */
static void note_run(struct keypair *keypair, const struct endpoint *from, bool data,
		     uint64_t bytes, uint64_t now_ns)
{
	struct peer *peer = keypair->peer;
	struct peer_endpoint *endpoint =
		atomic_load_explicit(&peer->endpoint, memory_order_acquire);

	if (atomic_load_explicit(&peer->next_keypair, memory_order_acquire) == keypair)
		peer_promote(peer, keypair);
	if (!endpoint || !endpoint_equal(&endpoint->endpoint, from))
		peer_set_endpoint(peer, from);
	atomic_fetch_add_explicit(&peer->rx_bytes, bytes, memory_order_relaxed);
	timers_received(&peer->timers, data, now_ns);
	if (keypair_received_late(keypair, now_ns) &&
	    atomic_load_explicit(&peer->current, memory_order_acquire) == keypair &&
	    !atomic_exchange(&peer->timers.last_minute, true))
		peer_notify(peer, PEER_WANTS_REKEY);
}

static size_t receive_run(struct worker *worker, struct device *device, struct coalesce *coalesce,
			  const struct udp_rx_entry *entries, size_t first, size_t n,
			  uint64_t now_ns)
{
	struct keypair *keypair = worker->in[first].owner;
	const struct udp_rx_entry *last = NULL;
	uint64_t bytes = 0;
	size_t end = first;
	bool data = false;

	pthread_mutex_lock(&keypair->lock);
	for (; end < n && worker->in[end].owner == keypair; end++) {
		struct packet *packet = &worker->in[end];

		packet->ok = packet->ok && replay_accept(&keypair->replay, packet->counter);
		if (!packet->ok)
			continue;
		last = &entries[worker->in_entry[end]];
		bytes += packet->padded + PACKET_OVERHEAD;
		data = data || packet->padded;
	}
	pthread_mutex_unlock(&keypair->lock);
	if (!last)
		return end;
	note_run(keypair, &last->from, data, bytes, now_ns);
	for (size_t i = first; i < end; i++)
		if (worker->in[i].ok && worker->in[i].padded)
			deliver(device, coalesce, &worker->in[i], entries[worker->in_entry[i]].ecn);
	return end;
}

static void receive(struct worker *worker, struct device *device, int fd)
{
	struct coalesce *coalesce = device->tun.uso ? worker->coalesce : worker->coalesce_tcp;
	uint64_t now_ns = runtime_now();
	struct udp_rx_entry *entries;
	int n_entries = udp_recv(worker->rx, fd, &entries);
	size_t n = 0;

	for (int i = 0; i < n_entries; i++)
		for (uint32_t at = 0; at < entries[i].len && n < RX_ALL; at += entries[i].size) {
			uint32_t left = entries[i].len - at;

			n = sort_datagram(
				worker, device, &entries[i], (uint8_t)i, entries[i].data + at,
				left < entries[i].size ? left : entries[i].size, n, now_ns);
		}
	worker->bulk |= n >= BULK_PACKETS;
	if (!n)
		return;
	aead_open(worker->aead, worker->in, n);
	worker->tun_fd = device->tun.fd[worker->number];
	for (size_t i = 0; i < n;)
		i = receive_run(worker, device, coalesce, entries, i, n, now_ns);
	coalesce_flush(coalesce);
}

/* A frame for the TUN device; when its queue is full it is lost, as on any link. */
static void write_frame(void *data, const struct iovec *iov, int n, uint32_t packets,
			uint32_t bytes)
{
	const struct worker *worker = data;

	(void)packets;
	(void)bytes;
	(void)tun_write(worker->tun_fd, iov, n);
}

static void serve(struct worker *worker, uint64_t source)
{
	struct device *device = atomic_load_explicit(&worker->runtime->devices[source / KINDS],
						     memory_order_acquire);

	if (!device || !atomic_load(&device->open))
		return;
	switch ((enum source_kind)(source % KINDS)) {
	case SOURCE_TUN:
		transmit(worker, device);
		break;
	case SOURCE_UDP4:
		receive(worker, device, device->udp[worker->number].fd4);
		break;
	case SOURCE_UDP6:
		receive(worker, device, device->udp[worker->number].fd6);
		break;
	case SOURCE_STOP:
		break;
	}
}

int worker_serve(struct worker *worker, int timeout_ms)
{
	struct retire *retire = &worker->runtime->retire;
	struct epoll_event events[EVENTS];
	int n = epoll_wait(worker->epoll_fd, events, EVENTS, timeout_ms);

	worker->bulk = false;
	for (int i = 0; i < n; i++) {
		retire_enter(retire, worker->number);
		if (events[i].data.u64 != UINT64_MAX)
			serve(worker, events[i].data.u64);
		retire_leave(retire, worker->number);
	}
	return n;
}

/*
 * A worker that sleeps between two batches lets its CPU sleep as well, and to wake both costs them and the sender
 * more than to look again. Whoever else wants the CPU goes first.
 */
static void linger(struct worker *worker)
{
	uint64_t until = runtime_now() + LINGER_US * 1000ull;

	while (runtime_now() < until && !atomic_load(&worker->runtime->workers_stop)) {
		if (worker_serve(worker, 0) <= 0)
			(void)sched_yield(); /* never fails */
		else if (worker->bulk)
			until = runtime_now() + LINGER_US * 1000ull;
	}
}

static void *worker_run(void *data)
{
	struct worker *worker = data;

	(void)sandbox_thread();		   /* what has none to give up stays as it is */
	(void)sem_post(&worker->confined); /* nowhere near its limit */
	while (!atomic_load(&worker->runtime->workers_stop)) {
		(void)worker_serve(worker, -1); /* interrupted: again */
		if (worker->bulk)
			linger(worker);
	}
	return NULL;
}

static void worker_release(struct worker *worker)
{
	if (worker->epoll_fd >= 0)
		close(worker->epoll_fd);
	if (worker->stop_fd >= 0)
		close(worker->stop_fd);
	sem_destroy(&worker->confined);
	coalesce_free(worker->coalesce);
	coalesce_free(worker->coalesce_tcp);
	udp_rx_free(worker->rx);
	unreachable_free(worker->unreachable);
	aead_free(worker->aead);
	if (worker->frame)
		buffers_unmap(worker->frame, PACKET_MAX + 1 + TX_AREA);
	free(worker);
}

/* Signals are the control thread's. */
int worker_start(struct worker *worker)
{
	sigset_t all, before;
	char name[16];
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = -pthread_create(&worker->thread, NULL, worker_run, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc)
		return rc;
	worker->started = true;
	/* The filter of calls comes next, and it refuses to give up capabilities. */
	while (sem_wait(&worker->confined))
		;
	snprintf(name, sizeof(name), "wg-worker-%d", worker->number % TUN_QUEUES);
	(void)pthread_setname_np(worker->thread, name); /* for the reader of top only */
	return 0;
}

int worker_new(struct runtime *runtime, int number, const struct aead_provider *provider,
	       struct worker **ret_worker)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = UINT64_MAX };
	struct worker *worker = calloc(1, sizeof(*worker));
	int rc = -ENOMEM;

	if (!worker)
		return -ENOMEM;
	worker->runtime = runtime;
	worker->number = number;
	sem_init(&worker->confined, 0, 0);
	worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	worker->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	worker->aead = aead_new(provider);
	worker->unreachable = unreachable_new();
	worker->rx = udp_rx_new();
	worker->coalesce = coalesce_new(true, write_frame, worker);
	worker->coalesce_tcp = coalesce_new(false, write_frame, worker);
	worker->frame = buffers_map(PACKET_MAX + 1 + TX_AREA, NULL);
	worker->out = worker->frame + PACKET_MAX + 1;
	if (!worker->aead || !worker->unreachable || !worker->rx || !worker->coalesce ||
	    !worker->coalesce_tcp || !worker->frame)
		goto err_release;
	if (worker->epoll_fd < 0 || worker->stop_fd < 0 ||
	    epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, worker->stop_fd, &event)) {
		rc = -errno;
		goto err_release;
	}
	*ret_worker = worker;
	return 0;

err_release:
	worker_release(worker);
	return rc;
}

void worker_free(struct worker *worker)
{
	const uint64_t one = 1;

	if (!worker)
		return;
	if (worker->started) {
		/* It cannot fail: nothing else is written there. */
		if (write(worker->stop_fd, &one, sizeof(one)) != sizeof(one))
			abort();
		pthread_join(worker->thread, NULL);
	}
	worker_release(worker);
}
