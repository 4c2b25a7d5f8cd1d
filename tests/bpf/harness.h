/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The programs under BPF_PROG_TEST_RUN: loading them with maps of their own (nothing is pinned),
 * running frames through, building frames and checking their sums by a full computation.
 *
 * A call that cannot do its work fails the test.
 */
#ifndef NETPAS_TESTS_BPF_HARNESS_H
#define NETPAS_TESTS_BPF_HARNESS_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane.h"

#define HARNESS_FRAME_MAX 4096

/* Group fixtures: a network namespace of its own with veths w0-p0 and w1-p1, and the programs. */
int harness_setup(void **state);
int harness_teardown(void **state);
void harness_shell(const char *command);
unsigned int harness_ifindex(const char *name);

int harness_program(const char *name);
int harness_map(const char *name);

void harness_set(const char *map, const void *key, const void *value);
bool harness_get(const char *map, const void *key, void *ret_value);
void harness_clear(const char *map);
/* Sum over the CPUs; zero if the key is missing. */
struct dp_count harness_count_at(const char *map, const void *key);
struct dp_count harness_count(enum dp_count_id id);
/* What a relay's flows have counted and no other map holds yet; it is part of harness_count(). */
struct dp_count harness_count_flows(void);
/* All counters to zero; then the names and packets of those that are not. "": none. */
void harness_counts_reset(void);
const char *harness_counts(void);

struct dp_addr harness_addr(const char *text);

/* What a frame is made of. 0: the usual one. */
struct harness_frame {
	const char *source, *destination;
	uint16_t source_port, destination_port;
	const void *payload;
	size_t len;
	uint8_t ttl;	   /* 64 */
	uint8_t tags;	   /* VLAN tags */
	uint8_t options;   /* IPv4: words of options; IPv6: 1: destination options */
	uint8_t protocol;  /* UDP */
	uint16_t fragment; /* 1: the first of several; else the offset in bytes */
	bool no_checksum;
};

/* Returns the length of the frame, made in a buffer of HARNESS_FRAME_MAX. */
size_t harness_build(uint8_t *frame, const struct harness_frame *of);
/* Are the IPv4 header's and UDP's sum right, all computed anew? */
bool harness_sums_right(const uint8_t *frame, size_t len);
/* Offset of the UDP header in a frame of harness_build() without options. */
size_t harness_udp(const uint8_t *frame);

struct harness_run {
	uint32_t verdict;
	uint8_t frame[HARNESS_FRAME_MAX];
	size_t len;
	bool marked; /* XDP left its mark in front of the frame; frame begins behind it */
	struct __sk_buff skb;
	uint32_t ns; /* average, of repeat runs */
};
/* ifindex 0: loopback. */
void harness_run_xdp(const uint8_t *frame, size_t len, unsigned int ifindex,
		     struct harness_run *ret_run);
/* skb: what the program is to see in its context; NULL: nothing special. */
void harness_run_tc(const char *program, const uint8_t *frame, size_t len,
		    const struct __sk_buff *skb, struct harness_run *ret_run);

#endif
