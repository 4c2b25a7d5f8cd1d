/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The MAC address of the partner on the LAN, from which alone the filter takes VRRP: the LAN address
 * in an advert anybody there can forge.
 *
 * The partner tells it in its hellos, which WireGuard has authenticated. That is not enough: some
 * clouds put a MAC of their own on every frame, and then real adverts would be dropped. So it counts
 * once a frame has come from the partner's address with it. This can be waited for with a packet
 * socket whose filter lets nothing else through, so nobody wakes up for what does not fit; and a
 * forger on the LAN can only bring it about, never hinder it.
 *
 * Once pinned it stays, whether the partner is heard or not (a replay of what it said would keep its
 * heir from taking over), until its hellos tell another one, or none. What is pinned is an element
 * of the filter: it outlives this daemon, and a reload.
 */
#ifndef NETPAS_PARTNER_MAC_H
#define NETPAS_PARTNER_MAC_H

#include <stdint.h>

#include "daemon.h"
#include "hello.h"

struct partner_mac; /* what is waited for */

/* A hello of the partner told this; all 0: nothing. data: the daemon. */
void partner_mac_told(const uint8_t mac[static HELLO_MAC_LEN], void *data);

/* Put what is pinned now into what is wanted; at the start, what the kernel has. 0 or -ENOMEM. */
int partner_mac_carry(struct daemon *daemon, const struct config *config, struct state *wanted);

/* As text; NULL: none is pinned. */
#define PARTNER_MAC_STRLEN 18
const char *partner_mac_format(const struct daemon *daemon, char buf[static PARTNER_MAC_STRLEN]);

void partner_mac_free(struct partner_mac *partner_mac);

#endif
