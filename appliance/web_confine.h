/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For a process that talks to strangers: after this it has no user of its own, no capabilities, opens no
 * file and no socket, starts no program. Threads there must be none.
 */
#ifndef NETPAS_WEB_CONFINE_H
#define NETPAS_WEB_CONFINE_H

/* 0; or -errno, and which step it was. */
int web_confine(const char **ret_step);

#endif
