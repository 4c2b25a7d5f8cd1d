/* SPDX-License-Identifier: GPL-2.0-only */
/* The network interfaces that a machine has, which of them is meant, and the names that they keep. */
#ifndef NETPAS_PROVISION_NIC_H
#define NETPAS_PROVISION_NIC_H

#include "config.h"
#include "provision_document.h"

#define PROVISION_NICS_MAX 64

struct provision_nic {
	char name[CONFIG_IFNAME_LEN];
	uint8_t mac[PROVISION_MAC_LEN];
	char driver[32]; /* "-": not known */
	char bus[256];	 /* where it is plugged in; sorts as it is numbered */
	unsigned int index;
	char link[16]; /* "up", "down", ... as the kernel says */
};

/*
 * All that are hardware, in their order. Of a virtual function and the interface that stands for it, which
 * have one MAC address, the latter alone. 0 or -errno.
 */
int provision_nics_read(const char *sys, struct provision_nic nics[static PROVISION_NICS_MAX],
			size_t *ret_n);

/* NULL: none is meant. */
const struct provision_nic *provision_nic_find(const struct provision_nic *nics, size_t n,
					       const struct provision_pick *pick);

#define PROVISION_NIC_STRLEN 128
/* "2: eth1 52:54:00:12:34:57 virtio_net, link up"; number from 1. */
const char *provision_nic_format(const struct provision_nic *nic, size_t number,
				 char buf[static PROVISION_NIC_STRLEN]);
#define PROVISION_MAC_STRLEN 18
const char *provision_mac_format(const uint8_t mac[static PROVISION_MAC_LEN],
				 char buf[static PROVISION_MAC_STRLEN]);

/* A name that the interface with this MAC address has for good. */
struct provision_pin {
	char name[CONFIG_IFNAME_LEN];
	uint8_t mac[PROVISION_MAC_LEN];
};

struct provision_rename {
	char from[CONFIG_IFNAME_LEN], to[CONFIG_IFNAME_LEN];
};

/*
 * What to rename, one after the other, so that all have the names that they are pinned to; interfaces
 * in their way get another one, and swaps go by names that nobody has. At most 2 * PROVISION_NICS_MAX.
 */
size_t provision_nics_plan(const struct provision_nic *nics, size_t n,
			   const struct provision_pin *pins, size_t n_pins,
			   struct provision_rename renames[static 2 * PROVISION_NICS_MAX]);

/* The interface must be down. 0 or -errno. */
int provision_nic_rename(const char *from, const char *to);

#endif
