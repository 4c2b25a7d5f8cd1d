/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine_choice.h"

#include <stdio.h>

#define TRIALS_MIN 3
#define BULK_RATIO 1.25
#define SMALL_RATIO 0.9
#define PING_RATIO 1.5
#define PING_SLACK_US 1000

/* What keeps it from being clearly faster; NULL: nothing. */
static const char *lacking(const struct engine_trials *a, const struct engine_trials *b)
{
	const double ping = engine_trials_median(b, ENGINE_PING);

	if (a->n < TRIALS_MIN || b->n < TRIALS_MIN)
		return "too few trials to tell";
	if (engine_trials_median(a, ENGINE_BULK) <
	    BULK_RATIO * engine_trials_median(b, ENGINE_BULK))
		return "not faster by a quarter";
	if (engine_trials_worst(a, ENGINE_BULK) <= engine_trials_median(b, ENGINE_BULK))
		return "not faster in every trial";
	if (engine_trials_median(a, ENGINE_SMALL) <
	    SMALL_RATIO * engine_trials_median(b, ENGINE_SMALL))
		return "fewer small packets";
	if (engine_trials_median(a, ENGINE_PING) > PING_RATIO * ping &&
	    engine_trials_median(a, ENGINE_PING) > ping + PING_SLACK_US)
		return "slower pings";
	return NULL;
}

bool engine_record_faster(const struct engine_record *record, enum engine_kind kind,
			  enum engine_kind than, char reason[static ENGINE_REASON_LEN])
{
	const struct engine_trials *a = &record->engines[kind], *b = &record->engines[than];
	const char *lack = lacking(a, b);

	snprintf(reason, ENGINE_REASON_LEN,
		 "measured beside %s: bulk %.2f for %.2f Gbit/s, small packets %.0f for %.0f a "
		 "second, p99 of pings %.2f for %.2f ms%s%s",
		 engine_kind_names[than], engine_trials_median(a, ENGINE_BULK) / 1e9,
		 engine_trials_median(b, ENGINE_BULK) / 1e9, engine_trials_median(a, ENGINE_SMALL),
		 engine_trials_median(b, ENGINE_SMALL), engine_trials_median(a, ENGINE_PING) / 1e3,
		 engine_trials_median(b, ENGINE_PING) / 1e3, lack ? ": " : "", lack ? lack : "");
	return !lack;
}

enum engine_kind engine_record_best(const struct engine_record *record,
				    char reason[static ENGINE_REASON_LEN])
{
	enum engine_kind best = ENGINE_KIND_MAX;
	char words[ENGINE_REASON_LEN];

	for (int i = 0; i < ENGINE_KIND_MAX; i++) {
		const enum engine_kind kind = (enum engine_kind)i;

		if (!record->engines[i].n)
			continue;
		if (best == ENGINE_KIND_MAX) {
			snprintf(reason, ENGINE_REASON_LEN, "the only one that is here");
			best = kind;
		} else if (engine_record_faster(record, kind, best, words)) {
			snprintf(reason, ENGINE_REASON_LEN, "%s", words);
			best = kind;
		} else {
			snprintf(reason, ENGINE_REASON_LEN, "%s was %.*s", engine_kind_names[kind],
				 ENGINE_REASON_LEN - 20, words);
		}
	}
	return best;
}

enum engine_kind engine_choose(const struct engine_facts *facts,
			       char reason[static ENGINE_REASON_LEN])
{
	const struct engine_record *record = facts->record;
	char words[ENGINE_REASON_LEN];
	const char *other;

	if (!facts->kernel) {
		snprintf(reason, ENGINE_REASON_LEN, "this kernel has no WireGuard%s",
			 facts->netpas_wg ? "" : ", and netpas-wg is not installed");
		return facts->netpas_wg ? ENGINE_NETPAS_WG : ENGINE_WIREGUARD_GO;
	}
	other = record ? engine_machine_differs(&record->machine, facts->machine) : NULL;
	if (!facts->netpas_wg)
		snprintf(reason, ENGINE_REASON_LEN, "netpas-wg is not installed");
	else if (facts->damaged)
		snprintf(reason, ENGINE_REASON_LEN, "the record of what was measured is damaged");
	else if (!record)
		snprintf(reason, ENGINE_REASON_LEN, "'netpas bench engine' was not run here");
	else if (other)
		snprintf(reason, ENGINE_REASON_LEN, "it was measured with another %s", other);
	else if (!record->engines[ENGINE_KERNEL].n || !record->engines[ENGINE_NETPAS_WG].n)
		snprintf(reason, ENGINE_REASON_LEN, "they were not measured beside each other");
	else if (engine_record_faster(record, ENGINE_NETPAS_WG, ENGINE_KERNEL, words)) {
		snprintf(reason, ENGINE_REASON_LEN, "%s", words);
		return ENGINE_NETPAS_WG;
	} else {
		snprintf(reason, ENGINE_REASON_LEN, "netpas-wg was %.*s", ENGINE_REASON_LEN - 20,
			 words);
	}
	return ENGINE_KERNEL;
}
