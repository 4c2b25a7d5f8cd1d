/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One BPF program on one device: XDP links and tc filters. Ours are recognised by where they are
 * and by the program's name; what others have attached is never replaced or removed.
 */
#ifndef NETPAS_HOOK_H
#define NETPAS_HOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "netlink.h"

#define HOOK_REASON_LEN 160

/* All our tc filters: before those that `tc` numbers by itself, and not where people put theirs. */
#define HOOK_TC_PRIORITY 78
#define HOOK_TC_HANDLE 0x4e50

enum hook_side {
	HOOK_INGRESS,
	HOOK_EGRESS,
};

enum hook_mode {
	HOOK_NONE,
	HOOK_TC,
	HOOK_XDP_GENERIC,
	HOOK_XDP_NATIVE,
	HOOK_MODE_MAX,
};
extern const char *const hook_mode_names[HOOK_MODE_MAX]; /* "none", "tc", "xdp-generic", ... */

/*
 * Put the program on the device, in one step in place of an older one of ours (with one of these
 * names). 1: done, 0: it was there already, -errno with a reason in words: -EBUSY where another
 * program has the place.
 */
int hook_tc_attach(unsigned int ifindex, enum hook_side side, int program_fd,
		   const char *const names[], size_t n, char reason[static HOOK_REASON_LEN]);

/* Take a program of ours with one of these names away. 1: done, 0: none was there, -errno. */
int hook_tc_detach(unsigned int ifindex, enum hook_side side, const char *const names[], size_t n);

/* Remove the device's clsact qdisc unless it has a filter of anybody's. 0 or -errno. */
int hook_tc_tidy(struct netlink *nl, unsigned int ifindex);

/*
 * XDP by a link that is pinned at `pin`: an older one there gets the program in one step, unless
 * it is of a lower mode and `better` says that a higher one is to be tried. best is the highest
 * mode wanted; *ret_mode is what it came to (HOOK_NONE on errors), and reason, unless "", why not
 * better; it is left alone where the link is. 1, 0, -errno as above.
 */
int hook_xdp_attach(unsigned int ifindex, const char *pin, int program_fd, enum hook_mode best,
		    bool better, enum hook_mode *ret_mode, char reason[static HOOK_REASON_LEN]);

/* Detach what is pinned there, if anything, and remove the pin. 1: done, 0: no pin, -errno. */
int hook_xdp_detach(const char *pin);

#endif
