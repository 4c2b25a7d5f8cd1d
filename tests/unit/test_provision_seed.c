/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "provision_metadata.h"
#include "provision_seed.h"

#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOZH7fif1pPGvJiYygomC97yhbJvX6qMGe1mkcgfl3eZ"

static void test_nocloud(void **state)
{
	struct provision_seed seed = { 0 };
	static const char text[] = "instance-id: i-abc\nlocal-hostname: fra-a\npublic-keys:\n"
				   "  - " KEY " one\n  - nonsense\nnetwork-interfaces: |\n  auto\n";

	(void)state;
	assert_int_equal(provision_seed_nocloud(text, strlen(text), &seed), 0);
	assert_string_equal(seed.instance, "i-abc");
	assert_string_equal(seed.hostname, "fra-a");
	assert_int_equal(seed.keys.n, 1);
	assert_int_equal(seed.bad_keys, 1);
	provision_seed_fini(&seed);
	assert_int_equal(provision_seed_nocloud("{\"instance-id\": \"j\"}", 20, &seed), 0);
	assert_string_equal(seed.instance, "j");
	assert_int_equal(provision_seed_nocloud("- a\n", 4, &seed), -EINVAL);
	assert_int_equal(provision_seed_nocloud("a: [", 4, &seed), -EINVAL);
	/* What would be strange in a message or a file is left out. */
	provision_seed_fini(&seed);
	assert_int_equal(
		provision_seed_nocloud("instance-id: \"a b\"\nlocal-hostname: -x-\n", 38, &seed),
		0);
	assert_string_equal(seed.instance, "");
	assert_string_equal(seed.hostname, "");
}

static void test_openstack(void **state)
{
	struct provision_seed seed = { 0 };
	static const char text[] = "{\"uuid\": \"83679162\", \"hostname\": \"fra-a.novalocal\", "
				   "\"public_keys\": {\"mykey\": \"" KEY " x\\n\"}}";

	(void)state;
	assert_int_equal(provision_seed_openstack(text, strlen(text), &seed), 0);
	assert_string_equal(seed.instance, "83679162");
	assert_string_equal(seed.hostname, "fra-a.novalocal");
	assert_int_equal(seed.keys.n, 1);
	provision_seed_fini(&seed);
	assert_int_equal(provision_seed_openstack("[]", 2, &seed), -EINVAL);
	assert_int_equal(provision_seed_openstack("{\"uuid\": 7}", 11, &seed), 0);
	assert_string_equal(seed.instance, "");
}

static void test_network(void **state)
{
	struct provision_seed seed = { 0 };
	static const char text[] =
		"{\"links\": ["
		"{\"id\": \"tap1\", \"type\": \"ovs\", \"ethernet_mac_address\": \"fa:16:3e:00:00:01\"},"
		"{\"id\": \"tap2\", \"ethernet_mac_address\": \"FA:16:3E:00:00:02\"},"
		"{\"id\": \"tap3\", \"ethernet_mac_address\": \"nonsense\"},"
		"{\"id\": \"tap4\", \"ethernet_mac_address\": \"fa:16:3e:00:00:04\"}],"
		"\"networks\": ["
		"{\"id\": \"n0\", \"type\": \"ipv4_dhcp\", \"link\": \"tap1\"},"
		"{\"id\": \"n1\", \"type\": \"ipv4\", \"link\": \"tap2\", \"ip_address\": \"192.0.2.10\","
		" \"netmask\": \"255.255.255.240\", \"routes\": ["
		"  {\"network\": \"0.0.0.0\", \"netmask\": \"0.0.0.0\", \"gateway\": \"192.0.2.1\"},"
		"  {\"network\": \"10.0.0.0\", \"netmask\": \"255.0.0.0\", \"gateway\": \"192.0.2.2\"},"
		"  {\"network\": \"10.0.0.0\", \"netmask\": \"255.0.255.0\", \"gateway\": \"192.0.2.2\"}]},"
		"{\"id\": \"n2\", \"type\": \"ipv6\", \"link\": \"tap2\", \"ip_address\": \"2001:db8::a/64\"}],"
		"\"services\": [{\"type\": \"dns\", \"address\": \"192.0.2.53\"}]}";
	const struct provision_addressing *second;

	(void)state;
	assert_int_equal(provision_seed_network(text, strlen(text), &seed), 0);
	assert_int_equal(seed.n_hints, 2);
	assert_true(seed.hints[0].addressing.dhcp);
	second = &seed.hints[1].addressing;
	assert_false(second->dhcp);
	assert_int_equal(seed.hints[1].mac[5], 2);
	assert_int_equal(second->n_addresses, 2);
	assert_int_equal(second->addresses[0].len, 28);
	assert_int_equal(second->addresses[1].len, 64);
	assert_int_equal(second->gateway4.bytes[3], 1);
	assert_int_equal(second->n_routes, 1);
	assert_int_equal(second->routes[0].to.len, 8);
	assert_int_equal(second->n_dns, 1);
	assert_int_equal(provision_seed_network("3", 1, &seed), -EINVAL);
	provision_seed_fini(&seed);
}

static void test_ovf(void **state)
{
	struct provision_seed seed = { 0 };
	static const char text[] =
		"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
		"<ns0:Environment xmlns:ns0=\"http://schemas.dmtf.org/ovf/environment/1\" "
		"xmlns:ns1=\"http://schemas.microsoft.com/windowsazure\"><ns1:ProvisioningSection>"
		"<ns1:Version>1.0</ns1:Version><ns1:LinuxProvisioningConfigurationSet>"
		"<ns1:HostName>fra-a</ns1:HostName><ns1:UserName>ops</ns1:UserName><ns1:SSH>"
		"<ns1:PublicKeys><ns1:PublicKey><ns1:Value>" KEY " y</ns1:Value></ns1:PublicKey>"
		"</ns1:PublicKeys></ns1:SSH><ns1:CustomData>I25ldHBhcwo=</ns1:CustomData>"
		"</ns1:LinuxProvisioningConfigurationSet></ns1:ProvisioningSection></ns0:Environment>";

	(void)state;
	assert_int_equal(provision_ovf_parse(text, strlen(text), &seed), 0);
	assert_string_equal(seed.hostname, "fra-a");
	assert_int_equal(seed.keys.n, 1);
	assert_string_equal(seed.user_data, "#netpas\n");
	/* What IMDS has said stays. */
	strcpy(seed.hostname, "other");
	assert_int_equal(provision_ovf_parse(text, strlen(text), &seed), 0);
	assert_string_equal(seed.hostname, "other");
	provision_seed_fini(&seed);
	assert_int_equal(provision_ovf_parse("<a/>", 4, &seed), -EINVAL);
	assert_int_equal(provision_ovf_parse("<a>", 3, &seed), -EINVAL);
}

static void test_azure(void **state)
{
	struct provision_seed seed = { 0 };
	static const char text[] =
		"{\"vmId\": \"02aab8a4\", \"name\": \"vm-1\", \"osProfile\": "
		"{\"computerName\": \"fra-a\"}, \"userData\": \"I25ldHBhcwo=\", "
		"\"publicKeys\": [{\"keyData\": \"" KEY "\\r\\n\", \"path\": \"/x\"}]}";

	(void)state;
	assert_int_equal(provision_azure_parse(text, strlen(text), &seed), 0);
	assert_string_equal(seed.instance, "02aab8a4");
	assert_string_equal(seed.hostname, "fra-a");
	assert_int_equal(seed.keys.n, 1);
	assert_string_equal(seed.user_data, "#netpas\n");
	provision_seed_fini(&seed);
	assert_int_equal(provision_azure_parse("{\"userData\": \"*\"}", 17, &seed), -EINVAL);
}

#define GOAL(instance)                                                                         \
	"<GoalState xmlns:xsi=\"a\"><Version>2012-11-30</Version><Incarnation>1</Incarnation>" \
	"<Container><ContainerId>c-1</ContainerId><RoleInstanceList><RoleInstance>"            \
	"<InstanceId>" instance "</InstanceId><State>Started</State></RoleInstance>"           \
	"</RoleInstanceList></Container></GoalState>"

static void test_health(void **state)
{
	char *health;

	(void)state;
	assert_int_equal(provision_health_make(GOAL("i-1"), strlen(GOAL("i-1")), &health), 0);
	assert_non_null(strstr(health, "<GoalStateIncarnation>1</GoalStateIncarnation>"));
	assert_non_null(strstr(health, "<ContainerId>c-1</ContainerId>"));
	assert_non_null(strstr(health, "<InstanceId>i-1</InstanceId>"));
	assert_non_null(strstr(health, "<State>Ready</State>"));
	free(health);
	assert_int_equal(provision_health_make(GOAL("a&lt;b"), strlen(GOAL("a&lt;b")), &health),
			 -EINVAL);
	assert_int_equal(provision_health_make("<GoalState/>", 12, &health), -EINVAL);
}

#define GCE(more)                                                                                      \
	"{\"instance\": {\"id\": 18446744073709551615, \"hostname\": \"fra-a.c.p.internal\", "         \
	"\"attributes\": {\"ssh-keys\": \"ops:" KEY " ops\\nbob:" KEY                                  \
	" google-ssh {\\\"userName\\\":\\\"bob\\\",\\\"expireOn\\\":\\\"2026-01-01T00:00:00+0000\\\"}" \
	"\\n\"" more "}}, \"project\": {\"attributes\": {\"ssh-keys\": \"eve:" KEY " eve\"}}}"

static void test_gce(void **state)
{
	struct provision_seed seed = { 0 };
	static const char open[] = GCE(", \"user-data\": \"#netpas\\n\"");
	static const char blocked[] = GCE(", \"block-project-ssh-keys\": \"TRUE\"");

	(void)state;
	/* 2025-06-15: bob may come still. */
	assert_int_equal(provision_gce_parse(open, strlen(open), 1750000000, &seed), 0);
	assert_int_equal(seed.keys.n, 3);
	assert_string_equal(seed.user_data, "#netpas\n");
	assert_string_equal(seed.hostname, "fra-a.c.p.internal");
	provision_seed_fini(&seed);
	/* 2026-02-01 */
	assert_int_equal(provision_gce_parse(blocked, strlen(blocked), 1769900000, &seed), 0);
	assert_int_equal(seed.keys.n, 1);
	assert_string_equal(seed.keys.lines[0], KEY " ops");
	assert_null(seed.user_data);
	provision_seed_fini(&seed);
	assert_int_equal(provision_gce_parse("[]", 2, 0, &seed), -EINVAL);
}

static void test_detect(void **state)
{
	static const struct {
		struct provision_dmi dmi;
		enum provision_cloud cloud;
	} cases[] = {
		{ { .vendor = "Amazon EC2", .product = "c6i.xlarge" }, PROVISION_AWS },
		{ { .vendor = "Xen", .uuid = "ec2abcde-0000" }, PROVISION_AWS },
		{ { .vendor = "Xen", .uuid = "abcdec2e-0000" }, PROVISION_NONE },
		{ { .vendor = "Microsoft Corporation", .product = "Virtual Machine" },
		  PROVISION_NONE },
		{ { .vendor = "Microsoft Corporation",
		    .asset = "7783-7084-3265-9085-8269-3286-77" },
		  PROVISION_AZURE },
		{ { .vendor = "Google", .product = "Google Compute Engine" }, PROVISION_GCE },
		{ { .vendor = "Alibaba Cloud", .product = "Alibaba Cloud ECS" },
		  PROVISION_ALIBABA },
		{ { .vendor = "Tencent Cloud", .product = "CVM" }, PROVISION_TENCENT },
		{ { .vendor = "OpenStack Foundation", .product = "OpenStack Nova" },
		  PROVISION_OPENSTACK },
		{ { .vendor = "QEMU", .product = "Standard PC (Q35 + ICH9, 2009)" },
		  PROVISION_NONE },
		{ { .vendor = "VMware, Inc." }, PROVISION_NONE },
		{ { .vendor = "" }, PROVISION_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(provision_cloud_detect(&cases[i].dmi), cases[i].cloud);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nocloud), cmocka_unit_test(test_openstack),
		cmocka_unit_test(test_network), cmocka_unit_test(test_ovf),
		cmocka_unit_test(test_azure),	cmocka_unit_test(test_health),
		cmocka_unit_test(test_gce),	cmocka_unit_test(test_detect),
	};

	return cmocka_run_group_tests_name("provision_seed", tests, NULL, NULL);
}
