/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the BPF programs and user space share: the wire format of probes, keys and values of the
 * maps, the reasons for drops. Fixed-width types and explicit padding only.
 *
 * Who writes a map: what a node, a path, a route is (configuration) is written by netpasd alone;
 * what was seen (states, counters) by the programs alone, so that a reload never overwrites it.
 * All maps are pinned under DP_PIN_DIR by their names, and outlive the daemon.
 *
 * Addresses are 16 bytes, IPv4 ones mapped (::ffff:a.b.c.d). Ids, ports and counters in maps are
 * in host order, addresses in network order; everything in a probe is big endian. Times are
 * CLOCK_MONOTONIC in nanoseconds of the node that took them.
 */
#ifndef NETPAS_DATAPLANE_H
#define NETPAS_DATAPLANE_H

#include <linux/types.h>

#define DP_PIN_DIR "/sys/fs/bpf/netpas"
#ifndef DP_VERSION   /* a test of upgrades builds another one */
#define DP_VERSION 4 /* of the maps' layout; pinned maps of another one are not adopted */
#endif

#define DP_ID_MAX 4095
#define DP_LANES_MAX 4
#define DP_LANE_PORTS 4096 /* lane k adds k times this to both ports */
#define DP_DSCPS 64
#define DP_PATHS_MAX 32 /* of one peer */
#define DP_ORDER_MAX 8	/* paths that the kernel chooses among */
#define DP_NODES_MAX 4096
#define DP_ROUTES_MAX 262144 /* prefixes of all sites, of each family */

struct dp_addr {
	__be32 word[4];
};

/* -- Probes. In UDP, with the ports and addresses of data. -- */

#define DP_PROBE_VERSION 1
#define DP_PROBE_LEN 96	      /* of the part that is signed; padding may follow */
#define DP_PROBE_REQUEST 0xb1 /* WireGuard's message types are 1 to 4 */
#define DP_PROBE_REPLY 0xb2

enum dp_role {
	DP_ROLE_STANDBY,
	DP_ROLE_ACTIVE,
	DP_ROLE_RELAY,
};

/*
 * After RFC 8762 (STAMP). A request says what its sender is and how it fares; the reply is the
 * request with ends exchanged, the reflector's own claims, and what it has received. Length and
 * padding stay, so a padded probe tells that both directions carry its size.
 */
struct dp_probe {
	__u8 type;
	__u8 version;
	__u8 path; /* the requester's number of it */
	__u8 role; /* enum dp_role of who speaks */
	__be16 from, to;
	__be64 sequence;	/* of the requester, on this path; only grows, also over restarts */
	__be64 sent_ns;		/* the requester's clock when it was sent */
	__be64 received_ns;	/* the reflector's clock when it came; 0 in a request */
	__be64 generation;	/* the speaker's claim (ha/) */
	__be64 seen_generation; /* highest claim seen of the other one's site */
	__be64 digest;		/* of the speaker's mesh.yaml */
	__be32 received;   /* in a reply: requests taken on this path, this one included; wraps */
	__be32 rtt_us;	   /* in a request: last round trip on this path, 0: none yet */
	__be32 loss_ppm;   /* in a request: loss of the other direction as the speaker sees it */
	__u8 reserved[20]; /* 0 */
	__be64 tag;	   /* SipHash-2-4 of all before it (little endian words as published) */
};

/* -- Configuration: written by netpasd. -- */

enum dp_kind {
	DP_KIND_GATEWAY = 1,
	DP_KIND_RELAY,
};

enum dp_class {
	DP_CLASS_BEST,	    /* the first path of the order that is alive */
	DP_CLASS_PROTECTED, /* that and a second one which shares no node and no WAN address with it */
	DP_CLASS_BULK,	    /* flows spread over the paths of the order that are alive */
	DP_CLASS_MAX,
};

/* dp_config: one element. */
struct dp_config {
	__u32 version; /* DP_VERSION */
	__u16 id;      /* of this node */
	__u16 port_base;
	__u8 kind;		       /* enum dp_kind of this node */
	__u8 role;		       /* enum dp_role now */
	__u8 lanes;		       /* 1 to DP_LANES_MAX */
	__u8 lane_class[DP_LANES_MAX]; /* enum dp_class of each lane */
	__u8 reserved;
	__u64 generation; /* this node's claim */
	__u64 digest;
	__u32 lan_ifindex;
	__u32 handshakes_per_s; /* a second and burst of each node, answers apart; 0: unlimited */
	__u32 relay_pps;	/* packets a second that a relay takes of each node; 0: unlimited */
	__u32 reserved2;
};

/* dp_nodes, by __u16 id: every other node. */
struct dp_node {
	__u8 kind;
	__u8 n_order;		   /* 0: not to be sent to */
	__u8 order[DP_ORDER_MAX];  /* numbers of paths, best first */
	__u8 second[DP_ORDER_MAX]; /* to each of those: its disjoint partner, DP_NO_PATH: none */
	__u16 site;		   /* number of its site; 0: a relay */
	__u32 tunnel_ifindex[DP_LANES_MAX]; /* 0: none */
	struct dp_addr canonical_remote; /* what the tunnel's endpoint is: its first WAN address */
	struct dp_addr canonical_local;	 /* own first WAN address of that family (private) */
	__u8 spread; /* bits: positions of the order over which flows are spread, while one lives */
	__u8 reserved[3];
	__u64 key[2];	       /* SipHash key shared with it */
	__u64 seen_generation; /* highest claim seen of its site, to tell it */
};
#define DP_NO_PATH 0xff

/* dp_paths and dp_path_states, by this: */
struct dp_path_key {
	__u16 node;
	__u16 path;
};

struct dp_path {
	struct dp_addr local;	 /* source of what is sent (private WAN address) */
	struct dp_addr remote;	 /* destination: the peer, or the relay (public WAN address) */
	struct dp_addr next_hop; /* neighbour on ifindex; equal to remote if on link */
	__u32 ifindex;		 /* 0: no route now; the path counts as dead */
	__u16 relay;		 /* id of the relay; 0: direct */
	__u8 local_wan, remote_wan;
	__u64 dead_ns; /* alive while last_sent_ns <= last_reply_ns + this */
};

/* dp_locals, by struct dp_addr: this node's own WAN addresses (private). */
struct dp_local {
	__u32 wan; /* index */
};

/* dp_sources, by struct dp_addr: who may send to us, by public WAN address. */
struct dp_source {
	__u16 node;
	__u16 wan;
};

/* dp_arrivals: the path by which a packet came. Absent: by a way that this node does not know. */
struct dp_arrival_key {
	__u16 node; /* whom it is from, by its port */
	__u16 reserved;
	struct dp_addr source, destination;
};
struct dp_arrival {
	__u32 path;
};

/* -- What was seen: written by the programs. -- */

struct dp_path_state {
	__u64 sequence;	     /* of the last request sent; begun by netpasd at UNIX seconds << 32 */
	__u64 last_sent_ns;  /* of the last request; 0: never */
	__u64 last_reply_ns; /* when the last valid reply came; 0: never */
	__u64 reply_highest; /* highest sequence replied, and those before it, against replays */
	__u64 reply_window;
	__u32 sent;	       /* requests; wraps, like all of these */
	__u32 replies;	       /* valid replies taken */
	__u32 remote_received; /* the reflector's count in the newest reply */
	__u32 rtt_us;	       /* of the newest reply */
	__u32 rtt_min_us;      /* since netpasd last wrote 0 here */
	__u32 rtt_max_us;
	__u64 rtt_sum_us; /* since the path was made, with the count in replies: for the mean */
	__s64 clock_offset_ns; /* reflector's clock - ours, by half the round trip */
	__u32 payload_max;     /* longest UDP payload of a reply: what the path carries both ways */
	__u32 reserved;
};

/* dp_samples, a ring: one for each valid reply. Full: the sample is lost, the state is not. */
struct dp_sample {
	__u64 at_ns; /* when the reply came */
	__u64 sequence;
	__u32 rtt_us;
	__u32 sent, replies, remote_received; /* counters of the path's state then */
	__u32 payload;			      /* UDP payload, bytes */
	__u16 node, path;
};

/* dp_reflections, by struct dp_path_key (the requester and its number): requests taken. */
struct dp_reflection {
	__u64 highest; /* sequence, and window against replays */
	__u64 window;
	__u64 last_ns;
	__u32 received;
	__u32 rtt_us;	/* as the requester says */
	__u32 loss_ppm; /* likewise, of our direction */
	__u32 reserved;
};

/* dp_heard, by __u16 id: a node's last authenticated words. */
struct dp_heard {
	__u64 last_ns;
	__u64 generation;
	__u64 seen_generation; /* highest claim of our site that it has seen */
	__u64 digest;
	__u32 role;
	__u32 reserved;
};

/* dp_traffic, per CPU, by this: data packets by path. */
enum dp_direction {
	DP_OUT,
	DP_OUT_COPY, /* the second of 1+1 */
	DP_IN,
	DP_DIRECTION_MAX,
};
struct dp_traffic_key {
	__u16 node;
	__u8 path;
	__u8 direction;
};
/* Real packets, not batches. */
struct dp_count {
	__u64 packets;
	__u64 bytes;
};

/*
 * dp_relayed, per CPU, by this: on relays. What a flow (below) has counted is added when its place
 * is written again; until then both together are all.
 */
struct dp_relayed_key {
	__u16 from, to;
};
/* dp_hops, an array per CPU, by what relay.h makes of the neighbour: what the kernel said of it. */
#define DP_HOPS_MAX 64
struct dp_hop {
	struct dp_addr next_hop;
	__u64 jiffy; /* when it said so; it holds no longer. 0: nothing */
	__u32 ifindex;
	__u32 macs[3]; /* as a frame begins: destination, source */
};

/* dp_flows, an array per CPU, by what relay_flow.h makes of the ends: where such packets went. */
#define DP_FLOWS_MAX 256
struct dp_flow {
	__u64 jiffy; /* when; 0: nothing */
	struct dp_addr source, destination, new_source, new_destination;
	__be16 source_port, destination_port;
	__u16 from, to;
	__u16 difference; /* of the addresses, to UDP's sum */
	__u8 family;	  /* 4, 6 */
	__u8 reserved;
	__u32 ifindex;
	__u32 macs[3];		 /* as in dp_hop */
	struct dp_count relayed; /* of these ends, that are not in dp_relayed and dp_counts */
};

/* dp_buckets, by this: token buckets of the limits above. */
enum dp_bucket_kind {
	DP_BUCKET_HANDSHAKE, /* type 1 */
	DP_BUCKET_RELAY,
	DP_BUCKET_RESPONSE, /* types 2 and 3: who floods with them starves no handshake */
};
struct dp_bucket_key {
	__u16 node;
	__u16 kind;
};
struct dp_bucket {
	__u64 last_ns;
	__u64 tokens; /* in 1/1024 */
};

/* -- LAN fast path. -- */

/* dp_routes4, dp_routes6: longest prefix match over the prefixes of all sites. */
struct dp_route4_key {
	__u32 prefixlen;
	__be32 addr;
};
struct dp_route6_key {
	__u32 prefixlen;
	struct dp_addr addr;
};
struct dp_route {
	__u16 site;  /* number */
	__u16 flags; /* DP_ROUTE_* */
	/* of our own site: the next hop on the LAN; all zero: on link */
	struct dp_addr next_hop;
	/* the prefix itself, for the meter: which one has matched the lookup does not tell */
	struct dp_addr prefix;
	__u8 prefix_len; /* of 128 bits */
	__u8 reserved[3];
};
#define DP_ROUTE_OWN 1 /* of this node's site */

/* Those of one class: each has as many slots as any other, and flows are hashed over slots. */
#define DP_LANE_SLOTS 12 /* which 1, 2, 3 and 4 divide */
struct dp_lanes {
	__u8 n;
	__u8 slot[DP_LANE_SLOTS]; /* numbers of lanes */
	__u8 reserved[3];
};

/* dp_sites, by __u16 number: remote sites. */
struct dp_site {
	__u16 gateways[2]; /* ids; 0: none */
	__u16 current;	/* the one netpasd follows, used while no kernel evidence says otherwise */
	__u16 mtu;	/* inner packets larger than this go to the stack, which answers */
	__u8 mss_clamp; /* SYN segments go to the stack, which clamps */
	__u8 lane; /* that of the stack, for what has no other: the first of the pair's class */
	__u8 reserved[2];
	__u8 class_of_dscp[DP_DSCPS]; /* enum dp_class of what has this DSCP */
	struct dp_lanes lanes[DP_CLASS_MAX];
};

/* dp_tunnels, by __u32 ifindex: what comes out of a tunnel is from this node. */
struct dp_tunnel {
	__u16 node;
	__u16 site;
	__u32 lane;
};

/*
 * dp_own, by struct dp_addr, a __u32 that means nothing: the addresses in prefixes of sites that
 * this node's kernel takes for itself: its own on the LAN, the VIPs (also while the other gateway
 * has them), the LAN's broadcast addresses. What is from or for one of them goes to the stack.
 */

/*
 * dp_meters, per CPU: what customers' packets went between LAN and tunnels, by fast path or stack.
 * Bytes are those of the IP packets on the LAN, headers included. Keys are prefixes and no numbers,
 * so a reload changes the meaning of none, and both ends have the same ones.
 *
 * Pairs for which there is no room are counted in dp_meters_other, with both prefixes zero; and
 * what finds no room there, for want of memory, in dp_meter_rest, by direction. All of these only
 * grow, and nothing is ever taken out: they end with dp_meter_epoch.
 */
#define DP_METERS_MAX (1 << 17)
#define DP_METERS_OTHER_MAX (1 << 15) /* more than sites times classes times directions */
struct dp_meter_key {
	struct dp_addr local, remote; /* prefixes */
	__u16 local_site, remote_site;
	__u8 local_len, remote_len; /* of 128 bits */
	__u8 direction;		    /* DP_OUT or DP_IN */
	__u8 class;		    /* enum dp_class of the lane */
};

/* dp_meter_epoch: one element; netpas-usage names with it the life of these counters. */
struct dp_meter_epoch {
	__u64 id; /* 0: none yet */
};

/* Of the packet mark: what nftables sets (the site) on all that the stack may forward. */
#define DP_MARK_MASK 0x0fff0000

/* -- Faults of drills. -- */

/* dp_faults: one element. What is lost on purpose until then; netpasd's drill agent writes it. */
#define DP_FAULTS_MAX 8
struct dp_fault {
	struct dp_addr local, remote; /* source or destination of what is lost; all zero: any */
	__u32 ifindex;		      /* on this device, both ways; 0: no fault */
	__u32 lost;		      /* of 2^32 - 1 */
};
struct dp_faults {
	__u64 until_ns;	 /* 0 or past: none. Written last, and cleared first */
	__u16 spared[2]; /* UDP ports of the drill's own talk, which is not lost; 0: none */
	__u32 reserved;
	struct dp_fault fault[DP_FAULTS_MAX];
};

/* -- Capture: what programs did with which packet. -- */

/* One for each program; names as in programs.h. */
enum dp_place {
	DP_PLACE_WAN_XDP,
	DP_PLACE_WAN_TC,
	DP_PLACE_WAN_EGRESS,
	DP_PLACE_LAN_INGRESS,
	DP_PLACE_LAN_EGRESS,
	DP_PLACE_TUNNEL_INGRESS,
	DP_PLACE_MAX,
};

/*
 * dp_capture: one element. `netpas capture` writes it and renews until_ns as long as it lives; a
 * program that finds the time past writes 0.
 */
struct dp_capture {
	__u64 until_ns; /* 0: off. Written last */
	__u32 places;	/* bits of enum dp_place */
	__u32 after;	/* likewise: frames as the program left them, else as they came */
	__u32 ifindex;	/* 0: all */
	__u32 snap;	/* bytes of a frame, up to DP_CAPTURE_MAX */
};

#define DP_CAPTURE_COUNTS_MAX 64
/* In the ring that stands in dp_capture_rings meanwhile: one for each run of a program. */
#define DP_CAPTURE_MAX 2048
struct dp_captured {
	__u64 at_ns;
	__u64 counts; /* bits: counters of dp_counts that rose by it */
	__u32 ifindex;
	__u32 len; /* of the frame, or batch */
	__s32 verdict;
	__u16 place;
	__u16 caplen; /* of what follows */
	__u8 data[DP_CAPTURE_MAX];
};
#define DP_CAPTURED_HEAD 32

/* dp_capture_scratch, per CPU, by enum dp_place: from the beginning of a run to its end. */
struct dp_capture_scratch {
	__u64 running;			      /* 0: the run has begun before the capture */
	__u64 lost;			      /* records that found no room */
	__u64 packets[DP_CAPTURE_COUNTS_MAX]; /* of each counter, before */
	struct dp_captured record;
};

/* -- Reasons and events, each a struct dp_count in dp_counts, per CPU. -- */

#define DP_COUNTS(X)                                                                              \
	/* WAN */                                                                                 \
	X(PASS_OTHER, "pass_other")	      /* not of the mesh: to the stack */                 \
	X(PASS_DATA, "pass_data")	      /* to WireGuard */                                  \
	X(DROP_MALFORMED, "drop_malformed")   /* to a mesh port, but no WireGuard message */      \
	X(DROP_FRAGMENT, "drop_fragment")     /* to a mesh address: data is never fragmented */   \
	X(DROP_STRANGER, "drop_stranger")     /* source is no node's */                           \
	X(DROP_SOURCE, "drop_source")	      /* a node's, but not of who it says, nor a relay */ \
	X(DROP_NODE, "drop_node")	      /* ids by ports: unknown, or not for us */          \
	X(DROP_HANDSHAKES, "drop_handshakes") /* over the limit */                                \
	X(DROP_ICMP, "drop_icmp") /* an error about what the mesh sent, says anybody */           \
	X(PROBE_REFLECTED, "probe_reflected")                                                     \
	X(PROBE_TAKEN, "probe_taken")                                                             \
	X(PROBE_SENT, "probe_sent")                                                               \
	X(DROP_PROBE_FORM, "drop_probe_form")                                                     \
	X(DROP_PROBE_TAG, "drop_probe_tag")                                                       \
	X(DROP_PROBE_REPLAY, "drop_probe_replay")                                                 \
	X(DROP_PROBE_UNASKED, "drop_probe_unasked") /* a reply to nothing */                      \
	X(EGRESS_CANONICAL, "egress_canonical")	    /* sent as WireGuard made it */               \
	X(EGRESS_PATH, "egress_path")		    /* sent by another path */                    \
	X(EGRESS_COPY, "egress_copy")                                                             \
	X(EGRESS_NO_PATH, "egress_no_path") /* none alive: the first of the order */              \
	/* relay */                                                                               \
	X(RELAY_FORWARDED, "relay_forwarded")                                                     \
	X(DROP_RELAY_TTL, "drop_relay_ttl")                                                       \
	X(DROP_RELAY_RATE, "drop_relay_rate")                                                     \
	X(DROP_RELAY_NO_PATH, "drop_relay_no_path")                                               \
	/* LAN */                                                                                 \
	X(LAN_FAST, "lan_fast")                                                                   \
	X(LAN_SLOW, "lan_slow") /* to the stack */                                                \
	X(TUNNEL_FAST, "tunnel_fast")                                                             \
	X(TUNNEL_SLOW, "tunnel_slow")                                                             \
	/* both */                                                                                \
	X(DROP_DRILL, "drop_drill") /* by a fault of a drill */

enum dp_count_id {
#define DP_COUNT_ENUM(ID, NAME) DP_COUNT_##ID,
	DP_COUNTS(DP_COUNT_ENUM)
#undef DP_COUNT_ENUM
	DP_COUNT_MAX,
};

_Static_assert(sizeof(struct dp_probe) == DP_PROBE_LEN, "probe");
_Static_assert(sizeof(struct dp_config) == 48, "config");
_Static_assert(sizeof(struct dp_node) == 96, "node");
_Static_assert(sizeof(struct dp_path) == 64, "path");
_Static_assert(sizeof(struct dp_path_state) == 88, "path state");
_Static_assert(sizeof(struct dp_sample) == 40, "sample");
_Static_assert(sizeof(struct dp_reflection) == 40, "reflection");
_Static_assert(sizeof(struct dp_heard) == 40, "heard");
_Static_assert(sizeof(struct dp_hop) == 40, "hop");
_Static_assert(sizeof(struct dp_flow) == 120, "flow");
_Static_assert(sizeof(struct dp_arrival_key) == 36, "arrival");
_Static_assert(sizeof(struct dp_route) == 40, "route");
_Static_assert(sizeof(struct dp_site) == 124, "site");
_Static_assert(sizeof(struct dp_meter_key) == 40, "meter");
_Static_assert(sizeof(struct dp_fault) == 40, "fault");
_Static_assert(sizeof(struct dp_faults) == 336, "faults");
_Static_assert(sizeof(struct dp_capture) == 24, "capture");
_Static_assert(sizeof(struct dp_captured) == DP_CAPTURED_HEAD + DP_CAPTURE_MAX, "captured");
_Static_assert(DP_COUNT_MAX <= DP_CAPTURE_COUNTS_MAX, "counters are bits");

#endif
