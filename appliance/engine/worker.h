/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The packet path, run to completion on one core: frames from the TUN device are cut, sealed and sent in
 * batches; datagrams received, opened, joined and written. No lock is shared on the way but a session's
 * window, which one worker has for itself as a flow of datagrams comes to one socket.
 */
#ifndef ENGINE_WORKER_H
#define ENGINE_WORKER_H

struct aead_provider;
struct device;
struct runtime;
struct worker;

/* 0 or -errno. */
int worker_new(struct runtime *runtime, int number, const struct aead_provider *provider,
	       struct worker **ret_worker);
/* A thread of its own that serves until runtime->workers_stop is set. 0 or -errno. */
int worker_start(struct worker *worker);
/*
 * In the caller's thread where it has none: what is ready is served once each. How much that was: 0 after
 * timeout_ms (-1: never) without anything, -1 with errno.
 */
int worker_serve(struct worker *worker, int timeout_ms);
/* Ends its thread, if it has one. */
void worker_free(struct worker *worker);

/* The TUN queue and the sockets of a device, open. By the control thread. */
int worker_watch(struct worker *worker, const struct device *device);
/* Before they are closed; retire_synchronize() afterwards. */
void worker_unwatch(struct worker *worker, const struct device *device);

#endif
