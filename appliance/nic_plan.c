/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What native XDP asks of each driver is from the drivers of Linux 6.12, whose function is named. A card
 * that is not set up so is not lost: netpasd falls back to generic XDP, at the cost of speed.
 *
 * MTU: the frame, 256 bytes of headroom and skb_shared_info (320) share one page of 4096.
 */
#include "nic_plan.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A burst of 1 ms at a million packets a second; hosts take a CPU away for as long. */
#define RING_WANTED 1024
#define RING_MEMORY_MB 1024 /* a page for each descriptor: not on small machines */

enum channel_rule {
	CHANNEL_RULE_ALL,  /* as many as there are CPUs */
	CHANNEL_RULE_HALF, /* XDP sends by as many again: at most half of the maximum */
};

static const struct driver {
	const char *name;
	enum channel_rule rule;
	uint32_t xdp_mtu; /* the largest with native XDP; 0: no limit is known */
	const char *source;
} drivers[] = {
	/* With 2 * CPUs queues XDP_TX has one for each CPU, with fewer it takes a lock; never refused. */
	{ "virtio_net", CHANNEL_RULE_ALL, 3506, "virtnet_xdp_set()" },
	{ "ena", CHANNEL_RULE_HALF, 3498, "ena_xdp_allowed()" },
	{ "gve", CHANNEL_RULE_HALF, 2032, "verify_xdp_configuration()" },
	{ "hv_netvsc", CHANNEL_RULE_ALL, 3506, "netvsc_xdp_set()" },
	{ "mana", CHANNEL_RULE_ALL, 3506, "mana_xdp_set()" },
	{ "vmxnet3", CHANNEL_RULE_ALL, 3494, "vmxnet3_xdp_set()" },
	{ "mlx4_core", CHANNEL_RULE_ALL, 3498, "mlx4_en_check_xdp_mtu()" },
	{ "mlx5_core", CHANNEL_RULE_ALL, 3498, "mlx5e_params_validate_xdp()" },
	{ "vif", CHANNEL_RULE_ALL, 3840, "xennet_xdp_set()" },
};

static const struct driver other = { "", CHANNEL_RULE_ALL, 0, "" };

static const struct driver *find_driver(const char *name)
{
	for (size_t i = 0; i < COUNT(drivers); i++)
		if (!strcmp(drivers[i].name, name))
			return &drivers[i];
	return &other;
}

static void say(struct nic_plan *plan, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct nic_plan *plan, const char *fmt, ...)
{
	const size_t len = strlen(plan->why);
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(plan->why + len, sizeof(plan->why) - len, fmt,
			args); /* cut is good enough */
	va_end(args);
}

/* 0: leave them. */
static uint32_t plan_channels(const struct nic_facts *facts, const struct driver *driver,
			      const struct nic_range *range, const char *kind,
			      struct nic_plan *plan)
{
	const bool half = facts->xdp && driver->rule == CHANNEL_RULE_HALF;
	const uint32_t most = half ? range->max / 2 : range->max;
	const uint32_t want = facts->cpus < most ? facts->cpus : most;

	if (!range->max)
		return 0;
	if (!want) {
		say(plan, "%s: %u queue, and native XDP wants another (%s): expect generic XDP; ",
		    kind, range->max, driver->source);
		return 0;
	}
	if (want == range->now)
		return 0;
	say(plan, "%s channels %u -> %u (%u CPUs, at most %u); ", kind, range->now, want,
	    facts->cpus, most);
	return want;
}

void nic_plan_make(const struct nic_facts *facts, struct nic_plan *ret_plan)
{
	const struct driver *driver = find_driver(facts->driver);
	struct nic_plan plan = { .mtu = 0 };

	plan.combined = plan_channels(facts, driver, &facts->combined, "combined", &plan);
	if (!facts->combined.max) {
		/* XDP pairs them. */
		const uint32_t most = facts->rx.max < facts->tx.max ? facts->rx.max : facts->tx.max;
		const struct nic_range rx = { facts->rx.now, facts->xdp ? most : facts->rx.max };
		const struct nic_range tx = { facts->tx.now, facts->xdp ? most : facts->tx.max };

		plan.rx = plan_channels(facts, driver, &rx, "RX", &plan);
		plan.tx = plan_channels(facts, driver, &tx, "TX", &plan);
	}
	if (facts->memory_mb >= RING_MEMORY_MB && facts->rx_ring.now < RING_WANTED &&
	    facts->rx_ring.max > facts->rx_ring.now) {
		plan.rx_ring = facts->rx_ring.max < RING_WANTED ? facts->rx_ring.max : RING_WANTED;
		say(&plan, "RX ring %u -> %u (bursts while the host is busy); ", facts->rx_ring.now,
		    plan.rx_ring);
	}
	if (facts->lro) {
		plan.lro_off = true;
		say(&plan, "LRO on -> off (merged packets cannot be passed on%s); ",
		    facts->xdp ? ", and XDP refuses them" : "");
	}
	if (facts->xdp && driver->xdp_mtu && facts->mtu > driver->xdp_mtu) {
		plan.mtu = driver->xdp_mtu;
		say(&plan, "MTU %u -> %u (native XDP, %s); ", facts->mtu, plan.mtu, driver->source);
	}
	if (*plan.why && strlen(plan.why) < NIC_WHY_LEN - 1)
		plan.why[strlen(plan.why) - 2] = '\0';
	*ret_plan = plan;
}

unsigned int nic_plan_irq_cpu(const struct nic_facts *facts, unsigned int queue)
{
	/* Cards with one queue each do not meet on the first CPU. */
	return (queue + facts->number) % facts->cpus;
}

static uint64_t cpu_bit(unsigned int cpu)
{
	return UINT64_C(1) << cpu;
}

uint64_t nic_plan_rps(const struct nic_facts *facts, unsigned int queue, unsigned int n_rx)
{
	uint64_t mask = 0;

	if (!n_rx || n_rx >= facts->cpus)
		return 0;
	/* The CPUs without a queue are shared out; none of them is interrupted itself. */
	for (unsigned int spare = n_rx; spare < facts->cpus; spare++)
		if (spare % n_rx == queue || facts->cpus - n_rx < n_rx)
			mask |= cpu_bit(nic_plan_irq_cpu(facts, spare));
	/* Its own too, else it would only take packets in while the others work. */
	return mask | cpu_bit(nic_plan_irq_cpu(facts, queue));
}

uint64_t nic_plan_xps(const struct nic_facts *facts, unsigned int queue, unsigned int n_tx)
{
	uint64_t mask = 0;

	if (n_tx < 2)
		return 0;
	for (unsigned int i = queue; i < facts->cpus; i += n_tx)
		mask |= cpu_bit(nic_plan_irq_cpu(facts, i));
	return mask;
}

bool nic_plan_irq_queue(const char *name, unsigned int *ret_queue)
{
	/* virtio; ena; ixgbevf; vmxnet3; gve of both ages; mlx5; mana; xen */
	static const char *const marks[] = {
		"-input.",	"-output.",	  "-Tx-Rx-",   "-TxRx-", "-rxtx-",
		"gve-ntfy-blk", "gve-ntfy-block", "mlx5_comp", "mana_q", "-q"
	};

	for (size_t i = 0; i < COUNT(marks); i++) {
		const char *at = strstr(name, marks[i]);
		unsigned long queue;

		if (!at || !isdigit((unsigned char)at[strlen(marks[i])]))
			continue;
		queue = strtoul(at + strlen(marks[i]), NULL, 10);
		if (queue > 4095) /* no card has as many */
			return false;
		*ret_queue = (unsigned int)queue;
		return true;
	}
	return false;
}
