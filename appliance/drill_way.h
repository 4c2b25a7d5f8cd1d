/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sending as a host on the customer's LAN would: to the VIP, with a LAN address of this gateway as
 * source. While the other gateway has the VIP that is a frame to whoever the VIP's hardware
 * address is, which the kernel's neighbour table knows by ARP, as the customer's router does. While
 * this one has it, the packet begins where such a frame would have come to: at the routing table
 * of the site that it is for.
 */
#ifndef NETPAS_DRILL_WAY_H
#define NETPAS_DRILL_WAY_H

#include <stdbool.h>

#include "config.h"
#include "netlink.h"

struct drill_way {
	const struct config *config;
	struct netlink *command, *events;
	struct ip_addr own, vip;
	unsigned int lan_index;
	int packet_fd, raw_fd;
	uint32_t mark;	/* of raw_fd now */
	uint8_t mac[6]; /* of the VIP */
	bool mac_known;
	bool held; /* this gateway has the VIP */
	/* Called when the VIP comes or goes here; may be NULL. */
	void (*moved)(bool held, void *data);
	void *data;
};

/* The family that two gateways exchange probes over: IPv4 if both have all it takes. IP_NONE: none. */
int drill_way_family(const struct config *config, const struct config_site *a,
		     const struct config_gateway *gateway_a, const struct config_site *b,
		     const struct config_gateway *gateway_b);

/* 0 or -errno. */
int drill_way_open(const struct config *config, int family, struct drill_way *ret_way);
void drill_way_close(struct drill_way *way);

int drill_way_fd(const struct drill_way *way); /* readable: drill_way_events() */
void drill_way_events(struct drill_way *way);

/* One UDP datagram to a host of another site. -EAGAIN: the VIP's hardware address is not known yet. */
int drill_way_send(struct drill_way *way, const struct config_site *site, const struct ip_addr *to,
		   uint16_t from_port, uint16_t to_port, const uint8_t *payload, size_t len);

/* An address and a port for the socket calls. Returns its length. */
unsigned int drill_way_sockaddr(const struct ip_addr *addr, uint16_t port, void *ret_sockaddr);

#endif
