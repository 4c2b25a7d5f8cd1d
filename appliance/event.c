/* SPDX-License-Identifier: GPL-2.0-only */
#include "event.h"

#include <stdarg.h>
#include <stdio.h>

const char *const event_kind_names[EVENT_KIND_MAX] = {
	[EVENT_DAEMON] = "daemon",
	[EVENT_CONFIG] = "config",
	[EVENT_ROLE] = "role",
	[EVENT_HANDOVER] = "handover",
	[EVENT_DRAIN] = "drain",
	[EVENT_DAMPING] = "damping",
	[EVENT_SYNC] = "sync",
	[EVENT_FOLLOW] = "follow",
	[EVENT_PEER] = "peer",
	[EVENT_TUNNEL] = "tunnel",
	[EVENT_PATH] = "path",
	[EVENT_CHOICE] = "choice",
	[EVENT_MTU] = "mtu",
	[EVENT_DATAPLANE] = "dataplane",
	[EVENT_HEALTH] = "health",
	[EVENT_ENGINE] = "engine",
	[EVENT_KEEPALIVED] = "keepalived",
	[EVENT_VIP] = "vip",
	[EVENT_REPAIR] = "repair",
	[EVENT_DRILL] = "drill",
	[EVENT_CLOUD] = "cloud",
	[EVENT_WEB] = "web",
	[EVENT_USAGE] = "usage",
	[EVENT_ROLLING] = "rolling",
	[EVENT_CLOCK] = "clock",
	[EVENT_UPGRADE] = "upgrade",
	[EVENT_LOG] = "log",
};

const char *const event_level_names[LOG_LEVEL_MAX] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

static event_sink_fn *keep;
static void *keeper;

void event_set_sink(event_sink_fn *sink, void *data)
{
	keep = sink;
	keeper = data;
}

void event_write(enum event_kind kind, enum log_level level, json_t *detail, const char *fmt, ...)
{
	char text[EVENT_TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args); /* a cut message is better than none */
	va_end(args);
	log_write(level, "%s", text);
	if (keep)
		keep(kind, level, text, detail, keeper);
	json_decref(detail);
}
