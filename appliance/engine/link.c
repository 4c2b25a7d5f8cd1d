/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/link.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int link_open(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	int rc;

	if (fd < 0)
		return -errno;
	if (!bind(fd, (const struct sockaddr *)&address, sizeof(address)))
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

int link_ask(int fd)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg info;
	} request = {
		.header = { .nlmsg_len = sizeof(request),
			    .nlmsg_type = RTM_GETLINK,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
	};

	return send(fd, &request, sizeof(request), 0) < 0 ? -errno : 0;
}

static void tell(const struct nlmsghdr *header,
		 void (*told)(const struct link_news *news, void *data), void *data)
{
	const struct ifinfomsg *info = NLMSG_DATA(header);
	struct link_news news = { .gone = header->nlmsg_type == RTM_DELLINK };
	const struct rtattr *attr;
	int left;

	if ((header->nlmsg_type != RTM_NEWLINK && header->nlmsg_type != RTM_DELLINK) ||
	    header->nlmsg_len < NLMSG_LENGTH(sizeof(*info)))
		return;
	news.ifindex = (unsigned int)info->ifi_index;
	news.up = info->ifi_flags & IFF_UP;
	attr = IFLA_RTA(info);
	left = (int)IFLA_PAYLOAD(header);
	for (; RTA_OK(attr, left); attr = RTA_NEXT(attr, left))
		if (attr->rta_type == IFLA_MTU && RTA_PAYLOAD(attr) >= sizeof(news.mtu))
			memcpy(&news.mtu, RTA_DATA(attr), sizeof(news.mtu));
	told(&news, data);
}

int link_read(int fd, void (*told)(const struct link_news *news, void *data), void *data)
{
	_Alignas(struct nlmsghdr) char buffer[32768];

	for (;;) {
		ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
		size_t left = n > 0 ? (size_t)n : 0;

		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		for (const struct nlmsghdr *header = (const void *)buffer; NLMSG_OK(header, left);
		     header = NLMSG_NEXT(header, left))
			tell(header, told, data);
	}
}
