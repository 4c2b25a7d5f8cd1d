/* SPDX-License-Identifier: GPL-2.0-only */
/* An interface: its TUN device, sockets, peers and indices. The control thread owns it. */
#ifndef ENGINE_DEVICE_H
#define ENGINE_DEVICE_H

#include <net/if.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/allowed_ips.h"
#include "engine/cookie.h"
#include "engine/index.h"
#include "engine/keypair.h"
#include "engine/noise.h"
#include "engine/peer.h"
#include "engine/socket.h"
#include "engine/tun.h"

struct runtime;
struct uapi_set;
struct uapi_server;

enum {
	DEVICE_BUCKETS = 1024,
	DEVICE_FIRST_INDICES = 256,
	DEVICE_NAME_LEN = IFNAMSIZ,
};

struct device {
	struct runtime *runtime;
	int slot; /* in runtime->devices */
	char name[DEVICE_NAME_LEN];
	struct tun tun;
	struct uapi_server *uapi;
	_Atomic int mtu;
	bool link_up; /* as the kernel tells */
	bool up;      /* and with sockets */

	struct udp udp[TUN_QUEUES]; /* a pair a worker */
	_Atomic bool open;	    /* the sockets are */
	uint16_t port;		    /* wished for, or as it was given: 0: any */
	uint32_t fwmark;

	struct noise_identity identity;
	struct cookie_checker checker; /* the control thread's, who writes to it under: */
	pthread_mutex_t checker_lock;  /* workers read it under this */
	struct allowed_ips *_Atomic allowed_ips;
	struct index_table *_Atomic indices;
	struct peer *peers;
	struct peer *buckets[DEVICE_BUCKETS];
	unsigned int n_peers;
};

/* Of a TUN device with a queue a worker, and a UAPI socket that listens; both its own if it is made. 0 or -errno. */
int device_new(struct runtime *runtime, const struct tun *tun, int uapi_fd);
void device_free(struct device *device);

/* As the link is. -errno of opening the sockets: it stays down. */
int device_set_up(struct device *device, bool up);

struct peer *device_find_peer(const struct device *device, const uint8_t key[MESSAGE_KEY_LEN]);

/* A parsed change. 0 or -errno; what came before an error stays. */
int device_apply(struct device *device, const struct uapi_set *set);

/* A free index for a handshake of this peer; 0: no memory. */
uint32_t device_take_index(struct device *device, struct peer *peer);
void device_release_index(struct device *device, uint32_t index);

/* By workers. NULL: no such session. */
static inline struct keypair *device_find_keypair(struct device *device, uint32_t index)
{
	struct index_table *table = atomic_load_explicit(&device->indices, memory_order_acquire);
	struct keypair *keypair = atomic_load_explicit(&table->slots[index & table->mask].keypair,
						       memory_order_acquire);

	return keypair && keypair->local_index == index ? keypair : NULL;
}

/* A datagram from the control thread; failures are counted as losses on the way. */
void device_send(struct device *device, struct endpoint *to, uint8_t ecn, const void *data,
		 size_t len);

#endif
