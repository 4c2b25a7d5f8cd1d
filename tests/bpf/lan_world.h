/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For the tests of the LAN fast path: a small world (our site 1, remote sites 2 and 3, a site 4
 * that is not connected), packets from a few words, and an oracle that states the rules as slowly
 * and plainly as they can be stated.
 *
 * All ordinary prefixes lie in 8.0.0.0/16 and 2001:db8:86dd::/48 for a reason: BPF_PROG_TEST_RUN
 * always takes bytes 12 and 13 for the EtherType, and on a tunnel, where packets begin with IP, these are
 * of the source address. 0x0800 and 0x86dd are what the tunnel device itself would say there.
 */
#ifndef NETPAS_TESTS_LAN_WORLD_H
#define NETPAS_TESTS_LAN_WORLD_H

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane.h"
#include "harness.h"
#include "lan.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define ETHER_LEN 14
#define FRAME_MAX 3600 /* the kernel takes little more */
#define NODE_FIRST 3   /* gateways: 3 and 4 of site 2, 5 and 6 of site 3 */
#define NODE_END 7
#define PATHS 3 /* of each, at most */
#define SITE_OWN 1
#define SITE_FIRST 2
#define SITE_END 4
#define LAN_MTU 1500
#define NO_DEVICE 9999 /* an index that none has */

static const uint8_t lan_mac[6] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t host_mac[6] = { 2, 0, 0, 0, 0, 10 };

struct world_route {
	const char *prefix;
	int site;
	bool own;
	const char *next_hop;
};

/* With prefixes inside others, and with some that no packet of which may be forwarded. */
static const struct world_route world_routes[] = {
	{ "8.0.1.0/24", 1, true, NULL },
	{ "8.0.9.0/24", 1, true, "8.0.1.10" },
	{ "8.0.10.0/24", 1, true, "2001:db8:86dd:100::10" },
	{ "8.0.2.0/24", 2, false, NULL },
	{ "8.0.2.128/25", 3, false, NULL },
	{ "8.0.2.192/26", 1, true, NULL },
	{ "8.0.3.0/24", 3, false, NULL },
	{ "8.0.4.0/24", 4, false, NULL },
	{ "0.0.0.0/9", 1, true, NULL },
	{ "0.128.0.0/9", 2, false, NULL },
	{ "127.0.0.0/9", 1, true, NULL },
	{ "127.128.0.0/9", 2, false, NULL },
	{ "169.254.0.0/17", 1, true, NULL },
	{ "169.254.128.0/17", 2, false, NULL },
	{ "224.0.0.0/4", 1, true, NULL },
	{ "240.0.0.0/4", 2, false, NULL },
	{ "2001:db8:86dd:100::/56", 1, true, NULL },
	{ "2001:db8:86dd:900::/56", 1, true, "2001:db8:86dd:100::10" },
	{ "2001:db8:86dd:a00::/56", 1, true, "8.0.1.10" },
	{ "2001:db8:86dd:200::/56", 2, false, NULL },
	{ "2001:db8:86dd:280::/57", 3, false, NULL },
	{ "2001:db8:86dd:2c0::/58", 1, true, NULL },
	{ "2001:db8:86dd:300::/56", 3, false, NULL },
	{ "2001:db8:86dd:400::/56", 4, false, NULL },
	{ "::/65", 1, true, NULL },
	{ "::8000:0:0:0/65", 2, false, NULL },
	{ "fe80::/65", 1, true, NULL },
	{ "fe80:0:0:0:8000::/65", 2, false, NULL },
	{ "febf::/16", 1, true, NULL },
	{ "ff00::/9", 1, true, NULL },
	{ "ff80::/9", 2, false, NULL },
};

/* The node itself, a VIP, the LAN's broadcast address; one in a remote prefix. */
static const char *const world_own[] = { "8.0.1.1",
					 "8.0.1.254",
					 "8.0.1.255",
					 "8.0.2.77",
					 "2001:db8:86dd:100::1",
					 "2001:db8:86dd:100::fe",
					 "2001:db8:86dd:200::77" };

/* What changes while packets flow. Nodes and sites by number. */
struct world {
	struct dp_site sites[SITE_END];
	struct dp_node nodes[NODE_END];
	bool heard_of[NODE_END], has_path[NODE_END][PATHS];
	struct dp_heard heard[NODE_END];
	struct dp_path paths[NODE_END][PATHS];
	struct dp_path_state states[NODE_END][PATHS];
	unsigned int lan_ifindex, tunnel_ifindex[NODE_END];
};

/* -- Addresses. -- */

static inline unsigned int prefix_of(const char *text, struct dp_addr *ret)
{
	char addr[64];
	const char *slash = strchr(text, '/');

	assert_true(slash && (size_t)(slash - text) < sizeof(addr));
	memcpy(addr, text, (size_t)(slash - text));
	addr[slash - text] = '\0';
	*ret = harness_addr(addr);
	return (unsigned int)atoi(slash + 1) + (strchr(text, ':') ? 0 : 96);
}

static inline bool bits_equal(const void *a, const void *b, unsigned int bits)
{
	const uint8_t *x = a, *y = b;

	for (unsigned int i = 0; i < bits; i++) {
		if ((x[i / 8] ^ y[i / 8]) >> (7 - i % 8) & 1)
			return false;
	}
	return true;
}

/* What counts for the usual packets from our site, of a lane. */
static inline struct dp_meter_key world_usual_key(bool six, uint8_t lane)
{
	struct dp_meter_key key = { .local_site = 1, .remote_site = 2, .class = lane };

	key.local_len =
		(uint8_t)prefix_of(six ? "2001:db8:86dd:100::/56" : "8.0.1.0/24", &key.local);
	key.remote_len =
		(uint8_t)prefix_of(six ? "2001:db8:86dd:200::/56" : "8.0.2.0/24", &key.remote);
	return key;
}

/* -- Maps. -- */

static inline void put_if(const char *map, const void *key, const void *value, bool there)
{
	if (there)
		harness_set(map, key, value);
	else
		(void)bpf_map_delete_elem(harness_map(map), key); /* it may never have been there */
}

static inline void world_write_routes(void)
{
	const uint32_t nothing = 0;

	for (size_t i = 0; i < COUNT(world_routes); i++) {
		const struct world_route *route = &world_routes[i];
		struct dp_route value = { .site = (uint16_t)route->site,
					  .flags = route->own ? DP_ROUTE_OWN : 0 };
		struct dp_route6_key key6;
		struct dp_route4_key key4;

		if (route->next_hop)
			value.next_hop = harness_addr(route->next_hop);
		key6.prefixlen = prefix_of(route->prefix, &key6.addr);
		value.prefix = key6.addr;
		value.prefix_len = (uint8_t)key6.prefixlen;
		key4.prefixlen = key6.prefixlen - 96;
		key4.addr = key6.addr.word[3];
		if (strchr(route->prefix, ':'))
			harness_set("dp_routes6", &key6, &value);
		else
			harness_set("dp_routes4", &key4, &value);
	}
	for (size_t i = 0; i < COUNT(world_own); i++) {
		struct dp_addr addr = harness_addr(world_own[i]);

		harness_set("dp_own", &addr, &nothing);
	}
}

static inline void world_write(const struct world *world)
{
	struct dp_config config = { .version = DP_VERSION,
				    .id = 1,
				    .kind = DP_KIND_GATEWAY,
				    .lanes = 2,
				    .lane_class = { 0, 1, 2, 3 }, /* so that meters tell lanes */
				    .lan_ifindex = world->lan_ifindex };
	const uint32_t zero = 0;

	harness_set("dp_config", &zero, &config);
	for (uint16_t site = SITE_FIRST; site < SITE_END; site++)
		harness_set("dp_sites", &site, &world->sites[site]);
	for (uint16_t id = NODE_FIRST; id < NODE_END; id++) {
		struct dp_tunnel tunnel = { .node = id,
					    .site = world->nodes[id].site,
					    .lane = world->sites[world->nodes[id].site].lane };

		harness_set("dp_nodes", &id, &world->nodes[id]);
		put_if("dp_heard", &id, &world->heard[id], world->heard_of[id]);
		harness_set("dp_tunnels", &world->tunnel_ifindex[id], &tunnel);
		for (uint16_t i = 0; i < PATHS; i++) {
			struct dp_path_key key = { id, i };

			put_if("dp_paths", &key, &world->paths[id][i], world->has_path[id][i]);
			put_if("dp_path_states", &key, &world->states[id][i],
			       world->has_path[id][i]);
		}
	}
}

/*
 * Lanes: 0 best, 1 protected, 2 and 3 bulk. Towards site 2 best, but for DSCP 46 protected and 8 bulk;
 * towards site 3 protected, but for DSCP 46 best. Nodes have the lane of their site only.
 */
static inline void world_set_lanes(struct dp_site *site)
{
	static const struct dp_lanes lanes[DP_CLASS_MAX] = {
		[DP_CLASS_BEST] = { .n = 1 },
		[DP_CLASS_PROTECTED] = { 1, { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 }, { 0 } },
		[DP_CLASS_BULK] = { 2, { 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3 }, { 0 } },
	};

	memcpy(site->lanes, lanes, sizeof(lanes));
	memset(site->class_of_dscp, site->lane ? DP_CLASS_PROTECTED : DP_CLASS_BEST,
	       sizeof(site->class_of_dscp));
	site->class_of_dscp[46] = site->lane ? DP_CLASS_BEST : DP_CLASS_PROTECTED;
	site->class_of_dscp[8] = DP_CLASS_BULK;
}

/* Both gateways of both sites alive, none active, the first ones followed. */
static inline void world_init(struct world *world, unsigned int lan_ifindex,
			      const unsigned int tunnel_ifindex[NODE_END])
{
	memset(world, 0, sizeof(*world));
	world->lan_ifindex = lan_ifindex;
	for (uint16_t site = SITE_FIRST; site < SITE_END; site++) {
		uint16_t first = (uint16_t)(NODE_FIRST + 2 * (site - SITE_FIRST));

		world->sites[site] = (struct dp_site){ .gateways = { first, first + 1 },
						       .current = first,
						       .mtu = site == 2 ? 1420 : 1400,
						       .mss_clamp = site == 3,
						       .lane = site == 3 };
		world_set_lanes(&world->sites[site]);
	}
	for (uint16_t id = NODE_FIRST; id < NODE_END; id++) {
		struct dp_node *node = &world->nodes[id];

		world->tunnel_ifindex[id] = tunnel_ifindex[id];
		*node = (struct dp_node){ .kind = DP_KIND_GATEWAY,
					  .n_order = PATHS,
					  .order = { 2, 0, 1 },
					  .site = id < 5 ? 2 : 3 };
		node->tunnel_ifindex[world->sites[node->site].lane] = tunnel_ifindex[id];
		for (size_t i = 0; i < PATHS; i++) {
			world->has_path[id][i] = true;
			world->paths[id][i] = (struct dp_path){ .ifindex = 1, .dead_ns = 35 };
			world->states[id][i].last_sent_ns = 1000;
			world->states[id][i].last_reply_ns = 990;
		}
	}
}

/* -- Random. -- */

static uint64_t random_state = 1;

static inline uint32_t random32(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 16);
}

static inline uint32_t random_below(uint32_t n)
{
	return random32() % n;
}

static inline bool random_one_in(uint32_t n)
{
	return !random_below(n);
}

static inline void world_randomise(struct world *world)
{
	for (int site = SITE_FIRST; site < SITE_END; site++) {
		struct dp_site *s = &world->sites[site];

		s->current = random_one_in(8) ? 0 : s->gateways[random_below(2)];
		s->mtu = (uint16_t)(1280 + random_below(300));
		s->mss_clamp = (uint8_t)random_below(2);
	}
	for (int id = NODE_FIRST; id < NODE_END; id++) {
		struct dp_node *node = &world->nodes[id];
		uint8_t lane = world->sites[node->site].lane;

		for (int i = 0; i < DP_LANES_MAX; i++)
			node->tunnel_ifindex[i] = random_one_in(4)   ? 0
						  : random_one_in(8) ? NO_DEVICE
								     : world->tunnel_ifindex[id];
		node->n_order = (uint8_t)random_below(PATHS + 1);
		node->tunnel_ifindex[lane] = random_one_in(8) ? 0 : world->tunnel_ifindex[id];
		world->heard_of[id] = !random_one_in(4);
		world->heard[id].role = random_below(2) ? DP_ROLE_ACTIVE : DP_ROLE_STANDBY;
		world->heard[id].generation = random_below(3);
		for (int i = 0; i < PATHS; i++) {
			struct dp_path_state *state = &world->states[id][i];

			node->order[i] = (uint8_t)random_below(PATHS);
			world->has_path[id][i] = !random_one_in(8);
			world->paths[id][i].ifindex = !random_one_in(8);
			state->last_reply_ns = random_one_in(8) ? 0 : 1000 + random_below(100);
			state->last_sent_ns = random_one_in(8) ? 0 : 1000 + random_below(200);
		}
	}
}

/* -- Packets. -- */

#define OWN4 "8.0.1.10"
#define OWN6 "2001:db8:86dd:100::10"
#define SITE2_4 "8.0.2.2"
#define SITE2_6 "2001:db8:86dd:200::2"
#define SITE3_4 "8.0.3.2"
#define SITE3_6 "2001:db8:86dd:300::2"
#define PROTO_HOPS 256 /* "hop by hop", which is 0 */

/* 0: the usual, which is UDP over IPv4 from our site to another (or to ours, on a tunnel). */
struct shape {
	bool tunnel, six;
	const char *from, *to;
	int proto;
	unsigned int len; /* of what is behind the IP header */
	unsigned int gso; /* size of a segment's payload */
	int ttl;	  /* 64; below 0: 0 */
	uint8_t tos;
	uint16_t port; /* exclusive-or of the source's */
	uint8_t tcp_flags, tcp_words;
	uint8_t first;	    /* byte of the IP packet */
	uint16_t fragment;  /* flags and offset */
	uint16_t bad_sum;   /* added to it */
	int wrong;	    /* added to the length in the header */
	unsigned int pad;   /* bytes of it behind */
	unsigned int cut;   /* bytes less */
	uint16_t ethertype; /* that of the IP version */
	uint8_t mac;	    /* exclusive-or of the destination's first byte */
};

static inline void put16(uint8_t *at, unsigned int value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline unsigned int get16(const uint8_t *at)
{
	return (unsigned int)at[0] << 8 | at[1];
}

static inline unsigned int sum16(const uint8_t *data, size_t len)
{
	unsigned int sum = 0;

	for (size_t i = 0; i < len; i += 2)
		sum += get16(data + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static inline size_t shape_build(const struct shape *s, uint8_t *frame)
{
	const char *ours = s->six ? OWN6 : OWN4, *theirs = s->six ? SITE2_6 : SITE2_4;
	const char *from = s->from ? s->from : s->tunnel ? theirs : ours;
	const char *to = s->to ? s->to : s->tunnel ? ours : theirs;
	const bool six = strchr(from, ':');
	const size_t link = s->tunnel ? 0 : ETHER_LEN;
	const uint8_t proto = (uint8_t)(s->proto ? s->proto : IPPROTO_UDP);
	const uint8_t ttl = (uint8_t)(s->ttl < 0 ? 0 : s->ttl ? s->ttl : 64);
	const unsigned int len = s->len ? s->len : 60;
	const uint8_t first = s->first ? s->first : six ? 0x60 : 0x45;
	const size_t header = six ? 40 : first == 0x46 ? 24 : 20;
	struct dp_addr source = harness_addr(from), destination = harness_addr(to);
	uint8_t *ip = frame + link, *rest = ip + header;

	assert_true(link + header + len + s->pad <= FRAME_MAX);
	memset(frame, 0, link + header);
	if (link) {
		memcpy(frame, lan_mac, 6);
		frame[0] ^= s->mac;
		memcpy(frame + 6, host_mac, 6);
		put16(frame + 12, s->ethertype ? s->ethertype : six ? 0x86dd : 0x0800);
	}
	ip[0] = first;
	ip[1] = s->tos;
	if (six) {
		ip[0] |= s->tos >> 4;
		ip[1] = (uint8_t)(s->tos << 4);
		put16(ip + 4, (unsigned int)((int)len + s->wrong));
		ip[6] = proto;
		ip[7] = ttl;
		memcpy(ip + 8, &source, 16);
		memcpy(ip + 24, &destination, 16);
	} else {
		put16(ip + 2, (unsigned int)((int)(header + len) + s->wrong));
		put16(ip + 6, s->fragment);
		ip[8] = ttl;
		ip[9] = proto;
		memcpy(ip + 12, &source.word[3], 4);
		memcpy(ip + 16, &destination.word[3], 4);
		memset(ip + 20, 1, header - 20); /* options: nothing, four times */
		put16(ip + 10, (~sum16(ip, header) & 0xffff) + s->bad_sum);
	}
	for (size_t i = 0; i < len + s->pad; i++)
		rest[i] = (uint8_t)(i * 7);
	if (len >= 2)
		put16(rest, get16(rest) ^ s->port);
	if (proto == IPPROTO_TCP && len >= 20) {
		rest[12] = (uint8_t)((s->tcp_words ? s->tcp_words : 5) << 4);
		rest[13] = s->tcp_flags ? s->tcp_flags : 0x10;
	}
	return link + header + len + s->pad - s->cut;
}

/* -- The oracle. -- */

struct verdict {
	bool fast;
	size_t len; /* of the frame afterwards */
	uint8_t frame[FRAME_MAX];
	uint64_t packets, bytes;
	int node; /* whose tunnel it takes; on a tunnel unused */
	struct dp_meter_key key;
};

static inline const struct world_route *oracle_route(const struct dp_addr *addr, bool six)
{
	const struct world_route *best = NULL;
	unsigned int best_len = 0;

	for (size_t i = 0; i < COUNT(world_routes); i++) {
		struct dp_addr prefix;
		unsigned int len = prefix_of(world_routes[i].prefix, &prefix);

		if (six != !!strchr(world_routes[i].prefix, ':') ||
		    !bits_equal(addr, &prefix, len) || (best && len < best_len))
			continue;
		best = &world_routes[i];
		best_len = len;
	}
	return best;
}

static inline bool oracle_any(const char *const *prefixes, size_t n, const struct dp_addr *addr)
{
	for (size_t i = 0; i < n; i++) {
		struct dp_addr prefix;
		unsigned int len = prefix_of(prefixes[i], &prefix);

		if (bits_equal(addr, &prefix, len))
			return true;
	}
	return false;
}

static inline bool oracle_special(const struct dp_addr *addr, bool six)
{
	static const char *const prefixes4[] = { "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16",
						 "224.0.0.0/3" };
	static const char *const prefixes6[] = { "::/64", "fe80::/10", "ff00::/8" };

	return six ? oracle_any(prefixes6, COUNT(prefixes6), addr)
		   : oracle_any(prefixes4, COUNT(prefixes4), addr);
}

static inline bool oracle_own(const struct dp_addr *addr)
{
	for (size_t i = 0; i < COUNT(world_own); i++) {
		struct dp_addr own = harness_addr(world_own[i]);

		if (!memcmp(addr, &own, sizeof(own)))
			return true;
	}
	return false;
}

static inline bool oracle_alive(const struct world *world, int id)
{
	for (int i = 0; i < world->nodes[id].n_order; i++) {
		int path = world->nodes[id].order[i];
		const struct dp_path_state *state = &world->states[id][path];

		if (world->has_path[id][path] && world->paths[id][path].ifindex &&
		    state->last_sent_ns && state->last_reply_ns &&
		    state->last_sent_ns <= state->last_reply_ns + world->paths[id][path].dead_ns)
			return true;
	}
	return false;
}

/* Who gets what is for a site, by the words of the rule; 0: nobody. */
static inline int oracle_gateway(const struct world *world, int number)
{
	const struct dp_site *site = &world->sites[number];
	bool usable[2], alive[2], current[2];
	int best = -1;

	for (int i = 0; i < 2; i++) {
		int id = site->gateways[i];

		usable[i] = world->nodes[id].n_order && world->nodes[id].tunnel_ifindex[site->lane];
		alive[i] = usable[i] && oracle_alive(world, id);
		current[i] = id == site->current;
	}
	for (int i = 0; i < 2; i++) {
		const struct dp_heard *heard = &world->heard[site->gateways[i]];

		if (!alive[i] || !world->heard_of[site->gateways[i]] ||
		    heard->role != DP_ROLE_ACTIVE)
			continue;
		if (best < 0 || heard->generation > world->heard[site->gateways[best]].generation ||
		    (heard->generation == world->heard[site->gateways[best]].generation &&
		     current[i]))
			best = i;
	}
	for (int i = 0; i < 2 && best < 0; i++)
		best = alive[i] && current[i] ? i : -1;
	for (int i = 0; i < 2 && best < 0; i++)
		best = alive[i] ? i : -1;
	for (int i = 0; i < 2 && best < 0; i++)
		best = usable[i] && current[i] ? i : -1;
	/* Nothing speaks for either: the one that claims more, as among those alive. */
	if (best < 0 && usable[0] && usable[1]) {
		const struct dp_heard *a = &world->heard[site->gateways[0]];
		const struct dp_heard *b = &world->heard[site->gateways[1]];
		bool a_active = world->heard_of[site->gateways[0]] && a->role == DP_ROLE_ACTIVE;
		bool b_active = world->heard_of[site->gateways[1]] && b->role == DP_ROLE_ACTIVE;

		best = b_active && (!a_active || b->generation > a->generation);
	}
	for (int i = 0; i < 2 && best < 0; i++)
		best = usable[i] ? i : -1;
	return best < 0 ? 0 : site->gateways[best];
}

/* The lane by which it goes to that node: of its DSCP's class, if the node has it. */
static inline uint8_t oracle_lane(const struct world *world, int site, int node, const uint8_t *ip,
				  bool six)
{
	const struct dp_site *s = &world->sites[site];
	const uint8_t tos = six ? (uint8_t)(ip[0] << 4 | ip[1] >> 4) : ip[1];
	const uint8_t proto = six ? ip[6] : ip[9];
	struct lan_packet packet = { .protocol = proto };
	uint8_t lane;

	packet.source.word[2] = packet.destination.word[2] = htonl(0xffff);
	memcpy(six ? &packet.source.word[0] : &packet.source.word[3], ip + (six ? 8 : 12),
	       six ? 16 : 4);
	memcpy(six ? &packet.destination.word[0] : &packet.destination.word[3],
	       ip + (six ? 24 : 16), six ? 16 : 4);
	if (proto == IPPROTO_TCP || proto == IPPROTO_UDP)
		memcpy(&packet.ports, ip + (six ? 40 : 20), 4);
	lane = s->lane;
	switch (s->class_of_dscp[tos >> 2]) {
	case DP_CLASS_BEST:
		lane = 0;
		break;
	case DP_CLASS_PROTECTED:
		lane = 1;
		break;
	case DP_CLASS_BULK:
		lane = ((uint64_t)lan_flow(&packet) * 12 >> 32) % 2 ? 3 : 2;
		break;
	}
	if (!world->nodes[node].tunnel_ifindex[lane] ||
	    world->nodes[node].tunnel_ifindex[lane] == NO_DEVICE)
		lane = s->lane;
	return lane;
}

/* True: the packet's IP part is a plain one. Tells its length and that of its headers. */
static inline bool oracle_plain(const uint8_t *ip, size_t room, unsigned int ethertype,
				size_t *ret_len, size_t *ret_headers, bool *ret_syn)
{
	static const uint8_t extensions[] = { 0, 43, 44, 51, 60, 135, 139, 140, 253, 254 };
	size_t len, header;
	uint8_t proto, ttl;

	if (ethertype == 0x0800) {
		if (room < 20 || ip[0] >> 4 != 4 || (ip[0] & 15) != 5 || sum16(ip, 20) != 0xffff)
			return false;
		if (get16(ip + 6) != 0 && get16(ip + 6) != 0x4000)
			return false;
		header = 20;
		len = get16(ip + 2);
		ttl = ip[8];
		proto = ip[9];
	} else if (ethertype == 0x86dd) {
		if (room < 40 || ip[0] >> 4 != 6)
			return false;
		header = 40;
		len = 40 + get16(ip + 4);
		ttl = ip[7];
		proto = ip[6];
		if (memchr(extensions, proto, sizeof(extensions)))
			return false;
	} else {
		return false;
	}
	if (ttl < 2 || len < header || len > room)
		return false;
	*ret_len = len;
	*ret_headers = 0;
	*ret_syn = false;
	if (proto == IPPROTO_UDP) {
		*ret_headers = header + 8;
	} else if (proto == IPPROTO_TCP) {
		if (len < header + 20 || ip[header + 12] >> 4 < 5)
			return false;
		*ret_headers = header + (size_t)(ip[header + 12] >> 4) * 4;
		*ret_syn = ip[header + 13] & 2;
	}
	return *ret_headers <= len;
}

static inline void oracle_key(const struct world_route *local, const struct world_route *remote,
			      uint8_t direction, struct dp_meter_key *ret)
{
	ret->local_len = (uint8_t)prefix_of(local->prefix, &ret->local);
	ret->remote_len = (uint8_t)prefix_of(remote->prefix, &ret->remote);
	ret->local_site = (uint16_t)local->site;
	ret->remote_site = (uint16_t)remote->site;
	ret->direction = direction;
}

/* from: whose tunnel the packet came out of; 0: it is from the LAN. */
static inline void oracle(const struct world *world, int from, const uint8_t *frame, size_t len,
			  unsigned int ethertype, unsigned int gso, struct verdict *ret)
{
	const size_t link = from ? 0 : ETHER_LEN;
	struct dp_addr source = { .word = { 0, 0, htonl(0xffff), 0 } }, destination = source;
	const struct world_route *out, *back;
	size_t ip_len, headers, longest = 0, left;
	uint8_t *ip;
	bool syn;

	memset(ret, 0, sizeof(*ret));
	memcpy(ret->frame, frame, len);
	ret->len = len;
	if (!from && memcmp(frame, lan_mac, 6) != 0)
		return;
	if (!oracle_plain(frame + link, len - link, ethertype, &ip_len, &headers, &syn))
		return;
	if (gso && (!headers || ip_len != len - link))
		return;
	if (ethertype == 0x0800) {
		memcpy(&source.word[3], frame + link + 12, 4);
		memcpy(&destination.word[3], frame + link + 16, 4);
	} else {
		memcpy(&source, frame + link + 8, 16);
		memcpy(&destination, frame + link + 24, 16);
	}
	if (oracle_special(&source, ethertype == 0x86dd) ||
	    oracle_special(&destination, ethertype == 0x86dd))
		return;

	/* One segment after the other. */
	if (!gso) {
		headers = 0;
		gso = (unsigned int)ip_len;
	}
	left = ip_len - headers;
	do {
		size_t payload = left < gso ? left : gso;

		ret->packets++;
		ret->bytes += headers + payload;
		longest = headers + payload > longest ? headers + payload : longest;
		left -= payload;
	} while (left);

	back = oracle_route(&source, ethertype == 0x86dd);
	out = oracle_route(&destination, ethertype == 0x86dd);
	if (!out || !back || oracle_own(&destination))
		return;
	if (from) {
		if (back->own || back->site != world->nodes[from].site || !out->own ||
		    longest > LAN_MTU)
			return;
		if (ethertype == 0x86dd && out->next_hop && !strchr(out->next_hop, ':'))
			return;
		oracle_key(out, back, DP_IN, &ret->key);
	} else {
		if (!back->own || oracle_own(&source) || out->own || out->site >= SITE_END)
			return;
		if ((syn && world->sites[out->site].mss_clamp) ||
		    longest > world->sites[out->site].mtu)
			return;
		ret->node = oracle_gateway(world, out->site);
		if (!ret->node)
			return;
		oracle_key(back, out, DP_OUT, &ret->key);
	}
	ret->key.class = from ? world->sites[ret->key.remote_site].lane
			      : oracle_lane(world, ret->key.remote_site, ret->node, frame + link,
					    ethertype == 0x86dd);

	/* Behind an Ethernet header in any case; from a tunnel an empty one. */
	ret->fast = true;
	ret->len = ETHER_LEN + ip_len;
	memset(ret->frame, 0, ETHER_LEN);
	memcpy(ret->frame, frame, link);
	ip = ret->frame + ETHER_LEN;
	memcpy(ip, frame + link, ip_len);
	if (ethertype == 0x0800) {
		ip[8]--;
		put16(ip + 10, 0);
		put16(ip + 10, ~sum16(ip, 20) & 0xffff);
	} else {
		ip[7]--;
	}
}

#endif
