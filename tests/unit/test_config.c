/* SPDX-License-Identifier: GPL-2.0-only */
/* The exact messages have their tests in tests/config; here is what comes out as a struct. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"

#define KEY_A "p0vm1aZB1J0EZViQXWlg5MluS5DDSZGS45hePqCpTBk="
#define KEY_B "E95X/+gYsYZKoHXNHkkt1iHqWLm4SFgjGnXQ3vsmOlQ="
#define KEY_C "DgJUoZ1r51ZG5UHmgt5Z2Bzti1HgPbjALrZ/dA5K+jE="
#define KEY_D "itYbttnEAmPu8Cn1yLOJEFjeMFdGJCaqYd/RqQz/6jc="
#define KEY_E "czLA9HpszkVbm1xC8+8PEJjmLva6kYOXkD6+Xj4PzXI="
#define PRIVATE_A "IDy7XHieBETDf27aYlm2ougDUISMMwoTe3Hj1S9xYFU="

#define FRA                                                                                        \
	"  - name: fra\n"                                                                          \
	"    lan:\n"                                                                               \
	"      prefixes: [172.16.1.0/24, \"fd00:16:1::/64\"]\n"                                    \
	"      routers: [172.16.1.1, \"fd00:16:1::1\"]\n"                                          \
	"      vips: [172.16.1.254, \"fd00:16:1::fe\"]\n"                                          \
	"    vrrp: {id: 7, advert: 1s}\n"                                                          \
	"    subnets: [\"fd00:10:1::/48\", {prefix: 10.9.0.0/24, via: 172.16.1.7}, 10.1.0.0/16]\n" \
	"    gateways:\n"                                                                          \
	"      - {name: fra-a, id: 9, public_key: " KEY_A                                          \
	", lan: [172.16.1.2, \"fd00:16:1::2\"],\n"                                                 \
	"         wan: [{public: 203.0.113.1, private: 192.168.0.4}, 203.0.113.2]}\n"              \
	"      - {name: fra-b, id: 2, public_key: " KEY_B                                          \
	", lan: [172.16.1.3, \"fd00:16:1::3\"],\n"                                                 \
	"         wan: [203.0.113.3]}\n"
#define SIN                                                            \
	"  - name: sin\n"                                              \
	"    lan: {prefixes: [172.16.2.0/24], vips: [172.16.2.254]}\n" \
	"    subnets: [10.2.0.0/16]\n"                                 \
	"    gateways:\n"                                              \
	"      - {name: sin-a, id: 3, public_key: " KEY_C              \
	", lan: [172.16.2.2], wan: [198.51.100.9]}\n"
#define MESH "sites:\n" FRA SIN
#define POP1 "  - {name: pop1, id: 100, public_key: " KEY_D ", wan: [192.0.2.1, \"2001:db8::1\"]}\n"
#define POP2                                           \
	"  - {name: pop2, id: 101, public_key: " KEY_E \
	", wan: [{public: 192.0.2.2, private: 10.0.0.2}], limit: 200000}\n"
#define TAIL                           \
	"relays:\n" POP1 "policies:\n" \
	"  - {between: [sin, fra], connect: no, mtu: 1300, mss: keep}\n"
#define RELAY_NODE "node: pop1\ninterfaces: {wan: [eth0]}\n"
#define NODE "node: fra-a\ninterfaces: {lan: eth1, wan: [eth0, eth2]}\n"

static int parse(const char *mesh, const char *node, struct config **ret_config)
{
	struct diag_list *diags = diag_list_new();
	int ret;

	assert_non_null(diags);
	ret = config_parse("mesh.yaml", mesh, strlen(mesh), "node.yaml", node, strlen(node), true,
			   diags, ret_config);
	assert_int_equal(ret, diag_count(diags) ? -EINVAL : 0);
	diag_list_free(diags);
	return ret;
}

static struct config *parse_good(const char *mesh, const char *node)
{
	struct config *config = NULL;

	assert_int_equal(parse(mesh, node, &config), 0);
	assert_non_null(config);
	return config;
}

static char *print(void (*printer)(const struct config *config, FILE *out),
		   const struct config *config)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	printer(config, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void assert_addr(const struct ip_addr *addr, const char *text)
{
	char buf[IP_ADDR_STRLEN];

	assert_string_equal(ip_addr_format(addr, buf), text);
}

static void assert_prefix(const struct ip_prefix *prefix, const char *text)
{
	char buf[IP_PREFIX_STRLEN];

	assert_string_equal(ip_prefix_format(prefix, buf), text);
}

static void test_values(void **state)
{
	struct config *config = parse_good(MESH TAIL "mesh: net\nport_base: 20000\nengine: user\n"
						     "mtu: 1400\nkeepalive: 1m\n"
						     "probes: {fast: 20ms, slow: 1s}\n",
					   NODE "key: /k\nengine: kernel\ndataplane: tc\n"
						"allow: [{from: 192.0.2.0/24, tcp: 22}, "
						"{from: \"::/0\", udp: 161}]\n");
	const struct config_mesh *mesh = &config->mesh;
	const struct config_site *fra = &mesh->sites[0], *sin = &mesh->sites[1];
	const struct config_node *node = &config->node;
	size_t n_wans;

	(void)state;
	assert_string_equal(mesh->name, "net");
	assert_int_equal(mesh->port_base, 20000);
	assert_int_equal(mesh->engine, CONFIG_ENGINE_USER);
	assert_int_equal(mesh->mtu, 1400);
	assert_int_equal(mesh->keepalive_s, 60);
	assert_int_equal(mesh->probe_fast_ms, 20);
	assert_int_equal(mesh->probe_slow_ms, 1000);
	assert_int_equal(mesh->n_sites, 2);
	assert_string_equal(fra->name, "fra");
	assert_prefix(&fra->lan4, "172.16.1.0/24");
	assert_prefix(&fra->lan6, "fd00:16:1::/64");
	assert_addr(&fra->router4, "172.16.1.1");
	assert_addr(&fra->router6, "fd00:16:1::1");
	assert_int_equal(fra->n_vips, 2);
	assert_addr(&fra->vips[1], "fd00:16:1::fe");
	assert_int_equal(fra->vrid, 7);
	assert_int_equal(fra->advert_ms, 1000);
	assert_int_equal(fra->n_subnets, 3);
	assert_prefix(&fra->subnets[0].prefix, "10.1.0.0/16"); /* sorted */
	assert_addr(&fra->subnets[0].via, "-");
	assert_prefix(&fra->subnets[1].prefix, "10.9.0.0/24");
	assert_addr(&fra->subnets[1].via, "172.16.1.7");
	assert_prefix(&fra->subnets[2].prefix, "fd00:10:1::/48");
	assert_int_equal(fra->n_gateways, 2);
	assert_int_equal(fra->gateways[0].id, 9);
	assert_addr(&fra->gateways[0].lan4, "172.16.1.2");
	assert_addr(&fra->gateways[0].lan6, "fd00:16:1::2");
	assert_int_equal(fra->gateways[0].n_wans, 2);
	assert_addr(&fra->gateways[0].wans[0].public_addr, "203.0.113.1");
	assert_addr(&fra->gateways[0].wans[0].private_addr, "192.168.0.4");
	assert_addr(&fra->gateways[0].wans[1].private_addr, "203.0.113.2");
	assert_int_equal(config_site_number(fra), 2);
	assert_int_equal(sin->lan6.addr.family, IP_NONE);
	assert_int_equal(sin->router4.family, IP_NONE);
	assert_int_equal(sin->vrid, CONFIG_VRID);
	assert_int_equal(sin->profile, CONFIG_PROFILE_CLOUD);
	assert_int_equal(sin->advert_ms, config_profile_advert_ms[CONFIG_PROFILE_CLOUD]);
	assert_int_equal(mesh->n_relays, 1);
	assert_string_equal(mesh->relays[0].name, "pop1");
	assert_int_equal(mesh->relays[0].n_wans, 2);
	assert_int_equal(mesh->n_policies, 1);
	assert_int_equal(mesh->policies[0].site_a, 0);
	assert_int_equal(mesh->policies[0].site_b, 1);
	assert_int_equal(mesh->policies[0].class, CONFIG_CLASS_BEST);
	assert_int_equal(mesh->relays[0].limit_pps, 0);
	assert_string_equal(node->name, "fra-a");
	assert_string_equal(node->key_file, "/k");
	assert_string_equal(node->lan, "eth1");
	assert_int_equal(node->n_wans, 2);
	assert_string_equal(node->wans[1], "eth2");
	assert_int_equal(node->engine, CONFIG_ENGINE_KERNEL);
	assert_int_equal(node->dataplane, CONFIG_DATAPLANE_TC);
	assert_int_equal(node->n_allow, 2);
	assert_int_equal(node->allow[1].proto, CONFIG_PROTO_UDP);
	assert_int_equal(node->allow[1].port, 161);
	assert_prefix(&node->allow[1].from, "::/0");
	assert_ptr_equal(config_self_site(config), fra);
	assert_ptr_equal(config_self(config), &fra->gateways[0]);
	assert_false(config->is_relay);
	assert_int_equal(config_self_id(config), 9);
	assert_ptr_equal(config_self_wans(config, &n_wans), fra->gateways[0].wans);
	assert_int_equal(n_wans, 2);
	assert_true(key_is_zero(&config->private_key));
	config_free(config);
}

static void test_defaults(void **state)
{
	struct config *config = parse_good(MESH, NODE);

	(void)state;
	assert_string_equal(config->mesh.name, "mesh");
	assert_int_equal(config->mesh.port_base, CONFIG_PORT_BASE);
	assert_int_equal(config->mesh.engine, CONFIG_ENGINE_AUTO);
	assert_int_equal(config->mesh.mtu, CONFIG_MTU);
	assert_int_equal(config->mesh.keepalive_s, CONFIG_KEEPALIVE_S);
	assert_int_equal(config->mesh.probe_fast_ms, CONFIG_PROBE_FAST_MS);
	assert_int_equal(config->mesh.probe_slow_ms, CONFIG_PROBE_SLOW_MS);
	assert_int_equal(config->node.dataplane, CONFIG_DATAPLANE_AUTO);
	assert_int_equal(config->mesh.n_relays, 0);
	assert_int_equal(config->mesh.n_policies, 0);
	assert_string_equal(config->node.key_file, "private.key");
	assert_int_equal(config->node.n_allow, 0);
	config_free(config);
	config = parse_good("engine: user\n" MESH, NODE);
	assert_int_equal(config->node.engine, CONFIG_ENGINE_USER);
	config_free(config);
	/* What is not given keeps the order of the two. */
	config = parse_good("probes: {fast: 700ms}\n" MESH, NODE);
	assert_int_equal(config->mesh.probe_fast_ms, 700);
	assert_int_equal(config->mesh.probe_slow_ms, 700);
	config_free(config);
}

static void test_relay(void **state)
{
	struct config *config =
		parse_good("sites:\n" FRA SIN "relays:\n" POP2 POP1,
			   "node: pop1\ninterfaces: {wan: [eth0, eth2]}\ndataplane: generic\n"
			   "allow: [{from: 192.0.2.0/24, tcp: 22}]\n");
	struct config_policy policy;
	size_t n_wans;

	(void)state;
	assert_true(config->is_relay);
	assert_int_equal(config->self_relay, 1);
	assert_null(config_self_site(config));
	assert_null(config_self(config));
	assert_int_equal(config_self_id(config), 100);
	assert_ptr_equal(config_self_wans(config, &n_wans), config->mesh.relays[1].wans);
	assert_int_equal(n_wans, 2);
	assert_int_equal(config->mesh.relays[0].limit_pps, 200000);
	assert_int_equal(config->mesh.relays[1].limit_pps, 0);
	assert_string_equal(config->node.lan, "");
	assert_int_equal(config->node.n_wans, 2);
	assert_int_equal(config->node.n_allow, 1);
	assert_int_equal(config->node.dataplane, CONFIG_DATAPLANE_GENERIC);
	/* It is of no site: no site is its own, and no policy is between it and one. */
	for (size_t i = 0; i < config->mesh.n_sites; i++) {
		assert_int_not_equal(config->self_site, i);
		policy = config_policy_with(config, i);
		assert_true(policy.connect);
		assert_int_equal(policy.class, CONFIG_CLASS_BEST);
	}
	config_free(config);
}

static void test_relay_refused(void **state)
{
	static const char *const nodes[] = {
		"node: pop1\ninterfaces: {lan: eth1, wan: [eth0]}\n",
		"node: pop1\ninterfaces: {}\n",
		RELAY_NODE "engine: auto\n",
		RELAY_NODE "dataplane: off\n",
		"node: pop2\ninterfaces: {wan: [eth0]}\n",
		"node: fra-a\ninterfaces: {wan: [eth0]}\n",
		"interfaces: {wan: [eth0]}\n",
	};
	struct config *config = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		if (parse(MESH TAIL, nodes[i], &config) != -EINVAL)
			fail_msg("taken: %s", nodes[i]);
	}
	assert_null(config);
}

static void test_policy(void **state)
{
	struct config *config = parse_good(MESH TAIL "mtu: 1390\n", NODE);
	struct config_policy policy = config_policy_with(config, 1);

	(void)state;
	assert_false(policy.connect);
	assert_int_equal(policy.mtu, 1300);
	assert_false(policy.mss_clamp);
	assert_int_equal(policy.class, CONFIG_CLASS_BEST);
	config_free(config);
	config = parse_good(MESH "policies: [{between: [fra, sin], class: bulk}]\n", NODE);
	assert_int_equal(config_policy_with(config, 1).class, CONFIG_CLASS_BULK);
	config_free(config);
	config = parse_good(MESH "mtu: 1390\n", "node: sin-a\ninterfaces: {lan: a, wan: [b]}\n");
	policy = config_policy_with(config, 0);
	assert_int_equal(policy.site_a, 0);
	assert_int_equal(policy.site_b, 1);
	assert_true(policy.connect);
	assert_int_equal(policy.mtu, 1390);
	assert_true(policy.mss_clamp);
	assert_int_equal(policy.class, CONFIG_CLASS_BEST);
	config_free(config);
}

static void test_round_trip(void **state)
{
	static const char *const nodes[] = {
		NODE,
		NODE "key: \"a b\\t\\\"\\\\\\u00e9\\U0001F600: #\"\nengine: kernel\n"
		     "allow: [{from: 0.0.0.0/0, tcp: 1}, {from: \"fe80::/10\", udp: 65535}]\n",
		"node: sin-a\ninterfaces: {lan: '1', wan: [null]}\nkey: yes\nengine: auto\n"
		"dataplane: off\n",
		RELAY_NODE "dataplane: tc\nallow: [{from: \"::/0\", tcp: 22}]\n",
	};
	static const char *const meshes[] = {
		MESH TAIL, "engine: kernel\n" MESH TAIL,
		"probes: {slow: 10s, fast: 1s}\nrelays:\n" POP1 POP2
		"policies: [{between: [fra, sin], class: protected}]\n" MESH,
		MESH, /* has no relay for the last node */
	};

	(void)state;
	for (size_t i = 0; i < 15; i++) {
		struct config *config = parse_good(meshes[i / 4], nodes[i % 4]), *again;
		char *mesh = print(config_print_mesh, config);
		char *node = print(config_print_node, config);
		char *mesh_again, *node_again;

		again = parse_good(mesh, node);
		mesh_again = print(config_print_mesh, again);
		node_again = print(config_print_node, again);
		assert_string_equal(mesh, mesh_again);
		assert_string_equal(node, node_again);
		assert_string_equal(config->node.key_file, again->node.key_file);
		assert_int_equal(config->digest, again->digest);
		assert_int_equal(config->self_site, again->self_site);
		assert_int_equal(config->is_relay, again->is_relay);
		assert_int_equal(config->node.dataplane, again->node.dataplane);
		assert_int_equal(config->mesh.probe_fast_ms, again->mesh.probe_fast_ms);
		assert_int_equal(config->mesh.probe_slow_ms, again->mesh.probe_slow_ms);
		for (size_t r = 0; r < config->mesh.n_relays; r++)
			assert_int_equal(config->mesh.relays[r].limit_pps,
					 again->mesh.relays[r].limit_pps);
		for (size_t p = 0; p < config->mesh.n_policies; p++)
			assert_int_equal(config->mesh.policies[p].class,
					 again->mesh.policies[p].class);
		free(mesh);
		free(node);
		free(mesh_again);
		free(node_again);
		config_free(config);
		config_free(again);
	}
}

static uint64_t digest_of(const char *mesh, const char *node)
{
	struct config *config = parse_good(mesh, node);
	uint64_t digest = config->digest;

	config_free(config);
	return digest;
}

/* What the mesh is makes the digest; how it is written, and what the node is, does not. */
static void test_digest(void **state)
{
	uint64_t digest = digest_of(MESH TAIL, NODE);

	(void)state;
	assert_int_equal(digest, digest_of("# other\n" TAIL "mtu: 1420\n" MESH,
					   "node: sin-a\ninterfaces: {lan: x, wan: [y]}\n"));
	assert_int_not_equal(digest, digest_of(MESH TAIL "mtu: 1421\n", NODE));
	assert_int_not_equal(digest, digest_of(MESH, NODE));
	assert_int_equal(digest, digest_of("lanes: [best]\n" MESH TAIL, NODE));
	assert_int_not_equal(digest, digest_of("lanes: [best, bulk]\n" MESH TAIL, NODE));
	assert_int_not_equal(digest, digest_of(MESH TAIL "mesh: mesh1\n", NODE));
	assert_int_equal(digest, digest_of(MESH TAIL "probes: {slow: 500ms}\n", NODE));
	assert_int_not_equal(digest, digest_of(MESH TAIL "probes: {slow: 501ms}\n", NODE));
	assert_int_equal(digest, digest_of(MESH TAIL, RELAY_NODE "dataplane: tc\n"));
}

static bool same(const char *node_a, const char *node_b)
{
	struct config *a = parse_good(MESH TAIL, node_a), *b = parse_good(MESH TAIL, node_b);
	const bool ret = config_same(a, b);

	config_free(a);
	config_free(b);
	return ret;
}

/* Also of the node, also what makes no difference in the kernel's tables. */
static void test_same(void **state)
{
	(void)state;
	assert_true(same(NODE, NODE));
	assert_true(same(RELAY_NODE, RELAY_NODE "dataplane: auto\n"));
	assert_false(same(RELAY_NODE, RELAY_NODE "dataplane: tc\n"));
	assert_false(same(NODE, "node: sin-a\ninterfaces: {lan: x, wan: [y]}\n"));
}

static void test_nothing_on_error(void **state)
{
	struct config *config = NULL;

	(void)state;
	assert_int_equal(parse(MESH "mtu: 1\n", NODE, &config), -EINVAL);
	assert_int_equal(parse(MESH, NODE "mtu: 1\n", &config), -EINVAL);
	assert_int_equal(parse("", "", &config), -EINVAL);
	assert_int_equal(parse("[", NODE, &config), -EINVAL);
	assert_null(config);
	config_free(NULL);
}

/* Errors that the caller had found before do not count. */
static void test_earlier_errors(void **state)
{
	struct diag_list *diags = diag_list_new();
	struct config *config = NULL;

	(void)state;
	diag_error(diags, 0, (struct diag_place){ 0 }, NULL, "earlier");
	assert_int_equal(config_parse("m", MESH, strlen(MESH), "n", NODE, strlen(NODE), true, diags,
				      &config),
			 0);
	config_free(config);
	diag_list_free(diags);
}

/* Every beginning of a good file, and every byte of it changed: no crash, no leak. */
static void test_damage(void **state)
{
	static const char mesh[] = MESH TAIL;
	char damaged[sizeof(mesh)];
	struct config *config;

	(void)state;
	for (size_t len = 0; len < sizeof(mesh); len++) {
		memcpy(damaged, mesh, len);
		damaged[len] = '\0';
		config = NULL;
		(void)parse(damaged, NODE, &config);
		config_free(config);
	}
	for (size_t i = 0; i + 1 < sizeof(mesh); i++) {
		memcpy(damaged, mesh, sizeof(mesh));
		damaged[i] = "\n:[]{}-'\"#0a \t&*"[i % 16];
		config = NULL;
		(void)parse(damaged, NODE, &config);
		config_free(config);
	}
}

struct oracle_prefix {
	struct ip_prefix prefix;
	unsigned int site;
};

/* Random subnets in three sites; good exactly if no two of them overlap, by trying all pairs. */
static void test_overlap_against_oracle(void **state)
{
	unsigned int n_good = 0, n_rounds = 3000;

	(void)state;
	srandom(4);
	for (unsigned int round = 0; round < n_rounds; round++) {
		struct oracle_prefix all[24];
		struct config *config = NULL;
		char *text, buf[IP_PREFIX_STRLEN];
		size_t len, n = 0;
		bool overlap = false;
		FILE *out = open_memstream(&text, &len);

		assert_non_null(out);
		fputs("sites:\n", out);
		for (unsigned int site = 0; site < 3; site++) {
			fprintf(out,
				"  - name: s%u\n    lan: {prefixes: [172.16.%u.0/24], "
				"vips: [172.16.%u.9]}\n    gateways: [{name: %s%u, id: %u, "
				"lan: [172.16.%u.2], wan: [203.0.113.%u], public_key: "
				"%cAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=}]\n    subnets:\n",
				site, site, site, "g", site, site + 1, site, site + 1,
				(int)('B' + site));
			for (long i = random() % 3; i >= 0; i--) {
				struct oracle_prefix *one = &all[n++];

				*one = (struct oracle_prefix){
					.prefix = { .addr = { .family = IP_V4, .bytes = { 10 } },
						    .len = (uint8_t)(9 + random() % 16) },
					.site = site,
				};
				one->prefix.addr.bytes[1] = (uint8_t)random();
				one->prefix.addr.bytes[2] = (uint8_t)random();
				ip_prefix_format(&one->prefix, buf);
				/* Clear the host bits the way a user is told to. */
				(void)ip_prefix_parse(buf, &one->prefix);
				fprintf(out, "      - %s\n", ip_prefix_format(&one->prefix, buf));
			}
		}
		fclose(out);
		for (size_t i = 0; i < n; i++) {
			for (size_t j = 0; j < i; j++)
				overlap |= ip_prefix_overlaps(&all[i].prefix, &all[j].prefix);
		}
		if (parse(text, "node: g0\ninterfaces: {lan: a, wan: [b]}\n", &config) !=
		    (overlap ? -EINVAL : 0))
			fail_msg("overlap %d:\n%s", overlap, text);
		n_good += !overlap;
		config_free(config);
		free(text);
	}
	assert_in_range(n_good, n_rounds / 20, n_rounds - n_rounds / 20);
}

struct oracle_gateway {
	char families[3]; /* of its WAN addresses: '4' and '6' */
	size_t n;
};

/* One way from a gateway to another: WAN addresses by number, relay 0: none. */
struct oracle_path {
	size_t local, remote, relay;
};

static size_t oracle_paths(const struct oracle_gateway *a, const struct oracle_gateway *b,
			   const struct oracle_gateway *relays, size_t n_relays,
			   struct oracle_path paths[static 64])
{
	size_t n = 0;

	for (size_t i = 0; i < a->n; i++) {
		for (size_t j = 0; j < b->n; j++) {
			if (a->families[i] != b->families[j])
				continue;
			paths[n++] = (struct oracle_path){ i, j, 0 };
			for (size_t r = 0; r < n_relays; r++) {
				if (memchr(relays[r].families, a->families[i], relays[r].n))
					paths[n++] = (struct oracle_path){ i, j, r + 1 };
			}
		}
	}
	return n;
}

static bool oracle_protects(const struct oracle_path *paths, size_t n)
{
	for (size_t p = 0; p < n; p++) {
		for (size_t q = 0; q < p; q++) {
			if (paths[p].relay != paths[q].relay ||
			    (!paths[p].relay && paths[p].local != paths[q].local &&
			     paths[p].remote != paths[q].remote))
				return true;
		}
	}
	return false;
}

static struct oracle_gateway oracle_gateway(const char *families)
{
	struct oracle_gateway gateway = { .n = 1 + (size_t)random() % 3 };

	for (size_t i = 0; i < gateway.n; i++)
		gateway.families[i] = families[random() % 2];
	return gateway;
}

static void oracle_print(const struct oracle_gateway *gateway, const char *name, unsigned int id,
			 const char *lan, FILE *out)
{
	fprintf(out,
		"- {name: %s%u, id: %u, public_key: %cAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=, "
		"%s wan: [",
		name, id, id, (int)('A' + id), lan);
	for (size_t i = 0; i < gateway->n; i++)
		fprintf(out,
			gateway->families[i] == '6' ? "%s\"2001:db8::%u:%zu\"" : "%s203.0.%u.%zu",
			i ? ", " : "", id, i + 1);
	fputs("]}\n", out);
}

/*
 * Random WAN addresses and relays. Good exactly if all gateways have a family in common with those
 * of the other site and some pair of them has two ways, by trying all pairs of all ways.
 */
static void test_protected_against_oracle(void **state)
{
	static const char *const choices[] = { "44", "44", "46", "46", "66" };
	unsigned int n_good = 0, n_rounds = 3000;

	(void)state;
	srandom(5);
	for (unsigned int round = 0; round < n_rounds; round++) {
		struct oracle_gateway gateways[2][2], relays[2];
		size_t n_gateways[2], n_relays = 0;
		const char *families = choices[random() % 5];
		bool protects = false, in_common = true;
		struct config *config = NULL;
		unsigned int id = 1;
		char *text;
		size_t len;
		FILE *out = open_memstream(&text, &len);

		assert_non_null(out);
		if (!(random() % 3))
			n_relays = 1 + (size_t)random() % 2;
		fputs("sites:\n", out);
		for (unsigned int site = 0; site < 2; site++) {
			fprintf(out,
				"  - name: s%u\n    lan: {prefixes: [172.16.%u.0/24], "
				"vips: [172.16.%u.9]}\n    subnets: [10.%u.0.0/16]\n    gateways:\n",
				site, site, site, site);
			n_gateways[site] = 1 + (size_t)random() % 2;
			for (size_t g = 0; g < n_gateways[site]; g++) {
				char lan[48];

				snprintf(lan, sizeof(lan), "lan: [172.16.%u.%zu],", site, g + 1);
				gateways[site][g] = oracle_gateway(families);
				if (!(random() % 2))
					gateways[site][g].n = 1;
				fputs("      ", out);
				oracle_print(&gateways[site][g], "g", id++, lan, out);
			}
		}
		fputs(n_relays ? "relays:\n" : "", out);
		for (size_t r = 0; r < n_relays; r++) {
			relays[r] = oracle_gateway("46");
			fputs("  ", out);
			oracle_print(&relays[r], "r", id++, "", out);
		}
		fputs("policies: [{between: [s0, s1], class: protected}]\n", out);
		fclose(out);
		for (size_t g = 0; g < n_gateways[0]; g++) {
			for (size_t h = 0; h < n_gateways[1]; h++) {
				struct oracle_path paths[64];
				size_t n = oracle_paths(&gateways[0][g], &gateways[1][h], relays,
							n_relays, paths);

				in_common &= n > 0;
				protects |= oracle_protects(paths, n);
			}
		}
		if (parse(text, "node: g1\ninterfaces: {lan: a, wan: [b]}\n", &config) !=
		    (in_common && protects ? 0 : -EINVAL))
			fail_msg("in common %d, protects %d:\n%s", in_common, protects, text);
		n_good += in_common && protects;
		config_free(config);
		free(text);
	}
	assert_in_range(n_good, n_rounds / 20, n_rounds - n_rounds / 20);
}

static char dir[64];

static void put_file(const char *name, const char *text, mode_t mode)
{
	char path[128];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	out = fopen(path, "w");
	assert_non_null(out);
	fputs(text, out);
	assert_int_equal(fchmod(fileno(out), mode), 0);
	assert_int_equal(fclose(out), 0);
}

static int setup_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/netpas-test-config.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	put_file("mesh.yaml", MESH, 0644);
	put_file("node.yaml", NODE, 0644);
	put_file("private.key", PRIVATE_A "\n", 0600);
	return 0;
}

static int teardown_dir(void **state)
{
	static const char *const names[] = { "mesh.yaml", "node.yaml", "private.key" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	return rmdir(dir);
}

/* Load, and give back the messages; free() them. */
static char *load(const char *from, struct config **ret_config)
{
	struct diag_list *diags = diag_list_new();
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	int ret;

	assert_non_null(out);
	ret = config_load(from, diags, ret_config);
	assert_int_equal(ret, diag_count(diags) ? -EINVAL : 0);
	diag_print(diags, out);
	fclose(out);
	diag_list_free(diags);
	return text;
}

static void test_load(void **state)
{
	struct config *config = NULL;
	char key[KEY_STRLEN], with_slash[72], *text;

	(void)state;
	snprintf(with_slash, sizeof(with_slash), "%s/", dir);
	text = load(with_slash, &config);
	assert_string_equal(text, "");
	assert_string_equal(key_format(&config->private_key, key), PRIVATE_A);
	free(text);
	config_free(config);
	config = NULL;
	put_file("private.key", KEY_B "\n", 0600);
	text = load(dir, &config);
	assert_non_null(strstr(text, "public key of 'fra-a' does not belong to its key file"));
	free(text);
	put_file("private.key", PRIVATE_A "\n", 0644);
	text = load(dir, &config);
	assert_non_null(strstr(text, "open to group or others"));
	free(text);
	assert_null(config);
}

/* Messages name the file as the user did, without "./" before it. */
static void test_load_names(void **state)
{
	static const struct {
		const char *dir, *message;
	} cases[] = {
		{ ".", "mesh.yaml: error: cannot read it" },
		{ "./", "mesh.yaml: error: cannot read it" },
		{ "./no/such", "no/such/mesh.yaml: error: cannot read it" },
		{ ".//./no/", "no/mesh.yaml: error: cannot read it" },
		{ "/no/such", "/no/such/mesh.yaml: error: cannot read it" },
		{ "../no", "../no/mesh.yaml: error: cannot read it" },
		{ "/", "/mesh.yaml: error: cannot read it" },
	};
	char before[256], empty[] = "/tmp/netpas-test-config.XXXXXX";

	(void)state;
	assert_non_null(getcwd(before, sizeof(before)));
	assert_non_null(mkdtemp(empty));
	assert_int_equal(chdir(empty), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config *config = NULL;
		char *text = load(cases[i].dir, &config);

		if (strncmp(text, cases[i].message, strlen(cases[i].message)))
			fail_msg("'%s': %s", cases[i].dir, text);
		free(text);
	}
	assert_int_equal(chdir(before), 0);
	assert_int_equal(rmdir(empty), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_relay),
		cmocka_unit_test(test_relay_refused),
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_nothing_on_error),
		cmocka_unit_test(test_earlier_errors),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_overlap_against_oracle),
		cmocka_unit_test(test_protected_against_oracle),
		cmocka_unit_test_setup_teardown(test_load, setup_dir, teardown_dir),
		cmocka_unit_test(test_load_names),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
