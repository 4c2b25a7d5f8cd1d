/* SPDX-License-Identifier: GPL-2.0-only */
#include "nexthop.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "rtnl.h"

/* RTA_VIA: a neighbour of the other family (IPv4 routes by IPv6 routers, RFC 8950). */
static int parse_via(const struct nlattr *attr, struct ip_addr *ret_addr)
{
	const struct rtvia *via = mnl_attr_get_payload(attr);
	struct ip_addr addr = { 0 };
	size_t len;

	if (mnl_attr_get_payload_len(attr) < sizeof(*via))
		return -EBADMSG;
	addr.family = rtnl_ip_family((uint8_t)via->rtvia_family);
	len = ip_bits(addr.family) / 8;
	if (!len || mnl_attr_get_payload_len(attr) != sizeof(*via) + len)
		return -EBADMSG;
	memcpy(addr.bytes, via->rtvia_addr, len);
	*ret_addr = addr;
	return 0;
}

static int parse(const struct nlmsghdr *nlh, struct nexthop *nexthop)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	int ret = 0;

	if (nlh->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm))
		return -EBADMSG;
	if (rtm->rtm_type != RTN_UNICAST)
		return -ENETUNREACH;
	mnl_attr_for_each(attr, nlh, sizeof(*rtm))
	{
		switch (mnl_attr_get_type(attr)) {
		case RTA_OIF:
			nexthop->ifindex = rtnl_get_u32(attr);
			break;
		case RTA_GATEWAY:
			ret = rtnl_get_addr(attr, rtnl_ip_family(rtm->rtm_family),
					    &nexthop->address);
			break;
		case RTA_VIA:
			ret = parse_via(attr, &nexthop->address);
			break;
		}
		if (ret)
			return ret;
	}
	return nexthop->ifindex ? 0 : -ENETUNREACH;
}

static int parse_cb(const struct nlmsghdr *nlh, void *data)
{
	int ret = parse(nlh, data);

	errno = -ret;
	return ret ? MNL_CB_ERROR : MNL_CB_OK;
}

int nexthop_get(struct netlink *nl, const struct ip_addr *source, const struct ip_addr *destination,
		struct nexthop *ret_nexthop)
{
	struct nexthop nexthop = { .address = *destination };
	struct nlmsghdr *nlh = netlink_request(nl, RTM_GETROUTE, 0);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	int ret;

	if (source->family != destination->family || !ip_bits(destination->family))
		return -EINVAL;
	rtm->rtm_family = rtnl_family(destination->family);
	rtm->rtm_dst_len = (unsigned char)ip_bits(destination->family);
	rtm->rtm_src_len = rtm->rtm_dst_len;
	rtnl_put_addr(nlh, RTA_DST, destination);
	rtnl_put_addr(nlh, RTA_SRC, source);
	ret = netlink_get(nl, nlh, parse_cb, &nexthop);
	switch (ret) {
	case 0:
		*ret_nexthop = nexthop;
		return 0;
	case -EINVAL: /* IPv4: not an address of ours, or a blackhole */
	case -EHOSTUNREACH:
	case -EACCES:
	case -EADDRNOTAVAIL:
		return -ENETUNREACH;
	default:
		return ret;
	}
}
