/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How many handshakes an address may ask for while the interface is under load: 20 a second, 5 at once;
 * an address is an IPv4 address or an IPv6 /64 (WireGuard paper, 5.3).
 */
#ifndef ENGINE_RATELIMIT_H
#define ENGINE_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
	RATELIMIT_PER_S = 20,
	RATELIMIT_BURST = 5,
	RATELIMIT_ENTRIES = 8192, /* addresses told apart at a time, a power of two */
};

struct ratelimit;

struct ratelimit *ratelimit_new(void); /* NULL: no memory */
void ratelimit_free(struct ratelimit *ratelimit);

/* One more from there, now? An address for which there is no room is refused. */
bool ratelimit_allow(struct ratelimit *ratelimit, const struct sockaddr *from, uint64_t now_ns);

#endif
