/* SPDX-License-Identifier: GPL-2.0-only */
#include "neighbour.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>

#include "link.h"
#include "rtnl.h"

int neighbour_resolve(struct netlink *nl, const char *ifname, const struct ip_addr *addr)
{
	struct link_info info;
	struct nlmsghdr *nlh;
	struct ndmsg *ndm;
	int rc;

	rc = link_get(nl, ifname, &info);
	if (rc)
		return rc;
	nlh = netlink_request(nl, RTM_NEWNEIGH, NLM_F_CREATE);
	ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ndm));
	ndm->ndm_family = rtnl_family(addr->family);
	ndm->ndm_ifindex = (int)info.index;
	ndm->ndm_flags = NTF_USE; /* as if a packet were waiting for the answer */
	rtnl_put_addr(nlh, NDA_DST, addr);
	return netlink_ack(nl, nlh);
}

struct neighbour_entry {
	int index;
	struct ip_addr addr;
};

static struct nlmsghdr *request_dump(struct netlink *nl, uint8_t family)
{
	struct nlmsghdr *nlh = netlink_request(nl, RTM_GETNEIGH, 0);
	struct ndmsg *ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ndm));

	ndm->ndm_family = family;
	return nlh;
}

static int dump_cb(const struct nlmsghdr *nlh, void *data)
{
	const uint16_t known = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE;
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	struct neighbour_entry *entry;
	const struct nlattr *attr;
	uint8_t family;

	if (nlh->nlmsg_type != RTM_NEWNEIGH || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ndm))
		return MNL_CB_OK;
	family = rtnl_ip_family(ndm->ndm_family);
	if (family == IP_NONE || !(ndm->ndm_state & known))
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*ndm))
	{
		if (mnl_attr_get_type(attr) != NDA_DST)
			continue;
		entry = rtnl_list_add(data);
		if (!entry)
			return MNL_CB_ERROR;
		entry->index = ndm->ndm_ifindex;
		errno = -rtnl_get_addr(attr, family, &entry->addr);
		return errno ? MNL_CB_ERROR : MNL_CB_OK;
	}
	return MNL_CB_OK;
}

int neighbour_dump(struct netlink *nl, const char *ifname,
		   int (*cb)(const struct ip_addr *addr, void *data), void *data)
{
	struct rtnl_list list = { .size = sizeof(struct neighbour_entry) };
	const struct neighbour_entry *entry;
	struct link_info info;
	int ret;

	ret = link_get(nl, ifname, &info);
	if (!ret)
		ret = rtnl_dump(nl, request_dump, AF_UNSPEC, dump_cb, &list);
	entry = list.v;
	for (size_t i = 0; !ret && i < list.n; i++)
		if (entry[i].index == (int)info.index)
			ret = cb(&entry[i].addr, data);
	free(list.v);
	return ret;
}
