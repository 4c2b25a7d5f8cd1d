/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What forwarding writes into the maps of the real programs, against what the configuration says;
 * that only differences are written, and that a wanted entry is never missing meanwhile. And next
 * hops. In network and mount namespaces of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <cmocka.h>
#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>

#include "clock.h"
#include "forwarding.h"
#include "image.h"
#include "probe_key.h"
#include "programs.h"

#define MANY 100000

static struct programs *programs;
static struct netlink *nl;
static struct key private_key, public_keys[16];

static void run(const char *command)
{
	if (system(command))
		fail_msg("failed: %s", command);
}

static void put_keys(const char *format, char *text, size_t size)
{
	char key[KEY_STRLEN];
	size_t len = 0;

	/* Every @ is the next public key. */
	for (unsigned int i = 1; *format && len + KEY_STRLEN < size; format++) {
		if (*format != '@')
			text[len++] = *format;
		else
			len += (size_t)snprintf(text + len, size - len, "%s",
						key_format(&public_keys[i++], key));
	}
	text[len] = '\0';
}

static const char mesh_text[] =
	"sites:\n"
	"  - name: fra\n"
	"    lan: {prefixes: [172.16.1.0/24, 'fd00:16:1::/64'], routers: [172.16.1.1],\n"
	"          vips: [172.16.1.254]}\n"
	"    subnets: [10.1.0.0/16, 172.16.1.64/28, {prefix: 10.9.0.0/24, via: 172.16.1.7}]\n"
	"    gateways:\n"
	"      - {name: fra-a, id: 1, public_key: @, lan: [172.16.1.2, 'fd00:16:1::2'],\n"
	"         wan: [{public: 203.0.113.1, private: 10.200.0.2}, 'fd09::1']}\n"
	"      - {name: fra-b, id: 2, public_key: @, lan: [172.16.1.3, 'fd00:16:1::3'],\n"
	"         wan: [203.0.113.3]}\n"
	"  - name: sin\n"
	"    lan: {prefixes: [172.16.2.0/24, 'fd00:16:2::/64'], vips: [172.16.2.254]}\n"
	"    subnets: [%s]\n"
	"    gateways:\n"
	"      - {name: sin-a, id: 4000, public_key: @, lan: [172.16.2.2, 'fd00:16:2::2'],\n"
	"         wan: [198.51.100.1, 'fd09::2']}\n"
	"      - {name: sin-b, id: 30, public_key: @, lan: [172.16.2.3, 'fd00:16:2::3'], wan: [198.51.100.3]}\n"
	"  - name: nyc\n"
	"    lan: {prefixes: [172.16.3.0/24], vips: [172.16.3.254]}\n"
	"    subnets: [10.3.0.0/16]\n"
	"    gateways:\n"
	"      - {name: nyc-a, id: 5, public_key: @, lan: [172.16.3.2], wan: [192.0.2.5]}\n"
	"relays:\n"
	"  - {name: pop, id: 100, public_key: @, wan: [192.0.2.100, 192.0.2.101]}\n"
	"policies:\n"
	"  - {between: [fra, sin], mtu: 1300, class: bulk, dscp: {46: best, 8: protected}}\n"
	"  - {between: [nyc, fra], connect: no}\n";

static struct config *config_of(const char *subnets)
{
	static const char node[] = "node: fra-a\ninterfaces: {lan: lan0, wan: [w0]}\n";
	struct diag_list *diags = diag_list_new();
	struct config *config = NULL;
	char *with_subnets = NULL, *text;
	size_t size;
	const char *cut = strstr(mesh_text, "%s");

	assert_true(asprintf(&with_subnets, "%.*s%s%s", (int)(cut - mesh_text), mesh_text, subnets,
			     cut + 2) > 0);
	size = strlen(with_subnets) + 1024;
	text = calloc(1, size);
	put_keys(with_subnets, text, size);
	if (config_parse("mesh.yaml", text, strlen(text), "node.yaml", node, sizeof(node) - 1, true,
			 diags, &config)) {
		diag_print(diags, stderr);
		fail();
	}
	config->private_key = private_key;
	diag_list_free(diags);
	free(text);
	free(with_subnets);
	return config;
}

static struct dp_addr addr(const char *text)
{
	struct dp_addr ret = { 0 };

	if (inet_pton(AF_INET6, text, &ret) == 1)
		return ret;
	ret.word[2] = htonl(0xffff);
	assert_int_equal(inet_pton(AF_INET, text, &ret.word[3]), 1);
	return ret;
}

static int map(const char *name)
{
	const int fd = programs_map(programs, name);

	assert_true(fd >= 0);
	return fd;
}

static bool has(const char *name, const void *key, void *ret_value)
{
	return !bpf_map_lookup_elem(map(name), key, ret_value);
}

static size_t count(const char *name, size_t key_size)
{
	uint8_t key[64], next[64];
	size_t n = 0;

	for (void *last = NULL; !bpf_map_get_next_key(map(name), last, next); last = key, n++)
		memcpy(key, next, key_size);
	return n;
}

/* ---- a situation ---- */

static struct forwarding_way ways[DP_PATHS_MAX];
static struct forwarding_site sites[3];
static struct forwarding_node nodes[1];
static struct forwarding_tunnel tunnels[2];
static struct forwarding_now now;

static void situation(const struct config *config)
{
	struct path paths[DP_PATHS_MAX];
	const size_t n = path_list(config, 4000, paths);

	assert_int_equal(n, 3); /* IPv4 and IPv6 direct, by the relay */
	for (size_t i = 0; i < n; i++)
		ways[i] = (struct forwarding_way){
			.path = paths[i],
			.hop = { .ifindex = 7, .address = paths[i].remote },
			.interval_us = 10000,
		};
	memset(sites, 0, sizeof(sites));
	sites[1] = (struct forwarding_site){ .current = 4000, .seen_generation = 12 };
	nodes[0] = (struct forwarding_node){
		.id = 4000,
		.ways = ways,
		.n_ways = n,
		.n_order = 2,
		.order = { 2, 0 },
		.second = { 1, DP_NO_PATH },
		.spread = 2,
	};
	tunnels[1] = (struct forwarding_tunnel){
		.node = 4000,
		.lane = 1,
		.mute = true,
		.ifindex = 45,
	};
	tunnels[0] = (struct forwarding_tunnel){ .node = 4000, .lane = 0, .ifindex = 44 };
	now = (struct forwarding_now){
		.role = DP_ROLE_ACTIVE,
		.generation = 9,
		.lan_ifindex = 3,
		.lanes = 3,
		.lane_class = { CONFIG_CLASS_BEST, CONFIG_CLASS_BULK, CONFIG_CLASS_BULK },
		.nodes = nodes,
		.n_nodes = 1,
		.tunnels = tunnels,
		.n_tunnels = 2,
		.sites = sites,
	};
}

static size_t apply(struct forwarding *forwarding)
{
	size_t changes = 0;

	assert_int_equal(forwarding_set(forwarding, &now), 0);
	assert_int_equal(forwarding_apply(forwarding, programs, &changes), 0);
	return changes;
}

static struct forwarding *make(const struct config *config)
{
	struct forwarding *forwarding = NULL;

	assert_int_equal(forwarding_new(config, &forwarding), 0);
	return forwarding;
}

static int setup(void **state)
{
	const struct programs_params params = { dataplane_image, dataplane_image_len,
						CONFIG_DATAPLANE_TC };
	char reason[PROGRAMS_REASON_LEN];

	(void)state;
	for (size_t i = 0; i < 16; i++) {
		struct key key;

		key_generate(&key);
		key_public(&key, &public_keys[i]);
		if (i == 1)
			private_key = key;
	}
	if (programs_open(&params, &programs, reason)) {
		print_error("%s\n", reason);
		return -1;
	}
	return netlink_open(NETLINK_ROUTE, 0, &nl);
}

static int teardown(void **state)
{
	char reason[PROGRAMS_REASON_LEN];

	(void)state;
	netlink_close(nl);
	programs_close(programs);
	return programs_down(reason);
}

static void assert_route(const char *text, uint8_t len, uint16_t site, uint16_t flags,
			 const char *next_hop)
{
	const struct dp_addr to = addr(text);
	const struct dp_route4_key key = { .prefixlen = len, .addr = to.word[3] };
	struct dp_addr hop = { 0 };
	struct dp_route route;

	if (next_hop)
		hop = addr(next_hop);
	assert_true(has("dp_routes4", &key, &route));
	assert_int_equal(route.site, site);
	assert_int_equal(route.flags, flags);
	assert_memory_equal(&route.next_hop, &hop, sizeof(hop));
	assert_memory_equal(&route.prefix, &to, sizeof(to));
	assert_int_equal(route.prefix_len, 96 + len);
}

static void assert_arrival(const char *source, const char *destination, uint32_t path)
{
	const struct dp_arrival_key key = {
		.node = 4000,
		.source = addr(source),
		.destination = addr(destination),
	};
	struct dp_arrival arrival;

	assert_true(has("dp_arrivals", &key, &arrival));
	assert_int_equal(arrival.path, path);
}

static void test_content(void **state)
{
	struct config *config = config_of("10.2.0.0/16, 'fd10::/32'");
	struct forwarding *forwarding = make(config);
	struct dp_config got_config;
	struct dp_addr key;
	struct dp_source source;
	struct dp_local local;
	struct dp_node node;
	struct dp_path path;
	struct dp_path_state path_state;
	struct dp_site site;
	struct dp_tunnel tunnel;
	struct dp_path_key path_key = { 4000, 2 };
	uint64_t shared[2];
	uint32_t index = 0, own;
	uint16_t id;
	size_t n;

	(void)state;
	situation(config);
	assert_true(apply(forwarding) > 20);
	(void)forwarding_refused(forwarding, &n);
	assert_int_equal(n, 0);

	assert_true(has("dp_config", &index, &got_config));
	assert_int_equal(got_config.version, DP_VERSION);
	assert_int_equal(got_config.id, 1);
	assert_int_equal(got_config.port_base, 16384);
	assert_int_equal(got_config.kind, DP_KIND_GATEWAY);
	assert_int_equal(got_config.role, DP_ROLE_ACTIVE);
	assert_int_equal(got_config.lanes, 3);
	assert_int_equal(got_config.lane_class[1], DP_CLASS_BULK);
	assert_int_equal(got_config.generation, 9);
	assert_int_equal(got_config.digest, config->digest);
	assert_int_equal(got_config.lan_ifindex, 3);

	key = addr("10.200.0.2");
	assert_true(has("dp_locals", &key, &local));
	assert_int_equal(local.wan, 0);
	assert_int_equal(count("dp_locals", sizeof(key)), 2);
	key = addr("192.0.2.101");
	assert_true(has("dp_sources", &key, &source));
	assert_int_equal(source.node, 100);
	assert_int_equal(source.wan, 1);
	key = addr("203.0.113.1"); /* our own: nobody may send from it */
	assert_false(has("dp_sources", &key, &source));
	assert_int_equal(count("dp_sources", sizeof(key)), 7);

	id = 4000;
	assert_true(has("dp_nodes", &id, &node));
	assert_int_equal(node.kind, DP_KIND_GATEWAY);
	assert_int_equal(node.site, 30);
	assert_int_equal(node.n_order, 2);
	assert_int_equal(node.order[0], 2);
	assert_int_equal(node.second[0], 1);
	assert_int_equal(node.second[1], DP_NO_PATH);
	assert_int_equal(node.spread, 2);
	assert_int_equal(node.tunnel_ifindex[0], 44);
	assert_int_equal(node.tunnel_ifindex[1], 0); /* mute */
	assert_int_equal(node.seen_generation, 12);
	key = addr("198.51.100.1");
	assert_memory_equal(&node.canonical_remote, &key, sizeof(key));
	key = addr("10.200.0.2");
	assert_memory_equal(&node.canonical_local, &key, sizeof(key));
	assert_int_equal(probe_key_derive(&private_key, &public_keys[3], 1, 4000, shared), 0);
	assert_memory_equal(node.key, shared, sizeof(shared));
	id = 100;
	assert_true(has("dp_nodes", &id, &node));
	assert_int_equal(node.kind, DP_KIND_RELAY);
	assert_int_equal(node.site, 0);
	assert_int_equal(node.n_order, 0);
	assert_int_equal(count("dp_nodes", sizeof(id)), 5); /* the pair's other one too */

	assert_true(has("dp_paths", &path_key, &path));
	assert_int_equal(path.relay, 100);
	assert_int_equal(path.ifindex, 7);
	assert_int_equal(path.dead_ns, 35000000);
	assert_true(has("dp_path_states", &path_key, &path_state));
	assert_true(path_state.sequence >> 32 >= (uint64_t)time(NULL) - 100);
	assert_int_equal(path_state.sequence & 0xffffffff, 0);
	assert_arrival("198.51.100.1", "10.200.0.2", 0);
	assert_arrival("fd09::2", "fd09::1", 1);
	assert_arrival("192.0.2.100", "10.200.0.2", 2);
	assert_arrival("192.0.2.101", "10.200.0.2", 2);
	assert_int_equal(count("dp_arrivals", sizeof(struct dp_arrival_key)), 4);

	id = 30;
	assert_true(has("dp_sites", &id, &site));
	assert_true(site.gateways[0] == 4000 && site.gateways[1] == 30);
	assert_int_equal(site.current, 4000);
	assert_int_equal(site.mtu, 1300);
	assert_int_equal(site.lane, 1);
	for (unsigned int i = 0; i < DP_DSCPS; i++)
		assert_int_equal(site.class_of_dscp[i], i == 46	 ? DP_CLASS_BEST
							: i == 8 ? DP_CLASS_PROTECTED
								 : DP_CLASS_BULK);
	for (unsigned int i = 0; i < DP_LANE_SLOTS; i++) {
		assert_int_equal(site.lanes[DP_CLASS_BEST].slot[i], 0);
		assert_int_equal(site.lanes[DP_CLASS_BULK].slot[i], 1 + i % 2);
		/* Which no lane has: the pair's own. */
		assert_int_equal(site.lanes[DP_CLASS_PROTECTED].slot[i], 1);
	}
	assert_int_equal(site.lanes[DP_CLASS_BULK].n, 2);
	assert_int_equal(count("dp_sites", sizeof(id)), 1); /* nyc is not connected */
	index = 44;
	assert_true(has("dp_tunnels", &index, &tunnel));
	assert_true(tunnel.node == 4000 && tunnel.site == 30 && tunnel.lane == 0);
	index = 45;
	assert_true(has("dp_tunnels", &index, &tunnel));
	assert_int_equal(tunnel.lane, 1);
	assert_int_equal(forwarding_adopt_tunnel(programs, 4000, 0), 44);
	assert_int_equal(forwarding_adopt_tunnel(programs, 4000, 1), 0);
	assert_int_equal(forwarding_adopt_tunnel(programs, 4001, 0), 0);

	assert_route("10.1.0.0", 16, 1, DP_ROUTE_OWN, "172.16.1.1");
	assert_route("10.9.0.0", 24, 1, DP_ROUTE_OWN, "172.16.1.7");
	assert_route("172.16.1.0", 24, 1, DP_ROUTE_OWN, NULL);
	assert_route("172.16.1.64", 28, 1, DP_ROUTE_OWN, NULL);
	assert_route("10.2.0.0", 16, 30, 0, NULL);
	assert_route("172.16.2.0", 24, 30, 0, NULL);
	assert_int_equal(count("dp_routes4", sizeof(struct dp_route4_key)), 6);
	assert_int_equal(count("dp_routes6", sizeof(struct dp_route6_key)), 3);
	key = addr("172.16.1.254");
	assert_true(has("dp_own", &key, &own));
	key = addr("172.16.1.255");
	assert_true(has("dp_own", &key, &own));
	key = addr("fd00:16:1::2");
	assert_true(has("dp_own", &key, &own));
	assert_int_equal(count("dp_own", sizeof(key)), 5);
	forwarding_free(forwarding);
	config_free(config);
}

static void test_differences(void **state)
{
	struct config *config = config_of("10.2.0.0/16, 'fd10::/32'");
	struct forwarding *forwarding = make(config);
	struct dp_path_key key = { 4000, 0 };
	const struct dp_heard heard = { .generation = 99 };
	struct dp_path_state seen = { 0 }, before;
	uint8_t order[DP_ORDER_MAX];
	struct dp_heard got;
	uint16_t id = 4000;

	(void)state;
	situation(config);
	assert_int_equal(apply(forwarding), 0); /* of the test before: an adopting daemon */
	assert_int_equal(apply(forwarding), 0);
	assert_int_equal(forwarding_adopt_order(programs, 4000, order), 2);
	assert_true(order[0] == 2 && order[1] == 0);
	assert_int_equal(forwarding_adopt_order(programs, 30, order), 0);
	assert_int_equal(forwarding_adopt_interval(programs, 4000, 0),
			 nodes[0].ways[0].interval_us);
	assert_int_equal(forwarding_adopt_interval(programs, 4000, 15), 0);
	assert_int_equal(forwarding_adopt_interval(programs, 30, 0), 0);

	/* What the programs have seen stays. */
	assert_true(has("dp_path_states", &key, &seen));
	seen.last_reply_ns = 5;
	seen.sequence += 1000;
	bpf_map_update_elem(map("dp_path_states"), &key, &seen, 0);
	bpf_map_update_elem(map("dp_heard"), &id, &heard, 0);
	nodes[0].order[0] = 0;
	nodes[0].order[1] = 2;
	assert_int_equal(apply(forwarding), 1);
	ways[0].hop.ifindex = 0;
	ways[0].interval_us = 500000;
	assert_int_equal(apply(forwarding), 1);
	assert_true(has("dp_path_states", &key, &before));
	assert_memory_equal(&before, &seen, sizeof(seen));
	now.generation++;
	assert_int_equal(apply(forwarding), 1);
	assert_true(has("dp_heard", &id, &got));

	/* Another address: it begins anew, and its sequence grows. */
	ways[0].path.remote.bytes[3]++;
	assert_int_equal(apply(forwarding), 4); /* state, path, arrival: one new, one gone */
	assert_true(has("dp_path_states", &key, &before));
	assert_int_equal(before.last_reply_ns, 0);
	assert_true(before.sequence > seen.sequence);

	/* Somebody interferes: it is seen when it is looked for. */
	bpf_map_delete_elem(map("dp_nodes"), &id);
	assert_int_equal(apply(forwarding), 0);
	forwarding_forget(forwarding, SIZE_MAX);
	assert_int_equal(apply(forwarding), 1);

	/* No path is left. */
	now.n_nodes = 0;
	apply(forwarding);
	assert_int_equal(count("dp_paths", sizeof(key)), 0);
	assert_int_equal(count("dp_path_states", sizeof(key)), 0);
	assert_int_equal(count("dp_arrivals", sizeof(struct dp_arrival_key)), 0);
	assert_true(has("dp_heard", &id, &got));

	/* The node has another key: what its claims were is forgotten. */
	forwarding_free(forwarding);
	key_generate(&public_keys[0]);
	key_public(&public_keys[0], &public_keys[3]);
	config_free(config);
	config = config_of("10.2.0.0/16, 'fd10::/32'");
	situation(config);
	forwarding = make(config);
	apply(forwarding);
	assert_false(has("dp_heard", &id, &got));
	forwarding_free(forwarding);
	config_free(config);
}

static atomic_bool stop;
static atomic_ulong looks, misses;

static void *look(void *data)
{
	const int routes = map("dp_routes4"), node_map = map("dp_nodes");

	(void)data;
	while (!stop) {
		/* In both configurations. */
		const struct dp_route4_key key = { .prefixlen = 32,
						   .addr = addr("20.0.100.1").word[3] };
		const uint16_t id = 4000;
		struct dp_route route;
		struct dp_node node;

		misses += bpf_map_lookup_elem(routes, &key, &route) != 0;
		misses += bpf_map_lookup_elem(node_map, &id, &node) != 0;
		looks++;
		sched_yield();
	}
	return NULL;
}

static char *many(size_t first, size_t n)
{
	size_t size = n * 24 + 1;
	char *text = malloc(size), *at = text;

	for (size_t i = first; i < first + n; i++)
		at += sprintf(at, "%s20.%zu.%zu.%zu/32", i == first ? "" : ", ", i >> 16,
			      i >> 8 & 255, i & 255);
	return text;
}

static void test_many(void **state)
{
	char *text = many(0, MANY), *moved = many(MANY / 10, MANY);
	struct config *config = config_of(text), *other = config_of(moved);
	struct forwarding *forwarding = make(config);
	pthread_t thread;
	uint64_t begin;
	size_t changes;

	(void)state;
	situation(config);
	begin = clock_now_us();
	changes = apply(forwarding);
	print_message("# %zu entries written in %lu ms\n", changes,
		      (unsigned long)(clock_now_us() - begin) / 1000);
	assert_true(changes >= MANY && changes < MANY + 100);
	assert_int_equal(count("dp_routes4", sizeof(struct dp_route4_key)), MANY + 5);
	forwarding_free(forwarding);

	assert_int_equal(pthread_create(&thread, NULL, look, NULL), 0);
	forwarding = make(other);
	begin = clock_now_us();
	changes = apply(forwarding);
	print_message("# %zu of them exchanged in %lu ms\n", changes,
		      (unsigned long)(clock_now_us() - begin) / 1000);
	assert_in_range(changes, MANY / 5, MANY / 5 + 20);
	assert_int_equal(count("dp_routes4", sizeof(struct dp_route4_key)), MANY + 5);
	assert_int_equal(apply(forwarding), 0);
	stop = true;
	pthread_join(thread, NULL);
	assert_true(looks > 10);
	assert_int_equal(misses, 0);
	forwarding_free(forwarding);
	config_free(config);
	config_free(other);
	free(text);
	free(moved);
}

static struct ip_addr ip(const char *text)
{
	struct ip_addr ret;

	assert_int_equal(ip_addr_parse(text, &ret), 0);
	return ret;
}

static void assert_hop(const char *source, const char *destination, const char *device,
		       const char *hop)
{
	const struct ip_addr from = ip(source), to = ip(destination), via = ip(hop);
	struct nexthop nexthop;

	assert_int_equal(nexthop_get(nl, &from, &to, &nexthop), 0);
	assert_int_equal(nexthop.ifindex, if_nametoindex(device));
	assert_int_equal(ip_addr_compare(&nexthop.address, &via), 0);
}

static void assert_no_hop(const char *source, const char *destination)
{
	const struct ip_addr from = ip(source), to = ip(destination);
	struct nexthop nexthop;

	assert_int_equal(nexthop_get(nl, &from, &to, &nexthop), -ENETUNREACH);
}

static void test_next_hops(void **state)
{
	struct forwarding_way way = { .path = { .local = ip("10.20.0.1"),
						.remote = ip("10.20.0.9") } };
	unsigned int wan;

	(void)state;
	run("ip link set lo up; for i in 0 1; do ip link add v$i type veth peer p$i; "
	    "ip link set v$i up; ip link set p$i up; ip addr add 10.2$i.0.1/24 dev v$i; "
	    "ip addr add fd2$i::1/64 dev v$i nodad; done");
	run("ip route add default via 10.20.0.254; ip -6 route add default via fd20::fe");
	run("ip rule add from 10.21.0.1 table 77; ip route add default via 10.21.0.254 table 77");
	run("ip route add 192.0.2.0/24 via inet6 fd21::fe dev v1");
	run("ip route add unreachable 198.51.100.0/24; ip -6 route add unreachable fd99::/16");
	run("ip route add blackhole 198.51.101.0/24");
	assert_hop("10.20.0.1", "10.20.0.9", "v0", "10.20.0.9");
	assert_hop("10.20.0.1", "203.0.113.9", "v0", "10.20.0.254");
	assert_hop("10.21.0.1", "203.0.113.9", "v1", "10.21.0.254"); /* by a rule */
	assert_hop("10.20.0.1", "192.0.2.9", "v1", "fd21::fe");	     /* RFC 8950 */
	assert_hop("fd20::1", "2001:db8::1", "v0", "fd20::fe");
	assert_hop("fd20::1", "fd20::9", "v0", "fd20::9");
	assert_no_hop("10.20.0.1", "198.51.100.1");
	assert_no_hop("10.20.0.1", "198.51.101.1");
	assert_no_hop("fd20::1", "fd99::1");
	assert_no_hop("10.20.0.77", "203.0.113.9"); /* not an address of ours */
	assert_no_hop("10.20.0.1", "10.21.0.1");    /* ourselves */
	/* Only by devices where our programs are. */
	wan = if_nametoindex("v1");
	assert_int_equal(forwarding_resolve(nl, &wan, 1, &way, 1), 0);
	assert_int_equal(way.hop.ifindex, 0);
	wan = if_nametoindex("v0");
	assert_int_equal(forwarding_resolve(nl, &wan, 1, &way, 1), 0);
	assert_int_equal(way.hop.ifindex, wan);
	run("ip link del v0; ip link del v1; ip rule del from 10.21.0.1 table 77");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_content),
		cmocka_unit_test(test_differences),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_next_hops),
	};

	if (unshare(CLONE_NEWNET | CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("sysfs", "/sys", "sysfs", 0, NULL)) {
		printf("1..0 # SKIP no namespaces for BPF maps: %s\n", strerror(errno));
		return 0;
	}
	return cmocka_run_group_tests_name("forwarding", tests, setup, teardown);
}
