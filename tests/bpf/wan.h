/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The node of the WAN tests and whom it knows: a gateway with two WAN addresses of each family, one
 * peer of each family, and a relay. Tests go over both families and both hooks by loops, so that
 * what one does the other must do.
 */
#ifndef NETPAS_TESTS_BPF_WAN_H
#define NETPAS_TESTS_BPF_WAN_H

#include <arpa/inet.h>
#include <linux/pkt_cls.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "harness.h"
#include "probe.h"

#define BASE 16384
#define SELF 5
#define PEER 7	/* IPv4 */
#define PEER6 8 /* IPv6 */
#define RELAY 9
#define OTHER 11 /* in no map */
#define SECOND 1000000000ull
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum hook {
	XDP,
	TC,
	HOOKS,
};

/* One end of each family, so that tables need no second copy. */
static const struct family {
	uint16_t peer;
	const char *remote, *remote2, *relay, *stranger;
	const char *local, *local2;
	const char *canonical_remote;
} families[] = {
	{ PEER, "198.51.100.7", "198.51.100.8", "192.0.2.9", "203.0.113.66", "10.0.0.5", "10.0.1.5",
	  "198.51.100.7" },
	{ PEER6, "2001:db8:7::1", "2001:db8:7::2", "2001:db8:9::1", "2001:db8:bad::1",
	  "2001:db8:5::1", "2001:db8:5::2", "2001:db8:7::1" },
};

static const __u64 key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
static struct harness_run out;

static struct dp_config config = {
	.version = DP_VERSION,
	.id = SELF,
	.port_base = BASE,
	.kind = DP_KIND_GATEWAY,
	.role = DP_ROLE_ACTIVE,
	.lanes = 4,
	.lane_class = { DP_CLASS_BEST, DP_CLASS_PROTECTED, DP_CLASS_BULK, DP_CLASS_BEST },
	.generation = 42,
	.digest = 0xd19e57,
};

static inline uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static inline uint16_t port(unsigned int id, unsigned int lane)
{
	return (uint16_t)(BASE + id + lane * DP_LANE_PORTS);
}

static inline void set_config(void)
{
	const uint32_t zero = 0;

	harness_set("dp_config", &zero, &config);
}

static inline void set_source(const char *addr, uint16_t id, uint16_t wan)
{
	const struct dp_addr source = harness_addr(addr);

	harness_set("dp_sources", &source, &(struct dp_source){ .node = id, .wan = wan });
}

static inline void set_local(const char *addr, uint32_t wan)
{
	const struct dp_addr local = harness_addr(addr);

	harness_set("dp_locals", &local, &(struct dp_local){ .wan = wan });
}

static inline void set_path(uint16_t node, uint16_t number, const char *local, const char *remote,
			    unsigned int ifindex, bool alive)
{
	const struct dp_path_key at = { .node = node, .path = number };
	struct dp_path path = {
		.local = harness_addr(local),
		.remote = harness_addr(remote),
		.next_hop = harness_addr(remote),
		.ifindex = ifindex,
		.dead_ns = SECOND,
	};
	struct dp_path_state state = {
		.sequence = 1ull << 32,
		.last_sent_ns = 10 * SECOND,
		.last_reply_ns = alive ? 10 * SECOND : 8 * SECOND,
	};

	harness_set("dp_paths", &at, &path);
	harness_set("dp_path_states", &at, &state);
}

static inline void set_alive(uint16_t node, uint16_t number, bool alive)
{
	const struct dp_path_key at = { .node = node, .path = number };
	struct dp_path_state state;

	assert_true(harness_get("dp_path_states", &at, &state));
	state.last_sent_ns = 10 * SECOND;
	state.last_reply_ns = alive ? 10 * SECOND : 8 * SECOND;
	harness_set("dp_path_states", &at, &state);
}

static inline void set_node(const struct family *f, uint8_t n_order)
{
	struct dp_node node = {
		.kind = DP_KIND_GATEWAY,
		.n_order = n_order,
		.order = { 0, 1, 2 },
		.second = { 1, 0, DP_NO_PATH },
		.site = 2,
		.canonical_remote = harness_addr(f->canonical_remote),
		.canonical_local = harness_addr(f->local),
		.key = { key[0], key[1] },
		.seen_generation = 77,
	};

	harness_set("dp_nodes", &f->peer, &node);
}

static inline int reset(void **state)
{
	static const char *const maps[] = { "dp_nodes",	      "dp_paths",   "dp_path_states",
					    "dp_locals",      "dp_sources", "dp_arrivals",
					    "dp_reflections", "dp_heard",   "dp_traffic",
					    "dp_buckets" };
	const unsigned int w0 = harness_ifindex("w0"), w1 = harness_ifindex("w1");
	const uint16_t relay = RELAY;

	(void)state;
	for (size_t i = 0; i < COUNT(maps); i++)
		harness_clear(maps[i]);
	harness_counts_reset();
	config.handshakes_per_s = 0;
	config.kind = DP_KIND_GATEWAY;
	set_config();
	harness_set("dp_nodes", &relay,
		    &(struct dp_node){ .kind = DP_KIND_RELAY, .key = { key[0], key[1] } });
	for (size_t i = 0; i < COUNT(families); i++) {
		const struct family *f = &families[i];
		struct dp_arrival_key arrival = {
			.node = f->peer,
			.source = harness_addr(f->remote2),
			.destination = harness_addr(f->local2),
		};

		set_local(f->local, 0);
		set_local(f->local2, 1);
		set_source(f->remote, f->peer, 0);
		set_source(f->remote2, f->peer, 1);
		set_source(f->relay, RELAY, 0);
		set_node(f, 3);
		set_path(f->peer, 0, f->local, f->remote, w0, true);
		set_path(f->peer, 1, f->local2, f->remote2, w1, true);
		set_path(f->peer, 2, f->local2, f->relay, w1, true);
		harness_set("dp_arrivals", &arrival, &(struct dp_arrival){ .path = 1 });
	}
	return 0;
}

static inline void run(enum hook hook, const uint8_t *frame, size_t len)
{
	if (hook == XDP)
		harness_run_xdp(frame, len, 0, &out);
	else
		harness_run_tc("wan_tc", frame, len, NULL, &out);
}

static inline void assert_passed(enum hook hook)
{
	assert_int_equal(out.verdict, hook == XDP ? XDP_PASS : TC_ACT_OK);
}

static inline void assert_dropped(enum hook hook)
{
	assert_int_equal(out.verdict, hook == XDP ? XDP_DROP : TC_ACT_SHOT);
}

/* The counters that are not 0 must be these; then they are reset. */
static inline void assert_counts(const char *wanted)
{
	assert_string_equal(harness_counts(), wanted);
	harness_counts_reset();
}

/* A WireGuard message of one type; shortest of its kind. */
static const uint8_t *message(uint8_t type, size_t *ret_len)
{
	static const size_t lengths[] = { 0, 148, 92, 64, 96 };
	static uint8_t buf[256];

	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(i * 7);
	memcpy(buf, (const uint8_t[]){ type, 0, 0, 0 }, 4);
	*ret_len = lengths[type];
	return buf;
}

static inline struct harness_frame data_from(const struct family *f)
{
	struct harness_frame of = {
		.source = f->remote2,
		.destination = f->local2,
		.source_port = port(SELF, 0),
		.destination_port = port(f->peer, 0),
		.ttl = 61,
	};

	of.payload = message(4, &of.len);
	return of;
}

static inline void swap_ends(struct harness_frame *of)
{
	const struct harness_frame was = *of;

	of->source = was.destination;
	of->destination = was.source;
	of->source_port = was.destination_port;
	of->destination_port = was.source_port;
}

#endif
