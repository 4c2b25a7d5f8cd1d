/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A table of fixed size, keyed by a secret so that nobody can fill the places of somebody else; an
 * entry whose tokens are all back says nothing and is taken by the next address.
 */
#include "engine/ratelimit.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#define NS_PER_S 1000000000ULL

enum {
	WAYS = 8
};

struct entry {
	uint64_t address;	 /* 0: free; no address is 0 */
	uint64_t spent_until_ns; /* the bucket is full again then */
};

struct ratelimit {
	uint64_t cost_ns; /* of one */
	uint64_t full_ns; /* of all that may come at once */
	uint8_t key[crypto_shorthash_KEYBYTES];
	struct entry entries[RATELIMIT_ENTRIES];
};

struct ratelimit *ratelimit_new(unsigned int per_s, unsigned int burst)
{
	struct ratelimit *ratelimit = calloc(1, sizeof(*ratelimit));

	if (!ratelimit)
		return NULL;
	ratelimit->cost_ns = NS_PER_S / per_s;
	ratelimit->full_ns = ratelimit->cost_ns * burst;
	randombytes_buf(ratelimit->key, sizeof(ratelimit->key));
	return ratelimit;
}

void ratelimit_free(struct ratelimit *ratelimit)
{
	free(ratelimit);
}

/* The hash itself tells addresses apart: two of them with one of 64 bits do not meet here. */
static uint64_t address_of(const struct ratelimit *ratelimit, const struct sockaddr *from)
{
	uint8_t bytes[9] = { (uint8_t)from->sa_family };
	uint64_t address;

	if (from->sa_family == AF_INET)
		memcpy(bytes + 1, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
	else
		memcpy(bytes + 1, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 8);
	crypto_shorthash((uint8_t *)&address, bytes, sizeof(bytes), ratelimit->key);
	return address ? address : 1;
}

bool ratelimit_allow(struct ratelimit *ratelimit, const struct sockaddr *from, uint64_t now_ns)
{
	uint64_t address = address_of(ratelimit, from);
	size_t set = (size_t)(address % (RATELIMIT_ENTRIES / WAYS)) * WAYS;
	struct entry *unused = NULL;

	for (size_t i = set; i < set + WAYS; i++) {
		struct entry *entry = &ratelimit->entries[i];

		if (entry->address == address) {
			uint64_t from_ns =
				entry->spent_until_ns > now_ns ? entry->spent_until_ns : now_ns;

			if (from_ns + ratelimit->cost_ns > now_ns + ratelimit->full_ns)
				return false;
			entry->spent_until_ns = from_ns + ratelimit->cost_ns;
			return true;
		}
		if (!unused && (!entry->address || entry->spent_until_ns <= now_ns))
			unused = entry;
	}
	if (!unused)
		return false;
	unused->address = address;
	unused->spent_until_ns = now_ns + ratelimit->cost_ns;
	return true;
}
