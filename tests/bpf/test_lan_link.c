/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The LAN fast path on devices, for what BPF_PROG_TEST_RUN cannot show: which tunnel a packet
 * leaves by, what neighbour it is given to on the LAN, batches. In a network namespace of its own
 * a gateway stands between a veth (its LAN, with a host at the other end) and four TUN devices;
 * host and tunnels are this program.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lan_world.h"

#define DEADLINE_MS 3000
#define CHOICES 1500
#define BATCH_MAX 65536
#define HOST NODE_END /* index in fds: behind those of the tunnels */

static const char setup_script[] =
	"set -e\n"
	"sysctl -qw net.ipv6.conf.default.addr_gen_mode=1\n"
	"ip link add lan0 mtu 1500 address 02:00:00:00:00:01 type veth"
	" peer name host0 address 02:00:00:00:00:0a\n"
	"for dev in lan0 host0 np3 np4 np5 np6; do\n"
	"	sysctl -qw net.ipv6.conf.$dev.addr_gen_mode=1\n"
	"	ip link set $dev up\n"
	"done\n"
	"ip neigh add 8.0.1.10 lladdr 02:00:00:00:00:0a dev lan0\n"
	"ip neigh add 8.0.1.11 lladdr 02:00:00:00:00:0b dev lan0\n"
	"ip neigh add 2001:db8:86dd:100::10 lladdr 02:00:00:00:00:0c dev lan0\n"
	"ip neigh add 2001:db8:86dd:100::11 lladdr 02:00:00:00:00:0d dev lan0\n";

struct frame {
	struct virtio_net_hdr header;
	uint8_t data[BATCH_MAX];
};

static struct world world;
static int fds[NODE_END + 1];
static unsigned int tunnel_ifindex[NODE_END];

/* -- Devices. -- */

static int open_tunnel(int id)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -1;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "np%d", id);
	if (ioctl(fd, TUNSETIFF, &ifr) ||
	    ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)) {
		close(fd);
		return -1;
	}
	tunnel_ifindex[id] = harness_ifindex(ifr.ifr_name);
	return fd;
}

static int open_host(void)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET,
				    .sll_protocol = htons(ETH_P_ALL),
				    .sll_ifindex = (int)harness_ifindex("host0") };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const int on = 1;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) ||
	    bind(fd, (const void *)&addr, sizeof(addr))) {
		close(fd);
		return -1;
	}
	return fd;
}

static void attach(unsigned int ifindex, const char *program)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = harness_program(program));

	assert_int_equal(bpf_tc_hook_create(&hook), 0);
	assert_int_equal(bpf_tc_attach(&hook, &opts), 0);
}

static void send_frame(int at, const struct frame *frame, size_t len)
{
	const size_t all = sizeof(frame->header) + len;

	assert_int_equal(write(fds[at], frame, all), all);
}

/* What the kernel says by itself: to and from link-local and multicast addresses, and ARP. */
static bool is_noise(const uint8_t *ip)
{
	return ip[0] >> 4 == 6 ? ip[24] == 0xff || ip[8] == 0xfe : ip[0] >> 4 != 4;
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* Where the next packet comes out; -1: nowhere within the time. */
static int receive(struct frame *ret, size_t *ret_len, int timeout_ms)
{
	const long long deadline = now_ms() + timeout_ms;

	for (;;) {
		struct pollfd polls[NODE_END + 1];
		long long left = deadline - now_ms();

		for (int i = 0; i <= HOST; i++)
			polls[i] = (struct pollfd){ i < NODE_FIRST ? -1 : fds[i], POLLIN, 0 };
		if (poll(polls, HOST + 1, left < 0 ? 0 : (int)left) <= 0)
			return -1;
		for (int i = NODE_FIRST; i <= HOST; i++) {
			ssize_t n = polls[i].revents & POLLIN ? read(fds[i], ret, sizeof(*ret)) : 0;
			const size_t link = i == HOST ? ETHER_LEN : 0;

			if (n <= (ssize_t)(sizeof(ret->header) + link) ||
			    is_noise(ret->data + link))
				continue;
			*ret_len = (size_t)n - sizeof(ret->header);
			return i;
		}
	}
}

static void await_count(enum dp_count_id id, uint64_t packets)
{
	const long long deadline = now_ms() + DEADLINE_MS;

	while (harness_count(id).packets < packets) {
		assert_true(now_ms() < deadline);
		sched_yield();
	}
}

static void assert_silence(void)
{
	static struct frame frame;
	size_t len;

	assert_int_equal(receive(&frame, &len, 0), -1);
}

/* -- From the LAN. -- */

static void test_choice(void **state)
{
	unsigned int taken[NODE_END] = { 0 };
	static struct verdict verdict;
	static struct frame in, out;

	(void)state;
	random_state = 0x2545f4914f6cdd1d;
	for (int i = 0; i < CHOICES; i++) {
		const bool six = random_below(2), far = random_below(2);
		const struct shape shape = { .six = six,
					     .to = !far	 ? NULL
						   : six ? SITE3_6
							 : SITE3_4,
					     .pad = random_below(20) };
		const size_t len = shape_build(&shape, in.data);
		uint64_t slow = harness_count(DP_COUNT_LAN_SLOW).packets;
		size_t out_len;
		int at;

		world_randomise(&world);
		world_write(&world);
		oracle(&world, 0, in.data, len, get16(in.data + 12), 0, &verdict);
		send_frame(HOST, &in, len);
		taken[verdict.node]++;
		if (!verdict.fast) {
			await_count(DP_COUNT_LAN_SLOW, slow + 1);
			continue;
		}
		at = receive(&out, &out_len, DEADLINE_MS);
		if (at != verdict.node)
			fail_msg("packet %d: by the tunnel to %d, not to %d", i, at, verdict.node);
		assert_int_equal(out_len, verdict.len - ETHER_LEN);
		assert_memory_equal(out.data, verdict.frame + ETHER_LEN, out_len);
	}
	assert_silence();
	for (int id = NODE_FIRST; id < NODE_END; id++)
		assert_true(taken[id] > CHOICES / 10);
	assert_true(taken[0] > 0);
}

/* A batch of TCP, as GRO or a guest's TSO makes it, of which only the headers are linear. */
static size_t build_batch(bool tunnel, bool six, uint16_t gso, size_t segments, struct frame *ret)
{
	const size_t link = tunnel ? 0 : ETHER_LEN, headers = link + (six ? 60 : 40);
	const struct shape shape = { .tunnel = tunnel, .six = six, .proto = 6, .len = 20 };
	const size_t len = headers + segments * gso;
	uint8_t *ip = ret->data + link;

	assert_true(len <= sizeof(ret->data));
	shape_build(&shape, ret->data);
	for (size_t i = headers; i < len; i++)
		ret->data[i] = (uint8_t)i;
	if (six) {
		put16(ip + 4, (unsigned int)(len - link - 40));
	} else {
		put16(ip + 2, (unsigned int)(len - link));
		put16(ip + 10, 0);
		put16(ip + 10, ~sum16(ip, 20) & 0xffff);
	}
	ret->header = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = six ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = (uint16_t)headers,
		.gso_size = gso,
		.csum_start = (uint16_t)(headers - 20),
		.csum_offset = 16,
	};
	return len;
}

/* After one hop, and without the headers of the link: those are not what is compared. */
static void age(bool six, uint8_t *ip)
{
	if (six) {
		ip[7]--;
	} else {
		ip[8]--;
		put16(ip + 10, 0);
		put16(ip + 10, ~sum16(ip, 20) & 0xffff);
	}
}

static void check_batch(bool tunnel, bool six)
{
	enum dp_count_id id = tunnel ? DP_COUNT_TUNNEL_FAST : DP_COUNT_LAN_FAST;
	const size_t in_link = tunnel ? 0 : ETHER_LEN, out_link = tunnel ? ETHER_LEN : 0;
	const size_t headers = six ? 60 : 40;
	struct dp_count before = harness_count(id), after;
	static struct frame in, out;
	size_t len, out_len;

	len = build_batch(tunnel, six, 1300, 11, &in);
	send_frame(tunnel ? 3 : HOST, &in, len);
	assert_int_equal(receive(&out, &out_len, DEADLINE_MS), tunnel ? HOST : 3);
	assert_int_equal(out_len - out_link, len - in_link);
	age(six, in.data + in_link);
	assert_memory_equal(out.data + out_link, in.data + in_link, len - in_link);
	assert_int_equal(out.header.gso_type, in.header.gso_type);
	assert_int_equal(out.header.gso_size, 1300);
	after = harness_count(id);
	assert_int_equal(after.packets - before.packets, 11);
	assert_int_equal(after.bytes - before.bytes, 11 * (headers + 1300));
}

static void test_batch(void **state)
{
	static struct frame frame;
	struct dp_count before;
	size_t len;

	(void)state;
	for (int i = 0; i < 4; i++)
		check_batch(i & 1, i & 2);

	before = harness_count(DP_COUNT_LAN_SLOW);
	len = build_batch(false, false, 1381, 11, &frame);
	send_frame(HOST, &frame, len);
	await_count(DP_COUNT_LAN_SLOW, before.packets + 1);
	before = harness_count(DP_COUNT_TUNNEL_SLOW);
	len = build_batch(true, false, 1461, 11, &frame);
	send_frame(3, &frame, len);
	await_count(DP_COUNT_TUNNEL_SLOW, before.packets + 1);
	assert_silence();
}

/* -- From a tunnel. -- */

static void test_neighbours(void **state)
{
	/* To whom on the LAN, by the last byte of its MAC address; 0: to the stack. */
	static const struct {
		const char *from, *to;
		uint8_t mac;
	} cases[] = {
		{ SITE2_4, OWN4, 0x0a },
		{ SITE2_4, "8.0.1.11", 0x0b },
		{ SITE2_4, "8.0.9.1", 0x0a },
		{ SITE2_4, "8.0.10.1", 0x0c },
		{ SITE2_6, OWN6, 0x0c },
		{ SITE2_6, "2001:db8:86dd:100::11", 0x0d },
		{ SITE2_6, "2001:db8:86dd:900::1", 0x0c },
		{ SITE2_6, "2001:db8:86dd:a00::1", 0 },
		{ SITE2_4, "8.0.1.1", 0 },
		{ SITE2_4, "8.0.1.255", 0 },
		{ SITE3_4, OWN4, 0 },
		{ "169.254.200.1", OWN4, 0 },
		{ "127.200.0.1", OWN4, 0 },
		{ "240.0.0.1", OWN4, 0 },
		{ "0.200.0.1", OWN4, 0 },
		{ "::8000:0:0:1", OWN6, 0 },
		{ "fe80:0:0:0:8000::1", OWN6, 0 },
		{ "ff80::1", OWN6, 0 },
	};
	static struct frame in, out;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct shape shape = { .tunnel = true,
					     .from = cases[i].from,
					     .to = cases[i].to,
					     .pad = (unsigned int)i };
		const bool six = strchr(cases[i].from, ':');
		const size_t len = shape_build(&shape, in.data);
		uint64_t slow = harness_count(DP_COUNT_TUNNEL_SLOW).packets;
		size_t out_len;

		send_frame(3, &in, len);
		if (!cases[i].mac) {
			await_count(DP_COUNT_TUNNEL_SLOW, slow + 1);
			continue;
		}
		assert_int_equal(receive(&out, &out_len, DEADLINE_MS), HOST);
		assert_int_equal(out_len, ETHER_LEN + len - shape.pad);
		assert_memory_equal(out.data, lan_mac, 5);
		assert_int_equal(out.data[5], cases[i].mac);
		assert_memory_equal(out.data + 6, lan_mac, 6);
		assert_int_equal(get16(out.data + 12), six ? 0x86dd : 0x0800);
		age(six, in.data);
		assert_memory_equal(out.data + ETHER_LEN, in.data, len - shape.pad);
	}
	assert_silence();
}

/* Frames that the other tests cannot make: tagged ones, of which the kernel takes the tag off. */
static void test_tagged(void **state)
{
	static struct frame frame;
	const struct shape shape = { 0 };
	uint64_t slow = harness_count(DP_COUNT_LAN_SLOW).packets;
	size_t len = shape_build(&shape, frame.data);

	(void)state;
	memmove(frame.data + 16, frame.data + 12, len - 12);
	put16(frame.data + 12, 0x8100);
	put16(frame.data + 14, 7);
	send_frame(HOST, &frame, len + 4);
	await_count(DP_COUNT_LAN_SLOW, slow + 1);
	assert_silence();
}

static int usual(void **state)
{
	(void)state;
	world_init(&world, harness_ifindex("lan0"), tunnel_ifindex);
	world_write(&world);
	return 0;
}

static int setup(void **state)
{
	if (harness_setup(state))
		return -1;
	for (int id = NODE_FIRST; id < NODE_END; id++) {
		fds[id] = open_tunnel(id);
		if (fds[id] < 0)
			return -1;
	}
	if (system(setup_script) != 0)
		return -1;
	fds[HOST] = open_host();
	if (fds[HOST] < 0)
		return -1;
	world_write_routes();
	attach(harness_ifindex("lan0"), "lan_ingress");
	for (int id = NODE_FIRST; id < NODE_END; id++)
		attach(tunnel_ifindex[id], "tunnel_ingress");
	return usual(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_neighbours, usual),
		cmocka_unit_test_setup(test_tagged, usual),
		cmocka_unit_test_setup(test_batch, usual),
		cmocka_unit_test_setup(test_choice, usual),
	};

	return cmocka_run_group_tests_name("lan_link", tests, setup, harness_teardown);
}
