/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The BPF programs of the data plane in the kernel: loaded, their maps pinned under DP_PIN_DIR,
 * attached to the devices. They go on forwarding when the daemon ends, and the next one adopts
 * them: same maps, programs exchanged in one step, no packet lost.
 *
 *	programs_open		load, with the maps of an earlier daemon if their layout agrees
 *	(forwarding.h fills the maps)
 *	programs_refresh	attach; again whenever devices came or went
 *
 * On each WAN device there are wan_xdp if that can be, wan_tc at tc ingress always, wan_egress at
 * tc egress. wan_tc does all that wan_xdp does, lets pass what that has treated, and takes the
 * packets that it leaves to the stack for want of a neighbour. So while XDP is missing or being
 * exchanged nothing is lost.
 */
#ifndef NETPAS_PROGRAMS_H
#define NETPAS_PROGRAMS_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "hook.h"

#define PROGRAMS_REASON_LEN 320

struct programs;

struct programs_params {
	const void *image; /* the object file, borrowed until programs_open() returns */
	size_t image_len;
	enum config_dataplane mode; /* not OFF */
};

struct programs_devices {
	const char (*wans)[CONFIG_IFNAME_LEN];
	size_t n_wans;
	const char *lan; /* NULL or "": none, a relay */
	const char (*tunnels)[CONFIG_IFNAME_LEN];
	size_t n_tunnels;
};

enum programs_place {
	PROGRAMS_WAN_XDP,
	PROGRAMS_WAN_TC,
	PROGRAMS_WAN_EGRESS,
	PROGRAMS_LAN_INGRESS,
	PROGRAMS_LAN_EGRESS, /* meters; for drills: a LAN that is cut */
	PROGRAMS_TUNNEL_INGRESS,
	PROGRAMS_TUNNEL_EGRESS, /* meters */
	PROGRAMS_PLACE_MAX,
};
extern const char *const programs_place_names[PROGRAMS_PLACE_MAX]; /* names of the programs */

/* One program on one device, as it is. */
struct programs_entry {
	char ifname[CONFIG_IFNAME_LEN];
	unsigned int ifindex; /* 0: there is no such device now */
	enum programs_place place;
	enum hook_mode mode;
	char reason[HOOK_REASON_LEN]; /* why not better; "" */
};

/*
 * Mounts the BPF file system if there is none. 0; or -errno, and what is missing in words: the
 * node then works without programs, see design.md.
 */
int programs_open(const struct programs_params *params, struct programs **ret_programs,
		  char reason[static PROGRAMS_REASON_LEN]);

/* Everything goes on running. NULL is fine. */
void programs_close(struct programs *programs);

/* True if the maps are those of an earlier daemon; else why not: "", or in what they differ. */
bool programs_adopted(const struct programs *programs, const char **ret_why_not);

/* A map by its name in dataplane.h; it belongs to programs. -ENOENT if the image has none. */
int programs_map(const struct programs *programs, const char *name);

/*
 * Attach what is wanted and missing, on devices that exist; take ours off all other devices.
 * *ret_changes (may be NULL) counts what was attached, exchanged or detached. What could not be
 * attached is in the list with its reason, and the first error is returned, when all is done;
 * that XDP runs in a lower mode or has given way to tc is no error.
 */
int programs_refresh(struct programs *programs, const struct programs_devices *devices,
		     size_t *ret_changes);

/* The program itself; it belongs to programs. */
int programs_fd(const struct programs *programs, enum programs_place place);

/* What runs where, as of the last refresh. Valid until the next one. */
const struct programs_entry *programs_list(const struct programs *programs, size_t *ret_n);

/*
 * Remove every program, link and pin of ours from this network namespace, of whichever daemon,
 * and qdiscs that are empty then. Needs no struct programs; close it first if there is one. 0
 * or the first -errno, with words.
 */
int programs_down(char reason[static PROGRAMS_REASON_LEN]);

#endif
