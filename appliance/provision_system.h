/* SPDX-License-Identifier: GPL-2.0-only */
/* What first boot does to the running machine, beside its files. */
#ifndef NETPAS_PROVISION_SYSTEM_H
#define NETPAS_PROVISION_SYSTEM_H

#include <stdbool.h>

/* An Ed25519 key of the SSH server, if there is none; whole or not at all. 0 or -errno. */
int provision_system_host_keys(const char *data);
void provision_system_fingerprints(const char *data); /* to standard output */

/* Wait until drivers have found what there is. */
void provision_system_settle(void);

/* The names that interfaces were chosen by, before they are up; messages about what does not go. */
void provision_system_names(const char *data, const char *sys);
void provision_system_hostname(const char *data);

/* DHCP on all interfaces, below /run. 0 or -errno. */
int provision_system_first_network(const char *sys);

/* Hand the new files to the services that read them. */
void provision_system_activate(bool network, bool gateway);

/* A file in the directory that is gone with the next boot. */
void provision_system_mark(const char *run, const char *name);

#endif
