/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mac1, mac2 and cookie replies (WireGuard paper, 5.4.4, 5.4.7 and 5.3): what a message must show
 * before anything expensive is done for it. Times are nanoseconds of any clock that does not go back.
 */
#ifndef ENGINE_COOKIE_H
#define ENGINE_COOKIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/message.h"

enum {
	COOKIE_SECRET_S = 120,	/* a secret's life, and that of cookies made of it */
	COOKIE_LATENCY_S = 5,	/* the least that is left of a cookie that is still used */
	COOKIE_ADDRESS_MAX = 18 /* address and port */
};

/* Of an interface: judges what arrives. */
struct cookie_checker {
	uint8_t mac1_key[MESSAGE_KEY_LEN];
	uint8_t cookie_key[MESSAGE_KEY_LEN];
	uint8_t secret[MESSAGE_KEY_LEN];
	uint64_t secret_ns; /* made then, 0: not yet */
};

/* Of a peer: what is put into messages to it. */
struct cookie_maker {
	uint8_t mac1_key[MESSAGE_KEY_LEN];
	uint8_t cookie_key[MESSAGE_KEY_LEN];
	uint8_t cookie[MESSAGE_COOKIE_LEN];
	uint64_t cookie_ns; /* 0: none */
	uint8_t last_mac1[MESSAGE_MAC_LEN];
	bool sent_mac1;
};

enum cookie_verdict {
	COOKIE_INVALID,	     /* mac1 is wrong */
	COOKIE_MAC1,	     /* mac1 is right */
	COOKIE_MAC1_AND_MAC2 /* and it shows that its sender can be reached */
};

void cookie_checker_init(struct cookie_checker *checker, const uint8_t public_key[MESSAGE_KEY_LEN]);
void cookie_maker_init(struct cookie_maker *maker, const uint8_t public_key[MESSAGE_KEY_LEN]);

/* macs is at the end of the message of `len` bytes; address: where it came from, with the port. */
enum cookie_verdict cookie_check(const struct cookie_checker *checker, const void *message,
				 size_t len, const void *address, size_t address_len,
				 uint64_t now_ns);

/* Cookies are made of a secret that lives for COOKIE_SECRET_S; with a new one the old ones count no more. */
bool cookie_expired(const struct cookie_checker *checker, uint64_t now_ns);
void cookie_renew(struct cookie_checker *checker, uint64_t now_ns);

/* The answer to a message that showed mac1 only, of a secret that has not expired. */
void cookie_reply(const struct cookie_checker *checker, const void *message, size_t len,
		  const void *address, size_t address_len, struct message_cookie *ret_reply);

/* Fill the macs at the end of a message that is ready otherwise. */
void cookie_sign(struct cookie_maker *maker, void *message, size_t len, uint64_t now_ns);

/* 0, -EPROTO: none was asked for, -EBADMSG: not authentic. */
int cookie_accept(struct cookie_maker *maker, const struct message_cookie *reply, uint64_t now_ns);

#endif
