/* SPDX-License-Identifier: GPL-2.0-only */
#include "rtnl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

uint8_t rtnl_family(uint8_t ip_family)
{
	return ip_family == IP_V4 ? AF_INET : ip_family == IP_V6 ? AF_INET6 : AF_UNSPEC;
}

uint8_t rtnl_ip_family(uint8_t family)
{
	return family == AF_INET ? IP_V4 : family == AF_INET6 ? IP_V6 : IP_NONE;
}

void rtnl_put_addr(struct nlmsghdr *nlh, uint16_t type, const struct ip_addr *addr)
{
	mnl_attr_put(nlh, type, ip_bits(addr->family) / 8, addr->bytes);
}

int rtnl_get_addr(const struct nlattr *attr, uint8_t ip_family, struct ip_addr *ret_addr)
{
	size_t len = ip_bits(ip_family) / 8;

	if (!len || mnl_attr_get_payload_len(attr) != len)
		return -EBADMSG;
	memset(ret_addr, 0, sizeof(*ret_addr));
	ret_addr->family = ip_family;
	memcpy(ret_addr->bytes, mnl_attr_get_payload(attr), len);
	return 0;
}

uint32_t rtnl_get_u32(const struct nlattr *attr)
{
	return mnl_attr_get_payload_len(attr) == sizeof(uint32_t) ? mnl_attr_get_u32(attr) : 0;
}

void *rtnl_list_add(struct rtnl_list *list)
{
	char *v = list->v;

	if (list->n == list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 16;

		v = reallocarray(v, capacity, list->size);
		if (!v)
			return NULL;
		list->v = v;
		list->capacity = capacity;
	}
	v += list->n++ * list->size;
	return memset(v, 0, list->size);
}

int rtnl_dump(struct netlink *nl, struct nlmsghdr *(*request)(struct netlink *nl, uint8_t family),
	      uint8_t family, mnl_cb_t cb, struct rtnl_list *list)
{
	size_t before = list->n;
	int ret = -EINTR;

	for (unsigned int i = 0; i < RTNL_DUMP_TRIES && ret == -EINTR; i++) {
		list->n = before;
		ret = netlink_dump(nl, request(nl, family), cb, list);
	}
	return ret;
}
