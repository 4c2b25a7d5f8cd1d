/* SPDX-License-Identifier: GPL-2.0-only */
/* What netpas-web is told: everything that can be seen of this node, as one object. */
#ifndef NETPAS_WEB_VIEW_H
#define NETPAS_WEB_VIEW_H

#include <jansson.h>

#define WEB_VIEW_DRILLS 10 /* the newest */

struct daemon;
struct web_view;

int web_view_new(struct web_view **ret_view);
void web_view_free(struct web_view *view);

/*
 * A new reference; NULL if out of memory:
 *	ok		true
 *	status, drops	as of the control socket's answers
 *	paths		likewise
 *	mesh		{"name", "sites": [{"name", "gateways": [name]}], "relays": [name]}
 *	processes	as of process.h
 *	run_times	of the programs, see steering_run_times()
 *	drills		[{"id", "scenario", "began", "began_s", "verdict", "out", "in", ...}], newest first
 *	events		the last records of the events' log (event_record.h) without their details, newest first
 *	usage		as of usage_view.h; absent if there is none
 *	took_s		how long the making took
 */
json_t *web_view_make(struct web_view *view, struct daemon *daemon);

#endif
