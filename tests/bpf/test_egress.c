/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What goes out on a gateway's WAN. One packet at a time by BPF_PROG_TEST_RUN; copies (1+1) and
 * batches by sockets through the attached program, seen by whoever is at the other end of the
 * wire. Transmit checksum offload is off there: with it nobody would notice a wrong sum.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "checksum.h"
#include "wan.h"

static unsigned int wan_ifindex[2];
static int wire[2]; /* packet sockets at p0 and p1 */

static int set_offload(const char *name, bool on)
{
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ethtool_value value = { .cmd = ETHTOOL_STXCSUM, .data = on };
	struct ifreq ifr = { .ifr_data = (void *)&value };
	int err;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	err = ioctl(fd, SIOCETHTOOL, &ifr);
	close(fd);
	return err;
}

static int egress_setup(void **state)
{
	if (harness_setup(state))
		return -1;
	for (int i = 0; i < 2; i++) {
		const char *const name = i ? "w1" : "w0";
		char command[640];
		DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .attach_point = BPF_TC_EGRESS);
		DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 1, .priority = 1);
		struct sockaddr_ll at = { .sll_family = AF_PACKET,
					  .sll_protocol = htons(ETH_P_ALL),
					  .sll_ifindex = (int)harness_ifindex(i ? "p1" : "p0") };

		snprintf(command, sizeof(command),
			 "ip addr add 10.0.%d.5/24 dev w%d && "
			 "ip -6 addr add 2001:db8:5::%d/128 dev w%d nodad && "
			 "ip route add 198.51.100.%d dev w%d && "
			 "ip -6 route add 2001:db8:7::%d dev w%d && "
			 "ip neigh add 198.51.100.%d lladdr 02:00:00:00:20:0%d dev w%d && "
			 "ip neigh add 2001:db8:7::%d lladdr 02:00:00:00:20:0%d dev w%d",
			 i, i, i + 1, i, 7 + i, i, i + 1, i, 7 + i, i, i, i + 1, i, i);
		harness_shell(command);
		if (set_offload(name, false))
			return -1;
		wan_ifindex[i] = harness_ifindex(name);
		hook.ifindex = (int)wan_ifindex[i];
		opts.prog_fd = harness_program("wan_egress");
		if (bpf_tc_hook_create(&hook) || bpf_tc_attach(&hook, &opts))
			return -1;
		wire[i] = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
		if (wire[i] < 0 || bind(wire[i], (struct sockaddr *)&at, sizeof(at)))
			return -1;
	}
	return 0;
}

static struct harness_frame data_out(const struct family *f, unsigned int lane)
{
	struct harness_frame of = {
		.source = f->local,
		.destination = f->canonical_remote,
		.source_port = port(f->peer, lane),
		.destination_port = port(SELF, lane),
	};

	of.payload = message(4, &of.len);
	return of;
}

static void run_out(const uint8_t *frame, size_t len, unsigned int wan, uint32_t mark)
{
	const struct __sk_buff skb = { .ifindex = wan_ifindex[wan], .mark = mark };

	harness_run_tc("wan_egress", frame, len, &skb, &out);
}

static void assert_sent(const struct harness_frame *of, const char *source, const char *destination)
{
	struct harness_frame wanted = *of;
	uint8_t expect[HARNESS_FRAME_MAX];

	if (source) {
		wanted.source = source;
		wanted.destination = destination;
	}
	assert_int_equal(harness_build(expect, &wanted), out.len);
	assert_memory_equal(out.frame, expect, out.len);
	assert_true(harness_sums_right(out.frame, out.len));
	assert_int_equal(out.verdict, source ? TC_ACT_REDIRECT : TC_ACT_OK);
}

/* The next mesh packet of this wire; 0: none within a while (long, if one is wanted). */
static size_t receive(unsigned int wan, uint8_t *frame, bool wanted)
{
	for (;;) {
		struct pollfd ready = { .fd = wire[wan], .events = POLLIN };
		ssize_t len;

		if (poll(&ready, 1, wanted ? 5000 : 50) != 1)
			return 0;
		len = recv(wire[wan], frame, HARNESS_FRAME_MAX, 0);
		assert_true(len > 0);
		if (len > 60 && (frame[12] == 0x08 ? frame[23] : frame[20]) == 17)
			return (size_t)len;
	}
}

static void test_best(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(families); i++)
		for (uint8_t type = 1; type <= 4; type++) {
			const struct family *f = &families[i];
			struct harness_frame of = data_out(f, 0);
			const struct dp_traffic_key second = { f->peer, 1, DP_OUT };
			uint8_t in[HARNESS_FRAME_MAX];
			struct dp_count count;
			size_t len;

			reset(NULL);
			of.payload = message(type, &of.len);
			len = harness_build(in, &of);
			run_out(in, len, 0, 7);
			assert_sent(&of, NULL, NULL);
			assert_int_equal(out.skb.mark, 7);
			assert_counts("egress_canonical=1");

			set_alive(f->peer, 0, false);
			run_out(in, len, 0, 7);
			assert_sent(&of, f->local2, f->remote2);
			assert_int_equal(out.skb.mark, 7);
			assert_counts("egress_path=1");
			count = harness_count_at("dp_traffic", &second);
			assert_int_equal(count.packets, 1);
			assert_int_equal(count.bytes, len - 14);

			set_alive(f->peer, 1, false);
			run_out(in, len, 0, 0);
			assert_sent(&of, f->local2, f->relay);
			assert_counts("egress_path=1");

			set_alive(f->peer, 2, false);
			run_out(in, len, 0, 0);
			assert_sent(&of, NULL, NULL);
			assert_counts("egress_no_path=1");

			set_node(f, 0);
			run_out(in, len, 0, 0);
			assert_sent(&of, NULL, NULL);
			assert_counts("egress_no_path=1");
		}
}

/* The canonical pair by another interface: it comes by again there, and is counted then. */
static void test_other_interface(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(families); i++) {
		struct harness_frame of = data_out(&families[i], 0);
		uint8_t in[HARNESS_FRAME_MAX];
		const size_t len = harness_build(in, &of);
		uint32_t mark;

		run_out(in, len, 1, 0);
		assert_int_equal(out.verdict, TC_ACT_REDIRECT);
		assert_memory_equal(out.frame, in, len);
		assert_counts("");
		mark = out.skb.mark;
		assert_int_not_equal(mark, 0);
		run_out(in, len, 0, mark);
		assert_sent(&of, NULL, NULL);
		assert_int_equal(out.skb.mark, 0);
		assert_counts("egress_canonical=1");
	}
}

static void test_protected(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(families); i++) {
		const struct family *f = &families[i];
		const struct dp_traffic_key copies = { f->peer, 1, DP_OUT_COPY };
		struct harness_frame of = data_out(f, 1), copy = of;
		uint8_t in[HARNESS_FRAME_MAX], seen[HARNESS_FRAME_MAX], expect[HARNESS_FRAME_MAX];
		const size_t len = harness_build(in, &of);

		run_out(in, len, 0, 7);
		assert_sent(&of, NULL, NULL);
		assert_int_equal(out.skb.mark, 7);
		assert_counts("egress_canonical=1 egress_copy=1");
		assert_int_equal(harness_count_at("dp_traffic", &copies).packets, 1);
		copy.source = f->local2;
		copy.destination = f->remote2;
		harness_build(expect, &copy);
		assert_int_equal(receive(1, seen, true), len);
		assert_memory_equal(seen, "\x02\0\0\0\x20\x01", 6);
		assert_memory_equal(seen + 12, expect + 12, len - 12);
		assert_int_equal(receive(0, seen, false), 0);
		assert_int_equal(receive(1, seen, false), 0);

		/* The first is dead: the second of the order, and its partner is dead. */
		set_alive(f->peer, 0, false);
		run_out(in, len, 0, 0);
		assert_sent(&of, f->local2, f->remote2);
		assert_counts("egress_path=1");
		/* The third has no partner. */
		set_alive(f->peer, 1, false);
		run_out(in, len, 0, 0);
		assert_sent(&of, f->local2, f->relay);
		assert_counts("egress_path=1");
		assert_int_equal(receive(1, seen, false), 0);

		/* The canonical one is the copy. */
		set_alive(f->peer, 0, true);
		set_alive(f->peer, 1, true);
		{
			struct dp_node node;

			assert_true(harness_get("dp_nodes", &f->peer, &node));
			node.order[0] = 1;
			node.order[1] = 0;
			harness_set("dp_nodes", &f->peer, &node);
			node.second[0] = 0;
			harness_set("dp_nodes", &f->peer, &node);
		}
		run_out(in, len, 1, 0);
		assert_sent(&of, f->local2, f->remote2);
		assert_counts("egress_path=1 egress_copy=1");
		assert_int_equal(receive(0, seen, true), len);
		assert_memory_equal(seen + 12, in + 12, len - 12);
		assert_memory_equal(seen, "\x02\0\0\0\x20\0", 6);
		assert_int_equal(receive(0, seen, false), 0);
		assert_int_equal(receive(1, seen, false), 0);
	}
}

static void test_bulk(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(families); i++)
		for (uint16_t only = 0; only < 3; only++) {
			const struct family *f = &families[i];
			struct harness_frame of = data_out(f, 2);
			uint8_t in[HARNESS_FRAME_MAX];

			for (uint16_t path = 0; path < 3; path++)
				set_alive(f->peer, path, path == only);
			run_out(in, harness_build(in, &of), 0, 0);
			assert_sent(&of, only ? f->local2 : NULL,
				    only == 1 ? f->remote2 : f->relay);
			assert_counts(only ? "egress_path=1" : "egress_canonical=1");
		}
}

static socklen_t socket_addr(const char *text, uint16_t number, struct sockaddr_storage *ret)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(number) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(number) };

	memset(ret, 0, sizeof(*ret));
	if (strchr(text, ':')) {
		assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
		memcpy(ret, &v6, sizeof(v6));
		return sizeof(v6);
	}
	assert_int_equal(inet_pton(AF_INET, text, &v4.sin_addr), 1);
	memcpy(ret, &v4, sizeof(v4));
	return sizeof(v4);
}

static int open_socket(const struct family *f, unsigned int lane)
{
	const int on = 1; /* there may be many */
	struct sockaddr_storage addr;
	socklen_t len = socket_addr(f->local, port(f->peer, lane), &addr);
	const int fd = socket(addr.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
	len = socket_addr(f->canonical_remote, port(SELF, lane), &addr);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, len), 0);
	return fd;
}

static uint64_t sent_by(const struct family *f, uint8_t path)
{
	const struct dp_traffic_key at = { f->peer, path, DP_OUT };

	return harness_count_at("dp_traffic", &at).packets;
}

/* The path that a packet of the socket takes. */
static int path_of(const struct family *f, int fd)
{
	static const uint8_t data[48] = { 4 };
	uint64_t before[3];
	int path = -1;

	for (uint8_t i = 0; i < 3; i++)
		before[i] = sent_by(f, i);
	assert_int_equal(send(fd, data, sizeof(data), 0), sizeof(data));
	for (uint8_t i = 0; i < 3; i++)
		if (sent_by(f, i) != before[i]) {
			assert_int_equal(path, -1);
			path = i;
		}
	return path;
}

/*
 * A connected socket's packets have a hash of their own, as the packets of the kernel's WireGuard
 * have that of the flow inside. Flows share the paths; a dead path moves its own and no other.
 */
static void test_bulk_flows(void **state)
{
	enum {
		FLOWS = 60
	};

	(void)state;
	for (size_t i = 0; i < COUNT(families); i++) {
		const struct family *f = &families[i];
		int fds[FLOWS], first[FLOWS];
		unsigned int share[3] = { 0 };
		struct dp_node node;
		uint8_t seen[HARNESS_FRAME_MAX];

		reset(NULL);
		for (int flow = 0; flow < FLOWS; flow++) {
			fds[flow] = open_socket(f, 2);
			first[flow] = path_of(f, fds[flow]);
			assert_in_range(first[flow], 0, 2);
			share[first[flow]]++;
		}
		for (int path = 0; path < 3; path++)
			assert_true(share[path] > 0);
		for (uint16_t dead = 0; dead < 3; dead++) {
			set_alive(f->peer, dead, false);
			for (int flow = 0; flow < FLOWS; flow++) {
				const int now = path_of(f, fds[flow]);

				if (first[flow] == dead)
					assert_int_not_equal(now, dead);
				else
					assert_int_equal(now, first[flow]);
			}
			set_alive(f->peer, dead, true);
			for (int flow = 0; flow < FLOWS; flow++)
				assert_int_equal(path_of(f, fds[flow]), first[flow]);
		}
		/* Paths that are not good are taken only if no good one lives. */
		assert_true(harness_get("dp_nodes", &f->peer, &node));
		node.spread = 1 << 1;
		harness_set("dp_nodes", &f->peer, &node);
		for (int flow = 0; flow < FLOWS; flow++)
			assert_int_equal(path_of(f, fds[flow]), 1);
		set_alive(f->peer, 1, false);
		for (int flow = 0; flow < FLOWS; flow++)
			assert_int_not_equal(path_of(f, fds[flow]), 1);
		for (int flow = 0; flow < FLOWS; flow++)
			close(fds[flow]);
		for (unsigned int wan = 0; wan < 2; wan++)
			while (receive(wan, seen, false))
				;
	}
}

/* What is not ours to change. */
static void test_passes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(families); i++)
		for (int n = 0; n < 13; n++) {
			const struct family *f = &families[i];
			static const uint8_t reply[96] = { DP_PROBE_REPLY };
			struct harness_frame of = data_out(f, 0);
			uint8_t in[HARNESS_FRAME_MAX];
			size_t len;

			switch (n) {
			case 0:
				of.source = f->local2;
				break;
			case 1:
				of.destination = f->remote2;
				break;
			case 2:
				of.source_port = 53;
				break;
			case 3:
				of.destination_port = 53;
				break;
			case 4:
				of.destination_port = port(OTHER, 0);
				break;
			case 5:
				of.source_port = port(OTHER, 0);
				break;
			case 6:
				of.destination_port = port(SELF, 1);
				break;
			case 7:
				of.payload = "\x05 no message of WireGuard, and no probe.";
				of.len = 32;
				break;
			case 8:
				of.payload = reply;
				of.len = sizeof(reply);
				break;
			case 9:
				of.fragment = 1;
				break;
			case 10:
				of.options = 1;
				break;
			case 11:
				of.protocol = 6;
				break;
			case 12:
				of.len = 0;
				break;
			}
			set_alive(f->peer, 0, false);
			len = harness_build(in, &of);
			run_out(in, len, 0, 0);
			assert_int_equal(out.verdict, TC_ACT_OK);
			assert_int_equal(out.len, len);
			assert_memory_equal(out.frame, in, len);
			assert_counts("");
		}
}

static void test_probe(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(families); i++)
		for (size_t n = 0; n < 500; n++) {
			const struct family *f = &families[i];
			const struct dp_path_key at = { f->peer, 1 };
			struct dp_probe raw = { .type = DP_PROBE_REQUEST,
						.version = DP_PROBE_VERSION,
						.path = 1,
						.from = htons(SELF),
						.to = htons(f->peer),
						.loss_ppm = htonl(77) };
			struct harness_frame of = data_out(f, 0);
			uint8_t in[HARNESS_FRAME_MAX], payload[1400] = { 0 };
			struct dp_path_state was, is;
			const uint64_t before = now_ns();
			struct dp_probe p;
			size_t len;

			memcpy(payload, &raw, sizeof(raw));
			of.source = f->local2;
			of.destination = f->remote2;
			of.payload = payload;
			of.len = sizeof(raw) + n * 2;
			of.no_checksum = true;
			len = harness_build(in, &of);
			assert_true(harness_get("dp_path_states", &at, &was));
			was.rtt_us = 4321;
			/* Every other one after a pause, which is not to count as silence. */
			was.last_sent_ns = n % 2 ? before - 10000000000ULL : before;
			was.last_reply_ns = was.last_sent_ns;
			harness_set("dp_path_states", &at, &was);
			run_out(in, len, 1, 0);
			assert_int_equal(out.verdict, TC_ACT_OK);
			assert_counts("probe_sent=1");
			assert_true(harness_get("dp_path_states", &at, &is));
			assert_int_equal(is.sequence, was.sequence + 1);
			assert_int_equal(is.sent, was.sent + 1);
			assert_true(is.last_sent_ns >= before && is.last_sent_ns <= now_ns());
			assert_int_equal(is.last_reply_ns,
					 n % 2 ? is.last_sent_ns + 4321000 : was.last_reply_ns);

			memcpy(&p, out.frame + len - of.len, sizeof(p));
			assert_int_equal(probe_check(&p, SELF, f->peer, key), PROBE_OK);
			assert_int_equal(probe_be64(p.sequence), is.sequence);
			assert_int_equal(probe_be64(p.sent_ns), is.last_sent_ns);
			assert_int_equal(probe_be32(p.rtt_us), 4321);
			assert_int_equal(probe_be32(p.loss_ppm), 77);
			assert_int_equal(probe_be64(p.generation), 42);
			assert_int_equal(probe_be64(p.seen_generation), 77);
			memcpy(payload, &p, sizeof(p));
			of.no_checksum = false;
			assert_int_equal(harness_build(in, &of), out.len);
			assert_memory_equal(out.frame, in, len);
			assert_true(harness_sums_right(out.frame, len));
		}
}

static void test_probe_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(families); i++)
		for (int n = 0; n < 5; n++) {
			const struct family *f = &families[i];
			struct dp_probe raw = { .type = DP_PROBE_REQUEST,
						.version = DP_PROBE_VERSION,
						.path = n == 0 ? 5 : 1,
						.from = htons(n == 1 ? OTHER : SELF),
						.to = htons(n == 2 ? OTHER : f->peer) };
			struct harness_frame of = data_out(f, 0);
			uint8_t in[HARNESS_FRAME_MAX];
			size_t len;

			raw.version = n == 3 ? 2 : DP_PROBE_VERSION;
			of.payload = &raw;
			of.len = n == 4 ? sizeof(raw) - 1 : sizeof(raw);
			len = harness_build(in, &of);
			run_out(in, len, 0, 0);
			assert_int_equal(out.verdict, TC_ACT_SHOT);
			assert_memory_equal(out.frame, in, len);
			assert_counts("drop_probe_form=1");
		}
}

/* -- Sockets -- */

/* Each datagram of a batch has to arrive by each of its paths, in order and with right sums. */
static void check_batch(const struct family *f, unsigned int lane, int segments)
{
	static const uint8_t head[] = { 4, 0, 0, 0 };
	uint8_t payload[16 * 1008], seen[HARNESS_FRAME_MAX];
	const int size = 1008, fd = open_socket(f, lane);
	const int overhead = f->peer == PEER ? 28 : 48;
	const struct dp_traffic_key at = { f->peer, 1, lane == 1 ? DP_OUT_COPY : DP_OUT };
	struct dp_count before = harness_count_at("dp_traffic", &at), after;

	for (int i = 0; i < segments * size; i++)
		payload[i] = (uint8_t)(i * 31 >> 3);
	for (int i = 0; i < segments; i++) {
		memcpy(payload + i * size, head, sizeof(head));
		payload[i * size + 4] = (uint8_t)i;
	}
	if (segments > 1)
		assert_int_equal(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)), 0);
	assert_int_equal(send(fd, payload, (size_t)(segments * size), 0), segments * size);
	close(fd);
	for (unsigned int wan = 0; wan < 2; wan++) {
		const bool wanted = wan == 1 || lane == 1;

		for (int i = 0; wanted && i < segments; i++) {
			const size_t len = receive(wan, seen, true);

			assert_int_equal(len, 14 + overhead + size);
			assert_memory_equal(seen + 14 + overhead, payload + i * size, (size_t)size);
			assert_true(harness_sums_right(seen, len));
			assert_memory_equal(seen, wan ? "\x02\0\0\0\x20\x01" : "\x02\0\0\0\x20\0",
					    6);
		}
		assert_int_equal(receive(wan, seen, false), 0);
	}
	after = harness_count_at("dp_traffic", &at);
	assert_int_equal(after.packets - before.packets, segments);
	assert_int_equal(after.bytes - before.bytes, segments * (size + overhead));
}

static void test_sockets(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(families); i++)
		for (int segments = 1; segments <= 16; segments += 5) {
			reset(NULL);
			check_batch(&families[i], 1, segments);
			set_alive(families[i].peer, 0, false);
			check_batch(&families[i], 0, segments);
		}
}

/* With the offload on the field holds the pseudo header's sum, which the device completes. */
static void test_offload(void **state)
{
	(void)state;
	assert_int_equal(set_offload("w0", true), 0);
	assert_int_equal(set_offload("w1", true), 0);
	for (size_t i = 0; i < COUNT(families); i++) {
		const struct family *f = &families[i];
		const struct dp_addr local = harness_addr(f->local2);
		const struct dp_addr remote = harness_addr(f->remote2);
		const int fd = open_socket(f, 0);
		uint8_t seen[HARNESS_FRAME_MAX];
		uint16_t check;
		size_t len;

		set_alive(f->peer, 0, false);
		assert_int_equal(send(fd, message(4, &len), 96, 0), 96);
		close(fd);
		assert_true(receive(1, seen, true) > 0);
		memcpy(&check, seen + harness_udp(seen) + 6, sizeof(check));
		assert_int_equal(
			check, checksum_fold(checksum_sum_pseudo(&local, &remote, i ? 6 : 4, 104)));
		assert_counts("egress_path=1");
	}
	assert_int_equal(set_offload("w0", false), 0);
	assert_int_equal(set_offload("w1", false), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_best, reset),
		cmocka_unit_test_setup(test_other_interface, reset),
		cmocka_unit_test_setup(test_protected, reset),
		cmocka_unit_test_setup(test_bulk, reset),
		cmocka_unit_test_setup(test_bulk_flows, reset),
		cmocka_unit_test_setup(test_passes, reset),
		cmocka_unit_test_setup(test_probe, reset),
		cmocka_unit_test_setup(test_probe_refused, reset),
		cmocka_unit_test_setup(test_sockets, reset),
		cmocka_unit_test_setup(test_offload, reset),
	};

	return cmocka_run_group_tests_name("egress", tests, egress_setup, harness_teardown);
}
