/* SPDX-License-Identifier: GPL-2.0-only */
/* What the process gives up: keys stay in memory and out of dumps, and it can do little besides. */
#ifndef ENGINE_SANDBOX_H
#define ENGINE_SANDBOX_H

/* Before there are keys: no core dumps, no debugger, memory locked as far as is allowed. */
int sandbox_before(void);

/* When all is set up, of all threads: capabilities but those for sockets and devices, system calls. */
int sandbox_enter(void);

#endif
