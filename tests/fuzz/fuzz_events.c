/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any bytes as a text of an event, as a line of its log, as a frame that was captured, as a file for
 * support: whatever comes out is in order. The first byte says which.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture_view.h"
#include "event_record.h"
#include "redact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int good)
{
	if (!good)
		abort();
}

/* As a person sees it: nothing that steers a terminal, and no line wider than 80. */
static void print(json_t *record)
{
	char *text = NULL, day[EVENT_DAY_LEN] = "";
	size_t len, column = 0;
	FILE *out = open_memstream(&text, &len);

	event_record_print(record, false, day, out);
	fclose(out);
	for (size_t i = 0; i < len; i++) {
		column = text[i] == '\n' ? 0 : column + 1;
		check(column <= 80);
		check(text[i] == '\n' || (unsigned char)text[i] >= ' ');
	}
	free(text);
}

static void check_text(const char *text)
{
	char line[EVENT_RECORD_MAX];
	json_t *record, *again;
	size_t len;

	record = event_record_new(1795191421123, EVENT_LOG, LOG_LEVEL_INFO, text, NULL);
	check(record != NULL);
	len = event_record_line(record, line);
	check(len > 0 && line[len - 1] == '\n' && !memchr(line, '\n', len - 1));
	again = event_record_parse(line, len - 1);
	check(json_equal(record, again));
	print(again);
	json_decref(again);
	json_decref(record);
}

static void check_line(const char *line, size_t len)
{
	json_t *record = event_record_parse(line, len);

	if (record)
		print(record);
	json_decref(record);
}

static void check_frame(const uint8_t *frame, size_t len)
{
	static const struct dp_config config = { .port_base = 16384, .lanes = 4 };
	struct capture_view view;

	capture_view_make(frame, len, (uint32_t)len, true, &config, &view);
	check(!view.mesh || (view.ip && view.lane < 4));
	check(view.probe_path >= -1 && view.probe_path <= 255);
	capture_view_make(frame, len, (uint32_t)len, false, NULL, &view);
	check(!view.mesh);
}

/* Twice is as good as once, and lines stay lines. */
static void check_redact(const char *text, size_t len)
{
	static const char *const keys[] = { "9bQzBnRhPpVLfmDHOGw1KvBPpzPuwZLXpNLnBlEt+Hs=" };
	static const struct redact_known known = { keys, 1 };
	char *copy = malloc(len ? len : 1);

	memcpy(copy, text, len);
	redact(copy, len, &known);
	for (size_t i = 0; i < len; i++)
		check(copy[i] == text[i] || (copy[i] == '*' && text[i] != '\n'));
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[EVENT_TEXT_MAX];
	size_t len;

	if (!size)
		return 0;
	switch (data[0] % 4) {
	case 0:
		len = size - 1 < sizeof(text) - 1 ? size - 1 : sizeof(text) - 1;
		memcpy(text, data + 1, len);
		text[len] = '\0';
		check_text(text);
		break;
	case 1:
		check_line((const char *)data + 1, size - 1);
		break;
	case 2:
		check_frame(data + 1, size - 1);
		break;
	default:
		check_redact((const char *)data + 1, size - 1);
		break;
	}
	return 0;
}
