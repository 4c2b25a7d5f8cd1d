/* SPDX-License-Identifier: GPL-2.0-only */
#include "event_record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COLUMNS_MAX 80
#define INDENT 24 /* time and kind */

/* ---- time ---- */

const char *event_time_format(int64_t at_ms, char buf[static EVENT_TIME_LEN])
{
	const time_t at = (time_t)(at_ms / 1000);
	struct tm tm = { 0 };
	char day[24];

	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", gmtime_r(&at, &tm));
	snprintf(buf, EVENT_TIME_LEN, "%s.%03dZ", day, (int)(at_ms % 1000));
	return buf;
}

int event_time_parse(const char *text, int64_t *ret_ms)
{
	struct tm tm = { 0 };
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	int ms = 0, n = 0;

	if (!rest || sscanf(rest, ".%3dZ%n", &ms, &n) != 1 || n != 5 || rest[n])
		return -EINVAL;
	*ret_ms = (int64_t)timegm(&tm) * 1000 + ms;
	return 0;
}

static int ago_parse(const char *text, int64_t now_ms, int64_t *ret_ms)
{
	static const struct {
		char unit;
		int64_t ms;
	} units[] = { { 's', 1000 }, { 'm', 60000 }, { 'h', 3600000 }, { 'd', 86400000 } };
	char *end;
	long n;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || n > 1000000)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (*end == units[i].unit && !end[1]) {
			*ret_ms = now_ms - n * units[i].ms;
			return 0;
		}
	return -EINVAL;
}

int event_since_parse(const char *text, int64_t now_ms, int64_t *ret_ms)
{
	static const char *const days[] = { "%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M",
					    "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S" };
	static const char *const hours[] = { "%H:%M", "%H:%M:%S" };
	const time_t now = (time_t)(now_ms / 1000);
	const char *rest;
	struct tm tm;

	if (!ago_parse(text, now_ms, ret_ms))
		return 0;
	for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++) {
		tm = (struct tm){ 0 };
		rest = strptime(text, days[i], &tm);
		if (rest && (!*rest || !strcmp(rest, "Z"))) {
			*ret_ms = (int64_t)timegm(&tm) * 1000;
			return 0;
		}
	}
	for (size_t i = 0; i < sizeof(hours) / sizeof(hours[0]); i++) {
		gmtime_r(&now, &tm);
		tm.tm_sec = 0;
		rest = strptime(text, hours[i], &tm);
		if (rest && (!*rest || !strcmp(rest, "Z"))) {
			*ret_ms = (int64_t)timegm(&tm) * 1000;
			return 0;
		}
	}
	return -EINVAL;
}

/* ---- records ---- */

static void set_part(json_t *record, const char *key, const char *begin, const char *end)
{
	if (end > begin)
		json_object_set_new(record, key, json_stringn(begin, (size_t)(end - begin)));
}

/* Where the last of these two-character marks before end begins; NULL: nowhere. */
static const char *find_last(const char *text, const char *end, const char *mark)
{
	const char *found = NULL;

	for (const char *at = text; (at = strstr(at, mark)) && at < end; at++)
		found = at;
	return found;
}

/* "OBJECT: BEFORE -> AFTER (WHY)"; what is not of this form has no parts. */
static void set_parts(json_t *record, const char *text)
{
	const char *arrow = strstr(text, " -> ");
	const char *colon = arrow ? find_last(text, arrow, ": ") : NULL;
	const char *after, *why, *end;

	if (!colon)
		return;
	after = arrow + 4;
	end = after + strlen(after);
	why = strstr(after, " (");
	set_part(record, "object", text, colon);
	set_part(record, "from", colon + 2, arrow);
	set_part(record, "to", after, why ? why : end);
	if (!why)
		return;
	for (const char *at = end; at > why; at--)
		if (at[-1] == ')') {
			end = at - 1;
			break;
		}
	set_part(record, "why", why + 2, end);
}

static json_t *make_text(const char *text)
{
	json_t *string = json_string(text);
	char *copy;

	if (string)
		return string;
	/* Cut within a character, or somebody's file name. */
	copy = strdup(text);
	for (char *at = copy; at && *at; at++)
		if (*at & 0x80)
			*at = '?';
	string = copy ? json_string(copy) : NULL;
	free(copy);
	return string;
}

json_t *event_record_new(int64_t at_ms, enum event_kind kind, enum log_level level,
			 const char *text, json_t *detail)
{
	json_t *string = make_text(text), *record;
	char at[EVENT_TIME_LEN];

	if (!string)
		return NULL;
	event_time_format(at_ms, at);
	record = json_pack("{s:s, s:s, s:s, s:o}", "time", at, "kind", event_kind_names[kind],
			   "level", event_level_names[level], "text", string);
	if (!record)
		return NULL;
	set_parts(record, json_string_value(string));
	if (detail)
		json_object_set(record, "detail", detail);
	return record;
}

size_t event_record_line(const json_t *record, char buf[static EVENT_RECORD_MAX])
{
	size_t len = json_dumpb(record, buf, EVENT_RECORD_MAX - 1, JSON_COMPACT);

	if (len > EVENT_RECORD_MAX - 1) {
		json_t *less = json_copy((json_t *)(uintptr_t)record);

		json_object_del(less, "detail");
		len = json_dumpb(less, buf, EVENT_RECORD_MAX - 1, JSON_COMPACT);
		json_decref(less);
	}
	if (!len || len > EVENT_RECORD_MAX - 1)
		return 0;
	buf[len++] = '\n';
	return len;
}

json_t *event_record_parse(const char *line, size_t len)
{
	json_t *record = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const char *at = json_string_value(json_object_get(record, "time"));
	int64_t ms;

	if (at && !event_time_parse(at, &ms) && json_is_string(json_object_get(record, "kind")) &&
	    json_is_string(json_object_get(record, "text")))
		return record;
	json_decref(record);
	return NULL;
}

/* ---- for people ---- */

/* What could steer a terminal does not get there: some texts quote what others have sent. */
static void print_part(const char *text, size_t len, FILE *out)
{
	for (size_t i = 0; i < len; i++)
		fputc((unsigned char)text[i] < ' ' || text[i] == 0x7f ? '?' : text[i], out);
}

/* Words of the text, in lines that begin at the indent. */
static void print_wrapped(const char *text, FILE *out)
{
	size_t column = INDENT;
	bool first = true;

	while (*text) {
		const size_t blanks = strspn(text, " \n\t");
		size_t len;

		text += blanks;
		len = strcspn(text, " \n\t");
		if (!len)
			break;
		if (!first && column + 1 + len > COLUMNS_MAX) {
			fprintf(out, "\n%*s", INDENT, "");
			column = INDENT;
			first = true;
		}
		if (!first) {
			fputc(' ', out);
			column++;
		}
		/* A word that is longer than a line is cut into lines. */
		while (len > COLUMNS_MAX - INDENT) {
			print_part(text, COLUMNS_MAX - INDENT, out);
			fprintf(out, "\n%*s", INDENT, "");
			text += COLUMNS_MAX - INDENT;
			len -= COLUMNS_MAX - INDENT;
			column = INDENT;
		}
		print_part(text, len, out);
		text += len;
		column += len;
		first = false;
	}
	fputc('\n', out);
}

void event_record_print(json_t *record, bool colour, char last_day[static EVENT_DAY_LEN], FILE *out)
{
	const char *at = json_string_value(json_object_get(record, "time"));
	const char *kind = json_string_value(json_object_get(record, "kind"));
	const char *text = json_string_value(json_object_get(record, "text"));
	const char *level = json_string_value(json_object_get(record, "level"));
	const char *begin = "";

	if (strncmp(at, last_day, 10)) {
		snprintf(last_day, EVENT_DAY_LEN, "%.10s", at);
		fprintf(out, "-- %s UTC\n", last_day);
	}
	if (colour && level && !strcmp(level, "error"))
		begin = "\033[31m";
	else if (colour && level && !strcmp(level, "warning"))
		begin = "\033[33m";
	fprintf(out, "%.12s %s%-10.10s%s ", at + 11, begin, kind, *begin ? "\033[0m" : "");
	print_wrapped(text, out);
}
