/* SPDX-License-Identifier: GPL-2.0-only */
#include "usage_calendar.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "usage.h"

const char usage_version[] = NETPAS_VERSION;

static int64_t floor_to(int64_t t, int64_t unit)
{
	const int64_t rest = t % unit;

	return t - rest - (rest < 0 ? unit : 0);
}

static int64_t month_of(int64_t t, int months)
{
	const time_t at = (time_t)t;
	struct tm tm;

	gmtime_r(&at, &tm);
	tm = (struct tm){ .tm_year = tm.tm_year, .tm_mon = tm.tm_mon + months, .tm_mday = 1 };
	return timegm(&tm);
}

int64_t usage_begin(enum usage_span span, int64_t t)
{
	switch (span) {
	case USAGE_SLOT:
		return floor_to(t, USAGE_SLOT_S);
	case USAGE_HOUR:
		return floor_to(t, 3600);
	case USAGE_DAY:
		return floor_to(t, 86400);
	case USAGE_MONTH:
	case USAGE_SPAN_MAX:
		break;
	}
	return month_of(t, 0);
}

int64_t usage_next(enum usage_span span, int64_t t)
{
	switch (span) {
	case USAGE_SLOT:
		return usage_begin(span, t) + USAGE_SLOT_S;
	case USAGE_HOUR:
		return usage_begin(span, t) + 3600;
	case USAGE_DAY:
		return usage_begin(span, t) + 86400;
	case USAGE_MONTH:
	case USAGE_SPAN_MAX:
		break;
	}
	return month_of(t, 1);
}

const char *usage_time_format(enum usage_span span, int64_t t, char buf[static USAGE_TIME_LEN])
{
	const time_t at = (time_t)t;
	struct tm tm;

	gmtime_r(&at, &tm);
	switch (span) {
	case USAGE_SLOT:
		strftime(buf, USAGE_TIME_LEN, "%Y-%m-%dT%H:%MZ", &tm);
		break;
	case USAGE_HOUR:
		strftime(buf, USAGE_TIME_LEN, "%Y-%m-%dT%HZ", &tm);
		break;
	case USAGE_DAY:
		strftime(buf, USAGE_TIME_LEN, "%Y-%m-%d", &tm);
		break;
	case USAGE_MONTH:
	case USAGE_SPAN_MAX:
		strftime(buf, USAGE_TIME_LEN, "%Y-%m", &tm);
		break;
	}
	return buf;
}

/* Digits of it, at most width; moves on. -1: none. */
static int number(const char **at, int width)
{
	int value = -1;

	for (; width && **at >= '0' && **at <= '9'; width--, ++*at)
		value = (value < 0 ? 0 : value * 10) + (**at - '0');
	return width ? -1 : value;
}

static bool take(const char **at, char c)
{
	if (**at != c)
		return false;
	++*at;
	return true;
}

int usage_time_parse(const char *text, int64_t *ret_begin, int64_t *ret_end)
{
	struct tm tm = { .tm_mday = 1 }, end, same;
	const char *at = text;
	time_t begin;

	tm.tm_year = number(&at, 4) - 1900;
	if (tm.tm_year < 70)
		return -EINVAL;
	end = tm;
	if (!take(&at, '-')) {
		end.tm_year++;
		goto done;
	}
	tm.tm_mon = number(&at, 2) - 1;
	end = tm;
	if (!take(&at, '-')) {
		end.tm_mon++;
		goto done;
	}
	tm.tm_mday = number(&at, 2);
	end = tm;
	if (!take(&at, 'T')) {
		end.tm_mday++;
		goto done;
	}
	tm.tm_hour = number(&at, 2);
	if (!take(&at, ':'))
		return -EINVAL;
	tm.tm_min = number(&at, 2);
	end = tm;
	end.tm_min++;
	(void)take(&at, 'Z'); /* it is UTC anyway */
done:
	if (*at)
		return -EINVAL;
	same = tm;
	begin = timegm(&same);
	/* timegm() takes the 31st of February for the 3rd of March. */
	if (same.tm_mon != tm.tm_mon || same.tm_mday != tm.tm_mday || same.tm_hour != tm.tm_hour ||
	    same.tm_min != tm.tm_min)
		return -EINVAL;
	*ret_begin = begin;
	*ret_end = timegm(&end);
	return 0;
}
