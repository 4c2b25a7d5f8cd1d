/* SPDX-License-Identifier: GPL-2.0-only */
#include "beacon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "clock.h"
#include "event.h"
#include "hello.h"
#include "wanted.h"

#define RECEIVE_BATCH 64 /* datagrams taken in one turn of the loop */

/*
 * How long the end with the higher id leaves the first word to the other: handshakes that both
 * ends begin at once cross, and WireGuard tries again only after five seconds.
 */
#define YIELD_US 1000000u

struct lane {
	unsigned int ifindex; /* 0: no interface now */
	uint64_t added_us;
	enum beacon_lane state;
	unsigned int missed; /* hellos that came by the first lane since the last on this one */
};

/* A peer and what only this file needs to know of it. */
struct peer {
	struct lane lanes[CONFIG_LANES_MAX];
	uint8_t first;	      /* the lane by which it lives */
	uint32_t sequence;    /* of our last hello */
	uint64_t sent_us[16]; /* when the last hellos left, by sequence modulo 16 */
	uint32_t heard_sequence;
	uint64_t dead_after_us;
};

struct beacon {
	struct sd_event *event;
	struct sd_event_source *io, *timer;
	struct beacon_handlers handlers;
	const struct config *config;
	uint64_t interval_us;
	int fd;
	struct beacon_peer *peers; /* what others may see; same order as private */
	struct peer *private;
	size_t n_peers; /* of other sites */
	size_t n_all;	/* and the partner behind them, if there is one */
};

int beacon_new(struct sd_event *event, const struct beacon_handlers *handlers,
	       struct beacon **ret_beacon)
{
	struct beacon *beacon = calloc(1, sizeof(*beacon));

	if (!beacon)
		return -ENOMEM;
	beacon->event = event;
	beacon->handlers = *handlers;
	beacon->fd = -1;
	*ret_beacon = beacon;
	return 0;
}

static void beacon_close(struct beacon *beacon)
{
	beacon->io = sd_event_source_disable_unref(beacon->io);
	if (beacon->fd >= 0)
		close(beacon->fd);
	beacon->fd = -1;
}

void beacon_free(struct beacon *beacon)
{
	if (!beacon)
		return;
	beacon_close(beacon);
	sd_event_source_disable_unref(beacon->timer);
	free(beacon->peers);
	free(beacon->private);
	free(beacon);
}

static struct in6_addr peer_address(uint16_t id)
{
	struct in6_addr addr = { .s6_addr = { 0xfe, 0x80 } };

	addr.s6_addr[14] = (uint8_t)(id >> 8);
	addr.s6_addr[15] = (uint8_t)id;
	return addr;
}

static bool is_partner(const struct beacon *beacon, size_t i)
{
	return i == beacon->n_peers;
}

/* For messages. */
static const char *kind_of(const struct beacon *beacon, size_t i)
{
	return is_partner(beacon, i) ? "partner" : "peer";
}

static const char *name_of(const struct beacon *beacon, size_t i)
{
	const struct beacon_peer *peer = &beacon->peers[i];

	return beacon->config->mesh.sites[peer->site].gateways[peer->gateway].name;
}

static uint64_t seen_generation(const struct beacon *beacon, size_t site)
{
	uint64_t highest = 0;

	for (size_t i = 0; i < beacon->n_all; i++)
		if (beacon->peers[i].site == site && beacon->peers[i].generation > highest)
			highest = beacon->peers[i].generation;
	return highest;
}

/* The claim of the other gateway of that peer's site. */
static uint64_t rival_generation(const struct beacon *beacon, const struct beacon_peer *peer)
{
	for (size_t i = 0; i < beacon->n_peers; i++) {
		const struct beacon_peer *other = &beacon->peers[i];

		if (other != peer && other->site == peer->site && other->alive && other->active)
			return other->generation;
	}
	return 0;
}

bool beacon_rival(const struct beacon *beacon, uint64_t *ret_generation)
{
	const struct beacon_peer *partner = beacon_partner(beacon);
	bool told = false;

	*ret_generation = 0;
	for (size_t i = 0; i < beacon->n_peers; i++) {
		const struct beacon_peer *peer = &beacon->peers[i];

		if (!peer->alive || !(peer->flags & HELLO_FLAG_RIVAL))
			continue;
		told = true;
		if (peer->rival_generation > *ret_generation)
			*ret_generation = peer->rival_generation;
	}
	if (partner && partner->alive && partner->active && partner->generation > *ret_generation)
		*ret_generation = partner->generation;
	return told;
}

static void send_by_lane(const struct beacon *beacon, uint16_t id, const struct lane *lane,
			 const uint8_t buf[static HELLO_LEN])
{
	const struct sockaddr_in6 to = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(beacon->config->mesh.port_base),
		.sin6_addr = peer_address(id),
		.sin6_scope_id = lane->ifindex,
	};

	/* Silence is what the other end acts on; an interface that is gone is being repaired. */
	(void)sendto(beacon->fd, buf, HELLO_LEN, MSG_DONTWAIT, (const struct sockaddr *)&to,
		     sizeof(to));
}

/* Of this node's LAN, as it is now; nothing where it has none. */
static void tell_mac(const struct beacon *beacon, struct hello *hello)
{
	struct ifreq ifr = { .ifr_flags = 0 };

	memcpy(ifr.ifr_name, beacon->config->node.lan,
	       strnlen(beacon->config->node.lan, sizeof(ifr.ifr_name) - 1));
	if (!ioctl(beacon->fd, SIOCGIFHWADDR, &ifr) && ifr.ifr_hwaddr.sa_family == ARPHRD_ETHER)
		memcpy(hello->lan_mac, ifr.ifr_hwaddr.sa_data, sizeof(hello->lan_mac));
}

static void send_hello(struct beacon *beacon, size_t i, const struct role_claim *self)
{
	struct beacon_peer *peer = &beacon->peers[i];
	struct peer *private = &beacon->private[i];
	uint8_t buf[HELLO_LEN];
	const uint64_t now = clock_now_us();
	struct hello hello = {
		.from = config_self(beacon->config)->id,
		.to = peer->id,
		.role = self->active ? HELLO_ROLE_ACTIVE : HELLO_ROLE_STANDBY,
		.generation = self->generation,
		.seen_generation = seen_generation(beacon, peer->site),
		.digest = beacon->config->digest,
		.severity = self->severity,
		.flags = self->flags | HELLO_FLAG_RIVAL,
		.rival_generation = rival_generation(beacon, peer),
		.sequence = ++private->sequence,
		.echo_sequence = private->heard_sequence,
		.echo_delay_us = peer->received_us ? (uint32_t)(now - peer->received_us) : 0,
	};

	private->sent_us[hello.sequence % 16] = now;
	if (is_partner(beacon, i))
		tell_mac(beacon, &hello);
	hello_encode(&hello, buf);
	for (size_t l = 0; l < CONFIG_LANES_MAX; l++) {
		const struct lane *lane = &private->lanes[l];

		if (!lane->ifindex || (lane->state == BEACON_LANE_UNKNOWN &&
				       hello.from > hello.to && now - lane->added_us < YIELD_US))
			continue;
		send_by_lane(beacon, peer->id, lane, buf);
	}
}

void beacon_announce(struct beacon *beacon)
{
	struct role_claim self;

	if (beacon->fd < 0)
		return;
	self = beacon->handlers.self(beacon->handlers.data);
	for (size_t i = 0; i < beacon->n_all; i++)
		send_hello(beacon, i, &self);
}

static void peer_lost(struct beacon *beacon, size_t i)
{
	struct beacon_peer *peer = &beacon->peers[i];

	peer->alive = false;
	event_warning(EVENT_PEER, "%s %s: alive -> dead (no hello for %u intervals)",
		      kind_of(beacon, i), name_of(beacon, i), BEACON_DEAD_INTERVALS);
	if (!is_partner(beacon, i))
		beacon->handlers.site_changed(peer->site, beacon->handlers.data);
}

/* Told once each time that it changes, whichever end changed its file. */
static void compare_digest(struct beacon *beacon, size_t i)
{
	struct beacon_peer *peer = &beacon->peers[i];
	const bool differs = peer->digest != beacon->config->digest;

	if (!peer->received || peer->differs == differs)
		return;
	peer->differs = differs;
	if (differs)
		event_warning(
			EVENT_SYNC, "%s %s: mesh.yaml same -> other (%016llx there, %016llx here)",
			kind_of(beacon, i), name_of(beacon, i), (unsigned long long)peer->digest,
			(unsigned long long)beacon->config->digest);
	else
		event_info(EVENT_SYNC, "%s %s: mesh.yaml other -> same (%016llx)",
			   kind_of(beacon, i), name_of(beacon, i),
			   (unsigned long long)peer->digest);
}

static void peer_heard(struct beacon *beacon, size_t i, const struct hello *hello)
{
	struct beacon_peer *peer = &beacon->peers[i];
	struct peer *private = &beacon->private[i];
	const char *kind = kind_of(beacon, i), *name = name_of(beacon, i);
	const bool active = hello->role == HELLO_ROLE_ACTIVE;
	const bool changed =
		!peer->alive || peer->active != active || peer->generation != hello->generation;
	const uint64_t now = clock_now_us();
	/* Ours, that it answers: known only while its sending time is still kept. */
	const uint32_t age = private->sequence - hello->echo_sequence;

	if (hello->echo_sequence && age < 16) {
		const uint64_t away = now - private->sent_us[hello->echo_sequence % 16];

		if (away >= hello->echo_delay_us)
			peer->rtt_us = (uint32_t)(away - hello->echo_delay_us) ?: 1;
	}
	if (!peer->alive)
		event_info(EVENT_PEER, "%s %s: dead -> alive (hello)", kind, name);
	if (peer->active != active)
		event_info(EVENT_PEER, "%s %s: %s -> %s (generation %llu)", kind, name,
			   peer->active ? "active" : "standby", active ? "active" : "standby",
			   (unsigned long long)hello->generation);
	peer->alive = true;
	peer->active = active;
	peer->generation = hello->generation;
	peer->severity = hello->severity;
	peer->flags = hello->flags;
	peer->rival_generation = hello->rival_generation;
	peer->digest = hello->digest;
	peer->received_us = now;
	peer->received++;
	private->heard_sequence = hello->sequence;
	compare_digest(beacon, i);
	beacon->handlers.seen(hello->seen_generation, beacon->handlers.data);
	if (is_partner(beacon, i)) {
		beacon->handlers.partner_mac(hello->lan_mac, beacon->handlers.data);
		beacon->handlers.seen(hello->generation, beacon->handlers.data);
	} else if (changed) {
		beacon->handlers.site_changed(peer->site, beacon->handlers.data);
	}
}

static void lane_set(struct beacon *beacon, size_t i, size_t number, enum beacon_lane state)
{
	static const char *const names[] = {
		[BEACON_LANE_NONE] = "none",
		[BEACON_LANE_UNKNOWN] = "unknown",
		[BEACON_LANE_WORKS] = "works",
		[BEACON_LANE_SILENT] = "silent",
	};
	struct lane *lane = &beacon->private[i].lanes[number];
	enum beacon_lane before;

	if (lane->state == state)
		return;
	before = lane->state;
	lane->state = state;
	/* What the first lane does is what the peer does, and is told as that. */
	if (number == beacon->private[i].first)
		return;
	event_info(EVENT_TUNNEL, "lane %zu to %s: %s -> %s (hellos)", number, name_of(beacon, i),
		   names[before], names[state]);
	beacon->handlers.lane_changed(beacon->handlers.data);
}

/* A hello came by this lane. */
static void lane_heard(struct beacon *beacon, size_t i, size_t number)
{
	struct peer *private = &beacon->private[i];

	private->lanes[number].missed = 0;
	lane_set(beacon, i, number, BEACON_LANE_WORKS);
	if (number != private->first)
		return;
	for (size_t l = 0; l < CONFIG_LANES_MAX; l++)
		if (private->lanes[l].ifindex &&
		    ++private->lanes[l].missed > BEACON_SILENT_HELLOS && l != number)
			lane_set(beacon, i, l, BEACON_LANE_SILENT);
}

static bool find_lane(const struct peer *peer, unsigned int ifindex, size_t *ret_number)
{
	for (size_t l = 0; l < CONFIG_LANES_MAX; l++) {
		if (peer->lanes[l].ifindex == ifindex) {
			*ret_number = l;
			return true;
		}
	}
	return false;
}

/* The datagram's interface and addresses must be those of one peer; else it is nobody's. */
static void take_hello(struct beacon *beacon, const uint8_t *buf, size_t len, struct msghdr *msg)
{
	const struct sockaddr_in6 *from = msg->msg_name;
	const struct cmsghdr *cmsg;
	unsigned int ifindex = 0;
	struct hello hello;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg;
	     cmsg = CMSG_NXTHDR(msg, (struct cmsghdr *)(uintptr_t)cmsg)) {
		struct in6_pktinfo info;

		if (cmsg->cmsg_level != IPPROTO_IPV6 || cmsg->cmsg_type != IPV6_PKTINFO)
			continue;
		memcpy(&info, CMSG_DATA(cmsg), sizeof(info));
		ifindex = info.ipi6_ifindex;
	}
	if (!ifindex || hello_decode(buf, len, &hello))
		return;
	for (size_t i = 0; i < beacon->n_all; i++) {
		const struct in6_addr expected = peer_address(beacon->peers[i].id);
		size_t lane;

		if (!find_lane(&beacon->private[i], ifindex, &lane))
			continue;
		if (hello.from != beacon->peers[i].id ||
		    hello.to != config_self(beacon->config)->id ||
		    memcmp(&from->sin6_addr, &expected, sizeof(expected)))
			return;
		lane_heard(beacon, i, lane);
		if (lane == beacon->private[i].first)
			peer_heard(beacon, i, &hello);
		return;
	}
}

/* Take what waits on the socket, up to RECEIVE_BATCH datagrams. */
static void receive_hellos(struct beacon *beacon)
{
	for (int i = 0; i < RECEIVE_BATCH; i++) {
		uint8_t buf[512];
		union {
			char space[CMSG_SPACE(sizeof(struct in6_pktinfo))];
			struct cmsghdr align;
		} control;
		struct sockaddr_in6 from;
		struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
		struct msghdr msg = {
			.msg_name = &from,
			.msg_namelen = sizeof(from),
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};
		ssize_t len = recvmsg(beacon->fd, &msg, MSG_DONTWAIT);

		if (len < 0)
			break;
		take_hello(beacon, buf, (size_t)len, &msg);
	}
}

static int beacon_readable(struct sd_event_source *source, int fd, uint32_t revents, void *data)
{
	(void)source;
	(void)fd;
	(void)revents;
	receive_hellos(data);
	return 0;
}

static int beacon_tick(struct sd_event_source *source, uint64_t usec, void *data)
{
	struct beacon *beacon = data;
	uint64_t now;

	(void)usec;
	beacon_announce(beacon);
	/* If this daemon was held up, what came meanwhile counts before anybody is called dead. */
	receive_hellos(beacon);
	now = clock_now_us();
	for (size_t i = 0; i < beacon->n_all; i++) {
		const struct beacon_peer *peer = &beacon->peers[i];

		if (peer->alive && now - peer->received_us > beacon->private[i].dead_after_us)
			peer_lost(beacon, i);
	}
	sd_event_source_set_time_relative(source, beacon->interval_us);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

static int beacon_open(struct beacon *beacon, uint16_t port)
{
	const struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	const int on = 1, hops = 1;
	int fd, rc;

	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof(hops)) ||
	    bind(fd, (const struct sockaddr *)&any, sizeof(any))) {
		rc = -errno;
		close(fd);
		return rc;
	}
	rc = sd_event_add_io(beacon->event, &beacon->io, fd, EPOLLIN, beacon_readable, beacon);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	beacon->fd = fd;
	return 0;
}

static void refresh_lane(uint16_t id, uint8_t number, bool wanted, struct lane *lane)
{
	char ifname[CONFIG_IFNAME_LEN];
	unsigned int ifindex = 0;

	wanted_ifname(id, number, ifname);
	if (wanted)
		ifindex = if_nametoindex(ifname);
	if (ifindex == lane->ifindex)
		return;
	/* An engine that was started again has something to catch up with: it does not wait. */
	*lane = (struct lane){
		.ifindex = ifindex,
		.added_us = lane->ifindex ? 0 : clock_now_us(),
		.state = ifindex ? BEACON_LANE_UNKNOWN : BEACON_LANE_NONE,
	};
}

/* Lanes to a peer, as bits. To the partner there is but one tunnel. */
static unsigned int lanes_to(const struct beacon *beacon, size_t i, uint8_t *ret_first)
{
	const struct config_policy policy =
		config_policy_with(beacon->config, beacon->peers[i].site);

	*ret_first = 0;
	if (is_partner(beacon, i))
		return 1;
	*ret_first = config_policy_lane(&beacon->config->mesh, &policy);
	return config_policy_lanes(&beacon->config->mesh, &policy);
}

/* Interfaces came or went: look their indices up again. */
static void refresh(struct beacon *beacon)
{
	for (size_t i = 0; i < beacon->n_all; i++) {
		struct peer *private = &beacon->private[i];
		const unsigned int lanes = lanes_to(beacon, i, &private->first);

		for (uint8_t l = 0; l < CONFIG_LANES_MAX; l++)
			refresh_lane(beacon->peers[i].id, l, lanes >> l & 1, &private->lanes[l]);
	}
}

enum beacon_lane beacon_lane(const struct beacon *beacon, uint16_t id, uint8_t lane,
			     unsigned int ifindex)
{
	for (size_t i = 0; i < beacon->n_peers && lane < CONFIG_LANES_MAX; i++)
		if (beacon->peers[i].id == id && ifindex &&
		    beacon->private[i].lanes[lane].ifindex == ifindex)
			return beacon->private[i].lanes[lane].state;
	return BEACON_LANE_NONE;
}

/* Append one gateway, with what is known of it already. */
static void add_peer(const struct beacon *beacon, const struct config *config, size_t site,
		     size_t gateway, struct beacon_peer *peers, struct peer *private, size_t *n)
{
	const struct config_site *remote = &config->mesh.sites[site];
	const uint16_t id = remote->gateways[gateway].id;

	for (size_t i = 0; i < beacon->n_all; i++) {
		if (beacon->peers[i].id != id)
			continue;
		peers[*n] = beacon->peers[i];
		private[*n] = beacon->private[i];
	}
	peers[*n].id = id;
	peers[*n].site = site;
	peers[*n].gateway = gateway;
	private[*n].dead_after_us =
		(uint64_t)config_site_hello_ms(remote) * 1000u * BEACON_DEAD_INTERVALS;
	(*n)++;
}

int beacon_configure(struct beacon *beacon, const struct config *config)
{
	struct beacon_peer *peers;
	struct peer *private;
	size_t most = 0, n = 0, n_peers;
	int rc;

	for (size_t i = 0; i < config->mesh.n_sites; i++)
		most += config->mesh.sites[i].n_gateways;
	peers = calloc(most, sizeof(*peers));
	private = calloc(most, sizeof(*private));
	if (!peers || !private) {
		rc = -ENOMEM;
		goto err;
	}
	if (beacon->fd >= 0 && beacon->config->mesh.port_base != config->mesh.port_base)
		beacon_close(beacon);
	if (beacon->fd < 0) {
		rc = beacon_open(beacon, config->mesh.port_base);
		if (rc)
			goto err;
	}
	beacon->interval_us = (uint64_t)config_site_hello_ms(config_self_site(config)) * 1000u;
	if (!beacon->timer) {
		rc = sd_event_add_time_relative(beacon->event, &beacon->timer, CLOCK_MONOTONIC,
						beacon->interval_us, 1000, beacon_tick, beacon);
		if (rc < 0)
			goto err;
	}
	for (size_t i = 0; i < config->mesh.n_sites; i++)
		for (size_t g = 0; g < config->mesh.sites[i].n_gateways; g++)
			if (i != config->self_site && config_policy_with(config, i).connect)
				add_peer(beacon, config, i, g, peers, private, &n);
	n_peers = n;
	if (config_partner(config))
		add_peer(beacon, config, config->self_site, 1 - config->self_gateway, peers,
			 private, &n);
	free(beacon->peers);
	free(beacon->private);
	beacon->peers = peers;
	beacon->private = private;
	beacon->n_peers = n_peers;
	beacon->n_all = n;
	beacon->config = config;
	refresh(beacon);
	for (size_t i = 0; i < n; i++)
		compare_digest(beacon, i);
	return 0;

err:
	free(peers);
	free(private);
	return rc;
}

const struct beacon_peer *beacon_peers(const struct beacon *beacon, size_t *ret_n)
{
	*ret_n = beacon->n_peers;
	return beacon->peers;
}

const struct beacon_peer *beacon_partner(const struct beacon *beacon)
{
	return beacon->n_all > beacon->n_peers ? &beacon->peers[beacon->n_peers] : NULL;
}
