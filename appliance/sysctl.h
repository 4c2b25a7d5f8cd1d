/* SPDX-License-Identifier: GPL-2.0-only */
/* Kernel settings below /proc/sys. */
#ifndef NETPAS_SYSCTL_H
#define NETPAS_SYSCTL_H

#include <stddef.h>

/* path is relative to /proc/sys and uses slashes; the value comes without newline. 0 or -errno. */
int sysctl_read(const char *path, char *ret_value, size_t size);
int sysctl_write(const char *path, const char *value);

#endif
