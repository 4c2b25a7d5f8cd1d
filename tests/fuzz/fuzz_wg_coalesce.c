/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any packets, joined and cut again, are the same packets, those of a flow in the order in which they
 * came. The input is records: a byte of how, a byte of length, and so many bytes of the packet; the
 * record before gives what is not there.
 */
#include "engine/coalesce.h"
#include "wg_packets.h"

enum {
	PACKETS = 200,
	UDP = 8, /* the device takes UDP (of the first record) */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct packets_expected sent[PACKETS];
static uint32_t n_sent, n_got;

static void cut_again(void *ctx, const struct iovec *iov, int n, uint32_t count, uint32_t bytes)
{
	static uint8_t whole[PACKET_MAX];
	struct virtio_net_hdr hdr;
	size_t len = 0;

	(void)ctx;
	memcpy(&hdr, iov[0].iov_base, sizeof(hdr));
	for (int i = 1; i < n; i++) {
		check(len + iov[i].iov_len <= sizeof(whole));
		memcpy(whole + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	check(len == bytes && count);
	check(packets_cut(sent, n_sent, &hdr, whole, bytes) == count);
	n_got += count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copies[PACKETS];
	struct coalesce *c;

	if (!size)
		return 0;
	c = coalesce_new(data[0] & UDP, cut_again, NULL);
	check(c);
	n_sent = n_got = 0;
	while (n_sent < PACKETS && size >= 2) {
		struct packets_expected *p = &sent[n_sent], *before = n_sent ? p - 1 : NULL;
		uint32_t len = data[1], room = (uint32_t)size - 2;

		if (len > room)
			len = room;
		p->len = packets_make(p->bytes, before ? before->bytes : NULL,
				      before ? before->len : 0, data[0], data + 2, len);
		p->seen = false;
		data += 2 + len;
		size -= 2 + len;
		/* What the engine drops before. */
		if (p->len && packet_inner_len(p->bytes, p->len) == p->len)
			n_sent++;
	}
	for (uint32_t i = 0; i < n_sent; i++) {
		/* In memory of its own size, so that a byte too far is seen. */
		copies[i] = malloc(sent[i].len);
		check(copies[i]);
		memcpy(copies[i], sent[i].bytes, sent[i].len);
		coalesce_add(c, copies[i], sent[i].len);
	}
	coalesce_flush(c);
	check(n_got == n_sent);
	for (uint32_t i = 0; i < n_sent; i++)
		free(copies[i]);
	coalesce_free(c);
	return 0;
}
