/* SPDX-License-Identifier: GPL-2.0-only */
/* A drill from its checks to its report. */
#ifndef NETPAS_DRILL_RUN_H
#define NETPAS_DRILL_RUN_H

#include <jansson.h>
#include <stdio.h>

#include "client.h"
#include "config.h"
#include "drill_scenario.h"

struct drill_wish {
	enum drill_scenario_id scenario;
	const char *site;  /* NULL: the first that is connected */
	const char *relay; /* NULL: the one in use, or the first */
	const char *operator_name, *approval;
	uint32_t rate, hold_ms;
	uint32_t limit_ms; /* UINT32_MAX: the scenario's own */
	uint32_t lost;	   /* of a million, for brown-out */
	bool lab;
	bool stay; /* the role is not handed back */
	/* One of several runs in a row: number `run` of `runs`; series NULL: it is alone. */
	const char *series;
	uint32_t run, runs;
};

enum drill_end {
	DRILL_END_PASS,
	DRILL_END_FAIL,	   /* or aborted */
	DRILL_END_REFUSED, /* nothing was done; why is on `out` */
	DRILL_END_ACTIVE,  /* likewise, and it is because this gateway is the active one */
	DRILL_END_ERROR,   /* likewise, without a chance to ask */
};

/* What will happen, and whether the pair can take it. Nothing is changed. */
enum drill_end drill_plan(const struct config *config, const struct client_paths *paths,
			  const struct drill_wish *wish, FILE *out);

/* Do it. Progress goes to `out`; *ret_report (if not NULL) is the report, which is kept, too. */
enum drill_end drill_run(const struct config *config, const struct client_paths *paths,
			 const struct drill_wish *wish, FILE *out, json_t **ret_report);

#endif
