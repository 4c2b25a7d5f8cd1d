/* SPDX-License-Identifier: GPL-2.0-only */
/* The agent as a process of its own; see drill_agent.h. */
#ifndef NETPAS_DRILL_SERVE_H
#define NETPAS_DRILL_SERVE_H

#include <netinet/in.h>

#include "drill_key.h"

#define DRILL_KEYS 16

/* Keys of those who have spoken lately. */
struct drill_keys {
	const struct config *config;
	struct {
		uint16_t id;
		struct drill_key key;
	} v[DRILL_KEYS];
	unsigned int next;
};
/* NULL: no gateway has this id, or its public key is none. */
const struct drill_key *drill_keys_get(struct drill_keys *keys, uint16_t id);

struct drill_packet {
	uint8_t buf[DRILL_MESSAGE_MAX + 1];
	size_t len;
	struct sockaddr_in6 from;
};

/* Who has sent this message; -EBADMSG: it is none, or not signed well. */
int drill_serve_read(struct drill_keys *keys, const struct drill_packet *packet,
		     struct drill_message *ret_message);

/* Take the first packet, and all that come; returns when nobody has spoken for a while. */
void drill_serve(const struct config *config, const char *run_dir, int fd,
		 const struct drill_packet *first);

#endif
