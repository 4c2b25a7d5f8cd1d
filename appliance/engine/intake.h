/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a process that serves takes more interfaces. It cannot open any: it has given up the system calls for
 * that. So another process opens TUN queues and UAPI socket, and hands them over by a socket that root alone
 * can reach. By SOCK_SEQPACKET: number of queues wanted (int) from the one that serves; a byte with the queues
 * and the socket to it (SCM_RIGHTS); 0 or -errno (int) back.
 */
#ifndef ENGINE_INTAKE_H
#define ENGINE_INTAKE_H

#define INTAKE_SOCKET "netpas-wg.all" /* in UAPI_DIR; no .sock: it is no interface */

struct intake;
struct runtime;

/* -EADDRINUSE: another process does that here. */
int intake_new(struct runtime *runtime, struct intake **ret_intake);
void intake_free(struct intake *intake);

/* Open an interface and hand it over. -ENOENT, -ECONNREFUSED: nobody takes it. -EPROTO: not understood. */
int intake_give(const char *ifname);

#endif
