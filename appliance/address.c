/* SPDX-License-Identifier: GPL-2.0-only */
#include "address.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>

#include "link.h"
#include "rtnl.h"

struct address_entry {
	struct ip_prefix prefix;
	unsigned int index;
};

static struct nlmsghdr *address_request(struct netlink *nl, uint16_t type, uint16_t flags,
					uint8_t family)
{
	struct nlmsghdr *nlh = netlink_request(nl, type, flags);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));

	ifa->ifa_family = family;
	return nlh;
}

static struct nlmsghdr *address_request_dump(struct netlink *nl, uint8_t family)
{
	return address_request(nl, RTM_GETADDR, 0, family);
}

/* IFA_LOCAL is the host's own end where IFA_ADDRESS is the other end of a point to point link. */
static int address_dump_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr, *local = NULL;
	struct address_entry *entry;
	uint8_t family;

	if (nlh->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifa))
		return MNL_CB_OK;
	family = rtnl_ip_family(ifa->ifa_family);
	if (family == IP_NONE)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*ifa))
	{
		if (mnl_attr_get_type(attr) == IFA_LOCAL ||
		    (mnl_attr_get_type(attr) == IFA_ADDRESS && !local))
			local = attr;
	}
	if (!local)
		return MNL_CB_OK;
	entry = rtnl_list_add(data);
	if (!entry)
		return MNL_CB_ERROR;
	entry->index = ifa->ifa_index;
	entry->prefix.len = ifa->ifa_prefixlen;
	errno = -rtnl_get_addr(local, family, &entry->prefix.addr);
	return errno ? MNL_CB_ERROR : MNL_CB_OK;
}

int address_dump(struct netlink *nl, int (*cb)(const struct state_address *address, void *data),
		 void *data)
{
	struct rtnl_list list = { .size = sizeof(struct address_entry) };
	struct link_info info = { 0 };
	const struct address_entry *entry;
	int ret;

	/* AF_UNSPEC: one dump of every family that the kernel has. */
	ret = rtnl_dump(nl, address_request_dump, AF_UNSPEC, address_dump_cb, &list);
	entry = list.v;
	for (size_t i = 0; !ret && i < list.n; i++) {
		struct state_address address = { .prefix = entry[i].prefix };

		/* The kernel gives the addresses of a link together. */
		if (entry[i].index != info.index) {
			ret = link_get_index(nl, entry[i].index, &info);
			if (ret == -ENODEV) { /* gone since, and its addresses with it */
				ret = 0;
				continue;
			}
			if (ret)
				break;
		}
		snprintf(address.ifname, sizeof(address.ifname), "%s", info.name);
		ret = cb(&address, data);
	}
	free(list.v);
	return ret;
}

static int address_change(struct netlink *nl, const struct state_address *address, uint16_t type,
			  uint16_t flags)
{
	const struct ip_addr *addr = &address->prefix.addr;
	struct link_info info;
	struct nlmsghdr *nlh;
	struct ifaddrmsg *ifa;
	int ret;

	if (addr->family == IP_NONE)
		return -EINVAL;
	ret = link_get(nl, address->ifname, &info);
	if (ret)
		return ret;
	nlh = address_request(nl, type, flags, rtnl_family(addr->family));
	ifa = mnl_nlmsg_get_payload(nlh);
	ifa->ifa_index = info.index;
	ifa->ifa_prefixlen = address->prefix.len;
	rtnl_put_addr(nlh, IFA_LOCAL, addr);
	if (addr->family == IP_V4)
		rtnl_put_addr(nlh, IFA_ADDRESS, addr);
	else if (type == RTM_NEWADDR)
		mnl_attr_put_u32(nlh, IFA_FLAGS, IFA_F_NODAD);
	return netlink_ack(nl, nlh);
}

int address_add(struct netlink *nl, const struct state_address *address)
{
	int ret = address_change(nl, address, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);

	return ret == -EEXIST ? 0 : ret;
}

int address_delete(struct netlink *nl, const struct state_address *address)
{
	int ret = address_change(nl, address, RTM_DELADDR, 0);

	return ret == -EADDRNOTAVAIL || ret == -ENODEV ? 0 : ret;
}
