/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Load from host A to host B of a bench_network: sockets of this program's, by children that end with the
 * measurement. All take `seconds` and what it takes to begin.
 */
#ifndef NETPAS_BENCH_LOAD_H
#define NETPAS_BENCH_LOAD_H

#include "bench_network.h"

/* Until the hosts hear each other. -ETIMEDOUT: not within so many seconds. */
int bench_load_await(struct bench_network *network, double seconds);

/*
 * TCP streams, one a processor but two at least and eight at most; a datagram to and fro every 10 ms beside
 * them. ret_p99_us: of the round trips, those that did not come back among them with the time until the end.
 */
int bench_load_bulk(struct bench_network *network, double seconds, double *ret_bps,
		    double *ret_p99_us);

/*
 * UDP of 64 bytes, by a sender for every two processors, four at most. Not all that is sent arrives: the most
 * that did, of up to six rates. Each takes a quarter of `seconds`.
 */
int bench_load_small(struct bench_network *network, double seconds, double *ret_pps);

#endif
