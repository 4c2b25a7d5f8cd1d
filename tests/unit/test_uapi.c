/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The UAPI's texts without an engine: what is read from an answer, what differs from the wanted
 * tunnel, and the request that says so. Engines themselves are in tests/netns/test_wireguard.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wireguard.h"
#include "wireguard_device.h"

#define HEX_OWN "e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a"
#define HEX_PEER "b85996fecc9c7f1fc6d2572a76eda11d59bcd20be8e543b15ce4bd85a8e75a33"
#define HEX_MORE "58402e695ba1772b1cc9309755f043251ea77fdcf10fbe63989ceb7e19321376"
#define HEX_PSK "188515093e952f5f22e865cef3012e72f8b5f0b598ac0309d5dacce3b70fcf52"
#define HEX_ZERO "0000000000000000000000000000000000000000000000000000000000000000"
#define END "errno=0\n\n"
#define DEVICE "private_key=" HEX_OWN "\nlisten_port=16387\n"
#define PEER                                                                                     \
	"public_key=" HEX_PEER "\npreshared_key=" HEX_ZERO                                       \
	"\nprotocol_version=1\nendpoint=203.0.113.9:16385\nlast_handshake_time_sec=1700000000\n" \
	"last_handshake_time_nsec=5\ntx_bytes=38333\nrx_bytes=2224\n"                            \
	"persistent_keepalive_interval=25\nallowed_ip=0.0.0.0/0\nallowed_ip=::/0\n"
#define OTHER "public_key=" HEX_MORE "\nprotocol_version=1\nallowed_ip=10.0.0.0/8\n"

static struct key key_hex(const char *hex)
{
	struct key key;

	for (size_t i = 0; i < KEY_LEN; i++) {
		unsigned int byte;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		key.bytes[i] = (uint8_t)byte;
	}
	return key;
}

static struct ip_addr addr_of(const char *text)
{
	struct ip_addr addr;

	assert_int_equal(ip_addr_parse(text, &addr), 0);
	return addr;
}

static struct state_tunnel wanted(void)
{
	return (struct state_tunnel){
		.ifname = "np3",
		.engine = STATE_ENGINE_USER,
		.listen_port = 16387,
		.endpoint_port = 16385,
		.keepalive_s = 25,
		.endpoint = addr_of("203.0.113.9"),
		.private_key = key_hex(HEX_OWN),
		.peer_key = key_hex(HEX_PEER),
		.allowed_all = true,
	};
}

/* From the heap and without a terminator, so that a sanitizer sees any read beyond the end. */
static int parse(const char *text, size_t len, struct state_tunnel *tunnel,
		 struct wireguard_stats *stats)
{
	char *copy = malloc(len ? len : 1);
	int ret;

	assert_non_null(copy);
	memcpy(copy, text, len);
	ret = wireguard_uapi_parse(copy, len, tunnel, stats);
	free(copy);
	return ret;
}

static void assert_tunnel_equal(const struct state_tunnel *a, const struct state_tunnel *b)
{
	assert_string_equal(a->ifname, b->ifname);
	assert_int_equal(a->listen_port, b->listen_port);
	assert_int_equal(a->endpoint_port, b->endpoint_port);
	assert_int_equal(a->keepalive_s, b->keepalive_s);
	assert_int_equal(ip_addr_compare(&a->endpoint, &b->endpoint), 0);
	assert_true(key_equal(&a->private_key, &b->private_key));
	assert_true(key_equal(&a->peer_key, &b->peer_key));
	assert_int_equal(a->allowed_all, b->allowed_all);
	assert_int_equal(a->allowed_link, b->allowed_link);
}

static void test_parse(void **state)
{
	struct state_tunnel tunnel = { .ifname = "np3", .peer_id = 3, .up = true, .mtu = 1420 };
	struct state_tunnel expect = wanted();
	struct wireguard_stats stats;

	(void)state;
	assert_int_equal(parse(DEVICE PEER END, strlen(DEVICE PEER END), &tunnel, &stats), 0);
	assert_tunnel_equal(&tunnel, &expect);
	assert_int_equal(tunnel.peer_id, 3); /* not WireGuard's */
	assert_true(tunnel.up);
	assert_int_equal(tunnel.mtu, 1420);
	assert_int_equal(stats.last_handshake_s, 1700000000);
	assert_int_equal(stats.rx_bytes, 2224);
	assert_int_equal(stats.tx_bytes, 38333);
	assert_int_equal(ip_addr_compare(&stats.endpoint, &expect.endpoint), 0);
	assert_int_equal(stats.endpoint_port, 16385);
	assert_int_equal(parse(DEVICE PEER END, strlen(DEVICE PEER END), &tunnel, NULL), 0);
}

/* What was in the struct before does not show through. */
static void test_parse_resets(void **state)
{
	struct state_tunnel tunnel = wanted(), empty = { .ifname = "np3" };
	struct wireguard_stats stats, none = { 0 };

	(void)state;
	memset(&stats, 0x5a, sizeof(stats));
	assert_int_equal(parse(END, strlen(END), &tunnel, &stats), 0);
	assert_tunnel_equal(&tunnel, &empty);
	assert_int_equal(stats.last_handshake_s, none.last_handshake_s);
	assert_int_equal(stats.rx_bytes, 0);
	assert_int_equal(stats.endpoint.family, IP_NONE);

	/* Two peers: which one would be meant? */
	tunnel = wanted();
	assert_int_equal(
		parse(DEVICE PEER OTHER END, strlen(DEVICE PEER OTHER END), &tunnel, &stats), 0);
	assert_true(key_is_zero(&tunnel.peer_key));
	assert_int_equal(tunnel.endpoint.family, IP_NONE);
	assert_false(tunnel.allowed_all);
	assert_int_equal(tunnel.listen_port, 16387);
	assert_int_equal(stats.rx_bytes, 0);
}

static void test_parse_allowed(void **state)
{
	static const struct {
		const char *text;
		bool all;
	} table[] = {
		{ "allowed_ip=0.0.0.0/0\nallowed_ip=::/0\n", true },
		{ "allowed_ip=::/0\nallowed_ip=0.0.0.0/0\n", true },
		{ "allowed_ip=0.0.0.0/0\n", false },
		{ "allowed_ip=::/0\n", false },
		{ "", false },
		{ "allowed_ip=0.0.0.0/0\nallowed_ip=::/0\nallowed_ip=10.0.0.0/8\n", false },
		{ "allowed_ip=fd00::/8\nallowed_ip=0.0.0.0/0\nallowed_ip=::/0\n", false },
		{ "allowed_ip=0.0.0.0/0\nallowed_ip=::/0\npreshared_key=" HEX_PSK "\n", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct state_tunnel tunnel = { 0 };
		char text[512];

		snprintf(text, sizeof(text), "public_key=" HEX_PEER "\n%s" END, table[i].text);
		assert_int_equal(parse(text, strlen(text), &tunnel, NULL), 0);
		assert_int_equal(tunnel.allowed_all, table[i].all);
		snprintf(text, sizeof(text), "fwmark=1\npublic_key=" HEX_PEER "\n%s" END,
			 table[i].text);
		assert_int_equal(parse(text, strlen(text), &tunnel, NULL), 0);
		assert_false(tunnel.allowed_all);
	}
}

/* To the partner: its link-local address and nothing else. */
static void test_parse_allowed_link(void **state)
{
	static const struct {
		const char *text;
		bool link;
	} table[] = {
		{ "allowed_ip=fe80::12c/128\n", true },
		{ "allowed_ip=fe80::12c/128\nallowed_ip=fe80::12c/128\n", true },
		{ "allowed_ip=fe80::12d/128\n", false },
		{ "allowed_ip=fe80::12c/128\nallowed_ip=fe80::12d/128\n", false },
		{ "allowed_ip=fe80::12c/128\nallowed_ip=0.0.0.0/0\n", false },
		{ "allowed_ip=fe80::12c/128\nallowed_ip=::/0\n", false },
		{ "allowed_ip=fe80::/64\n", false },
		{ "allowed_ip=fe80::1:12c/128\n", false },
		{ "allowed_ip=fe80::/128\n", false },
		{ "allowed_ip=1.44.0.0/16\n", false },
		{ "allowed_ip=0.0.0.0/0\nallowed_ip=::/0\n", false },
		{ "allowed_ip=fe80::12c/128\npreshared_key=" HEX_PSK "\n", false },
		{ "", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct state_tunnel tunnel = { .peer_id = 300 };
		char text[512];

		snprintf(text, sizeof(text), "public_key=" HEX_PEER "\n%s" END, table[i].text);
		assert_int_equal(parse(text, strlen(text), &tunnel, NULL), 0);
		assert_int_equal(tunnel.allowed_link, table[i].link);
		assert_false(tunnel.allowed_all && tunnel.allowed_link);
		tunnel.peer_id = 0;
		assert_int_equal(parse(text, strlen(text), &tunnel, NULL), 0);
		assert_false(tunnel.allowed_link);
	}
}

static void test_parse_endpoints(void **state)
{
	static const struct {
		const char *text, *addr;
		uint16_t port;
	} good[] = {
		{ "[2001:db8::9]:16385", "2001:db8::9", 16385 },
		{ "[fe80::1%eth0]:1", "fe80::1", 1 },
		{ "[::ffff:203.0.113.9]:65535", "203.0.113.9", 65535 },
		{ "0.0.0.0:0", "0.0.0.0", 0 },
	};
	static const char *const bad[] = {
		"",
		":",
		":16385",
		"203.0.113.9",
		"203.0.113.9:",
		"203.0.113.9:x",
		"203.0.113.9:-1",
		"203.0.113.9:65536",
		"[203.0.113.9]:1",
		"2001:db8::9:1",
		"[2001:db8::9]",
		"[2001:db8::9]1",
		"[]:1",
		"[:1",
		"]:1",
		"[%eth0]:1",
		"example.com:1",
		"203.0.113.9 :1",
		"203.0.113.9:1 ",
		"203.0.113.9%lo:1",
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct state_tunnel tunnel = { 0 };
		struct ip_addr addr = addr_of(good[i].addr);

		snprintf(text, sizeof(text), "public_key=" HEX_PEER "\nendpoint=%s\n" END,
			 good[i].text);
		assert_int_equal(parse(text, strlen(text), &tunnel, NULL), 0);
		assert_int_equal(ip_addr_compare(&tunnel.endpoint, &addr), 0);
		assert_int_equal(tunnel.endpoint_port, good[i].port);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct state_tunnel tunnel = { 0 };

		snprintf(text, sizeof(text), "public_key=" HEX_PEER "\nendpoint=%s\n" END, bad[i]);
		if (parse(text, strlen(text), &tunnel, NULL) != -EBADMSG)
			fail_msg("accepted: %s", bad[i]);
	}
}

static void test_parse_unknown(void **state)
{
	static const char text[] =
		"new_device_word=\n" DEVICE "x=y\n" PEER "new_peer_word=a=b=c\n" END;
	struct state_tunnel tunnel = { .ifname = "np3" }, expect = wanted();

	(void)state;
	assert_int_equal(parse(text, strlen(text), &tunnel, NULL), 0);
	assert_tunnel_equal(&tunnel, &expect);
}

static void test_parse_errno(void **state)
{
	static const struct {
		const char *text;
		int ret;
	} table[] = {
		{ "errno=0\n\n", 0 },
		{ "errno=2\n\n", -2 },
		{ "errno=-98\n\n", -98 }, /* as wireguard-go writes it */
		{ DEVICE "errno=1\n\n", -1 },
		{ "errno=4095\n\n", -4095 },
		{ "errno=4096\n\n", -EBADMSG },
		{ "errno=\n\n", -EBADMSG },
		{ "errno=-\n\n", -EBADMSG },
		{ "errno=--1\n\n", -EBADMSG },
		{ "errno=+1\n\n", -EBADMSG },
		{ "errno=1x\n\n", -EBADMSG },
		{ "errno=18446744073709551617\n\n", -EBADMSG },
		{ "errno=0", -EBADMSG },
		{ "errno=0\n", -EBADMSG },
		{ "errno=0\n\n\n", -EBADMSG },
		{ "errno=0\n\nx", -EBADMSG },
		{ "errno=0\nx=y\n\n", -EBADMSG },
		{ "errno=0\nerrno=0\n\n", -EBADMSG },
		{ "\n", -EBADMSG },
		{ "\n\n", -EBADMSG },
		{ "", -EBADMSG },
		{ DEVICE PEER "\n", -EBADMSG },
		{ DEVICE PEER, -EBADMSG },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct state_tunnel tunnel = wanted(), before = tunnel;
		struct wireguard_stats stats = { .rx_bytes = 77 };

		assert_int_equal(parse(table[i].text, strlen(table[i].text), &tunnel, &stats),
				 table[i].ret);
		if (table[i].ret) { /* untouched on failure */
			assert_memory_equal(&tunnel, &before, sizeof(tunnel));
			assert_int_equal(stats.rx_bytes, 77);
		}
	}
}

static void test_parse_bad(void **state)
{
	static const char *const bad[] = {
		"x\n" END,
		"=1\n" END,
		"private_key=\n" END,
		"private_key=12\n" END,
		"private_key=" HEX_OWN "0\n" END,
		"private_key=g84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a\n" END,
		"private_key=e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027 \n" END,
		"public_key=12\n" END,
		"listen_port=65536\n" END,
		"listen_port=-1\n" END,
		"listen_port= 1\n" END,
		"listen_port=0x10\n" END,
		"listen_port=\n" END,
		"fwmark=4294967296\n" END,
		/* A peer's words before a peer, the device's after one. */
		"endpoint=203.0.113.9:1\n" END,
		"allowed_ip=::/0\n" END,
		"rx_bytes=1\n" END,
		"public_key=" HEX_PEER "\nlisten_port=1\n" END,
		"public_key=" HEX_PEER "\nprivate_key=" HEX_OWN "\n" END,
		"public_key=" HEX_PEER "\nprotocol_version=2\n" END,
		"public_key=" HEX_PEER "\nprotocol_version=\n" END,
		"public_key=" HEX_PEER "\nallowed_ip=10.0.0.0\n" END,
		"public_key=" HEX_PEER "\nallowed_ip=10.0.0.0/33\n" END,
		"public_key=" HEX_PEER "\nallowed_ip=0.0.0.0/\n" END,
		"public_key=" HEX_PEER "\nrx_bytes=18446744073709551616\n" END,
		"public_key=" HEX_PEER "\nlast_handshake_time_sec=9223372036854775808\n" END,
		"public_key=" HEX_PEER "\npersistent_keepalive_interval=65536\n" END,
		"public_key=" HEX_PEER "\npreshared_key=0\n" END,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct state_tunnel tunnel = wanted(), before = tunnel;

		if (parse(bad[i], strlen(bad[i]), &tunnel, NULL) != -EBADMSG)
			fail_msg("accepted: %s", bad[i]);
		assert_memory_equal(&tunnel, &before, sizeof(tunnel));
	}
}

/* No beginning of an answer is an answer. */
static void test_parse_truncated(void **state)
{
	static const char text[] = DEVICE PEER END;
	struct state_tunnel tunnel = { 0 };

	(void)state;
	for (size_t len = 0; len < strlen(text); len++)
		assert_int_equal(parse(text, len, &tunnel, NULL), -EBADMSG);
	/* "\0public_key" is another word, and what follows has no peer then. */
	assert_int_equal(parse(DEVICE "\0" PEER END, sizeof(DEVICE PEER END), &tunnel, NULL),
			 -EBADMSG);
	assert_int_equal(parse("fwmark=1\0\n" END, strlen(END) + 10, &tunnel, NULL), -EBADMSG);
}

static void test_parse_limits(void **state)
{
	static const char text[] =
		"fwmark=4294967295\nlisten_port=65535\npublic_key=" HEX_PEER
		"\nrx_bytes=18446744073709551615\nlast_handshake_time_sec=9223372036854775807\n" END;
	struct state_tunnel tunnel = { 0 };
	struct wireguard_stats stats;

	(void)state;
	assert_int_equal(parse(text, strlen(text), &tunnel, &stats), 0);
	assert_int_equal(tunnel.listen_port, 65535);
	assert_true(stats.rx_bytes == UINT64_MAX);
	assert_true(stats.last_handshake_s == INT64_MAX);
}

/* The request that turns the device of an answer into the wanted tunnel; "" if nothing differs. */
static char *request_for(const char *answer, const struct state_tunnel *tunnel)
{
	struct wireguard_device device;
	struct wireguard_change change;
	char *text;

	assert_int_equal(wireguard_uapi_scan(answer, strlen(answer), &device), 0);
	change = wireguard_device_compare(&device, tunnel);
	text = change.any ? wireguard_uapi_format(&device, tunnel, &change) : calloc(1, 1);
	assert_non_null(text);
	wireguard_device_fini(&device);
	return text;
}

static void assert_request(const char *answer, const struct state_tunnel *tunnel,
			   const char *expect)
{
	char *text = request_for(answer, tunnel);

	assert_string_equal(text, expect);
	free(text);
}

#define PEER_KEY "public_key=" HEX_PEER "\n"
#define UPDATE PEER_KEY "update_only=true\n"
#define REMOVAL "public_key=" HEX_MORE "\nupdate_only=true\nremove=true\n"
#define ALLOWED "allowed_ip=0.0.0.0/0\nallowed_ip=::/0\n"

static void test_request(void **state)
{
	struct state_tunnel tunnel = wanted();

	(void)state;
	/* Nothing differs: nothing is asked. */
	assert_request(DEVICE PEER END, &tunnel, "");
	/* A new engine. */
	assert_request(END, &tunnel,
		       "set=1\n" DEVICE PEER_KEY
		       "endpoint=203.0.113.9:16385\npersistent_keepalive_interval=25\n" ALLOWED
		       "\n");
	/* AllowedIPs that are right stay in place; a missing one is added without a gap. */
	assert_request(DEVICE PEER_KEY "endpoint=203.0.113.9:16385\n"
				       "persistent_keepalive_interval=25\nallowed_ip=::/0\n" END,
		       &tunnel, "set=1\n" UPDATE ALLOWED "\n");
	assert_request(DEVICE PEER "allowed_ip=10.0.0.0/8\n" END, &tunnel,
		       "set=1\n" UPDATE "replace_allowed_ips=true\n" ALLOWED "\n");
	/* Strangers go, ours first takes over what they had. */
	assert_request(DEVICE OTHER PEER END, &tunnel, "set=1\n" REMOVAL "\n");
	assert_request(
		DEVICE OTHER END, &tunnel,
		"set=1\n" PEER_KEY
		"endpoint=203.0.113.9:16385\npersistent_keepalive_interval=25\n" ALLOWED REMOVAL
		"\n");
	/* A preshared key and a mark are not ours. */
	assert_request("fwmark=7\n" DEVICE PEER "preshared_key=" HEX_PSK "\n" END, &tunnel,
		       "set=1\nfwmark=0\n" UPDATE "preshared_key=" HEX_ZERO "\n\n");

	tunnel.listen_port = 20000;
	assert_request(DEVICE PEER END, &tunnel, "set=1\nlisten_port=20000\n\n");
	tunnel = wanted();
	tunnel.endpoint = addr_of("2001:db8::9");
	assert_request(DEVICE PEER END, &tunnel,
		       "set=1\n" UPDATE "endpoint=[2001:db8::9]:16385\n\n");
	tunnel = wanted();
	tunnel.endpoint_port = 1;
	assert_request(DEVICE PEER END, &tunnel, "set=1\n" UPDATE "endpoint=203.0.113.9:1\n\n");
	tunnel.endpoint.family = IP_NONE;
	assert_request(DEVICE PEER END, &tunnel, "");
	tunnel = wanted();
	tunnel.keepalive_s = 0;
	assert_request(DEVICE PEER END, &tunnel,
		       "set=1\n" UPDATE "persistent_keepalive_interval=0\n\n");
	tunnel = wanted();
	tunnel.private_key = key_hex(HEX_MORE);
	assert_request(DEVICE PEER END, &tunnel, "set=1\nprivate_key=" HEX_MORE "\n\n");

	/* To the partner, also where it was another site's gateway before, and the other way round. */
	tunnel = wanted();
	tunnel.allowed_all = false;
	tunnel.allowed_link = true;
	tunnel.peer_id = 300;
	assert_request(DEVICE PEER END, &tunnel,
		       "set=1\n" UPDATE "replace_allowed_ips=true\nallowed_ip=fe80::12c/128\n\n");
	tunnel.allowed_link = false;
	tunnel.allowed_all = true;
	assert_request(DEVICE PEER "allowed_ip=fe80::12c/128\n" END, &tunnel,
		       "set=1\n" UPDATE "replace_allowed_ips=true\n" ALLOWED "\n");
}

/* Thousands of strangers, and the longest of everything: the room is enough. */
static void test_request_long(void **state)
{
	struct state_tunnel tunnel = wanted();
	struct wireguard_device device = { .fwmark = 1 };
	struct wireguard_change change;
	struct wireguard_peer *peer;
	char *text;

	(void)state;
	tunnel.listen_port = tunnel.endpoint_port = tunnel.keepalive_s = 65535;
	tunnel.endpoint = addr_of("2001:db8:1111:2222:3333:4444:5555:6666");
	peer = wireguard_device_add(&device);
	peer->public_key = tunnel.peer_key;
	peer->preshared = peer->allowed_other = true;
	for (unsigned int i = 0; i < 5000; i++) {
		peer = wireguard_device_add(&device);
		memcpy(peer->public_key.bytes, &i, sizeof(i));
	}
	change = wireguard_device_compare(&device, &tunnel);
	assert_int_equal(change.removals, 5000);
	text = wireguard_uapi_format(&device, &tunnel, &change);
	assert_non_null(text);
	assert_string_equal(text + strlen(text) - 14, "\nremove=true\n\n");
	free(text);
	wireguard_device_fini(&device);
}

static void test_broken(void **state)
{
	struct state_tunnel tunnel = wanted();

	(void)state;
	tunnel.engine = STATE_ENGINE_BROKEN;
	assert_int_equal(wireguard_read(&tunnel, NULL), -ENODEV);
	assert_int_equal(wireguard_apply(&tunnel), -ENODEV);
	tunnel = wanted();
	memset(&tunnel.peer_key, 0, sizeof(tunnel.peer_key));
	assert_int_equal(wireguard_apply(&tunnel), -EINVAL);
	tunnel = wanted();
	snprintf(tunnel.ifname, sizeof(tunnel.ifname), "npnone");
	assert_int_equal(wireguard_read(&tunnel, NULL), -ENODEV);
	assert_int_equal(wireguard_uapi_owner("npnone"), -ENODEV);
	assert_int_equal(wireguard_uapi_owner("../../etc"), -ENODEV);
	assert_int_equal(wireguard_uapi_owner(""), -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),		cmocka_unit_test(test_parse_resets),
		cmocka_unit_test(test_parse_allowed),	cmocka_unit_test(test_parse_allowed_link),
		cmocka_unit_test(test_parse_endpoints), cmocka_unit_test(test_parse_unknown),
		cmocka_unit_test(test_parse_errno),	cmocka_unit_test(test_parse_bad),
		cmocka_unit_test(test_parse_truncated), cmocka_unit_test(test_parse_limits),
		cmocka_unit_test(test_request),		cmocka_unit_test(test_request_long),
		cmocka_unit_test(test_broken),
	};

	return cmocka_run_group_tests_name("uapi", tests, NULL, NULL);
}
