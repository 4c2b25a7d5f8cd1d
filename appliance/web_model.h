/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What netpas-web knows: the last view, and what paths were like in the last quarter of an hour.
 * Pure but for memory. Texts for pages are events of text/event-stream:
 *
 *	history		once, at first: [[time, {"PEER/PATH": [rtt_ms, loss out %, in %]}, {"PEER": [rx, tx]}], ...]
 *	view		each time: what the page shows, see web_model.c
 *	gone		netpasd does not answer
 */
#ifndef NETPAS_WEB_MODEL_H
#define NETPAS_WEB_MODEL_H

#include <jansson.h>
#include <stdint.h>

#define WEB_MODEL_SAMPLES 90
#define WEB_MODEL_INTERVAL_S 10
#define WEB_MODEL_EVENTS 40
#define WEB_MODEL_SITES 32 /* of usage */
#define WEB_MODEL_PAIRS 8

struct web_model;

int web_model_new(struct web_model **ret_model);
void web_model_free(struct web_model *model);

/* A new view (reference taken over), at a time in ms since 1970. */
void web_model_take(struct web_model *model, json_t *view, int64_t now_ms);

json_t *web_model_view(const struct web_model *model); /* borrowed; NULL: none yet */

/* To free; NULL: out of memory. */
char *web_model_first(const struct web_model *model);
char *web_model_events(const struct web_model *model);

#endif
