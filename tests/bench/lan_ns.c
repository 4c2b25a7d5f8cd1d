/* SPDX-License-Identifier: GPL-2.0-only */
/* usage: lan_ns TRIALS (as root): nanoseconds of a packet on the LAN fast path (program_ns.h). */
#include <linux/pkt_cls.h>

#include "program_ns.h"

#include "lan_world.h"

static const char setup_script[] =
	"set -e\n"
	"ip link add lan0 address 02:00:00:00:00:01 type veth peer name host0\n"
	"ip link set lan0 mtu 1500\n"
	"for id in 3 4 5 6; do ip tuntap add np$id mode tun; done\n";

int main(int argc, char **argv)
{
	static uint8_t frame[FRAME_MAX];
	const unsigned int trials = argc == 2 ? (unsigned int)atoi(argv[1]) : 0;
	unsigned int lan_ifindex, tunnel_ifindex[NODE_END];
	struct world world;

	if (!trials || harness_setup(NULL) || system(setup_script))
		return 1;
	lan_ifindex = harness_ifindex("lan0");
	for (int id = NODE_FIRST; id < NODE_END; id++) {
		char name[8];

		snprintf(name, sizeof(name), "np%d", id);
		tunnel_ifindex[id] = harness_ifindex(name);
	}
	world_write_routes();
	world_init(&world, lan_ifindex, tunnel_ifindex);
	world_write(&world);
	program_ns_print(
		&(struct program_ns){ .name = "lan_ingress",
				      .program = "lan_ingress",
				      .repeat = 200, /* of TTL 255 */
				      .verdict = TC_ACT_REDIRECT,
				      .count = DP_COUNT_LAN_FAST,
				      .ifindex = lan_ifindex,
				      .frame = frame,
				      .len = shape_build(&(struct shape){ .ttl = 255 }, frame) },
		trials);
	/* An Ethernet header more each time. */
	program_ns_print(&(struct program_ns){ .name = "tunnel_ingress",
					       .program = "tunnel_ingress",
					       .repeat = 1,
					       .verdict = TC_ACT_REDIRECT,
					       .count = DP_COUNT_TUNNEL_FAST,
					       .ifindex = tunnel_ifindex[NODE_FIRST],
					       .frame = frame,
					       .len = shape_build(&(struct shape){ .tunnel = true },
								  frame) },
			 trials);
	return harness_teardown(NULL);
}
