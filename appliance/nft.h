/* SPDX-License-Identifier: GPL-2.0-only */
/* nftables through libnftnl and libmnl: reading, replacing and changing the table inet netpas. */
#ifndef NETPAS_NFT_H
#define NETPAS_NFT_H

#include "ruleset.h"

struct nft;

/* Open the nfnetlink command socket of the network namespace of the caller. 0 or -errno. */
int nft_open(struct nft **ret_nft);
void nft_close(struct nft *nft);

/*
 * Read the table back. *ret_ruleset is NULL if there is none. `intact` is set by comparing every
 * chain, rule and set declaration with those that wanted's params would make (wanted NULL: false),
 * and params are then wanted's; if it is not intact params are all zero. Elements are always read,
 * sorted. An interrupted dump is made again; -EBUSY if others change the ruleset all the time.
 * 0 or -errno.
 */
int nft_read(struct nft *nft, const struct ruleset *wanted, struct ruleset **ret_ruleset);

/*
 * The elements of one set alone, as far as they could be ours, whatever else the table holds. 0, or
 * -ENOENT: there is no such set; or -errno.
 */
int nft_read_set(struct nft *nft, enum ruleset_set set, struct ruleset **ret_ruleset);

/* Make the table exactly this, in one transaction (old and new never mix for a packet). */
int nft_replace(struct nft *nft, const struct ruleset *ruleset);

/* Remove and add elements in one transaction, nothing else is touched. Lists are per set. */
int nft_change(struct nft *nft, const struct ruleset_elems remove[static RULESET_SET_MAX],
	       const struct ruleset_elems add[static RULESET_SET_MAX]);

/* Remove the table; 0 also if there was none. */
int nft_delete(struct nft *nft);

/* Named counters of the table: why packets were dropped and how many passed. */
struct nft_counter {
	char name[32];
	uint64_t packets, bytes;
};
int nft_counters(struct nft *nft, struct nft_counter **ret_counters, size_t *ret_n);

/* What the kernel said about the last failure (extended ack, which object), or "". */
const char *nft_error(const struct nft *nft);

/*
 * A descriptor for an event loop that becomes readable several times a second: the time to look
 * whether somebody changed the ruleset (why not by events: nft.c). nft_events_read() does, and
 * makes it unreadable; 1 if somebody else than this process changed it since, 0 if not, -errno.
 * A process has one at a time, of the network namespace that its nft_open() is of.
 */
int nft_events_open(struct nft **ret_events);
int nft_fd(const struct nft *nft);
int nft_events_read(struct nft *events);

#endif
