/* SPDX-License-Identifier: GPL-2.0-only */
#include "link.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "rtnl.h"

#define LINK_KIND_WIREGUARD "wireguard"

static void link_text_copy(char *to, size_t size, const struct nlattr *attr)
{
	size_t len = strnlen(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));

	if (len >= size)
		len = size - 1;
	memcpy(to, mnl_attr_get_payload(attr), len);
	to[len] = '\0';
}

static int link_parse(const struct nlmsghdr *nlh, struct link_info *ret_info)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct link_info info = { 0 };
	const struct nlattr *attr, *sub;

	if (nlh->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifi))
		return -EBADMSG;
	info.index = (unsigned int)ifi->ifi_index;
	info.up = ifi->ifi_flags & IFF_UP;
	info.running = ifi->ifi_flags & IFF_RUNNING;
	mnl_attr_for_each(attr, nlh, sizeof(*ifi))
	{
		switch (mnl_attr_get_type(attr)) {
		case IFLA_IFNAME:
			link_text_copy(info.name, sizeof(info.name), attr);
			break;
		case IFLA_MTU:
			info.mtu = rtnl_get_u32(attr);
			break;
		case IFLA_LINKINFO:
			mnl_attr_for_each_nested(sub, attr)
			{
				if (mnl_attr_get_type(sub) == IFLA_INFO_KIND)
					link_text_copy(info.kind, sizeof(info.kind), sub);
			}
			break;
		}
	}
	*ret_info = info;
	return 0;
}

static int link_get_cb(const struct nlmsghdr *nlh, void *data)
{
	struct link_info *info = data;
	int ret = link_parse(nlh, info);

	errno = -ret;
	return ret ? MNL_CB_ERROR : MNL_CB_OK;
}

static int link_dump_cb(const struct nlmsghdr *nlh, void *data)
{
	struct link_info *info = rtnl_list_add(data);
	int ret = info ? link_parse(nlh, info) : -ENOMEM;

	errno = -ret;
	return ret ? MNL_CB_ERROR : MNL_CB_OK;
}

static struct nlmsghdr *link_request(struct netlink *nl, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh = netlink_request(nl, type, flags);

	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	return nlh;
}

static struct nlmsghdr *link_request_dump(struct netlink *nl, uint8_t family)
{
	struct nlmsghdr *nlh = link_request(nl, RTM_GETLINK, 0);

	(void)family; /* links have none */
	mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return nlh;
}

static bool link_name_valid(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len < IFNAMSIZ;
}

int link_dump(struct netlink *nl, int (*cb)(const struct link_info *info, void *data), void *data)
{
	struct rtnl_list list = { .size = sizeof(struct link_info) };
	const struct link_info *info;
	int ret;

	ret = rtnl_dump(nl, link_request_dump, AF_UNSPEC, link_dump_cb, &list);
	info = list.v;
	for (size_t i = 0; !ret && i < list.n; i++)
		ret = cb(&info[i], data);
	free(list.v);
	return ret;
}

/* The kernel also takes an alternative name for IFLA_IFNAME; only the link's own name is meant. */
int link_get(struct netlink *nl, const char *name, struct link_info *ret_info)
{
	struct link_info info;
	struct nlmsghdr *nlh;
	int ret;

	if (!link_name_valid(name))
		return -ENODEV;
	nlh = link_request(nl, RTM_GETLINK, 0);
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	ret = netlink_get(nl, nlh, link_get_cb, &info);
	if (ret)
		return ret;
	if (strcmp(info.name, name))
		return -ENODEV;
	*ret_info = info;
	return 0;
}

int link_get_index(struct netlink *nl, unsigned int index, struct link_info *ret_info)
{
	struct nlmsghdr *nlh = link_request(nl, RTM_GETLINK, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);

	ifi->ifi_index = (int)index;
	mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return netlink_get(nl, nlh, link_get_cb, ret_info);
}

/* A request about the link that has this name now. */
static int link_request_change(struct netlink *nl, uint16_t type, const char *name,
			       struct nlmsghdr **ret_nlh)
{
	struct ifinfomsg *ifi;
	struct link_info info;
	int ret;

	ret = link_get(nl, name, &info);
	if (ret)
		return ret;
	*ret_nlh = link_request(nl, type, 0);
	ifi = mnl_nlmsg_get_payload(*ret_nlh);
	ifi->ifi_index = (int)info.index;
	return 0;
}

int link_add_wireguard(struct netlink *nl, const char *name)
{
	struct link_info info;
	struct nlmsghdr *nlh;
	struct nlattr *nest;
	int ret;

	if (!link_name_valid(name))
		return -EINVAL;
	nlh = link_request(nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	nest = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, LINK_KIND_WIREGUARD);
	mnl_attr_nest_end(nlh, nest);
	ret = netlink_ack(nl, nlh);
	if (ret != -EEXIST)
		return ret;
	if (link_get(nl, name, &info) || strcmp(info.kind, LINK_KIND_WIREGUARD))
		return -EEXIST;
	return 0;
}

int link_add_veth(struct netlink *nl, const char *name, int peer_ns, const char *peer)
{
	struct nlattr *info, *data, *end;
	struct nlmsghdr *nlh;

	if (!link_name_valid(name) || !link_name_valid(peer))
		return -EINVAL;
	nlh = link_request(nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	end = mnl_attr_nest_start(nlh, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, peer);
	mnl_attr_put_u32(nlh, IFLA_NET_NS_FD, (uint32_t)peer_ns);
	mnl_attr_nest_end(nlh, end);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	return netlink_ack(nl, nlh);
}

int link_delete(struct netlink *nl, const char *name)
{
	struct nlmsghdr *nlh;
	int ret;

	ret = link_request_change(nl, RTM_DELLINK, name, &nlh);
	if (!ret)
		ret = netlink_ack(nl, nlh);
	return ret == -ENODEV ? 0 : ret;
}

int link_set_mtu(struct netlink *nl, const char *name, uint32_t mtu)
{
	struct nlmsghdr *nlh;
	int ret;

	ret = link_request_change(nl, RTM_SETLINK, name, &nlh);
	if (ret)
		return ret;
	mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
	return netlink_ack(nl, nlh);
}

static int link_set_flag(struct netlink *nl, const char *name, unsigned int flag, bool set)
{
	struct nlmsghdr *nlh;
	struct ifinfomsg *ifi;
	int ret;

	ret = link_request_change(nl, RTM_SETLINK, name, &nlh);
	if (ret)
		return ret;
	ifi = mnl_nlmsg_get_payload(nlh);
	ifi->ifi_change = flag;
	ifi->ifi_flags = set ? flag : 0;
	return netlink_ack(nl, nlh);
}

int link_set_up(struct netlink *nl, const char *name, bool up)
{
	return link_set_flag(nl, name, IFF_UP, up);
}

int link_set_multicast(struct netlink *nl, const char *name, bool multicast)
{
	return link_set_flag(nl, name, IFF_MULTICAST, multicast);
}
