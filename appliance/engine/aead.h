/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ENGINE_AEAD_H
#define ENGINE_AEAD_H
#include "engine/packet.h"

/*
 * ChaCha20-Poly1305 (RFC 8439) over batches of data messages: nonce is 4 zeros and the counter in
 * little endian, no additional data (WireGuard paper, 5.4.6). A struct aead belongs to one thread.
 */
struct aead;

struct aead_provider {
	const char *name;
	bool (*usable)(void);	  /* this CPU has what it needs */
	void *(*state_new)(void); /* NULL: no memory */
	void (*state_free)(void *state);
	void (*seal)(void *state, struct packet *packets, size_t n);
	void (*open)(void *state, struct packet *packets, size_t n);
};

/* The best first, ended by NULL; the last is usable everywhere. */
extern const struct aead_provider *const aead_providers[];
const struct aead_provider *aead_best(void);

/* NULL provider: the best. NULL: no memory. */
struct aead *aead_new(const struct aead_provider *provider);
void aead_free(struct aead *aead);
const char *aead_name(const struct aead *aead);

/*
 * data[0..padded) is encrypted where it is, the tag written behind it. Not ok (no memory, in practice
 * never): zeros instead, which nobody accepts.
 */
void aead_seal(struct aead *aead, struct packet *packets, size_t n);
/*
 * data[0..padded) is decrypted where it is and the tag behind it compared in constant time; sets ok.
 * Of a packet that is not ok, data holds nothing to be used.
 */
void aead_open(struct aead *aead, struct packet *packets, size_t n);

#endif
