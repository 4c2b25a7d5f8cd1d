/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The process: workers, one a core, that carry packets, and the control thread for all that is slow
 * or rare. Workers hand over handshake messages by a bounded queue and peers by a list.
 */
#ifndef ENGINE_RUNTIME_H
#define ENGINE_RUNTIME_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/aead.h"
#include "engine/device.h"
#include "engine/message.h"
#include "engine/ratelimit.h"
#include "engine/retire.h"

struct worker;
struct uapi_watch;

enum {
	RUNTIME_DEVICES = 256,
	RUNTIME_QUEUE = 4096,			/* handshake messages */
	RUNTIME_QUEUE_OPEN = RUNTIME_QUEUE / 2, /* from there on of those who show a cookie */
	RUNTIME_UNDER_LOAD = RUNTIME_QUEUE / 8, /* waiting at a time: cookies are asked for */
};

struct runtime_message {
	struct device *device;
	struct endpoint from;
	uint32_t len;
	uint8_t bytes[MESSAGE_HANDSHAKE_MAX];
};

struct runtime {
	int n_workers;
	struct worker *workers[TUN_QUEUES];
	struct retire retire;
	struct device *_Atomic devices[RUNTIME_DEVICES];
	int n_devices;

	int epoll_fd;
	int wake_fd;
	int netlink_fd;
	bool stopping;
	bool stays; /* without interfaces, too */
	_Atomic bool workers_stop;

	pthread_mutex_t queue_lock;
	struct runtime_message *queue;
	unsigned int queue_head;
	_Atomic unsigned int queue_count;
	uint64_t loaded_until_ns;

	struct peer *_Atomic events; /* MPSC stack */

	struct peer **heap; /* by deadline */
	int heap_used, heap_room;

	struct aead *aead; /* the control thread's */
	struct ratelimit *ratelimit;
	struct uapi_watch *uapi_watch; /* from the first interface on */
};

/* What the control thread watches. */
struct runtime_source {
	void (*ready)(struct runtime_source *source, uint32_t events);
	int fd;
};

/* 0 or -errno; provider NULL: the best. */
int runtime_new(int n_workers, const struct aead_provider *provider, struct runtime **ret_runtime);
void runtime_free(struct runtime *runtime);

/* Serve until runtime_stop(), or, unless it stays, until the last interface is gone. */
int runtime_run(struct runtime *runtime);
void runtime_stop(struct runtime *runtime);

/* The kernel is asked again how the links are. */
void runtime_ask_links(struct runtime *runtime);

int runtime_watch(struct runtime *runtime, struct runtime_source *source, uint32_t events);
void runtime_unwatch(struct runtime *runtime, struct runtime_source *source);

/* By workers. */
void runtime_queue_message(struct runtime *runtime, struct device *device,
			   const struct endpoint *from, const uint8_t *bytes, uint32_t len);
void runtime_queue_peer(struct runtime *runtime, struct peer *peer);

/* The control thread's: nobody is left in the lists of what a peer or device was. */
void runtime_drain_events(struct runtime *runtime, uint64_t now_ns);
void runtime_forget_device(struct runtime *runtime, const struct device *device);
void runtime_heap_update(struct runtime *runtime, struct peer *peer, uint64_t deadline_ns);

/* CLOCK_BOOTTIME: sessions age while a machine sleeps. */
uint64_t runtime_now(void);

#endif
