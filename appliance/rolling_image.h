/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a rolling upgrade of the appliance image has beyond one of netpasd: a bundle that both gateways get
 * into their other slot before either is touched, and a record on disk, with which the run goes on after
 * the restart of the gateway that it runs on, which is one of the two.
 */
#ifndef NETPAS_ROLLING_IMAGE_H
#define NETPAS_ROLLING_IMAGE_H

#include <stdbool.h>

#include "client_rolling.h"
#include "upgrade.h"

enum rolling_state {
	ROLLING_RUNNING,
	ROLLING_LEAVING, /* its gateway restarts for its trial */
	ROLLING_OVER,	 /* all is done */
	ROLLING_STOPPED,
	ROLLING_STATE_MAX,
};

/* The signature of the bundle is good, and wish.image is its version then. The exit code. */
int rolling_image_open(struct rolling *r, const char *file);
void rolling_image_free(struct rolling *r);

/* Into the other slot of each that does not run it, both held. The exit code. */
int rolling_image_spread(struct rolling *r);

/* In the record from now on; why may be "". */
void rolling_image_enter(struct rolling *r, enum rolling_state state, const char *why);
void rolling_image_log(const struct rolling *r, const char *line);

/*
 * What a run that this machine's restart has ended left. True: it is to be gone on with, and *r is as it was;
 * false: with the reason.
 */
bool rolling_image_load(struct rolling *r, struct rolling_record *ret_record,
			char reason[static ROLLING_REASON_LEN]);

/* Another run works here: what is left of any but that one is not to be gone on with. */
void rolling_image_forget(const struct upgrade_paths *paths, uint64_t run);

/* netpas rolling status. The exit code. */
int rolling_image_show(bool json);

#endif
