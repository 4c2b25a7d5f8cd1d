/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How much an address may ask for: so many a second, so many at once; an address is an IPv4 address or an
 * IPv6 /64.
 */
#ifndef ENGINE_RATELIMIT_H
#define ENGINE_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
	RATELIMIT_ENTRIES = 8192, /* addresses told apart at a time, a power of two */
};

struct ratelimit;

/* NULL: no memory. Neither is 0. */
struct ratelimit *ratelimit_new(unsigned int per_s, unsigned int burst);
void ratelimit_free(struct ratelimit *ratelimit);

/* One more from there, now? An address for which there is no room is refused. */
bool ratelimit_allow(struct ratelimit *ratelimit, const struct sockaddr *from, uint64_t now_ns);

#endif
