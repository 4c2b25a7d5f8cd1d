/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/peer.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "engine/device.h"
#include "engine/handshake.h"
#include "engine/runtime.h"

static void keypair_unlink(struct retired *retired)
{
	struct keypair *keypair = (struct keypair *)retired;

	device_release_index(keypair->peer->device, keypair->local_index);
}

static void keypair_free(struct retired *retired)
{
	struct keypair *keypair = (struct keypair *)retired;

	pthread_mutex_destroy(&keypair->lock);
	sodium_memzero(keypair, sizeof(*keypair));
	free(keypair);
}

static void retire_keypair(struct peer *peer, struct keypair *keypair)
{
	if (!keypair)
		return;
	keypair->retired.unlink = keypair_unlink;
	keypair->retired.free = keypair_free;
	retire_add(&peer->device->runtime->retire, &keypair->retired);
}

struct peer *peer_new(struct device *device, const uint8_t public_key[MESSAGE_KEY_LEN])
{
	struct peer *peer = aligned_alloc(_Alignof(struct peer), sizeof(*peer));

	if (!peer)
		return NULL;
	memset(peer, 0, sizeof(*peer));
	peer->device = device;
	peer->heap_at = PEER_NO_DEADLINE;
	peer->staged_end = &peer->staged;
	pthread_mutex_init(&peer->lock, NULL);
	noise_handshake_init(&peer->handshake, &device->identity, public_key);
	cookie_maker_init(&peer->cookie, public_key);
	return peer;
}

void peer_free(struct peer *peer)
{
	if (!peer)
		return;
	peer_drop_staged(peer);
	free(atomic_load(&peer->endpoint));
	pthread_mutex_destroy(&peer->lock);
	sodium_memzero(peer, sizeof(*peer));
	free(peer);
}

void peer_notify(struct peer *peer, enum peer_event event)
{
	if (atomic_load_explicit(&peer->events, memory_order_relaxed) & event)
		return;
	if (!atomic_fetch_or(&peer->events, event))
		runtime_queue_peer(peer->device->runtime, peer);
}

static void endpoint_free(struct retired *retired)
{
	free(retired);
}

static struct peer_endpoint *endpoint_new(const struct endpoint *endpoint)
{
	struct peer_endpoint *next = calloc(1, sizeof(*next));

	if (next)
		next->endpoint = *endpoint;
	return next;
}

static void retire_endpoint(struct peer *peer, struct peer_endpoint *old)
{
	if (!old)
		return;
	old->retired.free = endpoint_free;
	retire_add(&peer->device->runtime->retire, &old->retired);
}

void peer_set_endpoint(struct peer *peer, const struct endpoint *endpoint)
{
	struct peer_endpoint *next = endpoint_new(endpoint);

	if (next)
		retire_endpoint(peer, atomic_exchange(&peer->endpoint, next));
}

void peer_change_endpoint(struct peer *peer, struct peer_endpoint *from, const struct endpoint *to)
{
	struct peer_endpoint *next;

	if (endpoint_equal(to, &from->endpoint))
		return;
	next = endpoint_new(to);
	if (!next)
		return;
	if (atomic_compare_exchange_strong(&peer->endpoint, &from, next))
		retire_endpoint(peer, from);
	else
		free(next);
}

static struct staged *staged_take(struct peer *peer)
{
	struct staged *staged = peer->staged;

	if (!staged)
		return NULL;
	peer->staged = staged->next;
	if (!peer->staged)
		peer->staged_end = &peer->staged;
	peer->n_staged--;
	return staged;
}

static void staged_free(struct staged *staged)
{
	if (!staged)
		return;
	sodium_memzero(staged->bytes, PACKET_OVERHEAD + staged->packet.padded);
	free(staged);
}

static struct staged *staged_new(const uint8_t *data, uint32_t len, uint32_t padded)
{
	struct staged *staged = calloc(1, sizeof(*staged) + PACKET_OVERHEAD + padded);

	if (!staged)
		return NULL;
	staged->packet.data = staged->bytes + PACKET_HEADROOM;
	staged->packet.len = len;
	staged->packet.padded = padded;
	if (len)
		memcpy(staged->packet.data, data, len);
	return staged;
}

static void stage(struct peer *peer, struct staged *staged)
{
	struct staged *oldest = NULL;

	pthread_mutex_lock(&peer->lock);
	*peer->staged_end = staged;
	peer->staged_end = &staged->next;
	if (++peer->n_staged > PEER_STAGED_MAX)
		oldest = staged_take(peer);
	pthread_mutex_unlock(&peer->lock);
	staged_free(oldest);
}

void peer_stage(struct peer *peer, const struct packet *packet)
{
	struct staged *staged = staged_new(packet->data, packet->len, packet->padded);

	if (!staged)
		return;
	stage(peer, staged);
	peer_notify(peer, PEER_STAGED);
}

void peer_drop_staged(struct peer *peer)
{
	struct staged *list, *next;

	pthread_mutex_lock(&peer->lock);
	list = peer->staged;
	peer->staged = NULL;
	peer->staged_end = &peer->staged;
	peer->n_staged = 0;
	pthread_mutex_unlock(&peer->lock);
	for (; list; list = next) {
		next = list->next;
		staged_free(list);
	}
}

void peer_promote(struct peer *peer, struct keypair *keypair)
{
	pthread_mutex_lock(&peer->lock);
	if (atomic_load(&peer->next_keypair) == keypair) {
		retire_keypair(peer, peer->previous);
		peer->previous = atomic_load(&peer->current);
		atomic_store(&peer->current, keypair);
		atomic_store(&peer->next_keypair, NULL);
		peer_notify(peer, PEER_CONFIRMED);
	}
	pthread_mutex_unlock(&peer->lock);
}

void peer_add_keypair(struct peer *peer, struct keypair *keypair)
{
	struct keypair *next, *current;

	pthread_mutex_lock(&peer->lock);
	next = atomic_load(&peer->next_keypair);
	current = atomic_load(&peer->current);
	retire_keypair(peer, peer->previous);
	peer->previous = NULL;
	if (keypair->initiator) {
		if (next) {
			/* Both began: the peer may have packets under way for our response. */
			peer->previous = next;
			atomic_store(&peer->next_keypair, NULL);
			retire_keypair(peer, current);
		} else {
			peer->previous = current;
		}
		atomic_store(&peer->current, keypair);
	} else {
		atomic_store(&peer->next_keypair, keypair);
		retire_keypair(peer, next);
	}
	pthread_mutex_unlock(&peer->lock);
}

void peer_zero_keys(struct peer *peer)
{
	pthread_mutex_lock(&peer->lock);
	retire_keypair(peer, peer->previous);
	retire_keypair(peer, atomic_exchange(&peer->current, NULL));
	retire_keypair(peer, atomic_exchange(&peer->next_keypair, NULL));
	peer->previous = NULL;
	pthread_mutex_unlock(&peer->lock);
	if (peer->handshake.local_index)
		device_release_index(peer->device, peer->handshake.local_index);
	noise_handshake_clear(&peer->handshake);
}

void peer_expire_keys(struct peer *peer)
{
	struct keypair *current, *next;

	pthread_mutex_lock(&peer->lock);
	current = atomic_load(&peer->current);
	next = atomic_load(&peer->next_keypair);
	if (current)
		atomic_store(&current->dead, true);
	if (next)
		atomic_store(&next->dead, true);
	pthread_mutex_unlock(&peer->lock);
	peer->timers.initiation_sent_ns = 0; /* of the other key: the next may begin at once */
	if (peer->handshake.local_index)
		device_release_index(peer->device, peer->handshake.local_index);
	noise_handshake_clear(&peer->handshake);
}

bool peer_has_staged(struct peer *peer)
{
	bool has;

	pthread_mutex_lock(&peer->lock);
	has = peer->staged != NULL;
	pthread_mutex_unlock(&peer->lock);
	return has;
}

static void send_one(struct peer *peer, struct keypair *keypair, struct staged *staged,
		     uint64_t now_ns)
{
	struct peer_endpoint *endpoint = atomic_load(&peer->endpoint);
	struct packet *packet = &staged->packet;
	struct message_data *header = (void *)staged->bytes;
	size_t len = PACKET_OVERHEAD + packet->padded;
	uint64_t counter = atomic_fetch_add(&keypair->counter, 1);

	if (!endpoint || counter >= REPLAY_COUNTER_MAX)
		return;
	header->type = htole32(MESSAGE_DATA);
	header->receiver = htole32(keypair->remote_index);
	header->counter = htole64(counter);
	packet->counter = counter;
	packet->key = keypair->send_key;
	uint8_t ecn = packet->len ? packet_ecn(packet->data) : 0;

	aead_seal(peer->device->runtime->aead, packet, 1);
	struct endpoint to = endpoint->endpoint;

	device_send(peer->device, &to, ecn, staged->bytes, len);
	peer_change_endpoint(peer, endpoint, &to);
	atomic_fetch_add_explicit(&peer->tx_bytes, len, memory_order_relaxed);
	timers_sent(&peer->timers, packet->len, now_ns);
}

void peer_send_staged(struct peer *peer, uint64_t now_ns)
{
	struct keypair *keypair = atomic_load(&peer->current);
	struct staged *staged;

	if (!keypair_sends(keypair, now_ns)) {
		handshake_initiate(peer, false, now_ns);
		return;
	}
	do {
		pthread_mutex_lock(&peer->lock);
		staged = staged_take(peer);
		pthread_mutex_unlock(&peer->lock);
		if (staged)
			send_one(peer, keypair, staged, now_ns);
		staged_free(staged);
	} while (staged);
	if (keypair_sent_enough(keypair, now_ns))
		handshake_initiate(peer, false, now_ns);
}

void peer_send_keepalive(struct peer *peer, uint64_t now_ns)
{
	if (!peer_has_staged(peer)) {
		struct staged *staged = staged_new(NULL, 0, 0);

		if (staged)
			stage(peer, staged);
	}
	peer_send_staged(peer, now_ns);
}

void peer_handle_events(struct peer *peer, uint64_t now_ns)
{
	uint32_t events = atomic_exchange(&peer->events, 0);

	if (peer->dead)
		return;
	if (events & PEER_CONFIRMED) {
		timers_handshake_complete(&peer->timers);
		clock_gettime(CLOCK_REALTIME, &peer->last_handshake);
	}
	if (events & (PEER_STAGED | PEER_CONFIRMED) && peer_has_staged(peer))
		peer_send_staged(peer, now_ns);
	if (events & PEER_WANTS_REKEY)
		handshake_initiate(peer, false, now_ns);
	peer_schedule(peer, now_ns);
}

static void clear_source(struct peer *peer)
{
	struct peer_endpoint *endpoint = atomic_load(&peer->endpoint);

	if (endpoint) {
		struct endpoint copy = endpoint->endpoint;

		endpoint_clear_src(&copy);
		peer_change_endpoint(peer, endpoint, &copy);
	}
}

void peer_handle_timers(struct peer *peer, uint64_t now_ns)
{
	unsigned int actions = timers_expire(&peer->timers, now_ns);

	if (peer->dead)
		return;
	if (actions & TIMERS_GIVE_UP)
		peer_drop_staged(peer);
	if (actions & TIMERS_ZERO_KEYS)
		peer_zero_keys(peer);
	if (actions & (TIMERS_RETRY_HANDSHAKE | TIMERS_NEW_HANDSHAKE))
		clear_source(peer);
	if (actions & TIMERS_RETRY_HANDSHAKE)
		handshake_initiate(peer, true, now_ns);
	else if (actions & TIMERS_NEW_HANDSHAKE)
		handshake_initiate(peer, false, now_ns);
	if (actions & TIMERS_KEEPALIVE)
		peer_send_keepalive(peer, now_ns);
	peer_schedule(peer, now_ns);
}

void peer_schedule(struct peer *peer, uint64_t now_ns)
{
	runtime_heap_update(peer->device->runtime, peer,
			    peer->device->up ? timers_deadline(&peer->timers, now_ns) : UINT64_MAX);
}
