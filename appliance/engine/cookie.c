/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/cookie.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "engine/hash.h"

#define NS_PER_S 1000000000ULL

static const char label_mac1[] = "mac1----";
static const char label_cookie[] = "cookie--";

void cookie_checker_init(struct cookie_checker *checker, const uint8_t public_key[MESSAGE_KEY_LEN])
{
	hash_two(label_mac1, sizeof(label_mac1) - 1, public_key, MESSAGE_KEY_LEN,
		 checker->mac1_key);
	hash_two(label_cookie, sizeof(label_cookie) - 1, public_key, MESSAGE_KEY_LEN,
		 checker->cookie_key);
	checker->secret_ns = 0;
}

void cookie_maker_init(struct cookie_maker *maker, const uint8_t public_key[MESSAGE_KEY_LEN])
{
	memset(maker, 0, sizeof(*maker));
	hash_two(label_mac1, sizeof(label_mac1) - 1, public_key, MESSAGE_KEY_LEN, maker->mac1_key);
	hash_two(label_cookie, sizeof(label_cookie) - 1, public_key, MESSAGE_KEY_LEN,
		 maker->cookie_key);
}

bool cookie_expired(const struct cookie_checker *checker, uint64_t now_ns)
{
	return !checker->secret_ns || now_ns >= checker->secret_ns + COOKIE_SECRET_S * NS_PER_S;
}

void cookie_renew(struct cookie_checker *checker, uint64_t now_ns)
{
	randombytes_buf(checker->secret, sizeof(checker->secret));
	checker->secret_ns = now_ns ? now_ns : 1;
}

static void cookie_make(const struct cookie_checker *checker, const void *address,
			size_t address_len, uint8_t ret[MESSAGE_COOKIE_LEN])
{
	hash_mac(checker->secret, sizeof(checker->secret), address, address_len, ret);
}

static const struct message_macs *macs_of(const void *message, size_t len)
{
	return (const void *)((const uint8_t *)message + len - sizeof(struct message_macs));
}

enum cookie_verdict cookie_check(const struct cookie_checker *checker, const void *message,
				 size_t len, const void *address, size_t address_len,
				 uint64_t now_ns)
{
	const struct message_macs *macs = macs_of(message, len);
	uint8_t cookie[MESSAGE_COOKIE_LEN], mac[MESSAGE_MAC_LEN];

	hash_mac(checker->mac1_key, sizeof(checker->mac1_key), message, len - sizeof(*macs), mac);
	if (sodium_memcmp(mac, macs->mac1, sizeof(mac)))
		return COOKIE_INVALID;
	/* No cookie can have been made of a secret that is no more. */
	if (cookie_expired(checker, now_ns) || sodium_is_zero(macs->mac2, sizeof(macs->mac2)))
		return COOKIE_MAC1;
	cookie_make(checker, address, address_len, cookie);
	hash_mac(cookie, sizeof(cookie), message, len - sizeof(macs->mac2), mac);
	return sodium_memcmp(mac, macs->mac2, sizeof(mac)) ? COOKIE_MAC1 : COOKIE_MAC1_AND_MAC2;
}

void cookie_reply(const struct cookie_checker *checker, const void *message, size_t len,
		  const void *address, size_t address_len, struct message_cookie *ret_reply)
{
	uint8_t cookie[MESSAGE_COOKIE_LEN];

	ret_reply->type = htole32(MESSAGE_COOKIE);
	/* Its sender's index is the second word of an initiation as of a response. */
	memcpy(&ret_reply->receiver, (const uint8_t *)message + sizeof(uint32_t), sizeof(uint32_t));
	randombytes_buf(ret_reply->nonce, sizeof(ret_reply->nonce));
	cookie_make(checker, address, address_len, cookie);
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(
		ret_reply->cookie, NULL, cookie, sizeof(cookie), macs_of(message, len)->mac1,
		MESSAGE_MAC_LEN, NULL, ret_reply->nonce, checker->cookie_key);
}

void cookie_sign(struct cookie_maker *maker, void *message, size_t len, uint64_t now_ns)
{
	struct message_macs *macs = (void *)((uint8_t *)message + len - sizeof(*macs));
	const uint64_t life = (COOKIE_SECRET_S - COOKIE_LATENCY_S) * NS_PER_S;

	hash_mac(maker->mac1_key, sizeof(maker->mac1_key), message, len - sizeof(*macs),
		 macs->mac1);
	memcpy(maker->last_mac1, macs->mac1, sizeof(macs->mac1));
	maker->sent_mac1 = true;
	if (maker->cookie_ns && now_ns < maker->cookie_ns + life)
		hash_mac(maker->cookie, sizeof(maker->cookie), message, len - sizeof(macs->mac2),
			 macs->mac2);
	else
		memset(macs->mac2, 0, sizeof(macs->mac2));
}

int cookie_accept(struct cookie_maker *maker, const struct message_cookie *reply, uint64_t now_ns)
{
	uint8_t cookie[MESSAGE_COOKIE_LEN];

	if (!maker->sent_mac1)
		return -EPROTO;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(
		    cookie, NULL, NULL, reply->cookie, sizeof(reply->cookie), maker->last_mac1,
		    sizeof(maker->last_mac1), reply->nonce, maker->cookie_key))
		return -EBADMSG;
	memcpy(maker->cookie, cookie, sizeof(cookie));
	maker->cookie_ns = now_ns ? now_ns : 1;
	maker->sent_mac1 = false;
	return 0;
}
