/* SPDX-License-Identifier: GPL-2.0-only */
/* Netlink sockets (dumps, errors, events) and sysctls, in a network namespace of its own. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "link.h"
#include "netlink.h"
#include "sysctl.h"

static struct netlink *nl;

static int setup(void **state)
{
	(void)state;
	return netlink_open(NETLINK_ROUTE, 0, &nl) || link_set_up(nl, "lo", true);
}

static int teardown(void **state)
{
	(void)state;
	netlink_close(nl);
	return 0;
}

static int count_message(const struct nlmsghdr *nlh, void *data)
{
	(void)nlh;
	++*(unsigned int *)data;
	return MNL_CB_OK;
}

static int fail_message(const struct nlmsghdr *nlh, void *data)
{
	(void)nlh;
	++*(unsigned int *)data;
	errno = EDOM;
	return MNL_CB_ERROR;
}

/* The loopback device alone makes several routes. */
static struct nlmsghdr *request_routes(void)
{
	struct nlmsghdr *nlh = netlink_request(nl, RTM_GETROUTE, 0);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));

	rtm->rtm_family = AF_INET;
	return nlh;
}

/* A callback's failure is returned, and the socket is good for the next dump. */
static void test_dump_failure(void **state)
{
	unsigned int n = 0;

	(void)state;
	assert_int_equal(netlink_dump(nl, request_routes(), fail_message, &n), -EDOM);
	assert_int_equal(n, 1);
	n = 0;
	assert_int_equal(netlink_dump(nl, request_routes(), count_message, &n), 0);
	assert_true(n >= 2);
}

/* Strict checking is on: the kernel refuses what it would once have ignored, and says why. */
static void test_dump_strict(void **state)
{
	struct nlmsghdr *nlh = request_routes();
	struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	unsigned int n = 0;

	(void)state;
	rtm->rtm_src_len = 1;
	assert_int_equal(netlink_dump(nl, nlh, count_message, &n), -EINVAL);
	assert_non_null(strstr(netlink_error(nl), "nvalid"));
	assert_int_equal(n, 0);
	assert_int_equal(netlink_dump(nl, request_routes(), count_message, &n), 0);
	assert_string_equal(netlink_error(nl), "");
}

static void test_events(void **state)
{
	struct netlink *events;
	unsigned int n = 0;
	int size = 1;

	(void)state;
	assert_int_equal(netlink_open(NETLINK_ROUTE, RTMGRP_LINK, &events), 0);
	assert_int_equal(netlink_events(events, count_message, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(link_set_mtu(nl, "lo", 1400), 0);
	assert_int_equal(netlink_events(events, count_message, &n), 0);
	assert_true(n > 0);
	n = 0;
	assert_int_equal(link_set_mtu(nl, "lo", 1500), 0);
	assert_int_equal(netlink_events(events, fail_message, &n), -EDOM);
	assert_int_equal(n, 1);
	assert_int_equal(netlink_events(events, count_message, &n), 0);

	/* Overflow is told, once. */
	assert_int_equal(setsockopt(netlink_fd(events), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)),
			 0);
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(link_set_mtu(nl, "lo", 1400 + i % 2), 0);
	assert_int_equal(netlink_events(events, count_message, &n), -ENOBUFS);
	assert_int_equal(netlink_events(events, count_message, &n), 0);
	assert_int_not_equal(netlink_port(events), 0);
	assert_int_not_equal(netlink_port(events), netlink_port(nl));
	netlink_close(events);
	netlink_close(NULL);
	assert_int_equal(link_set_mtu(nl, "lo", 1500), 0);
}

static void test_sysctls(void **state)
{
	char value[12] = "untouched";

	(void)state;
	assert_int_equal(sysctl_write("net/ipv4/ip_forward", "1"), 0);
	assert_int_equal(sysctl_read("net/ipv4/ip_forward", value, sizeof(value)), 0);
	assert_string_equal(value, "1");
	assert_int_equal(sysctl_write("net/ipv4/ip_forward", "0"), 0);
	assert_int_equal(sysctl_read("net/ipv4/ip_forward", value, sizeof(value)), 0);
	assert_string_equal(value, "0");
	assert_int_equal(sysctl_read("net/ipv4/ip_forward", value, 1), -ENOBUFS);
	assert_int_equal(sysctl_read("net/ipv4/ip_forward", value, 2), 0);
	assert_int_equal(sysctl_read("net/ipv4/conf/none/rp_filter", value, sizeof(value)),
			 -ENOENT);
	assert_int_equal(sysctl_write("net/ipv4/conf/none/rp_filter", "1"), -ENOENT);
	assert_int_equal(sysctl_write("net/ipv4/ip_forward", "many"), -EINVAL);
	assert_int_equal(sysctl_read("../version", value, sizeof(value)), -EINVAL);
	assert_int_equal(sysctl_read("net/../../version", value, sizeof(value)), -EINVAL);
	assert_int_equal(sysctl_read("net/..", value, sizeof(value)), -EINVAL);
	assert_int_equal(sysctl_read("/proc/version", value, sizeof(value)), -EINVAL);
	assert_int_equal(sysctl_read("", value, sizeof(value)), -EINVAL);
	assert_string_equal(value, "0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dump_failure),
		cmocka_unit_test(test_dump_strict),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_sysctls),
	};

	if (unshare(CLONE_NEWNET)) {
		printf("1..0 # SKIP no network namespace for netlink: %s\n", strerror(errno));
		return 0;
	}
	return cmocka_run_group_tests_name("netlink", tests, setup, teardown);
}
