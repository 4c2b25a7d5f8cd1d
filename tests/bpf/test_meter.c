/* SPDX-License-Identifier: GPL-2.0-only */
/* The meter: what the stack has forwarded, and what there is no room for. The rest is in test_lan.c. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/pkt_cls.h>
#include <net/if.h>

#include "lan_world.h"

static const char setup_script[] =
	"set -e\n"
	"ip link add lan0 address 02:00:00:00:00:01 type veth peer name host0\n"
	"ip link set lan0 mtu 1500\n"
	"for id in 3 4 5 6; do ip tuntap add np$id mode tun; done\n";

static struct world world;
static unsigned int lan_ifindex, tunnel_ifindex[NODE_END];

static void world_usual(void)
{
	world_init(&world, lan_ifindex, tunnel_ifindex);
	world_write(&world);
}

struct leaving {
	const char *program;
	struct __sk_buff ctx;
};

static void leave(const struct leaving *as, const struct shape *shape)
{
	static uint8_t frame[FRAME_MAX], out[FRAME_MAX];
	const size_t len = shape_build(shape, frame);
	struct __sk_buff ctx = as->ctx;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = (uint32_t)len,
		    .data_out = out, .data_size_out = sizeof(out), .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = 1);

	if (bpf_prog_test_run_opts(harness_program(as->program), &opts))
		fail_msg("the program does not run: %s", strerror(errno));
	assert_int_equal(opts.retval, TC_ACT_OK);
	assert_int_equal(opts.data_size_out, len);
	assert_memory_equal(out, frame, len);
}

static size_t n_meters(void)
{
	struct dp_meter_key key, next;
	size_t n = 0;

	for (void *at = NULL; !bpf_map_get_next_key(harness_map("dp_meters"), at, &next);
	     at = &key) {
		key = next;
		n++;
	}
	return n;
}

static void expect_metered(const struct dp_meter_key *key, uint64_t packets, uint64_t bytes)
{
	const struct dp_count sum = harness_count_at("dp_meters", key);

	assert_int_equal(sum.packets, packets);
	assert_int_equal(sum.bytes, bytes);
	assert_int_equal(n_meters(), packets ? 1 : 0);
	harness_clear("dp_meters");
}

static void test_stack(void **state)
{
	const uint32_t mark = 2u << 16, own = 1u << 16;
	struct leaving out = {
		"tunnel_egress",
		{ .mark = mark, .ifindex = tunnel_ifindex[3], .ingress_ifindex = lan_ifindex }
	};
	struct leaving in = {
		"lan_egress",
		{ .mark = own | 5, .ifindex = lan_ifindex, .ingress_ifindex = tunnel_ifindex[3] }
	};
	struct dp_meter_key key;

	(void)state;
	world_usual();
	harness_clear("dp_meters");
	for (int six = 0; six < 2; six++) {
		const unsigned int header = six ? 40 : 20;
		/* As tunnels hand it over, and with the Ethernet header of the LAN. */
		const struct shape gone = { .six = six,
					    .tunnel = true,
					    .from = six ? OWN6 : OWN4,
					    .to = six ? SITE2_6 : SITE2_4,
					    .ttl = 1,
					    .len = 333 };
		const struct shape come = { .six = six,
					    .from = six ? SITE2_6 : SITE2_4,
					    .to = six ? OWN6 : OWN4,
					    .ttl = 1,
					    .len = 444 };
		struct shape odd = gone;
		struct leaving other;

		key = world_usual_key(six, 0);
		leave(&out, &gone);
		expect_metered(&key, 1, header + 333);
		key.direction = DP_IN;
		leave(&in, &come);
		expect_metered(&key, 1, header + 444);

		/* Batches: TCP and UDP by their headers, others by the kernel's sum. */
		key.direction = DP_OUT;
		odd.len = 1050;
		odd.proto = IPPROTO_TCP;
		other = out;
		other.ctx.gso_size = 500;
		leave(&other, &odd);
		expect_metered(&key, 3, header + 1050 + 2 * (header + 20));
		odd.proto = IPPROTO_UDP;
		leave(&other, &odd);
		expect_metered(&key, 3, header + 1050 + 2 * (header + 8));
		odd.proto = six ? 60 : 132;
		other.ctx.gso_segs = 3;
		other.ctx.wire_len = header + 1050 + 2 * 77;
		leave(&other, &odd);
		expect_metered(&key, 3, header + 1050 + 2 * 77);

		/* Counted before, or of this node, or from elsewhere. */
		other = out;
		other.ctx.mark = 0xf000ffff;
		leave(&other, &gone);
		expect_metered(&key, 0, 0);
		other = out;
		other.ctx.ingress_ifindex = 0;
		leave(&other, &gone);
		expect_metered(&key, 0, 0);
		other.ctx.ingress_ifindex = tunnel_ifindex[4];
		leave(&other, &gone);
		expect_metered(&key, 0, 0);
		other = in;
		other.ctx.ingress_ifindex = lan_ifindex;
		leave(&other, &come);
		expect_metered(&key, 0, 0);
	}
	/* Options, a fragment: only addresses and length count. */
	key = world_usual_key(false, 0);
	leave(&out, &(struct shape){ .tunnel = true,
				     .from = OWN4,
				     .to = SITE2_4,
				     .first = 0x46,
				     .fragment = 0x2003,
				     .len = 64 });
	expect_metered(&key, 1, 24 + 64);
}

static void go_fast(const uint8_t *frame, size_t len)
{
	static uint8_t out[FRAME_MAX];
	struct __sk_buff ctx = { .ifindex = lan_ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = (uint32_t)len,
		    .data_out = out, .data_size_out = sizeof(out), .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(harness_program("lan_ingress"), &opts), 0);
	assert_int_equal(opts.retval, TC_ACT_REDIRECT);
}

/* Nothing is lost when there is no room. */
static void test_full(void **state)
{
	static uint8_t frame[FRAME_MAX];
	const size_t len = shape_build(&(struct shape){ .len = 100 }, frame);
	struct dp_count *counts_of = calloc((size_t)libbpf_num_possible_cpus(), sizeof(*counts_of));
	struct dp_meter_key key = { .local_len = 1 }, other = { .local_site = 1, .remote_site = 2 };

	(void)state;
	assert_non_null(counts_of);
	world_usual();
	harness_clear("dp_meters");
	for (uint32_t i = 0; i < DP_METERS_MAX; i++) {
		key.local.word[0] = i;
		assert_int_equal(bpf_map_update_elem(harness_map("dp_meters"), &key, counts_of, 0),
				 0);
	}
	free(counts_of);
	for (int i = 0; i < 3; i++)
		go_fast(frame, len);
	assert_int_equal(harness_count_at("dp_meters_other", &other).packets, 3);
	assert_int_equal(harness_count_at("dp_meters_other", &other).bytes, 3 * 120);
	harness_clear("dp_meters");
	harness_clear("dp_meters_other");
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
	lan_ifindex = harness_ifindex("lan0");
	world_write_routes();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stack),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests_name("meter", tests, setup, harness_teardown);
}
