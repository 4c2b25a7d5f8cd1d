/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/noise.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

static const char construction[] = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
static const char identifier[] = "WireGuard v1 zx2c4 Jason@zx2c4.com";

enum {
	TIMESTAMP_COARSE_NS = 1 << 24,
};

/* 2^62 and the ten seconds of 1970: TAI64 counts from there, and no system knows leap seconds. */
#define TIMESTAMP_BASE 0x400000000000000aULL

static void mix_hash(uint8_t hash[HASH_LEN], const void *data, size_t len)
{
	hash_two(hash, HASH_LEN, data, len, hash);
}

static void start(uint8_t chaining[HASH_LEN], uint8_t hash[HASH_LEN],
		  const uint8_t responder[MESSAGE_KEY_LEN])
{
	hash_two(construction, sizeof(construction) - 1, "", 0, chaining);
	hash_two(chaining, HASH_LEN, identifier, sizeof(identifier) - 1, hash);
	mix_hash(hash, responder, MESSAGE_KEY_LEN);
}

/* chaining = KDF1, or chaining and key = KDF2, of a DH. -EINVAL: a point of small order. */
static int mix_dh(uint8_t chaining[HASH_LEN], uint8_t key[HASH_LEN],
		  const uint8_t private_key[MESSAGE_KEY_LEN],
		  const uint8_t public_key[MESSAGE_KEY_LEN])
{
	uint8_t shared[MESSAGE_KEY_LEN];

	if (crypto_scalarmult(shared, private_key, public_key))
		return -EINVAL;
	hash_kdf(chaining, shared, sizeof(shared), chaining, key, NULL);
	sodium_memzero(shared, sizeof(shared));
	return 0;
}

static const uint8_t zero_nonce[crypto_aead_chacha20poly1305_IETF_NPUBBYTES];

/* Seal with the hash as additional data, and mix what was sealed into the hash. */
static void seal(const uint8_t key[HASH_LEN], uint8_t hash[HASH_LEN], const uint8_t *plain,
		 size_t len, uint8_t *ret)
{
	(void)crypto_aead_chacha20poly1305_ietf_encrypt(ret, NULL, plain, len, hash, HASH_LEN, NULL,
							zero_nonce, key);
	mix_hash(hash, ret, len + MESSAGE_TAG_LEN);
}

static int open_sealed(const uint8_t key[HASH_LEN], uint8_t hash[HASH_LEN], const uint8_t *sealed,
		       size_t len, uint8_t *ret)
{
	if (crypto_aead_chacha20poly1305_ietf_decrypt(ret, NULL, NULL, sealed, len, hash, HASH_LEN,
						      zero_nonce, key))
		return -EBADMSG;
	mix_hash(hash, sealed, len);
	return 0;
}

void noise_identity_set(struct noise_identity *identity, const uint8_t private_key[MESSAGE_KEY_LEN])
{
	sodium_memzero(identity, sizeof(*identity));
	if (sodium_is_zero(private_key, MESSAGE_KEY_LEN))
		return;
	memcpy(identity->private_key, private_key, MESSAGE_KEY_LEN);
	identity->private_key[0] &= 248;
	identity->private_key[31] = (identity->private_key[31] & 127) | 64;
	(void)crypto_scalarmult_base(identity->public_key, identity->private_key);
	identity->set = true;
}

void noise_handshake_init(struct noise_handshake *handshake, const struct noise_identity *identity,
			  const uint8_t remote_static[MESSAGE_KEY_LEN])
{
	memmove(handshake->remote_static, remote_static, MESSAGE_KEY_LEN);
	/* Of small order: all zeros stay, and every handshake with it fails. */
	if (!identity->set ||
	    crypto_scalarmult(handshake->precomputed, identity->private_key, remote_static))
		sodium_memzero(handshake->precomputed, sizeof(handshake->precomputed));
	noise_handshake_clear(handshake);
}

void noise_handshake_clear(struct noise_handshake *handshake)
{
	sodium_memzero(handshake->ephemeral, sizeof(handshake->ephemeral));
	sodium_memzero(handshake->remote_ephemeral, sizeof(handshake->remote_ephemeral));
	sodium_memzero(handshake->hash, sizeof(handshake->hash));
	sodium_memzero(handshake->chaining, sizeof(handshake->chaining));
	handshake->local_index = 0;
	handshake->remote_index = 0;
	handshake->state = NOISE_ZEROED;
}

void noise_timestamp(uint8_t ret[MESSAGE_TIMESTAMP_LEN])
{
	struct timespec now;
	uint64_t seconds;
	uint32_t nanoseconds;

	clock_gettime(CLOCK_REALTIME, &now);
	seconds = htobe64(TIMESTAMP_BASE + (uint64_t)now.tv_sec);
	nanoseconds = htobe32((uint32_t)now.tv_nsec & ~(uint32_t)(TIMESTAMP_COARSE_NS - 1));
	memcpy(ret, &seconds, sizeof(seconds));
	memcpy(ret + sizeof(seconds), &nanoseconds, sizeof(nanoseconds));
}

static void ephemeral_new(uint8_t private_key[MESSAGE_KEY_LEN], uint8_t public_key[MESSAGE_KEY_LEN])
{
	randombytes_buf(private_key, MESSAGE_KEY_LEN);
	(void)crypto_scalarmult_base(public_key, private_key);
}

int noise_initiation_create(struct noise_handshake *handshake,
			    const struct noise_identity *identity, uint32_t local_index,
			    const uint8_t timestamp[MESSAGE_TIMESTAMP_LEN],
			    struct message_initiation *ret_message)
{
	struct message_initiation message = { .type = htole32(MESSAGE_INITIATION) };
	uint8_t chaining[HASH_LEN], hash[HASH_LEN], key[HASH_LEN], ephemeral[MESSAGE_KEY_LEN];
	int rc;

	if (!identity->set)
		return -ENOKEY;
	if (sodium_is_zero(handshake->precomputed, sizeof(handshake->precomputed)))
		return -EINVAL;
	message.sender = htole32(local_index);
	start(chaining, hash, handshake->remote_static);
	ephemeral_new(ephemeral, message.ephemeral);
	mix_hash(hash, message.ephemeral, sizeof(message.ephemeral));
	hash_kdf(chaining, message.ephemeral, sizeof(message.ephemeral), chaining, NULL, NULL);
	rc = mix_dh(chaining, key, ephemeral, handshake->remote_static);
	if (rc)
		goto out;
	seal(key, hash, identity->public_key, MESSAGE_KEY_LEN, message.fixed);
	hash_kdf(chaining, handshake->precomputed, MESSAGE_KEY_LEN, chaining, key, NULL);
	seal(key, hash, timestamp, MESSAGE_TIMESTAMP_LEN, message.timestamp);
	memcpy(handshake->hash, hash, HASH_LEN);
	memcpy(handshake->chaining, chaining, HASH_LEN);
	memcpy(handshake->ephemeral, ephemeral, MESSAGE_KEY_LEN);
	handshake->local_index = local_index;
	handshake->state = NOISE_INITIATION_SENT;
	*ret_message = message;
out:
	sodium_memzero(chaining, sizeof(chaining));
	sodium_memzero(key, sizeof(key));
	sodium_memzero(ephemeral, sizeof(ephemeral));
	return rc;
}

int noise_initiation_open(const struct noise_identity *identity,
			  const struct message_initiation *message,
			  struct noise_opening *ret_opening)
{
	struct noise_opening opening = { 0 };
	uint8_t key[HASH_LEN];
	int rc;

	if (!identity->set)
		return -ENOKEY;
	start(opening.chaining, opening.hash, identity->public_key);
	mix_hash(opening.hash, message->ephemeral, sizeof(message->ephemeral));
	hash_kdf(opening.chaining, message->ephemeral, sizeof(message->ephemeral), opening.chaining,
		 NULL, NULL);
	rc = mix_dh(opening.chaining, key, identity->private_key, message->ephemeral);
	if (!rc)
		rc = open_sealed(key, opening.hash, message->fixed, sizeof(message->fixed),
				 opening.remote_static);
	if (!rc)
		*ret_opening = opening;
	sodium_memzero(key, sizeof(key));
	sodium_memzero(&opening, sizeof(opening));
	return rc;
}

int noise_initiation_accept(struct noise_handshake *handshake, const struct noise_opening *opening,
			    const struct message_initiation *message)
{
	uint8_t chaining[HASH_LEN], hash[HASH_LEN], key[HASH_LEN];
	uint8_t timestamp[MESSAGE_TIMESTAMP_LEN];
	int rc;

	if (sodium_is_zero(handshake->precomputed, sizeof(handshake->precomputed)))
		return -EINVAL;
	memcpy(hash, opening->hash, HASH_LEN);
	hash_kdf(opening->chaining, handshake->precomputed, MESSAGE_KEY_LEN, chaining, key, NULL);
	rc = open_sealed(key, hash, message->timestamp, sizeof(message->timestamp), timestamp);
	if (!rc && memcmp(timestamp, handshake->last_timestamp, sizeof(timestamp)) <= 0)
		rc = -EALREADY;
	if (rc)
		goto out;
	memcpy(handshake->last_timestamp, timestamp, sizeof(timestamp));
	memcpy(handshake->remote_ephemeral, message->ephemeral, MESSAGE_KEY_LEN);
	memcpy(handshake->hash, hash, HASH_LEN);
	memcpy(handshake->chaining, chaining, HASH_LEN);
	handshake->remote_index = le32toh(message->sender);
	handshake->state = NOISE_INITIATION_RECEIVED;
out:
	sodium_memzero(chaining, sizeof(chaining));
	sodium_memzero(key, sizeof(key));
	return rc;
}

/* The preshared key, and the key under which "nothing" is sealed. */
static void mix_psk(uint8_t chaining[HASH_LEN], uint8_t hash[HASH_LEN], uint8_t key[HASH_LEN],
		    const uint8_t psk[MESSAGE_KEY_LEN])
{
	uint8_t middle[HASH_LEN];

	hash_kdf(chaining, psk, MESSAGE_KEY_LEN, chaining, middle, key);
	mix_hash(hash, middle, sizeof(middle));
	sodium_memzero(middle, sizeof(middle));
}

int noise_response_create(struct noise_handshake *handshake, uint32_t local_index,
			  struct message_response *ret_message)
{
	struct message_response message = { .type = htole32(MESSAGE_RESPONSE) };
	uint8_t chaining[HASH_LEN], hash[HASH_LEN], key[HASH_LEN], ephemeral[MESSAGE_KEY_LEN];
	int rc;

	if (handshake->state != NOISE_INITIATION_RECEIVED)
		return -EPROTO;
	memcpy(chaining, handshake->chaining, HASH_LEN);
	memcpy(hash, handshake->hash, HASH_LEN);
	message.sender = htole32(local_index);
	message.receiver = htole32(handshake->remote_index);
	ephemeral_new(ephemeral, message.ephemeral);
	mix_hash(hash, message.ephemeral, sizeof(message.ephemeral));
	hash_kdf(chaining, message.ephemeral, sizeof(message.ephemeral), chaining, NULL, NULL);
	rc = mix_dh(chaining, NULL, ephemeral, handshake->remote_ephemeral);
	if (!rc)
		rc = mix_dh(chaining, NULL, ephemeral, handshake->remote_static);
	if (rc)
		goto out;
	mix_psk(chaining, hash, key, handshake->psk);
	seal(key, hash, NULL, 0, message.empty);
	memcpy(handshake->hash, hash, HASH_LEN);
	memcpy(handshake->chaining, chaining, HASH_LEN);
	memcpy(handshake->ephemeral, ephemeral, MESSAGE_KEY_LEN);
	handshake->local_index = local_index;
	handshake->state = NOISE_RESPONSE_SENT;
	*ret_message = message;
out:
	sodium_memzero(chaining, sizeof(chaining));
	sodium_memzero(key, sizeof(key));
	sodium_memzero(ephemeral, sizeof(ephemeral));
	return rc;
}

int noise_response_accept(struct noise_handshake *handshake, const struct noise_identity *identity,
			  const struct message_response *message)
{
	uint8_t chaining[HASH_LEN], hash[HASH_LEN], key[HASH_LEN];
	uint8_t none[1];
	int rc;

	if (!identity->set)
		return -ENOKEY;
	if (handshake->state != NOISE_INITIATION_SENT)
		return -EPROTO;
	memcpy(chaining, handshake->chaining, HASH_LEN);
	memcpy(hash, handshake->hash, HASH_LEN);
	mix_hash(hash, message->ephemeral, sizeof(message->ephemeral));
	hash_kdf(chaining, message->ephemeral, sizeof(message->ephemeral), chaining, NULL, NULL);
	rc = mix_dh(chaining, NULL, handshake->ephemeral, message->ephemeral);
	if (!rc)
		rc = mix_dh(chaining, NULL, identity->private_key, message->ephemeral);
	if (rc)
		goto out;
	mix_psk(chaining, hash, key, handshake->psk);
	rc = open_sealed(key, hash, message->empty, sizeof(message->empty), none);
	if (rc)
		goto out;
	memcpy(handshake->remote_ephemeral, message->ephemeral, MESSAGE_KEY_LEN);
	memcpy(handshake->hash, hash, HASH_LEN);
	memcpy(handshake->chaining, chaining, HASH_LEN);
	handshake->remote_index = le32toh(message->sender);
	handshake->state = NOISE_RESPONSE_RECEIVED;
out:
	sodium_memzero(chaining, sizeof(chaining));
	sodium_memzero(key, sizeof(key));
	return rc;
}

int noise_keys_derive(struct noise_handshake *handshake, struct noise_keys *ret_keys)
{
	if (handshake->state == NOISE_RESPONSE_RECEIVED) {
		hash_kdf(handshake->chaining, "", 0, ret_keys->send, ret_keys->receive, NULL);
		ret_keys->initiator = true;
	} else if (handshake->state == NOISE_RESPONSE_SENT) {
		hash_kdf(handshake->chaining, "", 0, ret_keys->receive, ret_keys->send, NULL);
		ret_keys->initiator = false;
	} else {
		return -EPROTO;
	}
	noise_handshake_clear(handshake);
	return 0;
}
