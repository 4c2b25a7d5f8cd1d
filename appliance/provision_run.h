/* SPDX-License-Identifier: GPL-2.0-only */
/* Provisioning a machine: what is done at each boot, and by `netpas-provision` otherwise. */
#ifndef NETPAS_PROVISION_RUN_H
#define NETPAS_PROVISION_RUN_H

#include <stdbool.h>

#include "provision_document.h"
#include "provision_seed.h"

struct provision_options {
	const char *data, *run, *sys, *dev;
	const char *seed;     /* a directory in place of volumes; NULL: look for volumes */
	const char *cloud;    /* its name; NULL: find out */
	const char *metadata; /* base of URLs; NULL: the cloud's own */
	bool files_only;
};

/* Exit codes: 0 or 1, after messages to standard error. */
int provision_run_local(const struct provision_options *options);
int provision_run_network(const struct provision_options *options);
int provision_run_show(const struct provision_options *options);
int provision_run_nics(const struct provision_options *options);

/*
 * Apply a seed to the machine. 0: it is so now, or was; -EINVAL: it is bad, or must not be applied, and
 * messages have said so; -errno. *ret_changed: something was written. Its network-config becomes hints.
 */
int provision_run_apply(const struct provision_options *options, struct provision_seed *seed,
			bool *ret_changed);

/* Take up what was written, with the network up: interfaces, gateway. */
void provision_run_activate(const struct provision_options *options);

#endif
