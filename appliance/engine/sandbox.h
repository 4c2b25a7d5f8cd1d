/* SPDX-License-Identifier: GPL-2.0-only */
/* What the process gives up: keys stay in memory and out of dumps, and it can do little besides. */
#ifndef ENGINE_SANDBOX_H
#define ENGINE_SANDBOX_H

/* Before there are keys: no core dumps, no debugger, memory locked as far as is allowed. */
int sandbox_before(void);

/* A worker, of itself: it needs no capability but to lock what memory it takes. */
int sandbox_thread(void);

/*
 * When all is set up: the control thread keeps the capabilities for ports, marks and locked memory, and
 * every thread the system calls that serving takes. No program can be started any more.
 */
int sandbox_enter(void);

#endif
