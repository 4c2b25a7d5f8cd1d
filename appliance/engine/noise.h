/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The handshake Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s (WireGuard paper, 5.4.1 to 5.4.5). Nothing here
 * knows of sockets, clocks or indices: the caller brings them.
 */
#ifndef ENGINE_NOISE_H
#define ENGINE_NOISE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/hash.h"
#include "engine/message.h"

/* The static key pair of an interface. */
struct noise_identity {
	bool set;
	uint8_t private_key[MESSAGE_KEY_LEN];
	uint8_t public_key[MESSAGE_KEY_LEN];
};

enum noise_state {
	NOISE_ZEROED,
	NOISE_INITIATION_SENT,
	NOISE_INITIATION_RECEIVED,
	NOISE_RESPONSE_SENT,
	NOISE_RESPONSE_RECEIVED,
};

/* Of a peer; also what is left of it between handshakes. */
struct noise_handshake {
	enum noise_state state;
	uint32_t local_index;  /* the caller's; 0 with state NOISE_ZEROED */
	uint32_t remote_index; /* of the message received */
	uint8_t remote_static[MESSAGE_KEY_LEN];
	uint8_t precomputed[MESSAGE_KEY_LEN]; /* DH of both static keys */
	uint8_t psk[MESSAGE_KEY_LEN];
	uint8_t ephemeral[MESSAGE_KEY_LEN]; /* private */
	uint8_t remote_ephemeral[MESSAGE_KEY_LEN];
	uint8_t hash[HASH_LEN];
	uint8_t chaining[HASH_LEN];
	uint8_t last_timestamp[MESSAGE_TIMESTAMP_LEN]; /* greatest received */
};

/* An initiation of which the sender's static key was read, and nothing is proven yet. */
struct noise_opening {
	uint8_t remote_static[MESSAGE_KEY_LEN];
	uint8_t hash[HASH_LEN];
	uint8_t chaining[HASH_LEN];
};

struct noise_keys {
	uint8_t send[MESSAGE_KEY_LEN];
	uint8_t receive[MESSAGE_KEY_LEN];
	bool initiator;
};

/* Zeros: no identity (set is false). */
void noise_identity_set(struct noise_identity *identity,
			const uint8_t private_key[MESSAGE_KEY_LEN]);

/* For a peer with this key; psk NULL: zeros. Also when the identity has changed. */
void noise_handshake_init(struct noise_handshake *handshake, const struct noise_identity *identity,
			  const uint8_t remote_static[MESSAGE_KEY_LEN]);
/* Forget a handshake that is under way. */
void noise_handshake_clear(struct noise_handshake *handshake);

/* TAI64N of now, coarse: the time of day to the nanosecond is nobody's business. */
void noise_timestamp(uint8_t ret[MESSAGE_TIMESTAMP_LEN]);

/*
 * All of these return 0 or -errno: -EINVAL: a key of no use (a point of small order), -EBADMSG: not
 * authentic, -EALREADY: a timestamp not greater than the last, -ENOKEY: no identity, -EPROTO: not in
 * a state for it. On failure the handshake is as it was. macs are left to the caller.
 */
int noise_initiation_create(struct noise_handshake *handshake,
			    const struct noise_identity *identity, uint32_t local_index,
			    const uint8_t timestamp[MESSAGE_TIMESTAMP_LEN],
			    struct message_initiation *ret_message);
int noise_initiation_open(const struct noise_identity *identity,
			  const struct message_initiation *message,
			  struct noise_opening *ret_opening);
int noise_initiation_accept(struct noise_handshake *handshake, const struct noise_opening *opening,
			    const struct message_initiation *message);
int noise_response_create(struct noise_handshake *handshake, uint32_t local_index,
			  struct message_response *ret_message);
int noise_response_accept(struct noise_handshake *handshake, const struct noise_identity *identity,
			  const struct message_response *message);

/* The keys of the session; the handshake is forgotten but for its indices, which the caller took. */
int noise_keys_derive(struct noise_handshake *handshake, struct noise_keys *ret_keys);

#endif
