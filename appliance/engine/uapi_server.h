/* SPDX-License-Identifier: GPL-2.0-only */
/* The UAPI socket of an interface, /var/run/wireguard/IFNAME.sock, in the control thread. */
#ifndef ENGINE_UAPI_SERVER_H
#define ENGINE_UAPI_SERVER_H

#include <stdbool.h>

#define UAPI_DIR "/var/run/wireguard"

struct device;
struct uapi_server;

/*
 * A socket that listens there, or -errno. -EADDRINUSE: another process answers; one that nobody answers at is
 * replaced.
 */
int uapi_listen(const char *ifname);
void uapi_unlink(const char *ifname); /* what that made */

/* fd is of uapi_listen(), of this process or another; the server's if it is made. */
int uapi_server_new(struct device *device, int fd, struct uapi_server **ret_server);
void uapi_server_free(struct uapi_server *server);

/* Its socket is no longer where it was made. */
bool uapi_server_removed(const struct uapi_server *server);

#endif
