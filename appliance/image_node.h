/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A gateway's part in a rolling upgrade of the appliance image. rolling_node.c, which has the lease,
 * hands these over:
 *
 *	image-put	"offset", "data" (base64): a piece of the bundle, in order from 0
 *	image-write	"image", a version, "older": into the other slot
 *	image-try	"image": restart into it, for its trial
 */
#ifndef NETPAS_IMAGE_NODE_H
#define NETPAS_IMAGE_NODE_H

#include <jansson.h>
#include <stdint.h>

struct daemon;

/* What is known of slots, trial and job; NULL: this is not the appliance image. A new reference. */
json_t *image_node_status(const struct daemon *daemon);

json_t *image_node_put(const struct daemon *daemon, json_t *request);
json_t *image_node_write(const struct daemon *daemon, json_t *request, uint64_t run);
json_t *image_node_try(const struct daemon *daemon, json_t *request, uint64_t run);

#endif
