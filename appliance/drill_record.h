/* SPDX-License-Identifier: GPL-2.0-only */
/* A drill while it runs, and the report that is made of it. */
#ifndef NETPAS_DRILL_RECORD_H
#define NETPAS_DRILL_RECORD_H

#include <time.h>

#include "drill_report.h"
#include "drill_run.h"
#include "drill_runner.h"

struct drill_run {
	const struct config *config;
	const struct client_paths *paths; /* of netpasd here */
	struct drill_wish wish;
	struct drill_facts facts; /* before */
	struct drill_runner runner;
	bool opened;			/* the runner */
	const struct config_site *site; /* the other one */
	uint32_t limit_ms;
	struct drill_times times;
	time_t wall; /* at times.began_us */
	char fault[DRILL_TEXT_LEN];
	const char *ended; /* how the fault ended */
	bool settled;
	char unsettled[300], aborted[160];
	char *roles_before, *roles_after;
	/* What the far end has counted, and sent itself. */
	struct drill_track far_track;
	struct drill_pack far_pack;
	json_t *changes;     /* of paths, at the partner, by its clock */
	json_t *far_changes; /* likewise at the far end */
	/* What the netpasd of each says, before and after; NULL: it did not. */
	json_t *before[DRILL_PART_MAX], *after[DRILL_PART_MAX];
	bool moved; /* the role is here, and was at the partner */
	bool handed_back;
	char kept[200]; /* why it was not handed back */
};

/* "fra-a active, fra-b standby", to free. */
char *drill_record_roles(const struct drill_facts *facts);

/* Make the report, sign it, keep it in dir. 0 or -errno. */
int drill_record_make(struct drill_run *run, const char *dir, json_t **ret_report);

/* Whether a report is signed by this key, as it is now. key: base64 of an Ed25519 key. */
bool drill_record_verify(const json_t *report, const char *key);

#endif
