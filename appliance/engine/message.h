/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages as they are on the wire (WireGuard paper, 5.4.2 to 5.4.7); all little endian. */
#ifndef ENGINE_MESSAGE_H
#define ENGINE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum message_type {
	MESSAGE_INITIATION = 1,
	MESSAGE_RESPONSE = 2,
	MESSAGE_COOKIE = 3,
	MESSAGE_DATA = 4,
};

enum {
	MESSAGE_KEY_LEN = 32,
	MESSAGE_TAG_LEN = 16,
	MESSAGE_TIMESTAMP_LEN = 12,
	MESSAGE_COOKIE_LEN = 16,
	MESSAGE_NONCE_LEN = 24,
	MESSAGE_MAC_LEN = 16,
};

/* At the end of an initiation and of a response. */
struct message_macs {
	uint8_t mac1[MESSAGE_MAC_LEN];
	uint8_t mac2[MESSAGE_MAC_LEN];
};

struct message_initiation {
	uint32_t type;
	uint32_t sender;
	uint8_t ephemeral[MESSAGE_KEY_LEN];
	uint8_t fixed[MESSAGE_KEY_LEN + MESSAGE_TAG_LEN]; /* the static key */
	uint8_t timestamp[MESSAGE_TIMESTAMP_LEN + MESSAGE_TAG_LEN];
	struct message_macs macs;
};
_Static_assert(sizeof(struct message_initiation) == 148, "initiation");

struct message_response {
	uint32_t type;
	uint32_t sender;
	uint32_t receiver;
	uint8_t ephemeral[MESSAGE_KEY_LEN];
	uint8_t empty[MESSAGE_TAG_LEN];
	struct message_macs macs;
};
_Static_assert(sizeof(struct message_response) == 92, "response");

struct message_cookie {
	uint32_t type;
	uint32_t receiver;
	uint8_t nonce[MESSAGE_NONCE_LEN];
	uint8_t cookie[MESSAGE_COOKIE_LEN + MESSAGE_TAG_LEN];
};
_Static_assert(sizeof(struct message_cookie) == 64, "cookie reply");

struct message_data {
	uint32_t type;
	uint32_t receiver;
	uint64_t counter;
	uint8_t sealed[];
};
_Static_assert(sizeof(struct message_data) == 16, "data");

/* By its first word, in the host's byte order, and its length. */
static inline bool message_is_handshake(uint32_t type, size_t len)
{
	return (type == MESSAGE_INITIATION && len == sizeof(struct message_initiation)) ||
	       (type == MESSAGE_RESPONSE && len == sizeof(struct message_response)) ||
	       (type == MESSAGE_COOKIE && len == sizeof(struct message_cookie));
}

enum {
	MESSAGE_HANDSHAKE_MAX = sizeof(struct message_initiation)
};

#endif
