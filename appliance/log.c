/* SPDX-License-Identifier: GPL-2.0-only */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool debug_enabled;
static bool to_journal;

static const struct {
	const char *name;
	const char *journal; /* sd-daemon(3) prefix */
} levels[LOG_LEVEL_MAX] = {
	[LOG_LEVEL_ERROR] = { "error: ", "<3>" },
	[LOG_LEVEL_WARNING] = { "warning: ", "<4>" },
	[LOG_LEVEL_INFO] = { "", "<6>" },
	[LOG_LEVEL_DEBUG] = { "debug: ", "<7>" },
};

void log_init(bool debug)
{
	debug_enabled = debug;
	to_journal = getenv("JOURNAL_STREAM") != NULL;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	char line[1024], stamp[32];
	struct timespec now;
	struct tm tm;
	va_list args;

	if (level == LOG_LEVEL_DEBUG && !debug_enabled)
		return;
	va_start(args, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, args); /* a cut message is better than none */
	va_end(args);

	if (to_journal) {
		fprintf(stderr, "%s%s\n", levels[level].journal, line);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%H:%M:%S", &tm);
	fprintf(stderr, "%s.%03ld %s%s\n", stamp, now.tv_nsec / 1000000, levels[level].name, line);
}
