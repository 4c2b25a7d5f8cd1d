/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The LAN fast path by BPF_PROG_TEST_RUN: packets in, packets and verdicts out, and what was
 * counted; then random packets through the programs and through the oracle. Which tunnel a packet
 * takes cannot be seen here: test_lan_link.c looks at that on devices.
 */
#include <errno.h>
#include <linux/pkt_cls.h>
#include <net/if.h>

#include "lan_world.h"

#include "lan.h"

#define RANDOM_RUNS 100000
#define RUNS_PER_WORLD 64
#define SLOW_SEGMENTS 3 /* gso_segs of all batches here */

static const char setup_script[] =
	"set -e\n"
	"ip link add lan0 address 02:00:00:00:00:01 type veth peer name host0\n"
	"ip link set lan0 mtu 1500\n"
	"for id in 3 4 5 6; do ip tuntap add np$id mode tun; done\n";

static struct world world;
static int lan_fd, tunnel_fd;
static unsigned int lan_ifindex, tunnel_ifindex[NODE_END];

/* What the programs should have counted so far. */
static struct {
	struct dp_meter_key key;
	struct dp_count count;
} meters[512];
static struct dp_count counts[DP_COUNT_MAX];

static void world_usual(void)
{
	world_init(&world, lan_ifindex, tunnel_ifindex);
	world_write(&world);
}

/* -- Running. -- */

static bool run(bool tunnel, unsigned int ifindex, const uint8_t *frame, size_t len,
		unsigned int gso, uint8_t *ret_frame, size_t *ret_len)
{
	struct __sk_buff ctx = { .ifindex = ifindex,
				 .gso_size = gso,
				 .gso_segs = gso ? SLOW_SEGMENTS : 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = (uint32_t)len,
		    .data_out = ret_frame, .data_size_out = FRAME_MAX, .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = 1);

	if (bpf_prog_test_run_opts(tunnel ? tunnel_fd : lan_fd, &opts))
		fail_msg("the program does not run: %s", strerror(errno));
	*ret_len = opts.data_size_out;
	if (opts.retval == TC_ACT_REDIRECT)
		return true;
	assert_int_equal(opts.retval, TC_ACT_OK);
	return false;
}

static void expect_count(const struct verdict *verdict, bool tunnel, size_t len, bool batch)
{
	enum dp_count_id id = tunnel ? DP_COUNT_TUNNEL_SLOW : DP_COUNT_LAN_SLOW;
	size_t i;

	if (!verdict->fast) {
		counts[id].packets += batch ? SLOW_SEGMENTS : 1;
		counts[id].bytes += len - (tunnel ? 0 : ETHER_LEN);
		return;
	}
	id = tunnel ? DP_COUNT_TUNNEL_FAST : DP_COUNT_LAN_FAST;
	counts[id].packets += verdict->packets;
	counts[id].bytes += verdict->bytes;
	for (i = 0; i < COUNT(meters) && meters[i].count.packets; i++) {
		if (!memcmp(&meters[i].key, &verdict->key, sizeof(verdict->key)))
			break;
	}
	assert_true(i < COUNT(meters));
	meters[i].key = verdict->key;
	meters[i].count.packets += verdict->packets;
	meters[i].count.bytes += verdict->bytes;
}

static void assert_counted(void)
{
	struct dp_meter_key key, next;
	size_t n = 0, expected = 0;

	for (uint32_t id = 0; id < DP_COUNT_MAX; id++) {
		struct dp_count sum = harness_count(id);

		assert_int_equal(sum.packets, counts[id].packets);
		assert_int_equal(sum.bytes, counts[id].bytes);
	}
	for (; expected < COUNT(meters) && meters[expected].count.packets; expected++) {
		struct dp_count sum = harness_count_at("dp_meters", &meters[expected].key);

		assert_int_equal(sum.packets, meters[expected].count.packets);
		assert_int_equal(sum.bytes, meters[expected].count.bytes);
	}
	for (void *at = NULL; !bpf_map_get_next_key(harness_map("dp_meters"), at, &next);
	     at = &key) {
		key = next;
		n++;
	}
	assert_int_equal(n, expected);
}

static void dump(const char *title, const uint8_t *frame, size_t len)
{
	print_error("%s (%zu):", title, len);
	for (size_t i = 0; i < len && i < 96; i++)
		print_error(" %02x", frame[i]);
	print_error("\n");
}

/* Sends it through program and oracle; both must say and do the same. */
static bool same(const char *name, int from, const uint8_t *frame, size_t len, unsigned int gso)
{
	static struct verdict verdict;
	static uint8_t out[FRAME_MAX];
	unsigned int ifindex = from ? world.tunnel_ifindex[from] : world.lan_ifindex;
	size_t out_len;
	bool fast;

	oracle(&world, from, frame, len, get16(frame + 12), gso, &verdict);
	fast = run(from, ifindex, frame, len, gso, out, &out_len);
	if (fast != verdict.fast || out_len != verdict.len ||
	    memcmp(out, verdict.frame, out_len) != 0) {
		dump("in", frame, len);
		dump("out", out, out_len);
		dump("expected", verdict.frame, verdict.len);
		fail_msg("%s: %s, not %s", name, fast ? "fast" : "slow",
			 verdict.fast ? "fast" : "slow");
	}
	expect_count(&verdict, from, len, gso);
	return fast;
}

/* -- Every branch, with the verdict in words. -- */

struct branch {
	const char *name;
	bool fast;
	struct shape shape;
};

#define LAN6 .six = true
#define TUN4 .tunnel = true
#define TUN6 .tunnel = true, .six = true

/* clang-format off */
static const struct branch branches[] = {
	{ "plain", true, { 0 } },
	{ "plain6", true, { LAN6 } },
	{ "tcp", true, { .proto = 6 } },
	{ "tcp6", true, { LAN6, .proto = 6 } },
	{ "tcp with options", true, { .proto = 6, .tcp_words = 8 } },
	{ "icmp error", true, { .proto = 1, .len = 36 } },
	{ "icmp error 6", true, { LAN6, .proto = 58, .len = 56 } },
	{ "esp", true, { .proto = 50 } },
	{ "esp6", true, { LAN6, .proto = 50 } },
	{ "no next header", true, { LAN6, .proto = 59 } },
	{ "don't fragment", true, { .fragment = 0x4000 } },
	{ "padding", true, { .proto = 6, .len = 20, .pad = 6 } },
	{ "padding6", true, { LAN6, .proto = 59, .len = 1, .pad = 5 } },
	{ "arp", false, { .ethertype = 0x0806 } },
	{ "vlan", false, { .ethertype = 0x8100 } },
	{ "length for type", false, { .ethertype = 74 } },
	{ "v6 as v4", false, { LAN6, .ethertype = 0x0800 } },
	{ "v4 as v6", false, { .ethertype = 0x86dd } },
	{ "other host", false, { .mac = 4 } },
	{ "multicast mac", false, { .mac = 1 } },
	{ "multicast mac 6", false, { LAN6, .mac = 1 } },
	{ "options", false, { .first = 0x46 } },
	{ "short header", false, { .first = 0x44 } },
	{ "version 5", false, { .first = 0x55 } },
	{ "version 7", false, { LAN6, .first = 0x70 } },
	{ "traffic class", true, { LAN6, .first = 0x6f } },
	{ "first fragment", false, { .fragment = 0x2000 } },
	{ "last fragment", false, { .fragment = 0x0001 } },
	{ "far fragment", false, { .fragment = 0x1fff } },
	{ "reserved flag", false, { .fragment = 0x8000 } },
	{ "ttl 0", false, { .ttl = -1 } },
	{ "ttl 1", false, { .ttl = 1 } },
	{ "ttl 2", true, { .ttl = 2 } },
	{ "ttl 255", true, { .ttl = 255 } },
	{ "hop limit 0", false, { LAN6, .ttl = -1 } },
	{ "hop limit 1", false, { LAN6, .ttl = 1 } },
	{ "hop limit 2", true, { LAN6, .ttl = 2 } },
	{ "wrong checksum", false, { .bad_sum = 1 } },
	{ "longer than it is", false, { .wrong = 1 } },
	{ "longer than it is 6", false, { LAN6, .wrong = 1 } },
	{ "no room for itself", false, { .wrong = -61 } },
	{ "no payload", true, { .wrong = -60, .proto = 47 } },
	{ "no payload 6", true, { LAN6, .proto = 59, .wrong = -60 } },
	{ "cut", false, { .cut = 1 } },
	{ "cut6", false, { LAN6, .cut = 1 } },
	{ "half a tcp header", false, { .proto = 6, .len = 19 } },
	{ "half a tcp header 6", false, { LAN6, .proto = 6, .len = 19 } },
	{ "half a udp header", false, { .len = 7 } },
	{ "short tcp offset", false, { .proto = 6, .tcp_words = 4 } },
	{ "long tcp offset", false, { .proto = 6, .len = 36, .tcp_words = 10 } },
	{ "hop by hop", false, { LAN6, .proto = PROTO_HOPS } },
	{ "routing header", false, { LAN6, .proto = 43 } },
	{ "fragment header", false, { LAN6, .proto = 44 } },
	{ "authentication", false, { LAN6, .proto = 51 } },
	{ "destination options", false, { LAN6, .proto = 60 } },
	{ "mobility", false, { LAN6, .proto = 135 } },
	{ "protocol 0 in v4", true, { .proto = PROTO_HOPS } },
	{ "as big as goes", true, { .len = 1400 } },
	{ "too big", false, { .len = 1401 } },
	{ "as big as goes 6", true, { LAN6, .len = 1380 } },
	{ "too big 6", false, { LAN6, .len = 1381 } },
	{ "big, but for padding", true, { .len = 1400, .pad = 30 } },
	{ "syn", true, { .proto = 6, .tcp_flags = 2 } },
	{ "syn clamped", false, { .proto = 6, .tcp_flags = 2, .to = "8.0.3.2" } },
	{ "syn clamped 6", false, { LAN6, .to = SITE3_6, .proto = 6, .tcp_flags = 0x12 } },
	{ "ack where clamped", true, { .proto = 6, .to = "8.0.3.2" } },
	{ "udp where clamped", true, { .to = "8.0.3.2" } },
	{ "ack where clamped 6", true, { LAN6, .to = SITE3_6, .proto = 6 } },
	{ "batch", true, { .proto = 6, .len = 3020, .gso = 1380 } },
	{ "batch too big", false, { .proto = 6, .len = 3020, .gso = 1381 } },
	{ "batch with options too big", false, { .proto = 6, .len = 3020, .gso = 1380, .tcp_words = 6 } },
	{ "batch6", true, { LAN6, .proto = 6, .len = 3020, .gso = 1360 } },
	{ "batch too big 6", false, { LAN6, .proto = 6, .len = 3020, .gso = 1361 } },
	{ "udp batch", true, { .len = 3008, .gso = 1000 } },
	{ "udp batch too big", false, { .len = 3008, .gso = 1393 } },
	{ "batch of one", true, { .proto = 6, .len = 520, .gso = 1400 } },
	{ "batch of ones", true, { .len = 100, .gso = 1 } },
	{ "batch of nothing", true, { .len = 8, .gso = 500 } },
	{ "padded batch", false, { .proto = 6, .len = 3020, .gso = 1000, .pad = 1 } },
	{ "batch of what", false, { .proto = 47, .len = 3020, .gso = 500 } },
	{ "batch clamped", false, { .proto = 6, .len = 3020, .gso = 500, .tcp_flags = 2, .to = "8.0.3.2" } },
	{ "unknown source", false, { .from = "8.0.7.1" } },
	{ "remote source", false, { .from = "8.0.3.1" } },
	{ "our own address for source", false, { .from = "8.0.1.1" } },
	{ "our own address for source 6", false, { .from = "2001:db8:86dd:100::1", .six = true } },
	{ "unknown destination", false, { .to = "8.0.7.1" } },
	{ "local destination", false, { .to = "8.0.1.20" } },
	{ "ours within theirs", false, { .to = "8.0.2.200" } },
	{ "from ours within theirs", true, { .from = "8.0.2.200" } },
	{ "theirs within theirs", true, { .to = "8.0.2.130" } },
	{ "theirs within theirs, clamped", false, { .to = "8.0.2.130", .proto = 6, .tcp_flags = 2 } },
	{ "not connected", false, { .to = "8.0.4.1" } },
	{ "not connected 6", false, { LAN6, .to = "2001:db8:86dd:400::1" } },
	{ "to the gateway itself", false, { .to = "8.0.1.1" } },
	{ "to the gateway itself, elsewhere", false, { .to = "8.0.2.77" } },
	{ "unknown source 6", false, { .from = "2001:db8:86dd:700::1", .six = true } },
	{ "remote source 6", false, { .from = SITE3_6, .six = true } },
	{ "unknown destination 6", false, { LAN6, .to = "2001:db8:86dd:700::1" } },
	{ "local destination 6", false, { LAN6, .to = "2001:db8:86dd:100::20" } },
	{ "from zero", false, { .from = "0.0.0.0" } },
	{ "from loopback", false, { .from = "127.0.0.1" } },
	{ "to loopback", false, { .to = "127.128.0.1" } },
	{ "from link-local", false, { .from = "169.254.1.1" } },
	{ "to link-local", false, { .to = "169.254.128.1" } },
	{ "from multicast", false, { .from = "224.0.0.1" } },
	{ "to reserved", false, { .to = "240.0.0.1" } },
	{ "to broadcast", false, { .to = "255.255.255.255" } },
	{ "from unspecified 6", false, { .from = "::", .six = true } },
	{ "to mapped", false, { LAN6, .to = "::8000:0:0:1" } },
	{ "from link-local 6", false, { .from = "fe80::1", .six = true } },
	{ "from the last link-local 6", false, { .from = "febf::1", .six = true } },
	{ "to link-local 6", false, { LAN6, .to = "fe80:0:0:0:8000::1" } },
	{ "from multicast 6", false, { .from = "ff02::1", .six = true } },
	{ "to multicast 6", false, { LAN6, .to = "ff80::1" } },

	{ "tunnel", true, { TUN4 } },
	{ "tunnel6", true, { TUN6 } },
	{ "tunnel, syn", true, { TUN4, .proto = 6, .tcp_flags = 2 } },
	{ "tunnel, padding", true, { TUN4, .pad = 9 } },
	{ "tunnel, options", false, { TUN4, .first = 0x46 } },
	{ "tunnel, fragment", false, { TUN4, .fragment = 0x2000 } },
	{ "tunnel, extension", false, { TUN6, .proto = 60 } },
	{ "tunnel, ttl 1", false, { TUN4, .ttl = 1 } },
	{ "tunnel, ttl 2", true, { TUN4, .ttl = 2 } },
	{ "tunnel, hop limit 1", false, { TUN6, .ttl = 1 } },
	{ "tunnel, hop limit 2", true, { TUN6, .ttl = 2 } },
	{ "tunnel, wrong checksum", false, { TUN4, .bad_sum = 0x100 } },
	{ "tunnel, cut", false, { TUN4, .cut = 1 } },
	{ "tunnel, source of a third site", false, { TUN4, .from = "8.0.3.1" } },
	{ "tunnel, source of a third site 6", false, { TUN6, .from = SITE3_6 } },
	{ "tunnel, source of a third site within", false, { TUN4, .from = "8.0.2.130" } },
	{ "tunnel, our source", false, { TUN4, .from = "8.0.1.20" } },
	{ "tunnel, our source 6", false, { TUN6, .from = "2001:db8:86dd:100::20" } },
	{ "tunnel, unknown source", false, { TUN4, .from = "8.0.7.1" } },
	{ "tunnel, link-local", false, { TUN6, .from = "fe80:0:86dd::1", .to = "fe80::2" } },
	{ "tunnel, for a third site", false, { TUN4, .to = "8.0.3.1" } },
	{ "tunnel, unknown destination", false, { TUN4, .to = "8.0.7.1" } },
	{ "tunnel, back", false, { TUN4, .to = "8.0.2.9" } },
	{ "tunnel, for the node", false, { TUN4, .to = "8.0.1.1" } },
	{ "tunnel, for the node 6", false, { TUN6, .to = "2001:db8:86dd:100::1" } },
	{ "tunnel, for the VIP", false, { TUN4, .to = "8.0.1.254" } },
	{ "tunnel, broadcast", false, { TUN4, .to = "8.0.1.255" } },
	{ "tunnel, multicast", false, { TUN4, .to = "224.0.0.5" } },
	{ "tunnel, multicast 6", false, { TUN6, .to = "ff02::5" } },
	{ "tunnel, by a router", true, { TUN4, .to = "8.0.9.1" } },
	{ "tunnel, by a router 6", true, { TUN6, .to = "2001:db8:86dd:900::1" } },
	{ "tunnel, v4 by v6", true, { TUN4, .to = "8.0.10.1" } },
	{ "tunnel, v6 by v4", false, { TUN6, .to = "2001:db8:86dd:a00::1" } },
	{ "tunnel, as big as goes", true, { TUN4, .len = 1480 } },
	{ "tunnel, too big", false, { TUN4, .len = 1481 } },
	{ "tunnel, too big 6", false, { TUN6, .len = 1461 } },
	{ "tunnel, batch", true, { TUN4, .proto = 6, .len = 3020, .gso = 1460 } },
	{ "tunnel, batch too big", false, { TUN4, .proto = 6, .len = 3020, .gso = 1461 } },
	{ "tunnel, batch 6", true, { TUN6, .proto = 6, .len = 3020, .gso = 1440 } },
	{ "tunnel, batch too big 6", false, { TUN6, .proto = 6, .len = 3020, .gso = 1441 } },
	{ "tunnel, batch of what", false, { TUN4, .proto = 4, .len = 3020, .gso = 500 } },
};
/* clang-format on */

static void test_branches(void **state)
{
	static uint8_t frame[FRAME_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(branches); i++) {
		const struct branch *branch = &branches[i];
		size_t len = shape_build(&branch->shape, frame);
		int from = branch->shape.tunnel ? NODE_FIRST : 0;

		if (same(branch->name, from, frame, len, branch->shape.gso) != branch->fast)
			fail_msg("%s: not %s", branch->name, branch->fast ? "fast" : "slow");
	}
	assert_counted();
}

/* A packet by bytes that nobody computed but by hand. */
static void test_bytes(void **state)
{
	/* clang-format off */
	static const uint8_t in[] = {
		2, 0, 0, 0, 0, 1,  2, 0, 0, 0, 0, 10,  8, 0,
		0x45, 0xb8, 0, 28,  0x12, 0x34, 0x40, 0,  64, 17, 0x14, 0xda,
		8, 0, 1, 10,  8, 0, 2, 2,
		0x30, 0x39, 0x00, 0x35, 0, 8, 0, 0,
		0xde, 0xad, 0xbe, 0xef,
	};
	/* clang-format on */
	uint8_t frame[sizeof(in)], out[FRAME_MAX];
	size_t out_len;

	(void)state;
	memcpy(frame, in, sizeof(in));
	assert_int_equal(sum16(frame + ETHER_LEN, 20), 0xffff);
	assert_true(run(false, world.lan_ifindex, frame, sizeof(frame), 0, out, &out_len));
	assert_int_equal(out_len, sizeof(in) - 4);
	frame[22] = 63;
	frame[24] = 0x15;
	assert_memory_equal(out, frame, out_len);
	counts[DP_COUNT_LAN_FAST].packets++;
	counts[DP_COUNT_LAN_FAST].bytes += 28;
	for (size_t i = 0; i < COUNT(meters); i++) {
		const struct dp_meter_key key = world_usual_key(0, 0);

		if (memcmp(&meters[i].key, &key, sizeof(key)) != 0)
			continue;
		meters[i].count.packets++;
		meters[i].count.bytes += 28;
	}
	assert_counted();
}

/* What the tables may lack: each alone sends a good packet to the stack. */
static void test_missing(void **state)
{
	static uint8_t lan[FRAME_MAX], tunnel[FRAME_MAX], out[FRAME_MAX];
	const struct shape from_lan = { 0 }, from_tunnel = { .tunnel = true };
	const size_t lan_len = shape_build(&from_lan, lan);
	const size_t tunnel_len = shape_build(&from_tunnel, tunnel);
	const uint32_t zero = 0, np3 = world.tunnel_ifindex[3];
	struct dp_config config;
	struct world changed;
	size_t len;

	(void)state;
	world_usual();
#define LAN_GOES() run(false, world.lan_ifindex, lan, lan_len, 0, out, &len)
#define TUNNEL_GOES(IFINDEX) run(true, IFINDEX, tunnel, tunnel_len, 0, out, &len)
	assert_true(LAN_GOES());
	assert_true(TUNNEL_GOES(np3));
	assert_true(TUNNEL_GOES(world.tunnel_ifindex[4]));
	assert_false(TUNNEL_GOES(world.tunnel_ifindex[5]));
	assert_false(TUNNEL_GOES(world.lan_ifindex));

	assert_int_equal(bpf_map_delete_elem(harness_map("dp_tunnels"), &np3), 0);
	assert_false(TUNNEL_GOES(np3));
	world_write(&world);

	assert_int_equal(bpf_map_lookup_elem(harness_map("dp_config"), &zero, &config), 0);
	config.lan_ifindex = 0;
	harness_set("dp_config", &zero, &config);
	assert_false(TUNNEL_GOES(np3));
	config.lan_ifindex = 9999;
	harness_set("dp_config", &zero, &config);
	assert_false(TUNNEL_GOES(np3));
	config.lan_ifindex = world.lan_ifindex;
	config.version = DP_VERSION + 1;
	harness_set("dp_config", &zero, &config);
	assert_false(TUNNEL_GOES(np3));
	world_write(&world);
	assert_true(TUNNEL_GOES(np3));

	/* No gateway: without a tunnel, not to be sent to, unknown; a lane that cannot be. */
	changed = world;
	changed.nodes[3].tunnel_ifindex[0] = 0;
	changed.nodes[4].n_order = 0;
	world_write(&changed);
	assert_false(LAN_GOES());
	changed = world;
	changed.nodes[3].tunnel_ifindex[0] = NO_DEVICE; /* the device is gone */
	changed.nodes[4].tunnel_ifindex[0] = NO_DEVICE;
	world_write(&changed);
	assert_false(LAN_GOES());
	changed.nodes[4].tunnel_ifindex[0] = world.nodes[4].tunnel_ifindex[0];
	world_write(&changed);
	assert_true(LAN_GOES());
	changed = world;
	changed.sites[2].gateways[0] = 0;
	changed.sites[2].gateways[1] = 77;
	world_write(&changed);
	assert_false(LAN_GOES());
	changed = world;
	changed.sites[2].lane = DP_LANES_MAX;
	world_write(&changed);
	assert_false(LAN_GOES());
	/* One is enough, and also if all its paths are dead. */
	changed = world;
	changed.sites[2].gateways[0] = 0;
	memset(changed.has_path, 0, sizeof(changed.has_path));
	world_write(&changed);
	assert_true(LAN_GOES());
	world_write(&world);
	assert_true(LAN_GOES());
#undef LAN_GOES
#undef TUNNEL_GOES
}

/* Which lane a good packet takes, by the meters; DP_LANES_MAX: none, or several. */
static uint8_t lane_of(const struct shape *shape)
{
	static uint8_t frame[FRAME_MAX], out[FRAME_MAX];
	uint8_t lane = DP_LANES_MAX, n = 0;
	size_t len = shape_build(shape, frame);
	struct dp_meter_key key = world_usual_key(shape->six, 0);

	harness_clear("dp_meters");
	assert_true(run(false, world.lan_ifindex, frame, len, 0, out, &len));
	for (key.class = 0; key.class < DP_LANES_MAX; key.class ++) {
		if (!harness_count_at("dp_meters", &key).packets)
			continue;
		lane = key.class;
		n++;
	}
	return n == 1 ? lane : DP_LANES_MAX;
}

/* By class of the DSCP, by flow; and by the site's own where a node has no such lane. */
static void test_lanes(void **state)
{
	struct world changed;

	(void)state;
	world_usual();
	changed = world;
	for (uint8_t i = 0; i < DP_LANES_MAX; i++)
		changed.nodes[3].tunnel_ifindex[i] = world.tunnel_ifindex[3 + i];
	for (int six = 0; six < 2; six++) {
		const struct shape usual = { .six = six, .tos = 0 };
		const struct shape ef = { .six = six, .tos = 46 << 2 | 3 };
		const struct shape near_ef = { .six = six, .tos = 45 << 2 };
		unsigned int share[DP_LANES_MAX + 1] = { 0 };

		world_write(&changed);
		assert_int_equal(lane_of(&usual), 0);
		assert_int_equal(lane_of(&near_ef), 0);
		assert_int_equal(lane_of(&ef), 1);
		for (unsigned int flow = 0; flow < 400; flow++) {
			struct shape bulk = { .six = six, .tos = 8 << 2 };
			uint8_t lane;

			bulk.proto = flow % 2 ? 6 : 17;
			bulk.port = (uint16_t)(flow / 2);
			lane = lane_of(&bulk);
			/* Another packet of it. */
			bulk.tos |= 1;
			bulk.len = 900;
			bulk.ttl = 7;
			assert_int_equal(lane_of(&bulk), lane);
			share[lane]++;
		}
		assert_in_range(share[2], 140, 260);
		assert_int_equal(share[2] + share[3], 400);

		world_write(&world);
		assert_int_equal(lane_of(&ef), 0);
	}
	changed.nodes[3].tunnel_ifindex[1] = NO_DEVICE;
	world_write(&changed);
	assert_int_equal(lane_of(&(struct shape){ .tos = 46 << 2 }), 0);
	harness_clear("dp_meters");
	memset(meters, 0, sizeof(meters));
	world_usual();
}

/* Whom to ask first, by all claims of two, against the words. */
static void test_claims(void **state)
{
	(void)state;
	for (unsigned int bits = 0; bits < 1 << 8; bits++) {
		const struct lan_gateway a = { .id = 3,
					       .active = bits & 1,
					       .generation = bits >> 2 & 3 };
		const struct lan_gateway b = { .id = 4,
					       .active = bits >> 1 & 1,
					       .generation = bits >> 4 & 3 };
		const uint16_t current = (uint16_t)(2 + (bits >> 6));
		uint64_t claim_a = a.active ? 1 + a.generation : 0;
		uint64_t claim_b = b.active ? 1 + b.generation : 0;
		bool second = claim_a != claim_b ? claim_b > claim_a : current == 4;

		assert_int_equal(lan_second_first(&a, &b, current), second);
	}
}

/* Packets that end too early, read no further than that. */
static void test_short(void **state)
{
	static const struct shape shapes[] = {
		{ TUN4 }, { TUN4, .proto = 6 }, { TUN4, .proto = 47 },
		{ TUN6 }, { TUN6, .proto = 6 }, { TUN6, .proto = 47 }
	};
	static uint8_t frame[FRAME_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(shapes); i++) {
		const size_t all = shape_build(&shapes[i], frame);
		const size_t transport = !shapes[i].proto ? 8 : shapes[i].proto == 6 ? 20 : 0;
		const size_t headers = (shapes[i].six ? 40 : 20) + transport;

		for (size_t len = 0; len <= all; len++) {
			uint8_t *exact = malloc(len + 1);
			struct lan_packet packet;
			__be16 protocol = htons(shapes[i].six ? ETH_P_IPV6 : ETH_P_IP);

			assert_non_null(exact);
			memcpy(exact, frame, len);
			exact = realloc(exact, len ? len : 1);
			assert_non_null(exact);
			assert_int_equal(
				lan_parse(exact, exact + len, protocol, (uint32_t)len, &packet),
				len == all);
			/* Not all that is there can be read. */
			assert_int_equal(
				lan_parse(exact, exact + len, protocol, (uint32_t)all, &packet),
				len >= headers);
			free(exact);
		}
	}
}

/* -- At random. -- */

static const char *random_addr(bool six)
{
	static const char *const usual4[] = { "8.0.1.10", "8.0.2.2", "8.0.3.2", "8.0.9.7" };
	static const char *const usual6[] = { OWN6, SITE2_6, SITE3_6, "2001:db8:86dd:900::7" };
	static const char *const all4[] = {
		"8.0.1.1",     "8.0.1.254",   "8.0.1.255",   "8.0.2.77",    "8.0.2.130",
		"8.0.2.200",   "8.0.4.1",     "8.0.5.1",     "8.0.10.9",    "0.0.0.0",
		"0.200.0.1",   "127.0.0.1",   "127.200.0.1", "169.254.1.1", "169.254.200.1",
		"224.0.0.251", "239.255.1.1", "240.0.0.1",   "9.9.9.9",	    "255.255.255.255"
	};
	static const char *const all6[] = { "2001:db8:86dd:100::1",
					    "2001:db8:86dd:100::fe",
					    "2001:db8:86dd:200::77",
					    "2001:db8:86dd:280::1",
					    "2001:db8:86dd:2c0::1",
					    "2001:db8:86dd:400::1",
					    "2001:db8:86dd:500::1",
					    "2001:db8:86dd:a00::9",
					    "::",
					    "::1",
					    "::8000:0:0:1",
					    "::ffff:8.0.2.2",
					    "fe80::1",
					    "fe80:0:0:0:8000::1",
					    "febf::1",
					    "fec0::1",
					    "ff02::1",
					    "ff80::1" };

	if (random_one_in(8))
		return six ? all6[random_below(COUNT(all6))] : all4[random_below(COUNT(all4))];
	return six ? usual6[random_below(4)] : usual4[random_below(4)];
}

/* Mostly good ones, with none, one or a few things wrong. */
static size_t random_packet(struct shape *s, uint8_t *frame)
{
	static const int protos[] = { 1,  4,  6,  17, 41,  43,	44,  47,  50,
				      51, 58, 59, 60, 132, 135, 139, 140, PROTO_HOPS };
	static const uint8_t firsts[] = { 0x44, 0x46, 0x55, 0x65, 0x70 };
	static const uint16_t types[] = { 0x0806, 0x8100, 0x88a8, 0x0800, 0x86dd, 0x0040 };
	const bool six = random_below(2);
	size_t len;

	memset(s, 0, sizeof(*s));
	s->tunnel = random_below(2);
	s->from = random_addr(six);
	s->to = random_addr(six);
	if (random_below(4)) {
		s->from = six ? OWN6 : OWN4;
		s->to = six		  ? random_below(2) ? SITE2_6 : SITE3_6
			: random_below(2) ? SITE2_4
					  : SITE3_4;
	}
	if (s->tunnel && random_below(8)) {
		const char *from = s->from;

		s->from = s->to;
		s->to = from;
	}
	s->proto = random_below(2) ? IPPROTO_TCP : IPPROTO_UDP;
	s->len = random_one_in(2) ? 1 + random_below(120) : 1200 + random_below(340);
	s->tos = (uint8_t)(random_one_in(3)   ? 46 << 2
			   : random_one_in(2) ? 8 << 2
					      : random_below(256));
	s->port = (uint16_t)random32();
	s->tcp_flags = (uint8_t)random_below(64);
	s->tcp_words = (uint8_t)(random_one_in(16) ? random_below(16) : 5 + random_below(4));
	if (random_one_in(4)) {
		s->gso = random_one_in(4) ? 1 + random_below(100) : 1300 + random_below(200);
		s->len = 8 + random_below(3200);
	}
	for (int n = random_below(4) ? 0 : (int)random_below(3); n >= 0; n--) {
		switch (random_below(n ? 12 : 24)) {
		case 0:
			s->ttl = (int)random_below(4) - 1;
			break;
		case 1:
			s->bad_sum = (uint16_t)(1 + random_below(0xfffe));
			break;
		case 2:
			s->first = firsts[random_below(COUNT(firsts))];
			break;
		case 3:
			s->fragment = (uint16_t)(1u << random_below(16));
			break;
		case 4:
			s->wrong = (int)random_below(200) - 100;
			break;
		case 5:
			s->pad = random_below(50);
			break;
		case 6:
			s->cut = random_below(s->len + 20);
			break;
		case 7:
			s->proto = protos[random_below(COUNT(protos))];
			break;
		case 8:
			s->ethertype = types[random_below(COUNT(types))];
			break;
		case 9:
			s->mac = (uint8_t)(1 + random_below(255));
			break;
		case 10:
			s->first = (uint8_t)(six ? 0x60 + random_below(16) : 0x45);
			break;
		}
	}
	len = shape_build(s, frame);
	if (random_one_in(8))
		frame[random_below(len < 80 ? (uint32_t)len : 80)] ^=
			(uint8_t)(1u << random_below(8));
	return len;
}

static void test_random(void **state)
{
	const char *seed = getenv("SEED");
	unsigned int runs = 0, fast[2] = { 0 }, all[2] = { 0 };
	static uint8_t frame[FRAME_MAX];

	(void)state;
	random_state = seed ? strtoull(seed, NULL, 0) | 1 : 0x9e3779b97f4a7c15;
	while (runs < RANDOM_RUNS) {
		struct shape shape;
		size_t len = random_packet(&shape, frame);
		int from = shape.tunnel ? NODE_FIRST + (int)random_below(4) : 0;

		/* The kernel runs programs on no less (test_short does). */
		if (len < ETHER_LEN + 40)
			continue;
		if (runs % RUNS_PER_WORLD == 0) {
			world_randomise(&world);
			world_write(&world);
		}
		/* Else hardly anything from there would be of the tunnel's site. */
		if (from && random_below(2))
			from = strstr(shape.from, "8.0.3.") || strstr(shape.from, ":300:") ? 5 : 3;
		fast[shape.tunnel] += same("random", from, frame, len, shape.gso);
		all[shape.tunnel]++;
		runs++;
	}
	assert_counted();
	for (int i = 0; i < 2; i++) {
		print_message("# %s: %u of %u random packets took the fast path\n",
			      i ? "tunnel" : "lan", fast[i], all[i]);
		assert_in_range(fast[i], all[i] / 10, all[i] * 9 / 10);
	}
}

/* -- Speed. -- */

#define SPEED_RUNS 4000

static int compare_durations(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Median over runs of one packet each: the programs change it, so it cannot be run again. */
static unsigned int nanoseconds(bool tunnel, const struct shape *shape, int verdict)
{
	static uint8_t frame[FRAME_MAX], out[FRAME_MAX];
	static uint32_t durations[SPEED_RUNS];
	const size_t len = shape_build(shape, frame);
	struct __sk_buff ctx = { .ifindex = tunnel ? tunnel_ifindex[NODE_FIRST] : lan_ifindex };

	for (size_t i = 0; i < SPEED_RUNS; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame,
			    .data_size_in = (uint32_t)len, .data_out = out,
			    .data_size_out = sizeof(out), .ctx_in = &ctx,
			    .ctx_size_in = sizeof(ctx), .repeat = 1);

		assert_int_equal(bpf_prog_test_run_opts(tunnel ? tunnel_fd : lan_fd, &opts), 0);
		assert_int_equal(opts.retval, verdict);
		durations[i] = opts.duration;
	}
	qsort(durations, SPEED_RUNS, sizeof(durations[0]), compare_durations);
	return durations[SPEED_RUNS / 2];
}

static void print_speed(const char *name, bool tunnel)
{
	const struct shape v4 = { .tunnel = tunnel }, v6 = { .tunnel = tunnel, .six = true };
	const struct shape refused = { .tunnel = tunnel, .first = 0x46 };

	print_message("# %s: %u ns (IPv4), %u ns (IPv6) a packet; %u ns to refuse one\n", name,
		      nanoseconds(tunnel, &v4, TC_ACT_REDIRECT),
		      nanoseconds(tunnel, &v6, TC_ACT_REDIRECT),
		      nanoseconds(tunnel, &refused, TC_ACT_OK));
}

static void test_speed(void **state)
{
	(void)state;
	world_usual();
	print_speed("lan_ingress", false);
	print_speed("tunnel_ingress", true);
}

static int setup(void **state)
{
	if (harness_setup(state) || system(setup_script) != 0)
		return -1;
	for (int id = NODE_FIRST; id < NODE_END; id++) {
		char name[IF_NAMESIZE];

		snprintf(name, sizeof(name), "np%d", id);
		tunnel_ifindex[id] = harness_ifindex(name);
	}
	lan_fd = harness_program("lan_ingress");
	tunnel_fd = harness_program("tunnel_ingress");
	lan_ifindex = harness_ifindex("lan0");
	world_write_routes();
	world_usual();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_branches), cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_random),	 cmocka_unit_test(test_missing),
		cmocka_unit_test(test_lanes),	 cmocka_unit_test(test_claims),
		cmocka_unit_test(test_short),	 cmocka_unit_test(test_speed),
	};

	return cmocka_run_group_tests_name("lan", tests, setup, harness_teardown);
}
