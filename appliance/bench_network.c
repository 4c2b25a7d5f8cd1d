/* SPDX-License-Identifier: GPL-2.0-only */
#include "bench_network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "address.h"
#include "engine.h"
#include "link.h"
#include "route.h"
#include "sysctl.h"
#include "wireguard.h"

#define TUNNEL_MTU 1420
#define TUNNEL_PORT 51820
#define LOG_DIR "/run/log"
#define FEATURE "tx-udp-segmentation"

struct bench_network {
	int ns[BENCH_NODES];
	struct netlink *route[BENCH_NODES];
	struct sd_event *event;
	struct engines *engines;
	struct key keys[2]; /* of gateway A, B */
	enum engine_kind kind;
};

/* Both ends of the tunnel have names of their own: an engine's socket is known by it. */
static const char *const tunnel_names[] = { "wga", "wgb" };

static const struct {
	enum bench_node node;
	const char *ifname, *address;
} addresses[] = {
	{ BENCH_HOST_A, "eth0", "198.18.1.2" },	   { BENCH_GATEWAY_A, "lan0", "198.18.1.1" },
	{ BENCH_GATEWAY_A, "wan0", "198.18.0.1" }, { BENCH_GATEWAY_B, "wan0", "198.18.0.2" },
	{ BENCH_GATEWAY_B, "lan0", "198.18.2.1" }, { BENCH_HOST_B, "eth0", "198.18.2.2" },
};

int bench_network_enter(struct bench_network *network, enum bench_node node)
{
	return setns(network->ns[node], CLONE_NEWNET) ? -errno : 0;
}

struct sockaddr_in bench_network_address(enum bench_node host, uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		if (addresses[i].node == host)
			address.sin_addr.s_addr = inet_addr(addresses[i].address);
	return address;
}

/* ---- making it ---- */

/* Where engines put their sockets and logs; and /proc of this pid namespace. */
static int mount_private(void)
{
	char run[PATH_MAX];

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || !realpath("/var/run", run) ||
	    mount("tmpfs", run, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=16m") ||
	    (strcmp(run, "/run") &&
	     mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=16m")) ||
	    mkdir(LOG_DIR, 0700) ||
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		return -errno;
	return 0;
}

/* In the new namespace afterwards. */
static int make_node(struct bench_network *network, enum bench_node node)
{
	int rc;

	if (unshare(CLONE_NEWNET))
		return -errno;
	network->ns[node] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (network->ns[node] < 0)
		return -errno;
	rc = netlink_open(NETLINK_ROUTE, 0, &network->route[node]);
	/* What an interface says of itself in IPv6 would begin handshakes; a kernel may have none. */
	(void)sysctl_write("net/ipv6/conf/default/disable_ipv6", "1");
	return rc ? rc : sysctl_write("net/ipv4/ip_forward", "1");
}

static int add_address(struct netlink *route, const char *ifname, const char *text)
{
	struct state_address address = { .prefix.len = 24 };

	snprintf(address.ifname, sizeof(address.ifname), "%s", ifname);
	if (ip_addr_parse(text, &address.prefix.addr))
		return -EINVAL;
	return address_add(route, &address);
}

/* To the other host, by way of a gateway or by an interface. */
static int add_route(struct netlink *route, bool to_a, const char *ifname, const char *via)
{
	struct state_route entry = { .table = RT_TABLE_MAIN, .dst.len = 24 };

	snprintf(entry.ifname, sizeof(entry.ifname), "%s", ifname);
	if (ip_addr_parse(to_a ? "198.18.1.0" : "198.18.2.0", &entry.dst.addr) ||
	    (via && ip_addr_parse(via, &entry.via)))
		return -EINVAL;
	return route_replace(route, &entry);
}

static int feature_index(int fd, const char *ifname, uint32_t *ret_index)
{
	struct {
		struct ethtool_sset_info info;
		uint32_t n;
	} size = { .info = { .cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ull << ETH_SS_FEATURES } };
	struct ifreq request = { .ifr_data = (void *)&size };
	struct ethtool_gstrings *names;
	int rc = -ENOENT;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", ifname);
	if (ioctl(fd, SIOCETHTOOL, &request))
		return -errno;
	names = calloc(1, sizeof(*names) + (size_t)size.n * ETH_GSTRING_LEN);
	if (!names)
		return -ENOMEM;
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_FEATURES;
	names->len = size.n;
	request.ifr_data = (void *)names;
	if (ioctl(fd, SIOCETHTOOL, &request))
		rc = -errno;
	for (uint32_t i = 0; rc == -ENOENT && i < names->len; i++)
		if (!strncmp((const char *)names->data + (size_t)i * ETH_GSTRING_LEN, FEATURE,
			     ETH_GSTRING_LEN)) {
			*ret_index = i;
			rc = 0;
		}
	free(names);
	return rc;
}

/*
 * A cable takes packets of 64 KiB as they are, which flatters an engine that sends such ones. As most cards
 * do: they are cut before they leave, and joined again where they arrive.
 */
static int be_as_a_card(const char *ifname)
{
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ethtool_value join = { .cmd = ETHTOOL_SGRO, .data = 1 };
	struct ifreq request = { 0 };
	struct ethtool_sfeatures *features;
	uint32_t index = 0;
	int rc;

	if (fd < 0)
		return -errno;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", ifname);
	rc = feature_index(fd, ifname, &index);
	features = rc ? NULL
		      : calloc(1, sizeof(*features) +
					  (index / 32 + 1) * sizeof(features->features[0]));
	if (!rc && !features)
		rc = -ENOMEM;
	if (features) {
		features->cmd = ETHTOOL_SFEATURES;
		features->size = index / 32 + 1;
		features->features[index / 32].valid = 1u << index % 32;
		request.ifr_data = (void *)features;
		if (ioctl(fd, SIOCETHTOOL, &request) < 0)
			rc = -errno;
		free(features);
	}
	request.ifr_data = (void *)&join;
	if (!rc && ioctl(fd, SIOCETHTOOL, &request))
		rc = -errno;
	close(fd);
	return rc == -ENOENT ? 0 : rc; /* a kernel that has no such thing */
}

static int connect_nodes(struct bench_network *network)
{
	static const struct {
		enum bench_node a, b;
		const char *if_a, *if_b;
	} cables[] = {
		{ BENCH_HOST_A, BENCH_GATEWAY_A, "eth0", "lan0" },
		{ BENCH_GATEWAY_A, BENCH_GATEWAY_B, "wan0", "wan0" },
		{ BENCH_HOST_B, BENCH_GATEWAY_B, "eth0", "lan0" },
	};
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof(cables) / sizeof(cables[0]); i++)
		rc = link_add_veth(network->route[cables[i].a], cables[i].if_a,
				   network->ns[cables[i].b], cables[i].if_b);
	for (size_t i = 0; !rc && i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		struct netlink *route = network->route[addresses[i].node];

		rc = add_address(route, addresses[i].ifname, addresses[i].address);
		if (!rc && !strcmp(addresses[i].ifname, "wan0"))
			rc = bench_network_enter(network, addresses[i].node);
		if (!rc && !strcmp(addresses[i].ifname, "wan0"))
			rc = be_as_a_card("wan0");
		if (!rc)
			rc = link_set_up(route, addresses[i].ifname, true);
	}
	if (!rc)
		rc = add_route(network->route[BENCH_HOST_A], false, "eth0", "198.18.1.1");
	return rc ? rc : add_route(network->route[BENCH_HOST_B], true, "eth0", "198.18.2.1");
}

/* Not told here: what it carried no longer arrives, which is seen. */
static void engine_exited(const char *ifname, int status, void *data)
{
	(void)ifname;
	(void)status;
	(void)data;
}

int bench_network_new(struct bench_network **ret_network, const char **ret_words)
{
	struct bench_network *network = calloc(1, sizeof(*network));
	int rc = -ENOMEM;

	*ret_words = "memory";
	if (!network)
		return rc;
	network->kind = ENGINE_KIND_MAX;
	for (int i = 0; i < BENCH_NODES; i++)
		network->ns[i] = -1;
	key_generate(&network->keys[0]);
	key_generate(&network->keys[1]);
	*ret_words = "mounts of its own";
	rc = mount_private();
	*ret_words = rc ? *ret_words : "network namespaces";
	for (int i = 0; !rc && i < BENCH_NODES; i++)
		rc = make_node(network, (enum bench_node)i);
	*ret_words = rc ? *ret_words : "cables between them";
	if (!rc)
		rc = connect_nodes(network);
	*ret_words = rc ? *ret_words : "starting engines";
	if (!rc)
		rc = sd_event_new(&network->event) < 0 ? -ENOMEM : 0;
	if (!rc)
		rc = engines_new(network->event, LOG_DIR, engine_exited, NULL, &network->engines);
	if (rc) {
		bench_network_free(network);
		return rc;
	}
	*ret_network = network;
	return 0;
}

void bench_network_free(struct bench_network *network)
{
	if (!network)
		return;
	for (int i = 0; i < BENCH_NODES; i++) {
		if (network->route[i])
			netlink_close(network->route[i]);
		if (network->ns[i] >= 0)
			close(network->ns[i]);
	}
	engines_free(network->engines);
	sd_event_unref(network->event);
	key_wipe(&network->keys[0]);
	key_wipe(&network->keys[1]);
	free(network);
}

/* ---- the tunnel ---- */

static int configure(struct bench_network *network, int end)
{
	struct state_tunnel tunnel = {
		.engine = network->kind == ENGINE_KERNEL ? STATE_ENGINE_KERNEL : STATE_ENGINE_USER,
		.peer_id = 1,
		.listen_port = TUNNEL_PORT,
		.endpoint_port = TUNNEL_PORT,
		.private_key = network->keys[end],
		.allowed_all = true,
	};
	int rc;

	snprintf(tunnel.ifname, sizeof(tunnel.ifname), "%s", tunnel_names[end]);
	key_public(&network->keys[!end], &tunnel.peer_key);
	rc = ip_addr_parse(end ? "198.18.0.1" : "198.18.0.2", &tunnel.endpoint) ? -EINVAL : 0;
	if (!rc)
		rc = wireguard_apply(&tunnel);
	key_wipe(&tunnel.private_key);
	return rc;
}

static int tunnel_end_up(struct bench_network *network, int end)
{
	struct netlink *route = network->route[BENCH_GATEWAY_A + end];
	const char *name = tunnel_names[end];
	int rc = bench_network_enter(network, BENCH_GATEWAY_A + end);

	if (!rc)
		rc = network->kind == ENGINE_KERNEL ? link_add_wireguard(route, name)
						    : engines_start(network->engines, name);
	if (!rc)
		rc = configure(network, end);
	if (!rc)
		rc = link_set_mtu(route, name, TUNNEL_MTU);
	if (!rc)
		rc = link_set_up(route, name, true);
	return rc ? rc : add_route(route, end, name, NULL);
}

int bench_network_up(struct bench_network *network, enum engine_kind kind)
{
	int rc;

	network->kind = kind;
	engines_choose(network->engines, kind == ENGINE_WIREGUARD_GO);
	rc = tunnel_end_up(network, 0);
	return rc ? rc : tunnel_end_up(network, 1);
}

void bench_network_down(struct bench_network *network)
{
	for (int end = 0; end < 2; end++) {
		/* What cannot be ended goes with the namespaces. */
		if (network->kind != ENGINE_KERNEL)
			(void)engines_stop(network->engines, tunnel_names[end]);
		(void)link_delete(network->route[BENCH_GATEWAY_A + end], tunnel_names[end]);
	}
}
