/* SPDX-License-Identifier: GPL-2.0-only */
#include "usage_rate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The k-th smallest, after Hoare: what is not asked for is not sorted. k < n. */
static uint64_t select_kth(uint64_t *v, size_t n, size_t k)
{
	size_t low = 0, high = n - 1;

	while (low < high) {
		const uint64_t pivot = v[low + (high - low) / 2];
		size_t i = low, j = high;

		for (;;) {
			uint64_t swap;

			while (v[i] < pivot)
				i++;
			while (v[j] > pivot)
				j--;
			if (i >= j)
				break;
			swap = v[i];
			v[i++] = v[j];
			v[j--] = swap;
		}
		/* Up to j nothing is larger than the pivot, behind it nothing smaller. */
		if (k <= j)
			high = j;
		else
			low = j + 1;
	}
	return v[k];
}

uint64_t usage_p95_bytes(uint64_t *bytes, size_t n)
{
	return n ? select_kth(bytes, n, n - n / 20 - 1) : 0;
}

uint64_t usage_bps(uint64_t bytes, uint64_t seconds)
{
	return seconds ? (uint64_t)((unsigned __int128)bytes * 8 / seconds) : 0;
}

int usage_rate_parse(const char *text, uint64_t *ret_bps)
{
	static const char units[] = "kMGT";
	const char *unit;
	double value;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	value = strtod(text, &end);
	unit = *end ? strchr(units, *end) : NULL;
	for (const char *u = units; unit && u <= unit; u++)
		value *= 1000;
	if (unit)
		end++;
	if ((*end && strcmp(end, "bit/s") && strcmp(end, "bps")) || !(value < 1e18))
		return -EINVAL;
	*ret_bps = (uint64_t)value;
	return 0;
}

const char *usage_number_format(uint64_t value, char buf[static USAGE_RATE_LEN])
{
	static const char units[] = " kMGTPE";
	double scaled = (double)value;
	size_t unit = 0;

	for (; scaled >= 999.5 && unit < sizeof(units) - 2; unit++)
		scaled /= 1000;
	if (unit)
		snprintf(buf, USAGE_RATE_LEN, "%.*f%c",
			 scaled < 9.995	  ? 2
			 : scaled < 99.95 ? 1
					  : 0,
			 scaled, units[unit]);
	else
		snprintf(buf, USAGE_RATE_LEN, "%llu", (unsigned long long)value);
	return buf;
}
