/* SPDX-License-Identifier: GPL-2.0-only */
/* Workers' sockets on the loopback: ports, segments, who sent, from and to which address, ECN. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <poll.h>

#include "engine/buffers.h"
#include "engine/socket.h"

static struct udp a, b;
static uint16_t port_a, port_b;
static struct udp_rx *rx;

static int setup(void **state)
{
	(void)state;
	port_a = port_b = 0;
	rx = udp_rx_new();
	return !rx || udp_open(&port_a, 0, &a, 1) || udp_open(&port_b, 0, &b, 1);
}

static int teardown(void **state)
{
	(void)state;
	udp_close(&a, 1);
	udp_close(&b, 1);
	udp_rx_free(rx);
	return 0;
}

static struct endpoint at(int family, const char *address, uint16_t port)
{
	struct endpoint to = { 0 };

	to.sa.sa_family = (sa_family_t)family;
	if (family == AF_INET) {
		assert_int_equal(inet_pton(family, address, &to.in.sin_addr), 1);
		to.in.sin_port = htons(port);
	} else {
		assert_int_equal(inet_pton(family, address, &to.in6.sin6_addr), 1);
		to.in6.sin6_port = htons(port);
	}
	return to;
}

/* Datagrams of `size` until `len` bytes are there; the last entry's sender. */
static struct endpoint receive(int fd, const uint8_t *want, size_t len, size_t size, uint8_t ecn)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct endpoint from = { 0 };
	struct udp_rx_entry *entries;
	size_t got = 0;

	while (got < len) {
		int n;

		assert_int_equal(poll(&pfd, 1, 5000), 1);
		n = udp_recv(rx, fd, &entries);
		assert_true(n > 0);
		for (int i = 0; i < n; i++) {
			assert_int_equal(entries[i].ecn, ecn);
			assert_true(entries[i].size == size || (entries[i].size == entries[i].len &&
								got + entries[i].len == len));
			assert_true(got + entries[i].len <= len);
			assert_memory_equal(entries[i].data, want + got, entries[i].len);
			got += entries[i].len;
			from = entries[i].from;
		}
	}
	assert_int_equal(udp_recv(rx, fd, &entries), 0);
	return from;
}

static void exchange(int family, const char *address, size_t len, size_t size, uint8_t ecn)
{
	int fd_a = family == AF_INET ? a.fd4 : a.fd6, fd_b = family == AF_INET ? b.fd4 : b.fd6;
	struct endpoint to = at(family, address, port_b), from, back, again;
	uint8_t *data;
	size_t sent;

	if (fd_a < 0) {
		print_message("no %s here\n", family == AF_INET ? "IPv4" : "IPv6");
		return;
	}
	data = malloc(len);
	assert_non_null(data);
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 13 + i / 256);
	assert_int_equal(udp_send(&a, &to, ecn, data, len, size, &sent), 0);
	assert_int_equal(sent, len);
	from = receive(fd_b, data, len, size, ecn);
	assert_int_equal(ntohs(family == AF_INET ? from.in.sin_port : from.in6.sin6_port), port_a);
	/* Back to where it came from, from where it went to. */
	back = from;
	assert_int_equal(udp_send(&b, &back, 0, data, size, size, NULL), 0);
	assert_true(endpoint_equal(&back, &from));
	again = receive(fd_a, data, size, size, 0);
	if (family == AF_INET)
		assert_int_equal(again.in.sin_addr.s_addr, to.in.sin_addr.s_addr);
	else
		assert_memory_equal(&again.in6.sin6_addr, &to.in6.sin6_addr, 16);
	free(data);
}

static void test_segments(void **state)
{
	(void)state;
	for (int gso = 1; gso >= 0; gso--) {
		if (!gso)
			a.gso = false;
		for (uint8_t ecn = 0; ecn < 4; ecn++) {
			exchange(AF_INET, "127.0.0.1", 64 * 1452 + 700, 1452, ecn);
			exchange(AF_INET6, "::1", 3 * 1432, 1432, ecn);
		}
		exchange(AF_INET, "127.0.0.1", 200 * 96 + 1, 96, 0);
		exchange(AF_INET, "127.0.0.1", 32, 32, 0);
		exchange(AF_INET6, "::1", 9000, 9000, 1);
	}
}

/* The answer leaves from the address that was spoken to. */
static void test_source(void **state)
{
	(void)state;
	exchange(AF_INET, "127.9.8.7", 5000, 1000, 0);
}

/* An address that is not ours (any more) is forgotten. */
static void test_source_gone(void **state)
{
	struct endpoint to = at(AF_INET, "127.0.0.1", port_b), from;

	(void)state;
	to.src4.s_addr = htonl(0xc0000201); /* 192.0.2.1 */
	to.src_ifindex = 1;
	assert_int_equal(udp_send(&a, &to, 0, (const uint8_t *)"four", 4, 4, NULL), 0);
	assert_int_equal(to.src4.s_addr, 0);
	assert_int_equal(to.src_ifindex, 0);
	from = receive(b.fd4, (const uint8_t *)"four", 4, 4, 0);
	assert_int_equal(ntohs(from.in.sin_port), port_a);
}

/* Longer than UDP carries, in an interface with such an MTU: lost alone, and nothing goes on for ever. */
static void test_too_long(void **state)
{
	struct endpoint to = at(AF_INET, "127.0.0.1", port_b);
	static uint8_t three[2 * 65520 + 65440];
	size_t sent = 0;

	(void)state;
	assert_int_equal(udp_send(&a, &to, 0, three, sizeof(three), 65520, &sent), -EMSGSIZE);
	assert_int_equal(sent, sizeof(three));
	assert_true(a.gso);
	(void)receive(b.fd4, three, 65440, 65440, 0);
}

static void test_ports(void **state)
{
	struct udp workers[3], other;
	uint16_t port = 0, same;

	(void)state;
	assert_int_equal(udp_open(&port, 0, workers, 3), 0);
	assert_true(port);
	/* Workers share; another device does not. */
	same = port;
	assert_int_equal(udp_open(&same, 0, &other, 1), -EADDRINUSE);
	udp_close(workers, 3);
	assert_int_equal(workers[2].fd4, -1);
	assert_int_equal(udp_open(&same, 0, &other, 1), 0);
	assert_int_equal(same, port);
	udp_close(&other, 1);
}

static void test_endpoints(void **state)
{
	struct endpoint x = at(AF_INET, "192.0.2.1", 5), y = x;

	(void)state;
	assert_true(endpoint_equal(&x, &y));
	y.src4.s_addr = 1;
	assert_false(endpoint_equal(&x, &y));
	endpoint_clear_src(&y);
	assert_true(endpoint_equal(&x, &y));
	y.in.sin_port = htons(6);
	assert_false(endpoint_equal(&x, &y));
	y = at(AF_INET6, "2001:db8::1", 5);
	assert_false(endpoint_equal(&x, &y));
	x = y;
	assert_true(endpoint_equal(&x, &y));
	x.in6.sin6_scope_id = 3;
	assert_false(endpoint_equal(&x, &y));
}

static void test_buffers(void **state)
{
	enum buffers_kind kind;
	uint8_t *p;

	(void)state;
	for (size_t size = 1; size < 9u << 20; size *= 3) {
		p = buffers_map(size, &kind);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p & ((2u << 20) - 1), 0);
		assert_true(kind <= BUFFERS_SMALL && !p[0] && !p[size - 1]);
		memset(p, 1, size);
		buffers_unmap(p, size);
	}
	buffers_unmap(NULL, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_segments, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_long, setup, teardown),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_buffers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
