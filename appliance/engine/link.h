/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel tells of links: up or down, MTU, gone. */
#ifndef ENGINE_LINK_H
#define ENGINE_LINK_H

#include <stdbool.h>

struct link_news {
	unsigned int ifindex;
	bool gone;
	bool up;
	int mtu; /* 0: not told */
};

int link_open(void); /* a socket that does not block, or -errno */

/* Calls for each link that something is told of. -ENOBUFS: news were lost, link_ask() for all. */
int link_read(int fd, void (*told)(const struct link_news *news, void *data), void *data);
int link_ask(int fd);

#endif
