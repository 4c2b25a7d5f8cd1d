/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nic_plan.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_drivers(void **state)
{
	static const struct {
		struct nic_facts facts;
		struct nic_plan plan;
		const char *word; /* of why; NULL: nothing is said */
	} cases[] = {
		/* virtio: one for each CPU, more than that stay for XDP_TX. */
		{ { "virtio_net", 4, 0, 4096, true, false, 1500, .combined = { 1, 8 } },
		  { .combined = 4 },
		  "1 -> 4" },
		{ { "virtio_net", 4, 0, 4096, true, false, 1500, .combined = { 2, 2 } },
		  { 0 },
		  NULL },
		{ { "virtio_net", 4, 0, 4096, true, false, 9000, .combined = { 4, 4 } },
		  { .mtu = 3506 },
		  "virtnet_xdp_set" },
		{ { "virtio_net", 4, 0, 4096, false, false, 9000, .combined = { 4, 4 } },
		  { 0 },
		  NULL },
		/* ena: half of them, and only where XDP is. */
		{ { "ena", 4, 0, 4096, true, false, 9001, .combined = { 4, 4 } },
		  { .combined = 2, .mtu = 3498 },
		  "4 -> 2" },
		{ { "ena", 4, 0, 4096, false, false, 9001, .combined = { 4, 4 } }, { 0 }, NULL },
		{ { "ena", 4, 0, 4096, true, false, 1500, .combined = { 8, 8 } },
		  { .combined = 4 },
		  "8 -> 4" },
		{ { "ena", 2, 0, 4096, true, false, 1500, .combined = { 1, 1 } },
		  { 0 },
		  "expect generic" },
		/* gve: RX and TX apart and equal. */
		{ { "gve", 4, 0, 4096, true, false, 1460, .rx = { 4, 16 }, .tx = { 8, 16 } },
		  { .tx = 4 },
		  "TX" },
		{ { "gve", 4, 0, 4096, true, false, 8896, .rx = { 4, 4 }, .tx = { 4, 6 } },
		  { .rx = 2, .tx = 2, .mtu = 2032 },
		  "RX" },
		/* LRO off in any case. */
		{ { "vmxnet3", 4, 0, 4096, false, true, 1500, .combined = { 0, 0 } },
		  { .lro_off = true },
		  "passed on" },
		{ { "hv_netvsc", 4, 0, 4096, true, true, 1500, .combined = { 1, 4 } },
		  { .combined = 4, .lro_off = true },
		  "XDP refuses" },
		/* Rings, but not on small machines, and never smaller. */
		{ { "ena", 4, 0, 4096, false, false, 1500, .rx_ring = { 512, 8192 } },
		  { .rx_ring = 1024 },
		  "512 -> 1024" },
		{ { "ena", 4, 0, 512, false, false, 1500, .rx_ring = { 512, 8192 } }, { 0 }, NULL },
		{ { "ena", 4, 0, 4096, false, false, 1500, .rx_ring = { 2048, 8192 } },
		  { 0 },
		  NULL },
		{ { "ena", 4, 0, 4096, false, false, 1500, .rx_ring = { 256, 512 } },
		  { .rx_ring = 512 },
		  "512" },
		{ { "ena", 4, 0, 4096, false, false, 1500, .rx_ring = { 512, 512 } }, { 0 }, NULL },
		/* Nobody knows it: queues, and no limit. */
		{ { "e1000", 4, 0, 4096, true, false, 9000, .combined = { 0, 0 } }, { 0 }, NULL },
		{ { "", 4, 0, 4096, true, false, 9000, .combined = { 1, 2 } },
		  { .combined = 2 },
		  "1 -> 2" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct nic_plan plan;

		nic_plan_make(&cases[i].facts, &plan);
		assert_int_equal(plan.combined, cases[i].plan.combined);
		assert_int_equal(plan.rx, cases[i].plan.rx);
		assert_int_equal(plan.tx, cases[i].plan.tx);
		assert_int_equal(plan.rx_ring, cases[i].plan.rx_ring);
		assert_int_equal(plan.mtu, cases[i].plan.mtu);
		assert_int_equal(plan.lro_off, cases[i].plan.lro_off);
		if (cases[i].word)
			assert_non_null(strstr(plan.why, cases[i].word));
		else
			assert_string_equal(plan.why, "");
	}
}

/* What was set asks for nothing more. */
static void test_settled(void **state)
{
	(void)state;
	srandom(7);
	for (unsigned int i = 0; i < 20000; i++) {
		static const char *const drivers[] = { "virtio_net", "ena", "gve", "vmxnet3", "x" };
		struct nic_facts facts = {
			.cpus = 1 + (unsigned int)random() % NIC_CPUS_MAX,
			.memory_mb = (uint32_t)random() % 8192,
			.xdp = random() % 2,
			.lro = random() % 2,
			.mtu = (uint32_t)random() % 10000,
			.combined = { 1, (uint32_t)random() % 20 },
			.rx = { 1, (uint32_t)random() % 20 },
			.tx = { 1, (uint32_t)random() % 20 },
			.rx_ring = { (uint32_t)random() % 2048, (uint32_t)random() % 4096 },
		};
		struct nic_plan plan, again;

		strcpy(facts.driver, drivers[random() % (long)COUNT(drivers)]);
		nic_plan_make(&facts, &plan);
		assert_true(plan.combined <= facts.combined.max && plan.rx <= facts.rx.max &&
			    plan.tx <= facts.tx.max && plan.rx_ring <= facts.rx_ring.max);
		facts.combined.now = plan.combined ? plan.combined : facts.combined.now;
		facts.rx.now = plan.rx ? plan.rx : facts.rx.now;
		facts.tx.now = plan.tx ? plan.tx : facts.tx.now;
		facts.rx_ring.now = plan.rx_ring ? plan.rx_ring : facts.rx_ring.now;
		facts.mtu = plan.mtu ? plan.mtu : facts.mtu;
		facts.lro = false;
		nic_plan_make(&facts, &again);
		assert_false(again.combined || again.rx || again.tx || again.rx_ring || again.mtu ||
			     again.lro_off);
	}
}

static void test_masks(void **state)
{
	static const struct {
		unsigned int cpus, number, queue, n;
		uint64_t rps, xps;
		unsigned int irq;
	} cases[] = {
		{ 4, 0, 0, 1, 0xf, 0, 0 },   { 4, 1, 0, 1, 0xf, 0, 1 },
		{ 4, 0, 0, 2, 0x5, 0x5, 0 }, { 4, 0, 1, 2, 0xa, 0xa, 1 },
		{ 4, 1, 0, 2, 0xa, 0xa, 1 }, { 4, 0, 3, 4, 0, 0x8, 3 },
		{ 4, 1, 3, 4, 0, 0x1, 0 },   { 4, 0, 1, 3, 0xa, 0x2, 1 },
		{ 1, 0, 0, 1, 0, 0, 0 },     { 1, 1, 0, 2, 0, 0x1, 0 },
		{ 2, 0, 5, 8, 0, 0, 1 },     { 64, 0, 0, 1, UINT64_MAX, 0, 0 },
		{ 4, 0, 0, 0, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct nic_facts facts = { .cpus = cases[i].cpus, .number = cases[i].number };

		assert_int_equal(nic_plan_rps(&facts, cases[i].queue, cases[i].n), cases[i].rps);
		assert_int_equal(nic_plan_xps(&facts, cases[i].queue, cases[i].n), cases[i].xps);
		assert_int_equal(nic_plan_irq_cpu(&facts, cases[i].queue), cases[i].irq);
	}
}

/* Every CPU works, none that is not there. */
static void test_cover(void **state)
{
	(void)state;
	for (unsigned int cpus = 1; cpus <= NIC_CPUS_MAX; cpus++) {
		for (unsigned int n = 1; n < cpus; n++) {
			for (unsigned int number = 0; number < 3; number++) {
				const struct nic_facts facts = { .cpus = cpus, .number = number };
				const uint64_t all =
					cpus == 64 ? UINT64_MAX : (UINT64_C(1) << cpus) - 1;
				uint64_t rps = 0, xps = 0;

				for (unsigned int queue = 0; queue < n; queue++) {
					rps |= nic_plan_rps(&facts, queue, n);
					xps |= nic_plan_xps(&facts, queue, n);
				}
				assert_int_equal(rps, all);
				assert_int_equal(xps, n > 1 ? all : 0);
			}
		}
	}
}

static void test_irqs(void **state)
{
	static const struct {
		const char *name;
		int queue; /* -1: none */
	} cases[] = {
		{ "virtio0-input.0", 0 },
		{ "virtio11-output.13", 13 },
		{ "virtio0-config", -1 },
		{ "eth0-Tx-Rx-3", 3 },
		{ "ena-mgmnt@pci:0000:00:05.0", -1 },
		{ "eth1-TxRx-1", 1 },
		{ "eth0-rxtx-2", 2 },
		{ "eth0-event-4", -1 },
		{ "gve-ntfy-blk7@pci:0000:00:04.0", 7 },
		{ "gve-ntfy-block0", 0 },
		{ "gve-mgmnt@pci:0000:00:04.0", -1 },
		{ "mlx5_comp3@pci:0001:00:02.0", 3 },
		{ "mlx5_async0@pci:0001:00:02.0", -1 },
		{ "mana_q2@pci:7870:00:00.0", 2 },
		{ "mana_hwc@pci:7870:00:00.0", -1 },
		{ "eth0-q1-rx", 1 },
		{ "eth0-Tx-Rx-99999999999999999999", -1 },
		{ "timer", -1 },
		{ "", -1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		unsigned int queue = 77;

		assert_int_equal(nic_plan_irq_queue(cases[i].name, &queue), cases[i].queue >= 0);
		assert_int_equal(queue, cases[i].queue >= 0 ? cases[i].queue : 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drivers), cmocka_unit_test(test_settled),
		cmocka_unit_test(test_masks),	cmocka_unit_test(test_cover),
		cmocka_unit_test(test_irqs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
