/* SPDX-License-Identifier: GPL-2.0-only */
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libnftnl/common.h>

#include "nft_elems.h"
#include "nft_socket.h"

#define COMMIT_TRIES 100
#define BATCH_ROOM 4096 /* what every batch has beyond its messages */

/* Both know what the kernel says of a message: an error, and with extended ack its reason. */
struct complaint {
	int error; /* -errno */
	uint32_t sequence;
	const char *reason;
	uint32_t offset; /* of the attribute that it minded, in the message; 0: not said */
};

static int read_ack_attr(const struct nlattr *attr, void *data)
{
	struct complaint *complaint = data;

	if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG &&
	    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
		complaint->reason = mnl_attr_get_str(attr);
	if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_OFFS &&
	    mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
		complaint->offset = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static struct complaint read_complaint(const struct nlmsghdr *nlh)
{
	struct complaint complaint = { .error = -EBADMSG, .sequence = nlh->nlmsg_seq };
	const struct nlmsgerr *ack = mnl_nlmsg_get_payload(nlh);
	size_t skip = sizeof(*ack);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ack))
		return complaint;
	complaint.error = ack->error;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		skip += mnl_nlmsg_get_payload_len(&ack->msg);
	if (nlh->nlmsg_flags & NLM_F_ACK_TLVS && mnl_nlmsg_get_payload_len(nlh) > skip)
		mnl_attr_parse(nlh, (unsigned int)skip, read_ack_attr, &complaint);
	return complaint;
}

/* -- Questions. -- */

struct nlmsghdr *nft_request(struct nft *nft, uint16_t type, uint16_t flags)
{
	return nftnl_nlmsg_build_hdr(nft->buffer, type, NFPROTO_INET, flags, ++nft->sequence);
}

struct question {
	uint32_t sequence;
	nft_answer_fn *cb;
	void *data;
	bool done, interrupted;
	int rc; /* the first that went wrong; the rest is drained */
};

static void hear_message(struct nft *nft, struct question *question, const struct nlmsghdr *nlh)
{
	if (nlh->nlmsg_seq != question->sequence)
		return;
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		question->interrupted = true;
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		const struct complaint complaint = read_complaint(nlh);

		if (complaint.error && complaint.reason)
			snprintf(nft->error, sizeof(nft->error), "%s", complaint.reason);
		if (!question->rc)
			question->rc = complaint.error;
		question->done = true;
		return;
	}
	if (nlh->nlmsg_type == NLMSG_DONE) {
		if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(int) && !question->rc)
			question->rc = *(const int *)mnl_nlmsg_get_payload(nlh);
		question->done = true;
		return;
	}
	if (!question->rc)
		question->rc = question->cb(nlh, question->data);
	if (!(nlh->nlmsg_flags & NLM_F_MULTI))
		question->done = true;
}

int nft_ask(struct nft *nft, const struct nlmsghdr *nlh, nft_answer_fn *cb, void *data)
{
	struct question question = { .sequence = nlh->nlmsg_seq, .cb = cb, .data = data };

	nft->error[0] = '\0';
	if (mnl_socket_sendto(nft->socket, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	while (!question.done) {
		ssize_t len = mnl_socket_recvfrom(nft->socket, nft->buffer, sizeof(nft->buffer));
		int left = (int)len;

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return -errno;
		for (nlh = (const void *)nft->buffer; mnl_nlmsg_ok(nlh, left);
		     nlh = mnl_nlmsg_next(nlh, &left))
			hear_message(nft, &question, nlh);
	}
	return !question.rc && question.interrupted ? -EINTR : question.rc;
}

/* -- Generations. -- */

static struct {
	uint32_t known; /* the last that was ours, or that we were told of */
	bool foreign;	/* others came between since we last said so */
} generation;

static int read_generation(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == NFTA_GEN_ID &&
		    mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			*(uint32_t *)data = be32toh(mnl_attr_get_u32(attr));
	}
	return 0;
}

int nft_generation_ask(struct nft *nft, uint32_t *ret_generation)
{
	return nft_ask(nft, nft_request(nft, NFT_MSG_GETGEN, 0), read_generation, ret_generation);
}

static void generation_note(uint32_t now)
{
	if (now != generation.known)
		generation.foreign = true;
	generation.known = now;
}

int nft_generation_reset(struct nft *nft)
{
	uint32_t now = 0;
	int rc = nft_generation_ask(nft, &now);

	if (rc)
		return rc;
	generation.known = now;
	generation.foreign = false;
	return 0;
}

int nft_generation_foreign(struct nft *nft)
{
	uint32_t now = 0;
	int rc = nft_generation_ask(nft, &now);

	if (rc)
		return rc;
	generation_note(now);
	rc = generation.foreign;
	generation.foreign = false;
	return rc;
}

/* -- Transactions. -- */

/* Room for this many more bytes, and for the end of the batch. */
static int batch_grow(struct nft_batch *batch, size_t room)
{
	size_t need = batch->len + room + BATCH_ROOM;
	size_t size = 2 * batch->size;
	char *data;

	if (need <= batch->size)
		return 0;
	if (size < need)
		size = need;
	data = realloc(batch->data, size);
	if (!data)
		return -ENOMEM;
	batch->data = data;
	batch->size = size;
	return 0;
}

static void batch_close_message(struct nft_batch *batch)
{
	if (batch->open)
		batch->len += MNL_ALIGN(batch->open->nlmsg_len);
	batch->open = NULL;
}

static struct nft_batch_entry *batch_add_entry(struct nft_batch *batch)
{
	struct nft_batch_entry *entry;

	if (batch->n_entries == batch->entries_size) {
		size_t size = batch->entries_size ? 2 * batch->entries_size : 256;

		entry = reallocarray(batch->entries, size, sizeof(*entry));
		if (!entry)
			return NULL;
		batch->entries = entry;
		batch->entries_size = size;
	}
	entry = &batch->entries[batch->n_entries++];
	*entry = (struct nft_batch_entry){ .offset = batch->len };
	return entry;
}

int nft_batch_begin(struct nft_batch *batch, size_t size)
{
	struct nft_batch_entry *entry;

	*batch = (struct nft_batch){ .data = NULL };
	if (batch_grow(batch, size + BATCH_ROOM))
		return -ENOMEM;
	entry = batch_add_entry(batch);
	if (!entry) {
		nft_batch_free(batch);
		return -ENOMEM;
	}
	snprintf(entry->what, sizeof(entry->what), "commit");
	batch->open = nftnl_batch_begin(batch->data, 0);
	mnl_attr_put_u32(batch->open, NFNL_BATCH_GENID, 0); /* known when it is sent */
	return 0;
}

void nft_batch_free(struct nft_batch *batch)
{
	free(batch->data);
	free(batch->entries);
	*batch = (struct nft_batch){ .data = NULL };
}

struct nlmsghdr *nft_batch_add(struct nft_batch *batch, uint16_t type, uint16_t flags, size_t room,
			       const char *fmt, ...)
{
	struct nft_batch_entry *entry;
	va_list args;

	batch_close_message(batch);
	if (batch_grow(batch, room))
		return NULL;
	entry = batch_add_entry(batch);
	if (!entry)
		return NULL;
	va_start(args, fmt);
	vsnprintf(entry->what, sizeof(entry->what), fmt, args);
	va_end(args);
	batch->open = nftnl_nlmsg_build_hdr(batch->data + batch->len, type, NFPROTO_INET, flags,
					    (uint32_t)(batch->n_entries - 1));
	return batch->open;
}

static int batch_send(struct nft *nft, const struct nft_batch *batch)
{
	const int fd = mnl_socket_get_fd(nft->socket);
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct iovec iov = { .iov_base = batch->data, .iov_len = batch->len };
	struct msghdr msg = {
		.msg_name = &kernel, .msg_namelen = sizeof(kernel), .msg_iov = &iov, .msg_iovlen = 1
	};
	int size;

	/* The kernel doubles it. */
	if (batch->len > INT_MAX / 2)
		return -EMSGSIZE;
	size = (int)batch->len;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)); /* may suffice */
	while (sendmsg(fd, &msg, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

static void explain(struct nft *nft, const struct nft_batch *batch,
		    const struct complaint *complaint)
{
	const struct nft_batch_entry *entry = &batch->entries[0];
	const struct nlmsghdr *nlh;
	char elem[64];

	if (complaint->sequence < batch->n_entries)
		entry = &batch->entries[complaint->sequence];
	nlh = (const void *)(batch->data + entry->offset);
	nft_elems_describe(nlh, complaint->offset, elem, sizeof(elem));
	snprintf(nft->error, sizeof(nft->error), "%s%s%s: %s%s%s", entry->what, elem[0] ? ", " : "",
		 elem, strerror(-complaint->error), complaint->reason ? ": " : "",
		 complaint->reason ? complaint->reason : "");
}

/*
 * The kernel has done all before sendmsg() returns, and answers only where something is wrong. The
 * first complaint is told: the others often follow from it.
 */
static int batch_hear(struct nft *nft, const struct nft_batch *batch)
{
	const int fd = mnl_socket_get_fd(nft->socket);
	int rc = 0;

	for (;;) {
		ssize_t len = recv(fd, nft->buffer, sizeof(nft->buffer), MSG_DONTWAIT);
		const struct nlmsghdr *nlh = (const void *)nft->buffer;
		int left = (int)len;

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return rc;
		if (len < 0 && errno == ENOBUFS) {
			rc = rc ? rc : -ENOBUFS;
			continue;
		}
		if (len < 0)
			return -errno;
		for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
			struct complaint complaint;

			if (nlh->nlmsg_type != NLMSG_ERROR)
				continue;
			complaint = read_complaint(nlh);
			if (rc || !complaint.error)
				continue;
			rc = complaint.error;
			explain(nft, batch, &complaint);
		}
	}
}

/* The transaction is for this generation, and fails with -ERESTART if there is another. */
static int batch_try(struct nft *nft, struct nft_batch *batch, uint32_t before)
{
	const uint32_t value = htobe32(before);
	struct nlattr *attr = mnl_nlmsg_get_payload_offset((struct nlmsghdr *)(void *)batch->data,
							   sizeof(struct nfgenmsg));
	uint32_t after = before;
	int rc;

	memcpy(mnl_attr_get_payload(attr), &value, sizeof(value));
	rc = batch_send(nft, batch);
	if (!rc)
		rc = batch_hear(nft, batch);
	if (rc)
		return rc;
	/* It made no generation if there was nothing to do; else the next one, which is never 0. */
	if (!nft_generation_ask(nft, &after) && after != before)
		generation.known = before + 1 ? before + 1 : 1;
	return 0;
}

int nft_batch_commit(struct nft *nft, struct nft_batch *batch)
{
	int rc = -ERESTART;

	batch_close_message(batch);
	batch->open = nftnl_batch_end(batch->data + batch->len, (uint32_t)batch->n_entries);
	batch_close_message(batch);

	for (int i = 0; i < COMMIT_TRIES && (rc == -EAGAIN || rc == -ERESTART); i++) {
		uint32_t now = 0;

		rc = nft_generation_ask(nft, &now);
		if (rc)
			break;
		generation_note(now);
		rc = batch_try(nft, batch, now);
	}
	if (rc && !nft->error[0])
		snprintf(nft->error, sizeof(nft->error), "%s", strerror(-rc));
	return rc;
}
