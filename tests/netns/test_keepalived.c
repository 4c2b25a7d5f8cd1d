/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two real keepalived on one bridge, with the configuration that keepalived.c renders and the FIFO
 * that notify.c reads. Everything happens in namespaces of its own (network, mounts, processes): the
 * tests run as the first process of the last, so nothing that they start outlives them.
 *
 *	node a (eth1) ---- a-lan  br0  b-lan ---- node b (eth1)
 *	                   172.16.1.1, fd00:16:1::1
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/ip.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "keepalived.h"
#include "notify.h"

#define DEADLINE_MS 20000
#define ADVERT_MS 250 /* slow, as the machine may be busy: 0.75 s without adverts is a death */
#define PROTO_VRRP 112
#define VRID 51
#define OUTPUT_BYTES 65536

static const struct keepalived_vip vips[] = {
	{ "172.16.1.254/32", 4 },
	{ "fd00:16:1::fe/128", 6 },
	{ "172.16.1.253/32", 4 },
};
static const char *const vip_addresses[] = { "172.16.1.254", "fd00:16:1::fe", "172.16.1.253" };

struct node {
	const char *name;
	const char *own[2]; /* IPv4, IPv6 */
	pid_t keepalived;
	int fifo;
	struct notify_stream stream;
	enum notify_event last;
	unsigned int events[NOTIFY_EVENT_MAX], priority;
};

static struct node nodes[] = {
	{ .name = "a", .own = { "172.16.1.2", "fd00:16:1::2" } },
	{ .name = "b", .own = { "172.16.1.3", "fd00:16:1::3" } },
};
static struct node *const a = &nodes[0], *const b = &nodes[1];
static char output[OUTPUT_BYTES]; /* of the last command */

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Run a shell command; its output is in `output`. Returns the exit status. */
__attribute__((format(printf, 1, 2))) static int command(const char *fmt, ...)
{
	char line[512];
	va_list args;
	size_t len;
	FILE *pipe;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line) - 6, fmt, args);
	va_end(args);
	strcat(line, " 2>&1");
	pipe = popen(line, "re");
	assert_non_null(pipe);
	len = fread(output, 1, sizeof(output) - 1, pipe);
	output[len] = '\0';
	return pclose(pipe);
}

#define MUST(...)                               \
	do {                                    \
		if (command(__VA_ARGS__))       \
			fail_msg("%s", output); \
	} while (0)

static void show_logs(void)
{
	for (size_t i = 0; i < 2; i++)
		if (command("sed 's/^/# %s: /' /run/%s/log | tail -n 40", nodes[i].name,
			    nodes[i].name) == 0)
			print_message("%s", output);
}

static void take_event(enum notify_event event, unsigned int priority, void *data)
{
	struct node *node = data;

	node->last = event;
	node->events[event]++;
	node->priority = priority;
}

static void read_events(struct node *node)
{
	char buf[7]; /* small: lines come in pieces */
	ssize_t n;

	while ((n = read(node->fifo, buf, sizeof(buf))) > 0)
		notify_feed(&node->stream, buf, (size_t)n, take_event, node);
}

/* True once the condition holds, false if it never did. */
static bool wait_for(bool (*condition)(struct node *node, int arg), struct node *node, int arg)
{
	const uint64_t end = now_ms() + DEADLINE_MS;

	do {
		read_events(a);
		read_events(b);
		if (condition(node, arg))
			return true;
		usleep(10000);
	} while (now_ms() < end);
	return false;
}

#define WAIT(condition, node, arg)                                                       \
	do {                                                                             \
		if (!wait_for(condition, node, arg)) {                                   \
			show_logs();                                                     \
			fail_msg("in vain: " #condition "(%s, " #arg ")", (node)->name); \
		}                                                                        \
	} while (0)

static bool is_in(struct node *node, int event)
{
	return (int)node->last == event;
}

static bool has_priority(struct node *node, int priority)
{
	char text[64];

	snprintf(text, sizeof(text), "effective priority from [0-9]* to %d", priority);
	return command("grep '%s' /run/%s/log", text, node->name) == 0;
}

static bool has_reloaded(struct node *node, int unused)
{
	(void)unused;
	return command("grep 'Reload complete' /run/%s/log", node->name) == 0;
}

/* Holds all VIPs (1) or none (0). */
static bool holds_vips(struct node *node, int all)
{
	if (command("ip -n %s -o address show dev eth1", node->name))
		return false;
	for (size_t i = 0; i < sizeof(vip_addresses) / sizeof(vip_addresses[0]); i++)
		if ((strstr(output, vip_addresses[i]) != NULL) != all)
			return false;
	return true;
}

static int packets(const struct node *node, const char *interface)
{
	MUST("ip netns exec %s cat /sys/class/net/%s/statistics/rx_packets", node->name, interface);
	return atoi(output);
}

static bool has_received(struct node *node, int number)
{
	return packets(node, "eth1") >= number;
}

static bool has_looped(struct node *node, int number)
{
	return packets(node, "lo") >= number;
}

static bool is_gone(struct node *node, int unused)
{
	(void)unused;
	if (node->keepalived && waitpid(node->keepalived, NULL, WNOHANG) == node->keepalived)
		node->keepalived = 0;
	return !node->keepalived;
}

static void write_sticky(const struct node *node, int value)
{
	char path[32];
	FILE *file;

	snprintf(path, sizeof(path), "/run/%s/sticky", node->name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fprintf(file, "%d\n", value) > 0);
	assert_int_equal(fclose(file), 0);
}

/* family 4 or 6: of the adverts; alone: the site has one gateway. */
static void render(const struct node *node, int family, bool alone, uint32_t advert_ms)
{
	const struct node *peer = node == a ? b : a;
	struct keepalived keepalived = {
		.interface = "eth1",
		.vrid = VRID,
		.priority = node == a ? KEEPALIVED_PRIORITY : KEEPALIVED_PRIORITY - 1,
		.advert_ms = advert_ms,
		.vips = vips,
		.n_vips = sizeof(vips) / sizeof(vips[0]),
	};
	char conf[32], fifo[32], sticky[32];
	FILE *out;

	snprintf(conf, sizeof(conf), "/run/%s/conf", node->name);
	snprintf(fifo, sizeof(fifo), "/run/%s/fifo", node->name);
	snprintf(sticky, sizeof(sticky), "/run/%s/sticky", node->name);
	snprintf(keepalived.router_id, sizeof(keepalived.router_id), "node-%s", node->name);
	strcpy(keepalived.own, node->own[family == 6]);
	if (!alone)
		strcpy(keepalived.peer, peer->own[family == 6]);
	keepalived.fifo_path = fifo;
	keepalived.track_path = sticky;
	out = fopen(conf, "we");
	assert_non_null(out);
	keepalived_render(&keepalived, out);
	assert_int_equal(fclose(out), 0);
}

static void start(struct node *node, int family, bool alone)
{
	char netns[32], log[32], conf[32], pid[32], vrrp_pid[32];

	snprintf(netns, sizeof(netns), "/run/netns/%s", node->name);
	snprintf(log, sizeof(log), "/run/%s/log", node->name);
	snprintf(conf, sizeof(conf), "/run/%s/conf", node->name);
	snprintf(pid, sizeof(pid), "/run/%s/pid", node->name);
	snprintf(vrrp_pid, sizeof(vrrp_pid), "/run/%s/vrrp_pid", node->name);
	render(node, family, alone, ADVERT_MS);
	write_sticky(node, 0);
	memset(node->events, 0, sizeof(node->events));
	node->last = NOTIFY_EVENT_MAX;
	node->keepalived = fork();
	assert_true(node->keepalived >= 0);
	if (node->keepalived)
		return;

	int net = open(netns, O_RDONLY | O_CLOEXEC);
	int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (net < 0 || out < 0 || setns(net, CLONE_NEWNET) || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		_exit(126);
	execlp("keepalived", "keepalived", "--dont-fork", "--vrrp", "--log-console", "--log-detail",
	       "--use-file", conf, "--pid", pid, "--vrrp_pid", vrrp_pid, NULL);
	_exit(127);
}

static void stop(struct node *node)
{
	assert_int_equal(kill(node->keepalived, SIGTERM), 0);
	WAIT(is_gone, node, 0);
}

/* -- The network, anew for each test. -- */

static int network_up(void **state)
{
	(void)state;
	MUST("ip link set lo up && ip link add br0 type bridge && ip link set br0 up &&"
	     " ip address add 172.16.1.1/24 dev br0 &&"
	     " ip address add fd00:16:1::1/64 dev br0 nodad");
	for (size_t i = 0; i < 2; i++) {
		struct node *node = &nodes[i];
		const char *n = node->name;
		char fifo[32];

		MUST("ip netns add %s && mkdir -p /run/%s && ip -n %s link set lo up", n, n, n);
		MUST("ip link add %s-lan master br0 type veth peer name eth1 netns %s &&"
		     " ip link set %s-lan up && ip -n %s link set eth1 up",
		     n, n, n, n);
		MUST("ip -n %s address add %s/24 dev eth1 &&"
		     " ip -n %s address add %s/64 dev eth1 nodad",
		     n, node->own[0], n, node->own[1]);
		snprintf(fifo, sizeof(fifo), "/run/%s/fifo", n);
		assert_int_equal(mkfifo(fifo, 0600), 0);
		/* For both, as the daemon does: it neither blocks nor ends when keepalived goes. */
		node->fifo = open(fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		assert_true(node->fifo >= 0);
		node->stream = (struct notify_stream){ .len = 0 };
	}
	return 0;
}

static int network_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct node *node = &nodes[i];

		if (node->keepalived) {
			kill(node->keepalived, SIGTERM);
			WAIT(is_gone, node, 0);
		}
		close(node->fifo);
		/* The namespace goes when the kernel likes; the name of the link is needed now. */
		MUST("ip link delete %s-lan && ip netns delete %s && rm -rf /run/%s", node->name,
		     node->name, node->name);
	}
	MUST("ip link delete br0");
	return 0;
}

static void start_both(int family)
{
	start(a, family, false);
	start(b, family, false);
	WAIT(is_in, a, NOTIFY_MASTER);
	WAIT(is_in, b, NOTIFY_BACKUP);
	WAIT(holds_vips, a, 1);
	WAIT(holds_vips, b, 0);
}

/* -- The tests. -- */

/* keepalived says nothing about it: no unknown word, no deprecated use. */
static void accepts_the_configuration(void **state)
{
	static const uint32_t adverts[] = { 10, 100, 40950 };

	(void)state;
	for (int family = 4; family <= 6; family += 2)
		for (int alone = 0; alone <= 1; alone++)
			for (size_t i = 0; i < sizeof(adverts) / sizeof(adverts[0]); i++) {
				render(a, family, alone, adverts[i]);
				write_sticky(a, 0);
				MUST("ip netns exec a keepalived --config-test"
				     " --use-file /run/a/conf");
				assert_string_equal(output, "");
			}
	/* The test can fail. */
	assert_int_not_equal(command("echo 'nonsense 1' >>/run/a/conf && ip netns exec a"
				     " keepalived --config-test --use-file /run/a/conf"),
			     0);
}

static void elects_the_first(int family)
{
	start_both(family);
	assert_int_equal(a->priority, KEEPALIVED_PRIORITY);
	assert_int_equal(b->priority, KEEPALIVED_PRIORITY - 1);
	for (size_t i = 0; i < sizeof(vip_addresses) / sizeof(vip_addresses[0]); i++)
		MUST("ping -n -c 1 -w 5 %s", vip_addresses[i]);
	/* Its own addresses do not go when the VIPs go: see keepalived.h. */
	stop(a);
	read_events(a);
	assert_int_equal(a->last, NOTIFY_STOP);
	WAIT(is_in, b, NOTIFY_MASTER);
	WAIT(holds_vips, b, 1);
	assert_true(holds_vips(a, 0));
	assert_non_null(strstr(output, "172.16.1.2/24"));
	assert_non_null(strstr(output, "fd00:16:1::2/64"));
	for (size_t i = 0; i < sizeof(vip_addresses) / sizeof(vip_addresses[0]); i++)
		MUST("ping -n -c 1 -w 5 %s", vip_addresses[i]);
}

static void elects_over_ipv4(void **state)
{
	(void)state;
	elects_the_first(4);
}

static void elects_over_ipv6(void **state)
{
	(void)state;
	elects_the_first(6);
}

/* Who comes back does not take over, and who is told to yields without a stop in between. */
static void sticks_and_hands_over(void **state)
{
	(void)state;
	start_both(4);
	write_sticky(a, 1);
	WAIT(has_priority, a, KEEPALIVED_PRIORITY + KEEPALIVED_STICKY_WEIGHT);
	stop(a);
	WAIT(is_in, b, NOTIFY_MASTER);
	write_sticky(b, 1);
	WAIT(has_priority, b, KEEPALIVED_PRIORITY - 1 + KEEPALIVED_STICKY_WEIGHT);

	start(a, 4, false);
	WAIT(is_in, a, NOTIFY_BACKUP);
	WAIT(has_received, a, packets(a, "eth1") + 12); /* four times its down timer */
	read_events(a);
	assert_int_equal(a->events[NOTIFY_MASTER], 0);
	read_events(b);
	assert_int_equal(b->last, NOTIFY_MASTER);

	write_sticky(b, -1);
	WAIT(is_in, a, NOTIFY_MASTER);
	WAIT(is_in, b, NOTIFY_BACKUP);
	WAIT(holds_vips, a, 1);
	WAIT(holds_vips, b, 0);
}

static void link_loss_is_a_fault(void **state)
{
	(void)state;
	start_both(4);
	MUST("ip link set a-lan down");
	WAIT(is_in, a, NOTIFY_FAULT);
	WAIT(is_in, b, NOTIFY_MASTER);
	write_sticky(b, 1);
	WAIT(has_priority, b, KEEPALIVED_PRIORITY - 1 + KEEPALIVED_STICKY_WEIGHT);
	MUST("ip link set a-lan up");
	WAIT(is_in, a, NOTIFY_BACKUP);
	/* It may have claimed before the first advert came; in the end it gives way. */
	WAIT(is_in, b, NOTIFY_MASTER);
	WAIT(holds_vips, b, 1);
	WAIT(holds_vips, a, 0);
}

/* Alone, so that no missed advert can change anything: mastership and the FIFO survive a reload. */
static void a_reload_changes_nothing(void **state)
{
	(void)state;
	start(a, 4, true);
	WAIT(is_in, a, NOTIFY_MASTER);
	assert_int_equal(kill(a->keepalived, SIGHUP), 0);
	WAIT(has_reloaded, a, 0);
	assert_true(holds_vips(a, 1));
	read_events(a);
	assert_int_equal(a->last, NOTIFY_MASTER);
	MUST("ip link set a-lan down");
	WAIT(is_in, a, NOTIFY_FAULT);
	stop(a);
	read_events(a);
	assert_int_equal(a->last, NOTIFY_STOP);
}

/* A site with one gateway: master, and no advert leaves it. */
static void alone_it_keeps_quiet(void **state)
{
	int sock = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL));
	unsigned int announcements = 0;
	uint8_t packet[2048];
	ssize_t n;

	(void)state;
	assert_true(sock >= 0);
	start(a, 4, true);
	WAIT(is_in, a, NOTIFY_MASTER);
	WAIT(holds_vips, a, 1);
	WAIT(has_looped, a, packets(a, "lo") + 8);
	for (;;) {
		struct sockaddr_ll from = { .sll_family = AF_PACKET };
		socklen_t len = sizeof(from);

		n = recvfrom(sock, packet, sizeof(packet), 0, (struct sockaddr *)&from, &len);
		if (n < 0)
			break;
		announcements += from.sll_protocol == htons(ETH_P_ARP);
		if (from.sll_protocol == htons(ETH_P_IP) && n >= 20)
			assert_int_not_equal(packet[9], PROTO_VRRP);
	}
	close(sock);
	assert_true(announcements > 0); /* the socket does see what leaves */
}

/* -- Forged adverts. -- */

static uint16_t checksum(const uint8_t *p, size_t len, uint32_t sum)
{
	for (; len > 1; p += 2, len -= 2)
		sum += (uint32_t)p[0] << 8 | p[1];
	if (len)
		sum += (uint32_t)p[0] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* RFC 9568, section 5: an advert for the two IPv4 VIPs, from and with what the caller says. */
static void forge(const char *source, uint8_t ttl, uint8_t priority)
{
	uint8_t packet[36] = { 0x45, 0, 0, 36, 0, 1, 0, 0, ttl, PROTO_VRRP };
	uint8_t pseudo[12 + 16] = { 0 };
	uint8_t *vrrp = packet + 20;
	struct sockaddr_in to = { .sin_family = AF_INET };
	int sock = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	uint16_t sum;

	assert_true(sock >= 0);
	assert_int_equal(inet_pton(AF_INET, source, packet + 12), 1);
	assert_int_equal(inet_pton(AF_INET, a->own[0], packet + 16), 1);
	memcpy(&to.sin_addr, packet + 16, 4);
	vrrp[0] = 0x31; /* version 3, advertisement */
	vrrp[1] = VRID;
	vrrp[2] = priority;
	vrrp[3] = 2;
	vrrp[5] = ADVERT_MS / 10;
	assert_int_equal(inet_pton(AF_INET, vip_addresses[0], vrrp + 8), 1);
	assert_int_equal(inet_pton(AF_INET, vip_addresses[2], vrrp + 12), 1);
	memcpy(pseudo, packet + 12, 8);
	pseudo[9] = PROTO_VRRP;
	pseudo[11] = 16;
	memcpy(pseudo + 12, vrrp, 16);
	sum = checksum(pseudo, sizeof(pseudo), 0);
	vrrp[6] = (uint8_t)(sum >> 8);
	vrrp[7] = (uint8_t)sum;
	assert_int_equal(
		sendto(sock, packet, sizeof(packet), 0, (struct sockaddr *)&to, sizeof(to)),
		sizeof(packet));
	close(sock);
}

/* Adverts of a stranger and from beyond the segment are dropped; the same from the peer count. */
static void strangers_are_not_heard(void **state)
{
	(void)state;
	start(a, 4, false);
	WAIT(is_in, a, NOTIFY_MASTER);
	for (unsigned int i = 0; i < 10; i++) {
		forge("172.16.1.1", 255, 253);
		forge(b->own[0], 254, 253);
	}
	forge(b->own[0], 255, 254);
	WAIT(is_in, a, NOTIFY_BACKUP);
	MUST("cat /run/a/log");
	assert_non_null(strstr(output, "higher priority 254"));
	assert_null(strstr(output, "higher priority 253"));
}

static void needs_root(void **state)
{
	(void)state;
	print_message("# SKIP needs root and namespaces\n");
	skip();
}

static int run_inside(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(accepts_the_configuration, network_up,
						network_down),
		cmocka_unit_test_setup_teardown(elects_over_ipv4, network_up, network_down),
		cmocka_unit_test_setup_teardown(elects_over_ipv6, network_up, network_down),
		cmocka_unit_test_setup_teardown(sticks_and_hands_over, network_up, network_down),
		cmocka_unit_test_setup_teardown(link_loss_is_a_fault, network_up, network_down),
		cmocka_unit_test_setup_teardown(a_reload_changes_nothing, network_up, network_down),
		cmocka_unit_test_setup_teardown(alone_it_keeps_quiet, network_up, network_down),
		cmocka_unit_test_setup_teardown(strangers_are_not_heard, network_up, network_down),
	};

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) ||
	    mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, NULL)) {
		perror("mount");
		return 1;
	}
	return cmocka_run_group_tests_name("keepalived", tests, NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest skipped[] = { cmocka_unit_test(needs_root) };
	pid_t child;
	int status;

	if (unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID))
		return cmocka_run_group_tests_name("keepalived", skipped, NULL, NULL);
	child = fork();
	if (child < 0)
		return 1;
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* exit(), not _exit(): what cmocka has written is still buffered. */
		exit(run_inside());
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
