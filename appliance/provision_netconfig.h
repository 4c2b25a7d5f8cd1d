/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The file network-config of a NoCloud seed, versions 1 and 2, as far as gateways need it: plain interfaces by MAC
 * address or name, DHCP or static addresses, gateways, routes, name servers, MTU. Pure.
 */
#ifndef NETPAS_PROVISION_NETCONFIG_H
#define NETPAS_PROVISION_NETCONFIG_H

#include "diag.h"
#include "provision_nic.h"
#include "provision_seed.h"

/*
 * Adds what it says of interfaces that the machine has to the seed's hints. Errors go to diags, which quote
 * text. 0; -EINVAL after errors; -ENOMEM.
 */
int provision_netconfig_parse(const char *text, size_t len, const struct provision_nic *nics,
			      size_t n_nics, struct diag_list *diags, struct provision_seed *seed);

#endif
