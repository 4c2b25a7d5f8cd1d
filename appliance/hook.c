/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * XDP goes by bpf_link: it outlives the process through its pin, nobody else can replace it, and
 * bpf_link_update() exchanges the program without a packet that meets none. tc goes by a filter of
 * our own priority and handle in the device's clsact qdisc, replaced in one step likewise (links
 * for tc came with kernel 6.6 only).
 */
#include "hook.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rtnl.h"

const char *const hook_mode_names[HOOK_MODE_MAX] = {
	[HOOK_NONE] = "none",
	[HOOK_TC] = "tc",
	[HOOK_XDP_GENERIC] = "xdp-generic",
	[HOOK_XDP_NATIVE] = "xdp-native",
};

static int program_info(int fd, struct bpf_prog_info *ret_info)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	*ret_info = info;
	return 0;
}

static int program_info_by_id(uint32_t id, struct bpf_prog_info *ret_info)
{
	const int fd = bpf_prog_get_fd_by_id(id);
	int ret;

	if (fd < 0)
		return -errno;
	ret = program_info(fd, ret_info);
	close(fd);
	return ret;
}

/* "program 17 (name)", for messages. */
static const char *program_text(uint32_t id, char buf[static 48])
{
	struct bpf_prog_info info;

	if (program_info_by_id(id, &info) || !info.name[0])
		snprintf(buf, 48, "program %u", id);
	else
		snprintf(buf, 48, "program %u (%s)", id, info.name);
	return buf;
}

/* ---- tc ---- */

static struct bpf_tc_hook tc_hook(unsigned int ifindex, enum hook_side side)
{
	return (struct bpf_tc_hook){
		.sz = sizeof(struct bpf_tc_hook),
		.ifindex = (int)ifindex,
		.attach_point = side == HOOK_INGRESS ? BPF_TC_INGRESS : BPF_TC_EGRESS,
	};
}

static struct bpf_tc_opts tc_place(void)
{
	return (struct bpf_tc_opts){
		.sz = sizeof(struct bpf_tc_opts),
		.handle = HOOK_TC_HANDLE,
		.priority = HOOK_TC_PRIORITY,
	};
}

/* The program in our place; *ret_id is 0 if there is none, or no qdisc. */
static void tc_query(const struct bpf_tc_hook *hook, uint32_t *ret_id)
{
	struct bpf_tc_opts opts = tc_place();

	*ret_id = bpf_tc_query(hook, &opts) ? 0 : opts.prog_id;
}

static bool is_among(const char *name, const char *const names[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

int hook_tc_attach(unsigned int ifindex, enum hook_side side, int program_fd,
		   const char *const names[], size_t n, char reason[static HOOK_REASON_LEN])
{
	struct bpf_tc_hook hook = tc_hook(ifindex, side);
	struct bpf_tc_opts opts = tc_place();
	struct bpf_prog_info wanted, held;
	char text[48];
	uint32_t id;
	int rc;

	rc = program_info(program_fd, &wanted);
	if (rc)
		goto failed;
	tc_query(&hook, &id);
	if (id == wanted.id)
		return 0;
	if (id && !program_info_by_id(id, &held) && !is_among(held.name, names, n)) {
		snprintf(reason, HOOK_REASON_LEN, "our place in tc is taken by %s",
			 program_text(id, text));
		return -EBUSY;
	}
	if (!id) {
		struct bpf_tc_hook both = hook;

		both.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
		rc = bpf_tc_hook_create(&both);
		if (rc && rc != -EEXIST)
			goto failed;
	}
	opts.prog_fd = program_fd;
	opts.flags = BPF_TC_F_REPLACE;
	rc = bpf_tc_attach(&hook, &opts);
	if (!rc)
		return 1;
failed:
	snprintf(reason, HOOK_REASON_LEN, "tc: %s", strerror(-rc));
	return rc;
}

/* With the device everything on it is gone, whatever error says so. */
static bool is_gone(unsigned int ifindex)
{
	char name[IF_NAMESIZE];

	return !if_indextoname(ifindex, name) && (errno == ENXIO || errno == ENODEV);
}

int hook_tc_detach(unsigned int ifindex, enum hook_side side, const char *const names[], size_t n)
{
	struct bpf_tc_hook hook = tc_hook(ifindex, side);
	struct bpf_tc_opts opts = tc_place();
	struct bpf_prog_info held;
	uint32_t id;
	int rc;

	tc_query(&hook, &id);
	if (!id || program_info_by_id(id, &held) || !is_among(held.name, names, n))
		return 0;
	rc = bpf_tc_detach(&hook, &opts);
	if (rc)
		return rc == -ENOENT || is_gone(ifindex) ? 0 : rc;
	return 1;
}

static int count_filter(const struct nlmsghdr *nlh, void *data)
{
	if (nlh->nlmsg_type == RTM_NEWTFILTER)
		++*(size_t *)data;
	return MNL_CB_OK;
}

/* Filters of anybody's on one side. A dump that changes interrupted is made again. */
static int tc_count(struct netlink *nl, unsigned int ifindex, uint32_t parent, size_t *filters)
{
	const size_t before = *filters;
	int rc = -EINTR;

	for (unsigned int i = 0; i < RTNL_DUMP_TRIES && rc == -EINTR; i++) {
		struct nlmsghdr *nlh = netlink_request(nl, RTM_GETTFILTER, 0);
		struct tcmsg *tcm = mnl_nlmsg_put_extra_header(nlh, sizeof(*tcm));

		tcm->tcm_ifindex = (int)ifindex;
		tcm->tcm_parent = parent;
		*filters = before;
		rc = netlink_dump(nl, nlh, count_filter, filters);
	}
	return rc;
}

int hook_tc_tidy(struct netlink *nl, unsigned int ifindex)
{
	static const uint32_t parents[] = {
		TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
		TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS),
	};
	struct bpf_tc_hook hook = tc_hook(ifindex, HOOK_INGRESS);
	size_t filters = 0;
	int rc;

	for (size_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++) {
		rc = tc_count(nl, ifindex, parents[i], &filters);
		if (rc)
			return is_gone(ifindex) ? 0 : rc;
	}
	if (filters)
		return 0;
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	rc = bpf_tc_hook_destroy(&hook);
	return rc == -ENOENT || rc == -EINVAL || is_gone(ifindex) ? 0 : rc;
}

/* ---- XDP ---- */

/* How our link on the device runs; the link itself does not say it. */
static enum hook_mode xdp_mode(unsigned int ifindex)
{
	struct bpf_xdp_query_opts opts = { .sz = sizeof(opts) };

	if (bpf_xdp_query((int)ifindex, 0, &opts))
		return HOOK_NONE;
	switch (opts.attach_mode) {
	case XDP_ATTACHED_SKB:
		return HOOK_XDP_GENERIC;
	case XDP_ATTACHED_DRV:
		return HOOK_XDP_NATIVE;
	default:
		return HOOK_NONE;
	}
}

/* A link that an earlier daemon left. 1: it stays, with the new program or had it, 0: it cannot. */
static int xdp_adopt(int fd, unsigned int ifindex, int program_fd, enum hook_mode best, bool better,
		     enum hook_mode *ret_mode, bool *ret_changed)
{
	struct bpf_link_info info = { 0 };
	struct bpf_prog_info program;
	uint32_t len = sizeof(info);
	enum hook_mode mode;

	if (bpf_obj_get_info_by_fd(fd, &info, &len) || info.type != BPF_LINK_TYPE_XDP ||
	    info.xdp.ifindex != ifindex || program_info(program_fd, &program))
		return 0;
	mode = xdp_mode(ifindex);
	if (mode == HOOK_NONE || mode > best || (mode < best && better))
		return 0;
	*ret_changed = info.prog_id != program.id;
	if (*ret_changed && bpf_link_update(fd, program_fd, NULL))
		return 0;
	*ret_mode = mode;
	return 1;
}

static int xdp_create(unsigned int ifindex, const char *pin, int program_fd, enum hook_mode mode)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .flags = mode == HOOK_XDP_NATIVE ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
	int fd = bpf_link_create(program_fd, (int)ifindex, BPF_XDP, &opts), rc = 0;

	if (fd < 0)
		return -errno;
	/* Without its pin the link would end with this process. */
	if (bpf_obj_pin(fd, pin))
		rc = -errno;
	close(fd);
	return rc;
}

static void xdp_refusal(unsigned int ifindex, enum hook_mode mode, int error,
			char reason[static HOOK_REASON_LEN])
{
	struct bpf_xdp_query_opts opts = { .sz = sizeof(opts) };
	char text[48];

	if (error == -EBUSY || error == -EEXIST) {
		if (bpf_xdp_query((int)ifindex, 0, &opts))
			opts.prog_id = 0;
		snprintf(reason, HOOK_REASON_LEN, "XDP is taken by %s",
			 opts.prog_id ? program_text(opts.prog_id, text) : "another program");
	} else if (mode == HOOK_XDP_NATIVE) {
		snprintf(reason, HOOK_REASON_LEN, "no native XDP: %s",
			 error == -EOPNOTSUPP ? "not in this driver, or not as it is set up"
					      : strerror(-error));
	} else {
		snprintf(reason, HOOK_REASON_LEN, "no generic XDP: %s", strerror(-error));
	}
}

int hook_xdp_attach(unsigned int ifindex, const char *pin, int program_fd, enum hook_mode best,
		    bool better, enum hook_mode *ret_mode, char reason[static HOOK_REASON_LEN])
{
	const int fd = bpf_obj_get(pin);
	bool changed = false;
	int rc = -EOPNOTSUPP;

	if (fd >= 0) {
		int stays = xdp_adopt(fd, ifindex, program_fd, best, better, ret_mode, &changed);

		close(fd);
		if (stays)
			return changed;
		rc = hook_xdp_detach(pin);
		if (rc < 0)
			goto failed;
	}
	reason[0] = '\0';
	for (enum hook_mode mode = best; mode >= HOOK_XDP_GENERIC; mode--) {
		rc = xdp_create(ifindex, pin, program_fd, mode);
		if (!rc) {
			*ret_mode = mode;
			return 1;
		}
		/* What stands in the way of both says more than what the first lacks. */
		xdp_refusal(ifindex, mode, rc, reason);
		if (rc == -EBUSY || rc == -EEXIST)
			break;
	}
	*ret_mode = HOOK_NONE;
	return rc;

failed:
	snprintf(reason, HOOK_REASON_LEN, "an older XDP link stays: %s", strerror(-rc));
	*ret_mode = HOOK_NONE;
	return rc;
}

int hook_xdp_detach(const char *pin)
{
	const int fd = bpf_obj_get(pin);
	int rc;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	/* By name, and not by dropping the last reference, which takes effect later. */
	rc = bpf_link_detach(fd) ? -errno : 0;
	close(fd);
	if (unlink(pin) && errno != ENOENT)
		return -errno;
	/* The device may be gone, and the link a shell. */
	return rc && rc != -EINVAL && rc != -ENOENT && rc != -ENODEV ? rc : 1;
}
