/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NETPAS_IDENTITY_H
#define NETPAS_IDENTITY_H

struct daemon;

/* Tell which node this is, by which configuration. */
void identity_log(const struct daemon *daemon);

#endif
