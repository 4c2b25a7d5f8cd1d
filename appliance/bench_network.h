/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A network to measure engines in: host, gateway, gateway, host in a row, each a network namespace without a
 * name, which goes with the process. The addresses are those of RFC 2544 (198.18.0.0/15).
 */
#ifndef NETPAS_BENCH_NETWORK_H
#define NETPAS_BENCH_NETWORK_H

#include <netinet/in.h>

#include "engine_record.h"

enum bench_node {
	BENCH_HOST_A,
	BENCH_GATEWAY_A,
	BENCH_GATEWAY_B,
	BENCH_HOST_B,
	BENCH_NODES,
};

struct bench_network;

/*
 * The process is in a mount and a pid namespace of its own: file systems are mounted on /proc and /run, so that
 * nothing of the machine's is touched. 0 or -errno; words (of what was done) are then set.
 */
int bench_network_new(struct bench_network **ret_network, const char **ret_words);
void bench_network_free(struct bench_network *network);

/* From now on sockets and children are in that node. */
int bench_network_enter(struct bench_network *network, enum bench_node node);

/* The address of host B, or A. */
struct sockaddr_in bench_network_address(enum bench_node host, uint16_t port);

/* The tunnel between the gateways, in this engine. -errno; down is legal then too. */
int bench_network_up(struct bench_network *network, enum engine_kind kind);
void bench_network_down(struct bench_network *network);

#endif
