/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Indices by which messages name sessions and handshakes: 32 random bits whose low ones are the place in
 * a table. The control thread writes it; workers look up sessions, without a lock.
 */
#ifndef ENGINE_INDEX_H
#define ENGINE_INDEX_H

#include <stdatomic.h>
#include <stdint.h>

struct keypair;
struct peer;

struct index_slot {
	uint32_t index;
	struct peer *handshake; /* whose handshake it is; for the control thread */
	struct keypair *_Atomic keypair;
};

struct index_table {
	uint32_t mask;
	uint32_t used;
	struct index_slot slots[];
};

struct index_table *index_table_new(uint32_t slots); /* a power of two; NULL: no memory */

/* Twice as large, for the place of a table of which more than half is in use. NULL: no memory. */
struct index_table *index_table_grow(const struct index_table *table);

/* A free one, never 0, for a handshake of this peer. At least half of the table must be free. */
uint32_t index_take(struct index_table *table, struct peer *peer);
void index_release(struct index_table *table, uint32_t index);

/* NULL: not taken. */
struct index_slot *index_find(struct index_table *table, uint32_t index);

#endif
