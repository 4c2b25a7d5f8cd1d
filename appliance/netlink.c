/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A command socket has one request in flight, and every answer is matched by sequence number and
 * port: what an earlier, failed exchange left in the queue is skipped, never taken for the answer
 * to a later one. A dump is always read to its end, also when the callback has failed, because
 * the kernel refuses the next dump on a socket whose last one is still under way (EBUSY).
 *
 * libmnl's mnl_cb_run() is not used: it gives neither the extended ack nor the rest of a dump
 * after an error.
 */
#include "netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define NETLINK_ERROR_LEN 256
#define NETLINK_RCVBUF (1 << 20) /* bytes, of an event socket */
#define NETLINK_EVENTS_MAX 1024	 /* datagrams taken at a time */

struct netlink {
	struct mnl_socket *socket;
	uint32_t seq;
	char error[NETLINK_ERROR_LEN];
	_Alignas(NLMSG_ALIGNTO) char request[NETLINK_BUFFER];
	_Alignas(NLMSG_ALIGNTO) char answer[NETLINK_BUFFER];
};

enum netlink_kind {
	NETLINK_ACK,  /* ends with an error message of code 0 */
	NETLINK_GET,  /* ends with the first message that is not an error */
	NETLINK_DUMP, /* ends with NLMSG_DONE */
};

int netlink_open(int bus, uint32_t groups, struct netlink **ret_netlink)
{
	static const int options[] = { NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK };
	int flags = SOCK_CLOEXEC | (groups ? SOCK_NONBLOCK : 0);
	int size = NETLINK_RCVBUF, on = 1, ret;
	struct netlink *nl;

	nl = calloc(1, sizeof(*nl));
	if (!nl)
		return -ENOMEM;
	nl->socket = mnl_socket_open2(bus, flags);
	if (!nl->socket) {
		ret = -errno;
		goto free;
	}
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (mnl_socket_setsockopt(nl->socket, options[i], &on, sizeof(on))) {
			ret = -errno;
			goto close;
		}
	}
	/* A small buffer only means ENOBUFS sooner, which the reader must survive anyway. */
	if (groups)
		(void)setsockopt(mnl_socket_get_fd(nl->socket), SOL_SOCKET, SO_RCVBUFFORCE, &size,
				 sizeof(size));
	if (mnl_socket_bind(nl->socket, groups, MNL_SOCKET_AUTOPID)) {
		ret = -errno;
		goto close;
	}
	*ret_netlink = nl;
	return 0;

close:
	mnl_socket_close(nl->socket);
free:
	free(nl);
	return ret;
}

void netlink_close(struct netlink *netlink)
{
	if (!netlink)
		return;
	mnl_socket_close(netlink->socket);
	free(netlink);
}

int netlink_fd(const struct netlink *netlink)
{
	return mnl_socket_get_fd(netlink->socket);
}

unsigned int netlink_port(const struct netlink *netlink)
{
	return mnl_socket_get_portid(netlink->socket);
}

struct nlmsghdr *netlink_request(struct netlink *netlink, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(netlink->request);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++netlink->seq;
	netlink->error[0] = '\0';
	return nlh;
}

/* Keep the message of an extended ack whose attributes begin at offset into the message. */
static void netlink_error_keep(struct netlink *nl, const struct nlmsghdr *nlh, size_t offset)
{
	const struct nlattr *attr;

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS) || offset >= nlh->nlmsg_len)
		return;
	mnl_attr_for_each(attr, nlh, offset - MNL_NLMSG_HDRLEN)
	{
		size_t len = mnl_attr_get_payload_len(attr);

		if (mnl_attr_get_type(attr) != NLMSGERR_ATTR_MSG)
			continue;
		len = strnlen(mnl_attr_get_payload(attr), len);
		if (len >= sizeof(nl->error))
			len = sizeof(nl->error) - 1;
		memcpy(nl->error, mnl_attr_get_payload(attr), len);
		nl->error[len] = '\0';
	}
}

/* The code of an NLMSG_ERROR, 0 or -errno; the kernel's words are kept if it is an error. */
static int netlink_error_parse(struct netlink *nl, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);
	size_t offset = MNL_NLMSG_HDRLEN + sizeof(*err);

	if (nlh->nlmsg_len < mnl_nlmsg_size(sizeof(*err)))
		return -EBADMSG;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED) && err->msg.nlmsg_len >= sizeof(err->msg))
		offset += MNL_ALIGN(err->msg.nlmsg_len) - sizeof(err->msg);
	if (err->error)
		netlink_error_keep(nl, nlh, offset);
	return err->error;
}

/* The code in the NLMSG_DONE of a dump: a dump can fail after it has begun. */
static int netlink_done_parse(struct netlink *nl, const struct nlmsghdr *nlh)
{
	int code = 0;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(code))
		return 0;
	memcpy(&code, mnl_nlmsg_get_payload(nlh), sizeof(code));
	if (code < 0)
		netlink_error_keep(nl, nlh, mnl_nlmsg_size(sizeof(code)));
	return code < 0 ? code : 0;
}

static int netlink_call(mnl_cb_t cb, const struct nlmsghdr *nlh, void *data)
{
	errno = 0;
	if (!cb || cb(nlh, data) >= 0)
		return 0;
	return errno ? -errno : -EBADMSG;
}

/*
 * One datagram of the kernel's into the answer buffer; its length, or -errno. What others sent to
 * the socket's port is passed over.
 */
static ssize_t netlink_receive(struct netlink *nl)
{
	for (;;) {
		struct sockaddr_nl from;
		struct iovec iov = { nl->answer, sizeof(nl->answer) };
		struct msghdr msg = {
			.msg_name = &from,
			.msg_namelen = sizeof(from),
			.msg_iov = &iov,
			.msg_iovlen = 1,
		};
		ssize_t got = recvmsg(netlink_fd(nl), &msg, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (msg.msg_flags & MSG_TRUNC)
			return -EMSGSIZE;
		if (msg.msg_namelen == sizeof(from) && !from.nl_pid)
			return got;
	}
}

static int netlink_exchange(struct netlink *nl, struct nlmsghdr *request, enum netlink_kind kind,
			    mnl_cb_t cb, void *data)
{
	unsigned int port = netlink_port(nl);
	bool interrupted = false;
	int ret = 0, code;
	ssize_t got;

	if (mnl_socket_sendto(nl->socket, request, request->nlmsg_len) < 0)
		return -errno;
	for (;;) {
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)nl->answer;
		int left;

		got = netlink_receive(nl);
		if (got < 0)
			return (int)got;
		left = (int)got;
		for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
			if (nlh->nlmsg_seq != request->nlmsg_seq || nlh->nlmsg_pid != port)
				continue;
			if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
				interrupted = true;
			switch (nlh->nlmsg_type) {
			case NLMSG_NOOP:
			case NLMSG_OVERRUN:
				continue;
			case NLMSG_ERROR:
				code = netlink_error_parse(nl, nlh);
				return ret ? ret : code;
			case NLMSG_DONE:
				code = netlink_done_parse(nl, nlh);
				if (!ret)
					ret = code;
				return !ret && interrupted ? -EINTR : ret;
			default:
				if (!ret)
					ret = netlink_call(cb, nlh, data);
				if (kind == NETLINK_GET)
					return ret;
			}
		}
	}
}

int netlink_ack(struct netlink *netlink, struct nlmsghdr *nlh)
{
	nlh->nlmsg_flags |= NLM_F_ACK;
	return netlink_exchange(netlink, nlh, NETLINK_ACK, NULL, NULL);
}

int netlink_get(struct netlink *netlink, struct nlmsghdr *nlh, mnl_cb_t cb, void *data)
{
	return netlink_exchange(netlink, nlh, NETLINK_GET, cb, data);
}

int netlink_dump(struct netlink *netlink, struct nlmsghdr *nlh, mnl_cb_t cb, void *data)
{
	nlh->nlmsg_flags |= NLM_F_DUMP;
	return netlink_exchange(netlink, nlh, NETLINK_DUMP, cb, data);
}

int netlink_events(struct netlink *netlink, mnl_cb_t cb, void *data)
{
	int ret = 0;

	/* Bounded: a flood of events must not keep the caller from everything else. */
	for (unsigned int i = 0; i < NETLINK_EVENTS_MAX; i++) {
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)netlink->answer;
		ssize_t got = netlink_receive(netlink);
		int left = (int)got;

		if (got == -EAGAIN)
			return ret;
		/* The error is told once; what is still in the queue behind it is good. */
		if (got == -ENOBUFS) {
			ret = -ENOBUFS;
			continue;
		}
		if (got < 0)
			return (int)got;
		for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
			int rc = nlh->nlmsg_type < NLMSG_MIN_TYPE ? 0 : netlink_call(cb, nlh, data);

			if (rc)
				return rc;
		}
	}
	return ret;
}

const char *netlink_error(const struct netlink *netlink)
{
	return netlink->error;
}
