/* SPDX-License-Identifier: GPL-2.0-only */
/* Filters as tcpdump has them. Apart, as the headers of libpcap and of the kernel's BPF contradict
 * each other. */
#ifndef NETPAS_FRAME_FILTER_H
#define NETPAS_FRAME_FILTER_H

#include <stdbool.h>
#include <stdint.h>

struct frame_filter;

#define FRAME_FILTER_REASON_LEN 256

/* snap: the most bytes of a frame that it will see. 0, -EINVAL with a reason, or -ENOMEM. */
int frame_filter_new(const char *expression, uint32_t snap, struct frame_filter **ret_filter,
		     char reason[static FRAME_FILTER_REASON_LEN]);
void frame_filter_free(struct frame_filter *filter); /* NULL is fine */

/* It begins with an Ethernet header. */
bool frame_filter_takes(const struct frame_filter *filter, const void *data, uint32_t caplen,
			uint32_t len);

#endif
