/* SPDX-License-Identifier: GPL-2.0-only */
/* What has changed from one view (web_view.h) to the next, in words. Pure. */
#ifndef NETPAS_WEB_CHANGES_H
#define NETPAS_WEB_CHANGES_H

#include <jansson.h>

/* "good", "bad": for better, for worse; "note": neither. */
typedef void web_changes_fn(const char *kind, const char *what, const char *text, void *data);

/* Calls found() for each change. what: "role", "path", "peer", "site", "problem", "config", "drill". */
void web_changes_find(json_t *before, json_t *after, web_changes_fn *found, void *data);

#endif
