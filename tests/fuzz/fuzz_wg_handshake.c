/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Handshake messages of any content for an interface with one peer. First byte: 0: the rest is the
 * message as it comes; 1 to 3: what an honest peer sends (initiation, response, cookie reply), with the
 * rest laid over it by XOR, and mac1 right all the same if its high bit is set. Whatever is not exactly
 * what the peer sent must leave no session and no cookie.
 */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "engine/device.h"
#include "engine/handshake.h"
#include "engine/runtime.h"
#include "engine/uapi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW (1000 * TIMERS_S)

static struct runtime runtime;
static struct device *us;
static struct noise_identity them;
static struct noise_handshake to_us;

static void check(int good)
{
	if (!good)
		abort();
}

static void begin(void)
{
	static const uint8_t our_key[32] = { 7, 7 }, their_key[32] = { 9, 9 };
	struct uapi_peer peer = { .has_persistent = true };
	struct uapi_set set = { .has_private_key = true, .peers = &peer, .n_peers = 1 };

	hash_prepare();
	noise_identity_set(&them, their_key);
	memcpy(set.private_key, our_key, 32);
	memcpy(peer.public_key, them.public_key, 32);
	peer.has_endpoint = true;
	peer.endpoint.in.sin_family = AF_INET;
	if (!runtime.aead) {
		runtime.aead = aead_new(NULL);
		runtime.ratelimit = ratelimit_new(HANDSHAKE_PER_S, HANDSHAKE_BURST);
		runtime.wake_fd = -1;
	}
	us = calloc(1, sizeof(*us));
	check(us && runtime.aead && runtime.ratelimit);
	us->runtime = &runtime;
	atomic_store(&us->allowed_ips, allowed_ips_new());
	atomic_store(&us->indices, index_table_new(DEVICE_FIRST_INDICES));
	check(!device_apply(us, &set));
	us->up = true;
	memset(&to_us, 0, sizeof(to_us));
	noise_handshake_init(&to_us, &them, us->identity.public_key);
}

static void end(void)
{
	struct uapi_set set = { .replace_peers = true };

	check(!device_apply(us, &set));
	check(!us->peers && !atomic_load(&us->indices)->used && !runtime.heap_used);
	allowed_ips_free(atomic_load(&us->allowed_ips));
	free(atomic_load(&us->indices));
	free(us);
}

static void sign(void *message, size_t len, bool macs)
{
	struct cookie_maker maker;

	cookie_maker_init(&maker, us->identity.public_key);
	if (macs)
		cookie_sign(&maker, message, len, NOW);
}

/* An honest message of this type; for a response we have begun before. */
static uint32_t honest(unsigned int type, uint8_t *bytes)
{
	static const uint8_t timestamp[MESSAGE_TIMESTAMP_LEN] = { 0x40, 1 };
	struct peer *peer = us->peers;
	struct message_initiation initiation;
	struct message_response response;
	struct noise_opening opening;
	struct cookie_checker checker;
	struct message_cookie cookie;

	if (type == 1) {
		check(!noise_initiation_create(&to_us, &them, 5, timestamp, &initiation));
		sign(&initiation, sizeof(initiation), true);
		memcpy(bytes, &initiation, sizeof(initiation));
		return sizeof(initiation);
	}
	check(!noise_initiation_create(&peer->handshake, &us->identity, device_take_index(us, peer),
				       timestamp, &initiation));
	cookie_sign(&peer->cookie, &initiation, sizeof(initiation), NOW);
	if (type == 3) {
		cookie_checker_init(&checker, them.public_key);
		cookie_renew(&checker, NOW);
		cookie_reply(&checker, &initiation, sizeof(initiation), "here", 4, &cookie);
		memcpy(bytes, &cookie, sizeof(cookie));
		return sizeof(cookie);
	}
	check(!noise_initiation_open(&them, &initiation, &opening));
	check(!noise_initiation_accept(&to_us, &opening, &initiation));
	check(!noise_response_create(&to_us, 6, &response));
	sign(&response, sizeof(response), true);
	memcpy(bytes, &response, sizeof(response));
	return sizeof(response);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t original[MESSAGE_HANDSHAKE_MAX] = { 0 };
	struct runtime_message message = { .from.in.sin_family = AF_INET };
	unsigned int type;
	bool untouched, changed, session, cookie;

	if (!size || size > 1 + MESSAGE_HANDSHAKE_MAX)
		return 0;
	begin();
	message.device = us;
	type = data[0] & 3;
	if (type) {
		message.len = honest(type, message.bytes);
		memcpy(original, message.bytes, message.len);
		for (size_t i = 1; i < size && i <= message.len; i++)
			message.bytes[i - 1] ^= data[i];
		if (type != 3)
			sign(message.bytes, message.len, data[0] & 0x80);
	} else {
		message.len = (uint32_t)size - 1;
		memcpy(message.bytes, data + 1, size - 1);
	}
	untouched = type && !memcmp(original, message.bytes, message.len);
	handshake_receive(&message, data[0] & 0x40, NOW);
	session = atomic_load(&us->peers->current) || atomic_load(&us->peers->next_keypair);
	cookie = us->peers->cookie.cookie_ns != 0;
	/* The sender's index and what stands for it, mac2: the peer's business alone. */
	if (type == 1 || type == 2) {
		memcpy(message.bytes + 4, original + 4, 4);
		memcpy(message.bytes + message.len - 16, original + message.len - 16, 16);
		if (data[0] & 0x80)
			memcpy(message.bytes + message.len - 32, original + message.len - 32, 16);
	}
	changed = !type || memcmp(original, message.bytes, message.len);
	check(!session || (type != 3 && !changed));
	check(!cookie || (type == 3 && !changed));
	check(!untouched || (data[0] & 0x40) || session || cookie);
	end();
	return 0;
}
