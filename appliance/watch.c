/* SPDX-License-Identifier: GPL-2.0-only */
#include "watch.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "hook.h"
#include "log.h"
#include "wanted.h"

#define GROUP(group) (1u << ((group)-1))
#define GROUPS                                                                              \
	(GROUP(RTNLGRP_LINK) | GROUP(RTNLGRP_IPV4_IFADDR) | GROUP(RTNLGRP_IPV6_IFADDR) |    \
	 GROUP(RTNLGRP_IPV4_ROUTE) | GROUP(RTNLGRP_IPV6_ROUTE) | GROUP(RTNLGRP_IPV4_RULE) | \
	 GROUP(RTNLGRP_IPV6_RULE) | GROUP(RTNLGRP_TC))

struct watch {
	struct netlink *route;
	struct nft *nft;
	struct sd_event_source *route_io, *nft_io;
	unsigned int own_port; /* of the command socket: its changes are ours */
	char lan[CONFIG_IFNAME_LEN];
	watch_changed_fn *changed;
	void *data;
};

/* A string attribute of a message, or "". */
static const char *attr_string(const struct nlmsghdr *nlh, unsigned int offset, uint16_t type)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, offset) if (mnl_attr_get_type(attr) == type &&
						 mnl_attr_get_payload_len(attr) >
							 0) return mnl_attr_get_str(attr);
	return "";
}

static uint8_t attr_byte(const struct nlmsghdr *nlh, unsigned int offset, uint16_t type)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, offset) if (mnl_attr_get_type(attr) == type &&
						 mnl_attr_get_payload_len(attr) ==
							 1) return mnl_attr_get_u8(attr);
	return 0;
}

static const char *link_reason(const struct watch *watch, const struct nlmsghdr *nlh)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(nlh);
	const char *name = attr_string(nlh, sizeof(*info), IFLA_IFNAME);

	if (wanted_ifname_id(name)) {
		if (nlh->nlmsg_type == RTM_DELLINK)
			return "a tunnel interface is gone";
		if (!(info->ifi_flags & IFF_UP) && (info->ifi_change & IFF_UP))
			return "a tunnel interface was set down";
	} else if (!strcmp(name, watch->lan) && nlh->nlmsg_type == RTM_NEWLINK &&
		   (info->ifi_change & IFF_UP)) {
		return "the LAN interface was set up or down";
	}
	return NULL;
}

/* Those of ours are found by their priority; with a clsact qdisc all filters of the device go. */
static const char *filter_reason(const struct nlmsghdr *nlh)
{
	const struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);
	const bool ours = nlh->nlmsg_type == RTM_DELQDISC
				  ? tcm->tcm_parent == TC_H_CLSACT
				  : TC_H_MAJ(tcm->tcm_info) >> 16 == HOOK_TC_PRIORITY;

	return ours ? "a program was taken off a device" : NULL;
}

/* Why a message matters, or NULL. */
static const char *route_reason(const struct watch *watch, const struct nlmsghdr *nlh)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	char name[IF_NAMESIZE];

	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return link_reason(watch, nlh);
	case RTM_DELADDR:
		if (!if_indextoname(ifa->ifa_index, name))
			return NULL;
		if (wanted_ifname_id(name))
			return "an address of a tunnel was removed";
		return strcmp(name, watch->lan) ? NULL : "an address of the LAN was removed";
	case RTM_NEWADDR:
		if (!if_indextoname(ifa->ifa_index, name) || strcmp(name, watch->lan))
			return NULL;
		return "an address of the LAN was added";
	case RTM_DELROUTE:
		return rtm->rtm_protocol == STATE_PROTOCOL ? "a route was removed" : NULL;
	case RTM_DELRULE:
		return attr_byte(nlh, sizeof(struct fib_rule_hdr), FRA_PROTOCOL) == STATE_PROTOCOL
			       ? "a rule was removed"
			       : NULL;
	case RTM_DELQDISC:
	case RTM_DELTFILTER:
		return filter_reason(nlh);
	default:
		return NULL;
	}
}

static int take_message(const struct nlmsghdr *nlh, void *data)
{
	struct watch *watch = data;
	const char *reason;

	if (nlh->nlmsg_pid == watch->own_port && nlh->nlmsg_pid)
		return MNL_CB_OK;
	reason = route_reason(watch, nlh);
	if (reason)
		watch->changed(reason, watch->data);
	return MNL_CB_OK;
}

static int route_readable(struct sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct watch *watch = data;
	const int rc = netlink_events(watch->route, take_message, watch);

	(void)source;
	(void)fd;
	(void)revents;
	if (rc == -ENOBUFS)
		watch->changed("change events were lost", watch->data);
	else if (rc)
		log_error("watching the kernel: %s", strerror(-rc));
	return 0;
}

static int nft_readable(struct sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct watch *watch = data;
	const int rc = nft_events_read(watch->nft);

	(void)source;
	(void)fd;
	(void)revents;
	if (rc > 0)
		watch->changed("another program changed the nftables ruleset", watch->data);
	else if (rc)
		log_error("watching nftables: %s", strerror(-rc));
	return 0;
}

int watch_new(struct sd_event *event, const struct kernel *kernel, watch_changed_fn *changed,
	      void *data, struct watch **ret_watch)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	int rc;

	if (!watch)
		return -ENOMEM;
	watch->changed = changed;
	watch->data = data;
	watch->own_port = netlink_port(kernel->route);
	rc = netlink_open(NETLINK_ROUTE, GROUPS, &watch->route);
	if (rc)
		goto err;
	rc = nft_events_open(&watch->nft);
	if (rc)
		goto err;
	rc = sd_event_add_io(event, &watch->route_io, netlink_fd(watch->route), EPOLLIN,
			     route_readable, watch);
	if (rc < 0)
		goto err;
	rc = sd_event_add_io(event, &watch->nft_io, nft_fd(watch->nft), EPOLLIN, nft_readable,
			     watch);
	if (rc < 0)
		goto err;
	*ret_watch = watch;
	return 0;

err:
	watch_free(watch);
	return rc;
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	sd_event_source_disable_unref(watch->route_io);
	sd_event_source_disable_unref(watch->nft_io);
	if (watch->nft)
		nft_close(watch->nft);
	if (watch->route)
		netlink_close(watch->route);
	free(watch);
}

void watch_set_lan(struct watch *watch, const char *lan)
{
	strncpy(watch->lan, lan, sizeof(watch->lan) - 1);
}
