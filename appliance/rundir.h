/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon's directories and the lock that makes it the only one. */
#ifndef NETPAS_RUNDIR_H
#define NETPAS_RUNDIR_H

/*
 * Make run_dir, run_dir/log and state_dir (mode 0700) where they are missing and take the lock.
 * Returns the lock's descriptor, -EBUSY if another process holds it, or -errno.
 */
int rundir_lock(const char *run_dir, const char *state_dir);

#endif
