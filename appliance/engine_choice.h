/* SPDX-License-Identifier: GPL-2.0-only */
/* Which engine to take, and why. Pure. */
#ifndef NETPAS_ENGINE_CHOICE_H
#define NETPAS_ENGINE_CHOICE_H

#include <stdbool.h>

#include "engine_record.h"

#define ENGINE_REASON_LEN 256

/*
 * Is `kind` faster than `than` by a clear margin? Of three trials at least, bulk is a quarter more in the
 * median, and in the worst trial more than the other's median; small packets are not fewer by more than a
 * tenth, and pings not slower by more than half and by more than a millisecond. Both were measured.
 * reason: the figures, and what lacks.
 */
bool engine_record_faster(const struct engine_record *record, enum engine_kind kind,
			  enum engine_kind than, char reason[static ENGINE_REASON_LEN]);

/*
 * The first that was measured, but that one which is clearly faster than those before. ENGINE_KIND_MAX: none
 * was measured.
 */
enum engine_kind engine_record_best(const struct engine_record *record,
				    char reason[static ENGINE_REASON_LEN]);

struct engine_facts {
	bool kernel;			      /* has WireGuard */
	bool netpas_wg;			      /* is installed */
	bool damaged;			      /* there is a record that cannot be read */
	const struct engine_record *record;   /* NULL: none */
	const struct engine_machine *machine; /* this one; only looked at with a record */
};

/* What `engine: auto` takes: the kernel, or the best in user space that is installed. */
enum engine_kind engine_choose(const struct engine_facts *facts,
			       char reason[static ENGINE_REASON_LEN]);

#endif
