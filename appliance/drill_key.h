/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Keys of drills: what two nodes sign probes and messages with, and the key that a node signs its
 * reports with. All are derived from WireGuard keys, each under a label of its own.
 */
#ifndef NETPAS_DRILL_KEY_H
#define NETPAS_DRILL_KEY_H

#include <stdbool.h>

#include "config.h"
#include "drill_wire.h"

#define DRILL_SIGNATURE_LEN 64

struct drill_key {
	uint64_t probe[2];   /* SipHash */
	uint8_t message[16]; /* HMAC-SHA256 */
};

/* With the gateway of this id, which may be this node itself. 0, -ENOENT: there is none, -errno. */
int drill_key_derive(const struct config *config, uint16_t id, struct drill_key *ret_key);

/* Append the tag to a signed part, and look at it. */
void drill_probe_sign(const struct drill_key *key, uint8_t buf[static DRILL_PROBE_LEN]);
bool drill_probe_verify(const struct drill_key *key, const uint8_t buf[static DRILL_PROBE_LEN]);
/* len: without the tag when signing, with it when verifying. */
void drill_message_sign(const struct drill_key *key, uint8_t *buf, size_t len);
bool drill_message_verify(const struct drill_key *key, const uint8_t *buf, size_t len);

/* Ed25519 (RFC 8032); the seed is HKDF-SHA256 of the WireGuard key. 0 or -ENOTSUP. */
int drill_sign_public(const struct key *private_key, struct key *ret_public);
int drill_sign(const struct key *private_key, const void *text, size_t len,
	       uint8_t ret_signature[static DRILL_SIGNATURE_LEN]);
bool drill_sign_verify(const struct key *public_key, const void *text, size_t len,
		       const uint8_t signature[static DRILL_SIGNATURE_LEN]);

#endif
