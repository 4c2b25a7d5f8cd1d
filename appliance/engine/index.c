/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/index.h"

#include <stdlib.h>

#include <sodium.h>

struct index_table *index_table_new(uint32_t slots)
{
	struct index_table *table = calloc(1, sizeof(*table) + slots * sizeof(table->slots[0]));

	if (table)
		table->mask = slots - 1;
	return table;
}

struct index_table *index_table_grow(const struct index_table *from)
{
	struct index_table *table = index_table_new((from->mask + 1) * 2);

	if (!table)
		return NULL;
	table->used = from->used;
	/* What differs in fewer bits differs in more. */
	for (uint32_t i = 0; i <= from->mask; i++)
		if (from->slots[i].index) {
			struct index_slot *slot = &table->slots[from->slots[i].index & table->mask];

			slot->index = from->slots[i].index;
			slot->handshake = from->slots[i].handshake;
			atomic_init(&slot->keypair, atomic_load(&from->slots[i].keypair));
		}
	return table;
}

uint32_t index_take(struct index_table *table, struct peer *peer)
{
	uint32_t index;
	struct index_slot *slot;

	do {
		index = randombytes_random();
		slot = &table->slots[index & table->mask];
	} while (!index || slot->index);
	slot->index = index;
	slot->handshake = peer;
	table->used++;
	return index;
}

struct index_slot *index_find(struct index_table *table, uint32_t index)
{
	struct index_slot *slot = &table->slots[index & table->mask];

	return index && slot->index == index ? slot : NULL;
}

void index_release(struct index_table *table, uint32_t index)
{
	struct index_slot *slot = index_find(table, index);

	if (!slot)
		return;
	atomic_store(&slot->keypair, NULL);
	slot->handshake = NULL;
	slot->index = 0;
	table->used--;
}
