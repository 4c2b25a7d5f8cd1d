/* SPDX-License-Identifier: GPL-2.0-only */
/* The answer to "rolling" (rolling_node.h), read. Pure. */
#ifndef NETPAS_ROLLING_VIEW_H
#define NETPAS_ROLLING_VIEW_H

#include <jansson.h>

#include "rolling.h"

/*
 * 0, then *ret_view is to be finished, and *ret_record is what an earlier run left there (its before[0]
 * belongs to the lower id); -EBADMSG: a daemon of a version that tells something else; -ENOMEM.
 */
int rolling_view_parse(json_t *answer, struct rolling_view *ret_view,
		       struct rolling_record *ret_record);

#endif
