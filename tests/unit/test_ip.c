/* SPDX-License-Identifier: GPL-2.0-only */
/* Addresses and prefixes: by table, and against libc and a bit-by-bit oracle on random input. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ip.h"

static struct ip_addr addr_of(const char *text)
{
	struct ip_addr addr;

	if (ip_addr_parse(text, &addr))
		fail_msg("%s is not an address", text);
	return addr;
}

static struct ip_prefix prefix_of(const char *text)
{
	struct ip_prefix prefix;

	if (ip_prefix_parse(text, &prefix))
		fail_msg("%s is not a prefix", text);
	return prefix;
}

static void test_addr_good(void **state)
{
	static const struct {
		const char *text, *canonical;
	} cases[] = {
		{ "0.0.0.0", "0.0.0.0" },
		{ "255.255.255.255", "255.255.255.255" },
		{ "10.0.200.3", "10.0.200.3" },
		{ "::", "::" },
		{ "::1", "::1" },
		{ "1::", "1::" },
		{ "2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },
		{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
		{ "2001:0db8::0001", "2001:db8::1" },
		{ "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0" },
		{ "::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8" },
		{ "::ffff:192.0.2.1", "::ffff:192.0.2.1" },
		{ "64:ff9b::192.0.2.33", "64:ff9b::c000:221" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	};
	char buf[IP_ADDR_STRLEN];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ip_addr addr = addr_of(cases[i].text);

		assert_string_equal(ip_addr_format(&addr, buf), cases[i].canonical);
	}
	assert_string_equal(ip_addr_format(&(struct ip_addr){ 0 }, buf), "-");
}

static void test_addr_bad(void **state)
{
	static const char *const cases[] = {
		"",
		" ",
		"1.2.3",
		"1.2.3.4.",
		"1.2.3.4 ",
		"01.2.3.4",
		"1.2.3.256",
		"1..2.3",
		"1.2.3.-4",
		"1.2.3.4/8",
		":",
		":::",
		"::1::",
		"1:2:3",
		"1:2:3:4:5:6:7:8:9",
		"1:2:3:4:5:6:7:8::",
		"::1:2:3:4:5:6:7:8",
		"12345::",
		"g::",
		"1:",
		":1",
		"::1.2.3",
		"::1.2.3.4:5",
		"1:2:3:4:5:6:7:1.2.3.4",
		"fe80::1%eth0",
		"[::1]",
		"0x7f.0.0.1",
		"::ffff:1.2.3.04",
		"1:2:3:4:5:6:7:",
	};
	struct ip_addr addr = addr_of("192.0.2.1"), before = addr;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (ip_addr_parse(cases[i], &addr) != -EINVAL)
			fail_msg("'%s' was taken", cases[i]);
		assert_memory_equal(&addr, &before, sizeof(addr));
	}
}

/* What libc takes and what it makes of it, for texts that are nearly right. */
static void test_addr_against_libc(void **state)
{
	static const char alphabet[] = "0123456789abcdefF:::..";
	static const char *const seeds[] = {
		"1:2:3:4:5:6:7:8", "::ffff:192.0.2.1", "fe80::1:0:0:2", "10.20.30.40", "a::b",
	};
	char text[64], buf[IP_ADDR_STRLEN], libc[INET6_ADDRSTRLEN];
	unsigned int n_good = 0;

	(void)state;
	srandom(1);
	for (int i = 0; i < 200000; i++) {
		uint8_t bytes[16] = { 0 };
		struct ip_addr addr;
		int family, expected;
		size_t len;

		strcpy(text, seeds[(size_t)random() % 5]);
		len = strlen(text);
		for (long n = random() % 4; n > 0; n--)
			text[(size_t)random() % len] =
				alphabet[(size_t)random() % (sizeof(alphabet) - 1)];
		family = strchr(text, ':') ? AF_INET6 : AF_INET;
		expected = inet_pton(family, text, bytes);
		if (!ip_addr_parse(text, &addr) != (expected == 1))
			fail_msg("'%s': libc says %d", text, expected);
		if (expected != 1)
			continue;
		n_good++;
		assert_memory_equal(addr.bytes, bytes, family == AF_INET6 ? 16 : 4);
		ip_addr_format(&addr, buf);
		assert_non_null(inet_ntop(family, bytes, libc, sizeof(libc)));
		/* libc writes ::/96 as "::1.2.3.4", which RFC 5952 has no place for. */
		if (strncmp(libc, "::", 2) || !strchr(libc, '.') || !strncmp(libc, "::ffff:", 7))
			assert_string_equal(buf, libc);
	}
	assert_in_range(n_good, 10000, 190000);
}

static void test_addr_format_random(void **state)
{
	char buf[IP_ADDR_STRLEN];

	(void)state;
	srandom(2);
	for (int i = 0; i < 50000; i++) {
		struct ip_addr addr = { .family = random() % 4 ? IP_V6 : IP_V4 }, again;

		for (unsigned int b = 0; b < ip_bits(addr.family) / 8; b++)
			addr.bytes[b] = random() % 3 ? 0 : (uint8_t)random();
		assert_int_equal(ip_addr_parse(ip_addr_format(&addr, buf), &again), 0);
		assert_int_equal(ip_addr_compare(&addr, &again), 0);
	}
}

static void test_prefix_parse(void **state)
{
	static const struct {
		const char *text;
		int ret;
		const char *result;
	} cases[] = {
		{ "10.0.0.0/8", 0, "10.0.0.0/8" },
		{ "0.0.0.0/0", 0, "0.0.0.0/0" },
		{ "::/0", 0, "::/0" },
		{ "192.0.2.1/32", 0, "192.0.2.1/32" },
		{ "2001:DB8::/32", 0, "2001:db8::/32" },
		{ "::1/128", 0, "::1/128" },
		{ "10.1.2.3/16", -EDOM, "10.1.0.0/16" },
		{ "255.255.255.255/31", -EDOM, "255.255.255.254/31" },
		{ "10.0.0.1/0", -EDOM, "0.0.0.0/0" },
		{ "2001:db8::ffff/121", -EDOM, "2001:db8::ff80/121" },
		{ "10.0.0.0/33", -ERANGE, NULL },
		{ "10.0.0.0/99999999999999999999", -ERANGE, NULL },
		{ "::/129", -ERANGE, NULL },
		{ "10.0.0.0", -EINVAL, NULL },
		{ "10.0.0.0/", -EINVAL, NULL },
		{ "/8", -EINVAL, NULL },
		{ "10.0.0.0/08", -EINVAL, NULL },
		{ "10.0.0.0/+8", -EINVAL, NULL },
		{ "10.0.0.0/8 ", -EINVAL, NULL },
		{ "10.0.0.0/8/8", -EINVAL, NULL },
		{ "10.0.0/8", -EINVAL, NULL },
		{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa/8", -EINVAL, NULL },
	};
	char buf[IP_PREFIX_STRLEN];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ip_prefix prefix = prefix_of("203.0.113.0/24");
		int ret = ip_prefix_parse(cases[i].text, &prefix);

		if (ret != cases[i].ret)
			fail_msg("'%s': %d, not %d", cases[i].text, ret, cases[i].ret);
		assert_string_equal(ip_prefix_format(&prefix, buf),
				    cases[i].result ? cases[i].result : "203.0.113.0/24");
	}
}

static bool bit_at(const struct ip_addr *addr, unsigned int i)
{
	return addr->bytes[i / 8] >> (7 - i % 8) & 1;
}

/* The definition of it, bit by bit. */
static bool oracle_has(const struct ip_prefix *prefix, const struct ip_addr *addr)
{
	if (prefix->addr.family != addr->family)
		return false;
	for (unsigned int i = 0; i < prefix->len; i++) {
		if (bit_at(&prefix->addr, i) != bit_at(addr, i))
			return false;
	}
	return true;
}

static struct ip_prefix random_prefix(void)
{
	struct ip_prefix prefix = { .addr.family = random() % 2 ? IP_V6 : IP_V4 };
	unsigned int bits = ip_bits(prefix.addr.family);

	prefix.len = (uint8_t)((unsigned long)random() % (bits + 1));
	if (random() % 2)
		prefix.len %= 12; /* short ones meet more often */
	for (unsigned int i = 0; i < prefix.len; i++) {
		if (!(random() % 4))
			prefix.addr.bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
	}
	return prefix;
}

static void test_prefix_against_oracle(void **state)
{
	unsigned int n_inside = 0;

	(void)state;
	srandom(3);
	for (int i = 0; i < 100000; i++) {
		struct ip_prefix a = random_prefix(), b = random_prefix();
		struct ip_addr last = ip_prefix_last(&b);
		bool overlap;

		assert_int_equal(ip_prefix_has_addr(&a, &b.addr), oracle_has(&a, &b.addr));
		assert_int_equal(ip_prefix_has_addr(&a, &last), oracle_has(&a, &last));
		overlap = oracle_has(&a, &b.addr) || oracle_has(&b, &a.addr);
		assert_int_equal(ip_prefix_overlaps(&a, &b), overlap);
		n_inside += overlap;
		/* What covers sorts first. */
		if (overlap && a.len < b.len)
			assert_true(ip_prefix_compare(&a, &b) < 0);
		assert_int_equal(ip_prefix_compare(&a, &b) < 0, ip_prefix_compare(&b, &a) > 0);
		for (unsigned int n = b.len; n < ip_bits(b.addr.family); n++)
			assert_true(bit_at(&last, n));
		assert_true(oracle_has(&b, &last));
	}
	assert_in_range(n_inside, 1000, 99000);
}

static void test_prefix_none(void **state)
{
	const struct ip_prefix none = { 0 }, all = prefix_of("0.0.0.0/0");
	const struct ip_addr addr = addr_of("192.0.2.1");

	(void)state;
	assert_false(ip_prefix_has_addr(&none, &addr));
	assert_false(ip_prefix_has_addr(&none, &none.addr));
	assert_false(ip_prefix_overlaps(&none, &all));
	assert_false(ip_prefix_overlaps(&all, &none));
	assert_int_equal(ip_bits(IP_NONE), 0);
}

static void test_prefix_host(void **state)
{
	struct ip_addr v4 = addr_of("192.0.2.1"), v6 = addr_of("2001:db8::1");
	struct ip_prefix host4 = ip_prefix_host(&v4), host6 = ip_prefix_host(&v6);
	struct ip_prefix wanted4 = prefix_of("192.0.2.1/32"),
			 wanted6 = prefix_of("2001:db8::1/128");

	(void)state;
	assert_int_equal(ip_prefix_compare(&host4, &wanted4), 0);
	assert_int_equal(ip_prefix_compare(&host6, &wanted6), 0);
	assert_true(ip_addr_compare(&v4, &v6) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addr_good),
		cmocka_unit_test(test_addr_bad),
		cmocka_unit_test(test_addr_against_libc),
		cmocka_unit_test(test_addr_format_random),
		cmocka_unit_test(test_prefix_parse),
		cmocka_unit_test(test_prefix_against_oracle),
		cmocka_unit_test(test_prefix_none),
		cmocka_unit_test(test_prefix_host),
	};

	return cmocka_run_group_tests_name("ip", tests, NULL, NULL);
}
