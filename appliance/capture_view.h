/* SPDX-License-Identifier: GPL-2.0-only */
/* What a captured frame is, as far as the frame itself tells. Pure. */
#ifndef NETPAS_CAPTURE_VIEW_H
#define NETPAS_CAPTURE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet.h"

struct capture_view {
	bool ip;	      /* there are addresses */
	struct packet packet; /* of a frame with a link header; else addresses and family alone */
	bool mesh;	      /* by its ports it is of the mesh: */
	uint16_t from, to;    /* ids of nodes */
	uint8_t lane;
	const char *what; /* "data", "handshake initiation", "probe request", ... */
	int probe_path;	  /* of a probe, the requester's number; -1: it is none */
};

/*
 * data: the beginning of a frame of frame_len bytes. link: it begins with an Ethernet header, else with that of IP.
 * config: NULL where ports mean nothing.
 */
void capture_view_make(const void *data, size_t len, uint32_t frame_len, bool link,
		       const struct dp_config *config, struct capture_view *ret_view);

/* Names of the counters of these bits, with commas; "" for none. */
#define CAPTURE_COUNTS_LEN 256
const char *capture_counts_text(uint64_t bits, char buf[static CAPTURE_COUNTS_LEN]);

/* The enum dp_place of this name; or -1. */
int capture_place_find(const char *name);
extern const char *const capture_place_names[DP_PLACE_MAX];

#endif
