/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rules of the table, hit by packets. In a network namespace of its own a gateway stands
 * between four TUN devices (LAN, two tunnels, WAN) whose other ends are this program: it writes a
 * packet into one and looks which counter moved and what came out where. Behind our chains hooks
 * the table "inet probe", which counts what they let pass.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "nft.h"
#include "packet.h"
#include "params.h"

#define OWN 0x00010000u
#define SITE2 0x00020000u
#define SITE3 0x00030000u
#define MASK 0x0fff0000u

#define DEADLINE_MS 3000

enum device {
	LAN,
	NP3,
	NP4,
	WAN,
	DEVICE_MAX,
	NOWHERE, /* of an expectation */
};
static const char *const device_names[DEVICE_MAX] = { "lan0", "np3", "np4", "wan0" };

static int fds[DEVICE_MAX];
static struct nft *nft;

static const char setup_script[] =
	"set -e\n"
	"sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1"
	" net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0"
	" net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0\n"
	"ip link set lo up\n"
	"for dev in lan0 np3 np4 wan0; do sysctl -qw net.ipv4.conf.$dev.rp_filter=0; done\n"
	"ip link set lan0 up; ip link set wan0 up\n"
	"ip link set np3 up mtu 1420; ip link set np4 up mtu 1420\n"
	"ip addr add 172.16.1.2/24 dev lan0; ip addr add fd00:16:1::2/64 dev lan0 nodad\n"
	"ip addr add 203.0.113.1/24 dev wan0; ip addr add 2001:db8:1::1/64 dev wan0 nodad\n"
	"ip addr add fe80::1/64 dev np3 nodad\n"
	"ip route add 10.1.0.0/16 dev lan0; ip -6 route add fd00:10:1::/48 dev lan0\n"
	"ip route add unreachable 10.1.66.0/24; ip -6 route add unreachable fd00:10:1:66::/64\n"
	"ip route add default dev wan0; ip -6 route add default dev wan0\n"
	"for f in -4 -6; do for n in 2 3; do\n"
	"ip $f rule add fwmark 0x${n}0000/0xfff0000 table 1000$n\n"
	"ip $f route add default dev np$((n + 1)) table 1000$n\n"
	"done; done\n"
	"nft -f - <<'END'\n"
	"table inet probe {\n"
	"counter passed { }\n"
	"counter forwarded { }\n"
	"counter untracked { }\n"
	"chain let_in { type filter hook input priority 300; counter name passed; }\n"
	"chain let_on { type filter hook forward priority 300; counter name forwarded;"
	" ct state untracked counter name untracked; }\n"
	"chain let_in_untracked { type filter hook input priority 300;"
	" ct state untracked counter name untracked; }\n"
	"chain out_untracked { type filter hook output priority 300;"
	" udp sport 16390 ct state untracked counter name untracked; }\n"
	"}\n"
	"END\n";

/* -- Packets in and out. -- */

static void inject(enum device device, const struct packet *packet)
{
	uint8_t ip[256];
	const size_t len = packet_build(ip, packet);

	assert_int_equal(write(fds[device], ip, len), (ssize_t)len);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/*
 * The next packet of this protocol and destination that comes out there, within timeout; others
 * are thrown away. Returns its length, 0 if there was none.
 */
static size_t receive(enum device device, uint8_t proto, const char *to, int timeout_ms,
		      uint8_t ip[static 2048])
{
	const int64_t deadline = now_ms() + timeout_ms;

	for (;;) {
		struct pollfd pfd = { .fd = fds[device], .events = POLLIN };
		const int64_t left = deadline - now_ms();
		ssize_t len;

		if (poll(&pfd, 1, left > 0 ? (int)left : 0) <= 0)
			return 0;
		len = read(fds[device], ip, 2048);
		if (len < 20 || (ip[0] >> 4 == 6) != !!strchr(to, ':'))
			continue;
		if (packet_header_proto(ip) == proto &&
		    packet_has_addr(ip + (ip[0] >> 4 == 4 ? 16 : 24), to))
			return (size_t)len;
	}
}

static void drain(void)
{
	uint8_t ip[2048];

	for (size_t i = 0; i < DEVICE_MAX; i++) {
		while (read(fds[i], ip, sizeof(ip)) > 0)
			;
	}
}

/* -- Counters. -- */

static uint64_t probe(const char *name)
{
	char command[64], line[256];
	unsigned long long packets = 0;
	FILE *out;

	snprintf(command, sizeof(command), "nft list counter inet probe %s", name);
	out = popen(command, "r");
	assert_non_null(out);
	while (fgets(line, sizeof(line), out)) {
		const char *at = strstr(line, "packets ");

		if (at)
			packets = strtoull(at + strlen("packets "), NULL, 10);
	}
	assert_int_equal(pclose(out), 0);
	return packets;
}

struct counts {
	struct nft_counter *v;
	size_t n;
};

static struct counts counts_read(void)
{
	struct counts counts;

	assert_int_equal(nft_counters(nft, &counts.v, &counts.n), 0);
	assert_true(counts.n > 0);
	return counts;
}

static uint64_t counts_get(const struct counts *counts, const char *name)
{
	for (size_t i = 0; i < counts->n; i++) {
		if (!strcmp(counts->v[i].name, name))
			return counts->v[i].packets;
	}
	fail_msg("there is no counter %s", name);
	return 0;
}

/* -- The gateway. -- */

static struct ruleset *make_ruleset(void)
{
	struct ruleset *ruleset = ruleset_new();
	struct ruleset_params *params;

	assert_non_null(ruleset);
	params = &ruleset->params;
	*params = (struct ruleset_params){ .lan = "lan0",
					   .mark_mask = MASK,
					   .own_mark = OWN,
					   .port_first = 16385,
					   .port_last = 20479,
					   .hello_port = 16384 };
	params_addresses(params);

	add(ruleset, RULESET_SITES4, "10.1.0.0/16", OWN);
	add(ruleset, RULESET_SITES4, "172.16.1.0/24", OWN);
	add(ruleset, RULESET_SITES4, "10.2.0.0/16", SITE2);
	add(ruleset, RULESET_SITES4, "10.3.0.0/16", SITE3);
	add(ruleset, RULESET_SITES6, "fd00:10:1::/48", OWN);
	add(ruleset, RULESET_SITES6, "fd00:16:1::/64", OWN);
	add(ruleset, RULESET_SITES6, "fd00:10:2::/48", SITE2);
	add(ruleset, RULESET_SITES6, "fd00:10:3::/48", SITE3);
	add(ruleset, RULESET_SITES6, "2001:db8:3::/48", SITE3);
	add(ruleset, RULESET_NODES4, "198.51.100.7/32", 0);
	add(ruleset, RULESET_NODES6, "2001:db8:7::7/128", 0);
	strcpy(add(ruleset, RULESET_TUNNELS, NULL, SITE2)->ifname, "np3");
	strcpy(add(ruleset, RULESET_TUNNELS, NULL, SITE3)->ifname, "np4");
	add(ruleset, RULESET_CLAMPED, NULL, SITE2);
	add_allow(ruleset, RULESET_ALLOW4, "192.0.2.0/24", IPPROTO_TCP, 22);
	add_allow(ruleset, RULESET_ALLOW4, "10.2.0.0/24", IPPROTO_TCP, 22);
	add_allow(ruleset, RULESET_ALLOW6, "2001:db8:2::/48", IPPROTO_UDP, 161);
	add_allow(ruleset, RULESET_ALLOW6, "fd00:10:2::/64", IPPROTO_UDP, 161);
	assert_int_equal(ruleset_pin(ruleset, NULL), 0);
	ruleset_sort(ruleset);
	return ruleset;
}

static int open_tun(const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -1;
	strcpy(ifr.ifr_name, name);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int setup(void **state)
{
	struct ruleset *ruleset;
	int rc;

	(void)state;
	for (size_t i = 0; i < DEVICE_MAX; i++) {
		fds[i] = open_tun(device_names[i]);
		if (fds[i] < 0)
			return -1;
	}
	if (system(setup_script) != 0 || nft_open(&nft))
		return -1;
	ruleset = make_ruleset();
	rc = nft_replace(nft, ruleset);
	if (rc)
		fprintf(stderr, "nft_replace: %s\n", nft_error(nft));
	ruleset_free(ruleset);
	return rc;
}

static int teardown(void **state)
{
	(void)state;
	nft_close(nft);
	for (size_t i = 0; i < DEVICE_MAX; i++)
		close(fds[i]);
	return 0;
}

/* -- One packet, one fate. -- */

#define ACCEPT "accept"	  /* passes input, and no counter of ours says anything */
#define NOTHING "nothing" /* the kernel itself has no use for it */

struct fate {
	enum device in;
	struct packet packet;
	const char *what; /* counter, ACCEPT or NOTHING */
	enum device out;  /* where it comes out */
};

static void assert_fate(const struct fate *fate)
{
	const struct packet *packet = &fate->packet;
	const bool counted = strcmp(fate->what, ACCEPT) && strcmp(fate->what, NOTHING);
	const bool passes = !strcmp(fate->what, ACCEPT);
	const uint64_t passed = probe("passed");
	struct counts before, after;
	uint8_t ip[2048];

	drain();
	before = counts_read();
	inject(fate->in, packet);
	if (fate->out < DEVICE_MAX &&
	    !receive(fate->out, packet->proto, packet->to, DEADLINE_MS, ip))
		fail_msg("%s %s -> %s does not come out of %s", device_names[fate->in],
			 packet->from, packet->to, device_names[fate->out]);
	after = counts_read();
	for (size_t i = 0; i < before.n; i++) {
		const char *name = before.v[i].name;
		const uint64_t more = counts_get(&after, name) - before.v[i].packets;

		if (more != (counted && !strcmp(name, fate->what)))
			fail_msg("%s %s -> %s proto %u port %u type %u: %s moved by %u, not %s",
				 device_names[fate->in], packet->from, packet->to, packet->proto,
				 packet->port, packet->type, name, (unsigned int)more, fate->what);
	}
	if (probe("passed") != passed + passes)
		fail_msg("%s %s -> %s proto %u port %u type %u: %s by input, wanted: %s",
			 device_names[fate->in], packet->from, packet->to, packet->proto,
			 packet->port, packet->type, passes ? "not passed" : "passed", fate->what);
	free(before.v);
	free(after.v);
}

static void assert_fates(const struct fate *fates, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_fate(&fates[i]);
}

#define FATES(...)                                                     \
	do {                                                           \
		static const struct fate fates[] = { __VA_ARGS__ };    \
		assert_fates(fates, sizeof(fates) / sizeof(fates[0])); \
	} while (0)
#define UDP(FROM, TO, PORT)                          \
	{                                            \
		FROM, TO, IPPROTO_UDP, PORT, 0, 0, 0 \
	}
#define TCP(FROM, TO, PORT)                          \
	{                                            \
		FROM, TO, IPPROTO_TCP, PORT, 0, 0, 0 \
	}
#define ICMP(FROM, TO, TYPE)                          \
	{                                             \
		FROM, TO, IPPROTO_ICMP, 0, TYPE, 0, 0 \
	}
#define ICMP6(FROM, TO, TYPE)                             \
	{                                                 \
		FROM, TO, IPPROTO_ICMPV6, 0, TYPE, 255, 0 \
	}
#define ADVERT(FROM, TO, TTL)                       \
	{                                           \
		FROM, TO, PACKET_VRRP, 0, 0, TTL, 0 \
	}

#define HOST4 "10.1.0.5"
#define HOST6 "fd00:10:1::5"
#define REMOTE4 "10.2.0.5"
#define REMOTE6 "fd00:10:2::5"
#define LAN4 "172.16.1.2"
#define LAN6 "fd00:16:1::2"
#define WAN4 "203.0.113.1"
#define WAN6 "2001:db8:1::1"
#define AFAR4 "198.51.100.99"
#define AFAR6 "2001:db8:99::99"

/* clang-format off */
static void test_from_lan(void **state)
{
	(void)state;
	FATES({ LAN, UDP(HOST4, REMOTE4, 9), "to_mesh", NP3 },
	      { LAN, UDP(HOST6, REMOTE6, 9), "to_mesh", NP3 },
	      { LAN, UDP(HOST4, "10.3.0.5", 9), "to_mesh", NP4 },
	      { LAN, UDP(HOST6, "fd00:10:3::5", 9), "to_mesh", NP4 },
	      { LAN, TCP("172.16.1.77", REMOTE4, 80), "to_mesh", NP3 },
	      { LAN, UDP("192.0.2.9", REMOTE4, 9), "drop_lan_source", NOWHERE },
	      { LAN, UDP("10.2.0.9", REMOTE4, 9), "drop_lan_source", NOWHERE },
	      { LAN, UDP(AFAR6, REMOTE6, 9), "drop_lan_source", NOWHERE },
	      { LAN, UDP("192.0.2.9", AFAR4, 9), "drop_lan_source", NOWHERE },
	      { LAN, UDP(HOST4, AFAR4, 9), "drop_lan_destination", NOWHERE },
	      { LAN, UDP(HOST6, AFAR6, 9), "drop_lan_destination", NOWHERE },
	      { LAN, UDP(HOST4, "10.1.9.9", 9), "drop_forward", NOWHERE });
}

static void test_from_tunnel(void **state)
{
	(void)state;
	FATES({ NP3, UDP(REMOTE4, HOST4, 9), "from_mesh", LAN },
	      { NP3, UDP(REMOTE6, HOST6, 9), "from_mesh", LAN },
	      { NP4, UDP("10.3.0.5", HOST4, 9), "from_mesh", LAN },
	      { NP3, UDP("10.3.0.5", HOST4, 9), "drop_tunnel_source", NOWHERE },
	      { NP4, UDP(REMOTE4, HOST4, 9), "drop_tunnel_source", NOWHERE },
	      { NP3, UDP("10.1.0.9", HOST4, 9), "drop_tunnel_source", NOWHERE },
	      { NP3, UDP(AFAR4, HOST4, 9), "drop_tunnel_source", NOWHERE },
	      { NP3, UDP(AFAR6, HOST6, 9), "drop_tunnel_source", NOWHERE },
	      { NP3, UDP(HOST6, HOST6, 9), "drop_tunnel_source", NOWHERE },
	      { NP3, UDP(REMOTE4, "10.3.0.5", 9), "drop_tunnel_destination", NOWHERE },
	      { NP3, UDP(REMOTE4, "10.2.0.9", 9), "drop_tunnel_destination", NOWHERE },
	      { NP3, UDP(REMOTE4, AFAR4, 9), "drop_tunnel_destination", NOWHERE },
	      { NP3, TCP(REMOTE4, WAN4, 22), "drop_tunnel_destination", NOWHERE },
	      { NP3, UDP(REMOTE6, AFAR6, 9), "drop_tunnel_destination", NOWHERE },
	      { NP3, UDP("fe80::3", HOST6, 9), NOTHING, NOWHERE });
}

static void test_tunnel_to_gateway(void **state)
{
	(void)state;
	FATES({ NP3, UDP("fe80::3", "fe80::1", 16384), ACCEPT, NOWHERE },
	      { NP3, UDP("fe80::3", "fe80::1", 16385), "drop_tunnel_link", NOWHERE },
	      { NP3, UDP("fe80::3", LAN6, 9), "drop_tunnel_link", NOWHERE },
	      { NP3, ICMP6("fe80::3", "fe80::1", ICMP6_ECHO_REQUEST), ACCEPT, NOWHERE },
	      { NP3, ICMP6("fe80::3", "fe80::1", ND_ROUTER_ADVERT), "drop_tunnel_link", NOWHERE },
	      { NP3, ICMP(REMOTE4, LAN4, ICMP_ECHO), ACCEPT, NOWHERE },
	      { NP3, ICMP(REMOTE4, LAN4, ICMP_ECHOREPLY), ACCEPT, NOWHERE },
	      { NP3, ICMP(REMOTE4, LAN4, ICMP_DEST_UNREACH), ACCEPT, NOWHERE },
	      { NP3, ICMP(REMOTE4, LAN4, ICMP_TIMESTAMP), "drop_input", NOWHERE },
	      { NP3, ICMP6(REMOTE6, LAN6, ICMP6_ECHO_REQUEST), ACCEPT, NOWHERE },
	      { NP3, ICMP6(REMOTE6, LAN6, ICMP6_ECHO_REPLY), ACCEPT, NOWHERE },
	      { NP3, ICMP6(REMOTE6, LAN6, ICMP6_PACKET_TOO_BIG), ACCEPT, NOWHERE },
	      { NP3, ICMP6(REMOTE6, LAN6, ND_ROUTER_ADVERT), "drop_input", NOWHERE },
	      { NP3, TCP(REMOTE4, LAN4, 22), ACCEPT, NOWHERE },
	      { NP3, TCP(REMOTE4, LAN4, 23), "drop_input", NOWHERE },
	      { NP3, TCP("10.2.1.5", LAN4, 22), "drop_input", NOWHERE },
	      { NP3, UDP(REMOTE6, LAN6, 161), ACCEPT, NOWHERE },
	      { NP3, UDP("fd00:10:2:1::5", LAN6, 161), "drop_input", NOWHERE },
	      { NP3, UDP(REMOTE4, LAN4, 16388), "drop_input", NOWHERE },
	      { NP3, TCP("fe80::2", "fe80::1", 16384), "drop_tunnel_link", NOWHERE },
	      { NP3, ADVERT(REMOTE4, LAN4, 255), "drop_input", NOWHERE });
}

static void test_lan_to_gateway(void **state)
{
	(void)state;
	FATES({ LAN, ADVERT("172.16.1.3", LAN4, 255), ACCEPT, NOWHERE },
	      { LAN, ADVERT("172.16.1.3", LAN4, 254), "drop_vrrp", NOWHERE },
	      { LAN, ADVERT("172.16.1.4", LAN4, 255), "drop_vrrp", NOWHERE },
	      { LAN, ADVERT("fd00:16:1::3", LAN6, 255), ACCEPT, NOWHERE },
	      { LAN, ADVERT("fd00:16:1::3", LAN6, 254), "drop_vrrp", NOWHERE },
	      { LAN, ADVERT("fd00:16:1::4", LAN6, 255), "drop_vrrp", NOWHERE },
	      { LAN, ICMP(HOST4, LAN4, ICMP_ECHO), ACCEPT, NOWHERE },
	      { LAN, ICMP("192.0.2.9", LAN4, ICMP_ECHO), ACCEPT, NOWHERE },
	      { LAN, ICMP6(HOST6, LAN6, ICMP6_ECHO_REQUEST), ACCEPT, NOWHERE },
	      { LAN, ICMP(HOST4, LAN4, ICMP_DEST_UNREACH), ACCEPT, NOWHERE },
	      { LAN, ICMP(HOST4, LAN4, ICMP_TIME_EXCEEDED), ACCEPT, NOWHERE },
	      { LAN, ICMP(HOST4, LAN4, ICMP_PARAMETERPROB), ACCEPT, NOWHERE },
	      { LAN, ICMP(HOST4, LAN4, ICMP_REDIRECT), "drop_input", NOWHERE },
	      { LAN, ICMP6(HOST6, LAN6, ICMP6_DST_UNREACH), ACCEPT, NOWHERE },
	      { LAN, ICMP6(HOST6, LAN6, ICMP6_PACKET_TOO_BIG), ACCEPT, NOWHERE },
	      { LAN, ICMP6(HOST6, LAN6, ICMP6_TIME_EXCEEDED), ACCEPT, NOWHERE },
	      { LAN, ICMP6(HOST6, LAN6, ICMP6_PARAM_PROB), ACCEPT, NOWHERE },
	      { LAN, ICMP6("fe80::5", LAN6, ND_NEIGHBOR_SOLICIT), ACCEPT, NOWHERE },
	      { LAN, ICMP6("fe80::5", LAN6, ND_NEIGHBOR_ADVERT), ACCEPT, NOWHERE },
	      { LAN, ICMP6("fe80::5", LAN6, ND_ROUTER_ADVERT), ACCEPT, NOWHERE },
	      { LAN, ICMP6("fe80::5", LAN6, ND_REDIRECT), "drop_input", NOWHERE },
	      { LAN, ICMP6("fe80::5", LAN6, MLD_LISTENER_QUERY), ACCEPT, NOWHERE },
	      { LAN, ICMP6("fe80::5", LAN6, MLD_LISTENER_REPORT), ACCEPT, NOWHERE },
	      { LAN, ICMP6("fe80::5", LAN6, MLD_LISTENER_REDUCTION), ACCEPT, NOWHERE },
	      { LAN, ICMP6("fe80::5", LAN6, 143), ACCEPT, NOWHERE },
	      { LAN, TCP("192.0.2.9", LAN4, 22), ACCEPT, NOWHERE },
	      { LAN, TCP("192.0.3.9", LAN4, 22), "drop_input", NOWHERE },
	      { LAN, UDP("192.0.2.9", LAN4, 22), "drop_input", NOWHERE },
	      { LAN, TCP(HOST4, LAN4, 22), "drop_input", NOWHERE },
	      { LAN, UDP("2001:db8:2::9", LAN6, 161), ACCEPT, NOWHERE },
	      { LAN, UDP("2001:db8:3::9", LAN6, 161), "drop_input", NOWHERE },
	      { LAN, UDP(HOST4, LAN4, 16385), "drop_mesh_stranger", NOWHERE },
	      { LAN, UDP("172.16.1.3", LAN4, 16386), ACCEPT, NOWHERE },
	      { LAN, UDP("172.16.1.3", LAN4, 16385), "drop_mesh_stranger", NOWHERE },
	      { LAN, UDP("172.16.1.4", LAN4, 16386), "drop_mesh_stranger", NOWHERE },
	      { LAN, UDP("fd00:16:1::3", LAN6, 16386), "drop_mesh_stranger", NOWHERE });
}

static void test_wan_to_gateway(void **state)
{
	(void)state;
	FATES({ WAN, UDP("198.51.100.7", WAN4, 16385), ACCEPT, NOWHERE },
	      { WAN, UDP("198.51.100.7", WAN4, 20479), ACCEPT, NOWHERE },
	      { WAN, UDP("198.51.100.7", WAN4, 16384), "drop_input", NOWHERE },
	      { WAN, UDP("198.51.100.7", WAN4, 20480), "drop_input", NOWHERE },
	      { WAN, TCP("198.51.100.7", WAN4, 16385), "drop_input", NOWHERE },
	      { WAN, UDP(AFAR4, WAN4, 16385), "drop_mesh_stranger", NOWHERE },
	      { WAN, UDP("2001:db8:7::7", WAN6, 16385), ACCEPT, NOWHERE },
	      { WAN, UDP(AFAR6, WAN6, 16385), "drop_mesh_stranger", NOWHERE },
	      { WAN, TCP("192.0.2.9", WAN4, 22), ACCEPT, NOWHERE },
	      { WAN, TCP(AFAR4, WAN4, 22), "drop_input", NOWHERE },
	      { WAN, UDP("2001:db8:2::9", WAN6, 161), ACCEPT, NOWHERE },
	      { WAN, ICMP(AFAR4, WAN4, ICMP_ECHO), ACCEPT, NOWHERE },
	      { WAN, ICMP6(AFAR6, WAN6, ICMP6_ECHO_REQUEST), ACCEPT, NOWHERE },
	      { WAN, UDP(AFAR4, WAN4, 68), ACCEPT, NOWHERE },
	      { WAN, UDP("fe80::9", WAN6, 546), ACCEPT, NOWHERE },
	      { WAN, UDP(AFAR6, WAN6, 546), "drop_input", NOWHERE },
	      { WAN, ADVERT("172.16.1.3", WAN4, 255), "drop_vrrp", NOWHERE },
	      { WAN, UDP("172.16.1.3", WAN4, 16386), "drop_mesh_stranger", NOWHERE },
	      { WAN, UDP(AFAR4, HOST4, 9), "drop_forward", NOWHERE },
	      { WAN, UDP(AFAR6, HOST6, 9), "drop_forward", NOWHERE },
	      { WAN, UDP(AFAR4, REMOTE4, 9), "drop_forward", NOWHERE },
	      { WAN, UDP(HOST4, REMOTE4, 9), "drop_forward", NOWHERE });
}
/* clang-format on */

/* -- More than one packet. -- */

static void test_mesh_is_not_tracked(void **state)
{
	static const struct {
		enum device in;
		struct packet packet;
	} table[] = {
		{ LAN, UDP(HOST4, REMOTE4, 9) },	   { LAN, UDP(HOST6, REMOTE6, 9) },
		{ NP3, UDP(REMOTE4, HOST4, 9) },	   { NP3, UDP(REMOTE6, HOST6, 9) },
		{ WAN, UDP("198.51.100.7", WAN4, 16400) }, { LAN, UDP("172.16.1.3", LAN4, 16386) },
	};
	const uint64_t before = probe("untracked");
	const size_t n = sizeof(table) / sizeof(table[0]);
	int fd;

	(void)state;
	for (size_t i = 0; i < n; i++)
		inject(table[i].in, &table[i].packet);
	assert_int_equal(probe("untracked"), before + n);
	fd = packet_socket(WAN4, 16390);
	assert_true(packet_send(fd, "198.51.100.7", 16400));
	close(fd);
	assert_int_equal(probe("untracked"), before + n + 1);
	/* The way to this node itself is. */
	inject(LAN, &(const struct packet)ICMP(HOST4, LAN4, ICMP_ECHO));
	assert_int_equal(probe("untracked"), before + n + 1);
}

static void assert_reply(enum device device, const char *from, const char *to, uint8_t type)
{
	const struct packet packet = { .from = from,
				       .to = to,
				       .proto = strchr(from, ':') ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
				       .type = type };
	uint8_t ip[2048];
	size_t len;

	drain();
	inject(device, &packet);
	len = receive(device, packet.proto, from, DEADLINE_MS, ip);
	assert_true(len > 0);
	assert_true(packet_has_addr(ip + (ip[0] >> 4 == 4 ? 12 : 8), to));
}

/* Answers leave the way that the question came. */
static void test_answers(void **state)
{
	(void)state;
	assert_reply(LAN, HOST4, LAN4, ICMP_ECHO);
	assert_reply(LAN, HOST6, LAN6, ICMP6_ECHO_REQUEST);
	assert_reply(NP3, REMOTE4, LAN4, ICMP_ECHO);
	assert_reply(NP4, "10.3.0.5", LAN4, ICMP_ECHO);
	assert_reply(NP3, REMOTE6, LAN6, ICMP6_ECHO_REQUEST);
	assert_reply(WAN, AFAR4, WAN4, ICMP_ECHO);
}

/* What this node asks is answered, through a tunnel and by the Internet; else the port is shut. */
static void test_own_questions(void **state)
{
	static const struct {
		enum device device;
		const char *own, *other;
	} table[] = {
		{ NP3, LAN4, REMOTE4 }, { NP3, LAN6, REMOTE6 }, { WAN, WAN4, AFAR4 },
		{ WAN, WAN6, AFAR6 },	{ LAN, LAN4, HOST4 },	{ LAN, WAN4, HOST4 },
	};
	uint8_t ip[2048];

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct fate fate = { table[i].device,
				     { table[i].other, table[i].own, IPPROTO_UDP, 5000, 0, 0, 53 },
				     "drop_input",
				     NOWHERE };
		int fd = packet_socket(table[i].own, 5000);

		assert_fate(&fate);
		assert_true(packet_send(fd, table[i].other, 53));
		assert_true(receive(table[i].device, IPPROTO_UDP, table[i].other, DEADLINE_MS, ip));
		fate.what = ACCEPT;
		assert_fate(&fate);
		close(fd);
	}
}

/* Who gives his packets a mark has his own reasons. */
static void test_own_marks(void **state)
{
	const uint32_t mark = SITE3;
	int fd = packet_socket(LAN4, 5000);
	uint8_t ip[2048];

	(void)state;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)), 0);
	assert_true(packet_send(fd, REMOTE4, 53));
	assert_true(receive(NP4, IPPROTO_UDP, REMOTE4, DEADLINE_MS, ip));
	close(fd);
}

static void test_loopback(void **state)
{
	int fd = packet_socket("127.0.0.1", 5000);
	char c;

	(void)state;
	assert_true(packet_send(fd, "127.0.0.1", 5000));
	assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), 1);
	close(fd);
}

/*
 * The packet dies of old age, or at an unreachable route. The error must come back the same way,
 * from our LAN address.
 */
static void assert_error(enum device device, const char *from, const char *to, const char *source)
{
	const bool dead_end = !strncmp(to, "10.1.66.", 8) || !strncmp(to, "fd00:10:1:66:", 13);
	const bool v4 = !strchr(from, ':');
	const uint8_t proto = v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	const struct packet packet = { from, to, IPPROTO_UDP, 9, 0, dead_end ? 64 : 1, 0 };
	uint8_t ip[2048];
	size_t len;

	drain();
	inject(device, &packet);
	len = receive(device, proto, from, DEADLINE_MS, ip);
	assert_true(len > 0);
	if (v4)
		assert_int_equal(ip[20], dead_end ? ICMP_DEST_UNREACH : ICMP_TIME_EXCEEDED);
	else
		assert_int_equal(ip[40], dead_end ? ICMP6_DST_UNREACH : ICMP6_TIME_EXCEEDED);
	assert_true(packet_has_addr(ip + (v4 ? 12 : 8), source));
	if (v4)
		assert_int_equal(packet_sum_fold(packet_sum_add(0, ip, 20)), 0);
	assert_int_equal(packet_l4_sum(ip, len), 0);
}

static void test_errors_of_this_node(void **state)
{
	(void)state;
	assert_error(NP3, REMOTE4, HOST4, LAN4);
	assert_error(NP4, "10.3.0.5", HOST4, LAN4);
	assert_error(NP3, REMOTE6, HOST6, LAN6);
	assert_error(NP4, "2001:db8:3::5", HOST6, LAN6);
	assert_error(LAN, HOST4, REMOTE4, LAN4);
	assert_error(LAN, HOST6, REMOTE6, LAN6);
	/* Another host: the kernel limits these by host, and took its ration for the first one. */
	assert_error(NP3, "10.2.0.6", "10.1.66.5", LAN4);
	assert_error(NP4, "2001:db8:3::5", "fd00:10:1:66::5", LAN6);
	/* Nobody's business but the Internet's. */
	assert_error(WAN, AFAR4, HOST4, WAN4);
}

static unsigned int mss_after(const char *from, const char *to, enum device out)
{
	const struct packet packet = { from, to, IPPROTO_TCP, 80, 0, 0, 0 };
	uint8_t ip[2048];
	size_t len;

	drain();
	inject(LAN, &packet);
	len = receive(out, IPPROTO_TCP, to, DEADLINE_MS, ip);
	assert_true(len >= packet_header_len(ip) + 24);
	assert_int_equal(packet_l4_sum(ip, len), 0);
	return (unsigned int)ip[packet_header_len(ip) + 22] << 8 | ip[packet_header_len(ip) + 23];
}

static void test_mss(void **state)
{
	(void)state;
	assert_int_equal(mss_after(HOST4, REMOTE4, NP3), 1420 - 40);
	assert_int_equal(mss_after(HOST6, REMOTE6, NP3), 1420 - 60);
	/* "mss: keep" */
	assert_int_equal(mss_after(HOST4, "10.3.0.5", NP4), 1460);
	assert_int_equal(mss_after(HOST6, "fd00:10:3::5", NP4), 1460);
}

/* What others put into their bits of the mark does not matter to us. */
static void test_foreign_bits_of_the_mark(void **state)
{
	static const struct fate lan = { LAN, UDP(HOST4, REMOTE4, 9), "to_mesh", NP3 };
	static const struct fate tunnel = { NP3, UDP(REMOTE4, HOST4, 9), "from_mesh", LAN };
	static const struct fate stranger = { LAN, UDP("192.0.2.9", REMOTE4, 9), "drop_lan_source",
					      NOWHERE };

	(void)state;
	assert_int_equal(system("nft add table inet foreign && nft add chain inet foreign pre "
				"'{ type filter hook prerouting priority -150; }' && "
				"nft add rule inet foreign pre meta mark set mark or 0x5"),
			 0);
	assert_fate(&lan);
	assert_fate(&tunnel);
	assert_fate(&stranger);
	assert_int_equal(mss_after(HOST4, REMOTE4, NP3), 1420 - 40);
	assert_int_equal(system("nft delete table inet foreign"), 0);
}

/* A change of elements leaves the counts alone, and holds for the next packet. */
static void test_change_keeps_counts(void **state)
{
	static const struct fate before = { LAN, UDP(HOST4, "10.77.0.5", 9), "drop_lan_destination",
					    NOWHERE };
	static const struct fate after = { LAN, UDP(HOST4, "10.77.0.5", 9), "to_mesh", NP3 };
	struct ruleset *none = ruleset_new(), *change = ruleset_new();
	struct counts a, b;

	(void)state;
	assert_fate(&before);
	a = counts_read();
	add(change, RULESET_SITES4, "10.77.0.0/24", SITE2);
	assert_int_equal(nft_change(nft, none->sets, change->sets), 0);
	b = counts_read();
	for (size_t i = 0; i < a.n; i++)
		assert_int_equal(counts_get(&b, a.v[i].name), a.v[i].packets);
	assert_true(counts_get(&b, "drop_lan_destination") > 0);
	assert_fate(&after);
	assert_int_equal(nft_change(nft, change->sets, none->sets), 0);
	assert_fate(&before);
	free(a.v);
	free(b.v);
	ruleset_free(none);
	ruleset_free(change);
}

/* These devices have no MACs: once the partner's is known nothing has it. */
static void test_vrrp_of_one_mac(void **state)
{
	static const uint8_t mac[RULESET_MAC_LEN] = { 2, 0, 0, 0, 0, 3 };
	static const struct fate any = { LAN, ADVERT("172.16.1.3", LAN4, 255), ACCEPT, NOWHERE };
	static const struct fate fates[] = {
		{ LAN, ADVERT("172.16.1.3", LAN4, 255), "drop_vrrp_mac", NOWHERE },
		{ LAN, ADVERT("fd00:16:1::3", LAN6, 255), "drop_vrrp_mac", NOWHERE },
		{ LAN, ADVERT("172.16.1.4", LAN4, 255), "drop_vrrp", NOWHERE },
		{ LAN, UDP("172.16.1.3", LAN4, 16386), ACCEPT, NOWHERE },
	};
	struct ruleset *before = make_ruleset(), *after = make_ruleset();
	struct ruleset_elems remove[RULESET_SET_MAX] = { 0 }, put[RULESET_SET_MAX] = { 0 };

	(void)state;
	assert_int_equal(ruleset_pin(after, mac), 0);
	remove[RULESET_PAIR_ANY] = before->sets[RULESET_PAIR_ANY];
	put[RULESET_PAIR_MAC] = after->sets[RULESET_PAIR_MAC];
	assert_int_equal(nft_change(nft, remove, put), 0);
	for (size_t i = 0; i < sizeof(fates) / sizeof(fates[0]); i++)
		assert_fate(&fates[i]);
	assert_int_equal(nft_change(nft, put, remove), 0);
	assert_fate(&any);
	ruleset_free(before);
	ruleset_free(after);
}

/* Strangers get a hundred echos at once; the LAN as many as it likes. The last test. */
static void test_echo_limit(void **state)
{
	const struct packet packets[] = { ICMP(AFAR4, WAN4, ICMP_ECHO),
					  ICMP6(AFAR6, WAN6, ICMP6_ECHO_REQUEST),
					  ICMP(HOST4, LAN4, ICMP_ECHO),
					  ICMP6(HOST6, LAN6, ICMP6_ECHO_REQUEST) };
	static const enum device devices[] = { WAN, WAN, LAN, LAN };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct counts before = counts_read(), after;
		const uint64_t passed = probe("passed");
		uint64_t dropped;

		for (int k = 0; k < 1000; k++)
			inject(devices[i], &packets[i]);
		after = counts_read();
		dropped = counts_get(&after, "drop_input") - counts_get(&before, "drop_input");
		assert_int_equal(probe("passed") - passed, 1000 - dropped);
		if (devices[i] == LAN)
			assert_int_equal(dropped, 0);
		else
			assert_in_range(dropped, 400, 901);
		free(before.v);
		free(after.v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from_lan),
		cmocka_unit_test(test_from_tunnel),
		cmocka_unit_test(test_tunnel_to_gateway),
		cmocka_unit_test(test_lan_to_gateway),
		cmocka_unit_test(test_wan_to_gateway),
		cmocka_unit_test(test_mesh_is_not_tracked),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_own_questions),
		cmocka_unit_test(test_own_marks),
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_errors_of_this_node),
		cmocka_unit_test(test_mss),
		cmocka_unit_test(test_foreign_bits_of_the_mark),
		cmocka_unit_test(test_change_keeps_counts),
		cmocka_unit_test(test_vrrp_of_one_mac),
		cmocka_unit_test(test_echo_limit),
	};

	if (unshare(CLONE_NEWNET)) {
		printf("1..0 # SKIP no network namespace for packets: %s\n", strerror(errno));
		return 0;
	}
	return cmocka_run_group_tests_name("packets", tests, setup, teardown);
}
