/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The channel between the two gateways of a site: TCP between their link-local addresses inside the
 * tunnel between them, port: the mesh's port_base. It is bound to that tunnel's interface, which
 * brings what the partner's key has sealed and nothing else; and both ends speak from ports below
 * 1024, so it was root there. One request a time and connection (pair_message.h).
 */
#ifndef NETPAS_PAIR_CHANNEL_H
#define NETPAS_PAIR_CHANNEL_H

#include <jansson.h>
#include <stdint.h>

#include "config.h"
#include "pair_message.h"

struct sd_event;
struct pair_channel;

/* The two ends, as this node sees them. */
struct pair_ends {
	uint16_t self, partner; /* ids; partner 0: there is none */
	uint16_t port;
	char ifname[CONFIG_IFNAME_LEN];
};

#define PAIR_CLIENTS_MAX 4
#define PAIR_IDLE_MS 30000 /* without a byte either way, after which a connection is closed */
#define PAIR_PORT_MAX 1023 /* of who may speak */

/* requests is borrowed. 0 or -ENOMEM. */
int pair_channel_new(struct sd_event *event, const struct pair_request *requests, size_t n_requests,
		     void *data, struct pair_channel **ret_channel);
void pair_channel_free(struct pair_channel *channel);

/*
 * Listen there, unless it does already. Connections by another tunnel are closed, one whose request
 * is being answered once the answer is away. 0 or -errno (-ENODEV: there is no such interface).
 */
int pair_channel_listen(struct pair_channel *channel, const struct pair_ends *ends);

/*
 * The client's side: ask the partner, wait for the answer (timeout_ms; a partner that cannot be
 * reached any more is noticed before that). 0 or -errno: -EACCES not root, -ENODEV no tunnel,
 * -ECONNREFUSED no netpasd there, -EHOSTUNREACH or -ETIMEDOUT not reached, -EBADMSG and -EPROTO see
 * pair_answer_parse(); -ECONNRESET and -ECONNABORTED: it may or may not have been done.
 */
int pair_channel_ask(const struct pair_ends *ends, json_t *request, int timeout_ms,
		     json_t **ret_answer);

#endif
