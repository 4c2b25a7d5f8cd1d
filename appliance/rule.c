/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's "this rule exists already" does not look at the protocol, so a foreign rule that
 * says the same hides ours; and a deletion's missing selector matches any value. Hence the dump
 * before a duplicate is taken for ours, and every selector and the protocol in a deletion.
 */
#include "route.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>

#include "rtnl.h"

static struct nlmsghdr *rule_request(struct netlink *nl, uint16_t type, uint16_t flags,
				     uint8_t family)
{
	struct nlmsghdr *nlh = netlink_request(nl, type, flags);
	struct fib_rule_hdr *frh = mnl_nlmsg_put_extra_header(nlh, sizeof(*frh));

	frh->family = family;
	return nlh;
}

static struct nlmsghdr *rule_request_dump(struct netlink *nl, uint8_t family)
{
	return rule_request(nl, RTM_GETRULE, 0, family);
}

static int rule_parse(const struct nlmsghdr *nlh, struct rtnl_list *list)
{
	const struct fib_rule_hdr *frh = mnl_nlmsg_get_payload(nlh);
	struct state_rule rule = { 0 }, *new;
	const struct nlattr *attr;
	uint8_t protocol = 0;
	int ret = 0;

	if (nlh->nlmsg_type != RTM_NEWRULE || mnl_nlmsg_get_payload_len(nlh) < sizeof(*frh))
		return 0;
	rule.family = rtnl_ip_family(frh->family);
	if (rule.family == IP_NONE || frh->action != FR_ACT_TO_TBL)
		return 0;
	rule.table = frh->table;
	rule.from.len = frh->src_len;
	mnl_attr_for_each(attr, nlh, sizeof(*frh))
	{
		switch (mnl_attr_get_type(attr)) {
		case FRA_PRIORITY:
			rule.pref = rtnl_get_u32(attr);
			break;
		case FRA_TABLE:
			rule.table = rtnl_get_u32(attr);
			break;
		case FRA_FWMARK:
			rule.mark = rtnl_get_u32(attr);
			break;
		case FRA_FWMASK:
			rule.mask = rtnl_get_u32(attr);
			break;
		case FRA_SRC:
			ret = rtnl_get_addr(attr, rule.family, &rule.from.addr);
			break;
		case FRA_IP_PROTO:
			if (mnl_attr_get_payload_len(attr) == sizeof(rule.ip_proto))
				rule.ip_proto = mnl_attr_get_u8(attr);
			break;
		case FRA_PROTOCOL:
			if (mnl_attr_get_payload_len(attr) == sizeof(protocol))
				protocol = mnl_attr_get_u8(attr);
			break;
		}
		if (ret)
			return ret;
	}
	if (protocol != STATE_PROTOCOL)
		return 0;
	new = rtnl_list_add(list);
	if (!new)
		return -ENOMEM;
	*new = rule;
	return 0;
}

static int rule_dump_cb(const struct nlmsghdr *nlh, void *data)
{
	int ret = rule_parse(nlh, data);

	errno = -ret;
	return ret ? MNL_CB_ERROR : MNL_CB_OK;
}

int rule_read(struct netlink *nl, struct state *state)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	struct rtnl_list list = { .size = sizeof(struct state_rule) };
	const struct state_rule *rule;
	int ret = 0;

	for (size_t i = 0; !ret && i < sizeof(families); i++)
		ret = rtnl_dump(nl, rule_request_dump, families[i], rule_dump_cb, &list);
	rule = list.v;
	for (size_t i = 0; !ret && i < list.n; i++) {
		struct state_rule *new = state_add_rule(state);

		if (new)
			*new = rule[i];
		else
			ret = -ENOMEM;
	}
	free(list.v);
	return ret;
}

static int rule_change(struct netlink *nl, const struct state_rule *rule, uint16_t type,
		       uint16_t flags)
{
	uint8_t family = rtnl_family(rule->family);
	struct fib_rule_hdr *frh;
	struct nlmsghdr *nlh;

	if (family == AF_UNSPEC)
		return -EINVAL;
	nlh = rule_request(nl, type, flags, family);
	frh = mnl_nlmsg_get_payload(nlh);
	frh->action = FR_ACT_TO_TBL;
	frh->src_len = rule->from.len;
	mnl_attr_put_u32(nlh, FRA_PRIORITY, rule->pref);
	mnl_attr_put_u32(nlh, FRA_TABLE, rule->table);
	mnl_attr_put_u8(nlh, FRA_PROTOCOL, STATE_PROTOCOL);
	if (rule->mask) {
		mnl_attr_put_u32(nlh, FRA_FWMARK, rule->mark);
		mnl_attr_put_u32(nlh, FRA_FWMASK, rule->mask);
	}
	if (rule->from.len)
		rtnl_put_addr(nlh, FRA_SRC, &rule->from.addr);
	if (rule->ip_proto)
		mnl_attr_put_u8(nlh, FRA_IP_PROTO, rule->ip_proto);
	return netlink_ack(nl, nlh);
}

/* 1: a rule of ours that is the same is there; 0: not; -errno. */
static int rule_find(struct netlink *nl, const struct state_rule *rule)
{
	struct rtnl_list list = { .size = sizeof(struct state_rule) };
	const struct state_rule *there;
	int ret;

	ret = rtnl_dump(nl, rule_request_dump, rtnl_family(rule->family), rule_dump_cb, &list);
	there = list.v;
	for (size_t i = 0; !ret && i < list.n; i++)
		ret = !state_rule_compare(&there[i], rule);
	free(list.v);
	return ret;
}

int rule_add(struct netlink *nl, const struct state_rule *rule)
{
	int ret = rule_change(nl, rule, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL);

	if (ret != -EEXIST)
		return ret;
	ret = rule_find(nl, rule);
	if (ret)
		return ret < 0 ? ret : 0;
	return rule_change(nl, rule, RTM_NEWRULE, NLM_F_CREATE);
}

int rule_delete(struct netlink *nl, const struct state_rule *rule)
{
	int ret = rule_change(nl, rule, RTM_DELRULE, 0);

	return ret == -ENOENT || ret == -ESRCH ? 0 : ret;
}
