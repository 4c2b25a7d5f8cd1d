/* SPDX-License-Identifier: GPL-2.0-only */
#include "memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What follows the key at the beginning of a line; NULL: no such line. */
static const char *line_find(const char *text, const char *key)
{
	const size_t len = strlen(key);

	while (text && strncmp(text, key, len)) {
		text = strchr(text, '\n');
		if (text)
			text++;
	}
	return text ? text + len : NULL;
}

static bool number_parse(const char *text, uint64_t *ret_number)
{
	return text && sscanf(text, "%18" SCNu64, ret_number) == 1;
}

/* MemTotal and MemAvailable; false if the text does not say. */
static bool info_parse(const char *text, uint64_t *ret_total_kib, uint64_t *ret_available_kib)
{
	uint64_t total, available;

	if (!number_parse(line_find(text, "MemTotal:"), &total) ||
	    !number_parse(line_find(text, "MemAvailable:"), &available))
		return false;
	*ret_total_kib = total;
	*ret_available_kib = available;
	return true;
}

/* Of the line "full": avg10, in hundredths of a percent; false if the text does not say. */
static bool pressure_parse(const char *text, unsigned int *ret_full10)
{
	const char *full = line_find(text, "full avg10=");
	unsigned int percent, hundredths;

	if (!full || *full < '0' || *full > '9' ||
	    sscanf(full, "%3u.%2u ", &percent, &hundredths) != 2)
		return false;
	*ret_full10 = percent * 100 + hundredths;
	return true;
}

bool memory_short(const char *info, const char *pressure, char *reason, size_t size)
{
	uint64_t total, available, enough;
	unsigned int full10;

	if (info && info_parse(info, &total, &available)) {
		enough = total / 100 * MEMORY_AVAILABLE_PERCENT;
		if (enough > MEMORY_AVAILABLE_ENOUGH_KIB)
			enough = MEMORY_AVAILABLE_ENOUGH_KIB;
		if (available < enough) {
			snprintf(reason, size, "%" PRIu64 " MiB of %" PRIu64 " available",
				 available / 1024, total / 1024);
			return true;
		}
	}
	if (pressure && pressure_parse(pressure, &full10) && full10 >= MEMORY_STALL_PERCENT * 100) {
		snprintf(reason, size,
			 "all tasks waited for memory %u.%02u %% of the last ten seconds",
			 full10 / 100, full10 % 100);
		return true;
	}
	return false;
}
