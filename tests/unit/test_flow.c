/* SPDX-License-Identifier: GPL-2.0-only */
/* How flows are hashed over lanes. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lan.h"

/* Neighbours in ports and in addresses: each slot within 6 standard deviations of its share. */
static void test_flows(void **state)
{
	(void)state;
	for (int by = 0; by < 4; by++) {
		const long flows = 60000, mean = flows / DP_LANE_SLOTS;
		long share[DP_LANE_SLOTS] = { 0 };

		for (uint32_t flow = 0; flow < flows; flow++) {
			struct lan_packet packet = { .version = 4, .protocol = IPPROTO_TCP };

			packet_addr_v4(&packet.source, htonl(0x0a010000));
			packet_addr_v4(&packet.destination, htonl(0x0a020000));
			packet.ports = htonl(40000u << 16 | 443);
			if (by == 0)
				packet.ports = htonl((1024 + flow) << 16 | 443);
			else if (by == 1)
				packet.ports = htonl(40000u << 16 | flow);
			else if (by == 2)
				packet.source.word[3] += htonl(flow);
			else
				packet.destination.word[3] += htonl(flow);
			share[(uint64_t)lan_flow(&packet) * DP_LANE_SLOTS >> 32]++;
		}
		for (int i = 0; i < DP_LANE_SLOTS; i++)
			assert_true((share[i] - mean) * (share[i] - mean) <= 36 * mean);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_flows) };

	return cmocka_run_group_tests_name("flow", tests, NULL, NULL);
}
