/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "diag.h"
#include "provision_plan.h"

#define PRIVATE "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo="
#define PUBLIC "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
#define OTHER "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="

#define MESH                                                                              \
	"mesh:\n"                                                                         \
	"  sites:\n"                                                                      \
	"    - name: fra\n"                                                               \
	"      lan: {prefixes: [172.16.1.0/24, \"fd00:1::/64\"], vips: [172.16.1.254]}\n" \
	"      subnets: [10.1.0.0/16]\n"                                                  \
	"      gateways:\n"                                                               \
	"        - {name: fra-a, id: 1, public_key: " PUBLIC ",\n"                        \
	"           lan: [172.16.1.2, \"fd00:1::2\"], wan: [192.0.2.10, 192.0.2.11]}\n"   \
	"  relays:\n"                                                                     \
	"    - {name: pop, id: 9, public_key: " OTHER ", wan: [192.0.2.99]}\n"

static const struct provision_nic nics[] = {
	{ .name = "eth0", .mac = { 0x52, 0x54, 0, 0, 0, 1 }, .driver = "ena", .link = "up" },
	{ .name = "eth1", .mac = { 0x52, 0x54, 0, 0, 0, 2 }, .driver = "ena", .link = "up" },
	{ .name = "eth2", .mac = { 0x52, 0x54, 0, 0, 0, 3 }, .driver = "ena", .link = "up" },
};

struct run {
	struct provision_machine machine;
	struct provision_seed seed;
	struct provision_plan plan;
	char *errors; /* as printed */
	int ret;
};

static void run(struct run *run, const char *text)
{
	struct diag_list *diags = diag_list_new();
	struct provision_document *document = NULL;
	struct provision_part part = { .text = strdup(text), .len = strlen(text) };
	size_t len;
	FILE *out;

	assert_non_null(diags);
	assert_non_null(part.text);
	if (!run->machine.nics)
		run->machine = (struct provision_machine){ .nics = nics, .n_nics = 2 };
	run->ret = provision_document_parse(&part, diags, &document);
	if (!run->ret)
		run->ret =
			provision_plan_make(document, &run->seed, &run->machine, diags, &run->plan);
	out = open_memstream(&run->errors, &len);
	assert_non_null(out);
	diag_print(diags, out);
	fclose(out);
	provision_document_free(document);
	provision_part_fini(&part);
	diag_list_free(diags);
}

static void end(struct run *run)
{
	provision_plan_fini(&run->plan);
	provision_seed_fini(&run->seed);
	free(run->errors);
	*run = (struct run){ 0 };
}

static const char *file_text(const struct run *run, const char *path)
{
	for (size_t i = 0; i < run->plan.change.n_files; i++) {
		if (!strcmp(run->plan.change.files[i].path, path))
			return run->plan.change.files[i].text;
	}
	return NULL;
}

static void has(const struct run *run, const char *path, const char *text)
{
	const char *file = file_text(run, path);

	if (!file || !strstr(file, text))
		fail_msg("%s lacks '%s':\n%s", path, text, file ? file : "(no such file)");
}

static void has_not(const struct run *run, const char *path, const char *text)
{
	const char *file = file_text(run, path);

	assert_non_null(file);
	if (strstr(file, text))
		fail_msg("%s has '%s':\n%s", path, text, file);
}

static void test_defaults(void **state)
{
	struct run r = { 0 };

	(void)state;
	run(&r, "#netpas\nprivate_key: " PRIVATE "\nnode: {node: fra-a}\n" MESH);
	assert_string_equal(r.errors, "");
	assert_int_equal(r.ret, 0);
	assert_true(r.plan.configured);
	assert_false(r.plan.key_unknown);
	assert_string_equal(r.plan.hostname, "fra-a");
	has(&r, "hostname", "fra-a\n");
	has(&r, "netpas/private.key", PRIVATE "\n");
	has(&r, "netpas/node.yaml", "lan: eth1");
	has(&r, "netpas/node.yaml", "wan: [eth0]");
	has(&r, "netpas/mesh.yaml", "fra-a");
	has(&r, "network/20-lan.network", "Name=eth1\n");
	has(&r, "network/20-lan.network", "Address=172.16.1.2/24\n");
	has(&r, "network/20-lan.network", "Address=fd00:1::2/64\n");
	has(&r, "network/20-lan.network", "DHCP=no\n");
	has(&r, "network/30-wan1.network", "Name=eth0\n");
	has(&r, "network/30-wan1.network", "DHCP=yes\n");
	/* Of two addresses DHCP gives one. */
	has(&r, "network/30-wan1.network", "Address=192.0.2.11/32\n");
	assert_int_equal(r.plan.change.n_pins, 2);
	end(&r);
}

static void test_relay(void **state)
{
	struct run r = { .machine = { .nics = nics, .n_nics = 3 } };

	(void)state;
	run(&r, "#netpas\nnode: {node: pop}\n" MESH);
	assert_string_equal(r.errors, "");
	has(&r, "netpas/node.yaml", "wan: [eth0, eth1, eth2]");
	has(&r, "network/30-wan3.network", "RouteMetric=102\n");
	has_not(&r, "network/30-wan1.network", "Address=");
	assert_true(r.plan.key_unknown);
	assert_true(r.plan.key_made);
	end(&r);
}

static void test_static(void **state)
{
	struct run r = { .machine = { .nics = nics, .n_nics = 3 } };

	(void)state;
	run(&r, "#netpas\nhostname: gw.example.net\n"
		"interfaces: {lan: {order: 1}, wan: [{mac: \"52:54:00:00:00:03\"}, {name: eth1}]}\n"
		"network:\n  lan: {addresses: [172.16.1.9/25], routes: [{to: 10.9.0.0/16, via: "
		"172.16.1.1}], mtu: 9000}\n"
		"  wan:\n    - {addresses: [192.0.2.10/28], gateway: [192.0.2.1, \"fe80::1\"], "
		"dns: [192.0.2.53]}\n    - dhcp\n"
		"node: {node: fra-a}\n" MESH);
	assert_string_equal(r.errors, "");
	assert_string_equal(r.plan.hostname, "gw.example.net");
	has(&r, "netpas/node.yaml", "lan: eth0");
	has(&r, "netpas/node.yaml", "wan: [eth2, eth1]");
	has(&r, "network/20-lan.network", "Address=172.16.1.9/25\n");
	has(&r, "network/20-lan.network", "Destination=10.9.0.0/16\nGateway=172.16.1.1\n");
	has(&r, "network/20-lan.network", "MTUBytes=9000\n");
	has(&r, "network/30-wan1.network", "Gateway=192.0.2.1\n");
	has(&r, "network/30-wan1.network", "Gateway=fe80::1\n");
	has(&r, "network/30-wan1.network", "DNS=192.0.2.53\n");
	has_not(&r, "network/30-wan1.network", "[DHCPv4]");
	has(&r, "network/30-wan2.network", "RouteMetric=101\n");
	end(&r);
}

/* A lease on the LAN brings no default route, nor do the defaults. */
static void test_lan_route(void **state)
{
	struct run r = { 0 };

	(void)state;
	run(&r, "#netpas\nnetwork: {lan: dhcp}\nnode: {node: fra-a}\n" MESH);
	assert_string_equal(r.errors, "");
	has(&r, "network/20-lan.network", "UseGateway=no\nUseRoutes=no\n");
	has_not(&r, "network/20-lan.network", "RouteMetric");
	end(&r);
	/* An MTU alone is no other way to addresses. */
	run(&r, "#netpas\nnetwork: {lan: {mtu: 1400}}\nnode: {node: fra-a}\n" MESH);
	assert_string_equal(r.errors, "");
	has(&r, "network/20-lan.network", "MTUBytes=1400\n");
	has(&r, "network/20-lan.network", "Address=172.16.1.2/24\n");
	end(&r);
	r.seed.hints[0] = (struct provision_hint){ .mac = { 0x52, 0x54, 0, 0, 0, 2 } };
	r.seed.hints[0].addressing.given = true;
	r.seed.hints[0].addressing.gateway4 = (struct ip_addr){ IP_V4, { 192, 0, 2, 1 } };
	r.seed.n_hints = 1;
	run(&r, "#netpas\ninterfaces: {lan: {order: 2}, wan: [{order: 1}]}\n");
	assert_string_equal(r.errors, "");
	has_not(&r, "network/20-lan.network", "Gateway=192.0.2.1");
	assert_false(r.plan.configured);
	end(&r);
}

static void test_errors(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "#netpas\ninterfaces: {wan: [{mac: \"52:54:00:00:00:09\"}]}\n",
		  "user data:2:20: error: there is no interface 52:54:00:00:00:09 for the WAN" },
		{ "#netpas\ninterfaces: {wan: [{order: 7}]}\n",
		  "help: the machine has 1: eth0 52:54:00:00:00:01 ena, link up; 2: eth1" },
		{ "#netpas\ninterfaces: {lan: {order: 1}, wan: [{name: eth0}]}\n",
		  "error: this interface is the LAN's already" },
		{ "#netpas\ninterfaces: {wan: [{order: 1, name: eth0}]}\n",
		  "an interface is given by one of 'mac', 'order' and 'name'" },
		{ "#netpas\ninterfaces: {wan: [{order: 1}, {order: 1}]}\n",
		  "this interface is a WAN interface already" },
		{ "#netpas\nnetwork: {lan: {gateway: 172.16.1.1}}\n",
		  "there is no default route by the LAN" },
		{ "#netpas\nnetwork: {wan: {addresses: [192.0.2.1]}}\n",
		  "write address/length, such as 192.0.2.10/24" },
		{ "#netpas\nnetwork: {wan: {addresses: [127.0.0.1/8]}}\n",
		  "address 127.0.0.1 is a loopback address" },
		{ "#netpas\nnetwork: {wan: static}\n",
		  "'static' does not say how an interface gets addresses" },
		{ "#netpas\nnetwork: {wan: [dhcp, dhcp]}\nnode: {node: fra-a}\n" MESH,
		  "another number of WAN interfaces" },
		{ "#netpas\nnode: {node: fra-b}\n" MESH,
		  "user data:2:14: error: user data has no gateway or relay 'fra-b'" },
		{ "#netpas\nnode: {node: fra-a}\n", "'node' and 'mesh' come together" },
		{ "#netpas\nnode: {node: fra-a, interfaces: {lan: eth1, wan: [eth7]}}\n" MESH,
		  "there is no interface eth7 for the WAN" },
		{ "#netpas\ninterfaces: {wan: [{order: 1}]}\n"
		  "node: {node: pop, interfaces: {wan: [eth0]}}\n" MESH,
		  "'interfaces' are given twice" },
		{ "#netpas\nmesh: |\n  sites: []\nnode: {node: x}\n",
		  "'mesh' must be a mapping: the content of mesh.yaml" },
		{ "#netpas\nprivate_key: " OTHER "\nnode: {node: fra-a}\n" MESH,
		  "does not belong to the public key that the mesh has of this node" },
		{ "#netpas\nhostname: a_b\n", "hostname 'a_b' is none" },
		{ "#netpas\nhostnam: a\n", "did you mean 'hostname'?" },
		{ "#netpas\nssh_authorized_keys: [ssh-dss AAAA]\n", "this is no SSH public key" },
		{ "#netpas\n", "the file is empty" },
		{ "#netpas\n- a\n", "the document must be a mapping, not a list" },
		/* All of them at once, and those of the mesh too. */
		{ "#netpas\nhostname: a_b\nnode: {node: fra-a, interface: {}}\n" MESH "  mtu: 10\n",
		  "mtu 10 is out of range" },
	};
	struct run r = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		run(&r, cases[i].text);
		assert_int_equal(r.ret, -EINVAL);
		if (!strstr(r.errors, cases[i].error))
			fail_msg("case %zu, no '%s' in:\n%s", i, cases[i].error, r.errors);
		assert_null(strstr(r.errors, "rwJkqsXf7pR25"));
		assert_int_equal(r.plan.change.n_files, 0);
		end(&r);
	}
}

static void test_three_nics(void **state)
{
	struct run r = { .machine = { .nics = nics, .n_nics = 3 } };

	(void)state;
	run(&r, "#netpas\nnode: {node: fra-a}\n" MESH);
	assert_int_equal(r.ret, -EINVAL);
	assert_non_null(strstr(r.errors, "'interfaces' must say which interface is LAN"));
	assert_non_null(strstr(r.errors, "3: eth2 52:54:00:00:00:03 ena, link up"));
	end(&r);
}

/* The key on the box is the one that counts. */
static void test_box_key(void **state)
{
	struct run r = { 0 };
	struct key key;

	(void)state;
	assert_int_equal(key_parse(PRIVATE, &key), 0);
	r.machine = (struct provision_machine){ .nics = nics, .n_nics = 2, .private_key = &key };
	run(&r, "#netpas\nnode: {node: fra-a}\n" MESH);
	assert_string_equal(r.errors, "");
	assert_false(r.plan.key_unknown);
	assert_null(file_text(&r, "netpas/private.key"));
	end(&r);
	/* As long as nothing was made of it another one may be given. */
	r.machine = (struct provision_machine){ .nics = nics, .n_nics = 2, .private_key = &key };
	run(&r, "#netpas\nprivate_key: " OTHER "\n");
	assert_int_equal(r.ret, 0);
	assert_true(r.plan.key_replaced);
	assert_false(r.plan.key_made);
	has(&r, "netpas/private.key", OTHER "\n");
	end(&r);
	r.machine = (struct provision_machine){ .nics = nics, .n_nics = 2, .private_key = &key };
	run(&r, "#netpas\nprivate_key: " PRIVATE "\n");
	assert_int_equal(r.ret, 0);
	assert_false(r.plan.key_replaced);
	assert_null(file_text(&r, "netpas/private.key"));
	end(&r);
	r.machine = (struct provision_machine){
		.nics = nics, .n_nics = 2, .private_key = &key, .configured = true
	};
	run(&r, "#netpas\nprivate_key: " OTHER "\n");
	assert_int_equal(r.ret, -EINVAL);
	assert_non_null(strstr(r.errors, "this box has another key already"));
	assert_null(strstr(r.errors, OTHER));
	end(&r);
}

/* It may be in what comes instead of user data that was bad. */
static void test_no_key(void **state)
{
	const struct provision_machine machine = { .nics = nics, .n_nics = 2 };
	struct diag_list *diags = diag_list_new();
	struct run r = { 0 };

	(void)state;
	assert_non_null(diags);
	strcpy(r.seed.hostname, "fra-a");
	assert_int_equal(provision_plan_make(NULL, &r.seed, &machine, diags, &r.plan), 0);
	assert_false(r.plan.key_made);
	assert_int_equal(r.plan.change.n_files, 1);
	has(&r, "hostname", "fra-a\n");
	diag_list_free(diags);
	end(&r);
}

static void test_cloud_config(void **state)
{
	struct provision_part part = { .kind = PROVISION_CLOUD_CONFIG };
	struct diag_list *diags = diag_list_new();
	struct provision_document *document;
	static const char text[] = "#cloud-config\nhostname: x\nruncmd: [a]\nusers: [default]\n";

	(void)state;
	part.text = strdup(text);
	part.len = strlen(text);
	assert_int_equal(provision_document_parse(&part, diags, &document), 0);
	assert_int_equal(diag_count(diags), 0);
	assert_string_equal(document->hostname, "x");
	assert_string_equal(document->ignored, "runcmd, users");
	provision_document_free(document);
	provision_part_fini(&part);
	diag_list_free(diags);
}

static void apply_renames(struct provision_nic *now, size_t n,
			  const struct provision_rename *renames, size_t n_renames)
{
	for (size_t r = 0; r < n_renames; r++) {
		struct provision_nic *from = NULL;

		for (size_t i = 0; i < n; i++) {
			/* The kernel refuses a name that is taken. */
			assert_string_not_equal(now[i].name, renames[r].to);
			if (!strcmp(now[i].name, renames[r].from))
				from = &now[i];
		}
		assert_non_null(from);
		strcpy(from->name, renames[r].to);
	}
}

/* Every order that three interfaces may come up in ends in the names of the first time. */
static void test_names(void **state)
{
	static const unsigned int orders[][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
						  { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	struct provision_rename renames[2 * PROVISION_NICS_MAX];
	struct provision_pin pins[2];
	struct provision_nic now[3];
	size_t n;

	(void)state;
	for (size_t p = 0; p < 2; p++) {
		strcpy(pins[p].name, nics[p].name);
		memcpy(pins[p].mac, nics[p].mac, sizeof(pins[p].mac));
	}
	for (size_t o = 0; o < 6; o++) {
		memcpy(now, nics, sizeof(now));
		for (size_t i = 0; i < 3; i++)
			strcpy(now[i].name, nics[orders[o][i]].name);
		n = provision_nics_plan(now, 3, pins, 2, renames);
		assert_true(o || !n);
		apply_renames(now, 3, renames, n);
		assert_string_equal(now[0].name, "eth0");
		assert_string_equal(now[1].name, "eth1");
	}
	/* One that is gone is no reason to touch the other. */
	memcpy(now, nics, sizeof(now));
	assert_int_equal(provision_nics_plan(now + 1, 2, pins, 2, renames), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),     cmocka_unit_test(test_relay),
		cmocka_unit_test(test_static),	     cmocka_unit_test(test_lan_route),
		cmocka_unit_test(test_errors),	     cmocka_unit_test(test_three_nics),
		cmocka_unit_test(test_box_key),	     cmocka_unit_test(test_no_key),
		cmocka_unit_test(test_cloud_config), cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("provision_plan", tests, NULL, NULL);
}
