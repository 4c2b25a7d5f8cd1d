/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any bytes in the FIFO: the events are the same however reading cuts them, and each of them stands
 * in the input to the letter. The first byte says how to cut.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "notify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct record {
	const char *input;
	size_t len;
	uint64_t hash;
	size_t n;
};

static void check(int good)
{
	if (!good)
		abort();
}

static void take(enum notify_event event, unsigned int priority, void *data)
{
	struct record *record = data;
	char line[64];
	int len;

	check(event < NOTIFY_EVENT_MAX && priority <= 255);
	len = snprintf(line, sizeof(line), "INSTANCE \"netpas\" %s %u\n", notify_event_names[event],
		       priority);
	check(memmem(record->input, record->len, line, (size_t)len) != NULL);
	record->hash = (record->hash ^ ((uint64_t)event << 8 | priority)) * 0x100000001b3;
	record->n++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *input = (const char *)data + 1;
	struct notify_stream whole = { .len = 0 }, pieces = { .len = 0 };
	struct record a, b;
	size_t piece;

	if (!size)
		return 0;
	piece = 1 + data[0] % 64u;
	a = b = (struct record){ .input = input, .len = size - 1 };
	notify_feed(&whole, input, a.len, take, &a);
	for (size_t at = 0; at < a.len; at += piece)
		notify_feed(&pieces, input + at, a.len - at < piece ? a.len - at : piece, take, &b);
	check(a.n == b.n && a.hash == b.hash);
	check(whole.len == pieces.len && whole.skipping == pieces.skipping);
	check(whole.len <= sizeof(whole.buf) && memcmp(whole.buf, pieces.buf, whole.len) == 0);
	return 0;
}
