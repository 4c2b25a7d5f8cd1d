/* SPDX-License-Identifier: GPL-2.0-only */
#include "harness.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include <cmocka.h>

#include "image.h"

#define UDP 17
#define MARK_LEN 4

static struct bpf_object *object;
static bool maps_changed; /* since XDP last ran */

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

void harness_shell(const char *command)
{
	if (system(command))
		fail_msg("failed: %s", command);
}

unsigned int harness_ifindex(const char *name)
{
	const unsigned int ifindex = if_nametoindex(name);

	assert_int_not_equal(ifindex, 0);
	return ifindex;
}

int harness_setup(void **state)
{
	struct bpf_map *map;

	(void)state;
	if (unshare(CLONE_NEWNET | CLONE_NEWNS))
		return -1;
	/* sysfs shows the interfaces of the namespace that mounted it; nobody else sees this one. */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -1;
	if (system("ip link set lo up && for i in 0 1; do ip link add w$i type veth peer p$i && "
		   "ip link set w$i up && ip link set p$i up || exit 1; done"))
		return -1;
	libbpf_set_print(quiet);
	object = bpf_object__open_mem(dataplane_image, dataplane_image_len, NULL);
	if (!object)
		return -1;
	bpf_object__for_each_map(map, object) if (bpf_map__set_pin_path(map, NULL)) return -1;
	return bpf_object__load(object);
}

int harness_teardown(void **state)
{
	(void)state;
	bpf_object__close(object);
	object = NULL;
	return 0;
}

int harness_program(const char *name)
{
	const struct bpf_program *program = bpf_object__find_program_by_name(object, name);

	assert_non_null(program);
	return bpf_program__fd(program);
}

static struct bpf_map *find_map(const char *name)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, name);

	if (!map)
		fail_msg("no map %s", name);
	return map;
}

int harness_map(const char *name)
{
	return bpf_map__fd(find_map(name));
}

void harness_set(const char *map, const void *key, const void *value)
{
	maps_changed = true;
	assert_int_equal(bpf_map_update_elem(harness_map(map), key, value, BPF_ANY), 0);
}

bool harness_get(const char *map, const void *key, void *ret_value)
{
	return bpf_map_lookup_elem(harness_map(map), key, ret_value) == 0;
}

void harness_clear(const char *map)
{
	const int fd = harness_map(map);
	uint8_t key[64];

	maps_changed = true;
	while (bpf_map_get_next_key(fd, NULL, key) == 0)
		assert_int_equal(bpf_map_delete_elem(fd, key), 0);
}

struct dp_count harness_count_at(const char *map, const void *key)
{
	struct dp_count sum = { 0 };
	const int cpus = libbpf_num_possible_cpus();
	struct dp_count *each = calloc((size_t)cpus, sizeof(*each));

	assert_non_null(each);
	if (bpf_map_lookup_elem(harness_map(map), key, each) == 0) {
		for (int i = 0; i < cpus; i++) {
			sum.packets += each[i].packets;
			sum.bytes += each[i].bytes;
		}
	}
	free(each);
	return sum;
}

struct dp_count harness_count_flows(void)
{
	const size_t cpus = (size_t)libbpf_num_possible_cpus();
	struct dp_flow *each = calloc(cpus, sizeof(*each));
	struct dp_count sum = { 0 };

	assert_non_null(each);
	for (uint32_t place = 0; place < DP_FLOWS_MAX; place++) {
		assert_true(harness_get("dp_flows", &place, each));
		for (size_t i = 0; i < cpus; i++) {
			sum.packets += each[i].relayed.packets;
			sum.bytes += each[i].relayed.bytes;
		}
	}
	free(each);
	return sum;
}

struct dp_count harness_count(enum dp_count_id id)
{
	const uint32_t key = id;
	struct dp_count count = harness_count_at("dp_counts", &key);

	if (id == DP_COUNT_RELAY_FORWARDED) {
		const struct dp_count flows = harness_count_flows();

		count.packets += flows.packets;
		count.bytes += flows.bytes;
	}
	return count;
}

/* A relay goes by what it has learned until the kernel's clock ticks: as if it had. */
static void forget(const char *map, __u32 n)
{
	const size_t size = bpf_map__value_size(find_map(map)) * (size_t)libbpf_num_possible_cpus();
	static uint32_t keys[DP_FLOWS_MAX];
	void *values = calloc(n, size);

	for (__u32 i = 0; i < n; i++)
		keys[i] = i;
	assert_non_null(values);
	assert_int_equal(bpf_map_update_batch(harness_map(map), keys, values, &n, NULL), 0);
	free(values);
}

void harness_counts_reset(void)
{
	const int cpus = libbpf_num_possible_cpus();
	struct dp_count *each = calloc((size_t)cpus, sizeof(*each));

	assert_non_null(each);
	for (uint32_t id = 0; id < DP_COUNT_MAX; id++)
		harness_set("dp_counts", &id, each);
	free(each);
	forget("dp_flows", DP_FLOWS_MAX);
}

const char *harness_counts(void)
{
#define NAME(ID, TEXT) TEXT,
	static const char *const names[] = { DP_COUNTS(NAME) };
#undef NAME
	static char text[1024];
	size_t len = 0;

	text[0] = '\0';
	for (uint32_t id = 0; id < DP_COUNT_MAX; id++) {
		const unsigned long long packets = harness_count(id).packets;

		if (packets)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s=%llu",
						len ? " " : "", names[id], packets);
	}
	return text;
}

struct dp_addr harness_addr(const char *text)
{
	struct dp_addr addr = { { 0, 0, htonl(0xffff), 0 } };

	if (strchr(text, ':'))
		assert_int_equal(inet_pton(AF_INET6, text, &addr), 1);
	else
		assert_int_equal(inet_pton(AF_INET, text, &addr.word[3]), 1);
	return addr;
}

/* -- Frames -- */

static void put16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t sum_add(uint32_t sum, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
	return sum;
}

static uint16_t sum_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint16_t sum_udp(const uint8_t *ip, const uint8_t *udp, size_t len)
{
	uint32_t sum = ip[0] >> 4 == 4 ? sum_add(0, ip + 12, 8) : sum_add(0, ip + 8, 32);

	return sum_fold(sum_add(sum + UDP + (uint32_t)len, udp, len));
}

static size_t build_v4(uint8_t *ip, const struct harness_frame *of)
{
	const size_t header = 20 + (size_t)of->options * 4;

	memset(ip, 1, header); /* options: no operation */
	memset(ip, 0, 20);
	ip[0] = (uint8_t)(0x40 | header / 4);
	put16(ip + 2, header + 8 + of->len);
	put16(ip + 4, 0x1234);
	put16(ip + 6, of->fragment == 1 ? 0x2000 : of->fragment ? of->fragment / 8 : 0x4000);
	ip[8] = of->ttl ? of->ttl : 64;
	ip[9] = of->protocol ? of->protocol : UDP;
	assert_int_equal(inet_pton(AF_INET, of->source, ip + 12), 1);
	assert_int_equal(inet_pton(AF_INET, of->destination, ip + 16), 1);
	put16(ip + 10, sum_fold(sum_add(0, ip, header)));
	return header;
}

static size_t build_v6(uint8_t *ip, const struct harness_frame *of)
{
	const uint8_t protocol = of->protocol ? of->protocol : UDP;
	uint8_t *next = ip + 6;
	size_t header = 40;

	memset(ip, 0, 64);
	ip[0] = 0x60;
	ip[7] = of->ttl ? of->ttl : 64;
	assert_int_equal(inet_pton(AF_INET6, of->source, ip + 8), 1);
	assert_int_equal(inet_pton(AF_INET6, of->destination, ip + 24), 1);
	for (unsigned int i = 0; i < of->options; i++) {
		*next = 60;
		next = ip + header;
		memset(next, 0, 8);
		next[2] = 1; /* PadN */
		next[3] = 4;
		header += 8;
	}
	if (of->fragment) {
		*next = 44;
		next = ip + header;
		memset(next, 0, 8);
		put16(next + 2, of->fragment == 1 ? 1 : of->fragment / 8 * 8u);
		header += 8;
	}
	*next = protocol;
	put16(ip + 4, header - 40 + 8 + of->len);
	return header;
}

size_t harness_build(uint8_t *frame, const struct harness_frame *of)
{
	const bool v4 = !strchr(of->source, ':');
	uint8_t *ip = frame + 12, *udp;
	uint16_t sum;

	memset(frame, 0, HARNESS_FRAME_MAX);
	memcpy(frame, "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02", 12);
	for (unsigned int i = 0; i < of->tags; i++, ip += 4)
		put16(ip, i + 1 == of->tags ? 0x8100 : 0x88a8);
	put16(ip, v4 ? 0x0800 : 0x86dd);
	ip += 2;
	udp = ip + (v4 ? build_v4(ip, of) : build_v6(ip, of));
	put16(udp, of->source_port);
	put16(udp + 2, of->destination_port);
	put16(udp + 4, 8 + of->len);
	put16(udp + 6, 0);
	if (of->len)
		memcpy(udp + 8, of->payload, of->len);
	if (!of->no_checksum) {
		sum = sum_udp(ip, udp, 8 + of->len);
		put16(udp + 6, sum ? sum : 0xffff);
	}
	return (size_t)(udp - frame) + 8 + of->len;
}

static size_t network(const uint8_t *frame)
{
	size_t at = 12;

	while (get16(frame + at) == 0x8100 || get16(frame + at) == 0x88a8)
		at += 4;
	return at + 2;
}

size_t harness_udp(const uint8_t *frame)
{
	const size_t at = network(frame);

	return at + (frame[at] >> 4 == 4 ? 20 : 40);
}

bool harness_sums_right(const uint8_t *frame, size_t len)
{
	const uint8_t *ip = frame + network(frame), *udp = frame + harness_udp(frame);
	const bool v4 = ip[0] >> 4 == 4;
	const size_t udp_len = get16(udp + 4);

	if ((size_t)(udp - frame) + udp_len > len)
		return false;
	if (v4 && sum_fold(sum_add(0, ip, 20)) != 0)
		return false;
	if (get16(udp + 6) == 0)
		return v4;
	return sum_udp(ip, udp, udp_len) == 0;
}

/* -- Runs -- */

static void run(int fd, const uint8_t *frame, size_t len, struct bpf_test_run_opts *opts,
		struct harness_run *ret_run)
{
	int err;

	opts->data_in = frame;
	opts->data_size_in = (uint32_t)len;
	opts->data_out = ret_run->frame;
	opts->data_size_out = sizeof(ret_run->frame);
	err = bpf_prog_test_run_opts(fd, opts);
	if (err)
		fail_msg("test run of %zu bytes: %s", len, strerror(-err));
	ret_run->verdict = opts->retval;
	ret_run->len = opts->data_size_out;
	ret_run->ns = opts->duration;
	ret_run->marked = false;
}

void harness_run_xdp(const uint8_t *frame, size_t len, unsigned int ifindex,
		     struct harness_run *ret_run)
{
	struct xdp_md ctx = { .data_end = (uint32_t)len, .ingress_ifindex = ifindex };
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts);

	if (maps_changed) {
		forget("dp_flows", DP_FLOWS_MAX);
		forget("dp_hops", DP_HOPS_MAX);
	}
	maps_changed = false;
	if (ifindex) {
		opts.ctx_in = &ctx;
		opts.ctx_size_in = sizeof(ctx);
	}
	run(harness_program("wan_xdp"), frame, len, &opts, ret_run);
	if (ret_run->len == len + MARK_LEN) {
		ret_run->marked = true;
		ret_run->len = len;
		memmove(ret_run->frame, ret_run->frame + MARK_LEN, len);
	}
}

void harness_run_tc(const char *program, const uint8_t *frame, size_t len,
		    const struct __sk_buff *skb, struct harness_run *ret_run)
{
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts);

	memset(&ret_run->skb, 0, sizeof(ret_run->skb));
	if (skb) {
		opts.ctx_in = skb;
		opts.ctx_size_in = sizeof(*skb);
	}
	opts.ctx_out = &ret_run->skb;
	opts.ctx_size_out = sizeof(ret_run->skb);
	run(harness_program(program), frame, len, &opts, ret_run);
}
