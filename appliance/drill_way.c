/* SPDX-License-Identifier: GPL-2.0-only */
#include "drill_way.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "drill_wire.h"
#include "neighbour.h"
#include "rtnl.h"
#include "state.h"

#define GROUP(group) (1u << ((group)-1))
#define GROUPS (GROUP(RTNLGRP_NEIGH) | GROUP(RTNLGRP_IPV4_IFADDR) | GROUP(RTNLGRP_IPV6_IFADDR))
#define HOPS 64
#define PACKET_MAX (sizeof(struct ip6_hdr) + sizeof(struct udphdr) + DRILL_MESSAGE_MAX)

static const struct ip_addr *lan_of(const struct config_gateway *gateway, int family)
{
	return family == IP_V4 ? &gateway->lan4 : &gateway->lan6;
}

static const struct ip_addr *vip_of(const struct config_site *site, int family)
{
	for (size_t i = 0; i < site->n_vips; i++)
		if (site->vips[i].family == family)
			return &site->vips[i];
	return NULL;
}

int drill_way_family(const struct config *config, const struct config_site *a,
		     const struct config_gateway *gateway_a, const struct config_site *b,
		     const struct config_gateway *gateway_b)
{
	static const int families[] = { IP_V4, IP_V6 };

	(void)config;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (lan_of(gateway_a, families[i])->family &&
		    lan_of(gateway_b, families[i])->family && vip_of(a, families[i]) &&
		    vip_of(b, families[i]))
			return families[i];
	return IP_NONE;
}

unsigned int drill_way_sockaddr(const struct ip_addr *addr, uint16_t port, void *ret_sockaddr)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	if (addr->family == IP_V4) {
		memcpy(&in4.sin_addr, addr->bytes, 4);
		memcpy(ret_sockaddr, &in4, sizeof(in4));
		return sizeof(in4);
	}
	memcpy(&in6.sin6_addr, addr->bytes, 16);
	memcpy(ret_sockaddr, &in6, sizeof(in6));
	return sizeof(in6);
}

/* ---- what the kernel says ---- */

static int match_vip(const struct state_address *address, void *data)
{
	const struct drill_way *way = data;

	return !strcmp(address->ifname, way->config->node.lan) &&
	       !ip_addr_compare(&address->prefix.addr, &way->vip);
}

static void set_held(struct drill_way *way, bool held)
{
	if (way->held == held)
		return;
	way->held = held;
	if (way->moved)
		way->moved(held, way->data);
}

static void take_neighbour(struct drill_way *way, const struct nlmsghdr *nlh)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr, *mac = NULL;
	struct ip_addr addr = { 0 };

	if (ndm->ndm_ifindex != (int)way->lan_index)
		return;
	mnl_attr_for_each(attr, nlh, sizeof(*ndm))
	{
		if (mnl_attr_get_type(attr) == NDA_DST)
			(void)rtnl_get_addr(attr, rtnl_ip_family(ndm->ndm_family), &addr);
		else if (mnl_attr_get_type(attr) == NDA_LLADDR &&
			 mnl_attr_get_payload_len(attr) == sizeof(way->mac))
			mac = attr;
	}
	/* One that is not reachable any more is kept: a router does not know better, either. */
	if (!mac || ip_addr_compare(&addr, &way->vip) ||
	    ndm->ndm_state & (NUD_FAILED | NUD_INCOMPLETE | NUD_NOARP))
		return;
	memcpy(way->mac, mnl_attr_get_payload(mac), sizeof(way->mac));
	way->mac_known = true;
}

static void take_address(struct drill_way *way, const struct nlmsghdr *nlh)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	struct ip_addr addr = { 0 }, local = { 0 };

	if (ifa->ifa_index != way->lan_index)
		return;
	mnl_attr_for_each(attr, nlh, sizeof(*ifa))
	{
		if (mnl_attr_get_type(attr) == IFA_ADDRESS)
			(void)rtnl_get_addr(attr, rtnl_ip_family(ifa->ifa_family), &addr);
		else if (mnl_attr_get_type(attr) == IFA_LOCAL)
			(void)rtnl_get_addr(attr, rtnl_ip_family(ifa->ifa_family), &local);
	}
	if (local.family)
		addr = local;
	if (!ip_addr_compare(&addr, &way->vip))
		set_held(way, nlh->nlmsg_type == RTM_NEWADDR);
}

static int take_message(const struct nlmsghdr *nlh, void *data)
{
	struct drill_way *way = data;

	switch (nlh->nlmsg_type) {
	case RTM_NEWNEIGH:
		take_neighbour(way, nlh);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		take_address(way, nlh);
		break;
	}
	return MNL_CB_OK;
}

/* The table as it is; and the question to the VIP, for when it is not in there. */
static void read_all(struct drill_way *way)
{
	struct nlmsghdr *nlh = netlink_request(way->command, RTM_GETNEIGH, NLM_F_DUMP);
	struct ndmsg *ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ndm));

	ndm->ndm_family = rtnl_family(way->vip.family);
	(void)netlink_dump(way->command, nlh, take_message, way); /* events say it again */
	set_held(way, address_dump(way->command, match_vip, way) == 1);
	if (!way->held)
		(void)neighbour_resolve(way->command, way->config->node.lan, &way->vip);
}

int drill_way_fd(const struct drill_way *way)
{
	return netlink_fd(way->events);
}

void drill_way_events(struct drill_way *way)
{
	if (netlink_events(way->events, take_message, way) == -ENOBUFS)
		read_all(way);
}

/* ---- opening ---- */

int drill_way_open(const struct config *config, int family, struct drill_way *ret_way)
{
	const struct ip_addr *vip = vip_of(config_self_site(config), family);
	const struct ip_addr *own = lan_of(config_self(config), family);
	struct drill_way way = { .config = config, .packet_fd = -1, .raw_fd = -1 };
	int rc;

	if (!vip || !own->family)
		return -EAFNOSUPPORT;
	way.vip = *vip;
	way.own = *own;
	way.lan_index = if_nametoindex(config->node.lan);
	if (!way.lan_index)
		return -ENODEV;
	rc = netlink_open(NETLINK_ROUTE, 0, &way.command);
	if (!rc)
		rc = netlink_open(NETLINK_ROUTE, GROUPS, &way.events);
	if (rc)
		goto err;
	way.packet_fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (way.packet_fd >= 0)
		way.raw_fd = socket(rtnl_family((uint8_t)family),
				    SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
	if (way.raw_fd < 0) {
		rc = -errno;
		goto err;
	}
	read_all(&way);
	*ret_way = way;
	return 0;

err:
	drill_way_close(&way);
	return rc;
}

void drill_way_close(struct drill_way *way)
{
	if (way->command)
		netlink_close(way->command);
	if (way->events)
		netlink_close(way->events);
	if (way->packet_fd >= 0)
		close(way->packet_fd);
	if (way->raw_fd >= 0)
		close(way->raw_fd);
	*way = (struct drill_way){ .packet_fd = -1, .raw_fd = -1 };
}

/* ---- sending ---- */

static uint32_t sum_words(uint32_t sum, const void *data, size_t len)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	return len & 1 ? sum + ((uint32_t)bytes[len - 1] << 8) : sum;
}

static uint16_t sum_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static size_t put_ip4(const struct drill_way *way, const struct ip_addr *to, size_t udp_len,
		      uint8_t *buf)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.tot_len = htons((uint16_t)(sizeof(ip) + udp_len)),
		.frag_off = htons(IP_DF),
		.ttl = HOPS,
		.protocol = IPPROTO_UDP,
	};

	memcpy(&ip.saddr, way->own.bytes, 4);
	memcpy(&ip.daddr, to->bytes, 4);
	ip.check = htons(sum_fold(sum_words(0, &ip, sizeof(ip))));
	memcpy(buf, &ip, sizeof(ip));
	return sizeof(ip);
}

static size_t put_ip6(const struct drill_way *way, const struct ip_addr *to, size_t udp_len,
		      uint8_t *buf)
{
	struct ip6_hdr ip = { 0 };

	ip.ip6_flow = htonl(6u << 28);
	ip.ip6_plen = htons((uint16_t)udp_len);
	ip.ip6_nxt = IPPROTO_UDP;
	ip.ip6_hlim = HOPS;
	memcpy(&ip.ip6_src, way->own.bytes, 16);
	memcpy(&ip.ip6_dst, to->bytes, 16);
	memcpy(buf, &ip, sizeof(ip));
	return sizeof(ip);
}

/* The datagram with all its headers. Returns bytes. */
static size_t put_packet(const struct drill_way *way, const struct ip_addr *to, uint16_t from_port,
			 uint16_t to_port, const uint8_t *payload, size_t len, uint8_t *buf)
{
	const size_t udp_len = sizeof(struct udphdr) + len;
	const size_t address_len = to->family == IP_V4 ? 4 : 16;
	const size_t at = to->family == IP_V4 ? put_ip4(way, to, udp_len, buf)
					      : put_ip6(way, to, udp_len, buf);
	struct udphdr udp = {
		.source = htons(from_port),
		.dest = htons(to_port),
		.len = htons((uint16_t)udp_len),
	};
	uint32_t sum = IPPROTO_UDP + (uint32_t)udp_len;

	sum = sum_words(sum, way->own.bytes, address_len);
	sum = sum_words(sum, to->bytes, address_len);
	sum = sum_words(sum, &udp, sizeof(udp));
	udp.check = htons(sum_fold(sum_words(sum, payload, len)));
	if (!udp.check)
		udp.check = 0xffff;
	memcpy(buf + at, &udp, sizeof(udp));
	memcpy(buf + at + sizeof(udp), payload, len);
	return at + udp_len;
}

/* Into the routing table of the site, where a packet of the LAN gets by its mark. */
static int send_marked(struct drill_way *way, const struct config_site *site,
		       const struct ip_addr *to, const uint8_t *packet, size_t len)
{
	const uint32_t mark = (uint32_t)config_site_number(site) << STATE_MARK_SHIFT;
	struct sockaddr_storage address = { 0 };
	unsigned int address_len;

	if (way->mark != mark) {
		if (setsockopt(way->raw_fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)))
			return -errno;
		way->mark = mark;
	}
	address_len = drill_way_sockaddr(to, 0, &address);
	return sendto(way->raw_fd, packet, len, 0, (struct sockaddr *)&address, address_len) < 0
		       ? -errno
		       : 0;
}

int drill_way_send(struct drill_way *way, const struct config_site *site, const struct ip_addr *to,
		   uint16_t from_port, uint16_t to_port, const uint8_t *payload, size_t len)
{
	struct sockaddr_ll link = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(way->own.family == IP_V4 ? ETH_P_IP : ETH_P_IPV6),
		.sll_ifindex = (int)way->lan_index,
		.sll_halen = sizeof(way->mac),
	};
	uint8_t packet[PACKET_MAX];
	size_t packet_len;

	if (len > DRILL_MESSAGE_MAX)
		return -EMSGSIZE;
	packet_len = put_packet(way, to, from_port, to_port, payload, len, packet);
	if (way->held)
		return send_marked(way, site, to, packet, packet_len);
	if (!way->mac_known)
		return -EAGAIN;
	memcpy(link.sll_addr, way->mac, sizeof(way->mac));
	return sendto(way->packet_fd, packet, packet_len, 0, (struct sockaddr *)&link,
		      sizeof(link)) < 0
		       ? -errno
		       : 0;
}
