/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A peer of an interface. The control thread owns it; workers read what is atomic, and take the lock to
 * change which session is in use and to leave packets that have none.
 */
#ifndef ENGINE_PEER_H
#define ENGINE_PEER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include "engine/cookie.h"
#include "engine/keypair.h"
#include "engine/noise.h"
#include "engine/packet.h"
#include "engine/socket.h"
#include "engine/timers.h"

struct device;

enum {
	PEER_STAGED_MAX = 128, /* packets that wait for a session; the oldest go first */
	PEER_NO_DEADLINE = -1,
};

/* What workers ask the control thread for. */
enum peer_event {
	PEER_STAGED = 1 << 0,	   /* packets wait */
	PEER_WANTS_REKEY = 1 << 1, /* the session nears its end */
	PEER_CONFIRMED = 1 << 2,   /* the first packet under the session of our response */
};

struct peer_endpoint {
	struct retired retired;
	struct endpoint endpoint;
};

struct staged {
	struct staged *next;
	struct packet packet;
	uint8_t bytes[]; /* with the room that a message takes */
};

struct peer {
	struct peer *next; /* of the interface's list */
	struct peer *next_hash;
	struct device *device;
	struct noise_handshake handshake;
	struct cookie_maker cookie;
	struct timers timers;
	struct timespec last_handshake; /* time of day; 0: none */
	uint64_t initiation_received_ns;
	bool dead;   /* removed: nothing is done for it any more */
	int heap_at; /* PEER_NO_DEADLINE: nowhere */
	uint64_t deadline_ns;

	struct peer_endpoint *_Atomic endpoint; /* NULL: not known */

	pthread_mutex_t lock; /* to write the three, and for what is staged */
	struct keypair *_Atomic current;
	struct keypair *previous;
	struct keypair *_Atomic next_keypair; /* of our response, not confirmed */
	struct staged *staged, **staged_end;
	unsigned int n_staged;

	_Atomic uint32_t events;
	struct peer *event_next;

	_Alignas(64) _Atomic uint64_t rx_bytes;
	_Atomic uint64_t tx_bytes;
};

/* NULL: no memory. */
struct peer *peer_new(struct device *device, const uint8_t public_key[MESSAGE_KEY_LEN]);
/* Nobody knows it any more, workers included. */
void peer_free(struct peer *peer);

/* By any thread. */
void peer_notify(struct peer *peer, enum peer_event event);
void peer_set_endpoint(struct peer *peer, const struct endpoint *endpoint);
/* Only if it is still `from`: by who read that, and did not learn of another one since. */
void peer_change_endpoint(struct peer *peer, struct peer_endpoint *from, const struct endpoint *to);
/* Copies; drops the oldest beyond PEER_STAGED_MAX. */
void peer_stage(struct peer *peer, const struct packet *packet);
/* A packet came under next_keypair: it is the current one now. */
void peer_promote(struct peer *peer, struct keypair *keypair);

/* The rest is the control thread's. */

/* Sessions after a handshake (the three roles as in the kernel's noise.c). */
void peer_add_keypair(struct peer *peer, struct keypair *keypair);
/* Sessions and the handshake under way; its indices with them. */
void peer_zero_keys(struct peer *peer);
/* The interface has another key. */
void peer_expire_keys(struct peer *peer);
void peer_drop_staged(struct peer *peer);

bool peer_has_staged(struct peer *peer);
/* Seal and send what waits, or ask for a session. A keepalive if nothing waits. */
void peer_send_staged(struct peer *peer, uint64_t now_ns);
void peer_send_keepalive(struct peer *peer, uint64_t now_ns);

/* What the events and timers of a peer are for; afterwards its deadline is right. */
void peer_handle_events(struct peer *peer, uint64_t now_ns);
void peer_handle_timers(struct peer *peer, uint64_t now_ns);
void peer_schedule(struct peer *peer, uint64_t now_ns);

#endif
