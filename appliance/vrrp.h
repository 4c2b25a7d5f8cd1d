/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * keepalived under netpasd: its configuration rendered, the process started, adopted and
 * restarted, its notify FIFO read, its track file written, and a VIP that a killed keepalived
 * left behind removed. Owns this node's struct role.
 */
#ifndef NETPAS_VRRP_H
#define NETPAS_VRRP_H

#include <stdbool.h>
#include <sys/types.h>

#include "config.h"
#include "netlink.h"
#include "role.h"

struct sd_event;
struct switchover;
struct vrrp;

struct vrrp_paths {
	const char *run_dir;   /* keepalived.conf, .pid, .fifo, vrrp.track; log/keepalived.log */
	const char *state_dir; /* generation, drained */
};

/* Called after every change of role or claim, with the role as it is now. */
typedef void vrrp_changed_fn(const struct role *role, enum role_state before, void *data);

/* nl is borrowed. Reads the generation and adopts what an earlier netpasd left. 0 or -errno. */
int vrrp_new(struct sd_event *event, struct netlink *nl, const struct vrrp_paths *paths,
	     vrrp_changed_fn *changed, void *data, struct vrrp **ret_vrrp);
void vrrp_free(struct vrrp *vrrp); /* keepalived goes on running */

/*
 * Run keepalived as this configuration says (borrowed until the next call). An unchanged rendering
 * leaves it alone; a changed one is reloaded. 0 or -errno.
 */
int vrrp_configure(struct vrrp *vrrp, const struct config *config);

/*
 * End keepalived, also one that an earlier netpasd left running, in order: it gives its VIPs up.
 * With a config (may be NULL) VIPs that nobody gave up are removed. For `netpas down`.
 */
void vrrp_stop(struct vrrp *vrrp, const struct config *config);

/*
 * How bad this node is off: 0 (well) .. KEEPALIVED_SEVERITY_MAX, rounded up to an even number. The
 * partner takes the VIPs over if its severity is lower; equal ones move nothing. An adopted keepalived
 * keeps the one that it had until this is called.
 */
void vrrp_set_severity(struct vrrp *vrrp, unsigned int severity);

/*
 * A number that is added to that in the track file (ha/handover.h), and what hellos say of it (enum
 * hello_flag).
 */
void vrrp_set_term(struct vrrp *vrrp, int term, uint8_t flags);

/* A remote gateway is heard; what the other gateway of this site claims (beacon_rival()). */
void vrrp_judge(struct vrrp *vrrp, uint64_t rival_generation);

/* What this node says of itself. */
struct role_claim vrrp_claim(const struct vrrp *vrrp);

unsigned int vrrp_severity(const struct vrrp *vrrp);
bool vrrp_realtime(const struct vrrp *vrrp);
struct switchover *vrrp_switchover(const struct vrrp *vrrp);

/* keepalived does not run, or has ended again and again; why, in words. */
bool vrrp_fails(const struct vrrp *vrrp, char *reason, size_t size);

/* Claim anew if this node is active and has seen a higher claim than its own. */
void vrrp_renew(struct vrrp *vrrp);

const struct role *vrrp_role(const struct vrrp *vrrp);
void vrrp_seen(struct vrrp *vrrp, uint64_t generation);
bool vrrp_running(const struct vrrp *vrrp);

/* True if the LAN interface holds this address now. */
bool vrrp_holds(const struct vrrp *vrrp, const struct ip_addr *vip);

#endif
