/* SPDX-License-Identifier: GPL-2.0-only */
/* What a capture sees of the programs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/pkt_cls.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "tap.h"

#define NEAR "10.200.1.10"
#define FAR "203.0.113.34"
#define PORT_BASE 16384

struct seen {
	unsigned int n;
	struct dp_captured record;
};

static void see(const struct dp_captured *record, void *data)
{
	struct seen *seen = data;

	seen->n++;
	memcpy(&seen->record, record, DP_CAPTURED_HEAD + record->caplen);
}

static struct tap *begin(const struct tap_options *options, struct seen *seen)
{
	const struct tap_maps maps = { harness_map("dp_capture"), harness_map("dp_capture_rings"),
				       harness_map("dp_capture_scratch") };
	char reason[TAP_REASON_LEN] = "";
	struct tap *tap = NULL, *second = NULL;

	memset(seen, 0, sizeof(*seen));
	if (tap_open(&maps, options, see, seen, &tap, reason))
		fail_msg("%s", reason);
	assert_int_equal(tap_open(&maps, options, see, seen, &second, reason), -EBUSY);
	return tap;
}

static size_t build(uint8_t *frame, const char *source, const char *destination, uint16_t port)
{
	static const uint8_t data[64] = { 4 };
	const struct harness_frame of = { .source = source,
					  .destination = destination,
					  .source_port = port,
					  .destination_port = port,
					  .payload = data,
					  .len = sizeof(data) };

	return harness_build(frame, &of);
}

/* A node that takes mesh packets on its address, and knows nobody who may send any. */
static void configure(void)
{
	const struct dp_config config = { .version = DP_VERSION,
					  .id = 1,
					  .port_base = PORT_BASE,
					  .kind = DP_KIND_GATEWAY,
					  .lanes = 1 };
	const struct dp_addr near = harness_addr(NEAR);
	const struct dp_local local = { 0 };
	const uint32_t zero = 0;

	harness_set("dp_config", &zero, &config);
	harness_set("dp_locals", &near, &local);
}

static bool rose(const struct seen *seen, enum dp_count_id id)
{
	return seen->record.counts == 1ull << id;
}

static void a_drop_comes_with_its_reason(void **state)
{
	const struct tap_options options = { .snap = DP_CAPTURE_MAX,
					     .places = 1 << DP_PLACE_WAN_XDP };
	uint8_t frame[HARNESS_FRAME_MAX];
	const size_t len = build(frame, FAR, NEAR, PORT_BASE + 3);
	struct harness_run run;
	struct seen seen;
	struct tap *tap;

	(void)state;
	configure();
	tap = begin(&options, &seen);
	harness_run_xdp(frame, len, harness_ifindex("w0"), &run);
	assert_int_equal(run.verdict, XDP_DROP);
	assert_int_equal(tap_poll(tap, 0), 0);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.record.place, DP_PLACE_WAN_XDP);
	assert_int_equal(seen.record.verdict, XDP_DROP);
	assert_true(tap_is_drop(&seen.record));
	assert_true(rose(&seen, DP_COUNT_DROP_STRANGER));
	assert_int_equal(seen.record.ifindex, harness_ifindex("w0"));
	assert_int_equal(seen.record.len, len);
	assert_int_equal(seen.record.caplen, len);
	assert_memory_equal(seen.record.data, frame, len);
	assert_int_equal(tap_lost(tap), 0);
	/* What came last is handed over by the end. */
	harness_run_xdp(frame, len, harness_ifindex("w0"), &run);
	tap_close(tap);
	assert_int_equal(seen.n, 2);
	harness_run_xdp(frame, len, harness_ifindex("w0"), &run);
	assert_int_equal(seen.n, 2);
}

static const char *const programs[] = { "wan_xdp",     "wan_tc",     "wan_egress",
					"lan_ingress", "lan_egress", "tunnel_ingress" };

/* Every program, in every piece of a frame, and none of them while another one is wanted. */
static void every_program_can_be_seen(void **state)
{
	uint8_t frame[HARNESS_FRAME_MAX];
	const size_t len = build(frame, FAR, NEAR, 53);
	const struct __sk_buff skb = { .ifindex = harness_ifindex("w1") };

	(void)state;
	configure();
	for (enum dp_place place = DP_PLACE_WAN_TC; place < DP_PLACE_MAX; place++) {
		const struct tap_options options = { .snap = 60, .places = 1u << place };
		struct harness_run run;
		struct seen seen;
		struct tap *tap = begin(&options, &seen);

		for (enum dp_place p = DP_PLACE_WAN_TC; p < DP_PLACE_MAX; p++)
			harness_run_tc(programs[p], frame, len, &skb, &run);
		harness_run_tc(programs[place], frame, len, &skb, &run);
		assert_int_equal(tap_poll(tap, 0), 0);
		assert_int_equal(seen.n, 2);
		assert_int_equal(seen.record.place, place);
		assert_int_equal(seen.record.verdict, (int)run.verdict);
		assert_int_equal(seen.record.ifindex, harness_ifindex("w1"));
		assert_int_equal(seen.record.len, len);
		assert_int_equal(seen.record.caplen, 60);
		assert_memory_equal(seen.record.data, frame, 60);
		if (place == DP_PLACE_WAN_TC)
			assert_true(rose(&seen, DP_COUNT_PASS_OTHER));
		if (place == DP_PLACE_LAN_INGRESS)
			assert_true(rose(&seen, DP_COUNT_LAN_SLOW));
		tap_close(tap);
	}
}

/* It is for the programs to end it then. */
static void a_capture_that_is_dead_ends_by_the_clock(void **state)
{
	const struct dp_capture dead = { .until_ns = 1, .places = ~0u, .snap = 100 };
	uint8_t frame[HARNESS_FRAME_MAX];
	const size_t len = build(frame, FAR, NEAR, 53);
	struct dp_capture now = { 0 };
	const uint32_t zero = 0;
	struct harness_run run;

	(void)state;
	harness_set("dp_capture", &zero, &dead);
	harness_run_xdp(frame, len, harness_ifindex("w0"), &run);
	assert_int_equal(run.verdict, XDP_PASS);
	assert_true(harness_get("dp_capture", &zero, &now));
	assert_int_equal(now.until_ns, 0);
}

static void other_devices_are_not_looked_at(void **state)
{
	const struct tap_options options = { .snap = 100,
					     .places = 1 << DP_PLACE_WAN_XDP,
					     .ifindex = harness_ifindex("w1") };
	uint8_t frame[HARNESS_FRAME_MAX];
	const size_t len = build(frame, FAR, NEAR, 53);
	struct harness_run run;
	struct seen seen;
	struct tap *tap = begin(&options, &seen);

	(void)state;
	harness_run_xdp(frame, len, harness_ifindex("w0"), &run);
	assert_int_equal(tap_poll(tap, 0), 0);
	assert_int_equal(seen.n, 0);
	harness_run_xdp(frame, len, harness_ifindex("w1"), &run);
	assert_int_equal(tap_poll(tap, 0), 0);
	assert_int_equal(seen.n, 1);
	tap_close(tap);
}

/* Nobody takes them out of the ring: what does not fit is counted, and the program goes on. */
static void what_finds_no_room_is_counted(void **state)
{
	const struct tap_options options = { .snap = DP_CAPTURE_MAX, .places = ~0u };
	static const uint8_t data[1900] = { 4 };
	const struct harness_frame of = { .source = FAR,
					  .destination = NEAR,
					  .source_port = 53,
					  .destination_port = 53,
					  .payload = data,
					  .len = sizeof(data) };
	uint8_t frame[HARNESS_FRAME_MAX];
	const size_t len = harness_build(frame, &of);
	struct harness_run run;
	struct seen seen;
	struct tap *tap = begin(&options, &seen);

	(void)state;
	configure();
	for (int i = 0; i < 6000; i++) {
		harness_run_xdp(frame, len, harness_ifindex("w0"), &run);
		assert_int_equal(run.verdict, XDP_PASS);
	}
	assert_int_equal(tap_poll(tap, 0), 0);
	assert_true(seen.n > 1000);
	assert_true(tap_lost(tap) > 0);
	assert_int_equal(seen.n + tap_lost(tap), 6000);
	tap_close(tap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_drop_comes_with_its_reason),
		cmocka_unit_test(every_program_can_be_seen),
		cmocka_unit_test(a_capture_that_is_dead_ends_by_the_clock),
		cmocka_unit_test(other_devices_are_not_looked_at),
		cmocka_unit_test(what_finds_no_room_is_counted),
	};

	return cmocka_run_group_tests(tests, harness_setup, harness_teardown);
}
