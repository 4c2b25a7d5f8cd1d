/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "notify.h"

struct record {
	char text[1024];
	size_t len;
};

static void record(enum notify_event event, unsigned int priority, void *data)
{
	struct record *r = data;

	assert_true(event < NOTIFY_EVENT_MAX);
	r->len += (size_t)snprintf(r->text + r->len, sizeof(r->text) - r->len, "%s %u;",
				   notify_event_names[event], priority);
	assert_true(r->len < sizeof(r->text));
}

/* However the stream is cut, the events are the same. */
static void assert_events(const char *input, size_t len, const char *expected)
{
	for (size_t piece = 1; piece <= len + 1; piece++) {
		struct notify_stream stream = { .len = 0 };
		struct record r = { .len = 0 };

		for (size_t at = 0; at < len; at += piece)
			notify_feed(&stream, input + at, len - at < piece ? len - at : piece,
				    record, &r);
		assert_string_equal(r.text, expected);
		if (piece > 64)
			piece += 37;
	}
}

static void every_event(void **state)
{
	static const char input[] = "INSTANCE \"netpas\" BACKUP 251\n"
				    "INSTANCE \"netpas\" MASTER 251\n"
				    "INSTANCE \"netpas\" FAULT 253\n"
				    "INSTANCE \"netpas\" STOP 0\n"
				    "INSTANCE \"netpas\" DELETED 255\n";

	(void)state;
	assert_events(input, sizeof(input) - 1,
		      "BACKUP 251;MASTER 251;FAULT 253;STOP 0;DELETED 255;");
}

static void what_is_not_ours_is_ignored(void **state)
{
	static const char input[] = "\n"
				    "INSTANCE \"other\" MASTER 251\n"
				    "INSTANCE \"netpas2\" MASTER 251\n"
				    "INSTANCE \"netpa\" MASTER 251\n"
				    "GROUP \"netpas\" MASTER 251\n"
				    "INSTANCE netpas MASTER 251\n"
				    "instance \"netpas\" MASTER 251\n"
				    " INSTANCE \"netpas\" MASTER 251\n"
				    "INSTANCE  \"netpas\" MASTER 251\n"
				    "INSTANCE \"netpas\"\n"
				    "INSTANCE \"netpas\" \n"
				    "INSTANCE \"netpas\" MASTER\n"
				    "INSTANCE \"netpas\" MASTER \n"
				    "INSTANCE \"netpas\" MASTER 256\n"
				    "INSTANCE \"netpas\" MASTER 1000\n"
				    "INSTANCE \"netpas\" MASTER 0000251\n"
				    "INSTANCE \"netpas\" MASTER 07\n"
				    "INSTANCE \"netpas\" MASTER -1\n"
				    "INSTANCE \"netpas\" MASTER 25x\n"
				    "INSTANCE \"netpas\" MASTER 251 \n"
				    "INSTANCE \"netpas\" MASTER 251\r\n"
				    "INSTANCE \"netpas\" MASTERS 251\n"
				    "INSTANCE \"netpas\" MASTER_RX_LOWER_PRI 251\n"
				    "INSTANCE \"netpas\" MASTER_PRIORITY 251\n"
				    "INSTANCE \"netpas\" BACKUP_PRIORITY 251\n"
				    "INSTANCE \"netpas\" master 251\n"
				    "INSTANCE \"netpas\" BACKUP 250\n";

	(void)state;
	assert_events(input, sizeof(input) - 1, "BACKUP 250;");
}

static void zero_bytes_are_no_end(void **state)
{
	static const char input[] = "INSTANCE \"netpas\" MASTER 251\0\n"
				    "INSTANCE \"netpas\" MASTER\0251\n"
				    "\0INSTANCE \"netpas\" MASTER 251\n"
				    "INSTANCE \"netpas\" BACKUP 1\n";

	(void)state;
	assert_events(input, sizeof(input) - 1, "BACKUP 1;");
}

static void long_lines_are_skipped_whole(void **state)
{
	static const char ours[] = "INSTANCE \"netpas\" MASTER 251\n";
	const size_t full = sizeof(((struct notify_stream *)NULL)->buf);

	(void)state;
	/* Just fitting, just too long, and so long that the rest looks like a line. */
	for (size_t junk = full - 2; junk < 3 * full; junk++) {
		char input[4 * 256];
		size_t len = junk;

		memset(input, 'x', junk);
		memcpy(input + len, ours, sizeof(ours) - 1);
		len += sizeof(ours) - 1;
		memcpy(input + len, ours, sizeof(ours) - 1);
		len += sizeof(ours) - 1;
		assert_events(input, len, "MASTER 251;");
	}
}

static void a_line_without_end_waits(void **state)
{
	struct notify_stream stream = { .len = 0 };
	struct record r = { .len = 0 };

	(void)state;
	notify_feed(&stream, "INSTANCE \"netpas\" MASTER 25", 27, record, &r);
	assert_int_equal(r.len, 0);
	notify_feed(&stream, "", 0, record, &r);
	assert_int_equal(r.len, 0);
	notify_feed(&stream, "1\n", 2, record, &r);
	assert_string_equal(r.text, "MASTER 251;");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_event),
		cmocka_unit_test(what_is_not_ours_is_ignored),
		cmocka_unit_test(zero_bytes_are_no_end),
		cmocka_unit_test(long_lines_are_skipped_whole),
		cmocka_unit_test(a_line_without_end_waits),
	};

	return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
