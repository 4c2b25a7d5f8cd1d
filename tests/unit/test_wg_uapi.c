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

#include "engine/device.h"
#include "engine/uapi.h"

#define KEY "e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a"

static int parse(const char *text, struct uapi_set *set)
{
	return uapi_set_parse(text, strlen(text), set);
}

static void a_whole_set(void **state)
{
	struct uapi_set set;

	(void)state;
	assert_int_equal(parse("private_key=" KEY
			       "\nlisten_port=12912\nfwmark=0\nreplace_peers=true\n"
			       "public_key=" KEY "\npreshared_key=" KEY
			       "\nendpoint=[abcd:23::33%2]:51820\nreplace_allowed_ips=true\n"
			       "allowed_ip=192.168.4.4/32\nallowed_ip=-2001:db8::/33\n"
			       "persistent_keepalive_interval=111\nprotocol_version=1\n"
			       "public_key=" KEY "\nremove=true\nupdate_only=true\n"
			       "endpoint=182.122.22.19:3233\nallowed_ip=0.0.0.0/0\n",
			       &set),
			 0);
	assert_true(set.has_private_key && set.private_key[0] == 0xe8 &&
		    set.private_key[31] == 0x7a);
	assert_true(set.has_port && set.port == 12912);
	assert_true(set.has_fwmark && set.fwmark == 0 && set.replace_peers);
	assert_int_equal(set.n_peers, 2);
	assert_int_equal(set.n_ips, 3);
	assert_true(set.peers[0].has_psk && set.peers[0].psk[1] == 0x4b);
	assert_int_equal(set.peers[0].endpoint.in6.sin6_scope_id, 2);
	assert_int_equal(ntohs(set.peers[0].endpoint.in6.sin6_port), 51820);
	assert_int_equal(set.peers[0].persistent_s, 111);
	assert_int_equal(set.peers[0].n_ips, 2);
	assert_false(set.ips[0].remove);
	assert_true(set.ips[1].remove && set.ips[1].ip.cidr == 33);
	assert_true(set.peers[1].remove && set.peers[1].update_only);
	assert_int_equal(set.peers[1].first_ip, 2);
	assert_int_equal(set.peers[1].endpoint.sa.sa_family, AF_INET);
	uapi_set_fini(&set);
	assert_int_equal(parse("", &set), 0);
	uapi_set_fini(&set);
	assert_int_equal(parse("fwmark=0xfF\n", &set), 0);
	assert_int_equal(set.fwmark, 255);
	uapi_set_fini(&set);
}

static void lines_that_are_refused(void **state)
{
	static const struct {
		const char *text;
		int rc;
	} cases[] = {
		{ "nonsense\n", -EPROTO },
		{ "\n", -EPROTO },
		{ "nonsense=1\n", -EPROTO },
		{ "private_key=12\n", -EINVAL },
		{ "private_key=" KEY "0\n", -EINVAL },
		{ "listen_port=\n", -EINVAL },
		{ "listen_port=65536\n", -EINVAL },
		{ "listen_port=-1\n", -EINVAL },
		{ "fwmark=4294967296\n", -EINVAL },
		{ "fwmark=0x\n", -EINVAL },
		{ "fwmark=0x123456789\n", -EINVAL },
		{ "replace_peers=false\n", -EINVAL },
		{ "endpoint=1.2.3.4:5\n", -EPROTO },
		{ "public_key=xx\n", -EINVAL },
		{ "public_key=" KEY "\nprivate_key=" KEY "\n", -EPROTO },
		{ "public_key=" KEY "\nremove=1\n", -EINVAL },
		{ "public_key=" KEY "\nendpoint=1.2.3.4\n", -EINVAL },
		{ "public_key=" KEY "\nendpoint=1.2.3:4\n", -EINVAL },
		{ "public_key=" KEY "\nendpoint=:4\n", -EINVAL },
		{ "public_key=" KEY "\nendpoint=[:4\n", -EINVAL },
		{ "public_key=" KEY "\nendpoint=[]:4\n", -EINVAL },
		{ "public_key=" KEY "\nendpoint=[::1]:\n", -EINVAL },
		{ "public_key=" KEY "\nendpoint=[::1%]:4\n", -EINVAL },
		{ "public_key=" KEY "\nendpoint=example.net:4\n", -EINVAL },
		{ "public_key=" KEY "\nallowed_ip=1.2.3.4/33\n", -EINVAL },
		{ "public_key=" KEY "\nallowed_ip=::/129\n", -EINVAL },
		{ "public_key=" KEY "\nallowed_ip=/0\n", -EINVAL },
		{ "public_key=" KEY "\npersistent_keepalive_interval=65536\n", -EINVAL },
		{ "public_key=" KEY "\nprotocol_version=2\n", -EINVAL },
	};
	struct uapi_set set;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (parse(cases[i].text, &set) != cases[i].rc)
			fail_msg("%s", cases[i].text);
}

/* What is printed is understood again, by wg(8) and here. */
static void the_answer_to_get(void **state)
{
	struct device *device = calloc(1, sizeof(*device));
	struct peer *peer;
	struct allowed_ips *ips = allowed_ips_new();
	struct peer_endpoint endpoint = { 0 };
	static const uint8_t key[32] = { 1, 2, 3 };
	struct allowed_ip ip = { .family = ALLOWED_V6, .cidr = 64, .address = { 0xfd, 8 } };
	struct text text = { 0 };

	(void)state;
	assert_non_null(device);
	atomic_store(&device->allowed_ips, ips);
	assert_int_equal(uapi_format(device, &text), 0);
	assert_int_equal(text.used, 0);
	peer = peer_new(device, key);
	assert_non_null(peer);
	device->port = 51820;
	device->fwmark = 7;
	noise_identity_set(&device->identity, key);
	device->peers = peer;
	endpoint.endpoint.in6.sin6_family = AF_INET6;
	endpoint.endpoint.in6.sin6_port = htons(99);
	endpoint.endpoint.in6.sin6_addr.s6_addr[0] = 0xfe;
	endpoint.endpoint.in6.sin6_addr.s6_addr[1] = 0x80;
	endpoint.endpoint.in6.sin6_scope_id = 3;
	atomic_store(&peer->endpoint, &endpoint);
	atomic_store(&peer->rx_bytes, 1ULL << 40);
	assert_int_equal(allowed_ips_insert(ips, &ip, peer), 0);
	assert_int_equal(uapi_format(device, &text), 0);
	assert_int_equal(text_append(&text, "", 1), 0);
	assert_int_equal(text.used, strlen(text.bytes) + 1);
	assert_non_null(strstr(text.bytes, "listen_port=51820\nfwmark=7\npublic_key=010203"));
	assert_non_null(strstr(text.bytes, "\nprotocol_version=1\nendpoint=[fe80::%3]:99\n"));
	assert_non_null(strstr(text.bytes, "\ntx_bytes=0\nrx_bytes=1099511627776\n"));
	assert_non_null(strstr(text.bytes, "\nallowed_ip=fd08::/64\n"));
	text_free(&text);
	atomic_store(&peer->endpoint, NULL);
	peer_free(peer);
	allowed_ips_free(ips);
	free(device);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_set),
		cmocka_unit_test(lines_that_are_refused),
		cmocka_unit_test(the_answer_to_get),
	};

	return cmocka_run_group_tests_name("wg_uapi", tests, NULL, NULL);
}
