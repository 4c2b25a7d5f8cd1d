/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From readings of counters to a record of slots.
 *
 * A period is a slot as it was watched. Its last reading, at the end of the slot, is the first one
 * of the next period. Who was away comes back either within the slot, and goes on with the same
 * period; or later: then what was counted meanwhile belongs to no slot in particular. It goes to the
 * period that begins then, which is "carried" and is no sample of a rate, while the one that was
 * left has a "tail"; the slots between have no period. If nothing was counted meanwhile all of them are
 * known to have carried nothing ("idle").
 */
#ifndef NETPAS_USAGE_RECORDER_H
#define NETPAS_USAGE_RECORDER_H

#include "usage.h"
#include "usage_store.h"

/* As much of a pause at the end of a slot does no harm to what the slots say. */
#define USAGE_PAUSE_MS 10000

struct usage_recorder;

int usage_recorder_new(struct usage_store *store, struct usage_recorder **ret_recorder);
void usage_recorder_free(struct usage_recorder *recorder);

/*
 * Go on with these counters, as far as the record knows them. epoch 0: they have no name yet; then
 * *ret_epoch is one, which is on disk, and belongs into the map before anything else is done.
 * random: for that.
 */
int usage_recorder_attach(struct usage_recorder *recorder, uint64_t epoch, uint64_t random,
			  const char *boot, const struct usage_moment *moment, uint64_t *ret_epoch);

/*
 * Take a reading, and have it on disk. 0, or as usage_store.h; after an error nothing of it is
 * recorded, and the next one makes good for it. Reading and moment are borrowed.
 */
int usage_recorder_take(struct usage_recorder *recorder, const struct usage_moment *moment,
			const struct usage_readings *readings);

/* What is on disk of these counters, by the pairs' numbers; to free. 0 or -ENOMEM. */
int usage_recorder_list(const struct usage_recorder *recorder, struct usage_stored **ret_list,
			size_t *ret_n);

#endif
