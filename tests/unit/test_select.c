/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "select.h"

#define FLOWS 20000u
#define ALL ((1u << DP_ORDER_MAX) - 1)

static void alive_by_evidence(void **state)
{
	static const struct {
		__u32 ifindex;
		__u64 sent, reply, dead;
		bool alive;
	} cases[] = {
		{ 1, 0, 0, 100, false }, /* never asked */
		{ 1, 0, 50, 100, false },
		{ 1, 50, 0, 100, false }, /* never answered, though little time has passed */
		{ 1, 1, 0, UINT64_MAX, false },
		{ 1, 1000, 1000, 100, true }, /* in the same nanosecond */
		{ 1, 1000, 1000, 0, true },
		{ 1, 1000, 1001, 100, true }, /* all answered, however long ago */
		{ 1, 1, UINT64_MAX, 100, true },
		{ 1, 1100, 1000, 100, true },
		{ 1, 1101, 1000, 100, false },
		{ 0, 1000, 1001, 100, false }, /* no route */
		{ 0, 1100, 1000, UINT64_MAX, false },
		{ 1, UINT64_MAX, UINT64_MAX - 10, 100, true }, /* the sum would wrap */
		{ 1, UINT64_MAX, UINT64_MAX - 101, 100, false },
		{ 1, UINT64_MAX, 1, UINT64_MAX, true },
		{ 1, 500, 499, UINT64_MAX, true },
		{ UINT32_MAX, 1000, 999, 1, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dp_path path = { .ifindex = cases[i].ifindex, .dead_ns = cases[i].dead };
		struct dp_path_state seen = { .last_sent_ns = cases[i].sent,
					      .last_reply_ns = cases[i].reply };

		assert_int_equal(path_alive(&path, &seen), cases[i].alive);
	}
}

/* Every number, every set, with and without holes, against counting by hand. */
static void first_is_the_first(void **state)
{
	(void)state;
	for (__u32 n = 0; n <= DP_ORDER_MAX + 2; n++) {
		for (__u32 alive = 0; alive <= 2 * ALL; alive++) {
			for (unsigned int hole = 0; hole <= DP_ORDER_MAX; hole++) {
				__u8 order[DP_ORDER_MAX] = { 7, 0, 31, 3, 3, 1, 2, 9 };
				int want = -1;

				if (hole < DP_ORDER_MAX)
					order[hole] = DP_NO_PATH;
				for (int i = (int)(n < DP_ORDER_MAX ? n : DP_ORDER_MAX) - 1; i >= 0;
				     i--) {
					if (alive & 1u << i && (unsigned int)i != hole)
						want = i;
				}
				assert_int_equal(select_first(order, n, alive), want);
			}
		}
	}
}

static const __u8 in_order[DP_ORDER_MAX] = { 0, 1, 2, 3, 4, 5, 6, 7 };
static const __u8 shuffled[DP_ORDER_MAX] = { 5, 31, 0, 7, 2, 12, 4, 1 };

/* Rendezvous as the paper says it: all bids in a list, sorted, the best that is alive. */
static int naive_flow(const __u8 *order, __u32 n, __u32 alive, __u32 hash)
{
	int ranking[DP_ORDER_MAX];

	for (int i = 0; i < DP_ORDER_MAX; i++) {
		int at = i;

		while (at > 0 && select_weight(hash, order[ranking[at - 1]]) <
					 select_weight(hash, order[i])) {
			ranking[at] = ranking[at - 1];
			at--;
		}
		ranking[at] = i;
	}
	for (int i = 0; i < DP_ORDER_MAX; i++) {
		if ((__u32)ranking[i] < n && alive & 1u << ranking[i])
			return ranking[i];
	}
	return -1;
}

/* Near ones, and ones all over the 32 bits. */
static __u32 flow_hash(__u32 flow)
{
	return flow % 2 ? flow / 2 : flow * 2654435761u;
}

static void flow_is_the_best_bid(void **state)
{
	(void)state;
	for (__u32 flow = 0; flow < 200; flow++) {
		for (__u32 n = 0; n <= DP_ORDER_MAX + 1; n++) {
			for (__u32 alive = 0; alive <= 2 * ALL; alive++)
				assert_int_equal(select_flow(shuffled, n, alive, flow_hash(flow)),
						 naive_flow(shuffled, n, alive, flow_hash(flow)));
		}
	}
}

static void a_dead_path_moves_its_own_flows_only(void **state)
{
	(void)state;
	for (__u32 flow = 0; flow < FLOWS; flow++) {
		__u32 hash = flow_hash(flow);
		int before = select_flow(shuffled, DP_ORDER_MAX, ALL, hash);

		assert_in_range(before, 0, DP_ORDER_MAX - 1);
		for (int dead = 0; dead < DP_ORDER_MAX; dead++) {
			int after = select_flow(shuffled, DP_ORDER_MAX, ALL & ~(1u << dead), hash);
			__u8 last[DP_ORDER_MAX];

			assert_in_range(after, 0, DP_ORDER_MAX - 1);
			assert_int_not_equal(after, dead);
			if (before != dead)
				assert_int_equal(after, before);
			/* Then it stands last in the order, which moves none either. */
			for (int i = 0, n = 0; i < DP_ORDER_MAX; i++)
				if (i != dead)
					last[n++] = shuffled[i];
			last[DP_ORDER_MAX - 1] = shuffled[dead];
			assert_int_equal(last[select_flow(last, DP_ORDER_MAX, ALL >> 1, hash)],
					 shuffled[after]);
		}
	}
}

/* Each share within 6 standard deviations of an equal one; so are those that a dead path leaves. */
static void flows_are_shared_equally(void **state)
{
	(void)state;
	for (__u32 alive = 1; alive <= ALL; alive++) {
		unsigned int share[DP_ORDER_MAX] = { 0 };
		unsigned int mean = FLOWS / (unsigned int)__builtin_popcount(alive);

		for (__u32 flow = 0; flow < FLOWS; flow++)
			share[select_flow(in_order, DP_ORDER_MAX, alive, flow_hash(flow))]++;
		for (int i = 0; i < DP_ORDER_MAX; i++) {
			long off = (long)share[i] - (long)mean;

			if (alive & 1u << i)
				assert_true(off * off <= 36 * (long)mean);
			else
				assert_int_equal(share[i], 0);
		}
	}
}

/* Four lanes of a user-space engine go by four paths, as far as there are so many. */
static void lanes_go_apart(void **state)
{
	(void)state;
	for (__u32 n = 1; n <= DP_ORDER_MAX; n++) {
		/* All alive, then all but one. */
		for (__u32 dead = n > 1 ? 0 : 1; dead <= n; dead++) {
			const __u32 alive = ((1u << n) - 1) & ~(dead ? 1u << (dead - 1) : 0);
			const int wanted = __builtin_popcount(alive);
			__u32 taken = 0;

			for (__u8 lane = 0; alive && lane < DP_LANES_MAX; lane++)
				taken |= 1u
					 << select_flow(in_order, n, alive, select_lane_hash(lane));
			assert_int_equal(__builtin_popcount(taken),
					 wanted < DP_LANES_MAX ? wanted : DP_LANES_MAX);
		}
	}
}

/* A pause of the requests is no silence of the path; a dead one stays dead. */
static void test_resume(void **unused)
{
	const struct dp_path path = { .ifindex = 1, .dead_ns = 35 };
	struct dp_path_state state = { .last_sent_ns = 1000, .last_reply_ns = 990, .rtt_us = 1 };

	(void)unused;
	path_resume(&path, &state, 1010); /* no pause */
	assert_int_equal(state.last_reply_ns, 990);
	path_resume(&path, &state, 50000);
	state.last_sent_ns = 50000;
	assert_true(path_alive(&path, &state));
	state.last_sent_ns = 50000 + 1000 + 35;
	assert_true(path_alive(&path, &state));
	state.last_sent_ns++;
	assert_false(path_alive(&path, &state));
	path_resume(&path, &state, 900000);
	state.last_sent_ns = 900000;
	assert_false(path_alive(&path, &state));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alive_by_evidence),
		cmocka_unit_test(first_is_the_first),
		cmocka_unit_test(flow_is_the_best_bid),
		cmocka_unit_test(a_dead_path_moves_its_own_flows_only),
		cmocka_unit_test(flows_are_shared_equally),
		cmocka_unit_test(lanes_go_apart),
		cmocka_unit_test(test_resume),
	};

	return cmocka_run_group_tests_name("select", tests, NULL, NULL);
}
