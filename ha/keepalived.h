/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rendering keepalived's configuration: one VRRPv3 instance on the LAN, unicast between the two
 * gateways, all VIPs in it, a notify FIFO, and a track file by which netpasd makes mastership
 * sticky. Why so: docs/design.md, "VRRP". Pure.
 */
#ifndef NETPAS_KEEPALIVED_H
#define NETPAS_KEEPALIVED_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define KEEPALIVED_INSTANCE "netpas"
#define KEEPALIVED_PRIORITY 251	       /* first gateway of a site; the second has one less */
#define KEEPALIVED_STARTUP_DELAY "1.5" /* seconds before a claim after keepalived's start */
#define KEEPALIVED_RT_PRIORITY 50      /* of 1..99 */
#define KEEPALIVED_STICKY_WEIGHT 2     /* added on the gateway that is master */
#define KEEPALIVED_SEVERITY_MAX 100    /* of what is wrong; each takes the weight off */

/*
 * A VIP is a host prefix. With the LAN's length it would be a secondary of the gateway's own
 * address or, if that is set anew, its primary: the kernel then removes one with the other.
 */
struct keepalived_vip {
	char text[64]; /* "172.16.1.254/32", "fd00:16:1::fe/128" */
	int family;    /* 4 or 6 */
};

struct keepalived {
	char router_id[32]; /* this node's name */
	char interface[16];
	char own[46], peer[46]; /* LAN addresses of one family; peer "": the site has one gateway */
	uint8_t vrid;
	uint8_t priority;
	uint32_t advert_ms; /* multiple of 10 */
	bool realtime;	    /* before all other processes, and not swapped; needs CAP_SYS_NICE */
	const struct keepalived_vip *vips; /* at least one of own's family: keepalived insists */
	size_t n_vips;
	const char *fifo_path, *track_path;
};

/*
 * What the track file holds: an odd number while this node has the VIPs, an even one else, with a
 * bonus or malus (even) between what keepalived takes for a fault and what lifts to the limit.
 */
int keepalived_track(bool holds, int term);

/* Write the configuration. VIPs of the adverts' own family first, the others "excluded". */
void keepalived_render(const struct keepalived *keepalived, FILE *out);

#endif
