/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What happened and why: a line of the log that is kept, too. One call does both. By house style such
 * a line is "OBJECT: BEFORE -> AFTER (WHY)", and event_record.h takes it apart again.
 *
 * Without a sink (in tests, in the command) it is a line of the log and nothing else.
 */
#ifndef NETPAS_EVENT_H
#define NETPAS_EVENT_H

#include <jansson.h>

#include "log.h"

enum event_kind {
	EVENT_DAEMON,
	EVENT_CONFIG,
	EVENT_ROLE,
	EVENT_HANDOVER,
	EVENT_DRAIN,
	EVENT_DAMPING,
	EVENT_SYNC,
	EVENT_FOLLOW,
	EVENT_PEER,
	EVENT_TUNNEL,
	EVENT_PATH,
	EVENT_CHOICE, /* of the path in use */
	EVENT_MTU,
	EVENT_DATAPLANE,
	EVENT_HEALTH,
	EVENT_ENGINE,
	EVENT_KEEPALIVED,
	EVENT_VIP,
	EVENT_REPAIR,
	EVENT_DRILL,
	EVENT_CLOUD,
	EVENT_WEB,
	EVENT_USAGE,
	EVENT_ROLLING,
	EVENT_CLOCK,
	EVENT_UPGRADE,
	EVENT_LOG, /* of the events' log itself */
	EVENT_KIND_MAX,
};
extern const char *const event_kind_names[EVENT_KIND_MAX];
extern const char *const event_level_names[LOG_LEVEL_MAX];

/* Longer ones are cut. */
#define EVENT_TEXT_MAX 1024

typedef void event_sink_fn(enum event_kind kind, enum log_level level, const char *text,
			   json_t *detail, void *data);

/* Who keeps them; NULL: nobody. detail may be NULL and is borrowed. */
void event_set_sink(event_sink_fn *sink, void *data);

/* detail (stolen, may be NULL): an object with what does not fit a line, such as scores. */
void event_write(enum event_kind kind, enum log_level level, json_t *detail, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#define event_error(kind, ...) event_write(kind, LOG_LEVEL_ERROR, NULL, __VA_ARGS__)
#define event_warning(kind, ...) event_write(kind, LOG_LEVEL_WARNING, NULL, __VA_ARGS__)
#define event_info(kind, ...) event_write(kind, LOG_LEVEL_INFO, NULL, __VA_ARGS__)

#endif
