/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Elements of the sets in the kernel's encoding. A prefix of an interval map is two elements: its
 * first address, and behind its last one an "interval end" (none where the last is the last of
 * all). A prefix in a concatenation is one element with two keys.
 */
#ifndef NETPAS_NFT_ELEMS_H
#define NETPAS_NFT_ELEMS_H

#include "nft_socket.h"
#include "ruleset.h"

/* Bytes that the elements will take in a batch, about. */
size_t nft_elems_size(const struct ruleset_elems *elems);

/* Append messages that add (delete) the elements. 0 or -ENOMEM. */
int nft_elems_add(struct nft_batch *batch, enum ruleset_set set, const struct ruleset_elems *elems);
int nft_elems_delete(struct nft_batch *batch, enum ruleset_set set,
		     const struct ruleset_elems *elems);

/* The element of such a message that lies at the offset, as text; "" if none does. */
void nft_elems_describe(const struct nlmsghdr *nlh, size_t offset, char *buf, size_t size);

/* Reading: answers of one set are collected, then made into elements of the ruleset. */
struct nft_elems;
int nft_elems_new(enum ruleset_set set, struct nft_elems **ret_elems);
void nft_elems_free(struct nft_elems *elems);
int nft_elems_collect(const struct nlmsghdr *nlh, void *elems); /* an nft_answer_fn */

/* Clears *ret_intact if there is what no element of ours looks like. 0 or -ENOMEM. */
int nft_elems_finish(struct nft_elems *elems, struct ruleset *ruleset, bool *ret_intact);

#endif
