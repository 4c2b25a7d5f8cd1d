/* SPDX-License-Identifier: GPL-2.0-only */
/* The records of a capture out of the data plane's programs (bpf/capture.h). Needs no daemon. */
#ifndef NETPAS_TAP_H
#define NETPAS_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane.h"

#define TAP_REASON_LEN 160

struct tap;

/* File descriptors of the maps, borrowed. */
struct tap_maps {
	int capture, rings, scratch;
};

struct tap_options {
	unsigned int places;  /* bits of enum dp_place */
	unsigned int after;   /* likewise: frames as the program left them */
	unsigned int ifindex; /* 0: all */
	uint32_t snap;	      /* bytes of a frame, up to DP_CAPTURE_MAX */
};

typedef void tap_record_fn(const struct dp_captured *record, void *data);

/*
 * Begin. 0; or -errno with a reason: -EBUSY if there is a capture already, -EPERM. It ends by
 * itself soon after tap_poll() is not called any more, whatever becomes of this process.
 */
int tap_open(const struct tap_maps *maps, const struct tap_options *options, tap_record_fn *record,
	     void *data, struct tap **ret_tap, char reason[static TAP_REASON_LEN]);

/* End, and hand over what is still there. */
void tap_close(struct tap *tap);

/* Hand over what has come, after a wait for it of up to timeout_ms; go on capturing. 0 or -errno. */
int tap_poll(struct tap *tap, int timeout_ms);

/* Records that found no room since the beginning. */
uint64_t tap_lost(const struct tap *tap);

/* "XDP_DROP", "TC_ACT_OK", ... */
const char *tap_verdict_name(enum dp_place place, int verdict);
/* What a program consumes, such as a reply to a probe, is not lost. */
bool tap_is_drop(const struct dp_captured *record);

#endif
