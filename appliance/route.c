/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A route's identity is its table, destination and metric, in both families: replacing means that
 * whatever of ours has that identity gives way without a moment in between.
 *
 * What the kernel makes of NLM_F_REPLACE | NLM_F_CREATE differs. IPv4 replaces the first route
 * with the same destination and metric, but says EEXIST if the wanted one is there already behind
 * that first one. IPv6 prefers a route of the same kind (with a gateway or without), falls back to
 * the first with the metric, and never makes a multipath route when it replaces. An IPv6
 * unreachable route lives on the loopback device, which says nothing and is not read.
 */
#include "route.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>

#include "link.h"
#include "rtnl.h"

#define ROUTE_REPLACE_TRIES 8 /* routes of one identity, which only others can have made */

struct route_entry {
	struct state_route route; /* ifname still empty */
	unsigned int index;
};

static const uint8_t route_types[] = {
	[STATE_ROUTE_UNICAST] = RTN_UNICAST,
	[STATE_ROUTE_UNREACHABLE] = RTN_UNREACHABLE,
};

static struct nlmsghdr *route_request(struct netlink *nl, uint16_t type, uint16_t flags,
				      uint8_t family)
{
	struct nlmsghdr *nlh = netlink_request(nl, type, flags);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));

	rtm->rtm_family = family;
	rtm->rtm_protocol = STATE_PROTOCOL;
	return nlh;
}

/* With strict checking the kernel gives the routes of this protocol only. */
static struct nlmsghdr *route_request_dump(struct netlink *nl, uint8_t family)
{
	return route_request(nl, RTM_GETROUTE, 0, family);
}

/* One entry for each next hop: a multipath route of ours is somebody's accident, see plan.c. */
static int route_add_hops(struct rtnl_list *list, const struct route_entry *entry,
			  const struct nlattr *multipath)
{
	const struct rtnexthop *hop = mnl_attr_get_payload(multipath);
	size_t left = mnl_attr_get_payload_len(multipath);

	while (left >= sizeof(*hop) && hop->rtnh_len >= sizeof(*hop) && hop->rtnh_len <= left) {
		struct route_entry *new = rtnl_list_add(list);
		const struct nlattr *attr;
		size_t step = RTNH_ALIGN(hop->rtnh_len);
		const void *attrs = (const char *)hop + RTNH_LENGTH(0);

		if (!new)
			return -ENOMEM;
		*new = *entry;
		new->index = (unsigned int)hop->rtnh_ifindex;
		mnl_attr_for_each_payload(attrs, hop->rtnh_len - RTNH_LENGTH(0))
		{
			if (mnl_attr_get_type(attr) == RTA_GATEWAY &&
			    rtnl_get_addr(attr, entry->route.dst.addr.family, &new->route.via))
				return -EBADMSG;
		}
		if (step >= left)
			break;
		hop = (const struct rtnexthop *)((const char *)hop + step);
		left -= step;
	}
	return 0;
}

static uint16_t route_get_mtu(const struct nlattr *metrics)
{
	const struct nlattr *attr;
	uint32_t mtu = 0;

	mnl_attr_for_each_nested(attr, metrics)
	{
		if (mnl_attr_get_type(attr) == RTAX_MTU)
			mtu = rtnl_get_u32(attr);
	}
	return mtu > UINT16_MAX ? UINT16_MAX : (uint16_t)mtu;
}

static int route_parse(const struct nlmsghdr *nlh, struct rtnl_list *list)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr, *multipath = NULL;
	struct route_entry entry = { 0 }, *new;
	struct state_route *route = &entry.route;
	uint8_t family;
	int ret = 0;

	if (nlh->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm))
		return 0;
	family = rtnl_ip_family(rtm->rtm_family);
	if (family == IP_NONE || rtm->rtm_protocol != STATE_PROTOCOL ||
	    (rtm->rtm_flags & RTM_F_CLONED))
		return 0;
	if (rtm->rtm_type == route_types[STATE_ROUTE_UNREACHABLE])
		route->type = STATE_ROUTE_UNREACHABLE;
	else if (rtm->rtm_type != route_types[STATE_ROUTE_UNICAST])
		return 0;
	route->table = rtm->rtm_table;
	route->dst.addr.family = family;
	route->dst.len = rtm->rtm_dst_len;
	mnl_attr_for_each(attr, nlh, sizeof(*rtm))
	{
		switch (mnl_attr_get_type(attr)) {
		case RTA_TABLE:
			route->table = rtnl_get_u32(attr);
			break;
		case RTA_PRIORITY:
			route->metric = rtnl_get_u32(attr);
			break;
		case RTA_DST:
			ret = rtnl_get_addr(attr, family, &route->dst.addr);
			break;
		case RTA_OIF:
			entry.index = rtnl_get_u32(attr);
			break;
		case RTA_GATEWAY:
			ret = rtnl_get_addr(attr, family, &route->via);
			break;
		case RTA_PREFSRC:
			ret = rtnl_get_addr(attr, family, &route->prefsrc);
			break;
		case RTA_METRICS:
			route->mtu = route_get_mtu(attr);
			break;
		case RTA_MULTIPATH:
			multipath = attr;
			break;
		}
		if (ret)
			return ret;
	}
	if (route->type == STATE_ROUTE_UNREACHABLE)
		entry.index = 0;
	else if (multipath)
		return route_add_hops(list, &entry, multipath);
	new = rtnl_list_add(list);
	if (!new)
		return -ENOMEM;
	*new = entry;
	return 0;
}

static int route_dump_cb(const struct nlmsghdr *nlh, void *data)
{
	int ret = route_parse(nlh, data);

	errno = -ret;
	return ret ? MNL_CB_ERROR : MNL_CB_OK;
}

int route_read(struct netlink *nl, struct state *state)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	struct rtnl_list list = { .size = sizeof(struct route_entry) };
	struct link_info info = { 0 };
	const struct route_entry *entry;
	int ret = 0;

	for (size_t i = 0; !ret && i < sizeof(families); i++)
		ret = rtnl_dump(nl, route_request_dump, families[i], route_dump_cb, &list);
	entry = list.v;
	for (size_t i = 0; !ret && i < list.n; i++) {
		struct state_route *route;

		if (entry[i].index && entry[i].index != info.index) {
			ret = link_get_index(nl, entry[i].index, &info);
			if (ret == -ENODEV) { /* gone since, and its routes with it */
				info.index = 0;
				ret = 0;
				continue;
			}
			if (ret)
				break;
		}
		route = state_add_route(state);
		if (!route) {
			ret = -ENOMEM;
			break;
		}
		*route = entry[i].route;
		if (entry[i].index)
			snprintf(route->ifname, sizeof(route->ifname), "%s", info.name);
	}
	free(list.v);
	return ret;
}

/* Table, destination and metric: what both requests name a route by. */
static void route_put_identity(struct nlmsghdr *nlh, const struct state_route *route)
{
	struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);

	rtm->rtm_dst_len = route->dst.len;
	mnl_attr_put_u32(nlh, RTA_TABLE, route->table);
	mnl_attr_put_u32(nlh, RTA_PRIORITY, route->metric);
	if (route->dst.len)
		rtnl_put_addr(nlh, RTA_DST, &route->dst.addr);
}

/* Where it leads; index 0: unreachable, or on any link. */
static void route_put_target(struct nlmsghdr *nlh, const struct state_route *route,
			     unsigned int index)
{
	struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);

	rtm->rtm_type = route_types[route->type];
	if (index)
		mnl_attr_put_u32(nlh, RTA_OIF, index);
	if (route->via.family != IP_NONE)
		rtnl_put_addr(nlh, RTA_GATEWAY, &route->via);
	if (route->prefsrc.family != IP_NONE)
		rtnl_put_addr(nlh, RTA_PREFSRC, &route->prefsrc);
	if (route->mtu) {
		struct nlattr *metrics = mnl_attr_nest_start(nlh, RTA_METRICS);

		mnl_attr_put_u32(nlh, RTAX_MTU, route->mtu);
		mnl_attr_nest_end(nlh, metrics);
	}
}

static int route_find_link(struct netlink *nl, const struct state_route *route,
			   unsigned int *ret_index)
{
	struct link_info info;
	int ret;

	if (route->dst.addr.family == IP_NONE)
		return -EINVAL;
	if (!route->ifname[0]) {
		*ret_index = 0;
		return 0;
	}
	ret = link_get(nl, route->ifname, &info);
	if (!ret)
		*ret_index = info.index;
	return ret;
}

/* The first route of ours with this identity, whatever it leads to. */
static int route_delete_first(struct netlink *nl, const struct state_route *route)
{
	struct nlmsghdr *nlh =
		route_request(nl, RTM_DELROUTE, 0, rtnl_family(route->dst.addr.family));
	struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);

	rtm->rtm_scope = RT_SCOPE_NOWHERE; /* any */
	route_put_identity(nlh, route);
	return netlink_ack(nl, nlh);
}

int route_replace(struct netlink *nl, const struct state_route *route)
{
	uint8_t family = rtnl_family(route->dst.addr.family);
	struct nlmsghdr *nlh;
	struct rtmsg *rtm;
	unsigned int index;
	int ret;

	ret = route_find_link(nl, route, &index);
	for (unsigned int i = 0; !ret && i < ROUTE_REPLACE_TRIES; i++) {
		nlh = route_request(nl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, family);
		rtm = mnl_nlmsg_get_payload(nlh);
		if (route->type == STATE_ROUTE_UNICAST && route->via.family == IP_NONE)
			rtm->rtm_scope = RT_SCOPE_LINK;
		route_put_identity(nlh, route);
		route_put_target(nlh, route, index);
		ret = netlink_ack(nl, nlh);
		if (ret != -EEXIST)
			return ret;
		/* It is there behind another: no gap when that one goes. */
		ret = route_delete_first(nl, route);
	}
	return ret;
}

int route_delete(struct netlink *nl, const struct state_route *route)
{
	struct nlmsghdr *nlh;
	struct rtmsg *rtm;
	unsigned int index;
	int ret;

	ret = route_find_link(nl, route, &index);
	if (!ret) {
		nlh = route_request(nl, RTM_DELROUTE, 0, rtnl_family(route->dst.addr.family));
		rtm = mnl_nlmsg_get_payload(nlh);
		rtm->rtm_scope = RT_SCOPE_NOWHERE; /* any */
		route_put_identity(nlh, route);
		route_put_target(nlh, route, index);
		ret = netlink_ack(nl, nlh);
	}
	return ret == -ESRCH || ret == -ENOENT || ret == -ENODEV ? 0 : ret;
}
