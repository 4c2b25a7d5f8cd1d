/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The SipHash key that two nodes sign their probes to each other with. Both derive it from what
 * they have anyway: HKDF-SHA256 (RFC 5869) over X25519 (RFC 7748) of the own private and the
 * other one's public WireGuard key. Nothing is distributed, and nobody between them knows it.
 */
#ifndef NETPAS_PROBE_KEY_H
#define NETPAS_PROBE_KEY_H

#include <stdint.h>

#include "key.h"

/*
 * The same at both ends: ids are taken in ascending order, words are in host order. 0;
 * -EKEYREJECTED if the public key is a point of low order, with which every private key makes the
 * same secret; -EINVAL if the ids are equal; -ENOTSUP if the library refuses its algorithms.
 */
int probe_key_derive(const struct key *own_private, const struct key *peer_public, uint16_t own_id,
		     uint16_t peer_id, uint64_t ret_key[static 2]);

#endif
