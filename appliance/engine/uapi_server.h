/* SPDX-License-Identifier: GPL-2.0-only */
/* The UAPI socket of an interface, /var/run/wireguard/IFNAME.sock, in the control thread. */
#ifndef ENGINE_UAPI_SERVER_H
#define ENGINE_UAPI_SERVER_H

#define UAPI_DIR "/var/run/wireguard"

struct device;
struct uapi_server;

/* -EADDRINUSE: another process answers there; a socket that nobody answers at is replaced. */
int uapi_server_new(struct device *device, struct uapi_server **ret_server);
void uapi_server_free(struct uapi_server *server);

#endif
