/* SPDX-License-Identifier: GPL-2.0-only */
/* Handshake messages in and out, by the control thread. */
#ifndef ENGINE_HANDSHAKE_H
#define ENGINE_HANDSHAKE_H

#include <stdbool.h>
#include <stdint.h>

/* What an address may ask for under load (WireGuard paper, 5.3). */
enum {
	HANDSHAKE_PER_S = 20,
	HANDSHAKE_BURST = 5,
};

struct device;
struct endpoint;
struct peer;
struct runtime_message;

/* An initiation to a peer whose endpoint is known, not more often than the paper allows. */
void handshake_initiate(struct peer *peer, bool retry, uint64_t now_ns);

/* A message of any content and of one of the three lengths. */
void handshake_receive(struct runtime_message *message, bool under_load, uint64_t now_ns);

/* By any thread: a message of one of the three lengths whose mac2 is of a cookie that this address was given. */
bool handshake_shows_cookie(struct device *device, const struct endpoint *from,
			    const uint8_t *bytes, uint32_t len, uint64_t now_ns);

#endif
