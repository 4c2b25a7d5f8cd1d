/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/allowed_ips.h"
#include "engine/index.h"
#include "engine/ratelimit.h"
#include "engine/replay.h"

#define MS 1000000ULL
#define S (1000 * MS)

static void the_window_is_that_of_the_oracle(void **state)
{
	enum {
		COUNTERS = 200000,
		STEPS = 400000
	};
	static uint8_t seen[COUNTERS];
	struct replay replay = { 0 };
	uint64_t greatest = 0, base = 1000;

	(void)state;
	memset(seen, 0, sizeof(seen));
	srand(1);
	for (int i = 0; i < STEPS; i++) {
		uint64_t counter = base + (uint64_t)rand() % 20000;
		bool fresh;

		if (counter >= COUNTERS)
			break;
		fresh = !seen[counter] &&
			(counter > greatest || greatest - counter < REPLAY_WINDOW);
		assert_int_equal(replay_accept(&replay, counter), fresh);
		if (fresh) {
			seen[counter] = 1;
			if (counter > greatest)
				greatest = counter;
		}
		base += (uint64_t)rand() % 2;
		if (rand() % 5000 == 0)
			base += 17000;
	}
	assert_true(REPLAY_WINDOW >= 8192);
}

static void counters_at_both_ends(void **state)
{
	struct replay replay = { 0 };

	(void)state;
	assert_true(replay_accept(&replay, 0));
	assert_false(replay_accept(&replay, 0));
	assert_true(replay_accept(&replay, REPLAY_COUNTER_MAX - 1));
	assert_false(replay_accept(&replay, REPLAY_COUNTER_MAX - 1));
	assert_false(replay_accept(&replay, REPLAY_COUNTER_MAX));
	assert_false(replay_accept(&replay, UINT64_MAX));
	assert_false(replay_accept(&replay, 1));
	assert_true(replay_accept(&replay, REPLAY_COUNTER_MAX - REPLAY_WINDOW));
	assert_false(replay_accept(&replay, REPLAY_COUNTER_MAX - 1 - REPLAY_WINDOW));
}

static struct sockaddr *v4(const char *text)
{
	static struct sockaddr_in address;

	address.sin_family = AF_INET;
	assert_int_equal(inet_pton(AF_INET, text, &address.sin_addr), 1);
	return (struct sockaddr *)&address;
}

static struct sockaddr *v6(const char *text)
{
	static struct sockaddr_in6 address;

	address.sin6_family = AF_INET6;
	assert_int_equal(inet_pton(AF_INET6, text, &address.sin6_addr), 1);
	return (struct sockaddr *)&address;
}

static void twenty_a_second_five_at_once(void **state)
{
	struct ratelimit *limit = ratelimit_new(20, 5);
	uint64_t now = 5 * S;
	int taken = 0;

	(void)state;
	assert_non_null(limit);
	for (int i = 0; i < 5; i++)
		assert_true(ratelimit_allow(limit, v4("192.0.2.1"), now));
	assert_false(ratelimit_allow(limit, v4("192.0.2.1"), now));
	assert_true(ratelimit_allow(limit, v4("192.0.2.2"), now));
	assert_false(ratelimit_allow(limit, v4("192.0.2.1"), now + 49 * MS));
	assert_true(ratelimit_allow(limit, v4("192.0.2.1"), now + 50 * MS));
	assert_false(ratelimit_allow(limit, v4("192.0.2.1"), now + 50 * MS));
	for (int ms = 0; ms < 10000; ms++)
		taken += ratelimit_allow(limit, v4("192.0.2.1"), now + 1 * S + (uint64_t)ms * MS);
	assert_in_range(taken, 200, 205);
	/* One /64 is one address. */
	for (int i = 0; i < 5; i++)
		assert_true(ratelimit_allow(limit, v6("2001:db8::1"), now));
	assert_false(ratelimit_allow(limit, v6("2001:db8::ffff:1:2:3"), now));
	assert_true(ratelimit_allow(limit, v6("2001:db8:0:1::1"), now));
	ratelimit_free(limit);
}

struct rule {
	struct allowed_ip ip;
	struct peer *peer;
};

static bool holds(const struct allowed_ip *ip, enum allowed_family family, const uint8_t *address)
{
	if (ip->family != family)
		return false;
	for (int bit = 0; bit < ip->cidr; bit++)
		if ((ip->address[bit / 8] ^ address[bit / 8]) >> (7 - bit % 8) & 1)
			return false;
	return true;
}

static struct peer *oracle(const struct rule *rules, size_t n, enum allowed_family family,
			   const uint8_t *address)
{
	struct peer *found = NULL;
	int longest = -1;

	for (size_t i = 0; i < n; i++)
		if (rules[i].peer && holds(&rules[i].ip, family, address) &&
		    rules[i].ip.cidr > longest) {
			longest = rules[i].ip.cidr;
			found = rules[i].peer;
		}
	return found;
}

static bool same_prefix(const struct allowed_ip *a, const struct allowed_ip *b)
{
	return a->cidr == b->cidr && holds(a, b->family, b->address);
}

/* The list has one rule a prefix. */
static size_t oracle_insert(struct rule *rules, size_t n, const struct rule *rule)
{
	for (size_t i = 0; i < n; i++)
		if (same_prefix(&rules[i].ip, &rule->ip)) {
			rules[i] = *rule;
			return n;
		}
	rules[n] = *rule;
	return n + 1;
}

/* Few different bytes, so that prefixes meet and nest. */
static void random_ip(struct allowed_ip *ip)
{
	ip->family = (enum allowed_family)(rand() % 2);
	ip->cidr = (uint8_t)(rand() % (ip->family == ALLOWED_V4 ? 33 : 129));
	for (int i = 0; i < 16; i++)
		ip->address[i] = (uint8_t)(rand() % 3 ? 0 : rand() % 4 << rand() % 7);
}

static struct peer *some_peer(int i)
{
	static char peers[8];

	return (struct peer *)&peers[i % 8];
}

static void compare(const struct allowed_ips *ips, const struct rule *rules, size_t n)
{
	struct allowed_ip ip;

	for (int i = 0; i < 300; i++) {
		random_ip(&ip);
		assert_ptr_equal(allowed_ips_find(ips, ip.family, ip.address),
				 oracle(rules, n, ip.family, ip.address));
	}
}

static void allowed_ips_are_those_of_the_oracle(void **state)
{
	enum {
		RULES = 400,
		ROUNDS = 20
	};
	static struct rule rules[RULES];

	(void)state;
	srand(2);
	for (int round = 0; round < ROUNDS; round++) {
		struct allowed_ips *ips = allowed_ips_new(), *copy;
		size_t n = 0, listed = 0, there = 0;
		struct allowed_ip ip;

		for (int i = 0; i < RULES; i++) {
			struct rule rule = { .peer = some_peer(rand()) };

			random_ip(&rule.ip);
			assert_int_equal(allowed_ips_insert(ips, &rule.ip, rule.peer), 0);
			n = oracle_insert(rules, n, &rule);
		}
		compare(ips, rules, n);
		for (int i = 0; i < 100; i++) {
			struct rule *rule = &rules[(size_t)rand() % n];

			/* Not the owner's: nothing happens. */
			allowed_ips_remove(ips, &rule->ip, (struct peer *)&ip);
			allowed_ips_remove(ips, &rule->ip, rule->peer);
			rule->peer = NULL;
		}
		compare(ips, rules, n);
		for (int i = 0; i < 5; i++)
			allowed_ips_remove_peer(ips, some_peer(i));
		for (size_t i = 0; i < n; i++)
			for (int j = 0; j < 5; j++)
				if (rules[i].peer == some_peer(j))
					rules[i].peer = NULL;
		compare(ips, rules, n);
		copy = allowed_ips_copy(ips);
		allowed_ips_free(ips);
		compare(copy, rules, n);
		for (size_t cursor = 0; allowed_ips_next(copy, NULL, &cursor, &ip);)
			listed++;
		for (size_t i = 0; i < n; i++)
			there += rules[i].peer != NULL;
		assert_int_equal(listed, there);
		allowed_ips_free(copy);
	}
}

static void a_prefix_that_is_none(void **state)
{
	struct allowed_ips *ips = allowed_ips_new();
	struct allowed_ip ip = { .family = ALLOWED_V4, .cidr = 33 };
	uint8_t packet[40] = { 0x45 };

	(void)state;
	assert_int_equal(allowed_ips_insert(ips, &ip, some_peer(0)), -EINVAL);
	ip.cidr = 0;
	assert_int_equal(allowed_ips_insert(ips, &ip, some_peer(0)), 0);
	assert_ptr_equal(allowed_ips_find_dst(ips, packet, 20), some_peer(0));
	assert_null(allowed_ips_find_dst(ips, packet, 19));
	packet[0] = 0x60;
	assert_null(allowed_ips_find_src(ips, packet, 40));
	packet[0] = 0x50;
	assert_null(allowed_ips_find_src(ips, packet, 40));
	allowed_ips_free(ips);
}

static void indices_are_found_until_released(void **state)
{
	enum {
		TAKEN = 4000
	};
	static uint32_t taken[TAKEN];
	struct index_table *table = index_table_new(16), *larger;

	(void)state;
	for (uintptr_t i = 0; i < TAKEN; i++) {
		if (table->used > table->mask / 2) {
			larger = index_table_grow(table);
			assert_non_null(larger);
			free(table);
			table = larger;
		}
		taken[i] = index_take(table, (struct peer *)(i + 1));
		assert_int_not_equal(taken[i], 0);
	}
	assert_null(index_find(table, 0));
	for (uintptr_t i = 0; i < TAKEN; i++) {
		assert_ptr_equal(index_find(table, taken[i])->handshake, (struct peer *)(i + 1));
		index_release(table, taken[i]);
		assert_null(index_find(table, taken[i]));
		index_release(table, taken[i]);
	}
	assert_int_equal(table->used, 0);
	free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_window_is_that_of_the_oracle),
		cmocka_unit_test(counters_at_both_ends),
		cmocka_unit_test(twenty_a_second_five_at_once),
		cmocka_unit_test(allowed_ips_are_those_of_the_oracle),
		cmocka_unit_test(a_prefix_that_is_none),
		cmocka_unit_test(indices_are_found_until_released),
	};

	return cmocka_run_group_tests_name("wg_tables", tests, NULL, NULL);
}
