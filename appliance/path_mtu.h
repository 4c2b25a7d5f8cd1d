/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The MTU of the tunnel to a peer, by what its paths were found to carry. Pure.
 *
 * It is that of the configuration, or less: what all the paths carry that packets may take now
 * without anybody being asked, as far as they are alive and were measured. These are the near ones
 * of the decision (path_choice.h) and the first one's partner; and those that flows are spread over. If
 * it were that of the path in use alone, then after its death the packets of the full length would
 * vanish on a narrower one until the daemon has noticed and every sender was told: some tenths of
 * a second more, and that in the moment in which 50 ms are promised. What it costs is little: of
 * 1240 instead of 1380 bytes in a packet, 0.7 % of the bytes on the line.
 *
 * Less takes effect at once, as packets vanish meanwhile. More does after it has held for a minute:
 * senders keep what they were told for ten minutes (Linux's default), so nothing is won by haste,
 * and a path that comes and goes does not make everybody learn again each time.
 *
 * An interface with less than 1280 bytes has no IPv6 at all, so the device keeps that much, and the
 * routes say less (wanted.h). WireGuard pads to 16 bytes, but not beyond the device's MTU:
 * below 1280 this has to be a multiple of 16.
 */
#ifndef NETPAS_PATH_MTU_H
#define NETPAS_PATH_MTU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "path_choice.h"

#define PATH_MTU_OVERHEAD 32 /* WireGuard's header and tag, between inner packet and payload */
#define PATH_MTU_DEVICE_MIN 1280
/* What every IPv4 host takes: 576 bytes. A path of less is not used as less, but complained of. */
#define PATH_MTU_PAYLOAD_MIN (576 - 28)
#define PATH_MTU_HOLD_US 60000000

struct path_mtu {
	uint16_t mtu;	     /* of the tunnel, bytes; 0: there was no decision yet */
	uint16_t configured; /* as then */
	uint8_t path;	     /* which carries no more; DP_NO_PATH: the configuration says so */
	uint16_t more;	     /* this would do too, since: */
	uint64_t more_since_us;
};

void path_mtu_init(struct path_mtu *mtu);

/* Begin with what is in force already. */
void path_mtu_adopt(struct path_mtu *mtu, uint16_t in_force, uint16_t configured);

/* Paths have other numbers now, as for path_choice_renumber(). */
void path_mtu_renumber(struct path_mtu *mtu, const uint8_t map[static DP_PATHS_MAX]);

/*
 * payloads[i]: the longest UDP payload that path i was found to carry; 0: not known, 1: not even
 * PATH_MTU_PAYLOAD_MIN. bulk: flows are spread. Returns true if the MTU changed.
 */
bool path_mtu_update(struct path_mtu *mtu, const struct path_decision *decision,
		     const struct path_metrics *metrics, const uint16_t *payloads, size_t n,
		     bool bulk, uint16_t configured, uint64_t now_us);

/* The tunnel's MTU for a path's payload. */
uint16_t path_mtu_of(uint16_t payload);

#endif
