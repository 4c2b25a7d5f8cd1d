/* SPDX-License-Identifier: GPL-2.0-only */
/* An interface's file for systemd-networkd. Pure. */
#ifndef NETPAS_PROVISION_NETWORK_H
#define NETPAS_PROVISION_NETWORK_H

#include "provision_document.h"

struct provision_interface {
	const char *name;    /* or several, by blanks */
	bool is_lan;	     /* no default route, and what keepalived puts there stays */
	unsigned int number; /* of the WAN interface, from 0: the first is preferred */
	const struct provision_addressing *addressing;
};

/* free() it. NULL: out of memory. */
char *provision_network_text(const struct provision_interface *interface);

/* For all of these, "eth0 eth1", by DHCP, until there is something better. free() it. */
char *provision_network_first(const char *names);

#endif
