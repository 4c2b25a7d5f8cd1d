/* SPDX-License-Identifier: GPL-2.0-only */
/* Faults of drills: what is lost in which program, and that they end by the clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/pkt_cls.h>
#include <string.h>
#include <time.h>

#include "harness.h"

#define NEAR "10.200.1.10"
#define FAR "203.0.113.34"
#define OTHER "192.0.2.34"
#define AGENT 20480
#define RUNNER 24576

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void put(const struct dp_faults *faults)
{
	const uint32_t zero = 0;

	harness_set("dp_faults", &zero, faults);
	harness_counts_reset();
}

/* For a minute, on w0: all of it, or what has these addresses. */
static struct dp_faults fault(const char *local, const char *remote, uint32_t lost)
{
	struct dp_faults faults = { .until_ns = now_ns() + 60000000000u };

	faults.fault[3].ifindex = harness_ifindex("w0");
	faults.fault[3].lost = lost;
	if (local)
		faults.fault[3].local = harness_addr(local);
	if (remote)
		faults.fault[3].remote = harness_addr(remote);
	return faults;
}

static bool drops(const char *program, const char *device, const uint8_t *frame, size_t len)
{
	const struct __sk_buff skb = { .ifindex = harness_ifindex(device) };
	struct harness_run run;

	if (!strcmp(program, "wan_xdp")) {
		harness_run_xdp(frame, len, harness_ifindex(device), &run);
		return run.verdict == XDP_DROP;
	}
	harness_run_tc(program, frame, len, &skb, &run);
	return run.verdict == TC_ACT_SHOT;
}

static const char *const programs[] = { "wan_xdp", "wan_tc", "wan_egress", "lan_ingress",
					"lan_egress" };
#define N_PROGRAMS (sizeof(programs) / sizeof(programs[0]))

/* Whether every program drops, or none does; and that it is counted. */
static void expect(const char *device, const uint8_t *frame, size_t len, bool dropped)
{
	for (size_t i = 0; i < N_PROGRAMS; i++) {
		harness_counts_reset();
		assert_int_equal(drops(programs[i], device, frame, len), dropped);
		assert_int_equal(harness_count(DP_COUNT_DROP_DRILL).packets, dropped);
	}
}

/* Of nobody in the mesh: without a fault all programs leave it to the stack. */
static size_t build(uint8_t *frame, const char *source, const char *destination)
{
	const struct harness_frame of = { .source = source,
					  .destination = destination,
					  .source_port = 1000,
					  .destination_port = 2000,
					  .payload = "payload",
					  .len = 7 };

	return harness_build(frame, &of);
}

static void a_cut_takes_all_of_its_device(void **state)
{
	const struct dp_faults faults = fault(NULL, NULL, UINT32_MAX), none = { 0 };
	uint8_t frame[HARNESS_FRAME_MAX];
	size_t len = build(frame, FAR, NEAR);

	(void)state;
	put(&none);
	expect("w0", frame, len, false);
	put(&faults);
	expect("w0", frame, len, true);
	expect("w1", frame, len, false);
	len = build(frame, "fd00::1", "fd00::2");
	expect("w0", frame, len, true);
	memset(frame + 12, 0x08, 2); /* no protocol that anybody knows */
	expect("w0", frame, len, true);
}

static void it_ends_by_the_clock(void **state)
{
	struct dp_faults faults = fault(NULL, NULL, UINT32_MAX);
	uint8_t frame[HARNESS_FRAME_MAX];
	const size_t len = build(frame, FAR, NEAR);

	(void)state;
	faults.until_ns = now_ns();
	put(&faults);
	expect("w0", frame, len, false);
}

static void a_path_is_told_by_its_addresses(void **state)
{
	const struct dp_faults faults = fault(NEAR, FAR, UINT32_MAX);
	uint8_t frame[HARNESS_FRAME_MAX];
	size_t len;

	(void)state;
	put(&faults);
	len = build(frame, FAR, NEAR);
	expect("w0", frame, len, true);
	len = build(frame, NEAR, FAR);
	expect("w0", frame, len, true);
	len = build(frame, NEAR, OTHER);
	expect("w0", frame, len, false);
	len = build(frame, OTHER, FAR);
	expect("w0", frame, len, false);
}

static void a_brown_out_takes_its_share(void **state)
{
	const struct dp_faults faults = fault(NULL, FAR, UINT32_MAX / 4);
	uint8_t frame[HARNESS_FRAME_MAX];
	const size_t len = build(frame, FAR, NEAR);
	unsigned int lost = 0;

	(void)state;
	put(&faults);
	for (int i = 0; i < 4000; i++)
		lost += drops("wan_tc", "w0", frame, len);
	/* 1000 expected, with a standard deviation of 27. */
	assert_in_range(lost, 800, 1200);
	assert_int_equal(harness_count(DP_COUNT_DROP_DRILL).packets, lost);
}

static void the_talk_of_the_drill_is_spared(void **state)
{
	struct dp_faults faults = fault(NULL, NULL, UINT32_MAX);
	struct harness_frame of = {
		.source = FAR, .destination = NEAR, .source_port = RUNNER, .destination_port = AGENT
	};
	uint8_t frame[HARNESS_FRAME_MAX];

	(void)state;
	faults.spared[0] = AGENT;
	faults.spared[1] = RUNNER;
	put(&faults);
	expect("w0", frame, harness_build(frame, &of), false);
	of.source_port = AGENT;
	of.destination_port = RUNNER;
	expect("w0", frame, harness_build(frame, &of), false);
	/* Probes have another port at one end: they are customers. */
	of.source_port = 28672;
	expect("w0", frame, harness_build(frame, &of), true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cut_takes_all_of_its_device),
		cmocka_unit_test(it_ends_by_the_clock),
		cmocka_unit_test(a_path_is_told_by_its_addresses),
		cmocka_unit_test(a_brown_out_takes_its_share),
		cmocka_unit_test(the_talk_of_the_drill_is_spared),
	};

	return cmocka_run_group_tests(tests, harness_setup, harness_teardown);
}
