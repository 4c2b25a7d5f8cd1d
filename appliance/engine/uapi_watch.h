/* SPDX-License-Identifier: GPL-2.0-only */
/* Whoever removes an interface's UAPI socket ends the interface, as with wireguard-go. */
#ifndef ENGINE_UAPI_WATCH_H
#define ENGINE_UAPI_WATCH_H

struct runtime;
struct uapi_watch;

/* For all interfaces of the process; the directory is there. 0 or -errno. */
int uapi_watch_new(struct runtime *runtime, struct uapi_watch **ret_watch);
void uapi_watch_free(struct uapi_watch *watch);

#endif
