/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/handshake.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "engine/device.h"
#include "engine/runtime.h"

static void send_to(struct peer *peer, const void *message, size_t len, uint64_t now_ns)
{
	struct peer_endpoint *endpoint = atomic_load(&peer->endpoint);
	struct endpoint to;

	if (!endpoint)
		return;
	to = endpoint->endpoint;
	device_send(peer->device, &to, 0, message, len);
	peer_change_endpoint(peer, endpoint, &to);
	atomic_fetch_add_explicit(&peer->tx_bytes, len, memory_order_relaxed);
	timers_sent(&peer->timers, false, now_ns);
}

/* The index of the handshake before, if that led nowhere. */
static void release_index(struct peer *peer)
{
	if (peer->handshake.local_index)
		device_release_index(peer->device, peer->handshake.local_index);
	peer->handshake.local_index = 0;
}

void handshake_initiate(struct peer *peer, bool retry, uint64_t now_ns)
{
	uint8_t timestamp[MESSAGE_TIMESTAMP_LEN];
	struct message_initiation message;
	uint32_t index;

	if (!retry)
		peer->timers.attempts = 0;
	if (peer->dead || !peer->device->up || !timers_may_initiate(&peer->timers, now_ns))
		return;
	release_index(peer);
	index = device_take_index(peer->device, peer);
	if (!index)
		return;
	noise_timestamp(timestamp);
	if (noise_initiation_create(&peer->handshake, &peer->device->identity, index, timestamp,
				    &message)) {
		device_release_index(peer->device, index);
		return;
	}
	cookie_sign(&peer->cookie, &message, sizeof(message), now_ns);
	timers_initiation_sent(&peer->timers, now_ns);
	send_to(peer, &message, sizeof(message), now_ns);
	peer_schedule(peer, now_ns);
}

/* The session that a finished handshake leads to, under the handshake's index. */
static int session_begin(struct peer *peer, uint64_t now_ns)
{
	struct keypair *keypair = aligned_alloc(_Alignof(struct keypair), sizeof(*keypair));
	struct noise_keys keys;
	struct index_slot *slot;

	if (!keypair)
		return -1;
	memset(keypair, 0, sizeof(*keypair));
	keypair->peer = peer;
	keypair->local_index = peer->handshake.local_index;
	keypair->remote_index = peer->handshake.remote_index;
	if (noise_keys_derive(&peer->handshake, &keys)) {
		free(keypair);
		return -1;
	}
	keypair->initiator = keys.initiator;
	keypair->created_ns = now_ns;
	memcpy(keypair->send_key, keys.send, sizeof(keys.send));
	memcpy(keypair->receive_key, keys.receive, sizeof(keys.receive));
	sodium_memzero(&keys, sizeof(keys));
	pthread_mutex_init(&keypair->lock, NULL);
	slot = index_find(atomic_load(&peer->device->indices), keypair->local_index);
	slot->handshake = NULL;
	atomic_store(&slot->keypair, keypair);
	peer_add_keypair(peer, keypair);
	timers_session_derived(&peer->timers, now_ns);
	return 0;
}

static void receive_initiation(struct device *device, const struct message_initiation *initiation,
			       const struct endpoint *from, uint64_t now_ns)
{
	struct message_response response;
	struct noise_opening opening;
	struct peer *peer;
	uint32_t index;

	if (noise_initiation_open(&device->identity, initiation, &opening))
		return;
	peer = device_find_peer(device, opening.remote_static);
	if (!peer || (peer->initiation_received_ns &&
		      now_ns < peer->initiation_received_ns + TIMERS_S / INITIATIONS_PER_S))
		goto out;
	if (noise_initiation_accept(&peer->handshake, &opening, initiation))
		goto out;
	peer->initiation_received_ns = now_ns;
	peer_set_endpoint(peer, from);
	release_index(peer);
	index = device_take_index(device, peer);
	if (!index)
		goto out;
	if (noise_response_create(&peer->handshake, index, &response)) {
		device_release_index(device, index);
		goto out;
	}
	atomic_fetch_add_explicit(&peer->rx_bytes, sizeof(*initiation), memory_order_relaxed);
	cookie_sign(&peer->cookie, &response, sizeof(response), now_ns);
	timers_received(&peer->timers, false, now_ns);
	if (!session_begin(peer, now_ns)) {
		peer->timers.initiation_sent_ns = now_ns;
		send_to(peer, &response, sizeof(response), now_ns);
	}
	peer_schedule(peer, now_ns);
out:
	sodium_memzero(&opening, sizeof(opening));
}

static void receive_response(struct device *device, const struct message_response *response,
			     const struct endpoint *from, uint64_t now_ns)
{
	struct index_slot *slot =
		index_find(atomic_load(&device->indices), le32toh(response->receiver));
	struct peer *peer = slot ? slot->handshake : NULL;

	if (!peer || noise_response_accept(&peer->handshake, &device->identity, response))
		return;
	peer_set_endpoint(peer, from);
	atomic_fetch_add_explicit(&peer->rx_bytes, sizeof(*response), memory_order_relaxed);
	timers_received(&peer->timers, false, now_ns);
	if (session_begin(peer, now_ns))
		return;
	timers_handshake_complete(&peer->timers);
	clock_gettime(CLOCK_REALTIME, &peer->last_handshake);
	/* Also where nothing waits: the peer may use the session only then. */
	peer_send_keepalive(peer, now_ns);
	peer_schedule(peer, now_ns);
}

static void receive_cookie(struct device *device, const struct message_cookie *reply,
			   uint64_t now_ns)
{
	struct index_slot *slot =
		index_find(atomic_load(&device->indices), le32toh(reply->receiver));
	struct keypair *keypair = slot ? atomic_load(&slot->keypair) : NULL;
	struct peer *peer = keypair ? keypair->peer : slot ? slot->handshake : NULL;

	if (peer)
		(void)cookie_accept(&peer->cookie, reply, now_ns);
}

/* Address and port, as a cookie is made for them. */
static size_t address_bytes(const struct endpoint *from, uint8_t ret[COOKIE_ADDRESS_MAX])
{
	if (from->sa.sa_family == AF_INET) {
		memcpy(ret, &from->in.sin_addr, 4);
		memcpy(ret + 4, &from->in.sin_port, 2);
		return 6;
	}
	memcpy(ret, &from->in6.sin6_addr, 16);
	memcpy(ret + 16, &from->in6.sin6_port, 2);
	return 18;
}

bool handshake_shows_cookie(struct device *device, const struct endpoint *from,
			    const uint8_t *bytes, uint32_t len, uint64_t now_ns)
{
	uint8_t address[COOKIE_ADDRESS_MAX];
	size_t address_len = address_bytes(from, address);
	struct cookie_checker checker;
	enum cookie_verdict verdict;

	/* A cookie reply has no mac2, and most of a flood has none either. */
	if (len == sizeof(struct message_cookie) ||
	    sodium_is_zero(bytes + len - MESSAGE_MAC_LEN, MESSAGE_MAC_LEN))
		return false;
	pthread_mutex_lock(&device->checker_lock);
	checker = device->checker;
	pthread_mutex_unlock(&device->checker_lock);
	verdict = cookie_check(&checker, bytes, len, address, address_len, now_ns);
	sodium_memzero(&checker, sizeof(checker));
	return verdict == COOKIE_MAC1_AND_MAC2;
}

/* May it cost us the rest? If not, it has been answered or is dropped. */
static bool admit(struct runtime_message *message, bool under_load, uint64_t now_ns)
{
	struct device *device = message->device;
	uint8_t address[COOKIE_ADDRESS_MAX];
	size_t address_len = address_bytes(&message->from, address);
	struct message_cookie reply;

	switch (cookie_check(&device->checker, message->bytes, message->len, address, address_len,
			     now_ns)) {
	case COOKIE_INVALID:
		return false;
	case COOKIE_MAC1:
		if (!under_load)
			return true;
		if (cookie_expired(&device->checker, now_ns)) {
			pthread_mutex_lock(&device->checker_lock);
			cookie_renew(&device->checker, now_ns);
			pthread_mutex_unlock(&device->checker_lock);
		}
		cookie_reply(&device->checker, message->bytes, message->len, address, address_len,
			     &reply);
		device_send(device, &message->from, 0, &reply, sizeof(reply));
		return false;
	case COOKIE_MAC1_AND_MAC2:
		return !under_load ||
		       ratelimit_allow(device->runtime->ratelimit, &message->from.sa, now_ns);
	}
	return false;
}

void handshake_receive(struct runtime_message *message, bool under_load, uint64_t now_ns)
{
	struct device *device = message->device;
	uint32_t type;

	memcpy(&type, message->bytes, sizeof(type));
	type = le32toh(type);
	/* It may have gone down since. */
	if (!device->up || !device->identity.set || !message_is_handshake(type, message->len))
		return;
	if (type == MESSAGE_COOKIE) {
		struct message_cookie reply;

		memcpy(&reply, message->bytes, sizeof(reply));
		receive_cookie(device, &reply, now_ns);
	} else if (type == MESSAGE_INITIATION) {
		struct message_initiation initiation;

		memcpy(&initiation, message->bytes, sizeof(initiation));
		if (admit(message, under_load, now_ns))
			receive_initiation(device, &initiation, &message->from, now_ns);
	} else {
		struct message_response response;

		memcpy(&response, message->bytes, sizeof(response));
		if (admit(message, under_load, now_ns))
			receive_response(device, &response, &message->from, now_ns);
	}
}
