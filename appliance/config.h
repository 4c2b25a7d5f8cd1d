/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The validated configuration of one node: mesh.yaml (the same on every node) and node.yaml.
 *
 * bytes -> yaml tree with locations -> struct config -> struct state (wanted.h).
 * What is in a struct config has passed every check: ids are unique, prefixes of different sites
 * do not overlap, addresses lie where they must. Nothing downstream checks again.
 */
#ifndef NETPAS_CONFIG_H
#define NETPAS_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "diag.h"
#include "ip.h"
#include "key.h"

#define CONFIG_IFNAME_LEN 16 /* IFNAMSIZ */
#define CONFIG_NAME_MAX 32   /* names: [a-z0-9][a-z0-9-]*, at most 31 characters */
#define CONFIG_ID_MAX 4095
#define CONFIG_FILE_MAX (32u << 20) /* bytes; larger files are refused */
#define CONFIG_DEPTH_MAX 16	    /* nesting; deeper is refused */
#define CONFIG_VIPS_MAX 16	    /* VIPs of one site; one VRRP packet carries 20 */
#define CONFIG_PORT_BASE 16384	    /* default */
#define CONFIG_MTU 1420		    /* default tunnel MTU, bytes */
#define CONFIG_MTU_MIN 1280
#define CONFIG_MTU_MAX 9000
#define CONFIG_KEEPALIVE_S 25	/* default */
#define CONFIG_HELLO_MIN_MS 100 /* between hellos to other sites, however short adverts are */
#define CONFIG_VRID 51		/* default */
#define CONFIG_LANES_MAX 4
#define CONFIG_LANE_PORTS 4096u /* of each lane, one after the other from port_base on */
#define CONFIG_DSCP_MAX 63
#define CONFIG_PROBE_FAST_MS 10	 /* default interval of probes on paths that carry traffic */
#define CONFIG_PROBE_SLOW_MS 500 /* default on the others */

#define CONFIG_LAN_PROBES_MAX 8 /* hosts on the LAN that node.yaml names */
#define CONFIG_WEB_PORT 9480	/* default */
#define CONFIG_WEB_ALLOW_MAX 64

enum config_engine {
	CONFIG_ENGINE_AUTO, /* the kernel where it has WireGuard, else user space */
	CONFIG_ENGINE_KERNEL,
	CONFIG_ENGINE_USER, /* netpas-wg where it is installed, else wireguard-go */
	CONFIG_ENGINE_WIREGUARD_GO,
	CONFIG_ENGINE_MAX,
};
extern const char *const config_engine_names[CONFIG_ENGINE_MAX]; /* "auto", ... */

/* How the programs of the data plane are attached; less is taken if the machine cannot do it. */
enum config_dataplane {
	CONFIG_DATAPLANE_AUTO,	  /* as native, but tc where that is better, see programs.c */
	CONFIG_DATAPLANE_NATIVE,  /* native XDP, else generic XDP, else tc */
	CONFIG_DATAPLANE_GENERIC, /* generic XDP, else tc */
	CONFIG_DATAPLANE_TC,
	CONFIG_DATAPLANE_OFF, /* none: nftables, policy routing and the direct path alone */
	CONFIG_DATAPLANE_MAX,
};
extern const char *const config_dataplane_names[CONFIG_DATAPLANE_MAX]; /* "auto", ... */

/* What a site pair asks of its paths. */
enum config_class {
	CONFIG_CLASS_BEST,	/* one path, left when it dies */
	CONFIG_CLASS_PROTECTED, /* every packet by two disjoint paths */
	CONFIG_CLASS_BULK,	/* flows spread over the good paths */
	CONFIG_CLASS_MAX,
};
extern const char *const config_class_names[CONFIG_CLASS_MAX]; /* "best", ... */

/* One WAN address. private_addr equals public_addr where the file gives no private one. */
struct config_wan {
	struct ip_addr public_addr;  /* what other nodes send to */
	struct ip_addr private_addr; /* what this node's own interface holds */
};

struct config_gateway {
	char name[CONFIG_NAME_MAX];
	uint16_t id; /* 1..CONFIG_ID_MAX, unique over gateways and relays */
	struct key public_key;
	struct ip_addr lan4, lan6; /* either may be IP_NONE, not both */
	struct config_wan *wans;   /* at least one */
	size_t n_wans;
};

/* How fast the gateways of a site notice each other's death. */
enum config_profile {
	CONFIG_PROFILE_CLOUD, /* the default */
	CONFIG_PROFILE_FAST,  /* with real-time priority; for a segment of one's own */
	CONFIG_PROFILE_PATIENT,
	CONFIG_PROFILE_MAX,
};
extern const char *const config_profile_names[CONFIG_PROFILE_MAX]; /* "cloud", ... */

/* VRRP interval where none is given. */
extern const uint32_t config_profile_advert_ms[CONFIG_PROFILE_MAX];

struct config_subnet {
	struct ip_prefix prefix;
	struct ip_addr via; /* next hop on the LAN; IP_NONE: the site's router, or on link */
};

struct config_site {
	char name[CONFIG_NAME_MAX];
	struct ip_prefix lan4, lan6;	 /* the segment that both gateways are on; len 0: none */
	struct ip_addr router4, router6; /* the customer's router on it; IP_NONE: all on link */
	struct ip_addr *vips;		 /* each inside lan4 or lan6 */
	size_t n_vips;
	uint8_t vrid; /* VRRP virtual router id, 1..255 */
	enum config_profile profile;
	uint32_t
		advert_ms; /* VRRP interval, 10..40950, a multiple of 10 (RFC 9568: centiseconds) */
	struct config_subnet *subnets; /* sorted by prefix */
	size_t n_subnets;
	struct config_gateway *gateways; /* one or two; the first is preferred at first start */
	size_t n_gateways;
};

struct config_relay {
	char name[CONFIG_NAME_MAX];
	uint16_t id;
	struct key public_key;
	struct config_wan *wans;
	size_t n_wans;
	uint32_t limit_pps; /* packets a second that it takes of each node; 0: no limit */
};

/* What holds between two sites; without an entry: connected, the mesh's MTU, MSS clamped. */
struct config_policy {
	size_t site_a, site_b; /* indices into sites, site_a < site_b */
	bool connect;
	uint16_t mtu; /* tunnel MTU, 1280..9000 */
	bool mss_clamp;
	enum config_class class;
	/* By DSCP of a packet: another class (enum config_class); CONFIG_CLASS_MAX: none. */
	uint8_t dscp[CONFIG_DSCP_MAX + 1];
};

struct config_mesh {
	char name[CONFIG_NAME_MAX];
	uint16_t port_base;
	enum config_engine engine;
	uint16_t mtu;
	uint16_t keepalive_s;			   /* WireGuard persistent keepalive, 1..120 s */
	uint32_t probe_fast_ms;			   /* 5..1000 */
	uint32_t probe_slow_ms;			   /* probe_fast_ms..10000 */
	enum config_class lanes[CONFIG_LANES_MAX]; /* class of each lane */
	size_t n_lanes;				   /* 1..CONFIG_LANES_MAX */
	struct config_site *sites;
	size_t n_sites;
	struct config_relay *relays;
	size_t n_relays;
	struct config_policy *policies;
	size_t n_policies;
};

enum config_proto {
	CONFIG_PROTO_TCP,
	CONFIG_PROTO_UDP,
};

/* One hole in the default-deny input policy of this node. */
struct config_allow {
	struct ip_prefix from;
	enum config_proto proto;
	uint16_t port;
};

struct cloud_config; /* cloud/cloud.h */

/* What a drill may do to a gateway, at the other gateway's word. */
enum config_drills {
	CONFIG_DRILLS_REVERSIBLE, /* what ends by itself */
	CONFIG_DRILLS_ALL,	  /* switching the machine off, too */
	CONFIG_DRILLS_OFF,
	CONFIG_DRILLS_MAX,
};
extern const char *const config_drills_names[CONFIG_DRILLS_MAX]; /* "reversible", ... */

/* Page and metrics: where they are had, and by whom. */
struct config_web {
	uint16_t port;
	struct ip_addr listen4, listen6;   /* either may be IP_NONE, not both */
	char interface[CONFIG_IFNAME_LEN]; /* by which requests come; "": loopback alone */
	struct ip_prefix *allow;	   /* who may ask: at least one */
	size_t n_allow;
	char *token_file;
	struct key token; /* that they must know */
};

/* All of it is on loopback addresses. */
bool config_web_is_local(const struct config_web *web);

struct config_node {
	char name[CONFIG_NAME_MAX]; /* a gateway's or relay's name in mesh.yaml */
	char *key_file;
	char lan[CONFIG_IFNAME_LEN];
	char (*wans)[CONFIG_IFNAME_LEN]; /* at least one, distinct */
	size_t n_wans;
	enum config_engine engine; /* the mesh's unless node.yaml says otherwise */
	enum config_dataplane dataplane;
	enum config_drills drills;
	struct config_allow *allow;
	size_t n_allow;
	struct ip_addr *lan_probes; /* hosts on the LAN to ask whether it lives */
	size_t n_lan_probes;	    /* 0..CONFIG_LAN_PROBES_MAX */
	struct cloud_config *cloud; /* NULL: nothing is moved by a cloud's API */
	struct config_web *web;	    /* NULL: neither page nor metrics */
};

struct config {
	struct config_mesh mesh;
	struct config_node node;
	bool is_relay;			/* this node is a relay: self_relay, no LAN, no site */
	size_t self_relay;		/* in mesh.relays */
	size_t self_site, self_gateway; /* this node in mesh.sites, if it is a gateway */
	struct key private_key;		/* belongs to the gateway's public key (checked) */
	uint64_t digest; /* of the canonical form of mesh; equal on nodes that agree */
};

/*
 * Load and check DIR/mesh.yaml and DIR/node.yaml. Every error found goes to diags; returns 0 and a
 * config to config_free(), or -EINVAL if there was any error (then nothing is returned), -ENOMEM.
 * A relative key path is relative to DIR.
 */
int config_load(const char *dir, struct diag_list *diags, struct config **ret_config);
void config_free(struct config *config); /* wipes the key */

/* The same with this text, which messages call mesh_name, in place of DIR/mesh.yaml. */
int config_load_with(const char *dir, const char *mesh_name, const char *mesh, size_t mesh_len,
		     struct diag_list *diags, struct config **ret_config);

/*
 * The same from memory, for tests and fuzzing: names are what messages say. With no_key the key
 * file is not read, else it is relative to the directory of node_name. Buffers need no terminator and may hold anything.
 */
int config_parse(const char *mesh_name, const char *mesh, size_t mesh_len, const char *node_name,
		 const char *node, size_t node_len, bool no_key, struct diag_list *diags,
		 struct config **ret_config);

/*
 * The same of parts of files that have been read already: a tree's node, and the source of diags that
 * it is of. The key file is not looked at.
 */
struct tree_node;
struct config_part {
	int source;
	const char *name; /* what messages call it */
	const struct tree_node *root;
};
int config_parse_nodes(const struct config_part *mesh, const struct config_part *node,
		       struct diag_list *diags, struct config **ret_config);

/* Canonical forms: they parse back to an equal config, and print the same again. */
void config_print_mesh(const struct config *config, FILE *out);
void config_print_node(const struct config *config, FILE *out);

/* Both say the same, in the mesh, of the node and by its key; false also if out of memory. */
bool config_same(const struct config *a, const struct config *b);

/* Of a gateway; a relay has none. */
const struct config_site *config_self_site(const struct config *config);
const struct config_gateway *config_self(const struct config *config);

/* The other gateway of the own site; NULL: there is none. */
const struct config_gateway *config_partner(const struct config *config);

/* Of any node: its id and its WAN addresses. */
uint16_t config_self_id(const struct config *config);
const struct config_wan *config_self_wans(const struct config *config, size_t *ret_n);

/* The policy between this node's site and another one (defaults where the file has none). */
struct config_policy config_policy_with(const struct config *config, size_t site);

/* Lanes that have this class, as bits; every class that a policy asks for has one. */
unsigned int config_class_lanes(const struct config_mesh *mesh, enum config_class class);

/* The class of what has this DSCP. */
enum config_class config_policy_class(const struct config_policy *policy, unsigned int dscp);

/* Lanes between two sites, as bits, and the one of their own class: for all that has no DSCP. */
unsigned int config_policy_lanes(const struct config_mesh *mesh,
				 const struct config_policy *policy);
uint8_t config_policy_lane(const struct config_mesh *mesh, const struct config_policy *policy);

/* Between hellos of the gateways of a site, in milliseconds. */
uint32_t config_site_hello_ms(const struct config_site *site);

/*
 * A site's own number, stable across reloads: the lowest id of its gateways. It makes the packet
 * mark and the routing table of the site.
 */
uint16_t config_site_number(const struct config_site *site);

#endif
