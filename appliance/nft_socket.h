/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The nfnetlink socket below nft.h: dumps, and transactions, which the kernel calls batches: the
 * messages between a begin and an end, that it does all or none of.
 */
#ifndef NETPAS_NFT_SOCKET_H
#define NETPAS_NFT_SOCKET_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nft.h"

#define NFT_BUFFER 65536 /* a dump's largest piece is 32768 */

struct nft {
	struct mnl_socket *socket;
	int timer; /* of an events handle; else -1 */
	uint32_t sequence;
	char error[256];
	char buffer[NFT_BUFFER];
};

/* Start a request in the socket's buffer; the caller appends attributes. */
struct nlmsghdr *nft_request(struct nft *nft, uint16_t type, uint16_t flags);

/*
 * Send it and give every answer to cb (which returns 0 or -errno). -EINTR: the ruleset changed in
 * the middle, the answers are no whole. 0 or -errno.
 */
typedef int nft_answer_fn(const struct nlmsghdr *nlh, void *data);
int nft_ask(struct nft *nft, const struct nlmsghdr *nlh, nft_answer_fn *cb, void *data);

/*
 * The kernel numbers the states of its ruleset. The process keeps in mind the number that its own
 * last transaction made, so that it notices those of others: nft_generation_foreign() says whether
 * there were any since it, or nft_generation_reset(), was last called. 1, 0 or -errno.
 */
int nft_generation_ask(struct nft *nft, uint32_t *ret_generation);
int nft_generation_reset(struct nft *nft);
int nft_generation_foreign(struct nft *nft);

struct nft_batch_entry {
	size_t offset;
	char what[80]; /* "add rule 3 of chain input" */
};

struct nft_batch {
	char *data;
	size_t len, size;
	struct nft_batch_entry *entries; /* one a message, numbered by sequence from 0 */
	size_t n_entries, entries_size;
	struct nlmsghdr *open; /* the message being written */
};

/* A transaction with room for about `size` bytes (it grows). 0 or -ENOMEM. */
int nft_batch_begin(struct nft_batch *batch, size_t size);
void nft_batch_free(struct nft_batch *batch);

/*
 * Start a message that will need no more than `room` bytes; what it does is said as by printf. It
 * is complete when the next one or the end comes. NULL if out of memory.
 */
struct nlmsghdr *nft_batch_add(struct nft_batch *batch, uint16_t type, uint16_t flags, size_t room,
			       const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Have it done. On failure nothing is done, and nft->error says what the kernel minded. */
int nft_batch_commit(struct nft *nft, struct nft_batch *batch);

#endif
