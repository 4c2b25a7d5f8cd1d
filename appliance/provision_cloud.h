/* SPDX-License-Identifier: GPL-2.0-only */
/* The cloud that this machine is in, asked over the network. */
#ifndef NETPAS_PROVISION_CLOUD_H
#define NETPAS_PROVISION_CLOUD_H

#include <stdbool.h>

#include "provision_run.h"

/* The machine is in a cloud, and going to be asked what it says. */
bool provision_cloud_here(const struct provision_options *options);

/* 0 and a seed; -ENODATA: the machine is in no cloud; -errno after messages. */
int provision_cloud_read(const struct provision_options *options, struct provision_seed *seed);

/* Whoever wants to know that the machine is ready is told. */
void provision_cloud_ready(const struct provision_options *options);

#endif
