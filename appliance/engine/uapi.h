/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The cross-platform configuration protocol (wireguard.com/xplatform), as wireguard-go speaks it: lines
 * "key=value", an empty line ends a request. A request is understood as a whole before any of it is done.
 */
#ifndef ENGINE_UAPI_H
#define ENGINE_UAPI_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/allowed_ips.h"
#include "engine/message.h"
#include "engine/text.h"

struct device;

enum {
	UAPI_REQUEST_MAX = 16 << 20, /* bytes */
};

struct uapi_allowed_ip {
	struct allowed_ip ip;
	bool remove;
};

struct uapi_peer {
	uint8_t public_key[MESSAGE_KEY_LEN];
	bool remove;
	bool update_only;
	bool replace_allowed_ips;
	bool has_psk, has_endpoint, has_persistent;
	uint8_t psk[MESSAGE_KEY_LEN];
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} endpoint;
	uint16_t persistent_s;
	size_t first_ip, n_ips; /* in uapi_set.ips */
};

struct uapi_set {
	bool has_private_key, has_port, has_fwmark, replace_peers;
	uint8_t private_key[MESSAGE_KEY_LEN];
	uint16_t port;
	uint32_t fwmark;
	struct uapi_peer *peers;
	size_t n_peers, peers_room;
	struct uapi_allowed_ip *ips;
	size_t n_ips, ips_room;
};

/*
 * The lines of a "set" between its first and the empty one, of any content. 0, -EINVAL, -EPROTO: a
 * key that is not known here, -ENOMEM; then there is nothing to free.
 */
int uapi_set_parse(const char *text, size_t len, struct uapi_set *ret_set);
void uapi_set_fini(struct uapi_set *set); /* wipes it too */

/* The answer to a "get" without its errno, behind what `text` has. 0, or -ENOMEM: part of it may be there. */
int uapi_format(const struct device *device, struct text *text);

#endif
