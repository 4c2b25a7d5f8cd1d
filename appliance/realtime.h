/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Real-time priority of this process's one thread, for the `fast` profile: what tells the other
 * site of a takeover, and the probes by which a dead gateway is found, must not wait for a CPU.
 * Children never inherit it.
 */
#ifndef NETPAS_REALTIME_H
#define NETPAS_REALTIME_H

#include <stdbool.h>

#define REALTIME_PRIORITY 40 /* of 1..99; below that of keepalived */

/* Whether the kernel lets this process have it. */
bool realtime_possible(void);

/* Have it from now on, or not any more. 0 or -errno; nothing is done if it is so already. */
int realtime_set(bool on);

/*
 * Work that takes long waits for its turn like everybody's: engines are ordinary processes, and
 * would stand still meanwhile. Pairs may be nested.
 */
void realtime_pause(void);
void realtime_resume(void);

#endif
