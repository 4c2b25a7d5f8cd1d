/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the sender of a packet is told for which there is no peer, or one of whom no endpoint is known:
 * host unreachable, address unreachable, as by the kernel's wg_xmit(), and not more often than by its ICMP.
 */
#ifndef ENGINE_UNREACHABLE_H
#define ENGINE_UNREACHABLE_H

#include <stddef.h>
#include <stdint.h>

enum {
	UNREACHABLE_MAX4 = 576,	 /* of an answer (RFC 1812, 4.3.2.3) */
	UNREACHABLE_MAX6 = 1280, /* (RFC 4443, 2.4 c) */
	UNREACHABLE_PER_S = 1,	 /* to an address, or to an IPv6 /64 */
	UNREACHABLE_BURST = 6,
	UNREACHABLE_ALL_PER_S = 1000, /* to all of them */
	UNREACHABLE_ALL_BURST = 50,
};

/* How many there were. Belongs to one thread. */
struct unreachable;

struct unreachable *unreachable_new(void); /* NULL: no memory */
void unreachable_free(struct unreachable *unreachable);

/*
 * The answer to a packet of `len` bytes, from the address that cannot be reached: its length; 0: there is
 * none to such a packet (RFC 1122, 3.2.2; RFC 4443, 2.4 e), or not now.
 */
size_t unreachable_answer(struct unreachable *unreachable, const uint8_t *packet, size_t len,
			  uint64_t now_ns, uint8_t ret_answer[UNREACHABLE_MAX6]);

#endif
