/* SPDX-License-Identifier: GPL-2.0-only */
/* How a network card is set up, from what it is. Nothing here touches the machine. */
#ifndef NETPAS_NIC_PLAN_H
#define NETPAS_NIC_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NIC_CPUS_MAX 64
#define NIC_WHY_LEN 512

/* A number that the driver lets one set; max 0: it does not. */
struct nic_range {
	uint32_t now, max;
};

struct nic_facts {
	char driver[32];     /* as in /sys/class/net/NAME/device/driver; "" none */
	unsigned int cpus;   /* online, counted from 0; 1..NIC_CPUS_MAX */
	unsigned int number; /* of this card among all, from 0 */
	uint32_t memory_mb;
	bool xdp; /* netpasd is going to attach XDP to it */
	bool lro; /* receive offload that merges packets, switched on */
	uint32_t mtu;
	/* Channels: cards have combined ones, or one number each for RX and TX. */
	struct nic_range combined, rx, tx;
	struct nic_range rx_ring; /* descriptors of one RX queue */
};

/* 0: stays as it is. */
struct nic_plan {
	uint32_t combined, rx, tx;
	uint32_t rx_ring;
	uint32_t mtu;
	bool lro_off;
	char why[NIC_WHY_LEN]; /* what and for what reason; "" nothing to set or to say */
};

void nic_plan_make(const struct nic_facts *facts, struct nic_plan *ret_plan);

/* The CPU for the interrupt of a queue. */
unsigned int nic_plan_irq_cpu(const struct nic_facts *facts, unsigned int queue);

/*
 * Bits of the CPUs that take over after the interrupt (RPS) from an RX queue, one of n_rx; 0: none. To
 * be used where there are fewer queues than CPUs.
 */
uint64_t nic_plan_rps(const struct nic_facts *facts, unsigned int queue, unsigned int n_rx);

/* Bits of the CPUs that send by a TX queue, one of n_tx (XPS); 0: whatever the kernel chooses. */
uint64_t nic_plan_xps(const struct nic_facts *facts, unsigned int queue, unsigned int n_tx);

/* Which queue an interrupt is of, by its name in /proc/interrupts; false: of none. */
bool nic_plan_irq_queue(const char *name, unsigned int *ret_queue);

#endif
