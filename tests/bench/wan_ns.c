/* SPDX-License-Identifier: GPL-2.0-only */
/* usage: wan_ns TRIALS (as root): nanoseconds of a packet in the programs of the WAN (program_ns.h). */
#include "program_ns.h"

#include "wan.h"

#define TARGET 20
#define HEADERS 42 /* Ethernet, IPv4, UDP */
#define HOP "198.51.100.20"

static const struct family *const v4 = &families[0];
static uint8_t frame[HARNESS_FRAME_MAX];
static unsigned int trials, w0;
static uint64_t sequence = 1ull << 32;

/*
 * Data whose outer addresses are the canonical ones already, so that they are written and stay. In
 * XDP there is room for a few marks in front of it; then none is made any more.
 */
static void data_in(bool xdp)
{
	struct harness_frame of = data_from(v4);
	struct dp_arrival_key arrival = { .node = PEER };

	reset(NULL);
	of.source = v4->canonical_remote;
	of.destination = v4->local;
	arrival.source = harness_addr(of.source);
	arrival.destination = harness_addr(of.destination);
	harness_set("dp_arrivals", &arrival, &(struct dp_arrival){ .path = 0 });
	program_ns_print(&(struct program_ns){ .name = xdp ? "wan_xdp_data" : "wan_tc",
					       .program = xdp ? "wan_xdp" : "wan_tc",
					       .xdp = xdp,
					       .repeat = 200,
					       .verdict = xdp ? XDP_PASS : TC_ACT_OK,
					       .count = DP_COUNT_PASS_DATA,
					       .frame = frame,
					       .len = harness_build(frame, &of) },
			 trials);
}

static void stranger(void)
{
	struct harness_frame of = data_from(v4);

	reset(NULL);
	of.source = v4->stranger;
	program_ns_print(&(struct program_ns){ .name = "wan_xdp_stranger",
					       .program = "wan_xdp",
					       .xdp = true,
					       .repeat = 200,
					       .verdict = XDP_DROP,
					       .count = DP_COUNT_DROP_STRANGER,
					       .frame = frame,
					       .len = harness_build(frame, &of) },
			 trials);
}

/* The next request, as its sequence must grow. */
static void probe_next(void)
{
	const struct dp_config speaker = { .id = PEER };
	const struct dp_node node = { .key = { key[0], key[1] } };
	struct dp_probe p = { .path = 3, .from = htons(PEER), .to = htons(SELF) };
	struct harness_frame of = data_from(v4);

	probe_request(&p, &speaker, &node, ++sequence, 1234, 0, 999);
	of.payload = &p;
	of.len = sizeof(p);
	harness_build(frame, &of);
}

static void probe(void)
{
	reset(NULL);
	program_ns_print(&(struct program_ns){ .name = "wan_xdp_probe",
					       .program = "wan_xdp",
					       .xdp = true,
					       .repeat = 1,
					       .verdict = XDP_TX,
					       .count = DP_COUNT_PROBE_REFLECTED,
					       .frame = frame,
					       .len = HEADERS + sizeof(struct dp_probe),
					       .before = probe_next },
			 trials);
}

/* A path that says: the same addresses. */
static void relay(void)
{
	const struct dp_path_key at = { .node = TARGET };
	struct harness_frame of = data_from(v4);
	const uint16_t target = TARGET;
	struct dp_path path;

	reset(NULL);
	harness_clear("dp_relayed");
	config.kind = DP_KIND_RELAY;
	set_config();
	harness_set("dp_nodes", &target,
		    &(struct dp_node){ .kind = DP_KIND_GATEWAY, .n_order = 1 });
	of.source_port = port(TARGET, 0);
	of.ttl = 255;
	set_path(TARGET, 0, of.source, of.destination, w0, true);
	if (!harness_get("dp_paths", &at, &path))
		exit(1);
	path.next_hop = harness_addr(HOP);
	harness_set("dp_paths", &at, &path);
	program_ns_print(&(struct program_ns){ .name = "wan_xdp_relay",
					       .program = "wan_xdp",
					       .xdp = true,
					       .repeat = 200, /* of TTL 255 */
					       .verdict = XDP_TX,
					       .count = DP_COUNT_RELAY_FORWARDED,
					       .ifindex = w0,
					       .frame = frame,
					       .len = harness_build(frame, &of) },
			 trials);
}

/* By the first path, as WireGuard made it; then by the second, with other addresses. */
static void egress(void)
{
	struct harness_frame of = data_from(v4);
	struct program_ns ns = { .name = "wan_egress_canonical",
				 .program = "wan_egress",
				 .repeat = 200,
				 .verdict = TC_ACT_OK,
				 .count = DP_COUNT_EGRESS_CANONICAL,
				 .ifindex = w0,
				 .frame = frame };

	reset(NULL);
	swap_ends(&of);
	of.source = v4->local;
	of.destination = v4->canonical_remote;
	ns.len = harness_build(frame, &of);
	program_ns_print(&ns, trials);
	set_alive(PEER, 0, false);
	ns.name = "wan_egress_path";
	ns.repeat = 1;
	ns.verdict = TC_ACT_REDIRECT;
	ns.count = DP_COUNT_EGRESS_PATH;
	program_ns_print(&ns, trials);
}

int main(int argc, char **argv)
{
	trials = argc == 2 ? (unsigned int)atoi(argv[1]) : 0;
	if (!trials || harness_setup(NULL))
		return 1;
	w0 = harness_ifindex("w0");
	harness_shell(
		"sysctl -qw net.ipv4.conf.all.forwarding=1 && ip addr add 10.0.0.5/24 dev w0 && "
		"ip route add " HOP " dev w0 && "
		"ip neigh add " HOP " lladdr 02:00:00:00:20:00 dev w0");
	/* Without a program of its own a veth has no receive queue that a test run could name. */
	if (bpf_xdp_attach((int)w0, harness_program("wan_xdp"), 0, NULL))
		return 1;
	data_in(true);
	probe();
	stranger();
	relay();
	data_in(false);
	egress();
	return harness_teardown(NULL);
}
