/* SPDX-License-Identifier: GPL-2.0-only */
#include "neighbour.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

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
