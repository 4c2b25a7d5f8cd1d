/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "provision_netconfig.h"

static const struct provision_nic nics[] = {
	{ .name = "eth0", .mac = { 0x52, 0x54, 0, 0, 0, 1 } },
	{ .name = "eth1", .mac = { 0x52, 0x54, 0, 0, 0, 2 } },
};

/* What parsing returns; errors as printed go to *ret_said, for free(). */
static int parse(const char *text, struct provision_seed *seed, char **ret_said)
{
	struct diag_list *diags = diag_list_new();
	size_t len;
	FILE *out;
	int ret;

	assert_non_null(diags);
	ret = provision_netconfig_parse(text, strlen(text), nics, 2, diags, seed);
	assert_int_equal(!!ret, !!diag_count(diags));
	out = open_memstream(ret_said, &len);
	assert_non_null(out);
	diag_print(diags, out);
	fclose(out);
	diag_list_free(diags);
	return ret;
}

static void good(const char *text, struct provision_seed *seed)
{
	char *said;

	*seed = (struct provision_seed){ 0 };
	if (parse(text, seed, &said))
		fail_msg("%s", said);
	free(said);
}

static const char *address(const struct provision_addressing *addressing, size_t i,
			   char buf[static IP_ADDR_STRLEN])
{
	return ip_addr_format(&addressing->addresses[i].addr, buf);
}

static void test_version2(void **state)
{
	struct provision_seed seed;
	const struct provision_addressing *first = &seed.hints[0].addressing;
	char text[IP_ADDR_STRLEN];

	(void)state;
	good("version: 2\nrenderer: networkd\nethernets:\n"
	     "  wan:\n"
	     "    match: {macaddress: \"52:54:00:00:00:02\"}\n"
	     "    set-name: wan0\n"
	     "    dhcp4: false\n"
	     "    addresses: [192.0.2.10/28, \"2001:db8::a/64\"]\n"
	     "    gateway4: 192.0.2.1\n"
	     "    routes:\n"
	     "      - {to: default, via: \"fe80::1\", on-link: true}\n"
	     "      - {to: 10.0.0.0/8, via: 192.0.2.2, metric: 5}\n"
	     "    nameservers: {addresses: [192.0.2.53], search: [example.net]}\n"
	     "    mtu: 1400\n"
	     "  eth0: {dhcp4: true, dhcp6: no}\n",
	     &seed);
	assert_int_equal(seed.n_hints, 2);
	assert_int_equal(seed.hints[0].mac[5], 2);
	assert_false(first->dhcp);
	assert_int_equal(first->n_addresses, 2);
	assert_string_equal(address(first, 0, text), "192.0.2.10");
	assert_int_equal(first->addresses[0].len, 28);
	assert_int_equal(first->addresses[1].len, 64);
	assert_string_equal(ip_addr_format(&first->gateway4, text), "192.0.2.1");
	assert_string_equal(ip_addr_format(&first->gateway6, text), "fe80::1");
	assert_int_equal(first->n_routes, 1);
	assert_int_equal(first->routes[0].to.len, 8);
	assert_int_equal(first->n_dns, 1);
	assert_int_equal(first->mtu, 1400);
	assert_int_equal(seed.hints[1].mac[5], 1);
	assert_true(seed.hints[1].addressing.dhcp);
	/* Below "network"; an interface of which nothing is said has no hint. */
	good("network:\n  version: 2\n  ethernets: {eth0: {optional: true}, eth1: {dhcp6: true}}\n",
	     &seed);
	assert_int_equal(seed.n_hints, 1);
	assert_true(first->dhcp);
	good("{version: 2}", &seed);
	assert_int_equal(seed.n_hints, 0);
	good("version: 2\nethernets:\n", &seed);
}

static void test_version1(void **state)
{
	struct provision_seed seed;
	const struct provision_addressing *first = &seed.hints[0].addressing;
	char text[IP_ADDR_STRLEN];

	(void)state;
	/* As Proxmox writes it. */
	good("version: 1\nconfig:\n"
	     "    - type: physical\n"
	     "      name: eth0\n"
	     "      mac_address: '52:54:00:00:00:01'\n"
	     "      subnets:\n"
	     "      - type: static\n"
	     "        address: '192.0.2.10'\n"
	     "        netmask: '255.255.255.240'\n"
	     "        gateway: '192.0.2.1'\n"
	     "        routes:\n"
	     "        - {network: 10.0.0.0, netmask: 255.0.0.0, gateway: 192.0.2.2}\n"
	     "        - {destination: 10.9.0.0/16, gateway: 192.0.2.3}\n"
	     "        - {network: 0.0.0.0, netmask: 0.0.0.0, gateway: 192.0.2.1}\n"
	     "      - type: static6\n"
	     "        address: '2001:db8::a/64'\n"
	     "        gateway: '2001:db8::1'\n"
	     "    - type: physical\n"
	     "      name: eth1\n"
	     "      subnets: [{type: dhcp4, dns_nameservers: [198.51.100.1]}]\n"
	     "    - type: loopback\n"
	     "      name: lo\n"
	     "    - type: nameserver\n"
	     "      address: ['192.0.2.53', '2001:db8::53']\n"
	     "      search: [example.net]\n",
	     &seed);
	assert_int_equal(seed.n_hints, 2);
	assert_int_equal(first->n_addresses, 2);
	assert_int_equal(first->addresses[0].len, 28);
	assert_string_equal(ip_addr_format(&first->gateway6, text), "2001:db8::1");
	assert_int_equal(first->n_routes, 2);
	assert_int_equal(first->routes[0].to.len, 8);
	assert_int_equal(first->routes[1].to.len, 16);
	assert_int_equal(first->n_dns, 2);
	assert_true(seed.hints[1].addressing.dhcp);
	assert_int_equal(seed.hints[1].addressing.n_dns, 1);
}

/* As programs write it that have nothing to say. */
static void test_empty(void **state)
{
	struct provision_seed seed;

	(void)state;
	good("version: 1\nconfig:\n", &seed);
	good("version: 1\nconfig:\n- type: physical\n  name: eth0\n  subnets:\n"
	     "- type: nameserver\n  address:\n  search: ~\n",
	     &seed);
	assert_int_equal(seed.n_hints, 0);
}

/* Where, what, and what would be right. */
static void test_errors(void **state)
{
	static const struct {
		const char *text, *says[3];
	} cases[] = {
		{ "version: 3\n", { "network-config:1:10: error: " } },
		{ "ethernets: {eth0: {dhcp4: true}}\n", { "'version'" } },
		{ "version: 2\nethernets: [eth0]\n",
		  { ":2:12: error: 'ethernets' must be a mapping" } },
		{ "version: 2\nethernets: {eth7: {dhcp4: true}}\n",
		  { ":2:13: error: the machine has no interface 'eth7'",
		    "'netpas-provision nics' lists those that there are" } },
		{ "version: 2\nethernets:\n  a: {match: {macaddress: \"52:54:00:00:00:09\"}}\n",
		  { ":3:27: error: the machine has no interface '52:54:00:00:00:09'" } },
		{ "version: 2\nethernets:\n  a: {match: {macaddress: eth0}}\n",
		  { "is not a MAC address", "write it as" } },
		{ "version: 2\nethernets:\n  a: {match: {name: \"en*\"}}\n", { "is a pattern" } },
		{ "version: 2\nethernets:\n  eth0: {dhcp4: true}\n"
		  "  b: {match: {macaddress: \"52:54:00:00:00:01\"}, dhcp4: true}\n",
		  { ":4:3: error: interface eth0 is there twice" } },
		{ "version: 2\nethernets: {eth0: {addresses: [192.0.2.10]}}\n",
		  { "address '192.0.2.10' is none", "write address/length" } },
		{ "version: 2\nethernets: {eth0: {gateway4: \"fe80::1\"}}\n",
		  { "gateway4 is of the other family", "gateway6" } },
		{ "version: 2\nethernets: {eth0: {gateway4: 192.0.2.1, routes: [{to: default, via: "
		  "192.0.2.2}]}}\n",
		  { "a second default gateway" } },
		{ "version: 2\nethernets: {eth0: {routes: [{via: 192.0.2.2}]}}\n", { "'to'" } },
		{ "version: 2\nethernets: {eth0: {dhcp: true}}\n",
		  { "unknown word 'dhcp'", "dhcp4" } },
		{ "version: 2\nbonds: {b: {}}\n", { ":2:8: error: a gateway has no bonds" } },
		{ "version: 1\nconfig: [{type: vlan, name: v}]\n", { "physical" } },
		{ "version: 1\nconfig: [{type: physical, name: eth0, subnets: [{type: static}]}]\n",
		  { "a static subnet needs an address" } },
		{ "version: 1\nconfig: [{type: physical, name: eth0, subnets: [{type: static, "
		  "address: 192.0.2.1, netmask: 255.0.255.0}]}]\n",
		  { "address '192.0.2.1' is none", "or a netmask beside it" } },
		{ "version: 1\nconfig: [{type: physical, name: eth0, subnets: [{type: dhcp, "
		  "routes: [{gateway: 192.0.2.1}]}]}]\n",
		  { "the route has no destination", "or 'default'" } },
		{ "version: 1\nconfig: [{type: physical}]\n",
		  { "it is not said which interface this is" } },
		{ "version: [", { "network-config:2:1: error: " } },
	};
	struct provision_seed seed = { .n_hints = 1 };
	char *said;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (parse(cases[i].text, &seed, &said) != -EINVAL)
			fail_msg("taken: %s", cases[i].text);
		for (size_t k = 0; k < 3 && cases[i].says[k]; k++) {
			if (!strstr(said, cases[i].says[k]))
				fail_msg("no \"%s\" in:\n%s", cases[i].says[k], said);
		}
		/* Nothing of it is left. */
		assert_int_equal(seed.n_hints, 1);
		free(said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version2),
		cmocka_unit_test(test_version1),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
