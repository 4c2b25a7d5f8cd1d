/* SPDX-License-Identifier: GPL-2.0-only */
/* Forwarding at a relay: every verdict and counter, in XDP and in tc, byte for byte. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>

#include "wan.h"

#define TARGET 20
#define RELAY2 21

/* Of each family: where the target is, by a path on w0, w1, by another relay; and its neighbours. */
static const struct target {
	const char *direct, *second, *relay2;
} targets[] = {
	{ "198.51.100.20", "198.51.100.21", "192.0.2.21" },
	{ "2001:db8:20::1", "2001:db8:20::2", "2001:db8:21::1" },
};

static unsigned int w0, w1;

static int relay_setup(void **state)
{
	if (harness_setup(state))
		return -1;
	w0 = harness_ifindex("w0");
	w1 = harness_ifindex("w1");
	/* Nobody else sends to the attached program, which would count it. */
	harness_shell("sysctl -qw net.ipv4.conf.all.forwarding=1 net.ipv6.conf.all.forwarding=1 "
		      "net.ipv6.conf.p0.disable_ipv6=1 net.ipv6.conf.p1.disable_ipv6=1");
	for (int i = 0; i < 2; i++) {
		char command[512];

		snprintf(command, sizeof(command),
			 "ip addr add 10.0.%d.5/24 dev w%d && "
			 "ip -6 addr add 2001:db8:5::%d/128 dev w%d nodad && "
			 "ip route add 198.51.100.2%d dev w%d && "
			 "ip -6 route add 2001:db8:20::%d dev w%d && "
			 "ip neigh add 198.51.100.2%d lladdr 02:00:00:00:20:0%d dev w%d && "
			 "ip neigh add 2001:db8:20::%d lladdr 02:00:00:00:20:0%d dev w%d",
			 i, i, i + 1, i, i, i, i + 1, i, i, i, i, i + 1, i, i);
		harness_shell(command);
	}
	/* Nobody's MAC is known here. */
	harness_shell("ip route add 192.0.2.0/24 dev w0 && "
		      "ip -6 route add 2001:db8:21::/64 dev w0");
	/* What the far end solicits of its own accord would be counted by the program. */
	harness_shell("sysctl -qw net.ipv6.conf.p0.disable_ipv6=1");
	/* Without a program of its own a veth has no receive queue that a test run could name. */
	return bpf_xdp_attach((int)w0, harness_program("wan_xdp"), 0, NULL);
}

static int relay_reset(void **state)
{
	const uint16_t relay2 = RELAY2, target = TARGET;
	const struct dp_node node = { .kind = DP_KIND_GATEWAY,
				      .n_order = 6,
				      .order = { 0, 1, 2, 8, 9, 10 } };

	reset(state);
	harness_clear("dp_relayed");
	config.kind = DP_KIND_RELAY;
	config.relay_pps = 0;
	set_config();
	harness_set("dp_nodes", &target, &node);
	harness_set("dp_nodes", &relay2, &(struct dp_node){ .kind = DP_KIND_RELAY });
	for (uint16_t i = 0; i < COUNT(targets); i++) {
		const struct target *t = &targets[i];
		const struct dp_path_key at = { TARGET, (uint16_t)(2 + i * 8) };
		struct dp_path path;

		set_source(t->relay2, RELAY2, 0);
		set_path(TARGET, i * 8, families[i].local, t->direct, w0, true);
		set_path(TARGET, 1 + i * 8, families[i].local2, t->second, w1, true);
		set_path(TARGET, 2 + i * 8, families[i].local, t->relay2, w0, true);
		assert_true(harness_get("dp_paths", &at, &path));
		path.relay = RELAY2;
		harness_set("dp_paths", &at, &path);
	}
	return 0;
}

static struct harness_frame data_to(const struct family *f)
{
	struct harness_frame of = data_from(f);

	of.source_port = port(TARGET, 0);
	return of;
}

static void run_at(enum hook hook, const uint8_t *frame, size_t len)
{
	if (hook == XDP)
		harness_run_xdp(frame, len, w0, &out);
	else
		harness_run_tc("wan_tc", frame, len, NULL, &out);
}

/* In XDP by verdict, with the MACs; in tc by redirection, whose helper writes them. */
static void assert_forwarded(enum hook hook, const uint8_t *in, const struct harness_frame *of,
			     const char *source, const char *destination, unsigned int by)
{
	struct harness_frame wanted = *of;
	uint8_t expect[HARNESS_FRAME_MAX];
	size_t len;

	wanted.source = source;
	wanted.destination = destination;
	wanted.ttl--;
	len = harness_build(expect, &wanted);
	if (hook == XDP) {
		assert_int_equal(out.verdict, by == w0 ? XDP_TX : XDP_REDIRECT);
		assert_memory_equal(out.frame, by == w0 ? "\x02\0\0\0\x20\0" : "\x02\0\0\0\x20\x01",
				    6);
		assert_memory_not_equal(out.frame + 6, in + 6, 6);
	} else {
		assert_int_equal(out.verdict, TC_ACT_REDIRECT);
	}
	assert_int_equal(out.len, len);
	assert_memory_equal(out.frame + 12, expect + 12, len - 12);
	assert_true(harness_sums_right(out.frame, len));
}

static void test_forward(void **state)
{
	(void)state;
	for (enum hook hook = XDP; hook < HOOKS; hook++)
		for (size_t i = 0; i < COUNT(families); i++) {
			const struct family *f = &families[i];
			const struct dp_relayed_key at = { f->peer, TARGET };
			struct harness_frame of = data_to(f);
			uint8_t in[HARNESS_FRAME_MAX];
			size_t len;

			relay_reset(NULL);
			for (uint8_t type = 1; type <= 4; type++) {
				of.payload = message(type, &of.len);
				len = harness_build(in, &of);
				run_at(hook, in, len);
				assert_forwarded(hook, in, &of, f->local, targets[i].direct, w0);
				assert_counts("relay_forwarded=1");
				assert_int_equal(harness_count_at("dp_relayed", &at).packets, type);
			}
			/* The other device, when the first path is dead; and from another relay. */
			set_alive(TARGET, (uint16_t)(i * 8), false);
			of.source = f->relay;
			len = harness_build(in, &of);
			run_at(hook, in, len);
			assert_forwarded(hook, in, &of, f->local2, targets[i].second, w1);
			assert_counts("relay_forwarded=1");
		}
}

/* A probe between others is like data: neither read nor answered. */
static void test_forward_probe(void **state)
{
	(void)state;
	for (enum hook hook = XDP; hook < HOOKS; hook++)
		for (size_t i = 0; i < COUNT(families); i++) {
			const uint8_t payload[300] = { i ? DP_PROBE_REQUEST : DP_PROBE_REPLY, 1, 2,
						       3 };
			struct harness_frame of = data_to(&families[i]);
			uint8_t in[HARNESS_FRAME_MAX];

			of.payload = payload;
			of.len = sizeof(payload);
			run_at(hook, in, harness_build(in, &of));
			assert_forwarded(hook, in, &of, families[i].local, targets[i].direct, w0);
			assert_counts("relay_forwarded=1");
		}
}

/* XDP leaves it alone, uncounted; tc waits for the neighbour. */
static void test_unresolved(void **state)
{
	(void)state;
	for (enum hook hook = XDP; hook < HOOKS; hook++)
		for (size_t i = 0; i < COUNT(families); i++) {
			struct harness_frame of = data_to(&families[i]);
			uint8_t in[HARNESS_FRAME_MAX];
			size_t len;

			set_alive(TARGET, (uint16_t)(i * 8), false);
			set_alive(TARGET, (uint16_t)(i * 8 + 1), false);
			len = harness_build(in, &of);
			run_at(hook, in, len);
			if (hook == XDP) {
				assert_int_equal(out.verdict, XDP_PASS);
				assert_memory_equal(out.frame, in, len);
				assert_false(out.marked);
				assert_counts("");
				continue;
			}
			assert_forwarded(hook, in, &of, families[i].local, targets[i].relay2, w0);
			assert_counts("relay_forwarded=1");
		}
}

/* As a program would, past the harness, which makes the relay forget when a map was changed. */
static void answer_path(uint16_t node, uint16_t number, bool alive)
{
	const struct dp_path_key at = { node, number };
	struct dp_path_state state;

	assert_true(harness_get("dp_path_states", &at, &state));
	state.last_reply_ns = alive ? 10 * SECOND : 8 * SECOND;
	assert_int_equal(bpf_map_update_elem(harness_map("dp_path_states"), &at, &state, BPF_ANY),
			 0);
}

/* dp_relayed and the flows hold together what was forwarded. */
static void assert_relayed(const struct family *f)
{
	const struct dp_relayed_key at = { f->peer, TARGET };
	const struct dp_count all = harness_count(DP_COUNT_RELAY_FORWARDED);
	const struct dp_count kept = harness_count_at("dp_relayed", &at);
	const struct dp_count flows = harness_count_flows();

	assert_int_equal(kept.packets + flows.packets, all.packets);
	assert_int_equal(kept.bytes + flows.bytes, all.bytes);
}

/*
 * Packets that go as one before them did, within a tick of the clock: each is counted, and each is
 * looked at. In every turn a good one comes first, and its like behind.
 */
static void test_like_before(void **state)
{
	static const struct {
		const char *counts;
		uint8_t ttl, type, options, tags;
		int from, to, lane, cut;
		uint16_t fragment;
		bool no_checksum, stranger, malformed, length;
	} cases[] = {
		{ .counts = "relay_forwarded=2" },
		{ .counts = "relay_forwarded=2", .ttl = 2 },
		{ .counts = "relay_forwarded=2", .ttl = 255, .type = 1 },
		{ .counts = "relay_forwarded=2", .type = 2 },
		{ .counts = "relay_forwarded=2", .type = 3 },
		{ .counts = "relay_forwarded=2", .no_checksum = true },
		{ .counts = "relay_forwarded=2", .lane = 1 },
		{ .counts = "relay_forwarded=1 drop_relay_ttl=1", .ttl = 1 },
		{ .counts = "drop_malformed=1 relay_forwarded=1", .options = 1 },
		{ .counts = "drop_malformed=1 relay_forwarded=1", .malformed = true },
		{ .counts = "drop_malformed=1 relay_forwarded=1", .cut = 1 },
		{ .counts = "drop_malformed=1 relay_forwarded=1", .length = true },
		{ .counts = "drop_fragment=1 relay_forwarded=1", .fragment = 1 },
		{ .counts = "drop_stranger=1 relay_forwarded=1", .stranger = true },
		{ .counts = "drop_source=1 relay_forwarded=1", .from = RELAY },
		{ .counts = "drop_node=1 relay_forwarded=1", .to = OTHER },
		{ .counts = "relay_forwarded=1", .tags = 1 }, /* for tc */
	};
	size_t fast = 0;

	(void)state;
	for (size_t n = 0; n < COUNT(cases) * COUNT(families) * 8; n++) {
		const struct family *f = &families[n % 2];
		const size_t i = n / 2 % COUNT(cases);
		struct harness_frame good = data_to(f), of = good;
		uint8_t in[HARNESS_FRAME_MAX];
		size_t len;

		relay_reset(NULL);
		len = harness_build(in, &good);
		run_at(XDP, in, len);
		assert_forwarded(XDP, in, &good, f->local, targets[n % 2].direct, w0);
		if (cases[i].ttl)
			of.ttl = cases[i].ttl;
		if (cases[i].type)
			of.payload = message(cases[i].type, &of.len);
		if (cases[i].from)
			of.destination_port = port((unsigned int)cases[i].from, 0);
		if (cases[i].to)
			of.source_port = port((unsigned int)cases[i].to, 0);
		if (cases[i].lane) {
			of.source_port = port(TARGET, (unsigned int)cases[i].lane);
			of.destination_port = port(f->peer, (unsigned int)cases[i].lane);
		}
		if (cases[i].stranger)
			of.source = f->stranger;
		of.options = cases[i].options;
		of.tags = cases[i].tags;
		of.fragment = cases[i].fragment;
		of.no_checksum = cases[i].no_checksum && n % 2 == 0; /* IPv6 must have one */
		if (cases[i].malformed)
			of.payload = "this is none of WireGuard's messages, whatever";
		len = harness_build(in, &of) - (size_t)cases[i].cut;
		if (cases[i].length)
			in[harness_udp(in) + 5]--;
		run_at(XDP, in, len);
		if (strcmp(cases[i].counts, "relay_forwarded=2") == 0)
			assert_forwarded(XDP, in, &of, f->local, targets[n % 2].direct, w0);
		else
			assert_memory_equal(out.frame, in, len);
		if (strcmp(harness_counts(), cases[i].counts) != 0)
			fail_msg("case %zu, IPv%d: %s instead of %s", i, n % 2 ? 6 : 4,
				 harness_counts(), cases[i].counts);
		assert_relayed(f);
		fast += harness_count_flows().packets;
	}
	/* A tick may come between any two, but not between all of them. */
	assert_true(fast > 0);
}

/*
 * Ends that differ in one thing from those of a flow, so many that some share its place: none is
 * taken for it.
 */
static void test_other_ends(void **state)
{
	(void)state;
	for (size_t n = 0; n < COUNT(families) * 4 * 1024; n++) {
		const struct family *f = &families[n % 2];
		const unsigned int k = (unsigned int)(n / 8);
		struct harness_frame good = data_to(f), of = good;
		uint8_t in[HARNESS_FRAME_MAX];
		char addr[INET6_ADDRSTRLEN];
		size_t len;

		snprintf(addr, sizeof(addr), n % 2 ? "2001:db8:bad::%x:%x" : "203.0.%u.%u",
			 112 + k / 256, k % 256);
		switch (n / 2 % 4) {
		case 0:
			of.source = addr;
			break;
		case 1:
			of.destination = addr;
			break;
		case 2:
			of.source_port = port(100 + k, 0);
			break;
		case 3:
			of.destination_port = port(100 + k, 0);
			break;
		}
		len = harness_build(in, &good);
		run_at(XDP, in, len);
		assert_int_equal(out.verdict, XDP_TX);
		len = harness_build(in, &of);
		run_at(XDP, in, len);
		assert_int_not_equal(out.verdict, XDP_TX);
		assert_memory_equal(out.frame, in, len);
	}
	assert_counts("pass_other=2048 drop_stranger=2048 drop_source=2048 drop_node=2048 "
		      "relay_forwarded=8192");
}

/* In either direction it takes effect at the next tick, and whatever is forwarded is counted. */
static void test_path_dies(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(families); i++) {
		const struct family *f = &families[i];
		struct harness_frame of = data_to(f);
		const uint64_t deadline = now_ns() + 20 * SECOND;
		const struct dp_relayed_key at = { f->peer, TARGET };
		uint8_t in[HARNESS_FRAME_MAX];
		const size_t len = harness_build(in, &of);

		relay_reset(NULL);
		/* What a flow has counted gets to dp_relayed as time goes by, beside the first ones. */
		do {
			run_at(XDP, in, len);
			assert_int_equal(out.verdict, XDP_TX);
			assert_relayed(f);
		} while (harness_count_at("dp_relayed", &at).packets < 1000 && now_ns() < deadline);
		assert_in_range(harness_count_at("dp_relayed", &at).packets, 1000, UINT32_MAX);
		for (uint16_t path = 0; path < 3; path++)
			answer_path(TARGET, (uint16_t)(i * 8 + path), false);
		do {
			run_at(XDP, in, len);
		} while (out.verdict == XDP_TX && now_ns() < deadline);
		assert_dropped(XDP);
		assert_memory_equal(out.frame, in, len);
		assert_relayed(f);
		answer_path(TARGET, (uint16_t)(i * 8), true);
		run_at(XDP, in, len);
		assert_forwarded(XDP, in, &of, f->local, targets[i].direct, w0);
		assert_relayed(f);
	}
}

/* What the kernel said of a neighbour is not kept for long; and one that is gone is not sent to. */
static void test_neighbour(void **state)
{
	static const uint8_t moved[] = { 2, 0, 0, 0, 0x20, 0x77 };

	(void)state;
	for (size_t i = 0; i < COUNT(families); i++) {
		struct harness_frame of = data_to(&families[i]);
		uint8_t in[HARNESS_FRAME_MAX];
		const size_t len = harness_build(in, &of);
		const uint64_t deadline = now_ns() + 10 * SECOND;
		char command[128];

		run_at(XDP, in, len);
		assert_forwarded(XDP, in, &of, families[i].local, targets[i].direct, w0);
		snprintf(command, sizeof(command),
			 "ip neigh replace %s lladdr 02:00:00:00:20:77 dev w0", targets[i].direct);
		harness_shell(command);
		do {
			run_at(XDP, in, len);
			assert_int_equal(out.verdict, XDP_TX);
		} while (memcmp(out.frame, moved, sizeof(moved)) != 0 && now_ns() < deadline);
		assert_memory_equal(out.frame, moved, sizeof(moved));
		snprintf(command, sizeof(command), "ip neigh del %s dev w0", targets[i].direct);
		harness_shell(command);
		do {
			run_at(XDP, in, len);
		} while (out.verdict == XDP_TX && now_ns() < deadline);
		assert_int_equal(out.verdict, XDP_PASS);
		assert_memory_equal(out.frame, in, len);
		snprintf(command, sizeof(command),
			 "ip neigh replace %s lladdr 02:00:00:00:20:00 dev w0", targets[i].direct);
		harness_shell(command);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *counts;
		const char *source; /* "s": a stranger, "2": the other relay, "r": a relay */
		int from, to, type;
		uint8_t ttl, options;
		bool dead, length;
	} cases[] = {
		{ .counts = "drop_stranger=1", .source = "s" },
		{ .counts = "drop_source=1", .from = TARGET },
		{ .counts = "drop_node=1", .source = "r", .from = OTHER },
		{ .counts = "drop_node=1", .source = "r", .from = SELF },
		{ .counts = "drop_node=1", .to = OTHER },
		{ .counts = "drop_node=1", .to = SELF },
		{ .counts = "drop_relay_ttl=1", .ttl = 1 },
		{ .counts = "drop_relay_no_path=1", .dead = true },
		/* The only living path leads back to where it came from. */
		{ .counts = "drop_relay_no_path=1", .source = "2" },
		/* A node without an order. */
		{ .counts = "drop_relay_no_path=1", .to = RELAY },
		{ .counts = "drop_malformed=1", .type = -1 },
		{ .counts = "drop_malformed=1", .options = 1 },
	};

	(void)state;
	for (enum hook hook = XDP; hook < HOOKS; hook++)
		for (size_t n = 0; n < COUNT(cases) * COUNT(families); n++) {
			const struct family *f = &families[n % 2];
			struct harness_frame of = data_to(f);
			uint8_t in[HARNESS_FRAME_MAX];
			const size_t i = n / 2;
			size_t len;

			relay_reset(NULL);
			for (uint16_t path = 0; path < 3; path++)
				if (cases[i].dead ||
				    (path < 2 && cases[i].source && *cases[i].source == '2'))
					set_alive(TARGET, (uint16_t)(n % 2 * 8 + path), false);
			if (cases[i].source)
				of.source = *cases[i].source == 's'   ? f->stranger
					    : *cases[i].source == '2' ? targets[n % 2].relay2
								      : f->relay;
			if (cases[i].from)
				of.destination_port = port((unsigned int)cases[i].from, 0);
			if (cases[i].to)
				of.source_port = port((unsigned int)cases[i].to, 0);
			if (cases[i].ttl)
				of.ttl = cases[i].ttl;
			of.options = cases[i].options;
			if (cases[i].type)
				of.payload = "this is none of WireGuard's messages, whatever";
			len = harness_build(in, &of);
			run_at(hook, in, len);
			if (strcmp(harness_counts(), cases[i].counts) != 0)
				fail_msg("hook %d, case %zu, IPv%d: %s instead of %s", hook, i,
					 n % 2 ? 6 : 4, harness_counts(), cases[i].counts);
			assert_dropped(hook);
			assert_memory_equal(out.frame, in, len);
		}
}

static void test_rate(void **state)
{
	(void)state;
	config.relay_pps = 10;
	set_config();
	for (enum hook hook = XDP; hook < HOOKS; hook++)
		for (size_t i = 0; i < COUNT(families); i++) {
			const struct dp_bucket_key at = { families[i].peer, DP_BUCKET_RELAY };
			struct harness_frame of = data_to(&families[i]);
			struct dp_bucket bucket;
			uint8_t in[HARNESS_FRAME_MAX];
			size_t len;

			harness_clear("dp_buckets");
			len = harness_build(in, &of);
			for (int n = 0; n < 10; n++)
				run_at(hook, in, len);
			assert_true(harness_get("dp_buckets", &at, &bucket));
			/* Past the harness, so that XDP still knows the way. */
			bucket.last_ns = now_ns();
			bucket.tokens = 0;
			assert_int_equal(bpf_map_update_elem(harness_map("dp_buckets"), &at,
							     &bucket, BPF_ANY),
					 0);
			run_at(hook, in, len);
			assert_dropped(hook);
			assert_counts("relay_forwarded=10 drop_relay_rate=1");
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_forward, relay_reset),
		cmocka_unit_test_setup(test_forward_probe, relay_reset),
		cmocka_unit_test_setup(test_unresolved, relay_reset),
		cmocka_unit_test_setup(test_like_before, relay_reset),
		cmocka_unit_test_setup(test_other_ends, relay_reset),
		cmocka_unit_test_setup(test_path_dies, relay_reset),
		cmocka_unit_test_setup(test_neighbour, relay_reset),
		cmocka_unit_test_setup(test_refused, relay_reset),
		cmocka_unit_test_setup(test_rate, relay_reset),
	};

	return cmocka_run_group_tests_name("relay", tests, relay_setup, harness_teardown);
}
