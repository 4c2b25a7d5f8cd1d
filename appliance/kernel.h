/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel as netpas sees it: read what runs, apply a plan, roll back when a step fails.
 * One struct kernel holds the command sockets and the user-space engines of one node.
 */
#ifndef NETPAS_KERNEL_H
#define NETPAS_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "engine.h"
#include "netlink.h"
#include "nft.h"
#include "plan.h"
#include "state.h"

#define KERNEL_ERROR_LEN 512

struct kernel {
	struct netlink *route;
	struct nft *nft;
	struct engines *engines;
};

/* log_dir: where engines write. Returns 0 or -errno; then there is nothing to close. */
int kernel_open(struct sd_event *event, const char *log_dir, engines_exited_fn *exited, void *data,
		struct kernel *ret_kernel);
void kernel_close(struct kernel *kernel); /* engines go on running */

/*
 * Can this kernel make WireGuard interfaces (tried, with a name of our own)? 0: yes, -EOPNOTSUPP: no, -errno: it
 * could not be found out.
 */
int kernel_probe_wireguard(struct kernel *kernel);

/*
 * Everything of ours in the kernel. wanted (may be NULL) says which sysctls to read and what the
 * ruleset is compared with. An interface whose engine does not answer reads as it is wanted, so that
 * nobody waits for it; if it is not wanted so, as STATE_ENGINE_BROKEN. 0 or -errno.
 */
int kernel_read(struct kernel *kernel, const struct state *wanted, struct state **ret_state);

/* Do the steps in order, all of them; the first that fails is described in error, and returned. */
int kernel_apply_all(struct kernel *kernel, const struct plan *plan,
		     char error[static KERNEL_ERROR_LEN]);

/*
 * True if tunnels or settings are not as wanted. They change without an event, so this is asked
 * now and then; it leaves routes and the table out, of whose changes there are events.
 */
bool kernel_drifted(struct kernel *kernel, const struct state *wanted);

/*
 * Bring the kernel from what runs to wanted. If a step fails, go back to previous (what was
 * applied last; NULL: to what was found) and say in error what failed and whether going back
 * succeeded. *ret_steps, which may be NULL, counts the steps of the plan. 0 or -errno.
 */
int kernel_converge(struct kernel *kernel, const struct state *wanted, const struct state *previous,
		    size_t *ret_steps, char error[static KERNEL_ERROR_LEN]);

#endif
