/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames as fast as one CPU makes them, and how many come back.
 *
 * They are live frames of BPF_PROG_TEST_RUN: pages that are sent from a veth without a socket or an
 * skb, which costs a small part of what any relay does with them. Whoever is at the veth's other end
 * works on them in this CPU's softirq, which brings them back here as well, to be counted and
 * dropped. So a relay in the kernel takes turns with the sender by the batch: neither can outrun
 * the other, and the rate is that of one core that does all of it.
 *
 * usage: blast send IF MAC FROM TO WANTED LEN HEAD SECONDS
 *	  blast swap bare|pass PIN
 *
 * send: UDP FROM (address:port) TO (likewise), with LEN bytes of payload that begins with HEAD
 * (hex); those that come back to WANTED (an address) are counted, when the first tenth of the time
 * is over. Prints {"pps":N,"sent_pps":N}, over the times from the first to the last of them in each
 * run: around it the kernel waits for tens of milliseconds, which would make any two relays look
 * alike. IF gets the counting program, for good.
 * swap: the XDP link pinned there has another program until standard input ends.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "blast.h"

#define BATCH 64
#define CHUNK (BATCH * 4096)
#define FILL 0x5a /* all bytes behind HEAD: a mark that is found wherever a relay puts it */
#define FRAME_MAX 2048
#define SUFFIX ".bpf.o"

static struct bpf_object *object;

static void die(const char *what, int err)
{
	fprintf(stderr, "blast: %s: %s\n", what, strerror(err < 0 ? -err : err));
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

/* The object lies beside this program. */
static void load(void)
{
	char path[4096];
	const ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - sizeof(SUFFIX));

	if (len < 0)
		die("/proc/self/exe", errno);
	memcpy(path + len, SUFFIX, sizeof(SUFFIX));
	libbpf_set_print(quiet);
	object = bpf_object__open_file(path, NULL);
	if (!object || bpf_object__load(object))
		die(path, errno);
}

static int program(const char *name)
{
	const struct bpf_program *found = bpf_object__find_program_by_name(object, name);

	return found ? bpf_program__fd(found) : -1;
}

static int map(const char *name)
{
	return bpf_object__find_map_fd_by_name(object, name);
}

/* Of all CPUs; reset: zero is written then. */
static struct blast_counted counted(bool reset)
{
	const int cpus = libbpf_num_possible_cpus();
	struct blast_counted *each = calloc((size_t)cpus, sizeof(*each)), all = { 0 };
	const uint32_t zero = 0;

	if (!each || bpf_map_lookup_elem(map("blast_counted"), &zero, each))
		die("counting", errno);
	for (int i = 0; i < cpus; i++) {
		all.packets += each[i].packets;
		if (each[i].first_ns && (!all.first_ns || each[i].first_ns < all.first_ns))
			all.first_ns = each[i].first_ns;
		if (each[i].last_ns > all.last_ns)
			all.last_ns = each[i].last_ns;
	}
	memset(each, 0, (size_t)cpus * sizeof(*each));
	if (reset && bpf_map_update_elem(map("blast_counted"), &zero, each, BPF_ANY))
		die("counting", errno);
	free(each);
	return all;
}

/* -- Frames. -- */

static void parse_end(const char *text, __be32 *ret_addr, __be16 *ret_port)
{
	const char *colon = strchr(text, ':');
	char addr[INET_ADDRSTRLEN];

	if (!colon || (size_t)(colon - text) >= sizeof(addr))
		die(text, EINVAL);
	memcpy(addr, text, (size_t)(colon - text));
	addr[colon - text] = '\0';
	if (inet_pton(AF_INET, addr, ret_addr) != 1)
		die(text, EINVAL);
	*ret_port = htons((uint16_t)atoi(colon + 1));
}

static uint32_t sum(const void *data, size_t len)
{
	const uint8_t *bytes = data;
	uint32_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	return n;
}

static uint16_t fold(uint32_t n)
{
	while (n >> 16)
		n = (n & 0xffff) + (n >> 16);
	return htons((uint16_t)~n);
}

static size_t build(uint8_t *frame, char **argv)
{
	const size_t len = (size_t)atoi(argv[5]);
	struct ethhdr *eth = (void *)frame;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp = (void *)(ip + 1);
	uint8_t *payload = (void *)(udp + 1);
	const struct ether_addr *mac = ether_aton(argv[1]);
	unsigned int byte;

	if (!mac || BLAST_HEADERS + len > FRAME_MAX ||
	    BLAST_HEADERS + len < sizeof(uint64_t) * BLAST_WORDS)
		die("frame", EINVAL);
	memcpy(eth->h_dest, mac, ETH_ALEN);
	memcpy(eth->h_source, "\x02\0\0\0\0\xbe", ETH_ALEN);
	eth->h_proto = htons(ETH_P_IP);
	*ip = (struct iphdr){ .version = 4,
			      .ihl = 5,
			      .tot_len = htons((uint16_t)(sizeof(*ip) + sizeof(*udp) + len)),
			      .frag_off = htons(0x4000),
			      .ttl = 64,
			      .protocol = 17 };
	*udp = (struct udphdr){ .len = htons((uint16_t)(sizeof(*udp) + len)) };
	parse_end(argv[2], &ip->saddr, &udp->source);
	parse_end(argv[3], &ip->daddr, &udp->dest);
	ip->check = fold(sum(ip, sizeof(*ip)));
	memset(payload, FILL, len);
	for (size_t i = 0; i < len && sscanf(argv[6] + 2 * i, "%2x", &byte) == 1; i++)
		payload[i] = (uint8_t)byte;
	udp->check = fold(sum(&ip->saddr, 8) + ip->protocol + ntohs(udp->len) +
			  sum(udp, sizeof(*udp) + len));
	return BLAST_HEADERS + len;
}

/* -- Verbs. -- */

static void send_chunk(int fd, const uint8_t *frame, size_t len, unsigned int ifindex)
{
	struct xdp_md ctx = { .data_end = (uint32_t)len, .ingress_ifindex = ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = (uint32_t)len,
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = CHUNK,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);

	if (bpf_prog_test_run_opts(fd, &opts))
		die("sending", errno);
}

/* argv: IF MAC FROM TO WANTED LEN HEAD SECONDS */
static int verb_send(char **argv)
{
	static uint8_t frame[FRAME_MAX];
	const unsigned int ifindex = if_nametoindex(argv[0]);
	const size_t len = build(frame, argv);
	const double seconds = atof(argv[7]);
	double start, warm, packets = 0, sent = 0, took = 0;
	struct blast values = { 0 };
	int rc;

	memcpy(values.word, frame, sizeof(values.word));
	if (inet_pton(AF_INET, argv[4], &values.wanted) != 1)
		die(argv[4], EINVAL);
	if (bpf_map_update_elem(map("blast_values"), &(uint32_t){ 0 }, &values, BPF_ANY))
		die("values", errno);
	rc = bpf_xdp_attach((int)ifindex, program("blast_count"), XDP_FLAGS_DRV_MODE, NULL);
	if (rc)
		die(argv[0], rc);
	warm = now() + seconds / 10;
	while (now() < warm)
		send_chunk(program("blast_send"), frame, len, ifindex);
	start = now();
	do {
		struct blast_counted back;

		(void)counted(true);
		send_chunk(program("blast_send"), frame, len, ifindex);
		back = counted(false);
		packets += (double)back.packets;
		sent += CHUNK;
		took += (double)(back.last_ns - back.first_ns) / 1e9;
	} while (now() < start + seconds);
	printf("{\"pps\":%.0f,\"sent_pps\":%.0f}\n", took > 0 ? packets / took : 0,
	       took > 0 ? sent / took : 0);
	return 0;
}

/* argv: bare|pass PIN */
static int verb_swap(char **argv)
{
	const int link = bpf_obj_get(argv[1]);
	struct bpf_link_info info = { 0 };
	__u32 len = sizeof(info);
	char name[32];
	int before;

	snprintf(name, sizeof(name), "blast_%.8s", argv[0]);
	if (link < 0 || bpf_obj_get_info_by_fd(link, &info, &len))
		die(argv[1], errno);
	before = bpf_prog_get_fd_by_id(info.prog_id);
	if (before < 0 || bpf_link_update(link, program(name), NULL))
		die(name, errno);
	puts("swapped");
	fflush(stdout);
	while (getchar() != EOF)
		;
	if (bpf_link_update(link, before, NULL))
		die("putting the program back", errno);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 10 && !strcmp(argv[1], "send")) {
		load();
		return verb_send(argv + 2);
	}
	if (argc == 4 && !strcmp(argv[1], "swap")) {
		load();
		return verb_swap(argv + 2);
	}
	fprintf(stderr, "usage: blast send IF MAC FROM TO WANTED LEN HEAD SECONDS | "
			"blast swap bare|pass PIN\n");
	return 2;
}
