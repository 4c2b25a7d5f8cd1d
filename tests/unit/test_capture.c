/* SPDX-License-Identifier: GPL-2.0-only */
/* Captures: the bytes of the file, what a frame is, filters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture_view.h"
#include "frame_filter.h"
#include "pcapng.h"

static uint32_t word(const char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* Each block has its length at both ends, a multiple of four; so has each option within. */
static void blocks_are_well_formed(void **state)
{
	static const uint32_t types[] = { 0x0a0d0d0a, 1, 6, 6, 6, 6, 6, 5 };
	char *file = NULL;
	size_t size, at = 0, n = 0, before;
	FILE *out = open_memstream(&file, &size);
	struct pcapng_packet packet = { .at_ns = 0x123456789abcdef0,
					.data = "12345678",
					.len = 1500,
					.kind = PCAPNG_VERDICT_XDP,
					.verdict = -1 };

	(void)state;
	assert_int_equal(pcapng_begin(out, "program"), 0);
	assert_int_equal(pcapng_interface(out, "wan0 wan_xdp", "x", PCAPNG_LINK_ETHERNET, 256), 0);
	for (uint32_t i = 0; i < 5; i++) {
		packet.caplen = i;
		packet.comment = "comment" + i;
		fflush(out);
		before = size;
		assert_int_equal(pcapng_packet(out, &packet), 0);
		fflush(out);
		assert_int_equal(size - before, pcapng_packet_size(&packet));
	}
	assert_int_equal(pcapng_statistics(out, 0, 5, 6, 7), 0);
	fclose(out);
	while (at < size) {
		const uint32_t len = word(file + at + 4);

		assert_int_equal(word(file + at), types[n++]);
		assert_int_equal(len % 4, 0);
		assert_true(len >= 12 && at + len <= size);
		assert_int_equal(word(file + at + len - 4), len);
		if (n == 3) {
			assert_int_equal(word(file + at + 12), 0x12345678);
			assert_int_equal(word(file + at + 16), 0x9abcdef0);
			assert_int_equal(word(file + at + 24), 1500);
			assert_memory_equal(file + at + 32, "comment", 7);
		}
		at += len;
	}
	assert_int_equal(n, 8);
	free(file);
}

static const struct dp_config config = { .port_base = 16384, .lanes = 2 };

/* UDP over IPv4: from node 3 for node 1, lane 1; type and 7 bytes more. */
static const uint8_t frame[] = { 2,   0,    0,	 0,  0,	 1,   2, 0,  0,	   0,	 0,    2,    8,
				 0,   0x45, 0,	 0,  36, 0,   0, 0,  0,	   64,	 17,   0,    0,
				 203, 0,    113, 34, 10, 200, 1, 10, 0x50, 0x01, 0x50, 0x03, 0,
				 16,  0,    0,	 4,  0,	 9,   0, 0,  0,	   0,	 0 };

static void a_frame_tells_who_and_what(void **state)
{
	struct capture_view view;
	uint8_t other[sizeof(frame)];

	(void)state;
	capture_view_make(frame, sizeof(frame), sizeof(frame), true, &config, &view);
	assert_true(view.ip && view.mesh);
	assert_int_equal(view.from, 3);
	assert_int_equal(view.to, 1);
	assert_int_equal(view.lane, 1);
	assert_string_equal(view.what, "data");
	assert_int_equal(view.probe_path, -1);
	memcpy(other, frame, sizeof(frame));
	other[42] = DP_PROBE_REQUEST;
	capture_view_make(other, sizeof(other), sizeof(other), true, &config, &view);
	assert_string_equal(view.what, "probe request");
	assert_int_equal(view.probe_path, 9);
	other[42] = 1;
	capture_view_make(other, sizeof(other), sizeof(other), true, &config, &view);
	assert_string_equal(view.what, "handshake initiation");
	other[36] = 1; /* a port of nobody */
	capture_view_make(other, sizeof(other), sizeof(other), true, &config, &view);
	assert_true(view.ip && !view.mesh);
	assert_string_equal(view.what, "not of the mesh");
	/* In a tunnel there is no link header. */
	capture_view_make(frame + 14, sizeof(frame) - 14, 36, false, NULL, &view);
	assert_true(view.ip && !view.mesh);
	assert_int_equal(view.packet.family, 4);
	assert_int_equal(view.packet.destination.word[3], word((const char *)frame + 30));
}

/* However short it was cut: nothing behind its end is read (sanitizers look on). */
static void it_may_be_cut_anywhere(void **state)
{
	(void)state;
	for (size_t len = 0; len <= sizeof(frame); len++) {
		uint8_t *cut = malloc(len ? len : 1);
		struct capture_view view;

		memcpy(cut, frame, len);
		capture_view_make(cut, len, sizeof(frame), true, &config, &view);
		assert_int_equal(view.mesh, len >= 42);
		capture_view_make(cut, len, sizeof(frame), false, &config, &view);
		free(cut);
	}
}

static void counters_have_their_names(void **state)
{
	char text[CAPTURE_COUNTS_LEN];

	(void)state;
	assert_string_equal(capture_counts_text(0, text), "");
	assert_string_equal(capture_counts_text(1ull << DP_COUNT_DROP_STRANGER, text),
			    "drop_stranger");
	assert_string_equal(
		capture_counts_text(1ull << DP_COUNT_EGRESS_PATH | 1ull << DP_COUNT_EGRESS_COPY,
				    text),
		"egress_path, egress_copy");
	assert_true(strlen(capture_counts_text(~0ull, text)) < CAPTURE_COUNTS_LEN);
	assert_int_equal(capture_place_find("wan_egress"), DP_PLACE_WAN_EGRESS);
	assert_int_equal(capture_place_find("wan"), -1);
}

static void filters_are_those_of_tcpdump(void **state)
{
	char reason[FRAME_FILTER_REASON_LEN] = "";
	struct frame_filter *filter = NULL;

	(void)state;
	assert_int_equal(frame_filter_new("udp and host 10.200.1.10", 256, &filter, reason), 0);
	assert_true(frame_filter_takes(filter, frame, sizeof(frame), sizeof(frame)));
	frame_filter_free(filter);
	assert_int_equal(frame_filter_new("greater 100", 256, &filter, reason), 0);
	assert_false(frame_filter_takes(filter, frame, sizeof(frame), sizeof(frame)));
	assert_true(frame_filter_takes(filter, frame, sizeof(frame), 1000));
	frame_filter_free(filter);
	assert_int_equal(frame_filter_new("tcp", 256, &filter, reason), 0);
	assert_false(frame_filter_takes(filter, frame, sizeof(frame), sizeof(frame)));
	frame_filter_free(filter);
	assert_int_equal(frame_filter_new("udp and and", 256, &filter, reason), -EINVAL);
	assert_true(strlen(reason) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_are_well_formed),
		cmocka_unit_test(a_frame_tells_who_and_what),
		cmocka_unit_test(it_may_be_cut_anywhere),
		cmocka_unit_test(counters_have_their_names),
		cmocka_unit_test(filters_are_those_of_tcpdump),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
